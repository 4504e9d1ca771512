"""Filters without feedback (FIR): designed from a sinc and a window, run in a stream, and used to change the sample rate.

A filter is an array `taps` (length,): y[n] = Σ taps[k]·x[n − k].
Source: Oppenheim and Schafer, Discrete-Time Signal Processing, third edition, section 7.5 (windows), chapter 4 (polyphase).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketlab.data.compiled import compiled
from pocketlab.signals.streams import (
    Array,
    Kind,
    Stream,
    WindowStream,
    band_edges,
    check_frequency,
    check_sample_rate,
)

BLOCK = 1024  # outputs that a filter's loop makes at a time: with their inputs they stay in the nearest cache
CROSSINGS, KAISER_BETA = 10, 5.0  # of the resampling filter: zero crossings of its sinc on each side, and its window


def windowed_sinc(
    length: int,
    cutoff_hz: float | tuple[float, float],
    kind: Kind = "low",
    *,
    sample_rate_hz: float,
    window: str | tuple[str, float] = "hamming",
) -> Array:
    """Return taps (length,), symmetric, so that every frequency is delayed by (length − 1) / 2 samples.

    kind: "low", "high", or "band" with cutoff_hz a pair, lower first. At a cutoff the gain is a half (6 dB down); it is 1 at
    frequency 0, at half the sample rate, or in the middle of the band. window: as scipy.signal.get_window takes it, such as
    "hann" or ("kaiser", beta); `kaiser_design` gives length and beta.

    Raises ValueError for a length below 1, an even length of a high pass, or cutoffs not between 0 and half the sample rate.
    """
    from scipy.signal import get_window

    lower, upper = (2 * edge / sample_rate_hz for edge in band_edges(cutoff_hz, kind, sample_rate_hz))
    if length != int(length) or length < 1:
        raise ValueError(f"A filter has a whole number of taps from 1 up; got a length of {length}.")
    if kind == "high" and length % 2 == 0:
        raise ValueError(f"{length} symmetric taps, an even number, pass nothing at half the sample rate; take {length + 1}.")
    n = np.arange(length) - (length - 1) / 2
    taps = (upper * np.sinc(upper * n) - lower * np.sinc(lower * n)) * get_window(window, length, fftbins=False)
    reference = {"low": 0.0, "high": 1.0, "band": (lower + upper) / 2}[kind]
    return np.asarray(taps / (taps @ np.cos(np.pi * reference * n)))


def kaiser_design(transition_hz: float, attenuation_db: float, *, sample_rate_hz: float) -> tuple[int, float]:
    """Return the odd length and the beta of a Kaiser window for a filter whose cutoff is transition_hz wide.

    attenuation_db: by how much what should not pass is weakened, and how far below 1 ripples in the band stay. The formulas
    are fits: they hold within about 1 dB from 40 dB on, and less well below.
    Source: Kaiser 1974 (Nonrecursive digital filter design using the I0-sinh window function).

    Raises ValueError for an attenuation below 21 dB, which a filter with no window at all has, or an impossible transition.
    """
    check_frequency(transition_hz, sample_rate_hz)
    if not 21 <= attenuation_db < math.inf:
        raise ValueError(f"Kaiser's formula begins at an attenuation of 21 dB; got {attenuation_db}.")
    if attenuation_db > 50:
        beta = 0.1102 * (attenuation_db - 8.7)
    else:
        beta = 0.5842 * (attenuation_db - 21) ** 0.4 + 0.07886 * (attenuation_db - 21)
    length = math.ceil((attenuation_db - 7.95) / (2.285 * 2 * math.pi * transition_hz / sample_rate_hz) + 1)
    return length | 1, beta


def frequency_response(taps: ArrayLike, frequencies_hz: ArrayLike, *, sample_rate_hz: float) -> NDArray[np.complex128]:
    """Return the complex gain, of the frequencies' shape."""
    check_sample_rate(sample_rate_hz)
    taps = _checked(taps)
    angles = 2 * np.pi * np.asarray(frequencies_hz)[..., np.newaxis] * np.arange(len(taps)) / sample_rate_hz
    return np.asarray(np.exp(-1j * angles) @ taps)


class FIRFilter(WindowStream):
    """A filter without feedback on a signal that comes in chunks.

    taps: (length,). settled: begin as though the first sample had been there for ever; otherwise there was silence before it.

    Every output is summed in the order of the taps, whatever the chunk: a product of matrices or an FFT would sum in an order
    that depends on its length, and the last digits with it.
    """

    def __init__(self, taps: ArrayLike, *, settled: bool = False) -> None:
        self._taps = _checked(taps)
        super().__init__(len(self._taps), settled=settled)

    def _slide(self, x: Array) -> Array:
        channels = x.shape[1]
        return _convolve(self._taps, x.reshape(-1), channels).reshape(-1, channels)


