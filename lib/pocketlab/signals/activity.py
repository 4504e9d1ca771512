"""Steps and activity from acceleration: band-pass, peaks, cadence, step length; windows that are still, walking, running, riding.

Sources: Weinberg 2002 (Using the ADXL202 in pedometer and personal navigation applications, Analog Devices AN-602), for the
length of a step; Zijlstra, Hof 2003 (Assessment of spatio-temporal gait parameters from trunk accelerations), for steps as a
rhythm of the body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import butter, get_window, sosfilt

from pocketlab.data.compiled import compiled
from pocketlab.data.inertial import GRAVITY
from pocketlab.signals.kalman import checked_rows
from pocketlab.signals.streams import check_frequency, check_sample_rate

Array = NDArray[np.float64]

STEP_BAND_HZ = (1.0, 4.0)  # from a slow walk to a fast run
MIN_SWING = 1.2  # m/s² from a valley to the next peak
MIN_STEP_S = 0.25


@dataclass(frozen=True)
class Steps:
    """Steps: index (S,) of the sample of each peak, and its swing (S,) in m/s², how far the acceleration rose to it."""

    indices: NDArray[np.int64]
    swings: Array


class StepDetector:
    """Finds steps in a stream of accelerations; any cutting into chunks gives the same steps.

    The acceleration's size, which does not depend on how the phone is held, is band-passed; a step is a peak that rose and
    fell by at least 1.2 m/s², at least 0.25 s after the one before. A peak is known only once the signal has fallen again, so
    a step may come out with a later chunk; its index counts from the start of the stream. The filter moves peaks of slow walks
    ahead (a sine of 1.35 Hz by 0.1 s, one of 1 Hz by 0.25 s) and those of runs back (3 Hz: 0.05 s); at 2 Hz not at all.
    """

    def __init__(self, sample_rate_hz: float) -> None:
        check_frequency(STEP_BAND_HZ[1], sample_rate_hz)
        self._filter = butter(2, STEP_BAND_HZ, "bandpass", fs=sample_rate_hz, output="sos")
        self._gap = MIN_STEP_S * sample_rate_hz
        self.reset()

    def reset(self) -> None:
        """Forget everything, as before the first sample."""
        self._memory = np.zeros((len(self._filter), 2))
        self._last_size = np.full(1, GRAVITY)
        # Samples so far; rising (1) or falling (0); the extreme so far, its index, the valley before; the last step's index.
        self._state = np.array([0.0, 1.0, -np.inf, 0.0, 0.0, -np.inf])

    def process(self, acc: Array) -> Steps:
        """Take the next samples (n, 3) in m/s² and return the steps that are now known. NaN repeats the sample before it."""
        acc = checked_rows(acc, (len(acc), 3), "acc")
        sizes = _held(_sizes(acc), self._last_size)
        if not len(sizes):
            return Steps(np.empty(0, np.int64), np.empty(0))
        signal, self._memory = sosfilt(self._filter, sizes - GRAVITY, zi=self._memory)
        found = _peaks(signal, self._state, MIN_SWING, self._gap)
        return Steps(found[:, 0].astype(np.int64), found[:, 1].copy())


def detect_steps(acc: Array, *, sample_rate_hz: float) -> Steps:
    """Return the steps in accelerations (N, 3) in m/s²; see `StepDetector`.

    Raises ValueError for a sample rate too low for steps, or for acceleration that does not look like m/s².
    """
    acc = checked_rows(acc, (len(acc), 3), "acc")
    sizes = _sizes(acc)
    typical = float(np.nanmedian(sizes)) if np.isfinite(sizes).any() else GRAVITY
    if not 5 < typical < 20:
        raise ValueError(
            f"The acceleration's size is {typical:.3g} typically; with gravity it should be about 9.8 m/s². "
            "Is it in g (times 9.81), or without gravity (add it)?"
        )
    return StepDetector(sample_rate_hz).process(acc)


def _sizes(acc: Array) -> Array:
    return np.asarray(np.sqrt(acc[:, 0] ** 2 + acc[:, 1] ** 2 + acc[:, 2] ** 2))


def _held(sizes: Array, last: Array) -> Array:
    """Sizes with what is not finite replaced by the last finite one, which is kept in `last` (1,)."""
    joined = np.concatenate([last, sizes])
    good = np.maximum.accumulate(np.where(np.isfinite(joined), np.arange(len(joined)), 0))
    last[0] = joined[good[-1]]
    return np.asarray(joined[good[1:]])


@compiled
def _peaks(signal: Array, state: Array, min_swing: float, min_gap: float) -> Array:
    """Rows (index, swing) of the peaks known after this chunk; `state` goes on with the next one."""
    found, count = np.empty((len(signal), 2)), 0
    index, rising, extreme, where, valley, last = state
    for value in signal:
        if rising == 1:
            if value > extreme:
                extreme, where = value, index
            elif value < extreme - min_swing:
                if where - last >= min_gap and extreme - valley >= min_swing:
                    found[count, 0], found[count, 1] = where, extreme - valley
                    count += 1
                    last = where
                rising, extreme = 0.0, value
        elif value < extreme:
            extreme = value
        elif value > extreme + min_swing:
            rising, valley, extreme, where = 1.0, extreme, value, index
        index += 1
    state[:] = np.array([index, rising, extreme, where, valley, last])
    return found[:count]


def cadence(steps: Steps, *, sample_rate_hz: float, over: int = 8) -> Array:
    """Return steps per minute (S,), by the median of the last `over` intervals; NaN for the first step."""
    check_sample_rate(sample_rate_hz)
    intervals = np.diff(steps.indices) / sample_rate_hz
    medians = [np.median(intervals[max(0, end - over) : end]) for end in range(1, len(intervals) + 1)]
    return np.concatenate([np.full(min(1, len(steps.indices)), np.nan), 60 / np.asarray(medians, np.float64)])


def step_lengths(steps: Steps, factor: float) -> Array:
    """Return the length (S,) in m of each step by Weinberg's rule: factor times the fourth root of its swing."""
    return np.asarray(factor * np.sqrt(np.sqrt(steps.swings)))


