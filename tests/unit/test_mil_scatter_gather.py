from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, inferred, mb, run, run_operator

from pocketlab.errors import PocketlabError

few = settings(max_examples=25, deadline=None)
TYPES = st.sampled_from([np.float32, np.int32])
OPSETS = st.sampled_from(["iOS15", "iOS16", "iOS17", "iOS18"])
EPS = 2.0**-24  # half a step of float32: the most that one rounding changes a number, relative to it


def numbered(shape, dtype=np.float32):
    """An array in which every element is another one, so that none can be taken for its neighbor."""
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


def shapes(max_dims=4):
    return hnp.array_shapes(max_dims=max_dims, max_side=4)


def indices_into(data, shape, size, opset="iOS15"):
    """Indices of that shape into an axis of `size`: negative ones too where the opset has them defined."""
    low = -size if opset in ("iOS15", "iOS16") else 0
    return data.draw(hnp.arrays(np.int32, shape, elements=st.integers(low, size - 1)), label="indices")


def an_axis(data, x):
    return data.draw(st.integers(-x.ndim, x.ndim - 1), label="axis")


def run_mixed(name, tensors, opset, **settings):
    """Run an operator with scalars as constants, since no input of a program is one."""
    scalars = {key: x[()] for key, x in tensors.items() if not x.ndim}
    return run_operator(name, {key: x for key, x in tensors.items() if x.ndim}, opset, **scalars, **settings)


@few
@given(st.data(), OPSETS, st.booleans())
def test_gather(data, opset, at_run_time):
    x = numbered(data.draw(shapes()), data.draw(TYPES))
    axis = an_axis(data, x)
    indices = indices_into(data, data.draw(shapes(3)), x.shape[axis], opset)
    tensors, constants = ({"indices": indices}, {}) if at_run_time else ({}, {"indices": indices})
    check("gather", {"x": x, **tensors}, opset, axis=axis, **constants)


def test_gather_by_a_scalar_drops_the_axis():
    x = numbered((2, 3))
    check("gather", {"x": x}, indices=np.int32(1), axis=1)
    (got,) = run(lambda x, i: mb.gather(x=x, indices=mb.squeeze(x=i), axis=-1), {"x": x, "i": np.array([2], np.int32)})
    assert got.tolist() == [2, 5]


def gathered(x, indices, axis, batch_dims):
    """TensorFlow's definition, element by element; the axes of the result are before, indices, after."""
    shape = x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1 :]
    result = np.empty(shape, x.dtype)
    for place in np.ndindex(shape):
        before, rest = place[:axis], place[axis:]
        own, after = rest[: indices.ndim - batch_dims], rest[indices.ndim - batch_dims :]
        result[place] = x[(*before, indices[place[:batch_dims] + own], *after)]
    return result


@few
@given(st.data(), st.sampled_from(["iOS16", "iOS17"]), TYPES)
def test_gather_with_batch_dims(data, opset, dtype):
    x = numbered(data.draw(hnp.array_shapes(min_dims=2, max_dims=4, max_side=3)), dtype)
    batch_dims = data.draw(st.integers(1, x.ndim - 1))
    axis = data.draw(st.integers(batch_dims, x.ndim - 1))
    shape = x.shape[:batch_dims] + data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    indices = indices_into(data, shape, x.shape[axis], opset)
    # A negative axis too, of which coremltools' value inference takes another one
    for axis_said in (axis, axis - x.ndim):
        (got,) = run_operator("gather", {"x": x, "indices": indices}, opset, axis=axis_said, batch_dims=batch_dims)
        np.testing.assert_array_equal(got, gathered(x, indices, axis, batch_dims), strict=True)
    if indices.ndim > batch_dims:
        check("gather", {"x": x, "indices": indices}, opset, axis=axis, batch_dims=batch_dims)


@few
@given(st.data(), OPSETS)
def test_gather_along_axis(data, opset):
    x = numbered(data.draw(shapes()), data.draw(TYPES))
    axis = an_axis(data, x)
    shape = list(x.shape)
    shape[axis] = data.draw(st.integers(1, 5))
    check("gather_along_axis", {"x": x, "indices": indices_into(data, shape, x.shape[axis], opset)}, opset, axis=axis)


@few
@given(st.data(), OPSETS)
def test_gather_nd(data, opset):
    x = numbered(data.draw(shapes()), data.draw(TYPES))
    batch_dims = 0 if opset == "iOS15" else data.draw(st.integers(0, x.ndim - 1))
    depth = data.draw(st.integers(1, x.ndim - batch_dims))
    shape = x.shape[:batch_dims] + data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    sizes = x.shape[batch_dims : batch_dims + depth]
    indices = np.stack([indices_into(data, shape, size, opset) for size in sizes], -1)
    (got,) = run_operator("gather_nd", {"x": x, "indices": indices}, opset, **({"batch_dims": batch_dims} if batch_dims else {}))
    expected = np.empty(shape + x.shape[batch_dims + depth :], x.dtype)
    for place in np.ndindex(shape):
        expected[place] = x[(*place[:batch_dims], *indices[place])]
    np.testing.assert_array_equal(got, expected, strict=True)


