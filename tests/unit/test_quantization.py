"""The quantization library against its theory."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlab.compression.quantization import (
    affine_params,
    dequantize,
    integer_range,
    model_megabytes,
    quantize,
    representative_batch,
    rounding_and_clipping,
    sqnr_db,
    weight_scales,
)

# Smaller numbers than 1e-30 are no weights, and float32, in which values come back, cannot hold them.
ends = st.floats(-1e4, 1e4).map(lambda value: 0.0 if abs(value) < 1e-30 else value)


@given(ends, ends, st.integers(2, 16))
def test_zero_is_exact_and_every_value_in_range_is_within_half_a_step(a: float, b: float, bits: int) -> None:
    lo, hi = min(a, b), max(a, b)
    scale, zero_point = affine_params(lo, hi, bits=bits)
    assert dequantize(quantize(np.zeros(1), scale, zero_point, bits=bits), scale, zero_point)[0] == 0.0
    x = np.linspace(min(lo, 0.0), max(hi, 0.0), 101)
    back = dequantize(quantize(x, scale, zero_point, bits=bits), scale, zero_point)
    # Half a step by rounding x, and at most half a step more at the ends, where rounding the zero point moves the
    # grid; plus float32.
    assert np.abs(back - x).max() <= scale * (1.0 + 1e-9) + np.abs(x).max() * 2.0**-23


def test_the_range_one_to_six_comes_back() -> None:
    scale, zero_point = affine_params(1.0, 6.0)
    x = np.arange(1.0, 7.0)
    assert np.abs(dequantize(quantize(x, scale, zero_point), scale, zero_point) - x).max() <= scale / 2 + 1e-6


@given(st.floats(1e-3, 1e3), st.integers(2, 16))
def test_symmetric_is_symmetric(m: float, bits: int) -> None:
    scale, zero_point = affine_params(-m / 3, m, bits=bits, symmetric=True)
    assert zero_point == 0
    q = quantize(np.array([-m, m]), scale, bits=bits, narrow_range=True)
    assert q[0] == -q[1] == -(2 ** (bits - 1) - 1)


def test_per_channel_is_each_channel_by_itself() -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(0, 1, (4, 3, 2)) * np.array([0.01, 0.1, 1, 10]).reshape(4, 1, 1)
    scales = weight_scales(w)
    q = quantize(w, scales, narrow_range=True)
    for i in range(4):
        np.testing.assert_array_equal(q[i], quantize(w[i], scales[i], narrow_range=True))
        assert np.abs(q[i]).max() == 127
    assert np.abs(dequantize(q, scales) - w).max() <= scales.max() / 2 + 1e-6


def test_one_more_bit_is_six_more_decibels() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, 100_000)
    figures = []
    for bits in range(4, 13):
        scale, zero_point = affine_params(-1.0, 1.0, bits=bits)
        figures.append(sqnr_db(x, dequantize(quantize(x, scale, zero_point, bits=bits), scale, zero_point)))
    # 20·log10(2) = 6.02 dB a bit as the number of levels doubles; 2^b − 1 levels make the first steps a little larger.
    np.testing.assert_allclose(
        np.diff(figures), 20 * np.log10([(2 ** (b + 1) - 1) / (2**b - 1) for b in range(4, 12)]), atol=0.1
    )


def test_sqnr_of_a_known_ratio() -> None:
    assert sqnr_db(np.array([3.0, 4.0]), np.array([3.0, 4.5])) == pytest.approx(20.0)
    assert sqnr_db(np.ones(3), np.ones(3)) == np.inf


def test_representative_images_are_prepared_as_the_app_does() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * 50
    batch = representative_batch(images, np.array([1, 0, 1, 0, 0, 1]), 2, 0.5, 0.25)
    np.testing.assert_allclose(batch.ravel(), (np.array([50, 150, 0, 100]) / 255 - 0.5) / 0.25, rtol=1e-6)
    assert batch.dtype == np.float32


def test_megabytes() -> None:
    assert model_megabytes(7_000_000_000, 4) == 3500.0


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: integer_range(0), "from 2 to 16"),
        (lambda: integer_range(17), "17"),
        (lambda: affine_params(2.0, 1.0), "lo must not be above hi"),
        (lambda: affine_params(np.nan, 1.0), "finite"),
        (lambda: affine_params(np.zeros(2), np.ones(3)), "(2,) and (3,)"),
        (lambda: quantize(np.array([np.nan]), 1.0), "NaN"),
        (lambda: quantize(np.ones(2), 0.0), "positive"),
        (lambda: quantize(np.ones((2, 3)), np.ones(3)), "(2,)"),
        (lambda: weight_scales(np.zeros((0, 3))), "(0, 3)"),
        (lambda: weight_scales(np.array([[np.inf]])), "finite"),
        (lambda: sqnr_db(np.zeros(3), np.ones(3)), "no signal"),
        (lambda: sqnr_db(np.ones(3), np.ones(2)), "(3,) and (2,)"),
        (
            lambda: representative_batch(np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 1]), 2, 0.0, 1.0),
            "Class 0 has 1",
        ),
        (lambda: representative_batch(np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 1]), 1, 0.0, 0.0), "std"),
        (lambda: model_megabytes(-1, 8), "-1"),
    ],
)
def test_impossible_arguments_are_named(call, part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)):
        call()


@given(st.floats(0.1, 5.0), st.integers(2, 8))
def test_rounding_and_clipping_add_up_to_the_error_of_quantizing(limit: float, bits: int) -> None:
    x = np.random.default_rng(0).normal(0, 1, (7, 11))
    scale, zero_point = affine_params(-limit, limit, bits=bits, symmetric=True)
    restored = scale * quantize(x, scale, zero_point, bits=bits, narrow_range=True).astype(float)
    rounding, clipping = rounding_and_clipping(x, limit, bits)
    assert rounding + clipping == pytest.approx(((x - restored) ** 2).mean(), rel=1e-9)
    assert (clipping == 0) == (np.abs(x).max() <= limit)


def test_rounding_and_clipping_refuse_what_has_no_grid() -> None:
    x = np.ones(3)
    for call, message in (
        (lambda: rounding_and_clipping(x, 0.0), "positive and finite; got 0.0"),
        (lambda: rounding_and_clipping(x, np.nan), "positive and finite; got nan"),
        (lambda: rounding_and_clipping(np.array([]), 1.0), "at least one"),
        (lambda: rounding_and_clipping(np.array([1.0, np.nan]), 1.0), "finite values"),
        (lambda: rounding_and_clipping(x, 1.0, 17), "from 2 to 16"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
