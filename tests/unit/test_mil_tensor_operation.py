from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, mb, run, run_operator

from pocketlab.errors import PocketlabError

few = settings(max_examples=25, deadline=None)
TYPES = st.sampled_from([np.float32, np.int32])
EPS = 2.0**-24  # half a step of float32: the most that one rounding changes a number, relative to it


def numbers(dtype, low=-9, high=9):
    """Small whole numbers in either type: every sum of a few is exact, and many are equal."""
    return st.integers(low, high).map(dtype)


@st.composite
def arrays(draw, dtypes=TYPES, min_dims=1, max_dims=4, max_side=4):
    dtype = draw(dtypes)
    shape = draw(hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, max_side=max_side))
    if dtype is np.bool_:
        return draw(hnp.arrays(dtype, shape))
    return draw(hnp.arrays(dtype, shape, elements=numbers(dtype)))


def an_axis(data, x, extra=0):
    return data.draw(st.integers(-x.ndim - extra, x.ndim - 1 + extra), label="axis")


@st.composite
def distinct(draw):
    """An array without two equal elements: NumPy, and so coremltools, sorts equal ones in an order that is up to the CPU."""
    dtype = draw(TYPES)
    shape = draw(hnp.array_shapes(max_dims=4, max_side=4))
    return draw(hnp.arrays(dtype, shape, elements=numbers(dtype, -9999, 9999), unique=True))


@few
@given(st.data(), st.booleans())
def test_argsort(data, ascending):
    x = data.draw(distinct())
    check("argsort", {"x": x}, axis=an_axis(data, x), ascending=ascending)


def test_argsort_keeps_the_order_of_equal_values():
    x = np.tile(np.array([3, 1, 2, 1], np.float32), 50)
    for ascending, by in ((True, x), (False, -x)):
        (got,) = run_operator("argsort", {"x": x}, ascending=ascending)
        assert got.tolist() == sorted(range(200), key=lambda i: (by[i], i))


@few
@given(arrays(st.sampled_from([np.float32, np.int32, np.bool_]), min_dims=2), st.integers(-1, 4), st.integers(-1, 4))
def test_band_part(x, lower, upper):
    check("band_part", {"x": x}, lower=np.int32(lower), upper=np.int32(upper))


def test_band_part_replaces_what_is_not_finite():
    x = np.array([[1, np.inf], [np.nan, 2]], np.float32)
    np.testing.assert_array_equal(run_operator("band_part", {"x": x}, lower=0, upper=0)[0], [[1, 0], [0, 2]])


@few
@given(st.data())
def test_concat(data):
    x = data.draw(arrays(st.sampled_from([np.float32, np.int32, np.bool_])))
    axis = an_axis(data, x)
    y = np.repeat(x, data.draw(st.integers(1, 3)), axis)
    (got,) = run(lambda x, y: mb.concat(values=[x, y, x], axis=axis), {"x": x, "y": y})
    np.testing.assert_array_equal(got, np.concatenate([x, y, x], axis), strict=True)


@few
@given(st.data())
def test_concat_interleaved(data):
    x = data.draw(arrays())
    axis = an_axis(data, x)
    (got,) = run(lambda x, y: mb.concat(values=[x, y], axis=axis, interleave=True), {"x": x, "y": 100 + x})
    expected = np.empty([size * 2 if i == axis % x.ndim else size for i, size in enumerate(x.shape)], x.dtype)
    turned = np.moveaxis(expected, axis, 0)  # a view: what the docstring says, output[0::2] = x, output[1::2] = y
    turned[0::2], turned[1::2] = np.moveaxis(x, axis, 0), np.moveaxis(100 + x, axis, 0)
    np.testing.assert_array_equal(got, expected, strict=True)


