"""ExecuTorch: PyTorch to .pte, and running it on this machine's CPU.

ExecuTorch's parser believes what a file says, and some damaged files crash it. So a .pte file is read here in Python
(`inspect`), and loaded and run only in a child process that may die.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pocketlab.errors import ModelFileError
from pocketlab.runtimes.base import Result, TensorInfo, measure, run_rows
from pocketlab.runtimes.child import Child, ChildDied, ChildError, Reply
from pocketlab.runtimes.executorch_export import export
from pocketlab.runtimes.executorch_file import ExecuTorchInspection, Partition, inspect

__all__ = ["ExecuTorchInspection", "ExecuTorchRunner", "Partition", "export", "inspect", "load", "measure"]

LIMIT_S = 60.0  # for one load or one run: portable kernels take a second or two for a network of a billion products
_numbers = itertools.count()


def load(path: str | Path, *, threads: int = 1) -> ExecuTorchRunner:
    """Load a .pte file in ExecuTorch's process, which all runners with this number of threads share.

    threads: of XNNPACK and of those of ExecuTorch's own kernels that can use several.

    Raises ModelFileError for a file that is missing, damaged, of another kind, takes or returns what is no tensor, or ends
    ExecuTorch's process.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}: give 1 or more.")
    path = Path(path)
    inspection = inspect(path)
    for info in (*inspection.inputs, *inspection.outputs):
        if info.dtype in ("no tensor", "bfloat16"):
            raise ModelFileError(
                f"{path.name} has {info.name}, {info.dtype}: only tensors of numbers that NumPy has can be given to a model here."
            )
    return ExecuTorchRunner(path, inspection, threads)


class ExecuTorchRunner:
    """A loaded .pte model. threads: as given to `load`. inputs, outputs: of the method that it runs."""

    def __init__(self, path: Path, inspection: ExecuTorchInspection, threads: int) -> None:
        self.path = path
        self.threads = threads
        self.inputs: tuple[TensorInfo, ...] = inspection.inputs
        self.outputs: tuple[TensorInfo, ...] = inspection.outputs
        self._settings = {
            "path": str(path.resolve()),
            "method": inspection.method,
            "kernels": list(inspection.portable),
            "threads": threads,
        }
        self._model = next(_numbers)
        self._process = _process(threads)
        self._seconds = 0.0
        self._load()
        weakref.finalize(self, self._process.dropped.append, self._model)

    def __call__(self, *arrays: np.ndarray) -> Result:
        """Run on an array for each input, shaped as the file says; more rows than it takes are run one after the other.

        Raises ValueError for arrays that do not fit, ModelFileError if ExecuTorch refuses to run, or its process ends.
        """
        return run_rows(self._run, [np.asarray(array) for array in arrays], self.inputs)

    def seconds(self, *arrays: np.ndarray) -> float:
        """Run as a call does and return the seconds that it took in ExecuTorch's process, without the way there and back."""
        self._seconds = 0.0
        self(*arrays)
        return self._seconds

    def _load(self) -> None:
        with _own_errors(self.path, "loaded"):
            self._process.call("load", model=self._model, **self._settings)

    def _run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        given = [np.asarray(array, info.dtype) for array, info in zip(arrays, self.inputs, strict=True)]
        with _own_errors(self.path, "run"):
            reply = self._process.call("run", *given, model=self._model)
            if not reply.values["loaded"]:  # the process ended since, of another file or by Ctrl-C, and this is a new one
                self._load()
                reply = self._process.call("run", *given, model=self._model)
        self._seconds += reply.values["seconds"]
        return reply.arrays


class _Process:
    """ExecuTorch with one number of threads. dropped: models whose runners are garbage, which it forgets at the next call."""

    def __init__(self) -> None:
        self._child = Child("pocketlab.runtimes._executorch_native")
        self.dropped: deque[int] = deque()

    def call(self, function: str, *arrays: np.ndarray, **settings: Any) -> Reply:
        forget = [self.dropped.popleft() for _ in range(len(self.dropped))]
        return self._child.call(function, *arrays, limit_s=LIMIT_S, forget=forget, **settings)


@functools.cache
def _process(threads: int) -> _Process:
    return _Process()


@contextmanager
def _own_errors(path: Path, done: str) -> Iterator[None]:
    """Turn the end of ExecuTorch's process, and what its binding raises, into ModelFileError."""
    try:
        yield
    except ChildDied as error:
        raise ModelFileError(
            f"{path.name} cannot be {done}: ExecuTorch's process {error.how}. The file is damaged, or asks for what this "
            "machine lacks. Export it again."
        ) from error
    except ChildError as error:
        raise ModelFileError(f"{path.name} cannot be {done}: {error}. Export it again.") from error
