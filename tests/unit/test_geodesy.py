from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlab.data import geodesy

MUNICH = np.array([48.137, 11.575, 520.0])


def test_the_worked_example_of_epsg():
    # EPSG Guidance Note 7-2, method 9602, gives millimeters.
    place = np.array([53 + 48 / 60 + 33.820 / 3600, 2 + 7 / 60 + 46.380 / 3600, 73.0])
    ecef = np.array([3_771_793.968, 140_253.342, 5_124_304.349])
    np.testing.assert_allclose(geodesy.to_ecef(place), ecef, rtol=0, atol=1e-3)
    back = geodesy.from_ecef(ecef)
    np.testing.assert_allclose(back[:2], place[:2], rtol=0, atol=2e-8)  # a millimeter is 1e-8 degrees
    assert back[2] == pytest.approx(73.0, abs=1e-3)


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-5000, 50_000))
def test_there_and_back_is_within_a_micrometer_everywhere(latitude, longitude, height):
    ecef = geodesy.to_ecef(np.array([latitude, longitude, height]))
    np.testing.assert_allclose(geodesy.to_ecef(geodesy.from_ecef(ecef)), ecef, rtol=0, atol=1e-6)


def test_local_axes_are_east_north_and_up():
    steps = MUNICH + np.array([[0, 1e-5, 0], [1e-5, 0, 0], [0, 0, 1.0]])
    local = geodesy.to_local(steps, MUNICH)
    sine, a, e2 = np.sin(np.radians(48.137)), geodesy.EQUATOR_M, geodesy.ECCENTRICITY_SQUARED
    # The radii of curvature of the ellipsoid, along a circle of latitude and along a meridian.
    east = (a / np.sqrt(1 - e2 * sine**2) + 520) * np.cos(np.radians(48.137)) * np.radians(1e-5)
    north = (a * (1 - e2) / (1 - e2 * sine**2) ** 1.5 + 520) * np.radians(1e-5)
    np.testing.assert_allclose(local, np.diag([east, north, 1.0]), rtol=0, atol=1e-6)


def test_the_ground_falls_away_from_a_flat_frame():
    assert geodesy.to_local(geodesy.from_local(np.array([10_000.0, 0, 0]), MUNICH) * [1, 1, 0] + [0, 0, 520], MUNICH)[
        2
    ] == (pytest.approx(-(10_000**2) / 2 / 6.39e6, abs=0.05))


def test_from_local_undoes_to_local_for_rows():
    local = np.random.default_rng(0).uniform(-5000, 5000, (20, 3))
    np.testing.assert_allclose(geodesy.to_local(geodesy.from_local(local, MUNICH), MUNICH), local, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "message"), [([[120.0, 40.0, 0.0]], "first two swapped"), ([[1.0, 2.0]], r"\(1, 2\)")]
)
def test_what_is_no_place_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        geodesy.to_local(np.array(rows), MUNICH)