def test_concat_of_scalars_and_of_one_tensor():
    x = np.array([[4, 5]], np.int32)

    def build(x):
        first, second = (mb.slice_by_index(x=x, begin=[0, i], end=[1, 1], squeeze_mask=[True, True]) for i in (0, 1))
        return mb.concat(values=[second, np.int32(7), first], axis=0), mb.concat(values=[x], axis=-1)

    vector, same = run(build, {"x": x})
    assert vector.tolist() == [5, 7, 4]
    assert same.tolist() == x.tolist()


@few
@given(st.data(), st.booleans(), st.booleans())
def test_cumsum_from_its_definition(data, exclusive, reverse):
    x = data.draw(arrays())  # coremltools' inference cannot do `exclusive`, and takes no other negative axis than -1
    axis = data.draw(st.integers(-1, x.ndim - 1))
    (got,) = run_operator("cumsum", {"x": x}, axis=axis, exclusive=exclusive, reverse=reverse)
    lanes = np.moveaxis(x, axis, -1)
    expected = np.zeros_like(lanes)
    for i, j in itertools.product(range(lanes.shape[-1]), repeat=2):
        if (i == j and not exclusive) or (i > j if reverse else i < j):
            expected[..., j] += lanes[..., i]
    np.testing.assert_array_equal(got, np.moveaxis(expected, -1, axis), strict=True)


@few
@given(hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e3, 1e3, width=32)))
def test_cumsum_rounds_as_little_as_coremltools(x):
    # Either adds at most 50 numbers, each time rounding a sum that is at most the sum of all absolute values.
    check("cumsum", {"x": x}, atol=2 * 50 * EPS * float(np.abs(x).sum()), axis=0)


@few
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from([np.float32(2.5), np.int32(-7), np.bool_(True)]))
def test_fill(shape, value):
    shape = np.array(shape, np.int32)
    check("fill", {"shape": shape}, value=value)
    check("fill_like", {"ref_tensor": np.zeros(shape, np.float32)}, value=value)


def test_fill_with_nothing_said_is_with_zeros():
    check("fill", {"shape": np.array([2, 3], np.int32)})


@few
@given(st.data())
def test_flatten2d(data):
    x = data.draw(arrays(st.sampled_from([np.float32, np.int32, np.bool_])))
    axis = data.draw(st.integers(-x.ndim, x.ndim))  # coremltools' own inference raises where one of the parts is empty
    (got,) = run_operator("flatten2d", {"x": x}, axis=axis)
    np.testing.assert_array_equal(got, x.reshape(math.prod(x.shape[:axis]), -1), strict=True)


@few
@given(arrays(st.sampled_from([np.float32, np.int32, np.bool_])))
def test_identity_non_zero_and_shape(x):
    check("identity", {"x": x})
    check("non_zero", {"x": x})
    check("shape", {"x": x})


def test_non_zero_of_nothing_but_zeros_is_empty():
    (got,) = run_operator("non_zero", {"x": np.zeros((2, 3), np.float32)})
    assert got.shape == (0, 2)


@few
@given(st.data(), st.integers(1, 5), st.sampled_from([(1.5, -2.0), (np.int32(9), np.int32(4)), (True, False)]))
def test_one_hot(data, size, values):
    indices = data.draw(arrays(st.just(np.int32), max_dims=3))  # from -9 to 9, so that many lie outside
    axis = data.draw(st.integers(-indices.ndim - 1, indices.ndim))
    on, off = map(np.asarray, values)
    expected = np.full((*indices.shape, size), off)
    for place in np.ndindex(indices.shape):
        if 0 <= indices[place] < size:
            expected[(*place, indices[place])] = on
    for sizes in ({"one_hot_vector_size": np.int32(size)}, {}):  # a constant, and computed when the program runs

        def build(indices, total, sizes=sizes):
            computed = sizes or {"one_hot_vector_size": mb.squeeze(x=total)}
            return mb.one_hot(indices=indices, axis=axis, on_value=values[0], off_value=values[1], **computed)

        (got,) = run(build, {"indices": indices, "total": np.array([size], np.int32)})
        np.testing.assert_array_equal(got, np.moveaxis(expected, -1, axis))


PAD_MODES = st.sampled_from(["constant", "reflect", "replicate"])


