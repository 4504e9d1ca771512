"""Read a .tflite file's tables: FlatBuffers by the schema that ships with LiteRT, without running anything.

A model file is untrusted. What a damaged one can do here is raise ModelFileError: every read is checked against the end of
the file by `flatbuffers`, and a table of contents that claims more entries than the file has room for ends the reading.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pocketlab.errors import ModelFileError
from pocketlab.runtimes.base import Inspection, TensorInfo, check_model_path

FORMAT = "tflite"
IDENTIFIER = b"TFL3"  # at bytes 4 to 8, by the FlatBuffers convention
CUSTOM = "CUSTOM"
_PLACEHOLDER = 127  # a builtin code from 127 on does not fit the schema's old one-byte field, which then holds 127
_SMALLEST_ENTRY_BYTES = 4  # of a vector of tables: the offset of each
_Entry = TypeVar("_Entry")


@dataclass(frozen=True)
class OperatorCode:
    """A kind of operator that the file lists: builtin name, version, and for a custom one the name that the file gives it."""

    builtin: str
    version: int
    custom: str | None

    @property
    def name(self) -> str:
        """The builtin name, or the custom one."""
        return self.builtin if self.custom is None else self.custom


@dataclass(frozen=True)
class Node:
    """One operator of a graph, whether it carries options of a custom kernel, and the indices of the tensors it writes."""

    code: OperatorCode
    has_custom_options: bool
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph; `shape` has None where a size is flexible, `elements` counts it as stored.

    quantization: (scale, zero point) of a whole tensor of integers; None where there is none, or one for each channel.
    dense_bytes: what all its elements take; None for texts, sparse tensors and other things whose size is not their shape's.
    """

    name: str
    shape: tuple[int | None, ...]
    elements: int
    dtype: str
    buffer: int
    quantization: tuple[float, int] | None
    dense_bytes: int | None


@dataclass(frozen=True)
class Graph:
    """One graph of a file; inputs and outputs are indices of tensors."""

    nodes: tuple[Node, ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Tables:
    """What a file holds apart from the numbers themselves; `buffer_bytes` is the size of each of its buffers."""

    graphs: tuple[Graph, ...]
    buffer_bytes: tuple[int, ...]


def check(path: str | Path) -> Path:
    """Return `path` if a .tflite file is there by name and identifier, else raise ModelFileError."""
    path = check_model_path(path, ".tflite")
    with path.open("rb") as file:
        start = file.read(8)
    if start[4:] != IDENTIFIER:
        raise ModelFileError(
            f"{path.name} is no .tflite file: its bytes 4 to 8 are {start[4:]!r} where {IDENTIFIER!r} is due. "
            "Was another format saved under this name, or did a download end early?"
        )
    return path


def read(path: str | Path) -> Tables:
    """Return the tables of a .tflite file. Raises ModelFileError for a file that is missing, damaged or of another kind."""
    path = check(path)
    from ai_edge_litert.schema_py_generated import Model

    data = path.read_bytes()
    with _own_errors(path):
        return _Reader(Model.GetRootAs(data, 0), len(data)).tables()


@contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, struct.error) as error:
        reason = str(error) or type(error).__name__
        raise ModelFileError(
            f"{path.name} is damaged: its tables cannot be read ({reason}). Export it again."
        ) from error


class _Reader:
    """Walks the tables once; `_room` counts down the entries that a file of this size can have in all."""

    def __init__(self, model: Any, size_bytes: int) -> None:
        self._model = model
        self._room = size_bytes // _SMALLEST_ENTRY_BYTES

    def tables(self) -> Tables:
        model = self._model
        buffers = self._entries(model.BuffersLength(), model.Buffers)
        codes = [_operator_code(code) for code in self._entries(model.OperatorCodesLength(), model.OperatorCodes)]
        graphs = [self._graph(graph, codes) for graph in self._entries(model.SubgraphsLength(), model.Subgraphs)]
        if not graphs:
            raise ValueError("it holds no graph")
        # Data is in the table, or for files over 2 GB behind all tables, with its size in the table.
        sizes = tuple(int(buffer.DataLength() or buffer.Size()) for buffer in buffers)
        if any(not 0 <= tensor.buffer < len(sizes) for graph in graphs for tensor in graph.tensors):
            raise ValueError("a tensor names a buffer that is not there")
        for graph in graphs:
            _check_tensors(graph, sizes)
        return Tables(tuple(graphs), sizes)

    def _graph(self, graph: Any, codes: list[OperatorCode]) -> Graph:
        tensors = tuple(map(_tensor, self._entries(graph.TensorsLength(), graph.Tensors)))
        operators = self._entries(graph.OperatorsLength(), graph.Operators)
        nodes = tuple(
            Node(codes[one.OpcodeIndex()], one.CustomOptionsLength() > 0, _numbers(one.OutputsAsNumpy())) for one in operators
        )
        inputs, outputs = _numbers(graph.InputsAsNumpy()), _numbers(graph.OutputsAsNumpy())
        if any(not 0 <= index < len(tensors) for index in (*inputs, *outputs)):
            raise ValueError("an input or output names a tensor that is not there")
        return Graph(nodes, tensors, inputs, outputs)

    def _entries(self, count: int, get: Callable[[int], _Entry]) -> list[_Entry]:
        self._room -= count
        if count < 0 or self._room < 0:
            raise ValueError("a list in it is longer than the file")
        return [get(index) for index in range(count)]


