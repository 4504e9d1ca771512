"""Make a trained network easier to quantize without training it: move ranges between layers, and repair their means.

Source: Nagel et al. 2019 (Data-Free Quantization through Weight Equalization and Bias Correction); Xiao et al. 2023
(SmoothQuant).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pocketlab.compression.distillation import features_of

Layer = nn.Conv2d | nn.Linear


def equalization_scales(first: Tensor, second: Tensor) -> Tensor:
    """Return the scale of each channel between two layers, √(r₁·r₂)/r₂, after which both use an equal part of their range.

    first: (channels, …), the weight that makes the channels; second: (…, channels, …) with them on axis 1. r₁ and r₂ are a
    channel's largest magnitudes there. A channel that is zero on either side keeps scale 1.
    Raises ValueError for another number of channels, NaN or infinity.
    Source: Nagel et al. 2019, equation 11.
    """
    _check(first, second)
    if first.shape[0] != second.shape[1]:
        raise ValueError(f"The first layer makes {first.shape[0]} channels, and the second takes {second.shape[1]}.")
    r1 = first.abs().flatten(1).amax(1)
    r2 = second.abs().transpose(0, 1).flatten(1).amax(1)
    both = (r1 > 0) & (r2 > 0)
    return torch.where(both, (r1 * r2).sqrt() / torch.where(both, r2, 1.0), torch.ones_like(r1))


def equalize(model: nn.Module, pairs: Sequence[tuple[str, str]], *, rounds: int = 10) -> nn.Module:
    """Return a copy of the model in which each pair of layers shares its range, computing the same as before.

    pairs: names of layers, one right behind the other, with nothing between them but ReLU, leaky ReLU or pooling: any
    function with f(s·x) = s·f(x) for s > 0. ReLU6 is none, and batch normalization has to be folded before. A depthwise
    convolution may be either of a pair. Chains (a, b), (b, c) settle within a few rounds.
    Raises ValueError for layers that do not fit; the model itself is not changed.
    Source: Nagel et al. 2019, section 4.1.
    """
    equalized = copy.deepcopy(model)
    layers = [(_layer(equalized, first), _layer(equalized, second)) for first, second in pairs]
    with torch.no_grad():
        for _ in range(rounds):
            for first, second in layers:
                incoming = second.weight.transpose(0, 1) if _is_depthwise(second) else second.weight
                scales = equalization_scales(first.weight, incoming)
                first.weight.div_(_along(scales, first.weight, 0))
                if first.bias is not None:
                    first.bias.div_(scales)
                second.weight.mul_(_along(scales, second.weight, 0 if _is_depthwise(second) else 1))
    return equalized


def correct_bias(model: nn.Module, quantized: nn.Module, layers: Sequence[str], inputs: Tensor) -> nn.Module:
    """Return a copy of the quantized model whose layers' outputs have the float model's mean in every channel.

    Rounding a channel's weights shifts its output by the same amount for all inputs on average, and a bias can take that
    back. The layers are corrected in the order given (that of execution), each with the ones before it corrected already.
    inputs: (batch, …), a few hundred typical ones.
    Raises ValueError for a layer that is not there or has no bias; the model itself is not changed.
    Source: Nagel et al. 2019, section 4.2, with measured means.
    """
    corrected = copy.deepcopy(quantized)
    for name in layers:
        if _layer(corrected, name).bias is None:
            raise ValueError(f"The layer {name!r} has no bias to correct: fold batch normalization, or give it one.")
    with torch.no_grad(), features_of(model, layers) as wanted:
        model(inputs)
    for name in layers:
        with torch.no_grad(), features_of(corrected, [name]) as found:
            corrected(inputs)
            bias = _layer(corrected, name).bias
            assert bias is not None
            bias += _channel_means(wanted[name]) - _channel_means(found[name])
    return corrected


def smoothing_scales(activation_max: Tensor, weight: Tensor, alpha: float = 0.5) -> Tensor:
    """Return by how much to divide each input channel of a linear layer, `max|x|^α / max|w|^(1−α)`.

    Activations of language models have a few channels a hundred times larger than the rest, and weights do not: dividing the
    activation and multiplying the weight moves part of the difficulty, α of it, to where it is easy.
    activation_max: (inputs,), the largest magnitude of each; weight: (outputs, inputs).
    Raises ValueError for other shapes, NaN, or α outside of 0 to 1.
    Source: Xiao et al. 2023, equation 4.
    """
    _check(activation_max, weight)
    if weight.ndim != 2 or activation_max.shape != weight.shape[1:]:
        raise ValueError(
            f"A weight (outputs, inputs) needs one maximum for each input; got {tuple(weight.shape)} and "
            f"{tuple(activation_max.shape)}."
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is the part that moves to the weight, from 0 to 1; got {alpha}.")
    tiny = 1e-5
    return activation_max.abs().clamp_min(tiny) ** alpha / weight.abs().amax(0).clamp_min(tiny) ** (1 - alpha)


def smooth(norm: nn.Module, linears: Sequence[nn.Linear], activation_max: Tensor, alpha: float = 0.5) -> Tensor:
    """Move the scales of a normalization's output into the linear layers that read it, in place; return the scales.

    norm: has `weight` (inputs,), and `bias` or none, as LayerNorm and RMSNorm have. linears: all that read it (query, key and
    value, say); the scales come from their largest weights together. What the layers compute stays the same.
    Raises ValueError if shapes do not fit; then nothing is changed.
    """
    weight, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    if not isinstance(weight, Tensor) or not linears:
        raise ValueError("smooth needs a normalization that has a weight, and at least one linear layer that reads it.")
    scales = smoothing_scales(activation_max, torch.cat([linear.weight.detach() for linear in linears]), alpha)
    if weight.shape != scales.shape:
        raise ValueError(f"The normalization has {tuple(weight.shape)} weights for {tuple(scales.shape)} inputs.")
    with torch.no_grad():
        weight.div_(scales)
        if isinstance(bias, Tensor):
            bias.div_(scales)
        for linear in linears:
            linear.weight.mul_(scales)
    return scales


def _layer(model: nn.Module, name: str) -> Layer:
    layer = dict(model.named_modules()).get(name)
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        raise ValueError(f"{name!r} is no convolution and no linear layer of the model.")
    return layer


def _is_depthwise(layer: Layer) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1


def _along(scales: Tensor, weight: Tensor, axis: int) -> Tensor:
    """Shape scales so that they run along one axis of a weight."""
    return scales.reshape([-1 if a == axis else 1 for a in range(weight.ndim)])


def _channel_means(features: Tensor) -> Tensor:
    """Return the mean of each channel: axis 1 of pictures, the last axis of (batch, …, channels)."""
    if features.ndim == 4:
        return features.mean((0, 2, 3))
    return features.flatten(0, -2).mean(0)


def _check(*tensors: Tensor) -> None:
    for tensor in tensors:
        if tensor.numel() == 0 or not bool(tensor.isfinite().all()):
            raise ValueError(f"Weights and ranges have to be finite, at least one; see a tensor {tuple(tensor.shape)}.")
