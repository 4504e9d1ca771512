from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlab.compression.packing import pack, quantize_groups, unpack
from pocketlab.compression.quantization import affine_params, dequantize, quantize


@given(st.integers(2, 8), st.integers(0, 70), st.integers(0, 1000))
def test_what_is_packed_is_unpacked(bits, count, seed):
    half = 2 ** (bits - 1)
    q = np.random.default_rng(seed).integers(-half, half, count)
    packed = pack(q, bits)
    assert len(packed) == -(-count * bits // 8)
    np.testing.assert_array_equal(unpack(packed, bits, count), q)


def test_four_bits_are_two_to_a_byte_lowest_first():
    assert pack(np.array([1, -2]), 4).tolist() == [0xE1]


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", [True, False])
def test_each_group_is_quantized_by_itself(bits, symmetric):
    w = np.random.default_rng(bits).normal(size=(3, 12)).astype(np.float32)
    stored = quantize_groups(w, 4, bits=bits, symmetric=symmetric)
    assert stored.scales.shape == (3, 3)
    for row in range(3):
        for group in range(3):
            part = w[row, 4 * group : 4 * group + 4]
            scale, zero = affine_params(part.min(), part.max(), bits=bits, symmetric=symmetric)
            q = quantize(part, scale, zero, bits=bits, narrow_range=symmetric)
            expected = dequantize(q, scale, zero)
            np.testing.assert_allclose(stored.weights()[row, 4 * group : 4 * group + 4], expected, rtol=1e-6)
    np.testing.assert_array_equal(unpack(pack(stored.integers, bits), bits, 36).reshape(3, 12), stored.integers)


def test_size_counts_packed_integers_scales_and_shifts():
    w = np.random.default_rng(0).normal(size=(2, 64))
    assert quantize_groups(w, 32).size_bits == 128 * 4 + 4 * 16
    assert quantize_groups(w, 32, symmetric=False).size_bits == 128 * 4 + 4 * (16 + 4)


def test_an_outlier_spoils_only_its_group():
    w = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    spoiled = w.copy()
    spoiled[0, 0] = 1000.0
    one, other = quantize_groups(w, 8).weights(), quantize_groups(spoiled, 8).weights()
    np.testing.assert_array_equal(one[0, 8:], other[0, 8:])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize_groups(np.ones((2, 10)), 4), "Groups of 4 do not divide the 10"),
        (lambda: quantize_groups(np.ones((2, 10)), 0), "do not divide"),
        (lambda: quantize_groups(np.ones((2, 8)), 4, bits=0), "got 0"),
        (lambda: quantize_groups(np.ones((2, 8)), 4, bits=17), "got 17"),
        (lambda: quantize_groups(np.full((2, 8), np.nan), 4), "finite"),
        (lambda: quantize_groups(np.ones((0, 8)), 4), r"\(0, 8\)"),
        (lambda: quantize_groups(np.ones(8), 4), r"\(8,\)"),
        (lambda: pack(np.array([8]), 4), "-8 to 7; there are integers from 8 to 8"),
        (lambda: pack(np.array([0]), 1), "2 to 8 bits; got 1"),
        (lambda: unpack(np.zeros(1, np.uint8), 4, 3), "hold 2 integers"),
    ],
)
def test_what_cannot_be_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_all_equal_weights_are_exact():
    np.testing.assert_allclose(quantize_groups(np.full((2, 8), 0.3), 4).weights(), 0.3, rtol=1e-6)
    assert not quantize_groups(np.zeros((2, 8)), 4).weights().any()
