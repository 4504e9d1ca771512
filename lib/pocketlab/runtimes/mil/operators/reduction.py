"""Operators that make one number of those along an axis, or along several.

Without axes all are reduced. A result has the type of x: of whole numbers, even a mean or a logarithm is one, its decimals
cut off.
Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15 and iOS17, reduction.py.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import Ints, operator


@operator()
def reduce_argmax(x: Tensor, axis: int, keep_dims: bool, output_dtype: str = "int32") -> Tensor:
    """Return where along the axis the largest number is; of equal ones the first. The interpreter knows the type."""
    return x.argmax(axis, keep_dims)


@operator()
def reduce_argmin(x: Tensor, axis: int, keep_dims: bool, output_dtype: str = "int32") -> Tensor:
    """Return where along the axis the smallest number is; of equal ones the first. The interpreter knows the type."""
    return x.argmin(axis, keep_dims)


@operator()
def reduce_l1_norm(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the sum of |x|."""
    return _reduce(torch.sum, x.abs(), axes, keep_dims)


@operator()
def reduce_l2_norm(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the square root of the sum of squares."""
    return _real(_reduce(torch.sum, x * x, axes, keep_dims)).sqrt()


@operator()
def reduce_log_sum(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the natural logarithm of the sum."""
    return _real(_reduce(torch.sum, x, axes, keep_dims)).log()


@operator()
def reduce_log_sum_exp(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the natural logarithm of the sum of e^x, without overflow on the way."""
    return _reduce(torch.logsumexp, _real(x), axes, keep_dims)


@operator()
def reduce_max(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the largest number."""
    return _reduce(torch.amax, x, axes, keep_dims)


@operator()
def reduce_mean(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the mean."""
    return _reduce(torch.mean, _real(x), axes, keep_dims)


@operator()
def reduce_min(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the smallest number."""
    return _reduce(torch.amin, x, axes, keep_dims)


@operator()
def reduce_prod(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the product."""
    return _reduce(_product, x, axes, keep_dims)


@operator()
def reduce_sum(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the sum."""
    return _reduce(torch.sum, x, axes, keep_dims)


@operator()
def reduce_sum_square(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """Return the sum of squares."""
    return _reduce(torch.sum, x * x, axes, keep_dims)


def _reduce(function: Callable[..., Tensor], x: Tensor, axes: Ints | None, keep_dims: bool) -> Tensor:
    """Apply a reduction of torch: over all axes for None, over none for an empty list."""
    if axes is None:
        axes = list(range(x.dim()))
    if not axes:  # torch would take an empty list for all
        return function(x.unsqueeze(0), [0], False)
    return function(x, axes, keep_dims)


def _product(x: Tensor, axes: Ints, keep_dims: bool) -> Tensor:
    """Multiply along several axes, which torch does only along one."""
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keep_dims)
    return x


def _real(x: Tensor) -> Tensor:
    """Return whole numbers as float64, which holds each int32 exactly, so that cutting off decimals gives the right one."""
    return x if x.is_floating_point() else x.double()
