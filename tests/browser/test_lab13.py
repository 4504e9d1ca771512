"""Lab 13 as a new learner meets it: run it, answer wrongly and rightly, move its explorers, take a model for a phone."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
from conftest import Course
from notebook_page import Journal, NotebookPage
from playwright.sync_api import expect

T_SQUARED_FORGOTTEN = """
def answer(student, teacher, temperature):
    log_q = torch.log_softmax(student / temperature, dim=1)
    log_p = torch.log_softmax(teacher / temperature, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()
"""
NOTHING_REFUSED = T_SQUARED_FORGOTTEN.replace("return ", "return temperature**2 * ")
RIGHT = NOTHING_REFUSED.replace(
    "temperature):\n",
    "temperature):\n    if student.shape != teacher.shape or temperature <= 0:\n        raise ValueError('they do not fit')\n",
)


@pytest.fixture(scope="module")
def lab13(open_notebook: Callable[[str], NotebookPage], course: Course) -> NotebookPage:
    (path,) = (course.root / "labs").glob("13_*.ipynb")
    notebook = open_notebook(f"labs/{path.name}")
    notebook.run_all(timeout_s=400)
    assert notebook.tracebacks() == []
    return notebook


def test_it_runs_from_top_to_bottom(lab13: NotebookPage, journal: Journal) -> None:
    cards = lab13.page.locator('.pocketlab-card[data-state="to do"]')
    assert cards.count() >= 8
    lab13.photograph("lab13-to-do", cards.first)


def test_an_exercise_answered_wrongly_then_rightly(lab13: NotebookPage, journal: Journal) -> None:
    card = lab13.answer("13.9", T_SQUARED_FORGOTTEN.strip())
    expect(card).to_contain_text("Not yet")
    expect(card).to_contain_text("The factor T² is missing")
    lab13.photograph("lab13-not-yet", card)
    card = lab13.answer("13.9", NOTHING_REFUSED.strip())
    expect(card).to_contain_text("Right, except that nothing is refused")
    card = lab13.answer("13.9", RIGHT.strip())
    expect(card).to_contain_text("Passed")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_grid_explorer(
    lab13: NotebookPage, journal: Journal, report_figure: Callable[[str], None], theme: str
) -> None:
    lab13.set_theme(theme)
    cell = lab13.cell("GridExplorer(")
    figure = cell.locator("img")
    handle = cell.locator(".widget-hslider", has_text="Bits").locator(".noUi-handle")
    times = [lab13.press_and_time(handle, key, figure) for key in ["ArrowLeft"] * 2 + ["ArrowRight"] * 3]
    report_figure(f"lab 13, bits to new figure, {theme}: median {statistics.median(times):.0f} ms of {len(times)}")
    before = figure.get_attribute("src")
    cell.locator("select").last.select_option("palette (k-means)")
    expect(figure).not_to_have_attribute("src", before or "")
    lab13.photograph("lab13-grids", figure, theme)
    cell.locator("select").last.select_option(index=0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_front_explorer(
    lab13: NotebookPage, journal: Journal, report_figure: Callable[[str], None], theme: str
) -> None:
    lab13.set_theme(theme)
    cell = lab13.cell("FrontExplorer(variants, phones)")
    figure = cell.locator("img")
    handle = cell.locator(".noUi-handle").first
    times = [lab13.press_and_time(handle, "ArrowRight", figure) for _ in range(6)]
    report_figure(f"lab 13, variant to new figure, {theme}: median {statistics.median(times):.0f} ms of {len(times)}")
    cell.get_by_role("button", name="Take for this phone").press("Enter")
    lab13.photograph("lab13-front", figure, theme)
    told = lab13.cell("you took")
    lab13.run(told)
    expect(told).not_to_contain_text("a watch: you took nothing")


def test_the_figures(lab13: NotebookPage, journal: Journal) -> None:
    for name, text in (
        ("accuracy", "accuracy_against_bits(by_bits"),
        ("levels", "histogram_with_levels(layer"),
        ("decibels", "error_against_bits(decibels"),
        ("schedule", "schedule(notes"),
        ("masks", "sparsity_masks("),
        ("softened", "doubtful = int"),
    ):
        picture = lab13.cell(text).locator("img")
        assert len(picture.get_attribute("alt") or "") > 60
        lab13.photograph(f"lab13-{name}", picture, "dark")
