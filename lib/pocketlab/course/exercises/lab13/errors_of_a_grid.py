"""Exercise 13.2: what rounding and what clipping costs, for a grid that ends at a limit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pocketlab.compression.quantization import rounding_and_clipping
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance

Pair = tuple[float, float]


def _cases(rng: np.random.Generator) -> list[Case]:
    def normal(shape: int | tuple[int, ...], spread: float = 1.0) -> np.ndarray:
        return rng.normal(0, spread, shape).astype(np.float32)

    weights = normal((8, 4, 3, 3), 0.1)
    just_beyond = np.concatenate([rng.uniform(-1, 1, 20), rng.uniform(1.02, 1.14, 6), rng.uniform(-1.14, -1.02, 6)])
    signs = rng.choice([-1.0, 1.0], 12)
    return [
        Case("values on both sides of the limit", (np.array([0.2, -0.6, 1.4, 0.9], np.float32), 1.0, 3)),
        Case("values on both sides of the limit", (normal(200), 2.0, 4)),
        Case("values on both sides of the limit", (normal((10, 10)), 1.5, 3)),
        Case("a convolution's weights", (weights, 0.15, 4)),
        Case("a convolution's weights, 8 bits", (weights, 0.25, 8)),
        Case("two bits", (normal(100), 1.2, 2)),
        Case("a limit far below the largest value", (normal((6, 9), 3.0), 0.9, 5)),
        Case("a value just beyond the limit", (just_beyond.astype(np.float32), 1.0, 3)),
        Case("only negative values", (-np.abs(normal(60)), 1.3, 4)),
        Case("only positive values", (np.abs(normal(60)), 1.3, 4)),
        Case("nothing is clipped", (weights, 0.8, 4)),
        Case("everything is clipped", ((rng.uniform(2, 3, 12) * signs).astype(np.float32), 1.0, 4)),
        Case("all on the grid", (np.array([-1.75, -0.5, 0.0, 0.25, 1.75], np.float32), 1.75, 4)),
        Case("all zero", (np.zeros((2, 3), np.float32), 0.5, 4)),
        Case("one value", (np.array([-0.73], np.float32), 1.0, 4)),
        Case("a transposed view", (normal((5, 8)).T, 1.1, 4)),
    ]


def _highest(bits: int) -> int:
    return int(2 ** (bits - 1) - 1)


def _errors(x: np.ndarray, limit: float, step: float, rounding: Callable[[np.ndarray], np.ndarray] = np.round) -> Pair:
    values = np.asarray(x, np.float64)
    clipped = np.abs(values) > limit
    inside = values[~clipped]
    error = ((inside - step * rounding(inside / step)) ** 2).sum()
    return error / values.size, ((np.abs(values[clipped]) - limit) ** 2).sum() / values.size


def _usual(x: np.ndarray, limit: float, bits: int) -> Pair:
    return _errors(x, limit, limit / _highest(bits))


def _as_integers(x: np.ndarray, limit: float, bits: int, lowest: int) -> np.ndarray:
    """Return x as it comes back from the integers `lowest` to the highest."""
    step = limit / _highest(bits)
    return step * np.clip(np.round(np.asarray(x, np.float64) / step), lowest, _highest(bits))


def _own_means(x: np.ndarray, limit: float, bits: int, *, of_none: float) -> Pair:
    sums = _usual(x, limit, bits)
    beyond = int((np.abs(x) > limit).sum())
    counts = x.size - beyond, beyond
    first, second = (total * x.size / count if count else of_none for total, count in zip(sums, counts, strict=True))
    return first, second


def _own_mean_of_rounding(x: np.ndarray, limit: float, bits: int) -> Pair:
    return _own_means(x, limit, bits, of_none=np.nan)[0], _usual(x, limit, bits)[1]


def _own_mean_of_clipping(x: np.ndarray, limit: float, bits: int, *, of_none: float) -> Pair:
    return _usual(x, limit, bits)[0], _own_means(x, limit, bits, of_none=of_none)[1]


def _rounding_everywhere(x: np.ndarray, limit: float, bits: int) -> Pair:
    step = limit / _highest(bits)
    return float(((x - step * np.round(x / step)) ** 2).mean()), _usual(x, limit, bits)[1]


def _all_as_rounding(x: np.ndarray, limit: float, bits: int) -> Pair:
    return float(((x - _as_integers(x, limit, bits, -_highest(bits))) ** 2).mean()), _usual(x, limit, bits)[1]


def _clipping_seen_on_the_grid(x: np.ndarray, limit: float, bits: int) -> Pair:
    step = limit / _highest(bits)
    clipped = np.abs(np.round(x / step)) > _highest(bits)
    squares = (x - _as_integers(x, limit, bits, -_highest(bits))) ** 2
    return squares[~clipped].sum() / x.size, squares[clipped].sum() / x.size


def _rounded_before_clipping(x: np.ndarray, limit: float, bits: int) -> Pair:
    step = limit / _highest(bits)
    rounded = step * np.round(np.asarray(x, np.float64) / step)
    beyond = rounded - np.clip(rounded, -limit, limit)
    return float(((x - rounded) ** 2).mean()), float((beyond**2).mean())


def _clipped_first(x: np.ndarray, limit: float, step: float, first: float = 0.0) -> Pair:
    """Return the errors of clipping, and of then rounding all values to a grid through `first`."""
    clipped = np.clip(np.asarray(x, np.float64), -limit, limit)
    rounded = first + step * np.round((clipped - first) / step)
    return float(((clipped - rounded) ** 2).mean()), float(((x - clipped) ** 2).mean())


def _variances(x: np.ndarray, limit: float, bits: int) -> Pair:
    step = limit / _highest(bits)
    clipped = np.clip(np.asarray(x, np.float64), -limit, limit)
    return float((clipped - step * np.round(clipped / step)).var()), float((x - clipped).var())


def _in_steps(x: np.ndarray, limit: float, bits: int) -> Pair:
    rounding, clipping = _usual(x, limit, bits)
    return rounding * (_highest(bits) / limit) ** 2, clipping


def _one_less_above(x: np.ndarray, limit: float, bits: int) -> Pair:
    steps = 2 ** (bits - 1)
    step = limit / steps
    squares = (x - step * np.clip(np.round(np.asarray(x, np.float64) / step), -steps, steps - 1)) ** 2
    clipped = np.abs(x) > limit
    return squares[~clipped].sum() / x.size, squares[clipped].sum() / x.size


def _one_more_below(x: np.ndarray, limit: float, bits: int) -> Pair:
    low = -limit - limit / _highest(bits)
    clipped = (x > limit) | (x < low)
    squares = (x - _as_integers(x, limit, bits, -_highest(bits) - 1)) ** 2
    return squares[~clipped].sum() / x.size, squares[clipped].sum() / x.size


def _upper_end_only(x: np.ndarray, limit: float, bits: int) -> Pair:
    step = limit / _highest(bits)
    inside, beyond = x[x <= limit], x[x > limit]
    return ((inside - step * np.round(inside / step)) ** 2).sum() / x.size, ((beyond - limit) ** 2).sum() / x.size


def _sign_forgotten(x: np.ndarray, limit: float, bits: int) -> Pair:
    beyond = x[np.abs(x) > limit]
    return _usual(x, limit, bits)[0], ((beyond - limit) ** 2).sum() / x.size


def _lost_values(x: np.ndarray, limit: float, bits: int) -> Pair:
    return _usual(x, limit, bits)[0], (x[np.abs(x) > limit] ** 2).sum() / x.size


def _magnitudes(x: np.ndarray, limit: float, bits: int) -> Pair:
    step = limit / _highest(bits)
    inside, beyond = x[np.abs(x) <= limit], x[np.abs(x) > limit]
    return np.abs(inside - step * np.round(inside / step)).sum() / x.size, (np.abs(beyond) - limit).sum() / x.size


def _relative(x: np.ndarray, limit: float, bits: int) -> Pair:
    rounding, clipping = _usual(x, limit, bits)
    power = float((np.asarray(x, np.float64) ** 2).mean())
    return rounding / power if power else 0.0, clipping / power if power else 0.0


def _twelfth(x: np.ndarray, limit: float, bits: int, share: float) -> Pair:
    return share * (limit / _highest(bits)) ** 2 / 12, _usual(x, limit, bits)[1]


def _own_limit(x: np.ndarray, limit: float, bits: int) -> Pair:
    return _usual(x, float(np.abs(x).max()) or 1.0, bits)


def _in_place(x: np.ndarray, limit: float, bits: int) -> Pair:
    result = _usual(x, limit, bits)
    np.clip(x, -limit, limit, out=x)
    return result


_ALL_VALUES = "Divide both sums by the number of all values, `x.size`: then the two add up to the mean squared error of x."

def _shares_of_means(x: np.ndarray, limit: float, bits: int) -> Pair:
    rounding, clipping = _usual(x, limit, bits)
    beyond = int((np.abs(x) > limit).sum())
    return (rounding if beyond < x.size else np.nan), (clipping if beyond else np.nan)


ROUNDING_AND_CLIPPING = Exercise(
    id="13.2",
    title="rounding against clipping",
    reference=rounding_and_clipping,
    cases=_cases,
    tolerance=Tolerance(
        2e-4,
        1e-12,
        "In float32 a value near the limit of 8 bits is known to 2⁻²³ of it, and the error that is squared, about a quarter of "
        "limit/127, to 6e-5; twice that for the square. Zero may come out as the square of a rounding error, 1e-14.",
    ),
    misconceptions=(
        Misconception(
            "each averaged over its own values",
            lambda x, limit, bits: _own_means(x, limit, bits, of_none=0.0),
            "You average the rounding error over the values inside and the clipping error over those outside. "
            + _ALL_VALUES,
        ),
        Misconception(
            "each averaged over its own values, NaN for none",
            lambda x, limit, bits: _own_means(x, limit, bits, of_none=np.nan),
            "You take the mean of each kind over its own values, which is NaN where there are none. " + _ALL_VALUES,
        ),
        Misconception(
            "rounding averaged over the values inside",
            _own_mean_of_rounding,
            "You average the rounding error over the values inside of the limit only. " + _ALL_VALUES,
        ),
        Misconception(
            "clipping averaged over the clipped values",
            lambda x, limit, bits: _own_mean_of_clipping(x, limit, bits, of_none=0.0),
            "You average the clipping error over the clipped values only. " + _ALL_VALUES,
        ),
        Misconception(
            "clipping averaged over the clipped values, NaN for none",
            lambda x, limit, bits: _own_mean_of_clipping(x, limit, bits, of_none=np.nan),
            "You take the mean of the clipping error over the clipped values, which is NaN where there are none. " + _ALL_VALUES,
        ),
        Misconception(
            "sums",
            lambda x, limit, bits: tuple(error * x.size for error in _usual(x, limit, bits)),
            "You return sums of squares. " + _ALL_VALUES,
        ),
        Misconception(
            "roots",
            lambda x, limit, bits: tuple(error**0.5 for error in _usual(x, limit, bits)),
            "You take the square root. The two mean squared errors add up; their roots do not.",
        ),
        Misconception(
            "variances",
            _variances,
            "You take the variance of the errors, which leaves out their mean. Average the squares: `(error**2).mean()`.",
        ),
        Misconception(
            "the first axis counted",
            lambda x, limit, bits: tuple(error * x.size / len(x) for error in _usual(x, limit, bits)),
            "Right for one axis only: `len(x)` counts the rows of a matrix. Divide by `x.size`.",
        ),
        Misconception(
            "magnitudes in place of squares",
            _magnitudes,
            "You average the magnitudes of the errors. Square them: the figure wanted is the mean squared error.",
        ),
        Misconception(
            "relative to the values",
            _relative,
            "You divide by the mean square of x. The errors are wanted in absolute terms: divide the sums by the number of "
            "values only.",
        ),
        Misconception(
            "the order swapped",
            lambda x, limit, bits: _usual(x, limit, bits)[::-1],
            "You return (clipping, rounding). Rounding comes first.",
        ),
        Misconception(
            "one step too many",
            lambda x, limit, bits: _errors(x, limit, limit / 2 ** (bits - 1)),
            "Your step is limit / 2^(bits − 1). On each side of 0 there are 2^(bits − 1) − 1 steps, 7 for 4 bits, so that the "
            "last one ends at the limit.",
        ),
        Misconception(
            "steps of the whole range",
            lambda x, limit, bits: _errors(x, limit, 2 * limit / (2**bits - 1)),
            "You divide the range from −limit to limit into 2^bits − 1 steps. A symmetric grid with 0 on it has one value "
            "fewer: 2^(bits − 1) − 1 steps on each side.",
        ),
        Misconception(
            "steps of the whole range, clipped first",
            lambda x, limit, bits: _clipped_first(x, limit, 2 * limit / (2**bits - 1)),
            "You divide the range from −limit to limit into 2^bits − 1 steps, and then the limit is not on the grid. A symmetric "
            "grid has 2^(bits − 1) − 1 steps on each side of 0.",
        ),
        Misconception(
            "a grid without 0",
            lambda x, limit, bits: _clipped_first(x, limit, 2 * limit / (2**bits - 1), -limit),
            "Your grid has 2^bits values from −limit to limit, and 0 is none of them. This one has a value fewer: 0, and "
            "2^(bits − 1) − 1 steps on each side.",
        ),
        Misconception(
            "int8's ends",
            _one_less_above,
            "Your integers go from −2^(bits − 1) to 2^(bits − 1) − 1, so the upper end is one step short of the limit. The grid "
            "is symmetric: 2^(bits − 1) − 1 steps on each side.",
        ),
        Misconception(
            "half the step",
            lambda x, limit, bits: _errors(x, limit, limit / (2**bits - 1)),
            "Your step is limit / (2^bits − 1), as if all integers lay on one side of 0. Half of them are negative: divide by "
            "2^(bits − 1) − 1.",
        ),
        Misconception(
            "bits in place of steps",
            lambda x, limit, bits: _errors(x, limit, limit / bits),
            "You divide the limit by the number of bits. With `bits` bits there are 2^(bits − 1) − 1 steps on each side of 0.",
        ),
        Misconception(
            "8 bits always",
            lambda x, limit, bits: _errors(x, limit, limit / 127),
            "You use 127 steps whatever the bits are. The step is limit / (2^(bits − 1) − 1).",
        ),
        Misconception(
            "4 bits always",
            lambda x, limit, bits: _errors(x, limit, limit / 7),
            "You use 7 steps whatever the bits are. The step is limit / (2^(bits − 1) − 1).",
        ),
        Misconception(
            "rounded to whole numbers",
            lambda x, limit, bits: _clipped_first(x, limit, 1.0),
            "You round the values themselves. Divide by the step, round, and multiply by the step again.",
        ),
        Misconception(
            "errors in steps",
            _in_steps,
            "You measure the rounding error in steps. Multiply the rounded value by the step before you compare it with x.",
        ),
        Misconception(
            "cut off instead of rounded",
            lambda x, limit, bits: _errors(x, limit, limit / _highest(bits), np.trunc),
            "You cut off the fraction of x / step. Round to the nearest value of the grid: `np.round`.",
        ),
        Misconception(
            "rounded down",
            lambda x, limit, bits: _errors(x, limit, limit / _highest(bits), np.floor),
            "You round down. Round to the nearest value of the grid: `np.round`.",
        ),
        Misconception(
            "rounding counted everywhere",
            _rounding_everywhere,
            "You count a rounding error for the clipped values too. A value beyond the limit lands on the limit: it has a "
            "clipping error only.",
        ),
        Misconception(
            "clipping counted twice",
            _all_as_rounding,
            "Your rounding error is the whole error, with clipping in it, so what clipping costs is counted twice. Take only "
            "the values within the limit.",
        ),
        Misconception(
            "rounded before clipping",
            _rounded_before_clipping,
            "You round first and clip the rounded values. Clip first: what lies beyond the limit has a clipping error only, "
            "`np.abs(x) - limit`.",
        ),
        Misconception(
            "clipped half a step later",
            _clipping_seen_on_the_grid,
            "You decide by the rounded value what is clipped, so a value up to half a step beyond the limit counts as rounded. "
            "Compare `np.abs(x)` with the limit.",
        ),
        Misconception(
            "one value more below",
            _one_more_below,
            "Your grid goes one step further down than up, like int8 with −128. This one is symmetric: it ends at −limit.",
        ),
        Misconception(
            "the negative end forgotten",
            _upper_end_only,
            "You look for values above the limit only. Those below −limit are clipped as well: compare `np.abs(x)`.",
        ),
        Misconception(
            "the limit's sign forgotten",
            _sign_forgotten,
            "You measure negative values from +limit. They are clipped to −limit: take `np.abs(x) - limit`.",
        ),
        Misconception(
            "the whole value lost",
            _lost_values,
            "You count the whole of a clipped value as its error. It is clipped to the limit, not to 0: the error is what lies "
            "beyond, `np.abs(x) - limit`.",
        ),
        Misconception(
            "the share of clipped values",
            lambda x, limit, bits: (_usual(x, limit, bits)[0], (np.abs(x) > limit).mean()),
            "Your second result is the share of values that are clipped. Sum the squares of what lies beyond the limit, and "
            "divide by `x.size`.",
        ),
        Misconception(
            "a twelfth of the step squared",
            lambda x, limit, bits: _twelfth(x, limit, bits, 1.0),
            "You use step²/12, the expected rounding error of evenly spread values. Here the error of the given values is "
            "wanted: round them, and measure.",
        ),
        Misconception(
            "a twelfth of the step squared, by share",
            lambda x, limit, bits: _twelfth(x, limit, bits, float((np.abs(x) <= limit).mean())),
            "You use step²/12 for each value inside, which holds on average for evenly spread values. Here the error of the "
            "given values is wanted: round them, and measure.",
        ),
        Misconception(
            "the limit not used",
            _own_limit,
            "You take the largest magnitude of x as the end of the grid, so nothing is ever clipped. The grid ends at `limit`.",
        ),
        Misconception(
            "clipping left out",
            lambda x, limit, bits: (_usual(x, limit, bits)[0], 0.0),
            "Your clipping error is always 0. Measure it on x itself: after `np.clip` nothing lies beyond the limit any more.",
        ),
        Misconception(
            "x changed",
            _in_place,
            "The values are right, but you clip x itself. The caller still needs it: work on a copy.",
        ),
        Misconception(
            "NaN where all or none are clipped",
            _shares_of_means,
            "Right, except that a mean over nothing is NaN, and no share of it is a number. Sum, and divide by the number of all "
            "values.",
        ),
    ),
)
