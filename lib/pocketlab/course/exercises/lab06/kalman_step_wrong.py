"""Wrong answers to exercise 06.5: a step in parts, of which a wrong one replaces some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def constant_velocity(t: float) -> Array:
    """F of a constant velocity."""
    return np.array([[1.0, t], [0.0, 1.0]])


def white_noise(t: float, d: float) -> Array:
    """Q of white acceleration."""
    return d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])


def _grown(F: Array, covariance: Array) -> Array:
    return np.asarray(F @ covariance @ F.T)


def _gain(covariance: Array, s: float) -> Array:
    return np.asarray(covariance[:, 0] / (covariance[0, 0] + s**2))


def _kept(K: Array, covariance: Array, s: float) -> Array:
    return np.asarray((np.eye(2) - np.outer(K, [1.0, 0.0])) @ covariance)


def _predicted(old: Array, new: Array) -> Array:
    return new


def before(old: Array, new: Array) -> Array:
    """What there was before the prediction."""
    return old


def _moved(state: Array, K: Array, residual: float) -> Array:
    return np.asarray(state + K * residual)


@dataclass(frozen=True)
class Step:
    """The right step in parts, of which a wrong one replaces some."""

    transition: Callable[[float], Array] = constant_velocity
    of_state: Callable[[float], Array] | None = None  # the transition of the state, where it is another
    noise: Callable[[float, float], Array] = white_noise
    grown: Callable[[Array, Array], Array] = _grown
    for_gain: Callable[[Array, Array], Array] = _predicted  # of old and predicted covariance
    for_kept: Callable[[Array, Array], Array] = _predicted
    for_residual: Callable[[Array, Array], Array] = _predicted  # of old and predicted state
    gain: Callable[[Array, float], Array] = _gain
    moved: Callable[[Array, Array, float], Array] = _moved
    kept: Callable[[Array, Array, float], Array] = _kept
    noise_at_the_end: bool = False
    is_missing: Callable[[float], bool] = lambda z: bool(np.isnan(z))

    def __call__(self, state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
        """Return the state and the covariance."""
        F = self.transition(t)
        after = (self.of_state(t) if self.of_state else F) @ state
        noise = self.noise(t, d)
        grown = self.grown(F, covariance) + (0.0 if self.noise_at_the_end else noise)
        if not self.is_missing(z):
            K = self.gain(self.for_gain(covariance, grown), s)
            after = self.moved(after, K, z - self.for_residual(state, after)[0])
            grown = self.kept(K, self.for_kept(covariance, grown), s)
        return after, grown + (noise if self.noise_at_the_end else 0.0)


RIGHT = Step()


def discrete_noise(t: float, d: float) -> Array:
    """Q of an acceleration that stays constant over the interval."""
    return d**2 * np.array([[t**4 / 4, t**3 / 2], [t**3 / 2, t**2]])


def joseph_without_noise(K: Array, covariance: Array, s: float) -> Array:
    """Joseph's form without its second term."""
    kept = np.eye(2) - np.outer(K, [1.0, 0.0])
    return np.asarray(kept @ covariance @ kept.T)


def joseph_with_std(K: Array, covariance: Array, s: float) -> Array:
    """Joseph's form with the standard deviation for the variance."""
    return joseph_without_noise(K, covariance, s) + s * np.outer(K, K)


def updated_first(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    """Updates, then predicts."""
    if not np.isnan(z):
        K = _gain(covariance, s)
        state, covariance = _moved(state, K, z - state[0]), _kept(K, covariance, s)
    return constant_velocity(t) @ state, _grown(constant_velocity(t), covariance) + white_noise(t, d)


def unchanged_at_nan(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    """Returns what came in where nothing was measured."""
    return (state, covariance) if np.isnan(z) else RIGHT(state, covariance, t, z, s, d)


def covariance_kept_at_nan(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    """Predicts the state only where nothing was measured."""
    return (constant_velocity(t) @ state, covariance) if np.isnan(z) else RIGHT(state, covariance, t, z, s, d)


def zero_at_nan(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    """Takes 0 for what was not measured."""
    return RIGHT(state, covariance, t, 0.0 if np.isnan(z) else z, s, d)


def expected_at_nan(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    """Takes the predicted position for what was not measured."""
    expected = float((constant_velocity(t) @ state)[0])
    return RIGHT(state, covariance, t, expected if np.isnan(z) else z, s, d)


def refused_at_nan(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    """Raises an error where nothing was measured."""
    if np.isnan(z):
        raise ValueError("nothing was measured")
    return RIGHT(state, covariance, t, z, s, d)


def position_only(state: Array, K: Array, residual: float) -> Array:
    """Moves the position alone."""
    return np.array([state[0] + K[0] * residual, state[1]])


def gain_of_position(covariance: Array, s: float) -> Array:
    """A gain of zero for the velocity."""
    return np.array([_gain(covariance, s)[0], 0.0])


def in_place(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    """Changes its arguments."""
    state[:], covariance[:] = RIGHT(state, covariance, t, z, s, d)
    return state, covariance


def covariance_first(state: Array, covariance: Array, t: float, z: float, s: float, d: float) -> tuple[Array, Array]:
    """Updates the covariance, and takes the state's gain from what came out."""
    F = constant_velocity(t)
    after, grown = F @ state, _grown(F, covariance) + white_noise(t, d)
    if not np.isnan(z):
        grown = _kept(_gain(grown, s), grown, s)
        after = after + _gain(grown, s) * (z - after[0])
    return after, grown
