"""Wrong answers to exercise 04.4, made of one right answer of which single steps are replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Round = Callable[[Tensor, int], Tensor]  # a group (outputs, length) and bits, to what the group is then worth
Answer = Callable[[Tensor, int, int], Tensor]


def lowest(group: Tensor) -> Tensor:
    """Return the smallest weight of each row, (outputs, 1)."""
    return group.amin(1, keepdim=True)


def highest(group: Tensor) -> Tensor:
    """Return the largest weight of each row, (outputs, 1)."""
    return group.amax(1, keepdim=True)


def largest(group: Tensor) -> Tensor:
    """Return the largest magnitude of each row, (outputs, 1)."""
    return group.abs().amax(1, keepdim=True)


def as_it_is(group: Tensor) -> tuple[Tensor, Tensor]:
    """Return the range of each row, 0 in it or not."""
    return lowest(group), highest(group)


def _widened(group: Tensor) -> tuple[Tensor, Tensor]:
    return lowest(group).clamp(max=0), highest(group).clamp(min=0)


def round_last(group: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Return integers that are rounded after the zero point is added."""
    return (group / scale + zero).round()


def cut_off_zero(low: Tensor, scale: Tensor) -> Tensor:
    """Return the zero point, not below 0. (It is not above the last point either, where 0 is not in the range.)"""
    return (-low / scale).round().clamp(min=0)


def grid(
    ends: Callable[[Tensor], tuple[Tensor, Tensor]] = _widened,
    step: Callable[[Tensor, int], Tensor] = lambda span, bits: span / (2**bits - 1),
    flat: float | None = 1.0,
    zero: Callable[[Tensor, Tensor], Tensor] = lambda low, scale: (-low / scale).round(),
    place: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda w, scale, zero: (w / scale).round() + zero,
    top: Callable[[int], int] = lambda bits: 2**bits - 1,
    cut: Callable[[Tensor, int], Tensor] = lambda q, top: q.clamp(0, top),
    worth: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda q, scale, zero: scale * (q - zero),
) -> Round:
    """Return a way to round a group, step by step; the right one, but for the steps that are given.

    flat: the scale of a group whose range is empty, None to leave it at what `step` says.
    """

    def rounded(group: Tensor, bits: int) -> Tensor:
        low, high = ends(group)
        scale = step(high - low, bits)
        if flat is not None:
            scale = torch.where(high == low, flat, scale)
        zero_point = zero(low, scale)
        return worth(cut(place(group, scale, zero_point), top(bits)), scale, zero_point)

    return rounded


def symmetric(group: Tensor, bits: int) -> Tensor:
    """Round a group to a grid with its zero point at 0."""
    scale = largest(group) / (2 ** (bits - 1) - 1)
    scale = torch.where(scale == 0, 1.0, scale)
    return scale * (group / scale).round()


def _refuse(weight: Tensor, bits: int) -> None:
    if not 2 <= bits <= 8 or not bool(weight.isfinite().all()):
        raise ValueError("weights are finite, and have 2 to 8 bits")


def unchecked(weight: Tensor, bits: int, group_size: int, one: Round | None = None) -> Tensor:
    """Round each group in one way, the right one unless told, and refuse nothing."""
    one = one or grid()
    return torch.cat([one(group, bits) for group in weight.split(group_size, 1)], 1)


def grouped(one: Round) -> Answer:
    """Return an answer that rounds each group in this way, and refuses what is to be refused."""

    def answer(weight: Tensor, bits: int, group_size: int) -> Tensor:
        _refuse(weight, bits)
        return unchecked(weight, bits, group_size, one)

    return answer


right = grouped(grid())


