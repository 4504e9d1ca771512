"""Lists, which loops fill, and the choice between two tensors. `cond` and `while_loop` are the interpreter's own.

A list is a Python list of tensors. None is ever changed: writing returns another list, which shares the elements.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15/control_flow.py; that a list begins with zeros,
and that writing beyond its end makes it longer, is held by coremltools' own tests (ops/tests/iOS14/test_control_flow.py).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pocketlab.runtimes.mil.compiler import HELD_AS
from pocketlab.runtimes.mil.registry import Ints, operator


@operator()
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return a where `cond` is true, else b, element by element, with broadcasting of all three."""
    return torch.where(cond, a, b)


@operator()
def make_list(init_length: int, dynamic_length: bool, elem_shape: Any, dtype: str) -> list[Tensor | None]:
    """Return a list of zeros. Where the program has only a name for a size, the elements stay empty until written."""
    known = not any(isinstance(size, str) for size in elem_shape)
    element = torch.zeros([int(size) for size in elem_shape], dtype=HELD_AS[dtype]) if known else None
    return [element] * init_length


@operator()
def list_length(ls: Any) -> Tensor:
    """Return the number of elements."""
    return torch.tensor(len(ls))


@operator()
def list_read(ls: Any, index: int) -> Tensor:
    """Return one element."""
    if not 0 <= index < len(ls):
        raise IndexError(f"the list has {len(ls)} elements, and none with the index {index}.")
    element: Tensor | None = ls[index]
    if element is None:
        raise ValueError(f"the element {index} of the list was never written, and the program does not say its shape.")
    return element


@operator()
def list_gather(ls: Any, indices: Ints) -> Tensor:
    """Return the elements named, stacked along a new first axis."""
    return torch.stack([list_read(ls, index) for index in indices])


@operator()
def list_write(ls: Any, index: int, value: Tensor) -> list[Tensor | None]:
    """Return the list with another element. Beyond its end it becomes longer, with zeros in between."""
    return _written(ls, [index], [value])


@operator()
def list_scatter(ls: Any, indices: Ints, value: Tensor) -> list[Tensor | None]:
    """Return the list with several other elements: the slices of `value` along its first axis, in order."""
    return _written(ls, indices, value.unbind(0))


def _written(ls: list[Tensor | None], indices: list[int], values: Any) -> list[Tensor | None]:
    written = list(ls)
    for index, value in zip(indices, values, strict=True):
        if index < 0:
            raise IndexError(f"a list has no element with the index {index}.")
        if index >= len(written):
            written += [torch.zeros_like(value)] * (index + 1 - len(written))
        written[index] = value
    return written
