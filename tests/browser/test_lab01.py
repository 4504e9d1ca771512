"""Lab 01 as a new learner meets it: run it, answer wrongly and rightly, move its explorers, look into the model."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from conftest import Course
from notebook_page import Journal, NotebookPage
from playwright.sync_api import BrowserContext, expect

TWICE_THE_DECIBELS = """
def answer(reference, approximation):
    noise = reference.astype(float) - approximation.astype(float)
    return 20 * np.log10((reference.astype(float) ** 2).sum() / (noise**2).sum())
"""
RIGHT_DECIBELS = """
def answer(reference, approximation):
    noise = reference.astype(float) - approximation.astype(float)
    if not noise.any():
        return float("inf")
    return 10 * np.log10((reference.astype(float) ** 2).sum() / (noise**2).sum())
"""


@pytest.fixture(scope="module")
def lab01(context: BrowserContext, open_notebook: Callable[[str], NotebookPage], course: Course) -> NotebookPage:
    context.clock.set_system_time(datetime.now() + timedelta(days=2 * 365))
    (path,) = (course.root / "labs").glob("01_*.ipynb")
    notebook = open_notebook(f"labs/{path.name}")
    notebook.run_all(timeout_s=400)
    assert notebook.tracebacks() == []
    return notebook


def test_it_runs_from_top_to_bottom(lab01: NotebookPage, journal: Journal) -> None:
    cards = lab01.page.locator('.pocketlab-card[data-state="to do"]')
    assert cards.count() >= 6
    lab01.photograph("lab01-to-do", cards.first)


def test_an_exercise_answered_wrongly_then_rightly(lab01: NotebookPage, journal: Journal) -> None:
    card = lab01.answer("01.2", TWICE_THE_DECIBELS.strip())
    expect(card).to_contain_text("Not yet")
    expect(card).to_contain_text("Your result is twice the right one")
    lab01.photograph("lab01-not-yet", card)
    card = lab01.answer("01.2", RIGHT_DECIBELS.strip())
    expect(card).to_contain_text("Passed")
    lab01.photograph("lab01-passed", card)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_quantization_explorer(
    lab01: NotebookPage, journal: Journal, report_figure: Callable[[str], None], theme: str
) -> None:
    lab01.set_theme(theme)
    cell = lab01.cell("QuantizationExplorer(")
    figure = cell.locator("img")
    handle = cell.locator(".widget-hslider", has_text="Bits").locator(".noUi-handle")
    before = figure.get_attribute("src")
    times = [lab01.press_and_time(handle, key, figure) for key in ["ArrowLeft"] * 4 + ["ArrowRight"] * 3]
    assert figure.get_attribute("src") != before
    report_figure(f"lab 01, slider to new figure, {theme}: median {statistics.median(times):.0f} ms of {len(times)}")
    lab01.photograph("lab01-explorer", figure, theme)
    lab01.press_and_time(handle, "ArrowRight", figure)


def test_the_partition_explorer(lab01: NotebookPage, journal: Journal) -> None:
    cell = lab01.cell("PartitionExplorer(")
    figure = cell.locator("img")
    handle = cell.locator(".widget-hslider").first.locator(".noUi-handle")
    lab01.press_and_time(handle, "ArrowRight", figure)
    lab01.photograph("lab01-partitions", figure)


@pytest.mark.parametrize(("theme", "runtime"), [("light", "Core ML, interpreted"), ("dark", "LiteRT int8")])
def test_the_parity_explorer(lab01: NotebookPage, journal: Journal, theme: str, runtime: str) -> None:
    lab01.set_theme(theme)
    cell = lab01.cell("ParityExplorer(")
    figure = cell.locator("img")
    handle = cell.locator(".widget-hslider").first.locator(".noUi-handle")
    lab01.press_and_time(handle, "ArrowRight", figure)
    before = figure.get_attribute("src")
    cell.locator("select").select_option(runtime)
    expect(figure).not_to_have_attribute("src", before or "")
    lab01.photograph("lab01-parity", figure, theme)


def test_netron_shows_the_labs_model(lab01: NotebookPage, journal: Journal) -> None:
    cell = lab01.cell("netron.show(")
    frame = cell.frame_locator("iframe")
    expect(frame.get_by_text(re.compile("conv_?2d", re.IGNORECASE)).first).to_be_visible(timeout=20_000)
    expect(frame.get_by_text("Please update")).to_be_hidden()
    lab01.photograph("lab01-netron", cell.locator("iframe"))


def test_a_prediction_and_the_quiz_are_answered_by_keyboard(lab01: NotebookPage, journal: Journal) -> None:
    question = lab01.cell("lab.quiz()").locator(".jupyter-widgets.widget-vbox").first
    choice = question.locator('input[type="radio"]').first
    choice.focus()
    choice.press("Space")
    button = question.get_by_role("button")
    expect(button).to_be_enabled()
    button.press("Enter")
    reply = question.locator('.pocketlab-card', has_text="yours")
    expect(reply).to_be_visible()
    lab01.photograph("lab01-quiz", reply)
