"""Checks on a small exercise: what each kind of answer is told."""

from __future__ import annotations

import inspect
import time

import numpy as np
import pytest

from exercises.finding import find_exercise
from pocketlab.course.cards import answer_card, check_card, question_card
from pocketlab.course.checking import check_answer, value_text
from pocketlab.course.exercise import Case, Exercise, Misconception, Option, Question, Tolerance


def reference(x: np.ndarray, power: int) -> np.ndarray:
    """Raise each element to a power. Raises ValueError for an empty array."""
    if x.size == 0:
        raise ValueError("x is empty")
    return x**power


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("positive values", (np.array([1.0, 2.0, 3.0]), 2)),
        Case("positive values", (rng.uniform(1, 2, 5), 3)),
        Case("positive values", (rng.uniform(1, 2, 4), 1)),
        Case("negative values", (-rng.uniform(1, 2, 5), 3)),
        Case("negative values", (-rng.uniform(2, 3, 6), 1)),
        Case("an empty array", (np.array([]), 2)),
    ]


def guarded(function):
    def wrong(x, power):
        if x.size == 0:
            raise ValueError
        return function(x, power)

    return wrong


EXERCISE = Exercise(
    id="99.1",
    title="powers",
    reference=reference,
    cases=cases,
    tolerance=Tolerance(1e-12, 0.0, "one rounding a multiplication"),
    misconceptions=(
        Misconception("product", guarded(lambda x, p: x * p), "You multiply by the power."),
        Misconception("always two", guarded(lambda x, p: x**2), "You square, whatever the power."),
        Misconception("magnitude", guarded(lambda x, p: np.abs(x) ** p), "You lose the sign."),
        Misconception("empty accepted", lambda x, p: x**p, "Right, except for an empty array."),
    ),
)


def in_place(x, power):
    if x.size == 0:
        raise ValueError
    x **= power
    return x


def half_right(x, power):
    return x**power if power == 2 else None


@pytest.mark.parametrize(
    ("answer", "status", "mistake", "hint"),
    [
        (lambda x, power: x**power if x.size else in_place(x, power), "passed", None, None),
        (lambda x, power: x * power if x.size else in_place(x, power), "not yet", "product", "multiply by the power"),
        (lambda x, power: power * x, "not yet", "product", "multiply by the power"),
        (lambda x, power: x**power, "not yet", "empty accepted", "except for an empty array"),
        (guarded(lambda x, p: 100 * x**p), "not yet", "factor", "100"),
        (guarded(lambda x, p: (x**p)[::-1]), "not yet", "reversed", "reverse"),
        (lambda x: x, "not yet", "wrong parameters", "2 arguments (x, power)"),
        ("text", "not yet", "not a function", "without parentheses"),
        (reference, "to do", None, "library's function"),
    ],
)
def test_what_each_answer_is_told(answer, status, mistake, hint) -> None:
    verdict = check_answer(EXERCISE, answer)
    assert verdict.status == status
    assert verdict.mistake == mistake
    assert (hint or "") in (verdict.hint or "")


def test_a_changed_argument_is_named() -> None:
    verdict = check_answer(EXERCISE, in_place)
    assert verdict.failure
    assert "changed its argument `x`" in verdict.failure.difference


def test_a_forgotten_return_is_named() -> None:
    verdict = check_answer(EXERCISE, lambda x, power: None)
    assert verdict.failure
    assert "`return` missing" in verdict.failure.difference


def test_an_error_is_told_in_one_line() -> None:
    def answer(x, power):
        return undefined_name  # noqa: F821

    verdict = check_answer(EXERCISE, answer)
    assert verdict.failure
    assert "NameError (name 'undefined_name' is not defined)" in verdict.failure.difference


def test_an_endless_answer_costs_one_time_limit() -> None:
    def answer(x, power):
        while True:
            pass

    started = time.monotonic()
    verdict = check_answer(EXERCISE, answer)
    assert verdict.failure
    assert "did not end within 2 seconds" in verdict.failure.difference
    assert time.monotonic() - started < 2 * EXERCISE.time_limit_s + 2


