"""What every runtime shares: the four verbs' data types, and `measure`.

Each runtime module has `export(model, example, path, **options) -> ModelFile`, `load(path) -> Runner`,
`measure(runner, x) -> Measurement` and `inspect(path) -> Inspection`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class ModelFile:
    """A model on disk, in the format of one runtime. `size_bytes` sums the files of a package."""

    path: Path
    format: str
    size_bytes: int


@dataclass(frozen=True)
class TensorInfo:
    """Name, shape (None where it is flexible) and element type of a model's input or output."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


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
    """Latency of single calls in milliseconds, and the process's peak resident memory while they ran, in MB (10⁶ bytes)."""

    p50_ms: float
    p90_ms: float
    mean_ms: float
    runs: int
    threads: int
    peak_memory_mb: float


class Runner(Protocol):
    """A loaded model: one array in, one array out."""

    threads: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the model once on x, shaped as the model's input."""
        ...
