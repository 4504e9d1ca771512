"""An explorer of a layer's levels: where a grid ends against its error, and what a palette of as many bits does better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlab.compression.palettization import nearest, palettize
from pocketlab.compression.quantization import integer_range, rounding_and_clipping, sqnr_db
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot, widget_with_static
from pocketlab.ui.table import Column, table

TO_THE_LARGEST = "grid to the largest weight"
LEAST_ERROR = "grid with the least error"
PALETTE = "palette (k-means)"

_SHARES = np.arange(10, 101) / 100   # where a grid may end, in largest magnitudes
_MOST_EXACT = 2**18                  # weights times levels: exact k-means then takes 0.1 s, and Lloyd's is used above
_BINS = 60
_BASE = 0.5                          # where bars stand on the logarithmic axis, so that a count of 1 has a height
_LEVEL_HEIGHT = 0.3                  # of the lines for the levels, in heights of the axes


@dataclass(frozen=True)
class Levels:
    """The values that a layer's weights may take, ascending, and what rounding to the nearest of them costs.

    `limit` is the largest magnitude among them. `bits_per_weight` counts the scale of a grid (float32) or the values of
    a palette (float16) along with the integers.
    """

    values: np.ndarray
    limit: float
    mean_squared_error: float
    sqnr_db: float
    bits_per_weight: float


class Layer:
    """The weights of one layer, with errors and levels that are computed once for each number of bits.

    Raises ValueError for weights that are none, not finite, or all zero.
    """

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = np.asarray(weights, np.float64).reshape(-1)
        if self.weights.size == 0 or not np.isfinite(self.weights).all() or not self.weights.any():
            raise ValueError(
                "A layer to explore has finite weights, at least one, that are not all zero; this one's shape is "
                f"{np.shape(weights)}."
            )
        self.largest = float(np.abs(self.weights).max())
        self._errors: dict[int, np.ndarray] = {}
        self._levels: dict[tuple[str, int], Levels] = {}

    def errors(self, bits: int) -> np.ndarray:
        """Return the mean squared errors by rounding and by clipping, (limits, 2), for limits of 10 % to 100 %."""
        if bits not in self._errors:
            limits = self.largest * _SHARES
            self._errors[bits] = np.array([rounding_and_clipping(self.weights, limit, bits) for limit in limits])
        return self._errors[bits]

    def levels(self, kind: str, bits: int) -> Levels:
        """Return the levels of a kind: `TO_THE_LARGEST`, `LEAST_ERROR` (of the limits of `errors`) or `PALETTE`."""
        if (kind, bits) not in self._levels:
            self._levels[kind, bits] = self._measured(kind, bits)
        return self._levels[kind, bits]

    def _measured(self, kind: str, bits: int) -> Levels:
        if kind == PALETTE:
            is_fast = self.weights.size * 2**bits <= _MOST_EXACT
            palettized = palettize(self.weights[None], bits, method="exact" if is_fast else "lloyd")
            values, size = np.unique(palettized.palettes), palettized.size_bits
        else:
            values, size = self._grid(kind, bits), bits * self.weights.size + 32
        restored = values[nearest(self.weights, values)]
        return Levels(
            values=values,
            limit=float(np.abs(values).max()),
            mean_squared_error=float(((self.weights - restored) ** 2).mean()),
            sqnr_db=sqnr_db(self.weights, restored),
            bits_per_weight=size / self.weights.size,
        )

    def _grid(self, kind: str, bits: int) -> np.ndarray:
        best = _SHARES[self.errors(bits).sum(axis=1).argmin()]
        limit = self.largest * (best if kind == LEAST_ERROR else 1.0)
        lowest, highest = integer_range(bits, narrow_range=True)
        return limit * (np.arange(lowest, highest + 1) / highest)  # the last one is `limit` itself, bit by bit


class GridExplorer:
    """Three controls; the histogram of a layer's weights with its levels, and the error against the end of the grid.

    weights: named layers, of any shape. `layer` (shown where there are several), `bits` and `kind` are the controls, in
    this order; as the last value of a cell the explorer shows itself.

    Raises ValueError without a layer, and for what `Layer` refuses.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        from ipywidgets import HTML, Dropdown, HBox, IntSlider, Layout, VBox

        if not weights:
            raise ValueError("The explorer needs the weights of at least one layer.")
        self.layers = {name: Layer(values) for name, values in weights.items()}
        wide = {"style": {"description_width": "initial"}}
        self.layer = Dropdown(options=list(self.layers), description="Layer", layout=Layout(width="250px"), **wide)
        self.bits = IntSlider(4, 2, 8, description="Bits", layout=Layout(width="200px"), **wide)
        self.kind = Dropdown(options=[TO_THE_LARGEST, LEAST_ERROR, PALETTE], description="Levels",
                             layout=Layout(width="270px"), **wide)
        self.plot = Plot("The weights before a grid is chosen.", height=370, columns=2)
        self._weights = _Weights(self.plot.axes[0])
        self._error = _Error(self.plot.axes[1])
        grid: Any = self.plot.axes[0].get_gridspec()
        grid.set_width_ratios([6, 5])
        self.plot.figure.legend(loc="outside lower center", ncols=8, columnspacing=1.2, frameon=False, fontsize="small")
        self._table = HTML()
        # `widget` fixes the layout: with the largest layer, whose counts have the longest labels.
        self._enter(max(self.layers.values(), key=lambda layer: layer.weights.size))
        controls = [self.layer, self.bits, self.kind] if len(self.layers) > 1 else [self.bits, self.kind]
        row = HBox(controls, layout=Layout(flex_flow="row wrap"))
        self.widget = VBox([row, self.plot.widget, self._table])
        self._layer_changed()
        self.layer.observe(self._layer_changed, names="value")
        for control in (self.bits, self.kind):
            control.observe(self._moved, names="value")

    def _enter(self, layer: Layer) -> None:
        self._weights.enter(layer)
        self._error.enter(layer)
        self.plot.moving(*self._weights.moving, *self._error.moving)

    def _layer_changed(self, _change: Any = None) -> None:
        self._enter(self.layers[self.layer.value])
        self._moved()

    def _moved(self, _change: Any = None) -> None:
        layer, bits, kind = self.layers[self.layer.value], self.bits.value, self.kind.value
        levels = layer.levels(kind, bits)
        clipped = np.empty(0) if kind == PALETTE else layer.weights[np.abs(layer.weights) > levels.limit]
        self._weights.show(levels, clipped)
        self._error.show(layer.errors(bits), levels, kind)
        self._table.value = table(
            [(kind, len(levels.values), levels.limit, levels.mean_squared_error, levels.sqnr_db, levels.bits_per_weight)],
            ["levels are a", "levels", "limit", "mean squared error", Column("SQNR", "dB", 1),
             Column("stored", "bits per weight", 2)],
            caption=f"{self.layer.value}: {layer.weights.size:,} weights, {bits} bits",
        ).html()
        self.plot.update(self._describe(levels, len(clipped) / layer.weights.size))

    def _describe(self, levels: Levels, clipped: float) -> str:
        layer, bits = self.layers[self.layer.value], self.bits.value
        errors = layer.errors(bits)
        best = errors.sum(axis=1).argmin()
        ends = (
            f"from {levels.values[0]:.3g} to {levels.values[-1]:.3g}" if self.kind.value == PALETTE
            else f"ending at ±{levels.limit:.3g}, {clipped:.2%} of the weights clipped"
        )
        return (
            f"Left: a histogram of the {layer.weights.size:,} weights of {self.layer.value} with {len(levels.values)} levels, "
            f"{self.kind.value}, {bits} bits, {ends}; mean squared error {levels.mean_squared_error:.2g}, SQNR "
            f"{levels.sqnr_db:.1f} dB. Right: the errors of a grid by rounding, which grows with its limit, and by clipping, "
            f"which falls; their sum is least, {errors[best].sum():.2g}, at {_SHARES[best]:.0%} of the largest weight."
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return widget_with_static(self.widget, self.plot.html() + self._table.value)


class _Weights:
    """The artists on the left: a layer's histogram, the part that is clipped, and a line for each level."""

    def __init__(self, axes: Any) -> None:
        self._axes = axes
        self._edges = np.linspace(-1, 1, _BINS + 1)
        empty, bars = np.full(_BINS, _BASE), {"baseline": _BASE, "fill": True}
        self._bars = axes.stairs(empty, self._edges, color=theme.SKY, label="weights", **bars)
        self._clipped = axes.stairs(empty, self._edges, facecolor=theme.VERMILLION, edgecolor=theme.INK, hatch="///",
                                    linewidth=0.0, label="clipped", **bars)
        # One line with gaps draws ten times faster than a line for each level.
        (self._levels,) = axes.plot([], [], transform=axes.get_xaxis_transform(), color=theme.INK, linestyle="-",
                                    marker="", label="levels")
        self._levels.set_snap(False)   # on whole pixels, 255 equal steps would look unequal
        axes.set_yscale("log")
        axes.set(xlabel="weight (no unit)", ylabel="number of weights (log scale)")
        axes.locator_params(axis="x", nbins=6)
        self.moving = (self._clipped, self._levels)

    def enter(self, layer: Layer) -> None:
        """Draw a layer's histogram and fit the axes to it."""
        counts, self._edges = np.histogram(layer.weights, _BINS, (-layer.largest, layer.largest))
        top = 2.0 * counts.max()
        ticks = 10 ** np.arange(np.ceil(np.log10(top)), dtype=int)
        self._bars.set_data(np.maximum(counts, _BASE), self._edges)
        self._axes.set(xlim=(-1.05 * layer.largest, 1.05 * layer.largest), ylim=(_BASE, top))
        self._axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        self._axes.minorticks_off()

    def show(self, levels: Levels, clipped: np.ndarray) -> None:
        """Draw the levels, thinner lines where there are many, and the weights beyond the last of them."""
        self._clipped.set_data(np.maximum(np.histogram(clipped, self._edges)[0], _BASE), self._edges)
        self._levels.set_data(
            np.repeat(levels.values, 3), np.tile([0.0, _LEVEL_HEIGHT, np.nan], len(levels.values))
        )
        self._levels.set_linewidth(float(np.clip(40 / len(levels.values), 0.5, 1.6)))


class _Error:
    """The artists on the right: the two errors and their sum against the limit, the chosen grid, and the palette."""

    def __init__(self, axes: Any) -> None:
        self._axes = axes
        limits = 100 * _SHARES
        # The sum lies under its parts and is wider, so that one sees which of them it mostly is.
        styles = (("sum", theme.PURPLE, "-", 5.0), ("rounding", theme.BLUE, "--", 2.0), ("clipping", theme.VERMILLION, "-.", 2.0))
        self._curves = [
            axes.plot(limits, limits, color=color, linestyle=style, linewidth=width, marker="", label=name)[0]
            for name, color, style, width in styles
        ]
        (self._chosen,) = axes.plot([], [], linestyle="", marker="o", markersize=9, color=theme.ORANGE,
                                    markeredgecolor=theme.INK, label="this grid")
        (self._palette,) = axes.plot([], [], linestyle=":", linewidth=2.5, marker="", color=theme.GREEN, label="this palette")
        axes.set_yscale("log")
        axes.set(xlim=(8, 102), xlabel="limit of the grid (% of the largest weight)",
                 ylabel="mean squared error (log scale)")
        self.moving = (*self._curves, self._chosen, self._palette)

    def enter(self, layer: Layer) -> None:
        """Fit the axes to a layer: from its mean square, an error of all, down to what 8 bits reach."""
        self._largest = layer.largest
        square = float((layer.weights**2).mean())
        finest = layer.errors(8).sum(axis=1).min()
        self._axes.set_ylim(max(finest, 1e-7 * square) / 3, 2 * square)

    def show(self, errors: np.ndarray, levels: Levels, kind: str) -> None:
        """Draw the errors of as many bits, and a point for a grid or a horizontal line for a palette."""
        for curve, values in zip(self._curves, (errors.sum(axis=1), *errors.T), strict=True):
            curve.set_ydata(values)
        is_palette = kind == PALETTE
        error = levels.mean_squared_error
        self._palette.set_data(([8, 102], [error, error]) if is_palette else ([], []))
        self._chosen.set_data(([], []) if is_palette else ([100 * levels.limit / self._largest], [error]))
