"""`Lab`: what a notebook talks to."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pocketlab.course.artifacts import ArtifactStore
from pocketlab.course.cards import Card, answer_card, check_card
from pocketlab.course.checking import check_answer
from pocketlab.course.doctor import machine_summary
from pocketlab.course.exercise import LabContent, Question
from pocketlab.course.progress import ProgressStore
from pocketlab.course.questions import QuestionView
from pocketlab.errors import PocketlabError

LONGEST_PAUSE_S = 600.0  # a longer silence between two steps was a break, not work


class Lab:
    """One lab's session: `Lab("01")` shows what this machine can run and gives the checks, questions and artifacts.

    Raises PocketlabError for a number that no lab has.
    """

    def __init__(self, number: str) -> None:
        self.number = number
        self.content = load_content(number)
        self.progress = ProgressStore()
        self._background = ThreadPoolExecutor(max_workers=1)
        self._last_step = time.monotonic()
        self.progress.add_time(number, 0.0)
        _show(Card("note", f"Lab {number}", "Ready", [machine_summary(), *self.progress.take_notices()]))

    def check(self, exercise_id: str, answer: Any) -> Callable[..., Any]:
        """Check an answer, show one card, and return the function to go on with: the answer if right, else the library's."""
        exercise = self._find(self.content.exercises, exercise_id, "exercise")
        verdict = check_answer(exercise, answer)
        self.progress.record_attempt(exercise_id, verdict.status, verdict.mistake)
        _show(check_card(exercise, verdict, self._notice()))
        return answer if verdict.status == "passed" else exercise.reference

    def predict(self, question_id: str) -> None:
        """Ask for a guess before an experiment. The answer is told by `reveal`, after it."""
        question = self._find(self.content.predictions, question_id, "prediction")

        def commit(choice: int) -> Card:
            self.progress.record_prediction(question_id, question.options[choice].text)
            self._notice()
            letter = chr(ord("A") + choice)
            return Card("note", f"Prediction {question_id}", "Noted", [f"You predict {letter}. Now find out."])

        _show(QuestionView(question, "Prediction", "Commit", commit))

    def reveal(self, question_id: str) -> None:
        """Show the prediction beside what is right and why."""
        question = self._find(self.content.predictions, question_id, "prediction")
        record = self.progress.read().lab(self.number).predictions.get(question_id)
        texts = [option.text for option in question.options]  # an update of the course may order them anew
        chosen = texts.index(record.choice) if record and record.choice in texts else None
        _show(answer_card(question, chosen, "Prediction"))

    def quiz(self) -> None:
        """Ask the questions at the end of the lab, each option with its own explanation."""
        for question in self.content.quiz:
            _show(QuestionView(question, "Quiz", "Answer", self._quiz_answer(question)))

    def artifact(self, name: str, build: Callable[..., Any], **arguments: Any) -> Path:
        """Return the path of something that takes long to make: built once by `build(path, **arguments)`, then kept."""
        path = ArtifactStore(self.progress.home, self.number).get(name, build, **arguments)
        self._notice()
        return path

    def artifact_in_background(self, name: str, build: Callable[..., Any], **arguments: Any) -> Future[Path]:
        """Begin what `artifact` does and return at once; `.result()` waits for the path. For builders that run a process."""
        return self._background.submit(ArtifactStore(self.progress.home, self.number).get, name, build, **arguments)

    @property
    def folder(self) -> Path:
        """The folder of this lab's artifacts, made if need be. "Save my work" takes it along.

        Raises PocketlabError when it cannot be made.
        """
        return ArtifactStore(self.progress.home, self.number).make_folder()

    def _quiz_answer(self, question: Question) -> Callable[[int], Card]:
        def answer(choice: int) -> Card:
            option = question.options[choice]
            self.progress.record_quiz(question.id, option.text, option.correct)
            self._notice()
            return answer_card(question, choice, "Quiz")

        return answer

    def _notice(self) -> str | None:
        """Count the time since the last step and return what there is to say about the progress file."""
        now = time.monotonic()
        self.progress.add_time(self.number, min(now - self._last_step, LONGEST_PAUSE_S))
        self._last_step = now
        return " ".join(self.progress.take_notices()) or None

    def _find(self, declared: tuple[Any, ...], wanted: str, kind: str) -> Any:
        for item in declared:
            if item.id == wanted:
                return item
        known = ", ".join(item.id for item in declared)
        raise PocketlabError(f"Lab {self.number} has no {kind} {wanted!r}; it has {known}.")


def load_content(number: str) -> LabContent:
    """Import what a lab declares. Raises PocketlabError for a number that no lab has."""
    try:
        module = importlib.import_module(f"pocketlab.course.exercises.lab{number}")
    except ModuleNotFoundError as error:
        raise PocketlabError(f'There is no lab {number!r}. Labs have numbers such as "01".') from error
    content: LabContent = module.CONTENT
    return content


def _show(item: object) -> None:
    from IPython.display import display

    display(item)
