"""The classical filters against `ahrs`, closed forms, simulated truth and motion capture."""

from __future__ import annotations

import os
from pathlib import Path

import ahrs
import numpy as np
import pytest
from scipy.io import loadmat

from pocketlab.data import quaternions
from pocketlab.data.inertial import GRAVITY
from pocketlab.data.motion import simulate_motion
from pocketlab.signals import orientation_classics as classics
from pocketlab.signals import orientation_kalman as kalman

RATE = 100.0
EARTH_FIELD = np.array([0.0, 19.0, -46.0])
FILTERS = {
    "integration": (classics, classics.Integration()),
    "complementary": (classics, classics.Complementary()),
    "mahony": (classics, classics.Mahony()),
    "madgwick": (classics, classics.Madgwick()),
    "kalman": (kalman, kalman.Settings()),
}


def estimate(name_or_settings, gyr, acc, mag=None, rate=RATE):
    module, settings = FILTERS[name_or_settings] if isinstance(name_or_settings, str) else (classics, name_or_settings)
    if isinstance(settings, kalman.Settings):
        module = kalman
    return module.run(gyr, acc, mag, rate, module.start(rate, settings, mag is not None), settings)


def measured(truth, rates):
    """What perfect sensors at one place measure."""
    body = quaternions.conjugate(truth)
    return rates, quaternions.rotate(body, np.array([0, 0, GRAVITY])), quaternions.rotate(body, EARTH_FIELD)


def cone(seconds=20.0, rate=RATE, tilt=0.4, turns_per_s=0.5):
    """A coning motion: the sensor's up goes round at a fixed tilt. Rates are the exact means over each interval."""
    angles = 2 * np.pi * turns_per_s * np.arange(round(seconds * rate)) / rate
    truth = quaternions.from_rotation_vector(tilt * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=-1))
    steps = quaternions.to_rotation_vector(quaternions.multiply(quaternions.conjugate(truth[:-1]), truth[1:]))
    return truth, np.concatenate([np.zeros((1, 3)), steps * rate])


def degrees_off(got, truth):
    return np.degrees(quaternions.angle_between(got, truth))


@pytest.fixture(scope="module")
def random_samples():
    rng = np.random.default_rng(4)
    return rng.normal(0, 2, (500, 3)), rng.normal([0, 0, 9.8], 3, (500, 3)), rng.normal([10, 15, -40], 5, (500, 3))


@pytest.mark.parametrize("with_mag", [False, True])
def test_mahony_is_that_of_ahrs(random_samples, with_mag):
    gyr, acc, mag = random_samples
    got = estimate("mahony", gyr, acc, mag if with_mag else None)
    peer = ahrs.filters.Mahony(frequency=RATE, k_P=1.0, k_I=0.3)
    q = got[0]
    for k in range(1, len(gyr)):
        q = peer.updateMARG(q, gyr[k], acc[k], mag[k]) if with_mag else peer.updateIMU(q, gyr[k], acc[k])
        # The filter forgets as many rounding errors of 1e-16 as it makes.
        np.testing.assert_allclose(got[k], q, rtol=0, atol=1e-12)


@pytest.mark.parametrize("with_mag", [False, True])
def test_madgwick_is_that_of_ahrs(random_samples, with_mag):
    gyr, acc, mag = random_samples
    got = estimate("madgwick", gyr, acc, mag if with_mag else None)
    peer = ahrs.filters.Madgwick(frequency=RATE, gain=0.041 if with_mag else 0.033)
    quarter_turn = quaternions.from_rotation_vector(np.array([0, 0, np.pi / 2]))  # its world: north, west, up
    q = quaternions.multiply(quaternions.conjugate(quarter_turn), got[0])
    for k in range(1, len(gyr)):
        q = peer.updateMARG(q, gyr[k], acc[k], mag[k]) if with_mag else peer.updateIMU(q, gyr[k], acc[k])
        np.testing.assert_allclose(got[k], quaternions.multiply(quarter_turn, q), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FILTERS)
