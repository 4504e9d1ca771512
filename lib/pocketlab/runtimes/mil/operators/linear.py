"""Products of matrices.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15 and iOS17, linear.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import operator


@operator()
def einsum(values: list[Tensor], equation: str) -> Tensor:
    """Return the sum of products that the equation describes; an axis of size 1 is broadcast."""
    return torch.einsum(equation, *values)


@operator()
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias. x: (..., inputs), weight: (outputs, inputs), bias: (outputs)."""
    if weight.dtype is not x.dtype:  # from iOS 17 on the weights may be whole numbers and x not, or the reverse
        kind = torch.promote_types(x.dtype, weight.dtype)
        x, weight, bias = x.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
    return torch.nn.functional.linear(x, weight, bias)


@operator()
def matmul(x: Tensor, y: Tensor, transpose_x: bool, transpose_y: bool) -> Tensor:
    """Return the matrix products of the last two axes, the others broadcast; each may be transposed first."""
    if x.dtype is not y.dtype:  # from iOS 17 on, if one is a constant
        kind = torch.promote_types(x.dtype, y.dtype)
        x, y = x.to(kind), y.to(kind)
    return torch.matmul(x.mT if transpose_x else x, y.mT if transpose_y else y)
