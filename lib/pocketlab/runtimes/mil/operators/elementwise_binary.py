"""Operators on two tensors, element by element, with broadcasting. Both are of one type.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15/elementwise_binary.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import operator


@operator()
def add(x: Tensor, y: Tensor) -> Tensor:
    """Return x + y."""
    return x + y


@operator()
def equal(x: Tensor, y: Tensor) -> Tensor:
    """Return whether x = y."""
    return x == y


@operator()
def floor_div(x: Tensor, y: Tensor) -> Tensor:
    """Return x / y rounded down, so that -7 / 2 is -4."""
    return torch.floor_divide(x, y)


@operator()
def greater(x: Tensor, y: Tensor) -> Tensor:
    """Return whether x > y."""
    return x > y


@operator()
def greater_equal(x: Tensor, y: Tensor) -> Tensor:
    """Return whether x >= y."""
    return x >= y


@operator()
def less(x: Tensor, y: Tensor) -> Tensor:
    """Return whether x < y."""
    return x < y


@operator()
def less_equal(x: Tensor, y: Tensor) -> Tensor:
    """Return whether x <= y."""
    return x <= y


@operator()
def logical_and(x: Tensor, y: Tensor) -> Tensor:
    """Return whether both are true."""
    return torch.logical_and(x, y)


@operator()
def logical_or(x: Tensor, y: Tensor) -> Tensor:
    """Return whether one or both are true."""
    return torch.logical_or(x, y)


@operator()
def logical_xor(x: Tensor, y: Tensor) -> Tensor:
    """Return whether exactly one is true."""
    return torch.logical_xor(x, y)


@operator()
def maximum(x: Tensor, y: Tensor) -> Tensor:
    """Return the larger of x and y."""
    return torch.maximum(x, y)


@operator()
def minimum(x: Tensor, y: Tensor) -> Tensor:
    """Return the smaller of x and y."""
    return torch.minimum(x, y)


@operator()
def mod(x: Tensor, y: Tensor) -> Tensor:
    """Return x - y * floor(x / y), which has the sign of y: -7 mod 2 is 1."""
    return torch.remainder(x, y)


@operator()
def mul(x: Tensor, y: Tensor) -> Tensor:
    """Return x * y."""
    return x * y


@operator()
def not_equal(x: Tensor, y: Tensor) -> Tensor:
    """Return whether x and y differ."""
    return x != y


@operator("pow")
def power(x: Tensor, y: Tensor) -> Tensor:
    """Return x to the power of y."""
    if y.dim() == 0 and y.is_floating_point():  # with a number torch knows x^2 and x^0.5: 20 times as fast
        return x**y.item()
    return x**y


@operator()
def real_div(x: Tensor, y: Tensor) -> Tensor:
    """Return x / y. The result has the type of x and y: for whole numbers decimals are cut off, and -7 / 2 is -3."""
    if x.is_floating_point():
        return x / y
    return torch.div(x.long(), y.long(), rounding_mode="trunc")  # in int32, -2^31 / -1 would end the process


@operator()
def sub(x: Tensor, y: Tensor) -> Tensor:
    """Return x - y."""
    return x - y
