import json

import pytest
import small_course

from pocketlab.course import running
from pocketlab.course.progress import ProgressStore
from pocketlab.course.running import Check, run_lab
from pocketlab.errors import PocketlabError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETLAB_COURSE", str(tmp_path / "course"))
    monkeypatch.setenv("POCKETLAB_HOME", str(tmp_path / "home"))
    return small_course.make(tmp_path / "course")


def add_cells(root, *sources):
    """New code cells before the last one of the learner's notebook."""

    def change(notebook):
        cells = [small_course.code_cell(f"new-{index}", source) for index, source in enumerate(sources)]
        notebook.cells[-1:-1] = cells

    small_course.edit(root, change)


def test_the_solution_passes_all(root):
    report = run_lab("01", solution=True)
    assert report.checks == (Check("01.1", "passed", None), Check("01.2", "passed", None))
    assert report.all_passed
    assert report.faults == ()
    assert str(report).splitlines()[1].split() == ["exercise", "status", "mistake"]
    assert "01.2" in str(report)
    # A kernel with IPython takes tens of megabytes, whatever the lab does.
    assert 20 < report.peak_mb < 1000
    assert report.seconds > 0


def test_the_learners_notebook_shows_where_they_are(root):
    small_course.answer(root, "01.2", "def square(x): return x + 1")
    before = small_course.LAB.notebook(root).read_bytes()
    report = run_lab("1")
    assert report.checks == (Check("01.1", "to do", None), Check("01.2", "not yet", "Two and two is four."))
    assert not report.all_passed
    assert small_course.LAB.notebook(root).read_bytes() == before
    assert ProgressStore().lab_summary("01") == (0, 0, 0.0), "a run is no attempt of the learner's"


def test_a_cell_that_raises_is_named_and_the_rest_runs(root):
    add_cells(root, "# divide\n1 / 0", "raise ValueError('first line\\nlast line')", "print('after')")
    report = run_lab("01")
    assert report.faults == (
        "Cell 7 (# divide) raised ZeroDivisionError: division by zero",
        "Cell 8 (raise ValueError('first line\\nlast line')) raised last line",
    )
    assert [check.status for check in report.checks] == ["to do", "to do"]
    assert report.faults[0] in str(report)


def test_a_kernel_that_ends_is_reported(root):
    small_course.edit(root, lambda notebook: notebook.cells[1].update(source="import os\nos._exit(3)"))
    report = run_lab("01")
    assert report.faults == ("Cell 2 (import os) ended the kernel; the run ends here.",)
    assert {check.status for check in report.checks} == {"not reached"}


def test_a_cell_that_never_ends(root, monkeypatch):
    monkeypatch.setattr(running, "CELL_TIMEOUT_S", 1)
    add_cells(root, "while True:\n    pass")
    report = run_lab("01")
    assert report.faults == ("Cell 7 (while True:) ran for more than 1 s; the run ends here.",)


def test_the_run_sees_the_folder_that_the_notebook_is_in(root):
    (root / "labs/data.txt").write_text("beside the notebook")
    add_cells(root, "assert open('data.txt').read() == 'beside the notebook'")
    assert run_lab("01").faults == ()


def test_memory_of_child_processes_counts(root):
    child = "import time; block = b'x' * 300_000_000; time.sleep(2)"
    add_cells(root, f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])")
    assert run_lab("01").peak_mb > 300


def test_a_lab_that_is_not_there(root):
    for solution in (False, True):
        with pytest.raises(PocketlabError, match="not written yet"):
            run_lab("02", solution=solution)
    with pytest.raises(PocketlabError, match="no lab"):
        run_lab("77")


def test_a_damaged_notebook(root):
    small_course.LAB.notebook(root).write_text(json.dumps({"cells": 1}))
    with pytest.raises(PocketlabError, match="damaged"):
        run_lab("01")
