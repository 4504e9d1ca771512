"""Filters in time against SciPy's: long signals, float64, one thread, both in turn so that other work slows both."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import scipy.ndimage
import scipy.signal

from bench.row import Row
from pocketlab.operations.latency import latency_percentiles
from pocketlab.signals.filters import butterworth, sos_filter
from pocketlab.signals.fir import fir_filter, resample, windowed_sinc
from pocketlab.signals.smoothing import median_filter

RATE, LENGTH, ROUNDS = 16000.0, 1_000_000, 15


def rows(name: str, ours: Callable[[], object], theirs: Callable[[], object], whose: str) -> list[Row]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):  # before the first of them is one to warm up
        for call, taken in zip((ours, theirs), times, strict=True):
            begun = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begun)
    percentiles = zip(("median", "p90"), *(latency_percentiles(taken, 1) for taken in times), strict=True)
    return [Row(f"{name}, {which}", "ms", mine, other, whose) for which, mine, other in percentiles]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def biquads() -> list[Row]:
    found = []
    for order, shape in ((2, (LENGTH,)), (4, (LENGTH,)), (8, (LENGTH,)), (5, (LENGTH,)), (4, (LENGTH // 6, 6))):
        sos, x = butterworth(order, 1000, sample_rate_hz=RATE), noise(*shape)
        name = f"{len(sos)} sections, {shape[0]} samples" + (f", {shape[1]} channels" if len(shape) > 1 else "")
        found += rows(name, lambda s=sos, x=x: sos_filter(s, x), lambda s=sos, x=x: scipy.signal.sosfilt(s, x, axis=0), "sosfilt")
    return found


def taps() -> list[Row]:
    x, found = noise(LENGTH), []
    for length in (16, 64, 255):
        taps = windowed_sinc(length, 1000, sample_rate_hz=RATE)
        found += rows(
            f"{length} taps, {LENGTH} samples",
            lambda taps=taps: fir_filter(taps, x),
            lambda taps=taps: scipy.signal.lfilter(taps, 1, x),
            "lfilter",
        )
    return found


def resampling() -> list[Row]:
    x, found = noise(LENGTH), []
    for up, down in ((160, 441), (1, 3), (2, 1), (3, 2)):
        found += rows(
            f"rate {up}/{down}, {LENGTH} samples",
            lambda up=up, down=down: resample(x, up, down),
            lambda up=up, down=down: scipy.signal.resample_poly(x, up, down),
            "resample_poly",
        )
    return found


def median() -> list[Row]:
    x, found = noise(LENGTH // 5), []
    for length in (5, 31, 201):
        found += rows(
            f"median of {length}, {len(x)} samples",
            lambda length=length: median_filter(x, length),
            lambda length=length: scipy.ndimage.median_filter(x, length, mode="mirror"),
            "ndimage",
        )
    return found


BENCHES = {"biquads": biquads, "taps": taps, "resampling": resampling, "median": median}
