"""An error-state Kalman filter: orientation and gyroscope bias, from gravity and magnetic north.

The orientation q and the bias b are carried outright; the filter's state is their error, small and without singularities:
a rotation vector in the world's frame and a vector of rates, with a covariance (6, 6). Gravity measures the error about
east and north, the magnetic field's horizontal part the one about up, each one number at a time, so that no matrix is inverted.

Source: Solà 2017 (Quaternion kinematics for the error-state Kalman filter), chapter 7, with global angular errors. The
reset after an injection is taken as the identity, right to first order in the error (section 6.3 there).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pocketlab.data.compiled import compiled
from pocketlab.data.inertial import GRAVITY
from pocketlab.signals.orientation_steps import (
    LEVEL_AND_HEADING,
    MISSING,
    NOTHING,
    Array,
    check_settings,
    direction,
    exponential,
    first_orientation,
    heading_error,
    normalized,
    product,
    rate,
    to_world,
    turned_by_rate,
)


@dataclass(frozen=True)
class Settings:
    """What the filter is told of its sensors. Noises are densities per √Hz, so that they hold for any sample rate.

    gyroscope_noise: rad/s/√Hz, most of it errors of scale and alignment: 0.5 % of 2 rad/s, for half a second at a time.
    bias_walk: rad/s/√s. acceleration_noise: m/s²/√Hz, of the motion, which is far more than the sensor's own. heading_noise:
    rad/√Hz. norm_gate: accelerations whose norm is off gravity's by more than this, in m/s², correct nothing; none by default,
    because a motion's accelerations average out over time only where all of them count. first_tilt, first_heading: standard
    deviations in rad of the first orientation; first_bias: in rad/s.
    """

    gyroscope_noise: float = 0.01
    bias_walk: float = 3e-5
    acceleration_noise: float = 0.5
    heading_noise: float = 0.2
    norm_gate: float = math.inf
    first_tilt: float = 0.1
    first_heading: float = 0.2
    first_bias: float = 0.02

    def __post_init__(self) -> None:
        check_settings(self, smallest=1e-9)


class State(NamedTuple):
    """values: what is known, the orientation (4), the bias (3) in rad/s. covariance: (6, 6), of the error."""

    values: Array
    covariance: Array


def start(sample_rate_hz: float, settings: Settings, with_mag: bool) -> State:
    """Return a state that has seen nothing."""
    tilt, heading, bias = settings.first_tilt**2, settings.first_heading**2, settings.first_bias**2
    return State(np.array([NOTHING, 1.0, 0, 0, 0, 0, 0, 0]), np.diag([tilt, tilt, heading, bias, bias, bias]))


def run(gyr: Array, acc: Array, mag: Array | None, sample_rate_hz: float, state: State, settings: Settings) -> Array:
    """Return the orientations (N, 4) of a chunk, w first, and move the state on in place.

    gyr: (N, 3) in rad/s. acc: (N, 3) in m/s². mag: (N, 3) in µT, or None. What is not finite is skipped, as in
    `orientation_classics`.
    """
    orientations = np.empty((len(gyr), 4))
    _run(
        gyr,
        acc,
        np.empty((0, 3)) if mag is None else mag,
        1 / sample_rate_hz,
        float(settings.gyroscope_noise),
        float(settings.bias_walk),
        float(settings.acceleration_noise),
        float(settings.heading_noise),
        float(settings.norm_gate),
        state.values,
        state.covariance,
        orientations,
    )
    return orientations


@compiled
def _predict(p: Array, rotation: Array, dt: float, angle_variance: float, bias_variance: float) -> None:
    """P ← F P Fᵀ + Q with F = [[1, −R dt], [0, 1]]: a bias not known turns into an angle not known."""
    for row in range(3):
        for column in range(6):
            for k in range(3):
                p[row, column] -= dt * rotation[row, k] * p[3 + k, column]
    for row in range(6):
        for column in range(3):
            for k in range(3):
                p[row, column] -= dt * rotation[column, k] * p[row, 3 + k]
    for i in range(3):
        p[i, i] += angle_variance
        p[3 + i, 3 + i] += bias_variance


@compiled
def _correct(p: Array, error: Array, axis: int, measured: float, variance: float, column: Array) -> None:
    """Kalman's update by one measured number: the error about one axis of the world. column: (6,), to work in."""
    for i in range(6):
        column[i] = p[i, axis]
    innovation, innovation_variance = measured - error[axis], column[axis] + variance
    for i in range(6):
        gain = column[i] / innovation_variance
        error[i] += gain * innovation
        for j in range(6):
            p[i, j] -= gain * column[j]


@compiled
def _run(
    gyr: Array,
    acc: Array,
    mag: Array,
    dt: float,
    gyroscope_noise: float,
    bias_walk: float,
    acceleration_noise: float,
    heading_noise: float,
    norm_gate: float,
    values: Array,
    p: Array,
    orientations: Array,
) -> None:
    known, q, bias = int(values[0]), (values[1], values[2], values[3], values[4]), (values[5], values[6], values[7])
    rotation, error, column = np.empty((3, 3)), np.empty(6), np.empty(6)
    angle_variance, bias_variance = gyroscope_noise**2 * dt, bias_walk**2 * dt
    tilt_variance, heading_variance = (acceleration_noise / GRAVITY) ** 2 / dt, heading_noise**2 / dt
    for k in range(len(gyr)):
        up, north = direction(acc, k), direction(mag, k) if len(mag) else MISSING
        if known != NOTHING:
            q = turned_by_rate(q, rate(gyr, k, bias), dt)
            rotation[:, 0] = to_world(q, (1.0, 0.0, 0.0, 1.0))
            rotation[:, 1] = to_world(q, (0.0, 1.0, 0.0, 1.0))
            rotation[:, 2] = to_world(q, (0.0, 0.0, 1.0, 1.0))
            _predict(p, rotation, dt, angle_variance, bias_variance)
            error[:] = 0.0
            if up[3] > 0 and abs(up[3] - GRAVITY) <= norm_gate:
                # In units of g, not as an angle: a linear measure of acceleration, so that what averages to zero does so here.
                east_part, north_part, _ = to_world(q, up)
                _correct(p, error, 0, north_part * up[3] / GRAVITY, tilt_variance, column)
                _correct(p, error, 1, -east_part * up[3] / GRAVITY, tilt_variance, column)
            if known == LEVEL_AND_HEADING and north[3] > 0:
                _correct(p, error, 2, heading_error(q, north), heading_variance, column)
            q = normalized(product(exponential((error[0], error[1], error[2])), q))
            bias = bias[0] + error[3], bias[1] + error[4], bias[2] + error[5]
        if known != LEVEL_AND_HEADING:
            known, q = first_orientation(known, q, up, north)
        orientations[k] = q
    values[0], values[1:5], values[5:] = known, q, bias
