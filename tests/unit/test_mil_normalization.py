from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, run_operator

from pocketlab.runtimes.mil.operators.normalization import instance_norm

few = settings(max_examples=20, deadline=None)
EPS = 2.0**-23  # the distance of two neighbors in float32, relative to them


def floats(low, high):
    return st.floats(low, high, width=32, allow_subnormal=False)


def arrays(min_dims, max_dims, low=-4, high=4):
    return hnp.arrays(np.float32, hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, max_side=4), elements=floats(low, high))


@st.composite
def affine(draw, shape, choices=((), ("gamma",), ("beta",), ("gamma", "beta"))):
    return {name: draw(hnp.arrays(np.float32, shape, elements=floats(-2, 2))) for name in draw(st.sampled_from(choices))}


def along_channels(values, rank):
    return np.asarray(values, np.float64).reshape(-1, *[1] * (rank - 2))


def normalized(x, axes, epsilon, gamma=1.0, beta=0.0):
    """Return the normalized x from the definition in float64, and how far off float32 may be.

    A mean of n numbers is off by n EPS of the largest, a deviation from it by that and a rounding more, and a variance,
    from deviations, by as many EPS of itself: relative to it negligible. A handful of roundings follow (16 for all).
    """
    exact = x.astype(np.float64)
    deviation = exact - exact.mean(axes, keepdims=True)
    scale = gamma / np.sqrt((deviation**2).mean(axes, keepdims=True) + epsilon)
    count = x.size // deviation.mean(axes, keepdims=True).size
    largest = abs(exact).max(axes, keepdims=True)
    return deviation * scale + beta, (count + 16) * EPS * (2 * largest * abs(scale) + abs(beta))


def assert_within(got, expected, bound):
    assert got.shape == expected.shape
    assert (abs(got - expected) <= bound).all(), f"off by {abs(got - expected).max()}"


@few
@given(st.data(), arrays(3, 5), floats(0.0009765625, 1))
def test_batch_norm(data, x, epsilon):
    channels = x.shape[1]
    mean = data.draw(hnp.arrays(np.float32, channels, elements=floats(-2, 2)))
    variance = data.draw(hnp.arrays(np.float32, channels, elements=floats(0, 4)))
    both = data.draw(affine(channels))
    (got,) = run_operator("batch_norm", {"x": x}, mean=mean, variance=variance, epsilon=np.float32(epsilon), **both)
    mean, variance, gamma, beta = (
        along_channels(value, x.ndim) for value in (mean, variance, both.get("gamma", 1), both.get("beta", 0))
    )
    scale = gamma / np.sqrt(variance + epsilon)
    # torch computes x * scale + (beta - mean * scale): the three terms, 3 roundings in `scale` and 4 in the rest
    bound = 7 * EPS * ((abs(x) + abs(mean)) * abs(scale) + abs(beta))
    assert_within(got, (x - mean) * scale + beta, bound)


@few
@given(st.data(), arrays(3, 5), floats(0.0009765625, 1))
def test_instance_norm(data, x, epsilon):
    both = data.draw(affine(x.shape[1]))
    (got,) = run_operator("instance_norm", {"x": x}, epsilon=np.float32(epsilon), **both)
    both = {name: along_channels(values, x.ndim) for name, values in both.items()}
    assert_within(got, *normalized(x, tuple(range(2, x.ndim)), epsilon, **both))


def test_instance_norm_of_large_numbers_in_any_memory_order():
    rng = np.random.default_rng(0)
    x = (1000 + rng.standard_normal((1, 3, 16, 16))).astype(np.float32)
    expected, bound = normalized(x, (2, 3), 1e-5)
    for order in (torch.contiguous_format, torch.channels_last):
        got = instance_norm(torch.from_numpy(x).contiguous(memory_format=order), 1e-5)
        assert_within(got.numpy(), expected, bound)


@few
@given(st.data(), arrays(1, 4), floats(0.0009765625, 1))
def test_layer_norm(data, x, epsilon):
    axes = data.draw(st.lists(st.integers(0, x.ndim - 1), unique=True, min_size=1))
    sizes = [x.shape[axis] for axis in sorted(axes)]
    # not beta alone: coremltools' type inference then asks for the shape of gamma, which is not there
    both = data.draw(affine(tuple(sizes), [(), ("gamma",), ("gamma", "beta")]))
    signed = [axis - data.draw(st.sampled_from([0, x.ndim])) for axis in axes]
    chosen = {"axes": signed, "epsilon": np.float32(epsilon), **both}
    (got,) = run_operator("layer_norm", {"x": x}, **chosen)
    kept = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
    expected, bound = normalized(x, tuple(axes), epsilon, **{name: value.reshape(kept) for name, value in both.items()})
    assert_within(got, expected, bound)
    check("layer_norm", {"x": x}, **chosen, atol=2 * bound.max())


def test_layer_norm_with_settings_of_another_type():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    gamma = np.array([1, -0.5, 2], np.float16)
    (got,) = run_operator("layer_norm", {"x": x}, axes=[1], gamma=gamma, beta=gamma)
    wide = gamma.astype(np.float64).reshape(1, 3, 1)
    assert_within(got, *normalized(x, (1,), 1e-5, wide, wide))


@few
@given(st.data(), hnp.array_shapes(min_dims=3, max_dims=5, max_side=4), floats(0.0009765625, 1))
def test_l2_norm(data, shape, epsilon):
    x = data.draw(hnp.arrays(np.float32, shape, elements=st.integers(-9, 9).map(np.float32)))
    # sums of these squares are exact; epsilon, the root and the quotient each round once, and torch's root is off by one
    check("l2_norm", {"x": x}, epsilon=np.float32(epsilon), rtol=4 * EPS)


@few
@given(arrays(3, 5), st.integers(1, 7), floats(0, 2), floats(0.25, 1.5), floats(0.5, 2))
def test_local_response_norm(x, size, alpha, beta, k):
    chosen = {name: np.float32(value) for name, value in {"alpha": alpha, "beta": beta, "k": k}.items()}
    (got,) = run_operator("local_response_norm", {"x": x}, size=size, **chosen)
    exact, channels = x.astype(np.float64), x.shape[1]
    sums = np.stack(
        [
            (exact[:, max(0, channel - size // 2) : min(channels, channel + (size - 1) // 2 + 1)] ** 2).sum(1)
            for channel in range(channels)
        ],
        axis=1,
    )
    # up to 7 squares, of which each and each sum is rounded; two roundings, to the power of at most 1.5; power and quotient
    np.testing.assert_allclose(got, exact / (k + alpha / size * sums) ** beta, rtol=(1.5 * (7 + 2) + 5 + 1) * EPS, atol=2.0**-126)


@pytest.mark.parametrize("shape", [(2, 3, 1), (1, 3, 1, 1)])
def test_instance_norm_of_a_single_pixel_is_beta(shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    beta = np.array([1, 2, 3], np.float32)
    (got,) = run_operator("instance_norm", {"x": x}, gamma=np.ones(3, np.float32), beta=beta)
    assert_within(got, *normalized(x, tuple(range(2, len(shape))), 1e-5, beta=along_channels(beta, len(shape))))
