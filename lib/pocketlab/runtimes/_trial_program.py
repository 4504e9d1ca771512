"""What the child process of a trial does: load a model file as this process's parent would, and run it twice.

It loads NumPy and one runtime, and nothing larger, so that it starts quickly and takes little memory.
"""

from __future__ import annotations

import re
import resource
from pathlib import Path
from typing import Any

import numpy as np

from pocketlab.errors import ModelFileError
from pocketlab.memory import available_memory_bytes
from pocketlab.runtimes.base import TensorInfo

_Answer = tuple[dict[str, Any], tuple[np.ndarray, ...]]

# What a model may take: copies of its weights, packed for the kernels and not, and its activations.
_BYTES, _BYTES_PER_FILE_BYTE = 10**9, 8

_OUT_OF_MEMORY = re.compile("alloc|memory", re.IGNORECASE)


def litert(path: str, threads: int, xnnpack: bool) -> _Answer:
    """Try a .tflite file."""
    from pocketlab.runtimes import _litert
    from pocketlab.runtimes.litert import LiteRTRunner

    _limit_memory(path)
    _run(LiteRTRunner(Path(path), _litert.untried(Path(path), threads=threads, xnnpack=xnnpack), threads))
    return {}, ()


def onnx(path: str, threads: int) -> _Answer:
    """Try an .onnx file."""
    from pocketlab.runtimes.onnx import OnnxRunner, untried

    _limit_memory(path)
    _run(OnnxRunner(Path(path), untried(Path(path), threads), threads))
    return {}, ()


def _limit_memory(path: str) -> None:
    """Let this process take what a file of this size can need, so that one that asks for more fails here (on Linux)."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = min(_BYTES + _BYTES_PER_FILE_BYTE * Path(path).stat().st_size, available_memory_bytes())
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _run(runner: Any) -> None:
    """Run on zeros and on random numbers. That the model refuses an input is a fault only if the input was no guess.

    For flexible sizes we try 1, and for whole numbers, which may be indices, 0 and 1: a sound model may want others.
    """
    guessed = any(None in info.shape or not _is_real(info) for info in runner.inputs)
    generator = np.random.default_rng(0)
    try:
        runner(*(np.zeros(_shape(info), info.dtype) for info in runner.inputs))
        runner(*(_random(info, generator) for info in runner.inputs))
    except ModelFileError as error:
        if not guessed or _OUT_OF_MEMORY.search(str(error)):
            raise


def _is_real(info: TensorInfo) -> bool:
    """Whether an input takes real numbers, stored as they are or quantized."""
    return info.dtype.startswith("float") or info.quantization is not None


def _shape(info: TensorInfo) -> tuple[int, ...]:
    return tuple(1 if size is None else size for size in info.shape)


def _random(info: TensorInfo, generator: np.random.Generator) -> np.ndarray:
    if _is_real(info):
        return generator.standard_normal(_shape(info)).astype(np.float32)
    return generator.integers(0, 2, _shape(info)).astype(info.dtype)
