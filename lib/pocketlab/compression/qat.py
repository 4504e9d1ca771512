"""Quantization-aware training: the network computes with rounded weights while it learns, and so learns to live with them.

Source: Bengio et al. 2013 (the straight-through estimator); Jacob et al. 2018, section 3; Esser et al. 2020 (Learned Step
Size Quantization, LSQ).
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pocketlab.compression.pruning import prunable_weights
from pocketlab.compression.quantization import integer_range


class _Round(torch.autograd.Function):
    """Rounds, and lets the gradient through as if it had not: that of rounding itself is zero nearly everywhere."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return x rounded to whole numbers, half to even."""
        return x.round()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the gradient as it came."""
        return gradients[0]


def fake_quantize(
    x: Tensor, scale: Tensor | float, zero_point: Tensor | int = 0, *, bits: int = 8, narrow_range: bool = False
) -> Tensor:
    """Return x as it comes back from integers of `bits` bits: `scale · (clip(round(x/scale) + zero_point) − zero_point)`.

    Everything stays floating point, so that a network can train with it. The gradient by x is 1 inside of the range (the
    straight-through estimator) and 0 outside, where x was cut off; a scale that requires a gradient gets LSQ's.
    scale, zero_point: numbers, or tensors that broadcast with x, such as (channels, 1, 1, 1).
    Raises ValueError for a scale that is not positive and finite, a NaN in x, and for impossible bits.
    """
    lowest, highest = integer_range(bits, narrow_range=narrow_range)
    scale = torch.as_tensor(scale, dtype=x.dtype)
    if not bool(((scale > 0) & scale.isfinite()).all()):
        raise ValueError(f"scale must be positive and finite; got {scale.flatten()[:4].tolist()}.")
    if bool(x.isnan().any()):
        raise ValueError("x has a NaN in it, and no integer stands for that.")
    zero = torch.as_tensor(zero_point, dtype=x.dtype)
    return _Round.apply(torch.clamp(x / scale, lowest - zero, highest - zero)) * scale


def fake_quantize_gradients(w: np.ndarray, scale: float, bits: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what training sees of a symmetric grid: the values, and their slopes by the weight and by the scale.

    w: any shape; the three results have that shape. values: `scale · clip(round(w/scale), −highest, highest)`, with
    highest = 2^(bits−1) − 1. The slope by the weight is 1 inside of the range and 0 where it was clipped; the slope by the
    scale is `round(w/scale) − w/scale` inside, and ±highest where it was clipped. `fake_quantize` has these slopes by
    autograd; here they stand in the open.

    Raises ValueError for a scale that is not positive and finite, a NaN in w, and for impossible bits.
    Source: Esser et al. 2020, equations 1 to 3.
    """
    highest = integer_range(bits, narrow_range=True)[1]
    values = np.asarray(w, np.float64)
    if not 0 < scale < np.inf:
        raise ValueError(f"scale must be positive and finite; got {scale}.")
    if np.isnan(values).any():
        raise ValueError("w has a NaN in it, and no integer stands for that.")
    steps = values / scale
    inside = np.abs(steps) <= highest
    q = np.round(np.clip(steps, -highest, highest))
    return scale * q, inside.astype(np.float64), np.where(inside, q - steps, q)


class LearnedScale(nn.Module):
    """Fake quantization of a weight whose scales are trained with it (LSQ), one for each output channel or one for all.

    weight: (outputs, …), from whose magnitudes the scales start, 2·mean|w|/√highest. Their gradient is multiplied by
    1/√(count·highest), so that a scale moves as fast in proportion as a weight does.
    Raises ValueError for impossible bits or a weight that is not finite.
    Source: Esser et al. 2020, equations 1 to 3 and section 2.2.
    """

    def __init__(self, weight: Tensor, *, bits: int, per_channel: bool = True) -> None:
        super().__init__()
        self.bits = bits
        self._highest = integer_range(bits, narrow_range=True)[1]
        if weight.numel() == 0 or not bool(weight.isfinite().all()):
            raise ValueError(f"The weight has to be finite and not empty; its shape is {tuple(weight.shape)}.")
        axes = tuple(range(1 if per_channel else 0, weight.ndim))
        mean = weight.detach().abs().mean(axes, keepdim=True)
        start = torch.where(mean > 0, 2 * mean / self._highest**0.5, torch.ones_like(mean))
        self.scale = nn.Parameter(start)
        self._slower = (weight.numel() / start.numel() * self._highest) ** -0.5

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight on its grid."""
        slow = self.scale * self._slower  # the value of the scale, with the gradient made smaller
        scale = (self.scale - slow).detach() + slow
        return fake_quantize(weight, scale.clamp_min(1e-8), bits=self.bits, narrow_range=True)


def prepare_qat(model: nn.Module, bits: int | dict[str, int] = 4, *, per_channel: bool = True) -> nn.Module:
    """Return a copy of the model whose convolutions and linear layers compute with fake-quantized weights, learned scales.

    bits: for all layers, or by the name of a weight as `prunable_weights` gives it; a layer that is not named stays float.
    Train it as usual, then call `finish_qat`.
    Raises ValueError for impossible bits or a name that is not there.
    """
    prepared = copy.deepcopy(model)
    weights = prunable_weights(prepared)
    for name, width in _wanted(bits, weights).items():
        layer = prepared.get_submodule(name.rpartition(".")[0])
        learned = LearnedScale(weights[name], bits=width, per_channel=per_channel)
        parametrize.register_parametrization(layer, "weight", learned)
    return prepared


def finish_qat(model: nn.Module) -> nn.Module:
    """Return a copy of a model from `prepare_qat` with ordinary weights, each of which now lies on its grid."""
    finished = copy.deepcopy(model)
    for module in finished.modules():
        if parametrize.is_parametrized(module, "weight"):
            on_grid = nn.Parameter(torch.as_tensor(module.weight).detach().clone())
            # Not by remove_parametrizations: it takes `weight` from the class, which the model and its copy share.
            module.__class__ = type(module).__bases__[0]
            del module.parametrizations
            module.register_parameter("weight", on_grid)
    return finished


def quantize_weights(model: nn.Module, bits: int | dict[str, int] = 8, *, per_channel: bool = True) -> nn.Module:
    """Return a copy whose weights lie on a symmetric grid from the largest magnitude: quantization after training.

    bits as for `prepare_qat`. It is what a converter does without data, and the baseline for quantization-aware training.
    Raises ValueError for impossible bits, a name that is not there, or a weight that is not finite.
    """
    quantized = copy.deepcopy(model)
    weights = prunable_weights(quantized)
    with torch.no_grad():
        for name, width in _wanted(bits, weights).items():
            weight = weights[name]
            axes = tuple(range(1 if per_channel else 0, weight.ndim))
            largest = weight.abs().amax(axes, keepdim=True)
            scale = torch.where(largest > 0, largest / integer_range(width, narrow_range=True)[1], torch.ones_like(largest))
            weight.copy_(fake_quantize(weight, scale, bits=width, narrow_range=True))
    return quantized


def _wanted(bits: int | dict[str, int], weights: dict[str, Tensor]) -> dict[str, int]:
    """Return the bits by the name of the weight. Raises ValueError for a name that is not there."""
    wanted = bits if isinstance(bits, dict) else dict.fromkeys(weights, bits)
    if unknown := [name for name in wanted if name not in weights]:
        raise ValueError(f"There is no weight {unknown[0]!r} to quantize; there are {', '.join(weights)}.")
    return wanted
