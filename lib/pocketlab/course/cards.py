"""Cards: what a check, a prediction or a question shows, as HTML for notebooks and as text for a terminal.

The HTML carries its meaning in words, headings and tables, so that it reads the same in JupyterLab's light and dark themes, on
GitHub (which drops styles) and in a screen reader; colors only repeat what a word says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pocketlab.course.checking import Verdict
from pocketlab.course.exercise import Exercise, Question

# Mid-tones with a contrast of 3 or more against both white and JupyterLab's dark gray.
COLORS = {"passed": "#1a9850", "not yet": "#d6604d", "to do": "#4393c3", "note": "#8073ac"}
SIGNS = {"passed": "✓", "not yet": "✗", "to do": "○", "note": "•"}


@dataclass(frozen=True)
class Card:
    """A titled box with a state, paragraphs, and a table of names and values. Shown by Jupyter, printed by a terminal."""

    state: str
    title: str
    word: str
    paragraphs: Sequence[str] = ()
    rows: Mapping[str, str] | None = None

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def html(self) -> str:
        """Return the card as HTML; all content is escaped."""
        color = COLORS[self.state]
        lines = [
            f'<section role="group" aria-label="{escape(self.title)}: {escape(self.word)}" '
            f'class="pocketlab-card" data-state="{self.state}" '
            f'style="border:1px solid {color};border-left-width:6px;border-radius:4px;padding:0.5em 1em;'
            f'margin:0.4em 0;max-width:56em;line-height:1.45;color:inherit">',
            f'<p style="margin:0.2em 0"><strong>{SIGNS[self.state]} {escape(self.word)}</strong>: '
            f"{escape(self.title)}</p>",
        ]
        lines += [f'<p style="margin:0.5em 0">{_inline(paragraph)}</p>' for paragraph in self.paragraphs]
        if self.rows:
            lines.append(_table(self.rows))
        lines.append("</section>")
        return "\n".join(lines)

    def text(self) -> str:
        """Return the card as plain text."""
        lines = [f"[{SIGNS[self.state]} {self.word}] {self.title}"]
        lines += [f"  {paragraph}" for paragraph in self.paragraphs]
        lines += [f"    {name}: {value}" for name, value in (self.rows or {}).items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.text()


def check_card(exercise: Exercise, verdict: Verdict, notice: str | None = None) -> Card:
    """Build the one card that a check shows."""
    title = f"Exercise {exercise.id}, {exercise.title}"
    extra = [notice] if notice else []
    if verdict.status == "passed":
        return Card("passed", title, "Passed", [f"All {verdict.total} cases are right.", *extra])
    if verdict.status == "to do":
        text = verdict.hint or "Write the function, then run this cell again. Until then the lab uses the library's."
        return Card("to do", title, "To do", [text, *extra])
    paragraphs = []
    if verdict.hint:
        paragraphs.append(verdict.hint)
    elif verdict.failure:
        paragraphs.append(verdict.failure.difference)
    if verdict.pattern:
        paragraphs.append(verdict.pattern)
    paragraphs.append(
        f"{verdict.passed} of {verdict.total} cases are right. The lab goes on with the library's function."
    )
    return Card("not yet", title, "Not yet", [*paragraphs, *extra], _failure_rows(verdict))


def _failure_rows(verdict: Verdict) -> dict[str, str]:
    failure = verdict.failure
    if failure is None:
        return {}
    rows = {
        "First case that fails": failure.label,
        "Input": failure.inputs,
        "Expected": failure.expected,
        "Yours": failure.got,
    }
    if verdict.hint and failure.difference != f"{failure.got} where {failure.expected} is wanted.":
        rows["Difference"] = failure.difference
    if failure.printed:
        rows["It printed"] = failure.printed.strip()[:300]
    return rows


def question_card(question: Question, heading: str) -> Card:
    """Show a question and its options where no widget can be: on GitHub and in a terminal."""
    rows = {chr(ord("A") + i): option.text for i, option in enumerate(question.options)}
    return Card("note", f"{heading} {question.id}", "Question", [question.text], rows)


def answer_card(question: Question, chosen: int | None, heading: str) -> Card:
    """Show what was chosen beside what is right, with the explanation of each option."""
    rows = {}
    for i, option in enumerate(question.options):
        marks = ["right"] * option.correct + ["yours"] * (i == chosen)
        letter = chr(ord("A") + i)
        name = f"{letter} ({', '.join(marks)})" if marks else letter
        rows[name] = f"{option.text} — {option.explanation}"
    if chosen is None:
        return Card("note", f"{heading} {question.id}", "Not answered", [question.text], rows)
    right = question.options[chosen].correct
    return Card(
        "passed" if right else "not yet",
        f"{heading} {question.id}",
        "Right" if right else "Not so",
        [question.text],
        rows,
    )


def _table(rows: Mapping[str, str]) -> str:
    cells = "".join(
        f'<tr><th scope="row" style="text-align:left;padding:0.2em 1em 0.2em 0;vertical-align:top">{escape(name)}</th>'
        f'<td style="text-align:left;padding:0.2em 0;vertical-align:top;overflow-wrap:anywhere">{_inline(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f'<table style="margin:0.3em 0">{cells}</table>'


def _inline(text: str) -> str:
    """Escape text and show what stands between backquotes as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:  # an odd backquote is just a backquote
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
