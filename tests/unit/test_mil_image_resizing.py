from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from mil_harness import run_as_declared, run_operator

from pocketlab.errors import PocketlabError

MODES = ["STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS", "UNALIGN_CORNERS"]
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 7)
EPS = 2.0**-24

# The definitions below are exact: rational numbers, from NeuralNetwork.proto's words on SamplingMode ("all the methods can be
# expressed in terms of numpy's linspace function"), and for TensorFlow's and PyTorch's ways from their own formulas.


def linspace(start: Fraction, end: Fraction, count: int) -> list[Fraction]:
    return [start + (end - start) * i / (count - 1) if count > 1 else start for i in range(count)]


def grid(mode: str, size: Fraction, count: int) -> list[Fraction]:
    """The grid points of `count` samples from the interval [0, size - 1]."""
    size = Fraction(size)
    if mode == "OFFSET_CORNERS":
        spacing = max(Fraction(1), size - 1) / count
        points = linspace(spacing / 2, spacing / 2 + (count - 1) * spacing, count)
    elif mode == "UNALIGN_CORNERS":
        points = [i * size / count + size / count / 2 - Fraction(1, 2) for i in range(count)]
    elif mode == "DEFAULT":
        points = linspace(Fraction(0), size - size / count, count)
    elif mode == "ALIGN_CORNERS" and count == 1:
        points = [(size - 1) / 2]
    else:
        points = linspace(Fraction(0), size - 1, count)
    return [min(size - 1, max(Fraction(0), point)) for point in points]


def weights(points: list[Fraction], size: int) -> np.ndarray:
    """How much of each of `size` elements is in each point, (points, size), for points within the image."""
    table = np.zeros((len(points), size))
    for row, point in zip(table, points, strict=True):
        before = floor(point)
        row[before] += 1 - point + before
        if point > before:
            row[before + 1] += point - before
    return table


def whole(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-8, 9, shape).astype(np.float32)


def interpolation_error(x: np.ndarray, sizes) -> float:
    """What float32 may be off by, from x alone. Values up to m and sizes up to n, along each of the axes:

    a position up to n is off by 2 roundings, 2 n EPS, over which values change by 2 m at most; then the two weighted values are
    rounded and added, 3 m EPS.
    """
    m, n = float(np.abs(x).max(initial=0)), max([*x.shape, *sizes])
    return len(sizes) * (4 * n + 3) * m * EPS


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=15, deadline=None)
@given(SEEDS, st.lists(SIZES, min_size=3, max_size=5), SIZES, SIZES)
def test_resize_bilinear_is_its_definition(mode, seed, shape, height, width):
    x = whole(np.random.default_rng(seed), *shape)
    options = {"target_size_height": height, "target_size_width": width, "sampling_mode": mode}
    (ours,) = run_as_declared("resize_bilinear", {"x": x}, **options)
    rows, columns = (weights(grid(mode, n, c), n) for n, c in zip(shape[-2:], (height, width), strict=True))
    np.testing.assert_allclose(ours, rows @ x @ columns.T, rtol=0, atol=interpolation_error(x, (height, width)))


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=15, deadline=None)
@given(SEEDS, st.lists(SIZES, min_size=1, max_size=5), st.data())
def test_resize_is_its_definition_for_any_number_of_dimensions(mode, dynamic, seed, shape, data):
    x = whole(np.random.default_rng(seed), *shape)
    resized = data.draw(st.integers(1, len(shape)))
    length = data.draw(st.integers(resized, len(shape)))
    wanted = np.array([data.draw(st.integers(0, 6)) for _ in range(length)], np.int32)
    sizes = [int(new) or old for new, old in zip(wanted[-resized:], shape[-resized:], strict=True)]
    tensors = {"x": x, "shape": wanted} if dynamic else {"x": x}
    options = {"sampling_mode": mode, "resized_dims": np.uint32(resized)} | ({} if dynamic else {"shape": wanted})
    (ours,) = run_as_declared("resize", tensors, "iOS17", **options)
    expected = x.astype(np.float64)
    for axis, count in enumerate(sizes, len(shape) - resized):
        table = weights(grid(mode, shape[axis], count), shape[axis])
        expected = np.moveaxis(np.tensordot(table, expected, (1, axis)), 0, axis)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=interpolation_error(x, sizes))


