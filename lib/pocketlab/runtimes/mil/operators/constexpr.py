"""Compressed weights: quantized, palettized, sparse, and these on top of each other.

The compiler expands them when a program is loaded, once. Types of less than a byte arrive as one byte for each number.
Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS16/constexpr_ops.py and iOS18/compression.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pocketlab.runtimes.mil.operators.quantization import along
from pocketlab.runtimes.mil.registry import Ints, operator


@operator()
def constexpr_affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int) -> Tensor:
    """Return scale * (quantized_data - zero_point), with one of each for the tensor or for each channel of `axis`."""
    rank = quantized_data.dim()
    return (quantized_data.float() - along(zero_point, axis, rank).float()) * along(scale, axis, rank)


@operator()
def constexpr_blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """Return scale * (data - offset). Along each axis a scale serves a block of data.shape // scale.shape neighbors."""
    data = data.float()
    if offset is not None:
        data = data - _spread(offset.float(), data.shape)
    return data * _spread(scale, data.shape)


@operator()
def constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    """Return the float16 numbers as `output_dtype`, which can only be fp32."""
    return source_val.float()


@operator()
def constexpr_lut_to_dense(
    indices: Tensor, lut: Tensor, shape: Ints | None = None, vector_axis: int | None = None
) -> Tensor:
    """Return the entries of the palette `lut` that the indices name.

    With `shape` (iOS 16) the indices are packed into bytes and lut is (entries,). Without it (iOS 18) lut has the axes of
    the indices, with a palette for each block of them, and then (entries, vector size); an index stands for that many
    neighbors along `vector_axis`.
    """
    if shape is not None:
        return lut[_unpack(indices, lut.numel().bit_length() - 1, shape)]
    groups, (entries, size) = lut.shape[:-2], lut.shape[-2:]
    rows = indices.int()
    if (count := math.prod(groups)) > 1:
        first = torch.arange(count, dtype=torch.int32).mul_(entries).reshape(groups)
        rows = rows + _spread(first, rows.shape)
    found = lut.reshape(-1, size)[rows]
    if size == 1 or vector_axis is None:
        return found.squeeze(-1)
    axis = vector_axis % indices.dim()
    return found.movedim(-1, axis + 1).flatten(axis, axis + 1)


@operator()
def constexpr_lut_to_sparse(
    indices_mask: Tensor, indices_nonzero_data: Tensor, lut: Tensor, vector_axis: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mask and the numbers under it, for indices that are there only where their mask is 1.

    A vector of the palette makes the mask longer along `vector_axis` too; the numbers are in the order of the whole tensor.
    """
    dense = constexpr_lut_to_dense(constexpr_sparse_to_dense(indices_nonzero_data, indices_mask), lut, None, vector_axis)
    mask = indices_mask if vector_axis is None else indices_mask.repeat_interleave(lut.shape[-1], vector_axis)
    return mask, dense[mask.bool()]


@operator()
def constexpr_sparse_blockwise_shift_scale(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mask, and scale * (number - offset) for the numbers under it; what is not under it stays 0."""
    dense = constexpr_blockwise_shift_scale(constexpr_sparse_to_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask.bool()]


@operator()
def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: Ints | None = None) -> Tensor:
    """Return a tensor of zeros with nonzero_data, in row-major order, where the mask is 1.

    With `shape` (iOS 16) the mask is packed, a bit for each number.
    """
    if shape is not None:
        mask = _unpack(mask, 1, shape)
    return torch.zeros(mask.shape, dtype=nonzero_data.dtype).masked_scatter_(mask.bool(), nonzero_data)


def _spread(values: Tensor, shape: Sequence[int]) -> Tensor:
    """Repeat each value over its block, so that `values` broadcasts to `shape`. An axis of one value is left as it is."""
    for axis, (size, wanted) in enumerate(zip(values.shape, shape, strict=True)):
        if size not in (1, wanted):
            values = values.repeat_interleave(wanted // size, axis)
    return values


def _unpack(packed: Tensor, bits: int, shape: Ints) -> Tensor:
    """Return the numbers of `bits` bits that bytes hold, lowest bit first; a number may begin in one byte and end in the next.

    Eight numbers fill `bits` bytes: these are joined to one word, and it is cut in eight.
    """
    padding = -packed.numel() % bits
    groups = torch.nn.functional.pad(packed, (0, padding)).reshape(-1, bits).long()
    word = (groups << (8 * torch.arange(bits))).sum(1, keepdim=True)
    numbers = (word >> (bits * torch.arange(8))) & (2**bits - 1)
    return numbers.flatten()[: math.prod(shape)].reshape(shape)
