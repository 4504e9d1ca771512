"""Wrong answers to lab 13 as learners write them, by people who had not seen the catalogue of mistakes."""

import math

import numpy as np
import torch
import torch.nn.functional as F


# 13.1 quantize
def wrong_13_1_a(x, scale, zero_point):
    """Lets NumPy line up the last axes: arrays of scales run along x's last axis, not its first."""
    if np.isnan(x).any():
        raise ValueError("x contains NaN")
    q = np.round(x / scale) + zero_point
    return np.clip(q, -128, 127).astype(np.int8)


def wrong_13_1_b(x, scale, zero_point):
    """Gives the array of scales its further axes, and forgets the array of zero points."""
    if np.isnan(x).any():
        raise ValueError("NaN cannot be quantized")
    scale = np.asarray(scale)
    if scale.ndim == 1:
        scale = scale.reshape(-1, *[1] * (x.ndim - 1))
    return np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)


def wrong_13_1_c(x, scale, zero_point):
    """Always reshapes arrays to (channels, 1, 1, 1), as for a convolution; a matrix becomes 4-dimensional."""
    if np.isnan(x).any():
        raise ValueError("x has a NaN")
    if np.ndim(scale) == 1:
        scale = np.asarray(scale).reshape(-1, 1, 1, 1)
    if np.ndim(zero_point) == 1:
        zero_point = np.asarray(zero_point).reshape(-1, 1, 1, 1)
    return np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)


def wrong_13_1_d(x, scale, zero_point):
    """Casts to int8 first and clips afterwards: what leaves the range has wrapped around by then."""
    if np.isnan(x).any():
        raise ValueError("NaN in x")

    def per_channel(p):
        p = np.asarray(p)
        return p.reshape(-1, *[1] * (x.ndim - 1)) if p.ndim == 1 else p

    q = np.round(x / per_channel(scale)) + per_channel(zero_point)
    q = q.astype(np.int64).astype(np.int8)
    return np.clip(q, -128, 127)


def wrong_13_1_e(x, scale, zero_point):
    """Takes the cast to an integer for rounding; it cuts off toward zero (right for -5.2)."""
    if np.isnan(x).any():
        raise ValueError("NaN in x")
    shape = (-1,) + (1,) * (x.ndim - 1)
    if np.ndim(scale):
        scale = np.reshape(scale, shape)
    if np.ndim(zero_point):
        zero_point = np.reshape(zero_point, shape)
    steps = (x / scale).astype(np.int64)
    return np.clip(steps + zero_point, -128, 127).astype(np.int8)


def wrong_13_1_f(x, scale, zero_point):
    """Looks for NaN with ==, which is never true, so no ValueError is raised."""
    if (x == np.nan).any():
        raise ValueError("NaN in x")
    shape = (-1,) + (1,) * (x.ndim - 1)
    if np.ndim(scale):
        scale = np.reshape(scale, shape)
    if np.ndim(zero_point):
        zero_point = np.reshape(zero_point, shape)
    return np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)


def wrong_13_1_g(x, scale, zero_point):
    """Clips the rounded steps before the zero point is added, so that the sum wraps around or stops too early."""
    if np.isnan(x).any():
        raise ValueError("NaN in x")
    scale, zero_point = np.asarray(scale), np.asarray(zero_point)
    if scale.ndim == 1:
        scale = scale.reshape(-1, *[1] * (x.ndim - 1))
    if zero_point.ndim == 1:
        zero_point = zero_point.reshape(-1, *[1] * (x.ndim - 1))
    q = np.clip(np.round(x / scale), -128, 127) + zero_point
    return q.astype(np.int64).astype(np.int8)


# 13.2 rounding_and_clipping
def wrong_13_2_a(x, limit, bits):
    """Takes the mean over each group, so each sum is divided by its own number of values."""
    step = limit / (2 ** (bits - 1) - 1)
    inside = x[np.abs(x) <= limit]
    beyond = x[np.abs(x) > limit]
    rounding = np.mean((inside - step * np.round(inside / step)) ** 2) if inside.size else 0.0
    clipping = np.mean((np.abs(beyond) - limit) ** 2) if beyond.size else 0.0
    return rounding, clipping


