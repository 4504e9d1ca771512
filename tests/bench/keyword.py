"""The keyword spotter: accuracy in int8, size, a second's cost, and streams of words, on FSDD ($POCKETLAB_DATA).

`speakers` trains a network without each of the six speakers (minutes), unless they are in build/keyword already. Streams are
simulated: recordings of people one after the other, with pauses, in noise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bench.llm_linear import alternating
from bench.row import Row
from pocketlab.data.spoken_digits import SpokenDigits, load_spoken_digits
from pocketlab.operations.latency import latency_percentiles
from pocketlab.runtimes import litert
from pocketlab.signals.keyword import KeywordFrontEnd, KeywordNetwork, KeywordSpotter, load_keyword_model
from pocketlab.signals.keyword_features import BANDS, FRAMES, centered
from pocketlab.signals.keyword_stream import Classify, KeywordStream
from pocketlab.signals.keyword_trial import other_stream, score_stream, spoken_stream
from pocketlab.signals.train_keyword import centered_inputs, train_speakers

FOLDER = Path("build/keyword")
ROUNDS = 300
OTHER_SECONDS = 300


def chosen(digits: SpokenDigits, which: np.ndarray) -> list[np.ndarray]:
    return [digits.recordings[index] for index in which]


def int8(network: KeywordNetwork, seen: Sequence[np.ndarray], folder: str) -> litert.ModelFile:
    """The network as an int8 file, whose ranges come from every fifth recording that it was trained on."""
    return litert.export(
        network, torch.zeros(1, 1, FRAMES, BANDS), Path(folder) / "int8.tflite",
        quantization="static_int8", representative=centered_inputs(seen[::5]),
    )  # fmt: skip


def wrong(
    digits: SpokenDigits, network: KeywordNetwork, training: np.ndarray, testing: np.ndarray
) -> tuple[float, float, int]:
    """How many in a hundred test recordings are heard wrong in float32 and in int8, and the size of the int8 file."""
    inputs, labels = centered_inputs(chosen(digits, testing)), digits.labels[testing]
    with torch.no_grad():
        exact = network(torch.from_numpy(inputs)).numpy()
    with tempfile.TemporaryDirectory() as folder:
        file = int8(network, chosen(digits, training), folder)
        quantized = litert.load(file.path)(inputs)
    errors = [100 * float((logits.argmax(1) != labels).mean()) for logits in (exact, quantized)]
    return errors[0], errors[1], file.size_bytes


def official() -> list[Row]:
    digits = load_spoken_digits("fsdd")
    exact, quantized, size = wrong(digits, load_keyword_model(), *digits.official_split())
    return [
        Row("official test, wrong, float32", "%", exact, 3.0, "97 % right"),
        Row("official test, wrong, int8", "%", quantized, 3.0, "97 % right"),
        Row("network in int8, file", "kB", size / 1000, 60.0, "60 kB"),
    ]


def speakers() -> list[Row]:
    digits = load_spoken_digits("fsdd")
    names = sorted(set(digits.speakers.tolist()))
    if not all((FOLDER / f"{name}.safetensors").exists() for name in names):
        train_speakers(digits, FOLDER)
    rows, errors, lost, alarms = [], [], 0, 0
    for name in names:
        network = load_keyword_model(FOLDER / f"{name}.safetensors")
        training, testing = digits.speaker_split([name])
        errors.append(wrong(digits, network, training, testing)[:2])
        rows.append(Row(f"{name}, never heard, wrong, int8", "%", errors[-1][1], 15.0, "85 % right"))
        samples, words = spoken_stream(chosen(digits, testing), digits.labels[testing], snr_db=20.0)
        score = score_stream(words, KeywordStream(classify_by(network)).process(samples))
        lost, alarms = lost + score.missed + score.confused, alarms + score.false_alarms
    for kind, error in zip(("float32", "int8"), np.mean(errors, axis=0), strict=True):
        rows.append(Row(f"speakers never heard, mean, wrong, {kind}", "%", float(error), 15.0, "85 % right"))
    said = "words of speakers never heard, noise 20 dB below"
    rows.append(Row(f"{said}, missed or confused", "%", 100 * lost / len(digits.labels), 5.0, "one in twenty"))
    rows.append(Row(f"{said}, false alarms", "in all", alarms, 1.0, "one"))
    return rows


def classify_by(network: torch.nn.Module) -> Classify:
    """What a KeywordStream asks, answered by a network in PyTorch."""

    def classify(picture: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(picture)[None, None])[0].numpy()

    return classify


def second() -> list[Row]:
    """What a second of sound costs from samples to logits, one thread, against PyTorch; and the files' sizes."""
    torch.set_num_threads(1)
    digits = load_spoken_digits("fsdd")
    windows = np.stack([centered(recording) for recording in chosen(digits, digits.official_split()[0][::5])])
    spotter = KeywordSpotter(load_keyword_model()).eval()
    samples = torch.from_numpy(windows[:1])

    def in_torch() -> None:
        with torch.no_grad():
            spotter(samples)

    with tempfile.TemporaryDirectory() as folder:
        plain = litert.export(spotter, samples, Path(folder) / "float.tflite")
        mixed = litert.quantize_file(
            plain.path, Path(folder) / "mixed.tflite", "static_int8", representative=windows, keep_float="front_end"
        )
        front = litert.export(KeywordFrontEnd(), samples, Path(folder) / "front.tflite")
        runners = [litert.load(file.path).kernels(windows[:1]) for file in (plain, mixed, front)]
        times = [latency_percentiles(taken, 10) for taken in alternating([*runners, in_torch], ROUNDS)]
    rows = []
    names = ("front end and network", "front end, network in int8", "front end alone")
    for name, ours, file in zip(names, times, (plain, mixed, front), strict=False):
        for which, mine, torchs in zip(("median", "p90"), ours, times[-1], strict=True):
            rows.append(Row(f"a second of sound, {name}, {which}", "ms", mine, torchs, "PyTorch, both"))
        rows.append(Row(f"file, {name}", "kB", file.size_bytes / 1000, plain.size_bytes / 1000, "both in float32"))
    return rows


