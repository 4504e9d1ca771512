"""Which way is north: the earth's field and the magnetometer's own offset, told apart by turning.

In the inertial frame of the inclination filter, whose heading drifts slowly, a magnetometer reads R·m = h + R·b: the field h of
the place stands still there, the offset b of a magnet that moves along (a loudspeaker, a case) stands still in the sensor. Both
are linear, so a Kalman filter finds them without knowing the heading; the heading is then the direction of h. Its gain comes
from how much the gyroscope's heading is worth (the drift of h) and how much fields differ from place to place (the noise).

How much fields differ is learned from what the readings differ from what was foreseen, by expectation and maximization with
forgetting (Dempster, Laird and Rubin 1977, Maximum likelihood from incomplete data via the EM algorithm): in a room that is
bent the gyroscope is trusted for longer.

Two such filters run side by side, as two hypotheses: the magnetometer is calibrated (b is zero), or it is not (b can be
anything). The likelihood of what each of them foresees weighs them, but only as far as the phone turns: in one pose an offset
and a place look the same. Nor would a small b be worth its price: an arm turns what it carries along, so that small turns and
places go together, and the bends of a room would be taken for an offset.

Readings that a hypothesis finds unlikely count less, the more unlikely the less (after Student's distribution): a magnet on the
table passes. Where readings stay unlikely under both, a magnet may have come: the second hypothesis begins anew with the field
that was known and any offset. Where readings stay unlikely for long, the first begins anew, with any field. Source of the
weighing: Blom and Bar-Shalom 1988 (The interacting multiple model algorithm), without its mixing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.compiled import compiled

Array = NDArray[np.float64]
FIELD, OFFSET, SIZE = 0, 3, 6
CALIBRATED, MAGNET = 0, 1
FREEDOM = 4.0  # degrees of freedom of Student's distribution


class Heading(NamedTuple):
    """What is known under each of the two hypotheses: mean (2, 6) of field and offset in µT, covariance (2, 6, 6).

    evidence (2,): logarithms of their likelihoods. unlikely (2,): seconds for which readings have been unlikely under both, since
    a new magnet was thought of, and under the better one, since another place was.
    angle: rotation in rad about the vertical that turns the inertial frame to north, and its variance. used: seconds of readings.
    room: variance of the field from place to place, µT². pose (3, 3): slow mean of the rotation.
    """

    mean: Array
    covariance: Array
    evidence: Array
    unlikely: Array
    angle: Array
    used: Array
    room: Array
    pose: Array


class HeadingNoise(NamedTuple):
    """Constants of the filter in µT and seconds; see `orientation_pocketlab.Settings` for what they mean."""

    place_floor: float
    place_time: float
    learn_time: float
    mag_lag: float
    field: float
    field_walk: float
    magnet: float
    offset_walk: float
    doubt: float
    certainty: float
    evidence_angle: float
    pose_time: float
    patience: float
    resignation: float


def new_heading(field: float, magnet: float, place: float, doubt: float) -> Heading:
    """Return filters that know how large fields, offsets of magnets and differences of places are (µT); doubt: 0 to 1."""
    covariance = np.stack([np.diag([field**2] * 3 + [offset**2] * 3) for offset in (0.0, magnet)])
    evidence, angle = np.log(np.array([1 - doubt, doubt])), np.array([0.0, math.pi**2])
    room = np.array([float(place) ** 2])
    return Heading(np.zeros((2, 6)), covariance, evidence, np.zeros(2), angle, np.zeros(1), room, np.zeros((3, 3)))


@compiled
def observe(
    state: Heading, matrix: Array, field: Array, turned: float, drift: float, seconds: float, noise: HeadingNoise
) -> None:
    """Take the mean reading (3,) of some `seconds` in the inertial frame.

    matrix (3, 3): mean rotation. turned: squared angular rate, rad²/s². drift: variance of the frame's heading since the last
    reading, rad².
    """
    # While it turns, a reading that comes late is off by the angle that was turned meanwhile.
    lag2 = turned * noise.mag_lag**2 * (field[0] ** 2 + field[1] ** 2 + field[2] ** 2)
    news = _news(state, matrix, turned, seconds, noise)
    surprise, learned = np.zeros(2), np.zeros(2)
    for which in range(2):
        _predict(state, which, drift, seconds, noise)
        surprise[which], learned[which] = _correct(state, which, matrix, field, lag2, news, seconds, noise)
    best = max(state.evidence[0], state.evidence[1])
    for which in range(2):
        state.evidence[which] = max(-noise.certainty, state.evidence[which] - best)
    better = CALIBRATED if state.evidence[CALIBRATED] >= state.evidence[MAGNET] else MAGNET
    gain = 1.0 - math.exp(-seconds / noise.learn_time)
    state.room[0] = max(noise.place_floor**2, state.room[0] + gain * (learned[better] - state.room[0]))
    least = min(surprise[CALIBRATED], surprise[MAGNET])
    state.unlikely[0] = max(0.0, state.unlikely[0] + (seconds if least > FREEDOM else -seconds))
    state.unlikely[1] = max(0.0, state.unlikely[1] + (seconds if surprise[better] > FREEDOM else -seconds))
    if state.unlikely[0] > noise.patience:
        _suspect_magnet(state, better, noise)
    if state.unlikely[1] > noise.resignation:
        _begin_again(state, noise)
    state.used[0] += seconds
    _point(state)


@compiled
def _news(state: Heading, matrix: Array, turned: float, seconds: float, noise: HeadingNoise) -> float:
    """How much of the evidence of a reading is new, from 0 to 1: as far as the phone turns, and is turned away from its mean."""
    gain = 1.0 if state.used[0] == 0.0 else 1.0 - math.exp(-seconds / noise.pose_time)
    away2 = 3.0  # squared angle in rad between a pose and the mean one, where it is small
    for i in range(3):
        for k in range(3):
            state.pose[i, k] += gain * (matrix[i, k] - state.pose[i, k])
            away2 -= matrix[i, k] * state.pose[i, k]
    return min(1.0, seconds * math.sqrt(turned) / noise.evidence_angle) * min(1.0, max(0.0, away2))


@compiled
def _predict(state: Heading, which: int, drift: float, seconds: float, noise: HeadingNoise) -> None:
    covariance = state.covariance[which]
    east, north = state.mean[which, 0], state.mean[which, 1]
    covariance[0, 0] += drift * north * north
    covariance[1, 1] += drift * east * east
    covariance[0, 1] -= drift * east * north
    covariance[1, 0] -= drift * east * north
    for axis in range(3):
        covariance[FIELD + axis, FIELD + axis] += seconds * noise.field_walk**2
        if which == MAGNET:
            covariance[OFFSET + axis, OFFSET + axis] += seconds * noise.offset_walk**2


@compiled
def _correct(
    state: Heading,
    which: int,
    matrix: Array,
    field: Array,
    lag2: float,
    news: float,
    seconds: float,
    noise: HeadingNoise,
) -> tuple[float, float]:
    """Correct one hypothesis by a reading.

    Returns how surprising it was, its squared distance in standard deviations, and what it says of the room's variance.
    """
    mean, covariance = state.mean[which], state.covariance[which]
    gains, spread, innovation = _foresee(mean, covariance, matrix, field)
    reading2 = state.room[0] + lag2
    inverse, determinant = _inverse(spread, reading2)
    surprise = _square(inverse, innovation)
    likelihood = -0.5 * math.log(determinant) - 0.5 * (FREEDOM + 3) * math.log(1 + surprise / FREEDOM)
    state.evidence[which] += likelihood * news
    # The mean square, given the reading, of that part of it which is the room's.
    others2 = (spread[0, 0] + spread[1, 1] + spread[2, 2]) / 3.0 + lag2
    share = state.room[0] / (state.room[0] + others2)
    square = (innovation[0] ** 2 + innovation[1] ** 2 + innovation[2] ** 2) / 3.0
    learned = share * others2 + share * share * square * min(1.0, (FREEDOM + 3) / (FREEDOM + surprise))
    # Neighbors in time are neighbors in space: fields that differ from place to place are one reading in each place_time.
    variance = reading2 * max(1.0, noise.place_time / seconds)
    inverse, _ = _inverse(spread, variance * max(1.0, surprise / FREEDOM) ** 2)
    for i in range(SIZE):
        for j in range(i + 1):
            for axis in range(3):
                for k in range(3):
                    covariance[i, j] -= gains[i, axis] * inverse[axis, k] * gains[j, k]
            covariance[j, i] = covariance[i, j]
        for axis in range(3):
            for k in range(3):
                mean[i] += gains[i, axis] * inverse[axis, k] * innovation[k]
    return surprise, learned


@compiled
def _foresee(mean: Array, covariance: Array, matrix: Array, field: Array) -> tuple[Array, Array, Array]:
    """P·Hᵀ (6, 3) and H·P·Hᵀ (3, 3) with H = (1, R), and the reading less what was expected (3,)."""
    gains = np.empty((SIZE, 3))
    for i in range(SIZE):
        for axis in range(3):
            gains[i, axis] = covariance[i, axis]
            for k in range(3):
                gains[i, axis] += covariance[i, OFFSET + k] * matrix[axis, k]
    spread, innovation = np.empty((3, 3)), np.empty(3)
    for axis in range(3):
        innovation[axis] = field[axis] - mean[axis]
        for k in range(3):
            innovation[axis] -= matrix[axis, k] * mean[OFFSET + k]
            spread[axis, k] = gains[axis, k]
            for j in range(3):
                spread[axis, k] += matrix[axis, j] * gains[OFFSET + j, k]
    return gains, spread, innovation


@compiled
def _inverse(spread: Array, variance: float) -> tuple[Array, float]:
    """Inverse and determinant of the symmetric matrix spread + variance·1."""
    a, b, c = spread[0, 0] + variance, spread[1, 1] + variance, spread[2, 2] + variance
    d, e, f = spread[1, 2], spread[0, 2], spread[0, 1]
    inverse = np.empty((3, 3))
    inverse[0, 0], inverse[1, 1], inverse[2, 2] = b * c - d * d, a * c - e * e, a * b - f * f
    inverse[1, 2] = inverse[2, 1] = e * f - a * d
    inverse[0, 2] = inverse[2, 0] = d * f - b * e
    inverse[0, 1] = inverse[1, 0] = d * e - c * f
    determinant = a * inverse[0, 0] + f * inverse[0, 1] + e * inverse[0, 2]
    for i in range(3):
        for k in range(3):
            inverse[i, k] /= determinant
    return inverse, determinant


@compiled
def _square(matrix: Array, x: Array) -> float:
    total = 0.0
    for i in range(3):
        for k in range(3):
            total += matrix[i, k] * x[i] * x[k]
    return total


@compiled
def _suspect_magnet(state: Heading, better: int, noise: HeadingNoise) -> None:
    """Begin the second hypothesis anew: the field is what the better one says, but a magnet has come, or another one."""
    for i in range(SIZE):
        state.mean[MAGNET, i] = state.mean[better, i]
        for k in range(SIZE):
            offset = i >= OFFSET or k >= OFFSET
            state.covariance[MAGNET, i, k] = 0.0 if offset else state.covariance[better, i, k]
        if i >= OFFSET:
            state.covariance[MAGNET, i, i] = noise.magnet**2
    state.evidence[CALIBRATED], state.evidence[MAGNET] = 0.0, math.log(noise.doubt)
    state.unlikely[0] = 0.0


@compiled
def _begin_again(state: Heading, noise: HeadingNoise) -> None:
    """Forget the field: what the better hypothesis has found unlikely for long is another place."""
    for i in range(SIZE):
        state.mean[CALIBRATED, i] = 0.0
        for k in range(SIZE):
            state.covariance[CALIBRATED, i, k] = 0.0
        state.covariance[CALIBRATED, i, i] = 0.0 if i >= OFFSET else noise.field**2
    state.evidence[CALIBRATED], state.evidence[MAGNET] = math.log(noise.doubt), 0.0
    state.unlikely[1] = 0.0


@compiled
def _point(state: Heading) -> None:
    """Set the angle to north from the mean of the hypotheses' fields, and its variance from theirs and their disagreement."""
    odds = 1.0 / (1.0 + math.exp(min(700.0, state.evidence[CALIBRATED] - state.evidence[MAGNET])))
    east = (1 - odds) * state.mean[CALIBRATED, 0] + odds * state.mean[MAGNET, 0]
    north = (1 - odds) * state.mean[CALIBRATED, 1] + odds * state.mean[MAGNET, 1]
    square = east * east + north * north
    if square == 0.0:
        return
    variance = 0.0
    for which in range(2):
        share = odds if which == MAGNET else 1 - odds
        across = (state.mean[which, 0] - east) * north - (state.mean[which, 1] - north) * east
        covariance = state.covariance[which]
        own = north * north * covariance[0, 0] - 2 * north * east * covariance[0, 1] + east * east * covariance[1, 1]
        variance += share * (own + across * across) / square
    state.angle[0] = math.atan2(east, north)
    state.angle[1] = min(math.pi**2, variance / square)
