"""Convolutions, over one, two or three spatial dimensions.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15 and iOS17, conv.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.operators.windows import add_padding, padding
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
    """Return the cross-correlation of x (batch, inputs, ...) with weight (outputs, inputs / groups, ...), plus bias (outputs)."""
    amounts = padding(pad_type, pad, x.shape[2:], _spans(weight, dilations), strides)
    around = amounts[::2]
    if around != amounts[1::2]:  # torch pads both sides alike
        x = add_padding(x, amounts)
        around = [0] * len(around)
    return torch.convolution(x, weight, bias, strides, around, dilations, False, [0] * len(around), groups)


@operator()
def conv_quantized(
    x: Tensor,
    weight: Tensor,
    quantization_type: str,
    nbits: int,
    quant_scale: Tensor,
    quant_bias: Tensor,
    strides: Ints,
    pad_type: str,
    pad: Ints,
    dilations: Ints,
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    """Return `conv` with weight * quant_scale + quant_bias for its weight. The two: one number, or one for each output.

    weight: whole numbers below 2^nbits, one in each byte, whatever `nbits` is. Raises ValueError for the type "lut", for whose
    table the operator has no parameter.
    """
    if quantization_type.lower() != "linear":
        raise ValueError(f"the quantization type is {quantization_type!r}; only 'linear' ones can be computed.")
    outputs = (-1, *[1] * (weight.dim() - 1))
    weight = weight * quant_scale.reshape(outputs) + quant_bias.reshape(outputs)
    bias = bias if bias is None else bias.to(x.dtype)  # declared as a byte, like the weight
    return conv(x, weight, strides, pad_type, pad, dilations, groups, bias)


@operator()
def conv_transpose(
    x: Tensor,
    weight: Tensor,
    pad: Ints,
    pad_type: str,
    strides: Ints,
    dilations: Ints,
    groups: int,
    bias: Tensor | None = None,
    output_shape: Ints | None = None,
) -> Tensor:
    """Return the transposed convolution of x (batch, inputs, ...) with weight (inputs, outputs / groups, ...), plus bias.

    Padding is taken away from the result, not added to x. `output_shape` decides how much goes at the end; with "same", as in
    TensorFlow, half of what is too much goes at the start.
    """
    spans = _spans(weight, dilations)
    around, extra = [], []
    kept: list[slice] = []
    for axis, (size, span, stride) in enumerate(zip(x.shape[2:], spans, strides, strict=True)):
        full = (size - 1) * stride + span
        if output_shape is not None:
            length = output_shape[2 + axis]
        elif pad_type == "same":
            length = size * stride
        else:
            length = full - (pad[2 * axis] + pad[2 * axis + 1] if pad_type == "custom" else 0)
        before = {"same": max(0, full - length) // 2, "custom": pad[2 * axis], "valid": 0}[pad_type]
        after = full - length - before
        around.append(max(0, min(before, after)))  # torch takes as much at both ends,
        extra.append(max(0, -after))  # can make the result longer at its end,
        kept.append(slice(before - around[-1], before - around[-1] + length))  # and what else is too much is cut off
    result = torch.convolution(x, weight, bias, strides, around, dilations, True, extra, groups)
    return result[(slice(None), slice(None), *kept)]


def _spans(weight: Tensor, dilations: Ints) -> Ints:
    return [(size - 1) * dilation + 1 for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
