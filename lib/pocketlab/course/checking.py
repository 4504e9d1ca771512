"""Check an answer against the reference, and find out which mistake it makes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from pocketlab.course.comparing import agree, difference, number_text
from pocketlab.course.exercise import Case, Exercise
from pocketlab.course.outcomes import Outcome, call, snapshot
from pocketlab.course.relations import Observation, describe_labels, find_relation

Status = Literal["passed", "not yet", "to do"]


@dataclass(frozen=True)
class Failure:
    """The first case that an answer got wrong, in words and numbers."""

    label: str
    inputs: str
    expected: str
    got: str
    difference: str
    printed: str


@dataclass(frozen=True)
class Verdict:
    """What a check found. `mistake` is the name of the known misconception or the kind of relation, `hint` what to tell."""

    status: Status
    passed: int
    total: int
    failure: Failure | None = None
    mistake: str | None = None
    hint: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, eq=False)
class _Trial:
    """One case with the expected outcome, the answer's, and how they differ (None: not at all)."""

    case: Case
    expected: Outcome
    got: Outcome
    difference: str | None


def check_answer(exercise: Exercise, answer: Any) -> Verdict:
    """Run the answer on every case and say how it did. Never raises because of an answer, and never hangs."""
    total = len(expected_outcomes(exercise))
    if not callable(answer):
        text = f"lab.check wants the function itself, without parentheses; this is a {type(answer).__name__}."
        return Verdict("not yet", 0, total, hint=text, mistake="not a function")
    if answer is exercise.reference:
        return Verdict("to do", 0, total, hint="This is the library's function. Run the cell with your own again.")
    unfit = _unfit_parameters(exercise, answer)
    if unfit:
        return Verdict("not yet", 0, total, hint=unfit, mistake="wrong parameters")

    trials = _run(exercise, answer)
    failed = [trial for trial in trials if trial.difference]
    if not failed:
        return Verdict("passed", total, total)
    if all(isinstance(trial.got.error, NotImplementedError) for trial in trials):
        return Verdict("to do", 0, total)
    mistake, hint = _explain(exercise, trials, failed)
    right = [trial.case.label for trial in trials if not trial.difference]
    return Verdict(
        status="not yet",
        passed=len(right),
        total=total,
        failure=_describe(exercise, failed[0]),
        mistake=mistake,
        hint=hint,
        pattern=describe_labels(right, [trial.case.label for trial in failed]),
    )


@lru_cache(maxsize=64)
def expected_outcomes(exercise: Exercise) -> tuple[tuple[Case, Outcome], ...]:
    """Return every case with what the reference does on it."""
    seed = int.from_bytes(exercise.id.encode(), "big") % 2**32
    cases = exercise.cases(np.random.default_rng(seed))
    return tuple((case, call(exercise.probe(exercise.reference), case.args, 30.0)) for case in cases)


@lru_cache(maxsize=64)
def misconception_outcomes(exercise: Exercise) -> dict[str, tuple[Outcome, ...]]:
    """Return what each known mistake does on every case, by its name."""
    return {
        known.name: tuple(
            call(exercise.probe(known.wrong), case.args, exercise.time_limit_s) for case, _ in expected_outcomes(exercise)
        )
        for known in exercise.misconceptions
    }


def _run(exercise: Exercise, answer: Callable[..., Any]) -> list[_Trial]:
    trials = []
    for case, expected in expected_outcomes(exercise):
        got = call(exercise.probe(answer), case.args, exercise.time_limit_s)
        trials.append(_Trial(case, expected, got, _trial_difference(exercise, expected, got)))
        if got.out_of_time:  # the others would cost the same again
            break
    return trials


def _trial_difference(exercise: Exercise, expected: Outcome, got: Outcome) -> str | None:
    if got.out_of_time:
        return f"It did not end within {exercise.time_limit_s:g} seconds."
    if got.changed_arguments and not expected.changed_arguments:
        name = _parameter_names(exercise)[got.changed_arguments[0]]
        return f"The function changed its argument `{name}`, which the caller may still need. Work on a copy."
    if expected.error is not None:
        wanted = type(expected.error).__name__
        if got.error is None:
            return f"A {wanted} is wanted here: {expected.error}"
        if not isinstance(got.error, type(expected.error)):
            return f"A {wanted} is wanted here; it raised {_error_text(got.error)}."
        return None
    if got.error is not None:
        return f"It raised {_error_text(got.error)}."
    try:
        return difference(expected.value, got.value, exercise.tolerance)
    except Exception as error:  # whatever an answer's own values do when they are compared
        return f"The result cannot be compared with the expected one ({type(error).__name__})."


