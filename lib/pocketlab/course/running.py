"""Run a lab from top to bottom without a browser: what its checks said, how long it took, how much memory it needed."""

from __future__ import annotations

import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbclient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from pocketlab.course.build import read_notebook, solution_notebook
from pocketlab.course.catalogue import LabEntry, course_root, find_lab
from pocketlab.course.execution import CELL_TIMEOUT_S, without_colors
from pocketlab.course.progress import ProgressStore
from pocketlab.errors import PocketlabError
from pocketlab.runtimes.memory import PeakMemory
from pocketlab.ui.table import table

_EXERCISE_CELL = re.compile(r"exercise-(.+)-(.+)")


@dataclass(frozen=True)
class Check:
    """What the last check of an exercise said. `status` is "not reached" where none ran, `mistake` the mistake's name."""

    exercise: str
    status: str
    mistake: str | None


@dataclass(frozen=True)
class RunReport:
    """The run of one lab: its checks, one sentence for each cell that raised, wall time, peak of the process tree."""

    lab: LabEntry
    checks: tuple[Check, ...]
    faults: tuple[str, ...]
    seconds: float
    peak_mb: float

    @property
    def all_passed(self) -> bool:
        """Whether every exercise of the lab was checked and passed."""
        return all(check.status == "passed" for check in self.checks)

    def __str__(self) -> str:
        rows = [(check.exercise, check.status, check.mistake) for check in self.checks]
        lines = [
            repr(table(rows, ["exercise", "status", "mistake"], caption=f"Lab {self.lab.number}: {self.lab.title}"))
        ]
        lines += ["", *self.faults] if self.faults else []
        return "\n".join([*lines, "", f"{self.seconds:.1f} s, {self.peak_mb:,.0f} MB at the peak"])


def run_lab(number: str, *, solution: bool = False) -> RunReport:
    """Execute the learner's notebook of a lab, or its solution, in a fresh kernel and an empty home folder.

    No notebook is written and no progress recorded. A cell that raises is reported and the run goes on; after one that
    takes more than 300 s or ends the kernel it cannot. Raises PocketlabError when there is no such notebook.
    """
    lab, root = find_lab(number), course_root()
    notebook = _solution(lab, root) if solution else read_notebook(lab.notebook(root))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        start = time.monotonic()
        faults, peak_mb = _execute(notebook, root, home)
        seconds = time.monotonic() - start
        records = ProgressStore(Path(home)).read().lab(lab.number).exercises
    found = {
        f"{match[1]}.{match[2]}" for cell in notebook.cells if (match := _EXERCISE_CELL.fullmatch(cell.get("id", "")))
    }
    checks = [
        Check(each, records[each].status, records[each].last_hint)
        if each in records
        else Check(each, "not reached", None)
        for each in sorted(found | records.keys())
    ]
    return RunReport(lab, tuple(checks), tuple(faults), seconds, peak_mb)


def _solution(lab: LabEntry, root: Path) -> NotebookNode:
    if not lab.source(root).is_file():
        raise PocketlabError(f"Lab {lab.number} has no solution {lab.source(root)}: it is not written yet.")
    return solution_notebook(lab.source(root))


def _execute(notebook: NotebookNode, root: Path, home: str) -> tuple[list[str], float]:
    """Run all cells in labs/, as JupyterLab does. Returns a sentence for each that raised, and the peak memory in MB."""
    faults: list[str] = []
    client = nbclient.NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(root / "labs")}},
    )
    variables = os.environ | {"POCKETLAB_HOME": home, "POCKETLAB_COURSE": str(root), "MPLBACKEND": "agg"}
    with client.setup_kernel(env=variables), PeakMemory(client.km.provisioner.pid) as memory:
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, index)
            except CellTimeoutError:
                faults.append(f"{_name(index, cell)} ran for more than {CELL_TIMEOUT_S} s; the run ends here.")
                break
            except DeadKernelError:
                faults.append(f"{_name(index, cell)} ended the kernel; the run ends here.")
                break
            faults += [f"{_name(index, cell)} raised {error}" for error in _errors(cell)]
    return faults, memory.peak_mb


def _errors(cell: NotebookNode) -> list[str]:
    """The last line of each error that a cell shows."""
    errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
    texts = [without_colors(f"{error.ename}: {error.evalue}").strip() for error in errors]
    return [text.splitlines()[-1] for text in texts]


def _name(index: int, cell: NotebookNode) -> str:
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "empty")
    return f"Cell {index + 1} ({first[:60]})"
