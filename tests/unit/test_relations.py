"""The relation finder: right names for right reasons, and none where there is no relation."""

import math
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pocketlab.course.relations import CASES_NEEDED, Observation, describe_labels, find_relation

# --- Wrong answers as learners give them -----------------------------------------------------------------------------
# Each function has its inputs (arguments and sizes), the reference, and wrong answers with what the finder should say:
# the kind and words of the sentence, or None where the mistake leaves no relation.


def _rng(case: int) -> np.random.Generator:
    return np.random.default_rng(100 + case)


CASES = range(6)


def _softmax(z, axis=-1):
    p = np.exp(z - z.max(axis=axis, keepdims=True))
    return p / p.sum(axis=axis, keepdims=True)


def _softmax_inputs():
    return [((_rng(i).normal(size=(3, 5)), [0.5, 2, 3, 4, 5, 8][i]), {"T": [0.5, 2, 3, 4, 5, 8][i]}) for i in CASES]


SOFTMAX = (
    _softmax_inputs,
    lambda z, t: _softmax(z / t),
    [
        ("no division by the sum", lambda z, t: np.exp(z / t), "norm", "axis 1"),
        ("sum over everything", lambda z, t: np.exp(z / t) / np.exp(z / t).sum(), "norm", "axis 1"),
        ("over the wrong axis", lambda z, t: _softmax(z / t, axis=0), None, ""),
        ("the scores themselves", lambda z, t: z / t, "softmax", "softmax"),
        ("log softmax", lambda z, t: np.log(_softmax(z / t)), "log", "natural logarithm"),
        ("as percentages", lambda z, t: 100 * _softmax(z / t), "factor", "percentage"),
        ("one minus", lambda z, t: 1 - _softmax(z / t), "complement", "1 − x"),
        ("transposed", lambda z, t: _softmax(z / t).T, "transposed", "rows for columns"),
        ("multiplied by T after it", lambda z, t: t * _softmax(z / t), "factor", "T"),
        ("temperature left out", lambda z, t: _softmax(z), None, ""),
        ("multiplied by T before it", lambda z, t: _softmax(z * t), None, ""),
        ("hard maximum", lambda z, t: (z == z.max(axis=-1, keepdims=True)).astype(float), None, ""),
    ],
)


def _normalize_inputs():
    return [((_rng(i).normal(3, 2, size=20 + 5 * i),), {"count": 20 + 5 * i}) for i in CASES]


NORMALIZE = (
    _normalize_inputs,
    lambda x: (x - x.mean()) / x.std(),
    [
        ("std with n - 1", lambda x: (x - x.mean()) / x.std(ddof=1), "factor", "n being the count"),
        ("mean not subtracted", lambda x: x / x.std(), "level", "mean"),
        ("not divided", lambda x: x - x.mean(), "norm", "divisor"),
        ("by the variance", lambda x: (x - x.mean()) / x.var(), "norm", "divisor"),
        ("precedence", lambda x: x - x.mean() / x.std(), "affine", "stretched"),
        ("sign", lambda x: (x.mean() - x) / x.std(), "sign", "sign"),
        ("min max", lambda x: (x - x.min()) / (x.max() - x.min()), "affine", "stretched"),
        ("sorted", lambda x: np.sort((x - x.mean()) / x.std()), "sorted", "sorted"),
        ("absolute", lambda x: abs(x - x.mean()) / x.std(), "absolute", "absolute"),
    ],
)


def _quantize_inputs():
    return [((_rng(i).normal(0, 3, size=40), 0.03 + 0.001 * i, i - 3), {}) for i in CASES]


def _quantize(x, s, z):
    return np.clip(np.rint(x / s) + z, -128, 127).astype(np.int8)


QUANTIZE = (
    _quantize_inputs,
    _quantize,
    [
        ("no clip", lambda x, s, z: (np.rint(x / s) + z).astype(int), "not_clipped", "127"),
        ("no clip, cast", lambda x, s, z: (np.rint(x / s) + z).astype(int).astype(np.int8), "ends_of_range", "−128"),
        ("no rounding", lambda x, s, z: np.clip(x / s + z, -128, 127), "not_rounded", "nearest"),
        ("truncated", lambda x, s, z: np.clip((x / s).astype(int) + z, -128, 127), "one_step", "step"),
        ("floored", lambda x, s, z: np.clip(np.floor(x / s) + z, -128, 127), "one_step", "step"),
        ("unsigned", lambda x, s, z: _quantize(x, s, z).view(np.uint8), "wrapped", "256"),
        ("shifted to 0 to 255", lambda x, s, z: _quantize(x, s, z).astype(int) + 128, "offset", "0 to 255"),
        ("symmetric range", lambda x, s, z: np.clip(np.rint(x / s) + z, -127, 127), "clipped", "below −127"),
        ("no zero point", lambda x, s, z: np.clip(np.rint(x / s), -128, 127), None, ""),
        ("unsigned range", lambda x, s, z: np.clip(np.rint(x / s) + z, 0, 255), None, ""),
    ],
)

DEQUANTIZE = (
    lambda: [((_rng(i).integers(-128, 128, size=30), 0.1 * (i + 1), 3 * i - 7), {}) for i in CASES],
    lambda q, s, z: s * (q - z),
    [
        ("zero point outside", lambda q, s, z: s * q - z, "level", "another in each case"),
        ("divided", lambda q, s, z: (q - z) / s, "norm", "divisor"),
        ("sign of the difference", lambda q, s, z: s * (z - q), "sign", "sign"),
        ("zero point left out", lambda q, s, z: s * q, "level", "another in each case"),
        ("as integers", lambda q, s, z: np.floor(s * (q - z)), "rounded", "down"),
    ],
)