def wrong_13_2_b(x, limit, bits):
    """Weights the two means by their shares: right, but NaN where all values or none are clipped."""
    step = limit / (2 ** (bits - 1) - 1)
    clipped = np.abs(x) > limit
    inside, beyond = x[~clipped], x[clipped]
    share = clipped.mean()
    rounding = (1 - share) * ((inside - step * np.round(inside / step)) ** 2).mean()
    clipping = share * ((np.abs(beyond) - limit) ** 2).mean()
    return rounding, clipping


def wrong_13_2_c(x, limit, bits):
    """Counts only values above the limit as clipped; those below -limit are rounded on an endless grid."""
    step = limit / (2 ** (bits - 1) - 1)
    inside = x[x <= limit]
    beyond = x[x > limit]
    rounding = np.sum((inside - step * np.round(inside / step)) ** 2) / x.size
    clipping = np.sum((beyond - limit) ** 2) / x.size
    return rounding, clipping


def wrong_13_2_d(x, limit, bits):
    """Uses the step of a grid with 2^bits values from end to end, 2 * limit / (2^bits - 1)."""
    step = 2 * limit / (2**bits - 1)
    inside = x[np.abs(x) <= limit]
    beyond = x[np.abs(x) > limit]
    rounding = ((inside - step * np.round(inside / step)) ** 2).sum() / x.size
    clipping = ((np.abs(beyond) - limit) ** 2).sum() / x.size
    return rounding, clipping


def wrong_13_2_e(x, limit, bits):
    """Rounds the values beyond the limit as well, so the rounding error is that of all values."""
    step = limit / (2 ** (bits - 1) - 1)
    rounding = np.mean((x - step * np.round(x / step)) ** 2)
    clipping = np.mean((x - np.clip(x, -limit, limit)) ** 2)
    return rounding, clipping


def wrong_13_2_f(x, limit, bits):
    """Finds what is clipped on both sides, but measures it from +limit also for negative values."""
    step = limit / (2 ** (bits - 1) - 1)
    mask = np.abs(x) > limit
    inside, beyond = x[~mask], x[mask]
    rounding = np.sum((inside - step * np.round(inside / step)) ** 2) / x.size
    clipping = np.sum((beyond - limit) ** 2) / x.size
    return rounding, clipping


def wrong_13_2_g(x, limit, bits):
    """Divides by len(x), which is the number of rows when x has more than one axis."""
    step = limit / (2 ** (bits - 1) - 1)
    inside = x[np.abs(x) <= limit]
    beyond = x[np.abs(x) > limit]
    rounding = np.sum((inside - step * np.round(inside / step)) ** 2) / len(x)
    clipping = np.sum((np.abs(beyond) - limit) ** 2) / len(x)
    return rounding, clipping


# 13.3 fake_quantize_gradients
def wrong_13_3_a(w, scale, bits):
    """Passes the slope 1 to clipped weights too, as if straight-through meant everywhere."""
    highest = 2 ** (bits - 1) - 1
    steps = w / scale
    q = np.clip(np.round(steps), -highest, highest)
    inside = np.abs(steps) <= highest
    return q * scale, np.ones_like(w), np.where(inside, q - steps, q)


def wrong_13_3_b(w, scale, bits):
    """Decides what is inside by the rounded steps, so 7.3 steps count as inside at 4 bits."""
    highest = 2 ** (bits - 1) - 1
    steps = w / scale
    rounded = np.round(steps)
    inside = np.abs(rounded) <= highest
    q = np.clip(rounded, -highest, highest)
    return q * scale, inside.astype(w.dtype), np.where(inside, q - steps, q)


def wrong_13_3_c(w, scale, bits):
    """Uses the usual two's-complement range, from -highest - 1 to highest."""
    highest = 2 ** (bits - 1) - 1
    lowest = -(2 ** (bits - 1))
    steps = w / scale
    q = np.clip(np.round(steps), lowest, highest)
    inside = (steps >= lowest) & (steps <= highest)
    return q * scale, inside.astype(w.dtype), np.where(inside, q - steps, q)


def wrong_13_3_d(w, scale, bits):
    """Compares with < and so treats a weight on the very end as clipped."""
    highest = 2 ** (bits - 1) - 1
    steps = w / scale
    inside = (-highest < steps) & (steps < highest)
    q = np.clip(np.round(steps), -highest, highest)
    return q * scale, np.where(inside, 1.0, 0.0), np.where(inside, q - steps, q)


