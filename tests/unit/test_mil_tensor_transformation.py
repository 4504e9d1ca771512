from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, mb, run, run_operator

from pocketlab.errors import PocketlabError

few = settings(max_examples=25, deadline=None)
TYPES = st.sampled_from([np.float32, np.int32, np.bool_])


def numbered(shape, dtype=np.float32):
    """An array in which every element is another one, so that none can be taken for its neighbor."""
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return x % 3 == 1 if dtype is np.bool_ else x.astype(dtype)


@st.composite
def arrays(draw, min_dims=1, max_dims=5, max_side=4):
    return numbered(draw(hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, max_side=max_side)), draw(TYPES))


def ints(*values):
    return np.array(values, np.int32)


# Blocks of pixels. Every reference says for one pixel where it goes.

SIDES = st.integers(1, 3)


@few
@given(SIDES, SIDES, SIDES, SIDES, st.integers(2, 3))
def test_depth_to_space_and_back(batch, channels, height, width, b):
    x = numbered((batch, channels * b * b, height, width))
    (got,) = run_operator("depth_to_space", {"x": x}, block_size=b)
    assert got.shape == (batch, channels, height * b, width * b)
    for n, c, row, column in np.ndindex(got.shape):
        place = (row % b) * b + column % b
        assert got[n, c, row, column] == x[n, place * channels + c, row // b, column // b]
    np.testing.assert_array_equal(run_operator("space_to_depth", {"x": got}, block_size=b)[0], x)


@few
@given(SIDES, SIDES, SIDES, SIDES, st.integers(2, 3))
def test_pixel_shuffle_and_back(batch, channels, height, width, f):
    x = numbered((batch, channels * f * f, height, width))
    (got,) = run_operator("pixel_shuffle", {"x": x}, upscale_factor=f)
    assert got.shape == (batch, channels, height * f, width * f)
    for n, c, row, column in np.ndindex(got.shape):
        place = (row % f) * f + column % f
        assert got[n, c, row, column] == x[n, c * f * f + place, row // f, column // f]
    np.testing.assert_array_equal(run_operator("pixel_unshuffle", {"x": got}, downscale_factor=np.uint32(f))[0], x)


@few
@given(st.data(), SIDES, SIDES, st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_space_to_batch_and_back(data, batch, channels, blocks, block):
    """`blocks` of size `block` each way, of which some rows and columns at the borders are padding."""
    height, width = np.multiply(blocks, block).tolist()
    (top, bottom), (left, right) = pads = [
        (before := data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1 - before)))
        for size in (height, width)
    ]
    x = 1 + numbered((batch, channels, height - top - bottom, width - left - right))
    (got,) = run_operator("space_to_batch", {"x": x}, block_shape=ints(*block), paddings=ints(*pads))
    assert got.shape == (batch * block[0] * block[1], channels, *blocks)
    for n, c, row, column in np.ndindex(got.shape):
        place, image = divmod(n, batch)
        i, j = row * block[0] + place // block[1] - top, column * block[1] + place % block[1] - left
        inside = 0 <= i < x.shape[2] and 0 <= j < x.shape[3]
        assert got[n, c, row, column] == (x[image, c, i, j] if inside else 0)
    (back,) = run_operator("batch_to_space", {"x": got}, block_shape=ints(*block), crops=ints(*pads))
    np.testing.assert_array_equal(back, x)


def test_a_channel_count_that_does_not_fit_is_one_error():
    with pytest.raises(PocketlabError, match=r"The operator depth_to_space with output .* cannot be computed"):
        run_operator("depth_to_space", {"x": numbered((1, 6, 2, 2))}, block_size=2)


# Shapes


@few
@given(st.data())
def test_expand_dims(data):
    x = data.draw(arrays(max_dims=3))
    rank = x.ndim + data.draw(st.integers(1, 3))
    axes = data.draw(st.lists(st.integers(0, rank - 1), min_size=rank - x.ndim, max_size=rank - x.ndim, unique=True))
    axes = [axis - rank * data.draw(st.booleans()) for axis in axes]
    check("expand_dims", {"x": x}, axes=ints(*axes))


def test_expand_dims_of_a_scalar():
    (got,) = run(lambda x: mb.expand_dims(x=mb.squeeze(x=x), axes=[0, 1]), {"x": numbered((1,))})
    assert got.shape == (1, 1)


def zeros_resolved(own, shape):
    """What iOS 17's docstring says of zeros: each is the size of x at the same distance from the last axis, or 1."""
    from_the_last = itertools.zip_longest(reversed(shape), reversed(own), fillvalue=1)
    return [size or kept for size, kept in from_the_last][::-1]


@few
@given(st.data(), st.booleans())
def test_reshape(data, at_run_time):
    x = data.draw(arrays())
    shape = data.draw(st.permutations(x.shape))
    if len(shape) > 1 and data.draw(st.booleans()):
        shape = [shape[0] * shape[1], *shape[2:]]
    if data.draw(st.booleans()):
        shape[data.draw(st.integers(0, len(shape) - 1))] = -1
    tensors, constants = ({"shape": ints(*shape)}, {}) if at_run_time else ({}, {"shape": ints(*shape)})
    check("reshape", {"x": x, **tensors}, **constants)


@few
@given(st.data())
def test_reshape_keeps_the_size_where_zero_is_said(data):
    x = data.draw(arrays(max_dims=4))
    shape = list(x.shape)
    for i in data.draw(st.sets(st.integers(0, x.ndim - 1))):
        shape[i] = 0
    check("reshape", {"x": x}, "iOS15", shape=ints(*shape))
    shape = [*[0] * data.draw(st.integers(0, 2)), *shape]
    if shape[-x.ndim]:
        shape[-x.ndim] = -1
    (got,) = run_operator("reshape", {"x": x, "shape": ints(*shape)}, "iOS17")
    np.testing.assert_array_equal(got, x.reshape(zeros_resolved(x.shape, shape)), strict=True)
    check("reshape", {"x": x}, "iOS17", shape=ints(*shape))


def test_reshape_of_the_docstring():
    (got,) = run_operator("reshape", {"x": numbered((2, 50))}, "iOS17", shape=ints(1, 0, -1, 0))
    assert got.shape == (1, 1, 2, 50)


def test_reshape_of_an_empty_tensor_to_a_computed_shape():
    def build(x, shape):
        return mb.reshape(x=mb.non_zero(x=x), shape=shape)  # nothing is found, so that there are no rows

    for shape in ((0, 4), (2, 0), (0, 1, 2), (3, -1)):
        (got,) = run(build, {"x": numbered((1, 1)), "shape": ints(*shape)})
        assert got.shape == np.zeros((0, 2)).reshape(shape).shape


def test_reshape_to_another_number_of_elements_is_one_error():
    with pytest.raises(PocketlabError, match=r"The operator reshape with output .* cannot be computed"):
        run_operator("reshape", {"x": numbered((2, 3)), "shape": ints(4, 2)})


def test_reshape_like():
    x = numbered((60, 3))

    def build(x, a, b):
        same = {"ref_tensors": (a, b), "begins": (0, 1), "ends": (2, 0), "end_masks": (False, True)}
        return mb.reshape_like(x=x, **same), mb.reshape_like(x=x, **{**same, "begins": (-3, -2), "ends": (-1, 0)})

    for got in run(build, {"x": x, "a": numbered((2, 3, 4)), "b": numbered((1, 5, 6))}):
        np.testing.assert_array_equal(got, x.reshape(2, 3, 5, 6))


@few
@given(st.data())
def test_squeeze(data):
    x = data.draw(arrays(min_dims=2, max_side=2))
    axes = data.draw(st.lists(st.integers(0, x.ndim - 1), min_size=1, unique=True))
    negative = [axis - x.ndim * data.draw(st.booleans()) for axis in axes]
    (got,) = run_operator("squeeze", {"x": x}, axes=ints(*negative))  # larger axes stay, which NumPy refuses
    kept = [size for axis, size in enumerate(x.shape) if size > 1 or axis not in axes]
    np.testing.assert_array_equal(got, x.reshape(kept), strict=True)
    (got,) = run_operator("squeeze", {"x": x})
    np.testing.assert_array_equal(got, np.squeeze(x), strict=True)


@few
@given(st.data())
def test_transpose(data):
    x = data.draw(arrays())
    perm = [axis - x.ndim * data.draw(st.booleans()) for axis in data.draw(st.permutations(range(x.ndim)))]
    check("transpose", {"x": x}, perm=ints(*perm))


# Order


@few
@given(st.data())
def test_reverse(data):
    x = data.draw(arrays())
    axes = data.draw(st.lists(st.integers(-x.ndim, x.ndim - 1), min_size=1, unique_by=lambda axis: axis % x.ndim))
    check("reverse", {"x": x}, axes=ints(*axes))
    check("reverse", {"x": x})


@few
@given(st.data())
def test_reverse_sequence(data):
    x = data.draw(arrays(min_dims=2))
    batch_axis, seq_axis = data.draw(st.permutations(range(x.ndim)))[:2]
    lengths = ints(*(data.draw(st.integers(0, x.shape[seq_axis])) for _ in range(x.shape[batch_axis])))
    expected = np.moveaxis(x, (batch_axis, seq_axis), (0, 1)).copy()
    for row, length in zip(expected, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    settings = {"seq_axis": seq_axis - x.ndim * data.draw(st.booleans()), "batch_axis": batch_axis}
    (got,) = run_operator("reverse_sequence", {"x": x, "lengths": lengths}, **settings)
    np.testing.assert_array_equal(got, np.moveaxis(expected, (0, 1), (batch_axis, seq_axis)), strict=True)


@few
@given(st.data())
def test_sliding_windows(data):
    x = data.draw(arrays(max_dims=4, max_side=6))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    size, stride = data.draw(st.integers(1, x.shape[axis])), data.draw(st.integers(1, 4))
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, size, axis), -1, axis % x.ndim + 1)
    expected = windows[(slice(None),) * (axis % x.ndim) + (slice(None, None, stride),)]
    (got,) = run_operator("sliding_windows", {"x": x}, axis=axis, size=size, stride=stride)
    np.testing.assert_array_equal(got, expected, strict=True)


