"""Read an .mlpackage on any system and check that it is whole, in Python, before anything native opens it.

An .mlpackage is a folder: `Manifest.json` names the parts, `Data/com.apple.CoreML/model.mlmodel` is a protobuf with the
program in MIL (Core ML's intermediate language), and `Data/com.apple.CoreML/weights/weight.bin` its large constants.
Source of the format: coremltools 9, mlmodel/format/MIL.proto and mlmodel/src/MILBlob/Blob/StorageFormat.hpp.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pocketlab.errors import ModelFileError
from pocketlab.memory import available_memory_bytes
from pocketlab.runtimes.mil._coremltools import import_coremltools

_LARGEST_MANIFEST = 1 << 20  # bytes; a real one has about 600
_BLOB_METADATA = struct.Struct("<IIQQ40x")  # sentinel, type, bytes, offset of the data, padding and reserved words
_BLOB_SENTINEL = 0xDEADBEEF
_BLOB_ALIGNMENT = 64  # bytes, of every header and every constant
_BITS = {"bool": 8, "float8e4m3fn": 8, "float8e5m2": 8}  # every other numeric type's name ends in its bits


@dataclass(frozen=True)
class Package:
    """A checked package: its folder, its weights' folder, and its specification (coremltools' `Model_pb2.Model`)."""

    path: Path
    weights: Path
    spec: Any = field(repr=False)

    def functions(self) -> dict[str, Any]:
        """Return each function's body: a MIL block, its operations in execution order."""
        return {name: f.block_specializations[f.opset] for name, f in self.spec.mlProgram.functions.items()}


def size_bytes(path: str | os.PathLike[str]) -> int:
    """Sum the sizes of all files of the package at `path`."""
    return sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())


def read_package(path: str | os.PathLike[str]) -> Package:
    """Read and check the package at `path`. Raises ModelFileError, naming the fault, if a part is missing or bad."""
    package = Path(path)
    if not package.is_dir():
        found = "a file" if package.exists() else "nothing"
        raise ModelFileError(f"{package.name} should be an .mlpackage, which is a folder, but {found} is at {package}.")
    model = _model_file(package)
    spec = _specification(package, model)
    with whole(package):
        blocks = Package(package, model.parent, spec).functions().values()
        constants = (value for block in blocks for operation in operations(block) for value in values(operation))
        needed = sum(_check_constant(package, model.parent, value) for value in constants)
    _check_memory(package, "constants", needed)
    return Package(package, model.parent / "weights", spec)


@contextmanager
def whole(package: Path) -> Iterator[None]:
    """Turn what a program of wrong structure leads to, such as an operation without outputs, into a ModelFileError."""
    try:
        yield
    except ModelFileError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{package.name}: its program is damaged ({type(error).__name__}: {error}).") from error


def operations(block: Any) -> Iterator[Any]:
    """Yield a block's operations in execution order, each followed by those of the blocks inside it (cond, while)."""
    for operation in block.operations:
        yield operation
        for inner in operation.blocks:
            yield from operations(inner)


def values(operation: Any) -> Iterator[Any]:
    """Yield the constant values stored in an operation: its attributes, and arguments given in place."""
    yield from (value for name, value in operation.attributes.items() if name != "name")
    for argument in operation.inputs.values():
        yield from (binding.value for binding in argument.arguments if binding.WhichOneof("binding") == "value")


def argument_names(operation: Any) -> Iterator[str]:
    """Yield the names of the values that an operation takes."""
    for argument in operation.inputs.values():
        yield from (binding.name for binding in argument.arguments if binding.WhichOneof("binding") == "name")


def dtype(value_type: Any) -> str:
    """Return the element type of a MIL value type as `float16`, `uint4`, `string`, …; empty if it is no tensor."""
    from coremltools.proto import MIL_pb2

    if value_type.WhichOneof("type") != "tensorType":
        return ""
    return str(MIL_pb2.DataType.Name(value_type.tensorType.dataType)).lower()


def shape(value_type: Any) -> tuple[int | None, ...]:
    """Return the shape of a MIL tensor type, None where a dimension is not fixed."""
    return tuple(
        d.constant.size if d.WhichOneof("dimension") == "constant" else None for d in value_type.tensorType.dimensions
    )


def elements(value_type: Any) -> int:
    """Return the number of elements of a constant's tensor type."""
    return math.prod(size or 0 for size in shape(value_type))


