"""Orientation of a phone from its gyroscope, accelerometer and magnetometer, by one of six methods.

World: east, north (magnetic), up. A quaternion, w first, turns vectors of the sensor's frame into the world's. Without a
magnetometer the heading starts somewhere and drifts with the gyroscope.

Bad input. Other shapes, lengths or units (see `pocketlab.signals.imu_input`) and a sample rate that is none raise ValueError
before anything is changed. A row with NaN or infinity, or a magnetic field of zero, is a missing sample: the gyroscope's
counts as no rotation, the others correct nothing; before the first acceleration the orientation is (1, 0, 0, 0). So no gap
poisons what follows. Samples at the end of a sensor's range are taken as they are, and `estimate_orientation` warns of
them: the rotation beyond is lost.
"""

from __future__ import annotations

import warnings
from dataclasses import fields
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pocketlab.signals import orientation_classics, orientation_kalman, orientation_pocketlab
from pocketlab.signals.imu_input import (
    Gap,
    check_lengths,
    check_sample_rate,
    check_timestamps,
    check_units,
    sample_rate_of,
    saturated,
    vectors,
)
from pocketlab.signals.orientation_steps import Array

__all__ = [
    "METHODS",
    "Gap",
    "OrientationFilter",
    "check_timestamps",
    "estimate_orientation",
    "sample_rate_of",
    "smooth_orientation",
]

# Of each method: its settings, and the module whose `start` and `run` take them.
METHODS: dict[str, tuple[type[Any], ModuleType]] = {
    "integration": (orientation_classics.Integration, orientation_classics),
    "complementary": (orientation_classics.Complementary, orientation_classics),
    "mahony": (orientation_classics.Mahony, orientation_classics),
    "madgwick": (orientation_classics.Madgwick, orientation_classics),
    "kalman": (orientation_kalman.Settings, orientation_kalman),
    "pocketlab": (orientation_pocketlab.Settings, orientation_pocketlab),
}
JUDGED_S = 8.0  # the first seconds of a stream, over which its units are judged


def estimate_orientation(
    gyr: ArrayLike,
    acc: ArrayLike,
    mag: ArrayLike | None = None,
    *,
    sample_rate_hz: float,
    method: str = "pocketlab",
    **settings: Any,
) -> Array:
    """Return the orientations (N, 4) of a record, w first, sensor to east-north-up, each from the samples up to its own.

    gyr: (N, 3) in rad/s. acc: (N, 3) in m/s², with gravity. mag: (N, 3) in µT, or None. method: one of `METHODS`.
    settings: of that method's dataclass. Bad input: see the module's docstring.

    Raises ValueError for bad input, an unknown method and settings that it does not have. Warns of saturated samples.
    """
    stream = OrientationFilter(method, sample_rate_hz=sample_rate_hz, magnetometer=mag is not None, **settings)
    return stream.run(*_whole_record(gyr, acc, mag, sample_rate_hz))


def smooth_orientation(
    gyr: ArrayLike, acc: ArrayLike, mag: ArrayLike | None = None, *, sample_rate_hz: float, **settings: Any
) -> Array:
    """Return the orientations (N, 4) of a record, each from all its samples, earlier and later ones; method "pocketlab".

    Arguments and errors: as of `estimate_orientation`.
    """
    stream = OrientationFilter(sample_rate_hz=sample_rate_hz, magnetometer=mag is not None, **settings)
    record = _whole_record(gyr, acc, mag, sample_rate_hz)
    return np.asarray(orientation_pocketlab.smooth(*record, stream.sample_rate_hz, stream.settings))


