"""Exercise 01.1: the scale and bias of an image input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance
from pocketlab.runtimes.coreml import image_scale_bias

FLOAT32_STEPS = Tolerance(
    1e-6, 1e-9, "Three operations in float32 are off by 2e-7 of the value; the closest mistake by 4e-5."
)


def _image_cases(rng: np.random.Generator) -> list[Case]:
    random = [
        Case("several channels", (rng.uniform(0.2, 0.7, 3).round(3).tolist(), [s] * 3)) for s in (0.21, 0.5, 0.33)
    ]
    return [
        Case("one channel", ([0.5], [0.5])),
        Case("one channel", ([0.1307], [0.3081])),
        Case("one channel", ([0.25], [0.2])),
        *random,
        Case("mean 0", ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])),
        Case("mean 0", ([0.0], [0.25])),
        Case("a std per channel", ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])),
        Case("a std per channel", ([0.4, 0.5, 0.6], [0.1, 0.2, 0.3])),
    ]


def _lists(function: Any) -> Any:
    """Write a mistake in NumPy: the function gets arrays and gives (scale, bias per channel)."""

    def wrong(mean: Sequence[float], std: Sequence[float]) -> tuple[Any, tuple[float, ...]]:
        scale, bias = function(np.asarray(mean, float), np.asarray(std, float))
        return scale, tuple(bias)

    return wrong


IMAGE_SCALE_BIAS = Exercise(
    id="01.1",
    title="the scale and bias of an image input",
    reference=image_scale_bias,
    cases=_image_cases,
    tolerance=FLOAT32_STEPS,
    misconceptions=(
        Misconception(
            "bias not divided by std",
            _lists(lambda m, s: (1 / (255 * s.mean()), -m)),
            "Your bias is −mean. Core ML adds the bias after it has multiplied by the scale, so the mean arrives "
            "there "
            "already divided: (p/255 − mean)/std = p/(255·std) − mean/std.",
        ),
        Misconception(
            "bias with the wrong sign",
            _lists(lambda m, s: (1 / (255 * s.mean()), m / s)),
            "Your bias has the wrong sign. Core ML adds it, and normalizing takes the mean away.",
        ),
        Misconception(
            "bias in pixels",
            _lists(lambda m, s: (1 / (255 * s.mean()), -255 * m / s)),
            "Your bias is 255 times too large. The mean belongs to pixels that are divided by 255 already.",
        ),
        Misconception(
            "bias divided by 255",
            _lists(lambda m, s: (1 / (255 * s.mean()), -m / (255 * s))),
            "Your bias is 255 times too small. Only the pixel is divided by 255; the mean is that of pixels from "
            "0 to 1.",
        ),
        Misconception(
            "scale without std",
            _lists(lambda m, s: (1 / 255, -m / s)),
            "Your scale brings pixels to 0..1 and stops there. Dividing by std is part of the same factor: "
            "1/(255·std).",
        ),
        Misconception(
            "scale without std, bias without std",
            _lists(lambda m, s: (1 / 255, -m)),
            "Scale 1/255 and bias −mean center the pixels and never divide them by std. Write (p/255 − mean)/std "
            "as scale·p + bias.",
        ),
        Misconception(
            "scale without 255",
            _lists(lambda m, s: (1 / s.mean(), -m / s)),
            "Your scale is 255 times too large: Core ML's pixels run from 0 to 255, and the std is that of pixels "
            "from 0 to 1.",
        ),
        Misconception(
            "scale multiplied by std",
            _lists(lambda m, s: (s.mean() / 255, -m / s)),
            "You multiply by std; normalizing divides by it.",
        ),
        Misconception(
            "scale inverted",
            _lists(lambda m, s: (255 * s.mean(), -m / s)),
            "Your scale is the reciprocal of the right one. Core ML multiplies the pixel by it.",
        ),
        Misconception(
            "a scale per channel",
            _lists(lambda m, s: (tuple(1 / (255 * s)), -m / s)),
            "You return a scale per channel. Core ML's image input takes one number for all; use the mean of the stds.",
        ),
        Misconception(
            "the first channel's std",
            _lists(lambda m, s: (1 / (255 * s[0]), -m / s)),
            "You take the first channel's std for all channels. With one scale for three stds, the mean of them "
            "is the usual choice.",
        ),
        Misconception(
            "the mean of the scales",
            _lists(lambda m, s: ((1 / (255 * s)).mean(), -m / s)),
            "You average 1/(255·std) over the channels. Average the stds first: 1/(255·mean of std).",
        ),
        Misconception(
            "the mean std in the bias",
            _lists(lambda m, s: (1 / (255 * s.mean()), -m / s.mean())),
            "Your bias divides every channel by the mean std. Core ML has a bias per channel, so each can use its "
            "own std.",
        ),
        Misconception(
            "root of the mean square of the stds",
            _lists(lambda m, s: (1 / (255 * np.sqrt((s**2).mean())), -m / s)),
            "Your scale takes the root of the mean square of the stds. The task asks for their plain mean.",
        ),
        Misconception(
            "the mean of the means",
            _lists(lambda m, s: (1 / (255 * s.mean()), -m.mean() / s)),
            "Your biases use the mean of the means. Only the scale is one for all; each bias takes its own "
            "channel's mean.",
        ),
        Misconception(
            "one bias",
            _lists(lambda m, s: (1 / (255 * s.mean()), [float(-(m / s).mean())])),
            "You return one bias. Core ML takes a bias for each channel.",
        ),
        Misconception(
            "bias before scale",
            _lists(lambda m, s: (1 / (255 * s.mean()), -255 * m)),
            "Your bias is −255·mean, right if Core ML added it before it multiplies. It multiplies first: scale·p "
            "+ bias.",
        ),
    ),
)
