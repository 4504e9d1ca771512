"""Wrong answers to exercise 06.8: each changes one part of the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pocketlab.signals.audio import hz_to_mel, mel_to_hz

Array = np.ndarray


def mel_points(bands: int, sample_rate: float) -> Array:
    """Return the points in mel."""
    return np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2)


def points(bands: int, sample_rate: float) -> Array:
    """Return the points in Hz."""
    return mel_to_hz(mel_points(bands, sample_rate))


def frequencies(fft_length: int, sample_rate: float) -> Array:
    """Return the frequencies of the spectrum."""
    return np.arange(fft_length // 2 + 1) * sample_rate / fft_length


def sides(f: Array, left: float, center: float, right: float) -> tuple[Array, Array]:
    """Return the rising and the falling side of a triangle, without limits."""
    return (f - left) / (center - left), (right - f) / (right - center)


def triangle(f: Array, left: float, center: float, right: float) -> Array:
    """Return a triangle's height at frequencies f."""
    return np.asarray(np.maximum(0, np.minimum(*sides(f, left, center, right))))


def answer(
    place: Callable[[int, float], Array] = points,
    sample: Callable[[int, float], Array] = frequencies,
    shape: Callable[[Array, float, float, float], Array] = triangle,
    result: Callable[[Array], Any] = lambda triangles: triangles,
) -> Callable[[int, int, float], Any]:
    """Return an answer that is right but for the parts given."""

    def mel_triangles(bands: int, fft_length: int, sample_rate: float) -> Any:
        f, p = sample(fft_length, sample_rate), place(bands, sample_rate)
        return result(np.array([shape(f, *p[k : k + 3]) for k in range(len(p) - 2)]))

    return mel_triangles


def up_to_half(fft_length: int, sample_rate: float) -> Array:
    """Spread the frequencies evenly, the last one at half the sample rate."""
    return np.linspace(0, sample_rate / 2, fft_length // 2 + 1)


# The points


def htk_points(bands: int, sample_rate: float) -> Array:
    """Place points on the other scale."""
    top = hz_to_mel(sample_rate / 2, htk=True)
    return mel_to_hz(np.linspace(0, top, bands + 2), htk=True)


def mel_of_rate(bands: int, sample_rate: float) -> Array:
    """Halve the mel value of the sample rate."""
    return mel_to_hz(np.linspace(0, hz_to_mel(sample_rate) / 2, bands + 2))


# The triangles


def normalized_area(f: Array, left: float, center: float, right: float) -> Array:
    """Give each triangle the same area."""
    return triangle(f, left, center, right) * 2 / (right - left)


def normalized_sum(f: Array, left: float, center: float, right: float) -> Array:
    """Give each triangle the same sum."""
    heights = triangle(f, left, center, right)
    return np.asarray(heights / heights.sum())


def normalized_peak(f: Array, left: float, center: float, right: float) -> Array:
    """Let each triangle reach 1."""
    heights = triangle(f, left, center, right)
    return np.asarray(heights / heights.max())


def straight_in_mel(f: Array, left: float, center: float, right: float) -> Array:
    """Draw straight lines in mel."""
    return triangle(hz_to_mel(f), *(float(hz_to_mel(p)) for p in (left, center, right)))


def rectangle(f: Array, left: float, center: float, right: float) -> Array:
    """Neither rise nor fall."""
    return np.where((f >= left) & (f <= right), 1.0, 0.0)


def not_at_center(f: Array, left: float, center: float, right: float) -> Array:
    """Two masks that both leave the center out."""
    rising, falling = sides(f, left, center, right)
    return np.where((f > left) & (f < center), rising, np.where((f > center) & (f < right), falling, 0.0))


def rising_twice(f: Array, left: float, center: float, right: float) -> Array:
    """Rise again behind the center."""
    behind = np.where(f <= right, (f - center) / (right - center), 0.0)
    return np.where(f <= center, np.maximum(0, (f - left) / (center - left)), behind)


def half_width(f: Array, left: float, center: float, right: float) -> Array:
    """Be as wide on the left as on the right."""
    return np.asarray(np.maximum(0, 1 - np.abs(f - center) / ((right - left) / 2)))


def whole_width(f: Array, left: float, center: float, right: float) -> Array:
    """Divide both sides by the whole width."""
    return np.asarray(np.maximum(0, np.minimum(f - left, right - f) / (right - left)))


def between_bins(bands: int, fft_length: int, sample_rate: float, rounding: Callable[[Array], Array]) -> Array:
    """The triangles between the numbers of the frequencies nearest to the points, as in many tutorials."""
    numbers = rounding(points(bands, sample_rate)).astype(int)
    triangles = np.zeros((bands, fft_length // 2 + 1))
    for k, (left, center, right) in enumerate(zip(numbers, numbers[1:], numbers[2:], strict=False)):
        for j in range(left, center):
            triangles[k, j] = (j - left) / (center - left)
        for j in range(center, min(right, fft_length // 2 + 1)):
            triangles[k, j] = (right - j) / (right - center)
    return triangles


def by_floor(bands: int, fft_length: int, sample_rate: float) -> Array:
    """Move points, as many tutorials do."""
    return between_bins(bands, fft_length, sample_rate, lambda hz: np.floor((fft_length + 1) * hz / sample_rate))


def by_round(bands: int, fft_length: int, sample_rate: float) -> Array:
    """Move points to the nearest frequency."""
    return between_bins(bands, fft_length, sample_rate, lambda hz: np.rint(fft_length * hz / sample_rate))


def by_cutting(bands: int, fft_length: int, sample_rate: float) -> Array:
    """Move points to the frequency below."""
    return between_bins(bands, fft_length, sample_rate, lambda hz: np.floor(fft_length * hz / sample_rate))


def geometric_points(bands: int, sample_rate: float) -> Array:
    """Place points so that each is the same multiple of the one before, from 1 Hz on."""
    return np.geomspace(1, sample_rate / 2, bands + 2)


def ends_added(bands: int, sample_rate: float) -> Array:
    """Place as many centers as bands from end to end, and add the ends once more."""
    inner = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), bands))
    return np.concatenate([[0.0], inner, [sample_rate / 2]])


def halfway(f: Array, left: float, center: float, right: float) -> Array:
    """Peak in the middle between the ends."""
    return triangle(f, left, (left + right) / 2, right)
