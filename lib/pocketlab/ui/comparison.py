"""Model files side by side in a notebook: a bar while they are measured, then a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from pocketlab.runtimes.base import shape_text
from pocketlab.runtimes.comparison import Comparison, FileReport, compare_files
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot
from pocketlab.ui.table import Column, Table, shortened, table

_LONGEST_LABEL = 28  # in the legend, so that the drawing keeps its room


def show(
    paths: Sequence[str | Path], *, inputs: str | Path | None = None, seconds: float = 1.0, threads: int = 1
) -> ComparisonView:
    """Compare model files, with a progress bar meanwhile, and return what the notebook then shows.

    Arguments and errors: those of `pocketlab.runtimes.comparison.compare_files`.
    """
    from IPython.display import display
    from ipywidgets import HBox, IntProgress, Label

    bar, what = IntProgress(0, 0, 1), Label()
    box = HBox([bar, what])
    display(box)

    def progress(done: int, total: int, doing: str) -> None:
        bar.max, bar.value, what.value = total, done, doing

    try:
        return ComparisonView(compare_files(paths, inputs=inputs, seconds=seconds, threads=threads, progress=progress))
    finally:
        box.close()


class ComparisonView:
    """A table of a comparison, its figure if there is a latency to draw, and its notes. `comparison` holds the numbers."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.table = comparison_table(comparison)
        self.plot = size_and_latency(comparison) if any(each.latency for each in comparison.files) else None

    def _repr_html_(self) -> str:
        notes = [f"{each.label}: {note}" for each in self.comparison.files for note in each.notes]
        faults = [each.fault for each in self.comparison.files if each.fault]
        return "".join(
            [
                self.table.html(),
                f"<p>Inputs: {escape(self.comparison.inputs)}.</p>",
                self.plot.html() if self.plot else "",
                _list("Notes", notes),
                _list("Errors", faults),
            ]
        )

    def __repr__(self) -> str:
        return repr(self.table)


def _list(title: str, entries: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(entry)}</li>" for entry in entries)
    return f"<p><b>{title}</b></p><ul>{items}</ul>" if items else ""


def comparison_table(comparison: Comparison) -> Table:
    """Return the table: for each file size, operators, parameters, latency, and the difference of its outputs."""
    columns: list[str | Column] = [
        "file",
        Column("size", "kB"),
        *("operators", "parameters"),
        Column("p50", "ms"),
        Column("p90", "ms"),
    ]
    if len(comparison.files) > 1:
        columns += ["largest difference", "relative difference", Column("SQNR", "dB"), "rows of the same class"]
    call = ", ".join(f"{info.name} {shape_text(info.shape)}" for info in comparison.call)
    threads = "1 thread" if comparison.threads == 1 else f"{comparison.threads} threads"
    caption = f"One call with {call}, {threads} of this machine's CPU" if call else "No file could be run"
    if len(comparison.files) > 1 and comparison.reference:
        caption += f"; differences from {comparison.reference}"
    return table([_row(each)[: len(columns)] for each in comparison.files], columns, caption=caption)


def _row(each: FileReport) -> list[Any]:
    found, latency, worst = each.inspection, each.latency, each.worst
    return [
        each.label,
        found and found.size_bytes / 1e3,
        each.operators,
        found and found.parameters,
        latency and latency.p50_ms,
        latency and latency.p90_ms,
        worst and worst.largest,
        worst and worst.relative,
        worst and worst.sqnr_db,
        each.same_class and f"{each.same_class[0]} of {each.same_class[1]}",
    ]


def size_and_latency(comparison: Comparison) -> Plot:
    """Draw a point for each measured file: size across, median latency up, with a line from there to the 90th percentile.

    Raises ValueError where no file was measured.
    """
    measured = [(each, each.latency, each.inspection) for each in comparison.files if each.latency and each.inspection]
    if not measured:
        raise ValueError("No file of this comparison was measured, so there is nothing to draw.")
    described = [
        f"{each.label}: {found.size_bytes / 1e3:.3g} kB, {latency.p50_ms:.3g} ms" for each, latency, found in measured
    ]
    plot = Plot(f"Size against median latency of {len(measured)} model files. {'; '.join(described)}.", height=380)
    (axes,) = plot.axes
    for index, (each, latency, found) in enumerate(measured):
        axes.errorbar(
            found.size_bytes / 1e3,
            latency.p50_ms,
            yerr=[[0.0], [latency.p90_ms - latency.p50_ms]],
            color=theme.COLORS[index % len(theme.COLORS)],
            marker=theme.MARKERS[index % len(theme.MARKERS)],
            linestyle="",
            markersize=9,
            capsize=4,
            label=shortened(each.label, _LONGEST_LABEL),
        )
    _scale(axes.set_xscale, axes.set_xlim, axes.xaxis, [found.size_bytes / 1e3 for _, _, found in measured])
    _scale(axes.set_yscale, axes.set_ylim, axes.yaxis, [ms for _, at, _ in measured for ms in (at.p50_ms, at.p90_ms)])
    axes.set_xlabel("size of the file (kB)")
    axes.set_ylabel("latency of one call (ms), p50 to p90")
    plot.figure.legend(loc="outside right upper", fontsize="small")
    return plot


def _scale(set_scale: Any, set_limits: Any, axis: Any, values: Sequence[float]) -> None:
    """From 0 on where the values are of one order of magnitude, so that lengths can be compared; else logarithmic."""
    from matplotlib.ticker import LogLocator

    if max(values) < 10 * min(values):
        set_limits(0, 1.15 * max(values))
        return
    set_scale("log")
    set_limits(min(values) / 1.5, 1.5 * max(values))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_minor_formatter("{x:g}")
