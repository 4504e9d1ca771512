"""The project's own orientation filter: strapdown integration, an inclination filter, a heading filter.

Every sample turns the orientation by what the gyroscope says, less its bias, and is added up. Some 25 times a second the sums go
to the inclination filter (`orientation_inclination`) and the heading filter (`orientation_heading`). Batch and stream are one
loop over one state. The idea to correct a strapdown integration in its own, nearly inertial frame is that of Laidig and Seel 2023
(VQF: Highly accurate IMU orientation estimation with bias estimation and magnetic disturbance rejection).

Samples with NaN or infinity are missing: a gyroscope's holds the orientation, the others' correct nothing. Before the first
acceleration the orientation is (1, 0, 0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.compiled import compiled
from pocketlab.data.inertial import BMI160_ACC_DENSITY, BMI160_GYR_DENSITY, GRAVITY
from pocketlab.signals.orientation_heading import Heading, HeadingNoise, new_heading, observe
from pocketlab.signals.orientation_inclination import (
    GYR_BIAS,
    TILT,
    VELOCITY,
    Inclination,
    InclinationNoise,
    correct,
    detect_rest,
    new_inclination,
    predict,
    rotation_matrix,
    turn,
    upright,
)

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
UPDATE_RATE_HZ = 25.0  # of both filters: well above the frequencies of hands, well below those of sensors


@dataclass(frozen=True)
class Settings:
    """Physical figures of sensors, motion and fields; standard deviations where nothing else is said.

    Densities are per √Hz, as `pocketlab.data.inertial` defines them, walks per √s. BMI160 and AK09918 stand for figures of their
    data sheets (Bosch Sensortec 2015, Asahi Kasei 2016). All others were chosen for this course: errors of the sensors of a
    phone's order, motion and fields with `pocketlab.data.motion`, over many seeds.
    """

    gyr_noise: float = BMI160_GYR_DENSITY  # rad/s/√Hz: BMI160
    gyr_scale: float = 0.01  # relative error of the gyroscope's scale and axes
    gyr_bias: float = float(np.deg2rad(0.7))  # rad/s at turn-on
    gyr_walk: float = float(np.deg2rad(0.003))  # rad/s/√s
    gyr_bias_limit: float = float(np.deg2rad(3.0))  # rad/s: what is larger is no bias; typical offset of BMI160
    acc_noise: float = BMI160_ACC_DENSITY  # m/s²/√Hz: BMI160
    acc_bias: float = 0.005 * GRAVITY  # m/s²
    acc_walk: float = 1e-4  # m/s²/√s
    tilt: float = 0.2  # rad, of the inclination that the first sample gives
    turn_time: float = 0.5  # s until a hand turns elsewhere, and errors of the gyroscope's scale add up anew
    velocity_time: float = 0.7  # s until a hand moves elsewhere
    acceleration_floor: float = 0.05  # m/s², of a phone that lies still
    activity_time: float = 3.0  # s over which accelerations are averaged
    reach: float = 0.3  # m that a hand goes to and fro
    reach_time: float = 0.5  # s
    rest_gyr: float = float(np.deg2rad(0.5))  # rad/s from the mean, at most, at rest
    rest_acc: float = 0.1  # m/s² from the mean, at most, at rest
    rest_time: float = 1.5  # s of stillness before it counts as rest
    rest_noise: float = float(np.deg2rad(0.02))  # rad/s·√s, of the bias read at rest
    place: float = 4.0  # µT by which fields indoors differ from place to place, until readings have said it
    place_floor: float = 1.0  # µT of them at least: 2 % of the field, for the magnetometer's scale and axes
    place_time: float = 2.0  # s until a phone is at another place
    learn_time: float = 10.0  # s in which it is learned how much fields differ
    mag_lag: float = 0.005  # s, age of a reading: half the period of 100 Hz (AK09918)
    field: float = 40.0  # µT, of each component of the earth's field
    field_walk: float = 0.1  # µT/√s
    magnet: float = 100.0  # µT of offset that an attached magnet makes
    offset_walk: float = 0.02  # µT/√s
    doubt: float = 0.005  # probability that a magnetometer is not calibrated
    certainty: float = 10.0  # logarithm of the odds beyond which evidence no longer counts
    evidence_angle: float = 0.5  # rad until a reading is new evidence
    pose_time: float = 20.0  # s over which a phone's mean pose is taken
    patience: float = 1.0  # s of unlikely readings until a new magnet is thought of
    resignation: float = 10.0  # s of unlikely readings until another place is
    drift_time: float = 10.0  # s for which the error of the bias turns the heading before the magnetometer stops it


class Sums(NamedTuple):
    """Samples added up since the last update: gyroscope, accelerometer in the sensor; all others in the inertial frame."""

    gyr: Array
    acc: Array
    force: Array
    field: Array
    rotation: Array


class State(NamedTuple):
    """Where a stream stands: all that the next sample needs, in arrays that `run` changes in place.

    counts: samples since the last update; of them with a gyroscope, an accelerometer, a magnetometer; samples until the next
    update; whether the first acceleration has come; whether there is a magnetometer.
    """

    inclination: Inclination
    heading: Heading
    sums: Sums
    counts: Counts


class _Timing(NamedTuple):
    period: float
    samples: int
    drift_time: float


SAMPLES, GYR, ACC, MAG, UNTIL, BEGUN, WITH_MAG = range(7)


def start(sample_rate_hz: float, settings: Settings, with_mag: bool) -> State:
    """Return the state of a stream before its first sample; with_mag: whether there is a magnetometer."""
    if not sample_rate_hz > 0:
        raise ValueError(f"A sample rate of {sample_rate_hz} Hz: give the number of samples in a second, above 0.")
    return State(
        new_inclination(settings.tilt, settings.gyr_bias, settings.acc_bias),
        new_heading(settings.field, settings.magnet, settings.place, settings.doubt),
        Sums(np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3), np.zeros((3, 3))),
        np.array([0, 0, 0, 0, 1, 0, with_mag], np.int64),
    )


def run(gyr: Array, acc: Array, mag: Array | None, sample_rate_hz: float, state: State, settings: Settings) -> Array:
    """Return the orientations (N, 4) of the next samples, w first, sensor to east-north-up, and take them into the state.

    gyr rad/s, acc m/s² (with gravity), mag µT or None: (N, 3). Without a magnetometer the heading begins anywhere. A record in
    consecutive chunks gives the same numbers as in one piece.

    Raises ValueError when a magnetometer comes that `start` was not told of, or is missing.
    """
    return _run(gyr, acc, mag, sample_rate_hz, state, settings)[0]


def smooth(gyr: Array, acc: Array, mag: Array | None, sample_rate_hz: float, settings: Settings) -> Array:
    """Return the orientations (N, 4) of a whole record, each from the samples before and after it.

    Three passes: forward, backward with what the first has learned of biases and magnets, forward with what the second has.
    The last two are averaged, each weighed by how sure it is. Arguments as for `run`.
    """
    state = start(sample_rate_hz, settings, mag is not None)
    _run(gyr, acc, mag, sample_rate_hz, state, settings)
    _reverse(state)
    # Sample n turns from n − 1 to n; backward it is the rotation by which n − 1 is reached from n.
    back_gyr = np.concatenate([np.zeros((min(1, len(gyr)), 3)), -gyr[:0:-1]])
    back_mag = None if mag is None else np.ascontiguousarray(mag[::-1])
    backward, backward_variance = _run(back_gyr, np.ascontiguousarray(acc[::-1]), back_mag, sample_rate_hz, state, settings)
    _reverse(state)
    forward, forward_variance = _run(gyr, acc, mag, sample_rate_hz, state, settings)
    backward, backward_variance = backward[::-1], backward_variance[::-1]
    if mag is None:  # two passes without north agree on the vertical only: the first one's heading is as good
        return forward
    share = (forward_variance / (forward_variance + backward_variance))[:, np.newaxis]
    nearer = np.sign(np.sum(forward * backward, axis=1, keepdims=True))
    mean = (1 - share) * forward + share * nearer * backward
    return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True))


def _run(
    gyr: Array, acc: Array, mag: Array | None, sample_rate_hz: float, state: State, settings: Settings
) -> tuple[Array, Array]:
    """Orientations (N, 4), and the variances (N,) of their inclination and heading together, in rad²."""
    if bool(state.counts[WITH_MAG]) != (mag is not None):
        raise ValueError("A stream has a magnetometer from its start on, or none: pass mag as `start` was told.")
    quat, variance = np.empty((len(gyr), 4)), np.empty(len(gyr))
    _loop(gyr, acc, acc if mag is None else mag, state, *constants(sample_rate_hz, settings), quat, variance)
    return quat, variance


def constants(sample_rate_hz: float, settings: Settings) -> tuple[_Timing, InclinationNoise, HeadingNoise]:
    """Return what the loop takes besides samples and state, and never changes."""
    samples = max(1, round(sample_rate_hz / UPDATE_RATE_HZ))
    timing = _Timing(1.0 / sample_rate_hz, samples, float(settings.drift_time))
    inclination = InclinationNoise(*(float(getattr(settings, name)) for name in InclinationNoise._fields))
    heading = HeadingNoise(*(float(getattr(settings, name)) for name in HeadingNoise._fields))
    return timing, inclination, heading


def _reverse(state: State) -> None:
    """Let time run backward from here: rates, their bias and velocities change their sign."""
    inclination, signs = state.inclination, np.ones(len(state.inclination.covariance))
    signs[GYR_BIAS : GYR_BIAS + 3] = signs[VELOCITY : VELOCITY + 2] = -1.0
    inclination.covariance[:] *= signs[:, np.newaxis] * signs
    inclination.gyr_bias[:] *= -1.0
    inclination.motion[:2] *= -1.0
    inclination.rest[1:4] *= -1.0
    for total in state.sums:
        total[:] = 0.0
    state.counts[:UNTIL], state.counts[UNTIL] = 0, 1


@compiled
def _loop(
    gyr: Array,
    acc: Array,
    mag: Array,
    state: State,
    timing: _Timing,
    inclination_noise: InclinationNoise,
    heading_noise: HeadingNoise,
    quat: Array,
    variance: Array,
) -> None:
    inclination, heading, sums, counts = state
    q, covariance = inclination.q, inclination.covariance
    matrix = np.empty((3, 3))
    for n in range(len(gyr)):
        if counts[BEGUN] == 0 and math.isfinite(acc[n, 0] + acc[n, 1] + acc[n, 2]):
            upright(q, acc[n])
            counts[BEGUN] = 1
        if counts[BEGUN] == 1:
            _add(sums, counts, q, inclination.gyr_bias, inclination.acc_bias, gyr[n], acc[n], mag[n], timing.period, matrix)
            if counts[UNTIL] == 0:
                _update(state, timing, inclination_noise, heading_noise)
                counts[UNTIL] = timing.samples
        c, s = math.cos(0.5 * heading.angle[0]), math.sin(0.5 * heading.angle[0])
        quat[n, 0] = c * q[0] - s * q[3]
        quat[n, 1] = c * q[1] - s * q[2]
        quat[n, 2] = c * q[2] + s * q[1]
        quat[n, 3] = c * q[3] + s * q[0]
        variance[n] = heading.angle[1] + covariance[TILT, TILT] + covariance[TILT + 1, TILT + 1]


@compiled
def _add(
    sums: Sums, counts: Counts, q: Array, bias: Array, acc_bias: Array,
    gyr: Array, acc: Array, mag: Array, period: float, matrix: Array,
) -> None:
    """Turn the orientation by one sample, and add the sample up; matrix (3, 3): room for the rotation."""
    # It takes only the arrays it needs, not the whole state: every array that is handed on costs time.
    counts[SAMPLES] += 1
    counts[UNTIL] -= 1
    if math.isfinite(gyr[0] + gyr[1] + gyr[2]):
        turn(q, (gyr[0] - bias[0]) * period, (gyr[1] - bias[1]) * period, (gyr[2] - bias[2]) * period)
        counts[GYR] += 1
        for axis in range(3):
            sums.gyr[axis] += gyr[axis]
    rotation_matrix(q, matrix)
    for i in range(3):
        for k in range(3):
            sums.rotation[i, k] += matrix[i, k]
    if math.isfinite(acc[0] + acc[1] + acc[2]):
        counts[ACC] += 1
        x, y, z = acc[0] - acc_bias[0], acc[1] - acc_bias[1], acc[2] - acc_bias[2]
        for axis in range(3):
            sums.acc[axis] += acc[axis]
            sums.force[axis] += matrix[axis, 0] * x + matrix[axis, 1] * y + matrix[axis, 2] * z
    if counts[WITH_MAG] and math.isfinite(mag[0] + mag[1] + mag[2]):
        counts[MAG] += 1
        for axis in range(3):
            sums.field[axis] += matrix[axis, 0] * mag[0] + matrix[axis, 1] * mag[1] + matrix[axis, 2] * mag[2]


@compiled
def _update(state: State, timing: _Timing, inclination_noise: InclinationNoise, heading_noise: HeadingNoise) -> None:
    """Turn the sums into means, give them to both filters, and begin anew."""
    inclination, heading, sums, counts = state
    seconds = counts[SAMPLES] * timing.period
    turned = bias_variance = 0.0
    for i in range(3):
        sums.gyr[i] /= max(1, counts[GYR])
        sums.acc[i] /= max(1, counts[ACC])
        sums.force[i] /= max(1, counts[ACC])
        sums.field[i] /= max(1, counts[MAG])
        for k in range(3):
            sums.rotation[i, k] /= counts[SAMPLES]
    for i in range(3):
        turned += (sums.gyr[i] - inclination.gyr_bias[i]) ** 2
        for k in range(3):
            covariance = inclination.covariance[GYR_BIAS + i, GYR_BIAS + k]
            bias_variance += sums.rotation[2, i] * sums.rotation[2, k] * covariance
    if counts[ACC] > 0 and counts[GYR] > 0:
        detect_rest(inclination.rest, sums.gyr, sums.acc, seconds, inclination_noise)
        predict(inclination, sums.rotation, sums.force, turned, seconds, inclination_noise)
        correct(inclination, sums.force, seconds, inclination_noise)
    else:
        inclination.rest[0] = 0.0
    # A magnetometer that lies still says the same thing again and again; one second of it says it all.
    resting = inclination.rest[0] > inclination_noise.rest_time and heading.used[0] > 1.0
    if counts[MAG] > 0 and not resting:
        scale_variance = inclination_noise.gyr_scale**2 * turned * inclination_noise.turn_time
        drift = seconds * (bias_variance * timing.drift_time + scale_variance)
        observe(heading, sums.rotation, sums.field, turned, drift, seconds, heading_noise)
    for i in range(3):
        sums.gyr[i] = sums.acc[i] = sums.force[i] = sums.field[i] = 0.0
        for k in range(3):
            sums.rotation[i, k] = 0.0
    for i in range(UNTIL):
        counts[i] = 0
