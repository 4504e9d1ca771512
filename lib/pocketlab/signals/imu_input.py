"""What comes in from a phone's motion sensors, judged before a filter uses it: shapes, units, time, the ends of a range.

Filters of orientation want rad/s, m/s² with gravity in it, and µT. Platforms give degrees, g, and several kinds of time,
and a filter fed with those does not fail: it answers wrongly. So units are judged by physics: by gravity's size, by how fast
its direction turns compared with what the gyroscope says, and by the earth's field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketlab.data.compiled import compiled
from pocketlab.data.inertial import GRAVITY
from pocketlab.signals.orientation_steps import Array

DEGREE = float(np.radians(1))
# What to multiply by, and the unit that it comes from.
GYROSCOPE_UNITS = (
    (DEGREE, "degrees per second"),
    (DEGREE / 1000, "thousandths of a degree per second"),
    (1e-3, "thousandths of a radian per second"),
    (1 / DEGREE, "turned from degrees to radians twice"),
    (1e3, "a thousand times too small"),
)
ACCELEROMETER_UNITS = ((GRAVITY, "g"), (GRAVITY / 1000, "thousandths of g"), (1e-3, "mm/s²"), (0.01, "cm/s²"), (1e3, "km/s²"))
# The earth's field is 22 to 67 µT (World Magnetic Model 2020); indoors it is bent, by half of that or so.
MAGNETOMETER_UNITS = ((1e6, "tesla"), (1e3, "millitesla"), (1e2, "gauss"), (1e-3, "nanotesla"))
EARTH_FIELD_UT = (10.0, 150.0)
LARGEST_RATE = 35.0  # rad/s: ±2,000 °/s, the widest range of most phones' gyroscopes
LARGEST_BIAS = 0.5  # rad/s: more than usual zero-rate offsets: ±3 °/s (data sheet of BMI160), ±20 °/s (of MPU-6050)
JUDGED = 4000  # samples, spread over a record, whose sizes are judged
BLOCK_S = 0.1  # over which a rate and a direction of gravity are averaged before they are compared
SMALLEST_RANGE = {"gyroscope": 4.3, "accelerometer": 19.0}  # rad/s and m/s²: ±250 °/s and ±2 g


@dataclass(frozen=True)
class Gap:
    """Samples are missing before sample `index`: its time, in s, since the one before, and how many would fit in there."""

    index: int
    seconds: float
    missing: int


def vectors(samples: ArrayLike, what: str) -> Array:
    """Return a sensor's samples as contiguous float64 (N, 3), with NaN in every row that has a number that is not finite.

    Raises ValueError for another shape, and for what is not real numbers.
    """
    array = np.asarray(samples)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"The {what} must be real numbers; its dtype is {array.dtype}.")
    if array.ndim != 2 or array.shape[1] != 3:
        hint = " It looks transposed: pass its .T." if array.ndim == 2 and array.shape[0] == 3 else ""
        raise ValueError(f"The {what} has shape {array.shape}; expected (N, 3): a row of x, y, z for each sample.{hint}")
    # One layout and one kind of memory, since loops are compiled anew for others.
    array = np.require(array, dtype=np.float64, requirements=["C", "A", "W"])
    finite = np.isfinite(array)
    if not finite.all():
        array = np.where(finite.all(axis=1, keepdims=True), array, np.nan)
    return array


def check_lengths(gyr: Array, acc: Array, mag: Array | None) -> None:
    """Raise ValueError where the sensors have different numbers of samples."""
    lengths = {"gyroscope": len(gyr), "accelerometer": len(acc)} | ({} if mag is None else {"magnetometer": len(mag)})
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{what} {length}" for what, length in lengths.items())
        raise ValueError(
            f"The sensors have different numbers of samples: {counts}. Bring them to the same times first, for instance with "
            "np.interp; a slower magnetometer may have rows of NaN where it measured nothing."
        )


def check_sample_rate(sample_rate_hz: float) -> None:
    """Raise ValueError for a sample rate that is no number of samples per second of a motion sensor."""
    if not isinstance(sample_rate_hz, int | float | np.number) or not 0 < sample_rate_hz < np.inf:
        raise ValueError(f"sample_rate_hz is {sample_rate_hz}; expected a number above 0, for instance 100.0 samples per second.")
    if sample_rate_hz < 1:
        raise ValueError(
            f"sample_rate_hz is {sample_rate_hz}, less than one sample per second. If this is the time between two samples, pass "
            f"its inverse, {1 / sample_rate_hz:.6g}."
        )


def check_units(gyr: Array, acc: Array, mag: Array | None, sample_rate_hz: float) -> None:
    """Raise ValueError where a sensor's samples, each (N, 3), are in units other than rad/s, m/s² and µT; it says the factor.

    Rows of NaN do not count. A gyroscope in degrees is seen where gravity turns, where rates are beyond any phone's, or at
    rest by its bias; in a record without any of these it cannot be told.
    """
    if len(gyr) == 0:
        return
    _check_accelerometer(acc)
    if mag is not None:
        _check_magnetometer(mag)
    _check_gyroscope(gyr, acc, sample_rate_hz)


def _median_norm(samples: Array, what: str) -> float:
    some = _some(samples)
    if len(some) == 0:
        raise ValueError(f"The {what} measured nothing: all its samples are missing. Check how it was read, or leave it out.")
    return float(np.median(np.linalg.norm(some, axis=1)))


def _some(samples: Array) -> Array:
    """Return rows (N, 3) that are not missing, at most about JUDGED of them, spread evenly over the record."""
    known = np.flatnonzero(~np.isnan(samples[:, 0]))
    return samples[known[:: 1 + len(known) // JUDGED]]


def _check_accelerometer(acc: Array) -> None:
    norm = _median_norm(acc, "accelerometer")
    # Hands that shake a phone keep it well below or above gravity for a second or two.
    if 0.18 * GRAVITY < norm < 6 * GRAVITY:
        return
    expected = f"The median norm of the accelerometer is {norm:.4g}; expected about {GRAVITY:.2f} m/s², gravity."
    for factor, unit in ACCELEROMETER_UNITS:
        if 0.75 < norm * factor / GRAVITY < 1.5:
            raise ValueError(f"{expected} It looks like {unit}: multiply acc by {factor:.6g}.")
    if norm < GRAVITY:
        raise ValueError(
            f"{expected} Gravity seems to be taken out: pass the accelerometer itself, not the “linear” or “user” acceleration."
        )
    raise ValueError(f"{expected} Check its unit.")


def _check_magnetometer(mag: Array) -> None:
    norm = _median_norm(mag, "magnetometer")
    expected = f"The median norm of the magnetometer is {norm:.4g}; the earth's field is 22 to 67 µT."
    if 0.8 < norm < 1.25:
        raise ValueError(f"{expected} It looks normalized to 1: multiply mag by the strength of your field, for instance 48.")
    low, high = EARTH_FIELD_UT
    for factor, unit in MAGNETOMETER_UNITS:
        # A strong magnet near the sensor is no reason to refuse: it is the filter's task.
        if low < norm * factor < high and not low / 2 < norm < 5000:
            raise ValueError(f"{expected} It looks like {unit}: multiply mag by {factor:g}.")
    if not low / 2 < norm < 5000:
        raise ValueError(f"{expected} Check its unit.")


def _check_gyroscope(gyr: Array, acc: Array, sample_rate_hz: float) -> None:
    ratio, certainty, claimed = gravity_turns(gyr, acc, sample_rate_hz)
    for factor, unit in GYROSCOPE_UNITS:
        # Too large, it claims turns that gravity would show; too small, gravity's turns might be a shaking hand's.
        sure = claimed > LARGEST_BIAS and certainty > 0.1 if factor < 1 else certainty > 0.5
        if sure and 0.5 < ratio / factor < 2:
            raise ValueError(
                f"Gravity turns {ratio:.3g} times as fast as the gyroscope says; expected rad/s. It looks like {unit}: "
                f"multiply gyr by {factor:.6g}."
            )
    norm = _median_norm(gyr, "gyroscope")
    if norm > LARGEST_RATE:
        raise ValueError(
            f"The median rate of the gyroscope is {norm:.4g} rad/s, more than a phone's can measure. If it is degrees per "
            f"second, multiply gyr by {DEGREE:.6g}."
        )
    if claimed > LARGEST_BIAS and _some(acc).std(axis=0).max() < 0.3 and _some(gyr).std(axis=0).max() < 0.2 * norm:
        raise ValueError(
            f"The accelerometer is at rest, but the gyroscope says {norm:.3g} rad/s, far more than a bias. If it is degrees per "
            f"second, multiply gyr by {DEGREE:.6g}."
        )


def gravity_turns(gyr: Array, acc: Array, sample_rate_hz: float) -> tuple[float, float, float]:
    """Compare how the direction of the acceleration turns in the sensor's frame with −ω × direction, what the gyroscope says.

    Returns the ratio (1 for rad/s), by least squares; the part of the turning that it explains, from 0 to 1, and 0 where less
    than a second is there to be compared; and the root mean square of what the gyroscope says, in its units.
    """
    length = max(1, round(BLOCK_S * sample_rate_hz))
    power, both, total, count = _compare_turns(gyr, acc, length, sample_rate_hz / length)
    size = math.sqrt(power / max(1, count))
    if power == 0 or total == 0 or count < 1 / BLOCK_S - 1:
        return 1.0, 0.0, size
    return both / power, both**2 / (power * total), size


@compiled
def _compare_turns(gyr: Array, acc: Array, length: int, blocks_per_s: float) -> tuple[float, float, float, int]:
    """Sums over pairs of neighboring blocks: turn claimed², claimed · seen, seen²; and how many pairs have no missing sample."""
    power, both, total, count = 0.0, 0.0, 0.0, 0
    # Of a block and the one before it: the mean rate, and the direction of the mean acceleration.
    w, d, w_before, d_before = np.zeros(3), np.zeros(3), np.zeros(3), np.full(3, np.nan)
    for block in range(len(gyr) // length):
        w[:], d[:] = 0.0, 0.0
        for k in range(block * length, (block + 1) * length):
            for i in range(3):
                w[i] += gyr[k, i] / length
                d[i] += acc[k, i]
        norm = math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
        for i in range(3):
            d[i] = d[i] / norm if norm > 0 else math.nan
        pair_power, pair_both, pair_total = 0.0, 0.0, 0.0
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            # d × ω with the means over both blocks, hence twice a half.
            claimed = ((d[j] + d_before[j]) * (w[k] + w_before[k]) - (d[k] + d_before[k]) * (w[j] + w_before[j])) / 4
            seen = (d[i] - d_before[i]) * blocks_per_s
            pair_power += claimed * claimed
            pair_both += claimed * seen
            pair_total += seen * seen
        if math.isfinite(pair_power + pair_total):
            power, both, total, count = power + pair_power, both + pair_both, total + pair_total, count + 1
        w_before[:], d_before[:] = w, d
    return power, both, total, count


def saturated(samples: Array, what: str) -> NDArray[np.bool_]:
    """Return which samples (N,) of a "gyroscope" or "accelerometer" (N, 3) lie at the end of its range, three or more in a row.

    An end of the range is a value that an axis holds at least ten times, never exceeds, and that is not below ±250 °/s or ±2 g,
    the smallest ranges that are common (some gyroscopes have ±125 °/s too: its end is not seen).
    """
    result = np.zeros(len(samples), dtype=np.bool_)
    _mark_saturated(samples, SMALLEST_RANGE[what], result)
    return result


@compiled
def _mark_saturated(samples: Array, smallest: float, result: NDArray[np.bool_]) -> None:
    for axis in range(3):
        for sign in (1.0, -1.0):
            end, held = -math.inf, 0
            for n in range(len(samples)):
                value = sign * samples[n, axis]
                if value > end:
                    end, held = value, 1
                elif value == end:
                    held += 1
            if end < smallest or held < 10 or held == len(samples):
                continue
            in_a_row = 0
            for n in range(len(samples)):
                in_a_row = in_a_row + 1 if sign * samples[n, axis] == end else 0
                if in_a_row >= 3:
                    result[n - 2 : n + 1] = True


def check_timestamps(t_s: ArrayLike) -> list[Gap]:
    """Return the gaps between timestamps (N,) in s: where an interval is more than 1.5 times the median.

    To let time go on in a gap, give a filter `missing` rows of NaN.

    Raises ValueError for a clock that jumps back or stands still.
    """
    steps = _steps(t_s)
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > 1.5 * usual)
    return [Gap(int(k) + 1, float(steps[k]), round(float(steps[k]) / usual) - 1) for k in wide]


def sample_rate_of(t_s: ArrayLike) -> float:
    """Return the sample rate in Hz of timestamps (N,) in s: the mean over all intervals but the gaps.

    Raises ValueError as `check_timestamps` does, and for times that are not seconds.
    """
    steps = _steps(t_s)
    rate = 1 / float(np.mean(steps[steps <= 1.5 * np.median(steps)]))
    if rate < 1:
        for factor, unit in ((1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds")):
            if 1 <= rate / factor <= 20_000:
                raise ValueError(
                    f"These times give {rate:.3g} samples per second. They look like {unit}: multiply them by {factor:g}."
                )
        raise ValueError(f"These times give {rate:.3g} samples per second; expected times in seconds, at least one in a second.")
    return rate


def _steps(t_s: ArrayLike) -> Array:
    times = np.asarray(t_s, dtype=np.float64)
    if times.ndim != 1 or len(times) < 2:
        raise ValueError(f"Timestamps have shape {times.shape}; expected (N,) with at least 2 of them.")
    if not np.isfinite(times).all():
        raise ValueError(f"Timestamp {np.flatnonzero(~np.isfinite(times))[0]} is not finite; leave that sample out.")
    steps = np.diff(times)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        how = "stands still" if steps[k] == 0 else "jumps back"
        raise ValueError(
            f"The clock {how} at sample {k + 1}: {times[k]:.6f} s, then {times[k + 1]:.6f} s. Sort the samples by time and drop "
            "doubles, or cut the record there and give each part its own filter."
        )
    return np.asarray(steps)
