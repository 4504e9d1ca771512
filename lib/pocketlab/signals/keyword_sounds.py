"""Training material for the keyword spotter: recordings placed, varied and disturbed, and sounds that are no digit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.signal

from pocketlab.signals.keyword_features import BANDS, FRAMES, NONE, SAMPLE_RATE_HZ, SAMPLES, log_mel, network_input

WHOLE, PART = 0.9, 0.55  # a word counts if this share of it is in the window, and not if less than that is
NONE_SHARE = 0.25
TEMPO = 0.7, 1.4  # seconds that are made one
OTHERS = ("noise", "part", "backwards", "scrambled", "babble")


def training_views(
    recordings: Sequence[np.ndarray], labels: np.ndarray, *, views: int, seed: int | list[int] = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (count, 1, FRAMES, BANDS) float32 and labels (count,) int64: each recording `views` times, none twice alike.

    A quarter of it all, NONE_SHARE, is no digit. Raises ValueError for no recording, and for an empty one.
    """
    if not len(recordings) or not all(map(len, recordings)):
        raise ValueError(f"It takes recordings with samples in them; got {len(recordings)}, of which one or all are empty.")
    rng = np.random.default_rng(seed)
    digits = np.tile(np.arange(len(recordings)), views)
    others = round(len(digits) * NONE_SHARE / (1 - NONE_SHARE))
    inputs = np.empty((len(digits) + others, 1, FRAMES, BANDS), np.float32)
    for place in range(len(inputs)):
        window = np.zeros(round(SAMPLES * np.exp(rng.uniform(*np.log(TEMPO)))), np.float32)
        if place < len(digits):
            add_word(window, recordings, digits[place], rng)
        else:
            add_other(window, recordings, rng.choice(OTHERS), rng)
        inputs[place, 0] = picture(window, rng)
    return inputs, np.concatenate([labels[digits], np.full(others, NONE)])


def add_word(window: np.ndarray, recordings: Sequence[np.ndarray], index: int, rng: np.random.Generator) -> None:
    """Put a recording somewhere into a window (samples,), all but a tenth at most, and at times parts of words around it."""
    word = varied(recordings[index], rng)
    hidden = round((1 - WHOLE) * len(word))
    ends = sorted((-hidden, len(window) - len(word) + hidden))
    start = int(rng.integers(ends[0], ends[1] + 1))
    _add(window, word, start)
    for after in (False, True):
        if rng.random() < 0.4:
            other = varied(_any(recordings, rng), rng)
            pause = round(rng.uniform(0.08, 0.5) * SAMPLE_RATE_HZ)
            place = start + len(word) + pause if after else start - pause - len(other)
            seen = min(len(window), place + len(other)) - max(0, place)
            if seen <= PART * len(other):
                _add(window, other, place)


def add_other(window: np.ndarray, recordings: Sequence[np.ndarray], kind: str, rng: np.random.Generator) -> None:
    """Put what is no digit into a window (samples,), of a kind in OTHERS.

    Nothing; one word or two at its edges, half of them outside; a word backwards; pieces of words in another order; or four
    words at once, as of people at other tables.
    """
    if kind == "part":
        for early in (True, False) if rng.random() < 0.4 else (rng.random() < 0.5,):
            word = varied(_any(recordings, rng), rng)
            seen = round(rng.uniform(0.1, PART) * len(word))
            _add(window, word, seen - len(word) if early else len(window) - seen)
    elif kind == "backwards":
        word = varied(_any(recordings, rng), rng)[::-1]
        _add(window, word, _around(window, word, rng))
    elif kind == "scrambled":
        word = scrambled(recordings, rng)
        _add(window, word, _around(window, word, rng))
    elif kind == "babble":
        for _ in range(4):
            word = varied(_any(recordings, rng), rng)
            _add(window, word, _around(window, word, rng))


