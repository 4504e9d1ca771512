"""The table of all labs with what the learner has done: for `pocketlab status` and the first notebook."""

from __future__ import annotations

from pathlib import Path

from pocketlab.course.catalogue import LABS, LabEntry, course_root
from pocketlab.course.lab import load_content
from pocketlab.course.progress import ProgressStore
from pocketlab.course.records import Progress
from pocketlab.ui.table import Table, table

COLUMNS = ("lab", "title", "state", "exercises", "attempted", "passed", "minutes", "last opened")


def status_table() -> tuple[Table, list[str]]:
    """Return the table of all labs, and what there is to tell about the progress file."""
    store, root = ProgressStore(), course_root()
    progress = store.read()
    rows = [_row(lab, root, progress) for lab in LABS]
    return table(rows, COLUMNS, caption="Your labs"), store.take_notices()


def _row(lab: LabEntry, root: Path, progress: Progress) -> tuple[object, ...]:
    record = progress.lab(lab.number)
    if not lab.is_ready(root):
        return lab.number, lab.title, "to come", None, None, None, None, None
    exercises = len(load_content(lab.number).exercises)
    attempted = sum(each.attempts > 0 for each in record.exercises.values())
    passed = sum(each.status == "passed" for each in record.exercises.values())
    opened = record.last_opened[:10] if record.last_opened else None
    return lab.number, lab.title, "ready", exercises, attempted, passed, round(record.seconds / 60), opened
