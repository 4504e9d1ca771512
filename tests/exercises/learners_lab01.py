"""Wrong answers as learners write them, by people who had not seen the catalogue of mistakes."""

import math
import statistics
from itertools import groupby, pairwise

import numpy as np

# 00.1 megabytes


def wrong_00_1_a(parameters, bits):
    """Never turns bits into bytes: these are megabits."""
    return parameters * bits / 1e6


def wrong_00_1_b(parameters, bits):
    """Takes a megabyte for 1024 · 1024 bytes."""
    return parameters * bits / 8 / (1024 * 1024)


def wrong_00_1_c(parameters, bits):
    """Whole division to get the bytes of a parameter, so 4 bits become 0 bytes."""
    bytes_each = bits // 8
    return parameters * bytes_each / 10**6


def wrong_00_1_d(parameters, bits):
    """Thinks that a parameter always takes whole bytes, so 4 bits take one byte."""
    return parameters * math.ceil(bits / 8) / 1e6


def wrong_00_1_e(parameters, bits):
    """Rounds the result to two decimals for reading, which loses small models."""
    return round(parameters * bits / 8 / 1e6, 2)


def wrong_00_1_f(parameters, bits):
    """Has the conversion upside down: 8/bits rather than bits/8."""
    return parameters * 8 / bits / 1e6


def wrong_00_1_g(parameters, bits):
    """Mixes two conventions: 1024 bytes to a kB and 1000 kB to a MB."""
    size_bytes = parameters * bits / 8
    size_kb = size_bytes / 1024
    return size_kb / 1000


# 01.1 image_scale_bias


def wrong_01_1_a(mean, std):
    """Takes the pixel as 0 to 1 already, so the 255 is missing in the scale."""
    scale = 1 / np.mean(std)
    bias = [-m / s for m, s in zip(mean, std, strict=True)]
    return scale, bias


def wrong_01_1_b(mean, std):
    """Copies ImageNet's 0.226 from Apple's guide into the scale instead of using the std given."""
    scale = 1 / (0.226 * 255.0)
    bias = [-m / s for m, s in zip(mean, std, strict=True)]
    return scale, bias


def wrong_01_1_c(mean, std):
    """Averages the three scales 1/(255·std), rather than dividing by the average std."""
    scales = [1 / (255 * s) for s in std]
    bias = [-m / s for m, s in zip(mean, std, strict=True)]
    return sum(scales) / len(scales), bias


def wrong_01_1_d(mean, std):
    """Needs one std for the scale and takes the first channel's."""
    scale = 1 / (255 * std[0])
    bias = [-m / s for m, s in zip(mean, std, strict=True)]
    return scale, bias


def wrong_01_1_e(mean, std):
    """The bias is only minus the mean; it forgets that the mean is divided by std too."""
    scale = 1 / (255 * np.mean(std))
    bias = [-m for m in mean]
    return scale, bias


def wrong_01_1_f(mean, std):
    """Returns one averaged bias, a number, where a list with one for each channel is asked for."""
    mean_of_means = sum(mean) / len(mean)
    mean_of_stds = sum(std) / len(std)
    return 1 / (255 * mean_of_stds), -mean_of_means / mean_of_stds


def wrong_01_1_g(mean, std):
    """Believes that Core ML computes scale · (pixel + bias), so gives the bias in pixels: −255 · mean."""
    scale = 1 / (255 * np.mean(std))
    bias = [-255 * m for m in mean]
    return scale, bias


# 01.2 sqnr_db


def wrong_01_2_a(reference, approximation):
    """20·log10, the factor for amplitudes, on a ratio of powers."""
    reference = np.asarray(reference, dtype=np.float64)
    approximation = np.asarray(approximation, dtype=np.float64)
    noise = np.sum((reference - approximation) ** 2)
    if noise == 0:
        return float("inf")
    return 20 * np.log10(np.sum(reference**2) / noise)


