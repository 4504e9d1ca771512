"""The steps from logits to a choice, as they should be and in the ways in which they go wrong (exercise 04.7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.llm.decoding import Sampling

Choice = Callable[[Tensor, Sampling], Any]


def one_hot(logits: Tensor) -> Tensor:
    """Greedy, as it should be: 1 for the first of the most probable tokens."""
    return functional.one_hot(logits.argmax(), len(logits)).to(logits.dtype)


def from_kth(x: Tensor, k: int) -> Tensor:
    """top_k: all from the k-th largest on, −inf for the others. Fails, as `topk` does, if there are fewer than k."""
    return x.masked_fill(x < x.topk(k).values[-1], -math.inf)


def nucleus(stays: Callable[[Tensor, float], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """What top_p leaves of probabilities; `stays` says of them in order, largest first, which stay."""

    def left(p: Tensor, top_p: float) -> Tensor:
        ordered, order = p.sort(descending=True, stable=True)
        mask = torch.zeros_like(p, dtype=torch.bool)
        mask[order] = stays(ordered, top_p)
        return p * mask

    return left


def before(ordered: Tensor) -> Tensor:
    """The sum of the probabilities before each."""
    return ordered.cumsum(0) - ordered


together = nucleus(lambda ordered, top_p: before(ordered) < top_p)


def divided(logits: Tensor, temperature: float) -> Tensor:
    """The temperature, as it should be."""
    return logits / temperature


def normalized(p: Tensor) -> Tensor:
    """Probabilities that sum to 1."""
    return p / p.sum()


def steps(
    greedy: Callable[[Tensor], Any] = one_hot,
    temper: Callable[[Tensor, float], Tensor] = divided,
    most: Callable[[Tensor, int], Tensor] = from_kth,
    softmax: Callable[[Tensor], Tensor] = lambda x: x.softmax(0),
    reach: Callable[[Tensor, float], Tensor] = together,
    end: Callable[[Tensor], Tensor] = normalized,
) -> Choice:
    """The right answer, but for one of its steps, and for the limit of top_k.

    That limit is often forgotten besides. A mistake without it is told by its name in an answer with it as well, as that differs
    in one case only.
    """

    def choice(logits: Tensor, sampling: Sampling) -> Any:
        if sampling.temperature == 0:
            return greedy(logits)
        x = temper(logits, sampling.temperature)
        p = softmax(x if sampling.top_k is None else most(x, sampling.top_k))
        return end(reach(p, sampling.top_p) if sampling.top_p < 1 else p)

    return choice


def in_bounds(answer: Choice) -> Choice:
    """The answer with the limit of top_k."""

    def choice(logits: Tensor, sampling: Sampling) -> Any:
        top_k = None if sampling.top_k is None else min(sampling.top_k, len(logits))
        return answer(logits, Sampling(sampling.temperature, top_k, sampling.top_p))

    return choice


def any_top_p(stays: Callable[[Tensor, float], Tensor]) -> Choice:
    """A top_p that acts also where it is 1; `stays` as in `nucleus`."""
    left = nucleus(stays)

    def choice(logits: Tensor, sampling: Sampling) -> Any:
        p = steps(reach=keeps_all, end=lambda p: p)(logits, sampling)
        return p if sampling.temperature == 0 else normalized(left(p, sampling.top_p))

    return choice


RIGHT = in_bounds(steps())


def not_greedy(temperature: float) -> Choice:
    """Another temperature in place of 0; what follows acts as usual."""

    def choice(logits: Tensor, sampling: Sampling) -> Tensor:
        if sampling.temperature > 0:
            return RIGHT(logits, sampling)
        p = (logits / temperature).softmax(0)
        return normalized(together(p, sampling.top_p)) if sampling.top_p < 1 else p

    return choice


def last_of_equals(logits: Tensor) -> Tensor:
    """Greedy, with the last of equals."""
    return one_hot(logits.flip(0)).flip(0)


def exactly_k(positions: Callable[[Tensor, int], Tensor]) -> Choice:
    """top_k that keeps k tokens where more are equal; `positions` says which."""

    def most(x: Tensor, k: int) -> Tensor:
        kept = torch.full_like(x, -math.inf)
        places = positions(x, k)
        kept[places] = x[places]
        return kept

    return steps(most=most)


def dropped_at_zero(x: Tensor, k: int) -> Tensor:
    """top_k that makes a logit 0 of what it drops."""
    return x.masked_fill(from_kth(x, k) == -math.inf, 0.0)


def sorted_out(p: Tensor, top_p: float) -> Tensor:
    """top_p that leaves the probabilities sorted."""
    ordered = largest_first(p)
    return ordered * (before(ordered) < top_p)


def mask_as_sorted(p: Tensor, top_p: float) -> Tensor:
    """top_p with a mask that is still in sorted order."""
    return p * (before(largest_first(p)) < top_p)


def mask_of_logits_as_sorted(logits: Tensor, sampling: Sampling) -> Tensor:
    """Uses the mask of the sorted order on the logits, where it can meet dropped ones alone."""
    if sampling.temperature == 0:
        return one_hot(logits)
    x = divided(logits, sampling.temperature)
    x = x if sampling.top_k is None else from_kth(x, min(sampling.top_k, len(x)))
    stays = before(x.softmax(0).sort(descending=True).values) < sampling.top_p
    return x.masked_fill(~stays, -math.inf).softmax(0)


def mask_gathered(p: Tensor, top_p: float) -> Tensor:
    """top_p with a mask that is sorted once more."""
    ordered, order = p.sort(descending=True, stable=True)
    return p * (before(ordered) < top_p)[order]


def least_probable(p: Tensor, top_p: float) -> Tensor:
    """top_p from the least probable token on."""
    ordered, order = p.sort(stable=True)
    return p * torch.zeros_like(p).scatter(0, order, (before(ordered) < top_p).to(p.dtype))


def keeps_all(values: Tensor, _: float) -> Tensor:
    """No temperature, or no top_p."""
    return values


def not_sorted(p: Tensor, top_p: float) -> Tensor:
    """top_p in the order of the tokens."""
    return p * (before(p) < top_p)


def at_least_one(stays: Callable[[Tensor, float], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """What stays, and the most probable token in any case."""
    return lambda ordered, top_p: (torch.arange(len(ordered)) == 0) | stays(ordered, top_p)


def below(ordered: Tensor, top_p: float) -> Tensor:
    """Those whose sum, they included, is below top_p."""
    return ordered.cumsum(0) < top_p


def largest_first(p: Tensor) -> Tensor:
    """Probabilities in order."""
    return p.sort(descending=True).values


def one_more(ordered: Tensor, top_p: float) -> Tensor:
    """Those that reach top_p together, and one more."""
    return torch.arange(len(ordered)) <= (before(ordered) < top_p).sum()


def weight_of_all(logits: Tensor, sampling: Sampling) -> Tensor:
    """top_p counts the probabilities from before top_k."""
    if sampling.temperature == 0:
        return one_hot(logits)
    x = logits / sampling.temperature
    p = x.softmax(0)
    if sampling.top_k is not None:
        p = p * (from_kth(x, sampling.top_k) > -math.inf)
    return normalized(together(p, sampling.top_p) if sampling.top_p < 1 else p)


def temperature_last(logits: Tensor, sampling: Sampling) -> Tensor:
    """The temperature acts on what top_k and top_p have left."""
    if sampling.temperature == 0:
        return one_hot(logits)
    kept = RIGHT(logits, Sampling(1.0, sampling.top_k, sampling.top_p)) > 0
    return (logits / sampling.temperature).masked_fill(~kept, -math.inf).softmax(0)


def only_one_of_both(logits: Tensor, sampling: Sampling) -> Tensor:
    """top_p is left out where top_k is given."""
    top_p = 1.0 if sampling.top_k is not None else sampling.top_p
    return RIGHT(logits, Sampling(sampling.temperature, sampling.top_k, top_p))


def none_compared(logits: Tensor, sampling: Sampling) -> Tensor:
    """No thought of a top_k of None."""
    if sampling.temperature > 0 and sampling.top_k is None:
        raise TypeError("None is no number")
    return RIGHT(logits, sampling)


def top_k_unbounded(logits: Tensor, sampling: Sampling) -> Tensor:
    """No thought of a top_k above the number of tokens."""
    if sampling.temperature > 0 and sampling.top_k is not None:
        logits.topk(sampling.top_k)
    return RIGHT(logits, sampling)


def top_k_as_index(logits: Tensor, sampling: Sampling) -> Tensor:
    """No thought of a top_k above the number of tokens, in a sorted list."""
    if sampling.temperature > 0 and sampling.top_k is not None:
        logits.sort().values[sampling.top_k - 1]
    return RIGHT(logits, sampling)


def divided_in_place(logits: Tensor, sampling: Sampling) -> Tensor:
    """The caller's logits are divided."""
    p = RIGHT(logits, sampling)
    if sampling.temperature > 0:
        logits /= sampling.temperature
    return p
