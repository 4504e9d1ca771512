"""The mistakes of exercise 06.2, and what to tell those who make them."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab06.up_wrong import (
    about,
    accepting,
    angle,
    axis_by_division,
    axis_too_short,
    by_size,
    checked,
    down,
    down_refused,
    exact,
    for_gravity,
    guarded,
    horizontal,
    in_place,
    level_instead,
    not_normalized_at_all,
    of_direction,
    of_numbers,
    roll_and_pitch_at_once,
    sine_twice,
    sine_twice_normalized,
    to_the_worlds_down,
    two_turns,
    weak_refused,
)
from pocketlab.data.quaternions import upright

_ONCE = (
    Misconception(
        "taken for gravity",
        for_gravity(guard=True),
        "You treat the force as if it pointed down. An accelerometer at rest measures the table's push, which points "
        "up.",
    ),
    Misconception(
        "taken for gravity, NaN where it lies flat",
        for_gravity(guard=False),
        "You treat the force as if it pointed down. An accelerometer at rest measures the table's push, which points "
        "up. Beware of 0/0 where the force points straight down.",
    ),
    Misconception(
        "to the world's down",
        to_the_worlds_down(guard=True),
        "You use 1 − c where 1 + c belongs: c is the cosine of the angle between the force and up.",
    ),
    Misconception(
        "to the world's down, NaN where it lies flat",
        to_the_worlds_down(guard=False),
        "You use 1 − c where 1 + c belongs: c is the cosine of the angle between the force and up. Where 1 + c is 0, "
        "return (0, 1, 0, 0).",
    ),
    Misconception(
        "NaN straight down",
        checked(exact),
        "Straight down 1 + c and the axis are zero, and 0/0 is NaN. Return (0, 1, 0, 0) there.",
    ),
    Misconception(
        "NaN straight up and down",
        checked(axis_by_division),
        "You divide the axis by its length, which is zero where the force points straight up or down. Use (1 + c, b, "
        "−a, 0), normalized, and return (0, 1, 0, 0) straight down.",
    ),
    Misconception(
        "NaN straight up",
        checked(guarded(axis_by_division)),
        "You divide the axis by its length, which is zero where the phone lies flat. There nothing has to be turned: "
        "return (1, 0, 0, 0).",
    ),
    Misconception(
        "no turn straight down",
        down([1.0, 0.0, 0.0, 0.0]),
        "Straight down you turn nothing, so the force still points down. It takes half a turn, about x: (0, 1, 0, 0).",
    ),
    Misconception(
        "about y straight down",
        down([0.0, 0.0, 1.0, 0.0]),
        "Straight down you turn about y. All horizontal axes are as short, but one has to be agreed on: x, so (0, 1, "
        "0, 0).",
    ),
    Misconception(
        "straight down refused",
        checked(down_refused),
        "You raise an error straight down. A phone may lie on its screen: return (0, 1, 0, 0).",
    ),
    Misconception(
        "straight down too early",
        down([0.0, 1.0, 0.0, 0.0], share=1e-3),
        "You take a force for straight down that is half a degree off. Keep that case to 1 + c below 1e-9.",
    ),
    Misconception(
        "nothing refused",
        accepting(lambda force: False),
        "A force of zero, or with NaN or infinity in it, points nowhere, and NaN comes out. Raise a ValueError for it.",
    ),
    Misconception(
        "only zero refused",
        accepting(lambda force: not force.any()),
        "You refuse a force of zero, but not one with NaN or infinity in it. `np.isfinite(force).all()` finds both.",
    ),
    Misconception(
        "zero accepted",
        accepting(lambda force: not bool(np.isfinite(force).all())),
        "You refuse NaN and infinity, but not a force of zero, whose length you then divide by. Raise a ValueError "
        "for it.",
    ),
    Misconception(
        "infinity accepted",
        accepting(lambda force: not force.any() or bool(np.isnan(force).any())),
        "You refuse NaN, but not infinity. `np.isfinite(force).all()` finds both.",
    ),
    Misconception(
        "refused only where all of it is NaN",
        accepting(lambda force: not force.any() or bool(np.isinf(force).any()) or bool(np.isnan(force).all())),
        "You refuse a force only where all of it is NaN. One NaN is enough: use `any`, or `not "
        "np.isfinite(force).all()`.",
    ),
    Misconception(
        "level for a force that points nowhere",
        level_instead,
        "You return (1, 0, 0, 0) for a force that points nowhere. Nothing says that the phone is level: raise a "
        "ValueError.",
    ),
    Misconception(
        "the force changed",
        in_place,
        "You divide the force in place, and the caller may still need it. Make a new array: `force / "
        "np.linalg.norm(force)`.",
    ),
    Misconception(
        "about z straight down",
        down([0.0, 0.0, 0.0, 1.0]),
        "Straight down you turn about the vertical axis, which leaves the force where it is. Turn about x: (0, 1, 0, "
        "0).",
    ),
    Misconception(
        "half a turn wherever the screen faces down",
        down([0.0, 1.0, 0.0, 0.0], share=1.0),
        "You turn half about x wherever c is below 0. That is for straight down only, 1 + c below 1e-9.",
    ),
    Misconception(
        "w last everywhere",
        lambda force: np.roll(upright(force), -1),
        "Your quaternion is (x, y, z, w), SciPy's order. Here w comes first: `np.roll(…, 1)` brings it there.",
    ),
    Misconception(
        "refused unless about 9.8 long",
        accepting(lambda force: not 5.0 < np.linalg.norm(force) < 20.0),
        "You refuse a force that is much weaker or stronger than gravity. Only the direction counts: refuse zero, NaN "
        "and infinity.",
    ),
    Misconception(
        "a weak force refused",
        checked(weak_refused),
        "You refuse a weak force. Only the direction counts: refuse zero, NaN and infinity.",
    ),
    Misconception(
        "divided by the largest component",
        checked(guarded(by_size(lambda force: float(np.abs(force).max())))),
        "You divide by the largest component. That leaves a vector longer than 1: divide by `np.linalg.norm(force)`.",
    ),
    Misconception(
        "roll and pitch at once",
        checked(roll_and_pitch_at_once),
        "You put two angles, about x and about y, into one rotation vector. Angles of successive turns do not add up "
        "like that: turn once about (b, −a, 0).",
    ),
    Misconception(
        "only about x",
        checked(about(lambda a, b, c: np.array([1.0, 0.0, 0.0]), lambda a, b, c: float(np.arctan2(b, c)))),
        "You turn about x alone. A force with a part along x needs a turn about y too: the axis is (b, −a, 0).",
    ),
    Misconception(
        "roll, then pitch",
        checked(two_turns(pitch_first=False)),
        "You turn twice, about x and then about y. That brings the force up too, but is not the shortest rotation: "
        "its last component is not 0. Turn once about (b, −a, 0).",
    ),
)

_TWICE = (
    Misconception(
        "from up to the force",
        of_direction(lambda a, b, c: [1 + c, -b, a, 0.0]),
        "You return the inverse: it turns up to the force. The rotation wanted turns the force to up; change the sign "
        "of the axis, (b, −a, 0).",
    ),
    Misconception(
        "size not removed",
        by_size(lambda force: 1.0),
        "You use the force as it is, 9.8 long. 1 + c needs the direction: divide the force by its length first.",
    ),
    Misconception(
        "neither normalized",
        not_normalized_at_all,
        "You use the force as it is, 9.8 long, and leave the result as long as it comes. Divide the force by its "
        "length, and then the quaternion by its own.",
    ),
    Misconception(
        "divided by 9.8",
        by_size(lambda force: 9.8),
        "You divide by 9.8. A shaken phone measures more or less than that: divide by the length of the force itself.",
    ),
    Misconception(
        "the half angle forgotten",
        of_numbers(lambda a, b, c: [c, b, -a, 0.0]),
        "(c, b, −a, 0) has cosine and sine of the whole angle, so it turns twice as far. A quaternion has those of "
        "half of it: begin with 1 + c and normalize.",
    ),
    Misconception(
        "not normalized",
        of_numbers(lambda a, b, c: [1 + c, b, -a, 0.0]),
        "The direction of (1 + c, b, −a, 0) is right, its length is not 1. Divide it by its norm.",
    ),
    Misconception(
        "half the angle",
        about(horizontal, lambda a, b, c: angle(a, b, c) / 2),
        "You turn half as far. `from_rotation_vector` takes the whole angle and halves it itself.",
    ),
    Misconception(
        "the sine taken for the angle",
        about(horizontal, lambda a, b, c: float(np.hypot(a, b))),
        "You take the length of the cross product for the angle. It is the angle's sine: use `np.arctan2(sine, c)`.",
    ),
    Misconception(
        "arcsin for the angle",
        about(horizontal, lambda a, b, c: float(np.arcsin(min(1.0, np.hypot(a, b))))),
        "`arcsin` knows no angle beyond a quarter turn, so it is wrong where the screen faces down. Use "
        "`np.arctan2(sine, c)` or `np.arccos(c)`.",
    ),
    Misconception(
        "arctan of a quotient",
        about(horizontal, lambda a, b, c: float(np.arctan(np.hypot(a, b) / c) if c else np.pi / 2)),
        "`np.arctan(sine / c)` gives a negative angle where c is below 0. `np.arctan2(sine, c)` knows all angles.",
    ),
    Misconception(
        "in degrees",
        about(horizontal, lambda a, b, c: float(np.degrees(angle(a, b, c)))),
        "Your angle is in degrees. Sine, cosine and `from_rotation_vector` take radians.",
    ),
    Misconception(
        "the axis too short",
        axis_too_short,
        "You multiply the angle by the cross product, whose length is the sine. Divide it by its length to make it an "
        "axis.",
    ),
    Misconception(
        "the sine twice",
        sine_twice,
        "You multiply sin(angle/2) by the cross product, which has a sine in its length already. Divide it by its "
        "length first.",
    ),
    Misconception(
        "the sine twice, normalized",
        sine_twice_normalized,
        "You multiply sin(angle/2) by the cross product, which has a sine in its length already; normalizing "
        "afterwards does not mend that. Divide the cross product by its length first.",
    ),
    Misconception(
        "turned about the force's own side",
        of_direction(lambda a, b, c: [1 + c, a, b, 0.0]),
        "You turn about (a, b, 0), the way to which the force leans. The axis stands across it: (b, −a, 0).",
    ),
    Misconception(
        "a sign in the axis",
        of_direction(lambda a, b, c: [1 + c, b, a, 0.0]),
        "The sign of the axis's y is wrong: (a, b, c) × (0, 0, 1) is (b, −a, 0).",
    ),
    Misconception(
        "pitch, then roll",
        two_turns(pitch_first=True),
        "You turn twice, about y and then about x. That brings the force up too, but is not the shortest rotation: "
        "its last component is not 0. Turn once about (b, −a, 0).",
    ),
    Misconception(
        "w last",
        of_direction(lambda a, b, c: [b, -a, 0.0, 1 + c]),
        "Your quaternion is (x, y, z, w), SciPy's order. Here w comes first.",
    ),
)


def _with_and_without_guard(mistake: Misconception) -> tuple[Misconception, Misconception]:
    """Return the mistake in an answer that is right straight down, and in one that does not look for that."""
    raw = f"{mistake.name}, straight down too"
    hint = f"{mistake.hint} Then treat a force straight down on its own: (0, 1, 0, 0)."
    return (
        Misconception(mistake.name, checked(guarded(mistake.wrong)), mistake.hint),
        Misconception(raw, checked(mistake.wrong), hint),
    )


MISTAKES = (*_ONCE, *(each for mistake in _TWICE for each in _with_and_without_guard(mistake)))
