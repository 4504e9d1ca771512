"""Spectra of a signal that changes: windows, frames, the short-time Fourier transform and back, and spectral gating.

Everything that takes a stream gives the same numbers, bit for bit, however the stream is cut into chunks: each frame is
computed on its own, and the batch functions hand the whole signal over as one chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from pocketlab.data.compiled import compiled

# w[n] = c0 − c1·cos(2πn/N) + c2·cos(4πn/N) − …  (Harris, On the use of windows for harmonic analysis with the DFT, 1978)
COSINES = {
    "rectangular": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "blackman-harris": (0.35875, 0.48829, 0.14128, 0.01168),
}


def window(name: str, length: int, *, periodic: bool = True) -> np.ndarray:
    """Return a window of `length` samples; the names are the keys of `COSINES`.

    periodic: one sample short of its own mirror image, so that windows laid side by side add up evenly, as spectra want it;
    False gives the symmetric one, for the design of filters.

    Raises ValueError for another name or a length below 1.
    """
    if name not in COSINES:
        raise ValueError(f"There is no window called {name!r}: choose one of {', '.join(COSINES)}.")
    if length < 1:
        raise ValueError(f"A window has at least 1 sample, not {length}.")
    if length == 1:
        return np.ones(1)
    angle = 2 * np.pi * np.arange(length) / (length if periodic else length - 1)
    return np.asarray(sum((-1) ** k * c * np.cos(k * angle) for k, c in enumerate(COSINES[name])) + np.zeros(length))


def one_channel(x: np.ndarray, dtype: type[np.floating] = np.float64) -> np.ndarray:
    """Return a signal of one channel, (samples,), as floats; raise ValueError for another shape or for complex numbers."""
    x = np.asarray(x)
    if x.ndim != 1:
        raise ValueError(
            f"A signal of one channel has the shape (samples,), not {x.shape}: take one channel, or the mean of them, "
            "x.mean(axis=1)."
        )
    if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
        raise ValueError(f"A signal consists of real numbers, not of {x.dtype}.")
    return x.astype(dtype, copy=False)


class FrameStream:
    """Cuts a stream into overlapping frames: each comes out as soon as its last sample is there."""

    def __init__(self, frame_length: int, hop_length: int, dtype: type[np.floating] = np.float64) -> None:
        if not 1 <= hop_length <= frame_length:
            raise ValueError(
                f"hop_length is {hop_length} and frame_length {frame_length}; frames follow each other by at least 1 sample "
                "and at most by their own length."
            )
        self.frame_length, self.hop_length, self.dtype = frame_length, hop_length, dtype
        self._waiting = np.zeros(0, dtype)

    def process(self, chunk: np.ndarray) -> np.ndarray:
        """Take (samples,), return (frames, frame_length), a view that is not to be written to; there may be none."""
        x = np.concatenate([self._waiting, one_channel(chunk, self.dtype)])
        count = max(0, 1 + (len(x) - self.frame_length) // self.hop_length)
        self._waiting = x[count * self.hop_length :].copy()
        if count == 0:
            return np.zeros((0, self.frame_length), self.dtype)
        return np.lib.stride_tricks.sliding_window_view(x, self.frame_length)[:: self.hop_length]


class STFTStream:
    """The short-time Fourier transform of a stream; settings as in `stft`, with the frames of `center=False`."""

    def __init__(
        self, *, frame_length: int, hop_length: int, window_name: str = "hann", fft_length: int | None = None
    ) -> None:
        self.fft_length = fft_length or frame_length
        if self.fft_length < frame_length:
            raise ValueError(f"fft_length {fft_length} is shorter than a frame of {frame_length} samples.")
        self._frames = FrameStream(frame_length, hop_length)
        self._window = window(window_name, frame_length)

    def process(self, chunk: np.ndarray) -> np.ndarray:
        """Take (samples,), return the spectra (frames, fft_length // 2 + 1) of the frames that they complete."""
        frames = self._frames.process(chunk)
        if len(frames) == 0:  # the FFT takes no empty batch
            return np.zeros((0, self.fft_length // 2 + 1), np.complex128)
        return np.asarray(scipy.fft.rfft(frames * self._window, self.fft_length, axis=1))


def stft(
    x: np.ndarray,
    *,
    frame_length: int,
    hop_length: int,
    window_name: str = "hann",
    fft_length: int | None = None,
    center: bool = False,
) -> np.ndarray:
    """Return the short-time Fourier transform of x (samples,): complex (frames, fft_length // 2 + 1), not scaled.

    Frame t covers samples t · hop_length to t · hop_length + frame_length − 1; samples after the last whole frame are left
    out, and a signal shorter than a frame has no frames. center: put frame_length // 2 zeros before and after the signal
    first, so that frame t is centered on sample t · hop_length. fft_length: zeros are added to each frame up to it. A NaN makes
    NaN of the frames that it lies in, and of no others.
    """
    x = one_channel(x)
    if center:
        x = np.pad(x, frame_length // 2)
    stream = STFTStream(
        frame_length=frame_length, hop_length=hop_length, window_name=window_name, fft_length=fft_length
    )
    return stream.process(x)


def istft(
    spectrum: np.ndarray,
    *,
    frame_length: int,
    hop_length: int,
    window_name: str = "hann",
    fft_length: int | None = None,
    length: int | None = None,
    center: bool = False,
) -> np.ndarray:
    """Return the signal (samples,) whose `stft` with the same settings is closest to spectrum (frames, bins).

    Frames are windowed once more, added, and divided by the sum of the squared windows (Griffin and Lim, Signal estimation
    from modified short-time Fourier transform, 1984, equation 6). An unchanged transform gives its signal back, except where no
    window reached, which is 0: under the first sample of a Hann window, and after the last frame. length: cut, or filled
    with zeros, to this many samples.

    Raises ValueError for a spectrum of another shape.
    """
    spectrum, fft_length = np.asarray(spectrum), fft_length or frame_length
    if spectrum.ndim != 2 or spectrum.shape[1] != fft_length // 2 + 1:
        raise ValueError(
            f"A spectrum of frames of {fft_length} samples has the shape (frames, {fft_length // 2 + 1}), not {spectrum.shape}."
        )
    x = np.zeros((len(spectrum) - 1) * hop_length + frame_length if len(spectrum) else 0)
    weight = np.zeros_like(x)
    if len(spectrum):
        shape = window(window_name, frame_length)
        frames = scipy.fft.irfft(spectrum, fft_length, axis=1)[:, :frame_length] * shape
        _overlap_add(frames, hop_length, x)
        _overlap_add(np.broadcast_to(shape**2, frames.shape), hop_length, weight)
    x = np.divide(x, weight, out=np.zeros_like(x), where=weight > np.finfo(float).tiny)
    if center:
        x = x[frame_length // 2 : len(x) - (frame_length // 2 if length is None else 0)]
    return x if length is None else np.pad(x[:length], (0, max(0, length - len(x))))


def _overlap_add(frames: np.ndarray, hop_length: int, out: np.ndarray) -> None:
    """Add frames (frames, frame_length) to out (samples,), each hop_length samples after the one before."""
    for index, frame in enumerate(frames):
        out[index * hop_length : index * hop_length + len(frame)] += frame


def noise_profile(noise: np.ndarray, *, frame_length: int = 512, hop_length: int = 128) -> np.ndarray:
    """Return the mean power (frame_length // 2 + 1,) of each frequency in a recording of nothing but noise, (samples,).

    Raises ValueError for a recording shorter than a frame, or with NaN in it.
    """
    spectra = stft(noise, frame_length=frame_length, hop_length=hop_length)
    if len(spectra) == 0:
        raise ValueError(f"{len(noise)} samples of noise are fewer than a frame of {frame_length}: record half a second or more.")
    power = np.asarray((np.abs(spectra) ** 2).mean(axis=0))
    if np.isnan(power).any():
        raise ValueError("The recording of noise has NaN in it: cut them out first.")
    return power


class SpectralGate:
    """Noise reduction of a stream: frequencies no louder than the noise are turned down, the others pass untouched.

    profile: from `noise_profile`, with the same frame_length. A bin counts as loud where its power is threshold_db above
    the noise's. It is open where most of the `neighbors` bins around it (odd, itself one of them) are loud, since lone bins
    would sound as tones ("musical noise"), and is turned down by reduction_db elsewhere. A bin opens at once and goes the part
    `closing` of the way in each frame when it closes. A sample comes out once its last frame is complete: up to
    frame_length − 1 samples later; `finish` gives the rest. A NaN makes NaN of the frames that it lies in, and of no others.

    The method is spectral subtraction (Boll, Suppression of acoustic noise in speech using spectral subtraction, 1979) with a
    mask instead of a difference, as in Sainburg's noisereduce (2019).

    Raises ValueError for a profile of another length, frames that overlap by less than half, or even neighbors.
    """

    def __init__(
        self,
        profile: np.ndarray,
        *,
        frame_length: int = 512,
        hop_length: int = 128,
        threshold_db: float = 6.0,
        reduction_db: float = 20.0,
        neighbors: int = 5,
        closing: float = 0.2,
    ) -> None:
        bins = frame_length // 2 + 1
        if np.shape(profile) != (bins,):
            raise ValueError(
                f"The profile of frames of {frame_length} samples has the shape ({bins},), not {np.shape(profile)}: call "
                "noise_profile with the same frame_length."
            )
        if 2 * hop_length > frame_length:
            raise ValueError(f"Frames overlap by half or more here: hop_length {hop_length} is above {frame_length // 2}.")
        if neighbors < 1 or neighbors % 2 == 0:
            raise ValueError(f"neighbors is an odd number, the bin itself in their middle, not {neighbors}.")
        self.frame_length, self.hop_length, self.neighbors, self.closing = frame_length, hop_length, neighbors, closing
        self._threshold = np.asarray(profile) * 10 ** (threshold_db / 10)
        self._closed = 10 ** (-reduction_db / 20)
        self._gain = np.full(bins, self._closed)
        self._synthesis = _synthesis_window(window("hann", frame_length), hop_length)
        self._stft = STFTStream(frame_length=frame_length, hop_length=hop_length)
        # Silence comes first, so that the first sample lies in as many frames as every other; it is left out of the output.
        self._silence = frame_length - hop_length
        self._stft.process(np.zeros(self._silence))
        self._unfinished = np.zeros(self._silence)  # samples that later frames still add to
        self._owed = 0

    def process(self, chunk: np.ndarray) -> np.ndarray:
        """Take (samples,), return those samples (samples,) of the cleaned signal that have become final."""
        self._owed += len(one_channel(chunk))
        return self._clean(chunk)

    def finish(self) -> np.ndarray:
        """Return the samples that are left; the stream is over then."""
        rest = self._owed
        return self._clean(np.zeros(self.frame_length))[:rest]

    def _clean(self, chunk: np.ndarray) -> np.ndarray:
        spectra = self._stft.process(chunk)
        final = len(spectra) * self.hop_length
        total = np.concatenate([self._unfinished, np.zeros(final)])
        if final:
            power = spectra.real**2 + spectra.imag**2
            mask = _mask(power, self._threshold, self._closed, self.neighbors, self.closing, self._gain)
            frames = scipy.fft.irfft(spectra * mask, self.frame_length, axis=1)
            _overlap_add(frames * self._synthesis, self.hop_length, total)
        self._unfinished = total[final:]
        left_out = min(self._silence, final)
        self._silence -= left_out
        self._owed -= final - left_out
        return total[left_out:final]


def spectral_gate(x: np.ndarray, profile: np.ndarray, **settings: Any) -> np.ndarray:
    """Return x (samples,) with its noise turned down; profile and settings as in `SpectralGate`."""
    gate = SpectralGate(profile, **settings)
    return np.concatenate([gate.process(x), gate.finish()])


def _synthesis_window(analysis: np.ndarray, hop_length: int) -> np.ndarray:
    """The window with which overlapping frames add up to the signal again: w[n] / Σ_k w²[n + k · hop_length]."""
    squares = np.pad(analysis**2, (0, -len(analysis) % hop_length)).reshape(-1, hop_length)
    return np.asarray(analysis / np.tile(squares.sum(axis=0), len(squares))[: len(analysis)])


@compiled
def _mask(
    power: np.ndarray, threshold: np.ndarray, closed: float, neighbors: int, closing: float, gain: np.ndarray
) -> np.ndarray:
    """Gains (frames, bins) for power (frames, bins); gain (bins,) is the row before them, and becomes the last of them."""
    frames, bins = power.shape
    mask = np.empty((frames, bins))
    for frame in range(frames):
        for k in range(bins):
            first, last = max(0, k - neighbors // 2), min(bins - 1, k + neighbors // 2)
            loud = 0
            for j in range(first, last + 1):
                loud += power[frame, j] > threshold[j]
            if 2 * loud > last - first + 1:
                gain[k] = 1.0
            else:
                gain[k] += closing * (closed - gain[k])
            mask[frame, k] = gain[k]
    return mask