def wrong_01_2_b(reference, approximation):
    """np.log is the natural logarithm, not log10."""
    reference = np.asarray(reference, dtype=np.float64)
    approximation = np.asarray(approximation, dtype=np.float64)
    noise = np.sum((reference - approximation) ** 2)
    if noise == 0:
        return float("inf")
    return 10 * np.log(np.sum(reference**2) / noise)


def wrong_01_2_c(reference, approximation):
    """Subtracts first and turns into float64 afterwards, so int8 differences have wrapped around."""
    signal = (reference.astype(np.float64) ** 2).sum()
    noise = ((reference - approximation).astype(np.float64) ** 2).sum()
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(signal / noise))


def wrong_01_2_d(reference, approximation):
    """Adds a small eps against the division by zero, so equal arrays give a large number, not infinity."""
    reference = reference.astype(np.float64)
    approximation = approximation.astype(np.float64)
    signal = np.sum(reference**2)
    noise = np.sum((reference - approximation) ** 2)
    return 10 * np.log10(signal / (noise + 1e-12))


def wrong_01_2_e(reference, approximation):
    """Uses np.allclose for "equal", so a small error counts as none at all."""
    reference = np.asarray(reference, dtype=np.float64)
    approximation = np.asarray(approximation, dtype=np.float64)
    if np.allclose(reference, approximation):
        return float("inf")
    return 10 * np.log10(np.sum(reference**2) / np.sum((reference - approximation) ** 2))


def wrong_01_2_f(reference, approximation):
    """Takes power for variance, which removes the mean of signal and error."""
    reference = np.asarray(reference, dtype=np.float64)
    approximation = np.asarray(approximation, dtype=np.float64)
    if np.array_equal(reference, approximation):
        return float("inf")
    return 10 * np.log10(np.var(reference) / np.var(reference - approximation))


# 01.3 affine_params


def wrong_01_3_a(lo, hi):
    """Widens the range at the lower end only, so a range below 0 does not hold 0."""
    if lo > hi:
        raise ValueError("lo is above hi")
    lo = min(lo, 0)
    if lo == hi:
        return 1.0, -128
    scale = (hi - lo) / 255
    return scale, round(-128 - lo / scale)


def wrong_01_3_b(lo, hi):
    """Widens before it checks, so lo above hi is hardly ever noticed."""
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    if lo > hi:
        raise ValueError(f"lo {lo} is above hi {hi}")
    scale = (hi - lo) / 255
    if scale == 0:
        scale = 1.0
    return scale, round(-128 - lo / scale)


def wrong_01_3_c(lo, hi):
    """Treats every range of one value as the empty one, before widening: (5, 5) gets scale 1."""
    if lo > hi:
        raise ValueError("lo > hi")
    if lo == hi:
        return 1.0, -128
    lo, hi = min(lo, 0), max(hi, 0)
    scale = (hi - lo) / 255
    return scale, int(np.round(-128 - lo / scale))


def wrong_01_3_d(lo, hi):
    """The formula of a tutorial for uint8: the zero point counts from 0, not from −128."""
    if lo > hi:
        raise ValueError("lo must not be above hi")
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / 255 or 1.0
    return scale, round(-lo / scale)


def wrong_01_3_e(lo, hi):
    """Uses the narrow range −127 to 127, as for weights: 254 steps, lo at −127."""
    if lo > hi:
        raise ValueError("lo must not be above hi")
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / 254
    if scale == 0:
        scale = 1.0
    return scale, round(-127 - lo / scale)


def wrong_01_3_f(lo, hi):
    """Cuts the zero point off with int() instead of rounding; the worked number comes out right."""
    if lo > hi:
        raise ValueError("lo must not be above hi")
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / 255
    if scale == 0:
        scale = 1.0
    return scale, int(-128 - lo / scale)


def wrong_01_3_g(lo, hi):
    """Rounds the scale to four decimals, as the worked number prints it."""
    if lo > hi:
        raise ValueError("lo must not be above hi")
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = round((hi - lo) / 255, 4)
    if scale == 0:
        scale = 1.0
    return scale, round(-128 - lo / scale)


# 01.4 weight_scales