def stored_bytes(value_type: Any) -> int:
    """Return the bytes that a constant of this tensor type takes; types narrower than a byte are packed."""
    kind = dtype(value_type)
    digits = re.search(r"\d+$", kind)
    bits = _BITS.get(kind) or (int(digits[0]) if digits else 0)
    return -(-elements(value_type) * bits // 8)


def _model_file(package: Path) -> Path:
    """Return the file that the manifest names as the root model, having checked every part that it names."""
    manifest = package / "Manifest.json"
    if manifest.exists():
        _file(package, manifest)
    try:
        if manifest.stat().st_size > _LARGEST_MANIFEST:
            raise ModelFileError(f"{package.name}: Manifest.json is {manifest.stat().st_size} bytes, far too large.")
        content = json.loads(manifest.read_text(encoding="utf-8"))
        parts = {str(key): str(entry["path"]) for key, entry in content["itemInfoEntries"].items()}
        root = parts[content["rootModelIdentifier"]]
    except FileNotFoundError:
        raise ModelFileError(f"{package.name} has no Manifest.json: it is no .mlpackage, or not a whole one.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{package.name}: Manifest.json is damaged ({type(error).__name__}: {error}).") from None
    for part in parts.values():
        _inside(package, package / "Data" / part)
    return _file(package, package / "Data" / root)


def _file(package: Path, part: Path) -> Path:
    """Return the part's real path; raise if it is no file. To open a pipe would wait forever, to read a device never end."""
    real = _inside(package, part)
    if not real.is_file():
        raise ModelFileError(f"{package.name}: {part.name!r} is not a file, but a folder, a pipe or a device.")
    return real


def _inside(package: Path, part: Path) -> Path:
    """Return the part's real path, or raise: a package may neither point out of itself nor name what is not there."""
    try:
        real = part.resolve()
        if not real.is_relative_to(package.resolve()):
            raise ModelFileError(f"{package.name} points outside of itself, to {real}. It is not opened.")
        if real.exists():
            return real
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links that point to each other
        if isinstance(error, ModelFileError):
            raise
    raise ModelFileError(f"{package.name} is incomplete: it names {part.name[:100]!r}, which is not in it.")


def _specification(package: Path, model: Path) -> Any:
    """Parse the protobuf and check that it is an ML program with bodies to its functions."""
    _check_memory(package, f"a {model.name}", model.stat().st_size)
    import_coremltools()
    from coremltools.proto import Model_pb2
    from google.protobuf.message import DecodeError

    spec = Model_pb2.Model()
    try:
        spec.ParseFromString(model.read_bytes())
    except (DecodeError, OSError) as error:
        raise ModelFileError(f"{package.name}: {model.name} is damaged ({error}).") from None
    kind = spec.WhichOneof("Type")
    if kind != "mlProgram":
        raise ModelFileError(f"{package.name}: {model.name} should hold an ML program, but holds {kind or 'no model'}.")
    functions = spec.mlProgram.functions
    if not functions or any(f.opset not in f.block_specializations for f in functions.values()):
        raise ModelFileError(f"{package.name}: {model.name} is damaged (a function has no body).")
    return spec


def _check_memory(package: Path, what: str, size: int) -> None:
    """Check that something of so many bytes fits into the memory that is free."""
    if size > (free := available_memory_bytes()):
        raise ModelFileError(
            f"{package.name} has {what} of {size / 1e9:.1f} GB, and only {free / 1e9:.1f} GB of memory are free."
        )


def _check_constant(package: Path, folder: Path, value: Any) -> int:
    """Check that a constant kept in the weight file is there in full and return its bytes; 0 for one inside the protobuf."""
    if value.WhichOneof("value") != "blobFileValue":
        return 0
    blob = value.blobFileValue
    file = _file(package, folder / blob.fileName.removeprefix("@model_path/"))
    fault = f"{package.name}: {file.name} is damaged or cut short"
    with file.open("rb") as stream:
        length = stream.seek(0, os.SEEK_END)
        if blob.offset + _BLOB_METADATA.size > length:
            raise ModelFileError(f"{fault} ({length} bytes; a constant's header is due at byte {blob.offset}).")
        stream.seek(blob.offset)
        sentinel, _, count, start = _BLOB_METADATA.unpack(stream.read(_BLOB_METADATA.size))
    due = stored_bytes(value.type)
    if sentinel != _BLOB_SENTINEL or count != due:
        raise ModelFileError(f"{fault} (no header of a constant of {due} bytes at byte {blob.offset}).")
    if start < blob.offset + _BLOB_METADATA.size or start % _BLOB_ALIGNMENT:
        raise ModelFileError(f"{fault} (a constant's header at byte {blob.offset} sends to byte {start}, not to what follows).")
    if start + count > length:
        raise ModelFileError(f"{fault} ({length} bytes; a constant ends at byte {start + count}).")
    return due
