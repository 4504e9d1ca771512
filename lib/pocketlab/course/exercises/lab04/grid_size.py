"""Exercise 04.3: the bits of a matrix that is quantized by groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pocketlab.course.exercise import EXACT, Case, Exercise, Misconception
from pocketlab.llm.grids import grid_bits

_Count = Callable[[int, int, int, int], Any]  # a right one gives an int; some wrong ones give something else


def _grid_size_cases(rng: np.random.Generator) -> list[Case]:
    del rng  # whole numbers need no random input

    def case(label: str, outputs: int, inputs: int, bits: int, group_size: int) -> Case:
        sizes = {
            "the number of outputs": outputs,
            "the number of inputs": inputs,
            "the number of weights": outputs * inputs,
            "bits": bits,
            "the group size": group_size,
        }
        return Case(label, (outputs, inputs, bits, group_size), sizes)

    return [
        case("a shorter last group", 2, 6, 4, 4),
        case("a shorter last group", 5, 10, 3, 4),
        case("a shorter last group", 3, 7, 4, 5),
        case("a shorter last group", 4096, 11_000, 4, 128),
        case("a last group of one weight", 3, 9, 4, 4),
        case("a last group of one weight", 6, 129, 2, 32),
        case("groups that divide a row", 4, 8, 4, 4),
        case("groups that divide a row", 4096, 4096, 4, 128),
        case("groups that divide a row", 3, 12, 5, 2),
        case("a group as long as a row", 6, 8, 4, 8),
        case("a group longer than a row", 6, 8, 4, 32),
        case("a group longer than a row", 7, 40, 3, 64),
        case("groups of one weight", 3, 5, 4, 1),
        case("one row", 1, 20, 6, 8),
        case("one column", 20, 1, 4, 8),
        case("2 bits", 4, 64, 2, 16),
        case("8 bits", 4, 64, 8, 16),
        case("8 bits", 3, 50, 8, 16),
        case("1 bit", 4, 64, 1, 16),
        case("0 bits", 4, 64, 0, 16),
        case("a negative number of bits", 4, 64, -4, 16),
        case("9 bits", 4, 64, 9, 16),
        case("16 bits", 4, 64, 16, 16),
        case("a group of 0", 4, 64, 4, 0),
        case("a negative group", 4, 64, 4, -16),
        case("a group of -1", 4, 64, 4, -1),
        case("9 bits and a negative group", 4, 64, 9, -16),
    ]


def _refuse(bits: int, group_size: int) -> None:
    if not 2 <= bits <= 8 or group_size < 1:
        raise ValueError("weights have 2 to 8 bits, in groups of 1 or more")


def _checked(count: _Count) -> _Count:
    """Refuses what the exercise refuses, and is wrong in what it counts."""

    def answer(outputs: int, inputs: int, bits: int, group_size: int) -> Any:
        _refuse(bits, group_size)
        return count(outputs, inputs, bits, group_size)

    return answer


def _up(count: int, size: int) -> int:
    """The quotient, rounded up."""
    return -(-count // size)


def _size(outputs: int, inputs: int, bits: int, group_size: int) -> int:
    """The right number, with nothing refused."""
    return outputs * inputs * bits + outputs * _up(inputs, group_size) * (16 + bits)


def _groups(count: Callable[[int, int, int], Any]) -> _Count:
    """Wrong in how many groups there are, for outputs, inputs and group size."""
    return _checked(lambda o, i, bits, size: o * i * bits + count(o, i, size) * (16 + bits))


def _overhead(of_group: Callable[[int], int]) -> _Count:
    """Wrong in the bits that a group takes beside its weights."""
    return _checked(lambda o, i, bits, size: o * i * bits + o * _up(i, size) * of_group(bits))


def _refusing(allowed: Callable[[int, int], bool]) -> _Count:
    """Right, but for which bits and group sizes it refuses."""

    def answer(outputs: int, inputs: int, bits: int, group_size: int) -> int:
        if not allowed(bits, group_size):
            raise ValueError("such bits or groups are not allowed")
        return _size(outputs, inputs, bits, group_size)

    return answer


def _longer_refused(outputs: int, inputs: int, bits: int, group_size: int) -> int:
    _refuse(bits, group_size if group_size <= inputs else 0)
    return _size(outputs, inputs, bits, group_size)


def _whole_row(outputs: int, inputs: int, bits: int, group_size: int) -> int:
    size = inputs if group_size == -1 else group_size
    _refuse(bits, size)
    return _size(outputs, inputs, bits, size)


def _shorter_refused(outputs: int, inputs: int, bits: int, group_size: int) -> int:
    _refuse(bits, group_size)
    if inputs % group_size:
        raise ValueError("the groups do not divide a row")
    return _size(outputs, inputs, bits, group_size)


def _asserted(outputs: int, inputs: int, bits: int, group_size: int) -> int:
    if not 2 <= bits <= 8 or group_size < 1:
        raise AssertionError
    return _size(outputs, inputs, bits, group_size)


GRID_BITS = Exercise(
    id="04.3",
    title="what 4 bits really take",
    reference=grid_bits,
    cases=_grid_size_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "groups reach over rows",
            _groups(lambda o, i, size: _up(o * i, size)),
            "You divide all weights of the matrix into groups, so that a group may begin in one row and end in the "
            "next. Count the groups of one row, rounded up, and multiply by the rows.",
        ),
        Misconception(
            "groups reach over rows, rounded down",
            _groups(lambda o, i, size: o * i // size),
            "You divide all weights of the matrix into groups and round down. Count the groups of one row, round up, "
            "and multiply by the rows.",
        ),
        Misconception(
            "groups rounded down",
            _groups(lambda o, i, size: o * (i // size)),
            "You round the number of groups in a row down, so that the last weights of a row have no scale. A shorter "
            "group has one too: round up.",
        ),
        Misconception(
            "at least one group, rounded down",
            _groups(lambda o, i, size: o * max(1, i // size)),
            "You round the number of groups in a row down, and only make it one where it would be none. A shorter "
            "last group has a scale too: round up.",
        ),
        Misconception(
            "groups rounded to nearest",
            _groups(lambda o, i, size: o * round(i / size)),
            "You round the number of groups to the nearest whole number. Even one weight left over makes a group: "
            "round up.",
        ),
        Misconception(
            "fractions of a group",
            _groups(lambda o, i, size: o * i / size),
            "You count a shorter group as a fraction of one. It has a whole scale and zero point: round the groups in "
            "a row up.",
        ),
        Misconception(
            "always one group more",
            _groups(lambda o, i, size: o * (i // size + 1)),
            "You always count one group for what is left over. Where the groups divide a row, nothing is left: round "
            "up with `-(-inputs // group_size)`.",
        ),
        Misconception(
            "groups along the columns",
            _groups(lambda o, i, size: i * _up(o, size)),
            "Your groups run down the columns. Neighbors in a row share a scale: a row has as many weights as there "
            "are inputs.",
        ),
        Misconception(
            "groups of whole rows",
            _groups(lambda o, i, size: _up(o, size)),
            "You divide the rows into groups. A group is `group_size` neighbors in one row: divide the inputs.",
        ),
        Misconception(
            "the groups of one row",
            _groups(lambda o, i, size: _up(i, size)),
            "You count the groups of one row only. Each of the `outputs` rows has as many.",
        ),
        Misconception(
            "one group for each row",
            _groups(lambda o, i, size: o),
            "You count one scale for each row. A row has a group for every `group_size` inputs.",
        ),
        Misconception(
            "one scale for the matrix",
            _groups(lambda o, i, size: 1),
            "You count one scale and zero point for the whole matrix. Each group has its own.",
        ),
        Misconception(
            "a scale for each weight",
            _groups(lambda o, i, size: o * i),
            "You count a scale and a zero point for each weight. All weights of a group share one.",
        ),
        Misconception(
            "as many groups as a group has weights",
            _groups(lambda o, i, size: o * size),
            "You take `group_size` for the number of groups. It is the number of weights in one: divide the inputs by "
            "it.",
        ),
        Misconception(
            "filled up to whole groups",
            _checked(lambda o, i, bits, size: o * _up(i, size) * (size * bits + 16 + bits)),
            "You count a shorter group with as many weights as a full one. Only the weights that exist take bits: "
            "`outputs * inputs * bits`.",
        ),
        Misconception(
            "the weights alone",
            _overhead(lambda bits: 0),
            "You count the weights only. Each group also has a scale of 16 bits and a zero point.",
        ),
        Misconception(
            "the weights left out",
            _checked(lambda o, i, bits, size: o * _up(i, size) * (16 + bits)),
            "You count scales and zero points only. Add the weights: `outputs * inputs * bits`.",
        ),
        Misconception(
            "no zero points",
            _overhead(lambda bits: 16),
            "You leave out the zero points. Each group has one, of as many bits as a weight.",
        ),
        Misconception(
            "no scales",
            _overhead(lambda bits: bits),
            "You leave out the scales. Each group has one of 16 bits.",
        ),
        Misconception(
            "scales of 32 bits",
            _overhead(lambda bits: 32 + bits),
            "You count 32 bits for a scale. It has 16 here.",
        ),
        Misconception(
            "zero points of 16 bits",
            _overhead(lambda bits: 32),
            "You count 16 bits for a zero point. It is an integer of the grid, so it has as many bits as a weight.",
        ),
        Misconception(
            "zero points of 8 bits",
            _overhead(lambda bits: 24),
            "You count 8 bits for a zero point. It has as many bits as a weight: `bits`.",
        ),
        Misconception(
            "zero points of 4 bits",
            _overhead(lambda bits: 20),
            "You count 20 bits for a group, which is right for 4 bits only. The zero point has as many bits as a "
            "weight: `16 + bits`.",
        ),
        Misconception(
            "a scale and a zero point for the bits",
            _overhead(lambda bits: 16 * bits),
            "You multiply 16 by `bits`. A group has 16 bits and `bits` more: `16 + bits`.",
        ),
        Misconception(
            "parentheses forgotten",
            _checked(lambda o, i, bits, size: o * i * bits + o * _up(i, size) * 16 + bits),
            "You count one zero point only. Multiplication goes first, so put the sum of scale and zero point in "
            "parentheses: `groups * (16 + bits)`.",
        ),
        Misconception(
            "bytes",
            _checked(lambda o, i, bits, size: _size(o, i, bits, size) // 8),
            "This is in bytes. Wanted are bits: do not divide by 8.",
        ),
        Misconception(
            "bits of one weight",
            _checked(lambda o, i, bits, size: _size(o, i, bits, size) / (o * i)),
            "You return the bits for each weight. Wanted are the bits of the whole matrix: do not divide.",
        ),
        Misconception(
            "a float",
            _checked(lambda o, i, bits, size: float(_size(o, i, bits, size))),
            "The value is right but a float, from `/` or `np.ceil`. Bits are whole: `-(-inputs // group_size)` or "
            "`math.ceil(inputs / group_size)` give whole numbers.",
        ),
        Misconception(
            "nothing refused",
            _size,
            "Right, except that impossible bits and groups are not refused. Raise a ValueError unless `2 <= bits <= "
            "8`, and for a group_size below 1.",
        ),
        Misconception(
            "bits not checked",
            _refusing(lambda bits, size: size >= 1),
            "Right, except that you accept any bits. Raise a ValueError unless `2 <= bits <= 8`.",
        ),
        Misconception(
            "groups not checked",
            _refusing(lambda bits, size: 2 <= bits <= 8),
            "Right, except that you accept any group_size, also 0, by which you then divide. Raise a ValueError for "
            "less than 1.",
        ),
        Misconception(
            "bits below 2 accepted",
            _refusing(lambda bits, size: bits <= 8 and size >= 1),
            "Right, except that you accept less than 2 bits. Raise a ValueError unless `2 <= bits <= 8`.",
        ),
        Misconception(
            "1 bit accepted",
            _refusing(lambda bits, size: 1 <= bits <= 8 and size >= 1),
            "Right, except that you accept 1 bit. Raise a ValueError unless `2 <= bits <= 8`.",
        ),
        Misconception(
            "bits above 8 accepted",
            _refusing(lambda bits, size: bits >= 2 and size >= 1),
            "Right, except that you accept more than 8 bits. Raise a ValueError unless `2 <= bits <= 8`.",
        ),
        Misconception(
            "a group of 0 accepted",
            _refusing(lambda bits, size: 2 <= bits <= 8 and size >= 0),
            "Right, except that you divide by a group_size of 0. Raise a ValueError for less than 1.",
        ),
        Misconception(
            "a negative group accepted",
            _refusing(lambda bits, size: 2 <= bits <= 8 and size != 0),
            "Right, except that you accept a negative group_size. Raise a ValueError for everything below 1.",
        ),
        Misconception(
            "-1 for the whole row",
            _whole_row,
            "You take a group_size of -1 for the whole row, as some tools do. Here it is refused, as everything below 1 is.",
        ),
        Misconception(
            "both have to be bad",
            _refusing(lambda bits, size: 2 <= bits <= 8 or size >= 1),
            "You refuse only where bits and group_size are both wrong. One of them is enough: join the two conditions "
            "with `or`.",
        ),
        Misconception(
            "8 bits refused",
            _refusing(lambda bits, size: 2 <= bits < 8 and size >= 1),
            "You refuse 8 bits. They are allowed, as all from 2 to 8 are; and `range(2, 8)` ends at 7.",
        ),
        Misconception(
            "2 bits refused",
            _refusing(lambda bits, size: 2 < bits <= 8 and size >= 1),
            "You refuse 2 bits. They are allowed, as all from 2 to 8 are.",
        ),
        Misconception(
            "2 and 8 bits refused",
            _refusing(lambda bits, size: 2 < bits < 8 and size >= 1),
            "You refuse 2 and 8 bits. Both are allowed: `2 <= bits <= 8`.",
        ),
        Misconception(
            "only powers of two allowed",
            _refusing(lambda bits, size: bits in (2, 4, 8) and size >= 1),
            "You allow 2, 4 and 8 bits only. All from 2 to 8 are allowed: a grid of 3 bits has 8 points.",
        ),
        Misconception(
            "groups of one refused",
            _refusing(lambda bits, size: 2 <= bits <= 8 and size > 1),
            "You refuse groups of one weight. They make no sense on a phone but are allowed: only less than 1 is "
            "refused.",
        ),
        Misconception(
            "longer groups refused",
            _longer_refused,
            "You refuse a group longer than a row. It is allowed: the row is then one shorter group.",
        ),
        Misconception(
            "shorter groups refused",
            _shorter_refused,
            "You refuse groups that do not divide a row. They are allowed: the last group of a row is shorter.",
        ),
        Misconception(
            "asserted",
            _asserted,
            "Right, except that you raise an AssertionError. `assert` is for mistakes of your own, and can be "
            "switched off; for what a caller gives, raise a ValueError.",
        ),
    ),
)