@pytest.mark.parametrize("floating", [True, False])
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=15, deadline=None)
@given(SEEDS, st.lists(SIZES, min_size=2, max_size=4), SIZES, SIZES)
def test_resize_to_the_nearest_neighbor(mode, floating, seed, shape, height, width):
    dtype = np.float32 if floating else np.int32
    x = whole(np.random.default_rng(seed), *shape).astype(dtype)
    options = {"shape": [height, width], "resized_dims": np.uint32(2), "interpolation_mode": "NEAREST_NEIGHBOR"}
    (ours,) = run_as_declared("resize", {"x": x}, "iOS17", sampling_mode=mode, **options)
    assert ours.dtype == dtype
    mode = "UNALIGN_CORNERS" if mode == "DEFAULT" else mode  # half-pixel centers: see the operator
    rows, columns = (
        [floor(p + Fraction(1, 2)) for p in grid(mode, n, c)] for n, c in zip(shape[-2:], (height, width), strict=True)
    )
    np.testing.assert_array_equal(ours, x[..., rows, :][..., columns])


def test_linear_resize_of_whole_numbers_has_whole_results():
    options = {"shape": [4], "resized_dims": np.uint32(1), "sampling_mode": "STRICT_ALIGN_CORNERS"}
    (ours,) = run_operator("resize", {"x": np.array([0, 9], np.int32)}, "iOS17", **options)
    np.testing.assert_array_equal(ours, np.array([0, 3, 6, 9], np.int32))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.lists(SIZES, min_size=3, max_size=5), SIZES, SIZES)
