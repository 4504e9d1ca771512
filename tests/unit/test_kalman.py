from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag, solve_discrete_are

from pocketlab.signals import kalman

STD, DENSITY = 3.0, 0.5


def moving(count: int, seed: int = 0):
    """A point with white acceleration of DENSITY, once a second, and its measured positions."""
    rng = np.random.default_rng(seed)
    noise = DENSITY**2 * np.array([[1 / 3, 1 / 2], [1 / 2, 1]])
    states = np.zeros((count, 2))
    for i in range(1, count):
        states[i] = np.array([[1, 1], [0, 1]]) @ states[i - 1] + rng.multivariate_normal([0, 0], noise)
    return np.arange(count, dtype=float), states, states[:, 0] + rng.normal(0, STD, count)


def track(times, measured):
    return kalman.filter_line(times, measured, measured_std=STD, acceleration_density=DENSITY)


def test_in_the_long_run_the_covariance_is_that_of_the_riccati_equation():
    times, _, measured = moving(200)
    transition, place = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    noise = DENSITY**2 * np.array([[1 / 3, 1 / 2], [1 / 2, 1]])
    predicted = solve_discrete_are(transition.T, place.T, noise, [[STD**2]])
    gain = predicted @ place.T / (predicted[0, 0] + STD**2)
    np.testing.assert_allclose(track(times, measured).covariances[-1], predicted - gain @ place @ predicted, rtol=1e-9)


def test_smoothing_is_weighted_least_squares_over_all_states():
    times, _, measured = moving(12)
    times = np.cumsum(np.random.default_rng(1).uniform(0.5, 2, 12))
    measured[4] = np.nan
    smooth = kalman.smooth_line(track(times, measured), acceleration_density=DENSITY)
    # The same by one large system: each measurement and each step is an equation, weighted by its noise.
    rows, right, weights = [], [], []
    for i in np.flatnonzero(np.isfinite(measured)):
        rows.append(np.eye(24)[2 * i : 2 * i + 1])
        right.append([measured[i]])
        weights.append([[1 / STD**2]])
    for i in range(11):
        t = times[i + 1] - times[i]
        row = np.zeros((2, 24))
        row[:, 2 * i : 2 * i + 2], row[:, 2 * i + 2 : 2 * i + 4] = -np.array([[1, t], [0, 1]]), np.eye(2)
        rows.append(row)
        right.append([0.0, 0.0])
        weights.append(np.linalg.inv(DENSITY**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])))
    a, b, w = np.concatenate(rows), np.concatenate(right), block_diag(*weights)
    information = a.T @ w @ a
    expected = np.linalg.solve(information, a.T @ w @ b).reshape(12, 2)
    covariance = np.linalg.inv(information)
    # The filter starts with a position known to 1e6 m instead of not at all: 1e-11 of it, amplified by rounding.
    np.testing.assert_allclose(smooth.states, expected, rtol=0, atol=1e-3)
    for i in range(12):
        np.testing.assert_allclose(smooth.covariances[i], covariance[2 * i : 2 * i + 2, 2 * i : 2 * i + 2], rtol=1e-3)


def test_errors_are_as_large_as_the_covariance_says():
    # NEES: 40 runs of two numbers are chi-squared with 80 degrees; 99.9 % lie between 48 and 121.
    for smooth in (False, True):
        total = 0.0
        for seed in range(40):
            times, truth, measured = moving(40, seed)
            line = track(times, measured)
            line = kalman.smooth_line(line, acceleration_density=DENSITY) if smooth else line
            error = line.states[30] - truth[30]
            total += error @ np.linalg.solve(line.covariances[30], error)
        assert 46 < total < 125


def test_a_gap_is_bridged_with_growing_doubt():
    times, _, measured = moving(60)
    measured[20:40] = np.nan
    line = track(times, measured)
    doubt = line.covariances[:, 0, 0]
    assert (np.diff(doubt[20:40]) > 0).all()
    assert doubt[40] < doubt[39]
    np.testing.assert_allclose(np.diff(line.states[20:40, 0]), line.states[19, 1], rtol=1e-9)
    assert (kalman.smooth_line(line, acceleration_density=DENSITY).covariances[20:39, 0, 0] < doubt[20:39]).all()


@pytest.mark.parametrize(
    ("times", "measured", "options", "message"),
    [
        ([0, 1, 1], [0, 0, 0], {}, "clock jumped back, or rows"),
        ([0, 2, 1], [0, 0, 0], {}, r"after 2.0 s \(index 1\) comes 1.0 s"),
        ([0, np.nan], [0, 0], {}, "hold NaN"),
        ([0, 1, 2], [0, 0], {}, "one position for each time"),
        ([0, 1], [0, 0], {"measured_std": 0}, "must be above 0"),
    ],
)
def test_bad_input_is_refused(times, measured, options, message):
    with pytest.raises(ValueError, match=message):
        kalman.filter_line(
            np.array(times, float),
            np.array(measured, float),
            **{"measured_std": 1.0, "acceleration_density": 1.0, **options},
        )


def test_nothing_in_nothing_out():
    line = track(np.empty(0), np.empty(0))
    assert line.states.shape == (0, 2)
    assert kalman.smooth_line(line, acceleration_density=1.0).states.shape == (0, 2)


def test_squared_innovations_of_a_right_model_stay_under_the_gate_as_often_as_it_says():
    rng = np.random.default_rng(5)
    covariance = np.array([[4.0, 1.5, 0.0], [1.5, 2.0, 0.3], [0.0, 0.3, 9.0]])
    residuals = rng.multivariate_normal(np.zeros(3), covariance, 20_000)
    squared = np.array([kalman.innovation_squared(residual, covariance) for residual in residuals])
    for share in (0.5, 0.9, 0.99):
        # Five standard deviations of a share of 20,000 draws.
        assert np.mean(squared <= kalman.gate(share, 3)) == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / 20_000))


def test_a_step_without_a_measurement_only_predicts():
    state, covariance = np.array([1.0, 2.0]), np.array([[4.0, 0.5], [0.5, 1.0]])
    after, spread = kalman.filter_step(state, covariance, 2.0, np.nan, measured_std=STD, acceleration_density=DENSITY)
    np.testing.assert_allclose(after, [5, 2])
    # 4 + 2·2·0.5 + 2²·1 + 0.25·8/3; 0.5 + 2·1 + 0.25·2; 1 + 0.25·2
    np.testing.assert_allclose(spread, [[10 + 2 / 3, 3.0], [3.0, 1.5]])
