"""Wrong answers to lab 04 as learners write them, by one in a hurry who copies formulas from memory and from blogs."""

import math

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
    """Counts the new tokens at layer 0, as a well-known library does, not after the last layer."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        shape = (config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    def append(self, layer, keys, values):
        new = keys.shape[2]
        if layer == 0:
            if self.length + new > self.capacity:
                raise ValueError("the cache is full")
            self.length += new
        end = self.length
        self.keys[layer][:, :, end - new : end] = keys
        self.values[layer][:, :, end - new : end] = values
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], torch.arange(end)


class wrong_04_1_b:
    """Makes a rolling buffer of it: when there is no more room, the oldest tokens go, and nothing is refused."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        shape = (config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    def append(self, layer, keys, values):
        keys, values = keys[:, :, -self.capacity :], values[:, :, -self.capacity :]
        new = keys.shape[2]
        start = self.length
        over = start + new - self.capacity
        if over > 0:
            self.keys[layer] = self.keys[layer].roll(-over, dims=2)
            self.values[layer] = self.values[layer].roll(-over, dims=2)
            start -= over
        end = start + new
        self.keys[layer][:, :, start:end] = keys
        self.values[layer][:, :, start:end] = values
        if layer == self.config.layers - 1:
            self.length = end
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], torch.arange(end)


class wrong_04_1_c:
    """Returns the positions of the new tokens only (a "cache_position"), not of all that are kept."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        shape = (config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    def append(self, layer, keys, values):
        start, end = self.length, self.length + keys.shape[2]
        if end > self.capacity:
            raise ValueError(f"{end} tokens do not fit in {self.capacity}")
        self.keys[layer][:, :, start:end] = keys
        self.values[layer][:, :, start:end] = values
        if layer == self.config.layers - 1:
            self.length = end
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], torch.arange(start, end)


class wrong_04_1_d:
    """Hands out the keys and values repeated for every query head ("repeat_kv"), which is the attention's business."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        shape = (config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    def append(self, layer, keys, values):
        end = self.length + keys.shape[2]
        if end > self.capacity:
            raise ValueError("too many tokens")
        self.keys[layer][:, :, self.length : end] = keys
        self.values[layer][:, :, self.length : end] = values
        if layer == self.config.layers - 1:
            self.length = end
        n_rep = self.config.heads // self.config.kv_heads
        k = self.keys[layer][:, :, :end].repeat_interleave(n_rep, dim=1)
        v = self.values[layer][:, :, :end].repeat_interleave(n_rep, dim=1)
        return k, v, torch.arange(end)


