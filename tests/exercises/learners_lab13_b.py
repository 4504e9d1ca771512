"""A second set of wrong answers to lab 13, by other people who had not seen the catalogue of mistakes."""

import math

import numpy as np
import torch
import torch.nn.functional as F


# 13.1 quantize
def wrong_13_1_p(x, scale, zero_point):
    """Rounds as one does with a cast in Java, int(v + 0.5), which cuts off towards 0: wrong for negative values."""
    x = np.asarray(x)
    if np.isnan(x).any():
        raise ValueError("NaN")
    out = np.zeros(x.shape, dtype=np.int8)
    for index in np.ndindex(*x.shape):
        s = scale[index[0]] if np.ndim(scale) == 1 else scale
        z = zero_point[index[0]] if np.ndim(zero_point) == 1 else zero_point
        number = min(max(x[index] / s + 0.5, -1000.0), 1000.0)
        out[index] = max(-128, min(127, int(number) + int(z)))
    return out


def wrong_13_1_q(x, scale, zero_point):
    """Standardizes: subtracts the zero point from the real value and then divides by the scale, as in a z-score."""
    x = np.asarray(x)
    if np.isnan(x).any():
        raise ValueError("NaN")

    def along_first(p):
        p = np.asarray(p)
        return p.reshape(-1, *[1] * (x.ndim - 1)) if p.ndim == 1 else p

    z = (x - along_first(zero_point)) / along_first(scale)
    return np.clip(np.round(z), -128, 127).astype(np.int8)


def wrong_13_1_r(x, scale, zero_point):
    """Lines the arrays up with axis 1, where activations (N, C, H, W) have their channels, not with axis 0."""
    t = torch.from_numpy(np.asarray(x, dtype=np.float64))
    if torch.isnan(t).any():
        raise ValueError("NaN")
    s = torch.as_tensor(scale, dtype=torch.float64)
    z = torch.as_tensor(zero_point, dtype=torch.float64)
    if t.ndim > 1:
        channels = (1, -1) + (1,) * (t.ndim - 2)
        s = s.view(channels) if s.ndim else s
        z = z.view(channels) if z.ndim else z
    return torch.clamp(torch.round(t / s) + z, -128, 127).to(torch.int8).numpy()


def wrong_13_1_s(x, scale, zero_point):
    """Asks only whether the scale is an array: next to a plain number, an array of zero points is not lined up."""
    x = np.asarray(x)
    if np.isnan(x).any():
        raise ValueError("NaN")
    if np.ndim(scale) == 1:
        shape = (-1,) + (1,) * (x.ndim - 1)
        scale = np.reshape(scale, shape)
        zero_point = np.reshape(zero_point, shape)
    return np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)


def wrong_13_1_t(x, scale, zero_point):
    """Clips the number of steps and adds the zero point afterwards, so the stored integer can leave int8 and wraps."""
    x = np.asarray(x)
    if np.isnan(x).any():
        raise ValueError("NaN")
    shape = (-1,) + (1,) * (x.ndim - 1)
    s = np.reshape(scale, shape) if np.ndim(scale) else scale
    z = np.reshape(zero_point, shape) if np.ndim(zero_point) else zero_point
    steps = np.clip(np.round(x / s), -128, 127)
    return (steps + z).astype(np.int64).astype(np.int8)


# 13.2 rounding_and_clipping
def wrong_13_2_p(x, limit, bits):
    """Takes a cast to int for rounding: the value goes to the next step towards 0, not to the nearest."""
    step = limit / ((1 << (bits - 1)) - 1)
    rounding = 0.0
    clipping = 0.0
    for v in x.ravel():
        if v > limit:
            clipping += (v - limit) ** 2
        elif v < -limit:
            clipping += (-limit - v) ** 2
        else:
            rounding += (v - int(v / step) * step) ** 2
    return rounding / x.size, clipping / x.size


