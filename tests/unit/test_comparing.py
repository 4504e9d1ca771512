"""What is told of a wrong result: every way of being wrong has its sentence."""

from __future__ import annotations

import numpy as np
import pytest

from pocketlab.course.comparing import agree, difference
from pocketlab.course.exercise import EXACT, Tolerance

NEAR = Tolerance(1e-6, 0.0, "for the tests")
A = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


@pytest.mark.parametrize(
    ("expected", "got", "part"),
    [
        (1.5, None, "`return` missing"),
        (1.5, "1.5", "A number is wanted"),
        (1.5, 1.6, "1.6 where 1.5 is wanted"),
        (1.5, np.array([1.5]), "array of shape (1,)"),
        (3, 3.0, "whole number (int)"),
        (True, 1, "True or False"),
        (1.0, float("nan"), "nan where 1"),
        ((1.0, 2), (1.0, 3), "Value 2 of 2: 3 where 2"),
        ((1.0, 2), (1.0, 2, 3), "2 values are wanted; here: 3"),
        ((1.0, 2), 1.0, "as a tuple or a list"),
        (A, A.ravel(), "shape is (4,) where (2, 2)"),
        (A, A * np.nan, "4 of 4 values are NaN"),
        (A, A + np.eye(2, dtype=np.float32), "first is at [0, 0]: 2 where 1"),
        (A, A.astype(np.float64), "dtype is float64 where float32"),
        (np.array([1, 2], np.int8), np.array([1, 2]), "dtype is int64 where int8"),
        (np.array([True, False]), np.array([1.0, 0.0]), "dtype is float64 where bool"),
        (np.array([True, False]), (1, 0), "dtype is int64 where bool"),
        (A, 3, "shape is () where (2, 2)"),
        (A, "text", "An array is wanted"),
        (A, ((1.0, 2.0), (3.0,)), "rows differ in length"),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, "missing: ['b']; not wanted: ['c']"),
        ({"a": 1}, {"a": 2}, "At key 'a': 2 where 1"),
        ({"a": 1}, [1], "A dict is wanted"),
        ("yes", "no", "not the expected one"),
        ("yes", 3, "A str is wanted"),
        (1.0, np.inf, "inf where 1"),
    ],
)
def test_each_difference_has_its_sentence(expected, got, part: str) -> None:
    assert part in (difference(expected, got, NEAR) or "no difference")


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (1.5, np.float32(1.5)),
        (1.5, np.array(1.5)),
        (3, np.int64(3)),
        (np.inf, np.inf),
        (float("nan"), np.nan),
        ((1.0, 2), [1.0, 2]),
        ((1.0, 2.0), np.array([1.0, 2.0])),
        (A.astype(np.float64), A.tolist()),
        (A, A * np.float32(1 + 5e-7)),
        (A.astype(np.float64), A),
        ({"a": (1, 2)}, {"a": [1, 2]}),
        (np.array([True, False]), [True, False]),
        (np.zeros(0, bool), ()),
    ],
)
def test_what_is_as_good_as_expected_has_no_difference(expected, got) -> None:
    got = tuple(map(tuple, got)) if isinstance(got, list) and isinstance(got[0], list) else got
    got = tuple(got) if isinstance(got, list) else got
    got = {k: tuple(v) for k, v in got.items()} if isinstance(got, dict) else got
    assert difference(expected, got, NEAR) is None


def test_agreement_looks_at_values_only() -> None:
    assert agree(np.array([1, 2], np.int8), np.array([1.0, 2.0]), EXACT)
    assert agree(3, 3.0, EXACT)
    assert not agree(3, "3", EXACT)
