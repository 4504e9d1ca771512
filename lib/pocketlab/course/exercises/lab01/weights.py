"""Exercise 01.4: a scale for each output channel."""

from __future__ import annotations

import numpy as np

from pocketlab.compression.quantization import weight_scales
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance


def _weight_cases(rng: np.random.Generator) -> list[Case]:
    spread = rng.normal(0, 1, (4, 3, 3, 3)) * np.array([0.02, 0.2, 1.0, 5.0]).reshape(4, 1, 1, 1)
    skewed = rng.normal(0, 1, (6, 5))
    skewed[np.arange(6), np.abs(skewed).argmax(1)] = -np.abs(skewed).max(1)  # the largest magnitude is negative
    dead = rng.normal(0, 1, (3, 4))
    dead[1] = 0.0
    return [
        Case("a matrix", (np.array([[0.5, -1.27, 0.1], [2.54, 0.3, -0.2]], np.float32),)),
        Case("a matrix", (rng.normal(0, 1, (5, 8)).astype(np.float32),)),
        Case("a square matrix", (rng.normal(0, 1, (4, 4)).astype(np.float32),)),
        Case("a convolution's weights", (spread.astype(np.float32),)),
        Case("a convolution's weights", (rng.normal(0, 0.1, (3, 2, 3, 3)).astype(np.float32),)),
        Case("the largest magnitude is negative", (skewed.astype(np.float32),)),
        Case("all weights negative", ((-rng.uniform(0.1, 1.0, (3, 6))).astype(np.float32),)),
        Case("a channel of zeros", (dead.astype(np.float32),)),
        Case("a channel of tiny weights", ((rng.normal(0, 1, (3, 5)) * [[1.0], [1e-5], [0.1]]).astype(np.float32),)),
        Case("one output channel", (rng.normal(0, 1, (1, 7)).astype(np.float32),)),
    ]


def _rows(weights: np.ndarray) -> np.ndarray:
    return np.asarray(weights, np.float64).reshape(len(weights), -1)


def _nonzero(scale: np.ndarray) -> np.ndarray:
    return np.where(scale > 0, scale, 1.0)


