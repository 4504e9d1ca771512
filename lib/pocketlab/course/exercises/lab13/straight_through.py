"""Exercise 13.3: the straight-through estimator, and the slope by the scale (LSQ)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pocketlab.compression.qat import fake_quantize_gradients
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


def _between_halves(rng: np.random.Generator, shape: tuple[int, ...], scale: float, reach: int) -> np.ndarray:
    """Return float32 weights up to `reach` steps from 0, each a tenth of a step or more from halves and whole steps."""
    fraction = rng.uniform(0.1, 0.4, shape) * rng.choice([-1, 1], shape)
    return ((rng.integers(-reach, reach + 1, shape) + fraction) * scale).astype(np.float32)


def _cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("no weight is clipped", (np.array([0.31, -0.12, 0.0, 0.47], np.float32), 0.1, 4)),
        Case("some weights are clipped", (np.array([0.34, -0.12, 1.0, -0.9], np.float32), 0.1, 4)),
        Case("some weights are clipped", (_between_halves(rng, (4, 6), 0.05, 12), 0.05, 4)),
        Case("a convolution's weights, 3 bits", (_between_halves(rng, (4, 2, 3, 3), 0.03, 6), 0.03, 3)),
        Case("8 bits", (_between_halves(rng, (5, 7), 0.02, 180), 0.02, 8)),
        Case("2 bits", (_between_halves(rng, (12,), 0.5, 3), 0.5, 2)),
        Case("a scale above 1", (_between_halves(rng, (3, 5), 3.0, 10), 3.0, 4)),
        Case("all weights are clipped", (np.array([1.3, -0.9, 2.4, -3.1], np.float32), 0.1, 4)),
        Case("a weight just beyond the end", (np.array([0.72, -0.735, 0.31, 0.713], np.float32), 0.1, 4)),
        # a scale that is a power of two makes w / scale exact, so that the end is hit in any precision
        Case("a weight on the end", (np.array([0.375, -0.375, 0.28125, 0.0], np.float32), 0.125, 3)),
        Case("all zero", (np.zeros((2, 3), np.float32), 0.1, 4)),
        Case("one weight", (np.array([-0.284], np.float32), 0.2, 4)),
        Case("a transposed view", (_between_halves(rng, (3, 4), 0.07, 11).T, 0.07, 4)),
    ]


def _highest(bits: int) -> int:
    return int(2 ** (bits - 1) - 1)


def _lsq(
    w: np.ndarray, scale: float, lowest: int, highest: int, rounding: Callable[[np.ndarray], np.ndarray] = np.round
) -> Triple:
    steps = np.asarray(w, np.float64) / scale
    inside = (steps >= lowest) & (steps <= highest)
    q = rounding(np.clip(steps, lowest, highest))
    return scale * q, inside.astype(np.float64), np.where(inside, q - steps, q)


def _usual(w: np.ndarray, scale: float, bits: int) -> Triple:
    return _lsq(w, scale, -_highest(bits), _highest(bits))


def _other_weight_slope(slope: Callable[[np.ndarray, float, int], np.ndarray]) -> Callable[..., Triple]:
    """Return the right function but for the slope by the weight."""

    def wrong(w: np.ndarray, scale: float, bits: int) -> Triple:
        values, _, by_scale = _usual(w, scale, bits)
        return values, slope(w, scale, bits), by_scale

    return wrong


def _other_scale_slope(slope: Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]) -> Callable[..., Triple]:
    """Return the right function but for the slope by the scale, which is made of w/scale, the integers and the mask."""

    def wrong(w: np.ndarray, scale: float, bits: int) -> Triple:
        values, inside, _ = _usual(w, scale, bits)
        steps = np.asarray(w, np.float64) / scale
        q = np.round(np.clip(steps, -_highest(bits), _highest(bits)))
        return values, inside, slope(steps, q, inside > 0, _highest(bits))

    return wrong


def _other_mask(mask: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> Callable[..., Triple]:
    """Return the right function but for which weights count as inside: a function of w, w/scale and the highest integer."""

    def wrong(w: np.ndarray, scale: float, bits: int) -> Triple:
        steps = np.asarray(w, np.float64) / scale
        q = np.round(np.clip(steps, -_highest(bits), _highest(bits)))
        inside = mask(w, steps, _highest(bits))
        return scale * q, inside.astype(np.float64), np.where(inside, q - steps, q)

    return wrong


def _not_clipped(w: np.ndarray, scale: float, bits: int) -> Triple:
    steps = np.asarray(w, np.float64) / scale
    return scale * np.round(steps), np.ones(w.shape), np.round(steps) - steps


def _true_slopes(w: np.ndarray, scale: float, bits: int) -> Triple:
    values = _usual(w, scale, bits)[0]
    return values, np.zeros(w.shape), values / scale


def _integers_held_constant(w: np.ndarray, scale: float, bits: int) -> Triple:
    values = _usual(w, scale, bits)[0]
    return values, np.ones(w.shape), values / scale


def _slopes_not_clipped(w: np.ndarray, scale: float, bits: int) -> Triple:
    return _usual(w, scale, bits)[0], *_not_clipped(w, scale, bits)[1:]


def _values_not_clipped(w: np.ndarray, scale: float, bits: int) -> Triple:
    return scale * np.round(np.asarray(w, np.float64) / scale), *_usual(w, scale, bits)[1:]


def _weights_clipped(w: np.ndarray, scale: float, bits: int) -> Triple:
    steps = np.clip(np.asarray(w, np.float64), -_highest(bits), _highest(bits)) / scale
    inside = np.abs(w) <= _highest(bits)
    by_scale = np.where(inside, np.round(steps) - steps, np.sign(w) * _highest(bits))
    return scale * np.round(steps), inside.astype(np.float64), by_scale


def _integers(w: np.ndarray, scale: float, bits: int) -> Triple:
    values, by_weight, by_scale = _usual(w, scale, bits)
    return values / scale, by_weight, by_scale


def _swapped(w: np.ndarray, scale: float, bits: int) -> Triple:
    values, by_weight, by_scale = _usual(w, scale, bits)
    return values, by_scale, by_weight


def _summed(w: np.ndarray, scale: float, bits: int) -> tuple[np.ndarray, np.ndarray, float]:
    values, by_weight, by_scale = _usual(w, scale, bits)
    return values, by_weight, float(by_scale.sum())


def _slowed(w: np.ndarray, scale: float, bits: int) -> Triple:
    values, by_weight, by_scale = _usual(w, scale, bits)
    return values, by_weight, by_scale / np.sqrt(w.size * _highest(bits))


def _in_weight_units(w: np.ndarray, scale: float, bits: int) -> Triple:
    values, by_weight, by_scale = _usual(w, scale, bits)
    return values, by_weight, by_scale * scale


def _error_everywhere(w: np.ndarray, scale: float, bits: int) -> Triple:
    values, by_weight, _ = _usual(w, scale, bits)
    return values, by_weight, values - w


def _strict(w: np.ndarray, scale: float, lowest: int, highest: int) -> Triple:
    steps = np.asarray(w, np.float64) / scale
    inside = (steps > lowest) & (steps < highest)
    q = np.clip(np.round(steps), lowest, highest)
    return scale * q, inside.astype(np.float64), np.where(inside, q - steps, q)


def _quotient(w: np.ndarray, scale: float, bits: int) -> Triple:
    values, inside, by_scale = _usual(w, scale, bits)
    return values, inside, np.where(inside > 0, -w / scale**2, by_scale)


def _end_as_value(w: np.ndarray, scale: float, bits: int) -> Triple:
    values, inside, by_scale = _usual(w, scale, bits)
    return values, inside, np.where(inside > 0, by_scale, values)


def _upper_end_only(w: np.ndarray, scale: float, bits: int) -> Triple:
    steps = np.asarray(w, np.float64) / scale
    inside = steps <= _highest(bits)
    q = np.minimum(np.round(steps), _highest(bits))
    return scale * q, inside.astype(np.float64), np.where(inside, q - steps, q)


def _in_place(w: np.ndarray, scale: float, bits: int) -> Triple:
    result = _usual(w, scale, bits)
    w /= scale
    return result


def _inside_by_clipping(w: np.ndarray, scale: float, bits: int) -> Triple:
    steps = np.clip(np.asarray(w, np.float64) / scale, -_highest(bits), _highest(bits))
    q = np.round(steps)
    return scale * q, np.ones(w.shape), q - steps


def _sum_for_each(w: np.ndarray, scale: float, bits: int) -> Triple:
    values, by_weight, by_scale = _usual(w, scale, bits)
    return values, by_weight, np.full(w.shape, by_scale.sum())


STRAIGHT_THROUGH = Exercise(
    id="13.3",
    title="the slopes of a staircase",
    reference=fake_quantize_gradients,
    cases=_cases,
    tolerance=Tolerance(
        1e-6,
        3e-5,
        "In float32 w / scale is off by three roundings of 2⁻²⁴, and of 127 steps that is 2.3e-5. The wrong answers are off by a "
        "tenth of a step or more.",
    ),
    misconceptions=(
        Misconception(
            "the slope of a staircase",
            _other_weight_slope(lambda w, scale, bits: np.zeros(w.shape)),
            "Your slope by the weight is 0 everywhere. That is the true derivative of rounding, and nothing would learn from it. "
            "The straight-through estimator takes 1 inside of the range.",
        ),
        Misconception(
            "the true slopes of a staircase",
            _true_slopes,
            "You have the true derivatives: 0 by the weight, and the integer by the scale. Straight through, rounding counts as "
            "having the slope 1: inside, the slopes are 1 and round(w/scale) − w/scale.",
        ),
        Misconception(
            "slopes without rounding in mind",
            _integers_held_constant,
            "You have 1 by the weight and the integer by the scale, everywhere. By the weight it is 0 where w was clipped, and "
            "by the scale w/scale has to be taken off inside.",
        ),
        Misconception(
            "slopes not clipped",
            _slopes_not_clipped,
            "Your values are clipped, and your slopes are not. Beyond the end the value is ±highest · scale: the slope by the "
            "weight is 0, and that by the scale ±highest.",
        ),
        Misconception(
            "straight through everywhere",
            _other_weight_slope(lambda w, scale, bits: np.ones(w.shape)),
            "Your slope by the weight is 1 for clipped weights too. Beyond the end the value no longer moves with the weight: "
            "the slope there is 0.",
        ),
        Misconception(
            "0 inside and 1 outside",
            _other_weight_slope(lambda w, scale, bits: 1 - _usual(w, scale, bits)[1]),
            "Your mask is the wrong way round: the slope by the weight is 1 inside of the range, and 0 where it was clipped.",
        ),
        Misconception(
            "the scale as the slope by the weight",
            _other_weight_slope(lambda w, scale, bits: scale * _usual(w, scale, bits)[1]),
            "You have the scale as the slope by the weight: you forgot that w is divided by it first. scale · w/scale has the "
            "slope 1.",
        ),
        Misconception(
            "one over the scale as the slope by the weight",
            _other_weight_slope(lambda w, scale, bits: _usual(w, scale, bits)[1] / scale),
            "You have 1/scale as the slope by the weight: that of w/scale. The value is multiplied by the scale again, which "
            "makes it 1.",
        ),
        Misconception(
            "the values in place of the slope",
            _other_weight_slope(lambda w, scale, bits: _usual(w, scale, bits)[0]),
            "Your slope by the weight is the quantized weight. The slope says how fast the value moves with the weight: 1 "
            "inside, 0 where it was clipped.",
        ),
        Misconception(
            "rounding taken for constant",
            _other_scale_slope(lambda steps, q, inside, highest: q),
            "Your slope by the scale is round(w/scale) inside: it takes the integer for constant while the scale moves. Straight "
            "through, w/scale moves as well, which takes off w/scale.",
        ),
        Misconception(
            "the slope by the scale reversed",
            _other_scale_slope(lambda steps, q, inside, highest: np.where(inside, steps - q, q)),
            "Inside of the range your slope by the scale has the wrong sign: it is round(w/scale) − w/scale.",
        ),
        Misconception(
            "all signs of the slope by the scale reversed",
            _other_scale_slope(lambda steps, q, inside, highest: np.where(inside, steps - q, -q)),
            "Your slope by the scale has the wrong sign everywhere. Inside it is round(w/scale) − w/scale, and where w was "
            "clipped it is the end itself.",
        ),
        Misconception(
            "no slope by the scale where clipped",
            _other_scale_slope(lambda steps, q, inside, highest: np.where(inside, q - steps, 0.0)),
            "You set the slope by the scale to 0 where w was clipped. There the value is ±highest · scale: it moves with the "
            "scale, at ±highest.",
        ),
        Misconception(
            "the sign forgotten where clipped",
            _other_scale_slope(lambda steps, q, inside, highest: np.where(inside, q - steps, highest)),
            "Where w was clipped your slope by the scale is +highest at both ends. At the negative end the value is −highest · "
            "scale, and so is its slope: −highest.",
        ),
        Misconception(
            "1 where clipped",
            _other_scale_slope(lambda steps, q, inside, highest: np.where(inside, q - steps, np.sign(q))),
            "Where w was clipped your slope by the scale is ±1. The value there is ±highest · scale: its slope is ±highest.",
        ),
        Misconception(
            "the unclipped slope by the scale",
            _other_scale_slope(lambda steps, q, inside, highest: np.round(steps) - steps),
            "You use round(w/scale) − w/scale for clipped weights too. There the value is ±highest · scale, with the slope "
            "±highest.",
        ),
        Misconception(
            "clipped integers, unclipped steps",
            _other_scale_slope(lambda steps, q, inside, highest: q - steps),
            "You take w/scale off everywhere. Where w was clipped the value no longer depends on it, and the slope by the scale "
            "is ±highest alone.",
        ),
        Misconception(
            "the slope of the ideal value",
            _other_scale_slope(lambda steps, q, inside, highest: np.where(inside, -steps, q)),
            "Inside of the range your slope by the scale lacks round(w/scale): it is round(w/scale) − w/scale.",
        ),
        Misconception(
            "0 inside",
            _other_scale_slope(lambda steps, q, inside, highest: np.where(inside, 0.0, q)),
            "Your slope by the scale is 0 inside, as if the scale canceled out. It does without rounding; with it, the slope "
            "is what rounding added, round(w/scale) − w/scale.",
        ),
        Misconception(
            "error in units of the weight",
            _in_weight_units,
            "You multiply the slope by the scale with the scale once more. It counts steps: round(w/scale) − w/scale inside, "
            "±highest where w was clipped.",
        ),
        Misconception(
            "the error as the slope",
            _error_everywhere,
            "Your slope by the scale is the error, value − w. Inside, divide it by the scale: round(w/scale) − w/scale. Where w "
            "was clipped it is ±highest.",
        ),
        Misconception(
            "the slope of w/scale",
            _quotient,
            "You have the slope of w/scale alone, −w/scale². The value is scale · round(w/scale), a product: its slope by the "
            "scale is round(w/scale) − w/scale.",
        ),
        Misconception(
            "the clipped value as the slope",
            _end_as_value,
            "Where w was clipped your slope by the scale is the value, ±highest · scale. How fast that moves with the scale is "
            "±highest.",
        ),
        Misconception(
            "summed over the weights",
            _summed,
            "You add up the slopes by the scale. Training does that later; here one for each weight is wanted, shaped as w.",
        ),
        Misconception(
            "slowed down as in LSQ",
            _slowed,
            "You divide the slope by the scale by √(count · highest), LSQ's correction of the step that is taken. Here the slope "
            "itself is wanted.",
        ),
        Misconception(
            "slopes swapped",
            _swapped,
            "You return the slopes in the wrong order: the values first, then the slope by the weight, then that by the scale.",
        ),
        Misconception(
            "integers",
            _integers,
            "Your values are the integers. Fake quantization goes back at once: multiply them by the scale.",
        ),
        Misconception(
            "nothing clipped",
            _not_clipped,
            "You never clip. The integers end at ±highest, 7 for 4 bits; beyond that the value stays at the end.",
        ),
        Misconception(
            "values not clipped",
            _values_not_clipped,
            "Your slopes are right, but the values are not clipped: the integers end at ±highest.",
        ),
        Misconception(
            "weights clipped in place of integers",
            _weights_clipped,
            "You clip w to ±highest. These are integers: divide by the scale first, then clip and compare.",
        ),
        Misconception(
            "compared before the division",
            _other_mask(lambda w, steps, highest: np.abs(w) <= highest),
            "You compare w itself with the highest integer to see what was clipped. Compare w/scale.",
        ),
        Misconception(
            "compared after rounding",
            _other_mask(lambda w, steps, highest: np.abs(np.round(steps)) <= highest),
            "You look at the rounded value to see what was clipped, so a weight up to half a step beyond the end counts as "
            "inside. Compare w/scale itself.",
        ),
        Misconception(
            "compared after clipping",
            _other_mask(lambda w, steps, highest: np.ones(w.shape, bool)),
            "To your function everything counts as inside. After `np.clip` nothing lies beyond the end any more: keep w/scale "
            "apart, and compare that.",
        ),
        Misconception(
            "the end counts as clipped",
            _other_mask(lambda w, steps, highest: np.abs(steps) < highest),
            "A weight on the end of the range counts as inside here: compare with `<=`.",
        ),
        Misconception(
            "compared after rounding, without the end",
            _other_mask(lambda w, steps, highest: np.abs(np.round(steps)) < highest),
            "You count a weight as clipped if its integer is the last one. It may lie right there without being clipped: compare "
            "w/scale with highest, with `<=`.",
        ),
        Misconception(
            "only the upper end clipped",
            _upper_end_only,
            "You clip at the upper end only. The integers go from −highest to highest.",
        ),
        Misconception(
            "the negative end forgotten",
            _other_mask(lambda w, steps, highest: steps <= highest),
            "You look at the upper end only. Weights below −highest are clipped as well: compare `np.abs(w / scale)`.",
        ),
        Misconception(
            "asymmetric range",
            lambda w, scale, bits: _lsq(w, scale, -_highest(bits) - 1, _highest(bits)),
            "Your integers go down to −2^(bits − 1), −8 for 4 bits. A symmetric grid leaves that one out: −highest to highest.",
        ),
        Misconception(
            "asymmetric range, without its ends",
            lambda w, scale, bits: _strict(w, scale, -_highest(bits) - 1, _highest(bits)),
            "You follow the paper, where the range is −2^(bits − 1) to 2^(bits − 1) − 1 and its ends count as clipped. Here it "
            "is symmetric, −highest to highest, and the ends count as inside.",
        ),
        Misconception(
            "one step too many",
            lambda w, scale, bits: _lsq(w, scale, -(2 ** (bits - 1)), 2 ** (bits - 1)),
            "Your highest integer is 2^(bits − 1), 8 for 4 bits. One bit is the sign and 0 takes a place: highest is "
            "2^(bits − 1) − 1.",
        ),
        Misconception(
            "unsigned range",
            lambda w, scale, bits: _lsq(w, scale, -(2**bits) + 1, 2**bits - 1),
            "Your highest integer is 2^bits − 1, 15 for 4 bits. Half of the integers are negative: highest is 2^(bits − 1) − 1.",
        ),
        Misconception(
            "8 bits always",
            lambda w, scale, bits: _lsq(w, scale, -127, 127),
            "You use ±127 whatever the bits are. The highest integer is 2^(bits − 1) − 1.",
        ),
        Misconception(
            "4 bits always",
            lambda w, scale, bits: _lsq(w, scale, -7, 7),
            "You use ±7 whatever the bits are. The highest integer is 2^(bits − 1) − 1.",
        ),
        Misconception(
            "cut off instead of rounded",
            lambda w, scale, bits: _lsq(w, scale, -_highest(bits), _highest(bits), np.trunc),
            "You cut off the fraction of w/scale. Round to the nearest integer: `np.round`.",
        ),
        Misconception(
            "rounded down",
            lambda w, scale, bits: _lsq(w, scale, -_highest(bits), _highest(bits), np.floor),
            "You round down. Round to the nearest integer: `np.round`.",
        ),
        Misconception(
            "w changed",
            _in_place,
            "The values are right, but you change w itself (`w /= scale` works in place). Training goes on with it: write "
            "`w / scale`, which makes a new array.",
        ),
        Misconception(
            "everything inside after clipping",
            _inside_by_clipping,
            "You clip w/scale before you compare it with the ends, and then nothing lies beyond them. Keep the unclipped w/scale "
            "to see what was clipped.",
        ),
        Misconception(
            "the sum of the slopes for each weight",
            _sum_for_each,
            "Each weight gets the sum of all slopes by the scale, as autograd gives it for one scale. Wanted is each weight's "
            "own part of that sum.",
        ),
    ),
)
