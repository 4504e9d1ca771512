"""Right answers to exercises 13.1 to 13.5, each written in another way than the library's own function."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from itertools import pairwise

import numpy as np
import torch


def quantize_row_by_row(x, scale, zero_point):
    if np.isnan(x.sum()):
        raise ValueError("NaN")
    result = np.empty(x.shape, np.int8)
    scales, zero_points = np.broadcast_to(scale, len(x)), np.broadcast_to(zero_point, len(x))
    for i, row in enumerate(x):
        result[i] = np.clip(np.rint(row / scales[i]) + zero_points[i], -128, 127)
    return result


def quantize_transposed(x, scale, zero_point):
    if not (x == x).all():
        raise ValueError("x holds a NaN")
    q = np.floor(x.T / scale + zero_point + 0.5)  # the first axis is the last one of the transposed view
    return np.maximum(np.minimum(q, 127), -128).T.astype("int8")


def quantize_number_by_number(x, scale, zero_point):
    index = np.indices(x.shape)[0] if x.size else np.zeros(x.shape, int)
    scales, zero_points = (np.broadcast_to(p, len(x))[index] for p in (scale, zero_point))
    q = [round(float(v) / float(s)) + int(z) for v, s, z in zip(x.flat, scales.flat, zero_points.flat, strict=True)]
    return np.array([sorted((-128, value, 127))[1] for value in q]).astype(np.int8).reshape(x.shape)


def quantize_torch_float32(x, scale, zero_point):
    x = torch.tensor(np.ascontiguousarray(x))
    if x.isnan().any():
        raise ValueError("NaN")
    shape = (-1,) + (1,) * (x.ndim - 1)
    s, z = (torch.tensor(np.asarray(p, np.float32).reshape(shape)) for p in (scale, zero_point))
    if x.numel() == 0:
        return x.to(torch.int8)
    return (torch.round(x / s) + z).clamp(-128, 127).to(torch.int8)


def errors_loop(x, limit, bits):
    step = limit / (2 ** (bits - 1) - 1)
    rounding = clipping = 0.0
    for value in x.ravel().tolist():
        if -limit <= value <= limit:
            rounding += (value - step * round(value / step)) ** 2
        else:
            clipping += (value - math.copysign(limit, value)) ** 2
    return rounding / x.size, clipping / x.size


def errors_by_clip(x, limit, bits):
    x = x.astype(np.float64)
    step = 2 * limit / (2**bits - 2)
    clipped = np.clip(x, -limit, limit)
    inside = clipped == x
    return np.mean(inside * (x - step * np.rint(x / step)) ** 2), np.mean((x - clipped) ** 2)


def errors_float32(x, limit, bits):
    limit = np.float32(limit)
    step = limit / np.float32(2 ** (bits - 1) - 1)
    beyond = np.maximum(np.abs(x) - limit, 0)
    total = ((x - np.clip(np.round(x / step) * step, -limit, limit)) ** 2).mean()
    rounding = np.where(beyond > 0, 0, (x - np.round(x / step) * step) ** 2).mean()
    assert abs(total - rounding - (beyond**2).mean()) <= 1e-4 * total + 1e-12
    return np.array([rounding, (beyond**2).mean()])


def slopes_loop(w, scale, bits):
    highest = 2 ** (bits - 1) - 1
    values, by_weight, by_scale = np.zeros(w.shape), np.zeros(w.shape), np.zeros(w.shape)
    for index in np.ndindex(w.shape):
        steps = float(w[index]) / scale
        if abs(steps) <= highest:
            values[index], by_weight[index], by_scale[index] = scale * round(steps), 1, round(steps) - steps
        else:
            end = math.copysign(highest, steps)
            values[index], by_scale[index] = end * scale, end
    return values, by_weight, by_scale


def slopes_by_autograd(w, scale, bits):
    highest = 2 ** (bits - 1) - 1
    weight = torch.tensor(np.ascontiguousarray(w), requires_grad=True)
    scales = torch.full_like(weight, scale, requires_grad=True)
    steps = torch.clamp(weight / scales, -highest, highest)
    values = (steps + (steps.round() - steps).detach()) * scales
    values.sum().backward()
    return values, weight.grad, scales.grad


def slopes_float32(w, scale, bits):
    highest = np.float32(2 ** (bits - 1) - 1)
    steps = w / np.float32(scale)
    below, above = steps < -highest, steps > highest
    q = np.select([below, above], [-highest, highest], np.round(steps))
    return q * np.float32(scale), ~(below | above), q - steps * (1 - below) * (1 - above)


def nearest_all_distances(values, centers):
    return np.argmin((values[..., None] - centers) ** 2, axis=-1).astype(np.uint8)


def nearest_bisect(values, centers):
    edges = [(a + b) / 2 for a, b in pairwise(centers)]
    return np.array([bisect(edges, value) for value in values.flat], np.uint8).reshape(values.shape)


def nearest_running_best(values, centers):
    best = np.zeros(values.shape, np.uint8)
    distance = np.full(values.shape, np.inf)
    for i, center in enumerate(centers):
        nearer = np.abs(values - center) < distance
        best[nearer] = i
        distance[nearer] = np.abs(values - center)[nearer]
    return best


def nearest_digitize_float32(values, centers):
    centers = centers.astype(np.float32)
    return np.digitize(values, centers[:-1] + np.diff(centers) / 2).astype("uint8")


def entropy_counter(symbols):
    counts = Counter(symbols.flat)
    if not counts:
        raise ValueError("no symbols")
    return sum(count / symbols.size * math.log2(symbols.size / count) for count in counts.values())


def entropy_unique_float32(symbols):
    if symbols.size == 0:
        raise ValueError("no symbols")
    share = np.unique(symbols, return_counts=True)[1].astype(np.float32) / np.float32(symbols.size)
    return -np.sum(share * np.log2(share))


def entropy_of_each_symbol(symbols):
    if not len(symbols):
        raise ValueError("no symbols")
    _, inverse, counts = np.unique(symbols, return_inverse=True, return_counts=True)
    return np.mean(np.log2(symbols.size) - np.log2(counts)[inverse])


def entropy_from_logarithms(symbols):
    counts = np.bincount(symbols.ravel(), minlength=256)
    if not counts.sum():
        raise ValueError("no symbols")
    share = counts / counts.sum()
    return (np.log(share, where=share > 0, out=np.zeros(len(share))) * -share).sum() / np.log(2)


RIGHT = {
    "13.1": [quantize_row_by_row, quantize_transposed, quantize_number_by_number, quantize_torch_float32],
    "13.2": [errors_loop, errors_by_clip, errors_float32],
    "13.3": [slopes_loop, slopes_by_autograd, slopes_float32],
    "13.4": [nearest_all_distances, nearest_bisect, nearest_running_best, nearest_digitize_float32],
    "13.5": [entropy_counter, entropy_unique_float32, entropy_of_each_symbol, entropy_from_logarithms],
}
