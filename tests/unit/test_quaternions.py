"""Quaternions against scipy's rotations, and the errors of orientations in two parts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pocketlab.data import quaternions as q


def scipy_of(quaternions: np.ndarray) -> Rotation:
    return Rotation.from_quat(quaternions, scalar_first=True)


@pytest.fixture(scope="module")
def pairs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((2, 500, 4))
    first, second = drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)
    return first, second


def test_products_matrices_and_turned_vectors_are_scipys(pairs):
    first, second = pairs
    vectors = np.random.default_rng(1).standard_normal((500, 3))
    product = scipy_of(first) * scipy_of(second)
    # Both are right to some rounding errors of 1e-16.
    np.testing.assert_allclose(scipy_of(q.multiply(first, second)).as_matrix(), product.as_matrix(), atol=1e-14)
    np.testing.assert_allclose(q.to_matrix(first), scipy_of(first).as_matrix(), atol=1e-14)
    np.testing.assert_allclose(q.rotate(first, vectors), scipy_of(first).apply(vectors), atol=1e-13)
    np.testing.assert_allclose(q.multiply(first, q.conjugate(first)), np.tile([1.0, 0, 0, 0], (500, 1)), atol=1e-15)


@pytest.mark.parametrize("size", [0.0, 1e-15, 1e-9, 1e-3, 1.0, 3.1])
def test_rotation_vectors_there_and_back(size):
    vectors = np.random.default_rng(2).standard_normal((50, 3))
    vectors *= size / np.linalg.norm(vectors, axis=-1, keepdims=True)
    quaternions = q.from_rotation_vector(vectors)
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=-1), 1, atol=1e-15)
    np.testing.assert_allclose(q.to_rotation_vector(quaternions), vectors, atol=1e-14)
    np.testing.assert_allclose(q.to_rotation_vector(-quaternions), vectors, atol=1e-14)


def test_angles_are_those_of_scipy_and_do_not_see_the_sign(pairs):
    first, second = pairs
    expected = (scipy_of(first).inv() * scipy_of(second)).magnitude()
    np.testing.assert_allclose(q.angle_between(first, second), expected, atol=1e-12)
    np.testing.assert_allclose(q.angle_between(-first, second), expected, atol=1e-12)


def test_an_error_has_a_part_about_the_vertical_and_a_tilt(pairs):
    truth, _ = pairs
    about_up = q.from_rotation_vector(np.array([0, 0, 0.3]))
    tilt = q.from_rotation_vector(np.array([0.12, 0.16, 0.0]))
    heading, inclination = q.heading_and_inclination_between(q.multiply(q.multiply(about_up, tilt), truth), truth)
    np.testing.assert_allclose(heading, 0.3, atol=1e-7)
    np.testing.assert_allclose(inclination, 0.2, atol=1e-7)  # arccos near 1 keeps half of the digits


def test_turning_at_a_rate_is_scipys_product_and_keeps_the_length():
    rng = np.random.default_rng(3)
    start, rates = np.array([0.5, 0.5, -0.5, 0.5]), rng.normal(0, 3, (200, 3))
    expected = Rotation.from_quat(start, scalar_first=True) * Rotation.from_rotvec(0.01 * rates)
    np.testing.assert_allclose(q.to_matrix(q.turned(start, rates, 0.01)), expected.as_matrix(), atol=1e-14)
    orientation = start
    for rate in rates:
        orientation = q.turned(orientation, rate, 0.01)
    assert abs(np.linalg.norm(orientation) - 1) < 1e-15


def test_the_shortest_rotation_to_up_is_horizontal_and_ends_up():
    for force in np.random.default_rng(4).normal(0, 10, (200, 3)):
        rotation = q.upright(force)
        np.testing.assert_allclose(q.rotate(rotation, force), [0, 0, np.linalg.norm(force)], atol=1e-13)
        assert rotation[3] == 0
        # Shortest: its angle is the one between the force and up.
        angle = np.arccos(force[2] / np.linalg.norm(force))
        assert np.linalg.norm(q.to_rotation_vector(rotation)) == pytest.approx(angle, abs=1e-7)
    np.testing.assert_array_equal(q.upright(np.array([0.0, 0.0, -9.8])), [0, 1, 0, 0])


@pytest.mark.parametrize("force", [[0.0, 0, 0], [np.nan, 0, 1], [np.inf, 0, 1]])
def test_a_force_that_points_nowhere_is_refused(force):
    with pytest.raises(ValueError, match="points nowhere"):
        q.upright(np.array(force))


def test_errors_are_the_angles_between_orientations_and_their_two_parts():
    rng = np.random.default_rng(6)
    truth, away = (q.from_rotation_vector(rng.normal(size=(200, 3))) for _ in range(2))
    # An arc cosine near 1 turns rounding by 1e-16 into an angle of the square root of twice that, 1.5e-8 rad, 8.5e-7 degrees,
    # and both parts and the total have one: two of them, twice for half angles.
    rounding = 4 * 8.5e-7
    off = q.multiply(away, truth)
    np.testing.assert_allclose(q.errors_in_degrees(off, 2 * truth)[:, 0], np.degrees(q.angle_between(truth, off)), atol=rounding)
    turned = q.multiply(q.from_rotation_vector(np.radians([0.0, 0.0, -30.0])), truth)
    np.testing.assert_allclose(q.errors_in_degrees(turned, truth)[:, 1:], [[30, 0]] * 200, atol=rounding)
    tilted = q.multiply(q.from_rotation_vector(np.radians([20.0, 0.0, 0.0])), truth)
    np.testing.assert_allclose(q.errors_in_degrees(tilted, truth)[:, 2], 20, atol=rounding)


def test_where_the_truth_is_unknown_so_is_the_error():
    truth = np.array([[1.0, 0, 0, 0], [np.nan] * 4])
    errors = q.errors_in_degrees(np.array([[1.0, 0, 0, 0]] * 2), truth)
    np.testing.assert_array_equal(errors, [[0, 0, 0], [np.nan] * 3])
