"""Exercise 06.4: where is north."""

from __future__ import annotations

import math

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab06.heading_wrong import MISTAKES, Array
from pocketlab.course.exercises.lab06.turning import unit_quaternion
from pocketlab.data.quaternions import conjugate, rotate, upright
from pocketlab.signals import orientation_steps


def _heading_error(q: Array, mag: Array) -> float:
    north = orientation_steps.direction(np.asarray(mag, np.float64)[np.newaxis], 0)
    w, x, y, z = map(float, q)
    east_part, north_part, _ = orientation_steps.to_world((w, x, y, z), north)
    if east_part == north_part == 0:  # NaN too: its direction is all zeros
        return 0.0
    return orientation_steps.heading_error((w, x, y, z), north)


def _cases(rng: np.random.Generator) -> list[Case]:
    level, face_down = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0, 0.0])

    def seen(q: Array, off: float, dip: float = 1.1, size: float = 48.0) -> tuple[Array, Array]:
        """What the phone reads where q is off by an angle: a field of a size that dips by so many rad."""
        world = size * np.array([math.cos(dip) * math.sin(off), math.cos(dip) * math.cos(off), -math.sin(dip)])
        return q, rotate(conjugate(q), world)

    def any_q() -> Array:
        return unit_quaternion(rng)

    return [
        Case("a level phone", (level, np.array([20.0, 0.0, -40.0]))),
        Case("a level phone", (level, np.array([-8.0, 17.0, -42.0]))),
        Case("a level phone", seen(level, 0.4)),
        Case("north already", (level, np.array([0.0, 20.0, -40.0]))),
        Case("a phone held upright", seen(upright(np.array([0.0, 9.8, 0.0])), -0.7)),
        Case("a tilted phone", seen(upright(np.array([3.0, 4.0, 8.0])), 0.9)),
        Case("any orientation", seen(any_q(), 1.2)),
        Case("any orientation", seen(any_q(), -1.4)),
        Case("any orientation", seen(any_q(), 0.05)),
        Case("more than a quarter turn", seen(any_q(), 2.2)),
        Case("more than a quarter turn", seen(any_q(), -2.9)),
        Case("more than a quarter turn", seen(level, -1.9)),
        Case("the southern hemisphere", seen(any_q(), 0.8, dip=-0.9)),
        Case("a steep field", seen(any_q(), -0.6, dip=1.5)),
        Case("at the equator", seen(any_q(), 0.3, dip=0.0)),
        Case("in tesla", seen(any_q(), 0.5, size=4.8e-5)),
        Case("a magnet nearby", seen(any_q(), -1.1, size=4000.0)),
        Case("float32", tuple(np.float32(x) for x in seen(any_q(), 0.7))),
        Case("no horizontal part", (level, np.array([0.0, 0.0, -40.0]))),
        Case("no horizontal part", (face_down, np.array([0.0, 0.0, 35.0]))),
        Case("along the phone's z", (upright(np.array([-2.0, 9.0, 3.0])), np.array([0.0, 0.0, 30.0]))),
        Case("along the phone's z", (upright(np.array([5.0, -3.0, 4.0])), np.array([0.0, 0.0, -45.0]))),
        Case("all zeros", (any_q(), np.zeros(3))),
        Case("NaN in it", (level, np.array([np.nan, 20.0, -40.0]))),
        Case("NaN in it", (any_q(), np.array([20.0, 5.0, np.nan]))),
        Case("NaN in it", (level, np.array([20.0, 5.0, np.nan]))),
        Case("NaN in it", (any_q(), np.array([12.0, np.nan, -40.0]))),
        Case("NaN in all of it", (any_q(), np.full(3, np.nan))),
    ]


HEADING = Exercise(
    id="06.4",
    title="where is north",
    reference=_heading_error,
    cases=_cases,
    tolerance=Tolerance(
        0.0,
        2e-5,
        "The rounding of float32 input, 6e-8, is a few times that in the horizontal part, which is half of the field "
        "there; every mistake moves an angle by 0.1 or more in some case.",
    ),
    misconceptions=MISTAKES,
)