def wrong_13_3_e(w, scale, bits):
    """Multiplies the slope by the scale by 1/sqrt(n * highest), the gradient scale of the LSQ paper."""
    highest = 2 ** (bits - 1) - 1
    steps = w / scale
    inside = np.abs(steps) <= highest
    q = np.clip(np.round(steps), -highest, highest)
    g = 1 / np.sqrt(w.size * highest)
    return q * scale, inside.astype(w.dtype), np.where(inside, q - steps, q) * g


def wrong_13_3_f(w, scale, bits):
    """Writes +highest for every clipped weight in the slope by the scale, without the sign of w."""
    highest = 2 ** (bits - 1) - 1
    steps = w / scale
    inside = np.abs(steps) <= highest
    values = scale * np.clip(np.round(steps), -highest, highest)
    slope_w = np.where(inside, 1.0, 0.0)
    slope_s = np.where(inside, np.round(steps) - steps, highest)
    return values, slope_w, slope_s


def wrong_13_3_g(w, scale, bits):
    """Clips the steps first and compares those with the limits: then everything is inside."""
    highest = 2 ** (bits - 1) - 1
    steps = np.clip(w / scale, -highest, highest)
    q = np.round(steps)
    inside = np.abs(steps) <= highest
    return q * scale, inside.astype(w.dtype), np.where(inside, q - steps, q)


# 13.4 nearest
def wrong_13_4_a(values, centers):
    """Searches among the centers themselves, so each value gets the next color above it."""
    index = np.searchsorted(centers, values)
    return np.minimum(index, len(centers) - 1).astype(np.uint8)


def wrong_13_4_b(values, centers):
    """Takes the centers for the left edges of bins: the color below, and for lower values none (-1 becomes 255)."""
    return (np.digitize(values, centers) - 1).astype(np.uint8)


def wrong_13_4_c(values, centers):
    """Puts the new axis at position 1, which is the last one only if the values have one axis."""
    distance = np.abs(values[:, None] - centers)
    return distance.argmin(axis=1).astype(np.uint8)


def wrong_13_4_d(values, centers):
    """Forgets the magnitude: the smallest signed difference is always that to the largest center."""
    difference = values[..., np.newaxis] - centers
    return difference.argmin(axis=-1).astype(np.uint8)


def wrong_13_4_e(values, centers):
    """Computes the index as on an evenly spaced grid from the first center to the last."""
    if len(centers) == 1:
        return np.zeros(values.shape, dtype=np.uint8)
    step = (centers[-1] - centers[0]) / (len(centers) - 1)
    index = np.round((values - centers[0]) / step)
    return np.clip(index, 0, len(centers) - 1).astype(np.uint8)


def wrong_13_4_f(values, centers):
    """Returns int8, in which the indices from 128 on become negative."""
    midpoints = (centers[1:] + centers[:-1]) / 2
    return np.searchsorted(midpoints, values).astype(np.int8)


def wrong_13_4_g(values, centers):
    """Loops over the flattened values and does not give the result their shape."""
    result = []
    for value in values.ravel():
        result.append(np.argmin(np.abs(centers - value)))
    return np.array(result, dtype=np.uint8)


# 13.5 entropy_bits
def wrong_13_5_a(symbols):
    """Takes the natural logarithm: nats, not bits."""
    if symbols.size == 0:
        raise ValueError("no symbols")
    _, counts = np.unique(symbols, return_counts=True)
    p = counts / counts.sum()
    return float(-np.sum(p * np.log(p)))


def wrong_13_5_b(symbols):
    """Counts with bincount and keeps the zeros: NaN as soon as a symbol in between does not occur."""
    if symbols.size == 0:
        raise ValueError("no symbols")
    p = np.bincount(symbols.ravel()) / symbols.size
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-(p * np.log2(p)).sum())


def wrong_13_5_c(symbols):
    """Divides the counts by len(symbols), the number of rows if there is more than one axis."""
    if len(symbols) == 0:
        raise ValueError("no symbols")
    counts = np.unique(symbols, return_counts=True)[1]
    p = counts / len(symbols)
    return float(-np.sum(p * np.log2(p)))


