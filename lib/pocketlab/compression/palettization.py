"""Palettization: keep a few values once, and for each weight only the number of its value.

Source: Han et al. 2016 (Deep Compression, section 3); Lloyd 1982; Wang and Song 2011 (Ckmeans.1d.dp) for the exact solution
in one dimension, sped up by divide and conquer as in Grønlund et al. 2017, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Method = Literal["exact", "lloyd"]


def exact_kmeans(values: np.ndarray, count: int, *, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the `count` centers (float64, ascending) with the smallest sum of squared distances of all that there are.

    In one dimension each cluster is a stretch of the sorted values, so the best clustering of the first n values into k
    stretches extends the best one of fewer values into k − 1: dynamic programming over k. values: any shape. weights: how
    often each value counts. With fewer different values than `count`, each is a center.
    Takes O(k·n·log n) for n different values; above some 100,000 of these `lloyd_kmeans` is the faster choice.
    Raises ValueError for no values, NaN or infinity, or a count below 1.
    """
    distinct, often = _distinct(_checked(values, count), weights)
    if len(distinct) <= count:
        return distinct
    sums = _Sums(distinct, often)
    n = len(distinct)
    best, start = np.concatenate([[0.0], _explained(sums.first[1:], sums.often[1:])]), np.zeros(n + 1, np.int64)
    starts = [start]
    for k in range(1, count):
        first_end = n if k == count - 1 else k + 1  # of the last layer nothing but the whole is needed
        best, start = _extend(best, start, sums, k, first_end)
        starts.append(start)
    return _centers(starts, sums)


