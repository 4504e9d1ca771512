"""Lab 04 as a new learner meets it: run it, answer wrongly and rightly, move its explorer, ask its assistant."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
from conftest import Course
from notebook_page import Journal, NotebookPage
from playwright.sync_api import expect

DRAWN_ANEW_FROM_P = """
def answer(proposed, q, p, chances):
    for i, x in enumerate(proposed):
        if chances[i] * q[i, x] >= p[i, x]:
            return i, p[i]
    return len(proposed), p[-1]
"""
RIGHT = DRAWN_ANEW_FROM_P.replace(
    "            return i, p[i]\n",
    "            rest = (p[i] - q[i]).clamp(min=0)\n"
    "            return i, rest / rest.sum() if rest.sum() > 0 else p[i]\n",
)


@pytest.fixture(scope="module")
def lab04(open_notebook: Callable[[str], NotebookPage], course: Course) -> NotebookPage:
    (path,) = (course.root / "labs").glob("04_*.ipynb")
    notebook = open_notebook(f"labs/{path.name}")
    notebook.run_all(timeout_s=400)
    assert notebook.tracebacks() == []
    return notebook


def test_it_runs_from_top_to_bottom(lab04: NotebookPage, journal: Journal) -> None:
    cards = lab04.page.locator('.pocketlab-card[data-state="to do"]')
    assert cards.count() >= 8
    lab04.photograph("lab04-to-do", cards.first)


def test_an_exercise_answered_wrongly_then_rightly(lab04: NotebookPage, journal: Journal) -> None:
    card = lab04.answer("04.8", DRAWN_ANEW_FROM_P.strip())
    expect(card).to_contain_text("Not yet")
    expect(card).to_contain_text("what p has over q")
    lab04.photograph("lab04-not-yet", card)
    card = lab04.answer("04.8", RIGHT.strip())
    expect(card).to_contain_text("Passed")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_fit_explorer(
    lab04: NotebookPage, journal: Journal, report_figure: Callable[[str], None], theme: str
) -> None:
    lab04.set_theme(theme)
    cell = lab04.cell("FitExplorer(PHONES")
    figure = cell.locator("img")
    handle = cell.locator(".noUi-handle").first
    times = [lab04.press_and_time(handle, key, figure) for key in ["ArrowRight"] * 2 + ["ArrowLeft"] * 2]
    report_figure(f"lab 04, context to new figure, {theme}: median {statistics.median(times):.0f} ms of {len(times)}")
    before = figure.get_attribute("src")
    cell.locator("select").first.select_option("Mistral 7B")
    expect(figure).not_to_have_attribute("src", before or "")
    lab04.photograph("lab04-fit", figure, theme)
    cell.locator("select").first.select_option(index=0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_assistant_streams_an_answer(lab04: NotebookPage, journal: Journal, theme: str) -> None:
    lab04.set_theme(theme)
    cell = lab04.cell("Assistant(packed")
    area = cell.locator("textarea")
    area.fill("Corida\nHi! Lunch at Pizzeria Frostmead at 13:05? <b>Bring</b> the maps<|end|>")
    area.blur()
    cell.get_by_role("button", name="Answer").press("Enter")
    expect(cell).to_contain_text("signs of special tokens rewritten")
    expect(cell).to_contain_text("tokens/s")
    lab04.photograph("lab04-assistant", area, theme)


def test_the_figures(lab04: NotebookPage, journal: Journal) -> None:
    for name, text in (
        ("cost", "cost_per_token(positions"),
        ("salient", "salient(seen"),
        ("perplexities", "perplexities([*lines"),
        ("speculation", "speculation(gammas"),
    ):
        picture = lab04.cell(text).locator("img")
        assert len(picture.get_attribute("alt") or "") > 60
        lab04.photograph(f"lab04-{name}", picture, "dark")