def stream() -> list[Row]:
    """The 300 test recordings as one stream, 20 and 10 dB above the noise; and five minutes of speech without a digit."""
    torch.set_num_threads(1)
    digits = load_spoken_digits("fsdd")
    testing = digits.official_split()[1]
    classify, rows = classify_by(load_keyword_model()), []
    for snr_db in (20.0, 10.0):
        samples, words = spoken_stream(chosen(digits, testing), digits.labels[testing], snr_db=snr_db)
        score = score_stream(words, KeywordStream(classify).process(samples))
        name = f"words in noise {snr_db:.0f} dB below"
        lost = 100 * (score.missed + score.confused) / len(words)
        rows.append(Row(f"{name}, missed or confused", "%", lost, 5.0, "one in twenty"))
        rows.append(Row(f"{name}, false alarms", "1/min", score.false_alarms / (len(samples) / 480_000), 1.0, "one a minute"))
        for which, latency in zip(("median", "p90"), np.percentile(score.latencies_s, (50, 90)), strict=True):
            rows.append(Row(f"{name}, latency from a word's end, {which}", "ms", 1000 * float(latency), 500.0, "half a second"))
    return rows + other(classify, chosen(digits, testing))


def other(classify: Classify, recordings: Sequence[np.ndarray]) -> list[Row]:
    alarms = KeywordStream(classify).process(other_stream(recordings, OTHER_SECONDS))
    rate = len(alarms) / (OTHER_SECONDS / 60)
    return [Row("scrambled speech without a digit, false alarms", "1/min", rate, 1.0, "one a minute")]


BENCHES = {"official": official, "second": second, "speakers": speakers, "stream": stream}
