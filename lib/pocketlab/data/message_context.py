"""Questions about the moment, answered from what a phone senses, for `pocketlab.data.messages`.

A context is one line of fields, and a `next` field may name the next appointment. Each question needs some of the fields; the
answer follows from them by a rule, and where one is missing the answer says so. The other fields are there or not at random:
a phone should send no more of them than the question needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pocketlab.data.message_draw import Content, Draw

FIELDS = ("time", "place", "activity", "weather", "temperature", "battery", "network", "next", "travel")
ACTIVITIES = ("still", "walking", "running", "cycling", "driving", "on a train", "in a meeting", "asleep")
WET = ("light rain", "rain", "heavy rain", "showers", "sleet", "drizzle")
DRY = ("sunny", "clear", "cloudy", "overcast", "foggy", "windy")
WEATHER = (*WET, *DRY, "snow", "thunderstorm")
_SORTS = ("eatery", "pub", "street", "station", "bus stop", "venue", "clinic", "shop", "school", "room")
_MODES = ("on foot", "by bus", "by bike", "by car")


def context_line(fields: Mapping[str, str]) -> str:
    """Return the fields as the models were trained to read them, in the order of `FIELDS`: "time: 17:52; activity: walking".

    Raises ValueError for a field that the models do not know.
    """
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise ValueError(f"There is no context field {unknown[0]!r}: use some of {', '.join(FIELDS)}.")
    return "; ".join(f"{name}: {fields[name]}" for name in FIELDS if name in fields)


@dataclass(frozen=True)
class Moment:
    """What a phone knows: minutes of the day, minutes until the next appointment and to get there, and so on."""

    now: int
    wait: int
    travel: int
    mode: str
    place: str
    activity: str
    weather: str
    degrees: int
    battery: int
    network: str
    person: str
    short: str
    what: str
    next_place: str

    def fields(self) -> dict[str, str]:
        """Return every field of the context, by name."""
        return {
            "time": _clock(self.now),
            "place": self.place,
            "activity": self.activity,
            "weather": self.weather,
            "temperature": f"{self.degrees} °C",
            "battery": f"{self.battery} %",
            "network": self.network,
            "next": f"{self.what} with {self.person}, {self.next_place}, {_clock(self.now + self.wait)}, in {self.wait} min",
            "travel": f"{self.travel} min {self.mode}",
        }


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _night(now: int) -> bool:
    return now >= 22 * 60 or now < 7 * 60


def leave(moment: Moment) -> str:
    """When to set off: not before ten minutes are left beyond the time that the way takes."""
    spare = moment.wait - moment.travel
    if spare < 0:
        return f"You are late: tell {moment.short}."
    if spare <= 10:
        return "Leave now."
    return f"Not yet: leave at {_clock(moment.now + spare)}."


def read(moment: Moment) -> str:
    """Whether one may look at the screen."""
    if moment.activity in ("driving", "cycling", "running", "walking"):
        return f"No, you are {moment.activity}. I can read it aloud."
    if moment.activity == "in a meeting":
        return "Better after the meeting."
    if moment.activity == "asleep":
        return "No, it can wait until morning."
    return "Yes, go ahead."


def umbrella(moment: Moment) -> str:
    """Whether to take an umbrella."""
    if moment.weather in WET:
        return f"Yes, take an umbrella: {moment.weather}."
    if moment.weather == "thunderstorm":
        return "Stay inside if you can: thunderstorm."
    return f"No, it is {moment.weather}." if moment.weather in DRY else "No, but wear boots: snow."


def wear(moment: Moment) -> str:
    """What to wear, from the temperature."""
    for below, clothes in ((5, "A warm coat"), (14, "A jacket"), (21, "A pullover")):
        if moment.degrees < below:
            return f"{clothes}: {moment.degrees} °C."
    return f"A T-shirt: {moment.degrees} °C."


def ring(moment: Moment) -> str:
    """Whether the phone may ring."""
    if _night(moment.now):
        return f"No, stay silent: it is {_clock(moment.now)}."
    if moment.activity in ("in a meeting", "asleep"):
        return f"No, stay silent: you are {moment.activity}."
    return "Yes."


def call(moment: Moment) -> str:
    """Whether it is a good moment to call the person of the next appointment."""
    if _night(moment.now):
        return f"No, it is {_clock(moment.now)}. Call {moment.short} tomorrow."
    if moment.activity == "driving":
        return "Only hands-free: you are driving."
    return f"Yes, call {moment.short}."


def update(moment: Moment) -> str:
    """Whether to download a large update."""
    if moment.battery < 30:
        return f"No, the battery is at {moment.battery} %."
    return "Yes." if moment.network == "Wi-Fi" else "No, wait for Wi-Fi."


@dataclass(frozen=True)
class Rule:
    """Questions that one rule answers, and the fields of the context that it needs."""

    questions: Sequence[str]
    needs: Sequence[str]
    answer: Callable[[Moment], str]


RULES = (
    Rule(("Should I leave now?", "Do I have to go now?", "When should I leave?"), ("time", "next", "travel"), leave),
    Rule(("Can I read this now?", "May I look at the message now?", "Can you show me the message?"), ("activity",), read),
    Rule(("Do I need an umbrella?", "Should I take an umbrella?", "Will I get wet?"), ("weather",), umbrella),
    Rule(("What should I wear?", "What should I put on?", "Which clothes do I need?"), ("temperature",), wear),
    Rule(("Should the phone ring?", "May calls come through?", "Can the sound be on?"), ("time", "activity"), ring),
    Rule(("Can I call {short} now?", "Should I call {short}?", "May I ring {short} up?"), ("time", "activity"), call),
    Rule(("Should I install the update?", "Can the update be downloaded now?"), ("battery", "network"), update),
    Rule(("Where am I?", "What is this place?"), ("place",), lambda moment: moment.place),
    Rule(("What time is it?",), ("time",), lambda moment: _clock(moment.now)),
    Rule(("Who is my next appointment with?", "Who do I meet next?"), ("next",), lambda moment: moment.person),
    Rule(("Where is my next appointment?", "Where do I have to go?"), ("next",), lambda moment: moment.next_place),
    Rule(
        ("When is my next appointment?", "What time do I have to be there?"),
        ("next",),
        lambda moment: _clock(moment.now + moment.wait),
    ),
    Rule(("How long does it take?", "How far is it?"), ("travel",), lambda moment: f"{moment.travel} min {moment.mode}"),
)
# Setting off is the question that a phone gets most, and the one that takes the most examples to learn.
_ORDER = (*[RULES[0]] * 6, *RULES)


def moment(draw: Draw) -> Moment:
    """Return a moment of some person's day."""
    travel = draw.integer(1, 12) * 5
    # Half the time the wait is close to the way, where the answer turns.
    wait = max(5, travel + draw.integer(-15, 30)) if draw.chance(0.5) else draw.integer(5, 120)
    person, short = draw.person()
    now = draw.minute((0, 24))
    wait += -(now + wait) % 5  # appointments are at whole multiples of five minutes
    return Moment(
        now=now,
        wait=wait,
        travel=travel,
        mode=draw.pick(_MODES),
        place=draw.place(draw.pick(_SORTS)),
        activity=draw.pick(ACTIVITIES),
        weather=draw.pick(WEATHER),
        degrees=draw.integer(-9, 36),
        battery=draw.integer(3, 100),
        network=draw.pick(("Wi-Fi", "mobile", "none")),
        person=person,
        short=short,
        what=draw.pick(("dinner", "lunch", "coffee", "meeting", "training", "appointment", "interview", "lesson")),
        next_place=draw.place(draw.pick(_SORTS)),
    )


def context(draw: Draw) -> Content:
    """Return a context with one question; where a field that it needs is missing, the answer names that field."""
    now, rule = moment(draw), draw.pick(RULES if draw.hard else _ORDER)
    fields = now.fields()
    lean = draw.hard and draw.chance(0.5)
    others = [name for name in FIELDS if not lean and name not in rule.needs and draw.chance(0.5)]
    missing = draw.pick(rule.needs) if draw.chance(0.06) else None
    kept = {name: fields[name] for name in (*rule.needs, *others) if name != missing}
    question = draw.pick(rule.questions).format(short=now.short)
    answer = f"I cannot tell: the field {missing} is missing." if missing else rule.answer(now)
    return Content(
        "context", context_line(kept), now.person, now.what, now.next_place, _clock(now.now + now.wait),
        questions=[(question, answer)],
    )  # fmt: skip
