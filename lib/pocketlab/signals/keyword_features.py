"""What the keyword spotter hears: one second of sound as a picture of mel bands, loudness taken out."""

from __future__ import annotations

import numpy as np

from pocketlab.signals.audio import MelSettings, mel_bands, power_to_db

SAMPLE_RATE_HZ = 8000
SAMPLES = 8000  # of a window, one second
FRAME_LENGTH, HOP_LENGTH = 256, 128  # 32 ms every 16 ms
FRAMES = 1 + (SAMPLES - FRAME_LENGTH) // HOP_LENGTH
BANDS = 32
SMALLEST = 1e-8  # power of a band that counts as silence: below it lie the steps of 16-bit samples
RANGE_DB = 45.0  # what lies further below the loudest band of the window is the room rather than the word

MEL = MelSettings(
    sample_rate_hz=SAMPLE_RATE_HZ, frame_length=FRAME_LENGTH, hop_length=HOP_LENGTH, bands=BANDS, low_hz=60.0, dtype=np.float32
)  # fmt: skip

NONE = 10  # the class of everything that is no digit
CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "none")


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Return samples (samples,) at 8 kHz, from −1 to 1, as decibels of mel bands, (frames, BANDS) float32."""
    return power_to_db(mel_bands(samples, MEL), smallest=SMALLEST).astype(np.float32)


def network_input(decibels: np.ndarray) -> np.ndarray:
    """Return a window of decibels (…, FRAMES, BANDS) from 0 to 1: 1 is its loudest band, 0 is RANGE_DB below that, and more.

    So a whisper gives the same picture as a shout of the same sound, as far as it lies above SMALLEST.
    """
    decibels = np.asarray(decibels, np.float32)
    loudest = decibels.max(axis=(-2, -1), keepdims=True)
    return np.maximum(decibels - loudest + np.float32(RANGE_DB), 0) / np.float32(RANGE_DB)


def centered(recording: np.ndarray, length: int = SAMPLES) -> np.ndarray:
    """Return a recording (samples,) in the middle of a window of zeros, (length,); of a longer one the middle is taken."""
    cut = recording[max(0, len(recording) - length) // 2 :][:length]
    before = (length - len(cut)) // 2
    return np.pad(cut, (before, length - len(cut) - before))
