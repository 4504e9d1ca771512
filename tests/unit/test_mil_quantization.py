from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mil_harness import check, mb, program, run, run_operator

from pocketlab.runtimes.mil.interpreter import Interpreter

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)
kinds = st.sampled_from(["int8", "uint8"])


def parameters(rng, kind, shape, axis, zero_points):
    """A scale and perhaps a zero point, one for the tensor or one for each channel of `axis`."""
    size = () if axis is None else shape[axis]
    limits = np.iinfo(kind)
    found = {"scale": np.asarray(rng.uniform(0.005, 0.1, size)).astype(np.float32)[()]}
    if zero_points:
        found["zero_point"] = np.asarray(rng.integers(limits.min, limits.max, size, endpoint=True)).astype(kind)[()]
    if axis is not None:
        found["axis"] = np.int32(axis)
    return found


@st.composite
def tensors(draw):
    """A random generator, a shape, and an axis or None."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=5)))
    return draw(seeds), shape, draw(st.none() | st.integers(-len(shape), len(shape) - 1))


@few
@given(tensors(), kinds, st.booleans())
def test_quantize(tensor, kind, zero_points):
    rng, shape, axis = tensor
    x = rng.normal(0, 4, shape).astype(np.float32)
    check("quantize", {"input": x}, output_dtype=kind, **parameters(rng, kind, shape, axis, zero_points))


@few
@given(tensors(), kinds, st.booleans())
def test_dequantize_undoes_it(tensor, kind, zero_points):
    rng, shape, axis = tensor
    x = rng.normal(0, 4, shape).astype(np.float32)
    settings = parameters(rng, kind, shape, axis, zero_points)

    def build(x):
        quantized = mb.quantize(input=x, output_dtype=kind, **settings)
        return quantized, mb.dequantize(input=quantized, **settings)

    quantized, back = run(build, {"x": x})
    assert quantized.dtype == kind
    column = [1] * x.ndim
    if axis is not None:
        column[axis] = -1
    scale, zero_point = (np.reshape(settings.get(name, 0), column) for name in ("scale", "zero_point"))
    # A product of float32 numbers, rounded once.
    expected = (quantized.astype(np.int64) - zero_point).astype(np.float32) * scale
    np.testing.assert_array_equal(back, expected.reshape(shape).astype(np.float32))
    limits = np.iinfo(kind)
    inside = (quantized > limits.min) & (quantized < limits.max)
    # Half a step, and the roundings of the division and of two products of numbers below 2^8 steps.
    step = np.broadcast_to(scale, x.shape)
    assert (np.abs(back - x) <= step * (0.5 + 3 * 256 * 2**-24))[inside].all()


@few
@given(tensors(), kinds, st.booleans())
def test_dequantize_of_a_constant(tensor, kind, zero_points):
    rng, shape, axis = tensor
    settings = parameters(rng, kind, shape, axis, zero_points)
    limits = np.iinfo(kind)
    numbers = rng.integers(limits.min, limits.max, shape, endpoint=True).astype(kind)
    operations = []

    def build(unused):
        out = mb.dequantize(input=numbers, **settings)
        operations.append(out.op)
        return out

    unused = {"unused": np.zeros(1, np.float32)}
    (ours,) = Interpreter(program(build, unused)).run(unused).values()
    np.testing.assert_array_equal(ours.numpy(), operations[0].materialized_val_inference())


@pytest.mark.parametrize(("kind", "zero_point"), [("int8", 0), ("int8", -3), ("uint8", 128), ("uint8", 255)])
def test_halves_go_to_the_even_neighbor_and_what_is_too_large_to_the_ends(kind, zero_point):
    x = np.float32([0.25, 0.75, 1.25, -0.25, -0.75, -1.25, 1e30, -1e30, np.inf, -np.inf])
    (got,) = run_operator(
        "quantize", {"input": x}, output_dtype=kind, scale=np.float32(0.5), zero_point=np.dtype(kind).type(zero_point)
    )
    limits = np.iinfo(kind)
    expected = np.float32([0, 2, 2, 0, -2, -2, 1e30, -1e30, np.inf, -np.inf]) + zero_point
    np.testing.assert_array_equal(got, np.clip(expected, limits.min, limits.max))


def test_the_difference_to_the_zero_point_may_need_nine_bits():
    numbers = np.int8([-128, 127])

    def build(unused):
        return mb.dequantize(input=numbers, scale=np.float32(1), zero_point=np.int8(127))

    np.testing.assert_array_equal(run(build, {"unused": np.zeros(1, np.float32)})[0], [-255, 0])
