"""A learner's progress: one small file that survives killed kernels, full disks and two notebooks at once.

Every change is read-modify-write under a lock, and the file is replaced, never written in place. Nothing here raises
because of the disk: a change that cannot be written waits in memory and is written together with the next one that can;
`ProgressStore.take_notices` then has one sentence about it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from filelock import FileLock

from pocketlab.course.files import remove_leftovers, timestamp, unused, write_atomically
from pocketlab.course.records import (
    Choice,
    ExerciseRecord,
    LabRecord,
    NewerFormatError,
    PredictionRecord,
    Progress,
    QuizRecord,
    Status,
    as_choice,
    as_seconds,
    merge,
    parse,
)

LOCK_SECONDS = 10.0


def home() -> Path:
    """The folder of all that is the learner's and not a notebook: `$POCKETLAB_HOME`, or `~/.pocketlab`."""
    return Path(os.environ.get("POCKETLAB_HOME") or Path.home() / ".pocketlab")


_default_home = home  # `home` is a parameter's name below


class ProgressStore:
    """The progress file of one learner, `progress.json` in the folder `home`."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or _default_home()
        self.path = self.home / "progress.json"
        self._waiting: list[Callable[[Progress], None]] = []
        self._notices: list[str] = []
        self._told: set[str] = set()
        self._guard = threading.RLock()

    def record_attempt(self, exercise_id: str, status: Status, hint: str | None = None) -> None:
        """Record one check of an exercise. An untouched stub ("to do") counts as no attempt."""
        if status not in get_args(Status):
            raise ValueError(f"A status is one of {get_args(Status)}, not {status!r}.")
        now = _now()

        def change(progress: Progress) -> None:
            record = _opened(progress, exercise_id, now).exercises.setdefault(exercise_id, ExerciseRecord())
            record.attempts += status != "to do"
            record.last_hint = hint
            if record.status != "passed":
                record.status = status
                record.first_passed = now if status == "passed" else None

        self._change(change)

    def record_prediction(self, prediction_id: str, choice: Choice) -> None:
        """Record what the learner predicts; a later choice takes the place of an earlier one."""
        now = _now()
        record = PredictionRecord(as_choice(choice), now)
        self._change(lambda progress: _opened(progress, prediction_id, now).predictions.update({prediction_id: record}))

    def record_quiz(self, question_id: str, choice: Choice, correct: bool) -> None:
        """Record one answer to a quiz question."""
        now = _now()
        choice = as_choice(choice)

        def change(progress: Progress) -> None:
            quizzes = _opened(progress, question_id, now).quizzes
            before = quizzes.get(question_id, QuizRecord(choice, False, 0))
            quizzes[question_id] = QuizRecord(choice, bool(correct) or before.correct, before.attempts + 1)

        self._change(change)

    def add_time(self, lab: str, seconds: float) -> None:
        """Add time spent in a lab. Zero seconds records that the lab was opened."""
        now, seconds = _now(), as_seconds(seconds)

        def change(progress: Progress) -> None:
            _opened(progress, lab, now).seconds += seconds

        self._change(change)

    def merge(self, other: Progress) -> bool:
        """Take in progress from elsewhere; of each record the better stays (passed wins, the larger counts win).

        Returns whether it is written; if not, it waits in memory and there is a notice.
        """
        self._change(lambda progress: merge(progress, other))
        return not self._waiting

    def read(self) -> Progress:
        """The progress as it stands, with what still waits to be written."""
        with self._guard:
            try:
                progress, whole = self._load()
            except (OSError, NewerFormatError):
                return self._synchronize()
            return progress if whole and not self._waiting else self._synchronize()

    def lab_summary(self, number: str) -> tuple[int, int, float]:
        """Of one lab: exercises passed, exercises attempted (passed or not), seconds spent."""
        lab = self.read().lab(number)
        passed = sum(record.status == "passed" for record in lab.exercises.values())
        attempted = sum(record.attempts > 0 for record in lab.exercises.values())
        return passed, attempted, lab.seconds

    def take_notices(self) -> list[str]:
        """Sentences for the learner about the file itself; each is given once."""
        with self._guard:
            notices, self._notices = self._notices, []
            return notices

    def _change(self, change: Callable[[Progress], None]) -> None:
        with self._guard:
            self._waiting.append(change)
            self._synchronize()

    def _synchronize(self) -> Progress:
        """Write the file with what waits for it; what the disk refuses goes on waiting. Returns the two together."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with FileLock(self.home / "progress.lock", timeout=LOCK_SECONDS, poll_interval=0.01):
                remove_leftovers(self.path)
                progress, whole = self._load()
                if not whole:
                    self._set_aside(progress)
                self._apply_waiting(progress)
                write_atomically(self.path, progress.to_json())
                self._waiting.clear()
                self._told.discard("unwritable")
                return progress
        except NewerFormatError:
            self._tell(
                "newer",
                f"{self.path} was written by a newer Pocketlab and is left as it is; to record what you do, bring this "
                "one up to date with `pocketlab update`.",
            )
            progress = Progress()
        except OSError as error:
            self._tell(
                "unwritable",
                f"Progress cannot be written to {self.path} ({error.strerror or error}); it is kept in memory and "
                "written as soon as that works.",
            )
            progress = self._load_or_empty()
        self._apply_waiting(progress)
        return progress

    def _load(self) -> tuple[Progress, bool]:
        """What the file holds, and whether all of it could be read. Raises OSError or NewerFormatError."""
        try:
            return parse(self.path.read_bytes())
        except FileNotFoundError:
            return Progress(), True

    def _load_or_empty(self) -> Progress:
        try:
            return self._load()[0]
        except (OSError, NewerFormatError):
            return Progress()

    def _apply_waiting(self, progress: Progress) -> None:
        for change in self._waiting:
            change(progress)

    def _set_aside(self, readable: Progress) -> None:
        """Copy the damaged file beside itself; the caller then replaces it by what was readable of it."""
        aside = unused(self.path.with_name(f"progress.damaged-{timestamp()}.json"))
        write_atomically(aside, self.path.read_bytes())
        count = sum(len(lab.exercises) for lab in readable.labs.values())
        self._notices.append(
            f"The progress file was damaged: it is kept as {aside}, and what could be read of it ({count} exercises) "
            "goes on."
        )

    def _tell(self, kind: str, sentence: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._notices.append(sentence)


def _opened(progress: Progress, record_id: str, now: str) -> LabRecord:
    """The lab of an exercise, prediction or quiz question ("01.2", "01.P1"), or of itself ("01"), marked as opened."""
    lab = progress.lab(record_id.split(".")[0])
    lab.last_opened = now
    return lab


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
