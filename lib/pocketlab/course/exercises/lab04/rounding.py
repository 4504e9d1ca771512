"""Exercise 04.4: round to nearest, by groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab04.rounding_mistakes import MISTAKES
from pocketlab.llm.grids import Grid, round_to_nearest


def _group(rng: np.random.Generator, length: int, bits: int, zero: int) -> np.ndarray:
    """Return weights of one group in steps of its grid, whose zero point is `zero`: both ends and others, in any order.

    Neither they nor the lower end are within a tenth of a half, so all ways to round agree, in float32 and in float64.
    """
    top = 2**bits - 1
    signs = rng.choice([-1, 1], length + 1)
    low = -zero - rng.uniform(0.1, 0.35) * signs[0] * (0 < zero < top)
    high = low + top
    steps = rng.integers(0, top + 1, length) - zero + rng.uniform(0.1, 0.35, length) * signs[1:]
    steps = steps.clip(low if zero > 0 else 0.7, high if zero < top else -0.7)  # no 0 at an end: the range is widened
    ends = [end for end in (low, high) if end][:length]
    steps[: len(ends)] = ends
    return rng.permutation(steps)


def _between_halves(
    rng: np.random.Generator, shape: tuple[int, int], bits: int, group_size: int, zero: int | None = None
) -> Tensor:
    """Return float32 weights in groups with steps of different sizes; zero: all zero points, 0 for weights above 0."""
    weight = np.zeros(shape)
    for row in weight:
        for start in range(0, len(row), group_size):
            group = row[start : start + group_size]
            point = int(rng.integers(1, 2**bits - 1)) if zero is None else zero
            group[:] = _group(rng, len(group), bits, point) * np.exp(rng.uniform(np.log(0.002), np.log(0.2)))
    return torch.tensor(weight, dtype=torch.float32)


def _cases(rng: np.random.Generator) -> list[Case]:
    def weights(outputs: int, inputs: int, bits: int, group_size: int, zero: int | None = None) -> Tensor:
        return _between_halves(rng, (outputs, inputs), bits, group_size, zero)

    def with_one(value: float) -> Tensor:
        weight = weights(3, 8, 4, 4)
        weight[1, 5] = value
        return weight

    some_zero, constant = weights(3, 12, 4, 4), weights(2, 12, 4, 4)
    some_zero[0, 4:8] = some_zero[2, 8:] = 0.0
    constant[0, :4], constant[1, 8:] = 0.7, -0.3
    return [
        Case("one group", (torch.tensor([[-0.6, 0.1, 0.3, 0.9]]), 2, 4)),
        Case("one group in each row", (weights(3, 6, 3, 6), 3, 6)),
        Case("several groups", (weights(2, 8, 2, 4), 2, 4)),
        Case("several groups", (weights(4, 16, 4, 8), 4, 8)),
        Case("several groups", (weights(5, 12, 5, 4), 5, 4)),
        Case("as many rows as inputs", (weights(8, 8, 4, 4), 4, 4)),
        Case("8 bits", (weights(3, 32, 8, 16), 8, 16)),
        Case("a shorter last group", (weights(2, 6, 4, 4), 4, 4)),
        Case("a shorter last group", (weights(4, 11, 3, 4), 3, 4)),
        Case("a group longer than the row", (weights(3, 5, 4, 5), 4, 128)),
        Case("weights above 0", (torch.tensor([[0.4, 0.8, 1.2, 0.1]]), 2, 4)),
        Case("weights above 0", (weights(3, 12, 4, 6, 0), 4, 6)),
        Case("weights below 0", (weights(3, 12, 4, 6, 15), 4, 6)),
        # The scale is a power of two and the zero point exactly halfway, so `round` goes to the even one in any
        # precision. Only here does a weight land beyond the last point.
        Case("as far below 0 as above", (torch.tensor([[-1.5, 0.8, 1.5, -0.2]]), 2, 4)),
        Case("as far below 0 as above", (torch.tensor([[0.3, 1.875, -0.55, -1.875], [3.5, 0.8, -3.75, 3.75]]), 4, 4)),
        Case("as far below 0 as above", (torch.tensor([[63.75, -20.2, -63.75, 31.1, 7.4]]), 8, 5)),
        Case("a group of zeros", (some_zero, 4, 4)),
        Case("a group of zeros", (torch.zeros(2, 5), 3, 4)),
        Case("equal weights", (constant, 4, 4)),
        Case("groups of one weight", (weights(2, 5, 4, 1), 4, 1)),
        Case("a transposed matrix", (weights(6, 8, 4, 8).T.contiguous().T, 4, 4)),
        Case("huge weights", (weights(3, 8, 4, 4) * 1e30, 4, 4)),
        Case("tiny weights", (weights(3, 8, 4, 4) * 1e-30, 4, 4)),
        Case("a NaN", (with_one(torch.nan), 4, 4)),
        Case("an infinite weight", (with_one(torch.inf), 4, 4)),
        Case("an infinite weight", (with_one(-torch.inf), 4, 4)),
        Case("fewer than 2 bits", (weights(2, 8, 4, 4), 1, 4)),
        Case("more than 8 bits", (weights(2, 8, 4, 4), 9, 4)),
        Case("more than 8 bits", (weights(2, 8, 4, 4), 16, 4)),
    ]


def _worth(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compare what the weights are worth: the library's function returns the grid that holds them."""

    def weights(weight: Tensor, bits: int, group_size: int) -> Any:
        result = function(weight, bits, group_size)
        return result.weights() if isinstance(result, Grid) else result

    return weights


ROUNDING = Exercise(
    id="04.4",
    title="round to nearest, by groups",
    reference=round_to_nearest,
    cases=_cases,
    tolerance=Tolerance(
        relative=5e-5,
        absolute=0.0,
        why="A float32 answer that computes scale · integer − scale · zero point loses two roundings of up to 255 "
        "2 · 255 · 2⁻²⁴ = 3e-5 of a step, and what is not 0 is a step or more. A scale in float16 is off by up to "
        "5e-4.",
    ),
    probe=_worth,
    misconceptions=MISTAKES,
)
