"""Decoding: each filter against the package `transformers`, streams against passes without a cache, and what is refused."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import llm_networks
import pytest
import torch
from llm_networks import OURS
from scipy.stats import chisquare
from transformers.generation import logits_process

from pocketlab.llm.cache import Int8Cache, KeyValueCache, RollingCache
from pocketlab.llm.decoding import GREEDY, Sampling, generate, masked, prefill, probabilities, sample, timed

SAMPLINGS = [
    Sampling(),
    Sampling(temperature=0.6),
    Sampling(temperature=1.7),
    Sampling(top_k=1),
    Sampling(top_k=7),
    Sampling(top_k=500),
    Sampling(top_p=0.3),
    Sampling(top_p=0.95),
    Sampling(min_p=0.1),
    Sampling(min_p=1.0),
    Sampling(temperature=0.8, top_k=20, top_p=0.9, min_p=0.02),
    Sampling(temperature=1.5, top_k=40, top_p=0.7, min_p=0.15),
]


def by_transformers(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The same filters of `transformers`, in the order in which its GenerationMixin._get_logits_processor has them."""
    steps = [logits_process.TemperatureLogitsWarper(float(sampling.temperature))]
    if sampling.top_k is not None:
        steps.append(logits_process.TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        steps.append(logits_process.TopPLogitsWarper(sampling.top_p))
    if sampling.min_p > 0:
        steps.append(logits_process.MinPLogitsWarper(sampling.min_p))
    for step in steps:
        logits = step(None, logits)
    return logits.softmax(-1)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=repr)
def test_probabilities_are_those_of_transformers(sampling):
    logits = 3 * torch.randn(200, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = probabilities(logits, sampling)
    # Some ten roundings of float64 in sums of 96 numbers below 1.
    torch.testing.assert_close(got, by_transformers(logits, sampling), rtol=0, atol=1e-13)
    torch.testing.assert_close(got.sum(-1), torch.ones(200, dtype=torch.float64), rtol=0, atol=1e-13)


def test_each_filter_by_hand():
    logits = torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=torch.float64).log()
    expected = {
        Sampling(top_k=2): [5 / 9, 2 / 9, 2 / 9, 0],  # the second and the third are equal: both stay
        Sampling(top_p=0.45): [1, 0, 0, 0],
        Sampling(top_p=0.6): [5 / 7, 2 / 7, 0, 0],
        Sampling(min_p=0.3): [5 / 9, 2 / 9, 2 / 9, 0],
        Sampling(min_p=0.5): [1, 0, 0, 0],
        Sampling(temperature=0.5): [25 / 34, 4 / 34, 4 / 34, 1 / 34],
        # Temperature first: at 0.5 the first token alone reaches 0.7, at 1 it would not.
        Sampling(temperature=0.5, top_p=0.7): [1, 0, 0, 0],
        GREEDY: [1, 0, 0, 0],
    }
    for sampling, p in expected.items():
        torch.testing.assert_close(probabilities(logits, sampling), torch.tensor(p, dtype=torch.float64), msg=repr(sampling))


def test_greedy_takes_the_first_of_equals_and_temperatures_near_0_do_not_overflow():
    logits = torch.tensor([[1.0, 300.0, 300.0], [-math.inf, -5.0, -math.inf]])
    assert probabilities(logits).tolist() == [[0, 1, 0], [0, 1, 0]]
    assert probabilities(logits, Sampling(temperature=1e-30)).tolist() == [[0, 0.5, 0.5], [0, 1, 0]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_probabilities_have_32_bits_at_least(dtype):
    p = probabilities(torch.randn(96, generator=torch.Generator().manual_seed(0)).to(dtype), Sampling(top_p=0.9))
    assert p.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize("bad", [[math.nan, 1.0], [math.inf, 1.0], [-math.inf, -math.inf]])
def test_logits_without_a_highest_are_refused(bad):
    for sampling in (GREEDY, Sampling()):
        with pytest.raises(ValueError, match="NaN or infinity, or allow no token"):
            probabilities(torch.tensor([bad, [0.0, 0.0]]), sampling)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"temperature": -1}, "temperature is 0"),
        ({"temperature": math.nan}, "temperature is 0"),
        ({"temperature": math.inf}, "temperature is 0"),
        ({"top_k": 0}, "at least 1 token"),
        ({"top_p": 0}, "above 0, up to 1"),
        ({"top_p": 1.1}, "above 0, up to 1"),
        ({"min_p": -0.1}, "from 0 to 1"),
        ({"min_p": 1.1}, "from 0 to 1"),
    ],
)
def test_a_sampling_out_of_its_range_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        Sampling(**wrong)


