"""From sound to what a network hears: mel bands, decibels, cepstral coefficients (MFCC) and PCEN, batch and streaming.

Samples are floats from −1 to 1. Time runs along axis 0, so that bands are (frames, bands), and frame t begins with sample
t · hop_length. The numbers are librosa's for the same settings (there: `center=False`, and the transpose).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft

from pocketlab.data.compiled import compiled
from pocketlab.signals.spectra import FrameStream, one_channel, window

BLOCK = 32  # frames computed at a time, which stay in the processor's cache
LOUDEST = 256.0  # far above 1, far below the 32,768 of 16-bit samples


def sound(samples: np.ndarray, dtype: type[np.floating] = np.float64) -> np.ndarray:
    """Return samples (samples,) as floats; raise ValueError for stereo, integers, or floats far outside −1 to 1.

    NaN passes: it makes NaN of the frames that it lies in, and of no others.
    """
    samples = np.asarray(samples)
    if np.issubdtype(samples.dtype, np.integer):
        raise ValueError(f"The samples look like {samples.dtype}; floats from −1 to 1 are expected: divide int16 by 32768.")
    samples = one_channel(samples, dtype)
    if samples.size and (np.fmax.reduce(samples) > LOUDEST or np.fmin.reduce(samples) < -LOUDEST):
        peak = np.nanmax(np.abs(samples))
        raise ValueError(
            f"The samples look like int16 (they reach {peak:,.0f}); floats from −1 to 1 are expected: divide by 32768."
        )
    return samples


def hz_to_mel(hz: np.ndarray | float, *, htk: bool = False) -> np.ndarray:
    """Return frequencies in mel, a scale on which steps of equal size sound equally large.

    Slaney's scale (Auditory Toolbox, 1998) is linear up to 1,000 Hz and logarithmic above; htk: 2595 · log10(1 + f / 700)
    (O'Shaughnessy, Speech communication, 1987), as in the Hidden Markov Model Toolkit.
    """
    hz = np.asarray(hz, np.float64)
    if htk:
        return np.asarray(2595 * np.log10(1 + hz / 700))
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def mel_to_hz(mel: np.ndarray | float, *, htk: bool = False) -> np.ndarray:
    """Return the frequencies in Hz of mel values; the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if htk:
        return np.asarray(700 * (10 ** (mel / 2595) - 1))
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((np.maximum(mel, 15) - 15) / 27))


@dataclass(frozen=True)
class MelSettings:
    """How sound becomes mel bands. The defaults: 25 ms Hann frames every 10 ms at 16 kHz, 40 bands, as for keyword spotting.

    fft_length: zeros are added to each frame up to it; None takes frame_length. high_hz: None takes half the sample rate. htk:
    the scale, see `hz_to_mel`. area_norm: scale each band's triangle to the same area (Slaney's way), so that white noise
    is level; without it each peaks at 1. dtype: float32 is faster, and exact to about 1e-6 of a frame's loudest band.

    Raises ValueError for settings that make no sense together, such as more bands than the spectrum can fill.
    """

    sample_rate_hz: float = 16_000
    frame_length: int = 400
    hop_length: int = 160
    fft_length: int | None = None
    bands: int = 40
    low_hz: float = 0.0
    high_hz: float | None = None
    htk: bool = False
    area_norm: bool = True
    dtype: type[np.floating] = np.float64

    def __post_init__(self) -> None:
        if not self.sample_rate_hz > 0:
            raise ValueError(f"The sample rate is {self.sample_rate_hz} Hz; it must be above 0, 16000 for example.")
        if not 1 <= self.hop_length <= self.frame_length <= self.points:
            raise ValueError(
                f"hop_length {self.hop_length}, frame_length {self.frame_length} and fft_length {self.points} must be at least 1 "
                "and none longer than the next."
            )
        if not 0 <= self.low_hz < self.top_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"Bands from {self.low_hz} to {self.top_hz} Hz do not lie between 0 and half the sample rate, "
                f"{self.sample_rate_hz / 2} Hz."
            )
        if self.bands < 1:
            raise ValueError(f"At least 1 band is needed, not {self.bands}.")
        empty = np.flatnonzero(mel_filters(self).max(axis=1) == 0)
        if len(empty):
            raise ValueError(
                f"{len(empty)} of {self.bands} mel bands are empty (the first is band {empty[0]}): they are narrower than the "
                f"{self.sample_rate_hz / self.points:.1f} Hz from one bin of the spectrum to the next. Take fewer bands or a "
                "longer fft_length."
            )

    @property
    def points(self) -> int:
        """The length of the Fourier transform, in samples."""
        return self.fft_length or self.frame_length

    @property
    def top_hz(self) -> float:
        """The upper end of the highest band."""
        return self.sample_rate_hz / 2 if self.high_hz is None else self.high_hz


