"""Wrong answers as learners write them, a second set, written after the catalogue was complete."""

from itertools import groupby

import numpy as np

# 00.1: how many megabytes a model takes


def wrong_00_1_a(parameters, bits):
    """A kilobyte has 1000 bytes, and there it stops: the result is in kB."""
    total_bits = parameters * bits
    total_bytes = total_bits / 8
    return total_bytes / 1000


def wrong_00_1_b(parameters, bits):
    """A number takes at least a whole byte, as in C, so 4 bits cost 8."""
    bytes_each = max(1, bits // 8)
    return parameters * bytes_each / 1_000_000


def wrong_00_1_c(parameters, bits):
    """Prints the size and forgets to return it."""
    size = parameters * bits / 8 / 1_000_000
    print(f"{size} MB")


def wrong_00_1_d(parameters, bits):
    """A megabyte is taken for 1024 times 1024 bytes."""
    return parameters * bits / 8 / 1024**2


def wrong_00_1_e(parameters, bits):
    """Divides by the bits and multiplies by 8, which the worked number does not notice."""
    return parameters / bits * 8 / 1e6


# 01.1: the scale and bias of an image input


def wrong_01_1_a(mean, std):
    """A statistician averages variances: the scale has the root of the mean square of the stds."""
    pooled = float(np.sqrt(np.mean(np.square(std))))
    scale = 1 / (255 * pooled)
    bias = [-m / s for m, s in zip(mean, std, strict=True)]
    return scale, bias


def wrong_01_1_b(mean, std):
    """Forgets the parentheses: 1 / 255 * std multiplies by the std."""
    average = sum(std) / len(std)
    scale = 1 / 255 * average
    bias = [-m / s for m, s in zip(mean, std, strict=True)]
    return scale, bias


def wrong_01_1_c(mean, std):
    """Thinks that the bias is added before the scale multiplies: scale * (pixel + bias)."""
    scale = 1 / (255 * np.mean(std))
    bias = [-255 * m for m in mean]
    return float(scale), bias


def wrong_01_1_d(mean, std):
    """Divides the bias by 255 as well, since 'everything is in pixels now'."""
    average = sum(std) / len(std)
    scale = 1 / (255 * average)
    bias = [-m / (255 * s) for m, s in zip(mean, std, strict=True)]
    return scale, bias


def wrong_01_1_e(mean, std):
    """Averages the means too, and gives every channel its share of that one mean."""
    average_mean, average_std = sum(mean) / len(mean), sum(std) / len(std)
    scale = 1 / (255 * average_std)
    bias = [-average_mean / s for s in std]
    return scale, bias


# 01.2: a parity metric in decibels


def wrong_01_2_a(reference, approximation):
    """Subtracts in int8 and turns the difference into float64 only then."""
    signal = np.sum(np.asarray(reference).astype(np.float64) ** 2)
    noise = np.sum((np.asarray(reference) - np.asarray(approximation)).astype(np.float64) ** 2)
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(signal / noise))


def wrong_01_2_b(reference, approximation):
    """A statistician's power is the variance, so a constant offset is no error."""
    reference, approximation = np.asarray(reference, np.float64), np.asarray(approximation, np.float64)
    signal = np.var(reference)
    noise = np.var(reference - approximation)
    return float("inf") if noise == 0 else float(10 * np.log10(signal / noise))


def wrong_01_2_c(reference, approximation):
    """Takes np.allclose for equality, so a very good approximation becomes infinite."""
    reference, approximation = np.asarray(reference, np.float64), np.asarray(approximation, np.float64)
    if np.allclose(reference, approximation):
        return float("inf")
    signal = (reference**2).sum()
    noise = ((reference - approximation) ** 2).sum()
    return float(10 * np.log10(signal / noise))


