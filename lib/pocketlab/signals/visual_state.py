"""The state of the camera and IMU filter, and how time changes it.

The errors are, to first order, those of Wu, Zhang, Su, Huang, Dissanayake 2017 (An invariant-EKF VINS algorithm for improving
consistency): with a rotation θ in the world's frame, R = exp(θ) R̂, v = exp(θ) v̂ + ν, p = exp(θ) p̂ + ρ. How they act on each
other then does not depend on the state, and what no camera can see, the heading and the place, is the same direction in every
state: so the filter does not grow sure of it by mistake.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.inertial import BMI160_ACC_DENSITY, BMI160_GYR_DENSITY, GRAVITY
from pocketlab.data.quaternions import from_rotation_vector, to_matrix
from pocketlab.data.scene import PinholeCamera

Array = NDArray[np.float64]

FALL = np.array([0.0, 0.0, -GRAVITY])
THETA, NU, RHO, GYR_BIAS, ACC_BIAS = (slice(start, start + 3) for start in range(0, 15, 3))


@dataclass(frozen=True)
class VisualNoise:
    """What the filter believes about its sensors.

    gyr_density, acc_density: white noise in rad/s/√Hz and m/s²/√Hz, those of BMI160. gyr_walk, acc_walk: random walk of the
    biases in rad/s/√s and m/s²/√s. gyr_bias, acc_bias: standard deviations at the start. tilt, velocity: of the start's
    attitude in rad and velocity in m/s.
    pixel_std: of a feature's position. gate: probability with which a good feature passes. window: camera poses kept.
    """

    gyr_density: float = BMI160_GYR_DENSITY
    acc_density: float = BMI160_ACC_DENSITY
    gyr_walk: float = 2e-5
    acc_walk: float = 3e-4
    gyr_bias: float = 0.005
    acc_bias: float = 0.04
    tilt: float = 0.01
    velocity: float = 0.01
    pixel_std: float = 1.0
    gate: float = 0.95
    window: int = 15


DEFAULT_NOISE = VisualNoise()


@dataclass
class State:
    """The filter's state: the pose of the IMU, its biases, past poses of the camera, and the covariance of all their errors.

    rotation: (3, 3) and poses' rotations (M, 3, 3) turn to the world; velocity, position and poses' positions (M, 3) are in
    the world.
    covariance: (15 + 6 M, 15 + 6 M) of (θ, ν, ρ, gyroscope bias, accelerometer bias) and (θ, ρ) of each pose.
    """

    rotation: Array
    velocity: Array
    position: Array
    gyr_bias: Array
    acc_bias: Array
    covariance: Array
    rotations: Array = field(default_factory=lambda: np.empty((0, 3, 3)))
    positions: Array = field(default_factory=lambda: np.empty((0, 3)))

    def corrected(self, error: Array) -> State:
        """Return the state after an error (15 + 6 M,) was taken out; the covariance is left as it is."""
        turn = to_matrix(from_rotation_vector(error[THETA]))
        poses = error[15:].reshape(-1, 6)
        turns = to_matrix(from_rotation_vector(poses[:, :3]))
        return State(
            turn @ self.rotation,
            turn @ self.velocity + error[NU],
            turn @ self.position + error[RHO],
            self.gyr_bias + error[GYR_BIAS],
            self.acc_bias + error[ACC_BIAS],
            self.covariance,
            turns @ self.rotations,
            np.einsum("mij,mj->mi", turns, self.positions) + poses[:, 3:],
        )


def cross_matrix(vector: Array) -> Array:
    """The matrix (3, 3) that takes the cross product vector × something."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def turn(vector: Array) -> Array:
    """The rotation matrix (3, 3) of a rotation vector (3,) (Rodrigues)."""
    angle, cross = math.sqrt(vector @ vector), cross_matrix(vector)
    if angle < 1e-8:
        return np.eye(3) + cross
    return np.eye(3) + math.sin(angle) / angle * cross + (1 - math.cos(angle)) / angle**2 * (cross @ cross)