def wrong_13_2_q(x, limit, bits):
    """Takes the variance of each error for its mean square: the mean error is subtracted."""
    step = limit / (2 ** (bits - 1) - 1)
    clipped = np.clip(x, -limit, limit)
    rounding_error = np.where(np.abs(x) > limit, 0.0, clipped - step * np.round(clipped / step))
    clipping_error = x - clipped
    return float(np.var(rounding_error)), float(np.var(clipping_error))


def wrong_13_2_r(x, limit, bits):
    """Calls mse_loss between x and the finished grid values: its 'rounding' is the whole error, clipping included."""
    t = torch.from_numpy(np.asarray(x, dtype=np.float64))
    highest = 2 ** (bits - 1) - 1
    step = limit / highest
    on_grid = torch.clamp(torch.round(t / step), -highest, highest) * step
    rounding = F.mse_loss(on_grid, t)
    clipping = F.mse_loss(torch.clamp(t, -limit, limit), t)
    return rounding.item(), clipping.item()


def wrong_13_2_s(x, limit, bits):
    """Divides each sum by the number of values in its own group, not by the number of all values."""
    step = limit / (2 ** (bits - 1) - 1)
    beyond = x[np.abs(x) > limit]
    inside = x[np.abs(x) <= limit]
    rounding = np.mean((inside - step * np.round(inside / step)) ** 2) if inside.size else 0.0
    clipping = np.mean((np.abs(beyond) - limit) ** 2) if beyond.size else 0.0
    return float(rounding), float(clipping)


def wrong_13_2_t(x, limit, bits):
    """Confuses the number of values with the number of steps: 2^(bits − 1) steps on each side, one too many."""
    step = limit / 2 ** (bits - 1)
    outside = np.abs(x) > limit
    rounding = ((x - step * np.round(x / step))[~outside] ** 2).sum() / x.size
    clipping = ((np.abs(x) - limit)[outside] ** 2).sum() / x.size
    return float(rounding), float(clipping)


# 13.3 fake_quantize_gradients
def wrong_13_3_p(w, scale, bits):
    """Asks whether the rounded integer fits, not w/scale itself: 7.3 steps round to 7 and count as inside."""
    highest = (1 << (bits - 1)) - 1
    values = np.zeros(w.shape)
    by_weight = np.zeros(w.shape)
    by_scale = np.zeros(w.shape)
    for index in np.ndindex(*w.shape):
        steps = w[index] / scale
        n = round(float(steps))
        if n > highest:
            values[index] = highest * scale
            by_scale[index] = highest
        elif n < -highest:
            values[index] = -highest * scale
            by_scale[index] = -highest
        else:
            values[index] = n * scale
            by_weight[index] = 1
            by_scale[index] = n - steps
    return values, by_weight, by_scale


def wrong_13_3_q(w, scale, bits):
    """Takes the slope by the scale for a residual, observed minus fitted: the sign inside is the wrong way round."""
    highest = 2 ** (bits - 1) - 1
    z = w / scale
    fitted = np.clip(np.round(z), -highest, highest)
    inside = np.abs(z) <= highest
    residual = z - fitted
    return fitted * scale, inside.astype(float), np.where(inside, residual, fitted)


def wrong_13_3_r(w, scale, bits):
    """Lets autograd do it with one scale for all: its gradient is the sum over all weights, not a slope for each."""
    highest = 2 ** (bits - 1) - 1
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    s = torch.tensor(float(scale), dtype=torch.float64, requires_grad=True)
    steps = torch.clamp(weight / s, -highest, highest)
    steps = steps + (torch.round(steps) - steps).detach()
    values = steps * s
    values.sum().backward()
    return values.detach().numpy(), weight.grad.numpy(), np.full(w.shape, s.grad.item())


