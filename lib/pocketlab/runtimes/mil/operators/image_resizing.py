"""Resize, crop and warp images.

A grid point is a position in the input, in pixels: 0 is the center of the first, size - 1 that of the last.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15, iOS16 and iOS17, image_resizing.py; its tests
beside them (mil/ops/tests), whose expected values are those of Apple's runtime; SamplingMode in NeuralNetwork.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.runtimes.mil.registry import Ints, operator

_REFLECTED_AT_CENTERS = {"reflection": True, "symmetric": False}  # the padding modes that reflect, and where


@operator()
def crop(x: Tensor, crop_height: Ints, crop_width: Ints) -> Tensor:
    """Return x without so many rows at the top and the bottom, and columns at the left and the right."""
    height, width = x.shape[-2:]
    return x[..., crop_height[0] : height - crop_height[1], crop_width[0] : width - crop_width[1]]


@operator()
def resize(x: Tensor, shape: Ints, resized_dims: int, interpolation_mode: str, sampling_mode: str) -> Tensor:
    """Return x with its last `resized_dims` dimensions resized to the last numbers of `shape`, where 0 keeps what x has."""
    if resized_dims == 0:
        return x
    current = x.shape[-resized_dims:]
    sizes = [wanted or size for wanted, size in zip(shape[-resized_dims:], current, strict=True)]
    if interpolation_mode == "NEAREST_NEIGHBOR":
        return _nearest(x, sizes, sampling_mode)
    return _linear(x if x.is_floating_point() else x.float(), sizes, sampling_mode)


@operator()
def resize_bilinear(x: Tensor, target_size_height: int, target_size_width: int, sampling_mode: str) -> Tensor:
    """Return x with its last two dimensions resized, linearly between the four pixels around each grid point."""
    return _linear(x, [target_size_height, target_size_width], sampling_mode)


@operator()
def resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    """Return x with its last two dimensions resized: each pixel is the one that its center falls into."""
    return _nearest(x, [target_size_height, target_size_width], "UNALIGN_CORNERS")


@operator()
def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float,
    scale_factor_width: float,
    align_corners: bool,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """Return x with its last two dimensions scaled, as `resize_bilinear` to the size that results, rounded down."""
    if half_pixel_centers is None:
        half_pixel_centers = not align_corners
    if align_corners and half_pixel_centers:
        raise ValueError("align_corners and half_pixel_centers exclude each other, and both are true.")
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if half_pixel_centers else "DEFAULT"
    return _linear(x, _scaled(x, scale_factor_height, scale_factor_width), mode)


@operator()
def upsample_nearest_neighbor(x: Tensor, scale_factor_height: float, scale_factor_width: float) -> Tensor:
    """Return x with its last two dimensions scaled: each pixel is the one that its upper left corner falls into.

    The grid comes from the sizes, not from the factors: converters add 0.0001 to a size to have its factor rounded up.
    """
    return _interpolate(x, _scaled(x, scale_factor_height, scale_factor_width), "nearest")


@operator()
def affine(
    x: Tensor,
    transform_matrix: Tensor,
    output_height: int,
    output_width: int,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    """Return the image that has at (column, row) what x has at the matrix (a0, a1, a2, b0, b1, b2) times (column, row, 1).

    transform_matrix: (batch or 1, 6), of coordinates from -1 to 1.
    """
    batch, channels = x.shape[:2]
    matrices = transform_matrix.reshape(-1, 2, 3).expand(batch, 2, 3)
    size = [batch, channels, output_height, output_width]
    coordinates = functional.affine_grid(matrices, size, align_corners)
    return resample(x, coordinates, sampling_mode, padding_mode, padding_value, coordinates_mode, align_corners)


@operator()
def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    """Return what x (batch, channels, ...) has at coordinates (batch, height, width, 2), a column and a row each."""
    padding_mode, mode = padding_mode.lower(), sampling_mode.lower()
    coordinates = coordinates.to(x.dtype)
    # torch reflects at the centers of the outer pixels, or at their edges, as align_corners says. Here the padding mode says
    # it, and align_corners only what normalized coordinates mean.
    reflected_at_centers = _REFLECTED_AT_CENTERS.get(padding_mode)
    if coordinates_mode.lower() != "normalized_minus_one_to_one" or reflected_at_centers not in (None, align_corners):
        sizes = x.new_tensor(x.shape[:1:-1])
        points = _grid_points(coordinates, sizes, coordinates_mode.lower(), align_corners)
        if mode == "nearest" and reflected_at_centers is None:
            points = points.round()  # a point halfway between two pixels must not tip over when it is normalized
        align_corners = bool(reflected_at_centers)
        coordinates = _normalized(points, sizes, align_corners)
    padding = {"constant": "zeros", "border": "border"}.get(padding_mode, "reflection")
    if padding == "zeros" and padding_value:
        return functional.grid_sample(x - padding_value, coordinates, mode, padding, align_corners) + padding_value
    return functional.grid_sample(x, coordinates, mode, padding, align_corners)


@operator()
def crop_resize(
    x: Tensor,
    *,
    target_height: int,
    target_width: int,
    normalized_coordinates: bool,
    spatial_scale: float,
    box_coordinate_mode: str,
    sampling_mode: str,
    roi: Tensor | None = None,
    boxes: Tensor | None = None,
    box_indices: Tensor | None = None,
    pad_value: float = 0.0,
) -> Tensor:
    """Return boxes of x (batch, channels, height, width), each resized bilinearly; `pad_value` where a grid point is outside x.

    Up to iOS 16, roi (boxes, 1, 4, 1, 1) gives (boxes, batch, ...) and roi (boxes, 1, 5, 1, 1), with an image's number before
    each box, (boxes, 1, ...). From iOS 17 on, boxes (boxes, 4) and the image's number of each give (boxes, ...). A box whose
    end is before its start is mirrored.
    """
    if roi is not None:
        boxes = roi[:, 0, -4:, 0, 0]
        box_indices = roi[:, 0, 0, 0, 0] if roi.shape[2] == 5 else None
    elif boxes is None:
        raise ValueError("it has neither boxes nor roi.")
    elif box_indices is None:
        box_indices = torch.arange(len(boxes))
    starts, ends = _corners(boxes.double() * spatial_scale, box_coordinate_mode)  # (boxes, 2): height, width
    if normalized_coordinates:
        extents = starts.new_tensor(x.shape[2:]) - 1
        starts, ends = starts * extents, ends * extents
    rows = _between(starts[:, :1], ends[:, :1], target_height, sampling_mode)
    columns = _between(starts[:, 1:], ends[:, 1:], target_width, sampling_mode)
    crops = _sample(x, box_indices, rows, columns)  # (boxes, batch or 1, channels, height, width)
    out_rows, out_columns = ((p < 0) | (p > size - 1) for p, size in zip((rows, columns), x.shape[2:], strict=True))
    crops = crops.masked_fill((out_rows[:, :, None] | out_columns[:, None, :])[:, None, None], pad_value)
    return crops if roi is not None else crops[:, 0]


def _corners(boxes: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Return where boxes (boxes, 4) start and end, (boxes, 2) each, height first."""
    first, second = boxes[:, :2], boxes[:, 2:]
    if mode.endswith("WIDTH_FIRST"):
        first, second = first.flip(1), second.flip(1)
    if mode.startswith("CENTER_SIZE"):
        first, second = first - second / 2, first + second / 2
    return first, second


