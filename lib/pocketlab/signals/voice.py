"""Is somebody speaking? Energy against a noise floor that adapts, with a hangover over the gaps inside words."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from pocketlab.data.compiled import compiled
from pocketlab.signals.audio import sound
from pocketlab.signals.spectra import STFTStream, window

FRAME_S, HOP_S = 0.025, 0.010
LOW_HZ, HIGH_HZ = 200.0, 3800.0  # where speech has its energy, and hum and wind have less
QUIETEST_DB = -80.0  # of full scale: below that a microphone delivers only its own noise


class Voice(IntEnum):
    """What a frame holds: nothing, speech, or a gap right after speech that still belongs to it."""

    QUIET = 0
    SPEECH = 1
    HANGOVER = 2


class VoiceDetector:
    """Detects speech in a stream of samples from −1 to 1; frames of 25 ms every 10 ms, each with its `Voice`.

    The level of a frame is its power between 200 and 3,800 Hz in dB of full scale. The noise floor is the least smoothed
    level of the last memory_s seconds (Martin, Noise power spectral density estimation based on optimal smoothing and minimum
    statistics, 2001, in its simplest form): it follows quieter surroundings at once, and louder ones after memory_s. Speech
    opens after `confirm` frames in a row that lie open_db above the floor and are not as flat as noise: the geometric mean of
    their spectrum over the arithmetic is below `flatness`, for which white noise has 0.56. It lasts while levels lie
    close_db above the floor, and hangover_s longer.

    A stream should begin with a moment of noise: one that begins with speech shows it only after its first pause. A frame with
    NaN in it counts as quiet, and the floor forgets it.

    floor_db: the noise floor now.

    Raises ValueError for a sample rate below 8,000 Hz, or for settings that make no sense together.
    """

    def __init__(
        self,
        sample_rate_hz: float,
        *,
        open_db: float = 7.0,
        close_db: float = 3.5,
        flatness: float = 0.4,
        confirm: int = 2,
        hangover_s: float = 0.15,
        memory_s: float = 2.0,
    ) -> None:
        if not sample_rate_hz >= 8000:
            raise ValueError(f"Speech needs a sample rate of 8000 Hz or more, not {sample_rate_hz} Hz.")
        if not 0 < close_db <= open_db:
            raise ValueError(f"close_db lies above 0 and not above open_db; not {close_db} and {open_db}.")
        if confirm < 1 or not (memory_s >= HOP_S and hangover_s >= 0):
            raise ValueError(
                f"confirm is 1 frame or more, memory_s {HOP_S} or more, hangover_s 0 or more; not {confirm}, {memory_s} and "
                f"{hangover_s}."
            )
        frame_length, self.hop_length = round(FRAME_S * sample_rate_hz), round(HOP_S * sample_rate_hz)
        self._stft = STFTStream(frame_length=frame_length, hop_length=self.hop_length)
        spacing = sample_rate_hz / frame_length
        self._band = int(np.ceil(LOW_HZ / spacing)), int(min(HIGH_HZ // spacing + 1, frame_length // 2))
        # A spectrum's power is one-sided, and the window has taken a part of it.
        self._scale = 2 / (frame_length * (window("hann", frame_length) ** 2).sum())
        self._thresholds = np.array([open_db, close_db, flatness])
        self._frames = np.array([confirm, round(hangover_s / HOP_S)])
        self._levels = np.full(round(memory_s / HOP_S), np.inf)  # of the last frames, smoothed, in a ring
        self._state = np.array([Voice.QUIET, 0, 0, 0])  # the voice, frames that confirm it, hangover left, place in the ring

    @property
    def floor_db(self) -> float:
        """The noise floor in dB of full scale; infinite before the first frame."""
        return float(self._levels.min())

    def process(self, chunk: np.ndarray) -> np.ndarray:
        """Take (samples,), return the `Voice` of the frames that they complete: (frames,) int8."""
        spectra = self._stft.process(sound(chunk))
        features = _features(spectra, *self._band, self._scale)
        return _voices(features, self._thresholds, self._frames, self._levels, self._state)


@compiled
def _features(spectra: np.ndarray, first: int, end: int, scale: float) -> np.ndarray:
    """(frames, 2): the level in dB of full scale of the bins from first to before end, and how flat they are, 0 to 1."""
    features = np.empty((spectra.shape[0], 2))
    for frame in range(spectra.shape[0]):
        total, logs = 0.0, 0.0
        for k in range(first, end):
            power = scale * (spectra[frame, k].real ** 2 + spectra[frame, k].imag ** 2) + 1e-20
            total += power
            logs += np.log(power)
        features[frame, 0] = 10 * np.log10(total)
        features[frame, 1] = np.exp(logs / (end - first)) / (total / (end - first))
    return features


@compiled
def _voices(
    features: np.ndarray, thresholds: np.ndarray, frames: np.ndarray, levels: np.ndarray, state: np.ndarray
) -> np.ndarray:
    """The voice of each frame (frames,); levels and state are carried on from frame to frame."""
    open_db, close_db, flatness = thresholds
    confirm, hangover = frames
    voice, confirmed, left, place = state
    voices = np.empty(features.shape[0], np.int8)
    for frame in range(features.shape[0]):
        level = max(features[frame, 0], QUIETEST_DB)
        valid = not np.isnan(features[frame, 0])
        if valid:
            last = levels[place - 1]
            levels[place] = level if last == np.inf else last + 0.3 * (level - last)
            place = (place + 1) % len(levels)
        above = level - levels.min()
        if voice == Voice.QUIET:
            confirmed = confirmed + 1 if valid and above > open_db and features[frame, 1] < flatness else 0
            if confirmed == confirm:
                voice = Voice.SPEECH
        elif valid and above > close_db:
            voice, left = Voice.SPEECH, hangover
        else:
            voice, left = Voice.HANGOVER, left - 1
            if left < 0:
                voice, confirmed = Voice.QUIET, 0
        voices[frame] = voice
    state[0], state[1], state[2], state[3] = voice, confirmed, left, place
    return voices


def detect_voice(samples: np.ndarray, sample_rate_hz: float, **settings: Any) -> np.ndarray:
    """Return the `Voice` of each frame of samples (samples,): (frames,) int8; settings as in `VoiceDetector`."""
    return VoiceDetector(sample_rate_hz, **settings).process(samples)


def spoken_parts(voices: np.ndarray) -> np.ndarray:
    """Return where speech begins and ends, in seconds: (parts, 2), from `Voice` (frames,), hangover included."""
    spoken = np.concatenate([[False], np.asarray(voices) != Voice.QUIET, [False]])
    changes = np.flatnonzero(spoken[1:] != spoken[:-1]).reshape(-1, 2)
    return np.asarray(changes * HOP_S + np.array([0.0, FRAME_S - HOP_S]))
