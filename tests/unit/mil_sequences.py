"""Small but honest networks for sequences: recurrent ones, a transformer encoder, and a Llama with and without a KV cache.

See `mil_networks`, which has the convolutional ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LSTMClassifier(nn.Module):
    """A bidirectional LSTM; its last state in each direction is classified. x: (batch, time, features)."""

    def __init__(self, features: int = 8, hidden: int = 32, classes: int = 10) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(2 * hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        _, (state, _) = self.lstm(x)
        return self.classifier(torch.cat([state[0], state[1]], 1))


class GRUClassifier(nn.Module):
    """Two layers of GRU; what the upper one says at the end is classified. x: (batch, time, features)."""

    def __init__(self, features: int = 8, hidden: int = 48, classes: int = 10) -> None:
        super().__init__()
        self.gru = nn.GRU(features, hidden, num_layers=2, batch_first=True)
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.gru(x)[0][:, -1])


class EncoderLayer(nn.Module):
    """Self attention and a feed-forward net, each on a normalized input and added to it."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.feed = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        batch, length, dim = x.shape
        qkv = self.qkv(self.attention_norm(x)).reshape(batch, length, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        heads = F.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        x = x + self.out(heads.transpose(1, 2).reshape(batch, length, dim))
        return x + self.feed(self.feed_norm(x))


class TransformerEncoder(nn.Module):
    """x: (batch, time, features), mask: (batch, time), 1 where x counts and 0 where it is padding; logits (batch, classes)."""

    def __init__(
        self, features: int = 8, length: int = 12, dim: int = 32, heads: int = 4, layers: int = 2, classes: int = 10
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(features, dim)
        self.position = nn.Parameter(0.1 * torch.randn(length, dim))
        self.layers = nn.ModuleList([EncoderLayer(dim, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)
        self.classifier = nn.Linear(dim, classes)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        attended = (mask > 0)[:, None, None, :]
        x = self.embed(x) + self.position
        for layer in self.layers:
            x = layer(x, attended)
        counted = mask.unsqueeze(-1).to(x.dtype)
        return self.classifier((self.norm(x) * counted).sum(1) / counted.sum(1))


# --- Llama ------------------------------------------------------------------------------------------------------------


class RMSNorm(nn.Module):
    """Divide by the root of the mean square (Zhang and Sennrich 2019)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn pairs of features by an angle that grows with the position (RoPE, Su et al. 2021, in Llama's order)."""
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat([-second, first], -1) * sine


class LlamaLayer(nn.Module):
    """Grouped-query attention and SwiGLU, each on an RMS-normalized input (Touvron et al. 2023)."""

    def __init__(self, dim: int, heads: int, kv_heads: int) -> None:
        super().__init__()
        self.size, self.groups = dim // heads, heads // kv_heads
        self.attention_norm, self.feed_norm = RMSNorm(dim), RMSNorm(dim)
        self.query, self.out = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, kv_heads * self.size, bias=False)
        self.value = nn.Linear(dim, kv_heads * self.size, bias=False)
        self.gate, self.up = nn.Linear(dim, 2 * dim, bias=False), nn.Linear(dim, 2 * dim, bias=False)
        self.down = nn.Linear(2 * dim, dim, bias=False)

    def projections(self, x: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value (batch, heads, time, size) of x; the first two turned by their positions."""
        x = self.attention_norm(x)
        query, key, value = (
            projection(x).unflatten(-1, (-1, self.size)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        return rotate(query, cosine, sine), rotate(key, cosine, sine), value

    def attend(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Return x with what attention and then the feed-forward net add. mask: 0 where a query sees a key, else very low."""
        key, value = (t.repeat_interleave(self.groups, 1) for t in (key, value))
        heads = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.out(heads.transpose(1, 2).flatten(2))
        fed = self.feed_norm(x)
        return x + self.down(F.silu(self.gate(fed)) * self.up(fed))


class Llama(nn.Module):
    """tokens (batch, time) to next-token logits (batch, time, vocabulary), everything computed anew at each call."""

    def __init__(
        self, vocabulary: int = 24, context: int = 32, dim: int = 32, heads: int = 4, kv_heads: int = 2, layers: int = 2
    ) -> None:
        super().__init__()
        self.context = context
        self.embed = nn.Embedding(vocabulary, dim)
        self.layers = nn.ModuleList([LlamaLayer(dim, heads, kv_heads) for _ in range(layers)])
        self.norm = RMSNorm(dim)
        self.scores = nn.Linear(dim, vocabulary, bias=False)
        half = dim // heads // 2
        angle = torch.outer(torch.arange(context), 10000.0 ** (-torch.arange(half) / half)).repeat(1, 2)
        self.register_buffer("cosine", angle.cos())
        self.register_buffer("sine", angle.sin())

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = causal_mask(length, length)
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer.attend(x, *layer.projections(x, self.cosine[:length], self.sine[:length]), mask)
        return self.scores(self.norm(x))


class CachedLlama(nn.Module):
    """The same with keys and values kept in two buffers, which Core ML takes for states: only new tokens are computed.

    tokens: (batch, new), mask: (1, 1, new, seen so far + new). As in Apple's "On Device Llama 3.1 with Core ML" (2024) the
    mask's size says how many tokens were seen before.
    """

    def __init__(self, llama: Llama, batch: int) -> None:
        super().__init__()
        self.llama = llama
        layer = llama.layers[0]
        shape = (len(llama.layers), batch, layer.key.out_features // layer.size, llama.context, layer.size)
        self.register_buffer("keys", torch.zeros(shape))
        self.register_buffer("values", torch.zeros(shape))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        end = mask.shape[-1]
        start = end - tokens.shape[-1]
        llama = self.llama
        x = llama.embed(tokens)
        for index, layer in enumerate(llama.layers):
            query, key, value = layer.projections(x, llama.cosine[start:end], llama.sine[start:end])
            self.keys[index, :, :, start:end] = key
            self.values[index, :, :, start:end] = value
            x = layer.attend(x, query, self.keys[index, :, :, :end], self.values[index, :, :, :end], mask)
        return llama.scores(llama.norm(x))


def causal_mask(new: int, end: int) -> Tensor:
    """Return (1, 1, new, end): 0 where a token sees itself and those before it, -10,000 (which float16 holds) elsewhere."""
    return torch.full((new, end), -1e4).triu(end - new + 1)[None, None]
