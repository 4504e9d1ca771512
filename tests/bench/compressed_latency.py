"""Latency of a MobileNet in LiteRT after int8 quantization, after pruning half of its multiply-adds, and after both.

The network is MobileNetV1 at full width (Howard et al. 2017, table 1; 568 million multiply-adds) for 224×224×3. It is trained
on scikit-learn's 1,347 handwritten digits, enlarged from 8×8 by bilinear interpolation, and tested on the other 450 at
224². As the mean over all positions takes any size, training begins with digits of 56², and only the last epochs are at
112² and 224²; seven minutes on one core. Accuracy is that of the files, in LiteRT.

Latencies are 90th percentiles over the single calls of all rounds, in which the files take turns, with one thread. Other work
on the machine can only add to them, and to a short call more than to a long one in proportion; so the quietest round of each
file is told too. A ratio from all rounds that is far below that from the quietest ones says that the machine was busy.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.row import Row
from pocketlab.compression.channels import multiply_adds, prune_channels
from pocketlab.data.digits import Digits, load_digits
from pocketlab.data.models import accuracy, depthwise_separable
from pocketlab.data.training import fit
from pocketlab.operations.latency import latency_percentiles
from pocketlab.runtimes import base, litert

SIZE, BATCH = 224, 16
STAGES = ((56, 6, 2e-3), (112, 2, 1e-3), (224, 2, 1e-3))  # digits of this size for so many epochs at this rate
TUNING = ((224, 2, 1e-3),)
CALIBRATION = 100  # digits that the quantizer sees
ROUNDS, SECONDS = 40, 0.15


def mobile_net_v1() -> nn.Sequential:
    blocks = [
        (32, 64, 1),
        (64, 128, 2),
        (128, 128, 1),
        (128, 256, 2),
        (256, 256, 1),
        (256, 512, 2),
        *[(512, 512, 1)] * 5,
        (512, 1024, 2),
        (1024, 1024, 1),
    ]
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU6(),
        *(depthwise_separable(*block) for block in blocks),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1024, 10),
    )


def enlarged(digits: Digits, images: np.ndarray, size: int) -> Tensor:
    """Gray pixels (count, 1, 8, 8) as normalized color images (count, 3, size, size), which share one memory for all colors."""
    gray = torch.from_numpy(digits.normalize(images))
    return nn.functional.interpolate(gray, (size, size), mode="bilinear").expand(-1, 3, -1, -1)


def train(model: nn.Module, digits: Digits, stages: tuple[tuple[int, int, float], ...]) -> None:
    """Train on digits of one size after the other, each batch moved by up to an eighth of its size."""
    model.to(memory_format=torch.channels_last)  # a quarter faster here
    labels = torch.from_numpy(digits.train_labels)
    for size, epochs, rate in stages:
        images = enlarged(digits, digits.train_images, size)
        fit(model, images, labels, epochs=epochs, rate=rate, batch=BATCH, shift=size // 8)


@cache
def networks() -> dict[str, nn.Module]:
    """The trained network, and a copy with half of its multiply-adds, trained on."""
    torch.manual_seed(0)
    digits = load_digits("digits")
    model = mobile_net_v1()
    train(model, digits, STAGES)
    # By magnitude, not by Taylor scores: a network that knows its digits has next to no loss, so its gradients say little. By
    # them all but 16 of the last 1024 channels went, and two epochs at half of this rate got 60 % of the answers right.
    pruned = prune_channels(model, torch.zeros(1, 3, SIZE, SIZE), remaining=0.5, multiple_of=16)
    train(pruned, digits, TUNING)
    return {"float": model, "pruned": pruned}


@dataclass(frozen=True)
class Figures:
    """Of one file: p90 in ms over all calls and in the quietest round, and wrong answers in percent."""

    p90_ms: float
    quietest_ms: float
    wrong_percent: float


@cache
def figures() -> dict[str, Figures]:
    digits = load_digits("digits")
    seen = enlarged(digits, digits.train_images[:CALIBRATION], SIZE).numpy()
    unseen = enlarged(digits, digits.test_images, SIZE).numpy()
    with tempfile.TemporaryDirectory() as name:
        runners: dict[str, litert.LiteRTRunner] = {}
        for key, model in networks().items():
            path = litert.export(model, torch.from_numpy(seen[:1]), Path(name) / f"{key}.tflite").path
            int8 = litert.quantize_file(path, Path(name) / f"{key}_int8.tflite", "static_int8", representative=seen).path
            runners |= {key: litert.load(path), f"{key}, int8": litert.load(int8)}
        for key, runner in runners.items():
            if runner.delegated != len(runner.operators):
                raise RuntimeError(f"XNNPACK left operators of {key} to slower kernels: {runner.operators}")
        wrong = {key: 100 - 100 * accuracy(runner(unseen), digits.test_labels) for key, runner in runners.items()}
        rounds = [
            {key: base.time_calls(runner, [unseen[:1]], SECONDS, base.MINIMUM_RUNS) for key, runner in runners.items()}
            for _ in range(ROUNDS)
        ]
    return {
        key: Figures(
            latency_percentiles([call for one in rounds for call in one[key]])[1],
            min(latency_percentiles(one[key])[1] for one in rounds),
            wrong[key],
        )
        for key in runners
    }


COMPRESSED = ("float, int8", "pruned", "pruned, int8")


def latency() -> list[Row]:
    found = figures()
    float_ = found["float"]
    return [
        *(Row(f"latency p90, {key}", "ms", found[key].p90_ms, float_.p90_ms, "float") for key in COMPRESSED),
        *(
            Row(f"latency p90, {key}, quietest round", "ms", found[key].quietest_ms, float_.quietest_ms, "float")
            for key in COMPRESSED
        ),
    ]


def answers() -> list[Row]:
    found = figures()
    return [
        Row(f"wrong answers, {key}", "%", found[key].wrong_percent, found["float"].wrong_percent, "float")
        for key in COMPRESSED
    ]


def work() -> list[Row]:
    example = torch.zeros(1, 3, SIZE, SIZE)
    full, half = (sum(multiply_adds(networks()[key], example).values()) / 1e6 for key in ("float", "pruned"))
    return [Row("multiply-adds, pruned", "10⁶", half, full, "float")]


BENCHES = {"latency": latency, "answers": answers, "work": work}
