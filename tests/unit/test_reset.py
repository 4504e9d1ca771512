import json

import nbformat
import pytest
import small_course

from pocketlab.course import reset
from pocketlab.course.reset import reset_exercise
from pocketlab.errors import PocketlabError

MINE = "def double(x):\n    return x + x  # mine: ünïcödé"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETLAB_COURSE", str(tmp_path))
    monkeypatch.setattr(reset, "timestamp", lambda: "20260101-120000")
    return small_course.make(tmp_path)


def sources(root):
    return {cell.id: cell.source for cell in small_course.read(root).cells}


def test_the_answer_is_kept_and_the_stub_is_back(root):
    fresh = sources(root)
    small_course.answer(root, "01.1", MINE)
    small_course.answer(root, "01.2", "def square(x): return x ** 2")
    edited = sources(root)
    done = reset_exercise("01.1")
    assert sources(root) == edited | {"exercise-01-1": fresh["exercise-01-1"]}
    kept = root / "labs/answers/01.1-20260101-120000.py"
    assert kept.read_text(encoding="utf-8") == edited["exercise-01-1"] + "\n"
    assert "labs/answers/01.1-20260101-120000.py" in done
    assert "Reload Notebook from Disk" in done
    assert "\n" not in done


def test_outputs_of_the_other_cells_stay(root):
    small_course.answer(root, "01.1", MINE)

    def run(notebook):
        for count, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
            cell.execution_count = count
            cell.outputs = [nbformat.v4.new_output("stream", text=f"output {count}\n")]
        notebook.metadata["mine"] = "kept"

    small_course.edit(root, run)
    before = {cell.id: cell for cell in small_course.read(root).cells}
    reset_exercise("01.1")
    after = small_course.read(root)
    assert after.metadata["mine"] == "kept"
    for cell in after.cells:
        if cell.id == "exercise-01-1":
            assert (cell.outputs, cell.execution_count) == ([], None)
        else:
            assert cell == before[cell.id]


def test_an_untouched_stub_changes_nothing(root):
    content = small_course.LAB.notebook(root).read_bytes()
    assert "already" in reset_exercise("01.2")
    assert small_course.LAB.notebook(root).read_bytes() == content
    assert not (root / "labs/answers").exists()


def test_two_answers_in_one_second_are_both_kept(root):
    for text in ("def double(x): return 1", "def double(x): return 2"):
        small_course.answer(root, "01.1", text)
        reset_exercise("01.1")
    kept = sorted(path.read_text()[:23] for path in (root / "labs/answers").iterdir())
    assert kept == ["def double(x): return 1", "def double(x): return 2"]


@pytest.mark.parametrize("also_gone", [0, 1, 3])
def test_a_deleted_cell_comes_back_where_it_belongs(root, also_gone):
    ids = [cell.id for cell in small_course.read(root).cells]
    place = ids.index("exercise-01-2")
    gone = ids[place - also_gone : place + 1]
    small_course.edit(root, lambda notebook: _remove(notebook, gone))
    assert "was no longer" in reset_exercise("01.2")
    assert [cell.id for cell in small_course.read(root).cells] == [
        *ids[: place - also_gone], "exercise-01-2", *ids[place + 1 :]
    ]  # fmt: skip


def test_it_comes_back_at_the_start_when_nothing_before_it_is_left(root):
    ids = [cell.id for cell in small_course.read(root).cells]
    place = ids.index("exercise-01-1")
    small_course.edit(root, lambda notebook: _remove(notebook, ids[: place + 1]))
    reset_exercise("01.1")
    assert [cell.id for cell in small_course.read(root).cells] == ids[place:]


def _remove(notebook, ids):
    notebook.cells = [cell for cell in notebook.cells if cell.id not in ids]


@pytest.mark.parametrize(
    ("exercise", "reason"),
    [("01.9", "no exercise"), ("01", "no exercise"), ("02.1", "not written yet"), ("99.1", "no lab"), ("", "no lab")],
)
def test_an_exercise_that_is_not_there(root, exercise, reason):
    with pytest.raises(PocketlabError, match=reason):
        reset_exercise(exercise)


def test_a_missing_notebook(root):
    small_course.LAB.notebook(root).unlink()
    with pytest.raises(PocketlabError, match="pocketlab update"):
        reset_exercise("01.1")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', json.dumps({"nbformat": 4, "cells": [{"a": 1}]})])
def test_a_damaged_notebook_is_left_as_it_is(root, content):
    small_course.LAB.notebook(root).write_text(content)
    with pytest.raises(PocketlabError, match="damaged") as caught:
        reset_exercise("01.1")
    assert "\n" not in str(caught.value)
    assert small_course.LAB.notebook(root).read_text() == content


def test_answers_that_cannot_be_kept_are_not_taken_away(root):
    small_course.answer(root, "01.1", MINE)
    (root / "labs/answers").write_text("a file in the way")
    before = small_course.LAB.notebook(root).read_bytes()
    with pytest.raises(PocketlabError, match="cannot be written"):
        reset_exercise("01.1")
    assert small_course.LAB.notebook(root).read_bytes() == before


def test_half_a_surrogate_pair_survives(root):
    small_course.answer(root, "01.1", MINE)
    path = small_course.LAB.notebook(root)
    path.write_text(path.read_text(encoding="utf-8").replace("The end.", "\\ud83d end."), encoding="utf-8")
    reset_exercise("01.1")
    assert "\ud83d end." in small_course.read(root).cells[-1].source
