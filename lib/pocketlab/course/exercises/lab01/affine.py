"""Exercise 01.3: scale and zero point from a range."""

from __future__ import annotations

from typing import Any

import numpy as np

from pocketlab.compression.quantization import affine_params
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance

FLOAT32_STEPS = Tolerance(
    1e-6, 0.0, "Two operations in float32 are off by 2e-7 of the value; 255 in place of 256 steps by 4e-3."
)


def _affine_cases(rng: np.random.Generator) -> list[Case]:
    random = [Case("a range on both sides of 0", (-a, b)) for a, b in rng.uniform(0.1, 9.0, (4, 2)).round(3).tolist()]
    return [
        Case("a range on both sides of 0", (-1.0, 3.0)),
        *random,
        Case("a range on both sides of 0", (-0.02, 0.07)),
        Case("a range on both sides of 0", (-120.0, 35.0)),
        Case("almost a symmetric range", (-4.0, 4.1)),
        Case("a range from 0", (0.0, 6.0)),
        Case("a range up to 0", (-5.1, 0.0)),
        Case("a range above 0", (1.0, 6.0)),
        Case("a range above 0", (0.5, 0.75)),
        Case("a range below 0", (-8.0, -2.0)),
        Case("a range of one value", (5.0, 5.0)),
        Case("a range of one value", (-3.0, -3.0)),
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


def _inverted(lo: float, hi: float) -> tuple[float, Any]:
    scale, zero_point = _affine_variant(lo, hi)
    return 1 / scale, zero_point


def _empty_before_widening(lo: float, hi: float) -> tuple[float, int]:
    return (1.0, -128) if lo == hi else _affine_variant(lo, hi)


def _rounded_scale(lo: float, hi: float) -> tuple[float, int]:
    scale, _ = _affine_variant(lo, hi)
    scale = round(scale, 4)
    return scale, round(-128 - min(lo, 0.0) / scale)


def _widened(lo_too: bool, hi_too: bool, clamp: bool) -> Any:
    """Widen the range on one side only."""

    def wrong(lo: float, hi: float) -> tuple[float, Any]:
        if lo > hi:
            raise ValueError
        low, high = (min(lo, 0.0) if lo_too else lo), (max(hi, 0.0) if hi_too else hi)
        return _affine_variant(low, high, widen=False, clamp=clamp) if low < high else (1.0, -128)

    return wrong


def _peak_both_ways(lo: float, hi: float) -> tuple[float, Any]:
    if lo > hi:
        raise ValueError
    peak = max(abs(lo), abs(hi))
    return _affine_variant(-peak, peak) if peak else (1.0, -128)


def _lower_end_widened(lo: float, hi: float) -> tuple[float, Any]:
    if lo > hi:
        raise ValueError
    return _lower_end_widened_unguarded(lo, hi)


def _lower_end_widened_unguarded(lo: float, hi: float) -> tuple[float, Any]:
    lo = min(lo, 0.0)
    scale = (hi - lo) / 255 or 1.0
    return scale, round(-128 - lo / scale)


AFFINE = Exercise(
    id="01.3",
    title="scale and zero point from a range",
    reference=affine_params,
    cases=_affine_cases,
    tolerance=FLOAT32_STEPS,
    misconceptions=(
        Misconception(
            "range not widened to 0, zero point not clamped",
            _always(_affine_variant, widen=False, clamp=False),
            "For a range that does not hold 0 your zero point is not an int8. Widen the range first: lo = min(lo, "
            "0), hi = max(hi, 0).",
        ),
        Misconception(
            "range not widened to 0",
            _always(_affine_variant, widen=False),
            "Your range does not always hold 0. Clamping the zero point then shifts every value: for 1 to 6, the "
            "6 comes back as 5. "
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
            "Your zero point is that of unsigned integers, and the range is not widened to hold 0. int8 runs from "
            "−128 to 127.",
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
            "You made the range symmetric, with zero point 0. That is right for weights; an activation after a "
            "ReLU would waste "
            "every negative integer. Here lo lands on −128 and hi on 127.",
        ),
        Misconception(
            "symmetric range in the affine formula",
            _peak_both_ways,
            "You make the range symmetric, from −peak to peak. That is for weights. An activation keeps lo and "
            "hi, widened only "
            "until 0 is inside.",
        ),
        Misconception(
            "zero point not rounded",
            _always(_affine_variant, rounding=lambda value: value),
            "Your zero point is not a whole number. Then 0 has no integer of its own, and padding gets an error. "
            "Round it.",
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
            "Your zero point is lo itself, in real units. It is an integer on the grid: how many steps of `scale` "
            "is 0 away from lo?",
        ),
        Misconception(
            "zero point in the middle",
            _always(_affine_variant, zero=lambda qmin, lo, scale: -lo / scale - 127.5),
            "You center the range. lo must land on −128: lo/scale + zero_point = −128.",
        ),
        Misconception(
            "scale inverted",
            _inverted,
            "Your scale is the reciprocal of the right one. `scale` is how much of the real range one integer "
            "step covers.",
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
            "only hi widened",
            _widened(False, True, clamp=True),
            "Right except for a range above 0: widen lo too, lo = min(lo, 0).",
        ),
        Misconception(
            "only hi widened, zero point not clamped",
            _widened(False, True, clamp=False),
            "Right except for a range above 0, where the zero point is not even an int8: widen lo too, lo = "
            "min(lo, 0).",
        ),
        Misconception(
            "only lo widened",
            _widened(True, False, clamp=True),
            "Right except for a range below 0: widen hi too, hi = max(hi, 0).",
        ),
        Misconception(
            "only lo widened, zero point not clamped",
            _widened(True, False, clamp=False),
            "Right except for a range below 0, where the zero point is not even an int8: widen hi too, hi = "
            "max(hi, 0).",
        ),
        Misconception(
            "only lo widened, a scale of 1 for one value",
            _lower_end_widened,
            "Right except for a range below 0, where the zero point is not even an int8: widen hi too, hi = max(hi, 0).",
        ),
        Misconception(
            "only lo widened, lo above hi accepted",
            _lower_end_widened_unguarded,
            "Wrong for a range below 0, which has to be widened at the upper end too, hi = max(hi, 0); and where "
            "lo is above hi, a "
            "ValueError is wanted.",
        ),
        Misconception(
            "empty before it is widened",
            _empty_before_widening,
            "Right except for a range of one value, such as 5 to 5: with 0 it becomes 0 to 5. Widen first, and "
            "ask then "
            "whether the range is empty.",
        ),
        Misconception(
            "narrow range",
            lambda lo, hi: _affine_variant(lo, hi, levels=254, qmin=-127),
            "You use −127 to 127, 254 steps, which is for weights. Activations use all of int8: 255 steps, and lo "
            "lands on −128.",
        ),
        Misconception(
            "scale rounded to 4 decimals",
            _rounded_scale,
            "Your scale is rounded to four decimals. The task rounds for reading only; rounding the scale moves "
            "every value.",
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
