"""Rules of the relation finder with one number: a constant, the sign, a factor, a sum, a product, an offset."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pocketlab.course.relation_rules import EPSILON, Array, Case, Rule

_MIXED_UNITS = "are thousands (kB, MB) and powers of 1,024 (KiB, MiB) mixed up?"
_FACTORS: list[tuple[float, str]] = [
    (100, "is it a percentage where a fraction is wanted?"),
    (1 / 100, "is it a fraction where a percentage is wanted?"),
    (1000, "is its unit a thousand times too small, as milliseconds for seconds?"),
    (1 / 1000, "is its unit a thousand times too large, as seconds for milliseconds?"),
    (1e6, "is its unit a million times too small, as bytes for MB?"),
    (1e-6, "is its unit a million times too large, as MB for bytes?"),
    (1e9, "is its unit a thousand million times too small, as nanoseconds for seconds?"),
    (1e-9, "is its unit a thousand million times too large, as seconds for nanoseconds?"),
    (2, "is something counted twice (or, in decibels, 20 log10 taken for 10 log10)?"),
    (1 / 2, "is half of it left out (or, in decibels, 10 log10 taken for 20 log10)?"),
    (8, "are these bits where bytes are wanted?"),
    (1 / 8, "are these bytes where bits are wanted?"),
    (1024, "is its unit 1,024 times too small, as bytes for KiB?"),
    (1 / 1024, "is its unit 1,024 times too large, as KiB for bytes?"),
    (1024**2, "is its unit too small, as bytes for MiB?"),
    (1024**-2, "is its unit too large, as MiB for bytes?"),
    (1.024, _MIXED_UNITS), (1 / 1.024, _MIXED_UNITS), (1.024**2, _MIXED_UNITS), (1.024**-2, _MIXED_UNITS),
    (255, "is it in 0 to 255 where 0 to 1 is wanted?"),
    (1 / 255, "is it in 0 to 1 where 0 to 255 is wanted?"),
    (256 / 255, "256 levels have 255 steps between them: is one counted where the other is wanted?"),
    (255 / 256, "256 levels have 255 steps between them: is one counted where the other is wanted?"),
    (math.pi, "that is π: is it left out or put in once too often?"),
    (1 / math.pi, "that is 1/π: is π left out or put in once too often?"),
    (2 * math.pi, "that is 2π: is it an angular frequency where a frequency is wanted, radians for turns?"),
    (0.5 / math.pi, "that is 1/(2π): is it a frequency where an angular frequency is wanted, turns for radians?"),
    (180 / math.pi, "are these degrees where radians are wanted?"),
    (math.pi / 180, "are these radians where degrees are wanted?"),
    (math.sqrt(2), "that is √2: is it a peak where the root mean square is wanted?"),
    (math.sqrt(0.5), "that is 1/√2: is it a root mean square where the peak is wanted?"),
    (1 / math.log(2), "is it log2 where the natural logarithm is wanted?"),
    (1 / math.log(10), "is it log10 where the natural logarithm is wanted?"),
    (math.log(2), "is it the natural logarithm where log2 is wanted?"),
    (math.log(10), "is it the natural logarithm where log10 is wanted?"),
    (math.log2(10), "is it log2 where log10 is wanted?"),
    (math.log10(2), "is it log10 where log2 is wanted?"),
]
_LOGARITHMS = {f(b) ** s for f, b in ((math.log, 2), (math.log, 10), (math.log2, 10)) for s in (1, -1)}
_OFFSETS = {
    1.0: "is something counted once too often?",
    -1.0: "is something left out, an end that should be included?",
    128.0: "is it in 0 to 255 where −128 to 127 is wanted?",
    -128.0: "is it in −128 to 127 where 0 to 255 is wanted?",
    273.15: "is it in kelvin where degrees Celsius are wanted?",
    -273.15: "is it in degrees Celsius where kelvin is wanted?",
}
_TOTALS = {1.0: "is it the complement, 1 − x, of what is wanted?", 255.0: "is it inverted?"}
_POWERS: list[tuple[str, str, Callable[[float], float]]] = [
    ("times {n}", "is a division by it missing, a sum taken where the mean is wanted?", lambda n: n),
    ("divided by {n}", "is it missing as a factor, or a mean taken where the sum is wanted?", lambda n: 1 / n),
    ("times the square of {n}", "is a division missing or upside down?", lambda n: n * n),
    ("divided by the square of {n}", "is a factor missing or upside down?", lambda n: 1 / (n * n)),
    ("times the square root of {n}", "is a root missing or misplaced?", math.sqrt),
    ("divided by the square root of {n}", "is a root missing or misplaced?", lambda n: 1 / math.sqrt(n)),
    ("times n / (n − 1), n being {n}", "is n − 1 divided by where n is wanted?", lambda n: n / (n - 1)),
    ("times (n − 1) / n, n being {n}", "is n divided by where n − 1 is wanted?", lambda n: (n - 1) / n),
    ("times √(n / (n − 1)), n being {n}", "is n − 1 divided by where n is wanted?", lambda n: math.sqrt(n / (n - 1))),
    ("times √((n − 1) / n), n being {n}", "is n divided by where n − 1 is wanted?", lambda n: math.sqrt((n - 1) / n)),
]


def constant(wrong: Sequence[Case]) -> Iterator[Rule]:
    """The same result whatever the input."""
    values = {value for case in wrong for value in np.unique(case.got.ravel())[:2].tolist()}
    if len(values) == 1:
        value = values.pop()
        text = number(value) if isinstance(value, float) else repr(value)
        sentence = f"{{it}} is {text} in every case: does it depend on the input at all?"
        yield Rule("constant", sentence, lambda case: np.full(case.got.shape, value))


def one_number(wrong: Sequence[Case]) -> Iterator[Rule]:
    """The expected result with a number, the same in all cases or a size of the case."""
    yield Rule("sign", "{it} has the wrong sign: a minus too many or too few?", lambda case: -case.expected)
    largest = [pair for case in wrong if (pair := _pair(case, -1)) is not None]
    smallest = [pair for case in wrong if (pair := _pair(case, 1)) is not None]
    if not largest or not smallest:
        return
    e, g = max(largest, key=lambda pair: abs(pair[0]))  # a factor is known best where numbers are large
    if e and g and all(1e-300 < abs(x) < 1e300 for x in (g / e, g * e)):  # a float can hold them
        yield from _of_sizes(wrong)
        if not _close(g / e, 1.0):
            yield _factor(g / e, wrong)
        yield _product(e * g)
    e, g = min(smallest, key=lambda pair: abs(pair[0]) + abs(pair[1]))  # and an offset where they are small
    yield _total(e + g, wrong)
    yield _offset(g - e)


def _pair(case: Case, order: int) -> tuple[float, float] | None:
    """The expected element of least (order 1) or largest (-1) magnitude, and what came for it; None if not finite."""
    e, g = case.expected.ravel(), case.got.ravel()
    if case.expected.shape != case.got.shape or not e.size:
        return None
    at = int(np.argmin(np.where(np.isfinite(e) & np.isfinite(g), order * np.abs(e), np.inf)))
    return (float(e[at]), float(g[at])) if np.isfinite(e[at]) and np.isfinite(g[at]) else None


def _of_sizes(wrong: Sequence[Case]) -> Iterator[Rule]:
    """Factors that change with a size of the case."""
    for name in wrong[0].sizes:
        if len({case.sizes.get(name, 1.0) for case in wrong}) > 1:
            for relation, hint, power in _POWERS:
                sentence = f"{{it}} is the expected one {relation}: {hint}".replace("{n}", _the(name))
                yield Rule("factor", sentence, _times_size(name, power))


def _times_size(name: str, power: Callable[[float], float]) -> Callable[[Case], Array]:
    return lambda case: case.expected * power(case.sizes[name])


def _factor(factor: float, wrong: Sequence[Case]) -> Rule:
    hints = [hint for known, hint in _FACTORS if _close(factor, known)]
    for name in wrong[0].sizes:
        if all(_close(factor, case.sizes.get(name, 0.0)) for case in wrong):
            hints.append(f"it is also {_the(name)}." if hints else f"that is {_the(name)}.")
    kind = "log" if any(_close(factor, known) for known in _LOGARITHMS) else "factor"
    amount = f"1/{number(1 / factor)} of" if _is_whole(1 / factor) and factor < 1 else f"{number(factor)} times"
    ending = ": " + " ".join(hints) if hints else "."
    return Rule(kind, f"{{it}} is {amount} the expected one{ending}", lambda case: case.expected * factor)


def _total(total: float, wrong: Sequence[Case]) -> Rule:
    sentence = f"{{it}} and the expected one add up to {number(total)} each time"
    if all(np.all(np.isin(case.expected, (0, 1))) for case in wrong):
        sentence = "{it} is the opposite of the expected one: are true and false exchanged?"
    elif hint := next((hint for known, hint in _TOTALS.items() if _close(total, known)), ""):
        sentence += f": {hint}"
    sentence += "" if sentence.endswith("?") else "."
    return Rule("complement", sentence, lambda case: total - case.expected)


def _product(product: float) -> Rule:
    sentence = "{it} is the reciprocal of the expected one: are numerator and denominator exchanged?"
    if not _close(product, 1.0):
        sentence = f"{{it}} is {number(product)} divided by the expected one: is the quotient upside down?"
    return Rule("reciprocal", sentence, lambda case: product / case.expected)


def _offset(offset: float) -> Rule:
    hint = next((f": {text}" for known, text in _OFFSETS.items() if _close(offset, known)), ".")
    amount = f"{number(abs(offset))} {'more' if offset > 0 else 'less'}"
    return Rule("offset", f"{{it}} is {amount} than the expected one{hint}", lambda case: case.expected + offset)


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=200 * EPSILON)  # two numbers, each known up to 100 roundings


def _is_whole(x: float) -> bool:
    return math.isfinite(x) and round(x) != 0 and _close(x, round(x))


def number(x: float) -> str:
    """A number as a sentence shows it: 1,024, or six digits: factors close to one occur, where an epsilon is added."""
    text = f"{round(x):,}" if (_is_whole(x) and abs(x) < 1e10) or x == 0 else f"{x:.6g}"
    return text.replace("-", "−")


def _the(name: str) -> str:
    return name if len(name) <= 2 else f"the {name}"
