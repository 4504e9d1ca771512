"""Operators that give a tensor another shape, or take a part of it. Most return a view, which costs nothing.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15/tensor_transformation.py and those of iOS16 to
iOS18; for the order in which blocks become channels or a batch, frontend/tensorflow/ops.py, whose operators these are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import Bools, Ints, operator


@operator()
def batch_to_space(x: Tensor, block_shape: Ints, crops: Tensor) -> Tensor:
    """Return the batch as blocks of pixels, undoing `space_to_batch`, with `crops` (before, after) cut off height and width."""
    _, channels, height, width = x.shape
    rows, columns = block_shape
    y = x.reshape(rows, columns, -1, channels, height, width).permute(2, 3, 4, 0, 5, 1)
    y = y.reshape(-1, channels, height * rows, width * columns)
    (top, bottom), (left, right) = crops.tolist()
    return y[:, :, top : height * rows - bottom, left : width * columns - right]


@operator()
def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    """Return channels as blocks of pixels, the place in the block changing slower than the channel (see `pixel_shuffle`)."""
    batch, channels, height, width = x.shape
    b = block_size
    y = x.reshape(batch, b, b, channels // b**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return y.reshape(batch, channels // b**2, height * b, width * b)


@operator()
def expand_dims(x: Tensor, axes: Ints) -> Tensor:
    """Return x with new axes of size 1, which stand at `axes` of the result."""
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operator()
def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Return channels as blocks of pixels, the channel changing slower than the place in the block (see `depth_to_space`)."""
    return torch.nn.functional.pixel_shuffle(x, upscale_factor)


@operator()
def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """Return blocks of pixels as channels, undoing `pixel_shuffle`."""
    return torch.nn.functional.pixel_unshuffle(x, downscale_factor)


@operator()
def reshape(x: Tensor, shape: Ints) -> Tensor:
    """Return x in another shape: -1 stands for what is left, 0 for the size of x there, counted from the last axis.

    Before iOS 17 a 0 is allowed only where both have the same rank, so that one rule serves all.
    """
    if 0 in shape and (x.numel() or -1 in shape):  # of an empty tensor, a computed 0 is a size
        own = [1] * (len(shape) - x.dim()) + list(x.shape[-len(shape) :])
        shape = [size or kept for size, kept in zip(shape, own, strict=True)]
    return x.reshape(shape)


@operator()
def reshape_like(x: Tensor, ref_tensors: list[Tensor], begins: Ints, ends: Ints, end_masks: Bools) -> Tensor:
    """Return x in the shape made of pieces of other tensors' shapes, each from begin to end, or to its last (`end_masks`)."""
    shape: list[int] = []
    for tensor, begin, end, to_last in zip(ref_tensors, begins, ends, end_masks, strict=True):
        shape += tensor.shape[begin:] if to_last else tensor.shape[begin:end]
    return x.reshape(shape)


@operator()
def reverse(x: Tensor, axes: Ints | None = None) -> Tensor:
    """Return x in the opposite order along `axes`, along all where none are given."""
    return x.flip(list(range(x.dim())) if axes is None else axes)


@operator()
def reverse_sequence(x: Tensor, lengths: Tensor, seq_axis: int, batch_axis: int) -> Tensor:
    """Return x with the first `lengths[i]` elements along `seq_axis` reversed in the i-th slice of `batch_axis`."""
    seq_axis, batch_axis = seq_axis % x.dim(), batch_axis % x.dim()
    lengths = lengths.long().unsqueeze(1)
    positions = torch.arange(x.shape[seq_axis])
    sources = torch.where(positions < lengths, lengths - 1 - positions, positions)  # (batch, sequence)
    if batch_axis > seq_axis:
        sources = sources.T
    kept = [size if axis in (seq_axis, batch_axis) else 1 for axis, size in enumerate(x.shape)]
    return x.gather(seq_axis, sources.reshape(kept).expand(x.shape))


@operator()
def slice_by_index(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """Return x[begin:end:stride] for each axis, as in NumPy; a masked begin or end is left out.

    Where `squeeze_mask` is true it is x[begin], and the axis is gone.
    """
    index, flipped = _index(x.shape, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    return x[index].flip(flipped) if flipped else x[index]


@operator()
def slice_update(
    x: Tensor,
    update: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """Return x with `update` in the place that `slice_by_index` would take."""
    index, flipped = _index(x.shape, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    y = x.clone()
    place = y[index]
    place.copy_(update.reshape(place.shape).flip(flipped) if flipped else update.reshape(place.shape))
    return y


def _index(
    shape: torch.Size,
    begin: Ints,
    end: Ints,
    stride: Ints | None,
    begin_mask: Bools | None,
    end_mask: Bools | None,
    squeeze_mask: Bools | None,
) -> tuple[tuple[slice | int, ...], list[int]]:
    """Return an index with positive steps, the only ones that torch has, and the axes to turn round in what it takes."""
    index: list[slice | int] = []
    flipped: list[int] = []
    gone = 0
    for axis, size in enumerate(shape):
        first = None if begin_mask and begin_mask[axis] else begin[axis]
        if squeeze_mask and squeeze_mask[axis]:
            index.append(range(size)[first or 0])
            gone += 1
            continue
        last = None if end_mask and end_mask[axis] else end[axis]
        chosen = range(size)[first : last : stride[axis] if stride else 1]
        if chosen.step < 0:
            flipped.append(axis - gone)
            chosen = chosen[::-1]
        whole = len(chosen) == size  # which torch passes over
        index.append(slice(None) if whole else slice(chosen.start, chosen.stop, chosen.step))
    return tuple(index), flipped


@operator()
def slice_by_size(x: Tensor, begin: Ints, size: Ints) -> Tensor:
    """Return the part of x that begins at `begin` and has `size` elements along each axis; -1 means all that follow."""
    for axis, (first, count) in enumerate(zip(begin, size, strict=True)):
        first += x.shape[axis] if first < 0 else 0
        x = x.narrow(axis, first, x.shape[axis] - first if count == -1 else count)
    return x


@operator()
def sliding_windows(x: Tensor, axis: int, size: int, stride: int) -> Tensor:
    """Return all windows of `size` elements along `axis`, which become a new axis behind it."""
    axis %= x.dim()
    return x.unfold(axis, size, stride).movedim(-1, axis + 1)


@operator()
def space_to_batch(x: Tensor, block_shape: Ints, paddings: Tensor) -> Tensor:
    """Return blocks of pixels as a batch, after zeros were added (before, after) to height and width.

    The place in the block changes slower than the image in the batch.
    """
    (top, bottom), (left, right) = paddings.tolist()
    x = torch.nn.functional.pad(x, [left, right, top, bottom])
    batch, channels, height, width = x.shape
    rows, columns = block_shape
    y = x.reshape(batch, channels, height // rows, rows, width // columns, columns).permute(3, 5, 0, 1, 2, 4)
    return y.reshape(-1, channels, height // rows, width // columns)


@operator()
def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """Return blocks of pixels as channels, undoing `depth_to_space`."""
    batch, channels, height, width = x.shape
    b = block_size
    y = x.reshape(batch, channels, height // b, b, width // b, b).permute(0, 3, 5, 1, 2, 4)
    return y.reshape(batch, channels * b**2, height // b, width // b)


@operator()
def squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    """Return x without its axes of size 1, or without those of them that are named; larger axes stay."""
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


@operator()
def transpose(x: Tensor, perm: Ints) -> Tensor:
    """Return x with its axes in the order `perm`."""
    return x.permute(perm)