def wrong_01_2_d(reference, approximation):
    """Computes decibels row by row and averages them."""
    reference, approximation = np.asarray(reference, np.float64), np.asarray(approximation, np.float64)
    signal = (reference**2).sum(axis=-1)
    noise = ((reference - approximation) ** 2).sum(axis=-1)
    with np.errstate(divide="ignore"):
        return float(np.mean(10 * np.log10(signal / noise)))


def wrong_01_2_e(reference, approximation):
    """The power of the error is taken for the difference of the two powers."""
    reference, approximation = np.asarray(reference, np.float64), np.asarray(approximation, np.float64)
    signal = np.sum(reference**2)
    noise = abs(np.sum(approximation**2) - signal)
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(signal / noise))


# 01.3: scale and zero point from a range


def wrong_01_3_a(lo, hi):
    """Rounds with int(), which cuts towards zero."""
    if lo > hi:
        raise ValueError("lo is above hi")
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / 255 or 1.0
    zero_point = int(-128 - lo / scale)
    return scale, zero_point


def wrong_01_3_b(lo, hi):
    """Treats lo == hi as the empty range before widening, so the range (2, 2) gets scale 1."""
    if lo > hi:
        raise ValueError("lo is above hi")
    if lo == hi:
        return 1.0, -128
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / 255
    return scale, round(-128 - lo / scale)


def wrong_01_3_c(lo, hi):
    """Refuses lo > hi after widening, when it can no longer be so."""
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    if lo > hi:
        raise ValueError("lo is above hi")
    scale = (hi - lo) / 255
    if scale == 0:
        scale = 1.0
    return scale, round(-128 - lo / scale)


def wrong_01_3_d(lo, hi):
    """Widens at the lower end only: activations after a ReLU are never negative."""
    if lo > hi:
        raise ValueError("lo is above hi")
    if lo > 0:
        lo = 0.0
    scale = (hi - lo) / 255
    if scale == 0:
        scale = 1.0
    return scale, int(round(-128 - lo / scale))  # noqa: RUF046


def wrong_01_3_e(lo, hi):
    """A signal engineer makes the range symmetric before applying the affine formula."""
    if lo > hi:
        raise ValueError("lo is above hi")
    peak = max(abs(lo), abs(hi))
    if peak == 0:
        return 1.0, -128
    scale = 2 * peak / 255
    return scale, round(-128 + peak / scale)


# 01.4: a scale for each output channel


def wrong_01_4_a(weights):
    """Puts the 1 for a zero channel before the division by 127."""
    weights = np.asarray(weights)
    largest = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    largest[largest == 0] = 1
    return largest / 127


def wrong_01_4_b(weights):
    """A statistician mistrusts maxima and lets three standard deviations land on 127."""
    weights = np.asarray(weights)
    largest = 3 * weights.reshape(len(weights), -1).std(axis=1)
    return np.where(largest == 0, 1.0, largest / 127)


def wrong_01_4_c(weights):
    """Writes the axes of a convolution's weights out, so a dense layer's weights fail."""
    largest = np.abs(weights).max(axis=(1, 2, 3))
    return np.where(largest == 0, 1.0, largest / 127)


def wrong_01_4_d(weights):
    """One scale for each 3x3 filter: output times input channels."""
    weights = np.asarray(weights)
    filters = weights.reshape(-1, int(np.prod(weights.shape[2:])))
    largest = np.abs(filters).max(axis=1)
    return np.where(largest == 0, 1.0, largest / 127)


def wrong_01_4_e(weights):
    """Returns the factor to multiply by, 127 / largest."""
    weights = np.asarray(weights)
    largest = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    scales = np.ones(len(weights))
    scales[largest > 0] = 127 / largest[largest > 0]
    return scales


# 01.5: a representative set


def wrong_01_5_a(images, labels, per_class, mean, std):
    """Normalizes by the mean and std of the chosen images and leaves the arguments unused."""
    chosen = []
    for label in np.unique(labels):
        found = np.flatnonzero(labels == label)[:per_class]
        if len(found) < per_class:
            raise ValueError(f"class {label} has too few images")
        chosen.append(found)
    pixels = images[np.concatenate(chosen)].astype(np.float32) / 255
    return (pixels - pixels.mean()) / pixels.std()


