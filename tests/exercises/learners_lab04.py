"""Wrong answers to lab 04 as learners write them, by people who had not seen the catalogue of mistakes."""

import math

import numpy as np
import torch

from pocketlab.llm.awq import channel_scales
from pocketlab.llm.gptq import output_error
from pocketlab.llm.grids import round_to_nearest
from pocketlab.llm.untrusted import CUT, word_ends


def rounded_weights(w, bits, group_size):
    """Given in 04.6."""
    return round_to_nearest(w, bits, group_size).weights()


# 04.1 Cache
class wrong_04_1_a:
    """Grows when the first layer has had its turn: the later layers write behind it."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        shape = (config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    def append(self, layer, keys, values):
        start = self.length
        end = start + keys.shape[2]
        if end > self.capacity:
            raise ValueError("the cache is full")
        self.keys[layer][:, :, start:end] = keys
        self.values[layer][:, :, start:end] = values
        if layer == 0:
            self.length = end
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], torch.arange(end)


class wrong_04_1_b:
    """Refuses text that fills the cache to its last place."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        shape = (config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    def append(self, layer, keys, values):
        end = self.length + keys.shape[2]
        if end >= self.capacity:
            raise ValueError(f"no room for {keys.shape[2]} more tokens")
        self.keys[layer][:, :, self.length : end] = keys
        self.values[layer][:, :, self.length : end] = values
        if layer == self.config.layers - 1:
            self.length = end
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], torch.arange(end)


class wrong_04_1_c:
    """Counts the new tokens first and refuses them afterwards: after the error of the last layer, length is too large."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        shape = (config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    def append(self, layer, keys, values):
        start, end = self.length, self.length + keys.shape[2]
        if layer == self.config.layers - 1:
            self.length = end
        if end > self.capacity:
            raise ValueError("too many tokens for this cache")
        self.keys[layer][:, :, start:end] = keys
        self.values[layer][:, :, start:end] = values
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], torch.arange(end)


class wrong_04_1_d:
    """Returns the positions of the new tokens only, not those of all kept ones."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        self.keys = torch.zeros(config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.values = torch.zeros_like(self.keys)

    def append(self, layer, keys, values):
        end = self.length + keys.shape[2]
        if end > self.capacity:
            raise ValueError("the cache is full")
        positions = torch.arange(self.length, end)
        self.keys[layer][:, :, positions] = keys
        self.values[layer][:, :, positions] = values
        if layer == self.config.layers - 1:
            self.length = end
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], positions


class wrong_04_1_e:
    """Returns the first `length` tokens: all layers but the last do not get the new ones."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        self.keys = torch.zeros(config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.values = torch.zeros_like(self.keys)

    def append(self, layer, keys, values):
        end = self.length + keys.shape[2]
        if end > self.capacity:
            raise ValueError("the cache is full")
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        if layer == self.config.layers - 1:
            self.length = end
        kept = slice(0, self.length)
        return self.keys[layer][:, :, kept], self.values[layer][:, :, kept], torch.arange(self.length)


# 04.2 cache_bytes
def wrong_04_2_a(config, positions, bits):
    """Counts the query heads."""
    if bits not in (32, 16, 8):
        raise ValueError("bits must be 32, 16 or 8")
    vector = config.head_dim * bits // 8
    if bits == 8:
        vector += 4
    return 2 * config.layers * config.heads * positions * vector


def wrong_04_2_b(config, positions, bits):
    """Has one scale for a token's keys of all heads together, not one for each vector."""
    if bits not in (32, 16, 8):
        raise ValueError(f"{bits} bits are not supported")
    token = config.kv_heads * config.head_dim * bits // 8
    if bits == 8:
        token += 4
    return 2 * config.layers * positions * token


def wrong_04_2_c(config, positions, bits):
    """Works out the head's size as hidden_size / heads and does not look at head_dim."""
    if bits not in (8, 16, 32):
        raise ValueError(f"bits: {bits}")
    head_size = config.hidden_size // config.heads
    vector = head_size * bits // 8 + (4 if bits == 8 else 0)
    return 2 * config.layers * config.kv_heads * positions * vector


def wrong_04_2_d(config, positions, bits):
    """Does not refuse other bits."""
    numbers = 2 * config.layers * config.kv_heads * positions * config.head_dim
    total = numbers * bits // 8
    if bits == 8:
        total += numbers // config.head_dim * 4
    return total