def test_first_orientation_is_that_of_gravity_and_north(name):
    rng = np.random.default_rng(0)
    truths = rng.standard_normal((50, 4))
    truths /= np.linalg.norm(truths, axis=1, keepdims=True)
    for truth in [*truths, np.array([0.0, 1, 0, 0]), np.array([0.0, 0, 0, 1])]:
        gyr, acc, mag = measured(truth[np.newaxis], np.zeros((1, 3)))
        # sqrt(1e-16): an angle read from a quaternion whose w is 1 but for the last digit.
        np.testing.assert_allclose(quaternions.angle_between(estimate(name, gyr, acc, mag)[0], truth), 0, atol=1e-7)
        up = quaternions.rotate(estimate(name, gyr, acc)[0], acc[0])
        np.testing.assert_allclose(up, [0, 0, GRAVITY], atol=1e-12)


@pytest.mark.parametrize("name", ["integration", "complementary", "kalman"])
@pytest.mark.parametrize("with_mag", [False, True])
def test_a_cone_with_perfect_sensors_is_followed_exactly(name, with_mag):
    truth, rates = cone()
    gyr, acc, mag = measured(truth, rates)
    got = estimate(name, gyr, acc, mag if with_mag else None)
    # Without a magnetometer the heading is that of the shortest rotation, which this cone starts with.
    np.testing.assert_allclose(quaternions.angle_between(got, truth), 0, atol=1e-7)


@pytest.mark.parametrize("name", ["mahony", "madgwick"])
def test_a_cone_is_followed_to_the_first_order_of_the_step(name):
    # Both compare a sample with the orientation one step before it: an error in proportion to the time between samples.
    errors = []
    for rate in (400.0, 800.0):
        truth, rates = cone(rate=rate)
        errors.append(degrees_off(estimate(name, *measured(truth, rates), rate), truth).max())
    assert errors[1] < 1
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.02)


def test_integration_drifts_by_bias_times_time():
    truth = np.tile([1.0, 0, 0, 0], (1001, 1))
    bias = np.array([0, 0, np.radians(0.5)])
    got = estimate("integration", *measured(truth, np.tile(bias, (1001, 1))))
    np.testing.assert_allclose(degrees_off(got, truth), 0.5 * np.arange(1001) / RATE, atol=1e-6)


def test_complementary_filter_is_a_low_pass_of_its_time_constant():
    seconds, step = 12.0, 0.05
    count = round(seconds * RATE)
    level = np.tile([1.0, 0, 0, 0], (count, 1))
    gyr, acc, mag = measured(level, np.zeros((count, 3)))
    tilted = quaternions.conjugate(quaternions.from_rotation_vector(np.array([step, 0, 0])))
    acc[1:] = quaternions.rotate(tilted, acc[1:])
    got = estimate(classics.Complementary(tilt_time_s=2.0), gyr, acc)
    expected = step * (1 - np.exp(-np.arange(count) / RATE / 2.0))
    np.testing.assert_allclose(quaternions.to_rotation_vector(got)[:, 0], expected, atol=1e-12)
    turned = quaternions.conjugate(quaternions.from_rotation_vector(np.array([0, 0, step])))
    mag[1:] = quaternions.rotate(turned, mag[1:])
    got = estimate(classics.Complementary(heading_time_s=3.0), *measured(level, gyr)[:2], mag)
    expected = step * (1 - np.exp(-np.arange(count) / RATE / 3.0))
    np.testing.assert_allclose(quaternions.to_rotation_vector(got)[:, 2], expected, atol=1e-12)


