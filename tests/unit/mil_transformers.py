"""Networks that nobody here built: of the `transformers` package, from small configurations, with random weights.

`transformers` is imported when one is built: after coremltools, which would import all of it.
"""

from __future__ import annotations

from torch import Tensor, nn


class Logits(nn.Module):
    """A network of `transformers` that returns its logits only. mask: (batch, 1, 1, time), added to attention's scores."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return self.network(x).logits
        return self.network(x, attention_mask=mask).logits


def mobilevit() -> nn.Module:
    """MobileViT (Mehta and Rastegari 2022) from a small configuration; its weights are large enough to pass a signal on."""
    from transformers import MobileViTConfig, MobileViTForImageClassification

    config = MobileViTConfig(
        image_size=64,
        hidden_sizes=[16, 24, 32],
        neck_hidden_sizes=[4, 8, 8, 16, 24, 32, 48],
        expand_ratio=2.0,
        num_labels=10,
        initializer_range=0.1,
        hidden_dropout_prob=0.0,
        classifier_dropout_prob=0.0,
    )
    return Logits(MobileViTForImageClassification(config))


def bert() -> nn.Module:
    """BERT (Devlin et al. 2019) from a small configuration, its weights random."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=200,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=32,  # with 16, all of them, torch.export has an `alias` that coremltools does not know
        num_labels=5,
    )
    return Logits(BertForSequenceClassification(config))
