"""PyTorch's own format: a model to .pt2 with `torch.export`, and running that file with PyTorch's CPU kernels.

`load` does not use `torch.export.load`, which runs code of the file (see `pt2_file`): it calls the file's ATen operators
one after the other, as PyTorch itself does in eager mode.
"""

from __future__ import annotations

import copy
import operator
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketlab.errors import ModelFileError
from pocketlab.runtimes import pt2_file
from pocketlab.runtimes.base import ModelFile, Result, measure, run_rows
from pocketlab.runtimes.pt2_file import FORMAT, inspect

if TYPE_CHECKING:
    import torch

__all__ = ["Pt2Runner", "export", "inspect", "load", "measure"]

_TARGET = re.compile(r"torch\.ops\.(aten|quantized_decomposed)\.(\w+)\.(\w+)")
_SIZE_OPERATORS = ("add", "sub", "mul", "floordiv", "mod", "neg", "eq", "ne", "lt", "le", "gt", "ge", "and_", "or_")
_MEMORY_FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
_STRIDED = 7  # the only layout of a dense tensor


def export(
    model: torch.nn.Module, example: torch.Tensor | tuple[torch.Tensor, ...], path: str | Path
) -> ModelFile:
    """Export a PyTorch model with `torch.export` and save it as .pt2, weights included.

    example: (batch, …), an input of the shape that the file will take, or a tuple with one for each input. The model is
    exported in evaluation mode and left as it was.
    """
    import torch

    path = Path(path)
    if path.suffix != ".pt2":
        raise ValueError(f"{path.name} must end in .pt2, the name by which PyTorch knows the format.")
    path.parent.mkdir(parents=True, exist_ok=True)
    evaluated = copy.deepcopy(model).eval()
    examples = example if isinstance(example, tuple) else (example,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(evaluated, examples), path)
    return ModelFile(path, FORMAT, path.stat().st_size)


def load(path: str | Path, *, threads: int = 1) -> Pt2Runner:
    """Load a .pt2 file of `torch.export.save`, without running any code of it.

    threads: of PyTorch's kernels while this model runs.

    Raises ModelFileError for a file that is missing, damaged, of another kind, or that uses operators other than ATen's.
    """
    program = pt2_file.read(path)
    with pt2_file.own_errors(program.path):
        return Pt2Runner(program, threads)


@dataclass(frozen=True)
class _Reference:
    """An argument that is the value of that name."""

    name: str


@dataclass(frozen=True)
class _Step:
    """One operator call; `results` are the names that its values get, `finished` those that nobody needs afterwards."""

    call: Callable[..., Any]
    positional: tuple[Any, ...]
    keyword: dict[str, Any]
    results: tuple[str, ...]
    is_list: bool
    finished: tuple[str, ...]