def mel_filters(settings: MelSettings) -> np.ndarray:
    """Return the triangles of the mel bands over the bins of the spectrum: (bands, fft_length // 2 + 1).

    Band j rises from the center of band j − 1 to its own and falls to that of band j + 1; centers are evenly spaced in mel.
    """
    ends = hz_to_mel(np.array([settings.low_hz, settings.top_hz]), htk=settings.htk)
    corners = mel_to_hz(np.linspace(ends[0], ends[1], settings.bands + 2), htk=settings.htk)[:, np.newaxis]
    bins = scipy.fft.rfftfreq(settings.points, 1 / settings.sample_rate_hz)
    left, center, right = corners[:-2], corners[1:-1], corners[2:]
    triangles = np.maximum(0, np.minimum((bins - left) / (center - left), (right - bins) / (right - center)))
    return np.asarray(triangles * 2 / (right - left) if settings.area_norm else triangles)


class MelStream:
    """Mel bands of a stream: power in each band of each frame, out as soon as the frame's last sample is in."""

    def __init__(self, settings: MelSettings | None = None) -> None:
        self.settings = settings or MelSettings()
        dtype = self.settings.dtype
        self._frames = FrameStream(self.settings.frame_length, self.settings.hop_length, dtype)
        self._window = window("hann", self.settings.frame_length).astype(dtype)
        self._filters = mel_filters(self.settings)
        filled = self._filters > 0
        self._first = filled.argmax(axis=1)  # each triangle covers few bins: only those are multiplied
        self._end = filled.shape[1] - filled[:, ::-1].argmax(axis=1)
        self._windowed = np.zeros((BLOCK, self.settings.points), dtype)  # zeros stay behind each frame

    def process(self, chunk: np.ndarray) -> np.ndarray:
        """Take (samples,), return the bands (frames, bands) of the frames that they complete."""
        frames = self._frames.process(sound(chunk, self.settings.dtype))
        mel = np.empty((len(frames), self.settings.bands), self.settings.dtype)
        for start in range(0, len(frames), BLOCK):
            block = frames[start : start + BLOCK]
            windowed = self._windowed[: len(block)]
            np.multiply(block, self._window, out=windowed[:, : self.settings.frame_length])
            spectra = scipy.fft.rfft(windowed, axis=1)
            _band_power(spectra, self._filters, self._first, self._end, mel[start : start + BLOCK])
        return mel


@compiled
def _band_power(spectra: np.ndarray, filters: np.ndarray, first: np.ndarray, end: np.ndarray, mel: np.ndarray) -> None:
    """Fill mel (frames, bands) with the power of spectra (frames, bins) under each filter, from bin first to before end."""
    power = np.empty(spectra.shape[1])
    for frame in range(spectra.shape[0]):
        for k in range(spectra.shape[1]):
            power[k] = spectra[frame, k].real ** 2 + spectra[frame, k].imag ** 2
        for band in range(filters.shape[0]):
            total = 0.0
            for k in range(first[band], end[band]):
                total += filters[band, k] * power[k]
            mel[frame, band] = total


def mel_bands(samples: np.ndarray, settings: MelSettings | None = None) -> np.ndarray:
    """Return the power in each mel band of each frame, (frames, bands); a sound shorter than a frame has none."""
    return MelStream(settings).process(samples)


def power_to_db(power: np.ndarray, *, reference: float = 1.0, smallest: float = 1e-10, top_db: float | None = None) -> np.ndarray:
    """Return 10 · log10(power / reference), with power below `smallest` counted as that much.

    top_db: lift what lies further than this below the loudest value up to there. That needs the whole sound at once, which
    a stream has not: None, the default, leaves it out (librosa's default is 80).
    """
    decibels = 10 * np.log10(np.maximum(power, smallest)) - 10 * math.log10(max(reference, smallest))
    return decibels if top_db is None or not decibels.size else np.maximum(decibels, np.nanmax(decibels) - top_db)


