"""Call an answer so that it can do no harm: on copies, in a time limit, with its prints kept and the random state restored."""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
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
LARGEST_LENGTH = 1_000_000
LARGEST_TEXT = 2_000
MEMORY_MB = 500
THREAD_MB = 80  # address space that a library reserves for the stack and the arena of a thread, of which it may start one a core
RING_AGAIN_S = 0.05
PLAIN_TYPES = (type(None), bool, int, float, str, bytes)

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
    """Call the function on copies of args and return what happened, whatever that is. Only a KeyboardInterrupt passes through.

    An answer has `time_limit_s` seconds and `MEMORY_MB` more memory than the process has. One thing cannot be stopped from
    within a process: a single call into C that never ends, such as `sum(itertools.count())`.
    """
    mine = copy.deepcopy(args)
    printed = _Printed()
    value: Any = None
    error: BaseException | None = None
    out_of_time = False
    with _restored_state(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            value = _limited(lambda: snapshot(function(*mine)), time_limit_s)
        except KeyboardInterrupt:
            raise
        except OutOfTimeError:
            out_of_time = True
        except BaseException as caught:  # SystemExit too: an answer must not end the kernel
            error = caught
    changed = tuple(i for i, (before, after) in enumerate(zip(args, mine, strict=True)) if not _same(before, after))
    return Outcome(value, error, out_of_time, printed.getvalue(), changed)


class _Printed(io.StringIO):
    """Keeps the first `LARGEST_TEXT` characters that an answer prints, however much that is, and cannot be closed by it."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, LARGEST_TEXT - self.tell())])
        return len(text)

    def close(self) -> None:
        """Stay open: an answer that closes its output must not take the check's along."""


class _Alarm:
    """Raises OutOfTimeError in an answer, again and again until it is off.

    Each ring also makes the next line of the answer raise, so that an `except:` inside of an endless loop, which swallows
    the first error, meets the second one in its own body.
    """

    def __init__(self) -> None:
        self.on = True

    def ring(self, _: int, frame: FrameType | None) -> None:
        if not self.on:
            return
        if frame is not None and frame.f_code.co_filename != __file__:
            sys.settrace(self._stop_at_next_line)
            frame.f_trace = self._stop_at_next_line
        raise OutOfTimeError

    def _stop_at_next_line(self, _frame: FrameType, event: str, _argument: object) -> TraceFunction:
        if self.on and event == "line":
            raise OutOfTimeError
        return self._stop_at_next_line


def _limited(run: Callable[[], Any], seconds: float) -> Any:
    """Run with limits of time and memory. The time limit works in the main thread, where Jupyter runs cells.

    Raises OutOfTimeError.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        return run()
    alarm, tracer, memory = _Alarm(), sys.gettrace(), _limit_memory()
    previous = signal.signal(signal.SIGALRM, alarm.ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds, RING_AGAIN_S)
            return run()
        finally:
            alarm.on = False
    finally:  # if a ring came in the finally above, the next one is RING_AGAIN_S away: time enough to switch it off
        alarm.on = False
        sys.settrace(tracer)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        _unlimit_memory(memory)


def _limit_memory() -> tuple[int, int] | None:
    """Let this process grow by `MEMORY_MB` at most, threads aside, and return the limits that held before. Linux only."""
    if sys.platform != "linux":
        return None
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    wanted = size + (MEMORY_MB + THREAD_MB * (os.cpu_count() or 1)) * 10**6
    if before[0] == resource.RLIM_INFINITY or wanted < before[0]:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, before[1]))
    return before


def _unlimit_memory(before: tuple[int, int] | None) -> None:
    if before is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, before)


def snapshot(value: Any, depth: int = 0) -> Any:
    """Copy a returned value into plain data: arrays (tensors too), numbers, text, tuples, dicts. Iterators are read out.

    What is of another type, or of a class of the answer's own, becomes an opaque stand-in that equals nothing.
    """
    if hasattr(value, "detach"):  # a torch tensor, recognized without importing torch
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return np.array(value)
    if isinstance(value, np.generic) or type(value) in PLAIN_TYPES:
        return value
    if depth >= LARGEST_DEPTH:
        return _Opaque(value)
    if isinstance(value, dict):
        return {_key(key): snapshot(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | range | Iterator):
        return tuple(snapshot(item, depth + 1) for item in itertools.islice(value, LARGEST_LENGTH))
    return _Opaque(value)


def _key(key: Any) -> Any:
    return key if type(key) in PLAIN_TYPES or isinstance(key, np.generic) else _Opaque(key)


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
    if type(before) is not type(after):
        return False
    if hasattr(before, "detach"):  # torch tensors
        before, after = snapshot(before), snapshot(after)
    if isinstance(before, np.ndarray):
        if before.shape != after.shape or before.dtype != after.dtype:
            return False
        return bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same(before[key], after[key]) for key in before)
    return bool(before == after) or before != before  # a NaN is as it was
