"""An explorer of parity: one input after the other, what each runtime answers, and how far that is from the original."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pocketlab.ui import theme
from pocketlab.ui.plot import Plot, widget_with_static
from pocketlab.ui.table import table

_SMALLEST = 1e-9  # differences below this, or of 0, are drawn here: a logarithmic axis has no zero


class ParityExplorer:
    """Two controls, the scores of one input from the original and one runtime, and the difference of every runtime.

    reference: (inputs, classes) logits of the original; others: the same of each runtime, by its name. `number` (which
    input) and `runtime` are the controls; as the last value of a cell the explorer shows itself.

    Raises ValueError without runtimes, or for arrays of another shape.
    """

    def __init__(self, reference: np.ndarray, others: Mapping[str, np.ndarray]) -> None:
        from ipywidgets import HTML, Dropdown, HBox, IntSlider, Layout, VBox

        self.reference = np.asarray(reference, np.float64)
        self.others = {name: np.asarray(logits, np.float64) for name, logits in others.items()}
        if self.reference.ndim != 2 or not self.others:
            raise ValueError("The explorer needs logits (inputs, classes) of the original and of at least one runtime.")
        for name, logits in self.others.items():
            if logits.shape != self.reference.shape:
                raise ValueError(f"{name} has logits {logits.shape}, and the original {self.reference.shape}.")
        wide = {"style": {"description_width": "initial"}}
        self.number = IntSlider(
            0, 0, len(self.reference) - 1, description="Input number", layout=Layout(width="340px"), **wide
        )
        self.runtime = Dropdown(options=list(self.others), description="Runtime", layout=Layout(width="320px"), **wide)
        self.plot = Plot("Scores before an input is chosen.", height=300, columns=2)
        self._scores = _Scores(self.plot.axes[0], self.reference)
        self._differences = _Differences(self.plot.axes[1], self.reference, self.others)
        self.plot.figure.legend(loc="outside upper center", ncols=2, frameon=False)
        self.plot.moving(*self._scores.moving, *self._differences.moving)
        self._table = HTML()
        self._redraw()
        controls = HBox([self.number, self.runtime], layout=Layout(flex_flow="row wrap"))
        self.widget = VBox([controls, self.plot.widget, self._table])
        for control in (self.number, self.runtime):
            control.observe(self._moved, names="value")

    def _moved(self, _change: Any) -> None:
        self._redraw()
        self.plot.update()

    def _redraw(self) -> None:
        row, chosen = self.number.value, self.runtime.value
        self._scores.show(self.reference[row], self.others[chosen][row])
        self._differences.show(row, chosen)
        self.plot.alt = self._describe(row, chosen)
        answer = int(self.reference[row].argmax())
        self._table.value = table(
            [
                (name, int(logits[row].argmax()), int(logits[row].argmax()) == answer, self._largest(logits, row))
                for name, logits in self.others.items()
            ],
            ["runtime", "answer", "as PyTorch", "largest difference"],
            caption=f"Input {row}: PyTorch's answer is {answer}",
        ).html()

    def _largest(self, logits: np.ndarray, row: int) -> float:
        return float(np.abs(logits[row] - self.reference[row]).max())

    def _describe(self, row: int, chosen: str) -> str:
        logits = self.others[chosen]
        return (
            f"Input {row}. Left: bars of the {self.reference.shape[1]} scores from PyTorch and from {chosen}, whose largest "
            f"difference is {self._largest(logits, row):.2g}. Right: that difference for each of the {len(self.others)} "
            f"runtimes on a logarithmic axis, the largest of them {max(self._largest(x, row) for x in self.others.values()):.2g}."
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return widget_with_static(self.widget, self.plot.html() + self._table.value)


class _Scores:
    """Two bars for each class: the original's score and the runtime's."""

    def __init__(self, axes: Any, reference: np.ndarray) -> None:
        classes = np.arange(reference.shape[1])
        self._original = axes.bar(classes - 0.2, np.zeros(len(classes)), 0.4, color=theme.BLUE, label="PyTorch")
        self._runtime = axes.bar(
            classes + 0.2, np.zeros(len(classes)), 0.4, color=theme.ORANGE, hatch="//", edgecolor=theme.CARD,
            linewidth=0, label="the runtime chosen",
        )  # fmt: skip
        axes.axhline(0, color=theme.MUTED, linewidth=0.8, linestyle="-", marker="")
        spread = 1.1 * float(np.abs(reference).max()) or 1.0
        axes.set(xlabel="class", ylabel="score (logit, no unit)", ylim=(-spread, spread))
        axes.set_xticks(classes)
        self.moving = (*self._original, *self._runtime)

    def show(self, original: np.ndarray, runtime: np.ndarray) -> None:
        for bars, values in ((self._original, original), (self._runtime, runtime)):
            for bar, value in zip(bars, values, strict=True):
                bar.set_height(value)


class _Differences:
    """A point for each runtime: the largest difference on the input shown, and a line up to the largest on any input."""

    def __init__(self, axes: Any, reference: np.ndarray, others: Mapping[str, np.ndarray]) -> None:
        self._all = np.array([np.abs(logits - reference).max(1) for logits in others.values()]).clip(_SMALLEST)
        self._names = list(others)
        rows = np.arange(len(others))
        axes.hlines(rows, self._all.min(1), self._all.max(1), colors=theme.GRID, linewidth=6)
        (self._points,) = axes.plot(self._all[:, 0], rows, linestyle="", marker="o", color=theme.BLUE)
        (self._chosen,) = axes.plot([], [], linestyle="", marker="s", color=theme.ORANGE, markersize=8)
        axes.set_xscale("log")
        axes.set_yticks(rows, self._names)
        axes.set(xlabel="largest difference (log scale, no unit)", ylim=(len(others) - 0.5, -0.5))
        self.moving = (self._points, self._chosen)

    def show(self, row: int, chosen: str) -> None:
        place = self._names.index(chosen)
        self._points.set_xdata(self._all[:, row])
        self._chosen.set_data([self._all[place, row]], [place])
