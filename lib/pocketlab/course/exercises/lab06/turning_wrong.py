"""Wrong answers to exercise 06.1, and what to tell those who give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlab.course.exercise import Misconception
from pocketlab.data.quaternions import conjugate, from_rotation_vector, multiply, rotate, to_rotation_vector, turned

Array = NDArray[np.float64]
Turning = Callable[[Array, Array, float], Any]


def _by(rotation: Callable[[Array, float], Array]) -> Turning:
    """Wrong in the rotation of the interval, of rate and seconds."""
    return lambda q, rate, seconds: multiply(q, rotation(rate, seconds))


def _joined(join: Callable[[Array, Array], Array]) -> Turning:
    """Wrong in how the orientation and the rotation of the interval are joined."""
    return lambda q, rate, seconds: join(q, from_rotation_vector(rate * seconds))


def _scaled(by: Callable[[float], float]) -> Turning:
    """Wrong in the rotation vector, which is the rate times a number made of the seconds."""
    return _by(lambda rate, seconds: from_rotation_vector(rate * by(seconds)))


def _pure(rate: Array) -> Array:
    return np.concatenate([[0.0], rate])


def _turned_from_the_right(q: Array, rate: Array, seconds: float) -> Array:
    return multiply(q, from_rotation_vector(rotate(q, rate) * seconds))


def _turned_back(q: Array, rate: Array, seconds: float) -> Array:
    return multiply(from_rotation_vector(rotate(conjugate(q), rate) * seconds), q)


def _exact(q: Array, rate: Array, seconds: float) -> Array:
    return multiply(q, from_rotation_vector(rate * seconds))


def _small_turns_left_out(q: Array, rate: Array, seconds: float) -> Array:
    return _exact(q, rate, seconds) if np.linalg.norm(rate) * seconds > 1e-3 else q


def _slow_turns_left_out(q: Array, rate: Array, seconds: float) -> Array:
    return _exact(q, rate, seconds) if np.linalg.norm(rate) > 0.01 else q


def _vectors_added(q: Array, rate: Array, seconds: float) -> Array:
    return from_rotation_vector(to_rotation_vector(_unit_length(q)) + rate * seconds)


def _unit_length(q: Array) -> Array:
    return np.asarray(q / np.linalg.norm(q))


def _without_speed(rate: Array, seconds: float) -> Array:
    size = np.linalg.norm(rate)
    return from_rotation_vector(seconds * rate / size if size else rate)


def _divided_by_the_square(q: Array, rate: Array, seconds: float) -> Array:
    result = _exact(q, rate, seconds)
    return np.asarray(result / (result @ result))


def _only_where_it_turns(q: Array, rate: Array, seconds: float) -> Array:
    return _exact(q, rate, seconds) if np.any(rate) else np.array([1.0, 0.0, 0.0, 0.0])


def _straight(half: float) -> Turning:
    return lambda q, rate, seconds: q + half * seconds * multiply(q, _pure(rate))


def _straight_in_the_world(q: Array, rate: Array, seconds: float) -> Array:
    return q + 0.5 * seconds * multiply(_pure(rate), q)


def _axis_after_axis(order: tuple[int, ...]) -> Turning:
    def wrong(q: Array, rate: Array, seconds: float) -> Array:
        for axis in order:
            q = multiply(q, from_rotation_vector(np.eye(3)[axis] * rate * seconds))
        return q

    return wrong


def _divided_by_the_angle(rate: Array, seconds: float) -> Array:
    size = np.linalg.norm(rate)
    return np.concatenate([[np.cos(size * seconds / 2)], np.sin(size * seconds / 2) * rate / size])


def _rate_for_axis(rate: Array, seconds: float) -> Array:
    half = np.linalg.norm(rate) * seconds / 2
    return np.concatenate([[np.cos(half)], np.sin(half) * rate])


def _vector_for_axis(rate: Array, seconds: float) -> Array:
    half = np.linalg.norm(rate) * seconds / 2
    return np.concatenate([[np.cos(half)], np.sin(half) * rate * seconds])


def _sine_of_each(rate: Array, seconds: float) -> Array:
    return np.concatenate([[np.cos(np.linalg.norm(rate) * seconds / 2)], np.sin(rate * seconds / 2)])


def _w_last(q: Array, rate: Array, seconds: float) -> Array:
    return np.roll(_exact(np.roll(q, 1), rate, seconds), -1)


def _in_place(q: Array, rate: Array, seconds: float) -> Array:
    q[:] = turned(q, rate, seconds)
    return q


def _unit(wrong: Turning) -> Turning:
    def normalized(q: Array, rate: Array, seconds: float) -> Array:
        return _unit_length(wrong(q, rate, seconds))

    return normalized


_ONCE = (
    Misconception(
        "not normalized",
        _exact,
        "Wrong only where q is not quite of length 1: the result is not either. Divide it by `np.linalg.norm(result)`.",
    ),
    Misconception(
        "divided by the squared length",
        _divided_by_the_square,
        "You divide by the sum of the squares, which is the length squared. Take its root, or use `np.linalg.norm`.",
    ),
    Misconception(
        "only the rotation of the interval",
        _joined(lambda q, r: r),
        "You return the rotation of this interval alone. The phone was turned by q already: multiply q with it.",
    ),
    Misconception(
        "rotation vectors added",
        _vectors_added,
        "You add rotation vectors. That holds about one axis only; one rotation after another is the product of their "
        "quaternions: `multiply`.",
    ),
    Misconception(
        "q itself changed",
        _in_place,
        "You write the result into q, which the caller may still need. Return a new array.",
    ),
)

_TWICE = (
    Misconception(
        "about the world's axes",
        _joined(lambda q, r: multiply(r, q)),
        "You multiply the rotation from the left, which turns about the world's axes. The gyroscope measures about the "
        "phone's own: the rotation stands on the right of q.",
    ),
    Misconception(
        "seconds left out",
        _scaled(lambda seconds: 1.0),
        "You take the rate for the angle. It is an angle per second: multiply it by `seconds`.",
    ),
    Misconception(
        "the speed left out",
        _by(_without_speed),
        "You bring the rate to length 1 and so lose how fast the phone turns. The angle is the rate's length times "
        "`seconds`.",
    ),
    Misconception(
        "small turns left out",
        _small_turns_left_out,
        "You leave q as it is where the angle is small. At 100 samples per second most are: leave it only where the "
        "rate is zero.",
    ),
    Misconception(
        "slow turns left out",
        _slow_turns_left_out,
        "You take a low rate for none. In a minute 0.01 rad/s is more than half a radian: leave q only where the rate "
        "is zero.",
    ),
    Misconception(
        "divided by seconds",
        _scaled(lambda seconds: 1 / seconds if seconds else np.inf),
        "You divide the rate by the seconds. A rate is an angle per second; multiplied by the seconds it is the angle.",
    ),
    Misconception(
        "half the angle",
        _scaled(lambda seconds: seconds / 2),
        "Your phone turns half as far as it should. `from_rotation_vector` takes the whole angle and halves it "
        "itself; if you build the quaternion by hand, halve it once.",
    ),
    Misconception(
        "twice the angle",
        _scaled(lambda seconds: 2 * seconds),
        "Your phone turns twice as far as it should. A quaternion has cosine and sine of half the angle.",
    ),
    Misconception(
        "taken for degrees",
        _scaled(lambda seconds: float(np.radians(seconds))),
        "You convert the rate from degrees, but it is in rad/s already. Leave `np.radians` out.",
    ),
    Misconception(
        "turned into degrees",
        _scaled(lambda seconds: float(np.degrees(seconds))),
        "You convert the angle to degrees. Sine, cosine and `from_rotation_vector` take radians.",
    ),
    Misconception(
        "backwards",
        _joined(lambda q, r: multiply(q, conjugate(r))),
        "Your phone turns the other way. Use the rotation of the interval itself, not its conjugate or a negative "
        "rate.",
    ),
    Misconception(
        "backwards about the world's axes",
        _joined(lambda q, r: multiply(conjugate(r), q)),
        "Your phone turns the other way, and about the world's axes. Put the rotation, without `conjugate`, on the "
        "right of q.",
    ),
    Misconception(
        "from the inverse of q",
        _joined(lambda q, r: multiply(conjugate(q), r)),
        "You begin from the conjugate of q, which leads from the world to the phone. Use q itself.",
    ),
    Misconception(
        "q, the rotation, and back",
        _joined(lambda q, r: multiply(multiply(q, r), conjugate(q))),
        "q ⊗ r ⊗ conjugate(q) is the rotation of the interval as the world sees it, not the orientation after it. "
        "Leave the conjugate out.",
    ),
    Misconception(
        "multiplied component by component",
        _joined(lambda q, r: q * r),
        "`*` multiplies component by component. Rotations are joined by the product of quaternions, `multiply`.",
    ),
    Misconception(
        "added",
        _joined(lambda q, r: q + r),
        "You add the quaternion of the rotation to q. One rotation after another is their product: `multiply`.",
    ),
    Misconception(
        "a straight step",
        _straight(0.5),
        "You add rate · seconds to q in a straight line (an Euler step). That holds for tiny angles; with a constant "
        "rate the exact rotation is `from_rotation_vector(rate * seconds)`.",
    ),
    Misconception(
        "a straight step without the half",
        _straight(1.0),
        "You take a straight step of q ⊗ (0, rate) · seconds: the ½ is missing, and it only holds for tiny angles. "
        "Multiply q by `from_rotation_vector(rate * seconds)`.",
    ),
    Misconception(
        "a straight step about the world's axes",
        _straight_in_the_world,
        "You take a straight step with the rate on the left of q: it holds for tiny angles, and turns about the "
        "world's axes. Multiply q from the right by `from_rotation_vector(rate * seconds)`.",
    ),
    Misconception(
        "axis after axis, x first",
        _axis_after_axis((0, 1, 2)),
        "You turn about x, then y, then z. The phone turns about all three at once, about the one axis `rate`: give "
        "the whole vector to `from_rotation_vector`.",
    ),
    Misconception(
        "axis after axis, z first",
        _axis_after_axis((2, 1, 0)),
        "You turn about z, then y, then x. The phone turns about all three at once, about the one axis `rate`: give "
        "the whole vector to `from_rotation_vector`.",
    ),
    Misconception(
        "NaN at a rate of zero",
        _by(_divided_by_the_angle),
        "You divide by the length of the rate, and where the phone is at rest that is 0/0. `from_rotation_vector` "
        "handles it; by hand, return q where the length is 0.",
    ),
    Misconception(
        "level at a rate of zero",
        _only_where_it_turns,
        "Where the rate is zero you return (1, 0, 0, 0). The phone keeps its orientation q.",
    ),
    Misconception(
        "the rate taken for the axis",
        _by(_rate_for_axis),
        "You multiply the sine by the rate, which is not of length 1. Divide it by its length first, or use "
        "`from_rotation_vector`.",
    ),
    Misconception(
        "the rotation vector taken for the axis",
        _by(_vector_for_axis),
        "You multiply the sine by rate · seconds, which is not of length 1. Divide it by its length first, or use "
        "`from_rotation_vector`.",
    ),
    Misconception(
        "a sine for each axis",
        _by(_sine_of_each),
        "You take the sine of each component of the angle. There is one axis and one angle: the sine of half the "
        "whole angle times the axis of length 1.",
    ),
    Misconception(
        "the rate turned into the world",
        _turned_from_the_right,
        "You turn the rate into the world with q, and then multiply from the right as if it were still the phone's. "
        "Leave `rotate` out.",
    ),
    Misconception(
        "the rate turned by the inverse",
        _turned_back,
        "You turn the rate by the conjugate of q, as if it were the world's. It is the phone's already: use it as it "
        "is, on the right of q.",
    ),
    Misconception(
        "w last",
        _w_last,
        "You read q as (x, y, z, w), SciPy's order. Here w comes first: `np.roll(q, -1)` goes to SciPy's order, and "
        "`np.roll(…, 1)` comes back.",
    ),
    Misconception(
        "w last in the result",
        lambda q, rate, seconds: np.roll(_exact(q, rate, seconds), -1),
        "Your result is in the order (x, y, z, w). Here w comes first: `np.roll(…, 1)` brings it there.",
    ),
)


def _with_and_without_length(mistake: Misconception) -> tuple[Misconception, Misconception]:
    """Return the mistake in an answer that normalizes, and in one that forgets that too."""
    raw = f"{mistake.name}, not normalized"
    return (
        Misconception(mistake.name, _unit(mistake.wrong), mistake.hint),
        Misconception(raw, mistake.wrong, f"{mistake.hint} Then divide the result by its length, which drifts away from 1."),
    )


MISTAKES = (*_ONCE, *(each for mistake in _TWICE for each in _with_and_without_length(mistake)))
