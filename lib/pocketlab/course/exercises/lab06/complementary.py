"""Exercise 06.3: a complementary filter."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab06.complementary_mistakes import MISTAKES
from pocketlab.course.exercises.lab06.turning import either_sign, unit_quaternion
from pocketlab.course.exercises.lab06.turning_wrong import Array
from pocketlab.data.inertial import GRAVITY
from pocketlab.data.quaternions import conjugate, from_rotation_vector, rotate, turned
from pocketlab.signals.imu import OrientationFilter

UP = np.array([0.0, 0.0, GRAVITY])


def _complementary(gyr: Array, acc: Array, seconds: float, tilt_time: float) -> Array:
    stream = OrientationFilter("complementary", sample_rate_hz=1 / seconds, magnetometer=False, tilt_time_s=tilt_time)
    return stream.run(np.ascontiguousarray(gyr, np.float64), np.ascontiguousarray(acc, np.float64), None)


def _cases(rng: np.random.Generator) -> list[Case]:
    def motion(
        count: int, seconds: float, *, size: float = 1.5, shake: float = 1.0, q: Array | None = None
    ) -> tuple[Array, Array]:
        """Draw rates (count, 3) of a size in rad/s, and forces (count, 3): gravity as the phone sees it, and a shake in m/s²."""
        q = unit_quaternion(rng) if q is None else q
        gyr = rng.normal(0, size, 3) + rng.normal(0, 0.3 * size, (count, 3))
        forces = [rotate(conjugate(q), UP)]
        for rate in gyr[1:]:
            q = turned(q, rate, seconds)
            forces.append(rotate(conjugate(q), UP))
        return gyr, np.array(forces) + rng.normal(0, shake, (count, 3))

    def leaning(count: int, tilt: float) -> tuple[Array, Array]:
        """The phone lies level at first, then leans by so many rad, which the gyroscope does not see."""
        lean = rotate(from_rotation_vector(np.array([0.6 * tilt, -0.8 * tilt, 0.0])), UP)
        return np.zeros((count, 3)), np.array([UP, *[lean] * (count - 1)])

    def gaps(acc: Array, *places: int | tuple[int, int]) -> Array:
        acc = acc.copy()
        for place in places:
            acc[place] = np.nan
        return acc

    turning, shaken = motion(8, 0.02)
    slow, still = motion(8, 0.1, size=0.4)
    upside_down = np.array([0.0, 1.0, 0.0, 0.0])
    return [
        Case("a phone at rest that leans", (*leaning(5, 0.5), 0.5, 3.0)),
        Case("a phone at rest that leans", (*leaning(4, 1.2), 0.5, 0.5)),
        Case("a far lean", (*leaning(4, 2.4), 0.2, 0.4)),
        Case("one sample", (np.array([[0.4, 0.2, -0.1]]), np.array([[2.0, 3.0, 9.0]]), 0.01, 3.0)),
        Case("two samples", (turning[:2], shaken[:2], 0.1, 0.5)),
        Case("a turning phone", (turning, shaken, 0.02, 0.3)),
        Case("a turning phone", (*motion(7, 0.01, size=3.0), 0.01, 3.0)),
        Case("a turning phone", (*motion(6, 0.2, shake=3.0), 0.2, 0.7)),
        Case("a drifting gyroscope", (np.tile([0.02, -0.03, 0.01], (6, 1)), np.tile([0.5, -0.4, 9.7], (6, 1)), 0.1, 1.0)),
        Case("a short tilt time", (slow, still, 0.1, 0.01)),
        Case("a long tilt time", (slow, still, 0.1, 1e4)),
        Case("upside down at first", (*motion(5, 0.05, q=upside_down, shake=0.5), 0.05, 0.8)),
        Case("straight down at first", (slow[:4], np.array([-UP, [2, 1, -9], [1, 3, -9], [0, 3, -8]]), 0.1, 0.6)),
        Case("forces of any size", (turning, shaken * rng.uniform(0.2, 5, (8, 1)), 0.02, 0.3)),
        Case("NaN in a force", (turning, gaps(shaken, 3), 0.02, 0.3)),
        Case("NaN in a part of a force", (turning, gaps(shaken, (2, 0), (5, 0)), 0.02, 0.3)),
        Case("NaN in a part of a force", (slow, gaps(still, (3, 2), (4, 1), 6, (7, 0)), 0.1, 0.5)),
        Case("NaN in every force but the first", (slow[:5], gaps(still[:5], 1, 2, 3, 4), 0.1, 0.5)),
        Case("float32", (np.float32(slow[:5]), np.float32(still[:5]), 0.1, 0.8)),
    ]


COMPLEMENTARY = Exercise(
    id="06.3",
    title="a complementary filter",
    reference=_complementary,
    cases=_cases,
    tolerance=Tolerance(
        0.0,
        1e-5,
        "Over a few samples, float32 input and another order of operations put the components of a quaternion 1e-6 "
        "apart; every mistake moves one by 1e-2 or more in some case.",
    ),
    probe=either_sign(_complementary),
    misconceptions=MISTAKES,
)
