"""Wrong answers by people who had not seen the catalogue: all are rejected, and four in five or more are named.

A relation or a plain difference (a wrong dtype, a number where a list is wanted) is a name too if it says what is wrong;
`NAMES` holds what each answer is told, so that a change that names one of them falsely is seen.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exercises import (
    learners_lab01,
    learners_lab01_b,
    learners_lab04,
    learners_lab04_b,
    learners_lab06,
    learners_lab06_b,
    learners_lab13,
    learners_lab13_b,
)
from exercises.finding import find_exercise
from pocketlab.course.checking import check_answer

NAMES = json.loads((Path(__file__).parent / "names.json").read_text(encoding="utf-8"))
SETS = {
    "first set": (learners_lab01, learners_lab04, learners_lab06, learners_lab13),
    "second set": (learners_lab01_b, learners_lab04_b, learners_lab06_b, learners_lab13_b),
}
ANSWERS = [
    (f"{set_name} {answer.__name__}", exercise, answer)
    for set_name, modules in SETS.items()
    for module in modules
    for exercise, answers in module.WRONG.items()
    for answer in answers
]


@pytest.mark.parametrize(("key", "exercise", "answer"), ANSWERS, ids=[key for key, *_ in ANSWERS])
def test_a_wrong_answer_is_rejected_and_told_its_mistake(key: str, exercise: str, answer) -> None:
    verdict = check_answer(find_exercise(exercise), answer)
    assert verdict.status == "not yet"
    assert verdict.mistake == NAMES[key]


def test_four_in_five_are_named() -> None:
    assert NAMES.keys() == {key for key, *_ in ANSWERS}
    named = sum(name is not None for name in NAMES.values())
    assert named >= 0.8 * len(NAMES)
