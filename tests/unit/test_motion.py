"""Simulated motion: its sensors against its truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pocketlab.data.motion import DISTURBANCES, EARTH_FIELD, KINDS, SPEEDS, Sensors, simulate_motion

PERFECT = Sensors(**dict.fromkeys([name for name in Sensors.__dataclass_fields__ if name != "mag_rate"], 0.0), mag_rate=1000.0)


def rotation(motion):
    return Rotation.from_quat(motion.quat, scalar_first=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("speed", SPEEDS)
def test_perfect_sensors_say_what_the_truth_does(kind, speed):
    motion = simulate_motion(kind, speed, breaks=1, duration_s=60, sample_rate_hz=1000, sensors=PERFECT, seed=3)
    turned = Rotation.identity()
    steps = Rotation.from_rotvec(motion.gyr / 1000)
    for step in steps[:2000]:
        turned = turned * step
    # The orientation is the product of all rotations; each of 2,000 rounds to 1e-16.
    assert (rotation(motion)[0] * turned * rotation(motion)[1999].inv()).magnitude() < 1e-12
    again = (rotation(motion)[:-1].inv() * rotation(motion)[1:]).as_rotvec()
    np.testing.assert_allclose(motion.gyr[1:], again * 1000, atol=1e-9)
    # Second differences of the position are its acceleration to h²/12 of the fourth derivative: about 1e-6 (2π·1.1)⁴·0.3 m/s⁴,
    # and at most twenty times that where a stretch begins.
    expected = np.diff(motion.position, 2, axis=0) * 1e6 + np.array([0, 0, 9.80665])
    difference = rotation(motion)[1:-1].apply(motion.acc[1:-1]) - expected
    assert np.abs(difference).max() < 0.02
    assert np.median(np.abs(difference)) < 1e-3
    np.testing.assert_allclose(rotation(motion).apply(motion.mag), np.tile(EARTH_FIELD, (len(motion.mag), 1)), atol=1e-9)


def test_rests_are_rests_and_each_is_another_pose():
    motion = simulate_motion(breaks=2, duration_s=90, sensors=PERFECT)
    moving = motion.movement
    assert not moving[:799].any()
    assert np.sum(np.diff(moving.astype(int)) == 1) == 3
    assert np.abs(motion.gyr[~moving]).max() < 1e-3
    assert np.linalg.norm(motion.acc[~moving], axis=1) == pytest.approx(9.80665, abs=1e-3)
    poses = rotation(motion)[[0, 3500, -1]]
    assert (poses[0].inv() * poses[1]).magnitude() > 0.1
    assert (poses[1].inv() * poses[2]).magnitude() > 0.1


def test_kinds_and_speeds_differ_as_they_are_called():
    rms = {}
    for kind in KINDS:
        for speed in SPEEDS:
            motion = simulate_motion(kind, speed, sensors=PERFECT, seed=1)
            free = motion.acc - rotation(motion).inv().apply([0, 0, 9.80665])
            rms[kind, speed] = np.sqrt(np.mean(motion.gyr**2)), np.sqrt(np.mean(free**2))
    assert rms["rotation", "fast"][0] > 2 * rms["rotation", "slow"][0] > 10 * rms["translation", "slow"][0]
    assert rms["translation", "fast"][1] > 3 * rms["translation", "slow"][1]
    assert rms["combined", "fast"][1] > 3 * rms["rotation", "fast"][1]


def test_sensors_are_as_bad_as_their_figures_say():
    sensors = Sensors()
    rests = [simulate_motion(seed=seed, sensors=sensors, duration_s=25) for seed in range(60)]
    biases = np.array([motion.gyr[:799].mean(0) for motion in rests])
    # 180 draws tell a standard deviation to 1 / sqrt(360), 5 %; four of those.
    assert np.std(biases) == pytest.approx(sensors.gyr_bias, rel=0.21)
    noise = np.array([np.diff(motion.gyr[:799], axis=0).std() / np.sqrt(2) for motion in rests]).mean()
    assert noise == pytest.approx(sensors.gyr_noise * np.sqrt(100), rel=0.05)
    noise = np.array([np.diff(motion.acc[:799], axis=0).std() / np.sqrt(2) for motion in rests]).mean()
    assert noise == pytest.approx(sensors.acc_noise * np.sqrt(100), rel=0.05)


def test_an_attached_magnet_is_constant_in_the_sensor_and_only_while_it_is_there():
    plain = simulate_motion(sensors=PERFECT, seed=5)
    magnet = simulate_motion(sensors=PERFECT, seed=5, disturbance="attached_magnet", magnet_s=(20, 60))
    offset = magnet.mag - plain.mag
    assert np.abs(offset[:2000]).max() == np.abs(offset[6000:]).max() == 0
    np.testing.assert_allclose(offset[2000:6000], np.tile(offset[3000], (4000, 1)), atol=1e-9)
    near = simulate_motion(sensors=PERFECT, seed=5, disturbance="attached_magnet", magnet_distance_m=0.015)
    # A dipole's field falls with the third power of the distance.
    np.testing.assert_allclose((near.mag - plain.mag)[0], 8 * offset[3000], rtol=1e-9)


def test_a_stationary_magnet_and_an_office_depend_on_the_place_alone():
    for disturbance in ("stationary_magnet", "office"):
        motion = simulate_motion(sensors=PERFECT, seed=5, disturbance=disturbance, breaks=1)
        field = rotation(motion).apply(motion.mag)
        assert np.ptp(field, axis=0).min() > 0.5
        np.testing.assert_allclose(field[:700], np.tile(field[0], (700, 1)), atol=1e-9)  # at rest
        assert np.abs(np.diff(field, axis=0)).max() < 5  # and it has no jumps


def test_taps_and_vibration_shake_only_the_accelerometer():
    plain = simulate_motion(sensors=PERFECT, seed=2)
    for disturbance, least in (("tapping", 20), ("vibration", 1)):
        shaken = simulate_motion(sensors=PERFECT, seed=2, disturbance=disturbance)
        assert np.abs(shaken.acc - plain.acc).max() > least
        assert np.abs(shaken.acc - plain.acc)[~plain.movement].max() == 0
        np.testing.assert_array_equal(shaken.gyr, plain.gyr)


def test_a_seed_repeats_and_a_slow_magnetometer_holds_its_reading():
    first, second = (simulate_motion(seed=9, sample_rate_hz=200, disturbance="office") for _ in range(2))
    for name in ("gyr", "acc", "mag", "quat"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(first.mag[::2], first.mag[1::2])  # 100 Hz beside 200 Hz
    assert not np.array_equal(first.mag, simulate_motion(seed=10, sample_rate_hz=200, disturbance="office").mag)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "jumping"}, "'jumping' is no kind"),
        ({"speed": "quick"}, "'quick' is no speed"),
        ({"disturbance": "noise"}, "'noise' is no disturbance"),
        ({"sample_rate_hz": 0}, "must be positive"),
        ({"magnet_distance_m": -1}, "must be positive"),
        ({"duration_s": 10}, "too short"),
        ({"breaks": 20}, "too short"),
        ({"breaks": -1}, "breaks"),
    ],
)
def test_what_cannot_be_simulated_is_said(changes, message):
    with pytest.raises(ValueError, match=message):
        simulate_motion(**changes)


def test_every_disturbance_runs():
    for disturbance in DISTURBANCES:
        motion = simulate_motion(disturbance=disturbance, duration_s=40)
        assert all(np.isfinite(getattr(motion, name)).all() for name in ("gyr", "acc", "mag", "quat", "position"))
