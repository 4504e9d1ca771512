"""An explorer of memory: what a language model takes on a phone in 16 to 2 bits, part by part, and whether that fits."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from pocketlab.llm.fit import MODELS, PHONES, Fit, Phone, fits, longest_context
from pocketlab.llm.model import DecoderConfig
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot, widget_with_static
from pocketlab.ui.table import Column, table

BITS = (16, 8, 4, 3, 2)

_FEWEST, _FIRST = 256, 2048          # tokens: the shortest conversation to choose, and the one shown at first
_FAINT = 0.35                        # opacity of the bars that are not chosen
_STYLES = {
    "weights": (theme.BLUE, ""),
    "KV cache": (theme.ORANGE, "///"),
    "activations": (theme.VERMILLION, "xxx"),
    "runtime": (theme.SKY, "..."),
}


class FitExplorer:
    """Three controls; a stacked bar for each number of bits against the memory of a phone, and the same numbers in a table.

    `model`, `bits` and `context` are the controls, in this order. Tokens/s are an estimate: the phone's bandwidth over the bytes
    that a token reads. As the last value of a cell the explorer shows itself.

    Raises ValueError without a model.
    """

    def __init__(self, phone: Phone = PHONES[1], models: Mapping[str, DecoderConfig] = MODELS) -> None:
        from ipywidgets import HTML, Dropdown, HBox, Layout, SelectionSlider, VBox

        if not models:
            raise ValueError("The explorer needs the configuration of at least one model.")
        self.phone, self.models = phone, dict(models)
        wide = {"style": {"description_width": "initial"}}
        self.model = Dropdown(options=list(models), description="Model", layout=Layout(width="220px"), **wide)
        self.bits = Dropdown(options=[*BITS], value=4, description="Bits per weight", layout=Layout(width="180px"), **wide)
        self.context = SelectionSlider(options=[("1", 1)], description="Context, in tokens", layout=Layout(width="360px"), **wide)
        self.plot = Plot("The memory before a model is chosen.", height=360)
        self._picture = _Picture(self.plot.axes[0], phone)
        self.plot.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
        self._told, self._table = HTML(), HTML()
        self._offer_contexts(_FIRST)
        self._enter()
        controls = HBox([self.model, self.bits, self.context], layout=Layout(flex_flow="row wrap"))
        self.widget = VBox([controls, self.plot.widget, self._told, self._table])
        self.model.observe(self._model_changed, names="value")
        for control in (self.bits, self.context):
            control.observe(self._moved, names="value")

    @property
    def config(self) -> DecoderConfig:
        """The configuration of the chosen model."""
        return self.models[self.model.value]

    @property
    def chosen(self) -> Fit:
        """The chosen model, bits and context on the phone."""
        return fits(self.config, self.phone, self.bits.value, self.context.value)

    def _offer_contexts(self, wanted: int) -> None:
        """Offer powers of two up to the model's context, and choose the one wanted or the longest below it."""
        longest = self.config.context
        doubled = [_FEWEST << step for step in range(longest.bit_length()) if _FEWEST << step < longest]
        self.context.options = [(f"{tokens:,}", tokens) for tokens in (*doubled, longest)]
        self.context.value = max((tokens for tokens in (*doubled, longest) if tokens <= wanted), default=longest)

    def _model_changed(self, _change: Any) -> None:
        wanted = self.context.value
        self.context.unobserve(self._moved, names="value")
        self._offer_contexts(wanted)
        self.context.observe(self._moved, names="value")
        self._enter()
        self.plot.update()

    def _moved(self, _change: Any) -> None:
        self._redraw()
        self.plot.update()

    def _enter(self) -> None:
        """Draw for another model: its axis ends where its largest bar does."""
        largest = fits(self.config, self.phone, max(BITS), self.config.context)
        self._picture.enter(largest.total)
        self.plot.moving(*self._picture.moving)
        self._redraw()

    def _redraw(self) -> None:
        rows = {bits: fits(self.config, self.phone, bits, self.context.value) for bits in BITS}
        self._picture.show(rows, self.bits.value)
        told = self._verdict()
        self._told.value = f'<p style="margin:4px 0;line-height:1.5"><b>{escape(self.model.value)}</b> {escape(told)}</p>'
        self._table.value = table(
            [
                (f"{bits}{' (chosen)' if bits == self.bits.value else ''}", *(size / 1e9 for size in fit.parts.values()),
                 fit.total / 1e9, fit.fits, fit.tokens_per_second if fit.fits else None)
                for bits, fit in rows.items()
            ],
            ["bits", *(Column(part, "GB", 2) for part in _STYLES), Column("together", "GB", 2), "fits",
             Column("estimate from bandwidth: at most", "tokens/s", 1)],
            caption=f"{self.model.value}, {self.context.value:,} tokens, on {self.phone.name}",
        ).html()
        others = "; ".join(f"{bits} bits {fit.total / 1e9:.2f} GB" for bits, fit in rows.items())
        self.plot.alt = (
            f"Stacked bars of the memory that {self.model.value} takes with {self.context.value:,} tokens: {others}. "
            f"A line marks the {self.phone.usable_bytes / 1e9:.2f} GB that an app may use on {self.phone.name}, another one "
            f"all its {self.phone.memory_gb:g} GB. Chosen: {told}"
        )

    def _verdict(self) -> str:
        fit, bits = self.chosen, self.bits.value
        over = (fit.total - fit.usable_bytes) / 1e9
        parts = ", ".join(f"{part} {size / 1e9:.2f}" for part, size in fit.parts.items())
        longest = longest_context(self.config, self.phone, bits)
        verdict = (
            f"It fits, with {-over:.2f} GB to spare, and memory allows about {fit.tokens_per_second:.1f} tokens/s at most (an "
            f"estimate from {self.phone.bandwidth_gb_s:g} GB/s)." if fit.fits else f"It does not fit: {over:.2f} GB too much."
        )
        room = f"The longest context that fits has {longest:,} tokens." if longest else "No context fits, however short."
        usable = f"{fit.usable_bytes / 1e9:.2f} GB"
        return f"in {bits} bits with {self.context.value:,} tokens: {fit.total / 1e9:.2f} of {usable} ({parts}). {verdict} {room}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return widget_with_static(self.widget, self.plot.html() + self._told.value + self._table.value)


