"""ONNX Runtime: PyTorch to .onnx, and running it on this machine's CPU."""

from __future__ import annotations

import copy
import logging
import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketlab.errors import ModelFileError
from pocketlab.runtimes.base import Inspection, ModelFile, Result, TensorInfo, check_model_path, measure, run_rows
from pocketlab.runtimes.trial import trial

if TYPE_CHECKING:
    import torch

__all__ = ["OnnxRunner", "export", "inspect", "load", "measure"]

FORMAT = "onnx"
_DTYPES = {"bool", "float16", "float32", "float64", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
_ERRORS_ONLY = 3  # ONNX Runtime's severities: 0 verbose, 1 information, 2 warning, 3 error, 4 fatal


def export(
    model: torch.nn.Module, example: torch.Tensor | tuple[torch.Tensor, ...], path: str | Path
) -> ModelFile:
    """Convert a PyTorch model to one .onnx file, weights included.

    example: (batch, …), an input of the shape that the file will take, or a tuple with one for each input. The model is
    converted in evaluation mode and left as it was.
    """
    import torch

    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"{path.name} must end in .onnx, the name by which every tool knows the format.")
    path.parent.mkdir(parents=True, exist_ok=True)
    evaluated = copy.deepcopy(model).eval()
    examples = example if isinstance(example, tuple) else (example,)
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")  # says that torchvision is missing
    level = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(evaluated, examples, path, dynamo=True, external_data=False, verbose=False)
    finally:
        registration.setLevel(level)
    return ModelFile(path, FORMAT, path.stat().st_size)


def load(path: str | Path, *, threads: int = 1) -> OnnxRunner:
    """Load an .onnx file with ONNX Runtime's CPU kernels.

    Raises ModelFileError for a file that is missing, damaged, of another kind, or that takes or returns anything but tensors.
    """
    path = check_model_path(path, ".onnx")
    trial(path, "onnx", threads=threads)
    return OnnxRunner(path, untried(path, threads), threads)


def untried(path: Path, threads: int) -> Any:
    """Return an ONNX Runtime session of a file that was not tried: a damaged one may crash the process that calls this."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY + 1  # an error is raised, and need not be printed too
    try:
        return onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no base class of their own
        raise _own_error(path, "loaded", error) from error


def _own_error(path: Path, done: str, error: Exception) -> ModelFileError:
    reason = " ".join(str(error).split()).replace(os.fspath(path), path.name)
    return ModelFileError(f"{path.name} cannot be {done} by ONNX Runtime: {reason}")


class OnnxRunner:
    """A loaded .onnx model. threads: as given to `load`. inputs, outputs: of its graph."""

    def __init__(self, path: Path, session: Any, threads: int) -> None:
        self.path = path
        self.threads = threads
        self._session = session
        self.inputs = tuple(_described(path, value) for value in session.get_inputs())
        self.outputs = tuple(_described(path, value) for value in session.get_outputs())

    def __call__(self, *arrays: np.ndarray) -> Result:
        """Run on an array for each input, shaped as the file says; more rows than it takes are run one after the other."""
        return run_rows(self._run, [np.asarray(array) for array in arrays], self.inputs)

    def _run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        given = {
            info.name: np.asarray(array, info.dtype, order="C")
            for info, array in zip(self.inputs, arrays, strict=True)
        }
        try:
            return self._session.run(None, given)
        except Exception as error:  # as above
            raise _own_error(self.path, "run", error) from error


def _described(path: Path, value: Any) -> TensorInfo:
    """Turn ONNX Runtime's description of an input or output into ours; its types read `tensor(float)`."""
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    dtype = {"float": "float32", "double": "float64"}.get(kind, kind)
    if dtype not in _DTYPES:
        raise ModelFileError(
            f"{path.name} has {value.name!r}, a {value.type}: only tensors of numbers can be given to a model here."
        )
    return TensorInfo(value.name, tuple(size if isinstance(size, int) else None for size in value.shape), dtype)


def inspect(path: str | Path) -> Inspection:
    """Return what an .onnx file holds: operators, constants by type, inputs and outputs, without running it.

    Raises ModelFileError for a file that is missing, damaged, or of another kind.
    """
    import onnx
    from google.protobuf.message import DecodeError

    path = check_model_path(path, ".onnx")
    try:
        model = onnx.load(os.fspath(path), load_external_data=False)
        onnx.checker.check_model(model)
        return _inspection(model, path.stat().st_size)
    except (DecodeError, onnx.checker.ValidationError, ValueError, LookupError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{path.name} is no whole .onnx file: {reason}. Export it again.") from error


def _inspection(model: Any, size_bytes: int) -> Inspection:
    operators: dict[str, int] = {}
    for node in model.graph.node:
        operators[node.op_type] = operators.get(node.op_type, 0) + 1
    bytes_by_type: dict[str, int] = {}
    for constant in model.graph.initializer:
        kind = _type_name(constant.data_type)
        bytes_by_type[kind] = bytes_by_type.get(kind, 0) + _constant_bytes(constant)
    constants = {constant.name for constant in model.graph.initializer}
    return Inspection(
        FORMAT,
        size_bytes,
        operators,
        sum(math.prod(constant.dims) for constant in model.graph.initializer),
        bytes_by_type,
        tuple(_tensor_info(value) for value in model.graph.input if value.name not in constants),
        tuple(_tensor_info(value) for value in model.graph.output),
    )


def _type_name(number: int) -> str:
    import onnx

    if number not in onnx.TensorProto.DataType.values():
        raise ValueError(f"a tensor is of type {number}, which ONNX does not have")
    return onnx.helper.tensor_dtype_to_np_dtype(number).name


def _constant_bytes(constant: Any) -> int:
    import onnx

    if constant.raw_data:
        return len(constant.raw_data)
    return math.prod(constant.dims) * onnx.helper.tensor_dtype_to_np_dtype(constant.data_type).itemsize


def _tensor_info(value: Any) -> TensorInfo:
    tensor = value.type.tensor_type
    shape = tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)
    return TensorInfo(value.name, shape, _type_name(tensor.elem_type))
