"""The Kalman filter in one dimension, to be read first: where a point on a line is, by noisy positions; and smoothing.

Sources: Bar-Shalom, Li, Kirubarajan 2001 (Estimation with Applications to Tracking and Navigation), chapters 5 and 6; for
smoothing, Rauch, Tung, Striebel 1965 (Maximum likelihood estimates of linear dynamic systems).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """Position and velocity along a line: states (N, 2) in m and m/s, covariances (N, 2, 2), and the times (N,) in s."""

    times: Array
    states: Array
    covariances: Array


def filter_line(times: Array, measured: Array, *, measured_std: float, acceleration_density: float) -> Line:
    """Track a point on a line by its measured positions (N,) in m, NaN where there is none, at times (N,) in s.

    The model is constant velocity, disturbed by white acceleration of a density in m/s²/√Hz. measured_std: in m.
    Raises ValueError for lengths that differ, times that do not grow, or noise that is not positive.
    """
    times, measured = checked_times(times), np.asarray(measured, dtype=np.float64)
    if measured.shape != times.shape:
        raise ValueError(f"Give one position for each time; there are {measured.shape} and {times.shape}.")
    if not (measured_std > 0 and acceleration_density > 0):
        raise ValueError("Both noises must be above 0; without noise there is nothing to weigh.")
    # It knows next to nothing: standard deviations of 1000 km and 100 m/s.
    state, covariance = np.zeros(2), np.diag([1e12, 1e4])
    states, covariances = np.empty((len(times), 2)), np.empty((len(times), 2, 2))
    for i, position in enumerate(measured):
        interval = times[i] - times[i - 1] if i else 0.0
        state, covariance = filter_step(
            state, covariance, interval, position, measured_std=measured_std, acceleration_density=acceleration_density
        )
        states[i], covariances[i] = state, covariance
    return Line(times, states, covariances)


def filter_step(
    state: Array,
    covariance: Array,
    interval: float,
    position: float,
    *,
    measured_std: float,
    acceleration_density: float,
) -> tuple[Array, Array]:
    """Return state (2,) and covariance (2, 2) after an interval in s and a measured position in m; NaN: nothing was measured."""
    transition, noise = _line_step(interval, acceleration_density)
    state = transition @ state
    covariance = transition @ covariance @ transition.T + noise
    if np.isfinite(position):
        gain = covariance[:, 0] / (covariance[0, 0] + measured_std**2)
        state = state + gain * (position - state[0])
        kept = np.eye(2) - np.outer(gain, [1.0, 0.0])
        covariance = kept @ covariance @ kept.T + measured_std**2 * np.outer(gain, gain)  # Joseph: stays positive
    return state, covariance


def smooth_line(line: Line, *, acceleration_density: float) -> Line:
    """Return the same track, each state now knowing also what was measured after it (Rauch, Tung, Striebel)."""
    states, covariances = line.states.copy(), line.covariances.copy()
    for i in range(len(states) - 2, -1, -1):
        transition, noise = _line_step(line.times[i + 1] - line.times[i], acceleration_density)
        predicted = transition @ covariances[i] @ transition.T + noise
        gain = np.linalg.solve(predicted, transition @ covariances[i]).T
        states[i] += gain @ (states[i + 1] - transition @ states[i])
        covariances[i] += gain @ (covariances[i + 1] - predicted) @ gain.T
    return Line(line.times, states, covariances)


def _line_step(interval: float, density: float) -> tuple[Array, Array]:
    transition = np.array([[1.0, interval], [0.0, 1.0]])
    noise = density**2 * np.array([[interval**3 / 3, interval**2 / 2], [interval**2 / 2, interval]])
    return transition, noise


def innovation_squared(residual: Array, covariance: Array) -> float:
    """Return how surprising a residual (n,) is that has a covariance (n, n): its squared distance in standard deviations.

    Where the model is right it has a chi-squared distribution of n degrees of freedom (normalized innovation squared; Bar-Shalom,
    Li, Kirubarajan 2001, section 5.4).
    """
    return float(residual @ np.linalg.solve(covariance, residual))


def gate(share: float, dimensions: int) -> float:
    """Return the bound under which this share of a right model's squared innovations lie."""
    return float(chi2.ppf(share, dimensions))


def checked_times(times: Array) -> Array:
    """Return times as (N,) float64; raises ValueError unless they are numbers that grow."""
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"Times must be one row of numbers in s; these have shape {times.shape}, or hold NaN.")
    backwards = np.flatnonzero(np.diff(times) <= 0)
    if len(backwards):
        at = int(backwards[0])
        raise ValueError(
            f"Times must grow: after {times[at]} s (index {at}) comes {times[at + 1]} s. The clock jumped back, or "
            "rows are doubled; cut the recording there, or use a clock that only runs forward."
        )
    return times


def checked_rows(values: Array, shape: tuple[int, int], name: str) -> Array:
    """Return values as float64; raises ValueError for another shape."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, a row for each time; it has {values.shape}.")
    return values


def checked_orientations(orientations: Array) -> Array:
    """Return quaternions (…, 4); raises ValueError where one that is a number has another length than 1."""
    lengths = np.linalg.norm(orientations, axis=-1)
    if (np.abs(lengths - 1) > 1e-3).any():
        raise ValueError(
            f"Orientations are quaternions of length 1, w first; the longest here is {np.nanmax(lengths):.3g} long."
        )
    return orientations
