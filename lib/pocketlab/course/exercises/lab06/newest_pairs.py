"""Exercise 06.10: two mistakes at once."""

from __future__ import annotations

from typing import Any

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab06 import newest_wrong as wrong
from pocketlab.course.exercises.lab06.newest_mistakes import ALONE, accept
from pocketlab.course.exercises.lab06.newest_wrong import changed

# What is refused is told only where all else is right, so of two mistakes about it both have to be known together.
_TIMES = (
    "an equal time accepted",
    "times not compared",
    "forgotten when empty",
    "forgotten when empty, and an equal time accepted",
    "compared with the oldest that is there",
    "a last time of 0.0 taken for none",
    "left out without a word",
    "sorted in",
    "dropped before it is refused",
    "appended before it is refused",
    "remembered before it is refused",
)
_ZERO = ("one frame too many", "nothing written down", "the new frame dropped", "the newest dropped", "the newest first")
_FULL: dict[str, dict[str, Any]] = {"any capacity": {}, "any capacity, compared with ==": {"full": wrong.exactly_full}}


def _class(known: Misconception) -> type[wrong.Right]:
    assert isinstance(known.wrong, type)
    return known.wrong


MISTAKES = (
    *ALONE,
    Misconception(
        "any capacity, compared with ==",
        changed(check=accept, full=wrong.exactly_full),
        "You accept a capacity below 1, and such a queue cannot hold a frame. Raise a ValueError in `__init__`.",
    ),
    *(
        Misconception(
            f"{known.name}; {name}",
            changed(_class(known), check=accept, **parts),
            f"{known.hint} And: refuse a capacity below 1 in `__init__`.",
        )
        for known in ALONE
        if known.name in _TIMES
        for name, parts in _FULL.items()
    ),
    *(
        Misconception(
            f"{known.name}; 0 before the first frame",
            changed(_class(known), before_all=lambda queue: 0.0),
            f"{known.hint} And: your last time is 0 before there is any frame, so you refuse a first one of 0.0 s. "
            "Begin with `-math.inf`.",
        )
        for known in ALONE
        if known.name in _ZERO
    ),
)
