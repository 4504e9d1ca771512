"""An explorer of weight quantization: bits, range and granularity against error, over a histogram with its grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlab.compression.quantization import affine_params, dequantize, integer_range, quantize, sqnr_db
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot, widget_with_static
from pocketlab.ui.table import Column, table

_MOST_TENSORS = 3
_MOST_GRIDS = 8      # of a tensor with more channels, this many are drawn
_BINS = 60
_BASE = 0.5          # where bars stand on the logarithmic axis, so that a count of 1 has a height
_GRID_HEIGHT = 0.3   # the part of an axes' height, at its foot, that belongs to the grids


@dataclass(frozen=True)
class QuantizedTensor:
    """A tensor after quantization and back.

    `scale` is a number, or one for each channel; `cut_off` marks, in the tensor's shape, the values beyond the range.
    """

    scale: float | np.ndarray
    sqnr_db: float
    largest_error: float
    cut_off: np.ndarray


class WeightTensor:
    """A tensor to be quantized again and again; its magnitudes are sorted once.

    Raises ValueError where the values are none, not finite, or all zero.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.asarray(values, np.float32)
        if self.values.ndim == 0 or self.values.size == 0:
            raise ValueError(f"A tensor needs a first axis and at least one value; this one's shape is {values.shape}.")
        if not np.isfinite(self.values).all() or not self.values.any():
            raise ValueError("A tensor to explore has finite values that are not all zero; check where it comes from.")
        magnitudes = np.abs(self.values)
        self._sorted = np.sort(magnitudes, axis=None)
        self._sorted_by_channel = np.sort(magnitudes.reshape(len(magnitudes), -1), axis=1)

    def quantized(self, bits: int, kept_percent: float, *, per_channel: bool) -> QuantizedTensor:
        """Quantize as LiteRT does weights: symmetric, one scale for the tensor or for each index of the first axis.

        The range is the smallest that keeps `kept_percent` of the values (of each channel); the rest is cut off.
        """
        magnitudes = self._sorted_by_channel if per_channel else self._sorted
        last = int(np.ceil(kept_percent / 100 * magnitudes.shape[-1])) - 1
        limit = magnitudes[..., max(last, 0)]
        scale, zero_point = affine_params(-limit, limit, bits=bits, symmetric=True)
        integers = quantize(self.values, scale, zero_point, bits=bits, narrow_range=True)
        restored = dequantize(integers, scale, zero_point)
        edge = np.reshape(limit, (-1, *[1] * (self.values.ndim - 1)))
        return QuantizedTensor(
            scale=scale,
            sqnr_db=sqnr_db(self.values, restored),
            largest_error=float(np.abs(self.values - restored).max()),
            cut_off=np.abs(self.values) > edge,
        )