class _Picture:
    """The artists: a bar for each number of bits with a piece for each part, and lines for what an app may use and for all."""

    def __init__(self, axes: Any, phone: Phone) -> None:
        self._axes, self._phone = axes, phone
        rows = range(len(BITS))
        self._bars = {
            part: axes.barh(
                rows, [0.0] * len(BITS), color=color, hatch=hatch, edgecolor=theme.CARD, linewidth=0.0, label=part
            ).patches
            for part, (color, hatch) in _STYLES.items()
        }
        usable = phone.usable_bytes / 1e9
        self._lines = [
            axes.axvline(place, color=color, linewidth=2.5, linestyle=style, marker="", label=label)
            for place, color, style, label in (
                (usable, theme.INK, "-", f"an app may use {usable:.2f} GB"),
                (phone.memory_gb, theme.MUTED, "--", f"{phone.name}: {phone.memory_gb:g} GB"),
            )
        ]
        axes.set_yticks(rows, [f"{bits} bits" for bits in BITS])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="memory (GB)", ylabel="weights in")
        self.moving = (*(bar for bars in self._bars.values() for bar in bars), *self._lines)

    def enter(self, largest: int) -> None:
        """Fit the axis to the largest bar, and to the phone."""
        self._axes.set_xlim(0, 1.03 * max(largest / 1e9, self._phone.memory_gb))

    def show(self, rows: Mapping[int, Fit], chosen: int) -> None:
        """Draw the parts one after the other, faint but for the chosen bits."""
        for row, (bits, fit) in enumerate(rows.items()):
            start = 0.0
            for part, size in fit.parts.items():
                bar = self._bars[part][row]
                bar.set(x=start, width=size / 1e9, alpha=1.0 if bits == chosen else _FAINT)
                start += size / 1e9
