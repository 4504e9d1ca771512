"""Read what a .pte file hands to XNNPACK: a FlatBuffer of nodes and values of its own, behind a header.

Source: executorch/backends/xnnpack/serialization/schema.fbs and xnnpack_graph_serialize.py, in the package.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pocketlab.runtimes._executorch_flatbuffer import Buffer, Table

BACKEND = "XnnpackBackend"
_HEADER = struct.Struct("<4x4sHII")  # magic, its length, the graph's offset and size

OPERATORS = (
    "Add", "FullyConnected", "Softmax", "Sigmoid", "StaticTranspose", "Clamp", "Conv2d", "Div", "StaticResizeBilinear2D",
    "StaticConstantPad", "AvgPooling2d", "Minimum", "DepthwiseConv2d", "MaxPooling2d", "Multiply", "Subtract", "Floor",
    "Convert", "GlobalAvgPooling2d", "StaticReshape", "ArgMaxPooling2d", "SquareRoot", "Ceiling", "Hardswish", "LeakyReLU",
    "Maximum", "Negate", "Square", "ELU", "Abs", "PReLU", "Concatenate2", "Concatenate3", "Concatenate4", "StaticSlice",
    "ScaledDotProductAttention", "BatchMatrixMultiply", "Concatenate5", "ConvTranspose2d", "ReciprocalSquareRoot", "Log",
    "Gelu", "Tanh", "Exp", "Sin", "Copy", "Cos",
)  # fmt: skip
"""The union XNodeUnion from 1 on, without the prefix XNN."""

# The enumeration XNNDatatype: what is stored, whichever way its scales are.
_DTYPES = {
    1: "float32", 2: "float16", 3: "int8", 4: "uint8", 5: "int32", 6: "int8", 7: "int32", 8: "int4", 9: "int8", 10: "int4",
    11: "int8", 12: "int32", 13: "float32", 14: "bfloat16",
}  # fmt: skip
_QUANTIZED_VALUE = 2  # of the union XValueUnion


class _Graph:
    NODES, VALUES, CONSTANTS = 1, 2, 8


@dataclass(frozen=True)
class Constant:
    """A weight: type and number of its elements, and its bytes in the file."""

    dtype: str
    elements: int
    bytes: int


def read_graph(read: Callable[[int, int], bytes], start: int, size: int) -> tuple[dict[str, int], dict[object, Constant]]:
    """Return the operators of a partition, counted by name, and its weights by what tells them apart in the file.

    read: returns the bytes of the file from an offset on, so many. start, size: where the partition's data is.

    Raises ValueError for what is damaged.
    """
    magic, _, offset, graph_size = _HEADER.unpack(read(start, _HEADER.size))
    if magic != b"XH00" or offset + graph_size > size:
        raise ValueError("what it hands to XNNPACK has no whole header")
    graph = Buffer(read(start + offset, graph_size)).root()
    operators = Counter(_operator(node) for node in graph.tables(_Graph.NODES))
    data = [(table.number(1, "<Q"), table.text(2)) for table in graph.tables(_Graph.CONSTANTS)]
    constants: dict[object, Constant] = {}
    for value in graph.tables(_Graph.VALUES):
        tensor = value.table(1)
        if tensor is not None and value.number(0, "<B") == _QUANTIZED_VALUE:
            tensor = tensor.table(0)
        index = 0 if tensor is None else tensor.number(3, "<I")
        if tensor is None or not index:  # 0: computed, no constant
            continue
        if index >= len(data):
            raise ValueError("a weight in it is not there")
        weight_bytes, name = data[index]
        dtype = _DTYPES.get(tensor.number(0, "<h"), "unknown")
        constants[name or (start, index)] = Constant(dtype, math.prod(tensor.numbers(2, "<I")), weight_bytes)
    return dict(operators), constants


def _operator(node: Table) -> str:
    number = node.number(0, "<B")
    if not 1 <= number <= len(OPERATORS):
        raise ValueError(f"XNNPACK has no operator {number}")
    return OPERATORS[number - 1]
