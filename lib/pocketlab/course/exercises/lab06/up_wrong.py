"""Wrong answers to exercise 06.2, in parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.quaternions import from_rotation_vector, multiply, upright

Array = NDArray[np.float64]
Upright = Callable[[Array], Array]


def _refuse(force: Array) -> None:
    if not np.isfinite(force).all() or not force.any():
        raise ValueError("This force points nowhere.")


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


def _is_down(c: float) -> bool:
    return bool(1 + c < 1e-9)


def guarded(wrong: Upright) -> Upright:
    """Turns half about x where the force points straight down, as it should."""
    return lambda force: np.array([0.0, 1.0, 0.0, 0.0]) if _is_down(float(_unit(force)[2])) else wrong(force)


def checked(wrong: Upright) -> Upright:
    """Refuses what it should."""

    def answer(force: Array) -> Array:
        _refuse(force)
        return wrong(force)

    return answer


def of_direction(wrong: Callable[[float, float, float], list[float]]) -> Upright:
    """Wrong in the numbers that it makes of the direction (a, b, c), to be normalized."""
    return lambda force: _unit(np.array(wrong(*_unit(force))))


def of_numbers(wrong: Callable[[float, float, float], list[float]]) -> Upright:
    """Wrong in the numbers that it makes of the direction, which it does not normalize."""
    return lambda force: np.array(wrong(*_unit(force)))


def by_size(size: Callable[[Array], float]) -> Upright:
    """Wrong in what the force is divided by to make it a direction."""

    def wrong(force: Array) -> Array:
        a, b, c = force / size(force)
        return _unit(np.array([1 + c, b, -a, 0.0]))

    return wrong


def about(axis: Callable[[float, float, float], Array], angle: Callable[[float, float, float], float]) -> Upright:
    """By an axis, brought to length 1 where it has one, and an angle of the direction."""

    def wrong(force: Array) -> Array:
        a, b, c = _unit(force)
        vector = axis(a, b, c)
        return from_rotation_vector(angle(a, b, c) * (_unit(vector) if vector.any() else vector))

    return wrong


def horizontal(a: float, b: float, c: float) -> Array:
    """The cross product of a direction with up."""
    return np.array([b, -a, 0.0])


def angle(a: float, b: float, c: float) -> float:
    """The angle between a direction and up, in rad."""
    return float(np.arctan2(np.hypot(a, b), c))


def axis_too_short(force: Array) -> Array:
    """The angle times an axis whose length is its sine."""
    a, b, c = _unit(force)
    return from_rotation_vector(angle(a, b, c) * np.array([b, -a, 0.0]))


def sine_twice(force: Array) -> Array:
    """The sine of half the angle times an axis whose length is a sine too."""
    a, b, c = _unit(force)
    half = angle(a, b, c) / 2
    return np.array([np.cos(half), np.sin(half) * b, -np.sin(half) * a, 0.0])


def sine_twice_normalized(force: Array) -> Array:
    """As `sine_twice`, brought to length 1."""
    return _unit(sine_twice(force))


def two_turns(pitch_first: bool) -> Upright:
    """Two turns, about x and y, one after the other."""

    def wrong(force: Array) -> Array:
        a, b, c = force
        if pitch_first:
            pitch, roll = np.arctan2(-a, c), np.arctan2(b, np.hypot(a, c))
        else:
            pitch, roll = np.arctan2(-a, np.hypot(b, c)), np.arctan2(b, c)
        about_x, about_y = from_rotation_vector(np.array([roll, 0, 0])), from_rotation_vector(np.array([0, pitch, 0]))
        return multiply(about_x, about_y) if pitch_first else multiply(about_y, about_x)

    return wrong


def not_normalized_at_all(force: Array) -> Array:
    """Neither the force nor the quaternion is brought to length 1."""
    a, b, c = force
    return np.array([1 + c, b, -a, 0.0])


def roll_and_pitch_at_once(force: Array) -> Array:
    """Two angles in one rotation vector."""
    a, b, c = force
    return from_rotation_vector(np.array([np.arctan2(b, c), np.arctan2(-a, np.hypot(b, c)), 0.0]))


def weak_refused(force: Array) -> Array:
    """Refuses what is far weaker than gravity."""
    if np.linalg.norm(force) < 0.1:
        raise ValueError("This force is too weak.")
    return upright(force)


def exact(force: Array) -> Array:
    """Right but for a force straight down, 0/0."""
    a, b, c = _unit(force)
    return _unit(np.array([1 + c, b, -a, 0.0]))


def axis_by_division(force: Array) -> Array:
    """Right but for forces straight up or down, 0/0."""
    a, b, c = _unit(force)
    return from_rotation_vector(angle(a, b, c) * np.array([b, -a, 0.0]) / np.hypot(a, b))


def for_gravity(guard: bool) -> Upright:
    """Treats the force as one that points down; where it points up, that is half a turn, or 0/0."""

    def wrong(force: Array) -> Array:
        return upright(-force) if guard else exact(-force)

    return checked(wrong)


def to_the_worlds_down(guard: bool) -> Upright:
    """Takes the sign of the cosine for the other one; where the force points up, that is half a turn, or 0/0."""

    def wrong(force: Array) -> Array:
        a, b, c = _unit(force)
        if guard and 1 - c < 1e-9:
            return np.array([0.0, 1.0, 0.0, 0.0])
        return _unit(np.array([1 - c, b, -a, 0.0]))

    return checked(wrong)


def down(result: list[float], share: float = 1e-9) -> Upright:
    """Wrong in what it returns where 1 + c is below a share."""
    return checked(lambda force: np.array(result) if 1 + _unit(force)[2] < share else upright(force))


def down_refused(force: Array) -> Array:
    """Refuses a force straight down."""
    if _is_down(float(_unit(force)[2])):
        raise ValueError("upside down")
    return upright(force)


def accepting(is_refused: Callable[[Array], bool]) -> Upright:
    """Right but for which forces it refuses."""

    def wrong(force: Array) -> Array:
        if is_refused(force):
            raise ValueError("This force points nowhere.")
        a, b, c = force / np.linalg.norm(force)
        return np.array([0.0, 1.0, 0.0, 0.0]) if _is_down(c) else _unit(np.array([1 + c, b, -a, 0.0]))

    return wrong


def level_instead(force: Array) -> Array:
    """Returns the phone lying flat for a force that points nowhere."""
    if not np.isfinite(force).all() or not force.any():
        return np.array([1.0, 0.0, 0.0, 0.0])
    return upright(force)


def in_place(force: Array) -> Array:
    """Changes the force."""
    result = upright(force)
    force /= np.linalg.norm(force)
    return result
