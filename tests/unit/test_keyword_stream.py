"""Keywords in a stream: one event for each word, for any cutting; and the counting of a trial."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from pocketlab.data.spoken_digits import SpokenDigits, load_spoken_digits
from pocketlab.signals.keyword import load_keyword_model
from pocketlab.signals.keyword_features import BANDS, CLASSES, FRAMES, NONE
from pocketlab.signals.keyword_stream import Classify, Detection, KeywordStream
from pocketlab.signals.keyword_trial import StreamScore, Word, other_stream, score_stream, spoken_stream


@pytest.fixture(scope="module")
def classify() -> Classify:
    network = load_keyword_model()

    def logits(picture: np.ndarray) -> np.ndarray:
        assert picture.shape == (FRAMES, BANDS)
        assert picture.dtype == np.float32
        with torch.no_grad():
            return network(torch.from_numpy(picture)[None, None])[0].numpy()

    return logits


@pytest.fixture(scope="module")
def synthetic() -> SpokenDigits:
    return load_spoken_digits("synthetic")


def certain(digit: int) -> Classify:
    return lambda picture: np.where(np.arange(len(CLASSES)) == digit, 20.0, 0.0)


def test_detections_do_not_depend_on_the_cutting(classify, synthetic) -> None:
    samples, _ = spoken_stream(synthetic.recordings[::50], synthetic.labels[::50])
    whole = KeywordStream(classify).process(samples)
    assert whole
    rng = np.random.default_rng(0)
    for longest in (7, 300, 9000):
        stream, found, place = KeywordStream(classify), [], 0
        while place < len(samples):
            count = rng.integers(0, longest + 1)
            found += stream.process(samples[place : place + count])
            place += count
        assert found == whole


def test_words_in_a_stream_are_detected_once_each(classify) -> None:
    digits = load_spoken_digits()
    _, testing = digits.official_split()
    testing = testing[::6]
    samples, words = spoken_stream([digits.recordings[i] for i in testing], digits.labels[testing])
    score = score_stream(words, KeywordStream(classify).process(samples))
    assert score.detected >= 0.8 * len(words)
    assert score.false_alarms <= 0.1 * len(words)
    assert np.median(score.latencies_s) < 0.4


def test_a_stream_of_noise_detects_nothing(classify) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(80_000)
    assert KeywordStream(classify).process(noise) == []


def test_the_network_is_asked_every_so_many_frames_once_there_is_a_second() -> None:
    asked = []
    stream = KeywordStream(lambda picture: asked.append(picture) or certain(NONE)(picture), every=5)
    stream.process(np.zeros(8000 - 65))  # one sample less than 61 frames of 256, every 128
    assert len(asked) == 0
    stream.process(np.zeros(1))
    assert len(asked) == 1
    stream.process(np.zeros(5 * 128 - 1))
    assert len(asked) == 1
    stream.process(np.zeros(1))
    assert len(asked) == 2


def test_the_window_is_the_last_second_in_order() -> None:
    asked = []
    ramp = np.concatenate([np.zeros(8000), np.sin(np.arange(8000) * 0.9) * np.linspace(0.001, 1, 8000)])
    KeywordStream(lambda picture: asked.append(picture) or certain(NONE)(picture), every=1).process(ramp)
    loudness = asked[-1].max(axis=1)
    assert (np.diff(loudness) > 0).all()
    assert loudness[-1] == 1


def test_smoothing_waits_and_the_refractory_time_holds_back() -> None:
    # Three posteriors in the mean, of which zeros stand in for the first two: 1/3, 2/3, 1 at 0.992, 1.056 and 1.12 s.
    stream = KeywordStream(certain(4), every=4, smoothing=3, threshold=0.7, refractory_s=0.5)
    detections = stream.process(np.zeros(16_000))
    assert [detection.digit for detection in detections] == [4, 4]
    assert [detection.time_s for detection in detections] == pytest.approx([1.12, 1.632])  # 8 steps of 64 ms, the first ≥ 0.5 s
    assert detections[0].score == pytest.approx(1)


def test_no_digit_is_ever_detected_where_the_network_says_none() -> None:
    assert KeywordStream(certain(NONE), threshold=0.1).process(np.zeros(24_000)) == []


def test_bad_chunks_are_refused_and_change_nothing(classify, synthetic) -> None:
    samples, _ = spoken_stream(synthetic.recordings[::100], synthetic.labels[::100])
    stream = KeywordStream(classify)
    found = stream.process(samples[:9000])
    for bad, message in (
        (np.array([0.0, np.nan]), "NaN"),
        (np.array([np.inf]), "NaN or infinity"),
        (np.zeros(10, np.int16), "int16"),
        (np.zeros((10, 2)), "one channel"),
    ):
        with pytest.raises(ValueError, match=message):
            stream.process(bad)
    found += stream.process(samples[9000:])
    assert found == KeywordStream(classify).process(samples)


def test_settings_and_logits_are_checked() -> None:
    for settings in ({"every": 0}, {"smoothing": 0}, {"threshold": 0.0}, {"threshold": 1.5}, {"refractory_s": -1.0}):
        with pytest.raises(ValueError, match="every and smoothing are 1 or more"):
            KeywordStream(certain(0), **settings)
    with pytest.raises(ValueError, match=r"shape \(1, 11\); expected is \(11,\)"):
        KeywordStream(lambda picture: np.zeros((1, 11))).process(np.zeros(8000))
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            KeywordStream(lambda picture, wrong=wrong: np.append(np.zeros(10), wrong)).process(np.zeros(8000))


def test_a_spoken_stream_holds_the_words_where_it_says(synthetic) -> None:
    recordings, labels = synthetic.recordings[:20:2], synthetic.labels[:20:2]
    samples, words = spoken_stream(recordings, labels, pause_s=(0.3, 0.5), snr_db=40)
    assert sorted(word.digit for word in words) == sorted(labels.tolist())
    assert samples.dtype == np.float32
    assert 1 <= len(samples) / 8000 - words[-1].end_s <= 1.51
    pauses = [later.start_s - earlier.end_s for earlier, later in itertools.pairwise(words)]
    assert min(pauses) > 0.299
    assert max(pauses) < 0.501
    spoken = np.concatenate([samples[round(word.start_s * 8000) : round(word.end_s * 8000)] for word in words])
    silent = samples[round(words[0].end_s * 8000) : round(words[1].start_s * 8000)]
    # 40 dB by the mean; the noise of a pause of 0.3 s or more lies within 1 dB of that of the whole, and so does what is spoken
    assert 10 * np.log10((spoken**2).mean() / (silent**2).mean()) == pytest.approx(40, abs=1)


def test_other_speech_is_as_long_as_asked(synthetic) -> None:
    samples = other_stream(synthetic.recordings, 5.0)
    assert samples.shape == (40_000,)
    assert np.abs(samples).max() > 0.1
    np.testing.assert_array_equal(samples, other_stream(synthetic.recordings, 5.0))


def test_streams_of_nothing_are_refused() -> None:
    silence = [np.zeros(800, np.float32)]
    for recordings in ([], silence):
        with pytest.raises(ValueError, match="no recording with a sound"):
            spoken_stream(recordings, np.zeros(len(recordings), np.int64))
    for recordings, seconds in (([], 5.0), (silence, 0.0), (silence, np.inf)):
        with pytest.raises(ValueError, match=f"got {len(recordings)} and {seconds} s"):
            other_stream(recordings, seconds)


def test_detections_are_counted_against_the_words() -> None:
    words = [Word(1.0, 1.4, 3), Word(2.0, 2.4, 5), Word(3.0, 3.4, 7), Word(6.0, 6.4, 1)]
    detections = [
        Detection(0.5, 3, 0.9),  # before any word
        Detection(1.3, 3, 0.9),  # before its end: latency −0.1
        Detection(2.1, 3, 0.9),  # before the middle of the second: the first once more
        Detection(2.6, 9, 0.9),  # the second, as another digit
        Detection(4.5, 7, 0.9),  # more than a second after the third
        Detection(6.6, 1, 0.9),  # right
    ]
    score = score_stream(words, detections)
    assert score == StreamScore(2, 1, 1, 3, (pytest.approx(-0.1), pytest.approx(0.2)))


def test_an_empty_stream_has_no_words_and_no_detections() -> None:
    assert score_stream([], []) == StreamScore(0, 0, 0, 0, ())