WEIGHT_SCALES = Exercise(
    id="01.4",
    title="a scale for each output channel",
    reference=weight_scales,
    cases=_weight_cases,
    tolerance=Tolerance(1e-6, 0.0, "One maximum and one quotient: in float32 off by 6e-8 of the value at most."),
    misconceptions=(
        Misconception(
            "one scale for the tensor",
            lambda weights: float(np.abs(weights).max() / 127),
            "You return one scale for the whole tensor. The channel with the largest weights then decides how "
            "coarse all the others "
            "become. Take the maximum within each output channel.",
        ),
        Misconception(
            "one scale, repeated",
            lambda weights: np.full(len(weights), np.abs(weights).max() / 127),
            "Every channel has the same scale, that of the largest weight of all. Take the maximum within each "
            "output channel.",
        ),
        Misconception(
            "the last axis kept",
            lambda weights: _nonzero(np.abs(weights).max(axis=tuple(range(weights.ndim - 1))) / 127),
            "You have a scale for each entry of the last axis. The output channels are the first axis: take the "
            "maximum over all the others.",
        ),
        Misconception(
            "the input channels",
            lambda weights: _nonzero(np.abs(weights).max(axis=(0, *range(2, weights.ndim))) / 127),
            "You have a scale for each input channel (the second axis). An output channel is one filter: keep the "
            "first axis.",
        ),
        Misconception(
            "only one axis reduced",
            lambda weights: _nonzero(np.abs(weights).max(axis=-1) / 127),
            "You take the maximum along one axis only, so a convolution keeps too many. Reduce all axes but the first.",
        ),
        Misconception(
            "dimensions kept",
            lambda weights: _nonzero(np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True) / 127),
            "The values are right, with axes of length 1 left over (`keepdims`). The result has shape (output "
            "channels,).",
        ),
        Misconception(
            "128 in place of 127",
            lambda weights: _nonzero(np.abs(_rows(weights)).max(1) / 128),
            "You divide by 128. The largest weight would land on +128, which int8 does not have: symmetric "
            "weights use −127 to 127.",
        ),
        Misconception(
            "255 steps",
            lambda weights: _nonzero(np.abs(_rows(weights)).max(1) / 255),
            "You divide the largest magnitude by 255, so everything above half of it is cut off. On each side of "
            "0 there are 127 steps.",
        ),
        Misconception(
            "asymmetric range",
            lambda weights: _nonzero((_rows(weights).max(1) - _rows(weights).min(1)) / 255),
            "You use the range from smallest to largest, as for activations. With zero point 0 it is cut off on "
            "one side. "
            "Weights are symmetric: the largest magnitude lands on 127.",
        ),
        Misconception(
            "asymmetric range with zero",
            lambda weights: _nonzero(
                (np.maximum(_rows(weights).max(1), 0) - np.minimum(_rows(weights).min(1), 0)) / 255
            ),
            "You use the affine range of exercise 01.3. Weights are symmetric, with zero point 0: the largest "
            "magnitude lands on 127.",
        ),
        Misconception(
            "magnitude forgotten",
            lambda weights: _nonzero(_rows(weights).max(1) / 127),
            "Wrong where the largest magnitude is negative: take the absolute value before the maximum.",
        ),
        Misconception(
            "magnitude of the maximum",
            lambda weights: _nonzero(np.abs(_rows(weights).max(1)) / 127),
            "You take the absolute value of the maximum. It has to come first: the largest magnitude may be negative.",
        ),
        Misconception(
            "a scale of 0",
            lambda weights: np.abs(_rows(weights)).max(1) / 127,
            "Right except for a channel of zeros, where the scale is 0 and quantizing divides by zero. Use scale "
            "1 there.",
        ),
        Misconception(
            "a tiny scale in place of 1",
            lambda weights: np.maximum(np.abs(_rows(weights)).max(1), 1e-8) / 127,
            "Right except for a channel of zeros, where your scale is tiny. The docstring asks for scale 1 there.",
        ),
        Misconception(
            "small channels taken for zero",
            lambda weights: np.where(np.abs(_rows(weights)).max(1) < 1e-3, 1.0, np.abs(_rows(weights)).max(1) / 127),
            "You treat channels of small weights as zero. Only a channel that is all zero gets scale 1.",
        ),
        Misconception(
            "1 put in before the division",
            lambda weights: _nonzero(np.abs(_rows(weights)).max(1)) / 127,
            "Right except for a channel of zeros, which gets 1/127: you put in the 1 before you divide. Its scale "
            "is 1.",
        ),
        Misconception(
            "channels mixed by reshape",
            lambda weights: _nonzero(np.abs(np.reshape(weights, (-1, len(weights)))).max(0) / 127),
            "Your reshape mixes the channels. `weights.reshape(len(weights), -1)` keeps each output channel in a "
            "row of its own; "
            "take the maximum along axis 1.",
        ),
        Misconception(
            "mean magnitude",
            lambda weights: _nonzero(np.abs(_rows(weights)).mean(1) / 127),
            "You use the mean magnitude, which cuts off all weights above it. The largest one must still fit.",
        ),
        Misconception(
            "standard deviation",
            lambda weights: _nonzero(_rows(weights).std(1) / 127),
            "You use the standard deviation, which cuts off about a third of the weights. The largest one must "
            "still fit.",
        ),
        Misconception(
            "three standard deviations",
            lambda weights: _nonzero(3 * _rows(weights).std(1) / 127),
            "You use a multiple of the standard deviation, which cuts off what lies beyond it. The largest "
            "magnitude lands on 127.",
        ),
        Misconception(
            "four dimensions taken for granted",
            lambda weights: _nonzero(np.abs(weights).max(axis=(1, 2, 3)) / 127),
            "You assume four dimensions. A dense layer's weights have two: `weights.reshape(len(weights), -1)` "
            "fits both.",
        ),
        Misconception(
            "a scale for each filter",
            lambda weights: _nonzero(np.abs(weights.reshape(-1, int(np.prod(weights.shape[2:])))).max(1) / 127),
            "You return a scale for each pair of output and input channel. An output channel has one, for all its "
            "input channels.",
        ),
        Misconception(
            "not divided",
            lambda weights: _nonzero(np.abs(_rows(weights)).max(1)),
            "You return the largest magnitudes. A scale is what one integer step is worth: divide by 127.",
        ),
        Misconception(
            "scale inverted",
            lambda weights: 127 / _nonzero(np.abs(_rows(weights)).max(1)),
            "Your scale is the reciprocal of the right one: it is the real value of one integer step.",
        ),
    ),
)
