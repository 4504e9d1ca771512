"""Write a file so that a crash at any moment leaves either the old version or the new one, never a piece of either."""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import datetime
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: temporary file in the same folder, fsync, rename, fsync of the folder.

    Follows a symbolic link at `path`, so that the file it points to is replaced. Raises OSError when the disk is full
    or read-only; `path` is then what it was.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut, where the system can (Windows cannot)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of killed writers of `path`. Call it only while holding the lock of `path`."""
    path = Path(os.path.realpath(path))
    for leftover in path.parent.glob(f"{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def timestamp() -> str:
    """The local time as it stands in file names: 20260131-235959."""
    return datetime.now().strftime("%Y%m%d-%H%M%S")


def unused(path: Path) -> Path:
    """`path`, or where that exists, the first of `name-2.ext`, `name-3.ext`… that does not."""
    candidate, number = path, 2
    while os.path.lexists(candidate):
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate
