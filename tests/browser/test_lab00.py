"""Lab 00 in the browser: run it, answer wrongly and rightly, guess by keyboard; save, lose everything, restore."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Course
from notebook_page import Journal, NotebookPage
from playwright.sync_api import expect

BYTES_FOR_BITS = "def answer(parameters, bits):\n    return parameters * bits / 1e6"
RIGHT = "def answer(parameters, bits):\n    return parameters * bits / 8 / 1e6"


@pytest.fixture(scope="module")
def lab00(open_notebook: Callable[[str], NotebookPage]) -> NotebookPage:
    notebook = open_notebook("labs/00_start_here.ipynb")
    notebook.page.get_by_role("heading", name="Start here").scroll_into_view_if_needed()
    return notebook


def status_of(course: Course, exercise_id: str) -> str:
    progress = json.loads((course.home / "progress.json").read_text())
    status: str = progress["labs"]["00"]["exercises"][exercise_id]["status"]
    return status


def test_a_cell_that_fails_is_noticed(lab00: NotebookPage, journal: Journal) -> None:
    """What the other tests rely on when they find no traceback."""
    lab00.run(lab00.cell('lab.check("00.1"'))   # before the cell that makes `lab`
    assert ["name 'lab' is not defined" in text for text in lab00.tracebacks()] == [True]


def test_it_runs_from_top_to_bottom(lab00: NotebookPage, journal: Journal) -> None:
    lab00.run_all()
    assert lab00.tracebacks() == []
    lab00.photograph("lab00-start", lab00.page.get_by_role("heading", name="Start here"))
    lab00.photograph("lab00-labs", lab00.page.get_by_role("table", name="Your labs"))


def test_an_exercise_is_to_do_then_wrong_then_right(lab00: NotebookPage, journal: Journal, course: Course) -> None:
    expect(lab00.cell('lab.check("00.1"').locator(".pocketlab-card")).to_contain_text("To do")
    card = lab00.answer("00.1", BYTES_FOR_BITS)
    expect(card).to_contain_text("Not yet")
    expect(card).to_contain_text("Eight bits make one byte.")
    lab00.photograph("lab00-not-yet", card)
    card = lab00.answer("00.1", RIGHT)
    expect(card).to_contain_text("Passed")
    lab00.photograph("lab00-passed", card)
    assert status_of(course, "00.1") == "passed"


def test_a_prediction_is_made_by_keyboard(lab00: NotebookPage, journal: Journal) -> None:
    cell = lab00.cell('lab.predict("00.P1"')
    button = cell.get_by_role("button", name="Commit")
    expect(button).to_be_disabled()
    choice = cell.get_by_role("radio").first
    choice.focus()
    choice.press("Space")
    expect(button).to_be_enabled()
    button.press("Enter")
    expect(cell.get_by_text("You predict A.")).to_be_visible()
    lab00.photograph("lab00-prediction", cell.get_by_text("You predict A."))


def test_lost_work_comes_back_from_the_downloaded_zip(
    lab00: NotebookPage, journal: Journal, course: Course, tmp_path: Path
) -> None:
    """As on Binder: save, download, lose the machine, upload. Runs after the tests above, on what they have left."""
    lab00.page.get_by_role("button", name="Save my work").click()
    link = lab00.page.get_by_role("link", name="Download pocketlab-work")
    expect(link).to_be_visible()
    with lab00.page.expect_download() as download:
        link.click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    shutil.rmtree(course.home)
    with lab00.page.expect_file_chooser() as chooser:
        lab00.page.get_by_role("button", name="Restore from a zip").click()
    chooser.value.set_files(saved)
    reply = lab00.cell("RestoreUpload()").locator(".pocketlab-card")
    expect(reply).to_contain_text("Your progress is merged.")
    assert status_of(course, "00.1") == "passed"
    lab00.photograph("lab00-restored", reply)
