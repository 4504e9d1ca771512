"""Train the keyword spotter that ships: `python -m pocketlab.signals.train_keyword official --folder build/keyword`.

`official` learns from all recordings but the official test set. `speakers` trains a network for each speaker, which learns from
all the others and is tested on that one. Each writes the network and adds lines to log.jsonl: the loss every so many steps, and
at the end the share of test recordings that it got right, each in the middle of a window of a second. All of them also learn from
synthetic digits: six simulated speakers more.

Neighbors of a word and sounds that are no digit are made of the same speaker's recordings, so that each speaker's views are made
once and nothing of the speaker held out is in the training. It needs FSDD in the data folder (see `load_spoken_digits`). All
random numbers follow from the seed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.data.speech_synthesis import SPEAKERS, synthesize_digit
from pocketlab.data.spoken_digits import SYNTHETIC_TAKES, SpokenDigits, load_spoken_digits
from pocketlab.data.training import fit
from pocketlab.signals.keyword import KeywordNetwork, save_keyword_model
from pocketlab.signals.keyword_features import centered, log_mel, network_input
from pocketlab.signals.keyword_sounds import training_views

VIEWS = 24  # of each recording
MORE_TAKES = 5  # of each synthetic digit and speaker, behind those of `load_spoken_digits("synthetic")`
EPOCHS = 3
RATE = 6e-3
SMOOTHING = 0.1  # of the labels, a part of which goes to the other classes
EVERY = 50  # steps from one line of the log to the next


def train_network(
    inputs: np.ndarray, targets: np.ndarray, *, seed: int = 0, log: Callable[[int, float], None] | None = None
) -> KeywordNetwork:
    """Return a network trained on inputs (count, 1, FRAMES, BANDS) and classes (count,), such as those of `training_views`.

    log: called every EVERY steps with the number of the step and the mean loss since the last call.
    """
    torch.manual_seed(seed)
    network = KeywordNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.6 times as fast
    losses: list[float] = []

    def loss(logits: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
        value = functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
        losses.append(value.item())
        return value

    def after_step(step: int, steps: int) -> None:
        if log and (step % EVERY == 0 or step == steps):
            log(step, float(np.mean(losses)))
            losses.clear()

    fit(
        network, torch.from_numpy(inputs), torch.from_numpy(targets),
        epochs=EPOCHS, rate=RATE, seed=seed, loss=loss, after_step=after_step,
    )  # fmt: skip
    return network.to(memory_format=torch.contiguous_format)


def centered_inputs(recordings: Sequence[np.ndarray]) -> np.ndarray:
    """Return the network's inputs (count, 1, FRAMES, BANDS) for recordings, each in the middle of a window."""
    return np.stack([network_input(log_mel(centered(recording))) for recording in recordings])[:, np.newaxis]


def views_of(digits: SpokenDigits, which: np.ndarray, seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the training views of the recordings `which`, for each speaker in them."""
    views = {}
    for number, name in enumerate(sorted(set(digits.speakers.tolist()))):
        own = which[digits.speakers[which] == name]
        recordings = [digits.recordings[index] for index in own]
        views[name] = training_views(recordings, digits.labels[own], views=VIEWS, seed=[seed, number])
    return views


def synthetic_views(seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the training views of synthetic digits, for each simulated speaker."""
    takes = [(digit, SYNTHETIC_TAKES + take) for digit in range(10) for take in range(MORE_TAKES)]
    labels = np.array([digit for digit, _ in takes], np.int64)
    views = []
    for number, name in enumerate(SPEAKERS):
        recordings = [synthesize_digit(digit, name, take) for digit, take in takes]
        views.append(training_views(recordings, labels, views=VIEWS, seed=[seed, 100 + number]))
    return views


def train_official(digits: SpokenDigits, folder: Path, seed: int = 0) -> Path:
    """Train on the official training recordings and test on the others; return the path of the network."""
    training, testing = digits.official_split()
    views = [*views_of(digits, training, seed).values(), *synthetic_views(seed)]
    return _train(digits, "official", views, testing, folder, seed)


def train_speakers(digits: SpokenDigits, folder: Path, seed: int = 0) -> dict[str, Path]:
    """Train without each of the speakers and test on that one; return the paths of the networks."""
    views, synthetic = views_of(digits, np.arange(len(digits.labels)), seed), synthetic_views(seed)
    paths = {}
    for name in views:
        others = [views[other] for other in views if other != name] + synthetic
        paths[name] = _train(digits, name, others, digits.speaker_split([name])[1], folder, seed)
    return paths


def _train(
    digits: SpokenDigits,
    name: str,
    views: Sequence[tuple[np.ndarray, np.ndarray]],
    testing: np.ndarray,
    folder: Path,
    seed: int,
) -> Path:
    begun = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)

    def write(**line: object) -> None:
        with open(folder / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps({"test": name, "seed": seed, **line}) + "\n")

    inputs, targets = (np.concatenate(arrays) for arrays in zip(*views, strict=True))
    network = train_network(inputs, targets, seed=seed, log=lambda step, loss: write(step=step, loss=round(loss, 4)))
    with torch.no_grad():
        logits = network(torch.from_numpy(centered_inputs([digits.recordings[index] for index in testing])))
    right = int((logits.argmax(1).numpy() == digits.labels[testing]).sum())
    accuracy, seconds = round(right / len(testing), 4), round(time.monotonic() - begun)
    write(views=len(targets), tested=len(testing), right=right, accuracy=accuracy, seconds=seconds)
    return save_keyword_model(network, folder / f"{name}.safetensors")


def main() -> None:
    """Read the command line, and train."""
    parser = argparse.ArgumentParser(
        prog="python -m pocketlab.signals.train_keyword", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("test", choices=("official", "speakers"))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    train_for = {"official": train_official, "speakers": train_speakers}[arguments.test]
    train_for(load_spoken_digits("fsdd"), arguments.folder, arguments.seed)


if __name__ == "__main__":
    main()
