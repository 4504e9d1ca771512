"""Lab 06 as a new learner meets it: run it, answer wrongly and rightly, turn the knobs of its explorer and play it."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable

import pytest
from conftest import Course
from notebook_page import Journal, NotebookPage
from playwright.sync_api import expect

TURNED_IN_THE_WORLD = """
def answer(q, rate, seconds):
    result = multiply(from_rotation_vector(rate * seconds), q)
    return result / np.linalg.norm(result)
"""
RIGHT = TURNED_IN_THE_WORLD.replace(
    "multiply(from_rotation_vector(rate * seconds), q)", "multiply(q, from_rotation_vector(rate * seconds))"
)


@pytest.fixture(scope="module")
def lab06(open_notebook: Callable[[str], NotebookPage], course: Course) -> NotebookPage:
    (path,) = (course.root / "labs").glob("06_*.ipynb")
    notebook = open_notebook(f"labs/{path.name}")
    notebook.run_all(timeout_s=400)
    assert notebook.tracebacks() == []
    return notebook


def test_it_runs_from_top_to_bottom(lab06: NotebookPage, journal: Journal) -> None:
    cards = lab06.page.locator('.pocketlab-card[data-state="to do"]')
    assert cards.count() >= 8
    lab06.photograph("lab06-to-do", cards.first)


def test_an_exercise_answered_wrongly_then_rightly(lab06: NotebookPage, journal: Journal) -> None:
    card = lab06.answer("06.1", TURNED_IN_THE_WORLD.strip())
    expect(card).to_contain_text("Not yet")
    expect(card).to_contain_text("turns about the world's axes")
    lab06.photograph("lab06-not-yet", card)
    card = lab06.answer("06.1", RIGHT.strip())
    expect(card).to_contain_text("Passed")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_orientation_explorer(
    lab06: NotebookPage, journal: Journal, report_figure: Callable[[str], None], theme: str
) -> None:
    lab06.set_theme(theme)
    cell = lab06.cell("OrientationExplorer(motions)")
    errors, phones = cell.locator("img").first, cell.locator('svg[role="img"]')
    cell.locator("select").first.select_option("complementary")
    expect(errors).to_have_attribute("alt", re.compile("complementary"))
    handle = cell.locator(".noUi-handle").first
    times = []
    for key in ["ArrowRight"] * 2 + ["ArrowLeft"] * 2:
        before = phones.get_attribute("aria-label") or ""
        times.append(lab06.press_and_time(handle, key, errors))
        expect(phones).not_to_have_attribute("aria-label", before)  # drawn after the errors; the next key waits for both
    report_figure(f"lab 06, gain to new figure, {theme}: median {statistics.median(times):.0f} ms of {len(times)}")
    before = phones.get_attribute("aria-label") or ""
    play = cell.get_by_role("button", name="Play")
    play.click()
    expect(phones).not_to_have_attribute("aria-label", before)
    play.click()
    lab06.photograph("lab06-explorer", errors, theme)
    lab06.photograph("lab06-phones", phones, theme)


def test_the_figures(lab06: NotebookPage, journal: Journal) -> None:
    for name, text in (
        ("drift", "orientation_errors(off"),
        ("allan", "allan(tau"),
        ("kalman", "kalman_1d("),
        ("walk", "walk_map(walk"),
        ("camera", "camera_path(truth"),
        ("gains", "filter_gains("),
        ("sound", "before_and_after("),
        ("spectrogram", "spectrogram("),
        ("budget", "frame_budget("),
        ("stall", "frame_latencies("),
    ):
        picture = lab06.cell(text).locator("img").first
        assert len(picture.get_attribute("alt") or "") > 60
        lab06.photograph(f"lab06-{name}", picture, "dark")
