"""Which range shall the integers cover? Observers watch activations (or weights) and answer with a low and a high end.

Each has `observe(x)`, called with one batch after the other, and `range() -> (lo, hi)`, which `affine_params` takes.
Source: Krishnamoorthi 2018 (Quantizing deep convolutional networks), section 3; Nagel et al. 2021 (A White Paper on Neural
Network Quantization), section 3.1; Migacz 2017 (8-bit Inference with TensorRT) for the entropy method.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pocketlab.compression.quantization import affine_params, dequantize, quantize

_BINS = 2048


class Observer(Protocol):
    """What all observers can do."""

    def observe(self, x: np.ndarray) -> None:
        """Take in a batch of any shape. Raises ValueError for an empty one, NaN or infinity."""
        ...

    def range(self) -> tuple[float, float]:
        """Return the ends (lo, hi) found so far. Raises ValueError before the first batch."""
        ...


class MinMax:
    """The smallest and the largest value ever seen: nothing is cut off, and one outlier decides over all the rest."""

    def __init__(self) -> None:
        self._lo, self._hi = np.inf, -np.inf

    def observe(self, x: np.ndarray) -> None:
        """Widen the range to hold x."""
        flat = _values(x)
        self._lo, self._hi = min(self._lo, float(flat.min())), max(self._hi, float(flat.max()))

    def range(self) -> tuple[float, float]:
        """Return (smallest, largest)."""
        return _seen(self._lo, self._hi)


class MovingAverage:
    """A running mean of each batch's smallest and largest value: a rare outlier weighs only as much as its batch.

    momentum: the share of the new batch. Source: Jacob et al. 2018, section 3.1.
    """

    def __init__(self, momentum: float = 0.1) -> None:
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum is the share of a new batch, above 0 and up to 1; got {momentum}.")
        self._momentum = momentum
        self._lo, self._hi = np.inf, -np.inf

    def observe(self, x: np.ndarray) -> None:
        """Move both ends towards those of x."""
        flat = _values(x)
        ends = float(flat.min()), float(flat.max())
        if not np.isfinite(self._lo):
            self._lo, self._hi = ends
        self._lo += self._momentum * (ends[0] - self._lo)
        self._hi += self._momentum * (ends[1] - self._hi)

    def range(self) -> tuple[float, float]:
        """Return the two running means."""
        return _seen(self._lo, self._hi)


class Histogram:
    """Counts of all values seen, in bins that grow in pairs when a value falls outside; the base of the next three."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS)
        self._lo, self._hi = np.inf, -np.inf

    def observe(self, x: np.ndarray) -> None:
        """Count the values of x."""
        flat = _values(x).astype(np.float64)
        lo, hi = min(self._lo, float(flat.min())), max(self._hi, float(flat.max()))
        counts = np.zeros(_BINS)
        if self._counts.any():  # what was counted before keeps its place, to within a bin
            centers = self._centers()
            counts += np.histogram(centers, _BINS, _span(lo, hi), weights=self._counts)[0]
        self._lo, self._hi = lo, hi
        self._counts = counts + np.histogram(flat, _BINS, _span(lo, hi))[0]

    def _centers(self) -> np.ndarray:
        edges = np.linspace(*_span(self._lo, self._hi), _BINS + 1)
        return (edges[1:] + edges[:-1]) / 2

    def range(self) -> tuple[float, float]:
        """Return (smallest, largest)."""
        return _seen(self._lo, self._hi)


class Percentile(Histogram):
    """Cuts off the rarest values at both ends: `percentile` of all values, in the middle, stay inside."""

    def __init__(self, percentile: float = 99.9) -> None:
        super().__init__()
        if not 50 < percentile <= 100:
            raise ValueError(f"percentile is the share that stays inside, above 50 and up to 100; got {percentile}.")
        self._outside = (1 - percentile / 100) / 2

    def range(self) -> tuple[float, float]:
        """Return the ends between which the share lies."""
        lo, hi = super().range()
        if self._outside == 0 or lo == hi:
            return lo, hi
        share = np.cumsum(self._counts) / self._counts.sum()
        centers = self._centers()
        first = int(np.searchsorted(share, self._outside, side="right"))
        last = int(np.searchsorted(share, 1 - self._outside, side="left"))
        return float(centers[min(first, _BINS - 1)]), float(centers[min(last, _BINS - 1)])


