"""Phone messages, notifications, mails, itineraries, reminders and contexts, each with one task and its answer.

The corpus that this course's language models are trained on is generated: nobody's mail is read for it, and its answers are
right by construction. One document is plain text with a few special tokens,

    <|message|>Mara Lindqvist
    Hi Tom. Dinner at Café Lumena on Friday at 19:05?
    <|summary|>who: Mara Lindqvist; what: dinner; where: Café Lumena; day: Friday; time: 19:05<|end|>

with the kind first, then the text, the token of the task, the answer, and `<|end|>`. Sentences come from templates, names,
places and times from an open vocabulary, so that the only way to a right answer is to copy from the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pocketlab.data import message_phrases as phrases
from pocketlab.data.message_context import context
from pocketlab.data.message_draw import Content, Draw, Slots
from pocketlab.data.message_itinerary import itinerary
from pocketlab.data.message_names import SPLITS, Names
from pocketlab.data.message_scenarios import MAILS, MESSAGES, NOTIFICATIONS, REMINDERS, Scenario

END = "<|end|>"
STANCES = ("accept", "decline", "ask")
TASKS = ("summary", "json", *STANCES, "question")
KINDS = ("message", "notification", "mail", "itinerary", "reminder", "context")
# `<|answer|>` follows a question; every other task is one token at the end of the prompt.
SPECIAL_TOKENS = (END, *(f"<|{name}|>" for name in (*KINDS, *TASKS, "answer")))

# By how hard the documents are. Questions about the moment are learned slowly, so the first level has many.
_KIND_SHARES = (
    (0.34, 0.13, 0.14, 0.10, 0.09, 0.20),
    (0.20, 0.08, 0.10, 0.06, 0.06, 0.50),
    (0.28, 0.11, 0.12, 0.08, 0.07, 0.34),
)


@dataclass(frozen=True)
class Message:
    """One document: `text` is `prompt` (up to and including the token of the task), `target` (the answer) and `<|end|>`.

    person, place, time: as the text spells them, and as a summary must; those of a context's next appointment, which the text
    may leave out. kind: one of `KINDS`; task: one of `TASKS`.
    """

    text: str
    prompt: str
    target: str
    person: str
    place: str
    time: str
    kind: str
    task: str


def generate(count: int, *, seed: int, split: str = "train", hard: int = 0) -> Iterator[Message]:
    """Return an iterator over `count` documents; a seed gives the same ones again.

    split: "train" or "held_out"; no name of a person or a place is in both. hard: at 1 and 2, documents that cannot be answered
    by heart. Most persons' names are on no list (see `pocketlab.data.message_draw.Draw`); more of the documents are contexts, and
    half of those have no more fields than the question needs. Raises ValueError for another split or level, or a negative count.
    """
    if split not in SPLITS:
        raise ValueError(f'There is no split {split!r}: choose "train" or "held_out".')
    if count < 0:
        raise ValueError(f"count must be 0 or more; got {count}.")
    if hard not in (0, 1, 2):
        raise ValueError(f"hard must be 0, 1 or 2; got {hard!r}.")
    draw = Draw(np.random.default_rng((seed, SPLITS.index(split))), Names(split), hard)
    return (_message(draw) for _ in range(count))


def summary(person: str, what: str, place: str, time: str, day: str = "") -> str:
    """Return the one line that a summary is; a day that is not known is left out."""
    return f"who: {person}; what: {what}; where: {place}; {f'day: {day}; ' if day else ''}time: {time}"


def score_summary(output: str, message: Message) -> dict[str, bool]:
    """Return whether a summary has the message's "person", "place" and "time", each letter for letter."""
    parts = (part.partition(": ") for part in output.partition(END)[0].strip().split("; "))
    fields = {name: value for name, _, value in parts}
    expected = {"person": ("who", message.person), "place": ("where", message.place), "time": ("time", message.time)}
    return {name: fields.get(key) == value for name, (key, value) in expected.items()}


def _message(draw: Draw) -> Message:
    shares = np.cumsum(_KIND_SHARES[draw.hard])
    kind = KINDS[int(np.searchsorted(shares, draw.rng.random(), side="right"))]
    content = _MAKERS[kind](draw)
    task, token, target = _task(draw, content)
    prompt = f"<|{kind}|>{content.body}\n{token}"
    return Message(prompt + target + END, prompt, target, content.person, content.place, content.time, kind, task)