def wrong_13_5_d(symbols):
    """Forgets the check for an empty array and returns 0 for it."""
    counts = np.bincount(symbols.ravel().astype(np.int64))
    p = counts[counts > 0] / counts.sum()
    return float(-np.sum(p * np.log2(p)))


def wrong_13_5_e(symbols):
    """Rounds each symbol's bits up to a whole word, as real codes must (right where shares are powers of 1/2)."""
    if symbols.size == 0:
        raise ValueError("no symbols")
    _, counts = np.unique(symbols, return_counts=True)
    total = 0.0
    for count in counts:
        p = count / symbols.size
        total += p * math.ceil(-math.log2(p))
    return total


def wrong_13_5_f(symbols):
    """Copies a formula for an array of probabilities: normalizes the symbols themselves, without counting them."""
    if symbols.size == 0:
        raise ValueError("no symbols")
    p = symbols.ravel() / max(symbols.sum(), 1)
    p = p[p > 0]
    return float(-np.sum(p * np.log2(p)))


def wrong_13_5_g(symbols):
    """Returns the bits of the whole array, not those per symbol."""
    if symbols.size == 0:
        raise ValueError("no symbols")
    _, counts = np.unique(symbols, return_counts=True)
    p = counts / counts.sum()
    return float(-np.sum(counts * np.log2(p)))


# 13.6 magnitude_mask
def wrong_13_6_a(weights, sparsity):
    """Keeps what is above a threshold: all weights equal to it go together, more than were asked for."""
    if not 0 <= sparsity < 1 or torch.isnan(weights).any():
        raise ValueError("bad sparsity or NaN")
    magnitude = weights.detach().abs()
    count = round(sparsity * magnitude.numel())
    if count == 0:
        return torch.ones_like(magnitude, dtype=torch.bool)
    threshold = magnitude.flatten().kthvalue(count).values
    return magnitude > threshold


def wrong_13_6_b(weights, sparsity):
    """Cuts the number of dropped weights off with int() where round() is asked for."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity must be in [0, 1)")
    if torch.isnan(weights).any():
        raise ValueError("NaN among the weights")
    order = weights.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weights.numel(), dtype=torch.bool)
    mask[order[: int(sparsity * weights.numel())]] = False
    return mask.reshape(weights.shape)


def wrong_13_6_c(weights, sparsity):
    """Sorts along the last axis, so every row loses the same share, not the whole tensor its smallest weights."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity must be in [0, 1)")
    if torch.isnan(weights).any():
        raise ValueError("NaN among the weights")
    order = weights.detach().abs().argsort(dim=-1, stable=True)
    count = round(sparsity * weights.shape[-1])
    mask = torch.ones(weights.shape, dtype=torch.bool)
    return mask.scatter(-1, order[..., :count], False)


def wrong_13_6_d(weights, sparsity):
    """Takes the magnitudes in place: detach().numpy() shares its memory with the layer's parameter."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity must be in [0, 1)")
    w = weights.detach().numpy()
    if np.isnan(w).any():
        raise ValueError("NaN among the weights")
    np.abs(w, out=w)
    order = np.argsort(w, axis=None, kind="stable")
    mask = np.ones(w.size, dtype=bool)
    mask[order[: round(sparsity * w.size)]] = False
    return torch.from_numpy(mask.reshape(w.shape))


def wrong_13_6_e(weights, sparsity):
    """Sorts from the largest and keeps the first ones: of equal magnitudes those go that come last."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity must be in [0, 1)")
    if torch.isnan(weights).any():
        raise ValueError("NaN among the weights")
    n = weights.numel()
    keep = n - round(sparsity * n)
    order = weights.detach().abs().flatten().argsort(descending=True, stable=True)
    mask = torch.zeros(n, dtype=torch.bool)
    mask[order[:keep]] = True
    return mask.view(weights.shape)


def wrong_13_6_f(weights, sparsity):
    """Checks the sparsity and forgets NaN, which is sorted to the end as the largest magnitude."""
    if sparsity < 0 or sparsity >= 1:
        raise ValueError("sparsity must be in [0, 1)")
    order = weights.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weights.numel(), dtype=torch.bool)
    mask[order[: round(sparsity * weights.numel())]] = False
    return mask.reshape(weights.shape)


