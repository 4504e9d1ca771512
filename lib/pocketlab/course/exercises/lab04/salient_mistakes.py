"""The mistakes that exercise 04.5 knows, each with its hint: one right answer of which single steps are replaced."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketlab.course.exercise import Misconception


def _refuse(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError("the share is above 0 and at most 1")


def _means(x: Tensor) -> Tensor:
    return x.abs().mean(0)


def _count(share: float, channels: int) -> int:
    return max(1, round(share * channels))


def _descending(measured: Tensor) -> Tensor:
    return measured.argsort(descending=True, stable=True)


def _unchecked(
    x: Tensor,
    share: float,
    measure: Callable[[Tensor], Tensor] = _means,
    order: Callable[[Tensor], Any] = _descending,
    count: Callable[[float, int], int] = _count,
) -> Any:
    """The right answer, but for what it measures, how it sorts, how many it takes, and that it refuses nothing."""
    measured = measure(x)
    return order(measured)[: count(share, len(measured))]


def _but(**steps: Callable[..., Any]) -> Callable[[Tensor, float], Any]:
    """The right answer, but for these steps of `_unchecked`."""

    def answer(x: Tensor, share: float) -> Any:
        _refuse(share)
        return _unchecked(x, share, **steps)

    return answer


_right = _but()


def _below_but(refused: Callable[[float], bool]) -> Callable[[Tensor, float], Any]:
    """The right answer, but for which shares it refuses; it takes at most all channels."""

    def answer(x: Tensor, share: float) -> Any:
        if refused(share):
            raise ValueError("not this share")
        return _unchecked(x, share)

    return answer


def _from_the_end(x: Tensor, share: float) -> Tensor:
    _refuse(share)
    means = _means(x)
    return means.argsort(stable=True)[-_count(share, len(means)) :]


def _topk(x: Tensor, share: float) -> Tensor:
    _refuse(share)
    means = _means(x)
    return torch.topk(means, _count(share, len(means))).indices


def _sorted_by_index(x: Tensor, share: float) -> Tensor:
    return torch.as_tensor(_right(x, share)).sort().values


def _mask(x: Tensor, share: float) -> Tensor:
    mask = torch.zeros(x.shape[1], dtype=torch.bool)
    mask[_right(x, share)] = True
    return mask


def _as_large_as_the_last(x: Tensor, share: float) -> Tensor:
    means = _means(x)
    order = _descending(means)
    return order[means[order] >= means[_right(x, share)[-1]]]


def _share_of_the_largest(x: Tensor, share: float) -> Tensor:
    _refuse(share)
    means = _means(x)
    order = _descending(means)
    return order[means[order] >= share * means.max()]


def _share_of_the_sum(x: Tensor, share: float) -> Tensor:
    _refuse(share)
    ordered, order = _means(x).sort(descending=True, stable=True)
    before = ordered.cumsum(0) - ordered
    return order[before < share * ordered.sum()]


def _quantile(x: Tensor, share: float) -> Tensor:
    _refuse(share)
    means = _means(x)
    order = _descending(means)
    return order[means[order] >= means.quantile(1 - share)]


def _single_values(x: Tensor, share: float) -> Tensor:
    _refuse(share)
    channels = x.shape[1]
    return _descending(x.abs().flatten())[: _count(share, channels)] % channels


def _share_of_tokens(x: Tensor, share: float) -> Any:
    return _but(count=lambda share, channels: _count(share, len(x)))(x, share)


def _share_of_all_numbers(x: Tensor, share: float) -> Any:
    return _but(count=lambda share, channels: _count(share, x.numel()))(x, share)


def _in_place(x: Tensor, share: float) -> Any:
    x.abs_()
    return _right(x, share)


MISTAKES = (
    Misconception(
        "magnitudes forgotten",
        _but(measure=lambda x: x.mean(0)),
        "You take the mean of x itself, so +5 and −5 cancel. Take the magnitudes first: `x.abs().mean(0)`.",
    ),
    Misconception(
        "the magnitude of the mean",
        _but(measure=lambda x: x.mean(0).abs()),
        "You take the mean first and its magnitude then, so +5 and −5 have cancelled already. The magnitudes come "
        "first: `x.abs().mean(0)`.",
    ),
    Misconception(
        "negative activations cut off",
        _but(measure=lambda x: x.clamp(min=0).mean(0)),
        "You count the positive activations only. A large negative one does as much damage: use `x.abs()`.",
    ),
    Misconception(
        "the mean over channels",
        _but(measure=lambda x: x.abs().mean(1)),
        "You take the mean over the channels of each token, and return tokens. x is (tokens, channels): the mean over "
        "tokens is `.mean(0)`.",
    ),
    Misconception(
        "one mean for all",
        lambda x, share: _but(measure=lambda x: x.abs().mean().expand(x.shape[1]))(x, share),
        "You take one mean of all activations, the same for each channel. The mean over tokens is `.mean(0)`.",
    ),
    Misconception(
        "the largest magnitude",
        _but(measure=lambda x: x.abs().amax(0)),
        "You compare the largest |x| of each channel, so a single outlier decides. The mean over all tokens is wanted: "
        "`.mean(0)` instead of `.amax(0)`.",
    ),
    Misconception(
        "the largest value",
        _but(measure=lambda x: x.amax(0)),
        "You compare the largest x of each channel: negative ones are overlooked, and a single outlier decides. Use "
        "`x.abs().mean(0)`.",
    ),
    Misconception(
        "squares",
        _but(measure=lambda x: x.square().mean(0)),
        "You compare mean squares, or norms, in which outliers weigh more, and which overflow for huge activations. "
        "The mean of |x| is wanted.",
    ),
    Misconception(
        "the spread",
        _but(measure=lambda x: x.std(0, correction=0)),
        "You compare how far the activations of a channel spread. A channel that is always 5 has no spread, and is "
        "salient all the same: take the mean of |x|.",
    ),
    Misconception(
        "the median",
        _but(measure=lambda x: x.abs().median(0).values),
        "You take the median of |x|. The mean is wanted: `x.abs().mean(0)`.",
    ),
    Misconception(
        "from the smallest to the largest value",
        _but(measure=lambda x: x.amax(0) - x.amin(0)),
        "You compare the range of each channel, largest less smallest x. The mean of |x| is wanted.",
    ),
    Misconception(
        "each token divided by its size",
        _but(measure=lambda x: (x.abs() / x.abs().sum(1, keepdim=True)).mean(0)),
        "You divide each token by its own size first, so that all tokens count alike. An error grows with x as it is: "
        "take the mean of |x|.",
    ),
    Misconception(
        "the largest single activations",
        _single_values,
        "You sort the single activations, so a channel can come twice. Sort the channels by their means.",
    ),
    Misconception(
        "the smallest first",
        _but(order=lambda means: means.argsort(stable=True)),
        "You return the channels with the smallest means: `argsort` sorts upwards. Use `argsort(descending=True, "
        "stable=True)`.",
    ),
    Misconception(
        "the largest last",
        _from_the_end,
        "These are the right channels where no means are equal, but the largest comes last. Use "
        "`argsort(descending=True, stable=True)` and take the first ones.",
    ),
    Misconception(
        "sorted by index",
        _sorted_by_index,
        "These are the right channels, sorted by their index. The one with the largest mean comes first.",
    ),
    Misconception(
        "of equal means the last first",
        _but(order=lambda means: means.argsort(stable=True).flip(0)),
        "Right, except that of equal means the last channel comes first, as in a sorted order turned around. Use "
        "`argsort(descending=True, stable=True)`.",
    ),
    Misconception(
        "turned around, and not stable",
        _but(order=lambda means: means.argsort().flip(0)),
        "Right, except for channels with equal means: turning the order around puts the last one first, and without "
        "`stable` they come in any order. Use `argsort(descending=True, stable=True)`.",
    ),
    Misconception(
        "not stable",
        _but(order=lambda means: means.argsort(descending=True)),
        "Right, except that many channels with equal means come in any order. Only a stable sort keeps them in theirs: "
        "`argsort(descending=True, stable=True)`.",
    ),
    Misconception(
        "NumPy's sort, not stable",
        _but(order=lambda means: np.argsort(-means.numpy())),
        "Right, except that many channels with equal means come in any order: NumPy's `argsort` is stable only with "
        "`kind=\"stable\"`.",
    ),
    Misconception(
        "NumPy's sort turned around",
        _but(order=lambda means: np.argsort(means.numpy())[::-1]),
        "Right, except for channels with equal means: `[::-1]` puts the last one first, and without a stable sort they "
        "come in "
        "any order. Use `np.argsort(-means, kind=\"stable\")`, or torch's `argsort(descending=True, stable=True)`.",
    ),
    Misconception(
        "topk",
        _topk,
        "Right, except for channels with equal means, which `topk` gives in any order. Use `argsort(descending=True, "
        "stable=True)` and take the first ones.",
    ),
    Misconception(
        "all that are as large as the last",
        _as_large_as_the_last,
        "You return all channels whose mean is as large as the last salient one's, too many where means are equal. "
        "Take exactly the first ones of the sorted order.",
    ),
    Misconception(
        "argsort taken for ranks",
        _but(order=lambda means: _descending(_descending(means))),
        "You sort twice, which gives the rank of each channel. One `argsort` gives the channels from the first rank "
        "on.",
    ),
    Misconception(
        "all channels",
        _but(count=lambda share, channels: channels),
        "You return all channels, sorted. Take the first `max(1, round(share * channels))` of them.",
    ),
    Misconception(
        "the count cut off",
        _but(count=lambda share, channels: max(1, int(share * channels))),
        "You cut the count off with `int` or `//`. Round it to the nearest number: 0.29 · 100 is 28.999999999999996 in "
        "floating point, and means 29.",
    ),
    Misconception(
        "the count cut off, and none of few",
        _but(count=lambda share, channels: int(share * channels)),
        "You cut the count off with `int` or `//`, and a small share gives no channel at all. Round to the nearest "
        "number, and take at least one: `max(1, round(share * channels))`.",
    ),
    Misconception(
        "the count rounded up",
        _but(count=lambda share, channels: math.ceil(share * channels)),
        "You round the count up. Round it to the nearest number, at least 1: `max(1, round(share * channels))`.",
    ),
    Misconception(
        "none of few",
        _but(count=lambda share, channels: round(share * channels)),
        "Right, except that a share of less than half a channel gives none. At least one is wanted: `max(1, "
        "round(share * channels))`.",
    ),
    Misconception(
        "one too many",
        _but(count=lambda share, channels: round(share * channels) + 1),
        "You return one channel too many. At least one means `max(1, …)`, not one more.",
    ),
    Misconception(
        "the share that is not salient",
        _but(count=lambda share, channels: channels - _count(share, channels)),
        "You return as many channels as should be left out. `share` is how many are salient.",
    ),
    Misconception(
        "a share of the tokens",
        _share_of_tokens,
        "Your count is a share of `len(x)`, which counts tokens. `x.shape[1]` counts channels.",
    ),
    Misconception(
        "a share of all numbers",
        _share_of_all_numbers,
        "Your count is a share of all numbers in x. `x.shape[1]` counts channels.",
    ),
    Misconception(
        "a percentage",
        _but(count=lambda share, channels: _count(share / 100, channels)),
        "You divide the share by 100. It is a share already: 0.5 means half of the channels.",
    ),
    Misconception(
        "a share of the largest mean",
        _share_of_the_largest,
        "You return the channels whose mean is at least `share` times the largest one. `share` says how many channels: "
        "that share of their number.",
    ),
    Misconception(
        "a share of the sum",
        _share_of_the_sum,
        "You return as many channels as hold `share` of all magnitudes together. `share` is that of the number of "
        "channels.",
    ),
    Misconception(
        "a quantile",
        _quantile,
        "You return what is above a quantile. It lies between two channels, so the count is off by one at times, and "
        "equal means come together. Sort, and take the first `max(1, round(share * channels))`.",
    ),
    Misconception(
        "a mask",
        _mask,
        "You return a mask, True for the salient channels. Their indices are wanted, the largest mean first.",
    ),
    Misconception(
        "the means",
        lambda x, share: _means(x)[_right(x, share)],
        "You return the means of the salient channels. Their indices are wanted: `argsort` gives them, `sort` gives "
        "both.",
    ),
    Misconception(
        "means and indices",
        lambda x, share: (_means(x)[_right(x, share)], _right(x, share)),
        "You return two things, the means and the indices. `sort` and `topk` give both: return the indices alone.",
    ),
    Misconception(
        "counted from 1",
        lambda x, share: _right(x, share) + 1,
        "Your indices count from 1. The first channel is 0.",
    ),
    Misconception(
        "x changed",
        _in_place,
        "Your function changes x itself: `abs_()` writes into it. The layer still needs it: use `x.abs()`, which makes "
        "a new tensor.",
    ),
    Misconception(
        "nothing refused",
        _unchecked,
        "Right, except that nothing is refused. Raise a ValueError unless `0 < share <= 1`.",
    ),
    Misconception(
        "a share above 1 accepted",
        _below_but(lambda share: share <= 0),
        "Right, except that a share above 1 is accepted, a percentage by mistake perhaps. Raise a ValueError unless `0 "
        "< share <= 1`.",
    ),
    Misconception(
        "0 and below accepted",
        _below_but(lambda share: share > 1),
        "Right, except that a share of 0 or less is accepted. Raise a ValueError unless `0 < share <= 1`.",
    ),
    Misconception(
        "share 0 accepted",
        _below_but(lambda share: not 0 <= share <= 1),
        "Right, except that share 0 is accepted. Raise a ValueError unless `0 < share <= 1`.",
    ),
    Misconception(
        "share 1 refused",
        _below_but(lambda share: not 0 < share < 1),
        "You refuse share 1. It is allowed, and means all channels.",
    ),
)