def test_resize_nearest_neighbor_is_tensorflows_with_half_pixel_centers(seed, shape, height, width):
    x = whole(np.random.default_rng(seed), *shape)
    (ours,) = run_as_declared("resize_nearest_neighbor", {"x": x}, target_size_height=height, target_size_width=width)
    rows, columns = ([(2 * i + 1) * n // (2 * c) for i in range(c)] for n, c in zip(shape[-2:], (height, width), strict=True))
    np.testing.assert_array_equal(ours, x[..., rows, :][..., columns])


def converted_scale(size: int, target: int) -> float:
    """The scale that the converters make of a size (_get_scales_from_output_size in frontend/torch/ops.py)."""
    return target / size if target % size == 0 else (target + 1e-4) / size


@pytest.mark.parametrize("mode", ["nearest", "aligned", "unaligned"])
@settings(max_examples=20, deadline=None)
@given(SEEDS, SIZES, SIZES, SIZES, SIZES)
def test_upsampling_as_the_converter_writes_torchs_interpolate(mode, seed, h, w, height, width):
    x = whole(np.random.default_rng(seed), 2, 3, h, w)
    scales = {"scale_factor_height": converted_scale(h, height), "scale_factor_width": converted_scale(w, width)}
    if mode == "nearest":
        (ours,) = run_as_declared("upsample_nearest_neighbor", {"x": x}, **scales)
        # floor(i * in / out): torch's own formula, whose float32 is exact enough at these sizes
        rows, columns = [i * h // height for i in range(height)], [i * w // width for i in range(width)]
        np.testing.assert_array_equal(ours, x[:, :, rows][..., columns])
        np.testing.assert_array_equal(ours, F.interpolate(torch.from_numpy(x), (height, width)).numpy())
        return
    aligned = mode == "aligned"
    (ours,) = run_as_declared("upsample_bilinear", {"x": x}, align_corners=aligned, **scales)
    name = "STRICT_ALIGN_CORNERS" if aligned else "UNALIGN_CORNERS"
    expected = weights(grid(name, h, height), h) @ x @ weights(grid(name, w, width), w).T
    np.testing.assert_allclose(ours, expected, rtol=0, atol=interpolation_error(x, (height, width)))
    theirs = F.interpolate(torch.from_numpy(x), (height, width), mode="bilinear", align_corners=aligned).numpy()
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("scale", "size"), [(2.3, 23), (1.1, 11), (0.75, 7), (2, 20)])
def test_scaled_sizes_are_rounded_as_coremltools_rounds_them(scale, size):
    # 2.3 as float32 is less than 2.3, and 10 times as much less than 23; only a product rounded to float32 is 23 again.
    x = np.zeros((1, 1, 10), np.float32)
    for name in ("upsample_nearest_neighbor", "upsample_bilinear"):
        (ours,) = run_as_declared(name, {"x": x}, scale_factor_width=scale, scale_factor_height=1 if scale == 2 else 1.0)
        assert ours.shape == (1, 1, size)


@pytest.mark.parametrize("half", [None, True, False])
@pytest.mark.parametrize("align", [True, False])
def test_upsample_bilinear_with_half_pixel_centers(align, half):
    x = np.array([1, 2], np.float32).reshape(1, 1, 1, 2)
    options = {} if half is None else {"half_pixel_centers": half}

    def ours():
        return run_operator(
            "upsample_bilinear", {"x": x}, "iOS16", scale_factor_height=2, scale_factor_width=3, align_corners=align, **options
        )[0]  # fmt: skip

    if align and half:
        with pytest.raises(PocketlabError, match=r"upsample_bilinear .* exclude each other"):
            ours()
        return
    # coremltools' own expected values, iOS16/test_image_resizing.py
    third = 1 / 3
    row = {(True, False): [1, 1.2, 1.4, 1.6, 1.8, 2], (False, True): [1, 1, 1 + third, 2 - third, 2, 2]}.get(
        (align, (not align) if half is None else half), [1, 1 + third, 2 - third, 2, 2, 2]
    )
    np.testing.assert_allclose(ours(), [[[row, row]]], rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.lists(SIZES, min_size=3, max_size=5), st.data())
def test_crop_takes_rows_and_columns_away(shape, data):
    x = whole(np.random.default_rng(0), *shape)
    top, left = data.draw(st.integers(0, shape[-2] - 1)), data.draw(st.integers(0, shape[-1] - 1))
    bottom, right = data.draw(st.integers(0, shape[-2] - 1 - top)), data.draw(st.integers(0, shape[-1] - 1 - left))
    (ours,) = run_as_declared("crop", {"x": x}, crop_height=[top, bottom], crop_width=[left, right])
    np.testing.assert_array_equal(ours, x[..., top : shape[-2] - bottom, left : shape[-1] - right])


def test_crop_takes_no_rows_away():
    x = whole(np.random.default_rng(0), 1, 3, 4)
    np.testing.assert_array_equal(run_operator("crop", {"x": x}, crop_height=[0, 0], crop_width=[1, 0])[0], x[..., 1:])


# --- Sampling at given coordinates --------------------------------------------------------------------------------------

FAR = 40  # elements of padding around an image, more than any coordinate below goes out


def padded(x: np.ndarray, mode: str, value: float) -> np.ndarray:
    width = [(0, 0), (0, 0), (FAR, FAR), (FAR, FAR)]
    if mode == "constant":
        return np.pad(x, width, constant_values=value)
    return np.pad(x, width, {"border": "edge", "reflection": "reflect", "symmetric": "symmetric"}[mode])


def sampled(x: np.ndarray, points: np.ndarray, sampling: str, mode: str, value: float) -> np.ndarray:
    """x at points (batch, height, width, 2), in pixels, a column and a row each: from an image padded far enough around."""
    wide = padded(x.astype(np.float64), mode, value)
    out = np.empty((*x.shape[:2], *points.shape[1:3]))
    for n, i, j in np.ndindex(points.shape[:3]):
        column, row = (points[n, i, j] + FAR).astype(np.float64)
        if sampling == "nearest":
            out[n, :, i, j] = wide[n, :, int(np.rint(row)), int(np.rint(column))]
            continue
        r, c = floor(row), floor(column)
        square = wide[n, :, r : r + 2, c : c + 2]
        out[n, :, i, j] = np.array([1 - row + r, row - r]) @ square @ np.array([1 - column + c, column - c])
    return out


def in_pixels(coordinates: np.ndarray, mode: str, align: bool, shape) -> np.ndarray:
    sizes = np.array(shape[:1:-1], np.float64)
    if mode == "unnormalized":
        return coordinates.astype(np.float64)
    low, high = (-1, 1) if mode == "normalized_minus_one_to_one" else (0, 1)
    start, end = (0, sizes - 1) if align else (-0.5, sizes - 0.5)  # of the image, at the centers or at the edges
    return start + (coordinates.astype(np.float64) - low) / (high - low) * (end - start)


PADDINGS = ["constant", "border", "reflection", "symmetric"]
COORDINATES = ["unnormalized", "normalized_minus_one_to_one", "normalized_zero_to_one"]


def sampling_error(x: np.ndarray, farthest: float, value: float) -> float:
    """A position `farthest` pixels out, or n pixels in, goes through at most 8 roundings on its way to torch's kernel, and in it;
    over each, values change by 2 m at most. The weighted sum adds 8 m EPS, the shift by `value` 2 EPS of what is shifted.
    """
    m = float(np.abs(x).max()) + abs(value)
    return (2 * 8 * 2 * (farthest + max(x.shape)) + 8 + 2) * m * EPS


@pytest.mark.parametrize("sampling", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", COORDINATES)
@settings(max_examples=10, deadline=None)
@given(SEEDS, SIZES, SIZES, st.booleans(), st.sampled_from([0.0, 6.25]))
def test_resample_is_its_definition(mode, padding, sampling, seed, height, width, align, value):
    rng = np.random.default_rng(seed)
    x = whole(rng, 2, 3, height, width)
    scale, shift = {"unnormalized": (12, -3), "normalized_zero_to_one": (3, -1), "normalized_minus_one_to_one": (4, -2)}[mode]
    coordinates = (rng.random((2, 3, 4, 2)) * scale + shift).astype(np.float32)
    points = in_pixels(coordinates, mode, align, x.shape)
    if sampling == "nearest":  # keep away from the middle between two pixels, where rounding of the position decides
        points += np.where(np.abs(points % 1 - 0.5) < 0.01, 0.03, 0)
        coordinates = to_coordinates(points, mode, align, x.shape)
    (ours,) = run_as_declared(
        "resample", {"x": x, "coordinates": coordinates}, "iOS15", sampling_mode=sampling, padding_mode=padding,
        padding_value=np.float32(value), coordinates_mode=mode, align_corners=align,
    )  # fmt: skip
    expected = sampled(x, points, sampling, padding, value)
    atol = 0 if sampling == "nearest" else sampling_error(x, np.abs(points).max(), value)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=atol)


def to_coordinates(points: np.ndarray, mode: str, align: bool, shape) -> np.ndarray:
    """The inverse of `in_pixels`; where an aligned axis has one pixel, any coordinate is that."""
    sizes = np.array(shape[:1:-1], np.float64)
    if mode == "unnormalized":
        return points.astype(np.float32)
    low, high = (-1, 1) if mode == "normalized_minus_one_to_one" else (0, 1)
    start, end = (np.zeros(2), sizes - 1) if align else (np.full(2, -0.5), sizes - 0.5)
    span = np.where(end > start, end - start, 1)
    return (low + (points - start) / span * (high - low) * (end > start)).astype(np.float32)


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("sampling", ["bilinear", "nearest"])
def test_resample_as_the_converter_writes_torchs_grid_sample(sampling, padding, align):
    rng = np.random.default_rng(0)
    x, coordinates = whole(rng, 2, 3, 5, 4), (rng.random((2, 3, 6, 2)) * 4 - 2).astype(np.float32)
    names = {"zeros": "constant", "border": "border", "reflection": "reflection" if align else "symmetric"}
    (ours,) = run_operator(
        "resample", {"x": x, "coordinates": coordinates}, sampling_mode=sampling, padding_mode=names[padding],
        padding_value=np.float32(0), coordinates_mode="normalized_minus_one_to_one", align_corners=align,
    )  # fmt: skip
    expected = F.grid_sample(torch.from_numpy(x), torch.from_numpy(coordinates), sampling, padding, align).numpy()
    np.testing.assert_array_equal(ours, expected)


def test_resample_halfway_between_two_pixels_takes_the_even_one():
    # 26 columns: at this width torch's kernel puts 5 of these points into the wrong one, if they are only normalized for it.
    x = np.arange(26, dtype=np.float32).reshape(1, 1, 1, 26)
    columns = np.arange(0.5, 25, 1, np.float32)
    coordinates = np.stack([columns, np.zeros_like(columns)], -1)[None, None]
    for padding in ("constant", "border"):
        (ours,) = run_operator(
            "resample", {"x": x, "coordinates": coordinates}, sampling_mode="nearest", padding_mode=padding,
            padding_value=np.float32(9), coordinates_mode="unnormalized", align_corners=False,
        )  # fmt: skip
        np.testing.assert_array_equal(ours.flatten(), np.rint(columns))


# coremltools' expected values, iOS15/test_image_resizing.py, which Apple's runtime gives
FOUR = np.array([11, 22, 33, 44], np.float32).reshape(1, 1, 2, 2)
REAL = np.array([-1, -2, -3.7, -1, 0, 0, 3.5, 1.2], np.float32).reshape(1, 2, 2, 2)
WHOLE = np.array([0, 0, 1, 1, 0, 0, 1, 1]).reshape(1, 2, 2, 2)
APPLES_RESAMPLE = [
    ("bilinear", "constant", 6.17, "normalized_minus_one_to_one", True, [8.585, 6.17, 27.5, 6.17], [27.5, 44, 27.5, 44]),
    ("nearest", "border", -1, "unnormalized", False, [11, 11, 11, 44], [11, 44, 11, 44]),
    ("bilinear", "reflection", -1, "normalized_zero_to_one", True, [22, 36.3, 11, 34.1], [11, 44, 11, 44]),
    ("nearest", "symmetric", -1, "normalized_zero_to_one", False, [22, 33, 11, 33], [11, 44, 11, 44]),
]


@pytest.mark.parametrize(("sampling", "padding", "value", "mode", "align", "real", "whole_numbers"), APPLES_RESAMPLE)
def test_resample_gives_what_apples_runtime_gives(sampling, padding, value, mode, align, real, whole_numbers):
    for dtype in (np.float32, np.int32, np.uint8, np.int16):
        floating = dtype == np.float32
        (ours,) = run_operator(
            "resample", {"x": FOUR, "coordinates": (REAL if floating else WHOLE).astype(dtype)}, "iOS17", sampling_mode=sampling,
            padding_mode=padding, padding_value=np.float32(value), coordinates_mode=mode, align_corners=align,
        )  # fmt: skip
        np.testing.assert_allclose(ours.flatten(), real if floating else whole_numbers, rtol=1e-6)


AFFINE = {
    "sampling_mode": "bilinear", "padding_mode": "constant", "padding_value": np.float32(0),
    "coordinates_mode": "normalized_minus_one_to_one",
}  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(SEEDS, SIZES, SIZES, st.integers(2, 6), st.integers(2, 6), st.booleans(), st.booleans())
def test_affine_is_its_definition(seed, h, w, height, width, align, shared):
    rng = np.random.default_rng(seed)
    x = whole(rng, 2, 3, h, w)
    matrix = rng.uniform(-1.5, 1.5, (1 if shared else 2, 6)).astype(np.float32)
    tensors = {"x": x, "transform_matrix": matrix}
    (ours,) = run_as_declared("affine", tensors, output_height=height, output_width=width, align_corners=align, **AFFINE)
    edge = [1 - (0 if align else 1 / count) for count in (height, width)]  # the center of the last pixel
    rows, columns = (np.linspace(-e, e, count) for e, count in zip(edge, (height, width), strict=True))
    place = np.stack([*np.broadcast_arrays(columns[None], rows[:, None]), np.ones((height, width))], -1)
    where = np.broadcast_to(np.einsum("hwk,nck->nhwc", place, matrix.reshape(-1, 2, 3)), (2, height, width, 2))
    points = in_pixels(where, "normalized_minus_one_to_one", align, x.shape)
    # affine_grid's three products and its own positions add 6 roundings of numbers up to 4.5 to those of `sampling_error`
    atol = sampling_error(x, np.abs(points).max() + 4.5 * max(h, w), 0)
    np.testing.assert_allclose(ours, sampled(x, points, "bilinear", "constant", 0), rtol=0, atol=atol)
    grid = F.affine_grid(torch.from_numpy(matrix).reshape(-1, 2, 3).expand(2, 2, 3), (2, 3, height, width), align)
    np.testing.assert_array_equal(ours, F.grid_sample(torch.from_numpy(x), grid, align_corners=align).numpy())


def test_affine_gives_what_apples_runtime_gives():
    # iOS15/test_image_resizing.py
    tensors = {"x": FOUR, "transform_matrix": np.array([[-1, -2, -3.7, -1, 3.5, 1.2]], np.float32)}
    (ours,) = run_operator("affine", tensors, output_height=2, output_width=5, align_corners=True, **AFFINE)
    np.testing.assert_allclose(ours.flatten(), [10.752501, 5.94, 2.5025, 0.44000006, 0, 0, 0, 0, 0, 0], rtol=1e-5, atol=1e-6)


# --- Boxes --------------------------------------------------------------------------------------------------------------

BOXES = ["CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST"]


def between(start: Fraction, end: Fraction, count: int, mode: str) -> list[Fraction]:
    sign = 1 if end >= start else -1
    return [start + sign * point for point in grid(mode, abs(end - start) + 1, count)]


def resized_box(image, box, height, width, mode, pad_value):
    """One box (h_start, w_start, h_end, w_end), in pixels, of an image (channels, height, width)."""
    start_h, start_w, end_h, end_w = (Fraction(float(number)) for number in box)
    out = np.full((len(image), height, width), pad_value, np.float64)
    for i, row in enumerate(between(start_h, end_h, height, mode)):
        for j, column in enumerate(between(start_w, end_w, width, mode)):
            if 0 <= row <= image.shape[1] - 1 and 0 <= column <= image.shape[2] - 1:
                out[:, i, j] = weights([row], image.shape[1])[0] @ image @ weights([column], image.shape[2])[0]
    return out


@pytest.mark.parametrize("version", ["iOS15 all", "iOS16 all", "iOS16 numbered", "iOS17", "iOS17 numbered"])
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=10, deadline=None)
@given(SEEDS, SIZES, SIZES, SIZES, SIZES, st.sampled_from(BOXES), st.booleans(), st.sampled_from([1.0, 0.5]))
def test_crop_resize_is_its_definition(mode, version, seed, h, w, height, width, box_mode, normalized, scale):
    rng = np.random.default_rng(seed)
    x = whole(rng, 3, 2, h, w)
    pad_value = 0.0 if version.startswith("iOS15") else 5.0
    # corners in eighths of a pixel (or of the image), so that they, their centers and their sizes are exact
    reach = np.array([1, 1, 1, 1] if normalized else [h - 1, w - 1, h - 1, w - 1]) / (1 if normalized else scale)
    corners = np.round((rng.random((3, 4)) * 1.4 - 0.2) * reach * 8) / 8
    boxes = corners
    if box_mode.startswith("CENTER"):
        boxes = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1)
    if box_mode.endswith("WIDTH_FIRST"):
        boxes = boxes[:, [1, 0, 3, 2]]
    indices = rng.integers(0, 3, 3)
    options = {
        "target_height": height, "target_width": width, "normalized_coordinates": normalized, "sampling_mode": mode,
        "spatial_scale": np.float32(scale), "box_coordinate_mode": box_mode,
    } | ({} if version.startswith("iOS15") else {"pad_value": np.float32(pad_value)})  # fmt: skip
    boxes = boxes.astype(np.float32)
    tensors = {"x": x}
    if version.startswith("iOS17"):
        tensors["boxes"] = boxes
        if version.endswith("numbered"):
            tensors["box_indices"] = indices.astype(np.int32)
    else:
        numbered = np.concatenate([indices[:, None].astype(np.float32), boxes], 1) if version.endswith("numbered") else boxes
        tensors["roi"] = numbered.reshape(3, 1, -1, 1, 1)
    if version == "iOS16 numbered":  # coremltools infers batch images for each box, its text and Apple's runtime have one
        (ours,) = run_operator("crop_resize", tensors, "iOS16", **options)
    else:
        (ours,) = run_as_declared("crop_resize", tensors, version.split()[0], **options)
    in_image = corners * scale * (np.array([h - 1, w - 1, h - 1, w - 1]) if normalized else 1)
    if version.endswith("all"):
        expected = [[resized_box(image, box, height, width, mode, pad_value) for image in x] for box in in_image]
    else:
        images = x[indices] if version.endswith("numbered") else x
        pairs = zip(images, in_image, strict=True)
        expected = np.array([resized_box(image, box, height, width, mode, pad_value) for image, box in pairs])
        expected = expected[:, None] if version.startswith("iOS16") else expected
    np.testing.assert_allclose(ours, expected, rtol=0, atol=sampling_error(x, max(h, w), 0))


