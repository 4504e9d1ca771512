"""Activation functions.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15 and iOS17, activation.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.runtimes.mil.registry import operator


@operator()
def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return x, or alpha * x where x is negative, but not more than beta."""
    return functional.leaky_relu(x, alpha).clamp_(max=beta)


@operator()
def elu(x: Tensor, alpha: float) -> Tensor:
    """Return x, or alpha * (e^x - 1) where x is negative."""
    return functional.elu(x, alpha)


@operator()
def gelu(x: Tensor, mode: str) -> Tensor:
    """Return x times the probability that a standard normal variable is below x; two of the modes approximate it."""
    if mode == "SIGMOID_APPROXIMATION":
        return x * (1.702 * x).sigmoid_()
    return functional.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


@operator()
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    """Return x, or alpha * x where x is negative."""
    return functional.leaky_relu(x, alpha)


@operator()
def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return alpha * x + beta."""
    return (alpha * x).add_(beta)


@operator()
def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """Return x, or alpha * x where x is negative. alpha: (channels), for axis 1 of x."""
    return functional.prelu(x, alpha)


@operator()
def relu(x: Tensor) -> Tensor:
    """Return x, or 0 where x is negative."""
    return x.relu()


@operator()
def relu6(x: Tensor) -> Tensor:
    """Return x, not less than 0 and not more than 6."""
    return x.clamp(0, 6)


@operator()
def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return alpha * tanh(beta * x)."""
    return (beta * x).tanh_().mul_(alpha)


@operator()
def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + e^-x)."""
    return x.sigmoid()


@operator()
def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return alpha * x + beta, not less than 0 and not more than 1."""
    return (alpha * x).add_(beta).clamp_(0, 1)


@operator()
def silu(x: Tensor) -> Tensor:
    """Return x * sigmoid(x)."""
    return functional.silu(x)


@operator()
def softmax(x: Tensor, axis: int) -> Tensor:
    """Return e^x divided by its sum along the axis."""
    return x.softmax(axis)


@operator()
def softplus(x: Tensor) -> Tensor:
    """Return ln(1 + e^x)."""
    return functional.softplus(x)


@operator()
def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return alpha * ln(1 + e^(beta * x)). alpha, beta: (channels), for axis 1 of x."""
    channels = (-1, *[1] * (x.dim() - 2))
    return functional.softplus(x * beta.reshape(channels)).mul_(alpha.reshape(channels))


@operator()
def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|)."""
    return functional.softsign(x)


@operator()
def thresholded_relu(x: Tensor, alpha: Tensor) -> Tensor:
    """Return x where it is alpha or more, else 0."""
    # torch's threshold keeps what is above a number, and above the float32 just below alpha means alpha or more. A mask
    # would take 20 times as long, in each hard swish.
    below = torch.nextafter(alpha, alpha.new_tensor(-math.inf))
    return functional.threshold(x, below.item(), 0)
