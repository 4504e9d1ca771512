"""Rules of the relation finder about the elements of an array: their places, their number, their range, their norm.

A rule here may read a parameter (a bound, a norm) off the wrong result; it then has to predict all elements from it.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import permutations
from operator import itemgetter
from typing import Any

import numpy as np

from pocketlab.course.relation_numbers import number
from pocketlab.course.relation_rules import Array, Case, Rule, bits, missing, of_expected, same, too_many

# --- Where elements stand --------------------------------------------------------------------------------------------


def arrangements(dimensions: int) -> Iterator[Rule]:
    """Axes exchanged; elements reversed, sorted, summed up, shifted, too few or too many."""
    dimensions = min(dimensions, 4)
    yield Rule("shape", "{it} has the right numbers in another shape.", _reshaped)
    for axes in permutations(range(dimensions)):
        if axes != tuple(range(dimensions)):
            yield from _axes_moved(axes)
    for axis in range(dimensions):
        yield from _along(axis, f" along axis {axis}" if dimensions > 1 else "")


def _reshaped(case: Case) -> Array:
    return case.expected.reshape(case.got.shape)


def _axes_moved(axes: tuple[int, ...]) -> Iterator[Rule]:
    def moved(x: Array) -> Array:
        return x.transpose(axes)

    def moved_and_reshaped(x: Array) -> Array:
        return x.transpose(axes).reshape(x.shape)

    order = f": its axes are axes {axes} of the expected one" if len(axes) > 2 else ", rows for columns"
    yield Rule("transposed", f"{{it}} is transposed{order}.", of_expected(moved))
    sentence = "{it} gets its shape by a reshape, which mixes rows and columns: transpose the axes."
    yield Rule("reshaped", sentence, of_expected(moved_and_reshaped))


def _along(axis: int, along: str) -> Iterator[Rule]:
    def rule(kind: str, sentence: str, step: Callable[[Array], Array], backward: bool = False) -> Rule:
        def predict(case: Case) -> Array:
            return np.moveaxis(step(np.moveaxis(case.expected, axis, 0)), 0, axis)

        return Rule(kind, f"{{it}} {sentence.replace('#', along)}", predict, backward)

    yield rule("reversed", "is in reverse order#.", lambda x: x[::-1])
    yield rule("sorted", "is the expected one sorted#: keep the order of the input.", lambda x: np.sort(x, axis=0))
    yield rule("sorted", "is the expected one sorted downwards#: keep the order of the input.", _downwards)
    yield rule("not_sorted", "is not yet sorted#.", lambda x: np.sort(x, axis=0), backward=True)
    yield rule("not_sorted", "is not yet sorted downwards#.", _downwards, backward=True)
    yield rule("cumulated", "is the running sum of the expected one#.", lambda x: np.cumsum(x, axis=0))
    sentence = "is not yet summed up#: its running sum is the expected one."
    yield rule("differenced", sentence, lambda x: np.cumsum(x, axis=0), backward=True)
    for ends, part in _ENDS:
        yield rule("ends", f"lacks {ends} of the expected one#: is a range too short?", itemgetter(part))
        sentence = f"is the expected one with something more#: without {ends} it is right. Is a range too long?"
        yield rule("ends", sentence, itemgetter(part), backward=True)
    for place, backward in (("late", False), ("early", True)):
        sentence = f"{{it}} is shifted{along}: each element comes one place too {place}."
        yield Rule("shifted", sentence, lambda case: _one_late(case, axis), backward)


_ENDS = [
    ("the first element", slice(1, None)),
    ("the last element", slice(None, -1)),
    ("the first and the last element", slice(1, -1)),
]


def _downwards(x: Array) -> Array:
    return np.sort(x, axis=0)[::-1]


def _one_late(case: Case, axis: int) -> Array | None:
    """The expected elements one place later; the first place is free to hold anything."""
    expected, got = np.moveaxis(case.expected, axis, 0), np.moveaxis(case.got, axis, 0)
    if same(expected[1:], expected[:-1], case.tolerance):
        return None  # all the same: nothing to see of a shift
    return np.moveaxis(np.concatenate([got[:1], expected[:-1]]), 0, axis)


def reductions(dimensions: int) -> Iterator[Rule]:
    """Elements combined that should be kept, or the other way round."""
    for axis in [None, *range(dimensions if dimensions > 1 else 0)]:
        along = "" if axis is None else f" along axis {axis}"
        for name, function in _REDUCTIONS:
            step = partial(function, axis=axis)
            yield too_many("reduced", f"the {name}{along}", step)
            yield missing("not_reduced", f"the {name}{along}", step)


_REDUCTIONS: list[tuple[str, Callable[..., Any]]] = [
    ("sum", np.sum),
    ("mean", np.mean),
    ("largest element", np.max),
    ("smallest element", np.min),
    ("first element", lambda x, axis: np.take(x, 0, axis)),
    ("last element", lambda x, axis: np.take(x, -1, axis)),
]

# --- A range or a norm, read off the result --------------------------------------------------------------------------


def cut_off(cases: Sequence[Case]) -> Iterator[Rule]:
    """Values limited to a range or not, or wrong at the ends of it only."""
    for kind, state, backward in (("clipped", "is cut off", False), ("not_clipped", "is not cut off", True)):
        sided = [case.mirrored() if backward else case for case in cases]
        bounds = _bounds([case.got for case in sided])
        if bounds and _right_inside(sided, bounds):
            below = any(np.any(case.expected < bounds[0]) for case in sided)
            above = any(np.any(case.expected > bounds[1]) for case in sided)
            where = " and ".join([f"below {number(bounds[0])}"] * below + [f"above {number(bounds[1])}"] * above)
            sentence = f"{{it}} {state} {where}: which range are values to be limited to?"
            yield Rule(kind, sentence, of_expected(partial(np.clip, a_min=bounds[0], a_max=bounds[1])), backward)
        yield Rule(kind, f"{{it}} {state} at the ends of a range that changes from case to case.", _clipped, backward)
    bounds = _bounds([case.expected for case in cases])
    if bounds and _right_inside(cases, bounds):
        yield _wrong_at(bounds)


def _wrong_at(ends: tuple[float, float]) -> Rule:
    def predict(case: Case) -> Array:
        return np.where(np.isin(case.expected, ends), case.got, case.expected)

    sentence = f"{{it}} is wrong only where {number(ends[0])} or {number(ends[1])}, an end of the range, is expected."
    return Rule("ends_of_range", sentence, predict)


def _bounds(arrays: Sequence[Array]) -> tuple[float, float] | None:
    values = np.concatenate([array.ravel() for array in arrays])
    values = values[np.isfinite(values)]
    return (float(np.min(values)), float(np.max(values))) if values.size else None


def _right_inside(cases: Sequence[Case], bounds: tuple[float, float]) -> bool:
    """Whether three different elements between the bounds are right: without them, any number could be the bound."""
    inside: set[float] = set()
    for case in cases:
        if case.expected.shape == case.got.shape:
            kept = (case.got > bounds[0]) & (case.got < bounds[1])
            kept &= np.isclose(case.got, case.expected, rtol=case.tolerance, atol=0)
            inside.update(case.got[kept][:3].tolist())
    return len(inside) >= 3


def _clipped(case: Case) -> Array | None:
    low, high = float(np.nanmin(case.got)), float(np.nanmax(case.got))
    for bound, beyond in ((low, case.expected < low), (high, case.expected > high)):
        if np.any(beyond) and np.count_nonzero(case.got == bound) < 2:
            return None  # a single element is the largest of any array
    return np.clip(case.expected, low, high) if _right_inside([case], (low, high)) else None


def read_off(dimensions: int) -> Iterator[Rule]:
    """The expected elements times a norm, plus a level, or both, which change from case to case."""
    for axis in [None, *range(dimensions if dimensions > 1 else 0)]:
        each = "in each case" if axis is None else f"for each slice along axis {axis}"
        sentence = f"{{it}} is the expected one times a number, another {each}: is a divisor missing or wrong?"
        yield Rule("norm", sentence, _times(axis))
        sentence = f"{{it}} is the expected one plus a number, another {each}: is a mean to take away missing or wrong?"
        yield Rule("level", sentence, _plus(axis))
    yield Rule("affine", "{it} is the expected one, stretched and moved: are scale and zero the right ones?", _line)


def _times(axis: int | None) -> Callable[[Case], Array | None]:
    def predict(case: Case) -> Array | None:
        if not _various(case, axis, 3):
            return None
        at = np.argmax(np.abs(case.expected), axis=axis, keepdims=True)
        if axis is None:
            return case.expected * (case.got.flat[at.item()] / case.expected.flat[at.item()])
        return case.expected * np.take_along_axis(case.got, at, axis) / np.take_along_axis(case.expected, at, axis)

    return predict


def _plus(axis: int | None) -> Callable[[Case], Array | None]:
    def predict(case: Case) -> Array | None:
        if not _various(case, axis, 3):
            return None
        return case.expected + np.mean(case.got - case.expected, axis=axis, keepdims=True)

    return predict


def _line(case: Case) -> Array | None:
    if not _various(case, None, 5):
        return None
    e, g = case.expected - np.mean(case.expected), case.got - np.mean(case.got)
    return np.mean(case.got) + e * (np.sum(e * g) / np.sum(e * e))


def _various(case: Case, axis: int | None, needed: int) -> bool:
    """Whether both arrays have so many different elements (along the axis) that one number for all means something."""
    if case.expected.shape != case.got.shape or case.expected.ndim == 0:
        return False
    long = case.expected.size if axis is None else case.expected.shape[axis]
    return long >= needed and min(len(np.unique(case.expected)), len(np.unique(case.got))) >= needed


def one_step(wrong: Sequence[Case], bits_needed: float) -> Iterator[Rule]:
    """Integers that are one off here and there, and too far apart for that to be chance (three values out of many)."""
    arrays = [case.expected for case in wrong]
    spare = bits(arrays) - np.log2(3) * sum(array.size for array in arrays)
    if bits_needed <= spare < np.inf:
        sentence = "{it} is one step off here and there: is it rounded as asked (down, to nearest, halves to even)?"
        yield Rule("one_step", sentence, lambda case: case.expected + np.clip(np.rint(case.got - case.expected), -1, 1))


def reordered() -> Rule:
    """The right elements, in any order."""

    def predict(case: Case) -> Array | None:
        e, g = np.sort(case.expected, axis=None), np.sort(case.got, axis=None)
        return case.got if _various(case, None, 3) and same(e, g, case.tolerance) else None

    return Rule("reordered", "{it} has the right elements in another order.", predict)
