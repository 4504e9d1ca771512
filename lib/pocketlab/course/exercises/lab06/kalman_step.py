"""Exercise 06.5: a Kalman filter in one dimension."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab06.kalman_step_mistakes import MISTAKES
from pocketlab.course.exercises.lab06.kalman_step_wrong import Array
from pocketlab.signals.kalman import filter_step


def _kalman_step(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    return filter_step(state, covariance, t, z, measured_std=s, acceleration_density=d)


def _cases(rng: np.random.Generator) -> list[Case]:
    def known(position_std: float = 2.0, velocity_std: float = 0.8) -> Array:
        """Draw a covariance of position and velocity with these standard deviations."""
        stds = np.array([position_std, velocity_std])
        correlation = rng.uniform(0.3, 0.7)
        return np.outer(stds, stds) * np.array([[1.0, correlation], [correlation, 1.0]])

    def state() -> Array:
        return np.array([rng.uniform(3, 9), rng.uniform(0.5, 2)])

    return [
        Case("position and velocity known apart", (np.array([0.0, 1.0]), np.diag([4.0, 1.0]), 2.0, 5.0, np.sqrt(8), 0.0)),
        Case("position and velocity known apart", (np.array([1.0, -2.0]), np.diag([9.0, 0.25]), 0.5, 2.0, 1.5, 0.7)),
        Case("position and velocity known together", (state(), known(), 0.7, 4.0, 1.3, 0.6)),
        Case("position and velocity known together", (state(), known(), 1.6, 13.0, 0.4, 1.4)),
        Case("position and velocity known together", (-state(), known(0.7, 1.5), 0.3, -6.0, 2.2, 2.5)),
        Case("a long interval", (state(), known(), 6.0, 20.0, 3.0, 0.5)),
        Case("an interval of zero", (state(), known(), 0.0, 5.0, 1.7, 0.9)),
        Case("no acceleration", (state(), known(), 0.8, 7.0, 0.6, 0.0)),
        Case("measured where it was expected", (np.array([3.0, 2.0]), known(), 0.5, 4.0, 0.7, 0.4)),
        Case("measured at 0", (state(), known(), 0.9, 0.0, 1.2, 0.8)),
        Case("measured exactly", (state(), known(), 1.1, 6.0, 0.0, 0.5)),
        Case("measured badly", (state(), known(), 0.4, 60.0, 500.0, 0.5)),
        Case("next to nothing known", (np.array([0.0, 2.0]), np.diag([1e6, 1e4]), 0.5, 35.0, 3.0, 0.5)),
        Case("all known exactly", (state(), np.zeros((2, 2)), 1.5, 9.0, 1.8, 0.9)),
        Case("nothing measured", (state(), known(), 1.5, np.nan, 1.2, 0.7)),
        Case("nothing measured", (state(), known(), 0.4, np.nan, 0.5, 1.6)),
        Case("nothing measured for a long time", (state(), known(), 8.0, np.nan, 1.0, 0.3)),
        Case("float32", (np.float32(state()), np.float32(known()), 0.6, 5.0, 0.9, 0.7)),
    ]


KALMAN_STEP = Exercise(
    id="06.5",
    title="a Kalman filter in one dimension",
    reference=_kalman_step,
    cases=_cases,
    tolerance=Tolerance(
        1e-5,
        1e-6,
        "float32 input rounds by 6e-8, and I − K · [1, 0] is a small difference of numbers near 1, here 1e-5 at the "
        "least, which loses five of float64's sixteen digits; every mistake moves a number by 1e-2 or more in some "
        "case.",
    ),
    misconceptions=MISTAKES,
)
