"""Find an exercise by its id."""

from __future__ import annotations

from pocketlab.course.exercise import Exercise
from pocketlab.course.lab import load_content


def find_exercise(exercise_id: str) -> Exercise:
    (exercise,) = (e for e in load_content(exercise_id.split(".")[0]).exercises if e.id == exercise_id)
    return exercise