def _sqnr_inputs():
    out = []
    for i in CASES:
        x = _rng(i).normal(size=50 + 10 * i)
        out.append(((x, x + _rng(i + 50).normal(0, 0.02 * (i + 1), size=x.size)), {"count": x.size}))
    return out


SQNR = (
    _sqnr_inputs,
    lambda x, y: 10 * np.log10((x**2).mean() / ((x - y) ** 2).mean()),
    [
        ("20 log10", lambda x, y: 20 * np.log10((x**2).mean() / ((x - y) ** 2).mean()), "factor", "20 log10"),
        ("upside down", lambda x, y: 10 * np.log10(((x - y) ** 2).mean() / (x**2).mean()), "sign", "sign"),
        ("natural logarithm", lambda x, y: 10 * np.log((x**2).mean() / ((x - y) ** 2).mean()), "log", "log10"),
        ("not in dB", lambda x, y: (x**2).mean() / ((x - y) ** 2).mean(), "exp", "10 log10"),
        ("no square", lambda x, y: 10 * np.log10(abs(x).mean() / abs(x - y).mean()), None, ""),
        ("10 left out", lambda x, y: np.log10((x**2).mean() / ((x - y) ** 2).mean()), "factor", "1/10 of"),
    ],
)

ACCURACY = (
    lambda: [((_rng(i).integers(0, 4, 20 + 7 * i), _rng(i + 9).integers(0, 4, 20 + 7 * i)), {"count": 20 + 7 * i})
             for i in CASES],
    lambda y, p: float((y == p).mean()),
    [
        ("percent", lambda y, p: 100 * (y == p).mean(), "factor", "percentage"),
        ("count of hits", lambda y, p: (y == p).sum(), "factor", "count"),
        ("error rate", lambda y, p: (y != p).mean(), "complement", "1 − x"),
        ("integer division", lambda y, p: (y == p).sum() // len(y), "constant", "0 in every case"),
        ("each hit", lambda y, p: y == p, "not_reduced", "mean"),
        ("error in percent", lambda y, p: 100 * (y != p).mean(), None, ""),
    ],
)

PERCENTILE = (
    lambda: [((_rng(i).normal(5, 2, size=21 + 10 * i),), {}) for i in CASES],
    lambda x: np.percentile(x, 90),
    [
        ("the tenth", lambda x: np.percentile(x, 10), None, ""),
        ("of seconds", lambda x: np.percentile(x, 90) / 1000, "factor", "thousand times too large"),
        ("not sorted", lambda x: x[int(0.9 * (len(x) - 1))], None, ""),
    ],
)

MOVING_AVERAGE = (
    lambda: [((_rng(i).normal(size=20 + i), i + 2), {"window": i + 2}) for i in CASES],
    lambda x, k: np.convolve(x, np.ones(k), "valid") / k,
    [
        ("sum", lambda x, k: np.convolve(x, np.ones(k), "valid"), "factor", "window"),
        ("range too short", lambda x, k: [x[j : j + k].mean() for j in range(len(x) - k)], "ends", "too short"),
        ("range too long", lambda x, k: [x[j : j + k].mean() for j in range(len(x) - k + 2)], "ends", "too long"),
        ("divided twice", lambda x, k: np.convolve(x, np.ones(k), "valid") / k**2, "factor", "divided by the window"),
        ("reversed", lambda x, k: (np.convolve(x, np.ones(k), "valid") / k)[::-1], "reversed", "reverse"),
        ("late", lambda x, k: np.append(0, np.convolve(x, np.ones(k), "valid")[:-1] / k), "shifted", "late"),
    ],
)

LINEAR = (
    lambda: [((_rng(i).normal(size=(4, 4)), _rng(i + 9).normal(size=(4, 4))), {"batch size": 4}) for i in CASES],
    lambda x, w: x @ w.T,
    [
        ("product the other way", lambda x, w: w @ x.T, "transposed", "rows for columns"),
        ("not transposed", lambda x, w: x @ w, None, ""),
        ("element by element", lambda x, w: x * w, None, ""),
        ("with ReLU", lambda x, w: np.maximum(x @ w.T, 0), "clipped", "below 0"),
    ],
)

LAYOUT = (
    lambda: [((_rng(i).normal(size=(2, 3 + i, 5, 4)),), {}) for i in CASES],
    lambda x: x.transpose(0, 2, 3, 1),
    [
        ("left as it is", lambda x: x, "transposed", "(0, 3, 1, 2)"),
        ("height and width exchanged", lambda x: x.transpose(0, 3, 2, 1), "transposed", "(0, 2, 1, 3)"),
        ("reshaped", lambda x: x.reshape(x.shape[0], *x.shape[2:], x.shape[1]), "reshaped", "transpose"),
        ("flattened", lambda x: x.transpose(0, 2, 3, 1).ravel(), "shape", "another shape"),
    ],
)


def _conv_inputs():
    return [((n, k, s, p), {"kernel": k}) for n, k, s, p in
            [(28, 3, 2, 1), (64, 5, 1, 2), (224, 7, 2, 3), (100, 3, 1, 1), (57, 4, 3, 0), (32, 2, 2, 0), (90, 8, 5, 2)]]


CONV_SIZE = (
    _conv_inputs,
    lambda n, k, s, p: (n + 2 * p - k) // s + 1,
    [
        ("one left out", lambda n, k, s, p: (n + 2 * p - k) // s, "offset", "left out"),
        ("not floored", lambda n, k, s, p: (n + 2 * p - k) / s + 1, "not_rounded", "down"),
        ("ceiled", lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1, "one_step", "step"),
        ("both padded once", lambda n, k, s, p: (n + p - k) // s + 1, None, ""),
    ],
)

TOP_K = (
    lambda: [((_rng(i).permutation(40), 4 + i), {}) for i in CASES],
    lambda x, k: np.argsort(-x)[:k],
    [
        ("ascending", lambda x, k: np.argsort(x)[-k:], "reversed", "reverse"),
        ("smallest", lambda x, k: np.argsort(x)[:k], None, ""),
        ("values", lambda x, k: np.sort(x)[::-1][:k], None, ""),
        ("indices in order", lambda x, k: np.sort(np.argsort(-x)[:k]), "sorted", "sorted"),
        ("one too few", lambda x, k: np.argsort(-x)[: k - 1], "ends", "too short"),
        ("counted from one", lambda x, k: np.argsort(-x)[:k] + 1, "offset", "once too often"),
    ],
)


def _entropy_inputs():
    return [((_softmax(_rng(i).normal(size=(8 + 4 * i, 5))), _rng(i).integers(0, 5, 8 + 4 * i)),
             {"batch size": 8 + 4 * i}) for i in CASES]


CROSS_ENTROPY = (
    _entropy_inputs,
    lambda p, y: -np.log(p[np.arange(len(y)), y]).mean(),
    [
        ("sum", lambda p, y: -np.log(p[np.arange(len(y)), y]).sum(), "factor", "the batch size"),
        ("no minus", lambda p, y: np.log(p[np.arange(len(y)), y]).mean(), "sign", "minus"),
        ("log2", lambda p, y: -np.log2(p[np.arange(len(y)), y]).mean(), "log", "log2"),
        ("each sample", lambda p, y: -np.log(p[np.arange(len(y)), y]), "not_reduced", "mean"),
        ("perplexity", lambda p, y: np.exp(-np.log(p[np.arange(len(y)), y]).mean()), "exp", "natural logarithm"),
        ("mean over all", lambda p, y: -np.log(p).mean(), None, ""),
        ("over classes too", lambda p, y: -np.log(p[np.arange(len(y)), y]).sum() / p.size, "factor", "1/5 of"),
    ],
)

RMS = (
    lambda: [((_rng(i).normal(0, i + 1, size=16 * (i + 1)),), {"count": 16 * (i + 1)}) for i in CASES],
    lambda x: np.sqrt((x**2).mean()),
    [
        ("no root", lambda x: (x**2).mean(), "squared", "square"),
        ("norm", lambda x: np.sqrt((x**2).sum()), "factor", "square root of the count"),
        ("root before the mean", lambda x: np.sqrt((x**2).sum()) / len(x), "factor", "square root of the count"),
        ("mean of magnitudes", lambda x: abs(x).mean(), None, ""),
        ("peak of a sine", lambda x: np.sqrt(2 * (x**2).mean()), "factor", "√2"),
    ],
)

COSINE = (
    lambda: [((_rng(i).normal(size=9), _rng(i + 30).normal(size=9)), {}) for i in CASES],
    lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b),
    [
        ("distance", lambda a, b: 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b), "complement", "1 − x"),
        ("not normalized", lambda a, b: a @ b, None, ""),
        ("absolute", lambda a, b: abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b), "absolute", "absolute"),
        ("angle", lambda a, b: np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), None, ""),
    ],
)


