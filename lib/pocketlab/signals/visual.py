"""Camera and IMU to a path in 3D: a multi-state constraint Kalman filter over a sliding window of past camera poses.

The IMU carries the pose from frame to frame. A landmark that was seen from several frames ties their poses together; it is
located from them, and its place is projected out, so that the state stays small however many landmarks there are. Scale
comes from the accelerometer, as one camera alone cannot tell a small room from a large one.

Source: Mourikis, Roumeliotis 2007 (A multi-state constraint Kalman filter for vision-aided inertial navigation), with the errors
of `visual_state`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.quaternions import to_matrix
from pocketlab.data.scene import Frame, PinholeCamera
from pocketlab.signals.kalman import checked_orientations, checked_rows, checked_times, gate, innovation_squared
from pocketlab.signals.visual_state import (
    DEFAULT_NOISE,
    State,
    VisualNoise,
    cross_matrix,
    forget_oldest_pose,
    propagate,
    remember_pose,
)

Array = NDArray[np.float64]

MAX_GAP_S = 0.1
MIN_OBSERVATIONS = 3
MIN_DEPTH_M = 0.1
MAX_DEPTH_ERROR = 0.3  # of the depth; a landmark located worse than this tells too little for a linear filter


def triangulate(
    rotations: Array, positions: Array, pixels: Array, camera: PinholeCamera, *, pixel_std: float = 1.0
) -> Array | None:
    """Locate a landmark (3,) in the world from pixels (m, 2) seen from m poses; None where they do not say how far away it is.

    First the point nearest to all the rays, then Gauss-Newton on the pixels. Too little parallax, or a point behind a camera:
    None.
    """
    rays = np.einsum("mij,mj->mi", rotations, camera.directions(pixels))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    across = np.eye(3) - rays[:, :, np.newaxis] * rays[:, np.newaxis, :]
    normal = across.sum(axis=0)
    if np.linalg.cond(normal) > 1e10:
        return None
    point = np.linalg.solve(normal, np.einsum("mij,mj->i", across, positions))
    for _ in range(4):
        residual, by_point, depths = _residual(rotations, positions, pixels, point, camera)
        if depths.min() < MIN_DEPTH_M:
            return None
        information = by_point.T @ by_point
        if np.linalg.cond(information) > 1e10:
            return None
        point = point + np.linalg.solve(information, by_point.T @ residual)
    spread = pixel_std * np.sqrt(np.linalg.eigvalsh(np.linalg.inv(information))[-1])
    return point if spread < MAX_DEPTH_ERROR * depths.mean() else None


def _residual(
    rotations: Array, positions: Array, pixels: Array, point: Array, camera: PinholeCamera
) -> tuple[Array, Array, Array]:
    """Residuals (2 m,) of a landmark's pixels, their derivative by the landmark (2 m, 3), and its depths (m,)."""
    x, y, z = np.einsum("mji,mj->im", rotations, point - positions)
    z = np.where(np.abs(z) < 1e-6, 1e-6, z)  # for a point in the camera itself; its depth is refused afterwards
    residual = pixels - camera.project(np.stack([x, y, z], axis=-1))
    zeros, (focal_x, focal_y) = np.zeros_like(z), camera.focal
    by_camera = np.stack([focal_x / z, zeros, -focal_x * x / z**2, zeros, focal_y / z, -focal_y * y / z**2], axis=-1)
    by_point = by_camera.reshape(-1, 2, 3) @ np.swapaxes(rotations, 1, 2)
    return residual.ravel(), by_point.reshape(-1, 3), z


