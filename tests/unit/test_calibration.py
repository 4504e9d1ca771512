"""Ellipsoid calibration against known distortions; Allan deviation against closed forms and simulated noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pocketlab.data.inertial import BMI160_ACC_DENSITY, BMI160_GYR_DENSITY, ImuNoise, measure_motion
from pocketlab.data.motion import Sensors, simulate_motion
from pocketlab.signals.calibration import (
    allan_deviation,
    calibrate_accelerometer,
    calibrate_magnetometer,
    fit_ellipsoid,
    noise_figures,
)

GRAVITY = 9.80665
OFFSET = np.array([0.3, -0.5, 0.8])
DISTORTION = np.array([[1.03, 0.01, -0.02], [0.01, 0.97, 0.015], [-0.02, 0.015, 1.01]])  # symmetric


def box_positions() -> np.ndarray:
    """The 26 directions of a box's sides, edges and corners."""
    corners = np.array([step for step in itertools.product((-1.0, 0.0, 1.0), repeat=3) if any(step)])
    return corners / np.linalg.norm(corners, axis=1, keepdims=True)


def sphere(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((count, 3))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_a_distorted_accelerometer_is_made_right():
    true = GRAVITY * box_positions()
    found = calibrate_accelerometer(true @ DISTORTION + OFFSET)
    # Exact data: what is left are rounding errors, and the square root of them in a minimum of squares.
    np.testing.assert_allclose(found.offset, OFFSET, atol=1e-7)
    np.testing.assert_allclose(found.matrix, np.linalg.inv(DISTORTION), atol=1e-8)
    np.testing.assert_allclose(found.apply(true @ DISTORTION + OFFSET), true, atol=1e-6)
    assert found.residual < 1e-6


def test_nine_positions_are_enough():
    edges = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]]) / np.sqrt(2)
    true = GRAVITY * np.concatenate([np.eye(3), -np.eye(3), edges])
    found = calibrate_accelerometer(true @ DISTORTION + OFFSET)
    np.testing.assert_allclose(found.apply(true @ DISTORTION + OFFSET), true, atol=1e-6)


def test_crosstalk_that_is_not_symmetric_leaves_only_a_turn():
    skewed = DISTORTION @ np.array([[1, 0.02, 0], [0, 1, 0.03], [0, 0, 1]])
    true = GRAVITY * box_positions()
    calibrated = calibrate_accelerometer(true @ skewed.T + OFFSET).apply(true @ skewed.T + OFFSET)
    np.testing.assert_allclose(np.linalg.norm(calibrated, axis=1), GRAVITY, atol=1e-6)
    turn = np.linalg.lstsq(true, calibrated)[0]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)


def test_hard_and_soft_iron_of_a_noisy_magnetometer():
    noise, count = 0.5, 2000
    soft, hard = np.diag([1.2, 0.9, 1.0]) + 0.1 * (np.ones((3, 3)) - np.eye(3)), np.array([120.0, -80.0, 40.0])
    measured = 48 * sphere(count) @ soft + hard + np.random.default_rng(1).normal(0, noise, (count, 3))
    found = calibrate_magnetometer(measured, field_ut=48.0)
    # Each of 9 numbers is a mean over all samples; 0.37 is the smallest singular value of the equations: 4 standard errors.
    error = 4 * noise / np.sqrt(count) / 0.37
    np.testing.assert_allclose(found.offset, hard, atol=error)
    np.testing.assert_allclose(found.matrix @ soft, np.eye(3), atol=error / 48 * 2)
    assert found.residual == pytest.approx(noise * np.sqrt(np.mean(np.linalg.inv(soft) ** 2 * 3)), rel=0.1)


def test_refinement_removes_what_the_algebraic_fit_leaves():
    # With 5 % noise the algebraic fit is drawn inwards, since squares of noise do not average out; the second step is not.
    measured = 48 * sphere(20_000) + np.random.default_rng(2).normal(0, 2.4, (20_000, 3))
    found = calibrate_magnetometer(measured, field_ut=48.0)
    # The norm of a noisy vector is longer by σ²/r: 0.25 %.
    np.testing.assert_allclose(found.matrix, np.eye(3) * (1 - 0.05**2), atol=4 * 0.05 / np.sqrt(20_000) / 0.37)


