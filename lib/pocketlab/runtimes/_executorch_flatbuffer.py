"""Read FlatBuffers tables that may be damaged. ExecuTorch and XNNPACK write two schemas, and only one ships with Python code.

A table begins with the distance back to its vtable; that holds, for the n-th field of the schema, where in the table it is, or
0 if it is left out. What is not a plain number (a table, a vector, text) is held as the distance forward to it. A union takes
two fields: what it is, and where. Source: "FlatBuffers internals", flatbuffers.dev.
"""

from __future__ import annotations

import struct
from typing import Any

_HEADER_FIELDS = 2  # of a vtable, two bytes each: its own size and the table's
_LONGEST_TEXT = 10_000


class Buffer:
    """The bytes of one FlatBuffer, and how many more entries of its vectors will be read.

    Two vectors may share their bytes. In a damaged file thousands can, one inside the other, so that all of them together are
    allowed no more entries than there are bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._left = len(data)

    def root(self) -> Table:
        """Return the table that everything else hangs from."""
        return Table(self, self.at("<I", 0))

    def at(self, kind: str, position: int) -> Any:
        """Return the number of that `struct` kind at a position. Raises ValueError outside the buffer."""
        if not 0 <= position <= len(self.data) - struct.calcsize(kind):
            raise ValueError("an entry lies outside the file")
        return struct.unpack_from(kind, self.data, position)[0]

    def follow(self, position: int) -> int:
        """Return where the distance at `position` leads."""
        return position + self.at("<I", position)

    def vector(self, position: int, entry_bytes: int) -> tuple[int, int]:
        """Return where the entries of the vector at `position` begin, and their number."""
        count = self.at("<I", position)
        self._left -= count
        if self._left < 0 or position + 4 + count * entry_bytes > len(self.data):
            raise ValueError("a list in it is longer than the file")
        return position + 4, count


class Table:
    """One table; its fields are numbered as in the schema, from 0, a union counting as two."""

    def __init__(self, buffer: Buffer, position: int) -> None:
        self._buffer = buffer
        self._position = position
        self._vtable = position - buffer.at("<i", position)
        self._fields = buffer.at("<H", self._vtable) // 2 - _HEADER_FIELDS

    def _place(self, field: int) -> int | None:
        """Return where a field's value is, None if it is left out."""
        if field >= self._fields:
            return None
        offset = self._buffer.at("<H", self._vtable + 2 * (_HEADER_FIELDS + field))
        return self._position + offset if offset else None

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """Return a number of that `struct` kind."""
        place = self._place(field)
        return default if place is None else self._buffer.at(kind, place)

    def table(self, field: int) -> Table | None:
        """Return a table within this one, or the value of a union."""
        place = self._place(field)
        return None if place is None else Table(self._buffer, self._buffer.follow(place))

    def span(self, field: int) -> tuple[int, int]:
        """Return where a vector of bytes begins in the buffer, and its length; (0, 0) where there is none."""
        place = self._place(field)
        return (0, 0) if place is None else self._buffer.vector(self._buffer.follow(place), 1)

    def text(self, field: int) -> str:
        """Return text, "" where there is none."""
        start, count = self.span(field)
        if count > _LONGEST_TEXT:
            raise ValueError(f"a name in it has {count:,} characters")
        return self._buffer.data[start : start + count].decode(errors="replace")

    def numbers(self, field: int, kind: str) -> tuple[int, ...]:
        """Return a vector of numbers of that `struct` kind."""
        place = self._place(field)
        if place is None:
            return ()
        size = struct.calcsize(kind)
        start, count = self._buffer.vector(self._buffer.follow(place), size)
        return tuple(self._buffer.at(kind, start + size * index) for index in range(count))

    def tables(self, field: int) -> list[Table]:
        """Return a vector of tables."""
        place = self._place(field)
        if place is None:
            return []
        start, count = self._buffer.vector(self._buffer.follow(place), 4)
        return [Table(self._buffer, self._buffer.follow(start + 4 * index)) for index in range(count)]
