from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlab.data.speech_synthesis import SPEAKERS, synthesize_digit
from pocketlab.data.spoken_digits import load_spoken_digits
from pocketlab.signals.voice import HOP_S, Voice, VoiceDetector, detect_voice, spoken_parts

RATE = 8000
HOP = round(HOP_S * RATE)
PAUSE = 8000
HANGOVER = 15


def noise(count: int, seed: int = 0, *, pink: bool = False) -> np.ndarray:
    """Noise with a standard deviation of 1; pink has the same power in every octave."""
    x = np.random.default_rng(seed).standard_normal(count)
    if pink:
        hz = np.fft.rfftfreq(count, 1 / RATE)
        x = np.fft.irfft(np.fft.rfft(x) / np.sqrt(np.maximum(hz, 50)), count)
    return x / x.std()


def in_noise(word: np.ndarray, snr_db: float, *, seed: int = 0, pink: bool = False) -> np.ndarray:
    """A word between two pauses of a second, in noise that is snr_db weaker than the word."""
    x = np.zeros(len(word) + 2 * PAUSE)
    x[PAUSE:-PAUSE] = 0.1 * word / word.std()
    return x + 0.1 * 10 ** (-snr_db / 20) * noise(len(x), seed, pink=pink)


def rates(words: list[np.ndarray], snr_db: float, *, pink: bool) -> tuple[float, float, float]:
    """Of frames inside words, and outside with their hangover, how many count as speech; and of words, how many for the most."""
    inside, outside, found = [], [], []
    for seed, word in enumerate(words):
        spoken = detect_voice(in_noise(word, snr_db, seed=seed, pink=pink), RATE) != Voice.QUIET
        begin, end = PAUSE // HOP, (PAUSE + len(word)) // HOP
        inside += spoken[begin:end].tolist()
        found.append(spoken[begin:end].mean() > 0.5)
        outside += [*spoken[: begin - 3], *spoken[end + HANGOVER + 1 :]]
    return float(np.mean(inside)), float(np.mean(outside)), float(np.mean(found))


@pytest.fixture(scope="module")
def synthetic_words() -> list[np.ndarray]:
    return [synthesize_digit(digit, speaker) for digit in range(10) for speaker in SPEAKERS]


@pytest.fixture(scope="module")
def recorded_words() -> list[np.ndarray]:
    if not (Path(os.environ.get("POCKETLAB_DATA", "")) / "fsdd" / "0_george_0.wav").exists():
        pytest.skip("POCKETLAB_DATA has no fsdd/0_george_0.wav")
    return list(load_spoken_digits("fsdd").recordings[::9])


@pytest.mark.parametrize("pink", [False, True])
@pytest.mark.parametrize(("snr_db", "least", "words"), [(20, 0.8, 0.95), (10, 0.7, 0.9)])
def test_synthesized_words_are_found_in_noise(synthetic_words, snr_db, least, words, pink):
    # At 10 dB the vowel of "three" by the three high voices, the weakest of all, lies under the noise: 3 of 60.
    inside, outside, found = rates(synthetic_words, snr_db, pink=pink)
    assert inside > least
    assert outside < 0.01
    assert found > words


@pytest.mark.parametrize("pink", [False, True])
@pytest.mark.parametrize(("snr_db", "least", "words"), [(20, 0.8, 0.95), (10, 0.75, 0.94), (5, 0.7, 0.9)])
def test_words_of_people_are_found_in_noise(recorded_words, snr_db, least, words, pink):
    inside, outside, found = rates(recorded_words, snr_db, pink=pink)
    assert inside > least
    assert outside < 0.01
    assert found > words


@pytest.mark.parametrize("pink", [False, True])
def test_noise_alone_is_quiet(pink):
    states = detect_voice(0.01 * noise(60 * RATE, pink=pink), RATE)
    assert (states != Voice.QUIET).mean() < 0.01


def test_noise_that_gets_louder_is_not_speech_and_the_floor_follows():
    x = 0.001 * noise(10 * RATE)
    x[5 * RATE :] *= 10
    detector = VoiceDetector(RATE)
    assert not detector.process(x[: 5 * RATE]).any()
    before = detector.floor_db
    assert not detector.process(x[5 * RATE :]).any()
    np.testing.assert_allclose(detector.floor_db - before, 20, atol=1)


