"""Read a .pte file, ExecuTorch's format, without running it: which portable kernels it calls and what its delegates took.

The file is a FlatBuffer (schema: program.fbs) of methods, each a list of instructions that call a kernel or a delegate. If
data follows it, an extended header says where. ExecuTorch's own reader crashes on some damaged files; this one ends in
ModelFileError.

Source: executorch/exir/_serialize/program.fbs and _program.py, in the package.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pocketlab.errors import ModelFileError
from pocketlab.runtimes import _executorch_xnnpack
from pocketlab.runtimes._executorch_flatbuffer import Buffer, Table
from pocketlab.runtimes._executorch_xnnpack import Constant
from pocketlab.runtimes.base import Inspection, TensorInfo, check_model_path

FORMAT = "pte"
IDENTIFIER = b"ET12"  # at bytes 4 to 8, by the FlatBuffers convention
_EXTENDED_HEADER = struct.Struct("<4sIQQQ")  # from byte 8 on: magic, its length, the program's size, segments: start, size
_MAX_TABLE_BYTES = 1 << 28

# ScalarType of scalar_type.fbs: those that torch can hold, and their bytes.
_DTYPES = {
    0: ("uint8", 1), 1: ("int8", 1), 2: ("int16", 2), 3: ("int32", 4), 4: ("int64", 8), 5: ("float16", 2),
    6: ("float32", 4), 7: ("float64", 8), 11: ("bool", 1), 15: ("bfloat16", 2), 27: ("uint16", 2), 28: ("uint32", 4),
    29: ("uint64", 8),
}  # fmt: skip
_TENSOR = 5  # of the union KernelTypes, the kinds of a value
_KERNEL_CALL, _DELEGATE_CALL = 1, 2  # of the union InstructionArguments
_STATIC = 0  # of the enumeration TensorShapeDynamism
_EXTERNAL = 1  # of the enumeration TensorDataLocation
_IN_SEGMENT = 1  # of the enumeration DataLocation

_Entry = TypeVar("_Entry")


class _Program:
    PLANS, INLINE_DATA, SEGMENTS = 1, 3, 4


class _Plan:
    NAME, VALUES, INPUTS, OUTPUTS, CHAINS, OPERATORS, DELEGATES = 0, 2, 3, 4, 5, 6, 7


class _Tensor:
    DTYPE, SIZES, BUFFER, ALLOCATION, DYNAMISM, EXTRA = 0, 2, 5, 6, 8, 9


@dataclass(frozen=True)
class Partition:
    """What one call hands to a delegate: its backend, and its operators by XNNPACK's names (of other backends none is known)."""

    backend: str
    operators: dict[str, int]


@dataclass(frozen=True)
class ExecuTorchInspection(Inspection):
    """What a .pte file holds. `operators` counts the calls of portable kernels and, as "… delegate", those of delegates.

    method: what a runner runs, "forward" or else the first method; inputs and outputs are its own, and have no names in this
    format. portable: calls of ExecuTorch's own kernels. partitions: what delegates took, one for each call of them.
    """

    method: str
    portable: dict[str, int]
    partitions: tuple[Partition, ...]

    @property
    def delegated(self) -> dict[str, int]:
        """The operators of all partitions, counted by name."""
        total: Counter[str] = Counter()
        for partition in self.partitions:
            total.update(partition.operators)
        return dict(total)


def inspect(path: str | Path) -> ExecuTorchInspection:
    """Return what a .pte file holds: operators of all its methods, inputs and outputs of `method`, without running it.

    Weights that two operators share count once. Scales of a quantized tensor are no parameters, and what lies in a .ptd file
    beside it is not seen. Raises ModelFileError for a file that is missing, damaged, or of another kind.
    """
    path = check_model_path(path, ".pte")
    if path.is_dir():
        raise ModelFileError(f"{path.name} is a folder, and a .pte model is one file.")
    with _own_errors(path), _File(path) as file:
        return _Reader(file).inspection()


@contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except ModelFileError:
        raise
    except (ValueError, LookupError) as error:
        raise ModelFileError(
            f"{path.name} is damaged: its tables cannot be read ({error}). Export it again, or get it again."
        ) from error


class _File:
    """Reads the parts of a file that hold tables; the rest, weights, may be large."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size

    def __enter__(self) -> _File:
        self._file = self.path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on. Raises ValueError if the file lacks them or they are too many for tables."""
        if offset + size > self.size:
            raise ValueError(f"it ends after {self.size:,} bytes, where {offset + size:,} are due")
        if size > _MAX_TABLE_BYTES:
            raise ValueError(f"its tables would take {size:,} bytes")
        self._file.seek(offset)
        return self._file.read(size)


