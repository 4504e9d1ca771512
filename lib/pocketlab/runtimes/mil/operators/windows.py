"""How far a window (a convolution's kernel, a pool) reaches beyond its input: what `conv` and `pool` share.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/_utils.py, aggregated_pad.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from torch import Tensor
from torch.nn import functional

from pocketlab.runtimes.mil.registry import Ints


def padding(pad_type: str, pad: Ints, sizes: Sequence[int], spans: Sequence[int], strides: Ints) -> Ints:
    """Return how many elements are added: before and after the first spatial dimension, before and after the second, ...

    pad: these numbers, used for "custom" only. sizes: of the input's spatial dimensions. spans: how many elements a window
    covers along each, dilation included.

    "same" gives ceil(size / stride) windows; an odd number has its larger half after the input, with "same_lower" before.
    coremltools' text on `conv` has this the other way round and independent of the stride; its type inference, its tests on
    Apple's runtime, and both converters (TensorFlow's SAME, PyTorch's "same") have it as here.
    """
    if pad_type == "custom":
        return pad
    if pad_type == "valid":
        return [0] * (2 * len(sizes))
    amounts = []
    for size, span, stride in zip(sizes, spans, strides, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + span - size)
        smaller, larger = total // 2, total - total // 2
        amounts += [smaller, larger] if pad_type == "same" else [larger, smaller]
    return amounts


def add_padding(x: Tensor, amounts: Ints, value: float = 0.0) -> Tensor:
    """Return x with `value` around it; a negative amount takes away. amounts: as `padding` returns them."""
    pairs = zip(amounts[::2], amounts[1::2], strict=True)
    return functional.pad(x, list(chain.from_iterable(reversed(list(pairs)))), value=value)