def wrong_13_6_g(weights, sparsity):
    """Reads "smallest" with the sign: the most negative weights go first."""
    if not 0 <= sparsity < 1:
        raise ValueError("sparsity must be in [0, 1)")
    if torch.isnan(weights).any():
        raise ValueError("NaN among the weights")
    order = weights.detach().flatten().argsort(stable=True)
    mask = torch.ones(weights.numel(), dtype=torch.bool)
    mask[order[: round(sparsity * weights.numel())]] = False
    return mask.reshape(weights.shape)


# 13.7 gradual_sparsity
def wrong_13_7_a(step, begin, end, final):
    """Does not keep the progress between 0 and 1: negative before begin, above final after end."""
    if begin >= end or not 0 <= final < 1:
        raise ValueError("need begin < end and 0 <= final < 1")
    progress = (step - begin) / (end - begin)
    return final * (1 - (1 - progress) ** 3)


def wrong_13_7_b(step, begin, end, final):
    """Takes `end` for the number of pruning steps and divides by it; right while begin is 0."""
    if begin >= end or not 0 <= final < 1:
        raise ValueError("need begin < end and 0 <= final < 1")
    progress = min(max((step - begin) / end, 0), 1)
    return final * (1 - (1 - progress) ** 3)


def wrong_13_7_c(step, begin, end, final):
    """Drops the two "1 -" and cubes the progress itself: slow at first, then ever faster."""
    if begin >= end or not 0 <= final < 1:
        raise ValueError("need begin < end and 0 <= final < 1")
    progress = min(max((step - begin) / (end - begin), 0), 1)
    return final * progress**3


def wrong_13_7_d(step, begin, end, final):
    """Returns early before begin and after end, and checks the arguments only in between."""
    if step <= begin:
        return 0.0
    if step >= end:
        return final
    if begin >= end:
        raise ValueError("begin must come before end")
    if final < 0 or final >= 1:
        raise ValueError("final must be in [0, 1)")
    progress = (step - begin) / (end - begin)
    return final * (1 - (1 - progress) ** 3)


def wrong_13_7_e(step, begin, end, final):
    """Refuses begin > end only: with begin == end it divides by zero."""
    if begin > end:
        raise ValueError("begin must come before end")
    if not 0 <= final < 1:
        raise ValueError("final must be in [0, 1)")
    progress = min(max((step - begin) / (end - begin), 0), 1)
    return final * (1 - (1 - progress) ** 3)


def wrong_13_7_f(step, begin, end, final):
    """Lets final = 1 pass, a network without weights."""
    if begin >= end:
        raise ValueError("begin must come before end")
    if final < 0 or final > 1:
        raise ValueError("final must be between 0 and 1")
    progress = min(max((step - begin) / (end - begin), 0), 1)
    return final * (1 - (1 - progress) ** 3)


def wrong_13_7_g(step, begin, end, final):
    """Keeps the result, not the progress, between 0 and 1: after end it climbs beyond final."""
    if begin >= end or not 0 <= final < 1:
        raise ValueError("need begin < end and 0 <= final < 1")
    progress = (step - begin) / (end - begin)
    sparsity = final * (1 - (1 - progress) ** 3)
    return min(max(sparsity, 0), 1)


# 13.8 taylor_importance
def wrong_13_8_a(weight, gradient):
    """Takes the magnitude of each product before the sum, so that nothing cancels."""
    return (weight.detach() * gradient).abs().flatten(1).sum(dim=1)


def wrong_13_8_b(weight, gradient):
    """Sums over axis 1 only: right for a linear layer, a convolution keeps its 3x3."""
    return (weight.detach() * gradient).sum(dim=1).abs()


def wrong_13_8_c(weight, gradient):
    """Sums over the outputs and gets the importance of the input channels."""
    product = (weight * gradient).detach().transpose(0, 1).flatten(1)
    return product.sum(dim=1).abs()


def wrong_13_8_d(weight, gradient):
    """Returns the signed change of the loss, -sum(w * gradient), without its magnitude."""
    w = weight.detach().numpy()
    g = gradient.detach().numpy()
    return torch.from_numpy(-(w * g).reshape(len(w), -1).sum(axis=1))


