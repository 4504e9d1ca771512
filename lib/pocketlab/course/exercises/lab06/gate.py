"""Exercise 06.6: a fix that cannot be."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab06.gate_pairs import MISTAKES
from pocketlab.signals import kalman


def _reference(residual: np.ndarray, S: np.ndarray, share: float) -> tuple[float, bool]:
    distance = kalman.innovation_squared(residual, S)
    return distance, distance <= kalman.gate(share, len(residual))


def _gate_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, residual: object, covariance: object, share: float) -> Case:
        return Case(label, (np.asarray(residual, np.float64), np.asarray(covariance, np.float64), share))

    def covariance(n: int) -> np.ndarray:
        """Draw one whose numbers lean on each other, with standard deviations from 1 to 3."""
        turned, _ = np.linalg.qr(rng.normal(size=(n, n)))
        return np.asarray(turned @ np.diag(np.linspace(1, 9, n)) @ turned.T)

    def at(distance: float, spread: np.ndarray) -> np.ndarray:
        """Draw a residual of this squared distance."""
        direction = rng.normal(size=len(spread))
        return np.asarray(direction * np.sqrt(distance / (direction @ np.linalg.solve(spread, direction))))

    along, across = [[9.0, 8.0], [8.0, 9.0]], [[9.0, -8.0], [-8.0, 9.0]]
    three, six = covariance(3), covariance(6)
    padded = np.zeros((6, 3))
    padded[::2] = covariance(3)
    single = covariance(2).astype(np.float32)
    return [
        case("the worked number", [6, 3], np.diag([9, 9]), 0.99),
        case("the worked number", [6, 3], np.diag([4, 4]), 0.99),
        case("two numbers, S a diagonal", [2, -5], np.diag([2, 25]), 0.9),
        case("two numbers, S a diagonal", [-7, 1], np.diag([16, 0.25]), 0.95),
        case("two numbers, S a diagonal", [-9, 12], np.diag([9, 16]), 0.999),
        case("two numbers, S a diagonal", [1, 2], np.diag([2, 40]), 0.95),
        case("two numbers, S a diagonal", [0.3, 0.2], np.diag([1, 1]), 0.95),
        case("two numbers, S a diagonal", [1.5, 1], np.diag([1.4, 1.6]), 0.95),
        case("two numbers that lean on each other", [6, 5], along, 0.95),
        case("two numbers that lean on each other", [4, -4], along, 0.99),
        case("two numbers that lean on each other", [3, 3], across, 0.99),
        case("two numbers that lean on each other", [6, -7], across, 0.95),
        case("one number", [2], [[4]], 0.95),
        case("one number", [-5], [[4]], 0.95),
        case("one number", [3], [[2]], 0.99),  # 4.5, of 6.63
        case("three numbers", [1.5, -1.5, 1.5], np.diag([0.8, 1.2, 1]), 0.95),
        case("three numbers", at(7.0, three), three, 0.95),  # of 7.81, and 5.99 for two
        case("three numbers", at(8.5, three), three, 0.95),  # of 7.81, and 9.49 for four
        case("three numbers", at(2.6, three), three, 0.5),  # of 2.37
        case("six numbers", at(12.0, six), six, 0.95),  # of 12.59, and 11.07 for five
        case("six numbers", at(13.5, six), six, 0.95),
        case("a residual of zero", [0, 0], along, 0.95),
        case("a share of a half", [1, 1], np.diag([2, 2]), 0.5),  # 1, of 1.39
        case("a share of a half", [2, 1], np.diag([2, 2]), 0.5),  # 2.5
        case("a small share", [0.5, 0.25], np.diag([1, 1]), 0.1),  # 0.31, of 0.21
        case("a large S", [4e5, 9e5], 1e10 * np.array(along), 0.95),
        case("a small S", [3e-6, -5e-6], 1e-12 * np.array(across), 0.95),
        case("a residual exactly at the bound", [0, 0], np.diag([9, 9]), 0.0),  # both are 0
        case("a share of 1", [40, 30], np.diag([4, 1]), 1.0),  # nothing is beyond an infinite bound
        Case("every other row of a larger array", (padded[::2, 0] * 2, padded[::2], 0.95)),
        Case("float32", (at(5.0, single).astype(np.float32), single, 0.95)),
        Case("whole numbers", (np.array([4, -3]), np.array([[5, 1], [1, 3]]), 0.99)),
        case("a NaN in the residual", [1, np.nan], np.diag([4, 4]), 0.95),
        case("a NaN in the residual", [np.nan, 2, 1], three, 0.99),
        case("nothing but NaN", [np.nan, np.nan], along, 0.95),
    ]


GATE = Exercise(
    id="06.6",
    title="a fix that cannot be",
    reference=_reference,
    cases=_gate_cases,
    tolerance=Tolerance(
        2e-5,
        1e-12,
        "Where the numbers are float32, solving loses up to their rounding, 6e-8, times 17, the largest ratio of S's "
        "axes, times a few; no distance is so near to its bound that this would decide, and where it is 0 it is so in "
        "any order of operations.",
    ),
    misconceptions=MISTAKES,
)
