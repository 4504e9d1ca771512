"""Right answers to exercises 04.4 to 04.6, each written in another way than the library's own function."""

from __future__ import annotations

import math

import numpy as np
import torch

from pocketlab.llm.awq import channel_scales
from pocketlab.llm.gptq import output_error
from pocketlab.llm.grids import round_to_nearest


def rounded_group_by_group(weight, bits, group_size):
    if bits not in range(2, 9) or not weight.isfinite().all():
        raise ValueError("2 to 8 bits, and finite weights")
    result = torch.empty_like(weight)
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        low, high = group.amin(1, keepdim=True).clamp(max=0), group.amax(1, keepdim=True).clamp(min=0)
        scale = torch.where(high == low, 1.0, (high - low) / (2**bits - 1))
        zero_point = torch.round(-low / scale)
        integers = (torch.round(group / scale) + zero_point).clamp(0, 2**bits - 1)
        result[:, start : start + group_size] = scale * (integers - zero_point)
    return result


def rounded_number_by_number(weight, bits, group_size):
    if not 2 <= bits <= 8:
        raise ValueError(f"{bits} bits")
    result = []
    for row in weight.tolist():
        if not all(map(math.isfinite, row)):
            raise ValueError("not finite")
        values = []
        for start in range(0, len(row), group_size):
            group = row[start : start + group_size]
            low, high = min(0.0, *group), max(0.0, *group)
            scale = (high - low) / (2**bits - 1) or 1.0
            zero_point = round(-low / scale)
            values += [scale * (min(max(round(w / scale) + zero_point, 0), 2**bits - 1) - zero_point) for w in group]
        result.append(values)
    return torch.tensor(result)


def rounded_padded_in_float64(weight, bits, group_size):
    w = weight.double().numpy()
    if bits < 2 or bits > 8 or not np.isfinite(w).all():
        raise ValueError("not these")
    inputs, top = w.shape[1], 2**bits - 1
    groups = np.pad(w, ((0, 0), (0, -inputs % group_size))).reshape(len(w), -1, group_size)
    low = np.minimum(groups.min(-1, keepdims=True), 0)
    span = np.maximum(groups.max(-1, keepdims=True), 0) - low
    scale = np.where(span > 0, span, top) / top
    zero_point = np.rint(-low / scale)
    # The same as rounding before the zero point is added: an integer moves nothing to another point.
    integers = np.clip(np.rint(groups / scale + zero_point), 0, top)
    return (scale * integers - scale * zero_point).reshape(len(w), -1)[:, :inputs].astype(np.float32)


def rounded_to_a_list_of_points(weight, bits, group_size):
    if bits < 2 or bits > 8 or weight.isnan().any() or weight.isinf().any():
        raise ValueError("not these")
    parts = []
    for group in weight.split(group_size, dim=1):
        zero = torch.zeros(len(group), 1)
        low, high = torch.aminmax(torch.cat([group, zero], 1), dim=1, keepdim=True)
        scale = (high - low) / (2**bits - 1)
        scale[scale == 0] = 1
        points = scale * (torch.arange(2**bits) - (-low / scale).round())
        nearest = (group[:, :, None] - points[:, None]).abs().argmin(-1)
        parts.append(points.gather(1, nearest))
    return torch.hstack(parts)


def salient_sorted(x, share):
    if share <= 0 or share > 1:
        raise ValueError("share")
    tokens, channels = x.shape
    means = [sum(abs(value) for value in x[:, c].tolist()) / tokens for c in range(channels)]
    return sorted(range(channels), key=lambda c: -means[c])[: max(round(share * channels), 1)]


def salient_numpy_float64(x, share):
    if not 0 < share <= 1:
        raise ValueError("share")
    totals = np.abs(x.numpy().astype(np.float64)).sum(axis=0)
    count = max(1, int(share * len(totals) + 0.5))
    return np.argsort(-totals, kind="stable")[:count]


def salient_one_by_one(x, share):
    if share > 1 or share <= 0:
        raise ValueError("share")
    left = x.abs().mean(dim=0)
    found = []
    while len(found) < max(1, round(share * x.shape[1])):
        found.append(int((left == left.max()).nonzero()[0]))
        left[found[-1]] = -1
    return torch.tensor(found)


def salient_lexsort(x, share):
    if not 0 < share <= 1:
        raise ValueError("share")
    means = np.linalg.norm(x.numpy(), ord=1, axis=0)
    return np.lexsort((np.arange(len(means)), -means))[: max(1, round(share * len(means)))]


def scales_with_min(weights, activations, hessian, bits, group_size):
    def error(alpha):
        s = channel_scales(activations, alpha)
        return sum(
            output_error(round_to_nearest(w * s, bits, group_size).weights() / s - w, hessian) for w in weights
        )

    best = min((k / 20 for k in range(20)), key=error)
    return channel_scales(activations, best), best


def scales_in_float64(weights, activations, hessian, bits, group_size):
    w, a, h = (np.asarray(t, np.float64) for t in (torch.cat(weights), activations, hessian))
    a = np.maximum(a, 1e-4)
    errors = []
    for alpha in np.linspace(0, 0.95, 20):
        s = a**alpha
        rounded = rounded_number_by_number(torch.tensor(w * s, dtype=torch.float64), bits, group_size).double().numpy()
        change = rounded / s - w
        errors.append(np.trace(change @ h @ change.T))
    alpha = 0.05 * int(np.argmin(errors))
    s = a**alpha
    return (s / np.sqrt(s.max() * s.min())).astype(np.float32), alpha


def scales_of_the_divided_input(weights, activations, hessian, bits, group_size):
    smallest, best = float("inf"), None
    for point in range(20):
        scales = channel_scales(activations, point / 20)
        total = 0.0
        for weight in weights:
            change = rounded_to_a_list_of_points(weight * scales, bits, group_size) - weight * scales
            total += output_error(change, hessian / scales / scales[:, None])
        if total < smallest:
            smallest, best = total, (scales, point / 20)
    return best


def scales_in_float32(weights, activations, hessian, bits, group_size):
    together = torch.cat(weights)
    tried = [(channel_scales(activations, k / 20), k / 20) for k in range(20)]
    changes = torch.stack([rounded_group_by_group(together * s, bits, group_size) / s - together for s, _ in tried])
    errors = ((changes @ hessian) * changes).sum((1, 2)).tolist()
    return list(tried[errors.index(min(errors))])


RIGHT = {
    "04.4": [
        rounded_group_by_group,
        rounded_number_by_number,
        rounded_padded_in_float64,
        rounded_to_a_list_of_points,
    ],
    "04.5": [salient_sorted, salient_numpy_float64, salient_one_by_one, salient_lexsort],
    "04.6": [scales_with_min, scales_in_float64, scales_of_the_divided_input, scales_in_float32],
}