def _between(starts: Tensor, ends: Tensor, count: int, mode: str) -> Tensor:
    """Return `count` grid points from each start (boxes, 1) towards its end."""
    points = starts + (ends - starts).sign() * _spread((ends - starts).abs(), count, mode)
    return points.clamp(torch.minimum(starts, ends), torch.maximum(starts, ends))


def _sample(x: Tensor, images: Tensor | None, rows: Tensor, columns: Tensor) -> Tensor:
    """Return x at the grid points (boxes, height) and (boxes, width): (boxes, batch, channels, height, width).

    With images, the number of an image for each box, the batch is 1.
    """
    count, height, width = *rows.shape, columns.shape[1]
    points = torch.stack([columns[:, None].expand(-1, height, -1), rows[:, :, None].expand(-1, -1, width)], -1)
    grid = _normalized(points, points.new_tensor(x.shape[:1:-1]), False).to(x.dtype)  # (boxes, height, width, 2)

    def at(batch: Tensor, grid: Tensor) -> Tensor:  # all boxes below each other, so that no image is copied for each
        flat = grid.reshape(1, -1, width, 2).expand(len(batch), -1, -1, -1)
        sampled = functional.grid_sample(batch, flat, "bilinear", "border", False)
        return sampled.unflatten(2, (len(grid), height)).permute(2, 0, 1, 3, 4)

    if images is None:
        return at(x, grid)
    if count and (images.min() < 0 or images.max() >= len(x)):
        raise ValueError(f"a box is to be cut from an image that is not there; the images are 0 to {len(x) - 1}.")
    crops = x.new_empty(count, 1, x.shape[1], height, width)
    for image in range(len(x)):
        chosen = (images == image).nonzero().flatten()
        if len(chosen):
            crops[chosen] = at(x[image : image + 1], grid[chosen])
    return crops


