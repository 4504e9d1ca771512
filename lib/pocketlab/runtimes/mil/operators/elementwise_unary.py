"""Operators on one tensor, element by element.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15 and iOS17, elementwise_unary.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import operator


@operator("abs")
def absolute(x: Tensor) -> Tensor:
    """Return |x|."""
    return torch.abs(x)
