"""What runs in the process of a `Child`: import one module and call its functions as asked, until the pipe is closed.

Arguments: the module, the two pipes' descriptors (to read, to write), the limit of memory in bytes (0 for none), the seconds
that importing may take.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pocketlab.errors import ModelFileError
from pocketlab.runtimes._child_channel import Channel

# How long after the parent's limit this process ends itself: only where the parent was killed and cannot end it.
_GRACE_S = 2.0


def main(module_name: str, read_fd: int, write_fd: int, memory_limit_bytes: int, start_limit_s: float) -> None:
    """Answer calls until the other end closes its pipe."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a death is expected, and leaves no file in the learner's folder
    if memory_limit_bytes:
        _limit_memory(memory_limit_bytes)
    channel = Channel(read_fd, write_fd)
    try:
        with _ends_after(start_limit_s):
            module = importlib.import_module(module_name)
    except Exception as error:
        channel.send(_described(error))
        return
    channel.send({"values": {}})
    while True:
        request, arrays = channel.receive()
        with _ends_after(request["limit_s"]):
            try:
                values, results = getattr(module, request["function"])(*arrays, **request["settings"])
                reply = {"values": values}
            except Exception as error:
                reply, results = _described(error), ()
        del arrays
        channel.send(reply, results)


def _limit_memory(limit_bytes: int) -> None:
    """Let memory of the process's own (not what it maps of files) grow to the limit; systems other than Linux ignore it."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def _ends_after(limit_s: float) -> Iterator[None]:
    """End this process by SIGALRM if the block takes too long; the default action needs no Python to run."""
    signal.setitimer(signal.ITIMER_REAL, limit_s + _GRACE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _described(error: Exception) -> dict[str, Any]:
    kinds = [kind for kind in (ModelFileError, ValueError) if isinstance(error, kind)]
    kind = kinds[0].__name__ if kinds else type(error).__name__
    return {"error": {"kind": kind, "message": str(error)}}


if __name__ == "__main__":
    module_name, read_fd, write_fd, memory_limit_bytes, start_limit_s = sys.argv[1:]
    try:
        main(module_name, int(read_fd), int(write_fd), int(memory_limit_bytes), float(start_limit_s))
    except EOFError:
        os._exit(0)  # the parent is done, and a native library's own clean-up could only crash