def _boxes():
    out = []
    for i in CASES:
        (x, y), (dx, dy) = _rng(i).uniform(0, 5, 2), _rng(i).uniform(1, 4, 2)
        out.append((((0, 0, 8, 8), (x, y, x + 3 + dx, y + 3 + dy)), {}))
    return out


def _intersection(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(w, 0) * max(h, 0)


def _area(a):
    return (a[2] - a[0]) * (a[3] - a[1])


def _iou(a, b):
    return _intersection(a, b) / (_area(a) + _area(b) - _intersection(a, b))


IOU = (
    _boxes,
    _iou,
    [
        ("upside down", lambda a, b: 1 / _iou(a, b), "reciprocal", "numerator"),
        ("distance", lambda a, b: 1 - _iou(a, b), "complement", "1 − x"),
        ("percent", lambda a, b: 100 * _iou(a, b), "factor", "percentage"),
        ("union not corrected", lambda a, b: _intersection(a, b) / (_area(a) + _area(b)), None, ""),
    ],
)

BYTES = (
    lambda: [(([3, 7 + i, 5, 5 + i], [4, 1, 2, 8, 4, 16][i]), {}) for i in CASES],
    lambda shape, bits: math.prod(shape) * bits / 8,
    [
        ("bits", lambda shape, bits: math.prod(shape) * bits, "factor", "bits where bytes"),
        ("KiB", lambda shape, bits: math.prod(shape) * bits / 8 / 1024, "factor", "KiB"),
        ("kB", lambda shape, bits: math.prod(shape) * bits / 8 / 1000, "factor", "1/1,000"),
        ("sum of the shape", lambda shape, bits: sum(shape) * bits / 8, None, ""),
    ],
)

PARAMS = (  # two results: scale and zero point
    lambda: [((-1.0 - 0.7 * i, 2.0 + i * i), {}) for i in CASES],
    lambda lo, hi: ((hi - lo) / 255, round(-128 - lo * 255 / (hi - lo))),
    [
        ("swapped", lambda lo, hi: (round(-128 - lo * 255 / (hi - lo)), (hi - lo) / 255), "tuple_order", "order"),
        ("256 steps", lambda lo, hi: ((hi - lo) / 256, round(-128 - lo * 255 / (hi - lo))), "factor",
         "first of the two parts of your result is 0.996094"),
        ("unsigned", lambda lo, hi: ((hi - lo) / 255, round(-lo * 255 / (hi - lo))), "offset", "second of the two"),
        ("reciprocal", lambda lo, hi: (255 / (hi - lo), round(-128 - lo * 255 / (hi - lo))), "reciprocal", "first of"),
    ],
)

FUNCTIONS = {name: value for name, value in list(globals().items()) if name.isupper() and isinstance(value, tuple)}
ANSWERS = [
    pytest.param(inputs, reference, *answer[1:], id=f"{name}-{answer[0]}")
    for name, (inputs, reference, answers) in FUNCTIONS.items()
    for answer in answers
]


@pytest.mark.parametrize(("inputs", "reference", "wrong", "kind", "words"), ANSWERS)
def test_learners_mistake_is_named_or_left_alone(inputs, reference, wrong, kind, words):
    found = find_relation([Observation(reference(*args), wrong(*args), sizes=sizes) for args, sizes in inputs()])
    assert (found and found.kind) == kind, found
    if found:
        assert words in found.sentence
        assert found.cases >= CASES_NEEDED


def test_a_third_of_the_mistakes_is_named_by_relations_alone():
    """The trial's figure is the floor: what the finder is worth without a catalogue of misconceptions."""
    named = [answer.values[3] is not None for answer in ANSWERS]
    assert len(ANSWERS) >= 60
    assert sum(named) / len(named) > 1 / 3
    assert len(named) - sum(named) >= 20


# --- Each relation, on random results --------------------------------------------------------------------------------

# Well away from zero, one and each other, so that no step maps an array to itself or to another step's result.
SEEDS = st.integers(0, 2**32 - 1)


def _positive(seed: int, *, count: int = 4, shape: tuple[int, ...] = (7,)) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.05, 0.9, size=shape) for _ in range(count)]


