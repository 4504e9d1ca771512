"""LiteRT, formerly TensorFlow Lite: PyTorch to .tflite, and running it on this machine's CPU."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketlab.runtimes import _litert
from pocketlab.runtimes.base import ModelFile, Result, TensorInfo, measure, run_rows
from pocketlab.runtimes.litert_quantize import check_options, quantize_file
from pocketlab.runtimes.tflite_file import FORMAT, inspect

if TYPE_CHECKING:
    import torch

__all__ = ["LiteRTRunner", "OnlyKernels", "export", "inspect", "load", "measure", "quantize_file"]


def export(
    model: torch.nn.Module,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    path: str | Path,
    *,
    quantization: str | None = None,
    representative: np.ndarray | Iterable[np.ndarray] | None = None,
    per_channel: bool = True,
    keep_float: str | None = None,
) -> ModelFile:
    """Convert a PyTorch model to .tflite, in float32 or quantized.

    example: (batch, …), an input of the shape that the file will take, or a tuple with one for each input.
    quantization, representative, per_channel, keep_float: see `quantize_file`; None keeps float32. The model is converted in
    evaluation mode and left as it was.

    Raises ValueError for options that do not go together.
    """
    check_options(quantization, representative, per_channel)
    path = Path(path)
    if path.suffix != ".tflite":
        raise ValueError(f"{path.name} must end in .tflite, the name by which every tool knows the format.")
    path.parent.mkdir(parents=True, exist_ok=True)
    examples = example if isinstance(example, tuple) else (example,)
    if quantization is None:
        _convert(model, examples, path)
        return ModelFile(path, FORMAT, path.stat().st_size)
    with tempfile.TemporaryDirectory() as folder:
        float_path = Path(folder) / "float.tflite"
        _convert(model, examples, float_path)
        return quantize_file(
            float_path,
            path,
            quantization,
            representative=representative,
            per_channel=per_channel,
            keep_float=keep_float,
        )


def _convert(model: torch.nn.Module, examples: tuple[torch.Tensor, ...], path: Path) -> None:
    litert_torch = _litert.import_litert_torch()
    evaluated = copy.deepcopy(model).eval()
    with _litert.quiet():
        litert_torch.convert(evaluated, examples).export(str(path))


def load(path: str | Path, *, threads: int = 1, xnnpack: bool = True) -> LiteRTRunner:
    """Load a .tflite file.

    threads: of LiteRT's kernels and of XNNPACK. xnnpack: let the XNNPACK delegate take the operators that it can; without it
    LiteRT's own kernels run.

    Raises ModelFileError for a file that is missing, damaged, or of another kind.
    """
    path = Path(path)
    return LiteRTRunner(path, _litert.interpreter(path, threads=threads, xnnpack=xnnpack), threads)


class LiteRTRunner:
    """A loaded .tflite model: float in, float out where the file's own inputs and outputs are quantized.

    threads: as given to `load`. inputs, outputs: of the first graph. operators: every operator of the graph, in order.
    partitions: those of them that a delegate took, one tuple of names for each of its partitions.
    """

    def __init__(self, path: Path, interpreter: Any, threads: int) -> None:
        self.path = path
        self.threads = threads
        self._interpreter = interpreter
        with _litert.own_errors(path, "read by LiteRT"):
            self._inputs, self._outputs = interpreter.get_input_details(), interpreter.get_output_details()
            self.inputs = tuple(map(_tensor_info, self._inputs))
            self.outputs = tuple(map(_tensor_info, self._outputs))
            self.operators, self.partitions = _delegation(interpreter)
        self._shapes = [tuple(map(int, details["shape"])) for details in self._inputs]

    @property
    def delegated(self) -> int:
        """How many of the operators a delegate took."""
        return sum(map(len, self.partitions))

    def __call__(self, *arrays: np.ndarray) -> Result:
        """Run on an array for each input, shaped as the file says; more rows than it takes are run one after the other."""
        return run_rows(self._run, [np.asarray(array) for array in arrays], self.inputs)

    def kernels(self, *arrays: np.ndarray) -> OnlyKernels:
        """Return a runner for `measure` that times what LiteRT computes for these arrays, and nothing that Python adds."""
        self(*arrays)
        return OnlyKernels(self.threads, self._interpreter.invoke)

    def _run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        values = [_to_tensor(array, details) for array, details in zip(arrays, self._inputs, strict=True)]
        with _litert.own_errors(self.path, "run by LiteRT"):
            self._resize([value.shape for value in values])
            for value, details in zip(values, self._inputs, strict=True):
                self._interpreter.set_tensor(details["index"], value)
            self._interpreter.invoke()
            return [_from_tensor(self._interpreter.get_tensor(details["index"]), details) for details in self._outputs]

    def _resize(self, shapes: list[tuple[int, ...]]) -> None:
        """Give flexible inputs the shapes of what comes; LiteRT plans its memory for one shape at a time."""
        if shapes != self._shapes:
            self._shapes = []  # none, until the plan for the new ones has succeeded
            for shape, details in zip(shapes, self._inputs, strict=True):
                self._interpreter.resize_tensor_input(details["index"], shape)
            self._interpreter.allocate_tensors()
            self._shapes = shapes


class OnlyKernels:
    """Times a model whose inputs are already set, as LiteRT's own benchmark tool does.

    Setting inputs and reading outputs takes Python about as long as a network of a hundred thousand weights takes to compute.
    """

    def __init__(self, threads: int, invoke: Callable[[], None]) -> None:
        self.threads = threads
        self._invoke = invoke

    def __call__(self) -> Result:
        """Compute once more; the outputs stay inside."""
        self._invoke()
        return ()


def _tensor_info(details: dict[str, Any]) -> TensorInfo:
    sizes = details["shape_signature"] if len(details["shape_signature"]) else details["shape"]
    shape = tuple(None if size < 0 else int(size) for size in sizes)
    dtype = np.dtype(details["dtype"])
    scale, zero_point = details["quantization"]
    quantization = (float(scale), int(zero_point)) if scale and np.issubdtype(dtype, np.integer) else None
    return TensorInfo(details["name"], shape, dtype.name, quantization)


def _to_tensor(x: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    dtype = details["dtype"]
    if not np.issubdtype(dtype, np.integer) or not details["quantization"][0]:
        return np.asarray(x, dtype, order="C")
    scale, zero_point = details["quantization"]
    limits = np.iinfo(dtype)
    return np.clip(np.round(x / scale) + zero_point, limits.min, limits.max).astype(dtype)


def _from_tensor(y: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero_point = details["quantization"]
    if not np.issubdtype(y.dtype, np.integer) or not scale:
        return y
    return ((y.astype(np.float32) - zero_point) * np.float32(scale)).astype(np.float32)


def _delegation(interpreter: Any) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the operators of the graph, and those inside each delegated partition.

    The interpreter lists the original operators first and then one DELEGATE for each partition, with the tensors that go
    into and come out of it. What lies between those is what the delegate took.
    """
    listed = interpreter._get_ops_details()  # the only way from Python; tests/unit/test_litert.py holds it
    nodes = [node for node in listed if node["op_name"] != "DELEGATE"]
    producer = {int(tensor): index for index, node in enumerate(nodes) for tensor in node["outputs"]}
    partitions = []
    for delegate in listed[len(nodes) :]:
        outside = {int(tensor) for tensor in delegate["inputs"]}
        pending = [int(tensor) for tensor in delegate["outputs"]]
        taken: set[int] = set()
        while pending:
            index = producer.get(pending.pop())
            if index is not None and index not in taken:
                taken.add(index)
                pending += [int(tensor) for tensor in nodes[index]["inputs"] if int(tensor) not in outside]
        partitions.append(tuple(nodes[index]["op_name"] for index in sorted(taken)))
    return tuple(node["op_name"] for node in nodes), tuple(partitions)
