"""Exercise 13.5: how many bits a symbol needs on average."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from pocketlab.compression.coding import entropy_bits, huffman_lengths
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance


def _cases(rng: np.random.Generator) -> list[Case]:
    skewed = np.concatenate([np.arange(24), np.minimum(rng.geometric(0.2, 280) - 1, 23)])  # each occurs, the low ones more often
    wide = np.clip(np.round(rng.normal(128, 20, (40, 50))), 0, 255).astype(np.uint8)
    pruned = np.where(rng.random((6, 4, 3, 3)) < 0.8, 0, rng.integers(0, 16, (6, 4, 3, 3)))
    return [
        Case("three symbols", (np.array([0, 0, 0, 0, 1, 1, 2, 2]),)),
        Case("many symbols", (skewed,)),
        Case("two symbols", (np.array([0, 1, 1, 1, 1]),)),
        Case("all equally often", (np.repeat(np.arange(4), 3),)),
        Case("all equally often", (rng.permutation(np.repeat(np.arange(6), 4)),)),
        Case("symbols that do not occur", (np.array([1, 7, 7, 1, 1, 1, 20, 7]),)),
        Case("symbols that do not occur", (rng.choice([3, 90, 254], 30, p=[0.6, 0.3, 0.1]).astype(np.uint8),)),
        Case("a matrix", (rng.choice(5, (6, 8), p=[0.5, 0.2, 0.15, 0.1, 0.05]),)),
        Case("a matrix of bytes", (wide,)),
        Case("a pruned convolution's indices", (pruned,)),
        Case("one symbol, many times", (np.full(20, 3),)),
        Case("one symbol, once", (np.array([0]),)),
        Case("mostly one symbol", (np.array([5] * 199 + [2]),)),
        Case("a transposed view", (rng.choice(4, (5, 7), p=[0.6, 0.2, 0.1, 0.1]).T,)),
        # A single one: the mistakes below do not refuse it, and are recognized in an answer that does as well.
        Case("no symbols", (np.zeros(0, np.int64),)),
    ]


def _shares(symbols: np.ndarray) -> np.ndarray:
    """Return the shares of the symbols that occur, ascending by symbol; none for none."""
    counts = np.bincount(symbols.ravel())
    return np.asarray(counts[counts > 0] / counts.sum())


def _of(shares: np.ndarray) -> float:
    return float(-(shares * np.log2(shares)).sum())


def _all_counts(symbols: np.ndarray, at_least: int = 0) -> float:
    counts = np.bincount(symbols.ravel(), minlength=at_least)
    return _of(counts / counts.sum())


def _values_as_shares(symbols: np.ndarray) -> float:
    values = symbols[symbols > 0] / symbols.sum()
    return _of(values)


def _by_first_axis(symbols: np.ndarray) -> float:
    counts = np.bincount(symbols.ravel())
    return _of(counts[counts > 0] / len(symbols))


def _row_by_row(symbols: np.ndarray) -> float:
    rows = symbols if symbols.ndim > 1 else symbols[np.newaxis]
    return float(np.mean([_of(_shares(row)) for row in rows]))


def _one_axis(symbols: np.ndarray) -> float:
    counts = np.bincount(symbols)  # refuses a matrix
    return _of(counts[counts > 0] / counts.sum())


def _one_axis_and_all_counts(symbols: np.ndarray) -> float:
    counts = np.bincount(symbols)
    return _of(counts / counts.sum())


def _ten_bins(symbols: np.ndarray) -> float:
    counts = np.histogram(symbols)[0]
    return _of(counts[counts > 0] / counts.sum())


def _huffman(symbols: np.ndarray) -> float:
    counts = np.bincount(symbols.ravel())
    return float((counts * huffman_lengths(counts)).sum() / counts.sum())


def _zero_left_out(symbols: np.ndarray) -> float:
    rest = symbols[symbols != 0]
    return _of(_shares(rest)) if rest.size else 0.0


def _normalized(symbols: np.ndarray) -> float:
    shares = _shares(symbols)
    return _of(shares) / math.log2(len(shares)) if len(shares) > 1 else 0.0


def _hundred_bins(symbols: np.ndarray) -> float:
    counts = np.histogram(symbols, 100)[0]
    return _of(counts[counts > 0] / counts.sum())


ENTROPY = Exercise(
    id="13.5",
    title="bits per symbol",
    reference=entropy_bits,
    cases=_cases,
    tolerance=Tolerance(
        1e-5,
        1e-6,
        "A sum of at most 256 products in float32: each is off by some 2⁻²² of its value, and they all have one sign.",
    ),
    misconceptions=(
        Misconception(
            "natural logarithm",
            lambda symbols: _of(_shares(symbols)) * math.log(2),
            "You use the natural logarithm, which counts in nats. Bits come from the logarithm to base 2: `np.log2`.",
        ),
        Misconception(
            "decimal logarithm",
            lambda symbols: _of(_shares(symbols)) * math.log10(2),
            "You use the logarithm to base 10. Bits come from the logarithm to base 2: `np.log2`.",
        ),
        Misconception(
            "sign forgotten",
            lambda symbols: -_of(_shares(symbols)),
            "Your result is negative: the logarithm of a share is at most 0. Put a minus before the sum.",
        ),
        Misconception(
            "bits of all symbols together",
            lambda symbols: _of(_shares(symbols)) * symbols.size,
            "You return the bits of all symbols together. Bits per symbol are wanted: weight the logarithms with the shares, "
            "not with the counts.",
        ),
        Misconception(
            "bytes",
            lambda symbols: _of(_shares(symbols)) / 8,
            "You divide by 8, which gives bytes. Bits per symbol are wanted.",
        ),
        Misconception(
            "the number of different symbols",
            lambda symbols: math.log2(len(_shares(symbols))),
            "You return the logarithm of how many different symbols occur. That holds if all occur equally often. Weight each "
            "symbol with its share.",
        ),
        Misconception(
            "an index of fixed length",
            lambda symbols: float(math.ceil(math.log2(len(_shares(symbols))))),
            "You return the bits of an index of fixed length. Entropy is what a code can reach that spends fewer bits on "
            "frequent symbols: −Σ p·log2 p.",
        ),
        Misconception(
            "bits of the largest symbol",
            lambda symbols: math.log2(len(np.bincount(symbols.ravel()))),
            "You return the logarithm of the largest symbol plus 1. The symbols' values do not matter, only how often each "
            "occurs: −Σ p·log2 p.",
        ),
        Misconception(
            "0 times infinity",
            _all_counts,
            "Symbols that do not occur have share 0, and 0 · log2(0) is NaN. Leave them out: `counts[counts > 0]`.",
        ),
        Misconception(
            "0 times infinity for each byte",
            lambda symbols: _all_counts(symbols, at_least=256),
            "You count all 256 bytes, and those that do not occur have share 0: 0 · log2(0) is NaN. Leave them out: "
            "`counts[counts > 0]`.",
        ),
        Misconception(
            "each symbol once",
            lambda symbols: float(-np.log2(_shares(symbols)).mean()),
            "You average −log2 p over the different symbols, so a rare one weighs as much as a frequent one. Weight each with "
            "its share p.",
        ),
        Misconception(
            "mean in place of sum",
            lambda symbols: _of(_shares(symbols)) / len(_shares(symbols)),
            "You average p·log2 p over the different symbols. The shares p are the weights already: add up.",
        ),
        Misconception(
            "not weighted",
            lambda symbols: float(-np.log2(_shares(symbols)).sum()),
            "You add up −log2 p over the different symbols. Weight each with its share p: a rare symbol is seldom paid for.",
        ),
        Misconception(
            "logarithm of the counts",
            lambda symbols: _of(_shares(symbols)) - math.log2(symbols.size),
            "You take the logarithm of the counts. Divide them by their sum first: the logarithm is that of the share.",
        ),
        Misconception(
            "counts in place of shares",
            lambda symbols: (_of(_shares(symbols)) - math.log2(symbols.size)) * symbols.size,
            "You put the counts into the formula. Divide them by their sum first, so that they add up to 1.",
        ),
        Misconception(
            "shares of the largest count",
            lambda symbols: _of(_shares(symbols) / _shares(symbols).max()),
            "You divide the counts by the largest. Shares add up to 1: divide by the sum of the counts.",
        ),
        Misconception(
            "shares of the number of symbols",
            lambda symbols: _of(_shares(symbols) * symbols.size / len(_shares(symbols))),
            "You divide the counts by the number of different symbols. Shares add up to 1: divide by the sum of the counts.",
        ),
        Misconception(
            "values as shares",
            _values_as_shares,
            "You treat the symbols themselves as frequencies. They are names: count how often each occurs (`np.unique` with "
            "`return_counts=True`).",
        ),
        Misconception(
            "the first axis counted",
            _by_first_axis,
            "Right for one axis only: `len(symbols)` counts the rows of a matrix. Divide by `symbols.size`, or by the sum of "
            "the counts.",
        ),
        Misconception(
            "row by row",
            _row_by_row,
            "You compute an entropy for each row and average. All symbols share one code: count over the whole array.",
        ),
        Misconception(
            "one axis taken for granted",
            _one_axis,
            "Right for one axis only: `np.bincount` refuses a matrix. Flatten first: `symbols.ravel()`.",
        ),
        Misconception(
            "one axis taken for granted, and 0 times infinity",
            _one_axis_and_all_counts,
            "`np.bincount` refuses a matrix, so flatten first: `symbols.ravel()`. It also counts symbols that do not occur, and "
            "0 · log2(0) is NaN: leave them out.",
        ),
        Misconception(
            "rows taken for symbols",
            lambda symbols: _of(np.array(list(Counter(symbols.tolist()).values())) / len(symbols)),
            "Your loop takes the rows of a matrix for symbols, and these cannot be counted. Flatten first: `symbols.ravel()`.",
        ),
        Misconception(
            "ten bins",
            _ten_bins,
            "`np.histogram` sorts the symbols into ten bins, and several share one. Count each on its own: `np.unique` with "
            "`return_counts=True`, or `np.bincount`.",
        ),
        Misconception(
            "whole bits for each symbol",
            lambda symbols: float((_shares(symbols) * np.ceil(-np.log2(_shares(symbols)))).sum()),
            "You round the bits of each symbol up. Entropy is the bound below all codes, and leaves −log2 p as it is.",
        ),
        Misconception(
            "Huffman's code",
            _huffman,
            "You return the mean length of Huffman's words, which are whole bits. Entropy is the bound below it: −Σ p·log2 p.",
        ),
        Misconception(
            "rounded up",
            lambda symbols: float(math.ceil(_of(_shares(symbols)) - 1e-9)),
            "You round the result up. An average may be a fraction: leave it as it is.",
        ),
        Misconception(
            "normalized",
            _normalized,
            "You divide by the logarithm of the number of symbols, which gives a share of the largest possible entropy. Bits are "
            "wanted: leave that out.",
        ),
        Misconception(
            "perplexity",
            lambda symbols: 2 ** _of(_shares(symbols)),
            "You return 2 to the power of the entropy, the perplexity. Bits are wanted: the exponent itself.",
        ),
        Misconception(
            "Gini impurity",
            lambda symbols: float(1 - (_shares(symbols) ** 2).sum()),
            "You return 1 − Σ p², the Gini impurity, as decision trees use it. Entropy is −Σ p·log2 p.",
        ),
        Misconception(
            "sum of squares",
            lambda symbols: float(-np.log2((_shares(symbols) ** 2).sum())),
            "You take the logarithm of the sum. It belongs inside: sum p·log2 p over the symbols.",
        ),
        Misconception(
            "two states for each symbol",
            lambda symbols: _of(_shares(symbols)) + _of(1 - _shares(symbols)),
            "You add (1 − p)·log2(1 − p), as for a choice between two states. With all symbols in the sum, that counts the "
            "others again: −Σ p·log2 p is enough.",
        ),
        Misconception(
            "the most frequent symbol only",
            lambda symbols: float(-np.log2(_shares(symbols).max())),
            "You use the most frequent symbol only. Sum p·log2 p over all of them.",
        ),
        Misconception(
            "symbol 0 left out",
            _zero_left_out,
            "You leave out symbol 0. A zero is a symbol like any other, and often the most frequent one.",
        ),
        Misconception(
            "0 for no symbols",
            lambda symbols: _of(_shares(symbols)),
            "Right except for an empty array, where you return 0. Nothing has no average: raise a ValueError.",
        ),
        Misconception(
            "NaN for no symbols",
            lambda symbols: _of(_shares(symbols)) if symbols.size else math.nan,
            "Right except for an empty array, where you return NaN. Nothing has no average: raise a ValueError.",
        ),
        Misconception(
            "100 bins",
            _hundred_bins,
            "You count in 100 bins, the default of `torch.histc`, and neighbors fall into one bin where there are more symbols "
            "than that. Count each symbol: `np.unique` or `np.bincount`.",
        ),
    ),
)  # fmt: skip
