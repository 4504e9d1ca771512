"""Static figures that labs show: each function draws one and returns a Plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pocketlab.ui import theme
from pocketlab.ui.plot import Plot


def channel_ranges(weights: np.ndarray, name: str) -> Plot:
    """Draw the smallest and largest weight of each output channel, and the one range that a scale for all has to cover.

    weights: (output channels, …).
    """
    rows = np.asarray(weights).reshape(len(weights), -1)
    low, high = rows.min(axis=1), rows.max(axis=1)
    largest = float(np.abs(rows).max())
    narrowest, widest = np.abs(rows).max(axis=1).min(), largest
    plot = Plot(
        f"A bar for each of the {len(rows)} output channels of {name}, from its smallest to its largest weight. "
        f"The channels' "
        f"largest magnitudes go from {narrowest:.2f} to {widest:.2f}; dashed lines mark the range for all, "
        f"±{widest:.2f}.",
        height=280,
    )
    (axes,) = plot.axes
    axes.bar(np.arange(len(rows)), high - low, bottom=low, color=theme.BLUE, width=0.7, label="range of a channel")
    for side in (-largest, largest):
        axes.axhline(
            side, color=theme.VERMILLION, linestyle="--", marker="", label="range for all" if side > 0 else None
        )
    axes.set_xlabel(f"output channel of {name}")
    axes.set_ylabel("weight (no unit)")
    plot.figure.legend(loc="outside upper center", ncols=2, fontsize="small")
    axes.set_ylim(-1.1 * largest, 1.1 * largest)
    return plot


def call_durations(seconds: Sequence[float] | np.ndarray, warmup: int, p50_ms: float, p90_ms: float) -> Plot:
    """Draw how long each call took, in the order of the calls, with the warm-up set apart and both percentiles marked."""
    from matplotlib.ticker import LogLocator

    times = np.asarray(seconds) * 1000.0
    calls = np.arange(len(times))
    plot = Plot(
        f"Duration of {len(times)} calls in order. The first {warmup} warm up; the slowest of them took "
        f"{times[:warmup].max():.3f} ms. "
        f"Of the others half stay under {p50_ms:.4f} ms and nine in ten under {p90_ms:.4f} ms.",
        height=280,
    )
    (axes,) = plot.axes
    axes.plot(calls[:warmup], times[:warmup], linestyle="", marker="s", color=theme.VERMILLION, label="warm-up")
    axes.plot(calls[warmup:], times[warmup:], linestyle="", marker=".", color=theme.BLUE, label="measured")
    axes.axhline(p50_ms, color=theme.INK, linestyle="-", marker="", linewidth=1.2, label="median")
    axes.axhline(p90_ms, color=theme.INK, linestyle="--", marker="", linewidth=1.2, label="90th percentile")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xlabel("call")
    axes.set_ylabel("duration (ms, log scale)")
    plot.figure.legend(loc="outside upper center", ncols=4, fontsize="small")
    return plot


def precision_along_program(sqnr_db: Mapping[str, float]) -> Plot:
    """Draw the SQNR of each tensor of a program, in the order in which they are computed.

    sqnr_db: dB by the tensor's name, all finite.
    """
    values = np.array(list(sqnr_db.values()))
    plot = Plot(
        f"SQNR of {len(values)} tensors in the order in which they are computed: {values[0]:.0f} dB after the first "
        f"operator, {values[-1]:.0f} dB at the output, lowest {values.min():.0f} dB.",
        height=300,
    )
    (axes,) = plot.axes
    axes.plot(np.arange(len(values)), values, color=theme.BLUE)
    axes.set_xticks(np.arange(len(values)), list(sqnr_db), rotation=45, ha="right", fontsize=8)
    axes.set(ylabel="SQNR (dB)", xlabel="tensor, in the order of the program")
    return plot
