"""Exercise 06.2: which way is up."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Case, Exercise
from pocketlab.course.exercises.lab06.turning import TOLERANCE, either_sign
from pocketlab.course.exercises.lab06.up_mistakes import MISTAKES
from pocketlab.course.exercises.lab06.up_wrong import Array
from pocketlab.data.quaternions import upright


def _cases(rng: np.random.Generator) -> list[Case]:
    def force(tilt: float, size: float = 9.8) -> Array:
        """Draw a force so many rad off up, to a random side."""
        side = rng.uniform(0, 2 * np.pi)
        return size * np.array([np.sin(tilt) * np.cos(side), np.sin(tilt) * np.sin(side), np.cos(tilt)])

    return [
        Case("held upright", (np.array([0.0, 9.8, 0.0]),)),
        Case("on its side", (np.array([9.8, 0.0, 0.0]),)),
        Case("on its side", (np.array([-9.8, 0.0, 0.0]),)),
        Case("lying flat", (np.array([0.0, 0.0, 9.8]),)),
        Case("lying flat", (np.array([0.0, 0.0, 9.5]),)),
        Case("tilted", (np.array([2.0, 3.0, 9.1]),)),
        Case("tilted", (force(0.9),)),
        Case("tilted", (force(1.4),)),
        Case("tilted a little", (force(0.02),)),
        Case("the screen turned down", (force(2.0),)),
        Case("the screen turned down", (force(2.8),)),
        Case("not quite straight down", (force(np.pi - 0.01),)),
        Case("straight down", (np.array([0.0, 0.0, -9.8]),)),
        Case("straight down", (np.array([0.0, 0.0, -1.0]),)),
        Case("a shaken phone", (force(0.7, 31.0),)),
        Case("a shaken phone", (force(2.3, 3.2),)),
        Case("in g", (force(1.1, 1.0),)),
        Case("a huge force", (force(0.6, 1e9),)),
        Case("a weak force", (force(1.7, 1e-3),)),
        Case("float32", (np.float32(force(1.2)),)),
        Case("a force of zero", (np.zeros(3),)),
        Case("NaN in it", (np.array([np.nan, 9.8, 0.0]),)),
        Case("NaN in it", (np.array([0.0, 0.0, np.nan]),)),
        Case("NaN in all of it", (np.full(3, np.nan),)),
        Case("infinity in it", (np.array([0.0, np.inf, 9.8]),)),
        Case("infinity in it", (np.array([0.0, 3.0, -np.inf]),)),
    ]


UP = Exercise(
    id="06.2",
    title="which way is up",
    reference=upright,
    cases=_cases,
    tolerance=TOLERANCE,
    probe=either_sign(upright),
    misconceptions=MISTAKES,
)
