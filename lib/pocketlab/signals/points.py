"""Points of a depth camera or LIDAR: from pixels to points, thinned, and the planes among them: floor and walls.

Sources: Fischler, Bolles 1981 (Random sample consensus), for planes among outliers; Hoppe et al. 1992 (Surface reconstruction
from unorganized points), for normals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pocketlab.data.scene import PinholeCamera

Array = NDArray[np.float64]


def points_from_depth(depth: Array | NDArray[np.float32], camera: PinholeCamera) -> Array:
    """Return points (N, 3) in m in the camera's frame (x right, y down, z forward) of a depth image (height, width) in m.

    Depth is along z, not along the ray. Pixels of depth 0 or below, NaN or infinite are holes and give no point.
    Raises ValueError for an image of another size than the camera's.
    """
    depth = np.asarray(depth, dtype=np.float64)
    if depth.shape != camera.size[::-1]:
        raise ValueError(
            f"The camera's image is {camera.size[0]} wide and {camera.size[1]} high, so depth has shape {camera.size[::-1]}; "
            f"this one has {depth.shape}."
        )
    rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
    return np.asarray(camera.directions(np.stack([columns, rows], axis=-1)) * depth[rows, columns, np.newaxis])


def thin_voxels(points: Array, size_m: float) -> Array:
    """Return one point, the mean, for each cube of edge size_m in which points (N, 3) lie: (M, 3), in order of the cubes.

    Near surfaces are scanned densely and far ones sparsely; thinned, each square meter counts about the same.
    Raises ValueError for a size that is not positive.
    """
    points = _checked_points(points, 0)
    if not size_m > 0:
        raise ValueError(f"A voxel's edge must be above 0 m; it is {size_m}.")
    if not len(points):
        return points
    cubes = np.floor(points / size_m).astype(np.int64)
    _, cube, counts = np.unique(cubes, axis=0, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(cube.ravel(), weights=axis) for axis in points.T], axis=-1)
    return np.asarray(sums / counts[:, np.newaxis])


@dataclass(frozen=True)
class Plane:
    """All points with normal · point = offset: normal (3,) of length 1, offset in m. It faces the origin, the scanner."""

    normal: Array
    offset: float


def distance_to_plane(points: Array, plane: Plane) -> Array:
    """Return the distances (…,) in m of points (…, 3), above 0 on the side to which the normal points."""
    return np.asarray(points @ plane.normal - plane.offset)


def fit_plane(points: Array) -> Plane:
    """Return the plane that has the least sum of squared distances to points (N, 3).

    Through their mean, and across the direction in which they vary least: the last right singular vector.
    Raises ValueError for fewer than 3 points, or where all lie on one line.
    """
    points = _checked_points(points, 3)
    mean = points.mean(axis=0)
    _, lengths, directions = np.linalg.svd(points - mean, full_matrices=False)
    # Rounding alone makes points of a line vary across it by about 1e-16 of how far off they are.
    if lengths[1] <= 1e-12 * np.sqrt(len(points)) * max(np.abs(points).max(), lengths[0]):
        raise ValueError(f"These {len(points)} points lie on one line, or in one place: many planes go through them.")
    return _plane(directions[2], mean)


def _plane(normal: Array, point: Array) -> Plane:
    offset = float(normal @ point)
    return Plane(-normal, -offset) if offset > 0 else Plane(normal, offset)


def ransac_iterations(inlier_share: float, *, confidence: float = 0.999, sample_size: int = 3) -> int:
    """Return how often to draw so that with this confidence one sample at least is free of outliers.

    log(1 − confidence) / log(1 − inlier_share^sample_size). Raises ValueError for a share that is not above 0 and at most 1.
    """
    if not (0 < inlier_share <= 1 and 0 < confidence < 1):
        raise ValueError(
            f"Shares lie between 0 and 1; these are {inlier_share} of inliers and {confidence} confidence."
        )
    clean = inlier_share**sample_size
    return 1 if clean == 1 else max(1, int(np.ceil(np.log1p(-confidence) / np.log1p(-clean))))


def find_plane(
    points: Array, *, threshold_m: float = 0.03, min_share: float = 0.1, seed: int = 0
) -> tuple[Plane, NDArray[np.bool_]]:
    """Return the plane with the most of points (N, 3) within threshold_m, and which those are, (N,) bool.

    Draws three points, counts who is near their plane, and keeps the best; the more are near, the fewer draws are left. Least
    squares over the near ones, twice, makes the plane exact. min_share: of points, below which there is no plane worth the
    name.

    Raises ValueError for fewer than 3 points, for points on one line, or where no plane has that many.
    """
    points = _checked_points(points, 3)
    if not threshold_m > 0:
        raise ValueError(f"The threshold must be above 0 m; it is {threshold_m}.")
    fit_plane(points)  # refuses points on one line
    rng = np.random.default_rng(seed)
    best, most = np.zeros(len(points), np.bool_), 0
    draws, needed = 0, ransac_iterations(min_share)
    while draws < needed:
        draws += 1
        first, second, third = points[rng.choice(len(points), 3, replace=False, shuffle=False)]
        across = np.cross(second - first, third - first)
        length = np.linalg.norm(across)
        if length == 0:
            continue
        near = np.abs((points - first) @ (across / length)) <= threshold_m
        count = int(near.sum())
        if count > most:
            best, most = near, count
            needed = min(needed, ransac_iterations(most / len(points)))
    if most < max(3, min_share * len(points)):
        raise ValueError(
            f"No plane has {min_share:.0%} of the {len(points)} points within {threshold_m} m: the best has {most}. "
            "Take a larger threshold or a smaller share."
        )
    for _ in range(2):
        plane = fit_plane(points[best])
        best = np.abs(distance_to_plane(points, plane)) <= threshold_m
    return plane, best


def find_planes(
    points: Array, *, threshold_m: float = 0.03, min_share: float = 0.05, most: int = 8, seed: int = 0
) -> tuple[list[Plane], NDArray[np.int64]]:
    """Return up to `most` planes, largest first, and for each of points (N, 3) the index of its plane, or −1.

    One plane after the other, each among the points that are left; min_share is of all points.
    """
    points = _checked_points(points, 3)
    planes: list[Plane] = []
    labels = np.full(len(points), -1)
    while len(planes) < most:
        left = np.flatnonzero(labels < 0)
        share = min_share * len(points) / max(1, len(left))
        if len(left) < 3 or share > 1:
            break
        try:
            plane, near = find_plane(points[left], threshold_m=threshold_m, min_share=share, seed=seed + len(planes))
        except ValueError:
            break  # what is left is no plane
        labels[left[near]] = len(planes)
        planes.append(plane)
    return planes, labels


def estimate_normals(points: Array, *, neighbors: int = 16) -> Array:
    """Return unit normals (N, 3) of points (N, 3): across the plane of each point's nearest neighbors, on the scanner's side.

    Raises ValueError where there are fewer points than neighbors, or fewer than 3 of these.
    """
    if neighbors < 3:
        raise ValueError(f"A plane needs 3 neighbors at least; {neighbors} were asked for.")
    points = _checked_points(points, neighbors)
    _, near = cKDTree(points).query(points, k=neighbors)
    centered = points[near] - points[near].mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(np.swapaxes(centered, 1, 2) @ centered)[1][:, :, 0]
    away = np.einsum("ni,ni->n", normals, points) > 0
    return np.asarray(np.where(away[:, np.newaxis], -normals, normals))


@dataclass(frozen=True)
class Room:
    """Planes by what they are: the lowest level one is the floor, walls stand upright; tables and ceilings are others."""

    floor: Plane | None
    walls: tuple[Plane, ...]
    others: tuple[Plane, ...]


def floor_and_walls(planes: Sequence[Plane], up: Array, *, tolerance_deg: float = 10.0) -> Room:
    """Sort planes by their angle to `up` (3,), the direction against gravity in the scanner's frame (an IMU at rest measures it).

    Raises ValueError for an `up` without direction.
    """
    up = np.asarray(up, dtype=np.float64)
    if up.shape != (3,) or not np.linalg.norm(up) > 0:
        raise ValueError(f"up must be a direction of three numbers; it is {up}.")
    up = up / np.linalg.norm(up)
    level = [plane for plane in planes if plane.normal @ up > np.cos(np.radians(tolerance_deg))]
    walls = [plane for plane in planes if abs(plane.normal @ up) < np.sin(np.radians(tolerance_deg))]
    # The offset of a level plane that looks up is its height above the scanner.
    floor = min(level, key=lambda plane: plane.offset, default=None)
    others = [plane for plane in planes if plane is not floor and not any(plane is wall for wall in walls)]
    return Room(floor, tuple(walls), tuple(others))


def _checked_points(points: Array, least: int) -> Array:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"Points must have shape (N, 3); these have {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError("Some points are not finite numbers; leave out the holes of a scan first.")
    if len(points) < least:
        raise ValueError(f"This needs {least} points at least and got {len(points)}.")
    return points
