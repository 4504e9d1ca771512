"""The Core ML reference interpreter against torch eager on the same network: latency p90 of single calls, one thread.

The networks are those of the parity tests (the Llama larger), with random weights and one input at a time, where what an
operator costs beside its arithmetic shows most; and lab 01's MobileNet at 224×224, where arithmetic counts. They take turns, as
in `runtimes`.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.row import Row
from bench.runtimes import SECONDS, TURNS, mobile_net
from pocketlab.runtimes import base, mil

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # so that the parity tests' networks are found

from mil_conversion import convert, convert_llama, input_names
from mil_sequences import CachedLlama, Llama, causal_mask
from mil_tasks import TASKS


class Call:
    """Something to time that takes no array: `measure` asks for a runner."""

    threads = 1
    inputs = outputs = ()

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __call__(self) -> Any:
        with torch.inference_mode():
            return self._call()


def networks() -> list[Row]:
    """Every network of the parity tests, one input at a time."""
    torch.set_num_threads(1)
    rows = []
    for name, (build, data, _, _) in TASKS.items():
        if name == "llama":
            rows.append(llama())
            continue
        torch.manual_seed(0)
        (_, _), (inputs, _) = data()
        rows.append(compare(name, build().eval(), tuple(tensor[:1] for tensor in inputs)))
    return rows


def llama() -> Row:
    """One more token after 23 of a Llama with 4 million weights; the cache is Core ML's state, and torch's buffers."""
    torch.manual_seed(0)
    network = Llama(vocabulary=4000, context=256, dim=256, heads=8, kv_heads=4, layers=4)
    cached = CachedLlama(network.eval(), 1)
    tokens, mask = torch.zeros(1, 1, dtype=torch.int32), causal_mask(1, 24)
    with tempfile.TemporaryDirectory() as folder:
        model = mil.load(convert_llama(copy.deepcopy(cached), Path(folder) / "a.mlpackage", "trace", "float32"))
    state = model.make_state()
    given = {"tokens": tokens.numpy(), "mask": mask.numpy()}
    times = latencies({"ours": lambda: model.predict(given, state), "eager": lambda: cached(tokens, mask)})
    return Row("latency p90, mil float32, llama, a token", "ms", times["ours"], times["eager"], "torch eager")


def mobilenet() -> list[Row]:
    """Lab 01's MobileNet on a picture of 224×224."""
    torch.set_num_threads(1)
    return [compare("MobileNet 224²", mobile_net(), (torch.randn(1, 3, 224, 224),))]


def float16() -> list[Row]:
    """What rounding every result to float16 costs."""
    torch.set_num_threads(1)
    model, example = mobile_net(), (torch.randn(1, 3, 224, 224),)
    with tempfile.TemporaryDirectory() as folder:
        path = convert(model, example, Path(folder) / "a.mlpackage", "trace", "float16")
        full, half = mil.load(path), mil.load(path, precision="float16")
    given = {"x": example[0].numpy()}
    times = latencies({"half": lambda: half.predict(given), "full": lambda: full.predict(given)})
    return [Row("latency p90, mil float16, MobileNet 224²", "ms", times["half"], times["full"], "mil float32")]


def compare(name: str, model: nn.Module, example: tuple[torch.Tensor, ...]) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        package = mil.load(convert(model, example, Path(folder) / "a.mlpackage", "trace", "float32"))
    given: dict[str, np.ndarray] = dict(zip(input_names(example), (tensor.numpy() for tensor in example), strict=True))
    times = latencies({"ours": lambda: package.predict(given), "eager": lambda: model(*example)})
    return Row(f"latency p90, mil float32, {name}", "ms", times["ours"], times["eager"], "torch eager")


def latencies(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """p90 in ms of each, the best of its turns."""
    turns = [
        {name: base.measure(Call(call), seconds=SECONDS).p90_ms for name, call in calls.items()} for _ in range(TURNS)
    ]
    return {name: min(turn[name] for turn in turns) for name in calls}


BENCHES = {"networks": networks, "mobilenet": mobilenet, "float16": float16}
