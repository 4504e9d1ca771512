"""Affine quantization: real numbers as small integers, `x ≈ scale · (q − zero_point)`.

The scheme is that of Jacob et al. 2018 (Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference, section 2.1), with the conventions of LiteRT's 8-bit specification: signed integers,
weights symmetric without −2^(bits−1), activations asymmetric with a range that holds zero.
"""

from __future__ import annotations

import numpy as np


def integer_range(bits: int = 8, *, narrow_range: bool = False) -> tuple[int, int]:
    """Return the smallest and largest signed integer of `bits` bits; `narrow_range` leaves out the smallest one.

    Raises ValueError unless 2 ≤ bits ≤ 16.
    """
    if not isinstance(bits, int | np.integer) or not 2 <= bits <= 16:
        raise ValueError(f"bits must be a whole number from 2 to 16, and {bits!r} is not.")
    top = 2 ** (int(bits) - 1)
    return (-top + 1 if narrow_range else -top), top - 1


def model_megabytes(parameters: int, bits: int) -> float:
    """Return the size in MB (10⁶ bytes) of that many parameters stored in `bits` bits each.

    Raises ValueError for a negative number of parameters or bits that are not positive.
    """
    if parameters < 0 or bits <= 0:
        raise ValueError(f"A model has 0 or more parameters of 1 or more bits; got {parameters} and {bits}.")
    return parameters * bits / 8 / 1e6


def affine_params(
    lo: float | np.ndarray,
    hi: float | np.ndarray,
    *,
    bits: int = 8,
    symmetric: bool = False,
    narrow_range: bool = False,
) -> tuple[float | np.ndarray, int | np.ndarray]:
    """Return the scale and the zero point that cover the real range lo to hi.

    The range is first widened to hold 0, so that 0 (padding, the output of a ReLU) is stored without any error. With
    `symmetric`, the range becomes −m to m, m the larger magnitude, and the zero point is 0. lo and hi are numbers, or
    arrays of one shape with an entry per channel; scale (float) and zero_point (int) have that shape. A range that is
    only 0 gets scale 1.

    Raises ValueError where lo > hi, where either is not finite, and for impossible bits.
    Source: Jacob et al. 2018, section 2.1 and equation 13 of section 3; LiteRT 8-bit quantization specification.
    """
    qmin, qmax = integer_range(bits, narrow_range=narrow_range or symmetric)
    low, high = np.asarray(lo, np.float64), np.asarray(hi, np.float64)
    if low.shape != high.shape:
        raise ValueError(f"lo and hi must have one shape; they have {low.shape} and {high.shape}.")
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError("lo and hi must be finite; there is a NaN or an infinity in them.")
    if (low > high).any():
        raise ValueError(f"lo must not be above hi; got lo={lo} and hi={hi}.")
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    span = high - low
    scale = np.where(span > 0, span / (qmax - qmin), 1.0)
    zero_point = np.zeros(scale.shape, np.int64)
    if not symmetric:
        zero_point = np.clip(np.round(qmin - low / scale), qmin, qmax).astype(np.int64)
    if scale.ndim == 0:
        return float(scale), int(zero_point)
    return scale, zero_point


def quantize(
    x: np.ndarray,
    scale: float | np.ndarray,
    zero_point: int | np.ndarray = 0,
    *,
    bits: int = 8,
    narrow_range: bool = False,
) -> np.ndarray:
    """Return the nearest integers, `clip(round(x / scale) + zero_point)`, shaped as x.

    scale and zero_point are numbers, or have one entry for each index of x's first axis (per channel). The result is
    int8 up to 8 bits and int16 above. Values outside of the range are cut off at its ends.

    Raises ValueError for a NaN in x, a scale that is not positive and finite, and for impossible bits.
    """
    qmin, qmax = integer_range(bits, narrow_range=narrow_range)
    values = np.asarray(x)
    if np.isnan(values).any():
        raise ValueError("x has a NaN in it, and no integer stands for that.")
    s, z = _per_channel(values, scale), _per_channel(values, zero_point)
    if not ((s > 0) & np.isfinite(s)).all():
        raise ValueError(f"scale must be positive and finite; got {scale}.")
    q = np.clip(np.round(values / s) + z, qmin, qmax)
    return q.astype(np.int8 if bits <= 8 else np.int16)


def dequantize(q: np.ndarray, scale: float | np.ndarray, zero_point: int | np.ndarray = 0) -> np.ndarray:
    """Return the real numbers that the integers q stand for, `scale · (q − zero_point)`, as float32 shaped as q.

    scale and zero_point as for `quantize`.
    """
    integers = np.asarray(q)
    wide = integers.astype(np.int64) - _per_channel(integers, zero_point)  # int8 arithmetic would wrap around
    return (_per_channel(integers, scale) * wide).astype(np.float32)


