"""Caches: the same logits as without one, in any steps; taken back, forked, full; and the memory that they are said to take."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import llm_networks
import pytest
import torch
from llm_networks import OURS

from pocketlab.llm.cache import Int8Cache, KeyValueCache, RollingCache, cache_bytes
from pocketlab.llm.model import Attention, Decoder, DecoderConfig, rotate

AnyCache = KeyValueCache | RollingCache
LENGTH = 40
# In float64, so that a cache's fault cannot hide in float32's noise, of 1e-5 here: logits of 1 to 5, some hundred roundings.
DOUBLE = {"dtype": torch.float64}
CLOSE = 1e-12
FLOAT32_CLOSE = 1e-5

FULL = [(kind, lambda config, batch: KeyValueCache(config, batch, **DOUBLE)) for kind in OURS]
ROLLING = [
    ("mistral", lambda config, batch: RollingCache(config, batch, **DOUBLE)),
    ("mistral", lambda config, batch: RollingCache(config, batch, spare=3, **DOUBLE)),
    ("mistral", lambda config, batch: RollingCache(config, batch, spare=500, **DOUBLE)),
]
EXACT = pytest.mark.parametrize(
    ("kind", "make"), FULL + ROLLING, ids=[*OURS, "rolling", "rolling, 3 spare", "rolling, all of the context"]
)
STEPS = {
    "one by one": [1] * LENGTH,
    "a long prompt, then one by one": [23] + [1] * 17,
    "chunks shorter than the window": [4] * 10,
    "chunks of the window's size": [6] * 6 + [4],
    "chunks longer than the window": [9, 1, 11, 1, 1, 8, 9],
}


def run(decoder: Decoder, tokens: torch.Tensor, cache: Any, steps: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([decoder(part, cache) for part in tokens.split(steps, dim=1)], dim=1)


def whole(decoder: Decoder, tokens: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return decoder(tokens)


@EXACT
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_with_a_cache_the_logits_are_those_without(kind, make: Callable[..., AnyCache], steps):
    decoder, tokens = llm_networks.ours(kind).double(), llm_networks.tokens(2, LENGTH)
    cache = make(decoder.config, 2)
    torch.testing.assert_close(run(decoder, tokens, cache, steps), whole(decoder, tokens), rtol=0, atol=CLOSE)
    assert cache.length == LENGTH


@EXACT
@pytest.mark.parametrize("after", [[1, 1, 1], [3]], ids=["one by one", "at once"])
@pytest.mark.parametrize("held", [2, 5, 6, 7, 13, 30])
def test_a_draft_taken_back_leaves_no_trace(kind, make, after, held):
    decoder = llm_networks.ours(kind).double()
    cache, start, draft = make(decoder.config, 2), llm_networks.tokens(2, held), llm_networks.tokens(2, 4, seed=2)
    rest = llm_networks.tokens(2, 3, seed=3)
    back = 1 if getattr(cache, "places", 99) == 6 else 4  # a ring without spare places takes back one token
    run(decoder, torch.cat([start, draft[:, :back]], dim=1), cache, [held, *[1] * back])
    cache.truncate(held)
    assert cache.length == held
    logits = run(decoder, rest, cache, after)
    expected = whole(decoder, torch.cat([start, rest], dim=1))[:, held:]
    torch.testing.assert_close(logits, expected, rtol=0, atol=CLOSE)


@EXACT
def test_truncated_to_nothing_it_is_as_new(kind, make):
    decoder, tokens = llm_networks.ours(kind).double(), llm_networks.tokens(2, LENGTH, seed=4)
    cache = make(decoder.config, 2)
    run(decoder, llm_networks.tokens(2, LENGTH), cache, [LENGTH])
    cache.truncate(0)
    for steps in ([3, 20, 17], [1] * LENGTH):
        torch.testing.assert_close(run(decoder, tokens, cache, steps), whole(decoder, tokens), rtol=0, atol=CLOSE)
        cache.truncate(0)


def test_a_ring_takes_back_its_spare_places_and_one_and_no_more():
    decoder = llm_networks.ours("mistral")
    cache = RollingCache(decoder.config, spare=3)
    run(decoder, llm_networks.tokens(1, 20), cache, [20])
    with pytest.raises(ValueError, match="5 of 20 tokens cannot be taken back, since the ring of 9"):
        cache.truncate(15)
    assert cache.length == 20
    cache.truncate(16)
    with pytest.raises(ValueError, match="1 of 16 tokens cannot"):
        cache.truncate(15)  # what it would see is gone since 20 tokens went in, whatever was taken back after


@pytest.mark.parametrize("make", [KeyValueCache, Int8Cache, RollingCache])
def test_more_than_it_holds_cannot_be_kept(make):
    cache = make(OURS["mistral"])
    with pytest.raises(ValueError, match="5 tokens cannot be kept of a cache that holds 0"):
        cache.truncate(5)
    with pytest.raises(ValueError, match="-1 tokens"):
        cache.truncate(-1)


@pytest.mark.parametrize("make", [KeyValueCache, Int8Cache])
def test_two_conversations_go_on_from_one_prompt_without_changing_each_other(make):
    decoder = llm_networks.ours("llama")
    prompt, first, second = (llm_networks.tokens(1, 10, seed=seed) for seed in range(3))
    parent, alone = make(decoder.config), [make(decoder.config) for _ in range(2)]
    run(decoder, prompt, parent, [10])
    run(decoder, first[:, :4], parent, [4])
    child = parent.fork(10)  # the prompt alone, though the first conversation has begun
    assert (parent.length, child.length, child.capacity) == (14, 10, 128)
    logits = [run(decoder, second[:, :5], child, [5]), run(decoder, first[:, 4:], parent, [1] * 6)]
    logits[0] = torch.cat([logits[0], run(decoder, second[:, 5:], child, [1] * 5)], dim=1)
    texts = [torch.cat([prompt, rest], dim=1) for rest in (second, first)]
    expected = [run(decoder, text, cache, [20]) for text, cache in zip(texts, alone, strict=True)]
    torch.testing.assert_close(logits[0], expected[0][:, 10:], rtol=0, atol=FLOAT32_CLOSE)
    torch.testing.assert_close(logits[1], expected[1][:, 14:], rtol=0, atol=FLOAT32_CLOSE)
    assert parent.fork().length == 20
    with pytest.raises(ValueError, match="21 tokens cannot be kept of a cache that holds 20"):
        parent.fork(21)


def test_a_step_copies_nothing_and_allocates_nothing_that_stays():
    decoder = llm_networks.ours("llama")
    cache = KeyValueCache(decoder.config, capacity=30)
    before = storages(cache)
    run(decoder, llm_networks.tokens(1, 30), cache, [10] + [1] * 20)
    assert storages(cache) == before
    cache.truncate(29)
    x = torch.zeros(1, 2, 1, 8)
    kept = cache.append(0, x, x)
    assert [one.shape for one in kept] == [(1, 2, 30, 8), (1, 2, 30, 8), (30,)]
    assert {one.untyped_storage().data_ptr() for one in kept[:2]} == set(before)  # views of the cache itself


def storages(thing: Any) -> dict[int, int]:
    """Every piece of memory that tensors of an object and of its parts hold: address to bytes."""
    if isinstance(thing, torch.Tensor):
        return {thing.untyped_storage().data_ptr(): thing.untyped_storage().nbytes()}
    found: dict[int, int] = {}
    for part in thing if isinstance(thing, list) else vars(thing).values() if hasattr(thing, "__dict__") else ():
        found |= storages(part)
    return found


MEASURED = [  # a cache, for how many tokens it is, and how the formula is told of it
    (lambda config: KeyValueCache(config), 128, {}),
    (lambda config: KeyValueCache(config, 3, 50), 50, {"batch": 3}),
    (lambda config: KeyValueCache(config, dtype=torch.float16), 128, {"bits": 16}),
    (lambda config: KeyValueCache(config, 2, 7, dtype=torch.bfloat16), 7, {"batch": 2, "bits": 16}),
    (lambda config: Int8Cache(config, 2, 33), 33, {"batch": 2, "bits": 8}),
    (lambda config: RollingCache(config), 128, {"rolling": True}),
    (lambda config: RollingCache(config, 2, spare=5), 128, {"batch": 2, "rolling": True, "spare": 5}),
    (lambda config: RollingCache(config, dtype=torch.float16), 128, {"bits": 16, "rolling": True}),
    (lambda config: RollingCache(config, spare=500), 128, {"rolling": True, "spare": 500}),
]


@pytest.mark.parametrize(("make", "positions", "told"), MEASURED)
def test_memory_by_the_formula_is_memory_measured(make, positions, told):
    cache = make(OURS["mistral"])
    assert sum(storages(cache).values()) == cache.nbytes == cache_bytes(OURS["mistral"], positions, **told)


def test_a_forked_cache_takes_as_much_again():
    cache = Int8Cache(OURS["llama"])
    both = storages(cache) | storages(cache.fork())
    assert sum(both.values()) == 2 * cache.nbytes


def test_the_formula_gives_the_known_sizes():
    llama3_8b = DecoderConfig(128_256, 4096, 14_336, 32, 32, 8, 128, 8192)
    assert cache_bytes(llama3_8b, 8192, bits=16) == 2**30
    mistral_7b = DecoderConfig(32_000, 4096, 14_336, 32, 32, 8, 128, 32_768, window=4096)
    assert cache_bytes(mistral_7b, 32_768, bits=16, rolling=True) == 2**29  # "8x less" in the paper's section 2
    assert cache_bytes(mistral_7b, 100, bits=16, rolling=True) == cache_bytes(mistral_7b, 100, bits=16)
    # Heads of 128 numbers: 128 bytes and a scale of 4, against 512.
    assert cache_bytes(llama3_8b, 1, bits=8) * 512 == cache_bytes(llama3_8b, 1) * 132


@pytest.mark.parametrize("make", [KeyValueCache, Int8Cache])
def test_a_full_cache_says_both_numbers_and_stays_as_it_was(make):
    decoder, tokens = llm_networks.ours("llama"), llm_networks.tokens(1, 12)
    cache, other = make(decoder.config, capacity=10), make(decoder.config)
    run(decoder, tokens[:, :8], cache, [8])
    with pytest.raises(ValueError, match="11 tokens do not fit in a cache of 10"):
        run(decoder, tokens[:, :3], cache, [3])
    logits = run(decoder, tokens[:, 8:10], cache, [2])
    torch.testing.assert_close(logits, run(decoder, tokens[:, :10], other, [10])[:, 8:], rtol=0, atol=FLOAT32_CLOSE)


@pytest.mark.parametrize("make", [KeyValueCache, Int8Cache, RollingCache])
@pytest.mark.parametrize("shape", [(1, 2, 1, 8), (2, 4, 1, 8), (2, 2, 1, 16)], ids=["batch", "heads", "head_dim"])
def test_keys_of_another_batch_or_model_are_refused(make, shape):
    cache = make(OURS["mistral"], 2)
    told = re.escape(f"a batch of 2 and 2 heads of 8; it was given keys of shape {shape}")
    with pytest.raises(ValueError, match=told):
        cache.append(0, torch.zeros(shape), torch.zeros(shape))


def test_caches_that_cannot_be_are_refused():
    for capacity in (0, 129):
        with pytest.raises(ValueError, match=f"up to the model's context of 128, not {capacity}"):
            KeyValueCache(OURS["llama"], capacity=capacity)
    for kind in ("llama", "gemma2"):
        with pytest.raises(ValueError, match="looks back to the start: use KeyValueCache"):
            RollingCache(OURS[kind])
        with pytest.raises(ValueError, match="looks back to the start"):
            cache_bytes(OURS[kind], 10, rolling=True)
    with pytest.raises(ValueError, match="0 or more; got -1"):
        RollingCache(OURS["mistral"], spare=-1)
    with pytest.raises(ValueError, match="8, 16 or 32 bits for each number; got 4"):
        cache_bytes(OURS["llama"], 10, bits=4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_cache_of_16_bits_rounds_each_number_once(dtype):
    decoder, tokens = llm_networks.ours("llama"), llm_networks.tokens(1, 12)
    x = torch.randn(1, 2, 5, 8, generator=torch.Generator().manual_seed(0))
    keys, values, _ = KeyValueCache(OURS["llama"], dtype=dtype).append(0, x, -x)
    assert torch.equal(keys, x.to(dtype).float())
    assert torch.equal(values, -keys)
    half = decoder.to(dtype)
    cached = run(half, tokens, KeyValueCache(half.config, dtype=dtype), [5] + [1] * 7)
    assert cached.dtype == dtype
    # Logits of up to 4, rounded at every step as those without a cache, whose sums are of other shapes: a few of its last places.
    torch.testing.assert_close(cached, whole(half, tokens), rtol=0, atol=32 * torch.finfo(dtype).eps)


def test_gradients_do_not_pile_up_in_a_cache():
    decoder = llm_networks.ours("llama")
    cache = KeyValueCache(decoder.config)
    decoder(llm_networks.tokens(1, 3), cache)  # outside of no_grad
    x = torch.zeros(1, 2, 1, 8)
    assert not cache.append(0, x, x)[0].requires_grad


# int8 -------------------------------------------------------------------------------------------------------------------------


class RoundedCache(KeyValueCache):
    """Full numbers, rounded to 8 bits by PyTorch's own fake quantization on their way in: what Int8Cache must amount to."""

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return super().append(layer, rounded(keys), rounded(values))