def wrong_13_3_s(w, scale, bits):
    """Misses that a weight on the very end counts as inside: compares with < and not with <=."""
    highest = 2 ** (bits - 1) - 1
    steps = w / scale
    q = np.clip(np.round(steps), -highest, highest)
    inside = (steps > -highest) & (steps < highest)
    return scale * q, np.where(inside, 1.0, 0.0), np.where(inside, q - steps, q)


def wrong_13_3_t(w, scale, bits):
    """Confuses value and slope where w was clipped: the slope by the scale there is ±highest · scale."""
    highest = 2 ** (bits - 1) - 1
    steps = w / scale
    q = np.clip(np.round(steps), -highest, highest)
    values = scale * q
    inside = np.abs(steps) <= highest
    return values, inside.astype(np.float64), np.where(inside, q - steps, values)


# 13.4 nearest
def wrong_13_4_p(values, centers):
    """Makes the indices bytes as Java knows them, with a sign (int8): the wrong type, and negative from 128 on."""
    out = np.zeros(values.shape, dtype=np.int64)
    for index in np.ndindex(*values.shape):
        best = 0
        for i in range(1, len(centers)):
            if abs(values[index] - centers[i]) < abs(values[index] - centers[best]):
                best = i
        out[index] = best
    return out.astype(np.byte)


def wrong_13_4_q(values, centers):
    """Takes the colors for classes of equal width between the smallest and the largest, as in a histogram."""
    k = len(centers)
    if k == 1:
        return np.zeros(values.shape, dtype=np.uint8)
    width = (centers[-1] - centers[0]) / (k - 1)
    return np.clip(np.round((values - centers[0]) / width), 0, k - 1).astype(np.uint8)


def wrong_13_4_r(values, centers):
    """Calls bucketize with the centers as boundaries: that is the next color above the value, not the nearest."""
    index = torch.bucketize(torch.tensor(values, dtype=torch.float64), torch.tensor(centers, dtype=torch.float64))
    return index.clamp(max=len(centers) - 1).to(torch.uint8).numpy()


def wrong_13_4_s(values, centers):
    """Misses that the result has the shape of the values: returns the indices flat."""
    midpoints = (centers[1:] + centers[:-1]) / 2
    return np.searchsorted(midpoints, values.ravel()).astype(np.uint8)


def wrong_13_4_t(values, centers):
    """Confuses colors and midpoints: returns the index of the nearest midpoint."""
    if len(centers) == 1:
        return np.zeros(values.shape, dtype=np.uint8)
    midpoints = (centers[1:] + centers[:-1]) / 2
    return np.abs(values[..., np.newaxis] - midpoints).argmin(axis=-1).astype(np.uint8)


# 13.5 entropy_bits
def wrong_13_5_p(symbols):
    """Thinks that a word has a whole number of bits: rounds the bits of each symbol up before it averages."""
    if symbols.size == 0:
        raise ValueError("no symbols")
    counts = {}
    for s in symbols.ravel().tolist():
        counts[s] = counts.get(s, 0) + 1
    total = 0.0
    for n in counts.values():
        total += n / symbols.size * math.ceil(-math.log2(n / symbols.size))
    return total


def wrong_13_5_q(symbols):
    """Uses the natural logarithm, as the textbook does: the entropy is in nats."""
    if symbols.size == 0:
        raise ValueError("no symbols")
    _, counts = np.unique(symbols, return_counts=True)
    p = counts / counts.sum()
    return float(-np.sum(p * np.log(p)))


def wrong_13_5_r(symbols):
    """Counts with torch.histc, which by default has 100 bins: with more symbols, neighbors are counted together."""
    t = torch.as_tensor(np.asarray(symbols, dtype=np.float64)).flatten()
    if t.numel() == 0:
        raise ValueError("no symbols")
    p = torch.histc(t) / t.numel()
    p = p[p > 0]
    return -(p * torch.log2(p)).sum().item()


