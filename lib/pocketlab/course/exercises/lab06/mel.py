"""Exercise 06.8: mel bands."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab06.mel_mistakes import MISTAKES
from pocketlab.signals.audio import MelSettings, mel_filters


def _reference(bands: int, fft_length: int, sample_rate: float) -> np.ndarray:
    settings = MelSettings(
        sample_rate_hz=sample_rate, frame_length=fft_length, hop_length=fft_length, bands=bands, area_norm=False
    )
    return mel_filters(settings)


def _mel_cases(rng: np.random.Generator) -> list[Case]:
    del rng  # few settings make a table that one can read, and the library takes only some: no band may be empty
    return [
        Case("two bands", (2, 16, 8000)),
        Case("two bands", (2, 32, 8000)),
        Case("one band", (1, 16, 8000)),
        Case("one band", (1, 64, 16000)),
        Case("a few bands", (4, 32, 16000)),
        Case("a few bands", (6, 64, 8000)),
        Case("a few bands", (5, 40, 22050)),
        Case("a low sample rate, where mel is as Hz", (3, 16, 1600)),
        Case("a low sample rate, where mel is as Hz", (5, 30, 1800)),
        Case("an odd sample rate", (4, 32, 11025)),
        Case("a length that is no power of 2", (13, 400, 16000)),
        Case("a length that is no power of 2", (10, 250, 12000)),
        Case("as many bands as an app takes", (26, 512, 8000)),
        Case("as many bands as an app takes", (40, 512, 16000)),
        Case("as many bands as an app takes", (40, 1024, 44100)),
        Case("an odd length of the transform", (4, 33, 16000)),
        Case("an odd length of the transform", (6, 75, 8000)),
        Case("a spectrum of few frequencies", (1, 4, 8000)),
        Case("a sample rate that is a fraction", (3, 24, 7999.5)),
    ]


MEL = Exercise(
    id="06.8",
    title="mel bands",
    reference=_reference,
    cases=_mel_cases,
    tolerance=Tolerance(
        0.0,
        1e-5,
        "Heights are between 0 and 1; in float32 a difference of frequencies is off by up to 0.002 Hz (its rounding, "
        "6e-8, of 22,050 Hz), of triangles that are 250 Hz wide up there and more exact below: up to 1e-5.",
    ),
    misconceptions=MISTAKES,
)
