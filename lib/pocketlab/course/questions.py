"""Questions in a notebook: radio buttons where widgets run, the same question as plain HTML everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pocketlab.course.cards import Card, question_card
from pocketlab.course.exercise import Question


class QuestionView:
    """A question with a button to commit. `on_answer` receives the index of the chosen option and returns the card to show."""

    def __init__(self, question: Question, heading: str, button: str, on_answer: Callable[[int], Card]) -> None:
        import ipywidgets

        self.question = question
        self.heading = heading
        self._on_answer = on_answer
        card = question_card(question, heading)
        self._options = ipywidgets.RadioButtons(
            options=[(f"{letter}  {text}", i) for i, (letter, text) in enumerate((card.rows or {}).items())],
            value=None,
            layout=ipywidgets.Layout(width="auto"),
        )
        self._button = ipywidgets.Button(description=button, disabled=True, tooltip=f"{button} for {question.id}")
        self._reply = ipywidgets.HTML()
        self._options.observe(self._chosen, "value")
        self._button.on_click(self._committed)
        title = Card("note", f"{heading} {question.id}", "Question", [question.text])
        self.widget: Any = ipywidgets.VBox(
            [ipywidgets.HTML(title.html()), self._options, self._button, self._reply],
            layout=ipywidgets.Layout(max_width="56em"),
        )

    def answer(self, choice: int) -> None:
        """Choose an option by its index and commit to it, as a click would."""
        self._options.value = choice
        self._committed()

    def _chosen(self, _: object) -> None:
        self._button.disabled = self._options.value is None

    def _committed(self, _: object = None) -> None:
        if self._options.value is not None:
            self._reply.value = self._on_answer(self._options.value).html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        fallback = question_card(self.question, self.heading)
        bundle: dict[str, Any] = dict(self.widget._repr_mimebundle_())
        return {**bundle, "text/html": fallback.html(), "text/plain": fallback.text()}
