"""Quantizing what a program computes to 8 bits, and back.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS17/quantization_ops.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import operator

_TYPES = {"int8": torch.int8, "uint8": torch.uint8}


@operator()
def quantize(
    input: Tensor, scale: Tensor, output_dtype: str, zero_point: Tensor | None = None, axis: int | None = None
) -> Tensor:
    """Return round(input / scale) + zero_point, halves rounded to even, cut off at the ends of `output_dtype`."""
    quantized = (input / along(scale, axis, input.dim())).round_()
    if zero_point is not None:
        quantized += along(zero_point, axis, input.dim())
    limits = torch.iinfo(_TYPES[output_dtype])
    return quantized.clamp_(limits.min, limits.max).to(_TYPES[output_dtype])


@operator()
def dequantize(
    input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: int | None = None
) -> Tensor:
    """Return scale * (input - zero_point), with one of each for the tensor or for each channel of `axis`."""
    numbers = input.float()
    if zero_point is not None:  # taken off as float: in 8 bits the difference would overflow
        numbers = numbers - along(zero_point, axis, input.dim())
    return numbers * along(scale, axis, input.dim())


def along(values: Tensor, axis: int | None, rank: int) -> Tensor:
    """Return the values, one or a vector of them, so that they broadcast along `axis` of a tensor of that rank."""
    if values.dim() == 0 or axis is None:
        return values
    shape = [1] * rank
    shape[axis] = -1
    return values.reshape(shape)
