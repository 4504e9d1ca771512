"""What takes long to make, made once: built by a function, kept under a hash of its source and arguments."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import inspect
import os
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pocketlab.course.files import sync_folder
from pocketlab.errors import PocketlabError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_BUILDING = ".building"
_PATIENCE_S = 2.0  # for another kernel's build, before it is worth a sentence
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota, and a file larger than the system allows


class ArtifactStore:
    """The artifacts of one lab, in `home`/artifacts/`lab`."""

    def __init__(self, home: Path, lab: str) -> None:
        self.folder = home / "artifacts" / lab

    def get(self, name: str, build: Callable[..., Any], **arguments: Any) -> Path:
        """Return the path of an artifact; `build(path, **arguments)` makes it, a file or a folder, where there is none.

        It is made again when the source of `build` or an argument has changed, and the old version is removed. A change
        in a function that `build` calls is not seen. Of two kernels that ask at once, one builds and the other waits.

        Raises PocketlabError for a `build` without source or with variables of an outer function, an argument that has
        no stable bytes, a folder that cannot be written or a disk that is full; what else `build` raises comes through.
        Nothing half built is kept.
        """
        if not _NAME.fullmatch(name):
            raise PocketlabError(f"{name!r} cannot name an artifact: use letters, digits, '_', '-' and '.'.")
        key = hashlib.sha256(_source(build) + _digest(arguments, f"{name}'s arguments")).hexdigest()[:12]
        stem, suffix = os.path.splitext(name)
        path = self.folder / f"{stem}-{key}{suffix}"
        if path.exists():
            return path
        self.make_folder()
        with self._lock(name):
            if not path.exists():
                self._build(name, path, build, arguments)
                self._remove_old_versions(stem, suffix, path)
        return path

    def make_folder(self) -> Path:
        """Make the folder if need be and return it. Raises PocketlabError when that cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        return self.folder

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Hold the lock of an artifact; say so where somebody else holds it for long."""
        lock = FileLock(self.folder / f".{name}.lock")
        try:
            try:
                lock.acquire(timeout=_PATIENCE_S)
            except Timeout:
                print(f"Another notebook is building {name}; waiting for it.", flush=True)
                lock.acquire()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    def _unwritable(self, error: OSError) -> PocketlabError:
        return PocketlabError(
            f"Artifacts cannot be written to {self.folder} ({error.strerror}): free space there, or set POCKETLAB_HOME to "
            "another folder."
        )

    def _build(self, name: str, path: Path, build: Callable[..., Any], arguments: dict[str, Any]) -> None:
        """Build beside and rename: what has its final name is complete. Removes what a killed build left."""
        workplace = self.folder / f"{_BUILDING}-{name}"
        shutil.rmtree(workplace, ignore_errors=True)
        try:
            workplace.mkdir()
            built = workplace / name
            build(built, **arguments)
            if not built.exists():
                raise PocketlabError(f"{build.__name__} returned without writing to the path that it was given.")
            _sync(built)
            os.replace(built, path)
            sync_folder(self.folder)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise self._unwritable(error) from error
            raise
        finally:
            shutil.rmtree(workplace, ignore_errors=True)

    def _remove_old_versions(self, stem: str, suffix: str, current: Path) -> None:
        version = re.compile(re.escape(stem) + "-[0-9a-f]{12}" + re.escape(suffix))
        for other in self.folder.iterdir():
            if version.fullmatch(other.name) and other != current:
                shutil.rmtree(other) if other.is_dir() else other.unlink()


def _source(build: Callable[..., Any]) -> bytes:
    if getattr(build, "__closure__", None):
        names = ", ".join(build.__code__.co_freevars)
        raise PocketlabError(f"{build.__name__} uses {names} of the function around it: give that as an argument.")
    try:
        return textwrap.dedent(inspect.getsource(build)).encode()
    except (OSError, TypeError) as error:
        raise PocketlabError(f"{build!r} has no source to hash: define it with `def` in a cell or a module.") from error


def _digest(value: Any, where: str) -> bytes:
    """Hash a value by type and content. Each part is hashed on its own, so that ("ab", "c") is not ("a", "bc")."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes):
        content = repr(value).encode()
    elif kind in (list, tuple):
        content = b"".join(_digest(item, f"{where}[{index}]") for index, item in enumerate(value))
    elif kind is dict:
        content = b"".join(_digest(key, where) + _digest(value[key], f"{where}[{key!r}]") for key in value)
    elif kind.__module__ == "numpy" and hasattr(value, "tobytes") and not value.dtype.hasobject:
        content = repr((value.dtype.str, value.shape)).encode() + value.tobytes()
    else:
        raise PocketlabError(
            f"{where} holds a {kind.__name__}, which has no stable bytes to hash: give numbers, text, bytes, NumPy arrays, "
            "or lists and dicts of them."
        )
    return hashlib.sha256(kind.__name__.encode() + b"\0" + content).digest()


def _sync(path: Path) -> None:
    """Bring every file of a built artifact to the disk before it gets its name."""
    for file in [path, *path.rglob("*")] if path.is_dir() else [path]:
        if file.is_dir():
            sync_folder(file)
        else:
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
