from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, run_operator
from scipy.special import expit

few = settings(max_examples=15, deadline=None)
EPS = 2.0**-23  # the distance of two neighbors in float32, relative to them; a rounding is off by half of it
# NumPy's exp, log and tanh are within 4 EPS, torch's within 1.
LIBRARY = 5 * EPS
SMALLEST = 2.0**-126  # what is below may be flushed to 0


def floats(low, high):
    return st.floats(low, high, width=32, allow_subnormal=False)


def arrays(low=-10, high=10, **shape):
    shape = {"min_dims": 1, "max_dims": 5, "min_side": 0, "max_side": 4} | shape
    return hnp.arrays(np.float32, hnp.array_shapes(**shape), elements=floats(low, high))


settings_of_ours = floats(-2, 2).map(np.float32)


@pytest.mark.parametrize("name", ["relu", "relu6", "softsign"])
@few
@given(x=arrays())
def test_exact(name, x):
    check(name, {"x": x})


@few
@given(arrays(-80, 80))
def test_sigmoid_and_silu(x):
    # exp, a sum and a quotient in each of the two, and a product for silu
    check("sigmoid", {"x": x}, rtol=LIBRARY + 4 * EPS, atol=SMALLEST)
    (got,) = run_operator("silu", {"x": x})
    np.testing.assert_allclose(got, x * expit(x.astype(np.float64)), rtol=6 * EPS, atol=SMALLEST)


@few
@given(arrays(-40, 40))
def test_softplus(x):
    # coremltools computes ln(1 + e): the sum is rounded, and e is off by 4 EPS of at most 1
    check("softplus", {"x": x}, rtol=LIBRARY, atol=LIBRARY + EPS)


@few
@given(arrays(-4, 4, min_side=1))
def test_gelu(x):
    # torch leaves it to oneDNN, whose erf is a polynomial of degree 5: off by 1.5e-7 (Abramowitz and Stegun, 7.1.26), and
    # computed with ten roundings of numbers up to 1.5. A sum and a product follow. Of all that half of |x| counts, at most 2.
    check("gelu", {"x": x}, mode="EXACT", atol=2 * (1.5e-7 + (10 * 1.5 / 2 + 2) * EPS))
    # tanh is off by LIBRARY, by 1 EPS more for each of 4 roundings on the way there, and 3 follow; half of |x| counts
    check("gelu", {"x": x}, mode="TANH_APPROXIMATION", atol=2 * (LIBRARY + 7 * EPS))
    # the argument of exp is up to 7 and off by half of EPS in either, and by its error exp is off; 3 roundings follow
    check("gelu", {"x": x}, mode="SIGMOID_APPROXIMATION", rtol=LIBRARY + 10 * EPS)


@few
@given(arrays(), floats(0, 3))
def test_elu(x, alpha):
    # coremltools computes e^x - 1, which near 0 is off by what e^x is; torch does not lose that
    check("elu", {"x": x}, alpha=np.float32(alpha), rtol=2 * EPS, atol=alpha * LIBRARY)


@few
@given(arrays(), settings_of_ours, floats(0, 5))
def test_clamped_relu(x, alpha, beta):
    check("clamped_relu", {"x": x}, alpha=alpha, beta=np.float32(beta))


@few
@given(arrays(), settings_of_ours, floats(-5, 0))
def test_clamped_relu_below_zero(x, alpha, beta):
    # what coremltools infers here is beta taken twice; its documentation has this
    (got,) = run_operator("clamped_relu", {"x": x}, alpha=alpha, beta=np.float32(beta))
    np.testing.assert_array_equal(got, np.minimum(np.where(x >= 0, x, alpha * x), np.float32(beta)))


@few
@given(arrays(), settings_of_ours, settings_of_ours)
def test_alpha_and_beta(x, alpha, beta):
    check("leaky_relu", {"x": x}, alpha=alpha)
    check("linear_activation", {"x": x}, alpha=alpha, beta=beta)
    check("sigmoid_hard", {"x": x}, alpha=alpha, beta=beta)
    check("scaled_tanh", {"x": x}, alpha=alpha, beta=beta, rtol=LIBRARY + EPS, atol=SMALLEST)


@few
@given(arrays(-3, 3), st.data())
def test_thresholded_relu(x, data):
    alpha = data.draw(st.one_of(settings_of_ours, *([st.sampled_from(x.ravel())] if x.size else [])))
    (got,) = run_operator("thresholded_relu", {"x": x}, alpha=alpha)
    np.testing.assert_array_equal(got, np.where(x >= alpha, x, 0))
    check("thresholded_relu", {"x": x.copy()}, alpha=alpha)  # coremltools changes the array that it is given


def test_thresholded_relu_keeps_what_equals_the_threshold():
    for alpha in np.array([-3, -0.1, 0, 0.1, 1e-30, 2**24], np.float32):
        around = np.array([np.nextafter(alpha, -np.inf), alpha, np.nextafter(alpha, np.inf)], np.float32)
        assert run_operator("thresholded_relu", {"x": around}, alpha=alpha)[0].tolist() == [0, *around[1:].tolist()]


@few
@given(arrays(min_dims=4, max_dims=4, min_side=1), st.data())
def test_prelu(x, data):
    check("prelu", {"x": x}, alpha=data.draw(hnp.arrays(np.float32, x.shape[1], elements=floats(-2, 2))))


@few
@given(arrays(min_dims=3, min_side=1), settings_of_ours)
def test_prelu_of_other_ranks_has_one_slope(x, alpha):
    check("prelu", {"x": x}, alpha=np.full(x.shape[1], alpha))


@few
@given(arrays(min_dims=3, min_side=1), st.data())
def test_softplus_parametric(x, data):
    alpha, beta = (data.draw(hnp.arrays(np.float32, x.shape[1], elements=floats(-2, 2))) for _ in range(2))
    # as softplus, alpha times
    check("softplus_parametric", {"x": x}, alpha=alpha, beta=beta, rtol=LIBRARY + EPS, atol=2 * (LIBRARY + EPS))


def test_softplus_parametric_does_not_overflow():
    x = np.array([-900, 900], np.float32).reshape(1, 2, 1)
    (got,) = run_operator("softplus_parametric", {"x": x}, alpha=np.ones(2, np.float32), beta=np.full(2, 2, np.float32))
    assert got.ravel().tolist() == [0, 1800]


@few
@given(arrays(-30, 30, min_side=1), st.data())
def test_softmax(x, data):
    # exp twice (the sum has it too), a sum of at most 4, a quotient, in each of the two
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    check("softmax", {"x": x}, axis=axis, rtol=2 * (LIBRARY + 4 * EPS), atol=SMALLEST)


def test_softmax_of_the_last_axis_by_default_and_of_large_numbers():
    x = np.array([[1000, 1000, -1000], [-np.inf, 0, -np.inf]], np.float32)
    assert run_operator("softmax", {"x": x})[0].tolist() == [[0.5, 0.5, 0], [0, 1, 0]]


@pytest.mark.parametrize("name", ["clamped_relu", "elu", "leaky_relu", "linear_activation", "scaled_tanh", "sigmoid_hard"])
def test_settings_of_another_type_than_x(name):
    both = {"beta": np.float16(0.75)} if name not in ("elu", "leaky_relu") else {}
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    check(name, {"x": x}, alpha=np.float16(0.5), **both, rtol=LIBRARY, atol=LIBRARY)
