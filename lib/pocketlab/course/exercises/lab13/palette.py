"""Exercise 13.4: the nearest color of a palette."""

from __future__ import annotations

import numpy as np

from pocketlab.compression.palettization import nearest
from pocketlab.course.exercise import EXACT, Case, Exercise, Misconception


def _near(rng: np.random.Generator, shape: tuple[int, ...], centers: np.ndarray) -> np.ndarray:
    """Return float32 values, each up to 0.4 of the way from a center to one of its neighbors: no ties, in float32 either."""
    chosen = rng.integers(0, len(centers), shape)
    gap = np.concatenate([[1.0], np.diff(centers), [1.0]])  # beyond either end the distance is free
    side = rng.integers(0, 2, shape)
    distance = rng.uniform(0.05, 0.4, shape) * gap[chosen + side]
    return (centers[chosen] + np.where(side, distance, -distance)).astype(np.float32)


def _cases(rng: np.random.Generator) -> list[Case]:
    def palette(colors: int, spread: float = 1.0) -> np.ndarray:
        """Return ascending colors with unequal gaps, as k-means makes them."""
        gaps = rng.uniform(0.1, 1.0, colors)
        centers = np.cumsum(gaps)
        return np.asarray((centers - centers.mean()) * spread)

    four, eight, sixteen, many, five = palette(4), palette(8), palette(16, 0.1), palette(256), palette(5)
    six = np.array([-3.0, -2.6, -2.5, -1.0, 0.2, 0.35])
    return [
        Case("a palette of four", (np.array([-0.9, -0.2, 0.1, 0.8, 0.5], np.float32), np.array([-1.0, -0.3, 0.2, 0.9]))),
        Case("a palette of four", (_near(rng, (12,), four), four)),
        Case("a palette of eight", (_near(rng, (30,), eight), eight)),
        Case("a matrix", (_near(rng, (4, 6), eight), eight)),
        Case("a matrix with as many columns as colors", (_near(rng, (3, 5), five), five)),
        Case("a convolution's weights", (_near(rng, (8, 2, 3, 3), sixteen), sixteen)),
        Case("values beyond both ends", (np.array([-9.0, 7.0, 0.55, -2.2, 40.0], np.float32), np.array([-2.0, -1.0, 0.5, 3.0]))),
        Case("values that are colors", (np.array([-2.0, 3.0, -1.0, 0.5], np.float32), np.array([-2.0, -1.0, 0.5, 3.0]))),
        Case("negative colors", (_near(rng, (10,), six[:4]), six[:4])),
        Case("positive colors", (_near(rng, (10,), np.array([0.25, 1.0, 4.0, 20.0])), np.array([0.25, 1.0, 4.0, 20.0]))),
        Case("two colors", (np.array([[0.3, -0.2], [-1.5, 0.05]], np.float32), np.array([-0.5, 0.25]))),
        Case("one color", (np.array([0.3, -2.0, 5.0], np.float32), np.array([0.7]))),
        Case("256 colors", (_near(rng, (20, 30), many), many)),
        Case("a transposed view", (_near(rng, (5, 3), six).T, six)),
    ]


