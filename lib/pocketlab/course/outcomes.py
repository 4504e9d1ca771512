"""Call an answer so that it can do no harm: on copies, in a time limit, with its prints kept and the random state restored."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

LARGEST_DEPTH = 6
LARGEST_TEXT = 2_000


TraceFunction = Callable[[FrameType, str, Any], Any]


class OutOfTimeError(BaseException):
    """Raised inside an answer that runs too long; no `except Exception` of the answer's own can hold it."""


@dataclass(frozen=True)
class Outcome:
    """What one call did: returned `value`, raised `error`, or ran out of time; what it printed; which arguments it changed."""

    value: Any = None
    error: BaseException | None = None
    out_of_time: bool = False
    printed: str = ""
    changed_arguments: tuple[int, ...] = ()


def call(function: Callable[..., Any], args: tuple[Any, ...], time_limit_s: float) -> Outcome:
    """Call the function on copies of args and return what happened, whatever that is. Only a KeyboardInterrupt passes through."""
    mine = copy.deepcopy(args)
    printed = io.StringIO()
    value: Any = None
    error: BaseException | None = None
    out_of_time = False
    with _restored_state(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            with time_limit(time_limit_s):
                value = snapshot(function(*mine))
        except KeyboardInterrupt:
            raise
        except OutOfTimeError:
            out_of_time = True
        except BaseException as caught:  # SystemExit too: an answer must not end the kernel
            error = caught
    changed = tuple(i for i, (before, after) in enumerate(zip(args, mine, strict=True)) if not _same(before, after))
    return Outcome(value, error, out_of_time, printed.getvalue()[:LARGEST_TEXT], changed)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the block when it takes longer. Works in the main thread, where Jupyter runs cells.

    The alarm repeats, and each time it also makes the next line raise, so that an `except:` inside of an endless loop, which
    swallows the first error, meets the second one in its own body.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop_at_next_line(_frame: FrameType, event: str, _argument: object) -> TraceFunction:
        if event == "line":
            raise OutOfTimeError
        return stop_at_next_line

    def ring(_: int, frame: FrameType | None) -> None:
        sys.settrace(stop_at_next_line)
        if frame is not None:
            frame.f_trace = stop_at_next_line
        raise OutOfTimeError

    previous, tracer = signal.signal(signal.SIGALRM, ring), sys.gettrace()
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
        yield
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        sys.settrace(tracer)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def snapshot(value: Any, depth: int = 0) -> Any:
    """Copy a returned value into plain data: arrays (tensors too), numbers, text, tuples, dicts. A generator is read out."""
    if hasattr(value, "detach"):  # a torch tensor, recognized without importing torch
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return value.copy()
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return value
    if depth >= LARGEST_DEPTH:
        return _Opaque(value)
    if isinstance(value, dict):
        return {key: snapshot(item, depth + 1) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return frozenset(value)
    if isinstance(value, list | tuple):
        return tuple(snapshot(item, depth + 1) for item in value)
    return _Opaque(value)


class _Opaque:
    """Stands for a value of a type that no exercise asks for. Equal to nothing."""

    def __init__(self, value: object) -> None:
        self.type_name = type(value).__name__

    def __repr__(self) -> str:
        return f"an object of type {self.type_name}"


@contextlib.contextmanager
def _restored_state() -> Iterator[None]:
    """Put back what an answer could change behind the check's back: random numbers, error handling, the folder, warnings."""
    numpy_state, python_state, folder = np.random.get_state(), random.getstate(), os.getcwd()
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        os.chdir(folder)


def _same(before: Any, after: Any) -> bool:
    """Whether an argument is as it was."""
    if isinstance(before, np.ndarray):
        if not isinstance(after, np.ndarray) or before.shape != after.shape or before.dtype != after.dtype:
            return False
        return bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same(before[key], after[key]) for key in before)
    return bool(before == after) or before != before  # a NaN is as it was