def calibrate_step_length(steps: Steps, distance_m: float) -> float:
    """Return the factor for `step_lengths` of a person who walked distance_m in these steps.

    Raises ValueError where there are no steps or no distance.
    """
    if not len(steps.swings) or not distance_m > 0:
        raise ValueError(
            f"Calibrating needs steps and a distance above 0; there are {len(steps.swings)} and {distance_m} m."
        )
    return float(distance_m / step_lengths(steps, 1.0).sum())


ACTIVITIES = ("still", "walking", "running", "riding")
WINDOW_S, HOP_S = 4.0, 2.0
MAX_FREQUENCY_HZ = 10.0


@dataclass(frozen=True)
class Features:
    """What a window of acceleration is like.

    intensity: standard deviation of its size in m/s². frequency_hz: of the strongest rhythm from 0.6 to 5 Hz. rhythm: the
    share of the power up to 10 Hz that lies at that frequency and at its multiples.
    """

    intensity: float
    frequency_hz: float
    rhythm: float


def window_features(sizes: Array, *, sample_rate_hz: float) -> Features:
    """Return the features of one window of the acceleration's size, (n,) in m/s²."""
    centered = sizes - sizes.mean()
    power = np.abs(np.fft.rfft(centered * get_window("hann", len(sizes)))) ** 2
    frequencies = np.fft.rfftfreq(len(sizes), 1 / sample_rate_hz)
    inside = np.flatnonzero((frequencies >= 0.6) & (frequencies <= 5))
    frequency = frequencies[inside[power[inside].argmax()]]
    audible = frequencies <= MAX_FREQUENCY_HZ
    off = np.abs(frequencies / frequency - np.maximum(1, np.round(frequencies / frequency))) * frequency
    near = audible & (off <= 1.5 / WINDOW_S)  # three quarters of the main lobe of a Hann window
    total = power[audible].sum()
    return Features(float(centered.std()), float(frequency), float(power[near].sum() / total) if total > 0 else 0.0)


def classify(features: Features) -> str:
    """Name the activity of a window by thresholds that can be argued about.

    Under 0.15 m/s² a phone rests. Above 5 m/s², faster than 2 steps a second, both feet leave the ground. A walk is a clear
    rhythm of 1.2 to 2.6 Hz. What moves without one is carried by wheels: a bicycle or a vehicle.
    """
    if features.intensity < 0.15:
        return "still"
    if features.intensity > 5 and features.frequency_hz > 2:
        return "running"
    if features.intensity > 0.55 and features.rhythm > 0.8 and 1.2 <= features.frequency_hz <= 2.6:
        return "walking"
    return "riding"


class ActivityClassifier:
    """Names the activity in each window of 4 s, one every 2 s, of a stream of accelerations, however it is cut into chunks."""

    def __init__(self, sample_rate_hz: float) -> None:
        check_frequency(MAX_FREQUENCY_HZ, sample_rate_hz)
        self.sample_rate_hz = sample_rate_hz
        self._window, self._hop = round(WINDOW_S * sample_rate_hz), round(HOP_S * sample_rate_hz)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as before the first sample."""
        self._waiting = np.empty(0)
        self._last_size = np.full(1, GRAVITY)

    def process(self, acc: Array) -> list[str]:
        """Take the next samples (n, 3) in m/s² and return the activity of each window that is now complete."""
        acc = checked_rows(acc, (len(acc), 3), "acc")
        self._waiting = np.concatenate([self._waiting, _held(_sizes(acc), self._last_size)])
        if len(self._waiting) < self._window:
            return []
        windows = sliding_window_view(self._waiting, self._window)[:: self._hop]
        self._waiting = self._waiting[len(windows) * self._hop :]
        return [classify(window_features(window, sample_rate_hz=self.sample_rate_hz)) for window in windows]


def find_still(gyr: Array, acc: Array, *, sample_rate_hz: float, window_s: float = 0.5) -> NDArray[np.bool_]:
    """Return where a phone rests (N,): the acceleration's size varies by under 0.15 m/s², turning stays below 0.1 rad/s.

    gyr, acc: (N, 3) in rad/s and m/s²; NaN counts as motion. For the zero velocities of `position.track_position`.
    Raises ValueError for a sample rate of 0 or other shapes.
    """
    check_sample_rate(sample_rate_hz)
    gyr = checked_rows(gyr, (len(gyr), 3), "gyr")
    acc = checked_rows(acc, (len(gyr), 3), "acc")
    if not len(gyr):
        return np.zeros(0, np.bool_)
    half = max(1, round(window_s * sample_rate_hz / 2))
    turning, force = (sliding_window_view(np.pad(_sizes(rows), half, mode="edge"), 2 * half + 1) for rows in (gyr, acc))
    return np.asarray((force.std(axis=1) < 0.15) & (turning.mean(axis=1) < 0.1))
