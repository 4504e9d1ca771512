"""Normalization.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15 and iOS17, normalization.py.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.runtimes.mil.registry import Ints, operator


@operator()
def batch_norm(
    x: Tensor, mean: Tensor, variance: Tensor, epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None
) -> Tensor:
    """Return gamma * (x - mean) / sqrt(variance + epsilon) + beta, each of these (channels), for axis 1 of x."""
    return functional.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)


@operator()
def instance_norm(x: Tensor, epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None) -> Tensor:
    """Return each channel of each item with mean 0 and variance 1, times gamma, plus beta.

    x: (batch, channels, ...), gamma and beta: (channels). The variance is divided by the count, and epsilon added to it.
    """
    # Groups of one channel each: torch's own instance_norm takes seven times as long. For a tensor with the channels last
    # in memory torch takes E[x^2] - E[x]^2 as the variance, which is far off where the mean is large.
    return torch.group_norm(x.contiguous(), x.shape[1], gamma, beta, epsilon)


@operator()
def l2_norm(x: Tensor, epsilon: float) -> Tensor:
    """Return x divided by sqrt(the sum of squares over the last three axes + epsilon)."""
    return x / (x * x).sum((-3, -2, -1), keepdim=True).add_(epsilon).sqrt_()


@operator()
def layer_norm(
    x: Tensor, axes: Ints, epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None
) -> Tensor:
    """Return x with mean 0 and variance 1 over the axes, times gamma, plus beta.

    gamma and beta have the sizes of these axes, in x's order, in whatever order `axes` names them.
    """
    rank = x.dim()
    last = sorted(axis % rank for axis in axes)
    sizes = [x.shape[axis] for axis in last]
    if last[0] == rank - len(last):
        return functional.layer_norm(x, sizes, gamma, beta, epsilon)
    order = [axis for axis in range(rank) if axis not in last] + last
    normalized = functional.layer_norm(x.permute(order), sizes, gamma, beta, epsilon)
    return normalized.permute([order.index(axis) for axis in range(rank)])


@operator()
def local_response_norm(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Return x / (k + alpha / size * the sum of squares over `size` neighboring channels)^beta.

    x: (batch, channels, ...). Channels that are not there count as 0; of an even number one more is taken below than
    above, as in PyTorch, with which coremltools' own tests compare.
    """
    squares = (x * x).flatten(2)
    padded = functional.pad(squares, (0, 0, size // 2, (size - 1) // 2))
    sums = padded.unfold(1, size, 1).sum(-1).reshape(x.shape)
    return x / sums.mul_(alpha / size).add_(k).pow_(beta)
