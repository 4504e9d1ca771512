"""Right answers to exercises 04.9 and 04.10, each written in another way than the library's own function."""

from __future__ import annotations

import numpy as np
import torch

from pocketlab.llm.untrusted import CUT, word_ends


def expected_closed(acceptance, gamma):
    if acceptance < 0 or acceptance > 1 or gamma < 0:
        raise ValueError("not a probability, or a negative number of proposals")
    if acceptance == 1:
        return gamma + 1
    return (1 - acceptance ** (gamma + 1)) / (1 - acceptance)


def expected_nested(acceptance, gamma):
    if not (gamma >= 0 and 0 <= acceptance <= 1):
        raise ValueError(f"{acceptance=}, {gamma=}")
    tokens = 1.0
    for _ in range(gamma):
        tokens = 1 + acceptance * tokens
    return tokens


def expected_by_outcome(acceptance, gamma):
    if gamma < 0 or not 0 <= acceptance <= 1:
        raise ValueError("no such speculation")
    rejected = sum((kept + 1) * acceptance**kept * (1 - acceptance) for kept in range(gamma))
    return rejected + (gamma + 1) * acceptance**gamma


def expected_closed_float32(acceptance, gamma):
    if gamma < 0 or acceptance < 0 or acceptance > 1:
        raise ValueError("no such speculation")
    alpha = np.float32(acceptance)
    one = np.float32(1)
    return np.float32(gamma + 1) if alpha == one else (one - alpha ** (gamma + 1)) / (one - alpha)


def expected_torch(acceptance, gamma):
    if gamma < 0 or not 0 <= acceptance <= 1:
        raise ValueError("no such speculation")
    return 1 + torch.full((gamma,), acceptance).cumprod(0).sum().item()


def shorten_from_the_last(body, room, tokenizer):
    tokens = tokenizer.encode(body)
    if len(tokens) <= room:
        return tokens
    for end in word_ends(body)[::-1]:
        tokens = tokenizer.encode(body[:end] + CUT)
        if len(tokens) <= room:
            return tokens
    raise ValueError("not even one word fits")


def shorten_from_the_first(body, room, tokenizer):
    best = None
    for text in [body[:end] + CUT for end in word_ends(body)] + [body]:
        if len(tokenizer.encode(text)) <= room:
            best = text  # the whole text comes last, so it wins
    if best is None:
        raise ValueError(f"no word fits in {room} tokens")
    return np.array(tokenizer.encode(best), np.int64)


def shorten_mark_apart(body, room, tokenizer):
    if len(tokenizer.encode(body)) <= room:
        return tuple(tokenizer.encode(body))
    mark = tokenizer.encode(CUT)  # it begins with a space, and no token of this tokenizer crosses that
    starts = [tokenizer.encode(body[:end]) for end in word_ends(body)]
    return max((start for start in starts if len(start) + len(mark) <= room), key=len) + mark


def shorten_by_halving(body, room, tokenizer):
    if len(tokenizer.encode(body)) <= room:
        return list(tokenizer.encode(body))
    ends = [0, *word_ends(body)]
    low, high = 0, len(ends)  # `low` words fit, `high` words do not
    while high - low > 1:
        middle = (low + high) // 2
        if len(tokenizer.encode(body[: ends[middle]] + CUT)) <= room:
            low = middle
        else:
            high = middle
    if low == 0:
        raise ValueError("not even one word fits")
    return tokenizer.encode(f"{body[: ends[low]]}{CUT}")


RIGHT = {
    "04.9": [expected_closed, expected_nested, expected_by_outcome, expected_closed_float32, expected_torch],
    "04.10": [shorten_from_the_last, shorten_from_the_first, shorten_mark_apart, shorten_by_halving],
}