def wrong_13_8_e(weight, gradient):
    """Squares the sum, the importance of another paper; the same where the sum is 0 or 1."""
    return (weight.detach() * gradient).flatten(1).sum(dim=1) ** 2


def wrong_13_8_f(weight, gradient):
    """Multiplies the sums: (sum of w) * (sum of the gradient), not the sum of the products."""
    w = weight.detach().flatten(1).sum(dim=1)
    g = gradient.detach().flatten(1).sum(dim=1)
    return (w * g).abs()


def wrong_13_8_g(weight, gradient):
    """Multiplies in place through detach().numpy(), which writes the products into the layer's parameter."""
    w = weight.detach().numpy()
    w *= gradient.detach().numpy()
    return torch.from_numpy(np.abs(w.reshape(w.shape[0], -1).sum(axis=1)))


# 13.9 soft_target_loss
def wrong_13_9_a(student, teacher, temperature):
    """Uses the soft cross-entropy -sum(p * log q), without the teacher's own log p."""
    if student.shape != teacher.shape:
        raise ValueError("shapes differ")
    if temperature <= 0:
        raise ValueError("temperature must be positive")
    p = torch.softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return -(p * log_q).sum(dim=-1).mean() * temperature**2


def wrong_13_9_b(student, teacher, temperature):
    """Sums over the batch as well; right for a batch of one."""
    if student.shape != teacher.shape:
        raise ValueError("shapes differ")
    if temperature <= 0:
        raise ValueError("temperature must be positive")
    log_p = torch.log_softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="sum", log_target=True)


def wrong_13_9_c(student, teacher, temperature):
    """Calls kl_div in the order of the formula, teacher first, and so computes KL(student || teacher)."""
    if student.shape != teacher.shape:
        raise ValueError("shapes differ")
    if temperature <= 0:
        raise ValueError("temperature must be positive")
    log_p = F.log_softmax(teacher / temperature, dim=1)
    log_q = F.log_softmax(student / temperature, dim=1)
    return temperature**2 * F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)


def wrong_13_9_d(student, teacher, temperature):
    """Adds a tiny number before the logarithm: finite, but far too small for huge logits, and without a gradient."""
    if student.shape != teacher.shape:
        raise ValueError("shapes differ")
    if temperature <= 0:
        raise ValueError("temperature must be positive")
    eps = 1e-8
    p = torch.softmax(teacher / temperature, dim=-1)
    q = torch.softmax(student / temperature, dim=-1)
    kl = (p * (torch.log(p + eps) - torch.log(q + eps))).sum(dim=-1)
    return temperature**2 * kl.mean()


def wrong_13_9_e(student, teacher, temperature):
    """Compares the lengths of the batches only; (4, 1) against (4, 10) is broadcast without an error."""
    if len(student) != len(teacher):
        raise ValueError("shapes differ")
    if temperature <= 0:
        raise ValueError("temperature must be positive")
    log_p = torch.log_softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


def wrong_13_9_f(student, teacher, temperature):
    """Refuses negative temperatures only; 0 is not positive either, and gives NaN."""
    if student.shape != teacher.shape:
        raise ValueError("shapes differ")
    if temperature < 0:
        raise ValueError("temperature must be positive")
    log_p = torch.log_softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