# Slices


@st.composite
def slices(draw, empty=False):
    """An array and begin, end, stride and masks for it, and the slices of NumPy that they stand for.

    Only what coremltools accepts: no begin after the end, and something in every slice unless `empty` is allowed.
    """
    x = draw(arrays(max_dims=4, max_side=5))
    parts = []
    for size in x.shape:
        first, last = sorted(draw(st.tuples(st.integers(0, size), st.integers(0, size))))
        if first == last and not empty:
            first, last = (first, last + 1) if last < size else (first - 1, last)
        stride = draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        if stride < 0:  # from the last of them down to the first
            first, last = last - 1, first - 1
        begin_mask, end_mask, squeeze = draw(st.tuples(*[st.sampled_from([False, False, True])] * 3))
        if stride < 0 and last < 0:
            end_mask = True  # -1 would mean the last element
        if first < 0:
            begin_mask = True
        negative = draw(st.booleans())
        begin = first - size if negative and not begin_mask and first < size else first
        end = last - size if negative and not end_mask and last < size else last
        parts.append((begin, end, stride, begin_mask, end_mask, squeeze))
    begin, end, stride, begin_mask, end_mask, squeeze_mask = map(list, zip(*parts, strict=True))
    settings = {"begin": ints(*begin), "end": ints(*end), "stride": ints(*stride)}
    masks = {"begin_mask": begin_mask, "end_mask": end_mask, "squeeze_mask": squeeze_mask}
    numpy = tuple(
        (0 if no_begin else b) if gone else slice(None if no_begin else b, None if no_end else e, s)
        for b, e, s, no_begin, no_end, gone in parts
    )
    return x, {**settings, **masks}, numpy


