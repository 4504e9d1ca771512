"""Which way is up: the inclination of a phone, and the biases of its gyroscope and accelerometer, by a Kalman filter.

The frame is inertial: its vertical axis is up, its heading is whatever the gyroscope says, so that heading plays no part here.
The measurement is that a phone in a hand does not get away: the velocity that its accelerations add up to stays near zero, and
so does the way it went within the last second. Where the inclination is wrong by θ, gravity leaks into that velocity, g·θ each
second, and the filter sees it grow. A shake adds nothing to it, so that motion disturbs it much less than it disturbs the
acceleration. How quickly the filter follows is no setting: it comes from how much the phone accelerates (noise of the
measurement) and turns (errors of the gyroscope's scale).

Errors estimated, true minus estimated, in this order: inclination about the frame's first and second axis (rad), gyroscope bias
(rad/s, three), horizontal velocity (m/s, two), accelerometer bias (m/s², three), the way of the last second (m, two). Source of
the error state: Solà 2017 (Quaternion kinematics for the error-state Kalman filter), chapter 7, errors in the world's frame.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.compiled import compiled

Array = NDArray[np.float64]
TILT, GYR_BIAS, VELOCITY, ACC_BIAS, WAY, SIZE = 0, 2, 5, 7, 10, 12
WAY_TIME = 1.0  # s, after which a way is forgotten, so that walking is no error


class Inclination(NamedTuple):
    """What the filter knows, in arrays that are changed in place: q turns the sensor's frame into the inertial one.

    motion: horizontal velocity (m/s) and way (m), two each. activity: mean square of the horizontal acceleration. rest: seconds
    of rest so far, then slow means of gyroscope and accelerometer, three each.
    """

    q: Array
    gyr_bias: Array
    acc_bias: Array
    motion: Array
    covariance: Array
    activity: Array
    rest: Array


class InclinationNoise(NamedTuple):
    """Constants of the filter in SI units; see `orientation_pocketlab.Settings` for what they mean."""

    gyr_noise: float
    gyr_scale: float
    gyr_walk: float
    gyr_bias_limit: float
    acc_noise: float
    acc_walk: float
    turn_time: float
    velocity_time: float
    acceleration_floor: float
    activity_time: float
    reach: float
    reach_time: float
    rest_gyr: float
    rest_acc: float
    rest_time: float
    rest_noise: float


def new_inclination(tilt: float, gyr_bias: float, acc_bias: float) -> Inclination:
    """Return a filter that knows nothing but how large its errors are: standard deviations in rad, rad/s, m/s²."""
    sigmas = np.array([tilt] * 2 + [gyr_bias] * 3 + [0.1] * 2 + [acc_bias] * 3 + [0.1] * 2)
    q = np.array([1.0, 0, 0, 0])
    return Inclination(q, np.zeros(3), np.zeros(3), np.zeros(4), np.diag(sigmas**2), np.full(1, 0.1), np.zeros(7))


@compiled
def turn(q: Array, x: float, y: float, z: float) -> None:
    """Append to q, in place, the rotation vector (x, y, z) in rad, given in the sensor's frame."""
    angle = math.sqrt(x * x + y * y + z * z)
    c = math.cos(0.5 * angle)
    s = math.sin(0.5 * angle) / angle if angle > 1e-9 else 0.5
    b1, b2, b3 = s * x, s * y, s * z
    a0, a1, a2, a3 = q[0], q[1], q[2], q[3]
    w = a0 * c - a1 * b1 - a2 * b2 - a3 * b3
    i = a0 * b1 + a1 * c + a2 * b3 - a3 * b2
    j = a0 * b2 - a1 * b3 + a2 * c + a3 * b1
    k = a0 * b3 + a1 * b2 - a2 * b1 + a3 * c
    norm = 1.0 / math.sqrt(w * w + i * i + j * j + k * k)
    q[0], q[1], q[2], q[3] = w * norm, i * norm, j * norm, k * norm


@compiled
def rotation_matrix(q: Array, matrix: Array) -> None:
    """Write the rotation of q into a matrix (3, 3)."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    matrix[0, 0], matrix[0, 1], matrix[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    matrix[1, 0], matrix[1, 1], matrix[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    matrix[2, 0], matrix[2, 1], matrix[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)


@compiled
def tilt(q: Array, x: float, y: float) -> None:
    """Turn q, in place, by the small rotation vector (x, y, 0) in rad, given in the world's frame."""
    a0, a1, a2, a3 = q[0], q[1], q[2], q[3]
    b1, b2 = 0.5 * x, 0.5 * y
    w = a0 - b1 * a1 - b2 * a2
    i = a1 + b1 * a0 + b2 * a3
    j = a2 + b2 * a0 - b1 * a3
    k = a3 + b1 * a2 - b2 * a1
    norm = 1.0 / math.sqrt(w * w + i * i + j * j + k * k)
    q[0], q[1], q[2], q[3] = w * norm, i * norm, j * norm, k * norm


@compiled
def upright(q: Array, acc: Array) -> None:
    """Set q to the shortest rotation that turns a specific force (3,) upwards."""
    x, y, z = acc[0], acc[1], acc[2]
    norm = math.sqrt(x * x + y * y + z * z)
    if norm == 0.0:
        return
    w = 1.0 + z / norm
    if w < 1e-9:  # upside down: half a turn about any horizontal axis
        q[0], q[1], q[2], q[3] = 0.0, 1.0, 0.0, 0.0
        return
    x, y = x / norm, y / norm
    length = math.sqrt(w * w + x * x + y * y)
    q[0], q[1], q[2], q[3] = w / length, y / length, -x / length, 0.0


