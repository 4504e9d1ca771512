"""What goes through the two pipes between a process and its `Child`: a JSON header and the bytes of arrays, and no code.

A frame is the header's length (4 bytes, little-endian), the header (JSON, UTF-8), and then the bytes of each array that the
header's "arrays" names by dtype and shape. Both ends use this module, and neither believes a length: a header and the arrays
of a frame have a bound, and an array's dtype is a number's or a boolean's.
"""

from __future__ import annotations

import json
import math
import os
import select
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

MAX_HEADER_BYTES = 1 << 24
MAX_ARRAY_BYTES = 1 << 31
_LENGTH = struct.Struct("<I")
_KINDS = "biufc"  # numpy's letters for booleans, integers, floating and complex numbers


class FrameError(Exception):
    """What came is no frame."""


class Channel:
    """Frames over a pair of pipes.

    A deadline is a time of `time.monotonic`, None for no limit. `send` and `receive` raise EOFError when the other end is
    closed and TimeoutError at the deadline; after either, or after a FrameError, the channel is out of step for good.
    """

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        for fd in (read_fd, write_fd):
            os.set_blocking(fd, False)

    def close(self) -> None:
        """Close this end of both pipes."""
        os.close(self._read_fd)
        os.close(self._write_fd)

    def send(self, header: dict[str, Any], arrays: Sequence[np.ndarray] = (), deadline: float | None = None) -> None:
        """Write one frame. Raises ValueError, before a byte is written, for arrays that a frame does not take."""
        plain = [np.asarray(array, order="C") for array in arrays]
        _check_arrays([(array.dtype, array.shape) for array in plain])
        described = [{"dtype": array.dtype.str, "shape": array.shape} for array in plain]
        text = json.dumps({**header, "arrays": described}).encode()
        if len(text) > MAX_HEADER_BYTES:
            raise ValueError(f"The settings take {len(text):,} bytes; {MAX_HEADER_BYTES:,} is the limit.")
        self._write(memoryview(_LENGTH.pack(len(text)) + text), deadline)
        for array in plain:
            self._write(_bytes_of(array), deadline)

    def receive(self, deadline: float | None = None) -> tuple[dict[str, Any], tuple[np.ndarray, ...]]:
        """Read one frame. Raises FrameError for what is none."""
        try:
            (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
            if length > MAX_HEADER_BYTES:
                raise ValueError(f"a header of {length:,} bytes")
            header = json.loads(self._read(length, deadline))
            described = [
                (np.dtype(array["dtype"]), tuple(map(int, array["shape"]))) for array in header.pop("arrays")
            ]
            _check_arrays(described)
            arrays = tuple(np.empty(shape, dtype) for dtype, shape in described)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise FrameError(str(error)) from error
        for array in arrays:
            self._read_into(_bytes_of(array), deadline)
        return header, arrays

    def _write(self, data: memoryview, deadline: float | None) -> None:
        while data:
            _wait(self._write_fd, select.POLLOUT, deadline)
            try:
                data = data[os.write(self._write_fd, data) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise EOFError from error

    def _read(self, count: int, deadline: float | None) -> bytes:
        data = bytearray(count)
        self._read_into(memoryview(data), deadline)
        return bytes(data)

    def _read_into(self, data: memoryview, deadline: float | None) -> None:
        while data:
            _wait(self._read_fd, select.POLLIN, deadline)
            try:
                count = os.readv(self._read_fd, [data])
            except BlockingIOError:
                continue
            if count == 0:
                raise EOFError
            data = data[count:]


def _check_arrays(described: Sequence[tuple[np.dtype[Any], tuple[int, ...]]]) -> None:
    for dtype, shape in described:
        if dtype.kind not in _KINDS or any(size < 0 for size in shape):
            raise ValueError(f"An array of {dtype} and shape {shape} is not one of numbers.")
    total = sum(math.prod(shape) * dtype.itemsize for dtype, shape in described)
    if total > MAX_ARRAY_BYTES:
        raise ValueError(f"The arrays take {total:,} bytes; {MAX_ARRAY_BYTES:,} is the limit of one call.")


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _wait(fd: int, event: int, deadline: float | None) -> None:
    """Return when `fd` is ready or its other end is closed. Raises TimeoutError at the deadline."""
    poll = select.poll()
    poll.register(fd, event)
    left_ms = None if deadline is None else max(0, math.ceil(1000 * (deadline - time.monotonic())))
    if not poll.poll(left_ms):
        raise TimeoutError
