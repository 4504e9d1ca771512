"""Read a .tflite file's tables: FlatBuffers by the schema that ships with LiteRT, without running anything."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pocketlab.errors import ModelFileError
from pocketlab.runtimes import _litert
from pocketlab.runtimes.base import Inspection, TensorInfo, check_model_path

FORMAT = "tflite"
IDENTIFIER = b"TFL3"  # at bytes 4 to 8, by the FlatBuffers convention
_PLACEHOLDER = 127  # a builtin code from 127 on does not fit the schema's old one-byte field, which then holds 127


def check(path: str | Path) -> Path:
    """Return `path` if a .tflite file is there by name and identifier, else raise ModelFileError."""
    path = check_model_path(path, ".tflite")
    if path.is_dir():
        raise ModelFileError(f"{path.name} is a folder, and a .tflite model is one file.")
    with path.open("rb") as file:
        start = file.read(8)
    if start[4:] != IDENTIFIER:
        raise ModelFileError(
            f"{path.name} is no .tflite file: its bytes 4 to 8 are {start[4:]!r} where {IDENTIFIER!r} is due. "
            "Was another format saved under this name, or did a download end early?"
        )
    return path


def read(path: str | Path) -> Any:
    """Return the file's `ModelT`, the schema's tree of plain objects; its constants are views, not copies.

    LiteRT's own verifier, which is written for hostile files, goes over the file first.
    """
    path = check(path)
    _litert.verify(path)
    from ai_edge_litert.schema_py_generated import ModelT

    with own_errors(path):
        return ModelT.InitFromPackedBuf(path.read_bytes(), 0)


@contextmanager
def own_errors(path: str | Path) -> Iterator[None]:
    """Turn what goes wrong while a file's tables are read, where they point to what is not there, into ModelFileError."""
    try:
        yield
    except ModelFileError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, struct.error) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{Path(path).name} is damaged: its tables cannot be read ({reason}).") from error


def builtin_code(code: Any) -> int:
    """Return an operator code's number in `BuiltinOperator`, from whichever of the schema's two fields holds it."""
    old = int(code.deprecatedBuiltinCode)
    return int(code.builtinCode) if old == _PLACEHOLDER else max(old, int(code.builtinCode))


@cache
def builtin_names() -> dict[int, str]:
    """Return the names of LiteRT's builtin operators by number, for example 3: "CONV_2D"."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return _constants(BuiltinOperator)


@cache
def _type_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import TensorType

    return {number: name.lower() for number, name in _constants(TensorType).items()}


def _constants(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if not name.startswith("_")}


def operator_name(code: Any) -> str:
    """Return "CONV_2D" and the like; a custom operator by the name that the file gives it, whatever that is."""
    name = builtin_names().get(builtin_code(code), f"UNKNOWN_{builtin_code(code)}")
    if name == "CUSTOM" and code.customCode is not None:
        return bytes(code.customCode).decode(errors="replace")
    return name


def inspect(path: str | Path) -> Inspection:
    """Return what a .tflite file holds: operators, constants by type, inputs and outputs.

    Every constant counts as a parameter, also the few integers that hold a shape or an axis. A buffer that two tensors
    share is counted once. Raises ModelFileError for a file that is missing or damaged.
    """
    with own_errors(path):
        return _inspection(read(path), Path(path).stat().st_size)


def _inspection(model: Any, size_bytes: int) -> Inspection:
    operators: dict[str, int] = {}
    constants: dict[int, Any] = {}
    for graph in model.subgraphs:
        for operator in graph.operators or ():
            name = operator_name(model.operatorCodes[operator.opcodeIndex])
            operators[name] = operators.get(name, 0) + 1
        for tensor in graph.tensors or ():
            if _bytes_of(model.buffers[tensor.buffer]):
                constants[tensor.buffer] = tensor
    bytes_by_type: dict[str, int] = {}
    for number, tensor in constants.items():
        kind = _type_name(tensor)
        bytes_by_type[kind] = bytes_by_type.get(kind, 0) + _bytes_of(model.buffers[number])
    parameters = sum(int(np.prod(_sizes(tensor.shape), dtype=np.int64)) for tensor in constants.values())
    main = model.subgraphs[0]
    return Inspection(
        FORMAT,
        size_bytes,
        operators,
        parameters,
        bytes_by_type,
        tuple(_tensor_info(main.tensors[index]) for index in main.inputs),
        tuple(_tensor_info(main.tensors[index]) for index in main.outputs),
    )


def _bytes_of(buffer: Any) -> int:
    return len(buffer.data) if buffer.data is not None else int(buffer.size)  # size: kept behind the tables (> 2 GB)


def _type_name(tensor: Any) -> str:
    return _type_names().get(tensor.type, f"unknown_{tensor.type}")


def _sizes(shape: Any) -> list[int]:
    return [] if shape is None else [int(size) for size in shape]


def _tensor_info(tensor: Any) -> TensorInfo:
    signature = _sizes(tensor.shapeSignature) or _sizes(tensor.shape)
    shape = tuple(None if size < 0 else size for size in signature)
    return TensorInfo(bytes(tensor.name or b"").decode(errors="replace"), shape, _type_name(tensor))
