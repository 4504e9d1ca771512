"""Exercise 04.2: the bytes of a cache of keys and values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pocketlab.course.exercise import EXACT, Case, Exercise, Misconception
from pocketlab.llm.cache import cache_bytes
from pocketlab.llm.model import DecoderConfig

_Bytes = Callable[[DecoderConfig, int, int], Any]  # a right one gives an int; some wrong ones give something else

_LLAMA = DecoderConfig(
    vocab_size=128_256,
    hidden_size=4096,
    intermediate_size=14_336,
    layers=32,
    heads=32,
    kv_heads=8,
    head_dim=128,
    context=8192,
)
_MISTRAL = replace(_LLAMA, vocab_size=32_000, context=32_768, window=4096)
_GEMMA = DecoderConfig(  # here heads · head_dim is 2,048, and the hidden size 2,304
    vocab_size=256_000,
    hidden_size=2304,
    intermediate_size=9216,
    layers=26,
    heads=8,
    kv_heads=4,
    head_dim=256,
    context=8192,
)
_SMALL = DecoderConfig(
    vocab_size=100, hidden_size=64, intermediate_size=128, layers=3, heads=6, kv_heads=2, head_dim=10, context=512
)


def _hidden_size_with_scales(config: DecoderConfig, positions: int, bits: int) -> int:
    if bits not in (8, 16, 32):
        raise ValueError(f"{bits} bits")
    scales = config.hidden_size // config.head_dim * 4 if bits == 8 else 0
    return 2 * config.layers * positions * (config.hidden_size * bits // 8 + scales)


def _cache_size_cases(rng: np.random.Generator) -> list[Case]:
    del rng  # whole numbers of real models

    def case(label: str, config: DecoderConfig, positions: int, bits: int) -> Case:
        sizes = {
            "the number of layers": config.layers,
            "the key-and-value heads": config.kv_heads,
            "head_dim": config.head_dim,
            "the number of positions": positions,
            "bits": bits,
        }
        return Case(label, (config, positions, bits), sizes)

    return [
        case("16 bits", _LLAMA, 1, 16),
        case("16 bits", _LLAMA, 8192, 16),
        case("16 bits", _SMALL, 7, 16),
        case("32 bits", _SMALL, 7, 32),
        case("32 bits", _LLAMA, 2048, 32),
        case("8 bits", _SMALL, 7, 8),
        case("8 bits", _LLAMA, 8192, 8),
        case("heads that do not make up the hidden size", _GEMMA, 1000, 16),
        case("heads that do not make up the hidden size", _GEMMA, 300, 8),
        case("one key-and-value head", replace(_SMALL, kv_heads=1), 20, 8),
        case("one key-and-value head", replace(_SMALL, kv_heads=1), 20, 32),
        case("as many key-and-value heads as query heads", replace(_SMALL, kv_heads=6), 9, 16),
        case("one layer", replace(_SMALL, layers=1), 5, 8),
        case("a model with a window, more positions than it", _MISTRAL, 10_000, 16),
        case("no positions", _SMALL, 0, 8),
        case("4 bits", _SMALL, 7, 4),
        case("64 bits", _SMALL, 7, 64),
        case("24 bits", _SMALL, 7, 24),
        case("12 bits", _LLAMA, 100, 12),
        case("0 bits", _SMALL, 7, 0),
        case("a negative number of bits", _SMALL, 7, -8),
    ]


def _refuse(bits: int) -> None:
    if bits not in (32, 16, 8):
        raise ValueError("a cache has 32, 16 or 8 bits")


def _checked(size: _Bytes) -> _Bytes:
    """Refuses what the exercise refuses, and is wrong in the size."""

    def answer(config: DecoderConfig, positions: int, bits: int) -> Any:
        _refuse(bits)
        return size(config, positions, bits)

    return answer


def _vectors(config: DecoderConfig, positions: int) -> int:
    return 2 * config.layers * config.kv_heads * positions


def _vector(config: DecoderConfig, bits: int) -> int:
    """The bytes of one vector, of any bits."""
    return config.head_dim * bits // 8 + 4 * (bits == 8)


def _size(config: DecoderConfig, positions: int, bits: int) -> int:
    """The right number, of any bits."""
    return _vectors(config, positions) * _vector(config, bits)


def _numbers(count: Callable[[DecoderConfig, int], int]) -> _Bytes:
    """Wrong in how many vectors there are."""
    return _checked(lambda c, positions, bits: count(c, positions) * _vector(c, bits))


def _one_vector(size: Callable[[DecoderConfig, int], Any]) -> _Bytes:
    """Wrong in the bytes of one vector, for config and bits."""
    return _checked(lambda c, positions, bits: _vectors(c, positions) * size(c, bits))


def _scales(count: Callable[[DecoderConfig, int], int]) -> _Bytes:
    """Right without scales, and wrong in how many of them there are with 8 bits."""
    return _checked(
        lambda c, positions, bits: (
            _vectors(c, positions) * c.head_dim * bits // 8 + (4 * count(c, positions) if bits == 8 else 0)
        )
    )


def _refusing(allowed: Callable[[int], bool]) -> _Bytes:
    """Right, but for which bits it refuses."""

    def answer(config: DecoderConfig, positions: int, bits: int) -> int:
        if not allowed(bits):
            raise ValueError("such bits are not allowed")
        return _size(config, positions, bits)

    return answer


def _from_a_dict(config: DecoderConfig, positions: int, bits: int) -> int:
    return _vectors(config, positions) * {32: 4 * config.head_dim, 16: 2 * config.head_dim, 8: config.head_dim + 4}[bits]


def _none_for_others(config: DecoderConfig, positions: int, bits: int) -> int | None:
    return _size(config, positions, bits) if bits in (32, 16, 8) else None


def _asserted(config: DecoderConfig, positions: int, bits: int) -> int:
    if bits not in (32, 16, 8):
        raise AssertionError
    return _size(config, positions, bits)


CACHE_BYTES = Exercise(
    id="04.2",
    title="the bytes of a cache",
    reference=cache_bytes,
    cases=_cache_size_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "query heads counted",
            _numbers(lambda c, positions: 2 * c.layers * c.heads * positions),
            "You count the query heads. Queries are not kept, and several query heads share one key-and-value head: "
            "use `config.kv_heads`.",
        ),
        Misconception(
            "hidden size for the heads",
            _checked(
                lambda c, positions, bits: (
                    2 * c.layers * positions * (c.hidden_size * bits // 8 + 4 * c.kv_heads * (bits == 8))
                )
            ),
            "You take a key to be as long as the hidden size. A token has `config.kv_heads` keys of `config.head_dim` "
            "numbers each in a layer.",
        ),
        Misconception(
            "head size computed",
            _one_vector(lambda c, bits: c.hidden_size // c.heads * bits // 8 + 4 * (bits == 8)),
            "You compute the size of a head from the hidden size. In some models the heads together are not as wide "
            "as the hidden layer: use `config.head_dim`.",
        ),
        Misconception(
            "the hidden size, a scale for each head in it",
            _hidden_size_with_scales,
            "You take a key to be as long as the hidden size, as in models where every query head has a key of its own. A "
            "token has `config.kv_heads` keys of `config.head_dim` numbers in a layer.",
        ),
        Misconception(
            "query heads for each key head",
            _numbers(lambda c, positions: 2 * c.layers * (c.heads // c.kv_heads) * positions),
            "You multiply by `heads / kv_heads`, which says how many query heads share one key. What is kept is "
            "`config.kv_heads` keys and as many values.",
        ),
        Misconception(
            "heads forgotten",
            _numbers(lambda c, positions: 2 * c.layers * positions),
            "You count one key for each token and layer. There is one for each of the `config.kv_heads` heads.",
        ),
        Misconception(
            "keys alone",
            _numbers(lambda c, positions: c.layers * c.kv_heads * positions),
            "You count the keys and not the values, or the other way round. Both are kept: twice as much.",
        ),
        Misconception(
            "one layer alone",
            _numbers(lambda c, positions: 2 * c.kv_heads * positions),
            "This is the cache of one layer. Each of the `config.layers` layers keeps keys and values of its own.",
        ),
        Misconception(
            "the whole context",
            _numbers(lambda c, _: 2 * c.layers * c.kv_heads * c.context),
            "You count `config.context` tokens, which is the most that the model reads. Wanted is the memory of "
            "`positions` tokens.",
        ),
        Misconception(
            "the positions forgotten",
            _numbers(lambda c, _: 2 * c.layers * c.kv_heads),
            "This is the memory of one token. Multiply it by `positions`.",
        ),
        Misconception(
            "only the window",
            _numbers(lambda c, positions: 2 * c.layers * c.kv_heads * min(positions, c.window or positions)),
            "You count no more positions than the window has. Wanted is a cache that keeps all `positions` tokens, "
            "whatever the layers look at.",
        ),
        Misconception(
            "bits for bytes",
            _one_vector(lambda c, bits: c.head_dim * bits + 32 * (bits == 8)),
            "This is the number of bits. A byte has 8 of them.",
        ),
        Misconception(
            "bits for bytes, but not for the scale",
            _one_vector(lambda c, bits: c.head_dim * bits + 4 * (bits == 8)),
            "You count the numbers in bits, and only the scale in bytes. Divide `config.head_dim * bits` by 8.",
        ),
        Misconception(
            "bits forgotten",
            _one_vector(lambda c, bits: c.head_dim + 4 * (bits == 8)),
            "You count one byte for each number, whatever `bits` is. A number takes `bits / 8` bytes.",
        ),
        Misconception(
            "always 16 bits",
            _one_vector(lambda c, _: c.head_dim * 2),
            "You count two bytes for each number. How many a number takes depends on `bits`: `bits / 8`, and with 8 "
            "bits each vector has a scale as well.",
        ),
        Misconception(
            "no scale",
            _scales(lambda c, positions: 0),
            "With 8 bits you leave out the scales. Each vector has one, a float32, which takes 4 bytes.",
        ),
        Misconception(
            "a scale with all bits",
            _one_vector(lambda c, bits: c.head_dim * bits // 8 + 4),
            "You add a scale with 16 and 32 bits too. Those numbers are floats and need none; only 8 bits have one.",
        ),
        Misconception(
            "half of the scales",
            _one_vector(lambda c, bits: c.head_dim * bits // 8 + 2 * (bits == 8)),
            "You count half of what the scales take. A scale is a float32, which takes 4 bytes and not 2, and a key "
            "and its value have one each.",
        ),
        Misconception(
            "a scale of one byte",
            _one_vector(lambda c, bits: c.head_dim * bits // 8 + (bits == 8)),
            "You count a scale as one more number of 8 bits. It is a float32, which takes 4 bytes.",
        ),
        Misconception(
            "a scale of 32 bytes",
            _one_vector(lambda c, bits: c.head_dim * bits // 8 + 32 * (bits == 8)),
            "You add 32 for a scale. It has 32 bits, which are 4 bytes.",
        ),
        Misconception(
            "the scale divided by 8",
            _one_vector(lambda c, bits: (c.head_dim * bits + 4 * (bits == 8)) / 8),
            "You add 4 to the bits of a vector, and divide both by 8. A scale has 4 bytes: add them after dividing, "
            "or 32 before.",
        ),
        Misconception(
            "a scale for each number",
            _one_vector(lambda c, bits: c.head_dim * (bits // 8 + 4 * (bits == 8))),
            "You count a scale for each number, which would take four times as much as the number itself. All numbers "
            "of a vector share one.",
        ),
        Misconception(
            "a scale for each token",
            _scales(lambda c, positions: 2 * c.layers * positions),
            "You count one scale for all heads of a token. A vector is what one head keeps, and each has its own "
            "scale: multiply by `config.kv_heads`.",
        ),
        Misconception(
            "a scale for a token, key and value together",
            _scales(lambda c, positions: c.layers * positions),
            "You count one scale for each token and layer. Each vector has its own: one for the key and one for the "
            "value of each of the `config.kv_heads` heads.",
        ),
        Misconception(
            "a scale for each position",
            _scales(lambda c, positions: positions),
            "You count one scale for each position. There is one for each vector: 2 · layers · key-and-value heads of "
            "them at each position.",
        ),
        Misconception(
            "a scale for each head",
            _scales(lambda c, _: 2 * c.layers * c.kv_heads),
            "You count one scale for each head, whatever the number of tokens. A vector belongs to one token, and "
            "each has its own: multiply by `positions`.",
        ),
        Misconception(
            "a scale for each layer",
            _scales(lambda c, _: 2 * c.layers),
            "You count one scale for the keys and one for the values of a layer. Each vector has its own, of every "
            "head and every token.",
        ),
        Misconception(
            "one scale in all",
            _scales(lambda c, positions: 1),
            "You add the 4 bytes of a scale once. Each vector has its own: add them before you multiply by the number "
            "of vectors.",
        ),
        Misconception(
            "a float",
            _checked(lambda c, positions, bits: float(_size(c, positions, bits))),
            "The value is right but a float, since `/` always makes one. Bytes are whole: divide with `//`.",
        ),
        Misconception(
            "nothing refused",
            _size,
            "Right, except that other bits than 32, 16 and 8 are not refused. Raise a ValueError for them.",
        ),
        Misconception(
            "all whole bytes accepted",
            _refusing(lambda bits: bits % 8 == 0),
            "You accept all multiples of 8. Only 32, 16 and 8 are allowed: `if bits not in (32, 16, 8)`.",
        ),
        Misconception(
            "whole bytes above 0 accepted",
            _refusing(lambda bits: bits > 0 and bits % 8 == 0),
            "You accept 24 and 64 bits. Only 32, 16 and 8 are allowed: `if bits not in (32, 16, 8)`.",
        ),
        Misconception(
            "all from 8 to 32 accepted",
            _refusing(lambda bits: 8 <= bits <= 32),
            "You accept all numbers from 8 to 32. Only 32, 16 and 8 are allowed: `if bits not in (32, 16, 8)`.",
        ),
        Misconception(
            "4 bits accepted",
            _refusing(lambda bits: bits in (32, 16, 8, 4)),
            "You accept 4 bits. The cache here has 32, 16 or 8.",
        ),
        Misconception(
            "32 bits refused",
            _refusing(lambda bits: bits in (16, 8)),
            "You refuse 32 bits. They are allowed: a plain float32 cache has them.",
        ),
        Misconception(
            "8 bits refused",
            _refusing(lambda bits: bits in (32, 16)),
            "You refuse 8 bits. They are allowed, with a scale of 4 bytes for each vector.",
        ),
        Misconception(
            "looked up in a dict",
            _from_a_dict,
            "Right, except that other bits raise a KeyError, which tells its reader little. Check first, and raise a "
            "ValueError.",
        ),
        Misconception(
            "None for other bits",
            _none_for_others,
            "Right, except that you return None for other bits, and whoever calls computes on with it. Raise a "
            "ValueError.",
        ),
        Misconception(
            "asserted",
            _asserted,
            "Right, except that other bits raise an AssertionError. `assert` is for mistakes of your own, and can be "
            "switched off; for what a caller gives, raise a ValueError.",
        ),
    ),
)
