"""Exercise 13.7: how sparse the network should be at a step."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pocketlab.compression.pruning import gradual_sparsity
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance

_Schedule = Callable[[int, int, int, float], float]


def _schedule_cases(rng: np.random.Generator) -> list[Case]:
    del rng  # a schedule has no random input
    # Some answers hold the progress at 0 and 1, others return early, before the curve is computed. So that a mistake in
    # the curve is known in both, one case only lies before the beginning, one after the end, and none at the beginning.
    return [
        Case("from step 0", (50, 0, 100, 0.8)),
        Case("from step 0", (25, 0, 100, 0.8)),
        Case("from step 0", (70, 0, 80, 0.5)),
        Case("from a later step", (300, 200, 600, 0.9)),
        Case("from a later step", (480, 200, 600, 0.9)),
        Case("from a later step", (37, 30, 90, 0.75)),
        Case("one step after the beginning", (201, 200, 600, 0.9)),
        Case("one step before the end", (599, 200, 600, 0.9)),
        Case("the end", (600, 200, 600, 0.9)),
        Case("before the beginning", (150, 200, 600, 0.9)),
        Case("after the end", (1000, 200, 600, 0.9)),
        Case("final 0", (50, 0, 100, 0.0)),
        Case("a final sparsity close to 1", (40, 0, 100, 0.99)),
        Case("a million steps", (1_500_000, 1_000_000, 3_000_000, 0.95)),
        Case("it begins where it ends", (10, 20, 20, 0.5)),
        Case("it begins where it ends", (30, 20, 20, 0.5)),
        Case("it begins after it ends", (50, 100, 0, 0.8)),
        Case("it begins after it ends", (-50, 100, 0, 0.8)),
        Case("final 1", (50, 0, 100, 1.0)),
        Case("final above 1", (50, 0, 100, 80)),
        Case("a negative final", (50, 0, 100, -0.1)),
        Case("a negative final", (-50, 0, 100, -0.1)),
    ]


def _refuse(begin: int, end: int, final: float) -> None:
    if begin >= end or not 0 <= final < 1:
        raise ValueError("begin comes before end, and final is a share from 0 to below 1")


def _cubic(progress: float) -> float:
    return 1 - (1 - progress) ** 3


def _clamp(progress: float) -> float:
    return min(max(progress, 0.0), 1.0)


def _shaped(shape: Callable[[float, float], float]) -> _Schedule:
    """A schedule that is right but for its curve; shape: (progress from 0 to 1, final) → sparsity."""

    def schedule(step: int, begin: int, end: int, final: float) -> float:
        _refuse(begin, end, final)
        return shape(_clamp((step - begin) / (end - begin)), final)

    return schedule


def _timed(progress: Callable[[int, int, int], float]) -> _Schedule:
    """A schedule that is right but for its progress, which is not held at 0 and 1 either."""

    def schedule(step: int, begin: int, end: int, final: float) -> float:
        _refuse(begin, end, final)
        return final * _cubic(progress(step, begin, end))

    return schedule


def _outside(before: Callable[[float], float], after: Callable[[float], float]) -> _Schedule:
    """A schedule that is right from begin to end; before and after: final → the sparsity outside."""

    def schedule(step: int, begin: int, end: int, final: float) -> float:
        _refuse(begin, end, final)
        if begin <= step <= end:
            return final * _cubic((step - begin) / (end - begin))
        return before(final) if step < begin else after(final)

    return schedule


def _held(shape: Callable[[float, float], float]) -> _Schedule:
    """As `_shaped`, but outside of begin to end it returns before the curve is computed."""

    def schedule(step: int, begin: int, end: int, final: float) -> float:
        right_outside = step < begin or step > end
        return (_right if right_outside else _shaped(shape))(step, begin, end, final)

    return schedule


def _never(_: float) -> float:
    raise ValueError("outside of the schedule")


def _right(step: int, begin: int, end: int, final: float) -> float:
    _refuse(begin, end, final)
    return _unchecked(step, begin, end, final)


def _nothing_refused_early(step: int, begin: int, end: int, final: float) -> float:
    if step < begin:
        return 0.0
    return final if step > end else _unchecked(step, begin, end, final)


def _unchecked(step: int, begin: int, end: int, final: float) -> float:
    return final * _cubic(_clamp((step - begin) / (end - begin)))


def _order_unchecked(step: int, begin: int, end: int, final: float) -> float:
    _refuse(0, 1, final)
    return _unchecked(step, begin, end, final)


def _final_unchecked(step: int, begin: int, end: int, final: float) -> float:
    _refuse(begin, end, 0.0)
    return _unchecked(step, begin, end, final)


def _only_after_refused(step: int, begin: int, end: int, final: float) -> float:
    if begin > end:
        raise ValueError("it begins after it ends")
    return _order_unchecked(step, begin, end, final)


def _jump_accepted(step: int, begin: int, end: int, final: float) -> float:
    if begin == end:
        return final if step >= end else 0.0
    return _right(step, begin, end, final)


def _checked_too_late(step: int, begin: int, end: int, final: float) -> float:
    if step <= begin:
        return 0.0
    if step >= end:
        return final
    _refuse(begin, end, final)
    return _unchecked(step, begin, end, final)


def _one_accepted(step: int, begin: int, end: int, final: float) -> float:
    _refuse(begin, end, 0.0 if final == 1 else final)
    return _unchecked(step, begin, end, final)


def _negative_accepted(step: int, begin: int, end: int, final: float) -> float:
    _refuse(begin, end, max(final, 0.0))
    return _unchecked(step, begin, end, final)


def _zero_refused(step: int, begin: int, end: int, final: float) -> float:
    _refuse(begin, end, final or 1.0)
    return _unchecked(step, begin, end, final)


def _whole_percents(step: int, begin: int, end: int, final: float) -> float:
    _refuse(begin, end, final)
    return final * _cubic(_clamp(100 * (step - begin) // (end - begin) / 100))


SCHEDULE = Exercise(
    id="13.7",
    title="how sparse the network should be at a step",
    reference=gradual_sparsity,
    cases=_schedule_cases,
    tolerance=Tolerance(0.0, 5e-7, "Some eight roundings of numbers up to 1: 6e-8 each, in float32."),
    misconceptions=(
        Misconception(
            "linear",
            _shaped(lambda p, final: final * p),
            "Your sparsity rises evenly. It should rise fast at first and ever slower: what is left to go falls with "
            "the third power, (1 − progress)³.",
        ),
        Misconception(
            "slow at first",
            _shaped(lambda p, final: final * p**3),
            "Your sparsity is final · progress³, which is slow at first and fast in the end, just where little is "
            "redundant. The cube belongs to (1 − progress), what is left to go.",
        ),
        Misconception(
            "falling",
            _shaped(lambda p, final: final * (1 - p) ** 3),
            "Your sparsity falls from final to 0. final · (1 − progress)³ is what is still left to go: take it off "
            "final.",
        ),
        Misconception(
            "falling, cube inside",
            _shaped(lambda p, final: final * (1 - p**3)),
            "Your sparsity falls from final to 0: you take the cube of the progress off 1. Wanted is 1 − (1 − "
            "progress)³.",
        ),
        Misconception(
            "falling between right ends",
            _held(lambda p, final: final * (1 - p) ** 3),
            "Right before `begin` and after `end`, but in between your sparsity falls from final to 0. final · (1 − "
            "progress)³ is what is still left to go: take it off final.",
        ),
        Misconception(
            "falling between right ends, cube inside",
            _held(lambda p, final: final * (1 - p**3)),
            "Right before `begin` and after `end`, but in between your sparsity falls from final to 0: you take the "
            "cube of the progress off 1. Wanted is 1 − (1 − progress)³.",
        ),
        Misconception(
            "final left out between right ends",
            _held(lambda p, final: _cubic(p)),
            "Right before `begin` and after `end`, but in between your sparsity rises to 1. Multiply the curve by "
            "`final`.",
        ),
        Misconception(
            "final in the cube",
            _shaped(lambda p, final: final - (final * (1 - p)) ** 3),
            "You put `final` inside the cube, so the schedule does not begin at 0. Only (1 − progress) is cubed.",
        ),
        Misconception(
            "a cube root",
            _shaped(lambda p, final: final * p ** (1 / 3)),
            "You take the cube root of the progress. It is fast at first too, but the cubic schedule is 1 − (1 − "
            "progress)³.",
        ),
        Misconception(
            "the wrong sign",
            _shaped(lambda p, final: final + final * (1 - p) ** 3),
            "You add what is left to go instead of taking it off, so the schedule begins at twice the final sparsity. "
            "With initial 0 the factor (initial − final) is −final.",
        ),
        Misconception(
            "squared",
            _shaped(lambda p, final: final * (1 - (1 - p) ** 2)),
            "Your exponent is 2. Zhu and Gupta's schedule has the third power, which is faster at first.",
        ),
        Misconception(
            "fourth power",
            _shaped(lambda p, final: final * (1 - (1 - p) ** 4)),
            "Your exponent is 4. Zhu and Gupta's schedule has the third power.",
        ),
        Misconception(
            "times three",
            _shaped(lambda p, final: final * (1 - (1 - p) * 3)),
            "You multiply by 3 where the third power is wanted: `** 3`, not `* 3`.",
        ),
        Misconception(
            "final in the cube only",
            _shaped(lambda p, final: 1 - (1 - final * p) ** 3),
            "You put `final` inside the cube. The curve 1 − (1 − progress)³ goes from 0 to 1; multiply all of it by "
            "`final`.",
        ),
        Misconception(
            "final left out",
            _shaped(lambda p, final: _cubic(p)),
            "Your schedule ends at 1, where no weight is left. Multiply by `final`.",
        ),
        Misconception(
            "final not in the second term",
            _shaped(lambda p, final: final - (1 - p) ** 3),
            "You take (1 − progress)³ off final, so the schedule begins below 0. The term has the factor (initial − "
            "final), which is −final here.",
        ),
        Misconception(
            "the density",
            _shaped(lambda p, final: 1 - final * _cubic(p)),
            "You return the share that stays. Sparsity is the share that is gone: 0 at the beginning.",
        ),
        Misconception(
            "a percentage",
            _shaped(lambda p, final: 100 * final * _cubic(p)),
            "You return a percentage. Sparsity is a share, from 0 to below 1.",
        ),
        Misconception(
            "a cosine",
            _shaped(lambda p, final: final * (1 - math.cos(math.pi * p)) / 2),
            "You use a cosine, which is slow at both ends. Zhu and Gupta's schedule is the cubic one, fast from its "
            "first step.",
        ),
        Misconception(
            "the same share of the rest at every step",
            _shaped(lambda p, final: 1 - (1 - final) ** p),
            "You drop the same share of the remaining weights at every step. That is another good schedule, but the "
            "cubic one is wanted: final · (1 − (1 − progress)³).",
        ),
        Misconception(
            "rounded",
            _shaped(lambda p, final: round(final * _cubic(p), 2)),
            "You round to two digits. The number of weights is rounded later, in the mask; return the sparsity as it "
            "is.",
        ),
        Misconception(
            "not held on either side",
            _timed(lambda step, begin, end: (step - begin) / (end - begin)),
            "Right between `begin` and `end`, but the curve goes on outside: below 0 before, above `final` after. "
            "Keep the progress between 0 and 1.",
        ),
        Misconception(
            "not held after the end",
            _timed(lambda step, begin, end: max((step - begin) / (end - begin), 0.0)),
            "Right up to `end`, but after it the curve goes on. The sparsity stays at `final`: limit the progress to "
            "1.",
        ),
        Misconception(
            "not held before the beginning",
            _timed(lambda step, begin, end: min((step - begin) / (end - begin), 1.0)),
            "Right from `begin` on, but before it the sparsity is negative. Nothing is pruned yet: keep the progress "
            "at 0 or above.",
        ),
        Misconception(
            "begin ignored",
            _timed(lambda step, begin, end: _clamp(step / end)),
            "Your progress is step / end, which leaves `begin` out. It counts from `begin`, over `end - begin` steps.",
        ),
        Misconception(
            "begin not in the length",
            _timed(lambda step, begin, end: _clamp((step - begin) / end)),
            "You divide by `end`. The schedule has `end - begin` steps, so yours is not done at `end`.",
        ),
        Misconception(
            "begin not taken off the step",
            _timed(lambda step, begin, end: _clamp(step / (end - begin))),
            "You do not take `begin` off the step, so the schedule is ahead. Progress is (step − begin) / (end − "
            "begin).",
        ),
        Misconception(
            "one step ahead",
            _timed(lambda step, begin, end: _clamp((step - begin + 1) / (end - begin))),
            "You are one step ahead: at `begin` itself the sparsity is still 0.",
        ),
        Misconception(
            "both ends counted",
            _timed(lambda step, begin, end: _clamp((step - begin) / (end - begin + 1))),
            "You divide by `end - begin + 1`. From `begin` to `end` there are `end - begin` steps, and at `end` the "
            "sparsity is `final`.",
        ),
        Misconception(
            "whole-number division",
            _timed(lambda step, begin, end: _clamp((step - begin) // (end - begin))),
            "You divide with `//`, which cuts the progress off to 0 until the end. Use `/`.",
        ),
        Misconception(
            "0 after the end",
            _outside(lambda final: 0.0, lambda final: 0.0),
            "After the end you return 0, so all weights would come back. The sparsity stays at `final`.",
        ),
        Misconception(
            "1 after the end",
            _outside(lambda final: 0.0, lambda final: 1.0),
            "After the end you return 1, and no weight would be left. The sparsity stays at `final`.",
        ),
        Misconception(
            "final before the beginning",
            _outside(lambda final: final, lambda final: final),
            "Before the beginning you return `final`. Nothing is pruned yet: the sparsity is 0.",
        ),
        Misconception(
            "steps outside refused",
            _outside(_never, _never),
            "You refuse steps before `begin` and after `end`. Training goes on there: the sparsity is 0 before, and "
            "`final` after.",
        ),
        Misconception(
            "nothing refused",
            _unchecked,
            "Right, except that impossible schedules are not refused. Raise a ValueError if `begin >= end`, and "
            "unless `0 <= final < 1`.",
        ),
        Misconception(
            "nothing refused, outside first",
            _nothing_refused_early,
            "Right, except that impossible schedules are not refused, and outside of `begin` to `end` nothing would "
            "notice them. Begin with the checks: raise a ValueError if `begin >= end`, and unless `0 <= final < 1`.",
        ),
        Misconception(
            "begin and end not compared",
            _order_unchecked,
            "You do not refuse a schedule that begins at its end or after it. Raise a ValueError if `begin >= end`, "
            "before you divide by their difference.",
        ),
        Misconception(
            "begin = end divides by zero",
            _only_after_refused,
            "You refuse `begin > end` only. At `begin == end` you divide by zero: use `>=`.",
        ),
        Misconception(
            "begin = end taken for a jump",
            _jump_accepted,
            "At `begin == end` you jump from 0 to `final`. The exercise asks for a ValueError: pruning everything at "
            "once is no gradual schedule.",
        ),
        Misconception(
            "checked too late",
            _checked_too_late,
            "You return 0 or `final` for steps outside before you look at the arguments, so impossible schedules pass "
            "there. Put the checks first.",
        ),
        Misconception(
            "final not checked",
            _final_unchecked,
            "Right, except that a `final` outside 0 to below 1 is accepted. Raise a ValueError unless `0 <= final < "
            "1`.",
        ),
        Misconception(
            "final 1 accepted",
            _one_accepted,
            "Right, except that `final` = 1 is accepted. It would leave no weight: raise a ValueError unless `0 <= "
            "final < 1`.",
        ),
        Misconception(
            "a negative final accepted",
            _negative_accepted,
            "Right, except that a negative `final` is accepted. Raise a ValueError unless `0 <= final < 1`.",
        ),
        Misconception(
            "final 0 refused",
            _zero_refused,
            "You refuse `final` = 0. It is allowed: nothing is pruned at any step.",
        ),
        Misconception(
            "progress in whole percents",
            _whole_percents,
            "Your progress moves in whole percents, since `//` cuts off what is left. Divide with `/`.",
        ),
    ),
)