class OrientationFilter:
    """Estimates orientation from a stream: the same numbers as `estimate_orientation`, bit for bit, however it is cut.

    method, sample_rate_hz, settings: as there. magnetometer: whether each chunk comes with one.

    Raises ValueError as `estimate_orientation` does.
    """

    def __init__(self, method: str = "pocketlab", *, sample_rate_hz: float, magnetometer: bool = True, **settings: Any) -> None:
        check_sample_rate(sample_rate_hz)
        if method not in METHODS:
            raise ValueError(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
        kind, self._module = METHODS[method]
        names = [field.name for field in fields(kind)]
        if unknown := sorted(set(settings) - set(names)):
            raise ValueError(f"{method} has no setting {unknown[0]!r}; it has {', '.join(names) or 'none'}.")
        self.settings = kind(**settings)
        self.sample_rate_hz = float(sample_rate_hz)
        self.magnetometer = magnetometer
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._state = self._module.start(self.sample_rate_hz, self.settings, self.magnetometer)
        self._first: list[tuple[Array, Array, Array | None]] = []
        self._judge_at_s = 1.0

    def process(self, gyr: ArrayLike, acc: ArrayLike, mag: ArrayLike | None = None) -> Array:
        """Return the orientations (N, 4) of the next samples (N, 3), or (4,) of a single one (3,).

        Units are judged after 1, 2, 4 and 8 s, over all samples until then. Raises ValueError, and takes nothing in, as
        `estimate_orientation` does, and where there is a magnetometer that was not announced, or the other way round.
        """
        if (mag is not None) != self.magnetometer:
            raise ValueError(
                "This filter expects a magnetometer: pass mag, NaN where it measured nothing, or make it with magnetometer=False."
                if self.magnetometer
                else "This filter was made with magnetometer=False; leave mag out, or make another one."
            )
        single = np.ndim(gyr) == 1
        if single:
            gyr, acc = np.asarray(gyr)[np.newaxis], np.asarray(acc)[np.newaxis]
            mag = None if mag is None else np.asarray(mag)[np.newaxis]
        rates, forces, magnetic = _checked(gyr, acc, mag)
        self._judge_units(rates, forces, magnetic)
        orientations = self.run(rates, forces, magnetic)
        return orientations[0] if single else orientations

    def run(self, gyr: Array, acc: Array, mag: Array | None) -> Array:
        """Process samples that are checked already."""
        return np.asarray(self._module.run(gyr, acc, mag, self.sample_rate_hz, self._state, self.settings))

    def _judge_units(self, gyr: Array, acc: Array, mag: Array | None) -> None:
        if self._judge_at_s > JUDGED_S:
            return
        first = [*self._first, (gyr.copy(), acc.copy(), None if mag is None else mag.copy())]
        seconds = sum(len(chunk[0]) for chunk in first) / self.sample_rate_hz
        judge_at_s = self._judge_at_s
        if seconds >= judge_at_s:
            rates, forces = (np.concatenate([chunk[sensor] for chunk in first]) for sensor in (0, 1))
            magnetic = None if mag is None else np.concatenate([chunk[2] for chunk in first if chunk[2] is not None])
            # A sensor that has been silent so far may still wake up.
            if all(samples is None or np.isfinite(samples).any() for samples in (rates, forces, magnetic)):
                check_units(rates, forces, magnetic, self.sample_rate_hz)
            while judge_at_s <= seconds:
                judge_at_s *= 2
        self._first, self._judge_at_s = (first if judge_at_s <= JUDGED_S else []), judge_at_s


def _whole_record(
    gyr: ArrayLike, acc: ArrayLike, mag: ArrayLike | None, sample_rate_hz: float
) -> tuple[Array, Array, Array | None]:
    rates, forces, magnetic = _checked(gyr, acc, mag)
    check_units(rates, forces, magnetic, sample_rate_hz)
    for what, samples in (("gyroscope", rates), ("accelerometer", forces)):
        if count := int(saturated(samples, what).sum()):
            warnings.warn(
                f"{count} of {len(samples)} samples of the {what} lie at the end of its range: it was saturated, and the "
                "estimate is off from there on. Choose a wider range.",
                stacklevel=3,
            )
    return rates, forces, magnetic


def _checked(gyr: ArrayLike, acc: ArrayLike, mag: ArrayLike | None) -> tuple[Array, Array, Array | None]:
    rates, forces = vectors(gyr, "gyroscope"), vectors(acc, "accelerometer")
    magnetic = None
    if mag is not None:
        magnetic = vectors(mag, "magnetometer")
        x, y, z = magnetic.T
        silent = (x == 0) & (y == 0) & (z == 0)  # some drivers give zeros where nothing was measured
        if silent.any():
            magnetic = np.where(silent[:, np.newaxis], np.nan, magnetic)
    check_lengths(rates, forces, magnetic)
    return rates, forces, magnetic
