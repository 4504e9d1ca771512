"""Weights on a grid: integers of 2 to 8 bits, and a scale and a zero point for each small group of neighbors.

The grid is asymmetric, from a group's smallest weight to its largest, as in the papers of GPTQ (Frantar et al. 2023) and AWQ
(Lin et al. 2024). Sizes and rules are those of `pocketlab.compression.packing`; here with torch, and integers from 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Grid:
    """A quantized matrix: `integers` (outputs, inputs) uint8 from 0; `scales`, `zero_points` (outputs, groups) float32.

    Neighbors along the inputs form groups of `group_size`; the last group is shorter where that does not divide them.
    """

    integers: Tensor
    scales: Tensor
    zero_points: Tensor
    bits: int
    group_size: int

    @property
    def size_bits(self) -> int:
        """The bits that it takes in a file, `grid_bits`."""
        outputs, inputs = self.integers.shape
        return grid_bits(outputs, inputs, self.bits, self.group_size)

    def weights(self) -> Tensor:
        """Return `scale · (integer − zero_point)`, float32 (outputs, inputs)."""
        return self._spread(self.scales) * (self.integers - self._spread(self.zero_points))

    def _spread(self, of_groups: Tensor) -> Tensor:
        return of_groups.repeat_interleave(self.group_size, dim=1)[:, : self.integers.shape[1]]


def grid_bits(outputs: int, inputs: int, bits: int, group_size: int) -> int:
    """Return the bits that a quantized matrix takes in a file.

    Those are integers of `bits`, and for each group a float16 scale and a zero point of `bits`. Each row has groups of its own,
    the last one perhaps shorter. Raises ValueError unless 2 ≤ bits ≤ 8 and group_size ≥ 1.
    """
    check_sizes(bits, group_size)
    groups = outputs * -(-inputs // group_size)
    return outputs * inputs * bits + groups * (16 + bits)


def round_to_nearest(weight: Tensor, bits: int, group_size: int, kept: Tensor | float = 1.0) -> Grid:
    """Return a weight (outputs, inputs) with each number at the nearest point of its group's grid.

    kept: by how much each group's range is narrowed before, a number or (outputs, groups); weights beyond it are clipped.
    Raises ValueError for a weight that is no matrix or not finite, and unless 2 ≤ bits ≤ 8 and group_size ≥ 1.
    """
    check(weight, bits, group_size)
    groups = split(weight, group_size)
    scales, zero_points = group_parameters(groups, bits, kept)
    integers = nearest(groups, scales[..., None], zero_points[..., None], bits)
    return make_grid(integers.flatten(1)[:, : weight.shape[1]], scales, zero_points, bits, group_size)


def group_parameters(groups: Tensor, bits: int, kept: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """Return scales and zero points of weights (…, group_size), one for each group, in the weights' own type.

    A range is widened to hold 0, so that 0 is stored exactly; a group of zeros gets scale 1. kept: as for `round_to_nearest`.
    """
    low, high = groups.amin(-1).clamp(max=0) * kept, groups.amax(-1).clamp(min=0) * kept
    top = 2**bits - 1
    scales = torch.where(high > low, (high - low) / top, 1.0)
    return scales, (-low / scales).round().clamp(0, top)


def nearest(weights: Tensor, scales: Tensor, zero_points: Tensor, bits: int) -> Tensor:
    """Return the nearest integers from 0 to 2^bits − 1, in the weights' own type; all shapes broadcast."""
    return ((weights / scales).round() + zero_points).clamp(0, 2**bits - 1)


def make_grid(integers: Tensor, scales: Tensor, zero_points: Tensor, bits: int, group_size: int) -> Grid:
    """Return a `Grid` of numbers of any type, each in the type in which it is kept."""
    return Grid(integers.to(torch.uint8), scales.float(), zero_points.float(), bits, group_size)


def split(weight: Tensor, group_size: int) -> Tensor:
    """Return a weight (outputs, inputs) as (outputs, groups, group_size), the last group filled with zeros.

    A zero is in the range of every group already, so it changes no grid.
    """
    missing = -weight.shape[1] % group_size
    return functional.pad(weight, (0, missing)).unflatten(1, (-1, group_size))


def check(weight: Tensor, bits: int, group_size: int) -> None:
    """Raise ValueError for a weight that is no matrix or not finite, and as `check_sizes` does."""
    check_sizes(bits, group_size)
    if weight.ndim != 2 or weight.numel() == 0 or not bool(weight.isfinite().all()):
        raise ValueError(f"A weight is (outputs, inputs), finite, at least one number; see a tensor {tuple(weight.shape)}.")


def check_sizes(bits: int, group_size: int) -> None:
    """Raise ValueError unless 2 ≤ bits ≤ 8 and group_size ≥ 1."""
    if not 2 <= bits <= 8:
        raise ValueError(f"Weights are quantized to 2 to 8 bits; got {bits}.")
    if group_size < 1:
        raise ValueError(f"A group has 1 weight or more; got a group_size of {group_size}.")