def wrong_01_4_a(weights):
    """The magnitude of the maximum, not the maximum of the magnitudes: large negative weights are lost."""
    largest = np.abs(weights.reshape(len(weights), -1).max(axis=1))
    return np.where(largest == 0, 1.0, largest / 127)


def wrong_01_4_b(weights):
    """Reshapes with the two sizes the wrong way round, so a column is not a channel."""
    largest = np.abs(weights).reshape(-1, len(weights)).max(axis=0)
    return np.where(largest == 0, 1.0, largest / 127)


def wrong_01_4_c(weights):
    """Puts the 1 in before the division, so a channel of zeros gets 1/127."""
    largest = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    largest[largest == 0] = 1
    return largest / 127


def wrong_01_4_d(weights):
    """Takes the axes of a convolution for granted: dense weights of two axes fail."""
    largest = np.abs(weights).max(axis=(1, 2, 3))
    return np.where(largest > 0, largest / 127, 1.0)


def wrong_01_4_e(weights):
    """The asymmetric formula, (max − min)/255, for symmetric weights."""
    rows = weights.reshape(len(weights), -1)
    scales = (rows.max(axis=1) - rows.min(axis=1)) / 255
    scales[scales == 0] = 1.0
    return scales


def wrong_01_4_f(weights):
    """Calls every small channel zero (below 1e-3), so its real scale is replaced by 1."""
    largest = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    return np.where(largest < 1e-3, 1.0, largest / 127)


def wrong_01_4_g(weights):
    """Keeps the reduced axes for broadcasting, so the shape is (channels, 1, …), not (channels,)."""
    axes = tuple(range(1, weights.ndim))
    largest = np.abs(weights).max(axis=axes, keepdims=True)
    return np.where(largest == 0, 1.0, largest / 127)


# 01.5 representative_batch


def _first_rows(labels, per_class):
    """Return the right rows, for the answers whose mistake lies elsewhere."""
    rows = []
    for label in np.unique(labels):
        found = np.flatnonzero(labels == label)[:per_class]
        if len(found) < per_class:
            raise ValueError(f"class {label} has too few images")
        rows.append(found)
    return np.concatenate(rows)


def wrong_01_5_a(images, labels, per_class, mean, std):
    """Normalizes with the mean and std of the batch itself and ignores those of training."""
    pixels = images[_first_rows(labels, per_class)].astype(np.float32) / 255
    return (pixels - pixels.mean()) / pixels.std()


def wrong_01_5_b(images, labels, per_class, mean, std):
    """Puts the channels last, since it heard that LiteRT wants NHWC."""
    pixels = images[_first_rows(labels, per_class)].astype(np.float32)
    return ((pixels / 255 - mean) / std).transpose(0, 2, 3, 1)


def wrong_01_5_c(images, labels, per_class, mean, std):
    """Takes the classes in the order in which they first appear, not ascending."""
    rows = []
    for label in dict.fromkeys(labels.tolist()):
        found = np.flatnonzero(labels == label)[:per_class]
        if len(found) < per_class:
            raise ValueError("too few images")
        rows.extend(found)
    pixels = images[rows].astype(np.float32)
    return (pixels / 255 - mean) / std


def wrong_01_5_d(images, labels, per_class, mean, std):
    """Divides the bytes without astype(float32), so the batch is float64."""
    pixels = images[_first_rows(labels, per_class)]
    return (pixels / 255 - mean) / std


def wrong_01_5_e(images, labels, per_class, mean, std):
    """Takes the mean off the raw pixels, before dividing by 255."""
    pixels = images[_first_rows(labels, per_class)].astype(np.float32)
    return (pixels - mean) / 255 / std


def wrong_01_5_f(images, labels, per_class, mean, std):
    """Assumes that the classes are 0, 1, 2, … without a gap."""
    rows = []
    for label in range(len(np.unique(labels))):
        found = np.flatnonzero(labels == label)[:per_class]
        if len(found) < per_class:
            raise ValueError(f"class {label} has too few images")
        rows.append(found)
    pixels = images[np.concatenate(rows)].astype(np.float32)
    return (pixels / 255 - mean) / std