class wrong_04_1_e:
    """Returns the whole buffer like a static cache, with the places that are still empty."""

    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        self.k_cache = torch.zeros(config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.v_cache = torch.zeros_like(self.k_cache)

    def append(self, layer, keys, values):
        end = self.length + keys.shape[2]
        if end > self.capacity:
            raise ValueError("too many tokens")
        self.k_cache[layer, :, :, self.length : end] = keys
        self.v_cache[layer, :, :, self.length : end] = values
        if layer == self.config.layers - 1:
            self.length = end
        return self.k_cache[layer], self.v_cache[layer], torch.arange(self.capacity)


# 04.2 cache_bytes
def wrong_04_2_a(config, positions, bits):
    """The formula of the blogs, 2 · layers · hidden size · bytes: right where every query head has its own key head."""
    if bits not in (32, 16, 8):
        raise ValueError("bits must be 32, 16 or 8")
    total = 2 * config.layers * positions * config.hidden_size * bits // 8
    if bits == 8:
        total += 2 * config.layers * positions * (config.hidden_size // config.head_dim) * 4
    return total


def wrong_04_2_b(config, positions, bits):
    """One scale for each token, layer and side (per-token quantization), not for each head's vector."""
    if bits not in (32, 16, 8):
        raise ValueError("bits must be 32, 16 or 8")
    token = config.kv_heads * config.head_dim * bits // 8
    if bits == 8:
        token += 4
    return 2 * config.layers * positions * token


def wrong_04_2_c(config, positions, bits):
    """Takes the scales for float16, as in most quantized files: 2 bytes, not 4."""
    if bits not in (32, 16, 8):
        raise ValueError(f"cannot keep {bits} bits")
    vector = config.head_dim * bits // 8 + (2 if bits == 8 else 0)
    return 2 * config.layers * config.kv_heads * positions * vector


def wrong_04_2_d(config, positions, bits):
    """Refuses only what is not whole bytes: 24, 64 or 0 bits go through."""
    if bits % 8 != 0:
        raise ValueError("bits must be 32, 16 or 8")
    vector = config.head_dim * (bits // 8)
    if bits == 8:
        vector += 4
    return 2 * config.layers * config.kv_heads * positions * vector


def wrong_04_2_e(config, positions, bits):
    """Divides with / and returns a float, not a whole number."""
    bytes_per_number = {32: 32 / 8, 16: 16 / 8, 8: 8 / 8}
    if bits not in bytes_per_number:
        raise ValueError(f"unknown number of bits: {bits}")
    vectors = 2 * config.layers * config.kv_heads * positions
    return vectors * config.head_dim * bytes_per_number[bits] + (4 * vectors if bits == 8 else 0)


# 04.3 grid_bits
def wrong_04_3_a(outputs, inputs, bits, group_size):
    """Counts the groups over the flattened matrix: a group reaches from one row into the next."""
    if not 2 <= bits <= 8 or group_size < 1:
        raise ValueError("bits must be 2 to 8, and group_size at least 1")
    n = outputs * inputs
    groups = math.ceil(n / group_size)
    return n * bits + groups * (16 + bits)


def wrong_04_3_b(outputs, inputs, bits, group_size):
    """Rounds the number of groups down: the shorter one at the end of a row has no scale."""
    if not 2 <= bits <= 8 or group_size < 1:
        raise ValueError("bits must be 2 to 8, and group_size at least 1")
    groups = outputs * (inputs // group_size)
    return outputs * inputs * bits + groups * (16 + bits)


def wrong_04_3_c(outputs, inputs, bits, group_size):
    """Keeps the zero point in 16 bits like the scale."""
    if bits < 2 or bits > 8:
        raise ValueError("2 to 8 bits")
    if group_size < 1:
        raise ValueError("a group holds at least one weight")
    groups_per_row = -(-inputs // group_size)
    return outputs * (inputs * bits + groups_per_row * (16 + 16))


def wrong_04_3_d(outputs, inputs, bits, group_size):
    """Fills the last group of a row up: its missing weights are paid for, too."""
    if bits < 2 or bits > 8 or group_size < 1:
        raise ValueError("bad bits or group size")
    groups_per_row = -(-inputs // group_size)
    bits_per_group = group_size * bits + 16 + bits
    return outputs * groups_per_row * bits_per_group


def wrong_04_3_e(outputs, inputs, bits, group_size):
    """Reads a group size of -1 as "the whole row", as quantization tools do, where it is to be refused."""
    if group_size == -1:
        group_size = inputs
    if not 2 <= bits <= 8 or group_size < 1:
        raise ValueError("bits must be 2 to 8, and group_size at least 1")
    groups = outputs * -(-inputs // group_size)
    return outputs * inputs * bits + groups * (16 + bits)


# 04.4 round_to_nearest
def wrong_04_4_a(weight, bits, group_size):
    """Flattens the matrix and cuts it into groups: they run on from one row into the next."""
    if not 2 <= bits <= 8 or not torch.isfinite(weight).all():
        raise ValueError("bad bits or weights")
    levels = 2**bits - 1
    out = []
    for group in weight.flatten().split(group_size):
        low, high = group.min().clamp(max=0), group.max().clamp(min=0)
        scale = torch.where(high == low, torch.ones_like(high), (high - low) / levels)
        zero = torch.round(-low / scale)
        q = (torch.round(group / scale) + zero).clamp(0, levels)
        out.append(scale * (q - zero))
    return torch.cat(out).reshape(weight.shape)


def wrong_04_4_b(weight, bits, group_size):
    """Keeps the range from being below 1e-5, as in AWQ's own code: groups of tiny weights all become 0."""
    if not 2 <= bits <= 8:
        raise ValueError("bits must be 2 to 8")
    if not torch.isfinite(weight).all():
        raise ValueError("weights must be finite")
    max_int = 2**bits - 1
    out = torch.empty_like(weight)
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        max_val = group.amax(1, keepdim=True).clamp(min=0)
        min_val = group.amin(1, keepdim=True).clamp(max=0)
        scale = (max_val - min_val).clamp(min=1e-5) / max_int
        zero = torch.round(-min_val / scale).clamp(0, max_int)
        q = (torch.round(group / scale) + zero).clamp(0, max_int)
        out[:, start : start + group_size] = (q - zero) * scale
    return out


def wrong_04_4_c(weight, bits, group_size):
    """Plain min and max: the range is not widened to hold 0."""
    if not 2 <= bits <= 8 or not torch.isfinite(weight).all():
        raise ValueError("bad bits or weights")
    levels = 2**bits - 1
    out = torch.zeros_like(weight)
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        low, high = group.amin(1, keepdim=True), group.amax(1, keepdim=True)
        scale = (high - low) / levels
        scale = torch.where(high == low, torch.ones_like(scale), scale)
        zero = torch.round(-low / scale)
        q = torch.clamp(torch.round(group / scale) + zero, 0, levels)
        out[:, start : start + group_size] = scale * (q - zero)
    return out


def wrong_04_4_d(weight, bits, group_size):
    """The other formula, round((w - min) / scale) · scale + min: the zero point is not rounded, 0 is not on the grid."""
    if not 2 <= bits <= 8 or not torch.isfinite(weight).all():
        raise ValueError("bad bits or weights")
    levels = 2**bits - 1
    parts = []
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        low = group.amin(1, keepdim=True).clamp(max=0)
        high = group.amax(1, keepdim=True).clamp(min=0)
        scale = (high - low) / levels
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        q = torch.round((group - low) / scale).clamp(0, levels)
        parts.append(q * scale + low)
    return torch.cat(parts, dim=1)


def wrong_04_4_e(weight, bits, group_size):
    """Writes the rounded groups into the weight it was given (a slice is a view)."""
    if not 2 <= bits <= 8 or not torch.isfinite(weight).all():
        raise ValueError("bad bits or weights")
    levels = 2**bits - 1
    for start in range(0, weight.shape[1], group_size):
        group = weight[:, start : start + group_size]
        low = group.amin(1, keepdim=True).clamp(max=0)
        high = group.amax(1, keepdim=True).clamp(min=0)
        scale = torch.where(high == low, torch.ones_like(high), (high - low) / levels)
        zero = torch.round(-low / scale)
        q = (torch.round(group / scale) + zero).clamp(0, levels)
        group[:] = scale * (q - zero)
    return weight


# 04.5 salient_channels
def wrong_04_5_a(x, share):
    """Outliers as one knows them from LLM.int8(): the largest |x| of a channel, not the mean."""
    if not 0 < share <= 1:
        raise ValueError("share must be above 0 and at most 1")
    magnitude = x.abs().amax(0)
    k = max(1, round(share * x.shape[1]))
    return magnitude.argsort(descending=True, stable=True)[:k]


def wrong_04_5_b(x, share):
    """The norm of a channel, as in Wanda: the mean of the squares, not of |x|."""
    if share <= 0 or share > 1:
        raise ValueError("share must be above 0 and at most 1")
    norm = x.pow(2).mean(0).sqrt()
    k = max(1, round(share * x.shape[1]))
    return torch.argsort(norm, descending=True, stable=True)[:k]


def wrong_04_5_c(x, share):
    """Uses topk, which promises no order for channels with equal means."""
    if share <= 0 or share > 1:
        raise ValueError("share must be above 0 and at most 1")
    k = max(1, round(share * x.shape[1]))
    return x.abs().mean(0).topk(k).indices


def wrong_04_5_d(x, share):
    """Cuts the number of channels off with int(), instead of rounding it."""
    if not 0 < share <= 1:
        raise ValueError("share must be above 0 and at most 1")
    k = max(int(share * x.shape[1]), 1)
    return x.abs().mean(dim=0).argsort(descending=True, stable=True)[:k]


def wrong_04_5_e(x, share):
    """Checks that the share is from 0 to 1: 0 is let through and gives one channel."""
    if not 0 <= share <= 1:
        raise ValueError("share must be between 0 and 1")
    importance = x.abs().mean(dim=0)
    k = max(1, round(share * importance.numel()))
    return importance.argsort(descending=True, stable=True)[:k]


# 04.6 search_scales
def wrong_04_6_a(weights, activations, hessian, bits, group_size):
    """Puts the trial weights into the layers and restores them from an original that is no copy."""
    w = torch.cat(weights)
    original = w
    best_error, best_scales, best_alpha = float("inf"), None, None
    for i in range(20):
        alpha = i / 20
        scales = channel_scales(activations, alpha)
        w.copy_(rounded_weights(w * scales, bits, group_size) / scales)
        error = float(output_error(w - original, hessian))
        if error < best_error:
            best_error, best_scales, best_alpha = error, scales, alpha
        w.copy_(original)
    return best_scales, best_alpha


def wrong_04_6_b(weights, activations, hessian, bits, group_size):
    """Of equal errors it keeps the last α, not the first."""
    w = torch.cat(weights)
    best_error, best = float("inf"), None
    for step in range(20):
        alpha = step / 20
        s = channel_scales(activations, alpha)
        error = output_error(rounded_weights(w * s, bits, group_size) / s - w, hessian)
        if error <= best_error:
            best_error, best = error, (s, alpha)
    return best


def wrong_04_6_c(weights, activations, hessian, bits, group_size):
    """Goes through α from 0 to 1, both included: one step too many."""
    w = torch.cat(weights)
    best_error, best = float("inf"), None
    for step in range(21):
        alpha = step / 20
        s = channel_scales(activations, alpha)
        error = output_error(rounded_weights(w * s, bits, group_size) / s - w, hessian)
        if error < best_error:
            best_error, best = error, (s, alpha)
    return best


def wrong_04_6_d(weights, activations, hessian, bits, group_size):
    """Overwrites the error in the loop over the layers: only the last layer decides."""
    best_error, best_scales, best_alpha = float("inf"), None, 0.0
    for step in range(20):
        alpha = step / 20
        scales = channel_scales(activations, alpha)
        for weight in weights:
            quantized = rounded_weights(weight * scales, bits, group_size) / scales
            error = float(output_error(quantized - weight, hessian))
        if error < best_error:
            best_error, best_scales, best_alpha = error, scales, alpha
    return best_scales, best_alpha


def wrong_04_6_e(weights, activations, hessian, bits, group_size):
    """Measures how far the weights move (mean squared error), not what that does to the output."""
    w = torch.cat(weights)
    best_loss, best = float("inf"), None
    for step in range(20):
        alpha = step / 20
        s = channel_scales(activations, alpha)
        loss = (rounded_weights(w * s, bits, group_size) / s - w).pow(2).mean().item()
        if loss < best_loss:
            best_loss, best = loss, (s, alpha)
    return best


# 04.7 probabilities
def wrong_04_7_a(logits, sampling):
    """One softmax before all dropping: top_p adds up shares of the whole vocabulary, not of what top_k has left."""
    if sampling.temperature == 0:
        out = torch.zeros_like(logits)
        out[logits.argmax()] = 1
        return out
    probs = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.top_k is not None:
        kth = torch.topk(probs, min(sampling.top_k, len(probs))).values[-1]
        probs = torch.where(probs < kth, torch.zeros_like(probs), probs)
    if sampling.top_p < 1:
        values, order = probs.sort(descending=True, stable=True)
        before = values.cumsum(-1) - values
        values = torch.where(before < sampling.top_p, values, torch.zeros_like(values))
        probs = torch.zeros_like(probs).scatter(0, order, values)
    return probs / probs.sum()


def wrong_04_7_b(logits, sampling):
    """Keeps exactly the k indices of topk: tokens as probable as the k-th are dropped."""
    if sampling.temperature == 0:
        out = torch.zeros_like(logits)
        out[logits.argmax()] = 1
        return out
    logits = logits / sampling.temperature
    if sampling.top_k is not None:
        values, indices = torch.topk(logits, min(sampling.top_k, logits.shape[-1]))
        logits = torch.full_like(logits, float("-inf")).scatter(-1, indices, values)
    if sampling.top_p < 1:
        probs, order = torch.softmax(logits, dim=-1).sort(descending=True, stable=True)
        drop = order[probs.cumsum(-1) - probs >= sampling.top_p]
        logits = logits.clone()
        logits[drop] = float("-inf")
    return torch.softmax(logits, dim=-1)


def wrong_04_7_c(logits, sampling):
    """The top_p filter everybody copies, "> top_p" shifted by one: where a sum is exactly top_p, one more stays."""
    if sampling.temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(), len(logits)).to(logits.dtype)
    logits = logits / sampling.temperature
    if sampling.top_k is not None:
        top_k = min(sampling.top_k, logits.size(-1))
        indices_to_remove = logits < torch.topk(logits, top_k)[0][..., -1, None]
        logits = logits.masked_fill(indices_to_remove, -float("inf"))
    if sampling.top_p < 1.0:
        sorted_logits, sorted_indices = torch.sort(logits, descending=True, stable=True)
        cumulative_probs = torch.cumsum(torch.softmax(sorted_logits, dim=-1), dim=-1)
        sorted_indices_to_remove = cumulative_probs > sampling.top_p
        sorted_indices_to_remove[..., 1:] = sorted_indices_to_remove[..., :-1].clone()
        sorted_indices_to_remove[..., 0] = False
        logits = logits.index_fill(0, sorted_indices[sorted_indices_to_remove], -float("inf"))
    return torch.softmax(logits, dim=-1)


def wrong_04_7_d(logits, sampling):
    """Divides by the temperature at the end: top_p has chosen by the probabilities at temperature 1."""
    if sampling.temperature == 0:
        out = torch.zeros_like(logits)
        out[torch.argmax(logits)] = 1.0
        return out
    logits = logits.clone()
    if sampling.top_k is not None:
        kth = logits.topk(min(sampling.top_k, logits.numel())).values[-1]
        logits[logits < kth] = -torch.inf
    if sampling.top_p < 1:
        probs, order = logits.softmax(-1).sort(descending=True, stable=True)
        logits[order[probs.cumsum(-1) - probs >= sampling.top_p]] = -torch.inf
    return torch.softmax(logits / sampling.temperature, dim=-1)


def wrong_04_7_e(logits, sampling):
    """Takes a very small temperature for 0: equal (or almost equal) best tokens share the probability."""
    logits = logits / max(sampling.temperature, 1e-5)
    if sampling.top_k is not None:
        kth = logits.topk(min(sampling.top_k, len(logits))).values[-1]
        logits = logits.masked_fill(logits < kth, -math.inf)
    if sampling.top_p < 1:
        probs, order = logits.softmax(-1).sort(descending=True, stable=True)
        drop = probs.cumsum(-1) - probs >= sampling.top_p
        logits = logits.index_fill(0, order[drop], -math.inf)
    return logits.softmax(-1)


# 04.8 verify
def wrong_04_8_a(proposed, q, p, chances):
    """Does not divide what p has over q by its sum (torch.multinomial would not mind)."""
    for i, x in enumerate(proposed):
        if chances[i] * q[i, x] < p[i, x]:
            continue
        residual = (p[i] - q[i]).clamp(min=0)
        if residual.sum() == 0:
            residual = p[i]
        return i, residual
    return len(proposed), p[len(proposed)]


def wrong_04_8_b(proposed, q, p, chances):
    """Rejects where the chance is *above* p/q, as in the paper: a chance of just p/q (0, where p is 0) is accepted."""
    for i, x in enumerate(proposed):
        if chances[i] * q[i, x] > p[i, x]:
            rest = (p[i] - q[i]).clamp(min=0)
            total = rest.sum()
            return i, rest / total if total > 0 else p[i]
    return len(proposed), p[-1]


def wrong_04_8_c(proposed, q, p, chances):
    """Counts all tokens that pass, in one step: those after the first rejected one count, too."""
    n = len(proposed)
    if n == 0:
        return 0, p[-1]
    rows, ids = torch.arange(n), torch.tensor(proposed)
    accepted = int((chances * q[rows, ids] < p[rows, ids]).sum())
    if accepted == n:
        return n, p[n]
    rest = (p[accepted] - q[accepted]).clamp(min=0)
    if rest.sum() == 0:
        return accepted, p[accepted]
    return accepted, rest / rest.sum()


def wrong_04_8_d(proposed, q, p, chances):
    """Forgets the case that p has nothing over q: 0 divided by 0."""
    accepted = 0
    for i, x in enumerate(proposed):
        if not chances[i] * q[i, x] < p[i, x]:
            break
        accepted += 1
    if accepted == len(proposed):
        return accepted, p[accepted]
    rest = torch.clamp(p[accepted] - q[accepted], min=0)
    return accepted, rest / rest.sum()


def wrong_04_8_e(proposed, q, p, chances):
    """Takes the free token from the last proposal's row of p, not from the row behind it."""
    for i, x in enumerate(proposed):
        if chances[i] * q[i, x] >= p[i, x]:
            rest = torch.relu(p[i] - q[i])
            if rest.sum() == 0:
                return i, p[i]
            return i, rest / rest.sum()
    gamma = len(proposed)
    return gamma, p[gamma - 1]


# 04.9 expected_tokens_per_pass
def wrong_04_9_a(acceptance, gamma):
    """Counts each proposal for itself, 1 + γ·α: a rejected one does not stop those behind it."""
    if not 0 <= acceptance <= 1 or gamma < 0:
        raise ValueError("acceptance must be 0 to 1, and gamma at least 0")
    return 1.0 + gamma * acceptance


def wrong_04_9_b(acceptance, gamma):
    """A small number below the fraction keeps it from dividing by 0, but at α = 1 the result is 0."""
    if not 0 <= acceptance <= 1 or gamma < 0:
        raise ValueError("acceptance must be 0 to 1, and gamma at least 0")
    return (1 - acceptance ** (gamma + 1)) / (1 - acceptance + 1e-12)


def wrong_04_9_c(acceptance, gamma):
    """The formula from memory with α^γ in place of α^(γ+1)."""
    if acceptance < 0 or acceptance > 1 or gamma < 0:
        raise ValueError("acceptance must be 0 to 1, and gamma at least 0")
    if acceptance == 1:
        return float(gamma + 1)
    return (1 - acceptance**gamma) / (1 - acceptance)


def wrong_04_9_d(acceptance, gamma):
    """Refuses a wrong α, and forgets that γ can be below 0."""
    if not 0 <= acceptance <= 1:
        raise ValueError("acceptance is a probability")
    return float(sum(acceptance**i for i in range(gamma + 1)))


def wrong_04_9_e(acceptance, gamma):
    """Gives the target's own token only if all proposals are accepted, as if a rejected one had no replacement."""
    if not 0 <= acceptance <= 1 or gamma < 0:
        raise ValueError("acceptance must be 0 to 1, and gamma at least 0")
    expected = 0.0
    for i in range(1, gamma + 1):
        expected += acceptance**i
    return expected + acceptance**gamma


# 04.10 shorten
def wrong_04_10_a(body, room, tokenizer):
    """Encodes with the special tokens allowed: "<|end|>" in somebody else's text ends the prompt."""
    tokens = tokenizer.encode(body, allow_special=True)
    if len(tokens) <= room:
        return tokens
    for end in reversed(list(word_ends(body))):
        tokens = tokenizer.encode(body[:end] + CUT, allow_special=True)
        if len(tokens) <= room:
            return tokens
    raise ValueError("not even one word fits")


def wrong_04_10_b(body, room, tokenizer):
    """Cuts the tokens off like truncation=True and adds the mark: the cut can be inside of a word."""
    tokens = tokenizer.encode(body)
    if len(tokens) <= room:
        return tokens
    mark = tokenizer.encode(CUT)
    ends = list(word_ends(body))
    if not ends or len(tokenizer.encode(body[: ends[0]] + CUT)) > room:
        raise ValueError("not even one word fits")
    return tokens[: room - len(mark)] + mark


def wrong_04_10_c(body, room, tokenizer):
    """Splits into words and joins them with one blank: line breaks and double blanks are lost."""
    tokens = tokenizer.encode(body)
    if len(tokens) <= room:
        return tokens
    words = body.split()
    for n in range(len(words), 0, -1):
        tokens = tokenizer.encode(" ".join(words[:n]) + CUT)
        if len(tokens) <= room:
            return tokens
    raise ValueError("not even one word fits")


def wrong_04_10_d(body, room, tokenizer):
    """Cuts a text that takes just the whole room."""
    tokens = tokenizer.encode(body)
    if len(tokens) < room:
        return tokens
    for end in reversed(list(word_ends(body))):
        tokens = tokenizer.encode(body[:end] + CUT)
        if len(tokens) <= room:
            return tokens
    raise ValueError("not even one word fits")


def wrong_04_10_e(body, room, tokenizer):
    """Returns the mark alone where not even one word fits, instead of refusing."""
    tokens = tokenizer.encode(body)
    if len(tokens) <= room:
        return tokens
    for end in reversed(list(word_ends(body))):
        tokens = tokenizer.encode(body[:end] + CUT)
        if len(tokens) <= room:
            return tokens
    return tokenizer.encode(CUT)[:room]


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
