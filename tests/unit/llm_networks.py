"""Decoders with random weights: of the `transformers` package, which nobody here built, and the same kinds in our own classes.

Weights are drawn large enough that a wrong place, order or cap shows in the logits; norms too, since ones would hide theirs.
`transformers` takes seconds to import, so a module that needs only ours does not pay for it.
"""

from __future__ import annotations

from typing import Any

import torch

from pocketlab.llm.model import Decoder, DecoderConfig, RopeScaling

SIZES: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
THEIRS = ("llama", "llama3", "mistral", "gemma2")

OUR_SIZES: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "layers": 3,
    "heads": 4,
    "kv_heads": 2,
    "head_dim": 8,
    "context": 128,
}
OURS = {
    "llama": DecoderConfig(**OUR_SIZES, tied_embeddings=False),
    "llama3": DecoderConfig(**OUR_SIZES, rope_theta=500.0, rope_scaling=RopeScaling(8.0, 1.0, 4.0, 32)),
    "mistral": DecoderConfig(**OUR_SIZES, window=6),
    "gemma2": DecoderConfig(
        **OUR_SIZES,
        activation="gelu_tanh",
        window=6,
        windowed_layers="even",
        norm_offset=True,
        post_norms=True,
        embedding_scale=True,
        query_scale=20**0.5,
        attention_cap=2.0,
        logit_cap=3.0,
    ),
}


def theirs(kind: str) -> Any:
    """Return a network of `transformers` in evaluation mode, of the kind and options of `OURS`."""
    import transformers

    if kind == "llama":
        config = transformers.LlamaConfig(**SIZES, rms_norm_eps=1e-5)
    elif kind == "llama3":
        scaling = {
            "rope_type": "llama3",
            "rope_theta": 500.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        }
        config = transformers.LlamaConfig(**SIZES, tie_word_embeddings=True, rope_parameters=scaling, rms_norm_eps=1e-5)
    elif kind == "mistral":
        config = transformers.MistralConfig(**SIZES, sliding_window=6, tie_word_embeddings=True, rms_norm_eps=1e-5)
    else:
        config = transformers.Gemma2Config(
            **SIZES,
            head_dim=8,
            sliding_window=6,
            query_pre_attn_scalar=20,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
            rms_norm_eps=1e-5,
        )
    network = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    return draw(network).eval()


def ours(kind: str) -> Decoder:
    """Return a decoder of `OURS` in evaluation mode."""
    return draw(Decoder(OURS[kind])).eval()


def draw(network: Any, seed: int = 0) -> Any:
    """Draw every weight anew: matrices as N(0, 0.3²), norms as N(0.5, 0.3²)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(0.0 if weight.ndim == 2 else 0.5, 0.3, generator=generator)
    return network


def tokens(batch: int, time: int, seed: int = 1) -> torch.Tensor:
    """Return random token ids (batch, time)."""
    return torch.randint(0, SIZES["vocab_size"], (batch, time), generator=torch.Generator().manual_seed(seed))


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the logits of our decoder or of a network of `transformers`, without gradients."""
    with torch.no_grad():
        answer = model(ids)
    return answer if isinstance(answer, torch.Tensor) else answer.logits
