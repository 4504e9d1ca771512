"""Say how wrong results relate to the expected ones: "100 times the expected one", "reversed", "not rounded".

A rule predicts, from the expected result, what a learner who makes one certain mistake gets. It is told only if it
predicts what came in every case: in three or more where the result is wrong, and also wherever it is right. So numbers
that fit by chance name no mistake, and a case that is right speaks against every rule that would have spoiled it.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np

from pocketlab.course import relation_arrays, relation_numbers, relation_rules
from pocketlab.course.relation_rules import EPSILON, Array, Case, Rule, bits

CASES_NEEDED = 3  # any number is some factor of any other, and two numbers may agree by chance
BITS_NEEDED = 16  # small integers coincide easily: the cases together must make that rarer than 1 in 2**16
ELEMENTS_READ = 50_000  # larger arrays are sampled, which keeps a check instant
ELEMENTS_LISTED = 100_000  # lists are slow to read, and one that holds itself has no end
DEPTH = 4  # results nested deeper than this are not looked into


@dataclass(frozen=True)
class Observation:
    """One case: what the reference returned, what the learner's function returned, and what is known of the input."""

    expected: object
    got: object
    label: str = ""  # the kind of input: "positive values", "one negative value"
    sizes: Mapping[str, float] = field(default_factory=dict)  # numbers that a factor could be: {"batch size": 32}


@dataclass(frozen=True)
class Relation:
    """What all wrong results have in common: a stable key, a sentence for the learner, and how many cases show it."""

    kind: str
    sentence: str
    cases: int


