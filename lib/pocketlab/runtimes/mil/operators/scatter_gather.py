"""Operators that read or write the elements that indices point to.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15/scatter_gather.py and those of iOS16, iOS17.

Negative indices count from the end until iOS 16. From iOS 17 on what they give is undefined, unless `validate_indices` has
them refused; coremltools, where it folds constants, still counts them from the end, and so does this module. An index beyond
the end is always refused: a phone might read anything there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import operator

_INDEX_TYPES = (torch.int32, torch.int64)  # those that torch's index_select takes


@operator()
def gather(x: Tensor, indices: Tensor, axis: int, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    """Return the slices of x along `axis` that the indices name; the axis is replaced by the indices' axes.

    The first `batch_dims` axes are common to x and the indices: each slice of x has indices of its own.
    """
    axis %= x.dim()
    shape = x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1 :]
    if batch_dims == 0 and indices.dtype in _INDEX_TYPES:
        try:
            return x.index_select(axis, indices.reshape(-1)).reshape(shape)
        except (IndexError, RuntimeError):  # torch refuses negative ones, too; the slower way tells them apart
            pass
    positions = _positions(indices, x.shape[axis], validate_indices)
    if batch_dims == 0:
        return x.index_select(axis, positions.flatten()).reshape(shape)
    batch, before, after = map(math.prod, (x.shape[:batch_dims], x.shape[batch_dims:axis], x.shape[axis + 1 :]))
    count = math.prod(positions.shape[batch_dims:])
    positions = positions.reshape(batch, 1, count, 1).expand(-1, before, -1, after)
    return x.reshape(batch, before, x.shape[axis], after).gather(2, positions).reshape(shape)


@operator()
def gather_along_axis(x: Tensor, indices: Tensor, axis: int, validate_indices: bool = False) -> Tensor:
    """Return, in each place of `indices`, the element of x in the same place but for `axis`, where the index says which."""
    return x.gather(axis, _positions(indices, x.shape[axis], validate_indices))


@operator()
def gather_nd(x: Tensor, indices: Tensor, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    """Return the elements or slices of x to which the vectors in the last axis of `indices` point.

    The first `batch_dims` axes are common to x and the indices: a vector points into its own slice of x.
    """
    batch, inner = x.shape[:batch_dims], x.shape[batch_dims:]
    pointed, rest = inner[: indices.shape[-1]], inner[indices.shape[-1] :]
    rows = _rows(indices, pointed, validate_indices)
    if batch_dims:
        own = torch.arange(math.prod(batch)).reshape(*batch, *[1] * (rows.dim() - batch_dims))
        rows = own * math.prod(pointed) + rows
    table = x.reshape(math.prod(batch + pointed), math.prod(rest))
    return table.index_select(0, rows.flatten()).reshape(rows.shape + rest)


@operator()
def scatter(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str, validate_indices: bool = False
) -> Tensor:
    """Return `data` with its slices along `axis` that the indices name combined with the updates (see `_combine`)."""
    axis %= data.dim()
    positions = _positions(indices, data.shape[axis], validate_indices).flatten()
    updates = updates.reshape(data.shape[:axis] + positions.shape + data.shape[axis + 1 :])
    positions = positions.reshape(-1, *[1] * (data.dim() - axis - 1)).expand_as(updates)
    return _combine(data, axis, positions, updates, mode)


@operator()
def scatter_along_axis(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str, validate_indices: bool = False
) -> Tensor:
    """Return `data` with each update combined into its own place but for `axis`, where the index says which."""
    return _combine(data, axis, _positions(indices, data.shape[axis], validate_indices), updates, mode)


@operator()
def scatter_nd(data: Tensor, indices: Tensor, updates: Tensor, mode: str, validate_indices: bool = False) -> Tensor:
    """Return `data` with the updates combined into what the vectors in the last axis of `indices` point to."""
    pointed, rest = data.shape[: indices.shape[-1]], data.shape[indices.shape[-1] :]
    rows = _rows(indices, pointed, validate_indices).reshape(-1, 1)
    table = data.reshape(math.prod(pointed), math.prod(rest))
    updates = updates.reshape(rows.shape[0], table.shape[1])
    return _combine(table, 0, rows.expand_as(updates), updates, mode).reshape(data.shape)


def _combine(data: Tensor, axis: int, positions: Tensor, updates: Tensor, mode: str) -> Tensor:
    """Return `data` with each update written ("update"), added, subtracted, … in the place along `axis` that it is for.

    If several are for one place all of them count; of those to be written, the last. (torch goes along `axis` in order.)
    """
    match mode:
        case "update":
            return data.scatter(axis, positions, updates)
        case "add":
            return data.scatter_add(axis, positions, updates)
        case "sub":
            return data.scatter_add(axis, positions, -updates)
        case "mul":
            return data.scatter_reduce(axis, positions, updates, "prod")
        case "max" | "min":
            return data.scatter_reduce(axis, positions, updates, f"a{mode}")
        case "div":
            divisor = torch.ones_like(data).scatter_reduce(axis, positions, updates, "prod")
            return data.div(divisor, rounding_mode=None if data.is_floating_point() else "trunc")
    raise ValueError(f"mode is update, add, sub, mul, div, max or min; {mode!r} is none of them.")


def _rows(indices: Tensor, sizes: torch.Size, validate: bool) -> Tensor:
    """Return, for each vector in the last axis of `indices`, which element of a tensor of shape `sizes` it points to."""
    rows = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for column, size in zip(indices.unbind(-1), sizes, strict=True):
        rows = rows * size + _positions(column, size, validate)
    return rows


def _positions(indices: Tensor, size: int, validate: bool) -> Tensor:
    """Return indices into an axis of `size` elements as int64 from 0 on. Raises IndexError for one that is outside."""
    indices = indices.long()
    if not indices.numel():
        return indices
    lowest, highest = (int(end) for end in indices.aminmax())
    if highest >= size or lowest < (0 if validate else -size):
        wrong = highest if highest >= size else lowest
        raise IndexError(f"the index {wrong} is outside of an axis with {size} elements.")
    return torch.where(indices < 0, indices + size, indices) if lowest < 0 else indices
