"""The mistakes that exercise 04.4 knows, each with its hint."""

from __future__ import annotations

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab04 import rounding_wrong as wrong

MISTAKES = (
    Misconception(
        "one grid for each row",
        wrong.a_grid_for_each_row,
        "You give each row one grid. Each group of `group_size` neighbors has a range, a scale and a zero point of its "
        "own: take the minimum and the maximum of `weight[:, start : start + group_size]`.",
    ),
    Misconception(
        "one grid for all",
        wrong.one_grid,
        "The whole matrix shares one grid. Take the minimum and the maximum of each group of `group_size` neighbors in "
        "a row.",
    ),
    Misconception(
        "rows share a group",
        wrong.rows_together,
        "All rows share the grids, as you take the minimum and the maximum of a whole block of columns. A group lies "
        "in one row: use `amin(1, keepdim=True)` and `amax(1, keepdim=True)`.",
    ),
    Misconception(
        "a grid for each column",
        wrong.a_grid_for_each_column,
        "Your minimum and maximum run down the columns (`amin(0)`). Neighbors in a row form a group: use `amin(1, "
        "keepdim=True)`.",
    ),
    Misconception(
        "groups down the columns",
        wrong.down_the_columns,
        "Your groups are `group_size` neighbors in a column. They are neighbors in a row: cut along the inputs, axis "
        "1.",
    ),
    Misconception(
        "groups across rows",
        wrong.across_rows,
        "You cut the flattened matrix into groups, so some reach from one row into the next where `group_size` does "
        "not divide the inputs. Each row starts a new group.",
    ),
    Misconception(
        "only whole groups",
        wrong.whole_groups,
        "Your `reshape` or `view` fails where `group_size` does not divide the inputs. Loop over `range(0, "
        "weight.shape[1], group_size)`: the last slice is shorter by itself.",
    ),
    Misconception(
        "the last weights left as they are",
        wrong.rest_left,
        "You leave the weights behind the last whole group as they are. They form a shorter group with a grid of its "
        "own.",
    ),
    Misconception(
        "the last weights left at 0",
        wrong.rest_zero,
        "The weights behind the last whole group come out as 0: your loop does not reach them. They form a shorter "
        "group with a grid of its own.",
    ),
    Misconception(
        "the last group joined to the one before",
        wrong.rest_joined,
        "You add the weights behind the last whole group to that group. They form a shorter group with a grid of its "
        "own.",
    ),
    Misconception(
        "the first group only",
        lambda weight, bits, group_size: wrong.right(weight[:, :group_size], bits, group_size),
        "You return the first group only: is the `return` inside of the loop? Collect all groups, and join them with "
        "`torch.cat(groups, 1)`.",
    ),
    Misconception(
        "joined below each other",
        wrong.joined_below,
        "You join the groups below each other. They lie side by side: `torch.cat(groups, 1)`.",
    ),
    Misconception(
        "group_size groups",
        wrong.so_many_groups,
        "You cut each row into `group_size` groups. `group_size` is how many weights a group has: `split` takes that, "
        "`chunk` the number of groups.",
    ),
    Misconception(
        "every so-many-th weight",
        wrong.interleaved,
        "Your groups take weights from all over the row (`weight[:, i::n]`, or a `reshape` with the axes the wrong way "
        "round). A group is `group_size` neighbors: `weight[:, start : start + group_size]`.",
    ),
    Misconception(
        "the range not widened",
        wrong.grouped(wrong.grid(ends=wrong.as_it_is)),
        "You take a group's range as it is, and 0 is not in it where all weights have one sign. Widen it: "
        "`low.clamp(max=0)` and `high.clamp(min=0)`.",
    ),
    Misconception(
        "the range not widened, the zero point cut off",
        wrong.grouped(wrong.grid(ends=wrong.as_it_is, zero=wrong.cut_off_zero)),
        "You cut the zero point off at the ends of the grid, but the range does not hold 0 where all weights have one "
        "sign. Widen the range first: `low.clamp(max=0)` and `high.clamp(min=0)`.",
    ),
    Misconception(
        "only the lower end widened",
        wrong.grouped(wrong.grid(ends=lambda w: (wrong.lowest(w).clamp(max=0), wrong.highest(w)))),
        "You widen the range at the lower end only. If all weights are below 0, the upper end has to rise to 0: "
        "`high.clamp(min=0)`.",
    ),
    Misconception(
        "only the upper end widened",
        wrong.grouped(wrong.grid(ends=lambda w: (wrong.lowest(w), wrong.highest(w).clamp(min=0)))),
        "You widen the range at the upper end only. If all weights are above 0, the lower end has to go down to 0: "
        "`low.clamp(max=0)`.",
    ),
    Misconception(
        "the clamps exchanged",
        wrong.grouped(wrong.grid(ends=lambda w: (wrong.lowest(w).clamp(min=0), wrong.highest(w).clamp(max=0)))),
        "Your clamps cut the range off instead of widening it. The lower end is at most 0, `clamp(max=0)`, the upper "
        "one at least 0, `clamp(min=0)`.",
    ),
    Misconception(
        "from 0 up only",
        wrong.grouped(wrong.grid(ends=lambda w: (0 * wrong.lowest(w), wrong.highest(w).clamp(min=0)))),
        "Your range starts at 0 whatever the weights, so the negative ones are cut off. It starts at the smallest "
        "weight, if that is below 0.",
    ),
    Misconception(
        "as far below 0 as above",
        wrong.grouped(wrong.grid(ends=lambda w: (-wrong.largest(w), wrong.largest(w)))),
        "Your range goes from −max |w| to max |w|, which wastes points where a group reaches farther on one side. It "
        "goes from the smallest weight to the largest.",
    ),
    Misconception(
        "a symmetric grid",
        wrong.grouped(wrong.symmetric),
        "Yours is the symmetric grid, max |w| / (2^(bits − 1) − 1) with the zero point 0. The asymmetric one is "
        "wanted: its scale is (high − low) / (2^bits − 1), and it has a zero point.",
    ),
    Misconception(
        "as many steps as points",
        wrong.grouped(wrong.grid(step=lambda span, bits: span / 2**bits)),
        "You divide the range by 2^bits. That many points have one step less between them: divide by 2^bits − 1.",
    ),
    Misconception(
        "half the steps",
        wrong.grouped(wrong.grid(step=lambda span, bits: span / (2 ** (bits - 1) - 1))),
        "You divide the range by 2^(bits − 1) − 1, as for a symmetric grid. All 2^bits points lie between low and "
        "high: divide by 2^bits − 1.",
    ),
    Misconception(
        "always 4 bits",
        wrong.grouped(lambda group, bits: wrong.grid()(group, 4)),
        "Your grid has 16 points whatever `bits` says. It has 2^bits.",
    ),
    Misconception(
        "always 8 bits",
        wrong.grouped(lambda group, bits: wrong.grid()(group, 8)),
        "Your grid has 256 points whatever `bits` says. It has 2^bits.",
    ),
    Misconception(
        "bits taken for points",
        wrong.grouped(wrong.grid(step=lambda span, bits: span / (bits - 1), top=lambda bits: bits - 1)),
        "Your grid has as many points as there are bits. With `bits` bits there are 2^bits points.",
    ),
    Misconception(
        "2^bits typed as 2 ^ bits",
        wrong.grouped(wrong.grid(step=lambda span, bits: span / ((2 ^ bits) - 1), top=lambda bits: (2 ^ bits) - 1)),
        "`2 ^ bits` is the exclusive or in Python. A power is `2**bits`.",
    ),
    Misconception(
        "a scale in float16",
        wrong.grouped(wrong.grid(step=lambda span, bits: (span / (2**bits - 1)).half().float())),
        "You round the scale to 16 bits. That happens in the file; compute in float32 here, so that tiny and huge "
        "weights pass too.",
    ),
    Misconception(
        "0 divided by 0",
        wrong.grouped(wrong.grid(flat=None)),
        "Right, except that a group of zeros has the scale 0, and 0 / 0 is not a number. Where high equals low, set "
        "the scale to 1.",
    ),
    Misconception(
        "an epsilon in the scale",
        wrong.grouped(wrong.grid(step=lambda span, bits: (span / (2**bits - 1)).clamp(min=1e-8), flat=None)),
        "Right, except for tiny weights, which your smallest scale rounds to 0. Only where high equals low set the "
        "scale to 1, with `torch.where`.",
    ),
    Misconception(
        "equal weights taken for zeros",
        wrong.equal_as_zeros,
        "Right, except where all weights of a group are equal but not 0. Widen the range first and compare its ends "
        "then: only a group of zeros has high equal to low.",
    ),
    Misconception(
        "the zero point not rounded",
        wrong.grouped(wrong.grid(zero=lambda low, scale: -low / scale, place=wrong.round_last)),
        "You do not round the zero point, or you return scale · integer + low. Then 0 is on no point of the grid. The "
        "zero point is an integer: round(−low / scale).",
    ),
    Misconception(
        "the zero point cut to an integer",
        wrong.grouped(wrong.grid(zero=lambda low, scale: (-low / scale).trunc())),
        "You cut the zero point off with `int` or `floor`. Round it to the nearest integer, as you do with the "
        "weights.",
    ),
    Misconception(
        "the sign of the zero point",
        wrong.grouped(wrong.grid(zero=lambda low, scale: (low / scale).round())),
        "Your zero point is round(low / scale), which is negative. It is the integer that stands for 0, and low is "
        "below 0: round(−low / scale).",
    ),
    Misconception(
        "the zero point from the other end",
        wrong.zero_from_high,
        "Your zero point counts from the upper end, high / scale. It says how many steps 0 lies above low: round(−low "
        "/ scale).",
    ),
    Misconception(
        "the zero point subtracted",
        wrong.grouped(wrong.grid(place=lambda w, scale, zero: (w / scale).round() - zero)),
        "You subtract the zero point to get the integer. Add it: integer = round(w / scale) + zero point. It is "
        "subtracted on the way back.",
    ),
    Misconception(
        "the zero point forgotten on the way in",
        wrong.grouped(wrong.grid(place=lambda w, scale, zero: (w / scale).round())),
        "You do not add the zero point to the integer, so negative weights are cut off at 0. integer = round(w / "
        "scale) + zero point.",
    ),
    Misconception(
        "the zero point forgotten on the way back",
        wrong.grouped(wrong.grid(worth=lambda q, scale, zero: scale * q)),
        "A weight is worth scale · (integer − zero point). You leave the zero point out, so all are too large.",
    ),
    Misconception(
        "the zero point added on the way back",
        wrong.grouped(wrong.grid(worth=lambda q, scale, zero: scale * (q + zero))),
        "You add the zero point on the way back. A weight is worth scale · (integer − zero point).",
    ),
    Misconception(
        "the zero point outside of the parentheses",
        wrong.grouped(wrong.grid(worth=lambda q, scale, zero: scale * q - zero)),
        "You subtract the zero point after the multiplication. It is an integer like the others: scale · (integer − "
        "zero point).",
    ),
    Misconception(
        "below 0 in uint8",
        wrong.grouped(wrong.grid(worth=lambda q, scale, zero: scale * ((q - zero) % 256))),
        "You subtract the zero point in uint8, where 3 − 5 is 254. Convert the integers to float32 first.",
    ),
    Misconception(
        "the integers",
        wrong.grouped(wrong.grid(worth=lambda q, scale, zero: q)),
        "You return the integers. What the weights are then worth is wanted: scale · (integer − zero point).",
    ),
    Misconception(
        "the scale forgotten on the way back",
        wrong.grouped(wrong.grid(worth=lambda q, scale, zero: q - zero)),
        "You return integer − zero point. Multiply it by the scale: that is what a weight is then worth.",
    ),
    Misconception(
        "what rounding changes",
        lambda weight, bits, group_size: wrong.right(weight, bits, group_size) - weight,
        "You return the rounding error. The rounded weights themselves are wanted.",
    ),
    Misconception(
        "rounded down",
        wrong.grouped(wrong.grid(place=lambda w, scale, zero: (w / scale).floor() + zero)),
        "You round down, as `//`, `floor` and a mere `.to(torch.uint8)` of w / scale + zero point do. That moves all "
        "weights by half a step on average. Round to the nearest.",
    ),
    Misconception(
        "rounded towards 0",
        wrong.grouped(wrong.grid(place=lambda w, scale, zero: (w / scale).trunc() + zero)),
        "You cut w / scale off towards 0, as `int` and `trunc` do. Round it to the nearest.",
    ),
    Misconception(
        "rounded up",
        wrong.grouped(wrong.grid(place=lambda w, scale, zero: (w / scale).ceil() + zero)),
        "You round up. Round to the nearest: `torch.round`.",
    ),
    Misconception(
        "halves rounded up",
        wrong.grouped(wrong.grid(place=lambda w, scale, zero: (w / scale + 0.5).floor() + zero)),
        "Wrong only where w / scale ends in exactly a half, which `floor(x + 0.5)` rounds up. `round` goes to the even "
        "number: round(−1.5) is −2.",
    ),
    Misconception(
        "not rounded",
        wrong.grouped(wrong.grid(place=lambda w, scale, zero: w / scale + zero)),
        "You scale the weights forth and back without rounding them. integer = round(w / scale) + zero point.",
    ),
    Misconception(
        "not cut off",
        wrong.grouped(wrong.grid(cut=lambda q, top: q)),
        "Right, except that an integer can be 2^bits, one more than fits: where 0 lies halfway between two points, the "
        "zero point and the upper end may both round up. Cut off at 0 and 2^bits − 1, the largest of 2^bits integers.",
    ),
    Misconception(
        "cut off without the zero point",
        wrong.grouped(wrong.grid(place=lambda w, scale, zero: (w / scale).round().clamp(min=0) + zero)),
        "You cut off before you add the zero point, so negative weights become 0. Add it first, then cut off at 0 and "
        "2^bits − 1.",
    ),
    Misconception(
        "cut off one too low",
        wrong.grouped(wrong.grid(cut=lambda q, top: q.clamp(0, top - 1))),
        "You cut off at 2^bits − 2, so each group loses its upper end. The largest integer is 2^bits − 1.",
    ),
    Misconception(
        "cut off as signed integers",
        wrong.grouped(wrong.grid(cut=lambda q, top: q.clamp(-((top + 1) // 2), top // 2))),
        "You cut off at −2^(bits − 1) and 2^(bits − 1) − 1, the ends of signed integers. With this zero point they run "
        "from 0 to 2^bits − 1.",
    ),
    Misconception(
        "the weights changed",
        wrong.in_place,
        "Your function writes into the weights that it is given, and the lab rounds the same ones again in other ways. "
        "Write into `torch.empty_like(weight)`, or collect the groups and use `torch.cat`.",
    ),
    Misconception(
        "flat",
        lambda weight, bits, group_size: wrong.right(weight, bits, group_size).flatten(),
        "The values are right, in one row. Give the result the shape of the weight.",
    ),
    Misconception(
        "nothing refused",
        wrong.unchecked,
        "Right, except that nothing is refused. Raise a ValueError if a weight is not finite, and unless `2 <= bits <= "
        "8`.",
    ),
    Misconception(
        "weights that are not finite accepted",
        wrong.not_finite_accepted,
        "Right, except that NaN and infinity are accepted. One of them spoils its whole group: raise a ValueError "
        "unless `weight.isfinite().all()`.",
    ),
    Misconception(
        "infinity accepted",
        wrong.infinity_accepted,
        "Right, except that infinite weights are accepted: `isnan` finds only NaN. Raise a ValueError unless "
        "`weight.isfinite().all()`.",
    ),
    Misconception(
        "any bits accepted",
        wrong.any_bits_accepted,
        "Right, except that any number of bits is accepted. Raise a ValueError unless `2 <= bits <= 8`.",
    ),
    Misconception(
        "more than 8 bits accepted",
        wrong.many_bits_accepted,
        "Right, except that more than 8 bits are accepted. Raise a ValueError unless `2 <= bits <= 8`.",
    ),
    Misconception(
        "1 bit accepted",
        wrong.one_bit_accepted,
        "Right, except that 1 bit is accepted. Raise a ValueError unless `2 <= bits <= 8`.",
    ),
    Misconception(
        "8 bits refused",
        wrong.eight_bits_refused,
        "You refuse 8 bits: `range(2, 8)` ends at 7. 2 to 8 bits are allowed, both included.",
    ),
    Misconception(
        "2 bits refused",
        wrong.two_bits_refused,
        "You refuse 2 bits. 2 to 8 bits are allowed, both included.",
    ),
    Misconception(
        "only 4 and 8 bits",
        wrong.only_four_and_eight_bits,
        "You refuse bits other than 4 and 8. All from 2 to 8 are allowed.",
    ),
)