@few
@given(st.data(), PAD_MODES)
def test_pad(data, mode):
    x = data.draw(arrays(st.just(np.float32), max_dims=5))
    count = data.draw(st.integers(1, x.ndim))
    most = [size - 1 if mode == "reflect" else 3 for size in x.shape[-count:] for _ in range(2)]
    pads = np.array([data.draw(st.integers(0, n)) for n in most], np.int32)
    check("pad", {"x": x}, pad=pads, mode=mode, constant_val=np.float32(7.5))
    if count == x.ndim:
        check("pad", {"x": x, "pad": pads}, mode=mode, constant_val=np.float32(7.5))


def test_pad_reflects_no_more_than_there_is():
    with pytest.raises(PocketlabError, match=r"pad with output .* an axis of size 3 cannot be reflected by 3 elements"):
        run_operator("pad", {"x": np.zeros((3,), np.float32)}, pad=[0, 3], mode="reflect")


@few
@given(numbers(np.int32), numbers(np.int32), st.integers(-4, 4).filter(bool).map(np.int32))
def test_range_1d_of_integers(start, end, step):
    if (end - start) * step < 0:  # coremltools infers a negative size
        end = start - (end - start)
    inputs = {"start": start.reshape(1), "end": end.reshape(1), "step": step.reshape(1)}
    (got,) = run(lambda **xs: mb.range_1d(**{name: mb.squeeze(x=x) for name, x in xs.items()}), inputs)
    np.testing.assert_array_equal(got, np.arange(start, end, step, np.int32), strict=True)
    assert got.tolist() == run(lambda unused: mb.range_1d(start=start, end=end, step=step), {"unused": inputs["end"]})[0].tolist()


def test_range_1d_that_leads_away_from_its_end_is_empty():
    inputs = {"end": np.array([-3], np.int32)}
    (got,) = run(lambda end: mb.range_1d(start=0, end=mb.squeeze(x=end), step=1), inputs)
    assert got.shape == (0,)


@few
@given(st.floats(-9, 9, width=32), st.floats(0.125, 9, width=32), st.floats(0.0625, 3, width=32))
def test_range_1d_of_floats(start, length, step):
    start, end, step = np.float32(start), np.float32(start) + np.float32(length), np.float32(step)
    expected = np.arange(start, end, step)  # its length is computed in float32 as coremltools' type inference does
    # NumPy takes (start + step) - start, rounded twice, for a step; both then round a product and a sum.
    atol = 4 * EPS * (abs(start) + length + step) * len(expected)
    check("range_1d", {}, atol=atol, start=start, end=end, step=step)


def test_range_1d_counts_in_float32():
    xs = {"end": np.array([0.3], np.float32)}
    (got,) = run(lambda end: mb.range_1d(start=np.float32(0), end=mb.squeeze(x=end), step=np.float32(0.1)), xs)
    assert len(got) == 3


@few
@given(st.data())
def test_split(data):
    parts = data.draw(st.integers(2, 4))
    x = data.draw(arrays(st.sampled_from([np.float32, np.int32, np.bool_])))
    axis = an_axis(data, x)
    whole = np.repeat(x, parts, axis)
    check("split", {"x": whole}, num_splits=parts, axis=axis)
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    wide = np.repeat(x.take([0], axis), sum(sizes), axis)
    check("split", {"x": wide}, split_sizes=np.array(sizes, np.int32), axis=axis)
    check("split", {"x": wide}, num_splits=len(sizes), split_sizes=np.array(sizes, np.int32), axis=axis)


@few
@given(st.data())
def test_stack(data):
    x = data.draw(arrays(st.sampled_from([np.float32, np.int32, np.bool_])))
    axis = an_axis(data, x, extra=1)
    y = np.flip(x).copy()
    (got,) = run(lambda x, y: mb.stack(values=[x, y, y], axis=axis), {"x": x, "y": y})
    np.testing.assert_array_equal(got, np.stack([x, y, y], axis), strict=True)


