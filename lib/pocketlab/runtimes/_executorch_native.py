"""What runs in ExecuTorch's process, called through `Child`: its parser, its kernels and XNNPACK, all of which may crash.

The binding is imported past its package, whose Python part brings all exporters with it: 150 MB and 5 s.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch  # first: it loads the libraries that the binding needs

# isort: split
import executorch.kernels.quantized  # noqa: F401 (adds kernels for int8 tensors outside of delegates)
from executorch.extension.pybindings import _C

from pocketlab.errors import ModelFileError

_methods: dict[int, Any] = {}


def load(
    *, model: int, path: str, method: str, kernels: Sequence[str], threads: int, forget: Sequence[int]
) -> tuple[dict[str, Any], tuple[()]]:
    """Load a method of a file, which calls these portable kernels, under the number `model`; and forget other models.

    Raises ModelFileError for what ExecuTorch refuses.
    """
    _forget(forget)
    if missing := sorted(set(kernels) - set(_C._get_operator_names())):
        raise ModelFileError(
            f"{Path(path).name} calls {', '.join(missing)}, for which ExecuTorch has no kernel, and XNNPACK did not take it. "
            "Write the model with other operators."
        )
    if _C._threadpool_get_thread_count() != threads:  # at the first load; later it would pull the threads from under others
        _C._unsafe_reset_threadpool(threads)
    try:
        program = _C._load_program(path, program_verification=_C.Verification.InternalConsistency)
        _methods[model] = (program, program.load_method(method), Path(path).name)
    except RuntimeError as error:
        raise ModelFileError(f"{Path(path).name} cannot be loaded by ExecuTorch: {error}. Export it again.") from error
    return {"threads": _C._threadpool_get_thread_count()}, ()


def run(*arrays: np.ndarray, model: int, forget: Sequence[int]) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Run a model and tell its seconds; a model that this process does not have is told as not loaded.

    Raises ModelFileError for what ExecuTorch refuses.
    """
    _forget(forget)
    if model not in _methods:
        return {"loaded": False}, []
    _, method, name = _methods[model]
    inputs = [torch.from_numpy(array) for array in arrays]
    try:
        start = time.perf_counter()
        outputs = method(inputs)
        seconds = time.perf_counter() - start
    except RuntimeError as error:
        raise ModelFileError(f"{name} cannot be run by ExecuTorch: {error}. Export it again.") from error
    return {"loaded": True, "seconds": seconds}, [output.numpy() for output in outputs]


def _forget(models: Sequence[int]) -> None:
    for model in models:
        _methods.pop(model, None)
