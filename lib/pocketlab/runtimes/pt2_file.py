"""Read a .pt2 archive of `torch.export.save`: a zip of JSON and raw numbers, without PyTorch's loader and without PyTorch.

A model file is untrusted, and `torch.export.load` is for files of one's own. It unpickles weights and constants that the
archive calls pickled, falls back to unsafe unpickling for the sample inputs, gives strings of the file to SymPy and to
generated Python code, which evaluate them, takes any attribute of `torch` for an operator, and loads compiled code. Here
the graph's JSON and the weights' raw bytes are read and nothing else; the pickled sample inputs are left where they are.

Source: PyTorch 2.13, `torch/export/pt2_archive/_package.py` (archive) and `torch/_export/serde/schema.py` (JSON).
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlab.errors import ModelFileError
from pocketlab.runtimes.base import Inspection, TensorInfo, check_model_path

FORMAT = "pt2"
_PROGRAM = "models/model.json"
_PAYLOADS = {"data/weights/": "model_weights_config.json", "data/constants/": "model_constants_config.json"}
_DTYPES = {  # schema.ScalarType: NumPy's or PyTorch's name, and bytes per element
    1: ("uint8", 1),
    2: ("int8", 1),
    3: ("int16", 2),
    4: ("int32", 4),
    5: ("int64", 8),
    6: ("float16", 2),
    7: ("float32", 4),
    8: ("float64", 8),
    10: ("complex64", 8),
    12: ("bool", 1),
    13: ("bfloat16", 2),
    28: ("uint16", 2),
    34: ("uint32", 4),
    35: ("uint64", 8),
}


@dataclass(frozen=True)
class StoredTensor:
    """A weight or constant: which entry of the archive holds its numbers, and how they are laid out there, in elements."""

    entry: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Program:
    """A graph as its JSON has it, and what its inputs are bound to.

    nodes: the operators in execution order. tensors: the weight or constant of each graph input that is one. constants: the
    number of each graph input that was fixed at export. inputs, outputs: what a caller gives and gets. mutated: for each
    buffer that a run changes, (the graph input it is bound to, the value that it takes afterwards).
    """

    path: Path
    nodes: tuple[dict[str, Any], ...]
    tensors: dict[str, StoredTensor]
    constants: dict[str, Any]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    mutated: tuple[tuple[str, str], ...]


def read(path: str | Path) -> Program:
    """Return the program of a .pt2 file.

    Raises ModelFileError for a file that is missing, damaged or of another kind, and for what only running code of the
    file could load: pickled weights, custom objects, compiled programs.
    """
    path = check_model_path(path, ".pt2")
    with own_errors(path), zipfile.ZipFile(path) as archive:
        root = _root(path, archive)
        graph_module = json.loads(archive.read(f"{root}/{_PROGRAM}"))["graph_module"]
        stored: dict[str, StoredTensor] = {}
        for folder, config in _PAYLOADS.items():
            entries = json.loads(archive.read(f"{root}/{folder}{config}"))["config"]
            stored.update({name: _stored(path, f"{root}/{folder}", name, meta) for name, meta in entries.items()})
        return _program(path, graph_module, stored)


@contextmanager
def own_errors(path: Path) -> Iterator[None]:
    """Turn what reading a damaged archive raises into ModelFileError."""
    try:
        yield
    except ModelFileError:
        raise
    except zipfile.BadZipFile as error:
        raise ModelFileError(
            f"{path.name} is no whole .pt2 file, the zip that torch.export.save writes ({error}). Save it again."
        ) from error
    except (LookupError, TypeError, ValueError, AttributeError, EOFError, RecursionError, NotImplementedError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelFileError(f"{path.name} is damaged: its program cannot be read ({reason}). Save it again.") from error


def _root(path: Path, archive: zipfile.ZipFile) -> str:
    """Return the folder that all entries are in, after a look at the table of contents."""
    entries = archive.infolist()
    # PyTorch stores without compression, so nothing can unfold to more than the file's own size.
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ModelFileError(f"{path.name} was compressed after torch.export.save wrote it: save it again.")
    names = {entry.filename for entry in entries}
    if len(names) != len(entries) or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise ValueError("its table of contents lists more than the file holds")
    if "serialized_exported_program.json" in names:
        raise ModelFileError(f"{path.name} was saved by PyTorch 2.7 or earlier: export and save it with a later one.")
    roots = {name.split("/")[0] for name in names}
    root = roots.pop() if len(roots) == 1 else ""
    if f"{root}/archive_format" not in names or archive.read(f"{root}/archive_format") != b"pt2":
        raise ModelFileError(
            f"{path.name} is a zip, but not one of torch.export.save. What torch.save writes is a .pt file; "
            "export the model with torch.export.export(model, (example,)) and save that."
        )
    if any(name.startswith(f"{root}/data/aotinductor/") for name in names):
        raise ModelFileError(
            f"{path.name} holds compiled machine code (AOTInductor), which is not run here: use torch.export.save instead."
        )
    if f"{root}/{_PROGRAM}" not in names:
        raise ModelFileError(f"{path.name} holds no program called 'model', as torch.export.save names it.")
    return root


def _stored(path: Path, folder: str, name: str, meta: dict[str, Any]) -> StoredTensor:
    entry = str(meta["path_name"])
    if meta["use_pickle"] or not meta["tensor_meta"]:
        raise ModelFileError(
            f"{path.name} holds {name!r} as a pickle, and loading a pickle runs whatever code is in it. "
            "Convert the tensor subclass or custom object to plain tensors before torch.export."
        )
    tensor = meta["tensor_meta"]
    shape, strides = (tuple(int(size["as_int"]) for size in tensor[key]) for key in ("sizes", "strides"))
    return StoredTensor(folder + entry, dtype_name(tensor["dtype"]), shape, strides, int(tensor["storage_offset"]["as_int"]))


def dtype_name(number: int) -> str:
    """Return the name of an element type by its number in the file. Raises ValueError for one that is not known here."""
    if number not in _DTYPES:
        raise ValueError(f"element type {number} is not known here")
    return _DTYPES[number][0]


def _program(path: Path, graph_module: dict[str, Any], stored: dict[str, StoredTensor]) -> Program:
    graph, signature = graph_module["graph"], graph_module["signature"]
    tensors: dict[str, StoredTensor] = {}
    constants: dict[str, Any] = {}
    buffers: dict[str, str] = {}
    inputs: list[TensorInfo] = []
    for spec in signature["input_specs"]:
        ((kind, content),) = spec.items()
        if kind in ("parameter", "buffer", "tensor_constant"):
            bound, name = content["arg"]["name"], content[f"{kind}_name"]
            tensors[bound] = stored[name]
            buffers[name] = bound
        elif kind == "constant_input":
            ((_, constants[content["name"]]),) = content["value"].items()
        elif kind == "user_input" and "as_tensor" in content["arg"]:
            inputs.append(_tensor_info(graph, content["arg"]["as_tensor"]["name"]))
        else:
            raise ModelFileError(f"{path.name} takes an input that is no tensor ({kind}): only tensors can be given here.")
    outputs: list[TensorInfo] = []
    mutated: list[tuple[str, str]] = []
    for spec in signature["output_specs"]:
        ((kind, content),) = spec.items()
        if kind == "buffer_mutation":
            mutated.append((buffers[content["buffer_name"]], content["arg"]["name"]))
        elif kind == "user_output" and "as_tensor" in content["arg"]:
            outputs.append(_tensor_info(graph, content["arg"]["as_tensor"]["name"]))
        else:
            raise ModelFileError(f"{path.name} returns what is no tensor ({kind}): only tensors can be returned here.")
    nodes = tuple(graph["nodes"])
    return Program(path, nodes, tensors, constants, tuple(inputs), tuple(outputs), tuple(mutated))


def _tensor_info(graph: dict[str, Any], name: str) -> TensorInfo:
    tensor = graph["tensor_values"][name]
    return TensorInfo(name, tuple(map(_size, tensor["sizes"])), dtype_name(tensor["dtype"]))


def _size(size: dict[str, Any]) -> int | None:
    """Return a size of an input or output; None for an expression, which is not evaluated."""
    if "as_expr" in size:
        return None
    number = size["as_int"]
    if not isinstance(number, int) or not 0 <= number < 2**31:
        raise ValueError(f"{number!r} is no size of a tensor")
    return number


def inspect(path: str | Path) -> Inspection:
    """Return what a .pt2 file holds: ATen operators, weights and constants by type, inputs and outputs, without running it.

    Every stored tensor counts as a parameter, also the running statistics of a batch normalization; one that is shared is
    counted once. Raises ModelFileError as `read` does.
    """
    program = read(path)
    operators: dict[str, int] = {}
    bytes_by_type: dict[str, int] = {}
    with own_errors(program.path):
        for node in program.nodes:
            name = operator_name(node["target"])
            operators[name] = operators.get(name, 0) + 1
        stored = {tensor.entry: tensor for tensor in program.tensors.values()}.values()
        itemsize = dict(_DTYPES.values())
        for tensor in stored:
            size = math.prod(tensor.shape) * itemsize[tensor.dtype]
            bytes_by_type[tensor.dtype] = bytes_by_type.get(tensor.dtype, 0) + size
    return Inspection(
        FORMAT,
        program.path.stat().st_size,
        operators,
        sum(math.prod(tensor.shape) for tensor in stored),
        bytes_by_type,
        program.inputs,
        program.outputs,
    )


def operator_name(target: str) -> str:
    """Return `aten.conv2d` for the target `torch.ops.aten.conv2d.default`, and any other target as it is."""
    parts = target.split(".")
    return ".".join(parts[2:4]) if parts[:2] == ["torch", "ops"] else target