def wrong_01_5_b(images, labels, per_class, mean, std):
    """Takes the classes to be 0, 1, 2, ... without gaps."""
    chosen = []
    for label in range(len(np.unique(labels))):
        found = np.flatnonzero(labels == label)[:per_class]
        if len(found) < per_class:
            raise ValueError(f"class {label} has too few images")
        chosen.append(found)
    pixels = images[np.concatenate(chosen)].astype(np.float32)
    return ((pixels / 255 - mean) / std).astype(np.float32)


def wrong_01_5_c(images, labels, per_class, mean, std):
    """Deals the classes like cards: one image of each class, then the second of each."""
    chosen = []
    for label in np.unique(labels):
        found = np.flatnonzero(labels == label)[:per_class]
        if len(found) < per_class:
            raise ValueError(f"class {label} has too few images")
        chosen.append(found)
    rows = np.stack(chosen, axis=1).reshape(-1)
    pixels = images[rows].astype(np.float32)
    return ((pixels / 255 - mean) / std).astype(np.float32)


def wrong_01_5_d(images, labels, per_class, mean, std):
    """Asks whether there are enough images in all, and not in each class."""
    classes = np.unique(labels)
    if len(images) < per_class * len(classes):
        raise ValueError("too few images")
    rows = np.concatenate([np.flatnonzero(labels == label)[:per_class] for label in classes])
    pixels = images[rows].astype(np.float32)
    return ((pixels / 255 - mean) / std).astype(np.float32)


def wrong_01_5_e(images, labels, per_class, mean, std):
    """Puts the channels last, because LiteRT computes so."""
    chosen = []
    for label in np.unique(labels):
        found = np.flatnonzero(labels == label)[:per_class]
        if len(found) < per_class:
            raise ValueError(f"class {label} has too few images")
        chosen.append(found)
    pixels = images[np.concatenate(chosen)].astype(np.float32)
    return ((pixels / 255 - mean) / std).astype(np.float32).transpose(0, 2, 3, 1)


# 01.6: the latency that one may quote


def wrong_01_6_a(seconds, warmup=0):
    """A statistician takes the durations as normal: p90 is the mean plus 1.2816 standard deviations."""
    times = np.asarray(seconds[warmup:]) * 1000
    if len(times) == 0:
        raise ValueError("no call is left")
    return float(np.median(times)), float(times.mean() + 1.2816 * times.std())


def wrong_01_6_b(seconds, warmup=0):
    """Hands np.percentile a fraction, 0.5 and 0.9, as np.quantile would want it."""
    times = np.array(seconds[warmup:]) * 1000
    if times.size == 0:
        raise ValueError("no call is left")
    return np.percentile(times, 0.5), np.percentile(times, 0.9)


def wrong_01_6_c(seconds, warmup=0):
    """Off by one in the guard: when exactly all calls are warm-up it returns zeros, not a ValueError."""
    if warmup > len(seconds):
        raise ValueError("no call is left")
    times = [1000 * s for s in seconds[warmup:]] or [0.0]
    return float(np.percentile(times, 50)), float(np.percentile(times, 90))


def wrong_01_6_d(seconds, warmup=0):
    """Trims as many calls at the end as at the beginning."""
    times = np.array(seconds[warmup : len(seconds) - warmup]) * 1000
    if len(times) == 0:
        raise ValueError("no call is left")
    return float(np.percentile(times, 50)), float(np.percentile(times, 90))


