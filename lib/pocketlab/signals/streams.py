"""What every filter here shares: a signal comes in chunks, is checked at the door, and its cutting changes no bit of the result.

A NaN that gets into a recursive filter never leaves: it is in the state, and so in every later output. Therefore no filter
takes one: `process` raises before it changes anything, so that the chunk can be mended and sent again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Kind = Literal["low", "high", "band"]


def samples(x: ArrayLike) -> Array:
    """Return a signal (time,) or (time, channels) as contiguous float64; integers keep their values.

    Raises ValueError for another shape, for numbers that are not real, and for NaN or infinity.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "buif":
        raise ValueError(f"Samples have to be real numbers; these have dtype {array.dtype}.")
    if array.ndim not in (1, 2) or array.shape[1:] == (0,):
        raise ValueError(f"A signal has shape (time,) or (time, channels), with one channel or more; got {array.shape}.")
    array = np.require(array, np.float64, ["C", "W"])  # one kind of array, so that loops are compiled once
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(int(index) for index in np.argwhere(~finite)[0])
        raise ValueError(
            f"Sample {place[0]} is {array[place]}. In a recursive filter it would stay for ever, so nothing was taken in. "
            "Fill the gap, for instance with np.interp from its neighbors, and send these samples again."
        )
    return array


def columns(x: Array) -> Array:
    """Return a signal (time,) or (time, channels) as (time, channels)."""
    return x.reshape(len(x), -1) if x.ndim == 1 else x


def check_sample_rate(sample_rate_hz: float) -> None:
    """Raise ValueError for a sample rate that is not positive and finite."""
    if not 0 < sample_rate_hz < np.inf:
        raise ValueError(f"A sample rate is a positive number of samples per second; got {sample_rate_hz}.")


def check_frequency(frequency_hz: float, sample_rate_hz: float) -> None:
    """Raise ValueError for a frequency that is not between 0 and half the sample rate, both excluded."""
    check_sample_rate(sample_rate_hz)
    if not 0 < frequency_hz < sample_rate_hz / 2:
        raise ValueError(
            f"{frequency_hz} Hz is not between 0 and {sample_rate_hz / 2} Hz, half the sample rate (the Nyquist frequency), "
            "where a digital filter can act. Choose a lower frequency or sample faster."
        )


def band_edges(cutoff_hz: float | tuple[float, float], kind: Kind, sample_rate_hz: float) -> tuple[float, float]:
    """Return the lower and upper edge, in Hz, of what passes a filter of kind "low", "high" or "band".

    cutoff_hz: one frequency, or for "band" a pair, lower first. Raises ValueError for other cutoffs or kinds.
    """
    if kind not in ("low", "high", "band"):
        raise ValueError(f'kind has to be "low", "high" or "band"; got {kind!r}.')
    cutoffs = [float(cutoff) for cutoff in np.atleast_1d(cutoff_hz)]
    if len(cutoffs) != (2 if kind == "band" else 1):
        wanted = "two cutoffs, (lower, upper)" if kind == "band" else "one cutoff"
        raise ValueError(f"A {kind} pass takes {wanted}; got {cutoff_hz}.")
    for cutoff in cutoffs:
        check_frequency(cutoff, sample_rate_hz)
    if kind == "band":
        if cutoffs[0] >= cutoffs[1]:
            raise ValueError(f"The lower cutoff of a band pass comes first; got {cutoff_hz}.")
        return cutoffs[0], cutoffs[1]
    return (0.0, cutoffs[0]) if kind == "low" else (cutoffs[0], sample_rate_hz / 2)


class Stream(ABC):
    """A filter that takes a signal chunk by chunk and remembers what it needs of the past."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the signal so far: the next chunk begins another one, with any number of channels."""
        self._channels: tuple[int, ...] | None = None

    def process(self, chunk: ArrayLike) -> Array:
        """Take the next chunk, (time,) or (time, channels), and return the output that is ready: (ready, …) like the chunk.

        Chunks may have any length, also 0; outputs joined together do not depend on how the signal was cut.
        Raises ValueError, and changes nothing, for samples that `samples` refuses or other channels than before.
        """
        x = samples(chunk)
        if self._channels is not None and x.shape[1:] != self._channels:
            before = ("time", *map(str, self._channels))
            raise ValueError(
                f"This stream has taken chunks of shape ({', '.join(before)}{',' * (len(before) == 1)}); this one has {x.shape}. "
                "Keep the channels, or call reset() before another signal."
            )
        if len(x) == 0:
            return x.copy()
        if self._channels is None:
            self._channels = x.shape[1:]
            self._begin(columns(x)[0])
        y = self._advance(columns(x))
        return y.reshape(len(y), *self._channels)

    @abstractmethod
    def _begin(self, first: Array) -> None:
        """Set up the state for a signal whose first sample, (channels,), is `first`."""

    @abstractmethod
    def _advance(self, x: Array) -> Array:
        """Return the output (ready, channels) after the next samples x (time, channels), at least one of them."""


class WindowStream(Stream):
    """A stream whose output, one for each sample, depends on the last `length` samples and nothing else.

    settled: take the first sample as having been there for ever; otherwise there was silence before it.
    """

    def __init__(self, length: int, *, settled: bool) -> None:
        self.length = length
        self.settled = settled
        super().__init__()

    def _begin(self, first: Array) -> None:
        self._past = np.tile(first if self.settled else np.zeros_like(first), (self.length - 1, 1))

    def _advance(self, x: Array) -> Array:
        joined = np.concatenate([self._past, x])
        self._past = joined[len(x) :].copy()
        return self._slide(joined)

    @abstractmethod
    def _slide(self, x: Array) -> Array:
        """Return the output (time, channels) of every window of `length` samples in x (length − 1 + time, channels)."""