class QuantizationExplorer:
    """Three controls, a histogram of each tensor with the quantization grid under it, and the errors in a table.

    weights: one to three named tensors, (output channels, …). `bits`, `kept` and `granularity` are the controls, in this
    order; as the last value of a cell the explorer shows itself.

    Raises ValueError for another number of tensors, and for what `WeightTensor` refuses.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        from ipywidgets import HTML, Dropdown, FloatSlider, HBox, IntSlider, Layout, VBox

        if not 1 <= len(weights) <= _MOST_TENSORS:
            raise ValueError(f"The explorer shows 1 to {_MOST_TENSORS} tensors side by side; got {len(weights)}.")
        self.tensors = {name: WeightTensor(values) for name, values in weights.items()}
        wide = {"style": {"description_width": "initial"}}
        self.bits = IntSlider(8, 2, 8, description="Bits", layout=Layout(width="220px"), **wide)
        self.kept = FloatSlider(100.0, min=90.0, max=100.0, step=0.5, readout_format=".1f",
                                description="Values kept (%)", layout=Layout(width="320px"), **wide)
        self.granularity = Dropdown(options=[("per tensor", False), ("per channel", True)], value=False,
                                    description="One scale", layout=Layout(width="200px"), **wide)
        self.plot = Plot("The weights before quantization.", height=320, columns=len(self.tensors))
        self._pictures = [
            _Picture(axes, name, tensor)
            for axes, (name, tensor) in zip(self.plot.axes, self.tensors.items(), strict=True)
        ]
        handles, labels = self.plot.axes[0].get_legend_handles_labels()
        self.plot.figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        self.plot.moving(*(artist for picture in self._pictures for artist in picture.moving))
        self._table = HTML()
        self._redraw()
        controls = HBox([self.bits, self.kept, self.granularity], layout=Layout(flex_flow="row wrap"))
        self.widget = VBox([controls, self.plot.widget, self._table])
        for control in (self.bits, self.kept, self.granularity):
            control.observe(self._moved, names="value")

    def _moved(self, _change: Any) -> None:
        self._redraw()
        self.plot.update()

    def _redraw(self) -> None:
        bits, kept, per_channel = self.bits.value, self.kept.value, self.granularity.value
        results = {
            name: tensor.quantized(bits, kept, per_channel=per_channel) for name, tensor in self.tensors.items()
        }
        for picture, result in zip(self._pictures, results.values(), strict=True):
            picture.show(result, bits)
        self.plot.alt = self._describe(results)
        rows = [
            (name, len(self.tensors[name].values) if per_channel else 1, result.sqnr_db, result.largest_error,
             100 * float(result.cut_off.mean()))
            for name, result in results.items()
        ]
        self._table.value = table(
            rows,
            ["tensor", "scales", Column("SQNR", "dB", 1), "largest error", Column("cut off", "% of values", 1)],
            caption=f"{bits} bits, one scale {self.granularity.label}, {kept:g} % of the values kept",
        ).html()

    def _describe(self, results: Mapping[str, QuantizedTensor]) -> str:
        levels = 2 * integer_range(self.bits.value)[1] + 1
        tensors = "; ".join(
            f"{name}: SQNR {r.sqnr_db:.1f} dB, largest error {r.largest_error:.3g}, {r.cut_off.mean():.1%} cut off"
            for name, r in results.items()
        )
        return (
            f"Histograms of weights over the grid of {levels} values that {self.bits.value} bits give, one scale "
            f"{self.granularity.label}, {self.kept.value:g} % of the values kept. {tensors}."
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return widget_with_static(self.widget, self.plot.html() + self._table.value)


class _Picture:
    """The artists of one tensor: its histogram, the part that is cut off, and the grid at the foot."""

    def __init__(self, axes: Any, name: str, tensor: WeightTensor) -> None:
        self._values = tensor.values
        largest = float(np.abs(self._values).max())
        counts, self._edges = np.histogram(self._values, bins=_BINS, range=(-largest, largest))
        top = 2.0 * counts.max()
        # The foot takes _GRID_HEIGHT of the axes; on a logarithmic axis that is a power of the counts' range.
        foot = _BASE * (top / _BASE) ** (-_GRID_HEIGHT / (1 - _GRID_HEIGHT))
        ticks = 10 ** np.arange(np.ceil(np.log10(top)), dtype=int)
        axes.set_yscale("log")
        axes.set(xlim=(-1.05 * largest, 1.05 * largest), ylim=(foot, top), xlabel="weight", ylabel="number of weights")
        axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.locator_params(axis="x", nbins=5)
        axes.set_title(name)
        axes.axhline(_BASE, color=theme.MUTED, linewidth=0.8, linestyle="-", marker="")
        bars = {"baseline": _BASE, "fill": True}
        axes.stairs(np.maximum(counts, _BASE), self._edges, color=theme.SKY, label="weights", **bars)
        self._cut = axes.stairs(
            np.full(_BINS, _BASE), self._edges, facecolor=theme.VERMILLION, edgecolor=theme.INK, hatch="///",
            linewidth=0.0, label="cut off", **bars,
        )
        # One line with gaps draws ten times faster than a line for each level.
        (self._grid,) = axes.plot([], [], transform=axes.get_xaxis_transform(), color=theme.BLUE, linewidth=0.8,
                                  linestyle="-", marker="", label="grid")
        self.moving = (self._cut, self._grid)

    def show(self, result: QuantizedTensor, bits: int) -> None:
        """Draw the values that are cut off and the grids of the scales, each in a row of its own."""
        counts = np.histogram(self._values[result.cut_off], bins=self._edges)[0]
        self._cut.set_data(np.maximum(counts, _BASE))
        scales = np.atleast_1d(result.scale)
        chosen = scales[np.linspace(0, len(scales) - 1, min(len(scales), _MOST_GRIDS)).round().astype(int)]
        lowest, highest = integer_range(bits, narrow_range=True)
        levels = np.arange(lowest, highest + 1)
        row = _GRID_HEIGHT / len(chosen)
        x = np.repeat((chosen[:, None] * levels)[..., None], 3, axis=2)
        y = np.broadcast_to((np.arange(len(chosen))[:, None, None] + [0.15, 0.85, np.nan]) * row, x.shape)
        self._grid.set_data(x.ravel(), y.ravel())