MODES = {
    "update": lambda old, new: new,
    "add": lambda old, new: old + new,
    "sub": lambda old, new: old - new,
    "mul": lambda old, new: old * new,
    "div": lambda old, new: old / new,
    "max": np.maximum,
    "min": np.minimum,
}


@st.composite
def scatters(draw):
    """A mode, an opset, data, and a function that draws updates of a shape; nothing that is computed of these is rounded."""
    mode = draw(st.sampled_from([*MODES]))
    powers = mode in ("mul", "div")
    elements = st.sampled_from([-4.0, -2.0, -1.0, 1.0, 2.0, 4.0] if powers else [-3.0, 0.0, 2.0, 5.0])
    data = numbered(draw(shapes(3))) - 7
    return mode, draw(OPSETS), data, lambda shape: draw(hnp.arrays(np.float32, shape, elements=elements))


@few
@given(st.data(), scatters())
def test_scatter(data, case):
    mode, opset, x, updates_of = case
    axis = an_axis(data, x)
    indices = indices_into(data, data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=4)), x.shape[axis], opset)
    axis %= x.ndim
    updates = updates_of(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])
    expected = x.copy()
    for place in np.ndindex(indices.shape):  # several for one place come one after the other
        there = (slice(None),) * axis + (indices[place],)
        expected[there] = MODES[mode](expected[there], updates[(slice(None),) * axis + place])

    (got,) = run_mixed("scatter", {"data": x, "indices": indices, "updates": updates}, opset, axis=axis, mode=mode)
    np.testing.assert_array_equal(got, expected, strict=True)


@few
@given(st.data(), scatters())
def test_scatter_along_axis(data, case):
    mode, opset, x, updates_of = case
    axis = an_axis(data, x)
    shape = list(x.shape)
    shape[axis] = data.draw(st.integers(1, 5))
    indices, updates = indices_into(data, shape, x.shape[axis], opset), updates_of(shape)
    expected = x.copy()
    for place in np.ndindex(*shape):
        there = list(place)
        there[axis] = indices[place]
        expected[tuple(there)] = MODES[mode](expected[tuple(there)], updates[place])
    tensors = {"data": x, "indices": indices, "updates": updates}
    (got,) = run_operator("scatter_along_axis", tensors, opset, axis=axis, mode=mode)
    np.testing.assert_array_equal(got, expected, strict=True)
    if mode == "update":  # coremltools' inference does nothing else, whatever the mode
        check("scatter_along_axis", tensors, opset, axis=axis, mode=mode)


@few
@given(st.data(), scatters())
def test_scatter_nd(data, case):
    mode, opset, x, updates_of = case
    depth = data.draw(st.integers(1, x.ndim))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=4))
    indices = np.stack([indices_into(data, shape, size, opset) for size in x.shape[:depth]], -1)
    updates = updates_of(shape + x.shape[depth:])
    expected = x.copy()
    for place in np.ndindex(shape):
        there = tuple(indices[place])
        expected[there] = MODES[mode](expected[there], updates[place])

    (got,) = run_mixed("scatter_nd", {"data": x, "indices": indices, "updates": updates}, opset, mode=mode)
    np.testing.assert_array_equal(got, expected, strict=True)


@pytest.mark.parametrize("mode", MODES)
def test_scatter_of_integers(mode):
    data, indices = np.array([-7, 7, 5, 9], np.int32), np.array([0, 1, 3, 3], np.int32)
    updates = np.array([2, -2, 2, 3], np.int32)
    (got,) = run_operator("scatter", {"data": data, "indices": indices, "updates": updates}, mode=mode)
    expected = {
        "update": [2, -2, 5, 3],
        "add": [-5, 5, 5, 14],
        "sub": [-9, 9, 5, 4],
        "mul": [-14, -14, 5, 54],
        "div": [-3, -3, 5, 1],  # towards zero, as C and coremltools' real_div of integers have it
        "max": [2, 7, 5, 9],
        "min": [-7, -2, 5, 2],
    }
    assert got.tolist() == expected[mode]


@few
@given(st.lists(st.floats(0.125, 8, width=32), min_size=1, max_size=6))
def test_scatter_divides_by_several_numbers(divisors):
    tensors = {"data": np.array([3], np.float32), "updates": np.array(divisors, np.float32)}
    indices = np.zeros(len(divisors), np.int32)
    (got,) = run(lambda data, updates: mb.scatter(data=data, updates=updates, indices=indices, mode="div"), tensors)
    exactly = 3 / np.prod(np.array(divisors, np.float64))
    # One rounding for each factor of the product and one of the quotient; the reference's are of float64.
    np.testing.assert_allclose(got, [exactly], rtol=(len(divisors) + 1) * EPS)


def test_the_last_of_many_updates_of_one_place_is_kept():
    rows, columns = 400, 300  # enough for torch to divide the work among threads
    updates = numbered((rows, columns))
    data, indices = np.zeros((2, columns), np.float32), np.arange(rows, dtype=np.int32) % 2
    tensors = {"data": data, "indices": indices, "updates": updates}
    np.testing.assert_array_equal(run_operator("scatter", tensors, mode="update")[0], updates[-2:])
    tensors["indices"] = indices[:, None]
    np.testing.assert_array_equal(run_operator("scatter_nd", tensors, mode="update")[0], updates[-2:])


