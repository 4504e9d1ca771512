"""Operators that make tensors, put them together, take them apart and sort them.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15/tensor_operation.py and those of iOS16, iOS17.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from pocketlab.runtimes.mil.compiler import LARGEST_TENSOR
from pocketlab.runtimes.mil.registry import Ints, operator


@operator()
def argsort(x: Tensor, axis: int, ascending: bool) -> Tensor:
    """Return the positions of x's values in sorted order. Of equal values the one that comes first stays first."""
    return x.argsort(dim=axis, descending=not ascending, stable=True)


@operator()
def band_part(x: Tensor, lower: int, upper: int) -> Tensor:
    """Return the last two axes' matrices with zeros beyond `lower` diagonals below and `upper` above; negative keeps all."""
    if upper >= 0:
        x = x.tril(upper)
    return x.triu(-lower) if lower >= 0 else x


@operator()
def concat(values: list[Tensor], axis: int, interleave: bool) -> Tensor:
    """Return the tensors one after the other along `axis`; with `interleave`, their slices in turn. Scalars make a vector."""
    if values[0].dim() == 0:
        return torch.stack(values)
    if interleave:
        axis %= values[0].dim()
        return torch.stack(values, axis + 1).flatten(axis, axis + 1)
    return torch.cat(values, axis)


@operator()
def cumsum(x: Tensor, axis: int, exclusive: bool, reverse: bool) -> Tensor:
    """Return the sums of all values up to each one, or before it (`exclusive`); counted from the end with `reverse`."""
    if reverse:
        x = x.flip(axis)
    if exclusive:
        before = x.narrow(axis, 0, x.shape[axis] - 1).cumsum(axis)
        sums = torch.cat([before.new_zeros(x.select(axis, 0).unsqueeze(axis).shape), before], axis)
    else:
        sums = x.cumsum(axis)
    return sums.flip(axis) if reverse else sums


@operator()
def fill(shape: Ints, value: Tensor) -> Tensor:
    """Return a tensor of that shape in which every element is `value`."""
    _limit(shape)
    return torch.full(shape, value.item(), dtype=value.dtype)


@operator()
def fill_like(ref_tensor: Tensor, value: Tensor) -> Tensor:
    """Return a tensor of `ref_tensor`'s shape, and of the value's type, in which every element is `value`."""
    return torch.full(ref_tensor.shape, value.item(), dtype=value.dtype)


@operator()
def flatten2d(x: Tensor, axis: int) -> Tensor:
    """Return x as a matrix: the axes before `axis` become its rows, the others its columns."""
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@operator()
def identity(x: Any) -> Any:
    """Return x, which may also be a list or a dictionary."""
    return x


@operator()
def non_zero(x: Tensor) -> Tensor:
    """Return where x is not zero: a row of indices for each such element, in the order in which they lie in memory."""
    return x.nonzero()


@operator()
def one_hot(indices: Tensor, one_hot_vector_size: int, axis: int, on_value: Tensor, off_value: Tensor) -> Tensor:
    """Return a new `axis` with `on_value` at each index. An index outside, also a negative one, gives `off_value` only."""
    _limit([*indices.shape, one_hot_vector_size])
    indices = indices.unsqueeze(axis)
    positions = torch.arange(one_hot_vector_size).reshape([-1 if i == axis % indices.dim() else 1 for i in range(indices.dim())])
    return torch.where(indices == positions, on_value, off_value)


@operator()
def pad(x: Tensor, pad: Ints, mode: str, constant_val: float) -> Tensor:
    """Return x with the last axes made longer: `pad` has (before, after) for each, the outermost of them first.

    Mode "reflect" mirrors without repeating the edge, "replicate" repeats the edge.
    """
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    first = x.dim() - len(pairs)
    _limit([*x.shape[:first], *(size + sum(pair) for size, pair in zip(x.shape[first:], pairs, strict=True))])
    if mode == "constant":
        innermost_first = [number for pair in reversed(pairs) for number in pair]
        return torch.nn.functional.pad(x, innermost_first, value=constant_val)
    for axis, (before, after) in enumerate(pairs, first):
        if before or after:
            x = _repeat_border(x, axis, before, after, mode)
    return x


def _repeat_border(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """Return x with the elements at both ends of an axis reflected, or the last ones replicated.

    torch pads the last two or three axes only, and two of them fastest; so x is made to have its axis among the last two.
    """
    size, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    if mode == "reflect" and max(before, after) >= size:
        raise ValueError(f"an axis of size {size} cannot be reflected by {max(before, after)} elements.")
    if inner == 1:
        y = torch.nn.functional.pad(x.reshape(1, -1, size), [before, after, 0, 0], mode)
    else:
        y = torch.nn.functional.pad(x.reshape(-1, size, inner), [0, 0, before, after], mode)
    return y.reshape(*x.shape[:axis], before + size + after, *x.shape[axis + 1 :])


@operator()
def range_1d(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """Return start, start + step, … up to and without `end`.

    How many there are is computed in the numbers' own type, as coremltools does when it infers the shape: from 0 to 0.3 by
    0.1 are 3 in float32, though its 0.3 is a little more than three times its 0.1.
    """
    span = end - start
    steps = span / step if span.is_floating_point() else -(-span // step)
    count = max(0, math.ceil(steps.item()))
    _limit([count])
    return start.reshape(()) + torch.arange(count, dtype=span.dtype) * step.reshape(())


@operator()
def shape(x: Tensor) -> Tensor:
    """Return the shape of x, as a vector."""
    return torch.tensor(x.shape, dtype=torch.int32)


@operator()
def split(x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None) -> tuple[Tensor, ...]:
    """Return the parts of x along `axis`: of the given sizes, or `num_splits` of the same size."""
    if split_sizes is None:
        assert num_splits is not None
        split_sizes = [x.shape[axis] // num_splits] * num_splits
    return tuple(x.split(split_sizes, axis))


@operator()
def stack(values: list[Tensor], axis: int) -> Tensor:
    """Return the tensors side by side along a new axis."""
    return torch.stack(values, axis)


@operator()
def tile(x: Tensor, reps: Ints) -> Tensor:
    """Return x repeated so many times along each axis."""
    _limit(size * times for size, times in zip(x.shape, reps, strict=True))
    for axis, times in enumerate(reps):
        if 1 < times < 9 and x.shape[axis] > 1:  # heads of a Llama's attention: the quickest way for few
            x = torch.cat([x] * times, axis)
        elif times != 1:
            x = x.unsqueeze(axis).expand(*x.shape[:axis], times, *x.shape[axis:]).flatten(axis, axis + 1)
    return x


@operator()
def topk(
    x: Tensor,
    k: int,
    axis: int,
    ascending: bool,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: str | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the k largest values, or the smallest (`ascending`), and their positions; k = -1 means all.

    They come sorted even if `sort` does not ask for it, and of equal values the one that comes first is taken first: what
    Apple's runtime takes is not documented.
    """
    values, indices = x.sort(dim=axis, descending=not ascending, stable=True)
    if k >= 0:
        values, indices = values.narrow(axis, 0, k), indices.narrow(axis, 0, k)
    return (values, indices) if return_indices else values


def _limit(shape: Iterable[int]) -> None:
    """Refuse a shape, known only now, that no phone could hold; the compiler has refused those known before."""
    sizes = list(shape)
    if math.prod(sizes) > LARGEST_TENSOR:
        raise ValueError(f"its result of shape {tuple(sizes)} is more than a phone could hold.")
