"""Itineraries by train, plane, bus and ferry, for `pocketlab.data.messages`."""

from __future__ import annotations

from pocketlab.data.message_draw import Content, Draw
from pocketlab.data.message_times import spell

VEHICLES = {
    "train": ("ICE", "IC", "RE", "TGV", "EC", "RJ"),
    "flight": ("LX", "AF", "BA", "KL", "TK", "SK"),
    "bus": ("Line", "N", "X"),
    "ferry": ("F", "MS"),
}
# (heading, first stop, stops between, last stop)
_LAYOUTS = (
    ("{what} {number} for {person}, {day}", "\n{time} {stop}, {from_word} {gate}", "\n{time} {stop}", "\n{time} {stop}"),
    ("{person}: {what} {number} on {day}", "\n{stop} {time}, {from_word} {gate}", "\n{stop} {time}", "\n{stop} {time}"),
    (
        "Trip of {person}, {day}. {what} {number}",
        " leaves {stop} at {time} from {from_word} {gate},",
        " stops at {stop} at {time}",
        " and arrives at {stop} at {time}.",
    ),
)


def itinerary(draw: Draw) -> Content:
    """Return a trip with two to five stops; place and time are those of its departure."""
    vehicle = draw.pick(tuple(VEHICLES))
    number = f"{draw.pick(VEHICLES[vehicle])} {draw.integer(2, 2999)}"
    count = 2 if vehicle in ("flight", "ferry") else draw.integer(2, 5)
    stops = [draw.place("station")]
    while len(stops) < count:
        if (stop := draw.place("station")) not in stops:
            stops.append(stop)
    style = draw.pick(("24h", "padded", "12h"))
    minute = draw.minute((4, 18))
    times = []
    for _ in stops:
        times.append(spell(minute, style))
        minute += draw.integer(7, 85)
    person, _ = draw.person()
    day, _ = draw.day()
    from_word, gate = ("gate", f"{draw.pick('ABCD')}{draw.integer(1, 60)}") if vehicle == "flight" else (
        "platform", str(draw.integer(1, 24))
    )  # fmt: skip
    heading, *lines = draw.pick(_LAYOUTS)
    body = heading.format(what=vehicle.capitalize(), number=number, person=person, day=day)
    for index, (stop, time) in enumerate(zip(stops, times, strict=True)):
        line = lines[0] if index == 0 else lines[2] if index == len(stops) - 1 else lines[1]
        body += line.format(stop=stop, time=time, from_word=from_word, gate=gate)
    questions = [
        ("Where does it start?", stops[0]),
        ("When does it leave?", times[0]),
        ("Where do I get off?", stops[-1]),
        ("When does it arrive?", times[-1]),
        (f"Which {from_word}?", gate),
        (f"Which {vehicle} is it?", number),
        ("Who travels?", person),
        ("Which day?", day),
    ]
    questions += [(f"When is it at {stop}?", time) for stop, time in zip(stops[1:], times[1:], strict=True)]
    return Content(
        "itinerary", body, person, f"{vehicle} to {stops[-1]}", stops[0], times[0], day, questions
    )  # fmt: skip
