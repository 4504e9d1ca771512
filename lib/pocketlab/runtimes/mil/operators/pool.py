"""Pooling, over one, two or three spatial dimensions.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15/pool.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.runtimes.mil.operators.windows import add_padding, padding
from pocketlab.runtimes.mil.registry import Ints, operator

_MAX = {1: torch.max_pool1d, 2: torch.max_pool2d, 3: torch.max_pool3d}
_AVERAGE = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


@operator()
def max_pool(x: Tensor, kernel_sizes: Ints, strides: Ints, pad_type: str, pad: Ints, ceil_mode: bool) -> Tensor:
    """Return the largest element of each window; padding is never the largest."""
    amounts = padding(pad_type, pad, x.shape[2:], kernel_sizes, strides)
    pool = _MAX[len(kernel_sizes)]
    if _torch_can_pad(amounts, kernel_sizes):
        return pool(x, kernel_sizes, strides, amounts[::2], 1, ceil_mode)
    reached = _to_whole_windows(x, kernel_sizes, strides, amounts, ceil_mode)
    return pool(add_padding(x, reached, -math.inf), kernel_sizes, strides)


@operator()
def avg_pool(
    x: Tensor,
    kernel_sizes: Ints,
    strides: Ints,
    pad_type: str,
    pad: Ints,
    ceil_mode: bool,
    exclude_padding_from_average: bool,
) -> Tensor:
    """Return the mean of each window. Zeros of the padding count in it unless they are excluded.

    What `ceil_mode` adds beyond the padding never counts, as in PyTorch.
    """
    amounts = padding(pad_type, pad, x.shape[2:], kernel_sizes, strides)
    pool = _AVERAGE[len(kernel_sizes)]
    if _torch_can_pad(amounts, kernel_sizes):
        return pool(x, kernel_sizes, strides, amounts[::2], ceil_mode, not exclude_padding_from_average)
    reached = _to_whole_windows(x, kernel_sizes, strides, amounts, ceil_mode)
    means = pool(add_padding(x, reached), kernel_sizes, strides)
    if reached == amounts and not exclude_padding_from_average:
        return means
    counted = torch.ones_like(x[:1, :1])
    if not exclude_padding_from_average:
        counted = add_padding(counted, amounts, 1)
        reached = [all_of_it - own for all_of_it, own in zip(reached, amounts, strict=True)]
    return means / pool(add_padding(counted, reached), kernel_sizes, strides)


@operator()
def l2_pool(x: Tensor, kernel_sizes: Ints, strides: Ints, pad_type: str, pad: Ints, ceil_mode: bool) -> Tensor:
    """Return the root of the sum (not of the mean) of the squares in each window."""
    amounts = padding(pad_type, pad, x.shape[2:], kernel_sizes, strides)
    squares = add_padding(x.square(), _to_whole_windows(x, kernel_sizes, strides, amounts, ceil_mode))
    means = _AVERAGE[len(kernel_sizes)](squares, kernel_sizes, strides)
    return means.mul_(math.prod(kernel_sizes)).sqrt_()


def _torch_can_pad(amounts: Ints, kernel_sizes: Ints) -> bool:
    """Return whether torch's own pooling pads so: both sides alike, and at most half a window."""
    before = amounts[::2]
    return before == amounts[1::2] and all(2 * a <= size for a, size in zip(before, kernel_sizes, strict=True))


def _to_whole_windows(x: Tensor, kernel_sizes: Ints, strides: Ints, amounts: Ints, ceil_mode: bool) -> Ints:
    """Return `amounts` with what `ceil_mode` needs at the end, so that windows fit in without it.

    A last window that would begin after the input (and its padding before) is left out, as in PyTorch. coremltools keeps it
    where there is no padding, in the shape only: it has nothing to take a maximum or a mean of.
    """
    if not ceil_mode:
        return amounts
    reached = list(amounts)
    for axis, (size, kernel, stride) in enumerate(zip(x.shape[2:], kernel_sizes, strides, strict=True)):
        before, after = amounts[2 * axis : 2 * axis + 2]
        steps = -(-(before + size + after - kernel) // stride)
        if steps * stride >= before + size:
            steps -= 1
        reached[2 * axis + 1] = steps * stride + kernel - before - size
    return reached
