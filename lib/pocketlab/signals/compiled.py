"""Loops over single samples, compiled by numba and kept on disk, so that only the first use ever waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Return a function compiled to machine code at its first call; without fast-math, so that results stay exact.

    Its plain Python form stays there as `.py_func`.
    """
    return cast(Function, njit(cache=True)(function))
