"""The mel front end (16 kHz, frames of 25 ms every 10 ms) against librosa, torch.stft, and the target of 1,500 times real time.

A minute of noise, one thread; the kinds take turns, so that other work on the machine slows all of them. All compute the same
numbers (tests/unit/test_audio.py holds ours to librosa's); ours is also fed in chunks of 10 ms, as a microphone would.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import librosa
import numpy as np
import torch

from bench.llm_linear import alternating
from bench.row import Row
from pocketlab.operations.latency import latency_percentiles
from pocketlab.signals.audio import MelSettings, MelStream, mel_bands, mel_filters

RATE, SECONDS, ROUNDS = 16_000, 60, 15
TARGET_MS = 1000 * SECONDS / 1500
CHUNK_MS, CHUNKS = 10, 1000


def torch_bands(settings: MelSettings, x: np.ndarray) -> Callable[[], object]:
    """What torchaudio does: torch.stft, squared, times the matrix of the filters."""
    samples = torch.from_numpy(x)
    window = torch.hann_window(settings.frame_length, dtype=samples.dtype)
    filters = torch.from_numpy(mel_filters(settings).astype(x.dtype))
    lengths = {"n_fft": settings.points, "hop_length": settings.hop_length, "win_length": settings.frame_length}

    def bands() -> object:
        spectra = torch.stft(samples, **lengths, window=window, center=False, return_complex=True)
        return filters @ spectra.abs().square()

    return bands


def librosa_bands(settings: MelSettings, x: np.ndarray) -> Callable[[], object]:
    lengths = {"n_fft": settings.points, "hop_length": settings.hop_length, "win_length": settings.frame_length}
    return lambda: librosa.feature.melspectrogram(y=x, sr=RATE, **lengths, center=False, n_mels=settings.bands)


def mel() -> list[Row]:
    torch.set_num_threads(1)
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE * SECONDS)
    rows = []
    for dtype, bands in itertools.product((np.float32, np.float64), (40, 80)):
        settings, x = MelSettings(bands=bands, dtype=dtype), noise.astype(dtype)
        calls = [lambda s=settings, x=x: mel_bands(x, s), librosa_bands(settings, x), torch_bands(settings, x)]
        times = [latency_percentiles(taken, 1) for taken in alternating(calls, ROUNDS)]
        name = f"a minute of sound, {bands} bands, {np.dtype(dtype).name}"
        for which, ours, by_librosa, by_torch in zip(("median", "p90"), *times, strict=True):
            rows.append(Row(f"{name}, {which}", "ms", ours, TARGET_MS, "1,500x real time"))
            rows.append(Row(f"{name}, {which}", "ms", ours, by_librosa, "librosa"))
            rows.append(Row(f"{name}, {which}", "ms", ours, by_torch, "torch.stft"))
    return rows + chunks()


def chunks() -> list[Row]:
    stream = MelStream(MelSettings(dtype=np.float32))
    chunk = np.zeros(RATE * CHUNK_MS // 1000, np.float32)
    (times,) = alternating([lambda: stream.process(chunk)], CHUNKS)
    percentiles = zip(("median", "p90"), latency_percentiles(times, 1), strict=True)
    return [Row(f"a chunk of 10 ms, {which}", "ms", ours, float(CHUNK_MS), "real time") for which, ours in percentiles]


BENCHES = {"mel": mel}
