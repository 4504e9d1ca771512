"""Random people, places, times and small things, and templates filled with them, for `pocketlab.data.messages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from pocketlab.data.message_names import PLACE_FORMS, Names, split_of
from pocketlab.data.message_times import MONTHS, STYLES, WEEKDAYS, spell

T = TypeVar("T")

ITEMS = (
    "the tickets", "the house keys", "a bottle of water", "the blue folder", "two sandwiches", "your passport",
    "the charger", "a warm jacket", "the signed form", "some fruit", "the rental contract", "the guitar",
    "your swimming things", "the receipts", "a cake", "the camera", "three chairs", "a notebook", "the library books",
    "a screwdriver", "the picnic blanket", "the spare tire", "your ID card", "the printed slides", "a sleeping bag",
    "the vaccination card", "the drill", "flowers", "the tent", "rain boots", "the medicine", "a USB stick",
    "the measuring tape", "the old laptop", "a helmet", "the insurance papers", "the red suitcase", "the cat food",
    "the sheet music", "a pair of gloves",
)  # fmt: skip
TOPICS = (
    "the budget", "the new website", "the rent", "the summer party", "the contract", "the school trip", "the kitchen",
    "the exam results", "the holiday plan", "the project plan", "the job offer", "the tax return", "the insurance",
    "the heating", "the survey", "the garden", "the wedding", "the translation", "the test results",
    "the team schedule", "the delivery dates", "the moving boxes", "the concert", "the application", "the repair",
    "the photo book", "the roof", "the language course", "the quarterly figures", "the safety training",
    "the app release", "the parking permit",
)  # fmt: skip
_SPLICED = 0.7  # share of the names that are no list's
_INVENTED = 0.6  # share of those, at the second level, that are invented
# Letters of European names beyond the plain ones, for invented names.
_ACCENTED = "áàâäãåăąćčçďđéèêëěęğíìîïıłľñńňóòôöõőøřšśşșťțúùûüůűýžźż"
COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve")


class Draw:
    """Everything random about a document comes from here: one generator, and the names of one split.

    hard: at 1 most persons' names are spliced from the beginning of one and the end of another; at 2 many are invented, of scraps
    of all names and accented letters, and more persons have two surnames.
    """

    def __init__(self, rng: np.random.Generator, names: Names, hard: int = 0) -> None:
        self.rng = rng
        self.names = names
        self.hard = hard

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return low + int(self.rng.random() * (high - low + 1))  # ten times as fast as Generator.integers for one number

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, each as likely as another."""
        return options[int(self.rng.random() * len(options))]

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return bool(self.rng.random() < probability)

    def person(self) -> tuple[str, str]:
        """Return a person as an address book has it, and as one would greet: ("Mara Lindqvist", "Mara")."""
        first, surname = self.first_name(), self.surname()
        if self.chance(0.2):
            return first, first
        if self.chance(0.07):
            title = self.pick(("Dr.", "Prof.", "Ms.", "Mr.", "Mrs."))
            return f"{title} {surname}", f"{title} {surname}"
        if self.chance(0.2 if self.hard > 1 else 0.08):
            return f"{first} {surname}-{self.surname()}", first
        return f"{first} {surname}", first

    def first_name(self) -> str:
        """Return a first name, more often a real one than a built one."""
        if self.hard and self.chance(_SPLICED):
            return self._splice(self.names.first)
        return self.pick(self.names.first if self.chance(0.6) else self.names.built_first)

    def surname(self) -> str:
        """Return a surname, more often a built one: there are far more of them."""
        if self.hard and self.chance(_SPLICED):
            return self._splice(self.names.surnames)
        return self.pick(self.names.surnames if self.chance(0.4) else self.names.built_surnames)

    def _splice(self, names: Sequence[str]) -> str:
        """Return a name of the split that begins as one of some names, and ends as another; or an invented one."""
        make = self._invented if self.hard > 1 and self.chance(_INVENTED) else self._spliced
        while True:
            name = make(names)
            if 3 <= len(name) <= 12 and split_of(name) == self.names.split:
                return name

    def _spliced(self, names: Sequence[str]) -> str:
        first, second = self.pick(names), self.pick(names)
        return first[: self.integer(1, len(first) - 1)] + second[self.integer(1, len(second) - 1) :].lower()

    def _invented(self, names: Sequence[str]) -> str:
        """Return two to four scraps of one to four letters, each from some names, from places, or an accented letter."""

        def scrap() -> str:
            if self.chance(0.2):
                return self.pick(_ACCENTED)
            name = self.pick(names if self.chance(0.6) else self.names.places)
            start = self.integer(0, len(name) - 1)
            return name[start : start + self.integer(1, 4)]

        return "".join(scrap() for _ in range(self.integer(2, 4))).lower().capitalize()

    def place(self, sort: str) -> str:
        """Return a place of a sort of `PLACE_FORMS`, such as "Café Lumena" or "14 Oakbridge Street"."""
        name = self.pick(self.names.pairs if sort == "pub" else self.names.places)
        return self.pick(PLACE_FORMS[sort]).format(name).replace("#", str(self.integer(1, 199)))

    def minute(self, hours: tuple[int, int]) -> int:
        """Return a minute of the day between two hours, more often a multiple of five than not."""
        minute = self.integer(hours[0] * 60, hours[1] * 60 - 1)
        return minute - minute % 5 if self.chance(0.5) else minute

    def day(self) -> tuple[str, str]:
        """Return a day and how it follows a verb: ("Friday", "on Friday"), ("tomorrow", "tomorrow")."""
        if self.chance(0.5):
            day = self.pick(WEEKDAYS)
            return day, f"on {day}"
        if self.chance(0.3):
            day = self.pick(("today", "tomorrow", "this weekend", "next week"))
            return day, day
        number, month = self.integer(1, 28), self.pick(MONTHS)
        day = f"{number} {month}" if self.chance(0.5) else f"{month} {number}"
        return day, f"on {day}"


