"""The mistakes of exercise 06.3, and what to tell those who make them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab06.complementary_wrong import (
    IDENTITY,
    RIGHT,
    Filter,
    ends_at_nan,
    first_row_missing,
    last_valid,
    mixed_with_identity,
    never,
    no_row_at_nan,
    only_gravity,
    raise_at_nan,
    spreads,
    towards_upright,
    turned_in_the_world,
    vector_part_scaled,
)
from pocketlab.data.quaternions import conjugate, multiply, rotate, turned, upright

_ONCE = (
    Misconception(
        "no correction",
        replace(RIGHT, part=lambda seconds, tilt_time: 0.0),
        "You follow the gyroscope alone, so it drifts. After each turn, take away a part of the error that the force "
        "shows.",
    ),
    Misconception(
        "corrected only where the force is near 9.8",
        replace(RIGHT, is_missing=lambda force: not abs(np.linalg.norm(force) - 9.81) < 0.981),
        "You correct only where the force is about as strong as gravity. Many filters do, but here every force "
        "counts, whatever its size.",
    ),
    Misconception(
        "gravity alone",
        only_gravity,
        "You take the orientation from the force alone, shaken as it is. Turn by the gyroscope, and correct a part of "
        "the error.",
    ),
    Misconception(
        "stored a sample late",
        replace(RIGHT, stores="old"),
        "You store q before it is turned, so each row holds the orientation of the sample before. Store it at the end.",
    ),
    Misconception(
        "the rate of the sample before",
        replace(RIGHT, rate=lambda gyr, n: gyr[n - 1]),
        "You turn by the rate of the sample before. Here `gyr[n]` leads to sample n, and the first rate is not used.",
    ),
    Misconception(
        "the force of the sample before",
        replace(RIGHT, force=lambda acc, n: acc[n - 1]),
        "You correct with the force of the sample before. After turning to sample n, use `acc[n]`.",
    ),
    Misconception(
        "always the first force",
        replace(RIGHT, force=lambda acc, n: acc[0]),
        "You correct with the first force in all samples. Use the sample's own, `acc[n]`.",
    ),
    Misconception(
        "begins level and turns by the first rate",
        replace(RIGHT, begin=lambda force: IDENTITY, turns_at_first=True),
        "You begin at (1, 0, 0, 0), as though the phone lay flat, and use the first rate. Begin with "
        "`upright(acc[0])`, and turn from the second sample on.",
    ),
    Misconception(
        "seconds left out of the turn",
        replace(RIGHT, turn=lambda q, rate, seconds: turned(q, rate, 1.0)),
        "You turn by the rate as if each sample lasted a second. Give `turned` the `seconds`.",
    ),
    Misconception(
        "the rate taken for degrees",
        replace(RIGHT, turn=lambda q, rate, seconds: turned(q, np.radians(rate), seconds)),
        "You convert the rate from degrees, but it is in rad/s already.",
    ),
    Misconception(
        "pulled to a heading of zero",
        towards_upright(mean=False),
        "You pull q towards `upright(acc[n])`, and with it the heading, of which gravity knows nothing. The error is "
        "the shortest rotation, `upright(rotate(q, acc[n]))`.",
    ),
    Misconception(
        "mixed with the force's orientation",
        towards_upright(mean=True),
        "You mix q with `upright(acc[n])`, and so pull its heading to zero, of which gravity knows nothing. Take a "
        "part of `upright(rotate(q, acc[n]))`, and put it on the left of q.",
    ),
    Misconception(
        "an error at NaN",
        replace(RIGHT, is_missing=raise_at_nan),
        "`upright` raises a ValueError for a force with NaN in it. Correct nothing in such a step: look with "
        "`np.isnan(…).any()`.",
    ),
    Misconception(
        "NaN spreads",
        replace(RIGHT, is_missing=never, error=spreads),
        "A NaN in one force makes all orientations from there on NaN. Correct nothing in such a step.",
    ),
    Misconception(
        "an error at a NaN in part of a force",
        replace(RIGHT, is_missing=lambda force: bool(np.isnan(force).all())),
        "You skip a force only if all of it is NaN. One NaN is enough: `np.isnan(…).any()`.",
    ),
    Misconception(
        "only the first component looked at",
        replace(RIGHT, is_missing=lambda force: bool(np.isnan(force[0]))),
        "You look for NaN in the first component only. `np.isnan(acc[n]).any()` looks at all three.",
    ),
    Misconception(
        "not turned at NaN",
        replace(RIGHT, turns_where_nan=False),
        "Where a force is missing you skip the whole step. Only the correction falls away: the gyroscope still turns "
        "q.",
    ),
    Misconception(
        "a row left at zero",
        replace(RIGHT, missing_row=0.0),
        "Where a force is missing you go on before q is stored, and its row stays zero. Store it in every step.",
    ),
    Misconception(
        "a row of NaN",
        replace(RIGHT, missing_row=float("nan")),
        "Where a force is missing your orientation is NaN. The gyroscope still says how the phone turns: store q.",
    ),
    Misconception(
        "the last force kept",
        replace(RIGHT, force=last_valid),
        "Where a force is missing you correct with the one before. The phone has turned since: correct nothing in "
        "that step.",
    ),
    Misconception(
        "the first row left at zero",
        replace(RIGHT, first_row=0.0),
        "The first row of your result stays zero. Store `upright(acc[0])` there.",
    ),
    Misconception(
        "the force not turned, the first rate used",
        replace(RIGHT, error=lambda q, force: upright(force), turns_at_first=True),
        "You compare the force in the phone's frame with up. Turn it into the world first: `rotate(q, acc[n])`. And "
        "begin to turn at the second sample.",
    ),
    Misconception(
        "the first row missing",
        first_row_missing,
        "Your result has a row too few: the first one, `upright(acc[0])`, is missing.",
    ),
    Misconception(
        "no row at NaN",
        no_row_at_nan,
        "Where a force is missing you skip the sample, and its row with it. Turn by the gyroscope and store q all the "
        "same.",
    ),
    Misconception(
        "ends at NaN",
        ends_at_nan,
        "You stop at the first force with NaN in it. Go on: the gyroscope still turns q, and later forces correct it.",
    ),
    Misconception(
        "NaN taken for 0",
        replace(RIGHT, force=lambda acc, n: np.nan_to_num(acc[n]), is_missing=lambda force: not force.any()),
        "You put 0 for NaN, and correct with what is left of the force, which points elsewhere. One NaN is enough to "
        "correct nothing.",
    ),
    Misconception(
        "NaN taken for 0, an error where all is NaN",
        replace(RIGHT, force=lambda acc, n: np.nan_to_num(acc[n])),
        "You put 0 for NaN. What is left of the force points elsewhere, and a force of zero nowhere: correct nothing "
        "in such a step.",
    ),
)

_TWICE = (
    Misconception(
        "seconds / tilt_time",
        replace(RIGHT, part=lambda seconds, tilt_time: seconds / tilt_time),
        "You take the part seconds/tilt_time. That is close where it is small, and more than all of the error where "
        "it is above 1: use 1 − exp(−seconds/tilt_time).",
    ),
    Misconception(
        "seconds / tilt_time, at most 1",
        replace(RIGHT, part=lambda seconds, tilt_time: min(1.0, seconds / tilt_time)),
        "You take the part seconds/tilt_time, at most 1. That is close only where it is small: use 1 − "
        "exp(−seconds/tilt_time).",
    ),
    Misconception(
        "seconds / (tilt_time + seconds)",
        replace(RIGHT, part=lambda seconds, tilt_time: seconds / (tilt_time + seconds)),
        "You take the part seconds/(tilt_time + seconds), which many filters use. It is close only where it is small: "
        "here the part is 1 − exp(−seconds/tilt_time).",
    ),
    Misconception(
        "the part that is left",
        replace(RIGHT, part=lambda seconds, tilt_time: float(np.exp(-seconds / tilt_time))),
        "exp(−seconds/tilt_time) is the part of the error that is left after a sample. Take away the rest: 1 minus it.",
    ),
    Misconception(
        "exp upside down",
        replace(RIGHT, part=lambda seconds, tilt_time: float(1 - np.exp(-tilt_time / seconds))),
        "Your exponent is tilt_time/seconds, so nearly all of the error goes at once. It is −seconds/tilt_time.",
    ),
    Misconception(
        "the sign of the exponent",
        replace(RIGHT, part=lambda seconds, tilt_time: float(1 - np.exp(seconds / tilt_time))),
        "The minus in exp(−seconds/tilt_time) is missing, so the part is negative and the error grows.",
    ),
    Misconception(
        "counted in samples",
        replace(RIGHT, part=lambda seconds, tilt_time: float(1 - np.exp(-1 / tilt_time))),
        "Your part does not depend on `seconds`: tilt_time is in seconds, not in samples. Use 1 − "
        "exp(−seconds/tilt_time).",
    ),
    Misconception(
        "all of the error",
        replace(RIGHT, part=lambda seconds, tilt_time: 1.0),
        "You take away all of the error in each sample, so every shake gets through. Multiply the rotation vector of "
        "the error by 1 − exp(−seconds/tilt_time).",
    ),
    Misconception(
        "corrected in the phone's frame",
        replace(RIGHT, join=lambda correction, q: multiply(q, correction)),
        "You put the correction on the right of q. It is a rotation in the world's frame, so it acts last: on the "
        "left.",
    ),
    Misconception(
        "corrected away from up",
        replace(RIGHT, join=lambda correction, q: multiply(conjugate(correction), q)),
        "Your correction goes the wrong way. `upright(…)` turns the measured force to up already: leave out the minus "
        "or the conjugate.",
    ),
    Misconception(
        "the force not turned into the world",
        replace(RIGHT, error=lambda q, force: upright(force)),
        "You compare the force in the phone's frame with up. Turn it into the world first: `rotate(q, acc[n])`.",
    ),
    Misconception(
        "the force turned by the inverse",
        replace(RIGHT, error=lambda q, force: upright(rotate(conjugate(q), force))),
        "You turn the force by the conjugate of q. q itself turns from the phone's frame to the world's: `rotate(q, "
        "acc[n])`.",
    ),
    Misconception(
        "the error before turning",
        replace(RIGHT, error_of="before"),
        "You find the error of q as it was before this sample's turn. The force belongs to the orientation after it: "
        "turn by the gyroscope first, then see where the force points.",
    ),
    Misconception(
        "stored before it is corrected",
        replace(RIGHT, stores="before"),
        "You store q between the turn and the correction, so each row lacks its own. Store it after both.",
    ),
    Misconception(
        "the first rate used",
        replace(RIGHT, turns_at_first=True),
        "You turn by the first rate too. The first force sets the orientation at the first sample; begin to turn at "
        "the second.",
    ),
    Misconception(
        "begins level",
        replace(RIGHT, begin=lambda force: IDENTITY),
        "You begin at (1, 0, 0, 0), as though the phone lay flat. Begin with `upright(acc[0])`.",
    ),
    Misconception(
        "turned about the world's axes",
        replace(RIGHT, turn=turned_in_the_world),
        "You turn by the gyroscope about the world's axes. It measures about the phone's: `turned(q, gyr[n], "
        "seconds)`.",
    ),
    Misconception(
        "mixed component by component",
        replace(RIGHT, scaled=mixed_with_identity),
        "You mix the quaternion of the error with (1, 0, 0, 0). That is not quite the part of its angle: multiply its "
        "rotation vector, `to_rotation_vector(…)`, by the part.",
    ),
    Misconception(
        "the quaternion's vector part scaled",
        replace(RIGHT, scaled=vector_part_scaled),
        "You multiply x, y and z of the error's quaternion by the part. They are sines, not angles: multiply its "
        "rotation vector, `to_rotation_vector(…)`.",
    ),
    Misconception(
        "tilt_time / (tilt_time + seconds)",
        replace(RIGHT, part=lambda seconds, tilt_time: tilt_time / (tilt_time + seconds)),
        "You take the part tilt_time/(tilt_time + seconds), nearly all of the error. That much is left; the part to "
        "take away is 1 − exp(−seconds/tilt_time).",
    ),
    Misconception(
        "the quaternion scaled",
        replace(RIGHT, scaled=lambda part, error: part * error),
        "You multiply the error's quaternion by the part, which changes its length and not its angle. Multiply its "
        "rotation vector, `to_rotation_vector(…)`.",
    ),
)


def _with_and_without_nan(mistake: Misconception) -> tuple[Misconception, Misconception]:
    """Return the mistake in an answer that looks for NaN, and in one that does not, and so fails there with an error."""
    assert isinstance(mistake.wrong, Filter)
    raw = f"{mistake.name}, an error at NaN"
    hint = f"{mistake.hint} Then correct nothing where a force has NaN in it."
    return mistake, Misconception(raw, replace(mistake.wrong, is_missing=raise_at_nan), hint)


MISTAKES = (*_ONCE, *(each for mistake in _TWICE for each in _with_and_without_nan(mistake)))
