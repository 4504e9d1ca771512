"""What an exercise and a question are: declared once for each lab, in `course/exercises/labNN.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One call that a check makes.

    `label` says which kind of input it is ("all values positive"), so that a card can say on which kind an answer fails;
    `sizes` names numbers of this case by which a wrong result could be off, such as {"the batch size": 32}.
    """

    label: str
    args: tuple[Any, ...]
    sizes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be from the reference: |got − expected| ≤ absolute + relative·|expected|, and why that much."""

    relative: float
    absolute: float
    why: str


EXACT = Tolerance(0.0, 0.0, "Whole numbers and text are right or wrong.")


@dataclass(frozen=True)
class Misconception:
    """A mistake that people really make: a wrong implementation, and what to tell somebody whose answer behaves like it."""

    name: str
    wrong: Callable[..., Any]
    hint: str


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@dataclass(frozen=True)
class Exercise:
    """An exercise: the library's function as the reference, the calls that test an answer, and the known mistakes.

    `cases` receives a seeded generator and returns the calls, the easiest to read first. A call for which the reference raises
    ValueError expects the answer to raise it too. `probe` makes of a function the one whose results are compared, where the
    value that it returns is not all that counts: its gradient, say.
    """

    id: str
    title: str
    reference: Callable[..., Any]
    cases: Callable[[np.random.Generator], list[Case]]
    misconceptions: tuple[Misconception, ...]
    tolerance: Tolerance
    time_limit_s: float = 2.0
    probe: Callable[[Callable[..., Any]], Callable[..., Any]] = _as_it_is


@dataclass(frozen=True)
class Option:
    """One answer to a question, and what to say to somebody who had a reason to choose it."""

    text: str
    explanation: str
    correct: bool = False


@dataclass(frozen=True)
class Question:
    """A question with options: a prediction before an experiment, or part of the quiz at the end."""

    id: str
    text: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class LabContent:
    """All that one lab declares."""

    exercises: tuple[Exercise, ...]
    predictions: tuple[Question, ...]
    quiz: tuple[Question, ...]
