from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mil_harness import mb, program, types

from pocketlab.runtimes.mil.interpreter import Interpreter

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)
float_types = st.sampled_from([np.float32, np.float16])
palette_bits = st.sampled_from([1, 2, 3, 4, 6, 8])


def expand(name, opset="iOS18", precision="float16", **arguments):
    """Return what we and what coremltools make of the operator, each a list of arrays.

    In float16 our results are rounded to their declared types, as coremltools' are; float32 ones are not touched.
    """
    operations = []

    def build(unused):
        made = getattr(mb, name)(**arguments)
        outputs = made if isinstance(made, list | tuple) else [made]
        operations.append(outputs[0].op)
        return tuple(outputs)

    interpreter = Interpreter(program(build, {"unused": np.zeros(1, np.float32)}, opset), precision=precision)
    results = interpreter.run({"unused": np.zeros(1, np.float32)})
    theirs = operations[0].materialized_val_inference()
    return [results[name].numpy() for name in interpreter.outputs], theirs if isinstance(theirs, tuple) else [theirs]


def check(name, opset="iOS18", **arguments):
    ours, theirs = expand(name, opset, **arguments)
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert our.shape == their.shape
        assert our.dtype.kind == their.dtype.kind
        np.testing.assert_array_equal(our, their.astype(our.dtype))


def integers(rng, name, shape):
    """Random numbers of a MIL type, among them both ends of its range."""
    kind = types.string_to_builtin(name)
    bits, unsigned = kind.get_bitwidth(), kind.is_unsigned()
    low, high = (0, 2**bits) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    values = rng.integers(low, high, shape)
    values.flat[:2] = (low, high - 1)[: values.size]
    return values.astype(types.nptype_from_builtin(kind))


def floats(rng, dtype, shape):
    return np.asarray(rng.uniform(-2, 2, shape)).astype(dtype)


def packed(numbers, bits):
    """Numbers of that many bits in bytes, lowest bit first."""
    return np.packbits(numbers.reshape(-1, 1).astype(np.uint8) >> np.arange(bits, dtype=np.uint8) & 1, bitorder="little")


@few
@given(seeds, st.sampled_from(["int8", "uint8"]), float_types, st.integers(1, 4), st.booleans(), st.booleans(), st.data())
def test_affine_dequantize(rng, source, dtype, rank, many_scales, many_zero_points, data):
    shape = tuple(rng.integers(1, 5, rank))
    axis = data.draw(st.integers(-rank, rank - 1))
    check(
        "constexpr_affine_dequantize",
        "iOS16",
        quantized_data=integers(rng, source, shape),
        zero_point=integers(rng, source, shape[axis]) if many_zero_points else integers(rng, source, 1)[0],
        scale=floats(rng, dtype, shape[axis] if many_scales else ())[()],
        axis=np.int32(axis),
    )


def blocks(rng):
    """A tensor's shape, and how many blocks there are along each of its axes: 1, some or as many as numbers."""
    count = rng.integers(1, 4, rng.integers(1, 5))
    return tuple(count * rng.integers(1, 4, len(count))), tuple(count)


@few
@given(seeds, st.sampled_from(["int4", "uint4", "int8", "uint8"]), float_types, st.sampled_from(["none", "integers", "floats"]))
def test_blockwise_shift_scale(rng, source, dtype, offsets):
    shape, count = blocks(rng)
    offset = {"none": None, "integers": integers(rng, source, count), "floats": rng.integers(-9, 9, count).astype(dtype)}
    check(
        "constexpr_blockwise_shift_scale",
        data=integers(rng, source, shape),
        scale=floats(rng, dtype, count),
        **({} if offsets == "none" else {"offset": offset[offsets]}),
    )


@pytest.mark.parametrize("opset", ["iOS16", "iOS18"])
def test_cast(opset):
    check("constexpr_cast", opset, source_val=np.float16([[0.1, -65504, 6e-8, np.inf]]), output_dtype="fp32")


@few
@given(seeds, st.sampled_from([1, 2, 4, 6, 8]), st.sampled_from(["float16", "float32", "int8", "uint8"]), st.integers(1, 3))
def test_packed_palette(rng, bits, dtype, rank):
    shape = rng.integers(1, 6, rank)
    indices = rng.integers(0, 2**bits, shape)
    lut = floats(rng, dtype, 2**bits) if dtype.startswith("float") else integers(rng, dtype, 2**bits)
    arguments = {"indices": packed(indices, bits), "lut": lut, "shape": shape.astype(np.uint32)}
    check("constexpr_lut_to_dense", "iOS16", **arguments)
    ours, _ = expand("constexpr_lut_to_dense", "iOS16", **arguments)
    np.testing.assert_array_equal(ours[0], lut[indices])


def test_packed_palette_of_the_documentation():
    # Its byte 0 is 01 10 11 00 and its byte 1 ends in 11: the indices are 0, 3, 2, 1, 3.
    indices, lut = np.uint8([0b01101100, 0b11]), np.float32([10, 11, 12, 13])
    ours, _ = expand("constexpr_lut_to_dense", "iOS16", indices=indices, lut=lut, shape=np.uint32([5]))
    np.testing.assert_array_equal(ours[0], [10, 13, 12, 11, 13])


def palette(rng, bits, size, count):
    return floats(rng, rng.choice([np.float32, np.float16]), (*count, 2**bits, size))


