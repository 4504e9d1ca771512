"""Exercise 04.5: find the salient channels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pocketlab.course.exercise import EXACT, Case, Exercise
from pocketlab.course.exercises.lab04.salient_mistakes import MISTAKES
from pocketlab.llm.awq import salient_channels


def _activations(rng: np.random.Generator, tokens: int, channels: int) -> Tensor:
    """Return (tokens, channels) whose mean magnitudes are at least 5 % apart: no rounding exchanges two of them.

    Single outliers, and means of x off 0, put the channels in another order by other measures.
    """
    means = rng.permutation(1.05 ** (2 * np.arange(channels) + rng.uniform(0, 1, channels))) * 0.1
    x = np.abs(rng.standard_t(2, (tokens, channels))) + 0.01
    x *= rng.choice([-1, 1], (tokens, channels), p=[0.3, 0.7])
    return torch.tensor(x / np.abs(x).mean(0) * means, dtype=torch.float32)


def _equal_means(rng: np.random.Generator, channels: int) -> Tensor:
    """Return whole numbers, 2 tokens, whose mean magnitudes are 1 or 3, exactly equal in any precision."""
    mean = rng.choice([1, 3], channels)
    first = rng.integers(0, 2 * mean + 1)
    x = np.stack([first, 2 * mean - first]) * rng.choice([-1, 1], (2, channels))
    return torch.tensor(x, dtype=torch.float32)


def _cases(rng: np.random.Generator) -> list[Case]:
    def x(tokens: int, channels: int) -> Tensor:
        return _activations(rng, tokens, channels)

    return [
        Case("some tokens", (torch.tensor([[1.0, -5.0, 2.0, 0.0], [-1.0, 3.0, 2.0, 1.0]]), 0.5)),
        Case("some tokens", (x(6, 8), 0.25)),
        Case("some tokens", (x(8, 20), 0.3)),
        Case("as many tokens as channels", (x(10, 10), 0.4)),
        Case("many tokens", (x(60, 12), 0.5)),
        Case("one token", (x(1, 10), 0.3)),
        Case("all activations below 0", (-x(5, 10).abs(), 0.4)),
        Case("all activations above 0", (x(5, 10).abs(), 0.4)),
        Case("a count that is rounded", (x(7, 9), 0.4)),  # 3.6
        Case("a count that is rounded", (x(4, 23), 0.1)),  # 2.3
        Case("a count that is rounded", (x(3, 100), 0.29)),  # 28.999999999999996
        Case("a share of less than one channel", (x(5, 8), 0.01)),
        Case("a share of less than one channel", (x(4, 12), 0.06)),  # 0.72
        Case("one channel", (x(4, 1), 0.3)),
        Case("all channels", (x(4, 7), 1.0)),
        Case("equal means", (torch.tensor([[1.0, -3.0, 0.0, 3.0, -2.0], [1.0, 1.0, 4.0, -1.0, -2.0]]), 0.6)),
        Case("equal means", (_equal_means(rng, 10), 0.7)),
        Case("equal means", (_equal_means(rng, 40), 0.3)),  # sorting goes other ways from 17 numbers on
        Case("equal means", (torch.tensor([2.0, -2.0])[:, None].expand(2, 30).clone(), 0.2)),
        Case("only zeros", (torch.zeros(3, 8), 0.5)),
        Case("a transposed tensor", (x(6, 9).T.contiguous().T, 0.34)),
        Case("huge activations", (x(5, 9) * 1e30, 0.34)),
        Case("tiny activations", (x(5, 9) * 1e-30, 0.34)),
        Case("share 0", (x(4, 8), 0.0)),
        Case("a negative share", (x(4, 8), -0.3)),
        Case("a share above 1", (x(4, 8), 1.5)),
        Case("a share above 1", (x(4, 8), 25.0)),
    ]


SALIENT = Exercise(
    id="04.5",
    title="find the salient channels",
    reference=salient_channels,
    cases=_cases,
    tolerance=EXACT,
    misconceptions=MISTAKES,
)