def _task(draw: Draw, content: Content) -> tuple[str, str, str]:
    """Return a task for the document, the end of its prompt, and the answer."""
    chance = 1.0 if content.kind == "context" else draw.rng.random()
    if chance < 0.45:
        return "summary", "<|summary|>", summary(content.person, content.what, content.place, content.time, content.day)
    if chance < 0.57:
        facts = {"who": content.person, "where": content.place, "time": content.time}
        return "json", "<|json|>", json.dumps(facts, ensure_ascii=False)
    if chance < 0.75 and content.replies:
        stance = draw.pick(STANCES)
        return stance, f"<|{stance}|>", content.replies[stance]
    question, answer = draw.pick(content.questions)
    return "question", f"<|question|>{question}<|answer|>", answer


def _written(kind: str, draw: Draw, scenarios: Sequence[Scenario]) -> Content:
    """Return a text of one of the scenarios, and all that is known about it."""
    scenario = draw.pick(scenarios)
    slots = Slots(draw, scenario.sorts, scenario.hours)
    what = slots.fill(scenario.what)
    body = _BODIES[kind](draw, slots, scenario)
    person, place, time, day = slots["person"], slots["place"], slots["time"], slots.get("day", "")
    questions = _questions(draw, slots)
    replies = {
        stance: slots.fill(draw.pick(options)) for stance, options in phrases.REPLIES.get(scenario.replies, {}).items()
    }
    return Content(kind, body, person, what, place, time, day, questions, replies)


def _message_body(draw: Draw, slots: Slots, scenario: Scenario) -> str:
    sender = draw.pick(("{person}", "{person}", "{person}", "{person} ({sent})"))
    parts = [sender, "\n", draw.pick(phrases.GREETINGS), draw.pick(scenario.cores)]
    parts += _asides(draw, phrases.CASUAL_ASIDES, draw.integer(0, 2))
    return slots.fill("".join(parts) + draw.pick(phrases.CLOSINGS))


def _mail_body(draw: Draw, slots: Slots, scenario: Scenario) -> str:
    subject = slots.fill(draw.pick(scenario.header.split("|")))
    parts = ["{person}\nsubject: ", subject[0].upper() + subject[1:], "\n", draw.pick(phrases.MAIL_GREETINGS), "\n"]
    parts += [draw.pick(phrases.MAIL_OPENINGS), draw.pick(scenario.cores)]
    parts += _asides(draw, phrases.FORMAL_ASIDES, draw.integer(1, 3))
    return slots.fill("".join(parts) + f"\n{draw.pick(phrases.MAIL_CLOSINGS)}\n{{person}}")


def _notification_body(draw: Draw, slots: Slots, scenario: Scenario) -> str:
    return f"{draw.pick(scenario.header.split('|'))}\n{slots.fill(draw.pick(scenario.cores))}"


def _reminder_body(draw: Draw, slots: Slots, scenario: Scenario) -> str:
    return slots.fill(draw.pick(phrases.REMINDER_OPENINGS) + draw.pick(scenario.cores))


def _asides(draw: Draw, options: Sequence[str], count: int) -> list[str]:
    """Return up to so many sentences, no two of which fill the same slot."""
    drawn = [draw.pick(options) for _ in range(count)]
    by_slot = {aside.partition("{")[2].partition("}")[0] or aside: aside for aside in drawn}
    return [f" {aside}" for aside in by_slot.values()]


def _questions(draw: Draw, slots: Slots) -> list[tuple[str, str]]:
    """Return a question about each fact of the text, and one about something that it does not tell."""
    asked = [(draw.pick(forms), slots[slot]) for slot, forms in phrases.QUESTIONS.items()]
    asked += [(question, slots[slot]) for slot, question in phrases.SLOT_QUESTIONS.items() if slot in slots]
    unsaid = [question for slot, question in phrases.SLOT_QUESTIONS.items() if slot not in slots]
    return [*asked, (draw.pick(unsaid), phrases.UNSAID)]


_BODIES: dict[str, Callable[[Draw, Slots, Scenario], str]] = {
    "message": _message_body,
    "notification": _notification_body,
    "mail": _mail_body,
    "reminder": _reminder_body,
}
_MAKERS: dict[str, Callable[[Draw], Content]] = {
    "message": lambda draw: _written("message", draw, MESSAGES),
    "notification": lambda draw: _written("notification", draw, NOTIFICATIONS),
    "mail": lambda draw: _written("mail", draw, MAILS),
    "itinerary": itinerary,
    "reminder": lambda draw: _written("reminder", draw, REMINDERS),
    "context": context,
}
