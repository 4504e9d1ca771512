"""Static figures about a language model: what a token costs, what few bits do to it, and what a draft gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pocketlab.llm.decoding import TokenTimes
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot

FLOAT = "float"
"""The name of the model that was not rounded among the rows of `perplexities`."""

_MARKERS = 6  # about as many on a line of token_times: one for each token would hide the line's style


def cost_per_token(positions: Sequence[int], without_ms: Sequence[float], with_ms: Sequence[float]) -> Plot:
    """Draw how long one more token takes (ms) against the tokens before it, without and with a cache.

    Raises ValueError for lists of different lengths, fewer than two positions, or a time that is not positive and finite.
    """
    at = np.asarray(positions, np.float64)
    lines = {"without a cache": _times(without_ms, len(at)), "with a cache": _times(with_ms, len(at))}
    if len(at) < 2:
        raise ValueError(f"A line takes two positions or more; got {len(at)}.")
    told = "; ".join(f"{name} {ms[0]:.3g} ms at {at[0]:,.0f}, {ms[-1]:.3g} ms at {at[-1]:,.0f}" for name, ms in lines.items())
    without, kept = (ms[-1] for ms in lines.values())
    plot = Plot(
        f"Time of one more token against the tokens before it: {told}. At {at[-1]:,.0f} the cache makes it "
        f"{without / kept:.3g} times as fast."
    )
    (axes,) = plot.axes
    for name, ms in lines.items():
        axes.plot(at, ms, label=name)
    axes.set(xlabel="tokens before it", ylabel="time of one more token (ms)")
    axes.set_ylim(bottom=0)
    plot.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return plot


def salient(magnitudes: np.ndarray, name: str) -> Plot:
    """Draw the mean |x| of a layer's input channels, the largest first, with the salient 1 % marked.

    magnitudes: (channels,), of `pocketlab.llm.awq.salient_channels`' means. name: of the layer.
    Raises ValueError for another shape, fewer than two channels, or a magnitude that is not positive and finite.
    """
    import torch

    from pocketlab.llm.awq import salient_channels

    values = np.asarray(magnitudes, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"Magnitudes are (channels,), two or more; got an array {values.shape}.")
    if not (np.isfinite(values) & (values > 0)).all():
        raise ValueError("Mean magnitudes are positive and finite, a logarithmic axis has no place for others; one is not.")
    count = len(salient_channels(torch.from_numpy(values)[None]))
    ordered, ranks, median = np.sort(values)[::-1], np.arange(1, len(values) + 1), float(np.median(values))
    channels = "1 channel is" if count == 1 else f"{count} channels are"
    plot = Plot(
        f"Mean magnitude of the {len(values):,} input channels of {name}, the largest first, on a log scale: from "
        f"{ordered[0]:.3g} to {ordered[-1]:.3g}, median {median:.3g}. The salient 1 %, {channels} marked, begin at "
        f"{ordered[count - 1]:.3g}, {ordered[count - 1] / median:.3g} times the median."
    )
    (axes,) = plot.axes
    axes.plot(ranks[count:], ordered[count:], color=theme.BLUE, marker=".", markersize=4, linestyle="", label="other channels")
    axes.plot(ranks[:count], ordered[:count], color=theme.VERMILLION, marker="s", linestyle="", label=f"salient 1 % ({count})")
    axes.axhline(median, color=theme.INK, linestyle="--", linewidth=1.2, marker="", label="median")
    _plain_log(axes.yaxis, values)
    axes.set(xlabel="input channel, by rank", ylabel="mean |x| (no unit, log scale)", title=name)
    plot.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return plot


def perplexities(rows: Sequence[tuple[str, int, float]]) -> Plot:
    """Draw the perplexity against the bits of a weight, most first, a line for each method over the level of the float model.

    rows: (method, bits, perplexity); one of them is `FLOAT`'s, whose bits are not drawn. Raises ValueError without it or
    without another method, for more methods than colors, a pair of method and bits that comes twice, and a perplexity below 1
    or not finite.
    """
    levels = [value for method, _, value in rows if method == FLOAT]
    lines: dict[str, dict[int, float]] = {}
    for method, bits, value in rows:
        if not 1 <= value < np.inf:
            raise ValueError(f"A perplexity is 1 or more and finite; {method} in {bits} bits has {value}.")
        if method != FLOAT and bits in lines.setdefault(method, {}):
            raise ValueError(f"{method} in {bits} bits comes twice: give each pair once.")
        if method != FLOAT:
            lines[method][bits] = value
    if len(levels) != 1 or not 1 <= len(lines) <= len(theme.COLORS):
        raise ValueError(
            f'One row is that of "{FLOAT}", and one to {len(theme.COLORS)} methods can be told apart; got {len(levels)} '
            f"and {len(lines)}."
        )
    order = sorted({bits for line in lines.values() for bits in line}, reverse=True)
    told = "; ".join(
        f"{method}: " + ", ".join(f"{line[bits]:.3g} in {bits} bits" for bits in order if bits in line)
        for method, line in lines.items()
    )
    plot = Plot(f"Perplexity on a log scale against bits per weight; the float model has {levels[0]:.3g}. {told}.")
    (axes,) = plot.axes
    for (method, line), color, style, marker in zip(
        lines.items(), theme.COLORS, theme.LINE_STYLES, theme.MARKERS, strict=False
    ):
        # Numbers of bits stand at equal distances: from 4 to 3 is as large a step for a phone as from 8 to 4.
        at = [place for place, bits in enumerate(order) if bits in line]
        axes.plot(at, [line[order[place]] for place in at], color=color, linestyle=style, marker=marker, label=method)
    axes.axhline(levels[0], color=theme.INK, linestyle=(0, (1, 2)), linewidth=1.5, marker="", label="float")
    axes.set_xticks(range(len(order)), [str(bits) for bits in order])
    _plain_log(axes.yaxis, np.array([value for _, _, value in rows]))
    axes.set(xlabel="bits per weight", ylabel="perplexity (no unit, log scale)")
    plot.figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return plot


def speculation(
    gammas: Sequence[int], measured: Sequence[float], expected: Sequence[float], speedups: Sequence[float]
) -> Plot:
    """Draw tokens per pass of the target for each γ, measured and by the formula, and beside it the speed-up by the clock.

    speedups: the time without a draft over the time with one. Raises ValueError for lists of different lengths, none, or a
    value that is not positive and finite.
    """
    columns = {"measured": measured, "formula": expected, "speed-up": speedups}
    values = {name: np.asarray(column, np.float64) for name, column in columns.items()}
    for name, column in values.items():
        if column.shape != (len(gammas),) or not len(gammas) or not (np.isfinite(column) & (column > 0)).all():
            raise ValueError(f"For each of {len(gammas)} gammas one positive number is {name}; got {list(columns[name])}.")
    told = "; ".join(
        f"γ = {gamma}: measured {took:.2f}, formula {formula:.2f}, {faster:.2f} times as fast"
        for gamma, took, formula, faster in zip(gammas, *values.values(), strict=True)
    )
    plot = Plot(f"Left, tokens per pass of the target against γ, measured and by the formula; right, the speed-up. {told}.",
                height=340, columns=2)  # fmt: skip
    passes, clock = plot.axes
    passes.plot(gammas, values["measured"], label="measured")
    passes.plot(gammas, values["formula"], label="formula, from the measured acceptance")
    passes.set(ylabel="tokens per pass of the target")
    clock.plot(gammas, values["speed-up"], color=theme.GREEN, linestyle="-", marker="^", label="speed-up, by the clock")
    clock.axhline(1, color=theme.INK, linestyle="--", linewidth=1.2, marker="", label="without a draft")
    clock.set(ylabel="times as fast as without a draft")
    for axes in plot.axes:
        axes.set(xlabel="γ, tokens proposed for a pass")
        axes.set_xticks(list(gammas))
        axes.set_ylim(bottom=0)
    plot.figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    return plot


def token_times(series: Mapping[str, TokenTimes]) -> Plot:
    """Draw how many tokens had come at each moment (s) of several runs; a line's first marker is its first token.

    Raises ValueError for no run, more than can be told apart, or a run without a token.
    """
    if not 1 <= len(series) <= len(theme.COLORS):
        raise ValueError(f"One to {len(theme.COLORS)} runs can be told apart; got {len(series)}.")
    empty = [name for name, times in series.items() if not times.seconds]
    if empty:
        raise ValueError(f"A run has a token at least; {empty[0]} has none.")
    labels = {
        name: f"{name}: first after {times.first_s:.3g} s"
        + (f", then {times.tokens_per_second:.3g} tokens/s" if len(times.seconds) > 1 else "")
        for name, times in series.items()
    }
    told = "; ".join(f"{labels[name]}, {len(times.seconds)} tokens in all" for name, times in series.items())
    plot = Plot(f"Tokens so far against the time since the call, a line for each run. {told}.", height=380)
    (axes,) = plot.axes
    for (name, times), color, style, marker in zip(
        series.items(), theme.COLORS, theme.LINE_STYLES, theme.MARKERS, strict=False
    ):
        count = len(times.seconds)
        axes.plot(times.seconds, range(1, count + 1), color=color, linestyle=style, marker=marker, markersize=7,
                  markevery=max(1, count // _MARKERS), label=labels[name])  # fmt: skip
    axes.set(xlabel="time since the call (s)", ylabel="tokens so far")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    plot.figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return plot


def _times(values: Sequence[float], count: int) -> np.ndarray:
    ms = np.asarray(values, np.float64)
    if ms.shape != (count,):
        raise ValueError(f"Each of the {count} positions has one time; got an array {ms.shape}.")
    if not (np.isfinite(ms) & (ms > 0)).all():
        raise ValueError(f"A time in ms is positive and finite; got {list(values)}.")
    return ms


def _plain_log(axis: Any, values: np.ndarray) -> None:
    """Make an axis logarithmic, with numbers written out, also between powers of ten where it spans few of them."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    axis.axes.set_yscale("log")
    decades = np.log10(values.max() / values.min())
    axis.set_major_locator(MaxNLocator(6) if decades < 1 else LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())