class MinimumError(Histogram):
    """The range with the smallest mean squared error after quantizing: cutting off costs there what the finer grid gains."""

    def __init__(self, bits: int = 8, *, symmetric: bool = False, candidates: int = 80) -> None:
        super().__init__()
        affine_params(-1.0, 1.0, bits=bits)  # raises for impossible bits
        self._bits, self._symmetric, self._candidates = bits, symmetric, candidates

    def range(self) -> tuple[float, float]:
        """Return the best of the ranges that shrink in equal steps from what was seen."""
        lo, hi = super().range()
        centers = self._centers()
        shares = np.linspace(1, 1 / self._candidates, self._candidates)
        errors = []
        for share in shares:
            scale, zero = affine_params(lo * share, hi * share, bits=self._bits, symmetric=self._symmetric)
            restored = dequantize(quantize(centers, scale, zero, bits=self._bits, narrow_range=self._symmetric), scale, zero)
            errors.append(float((self._counts * (centers - restored) ** 2).sum()))
        best = shares[np.argmin(errors)]
        return float(lo * best), float(hi * best)


class Entropy(Histogram):
    """The cut that loses the least information, for magnitudes: TensorRT's rule.

    For each cut, the distribution of the magnitudes (what is cut off piled on the last bin) is compared with what is left
    of it on the quantized grid, by the Kullback-Leibler divergence; the smallest wins. The range is symmetric.
    Source: Migacz 2017, slides 28 to 40.
    """

    def __init__(self, bits: int = 8) -> None:
        super().__init__()
        affine_params(-1.0, 1.0, bits=bits)
        self._levels = 2 ** (bits - 1)

    def range(self) -> tuple[float, float]:
        """Return (−cut, cut), or (0, cut) where nothing negative was seen."""
        lo, hi = super().range()
        largest = max(-lo, hi)
        if largest == 0:
            return 0.0, 0.0
        counts = np.histogram(np.abs(self._centers()), _BINS, (0, largest), weights=self._counts)[0]
        counts[0] = 0.0  # exact zeros are exact on any grid
        if not counts.any() or self._levels >= _BINS:
            return (-largest if lo < 0 else 0.0), largest
        cuts = np.arange(self._levels, _BINS + 1, _BINS // 256)
        best = cuts[np.argmin([_divergence(counts, int(cut), self._levels) for cut in cuts])]
        cut = largest * float(best) / _BINS
        return (-cut if lo < 0 else 0.0), cut


def _divergence(counts: np.ndarray, cut: int, levels: int) -> float:
    """Return the divergence of the magnitudes below `cut` bins from their copy on `levels` levels."""
    kept = counts[:cut].copy()
    level = np.arange(cut) * levels // cut
    used = kept > 0
    in_level = np.bincount(level, kept, levels)
    bins_used = np.bincount(level, used, levels)
    copied = np.where(used, in_level[level] / np.maximum(bins_used[level], 1), 0.0)
    kept[-1] += counts[cut:].sum()
    if copied.sum() == 0:
        return np.inf
    p, q = kept / kept.sum(), copied / copied.sum()
    if ((p > 0) & (q == 0)).any():
        q = np.where((p > 0) & (q == 0), 1e-9, q)
    inside = p > 0
    return float((p[inside] * np.log(p[inside] / q[inside])).sum())


def _values(x: np.ndarray) -> np.ndarray:
    flat = np.asarray(x).reshape(-1)
    if flat.size == 0 or not np.isfinite(flat).all():
        raise ValueError(f"An observer needs finite values, at least one; got {flat.size}, with a NaN, infinity or none.")
    return flat


def _seen(lo: float, hi: float) -> tuple[float, float]:
    if not np.isfinite(lo):
        raise ValueError("Nothing was observed yet: call observe(x) first.")
    return float(lo), float(hi)


def _span(lo: float, hi: float) -> tuple[float, float]:
    """Return ends with room between them, since a histogram needs that."""
    return (lo, hi) if hi > lo else (lo - 0.5, hi + 0.5)