@few
@given(st.data())
def test_tile(data):
    x = data.draw(arrays(st.sampled_from([np.float32, np.int32, np.bool_])))
    reps = np.array([data.draw(st.integers(1, 3)) for _ in x.shape], np.int32)
    check("tile", {"x": x}, reps=reps)
    check("tile", {"x": x, "reps": reps})


@few
@given(st.data(), st.booleans())
def test_topk(data, ascending):
    x = data.draw(distinct())
    axis = an_axis(data, x)
    settings = {"k": np.int32(data.draw(st.integers(1, x.shape[axis]))), "axis": axis, "ascending": ascending}
    check("topk", {"x": x}, "iOS15", **settings)
    check("topk", {"x": x}, "iOS16", sort=False, return_indices=False, **settings)
    check("topk", {"x": x}, "iOS17", **settings)
    small = run_operator("topk", {"x": x}, "iOS17", output_indices_dtype="uint16", **settings)
    np.testing.assert_array_equal(small[1], run_operator("topk", {"x": x}, "iOS17", **settings)[1])


@few
@given(hnp.arrays(np.uint8, (3, 5)), st.booleans())
def test_topk_of_unsigned_numbers(x, ascending):  # coremltools sorts -x, which in uint8 is another order
    values, indices = run_operator("topk", {"x": x}, k=3, axis=1, ascending=ascending)
    for row, value, index in zip(x.tolist(), values.tolist(), indices.tolist(), strict=True):
        assert value == sorted(row, reverse=not ascending)[:3]
        assert [row[i] for i in index] == value
        assert len(set(index)) == 3


def test_topk_takes_the_first_of_equal_values_and_all_where_k_is_minus_1():
    x = np.tile(np.array([1, 3, 2, 3], np.float32), 25)
    values, indices = run_operator("topk", {"x": x}, k=60)
    order = sorted(range(100), key=lambda i: (-x[i], i))
    assert (values.tolist(), indices.tolist()) == (x[order[:60]].tolist(), order[:60])
    assert run_operator("topk", {"x": x}, k=-1)[1].tolist() == order


@pytest.mark.parametrize(
    ("name", "inputs", "settings"),
    [
        ("fill", {"shape": np.array([1 << 20, 1 << 20], np.int32)}, {}),
        ("tile", {"x": np.zeros((1,), np.float32), "reps": np.array([(1 << 31) - 1], np.int32)}, {}),
        ("pad", {"x": np.zeros((1,), np.float32), "pad": np.array([0, (1 << 31) - 1], np.int32)}, {}),
    ],
)
def test_a_shape_that_no_phone_could_hold_is_refused_when_it_becomes_known(name, inputs, settings):
    with pytest.raises(PocketlabError, match=f"The operator {name} .* is more than a phone could hold"):
        run_operator(name, inputs, **settings)


def test_a_range_or_one_hot_that_no_phone_could_hold_is_refused():
    inputs = {"size": np.array([(1 << 31) - 1], np.int32)}
    with pytest.raises(PocketlabError, match="more than a phone could hold"):
        run(lambda size: mb.range_1d(start=0, end=mb.squeeze(x=size), step=1), inputs)
    with pytest.raises(PocketlabError, match="more than a phone could hold"):
        run(lambda size: mb.one_hot(indices=size, one_hot_vector_size=mb.squeeze(x=size)), inputs)


# Non-maximum suppression. Sizes are even and everything is a whole number, so that corners, areas and overlaps are exact in
# float32; thresholds are binary fractions, so that a division's rounding cannot carry an overlap across one.


def overlap(a, b):
    """Intersection over union of two boxes (x, y, width, height) around their centers; 0 where the union is nothing."""
    width = min(a[0] + a[2] / 2, b[0] + b[2] / 2) - max(a[0] - a[2] / 2, b[0] - b[2] / 2)
    height = min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2)
    both = max(width, 0) * max(height, 0)
    union = a[2] * a[3] + b[2] * b[3] - both
    return both / union if union else 0


