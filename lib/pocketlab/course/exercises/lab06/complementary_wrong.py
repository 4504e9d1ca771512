"""Wrong answers to exercise 06.3: a filter in parts, of which a wrong one replaces some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.quaternions import (
    conjugate,
    from_rotation_vector,
    multiply,
    rotate,
    to_rotation_vector,
    turned,
    upright,
)

Array = NDArray[np.float64]
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def _part(seconds: float, tilt_time: float) -> float:
    return float(1 - np.exp(-seconds / tilt_time))


def _world_error(q: Array, force: Array) -> Array:
    return upright(rotate(q, force))


def _left(correction: Array, q: Array) -> Array:
    return multiply(correction, q)


def _scaled(part: float, error: Array) -> Array:
    return from_rotation_vector(part * to_rotation_vector(error))


def _given(gyr: Array, n: int) -> Array:
    return gyr[n]


@dataclass(frozen=True)
class Filter:
    """The right filter in parts, of which a wrong one replaces some."""

    part: Callable[[float, float], float] = _part
    error: Callable[[Array, Array], Array] = _world_error  # of the orientation and the force
    scaled: Callable[[float, Array], Array] = _scaled
    join: Callable[[Array, Array], Array] = _left
    turn: Callable[[Array, Array, float], Array] = turned
    rate: Callable[[Array, int], Array] = _given
    begin: Callable[[Array], Array] = upright
    turns_at_first: bool = False
    turns_where_nan: bool = True
    is_missing: Callable[[Array], bool] = lambda force: bool(np.isnan(force).any())
    force: Callable[[Array, int], Array] = _given
    stores: str = "after"  # the correction, or "before" it, or "old": what there was before the sample
    error_of: str = "turned"  # the orientation whose error is corrected, or the one "before" it was turned
    missing_row: float | None = None  # what stays in the row of a missing force; None: the orientation
    first_row: float | None = None  # what stays in the first row

    def __call__(self, gyr: Array, acc: Array, seconds: float, tilt_time: float) -> Array:
        """Return orientations (N, 4)."""
        q = self.begin(acc[0])
        result = np.empty((len(gyr), 4))
        result[0] = q
        for n in range(0 if self.turns_at_first else 1, len(gyr)):
            force, old = self.force(acc, n), q
            missing = self.is_missing(force)
            if self.turns_where_nan or not missing:
                q = self.turn(q, self.rate(gyr, n), seconds)
            before = q
            if not missing:
                error = self.error(old if self.error_of == "before" else q, force)
                q = self.join(self.scaled(self.part(seconds, tilt_time), error), q)
            result[n] = {"after": q, "before": before, "old": old}[self.stores]
            if missing and self.missing_row is not None:
                result[n] = self.missing_row
        if self.first_row is not None:
            result[0] = self.first_row
        return result


RIGHT = Filter()


def _unit(q: Array) -> Array:
    return np.asarray(q / np.linalg.norm(q))


def turned_in_the_world(q: Array, rate: Array, seconds: float) -> Array:
    """Turns about the world's axes."""
    return multiply(from_rotation_vector(rate * seconds), q)


def mixed_with_identity(part: float, error: Array) -> Array:
    """Mixes the error with no turn at all, component by component."""
    return _unit((1 - part) * IDENTITY + part * error)


def vector_part_scaled(part: float, error: Array) -> Array:
    """Scales x, y and z of the error's quaternion."""
    return _unit(np.concatenate([error[:1], part * error[1:]]))


def only_gravity(gyr: Array, acc: Array, seconds: float, tilt_time: float) -> Array:
    """Takes the orientation from each force alone."""
    result = np.empty((len(acc), 4))
    for n, force in enumerate(acc):
        result[n] = result[n - 1] if np.isnan(force).any() else upright(force)
    return result


def towards_upright(mean: bool) -> Filter:
    """Pulls the orientation towards `upright` of the force: with its heading."""

    @dataclass(frozen=True)
    class Towards(Filter):
        def __call__(self, gyr: Array, acc: Array, seconds: float, tilt_time: float) -> Array:
            q = upright(acc[0])
            result = [q]
            part = _part(seconds, tilt_time)
            for rate, force in zip(gyr[1:], acc[1:], strict=True):
                q = turned(q, rate, seconds)
                if not np.isnan(force).any():
                    goal = upright(force)
                    error = multiply(goal, conjugate(q))
                    q = _unit((1 - part) * q + part * goal) if mean else multiply(_scaled(part, error), q)
                result.append(q)
            return np.array(result)

    return Towards()


def last_valid(acc: Array, n: int) -> Array:
    """The last force until then that has no NaN in it."""
    known = [k for k in range(n + 1) if not np.isnan(acc[k]).any()]
    return acc[known[-1]]


def never(force: Array) -> bool:
    """Finds no force missing."""
    return False


def raise_at_nan(force: Array) -> bool:
    """Raises the error that `upright` raises for a force with NaN in it."""
    if np.isnan(force).any():
        raise ValueError("a force is missing")
    return False


def spreads(q: Array, force: Array) -> Array:
    """An error of NaN where the force has NaN in it."""
    return np.full(4, np.nan) if np.isnan(force).any() else _world_error(q, force)


def first_row_missing(gyr: Array, acc: Array, seconds: float, tilt_time: float) -> Array:
    """Returns a row for each later sample only."""
    return RIGHT(gyr, acc, seconds, tilt_time)[1:]


def no_row_at_nan(gyr: Array, acc: Array, seconds: float, tilt_time: float) -> Array:
    """Skips a sample without a force, and its row."""
    rows = np.append(True, ~np.isnan(acc[1:]).any(axis=1))
    return RIGHT(gyr[rows], acc[rows], seconds, tilt_time)


def ends_at_nan(gyr: Array, acc: Array, seconds: float, tilt_time: float) -> Array:
    """Ends at the first sample without a force."""
    missing = np.flatnonzero(np.isnan(acc).any(axis=1))
    count = int(missing[0]) if len(missing) else len(acc)
    return RIGHT(gyr[:count], acc[:count], seconds, tilt_time)
