"""Rotations as unit quaternions, w first, over arrays (…, 4).

`q` of a sensor turns a vector of the sensor's frame into the world's: east, north, up. q and −q are the same rotation.
Source: Solà 2017 (Quaternion kinematics for the error-state Kalman filter), sections 1 to 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def multiply(p: Array, q: Array) -> Array:
    """Return the product p ⊗ q: first the rotation q, then p. Shapes (…, 4) broadcast."""
    p0, p1, p2, p3 = np.moveaxis(p, -1, 0)
    q0, q1, q2, q3 = np.moveaxis(q, -1, 0)
    return np.stack(
        [
            p0 * q0 - p1 * q1 - p2 * q2 - p3 * q3,
            p0 * q1 + p1 * q0 + p2 * q3 - p3 * q2,
            p0 * q2 - p1 * q3 + p2 * q0 + p3 * q1,
            p0 * q3 + p1 * q2 - p2 * q1 + p3 * q0,
        ],
        axis=-1,
    )


def conjugate(q: Array) -> Array:
    """Return the inverse rotation of unit quaternions (…, 4)."""
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(q: Array, vectors: Array) -> Array:
    """Return vectors (…, 3) turned by unit quaternions (…, 4)."""
    w, axis = q[..., :1], q[..., 1:]
    twice = 2 * np.cross(axis, vectors)
    return np.asarray(vectors + w * twice + np.cross(axis, twice))


def from_rotation_vector(vectors: Array) -> Array:
    """Return the quaternions (…, 4) of rotation vectors (…, 3): axis times angle in rad."""
    angles = np.linalg.norm(vectors, axis=-1, keepdims=True)
    # np.sinc(x) is sin(πx)/(πx), and 1 at 0.
    return np.concatenate([np.cos(angles / 2), 0.5 * np.sinc(angles / (2 * np.pi)) * vectors], axis=-1)


def turned(q: Array, rate: Array, seconds: float) -> Array:
    """Return orientations (…, 4) after some seconds at constant rates (…, 3), in rad/s about the sensor's own axes; exact."""
    result = multiply(q, from_rotation_vector(rate * seconds))
    return np.asarray(result / np.linalg.norm(result, axis=-1, keepdims=True))


def upright(force: Array) -> Array:
    """Return the shortest rotation (4,) that turns a specific force (3,) upwards: what gravity says of an orientation.

    A force that points straight down is turned about the x axis. Raises ValueError for a force of zero or not finite.
    """
    norm = np.linalg.norm(force)
    if not 0 < norm < np.inf:
        raise ValueError(f"A force of {force} points nowhere, so it does not say which way is up.")
    x, y, z = force / norm
    if 1 + z < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    # Between the force and up: the quaternion (1 + cos, axis · sin) is twice as long as its half angle has it, so normalize.
    q = np.array([1 + z, y, -x, 0.0])
    return np.asarray(q / np.linalg.norm(q))


def to_rotation_vector(q: Array) -> Array:
    """Return rotation vectors (…, 3), in rad, of unit quaternions (…, 4); their angles are at most π."""
    q = np.where(q[..., :1] < 0, -q, q)
    sines = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angles = 2 * np.arctan2(sines, q[..., :1])
    factor = np.divide(angles, sines, out=np.full_like(angles, 2.0), where=sines > 1e-12)
    return np.asarray(factor * q[..., 1:])


def to_matrix(q: Array) -> Array:
    """Return rotation matrices (…, 3, 3) of unit quaternions (…, 4); their columns are the turned axes."""
    return np.stack([rotate(q, axis) for axis in np.eye(3)], axis=-1)


def angle_between(p: Array, q: Array) -> Array:
    """Return the angle of the rotation from one orientation to the other, in rad from 0 to π, of the broadcast shape."""
    return np.asarray(np.linalg.norm(to_rotation_vector(multiply(conjugate(p), q)), axis=-1))


def heading_and_inclination_between(p: Array, q: Array) -> tuple[Array, Array]:
    """Return the part of the rotation from q to p about the vertical axis, and the remaining tilt, in rad from 0 to π.

    Source: Laidig et al. 2021 (BROAD: A Benchmark for Robust Inertial Orientation Estimation), section 3.3.
    """
    error = multiply(p, conjugate(q))
    heading = 2 * np.arctan2(np.abs(error[..., 3]), np.abs(error[..., 0]))
    inclination = 2 * np.arccos(np.clip(np.hypot(error[..., 0], error[..., 3]), 0, 1))
    return np.asarray(heading), np.asarray(inclination)


def errors_in_degrees(estimates: Array, truth: Array) -> Array:
    """Return the errors (…, 3) of orientations (…, 4), in degrees: the whole angle, its heading and its inclination.

    The truth may be of any length; where it is NaN, so are the errors. Half of the whole angle has the cosine of half the
    heading's times that of half the inclination's. Source: Laidig et al. 2021 (BROAD), section 3.3.
    """
    truth = truth / np.linalg.norm(truth, axis=-1, keepdims=True)
    heading, inclination = heading_and_inclination_between(estimates, truth)
    total = 2 * np.arccos(np.cos(heading / 2) * np.cos(inclination / 2))
    return np.degrees(np.stack([total, heading, inclination], axis=-1))
