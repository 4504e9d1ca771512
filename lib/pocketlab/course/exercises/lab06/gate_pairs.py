"""Exercise 06.6: two mistakes at once. A wrong distance often comes together with a wrong decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab06.gate_mistakes import (
    ALONE,
    Array,
    answer,
    bound,
    diagonal,
    diagonal_as_deviations,
    length_of_solution,
    squared,
)

_DISTANCES = (
    ("the square root returned", lambda r, S: float(np.sqrt(squared(r, S))), lambda d: d**2),
    ("the square root of both", lambda r, S: float(np.sqrt(squared(r, S))), lambda d: d),
    ("off-diagonal numbers ignored", diagonal, lambda d: d),
    ("the diagonal taken for standard deviations", diagonal_as_deviations, lambda d: d),
    ("S ignored", lambda r, S: float(r @ r), lambda d: d),
    ("multiplied by S", lambda r, S: float(r @ S @ r), lambda d: d),
    ("the inverse twice", length_of_solution, lambda d: d),
)
_DECISIONS = (
    ("one degree of freedom", lambda share, r: bound(share, 1), lambda d, limit: bool(d <= limit)),
    ("two degrees of freedom", lambda share, r: bound(share, 2), lambda d, limit: bool(d <= limit)),
    ("refused at the bound", lambda share, r: bound(share, len(r)), lambda d, limit: bool(d < limit)),
    ("NaN accepted", lambda share, r: bound(share, len(r)), lambda d, limit: not d > limit),
    ("the share that is refused", lambda share, r: bound(1 - share, len(r)), lambda d, limit: bool(d <= limit)),
)
_BOUNDS = (
    *_DECISIONS[:2],
    ("one degree of freedom less", lambda share, r: bound(share, len(r) - 1), None),
)
_HINTS = {known.name: known.hint for known in ALONE}


def _both(distance: Any, compared: Any, limit: Any, accept: Any) -> Callable[[Array, Array, float], Any]:
    return answer(distance, limit, lambda d, found: accept(compared(d), found))


MISTAKES = (
    *ALONE,
    *(
        Misconception(f"{first}; {second}", _both(distance, compared, limit, accept), f"{_HINTS[first]} And: {_HINTS[second]}")
        for first, distance, compared in _DISTANCES
        for second, limit, accept in _DECISIONS
    ),
    *(
        Misconception(
            f"{first}; refused at the bound",
            answer(limit=limit, accept=lambda d, found: bool(d < found)),
            f"{_HINTS[first]} And: {_HINTS['refused at the bound']}",
        )
        for first, limit, _ in _BOUNDS
    ),
)