@settings(max_examples=80, deadline=None)
@given(slices(), st.booleans())
def test_slice_by_index(case, at_run_time):
    x, settings, numpy = case
    tensors = {"x": x}
    if at_run_time:
        tensors |= {name: settings.pop(name) for name in ("begin", "end")}
    (got,) = run_operator("slice_by_index", tensors, **settings)
    np.testing.assert_array_equal(got, x[numpy], strict=True)


@few
@given(slices())
def test_slice_by_index_as_coremltools(case):
    x, settings, numpy = case
    assume(x.dtype != np.bool_ and not all(settings["squeeze_mask"]) and x[numpy].size)  # it raises, or has another type
    check("slice_by_index", {"x": x}, **settings)


@few
@given(slices())
def test_slice_update(case):
    x, settings, numpy = case
    assume(x[numpy].ndim and x[numpy].size)
    update = (~x[numpy] if x.dtype == np.bool_ else -1 - x[numpy]).copy()
    check("slice_update", {"x": x, "update": update}, "iOS18", **settings)
    tensors = {"x": x, "update": update, "begin": settings.pop("begin"), "end": settings.pop("end")}
    (got,) = run_operator("slice_update", tensors, "iOS18", **settings)
    expected = x.copy()
    expected[numpy] = update
    np.testing.assert_array_equal(got, expected, strict=True)


