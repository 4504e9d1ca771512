"""Four classical orientation filters, from integrating the gyroscope to Madgwick's gradient descent.

Each has settings, one compiled loop over the samples, and the same contract: `start` gives a state, `run` moves it on over
a chunk of samples and returns an orientation (N, 4) for each, so that chunks give what one call gives, bit for bit.

gyr: (N, 3) in rad/s. acc: (N, 3) in m/s². mag: (N, 3) in µT, or None. Rates hold from the sample before to their own. The first
usable acceleration (and magnetic field) sets the first orientation; until then it is (1, 0, 0, 0). A missing
rate counts as no rotation, a missing acceleration or magnetic field corrects nothing in its step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np

from pocketlab.data.compiled import compiled
from pocketlab.signals.orientation_steps import (
    LEVEL_AND_HEADING,
    MISSING,
    NO_BIAS,
    NOTHING,
    Array,
    Direction,
    Quaternion,
    check_settings,
    direction,
    exponential,
    first_orientation,
    heading_error,
    normalized,
    product,
    rate,
    tilt_error,
    to_world,
    turned_by_rate,
)


@dataclass(frozen=True)
class Integration:
    """No settings: the gyroscope alone after the first orientation, to see how it drifts."""


@dataclass(frozen=True)
class Complementary:
    """Time constants, in s, with which the accelerometer corrects the tilt and the magnetometer the heading.

    Source: Valenti, Dryanovski and Xiao 2015 (Keeping a good attitude), here with the correction's rotation taken in part.
    """

    tilt_time_s: float = 3.0
    heading_time_s: float = 9.0

    def __post_init__(self) -> None:
        check_settings(self, smallest=1e-6)


@dataclass(frozen=True)
class Mahony:
    """Gains of the correction: `proportional` in 1/s, `integral` in 1/s², which learns the gyroscope's bias.

    Source: Mahony, Hamel and Pflimlin 2008 (Nonlinear complementary filters on the special orthogonal group), equations
    32 and 48, with their gains.
    """

    proportional: float = 1.0
    integral: float = 0.3

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class Madgwick:
    """Gain beta in rad/s: how fast gradient descent turns. None: the report's, 0.041 with a magnetometer, 0.033 without.

    Source: Madgwick 2010 (An efficient orientation filter for inertial and inertial/magnetic sensor arrays).
    """

    beta: float | None = None

    def __post_init__(self) -> None:
        check_settings(self)


NORTH_TO_EAST: Quaternion = (math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5))  # from the frame north, west, up to east, north, up
EAST_TO_NORTH: Quaternion = (math.sqrt(0.5), 0.0, 0.0, -math.sqrt(0.5))

Settings = Integration | Complementary | Mahony | Madgwick


def start(sample_rate_hz: float, settings: Settings, with_mag: bool) -> Array:
    """Return a state that has seen nothing: what is known, the orientation (4), the gyroscope's bias (3)."""
    return np.array([NOTHING, 1.0, 0, 0, 0, 0, 0, 0])


def run(gyr: Array, acc: Array, mag: Array | None, sample_rate_hz: float, state: Array, settings: Settings) -> Array:
    """Return the orientations (N, 4) of a chunk, w first, and move the state on in place."""
    orientations = np.empty((len(gyr), 4))
    values = astuple(settings)
    if isinstance(settings, Madgwick) and settings.beta is None:
        values = (0.033 if mag is None else 0.041,)
    values = tuple(map(float, values))  # a loop is compiled anew for other types
    loop = LOOPS[type(settings)]
    loop(gyr, acc, np.empty((0, 3)) if mag is None else mag, 1 / sample_rate_hz, *values, state, orientations)
    return orientations


@compiled
def _integration(gyr: Array, acc: Array, mag: Array, dt: float, state: Array, orientations: Array) -> None:
    known, q = int(state[0]), (state[1], state[2], state[3], state[4])
    for k in range(len(gyr)):
        up, north = direction(acc, k), direction(mag, k) if len(mag) else MISSING
        if known != NOTHING:
            q = turned_by_rate(q, rate(gyr, k, NO_BIAS), dt)
        if known != LEVEL_AND_HEADING:
            known, q = first_orientation(known, q, up, north)
        orientations[k] = q
    state[0], state[1:5] = known, q


@compiled
def _complementary(
    gyr: Array, acc: Array, mag: Array, dt: float, tilt_time: float, heading_time: float, state: Array, orientations: Array
) -> None:
    known, q = int(state[0]), (state[1], state[2], state[3], state[4])
    # The part of an error that a first-order low-pass of that time constant removes in one step.
    tilt_part, heading_part = -math.expm1(-dt / tilt_time), -math.expm1(-dt / heading_time)
    for k in range(len(gyr)):
        up, north = direction(acc, k), direction(mag, k) if len(mag) else MISSING
        if known != NOTHING:
            q = turned_by_rate(q, rate(gyr, k, NO_BIAS), dt)
            if up[3] > 0:
                x, y, _ = tilt_error(q, up)
                q = product(exponential((tilt_part * x, tilt_part * y, 0.0)), q)
        if known != LEVEL_AND_HEADING:
            known, q = first_orientation(known, q, up, north)
        elif north[3] > 0:
            q = product(exponential((0.0, 0.0, heading_part * heading_error(q, north))), q)
        q = normalized(q)
        orientations[k] = q
    state[0], state[1:5] = known, q


