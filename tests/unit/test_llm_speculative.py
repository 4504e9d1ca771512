"""Speculative decoding: greedy text is the target's own, drawn text has its distribution, and passes follow the formula."""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import replace

import llm_networks
import numpy as np
import pytest
import torch
from llm_networks import OURS
from scipy.stats import chisquare

from pocketlab.llm import speculative
from pocketlab.llm.cache import KeyValueCache, RollingCache
from pocketlab.llm.decoding import GREEDY, Sampling, generate, probabilities
from pocketlab.llm.model import Decoder, DecoderConfig
from pocketlab.llm.speculative import (
    ModelDraft,
    PromptLookup,
    Speculation,
    Statistics,
    expected_speedup,
    expected_tokens_per_pass,
    verify,
)

# A right program is below it once in a thousand seeds; the seeds are fixed, so that a test fails always or never.
P_VALUE = 1e-3


def network(kind: str, seed: int = 0) -> Decoder:
    """A decoder of float64: a pass over γ + 1 tokens sums in another order than a step, which in float32 can tip an argmax."""
    return llm_networks.draw(Decoder(replace(OURS[kind], layers=2)), seed).double().eval()


def similar(decoder: Decoder, noise: float) -> Decoder:
    """A draft that often agrees: the same weights with noise."""
    other = copy.deepcopy(decoder)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in other.parameters():
            weight += noise * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return other


DRAFTS = {
    "another model": lambda target: ModelDraft(network("llama", 7)),
    "a similar model": lambda target: ModelDraft(similar(target, 0.02)),
    "a similar model, drawn from": lambda target: ModelDraft(similar(target, 0.02), Sampling(temperature=0.3)),
    "the target itself": lambda target: ModelDraft(target),
    "prompt lookup": lambda target: PromptLookup(3),
}


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("kind", OURS)
def test_greedy_text_is_that_of_plain_greedy_decoding(kind, draft):
    """Ten prompts for each of 4 kinds of model and 5 of drafts: 200."""
    target = network(kind)
    proposing, total = DRAFTS[draft](target), Statistics()
    for seed in range(10):
        prompt = llm_networks.tokens(1, 1 + 2 * seed, 100 + seed)[0].tolist()
        stop = {seed} if seed % 2 else ()
        options = {"new_tokens": 10 + seed, "stop": stop}
        speculation = Speculation(target, proposing, prompt, gamma=1 + seed % 4, **options)
        assert list(speculation) == list(generate(target, prompt, **options))
        for name in vars(total):
            setattr(total, name, getattr(total, name) + getattr(speculation.statistics, name))
    if draft == "the target itself":
        assert total.acceptance == 1
    elif draft != "another model":
        assert 0.1 < total.acceptance < 1  # both ways were taken: accepted, and taken back


# What is drawn ----------------------------------------------------------------------------------------------------------------


class Chain(torch.nn.Module):
    """A model whose next token depends on the last one alone: a table of logits. Nothing is to be cached but the length.

    It computes in microseconds, so that 20,000 draws are affordable.
    """

    def __init__(self, table: torch.Tensor, context: int = 64) -> None:
        super().__init__()
        self.config = DecoderConfig(len(table), 2, 1, 1, 1, 1, 2, context)
        self.norm = torch.nn.LayerNorm(1, dtype=torch.float64)  # tells the dtype
        self.table = table

    def forward(self, tokens, cache, *, last_only=False):
        cache.length += tokens.shape[1]
        return self.table[tokens[:, -1:] if last_only else tokens]


def table(seed: int, scale: float = 1.0, size: int = 7) -> torch.Tensor:
    return scale * torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TARGET, OTHER = table(0), table(0) + table(1, 0.7)  # they share the half of their variation


def exact(model: torch.nn.Module, prompt: list[int], length: int, sampling: Sampling) -> np.ndarray:
    """The probability of each text (7,) * length, by going through all of them."""
    size, joint = model.config.vocab_size, torch.ones(1, dtype=torch.float64)
    texts = torch.tensor([prompt])
    for _ in range(length):
        with torch.no_grad():
            logits = model(texts, KeyValueCache(model.config, len(texts), dtype=torch.float64), last_only=True)[:, -1]
        joint = (joint[:, None] * probabilities(logits, sampling)).flatten()
        texts = torch.cat([texts.repeat_interleave(size, 0), torch.arange(size).repeat(len(texts))[:, None]], dim=1)
    return joint.numpy().reshape((size,) * length)


