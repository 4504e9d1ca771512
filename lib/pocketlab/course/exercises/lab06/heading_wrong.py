"""Wrong answers to exercise 06.4, and what to tell those who give them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pocketlab.course.exercise import Misconception
from pocketlab.data.quaternions import conjugate, from_rotation_vector, multiply, rotate

Array = NDArray[np.float64]
Heading = Callable[[Array, Array], float]


def _of_field(angle: Callable[[float, float, float], float], turn: Callable[[Array, Array], Array] = rotate) -> Heading:
    """Wrong in how the reading is turned into the world, or in the angle of east, north and up; it refuses nothing."""
    return lambda q, mag: float(angle(*turn(q, mag)))


def _guarded(wrong: Heading) -> Heading:
    """Returns 0.0 where the reading says nothing, as it should."""

    def answer(q: Array, mag: Array) -> float:
        if np.isnan(mag).any() or not rotate(q, mag)[:2].any():
            return 0.0
        return wrong(q, mag)

    return answer


def _but_nan(wrong: Heading) -> Heading:
    return lambda q, mag: 0.0 if np.isnan(mag).any() else wrong(q, mag)


def _bearing(east: float, north: float, up: float) -> float:
    return float(np.arctan2(east, north))


def _signed_arccos(cosine: float, east: float) -> float:
    return float(np.copysign(np.arccos(cosine), east))


def _flattened_first(q: Array, mag: Array) -> Array:
    return rotate(q, mag * np.array([1.0, 1.0, 0.0]))


def _w_last(q: Array, mag: Array) -> Array:
    return rotate(np.roll(q, 1), mag)


def _yaw_undone(q: Array, mag: Array) -> Array:
    """Turns by tilt alone: the heading of q is left out."""
    return rotate(multiply(from_rotation_vector(np.array([0.0, 0.0, -_yaw(q)])), q), mag)


def _by_yaw_alone(q: Array, mag: Array) -> Array:
    return rotate(from_rotation_vector(np.array([0.0, 0.0, _yaw(q)])), mag)


def _yaw(q: Array) -> float:
    w, x, y, z = q
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def _right(q: Array, mag: Array) -> float:
    return _guarded(_unchecked)(q, mag)


def _unchecked(q: Array, mag: Array) -> float:
    east, north, _ = rotate(q, mag)
    return float(np.arctan2(east, north))


def _divided(guards: Callable[[Array], bool]) -> Heading:
    """Divides by the horizontal part, which gives NaN where there is none."""

    def wrong(q: Array, mag: Array) -> float:
        if guards(mag):
            return 0.0
        horizontal = rotate(q, mag)[:2]
        east, north = horizontal / np.linalg.norm(horizontal)
        return float(np.arctan2(east, north))

    return wrong


def _nan_only_in(part: Callable[[Array], bool]) -> Heading:
    return lambda q, mag: 0.0 if part(mag) else _unchecked(q, mag)


def _refused(what: Callable[[Array, Array], bool]) -> Heading:
    def wrong(q: Array, mag: Array) -> float:
        if what(q, mag):
            raise ValueError("this reading says nothing")
        return _right(q, mag)

    return wrong


def _nan_refused(q: Array, mag: Array) -> bool:
    return bool(np.isnan(mag).any())


def _nothing_refused(q: Array, mag: Array) -> bool:
    return _nan_refused(q, mag) or not rotate(q, mag)[:2].any()


def _nan_as_zero(q: Array, mag: Array) -> float:
    return _unchecked(q, np.nan_to_num(mag))


def _in_place(q: Array, mag: Array) -> float:
    result = _right(q, mag)
    mag /= np.linalg.norm(mag)
    return result


_TWICE = (
    Misconception(
        "the angle from east",
        _of_field(lambda east, north, up: np.arctan2(north, east)),
        "You measure the angle from east. It is 0 where the field points north: `np.arctan2(east, north)`.",
    ),
    Misconception(
        "the wrong way round",
        _of_field(lambda east, north, up: -_bearing(east, north, up)),
        "Your angle has the wrong sign. A field to the east of north needs a counterclockwise, positive turn.",
    ),
    Misconception(
        "the sign of north",
        _of_field(lambda east, north, up: np.arctan2(east, -north)),
        "Your north has the wrong sign: `east, north, _ = rotate(q, mag)`, then `np.arctan2(east, north)`.",
    ),
    Misconception(
        "a compass's formula",
        _of_field(lambda east, north, up: np.arctan2(-north, east)),
        "arctan2(−y, x) is the heading of a level phone in another convention. Here the angle is 0 where the field "
        "points north: `np.arctan2(east, north)`.",
    ),
    Misconception(
        "to the south",
        _of_field(lambda east, north, up: np.arctan2(-east, -north)),
        "Your angle turns the field to the south: both signs are wrong.",
    ),
    Misconception(
        "not turned into the world",
        _of_field(_bearing, turn=lambda q, mag: mag),
        "You take the reading in the phone's frame, which is right for a level phone only. Turn it into the world: "
        "`rotate(q, mag)`.",
    ),
    Misconception(
        "turned by the inverse",
        _of_field(_bearing, turn=lambda q, mag: rotate(conjugate(q), mag)),
        "You turn the reading by the conjugate of q. q itself turns from the phone's frame to the world's.",
    ),
    Misconception(
        "the vertical part dropped first",
        _of_field(_bearing, turn=_flattened_first),
        "You drop the phone's z before you turn. The vertical part is the world's z: turn first, then drop it.",
    ),
    Misconception(
        "the heading of q left out",
        _of_field(_bearing, turn=_yaw_undone),
        "You turn the reading by the tilt alone. Turn it by all of q, then the angle says what q's heading lacks.",
    ),
    Misconception(
        "turned by the heading alone",
        _of_field(_bearing, turn=_by_yaw_alone),
        "You turn the reading by the heading of q alone, as if the phone lay flat. Turn it by all of q: `rotate(q, "
        "mag)`.",
    ),
    Misconception(
        "the heading of q",
        _of_field(lambda east, north, up: east, turn=lambda q, mag: np.array([_yaw(q), 0.0, 0.0])),
        "You return the heading that q has, and do not use the reading. Wanted is how far the field, turned by q, is "
        "off north.",
    ),
    Misconception(
        "w last",
        _of_field(_bearing, turn=_w_last),
        "You read q as (x, y, z, w), SciPy's order. Here w comes first.",
    ),
    Misconception(
        "arctan of a quotient",
        _of_field(lambda east, north, up: np.arctan(np.divide(east, north))),
        "`np.arctan(east / north)` cannot tell south from north, so it is wrong beyond a quarter turn. Use "
        "`np.arctan2(east, north)`.",
    ),
    Misconception(
        "arcsin",
        _of_field(lambda east, north, up: np.arcsin(east / np.hypot(east, north))),
        "`arcsin` knows no angle beyond a quarter turn. Use `np.arctan2(east, north)`.",
    ),
    Misconception(
        "arccos without a sign",
        _of_field(lambda east, north, up: np.arccos(north / np.hypot(east, north))),
        "`arccos` gives no sign, so west is taken for east. Use `np.arctan2(east, north)`.",
    ),
    Misconception(
        "the dip counted in",
        _of_field(lambda east, north, up: _signed_arccos(float(north / np.linalg.norm([east, north, up])), east)),
        "You measure the angle between the whole field and north, so its dip counts too. Drop the vertical part first.",
    ),
    Misconception(
        "the dip counted in, without a sign",
        _of_field(lambda east, north, up: np.arccos(north / np.linalg.norm([east, north, up]))),
        "You measure the angle between the whole field and north: its dip counts too, and there is no sign. Drop the "
        "vertical part, and use `np.arctan2(east, north)`.",
    ),
    Misconception(
        "east compared with the whole field",
        _of_field(lambda east, north, up: np.arcsin(east / np.linalg.norm([east, north, up]))),
        "You divide east by the length of the whole field. Drop the vertical part first, and use `np.arctan2(east, "
        "north)`.",
    ),
    Misconception(
        "up for north",
        _of_field(lambda east, north, up: np.arctan2(east, up)),
        "You take the vertical part for north. The world's axes are east, north and up, in this order.",
    ),
    Misconception(
        "up for east",
        _of_field(lambda east, north, up: np.arctan2(up, north)),
        "You take the vertical part for east. The world's axes are east, north and up, in this order.",
    ),
    Misconception(
        "in degrees",
        _of_field(lambda east, north, up: np.degrees(_bearing(east, north, up))),
        "Your angle is in degrees. Leave `np.degrees` out.",
    ),
    Misconception(
        "from 0 to 2π",
        _of_field(lambda east, north, up: _bearing(east, north, up) % (2 * np.pi)),
        "Your angle goes from 0 to 2π. Wanted is the shorter way, from −π to π, as `np.arctan2` gives it.",
    ),
    Misconception(
        "half the angle",
        _of_field(lambda east, north, up: _bearing(east, north, up) / 2),
        "Your angle is half of what it should be. Return the whole one; a quaternion would take half of it.",
    ),
)

# Which of them divide by the field or its horizontal part.
_DIVIDING = (
    "arctan of a quotient",
    "arcsin",
    "arccos without a sign",
    "the dip counted in",
    "the dip counted in, without a sign",
    "east compared with the whole field",
)

_ONCE = (
    Misconception(
        "NaN returned",
        _unchecked,
        "A reading with NaN in it gives NaN, which would spoil the orientation. Return 0.0 for it.",
    ),
    Misconception(
        "NaN only in the first component",
        _nan_only_in(lambda mag: bool(np.isnan(mag[0]))),
        "You look for NaN in the first component only. `np.isnan(mag).any()` looks at all three.",
    ),
    Misconception(
        "NaN only in x and y",
        _nan_only_in(lambda mag: bool(np.isnan(mag[:2]).any())),
        "You look for NaN in x and y only. `rotate` mixes all three, so a NaN in z spreads: `np.isnan(mag).any()`.",
    ),
    Misconception(
        "NaN only in all of it",
        _nan_only_in(lambda mag: bool(np.isnan(mag).all())),
        "You return 0.0 only if all of the reading is NaN. One is enough: `np.isnan(mag).any()`.",
    ),
    Misconception(
        "NaN taken for 0",
        _nan_as_zero,
        "You put 0 where NaN is, and compute an angle from the rest. A reading with NaN in it says nothing: return "
        "0.0.",
    ),
    Misconception(
        "NaN where there is no horizontal part",
        _divided(lambda mag: bool(np.isnan(mag).any())),
        "You divide by the horizontal part, and where there is none that is 0/0. `np.arctan2` needs no division; "
        "return 0.0 there.",
    ),
    Misconception(
        "NaN wherever a reading says nothing",
        _divided(lambda mag: False),
        "Your result is NaN for a reading with NaN in it, and where there is no horizontal part to divide by. Return "
        "0.0 for both.",
    ),
    Misconception(
        "NaN refused",
        _refused(_nan_refused),
        "You raise an error for a reading with NaN in it. Magnetometers often miss a sample: return 0.0, which turns "
        "nothing.",
    ),
    Misconception(
        "all that says nothing refused",
        _refused(_nothing_refused),
        "You raise an error for a reading that says nothing. Return 0.0, which turns nothing.",
    ),
    Misconception(
        "a weak field refused",
        lambda q, mag: _right(q, mag) if np.hypot(*rotate(q, mag)[:2]) > 1 else 0.0,
        "You return 0.0 for a weak field. Only its direction counts: return 0.0 for NaN, and where east and north are "
        "exactly 0.",
    ),
    Misconception(
        "a field along the phone's z refused",
        lambda q, mag: _right(q, mag) if mag[:2].any() else 0.0,
        "You look at the horizontal part of the reading before you turn it. The phone may stand upright: look at east "
        "and north.",
    ),
    Misconception(
        "the reading changed",
        _in_place,
        "You change `mag`, which the caller may still need. Make a new array.",
    ),
)


def _with_and_without_guard(mistake: Misconception) -> tuple[Misconception, Misconception]:
    """Return the mistake in an answer that looks for NaN, and in one that does not."""
    raw = f"{mistake.name}, NaN not looked for"
    return (
        Misconception(mistake.name, _guarded(mistake.wrong), mistake.hint),
        Misconception(raw, mistake.wrong, f"{mistake.hint} Then return 0.0 where a reading says nothing."),
    )


def _nan_looked_for(mistake: Misconception) -> Misconception:
    """Return a mistake that divides by the field, in an answer that looks for NaN alone."""
    hint = f"{mistake.hint} Where there is no field, or none that is horizontal, you divide 0 by 0: return 0.0 there."
    return Misconception(f"{mistake.name}, 0/0", _but_nan(mistake.wrong), hint)


MISTAKES = (
    *_ONCE,
    *(each for mistake in _TWICE for each in _with_and_without_guard(mistake)),
    *(_nan_looked_for(mistake) for mistake in _TWICE if mistake.name in _DIVIDING),
)