def surviving(boxes, scores, iou_threshold, score_threshold, max_boxes, per_class):
    """Go through the boxes from the best to the worst, and keep each that overlaps none of those kept too much."""
    best = [max(row) for row in scores]
    classes = [row.index(max(row)) for row in scores]
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-best[i], i)):
        rivals = [j for j in kept if not per_class or classes[j] == classes[i]]
        if best[i] >= score_threshold and all(overlap(boxes[i], boxes[j]) <= iou_threshold for j in rivals):
            kept.append(i)
    return kept[:max_boxes] or [best.index(max(best))]


def padded(rows, length, fill):
    return np.array([*rows, *[fill] * (length - len(rows))], np.float32)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 2), st.integers(1, 12), st.integers(1, 3), st.booleans())
def test_non_maximum_suppression(data, batch, count, classes, per_class):
    place, side, score = st.integers(0, 6), st.sampled_from([0, 2, 4, 6]), st.integers(-3, 3)
    boxes = [[[data.draw(s) for s in (place, place, side, side)] for _ in range(count)] for _ in range(batch)]
    scores = [[[data.draw(score) for _ in range(classes)] for _ in range(count)] for _ in range(batch)]
    iou_threshold = data.draw(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
    most = data.draw(st.integers(1, count + 3))
    limit = data.draw(st.sampled_from([-9, 0, 2, 9]))
    constants = {"iou_threshold": np.float32(iou_threshold), "max_boxes": most, "per_class_suppression": per_class}
    tensors = {"boxes": np.array(boxes, np.float32), "scores": np.array(scores, np.float32)}

    old = run_operator("non_maximum_suppression", tensors, "iOS16", score_threshold=np.float32(limit), **constants)
    turned = {name: np.ascontiguousarray(x.transpose(0, 2, 1)) for name, x in tensors.items()}
    new = run_operator("non_maximum_suppression", turned, "iOS17", **constants)
    assert (len(old), len(new)) == (4, 3)
    new = [new[0].transpose(0, 2, 1), new[1].transpose(0, 2, 1), new[2]]
    for i, (got, least) in itertools.product(range(batch), ((old, limit), (new, -math.inf))):
        kept = surviving(boxes[i], scores[i], iou_threshold, least, most, per_class)
        np.testing.assert_array_equal(got[0][i], padded([boxes[i][k] for k in kept], most, [0] * 4))
        np.testing.assert_array_equal(got[1][i], padded([scores[i][k] for k in kept], most, [0] * classes))
        np.testing.assert_array_equal(got[2][i], padded(kept, most, -1))
        if got is old:
            assert got[3][i] == len(kept)


def test_non_maximum_suppression_keeps_what_overlaps_by_just_the_threshold():
    boxes = np.array([[[2, 2, 4, 4], [2, 3, 4, 2], [2, 2, 4, 4]]], np.float32)  # the second is half of the others
    scores = np.array([[[0.5], [0.5], [0.5]]], np.float32)
    tensors = {"boxes": boxes, "scores": scores}
    for threshold, kept in ((0.5, [0, 1, -1, -1]), (0.4375, [0, -1, -1, -1]), (1.0, [0, 1, 2, -1])):
        settings = {"iou_threshold": np.float32(threshold), "score_threshold": 0.5, "max_boxes": 4}
        assert run_operator("non_maximum_suppression", tensors, "iOS15", **settings)[2].tolist() == [kept]


def test_non_maximum_suppression_of_no_good_box_returns_the_best():  # NeuralNetwork.proto: never an empty output
    boxes, scores = np.array([[[1, 1, 2, 2], [5, 5, 2, 2]]], np.float32), np.array([[[0.1], [0.2]]], np.float32)
    tensors = {"boxes": boxes, "scores": scores}
    got = run_operator("non_maximum_suppression", tensors, "iOS16", iou_threshold=0.5, score_threshold=0.9, max_boxes=2)
    assert (got[2].tolist(), got[3].tolist()) == ([[1, -1]], [1])