def drawn(target, draft, prompt, length, draws, sampling, gamma, seed=0) -> np.ndarray:
    """How often each text came in so many draws."""
    counts, generator = np.zeros((target.config.vocab_size,) * length), torch.Generator().manual_seed(seed)
    cache = KeyValueCache(target.config, dtype=torch.float64)
    for _ in range(draws):
        cache.truncate(0)
        options = {"new_tokens": length, "sampling": sampling, "cache": cache, "generator": generator}
        counts[tuple(Speculation(target, draft, prompt, gamma=gamma, **options))] += 1
    return counts


def p_value(counts: np.ndarray, expected: np.ndarray) -> float:
    """Pearson's chi-squared test. Texts expected fewer than 5 times are counted as one; impossible ones must not come."""
    expected = expected * counts.sum()
    assert counts[expected == 0].sum() == 0
    rare = expected < 5
    cells = expected > 0
    observed = np.append(counts[cells & ~rare], counts[cells & rare].sum())
    wanted = np.append(expected[cells & ~rare], expected[cells & rare].sum())
    if wanted[-1] == 0:
        observed, wanted = observed[:-1], wanted[:-1]
    return float(chisquare(observed, wanted).pvalue)


DRAWN = {
    "from the model": (Sampling(), lambda: ModelDraft(Chain(OTHER), Sampling()), 2),
    "one at a time": (Sampling(), lambda: ModelDraft(Chain(OTHER), Sampling()), 1),
    "temperature, one draft sharper": (Sampling(1.4), lambda: ModelDraft(Chain(OTHER), Sampling(0.7)), 2),
    "top-k": (Sampling(top_k=4), lambda: ModelDraft(Chain(OTHER), Sampling(top_k=4)), 2),
    "top-p, a draft of all tokens": (Sampling(top_p=0.8), lambda: ModelDraft(Chain(OTHER), Sampling()), 2),
    "min-p": (Sampling(min_p=0.2), lambda: ModelDraft(Chain(OTHER), Sampling(min_p=0.2)), 3),
    "all of them": (Sampling(0.8, 5, 0.9, 0.1), lambda: ModelDraft(Chain(OTHER), Sampling(0.8, 5, 0.9, 0.1)), 3),
    "a greedy draft": (Sampling(), lambda: ModelDraft(Chain(OTHER), GREEDY), 2),
    "prompt lookup": (Sampling(), lambda: PromptLookup(2), 2),
}
PROMPT = [3, 5, 1, 0, 3, 3, 5]  # lookup proposes 1 and 0


@pytest.mark.parametrize("case", DRAWN)
def test_drawn_texts_have_the_target_s_distribution(case):
    """20,000 texts of 3 tokens from the first case, 2,000 from each other, against the probability of all 343."""
    sampling, draft, gamma = DRAWN[case]
    draws = 20_000 if case == "from the model" else 2_000
    counts = drawn(Chain(TARGET), draft(), PROMPT, 3, draws, sampling, gamma)
    assert p_value(counts, exact(Chain(TARGET), PROMPT, 3, sampling)) > P_VALUE


def test_a_decoder_with_its_caches_has_it_too():
    """1,000 texts, whose every token depends on all before it: a cache that keeps a rejected token would show."""
    config = DecoderConfig(7, 8, 8, 1, 2, 1, 4, 32)
    target, other = (llm_networks.draw(Decoder(config), seed).double().eval() for seed in (0, 1))
    counts = drawn(target, ModelDraft(other, Sampling()), [3, 5, 1], 3, 1_000, Sampling(), 2)
    assert p_value(counts, exact(target, [3, 5, 1], 3, Sampling())) > P_VALUE


