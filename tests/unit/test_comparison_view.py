from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from pocketlab.runtimes.base import Inspection, TensorInfo
from pocketlab.runtimes.comparison import Comparison, FileReport, Latency
from pocketlab.runtimes.differences import OutputDifference
from pocketlab.ui import comparison
from pocketlab.ui.table import shortened


def report(label, size=50_000, p50_ms=2.0, **changes):
    """A report as a comparison has it, made up so that every number in the view is known."""
    values = {
        "fault": None,
        "inspection": Inspection("onnx", size, {"Conv": 7, "Gemm": 1}, 8750, {}, (), ()),
        "latency": Latency(p50_ms, 1.5 * p50_ms, 100),
        "differences": (),
        "same_class": None,
        "notes": (),
    }
    return FileReport(path=label, label=label, **{**values, **changes})


def compared(*files):
    call = (TensorInfo("x", (1, 4), "float32"),)
    return Comparison(files, files[0].label, "random, seed 0: x (1, 4)", call, 1, 1.0)


DIFFERENT = report(
    "b.tflite",
    20_000,
    0.01,
    differences=(OutputDifference("y", 0.25, 0.05, 30.0),),
    same_class=(63, 64),
    notes=("has a note",),
)
BROKEN = report("c.pt2", fault="c.pt2 is <damaged>.", inspection=None, latency=None)


def test_the_table_holds_the_numbers_of_the_comparison():
    made = comparison.comparison_table(compared(report("a.onnx"), DIFFERENT, BROKEN))
    rows = {row[0]: row[1:] for row in made.rows}
    assert rows["b.tflite"] == ("20.0", "8", "8,750", "0.0100", "0.0150", "0.250", "0.0500", "30.0", "63 of 64")
    assert rows["a.onnx"][-4:] == ("–",) * 4
    assert set(rows["c.pt2"]) == {"–"}
    assert "One call with x (1, 4), 1 thread" in made.caption
    assert "differences from a.onnx" in made.caption


def test_one_file_has_no_columns_of_differences():
    made = comparison.comparison_table(compared(report("a.onnx")))
    assert [column.heading for column in made.columns] == [
        "file",
        "size (kB)",
        "operators",
        "parameters",
        "p50 (ms)",
        "p90 (ms)",
    ]


def test_the_figure_names_every_file_and_its_units():
    plot = comparison.size_and_latency(compared(report("a.onnx"), DIFFERENT, BROKEN))
    (axes,) = plot.axes
    assert "a.onnx: 50 kB, 2 ms" in plot.alt
    assert "b.tflite: 20 kB, 0.01 ms" in plot.alt
    assert "c.pt2" not in plot.alt
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")  # sizes of one order, latencies of several
    assert "kB" in axes.get_xlabel()
    assert "ms" in axes.get_ylabel()
    low, high = axes.get_ylim()
    assert low < 0.01
    assert high > 3.0
    (legend,) = plot.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a.onnx", "b.tflite"]
    pixels = np.asarray(Image.open(io.BytesIO(plot.png())).convert("L"))
    assert pixels.min() < 100 < pixels.max()


def test_nothing_measured_is_nothing_to_draw():
    with pytest.raises(ValueError, match="nothing to draw"):
        comparison.size_and_latency(compared(BROKEN))
    assert "<img" not in comparison.ComparisonView(compared(BROKEN))._repr_html_()


def test_the_view_has_table_figure_notes_and_errors():
    html = comparison.ComparisonView(compared(report("a.onnx"), DIFFERENT, BROKEN))._repr_html_()
    assert html.index("<table") < html.index("<img")
    assert re.search(r"<li>b\.tflite: has a note</li>", html)
    assert "<li>c.pt2 is &lt;damaged&gt;.</li>" in html
    assert "Inputs: random, seed 0: x (1, 4)." in html


def test_show_measures_with_a_bar_that_is_closed_at_the_end(onnx_path, tflite_path, monkeypatch):
    import ipywidgets

    shown, values = [], []
    monkeypatch.setattr("IPython.display.display", shown.append)
    plain = ipywidgets.IntProgress

    def watched(*arguments):
        bar = plain(*arguments)
        bar.observe(lambda change: values.append((change["new"], bar.max)), names="value")
        return bar

    monkeypatch.setattr(ipywidgets, "IntProgress", watched)
    view = comparison.show([onnx_path, tflite_path], seconds=0.01)
    assert values[-1][0] == values[-1][1]
    assert [value for value, _ in values] == sorted(value for value, _ in values)
    (box,) = shown
    assert box.comm is None  # a widget that was closed has no channel any more
    assert view.comparison.files[1].worst.largest < 1e-3
    assert "digits.onnx" in repr(view)


def test_a_long_name_keeps_its_end():
    assert shortened("short.onnx", 12) == "short.onnx"
    text = shortened("a_network_of_many_words_int8.tflite", 18)
    assert len(text) == 18
    assert text.endswith("_int8.tflite")