def constraint(
    state: State, poses: NDArray[np.int64], pixels: Array, camera: PinholeCamera, noise: VisualNoise = DEFAULT_NOISE
) -> tuple[Array, Array] | None:
    """Return what a landmark says about the state: residuals (2 m − 3,) in pixels, and their derivative (2 m − 3, 15 + 6 M).

    poses: (m,) the poses that saw it, at pixels (m, 2). The landmark's own place, estimated from the same pixels, is
    projected out.
    None where it cannot be located, or where it disagrees with the rest so much that it must be a mismatch.
    """
    rotations, positions = state.rotations[poses], state.positions[poses]
    point = triangulate(rotations, positions, pixels, camera, pixel_std=noise.pixel_std)
    if point is None:
        return None
    residual, by_point, depths = _residual(rotations, positions, pixels, point, camera)
    if depths.min() < MIN_DEPTH_M:
        return None
    by_state = np.zeros((len(residual), len(state.covariance)))
    for row, pose in enumerate(poses):
        rows, column = slice(2 * row, 2 * row + 2), 15 + 6 * int(pose)
        by_state[rows, column : column + 3] = by_point[rows] @ cross_matrix(point)
        by_state[rows, column + 3 : column + 6] = -by_point[rows]
    free = np.linalg.qr(by_point, mode="complete")[0][:, 3:]  # what no shift of the landmark can explain
    residual, by_state = free.T @ residual, free.T @ by_state
    innovation = by_state @ state.covariance @ by_state.T + noise.pixel_std**2 * np.eye(len(residual))
    if innovation_squared(residual, innovation) > gate(noise.gate, len(residual)):
        return None
    return residual, by_state


def update(state: State, constraints: list[tuple[Array, Array]], pixel_std: float) -> State:
    """Return the state after all the constraints of a frame: one Kalman update, in Joseph's form."""
    if not constraints:
        return state
    residual = np.concatenate([each for each, _ in constraints])
    by_state = np.concatenate([each for _, each in constraints])
    if len(residual) > by_state.shape[1]:  # more rows than unknowns say no more than as many
        rotation, by_state = np.linalg.qr(by_state)
        residual = rotation.T @ residual
    innovation = by_state @ state.covariance @ by_state.T + pixel_std**2 * np.eye(len(residual))
    gain = np.linalg.solve(innovation, by_state @ state.covariance).T
    kept = np.eye(len(state.covariance)) - gain @ by_state
    covariance = kept @ state.covariance @ kept.T + pixel_std**2 * gain @ gain.T
    return replace(state.corrected(gain @ residual), covariance=(covariance + covariance.T) / 2)


@dataclass(frozen=True)
class Path:
    """A path of the IMU at each frame: positions (F, 3) m, velocities (F, 3) m/s, rotations (F, 3, 3) to the world.

    covariances: (F, 15, 15) of (θ, ν, ρ, gyroscope bias, accelerometer bias). used, refused: (F,) landmarks of each update.
    """

    positions: Array
    velocities: Array
    rotations: Array
    covariances: Array
    used: NDArray[np.int64]
    refused: NDArray[np.int64]


