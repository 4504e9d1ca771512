from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid

from pocketlab.data import walking
from pocketlab.data.geodesy import to_local
from pocketlab.data.inertial import GRAVITY, PHONE
from pocketlab.data.quaternions import angle_between, from_rotation_vector, multiply, rotate

LEGS = ((60, 90, 8), (40, 0, 5))


@pytest.fixture(scope="module")
def perfect():
    return walking.simulate_walk(LEGS, noise=None)


def test_a_perfect_imu_integrates_to_the_truth(perfect):
    force = rotate(perfect.orientations, perfect.imu.acc) - np.array([0, 0, GRAVITY])
    velocity = cumulative_trapezoid(force, perfect.times, axis=0, initial=0) + perfect.imu.velocities[0]
    position = cumulative_trapezoid(velocity, perfect.times, axis=0, initial=0) + perfect.positions[0]
    # The trapezoidal rule is off by T²/12 times the second derivative: at 2 Hz 0.15 % of what swings, a few millimeters
    # per second at most; of it, what does not cancel grows over 80 s.
    assert np.abs(velocity - perfect.imu.velocities).max() < 0.005
    assert np.abs(position - perfect.positions).max() < 0.1


def test_the_angular_rate_integrates_to_the_orientation(perfect):
    q = perfect.orientations[0]
    for rate in (perfect.imu.gyr[:-1] + perfect.imu.gyr[1:]) / 2:
        q = multiply(q, from_rotation_vector(rate / perfect.sample_rate_hz))
    assert angle_between(q, perfect.orientations[-1]) < np.radians(0.5)


def test_the_walk_follows_its_legs(perfect):
    np.testing.assert_allclose(perfect.positions[-1, :2], [60, 40], rtol=0, atol=1.0)  # corners are cut
    speed = np.linalg.norm(perfect.imu.velocities[1000:4000, :2], axis=1)
    assert speed.mean() == pytest.approx(1.4, abs=0.03)
    assert perfect.still[:300].all()
    assert not perfect.still[1000:4000].any()
    assert np.abs(perfect.imu.velocities[perfect.still]).max() < 0.01


@pytest.mark.parametrize(("speed", "rise"), [(0.7, 0.0274), (1.6, 0.0483)])
def test_steps_have_the_published_figures(speed, rise):
    walk = walking.simulate_walk(((80, 0, 3),), speed=speed, noise=None)
    middle = slice(len(walk.times) // 3, 2 * len(walk.times) // 3)
    assert np.ptp(walk.positions[middle, 2]) == pytest.approx(rise, rel=0.02)
    cadence = 60 / np.diff(walk.step_times)[10:-10].mean()
    length = walk.step_lengths[10:-10].mean()
    assert length / cadence == pytest.approx(walking.WALK_RATIO, rel=0.02)
    assert length * cadence / 60 == pytest.approx(speed, rel=0.02)


def test_gps_errs_as_it_says_and_wanders():
    legs = ((3000, 0, 0),)
    walk = walking.simulate_walk(legs, noise=None, sample_rate_hz=20)
    errors = to_local(walk.gps.geodetic, walk.origin) - np.stack(
        [np.interp(walk.gps.times, walk.times, axis) for axis in walk.positions.T], axis=-1
    )
    inside = np.linalg.norm(errors[:, :2], axis=1) <= walk.gps.accuracies[:, 0]
    # 2100 fixes that wander with 60 s are worth about 2100/120 = 18 independent ones: 0.68 ± 3 · 0.11.
    assert 0.35 < inside.mean() < 1.0
    unit = errors / walk.gps.accuracies[:, [0, 0, 1]]
    neighbors = [np.corrcoef(axis[:-1], axis[1:])[0, 1] for axis in unit.T]
    assert np.mean(neighbors) == pytest.approx(walking.GPS_SLOW_SHARE * np.exp(-1 / 60), abs=0.1)


def test_tunnel_and_reflections():
    walk = walking.simulate_walk(LEGS, tunnel=(20, 40), outlier_share=0.2, seed=3)
    assert not ((walk.gps.times >= 20) & (walk.gps.times <= 40)).any()
    errors = to_local(walk.gps.geodetic, walk.origin)[:, :2] - np.stack(
        [np.interp(walk.gps.times, walk.times, axis) for axis in walk.positions[:, :2].T], axis=-1
    )
    assert 0.05 < walk.gps.outliers.mean() < 0.4
    far = np.linalg.norm(errors, axis=1)
    assert far[walk.gps.outliers].min() > 5
    assert np.median(far[walk.gps.outliers]) > 3 * np.median(far[~walk.gps.outliers])


def test_noise_has_its_density_and_the_bias_its_spread():
    noisy = walking.simulate_walk(LEGS, seed=5).imu
    perfect = walking.simulate_walk(LEGS, noise=None, seed=5).imu
    white = noisy.gyr - noisy.gyr_bias - perfect.gyr
    assert white.std() == pytest.approx(PHONE.gyr_density * 10, rel=0.02)
    biases = [walking.simulate_walk(((2, 0, 0),), seed=seed).imu.acc_bias[0] for seed in range(60)]
    assert np.std(biases) == pytest.approx(PHONE.acc_bias, rel=0.25)  # 180 numbers: 5 % for each standard deviation


def test_the_same_seed_gives_the_same_walk():
    first, again, other = (walking.simulate_walk(LEGS, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.imu.acc, again.imu.acc)
    np.testing.assert_array_equal(first.gps.geodetic, again.gps.geodetic)
    assert not np.array_equal(first.imu.acc, other.imu.acc)
    assert all(len(getattr(first.imu, f.name)) == len(first.times) for f in dataclasses.fields(first.imu))


def test_running_leaves_the_ground_and_weighs_the_same():
    size = walking.simulate_running(30)[:, 2]
    assert size.mean() == pytest.approx(GRAVITY, rel=0.02)
    assert 0.2 < (size < 1.5).mean() < 0.4


def test_riding_shakes_as_much_as_it_says():
    acc = walking.simulate_riding(60)
    np.testing.assert_allclose(acc.std(axis=0), [0.17, 0.17, 0.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("legs", "options", "message"),
    [
        (LEGS, {"speed": 0}, "must be above 0"),
        (LEGS, {"sample_rate_hz": 0}, "must be above 0"),
        ((), {}, "at least one leg"),
    ],
)
def test_no_walk_without_speed_rate_or_way(legs, options, message):
    with pytest.raises(ValueError, match=message):
        walking.simulate_walk(legs, **options)