def wrong_13_9_g(student, teacher, temperature):
    """Returns a loss without a gradient: it detaches both networks' logits, not only the teacher's."""
    if student.shape != teacher.shape:
        raise ValueError("shapes differ")
    if temperature <= 0:
        raise ValueError("temperature must be positive")
    with torch.no_grad():
        log_p = torch.log_softmax(teacher / temperature, dim=-1)
        log_q = torch.log_softmax(student / temperature, dim=-1)
        loss = (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    return temperature**2 * loss


# 13.10 pareto_front
def wrong_13_10_a(costs):
    """Demands that the other one is better in every measure; an equal measure saves a variant that is beaten."""
    beats = (costs[:, None] < costs).all(axis=-1)
    return ~beats.any(axis=0)


def wrong_13_10_b(costs):
    """Leaves out "better in at least one": of two equal variants each puts the other out."""
    n = len(costs)
    front = np.ones(n, dtype=bool)
    for i in range(n):
        for j in range(n):
            if i != j and (costs[j] <= costs[i]).all():
                front[i] = False
    return front


def wrong_13_10_c(costs):
    """Leaves out "no worse in any": one better measure is enough to beat, so hardly anybody stays."""
    better = (costs[:, None] < costs).any(axis=-1)
    return ~better.any(axis=0)


def wrong_13_10_d(costs):
    """Reduces the wrong axis: puts those out that beat another one, not those that are beaten."""
    no_worse = (costs[:, None] <= costs).all(axis=-1)
    better = (costs[:, None] < costs).any(axis=-1)
    beats = no_worse & better
    return ~beats.any(axis=1)


def wrong_13_10_e(costs):
    """Compares the first two measures only, as in the worked number."""
    front = []
    for a in costs:
        beaten = False
        for b in costs:
            no_worse = b[0] <= a[0] and b[1] <= a[1]
            better = b[0] < a[0] or b[1] < a[1]
            if no_worse and better:
                beaten = True
        front.append(not beaten)
    return np.array(front, dtype=bool)


def wrong_13_10_f(costs):
    """Compares each row with the rows before it only; a later one never puts an earlier one out."""
    front = np.ones(len(costs), dtype=bool)
    for i in range(len(costs)):
        for j in range(i):
            if (costs[j] <= costs[i]).all() and (costs[j] < costs[i]).any():
                front[i] = False
    return front


def wrong_13_10_g(costs):
    """Sorts the variants first and returns the answers in the sorted order, not in the order of the rows."""
    ordered = costs[np.argsort(costs[:, 0], kind="stable")]
    front = np.zeros(len(ordered), dtype=bool)
    for i, row in enumerate(ordered):
        beaten = (ordered <= row).all(axis=1) & (ordered < row).any(axis=1)
        front[i] = not beaten.any()
    return front


WRONG = {
    "13.1": [
        wrong_13_1_a,
        wrong_13_1_b,
        wrong_13_1_c,
        wrong_13_1_d,
        wrong_13_1_e,
        wrong_13_1_f,
        wrong_13_1_g,
    ],
    "13.2": [
        wrong_13_2_a,
        wrong_13_2_b,
        wrong_13_2_c,
        wrong_13_2_d,
        wrong_13_2_e,
        wrong_13_2_f,
        wrong_13_2_g,
    ],
    "13.3": [
        wrong_13_3_a,
        wrong_13_3_b,
        wrong_13_3_c,
        wrong_13_3_d,
        wrong_13_3_e,
        wrong_13_3_f,
        wrong_13_3_g,
    ],
    "13.4": [
        wrong_13_4_a,
        wrong_13_4_b,
        wrong_13_4_c,
        wrong_13_4_d,
        wrong_13_4_e,
        wrong_13_4_f,
        wrong_13_4_g,
    ],
    "13.5": [
        wrong_13_5_a,
        wrong_13_5_b,
        wrong_13_5_c,
        wrong_13_5_d,
        wrong_13_5_e,
        wrong_13_5_f,
        wrong_13_5_g,
    ],
    "13.6": [
        wrong_13_6_a,
        wrong_13_6_b,
        wrong_13_6_c,
        wrong_13_6_d,
        wrong_13_6_e,
        wrong_13_6_f,
        wrong_13_6_g,
    ],
    "13.7": [
        wrong_13_7_a,
        wrong_13_7_b,
        wrong_13_7_c,
        wrong_13_7_d,
        wrong_13_7_e,
        wrong_13_7_f,
        wrong_13_7_g,
    ],
    "13.8": [
        wrong_13_8_a,
        wrong_13_8_b,
        wrong_13_8_c,
        wrong_13_8_d,
        wrong_13_8_e,
        wrong_13_8_f,
        wrong_13_8_g,
    ],
    "13.9": [
        wrong_13_9_a,
        wrong_13_9_b,
        wrong_13_9_c,
        wrong_13_9_d,
        wrong_13_9_e,
        wrong_13_9_f,
        wrong_13_9_g,
    ],
    "13.10": [
        wrong_13_10_a,
        wrong_13_10_b,
        wrong_13_10_c,
        wrong_13_10_d,
        wrong_13_10_e,
        wrong_13_10_f,
        wrong_13_10_g,
    ],
}