def test_the_pattern_says_on_which_inputs_it_fails() -> None:
    verdict = check_answer(EXERCISE, guarded(lambda x, p: np.abs(x) ** p))
    assert verdict.pattern
    assert "negative values" in verdict.pattern


def test_what_an_answer_prints_is_shown_with_its_failure_only(capsys) -> None:
    def answer(x, power):
        print("looking at", power)
        return x

    verdict = check_answer(EXERCISE, answer)
    assert verdict.failure
    assert verdict.failure.printed == "looking at 2\n"
    assert capsys.readouterr().out == ""


class Hostile:
    """Raises wherever somebody looks."""

    def __eq__(self, other):
        raise RuntimeError

    def __array__(self, *args):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError

    __hash__ = object.__hash__


class HostileError(Exception):
    def __str__(self):
        raise RuntimeError


class HostileFloat(float):
    def __float__(self):
        raise RuntimeError


def raises_hostile_error(*args):
    raise HostileError


ODD = [
    Hostile(),
    [Hostile()],
    {"a": Hostile()},
    {Hostile(): 1},
    HostileFloat(1.0),
    np.array([object()]),
    "x" * 10**6,
    b"\xff",
    np.array(["a"]),
    np.array([[1], [2, 3]], dtype=object),
    float("inf"),
    float("nan"),
    10**400,
    1j,
    np.array([1 + 2j]),
    {1: 2},
    {1, 2},
    print,
    (),
    [],
    [[[[[[[[[1]]]]]]]]],
    np.zeros((0, 3)),
    np.ma.masked_array([1.0], [True]),
    True,
    None,
]


@pytest.mark.parametrize("exercise_id", ["00.1", "01.1", "01.3", "01.4", "01.5", "01.7", "01.8"])
def test_a_check_never_raises_whatever_an_answer_returns(exercise_id: str) -> None:
    """One exercise of each kind: a number, a number and a list, two numbers, arrays, an int, a dict."""
    exercise = find_exercise(exercise_id)
    count = len(inspect.signature(exercise.reference).parameters)
    for value in ODD:
        verdict = check_answer(exercise, lambda *args, value=value: value)
        assert verdict.status == "not yet", (count, type(value))
        assert check_card(exercise, verdict).html()
        assert check_card(exercise, verdict).text()
    assert check_answer(exercise, raises_hostile_error).status == "not yet"


def test_cards_escape_what_comes_from_answers() -> None:
    verdict = check_answer(EXERCISE, lambda x, power: "<script>alert(1)</script>")
    html = check_card(EXERCISE, verdict).html()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_card_says_its_state_in_words_and_to_a_screen_reader() -> None:
    card = check_card(EXERCISE, check_answer(EXERCISE, lambda x, power: x))
    bundle = card._repr_mimebundle_()
    assert "Not yet" in bundle["text/html"]
    assert 'aria-label="Exercise 99.1, powers: Not yet"' in bundle["text/html"]
    assert bundle["text/plain"].startswith("[✗ Not yet] Exercise 99.1, powers")
    assert "Expected" in bundle["text/plain"]


def test_a_question_shows_options_and_then_an_explanation_for_each() -> None:
    question = Question("99.Q1", "Which?", (Option("this", "yes", correct=True), Option("that", "no")))
    assert "A: this" in question_card(question, "Quiz").text()
    answered = answer_card(question, 1, "Quiz")
    assert answered.word == "Not so"
    assert "A (right): this — yes" in answered.text()
    assert "B (yours): that — no" in answered.text()
    assert answer_card(question, None, "Quiz").word == "Not answered"


def test_long_values_are_cut_short() -> None:
    assert len(value_text(np.zeros((50, 50)))) <= 200
    assert len(value_text("x" * 10_000)) <= 160
