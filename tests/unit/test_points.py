from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from pocketlab.data import room
from pocketlab.data.scene import PinholeCamera
from pocketlab.signals import points


@functools.cache
def scanned():
    scan = room.scan_depth(seed=1)
    return scan, points.points_from_depth(scan.depth, scan.camera)


def angle_deg(a, b) -> float:
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def test_points_are_those_of_opencv():
    scan, got = scanned()
    (fx, fy), (cx, cy) = scan.camera.focal, scan.camera.center
    theirs = cv2.depthTo3d(scan.depth, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))[..., :3]
    # OpenCV computes in float32: a few steps of 6 m.
    np.testing.assert_allclose(got, theirs[scan.depth > 0], rtol=0, atol=1e-5)


def test_holes_give_no_point():
    camera = PinholeCamera(focal=(2.0, 2.0), center=(0.0, 0.0), size=(3, 2))
    depth = np.array([[0.0, np.nan, -1.0], [np.inf, 2.0, 4.0]])
    np.testing.assert_allclose(points.points_from_depth(depth, camera), [[1, 1, 2], [4, 2, 4]])
    with pytest.raises(ValueError, match=r"shape \(2, 3\); this one has \(3, 2\)"):
        points.points_from_depth(depth.T, camera)


def test_each_voxel_gives_the_mean_of_its_points():
    rng = np.random.default_rng(0)
    cloud = rng.uniform(-1, 1, (500, 3))
    got = points.thin_voxels(cloud, 0.5)
    groups: dict = {}
    for point in cloud:
        groups.setdefault(tuple(np.floor(point / 0.5).astype(int)), []).append(point)
    np.testing.assert_allclose(got, [np.mean(groups[key], axis=0) for key in sorted(groups)], rtol=0, atol=1e-12)
    assert points.thin_voxels(np.empty((0, 3)), 0.1).shape == (0, 3)
    with pytest.raises(ValueError, match="above 0 m"):
        points.thin_voxels(cloud, 0)


def test_a_fitted_plane_has_the_least_squared_distances():
    rng = np.random.default_rng(2)
    cloud = rng.normal(0, 1, (200, 3)) * [2.0, 1.5, 0.05] + [0.3, 0.4, 3.0]
    plane = points.fit_plane(cloud)
    least = (points.distance_to_plane(cloud, plane) ** 2).sum()
    assert least == pytest.approx(np.linalg.eigvalsh((cloud - cloud.mean(0)).T @ (cloud - cloud.mean(0)))[0])
    for turn in rng.normal(0, 0.01, (20, 3)):
        normal = (plane.normal + turn) / np.linalg.norm(plane.normal + turn)
        assert (
            points.distance_to_plane(cloud, points.Plane(normal, float(normal @ cloud.mean(0)))) ** 2
        ).sum() >= least
    assert points.distance_to_plane(np.zeros(3), plane) > 0  # it faces the scanner
    assert np.linalg.norm(plane.normal) == pytest.approx(1)


@pytest.mark.parametrize(
    ("cloud", "message"),
    [
        (np.zeros((2, 3)), "3 points at least and got 2"),
        (np.empty((0, 3)), "3 points at least and got 0"),
        (np.ones((5, 3)), "in one place"),
        (np.linspace(0, 1, 30)[:, np.newaxis] * [1.0, 2.0, 3.0] + [5.0, 1.0, 2.0], "on one line"),
        (np.zeros((5, 2)), r"shape \(N, 3\)"),
        (np.full((5, 3), np.nan), "not finite"),
    ],
)
def test_what_spans_no_plane_is_refused(cloud, message):
    for find in (points.fit_plane, points.find_plane):
        with pytest.raises(ValueError, match=message):
            find(cloud)


def test_three_points_are_a_plane():
    plane, near = points.find_plane(np.array([[1.0, 0, 2], [0, 1, 2], [0, 0, 2]]))
    np.testing.assert_allclose(plane.normal, [0, 0, -1], atol=1e-12)
    assert plane.offset == pytest.approx(-2)
    assert near.all()