class Slots(dict[str, str]):
    """The values of a template's slots, each drawn when a template first asks for it, and the same from then on.

    What a text did not use was never drawn, so `"day" in slots` says whether the text names a day.
    """

    def __init__(self, draw: Draw, sorts: Sequence[str], hours: tuple[int, int]) -> None:
        super().__init__()
        self.draw = draw
        sort = draw.pick(sorts)
        self["person"], self["short"] = draw.person()
        self["place"] = draw.place(sort)
        self["at_place"] = f"{'in' if sort == 'room' else 'at'} {self['place']}"
        self._sort, self._hours, self._style = sort, hours, draw.pick(STYLES)
        self["time"] = self._clock()

    def _clock(self) -> str:
        return spell(self.draw.minute(self._hours), self._style)

    def __missing__(self, key: str) -> str:
        draw = self.draw
        if key in ("day", "on_day"):
            self["day"], self["on_day"] = draw.day()
        elif key in ("old_time", "sent", "old_place", "friend", "guest", "to"):
            self[key] = self._another(key)
        elif key == "city":
            self[key] = draw.pick(draw.names.places)
        else:
            self[key] = _SMALL_THINGS[key](draw)
        return self[key]

    def _another(self, key: str) -> str:
        """Return a time, a place or a first name that is not in the text yet."""
        while True:
            if key in ("old_time", "sent"):
                drawn = self._clock()
            elif key == "old_place":
                drawn = self.draw.place(self._sort)
            else:
                drawn = self.draw.first_name()
            if all(drawn != value and drawn not in value.split() for value in self.values()):
                return drawn

    def fill(self, template: str) -> str:
        """Return the template with its {slots} filled."""
        return template.format_map(self)


_SMALL_THINGS = {
    "item": lambda draw: draw.pick(ITEMS),
    "topic": lambda draw: draw.pick(TOPICS),
    "count": lambda draw: draw.pick(COUNTS),
    "amount": lambda draw: (
        f"{draw.pick(('€', '$', '£'))}{draw.integer(2, 480)}" + (f".{draw.integer(0, 99):02}" if draw.chance(0.6) else "")
    ),
    "line": lambda draw: f"{draw.pick(('', 'U', 'S', 'M', 'X'))}{draw.integer(1, 99)}",
    "code": lambda draw: str(draw.integer(1000, 99999)),
    "minutes": lambda draw: str(draw.integer(1, 12) * 5),
    "platform": lambda draw: str(draw.integer(1, 24)),
    "phone": lambda draw: f"0{draw.integer(100, 999)} {draw.integer(1000, 9999)} {draw.integer(10, 99)}",
}


@dataclass(frozen=True)
class Content:
    """A document before a task is chosen for it.

    body: its text, from the token of its kind on. what, day: for the summary; day is "" where the text names none.
    questions: pairs of a question and its answer. replies: texts by stance ("accept", "decline", "ask"); empty where a reply
    makes no sense.
    """

    kind: str
    body: str
    person: str
    what: str
    place: str
    time: str
    day: str = ""
    questions: Sequence[tuple[str, str]] = ()
    replies: Mapping[str, str] = field(default_factory=dict)
