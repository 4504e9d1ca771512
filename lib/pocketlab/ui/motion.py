"""Static figures of movement: errors of an orientation, a walk on a map, a camera's path, a Kalman filter on a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketlab.data.geodesy import to_local
from pocketlab.data.walking import Walk
from pocketlab.signals.kalman import Line
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot
from pocketlab.ui.signals import check_rate

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_POINTS = 400        # of a line of errors: each is the root mean square over its share of the record
_LEAST_DEG = 0.02    # no sensor here is better, and a log axis ends somewhere
# Truth is always drawn in ink, and what was measured in green.
_TRACK_COLORS = (theme.BLUE, theme.VERMILLION, theme.PURPLE, theme.ORANGE, theme.SKY)
_MARKS = 8           # about as many markers on a track


def orientation_errors(
    errors: Mapping[str, ArrayLike], sample_rate_hz: float, movement: ArrayLike | None = None
) -> Plot:
    """Draw errors of orientation (N,) in degrees against time, on a log axis, the movement shaded.

    errors: by what the line shows, NaN where the truth is unknown. A point is the root mean square over 1/400 of the record. The
    legend has the root mean square over `movement` (N,), or over the whole record without it.
    Raises ValueError for no line or more than there are colors, lengths that differ, errors that are negative or infinite, and a
    sample rate of 0.
    """
    check_rate(sample_rate_hz)
    lines, moving = _checked_errors(errors, movement)
    scores = {name: root_mean_square(line[moving]) for name, line in lines.items()}
    seconds = len(moving) / sample_rate_hz
    told = ", ".join(f"{name} {score:.2f}°" for name, score in scores.items())
    plot = Plot(
        f"Errors of orientation in degrees on a log axis over {seconds:.0f} s. Root mean square"
        f"{'' if movement is None else ' while the phone moves'}: {told}.",
        height=340,
    )
    (axes,) = plot.axes
    if movement is not None:
        shade(axes, moving, sample_rate_hz)
    for (name, line), color, style in zip(lines.items(), theme.COLORS, theme.LINE_STYLES, strict=False):
        at, values = thinned(line, sample_rate_hz)
        axes.plot(at, values, color=color, linestyle=style, marker="", linewidth=2.2, label=f"{name}, RMS {scores[name]:.2f}°")
    low = max(_LEAST_DEG, min(float(np.nanpercentile(line, 2)) for line in lines.values()))
    degrees_axis(axes, low / 1.5, 1.5 * max(low, *(float(np.nanmax(line)) for line in lines.values())))
    axes.set(xlabel="time (s)", xlim=(0, seconds))
    plot.figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    return plot


def _checked_errors(errors: Mapping[str, ArrayLike], movement: ArrayLike | None) -> tuple[dict[str, Array], Flags]:
    lines = {name: np.atleast_1d(np.asarray(line, np.float64)) for name, line in errors.items()}
    _check_count(lines, "line")
    count = len(next(iter(lines.values())))
    moving = np.ones(count, np.bool_) if movement is None else np.asarray(movement, np.bool_)
    for name, line in {**lines, "movement": moving}.items():
        if line.ndim != 1 or len(line) != count:
            raise ValueError(f"All errors, and movement, are rows of {count} samples; {name} is an array {line.shape}.")
    for name, line in lines.items():
        if not np.isfinite(line[moving]).any() or np.nanmin(line) < 0 or np.isinf(line).any():
            raise ValueError(
                f"Errors are finite angles of 0° or more, known in some sample with movement; those of {name} are not."
            )
    return lines, moving


def root_mean_square(values: Array) -> float:
    """Return the root of the mean square of values, without those that are NaN."""
    return float(np.sqrt(np.nanmean(np.square(values))))


def thinned(line: Array, sample_rate_hz: float, points: int = _POINTS) -> tuple[Array, Array]:
    """Return times (P,) in s and root mean squares (P,) over consecutive parts of errors (N,), at most `points` of them.

    A part without a number is NaN, and 0, which has no place on a log axis, is drawn below its end.
    """
    size = -(-len(line) // points)
    padded = np.concatenate([line, np.full(-len(line) % size, np.nan)]).reshape(-1, size)
    known = np.isfinite(padded)
    squares = np.where(known, padded, 0.0) ** 2
    counts = known.sum(axis=1)
    means = np.divide(squares.sum(axis=1), counts, out=np.full(len(padded), np.nan), where=counts > 0)
    times = (np.arange(len(padded)) + 0.5) * size / sample_rate_hz
    return np.asarray(times, np.float64), np.asarray(np.maximum(np.sqrt(means), _LEAST_DEG / 10), np.float64)


def shade(axes: Any, moving: Flags, sample_rate_hz: float) -> None:
    """Shade the stretches of time in which the phone moves (N,)."""
    edges = np.flatnonzero(np.diff(moving.astype(int), prepend=0, append=0)) / sample_rate_hz
    for index, (begin, end) in enumerate(edges.reshape(-1, 2)):
        axes.axvspan(begin, end, color=theme.GRID, alpha=0.5, linewidth=0, zorder=0, label=None if index else "movement")


def degrees_axis(axes: Any, low: float, high: float) -> None:
    """Make the y axis a log axis of degrees, with plain numbers on it."""
    from matplotlib.ticker import LogLocator, NullFormatter

    subs = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    axes.set(yscale="log", ylim=(low, high), ylabel="error (degrees, log scale)")
    axis = axes.yaxis
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def walk_map(walk: Walk, tracks: Mapping[str, ArrayLike], outage: tuple[float, float] | None = None) -> Plot:
    """Draw a walk from above, in m to the east and north: the truth, the fixes of GPS, tracks, and where there is no GPS.

    tracks: (N, 2) or (N, 3) positions in m by name, one for each of the walk's times. outage: from when to when, in s.
    The axes end near the true walk: fixes and tracks further away leave the picture, and the legend counts the fixes.
    Raises ValueError for no track or more than there are colors, tracks of another length, positions that are not finite, and an
    outage in which the walk has no sample.
    """
    _check_count(tracks, "track")
    truth = walk.positions[:, :2]
    begin, end = outage or (-np.inf, np.inf)
    inside = (walk.times >= begin) & (walk.times <= end)
    if not inside.any():
        raise ValueError(f"The outage goes from {begin} to {end} s, and the walk from {walk.times[0]:g} to {walk.times[-1]:g} s.")
    paths = {name: _positions(name, track, len(truth))[:, :2] for name, track in tracks.items()}
    fixes = to_local(walk.gps.geodetic, walk.origin)[:, :2]
    there = np.stack([np.interp(walk.gps.times, walk.times, axis) for axis in truth.T], axis=-1)
    scores = {name: _distance(path, truth) for name, path in paths.items()}
    told = "; ".join(f"{name} {score:.1f} m" for name, score in {"fixes of GPS": _distance(fixes, there), **scores}.items())
    plot = Plot(
        f"A map of a walk of {walk.times[-1]:.0f} s, {np.ptp(truth[:, 0]):.0f} m from west to east and "
        f"{np.ptp(truth[:, 1]):.0f} m from south to north, with {len(fixes)} fixes of GPS. Horizontal error, root mean square: "
        f"{told}."
        + (f" There is no GPS from {outage[0]:.0f} to {outage[1]:.0f} s." if outage else ""),
        height=480,
    )
    (axes,) = plot.axes
    if outage:
        axes.plot(*truth[inside].T, color=theme.GRID, linewidth=16, linestyle="-", marker="", solid_capstyle="butt",
                  label=f"tunnel: no GPS, {outage[0]:.0f} to {outage[1]:.0f} s")  # fmt: skip
    axes.plot(*truth.T, color=theme.INK, linewidth=2.5, linestyle="-", marker="", label="truth")
    _frame(axes, truth)
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    outside = int(((fixes < [west, south]) | (fixes > [east, north])).any(axis=1).sum())
    axes.plot(*fixes.T, color=theme.GREEN, linestyle="", marker="x", markersize=5,
              label="fixes of GPS" + (f", {outside} more outside" if outside else ""))  # fmt: skip
    looks = zip(paths.items(), _TRACK_COLORS, theme.LINE_STYLES[1:], theme.MARKERS, strict=False)
    for (name, path), color, style, marker in looks:
        axes.plot(*path.T, color=color, linestyle=style, marker=marker, markevery=max(1, len(path) // _MARKS),
                  label=f"{name}, RMS {scores[name]:.1f} m")  # fmt: skip
    axes.plot(*truth[0], color=theme.INK, linestyle="", marker="*", markersize=13, label="start")
    axes.set(xlabel="east (m)", ylabel="north (m)")
    plot.figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return plot


def camera_path(truth: ArrayLike, estimates: Mapping[str, ArrayLike]) -> Plot:
    """Draw paths of a camera from above, in m, and beside it their heights against the distance along the true one.

    truth: (F, 3) m, x, y, and z up. estimates: (F, 3) by name.
    The axes end near the true path: what drifts away leaves the picture, and the legend says how far.
    Raises ValueError for no estimate or more than there are colors, shapes that differ, and positions that are not finite.
    """
    _check_count(estimates, "estimate")
    true = _positions("truth", truth, len(np.atleast_1d(truth)), columns=(3,))
    paths = {name: _positions(name, path, len(true), columns=(3,)) for name, path in estimates.items()}
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(true, axis=0), axis=1))])
    ends = {name: float(np.linalg.norm(path[-1] - true[-1])) for name, path in paths.items()}
    told = "; ".join(f"{name} {ends[name]:.2f} m off at the end, {_distance(path, true):.2f} m root mean square"
                     for name, path in paths.items())  # fmt: skip
    plot = Plot(f"The path of a camera over {way[-1]:.1f} m, left from above, right its height. {told}.", height=400, columns=2)
    above, height = plot.axes
    styles = zip({"truth": true, **paths}.items(), (theme.INK, *_TRACK_COLORS), theme.LINE_STYLES, theme.MARKERS, strict=False)
    for (name, path), color, style, marker in styles:
        label = f"{name}, {ends[name]:.2f} m off at the end" if name in ends else name
        look: Any = {"color": color, "linestyle": style, "marker": marker if name in ends else ""}
        above.plot(*path[:, :2].T, markevery=max(1, len(path) // _MARKS), label=label, **look)
        height.plot(way, path[:, 2], markevery=max(1, len(path) // _MARKS), **look)
    above.plot(*true[0, :2], color=theme.INK, linestyle="", marker="*", markersize=13, label="start")
    above.set(xlabel="x (m)", ylabel="y (m)", title="from above")
    _frame(above, true[:, :2])
    height.set(xlabel="distance along the true path (m)", ylabel="height (m)", title="height")
    middle, half = (true[:, 2].max() + true[:, 2].min()) / 2, max(float(np.ptp(true[:, 2])), 1.0)
    height.set_ylim(middle - 1.5 * half, middle + 1.5 * half)
    plot.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return plot


def kalman_1d(times: ArrayLike, truth: ArrayLike, measured: ArrayLike, lines: Mapping[str, Line]) -> Plot:
    """Draw a position on a line against time: true, measured, and as filters tell it, with bands of ±2 standard deviations.

    times, truth, measured: (N,) in s and m; NaN where nothing was measured. lines: one or two by name, at the same times.
    The axis ends where truth and measurements do: a filter that knows nothing yet has a band beyond.
    Raises ValueError for other numbers of lines, for lengths that differ, and for a truth that is not finite.
    """
    if not 1 <= len(lines) <= 2:
        raise ValueError(f"One or two bands can be told apart; got {len(lines)}.")
    at, true, seen = (np.asarray(values, np.float64) for values in (times, truth, measured))
    lengths = {"truth": true.shape, "measured": seen.shape, **{name: line.times.shape for name, line in lines.items()}}
    for name, length in lengths.items():
        if length != at.shape or not len(at):
            raise ValueError(f"Everything has one value for each of the times {at.shape}, one at least; {name} has {length}.")
    if not np.isfinite(true).all():
        raise ValueError("The truth has values that are NaN or infinite; only what was measured may be missing, as NaN.")
    stds = {name: np.sqrt(line.covariances[:, 0, 0]) for name, line in lines.items()}
    inside = {name: np.abs(line.states[:, 0] - true) <= 2 * stds[name] for name, line in lines.items()}
    told = "; ".join(
        f"{name} {root_mean_square(line.states[:, 0] - true):.2f} m, the truth in its band {inside[name].mean():.0%} of the time"
        for name, line in lines.items()
    )
    count = int(np.isfinite(seen).sum())
    measurements = f"measured {root_mean_square(seen - true):.2f} m; " if count else ""
    plot = Plot(f"Position on a line in m against time, measured {count} times. Root mean square error: {measurements}{told}.")
    (axes,) = plot.axes
    looks = ((theme.BLUE, "--", "///"), (theme.VERMILLION, "-.", "\\\\\\"))
    for (name, line), (color, style, hatch) in zip(lines.items(), looks, strict=False):
        middle, band = line.states[:, 0], 2 * stds[name]
        axes.fill_between(at, middle - band, middle + band, facecolor=color, alpha=0.18, hatch=hatch, edgecolor=color,
                          linewidth=0, label=f"{name} ± 2σ")  # fmt: skip
        axes.plot(at, middle, color=color, linestyle=style, marker="", label=name)
    axes.plot(at, true, color=theme.INK, linestyle="-", linewidth=1.5, marker="", label="truth")
    axes.plot(at, seen, color=theme.GREEN, linestyle="", marker="x", markersize=5, label="measured")
    low, high = np.nanmin([true, seen]), np.nanmax([true, seen])
    margin = 0.1 * (high - low) or 1.0
    axes.set(xlabel="time (s)", ylabel="position (m)", ylim=(low - margin, high + margin))
    plot.figure.legend(loc="outside upper center", ncols=6, frameon=False, fontsize="small")
    return plot


def _distance(path: Array, truth: Array) -> float:
    """Root mean square of the distances between two paths (N, d)."""
    return root_mean_square(np.linalg.norm(path - truth, axis=-1))


def _positions(name: str, path: ArrayLike, count: int, columns: tuple[int, ...] = (2, 3)) -> Array:
    rows = np.asarray(path, np.float64)
    if rows.ndim != 2 or rows.shape[1] not in columns or len(rows) != count or not count:
        shapes = " or ".join(f"({count}, {number})" for number in columns)
        raise ValueError(f"{name} needs a position for each time: {shapes}, at least one; got an array {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} has positions that are NaN or infinite; a filter that ran away often begins like this.")
    return rows


def _frame(axes: Any, points: Array) -> None:
    """Show points (N, 2) with some space around them, a meter as long in both directions."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.15 * float((high - low).max()) or 1.0
    axes.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    axes.set_aspect("equal")


def _check_count(series: Mapping[str, object], what: str) -> None:
    if not 1 <= len(series) <= len(_TRACK_COLORS):
        raise ValueError(f"One to {len(_TRACK_COLORS)} {what}s can be told apart; got {len(series)}.")