def wrong_01_5_g(images, labels, per_class, mean, std):
    """Off by one in the check: a class with exactly per_class images is refused."""
    rows = []
    for label in np.unique(labels):
        found = np.flatnonzero(labels == label)
        if len(found) <= per_class:
            raise ValueError(f"class {label} has only {len(found)} images")
        rows.append(found[:per_class])
    pixels = images[np.concatenate(rows)].astype(np.float32)
    return (pixels / 255 - mean) / std


# 01.6 latency_percentiles


def wrong_01_6_a(seconds, warmup=0):
    """Sorts before taking the warm-up off, so the fastest calls are dropped, not the first."""
    times = np.sort(seconds)[warmup:] * 1000
    if len(times) == 0:
        raise ValueError("no calls left")
    return np.percentile(times, 50), np.percentile(times, 90)


def wrong_01_6_b(seconds, warmup=0):
    """statistics.quantiles interpolates by another rule (exclusive) than np.percentile."""
    times = [s * 1000 for s in seconds[warmup:]]
    if not times:
        raise ValueError("no calls left after the warm-up")
    if len(times) == 1:
        return times[0], times[0]
    return statistics.median(times), statistics.quantiles(times, n=10)[8]


def wrong_01_6_c(seconds, warmup=0):
    """The middle element as the median: for an even number of calls it is the upper of the two."""
    times = sorted(s * 1000 for s in seconds[warmup:])
    if not times:
        raise ValueError("no calls left")
    return times[len(times) // 2], float(np.percentile(times, 90))


def wrong_01_6_d(seconds, warmup=0):
    """Raises only if warmup is larger than the number of calls; with as many, none is left either."""
    if warmup > len(seconds):
        raise ValueError("warmup is longer than the measurement")
    times = np.array(seconds[warmup:]) * 1000
    return tuple(np.percentile(times, [50, 90]))


def wrong_01_6_e(seconds, warmup=0):
    """Rounds to one decimal of a millisecond, as in the worked number."""
    times = np.array(seconds[warmup:]) * 1000
    if times.size == 0:
        raise ValueError("no calls left")
    return round(float(np.median(times)), 1), round(float(np.percentile(times, 90)), 1)


def wrong_01_6_f(seconds, warmup=0):
    """np.percentile with fractions: 0.5 and 0.9 are half a percent and nine tenths of one."""
    times = np.array(seconds[warmup:]) * 1000
    if times.size == 0:
        raise ValueError("no calls left")
    return float(np.percentile(times, 0.5)), float(np.percentile(times, 0.9))


def wrong_01_6_g(seconds, warmup=0):
    """Throws outliers away (above three medians) before the percentiles, though they are calls too."""
    times = np.array(seconds[warmup:]) * 1000
    if times.size == 0:
        raise ValueError("no calls left")
    times = times[times <= 3 * np.median(times)]
    return float(np.median(times)), float(np.percentile(times, 90))


# 01.7 count_partitions


def wrong_01_7_a(supported):
    """supported[i - 1] is the LAST operator for i = 0, so a first partition can get lost."""
    count = 0
    for i in range(len(supported)):
        if supported[i] and not supported[i - 1]:
            count += 1
    return count


def wrong_01_7_b(supported):
    """Splits at the unsupported operators and counts empty pieces as well."""
    return len("".join("x" if s else "-" for s in supported).split("-"))


def wrong_01_7_c(supported):
    """Half the number of changes, plus one: right only for chains that start and end on the delegate."""
    changes = sum(a != b for a, b in pairwise(supported))
    return changes // 2 + 1


def wrong_01_7_d(supported):
    """Looks at the first operator without asking whether there is one: an empty list fails."""
    count = 1 if supported[0] else 0
    for before, now in pairwise(supported):
        if now and not before:
            count += 1
    return count


def wrong_01_7_e(supported):
    """The return stands inside of the loop, so only the first operator is looked at."""
    count = 0
    before = False
    for now in supported:
        if now and not before:
            count += 1
        before = now
        return count
    return count


def wrong_01_7_f(supported):
    """Counts every change between delegate and CPU, which are the borders, not the partitions."""
    count = 0
    for i in range(1, len(supported)):
        if supported[i] != supported[i - 1]:
            count += 1
    return count


def wrong_01_7_g(supported):
    """Counts a partition where it ends at an unsupported operator; one that reaches the end is missed."""
    count = 0
    inside = False
    for s in supported:
        if s:
            inside = True
        elif inside:
            count += 1
            inside = False
    return count


# 01.8 version_ranges


def wrong_01_8_a(uses):
    """Takes the first and the last version seen for the lowest and the highest."""
    ranges = {}
    for name, version in uses:
        ranges[name] = (ranges[name][0], version) if name in ranges else (version, version)
    return ranges


def wrong_01_8_c(uses):
    """Starts each range at (0, 0), so the lowest version is always 0."""
    ranges = {}
    for name, version in uses:
        low, high = ranges.get(name, (0, 0))
        ranges[name] = (min(low, version), max(high, version))
    return ranges


def wrong_01_8_d(uses):
    """groupby without sorting groups neighbors only, so the last group of a name wins."""
    ranges = {}
    for name, group in groupby(uses, key=lambda use: use[0]):
        versions = [version for _, version in group]
        ranges[name] = (min(versions), max(versions))
    return ranges


def wrong_01_8_e(uses):
    """Returns all the different versions of a name, which are not always two."""
    ranges = {}
    for name, version in uses:
        ranges.setdefault(name, set()).add(version)
    return {name: tuple(sorted(versions)) for name, versions in ranges.items()}


def wrong_01_8_f(uses):
    """Lowest and highest over all operators, the same pair for each name."""
    if not uses:
        return {}
    versions = [version for _, version in uses]
    return {name: (min(versions), max(versions)) for name, _ in uses}


def wrong_01_8_g(uses):
    """Compares with the lowest only: a higher version that comes later is never kept."""
    ranges = {}
    for name, version in uses:
        if name not in ranges:
            ranges[name] = (version, version)
        elif version < ranges[name][0]:
            ranges[name] = (version, ranges[name][1])
    return ranges


WRONG = {
    "00.1": [wrong_00_1_a, wrong_00_1_b, wrong_00_1_c, wrong_00_1_d, wrong_00_1_e, wrong_00_1_f, wrong_00_1_g],
    "01.1": [wrong_01_1_a, wrong_01_1_b, wrong_01_1_c, wrong_01_1_d, wrong_01_1_e, wrong_01_1_f, wrong_01_1_g],
    "01.2": [wrong_01_2_a, wrong_01_2_b, wrong_01_2_c, wrong_01_2_d, wrong_01_2_e, wrong_01_2_f],
    "01.3": [wrong_01_3_a, wrong_01_3_b, wrong_01_3_c, wrong_01_3_d, wrong_01_3_e, wrong_01_3_f, wrong_01_3_g],
    "01.4": [wrong_01_4_a, wrong_01_4_b, wrong_01_4_c, wrong_01_4_d, wrong_01_4_e, wrong_01_4_f, wrong_01_4_g],
    "01.5": [wrong_01_5_a, wrong_01_5_b, wrong_01_5_c, wrong_01_5_d, wrong_01_5_e, wrong_01_5_f, wrong_01_5_g],
    "01.6": [wrong_01_6_a, wrong_01_6_b, wrong_01_6_c, wrong_01_6_d, wrong_01_6_e, wrong_01_6_f, wrong_01_6_g],
    "01.7": [wrong_01_7_a, wrong_01_7_b, wrong_01_7_c, wrong_01_7_d, wrong_01_7_e, wrong_01_7_f, wrong_01_7_g],
    "01.8": [wrong_01_8_a, wrong_01_8_c, wrong_01_8_d, wrong_01_8_e, wrong_01_8_f, wrong_01_8_g],
}
