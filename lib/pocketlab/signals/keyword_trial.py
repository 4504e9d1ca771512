"""How well does a stream of words get through? Streams put together from recordings, and detections counted against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pocketlab.signals.keyword_features import SAMPLE_RATE_HZ
from pocketlab.signals.keyword_sounds import level, noise, scrambled
from pocketlab.signals.keyword_stream import Detection

EARLY, LATE_S = 0.5, 1.0  # a detection belongs to a word from the middle of it until so long after its end


@dataclass(frozen=True)
class Word:
    """A digit said in a stream, from start_s to end_s."""

    start_s: float
    end_s: float
    digit: int


@dataclass(frozen=True)
class StreamScore:
    """What became of the words of a stream.

    detected, confused, missed: how many words were heard right, as another digit, or not. false_alarms: detections that belong
    to no word, with those that come a second time for the same. latencies_s: from the end of each detected word to its detection.
    """

    detected: int
    confused: int
    missed: int
    false_alarms: int
    latencies_s: tuple[float, ...]


def spoken_stream(
    recordings: Sequence[np.ndarray],
    labels: np.ndarray,
    *,
    pause_s: tuple[float, float] = (0.4, 1.5),
    snr_db: float = 20.0,
    seed: int = 0,
) -> tuple[np.ndarray, list[Word]]:
    """Return a stream (samples,) float32 at 8 kHz in which all recordings are said in drawn order, and the words in it.

    Pauses are drawn from pause_s, loudness as in `level`; noise lies snr_db below the words' mean power, in
    the pauses too. A second of it comes first and last.
    Raises ValueError where there is nothing to say.
    """
    rng = np.random.default_rng(seed)
    sounds: list[np.ndarray] = [np.zeros(SAMPLE_RATE_HZ, np.float32)]
    words, place = [], SAMPLE_RATE_HZ
    for index in rng.permutation(len(recordings)):
        word = level(recordings[index], rng)
        pause = np.zeros(round(rng.uniform(*pause_s) * SAMPLE_RATE_HZ), np.float32)
        words.append(Word(place / SAMPLE_RATE_HZ, (place + len(word)) / SAMPLE_RATE_HZ, int(labels[index])))
        sounds += [word, pause]
        place += len(word) + len(pause)
    sounds.append(np.zeros(SAMPLE_RATE_HZ, np.float32))
    return _in_noise(np.concatenate(sounds), snr_db, rng), words


def other_stream(recordings: Sequence[np.ndarray], seconds: float, *, snr_db: float = 20.0, seed: int = 0) -> np.ndarray:
    """Return a stream (samples,) as long as that in which nobody says a digit: pieces of words in another order, and noise.

    Raises ValueError for no recording, and for a time that is not above 0 s.
    """
    if not len(recordings) or not 0 < seconds < np.inf:
        raise ValueError(f"It takes recordings and a time above 0 s; got {len(recordings)} and {seconds} s.")
    rng = np.random.default_rng(seed)
    sounds: list[np.ndarray] = []
    while sum(map(len, sounds)) < seconds * SAMPLE_RATE_HZ:
        sounds += [level(scrambled(recordings, rng), rng), np.zeros(round(rng.uniform(0.2, 1.0) * SAMPLE_RATE_HZ), np.float32)]
    return _in_noise(np.concatenate(sounds)[: round(seconds * SAMPLE_RATE_HZ)], snr_db, rng)


def _in_noise(stream: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """Add noise that lies snr_db below the power of what is not silence."""
    spoken = stream[stream != 0]
    if not len(spoken):
        raise ValueError("There is no recording with a sound in it, so there is no level for the noise to lie below.")
    return stream + noise(len(stream), rng) * np.float32(np.sqrt((spoken**2).mean()) * 10 ** (-snr_db / 20))


def score_stream(words: Sequence[Word], detections: Sequence[Detection]) -> StreamScore:
    """Count detections against the words, both in the order of time.

    A detection belongs to the last word whose middle lies before it, if that ended LATE_S before or less. The first of a word
    decides; any further one is a false alarm.
    """
    middles = np.array([word.start_s + EARLY * (word.end_s - word.start_s) for word in words])
    first: dict[int, Detection] = {}
    false_alarms = 0
    for detection in detections:
        index = int(np.searchsorted(middles, detection.time_s, side="right")) - 1
        if index < 0 or detection.time_s > words[index].end_s + LATE_S or index in first:
            false_alarms += 1
        else:
            first[index] = detection
    right = [index for index, detection in first.items() if detection.digit == words[index].digit]
    return StreamScore(
        detected=len(right),
        confused=len(first) - len(right),
        missed=len(words) - len(first),
        false_alarms=false_alarms,
        latencies_s=tuple(first[index].time_s - words[index].end_s for index in right),
    )