def wrong_01_6_e(seconds, warmup=0):
    """The median is the element at n // 2, also when n is even."""
    times = sorted(s * 1000 for s in seconds[warmup:])
    if not times:
        raise ValueError("no call is left")
    return times[len(times) // 2], float(np.percentile(times, 90))


# 01.7: how many pieces a delegate gets


def wrong_01_7_a(supported):
    """Looks at supported[i - 1] for i = 0 too, which Python takes for the last operator."""
    count = 0
    for i in range(len(supported)):
        if supported[i] and not supported[i - 1]:
            count += 1
    return count


def wrong_01_7_b(supported):
    """Splits a string at the unsupported operators and counts the empty pieces as well."""
    text = "".join("1" if taken else "0" for taken in supported)
    return len(text.split("0"))


def wrong_01_7_c(supported):
    """An operator alone is no partition: 'neighbors' takes at least two."""
    count = 0
    for taken, run in groupby(supported):
        if taken and len(list(run)) >= 2:
            count += 1
    return count


def wrong_01_7_d(supported):
    """The return stands inside the loop, one indent too far."""
    count = 0
    before = False
    for taken in supported:
        if taken and not before:
            count += 1
        before = taken
        return count
    return count


def wrong_01_7_e(supported):
    """Halves the number of runs, rounded up, as if every chain began with a supported operator."""
    runs = len(list(groupby(supported)))
    return (runs + 1) // 2


# 01.8: the operators to register


def wrong_01_8_a(uses):
    """Starts from (inf, 0) and compares with elif, so a first version never counts as the highest."""
    ranges = {}
    for name, version in uses:
        low, high = ranges.get(name, (float("inf"), 0))
        if version < low:
            low = version
        elif version > high:
            high = version
        ranges[name] = (low, high)
    return ranges


def wrong_01_8_b(uses):
    """Versions begin at 1, so the lowest is always 1."""
    ranges = {}
    for name, version in uses:
        highest = ranges.get(name, (1, 1))[1]
        ranges[name] = (1, max(highest, version))
    return ranges


def wrong_01_8_c(uses):
    """Uses groupby without sorting, so a name that comes again later overwrites its range."""
    ranges = {}
    for name, group in groupby(uses, key=lambda use: use[0]):
        versions = [version for _, version in group]
        ranges[name] = (min(versions), max(versions))
    return ranges


def wrong_01_8_d(uses):
    """dict.fromkeys gives every name the same list, so all get the range over all operators."""
    versions = dict.fromkeys([name for name, _ in uses], [])  # noqa: RUF024
    for name, version in uses:
        versions[name].append(version)
    return {name: (min(found), max(found)) for name, found in versions.items()}


def wrong_01_8_e(uses):
    """The upper end is made exclusive, as in Python's range."""
    ranges = {}
    for name, version in uses:
        low, high = ranges.get(name, (version, version + 1))
        ranges[name] = (min(low, version), max(high, version + 1))
    return ranges


WRONG = {
    "00.1": [wrong_00_1_a, wrong_00_1_b, wrong_00_1_c, wrong_00_1_d, wrong_00_1_e],
    "01.1": [wrong_01_1_a, wrong_01_1_b, wrong_01_1_c, wrong_01_1_d, wrong_01_1_e],
    "01.2": [wrong_01_2_a, wrong_01_2_b, wrong_01_2_c, wrong_01_2_d, wrong_01_2_e],
    "01.3": [wrong_01_3_a, wrong_01_3_b, wrong_01_3_c, wrong_01_3_d, wrong_01_3_e],
    "01.4": [wrong_01_4_a, wrong_01_4_b, wrong_01_4_c, wrong_01_4_d, wrong_01_4_e],
    "01.5": [wrong_01_5_a, wrong_01_5_b, wrong_01_5_c, wrong_01_5_d, wrong_01_5_e],
    "01.6": [wrong_01_6_a, wrong_01_6_b, wrong_01_6_c, wrong_01_6_d, wrong_01_6_e],
    "01.7": [wrong_01_7_a, wrong_01_7_b, wrong_01_7_c, wrong_01_7_d, wrong_01_7_e],
    "01.8": [wrong_01_8_a, wrong_01_8_b, wrong_01_8_c, wrong_01_8_d, wrong_01_8_e],
}