def test_scatter_adds_where_nothing_else_is_said_and_leaves_what_it_was_given():
    def build(data, indices, updates):
        return mb.scatter_nd(data=data, indices=indices, updates=updates), mb.identity(x=data)

    tensors = {"data": numbered((3,)), "indices": np.array([[1]], np.int32), "updates": np.array([5], np.float32)}
    changed, same = run(build, tensors)
    assert (changed.tolist(), same.tolist()) == ([0, 6, 2], [0, 1, 2])


def test_scatter_nd_of_no_update_changes_nothing():
    def build(data):
        where = mb.non_zero(x=mb.identity(x=data))  # torch's masked assignment becomes this; here nothing is masked
        return mb.scatter_nd(data=data, indices=where, updates=mb.gather_nd(x=data, indices=where), mode="update")

    assert run(build, {"data": np.zeros((2, 2), np.float32)})[0].tolist() == [[0, 0], [0, 0]]


INTO_3 = {"x": numbered((3, 3)), "indices": np.array([[1], [0], [2]], np.int32)}
CASES = [
    ("gather", INTO_3, {"axis": 0}),
    ("gather", INTO_3, {"axis": 1, "batch_dims": 1}),
    ("gather_along_axis", INTO_3, {"axis": 1}),
    ("gather_nd", INTO_3, {}),
    ("gather_nd", INTO_3, {"batch_dims": 1}),
    ("scatter", {"data": numbered((3,)), "indices": np.array([1, 0, 2], np.int32), "updates": numbered((3,))}, {"axis": 0}),
    ("scatter_along_axis", {"data": numbered((3, 1)), "indices": INTO_3["indices"], "updates": numbered((3, 1))}, {"axis": 0}),
    ("scatter_nd", {"data": numbered((3,)), "indices": INTO_3["indices"], "updates": numbered((3,))}, {}),
]


@pytest.mark.parametrize(("name", "tensors", "settings"), CASES)
def test_indices_outside(name, tensors, settings):
    (expected,) = run_operator(name, tensors, validate_indices=True, **settings)
    negative = {**tensors, "indices": np.where(tensors["indices"] == 2, np.int32(-1), tensors["indices"])}
    np.testing.assert_array_equal(run_operator(name, negative, validate_indices=False, **settings)[0], expected)
    with pytest.raises(PocketlabError, match=rf"The operator {name} .* the index -1 is outside of an axis with 3 elements"):
        run_operator(name, negative, validate_indices=True, **settings)
    for wrong, validate in ((3, False), (3, True), (-4, False)):
        outside = {**tensors, "indices": np.where(tensors["indices"] == 2, np.int32(wrong), tensors["indices"])}
        with pytest.raises(PocketlabError, match=rf"the index {wrong} is outside of an axis with 3 elements"):
            run_operator(name, outside, validate_indices=validate, **settings)


def test_coremltools_counts_negative_indices_from_the_end_in_ios17_too():
    x = numbered((3,))
    assert inferred("gather", "iOS17", x=x, indices=np.array([-1], np.int32), axis=0)[0].tolist() == [2]
    check("gather", {"x": x, "indices": np.array([-1, -3], np.int32)}, "iOS17", axis=0)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_indices_and_values_of_small_types(dtype):
    x, indices = numbered((3, 2)), np.array([[2, 0], [0, 1]], dtype)
    np.testing.assert_array_equal(run_operator("gather", {"x": x, "indices": indices}, axis=0)[0], x[indices])
    got = run_operator("gather_along_axis", {"x": x, "indices": indices}, axis=0)[0]
    np.testing.assert_array_equal(got, np.take_along_axis(x, indices.astype(int), 0))
    np.testing.assert_array_equal(run_operator("gather_nd", {"x": x, "indices": indices})[0], x[[2, 0], [0, 1]])
    small = x.astype(dtype)
    np.testing.assert_array_equal(run_operator("gather", {"x": small, "indices": indices}, axis=0)[0], small[indices])


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_indices_of_small_types_in_ios16(dtype):
    def build(x, indices):
        return mb.gather(x=x, indices=mb.cast(x=indices, dtype=dtype), axis=0)

    x, indices = numbered((3, 2)), np.array([2, 0], np.int32)
    small = {"indices": indices.astype(dtype)}  # constants, as long as there is no cast to these types in iOS 16
    np.testing.assert_array_equal(run_operator("gather", {"x": x}, "iOS16", axis=0, **small)[0], x[indices])


def test_an_index_beyond_one_axis_is_not_taken_for_one_of_the_next():
    tensors = {"x": numbered((2, 3)), "indices": np.array([[0, 3]], np.int32)}  # would be element 3, which there is
    with pytest.raises(PocketlabError, match=r"the index 3 is outside of an axis with 3 elements"):
        run_operator("gather_nd", tensors)
