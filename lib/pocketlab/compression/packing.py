"""Integers of 2 to 8 bits: a scale for each small group of weights, and packed bytes, as language models on phones have.

Source: LiteRT and Core ML blockwise quantization; Frantar et al. 2023 (GPTQ), section 3 on groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pocketlab.compression.quantization import affine_params, integer_range


@dataclass(frozen=True)
class Grouped:
    """Quantized weights: `integers` (outputs, inputs) int8; `scales` and `zero_points` (outputs, inputs / group_size)."""

    integers: np.ndarray
    scales: np.ndarray
    zero_points: np.ndarray
    bits: int
    group_size: int

    @property
    def size_bits(self) -> int:
        """Bits in a file: packed integers, a float16 scale a group, and a zero point of `bits` where any is not 0."""
        shifts = self.zero_points.size * self.bits if self.zero_points.any() else 0
        return self.integers.size * self.bits + self.scales.size * 16 + shifts

    def weights(self) -> np.ndarray:
        """Return `scale · (integer − zero_point)`, float32 (outputs, inputs)."""
        integers = self.integers.reshape(*self.scales.shape, self.group_size).astype(np.int64)
        values = self.scales[..., None] * (integers - self.zero_points[..., None])
        return values.reshape(self.integers.shape).astype(np.float32)


def quantize_groups(weights: np.ndarray, group_size: int, *, bits: int = 4, symmetric: bool = True) -> Grouped:
    """Quantize weights (outputs, inputs) with a scale for every `group_size` neighbors along the inputs.

    An outlier coarsens the grid of its group, and of no other weight; each scale costs 16 / group_size bits a weight.
    Raises ValueError if the groups do not divide the inputs, for NaN or infinity, and unless 2 ≤ bits ≤ 8.
    """
    w = np.asarray(weights)
    if not 2 <= bits <= 8:
        raise ValueError(f"Groups are stored in 2 to 8 bits; got {bits}.")
    if w.ndim != 2 or w.size == 0 or not np.isfinite(w).all():
        raise ValueError(f"weights are (outputs, inputs), finite, at least one; their shape is {w.shape}.")
    if group_size < 1 or w.shape[1] % group_size:
        raise ValueError(f"Groups of {group_size} do not divide the {w.shape[1]} inputs.")
    groups = w.reshape(len(w), -1, group_size).astype(np.float64)
    scale, zero_point = affine_params(groups.min(-1), groups.max(-1), bits=bits, symmetric=symmetric)
    scale, zero_point = np.asarray(scale), np.asarray(zero_point)
    lowest, highest = integer_range(bits, narrow_range=symmetric)
    integers = np.clip(np.round(groups / scale[..., None]) + zero_point[..., None], lowest, highest)
    return Grouped(integers.astype(np.int8).reshape(w.shape), scale, zero_point, bits, group_size)


def pack(integers: np.ndarray, bits: int) -> np.ndarray:
    """Return signed integers of `bits` bits as bytes (uint8), one behind the other, the lowest bit first.

    integers: any shape, read row by row. The last byte is filled with zeros.
    Raises ValueError unless 2 ≤ bits ≤ 8 and every integer fits.
    """
    lowest, highest = integer_range(_packable(bits))
    flat = np.asarray(integers).reshape(-1)
    if flat.size and (flat.min() < lowest or flat.max() > highest):
        raise ValueError(f"{bits} bits hold {lowest} to {highest}; there are integers from {flat.min()} to {flat.max()}.")
    planes = (flat.astype(np.int64)[:, None] >> np.arange(bits)) & 1
    return np.packbits(planes.astype(np.uint8).reshape(-1), bitorder="little")


def unpack(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Return the first `count` integers (int8) of what `pack` wrote. Raises ValueError if there are not so many."""
    _packable(bits)
    planes = np.unpackbits(np.asarray(packed, np.uint8), bitorder="little")
    if count < 0 or planes.size < count * bits:
        raise ValueError(f"{len(packed)} bytes hold {planes.size // bits} integers of {bits} bits; {count} are due.")
    values = (planes[: count * bits].reshape(count, bits).astype(np.int64) << np.arange(bits)).sum(1)
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values).astype(np.int8)


def _packable(bits: int) -> int:
    if not isinstance(bits, int | np.integer) or not 2 <= bits <= 8:
        raise ValueError(f"Integers are packed in 2 to 8 bits; got {bits!r}.")
    return int(bits)
