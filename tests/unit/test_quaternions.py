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
