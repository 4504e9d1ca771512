"""Lab 01: latency of one network in each runtime, and what starting a runtime costs.

Latencies are 90th percentiles of single calls with one thread. The runtimes take turns, and of its turns each keeps the
least disturbed one; still, on a shared machine only ratios of 2 or more mean anything.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bench.row import Row
from pocketlab.data.models import depthwise_separable
from pocketlab.runtimes import base, litert, onnx

TURNS, SECONDS = 5, 0.5


def mobile_net() -> nn.Module:
    """A MobileNet of 19 convolutions for 224×224 color images, 0.55 billion multiply-adds, with random weights."""
    torch.manual_seed(0)
    blocks = [
        (32, 64, 1),
        (64, 128, 2),
        (128, 128, 1),
        (128, 256, 2),
        (256, 256, 1),
        (256, 512, 2),
        *[(512, 512, 1)] * 3,
    ]
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU6(),
        *(depthwise_separable(*block) for block in blocks),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 1000),
    )
    for module in model.modules():
        if isinstance(
            module, nn.Conv2d
        ):  # PyTorch's own start shrinks activations from layer to layer, to no range at all
            nn.init.kaiming_normal_(module.weight)
    return model.eval()


class EagerRunner:
    """torch as it is used in a notebook, with one thread."""

    threads = 1

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def __call__(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self._model(torch.from_numpy(x)).numpy()


@cache
def latencies() -> dict[str, float]:
    """p90 in ms by runtime and precision."""
    torch.set_num_threads(1)
    model, x = mobile_net(), np.random.default_rng(0).standard_normal((1, 3, 224, 224), np.float32)
    example = torch.from_numpy(x)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        float_path = litert.export(model, example, folder / "float.tflite").path
        int8_path = litert.quantize_file(float_path, folder / "int8.tflite", "static_int8", representative=x).path
        dynamic_path = litert.quantize_file(float_path, folder / "dynamic.tflite", "dynamic_int8").path
        runners: dict[str, base.Runner] = {
            "torch eager": EagerRunner(model),
            "ONNX Runtime": onnx.load(onnx.export(model, example, folder / "float.onnx").path),
            "LiteRT float": litert.load(float_path),
            "LiteRT float, no XNNPACK": litert.load(float_path, xnnpack=False),
            "LiteRT int8": litert.load(int8_path),
            "LiteRT int8, no XNNPACK": litert.load(int8_path, xnnpack=False),
            "LiteRT dynamic int8": litert.load(dynamic_path),
        }
        turns = [
            {name: base.measure(runner, x, seconds=SECONDS).p90_ms for name, runner in runners.items()}
            for _ in range(TURNS)
        ]
        return {name: min(turn[name] for turn in turns) for name in runners}


def compare(pairs: list[tuple[str, str]]) -> list[Row]:
    times = latencies()
    return [Row(f"latency p90, {ours}", "ms", times[ours], times[theirs], theirs) for ours, theirs in pairs]


def int8() -> list[Row]:
    return compare([("LiteRT int8", "LiteRT float"), ("LiteRT dynamic int8", "LiteRT float")])


def xnnpack() -> list[Row]:
    return compare([("LiteRT float", "LiteRT float, no XNNPACK"), ("LiteRT int8", "LiteRT int8, no XNNPACK")])


def frameworks() -> list[Row]:
    return compare([("LiteRT float", "torch eager"), ("LiteRT float", "ONNX Runtime")])


TIMED = "import time; start = time.perf_counter(); {code}; print(time.perf_counter() - start)"


def seconds_in_a_new_process(code: str, *arguments: str, times: int = 3) -> float:
    """Median time that `code` takes in a Python that has imported nothing yet, after one call to warm the disk's cache up."""
    command = [sys.executable, "-c", TIMED.format(code=code), *arguments]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(times + 1)]
    return statistics.median(float(run.stdout.split()[-1]) for run in runs[1:])


def startup() -> list[Row]:
    """From nothing to the first answer, against only importing the framework that the model came from."""
    tensorflow = seconds_in_a_new_process("import tensorflow")
    torch_import = seconds_in_a_new_process("import torch")
    with tempfile.TemporaryDirectory() as name:
        folder, example = Path(name), torch.zeros(1, 3, 32, 32)
        files = {
            "litert": litert.export(mobile_net(), example, folder / "a.tflite").path,
            "onnx": onnx.export(mobile_net(), example, folder / "a.onnx").path,
        }
        code = "import sys, numpy as np; from pocketlab.runtimes import {module}; "
        code += "{module}.load(sys.argv[1])(np.zeros((1, 3, 32, 32), np.float32))"
        first = {m: seconds_in_a_new_process(code.format(module=m), str(path)) for m, path in files.items()}
    return [
        Row("import pocketlab", "s", seconds_in_a_new_process("import pocketlab"), torch_import, "import torch"),
        Row("import, load, first answer, LiteRT", "s", first["litert"], tensorflow, "import tensorflow"),
        Row("import, load, first answer, LiteRT", "s", first["litert"], torch_import, "import torch"),
        Row("import, load, first answer, ONNX Runtime", "s", first["onnx"], torch_import, "import torch"),
    ]


BENCHES = {"int8": int8, "xnnpack": xnnpack, "frameworks": frameworks, "startup": startup}
