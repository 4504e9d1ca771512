"""Sound to logits as one LiteRT file, in float32 and with the network in int8: the numbers of the library, and its accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlab.data.spoken_digits import SpokenDigits, load_spoken_digits
from pocketlab.runtimes import litert
from pocketlab.signals.keyword import KeywordFrontEnd, KeywordNetwork, KeywordSpotter, load_keyword_model
from pocketlab.signals.keyword_features import BANDS, FRAMES, SAMPLES, centered, log_mel, network_input
from pocketlab.signals.keyword_stream import KeywordStream
from pocketlab.signals.keyword_trial import score_stream, spoken_stream
from pocketlab.signals.train_keyword import centered_inputs

RIGHT = {"fsdd": 0.97, "synthetic": 0.9}  # at least, of the official test split


@pytest.fixture(scope="module")
def digits() -> SpokenDigits:
    return load_spoken_digits()


@pytest.fixture(scope="module")
def network() -> KeywordNetwork:
    return load_keyword_model()


@pytest.fixture(scope="module")
def spotter_path(network: KeywordNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keyword") / "spotter.tflite"
    return litert.export(KeywordSpotter(network), torch.zeros(1, SAMPLES), path).path


def windows(digits: SpokenDigits, which: np.ndarray) -> np.ndarray:
    return np.stack([centered(digits.recordings[index]) for index in which])


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float((logits.argmax(1) == labels).mean())


def test_one_float_file_takes_samples_and_gives_the_librarys_logits(digits, network, spotter_path) -> None:
    runner = litert.load(spotter_path)
    assert [info.shape for info in (*runner.inputs, *runner.outputs)] == [(1, SAMPLES), (1, 11)]
    x = windows(digits, digits.official_split()[1][::10])
    pictures = network_input(np.stack([log_mel(window) for window in x]))[:, np.newaxis]
    with torch.no_grad():
        expected = network(torch.from_numpy(pictures)).numpy()
    np.testing.assert_allclose(runner(x), expected, atol=1e-3)


def test_the_front_end_in_litert_gives_the_librarys_picture(digits, tmp_path) -> None:
    path = litert.export(KeywordFrontEnd(), torch.zeros(1, SAMPLES), tmp_path / "front_end.tflite").path
    x = windows(digits, digits.official_split()[1][::10])
    expected = network_input(np.stack([log_mel(window) for window in x]))[:, np.newaxis]
    np.testing.assert_allclose(litert.load(path)(x), expected, atol=1e-4)


def test_the_network_in_int8_is_small_and_as_good_and_runs_on_a_stream(digits, network, tmp_path) -> None:
    training, testing = digits.official_split()
    seen = centered_inputs([digits.recordings[index] for index in training[::5]])
    path, example = tmp_path / "int8.tflite", torch.zeros(1, 1, FRAMES, BANDS)
    file = litert.export(network, example, path, quantization="static_int8", representative=seen)
    assert file.size_bytes <= 60_000
    runner = litert.load(path)
    assert {info.dtype for info in (*runner.inputs, *runner.outputs)} == {"int8"}
    logits = runner(centered_inputs([digits.recordings[index] for index in testing]))
    assert accuracy(logits, digits.labels[testing]) >= RIGHT[digits.name]
    some = testing[::10]
    samples, words = spoken_stream([digits.recordings[index] for index in some], digits.labels[some])
    stream = KeywordStream(lambda picture: runner(picture[np.newaxis, np.newaxis])[0])
    assert score_stream(words, stream.process(samples)).detected >= 0.8 * len(words)


@pytest.mark.parametrize("text", ["", "frontend"])
def test_a_part_to_keep_in_float_that_is_not_there_is_told(spotter_path, tmp_path, text) -> None:
    with pytest.raises(ValueError, match=f"keep_float is '{text}', which no operator of spotter.tflite .*_front_end"):
        litert.quantize_file(spotter_path, tmp_path / "a.tflite", "dynamic_int8", keep_float=text)
    assert list(tmp_path.iterdir()) == []


def test_one_file_with_the_network_in_int8_and_the_front_end_in_float(digits, spotter_path, tmp_path) -> None:
    training, testing = digits.official_split()
    seen, x = windows(digits, training[::5]), windows(digits, testing)
    exact = litert.load(spotter_path)(x)
    errors = {}
    for keep_float in (None, "front_end"):
        path = tmp_path / "int8.tflite"
        litert.quantize_file(spotter_path, path, "static_int8", representative=seen, keep_float=keep_float)
        runner = litert.load(path)
        assert runner.inputs[0].dtype == ("float32" if keep_float else "int8")
        logits = runner(x)
        errors[keep_float] = np.abs(logits - exact).mean()
    operators = runner.operators
    assert operators.index("LOG") < operators.index("QUANTIZE") < operators.index("CONV_2D")
    assert "DEQUANTIZE" not in operators
    assert accuracy(logits, digits.labels[testing]) >= RIGHT[digits.name]
    assert errors["front_end"] < errors[None] / 3  # in int8, samples have one step for loud and soft words alike
