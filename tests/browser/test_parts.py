"""Figures, tables, the explorer and Netron in the real JupyterLab, with the clock two years ahead."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import netron
import pytest
from notebook_page import Journal, NotebookPage
from playwright.sync_api import Browser, BrowserContext, expect

IN_TWO_YEARS = datetime.now() + timedelta(days=2 * 365)


@pytest.fixture(scope="module")
def parts(context: BrowserContext, open_notebook: Callable[[str], NotebookPage]) -> NotebookPage:
    context.clock.set_system_time(IN_TWO_YEARS)
    notebook = open_notebook("labs/parts.ipynb")
    notebook.run_all()
    assert notebook.tracebacks() == []
    return notebook


def test_figure_and_table_are_seen_in_both_themes(parts: NotebookPage, journal: Journal) -> None:
    figure = parts.page.get_by_role("img", name="Two lines that cross at half a second.")
    expect(figure).to_be_visible()
    expect(parts.page.get_by_role("table", name="A table")).to_be_visible()
    expect(parts.page.get_by_role("columnheader", name="p90 (ms)")).to_be_visible()
    parts.photograph("figure-and-table", parts.page.get_by_role("table", name="A table"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_sliders_redraw_the_figure(
    parts: NotebookPage, journal: Journal, report_figure: Callable[[str], None], theme: str
) -> None:
    parts.set_theme(theme)
    cell = parts.cell("QuantizationExplorer({")
    figure = cell.locator("img")
    handle = cell.locator(".widget-hslider", has_text="Bits").locator(".noUi-handle")
    keys = ["ArrowLeft"] * 4 + ["ArrowRight"] * 4 + ["ArrowLeft"] * 4
    times = [parts.press_and_time(handle, key, figure) for key in keys]
    report_figure(f"slider to new figure in the page, {theme}: median {statistics.median(times):.0f} ms of {len(times)}")
    expect(figure).to_have_attribute("alt", re.compile("15 values that 4 bits give"))
    expect(cell.get_by_role("table")).to_contain_text("4 bits")
    parts.photograph("explorer", figure, theme)
    for key in ["ArrowRight"] * 4:
        parts.press_and_time(handle, key, figure)


def test_netron_shows_a_file(parts: NotebookPage, journal: Journal) -> None:
    cell = parts.cell("netron.show(\"toy model.onnx\")")
    frame = cell.frame_locator('iframe[title="Netron: the graph of toy model.onnx"]')
    expect(frame.locator("#graph-target, #target").get_by_text("MatMul").first).to_be_visible(timeout=20_000)
    expect(frame.get_by_text("Softmax").first).to_be_visible()
    expect(frame.get_by_text("Please update")).to_be_hidden()
    expect(frame.get_by_text("usage information")).to_be_hidden()
    parts.photograph("netron-onnx", cell.locator("iframe"))


def test_netron_shows_a_core_ml_package_with_its_weights(parts: NotebookPage, journal: Journal) -> None:
    cell = parts.cell("netron.show(package.path")
    frame = cell.frame_locator("iframe")
    conv = frame.get_by_text("conv", exact=True).first
    expect(conv).to_be_visible(timeout=20_000)
    conv.click()
    expect(frame.locator(".sidebar")).to_contain_text("Node Properties")
    assert any("/weights/weight.bin?" in url for url in journal.loaded)
    parts.photograph("netron-mlpackage", cell.locator("iframe"))


def test_the_clock_and_the_watch_on_requests_work(chromium: Browser, tmp_path: Path) -> None:
    """Netron as it ships is stopped by this clock, and seen to ask another host: so the tests above can fail."""
    model = tmp_path / "model.json"
    model.write_text("{}")
    address = netron.start(str(model), browse=False)
    host = f"{address[0]}:{address[1]}"
    try:
        with chromium.new_context() as late:
            late.clock.set_system_time(IN_TWO_YEARS)
            page = late.new_page()
            page.goto(f"http://{host}/")
            expect(page.get_by_text("Please update to the newest version.")).to_be_visible()
        with chromium.new_context() as now:
            now.clock.set_system_time(datetime(2026, 10, 24))   # a day after the release of this Netron
            now.route(lambda url: host not in url, lambda route: route.abort())
            watch = Journal(now, host)
            page = now.new_page()
            page.goto(f"http://{host}/")
            expect(page.get_by_text("anonymous usage information")).to_be_visible()
            assert watch.strangers
    finally:
        netron.stop(address)