def wrong_13_5_s(symbols):
    """Misses the error: without symbols it returns 0 bits."""
    if symbols.size == 0:
        return 0.0
    counts = np.bincount(symbols.ravel())
    p = counts[counts > 0] / symbols.size
    return float(-(p * np.log2(p)).sum())


def wrong_13_5_t(symbols):
    """Confuses symbols and counts: each symbol's own number, divided by the sum of all, is taken for a share."""
    flat = np.asarray(symbols, dtype=np.float64).ravel()
    if flat.size == 0:
        raise ValueError("no symbols")
    flat = flat[flat > 0]
    p = flat / flat.sum()
    return float(-(p * np.log2(p)).sum())


# 13.6 magnitude_mask
def wrong_13_6_p(weights, sparsity):
    """Rounds the count as Math.round does, halves up: 2.5 makes 3, where Python's round makes 2."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity")
    flat = weights.detach().flatten().tolist()
    if any(math.isnan(v) for v in flat):
        raise ValueError("NaN")
    count = math.floor(sparsity * len(flat) + 0.5)
    order = sorted(range(len(flat)), key=lambda i: abs(flat[i]))
    stays = [True] * len(flat)
    for i in order[:count]:
        stays[i] = False
    return torch.tensor(stays, dtype=torch.bool).reshape(weights.shape)


def wrong_13_6_q(weights, sparsity):
    """Takes a quantile of the magnitudes for a threshold: equal weights go together, so the count is not exact."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity")
    magnitude = np.abs(weights.detach().numpy())
    if np.isnan(magnitude).any():
        raise ValueError("NaN")
    if magnitude.size == 0 or sparsity == 0:
        return torch.ones(weights.shape, dtype=torch.bool)
    return torch.from_numpy(np.asarray(magnitude > np.quantile(magnitude, sparsity)))


def wrong_13_6_r(weights, sparsity):
    """Keeps the largest with topk, which promises no order among equals: those that go need not be the first."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity")
    magnitude = weights.detach().abs().flatten()
    if torch.isnan(magnitude).any():
        raise ValueError("NaN")
    keep = magnitude.numel() - round(sparsity * magnitude.numel())
    mask = torch.zeros(magnitude.numel(), dtype=torch.bool)
    mask[magnitude.topk(keep).indices] = True
    return mask.view(weights.shape)


def wrong_13_6_s(weights, sparsity):
    """Misses the second error: a NaN among the weights is sorted in like a number."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity")
    order = weights.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weights.numel(), dtype=torch.bool)
    mask[order[: round(sparsity * weights.numel())]] = False
    return mask.reshape(weights.shape)


