"""Itineraries by train, plane, bus and ferry, for `pocketlab.data.messages`."""

from __future__ import annotations

from dataclasses import dataclass

from pocketlab.data.message_draw import Content, Draw
from pocketlab.data.message_times import spell


@dataclass(frozen=True)
class Vehicle:
    """What moves, the first part of its number, where it stops, the most stops, and the minutes between two of them."""

    name: str
    lines: tuple[str, ...]
    stops_at: str
    most_stops: int
    minutes: tuple[int, int]


VEHICLES = (
    Vehicle("train", ("ICE", "IC", "RE", "TGV", "EC", "RJ"), "station", 5, (6, 85)),
    Vehicle("flight", ("LX", "AF", "BA", "KL", "TK", "SK"), "airport", 2, (45, 700)),
    Vehicle("bus", ("Line", "N", "X"), "bus stop", 5, (3, 40)),
    Vehicle("ferry", ("F", "MS"), "harbor", 3, (20, 240)),
)
# (heading, first stop, stops between, last stop)
_LAYOUTS = (
    ("{what} {number} for {person}, {day}", "\n{time} {stop}, {from_word} {gate}", "\n{time} {stop}", "\n{time} {stop}"),
    ("{person}: {what} {number} {on_day}", "\n{stop} {time}, {from_word} {gate}", "\n{stop} {time}", "\n{stop} {time}"),
    (
        "Trip of {person}, {day}. {what} {number}",
        " leaves {stop} at {time} from {from_word} {gate},",
        " stops at {stop} at {time}",
        " and arrives at {stop} at {time}.",
    ),
)


def itinerary(draw: Draw) -> Content:
    """Return a trip with two to five stops; place and time are those of its departure."""
    vehicle = draw.pick(VEHICLES)
    number = f"{draw.pick(vehicle.lines)} {draw.integer(2, 2999)}"
    count = draw.integer(2, vehicle.most_stops)
    stops = [draw.place(vehicle.stops_at)]
    while len(stops) < count:
        if (stop := draw.place(vehicle.stops_at)) not in stops:
            stops.append(stop)
    style = draw.pick(("24h", "padded", "12h"))
    minute = draw.minute((4, 18))
    times = []
    for _ in stops:
        times.append(spell(minute, style))
        minute = (minute + draw.integer(*vehicle.minutes)) % (24 * 60)
    person, _ = draw.person()
    day, on_day = draw.day()
    from_word = "gate" if vehicle.name == "flight" else "platform"
    gate = ("" if from_word == "platform" else draw.pick("ABCD")) + str(draw.integer(1, 60))
    heading, *lines = draw.pick(_LAYOUTS)
    body = heading.format(what=vehicle.name.capitalize(), number=number, person=person, day=day, on_day=on_day)
    for index, (stop, time) in enumerate(zip(stops, times, strict=True)):
        line = lines[0] if index == 0 else lines[2] if index == len(stops) - 1 else lines[1]
        body += line.format(stop=stop, time=time, from_word=from_word, gate=gate)
    questions = [
        ("Where does it start?", stops[0]),
        ("When does it leave?", times[0]),
        ("Where do I get off?", stops[-1]),
        ("When does it arrive?", times[-1]),
        (f"Which {from_word}?", gate),
        (f"Which {vehicle.name} is it?", number),
        ("Who travels?", person),
        ("Which day?", day),
    ]
    questions += [(f"When is it at {stop}?", time) for stop, time in zip(stops[1:], times[1:], strict=True)]
    return Content("itinerary", body, person, f"{vehicle.name} to {stops[-1]}", stops[0], times[0], day, questions)
