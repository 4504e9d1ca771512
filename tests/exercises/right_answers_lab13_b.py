"""Right answers to exercises 13.6 to 13.10, each written in another way than the library's own function."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from torch.nn import functional


def magnitude_numpy(weights, sparsity):
    values = np.abs(weights.detach().numpy())
    if sparsity < 0 or sparsity >= 1 or np.isnan(values).any():
        raise ValueError("no mask for this")
    order = np.argsort(values, axis=None, kind="stable")
    mask = np.full(values.size, True)
    mask[order[: round(sparsity * values.size)]] = False
    return mask.reshape(values.shape)


def magnitude_loop(weights, sparsity):
    flat = [abs(w) for w in weights.flatten().tolist()]
    if not 0 <= sparsity < 1 or any(w != w for w in flat):
        raise ValueError
    order = sorted(range(len(flat)), key=flat.__getitem__)
    gone = set(order[: round(sparsity * len(flat))])
    return torch.tensor([i not in gone for i in range(len(flat))]).view(weights.shape)


def magnitude_ranks(weights, sparsity):
    if not 0 <= sparsity < 1 or torch.isnan(weights).any():
        raise ValueError("sparsity or weights")
    ranks = weights.abs().reshape(-1).argsort(stable=True).argsort()
    return (ranks >= round(sparsity * weights.numel())).reshape_as(weights)


def magnitude_threshold(weights, sparsity):
    if not 0 <= sparsity < 1 or weights.isnan().any():
        raise ValueError
    magnitude, count = weights.detach().double().abs(), round(sparsity * weights.numel())
    if count == 0:
        return torch.ones_like(weights, dtype=torch.bool)
    threshold = magnitude.flatten().kthvalue(count).values
    equal = magnitude == threshold
    too_many = equal.flatten().cumsum(0).reshape(weights.shape) <= count - int((magnitude < threshold).sum())
    return ~((magnitude < threshold) | (equal & too_many))


def schedule_steps(step, begin, end, final):
    if begin >= end or final < 0 or final >= 1:
        raise ValueError("not a schedule")
    if step < begin:
        return 0
    if step >= end:
        return final
    left = (end - step) / (end - begin)
    return final * (1 - left * left * left)


def schedule_expanded(step, begin, end, final):
    if not (begin < end and 0 <= final < 1):
        raise ValueError
    p = np.clip((step - begin) / (end - begin), 0, 1)
    return final * (3 * p - 3 * p**2 + p**3)


def schedule_fraction(step, begin, end, final):
    if end <= begin or not 0.0 <= final < 1.0:
        raise ValueError
    left = 1 - Fraction(min(max(step, begin), end) - begin, end - begin)
    return float(Fraction(final) * (1 - left**3))


def schedule_float32(step, begin, end, final):
    if begin >= end or not 0 <= final < 1:
        raise ValueError
    p = np.float32(min(max(step - begin, 0), end - begin)) / np.float32(end - begin)
    return np.float32(final) + (np.float32(0) - np.float32(final)) * (np.float32(1) - p) ** 3


def schedule_torch(step, begin, end, final):
    if begin >= end or not 0 <= final < 1:
        raise ValueError
    p = torch.tensor((step - begin) / (end - begin)).clamp(0, 1)
    return (final + (0.0 - final) * (1 - p) ** 3).item()


def importance_axes(weight, gradient):
    return (weight * gradient).sum(dim=tuple(range(1, weight.ndim))).abs()


def importance_loop(weight, gradient):
    return [abs(float((w * g).sum())) for w, g in zip(weight, gradient, strict=True)]


def importance_numpy(weight, gradient):
    return np.abs(np.einsum("oi,oi->o", *(t.detach().numpy().reshape(len(t), -1) for t in (weight, gradient))))


def importance_float32(weight, gradient):
    weight, gradient = weight.float().flatten(1), gradient.float().flatten(1)
    return torch.stack([torch.dot(w, g).abs() for w, g in zip(weight, gradient, strict=True)])


def importance_from_the_mean(weight, gradient):
    product = (weight * gradient).reshape(weight.shape[0], -1)
    return (product.mean(dim=1) * product.shape[1]).abs().detach().numpy().astype(np.float32)


def soft_targets_kl_div(student, teacher, temperature):
    if student.shape != teacher.shape or temperature <= 0:
        raise ValueError("shapes or temperature")
    log_q = functional.log_softmax(student / temperature, dim=1)
    p = functional.softmax(teacher / temperature, dim=1)
    return functional.kl_div(log_q, p, reduction="batchmean") * temperature * temperature


def soft_targets_cross_entropy(student, teacher, temperature):
    if student.shape != teacher.shape or not temperature > 0:
        raise ValueError
    p = (teacher / temperature).softmax(-1)
    entropy = torch.special.entr(p).sum(-1).mean()
    return temperature**2 * (functional.cross_entropy(student / temperature, p) - entropy)


def soft_targets_float32(student, teacher, temperature):
    if student.shape != teacher.shape or temperature <= 0:
        raise ValueError
    log_q = (student.float() / temperature).log_softmax(1)
    log_p = (teacher.float() / temperature).log_softmax(1)
    return ((log_p - log_q) * log_p.exp()).sum(1).mean() * temperature**2


def soft_targets_loop(student, teacher, temperature):
    if temperature <= 0 or student.size() != teacher.size():
        raise ValueError
    total = 0.0
    for s, t in zip(student / temperature, teacher / temperature, strict=True):
        log_q, log_p = s - torch.logsumexp(s, 0), t - torch.logsumexp(t, 0)
        total += sum(torch.exp(b) * (b - a) for a, b in zip(log_q, log_p, strict=True))
    return total / len(student) * temperature**2


def soft_targets_sum(student, teacher, temperature):
    if temperature <= 0 or student.shape != teacher.shape:
        raise ValueError
    log_p, log_q = torch.log_softmax(torch.stack([teacher, student]).div(temperature), -1)
    total = functional.kl_div(log_q, log_p, reduction="sum", log_target=True)
    return (total / student.size(0)).mul(temperature**2)


def front_loop(costs):
    rows = [tuple(row) for row in costs.tolist()]

    def beats(a, b):
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    return [not any(beats(other, row) for other in rows) for row in rows]


def front_broadcast(costs):
    worse_somewhere = (costs[:, None] > costs[None]).any(axis=2)
    same = (costs[:, None] == costs[None]).all(axis=2)
    return (worse_somewhere | same).all(axis=0)


def front_sieve(costs):
    front = np.ones(len(costs), dtype=bool)
    for row in costs.astype(np.float32):
        front &= ~(np.all(costs.astype(np.float32) >= row, axis=1) & np.any(costs.astype(np.float32) > row, axis=1))
    return front


def front_torch(costs):
    table = torch.from_numpy(np.ascontiguousarray(costs))
    if len(table) == 0:
        return torch.zeros(0, dtype=torch.bool)
    return torch.stack([~((table <= row).all(1) & (table < row).any(1)).any() for row in table])


RIGHT = {
    "13.6": [magnitude_numpy, magnitude_loop, magnitude_ranks, magnitude_threshold],
    "13.7": [schedule_steps, schedule_expanded, schedule_fraction, schedule_float32, schedule_torch],
    "13.8": [importance_axes, importance_loop, importance_numpy, importance_float32, importance_from_the_mean],
    "13.9": [
        soft_targets_kl_div,
        soft_targets_cross_entropy,
        soft_targets_float32,
        soft_targets_loop,
        soft_targets_sum,
    ],
    "13.10": [front_loop, front_broadcast, front_sieve, front_torch],
}