def wrong_13_6_t(weights, sparsity):
    """Confuses position and rank: compares what argsort returns with the count, as if it were each weight's rank."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity")
    if torch.isnan(weights).any():
        raise ValueError("NaN")
    rank = weights.detach().abs().flatten().argsort(stable=True)
    return (rank >= round(sparsity * weights.numel())).reshape(weights.shape)


# 13.7 gradual_sparsity
def wrong_13_7_p(step, begin, end, final):
    """Counts the progress in whole percents, with an integer division: of 1000 steps ten have the same sparsity."""
    if begin >= end or not 0 <= final < 1:
        raise ValueError("arguments")
    percent = 100 * (step - begin) // (end - begin)
    percent = min(max(percent, 0), 100)
    return final * (1 - (1 - percent / 100) ** 3)


def wrong_13_7_q(step, begin, end, final):
    """Counts the steps from begin to end with both ends, n = end − begin + 1: at `end` the progress is not yet 1."""
    if begin >= end or not 0 <= final < 1:
        raise ValueError("arguments")
    n = end - begin + 1
    progress = min(max((step - begin) / n, 0.0), 1.0)
    return final * (1 - (1 - progress) ** 3)


def wrong_13_7_r(step, begin, end, final):
    """Limits the progress with hardtanh, whose default is −1 to 1: before `begin` the sparsity is negative."""
    if begin >= end or not 0 <= final < 1:
        raise ValueError("arguments")
    progress = F.hardtanh(torch.tensor((step - begin) / (end - begin), dtype=torch.float64))
    return (final * (1 - (1 - progress) ** 3)).item()


def wrong_13_7_s(step, begin, end, final):
    """Returns early before `begin` and after `end`, before it checks: 'whatever the step' was not read."""
    if step <= begin:
        return 0.0
    if step >= end:
        return final
    if begin >= end or not 0 <= final < 1:
        raise ValueError("arguments")
    return final * (1 - (1 - (step - begin) / (end - begin)) ** 3)


def wrong_13_7_t(step, begin, end, final):
    """Confuses `end` with the number of steps: divides by end, which is right only if begin is 0."""
    if begin >= end or not 0 <= final < 1:
        raise ValueError("arguments")
    if step <= begin:
        return 0.0
    if step >= end:
        return final
    progress = (step - begin) / end
    return final * (1 - (1 - progress) ** 3)


# 13.8 taylor_importance
def wrong_13_8_p(weight, gradient):
    """Takes the magnitude of the running total within the loop: what was negative cannot cancel any more."""
    rows = weight.detach().flatten(1).tolist()
    slopes = gradient.detach().flatten(1).tolist()
    out = []
    for o in range(len(rows)):
        total = 0.0
        for i in range(len(rows[o])):
            total = abs(total + rows[o][i] * slopes[o][i])
        out.append(total)
    return torch.tensor(out, dtype=weight.dtype)


def wrong_13_8_q(weight, gradient):
    """Takes the mean over the channel's weights, not the sum."""
    w = weight.detach().numpy()
    g = gradient.detach().numpy()
    return torch.from_numpy(np.abs((w * g).reshape(len(w), -1).mean(axis=1)))


def wrong_13_8_r(weight, gradient):
    """Takes the norm of w·∂L/∂w, by default the root of the sum of squares, where nothing cancels."""
    return torch.linalg.vector_norm((weight * gradient).detach().flatten(1), dim=1)


def wrong_13_8_s(weight, gradient):
    """Sums over axis 1 only: right for a linear layer, but of a convolution the 3 × 3 remains."""
    return (weight.detach() * gradient).sum(dim=1).abs()


def wrong_13_8_t(weight, gradient):
    """Confuses rows and columns: sums over axis 0 and gives the importance of each input channel."""
    return (weight.detach() * gradient).transpose(0, 1).flatten(1).sum(1).abs()


# 13.9 soft_target_loss
def wrong_13_9_p(student, teacher, temperature):
    """Computes in loops with Python's numbers: the value is right, but there is no gradient for the student."""
    if student.shape != teacher.shape or not temperature > 0:
        raise ValueError("arguments")

    def log_softmax(logits):
        highest = max(logits)
        log_sum = math.log(sum(math.exp(v - highest) for v in logits))
        return [v - highest - log_sum for v in logits]

    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        log_p = log_softmax([v / temperature for v in t])
        log_q = log_softmax([v / temperature for v in s])
        for a, b in zip(log_p, log_q, strict=True):
            total += math.exp(a) * (a - b)
    return torch.tensor(temperature**2 * total / student.shape[0], dtype=student.dtype)


def wrong_13_9_q(student, teacher, temperature):
    """Takes the cross-entropy −Σ p · log q for the divergence: the teacher's own entropy is not taken off."""
    if student.shape != teacher.shape or not temperature > 0:
        raise ValueError("arguments")
    p = torch.softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return temperature**2 * -(p * log_q).sum(dim=-1).mean()


def wrong_13_9_r(student, teacher, temperature):
    """Reduces as kl_div does by default, with the mean over all entries: too small by the number of classes."""
    if student.shape != teacher.shape or not temperature > 0:
        raise ValueError("arguments")
    log_p = torch.log_softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="none", log_target=True).mean()


