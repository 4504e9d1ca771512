"""Simple things done to every sensor: smoothing, spikes removed, slopes, and a single frequency watched.

A filter that only knows the past is causal, fit for a stream, and late; one that also knows the future is centered.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketlab.data.compiled import compiled
from pocketlab.signals.filters import BiquadCascade
from pocketlab.signals.fir import FIRFilter, fir_filter
from pocketlab.signals.streams import Array, Stream, WindowStream, check_frequency, check_sample_rate, columns, samples

MAD_TO_SIGMA = 1.482602218505602  # 1 / Φ⁻¹(3/4): from normal noise's median absolute to its standard deviation


class MovingAverage(FIRFilter):
    """The mean of the last `length` samples; the first sample counts as having been there for ever.

    Every mean is summed anew: a running sum is cheaper but keeps its rounding errors, a large sample's above all.
    """

    def __init__(self, length: int) -> None:
        super().__init__(np.full(_checked_length(length), 1 / length), settled=True)


def moving_average(x: ArrayLike, length: int) -> Array:
    """Return a whole signal (time,) or (time, channels) averaged: one `MovingAverage.process`."""
    return MovingAverage(length).process(x)


class ExponentialSmoothing(BiquadCascade):
    """y[n] = y[n − 1] + α·(x[n] − y[n − 1]), with α = 1 − exp(−1 / (time constant · sample rate)), beginning at y[0] = x[0].

    time_constant_s: after it, a step has been followed to 63 % (1 − 1/e).
    """

    def __init__(self, time_constant_s: float, *, sample_rate_hz: float) -> None:
        check_sample_rate(sample_rate_hz)
        if not 0 < time_constant_s < math.inf:
            raise ValueError(f"A time constant is a positive number of seconds; got {time_constant_s}.")
        alpha = -math.expm1(-1 / (time_constant_s * sample_rate_hz))
        super().__init__(np.array([[alpha, 0, 0, 1, alpha - 1, 0]]), settled=True)


def exponential_smoothing(x: ArrayLike, time_constant_s: float, *, sample_rate_hz: float) -> Array:
    """Return a whole signal (time,) or (time, channels) smoothed: one `ExponentialSmoothing.process`."""
    return ExponentialSmoothing(time_constant_s, sample_rate_hz=sample_rate_hz).process(x)


class MedianFilter(WindowStream):
    """The median of the last `length` samples, an odd number; the first sample counts as having been there for ever.

    A spike shorter than half the window vanishes, and an edge stays sharp, length // 2 samples late. For windows
    of over about 50 samples scipy.ndimage.median_filter is faster: its work grows less with them.
    """

    def __init__(self, length: int) -> None:
        super().__init__(_checked_length(length, odd=True), settled=True)

    def _slide(self, x: Array) -> Array:
        return _medians(x, self.length)


def _medians(x: Array, length: int) -> Array:
    """Return the median (time, channels) of every window of x (length − 1 + time, channels)."""
    # A −0.0 becomes 0.0: which of two equal numbers is the median would else depend on where the stream was cut.
    x = x + 0.0
    return _sliding_median(x, _sorted_window(x, length))


def _sorted_window(x: Array, length: int) -> Array:
    """Return the first `length` samples of each channel, sorted: (channels, length)."""
    return np.sort(x[:length].T.copy(), axis=1)


@compiled
def _sliding_median(x: Array, windows: Array) -> Array:
    length = windows.shape[1]
    y = np.empty((len(x) - length + 1, x.shape[1]))
    for channel in range(x.shape[1]):
        ordered = windows[channel]
        y[0, channel] = ordered[length // 2]
        for n in range(1, len(y)):
            _replace(ordered, x[n - 1, channel], x[n - 1 + length, channel])
            y[n, channel] = ordered[length // 2]
    return y


@compiled
def _replace(ordered: Array, old: float, new: float) -> None:
    """Put a new number in an old one's stead and move it to where it belongs; the window is never sorted again."""
    place = 0
    while ordered[place] < old:
        place += 1
    while place > 0 and ordered[place - 1] > new:
        ordered[place] = ordered[place - 1]
        place -= 1
    while place < len(ordered) - 1 and ordered[place + 1] < new:
        ordered[place] = ordered[place + 1]
        place += 1
    ordered[place] = new


