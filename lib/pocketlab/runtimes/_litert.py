"""LiteRT's packages, imported and called so that nothing reaches a notebook that the learner did not ask for."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from pocketlab.errors import ModelFileError

_lock = threading.RLock()
_delegate_announced = False


def import_litert_torch() -> ModuleType:
    """Return litert_torch (it loads torch and jax, never TensorFlow) with its progress report switched off."""
    with _lock:
        if "litert_torch" not in sys.modules:
            # The compilers inside read these two when they are loaded: the first for a line about oneDNN, the second for
            # the count of operations that would be printed at each conversion.
            environment = {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
            with _environment(environment), quiet("torchao", "torch.utils._pytree"):
                import litert_torch
            litert_torch.config.show_progress = False
        return sys.modules["litert_torch"]


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Hold back Python's warnings, and what the named loggers say below an error."""
    levels = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def interpreter(path: Path, *, threads: int = 1, xnnpack: bool = True) -> Any:
    """Return an `ai_edge_litert` interpreter of the file, tensors allocated. Raises ModelFileError for a damaged file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with _own_errors(path):
        made = Interpreter(os.fspath(path), num_threads=threads, experimental_op_resolver_type=kind)
        with delegate_unannounced() if xnnpack else nullcontext():
            made.allocate_tensors()
    return made


def verify(path: Path) -> None:
    """Let LiteRT's verifier read the file, without preparing it to run. Raises ModelFileError for a damaged file."""
    from ai_edge_litert.interpreter import Interpreter

    with _own_errors(path):
        Interpreter(os.fspath(path))


@contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ModelFileError(f"{path.name} cannot be loaded by LiteRT: {reason}. Export it again.") from error


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def delegate_unannounced() -> Iterator[None]:
    """Keep one line from the terminal: "Created TensorFlow Lite XNNPACK delegate", printed once in a process.

    LiteRT writes it to file descriptor 2 with no switch for it (its logger's level is not exported), so for that first call,
    some milliseconds, and no other, the descriptor points to nowhere. Errors come as exceptions and are not lost.
    """
    global _delegate_announced
    with _lock:
        if _delegate_announced:
            yield
            return
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
            _delegate_announced = True
