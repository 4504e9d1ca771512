"""Depth images to points, and a plane among them: ours against OpenCV's and scikit-learn's, one thread.

The two take turns, so that other work on the machine slows both. The plane is the floor of the simulated room, thinned to voxels
of 5 cm. scikit-learn regresses height, so that it cannot find walls; on a floor both do the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
from sklearn.linear_model import RANSACRegressor

from bench.row import Row
from pocketlab.data.room import scan_depth, to_room
from pocketlab.operations.latency import latency_percentiles
from pocketlab.signals.points import find_plane, points_from_depth, thin_voxels

ROUNDS = 15


def in_turn(name: str, whose: str, ours: Callable[[], object], theirs: Callable[[], object]) -> list[Row]:
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS + 1):  # the first is to warm up
        for call, taken in zip((ours, theirs), times, strict=True):
            begun = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begun)
    percentiles = zip(("median", "p90"), *(latency_percentiles(taken, 1) for taken in times), strict=True)
    return [Row(f"{name}, {which}", "ms", mine, other, whose) for which, mine, other in percentiles]


def points() -> list[Row]:
    cv2.setNumThreads(1)
    scan = scan_depth()
    (fx, fy), (cx, cy) = scan.camera.focal, scan.camera.center
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    rows = in_turn(
        "depth 256×192 to points",
        "OpenCV",
        lambda: points_from_depth(scan.depth, scan.camera),
        lambda: cv2.depthTo3d(scan.depth, matrix),
    )
    cloud = thin_voxels(to_room(points_from_depth(scan.depth, scan.camera), scan), 0.05)
    ransac = RANSACRegressor(residual_threshold=0.04, max_trials=1000, stop_probability=0.999, random_state=0)
    return rows + in_turn(
        f"plane in {len(cloud)} points",
        "scikit-learn",
        lambda: find_plane(cloud, threshold_m=0.04),
        lambda: ransac.fit(cloud[:, :2], cloud[:, 2]),
    )


BENCHES = {"points": points}
