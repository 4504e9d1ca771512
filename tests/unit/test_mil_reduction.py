from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, run_operator

few = settings(max_examples=15, deadline=None)
EPS = 2.0**-23  # the distance of two neighbors in float32, relative to them
# Sums of the whole numbers below are exact as float32; then NumPy's log is within 4 EPS and torch's root within 1.
LOG = 5 * EPS
ROOT = 2 * EPS

SMALL = st.integers(-9, 9)
POSITIVE = st.integers(1, 9)
INTS = st.integers(-(2**31), 2**31 - 1)


def arrays(dtype, elements, min_side=1, max_side=4):
    shape = hnp.array_shapes(min_dims=1, max_dims=4, min_side=min_side, max_side=max_side)
    return hnp.arrays(dtype, shape, elements=elements.map(dtype))


@st.composite
def how(draw, x):
    """Settings for a reduction: some of the axes in any order, each counted from either end; or all; and `keep_dims`."""
    keep_dims = draw(st.booleans())
    if draw(st.booleans()):
        return {"keep_dims": keep_dims}
    axes = draw(st.lists(st.integers(0, x.ndim - 1), unique=True, min_size=1))
    return {"keep_dims": keep_dims, "axes": [axis - draw(st.sampled_from([0, x.ndim])) for axis in axes]}


@pytest.mark.parametrize(
    ("name", "real", "whole", "rtol"),
    [
        ("reduce_l1_norm", SMALL, INTS, 0),
        ("reduce_l2_norm", SMALL, SMALL, ROOT),
        ("reduce_log_sum", POSITIVE, POSITIVE, LOG),
        ("reduce_max", SMALL, INTS, 0),
        ("reduce_mean", SMALL, INTS, EPS),
        ("reduce_min", SMALL, INTS, 0),
        ("reduce_sum", SMALL, INTS, 0),
        ("reduce_sum_square", SMALL, INTS, 0),
    ],
)
@few
@given(data=st.data())
def test_over_axes(name, real, whole, rtol, data):
    for x in (data.draw(arrays(np.float32, real)), data.draw(arrays(np.int32, whole))):
        check(name, {"x": x}, rtol=rtol if x.dtype == np.float32 else 0, **data.draw(how(x)))


@few
@given(st.data())
def test_product(data):
    powers_of_two = st.sampled_from([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])  # no product of 64 of them is rounded
    for x in (data.draw(arrays(np.float32, powers_of_two, max_side=2)), data.draw(arrays(np.int32, INTS))):
        check("reduce_prod", {"x": x}, **data.draw(how(x)))


@few
@given(st.data())
def test_log_sum_exp(data):
    real = data.draw(arrays(np.float32, st.floats(-20, 20, width=32), max_side=3))
    # Up to 81 numbers of at most 1 are added, of which each is off by 4 EPS; the sum is 1 or more, its logarithm less than
    # 5, and the result up to 25: three roundings of such a size.
    check("reduce_log_sum_exp", {"x": real}, **data.draw(how(real)), atol=(81 / 2 + 4 + 3 * 25) * EPS)
    whole = data.draw(arrays(np.int32, st.integers(-8, 8), max_side=3))
    check("reduce_log_sum_exp", {"x": whole}, **data.draw(how(whole)))


def test_log_sum_exp_of_large_numbers():
    x = np.array([[1000, 1000], [-1000, -np.inf], [-np.inf, -np.inf]], np.float32)
    (got,) = run_operator("reduce_log_sum_exp", {"x": x}, axes=[1])
    np.testing.assert_allclose(got, [1000 + np.log(2), -1000, -np.inf], rtol=EPS)


def test_integers_lose_their_decimals_not_their_digits():
    x = np.array([[-3, -4], [2**24 + 1, 2**24 + 2], [2**31 - 1, 2**31 - 2]], np.int32)
    (mean,) = run_operator("reduce_mean", {"x": x}, axes=[1])
    assert mean.tolist() == [-3, 2**24 + 1, 2**31 - 2]
    # the squares add up to 10000^2 - 1, which in float32 is 10000^2
    assert int(run_operator("reduce_l2_norm", {"x": np.array([9999, 141, 9, 6], np.int32)})[0]) == 9999


@pytest.mark.parametrize("name", ["reduce_sum", "reduce_max", "reduce_prod", "reduce_l1_norm"])
def test_no_axes_reduce_nothing(name):
    check(name, {"x": np.array([[-1, 2], [3, 4]], np.float32)}, axes=np.zeros(0, np.int32))


def test_sum_of_nothing():
    for name in ("reduce_sum", "reduce_prod"):
        check(name, {"x": np.zeros((0, 3), np.float32)}, axes=[0])


@pytest.mark.parametrize(("name", "oracle"), [("reduce_argmax", np.argmax), ("reduce_argmin", np.argmin)])
@few
@given(data=st.data())
def test_index(name, oracle, data):
    for x in (data.draw(arrays(np.float32, SMALL)), data.draw(arrays(np.int32, SMALL))):
        one = {"axis": data.draw(st.integers(-x.ndim, x.ndim - 1)), "keep_dims": data.draw(st.booleans())}
        check(name, {"x": x}, data.draw(st.sampled_from(["iOS15", "iOS17"])), **one)
        (got,) = run_operator(name, {"x": x}, output_dtype="uint16", **one)
        np.testing.assert_array_equal(got, oracle(x, one["axis"], keepdims=one["keep_dims"]))


def test_of_equal_numbers_the_first():
    x = np.tile(np.array([1, 3, 0, 3, 0], np.float32), 100)
    assert int(run_operator("reduce_argmax", {"x": x})[0]) == 1
    assert int(run_operator("reduce_argmin", {"x": x})[0]) == 2