def test_without_a_field_the_size_of_the_ellipsoid_stays():
    soft = np.diag([1.25, 0.8, 1.0])
    found = calibrate_magnetometer(48 * sphere(200) @ soft)
    np.testing.assert_allclose(found.matrix, np.linalg.inv(soft), atol=1e-7)
    assert np.linalg.det(found.matrix) == pytest.approx(1)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (box_positions()[:8], "8 samples do not determine an ellipsoid's 9 numbers"),
        (np.tile([0.0, 0, 9.8], (20, 1)), "All samples are the same"),
        (np.repeat(np.concatenate([np.eye(3), -np.eye(3)]), 3, axis=0) * 9.8, "hold it on edges and corners"),
        (sphere(100) * [1, 1, 0], "too few directions"),
        (sphere(100) * [1, 1, 0] + np.random.default_rng(0).normal(0, 0.01, (100, 3)), "too few directions"),
        (sphere(500)[sphere(500)[:, 2] > 0.9], "too few directions"),
        (np.random.default_rng(0).standard_normal((12, 2)), r"got shape \(12, 2\)"),
        (np.where(np.arange(26)[:, None] == 7, np.nan, box_positions()), "Sample 7 is not finite"),
    ],
)
def test_data_that_determine_no_ellipsoid_are_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        calibrate_accelerometer(samples)


def test_points_of_another_surface_are_refused():
    u = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    radii, angles = np.sqrt(0.5 + u[:, 0] ** 2), np.pi * u[:, 1]
    hyperboloid = np.stack([radii * np.cos(angles), radii * np.sin(angles), u[:, 0]], axis=1)
    with pytest.raises(ValueError, match="do not lie on an ellipsoid"):
        fit_ellipsoid(hyperboloid, 9, 1.0)


def test_a_magnetometer_takes_twelve_samples_and_a_field():
    with pytest.raises(ValueError, match="take 12 directions or more"):
        calibrate_magnetometer(48 * sphere(11))
    with pytest.raises(ValueError, match="The strength of the field is -3"):
        calibrate_magnetometer(48 * sphere(50), field_ut=-3)


def test_allan_deviation_of_a_ramp_is_slope_times_tau_over_root_two():
    tau, deviation = allan_deviation(3.0 * np.arange(2000) / 50, 50.0)
    np.testing.assert_allclose(deviation, 3.0 * tau / np.sqrt(2), rtol=1e-9)


def test_allan_deviation_is_that_of_its_definition():
    rates = np.random.default_rng(0).standard_normal((300, 2))
    tau, deviation = allan_deviation(rates, 10.0)
    assert deviation.shape == (len(tau), 2)
    for time, got in zip(tau, deviation, strict=True):
        m = round(time * 10)
        means = np.array([rates[k : k + m].mean(axis=0) for k in range(300 - m + 1)])
        expected = np.sqrt(np.mean((means[m:] - means[:-m]) ** 2, axis=0) / 2)
        np.testing.assert_allclose(got, expected, rtol=1e-10)
    assert tau[0] == 0.1
    assert tau[-1] <= 10.0