@few
@given(seeds, palette_bits, st.integers(1, 3), st.data())
def test_palette(rng, bits, size, data):
    shape, count = blocks(rng)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    check(
        "constexpr_lut_to_dense",
        indices=integers(rng, f"uint{bits}", shape),
        lut=palette(rng, bits, size, count),
        **({"vector_axis": np.int32(axis)} if size > 1 or rng.random() < 0.5 else {}),
    )


@few
@given(seeds, st.sampled_from(["int8", "uint8"]))
def test_palette_of_integers_is_scaled_by_the_next_operator(rng, kind):
    indices, lut, scale = integers(rng, "uint2", (4, 6)), integers(rng, kind, (2, 1, 4, 1)), floats(rng, np.float32, (4, 1))

    def build(unused):
        return mb.constexpr_blockwise_shift_scale(data=mb.constexpr_lut_to_dense(indices=indices, lut=lut), scale=scale)

    interpreter = Interpreter(program(build, {"unused": np.zeros(1, np.float32)}, "iOS18"))
    (ours,) = interpreter.run({"unused": np.zeros(1, np.float32)}).values()
    expected = [scale[row] * lut[row // 2, 0, indices[row], 0].astype(np.float32) for row in range(4)]
    np.testing.assert_array_equal(ours.numpy(), expected)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (1, [[[0, 0], [1, 1], [2, 2], [3, 0], [4, 1], [5, 2]], [[3, 3], [4, 4], [5, 5], [0, 0], [1, 1], [2, 2]]]),
        (2, [[[0, 1, 2, 0, 1, 2], [3, 4, 5, 0, 1, 2]], [[3, 4, 5, 3, 4, 5], [0, 1, 2, 0, 1, 2]]]),
    ],
)
def test_vectors_of_the_documentation(axis, expected):
    indices = np.uint8([[[0, 0], [1, 0]], [[1, 1], [0, 0]]]).astype(types.nptype_from_builtin(types.uint1))
    lut = np.arange(6, dtype=np.int8).reshape(1, 1, 1, 2, 3)
    ours, _ = expand("constexpr_lut_to_dense", indices=indices, lut=lut, vector_axis=np.int32(axis))
    np.testing.assert_array_equal(ours[0], expected)


def sparse(rng, kind, shape):
    """A mask of that shape, and a number for each 1 in it."""
    mask = (rng.random(shape) < rng.choice([0.0, 0.5, 1.0], p=[0.1, 0.8, 0.1])).astype(np.uint8)
    size = int(mask.sum())
    numbers = floats(rng, kind, size) if kind.startswith("float") else integers(rng, kind, size)
    return mask.astype(types.nptype_from_builtin(types.uint1)), numbers


@few
@given(seeds, st.sampled_from(["int8", "uint8", "float16", "float32"]))
def test_packed_sparse(rng, kind):
    shape = rng.integers(1, 6, rng.integers(1, 4))
    mask, numbers = sparse(rng, kind, shape)
    check("constexpr_sparse_to_dense", "iOS16", nonzero_data=numbers, mask=packed(mask, 1), shape=shape.astype(np.uint32))


@few
@given(seeds, st.sampled_from(["int4", "uint4", "int8", "uint8", "float16", "float32"]))
def test_sparse(rng, kind):
    mask, numbers = sparse(rng, kind, rng.integers(1, 6, rng.integers(1, 4)))
    check("constexpr_sparse_to_dense", nonzero_data=numbers, mask=mask)


def test_sparse_of_the_documentation():
    arguments = {"nonzero_data": np.float32([7, 8]), "mask": np.uint8([0b1100]), "shape": np.uint32([5])}
    ours, _ = expand("constexpr_sparse_to_dense", "iOS16", **arguments)
    np.testing.assert_array_equal(ours[0], [0, 0, 7, 8, 0])


@few
@given(seeds, palette_bits, st.integers(1, 3), st.data())
def test_sparse_palette(rng, bits, size, data):
    shape, count = blocks(rng)
    mask, indices = sparse(rng, f"uint{bits}", shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    check(
        "constexpr_lut_to_sparse",
        indices_mask=mask,
        indices_nonzero_data=indices,
        lut=palette(rng, bits, size, count),
        **({"vector_axis": np.int32(axis)} if size > 1 else {}),
    )


def test_sparse_vectors_of_the_documentation():
    one_bit = types.nptype_from_builtin(types.uint1)
    mask = np.uint8([[1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1], [0, 1, 1, 0, 1, 0], [0, 0, 0, 1, 0, 0]])
    indices = np.uint8([0, 1, 1, 0, 1, 1, 0, 0, 1]).astype(one_bit)
    ours, _ = expand(
        "constexpr_lut_to_sparse",
        indices_mask=mask.astype(one_bit),
        indices_nonzero_data=indices,
        lut=np.float16([2, 2, 3, 3]).reshape(1, 1, 2, 2),
        vector_axis=np.int32(0),
    )
    np.testing.assert_array_equal(ours[0], np.repeat(mask, 2, 0))
    np.testing.assert_array_equal(ours[1], [2, 3, 2, 3, 3, 2, 3, 3, 2, 3, 3, 2, 2, 3, 2, 2, 3, 3])


@few
@given(seeds, st.sampled_from(["int4", "uint4", "int8", "uint8"]), float_types, st.booleans())
def test_sparse_blockwise_shift_scale(rng, source, dtype, shifted):
    shape, count = blocks(rng)
    mask, numbers = sparse(rng, source, shape)
    check(
        "constexpr_sparse_blockwise_shift_scale",
        data_mask=mask,
        nonzero_data=numbers,
        scale=floats(rng, dtype, count),
        **({"offset": integers(rng, source, count)} if shifted else {}),
    )