def rounded(x: torch.Tensor) -> torch.Tensor:
    rows = x.reshape(-1, x.shape[-1])
    scale = rows.abs().amax(1) / 127
    return torch.fake_quantize_per_channel_affine(rows, scale, torch.zeros(len(rows), dtype=torch.int32), 0, -127, 127).view_as(x)


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_int8_is_rounding_and_nothing_else(kind, steps):
    decoder, tokens = llm_networks.ours(kind), llm_networks.tokens(2, LENGTH)
    logits = run(decoder, tokens, Int8Cache(decoder.config, 2), steps)
    expected = run(decoder, tokens, RoundedCache(decoder.config, 2), steps)
    noise = (expected - whole(decoder, tokens)).square().mean()
    # The same numbers but for one that lies within float32's error of the middle between two steps, and is rounded the other way.
    assert (logits - expected).square().mean() < 0.05 * noise
    assert noise > 0


def test_no_number_is_off_by_more_than_half_its_scale():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 2, 30, 8, generator=generator) * 10.0 ** torch.randint(-6, 6, (2, 2, 30, 1), generator=generator)
    x[0, 0, 3] = 0
    keys, values, positions = Int8Cache(OURS["llama"], 2).append(1, x, -x)
    half = x.abs().amax(-1, keepdim=True) / 254
    assert ((keys - x).abs() <= half * (1 + 2**-16)).all()  # 2⁻¹⁶: 127 times float32's own rounding of the scale
    assert torch.equal(values, -keys)
    assert torch.equal(positions, torch.arange(30))
    assert torch.equal(keys[0, 0, 3], torch.zeros(8))