def _carry(
    rotation: Array,
    velocity: Array,
    position: Array,
    times: Array,
    gyr: Array,
    acc: Array,
    densities: Array,
) -> tuple[Array, Array, Array, Array, Array]:
    """Integrate samples free of bias; also the errors' transition (15, 15) and noise (15, 15)."""
    transition, noise = np.eye(15), np.zeros((15, 15))
    for i in range(len(times) - 1):
        interval = times[i + 1] - times[i]
        # The mean of a sample and the next one, as seen from halfway through the turn.
        rate = (gyr[i] + gyr[i + 1]) / 2
        middle = rotation @ turn(rate * interval / 2)
        force = middle @ ((acc[i] + acc[i + 1]) / 2)
        position = position + velocity * interval + (force + FALL) * interval**2 / 2
        velocity = velocity + (force + FALL) * interval
        rotation = rotation @ turn(rate * interval)
        # How the errors act on each other does not depend on the state: that is what this choice of errors is for.
        step = np.eye(15)
        step[3:6, 0:3] = cross_matrix(FALL * interval)
        step[6:9, 0:3] = cross_matrix(FALL * interval**2 / 2)
        step[6:9, 3:6] = np.eye(3) * interval
        # A bias of the gyroscope turns the world about its origin, and with it velocity and position.
        step[0:3, 9:12] = -middle * interval
        step[3:6, 9:12] = -cross_matrix(velocity - force * interval / 2) @ middle * interval
        step[6:9, 9:12] = -cross_matrix(position - force * interval**2 / 4) @ middle * interval
        step[3:6, 12:15] = -middle * interval
        step[6:9, 12:15] = -middle * interval**2 / 2
        spread = np.zeros((15, 12))
        spread[:9, :6] = step[:9, 9:] / np.sqrt(interval)  # white noise acts like a bias that is new in every interval
        spread[9:, 6:] = np.eye(6) * np.sqrt(interval)
        weighted = spread * densities
        noise = step @ noise @ step.T + weighted @ weighted.T
        transition = step @ transition
    return rotation, velocity, position, transition, noise


def propagate(state: State, times: Array, gyr: Array, acc: Array, noise: VisualNoise = DEFAULT_NOISE) -> State:
    """Return the state after IMU samples, gyr and acc (n, 3) in rad/s and m/s², from the first of times (n,) in s to the last."""
    densities = np.repeat([noise.gyr_density, noise.acc_density, noise.gyr_walk, noise.acc_walk], 3)
    rotation, velocity, position, transition, added = _carry(
        state.rotation,
        state.velocity,
        state.position,
        times,
        gyr - state.gyr_bias,
        acc - state.acc_bias,
        densities,
    )
    covariance = state.covariance.copy()
    covariance[:15] = transition @ covariance[:15]
    covariance[:, :15] = covariance[:, :15] @ transition.T
    covariance[:15, :15] += added
    return replace(state, rotation=rotation, velocity=velocity, position=position, covariance=covariance)


def remember_pose(state: State, camera: PinholeCamera) -> State:
    """Return the state with the camera's pose appended; its errors are the θ and ρ of the IMU, however it is mounted."""
    size = len(state.covariance)
    order = np.concatenate([np.arange(size), np.arange(size)[THETA], np.arange(size)[RHO]])
    rotation = state.rotation @ to_matrix(np.array(camera.orientation))
    position = state.position + state.rotation @ np.array(camera.position)
    return replace(
        state,
        covariance=state.covariance[np.ix_(order, order)],
        rotations=np.concatenate([state.rotations, rotation[np.newaxis]]),
        positions=np.concatenate([state.positions, position[np.newaxis]]),
    )


def forget_oldest_pose(state: State) -> State:
    """Return the state without its oldest pose."""
    kept = np.delete(np.arange(len(state.covariance)), np.arange(15, 21))
    return replace(
        state,
        covariance=state.covariance[np.ix_(kept, kept)],
        rotations=state.rotations[1:],
        positions=state.positions[1:],
    )
