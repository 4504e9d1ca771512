from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from pocketlab.data import room, scene
from pocketlab.data.inertial import GRAVITY
from pocketlab.data.quaternions import conjugate, from_rotation_vector, multiply, rotate, to_matrix


@functools.cache
def perfect():
    return scene.simulate_scene(12.0, noise=None, pixel_std=0, miss_share=0, outlier_share=0)


def seen_by_opencv(made, k: int) -> np.ndarray:
    """All landmarks as OpenCV projects them into frame k."""
    i = int(np.searchsorted(made.times, made.frame_times[k]))
    to_world = to_matrix(made.orientations[i]) @ to_matrix(np.array(made.camera.orientation))
    center = made.positions[i] + to_matrix(made.orientations[i]) @ np.array(made.camera.position)
    (fx, fy), (cx, cy) = made.camera.focal, made.camera.center
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    turn, _ = cv2.Rodrigues(to_world.T)
    return cv2.projectPoints(made.landmarks, turn, -to_world.T @ center, matrix, None)[0][:, 0]


def test_pixels_are_those_of_opencv():
    made = perfect()
    for k in (0, 40, 100):
        frame = made.frames[k]
        assert len(frame.ids) > 20
        np.testing.assert_allclose(frame.pixels, seen_by_opencv(made, k)[frame.ids], rtol=0, atol=1e-6)


def test_directions_undo_project():
    camera = scene.PinholeCamera()
    pixels = np.array([[0.0, 0.0], [639.0, 479.0], [319.5, 239.5]])
    np.testing.assert_allclose(camera.project(3 * camera.directions(pixels)), pixels, rtol=0, atol=1e-9)
    points = np.array([[0, 0, 1.0], [0, 0, -1.0], [9, 0, 1.0], [0, 0, 0.05]])
    np.testing.assert_array_equal(camera.sees(points), [True, False, False, False])


def test_the_imu_integrates_to_the_path():
    made = perfect()
    q, velocity, position, step = made.orientations[0], np.zeros(3), made.positions[0], 1 / 200
    for k in range(len(made.times) - 1):
        rate, force = (made.imu.gyr[k] + made.imu.gyr[k + 1]) / 2, (made.imu.acc[k] + made.imu.acc[k + 1]) / 2
        middle = multiply(q, from_rotation_vector(rate * step / 2))
        acceleration = rotate(middle, force) - np.array([0, 0, GRAVITY])
        position = position + velocity * step + acceleration * step**2 / 2
        velocity = velocity + acceleration * step
        q = multiply(q, from_rotation_vector(rate * step))
    # Second order: 12 s of 200 Hz, motions of up to 1.5 Hz, accelerations of up to 3 m/s².
    np.testing.assert_allclose(position, made.positions[-1], rtol=0, atol=0.01)
    np.testing.assert_allclose(made.imu.velocities[:150], 0, atol=1e-6)
    assert np.linalg.norm(made.imu.velocities, axis=1).max() > 0.8


def test_noise_misses_and_outliers_have_their_shares():
    made, clean = scene.simulate_scene(20.0, pixel_std=0.7, miss_share=0.1, outlier_share=0.05, noise=None), perfect()
    assert np.mean([len(f.ids) for f in made.frames[:100]]) == pytest.approx(
        0.9 * np.mean([len(f.ids) for f in clean.frames[:100]]), rel=0.02
    )
    off = np.concatenate([made.frames[k].pixels - seen_by_opencv(made, k)[made.frames[k].ids] for k in range(100)])
    far = np.abs(off).max(axis=1) > 5
    assert far.mean() == pytest.approx(0.05, abs=0.01)
    assert off[~far].std() == pytest.approx(0.7, rel=0.03)


def test_the_same_seed_gives_the_same_scene():
    first, again = (scene.simulate_scene(2.0, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.imu.gyr, again.imu.gyr)
    np.testing.assert_array_equal(first.frames[3].pixels, again.frames[3].pixels)
    assert not np.array_equal(first.landmarks, scene.simulate_scene(2.0, seed=5).landmarks)


@pytest.mark.parametrize("rates", [(200, 0), (200, 30), (0, 10)])
def test_rates_that_do_not_fit_are_refused(rates):
    with pytest.raises(ValueError, match="whole multiple"):
        scene.simulate_scene(1.0, sample_rate_hz=rates[0], frame_rate_hz=rates[1])


def test_a_depth_scan_without_noise_lies_on_the_surfaces():
    scan = room.scan_depth(noise=0, outlier_share=0, hole_share=0)
    rows, columns = np.mgrid[:192, :256]
    points = scan.camera.directions(np.stack([columns, rows], axis=-1).astype(float)) * scan.depth[..., np.newaxis]
    points = room.to_room(points.reshape(-1, 3), scan)
    sides = np.concatenate(
        [points - 0, points - room.ROOM, (points - room.TABLE[0])[:, :2], points - room.TABLE[1]], axis=1
    )
    assert np.abs(sides).min(axis=1).max() < 1e-6  # float32 of 5 m
    assert (points > -1e-6).all()
    assert (points < room.ROOM + 1e-6).all()
    inside_table = ((points > room.TABLE[0] + 1e-5) & (points < room.TABLE[1] - 1e-5)).all(axis=1)
    assert not inside_table.any()
    assert (np.abs(points[:, 2] - 0.75) < 1e-6).sum() > 500


def test_depth_noise_grows_with_the_square_of_the_distance():
    clean = room.scan_depth(noise=0, outlier_share=0, hole_share=0).depth.astype(float)
    noisy = room.scan_depth(outlier_share=0, hole_share=0).depth
    assert ((noisy - clean) / clean**2).std() == pytest.approx(1.425e-3, rel=0.02)
    holes = room.scan_depth(hole_share=0.1).depth
    assert (holes == 0).mean() == pytest.approx(0.1, abs=0.01)


def test_surfaces_are_told_in_the_frame_of_the_camera():
    scan = room.scan_depth()
    normal, offset = room.surface_in_camera("floor", scan)
    np.testing.assert_allclose(offset, -1.6, atol=1e-12)
    floor_point = rotate(conjugate(scan.orientation), np.array([2.0, 1.0, 0.0]) - scan.position)
    assert normal @ floor_point == pytest.approx(offset)


def test_a_lidar_measures_ranges_with_noise():
    points, clean = room.scan_lidar(outlier_share=0), room.scan_lidar(outlier_share=0, noise_m=0)
    assert points.shape == (32 * 720, 3)
    assert np.linalg.norm(points - clean, axis=1).std() < 0.02
    assert (np.linalg.norm(points, axis=1) - np.linalg.norm(clean, axis=1)).std() == pytest.approx(0.02, rel=0.03)