def _distinct(flat: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the different values, ascending, and how often each counts."""
    if weights is None:  # sorting alone is enough, and much faster than to know as well where each value came from
        distinct, often = np.unique(flat, return_counts=True)
    else:
        distinct, inverse = np.unique(flat, return_inverse=True)
        often = np.bincount(inverse, np.asarray(weights, np.float64).reshape(-1))
        distinct, often = distinct[often > 0], often[often > 0]
    return distinct.astype(np.float64), often.astype(np.float64)


class _Sums:
    """Running counts and sums of sorted values, from which those of any stretch follow at once, and so its mean.

    The values are shifted to have a mean of zero: a difference of large sums keeps more digits so.
    """

    def __init__(self, values: np.ndarray, often: np.ndarray) -> None:
        self.shift = float(np.average(values, weights=often))
        self.often = np.concatenate([[0.0], np.cumsum(often)])
        self.first = np.concatenate([[0.0], np.cumsum(often * (values - self.shift))])

    def means(self, edges: np.ndarray) -> np.ndarray:
        """Return the mean of the values from each edge to before the next one, the mean of all for a stretch of none."""
        return self.shift + np.diff(self.first[edges]) / np.maximum(np.diff(self.often[edges]), 1e-300)


def _explained(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return how much of the sum of squares of values with this total their mean takes away.

    What stays is their sum of squared distances from the mean. All values together have one sum of squares, so that the
    clustering that takes most away leaves least.
    """
    return total * total / count


def _extend(
    best: np.ndarray, start_before: np.ndarray, sums: _Sums, clusters: int, first_end: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add a cluster to `clusters` ones: what the first n values then explain at most, and where their last cluster starts.

    Both are for each n from `first_end` on. That start never moves back as n grows, so a solved middle halves what its
    neighbors have to try; nor does it as clusters are added, so it is not before `start_before`. All middles of one level
    are solved together; the candidates of all lie one behind the other.
    """
    n = len(best) - 1
    more, start = np.zeros(n + 1), np.zeros(n + 1, np.int64)
    low, high, least, most = (np.array([bound]) for bound in (first_end, n, clusters, n - 1))
    while low.size:
        middle = (low + high) // 2
        lowest = np.maximum(least, start_before[middle])
        width = np.minimum(most, middle - 1) - lowest + 1
        offset = np.cumsum(width) - width
        candidate = np.arange(int(width.sum())) + np.repeat(lowest - offset, width)
        total = np.repeat(sums.first[middle], width) - sums.first[candidate]
        often = np.repeat(sums.often[middle], width) - sums.often[candidate]
        explained = best[candidate] + _explained(total, often)
        more[middle] = np.maximum.reduceat(explained, offset)
        winners = np.flatnonzero(explained == np.repeat(more[middle], width))  # one or, at a tie, more of each middle
        start[middle] = first = candidate[winners[np.searchsorted(winners, offset)]]
        left, right = low < middle, middle < high
        low, high, least, most = (np.concatenate([a[left], b[right]]) for a, b in (
            (low, middle + 1), (middle - 1, high), (least, first), (first, most),
        ))
    return more, start


def _centers(starts: list[np.ndarray], sums: _Sums) -> np.ndarray:
    """Walk back from the last value, cluster by cluster, and return the means."""
    edges = [len(starts[0]) - 1]
    for start in reversed(starts):
        edges.append(int(start[edges[-1]]))
    return sums.means(np.array(edges[::-1]))


def lloyd_kmeans(values: np.ndarray, count: int, *, iterations: int = 100) -> np.ndarray:
    """Return `count` centers (float64, ascending) by Lloyd's algorithm: assign to the nearest, move to the mean, again.

    It ends in a local optimum, which depends on the start; `spread_centers` gives this one. As long as it helps, the two
    neighbors that lose least by it are then joined, and the center that is free splits the cluster that gains most. A center
    that no value is nearest to stays where it is. Raises ValueError as `exact_kmeans` does.
    """
    distinct, often = _distinct(_checked(values, count), None)
    if len(distinct) <= count:
        return distinct
    sums = _Sums(distinct, often)
    centers, edges = _settle(distinct, sums, spread_centers(distinct, often, count), iterations)
    for _ in range(count):
        moved = _join_and_split(sums, edges)
        if moved is None:
            break
        centers, edges = _settle(distinct, sums, np.sort(moved), iterations)
    return centers


def _settle(distinct: np.ndarray, sums: _Sums, centers: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the centers after Lloyd's steps, and where in the sorted values their clusters begin and end."""
    for _ in range(iterations):
        edges = np.concatenate([[0], np.searchsorted(distinct, (centers[1:] + centers[:-1]) / 2), [len(distinct)]])
        moved = np.where(np.diff(edges) > 0, sums.means(edges), centers)
        if np.array_equal(moved, centers):
            break
        centers = np.sort(moved)
    return centers, edges


def _join_and_split(sums: _Sums, edges: np.ndarray) -> np.ndarray | None:
    """Return centers with two neighboring clusters joined and another one split, or None where that would not help."""
    totals, counts = np.diff(sums.first[edges]), np.maximum(np.diff(sums.often[edges]), 1e-300)
    own = _explained(totals, counts)
    loss = own[1:] + own[:-1] - _explained(totals[1:] + totals[:-1], counts[1:] + counts[:-1])
    pair = int(np.argmin(loss)) if len(loss) else -1
    cluster = np.repeat(np.arange(len(own)), np.diff(edges))
    cut = np.arange(len(cluster))  # split before this value; at the first of a cluster nothing would be split off
    left_total, left_count = sums.first[cut] - sums.first[edges[cluster]], sums.often[cut] - sums.often[edges[cluster]]
    inside = (left_count > 0) & (cluster != pair) & (cluster != pair + 1)
    if not inside.any():
        return None
    of = cluster[inside]
    left = _explained(left_total[inside], left_count[inside])
    right = _explained(totals[of] - left_total[inside], counts[of] - left_count[inside])
    gain = left + right - own[of]
    if pair < 0 or gain.max() <= loss[pair] * (1 + 1e-9):
        return None
    apart = int(cut[inside][np.argmax(gain)])
    return sums.means(np.sort(np.concatenate([np.delete(edges, pair + 1), [apart]])))


def spread_centers(distinct: np.ndarray, often: np.ndarray, count: int) -> np.ndarray:
    """Return `count` centers (float64, ascending) as dense as the cube root of the values' own density.

    That is how the best palette of many colors lies: fewer colors in the middle than values, and more in the tails. distinct:
    at least two different values, ascending; often: how often each counts. The density between two neighbors is the mean of
    their counts over their distance.
    Source: Panter and Dite 1951 (Quantization Distortion in Pulse-Count Modulation with Nonuniform Spacing of Levels).
    """
    counts, distances = (often[1:] + often[:-1]) / 2, np.diff(distinct)
    share = np.concatenate([[0.0], np.cumsum(np.cbrt(counts) * np.cbrt(distances) ** 2)])  # ∛(density) · distance
    return np.interp((np.arange(count) + 0.5) / count * share[-1], share, distinct)


def nearest(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return the index of the nearest of the ascending centers for each value, in the smallest unsigned type that fits."""
    edges = (centers[1:] + centers[:-1]) / 2
    indices = np.searchsorted(edges, values)
    return indices.astype(np.uint8 if len(centers) <= 256 else np.uint16)


@dataclass(frozen=True)
class Palettized:
    """Weights as a palette: `palettes` (groups, colors, values per color) and `indices` into them.

    indices: shaped as the weights, or with a first axis shorter by the values per color; group g of palettes serves the
    output channels from `g * channels_per_group` on. shape: of the weights.
    """

    palettes: np.ndarray
    indices: np.ndarray
    shape: tuple[int, ...]

    @property
    def bits(self) -> int:
        """Bits of an index."""
        return max(1, int(np.ceil(np.log2(self.palettes.shape[1]))))

    @property
    def size_bits(self) -> int:
        """Bits in a file: packed indices, and the palettes in float16, as Core ML stores them."""
        return self.indices.size * self.bits + self.palettes.size * 16

    def weights(self) -> np.ndarray:
        """Return the weights that the indices stand for, float32."""
        groups, _, width = self.palettes.shape
        rows = self.indices.reshape(groups, -1)
        values = np.take_along_axis(self.palettes, rows[..., None].astype(np.int64), axis=1)  # (groups, indices, width)
        if width == 1:
            return values.reshape(self.shape).astype(np.float32)
        channels = self.shape[0] // width
        return values.reshape(channels, -1, width).transpose(0, 2, 1).reshape(self.shape).astype(np.float32)


def palettize(
    weights: np.ndarray, bits: int, *, group_channels: int | None = None, method: Method = "exact"
) -> Palettized:
    """Store weights (output channels, …) as one palette of 2^bits values, or one for each `group_channels` channels.

    Raises ValueError unless 1 ≤ bits ≤ 8, the groups divide the channels, and the weights are finite.
    """
    w = _checked_weights(weights, bits)
    channels = w.shape[0] if group_channels is None else group_channels
    if channels < 1 or w.shape[0] % channels:
        raise ValueError(f"Groups of {group_channels} channels do not divide the {w.shape[0]} output channels.")
    if method not in ("exact", "lloyd"):
        raise ValueError(f"method is 'exact' or 'lloyd'; {method!r} is neither.")
    find = exact_kmeans if method == "exact" else lloyd_kmeans
    groups = w.reshape(w.shape[0] // channels, -1)
    palettes = np.empty((len(groups), 2**bits))
    indices = np.empty(groups.shape, np.uint8)
    for g, row in enumerate(groups):
        centers = find(row, 2**bits)
        indices[g] = nearest(row, centers)
        palettes[g] = np.pad(centers, (0, 2**bits - len(centers)), mode="edge")  # unused places repeat the last
    return Palettized(palettes[..., None], indices.reshape(w.shape), w.shape)


def palettize_vectors(weights: np.ndarray, bits: int, width: int, *, seed: int = 0) -> Palettized:
    """Store weights (output channels, …) as a palette of 2^bits vectors, each of `width` neighboring output channels.

    A vector palette spends bits / width bits on a weight, so half a bit is possible. Lloyd's algorithm in `width`
    dimensions, from a k-means++ start. Raises ValueError unless `width` divides the channels, else as `palettize`.
    """
    from sklearn.cluster import KMeans

    w = _checked_weights(weights, bits)
    if width < 1 or w.shape[0] % width:
        raise ValueError(f"Vectors of {width} channels do not divide the {w.shape[0]} output channels.")
    vectors = w.reshape(w.shape[0] // width, width, -1).transpose(0, 2, 1).reshape(-1, width)
    distinct = len(np.unique(vectors, axis=0))
    fitted = KMeans(min(2**bits, distinct), n_init=1, random_state=seed).fit(vectors)
    palette = np.pad(fitted.cluster_centers_, ((0, 2**bits - len(fitted.cluster_centers_)), (0, 0)), mode="edge")
    indices = fitted.labels_.reshape(w.shape[0] // width, *w.shape[1:]).astype(np.uint8)
    return Palettized(palette[None], indices, w.shape)


def _checked(values: np.ndarray, count: int) -> np.ndarray:
    flat = np.asarray(values).reshape(-1)
    if flat.size == 0 or not np.isfinite(flat).all():
        raise ValueError(f"k-means needs finite values, at least one; got {flat.size} with a NaN, infinity or none at all.")
    if count < 1:
        raise ValueError(f"There has to be at least one center, and {count} were asked for.")
    return flat


def _checked_weights(weights: np.ndarray, bits: int) -> np.ndarray:
    w = np.asarray(weights)
    if not 1 <= bits <= 8:
        raise ValueError(f"A palette has 1 to 8 bits for an index; got {bits}.")
    if w.ndim == 0 or w.size == 0 or not np.isfinite(w).all():
        raise ValueError(f"weights need a first axis, and finite values, at least one; their shape is {w.shape}.")
    return w
