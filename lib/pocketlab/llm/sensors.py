"""What a phone senses of the moment, as the fields that this course's models read, and places no finer than needed."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass

from pocketlab.data.message_context import ACTIVITIES, FIELDS, WEATHER
from pocketlab.llm.untrusted import CUT, clean, word_ends

NETWORKS = ("Wi-Fi", "mobile", "none")
PLACE_CELL_KM = 1.0
"""The side of the cells that coordinates are rounded to in a field: "Where am I?" asks for a part of town, not for a door."""
LONGEST_VALUE = 80
"""Characters of a name or a title that get into a field; the corpus has none of half that length."""

_KM_PER_DEGREE = 111.195  # of a meridian: 2π · 6371 km / 360


@dataclass(frozen=True)
class Coordinates:
    """A point on the earth in degrees; raises ValueError for one that is not."""

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180):
            raise ValueError(
                f"Latitudes go from -90° to 90° and longitudes from -180° to 180°; got {self.latitude}, {self.longitude}."
            )


@dataclass(frozen=True)
class Appointment:
    """The next entry of the calendar; whoever sent the invitation wrote what, person and place."""

    what: str
    person: str
    place: str
    start: datetime.time


@dataclass(frozen=True)
class SensorContext:
    """What a phone knows of the moment, None where it does not. travel: minutes to the appointment, and how, such as "on foot".

    Raises ValueError for an activity, weather or network that the models never saw, a temperature or battery that no phone
    shows, and for an appointment without the time, from which the models are told how many minutes are left.
    """

    time: datetime.time | None = None
    place: str | Coordinates | None = None
    activity: str | None = None
    weather: str | None = None
    temperature_celsius: float | None = None
    battery_percent: float | None = None
    network: str | None = None
    appointment: Appointment | None = None
    travel: tuple[int, str] | None = None

    def __post_init__(self) -> None:
        for name, known in (("activity", ACTIVITIES), ("weather", WEATHER), ("network", NETWORKS)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise ValueError(f"The models know no {name} {value!r}: choose one of {', '.join(known)}.")
        for name, low, high in (("temperature_celsius", -90, 60), ("battery_percent", 0, 100)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} goes from {low} to {high}; got {value}.")
        if self.appointment is not None and self.time is None:
            raise ValueError("With an appointment give the time as well: the models are told in how many minutes it is.")

    def fields(self) -> dict[str, str]:
        """Return each known field as the corpus writes it; coordinates are coarsened, and no value can look like two fields."""
        return {name: value for name, (value, _) in self.written().items()}

    def written(self) -> dict[str, tuple[str, list[str]]]:
        """Return `fields`, and with each one in words what was changed in it: names and titles are other people's text."""
        known: dict[str, tuple[str, list[str]]] = {
            name: (value, []) for name in ("activity", "weather", "network") if (value := getattr(self, name)) is not None
        }
        if self.time is not None:
            known["time"] = f"{self.time:%H:%M}", []
        if self.temperature_celsius is not None:
            known["temperature"] = f"{round(self.temperature_celsius)} °C", []
        if self.battery_percent is not None:
            known["battery"] = f"{round(self.battery_percent)} %", []
        if isinstance(self.place, Coordinates):
            cell = coarsen(self.place, PLACE_CELL_KM)
            told = f"coordinates rounded to a cell of {PLACE_CELL_KM:g} km"
            known["place"] = f"{cell.latitude:.3f}, {cell.longitude:.3f}", [told]
        elif self.place is not None:
            known["place"] = _value(self.place)
        if self.travel is not None:
            mode, changes = _value(self.travel[1])
            known["travel"] = f"{self.travel[0]} min {mode}", changes
        if self.appointment is not None and self.time is not None:
            known["next"] = _next(self.appointment, self.time)
        return {name: known[name] for name in FIELDS if name in known}


def coarsen(point: Coordinates, cell_km: float) -> Coordinates:
    """Return the center of the cell that a point is in; all points of a cell become the same one.

    Rows of cells are `cell_km` high. A degree of longitude shrinks with the cosine of the latitude, so each row has as many
    cells as its circle has room for: about as wide as high everywhere, and closed around the earth at 180°. A point moves by
    half a diagonal at most, 0.71 cell_km, and in the row next to a pole by 0.87.
    One cell is no disguise for the only one who lives in it, nor are many, one after the other, for somebody's way to work.
    Raises ValueError unless cells are from 0.1 to 1000 km.
    """
    if not 0.1 <= cell_km <= 1000:
        raise ValueError(f"Choose cells from 0.1 km, a large building, to 1000 km, a large country; got {cell_km} km.")
    rows = round(180 * _KM_PER_DEGREE / cell_km)
    row = min(int((point.latitude + 90) / 180 * rows), rows - 1)
    latitude = (row + 0.5) / rows * 180 - 90
    cells = max(1, round(360 * _KM_PER_DEGREE * math.cos(math.radians(latitude)) / cell_km))
    cell = int((point.longitude + 180) / 360 * cells) % cells
    return Coordinates(latitude, (cell + 0.5) / cells * 360 - 180)


def _next(entry: Appointment, now: datetime.time) -> tuple[str, list[str]]:
    (what, changed), (person, renamed), (place, moved) = map(_value, (entry.what, entry.person, entry.place))
    wait = (60 * (entry.start.hour - now.hour) + entry.start.minute - now.minute) % (24 * 60)
    return f"{what} with {person}, {place}, {entry.start:%H:%M}, in {wait} min", [*changed, *renamed, *moved]


def _value(text: str) -> tuple[str, list[str]]:
    """A name or a title as one field's value: on one line, not too long, and without the sign that parts fields."""
    line, changes = clean(text)
    line, separators = re.subn("[;\u037e\u061b\u204f\ufe14\ufe54\uff1b]", ",", " ".join(line.split()))
    if separators:
        changes.append("a semicolon became a comma")
    if len(line) > LONGEST_VALUE:
        end = max((end for end in word_ends(line) if end <= LONGEST_VALUE - len(CUT)), default=LONGEST_VALUE - len(CUT))
        line = line[:end] + CUT
        changes.append(f"cut to {LONGEST_VALUE} characters")
    return line, changes