def test_crop_resize_gives_what_apples_runtime_gives():
    # iOS14, iOS16 and iOS17/test_image_resizing.py
    x = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)

    def ours(box, size, normalized=False, opset="iOS15", **options):
        roi = np.array(box, np.float32).reshape(-1, 1, len(box[0]), 1, 1)
        return run_operator(
            "crop_resize", {"x": x, "roi": roi}, opset, target_width=size, target_height=size, sampling_mode="ALIGN_CORNERS",
            normalized_coordinates=normalized, box_coordinate_mode="CORNERS_HEIGHT_FIRST", **options,
        )[0].flatten()  # fmt: skip

    np.testing.assert_allclose(ours([[1, 1, 2, 2]], 2), [6, 7, 10, 11], rtol=1e-6)
    np.testing.assert_allclose(ours([[1, 1, 2, 2]], 4)[:5], [6, 6.333333, 6.66666, 7, 7.333333], rtol=2e-6)
    np.testing.assert_allclose(ours([[1, 1, 2, 2]], 1), [8.5], rtol=1e-6)
    np.testing.assert_allclose(ours([[0, 0, 0, 1 / 3, 1 / 3]], 2, True), [1, 2, 5, 6], rtol=1e-6)
    np.testing.assert_allclose(ours([[2, 2, 1, 1]], 2), [11, 10, 7, 6], rtol=1e-6)
    boxes = [[0.1, 0.3, 1.3, 1.0], [0.5, 1.8, 1.0, 0.3], [0.0, 0.4, 0.6, 0.7]]
    expected = [3.1, 5.2, 10, 10, 10, 7.9, 10, 13.9, 2.2, 3.1, 9.4, 10.3]
    numbered = [[0, *box] for box in boxes]
    np.testing.assert_allclose(ours(numbered, 2, True, "iOS16", pad_value=np.float32(10)), expected, rtol=1e-6)
    (new,) = run_operator(
        "crop_resize", {"x": x, "boxes": np.float32(boxes), "box_indices": np.zeros(3, np.int32)}, "iOS17", target_width=2,
        target_height=2, normalized_coordinates=True, sampling_mode="ALIGN_CORNERS", pad_value=np.float32(10),
    )  # fmt: skip
    np.testing.assert_allclose(new.flatten(), expected, rtol=1e-6)


