"""Right answers to exercises 06.6 to 06.10, each written in another way than the library's own."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import OrderedDict, deque

import cv2
import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.signal import lfilter
from scipy.spatial.distance import mahalanobis
from scipy.stats import chi2

from pocketlab.signals.audio import hz_to_mel, mel_to_hz

# 06.6


def gate_by_inverse(residual, S, share):
    if np.isnan(residual).any():
        return float("nan"), False
    distance = residual @ np.linalg.inv(S) @ residual
    return distance, distance <= chi2.ppf(share, df=residual.size)


def gate_by_cholesky(residual, S, share):
    white = np.linalg.solve(np.linalg.cholesky(S), residual)
    squared = float(np.sum(white**2))
    return squared, bool(squared <= chi2.isf(1 - share, len(white)))


def gate_along_axes(residual, S, share):
    variances, axes = np.linalg.eigh(S)
    squared = float(sum((axes.T @ residual) ** 2 / variances))
    return [squared, squared <= float(chi2.ppf(share, S.shape[0]))]


def gate_by_probability(residual, S, share):
    """The share of good fixes that are nearer than this one."""
    if np.isnan(residual).any():
        return np.nan, False
    squared = mahalanobis(residual, np.zeros(len(residual)), np.linalg.inv(S)) ** 2
    return squared, bool(chi2.cdf(squared, len(residual)) <= share)


def gate_with_scipy(residual, S, share):
    squared = np.dot(residual, cho_solve(cho_factor(S), residual, check_finite=False))
    return squared.item(), (squared <= chi2(len(residual)).ppf(share)).item()


# 06.7


def biquad_by_lfilter(section, x, state):
    if len(x) == 0:
        return np.array([]), state
    return lfilter(section[:3], section[3:], x, zi=np.array(state, float))


def biquad_in_lists(section, x, state):
    b0, b1, b2, _, a1, a2 = section.tolist()
    s1, s2 = state.tolist()
    y = []
    for sample in x.tolist():
        y.append(b0 * sample + s1)
        s1, s2 = s2 + b1 * sample - a1 * y[-1], b2 * sample - a2 * y[-1]
    return y, [s1, s2]


def biquad_by_vectors(section, x, state):
    numerator, denominator = section[:3], section[3:]
    waiting = np.append(np.array(state, float), 0.0)
    y = np.zeros_like(x, dtype=float)
    for n in range(len(x)):
        y[n] = numerator[0] * x[n] + waiting[0]
        waiting[:2] = waiting[1:] + numerator[1:] * x[n] - denominator[1:] * y[n]
    return y, waiting[:2]


def biquad_in_single_precision(section, x, state):
    b0, b1, b2, _, a1, a2 = map(float, section)
    s1, s2 = np.float32(state[0]), np.float32(state[1])
    y = np.empty(len(x), np.float32)
    for n, sample in enumerate(np.float32(x)):
        y[n] = b0 * sample + s1
        s1 = b1 * sample - a1 * y[n] + s2
        s2 = b2 * sample - a2 * y[n]
    return y, np.array([s1, s2])


def biquad_by_recursion_of_outputs(section, x, state):
    """The outputs alone, by direct form I; the state is what one more zero, and another, would bring."""
    b, a = section[:3], section[3:]
    inputs, outputs = [0.0, 0.0, *map(float, x), 0.0, 0.0], [0.0, 0.0]
    extra = [float(state[0]), float(state[1])]
    for n in range(2, len(inputs)):
        fed = sum(b[k] * inputs[n - k] for k in range(3)) - a[1] * outputs[n - 1] - a[2] * outputs[n - 2]
        outputs.append(fed + (extra[n - 2] if n < 4 else 0.0))
    y, (next_1, next_2) = np.array(outputs[2:-2]), outputs[-2:]
    return y, np.array([next_1, next_2 + a[1] * next_1])


# 06.8


def mel_by_interpolation(bands, fft_length, sample_rate):
    points = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), bands + 2))
    frequencies = np.fft.rfftfreq(fft_length, 1 / sample_rate)
    return [np.interp(frequencies, points[k : k + 3], [0, 1, 0]) for k in range(bands)]


def mel_in_loops(bands, fft_length, sample_rate):
    step = float(hz_to_mel(sample_rate / 2)) / (bands + 1)
    triangles = np.zeros((bands, fft_length // 2 + 1), np.float32)
    for k, j in itertools.product(range(bands), range(fft_length // 2 + 1)):
        left, center, right = (float(mel_to_hz(step * (k + i))) for i in range(3))
        f = j * sample_rate / fft_length
        if left < f <= center:
            triangles[k, j] = (f - left) / (center - left)
        elif center < f < right:
            triangles[k, j] = 1 - (f - center) / (right - center)
    return triangles


def mel_by_products(bands, fft_length, sample_rate):
    """Both sides kept to 0 to 1: where one is below 1, the other is 1."""
    p = mel_to_hz(np.linspace(hz_to_mel(0.0), hz_to_mel(0.5 * sample_rate), bands + 2)).reshape(-1, 1)
    f = np.arange(0, fft_length // 2 + 1).reshape(1, -1) * (sample_rate / fft_length)
    rising = np.clip((f - p[:-2]) / np.diff(p, axis=0)[:-1], 0, 1)
    falling = np.clip((p[2:] - f) / np.diff(p, axis=0)[1:], 0, 1)
    return rising * falling


def mel_by_ramps(bands, fft_length, sample_rate):
    """Every frequency lies between two points, and adds to two bands, together 1."""
    points = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), bands + 2)).tolist()
    triangles = np.zeros((bands + 2, fft_length // 2 + 1))
    for j in range(fft_length // 2 + 1):
        f = sample_rate * j / fft_length
        k = min(max(bisect.bisect_right(points, f) - 1, 0), bands)
        share = (f - points[k]) / (points[k + 1] - points[k])
        triangles[k, j], triangles[k + 1, j] = 1 - share, share
    return triangles[1:-1]


# 06.9


def rgb_pixel_by_pixel(y, u, v, matrix):
    height, width = y.shape
    image = np.zeros((height, width, 3), np.uint8)
    for i, j, color in itertools.product(range(height), range(width), range(3)):
        number = np.dot(matrix[color], [y[i, j], u[i // 2, j // 2], v[i // 2, j // 2], 1])
        image[i, j, color] = min(max(round(number), 0), 255)
    return image


def rgb_by_einsum(y, u, v, matrix):
    block = np.ones((2, 2))
    planes = np.stack([y, np.kron(u, block), np.kron(v, block), np.ones(y.shape)])
    colors = np.einsum("cp,phw->hwc", matrix, planes)
    return np.floor(colors.clip(0, 255) + 0.5).astype("uint8")


def rgb_in_single_precision(y, u, v, matrix):
    rows, columns = np.arange(y.shape[0])[:, None] // 2, np.arange(y.shape[1]) // 2
    y, u, v = np.float32(y), np.float32(u[rows, columns]), np.float32(v[rows, columns])
    colors = [a * y + b * u + c * v + d for a, b, c, d in np.float32(matrix)]
    return np.dstack([np.uint8(np.clip(np.round(color), 0, 255)) for color in colors])


def rgb_with_opencv(y, u, v, matrix):
    size = y.shape[1], y.shape[0]
    u, v = (cv2.resize(np.ascontiguousarray(p), size, interpolation=cv2.INTER_NEAREST) for p in (u, v))
    return cv2.convertScaleAbs(np.maximum(cv2.transform(np.dstack([y, u, v]).astype(float), matrix), 0))


def rgb_with_opencv_in_bytes(y, u, v, matrix):
    """In fixed point, which is off by up to 0.16 before it is rounded."""
    u, v = (p.repeat(2, 0).repeat(2, 1) for p in (u, v))
    return cv2.transform(cv2.merge([np.ascontiguousarray(p) for p in (y, u, v)]), matrix)


# 06.10


class NewestInList:
    def __init__(self, capacity):
        if not capacity >= 1:
            raise ValueError("capacity")
        self.capacity, self.frames, self.dropped_s, self.last_s = capacity, [], [], None

    def put(self, frame):
        if self.last_s is not None and frame.captured_s <= self.last_s:
            raise ValueError(f"{frame.captured_s} s is not later than {self.last_s} s")
        self.last_s = frame.captured_s
        self.frames = [*self.frames, frame]
        while len(self.frames) > self.capacity:
            self.dropped_s += [self.frames.pop(0).captured_s]

    def get(self):
        if self.frames:
            return self.frames.pop(0)
        return None

    def __len__(self):
        return len(self.frames)


class NewestInRing:
    """A ring of places, and two counters that only grow."""

    def __init__(self, capacity):
        if capacity <= 0:
            raise ValueError("there has to be a place")
        self.places = [None] * capacity
        self.first = self.end = 0
        self.last_s = -math.inf
        self.dropped_s = []

    def __len__(self):
        return self.end - self.first

    def put(self, frame):
        if not frame.captured_s > self.last_s:
            raise ValueError("time goes on")
        if len(self) == len(self.places):
            self.dropped_s.append(self.get().captured_s)
        self.places[self.end % len(self.places)] = frame
        self.end, self.last_s = self.end + 1, frame.captured_s

    def get(self):
        if not len(self):
            return None
        place = self.first % len(self.places)
        self.first += 1
        frame, self.places[place] = self.places[place], None
        return frame


class NewestByTime:
    def __init__(self, capacity):
        assert isinstance(capacity, int)
        if capacity < 1:
            raise ValueError(capacity)
        self.capacity = capacity
        self.by_time = OrderedDict()
        self.all_s = [float("-inf")]
        self.dropped_s = []

    def put(self, frame):
        if frame.captured_s <= max(self.all_s):
            raise ValueError(frame.captured_s)
        self.all_s.append(frame.captured_s)
        if len(self.by_time) == self.capacity:
            time, _ = self.by_time.popitem(last=False)
            self.dropped_s.append(time)
        self.by_time[frame.captured_s] = frame

    def get(self):
        try:
            return self.by_time.popitem(last=False)[1]
        except KeyError:
            return None

    def __len__(self):
        return len(self.by_time)


class NewestInShortDeque(deque):
    """A deque of limited length that writes down what it is about to lose."""

    last_s = -np.inf

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("a capacity of at least 1, please")
        super().__init__(maxlen=capacity)
        self.dropped_s = []

    def put(self, frame):
        if self.last_s >= frame.captured_s:
            raise ValueError("not later")
        if len(self) == self.maxlen:
            self.dropped_s.append(self[0].captured_s)
        self.append(frame)
        self.last_s = frame.captured_s

    def get(self):
        return self.popleft() if len(self) else None


RIGHT = {
    "06.6": [gate_by_inverse, gate_by_cholesky, gate_along_axes, gate_by_probability, gate_with_scipy],
    "06.7": [
        biquad_by_lfilter,
        biquad_in_lists,
        biquad_by_vectors,
        biquad_in_single_precision,
        biquad_by_recursion_of_outputs,
    ],
    "06.8": [mel_by_interpolation, mel_in_loops, mel_by_products, mel_by_ramps],
    "06.9": [rgb_pixel_by_pixel, rgb_by_einsum, rgb_in_single_precision, rgb_with_opencv, rgb_with_opencv_in_bytes],
    "06.10": [NewestInList, NewestInRing, NewestByTime, NewestInShortDeque],
}
