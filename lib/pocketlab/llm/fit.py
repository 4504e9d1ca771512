"""Will it fit? The memory that a language model takes on a phone, part by part, and how fast memory lets it decode.

Sizes follow from the configuration alone. Speed does as far as decoding goes: a new token needs every weight and every kept key
and value once, for a few operations each, so that memory sets the pace and tokens/s ≤ bandwidth / bytes (Pope et al. 2022,
Efficiently Scaling Transformer Inference, section 2). GB are 10⁹ bytes throughout; memory that is sold as 4 GB has 4.29 of them,
of which the system keeps some from the start.

The configurations are those of the models' published config.json: meta-llama/Meta-Llama-3-8B, meta-llama/Llama-3.2-1B,
mistralai/Mistral-7B-v0.1 and google/gemma-2-2b, on Hugging Face.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pocketlab.llm.cache import cache_bytes
from pocketlab.llm.grids import grid_bits
from pocketlab.llm.model import DecoderConfig, RopeScaling

LLAMA_3_8B = DecoderConfig(
    vocab_size=128_256, hidden_size=4096, intermediate_size=14_336, layers=32, heads=32, kv_heads=8, head_dim=128, context=8192,
    rope_theta=500_000.0, tied_embeddings=False,
)  # fmt: skip
LLAMA_3_2_1B = DecoderConfig(
    vocab_size=128_256, hidden_size=2048, intermediate_size=8192, layers=16, heads=32, kv_heads=8, head_dim=64, context=131_072,
    rope_theta=500_000.0, rope_scaling=RopeScaling(32.0, 1.0, 4.0, 8192),
)  # fmt: skip
MISTRAL_7B = DecoderConfig(
    vocab_size=32_000, hidden_size=4096, intermediate_size=14_336, layers=32, heads=32, kv_heads=8, head_dim=128, context=32_768,
    tied_embeddings=False, window=4096,
)  # fmt: skip
GEMMA_2_2B = DecoderConfig(
    vocab_size=256_000, hidden_size=2304, intermediate_size=9216, layers=26, heads=8, kv_heads=4, head_dim=256, context=8192,
    norm_eps=1e-6, activation="gelu_tanh", window=4096, windowed_layers="even", norm_offset=True, post_norms=True,
    embedding_scale=True, query_scale=16.0, attention_cap=50.0, logit_cap=30.0,
)  # fmt: skip
MODELS = {"Llama 3 8B": LLAMA_3_8B, "Mistral 7B": MISTRAL_7B, "Gemma 2 2B": GEMMA_2_2B, "Llama 3.2 1B": LLAMA_3_2_1B}

GROUP_SIZE = 128  # weights that share a scale; as in the papers of GPTQ and AWQ
CHUNK = 128  # tokens of a prompt that go through the model at once
RUNTIME_BYTES = 200_000_000
"""An estimate of what the app and its inference engine take beside all that: code, tokenizer, buffers."""


@dataclass(frozen=True)
class Phone:
    """A phone's memory in GB, the share that one app may use, and the memory's bandwidth in GB/s; `why`: where these are from.

    Raises ValueError unless memory and bandwidth are positive and the share is over 0 and at most 1.
    """

    name: str
    memory_gb: float
    usable_share: float
    bandwidth_gb_s: float
    why: str = ""

    def __post_init__(self) -> None:
        if not (self.memory_gb > 0 and self.bandwidth_gb_s > 0 and 0 < self.usable_share <= 1):
            raise ValueError(
                f"{self.name} needs memory and bandwidth over 0, and a usable share over 0 and up to 1; it has "
                f"{self.memory_gb} GB, {self.bandwidth_gb_s} GB/s and {self.usable_share}."
            )

    @property
    def usable_bytes(self) -> int:
        """The bytes that one app may use."""
        return round(self.memory_gb * self.usable_share * 1e9)


PHONES = (
    Phone("4 GB phone", 4, 0.5, 17.1, "estimate: two 16-bit channels of LPDDR4X at 4266 MT/s, as with Snapdragon 4s Gen 2"),
    Phone("8 GB phone", 8, 0.5, 51.2, "estimate: four 16-bit channels of LPDDR5 at 6400 MT/s"),
    Phone("12 GB phone", 12, 0.5, 76.8, "estimate: four 16-bit channels of LPDDR5X at 9600 MT/s, as with Snapdragon 8 Gen 3"),
)
"""Kinds of phones. Bandwidth is what the memory can deliver, channels times bits times transfers; a program reaches less of it.