def _grid_points(coordinates: Tensor, sizes: Tensor, mode: str, align_corners: bool) -> Tensor:
    """Return coordinates (..., 2) as grid points. sizes: width and height."""
    if mode == "unnormalized":
        return coordinates
    unit = coordinates if mode == "normalized_zero_to_one" else (coordinates + 1) / 2
    return unit * (sizes - 1) if align_corners else unit * sizes - 0.5


def _normalized(points: Tensor, sizes: Tensor, align_corners: bool) -> Tensor:
    """Return grid points (..., 2) as coordinates from -1 to 1. sizes: width and height."""
    if align_corners:
        return points * 2 / (sizes - 1).clamp(min=1) - 1
    return (points * 2 + 1) / sizes - 1


def _scaled(x: Tensor, *factors: float) -> Ints:
    """Return the sizes of the last dimensions of x times their factors, rounded down, in float32 as coremltools does it."""
    return [int(np.float32(factor) * np.float32(size)) for factor, size in zip(factors, x.shape[-2:], strict=True)]


def _spread(extents: Tensor, count: int, mode: str) -> Tensor:
    """Return `count` grid points of an image, or a box, from 0 to an extent, its size - 1; some may be beyond these.

    extents: (1) or (boxes, 1). The definition of the sampling modes is in coremltools' text on `resize_bilinear`.
    """
    steps = torch.arange(count, dtype=extents.dtype)
    if mode == "OFFSET_CORNERS":
        return (steps + 0.5) * extents.clamp(min=1) / count
    if mode == "UNALIGN_CORNERS":
        return (steps + 0.5) * (extents + 1) / count - 0.5
    if mode == "DEFAULT":
        return steps * (extents + 1) / count
    if count == 1 and mode == "ALIGN_CORNERS":
        return extents / 2
    return steps * extents / max(1, count - 1)


def _image_points(size: int, count: int, mode: str) -> Tensor:
    return _spread(torch.tensor([size - 1.0], dtype=torch.float64), count, mode).clamp(0, size - 1)


def _axes(x: Tensor, sizes: Ints) -> Iterator[tuple[int, int]]:
    """Yield the axes to be resized and their sizes; the last one first, where elements move one by one, not in rows."""
    last = x.dim() - 1
    return ((last - index, count) for index, count in enumerate(reversed(sizes)))


def _nearest(x: Tensor, sizes: Ints, mode: str) -> Tensor:
    """Return x with its last dimensions resized, each element the one nearest to a grid point; of two, the later one.

    DEFAULT means half-pixel centers here, unlike in linear resizing: TensorFlow's converter relies on it, and coremltools'
    test_resize_nearest_neighbor has no other explanation.
    """
    mode = "UNALIGN_CORNERS" if mode == "DEFAULT" else mode
    for axis, count in _axes(x, sizes):
        points = _image_points(x.shape[axis], count, mode)
        x = x.index_select(axis, (points + 0.5).long())
    return x


def _linear(x: Tensor, sizes: Ints, mode: str) -> Tensor:
    """Return x with its last dimensions resized, linearly between the elements around each grid point."""
    aligned = mode == "STRICT_ALIGN_CORNERS" or (mode == "ALIGN_CORNERS" and 1 not in sizes)
    if len(sizes) == 2 and (aligned or mode == "UNALIGN_CORNERS"):
        return _interpolate(x, sizes, "bilinear", aligned)
    for axis, count in _axes(x, sizes):
        points = _image_points(x.shape[axis], count, mode)
        before = points.long()
        after = (before + 1).clamp(max=x.shape[axis] - 1)
        weights = (points - before).to(x.dtype).reshape(-1, *[1] * (x.dim() - 1 - axis))
        x = torch.lerp(x.index_select(axis, before), x.index_select(axis, after), weights)
    return x


def _interpolate(x: Tensor, sizes: Ints, mode: str, align_corners: bool | None = None) -> Tensor:
    """Return torch's interpolation of the last two dimensions of x, which may have any number of others."""
    images = x if x.dim() == 4 else x.reshape(1, -1, *x.shape[-2:])
    resized = functional.interpolate(images, sizes, mode=mode, align_corners=align_corners)
    return resized.reshape(*x.shape[:-2], *sizes)
