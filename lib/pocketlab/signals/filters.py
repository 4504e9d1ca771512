"""Recursive filters (IIR) as cascades of biquads: second-order sections that need two numbers of memory each.

A filter is an array `sos` (sections, 6): b0, b1, b2, a0 = 1, a1, a2 of each section, as in scipy.signal.
Sources: Bristow-Johnson, Audio EQ Cookbook; Oppenheim and Schafer, Discrete-Time Signal Processing, third edition, sections
6.4 (transposed forms) and 7.2 (design from analog filters).
"""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketlab.data.compiled import compiled
from pocketlab.signals.streams import (
    Array,
    Kind,
    Stream,
    band_edges,
    check_frequency,
    check_sample_rate,
    samples,
)

BUTTERWORTH_Q = math.sqrt(0.5)  # the quality at which a second-order low pass is flat as long as it can be


def low_pass(frequency_hz: float, q: float = BUTTERWORTH_Q, *, sample_rate_hz: float) -> Array:
    """Return a low pass (1, 6), whose gain at its frequency is q. Source: Audio EQ Cookbook, LPF, as all five here."""
    cosine, alpha = _cookbook(frequency_hz, q, sample_rate_hz)
    return _section((1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2, 1 + alpha, -2 * cosine, 1 - alpha)


def high_pass(frequency_hz: float, q: float = BUTTERWORTH_Q, *, sample_rate_hz: float) -> Array:
    """Return a high pass (1, 6), whose gain at its frequency is q."""
    cosine, alpha = _cookbook(frequency_hz, q, sample_rate_hz)
    return _section((1 + cosine) / 2, -1 - cosine, (1 + cosine) / 2, 1 + alpha, -2 * cosine, 1 - alpha)


def band_pass(frequency_hz: float, q: float, *, sample_rate_hz: float) -> Array:
    """Return a band pass (1, 6) with gain 1 at its frequency and a width of about frequency_hz / q."""
    cosine, alpha = _cookbook(frequency_hz, q, sample_rate_hz)
    return _section(alpha, 0.0, -alpha, 1 + alpha, -2 * cosine, 1 - alpha)


def notch(frequency_hz: float, q: float, *, sample_rate_hz: float) -> Array:
    """Return a notch (1, 6): gain 0 at its frequency, 1 far from it, and a width of about frequency_hz / q."""
    cosine, alpha = _cookbook(frequency_hz, q, sample_rate_hz)
    return _section(1.0, -2 * cosine, 1.0, 1 + alpha, -2 * cosine, 1 - alpha)


def peak(frequency_hz: float, q: float, gain_db: float, *, sample_rate_hz: float) -> Array:
    """Return a peaking equalizer (1, 6): gain_db at its frequency (negative cuts), 0 dB far from it."""
    cosine, alpha = _cookbook(frequency_hz, q, sample_rate_hz)
    root = 10 ** (gain_db / 40)
    return _section(1 + alpha * root, -2 * cosine, 1 - alpha * root, 1 + alpha / root, -2 * cosine, 1 - alpha / root)


def _cookbook(frequency_hz: float, q: float, sample_rate_hz: float) -> tuple[float, float]:
    check_frequency(frequency_hz, sample_rate_hz)
    if not 0 < q < math.inf:
        raise ValueError(f"A filter's quality q is a positive number, often between 0.5 and 50; got {q}.")
    angle = 2 * math.pi * frequency_hz / sample_rate_hz
    return math.cos(angle), math.sin(angle) / (2 * q)


def _section(b0: float, b1: float, b2: float, a0: float, a1: float, a2: float) -> Array:
    return np.array([[b0, b1, b2, a0, a1, a2]]) / a0


def butterworth(
    order: int, cutoff_hz: float | tuple[float, float], kind: Kind = "low", *, sample_rate_hz: float
) -> Array:
    """Return a Butterworth filter (sections, 6): flat in its band, and 3 dB down at each cutoff.

    kind: "low", "high", or "band" with cutoff_hz a pair, lower first; a band pass has twice as many poles as its order.
    The poles of the analog filter are moved to the cutoff, and s = (z − 1)/(z + 1) takes them into the unit circle, the
    cutoff having been warped by the tangent so that it arrives where it should.

    Raises ValueError for an order below 1, or cutoffs that are not between 0 and half the sample rate.
    """
    if order != int(order) or order < 1:
        raise ValueError(f"A filter's order is a whole number from 1 up: how many poles it has; got {order}.")
    lower, upper = (math.tan(math.pi * edge / sample_rate_hz) for edge in band_edges(cutoff_hz, kind, sample_rate_hz))
    # One pole of each conjugate pair, on the left half of the unit circle, and -1 where the order is odd.
    angles = [math.pi * (0.5 + (2 * k + 1) / (2 * order)) for k in range(order // 2)]
    prototype = [cmath.rect(1, angle) for angle in angles] + [complex(-1)] * (order % 2)
    if kind == "low":
        poles, zeros, reference = [upper * pole for pole in prototype], [-1.0] * order, 1.0 + 0j
    elif kind == "high":
        poles, zeros, reference = [lower / pole for pole in prototype], [1.0] * order, -1.0 + 0j
    else:
        poles = [pole for low in prototype for pole in _band_pass_poles(low, lower, upper)]
        zeros = [1.0] * order + [-1.0] * order
        reference = cmath.rect(1, 2 * math.atan(math.sqrt(lower * upper)))
    sos = _pair_up([(1 + pole) / (1 - pole) for pole in poles], zeros)
    _check_sections(sos)
    sos[0, :3] /= abs(_response(sos, np.array([reference]))[0])
    return sos


def _band_pass_poles(pole: complex, lower: float, upper: float) -> list[complex]:
    """Return the poles that s → (s² + lower·upper) / (s·(upper − lower)) makes of one, one of each conjugate pair."""
    half = pole * (upper - lower) / 2
    root = cmath.sqrt(half**2 - lower * upper)
    if pole.imag == 0 and root.imag != 0:
        return [half + root]  # the other one is its conjugate
    return [half + root, half - root]


def _pair_up(poles: list[complex], zeros: list[float]) -> Array:
    """Return sections of two poles with the two zeros nearest to them, those near the unit circle last, as SciPy orders them.

    poles: one of each conjugate pair, and real ones. zeros: all real. An odd one out gets a partner at 0, which does nothing.
    """
    poles, zeros = list(poles), list(zeros)
    if len(zeros) % 2:
        poles.append(0j)
        zeros.append(0.0)
    poles.sort(key=lambda pole: abs(1 - abs(pole)))
    sections: list[list[float]] = []
    while poles:
        first = poles.pop(0)
        second = first.conjugate() if first.imag else poles.pop([pole.imag for pole in poles].index(0))
        zeros.sort(key=lambda zero: abs(first - zero))
        one, two, *zeros = zeros
        sections.append([1.0, -one - two, one * two, 1.0, -(first + second).real, (first * second).real])
    return np.array(sections[::-1])


def frequency_response(sos: Array, frequencies_hz: ArrayLike, *, sample_rate_hz: float) -> NDArray[np.complex128]:
    """Return the complex gain, of the frequencies' shape: its magnitude, and its angle by which a sine is ahead."""
    check_sample_rate(sample_rate_hz)
    return _response(_checked(sos), np.exp(2j * np.pi * np.asarray(frequencies_hz) / sample_rate_hz))


def _response(sos: Array, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
    delays = np.stack([np.ones_like(z), 1 / z, 1 / z**2])
    # One after the other: in a product of all numerators and one of all denominators high orders lose their digits.
    sections = [np.tensordot(section[:3], delays, 1) / np.tensordot(section[3:], delays, 1) for section in sos]
    return np.asarray(np.prod(sections, axis=0))


def settled_state(sos: Array) -> Array:
    """Return the state (sections, 2) that a cascade reaches when its input has been 1 for ever."""
    state, level = np.empty((len(sos), 2)), 1.0
    for index, (b0, b1, b2, _, a1, a2) in enumerate(_checked(sos)):
        out = level * (b0 + b1 + b2) / (1 + a1 + a2)
        second = b2 * level - a2 * out
        state[index] = b1 * level - a1 * out + second, second
        level = out
    return state


class BiquadCascade(Stream):
    """Biquads one after the other, in transposed direct form II, on a signal that comes in chunks.

    sos: (sections, 6), as the functions above return. settled: begin as though the first sample had been there for ever, so
    that a low pass starts on the signal and a high pass at 0; otherwise there was silence before it.

    Raises ValueError for sections of another shape, with a0 other than 1, or with a pole that is not inside the unit circle.
    """

    def __init__(self, sos: Array, *, settled: bool = False) -> None:
        sos = _checked(sos)
        self.settled = settled
        # The loop takes two sections at a time; where their count is odd, one that changes nothing is added.
        self._sos = np.concatenate([sos, np.array([[1.0, 0, 0, 1, 0, 0]] * (len(sos) % 2)).reshape(-1, 6)])
        super().__init__()

    def _begin(self, first: Array) -> None:
        level = first if self.settled else np.zeros_like(first)
        self._state = settled_state(self._sos)[:, :, np.newaxis] * level

    def _advance(self, x: Array) -> Array:
        y = x.copy()
        _filter_pairs(self._sos, y, self._state)
        return y


@compiled
def _filter_pairs(sos: Array, y: Array, state: Array) -> None:
    """Filter y (time, channels) in place, with sos (an even number, 6) and state (sections, 2, channels).

    A section waits at each sample for its own last result. Two in one loop wait together, so that they take the time of one.
    """
    for channel in range(y.shape[1]):
        for first in range(0, len(sos), 2):
            b0, b1, b2, _, a1, a2 = sos[first]
            d0, d1, d2, _, c1, c2 = sos[first + 1]
            s1, s2 = state[first, 0, channel], state[first, 1, channel]
            t1, t2 = state[first + 1, 0, channel], state[first + 1, 1, channel]
            for n in range(len(y)):
                x = y[n, channel]
                middle = b0 * x + s1
                s1 = (b1 * x + s2) - a1 * middle
                s2 = b2 * x - a2 * middle
                out = d0 * middle + t1
                t1 = (d1 * middle + t2) - c1 * out
                t2 = d2 * middle - c2 * out
                y[n, channel] = out
            state[first, 0, channel], state[first, 1, channel] = s1, s2
            state[first + 1, 0, channel], state[first + 1, 1, channel] = t1, t2


def sos_filter(sos: Array, x: ArrayLike, *, settled: bool = False) -> Array:
    """Return a whole signal (time,) or (time, channels) filtered: one `BiquadCascade.process`, which has the details."""
    return BiquadCascade(sos, settled=settled).process(x)


def zero_phase_filter(sos: Array, x: ArrayLike) -> Array:
    """Return a signal filtered forward and then backward: nothing is delayed, and the gain acts twice.

    x: (time,) or (time, channels), all of it: this cannot be done while a signal still arrives. At both ends it is continued
    by its own point reflection, as in scipy.signal.sosfiltfilt, and filters start settled.

    Raises ValueError for a signal that is shorter than these continuations.
    """
    x, sos = samples(x), _checked(sos)
    if len(x) == 0:
        return x
    padding = 3 * (2 * len(sos) + 1 - min(int((sos[:, 2] == 0).sum()), int((sos[:, 5] == 0).sum())))
    if len(x) <= padding:
        raise ValueError(f"{len(sos)} sections forward and backward take over {padding} samples; got {len(x)}.")
    before, after = 2 * x[0] - x[padding:0:-1], 2 * x[-1] - x[-2 : -padding - 2 : -1]
    forward = sos_filter(sos, np.concatenate([before, x, after]), settled=True)
    both = sos_filter(sos, forward[::-1], settled=True)[::-1]
    return np.ascontiguousarray(both[padding : padding + len(x)])


def _checked(sos: Array) -> Array:
    sos = np.ascontiguousarray(sos, dtype=np.float64)
    if sos.ndim != 2 or sos.shape[1] != 6 or len(sos) == 0 or not np.isfinite(sos).all() or (sos[:, 3] != 1).any():
        raise ValueError(
            "Sections are rows b0, b1, b2, a0, a1, a2 of finite numbers with a0 = 1 (divide a row by its a0 to get there); "
            f"got shape {sos.shape}, a0 {sos[..., 3:4].ravel()[:4]}."
        )
    _check_sections(sos)
    return sos


def _check_sections(sos: Array) -> None:
    """Raise ValueError where a pole is not inside the unit circle: outside the triangle |a2| < 1, |a1| < 1 + a2."""
    a1, a2 = sos[:, 4], sos[:, 5]
    stable = (np.abs(a2) < 1) & (np.abs(a1) < 1 + a2)
    if not stable.all():
        index = int(np.argmin(stable))
        raise ValueError(
            f"Section {index} has a pole on or outside the unit circle (a1 = {a1[index]}, a2 = {a2[index]}): its output would "
            "grow or never settle. If a design made it, the cutoff is too near to 0 for this sample rate: decimate first."
        )