def test_resizing_gives_what_apples_runtime_gives():
    # iOS14, iOS15 and iOS17/test_image_resizing.py, and the words of resize_bilinear
    x = np.array([0, 1], np.float32).reshape(1, 1, 2)
    rows = {
        "STRICT_ALIGN_CORNERS": [0, 0.25, 0.5, 0.75, 1], "ALIGN_CORNERS": [0, 0.25, 0.5, 0.75, 1], "DEFAULT": [0, 0.4, 0.8, 1, 1],
        "OFFSET_CORNERS": [0.1, 0.3, 0.5, 0.7, 0.9], "UNALIGN_CORNERS": [0, 0.1, 0.5, 0.9, 1],
    }  # fmt: skip
    for mode, row in rows.items():
        (ours,) = run_operator("resize_bilinear", {"x": x}, target_size_height=1, target_size_width=5, sampling_mode=mode)
        np.testing.assert_allclose(ours.flatten(), row, rtol=1e-6, atol=1e-7)
    nearest = {"interpolation_mode": "NEAREST_NEIGHBOR", "sampling_mode": "DEFAULT"}
    x = np.array([-6.174, 9.371], np.float32)
    (ours,) = run_operator("resize", {"x": x.reshape(1, 1, 2, 1)}, shape=[1, 1, 3, 2], resized_dims=np.uint32(2), **nearest)
    np.testing.assert_array_equal(ours.flatten(), x[[0, 0, 1, 1, 1, 1]])
    x = np.array([1.5, -2.5, 3.5], np.float32).reshape(1, 1, 1, 3)
    for height, width, columns in ((3.17, 0.67, [0, 1]), (2.0, 1.12, [0, 1, 2])):
        scales = {"scale_factor_height": height, "scale_factor_width": width}
        (ours,) = run_operator("upsample_nearest_neighbor", {"x": x}, **scales)
        np.testing.assert_array_equal(ours, np.repeat(x[..., columns], int(height), 2))