def test_draws_follow_the_probabilities():
    p = probabilities(torch.randn(9, generator=torch.Generator().manual_seed(1)), Sampling(top_k=6))
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(9)
    for _ in range(6000):
        counts[sample(p, generator)] += 1
    assert counts[p == 0].sum() == 0
    kept = p > 0
    # A right sampler is below 0.001 once in a thousand seeds, and the seed is fixed.
    assert chisquare(counts[kept].numpy(), 6000 * p[kept].double().numpy() / p[kept].double().sum().item()).pvalue > 1e-3


# Streams ----------------------------------------------------------------------------------------------------------------------


def without_a_cache(decoder, prompt: list[int], new_tokens: int) -> list[int]:
    tokens = list(prompt)
    for _ in range(new_tokens):
        tokens.append(int(llm_networks.logits(decoder, torch.tensor([tokens]))[0, -1].argmax()))
    return tokens[len(prompt) :]


@pytest.mark.parametrize("kind", OURS)
def test_greedy_tokens_are_those_of_passes_over_the_whole_text(kind):
    # In float64, so that two orders of summing cannot tip an argmax.
    decoder = llm_networks.ours(kind).double()
    for seed, length in enumerate((1, 5, 23)):
        prompt = llm_networks.tokens(1, length, seed)[0].tolist()
        assert list(generate(decoder, prompt, new_tokens=20)) == without_a_cache(decoder, prompt, 20)


def test_any_cache_will_do():
    decoder = llm_networks.ours("mistral").double()
    prompt = llm_networks.tokens(1, 9)[0].tolist()
    rolling = RollingCache(decoder.config, dtype=torch.float64)
    assert list(generate(decoder, prompt, new_tokens=30, cache=rolling)) == without_a_cache(decoder, prompt, 30)
    assert len(list(generate(decoder, prompt, new_tokens=30, cache=Int8Cache(decoder.config)))) == 30


