"""What people get wrong in exercise 06.8, and what to tell them."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab06 import mel_wrong as wrong
from pocketlab.course.exercises.lab06.mel_wrong import answer
from pocketlab.signals.audio import hz_to_mel, mel_to_hz

_ALONE = (
    Misconception(
        "points at equal distances in Hz",
        answer(lambda bands, rate: np.linspace(0, rate / 2, bands + 2)),
        "Your points lie at equal distances in Hz, so high bands are as narrow as low ones. Space them in mel, from "
        "`hz_to_mel(0)` to `hz_to_mel(sample_rate / 2)`, then turn them into Hz.",
    ),
    Misconception(
        "points left in mel",
        answer(wrong.mel_points),
        "Your points are still in mel when you compare them with frequencies in Hz. Turn them into Hz first: "
        "`mel_to_hz(points)`.",
    ),
    Misconception(
        "Hz taken for mel",
        answer(lambda bands, rate: mel_to_hz(np.linspace(0, rate / 2, bands + 2))),
        "You give `mel_to_hz` numbers in Hz. Space the points in mel: both ends go through `hz_to_mel` first.",
    ),
    Misconception(
        "points turned into mel after spacing",
        answer(lambda bands, rate: hz_to_mel(np.linspace(0, rate / 2, bands + 2))),
        "You space the points in Hz and turn them into mel. It is the other way round: space them in mel, turn them "
        "into Hz.",
    ),
    Misconception(
        "another mel scale",
        answer(wrong.htk_points),
        "Your mel scale is 2595 · log10(1 + f/700). There are several; this exercise uses Slaney's, which `hz_to_mel` "
        "and `mel_to_hz` of `pocketlab.signals.audio` compute (without `htk=True`).",
    ),
    Misconception(
        "up to the sample rate",
        answer(lambda bands, rate: mel_to_hz(np.linspace(0, hz_to_mel(rate), bands + 2))),
        "Your points go up to the sample rate. The spectrum ends at half of it: `hz_to_mel(sample_rate / 2)`.",
    ),
    Misconception(
        "half of the mel of the sample rate",
        answer(wrong.mel_of_rate),
        "You halve the mel value of the sample rate. Mel is not linear, so halve first: `hz_to_mel(sample_rate / 2)`.",
    ),
    Misconception(
        "half the sample rate cut to a whole number",
        answer(lambda bands, rate: mel_to_hz(np.linspace(0, hz_to_mel(rate // 2), bands + 2))),
        "`sample_rate // 2` cuts off a half of an odd sample rate, 11,025 for example. Divide with `/`.",
    ),
    Misconception(
        "points at equal ratios",
        answer(wrong.geometric_points),
        "Each of your points is the same multiple of the one before. The mel scale is not that, below 1,000 Hz least "
        "of all: space them evenly in mel, from `hz_to_mel(0)`.",
    ),
    Misconception(
        "the ends twice",
        answer(wrong.ends_added),
        "You place the middle points from end to end and add both ends once more. Place all `bands + 2` points at "
        "once.",
    ),
    Misconception(
        "the upper end left out",
        answer(lambda bands, rate: mel_to_hz(np.linspace(0, hz_to_mel(rate / 2), bands + 2, endpoint=False))),
        "Your last point lies below half the sample rate. Both ends are points: `np.linspace(…, bands + 2)` includes "
        "them on its own.",
    ),
    Misconception(
        "both ends left out",
        answer(lambda bands, rate: mel_to_hz(np.linspace(0, hz_to_mel(rate / 2), bands + 4)[1:-1])),
        "You leave out 0 Hz and half the sample rate. The first point is the one, the last point the other: `bands + "
        "2` in all.",
    ),
    Misconception(
        "one point too few",
        answer(lambda bands, rate: mel_to_hz(np.linspace(0, hz_to_mel(rate / 2), bands + 1))),
        "You have `bands + 1` points, so one band is missing. A triangle takes three points, and neighbors share two: "
        "`bands + 2`.",
    ),
    Misconception(
        "two points too few",
        answer(lambda bands, rate: mel_to_hz(np.linspace(0, hz_to_mel(rate / 2), bands))),
        "You have as many points as bands. A triangle takes three points, and neighbors share two: `bands + 2`.",
    ),
    Misconception(
        "one point too many",
        answer(lambda bands, rate: mel_to_hz(np.linspace(0, hz_to_mel(rate / 2), bands + 3))),
        "You have a point too many, and a band too many. With both ends there are `bands + 2` points.",
    ),
    Misconception(
        "points rounded to whole Hz",
        answer(lambda bands, rate: np.rint(wrong.points(bands, rate))),
        "You round the points to whole Hz. The triangles are straight lines between the exact points; nothing needs "
        "rounding.",
    ),
    Misconception(
        "points cut to whole Hz",
        answer(lambda bands, rate: np.floor(wrong.points(bands, rate))),
        "You cut the points to whole Hz. The triangles are straight lines between the exact points; nothing needs "
        "rounding.",
    ),
    Misconception(
        "points moved to the spectrum's frequencies, cut",
        wrong.by_cutting,
        "You move each point down to a frequency of the spectrum. Many tutorials do; low bands then come out "
        "lopsided. Compute each height from the frequency and the exact points.",
    ),
    Misconception(
        "points moved to the spectrum's frequencies, fft_length + 1",
        wrong.by_floor,
        "You move each point to a frequency of the spectrum, by `floor((fft_length + 1) * hz / sample_rate)`. Many "
        "tutorials do; low bands then come out lopsided. Compute each height from the frequency and the exact points.",
    ),
    Misconception(
        "points moved to the spectrum's frequencies, rounded",
        wrong.by_round,
        "You move each point to the nearest frequency of the spectrum. Low bands then come out lopsided. Compute each "
        "height from the frequency and the exact points.",
    ),
    Misconception(
        "frequencies up to the sample rate",
        answer(sample=lambda length, rate: np.linspace(0, rate, length // 2 + 1)),
        "Your frequencies go up to the sample rate. Their distance is `sample_rate / fft_length`, and the last one is "
        "half the sample rate.",
    ),
    Misconception(
        "frequencies spread up to half the sample rate",
        answer(sample=wrong.up_to_half),
        "Right but for an odd fft_length: then no frequency lies at half the sample rate. They are `sample_rate / "
        "fft_length` apart, as `np.fft.rfftfreq(fft_length, 1 / sample_rate)` has them.",
    ),
    Misconception(
        "frequencies that end too early",
        answer(sample=lambda length, rate: np.linspace(0, rate / 2, length // 2 + 1, endpoint=False)),
        "Your frequencies are a little too close together: the last one is half the sample rate, and yours lies "
        "below. Their distance is `sample_rate / fft_length`.",
    ),
    Misconception(
        "frequencies as shares of the sample rate",
        answer(sample=lambda length, rate: np.fft.rfftfreq(length)),
        "Your frequencies go from 0 to 0.5: `np.fft.rfftfreq` needs the time from sample to sample as well, "
        "`np.fft.rfftfreq(fft_length, 1 / sample_rate)`.",
    ),
    Misconception(
        "numbers in place of frequencies",
        answer(sample=lambda length, rate: np.arange(length // 2 + 1.0)),
        "You compare the points, in Hz, with the numbers 0, 1, 2 … of the frequencies. Number j is at j · sample_rate "
        "/ fft_length Hz.",
    ),
    Misconception(
        "fft_length // 2 frequencies",
        answer(sample=lambda length, rate: wrong.frequencies(length, rate)[:-1]),
        "You have fft_length // 2 frequencies; the last one, half the sample rate, is missing. Counted with 0 there "
        "are fft_length // 2 + 1: `np.fft.rfftfreq(fft_length, 1 / sample_rate)`.",
    ),
    Misconception(
        "fft_length // 2 frequencies from end to end",
        answer(sample=lambda length, rate: np.linspace(0, rate / 2, length // 2)),
        "You have fft_length // 2 frequencies from 0 to half the sample rate. Counted with 0 there are fft_length // "
        "2 + 1: `np.fft.rfftfreq(fft_length, 1 / sample_rate)`.",
    ),
    Misconception(
        "all frequencies of a complex transform",
        answer(sample=lambda length, rate: np.fft.fftfreq(length, 1 / rate)),
        "You have fft_length frequencies, half of them negative. For real sound those are mirror images: take "
        "`np.fft.rfftfreq`.",
    ),
    Misconception(
        "frequencies divided by the wrong number",
        answer(sample=lambda length, rate: np.arange(length // 2 + 1) * rate / (length // 2 + 1)),
        "You divide the sample rate by fft_length // 2 + 1. The frequencies are `sample_rate / fft_length` apart.",
    ),
    Misconception(
        "the larger side",
        answer(shape=lambda f, *p: np.clip(np.maximum(*wrong.sides(f, *p)), 0, None)),
        "You take the larger of the two sides. Under a roof both conditions hold, so it is the smaller one: "
        "`np.minimum`.",
    ),
    Misconception(
        "the larger side, kept to 1",
        answer(shape=lambda f, *p: np.clip(np.maximum(*wrong.sides(f, *p)), 0, 1)),
        "You take the larger of the two sides and cut it at 1. Take the smaller one, `np.minimum`: it needs no upper "
        "limit.",
    ),
    Misconception(
        "below 0",
        answer(shape=lambda f, *p: np.asarray(np.minimum(*wrong.sides(f, *p)))),
        "Your bands go below 0 outside of the triangle. They are 0 there: `np.maximum(0, …)`.",
    ),
    Misconception(
        "the product of the sides",
        answer(shape=lambda f, *p: np.clip(np.prod(wrong.sides(f, *p), axis=0), 0, None)),
        "You multiply the two sides, which makes a curve that goes above 1. Take the smaller of both, `np.minimum`.",
    ),
    Misconception(
        "the rising side alone",
        answer(shape=lambda f, a, b, c: np.where((f >= a) & (f <= b), (f - a) / (b - a), 0.0)),
        "Your bands rise and end at the middle point. From there on they fall: (right − f)/(right − center).",
    ),
    Misconception(
        "the falling side alone",
        answer(shape=lambda f, a, b, c: np.where((f >= b) & (f <= c), (c - f) / (c - b), 0.0)),
        "Your bands begin at the middle point and fall. Before it they rise: (f − left)/(center − left).",
    ),
    Misconception(
        "rising twice",
        answer(shape=wrong.rising_twice),
        "Behind the middle point your bands rise from 0 again. They fall there: (right − f)/(right − center).",
    ),
    Misconception(
        "the signs of the falling side",
        answer(shape=lambda f, a, b, c: np.maximum(0, np.minimum((f - a) / (b - a), (f - c) / (c - b)))),
        "Your falling side is (f − right)/(right − center), which is negative up to the last point, so all is 0. Turn "
        "the sign: (right − f)/(right − center).",
    ),
    Misconception(
        "the center left out",
        answer(shape=wrong.not_at_center),
        "Right but for frequencies that lie exactly at a middle point: your two conditions both leave it out. One of "
        "them takes `<=`.",
    ),
    Misconception(
        "both sides of the same width",
        answer(shape=wrong.half_width),
        "Your triangles are as wide on the left as on the right. The points lie further apart above: each side has "
        "its own width, center − left and right − center.",
    ),
    Misconception(
        "both sides as wide as the left one",
        answer(shape=lambda f, a, b, c: np.maximum(0, 1 - np.abs(f - b) / (b - a))),
        "Your triangles fall as steeply as they rise. The points lie further apart above: the falling side has its "
        "own width, right − center.",
    ),
    Misconception(
        "the widths exchanged",
        answer(shape=lambda f, a, b, c: np.maximum(0, np.minimum((f - a) / (c - b), (c - f) / (b - a)))),
        "Each side is divided by the other one's width. The rising side is (f − left)/(center − left), the falling "
        "side (right − f)/(right − center).",
    ),
    Misconception(
        "the middle in Hz",
        answer(shape=wrong.halfway),
        "Your triangles peak halfway between their ends, in Hz. They peak at the point between, which is the middle "
        "in mel.",
    ),
    Misconception(
        "both sides divided by the whole width",
        answer(shape=wrong.whole_width),
        "You divide by right − left. Each side reaches 1 at the middle: divide by center − left and by right − center.",
    ),
    Misconception(
        "straight in mel",
        answer(shape=wrong.straight_in_mel),
        "Your triangles are straight in mel. Only the points are placed in mel; the lines between them are straight "
        "in Hz.",
    ),
    Misconception(
        "rectangles",
        answer(shape=wrong.rectangle),
        "Your bands are 1 all the way from the first point to the last. They rise to 1 at the middle point and fall "
        "again.",
    ),
    Misconception(
        "the same area",
        answer(shape=wrong.normalized_area),
        "You scale the triangles to the same area, as librosa does by default (norm='slaney'). Here each is 1 at its "
        "middle point.",
    ),
    Misconception(
        "the same sum",
        answer(shape=wrong.normalized_sum),
        "You divide each band by its sum. Here each is 1 at its middle point, whatever its sum.",
    ),
    Misconception(
        "divided by the largest value",
        answer(shape=wrong.normalized_peak),
        "You divide each band by its largest value, so that 1 is reached at a frequency of the spectrum. It is "
        "reached at the middle point, which mostly lies between two of them: leave the heights as they are.",
    ),
    Misconception(
        "transposed",
        answer(result=lambda triangles: triangles.T),
        "Your result has a row for each frequency. It is (bands, fft_length // 2 + 1): a row for each band.",
    ),
    Misconception(
        "heights cut to whole numbers",
        answer(result=lambda triangles: triangles.astype(int)),
        "Your heights are whole numbers, 0 and 1. They are fractions: fill an array of floats.",
    ),
)

# Frequencies spread so are right for an even length, so another mistake has to be told beside them.
_HINTS = {known.name: known.hint for known in _ALONE}
_SPREAD = {
    "points at equal distances in Hz": answer(lambda bands, rate: np.linspace(0, rate / 2, bands + 2), wrong.up_to_half),
    "another mel scale": answer(wrong.htk_points, wrong.up_to_half),
    "below 0": answer(sample=wrong.up_to_half, shape=lambda f, *p: np.asarray(np.minimum(*wrong.sides(f, *p)))),
    "the same area": answer(sample=wrong.up_to_half, shape=wrong.normalized_area),
    "straight in mel": answer(sample=wrong.up_to_half, shape=wrong.straight_in_mel),
    "transposed": answer(sample=wrong.up_to_half, result=lambda triangles: triangles.T),
    "the center left out": answer(sample=wrong.up_to_half, shape=wrong.not_at_center),
}

MISTAKES = (
    *_ALONE,
    *(
        Misconception(
            f"{name}; frequencies spread up to half the sample rate",
            known,
            f"{_HINTS[name]} And: for an odd fft_length no frequency lies at half the sample rate; take `np.fft.rfftfreq`.",
        )
        for name, known in _SPREAD.items()
    ),
)
