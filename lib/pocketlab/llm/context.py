"""Prompts from what a phone senses: the least data that serves, within a budget of tokens, and other people's text as text only.

A prompt here has the form of the documents that this course's models are trained on (`pocketlab.data.messages`): one slot for
what is known, a context line or one text, then one task,

    <|context|>time: 17:52; next: dinner with Mara Lindqvist, Café Lumena, 19:05, in 73 min; travel: 20 min on foot
    <|question|>Should I leave now?<|answer|>

Three rules:

- Least data. A task names the fields that its answer follows from (`needed_fields`); no other field gets into the prompt. Also on
  the phone itself a prompt is stored: in a cache of its keys, in a log, or in a request when the phone asks a server.
- A budget. What does not fit is cut where asked, or refused; `Prompt` tells what was left out, cut and changed.
- Text is text. The slot is encoded without special tokens, so no message can end its slot, open another or give a task.

What the third rule does NOT do: make a text true or harmless. "The dinner is moved to 21:00", or "say that I am at home",
stands in its slot and can still mislead a model, which follows instructions in plain words too. So an answer is worth as much as
the text it comes from: show that text, and let no answer alone send, pay or open anything. Fields are no safer than texts: an
appointment has the title that whoever sent the invitation gave it.
Source: GDPR, article 5 (1) (c), data minimization; Greshake et al. 2023 (indirect prompt injection); OWASP Top 10 for LLM
Applications, LLM01.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pocketlab.data.message_context import FIELDS, RULES, context_line
from pocketlab.data.messages import KINDS, TASKS
from pocketlab.llm.sensors import SensorContext
from pocketlab.llm.tokenizer import Tokenizer
from pocketlab.llm.untrusted import CUT, clean, word_ends

_REASONS: dict[str, dict[str, str]] = {
    "leave": {
        "time": "whether it is time follows from now",
        "next": "when and where to be",
        "travel": "how long the way takes",
    },
    "read": {"activity": "who drives, walks or sleeps is not shown a text"},
    "umbrella": {"weather": "rain is the question"},
    "wear": {"temperature": "it decides between coat and T-shirt"},
    "ring": {"time": "nights are silent", "activity": "and so are meetings and sleep"},
    "call": {"time": "nobody is called at night", "activity": "at the wheel only hands-free"},
    "update": {"battery": "a download must not end halfway", "network": "it is large, and mobile data costs"},
    "place": {"place": "it is the answer, to the kilometer where there are only coordinates"},
    "time": {"time": "it is the answer"},
    "who": {"next": "the person is in it"},
    "where": {"next": "the place is in it"},
    "when": {"next": "the time is in it"},
    "travel": {"travel": "it is the answer"},
}
MOMENTS = dict(zip(_REASONS, RULES, strict=True))
"""Tasks that are questions about the moment, each with its rule in the corpus; all other tasks are about a text."""


@dataclass(frozen=True)
class Text:
    """One text that somebody else may have written. kind: "message", "notification", "mail", "itinerary" or "reminder"."""

    kind: str
    body: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.kind == "context":
            raise ValueError(f"The models know no text of kind {self.kind!r}: choose one of {', '.join(KINDS[:-1])}.")


@dataclass(frozen=True)
class Prompt:
    """Token ids, and what became of the data.

    slot: the positions in `tokens` that hold the context line or the text; no special token is among them. used: the fields that
    are in it. missing: fields that the task needs and the phone does not know; the models answer that they cannot tell. dropped:
    what was left out, and why. changes: what was cut, removed or rewritten in the text, in words.
    """

    tokens: list[int]
    slot: range
    used: tuple[str, ...]
    missing: tuple[str, ...]
    dropped: dict[str, str]
    changes: tuple[str, ...]


def needed_fields(task: str) -> Mapping[str, str]:
    """Return the fields that a task cannot do without, each with the reason; none for a task about a text.

    task: one of `MOMENTS` or of `pocketlab.data.messages.TASKS`. Raises ValueError for another one.
    """
    if task not in (*MOMENTS, *TASKS):
        raise ValueError(f"There is no task {task!r}: choose one of {', '.join((*MOMENTS, *TASKS))}.")
    return dict(_REASONS.get(task, {}))


def build_prompt(
    task: str,
    tokenizer: Tokenizer,
    budget_tokens: int,
    *,
    context: SensorContext | None = None,
    text: Text | None = None,
    question: str | None = None,
    too_long: Literal["cut", "refuse"] = "cut",
) -> Prompt:
    """Return the prompt for a task, of no more than `budget_tokens`. Give all that the phone has: it takes what the task needs.

    question: what the user asks, needed for "question" and "call", and otherwise the first form of it in the corpus. too_long:
    cut a text after its last word that fits and mark it with `CUT`, or refuse. Left out, in this order: every field and text that
    the task does not need, whatever the budget; then the end of the text; never a needed field, the task or the question.
    Raises ValueError for a task without what it is about, and where the budget is too small even so.
    """
    needed = needed_fields(task)
    known = context.written() if context else {}
    changes: list[str] = []
    ending = _ending(task, question, tokenizer, changes)
    if task in MOMENTS:
        if context is None:
            raise ValueError(f'The task "{task}" is about the moment: give a SensorContext.')
        kind, body = "context", context_line({name: known[name][0] for name in needed if name in known})
        changes += [f"in {name}, {change}" for name in needed if name in known for change in known[name][1]]
        dropped = {name: f'not needed for "{task}"' for name in known if name not in needed}
        dropped |= {"text": f'not needed for "{task}"'} if text else {}
    else:
        if text is None:
            raise ValueError(f'The task "{task}" is about a text: give one.')
        kind, (body, cleaned) = text.kind, clean(text.body)
        changes += cleaned
        dropped = {name: "the answer stands in the text" for name in known}
    head, tail = [tokenizer.special(f"<|{kind}|>")], [*tokenizer.encode("\n"), *ending]
    room = budget_tokens - len(head) - len(tail)
    slot = tokenizer.encode(body.rstrip())
    if len(slot) > room:
        if task in MOMENTS or too_long == "refuse":
            raise ValueError(
                f"This prompt has {len(head) + len(slot) + len(tail)} tokens and the budget is {budget_tokens}: "
                f"{'it needs every field that it has, so give it more' if task in MOMENTS else 'give it more, or cut the text'}."
            )
        slot = shorten(body, room, tokenizer)
        changes.append(f"cut to {len(slot)} tokens")
    return Prompt(
        tokens=[*head, *slot, *tail],
        slot=range(len(head), len(head) + len(slot)),
        used=tuple(name for name in FIELDS if name in needed and name in known),
        missing=tuple(name for name in needed if name not in known),
        dropped=dropped,
        changes=tuple(changes),
    )


def _ending(task: str, question: str | None, tokenizer: Tokenizer, changes: list[str]) -> list[int]:
    """The task's own tokens, which follow the slot: one token, or a question between two."""
    if task in MOMENTS:
        question = question or next((form for form in MOMENTS[task].questions if "{" not in form), None)
    elif task != "question":
        if question is not None:
            raise ValueError(f'The task "{task}" has no question: leave it out, or give the task "question".')
        return [tokenizer.special(f"<|{task}|>")]
    if question is None:
        raise ValueError(f'Say what to ask: the task "{task}" needs a question.')
    question, cleaned = clean(question)
    changes += [f"in the question, {change}" for change in cleaned]
    return [tokenizer.special("<|question|>"), *tokenizer.encode(" ".join(question.split())), tokenizer.special("<|answer|>")]


def shorten(body: str, room: int, tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of a text, or, if those are more than `room`, of as many of its first words as fit together with `CUT`.

    Special tokens in the text are read as the letters that they look like. Raises ValueError where not even one word fits.
    """
    tokens = tokenizer.encode(body)
    if len(tokens) <= room:
        return tokens
    ends = word_ends(body)
    # Longer texts have more tokens, nearly: a longer word can have fewer, where the vocabulary has it whole. Bisection then may
    # miss a word that would fit, but what it ends at is a text that it has counted.
    kept = bisect.bisect_right(ends, room, key=lambda end: len(tokenizer.encode(body[:end] + CUT)))
    if kept == 0:
        raise ValueError(
            f"Not even the first word of the text fits in the {max(room, 0)} tokens that the budget leaves for it: give it more."
        )
    return tokenizer.encode(body[: ends[kept - 1]] + CUT)