def test_so_many_draws_find_one_free_of_outliers_as_often_as_promised():
    for share, confidence in ((0.5, 0.9), (0.3, 0.95), (0.8, 0.99)):
        draws = points.ransac_iterations(share, confidence=confidence)
        rng = np.random.default_rng(0)
        clean = (rng.random((20_000, draws, 3)) < share).all(axis=2).any(axis=1).mean()
        assert confidence - 0.01 < clean < 1
        if draws > 1:  # one draw less would not do
            assert 1 - (1 - share**3) ** (draws - 1) < confidence
    assert points.ransac_iterations(1.0) == 1
    assert points.ransac_iterations(0.5, confidence=0.99) == 35  # the textbook's: Hartley, Zisserman 2004, table 4.3
    for share in (0.0, 1.1, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            points.ransac_iterations(share)


def test_a_plane_among_outliers_is_exact_and_the_same_for_the_same_seed():
    rng = np.random.default_rng(3)
    flat = np.column_stack([rng.uniform(-2, 2, (400, 2)), rng.normal(3.0, 0.01, 400)])
    cloud = np.concatenate([flat, rng.uniform([-3, -3, 0], [3, 3, 6], (600, 3))])
    plane, near = points.find_plane(cloud, seed=7)
    # 400 points with 1 cm over 4 m: the slope is uncertain by 0.01 / (1.15 √400) rad, 0.025°; outliers nearby add some.
    assert angle_deg(plane.normal, np.array([0, 0, -1.0])) < 0.3
    assert plane.offset == pytest.approx(-3.0, abs=0.005)
    assert near[:400].mean() > 0.99
    assert near[400:].mean() < 0.05
    again, _ = points.find_plane(cloud, seed=7)
    np.testing.assert_array_equal(plane.normal, again.normal)
    other, _ = points.find_plane(cloud, seed=8)
    assert angle_deg(plane.normal, other.normal) < 0.1


def test_a_cloud_without_planes_says_so():
    cloud = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    with pytest.raises(ValueError, match="No plane has 50% of the 500 points"):
        points.find_plane(cloud, min_share=0.5)
    assert points.find_planes(cloud, min_share=0.5)[0] == []


def test_floor_and_walls_of_a_scanned_room():
    scan, cloud = scanned()
    thin = points.thin_voxels(cloud, 0.05)
    planes, labels = points.find_planes(thin, threshold_m=0.04)
    up = room.surface_in_camera("floor", scan)[0]
    found = points.floor_and_walls(planes, up)
    normal, offset = room.surface_in_camera("floor", scan)
    assert found.floor is not None
    # The floor is 2 to 5 m away, with 0.6 to 3.6 cm noise; over 3 m and thousands of points that is 0.1° and a few mm.
    assert angle_deg(found.floor.normal, normal) < 0.2
    assert found.floor.offset == pytest.approx(offset, abs=0.01)
    heights = points.distance_to_plane(cloud, found.floor)
    truth = room.to_room(cloud, scan)[:, 2]
    assert np.abs(heights - truth).max() < 0.04
    for name in ("north wall", "east wall"):
        normal, offset = room.surface_in_camera(name, scan)
        nearest = min(found.walls, key=lambda wall: angle_deg(wall.normal, normal))
        # Farther away, to 5 m, the noise is as wide as the threshold, which cuts it off unevenly where walls meet.
        assert angle_deg(nearest.normal, normal) < 2
        assert nearest.offset == pytest.approx(offset, abs=0.06)
    assert (labels == -1).mean() < 0.3


def test_a_lidar_sees_floor_ceiling_and_four_walls():
    cloud = room.scan_lidar(outlier_share=0.05)
    planes, _ = points.find_planes(cloud, threshold_m=0.06, min_share=0.02)
    found = points.floor_and_walls(planes, np.array([0, 0, 1.0]))
    assert found.floor is not None
    assert found.floor.offset == pytest.approx(-1.2, abs=0.005)
    for normal, offset in [([1, 0, 0], -1.0), ([-1, 0, 0], -4.0), ([0, 1, 0], -3.0), ([0, -1, 0], -1.0)]:
        nearest = min(found.walls, key=lambda wall: angle_deg(wall.normal, np.array(normal)))
        assert angle_deg(nearest.normal, np.array(normal)) < 0.5
        assert nearest.offset == pytest.approx(offset, abs=0.01)
    assert any(plane.normal[2] < -0.99 for plane in found.others)  # the ceiling
    assert points.floor_and_walls([], np.array([0, 0, 1.0])).floor is None
    with pytest.raises(ValueError, match="must be a direction"):
        points.floor_and_walls(planes, np.zeros(3))


def test_normals_follow_a_sphere_and_face_the_scanner():
    rng = np.random.default_rng(0)
    out = rng.normal(0, 1, (4000, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    normals = points.estimate_normals(out * 2.0)
    np.testing.assert_allclose(np.einsum("ni,ni->n", normals, out), -1, rtol=0, atol=0.02)
    with pytest.raises(ValueError, match="16 points at least"):
        points.estimate_normals(out[:10])
    with pytest.raises(ValueError, match="3 neighbors"):
        points.estimate_normals(out, neighbors=2)