def median_filter(x: ArrayLike, length: int) -> Array:
    """Return the median of the `length` samples around each, an odd number; beyond the ends, the signal is mirrored.

    x: (time,) or (time, channels). Away from the ends, what `MedianFilter` returns length // 2 samples later.
    """
    x, length = samples(x), _checked_length(length, odd=True)
    return _medians(_continued(x, length // 2), length).reshape(x.shape) if len(x) else x


class HampelFilter(WindowStream):
    """The newest sample, or, if it is a spike, the median of the last `length` samples, an odd number.

    threshold: a spike is over this many standard deviations away from that median; they are estimated by 1.4826 times the
    median absolute deviation, which spikes do not widen. The first length − 1 samples pass: there is too little to judge by.

    Source: Pearson 2002 (Outliers in process modeling and identification).
    """

    def __init__(self, length: int, threshold: float = 3.0) -> None:
        self.threshold = _checked_threshold(threshold)
        super().__init__(_checked_length(length, odd=True), settled=True)

    def _begin(self, first: Array) -> None:
        super()._begin(first)
        self._unjudged = self.length - 1

    def _advance(self, x: Array) -> Array:
        y = super()._advance(x)
        y[: self._unjudged] = x[: self._unjudged]
        self._unjudged = max(0, self._unjudged - len(x))
        return y

    def _slide(self, x: Array) -> Array:
        return _judged(x, self.length, self.threshold, self.length - 1)


def _judged(x: Array, length: int, threshold: float, place: int) -> Array:
    """Return the sample at that place of every window, or the window's median where that sample is a spike."""
    x = x + 0.0  # as in _medians
    return _without_spikes(x, _sorted_window(x, length), threshold * MAD_TO_SIGMA, place)


@compiled
def _without_spikes(x: Array, windows: Array, threshold: float, place: int) -> Array:
    length = windows.shape[1]
    y = np.empty((len(x) - length + 1, x.shape[1]))
    for channel in range(x.shape[1]):
        ordered = windows[channel]
        for n in range(len(y)):
            if n > 0:
                _replace(ordered, x[n - 1, channel], x[n - 1 + length, channel])
            sample, median = x[n + place, channel], ordered[length // 2]
            spike = abs(sample - median) > threshold * _median_deviation(ordered)
            y[n, channel] = median if spike else sample
    return y


@compiled
def _median_deviation(ordered: Array) -> float:
    """Return the median absolute deviation of sorted numbers: go outwards from the median, the nearer side first."""
    middle = len(ordered) // 2
    below, above, deviation = middle - 1, middle + 1, 0.0
    for _ in range(middle):
        down, up = ordered[middle] - ordered[below], ordered[above] - ordered[middle]
        if down <= up:
            below, deviation = below - 1, down
        else:
            above, deviation = above + 1, up
    return deviation


def hampel(x: ArrayLike, length: int, threshold: float = 3.0) -> Array:
    """Return a signal without spikes, each sample judged by the `length` around it, an odd number.

    x: (time,) or (time, channels); beyond the ends, the signal is mirrored. The rest is as in `HampelFilter`.
    """
    x, length, threshold = samples(x), _checked_length(length, odd=True), _checked_threshold(threshold)
    if len(x) == 0:
        return x
    return _judged(_continued(x, length // 2), length, threshold, length // 2).reshape(x.shape)


def savitzky_golay_taps(length: int, order: int, derivative: int = 0, *, sample_rate_hz: float = 1.0) -> Array:
    """Return taps (length,) that fit a polynomial to the window by least squares and give its value, or slope, in the middle.

    `FIRFilter(taps)` does so in a stream, length // 2 samples late. derivative: 0 for the value, 1 for the slope per second…
    Source: Savitzky and Golay 1964 (Smoothing and differentiation of data by simplified least squares procedures).

    Raises ValueError unless length is odd and derivative ≤ order < length.
    """
    return _fit_weights(length, order, derivative, sample_rate_hz)[length // 2, ::-1].copy()


def savitzky_golay(x: ArrayLike, length: int, order: int, derivative: int = 0, *, sample_rate_hz: float = 1.0) -> Array:
    """Return a signal smoothed by polynomials of that order, or its derivative, as `savitzky_golay_taps` has it.

    x: (time,) or (time, channels), at least `length` samples. Each sample is in the middle of its window but in the first and
    last half window, which read the first and the last polynomial.
    """
    x, weights = samples(x), _fit_weights(length, order, derivative, sample_rate_hz)
    if len(x) < length:
        raise ValueError(f"A window of {length} samples needs a signal of as many or more; got {len(x)}.")
    half = length // 2
    middle = fir_filter(weights[half, ::-1].copy(), x)[length - 1 :]
    return np.concatenate([weights[:half] @ x[:length], middle, weights[half + 1 :] @ x[len(x) - length :]])


def _fit_weights(length: int, order: int, derivative: int, sample_rate_hz: float) -> Array:
    """Return W (length, length): W @ window is the fitted polynomial's derivative at each of the window's samples."""
    check_sample_rate(sample_rate_hz)
    _checked_length(length, odd=True)
    if not 0 <= derivative <= order < length:
        raise ValueError(
            f"A window of {length} samples fits orders up to {length - 1}, and a polynomial has derivatives up to its order; "
            f"got order {order}, derivative {derivative}."
        )
    half = max(length // 2, 1)
    times = (np.arange(length) - length // 2) / half  # from −1 to 1, where powers stay of one size
    fit = np.linalg.pinv(np.vander(times, order + 1, increasing=True))
    factors = [math.perm(power, derivative) for power in range(derivative, order + 1)]
    values = np.vander(times, order + 1 - derivative, increasing=True) * factors
    return np.asarray(values @ fit[derivative:] * (sample_rate_hz / half) ** derivative)


def goertzel(x: ArrayLike, frequency_hz: float, *, sample_rate_hz: float) -> NDArray[np.complex128]:
    """Return Σ x[n]·exp(−2πi·n·frequency/sample rate), one bin of a DFT, at any frequency: () or (channels,).

    Source: Goertzel 1958 (An algorithm for the evaluation of finite trigonometric series).
    """
    check_frequency(frequency_hz, sample_rate_hz)
    x = samples(x)
    if len(x) == 0:
        return np.zeros(x.shape[1:], np.complex128)
    state = np.zeros((2, columns(x).shape[1]))
    return _goertzel(columns(x), 2 * math.pi * frequency_hz / sample_rate_hz, len(x), 0, state).reshape(x.shape[1:])


class GoertzelDetector(Stream):
    """The amplitude of one frequency in each block of a signal that comes in chunks: `process` returns (blocks, …).

    A sine of that frequency gives its amplitude, exactly so if a block holds a whole number of half periods; other
    frequencies leak in within about sample_rate_hz / block_length. A block that is not complete yet waits for its samples.
    """

    def __init__(self, frequency_hz: float, block_length: int, *, sample_rate_hz: float) -> None:
        check_frequency(frequency_hz, sample_rate_hz)
        self.block_length = _checked_length(block_length)
        self._angle = 2 * math.pi * frequency_hz / sample_rate_hz
        super().__init__()

    def _begin(self, first: Array) -> None:
        self._state, self._count = np.zeros((2, len(first))), 0

    def _advance(self, x: Array) -> Array:
        bins = _goertzel(x, self._angle, self.block_length, self._count, self._state)
        self._count = (self._count + len(x)) % self.block_length
        return 2 / self.block_length * np.abs(bins)


@compiled
def _goertzel(x: Array, angle: float, length: int, count: int, state: Array) -> NDArray[np.complex128]:
    """Return the bin (blocks, channels) of every block that gets complete; `count` samples of the first are in the state."""
    bins = np.empty(((count + len(x)) // length, x.shape[1]), np.complex128)
    coefficient, turn, turns = 2 * np.cos(angle), np.exp(-1j * angle), np.exp(-1j * angle * (length - 1))
    for channel in range(x.shape[1]):
        last, before = state[0, channel], state[1, channel]
        taken, block = count, 0
        for n in range(len(x)):
            last, before = x[n, channel] + coefficient * last - before, last
            taken += 1
            if taken == length:
                bins[block, channel] = turns * (last - turn * before)
                last, before, taken, block = 0.0, 0.0, 0, block + 1
        state[0, channel], state[1, channel] = last, before
    return bins


def _continued(x: Array, count: int) -> Array:
    """Return x as (time, channels) with `count` samples more at each end, mirrored there: … c b a b c …, so that a is once."""
    return np.pad(columns(x), ((count, count), (0, 0)), mode="reflect")


def _checked_length(length: int, *, odd: bool = False) -> int:
    if length != int(length) or length < 1 or (odd and length % 2 == 0):
        raise ValueError(f"A window is {'an odd' if odd else 'a whole'} number of samples from 1 up; got {length}.")
    return int(length)


def _checked_threshold(threshold: float) -> float:
    if not threshold > 0:
        raise ValueError(f"A threshold is a positive number of standard deviations, often 3; got {threshold}.")
    return float(threshold)
