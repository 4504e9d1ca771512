"""Exercise 13.6: a mask that drops the smallest weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pocketlab.compression.pruning import magnitude_mask
from pocketlab.course.exercise import EXACT, Case, Exercise, Misconception


def _magnitude_cases(rng: np.random.Generator) -> list[Case]:
    def weights(*shape: int) -> torch.Tensor:
        return torch.tensor(rng.normal(0, 1, shape), dtype=torch.float32)

    few_values = torch.tensor(rng.choice([0.1, -0.1, 0.2, -0.2, 0.3], (8, 8)), dtype=torch.float32)
    with_zeros = weights(6, 10)
    with_zeros[::2, 3:] = 0.0
    with_nan = weights(3, 4)
    with_nan[1, 2] = torch.nan
    return [
        Case("a vector", (torch.tensor([0.5, -0.1, 0.3, -0.8]), 0.5)),
        Case("a matrix", (torch.tensor([[0.2, -0.9, 0.1], [-0.4, 0.7, -0.3]]), 0.5)),
        Case("a matrix", (weights(4, 6), 0.25)),
        Case("a matrix", (weights(5, 8), 0.6)),
        Case("a convolution's weights", (weights(4, 3, 3, 3), 0.75)),
        Case("a convolution's weights", (0.05 * weights(6, 1, 3, 3), 0.5)),
        Case("a count that is rounded", (weights(7, 9), 0.4)),  # 25.2
        Case("a count that is rounded", (weights(9, 7), 0.6)),  # 37.8
        Case("a count that is rounded", (weights(8, 9), 0.2)),  # 14.4
        Case("a count that is rounded", (weights(23), 0.9)),  # 20.7
        Case("a count that is rounded", (weights(10, 10), 0.29)),  # 28.999999999999996
        Case("a count that ends in a half", (weights(5), 0.5)),
        Case("all weights negative", (-weights(4, 7).abs() - 0.01, 0.5)),
        Case("sparsity 0", (weights(3, 5), 0.0)),
        Case("equal magnitudes", (torch.tensor([0.5, -0.5, 0.5, 0.5, -0.5, 0.5]), 0.5)),
        Case("equal magnitudes", (few_values, 0.5)),
        Case("equal magnitudes", (few_values.flip(0) * 2, 0.75)),
        Case("all weights equal", (torch.full((3, 4), 0.25), 0.25)),
        Case("weights that are zero already", (with_zeros, 0.2)),
        Case("weights that are zero already", (with_zeros, 0.7)),
        Case("a transposed tensor", (weights(6, 4).T, 0.5)),
        Case("a layer's parameter", (weights(4, 5).requires_grad_(), 0.4)),
        Case("huge weights", (weights(4, 5) * 1e30, 0.5)),
        Case("tiny weights", (weights(4, 5) * 1e-30, 0.5)),
        Case("one weight", (torch.tensor([0.7]), 0.6)),
        Case("one weight", (torch.tensor([0.7]), 0.3)),
        Case("sparsity 1", (weights(2, 3), 1.0)),
        Case("a sparsity above 1", (weights(2, 3), 1.5)),
        Case("a negative sparsity", (weights(2, 10), -0.1)),
        Case("a NaN among the weights", (with_nan, 0.5)),
    ]


def _refuse(weights: torch.Tensor, sparsity: float) -> None:
    if not 0 <= sparsity < 1 or weights.isnan().any():
        raise ValueError("sparsity is a share from 0 to below 1, and weights are numbers")


def _drop(weights: torch.Tensor, gone: torch.Tensor) -> torch.Tensor:
    """The mask that is False at the flat positions `gone`."""
    mask = torch.ones(weights.numel(), dtype=torch.bool)
    mask[gone] = False
    return mask.reshape(weights.shape)


def _lowest(
    weights: torch.Tensor,
    sparsity: float,
    key: Callable[[torch.Tensor], torch.Tensor] = torch.abs,
    count: Callable[[float], int] = round,
) -> torch.Tensor:
    """The right answer, but for what it sorts by and how it rounds the count."""
    _refuse(weights, sparsity)
    order = key(weights.detach().flatten()).argsort(stable=True)
    return _drop(weights, order[: count(sparsity * len(order))])


def _by_threshold(weights: torch.Tensor, sparsity: float, threshold: Callable[[torch.Tensor], Any]) -> torch.Tensor:
    """What is larger than a threshold stays; the threshold is computed from all magnitudes."""
    _refuse(weights, sparsity)
    magnitude = weights.detach().abs()
    return magnitude > threshold(magnitude.flatten())


def _above_kth(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    count = round(sparsity * weights.numel())
    if count == 0:
        return _lowest(weights, sparsity)
    return _by_threshold(weights, sparsity, lambda magnitude: magnitude.sort().values[count - 1])


def _wrapped_around(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    count = round(sparsity * weights.numel())
    return _by_threshold(weights, sparsity, lambda magnitude: magnitude.sort().values[count - 1])


def _kthvalue(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    count = round(sparsity * weights.numel())
    return _by_threshold(weights, sparsity, lambda magnitude: magnitude.kthvalue(count).values)


def _from_kth(weights: torch.Tensor, sparsity: float, shift: int = 0) -> torch.Tensor:
    _refuse(weights, sparsity)
    magnitude = weights.detach().abs()
    ordered = magnitude.flatten().sort().values
    place = max(round(sparsity * weights.numel()) + shift, 0)
    return magnitude >= (ordered[place] if place < len(ordered) else torch.inf)


def _from_quantile(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    magnitude = weights.detach().abs()
    return magnitude >= magnitude.flatten().quantile(sparsity)


def _one_more(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    return _lowest(weights, sparsity, count=lambda exact: round(exact) + 1)


def _equal_last(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    order = weights.detach().abs().flatten().argsort(descending=True, stable=True)
    return _drop(weights, order[len(order) - round(sparsity * len(order)) :])


def _above_the_first_that_stays(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    count = round(sparsity * weights.numel())
    return _by_threshold(weights, sparsity, lambda magnitude: magnitude.sort().values[count])


def _from_the_end(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    order = weights.detach().abs().flatten().argsort(stable=True)
    return _drop(weights, order[-round(sparsity * len(order)) :])


def _order_for_rank(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    order = weights.detach().abs().flatten().argsort(stable=True)
    return (order >= round(sparsity * len(order))).reshape(weights.shape)


def _each_row(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    if weights.ndim == 1:
        return _lowest(weights, sparsity)
    return torch.stack([_lowest(row, sparsity) for row in weights])


def _along_the_last_axis(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    order = weights.detach().abs().argsort(dim=-1, stable=True)
    mask = torch.ones(weights.shape, dtype=torch.bool)
    return mask.scatter(-1, order[..., : round(sparsity * weights.shape[-1])], False)


def _whole_channels(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    norms = weights.detach().reshape(len(weights), -1).norm(dim=1)
    stays = _lowest(norms, sparsity).reshape(-1, *[1] * (weights.ndim - 1))
    return stays.expand(weights.shape)


def _count_of_rows(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    order = weights.detach().abs().flatten().argsort(stable=True)
    return _drop(weights, order[: round(sparsity * len(weights))])


def _zeros_on_top(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    order = weights.detach().abs().flatten().argsort(stable=True)
    zeros = int((weights == 0).sum())
    return _drop(weights, order[: zeros + round(sparsity * (len(order) - zeros))])


def _with_view(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, sparsity)
    magnitude = weights.detach().view(-1).abs()
    return _drop(weights, magnitude.argsort(stable=True)[: round(sparsity * len(magnitude))])


def _with_numpy(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    weights.numpy()
    return _lowest(weights, sparsity)


def _in_place(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    mask = _lowest(weights, sparsity)
    weights.detach()[~mask] = 0.0
    return mask


def _unchecked(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    order = weights.detach().abs().flatten().argsort(stable=True)
    return _drop(weights, order[: round(sparsity * len(order))])


def _unchecked_sparsity(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, 0.0)
    return _unchecked(weights, sparsity)


def _one_accepted(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    if sparsity != 1:
        _refuse(weights, sparsity)
    return _unchecked(weights, sparsity)


def _negative_accepted(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(weights, max(sparsity, 0.0))
    return _unchecked(weights, sparsity)


def _nan_accepted(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    _refuse(torch.zeros(1), sparsity)
    return _unchecked(weights, sparsity)


def _zero_refused(weights: torch.Tensor, sparsity: float) -> torch.Tensor:
    if sparsity == 0:
        raise ValueError("sparsity is above 0")
    return _lowest(weights, sparsity)


MAGNITUDE = Exercise(
    id="13.6",
    title="a mask that drops the smallest weights",
    reference=magnitude_mask,
    cases=_magnitude_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "magnitude forgotten",
            lambda weights, sparsity: _lowest(weights, sparsity, key=lambda w: w),
            "You sort the weights with their sign, so the most negative ones go first, and those matter as much as "
            "large positive ones. Take `abs()` before you sort.",
        ),
        Misconception(
            "the largest go",
            lambda weights, sparsity: _lowest(weights, sparsity, key=lambda w: -w.abs()),
            "You drop the largest magnitudes. The smallest go: they change the layer's output least.",
        ),
        Misconception(
            "the largest go, from the end",
            _from_the_end,
            "You drop the last `count` positions of the sorted order, the largest magnitudes, and at sparsity 0 all "
            "of them, as `order[-0:]` is everything. The smallest go: `order[:count]`.",
        ),
        Misconception(
            "the mask inverted",
            lambda weights, sparsity: ~_lowest(weights, sparsity),
            "Your mask is True for the weights that go. It is multiplied with the weight, so True has to mean that "
            "one stays.",
        ),
        Misconception(
            "the share that stays",
            lambda weights, sparsity: _lowest(
                weights, sparsity, count=lambda exact: weights.numel() - round(sparsity * weights.numel())
            ),
            "You keep the share `sparsity` of the weights. Sparsity is the share that goes: at 0.9 one in ten stays.",
        ),
        Misconception(
            "the count cut off",
            lambda weights, sparsity: _lowest(weights, sparsity, count=int),
            "You cut the count off with `int`. 0.29 * 100 is 28.999999999999996 in floating point, so one weight too "
            "few goes: use `round`.",
        ),
        Misconception(
            "the count rounded up",
            lambda weights, sparsity: _lowest(weights, sparsity, count=math.ceil),
            "You round the count up. Exactly `round(sparsity * count)` weights go.",
        ),
        Misconception(
            "halves rounded up",
            lambda weights, sparsity: _lowest(weights, sparsity, count=lambda exact: int(exact + 0.5)),
            "Wrong only where `sparsity * count` ends in a half, which you round up. Python's `round` goes to the "
            "even number: `round(2.5)` is 2.",
        ),
        Misconception(
            "equal ones all go",
            _above_kth,
            "You compare with a threshold, and all weights as large as it go together, so too many go where some are "
            "equal. Drop by position: the first entries of `argsort(stable=True)`.",
        ),
        Misconception(
            "equal ones all stay",
            _from_kth,
            "You keep all that is as large as a threshold, so too few go where some are equal. Drop by position: the "
            "first entries of `argsort(stable=True)`.",
        ),
        Misconception(
            "index -1 at sparsity 0",
            _wrapped_around,
            "Your threshold is `sorted[count - 1]`. At sparsity 0 that is `sorted[-1]`, the largest weight, and all "
            "go; and of equal weights too many go. Drop the first `count` positions of `argsort(stable=True)`: it "
            "handles both.",
        ),
        Misconception(
            "kthvalue at sparsity 0",
            _kthvalue,
            "There is no 0-th smallest weight, so `kthvalue` fails at sparsity 0; and of equal weights too many go. "
            "Drop the first `count` positions of `argsort(stable=True)`: it handles both.",
        ),
        Misconception(
            "one too many",
            _one_more,
            "You drop one weight too many: sorted from 0, the weights that go are those at 0 to `count - 1`.",
        ),
        Misconception(
            "above the first that stays",
            _above_the_first_that_stays,
            "You drop one weight too many, and all that are equal to it: `sorted[count]` is the first that stays, and "
            "yours is not larger than itself. Drop the first `count` positions of `argsort(stable=True)`.",
        ),
        Misconception(
            "one too few",
            lambda weights, sparsity: _from_kth(weights, sparsity, -1),
            "You drop one weight too few: the one that equals the threshold stays, and it is the last that has to go.",
        ),
        Misconception(
            "a quantile, above",
            lambda weights, sparsity: _by_threshold(weights, sparsity, lambda m: m.quantile(sparsity)),
            "You keep what is above the quantile. It lies between two weights or on one, so the count is off by one "
            "at times, and equal weights go together. Sort, and drop `round(sparsity * count)` positions.",
        ),
        Misconception(
            "a quantile, from",
            _from_quantile,
            "You keep what is at least as large as the quantile. It lies between two weights, so the count is off by "
            "one at times, and equal weights stay together. Sort, and drop `round(sparsity * count)` positions.",
        ),
        Misconception(
            "a share of the largest",
            lambda weights, sparsity: _by_threshold(weights, sparsity, lambda m: sparsity * m.max()),
            "Your threshold is a share of the largest weight. How many are below it depends on the weights: sparsity "
            "is a share of their count.",
        ),
        Misconception(
            "sparsity as the threshold",
            lambda weights, sparsity: _by_threshold(weights, sparsity, lambda m: sparsity),
            "You compare the weights with the sparsity itself. It is a share of their count: sort them, and drop the "
            "first `round(sparsity * count)`.",
        ),
        Misconception(
            "standard deviations",
            lambda weights, sparsity: _by_threshold(weights, sparsity, lambda m: sparsity * weights.detach().std()),
            "Your threshold is `sparsity` standard deviations. How many weights are below it depends on their "
            "distribution: sparsity is a share of their count.",
        ),
        Misconception(
            "the mean as the threshold",
            lambda weights, sparsity: _by_threshold(weights, sparsity, lambda m: m.mean()),
            "You drop what is below the mean magnitude, whatever the sparsity. Sort, and drop the first "
            "`round(sparsity * count)`.",
        ),
        Misconception(
            "the positions in the sorted order",
            lambda weights, sparsity: _lowest(weights, sparsity, key=lambda w: torch.zeros_like(w)),
            "You drop the first entries of the tensor, whatever they are. A mask made for the sorted weights fits "
            "only them: use the positions that `argsort` gives, `mask[order[:count]] = False`.",
        ),
        Misconception(
            "argsort taken for ranks",
            _order_for_rank,
            "You compare the output of `argsort` with the count. `argsort` gives the positions in sorted order, not "
            "the rank of each entry: use it as an index, `mask[order[:count]] = False`.",
        ),
        Misconception(
            "of equal ones the last go",
            _equal_last,
            "Of equal magnitudes the last ones go; the exercise asks for the first. Sort ascending with `stable=True` "
            "and drop from the front.",
        ),
        Misconception(
            "each row on its own",
            _each_row,
            "You drop the same share of every row. Compare all weights of the tensor with each other: `flatten()` "
            "first.",
        ),
        Misconception(
            "along the last axis",
            _along_the_last_axis,
            "You sort along the last axis, so every row of it loses the same share. The smallest of the whole tensor go, "
            "wherever they are: `flatten()` before you sort.",
        ),
        Misconception(
            "whole channels",
            _whole_channels,
            "You drop whole output channels. That is structured pruning, which comes later: here each weight stands "
            "on its own.",
        ),
        Misconception(
            "rows counted",
            _count_of_rows,
            "You take a share of `len(weights)`, which counts the rows. `weights.numel()` counts the entries.",
        ),
        Misconception(
            "zeros do not count",
            _zeros_on_top,
            "You take the share of the weights that are not zero yet, so too many go. Sparsity counts all weights, "
            "and zeros are the first to go.",
        ),
        Misconception(
            "flat",
            lambda weights, sparsity: _lowest(weights, sparsity).flatten(),
            "The values are right, in one row. Give the mask the shape of the weights: `mask.reshape(weights.shape)`.",
        ),
        Misconception(
            "the pruned weights",
            lambda weights, sparsity: weights * _lowest(weights, sparsity),
            "You return the weights with zeros among them. The mask is wanted: True where a weight stays.",
        ),
        Misconception(
            "a percentage",
            lambda weights, sparsity: _lowest(weights, sparsity, count=lambda exact: round(exact / 100)),
            "You divide the sparsity by 100. It is a share: 0.5 means that half of the weights go.",
        ),
        Misconception(
            "squares",
            lambda weights, sparsity: _lowest(weights, sparsity, key=lambda w: w * w),
            "You sort by the squares. They overflow to infinity for huge weights and to 0 for tiny ones, and then all "
            "are equal: use `abs()`.",
        ),
        Misconception(
            "view of a transposed tensor",
            _with_view,
            "`view` fails on a transposed tensor, whose entries do not lie in order in memory. `flatten()` or "
            "`reshape(-1)` copies them where it must.",
        ),
        Misconception(
            "NumPy of a parameter",
            _with_numpy,
            "A layer's parameter is part of the gradient's graph, and NumPy refuses it. Use "
            "`weights.detach().numpy()`, or stay in torch.",
        ),
        Misconception(
            "weights changed",
            _in_place,
            "Your function changes the weights themselves: `detach()` and `.numpy()` share their memory. Return a mask, "
            "and leave them as they are; the lab tries several sparsities on the same ones.",
        ),
        Misconception(
            "nothing refused",
            _unchecked,
            "Right, except that a sparsity outside 0 to below 1 and a NaN among the weights are accepted. Raise a "
            "ValueError for both before you sort.",
        ),
        Misconception(
            "any sparsity accepted",
            _unchecked_sparsity,
            "Right, except that a sparsity outside 0 to below 1 is accepted. Raise a ValueError unless `0 <= sparsity "
            "< 1`.",
        ),
        Misconception(
            "sparsity 1 accepted",
            _one_accepted,
            "Right, except that sparsity 1 is accepted. It would leave no weight: raise a ValueError unless `0 <= "
            "sparsity < 1`.",
        ),
        Misconception(
            "a negative sparsity accepted",
            _negative_accepted,
            "Right, except that a negative sparsity is accepted, and a negative count is a position from the end. "
            "Raise a ValueError unless `0 <= sparsity < 1`.",
        ),
        Misconception(
            "NaN accepted",
            _nan_accepted,
            "Right, except that a NaN among the weights is accepted. It is neither small nor large: raise a "
            "ValueError if `weights.isnan().any()`.",
        ),
        Misconception(
            "sparsity 0 refused",
            _zero_refused,
            "You refuse sparsity 0. It is allowed and drops nothing: every entry of the mask is True.",
        ),
    ),
)
