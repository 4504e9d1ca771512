"""Compare what an answer returned with what was expected, and say in a sentence where they first differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from pocketlab.course.exercise import Tolerance

NUMBERS = bool | int | float | np.generic


def difference(expected: Any, got: Any, tolerance: Tolerance, *, types: bool = True) -> str | None:
    """Return None where got is as good as expected, and otherwise a sentence that says how it differs.

    With `types` off only values count: 3.0 stands for 3, and an int64 array for an int8 one.
    """
    if got is None and expected is not None:
        return "The function returned None: is a `return` missing?"
    if isinstance(expected, tuple):
        return _tuple_difference(expected, got, tolerance, types)
    if isinstance(expected, dict):
        return _dict_difference(expected, got, tolerance, types)
    if isinstance(expected, np.ndarray):
        return _array_difference(expected, got, tolerance, types)
    if isinstance(expected, NUMBERS):
        return _number_difference(expected, got, tolerance, types)
    if type(expected) is not type(got):
        return f"A {_type_name(expected)} is wanted; this is a {_type_name(got)}."
    return None if expected == got else "It is not the expected one."


def agree(first: Any, second: Any, tolerance: Tolerance) -> bool:
    """Whether two returned values are the same up to the tolerance, whatever their types."""
    try:
        return difference(first, second, tolerance, types=False) is None
    except Exception:  # whatever an answer's own values do when they are compared
        return False


def _tuple_difference(expected: tuple[Any, ...], got: Any, tolerance: Tolerance, types: bool) -> str | None:
    if isinstance(got, np.ndarray) and got.ndim >= 1:
        got = tuple(got)
    if not isinstance(got, tuple):
        return f"{_values(len(expected))} wanted, as a tuple or a list; this is a {_type_name(got)}."
    if len(got) != len(expected):
        return f"{_values(len(expected))} wanted; here: {len(got)}."
    for position, (e, g) in enumerate(zip(expected, got, strict=True)):
        found = difference(e, g, tolerance, types=types)
        if found:
            return f"Value {position + 1} of {len(expected)}: {found}"
    return None


def _dict_difference(expected: dict[Any, Any], got: Any, tolerance: Tolerance, types: bool) -> str | None:
    if not isinstance(got, dict):
        return f"A dict is wanted; this is a {_type_name(got)}."
    missing = [key for key in expected if key not in got]
    extra = [key for key in got if key not in expected]
    if missing or extra:
        parts = [f"missing: {missing[:5]}"] * bool(missing) + [f"not wanted: {extra[:5]}"] * bool(extra)
        return f"The keys differ; {'; '.join(parts)}."
    for key, e in expected.items():
        found = difference(e, got[key], tolerance, types=types)
        if found:
            return f"At key {key!r}: {found}"
    return None


def _array_difference(expected: np.ndarray, got: Any, tolerance: Tolerance, types: bool) -> str | None:
    if isinstance(got, tuple):
        try:
            got = np.asarray(got)
        except ValueError:
            return f"An array of shape {expected.shape} is wanted; this is a list whose rows differ in length."
    if not isinstance(got, np.ndarray | NUMBERS):
        return f"An array is wanted; this is a {_type_name(got)}."
    array = np.asarray(got)
    if array.shape != expected.shape:
        return f"The shape is {array.shape} where {expected.shape} is wanted."
    if array.dtype.kind not in "biuf":
        return f"An array of real numbers is wanted; its dtype is {array.dtype}."
    wrong = ~_close(expected, array, tolerance)
    if wrong.any():
        return _describe_wrong(expected, array, wrong)
    if types and expected.dtype.kind == "b" and array.dtype.kind != "b" and array.size:  # an empty list has no dtype
        return f"The values are right, but the dtype is {array.dtype} where bool (True or False) is wanted."
    if types and expected.dtype.kind in "iu" and array.dtype != expected.dtype:
        return f"The values are right, but the dtype is {array.dtype} where {expected.dtype} is wanted."
    if types and expected.dtype == np.float32 and array.dtype != np.float32:
        return f"The values are right, but the dtype is {array.dtype} where float32 is wanted."
    return None


def _describe_wrong(expected: np.ndarray, got: np.ndarray, wrong: np.ndarray) -> str:
    if got.dtype.kind == "f" and np.isnan(got[wrong]).all() and not np.isnan(expected[wrong]).any():
        return f"{int(wrong.sum())} of {wrong.size} values are NaN."
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f"[{', '.join(map(str, first))}]" if first else ""
    return (
        f"{int(wrong.sum())} of {wrong.size} values differ; the first is at {where or 'the only place'}: "
        f"{number_text(got[first])} where {number_text(expected[first])} is wanted."
    )


def _number_difference(expected: Any, got: Any, tolerance: Tolerance, types: bool) -> str | None:
    if isinstance(got, np.ndarray) and got.ndim == 0:
        got = got[()]
    if isinstance(got, np.ndarray):
        return f"One number is wanted; this is an array of shape {got.shape}."
    if not isinstance(got, NUMBERS) or np.asarray(got).dtype.kind not in "biuf":
        return f"A number is wanted; this is a {_type_name(got)}."
    if isinstance(expected, bool | np.bool_) and types and not isinstance(got, bool | np.bool_):
        return f"True or False is wanted; this is {number_text(got)}."
    if not bool(_close(np.asarray(expected), np.asarray(got), tolerance)):
        return f"{number_text(got)} where {number_text(expected)} is wanted."
    if types and isinstance(expected, int | np.integer) and isinstance(got, float | np.floating):
        return f"The value is right, but it is a float ({number_text(got)}) where a whole number (int) is wanted."
    return None


def _close(expected: np.ndarray, got: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    e, g = expected.astype(np.float64), got.astype(np.float64)
    same = (e == g) | (np.isnan(e) & np.isnan(g))  # infinities are equal or not; they have no distance
    with np.errstate(all="ignore"):
        near = np.abs(e - g) <= tolerance.absolute + tolerance.relative * np.abs(e)
    return np.asarray(same | (near & np.isfinite(e) & np.isfinite(g)))


def number_text(value: Any) -> str:
    """Show a number with as many digits as a reader can use."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, float | np.floating):
        return str(value)
    return f"{float(value):.6g}"


def _values(count: int) -> str:
    return "One value is" if count == 1 else f"{count} values are"


def _type_name(value: Any) -> str:
    return getattr(value, "type_name", type(value).__name__)
