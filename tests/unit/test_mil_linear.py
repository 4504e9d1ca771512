from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, mb, run, run_operator

few = settings(max_examples=20, deadline=None)
EPS = 2.0**-23  # the distance of two neighbors in float32, relative to them
TYPES = st.sampled_from([np.float32, np.int32])
SIDE = st.integers(1, 5)


def whole(draw, dtype, shape):
    """Small whole numbers, of which all products and sums are exact."""
    return draw(hnp.arrays(dtype, tuple(shape), elements=st.integers(-9, 9).map(dtype)))


@few
@given(st.data(), TYPES, st.booleans())
def test_linear(data, dtype, has_bias):
    *_, inputs = shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    outputs = data.draw(SIDE)
    bias = {"bias": whole(data.draw, dtype, [outputs])} if has_bias else {}
    x, weight = whole(data.draw, dtype, shape), whole(data.draw, dtype, [outputs, inputs])
    check("linear", {"x": x}, weight=weight, **bias)


@pytest.mark.parametrize(("x", "weight"), [(np.float32, np.int32), (np.int32, np.float32), (np.float32, np.float16)])
def test_weights_of_another_type(x, weight):
    values, weights = np.array([[3, -5]], x), np.array([[2.5, 1], [-1, 0.5]]).astype(weight)
    check("linear", {"x": values}, weight=weights, bias=np.array([1, 2], weight))
    check("linear", {"x": values}, weight=weights)
    (got,) = run_operator("matmul", {"x": values}, y=weights)
    np.testing.assert_array_equal(got, (values.astype(np.float64) @ weights).astype(x))


@few
@given(st.data(), TYPES, st.booleans(), st.booleans())
def test_matmul(data, dtype, transpose_x, transpose_y):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_dims=0, max_dims=3, max_side=3)).input_shapes
    rows, inner, columns = (data.draw(SIDE) for _ in range(3))
    x = whole(data.draw, dtype, (*shapes[0], *((inner, rows) if transpose_x else (rows, inner))))
    y = whole(data.draw, dtype, (*shapes[1], *((columns, inner) if transpose_y else (inner, columns))))
    check("matmul", {"x": x, "y": y}, transpose_x=transpose_x, transpose_y=transpose_y)


@few
@given(st.data(), st.booleans())
def test_a_vector_times_matrices(data, transpose_y):
    inner, columns = data.draw(SIDE), data.draw(SIDE)
    batch = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=3))[1:]
    y = whole(data.draw, np.float32, (*batch, *((columns, inner) if transpose_y else (inner, columns))))
    check("matmul", {"x": whole(data.draw, np.float32, [inner]), "y": y}, transpose_y=transpose_y)


@few
@given(st.data(), st.sampled_from(["nchw,nwhu->nchu", "abcd,adce->abce", "NCHW,NWHU->NCHU"]))
def test_einsum_of_rank_4(data, equation):
    n, c, h, w, u = (data.draw(SIDE) for _ in range(5))
    one = [data.draw(st.integers(0, 2)) for _ in range(2)]  # which of the two has size 1 along n, and along h
    x = whole(data.draw, np.float32, (1 if one[0] == 1 else n, c, 1 if one[1] == 1 else h, w))
    y = whole(data.draw, np.float32, (1 if one[0] == 2 else n, w, 1 if one[1] == 2 else h, u))
    (got,) = run(lambda x, y: mb.einsum(values=(x, y), equation=equation), {"x": x, "y": y})
    expected = (x[:, :, :, None, :] * y.transpose(0, 2, 3, 1)[:, None]).sum(-1)  # (n, c, h, u, w) summed over w
    np.testing.assert_array_equal(got, expected)


@few
@given(st.data())
def test_einsum_of_rank_3(data):
    c, h, w, u = (data.draw(SIDE) for _ in range(4))
    x, y = whole(data.draw, np.float32, (c, h, w)), whole(data.draw, np.float32, (w, data.draw(st.sampled_from([1, h])), u))
    (got,) = run(lambda x, y: mb.einsum(values=(x, y), equation="chw,whr->chr"), {"x": x, "y": y})
    np.testing.assert_array_equal(got, (x[:, :, None, :] * y.transpose(1, 2, 0)[None]).sum(-1))


def test_real_numbers_are_multiplied_in_float32():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 300), np.float32), rng.standard_normal((300, 9), np.float32)
    # each of 300 products and sums is rounded: by at most half of EPS of a partial sum, which none of the terms' sizes exceeds
    bound = 300 * EPS * (abs(x) @ abs(y))
    exact = x.astype(np.float64) @ y
    for got in (
        run_operator("matmul", {"x": x, "y": y}),
        run_operator("linear", {"x": x}, weight=y.T.copy()),
        run(lambda x, y: mb.einsum(values=(x, y), equation="chw,whr->chr"), {"x": x[:, None], "y": y[:, None]}),
    ):
        assert (abs(got[0].reshape(8, 9) - exact) <= bound).all()


# attention


@few
@given(st.data(), st.sampled_from(["none", "bool", "float"]))
def test_attention(data, mask):
    batch = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=2))
    length, positions, size, out = (data.draw(st.integers(1, 4)) for _ in range(4))
    shapes = {"query": (length, size), "key": (positions, size), "value": (positions, out)}
    tensors = {name: data.draw(normal((*batch, *shape))) for name, shape in shapes.items()}
    if mask != "none":
        whole_shape = (*batch, length, positions)
        shape = [data.draw(st.sampled_from([1, n])) for n in whole_shape[:-1]] + [positions]
        shape = shape[data.draw(st.integers(0, len(shape) - 1)) :]
        kind = hnp.arrays(np.bool_, tuple(shape)) if mask == "bool" else normal(tuple(shape))
        tensors["attn_mask"] = data.draw(kind)
        if mask == "bool":
            tensors["attn_mask"][..., 0] = True  # somewhere to attend to, or coremltools divides 0 by 0
    # A score is the sum of up to 4 products of at most 4, halved or not, and a mask of up to 2: up to 18, with 8 roundings
    # by half of EPS each. By its error a weight is off twice (the sum has it too), and by 4 EPS for exp, 4 for the sum, 1 for
    # the quotient; the result by this relative to values of at most 2, and by 4 roundings more. All this in both libraries.
    check("scaled_dot_product_attention", tensors, "iOS18", atol=2 * 2 * (2 * 18 * 4 + 9 + 4) * EPS)


def normal(shape):
    return hnp.arrays(np.float32, shape, elements=st.floats(-2, 2, width=32))


@pytest.mark.parametrize("batch", [(2,), (2, 3)])
def test_a_row_that_attends_to_nothing_gives_zero(batch):
    x = np.ones((*batch, 4, 4), np.float32)
    allowed = np.array([True, False, True, True])[:, None] & np.ones((4, 4), bool)
    for mask in (allowed, np.where(allowed, 0, -np.inf).astype(np.float32)):
        tensors = {"query": x, "key": x, "value": x, "attn_mask": mask}
        (got,) = run_operator("scaled_dot_product_attention", tensors, "iOS18")
        np.testing.assert_allclose(got, np.broadcast_to([[1], [0], [1], [1]], x.shape), rtol=4 * EPS)