def test_a_seed_gives_the_same_tokens_again_and_another_seed_others():
    decoder, prompt = llm_networks.ours("llama"), [1, 2, 3]
    texts = [
        list(generate(decoder, prompt, new_tokens=20, sampling=Sampling(), generator=torch.Generator().manual_seed(seed)))
        for seed in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_a_token_is_yielded_before_the_next_is_computed():
    decoder = llm_networks.ours("llama")
    passes = []
    decoder.register_forward_hook(lambda *_: passes.append(1))
    stream = generate(decoder, [1, 2, 3], new_tokens=5)
    assert not passes
    for count, _ in enumerate(stream, start=1):
        assert len(passes) == count
    assert len(passes) == 5  # the prefill gave the first, and the last is not fed back


def test_gradients_stay_as_the_caller_has_them():
    decoder = llm_networks.ours("llama")
    for _ in generate(decoder, [1, 2], new_tokens=2):
        assert torch.is_grad_enabled()


def test_a_stop_token_ends_the_text_and_is_no_part_of_it():
    decoder = llm_networks.ours("llama").double()
    text = without_a_cache(decoder, [1, 2, 3], 20)
    stop = text[7]
    first = text.index(stop)
    cache = KeyValueCache(decoder.config, dtype=torch.float64)
    assert list(generate(decoder, [1, 2, 3], new_tokens=20, stop={stop, 95}, cache=cache)) == text[:first]
    assert cache.length == 3 + first


def test_a_conversation_goes_on_in_its_cache():
    decoder = llm_networks.ours("llama").double()
    cache, prompt = KeyValueCache(decoder.config, dtype=torch.float64), [5, 6, 7, 8]
    first = list(generate(decoder, prompt, new_tokens=6, cache=cache))
    assert cache.length == 4 + 5
    again = [*prompt, *first, 9, 10]
    fed = []
    decoder.register_forward_pre_hook(lambda _, arguments: fed.append(arguments[0].shape[1]))
    second = list(generate(decoder, again, new_tokens=6, cache=cache))
    assert fed == [3, 1, 1, 1, 1, 1]  # the last token of the answer and the two new ones: nothing else is computed again
    assert second == without_a_cache(decoder, again, 6)


def test_a_prompt_too_long_is_refused_or_cut_as_asked():
    decoder = llm_networks.ours("llama").double()
    prompt = llm_networks.tokens(1, 140)[0].tolist()
    with pytest.raises(ValueError, match=re.escape("A prompt of 140 tokens and 10 new ones do not fit in 128 places")):
        generate(decoder, prompt, new_tokens=10)  # at the call, not at the first token
    # 10 new tokens, of which the last needs no place: 119 of the prompt stay, the last ones.
    assert list(generate(decoder, prompt, new_tokens=10, too_long="cut")) == without_a_cache(decoder, prompt[-119:], 10)
    assert len(list(generate(decoder, prompt[:119], new_tokens=10))) == 10
    with pytest.raises(ValueError, match="120 tokens and 10 new ones"):
        generate(decoder, prompt[:120], new_tokens=10)


def test_new_tokens_that_leave_no_room_for_a_prompt_are_refused_also_when_cutting():
    decoder = llm_networks.ours("llama")
    assert len(list(generate(decoder, [1, 2], new_tokens=128, too_long="cut"))) == 128
    with pytest.raises(ValueError, match="129 new ones do not fit"):
        generate(decoder, [1, 2], new_tokens=129, too_long="cut")


def test_a_small_cache_counts_as_the_context():
    decoder = llm_networks.ours("llama")
    cache = KeyValueCache(decoder.config, capacity=12)
    with pytest.raises(ValueError, match="8 tokens and 6 new ones do not fit in 12 places"):
        generate(decoder, range(8), new_tokens=6, cache=cache)
    assert len(list(generate(decoder, range(8), new_tokens=5, cache=cache))) == 5


def test_a_cache_that_does_not_fit_the_prompt_is_refused():
    decoder = llm_networks.ours("llama")
    cache = KeyValueCache(decoder.config)
    prefill(decoder, [1, 2, 3], cache)
    with pytest.raises(ValueError, match="The cache holds 3 tokens, and the prompt has 3"):
        generate(decoder, [1, 2, 3], new_tokens=5, cache=cache)
    with pytest.raises(ValueError, match="holds the beginning of this prompt, which would be cut"):
        generate(decoder, list(range(90)) * 2, new_tokens=5, cache=cache, too_long="cut")


@pytest.mark.parametrize(("prompt", "new_tokens"), [([], 5), ([1], 0), ([1], -3)])
def test_no_prompt_and_no_new_tokens_are_refused(prompt, new_tokens):
    with pytest.raises(ValueError, match="1 token or more"):
        generate(llm_networks.ours("llama"), prompt, new_tokens=new_tokens)


def test_broken_weights_are_told_by_a_sentence():
    decoder = llm_networks.ours("llama")
    with torch.no_grad():
        decoder.norm.weight[0] = math.nan
    with pytest.raises(ValueError, match="are the model's weights whole"):
        next(generate(decoder, [1, 2], new_tokens=2, sampling=Sampling()))


# Constraints ------------------------------------------------------------------------------------------------------------------


class EvenThenOdd:
    """Two tokens: an even one, then an odd one that ends the text; or nothing at all, with token 0."""

    start, shortest, end = 0, 2, 0

    def allowed(self, state, left):
        assert left == 5 - state
        return torch.tensor([token % 2 == state for token in range(96)])

    def advance(self, state, token):
        return state + 1

    def finished(self, state):
        return state == 2


def test_a_constraint_masks_each_step_and_ends_the_text():
    decoder = llm_networks.ours("llama")
    lengths = set()
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        sampling = Sampling(temperature=3.0)
        tokens = list(generate(decoder, [seed], new_tokens=5, sampling=sampling, generator=generator, constraint=EvenThenOdd()))
        assert [token % 2 for token in tokens] == [0, 1][: len(tokens)]
        assert 0 not in tokens
        lengths.add(len(tokens))
    assert lengths <= {0, 2}
    assert 2 in lengths
    with pytest.raises(ValueError, match="shortest output of this form has 2 tokens, and new_tokens is 1"):
        generate(decoder, [1], new_tokens=1, constraint=EvenThenOdd())


def test_a_mask_acts_before_the_filters():
    logits = torch.tensor([9.0, 8.0, 1.0, 1.0])
    p = probabilities(masked(logits, torch.tensor([False, False, True, True])), Sampling(top_k=2))
    assert p.tolist() == [0, 0, 0.5, 0.5]


@pytest.mark.parametrize("hostile", list(itertools.product([math.nan, math.inf, -math.inf, 3e38, 0.0], repeat=3)))
def test_a_masked_step_has_something_to_choose_whatever_the_logits_are(hostile):
    allowed = torch.tensor([True, True, False])
    samplings = (GREEDY, Sampling(), Sampling(temperature=1e-9, top_p=0.1, min_p=0.5))
    for sampling, dtype in itertools.product(samplings, (torch.float16, torch.float32)):
        p = probabilities(masked(torch.tensor(hostile).to(dtype), allowed), sampling)
        assert p[2] == 0
        assert p.sum() == pytest.approx(1)


# Times ------------------------------------------------------------------------------------------------------------------------


def test_times_are_counted_from_the_call(monkeypatch):
    clock = iter([100.0, 100.5, 100.75, 101.0])
    monkeypatch.setattr("pocketlab.llm.decoding.time.perf_counter", lambda: next(clock))
    tokens, times = timed(iter([7, 8, 9]))
    assert tokens == [7, 8, 9]
    assert times.first_s == 0.5
    assert times.tokens_per_second == 4.0
    assert replace(times, seconds=(0.5,)).first_s == 0.5
    assert math.isnan(replace(times, seconds=(0.5,)).tokens_per_second)


def test_an_empty_text_has_no_times():
    with pytest.raises(ValueError, match="nothing to time"):
        timed([])
