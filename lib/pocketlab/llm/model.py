"""One decoder for the Llama family: Llama 3, Mistral, and Gemma, the open sibling of Gemini Nano.

They differ in few places, each a field of `DecoderConfig`. Source: Touvron et al. 2023 (LLaMA, section 2.2); Grattafiori et al.
2024 (The Llama 3 Herd of Models, section 3.2); Jiang et al. 2023 (Mistral 7B, section 2); Gemma Team 2024 (Gemma 2, section 2);
Su et al. 2021 (RoFormer) for rotary positions; Ainslie et al. 2023 (GQA) for grouped queries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class RopeScaling:
    """Llama 3.1's stretching of slow rotations for longer contexts than it was first trained on."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_context: int


@dataclass(frozen=True)
class DecoderConfig:
    """What makes a decoder a Llama, a Mistral or a Gemma.

    window: how many positions back a layer may look, itself included; None for all. windowed_layers: "all", or "even" for
    Gemma 2's every other layer. norm_offset: normalization multiplies by 1 + weight. post_norms: also normalizes what attention
    and feed-forward return. embedding_scale: embeddings times √hidden_size. query_scale: divides the products of query and key,
    √head_dim if not given. attention_cap, logit_cap: soft-capping, cap·tanh(x/cap).
    Raises ValueError for sizes that do not fit together.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    norm_eps: float = 1e-5
    tied_embeddings: bool = True
    activation: Literal["silu", "gelu_tanh"] = "silu"
    window: int | None = None
    windowed_layers: Literal["all", "even"] = "all"
    norm_offset: bool = False
    post_norms: bool = False
    embedding_scale: bool = False
    query_scale: float | None = None
    attention_cap: float | None = None
    logit_cap: float | None = None

    def __post_init__(self) -> None:
        sizes = (self.vocab_size, self.hidden_size, self.intermediate_size, self.layers, self.heads, self.kv_heads, self.context)
        if min(sizes) < 1:
            raise ValueError(f"Every size of a decoder is at least 1; got {self}.")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.kv_heads} key and value heads cannot serve {self.heads} query heads in equal groups.")
        if self.head_dim < 2 or self.head_dim % 2:
            raise ValueError(f"Rotary positions turn pairs of numbers, so head_dim is even; got {self.head_dim}.")
        if self.window is not None and self.window < 1:
            raise ValueError(f"A window holds at least the token itself, so it is 1 or more; got {self.window}.")

    def window_of(self, layer: int) -> int | None:
        """Return the window of a layer, None where it looks back to the start."""
        return self.window if self.windowed_layers == "all" or layer % 2 == 0 else None


class Cache(Protocol):
    """Where attention keeps keys and values of earlier tokens; see `pocketlab.llm.cache`."""

    length: int

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take in keys and values (batch, kv_heads, new, head_dim); return all kept ones with their positions (kept,)."""
        ...


class Decoder(nn.Module):
    """Tokens (batch, time) to logits (batch, time, vocab_size)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = RMSNorm(config)
        self.output = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tied_embeddings:
            self.output.weight = self.embedding.weight
        # No buffer: `model.bfloat16()` would round it to 8 bits, and an angle is a frequency times thousands of positions.
        self.frequencies = rope_frequencies(config)

    def forward(self, tokens: Tensor, cache: Cache | None = None, *, last_only: bool = False) -> Tensor:
        """Return the logits of the token that follows each one. last_only: those after the last token alone, (batch, 1, …).

        cache: keys and values of what came before; the tokens given are the next ones, and are added to it.
        Raises ValueError for tokens that are no (batch, time) or not in the vocabulary, or for more than the context holds.
        """
        start = cache.length if cache is not None else 0
        if tokens.ndim != 2 or tokens.shape[1] == 0:
            raise ValueError(f"Tokens are (batch, time), at least one; their shape is {tuple(tokens.shape)}.")
        if start + tokens.shape[1] > self.config.context:
            raise ValueError(
                f"{start + tokens.shape[1]} tokens do not fit in the context of {self.config.context}: shorten the prompt, or "
                "ask for fewer new tokens."
            )
        try:
            x = self.embedding(tokens)
        except IndexError:
            raise ValueError(
                f"Token ids run from 0 to {self.config.vocab_size - 1}, and here from {tokens.min()} to {tokens.max()}: is this "
                "the tokenizer that the model was trained with?"
            ) from None
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        angles = positions[:, None] * self.frequencies.to(tokens.device)
        rotation = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        if self.config.embedding_scale:
            x = x * torch.tensor(self.config.hidden_size**0.5, dtype=x.dtype)
        for block in self.blocks:
            x = block(x, positions, rotation, cache)
        x = self.norm(x[:, -1:] if last_only else x)
        return _capped(self.output(x), self.config.logit_cap)


class Block(nn.Module):
    """Attention, then a feed-forward network, each on normalized input and added to what came in."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm, self.feed_forward_norm = RMSNorm(config), RMSNorm(config)
        self.attention, self.feed_forward = Attention(config, layer), FeedForward(config)
        if config.post_norms:
            self.post_attention_norm, self.post_feed_forward_norm = RMSNorm(config), RMSNorm(config)
        self._post_norms = config.post_norms

    def forward(
        self, x: Tensor, positions: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None
    ) -> Tensor:
        """Return x (batch, time, hidden_size) after this block."""
        attended = self.attention(self.attention_norm(x), positions, rotation, cache)
        x = x + (self.post_attention_norm(attended) if self._post_norms else attended)
        computed = self.feed_forward(self.feed_forward_norm(x))
        return x + (self.post_feed_forward_norm(computed) if self._post_norms else computed)