def scrambled(recordings: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return up to a second (samples,) of pieces of three words, 75 to 160 ms each, in a drawn order and some backwards."""
    pieces: list[np.ndarray] = []
    for _ in range(3):
        word = varied(_any(recordings, rng), rng)
        cuts = np.arange(rng.integers(400, 1200), len(word), rng.integers(600, 1300))
        pieces += [piece[:: rng.choice((-1, 1))] for piece in np.split(word, cuts)]
    order = rng.permutation(len(pieces))
    return np.concatenate([pieces[index] for index in order])[: rng.integers(SAMPLES // 4, SAMPLES)]


def varied(recording: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a recording said faster and higher or slower and lower, brighter or duller, louder or softer.

    It begins up to 0.15 s before the word and ends as late after it, with a noise of its own that breaks off there: how tightly a
    recording was cut, and how quiet its room was, tell speakers apart and not words.
    """
    count = max(300, round(len(recording) / rng.uniform(0.82, 1.22)))
    word = np.interp(np.linspace(0, len(recording) - 1, count), np.arange(len(recording)), recording)
    word[1:] += rng.uniform(-0.7, 0.5) * word[:-1]  # the right side is computed first, from the word as it was
    word = np.pad(word, rng.integers(0, round(0.15 * SAMPLE_RATE_HZ), 2))
    return level(word + noise(len(word), rng) * np.abs(word).max() * 10 ** (-rng.uniform(25, 65) / 20), rng)


def level(word: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a sound as loud as somebody near or far, who reaches 1 to 12 dB below full scale."""
    return np.asarray(word / (np.abs(word).max() + 1e-9) * 10 ** (-rng.uniform(1, 12) / 20), np.float32)


def noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise (count,) of power 1, from white to dull as of an engine."""
    samples = scipy.signal.lfilter([1], [1, -rng.uniform(0, 0.9)], rng.standard_normal(count, np.float32))
    return np.asarray(samples / samples.std(), np.float32)


def picture(window: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the network's input (FRAMES, BANDS) for a window (samples,), in noise, by another mouth and microphone.

    Noise 8 to 45 dB below the words; a longer or shorter window is pressed or stretched into a second, which changes the pace and
    leaves the pitch; bands moved by up to three, as a longer or shorter vocal tract moves them; bands louder and softer; some
    bands and frames masked (Park and others, SpecAugment, 2019).
    """
    power = np.sqrt(2 * (window**2).mean()) or 0.1
    disturbed = window + noise(len(window), rng) * power * 10 ** (-rng.uniform(8, 45) / 20)
    decibels = log_mel(disturbed * 10 ** (-rng.uniform(0, 20) / 20))
    decibels = _resampled(decibels, np.linspace(0, len(decibels) - 1, FRAMES))
    bands = np.arange(BANDS)
    if rng.random() < 0.7:
        moved = bands + rng.uniform(-3, 3) * np.sin(np.pi * bands / (BANDS - 1))
        decibels = _resampled(decibels.T, np.clip(moved, 0, BANDS - 1)).T
    decibels = decibels + np.interp(bands, [0, 8, 16, 24, 31], rng.normal(0, 5, 5))
    for _ in range(2):
        if rng.random() < 0.5:
            first = rng.integers(0, BANDS - 4)
            decibels[:, first : first + rng.integers(1, 5)] = decibels.mean()
    if rng.random() < 0.5:
        first = rng.integers(0, FRAMES - 8)
        decibels[first : first + rng.integers(1, 8)] = decibels.min()
    return network_input(decibels)


def _resampled(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows (count, …) at places between 0 and count − 1, by the straight line between neighbors."""
    lower = np.minimum(places.astype(int), len(rows) - 2)
    share = (places - lower)[:, np.newaxis]
    return rows[lower] * (1 - share) + rows[lower + 1] * share


def _around(window: np.ndarray, word: np.ndarray, rng: np.random.Generator) -> int:
    """A place for a word where half of it at least lies in the window."""
    ends = sorted((-(len(word) // 2), len(window) - len(word) // 2))
    return int(rng.integers(ends[0], ends[1] + 1))


def _any(recordings: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    return recordings[int(rng.integers(len(recordings)))]


def _add(window: np.ndarray, word: np.ndarray, start: int) -> None:
    """Add a word to the window, from sample `start` on, which may lie before it or after it."""
    word = word[max(0, -start) :]
    start = max(0, start)
    count = max(0, min(len(word), len(window) - start))
    window[start : start + count] += word[:count]
