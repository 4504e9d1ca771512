"""Rules of the relation finder: each is a mistake as a prediction of the wrong result from the expected one.

Here are the rules about a function of each element; `relation_numbers` has those with one number, as a factor, and
`relation_arrays` those about the elements of an array together.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

EPSILON = 2.0**-23  # float32: what a learner computes with torch, whatever type is returned


@dataclass(frozen=True, eq=False)
class Case:
    """One case as two arrays of float64 or of strings."""

    expected: Array
    got: Array
    sizes: Mapping[str, float]
    tolerance: float

    def mirrored(self) -> "Case":
        """The case with what was expected and what came exchanged."""
        return Case(self.got, self.expected, self.sizes, self.tolerance)

    def right(self) -> bool:
        """Whether what came is what was expected."""
        return same(self.got, self.expected, self.tolerance)


@dataclass(frozen=True, eq=False)
class Rule:
    """A mistake: `predict(case)` is the wrong result that it gives, None where the mistake cannot be made.

    A backward rule predicts the expected result from the wrong one: the answer lacks a step.
    """

    kind: str
    sentence: str  # "{it}" stands for "Your result" or a part of it
    predict: Callable[[Case], Array | None]
    backward: bool = False

    def explains(self, case: Case) -> bool:
        """Whether the prediction is what came, in a wrong case; whether it leaves the result alone, in a right one."""
        try:
            predicted = self.predict(case.mirrored() if self.backward else case)
        except (TypeError, ValueError, LookupError, ArithmeticError):  # strings have no sign, scalars no axis
            predicted = None
        if predicted is None:
            return case.right()
        return same(np.asarray(predicted), case.expected if self.backward else case.got, case.tolerance)


def same(a: Array, b: Array, tolerance: float) -> bool:
    """Whether two arrays agree up to rounding; NaN agrees with NaN."""
    if a.shape != b.shape:
        return False
    if "U" in (a.dtype.kind, b.dtype.kind):
        return bool(np.array_equal(a, b))
    finite = np.isfinite(a) & np.isfinite(b)
    # Where terms cancel, the error is that of the terms: a few roundings of the largest element. 1e-15 is what float64
    # leaves of terms near one.
    cancelled = 4 * EPSILON * np.max(np.abs(b), where=finite, initial=0.0) if b.size > 1 else 0.0
    near = finite & (np.abs(a - b) <= tolerance * np.abs(b) + cancelled + 1e-15)
    return bool(np.all(near | (a == b) | (np.isnan(a) & np.isnan(b))))


def bits(arrays: Sequence[Array]) -> float:
    """How many bits it takes to hit these integers by chance; without end where they are not all integers."""
    values = np.concatenate([array.ravel() for array in arrays])
    if values.dtype.kind != "f" or not values.size or not np.array_equal(values, np.rint(values)):
        return math.inf
    each = math.log2(1.0 + float(np.ptp(values)))
    if values.size >= 16:  # enough to see how often each comes: nearly all elements of a one-hot vector are the same
        share = np.unique(values, return_counts=True)[1] / values.size
        each = min(each, float(-np.sum(share * np.log2(share))))
    return values.size * each


def of_expected(step: Callable[[Array], Array]) -> Callable[[Case], Array]:
    """The prediction of a step that needs the expected result alone."""
    return lambda case: step(case.expected)


def too_many(kind: str, name: str, step: Callable[[Array], Array]) -> Rule:
    """The answer does a step that is not wanted."""
    return Rule(kind, f"{{it}} is {name} of the expected one: a step too many?", of_expected(step))


def missing(kind: str, name: str, step: Callable[[Array], Array]) -> Rule:
    """The answer lacks a step that is wanted."""
    sentence = f"{{it}} lacks a step: {name} of it is the expected one."
    return Rule(kind, sentence, of_expected(step), backward=True)


# --- A function of each element --------------------------------------------------------------------------------------


def functions() -> Iterator[Rule]:
    """A function that is applied and should not be, or the other way round."""
    for kind, lacking, name, step in _FUNCTIONS:
        yield too_many(kind, name, step)
        yield missing(lacking, name, step)
    yield missing("softmax", "the softmax along the last axis", _softmax)


_FUNCTIONS: list[tuple[str, str, str, Callable[[Array], Array]]] = [
    ("absolute", "absolute", "the absolute value", np.abs),
    ("squared", "root", "the square", np.square),
    ("log", "exp", "the natural logarithm", np.log),
    ("log", "exp", "log2", np.log2),
    ("log", "exp", "log10", np.log10),
    ("log", "exp", "10 log10", lambda x: 10 * np.log10(x)),
    ("log", "exp", "20 log10", lambda x: 20 * np.log10(x)),
    ("sigmoid", "logit", "the sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ("wrapped", "wrapped", "the value modulo 256, as in an unsigned byte,", lambda x: np.mod(x, 256)),
    ("wrapped", "wrapped", "the value as a signed byte, which wraps around,", lambda x: np.mod(x + 128, 256) - 128),
]


def _softmax(x: Array) -> Array:
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def roundings() -> Iterator[Rule]:
    """Rounded too early or not at all, and scores where the index of the largest is wanted; all of these lose bits."""
    for how, step in _ROUNDINGS:
        sentence = f"{{it}} is the expected one {how}: is it rounded, or cast to an integer, too early?"
        yield Rule("rounded", sentence, of_expected(step))
        yield Rule("not_rounded", f"{{it}} is not yet {how}.", of_expected(step), backward=True)
    yield too_many("argmax", "the index of the largest element", lambda x: np.argmax(x, axis=-1))
    yield missing("argmax", "the index of the largest element", lambda x: np.argmax(x, axis=-1))


_ROUNDINGS: list[tuple[str, Callable[[Array], Array]]] = [
    ("rounded to the nearest integer", np.rint),
    ("rounded down", np.floor),
    ("rounded up", np.ceil),
    ("rounded towards zero", np.trunc),
    ("rounded to one decimal", lambda x: np.round(x, 1)),
    ("rounded to two decimals", lambda x: np.round(x, 2)),
    ("rounded to three decimals", lambda x: np.round(x, 3)),
    ("rounded to four decimals", lambda x: np.round(x, 4)),
]