@compiled
def _to_sensor(q: Quaternion, x: float, y: float, z: float) -> Direction:
    a, b, c = to_world((q[0], -q[1], -q[2], -q[3]), (x, y, z, 1.0))
    return a, b, c, 1.0


@compiled
def _mahony(
    gyr: Array, acc: Array, mag: Array, dt: float, proportional: float, integral: float, state: Array, orientations: Array
) -> None:
    known, q = int(state[0]), (state[1], state[2], state[3], state[4])
    bias = (state[5], state[6], state[7])
    for k in range(len(gyr)):
        up, north = direction(acc, k), direction(mag, k) if len(mag) else MISSING
        if known != NOTHING:
            # Measured direction × the one that q expects: the rotation, in the sensor's frame, that would make them one.
            ex = ey = ez = 0.0
            if up[3] > 0:
                v = _to_sensor(q, 0.0, 0.0, 1.0)
                ex, ey, ez = up[1] * v[2] - up[2] * v[1], up[2] * v[0] - up[0] * v[2], up[0] * v[1] - up[1] * v[0]
                if known == LEVEL_AND_HEADING and north[3] > 0:
                    # The field's dip is taken as measured, so that mostly heading is corrected.
                    east_part, north_part, up_part = to_world(q, north)
                    v = _to_sensor(q, 0.0, math.hypot(east_part, north_part), up_part)
                    ex += north[1] * v[2] - north[2] * v[1]
                    ey += north[2] * v[0] - north[0] * v[2]
                    ez += north[0] * v[1] - north[1] * v[0]
            bias = bias[0] - integral * ex * dt, bias[1] - integral * ey * dt, bias[2] - integral * ez * dt
            x, y, z = rate(gyr, k, bias)
            half = (0.0, (x + proportional * ex) / 2, (y + proportional * ey) / 2, (z + proportional * ez) / 2)
            q = _euler_step(q, product(q, half), dt)
        if known != LEVEL_AND_HEADING:
            known, q = first_orientation(known, q, up, north)
        orientations[k] = q
    state[0], state[1:5], state[5:] = known, q, bias


@compiled
def _euler_step(q: Quaternion, derivative: Quaternion, dt: float) -> Quaternion:
    return normalized(
        (q[0] + derivative[0] * dt, q[1] + derivative[1] * dt, q[2] + derivative[2] * dt, q[3] + derivative[3] * dt)
    )


@compiled
def _gradient(q: Quaternion, forward: float, upward: float, measured: Direction) -> Quaternion:
    """Half the gradient by q of |Rᵀ (forward, 0, upward) − measured|², as in equations 25, 26, 31, 32 and 34 of the report."""
    w, x, y, z = q
    f, u = 2 * forward, 2 * upward
    error_x = f * (0.5 - y * y - z * z) + u * (x * z - w * y) - measured[0]
    error_y = f * (x * y - w * z) + u * (w * x + y * z) - measured[1]
    error_z = f * (w * y + x * z) + u * (0.5 - x * x - y * y) - measured[2]
    return (
        -u * y * error_x + (u * x - f * z) * error_y + f * y * error_z,
        u * z * error_x + (f * y + u * w) * error_y + (f * z - 2 * u * x) * error_z,
        -(2 * f * y + u * w) * error_x + (f * x + u * z) * error_y + (f * w - 2 * u * y) * error_z,
        (u * x - 2 * f * z) * error_x + (u * y - f * w) * error_y + f * x * error_z,
    )


@compiled
def _madgwick(gyr: Array, acc: Array, mag: Array, dt: float, beta: float, state: Array, orientations: Array) -> None:
    known, q = int(state[0]), (state[1], state[2], state[3], state[4])
    for k in range(len(gyr)):
        up, north = direction(acc, k), direction(mag, k) if len(mag) else MISSING
        if known != NOTHING:
            # In the report's world frame, north, west, up: the length of its gradient depends on it.
            q = product(EAST_TO_NORTH, q)
            x, y, z = rate(gyr, k, NO_BIAS)
            dw, dx, dy, dz = product(q, (0.0, x / 2, y / 2, z / 2))
            if up[3] > 0:
                gw, gx, gy, gz = _gradient(q, 0.0, 1.0, up)
                if known == LEVEL_AND_HEADING and north[3] > 0:
                    north_part, west_part, up_part = to_world(q, north)
                    hw, hx, hy, hz = _gradient(q, math.hypot(north_part, west_part), up_part, north)
                    gw, gx, gy, gz = gw + hw, gx + hx, gy + hy, gz + hz
                size = math.sqrt(gw * gw + gx * gx + gy * gy + gz * gz)
                step = beta / size if size > 0 else 0.0
                dw, dx, dy, dz = dw - step * gw, dx - step * gx, dy - step * gy, dz - step * gz
            q = product(NORTH_TO_EAST, _euler_step(q, (dw, dx, dy, dz), dt))
        if known != LEVEL_AND_HEADING:
            known, q = first_orientation(known, q, up, north)
        orientations[k] = q
    state[0], state[1:5] = known, q


LOOPS: dict[type[Settings], Callable[..., None]] = {
    Integration: _integration,
    Complementary: _complementary,
    Mahony: _mahony,
    Madgwick: _madgwick,
}
