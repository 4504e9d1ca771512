"""What an inertial sensor measures on a known trajectory, with the noise and bias of a phone's.

Everywhere in this library the density of white noise is what an Allan deviation shows at 1 s (of a gyroscope: the angle random
walk): a sample's standard deviation is density · √(sample rate), and the variance of the integral grows by density² each second.
Data sheets count positive frequencies only; their one-sided figure is √2 times as large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from pocketlab.data.quaternions import conjugate, multiply, rotate, to_rotation_vector

Array = NDArray[np.float64]

GRAVITY = 9.80665  # m/s²
# Bosch Sensortec, data sheet of BMI160, revision 0.8, 2015: one-sided densities of 0.007 °/s/√Hz and 180 µg/√Hz.
BMI160_GYR_DENSITY = float(np.radians(0.007) / np.sqrt(2))  # rad/s/√Hz
BMI160_ACC_DENSITY = float(180e-6 * GRAVITY / np.sqrt(2))  # m/s²/√Hz


@dataclass(frozen=True)
class ImuNoise:
    """Noise of a phone's IMU. Default densities: those of BMI160.

    gyr_density, acc_density: of white noise, in rad/s/√Hz and m/s²/√Hz, as the module's docstring defines them.
    gyr_walk, acc_walk: of the bias's random walk, in rad/s/√s and m/s²/√s; the defaults are chosen for this course.
    gyr_bias, acc_bias: standard deviations of the bias at the start, in rad/s and m/s². The defaults are assumed to be what a
    phone's own calibration leaves: a tenth of the data sheet's typical offsets (3 °/s and 40 mg).
    """

    gyr_density: float = BMI160_GYR_DENSITY
    acc_density: float = BMI160_ACC_DENSITY
    gyr_walk: float = 2e-5
    acc_walk: float = 3e-4
    gyr_bias: float = float(np.radians(0.3))
    acc_bias: float = 0.004 * GRAVITY


PHONE = ImuNoise()


@dataclass(frozen=True)
class ImuRecord:
    """Samples of an IMU: gyr in rad/s, acc in m/s² (at rest +g upwards), their biases, and the velocity in m/s; each (N, 3)."""

    gyr: Array
    acc: Array
    gyr_bias: Array
    acc_bias: Array
    velocities: Array


def measure_motion(
    positions: Array, orientations: Array, *, sample_rate_hz: float, noise: ImuNoise | None, rng: np.random.Generator
) -> ImuRecord:
    """Return what an IMU measures that moves through positions (N, 3) in m with orientations (N, 4), sensor to world.

    A quintic spline through the positions gives velocity and acceleration; half the rotation from the sample before to the one
    after gives the angular rate. noise: None for a perfect sensor.
    """
    count, interval = len(positions), 1 / sample_rate_hz
    spline = make_interp_spline(np.arange(count) * interval, positions, k=5)
    times = np.arange(count) * interval
    force = np.asarray(spline(times, 2)) + np.array([0, 0, GRAVITY])
    turns = to_rotation_vector(multiply(conjugate(orientations[:-1]), orientations[1:])) * sample_rate_hz
    rates = np.concatenate([turns[:1], (turns[:-1] + turns[1:]) / 2, turns[-1:]])
    level = noise or ImuNoise(0, 0, 0, 0, 0, 0)
    gyr_bias = _bias(level.gyr_bias, level.gyr_walk * np.sqrt(interval), count, rng)
    acc_bias = _bias(level.acc_bias, level.acc_walk * np.sqrt(interval), count, rng)
    # White noise of a density, averaged over one interval, has the density divided by the root of that interval.
    gyr_white = rng.normal(0, level.gyr_density * np.sqrt(sample_rate_hz), (count, 3))
    acc_white = rng.normal(0, level.acc_density * np.sqrt(sample_rate_hz), (count, 3))
    return ImuRecord(
        gyr=rates + gyr_bias + gyr_white,
        acc=rotate(conjugate(orientations), force) + acc_bias + acc_white,
        gyr_bias=gyr_bias,
        acc_bias=acc_bias,
        velocities=np.asarray(spline(times, 1)),
    )


def _bias(start: float, step: float, count: int, rng: np.random.Generator) -> Array:
    steps = rng.normal(0, 1, (count, 3)) * np.where(np.arange(count)[:, np.newaxis] == 0, start, step)
    return np.cumsum(steps, axis=0)