def track_camera(
    times: Array,
    gyr: Array,
    acc: Array,
    frame_times: Array,
    frames: Sequence[Frame],
    camera: PinholeCamera,
    *,
    orientation: Array,
    velocity: Array | None = None,
    noise: VisualNoise = DEFAULT_NOISE,
) -> Path:
    """Follow a phone in 3D from its IMU, gyr and acc (N, 3) in rad/s and m/s² at times (N,) in s, and features in F frames.

    frame_times: (F,) s, of the same clock, within `times`. frames: ids and pixels; a feature that was not seen in a frame
    ends, and a pixel that is NaN was not seen. orientation: (4,) at the first frame, phone to a world whose z is up; its
    heading defines the world's, the place there is the origin. velocity: (3,) m/s at that time, by default 0.
    Frames without features leave the IMU alone: the path then drifts, and the covariance says by how much.

    Raises ValueError for lengths that differ, times that do not grow, NaN in the IMU, or a gap in it of over 0.1 s.
    """
    times, gyr, acc, frame_times = _checked(times, gyr, acc, frame_times, frames)
    tilt, placed = [noise.tilt, noise.tilt, 1e-6], 1e-6  # heading and place are 0 by definition
    spread = np.repeat([noise.velocity, placed, noise.gyr_bias, noise.acc_bias], 3)
    start = np.zeros(3) if velocity is None else np.asarray(velocity, np.float64)
    rotation = to_matrix(checked_orientations(np.asarray(orientation, np.float64)))
    state = State(rotation, start, np.zeros(3), np.zeros(3), np.zeros(3), np.diag(np.concatenate([tilt, spread]) ** 2))
    tracks: dict[int, list[tuple[int, Array]]] = {}  # by landmark: frames and pixels that were not used yet
    rows = []
    for k, frame in enumerate(frames):
        if k:
            state = propagate(state, *_between(times, gyr, acc, frame_times[k - 1], frame_times[k]), noise)
        oldest = k - len(state.positions)
        state = remember_pose(state, camera)
        seen = {int(i): pixel for i, pixel in zip(frame.ids, frame.pixels, strict=True) if np.isfinite(pixel).all()}
        for landmark, pixel in seen.items():
            tracks.setdefault(landmark, []).append((k, pixel))
        full = len(state.positions) == noise.window
        ended = [i for i, track in tracks.items() if i not in seen or (full and track[0][0] == oldest)]
        found = [_constraint_of(state, tracks.pop(i), oldest, camera, noise) for i in ended]
        constraints = [each for each in found if each is not None]
        state = update(state, constraints, noise.pixel_std)
        if full:
            state = forget_oldest_pose(state)
        rows.append((state, len(constraints), len(found) - len(constraints)))
    states = [row[0] for row in rows]
    return Path(
        np.array([each.position for each in states]),
        np.array([each.velocity for each in states]),
        np.array([each.rotation for each in states]),
        np.array([each.covariance[:15, :15] for each in states]),
        np.array([row[1] for row in rows]),
        np.array([row[2] for row in rows]),
    )


def _constraint_of(
    state: State, track: list[tuple[int, Array]], oldest: int, camera: PinholeCamera, noise: VisualNoise
) -> tuple[Array, Array] | None:
    if len(track) < MIN_OBSERVATIONS:
        return None
    poses = np.array([k - oldest for k, _ in track])
    return constraint(state, poses, np.array([pixel for _, pixel in track]), camera, noise)


def _between(times: Array, gyr: Array, acc: Array, begin: float, end: float) -> tuple[Array, Array, Array]:
    """Times and samples from begin to end, interpolated at both."""
    inside = times[np.searchsorted(times, begin, "right") : np.searchsorted(times, end, "left")]
    wanted = np.concatenate([[begin], inside, [end]])
    sampled = [np.stack([np.interp(wanted, times, axis) for axis in rows.T], axis=-1) for rows in (gyr, acc)]
    return wanted, sampled[0], sampled[1]


def _checked(
    times: Array, gyr: Array, acc: Array, frame_times: Array, frames: Sequence[Frame]
) -> tuple[Array, Array, Array, Array]:
    times, frame_times = checked_times(times), checked_times(frame_times)
    gyr, acc = checked_rows(gyr, (len(times), 3), "gyr"), checked_rows(acc, (len(times), 3), "acc")
    if len(frames) != len(frame_times) or not len(frames):
        raise ValueError(
            f"Give one time for each frame, and a frame at least; there are {len(frame_times)} and {len(frames)}."
        )
    if not len(times) or frame_times[0] < times[0] or frame_times[-1] > times[-1]:
        raise ValueError(
            "Frames must lie within the times of the IMU; cut those before its first sample and after its last."
        )
    if not (np.isfinite(gyr).all() and np.isfinite(acc).all()):
        raise ValueError("The IMU's samples hold NaN; interpolate where few are missing, or start again after the gap.")
    if len(times) > 1 and np.diff(times).max() > MAX_GAP_S:
        at = int(np.diff(times).argmax())
        raise ValueError(
            f"The IMU has no sample for {times[at + 1] - times[at]:.2f} s after {times[at]} s: a phone may turn anywhere "
            "in that time. Start again after the gap."
        )
    return times, gyr, acc, frame_times
