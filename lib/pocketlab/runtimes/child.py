"""A process that calls native code for this one and may die of it: no file kills the kernel.

A parser written in C or C++ can crash on a damaged file, and takes the process with it. Here that process is a child: its
death is an exception, and the next call starts another.

    child = Child("pocketlab.runtimes._executorch_native")
    reply = child.call("run", x, limit_s=30, model=1)

A function that a child calls takes arrays, and settings that JSON can hold, by name; it returns `(values, arrays)`: a dict
for JSON and a sequence of arrays. What it keeps in its module stays there for later calls, until the process ends.
Needs a POSIX system: Linux or macOS.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlab.errors import ModelFileError, PocketlabError
from pocketlab.runtimes._child_channel import Channel, FrameError

START_LIMIT_S = 120.0  # to start Python and import the module: seconds, but a busy machine takes many times that
_END_LIMIT_S = 5.0
_ERRORS: dict[str, type[Exception]] = {"ModelFileError": ModelFileError, "ValueError": ValueError}
_LAST_BYTES = 4096  # of what the child wrote to stderr, to find its last line


class ChildDied(PocketlabError):
    """The child ended without an answer. `how` says it: "ended with signal SIGSEGV"."""

    def __init__(self, message: str, how: str) -> None:
        super().__init__(message)
        self.how = how


class ChildTimeout(ChildDied):
    """The child gave no answer in time and was ended."""


class ChildError(PocketlabError):
    """The function that the child called raised an exception, other than ModelFileError and ValueError."""


@dataclass(frozen=True)
class Reply:
    """What a function returned in the child."""

    values: dict[str, Any]
    arrays: tuple[np.ndarray, ...]


class Child:
    """A Python process that calls the functions of one module for this process, and may die.

    The process starts at the first call, and again at the first call after its death. It ends with `close`, when the
    object is garbage, when this interpreter ends, or, should that be killed, at the end of the call it is in. Ctrl-C ends
    it too, since it cannot be left in the middle of an answer. Threads wait for one another.

    memory_limit_mb: the memory (10⁶ bytes) that the process may take for itself, libraries mapped from files not counted
    (RLIMIT_DATA; only Linux keeps to it). An allocation beyond it fails, which for most native code is the end. None for no
    limit.
    """

    def __init__(self, module: str, *, memory_limit_mb: int | None = 2000) -> None:
        self.module = module
        self.memory_limit_mb = memory_limit_mb
        self._lock = threading.Lock()
        self._running: _Process | None = None
        self._finish: Callable[[], object]  # ends the process that runs, once

    def call(self, function: str, /, *arrays: np.ndarray, limit_s: float, **settings: Any) -> Reply:
        """Call `function(*arrays, **settings)` of the module in the child and return its answer.

        limit_s: seconds for the call and the transfers; starting the process has its own limit, `START_LIMIT_S`.

        Raises ModelFileError or ValueError if the function does, with its message, and ChildError if it raises another
        exception; ChildDied if the process ends, ChildTimeout if it takes too long; ValueError for arrays of other things
        than numbers.
        """
        with self._lock:
            process = self._started()
            process.forget_errors()
            request = {"function": function, "settings": settings, "limit_s": limit_s}
            header, results = self._exchange(process, request, arrays, limit_s)
        if "error" in header:
            raise _error(header["error"], self.module)
        return Reply(header["values"], results)

    def close(self) -> None:
        """End the process, if there is one; a later call starts another."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The process's number, None where none is running."""
        running = self._running
        return None if running is None or running.popen.poll() is not None else running.popen.pid

    def _started(self) -> _Process:
        running = self._running
        if running is not None and running.owner == os.getpid() and running.popen.poll() is None:
            return running
        self._end()
        limit_bytes = 0 if self.memory_limit_mb is None else self.memory_limit_mb * 10**6
        running = self._running = _Process(self.module, limit_bytes)
        self._finish = weakref.finalize(self, running.end)
        header, _ = self._exchange(running, None, (), START_LIMIT_S)
        if "error" in header:
            self._end()
            raise _error(header["error"], self.module)
        return running

    def _exchange(
        self, process: _Process, request: dict[str, Any] | None, arrays: tuple[np.ndarray, ...], limit_s: float
    ) -> tuple[dict[str, Any], tuple[np.ndarray, ...]]:
        """Send the request, if there is one, and return the child's next answer. Whatever goes wrong ends the process."""
        deadline = time.monotonic() + limit_s
        try:
            if request is not None:
                process.channel.send(request, arrays, deadline)
            header, results = process.channel.receive(deadline)
            if not isinstance(header.get("values"), dict) and not isinstance(header.get("error"), dict):
                raise FrameError("neither values nor an error")
            return header, results
        except EOFError as error:
            raise self._death(ChildDied, f"ended with {_status(process.wait())}", process) from error
        except TimeoutError as error:
            raise self._death(ChildTimeout, f"gave no answer in {limit_s:g} s and was ended", process) from error
        except FrameError as error:
            raise self._death(ChildDied, "wrote what is no answer and was ended", process) from error
        except BaseException:  # Ctrl-C, most often: the answer that would still come is nobody's
            self._end()
            raise

    def _death(self, kind: type[ChildDied], how: str, process: _Process) -> ChildDied:
        self._end()
        said = f" The last it wrote: {process.last_line}" if process.last_line else ""
        return kind(f"The process that ran {self.module} {how}.{said}", how)

    def _end(self) -> None:
        if self._running is not None:
            self._running = None
            self._finish()


class _Process:
    """One process and its pipes. Only the process that started it ends it: `owner` tells a copy made by a fork.

    last_line: once it has ended, the last line that it wrote to stderr in its last call.
    """

    def __init__(self, module: str, memory_limit_bytes: int) -> None:
        self.owner = os.getpid()
        self.last_line = ""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `end`)
        request_read, request_write = os.pipe()
        reply_read, reply_write = os.pipe()
        arguments = (module, request_read, reply_write, memory_limit_bytes, START_LIMIT_S)
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "pocketlab.runtimes._child_program", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=(request_read, reply_write),
            start_new_session=True,
        )
        os.close(request_read)
        os.close(reply_write)
        self.channel = Channel(reply_read, request_write)

    def forget_errors(self) -> None:
        """Drop what the child wrote to stderr so far; both processes share the position in that file."""
        self._errors.seek(0)
        self._errors.truncate()

    def wait(self) -> int:
        """Return the exit status of a process whose pipe is closed."""
        try:
            return self.popen.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def end(self) -> None:
        """Kill the process and close its files, once; it holds nothing that needs a farewell."""
        if self.owner != os.getpid():
            return
        self.popen.kill()
        self.popen.wait()
        self.channel.close()
        errors = self._errors.fileno()
        end = os.pread(errors, _LAST_BYTES, max(0, os.fstat(errors).st_size - _LAST_BYTES))
        self.last_line = (end.decode(errors="replace").strip().splitlines() or [""])[-1].strip()
        self._errors.close()


def _status(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _error(described: dict[str, Any], module: str) -> Exception:
    kind, message = str(described.get("kind")), str(described.get("message"))
    return _ERRORS[kind](message) if kind in _ERRORS else ChildError(f"{module} raised {kind}: {message}")