class Attention(nn.Module):
    """Grouped-query attention with rotary positions: several query heads share the keys and values of one."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.heads, self.kv_heads, self.head_dim = layer, config.heads, config.kv_heads, config.head_dim
        self.window, self.cap = config.window_of(layer), config.attention_cap
        self.scale = 1 / (config.query_scale or math.sqrt(config.head_dim))
        self.query = nn.Linear(config.hidden_size, config.heads * config.head_dim, bias=False)
        self.key = nn.Linear(config.hidden_size, config.kv_heads * config.head_dim, bias=False)
        self.value = nn.Linear(config.hidden_size, config.kv_heads * config.head_dim, bias=False)
        self.output = nn.Linear(config.heads * config.head_dim, config.hidden_size, bias=False)

    def forward(
        self, x: Tensor, positions: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None
    ) -> Tensor:
        """Return (batch, time, hidden_size): for each token a mixture of the values at positions that it may see."""
        batch, time = x.shape[:2]
        queries = rotate(self._split(self.query(x), self.heads), *rotation)
        keys = rotate(self._split(self.key(x), self.kv_heads), *rotation)
        values = self._split(self.value(x), self.kv_heads)
        key_positions = positions
        if cache is not None:
            keys, values, key_positions = cache.append(self.layer, keys, values)
        group = self.heads // self.kv_heads
        queries = queries.reshape(batch, self.kv_heads, group * time, self.head_dim)
        scores = _capped(queries @ keys.transpose(-1, -2) * self.scale, self.cap)
        scores = scores.reshape(batch, self.kv_heads, group, time, -1)
        if time > 1 or self.window is not None:
            scores = scores.masked_fill(~visible(positions, key_positions, self.window), -math.inf)
        mixed = scores.softmax(-1).reshape(batch, self.kv_heads, group * time, -1) @ values
        mixed = mixed.reshape(batch, self.heads, time, self.head_dim).transpose(1, 2)
        return self.output(mixed.reshape(batch, time, -1))

    def _split(self, x: Tensor, heads: int) -> Tensor:
        """(batch, time, heads · head_dim) to (batch, heads, time, head_dim)."""
        return x.reshape(*x.shape[:2], heads, self.head_dim).transpose(1, 2)


class FeedForward(nn.Module):
    """A gated network: down(activation(gate(x)) · up(x)); with silu it is SwiGLU, with gelu GeGLU (Shazeer 2020)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
        self._gelu = config.activation == "gelu_tanh"

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, time, hidden_size)."""
        gate = self.gate(x)
        active = functional.gelu(gate, approximate="tanh") if self._gelu else functional.silu(gate)
        return self.down(active * self.up(x))


class RMSNorm(nn.Module):
    """x over its root mean square, times a learned weight (or 1 + weight); Zhang and Sennrich 2019."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(config.hidden_size) if config.norm_offset else torch.ones(config.hidden_size))
        self.eps, self.offset = config.norm_eps, float(config.norm_offset)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (…, hidden_size), normalized along the last axis. Computed in float32 also where x has 16 bits."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        weight = self.offset + self.weight.to(wide.dtype) if self.offset else self.weight.to(wide.dtype)
        return functional.rms_norm(wide, weight.shape, weight, self.eps).to(x.dtype)


def rope_frequencies(config: DecoderConfig) -> Tensor:
    """Return the angle by which each pair of a head turns from one position to the next, (head_dim / 2,) in radians.

    θ^(−2i/head_dim). With `rope_scaling`, pairs that turn less than once in the original context are slowed by the factor, fast
    ones kept, and those in between blended. Source: Su et al. 2021, section 3.2; Llama 3.1's released code for the scaling.
    """
    # On the CPU also while a model is laid out on the meta device; and 1 / θ^x, not θ^(−x), which differs in the last bit.
    pairs = torch.arange(0, config.head_dim, 2, dtype=torch.float32, device="cpu")
    frequencies = 1 / config.rope_theta ** (pairs / config.head_dim)
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies
    turns = scaling.original_context * frequencies / (2 * math.pi)
    blend = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    blend = blend.clamp(0, 1)
    return frequencies * (blend + (1 - blend) / scaling.factor)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn each pair (i, i + head_dim/2) of x (batch, heads, time, head_dim) by its angle; cosine, sine: (time, head_dim / 2)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def visible(queries: Tensor, keys: Tensor, window: int | None) -> Tensor:
    """Return which keys each query may see, bool (queries, keys), from their positions: none after it, and none too far back.

    A position below 0 marks a place of a cache that is still empty.
    """
    back = queries[:, None] - keys[None]
    seen = (back >= 0) & (keys >= 0)
    return seen if window is None else seen & (back < window)


def _capped(x: Tensor, cap: float | None) -> Tensor:
    return x if cap is None else cap * torch.tanh(x / cap)
