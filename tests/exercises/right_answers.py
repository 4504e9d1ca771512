"""Right answers to every exercise, each written in another way than the library's own function."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction
from itertools import groupby

import numpy as np

from exercises import (
    right_answers_lab04_a,
    right_answers_lab04_b,
    right_answers_lab04_c,
    right_answers_lab04_d,
    right_answers_lab06_a,
    right_answers_lab06_b,
    right_answers_lab13_a,
    right_answers_lab13_b,
)


def megabytes(parameters, bits):
    return float(Fraction(parameters * bits, 8_000_000))


def image_scale_bias(mean, std):
    average = sum(std) / len(std)
    return 1 / 255 / average, [-m / s for m, s in zip(mean, std, strict=True)]


def image_scale_bias_arrays(mean, std):
    mean, std = np.array(mean), np.array(std)
    return np.float64(1.0) / (255 * np.mean(std)), -mean / std


def image_scale_bias_float32(mean, std):
    mean, std = np.float32(mean), np.float32(std)
    return np.float32(1) / (np.float32(255) * std.mean()), -mean / std


def affine_from_the_upper_end(lo, hi):
    if lo > hi:
        raise ValueError
    lo, hi = np.float32(min(lo, 0)), np.float32(max(hi, 0))
    scale = (hi - lo) / np.float32(255)
    if scale == 0:
        return 1, -128
    return scale, 127 - math.floor(hi / scale + 0.5)


def sqnr_means(reference, approximation):
    reference = reference.astype(np.float64).ravel()
    noise = reference - approximation.astype(np.float64).ravel()
    if not noise.any():
        return math.inf
    return 20 * math.log10(np.linalg.norm(reference) / np.linalg.norm(noise))


def sqnr_float32(reference, approximation):
    reference, approximation = np.float32(reference), np.float32(approximation)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(np.mean(reference**2) / np.mean((reference - approximation) ** 2))


def affine_integers(lo, hi):
    if lo > hi:
        raise ValueError("lo is above hi")
    lo, hi = min(0, lo), max(0, hi)
    if lo == hi:
        return 1.0, -128
    scale = (hi - lo) / 255
    return scale, int(np.rint(-128 - lo / scale))


def affine_from_hi(lo, hi):
    if not lo <= hi:
        raise ValueError
    low, high = np.minimum(lo, 0.0), np.maximum(hi, 0.0)
    scale = (high - low) / (127 - -128)
    if scale == 0:
        scale = 1.0
    zero_point = np.clip(np.round(-low / scale) - 128, -128, 127)
    return np.array(scale), np.int64(zero_point)


def weight_scales_loop(weights):
    scales = []
    for channel in weights:
        largest = float(max(channel.max(), -channel.min()))
        scales.append(largest / 127 if largest else 1.0)
    return scales


def weight_scales_axes(weights):
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)))
    return np.where(largest == 0, 1, largest / 127).astype(np.float32)


def representative_loop(images, labels, per_class, mean, std):
    rows = []
    for label in sorted(set(labels.tolist())):
        found = [i for i, other in enumerate(labels) if other == label][:per_class]
        if len(found) != per_class:
            raise ValueError(f"too few of {label}")
        rows += found
    return np.float32((images[rows] / np.float32(255) - np.float32(mean)) / np.float32(std))


def latency_statistics(seconds, warmup=0):
    times = sorted(1e3 * float(t) for t in list(seconds)[warmup:])
    if not times:
        raise ValueError("nothing measured")
    position = 0.9 * (len(times) - 1)
    below = int(position)
    above = min(below + 1, len(times) - 1)
    return statistics.median(times), times[below] + (position - below) * (times[above] - times[below])


def latency_quantile(seconds, warmup=0):
    return tuple(np.quantile(np.array(seconds[warmup:]), (0.5, 0.9)) * 1000) if len(seconds) > warmup else _empty()


def _empty():
    raise ValueError("nothing measured")


def partitions_groupby(supported):
    return sum(1 for taken, _ in groupby(supported) if taken)


def partitions_diff(supported):
    padded = np.concatenate([[0], np.array(supported, int), [0]])
    return int((np.diff(padded) == 1).sum())


def registration_sorted(uses):
    return {
        name: (group[0][1], group[-1][1])
        for name, group in ((name, list(rows)) for name, rows in groupby(sorted(uses), key=lambda use: use[0]))
    }


def registration_loop(uses):
    ranges = {}
    for name, version in uses:
        low, high = ranges.get(name, (version, version))
        ranges[name] = [min(low, version), max(high, version)]
    return ranges


RIGHT = {
    "00.1": [megabytes],
    "01.1": [image_scale_bias, image_scale_bias_arrays, image_scale_bias_float32],
    "01.2": [sqnr_means, sqnr_float32],
    "01.3": [affine_integers, affine_from_hi, affine_from_the_upper_end],
    "01.4": [weight_scales_loop, weight_scales_axes],
    "01.5": [representative_loop],
    "01.6": [latency_statistics, latency_quantile],
    "01.7": [partitions_groupby, partitions_diff],
    "01.8": [registration_sorted, registration_loop],
    **right_answers_lab04_a.RIGHT,
    **right_answers_lab04_b.RIGHT,
    **right_answers_lab04_c.RIGHT,
    **right_answers_lab04_d.RIGHT,
    **right_answers_lab06_a.RIGHT,
    **right_answers_lab06_b.RIGHT,
    **right_answers_lab13_a.RIGHT,
    **right_answers_lab13_b.RIGHT,
}
