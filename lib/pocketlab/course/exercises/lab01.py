"""Lab 01: what its exercises, predictions and questions are. The wrong implementations are mistakes that people make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pocketlab.compression.quantization import affine_params, representative_batch, sqnr_db, weight_scales
from pocketlab.course.exercise import EXACT, Case, Exercise, LabContent, Misconception, Option, Question, Tolerance
from pocketlab.operations.latency import latency_percentiles
from pocketlab.runtimes.coreml import image_scale_bias
from pocketlab.runtimes.delegates import count_partitions
from pocketlab.runtimes.registration import version_ranges

FLOAT64 = Tolerance(1e-9, 1e-12, "A few float64 operations; 1e-9 is far below any mistake and far above their rounding.")
FLOAT32 = Tolerance(1e-5, 1e-6, "The result may be computed in float32, whose steps are 1.2e-7 of a value, in a handful of operations.")


# 01.1 ---------------------------------------------------------------------------------------------------------------


def _image_cases(rng: np.random.Generator) -> list[Case]:
    random = [Case("several channels", (rng.uniform(0.2, 0.7, 3).round(3).tolist(), [s] * 3)) for s in (0.21, 0.5, 0.33)]
    return [
        Case("one channel", ([0.5], [0.5])),
        Case("one channel", ([0.1307], [0.3081])),
        Case("one channel", ([0.25], [0.2])),
        *random,
        Case("mean 0", ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])),
        Case("mean 0", ([0.0], [0.25])),
        Case("a std per channel", ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])),
        Case("a std per channel", ([0.4, 0.5, 0.6], [0.1, 0.2, 0.3])),
    ]


def _lists(function: Any) -> Any:
    """Write a mistake in NumPy: the function gets arrays and gives (scale, bias per channel)."""

    def wrong(mean: Sequence[float], std: Sequence[float]) -> tuple[Any, tuple[float, ...]]:
        scale, bias = function(np.asarray(mean, float), np.asarray(std, float))
        return scale, tuple(bias)

    return wrong


IMAGE_SCALE_BIAS = Exercise(
    id="01.1",
    title="the scale and bias of an image input",
    reference=image_scale_bias,
    cases=_image_cases,
    tolerance=FLOAT64,
    misconceptions=(
        Misconception(
            "bias not divided by std",
            _lists(lambda m, s: (1 / (255 * s.mean()), -m)),
            "Your bias is −mean. Core ML adds the bias after it has multiplied by the scale, so the mean arrives there "
            "already divided: (p/255 − mean)/std = p/(255·std) − mean/std.",
        ),
        Misconception(
            "bias with the wrong sign",
            _lists(lambda m, s: (1 / (255 * s.mean()), m / s)),
            "Your bias has the wrong sign. Core ML adds it, and normalizing takes the mean away.",
        ),
        Misconception(
            "bias in pixels",
            _lists(lambda m, s: (1 / (255 * s.mean()), -255 * m / s)),
            "Your bias is 255 times too large. The mean belongs to pixels that are divided by 255 already.",
        ),
        Misconception(
            "bias divided by 255",
            _lists(lambda m, s: (1 / (255 * s.mean()), -m / (255 * s))),
            "Your bias is 255 times too small. Only the pixel is divided by 255; the mean is that of pixels from 0 to 1.",
        ),
        Misconception(
            "scale without std",
            _lists(lambda m, s: (1 / 255, -m / s)),
            "Your scale brings pixels to 0..1 and stops there. Dividing by std is part of the same factor: 1/(255·std).",
        ),
        Misconception(
            "scale without std, bias without std",
            _lists(lambda m, s: (1 / 255, -m)),
            "Scale 1/255 and bias −mean center the pixels and never divide them by std. Write (p/255 − mean)/std as scale·p + bias.",
        ),
        Misconception(
            "scale without 255",
            _lists(lambda m, s: (1 / s.mean(), -m / s)),
            "Your scale is 255 times too large: Core ML's pixels run from 0 to 255, and the std is that of pixels from 0 to 1.",
        ),
        Misconception(
            "scale multiplied by std",
            _lists(lambda m, s: (s.mean() / 255, -m / s)),
            "You multiply by std; normalizing divides by it.",
        ),
        Misconception(
            "scale inverted",
            _lists(lambda m, s: (255 * s.mean(), -m / s)),
            "Your scale is the reciprocal of the right one. Core ML multiplies the pixel by it.",
        ),
        Misconception(
            "a scale per channel",
            _lists(lambda m, s: (tuple(1 / (255 * s)), -m / s)),
            "You return a scale per channel. Core ML's image input takes one number for all; use the mean of the stds.",
        ),
        Misconception(
            "the first channel's std",
            _lists(lambda m, s: (1 / (255 * s[0]), -m / s)),
            "You take the first channel's std for all channels. With one scale for three stds, the mean of them is the usual choice.",
        ),
        Misconception(
            "the mean of the scales",
            _lists(lambda m, s: ((1 / (255 * s)).mean(), -m / s)),
            "You average 1/(255·std) over the channels. Average the stds first: 1/(255·mean of std).",
        ),
        Misconception(
            "the mean std in the bias",
            _lists(lambda m, s: (1 / (255 * s.mean()), -m / s.mean())),
            "Your bias divides every channel by the mean std. Core ML has a bias per channel, so each can use its own std.",
        ),
        Misconception(
            "one bias",
            _lists(lambda m, s: (1 / (255 * s.mean()), [float(-(m / s).mean())])),
            "You return one bias. Core ML takes a bias for each channel.",
        ),
        Misconception(
            "bias before scale",
            _lists(lambda m, s: (1 / (255 * s.mean()), -255 * m)),
            "Your bias is −255·mean, right if Core ML added it before it multiplies. It multiplies first: scale·p + bias.",
        ),
    ),
)


# 01.2 ---------------------------------------------------------------------------------------------------------------


def _sqnr_cases(rng: np.random.Generator) -> list[Case]:
    def noisy(shape: tuple[int, ...], noise: float, size: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(0, size, shape).astype(np.float32)
        return x, (x + noise * size * rng.normal(0, 1, shape)).astype(np.float32)

    offset, _ = noisy((500,), 0.0)
    small, small_q = noisy((40,), 0.05, 1e-3)
    integers = rng.integers(-100, 100, 64).astype(np.int8)
    return [
        Case("two values", (np.array([3.0, 4.0], np.float32), np.array([3.0, 4.5], np.float32))),
        Case("values around 0", noisy((1000,), 0.1)),
        Case("values around 0", noisy((8, 10), 0.01)),
        Case("values that are not around 0", (offset + 5, offset + 5 + np.float32(0.1))),
        Case("small values", (small, small_q)),
        Case("more noise than signal", noisy((50,), 4.0)),
        Case("whole numbers", (integers, np.clip(integers.astype(int) + rng.integers(-30, 30, 64), -128, 127).astype(np.int8))),
        Case("equal arrays", (np.ones(4, np.float32), np.ones(4, np.float32))),
    ]


def _db(ratio: Any, factor: float = 10.0) -> float:
    return float(factor * np.log10(ratio))


def _power(x: np.ndarray) -> float:
    return float((np.asarray(x, np.float64) ** 2).sum())


def _noise(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a, np.float64) - np.asarray(b, np.float64)


SQNR = Exercise(
    id="01.2",
    title="a parity metric in decibels",
    reference=sqnr_db,
    cases=_sqnr_cases,
    tolerance=Tolerance(0.0, 1e-3, "float32 sums of 1,000 squares are good to 6e-5 of their value, which is 3e-4 dB."),
    misconceptions=(
        Misconception(
            "20 in place of 10",
            lambda reference, approximation: _db(_power(reference) / _power(_noise(reference, approximation)), 20),
            "Your result is twice the right one: 20·log10 is for a ratio of amplitudes. Sums of squares are powers: 10·log10.",
        ),
        Misconception(
            "noise over signal",
            lambda reference, approximation: _db(_power(_noise(reference, approximation)) / _power(reference)),
            "Your result has the wrong sign: you divide the noise by the signal. More decibels should mean a better copy.",
        ),
        Misconception(
            "natural logarithm",
            lambda reference, approximation: float(10 * np.log(_power(reference) / _power(_noise(reference, approximation)))),
            "You use the natural logarithm (np.log). Decibels are defined with np.log10.",
        ),
        Misconception(
            "base 2 logarithm",
            lambda reference, approximation: float(10 * np.log2(_power(reference) / _power(_noise(reference, approximation)))),
            "You use the logarithm to base 2. Decibels are defined with np.log10.",
        ),
        Misconception(
            "no factor",
            lambda reference, approximation: _db(_power(reference) / _power(_noise(reference, approximation)), 1),
            "Your result is in bel. A decibel is a tenth of it: multiply by 10.",
        ),
        Misconception(
            "not in decibels",
            lambda reference, approximation: _power(reference) / _power(_noise(reference, approximation)),
            "Your result is the ratio itself. Decibels are 10·log10 of it.",
        ),
        Misconception(
            "root of the powers",
            lambda reference, approximation: _db(np.sqrt(_power(reference) / _power(_noise(reference, approximation)))),
            "You take 10·log10 of a ratio of amplitudes (root of the powers, or norms), which halves the result. "
            "Use the squares, or 20·log10.",
        ),
        Misconception(
            "magnitudes in place of squares",
            lambda reference, approximation: _db(
                np.abs(reference.astype(float)).sum() / np.abs(_noise(reference, approximation)).sum()
            ),
            "You sum magnitudes. Power is the sum of squares.",
        ),
        Misconception(
            "magnitudes with 20",
            lambda reference, approximation: _db(
                np.abs(reference.astype(float)).sum() / np.abs(_noise(reference, approximation)).sum(), 20
            ),
            "You sum magnitudes. Power is the sum of squares, and its factor is 10.",
        ),
        Misconception(
            "variances",
            lambda reference, approximation: _db(np.var(reference.astype(float)) / np.var(_noise(reference, approximation))),
            "You use variances, which take away the mean: a constant error would count as no error at all. Use the mean of squares.",
        ),
        Misconception(
            "peak in place of power",
            lambda reference, approximation: _db(
                np.abs(reference.astype(float)).max() ** 2 / np.mean(_noise(reference, approximation) ** 2)
            ),
            "You compare with the largest value: that is PSNR, the peak ratio. SQNR compares with the signal's own power.",
        ),
        Misconception(
            "mean against sum",
            lambda reference, approximation: _db(_power(reference) / np.mean(_noise(reference, approximation) ** 2)),
            "You divide a sum by a mean, so the result grows with the number of values. Take the sum of both, or the mean of both.",
        ),
        Misconception(
            "approximation as the signal",
            lambda reference, approximation: _db(_power(approximation) / _power(_noise(reference, approximation))),
            "You take the approximation as the signal. The signal is the reference, free of noise.",
        ),
        Misconception(
            "difference of powers as noise",
            lambda reference, approximation: _db(_power(reference) / abs(_power(reference) - _power(approximation))),
            "Your noise is the difference of two powers. Take the difference of the values first, then square it.",
        ),
        Misconception(
            "ratio with the approximation",
            lambda reference, approximation: _db(_power(reference) / _power(approximation)),
            "You divide by the power of the approximation. The noise is what lies between the two: reference − approximation.",
        ),
        Misconception(
            "mean of ratios",
            lambda reference, approximation: _db(
                np.mean(reference.astype(float) ** 2 / _noise(reference, approximation) ** 2)
            ),
            "You average the ratio over the values. Sum the signal and the noise first, then divide once.",
        ),
        Misconception(
            "mean of decibels",
            lambda reference, approximation: float(
                np.mean(10 * np.log10(reference.astype(float) ** 2 / _noise(reference, approximation) ** 2))
            ),
            "You average decibels over the values. Sum the signal and the noise first, then take one logarithm.",
        ),
        Misconception(
            "integers that wrap around",
            lambda reference, approximation: _db(
                np.sum(reference**2, dtype=np.float64) / np.sum((reference - approximation) ** 2, dtype=np.float64)
            ),
            "Right for floats, wrong for int8: 100·100 does not fit in 8 bits and wraps around. Turn both into float first.",
        ),
        Misconception(
            "an epsilon in the noise",
            lambda reference, approximation: _db(_power(reference) / (_power(_noise(reference, approximation)) + 1e-12)),
            "You add a small number to the noise, so equal arrays give a large finite figure. Equal arrays have no noise: return infinity.",
        ),
        Misconception(
            "equal arrays give 0",
            lambda reference, approximation: 0.0
            if np.array_equal(reference, approximation)
            else sqnr_db(reference, approximation),
            "For equal arrays you return 0 dB, which says that noise and signal are of one size. There is no noise: return infinity.",
        ),
    ),
)


# 01.3 ---------------------------------------------------------------------------------------------------------------


def _affine_cases(rng: np.random.Generator) -> list[Case]:
    random = [Case("a range on both sides of 0", (-a, b)) for a, b in rng.uniform(0.1, 9.0, (4, 2)).round(3).tolist()]
    return [
        Case("a range on both sides of 0", (-1.0, 3.0)),
        *random,
        Case("a range on both sides of 0", (-0.02, 0.07)),
        Case("a range on both sides of 0", (-120.0, 35.0)),
        Case("a symmetric range", (-4.0, 4.0)),
        Case("a range from 0", (0.0, 6.0)),
        Case("a range up to 0", (-5.1, 0.0)),
        Case("a range above 0", (1.0, 6.0)),
        Case("a range above 0", (0.5, 0.75)),
        Case("a range below 0", (-8.0, -2.0)),
        Case("only 0", (0.0, 0.0)),
        Case("lo above hi", (2.0, -1.0)),
    ]


def _affine_variant(
    lo: float,
    hi: float,
    *,
    widen: bool = True,
    levels: int = 255,
    qmin: int = -128,
    clamp: bool = True,
    zero: Any = lambda qmin, lo, scale: qmin - lo / scale,
    rounding: Any = round,
) -> tuple[float, Any]:
    """The right computation with one step of it exchanged."""
    if lo > hi:
        raise ValueError
    if widen:
        lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / levels or 1.0
    zero_point = rounding(zero(qmin, lo, scale))
    if clamp:
        zero_point = max(qmin, min(qmin + 255, zero_point))
    return scale, zero_point


def _symmetric(lo: float, hi: float) -> tuple[float, int]:
    if lo > hi:
        raise ValueError
    return (max(abs(lo), abs(hi)) / 127 or 1.0), 0


def _always(function: Any, **changes: Any) -> Any:
    return lambda lo, hi: function(lo, hi, **changes)


def _without_guard(lo: float, hi: float) -> tuple[float, int]:
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / 255 or 1.0
    return scale, max(-128, min(127, round(-128 - lo / scale)))


def _zero_range_divides(lo: float, hi: float) -> tuple[float, int]:
    if lo > hi:
        raise ValueError
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / 255
    return scale, round(-128 - lo / scale)  # divides by zero where the range is only 0


def _scale_zero(lo: float, hi: float) -> tuple[float, int]:
    scale, zero_point = _affine_variant(lo, hi)
    return (0.0, zero_point) if lo == hi == 0 else (scale, zero_point)


AFFINE = Exercise(
    id="01.3",
    title="scale and zero point from a range",
    reference=affine_params,
    cases=_affine_cases,
    tolerance=FLOAT64,
    misconceptions=(
        Misconception(
            "range not widened to 0, zero point not clamped",
            _always(_affine_variant, widen=False, clamp=False),
            "For a range that does not hold 0 your zero point is not an int8. Widen the range first: lo = min(lo, 0), hi = max(hi, 0).",
        ),
        Misconception(
            "range not widened to 0",
            _always(_affine_variant, widen=False),
            "Your range does not always hold 0. Clamping the zero point then shifts every value: for 1 to 6, the 6 comes back as 5. "
            "Widen the range first: lo = min(lo, 0), hi = max(hi, 0).",
        ),
        Misconception(
            "unsigned zero point",
            _always(_affine_variant, qmin=0),
            "Your zero point is that of unsigned integers, 0 to 255. int8 runs from −128 to 127: lo lands on −128.",
        ),
        Misconception(
            "unsigned zero point, range not widened",
            _always(_affine_variant, qmin=0, widen=False),
            "Your zero point is that of unsigned integers, and the range is not widened to hold 0. int8 runs from −128 to 127.",
        ),
        Misconception(
            "256 steps",
            _always(_affine_variant, levels=256),
            "You divide the range by 256. int8 has 256 values, and there are 255 steps between them.",
        ),
        Misconception(
            "127 steps",
            _always(_affine_variant, levels=127),
            "You divide the whole range by 127, which uses half of int8. From −128 to 127 there are 255 steps.",
        ),
        Misconception(
            "sign of the zero point",
            _always(_affine_variant, zero=lambda qmin, lo, scale: qmin + lo / scale, clamp=False),
            "Your zero point has lo with the wrong sign. lo must land on −128: lo/scale + zero_point = −128.",
        ),
        Misconception(
            "sign of the zero point, clamped",
            _always(_affine_variant, zero=lambda qmin, lo, scale: qmin + lo / scale),
            "Your zero point is almost always −128: lo has the wrong sign in it, and clamping hides that. "
            "lo must land on −128: lo/scale + zero_point = −128.",
        ),
        Misconception(
            "symmetric",
            _symmetric,
            "You made the range symmetric, with zero point 0. That is right for weights; an activation after a ReLU would waste "
            "every negative integer. Here lo lands on −128 and hi on 127.",
        ),
        Misconception(
            "zero point not rounded",
            _always(_affine_variant, rounding=lambda value: value),
            "Your zero point is not a whole number. Then 0 has no integer of its own, and padding gets an error. Round it.",
        ),
        Misconception(
            "zero point cut off",
            _always(_affine_variant, rounding=int),
            "Your zero point is one step off in half of the cases: int() cuts off. Use round().",
        ),
        Misconception(
            "zero point rounded down",
            _always(_affine_variant, rounding=lambda value: int(np.floor(value))),
            "Your zero point is one step off in half of the cases: it is rounded down. Use round().",
        ),
        Misconception(
            "lo as zero point",
            _always(_affine_variant, zero=lambda qmin, lo, scale: lo),
            "Your zero point is lo itself, in real units. It is an integer on the grid: how many steps of `scale` is 0 away from lo?",
        ),
        Misconception(
            "zero point in the middle",
            _always(_affine_variant, zero=lambda qmin, lo, scale: -lo / scale - 127.5),
            "You center the range. lo must land on −128: lo/scale + zero_point = −128.",
        ),
        Misconception(
            "scale inverted",
            lambda lo, hi: (lambda s, z: (1 / s, z))(*_affine_variant(lo, hi)),
            "Your scale is the reciprocal of the right one. `scale` is how much of the real range one integer step covers.",
        ),
        Misconception(
            "order swapped",
            lambda lo, hi: _affine_variant(lo, hi)[::-1],
            "You return the zero point first. The order is (scale, zero_point).",
        ),
        Misconception(
            "division by zero for an empty range",
            _zero_range_divides,
            "Right except where the range is only 0: there you divide by a scale of 0. Use scale 1 for it.",
        ),
        Misconception(
            "a scale of 0",
            _scale_zero,
            "Right except where the range is only 0: a scale of 0 makes quantizing divide by zero. Use scale 1 for it.",
        ),
        Misconception(
            "lo above hi accepted",
            _without_guard,
            "Right except where lo is above hi: that is a caller's mistake, and the docstring asks for a ValueError.",
        ),
    ),
)


# 01.4 ---------------------------------------------------------------------------------------------------------------


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
            "You return one scale for the whole tensor. The channel with the largest weights then decides how coarse all the others "
            "become. Take the maximum within each output channel.",
        ),
        Misconception(
            "one scale, repeated",
            lambda weights: np.full(len(weights), np.abs(weights).max() / 127),
            "Every channel has the same scale, that of the largest weight of all. Take the maximum within each output channel.",
        ),
        Misconception(
            "the last axis kept",
            lambda weights: _nonzero(np.abs(weights).max(axis=tuple(range(weights.ndim - 1))) / 127),
            "You have a scale for each entry of the last axis. The output channels are the first axis: take the maximum over all the others.",
        ),
        Misconception(
            "the input channels",
            lambda weights: _nonzero(np.abs(weights).max(axis=(0, *range(2, weights.ndim))) / 127),
            "You have a scale for each input channel (the second axis). An output channel is one filter: keep the first axis.",
        ),
        Misconception(
            "only one axis reduced",
            lambda weights: _nonzero(np.abs(weights).max(axis=-1) / 127),
            "You take the maximum along one axis only, so a convolution keeps too many. Reduce all axes but the first.",
        ),
        Misconception(
            "dimensions kept",
            lambda weights: _nonzero(np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True) / 127),
            "The values are right, with axes of length 1 left over (`keepdims`). The result has shape (output channels,).",
        ),
        Misconception(
            "128 in place of 127",
            lambda weights: _nonzero(np.abs(_rows(weights)).max(1) / 128),
            "You divide by 128. The largest weight would land on +128, which int8 does not have: symmetric weights use −127 to 127.",
        ),
        Misconception(
            "255 steps",
            lambda weights: _nonzero(np.abs(_rows(weights)).max(1) / 255),
            "You divide the largest magnitude by 255, so everything above half of it is cut off. On each side of 0 there are 127 steps.",
        ),
        Misconception(
            "asymmetric range",
            lambda weights: _nonzero((_rows(weights).max(1) - _rows(weights).min(1)) / 255),
            "You use the range from smallest to largest, as for activations. With zero point 0 it is cut off on one side. "
            "Weights are symmetric: the largest magnitude lands on 127.",
        ),
        Misconception(
            "asymmetric range with zero",
            lambda weights: _nonzero(
                (np.maximum(_rows(weights).max(1), 0) - np.minimum(_rows(weights).min(1), 0)) / 255
            ),
            "You use the affine range of exercise 01.3. Weights are symmetric, with zero point 0: the largest magnitude lands on 127.",
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
            "Right except for a channel of zeros, where the scale is 0 and quantizing divides by zero. Use scale 1 there.",
        ),
        Misconception(
            "a tiny scale in place of 1",
            lambda weights: np.maximum(np.abs(_rows(weights)).max(1), 1e-8) / 127,
            "Right except for a channel of zeros, where your scale is tiny. The docstring asks for scale 1 there.",
        ),
        Misconception(
            "mean magnitude",
            lambda weights: _nonzero(np.abs(_rows(weights)).mean(1) / 127),
            "You use the mean magnitude, which cuts off all weights above it. The largest one must still fit.",
        ),
        Misconception(
            "standard deviation",
            lambda weights: _nonzero(_rows(weights).std(1) / 127),
            "You use the standard deviation, which cuts off about a third of the weights. The largest one must still fit.",
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


# 01.5 ---------------------------------------------------------------------------------------------------------------


def _representative_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, count: int, classes: int, per_class: int, mean: float, std: float, ordered: bool = False) -> Case:
        labels = np.concatenate([np.arange(classes).repeat(per_class), rng.integers(0, classes, count)])
        labels = np.sort(labels) if ordered else rng.permutation(labels)
        images = rng.integers(0, 256, (len(labels), 1, 4, 4)).astype(np.uint8)
        return Case(label, (images, labels, per_class, mean, std))

    return [
        case("labels in any order", 30, 3, 2, 0.5, 0.25),
        case("labels in any order", 60, 10, 3, 0.305, 0.376),
        case("labels in any order", 25, 4, 1, 0.13, 0.31),
        case("labels sorted", 40, 5, 2, 0.4, 0.2, ordered=True),
        case("one class", 8, 1, 4, 0.3, 0.4),
        Case("too few of a class", (np.zeros((5, 1, 4, 4), np.uint8), np.array([0, 0, 0, 1, 0]), 2, 0.3, 0.4)),
    ]


def _rows_of(labels: np.ndarray, per_class: int) -> np.ndarray:
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]
    if min(map(len, chosen)) < per_class:
        raise ValueError
    return np.concatenate(chosen)


def _normalized(images: np.ndarray, mean: float, std: float) -> np.ndarray:
    return ((images.astype(np.float32) / 255.0 - mean) / std).astype(np.float32)


def _per_class_then(function: Any) -> Any:
    """The right images, prepared in a wrong way: function(pixels as float32, mean, std)."""

    def wrong(images: np.ndarray, labels: np.ndarray, per_class: int, mean: float, std: float) -> np.ndarray:
        return np.asarray(function(images[_rows_of(labels, per_class)].astype(np.float32), mean, std), np.float32)

    return wrong


def _rows_by(function: Any) -> Any:
    """Wrong images, prepared in the right way: function(labels, per_class) gives their rows."""

    def wrong(images: np.ndarray, labels: np.ndarray, per_class: int, mean: float, std: float) -> np.ndarray:
        return _normalized(images[function(labels, per_class)], mean, std)

    return wrong


def _in_order(labels: np.ndarray, per_class: int) -> np.ndarray:
    return np.sort(_rows_of(labels, per_class))


def _round_robin(labels: np.ndarray, per_class: int) -> np.ndarray:
    return _rows_of(labels, per_class).reshape(-1, per_class).T.ravel()


REPRESENTATIVE = Exercise(
    id="01.5",
    title="a representative set",
    reference=representative_batch,
    cases=_representative_cases,
    tolerance=FLOAT32,
    misconceptions=(
        Misconception(
            "raw pixels",
            _per_class_then(lambda p, m, s: p),
            "You hand over raw pixels, 0 to 255. The model is fed normalized values, so the converter would learn ranges "
            "a hundred times too wide, and all real inputs would fall on a few integers.",
        ),
        Misconception(
            "pixels from 0 to 1",
            _per_class_then(lambda p, m, s: p / 255),
            "You divide by 255 and stop. The model is fed (p/255 − mean)/std; calibrate with exactly that.",
        ),
        Misconception(
            "not divided by 255",
            _per_class_then(lambda p, m, s: (p - m) / s),
            "You take the mean off pixels from 0 to 255. The mean is that of pixels from 0 to 1: divide by 255 first.",
        ),
        Misconception(
            "std forgotten",
            _per_class_then(lambda p, m, s: p / 255 - m),
            "You take off the mean and do not divide by std. Calibrate with exactly what the app feeds.",
        ),
        Misconception(
            "multiplied by std",
            _per_class_then(lambda p, m, s: (p / 255 - m) * s),
            "You multiply by std; normalizing divides by it.",
        ),
        Misconception(
            "mean added",
            _per_class_then(lambda p, m, s: (p / 255 + m) / s),
            "You add the mean; normalizing takes it off.",
        ),
        Misconception(
            "order of operations",
            _per_class_then(lambda p, m, s: p / 255 - m / s),
            "A bracket is missing: you divide only the mean by std. It is (p/255 − mean)/std.",
        ),
        Misconception(
            "the batch's own statistics",
            _per_class_then(lambda p, m, s: (p - p.mean()) / p.std()),
            "You normalize with the mean and std of the chosen images. The app uses the training set's, which you were given.",
        ),
        Misconception(
            "each image's own statistics",
            _per_class_then(lambda p, m, s: (p - p.mean((1, 2, 3), keepdims=True)) / p.std((1, 2, 3), keepdims=True)),
            "You normalize each image by itself. The app uses the training set's mean and std, which you were given.",
        ),
        Misconception(
            "divided by the largest pixel",
            _per_class_then(lambda p, m, s: (p / p.max() - m) / s),
            "You divide by the largest pixel of the batch. It is 255 for a byte, whatever this batch holds.",
        ),
        Misconception(
            "divided by 256",
            _per_class_then(lambda p, m, s: (p / 256 - m) / s),
            "You divide by 256. The largest byte is 255, and training divided by that.",
        ),
        Misconception(
            "the first images",
            _rows_by(lambda labels, per_class: np.arange(per_class * len(np.unique(labels)))),
            "You take the first images of the set, whatever they show. Where the set is sorted these are all of one class. "
            "Take some of every class.",
        ),
        Misconception(
            "the first images, per_class in all",
            _rows_by(lambda labels, per_class: np.arange(per_class)),
            "You take `per_class` images in all. It is that many of each class.",
        ),
        Misconception(
            "one of each class",
            _rows_by(lambda labels, per_class: _rows_of(labels, 1)),
            "You take one image of each class. It is `per_class` of each.",
        ),
        Misconception(
            "sorted by position",
            _rows_by(_in_order),
            "These are the right images in the order of the set. The docstring asks for class after class.",
        ),
        Misconception(
            "one class after the other in turn",
            _rows_by(_round_robin),
            "These are the right images, with the classes taking turns. The docstring asks for class after class.",
        ),
        Misconception(
            "the last images",
            _rows_by(lambda labels, per_class: np.concatenate([np.flatnonzero(labels == c)[-per_class:] for c in np.unique(labels)])),
            "You take the last images of each class. The docstring asks for the first ones.",
        ),
        Misconception(
            "too few images accepted",
            _rows_by(lambda labels, per_class: np.concatenate([np.flatnonzero(labels == c)[:per_class] for c in np.unique(labels)])),
            "Right, except that a class with too few images goes unnoticed. The docstring asks for a ValueError.",
        ),
    ),
)


# 01.6 ---------------------------------------------------------------------------------------------------------------


def _latency_cases(rng: np.random.Generator) -> list[Case]:
    def times(count: int, warmup: int) -> tuple[np.ndarray, int]:
        seconds = rng.gamma(4.0, 0.001, count).round(6)
        seconds[:warmup] += 0.05  # first calls pay for caches and allocations
        return seconds, warmup

    return [
        Case("no warm-up", (np.array([0.001, 0.002, 0.003, 0.004, 0.005]), 0)),
        Case("no warm-up", times(101, 0)),
        Case("no warm-up", times(40, 0)),
        Case("a warm-up", times(60, 5)),
        Case("a warm-up", times(33, 3)),
        Case("a warm-up", times(12, 2)),
        Case("one call left", (np.array([0.02, 0.004]), 1)),
        Case("no call left", (np.array([0.02, 0.004]), 2)),
    ]


def _of_times(function: Any) -> Any:
    """A mistake after the warm-up is taken off: function(milliseconds) gives both figures."""

    def wrong(seconds: np.ndarray, warmup: int = 0) -> Any:
        times = np.asarray(seconds)[warmup:] * 1000
        if not len(times):
            raise ValueError
        return function(times)

    return wrong


def _p90_at_index(times: np.ndarray) -> tuple[float, float]:
    ordered = np.sort(times)
    return float(ordered[len(ordered) // 2]), float(ordered[min(int(0.9 * len(ordered)), len(ordered) - 1)])


LATENCY = Exercise(
    id="01.6",
    title="the latency that one may quote",
    reference=latency_percentiles,
    cases=_latency_cases,
    tolerance=FLOAT64,
    misconceptions=(
        Misconception(
            "seconds",
            _of_times(lambda t: tuple(np.percentile(t / 1000, [50, 90]))),
            "Your result is in seconds. Multiply by 1,000 for milliseconds.",
        ),
        Misconception(
            "microseconds",
            _of_times(lambda t: tuple(np.percentile(t * 1000, [50, 90]))),
            "Your result is in microseconds. Multiply seconds by 1,000, not by 1,000,000.",
        ),
        Misconception(
            "warm-up counted",
            lambda seconds, warmup=0: tuple(np.percentile(np.asarray(seconds) * 1000, [50, 90])),
            "You count the warm-up calls, which pay for caches and allocations once. Leave out the first `warmup`.",
        ),
        Misconception(
            "warm-up taken off the end",
            lambda seconds, warmup=0: tuple(np.percentile(np.asarray(seconds)[: len(seconds) - warmup] * 1000, [50, 90])),
            "You leave out calls at the end. The warm-up is at the beginning.",
        ),
        Misconception(
            "sorted before the warm-up",
            lambda seconds, warmup=0: tuple(np.percentile(np.sort(seconds)[warmup:] * 1000, [50, 90])),
            "You sort before you leave out the warm-up, so the fastest calls go. Take off the first calls in the order in which they came.",
        ),
        Misconception(
            "mean in place of the median",
            _of_times(lambda t: (t.mean(), np.percentile(t, 90))),
            "Your first figure is the mean, which one slow call can move. The median is the 50th percentile.",
        ),
        Misconception(
            "the slowest call",
            _of_times(lambda t: (np.median(t), t.max())),
            "Your second figure is the slowest call. The 90th percentile leaves a tenth of the calls above it.",
        ),
        Misconception(
            "90 % of the slowest",
            _of_times(lambda t: (np.median(t), 0.9 * t.max())),
            "You take 90 % of the slowest call. A percentile counts calls: nine out of ten are below it.",
        ),
        Misconception(
            "the 10th percentile",
            _of_times(lambda t: tuple(np.percentile(t, [50, 10]))),
            "Your second figure is below the median: it is the 10th percentile. Nine calls out of ten are to be faster than the figure.",
        ),
        Misconception(
            "quantile and percentile confused",
            _of_times(lambda t: tuple(np.percentile(t, [0.5, 0.9]))),
            "np.percentile counts in hundredths: 50 and 90. With 0.5 and 0.9 you get almost the fastest call "
            "(np.quantile is the one that takes 0.5).",
        ),
        Misconception(
            "an index in place of a percentile",
            _of_times(_p90_at_index),
            "You pick calls by their index in the sorted list, which is a step off for small lists. "
            "The docstring asks for linear interpolation, as np.percentile does.",
        ),
        Misconception(
            "not sorted",
            _of_times(lambda t: (t[len(t) // 2], t[int(0.9 * len(t))])),
            "You take calls by their position in time. Percentiles need the times sorted (np.percentile does it).",
        ),
        Misconception(
            "order swapped",
            _of_times(lambda t: tuple(np.percentile(t, [90, 50]))),
            "The two figures are swapped. The order is (median, 90th percentile).",
        ),
        Misconception(
            "the 95th percentile",
            _of_times(lambda t: tuple(np.percentile(t, [50, 95]))),
            "Your second figure is the 95th percentile; MLPerf's single-stream rule quotes the 90th.",
        ),
        Misconception(
            "the 99th percentile",
            _of_times(lambda t: tuple(np.percentile(t, [50, 99]))),
            "Your second figure is the 99th percentile; MLPerf's single-stream rule quotes the 90th.",
        ),
        Misconception(
            "mean and deviation",
            _of_times(lambda t: (np.median(t), t.mean() + t.std())),
            "You use mean plus deviation, as if latencies were normally distributed. They have a long tail; sort and count.",
        ),
        Misconception(
            "nothing left accepted",
            lambda seconds, warmup=0: tuple(np.percentile(np.asarray(seconds)[warmup:] * 1000, [50, 90]))
            if len(seconds) > warmup
            else (float("nan"), float("nan")),
            "Right, except that no call left goes unnoticed. A figure from nothing would be quoted by somebody: raise a ValueError.",
        ),
    ),
)


# 01.7 ---------------------------------------------------------------------------------------------------------------


def _partition_cases(rng: np.random.Generator) -> list[Case]:
    random = [Case("a long model", ((rng.random(n) < 0.6).tolist(),)) for n in (17, 30, 51)]
    return [
        Case("one gap", ([True, True, False, True, True],)),
        Case("two gaps", ([True, False, True, True, False, False, True],)),
        *random,
        Case("the first operator stays on the CPU", ([False, True, True, True],)),
        Case("the last operator stays on the CPU", ([True, True, False],)),
        Case("both ends stay on the CPU", ([False, True, False, True, False],)),
        Case("all supported", ([True] * 6,)),
        Case("none supported", ([False] * 4,)),
        Case("one operator", ([True],)),
        Case("an empty model", ([],)),
    ]


def _switches(supported: Sequence[bool]) -> int:
    return sum(a != b for a, b in zip(supported, supported[1:], strict=False))


PARTITIONS = Exercise(
    id="01.7",
    title="how many pieces a delegate gets",
    reference=count_partitions,
    cases=_partition_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "operators counted",
            lambda supported: sum(supported),
            "You count the supported operators. Neighbors form one partition: count the runs of them.",
        ),
        Misconception(
            "unsupported operators counted",
            lambda supported: len(supported) - sum(supported),
            "You count the operators that stay on the CPU. Count the runs of those that the delegate takes.",
        ),
        Misconception(
            "switches counted",
            _switches,
            "You count every change between CPU and delegate, both ways. A partition begins where a supported operator follows "
            "an unsupported one, or stands first.",
        ),
        Misconception(
            "all runs counted",
            lambda supported: _switches(supported) + bool(supported),
            "You count the CPU's runs too. Count only those that the delegate takes.",
        ),
        Misconception(
            "CPU runs counted",
            lambda supported: sum(not now and (i == 0 or supported[i - 1]) for i, now in enumerate(supported)),
            "You count the runs that stay on the CPU. Count those that the delegate takes.",
        ),
        Misconception(
            "a run at the beginning missed",
            lambda supported: sum(now and not before for before, now in zip(supported, supported[1:], strict=False)),
            "You miss a run that begins with the first operator: it has no unsupported one before it.",
        ),
        Misconception(
            "a run at the end missed",
            lambda supported: sum(before and not now for before, now in zip(supported, supported[1:], strict=False)),
            "You miss a run that reaches the last operator: it has no unsupported one after it.",
        ),
        Misconception(
            "one more than the gaps",
            lambda supported: sum(not now and (i == 0 or supported[i - 1]) for i, now in enumerate(supported)) + 1,
            "You count the gaps and add one. A gap at the beginning or at the end separates nothing.",
        ),
        Misconception(
            "one more than the unsupported operators",
            lambda supported: len(supported) - sum(supported) + 1,
            "You count the unsupported operators and add one. Two of them side by side make one gap, and one at an end makes none.",
        ),
        Misconception(
            "the longest run",
            lambda supported: max((len(run) for run in "".join("x" if s else " " for s in supported).split()), default=0),
            "You return the length of the longest run. Count how many runs there are.",
        ),
        Misconception(
            "yes or no",
            lambda supported: int(any(supported)),
            "You return 1 as soon as the delegate takes anything. An unsupported operator in between splits its part in two.",
        ),
        Misconception(
            "runs of at least two",
            lambda supported: sum(len(run) > 1 for run in "".join("x" if s else " " for s in supported).split()),
            "You leave out runs of a single operator. A single one is a partition too (whether it pays is another question).",
        ),
        Misconception(
            "half of the switches",
            lambda supported: _switches(supported) // 2,
            "You halve the number of changes. At the ends of a model a run has a change on one side only.",
        ),
        Misconception(
            "half of the switches, rounded up",
            lambda supported: (_switches(supported) + 1) // 2,
            "You halve the number of changes, which miscounts where a run touches the beginning or the end.",
        ),
        Misconception(
            "fails on an empty model",
            lambda supported: int(supported[0])
            + sum(now and not before for before, now in zip(supported, supported[1:], strict=False)),
            "Right, except that an empty model raises an error. It has no partition: return 0.",
        ),
    ),
)


# 01.8 ---------------------------------------------------------------------------------------------------------------


def _registration_cases(rng: np.random.Generator) -> list[Case]:
    names = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX", "ADD", "RESHAPE", "QUANTIZE"]

    def random(count: int) -> tuple[list[tuple[str, int]]]:
        return ([(names[int(i)], int(rng.integers(1, 7))) for i in rng.integers(0, len(names), count)],)

    return [
        Case("each operator once", ([("CONV_2D", 3), ("MEAN", 1), ("SOFTMAX", 2)],)),
        Case("an operator used again", ([("CONV_2D", 3), ("ADD", 1), ("CONV_2D", 3)],)),
        Case("an operator in two versions", ([("CONV_2D", 1), ("CONV_2D", 5), ("ADD", 2)],)),
        Case("an operator in several versions", ([("CONV_2D", 3), ("CONV_2D", 6), ("CONV_2D", 1), ("CONV_2D", 2)],)),
        Case("an operator in two versions", ([("MEAN", 4), ("ADD", 1), ("MEAN", 2)],)),
        Case("a long model", random(20)),
        Case("a long model", random(40)),
        Case("an empty model", ([],)),
    ]


def _grouped(uses: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    versions: dict[str, list[int]] = {}
    for name, version in uses:
        versions.setdefault(name, []).append(version)
    return versions


def _by_operator(function: Any) -> Any:
    return lambda uses: {name: function(versions) for name, versions in _grouped(uses).items()}


REGISTRATION = Exercise(
    id="01.8",
    title="the operators to register",
    reference=version_ranges,
    cases=_registration_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "the last version",
            _by_operator(lambda v: (v[-1], v[-1])),
            "You keep the version of the last use. A model may hold one operator in several versions: keep the lowest and the highest.",
        ),
        Misconception(
            "the first version",
            _by_operator(lambda v: (v[0], v[0])),
            "You keep the version of the first use. A model may hold one operator in several versions: keep the lowest and the highest.",
        ),
        Misconception(
            "first and last version",
            _by_operator(lambda v: (v[0], v[-1])),
            "You keep the first and the last version in the order of use. Keep the lowest and the highest.",
        ),
        Misconception(
            "only the highest version",
            _by_operator(max),
            "You keep one number for each operator. The resolver registers a range: (lowest, highest).",
        ),
        Misconception(
            "only the lowest version",
            _by_operator(min),
            "You keep one number for each operator. The resolver registers a range: (lowest, highest).",
        ),
        Misconception(
            "the highest version twice",
            _by_operator(lambda v: (max(v), max(v))),
            "You register the highest version only, so the runtime refuses nodes of a lower one. Keep the lowest too.",
        ),
        Misconception(
            "from version 1",
            _by_operator(lambda v: (1, max(v))),
            "You begin every range at 1. Registering versions that no node uses brings code that the model never runs.",
        ),
        Misconception(
            "highest first",
            _by_operator(lambda v: (max(v), min(v))),
            "Your ranges are (highest, lowest). The resolver takes the lowest first.",
        ),
        Misconception(
            "uses counted",
            lambda uses: {name: len(versions) for name, versions in _grouped(uses).items()},
            "You count how often an operator is used. For registering it once is enough; what counts are its versions.",
        ),
        Misconception(
            "all versions listed",
            _by_operator(lambda v: tuple(v)),
            "You list the version of every use. The resolver takes a range: (lowest, highest).",
        ),
        Misconception(
            "distinct versions listed",
            _by_operator(lambda v: tuple(sorted(set(v)))),
            "You list the distinct versions. The resolver takes a range: (lowest, highest), also where both are the same.",
        ),
        Misconception(
            "only names",
            lambda uses: tuple(sorted(_grouped(uses))),
            "You return names only. Each operator needs its range of versions: {name: (lowest, highest)}.",
        ),
        Misconception(
            "version before name",
            lambda uses: {version: (name, name) for name, version in uses},
            "Your keys are versions. Each use is (name, version): group by the name.",
        ),
        Misconception(
            "only operators used more than once",
            lambda uses: {name: (min(v), max(v)) for name, v in _grouped(uses).items() if len(v) > 1},
            "You leave out operators that are used once. The model needs every one of them.",
        ),
    ),
)


# Predictions and quiz -----------------------------------------------------------------------------------------------

PREDICTIONS = (
    Question(
        "01.P1",
        "The network computes in float32. You convert it to .mlpackage without any option about precision. "
        "In which type are its weights stored?",
        (
            Option("float32, as in PyTorch", "That was so for the older format. An ML program computes in float16 unless told otherwise."),
            Option("float16", "The Neural Engine computes in float16, so this is the default for an ML program.", correct=True),
            Option("int8", "Quantizing loses accuracy that somebody has to measure, so no converter does it unasked."),
        ),
    ),
    Question(
        "01.P2",
        "For int8 activations the converter watches the model on sample inputs. Somebody feeds it raw pixels from 0 to 255, while the app "
        "feeds normalized values. What becomes of the accuracy?",
        (
            Option("Nothing: the weights are the same.", "The weights are. The ranges of all activations are learned from the samples."),
            Option("It falls by a point or two.", "A slightly wrong range costs that much. Here the range is wrong by a factor of about a hundred."),
            Option("It falls to little better than guessing.", "Real inputs use a hundredth of the range that was learned: only a few of 256 integers.", correct=True),
            Option("The conversion fails with an error.", "The converter cannot know what your inputs look like. That is why this mistake ships."),
        ),
    ),
    Question(
        "01.P3",
        "XNNPACK is LiteRT's set of fast CPU kernels. You switch it off and run the same float model again. What happens?",
        (
            Option("The results change visibly.", "Both compute the same sums; only their order differs, which moves the last digits."),
            Option("It is slower, with the same results.", "LiteRT's own kernels take over, correct and less optimized.", correct=True),
            Option("It does not run.", "A delegate only takes operators over. Without it, LiteRT's own kernels do all of them."),
        ),
    ),
    Question(
        "01.P4",
        "A delegate computes five times as fast as the CPU. It takes every operator of a model but every third one. Is the model faster with it?",
        (
            Option("Yes, nearly five times.", "Only if it took all of them. What stays on the CPU, and the copies in between, count too."),
            Option("Yes, though less than five times.", "It can be, if copying is cheap. Nobody told you what a copy costs."),
            Option("That depends on the copies.", "Each piece costs a copy in and a copy out; these can cost more than the delegate saves.", correct=True),
        ),
    ),
)

QUIZ = (
    Question(
        "01.Q1",
        'Core ML is told compute_units="all". Which operators run on the Neural Engine?',
        (
            Option("All of them.", "Some operators it cannot take; Core ML splits the model."),
            Option("Those that Core ML chooses to put there.", "The setting is a limit. Core ML decides within it, and its compute plan, on a Mac, says how.", correct=True),
            Option("Those marked in the .mlpackage.", "A package holds no placement. The device decides when it loads the model."),
        ),
    ),
    Question(
        "01.Q2",
        "A model is said to take 3 ms. What is missing from that sentence?",
        (
            Option("Nothing, if it was measured.", "A single figure says neither which calls nor which model: a wrong answer is quick as well."),
            Option("The percentile, the accuracy, and the device with its threads.", "MLPerf quotes the 90th percentile of a model that reaches a stated accuracy, on a stated device.", correct=True),
            Option("The fastest call.", "It is the figure of a call that a user hardly ever sees."),
        ),
    ),
    Question(
        "01.Q3",
        "Why does an activation's range always hold 0?",
        (
            Option("So that 0 has an integer of its own.", "Padding and every ReLU give 0 all the time. If 0 fell between two integers, each would bring an error.", correct=True),
            Option("Because int8 holds 0.", "int8's 0 may stand for any real value. It is the zero point that says for which."),
            Option("Because activations are never negative.", "Those after a ReLU are not; others are, and their range holds 0 as well."),
        ),
    ),
    Question(
        "01.Q4",
        "An Android app still uses the NNAPI delegate. What should become of it?",
        (
            Option("Keep it: NNAPI reaches every accelerator.", "Android 15 deprecated NNAPI. Drivers are no longer developed, and fewer operators go through."),
            Option("Move to LiteRT's own accelerators.", "LiteRT reaches GPUs by its GPU accelerator and NPUs by the makers' own plugins, with XNNPACK for the CPU.", correct=True),
            Option("Move to the CPU only.", "That always works and is the fallback. For large models it gives away speed and battery."),
        ),
    ),
)

CONTENT = LabContent(
    exercises=(IMAGE_SCALE_BIAS, SQNR, AFFINE, WEIGHT_SCALES, REPRESENTATIVE, LATENCY, PARTITIONS, REGISTRATION),
    predictions=PREDICTIONS,
    quiz=QUIZ,
)