WRONG = {
    "drawn anew from p instead of what p has over q": lambda p, q: p,
    "drawn from the absolute difference": lambda p, q: (p - q).abs(),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_the_test_sees_a_wrong_way_to_draw_anew(mistake, monkeypatch):
    def wrong(proposed, q, p, chances):
        for place, token in enumerate(proposed):
            if chances[place] * q[place, token] >= p[place, token]:
                return place, WRONG[mistake](p[place], q[place])
        return len(proposed), p[-1]

    monkeypatch.setattr(speculative, "verify", wrong)
    counts = drawn(Chain(TARGET), ModelDraft(Chain(OTHER), Sampling()), PROMPT, 3, 2_000, Sampling(), 2)
    assert p_value(counts, exact(Chain(TARGET), PROMPT, 3, Sampling())) < 1e-6


# Tokens per pass --------------------------------------------------------------------------------------------------------------


def long_run(target: torch.Tensor, draft: torch.Tensor, gamma: int, passes: int) -> Statistics:
    """Statistics of passes that all check γ tokens: runs are left before their last passes, which have fewer to check."""
    total, generator = Statistics(), torch.Generator().manual_seed(1)
    chains = Chain(target, 512), Chain(draft, 512)
    while total.target_passes < passes:
        options = {"gamma": gamma, "new_tokens": 400, "sampling": Sampling(), "generator": generator}
        speculation = Speculation(chains[0], ModelDraft(chains[1], Sampling()), [0], **options)
        for _ in itertools.islice(speculation, 400 - gamma - 1):
            pass
        for name in vars(total):
            setattr(total, name, getattr(total, name) + getattr(speculation.statistics, name))
    assert total.proposed == gamma * total.target_passes
    return total


@pytest.mark.parametrize(("gamma", "scale"), [(1, 1.0), (3, 0.7), (4, 1.0), (7, 0.4)])
def test_tokens_per_pass_follow_the_formula_where_acceptance_is_independent(gamma, scale):
    """All rows of both tables are equal: whatever came before, a token is accepted with the same α = Σ min(p, q) (Corollary 3.6).

    At the measured α, tokens per pass still vary with how the acceptances fall into passes: by less than 0.4 % (one standard
    deviation, simulated) in 2,000 passes, a fifth of the 2 % that are asked for.
    """
    p_logits = table(0)[0].expand(7, 7)
    q_logits = p_logits + table(1, scale)[0]
    found = long_run(p_logits, q_logits, gamma, 2_000)
    alpha = torch.minimum(p_logits[0].softmax(-1), q_logits[0].softmax(-1)).sum().item()
    # A share of `tested` trials: within 4 standard deviations.
    assert abs(found.acceptance - alpha) < 4 * math.sqrt(alpha * (1 - alpha) / found.tested)
    assert found.tokens_per_pass == pytest.approx(expected_tokens_per_pass(found.acceptance, gamma), rel=0.02)


def test_the_formula_errs_where_acceptance_comes_in_stretches():
    """After tokens 0 to 2 comes mostly 0, as the draft says; after 3 to 5 mostly 3, and the draft says 5.

    A stretch lasts some ten passes, and half of them are of each kind. An easy pass has 4 tests, all accepted, and a hard one 1,
    which is not: α = 0.8, for which the formula gives 3.4 tokens, where the mean of 5 and 1 is 3.
    """
    target = torch.full((6, 6), -1.0, dtype=torch.float64)
    target[:3, :3] = target[3:, 3:] = 0
    target[:3, 0], target[3:, :3] = 4, 0.6
    draft = target.clone()
    target[3:, 3] = draft[3:, 5] = 4
    found = long_run(target, draft, 4, 1_000)
    assert found.tokens_per_pass < 0.95 * expected_tokens_per_pass(found.acceptance, 4)


def test_the_formulas_give_the_paper_s_numbers():
    # Leviathan et al. 2023, Table 1: operations and speed for γ and α, at c = 0 where speed is tokens per pass.
    speeds = [(0.6, 2, 1.96), (0.7, 3, 2.53), (0.8, 2, 2.44), (0.8, 5, 3.69), (0.9, 2, 2.71), (0.9, 10, 6.86)]
    for acceptance, gamma, speed in speeds:
        assert expected_tokens_per_pass(acceptance, gamma) == pytest.approx(speed, abs=0.005)
        assert expected_speedup(acceptance, gamma, 0) == expected_tokens_per_pass(acceptance, gamma)
    assert expected_tokens_per_pass(1, 4) == 5
    assert expected_tokens_per_pass(0, 4) == 1
    assert expected_tokens_per_pass(0.5, 3) == (1 - 0.5**4) / 0.5
    assert expected_speedup(0.8, 5, 0.1) == pytest.approx(3.68928 / 1.5)
    assert expected_speedup(0, 4, 0.25) == 0.5  # a useless draft costs


@pytest.mark.parametrize("wrong", [(-0.1, 3), (1.1, 3), (math.nan, 3), (0.5, -1)])
def test_formulas_refuse_what_is_no_probability(wrong):
    with pytest.raises(ValueError, match="acceptance is a probability and gamma 0 or more"):
        expected_tokens_per_pass(*wrong)
    with pytest.raises(ValueError, match="0 or more; got -1"):
        expected_speedup(0.5, 3, -1)


# One round --------------------------------------------------------------------------------------------------------------------


def test_verify_accepts_below_the_ratio_and_leaves_what_p_has_over_q():
    p = torch.tensor([[0.1, 0.6, 0.3], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], dtype=torch.float64)
    q = torch.tensor([[0.5, 0.4, 0.1], [0.1, 0.1, 0.8]], dtype=torch.float64)
    # Token 0 has p/q = 1/5, and then token 2 has 5/8. What p has over q: 0.2 of token 1 and of 2; 0.1 of token 0, 0.2 of 1.
    for chances, accepted, following in (
        ((0.21, 0.0), 0, (0, 1 / 2, 1 / 2)),
        ((0.19, 0.63), 1, (1 / 3, 2 / 3, 0)),
        ((0.19, 0.62), 2, (1, 0, 0)),
    ):
        found = verify([0, 2], q, p, torch.tensor(chances, dtype=torch.float64))
        assert found[0] == accepted
        torch.testing.assert_close(found[1], torch.tensor(following, dtype=torch.float64))


def test_equal_distributions_are_always_accepted():
    p = torch.rand(5, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.01
    p /= p.sum(-1, keepdim=True)
    for chance in (0.0, 0.5, 1 - 2.0**-53):
        accepted, following = verify([1, 2, 3, 4], p[:4], p, torch.full((4,), chance, dtype=torch.float64))
        assert accepted == 4
        assert torch.equal(following, p[4])


def test_where_rounding_alone_rejects_the_target_is_drawn_from():
    p = torch.tensor([[0.0, 1.0 - 2**-53], [0.5, 0.5]], dtype=torch.float64)
    q = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    accepted, following = verify([1], q, p, torch.tensor([1 - 2.0**-53], dtype=torch.float64))
    assert accepted == 0
    assert torch.equal(following, p[0])


@pytest.mark.parametrize(("q", "p"), [((2, 8), (3, 9)), ((2, 9), (2, 9)), ((1, 9), (3, 9))])
def test_distributions_that_do_not_fit_together_are_refused(q, p):
    with pytest.raises(ValueError, match="the same vocabulary is needed"):
        verify([0, 1], torch.ones(q), torch.ones(p), torch.zeros(2))


def test_a_draft_with_another_vocabulary_is_refused():
    draft = ModelDraft(Chain(table(0, size=6)))
    with pytest.raises(ValueError, match=r"distributions \(2, 6\) of the draft, \(3, 7\) of the target"):
        next(Speculation(Chain(TARGET), draft, [0], gamma=2, new_tokens=9))


# The stream, its caches and its statistics ------------------------------------------------------------------------------------


def test_passes_and_tokens_are_counted():
    target = network("llama")
    passes = []
    target.register_forward_hook(lambda *_: passes.append(1))
    speculation = Speculation(target, ModelDraft(copy.deepcopy(network("llama"))), [1, 2, 3], gamma=4, new_tokens=13)
    assert speculation.statistics == Statistics()
    assert speculation.statistics.acceptance == speculation.statistics.tokens_per_pass == 0
    assert len(list(speculation)) == 13
    # The draft is the same model: 5 + 5 + 3 tokens. The prefill of all but the last token is one pass more.
    assert speculation.statistics == Statistics(proposed=10, tested=10, accepted=10, target_passes=3)
    assert speculation.statistics.tokens_per_pass == 13 / 3
    assert len(passes) == 4


def test_tokens_behind_a_rejected_one_are_not_tested():
    class Wrong:
        def propose(self, tokens, count, generator):
            return [(tokens[-1] + 1) % 7] * count, None

    certain = 50 * torch.eye(7, dtype=torch.float64)  # each token repeats itself
    speculation = Speculation(Chain(certain), Wrong(), [2], gamma=3, new_tokens=4)
    assert list(speculation) == [2] * 4
    assert speculation.statistics == Statistics(proposed=3 + 2 + 1, tested=3, accepted=0, target_passes=4)
    assert speculation.statistics.acceptance == 0


@pytest.mark.parametrize("stop_at", [None, 4, 5, 6, 7])
def test_afterwards_the_cache_holds_what_generate_would_leave(stop_at):
    target = network("llama")
    plain = list(generate(target, [1, 2, 3], new_tokens=12))
    stop = () if stop_at is None else {plain[stop_at]}
    caches = [KeyValueCache(target.config, dtype=torch.float64) for _ in range(2)]
    text = list(generate(target, [1, 2, 3], new_tokens=12, stop=stop, cache=caches[0]))
    speculation = Speculation(target, ModelDraft(target), [1, 2, 3], gamma=4, new_tokens=12, stop=stop, cache=caches[1])
    assert list(speculation) == text
    assert caches[1].length == caches[0].length
    again = [1, 2, 3, *text, 50]
    followed = [list(generate(target, again, new_tokens=5, cache=cache)) for cache in caches]
    assert followed[0] == followed[1]


def test_a_prompt_in_the_cache_is_not_computed_again():
    target = network("llama")
    prompt = list(range(10))
    cache = KeyValueCache(target.config, dtype=torch.float64)
    first = list(Speculation(target, ModelDraft(target), prompt, gamma=3, new_tokens=6, cache=cache))
    fed = []
    target.register_forward_pre_hook(lambda _, arguments: fed.append(arguments[0].shape[1]))
    again = [*prompt, *first, 7, 8]
    draft = ModelDraft(network("llama"))
    assert list(Speculation(target, draft, again, gamma=3, new_tokens=4, cache=cache)) == list(
        generate(network("llama"), again, new_tokens=4)
    )
    assert fed == [18 - 15 - 1, 4]  # two tokens that the cache lacks, then the last one with three proposed


def test_a_ring_with_spare_places_is_enough():
    target = network("mistral")
    prompt = llm_networks.tokens(1, 20)[0].tolist()
    cache = RollingCache(target.config, spare=4, dtype=torch.float64)
    speculation = Speculation(target, ModelDraft(network("llama", 7)), prompt, gamma=4, new_tokens=40, cache=cache)
    assert list(speculation) == list(generate(target, prompt, new_tokens=40))


def test_a_draft_with_a_shorter_context_proposes_until_it_ends():
    target = network("llama")
    small = Decoder(replace(target.config, context=16)).double()
    small.load_state_dict(target.state_dict())
    speculation = Speculation(target, ModelDraft(small), [1, 2, 3], gamma=4, new_tokens=40)
    assert list(speculation) == list(generate(target, [1, 2, 3], new_tokens=40))
    # Up to position 17 it guesses 14 tokens of its own or the target's; from there on each pass gives one.
    assert 10 <= speculation.statistics.accepted <= 14
    assert speculation.statistics.target_passes == 40 - speculation.statistics.accepted


def test_one_draft_serves_one_text_after_another():
    target = network("llama")
    draft = ModelDraft(similar(target, 0.02))
    for prompt in ([1, 2, 3, 4, 5], [1, 2, 9], [8], [1, 2, 9, 9]):
        speculation = Speculation(target, draft, prompt, gamma=3, new_tokens=8)
        assert list(speculation) == list(generate(target, prompt, new_tokens=8))


def test_prompt_lookup_proposes_what_followed_the_longest_and_latest_match():
    lookup = PromptLookup(2)
    assert lookup.propose([1, 2, 3, 4, 1, 2], 3, None) == ([3, 4, 1], None)
    assert lookup.propose([1, 2, 3, 1, 2, 4, 1, 2], 1, None) == ([4], None)  # the latest
    assert lookup.propose([1, 2, 3, 9, 2, 5, 1, 2], 1, None) == ([3], None)  # two tokens before one
    assert lookup.propose([9, 2, 5, 1, 2], 9, None) == ([5, 1, 2], None)  # one, where two did not stand
    assert lookup.propose([7, 7, 7], 2, None) == ([7], None)
    assert lookup.propose([1, 2, 3], 2, None) == ([], None)
    assert lookup.propose([1], 2, None) == ([], None)
    with pytest.raises(ValueError, match="1 token or more; got n = 0"):
        PromptLookup(0)


def test_what_cannot_be_begun_is_refused_at_the_call():
    target = network("llama")
    with pytest.raises(ValueError, match="1 token or more for each pass; got gamma = 0"):
        Speculation(target, PromptLookup(), [1], gamma=0, new_tokens=5)
    with pytest.raises(ValueError, match="200 tokens and 5 new ones do not fit"):
        Speculation(target, PromptLookup(), range(200), gamma=2, new_tokens=5)
    cut = Speculation(target, PromptLookup(), [1] * 200, gamma=2, new_tokens=5, too_long="cut")
    assert len(list(cut)) == 5