def test_the_level_is_that_of_a_tone_in_decibels_of_full_scale():
    detector = VoiceDetector(16_000)
    detector.process(np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000))
    # A sine of amplitude 1 has half a sine's power of a constant 1: −3.01 dB.
    np.testing.assert_allclose(detector.floor_db, 10 * np.log10(0.5), atol=0.01)


def test_states_follow_each_other_as_they_should():
    word = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0], [RATE, RATE // 4, RATE // 20, RATE // 4, RATE])
    tone = 0.1 * word * np.sin(2 * np.pi * 500 * np.arange(len(word)) / RATE)
    states = detect_voice(tone + 1e-4 * noise(len(word)), RATE)
    changes = [Voice(states[0]), *(Voice(b) for a, b in pairwise(states) if a != b)]
    assert changes == [Voice.QUIET, Voice.SPEECH, Voice.HANGOVER, Voice.SPEECH, Voice.HANGOVER, Voice.QUIET]
    assert (states[140:] == Voice.HANGOVER).sum() == HANGOVER  # after the second word
    ((begin, end),) = spoken_parts(states)
    assert abs(begin - 1.0) <= 0.02  # to the frame that touches it and the one that confirms it
    assert abs(end - (1.55 + 0.15)) <= 0.035


def test_parts_are_told_in_seconds():
    states = np.array([1, 1, 0, 0, 1, 2, 2], np.int8)
    np.testing.assert_allclose(spoken_parts(states), [[0, 0.035], [0.04, 0.085]])
    assert spoken_parts(np.zeros(4, np.int8)).shape == (0, 2)
    assert spoken_parts(np.zeros(0, np.int8)).shape == (0, 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4000), max_size=10))
def test_a_stream_gives_the_batch_result(lengths):
    x = in_noise(synthesize_digit(7), 15)
    detector = VoiceDetector(RATE)
    chunks = np.split(x, np.minimum(np.cumsum(lengths), len(x)).astype(int)) if lengths else [x]
    got = np.concatenate([detector.process(chunk) for chunk in chunks])
    expected = VoiceDetector(RATE)
    np.testing.assert_array_equal(got, expected.process(x))
    assert detector.floor_db == expected.floor_db
    assert (got == Voice.SPEECH).sum() > 10


@pytest.mark.parametrize("count", [0, 1, 199])
def test_less_than_a_frame_has_no_states(count):
    assert detect_voice(np.zeros(count), RATE).shape == (0,)


def test_silence_is_quiet_and_so_is_what_a_microphone_adds():
    x = np.concatenate([np.zeros(RATE), 1e-4 * noise(RATE)])
    assert not detect_voice(x, RATE).any()


def test_a_nan_is_quiet_and_changes_nothing_later():
    x = in_noise(synthesize_digit(7), 20)
    clean = detect_voice(x, RATE)
    x[2000] = np.nan
    got = detect_voice(x, RATE)
    assert (got[20:26] == Voice.QUIET).all()
    np.testing.assert_array_equal(got, clean)


@pytest.mark.parametrize(
    ("rate", "setting", "message"),
    [
        (0, {}, "8000 Hz or more, not 0 Hz"),
        (4000, {}, "8000 Hz or more, not 4000 Hz"),
        (RATE, {"open_db": 3, "close_db": 4}, "close_db lies above 0 and not above open_db; not 4 and 3"),
        (RATE, {"confirm": 0}, "confirm is 1 frame or more"),
        (RATE, {"memory_s": 0}, "confirm is 1 frame or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(rate, setting, message):
    with pytest.raises(ValueError, match=message):
        detect_voice(np.zeros(100), rate, **setting)


def test_integers_and_stereo_are_refused():
    with pytest.raises(ValueError, match="divide int16 by 32768"):
        detect_voice(np.zeros(100, np.int16), RATE)
    with pytest.raises(ValueError, match=r"x\.mean\(axis=1\)"):
        detect_voice(np.zeros((100, 2)), RATE)