def test_slice_update_leaves_what_it_was_given():
    def build(x, update):
        changed = mb.slice_update(x=x, update=update, begin=[1], end=[2])
        return changed, mb.identity(x=x)

    changed, same = run(build, {"x": numbered((3,)), "update": np.array([9], np.float32)}, "iOS18")
    assert (changed.tolist(), same.tolist()) == ([0, 9, 2], [0, 1, 2])


def test_slices_beyond_the_ends_are_cut_and_may_be_empty():
    x = numbered((5,))
    for begin, end, stride in itertools.product((-9, -5, -1, 0, 2, 4, 5, 9), (-9, -6, -1, 0, 2, 5, 9), (-2, -1, 1, 2)):
        (got,) = run_operator("slice_by_index", {"x": x, "begin": ints(begin), "end": ints(end)}, stride=ints(stride))
        np.testing.assert_array_equal(got, x[begin:end:stride], f"{begin}:{end}:{stride}")


def test_an_index_outside_is_one_error():
    with pytest.raises(PocketlabError, match=r"slice_by_index with output .* cannot be computed: .*out of range"):
        run_operator("slice_by_index", {"x": numbered((3,)), "begin": ints(3), "end": ints(4)}, squeeze_mask=[True])


@few
@given(st.data(), st.booleans())
def test_slice_by_size(data, at_run_time):
    x = data.draw(arrays())
    begin, size = [], []
    for length in x.shape:
        first = data.draw(st.integers(0, length - 1))
        count = data.draw(st.sampled_from([-1, *range(1, length - first + 1)]))
        # coremltools infers a wrong size for all that follow a negative begin
        begin.append(first - length * (count != -1 and data.draw(st.booleans())))
        size.append(count)
    where = {"begin": ints(*begin), "size": ints(*size)}
    check("slice_by_size", {"x": x, **where} if at_run_time else {"x": x}, **({} if at_run_time else where))


def test_slice_by_size_of_all_that_follow_a_negative_begin_and_of_nothing():
    x = numbered((5, 2))
    for begin, size, expected in ((ints(-2, 0), ints(-1, -1), x[-2:]), (ints(1, 1), ints(0, 1), x[1:1, 1:])):
        (got,) = run_operator("slice_by_size", {"x": x, "begin": begin, "size": size})
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_small_integers_are_moved_about_too(dtype):
    x = numbered((2, 3, 4)).astype(dtype)

    def build(x):
        y = mb.reverse(x=mb.transpose(x=x, perm=[2, 0, 1]), axes=[1])
        y = mb.slice_by_index(x=y, begin=np.int8([3, 0, 0]), end=np.int8([0, 2, 3]), stride=np.int8([-1, 1, 1]))
        return mb.cast(x=mb.reshape(x=mb.expand_dims(x=y, axes=[0]), shape=np.int16([0, -1, 3])), dtype="int32")

    (got,) = run(build, {"x": x})
    np.testing.assert_array_equal(got, x.transpose(2, 0, 1)[:, ::-1][3:0:-1].reshape(3, -1, 3))


def test_what_is_not_contiguous_is_reshaped_in_reading_order():
    def build(x):
        y = mb.transpose(x=x, perm=[1, 0])
        return mb.reshape(x=y, shape=[2, 3]), mb.flatten2d(x=y, axis=0), mb.squeeze(x=mb.expand_dims(x=y, axes=[1]))

    x = torch.arange(6.0).reshape(2, 3).numpy()
    reshaped, flat, same = run(build, {"x": x})
    assert (reshaped.tolist(), flat.tolist()) == ([[0, 3, 1], [4, 2, 5]], [[0, 3, 1, 4, 2, 5]])
    assert same.tolist() == x.T.tolist()
