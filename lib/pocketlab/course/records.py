"""What is recorded of a learner's work, as typed records, and the JSON form in which it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar, get_args

FORMAT_VERSION = 1

Status = Literal["to do", "not yet", "passed"]
Choice = str | int | list[str] | list[int]
Record = TypeVar("Record")


@dataclass
class ExerciseRecord:
    """How one exercise stands. Once passed it stays passed; `attempts` goes on counting. Times are UTC, ISO 8601."""

    status: Status = "to do"
    attempts: int = 0
    first_passed: str | None = None
    last_hint: str | None = None


@dataclass
class PredictionRecord:
    """What the learner committed to, and when."""

    choice: Choice
    time: str


@dataclass
class QuizRecord:
    """The last choice in a quiz question; `correct` stays true once it was."""

    choice: Choice
    correct: bool
    attempts: int


@dataclass
class LabRecord:
    """Everything recorded of one lab."""

    exercises: dict[str, ExerciseRecord] = field(default_factory=dict)
    predictions: dict[str, PredictionRecord] = field(default_factory=dict)
    quizzes: dict[str, QuizRecord] = field(default_factory=dict)
    seconds: float = 0.0
    last_opened: str | None = None


@dataclass
class Progress:
    """All labs that were ever opened, by number ("01", "09a")."""

    labs: dict[str, LabRecord] = field(default_factory=dict)

    def lab(self, number: str) -> LabRecord:
        """The record of a lab, made when there is none yet."""
        return self.labs.setdefault(number, LabRecord())

    def to_json(self) -> bytes:
        """The content of the progress file."""
        labs = {number: asdict(lab) for number, lab in sorted(self.labs.items())}
        return (json.dumps({"version": FORMAT_VERSION, "labs": labs}, indent=1) + "\n").encode()


class NewerFormatError(Exception):
    """The progress was written by a newer Pocketlab than this one."""


def merge(progress: Progress, other: Progress) -> None:
    """Take `other` into `progress`: union of the records, passed and correct win, the larger counts win."""
    for number, theirs in deepcopy(other).labs.items():
        ours = progress.lab(number)
        for key, exercise in theirs.exercises.items():
            ours.exercises[key] = _better_exercise(ours.exercises.get(key, exercise), exercise)
        for key, prediction in theirs.predictions.items():
            ours.predictions.setdefault(key, prediction)
        for key, quiz in theirs.quizzes.items():
            mine = ours.quizzes.get(key, quiz)
            ours.quizzes[key] = QuizRecord(mine.choice, mine.correct or quiz.correct, max(mine.attempts, quiz.attempts))
        ours.seconds = max(ours.seconds, theirs.seconds)
        ours.last_opened = max(ours.last_opened or "", theirs.last_opened or "") or None


def parse(data: bytes) -> tuple[Progress, bool]:
    """Read the content of a progress file. Returns what could be read, and whether all of it could.

    A record of the wrong form is left out and the others are kept. Raises NewerFormatError, and nothing else.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return Progress(), False
    reader = _Reader()
    version = reader.table(document).get("version")
    if type(version) is int and version > FORMAT_VERSION:
        raise NewerFormatError
    labs = reader.records(reader.table(document).get("labs"), reader.lab)
    return Progress(labs), reader.whole and version == FORMAT_VERSION


class _Reader:
    """Turns decoded JSON into records; `whole` turns false at the first thing that has the wrong form."""

    def __init__(self) -> None:
        self.whole = True

    def table(self, value: object) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.whole = False
        return {}

    def records(self, value: object, read: Callable[[Any], Record]) -> dict[str, Record]:
        records = {}
        for key, item in self.table(value).items():
            try:
                records[key] = read(item)
            except (TypeError, ValueError, LookupError):
                self.whole = False
        return records

    def lab(self, item: Any) -> LabRecord:
        lab = LabRecord(
            self.records(item["exercises"], _read_exercise),
            self.records(item["predictions"], _read_prediction),
            self.records(item["quizzes"], _read_quiz),
        )
        try:
            lab.seconds, lab.last_opened = as_seconds(item["seconds"]), _as_text(item["last_opened"])
        except (TypeError, ValueError, LookupError):
            self.whole = False
        return lab


def _read_exercise(item: Any) -> ExerciseRecord:
    if item["status"] not in get_args(Status):
        raise ValueError(item["status"])
    return ExerciseRecord(
        item["status"], _as_count(item["attempts"]), _as_text(item["first_passed"]), _as_text(item["last_hint"])
    )


def _read_prediction(item: Any) -> PredictionRecord:
    return PredictionRecord(as_choice(item["choice"]), _as_text(item["time"]) or "")


def _read_quiz(item: Any) -> QuizRecord:
    return QuizRecord(as_choice(item["choice"]), item["correct"] is True, _as_count(item["attempts"]))


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"expected text or nothing, got {value!r}")


def _as_count(value: Any) -> int:
    if type(value) is int and value >= 0:
        return value
    raise ValueError(f"expected a count, got {value!r}")


def as_seconds(value: Any) -> float:
    """The number of seconds that `value` is. Raises ValueError for anything else, NaN and infinity too."""
    if type(value) in (int, float) and 0 <= value < 1e12:
        return float(value)
    raise ValueError(f"expected seconds, got {value!r}")


def as_choice(value: Any) -> Choice:
    """The choice that `value` is. Raises ValueError for anything else."""
    parts = value if isinstance(value, list) else [value]
    if all(type(part) in (str, int) for part in parts):
        return value
    raise ValueError(f"A choice is text, a whole number, or a list of them, not {value!r}.")


def _better_exercise(one: ExerciseRecord, other: ExerciseRecord) -> ExerciseRecord:
    first = min(one, other, key=lambda record: record.first_passed or "~")
    last = max(one, other, key=lambda record: (record.status == "passed", record.attempts))
    return ExerciseRecord(last.status, max(one.attempts, other.attempts), first.first_passed, last.last_hint)
