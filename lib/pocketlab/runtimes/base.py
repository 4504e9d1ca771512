"""What every runtime shares: the four verbs' data types, and `measure`.

Each runtime module has `export(model, example, path, **options) -> ModelFile`, `load(path) -> Runner`,
`measure(runner, *arrays) -> Measurement` and `inspect(path) -> Inspection`.
"""

from __future__ import annotations

import functools
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pocketlab.errors import ModelFileError
from pocketlab.memory import available_memory_bytes
from pocketlab.operations.latency import latency_percentiles
from pocketlab.runtimes.memory import PeakMemory

Result = np.ndarray | tuple[np.ndarray, ...]
"""What a model returns: its output, or a tuple where it has several."""

MINIMUM_RUNS = 10
_WARM_UP_SECONDS = 0.2


@dataclass(frozen=True)
class ModelFile:
    """A model on disk, in the format of one runtime. `size_bytes` sums the files of a package."""

    path: Path
    format: str
    size_bytes: int


@dataclass(frozen=True)
class TensorInfo:
    """Name, shape (None where it is flexible) and element type of a model's input or output.

    quantization: (scale, zero point) where integers stand for real numbers, `scale · (q − zero_point)`; a runner then takes
    and returns the real numbers.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    quantization: tuple[float, int] | None = None


@dataclass(frozen=True)
class Inspection:
    """What a model file holds, read without running it.

    `operators` counts each operator in the order of its first use; `parameters` counts the elements of constant tensors;
    `bytes_by_type` gives the bytes of constant tensors by element type.
    """

    format: str
    size_bytes: int
    operators: dict[str, int]
    parameters: int
    bytes_by_type: dict[str, int]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


@dataclass(frozen=True)
class Measurement:
    """Latency of single calls in milliseconds, and the process's peak memory while they ran, in MB (10⁶ bytes).

    MLPerf's rule: quote `p90_ms`, and never a latency without the accuracy. Memory is of the whole process with whatever it
    had loaded before; `pocketlab.runtimes.memory` says of which kind.
    """

    p50_ms: float
    p90_ms: float
    mean_ms: float
    runs: int
    threads: int
    peak_memory_mb: float


class Runner(Protocol):
    """A loaded model: one array for each input in, one array for each output out."""

    threads: int

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """What the file says of its inputs, in the order in which a call takes them."""
        ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """What the file says of its outputs, in the order in which a call returns them."""
        ...

    def __call__(self, *arrays: np.ndarray) -> Result:
        """Run the model once on an array for each input; where there are several outputs, return a tuple of them."""
        ...


def measure(runner: Runner, *arrays: np.ndarray, seconds: float = 1.0, threads: int = 1) -> Measurement:
    """Time single calls of `runner(*arrays)` until `seconds` have passed and at least `MINIMUM_RUNS` were made.

    The calls before, at least one and up to 0.2 s of them, warm caches up and are the ones during which memory is sampled, so
    that sampling does not disturb what is timed. Percentiles between two calls are interpolated linearly.

    Raises ValueError if the runner was loaded for another number of threads.
    Source: MLPerf Inference rules, single-stream scenario.
    """
    if runner.threads != threads:
        raise ValueError(
            f"This model was loaded for {runner.threads} thread(s) and is to be measured with {threads}: "
            f"load it again with threads={threads}, since a runtime fixes the number when it loads."
        )
    with PeakMemory(interval_s=0.02) as memory:
        time_calls(runner, arrays, min(seconds, _WARM_UP_SECONDS), minimum=1)
    times = time_calls(runner, arrays, seconds, minimum=MINIMUM_RUNS)
    p50_ms, p90_ms = latency_percentiles(times)
    return Measurement(p50_ms, p90_ms, 1000.0 * float(np.mean(times)), len(times), threads, memory.peak_mb)


def time_calls(runner: Runner, arrays: Sequence[np.ndarray], seconds: float, minimum: int) -> list[float]:
    """Return the seconds of each call of `runner(*arrays)`, as many as `seconds` have room for and at least `minimum`.

    A runner whose model runs in another process has a method `seconds`, which tells how long a call took there, without
    the way there and back.
    """
    timed: Callable[..., float] = getattr(runner, "seconds", None) or functools.partial(_time_call, runner)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < minimum or time.perf_counter() < end:
        times.append(timed(*arrays))
    return times


def _time_call(runner: Runner, *arrays: np.ndarray) -> float:
    start = time.perf_counter()
    runner(*arrays)
    return time.perf_counter() - start


def size_bytes(path: str | Path) -> int:
    """Return the size of a file, or of all files of a package (a folder), in bytes."""
    path = Path(path)
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def check_model_path(path: str | Path, suffix: str) -> Path:
    """Return `path` as a Path if a file of that name is there, ends in `suffix`, holds something and fits into free memory.

    Raises ModelFileError, naming the file and the fault.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise ModelFileError(
            f"{path.name} is not a {suffix} file by its name: give the path of one that ends in {suffix}."
        )
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a name with a zero in it
        raise ModelFileError(
            f"{path.name} is not there (looked in {path.parent}): export it first, or check the name."
        ) from None
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(f"{path.name} is a folder, and a {suffix} model is one file.")
    if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait forever, to read a device never end
        raise ModelFileError(f"{path.name} is a pipe or a device, and a {suffix} model is a file.")
    if status.st_size == 0:
        raise ModelFileError(f"{path.name} is empty: what wrote it did not finish. Export it again.")
    if status.st_size > (free := available_memory_bytes()):
        raise ModelFileError(
            f"{path.name} has {status.st_size / 1e9:.1f} GB, and only {free / 1e9:.1f} GB of memory are free."
        )
    return path