def _check_tensors(graph: Graph, buffer_bytes: tuple[int, ...]) -> None:
    """Check two things that LiteRT believes, and otherwise writes past the end of its memory.

    A constant has as many bytes as its shape and type say, and each tensor gets its numbers from one place: it is a constant,
    an input of the graph, or written by one operator.
    """
    constants = [index for index, tensor in enumerate(graph.tensors) if buffer_bytes[tensor.buffer]]
    for tensor in (graph.tensors[index] for index in constants):
        if tensor.dense_bytes not in (None, stored := buffer_bytes[tensor.buffer]):
            raise ValueError(f"the constant {tensor.name[:40]!r} takes {tensor.dense_bytes} bytes, and {stored} are there")
    written = [index for node in graph.nodes for index in node.outputs if index >= 0]
    sources = Counter([*constants, *graph.inputs, *written])
    if sources and sources.most_common(1)[0][1] > 1:
        raise ValueError(f"tensor {sources.most_common(1)[0][0]} is written twice")


def _operator_code(code: Any) -> OperatorCode:
    old = code.DeprecatedBuiltinCode()
    number = code.BuiltinCode() if old == _PLACEHOLDER else max(old, code.BuiltinCode())
    builtin = _builtin_names()[number]
    custom = (code.CustomCode() or b"").decode(errors="replace") if builtin == CUSTOM else None
    return OperatorCode(builtin, code.Version(), custom)


def _tensor(tensor: Any) -> Tensor:
    stored = _numbers(tensor.ShapeAsNumpy())
    signature = _numbers(tensor.ShapeSignatureAsNumpy()) or stored
    return Tensor(
        (tensor.Name() or b"").decode(errors="replace"),
        tuple(None if size < 0 else size for size in signature),
        math.prod(stored),
        _type_names()[tensor.Type()],
        tensor.Buffer(),
        _quantization(tensor),
        _dense_bytes(stored, tensor),
    )


def _dense_bytes(shape: tuple[int, ...], tensor: Any) -> int | None:
    kind = _type_names()[tensor.Type()]
    bits = {"bool": 8}.get(kind) or int("".join(filter(str.isdigit, kind)) or 0)
    return None if not bits or tensor.Sparsity() is not None else -(-math.prod(shape) * bits // 8)


def _quantization(tensor: Any) -> tuple[float, int] | None:
    table = tensor.Quantization()
    if table is None or table.ScaleLength() != 1 or table.ZeroPointLength() != 1 or "int" not in _type_names()[tensor.Type()]:
        return None
    return float(table.Scale(0)), int(table.ZeroPoint(0))


def _numbers(array: Any) -> tuple[int, ...]:
    """Return what a vector holds; `flatbuffers` gives the integer 0 for one that is not there."""
    return tuple(array.tolist()) if isinstance(array, np.ndarray) else ()


@cache
def _builtin_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return _constants(BuiltinOperator)


@cache
def _type_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import TensorType

    return {number: name.lower() for number, name in _constants(TensorType).items()}


def _constants(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if not name.startswith("_")}


def inspect(path: str | Path) -> Inspection:
    """Return what a .tflite file holds: operators of all its graphs, constants by type, inputs and outputs of the first.

    Every constant counts as a parameter, also the few integers that hold a shape or an axis. A buffer that two tensors
    share is counted once. Raises ModelFileError for a file that is missing or damaged.
    """
    tables = read(path)
    operators: dict[str, int] = {}
    constants: dict[int, Tensor] = {}
    for graph in tables.graphs:
        for node in graph.nodes:
            operators[node.code.name] = operators.get(node.code.name, 0) + 1
        constants.update({tensor.buffer: tensor for tensor in graph.tensors if tables.buffer_bytes[tensor.buffer]})
    bytes_by_type: dict[str, int] = {}
    for buffer, tensor in constants.items():
        bytes_by_type[tensor.dtype] = bytes_by_type.get(tensor.dtype, 0) + tables.buffer_bytes[buffer]
    main = tables.graphs[0]
    return Inspection(
        FORMAT,
        Path(path).stat().st_size,
        operators,
        sum(tensor.elements for tensor in constants.values()),
        bytes_by_type,
        tuple(_tensor_info(main.tensors[index]) for index in main.inputs),
        tuple(_tensor_info(main.tensors[index]) for index in main.outputs),
    )


def _tensor_info(tensor: Tensor) -> TensorInfo:
    return TensorInfo(tensor.name, tensor.shape, tensor.dtype, tensor.quantization)