def simulated(kind: str, count: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of figure 1 of one kind: white, random walk, or 1/f of power density 1/(2πf), shaped in the spectrum."""
    if kind == "white_noise":
        return rng.standard_normal(count) * np.sqrt(rate)
    if kind == "rate_random_walk":
        return np.cumsum(rng.standard_normal(count)) / np.sqrt(rate)
    frequencies = np.fft.rfftfreq(count, 1 / rate)
    shape = np.concatenate([[0.0], np.sqrt(1 / (2 * np.pi * frequencies[1:]))])
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(count) * np.sqrt(rate)) * shape, count)


@pytest.mark.parametrize("kind", ["white_noise", "bias_instability", "rate_random_walk"])
def test_figures_of_simulated_noise_are_read_off(kind):
    rate, count = 20.0, 200_000
    records = [simulated(kind, count, rate, np.random.default_rng(seed)) for seed in range(5)]
    figures = [vars(noise_figures(*allan_deviation(record, rate))) for record in records]
    # Half a spectrum at both ends: a sampled 1/f noise lacks what is above 10 Hz, a few per cent of the plateau.
    assert np.mean([figure[kind] for figure in figures]) == pytest.approx(1, rel=0.05)
    assert max(abs(figure[kind] - 1) for figure in figures) < 0.2


def test_simulated_sensors_show_the_density_that_they_were_given():
    # The same seed draws the same biases: what is left is white noise.
    noisy, quiet = (simulate_motion(seed=1, sensors=sensors) for sensors in (Sensors(), Sensors(gyr_noise=0, acc_noise=0)))
    still, upright = np.zeros((10_000, 3)), np.tile([1.0, 0, 0, 0], (10_000, 1))
    constant_bias = ImuNoise(gyr_walk=0, acc_walk=0)
    record = measure_motion(still, upright, sample_rate_hz=100, noise=constant_bias, rng=np.random.default_rng(1))
    for gyr, acc in ((noisy.gyr - quiet.gyr, noisy.acc - quiet.acc), (record.gyr, record.acc)):
        for samples, density in ((gyr, BMI160_GYR_DENSITY), (acc, BMI160_ACC_DENSITY)):
            tau, deviation = allan_deviation(samples, 100)
            # Three axes, 300 averages over 1 s: about 5 % for a standard deviation, and three of those.
            second = int(np.argmin(np.abs(tau - 1)))
            assert np.sqrt(np.mean(deviation[second] ** 2) * tau[second]) == pytest.approx(density, rel=0.15)
            assert samples.std(axis=0).mean() / 10 == pytest.approx(density, rel=0.02)  # of 30,000 samples: 0.4 %
    # A data sheet counts positive frequencies only.
    assert np.degrees(BMI160_GYR_DENSITY) * np.sqrt(2) == pytest.approx(0.007)
    assert BMI160_ACC_DENSITY * np.sqrt(2) / GRAVITY == pytest.approx(180e-6)


def test_three_kinds_of_noise_are_told_apart():
    rate, count = 20.0, 1_000_000
    rng = np.random.default_rng(7)
    # N/√τ meets the plateau 0.66 B after 14 s, K √(τ/3) after 2,100 s; the record has 50,000 s.
    n, b, k = 0.01, 0.004, 1e-4
    noise = n * simulated("white_noise", count, rate, rng) + b * simulated("bias_instability", count, rate, rng)
    figures = noise_figures(*allan_deviation(noise + k * simulated("rate_random_walk", count, rate, rng), rate))
    assert figures.white_noise == pytest.approx(n, rel=0.02)
    assert figures.bias_instability == pytest.approx(b, rel=0.15)
    assert figures.rate_random_walk == pytest.approx(k, rel=0.3)  # 24 averages over 2,100 s: 20 %


@pytest.mark.parametrize(
    ("rates", "rate", "message"),
    [
        (np.zeros(8), 10.0, "N of at least 9"),
        (np.zeros((100, 3, 1)), 10.0, r"got \(100, 3, 1\)"),
        (np.where(np.arange(100) == 5, np.nan, 1.0), 10.0, "not finite"),
        (np.zeros(100), 0.0, "sample_rate_hz is 0.0"),
        (np.zeros(100), float("nan"), "sample_rate_hz is nan"),
    ],
)
def test_records_that_allow_no_allan_deviation_are_refused(rates, rate, message):
    with pytest.raises(ValueError, match=message):
        allan_deviation(rates, rate)


def test_deviations_that_allow_no_figures_are_refused():
    with pytest.raises(ValueError, match="switched off or too coarse"):
        noise_figures(*allan_deviation(np.ones(100), 10.0))
    with pytest.raises(ValueError, match="of one axis"):
        noise_figures(*allan_deviation(np.random.default_rng(0).standard_normal((100, 3)), 10.0))