class _Reader:
    """Walks the tables of a file once."""

    def __init__(self, file: _File) -> None:
        self._file = file
        self._program = self._root()
        self._segments = [(table.number(0, "<Q"), table.number(1, "<Q")) for table in self._program.tables(_Program.SEGMENTS)]
        self._inline = [table.span(0) for table in self._program.tables(_Program.INLINE_DATA)]
        self._constants: dict[object, Constant] = {}

    def _root(self) -> Table:
        head = self._file.read(0, min(self._file.size, 8 + _EXTENDED_HEADER.size))
        if head[4:8] != IDENTIFIER:
            raise ModelFileError(
                f"{self._file.path.name} is no .pte file: its bytes 4 to 8 are {head[4:8]!r} where {IDENTIFIER!r} is due. "
                "Was another format saved under this name, or did a download end early?"
            )
        self._base = program_bytes = self._file.size  # without a header there is nothing behind the program
        if head[8:12] == b"eh00" and len(head) == 8 + _EXTENDED_HEADER.size:
            _, _, program_bytes, self._base, segment_bytes = _EXTENDED_HEADER.unpack_from(head, 8)
            if self._base + segment_bytes > self._file.size:
                raise ValueError(f"it ends after {self._file.size:,} bytes, where {self._base + segment_bytes:,} are due")
        return Buffer(self._file.read(0, program_bytes)).root()

    def inspection(self) -> ExecuTorchInspection:
        plans = self._program.tables(_Program.PLANS)
        if not plans:
            raise ValueError("it holds no method")
        calls: list[str | Partition] = []
        for plan in plans:
            for value in plan.tables(_Plan.VALUES):
                self._count_constant(value)
            calls += self._calls(plan)
        bytes_by_type: Counter[str] = Counter()
        for constant in self._constants.values():
            bytes_by_type[constant.dtype] += constant.bytes
        main = next((plan for plan in plans if plan.text(_Plan.NAME) == "forward"), plans[0])
        return ExecuTorchInspection(
            FORMAT,
            self._file.size,
            dict(Counter(call if isinstance(call, str) else f"{call.backend} delegate" for call in calls)),
            sum(constant.elements for constant in self._constants.values()),
            dict(bytes_by_type),
            _tensor_infos(main, _Plan.INPUTS, "input"),
            _tensor_infos(main, _Plan.OUTPUTS, "output"),
            main.text(_Plan.NAME),
            dict(Counter(call for call in calls if isinstance(call, str))),
            tuple(call for call in calls if isinstance(call, Partition)),
        )

    def _calls(self, plan: Table) -> Iterator[str | Partition]:
        """Yield the instructions of a method that compute: the name of a portable kernel, or what a delegate is handed."""
        kernels = [_kernel_name(operator) for operator in plan.tables(_Plan.OPERATORS)]
        partitions = [self._partition(delegate) for delegate in plan.tables(_Plan.DELEGATES)]
        for chain in plan.tables(_Plan.CHAINS):
            for instruction in chain.tables(2):
                kind, callee = instruction.number(0, "<B"), instruction.table(1)
                if kind == _KERNEL_CALL and callee is not None:
                    yield _entry(kernels, callee.number(0, "<i"))
                elif kind == _DELEGATE_CALL and callee is not None:
                    yield _entry(partitions, callee.number(0, "<i"))

    def _partition(self, delegate: Table) -> Partition:
        backend, reference = delegate.text(0), delegate.table(1)
        if backend != _executorch_xnnpack.BACKEND or reference is None:
            return Partition(backend, {})
        index = reference.number(1, "<I")
        if reference.number(0, "<b") == _IN_SEGMENT:
            offset, size = _entry(self._segments, index)
            start = self._base + offset
        else:
            start, size = _entry(self._inline, index)
        operators, constants = _executorch_xnnpack.read_graph(self._file.read, start, size)
        for key, constant in constants.items():
            self._count(key, constant)
        return Partition(backend, operators)

    def _count_constant(self, value: Table) -> None:
        """Count a tensor that the program's own kernels use, if its numbers are in the file."""
        tensor = value.table(1) if value.number(0, "<B") == _TENSOR else None
        buffer = 0 if tensor is None else tensor.number(_Tensor.BUFFER, "<I")
        if tensor is None or not buffer:
            return
        extra = tensor.table(_Tensor.EXTRA)
        if extra is not None and extra.number(2, "<b") == _EXTERNAL:
            return
        dtype, size = _dtype(tensor)
        elements = math.prod(tensor.numbers(_Tensor.SIZES, "<i"))
        changes = tensor.table(_Tensor.ALLOCATION) is not None  # a state that begins with these numbers, kept apart
        self._count((changes, buffer), Constant(dtype, elements, elements * size))

    def _count(self, key: object, constant: Constant) -> None:
        if not 0 <= constant.bytes <= self._file.size or not 0 <= constant.elements <= 8 * self._file.size:
            raise ValueError("a weight in it is larger than the file")
        self._constants[key] = constant


def _entry(entries: Sequence[_Entry], index: int) -> _Entry:
    if not 0 <= index < len(entries):
        raise ValueError("an entry in it names another that is not there")
    return entries[index]


def _kernel_name(operator: Table) -> str:
    name, overload = operator.text(0), operator.text(1)
    return f"{name}.{overload}" if overload else name


def _dtype(tensor: Table) -> tuple[str, int]:
    """Return an element's type and its bytes."""
    number = tensor.number(_Tensor.DTYPE, "<b")
    if number not in _DTYPES:
        raise ValueError(f"a tensor is of type {number}, which is unknown here")
    return _DTYPES[number]


def _tensor_infos(plan: Table, field: int, name: str) -> tuple[TensorInfo, ...]:
    """Describe inputs or outputs. A tensor that may be smaller has None for all sizes: which of them may, the file tells not."""
    values = plan.tables(_Plan.VALUES)
    infos = []
    for number, index in enumerate(plan.numbers(field, "<i")):
        value = _entry(values, index)
        tensor = value.table(1)
        if value.number(0, "<B") != _TENSOR or tensor is None:
            infos.append(TensorInfo(f"{name}_{number}", (), "no tensor"))
            continue
        sizes = tensor.numbers(_Tensor.SIZES, "<i")
        static = tensor.number(_Tensor.DYNAMISM, "<b") == _STATIC
        infos.append(TensorInfo(f"{name}_{number}", sizes if static else (None,) * len(sizes), _dtype(tensor)[0]))
    return tuple(infos)
