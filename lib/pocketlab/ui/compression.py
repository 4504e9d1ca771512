"""Static figures about a compressed network: each function draws one and returns a Plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from string import ascii_uppercase
from typing import Any

import numpy as np

from pocketlab.ui import theme
from pocketlab.ui.plot import Plot

_DB_PER_BIT = 20 * float(np.log10(2))
_MOST_MASKS = 4
_MOST_SHOWN = 256                     # of a mask's rows and columns; of more, some would share a pixel
_HATCHES = ("", "//", "..", "xx")
_BINS = 80


def error_against_bits(sqnr: Mapping[str, Mapping[int, float]], subject: str) -> Plot:
    """Draw the SQNR against the bits of a weight, a line for each way, over a faint one that rises by 6 dB a bit.

    sqnr: dB by bits, by the name of the way ("one grid", "palette", …). subject: whose weights these are, for the title.
    Raises ValueError for no way, a way without bits, more ways than colors, or a value that is not finite.
    """
    _check_lines(sqnr, "SQNR")
    plot = Plot(f"{subject}: SQNR in dB against bits for {len(sqnr)} ways. {_told(sqnr, 'dB')}.", height=360)
    (axes,) = plot.axes
    bits = _draw_lines(axes, sqnr)
    # Just below all lines: a reference for their slopes, not for their heights.
    lowest = min(value - _DB_PER_BIT * bit for values in sqnr.values() for bit, value in values.items())
    axes.plot(bits, [_DB_PER_BIT * bit + lowest - 2 for bit in bits], color=theme.MUTED, alpha=0.6, linewidth=1.2,
              linestyle="-", marker="", zorder=1, label="6 dB per bit")
    axes.set(xlabel="bits per weight", ylabel="SQNR (dB)", title=subject)
    plot.figure.legend(loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    return plot


def accuracy_against_bits(accuracy: Mapping[str, Mapping[int, float]], float_accuracy: float) -> Plot:
    """Draw the accuracy (%) against the bits of a weight, a line for each way, with the float network as a dashed line.

    Raises ValueError as `error_against_bits` does, and for an accuracy that is not a percentage.
    """
    _check_lines(accuracy, "accuracy")
    values = [value for line in accuracy.values() for value in line.values()]
    if not 1 < float_accuracy <= 100 or min(values) < 0 or max(values) > 100:
        raise ValueError(
            f"Accuracy is given in percent, up to 100; got {float_accuracy} for the float network and "
            f"{min(values)} to {max(values)} for the others. Multiply shares by 100."
        )
    plot = Plot(
        f"Accuracy in % against bits for {len(accuracy)} ways, and {float_accuracy:.1f} % of the float network as a "
        f"dashed line. {_told(accuracy, '%')}.",
        height=360,
    )
    (axes,) = plot.axes
    axes.axhline(float_accuracy, color=theme.INK, linestyle="--", linewidth=1.2, marker="", label="float")
    _draw_lines(axes, accuracy)
    axes.set(xlabel="bits per weight", ylabel="accuracy (%)")
    plot.figure.legend(loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    return plot


def sparsity_masks(masks: Mapping[str, np.ndarray]) -> Plot:
    """Draw one to four masks side by side, a weight that stays in black and one that goes in white, all at one scale.

    masks: bool (outputs, inputs) by name, True where the weight stays. Of a larger one the first 256 outputs and inputs are
    drawn; the share of zeros in the title is that of the whole.
    Raises ValueError for another number of masks, and for one that is not bool and two-dimensional.
    """
    arrays = {name: np.asarray(mask) for name, mask in masks.items()}
    if not 1 <= len(arrays) <= _MOST_MASKS:
        raise ValueError(f"One to {_MOST_MASKS} masks fit side by side; got {len(arrays)}.")
    for name, mask in arrays.items():
        if mask.dtype != bool or mask.ndim != 2 or mask.size == 0:
            raise ValueError(
                f"A mask is bool (outputs, inputs), True where the weight stays; {name} is {mask.dtype} {mask.shape}. "
                "`weight != 0` makes one."
            )
    zeros = {name: 100 * float(1 - mask.mean()) for name, mask in arrays.items()}
    shown = {name: mask[:_MOST_SHOWN, :_MOST_SHOWN] for name, mask in arrays.items()}
    rows, columns = (max(mask.shape[axis] for mask in shown.values()) for axis in (0, 1))
    parts = "; ".join(f"{name}: {_size(mask)}, {zeros[name]:.1f} % zeros" for name, mask in arrays.items())
    plot = Plot(
        f"Masks of weights, kept ones black, dropped ones white. {parts}.",
        height=_height_of_masks(rows, columns, len(arrays)),
        columns=len(arrays),
    )
    for axes, (name, mask) in zip(plot.axes, shown.items(), strict=True):
        height, width = mask.shape
        axes.imshow(~mask, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=(0, width, height, 0))
        axes.add_patch(_frame(width, height))
        axes.set(xlim=(-0.5, columns + 0.5), ylim=(rows + 0.5, -0.5), xlabel=_axis("input", mask, arrays[name], 1))
        axes.set_xticks([0, width])
        axes.set_yticks([0, height])
        axes.set_ylabel(_axis("output", mask, arrays[name], 0))
        axes.set_title(f"{name}\n{zeros[name]:.1f} % zeros")
        axes.grid(False)
        axes.spines[:].set_visible(False)
    return plot


def schedule(points: Sequence[tuple[int, float, float]], events: Mapping[int, str]) -> Plot:
    """Draw a training with pruning: its sparsity (%) above, its accuracy (%) below, both against the training step.

    points: (step, sparsity in %, accuracy in %), in the order of the steps. events: what begins at a step; each is a
    vertical line with a letter, explained under the figure.
    Raises ValueError for fewer than two points, a percentage outside of 0 to 100, steps that fall, more than 26 events, or
    an event outside of the steps.
    """
    rows = np.asarray(points, np.float64)
    if rows.ndim != 2 or rows.shape[1] != 3 or len(rows) < 2:
        raise ValueError(f"A schedule has two or more points (step, sparsity, accuracy); got an array {rows.shape}.")
    steps, sparsity, accuracy = rows.T
    if not ((rows[:, 1:] >= 0) & (rows[:, 1:] <= 100)).all():
        raise ValueError("Sparsity and accuracy are percentages from 0 to 100; a point has another value.")
    if (np.diff(steps) < 0).any():
        raise ValueError("The points come in the order of their steps; a step is smaller than the one before it.")
    if len(events) > len(ascii_uppercase):
        raise ValueError(f"Up to {len(ascii_uppercase)} events get a letter; got {len(events)}.")
    outside = [step for step in events if not steps[0] <= step <= steps[-1]]
    if outside:
        raise ValueError(f"Events lie between step {steps[0]:g} and step {steps[-1]:g}; got one at {outside[0]}.")
    told = "".join(f" At step {step:,}: {what}." for step, what in sorted(events.items()))
    plot = Plot(
        f"Sparsity and accuracy against training step, {steps[0]:,.0f} to {steps[-1]:,.0f}: sparsity from "
        f"{sparsity[0]:.1f} to {sparsity[-1]:.1f} %, accuracy from {accuracy[0]:.1f} to {accuracy[-1]:.1f} %, "
        f"lowest {accuracy.min():.1f} %.{told}",
        height=420,
        rows=2,
    )
    above, below = plot.axes
    below.sharex(above)
    above.plot(steps, sparsity, color=theme.BLUE, marker="")
    below.plot(steps, accuracy, color=theme.VERMILLION, linestyle="-", marker="o", markersize=3)
    above.set_ylabel("sparsity (%)")
    above.tick_params(labelbottom=False)
    below.set(xlabel="training step", ylabel="accuracy (%)")
    sides = _sides(sorted(events), (steps[-1] - steps[0]) / 50)
    for letter, side, (step, what) in zip(ascii_uppercase, sides, sorted(events.items()), strict=False):
        for axes in plot.axes:
            label = f"{letter}: {what}" if axes is above else None
            axes.axvline(step, color=theme.INK, linestyle=":", linewidth=1.2, marker="", label=label)
        above.annotate(letter, (step, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                       textcoords="offset points", ha=side, va="bottom", weight="bold")
    if events:
        plot.figure.legend(loc="outside lower center", ncols=3, handlelength=0, fontsize="small", frameon=False)
    return plot


def softened(probabilities: Mapping[str, np.ndarray], image: np.ndarray) -> Plot:
    """Draw a digit, and beside it the probabilities of the classes, in bars for each temperature.

    probabilities: (classes,), adding up to 1, by the name of the temperature ("T = 1", …), one to four. image: (height,
    width), or with axes of length 1 in front; a larger pixel is darker.
    Raises ValueError for another number of temperatures, another shape, or probabilities that do not add up to 1.
    """
    rows = {name: np.asarray(values, np.float64) for name, values in probabilities.items()}
    pixels = np.squeeze(np.asarray(image))
    if not 1 <= len(rows) <= len(_HATCHES):
        raise ValueError(f"One to {len(_HATCHES)} temperatures can be told apart; got {len(rows)}.")
    if pixels.ndim != 2:
        raise ValueError(f"An image is (height, width); this one is {np.shape(image)}.")
    shape = next(iter(rows.values())).shape
    for name, values in rows.items():
        if values.ndim != 1 or values.shape != shape:
            raise ValueError(f"Each temperature has probabilities (classes,); {name} has {values.shape}.")
        # Adding up float32 numbers errs by less than 1e-6; logits, counts and percentages are off by far more.
        if not (values >= 0).all() or abs(values.sum() - 1) > 1e-4:
            raise ValueError(f"Probabilities are not negative and add up to 1; those of {name} add up to {values.sum():g}.")
    told = "; ".join(
        f"{name}: class {values.argmax()} has {values.max():.1%}, the next, {np.argsort(values)[-2]}, "
        f"{np.sort(values)[-2]:.1%}" if len(values) > 1 else f"{name}: one class"
        for name, values in rows.items()
    )
    plot = Plot(f"A digit, and bars of the probabilities of its classes. {told}.", height=300, columns=2)
    picture, bars = plot.axes
    grid: Any = picture.get_gridspec()
    grid.set_width_ratios([1, 3])
    picture.imshow(pixels, cmap="gray_r", interpolation="nearest")
    picture.set(xticks=[], yticks=[], title="the input")
    picture.grid(False)
    picture.spines[:].set_visible(True)
    classes, width = np.arange(shape[0]), 0.8 / len(rows)
    for place, (name, values) in enumerate(rows.items()):
        at = classes + (place - (len(rows) - 1) / 2) * width
        bars.bar(at, values, width, color=theme.COLORS[place], hatch=_HATCHES[place], edgecolor=theme.CARD, linewidth=0,
                 label=name)
    bars.set(xlabel="class", ylabel="probability (no unit)", ylim=(0, 1))
    bars.set_xticks(classes)
    bars.grid(axis="x", visible=False)
    plot.figure.legend(loc="outside upper right", ncols=len(rows), frameon=False)
    return plot


def histogram_with_levels(weights: np.ndarray, levels_by_name: Mapping[str, np.ndarray]) -> Plot:
    """Draw the histogram of weights, and under it a row of marks for each set of levels.

    weights: any shape. levels_by_name: the values that a weight may take, by the name of the grid or palette.
    Raises ValueError for no levels, more sets than colors, and values that are none or not finite.
    """
    flat = np.asarray(weights, np.float64).reshape(-1)
    rows = {name: np.asarray(levels, np.float64).reshape(-1) for name, levels in levels_by_name.items()}
    if not 1 <= len(rows) <= len(theme.COLORS):
        raise ValueError(f"One to {len(theme.COLORS)} sets of levels can be told apart; got {len(rows)}.")
    for name, values in {"the weights": flat, **rows}.items():
        if values.size == 0 or not np.isfinite(values).all():
            raise ValueError(f"A histogram needs finite values, at least one; {name} have a NaN, an infinity or none.")
    told = "; ".join(
        f"{name}: {len(levels)} levels from {levels.min():.3g} to {levels.max():.3g}" for name, levels in rows.items()
    )
    plot = Plot(
        f"Histogram of {flat.size:,} weights from {flat.min():.3g} to {flat.max():.3g}, and under it rows of levels. {told}.",
        height=260 + 34 * len(rows),
        rows=2,
    )
    above, below = plot.axes
    grid: Any = above.get_gridspec()
    grid.set_height_ratios([5, len(rows)])
    below.sharex(above)
    counts, edges = np.histogram(flat, _BINS)
    above.stairs(counts, edges, fill=True, color=theme.SKY, baseline=0.5)
    above.set_yscale("log")
    above.yaxis.set_major_formatter("{x:,g}")
    above.set(ylim=(0.5, 2 * counts.max()), ylabel="weights (log scale)")
    above.tick_params(labelbottom=False)
    for row, (levels, color) in enumerate(zip(rows.values(), theme.COLORS, strict=False)):
        width = float(np.clip(40 / len(levels), 0.8, 1.6))
        marks = below.vlines(levels, row - 0.35, row + 0.35, colors=color, linewidth=width)
        marks.set_snap(False)   # on whole pixels, equal steps between many levels would look unequal
    below.set_yticks(range(len(rows)), list(rows))
    below.set(xlabel="weight (no unit)", ylim=(len(rows) - 0.5, -0.5))
    below.grid(axis="y", visible=False)
    return plot


def _check_lines(lines: Mapping[str, Mapping[int, float]], what: str) -> None:
    if not 1 <= len(lines) <= len(theme.COLORS):
        raise ValueError(f"One to {len(theme.COLORS)} ways can be told apart; got {len(lines)}.")
    for name, values in lines.items():
        if not values or not np.isfinite(list(values.values())).all():
            raise ValueError(f"Each way needs a finite {what} for at least one number of bits; {name} has {dict(values)}.")


def _draw_lines(axes: Any, lines: Mapping[str, Mapping[int, float]]) -> list[int]:
    """Draw the lines, and return the bits that occur, ascending."""
    for (name, values), color, style, marker in zip(
        lines.items(), theme.COLORS, theme.LINE_STYLES, theme.MARKERS, strict=False
    ):
        at = sorted(values)
        axes.plot(at, [values[bits] for bits in at], color=color, linestyle=style, marker=marker, label=name)
    bits = sorted({bit for values in lines.values() for bit in values})
    axes.set_xticks(bits)
    return bits


def _told(lines: Mapping[str, Mapping[int, float]], unit: str) -> str:
    return "; ".join(
        f"{name}: " + ", ".join(f"{values[bits]:.1f} {unit} at {bits} bits" for bits in sorted(values))
        for name, values in lines.items()
    )


def _size(mask: np.ndarray) -> str:
    return f"{mask.shape[0]} outputs of {mask.shape[1]} inputs"


def _height_of_masks(rows: int, columns: int, count: int) -> int:
    """Return the height in pixels of a figure in which masks fill its width of 800, but for 65 beside and 120 above and below."""
    weight = min((800 / count - 65) / columns, 370 / rows)
    return round(weight * rows) + 120


def _axis(what: str, shown: np.ndarray, mask: np.ndarray, axis: int) -> str:
    whole = mask.shape[axis]
    return what if shown.shape[axis] == whole else f"{what} (first {_MOST_SHOWN} of {whole})"


def _sides(steps: Sequence[int], least: float) -> list[str]:
    """Return on which side of its line a letter stands: two lines closer than `least` have theirs on the outer sides."""
    near = [False, *(b - a < least for a, b in pairwise(steps)), False]
    return ["right" if after else "left" if before else "center" for before, after in pairwise(near)]


def _frame(width: int, height: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), width, height, fill=False, edgecolor=theme.MUTED, linewidth=1.0)