@torch.no_grad()
def test_the_noise_of_attention_with_int8_is_what_rounding_must_give():
    """Errors of rounding are uniform over a step s, of variance s²/12, and independent.

    A score q·k/√d then errs by σ² = ‖q‖² s_k² / 12d. To first order the weights p of a softmax move by p_j (ε_j − Σ p ε), so
    that the mixture m of values errs by Σ_j p_j ε_j (v_j − m), and by Σ_j p_j e_j of the values' own errors. Its power:
    Σ_j p_j² (σ_j² ‖v_j − m‖² + d s_v,j² / 12).
    """
    config = replace(OURS["llama"], context=256)
    attention = llm_networks.draw(Attention(config, 0))
    attention.output.weight.copy_(torch.eye(32))
    x = torch.randn(1, 256, 32, generator=torch.Generator().manual_seed(1))
    angles = torch.arange(256)[:, None] * Decoder(config).frequencies
    rotation = angles.cos(), angles.sin()
    exact = attention(x, torch.arange(256), rotation, None)
    noise = (attention(x, torch.arange(256), rotation, Int8Cache(config)) - exact).square().sum()

    heads = [module(x).view(256, -1, 8).transpose(0, 1) for module in (attention.query, attention.key, attention.value)]
    q, k = (rotate(part[None], *rotation)[0] for part in heads[:2])
    k, v = (part.repeat_interleave(2, dim=0) for part in (k, heads[2]))
    scores = (q @ k.transpose(1, 2) / math.sqrt(8)).masked_fill(torch.ones(256, 256).triu(1).bool(), -math.inf)
    p = scores.softmax(-1)
    mixed = p @ v
    steps_k, steps_v = (part.abs().amax(-1) / 127 for part in (k, v))
    error_of_scores = q.square().sum(-1)[:, :, None] * steps_k.square()[:, None] / (12 * 8)
    distance = (v[:, None] - mixed[:, :, None]).square().sum(-1)
    predicted = (p.square() * (error_of_scores * distance + 8 * steps_v.square()[:, None] / 12)).sum()
    assert 10 * math.log10(exact.square().sum() / predicted) > 30
    # In decibels. One number of eight is the largest and not rounded at all: 7/8 of the power, 0.6 dB less; the rest is chance.
    assert -1.5 < 10 * math.log10(noise / predicted) < 0.5
