"""Right answers to exercises 04.7 and 04.8, each written in another way than the library's own function."""

from __future__ import annotations

import math

import numpy as np
import torch


def choose_with_minus_infinity(logits, sampling):
    if sampling.temperature == 0:
        p = torch.zeros(len(logits))
        p[logits.argmax()] = 1.0
        return p
    x = logits / sampling.temperature
    k = min(sampling.top_k or len(x), len(x))
    x = torch.where(x >= x.sort(descending=True).values[k - 1], x, -torch.inf)
    p, order = torch.softmax(x, 0).sort(descending=True)
    reached = int((p.cumsum(0) < sampling.top_p).sum())  # the place of the one that reaches it
    x[order[reached + 1 :]] = -torch.inf
    return x.softmax(-1)


def choose_from_the_least(logits, sampling):
    """From the least probable on, as the package transformers does."""
    if not sampling.temperature:
        return (torch.arange(len(logits)) == torch.argmax(logits)).float()
    scores = logits / sampling.temperature
    if sampling.top_k is not None:
        scores = scores.masked_fill(scores < torch.topk(scores, min(sampling.top_k, len(scores)))[0][-1], float("-inf"))
    ascending, order = torch.sort(scores)
    removed = ascending.softmax(-1).cumsum(-1) <= 1 - sampling.top_p
    removed[-1] = False
    return scores.masked_fill(removed.scatter(0, order, removed), float("-inf")).softmax(-1)


def choose_in_float64(logits, sampling):
    x = logits.double()
    if sampling.temperature == 0:
        return torch.eye(len(x), dtype=torch.float64)[x.argmax()]
    x = (x - x.max()) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < len(x):
        x[x < x.kthvalue(len(x) - sampling.top_k + 1).values] = -math.inf
    p = x.exp() / x.exp().sum()
    before = (p[None, :] * (p[None, :] > p[:, None])).sum(1)  # all that are more probable than each
    if sampling.top_p < 1:
        p = p * (before < sampling.top_p)
    return p / p.sum()


def choose_in_plain_python(logits, sampling):
    numbers = logits.tolist()
    result = torch.zeros(len(numbers))
    if sampling.temperature == 0:
        result[numbers.index(max(numbers))] = 1
        return result
    order = sorted(range(len(numbers)), key=lambda i: -numbers[i])
    if sampling.top_k is not None:
        order = [i for i in order if numbers[i] >= numbers[order[: sampling.top_k][-1]]]
    weights = [math.exp((numbers[i] - numbers[order[0]]) / sampling.temperature) for i in order]
    total, so_far, kept = sum(weights), 0.0, {}
    for i, weight in zip(order, weights, strict=True):
        kept[i] = weight
        so_far += weight
        if so_far / total >= sampling.top_p:
            break
    for i, weight in kept.items():
        result[i] = weight / so_far
    return result


def choose_in_numpy(logits, sampling):
    x = logits.numpy()
    if sampling.temperature == 0:
        return np.eye(len(x), dtype=np.float32)[np.argmax(x)]
    x = x / np.float32(sampling.temperature)
    order = np.argsort(-x, kind="stable")
    last = order[min(sampling.top_k or len(x), len(x)) - 1]
    p = np.where(x < x[last], 0, np.exp(x - x.max()))
    p = p / p.sum()
    reached = min(np.searchsorted(np.cumsum(p[order]), sampling.top_p), len(x) - 1)
    p[order[reached + 1 :]] = 0
    return (p / p.sum()).astype(np.float32)


def verify_with_break(proposed, q, p, chances):
    accepted = 0
    for x in proposed:
        if chances[accepted] < p[accepted, x] / q[accepted, x]:
            accepted += 1
        else:
            break
    if accepted == len(proposed):
        return accepted, p[accepted]
    following = torch.relu(p[accepted] - q[accepted])
    if following.sum() == 0:
        return accepted, p[accepted]
    return accepted, following / following.sum()


def verify_without_a_loop(proposed, q, p, chances):
    gamma = len(proposed)
    places = torch.arange(gamma)
    x = torch.tensor(proposed, dtype=torch.long)
    accepted = int((chances < p[places, x] / q[places, x]).long().cumprod(0).sum())
    draft = torch.cat([q, torch.zeros_like(p[:1])])  # behind the last the draft gives nothing
    rest = torch.maximum(p - draft, torch.zeros_like(p))[accepted]
    return accepted, torch.where(rest.sum() > 0, rest / rest.sum(), p[accepted])


def verify_in_plain_python(proposed, q, p, chances):
    q, rows, chances = q.tolist(), p.tolist(), chances.tolist()
    for i, x in enumerate(proposed):
        if chances[i] >= min(1, rows[i][x] / q[i][x]):
            rest = [max(0.0, a - b) for a, b in zip(rows[i], q[i], strict=True)]
            total = sum(rest)
            return [i, torch.tensor([r / total for r in rest] if total > 0 else rows[i])]
    return [len(proposed), torch.tensor(rows[len(proposed)])]


def verify_in_float64(proposed, q, p, chances):
    q, p, chances = q.double(), p.double(), chances.double()
    ratios = [float(p[i, x] / q[i, x]) for i, x in enumerate(proposed)]
    place = next((i for i, ratio in enumerate(ratios) if not float(chances[i]) < ratio), None)
    if place is None:
        return len(proposed), p[-1].clone()
    rest = p[place] - torch.minimum(p[place], q[place])
    return place, rest / rest.sum() if rest.any() else p[place] / p[place].sum()


def verify_recursively(proposed, q, p, chances):
    if not proposed:
        return 0, p[0]
    x, *others = proposed
    if chances[0] * q[0, x] < p[0, x]:
        accepted, following = verify_recursively(others, q[1:], p[1:], chances[1:])
        return accepted + 1, following
    rest = (p[0] - q[0]).clip(0)
    return 0, torch.nn.functional.normalize(rest, p=1, dim=0) if rest.max() > 0 else p[0]


RIGHT = {
    "04.7": [
        choose_with_minus_infinity,
        choose_from_the_least,
        choose_in_float64,
        choose_in_plain_python,
        choose_in_numpy,
    ],
    "04.8": [
        verify_with_break,
        verify_without_a_loop,
        verify_in_plain_python,
        verify_in_float64,
        verify_recursively,
    ],
}