class Pt2Runner:
    """A loaded .pt2 model. threads: as given to `load`. inputs, outputs: tensors in the order of the call that was exported."""

    def __init__(self, program: pt2_file.Program, threads: int) -> None:
        self.path = program.path
        self.threads = threads
        self.inputs = program.inputs
        self.outputs = program.outputs
        self._mutated = program.mutated
        self._bound = {**_tensors(program), **program.constants}
        self._steps = _steps(program)

    def __call__(self, *arrays: np.ndarray) -> Result:
        """Run on an array for each input, shaped as the file says; more rows than it takes are run one after the other."""
        return run_rows(self._run, [np.asarray(array) for array in arrays], self.inputs)

    def _run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        import torch

        values = dict(self._bound)
        for info, array in zip(self.inputs, arrays, strict=True):
            values[info.name] = torch.tensor(array).to(getattr(torch, info.dtype))
        try:
            with torch.inference_mode(), _torch_threads(self.threads):
                for step in self._steps:
                    _take(step, values)
                for buffer, result in self._mutated:
                    self._bound[buffer].copy_(values[result])
                return [_array(values[info.name]) for info in self.outputs]
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, NotImplementedError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ModelFileError(f"{self.path.name} cannot be run by PyTorch: {reason}") from error


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """PyTorch has one number of threads for the whole process: set it for a call, and leave it as it was."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _take(step: _Step, values: dict[str, Any]) -> None:
    returned = step.call(
        *(_resolve(argument, values) for argument in step.positional),
        **{name: _resolve(argument, values) for name, argument in step.keyword.items()},
    )
    if not step.is_list and len(step.results) == 1:
        returned = (returned,)
    if step.results:
        values.update(zip(step.results, returned, strict=True))
    for name in step.finished:
        del values[name]


def _resolve(argument: Any, values: dict[str, Any]) -> Any:
    if isinstance(argument, _Reference):
        return values[argument.name]
    if isinstance(argument, list):
        return [_resolve(entry, values) for entry in argument]
    return argument


def _array(tensor: torch.Tensor) -> np.ndarray:
    import torch

    plain = tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()  # NumPy has no bfloat16
    return plain.numpy().copy()  # a copy, since the output may be a view of a buffer that the next run changes


def _tensors(program: pt2_file.Program) -> dict[str, torch.Tensor]:
    """Read the numbers of every weight and constant; two that share an entry share their memory."""
    import torch

    storages: dict[tuple[str, str], torch.Tensor] = {}
    tensors = {}
    with zipfile.ZipFile(program.path) as archive:
        for name, stored in program.tensors.items():
            key = (stored.entry, stored.dtype)
            dtype = getattr(torch, stored.dtype)
            if key not in storages:
                data = bytearray(archive.read(stored.entry))
                storages[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
            try:
                tensors[name] = torch.as_strided(storages[key], stored.shape, stored.strides, stored.offset)
            except RuntimeError as error:
                raise ValueError(f"{stored.entry} is too short for shape {stored.shape}") from error
    return tensors


def _steps(program: pt2_file.Program) -> list[_Step]:
    made: list[_Step] = []
    needed = {info.name for info in program.outputs} | {result for _, result in program.mutated}
    needed |= {*program.tensors, *program.constants}
    for node in reversed(program.nodes):  # backwards: the first mention of a name seen so is the last one of a run
        arguments = [(entry["name"], entry.get("kind"), _argument(entry["arg"])) for entry in node["inputs"]]
        results, is_list = _results(node["outputs"])
        mentioned = {*results, *(name for _, _, argument in arguments for name in _names(argument))}
        finished = tuple(mentioned - needed)
        needed |= mentioned
        positional = tuple(value for name, kind, value in arguments if kind != 2)
        keyword = {name: value for name, kind, value in arguments if kind == 2}
        made.append(_Step(_operator(program.path, node["target"]), positional, keyword, results, is_list, finished))
    return made[::-1]


def _operator(path: Path, target: str) -> Callable[..., Any]:
    """Return the operator of that name: one of ATen that touches no file, or arithmetic on sizes."""
    import torch

    if target.startswith("_operator.") and target.removeprefix("_operator.") in _SIZE_OPERATORS:
        return getattr(operator, target.removeprefix("_operator."))
    match = _TARGET.fullmatch(target)
    if match:
        if match[1] == "quantized_decomposed":
            import torch.ao.quantization.fx._decomposed  # registers these operators
        found = getattr(getattr(getattr(torch.ops, match[1]), match[2], None), match[3], None)
        # aten.from_file and aten.save read and write any file of this machine.
        if isinstance(found, torch._ops.OpOverload) and all(a.name != "filename" for a in found._schema.arguments):
            return found
    raise ModelFileError(
        f"{path.name} uses the operator {target!r}, which is not run here: only PyTorch's own ATen operators are, "
        "without control flow, custom operators, or access to files."
    )


def _argument(argument: dict[str, Any]) -> Any:
    """Turn an argument in the file's JSON, a mapping from its kind to its value, into a constant or references."""
    import torch

    ((kind, value),) = argument.items()
    match kind:
        case "as_none":
            return None
        case "as_tensor":
            return _Reference(value["name"])
        case "as_tensors":
            return [_Reference(entry["name"]) for entry in value]
        case "as_optional_tensors":
            return [_argument(entry) for entry in value]
        case "as_optional_tensor" | "as_sym_int" | "as_sym_float" | "as_sym_bool":
            return _argument(value)
        case "as_name":
            return _Reference(value)
        case "as_sym_ints" | "as_sym_floats" | "as_sym_bools":
            return [_argument(entry) for entry in value]
        case "as_int" | "as_bool" | "as_string" | "as_ints" | "as_bools" | "as_strings":
            return value
        case "as_float":
            return float(value)  # infinity and NaN come as text
        case "as_floats":
            return [float(entry) for entry in value]
        case "as_scalar_type":
            return getattr(torch, pt2_file.dtype_name(value))
        case "as_memory_format":
            return getattr(torch, _MEMORY_FORMATS[value])
        case "as_layout" if value == _STRIDED:
            return torch.strided
        case "as_device":
            return torch.device("cpu")  # wherever it was exported, here it runs on the CPU
    raise ValueError(f"an argument of kind {kind} is not known here")


def _names(argument: Any) -> list[str]:
    if isinstance(argument, _Reference):
        return [argument.name]
    return [name for entry in argument for name in _names(entry)] if isinstance(argument, list) else []


def _results(outputs: list[dict[str, Any]]) -> tuple[tuple[str, ...], bool]:
    """Return the names that an operator's values get, and whether it returns a list of them."""
    if len(outputs) == 1 and "as_tensors" in outputs[0]:
        return tuple(entry["name"] for entry in outputs[0]["as_tensors"]), True
    references = [_argument(output) for output in outputs]
    return tuple(reference.name for reference in references), False
