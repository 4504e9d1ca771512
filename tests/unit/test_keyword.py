"""The keyword spotter: what it hears, the network that ships, what it is trained on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pocketlab.data.spoken_digits import SpokenDigits, load_spoken_digits
from pocketlab.data.tensors import load_tensors, save_tensors
from pocketlab.errors import ModelFileError
from pocketlab.signals.audio import mel_bands, power_to_db
from pocketlab.signals.keyword import SHIPPED, KeywordFrontEnd, KeywordNetwork, KeywordSpotter, load_keyword_model
from pocketlab.signals.keyword_features import (
    BANDS,
    CLASSES,
    FRAMES,
    MEL,
    NONE,
    RANGE_DB,
    SAMPLES,
    SMALLEST,
    centered,
    log_mel,
    network_input,
)
from pocketlab.signals.keyword_sounds import OTHERS, add_other, add_word, training_views, varied
from pocketlab.signals.train_keyword import centered_inputs, train_network

# A transform in float32 errs by up to about 5e-7 of a frame's loudest amplitude: 1e-4 of an amplitude 45 dB below, or 1e-3 dB.
DB = 1e-3


@pytest.fixture(scope="module")
def synthetic() -> SpokenDigits:
    return load_spoken_digits("synthetic")


@pytest.fixture(scope="module")
def sounds(synthetic: SpokenDigits) -> np.ndarray:
    rng = np.random.default_rng(0)
    words = [centered(recording) for recording in synthetic.recordings[::60]]
    quiet = 1e-3 * words[0]
    return np.stack([*words, quiet, 0.1 * rng.standard_normal(SAMPLES, np.float32), np.zeros(SAMPLES, np.float32)])


def test_features_are_the_librarys_mel_bands_in_decibels(sounds) -> None:
    x = sounds[0]
    decibels = log_mel(x)
    assert decibels.shape == (FRAMES, BANDS)
    assert decibels.dtype == np.float32
    exact = power_to_db(mel_bands(x, dataclasses.replace(MEL, dtype=np.float64)), smallest=SMALLEST)
    audible = exact > exact.max(axis=1, keepdims=True) - RANGE_DB
    np.testing.assert_allclose(decibels[audible], exact[audible], atol=DB, rtol=0)


def test_a_softer_sound_gives_the_same_input(sounds) -> None:
    x = sounds[0]  # its noise lies at −50 dB: half as loud, it still lies above what counts as silence
    loud, soft = network_input(log_mel(x)), network_input(log_mel(x / 2))
    assert loud.min() >= 0
    assert loud.max() == 1
    np.testing.assert_allclose(soft, loud, atol=2 * DB / RANGE_DB)


def test_a_recording_stands_in_the_middle_of_its_window() -> None:
    assert centered(np.ones(4, np.float32), 8).tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert centered(np.arange(5.0), 3).tolist() == [1, 2, 3]
    assert centered(np.ones(3), 8).sum() == 3


def test_the_front_end_module_gives_the_numbers_of_the_signals_library(sounds) -> None:
    x, front_end = sounds, KeywordFrontEnd()
    with torch.no_grad():
        decibels, pictures = front_end.log_mel(torch.from_numpy(x)).numpy(), front_end(torch.from_numpy(x)).numpy()
    expected = np.stack([log_mel(window) for window in x])
    audible = expected > expected.max(axis=2, keepdims=True) - RANGE_DB
    np.testing.assert_allclose(decibels[audible], expected[audible], atol=2 * DB, rtol=0)
    np.testing.assert_allclose(pictures[:, 0], network_input(expected), atol=2 * DB / RANGE_DB)


def test_the_spotter_is_the_front_end_and_the_network(sounds) -> None:
    network, x = load_keyword_model(), sounds
    inputs = network_input(np.stack([log_mel(window) for window in x]))[:, np.newaxis]
    with torch.no_grad():
        whole, parts = KeywordSpotter(network)(torch.from_numpy(x)), network(torch.from_numpy(inputs))
    np.testing.assert_allclose(whole, parts, atol=1e-3)


def test_the_network_that_ships_is_small_and_in_evaluation_mode() -> None:
    network = load_keyword_model()
    assert not network.training
    assert sum(parameter.numel() for parameter in network.parameters()) == 15_131
    assert SHIPPED.stat().st_size < 120_000


def test_the_network_that_ships_knows_recordings_that_it_was_not_trained_on() -> None:
    digits = load_spoken_digits()  # people where FSDD is there; otherwise the synthesizer
    _, testing = digits.official_split()
    with torch.no_grad():
        logits = load_keyword_model()(torch.from_numpy(centered_inputs([digits.recordings[i] for i in testing])))
    right = (logits.argmax(1).numpy() == digits.labels[testing]).mean()
    assert right >= {"fsdd": 0.97, "synthetic": 0.9}[digits.name]


def test_the_network_that_ships_hears_no_digit_in_noise_and_silence() -> None:
    rng = np.random.default_rng(0)
    hum = 0.2 * np.sin(2 * np.pi * 100 * np.arange(SAMPLES) / 8000)
    x = [np.zeros(SAMPLES), *(0.03 * rng.standard_normal((20, SAMPLES))), hum + 0.01 * rng.standard_normal(SAMPLES)]
    with torch.no_grad():
        logits = load_keyword_model()(torch.from_numpy(centered_inputs([np.float32(window) for window in x])))
    assert set(logits.argmax(1).tolist()) == {NONE}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("head.bias"), "head.bias is missing"),
        (lambda tensors: tensors.update({"head.bias": torch.zeros(10)}), r"head.bias is \(10,\), and expected is \(11,\)"),
        (lambda tensors: tensors["head.bias"].fill_(torch.nan), "not finite"),
        (lambda tensors: tensors.update({"tail.bias": torch.zeros(1)}), "tail.bias, for which"),
    ],
)
def test_weights_of_another_network_are_refused(change, message, tmp_path) -> None:
    tensors = load_tensors(SHIPPED)
    change(tensors)
    path = save_tensors(tensors, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match=f"other.safetensors.*{message}"):
        load_keyword_model(path)


def test_training_views_are_all_different_and_follow_from_the_seed(synthetic) -> None:
    arguments = (synthetic.recordings[:6], synthetic.labels[:6])
    inputs, labels = training_views(*arguments, views=3, seed=1)
    assert inputs.shape == (24, 1, FRAMES, BANDS)
    assert inputs.dtype == np.float32
    assert labels.tolist() == 3 * synthetic.labels[:6].tolist() + 6 * [NONE]
    assert len(np.unique(inputs.reshape(24, -1), axis=0)) == 24
    assert inputs.min() >= 0
    assert inputs.max() == 1
    np.testing.assert_array_equal(inputs, training_views(*arguments, views=3, seed=1)[0])
    assert not np.array_equal(inputs, training_views(*arguments, views=3, seed=2)[0])


@pytest.mark.parametrize("recordings", [[], [np.ones(500, np.float32), np.ones(0, np.float32)]])
def test_nothing_is_learned_from_nothing(recordings) -> None:
    with pytest.raises(ValueError, match=f"recordings with samples in them; got {len(recordings)}"):
        training_views(recordings, np.zeros(len(recordings), np.int64), views=1)


def test_every_kind_of_other_sound_is_put_into_a_window(synthetic) -> None:
    for kind in OTHERS:
        window = np.zeros(SAMPLES, np.float32)
        add_other(window, synthetic.recordings, kind, np.random.default_rng(0))
        assert np.isfinite(window).all()
        assert (np.abs(window).max() > 0) == (kind != "noise")


def test_a_word_in_a_window_is_there_but_for_a_tenth(synthetic) -> None:
    recordings, rng = [np.ones(4000, np.float32)], np.random.default_rng(0)
    for length in (8000, 5000, 3000):  # the word is 3,279 samples long or longer
        for _ in range(50):
            window = np.zeros(length, np.float32)
            add_word(window, recordings, 0, rng)
            assert (window != 0).sum() >= min(0.9 * 4000 / 1.22, length) - 1


def test_a_varied_word_stays_within_its_limits(synthetic) -> None:
    rng, word = np.random.default_rng(0), synthetic.recordings[0]
    words = [varied(word, rng) for _ in range(100)]
    lengths = np.array([len(word) for word in words])
    assert lengths.min() >= len(word) / 1.22 - 1
    assert lengths.max() <= len(word) / 0.82 + 1 + 2 * 1200
    assert lengths.max() - lengths.min() > 1200
    peaks = np.array([np.abs(word).max() for word in words])
    assert 10 ** (-12 / 20) - 1e-6 <= peaks.min() < 0.4
    assert 0.7 < peaks.max() <= 10 ** (-1 / 20) + 1e-6


def test_training_learns_synthetic_digits_in_seconds(synthetic) -> None:
    training, testing = synthetic.official_split()
    training = training[np.isin(synthetic.labels[training], (1, 6))]
    testing = testing[np.isin(synthetic.labels[testing], (1, 6))]
    steps: list[tuple[int, float]] = []
    views = training_views([synthetic.recordings[i] for i in training], synthetic.labels[training], views=16)
    network = train_network(*views, log=lambda *line: steps.append(line))
    assert isinstance(network, KeywordNetwork)
    assert not network.training
    assert [step for step, _ in steps] == [50, 60]  # three times 960 views and 320 others, 64 in a step
    assert steps[-1][1] < np.log(len(CLASSES))
    with torch.no_grad():
        logits = network(torch.from_numpy(centered_inputs([synthetic.recordings[i] for i in testing])))
    assert (logits.argmax(1).numpy() == synthetic.labels[testing]).mean() > 0.9