def _signed(seed: int, **options) -> list[np.ndarray]:
    rng = np.random.default_rng(seed + 1)
    arrays = [rng.choice([-9.0, 9.0], size=x.shape) * x for x in _positive(seed, **options)]
    for x in arrays:
        x.flat[:2] = -np.abs(x.flat[0]), np.abs(x.flat[1])  # both signs in every case
    return arrays


def _relation(expected, change):
    return find_relation([Observation(x, change(x)) for x in expected])


ELEMENTWISE = [
    ("sign", "minus", lambda x: -x),
    ("factor", "percentage where a fraction", lambda x: 100 * x),
    ("factor", "fraction where a percentage", lambda x: x / 100),
    ("factor", "is 1,000 times", lambda x: 1000 * x),
    ("factor", "is 2 times", lambda x: 2 * x),
    ("factor", "is 1/2 of", lambda x: x / 2),
    ("factor", "bits where bytes", lambda x: 8 * x),
    ("factor", "is 1,024 times", lambda x: 1024 * x),
    ("factor", "that is π", lambda x: np.pi * x),
    ("factor", "degrees where radians", lambda x: np.degrees(x)),
    ("factor", "is 1.7 times the expected one.", lambda x: 1.7 * x),
    ("factor", "is −3 times", lambda x: -3 * x),
    ("log", "log2 where the natural", lambda x: x / np.log(2)),
    ("offset", "is 0.25 more", lambda x: x + 0.25),
    ("offset", "is 128 less", lambda x: x - 128),
    ("complement", "1 − x", lambda x: 1 - x),
    ("complement", "add up to 3", lambda x: 3 - x),
    ("reciprocal", "reciprocal", lambda x: 1 / x),
    ("reciprocal", "1,000 divided by", lambda x: 1000 / x),
    ("squared", "is the square", lambda x: x**2),
    ("log", "natural logarithm", np.log),
    ("log", "is log2", np.log2),
    ("log", "is 20 log10", lambda x: 20 * np.log10(x)),
    ("exp", "natural logarithm of it", np.exp),
    ("sigmoid", "sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ("logit", "sigmoid of it", lambda x: np.log(x / (1 - x))),
    ("root", "square of it", np.sqrt),
]
ON_SIGNED = [
    ("absolute", "absolute value", np.abs),
    ("rounded", "down", np.floor),
    ("rounded", "up", np.ceil),
    ("rounded", "towards zero", np.trunc),
    ("rounded", "nearest", np.rint),
    ("rounded", "two decimals", lambda x: np.round(x, 2)),
    ("clipped", "below 0", lambda x: np.maximum(x, 0)),
]
ON_VECTORS = [
    ("reversed", "reverse", lambda x: x[::-1]),
    ("sorted", "sorted:", np.sort),
    ("sorted", "downwards", lambda x: np.sort(x)[::-1]),
    ("cumulated", "running sum", np.cumsum),
    ("differenced", "summed up", lambda x: np.diff(x, prepend=0)),
    ("shifted", "too late", lambda x: np.append(5, x[:-1])),
    ("shifted", "too late", lambda x: np.roll(x, 1)),
    ("shifted", "too early", lambda x: np.append(x[1:], 5)),
    ("ends", "lacks the first", lambda x: x[1:]),
    ("ends", "lacks the last", lambda x: x[:-1]),
    ("ends", "without the last", lambda x: np.append(x, 5)),
    ("ends", "without the first element", lambda x: np.append(5, x)),
    ("ends", "the first and the last", lambda x: np.pad(x, 1)),
    ("reduced", "the mean", np.mean),
    ("reduced", "the largest", np.max),
    ("level", "mean", lambda x: x - x.mean()),
    ("norm", "divisor", lambda x: x / x.sum()),
    ("affine", "stretched", lambda x: (x - x.mean()) / x.std()),
]
ON_MATRICES = [
    ("transposed", "(1, 2, 0)", lambda x: x.transpose(1, 2, 0)),
    ("reshaped", "reshape", lambda x: x.transpose(2, 1, 0).reshape(x.shape)),
    ("shape", "another shape", lambda x: x.reshape(len(x), -1)),
    ("reversed", "along axis 1", lambda x: x[:, ::-1]),
    ("sorted", "along axis 2", lambda x: np.sort(x, axis=2)),
    ("cumulated", "along axis 0", lambda x: np.cumsum(x, axis=0)),
    ("shifted", "along axis 1", lambda x: np.roll(x, 1, axis=1)),
    ("ends", "along axis 2", lambda x: x[:, :, 1:]),
    ("reduced", "the mean along axis 1", lambda x: x.mean(axis=1)),
    ("norm", "along axis 2", lambda x: x / x.sum(axis=2, keepdims=True)),
    ("level", "along axis 2", lambda x: x - x.mean(axis=2, keepdims=True)),
]


def _ids(table):
    return [pytest.param(*row, id=f"{row[0]}-{row[1]}") for row in table]


@pytest.mark.parametrize(("kind", "words", "change"), _ids(ELEMENTWISE))
@pytest.mark.parametrize("shape", [(), (7,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_elementwise_relation_is_found_and_named(kind, words, change, shape, dtype, seed):
    found = _relation([x.astype(dtype) for x in _positive(seed, shape=shape)], change)
    assert found is not None
    assert (found.kind, found.cases) == (kind, 4)
    assert words in found.sentence


@pytest.mark.parametrize(("kind", "words", "change"), _ids(ON_SIGNED))
@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_relation_on_values_of_both_signs(kind, words, change, seed):
    found = _relation(_signed(seed, shape=(20,)), change)
    assert found is not None
    assert found.kind == kind
    assert words in found.sentence


@pytest.mark.parametrize(("kind", "words", "change"), _ids(ON_VECTORS))
@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_relation_between_vectors(kind, words, change, seed):
    found = _relation(_positive(seed), change)
    assert found is not None
    assert found.kind == kind
    assert words in found.sentence


@pytest.mark.parametrize(("kind", "words", "change"), _ids(ON_MATRICES))
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_relation_between_arrays_names_its_axis(kind, words, change, seed):
    found = _relation(_positive(seed, shape=(3, 4, 5)), change)
    assert found is not None
    assert found.kind == kind
    assert words in found.sentence


BACKWARD = [
    ("absolute", "absolute value of it", np.abs, _signed),
    ("not_rounded", "not yet rounded down", np.floor, _signed),
    ("not_sorted", "not yet sorted", np.sort, _signed),
    ("not_reduced", "the mean of it", np.mean, _signed),
    ("not_reduced", "the largest element of it", np.max, _signed),
    ("not_clipped", "below −1 and above 1", lambda x: np.clip(x, -1, 1), _signed),
    ("softmax", "softmax", _softmax, _signed),
    ("argmax", "index of the largest", lambda x: np.argmax(x), _signed),
]


@pytest.mark.parametrize(("kind", "words", "step", "draw"), _ids(BACKWARD))
@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_missing_step_is_named(kind, words, step, draw, seed):
    inputs = draw(seed, count=8, shape=(30,))
    found = find_relation([Observation(step(x), x) for x in inputs])
    assert found is not None
    assert found.kind == kind
    assert words in found.sentence


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_one_step_apart(seed):
    rng = np.random.default_rng(seed)
    expected = [rng.integers(-100, 100, size=20) for _ in range(3)]
    found = find_relation([Observation(x, x + np.resize([0, 1, 0, -1, 1], 20)) for x in expected])
    assert found is not None
    assert found.kind == "one_step"


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_right_elements_in_another_order(seed):
    found = _relation(_positive(seed, shape=(12,)), lambda x: np.resize(x.reshape(3, 4).T.ravel(), 12))
    assert found is not None
    assert found.kind == "reordered"


# --- Factors that are a size of the case -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("power", "words"),
    [
        (lambda n: n, "times the batch size"),
        (lambda n: 1 / n, "divided by the batch size"),
        (lambda n: n**2, "times the square of the batch size"),
        (lambda n: n**-2, "divided by the square of the batch size"),
        (lambda n: n**0.5, "times the square root of the batch size"),
        (lambda n: n / (n - 1), "n / (n − 1), n being the batch size"),
        (lambda n: ((n - 1) / n) ** 0.5, "√((n − 1) / n), n being the batch size"),
    ],
)
def test_factor_of_a_size(power, words):
    sizes = [2.0, 3.0, 8.0, 32.0]
    found = find_relation([
        Observation(x, x * power(n), sizes={"T": 7.0 - n / 8, "batch size": n})
        for n, x in zip(sizes, _positive(3), strict=True)
    ])
    assert found is not None
    assert found.kind == "factor"
    assert words in found.sentence


def test_symbol_takes_no_article():
    pairs = zip([2, 3, 4, 5], _positive(3), strict=True)
    found = find_relation([Observation(x, x * t * t, sizes={"T": t}) for t, x in pairs])
    assert found is not None
    assert "times the square of T:" in found.sentence


def test_size_that_never_changes_is_one_reading_of_a_factor():
    found = find_relation([Observation(x, 100 * x, sizes={"count": 100}) for x in _positive(3)])
    assert found is not None
    assert "percentage" in found.sentence
    assert "it is also the count" in found.sentence


def test_size_of_one_leaves_a_case_right():
    observations = [Observation(x, x * n, sizes={"n": n}) for n, x in zip([1, 2, 3, 4], _positive(3), strict=True)]
    found = find_relation(observations)
    assert found is not None
    assert found.cases == 3


# --- What refutes a relation, and what says nothing ------------------------------------------------------------------


def test_two_cases_are_not_enough():
    assert find_relation([Observation(x, 100 * x) for x in (0.1, 0.2)]) is None
    assert find_relation([]) is None


def test_right_case_speaks_against_a_relation():
    wrong = [Observation(x, 100 * x) for x in (0.1, 0.2, 0.3)]
    found = find_relation(wrong)
    assert found is not None
    assert find_relation([*wrong, Observation(0.4, 0.4)]) is None
    assert find_relation([*wrong, Observation(0.4, 0.41)]) is None
    assert find_relation([*wrong, Observation(0.4, 41.0)]) is None


def test_right_case_that_the_relation_leaves_alone_does_not():
    wrong = [Observation(x, 100 * x) for x in (0.1, 0.2, 0.3)]
    found = find_relation([*wrong, Observation(0.0, 0.0)])
    assert found is not None
    assert found.cases == 3


@pytest.mark.parametrize("change", [np.flip, np.sort, np.transpose, np.cumsum])
def test_arrays_of_one_element_and_constant_arrays_do_not_count(change):
    uninformative = [Observation(np.array([4.0 + i]), np.array([4.0 + i])) for i in range(3)]
    uninformative += [Observation(np.full((3, 3), 2.0), change(np.full((3, 3), 2.0))) for _ in range(3)]
    assert find_relation([o for o in uninformative if np.shape(o.got) == np.shape(o.expected)]) is None


def test_symmetric_matrices_do_not_hide_a_transposition():
    squares = _positive(1, shape=(3, 3))
    symmetric = [x + x.T for x in squares]
    assert find_relation([Observation(x, x.T) for x in symmetric]) is None
    found = find_relation([Observation(x, x.T) for x in symmetric + squares])
    assert found is not None
    assert (found.kind, found.cases) == ("transposed", len(squares))


def test_same_pair_of_numbers_thrice_is_one_case():
    assert find_relation([Observation(0.5, 50.0)] * 3) is None


def test_small_integers_need_more_cases():
    """Three classes of ten that are one off happen by chance; twelve do not."""
    pairs = [(1, 2), (4, 5), (7, 8), (3, 4), (2, 3), (8, 9), (5, 6)]
    assert find_relation([Observation(a, b) for a, b in pairs[:3]]) is None
    found = find_relation([Observation(a, b) for a, b in pairs])
    assert found is not None
    assert found.kind == "offset"


def test_one_hot_vectors_coincide_easily():
    """A class out of ten and its mirror image: 3.3 bits a case, whatever the length of the vectors."""
    classes = np.eye(10)
    assert find_relation([Observation(classes[i], classes[9 - i]) for i in (2, 4, 1)]) is None
    found = find_relation([Observation(classes[i], classes[9 - i]) for i in range(10)])
    assert found is not None
    assert found.kind == "reversed"


def test_two_elements_are_always_on_a_line():
    changes = [2.0, 3.0, 5.0, 7.0]
    for shape in [(2,), (5, 2)]:
        arrays = _positive(3, shape=shape)
        slices = [np.array(c) if len(shape) == 1 else c * np.arange(1, 6)[:, None] for c in changes]
        for change in (np.multiply, np.add):
            pairs = zip(arrays, slices, strict=True)
            assert find_relation([Observation(x, change(x, c)) for x, c in pairs]) is None


def test_largest_element_alone_is_no_limit():
    arrays = _positive(4, shape=(20,))
    assert _relation(arrays, lambda x: np.minimum(x, np.sort(x)[-1] - 0.001)) is None
    found = _relation(arrays, lambda x: np.minimum(x, np.sort(x)[-5]))
    assert found is not None
    assert found.kind == "clipped"
    assert "changes from case to case" in found.sentence


def test_no_shift_is_seen_in_constant_arrays():
    assert find_relation([Observation(np.full(5, i), np.array([9.5, i, i, i, i])) for i in range(4)]) is None


def test_factor_close_to_one_is_told_with_its_digits():
    found = _relation(_positive(6), lambda x: 1.0001 * x)
    assert found is not None
    assert "is 1.0001 times" in found.sentence


def test_constant_answer():
    found = find_relation([Observation(x, 0) for x in (0.2, 0.7, 0.4)])
    assert found is not None
    assert found.kind == "constant"
    assert "is 0 in every case" in found.sentence


def test_truth_values():
    expected = [True, False, True, False]
    found = find_relation([Observation(x, not x) for x in expected])
    assert found is not None
    assert "opposite" in found.sentence
    assert find_relation([Observation(x, True) for x in expected]) is None
    masks = [np.random.default_rng(i).random(12) < 0.5 for i in range(3)]
    found = find_relation([Observation(x, ~x) for x in masks])
    assert found is not None
    assert found.kind == "complement"


def test_nan_and_infinity_in_the_same_places_agree():
    arrays = _positive(5)
    for x in arrays:
        x[2], x[4] = np.nan, np.inf
    found = _relation(arrays, lambda x: 100 * x)
    assert found is not None
    assert "percentage" in found.sentence
    assert _relation(arrays, lambda x: 100 * np.nan_to_num(x, posinf=3.0)) is None


def test_infinite_elements_agree_with_nothing_else():
    arrays = [np.array([1.0, np.inf, i]) for i in range(2, 6)]
    finite = [np.array([100.0, 7.0, 100 * x[2]]) for x in arrays]
    assert find_relation([Observation(x, y) for x, y in zip(arrays, finite, strict=True)]) is None
    assert find_relation([Observation(y, x) for x, y in zip(arrays, finite, strict=True)]) is None


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float16, np.float32, np.float64, np.complex128])
def test_types_of_numbers(dtype):
    arrays = [(np.random.default_rng(i).integers(1, 50, size=8)).astype(dtype) for i in range(4)]
    found = find_relation([Observation(x, x.astype(complex if dtype is np.complex128 else float) * 2) for x in arrays])
    assert found is not None
    assert "is 2 times" in found.sentence


def test_torch_tensors_on_either_side():
    arrays = _positive(2)
    tensors = [torch.tensor(x, dtype=torch.float32, requires_grad=True) for x in arrays]
    for pairs in (zip(arrays, tensors, strict=True), zip(tensors, arrays, strict=True)):
        found = find_relation([Observation(a, b * 100) for a, b in pairs])
        assert found is not None
        assert found.kind == "factor"
    found = find_relation([Observation(x.tolist(), list(t * 100)) for x, t in zip(arrays, tensors, strict=True)])
    assert found is not None


def test_strings_have_an_order_too():
    words = [["to", "ken", "izer"], ["a", "b", "c", "d"], ["quant", "ize"]]
    found = find_relation([Observation(x, x[::-1]) for x in words])
    assert found is not None
    assert found.kind == "reversed"
    assert find_relation([Observation("a", "b"), Observation("c", "d"), Observation("e", "f")]) is None


# --- Several results -------------------------------------------------------------------------------------------------


class Params(NamedTuple):
    scale: float
    zero_point: int


def test_one_part_of_several_is_named():
    zero_points = [-128, -3, 40, 77]
    found = find_relation([Observation((x, z), (x, z + 128)) for x, z in zip(_positive(1), zero_points, strict=True)])
    assert found is not None
    assert found.sentence.startswith("The second of the two parts of your result is 128 more than")
    found = find_relation([Observation(Params(0.1, z), (0.1, z + 128)) for z in zero_points])
    assert found is not None
    assert found.sentence.startswith('The part "zero_point" of your result is 128 more')
    found = find_relation([Observation({"a": 1, "b": (z, 2)}, {"a": 1, "b": (-z, 2)}) for z in zero_points])
    assert found is not None
    assert found.sentence.startswith('The first of the two parts of the part "b" of your result has the wrong sign')


def test_parts_in_another_order():
    found = find_relation([Observation((i, x, "a"), (x, "a", i)) for i, x in enumerate(_positive(1))])
    assert found is not None
    assert found.kind == "tuple_order"


def test_all_parts_wrong_in_the_same_way():
    found = find_relation([Observation({"w": x, "b": x[:3]}, {"w": 4 * x, "b": 4 * x[:3]}) for x in _positive(1)])
    assert found is not None
    assert found.sentence.startswith("Each wrong part of your result is 4 times")


def test_parts_that_are_not_the_same_ones():
    assert find_relation([Observation((1.0, x), (1.0, x, 2)) for x in _positive(1)]) is None
    assert find_relation([Observation({"a": x, "b": 1}, {"a": x, "c": 1}) for x in _positive(1)]) is None


# --- No relation: none is told ---------------------------------------------------------------------------------------


def _unrelated(rng: np.random.Generator) -> list[Observation]:
    """Results that have nothing to do with what is expected, of one of the shapes and types that exercises have."""
    shape = [(), (), (3,), (10,), (4, 4), (2, 3, 4)][rng.integers(6)]
    draw = [
        lambda: rng.normal(size=shape),
        lambda: rng.uniform(size=shape),
        lambda: rng.lognormal(0, 3, size=shape).astype(np.float32),
        lambda: rng.integers(0, 10, size=shape),
        lambda: rng.integers(-128, 128, size=shape),
        lambda: rng.normal(size=shape) > 0 if shape else rng.normal(),
    ][rng.integers(6)]
    cases = int(rng.integers(3, 9))
    sizes = [{"batch size": float(rng.integers(1, 65)), "T": float(rng.integers(1, 9))} for _ in range(cases)]
    out = [Observation(draw(), draw(), sizes=s) for s in sizes]
    if rng.random() < 0.3:
        out += [Observation(x, x) for x in (draw(), draw())]
    return out


def _nearly_right(rng: np.random.Generator) -> list[Observation]:
    """Noise added, or some elements replaced."""
    out = []
    for _ in range(int(rng.integers(3, 9))):
        x = rng.normal(size=int(rng.integers(5, 30)))
        noisy = np.where(rng.random(x.size) < 0.3, rng.normal(size=x.size), x)
        out.append(Observation(x, noisy if rng.random() < 0.5 else x + 0.1 * rng.normal(size=x.size)))
    return out


@pytest.mark.parametrize("draw", [_unrelated, _nearly_right])
def test_unrelated_results_get_no_name(draw):
    found = [(seed, find_relation(draw(np.random.default_rng(seed)))) for seed in range(1000)]
    assert [each for each in found if each[1] is not None] == []


@given(
    st.lists(
        st.tuples(
            hnp.arrays(np.float64, (6,), elements=st.floats(-100, 100)),
            hnp.arrays(np.int64, (6,), elements=st.integers(-9, 9)),
        ),
        min_size=3,
        max_size=6,
    )
)
@settings(max_examples=200, deadline=None)
def test_what_is_told_is_true(pairs):
    """On arrays that hypothesis bends to fit something: whatever is told counts the wrong cases only."""
    observations = [Observation(a, b) for a, b in pairs]
    found = find_relation(observations)
    if found is not None:
        assert CASES_NEEDED <= found.cases <= len(pairs)
        assert found.sentence[-1] in ".?"
        assert "{" not in found.sentence


# --- Never raises, never hangs ---------------------------------------------------------------------------------------


class Hostile:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no")


class HostileDict(dict):
    def keys(self):
        raise RuntimeError("no")

    __iter__ = items = keys


def _holding_itself():
    loop: list = []
    loop += [loop, loop]
    return loop


def _many_times_itself():
    nest: list = [1.0]
    for _ in range(60):
        nest = [nest, nest]
    return nest


def _deep():
    nest: object = 1.0
    for _ in range(5000):
        nest = (nest,)
    return nest


def _dict_holding_itself():
    loop: dict = {"a": 1}
    loop["b"] = loop
    return loop


ODD = [
    *(None, "text", "", b"bytes", 10**400, -1, 0, True, 0.0, -0.0, math.nan, math.inf, 1e308, 5e-324, 1 + 2j),
    *([], (), {}, set(), [1, [2, 3]], [1, "a"], [None], [[]], ((1, 2), 3), {"a": 1}, range(4), iter([1]), print),
    *(np.array([]), np.zeros((0, 3)), np.array(["a", "b"]), np.array([None]), np.array("2020", dtype="M8[Y]")),
    *(np.zeros((1,) * 20), np.ones(3, dtype=np.float16), np.longdouble(3), np.ma.array([1, 2], mask=[0, 1])),
    *(np.zeros(2, dtype="i4,f4"), torch.zeros(2, dtype=torch.bfloat16), torch.tensor(3), Hostile(), [Hostile()]),
    *(HostileDict(a=1), Params, Params(1.0, 2)),
    *(_holding_itself(), _many_times_itself(), _deep(), _dict_holding_itself()),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("got", ODD, ids=lambda value: type(value).__name__)
def test_no_pair_of_values_raises(got):
    for expected in [*ODD, _positive(0)[0]]:
        plain = [Observation(0.5 + i, 50.0 + 100 * i) for i in range(3)]
        find_relation([Observation(expected, got)] * 4)
        find_relation([*plain, Observation(expected, got)])


def test_large_arrays_are_sampled():
    """A million elements in each of ten cases, and an array that would fill the memory if it were copied."""
    rng = np.random.default_rng(0)
    large = [rng.normal(size=(1000, 1000)) for _ in range(10)]
    found = find_relation([Observation(x, 100 * x) for x in large])
    assert found is not None
    assert "percentage" in found.sentence
    assert find_relation([Observation(x, x[::-1]) for x in large]) is None
    huge = np.broadcast_to(np.float32(0.5), (40_000, 1_000_000))
    assert find_relation([Observation(huge, huge)] * 3) is None


def test_long_lists_are_not_read():
    found = find_relation([Observation(x.tolist(), (2 * x).tolist()) for x in _positive(0, shape=(200_000,))])
    assert found is None


def test_torch_is_not_imported():
    code = "import sys, pocketlab.course.relations; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- Labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passed", "failed", "sentence"),
    [
        (["positive values"], ["one negative value"], "Right for positive values, wrong for one negative value."),
        (["a", "a", "b"], ["c", "c"], "Right for a and b, wrong for c."),
        (["a", "b", "c"], ["d", "e", "f"], "Right for a, b and c, wrong for d, e and f."),
        (["a", "b", "c", "d"], ["e"], "Wrong for e, right in all other cases."),
        (["a", "b"], ["b"], None),
        ([], ["a"], None),
        (["a"], [], None),
        (["a"], [""], None),
        (["", "a"], ["b"], None),
    ],
)
def test_labels(passed, failed, sentence):
    assert describe_labels(passed, failed) == sentence
