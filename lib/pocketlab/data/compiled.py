"""Loops over single samples, compiled by numba and kept on disk, so that only the first use ever waits.

numba looks for changes in the file of a compiled function alone, and would go on with old code after an update of a constant or a
function that it takes from another file. So what is compiled lies in a folder named by all sources that compiled code is in.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])

_LIBRARY = Path(__file__).parents[1]
_ROOMS = ("data", "signals")


def compiled(function: Function) -> Function:
    """Return a function compiled to machine code at its first call; without fast-math, so that results stay exact.

    It lets other threads run meanwhile. Its plain Python form stays there as `.py_func`.
    """
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(_folder())
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    finally:
        numba.config.CACHE_DIR = before


@cache
def _folder() -> Path:
    return folder_for(_LIBRARY)


def folder_for(library: Path) -> Path:
    """Return the folder for what is compiled from a library's sources as they are now; those of older sources are deleted.

    Where it cannot be written, numba uses the user's own cache folder.
    """
    sources = [path for room in _ROOMS for path in sorted((library / room).glob("*.py"))]
    digest = hashlib.sha256(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in sources))
    folder = library / "__pycache__" / f"compiled-{digest.hexdigest()[:16]}"
    if not folder.exists():
        for older in folder.parent.glob("compiled-*"):
            shutil.rmtree(older, ignore_errors=True)
    return folder
