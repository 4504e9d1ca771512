"""Exercise 01.2: a parity metric in decibels."""

from __future__ import annotations

from typing import Any

import numpy as np

from pocketlab.compression.quantization import sqnr_db
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance


def _sqnr_cases(rng: np.random.Generator) -> list[Case]:
    def noisy(shape: tuple[int, ...], noise: float, size: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(0, size, shape).astype(np.float32)
        return x, (x + noise * size * rng.normal(0, 1, shape)).astype(np.float32)

    offset, _ = noisy((500,), 0.0)
    small, small_q = noisy((40,), 0.05, 1e-3)
    tiny, _ = noisy((100,), 0.0)
    far = rng.integers(70, 120, 32).astype(np.int8)
    integers = rng.integers(-100, 100, 64).astype(np.int8)
    return [
        Case("two values", (np.array([3.0, 4.0], np.float32), np.array([3.0, 4.5], np.float32))),
        Case("values around 0", noisy((1000,), 0.1)),
        Case("values around 0", noisy((8, 10), 0.01)),
        Case("values that are not around 0", (offset + 5, offset + 5 + np.float32(0.1))),
        Case("small values", (small, small_q)),
        Case("more noise than signal", noisy((50,), 4.0)),
        Case(
            "whole numbers",
            (integers, np.clip(integers.astype(int) + rng.integers(-30, 30, 64), -128, 127).astype(np.int8)),
        ),
        Case("a tiny error", (tiny, (tiny * np.float32(1 + 3e-6)).astype(np.float32))),
        Case("whole numbers of opposite sign", (far, -far)),
        Case("equal arrays", (np.ones(4, np.float32), np.ones(4, np.float32))),
    ]


def _db(ratio: Any, factor: float = 10.0) -> float:
    return float(factor * np.log10(ratio))


def _power(x: np.ndarray) -> float:
    return float((np.asarray(x, np.float64) ** 2).sum())


def _noise(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a, np.float64) - np.asarray(b, np.float64)


def _int8_difference(reference: np.ndarray, approximation: np.ndarray) -> float:
    noise = _power(reference - approximation)
    return _db(_power(reference) / noise) if noise else float("inf")


def _power_difference(reference: np.ndarray, approximation: np.ndarray) -> float:
    noise = abs(_power(reference) - _power(approximation))
    return _db(_power(reference) / noise) if noise else float("inf")


SQNR = Exercise(
    id="01.2",
    title="a parity metric in decibels",
    reference=sqnr_db,
    cases=_sqnr_cases,
    tolerance=Tolerance(0.0, 1e-3, "float32 sums of 1,000 squares are good to 6e-5 of their value, which is 3e-4 dB."),
    misconceptions=(
        Misconception(
            "20 in place of 10",
            lambda reference, approximation: _db(_power(reference) / _power(_noise(reference, approximation)), 20),
            "Your result is twice the right one: 20·log10 is for a ratio of amplitudes. Sums of squares are "
            "powers: 10·log10.",
        ),
        Misconception(
            "noise over signal",
            lambda reference, approximation: _db(_power(_noise(reference, approximation)) / _power(reference)),
            "Your result has the wrong sign: you divide the noise by the signal. More decibels should mean a "
            "better copy.",
        ),
        Misconception(
            "natural logarithm",
            lambda reference, approximation: float(
                10 * np.log(_power(reference) / _power(_noise(reference, approximation)))
            ),
            "You use the natural logarithm (np.log). Decibels are defined with np.log10.",
        ),
        Misconception(
            "base 2 logarithm",
            lambda reference, approximation: float(
                10 * np.log2(_power(reference) / _power(_noise(reference, approximation)))
            ),
            "You use the logarithm to base 2. Decibels are defined with np.log10.",
        ),
        Misconception(
            "no factor",
            lambda reference, approximation: _db(_power(reference) / _power(_noise(reference, approximation)), 1),
            "Your result is in bel. A decibel is a tenth of it: multiply by 10.",
        ),
        Misconception(
            "not in decibels",
            lambda reference, approximation: _power(reference) / _power(_noise(reference, approximation)),
            "Your result is the ratio itself. Decibels are 10·log10 of it.",
        ),
        Misconception(
            "root of the powers",
            lambda reference, approximation: _db(np.sqrt(_power(reference) / _power(_noise(reference, approximation)))),
            "You take 10·log10 of a ratio of amplitudes (root of the powers, or norms), which halves the result. "
            "Use the squares, or 20·log10.",
        ),
        Misconception(
            "magnitudes in place of squares",
            lambda reference, approximation: _db(
                np.abs(reference.astype(float)).sum() / np.abs(_noise(reference, approximation)).sum()
            ),
            "You sum magnitudes. Power is the sum of squares.",
        ),
        Misconception(
            "magnitudes with 20",
            lambda reference, approximation: _db(
                np.abs(reference.astype(float)).sum() / np.abs(_noise(reference, approximation)).sum(), 20
            ),
            "You sum magnitudes. Power is the sum of squares, and its factor is 10.",
        ),
        Misconception(
            "variances",
            lambda reference, approximation: _db(
                np.var(reference.astype(float)) / np.var(_noise(reference, approximation))
            ),
            "You use variances, which take away the mean: a constant error would count as no error at all. Use "
            "the mean of squares.",
        ),
        Misconception(
            "peak in place of power",
            lambda reference, approximation: _db(
                np.abs(reference.astype(float)).max() ** 2 / np.mean(_noise(reference, approximation) ** 2)
            ),
            "You compare with the largest value: that is PSNR, the peak ratio. SQNR compares with the signal's "
            "own power.",
        ),
        Misconception(
            "mean against sum",
            lambda reference, approximation: _db(_power(reference) / np.mean(_noise(reference, approximation) ** 2)),
            "You divide a sum by a mean, so the result grows with the number of values. Take the sum of both, or "
            "the mean of both.",
        ),
        Misconception(
            "approximation as the signal",
            lambda reference, approximation: _db(_power(approximation) / _power(_noise(reference, approximation))),
            "You take the approximation as the signal. The signal is the reference, free of noise.",
        ),
        Misconception(
            "difference of powers as noise",
            _power_difference,
            "Your noise is the difference of two powers. Take the difference of the values first, then square it.",
        ),
        Misconception(
            "ratio with the approximation",
            lambda reference, approximation: _db(_power(reference) / _power(approximation)),
            "You divide by the power of the approximation. The noise is what lies between the two: reference − "
            "approximation.",
        ),
        Misconception(
            "mean of ratios",
            lambda reference, approximation: _db(
                np.mean(reference.astype(float) ** 2 / _noise(reference, approximation) ** 2)
            ),
            "You average the ratio over the values. Sum the signal and the noise first, then divide once.",
        ),
        Misconception(
            "decibels of the rows, averaged",
            lambda reference, approximation: float(
                np.mean(
                    10
                    * np.log10((reference.astype(float) ** 2).sum(-1) / (_noise(reference, approximation) ** 2).sum(-1))
                )
            ),
            "You average the decibels of the rows. Sum the powers over the whole array, and take one logarithm at "
            "the end.",
        ),
        Misconception(
            "mean of decibels",
            lambda reference, approximation: float(
                np.mean(10 * np.log10(reference.astype(float) ** 2 / _noise(reference, approximation) ** 2))
            ),
            "You average decibels over the values. Sum the signal and the noise first, then take one logarithm.",
        ),
        Misconception(
            "integers that wrap around",
            lambda reference, approximation: _db(
                np.sum(reference**2, dtype=np.float64) / np.sum((reference - approximation) ** 2, dtype=np.float64)
            ),
            "Right for floats, wrong for int8: 100·100 does not fit in 8 bits and wraps around. Turn both into "
            "float first.",
        ),
        Misconception(
            "a difference that wraps around",
            _int8_difference,
            "Right for floats, wrong for int8: 100 − (−100) does not fit in 8 bits and wraps around. Turn both "
            "into float "
            "before you subtract.",
        ),
        Misconception(
            "nearly equal taken for equal",
            lambda reference, approximation: (
                float("inf") if np.allclose(reference, approximation) else sqnr_db(reference, approximation)
            ),
            "You call nearly equal arrays equal (np.allclose). Only an error of exactly 0 is infinite; 110 dB is "
            "a figure.",
        ),
        Misconception(
            "an epsilon in the noise",
            lambda reference, approximation: _db(
                _power(reference) / (_power(_noise(reference, approximation)) + 1e-12)
            ),
            "You add a small number to the noise, so equal arrays give a large finite figure. Equal arrays have "
            "no noise: return infinity.",
        ),
        Misconception(
            "equal arrays give 0",
            lambda reference, approximation: (
                0.0 if np.array_equal(reference, approximation) else sqnr_db(reference, approximation)
            ),
            "For equal arrays you return 0 dB, which says that noise and signal are of one size. There is no "
            "noise: return infinity.",
        ),
    ),
)
