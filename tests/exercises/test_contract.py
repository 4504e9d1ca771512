"""What every exercise promises: the reference passes, every known mistake fails and is told by its own name."""

from __future__ import annotations

import ast
import importlib
import inspect

import numpy as np
import pytest

from exercises.right_answers import RIGHT
from pocketlab.course import catalogue
from pocketlab.course.build import exercise_cell_id, learner_notebook
from pocketlab.course.checking import check_answer, expected_outcomes, misconception_outcomes
from pocketlab.course.comparing import agree
from pocketlab.course.exercise import Exercise, LabContent

ROOT = catalogue.course_root()
LABS = [entry.number for entry in catalogue.LABS if entry.is_ready(ROOT)]
CONTENTS: dict[str, LabContent] = {
    number: importlib.import_module(f"pocketlab.course.exercises.lab{number}").CONTENT for number in LABS
}
EXERCISES = [exercise for content in CONTENTS.values() for exercise in content.exercises]
MISTAKES = [(exercise, known) for exercise in EXERCISES for known in exercise.misconceptions]
QUESTIONS = [question for content in CONTENTS.values() for question in (*content.predictions, *content.quiz)]


def stub(exercise: Exercise):
    """A function with the exercise's parameters that is not written yet."""

    def unwritten(*args):
        raise NotImplementedError(f"Exercise {exercise.id}")

    return unwritten


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_the_reference_passes(exercise: Exercise) -> None:
    def copy(*args):  # the reference itself would count as not the learner's own
        return exercise.reference(*args)

    verdict = check_answer(exercise, copy)
    assert verdict.status == "passed", verdict


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_the_stub_is_to_do(exercise: Exercise) -> None:
    assert check_answer(exercise, stub(exercise)).status == "to do"


def notebook_stub(exercise: Exercise):
    """The function or class as the learner's notebook holds it, before anything is written."""
    lab = catalogue.find_lab(exercise.id.split(".")[0])
    notebook = learner_notebook(lab.source(ROOT))
    (cell,) = (cell for cell in notebook.cells if cell.id == exercise_cell_id(exercise.id))
    (function,) = (node for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    names: dict[str, object] = {"np": np}
    exec(compile(ast.Module([function], []), cell.id, "exec"), names)
    return names[function.name]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_the_notebook_stub_is_to_do(exercise: Exercise) -> None:
    assert check_answer(exercise, notebook_stub(exercise)).status == "to do"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_handing_back_the_library_function_is_not_an_answer(exercise: Exercise) -> None:
    assert check_answer(exercise, exercise.reference).status == "to do"


@pytest.mark.parametrize(("exercise", "known"), MISTAKES, ids=[f"{e.id} {m.name}" for e, m in MISTAKES])
def test_a_known_mistake_fails_and_gets_its_own_hint(exercise: Exercise, known) -> None:
    verdict = check_answer(exercise, known.wrong)
    assert verdict.status == "not yet"
    assert (verdict.mistake, verdict.hint) == (known.name, known.hint)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_any_two_known_mistakes_are_told_apart_by_some_case(exercise: Exercise) -> None:
    outcomes = misconception_outcomes(exercise)
    names = list(outcomes)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            same = all(
                type(a.error) is type(b.error) and (a.error is not None or agree(a.value, b.value, exercise.tolerance))
                for a, b in zip(outcomes[first], outcomes[second], strict=True)
            )
            assert not same, f"{first!r} and {second!r} do the same in every case"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_there_are_three_known_mistakes_and_a_reason_for_the_tolerance(exercise: Exercise) -> None:
    assert len(exercise.misconceptions) >= 3
    assert len({known.name for known in exercise.misconceptions}) == len(exercise.misconceptions)
    assert exercise.tolerance.why


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_there_are_enough_cases_and_each_has_a_label(exercise: Exercise) -> None:
    first = expected_outcomes(exercise)
    assert len(first) >= 5
    assert all(case.label for case, _ in first)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_right_answers_written_in_another_way_pass(exercise: Exercise) -> None:
    assert RIGHT[exercise.id], f"write a right answer to {exercise.id} in another way"
    for answer in RIGHT[exercise.id]:
        verdict = check_answer(exercise, answer)
        assert verdict.status == "passed", f"{inspect.getsource(answer)}\n{verdict}"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.id)
def test_a_question_has_one_right_option_and_explains_each(question) -> None:
    assert sum(option.correct for option in question.options) == 1
    assert all(option.text and option.explanation for option in question.options)
    assert len({option.text for option in question.options}) == len(question.options) >= 3


@pytest.mark.parametrize("number", LABS)
def test_ids_belong_to_their_lab_and_are_used_once(number: str) -> None:
    content = CONTENTS[number]
    ids = [item.id for item in (*content.exercises, *content.predictions, *content.quiz)]
    assert len(set(ids)) == len(ids)
    assert all(item.startswith(f"{number}.") for item in ids)