def run_rows(
    call: Callable[..., Sequence[np.ndarray]], arrays: Sequence[np.ndarray], inputs: Sequence[TensorInfo]
) -> Result:
    """Call a model whose inputs are `inputs` with `arrays`: all at once where the shapes agree, else row by row.

    A file made for a batch of one can so be given a whole test set (rows, …). `call` takes an array for each input and
    returns one for each output; what it returned for the rows is joined along the first axis.

    Raises ValueError for another number of arrays, or if one does not fit.
    """
    if len(arrays) != len(inputs):
        wanted = "one input" if len(inputs) == 1 else f"{len(inputs)} inputs"
        names = ", ".join(f"{info.name} {shape_text(info.shape)}" for info in inputs)
        raise ValueError(f"The model takes {wanted} ({names}) and got {len(arrays)}: give an array for each, in this order.")
    shapes = [array.shape for array in arrays]
    if all(fits(shape, info.shape) for shape, info in zip(shapes, inputs, strict=True)):
        return _result(call(*arrays))
    for shape, info in zip(shapes, inputs, strict=True):
        if not shape or not shape[0] or not fits((1, *shape[1:]), info.shape):
            which = f" for {info.name!r}" if len(inputs) > 1 else ""
            raise ValueError(f"The model takes an input of shape {shape_text(info.shape)}{which} and got {shape}.")
    counts = [len(array) for array in arrays]
    if len(set(counts)) > 1:
        raise ValueError(f"Every input needs the same number of rows; the arrays have {counts}.")
    returned = [call(*(array[row : row + 1] for array in arrays)) for row in range(counts[0])]
    return _result([np.concatenate(output) for output in zip(*returned, strict=True)])


def _result(outputs: Sequence[np.ndarray]) -> Result:
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def shape_text(shape: Sequence[int | None]) -> str:
    """Write a shape as Python does, with "any" for a flexible size."""
    sizes = ["any" if size is None else str(size) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def fits(got: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Tell whether an array's shape is one that the model takes at once."""
    return len(got) == len(wanted) and all(w in (None, g) for g, w in zip(got, wanted, strict=True))
