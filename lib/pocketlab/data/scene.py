"""A simulated phone that films: landmarks seen by a pinhole camera along a smooth path, with an IMU and the truth.

The phone goes round in a hall whose walls, floor and ceiling carry landmarks, bobs up and down, and looks ahead. Pixels have
noise; some landmarks are missed and some observations are mismatched, as a feature tracker's are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.inertial import PHONE, ImuNoise, ImuRecord, measure_motion
from pocketlab.data.quaternions import conjugate, from_rotation_vector, multiply, rotate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PinholeCamera:
    """A pinhole camera: x right, y down, z forward; pixel (0, 0) is the center of the upper left one.

    focal, center: (x, y) in pixels. size: width and height in pixels. orientation: (4,) quaternion, w first, camera to phone.
    position: (3,) of the camera in the phone's frame, in m.
    """

    focal: tuple[float, float] = (460.0, 460.0)
    center: tuple[float, float] = (319.5, 239.5)
    size: tuple[int, int] = (640, 480)
    orientation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def project(self, points: Array) -> Array:
        """Return pixels (…, 2) of points (…, 3) in the camera's frame; z must be above 0."""
        return np.asarray(points[..., :2] / points[..., 2:] * self.focal + self.center)

    def directions(self, pixels: Array) -> Array:
        """Return points (…, 3) of depth 1 m in the camera's frame, behind pixels (…, 2)."""
        plane = (pixels - np.asarray(self.center)) / np.asarray(self.focal)
        return np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)

    def sees(self, points: Array) -> NDArray[np.bool_]:
        """Return which points (…, 3) in the camera's frame lie at least 0.1 m before it and inside its picture."""
        ahead = points[..., 2] > 0.1
        pixels = self.project(np.where(ahead[..., np.newaxis], points, 1.0))
        return np.asarray(ahead & (pixels >= -0.5).all(axis=-1) & (pixels < np.asarray(self.size) - 0.5).all(axis=-1))


@dataclass(frozen=True)
class Frame:
    """What a feature tracker finds in one picture: ids (n,) of landmarks and their pixels (n, 2)."""

    ids: NDArray[np.int64]
    pixels: Array


@dataclass(frozen=True)
class Scene:
    """A phone's way through a hall: truth, IMU and camera.

    times: (N,) s. positions: (N, 3) m and orientations: (N, 4), phone to world (z up). imu: gyr, acc, biases, velocities.
    frame_times: (F,) s, each one of `times`; frames: F of them. landmarks: (L, 3) m.
    """

    camera: PinholeCamera
    times: Array
    positions: Array
    orientations: Array
    imu: ImuRecord
    frame_times: Array
    frames: tuple[Frame, ...]
    landmarks: Array


# The phone is held upright: its x points to the right, y up, z to the one who films; the rear camera looks along −z.
REAR_CAMERA = PinholeCamera(orientation=(0.0, 1.0, 0.0, 0.0), position=(0.02, 0.06, 0.0))

HALL = (16.0, 12.0, 4.0)  # width (x), depth (y) and height (z) of the hall in m; its center is the origin
REST_S = 1.0


def simulate_scene(
    duration_s: float = 40.0,
    *,
    speed: float = 1.0,
    sample_rate_hz: float = 200.0,
    frame_rate_hz: float = 10.0,
    landmarks: int = 400,
    pixel_std: float = 1.0,
    miss_share: float = 0.05,
    outlier_share: float = 0.02,
    noise: ImuNoise | None = PHONE,
    camera: PinholeCamera = REAR_CAMERA,
    seed: int = 0,
) -> Scene:
    """Simulate rounds through the hall at about `speed` in m/s, after one second of rest.

    pixel_std: of the noise of each coordinate. miss_share, outlier_share: of observations that are missed, or land anywhere
    in the picture. noise: of the IMU; None for a perfect one. The same seed gives the same scene.

    Raises ValueError unless the sample rate is a whole multiple of the frame rate, both above 0.
    """
    every = round(sample_rate_hz / frame_rate_hz) if frame_rate_hz > 0 else 0
    if not every or abs(every * frame_rate_hz - sample_rate_hz) > 1e-6:
        raise ValueError(
            f"The sample rate must be a whole multiple of the frame rate; they are {sample_rate_hz} and {frame_rate_hz} Hz."
        )
    rng = np.random.default_rng(seed)
    points = _on_the_walls(landmarks, rng)
    times = np.arange(round(duration_s * sample_rate_hz) + 1) / sample_rate_hz
    positions, orientations = _rounds(times, speed)
    imu = measure_motion(positions, orientations, sample_rate_hz=sample_rate_hz, noise=noise, rng=rng)
    frames = [
        _observe(camera, positions[i], orientations[i], points, pixel_std, miss_share, outlier_share, rng)
        for i in range(0, len(times), every)
    ]
    return Scene(camera, times, positions, orientations, imu, times[::every], tuple(frames), points)


