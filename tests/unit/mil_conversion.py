"""Convert the networks of the parity tests to .mlpackage files, and run 1,000 inputs through what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from mil_sequences import CachedLlama, causal_mask
from mil_tasks import Task
from torch import Tensor, nn

from pocketlab.runtimes import coreml
from pocketlab.runtimes.mil._coremltools import import_coremltools, quiet

Through = Literal["trace", "export"]
Precision = Literal["float32", "float16"]


def convert(model: nn.Module, example: tuple[Tensor, ...], path: Path, through: Through, precision: Precision) -> Path:
    """Convert a network of one output, `y`, and inputs `x`, or `x0`, `x1` and so on where there are several."""
    if len(example) == 1:
        return coreml.export(model, example[0], path, through=through, precision=precision, target="iOS17").path
    names = input_names(example)
    ct = import_coremltools()
    inputs = [
        ct.TensorType(name=name, shape=tuple(tensor.shape), dtype=np.float32 if tensor.is_floating_point() else np.int32)
        for name, tensor in zip(names, example, strict=True)
    ]
    return save(capture(model, example, through), path, precision, "iOS17", inputs=inputs, outputs=[ct.TensorType(name="y")])


def input_names(example: tuple[Tensor, ...]) -> list[str]:
    """Return the names that `convert` gives the inputs."""
    return ["x"] if len(example) == 1 else [f"x{index}" for index in range(len(example))]


def scores(model: Any, task: Task) -> np.ndarray:
    """Return what the loaded model makes of all inputs of a task."""
    names = input_names(task.inputs)
    return np.concatenate([model.predict(dict(zip(names, part, strict=True)))["y"] for part in task.batches()])


def relative_error(ours: np.ndarray, theirs: Tensor) -> float:
    """Return the largest error as a share of the largest score."""
    reference = theirs.numpy()
    assert ours.shape == reference.shape
    return float(np.abs(ours.astype(np.float64) - reference).max() / np.abs(reference).max())


def convert_llama(llama: CachedLlama, path: Path, through: Through, precision: Precision) -> Path:
    """Convert a Llama whose cache is Core ML state, for any number of new tokens and of those before them."""
    ct = import_coremltools()
    batch, context = llama.keys.shape[1], llama.llama.context
    auto = torch.export.Dim.AUTO
    example = torch.zeros(batch, 3, dtype=torch.int32), causal_mask(3, 7)
    captured = capture(llama, example, through, dynamic_shapes=({1: auto}, {2: auto, 3: auto}))
    new_range, end_range = ct.RangeDim(1, context, default=1), ct.RangeDim(1, context, default=1)
    float_type = np.float32 if precision == "float32" else np.float16
    inputs = [
        ct.TensorType(name="tokens", shape=(batch, new_range), dtype=np.int32),
        ct.TensorType(name="mask", shape=(1, 1, new_range, end_range), dtype=float_type),
    ]
    shape = tuple(llama.keys.shape)
    states = [  # float16 is the only type that coremltools 9 lets a state have
        ct.StateType(ct.TensorType(shape=shape, dtype=np.float16), name=name) for name in ("keys", "values")
    ]
    return save(captured, path, precision, "iOS18", inputs=inputs, states=states, outputs=[ct.TensorType(name="y")])


def capture(model: nn.Module, example: tuple[Tensor, ...], through: Through, dynamic_shapes: Any = None) -> Any:
    """Return the network as coremltools takes it: a recorded run, or an exported graph."""
    with torch.no_grad(), quiet():
        if through == "trace":
            return torch.jit.trace(model.eval(), example, check_trace=False)
        return torch.export.export(model.eval(), example, dynamic_shapes=dynamic_shapes).run_decompositions({})


def save(captured: Any, path: Path, precision: Precision, target: str, **arguments: Any) -> Path:
    """Convert a captured network and write it."""
    ct = import_coremltools()
    precisions = {"float32": ct.precision.FLOAT32, "float16": ct.precision.FLOAT16}
    with quiet():
        converted = ct.convert(
            captured,
            minimum_deployment_target=ct.target[target],
            compute_precision=precisions[precision],
            skip_model_load=True,
            **arguments,
        )
        converted.save(str(path))
    return path
