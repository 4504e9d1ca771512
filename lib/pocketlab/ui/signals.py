"""Static figures of signals: filters and what they do, a spectrogram, camera frames in time, the noise of a sensor.

Those of movement (orientation, position) are in `pocketlab.ui.motion`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketlab.signals.calibration import NoiseFigures
from pocketlab.signals.frame_queue import PipelineReport
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot

Array = NDArray[np.float64]

FRAME_60_MS = 1000 / 60

_FLOOR_DB = 90.0          # below its highest gain a filter's curve is cut off
_MOST_SIGNALS = 4         # one below the other in `before_and_after`
_LEAST_MS = 0.01          # a log axis has no place for the 0 ms of a simulated clock
_STALL_BUDGETS = 3.0      # so many budgets without a result are a stall
_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo")


def filter_gains(responses: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Plot:
    """Draw the gain of filters in dB against frequency on a log axis, with a line at −3 dB.

    responses: by the filter's name, frequencies (M,) in Hz, ascending, and gains (M,) in dB. 0 Hz has no place on a log axis
    and is left out; gains are drawn down to 90 dB below the highest, also those of −∞.
    Raises ValueError for no filter or more than there are colors, other shapes, frequencies that are infinite or do not ascend,
    and gains that are NaN or complex.
    """
    _check_count(responses, "filter")
    curves = {name: _response(name, *response) for name, response in responses.items()}
    highest = max(gain.max() for _, gain in curves.values())
    floor = max(highest - _FLOOR_DB, min(gain.min() for _, gain in curves.values()) - 3)
    told = "; ".join(f"{name}: {_passes(hz, gain)}" for name, (hz, gain) in curves.items())
    plot = Plot(f"Gain in dB against frequency on a log axis, a line for each filter. {told}.", height=340)
    (axes,) = plot.axes
    for (name, (hz, gain)), color, style in zip(curves.items(), theme.COLORS, theme.LINE_STYLES, strict=False):
        # A gain of −∞ dB, a zero of the filter, lies below the axes; a finite number keeps the line going there.
        axes.plot(hz, np.maximum(gain, floor - 100), color=color, linestyle=style, marker="", label=name)
    axes.axhline(-3, color=theme.MUTED, linestyle=(0, (1, 3)), linewidth=1.5, marker="", label="−3 dB: half the power")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    edges = [edge for hz, _ in curves.values() for edge in (hz[0], hz[-1])]
    axes.set(xlabel="frequency (Hz, log scale)", ylabel="gain (dB)", xlim=(min(edges), max(edges)), ylim=(floor, highest + 5))
    _legend_above(plot)
    return plot


def _response(name: str, frequencies: ArrayLike, gains: ArrayLike) -> tuple[Array, Array]:
    if np.iscomplexobj(gains):
        raise ValueError(f"{name} has complex gains, a frequency response H: get gains in dB by 20 · log10(|H|).")
    hz, gain = np.asarray(frequencies, np.float64), np.asarray(gains, np.float64)
    if hz.ndim != 1 or hz.shape != gain.shape or (hz > 0).sum() < 2:
        raise ValueError(f"{name} needs a gain for each frequency, two above 0 Hz or more; got {gain.shape} and {hz.shape}.")
    # NaN fails both; a gain of −∞ is a zero of the filter.
    if not (np.diff(hz) > 0).all() or hz[-1] == np.inf or not np.isfinite(gain[hz > 0].max()):
        raise ValueError(f"{name}: frequencies ascend, and gains are in dB, not all −∞; get them by 20 · log10(|H|).")
    return hz[hz > 0], gain[hz > 0]


def _passes(hz: Array, gain: Array) -> str:
    """Where the gain is highest, and where it lies 3 dB below that, in words."""
    top = int(gain.argmax())
    below = gain < gain[top] - 3
    crossings = [f"{hz[i + 1]:,.4g}" for i in np.flatnonzero(below[1:] != below[:-1])]
    edges = f", 3 dB lower at {' and '.join(crossings[:4])} Hz" if crossings else ""
    return f"highest {round(gain[top], 1) + 0.0:.1f} dB at {hz[top]:,.4g} Hz{edges}"


def before_and_after(signals: Mapping[str, ArrayLike], sample_rate_hz: float, ylabel: str) -> Plot:
    """Draw signals (N,) against time, one below the other on the same scales: up to four.

    ylabel: the quantity with its unit, such as "acceleration (m/s²)". Samples that are NaN leave a gap.
    Raises ValueError for another number of signals, a signal that is not one row with a number in it, and a sample rate of 0.
    """
    if not 1 <= len(signals) <= _MOST_SIGNALS:
        raise ValueError(f"One to {_MOST_SIGNALS} signals have room below each other; got {len(signals)}.")
    check_rate(sample_rate_hz)
    rows = {name: np.asarray(samples, np.float64) for name, samples in signals.items()}
    for name, samples in rows.items():
        if samples.ndim != 1 or not np.isfinite(samples).any():
            raise ValueError(f"{name} is one row of samples (N,), with a number at least; got an array {samples.shape}.")
    told = "; ".join(
        f"{name}: root mean square {np.sqrt(np.nanmean(samples**2)):.3g}, from {np.nanmin(samples):.3g} to "
        f"{np.nanmax(samples):.3g}"
        for name, samples in rows.items()
    )
    plot = Plot(f"{ylabel} against time, one signal below the other. {told}.", height=90 + 120 * len(rows), rows=len(rows))
    low, high = (limit([limit(samples[np.isfinite(samples)]) for samples in rows.values()]) for limit in (min, max))
    margin = 0.05 * (high - low) or 1.0
    longest = max(len(samples) for samples in rows.values()) / sample_rate_hz
    for axes, (name, samples), color in zip(plot.axes, rows.items(), theme.COLORS, strict=False):
        axes.plot(np.arange(len(samples)) / sample_rate_hz, samples, color=color, linestyle="-", marker="", linewidth=1.2)
        axes.set(xlim=(0, longest), ylim=(low - margin, high + margin))
        axes.set_title(name, loc="left")
        axes.tick_params(labelbottom=axes is plot.axes[-1])
    plot.figure.supylabel(ylabel, fontsize=10)
    plot.axes[-1].set_xlabel("time (s)")
    return plot


def spectrogram(
    level_db: ArrayLike, seconds_per_frame: float, band_hz: ArrayLike, detections: Sequence[tuple[float, str]] = ()
) -> Plot:
    """Draw the level of bands of frequency against time, in colors that a bar explains, with what was detected above.

    level_db: (frames, bands) in dB. band_hz: (bands,) the bands' middle frequencies, ascending; all are drawn equally high.
    detections: (time in s, what) each, drawn as a white line with its name above the picture.
    Raises ValueError for other shapes, levels that are not finite, and frames that take no time.
    """
    from matplotlib.patheffects import withStroke

    levels, hz = np.asarray(level_db, np.float64), np.asarray(band_hz, np.float64)
    if levels.ndim != 2 or not levels.size or hz.shape != levels.shape[1:]:
        raise ValueError(f"Levels are (frames, bands), and each band has one frequency; got {levels.shape} and {hz.shape}.")
    if not np.isfinite(levels).all() or not 0 < seconds_per_frame < np.inf:
        raise ValueError("Levels in dB are finite, see `power_to_db`, and a frame takes a time above 0 s; one is not so.")
    seconds = len(levels) * seconds_per_frame
    heard = "; ".join(f"{what} at {at:.2f} s" for at, what in detections)
    loudest = np.unravel_index(levels.argmax(), levels.shape)
    plot = Plot(
        f"Spectrogram: level in dB of {len(hz)} bands from {hz[0]:,.0f} to {hz[-1]:,.0f} Hz over {seconds:.3g} s, from "
        f"{levels.min():.0f} to {levels.max():.0f} dB; loudest at {loudest[0] * seconds_per_frame:.2f} s in the band at "
        f"{hz[loudest[1]]:,.0f} Hz. " + (f"Detected: {heard}." if heard else "Nothing is marked as detected."),
        height=330,
    )
    (axes,) = plot.axes
    picture = axes.imshow(levels.T, origin="lower", aspect="auto", cmap="cividis", interpolation="nearest",
                          extent=(0, seconds, -0.5, len(hz) - 0.5))  # fmt: skip
    axes.grid(visible=False)
    ticks = np.unique(np.linspace(0, len(hz) - 1, min(len(hz), 7)).round().astype(int))
    axes.set_yticks(ticks, [f"{hz[tick]:,.0f}" for tick in ticks])
    axes.set(xlabel="time (s)", ylabel="middle of the band (Hz)")
    plot.figure.colorbar(picture, ax=axes, label="level (dB)", pad=0.01)
    for at, what in detections:
        axes.axvline(at, color=theme.CARD, linestyle="--", linewidth=1.8, marker="",
                     path_effects=[withStroke(linewidth=3.4, foreground=theme.INK)])  # fmt: skip
        axes.annotate(f"{what} ▾", (at, 1), xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points",
                      ha="center", fontsize=9)  # fmt: skip
    return plot


def frame_latencies(report: PipelineReport, budget_ms: float = FRAME_60_MS) -> Plot:
    """Draw the time from capture to result of each frame against its capture, with late and dropped frames, and stalls.

    A frame is late where it took longer than the budget. A stall is a stretch of over three budgets without a result.
    Raises ValueError for a run without a result, and a budget that is not above 0.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    if not report.processed or not 0 < budget_ms < np.inf:
        raise ValueError(f"It takes a frame with a result and a budget above 0 ms; got {report.processed} and {budget_ms} ms.")
    captured, finished = np.asarray(report.captured_s), np.asarray(report.finished_s)
    latency, dropped = 1000 * (finished - captured), np.asarray(report.dropped_s)
    late = latency > budget_ms
    stalls = [(a, b) for a, b in pairwise(np.sort(finished)) if 1000 * (b - a) > _STALL_BUDGETS * budget_ms]
    p50, p90, _ = report.latency_ms()
    longest = max((b - a for a, b in stalls), default=0.0)
    stalled = f"{len(stalls)} stalls, the longest {1000 * longest:.0f} ms" if stalls else "no stall"
    plot = Plot(
        f"Time from capture to result of {len(latency)} frames: half within {p50:.1f} ms, nine in ten within {p90:.1f} ms, the "
        f"slowest {latency.max():.1f} ms; {int(late.sum())} took longer than the budget of {budget_ms:.1f} ms; {len(dropped)} "
        f"frames were dropped; {stalled}."
    )
    (axes,) = plot.axes
    for index, (begin, end) in enumerate(stalls):
        axes.axvspan(begin, end, facecolor=theme.ORANGE, alpha=0.3, hatch="//", edgecolor=theme.MUTED, linewidth=0,
                     label=None if index else f"stall ({len(stalls)})")  # fmt: skip
    for name, chosen, color, marker in (("in time", ~late, theme.BLUE, "."), ("late", late, theme.VERMILLION, "s")):
        if chosen.any():
            axes.plot(captured[chosen], np.maximum(latency[chosen], _LEAST_MS), color=color, marker=marker, markersize=4,
                      linestyle="", label=f"{name} ({int(chosen.sum())})")  # fmt: skip
    if len(dropped):
        axes.plot(dropped, np.full(len(dropped), 0.04), transform=axes.get_xaxis_transform(), color=theme.INK, marker="x",
                  linestyle="", markersize=6, label=f"dropped ({len(dropped)}), no result")  # fmt: skip
    axes.axhline(budget_ms, color=theme.INK, linestyle="--", linewidth=1.4, marker="", label=f"budget, {budget_ms:.1f} ms")
    axes.set(xlabel="time since the start (s), each frame at its capture")
    axes.set(ylabel="from capture to result (ms, log scale)")
    # Drops stand at the foot, below every frame with a result.
    axes.set(yscale="log", ylim=(max(latency.min(), _LEAST_MS) / 2.5, 1.5 * max(latency.max(), budget_ms)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_minor_locator(NullLocator())
    _legend_above(plot, columns=5)
    return plot


def frame_budget(parts: Mapping[str, float], budget_ms: float = FRAME_60_MS) -> Plot:
    """Draw the parts of the work on a frame as one stacked bar in ms, against the time until the next frame comes.

    parts: ms by the part's name, in order, for example 90th percentiles. The bar is their sum, which for percentiles is
    somewhat more than that percentile of the whole.
    Raises ValueError for no part or more than there are colors, times that are negative or not finite, and a budget that is not
    above 0.
    """
    _check_count(parts, "part")
    sizes = np.array(list(parts.values()), np.float64)
    if not (np.isfinite(sizes) & (sizes >= 0)).all() or not 0 < budget_ms < np.inf:
        raise ValueError(f"Parts take 0 ms or more and a budget is above 0; got {dict(parts)} and {budget_ms} ms.")
    total = float(sizes.sum())
    told = ", ".join(f"{name} {ms:.2f} ms" for name, ms in parts.items())
    verdict = f"{budget_ms - total:.2f} ms are left" if total <= budget_ms else f"{total - budget_ms:.2f} ms too much"
    plot = Plot(f"One bar of the work on a frame: {told}; together {total:.2f} of {budget_ms:.1f} ms, {verdict}.", height=210)
    (axes,) = plot.axes
    begin = 0.0
    for (name, ms), color, hatch in zip(parts.items(), theme.COLORS, _HATCHES, strict=False):
        axes.barh([0], [ms], left=begin, color=color, hatch=hatch, edgecolor=theme.CARD, height=0.6, label=f"{name}, {ms:.2f} ms")
        begin += ms
    axes.axvline(budget_ms, color=theme.INK, linestyle="--", linewidth=1.6, marker="", label=f"budget, {budget_ms:.1f} ms")
    axes.annotate(verdict, (total, 0), xytext=(8, 0), textcoords="offset points", va="center", color=theme.INK,
                  bbox={"facecolor": theme.CARD, "edgecolor": "none", "pad": 1.5})  # fmt: skip
    axes.set(xlabel="time for one frame (ms)", xlim=(0, 1.25 * max(total, budget_ms)), ylim=(-0.5, 0.5))
    axes.set_yticks([0], ["frame"])
    axes.grid(visible=False, axis="y")
    budget, *bars = axes.get_legend_handles_labels()[0]
    plot.figure.legend(handles=[*bars, budget], loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    return plot


def allan(tau_s: ArrayLike, deviation: ArrayLike, figures: NoiseFigures, unit: str = "rad/s") -> Plot:
    """Draw an Allan deviation (M,) at averaging times (M,) in s on log axes, and the three kinds of noise read off it.

    unit: of the deviation and of the figures. Lines: N/√τ, B · √(2 ln 2/π), K · √(τ/3), as in `noise_figures`; none for a
    kind that lies below the picture.
    Raises ValueError for other shapes, and for times or deviations that are not above 0.
    """
    tau, sigma = np.asarray(tau_s, np.float64), np.asarray(deviation, np.float64)
    if tau.ndim != 1 or tau.shape != sigma.shape or len(tau) < 2:
        raise ValueError(f"Give times and deviations (M,) of one axis, two or more; got {tau.shape} and {sigma.shape}.")
    if not (np.isfinite(tau) & np.isfinite(sigma) & (tau > 0) & (sigma > 0)).all():
        raise ValueError("Times and deviations are finite and above 0: log axes have no place for others.")
    lowest = int(sigma.argmin())
    noises = {
        f"white noise, N = {figures.white_noise:.3g} {unit}/√Hz": figures.white_noise / np.sqrt(tau),
        f"bias instability, B = {figures.bias_instability:.3g} {unit}":
            np.full_like(tau, figures.bias_instability * np.sqrt(2 * np.log(2) / np.pi)),
        f"rate random walk, K = {figures.rate_random_walk:.3g} {unit}/√s": figures.rate_random_walk * np.sqrt(tau / 3),
    }  # fmt: skip
    plot = Plot(
        f"Allan deviation on log axes, over averaging times from {tau[0]:.3g} to {tau[-1]:,.4g} s: {sigma[0]:.3g} {unit} at the "
        f"first, lowest {sigma[lowest]:.3g} {unit} at {tau[lowest]:,.3g} s, {sigma[-1]:.3g} {unit} at the last. "
        f"Read off: {'; '.join(noises)}.",
        height=380,
    )
    (axes,) = plot.axes
    axes.plot(tau, sigma, color=theme.BLUE, marker="o", linestyle="-", label="measured")
    styles = zip(noises.items(), (theme.VERMILLION, theme.GREEN, theme.PURPLE), theme.LINE_STYLES[1:], strict=False)
    for (name, values), color, style in styles:
        if values.max() > sigma.min() / 2:  # one that lies below the picture explains nothing in it
            axes.plot(tau, values, color=color, linestyle=style, marker="", label=name)
    axes.set(xscale="log", yscale="log", xlabel="averaging time τ (s, log scale)", ylabel=f"Allan deviation ({unit}, log scale)")
    axes.set_ylim(sigma.min() / 2, 2 * sigma.max())
    axes.xaxis.set_major_formatter("{x:,g}")
    _legend_above(plot, columns=2)
    return plot


def check_rate(sample_rate_hz: float) -> None:
    """Raise ValueError for a sample rate that gives no axis of time."""
    if not 0 < sample_rate_hz < np.inf:
        raise ValueError(f"A sample rate of {sample_rate_hz} Hz: give the number of samples in a second, above 0.")


def _check_count(series: Mapping[str, object], what: str) -> None:
    if not 1 <= len(series) <= len(theme.COLORS):
        raise ValueError(f"One to {len(theme.COLORS)} {what}s can be told apart; got {len(series)}.")


def _legend_above(plot: Plot, columns: int = 3) -> None:
    plot.figure.legend(loc="outside upper center", ncols=columns, frameon=False, fontsize="small")