@compiled
def _convolve(taps: Array, x: Array, channels: int) -> Array:
    """Return the outputs, flat, of x (length − 1 + time, channels), flat too: a sample before is `channels` numbers before."""
    y = np.zeros(len(x) - (len(taps) - 1) * channels)
    for start in range(0, len(y), BLOCK):
        out = y[start : start + BLOCK]
        for k in range(len(taps)):
            tap, earlier = taps[k], x[start + (len(taps) - 1 - k) * channels :]
            for n in range(len(out)):  # one after the other through memory: the compiler takes several at once
                out[n] += tap * earlier[n]
    return y


def fir_filter(taps: ArrayLike, x: ArrayLike, *, settled: bool = False) -> Array:
    """Return a whole signal (time,) or (time, channels) filtered: one `FIRFilter.process`, which has the details."""
    return FIRFilter(taps, settled=settled).process(x)


class Resampler(Stream):
    """A change of sample rate by up / down on a signal that comes in chunks.

    In thought: up − 1 zeros after each sample, a low pass against images and aliases, then every down-th sample of that.
    Polyphase means to compute only what is kept, and to leave out products with zeros: one of `up` short filters per output.

    up, down: whole numbers from 1 up; the two sample rates in Hz will do. An output at time t is not delayed, but waits until
    the input has come to t + 10 samples of the slower of both rates; `finish` returns what still waits at the end.
    """

    def __init__(self, up: int, down: int) -> None:
        if up != int(up) or down != int(down) or min(up, down) < 1:
            raise ValueError(f"up and down are whole numbers from 1 up, such as 16000 and 44100; got {up} and {down}.")
        divisor = math.gcd(int(up), int(down))
        self.up, self.down = int(up) // divisor, int(down) // divisor
        slower = max(self.up, self.down)
        self._half = CROSSINGS * slower if slower > 1 else 0
        taps = np.ones(1)
        if self._half:
            length = 2 * self._half + 1
            taps = self.up * windowed_sinc(length, 1 / slower, sample_rate_hz=2.0, window=("kaiser", KAISER_BETA))
        # Row p has taps p, p + up, p + 2·up, … in reverse, so that they lie beside the samples that they multiply.
        columns = -(-len(taps) // self.up)
        padded = np.concatenate([taps, np.zeros(columns * self.up - len(taps))])
        self._phases = np.ascontiguousarray(padded.reshape(columns, self.up).T[:, ::-1])
        super().__init__()

    def _begin(self, first: Array) -> None:
        self._past = np.zeros((self._phases.shape[1] - 1, len(first)))
        # Where the next output's last tap is, in steps of 1 / up samples from the first sample of the next chunk.
        self._position = self._half

    def _advance(self, x: Array) -> Array:
        return self._outputs(x, len(x) * self.up)

    def _outputs(self, x: Array, end: int) -> Array:
        joined = np.concatenate([self._past, x])
        self._past = joined[len(x) :].copy()
        count = max(0, -((self._position - end) // self.down))
        y = _polyphase(self._phases, np.ascontiguousarray(joined.T), self._position, self.down, count)
        self._position += count * self.down - len(x) * self.up
        return y

    def finish(self) -> Array:
        """Return the outputs that still wait for input, as though silence followed; then begin anew."""
        if self._channels is None:
            return np.empty(0)
        silence = np.zeros((-(-self._half // self.up), self._past.shape[1]))
        y = self._outputs(silence, self._half)
        channels = self._channels
        self.reset()
        return y.reshape(len(y), *channels)


@compiled
def _polyphase(phases: Array, x: Array, position: int, down: int, count: int) -> Array:
    """Return `count` outputs (count, channels) of x (channels, taps of a phase − 1 + time)."""
    up = len(phases)
    samples, steps = divmod(down, up)  # from one output to the next
    y = np.empty((count, len(x)))
    for channel in range(len(x)):
        begin, phase = divmod(position, up)
        for m in range(count):
            taps, seen = phases[phase], x[channel, begin:]
            total = 0.0
            for k in range(len(taps)):
                total += taps[k] * seen[k]
            y[m, channel] = total
            begin, phase = begin + samples, phase + steps
            if phase >= up:
                begin, phase = begin + 1, phase - up
    return y


def resample(x: ArrayLike, up: int, down: int) -> Array:
    """Return a whole signal (time,) or (time, channels) at up / down of its sample rate: ceil(time·up / down) samples.

    Output m is at the time of input m·down / up. The same as `Resampler` with its `finish`, which has the details.
    """
    resampler = Resampler(up, down)
    y = resampler.process(x)
    return np.concatenate([y, resampler.finish()]) if len(np.asarray(x)) else y


def decimate(x: ArrayLike, factor: int) -> Array:
    """Return every factor-th sample of a signal after a low pass at the new half sample rate, so that nothing aliases."""
    return resample(x, 1, factor)


def _checked(taps: ArrayLike) -> Array:
    taps = np.array(taps, dtype=np.float64)
    if taps.ndim != 1 or len(taps) == 0 or not np.isfinite(taps).all():
        raise ValueError(f"Taps are finite numbers of shape (length,), at least one; got shape {taps.shape}.")
    return taps
