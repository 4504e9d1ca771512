"""Exercise 04.6: search for AWQ's scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab04.scale_search_mistakes import MISTAKES
from pocketlab.llm.awq import channel_scales, search_scales
from pocketlab.llm.gptq import output_error
from pocketlab.llm.grids import round_to_nearest

CLEARLY = 0.97  # a smallest error below this share of the next one is the smallest in any precision

Layers = tuple[list[Tensor], Tensor, Tensor]  # weights, activations, hessian


def _layers(rng: np.random.Generator, outputs: tuple[int, ...], inputs: int, spread: float) -> Layers:
    """Return layers that read the same tokens. Channels differ in size, by e^spread or so, and in how often."""
    tokens = 48
    x = rng.normal(0, 1, (tokens, inputs)) @ (np.eye(inputs) + 0.15 * rng.normal(0, 1, (inputs, inputs)))
    x *= np.exp(spread * rng.normal(0, 1, inputs))
    often = rng.uniform(0.1, 1, inputs)
    x *= np.where(rng.uniform(0, 1, x.shape) < often, 1.0, 0.1)
    weights = [torch.tensor(rng.normal(0, rng.choice([0.05, 0.1, 0.2]), (n, inputs))).float() for n in outputs]
    return weights, *_statistics(torch.tensor(x).float())


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean |x| and the mean x·xᵀ."""
    return x.abs().mean(0), x.T @ x / len(x)


def _errors(layers: Layers, bits: int, group_size: int) -> np.ndarray:
    """Return each layer's error with each α of 0, 1/20, … 19/20 and, for the sake of some mistakes, 1: (layers, 21)."""
    weights, activations, hessian = layers
    scales = torch.stack([channel_scales(activations, point / 20) for point in range(21)])[:, None]
    errors = []
    for weight in weights:
        scaled = weight * scales  # (21, outputs, inputs)
        rounded = round_to_nearest(scaled.flatten(0, 1), bits, group_size).weights().reshape(scaled.shape)
        errors.append([output_error(change, hessian) for change in rounded / scales - weight])
    return np.array(errors)


def _wins_clearly(errors: np.ndarray) -> bool:
    smallest, next_one = np.sort(errors.sum(0)[:20])[:2]
    return bool(smallest < CLEARLY * next_one)


def _any(_: np.ndarray) -> bool:
    return True


def _zero_is_best(errors: np.ndarray) -> bool:
    return errors.sum(0)[:20].argmin() == 0


def _one_would_be_best(errors: np.ndarray) -> bool:
    return bool(errors.sum(0)[20] < CLEARLY * errors.sum(0)[:20].min())


def _smaller_behind_a_rise(errors: np.ndarray) -> bool:
    total = errors.sum(0)[:20]
    return bool((np.diff(total[: total.argmin() + 1]) > 0).any())


def _only_the_sum(errors: np.ndarray) -> bool:
    """Whether the sum is smallest at another α than each layer, the best, the worst, or the sum if a layer counts less."""
    others = np.stack([*errors, errors.min(0), errors.max(0), errors[0] + 0.4 * errors[1]])
    return errors.sum(0)[:20].argmin() not in others[:, :20].argmin(1)


def _cases(rng: np.random.Generator) -> list[Case]:
    def case(
        label: str,
        outputs: tuple[int, ...],
        inputs: int,
        bits: int,
        group_size: int,
        spread: float = 1.2,
        wanted: Callable[[np.ndarray], bool] = _any,
    ) -> Case:
        """Draw layers until one α wins clearly: rounding in another precision must not choose a neighbor."""
        while True:
            layers = _layers(rng, outputs, inputs, spread)
            errors = _errors(layers, bits, group_size)
            if _wins_clearly(errors) and wanted(errors):
                return Case(label, (*layers, bits, group_size))

    def transposed(drawn: Case) -> Case:
        weights, *others = drawn.args
        return Case(drawn.label, ([weight.T.contiguous().T for weight in weights], *others))

    def with_silent_channel(drawn: Case) -> Case:
        weights, activations, hessian, *others = drawn.args
        activations[2] = hessian[2] = hessian[:, 2] = 0.0
        return Case(drawn.label, (weights, activations, hessian, *others))

    weights, _, hessian = _layers(rng, (3, 2), 6, 1.2)
    return [
        case("one layer", (2,), 4, 3, 4),
        case("one layer", (4,), 8, 4, 4, wanted=_smaller_behind_a_rise),
        case("one layer", (3,), 12, 2, 4, spread=2.0, wanted=_smaller_behind_a_rise),
        case("as many outputs as inputs", (6,), 6, 4, 3),
        case("layers of equal size", (2, 2), 8, 4, 4, wanted=_only_the_sum),
        case("layers of equal size", (2, 2, 2), 8, 3, 4),
        case("layers of different sizes", (2, 5), 8, 3, 8, wanted=_only_the_sum),
        case("the first α is the best", (3,), 6, 3, 3, spread=0.4, wanted=_zero_is_best),
        case("a large α is the best", (4,), 6, 4, 6, spread=3.0, wanted=_one_would_be_best),
        case("2 bits, and activations almost alike", (3,), 6, 2, 6, spread=0.15),
        case("a shorter last group", (4,), 10, 3, 4),
        case("a group longer than the row", (3,), 6, 5, 128),
        case("8 bits", (2,), 6, 8, 3),
        transposed(case("a transposed matrix", (3,), 8, 4, 4)),
        # Rounding makes no error that matters in a channel that is never active, but divides what others share with it.
        with_silent_channel(case("a channel that is never active", (3,), 6, 4, 3, spread=0.6)),
        # A mean of exactly 1 gives scales of exactly 1 with every α, and so the same error.
        Case("all activations equal", (weights, torch.ones(6), hessian, 3, 3)),
        Case("weights of 0", ([torch.zeros(2, 4)], *_statistics(torch.tensor([[1.0, -4.0, 0.5, 2.0]])), 4, 4)),
    ]


SCALE_SEARCH = Exercise(
    id="04.6",
    title="search for AWQ's scales",
    reference=search_scales,
    cases=_cases,
    tolerance=Tolerance(
        relative=2e-5,
        absolute=1e-9,
        why="The scales are powers of float32 means: a logarithm of up to 16, off by 2⁻²³ of itself, gives 2e-6, and "
        "the division as much again. Each best α wins by 3 % or with exactly equal errors: no rounding picks another.",
    ),
    misconceptions=MISTAKES,
)