def wrong_13_9_s(student, teacher, temperature):
    """Raises for a negative temperature only: 0 is not positive either, and makes the loss NaN."""
    if student.shape != teacher.shape or temperature < 0:
        raise ValueError("arguments")
    log_p = torch.log_softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


def wrong_13_9_t(student, teacher, temperature):
    """Confuses teacher and student: KL(q ‖ p), the divergence the other way round."""
    if student.shape != teacher.shape or not temperature > 0:
        raise ValueError("arguments")
    log_p = torch.log_softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)


# 13.10 pareto_front
def wrong_13_10_p(costs):
    """Starts the inner loop at i + 1, as in a sort: a row is compared with earlier ones only, never with later ones."""
    n = len(costs)
    front = np.ones(n, dtype=bool)
    for i in range(n):
        for j in range(i + 1, n):
            no_worse = True
            better = False
            for a, b in zip(costs[i], costs[j], strict=True):
                if a > b:
                    no_worse = False
                if a < b:
                    better = True
            if no_worse and better:
                front[j] = False
    return front


def wrong_13_10_q(costs):
    """Takes 'beats' in the strict sense, better in every measure: what is equal in one measure is never beaten."""
    better = (costs[:, np.newaxis] < costs).all(axis=-1)
    return ~better.any(axis=0)


def wrong_13_10_r(costs):
    """Goes over np.unique and its index, which is that of the first of equal rows: the other equal ones fall out."""
    front = np.zeros(len(costs), dtype=bool)
    if len(costs) == 0:
        return front
    rows, first = np.unique(costs, axis=0, return_index=True)
    no_worse = (rows[:, np.newaxis] <= rows).all(axis=-1)
    np.fill_diagonal(no_worse, False)
    front[first[~no_worse.any(axis=0)]] = True
    return front


def wrong_13_10_s(costs):
    """Misses 'better in at least one': equal variants beat each other, and all of them are out."""
    no_worse = (costs[:, np.newaxis] <= costs).all(axis=-1)
    np.fill_diagonal(no_worse, False)
    return ~no_worse.any(axis=0)


def wrong_13_10_t(costs):
    """Confuses who beats with who is beaten: reduces the wrong axis, so a variant is out if it beats another one."""
    no_worse = (costs[:, np.newaxis] <= costs).all(axis=-1)
    better = (costs[:, np.newaxis] < costs).any(axis=-1)
    return ~(no_worse & better).any(axis=1)


WRONG = {
    "13.1": [wrong_13_1_p, wrong_13_1_q, wrong_13_1_r, wrong_13_1_s, wrong_13_1_t],
    "13.2": [wrong_13_2_p, wrong_13_2_q, wrong_13_2_r, wrong_13_2_s, wrong_13_2_t],
    "13.3": [wrong_13_3_p, wrong_13_3_q, wrong_13_3_r, wrong_13_3_s, wrong_13_3_t],
    "13.4": [wrong_13_4_p, wrong_13_4_q, wrong_13_4_r, wrong_13_4_s, wrong_13_4_t],
    "13.5": [wrong_13_5_p, wrong_13_5_q, wrong_13_5_r, wrong_13_5_s, wrong_13_5_t],
    "13.6": [wrong_13_6_p, wrong_13_6_q, wrong_13_6_r, wrong_13_6_s, wrong_13_6_t],
    "13.7": [wrong_13_7_p, wrong_13_7_q, wrong_13_7_r, wrong_13_7_s, wrong_13_7_t],
    "13.8": [wrong_13_8_p, wrong_13_8_q, wrong_13_8_r, wrong_13_8_s, wrong_13_8_t],
    "13.9": [wrong_13_9_p, wrong_13_9_q, wrong_13_9_r, wrong_13_9_s, wrong_13_9_t],
    "13.10": [wrong_13_10_p, wrong_13_10_q, wrong_13_10_r, wrong_13_10_s, wrong_13_10_t],
}