def _rounds(times: Array, speed: float) -> tuple[Array, Array]:
    """Positions (N, 3) and orientations (N, 4) along an ellipse, from rest to speed within two seconds."""
    radius_x, radius_y = HALL[0] / 2 - 3, HALL[1] / 2 - 3
    moving = np.clip((times - REST_S) / 2, 0, None)
    ramp = np.minimum(moving, 1)
    # The integral of 10u³ − 15u⁴ + 6u⁵, which grows from 0 to 1 with acceleration that is smooth at both ends.
    way = speed * 2 * (2.5 * ramp**4 - 3 * ramp**5 + ramp**6 + np.clip(moving - 1, 0, None))
    angle = way / ((radius_x + radius_y) / 2)
    envelope = ramp**3 * (10 - 15 * ramp + 6 * ramp**2)
    east, north = radius_x * np.cos(angle), radius_y * np.sin(angle)
    bob = envelope * (0.15 * np.sin(2.3 * way) + 0.03 * np.sin(9.0 * way))
    heading = np.unwrap(np.arctan2(radius_y * np.cos(angle), -radius_x * np.sin(angle)))
    yaw = heading - np.pi / 2 + envelope * 0.3 * np.sin(0.9 * way)
    pitch, roll = envelope * 0.10 * np.sin(1.7 * way), envelope * 0.08 * np.sin(1.1 * way)
    zeros = np.zeros_like(times)
    turn = from_rotation_vector(np.stack([zeros, zeros, yaw], axis=-1))
    tilt = from_rotation_vector(np.stack([np.pi / 2 + pitch, zeros, zeros], axis=-1))
    lean = from_rotation_vector(np.stack([zeros, zeros, roll], axis=-1))
    return np.stack([east, north, bob], axis=-1), multiply(multiply(turn, tilt), lean)


def _on_the_walls(count: int, rng: np.random.Generator) -> Array:
    """Random points (count, 3) on the six sides of the hall, as many on each side as fits its area."""
    half = np.array(HALL) / 2
    areas = np.array([half[1] * half[2], half[0] * half[2], half[0] * half[1]])
    axis = rng.choice(3, count, p=areas / areas.sum())
    points = rng.uniform(-half, half, (count, 3))
    points[np.arange(count), axis] = rng.choice([-1.0, 1.0], count) * half[axis]
    return points


def _observe(
    camera: PinholeCamera,
    position: Array,
    orientation: Array,
    points: Array,
    pixel_std: float,
    miss_share: float,
    outlier_share: float,
    rng: np.random.Generator,
) -> Frame:
    in_phone = rotate(conjugate(orientation), points - position) - np.array(camera.position)
    in_camera = rotate(conjugate(np.array(camera.orientation)), in_phone)
    ids = np.flatnonzero(camera.sees(in_camera) & (rng.random(len(points)) >= miss_share))
    pixels = camera.project(in_camera[ids]) + rng.normal(0, pixel_std, (len(ids), 2))
    wrong = rng.random(len(ids)) < outlier_share
    pixels[wrong] = rng.uniform(0, camera.size, (int(wrong.sum()), 2))
    return Frame(ids, pixels)
