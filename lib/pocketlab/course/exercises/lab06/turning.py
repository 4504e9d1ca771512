"""Exercise 06.1: turn by what the gyroscope says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab06.turning_wrong import MISTAKES, Array
from pocketlab.data.quaternions import turned

TOLERANCE = Tolerance(
    0.0,
    1e-6,
    "In another order of operations, or with float32 input, components of a unit quaternion come out a few times 6e-8 "
    "apart; every mistake moves one by 1e-5 or more in some case.",
)


def unit_quaternion(rng: np.random.Generator) -> Array:
    """Draw an orientation; all of them are equally likely."""
    q = rng.normal(size=4)
    return np.asarray(q / np.linalg.norm(q))


def either_sign(reference: Callable[..., Array]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a probe for functions that return quaternions (…, 4): of q and −q it shows the one on the reference's side.

    Both are the same rotation, so neither is wrong. What is not an array of the reference's shape stays as it is.
    """

    def probe(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(reference)
        def signed(*args: Any) -> Any:
            try:
                wanted = reference(*args)
            except ValueError:
                return function(*args)
            got = function(*args)
            try:
                array = np.asarray(got)
            except Exception:  # whatever an answer's own object does
                return got
            if array.shape != wanted.shape or array.dtype.kind not in "iuf":
                return got
            # Half a turn apart there is no nearer side, but for rounding: then it stays as it is.
            opposite = (array * wanted).sum(axis=-1, keepdims=True) < -1e-6
            return np.where(opposite, -1.0, 1.0) * array

        return signed

    return probe


def _cases(rng: np.random.Generator) -> list[Case]:
    level, on_edge = np.array([1.0, 0.0, 0.0, 0.0]), np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])

    def rate(size: float) -> Array:
        axis = rng.normal(size=3)
        return np.asarray(size * axis / np.linalg.norm(axis))

    return [
        Case("a level phone", (level, np.array([0.0, 0.0, np.pi]), 0.5)),
        Case("a level phone", (level, np.array([0.6, -1.1, 0.8]), 0.4)),
        Case("a phone on its edge", (on_edge, np.array([0.0, 0.0, np.pi]), 0.5)),
        Case("a phone on its edge", (on_edge, np.array([0.4, 0.0, 0.0]), 1.5)),
        Case("any orientation", (unit_quaternion(rng), rate(1.3), 0.8)),
        Case("any orientation", (unit_quaternion(rng), rate(0.7), 1.6)),
        Case("any orientation", (unit_quaternion(rng), rate(2.2), 0.35)),
        Case("a w below zero", (np.array([-0.5, 0.1, 0.7, -0.5]), rate(1.9), 0.5)),
        Case("one sample at 100 per second", (unit_quaternion(rng), rate(4.0), 0.01)),
        Case("a slow turn", (unit_quaternion(rng), rate(0.06), 0.01)),
        Case("a slow turn", (unit_quaternion(rng), rate(0.004), 0.8)),
        Case("one second", (unit_quaternion(rng), rate(1.2), 1.0)),
        Case("more than half a turn", (unit_quaternion(rng), rate(3.1), 1.4)),
        Case("a whole turn", (unit_quaternion(rng), rate(np.pi), 2.0)),
        Case("a rate of zero", (unit_quaternion(rng), np.zeros(3), 0.01)),
        Case("a rate of zero", (unit_quaternion(rng), np.zeros(3), 0.5)),
        Case("a tiny rate", (unit_quaternion(rng), rate(1e-9), 0.01)),
        Case("no time", (unit_quaternion(rng), rate(1.5), 0.0)),
        # By small angles: who turns the rate with such a q, which also scales it, and then normalizes, is right.
        Case("a q that drifted from length 1", (1.00004 * unit_quaternion(rng), rate(0.5), 0.01)),
        Case("a q that drifted from length 1", (0.99997 * unit_quaternion(rng), rate(0.8), 0.005)),
        Case("a q that drifted from length 1", (1.00002 * level, rate(0.3), 0.01)),
        Case("float32", (np.float32(unit_quaternion(rng)), np.float32(rate(1.1)), 0.6)),
    ]


TURNING = Exercise(
    id="06.1",
    title="turn by what the gyroscope says",
    reference=turned,
    cases=_cases,
    tolerance=TOLERANCE,
    probe=either_sign(turned),
    misconceptions=MISTAKES,
)