def _distances(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return (…, colors) distances."""
    return np.abs(values[..., np.newaxis] - centers)


def _right(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    return _distances(values, centers).argmin(-1).astype(np.uint8)


def _evenly_spaced(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    step = (centers[-1] - centers[0]) / max(len(centers) - 1, 1) or 1.0
    return np.clip(np.round((values - centers[0]) / step), 0, len(centers) - 1).astype(np.uint8)


def _by_edges(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.searchsorted(edges, values).astype(np.uint8)


def _relative(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    return np.abs(values[..., np.newaxis] / centers - 1).argmin(-1).astype(np.uint8)


def _rank(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    ranks = np.argsort(np.argsort(values.ravel())).reshape(values.shape)
    return (ranks * len(centers) // max(values.size, 1)).astype(np.uint8)


def _counts(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    return np.bincount(_right(values, centers).ravel(), minlength=len(centers))


def _nearest_midpoint(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    return _right(values, (centers[1:] + centers[:-1]) / 2 if len(centers) > 1 else centers)


NEAREST = Exercise(
    id="13.4",
    title="the nearest color",
    reference=nearest,
    cases=_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "the next color above",
            lambda values, centers: np.searchsorted(centers, values),
            "You look the value up among the centers, which gives the next color above, and for values beyond the last one an "
            "index that does not exist. Look it up among the midpoints between neighboring centers.",
        ),
        Misconception(
            "the next color above, cut off",
            lambda values, centers: np.minimum(np.searchsorted(centers, values), len(centers) - 1).astype(np.uint8),
            "You return the next color above. The one below may be nearer: look the value up among the midpoints between "
            "neighboring centers.",
        ),
        Misconception(
            "the next color below",
            lambda values, centers: np.maximum(np.searchsorted(centers, values, side="right") - 1, 0).astype(np.uint8),
            "You return the next color below. The one above may be nearer: look the value up among the midpoints between "
            "neighboring centers.",
        ),
        Misconception(
            "the next color below, 255 for the first",
            lambda values, centers: (np.searchsorted(centers, values, side="right") - 1).astype(np.uint8),
            "You return the next color below, and −1 where there is none, which uint8 turns into 255. Look the value up among "
            "the midpoints between neighboring centers: `np.digitize` and `np.searchsorted` both do it.",
        ),
        Misconception(
            "the next color below, −1 for the first",
            lambda values, centers: np.digitize(values, centers) - 1,
            "You return the next color below, and −1 where there is none. Give `np.digitize` the midpoints between neighboring "
            "centers in place of the centers, and take nothing off.",
        ),
        Misconception(
            "as many as lie below",
            lambda values, centers: np.searchsorted(centers, values, side="right").astype(np.uint8),
            "You count the centers up to the value, so even a value that is a color gets the next one. Look it up among the "
            "midpoints between neighboring centers.",
        ),
        Misconception(
            "the color before",
            lambda values, centers: np.maximum(np.searchsorted(centers, values) - 1, 0).astype(np.uint8),
            "You return the color before the place where the value would be inserted. The next one may be nearer, and a value "
            "that is a color gets its predecessor. Look it up among the midpoints between neighboring centers.",
        ),
        Misconception(
            "the color before, −1 for the first",
            lambda values, centers: (np.searchsorted(centers, values) - 1).astype(np.uint8),
            "You take 1 off the place where the value would be inserted among the centers. That is the color below, and −1 for "
            "values before the first, which uint8 turns into 255. Look it up among the midpoints between neighboring centers.",
        ),
        Misconception(
            "colors in place of indices",
            lambda values, centers: centers[_right(values, centers)],
            "You return the nearest colors themselves. Return their indices: they are what takes few bits.",
        ),
        Misconception(
            "the distance",
            lambda values, centers: _distances(values, centers).min(-1),
            "You return how far the nearest color is. Its index is wanted: `argmin` in place of `min`.",
        ),
        Misconception(
            "the largest center",
            lambda values, centers: (values[..., np.newaxis] - centers).argmin(-1).astype(np.uint8),
            "Your result is always the last color: the smallest difference with its sign is the most negative one. Take the "
            "absolute value before `argmin`.",
        ),
        Misconception(
            "the smallest center",
            lambda values, centers: (centers - values[..., np.newaxis]).argmin(-1).astype(np.uint8),
            "Your result is always the first color: the smallest difference with its sign is the most negative one. Take the "
            "absolute value before `argmin`.",
        ),
        Misconception(
            "the farthest color",
            lambda values, centers: _distances(values, centers).argmax(-1).astype(np.uint8),
            "You return the farthest color: `argmin` in place of `argmax`.",
        ),
        Misconception(
            "magnitudes compared",
            lambda values, centers: _distances(np.abs(values), np.abs(centers)).argmin(-1).astype(np.uint8),
            "You compare magnitudes, so a value can get a color of the other sign. Subtract first, then take the absolute value.",
        ),
        Misconception(
            "evenly spaced",
            _evenly_spaced,
            "You compute the index from a step, as for a uniform grid. The colors of a palette are not evenly spaced: compare "
            "the value with each, or with the midpoints.",
        ),
        Misconception(
            "evenly spread over the values",
            _rank,
            "You give each color an equal share of the values. Only the distance counts: some colors serve many values, some "
            "few.",
        ),
        Misconception(
            "relative distance",
            _relative,
            "You compare ratios. Nearest means the smallest difference, |value − center|.",
        ),
        Misconception(
            "half differences as edges",
            lambda values, centers: _by_edges(values, np.diff(centers) / 2),
            "Your edges are half the differences of neighboring centers. The midpoint between two is half their sum.",
        ),
        Misconception(
            "half forgotten",
            lambda values, centers: _by_edges(values, centers[1:] + centers[:-1]),
            "Your edges are the sums of neighboring centers. Divide by 2 to get their midpoints.",
        ),
        Misconception(
            "only one of two halved",
            lambda values, centers: _by_edges(values, centers[1:] + centers[:-1] / 2),
            "You halve only the second summand: the division comes before the sum. Write `(centers[1:] + centers[:-1]) / 2`.",
        ),
        Misconception(
            "whole edges",
            lambda values, centers: _by_edges(values, (centers[1:] + centers[:-1]) // 2),
            "You divide by 2 with `//`, which rounds the midpoints down to whole numbers. Use `/`.",
        ),
        Misconception(
            "one too high",
            lambda values, centers: (_right(values, centers) + 1).astype(np.uint8),
            "Your indices count from 1. The first color has index 0.",
        ),
        Misconception(
            "one too low",
            lambda values, centers: _right(values, centers).astype(np.int64) - 1,
            "Your indices are one too low. Among the midpoints `np.searchsorted` already gives the index: 0 before the first "
            "midpoint.",
        ),
        Misconception(
            "counted from the end",
            lambda values, centers: (len(centers) - 1 - _right(values, centers)).astype(np.uint8),
            "You count the colors from the end. The smallest center has index 0.",
        ),
        Misconception(
            "int8",
            lambda values, centers: _right(values, centers).astype(np.int8),
            "You return int8, in which indices above 127 turn negative. An index is not negative: use uint8.",
        ),
        Misconception(
            "not uint8",
            lambda values, centers: _right(values, centers).astype(np.int64),
            "The indices are right, but not of type uint8; as int64 they would take eight bytes each. End with "
            "`.astype(np.uint8)`.",
        ),
        Misconception(
            "flattened",
            lambda values, centers: _right(values, centers).ravel(),
            "The indices are right, and the shape is lost. Return them shaped as the values.",
        ),
        Misconception(
            "one axis taken for granted",
            lambda values, centers: np.abs(values[:, np.newaxis] - centers).argmin(axis=1).astype(np.uint8),
            "Right for one axis only. `values[..., np.newaxis] - centers` adds the axis of colors at the end for any number of "
            "axes; take `argmin(axis=-1)`.",
        ),
        Misconception(
            "a loop over the first axis",
            lambda values, centers: np.array([np.abs(row - centers).argmin() for row in values], np.uint8),
            "Your loop takes one row at a time, which is a single value only where there is one axis. Loop over `values.ravel()` "
            "and reshape the result, or add the axis of colors at the end.",
        ),
        Misconception(
            "a comparison of rows",
            lambda values, centers: np.array(
                [min(range(len(centers)), key=lambda k: abs(row - centers[k])) for row in values], np.uint8
            ),
            "Your loop compares a whole row of a matrix at once. Loop over `values.ravel()` and reshape the result.",
        ),
        Misconception(
            "one index for all",
            lambda values, centers: np.uint8(_distances(values, centers).argmin()),
            "`argmin` without an axis looks for the smallest of all distances. Take it along the axis of colors, the last one.",
        ),
        Misconception(
            "a mark for each color",
            lambda values, centers: (
                _distances(values, centers) == _distances(values, centers).min(-1, keepdims=True)
            ).astype(np.uint8),
            "You return a mark for each color. The place of the mark is wanted: `argmin` along the axis of colors.",
        ),
        Misconception(
            "the nearest value of each color",
            lambda values, centers: _distances(values, centers).argmin(0).astype(np.uint8),
            "You look for the nearest value to each color. The other way round is wanted: the nearest color to each value, so "
            "take `argmin` along the axis of colors.",
        ),
        Misconception(
            "counts",
            _counts,
            "You return how often each color occurs. Return the index for each value, shaped as the values.",
        ),
        Misconception(
            "the nearest midpoint",
            _nearest_midpoint,
            "You return the index of the nearest midpoint. The midpoints are only the borders: count those below the value, or "
            "compare it with the centers themselves.",
        ),
    ),
)
