"""Exercise 04.7: from logits to the probabilities with which the next token is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance
from pocketlab.course.exercises.lab04 import choosing_wrong as wrong
from pocketlab.course.exercises.lab04.choosing_wrong import Choice
from pocketlab.course.outcomes import snapshot
from pocketlab.llm.decoding import Sampling, probabilities


def _choosing_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(label: str, count: int, sampling: Sampling, scale: float = 2.0) -> Case:
        """Logits whose probabilities add up to 1 to the last digit.

        So an answer that treats a top_p of 1 like any other drops the same tokens whichever way it adds.
        """
        while True:
            logits = torch.tensor(rng.normal(0, scale, count), dtype=torch.float32)
            ordered = wrong.steps(reach=wrong.keeps_all, end=wrong.largest_first)(logits, sampling)
            if ordered.cumsum(0)[-1] == np.cumsum(ordered.numpy())[-1] == 1:
                return Case(label, (logits, sampling))

    def given(label: str, logits: list[float], sampling: Sampling) -> Case:
        return Case(label, (torch.tensor(logits), sampling))

    worked = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    half = math.log(0.5)
    forbidden = -math.inf
    return [
        given("nothing dropped", [1.0, 2.0, 0.0], Sampling()),
        drawn("nothing dropped", 8, Sampling()),
        Case("a temperature below 1", (worked, Sampling(0.5))),
        drawn("a temperature below 1", 7, Sampling(0.7)),
        drawn("a temperature above 1", 7, Sampling(1.5)),
        drawn("a temperature above 1", 9, Sampling(3.0), 4.0),
        given("temperature 0", [1.0, 3.0, 2.0], Sampling(0.0)),
        given("temperature 0", [-3.0, -9.0, -5.0, -1.0], Sampling(0.0, top_k=3, top_p=0.9)),
        given("equal ones at temperature 0", [1.0, 4.0, 2.0, 4.0, 0.0], Sampling(0.0)),
        given("equal ones at temperature 0", [0.5] * 6, Sampling(0.0, top_k=1)),
        given("equal ones at temperature 0", [2.0, 2.0, -1.0], Sampling(0.0, top_p=0.9)),
        given("top_k", [1.0, 0.5, 3.0, 2.0], Sampling(top_k=2)),
        drawn("top_k", 8, Sampling(top_k=3)),
        drawn("top_k", 10, Sampling(0.6, top_k=5)),
        drawn("top_k of 1", 6, Sampling(1.3, top_k=1)),
        drawn("top_k of all tokens", 6, Sampling(top_k=6)),
        given("top_k above the number of tokens", [0.5, -1.0, 2.0, 1.0], Sampling(top_k=50)),
        given("equal ones at the k-th place", [2.0, 0.5, -1.0, 0.5, 0.5], Sampling(top_k=2)),
        given("equal ones at the k-th place", [0.5, 2.0, 0.5, 2.0, 3.0, 2.0, 1.0], Sampling(0.5, top_k=3)),
        given("equal ones at the k-th place", [-1.5] * 4, Sampling(top_k=2)),
        Case("top_p", (worked, Sampling(top_p=0.7))),
        Case("top_p", (worked[[3, 1, 0, 2]], Sampling(top_p=0.7))),
        drawn("top_p", 8, Sampling(top_p=0.9)),
        drawn("top_p", 10, Sampling(top_p=0.6), 1.0),
        given("top_p reached by one token", [0.0, 1.0, 3.0, 2.0], Sampling(top_p=0.3)),
        given("top_p just reached", [half, 0.0, half], Sampling(top_p=0.5)),
        drawn("temperature and top_p", 8, Sampling(0.5, top_p=0.8)),
        drawn("temperature and top_p", 12, Sampling(2.0, top_p=0.75)),
        Case("top_k and top_p", (worked[[1, 3, 0, 2]], Sampling(top_k=3, top_p=0.75))),
        drawn("top_k and top_p", 10, Sampling(top_k=4, top_p=0.7), 1.0),
        drawn("top_k and top_p", 12, Sampling(top_k=8, top_p=0.4), 0.5),
        drawn("all three", 20, Sampling(1.6, top_k=8, top_p=0.8)),
        drawn("all three", 200, Sampling(0.7, top_k=40, top_p=0.95)),
        given("huge logits", [998.0, 1000.0, 990.0, 999.0], Sampling(0.5, top_k=3)),
        given("huge logits", [1500.0, 1498.5, 1499.0], Sampling()),
        given("hugely negative logits", [-1000.0, -1002.0, -1001.0, -1001.5], Sampling(top_p=0.8)),
        given("forbidden tokens, of logit −inf", [forbidden, 1.0, 2.5, forbidden, 0.5], Sampling(1.2, top_k=4, top_p=0.9)),
        Case("equal logits in one place of memory", (torch.tensor(0.5).expand(4), Sampling(0.8))),
        Case("every second entry of a tensor", (torch.arange(16.0)[::2] / 4, Sampling(0.9, top_k=5, top_p=0.85))),
        given("one token", [0.3], Sampling(0.9, top_k=1, top_p=0.5)),
    ]


def _single(answer: Choice) -> Choice:
    """The answer with float64 results in float32, so that both count as right: the statement leaves the choice."""

    def run(logits: Tensor, sampling: Sampling) -> Any:
        p = snapshot(answer(logits, sampling))
        return p.astype(np.float32) if isinstance(p, np.ndarray) and p.dtype == np.float64 else p

    return run


CHOOSING = Exercise(
    id="04.7",
    title="from logits to a choice",
    reference=probabilities,
    cases=_choosing_cases,
    probe=_single,
    tolerance=Tolerance(
        1e-4,
        1e-7,
        "A float32 logit, divided by the temperature, is off by half of its last place: for logits up to 1000, divided by "
        "powers of 2 alone, by nothing, and for others, up to 16, by 5e-7. The softmax makes of that a relative error "
        "of the same size, and the sums add a few roundings of 6e-8 for each of 200 tokens, 1.2e-5 at most.",
    ),
    misconceptions=(
        Misconception(
            "multiplied by the temperature",
            wrong.steps(temper=lambda logits, temperature: logits * temperature),
            "You multiply by the temperature. Divide: a low temperature makes the model surer of its first choice.",
        ),
        Misconception(
            "no temperature",
            wrong.steps(temper=wrong.keeps_all),
            "The temperature changes nothing, except at 0. Divide the logits by it before the softmax: divided afterwards it is "
            "lost, since probabilities are scaled to the sum 1.",
        ),
        Misconception(
            "the temperature last",
            wrong.temperature_last,
            "You divide by the temperature at the end, when top_k and top_p have acted. It comes first, so that top_p counts "
            "the probabilities that the temperature gives.",
        ),
        Misconception(
            "divided by 0",
            wrong.not_greedy(0.0),
            "At temperature 0 you divide by 0, and NaN comes out. Return early there: 1 for the most probable token, 0 for the "
            "others.",
        ),
        Misconception(
            "temperature 0 skipped",
            wrong.not_greedy(1.0),
            "At temperature 0 you leave the division out, which is temperature 1. Temperature 0 is greedy: 1 for the most "
            "probable token, 0 for the others.",
        ),
        Misconception(
            "equals share at temperature 0",
            wrong.steps(greedy=lambda logits: wrong.normalized((logits == logits.max()).float())),
            "Right, except that equally probable tokens share the 1 at temperature 0: so do they with a tiny temperature in its "
            "place, and where you compare with the maximum. Only the first of them gets it: `argmax`.",
        ),
        Misconception(
            "1 for each of the equals",
            wrong.steps(greedy=lambda logits: (logits == logits.max()).float()),
            "Right, except that at temperature 0 each of several equally probable tokens gets 1. Only the first of them does: "
            "`argmax`.",
        ),
        Misconception(
            "the last of equals",
            wrong.steps(greedy=wrong.last_of_equals),
            "Right, except that at temperature 0 you take the last of equally probable tokens. The first one counts: `argmax`.",
        ),
        Misconception(
            "the token itself",
            wrong.steps(greedy=lambda logits: int(logits.argmax())),
            "At temperature 0 you return the token. Probabilities are wanted there too: 1 at its place, 0 at the others.",
        ),
        Misconception(
            "whole numbers",
            wrong.in_bounds(wrong.steps(greedy=lambda logits: functional.one_hot(logits.argmax(), len(logits)))),
            "At temperature 0 you return whole numbers, as `one_hot` makes them, and `torch.multinomial` cannot draw from "
            "those. Make them floating point: `.to(logits.dtype)`.",
        ),
        Misconception(
            "exactly k",
            wrong.exactly_k(lambda x, k: x.argsort(descending=True, stable=True)[:k]),
            "Right, except that of tokens as probable as the k-th you keep only as many as make k. All of them stay: compare "
            "with the k-th largest logit, `x < least`.",
        ),
        Misconception(
            "exactly k, by topk",
            wrong.exactly_k(lambda x, k: x.topk(k).indices),
            "Right, except that `topk` gives exactly k places, whichever of equal ones it finds. All that are as probable as "
            "the k-th stay: take `topk(k).values[-1]` and compare with it.",
        ),
        Misconception(
            "exactly k, the last of equals",
            wrong.exactly_k(lambda x, k: x.argsort(stable=True)[-k:]),
            "Right, except that of tokens as probable as the k-th you keep the last ones only. All of them stay: compare with "
            "the k-th largest logit, `x < least`.",
        ),
        Misconception(
            "the k-th dropped",
            wrong.steps(most=lambda x, k: x.masked_fill(x <= x.topk(k).values[-1], -math.inf)),
            "You drop the k-th most probable token too, and with top_k of 1 all of them. Drop what is below it: `<`, not `<=`.",
        ),
        Misconception(
            "k + 1",
            wrong.steps(most=lambda x, k: wrong.from_kth(x, k + 1)),
            "You keep one token too many. Counted from 0, the k-th largest is at `k - 1`.",
        ),
        Misconception(
            "the k-th smallest",
            wrong.steps(most=lambda x, k: x.masked_fill(x < x.sort().values[k - 1], -math.inf)),
            "You compare with the k-th smallest logit, since `sort()` begins with the smallest. Use `topk(k).values[-1]`, or "
            "sort with `descending=True`.",
        ),
        Misconception(
            "the least probable k",
            wrong.steps(most=lambda x, k: x.masked_fill(x > x.sort().values[k - 1], -math.inf)),
            "You keep the k least probable tokens. The most probable ones stay: `topk`, or sort with `descending=True`.",
        ),
        Misconception(
            "top_k ignored",
            wrong.steps(most=lambda x, k: x),
            "top_k changes nothing. Set all logits that are below the k-th largest to −inf, before the softmax.",
        ),
        Misconception(
            "top_k of None",
            wrong.none_compared,
            "With top_k None there is a TypeError, as None is no number. All tokens stay then: `if sampling.top_k is not None`.",
        ),
        Misconception(
            "top_k above the number of tokens",
            wrong.top_k_unbounded,
            "Right, except that `topk` fails if top_k is above the number of tokens. All of them stay then: "
            "`min(sampling.top_k, len(logits))`.",
        ),
        Misconception(
            "top_k above the number of tokens, as an index",
            wrong.top_k_as_index,
            "Right, except that there is no k-th place if top_k is above the number of tokens. All of them stay then: "
            "`min(sampling.top_k, len(logits))`.",
        ),
        Misconception(
            "a logit of 0",
            wrong.steps(most=wrong.dropped_at_zero),
            "You set dropped logits to 0, and the softmax makes exp(0) = 1 of it. A logit of −inf gives the probability 0.",
        ),
        Misconception(
            "top_p ignored",
            wrong.steps(reach=wrong.keeps_all),
            "top_p changes nothing. Sort the probabilities, largest first, and keep those for which the sum of the ones before "
            "is below top_p.",
        ),
        Misconception(
            "top_k or top_p",
            wrong.only_one_of_both,
            "With top_k given, top_p does nothing: is there an `elif`? Both act, top_k first.",
        ),
        Misconception(
            "top_p of all tokens",
            wrong.weight_of_all,
            "top_p counts the probabilities of all tokens: it acts before top_k, or on a softmax from before. Set the logits "
            "that top_k drops to −inf first, and count in the softmax of what is left.",
        ),
        Misconception(
            "the one that reaches it dropped",
            wrong.any_top_p(lambda ordered, top_p: ordered.cumsum(0) <= top_p),
            "You drop the token that reaches top_p, and where the first one alone does, all of them. It stays: compare the "
            "sum of those *before* it, `cumsum - p`.",
        ),
        Misconception(
            "the one that reaches it dropped, but for the first",
            wrong.any_top_p(wrong.at_least_one(lambda ordered, top_p: ordered.cumsum(0) <= top_p)),
            "You drop the token that reaches top_p, except where it is the first. It always stays: compare the sum of those "
            "*before* it, `cumsum - p`.",
        ),
        Misconception(
            "only what is below top_p",
            wrong.steps(reach=wrong.nucleus(wrong.below)),
            "You keep those whose sum is below top_p, so the token that reaches it goes, and where the first one alone does, all "
            "of them. It stays: compare the sum of those *before* it, `cumsum - p`.",
        ),
        Misconception(
            "only what is below top_p, also at 1",
            wrong.in_bounds(wrong.any_top_p(wrong.below)),
            "You keep those whose sum is below top_p, so the token that reaches it goes: even at top_p 1 the last one, and where "
            "the first one alone reaches it, all. Compare the sum of those *before* it, `cumsum - p`.",
        ),
        Misconception(
            "only what is below top_p, also at 1, but for the first",
            wrong.in_bounds(wrong.any_top_p(wrong.at_least_one(wrong.below))),
            "You keep the first, and those whose sum is below top_p, so the token that reaches it goes, even at top_p 1. "
            "It stays: compare the sum of those *before* it, `cumsum - p`.",
        ),
        Misconception(
            "one too many",
            wrong.steps(reach=wrong.nucleus(wrong.one_more)),
            "You keep one token too many for top_p: the one that reaches it is the last.",
        ),
        Misconception(
            "one more where top_p is just reached",
            wrong.in_bounds(wrong.steps(reach=wrong.nucleus(lambda ordered, top_p: wrong.before(ordered) <= top_p))),
            "Right, except where the tokens reach top_p to the last digit: they are enough then. The sum before a token that "
            "stays is below top_p, `<`, not `<=`.",
        ),
        Misconception(
            "sorted probabilities returned",
            wrong.steps(reach=wrong.sorted_out),
            "With top_p you return the probabilities in sorted order, so they belong to other tokens. Bring them back: "
            "`torch.zeros_like(p).scatter(0, order, kept)`.",
        ),
        Misconception(
            "a mask of the sorted order on the logits",
            wrong.mask_of_logits_as_sorted,
            "You made the mask for the sorted probabilities and use it on logits in the order of the tokens. Bring it back "
            "first: `mask[order] = stays`.",
        ),
        Misconception(
            "a mask of the sorted order",
            wrong.steps(reach=wrong.mask_as_sorted),
            "You made the mask for the sorted probabilities and use it on those in the order of the tokens. Bring it back "
            "first: `mask[order] = stays`.",
        ),
        Misconception(
            "a mask gathered",
            wrong.steps(reach=wrong.mask_gathered),
            "`stays[order]` sorts the mask once more. To bring it back into the order of the tokens write to these places: "
            "`mask[order] = stays`.",
        ),
        Misconception(
            "not sorted",
            wrong.steps(reach=wrong.not_sorted),
            "You add up the probabilities in the order of the tokens. The most probable ones come first: sort with "
            "`descending=True`.",
        ),
        Misconception(
            "the least probable first",
            wrong.steps(reach=wrong.least_probable),
            "You add up from the least probable token, because `sort()` begins with the smallest. Sort with `descending=True`.",
        ),
        Misconception(
            "top_p as a threshold",
            wrong.steps(reach=lambda p, top_p: p * (p >= top_p)),
            "You keep each token whose own probability reaches top_p. It is the sum of the most probable ones that has to.",
        ),
        Misconception(
            "1 − top_p as a threshold",
            wrong.steps(reach=lambda p, top_p: p * (p >= 1 - top_p)),
            "You keep each token whose own probability is at least 1 − top_p. The most probable ones stay until their sum "
            "reaches top_p.",
        ),
        Misconception(
            "a share of the highest",
            wrong.steps(reach=lambda p, top_p: p * (p >= top_p * p.max())),
            "You keep tokens that are at least top_p times as probable as the first. That rule exists, as min-p; for top_p the "
            "most probable ones stay until their sum reaches it.",
        ),
        Misconception(
            "the sum is not 1",
            wrong.steps(end=lambda p: p),
            "What top_p leaves does not sum to 1. Divide by the sum at the end.",
        ),
        Misconception(
            "softmax twice",
            wrong.in_bounds(wrong.steps(end=lambda p: wrong.normalized(p).softmax(0))),
            "You take a softmax of probabilities, which makes all tokens nearly alike and brings dropped ones back. Divide by "
            "the sum instead.",
        ),
        Misconception(
            "logarithms",
            lambda logits, sampling: wrong.RIGHT(logits, sampling).log(),
            "You return logarithms of probabilities. Use `softmax`, not `log_softmax`.",
        ),
        Misconception(
            "no maximum taken off",
            wrong.steps(softmax=lambda x: x.exp() / x.exp().sum()),
            "Right, except for huge logits: exp(1000) is infinite, and exp(−1000) is 0, so 0/0 comes out. `softmax` takes the "
            "largest logit off first.",
        ),
        Misconception(
            "divided in place",
            wrong.divided_in_place,
            "Your function divides the caller's logits in place (`/=` or `div_`). Use `logits / sampling.temperature`, which "
            "makes a new tensor.",
        ),
    ),
)