def mfcc(log_mel: np.ndarray, count: int = 13) -> np.ndarray:
    """Return the first `count` mel-frequency cepstral coefficients (frames, count) of decibels (frames, bands).

    The orthonormal cosine transform, type II, along the bands: what neighboring bands have in common moves into few numbers
    (Davis and Mermelstein, Comparison of parametric representations for monosyllabic word recognition, 1980).

    Raises ValueError for more coefficients than bands.
    """
    log_mel = np.asarray(log_mel)
    if log_mel.ndim != 2 or not 1 <= count <= log_mel.shape[1]:
        raise ValueError(f"{count} coefficients need (frames, bands) with that many bands or more, not {log_mel.shape}.")
    if len(log_mel) == 0:  # the transform takes no empty batch
        return np.zeros((0, count), log_mel.dtype)
    return np.asarray(scipy.fft.dct(log_mel, norm="ortho", axis=1)[:, :count])


class PCEN:
    """Per-channel energy normalization of a stream of bands: each is divided by its own recent mean, then compressed.

    (power / (smallest + mean)^gain + bias)^exponent − bias^exponent, where mean ← (1 − s) · mean + s · power, beginning
    with 1, and s follows from time_constant_s. Loudness and steady noise fall out; onsets stay. The defaults are the paper's,
    which has samples from −2³¹ to 2³¹: multiply the bands of samples from −1 to 1 by 2³¹ where they hold magnitudes, as
    librosa advises. A NaN in a band gives NaN there and leaves the mean as it was.

    Source: Wang, Getreuer, Hughes, Lyon and Saurous, Trainable frontend for robust and far-field keyword spotting, 2017; s as in
    Lostanlen and others, Per-channel energy normalization: why and how, 2019.
    """

    def __init__(
        self,
        *,
        sample_rate_hz: float,
        hop_length: int,
        gain: float = 0.98,
        bias: float = 2.0,
        exponent: float = 0.5,
        time_constant_s: float = 0.4,
        smallest: float = 1e-6,
    ) -> None:
        numbers = {"sample_rate_hz": sample_rate_hz, "hop_length": hop_length, "bias": bias, "exponent": exponent}
        numbers |= {"time_constant_s": time_constant_s, "smallest": smallest}
        for name, number in numbers.items():
            if not number > 0:
                raise ValueError(f"{name} must be above 0, not {number}.")
        self.gain, self.bias, self.exponent, self.smallest = gain, bias, exponent, smallest
        frames = time_constant_s * sample_rate_hz / hop_length
        self._s = (np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
        self._mean: np.ndarray | None = None

    def process(self, bands: np.ndarray) -> np.ndarray:
        """Take power or magnitudes (frames, bands), at least 0, return as many normalized ones."""
        bands = np.ascontiguousarray(bands, np.float64)
        if bands.ndim != 2 or (self._mean is not None and bands.shape[1] != len(self._mean)):
            expected = "(frames, bands)" if self._mean is None else f"(frames, {len(self._mean)})"
            raise ValueError(f"Bands have the shape {expected}, not {bands.shape}.")
        if (bands < 0).any():
            raise ValueError("PCEN takes power or magnitudes, which are 0 or more; negative ones look like decibels.")
        if self._mean is None:
            self._mean = np.ones(bands.shape[1])
        mean = _running_mean(bands, self._s, self._mean)
        level = np.exp(-self.gain * (np.log(self.smallest) + np.log1p(mean / self.smallest)))
        # (v + bias)^e − bias^e without the difference of two nearly equal numbers
        return np.asarray(self.bias**self.exponent * np.expm1(self.exponent * np.log1p(bands * level / self.bias)))


def pcen(bands: np.ndarray, **settings: Any) -> np.ndarray:
    """Return bands (frames, bands) normalized per channel; settings as in `PCEN`."""
    return PCEN(**settings).process(bands)


@compiled
def _running_mean(bands: np.ndarray, s: float, mean: np.ndarray) -> np.ndarray:
    """The means (frames, bands) so far; mean (bands,) is the row before them, and becomes the last of them."""
    means = np.empty_like(bands)
    for frame in range(bands.shape[0]):
        for band in range(bands.shape[1]):
            if not np.isnan(bands[frame, band]):
                mean[band] = s * bands[frame, band] + (1 - s) * mean[band]
            means[frame, band] = mean[band]
    return means
