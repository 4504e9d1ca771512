"""A learner's work in the browser: a wrong answer, a right one, a prediction; saved, lost and restored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest
from conftest import Course
from notebook_page import Journal, NotebookPage
from playwright.sync_api import expect

BYTES_FOR_BITS = "def answer(parameters, bits):\n    return parameters * bits / 1e6"
RIGHT = "def answer(parameters, bits):\n    return parameters * bits / 8 / 1e6"


@pytest.fixture(scope="module")
def work(open_notebook: Callable[[str], NotebookPage]) -> NotebookPage:
    notebook = open_notebook("labs/work.ipynb")
    for text in ("from pocketlab.course import Lab", 'lab.check("00.1"', 'lab.predict("00.P1"'):
        notebook.run(notebook.cell(text))
    return notebook


def status_of(course: Course, exercise_id: str) -> str | None:
    progress = json.loads((course.home / "progress.json").read_text())
    record = progress["labs"].get("00", {}).get("exercises", {}).get(exercise_id)
    return record and record["status"]


def test_an_answer_is_to_do_then_wrong_then_right(work: NotebookPage, journal: Journal, course: Course) -> None:
    assert work.tracebacks() == []
    expect(work.cell('lab.check("00.1"').locator(".pocketlab-card")).to_contain_text("To do")
    card = work.answer("00.1", BYTES_FOR_BITS)
    expect(card).to_contain_text("Not yet")
    expect(card).to_contain_text("Eight bits make one byte.")
    work.photograph("card-not-yet", card)
    card = work.answer("00.1", RIGHT)
    expect(card).to_contain_text("Passed")
    work.photograph("card-passed", card)
    assert status_of(course, "00.1") == "passed"


def test_a_prediction_is_made_by_keyboard(work: NotebookPage, journal: Journal) -> None:
    cell = work.cell('lab.predict("00.P1"')
    button = cell.get_by_role("button", name="Commit")
    expect(button).to_be_disabled()
    choice = cell.get_by_role("radio").first
    choice.focus()
    choice.press("Space")
    button.press("Enter")
    expect(cell.get_by_text("You predict A.")).to_be_visible()
    work.photograph("prediction", cell.get_by_text("You predict A."))


def test_lost_work_comes_back_from_the_saved_zip(work: NotebookPage, journal: Journal, course: Course) -> None:
    """Runs after the tests above, on what they have left."""
    work.run(work.cell("saved = save_work()"))
    assert len(list((course.root / "labs").glob("pocketlab-work-*.zip"))) == 1
    shutil.rmtree(course.home)
    work.run(work.cell("restore_work(saved)"))
    assert work.tracebacks() == []
    expect(work.cell("restore_work(saved)")).to_contain_text("Your progress is merged.")
    assert status_of(course, "00.1") == "passed"