def weight_scales(weights: np.ndarray, *, bits: int = 8) -> np.ndarray:
    """Return one symmetric scale for each output channel of weights (output channels, …), as (channels,) float64.

    The largest magnitude of a channel lands on the largest integer, 127 for 8 bits. A channel of zeros gets scale 1.

    Raises ValueError where a weight is not finite or there is none.
    Source: LiteRT 8-bit quantization specification (per-axis weights, range −127 to 127).
    """
    w = np.asarray(weights)
    if w.ndim == 0 or w.size == 0:
        raise ValueError(f"weights must have a first axis and at least one element; their shape is {w.shape}.")
    largest = np.abs(w.reshape(len(w), -1)).max(axis=1)
    scale, _ = affine_params(-largest, largest, bits=bits, symmetric=True)
    return np.asarray(scale)


def sqnr_db(reference: np.ndarray, approximation: np.ndarray) -> float:
    """Return the signal to quantization noise ratio in dB: 10·log10(Σ reference² / Σ (reference − approximation)²).

    Both have one shape. Equal arrays give infinity. Six dB more are one bit more.

    Raises ValueError for different shapes, for nothing to compare, and for a reference that is all zero.
    """
    a, b = np.asarray(reference, np.float64), np.asarray(approximation, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"Both arrays must have one shape; they have {a.shape} and {b.shape}.")
    signal, noise = float((a**2).sum()), float(((a - b) ** 2).sum())
    if a.size == 0 or signal == 0.0:
        raise ValueError("The reference has no signal: it is empty or all zero.")
    return float("inf") if noise == 0.0 else 10.0 * float(np.log10(signal / noise))


def rounding_and_clipping(x: np.ndarray, limit: float, bits: int = 4) -> tuple[float, float]:
    """Return the mean squared error that rounding and that clipping makes, for a symmetric grid that ends at ±limit.

    x: any shape. The grid has 2^bits − 1 values, 0 among them, with a step of `limit / (2^(bits−1) − 1)`. A value beyond the
    limit is clipped to it, any other rounded to the nearest value of the grid; both errors are sums over their values divided
    by the number of all values, so that their sum is the mean squared error of x.

    Raises ValueError for a limit that is not positive and finite, an x that is empty or not finite, and impossible bits.
    Source: Nagel et al. 2021 (A White Paper on Neural Network Quantization), section 2.3.1.
    """
    values = np.asarray(x, np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"x needs finite values, at least one; its shape is {values.shape}.")
    if not 0 < limit < np.inf:
        raise ValueError(f"limit must be positive and finite; got {limit}.")
    step = limit / integer_range(bits, narrow_range=True)[1]
    clipped = np.abs(values) > limit
    inside = values[~clipped]
    rounding = float(((inside - step * np.round(inside / step)) ** 2).sum())
    clipping = float(((np.abs(values[clipped]) - limit) ** 2).sum())
    return rounding / values.size, clipping / values.size


def representative_batch(images: np.ndarray, labels: np.ndarray, per_class: int, mean: float, std: float) -> np.ndarray:
    """Return the samples that a converter should see to learn the range of every activation.

    images: (count, channels, height, width) uint8 pixels; labels: (count,). Takes the first `per_class` images of each
    class, class after class in ascending order, and prepares them exactly as the app will: divided by 255, mean taken
    off, divided by std. The result is (classes · per_class, channels, height, width) float32.

    Raises ValueError where a class has fewer than `per_class` images or std is not positive.
    """
    if std <= 0:
        raise ValueError(f"std must be positive; got {std}.")
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)[:per_class]
        if len(rows) < per_class:
            raise ValueError(f"Class {label} has {len(rows)} images; {per_class} were asked for.")
        chosen.append(rows)
    pixels = images[np.concatenate(chosen)].astype(np.float32)
    return ((pixels / 255.0 - mean) / std).astype(np.float32)


def _per_channel(x: np.ndarray, parameter: float | int | np.ndarray) -> np.ndarray:
    """Shape a parameter with an entry per channel so that it runs along x's first axis."""
    p = np.asarray(parameter)
    if p.ndim == 0:
        return p
    if x.ndim == 0 or p.shape != x.shape[:1]:
        raise ValueError(f"For x of shape {x.shape} a parameter per channel has shape {x.shape[:1]}, not {p.shape}.")
    return p.reshape(-1, *[1] * (x.ndim - 1))
