"""Exercise 06.7: a filter that streams."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import sosfilt

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab06.biquad_mistakes import MISTAKES


def _reference(section: np.ndarray, x: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    state = np.asarray(state, np.float64)
    if len(x) == 0:  # sosfilt takes no empty signal
        return np.zeros(0), state
    y, after = sosfilt(section[np.newaxis], x, zi=state[np.newaxis])
    return y, after[0]


def _resonant(frequency: float, quality: float, kind: str) -> np.ndarray:
    """Return a section by the audio cookbook of R. Bristow-Johnson; frequency: as a share of the sample rate."""
    angle = 2 * math.pi * frequency
    width, cosine = math.sin(angle) / (2 * quality), math.cos(angle)
    numerators = {
        "low pass": ((1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2),
        "high pass": ((1 + cosine) / 2, -1 - cosine, (1 + cosine) / 2),
        "band pass": (width, 0.0, -width),
        "peak": (1 + 2 * width, -2 * cosine, 1 - 2 * width),
    }
    return np.array([*numerators[kind], 1 + width, -2 * cosine, 1 - width]) / (1 + width)


def _biquad_cases(rng: np.random.Generator) -> list[Case]:
    low, high = _resonant(0.1, 0.7, "low pass"), _resonant(0.2, 0.7, "high pass")
    band, peak = _resonant(0.15, 2.0, "band pass"), _resonant(0.25, 1.5, "peak")
    stereo = rng.normal(size=(12, 2))

    def case(label: str, section: object, x: object, state: object = (0.0, 0.0)) -> Case:
        return Case(label, (np.asarray(section, np.float64), np.asarray(x, np.float64), np.asarray(state, np.float64)))

    return [
        case("the worked number", [0.5, 0.5, 0, 1, -0.5, 0], [1, 1]),
        case("one sample in silence", [0.5, 0.25, 0.125, 1, -0.5, 0.25], [1, 0, 0, 0]),
        case("one sample in silence", peak, [2, 0, 0, 0, 0, 0]),
        case("a first chunk", low, rng.normal(size=9)),
        case("a first chunk", high, rng.normal(size=8) + 3),
        case("a later chunk", [0.5, 0.5, 0, 1, -0.5, 0], [1, 1], [0.75, 0.0]),
        case("a later chunk", low, rng.normal(size=7), [0.4, -0.2]),
        case("a later chunk", peak, rng.normal(size=10), rng.normal(size=2)),
        case("a later chunk", band, 3 * rng.normal(size=6), rng.normal(size=2)),
        case("silence after a sound", band, np.zeros(6), [0.8, -0.5]),
        case("silence after silence", high, np.zeros(5)),
        case("a section without feedback", [0.25, 0.5, 0.25, 1, 0, 0], rng.normal(size=6), [0.3, 0.1]),
        case("a section that only delays", [0, 0, 1, 1, 0, 0], [1, 2, 3, 4], [0.5, 0.25]),
        case("a section that changes nothing", [1, 0, 0, 1, 0, 0], rng.normal(size=4)),
        case("a running sum", [1, 0, 0, 1, -1, 0], [1, 2, 3, 4], [10, 0]),
        case("a chunk of one sample", low, [1.5], [0.2, 0.1]),
        case("a chunk of two samples", peak, [1.5, -0.5], [-0.2, 0.6]),
        case("an empty chunk", low, [], [0.3, -0.1]),
        case("an empty chunk, first of all", peak, []),
        Case("one channel of two", (low, stereo[:, 1], np.array([0.1, 0.2]))),
        Case("a chunk read backwards", (high, stereo[::-1, 0], np.array([0.0, 0.5]))),
        Case("samples in float32", (low, rng.normal(size=8).astype(np.float32), np.array([0.3, 0.2]))),
        Case("samples in whole numbers", (band, rng.integers(-900, 900, 8).astype(np.int16), np.array([3.5, -1.25]))),
        Case("samples in whole numbers", (low, np.array([100, -300, 250, 40]), np.array([0.0, 0.0]))),
        case("loud samples", high, 1e6 * rng.normal(size=6), [2e5, -1e5]),
        case("a long chunk", band, rng.normal(size=200), rng.normal(size=2)),
    ]


BIQUAD = Exercise(
    id="06.7",
    title="a filter that streams",
    reference=_reference,
    cases=_biquad_cases,
    tolerance=Tolerance(
        1e-5,
        2e-5,
        "Another order of operations costs about 1e-16 of what goes in. Who keeps samples in float32 rounds by 6e-8 "
        "of the largest, about 3, and these filters ring for some 50 samples: up to 1e-5.",
    ),
    misconceptions=MISTAKES,
)