def find_relation(observations: Sequence[Observation]) -> Relation | None:
    """Name the one relation that explains every wrong result, or None. Never raises; hand over the right cases too."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of an empty result is NaN here, and no news to the learner
        return _find(list(observations), "Your result", 0)


def describe_labels(passed_labels: Sequence[str], failed_labels: Sequence[str]) -> str | None:
    """Say which kind of input goes wrong, or None where the labels do not separate the wrong cases from the right."""
    passed, failed = (list(dict.fromkeys(labels)) for labels in (passed_labels, failed_labels))
    if not passed or not failed or "" in passed + failed or set(passed) & set(failed):
        return None
    if len(failed) > 3:
        return f"Right for {_listed(passed)} only." if len(passed) <= 3 else None
    if len(passed) > 3:
        return f"Wrong for {_listed(failed)}, right in all other cases."
    return f"Right for {_listed(passed)}, wrong for {_listed(failed)}."


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


# --- The search ------------------------------------------------------------------------------------------------------


def _find(observations: list[Observation], it: str, depth: int) -> Relation | None:
    """What `find_relation` promises, for results that the sentence calls `it`."""
    parts = _split(observations) if depth < DEPTH else None
    if parts and (found := _swapped_parts(observations, it) or _in_parts(parts, it, depth)):
        return found
    cases = [case for case in map(_case, observations) if case is not None]
    wrong = [case for case in cases if not case.right()]
    if len(cases) < len(observations) or not _telling(wrong):
        return None
    cases.sort(key=lambda case: case.expected.size)  # small cases refute a rule at the least cost
    for rule in _rules(cases, wrong):
        if all(rule.explains(case) for case in cases):
            return Relation(rule.kind, rule.sentence.replace("{it}", it), len(wrong))
    return None


def _rules(cases: list[Case], wrong: list[Case]) -> Iterator[Rule]:
    """All rules, from the narrowest to the loosest, and the simple before the involved."""
    numeric = all(case.expected.dtype.kind == case.got.dtype.kind == "f" for case in cases)
    dimensions = max(array.ndim for case in wrong for array in (case.expected, case.got))
    yield from relation_numbers.constant(wrong)
    if numeric:
        yield from relation_numbers.one_number(wrong)
        yield from relation_rules.functions()
        if min(bits([case.expected for case in wrong]), bits([case.got for case in wrong])) >= BITS_NEEDED:
            yield from relation_rules.roundings()
    yield from relation_arrays.arrangements(dimensions)
    if numeric:
        yield from relation_arrays.reductions(dimensions)
        yield from relation_arrays.cut_off(cases)
        yield from relation_arrays.read_off(dimensions)
    yield relation_arrays.reordered()
    if numeric:
        yield from relation_arrays.one_step(wrong, BITS_NEEDED)


def _telling(wrong: list[Case]) -> bool:
    """Whether the wrong cases are many and various enough for a rule that fits them not to fit by chance."""
    if len(wrong) < CASES_NEEDED:
        return False
    expected, got = [case.expected for case in wrong], [case.got for case in wrong]
    values = np.unique(np.concatenate([array.ravel()[:100] for array in expected]))
    binary = all(array.dtype.kind == "f" and np.all(np.isin(array, (0, 1))) for array in expected + got)
    if binary and len(values) == 2 and all(array.size == 1 for array in expected):
        return True  # of truth values, nothing but the opposite can be wrong
    return len(values) >= (2 if binary else CASES_NEEDED) and max(bits(expected), bits(got)) >= BITS_NEEDED


# --- Observations as pairs of arrays --------------------------------------------------------------------------------


def _array(value: Any) -> Array | None:
    """The value, which may be a torch tensor, as an array of numbers, truth values or strings; None if it is none."""
    try:
        if _elements(value, {}) > ELEMENTS_LISTED:
            return None
        if isinstance(value, (list, tuple)) and value and hasattr(value[0], "detach"):
            value = [_from_tensor(item) for item in value]
        array = np.asarray(_from_tensor(value))
    except Exception:  # the conversion runs code of the learner's objects, which may raise anything
        return None
    return array if array.dtype.kind in "biufcU" else None


def _elements(value: object, known: dict[int, float]) -> float:
    """The elements of nested lists; without end for a list that holds itself, or that is too long anyway."""
    if not isinstance(value, (list, tuple)):
        return 1
    if len(value) > ELEMENTS_LISTED:
        return math.inf
    if id(value) not in known:
        known[id(value)] = math.inf
        nested = [item for item in value if isinstance(item, (list, tuple))]
        known[id(value)] = len(value) + sum(_elements(item, known) for item in nested)
    return known[id(value)]


def _from_tensor(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _case(observation: Observation) -> Case | None:
    expected, got = _array(observation.expected), _array(observation.got)
    if expected is None or got is None or (expected.dtype.kind == "U") != (got.dtype.kind == "U"):
        return None
    # A float32 sum of 10,000 terms is off by about 100 roundings (they grow with the square root). A float16 result is
    # summed in float32 and rounded at a few steps.
    halves = [4 * float(np.finfo(a.dtype).eps) for a in (expected, got) if a.dtype == np.float16]
    if max(expected.size, got.size) > ELEMENTS_READ:
        if expected.shape != got.shape:
            return None
        picked = np.sort(np.random.default_rng(0).integers(expected.size, size=ELEMENTS_READ))
        expected, got = expected.flat[picked], got.flat[picked]
    sizes = {name: float(size) for name, size in observation.sizes.items()}
    return Case(_plain(expected), _plain(got), sizes, max([100 * EPSILON, *halves]))


def _plain(array: Array) -> Array:
    if array.dtype.kind == "c":  # the rules are about real numbers
        array = np.stack([array.real, array.imag], axis=-1)
    return array if array.dtype.kind == "U" else array.astype(np.float64)


def _agree(a: object, b: object, depth: int = 0) -> bool:
    case = _case(Observation(a, b))
    if case is not None:
        return case.right()
    parts, others = _parts(a), _parts(b)
    if parts is None or others is None or parts.keys() != others.keys() or depth == DEPTH:
        return a is None and b is None
    return all(_agree(parts[key], others[key], depth + 1) for key in parts)


# --- Results of several parts ----------------------------------------------------------------------------------------


def _parts(value: Any) -> dict[Any, Any] | None:
    """The parts of a dict, tuple or list by key, name or place; None for anything else and for long ones."""
    try:
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            value = value._asdict()
        if isinstance(value, Mapping):
            return dict(value)
        return dict(enumerate(value)) if isinstance(value, (tuple, list)) and len(value) <= 16 else None
    except Exception:  # as in `_array`
        return None


def _listed_parts(value: object) -> list[Any]:
    return list((_parts(value) or {}).values())


def _split(observations: list[Observation]) -> dict[Any, list[Observation]] | None:
    """The observations of each part, if every result has the same parts; a list of numbers counts as one array."""
    pairs = []
    for each in observations:
        whole = isinstance(each.expected, list) and _array(each.expected) is not None
        expected, got = (None, None) if whole else (_parts(each.expected), _parts(each.got))
        if expected is None or got is None or len(expected) < 2:
            return None
        if not isinstance(each.expected, Mapping) and not isinstance(each.got, Mapping):
            got = dict(zip(expected, got.values(), strict=False)) if len(got) == len(expected) else got
        pairs.append((each, expected, got))
    if not pairs or any(p.keys() != pairs[0][1].keys() for _, *both in pairs for p in both):
        return None
    return {key: [Observation(e[key], g[key], o.label, o.sizes) for o, e, g in pairs] for key in pairs[0][1]}


def _swapped_parts(observations: list[Observation], it: str) -> Relation | None:
    """The parts of every result are right but for their order."""
    pairs = [(_listed_parts(each.expected), _listed_parts(each.got)) for each in observations]
    count = len(pairs[0][0])
    wrong = sum(not _agree(expected, got) for expected, got in pairs)
    if wrong < CASES_NEEDED or count > DEPTH:
        return None
    for order in permutations(range(count)):
        if all(_agree([expected[i] for i in order], got) for expected, got in pairs):
            return Relation("tuple_order", f"{it} has the right parts in another order.", wrong)
    return None


def _in_parts(parts: dict[Any, list[Observation]], it: str, depth: int) -> Relation | None:
    """The relation of the one part that is wrong, or the one that all wrong parts share."""
    wrong = [key for key in parts if not all(_agree(each.expected, each.got) for each in parts[key])]
    if len(wrong) == 1:
        return _find(parts[wrong[0]], _part_name(wrong[0], len(parts), it), depth + 1)
    found = {_find(parts[key], f"Each wrong part of {_lower(it)}", depth + 1) for key in wrong}
    return found.pop() if len(found) == 1 else None


def _part_name(key: object, count: int, it: str) -> str:
    ordinals, counts = ("first", "second", "third", "fourth"), ("two", "three", "four")
    if not isinstance(key, int):
        return f'The part "{key}" of {_lower(it)}'
    if count <= len(ordinals):
        return f"The {ordinals[key]} of the {counts[count - 2]} parts of {_lower(it)}"
    return f"Part {key} (from 0) of {_lower(it)}"


def _lower(it: str) -> str:
    return it[0].lower() + it[1:]