def _explain(exercise: Exercise, trials: list[_Trial], failed: list[_Trial]) -> tuple[str | None, str | None]:
    """Name the mistake: a known one first, then a relation that holds over the cases, else nothing."""
    known = _closest_misconception(exercise, trials)
    if known:
        hint = next(m.hint for m in exercise.misconceptions if m.name == known)
        return known, hint
    comparable = [t for t in trials if t.expected.error is None and t.got.error is None and not t.got.out_of_time]
    if all(trial in comparable for trial in failed):
        relation = find_relation(
            [Observation(t.expected.value, t.got.value, t.case.label, t.case.sizes) for t in comparable]
        )
        if relation:
            return relation.kind, relation.sentence
    return None, None


def _closest_misconception(exercise: Exercise, trials: list[_Trial]) -> str | None:
    """Return the known mistake that the answer behaves like; of several, the one most like it on all cases.

    A mistake explains a failing case if it is wrong there in the same way. It has to explain all of them. Where it is wrong
    and the answer is right it is contradicted; that may happen once, if three cases speak for it, since an answer may treat
    one kind of input on its own. Cases that ask for an error count only where all others are right: who forgets a factor
    often forgets to refuse bad input as well, and has to hear of the factor first.
    """
    values_fail = any(trial.difference and trial.expected.error is None for trial in trials)
    best, name = (0, 0), None
    for candidate, outcomes in misconception_outcomes(exercise).items():
        pairs = list(zip(trials, outcomes, strict=False))  # fewer trials than cases where one ran out of time
        alike = [_alike(exercise, trial.got, outcome) for trial, outcome in pairs]
        explained = unexplained = contradicted = 0
        for (trial, outcome), same in zip(pairs, alike, strict=True):
            if values_fail and trial.expected.error is not None:
                continue
            wrong = _trial_difference(exercise, trial.expected, outcome) is not None
            explained += bool(trial.difference and wrong and same)
            unexplained += bool(trial.difference and not (wrong and same))
            contradicted += wrong and not trial.difference
        if unexplained or contradicted > 1 or 3 * contradicted > explained:
            continue
        score = (sum(alike), explained)
        if score > best:
            best, name = score, candidate
    return name


def _alike(exercise: Exercise, first: Outcome, second: Outcome) -> bool:
    if first.out_of_time or second.out_of_time:
        return first.out_of_time == second.out_of_time
    if bool(first.changed_arguments) != bool(second.changed_arguments):
        return False
    if first.error is not None or second.error is not None:
        return type(first.error) is type(second.error)
    return agree(second.value, first.value, exercise.tolerance)


def _unfit_parameters(exercise: Exercise, answer: Callable[..., Any]) -> str | None:
    case = expected_outcomes(exercise)[0][0]
    try:
        # A class is called by its exercise's probe alone, which says with what.
        called = exercise.probe(answer) if isinstance(answer, type) else answer
        inspect.signature(called).bind(*case.args)
    except TypeError:
        names = ", ".join(_parameter_names(exercise)[: len(case.args)])
        return f"The check calls your function with {len(case.args)} arguments ({names}); it does not take these."
    except Exception:  # a built-in function tells nothing about its parameters, and a strange object anything
        return None
    return None


def _parameter_names(exercise: Exercise) -> list[str]:
    return list(inspect.signature(exercise.probe(exercise.reference)).parameters)


def _describe(exercise: Exercise, trial: _Trial) -> Failure:
    names = _parameter_names(exercise)
    inputs = ", ".join(f"{name}={value_text(arg)}" for name, arg in zip(names, trial.case.args, strict=False))
    return Failure(
        label=trial.case.label,
        inputs=inputs,
        expected=_outcome_text(trial.expected),
        got=_outcome_text(trial.got),
        difference=trial.difference or "",
        printed=trial.got.printed,
    )


def _outcome_text(outcome: Outcome) -> str:
    if outcome.out_of_time:
        return "no result in time"
    if outcome.error is not None:
        return f"raises {_error_text(outcome.error)}"
    return value_text(outcome.value)


def _error_text(error: BaseException) -> str:
    try:
        message = str(error).split("\n")[0][:200]
    except Exception:  # an error of the answer's own whose text fails in turn
        message = ""
    return f"{type(error).__name__} ({message})" if message else type(error).__name__


def value_text(value: Any, limit: int = 160) -> str:
    """Show a value in one line, cut short where it is long."""
    if hasattr(value, "detach"):  # a torch tensor
        value = snapshot(value)
    if isinstance(value, np.ndarray):
        flat = np.array2string(value, precision=4, threshold=8, edgeitems=3, separator=", ").replace("\n", "")
        text = (
            f"{' '.join(flat.split())} (shape {value.shape}, {value.dtype})" if value.ndim else number_text(value[()])
        )
    elif isinstance(value, tuple):
        text = f"({', '.join(value_text(item, 60) for item in value[:6])}{', …' if len(value) > 6 else ''})"
    elif isinstance(value, dict):
        items = [f"{key}: {value_text(item, 60)}" for key, item in list(value.items())[:6]]
        text = f"{{{', '.join(items)}{', …' if len(value) > 6 else ''}}}"
    elif isinstance(value, float | np.generic):
        text = number_text(value)
    else:
        text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
