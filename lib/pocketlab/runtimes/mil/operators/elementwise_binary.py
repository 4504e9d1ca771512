"""Operators on two tensors, element by element, with broadcasting.

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
def maximum(x: Tensor, y: Tensor) -> Tensor:
    """Return the larger of x and y."""
    return torch.maximum(x, y)