@compiled
def detect_rest(rest: Array, gyr: Array, acc: Array, seconds: float, noise: InclinationNoise) -> None:
    """Count the seconds for which mean rates and accelerations (3,) of some `seconds` have stayed near their slow means."""
    gain = 1.0 - math.exp(-seconds / 0.5)
    gyr_apart = acc_apart = rate = 0.0
    for axis in range(3):
        gyr_apart += (gyr[axis] - rest[1 + axis]) ** 2
        acc_apart += (acc[axis] - rest[4 + axis]) ** 2
        rest[1 + axis] += gain * (gyr[axis] - rest[1 + axis])
        rest[4 + axis] += gain * (acc[axis] - rest[4 + axis])
        rate = max(rate, abs(rest[1 + axis]))
    if gyr_apart < noise.rest_gyr**2 and acc_apart < noise.rest_acc**2 and rate < noise.gyr_bias_limit:
        rest[0] += seconds
    else:
        rest[0] = 0.0


@compiled
def predict(state: Inclination, matrix: Array, force: Array, turned: float, seconds: float, noise: InclinationNoise) -> None:
    """Let some `seconds` pass: matrix (3, 3), force (3,): mean rotation and mean specific force in the frame; turned: rad²/s²."""
    covariance, motion = state.covariance, state.motion
    for axis in range(2):
        motion[2 + axis] += (motion[axis] - motion[2 + axis] / WAY_TIME) * seconds
        motion[axis] += force[axis] * seconds
    # Rows, then columns, of F·P·Fᵀ, each from errors at the interval's beginning: first the way, then velocity, then inclination.
    for _ in range(2):
        for i in range(SIZE):
            for axis in range(2):
                change = covariance[VELOCITY + axis, i] - covariance[WAY + axis, i] / WAY_TIME
                covariance[WAY + axis, i] += seconds * change
            for axis in range(2):
                leak = force[2] * covariance[TILT + 1, i] if axis == 0 else -force[2] * covariance[TILT, i]
                for k in range(3):
                    leak -= matrix[axis, k] * covariance[ACC_BIAS + k, i]
                covariance[VELOCITY + axis, i] += seconds * leak
            for axis in range(2):
                for k in range(3):
                    covariance[TILT + axis, i] -= seconds * matrix[axis, k] * covariance[GYR_BIAS + k, i]
        for i in range(SIZE):
            for k in range(i):
                covariance[i, k], covariance[k, i] = covariance[k, i], covariance[i, k]
    for axis in range(2):
        covariance[TILT + axis, TILT + axis] += seconds * (noise.gyr_noise**2 + noise.gyr_scale**2 * turned * noise.turn_time)
        covariance[VELOCITY + axis, VELOCITY + axis] += seconds * noise.acc_noise**2
    for axis in range(3):
        covariance[GYR_BIAS + axis, GYR_BIAS + axis] += seconds * noise.gyr_walk**2
        covariance[ACC_BIAS + axis, ACC_BIAS + axis] += seconds * noise.acc_walk**2


@compiled
def correct(state: Inclination, force: Array, seconds: float, noise: InclinationNoise) -> None:
    """Use what is known of the velocity and, at rest, of the gyroscope's bias."""
    gain = 1.0 - math.exp(-seconds / noise.activity_time)
    state.activity[0] += gain * (force[0] ** 2 + force[1] ** 2 - state.activity[0])
    acceleration2 = 0.5 * state.activity[0] + noise.acceleration_floor**2
    # What has a variance and forgets itself within a time τ counts as white noise, of the same strength at slow frequencies.
    velocity2 = 2.0 * acceleration2 * noise.velocity_time**3 / seconds
    way2 = 2.0 * noise.reach**2 * noise.reach_time / seconds
    error = np.zeros(SIZE)
    for axis in range(2):
        _measure(state.covariance, error, VELOCITY + axis, -state.motion[axis], velocity2)
        _measure(state.covariance, error, WAY + axis, -state.motion[2 + axis], way2)
    if state.rest[0] > noise.rest_time:
        for axis in range(3):
            rate = state.rest[1 + axis] - state.gyr_bias[axis]
            _measure(state.covariance, error, GYR_BIAS + axis, rate, noise.rest_noise**2 / seconds)
    tilt(state.q, error[TILT], error[TILT + 1])
    for axis in range(2):
        state.motion[axis] += error[VELOCITY + axis]
        state.motion[2 + axis] += error[WAY + axis]
    for axis in range(3):
        state.gyr_bias[axis] += error[GYR_BIAS + axis]
        state.acc_bias[axis] += error[ACC_BIAS + axis]


@compiled
def _measure(covariance: Array, error: Array, index: int, value: float, variance: float) -> None:
    """Correct the errors and their covariance by a measurement of one of them."""
    column = np.empty(SIZE)
    for i in range(SIZE):
        column[i] = covariance[i, index]
    total = column[index] + variance
    innovation = (value - error[index]) / total
    for i in range(SIZE):
        error[i] += column[i] * innovation
        for k in range(SIZE):
            covariance[i, k] -= column[i] * column[k] / total