def roi_align(x, box, outputs, samples):
    """RoIAlign of one image (He et al. 2017, section 3), with `samples` points along each side of a bin, averaged.

    box: (x_start, y_start, x_end, y_end) in pixels, at least one wide and high.
    """
    left, top, right, bottom = (Fraction(float(number)) for number in box)
    count = outputs * samples
    rows = [top + (bottom - top) * (2 * i + 1) / (2 * count) for i in range(count)]
    columns = [left + (right - left) * (2 * i + 1) / (2 * count) for i in range(count)]
    fine = weights(rows, x.shape[1]) @ x @ weights(columns, x.shape[2]).T
    return fine.reshape(len(x), outputs, samples, outputs, samples).mean((2, 4))


def test_crop_resize_and_a_pool_are_roi_align():
    rng = np.random.default_rng(0)
    x = whole(rng, 1, 3, 9, 8)
    box = np.array([[4, 6, 20, 26]], np.float32)  # at four times the resolution of x
    (fine,) = run_operator(
        "crop_resize", {"x": x, "boxes": box}, "iOS17", target_height=6, target_width=6, sampling_mode="OFFSET_CORNERS",
        box_coordinate_mode="CORNERS_WIDTH_FIRST", spatial_scale=np.float32(0.25),
    )  # fmt: skip
    (ours,) = run_operator("avg_pool", {"x": fine}, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid")
    np.testing.assert_allclose(ours[0], roi_align(x[0], box[0] / 4, 3, 2), rtol=0, atol=sampling_error(x, 9, 0))


def test_crop_resize_without_boxes_and_with_an_image_that_is_not_there():
    x = np.ones((2, 1, 3, 3), np.float32)
    options = {"target_height": 2, "target_width": 2}
    tensors = {"x": x, "boxes": np.zeros((1, 4), np.float32), "box_indices": np.array([2], np.int32)}
    with pytest.raises(PocketlabError, match=r"crop_resize .* images are 0 to 1"):
        run_operator("crop_resize", tensors, "iOS17", **options)
