"""What the children of test_child.py run. Each function returns values for JSON and arrays."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from pocketlab.errors import ModelFileError

calls = 0


def back(*arrays, **settings):
    return settings, arrays


def describe(*arrays):
    return {"dtypes": [str(a.dtype) for a in arrays], "shapes": [a.shape for a in arrays]}, ()


def count():
    global calls
    calls += 1
    return {"calls": calls, "pid": os.getpid(), "session": os.getsid(0)}, ()


def environment(name):
    return {"value": os.environ.get(name), "nice": os.nice(0)}, ()


def read_null():
    ctypes.string_at(0)


def end_by(number):
    os.kill(os.getpid(), number)
    time.sleep(60)


def abort_after_saying(text):
    print("first line", text, sep="\n", file=sys.stderr, flush=True)
    os.abort()


def leave(status):
    sys.exit(status)


def sleep_deaf(seconds):
    """Sleep where no signal of Python's is seen: in C, with the interpreter's lock held, as a native call may be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.PyDLL(None).sleep(seconds)
    return {}, ()


def sleep_deaf_with(array, seconds):
    return sleep_deaf(seconds)


def note_and_sleep(path, seconds):
    Path(path).write_text(str(os.getpid()), encoding="utf-8")
    return sleep_deaf(seconds)


def fail(kind):
    errors = {"ModelFileError": ModelFileError, "ValueError": ValueError, "KeyError": KeyError}
    raise errors[kind]("x.pte is damaged")


def allocate(megabytes):
    return {"bytes": np.ones(megabytes * 10**6, np.uint8).nbytes}, ()


def shout(lines):
    """Write to stdout and stderr, from Python and from C, more than a pipe takes."""
    for _ in range(lines):
        print("noise " * 20, flush=True)
        print("noise " * 20, file=sys.stderr)
        os.write(1, b"native noise\n")
        os.write(2, b"native noise\n")
    return {"lines": lines}, (np.arange(3),)


def garble():
    """Write to every descriptor there is, as a process does whose memory was overwritten."""
    for fd in range(3, 64):
        try:
            os.write(fd, b"\xff" * 64)
        except OSError:
            continue
    time.sleep(60)