How much of the memory an app may use is no published figure: it depends on system, phone and what else is open. Half is an
estimate between two that are known of one device: an app on a 16 GB iPad had 5 GB, and 12 GB if it asked for more (iPadOS 15).
"""


def decoder_parameters(config: DecoderConfig) -> dict[str, int]:
    """Return how many weights each part of a `Decoder` has; the output layer has none of its own where embeddings are tied."""
    parts = dict.fromkeys(("embedding", "output", "attention", "feed-forward", "norms"), 0)
    for part, rows, columns, count in _matrices(config):
        parts[part] += rows * columns * count
    norms = config.layers * (4 if config.post_norms else 2) + 1
    return parts | {"norms": norms * config.hidden_size}


def weight_bytes(config: DecoderConfig, bits: int, *, group_size: int = GROUP_SIZE, embedding_bits: int | None = None) -> int:
    """Return the bytes of all weights: matrices of `bits`, and norms of 16.

    Below 16 bits each `group_size` neighbors of a row have a scale of 16 bits and a zero point of `bits`, as in `llm.grids.Grid`.
    embedding_bits: of the embedding and the output layer; if not given, 8 where `bits` are fewer, since engines keep these two
    finer than the rest. Raises ValueError for other than 2 to 8 or 16 bits.
    """
    return sum(_part_bytes(config, bits, group_size, embedding_bits).values())


def activation_bytes(config: DecoderConfig, tokens: int, positions: int, *, bits: int = 16) -> int:
    """Return the most bytes alive at once while `tokens` go through the model and attend to `positions`, themselves included.

    As `Decoder` computes. In attention those are a block's input, also normalized, queries, keys, values, and the scores twice
    (three times with soft-capping); in the feed-forward network the input, what attention returned, their sum, also normalized,
    and four tensors of the network's; at the end the logits of the last token. Kernels that keep no scores (Dao et al. 2022,
    FlashAttention) need less. Leaves out what is small beside them: masks, tables of angles, copies of keys and values.
    """
    copies = 2 if config.attention_cap is None else 3
    heads = (config.heads + 2 * config.kv_heads) * config.head_dim
    attention = 2 * config.hidden_size + heads + copies * config.heads * positions
    feed_forward = 4 * config.hidden_size + 4 * config.intermediate_size
    return max(tokens * max(attention, feed_forward), config.vocab_size) * bits // 8


def memory_parts(
    config: DecoderConfig, bits: int, context: int, *, embedding_bits: int | None = None, cache_bits: int = 16
) -> dict[str, int]:
    """Return the bytes of weights, KV cache, activations and runtime for a conversation of `context` tokens.

    The cache rolls where every layer has a window. Activations are of 16 bits, for the last `CHUNK` tokens of a prompt that fills
    the context; decoding needs fewer. Raises ValueError for a context that the model does not have, or other bits.
    """
    if not 1 <= context <= config.context:
        raise ValueError(f"This model's context is 1 to {config.context} tokens; got {context}.")
    rolls = config.window is not None and config.windowed_layers == "all"
    positions = min(context, (config.window or 0) + CHUNK) if rolls else context
    return {
        "weights": weight_bytes(config, bits, embedding_bits=embedding_bits),
        "KV cache": cache_bytes(config, context, bits=cache_bits, rolling=rolls),
        "activations": activation_bytes(config, min(CHUNK, context), positions),
        "runtime": RUNTIME_BYTES,
    }


def bytes_per_token(
    config: DecoderConfig, bits: int, context: int, *, embedding_bits: int | None = None, cache_bits: int = 16
) -> int:
    """Return the bytes that decoding reads for one token after `context` others: the weights and the KV cache, once.

    Of an embedding table of its own it reads one row, which is not counted; a tied one is read as the output layer.
    """
    parts = memory_parts(config, bits, context, embedding_bits=embedding_bits, cache_bits=cache_bits)
    table = 0 if config.tied_embeddings else _part_bytes(config, bits, GROUP_SIZE, embedding_bits)["embedding"]
    return parts["weights"] - table + parts["KV cache"]


def tokens_per_second(bytes_read_per_token: float, bandwidth_gb_s: float) -> float:
    """Return the most tokens a second that memory allows: an upper bound, which computing and waiting can only lower."""
    if not (bytes_read_per_token > 0 and bandwidth_gb_s > 0):
        raise ValueError(f"Bytes and bandwidth are over 0; got {bytes_read_per_token} bytes and {bandwidth_gb_s} GB/s.")
    return bandwidth_gb_s * 1e9 / bytes_read_per_token


@dataclass(frozen=True)
class Fit:
    """A model on a phone: its bytes by part, those that an app may use, and the tokens/s that memory allows (an estimate)."""

    parts: dict[str, int]
    usable_bytes: int
    tokens_per_second: float

    @property
    def total(self) -> int:
        """The bytes of all parts."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        """Whether all parts together are no more than an app may use."""
        return self.total <= self.usable_bytes


def fits(
    config: DecoderConfig, phone: Phone, bits: int, context: int, *, embedding_bits: int | None = None, cache_bits: int = 16
) -> Fit:
    """Return whether a model of `bits` fits on a phone with a conversation of `context` tokens, with the parts that decide it."""
    read = bytes_per_token(config, bits, context, embedding_bits=embedding_bits, cache_bits=cache_bits)
    parts = memory_parts(config, bits, context, embedding_bits=embedding_bits, cache_bits=cache_bits)
    return Fit(parts, phone.usable_bytes, tokens_per_second(read, phone.bandwidth_gb_s))


def longest_context(
    config: DecoderConfig, phone: Phone, bits: int, *, embedding_bits: int | None = None, cache_bits: int = 16
) -> int:
    """Return the most tokens of a conversation with which the model fits on a phone, 0 where it does not even with one."""

    def total(context: int) -> int:
        return sum(memory_parts(config, bits, context, embedding_bits=embedding_bits, cache_bits=cache_bits).values())

    return bisect.bisect_right(range(1, config.context + 1), phone.usable_bytes, key=total)


def measured_bandwidth(size_bytes: int = 2**28, repeats: int = 5) -> float:
    """Return the GB/s at which one thread reads memory here and now: the best of several sums over `size_bytes`.

    Choose more bytes than the cache holds, or it is the cache that is measured.
    """
    numbers = np.ones(size_bytes // 4, np.float32)  # not zeros: those pages would all be the same one until written
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        numbers.sum()
        seconds.append(time.perf_counter() - start)
    return numbers.nbytes / min(seconds) / 1e9


def _matrices(config: DecoderConfig) -> Iterator[tuple[str, int, int, int]]:
    """Each kind of matrix: its part, outputs, inputs, and how many there are."""
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.layers
    queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    yield "embedding", config.vocab_size, hidden, 1
    yield "output", config.vocab_size, hidden, 0 if config.tied_embeddings else 1
    yield "attention", queries, hidden, layers
    yield "attention", keys, hidden, 2 * layers
    yield "attention", hidden, queries, layers
    yield "feed-forward", inner, hidden, 2 * layers
    yield "feed-forward", hidden, inner, layers


def _part_bytes(config: DecoderConfig, bits: int, group_size: int, embedding_bits: int | None) -> dict[str, int]:
    """The bytes of each part of `decoder_parameters`."""
    outer = max(bits, 8) if embedding_bits is None else embedding_bits
    for given in (bits, outer):
        if given != 16 and not 2 <= given <= 8:
            raise ValueError(f"Weights have 2 to 8 bits in groups, or 16; got {given}.")
    if group_size < 1:
        raise ValueError(f"A group has 1 weight or more; got a group_size of {group_size}.")
    sizes = dict.fromkeys(("embedding", "output", "attention", "feed-forward"), 0)
    for part, rows, columns, count in _matrices(config):
        width = outer if part in ("embedding", "output") else bits
        sizes[part] += count * (16 * rows * columns if width == 16 else grid_bits(rows, columns, width, group_size))
    return {part: -(-size // 8) for part, size in sizes.items()} | {"norms": 2 * decoder_parameters(config)["norms"]}
