"""Resizing as a matrix: each pixel of the target is a weighted sum of pixels of the source, in rows and in columns alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


# The weights of a resizing matrix that are not zero: row t adds weights[t, k] times sample first[t] + k. first: (target,);
# weights: (target, taps), padded with zeros to the longest row. A plain tuple: numba's cache would keep the place of a class, and
# fail where that moves.
Taps = tuple[NDArray[np.int64], NDArray[np.float32]]


def resizing_matrix(source: int, target: int, resampling: str) -> Matrix:
    """Return the (target, source) weights with which a line of `source` samples is resized; each row's sum is 1.

    resampling: "bilinear" or "area", as `frame_steps.resize` describes them.
    """
    return _bilinear(source, target) if resampling == "bilinear" else _area(source, target)


def _bilinear(source: int, target: int) -> Matrix:
    # Sample k sits at k + 0.5: half-pixel centers.
    centers = (np.arange(target) + 0.5) * source / target - 0.5
    lower = np.floor(centers).astype(np.int64)
    shares = centers - lower
    matrix = np.zeros((target, source))
    lines = np.arange(target)
    # Outside of the line its first or last sample goes on.
    np.add.at(matrix, (lines, np.clip(lower, 0, source - 1)), 1 - shares)
    np.add.at(matrix, (lines, np.clip(lower + 1, 0, source - 1)), shares)
    return matrix


def _area(source: int, target: int) -> Matrix:
    edges = np.arange(target + 1) * source / target
    samples = np.arange(source)
    begun = np.maximum(edges[:-1, None], samples)
    ended = np.minimum(edges[1:, None], samples + 1)
    return np.maximum(ended - begun, 0) * target / source


def embed(matrix: Matrix, start: int, length: int) -> Matrix:
    """Return the same weights for a line of `length` samples, of which the matrix takes those from `start` on."""
    embedded = np.zeros((len(matrix), length))
    embedded[:, start : start + matrix.shape[1]] = matrix
    return embedded


def for_pairs(matrix: Matrix) -> Matrix:
    """Return the (target, source / 2) weights for a line in which each sample stands for two: U and V of a 4:2:0 frame."""
    return matrix.reshape(len(matrix), -1, 2).sum(axis=2)


def taps(matrix: Matrix) -> Taps:
    """Return a resizing matrix without its zeros: the first sample and the weights of each row."""
    # What is left of rounding at the edge of a pixel (1e-13) is no weight.
    used = matrix > 1e-9
    source = matrix.shape[1]
    first = used.argmax(axis=1)
    longest = int((source - used[:, ::-1].argmax(axis=1) - first).max())
    first = np.minimum(first, source - longest)
    weights = np.take_along_axis(matrix, first[:, None] + np.arange(longest), axis=1)
    return first.astype(np.int64), np.ascontiguousarray(weights, np.float32)
