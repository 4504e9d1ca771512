"""LiteRT's packages, imported and called so that nothing reaches a notebook that the learner did not ask for."""

from __future__ import annotations

import logging
import os
import struct
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from pocketlab.errors import ModelFileError
from pocketlab.runtimes import tflite_file
from pocketlab.runtimes.trial import trial

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
    """Return an `ai_edge_litert` interpreter of the file, tensors allocated. Raises ModelFileError for a damaged file.

    The file is tried in a child process first; see `pocketlab.runtimes.trial`.
    """
    tflite_file.check(path)
    trial(path, "litert", threads=threads, xnnpack=xnnpack)
    return untried(path, threads=threads, xnnpack=xnnpack)


def untried(path: Path, *, threads: int, xnnpack: bool) -> Any:
    """Do as `interpreter` does, without the trial: a damaged file may crash the process that calls this."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    for graph in tflite_file.read(path).graphs:
        for node in graph.nodes:
            # LiteRT's own custom kernels read their options without looking whether there are any, and crash.
            if node.code.custom is not None and not node.has_custom_options:
                name = node.code.custom[:40]
                raise ModelFileError(
                    f"{path.name} uses the custom operator {name!r} without options: LiteRT cannot run it."
                )
    kind = OpResolverType.BUILTIN if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with own_errors(path, "loaded by LiteRT"), tempfile.NamedTemporaryFile(suffix=".tflite") as copy:
        # LiteRT maps the file into memory and reads the weights from there for as long as the model lives. From the file
        # itself, the next export to that path would change this model's weights, or end the process where the new file is
        # shorter. Of a copy in bytes, a damaged file's kernels could write over the rest of this process's memory; a mapped
        # file is read-only, so that they end the trial. The copy has no name any more once this is done.
        copy.write(path.read_bytes())
        copy.flush()
        made = Interpreter(copy.name, num_threads=threads, experimental_op_resolver_type=kind)
        with _delegate_unannounced() if xnnpack else nullcontext():
            made.allocate_tensors()
    return made


@contextmanager
def own_errors(path: Path, done: str) -> Iterator[None]:
    """Turn what LiteRT's packages raise over a damaged file into ModelFileError: it "cannot be" `done`."""
    try:
        yield
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ModelFileError(f"{path.name} cannot be {done}: {reason}. Export it again.") from error


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
def _delegate_unannounced() -> Iterator[None]:
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