def a_grid_for_each_row(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Ignore the group size."""
    del group_size
    return right(weight, bits, weight.shape[1])


def one_grid(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Take all weights as one group."""
    del group_size
    return right(weight.reshape(1, -1), bits, weight.numel()).reshape(weight.shape)


def rows_together(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Take a block of columns, all rows of it, as one group."""
    return torch.cat([one_grid(block, bits, 0) for block in weight.split(group_size, 1)], 1)


def a_grid_for_each_column(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Take each column as a group."""
    del group_size
    return right(weight.T, bits, len(weight)).T


def down_the_columns(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Form groups of neighbors in a column."""
    return right(weight.T, bits, group_size).T


def across_rows(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Form groups of neighbors in the flattened matrix."""
    return right(weight.reshape(1, -1), bits, group_size).reshape(weight.shape)


def whole_groups(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Fail where the group size does not divide the inputs."""
    _refuse(weight, bits)
    return right(weight.reshape(-1, group_size), bits, group_size).reshape(weight.shape)


def _split_off(weight: Tensor, group_size: int) -> tuple[Tensor, Tensor]:
    """The whole groups, and what is behind them."""
    whole = weight.shape[1] // group_size * group_size
    return weight[:, :whole], weight[:, whole:]


def rest_left(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Leave what is behind the last whole group as it is."""
    _refuse(weight, bits)
    whole, rest = _split_off(weight, group_size)
    return torch.cat([right(whole, bits, group_size), rest], 1) if whole.numel() else rest


def rest_zero(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Leave what is behind the last whole group at 0."""
    _refuse(weight, bits)
    whole, rest = _split_off(weight, group_size)
    return torch.cat([right(whole, bits, group_size), 0 * rest], 1) if whole.numel() else 0 * rest


def rest_joined(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Join what is behind the last whole group to that group."""
    groups = max(weight.shape[1] // group_size, 1)
    before = (groups - 1) * group_size
    last = a_grid_for_each_row(weight[:, before:], bits, 0)
    return torch.cat([right(weight[:, :before], bits, group_size), last], 1) if before else last


def joined_below(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Join the groups along the wrong axis."""
    return torch.cat(right(weight, bits, group_size).split(group_size, 1))


def so_many_groups(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Cut each row into `group_size` groups."""
    return right(weight, bits, -(-weight.shape[1] // group_size))


def interleaved(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Form groups of weights that are as far apart as there are groups."""
    _refuse(weight, bits)
    groups = -(-weight.shape[1] // group_size)
    result = torch.empty_like(weight)
    for first in range(groups):
        result[:, first::groups] = grid()(weight[:, first::groups], bits)
    return result


def equal_as_zeros(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Give the scale 1 to a group whose weights are all equal, whatever they are."""

    def one(group: Tensor, bits: int) -> Tensor:
        with_one = grid(step=lambda span, _: torch.ones_like(span))(group, bits)
        return torch.where(lowest(group) == highest(group), with_one, grid()(group, bits))

    return grouped(one)(weight, bits, group_size)


def zero_from_high(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Take round(high / scale) for the zero point."""

    def one(group: Tensor, bits: int) -> Tensor:
        high = highest(group).clamp(min=0)
        return grid(zero=lambda _, scale: (high / scale).round())(group, bits)

    return grouped(one)(weight, bits, group_size)


def in_place(weight: Tensor, bits: int, group_size: int) -> Any:
    """Write into the weight."""
    weight[:] = right(weight, bits, group_size)
    return weight


def not_finite_accepted(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Refuse bits only."""
    _refuse(torch.zeros(1), bits)
    return unchecked(weight, bits, group_size)


def infinity_accepted(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Refuse bits and NaN only."""
    _refuse(weight.isnan() / ~weight.isnan(), bits)
    return unchecked(weight, bits, group_size)


def any_bits_accepted(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Refuse weights only."""
    _refuse(weight, 4)
    return unchecked(weight, bits, group_size)


def many_bits_accepted(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Refuse weights and fewer than 2 bits."""
    _refuse(weight, min(bits, 8))
    return unchecked(weight, bits, group_size)


def one_bit_accepted(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Refuse weights and more than 8 bits."""
    _refuse(weight, max(bits, 2))
    return unchecked(weight, bits, group_size)


def eight_bits_refused(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Refuse 8 bits too."""
    _refuse(weight, 9 if bits == 8 else bits)
    return unchecked(weight, bits, group_size)


def two_bits_refused(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Refuse 2 bits too."""
    _refuse(weight, 1 if bits == 2 else bits)
    return unchecked(weight, bits, group_size)


def only_four_and_eight_bits(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Refuse all other bits."""
    _refuse(weight, bits if bits in (4, 8) else 9)
    return unchecked(weight, bits, group_size)