def wrong_04_2_e(config, positions, bits):
    """Adds the scale of 8 bits once, for the whole cache."""
    sizes = {32: 4, 16: 2, 8: 1}
    if bits not in sizes:
        raise ValueError("bits must be 32, 16 or 8")
    total = 2 * config.layers * config.kv_heads * config.head_dim * positions * sizes[bits]
    return total + 4 if bits == 8 else total


# 04.3 grid_bits
def wrong_04_3_a(outputs, inputs, bits, group_size):
    """Cuts the flattened matrix into groups: they reach from one row into the next."""
    if not 2 <= bits <= 8 or group_size < 1:
        raise ValueError("bits must be 2 to 8, group_size at least 1")
    weights = outputs * inputs
    groups = -(-weights // group_size)
    return weights * bits + groups * (16 + bits)


def wrong_04_3_b(outputs, inputs, bits, group_size):
    """Rounds the number of groups down: the shorter last one has no scale."""
    if not 2 <= bits <= 8 or group_size < 1:
        raise ValueError("bad bits or group_size")
    groups = outputs * (inputs // group_size)
    return outputs * inputs * bits + groups * (16 + bits)


def wrong_04_3_c(outputs, inputs, bits, group_size):
    """Takes the 16 + 4 bits of the example for every grid."""
    if bits < 2 or bits > 8 or group_size < 1:
        raise ValueError("bits must be from 2 to 8 and group_size at least 1")
    groups = outputs * math.ceil(inputs / group_size)
    return outputs * inputs * bits + groups * 20


def wrong_04_3_d(outputs, inputs, bits, group_size):
    """Refuses 8 bits, because range(2, 8) ends at 7."""
    if bits not in range(2, 8):
        raise ValueError(f"bits must be 2 to 8, not {bits}")
    if group_size < 1:
        raise ValueError("group_size must be at least 1")
    groups = outputs * -(-inputs // group_size)
    return outputs * inputs * bits + groups * (16 + bits)


def wrong_04_3_e(outputs, inputs, bits, group_size):
    """Checks bits, and forgets to check group_size."""
    if not 2 <= bits <= 8:
        raise ValueError("bits must be from 2 to 8")
    per_row = -(-inputs // group_size)
    return outputs * (inputs * bits + per_row * (16 + bits))


# 04.4 round_to_nearest
def wrong_04_4_a(weight, bits, group_size):
    """Counts the steps from the lowest weight, as in a textbook: 0 is no point of the grid."""
    if not 2 <= bits <= 8:
        raise ValueError("bits must be from 2 to 8")
    if not torch.isfinite(weight).all():
        raise ValueError("weight is not finite")
    top = 2**bits - 1
    out = torch.empty_like(weight)
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        low = group.amin(1, keepdim=True).clamp(max=0)
        high = group.amax(1, keepdim=True).clamp(min=0)
        scale = torch.where(high == low, torch.ones_like(low), (high - low) / top)
        steps = torch.round((group - low) / scale).clamp(0, top)
        out[:, start : start + group_size] = steps * scale + low
    return out


def wrong_04_4_b(weight, bits, group_size):
    """Keeps the scale at least 1e-5 (seen in other code) against a division by 0: groups of tiny weights become 0."""
    if bits < 2 or bits > 8:
        raise ValueError("bits must be from 2 to 8")
    if not torch.isfinite(weight).all():
        raise ValueError("all weights must be finite")
    top = 2**bits - 1
    parts = []
    for group in weight.split(group_size, dim=1):
        low = group.amin(1, keepdim=True).clamp(max=0)
        high = group.amax(1, keepdim=True).clamp(min=0)
        scale = ((high - low) / top).clamp(min=1e-5)
        zero = torch.round(-low / scale)
        q = (torch.round(group / scale) + zero).clamp(0, top)
        parts.append(scale * (q - zero))
    return torch.cat(parts, dim=1)


def wrong_04_4_c(weight, bits, group_size):
    """Writes the rounded groups back into the weight it was given."""
    if bits not in range(2, 9) or not torch.isfinite(weight).all():
        raise ValueError("bits must be 2 to 8 and weights finite")
    top = 2**bits - 1
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        low = group.amin(1, keepdim=True).clamp(max=0)
        high = group.amax(1, keepdim=True).clamp(min=0)
        scale = (high - low) / top
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        zero = torch.round(-low / scale)
        integer = torch.clamp(torch.round(group / scale) + zero, 0, top)
        weight[:, start : start + group_size] = scale * (integer - zero)
    return weight


def wrong_04_4_d(weight, bits, group_size):
    """Does not cut off at 0 and 2^bits - 1, sure that the range already does it."""
    if not 2 <= bits <= 8:
        raise ValueError("bits must be from 2 to 8")
    if not torch.isfinite(weight).all():
        raise ValueError("weights must be finite")
    out = torch.zeros_like(weight)
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        low = group.amin(1, keepdim=True).clamp(max=0)
        high = group.amax(1, keepdim=True).clamp(min=0)
        scale = (high - low) / (2**bits - 1)
        scale = torch.where(high == low, torch.ones_like(scale), scale)
        zero = torch.round(-low / scale)
        integer = torch.round(group / scale) + zero
        out[:, start : start + group_size] = scale * (integer - zero)
    return out


def wrong_04_4_e(weight, bits, group_size):
    """Looks for NaN only, and lets infinite weights in."""
    if not 2 <= bits <= 8:
        raise ValueError("bits must be from 2 to 8")
    if torch.isnan(weight).any():
        raise ValueError("weight contains NaN")
    top = 2**bits - 1
    out = torch.zeros_like(weight)
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        low = group.amin(1, keepdim=True).clamp(max=0)
        high = group.amax(1, keepdim=True).clamp(min=0)
        scale = torch.where(high > low, (high - low) / top, torch.ones_like(low))
        zero = torch.round(-low / scale)
        q = torch.clamp(torch.round(group / scale) + zero, 0, top)
        out[:, start : start + group_size] = scale * (q - zero)
    return out


# 04.5 salient_channels
def wrong_04_5_a(x, share):
    """Takes the largest |x| of a channel, not the mean."""
    if not 0 < share <= 1:
        raise ValueError("share must be above 0 and at most 1")
    size = x.abs().amax(0)
    count = max(1, round(share * x.shape[1]))
    return size.argsort(descending=True, stable=True)[:count]


def wrong_04_5_b(x, share):
    """Sorts upward and turns the order around: of equal channels the larger index comes first."""
    if not 0 < share <= 1:
        raise ValueError("share must be above 0 and at most 1")
    size = x.abs().mean(0)
    count = max(1, round(share * len(size)))
    return size.argsort(stable=True).flip(0)[:count]


def wrong_04_5_c(x, share):
    """Cuts the number of channels off, where it should round it."""
    if share <= 0 or share > 1:
        raise ValueError(f"share is {share}")
    channels = x.shape[1]
    count = max(1, int(share * channels))
    return x.abs().mean(0).argsort(descending=True, stable=True)[:count]


def wrong_04_5_d(x, share):
    """Returns no channel for a small share."""
    if not 0 < share <= 1:
        raise ValueError("share must be above 0 and at most 1")
    means = x.abs().mean(0)
    order = torch.argsort(means, descending=True, stable=True)
    return order[: round(share * order.numel())]


def wrong_04_5_e(x, share):
    """Takes a share of 0: `at least one` seems to cover it."""
    if share < 0 or share > 1:
        raise ValueError("share must be between 0 and 1")
    means = x.abs().mean(0)
    count = max(1, round(share * x.shape[1]))
    return means.argsort(descending=True, stable=True)[:count]


# 04.6 search_scales
def wrong_04_6_a(weights, activations, hessian, bits, group_size):
    """Measures the change of the scaled weights, without dividing by the scales."""
    w = torch.cat(weights)
    best_error, best = math.inf, None
    for i in range(20):
        alpha = i / 20
        scales = channel_scales(activations, alpha)
        scaled = w * scales
        error = float(output_error(rounded_weights(scaled, bits, group_size) - scaled, hessian))
        if error < best_error:
            best_error, best = error, (scales, alpha)
    return best


def wrong_04_6_b(weights, activations, hessian, bits, group_size):
    """Compares each layer's error alone: the α is the best one of the layer with the smallest error."""
    best_error, best_scales, best_alpha = float("inf"), None, None
    for i in range(20):
        alpha = i / 20
        s = channel_scales(activations, alpha)
        for w in weights:
            change = rounded_weights(w * s, bits, group_size) / s - w
            error = float(output_error(change, hessian))
            if error < best_error:
                best_error, best_scales, best_alpha = error, s, alpha
    return best_scales, best_alpha


def wrong_04_6_c(weights, activations, hessian, bits, group_size):
    """Takes 20 even steps from 0 to 1, which are 1/19 apart and reach 1."""
    w = torch.cat(weights)
    best_error, best = math.inf, None
    for alpha in np.linspace(0, 1, 20).tolist():
        s = channel_scales(activations, alpha)
        change = rounded_weights(w * s, bits, group_size) / s - w
        error = float(output_error(change, hessian))
        if error < best_error:
            best_error, best = error, (s, alpha)
    return best


def wrong_04_6_d(weights, activations, hessian, bits, group_size):
    """Keeps the last of equal errors."""
    best_error, best = math.inf, None
    for i in range(20):
        alpha = i / 20
        scales = channel_scales(activations, alpha)
        error = 0.0
        for w in weights:
            rounded = rounded_weights(w * scales, bits, group_size) / scales
            error += float(output_error(rounded - w, hessian))
        if error <= best_error:
            best_error, best = error, (scales, alpha)
    return best


def wrong_04_6_e(weights, activations, hessian, bits, group_size):
    """Measures what changes in the weights, not in the layer's output."""
    w = torch.cat(weights)
    results = []
    for i in range(20):
        scales = channel_scales(activations, i / 20)
        change = rounded_weights(w * scales, bits, group_size) / scales - w
        results.append((float(change.square().sum()), i))
    _, best = min(results)
    return channel_scales(activations, best / 20), best / 20


# 04.7 probabilities
def wrong_04_7_a(logits, sampling):
    """Finds the tokens of top_p among all tokens, not among those that top_k has left."""
    if sampling.temperature == 0:
        out = torch.zeros_like(logits)
        out[logits.argmax()] = 1
        return out
    logits = logits / sampling.temperature
    p, order = torch.softmax(logits, 0).sort(descending=True, stable=True)
    keep = torch.zeros(len(logits), dtype=torch.bool)
    keep[order] = p.cumsum(0) - p < sampling.top_p
    if sampling.top_k is not None:
        kth = logits.sort(descending=True).values[min(sampling.top_k, len(logits)) - 1]
        keep &= logits >= kth
    return torch.softmax(logits.masked_fill(~keep, -math.inf), 0)


def wrong_04_7_b(logits, sampling):
    """Divides by the temperature at the end: top_p looks at the probabilities at temperature 1."""
    if sampling.temperature == 0:
        out = torch.zeros_like(logits)
        out[torch.argmax(logits)] = 1.0
        return out
    kept = logits.clone()
    if sampling.top_k is not None and sampling.top_k < len(logits):
        kth = logits.topk(sampling.top_k).values[-1]
        kept[logits < kth] = -math.inf
    p, order = torch.softmax(kept, 0).sort(descending=True, stable=True)
    before = p.cumsum(0) - p
    kept[order[before >= sampling.top_p]] = -math.inf
    return torch.softmax(kept / sampling.temperature, 0)


def wrong_04_7_c(logits, sampling):
    """Finds what to drop in the sorted order, and drops it in the order of the ids."""
    if sampling.temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(), len(logits)).to(logits.dtype)
    logits = logits / sampling.temperature
    if sampling.top_k is not None:
        k = min(sampling.top_k, len(logits))
        logits = torch.where(logits < logits.topk(k).values[-1], -math.inf, logits)
    p = torch.softmax(logits, 0).sort(descending=True).values
    before = p.cumsum(0) - p
    logits = torch.where(before < sampling.top_p, logits, -math.inf)
    return torch.softmax(logits, 0)


def wrong_04_7_d(logits, sampling):
    """Keeps exactly k tokens: of those as probable as the k-th, some are dropped."""
    if sampling.temperature == 0:
        out = torch.zeros_like(logits)
        out[logits.argmax()] = 1
        return out
    logits = logits / sampling.temperature
    if sampling.top_k is not None:
        order = logits.argsort(descending=True, stable=True)
        logits[order[sampling.top_k :]] = -math.inf
    p, order = torch.softmax(logits, 0).sort(descending=True, stable=True)
    drop = p.cumsum(0) - p >= sampling.top_p
    logits[order[drop]] = -math.inf
    return torch.softmax(logits, 0)


def wrong_04_7_e(logits, sampling):
    """Temperature 0 shares the probability evenly among equal largest logits."""
    if sampling.temperature == 0:
        largest = (logits == logits.max()).to(logits.dtype)
        return largest / largest.sum()
    logits = logits / sampling.temperature
    if sampling.top_k is not None:
        kth = logits.topk(min(sampling.top_k, len(logits))).values[-1]
        logits = logits.masked_fill(logits < kth, -math.inf)
    p, order = torch.softmax(logits, 0).sort(descending=True, stable=True)
    p[p.cumsum(0) - p >= sampling.top_p] = 0
    out = torch.zeros_like(p)
    out[order] = p / p.sum()
    return out


# 04.8 verify
def wrong_04_8_a(proposed, q, p, chances):
    """Accepts at equality too: a chance of 0 lets in a token that the target never says."""
    for i, x in enumerate(proposed):
        if chances[i] * q[i, x] <= p[i, x]:
            continue
        rest = (p[i] - q[i]).clamp(min=0)
        total = rest.sum()
        return i, rest / total if total > 0 else p[i]
    return len(proposed), p[-1]


def wrong_04_8_b(proposed, q, p, chances):
    """Draws the token in place of a rejected one from p, not from what p has over q."""
    accepted = 0
    for i, x in enumerate(proposed):
        if chances[i] * q[i, x] >= p[i, x]:
            break
        accepted += 1
    return accepted, p[accepted]


def wrong_04_8_c(proposed, q, p, chances):
    """Counts all that pass, also those behind the first rejected one."""
    n = len(proposed)
    rows, tokens = torch.arange(n), torch.as_tensor(proposed, dtype=torch.long)
    passed = chances * q[rows, tokens] < p[rows, tokens]
    accepted = int(passed.sum())
    if accepted == n:
        return n, p[n]
    rest = (p[accepted] - q[accepted]).clamp(min=0)
    if rest.sum() == 0:
        return accepted, p[accepted]
    return accepted, rest / rest.sum()


def wrong_04_8_d(proposed, q, p, chances):
    """Forgets the case of p having nothing over q: 0 / 0."""
    for i, x in enumerate(proposed):
        if not chances[i] * q[i, x] < p[i, x]:
            over = (p[i] - q[i]).clamp(min=0)
            return i, over / over.sum()
    return len(proposed), p[len(proposed)]


def wrong_04_8_e(proposed, q, p, chances):
    """Takes the free token from the last proposal's row of p, not from the row behind it."""
    gamma = len(proposed)
    accepted = 0
    while accepted < gamma and chances[accepted] * q[accepted, proposed[accepted]] < p[accepted, proposed[accepted]]:
        accepted += 1
    if accepted == gamma:
        return accepted, p[gamma - 1]
    rest = (p[accepted] - q[accepted]).clamp(min=0)
    return accepted, rest / rest.sum() if rest.sum() > 0 else p[accepted]


# 04.9 expected_tokens_per_pass
def wrong_04_9_a(acceptance, gamma):
    """Has the sum in one step, and divides by 0 where everything is accepted."""
    if not 0 <= acceptance <= 1 or gamma < 0:
        raise ValueError("acceptance must be from 0 to 1 and gamma not negative")
    return (1 - acceptance ** (gamma + 1)) / (1 - acceptance)


def wrong_04_9_b(acceptance, gamma):
    """Counts every accepted proposal, also behind a rejected one."""
    if not 0 <= acceptance <= 1 or gamma < 0:
        raise ValueError("acceptance must be from 0 to 1 and gamma not negative")
    return 1.0 + gamma * acceptance


def wrong_04_9_c(acceptance, gamma):
    """Refuses a gamma of 0."""
    if acceptance < 0 or acceptance > 1:
        raise ValueError("acceptance must be from 0 to 1")
    if gamma <= 0:
        raise ValueError("gamma must be positive")
    return 1.0 + sum(acceptance**i for i in range(1, gamma + 1))


def wrong_04_9_d(acceptance, gamma):
    """Forgets the target's own token where everything is accepted."""
    if not 0 <= acceptance <= 1 or gamma < 0:
        raise ValueError("acceptance must be from 0 to 1 and gamma not negative")
    if acceptance == 1:
        return float(gamma)
    return (1 - acceptance ** (gamma + 1)) / (1 - acceptance)


def wrong_04_9_e(acceptance, gamma):
    """Does not refuse a gamma below 0."""
    if not 0 <= acceptance <= 1:
        raise ValueError("acceptance is a probability, from 0 to 1")
    return float(sum(acceptance**i for i in range(gamma + 1)))


# 04.10 shorten
def wrong_04_10_a(body, room, tokenizer):
    """Cuts the list of tokens, not the text: it can end inside of a word."""
    tokens = tokenizer.encode(body)
    if len(tokens) <= room:
        return tokens
    mark = tokenizer.encode(CUT)
    keep = room - len(mark)
    if keep < 1:
        raise ValueError("no room for a single word")
    return tokens[:keep] + mark


def wrong_04_10_b(body, room, tokenizer):
    """Cuts a text that fits exactly."""
    tokens = tokenizer.encode(body)
    if len(tokens) < room:
        return tokens
    for end in reversed(list(word_ends(body))):
        tokens = tokenizer.encode(body[:end] + CUT)
        if len(tokens) <= room:
            return tokens
    raise ValueError(f"not even one word fits in {room} tokens")


def wrong_04_10_c(body, room, tokenizer):
    """Returns the mark alone where not even one word fits, as far as there is room for it."""
    tokens = tokenizer.encode(body)
    if len(tokens) <= room:
        return tokens
    for end in list(word_ends(body))[::-1]:
        tokens = tokenizer.encode(body[:end] + CUT)
        if len(tokens) <= room:
            return tokens
    return tokenizer.encode(CUT)[:room]


def wrong_04_10_d(body, room, tokenizer):
    """Splits the text into words and joins them with single spaces: line breaks and double spaces are lost."""
    tokens = tokenizer.encode(body)
    if len(tokens) <= room:
        return tokens
    words = body.split()
    for count in range(len(words), 0, -1):
        tokens = tokenizer.encode(" ".join(words[:count]) + CUT)
        if len(tokens) <= room:
            return tokens
    raise ValueError("not even one word fits")


def wrong_04_10_e(body, room, tokenizer):
    """Lets "<|end|>" in the text be read as the special token."""
    tokens = tokenizer.encode(body, allow_special=True)
    if len(tokens) <= room:
        return tokens
    for end in reversed(list(word_ends(body))):
        tokens = tokenizer.encode(body[:end] + CUT, allow_special=True)
        if len(tokens) <= room:
            return tokens
    raise ValueError("not even one word fits")


WRONG = {
    "04.1": [wrong_04_1_a, wrong_04_1_b, wrong_04_1_c, wrong_04_1_d, wrong_04_1_e],
    "04.2": [wrong_04_2_a, wrong_04_2_b, wrong_04_2_c, wrong_04_2_d, wrong_04_2_e],
    "04.3": [wrong_04_3_a, wrong_04_3_b, wrong_04_3_c, wrong_04_3_d, wrong_04_3_e],
    "04.4": [wrong_04_4_a, wrong_04_4_b, wrong_04_4_c, wrong_04_4_d, wrong_04_4_e],
    "04.5": [wrong_04_5_a, wrong_04_5_b, wrong_04_5_c, wrong_04_5_d, wrong_04_5_e],
    "04.6": [wrong_04_6_a, wrong_04_6_b, wrong_04_6_c, wrong_04_6_d, wrong_04_6_e],
    "04.7": [wrong_04_7_a, wrong_04_7_b, wrong_04_7_c, wrong_04_7_d, wrong_04_7_e],
    "04.8": [wrong_04_8_a, wrong_04_8_b, wrong_04_8_c, wrong_04_8_d, wrong_04_8_e],
    "04.9": [wrong_04_9_a, wrong_04_9_b, wrong_04_9_c, wrong_04_9_d, wrong_04_9_e],
    "04.10": [wrong_04_10_a, wrong_04_10_b, wrong_04_10_c, wrong_04_10_d, wrong_04_10_e],
}
