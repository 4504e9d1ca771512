"""Steps that every orientation filter takes: turn by a rate, find the first orientation, see which way is up and north.

Small compiled functions over plain numbers, so that a filter's loop calls them without cost. A quaternion (w, x, y, z)
turns vectors of the sensor's frame into the world's: east, north, up. A sample that is missing is one that is not finite,
or, for a direction, all zeros.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.compiled import compiled

Array = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]
Direction = tuple[float, float, float, float]  # a unit vector, and the norm it had; the norm is 0 where it is missing

NOTHING, LEVEL, LEVEL_AND_HEADING = 0, 1, 2  # what a filter knows of its orientation
MISSING: Direction = (0.0, 0.0, 0.0, 0.0)
NO_BIAS: Vector = (0.0, 0.0, 0.0)


def check_settings(settings: Any, smallest: float = 0.0) -> None:
    """Raise ValueError where a setting is not a number of at least `smallest`."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value is not None and not (isinstance(value, (int, float)) and value >= smallest):
            raise ValueError(f"{field.name} is {value!r}; expected a number of at least {smallest:g}.")


@compiled
def direction(samples: Array, k: int) -> Direction:
    """Return the unit vector of row k and its norm, or `MISSING`."""
    x, y, z = samples[k, 0], samples[k, 1], samples[k, 2]
    norm = math.sqrt(x * x + y * y + z * z)
    if not 0.0 < norm < math.inf:
        return MISSING
    return x / norm, y / norm, z / norm, norm


@compiled
def rate(gyr: Array, k: int, bias: Vector) -> Vector:
    """Return row k of the gyroscope less its bias, in rad/s; a missing one counts as no rotation."""
    x, y, z = gyr[k, 0] - bias[0], gyr[k, 1] - bias[1], gyr[k, 2] - bias[2]
    if not math.isfinite(x + y + z):
        return 0.0, 0.0, 0.0
    return x, y, z


@compiled
def product(p: Quaternion, q: Quaternion) -> Quaternion:
    """Return p ⊗ q: first the rotation q, then p."""
    return (
        p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3],
        p[0] * q[1] + p[1] * q[0] + p[2] * q[3] - p[3] * q[2],
        p[0] * q[2] - p[1] * q[3] + p[2] * q[0] + p[3] * q[1],
        p[0] * q[3] + p[1] * q[2] - p[2] * q[1] + p[3] * q[0],
    )


@compiled
def normalized(q: Quaternion) -> Quaternion:
    """Return q with length 1; rounding errors would let it grow or shrink."""
    norm = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    return q[0] / norm, q[1] / norm, q[2] / norm, q[3] / norm


@compiled
def exponential(vector: Vector) -> Quaternion:
    """Return the quaternion of a rotation vector in rad (Solà 2017, equation 101)."""
    x, y, z = vector
    angle = math.sqrt(x * x + y * y + z * z)
    # sin(angle/2)/angle; for a tiny angle the first two terms of its series, exact to the last digit there.
    factor = math.sin(angle / 2) / angle if angle > 1e-3 else 0.5 - angle * angle / 48
    return math.cos(angle / 2), factor * x, factor * y, factor * z


@compiled
def turned_by_rate(q: Quaternion, omega: Vector, dt: float) -> Quaternion:
    """Return q after the time dt at a constant rate omega, in rad/s, in the sensor's frame; exact."""
    return normalized(product(q, exponential((omega[0] * dt, omega[1] * dt, omega[2] * dt))))


@compiled
def to_world(q: Quaternion, v: Direction) -> Vector:
    """Return the direction v turned by q: v + 2w (u × v) + 2 u × (u × v), with q = (w, u)."""
    w, x, y, z = q
    a, b, c = 2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])
    return v[0] + w * a + y * c - z * b, v[1] + w * b + z * a - x * c, v[2] + w * c + x * b - y * a


@compiled
def tilt_error(q: Quaternion, up: Direction) -> Vector:
    """Return the shortest rotation, a vector in the world's frame in rad, that turns the measured up into the world's."""
    x, y, z = to_world(q, up)
    sine = math.sqrt(x * x + y * y)
    # The axis is up_measured × up = (y, −x, 0). Upside down any horizontal axis will do.
    if sine == 0.0:
        return (0.0 if z > 0 else math.pi), 0.0, 0.0
    factor = math.atan2(sine, z) / sine
    return factor * y, -factor * x, 0.0


@compiled
def heading_error(q: Quaternion, north: Direction) -> float:
    """Return the rotation about up, in rad, that turns the horizontal part of the measured north into the world's."""
    x, y, _ = to_world(q, north)
    return math.atan2(x, y)


@compiled
def first_orientation(known: int, q: Quaternion, up: Direction, north: Direction) -> tuple[int, Quaternion]:
    """Return what is known now, and the orientation: level as soon as there is an up, heading as soon as there is a north.

    Without a magnetometer the heading is that of the shortest rotation from level.
    """
    if known == NOTHING and up[3] > 0:
        q = normalized(product(exponential(tilt_error(q, up)), q))
        known = LEVEL
    if known == LEVEL and north[3] > 0:
        q = normalized(product(exponential((0.0, 0.0, heading_error(q, north))), q))
        known = LEVEL_AND_HEADING
    return known, q
