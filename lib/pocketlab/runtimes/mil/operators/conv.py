"""Convolutions."""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import Ints, operator


@operator()
def conv(
    x: Tensor,
    weight: Tensor,
    strides: Ints,
    pad_type: str,
    pad: Ints,
    dilations: Ints,
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    """Slide filters over x."""
    return torch.nn.functional.conv2d(x, weight, bias, strides, 0, dilations, groups)
