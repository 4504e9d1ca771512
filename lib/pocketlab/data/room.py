"""A simulated room with a table, scanned by a phone's depth camera or a turning LIDAR: points with noise, outliers, holes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.quaternions import conjugate, from_rotation_vector, multiply, rotate
from pocketlab.data.scene import PinholeCamera

Array = NDArray[np.float64]

# A corner of the room is the origin; sizes in m.
ROOM = np.array([5.0, 4.0, 2.6])
TABLE = np.array([[1.8, 1.2, 0.0], [3.2, 2.0, 0.75]])  # lower and upper corner of a solid block

# Surfaces by label: a unit vector into the room, and its product with any point of the surface.
SURFACES: dict[str, tuple[tuple[float, float, float], float]] = {
    "west wall": ((1, 0, 0), 0.0),
    "south wall": ((0, 1, 0), 0.0),
    "floor": ((0, 0, 1), 0.0),
    "east wall": ((-1, 0, 0), -5.0),
    "north wall": ((0, -1, 0), -4.0),
    "ceiling": ((0, 0, -1), -2.6),
    "table": ((0, 0, 1), 0.75),
}

PHONE_DEPTH_CAMERA = PinholeCamera(focal=(210.0, 210.0), center=(127.5, 95.5), size=(256, 192))


@dataclass(frozen=True)
class DepthScan:
    """A depth image (height, width) float32 in m along z, 0 where there is none; its camera, and how that stood in the room.

    position: (3,) m. orientation: (4,) camera to room.
    """

    depth: NDArray[np.float32]
    camera: PinholeCamera
    position: Array
    orientation: Array


# Looking north-east and 25° down: x right, y down, z forward.
OVERVIEW = ((0.4, 0.4, 1.6), (-50.0, 25.0))


def scan_depth(
    *,
    position: tuple[float, float, float] = OVERVIEW[0],
    view_deg: tuple[float, float] = OVERVIEW[1],
    camera: PinholeCamera = PHONE_DEPTH_CAMERA,
    noise: float = 1.425e-3,
    outlier_share: float = 0.02,
    hole_share: float = 0.05,
    seed: int = 0,
) -> DepthScan:
    """Scan the room with a depth camera at `position`, turned from north by view_deg[0] to the left, and down by view_deg[1].

    noise: its standard deviation in m is this times the depth squared; the figure is that of the first Kinect, 1.4 mm at 1 m
    and 3.6 cm at 5 m (Khoshelham and Oude Elberink 2012, Sensors 12), in want of one for phones. outlier_share: pixels with any
    depth from 0.3 to 6 m. hole_share: pixels without one.
    """
    rng = np.random.default_rng(seed)
    orientation = _looking(*np.radians(view_deg))
    rows, columns = np.mgrid[: camera.size[1], : camera.size[0]]
    directions = camera.directions(np.stack([columns, rows], axis=-1).astype(np.float64))
    distance = _first_hit(np.array(position), rotate(orientation, directions))  # directions have depth 1
    depth = distance + rng.normal(0, 1, distance.shape) * noise * distance**2
    outliers = rng.random(depth.shape) < outlier_share
    depth = np.where(outliers, rng.uniform(0.3, 6.0, depth.shape), depth)
    depth = np.where(rng.random(depth.shape) < hole_share, 0.0, depth)
    return DepthScan(depth.astype(np.float32), camera, np.array(position), orientation)


def scan_lidar(
    *,
    position: tuple[float, float, float] = (1.0, 3.0, 1.2),
    channels: int = 32,
    columns: int = 720,
    noise_m: float = 0.02,
    outlier_share: float = 0.02,
    seed: int = 0,
) -> Array:
    """Return points (N, 3) in m around a LIDAR at `position` in the room, its axes parallel to the room's.

    channels: rings from 45° below to 45° above the horizon. noise_m: of the range (2 cm: the accuracy given for the turning
    LIDAR of 32 channels in the data set nuScenes, Caesar et al. 2020).
    """
    rng = np.random.default_rng(seed)
    elevation, azimuth = np.meshgrid(
        np.linspace(-np.pi / 4, np.pi / 4, channels), np.arange(columns) * 2 * np.pi / columns, indexing="ij"
    )
    level = np.cos(elevation)
    directions = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1).reshape(-1, 3)
    ranges = _first_hit(np.array(position), directions) + rng.normal(0, noise_m, len(directions))
    outliers = rng.random(len(ranges)) < outlier_share
    ranges[outliers] = rng.uniform(0.3, 6.0, int(outliers.sum()))
    return np.asarray(directions * ranges[:, np.newaxis])


def to_room(points: Array, scan: DepthScan) -> Array:
    """Return points (N, 3) of the camera's frame in the room's."""
    return rotate(scan.orientation, points) + scan.position


def surface_in_camera(name: str, scan: DepthScan) -> tuple[Array, float]:
    """Return a surface's normal (3,) and offset as the camera sees them: normal · point = offset."""
    normal, offset = SURFACES[name]
    return rotate(conjugate(scan.orientation), np.array(normal, np.float64)), offset - float(scan.position @ normal)


def _looking(left: float, down: float) -> Array:
    """The quaternion of a camera (z forward, y down) that looks north, turned left and then down, in rad."""
    turn, tilt = from_rotation_vector(np.array([0.0, 0.0, left])), from_rotation_vector(np.array([-down, 0.0, 0.0]))
    level = from_rotation_vector(np.array([-np.pi / 2, 0.0, 0.0]))
    return multiply(turn, multiply(tilt, level))


def _first_hit(origin: Array, directions: Array) -> Array:
    """How many times its direction (…, 3) each ray goes until it meets a wall or the table."""
    with np.errstate(divide="ignore"):
        to_walls = np.where(directions > 0, (ROOM - origin) / directions, -origin / directions)
        near, far = (TABLE[0] - origin) / directions, (TABLE[1] - origin) / directions
    wall = np.where(directions == 0, np.inf, to_walls).min(axis=-1)
    enter, leave = np.minimum(near, far).max(axis=-1), np.maximum(near, far).min(axis=-1)
    return np.asarray(np.where((enter > 0) & (enter < leave), np.minimum(enter, wall), wall))
