"""An explorer of orientation filters: method and gain against the error over time, and two phones, true and estimated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.motion import Motion
from pocketlab.data.quaternions import errors_in_degrees
from pocketlab.signals.imu import estimate_orientation
from pocketlab.signals.orientation_classics import Complementary, Mahony
from pocketlab.signals.orientation_kalman import Settings as KalmanSettings
from pocketlab.ui import theme
from pocketlab.ui.motion import degrees_axis, root_mean_square, shade, thinned
from pocketlab.ui.phone import phones, phones_svg
from pocketlab.ui.plot import Plot, widget_with_static
from pocketlab.ui.table import Column, table

Array = NDArray[np.float64]

PARTS = ("total", "heading", "inclination")

_MOST_RECORDS = 3
_NO_GAIN = [("none", 0.0), ("none", 1.0)]   # a slider needs two ends
_STEP_S = 0.1              # of the time that is chosen; playing takes as long as the motion took
_POINTS = 200              # of a line in one of three panels
_RANGE_DEG = (0.05, 180.0)
_HEADING_TO_TILT = Complementary().heading_time_s / Complementary().tilt_time_s
_MADGWICK_BETA = 0.041     # rad/s, the report's, which the filter takes without a setting


@dataclass(frozen=True)
class Gain:
    """The one number of a method that the slider sets: its name with unit, its default, and the settings that follow from it."""

    name: str
    default: float
    settings: Callable[[float], dict[str, float]]

    @property
    def values(self) -> tuple[float, ...]:
        """A thirtieth to thirty times the default, in steps of 40 %."""
        return tuple(float(f"{self.default * 30 ** (step / 10):.2g}") if step else self.default for step in range(-10, 11))


# Without a gain: the reason.
METHODS: dict[str, Gain | str] = {
    "integration": "Integration has no gain: after the first sample it follows the gyroscope alone.",
    "complementary": Gain(
        "time constant (s)", Complementary().tilt_time_s,
        lambda value: {"tilt_time_s": value, "heading_time_s": value * _HEADING_TO_TILT},
    ),
    # The integral gain grows with the square: what is learned then settles as evenly as with the library's own gains.
    "mahony": Gain(
        "gain P (1/s)", Mahony().proportional,
        lambda value: {"proportional": value, "integral": Mahony().integral * (value / Mahony().proportional) ** 2},
    ),
    "madgwick": Gain("gain β (rad/s)", _MADGWICK_BETA, lambda value: {"beta": value}),
    "kalman": Gain(
        "acceleration noise (m/s²/√Hz)", KalmanSettings().acceleration_noise, lambda value: {"acceleration_noise": value}
    ),
    "pocketlab": "The project's own filter has no gain: its settings are figures of sensors and motion, one set for all records.",
}  # fmt: skip


class OrientationExplorer:
    """Three controls; the error of each record over time, its root mean square in a table, and the phone, true and estimated.

    records: one to three, by name, with known truth. `method`, `gain` and `time` are the controls, in this order; `time` runs
    through the records one after the other, and `play` moves it. A point of the lines is the root mean square over 1/200 of
    the record. As the last value of a cell the explorer shows itself.

    Raises ValueError for another number of records, a record without truth or with one of another length, and for what
    `estimate_orientation` refuses.
    """

    def __init__(self, records: Mapping[str, Motion]) -> None:
        from ipywidgets import HTML, Dropdown, HBox, Layout, Play, SelectionSlider, ToggleButton, VBox, jslink

        self.records = _checked(records)
        _compile(next(iter(self.records.values())))
        self._moments = [
            (name, second)
            for name, record in self.records.items()
            for second in np.arange(0, len(record.gyr) / record.sample_rate_hz - 1e-9, _STEP_S)
        ]
        self._gains = {name: gain.default for name, gain in METHODS.items() if isinstance(gain, Gain)}
        wide = {"style": {"description_width": "initial"}}
        self.method = Dropdown(options=list(METHODS), value="madgwick", description="Method", layout=Layout(width="200px"),
                               **wide)  # fmt: skip
        self.gain = SelectionSlider(options=_NO_GAIN, description="Gain", layout=Layout(width="420px"), **wide)
        labels = [(f"{name}, {second:.1f} s", index) for index, (name, second) in enumerate(self._moments)]
        self.time = SelectionSlider(options=labels, value=len(labels) // (2 * len(self.records)), description="Time",
                                    layout=Layout(width="540px"), **wide)  # fmt: skip
        self.play = ToggleButton(description="Play", tooltip="Play or pause: the phones turn as the time passes",
                                 layout=Layout(width="80px"))  # fmt: skip
        # The player's own buttons have icons and no names, so one with a name stands for them. All three are linked in the
        # browser: what is played goes on smoothly however long a picture takes, and stays where the time is moved to.
        player = Play(value=self.time.index, max=len(labels) - 1, interval=round(1000 * _STEP_S), layout=Layout(display="none"))
        jslink((self.play, "value"), (player, "playing"))
        jslink((player, "value"), (self.time, "index"))
        self.plot = Plot("Errors before a method is chosen.", height=250, columns=len(self.records))
        self._panels = {
            name: _Panel(axes, name, record)
            for axes, (name, record) in zip(self.plot.axes, self.records.items(), strict=True)
        }
        self.plot.axes[0].set_ylabel("error (degrees, log scale)")
        self.plot.figure.legend(*self.plot.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5,
                                frameon=False, fontsize="small")  # fmt: skip
        self.plot.moving(*(artist for panel in self._panels.values() for artist in panel.moving))
        self._reason, self._mark, self._phones, self._table = HTML(), HTML(), HTML(), HTML()
        self._told = HTML(layout=Layout(width="280px"))
        self._offer_gains()
        self._estimate_all()
        shown = self.plot.widget   # from here on the panels stay where they are
        self._show_time()
        row = Layout(flex_flow="row wrap", align_items="center")
        self.widget = VBox([
            HBox([self.method, self.gain, self._reason], layout=row),
            shown,
            self._mark,
            HBox([self.play, self.time, player], layout=row),
            HBox([self._phones, self._told], layout=row),
            self._table,
        ])  # fmt: skip
        self.method.observe(self._method_changed, names="value")
        self.gain.observe(self._gain_changed, names="value")
        self.time.observe(self._time_changed, names="index")

    def _offer_gains(self) -> None:
        """Offer the gains of the method, at the one last chosen; a method without one says why."""
        gain = METHODS[self.method.value]
        if isinstance(gain, Gain):
            self.gain.options = [(f"{value:g}", value) for value in gain.values]
            self.gain.value = self._gains[self.method.value]
            self.gain.description, self._reason.value = gain.name[0].upper() + gain.name[1:], ""
        else:
            self.gain.options = _NO_GAIN
            self.gain.description, self._reason.value = "Gain", f'<p style="margin:4px 0;line-height:1.5">{escape(gain)}</p>'
        self.gain.disabled = not isinstance(gain, Gain)

    def _method_changed(self, _change: Any) -> None:
        self.gain.unobserve(self._gain_changed, names="value")
        self._offer_gains()
        self.gain.observe(self._gain_changed, names="value")
        self._redraw()

    def _gain_changed(self, _change: Any) -> None:
        self._gains[self.method.value] = self.gain.value
        self._redraw()

    def _redraw(self) -> None:
        self._estimate_all()
        self.plot.update()
        self._show_time()

    def _time_changed(self, _change: Any) -> None:
        self._show_time()

    def _estimate_all(self) -> None:
        """Estimate every record with the method and gain that are chosen, and show errors and scores."""
        gain = METHODS[self.method.value]
        settings = gain.settings(self.gain.value) if isinstance(gain, Gain) else {}
        chosen = f"{self.method.value}, {gain.name} {self.gain.value:g}" if isinstance(gain, Gain) else self.method.value
        self._estimates, rows = {}, []
        for name, record in self.records.items():
            quat = estimate_orientation(record.gyr, record.acc, record.mag, sample_rate_hz=record.sample_rate_hz,
                                        method=self.method.value, **settings)  # fmt: skip
            errors = dict(zip(PARTS, errors_in_degrees(quat, record.quat).T, strict=True))
            self._estimates[name] = quat
            self._panels[name].show(errors)
            rows.append((name, *(root_mean_square(line[_scored(record)]) for line in errors.values())))
        self._table.value = table(
            rows, ["record", *(Column(part, "°", 2) for part in PARTS)],
            caption=f"{chosen}: root mean square of the error while moving",
        ).html()  # fmt: skip
        scores = "; ".join(f"{name}: total {total:.2f}°, heading {heading:.2f}°, inclination {inclination:.2f}°"
                           for name, total, heading, inclination in rows)  # fmt: skip
        self.plot.alt = f"Errors of {chosen} over time, on a log axis in degrees. Root mean square while moving: {scores}."

    @property
    def moment(self) -> tuple[str, float, dict[str, Array]]:
        """The record and the second that are chosen, and the orientations (4,) there: truth and estimate."""
        name, second = self._moments[self.time.index]
        record = self.records[name]
        sample = min(round(second * record.sample_rate_hz), len(record.gyr) - 1)
        return name, second, {"truth": record.quat[sample], "estimate": self._estimates[name][sample]}

    def _show_time(self) -> None:
        """Turn the phones to the time that is chosen, and mark it; the errors over time are not drawn anew."""
        name, second, orientations = self.moment
        self._phones.value = phones_svg(orientations)
        total, heading, inclination = map(float, errors_in_degrees(*reversed(orientations.values())))
        off = (
            "the truth is not known" if np.isnan(total)
            else f"the estimate is {total:.1f}° off (heading {heading:.1f}°, inclination {inclination:.1f}°)"
        )  # fmt: skip
        self._told.value = f'<p style="margin:4px 0;line-height:1.5"><b>{escape(name)}</b>, {second:.1f} s: {off}.</p>'
        box = self.plot.axes[list(self.records).index(name)]
        left, right = (self.plot.width * edge for edge in (box.get_position().x0, box.get_position().x1))
        x = left + (right - left) * second / box.get_xlim()[1]
        self._mark.value = _mark_html(x, self.plot.width, f"{second:.1f} s")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        static = phones(self.moment[2]).html()
        html = self._reason.value + self.plot.html() + static + self._told.value + self._table.value
        return widget_with_static(self.widget, html)


class _Panel:
    """The artists of one record: a line for each part of the error."""

    def __init__(self, axes: Any, name: str, record: Motion) -> None:
        self._sample_rate_hz = record.sample_rate_hz
        seconds = len(record.gyr) / record.sample_rate_hz
        shade(axes, record.movement, record.sample_rate_hz)
        # The total lies under its parts and is wider, so that one sees which of them it mostly is.
        styles = ((theme.PURPLE, "-", 5.0), (theme.VERMILLION, "--", 2.0), (theme.BLUE, "-", 1.6))
        self.moving = tuple(
            axes.plot([], [], color=color, linestyle=style, linewidth=width, marker="", label=part)[0]
            for part, (color, style, width) in zip(PARTS, styles, strict=True)
        )
        degrees_axis(axes, *_RANGE_DEG)
        axes.set(xlabel="time (s)", ylabel="", xlim=(0, seconds), title=name)

    def show(self, errors: Mapping[str, Array]) -> None:
        """Draw the errors (N,) of each part."""
        for line, part in zip(self.moving, PARTS, strict=True):
            line.set_data(*thinned(errors[part], self._sample_rate_hz, _POINTS))


def _mark_html(x: float, width: int, text: str) -> str:
    """A strip under the panels with an arrow up to a time, which a browser draws without another image."""
    beside = f'x="{x - 10:.1f}" text-anchor="end"' if x > 0.9 * width else f'x="{x + 10:.1f}"'
    return (
        f'<svg aria-hidden="true" width="{width}" height="14" viewBox="0 0 {width} 14" style="max-width:100%;height:auto;'
        f'display:block;overflow:visible;color:inherit"><polygon points="{x:.1f},0 {x - 6:.1f},12 {x + 6:.1f},12" '
        f'fill="currentColor"/><text {beside} y="12" fill="currentColor" font-size="12">{text}</text></svg>'
    )


def _compile(record: Motion) -> None:
    """Use every method once: what has to be compiled is then compiled before a control waits for it."""
    for method in METHODS:
        estimate_orientation(record.gyr, record.acc, record.mag, sample_rate_hz=record.sample_rate_hz, method=method)


def _scored(record: Motion) -> NDArray[np.bool_]:
    """The samples that count: those with movement, or all of a record at rest."""
    known = np.isfinite(record.quat).all(axis=1)
    moving = known & record.movement
    return np.asarray(moving if moving.any() else known)


def _checked(records: Mapping[str, Motion]) -> dict[str, Motion]:
    if not 1 <= len(records) <= _MOST_RECORDS:
        raise ValueError(f"The explorer shows 1 to {_MOST_RECORDS} records side by side; got {len(records)}.")
    for name, record in records.items():
        if not len(record.gyr) == len(record.quat) == len(record.movement):
            count = len(record.gyr)
            raise ValueError(f"The record {name} needs an orientation, and whether it moves, for each of its {count} samples.")
        if not np.isfinite(record.quat).all(axis=1).any():
            raise ValueError(f"The record {name} has no true orientation, so there is no error to show.")
    return dict(records)
