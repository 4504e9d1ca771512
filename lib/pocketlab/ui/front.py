"""An explorer of many measured variants of one model: accuracy against size or latency, and which one fits a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from pocketlab.compression.front import pareto_front
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot, widget_with_static
from pocketlab.ui.table import Column, table

SIZE = "size"
LATENCY = "p90 latency"

_FAINT = 0.4                                         # opacity of what does not fit
_LEAST_ERROR = 0.1                                   # in %: a logarithmic axis has no place for no error at all
_TICKS = (99.9, 99.5, 99, 98, 97, 95, 90, 80, 70, 50, 20, 0)   # accuracies in %


@dataclass(frozen=True)
class Variant:
    """A model after compression: `recipe` says how it was made, accuracy is in %, `p90_us` the 90th percentile in µs.

    Raises ValueError for a size or latency that is not positive and finite, and an accuracy outside of 0 to 100.
    """

    name: str
    family: str
    recipe: str
    size_bytes: int
    accuracy: float
    p90_us: float

    def __post_init__(self) -> None:
        if not (0 < self.size_bytes < np.inf and 0 < self.p90_us < np.inf and 0 <= self.accuracy <= 100):
            raise ValueError(
                f"{self.name} needs a positive size and latency, and an accuracy from 0 to 100 %; it has {self.size_bytes} "
                f"bytes, {self.p90_us} µs and {self.accuracy} %."
            )

    @property
    def size_kb(self) -> float:
        """The size in kB (1,000 bytes)."""
        return self.size_bytes / 1e3


@dataclass(frozen=True)
class Phone:
    """What a phone leaves to a model: kB of storage, and µs for one run in nine of ten.

    Raises ValueError for a budget that is not positive.
    """

    name: str
    largest_kb: float
    longest_us: float

    def __post_init__(self) -> None:
        if not (self.largest_kb > 0 and self.longest_us > 0):
            raise ValueError(f"{self.name} needs positive budgets; it has {self.largest_kb} kB and {self.longest_us} µs.")

    def fits(self, variant: Variant) -> bool:
        """Return whether a variant stays within both limits."""
        return variant.size_kb <= self.largest_kb and variant.p90_us <= self.longest_us

    def verdict(self, variant: Variant) -> str:
        """Return in words whether a variant fits, and by how much it does not."""
        if self.fits(variant):
            return f"fits {self.name}"
        sides = (
            (variant.size_kb - self.largest_kb, "kB too large"),
            (variant.p90_us - self.longest_us, "µs too slow"),
        )
        return f"does not fit {self.name}: {' and '.join(f'{over:.3g} {unit}' for over, unit in sides if over > 0)}"


class FrontExplorer:
    """Three controls and a button; all variants, those on the Pareto front ringed, those beyond a phone's budget faint.

    `phone`, `axis` and `variant` (from the smallest to the largest) are the controls, in this order; each has names as
    values. `chosen` is the variant shown; `take()`, which the button calls, notes its name in `choices` under the phone's.
    As the last value of a cell the explorer shows itself.

    Raises ValueError without variants or phones, for names that occur twice, and for more families than colors.
    """

    def __init__(self, variants: Sequence[Variant], phones: Sequence[Phone]) -> None:
        from ipywidgets import HTML, Button, Dropdown, HBox, Layout, SelectionSlider, VBox

        _check(variants, phones)
        self.variants = sorted(variants, key=lambda variant: (variant.size_bytes, variant.name))
        self.phones = {phone.name: phone for phone in phones}
        self._by_name = {variant.name: variant for variant in self.variants}
        self._costs = np.array([(v.size_bytes, v.p90_us, -v.accuracy) for v in self.variants])
        self._on_front = pareto_front(self._costs)
        self.choices: dict[str, str] = {}
        wide = {"style": {"description_width": "initial"}}
        self.phone = Dropdown(options=list(self.phones), description="Phone", layout=Layout(width="220px"), **wide)
        self.axis = Dropdown(options=[SIZE, LATENCY], description="Axis", layout=Layout(width="170px"), **wide)
        # No readout: names differ in length, and the slider under the hand would change its own with them.
        self.variant = SelectionSlider(options=list(self._by_name), description="Variant, by size", readout=False,
                                       layout=Layout(width="330px"), **wide)
        self.button = Button(description="Take for this phone", layout=Layout(width="170px"))
        self.plot = Plot("The variants before one is chosen.", height=440)
        families = list(dict.fromkeys(variant.family for variant in variants))
        self._picture = _Picture(self.plot.axes[0], self.variants, families, self._on_front)
        self.plot.figure.legend(loc="outside right upper", frameon=False, fontsize="small")
        self._told, self._table = HTML(), HTML()
        self._enter()
        controls = HBox([self.phone, self.axis, self.variant, self.button], layout=Layout(flex_flow="row wrap"))
        self.widget = VBox([controls, self.plot.widget, self._told, self._table])
        for control in (self.phone, self.axis):
            control.observe(self._entered, names="value")
        self.variant.observe(self._moved, names="value")
        self.button.on_click(lambda _button: self.take())

    @property
    def chosen(self) -> Variant:
        """The variant that the slider is at."""
        return self._by_name[self.variant.value]

    def take(self) -> None:
        """Note the chosen variant for the phone shown, in place of an earlier one."""
        self.choices[self.phone.value] = self.chosen.name
        self._list_choices()

    def _entered(self, _change: Any) -> None:
        self._enter()
        self.plot.update()

    def _moved(self, _change: Any) -> None:
        self._redraw()
        self.plot.update()

    def _enter(self) -> None:
        """Draw for another phone or axis."""
        self._picture.enter(self.axis.value, self.phones[self.phone.value])
        self.plot.moving(*self._picture.moving)
        self._list_choices()
        self._redraw()

    def _redraw(self) -> None:
        variant, phone = self.chosen, self.phones[self.phone.value]
        place = self.variants.index(variant)
        self._picture.show(place)
        told = (
            f"({variant.recipe}): {variant.size_kb:.1f} kB, accuracy {variant.accuracy:.1f} %, p90 {variant.p90_us:.1f} µs. "
            f"It {phone.verdict(variant)}. {self._beaten(place)}"
        )
        self._told.value = f'<p style="margin:4px 0;line-height:1.5"><b>{escape(variant.name)}</b> {escape(told)}</p>'
        fitting = sum(map(phone.fits, self.variants))
        self.plot.alt = (
            f"Accuracy against {self.axis.value} of {len(self.variants)} variants: {int(self._on_front.sum())} on the Pareto "
            f"front, {fitting} within the budget of {phone.name}, {phone.largest_kb:.4g} kB and {phone.longest_us:.4g} µs. "
            f"Chosen: {variant.name} {told}"
        )

    def _beaten(self, place: int) -> str:
        # Of two variants alone, one is off the front if and only if the other beats it.
        better = [i for i in range(len(self.variants)) if not pareto_front(self._costs[[place, i]])[0]]
        if not better:
            return "No other variant beats it: it is on the Pareto front."
        best = max((self.variants[i] for i in better if self._on_front[i]), key=lambda variant: variant.accuracy)
        others = f" ({len(better)} variants do)" if len(better) > 1 else ""
        return (
            f"{best.name} beats it{others}: {best.size_kb:.1f} kB, accuracy {best.accuracy:.1f} %, p90 {best.p90_us:.1f} µs."
        )

    def _list_choices(self) -> None:
        rows = []
        for name, phone in self.phones.items():
            taken = self._by_name.get(self.choices.get(name, ""))
            rows.append(
                (name, phone.largest_kb, phone.longest_us, *(
                    (taken.name, taken.size_kb, taken.p90_us, taken.accuracy, phone.fits(taken)) if taken else [None] * 5
                ))
            )
        self._table.value = table(
            rows,
            ["phone", Column("largest size", "kB", 1), Column("longest p90", "µs", 1), "taken", Column("size", "kB", 1),
             Column("p90", "µs", 1), Column("accuracy", "%", 1), "fits"],
            caption="What you took for each phone",
        ).html()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return widget_with_static(self.widget, self.plot.html() + self._told.value + self._table.value)


class _Picture:
    """The artists: points by family, rings for the front, the forbidden region, and the chosen variant's large marker."""

    def __init__(
        self, axes: Any, variants: Sequence[Variant], families: Sequence[str], on_front: np.ndarray
    ) -> None:
        from matplotlib.patches import Rectangle

        self._axes, self._variants = axes, variants
        self._at = {SIZE: np.array([v.size_kb for v in variants]), LATENCY: np.array([v.p90_us for v in variants])}
        # Accuracies crowd just below 100 %; on a logarithmic axis of the errors they stand apart.
        self._errors = np.array([_error(v.accuracy) for v in variants])
        self._on_front = on_front
        self._family_of = np.array([variant.family for variant in variants])
        styles = zip(families, theme.COLORS, theme.MARKERS, strict=False)
        self._styles = {family: {"color": color, "marker": marker} for family, color, marker in styles}
        empty = {"linestyle": "", "markersize": 7}
        self._faint = {f: axes.plot([], [], alpha=_FAINT, **empty, **style)[0] for f, style in self._styles.items()}
        self._fitting = {f: axes.plot([], [], label=f, **empty, **style)[0] for f, style in self._styles.items()}
        ring = {"linestyle": "", "marker": "o", "markerfacecolor": "none", "markeredgecolor": theme.INK}
        (self._rings,) = axes.plot([], [], markersize=13, label="on the Pareto front", **ring)
        (self._chosen,) = axes.plot([], [], linestyle="", markersize=15, markeredgecolor=theme.INK, markeredgewidth=2)
        self._forbidden = Rectangle((0, 0), 0, 1, transform=axes.get_xaxis_transform(), facecolor=theme.GRID, alpha=0.8,
                                    linewidth=0, zorder=0.5, label="over the limit")
        axes.add_patch(self._forbidden)
        axes.plot([], [], color=theme.INK, alpha=_FAINT, marker="o", label="faint: does not fit", **empty)
        axes.set_yscale("log")
        axes.set_ylim(1.4 * self._errors.max(), self._errors.min() / 1.4)
        ticks = [accuracy for accuracy in _TICKS if self._errors.min() / 1.4 <= 100 - accuracy <= 1.4 * self._errors.max()]
        axes.set_yticks([100 - accuracy for accuracy in ticks], [f"{accuracy:g}" for accuracy in ticks])
        axes.minorticks_off()
        axes.set_ylabel("accuracy (%, spread out near 100)")
        self.moving = (self._chosen,)

    def enter(self, axis: str, phone: Phone) -> None:
        """Draw all but the chosen variant: for an axis, and for what a phone allows."""
        self._x = self._at[axis]
        fits = np.array([phone.fits(variant) for variant in self._variants])
        for family in self._styles:
            of = self._family_of == family
            self._fitting[family].set_data(self._x[of & fits], self._errors[of & fits])
            self._faint[family].set_data(self._x[of & ~fits], self._errors[of & ~fits])
        self._rings.set_data(self._x[self._on_front], self._errors[self._on_front])
        limit = phone.largest_kb if axis == SIZE else phone.longest_us
        end = 1.4 * float(self._x.max())
        self._forbidden.set(x=min(limit, end), width=max(end - limit, 0.0))
        if axis == SIZE:
            self._spread_sizes(float(self._x.min()) / 1.4, end)
        else:
            self._axes.set_xscale("linear")
            self._axes.set(xlim=(0, 1.1 * self._x.max()), xlabel="p90 latency (µs)")

    def _spread_sizes(self, start: float, end: float) -> None:
        from matplotlib.ticker import LogLocator, NullLocator

        self._axes.set(xlim=(start, end), xlabel="size (kB, log scale)")
        self._axes.set_xscale("log")
        self._axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        self._axes.xaxis.set_major_formatter("{x:g}")
        self._axes.xaxis.set_minor_locator(NullLocator())

    def show(self, place: int) -> None:
        """Move the large marker to a variant."""
        self._chosen.set_data([self._x[place]], [self._errors[place]])
        self._chosen.set(**self._styles[self._family_of[place]])


def _error(accuracy: float) -> float:
    return max(100.0 - accuracy, _LEAST_ERROR)


def _check(variants: Sequence[Variant], phones: Sequence[Phone]) -> None:
    if not variants or not phones:
        raise ValueError(f"The explorer needs variants and phones, at least one; got {len(variants)} and {len(phones)}.")
    for what, names in (("variants", [v.name for v in variants]), ("phones", [p.name for p in phones])):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Each of the {what} needs a name of its own; {', '.join(twice)} occurs more than once.")
    families = {variant.family for variant in variants}
    if len(families) > len(theme.COLORS):
        raise ValueError(f"Up to {len(theme.COLORS)} families can be told apart; got {len(families)}.")
