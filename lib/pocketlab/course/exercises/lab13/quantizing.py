"""Exercise 13.1: quantize a tensor to int8, with one scale or one for each channel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pocketlab.compression.quantization import quantize
from pocketlab.course.exercise import EXACT, Case, Exercise, Misconception

Parameter = float | np.ndarray


def _column(parameter: Parameter, x: np.ndarray) -> np.ndarray:
    """Shape an entry per channel so that it runs along the first axis of x."""
    p = np.asarray(parameter)
    return p.reshape(-1, *[1] * (x.ndim - 1)) if p.ndim else p


def _between_halves(rng: np.random.Generator, shape: tuple[int, ...], scale: Parameter, reach: int = 120) -> np.ndarray:
    """Return float32 values up to `reach` steps from 0, none within a tenth of a step of a half.

    There all ways to round agree, in float32 too: x / scale is off by some 1e-5 of a step at most.
    """
    steps = rng.integers(-reach, reach + 1, shape) + rng.uniform(-0.4, 0.4, shape)
    return (steps * _column(scale, steps)).astype(np.float32)


def _cases(rng: np.random.Generator) -> list[Case]:
    def scales(count: int) -> np.ndarray:
        return np.exp(rng.uniform(np.log(0.004), np.log(0.4), count))

    three, four, filters, six, five = scales(3), scales(4), scales(3), scales(6), scales(5)
    sums = rng.integers(-900, 900, (2, 5), np.int32) * 20 + 3  # odd, so that no multiple of 1/64 of them is a half
    one_nan = _between_halves(rng, (3, 4), 0.1)
    one_nan[1, 2] = np.nan
    return [
        Case("the zero point is 0", (np.array([0.31, -0.52, 0.08, 1.02], np.float32), 0.1, 0)),
        Case("a zero point", (np.array([0.31, -0.52, 0.08, 1.02], np.float32), 0.1, -20)),
        Case("a zero point", (_between_halves(rng, (3, 5), 0.02, 90), 0.02, 17)),
        Case("values outside of the range", (np.array([12.62, -12.72, -13.04, 40.0, -40.0], np.float32), 0.1, 0)),
        Case("values outside of the range", (_between_halves(rng, (4, 7), 0.05, 400), 0.05, 0)),
        Case("values outside of the range and a zero point", (_between_halves(rng, (4, 7), 0.05, 400), 0.05, -100)),
        Case("values outside of the range and a zero point", (_between_halves(rng, (2, 6), 0.03, 360), 0.03, 64)),
        Case("a scale for each channel", (_between_halves(rng, (3, 4), three), three, 0)),
        Case("a scale and a zero point for each channel",
             (_between_halves(rng, (4, 4), four), four, np.array([3, -7, 40, -128]))),
        Case("a scale and a zero point for each channel", (_between_halves(rng, (6,), six), six, np.arange(-20, 10, 5))),
        Case("a convolution's weights, a scale for each channel", (_between_halves(rng, (3, 2, 3, 3), filters), filters, 0)),
        Case("a convolution's weights, both for each channel",
             (_between_halves(rng, (5, 1, 3, 5), five, 200), five, np.array([0, 9, -9, 50, -50]))),
        Case("one scale, a zero point for each channel",
             (_between_halves(rng, (5, 3), 0.25), 0.25, np.array([1, -2, 30, -40, 5]))),
        Case("a transposed view", (_between_halves(rng, (5, 3), 0.01).T, 0.01, -3)),
        Case("values far outside of the range", (np.array([3e5, -7e5, 0.26, 1.1e6], np.float32), 0.02, 4)),
        Case("whole numbers, such as a sum of products", (sums, 64.0, -9)),
        Case("no values", (np.zeros((0, 4), np.float32), 0.1, 3)),
        # A single one: the mistakes below let NaN through, and are recognized in an answer that refuses it as well.
        Case("a NaN in x", (one_nan, 0.1, 5)),
    ]  # fmt: skip


def _steps(x: np.ndarray, scale: Parameter) -> np.ndarray:
    return np.asarray(x / _column(scale, x))


def _int8(q: np.ndarray) -> np.ndarray:
    return np.clip(q, -128, 127).astype(np.int8)


def _rounded_by(
    x: np.ndarray, scale: Parameter, zero_point: Parameter, rounding: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    return _int8(rounding(_steps(x, scale)) + _column(zero_point, x))


def _unclipped(x: np.ndarray, scale: Parameter, zero_point: Parameter) -> np.ndarray:
    return np.asarray(np.round(_steps(x, scale)) + _column(zero_point, x))


def _in_place(x: np.ndarray, scale: Parameter, zero_point: Parameter) -> np.ndarray:
    x /= _column(scale, x)
    return _int8(np.round(x) + _column(zero_point, x))


def _two_dimensional(parameter: Parameter) -> np.ndarray:
    p = np.asarray(parameter)
    return p[:, np.newaxis] if p.ndim else p


def _both_or_none(x: np.ndarray, scale: Parameter, zero_point: Parameter) -> np.ndarray:
    if np.ndim(scale):
        shape = (-1,) + (1,) * (x.ndim - 1)
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)  # type: ignore[union-attr]
    return _int8(np.round(x / scale) + zero_point)


def _number_by_number(x: np.ndarray, scale: Parameter, zero_point: Parameter) -> np.ndarray:
    q = [round(float(value) / float(scale)) + int(zero_point) for value in x.ravel()]
    return np.array([min(max(value, -128), 127) for value in q], np.int8).reshape(x.shape)


def _truth_of_an_array(x: np.ndarray, scale: Parameter, zero_point: Parameter) -> np.ndarray:
    if np.isnan(x):
        raise ValueError("x has a NaN in it")
    return _rounded_by(x, scale, zero_point, np.round)


def _nan_becomes(integer: int) -> Callable[[np.ndarray, Parameter, Parameter], np.ndarray]:
    """Return the right function but for NaN; what a conversion makes of it depends on the types on the way."""

    def wrong(x: np.ndarray, scale: Parameter, zero_point: Parameter) -> np.ndarray:
        return np.where(np.isnan(x), integer, _rounded_by(np.nan_to_num(x), scale, zero_point, np.round)).astype(np.int8)

    return wrong


def _along_axis_1(parameter: Parameter, x: np.ndarray) -> np.ndarray:
    p = np.asarray(parameter)
    return p.reshape(1, -1, *[1] * (x.ndim - 2)) if p.ndim and x.ndim > 1 else p


def _four_axes(parameter: Parameter) -> np.ndarray:
    p = np.asarray(parameter)
    return p.reshape(-1, 1, 1, 1) if p.ndim else p


def _zero_points_as_the_scales(x: np.ndarray, scale: Parameter, zero_point: Parameter) -> np.ndarray:
    if np.ndim(scale):
        shape = (-1,) + (1,) * (x.ndim - 1)
        scale, zero_point = np.reshape(scale, shape), np.resize(zero_point, len(x)).reshape(shape)
    return _int8(np.round(x / scale) + zero_point)


QUANTIZE = Exercise(
    id="13.1",
    title="quantize a tensor",
    reference=quantize,
    cases=_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "cut off instead of rounded",
            lambda x, scale, zero_point: _int8(_steps(x, scale).astype(np.int64) + _column(zero_point, x)),
            "You cut the fraction off, as `astype(int)` does, so every value moves towards 0. Round to the nearest integer "
            "first: `np.round(x / scale)`.",
        ),
        Misconception(
            "rounded down",
            lambda x, scale, zero_point: _rounded_by(x, scale, zero_point, np.floor),
            "You round down, as `//` and `np.floor` do. That moves all values by half a step on average. Round to the nearest "
            "integer: `np.round`.",
        ),
        Misconception(
            "rounded up",
            lambda x, scale, zero_point: _rounded_by(x, scale, zero_point, np.ceil),
            "You round up. Round to the nearest integer: `np.round`.",
        ),
        Misconception(
            "one half added, then cut off",
            lambda x, scale, zero_point: _rounded_by(x, scale, zero_point, lambda steps: np.trunc(steps + 0.5)),
            "You add 0.5 and cut the fraction off. That rounds positive values only; for negative ones it is one too high. "
            "Use `np.round`, or `np.floor` after adding 0.5.",
        ),
        Misconception(
            "not rounded",
            lambda x, scale, zero_point: np.clip(_steps(x, scale) + _column(zero_point, x), -128, 127),
            "Your results have fractions. A quantized value is an integer: round, then convert to int8.",
        ),
        Misconception(
            "zero point added, then cut off",
            lambda x, scale, zero_point: _int8(np.trunc(_steps(x, scale) + _column(zero_point, x))),
            "You add the zero point and let the conversion to integers cut the fraction off. Round first: "
            "`np.round(x / scale) + zero_point`.",
        ),
        Misconception(
            "zero point subtracted",
            lambda x, scale, zero_point: _int8(np.round(_steps(x, scale)) - _column(zero_point, x)),
            "You subtract the zero point. That is the way back, from integers to real numbers. On the way there it is added.",
        ),
        Misconception(
            "zero point forgotten",
            lambda x, scale, zero_point: _int8(np.round(_steps(x, scale))),
            "You leave out the zero point. It is the integer that stands for 0.0: add it after rounding.",
        ),
        Misconception(
            "zero point added before the division",
            lambda x, scale, zero_point: _int8(np.round((x + _column(zero_point, x)) / _column(scale, x))),
            "You add the zero point to x, before the division. It is an integer on the quantized side: divide by the scale, "
            "round, then add it.",
        ),
        Misconception(
            "zero point subtracted before the division",
            lambda x, scale, zero_point: _int8(np.round((x - _column(zero_point, x)) / _column(scale, x))),
            "You take the zero point off x, as one normalizes with a mean. It is an integer on the quantized side: divide by "
            "the scale, round, then add it.",
        ),
        Misconception(
            "multiplied by the scale",
            lambda x, scale, zero_point: _int8(np.round(x * _column(scale, x)) + _column(zero_point, x)),
            "You multiply by the scale. The scale is what one integer step is worth, so x / scale counts the steps.",
        ),
        Misconception(
            "dequantized",
            lambda x, scale, zero_point: _int8(np.round(_column(scale, x) * (x - _column(zero_point, x)))),
            "You use the formula of the way back, scale · (q − zero_point). On the way there x is divided by the scale, and the "
            "zero point added.",
        ),
        Misconception(
            "clipped before the zero point",
            lambda x, scale, zero_point: (
                np.clip(np.round(_steps(x, scale)), -128, 127) + _column(zero_point, x)
            ).astype(np.int64).astype(np.int8),
            "You clip first and add the zero point afterwards, which can leave the range again; int8 then wraps around. Clip "
            "last.",
        ),
        Misconception(
            "clipped twice",
            lambda x, scale, zero_point: _int8(np.clip(np.round(_steps(x, scale)), -128, 127) + _column(zero_point, x)),
            "You clip before you add the zero point, and again after it. The first one cuts off values that the zero point "
            "would bring back into the range. Clip once, at the end.",
        ),
        Misconception(
            "not clipped",
            lambda x, scale, zero_point: _unclipped(x, scale, zero_point).astype(np.int8),
            "You convert to int8 without clipping, and values outside of the range wrap around: 130 becomes −126. Clip to −128 "
            "to 127 first.",
        ),
        Misconception(
            "not clipped, a wide type",
            lambda x, scale, zero_point: _unclipped(x, scale, zero_point),
            "Your results go beyond −128 to 127, which int8 cannot hold. Clip, then convert with `.astype(np.int8)`.",
        ),
        Misconception(
            "int8 before clipping",
            lambda x, scale, zero_point: _int8(
                np.round(_steps(x, scale)).astype(np.int8).astype(np.int64) + _column(zero_point, x)
            ),
            "You convert to int8 before you add the zero point and clip: by then the values have wrapped around. Convert last.",
        ),
        Misconception(
            "−127 as the smallest",
            lambda x, scale, zero_point: np.clip(_unclipped(x, scale, zero_point), -127, 127).astype(np.int8),
            "You clip to −127. That is the narrow range, which is meant for symmetric weights; this function uses all of int8, "
            "from −128.",
        ),
        Misconception(
            "128 as the largest",
            lambda x, scale, zero_point: np.clip(_unclipped(x, scale, zero_point), -128, 128).astype(np.int64).astype(np.int8),
            "You clip to 128, which int8 does not have: it wraps around to −128. The largest value is 127.",
        ),
        Misconception(
            "unsigned",
            lambda x, scale, zero_point: np.clip(_unclipped(x, scale, zero_point), 0, 255).astype(np.uint8),
            "You clip to 0 to 255, the range of uint8. This function returns int8: −128 to 127.",
        ),
        Misconception(
            "unsigned and shifted",
            lambda x, scale, zero_point: np.clip(_unclipped(x, scale, zero_point) + 128, 0, 255).astype(np.uint8),
            "Your integers are 128 too high: you move them to the range 0 to 255. The zero point is the only shift; clip to "
            "−128 to 127.",
        ),
        Misconception(
            "x clipped",
            lambda x, scale, zero_point: _unclipped(np.clip(x, -128, 127), scale, zero_point).astype(np.int8),
            "You clip x itself to −128 to 127. These are the ends of the integers: clip after the division, the rounding and "
            "the zero point.",
        ),
        Misconception(
            "back to real numbers",
            lambda x, scale, zero_point: (
                _rounded_by(x, scale, zero_point, np.round).astype(np.float64) - _column(zero_point, x)
            ) * _column(scale, x),
            "You go one step too far and turn the integers back into real numbers. Return the integers.",
        ),
        Misconception(
            "not int8",
            lambda x, scale, zero_point: np.clip(_unclipped(x, scale, zero_point), -128, 127),
            "The values are right, and their type is not int8, so they take up to eight times the memory. End with "
            "`.astype(np.int8)`.",
        ),
        Misconception(
            "the last axis",
            lambda x, scale, zero_point: _int8(np.round(x / scale) + zero_point),
            "You let NumPy line up the scales with the last axis. The channels are the first: give the scales (and the zero "
            "points) an axis of length 1 for each further axis of x.",
        ),
        Misconception(
            "the last axis for the zero points",
            lambda x, scale, zero_point: _int8(np.round(_steps(x, scale)) + zero_point),
            "The scales run along the first axis, and the zero points still along the last. Reshape both.",
        ),
        Misconception(
            "two dimensions taken for granted",
            lambda x, scale, zero_point: _int8(
                np.round(x / _two_dimensional(scale)) + _two_dimensional(zero_point)
            ),
            "You add one axis to the scales, which fits a matrix. A convolution's weights have four axes: use "
            "`scale.reshape(-1, *[1] * (x.ndim - 1))`.",
        ),
        Misconception(
            "four dimensions taken for granted",
            lambda x, scale, zero_point: _int8(
                np.round(x / np.reshape(scale, (-1, 1, 1, 1))) + np.reshape(zero_point, (-1, 1, 1, 1))
            ),
            "You reshape for four axes always, and a matrix comes back with four. Use as many axes as x has: "
            "`scale.reshape(-1, *[1] * (x.ndim - 1))`.",
        ),
        Misconception(
            "one scale for all channels",
            lambda x, scale, zero_point: _rounded_by(x, float(np.max(scale)), zero_point, np.round),
            "You use the largest scale for all channels. Each channel has its own: divide it by that.",
        ),
        Misconception(
            "the first scale for all channels",
            lambda x, scale, zero_point: _rounded_by(x, float(np.ravel(scale)[0]), zero_point, np.round),
            "You use the first channel's scale for all of them. Each channel has its own: divide it by that.",
        ),
        Misconception(
            "numbers taken for granted",
            _number_by_number,
            "You take scale and zero point for single numbers. They may be arrays with an entry for each channel: "
            "`np.asarray(scale)` makes both kinds arrays, and `.ndim` tells them apart.",
        ),
        Misconception(
            "both arrays or none",
            _both_or_none,
            "You look whether the scale is an array, and take the zero point for the same. One can be an array and the other a "
            "number: look at each.",
        ),
        Misconception(
            "arrays taken for granted",
            lambda x, scale, zero_point: _int8(
                np.round(x / scale.reshape(-1, *[1] * (x.ndim - 1)))
                + zero_point.reshape(-1, *[1] * (x.ndim - 1))
            ),
            "You call `.reshape` on a plain number. scale and zero_point may be numbers or arrays: begin with "
            "`np.asarray(scale)`, and reshape only what has an axis.",
        ),
        Misconception(
            "NaN let through",
            _nan_becomes(0),
            "Right except for NaN, which turns into some integer. Raise a ValueError if `np.isnan(x).any()`: `== np.nan` does "
            "not find it, and `.all()` asks whether all are NaN.",
        ),
        Misconception(
            "NaN let through to the end of the range",
            _nan_becomes(-128),
            "Right except for NaN, which turns into the smallest integer. Raise a ValueError if `np.isnan(x).any()`.",
        ),
        Misconception(
            "NaN taken for 0",
            lambda x, scale, zero_point: _rounded_by(np.nan_to_num(x), scale, zero_point, np.round),
            "You put 0 in place of NaN. A NaN comes from an earlier mistake, and a zero would hide it: raise a ValueError.",
        ),
        Misconception(
            "the truth of an array",
            _truth_of_an_array,
            "Your function raises a ValueError where a result is wanted. A likely cause is `if np.isnan(x):`, which asks "
            "whether a whole array is true; NumPy refuses that. Add `.any()`.",
        ),
        Misconception(
            "x changed",
            _in_place,
            "The values are right, but you change x itself (`x /= scale` works in place). The caller still needs it: write "
            "`x / scale`, which makes a new array.",
        ),
        Misconception(
            "along axis 1",
            lambda x, scale, zero_point: _int8(
                np.round(x / _along_axis_1(scale, x)) + _along_axis_1(zero_point, x)
            ),
            "Your arrays run along axis 1, where a batch of activations has its channels. Here they belong to the first axis of "
            "x: shape (channels, 1, 1, 1) for a convolution.",
        ),
        Misconception(
            "four dimensions taken for granted, numbers aside",
            lambda x, scale, zero_point: _int8(np.round(x / _four_axes(scale)) + _four_axes(zero_point)),
            "You give every array the shape (channels, 1, 1, 1), which fits a convolution only. It needs an axis of length 1 for "
            "each further axis of x: `scale.reshape(-1, *[1] * (x.ndim - 1))`.",
        ),
        Misconception(
            "zero points looked at only beside an array of scales",
            _zero_points_as_the_scales,
            "You line up the zero points only where the scale is an array too. Either may be an array beside a plain number: "
            "look at each by itself.",
        ),
    ),
)  # fmt: skip