def test_complementary_filter_holds_a_bias_at_bias_times_time_constant():
    count, bias, time_s = 6000, 0.01, 3.0
    level = np.tile([1.0, 0, 0, 0], (count, 1))
    got = estimate(classics.Complementary(heading_time_s=time_s), *measured(level, np.tile([0, 0, bias], (count, 1))))
    part = -np.expm1(-1 / RATE / time_s)
    np.testing.assert_allclose(quaternions.to_rotation_vector(got)[-1], [0, 0, bias / RATE * (1 - part) / part], atol=1e-9)


@pytest.mark.parametrize("name", ["complementary", "kalman"])
def test_a_magnet_turns_the_heading_and_leaves_the_tilt(name):
    truth, rates = cone()
    gyr, acc, mag = measured(truth, rates)
    disturbed = estimate(name, gyr, acc, mag + quaternions.rotate(quaternions.conjugate(truth), np.array([15.0, 0, 30.0])))
    heading, tilt = quaternions.heading_and_inclination_between(disturbed, truth)
    assert np.degrees(heading[0]) > 30
    assert np.degrees(tilt).max() < 0.05


@pytest.mark.parametrize(("name", "tilt"), [("mahony", 0.0), ("kalman", 0.0), ("kalman", 0.4)])
def test_a_bias_is_learned_at_rest_and_in_motion(name, tilt):
    truth, rates = cone(seconds=120.0, tilt=tilt)
    bias = np.radians([0.4, -0.3, 0.5])
    gyr, acc, mag = measured(truth, rates + bias)
    state_at = {"mahony": lambda state: state[5:], "kalman": lambda state: state.values[5:]}[name]
    module, settings = FILTERS[name]
    state = module.start(RATE, settings, True)
    got = module.run(gyr, acc, mag, RATE, state, settings)
    np.testing.assert_allclose(state_at(state), bias, atol=0.02 * np.linalg.norm(bias))
    assert degrees_off(got[-1000:], truth[-1000:]).max() < 0.2
    assert degrees_off(estimate("integration", gyr, acc, mag)[-1000:], truth[-1000:]).min() > 5


def test_kalman_covariance_is_that_of_the_matrix_form():
    rng = np.random.default_rng(3)
    gyr, acc, mag = rng.normal(0, 1, (200, 3)), rng.normal([0, 0, 9.8], 0.5, (200, 3)), rng.normal([5, 18, -40], 2, (200, 3))
    settings = kalman.Settings()
    state = kalman.start(RATE, settings, True)
    covariance = state.covariance.copy()
    noise = np.diag(np.repeat([settings.gyroscope_noise**2 / RATE, settings.bias_walk**2 / RATE], 3))
    variances = RATE * np.array([(settings.acceleration_noise / GRAVITY) ** 2] * 2 + [settings.heading_noise**2])
    before = kalman.run(gyr[:1], acc[:1], mag[:1], RATE, state, settings)[0]
    for k in range(1, 200):
        bias = state.values[5:].copy()
        step = quaternions.from_rotation_vector((gyr[k] - bias) / RATE)
        transition = np.eye(6)
        transition[:3, 3:] = -quaternions.to_matrix(quaternions.multiply(before, step)) / RATE
        covariance = transition @ covariance @ transition.T + noise
        gain = covariance[:, :3] @ np.linalg.inv(covariance[:3, :3] + np.diag(variances))
        covariance = covariance - gain @ covariance[:3]
        before = kalman.run(gyr[k : k + 1], acc[k : k + 1], mag[k : k + 1], RATE, state, settings)[0]
    # 200 steps of two orders of the same sums; the variances are below 0.05.
    np.testing.assert_allclose(state.covariance, covariance, rtol=0, atol=1e-14)
    np.testing.assert_allclose(state.covariance, state.covariance.T, rtol=0, atol=1e-16)


def test_kalman_gate_leaves_accelerations_out():
    truth, rates = cone()
    gyr, acc, mag = measured(truth, rates)
    acc[500:600] += [15.0, 0, 0]
    gated, plain = (estimate(kalman.Settings(norm_gate=gate), gyr, acc, mag) for gate in (2.0, np.inf))
    assert degrees_off(gated, truth).max() < 1e-4
    assert degrees_off(plain, truth).max() > 1


