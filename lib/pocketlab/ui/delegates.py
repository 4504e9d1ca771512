"""An explorer of graph partitioning: which operators a delegate takes, against partitions, copies and their cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pocketlab.runtimes.delegates import CostEstimate, estimate_cost, keep_largest
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot, widget_with_static
from pocketlab.ui.table import Column, table

_ASSUMED_CPU_MS = 1.0        # used where a caller has no measured times: round numbers, said to be assumed
_ASSUMED_DELEGATE_MS = 0.2
_MOST_NAMES = 30             # of a longer model the axis shows numbers only
_SIDES = (("CPU", theme.BLUE, ""), ("delegate", theme.ORANGE, "//"), ("copies", theme.PURPLE, "xx"))


class PartitionExplorer:
    """Three controls, the operators in execution order colored by side, and the estimated time beside the CPU alone.

    operators: names in execution order, read as a chain. cpu_ms, delegate_ms: milliseconds of one operator by its name;
    without them every operator is assumed to take 1 ms on the CPU and 0.2 ms on the delegate. delegated: the operators
    that the delegate takes at first; all of them if None. `taken`, `copy_ms` and `smallest` are the controls.

    Raises ValueError without operators, or if an operator has no time.
    """

    def __init__(
        self,
        operators: Sequence[str],
        *,
        cpu_ms: Mapping[str, float] | None = None,
        delegate_ms: Mapping[str, float] | None = None,
        delegated: Collection[str] | None = None,
    ) -> None:
        from ipywidgets import HTML, FloatSlider, HBox, IntSlider, Layout, SelectMultiple, VBox

        if not operators:
            raise ValueError("The explorer needs at least one operator.")
        self.operators = list(operators)
        types = list(dict.fromkeys(self.operators))
        self._assumed = cpu_ms is None or delegate_ms is None
        self._cpu_ms = dict.fromkeys(types, _ASSUMED_CPU_MS) if cpu_ms is None else cpu_ms
        self._delegate_ms = dict.fromkeys(types, _ASSUMED_DELEGATE_MS) if delegate_ms is None else delegate_ms
        wide = {"style": {"description_width": "initial"}}
        self.taken = SelectMultiple(
            options=types,
            value=[name for name in types if delegated is None or name in delegated],
            rows=min(len(types), 6),
            description="Delegate takes",
            layout=Layout(width="300px"),
            **wide,
        )
        self.copy_ms = FloatSlider(
            0.5, min=0.0, max=5.0, step=0.1, description="One copy (ms)", layout=Layout(width="300px"), **wide
        )
        self.smallest = IntSlider(
            1, 1, min(len(self.operators), 10), description="Smallest partition", layout=Layout(width="300px"), **wide
        )
        self._cpu_alone = self._estimate([False] * len(self.operators))
        self.plot = Plot("The model before it is split.", height=360, rows=2)
        self._strip = _Strip(self.plot.axes[0], self.operators)
        self._times = _Times(self.plot.axes[1])
        self._table = HTML()
        self._redraw()
        sliders = VBox([self.copy_ms, self.smallest])
        self.widget = VBox([HBox([self.taken, sliders], layout=Layout(flex_flow="row wrap")), self.plot.widget, self._table])
        for control in (self.taken, self.copy_ms, self.smallest):
            control.observe(self._moved, names="value")

    def _estimate(self, supported: Sequence[bool]) -> CostEstimate:
        return estimate_cost(
            self.operators,
            supported,
            cpu_ms=self._cpu_ms,
            delegate_ms=self._delegate_ms,
            copy_ms=self.copy_ms.value,
        )

    def _moved(self, _change: Any) -> None:
        self._redraw()
        self.plot.update()

    def _redraw(self) -> None:
        wanted = [name in self.taken.value for name in self.operators]
        supported = keep_largest(wanted, min_nodes_per_partition=self.smallest.value)
        split = self._estimate(supported)
        self._strip.show(supported)
        self._times.show(self._cpu_alone, split)
        self.plot.alt = self._describe(supported, split)
        assumed = ", times assumed" if self._assumed else ""
        self._table.value = table(
            [_row("CPU alone", self._cpu_alone), _row("with the delegate", split)],
            ["one run", "partitions", "copies", *(Column(f"{side} time", "ms", 2) for side, _, _ in _SIDES),
             Column("total", "ms", 2)],
            caption=f"An estimate, not a measurement{assumed}: each operator's time on its side, plus the copies",
        ).html()

    def _describe(self, supported: Sequence[bool], split: CostEstimate) -> str:
        return (
            f"{sum(supported)} of {len(supported)} operators run on the delegate in {split.partitions} partitions with "
            f"{split.copies} copies. Estimated {split.total_ms:.2f} ms for one run, against "
            f"{self._cpu_alone.total_ms:.2f} ms on the CPU alone."
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return widget_with_static(self.widget, self.plot.html() + self._table.value)


def _row(name: str, cost: CostEstimate) -> tuple[Any, ...]:
    return name, cost.partitions, cost.copies, cost.cpu_ms, cost.delegate_ms, cost.copy_ms, cost.total_ms


class _Strip:
    """The operators in order, each a box with the color and hatch of its side; lines mark where tensors cross."""

    def __init__(self, axes: Any, operators: Sequence[str]) -> None:
        count = len(operators)
        self._boxes = axes.bar(range(count), 1.0, width=0.9, edgecolor=theme.CARD, linewidth=0)
        self._crossings = axes.vlines([], 0, 1, colors=theme.PURPLE, linewidth=3)
        axes.set(xlim=(-1, count), ylim=(0, 1), yticks=[])
        axes.set_title("Operators in execution order; a line is a copy", loc="left")
        axes.grid(False)
        if count <= _MOST_NAMES:
            axes.set_xticks(range(count), operators, rotation=90, fontsize=8)
        else:
            axes.set_xlabel("operator number")

    def show(self, supported: Sequence[bool]) -> None:
        for box, delegated in zip(self._boxes, supported, strict=True):
            _, color, hatch = _SIDES[int(delegated)]
            box.set(facecolor=color, hatch=hatch)
        sides = [False, *supported, False]
        crossings = [i - 0.5 for i in range(len(sides) - 1) if sides[i] != sides[i + 1]]
        self._crossings.set_segments([[(x, 0), (x, 1)] for x in crossings])


class _Times:
    """Two stacked bars of estimated milliseconds: the CPU alone, and the split."""

    def __init__(self, axes: Any) -> None:
        self._axes = axes
        self._parts = [
            axes.barh([1, 0], [0, 0], height=0.6, color=color, hatch=hatch, edgecolor=theme.CARD, label=side)
            for side, color, hatch in _SIDES
        ]
        axes.set_yticks([1, 0], ["CPU alone", "with the delegate"])
        axes.set(xlabel="estimated time of one run (ms)", ylim=(-0.5, 1.5))
        axes.legend(ncols=len(_SIDES), loc="lower right", bbox_to_anchor=(1, 1), frameon=False)

    def show(self, alone: CostEstimate, split: CostEstimate) -> None:
        left = [0.0, 0.0]
        for bars, values in zip(self._parts, zip(*map(_parts, (alone, split)), strict=True), strict=True):
            for i, (bar, value) in enumerate(zip(bars, values, strict=True)):
                bar.set(x=left[i], width=value)
                left[i] += value
        self._axes.set_xlim(0, 1.05 * max(left) or 1)


def _parts(cost: CostEstimate) -> tuple[float, float, float]:
    return cost.cpu_ms, cost.delegate_ms, cost.copy_ms