@pytest.mark.parametrize("kind", ["rotation", "combined"])
@pytest.mark.parametrize("speed", ["slow", "fast"])
def test_simulated_motion_is_followed(kind, speed):
    motion = simulate_motion(kind, speed, duration_s=60.0, seed=5)
    errors = {name: degrees_off(estimate(name, motion.gyr, motion.acc, motion.mag), motion.quat) for name in FILTERS}
    rms = {name: float(np.sqrt(np.mean(error[motion.movement] ** 2))) for name, error in errors.items()}
    # What the magnetometer's offset of 0.7 µT and a room's 0.5 µT, in each axis, do to 19 µT: some 3°.
    assert rms["kalman"] < 4
    for name in ("complementary", "madgwick", "kalman"):
        assert rms[name] < rms["integration"]


@pytest.mark.parametrize("trial", ["02_undisturbed_slow_rotation_B", "15_undisturbed_fast_translation_A"])
def test_motion_capture_agrees(trial):
    path = Path(os.environ.get("POCKETLAB_DATA", "")) / "broad" / f"{trial}.mat"
    if not path.exists():
        pytest.skip(f"POCKETLAB_DATA has no broad/{trial}.mat")
    record = loadmat(path)
    gyr, acc, mag = (np.ascontiguousarray(record[key], dtype=np.float64) for key in ("imu_gyr", "imu_acc", "imu_mag"))
    scored = record["movement"][:, 0].astype(bool) & np.isfinite(record["opt_quat"]).all(axis=1)
    truth = record["opt_quat"][scored]
    rate = float(record["sampling_rate"].item())
    rms = {name: np.sqrt(np.mean(degrees_off(estimate(name, gyr, acc, mag, rate)[scored], truth) ** 2)) for name in FILTERS}
    # Sensors of half a percent, a marker frame aligned to 0.5°, magnetic fields of a room: a few degrees.
    assert rms["kalman"] < 4
    assert rms["kalman"] < rms["integration"] / 5
    assert rms["complementary"] < rms["integration"] / 2
    assert rms["madgwick"] < rms["integration"] / 2


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("with_mag", [False, True])
def test_compiled_loops_compute_what_python_computes(name, with_mag, random_samples):
    gyr, acc, mag = (samples[:50] for samples in random_samples)
    loop = kalman._run if name == "kalman" else classics.LOOPS[type(FILTERS[name][1])]
    module, settings = FILTERS[name]
    state = module.start(RATE, settings, with_mag)
    got = module.run(gyr, acc, mag if with_mag else None, RATE, state, settings)
    state, expected = module.start(RATE, settings, with_mag), np.empty((50, 4))
    numbers = {
        "integration": (),
        "complementary": (3.0, 9.0),
        "mahony": (1.0, 0.3),
        "madgwick": (0.041 if with_mag else 0.033,),
        "kalman": (0.01, 3e-5, 0.5, 0.2, np.inf),
    }[name]
    arrays = state if name == "kalman" else (state,)
    loop.py_func(gyr, acc, mag if with_mag else np.empty((0, 3)), 1 / RATE, *numbers, *arrays, expected)
    # The compiler may fuse a product and a sum: some rounding errors of 1e-16 over 50 steps.
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: classics.Complementary(tilt_time_s=0), "tilt_time_s is 0; expected a number of at least 1e-06"),
        (lambda: classics.Mahony(integral=-1), "integral is -1; expected a number of at least 0"),
        (lambda: classics.Madgwick(beta=float("nan")), "beta is nan"),
        (lambda: classics.Madgwick(beta="big"), "beta is 'big'"),
        (lambda: kalman.Settings(heading_noise=0.0), "heading_noise is 0.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
