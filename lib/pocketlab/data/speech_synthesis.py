"""Digits from a model of the voice: a source (pulses of the vocal folds, or noise) and the resonances of the vocal tract.

They stand in for recordings where there are none. A model that tells them apart has learned this synthesizer, not people:
the figures of such a model say nothing about real speech.

Source of the method: Klatt, Software for a cascade/parallel formant synthesizer, 1980. The resonances of ah, ao, eh, ih, iy
and uw are the men's averages of Peterson and Barney, Control methods used in a study of the vowels, 1952; all other figures
were chosen for this course.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE_HZ = 8000
STEP = 40  # samples (5 ms) from one shape of the tract to the next
RESPONSE = 512  # samples after which the narrowest resonance has died away: exp(−π · 60 Hz · 54 ms) = 4e-5
BANDWIDTHS_HZ = np.array([60.0, 90.0, 150.0, 250.0])
FOURTH_FORMANT_HZ = 3500.0


@dataclass(frozen=True)
class Phone:
    """A speech sound: its first three resonances, how loud voice and noise are in it, where the noise lies, how long it is."""

    formants_hz: tuple[float, float, float]
    voice: float = 1.0
    noise: float = 0.0
    noise_hz: float = 2500.0
    milliseconds: float = 80.0


@dataclass(frozen=True)
class Speaker:
    """A simulated speaker: pitch in Hz, resonances against an adult man's (a shorter tract has higher ones), pace, breath."""

    pitch_hz: float
    tract: float
    pace: float
    breath: float


PHONES = {
    "ah": Phone((640, 1190, 2390), milliseconds=110),
    "ao": Phone((570, 840, 2410), milliseconds=130),
    "aa": Phone((730, 1150, 2440), milliseconds=110),
    "eh": Phone((530, 1840, 2480), milliseconds=90),
    "e": Phone((440, 2020, 2600), milliseconds=110),
    "ih": Phone((390, 1990, 2550), milliseconds=80),
    "iy": Phone((270, 2290, 3010), milliseconds=120),
    "o": Phone((500, 950, 2300), milliseconds=100),
    "u": Phone((380, 870, 2240), milliseconds=80),
    "uw": Phone((300, 870, 2240), milliseconds=170),
    "r": Phone((330, 1100, 1450), 0.7, milliseconds=70),
    "w": Phone((290, 610, 2150), 0.6, milliseconds=60),
    "n": Phone((250, 1400, 2300), 0.35, milliseconds=90),
    "v": Phone((250, 1100, 2200), 0.3, 0.03, 2500, 60),
    "z": Phone((250, 1500, 2500), 0.25, 0.2, 3600, 80),
    "s": Phone((300, 1500, 2500), 0.0, 0.3, 3600, 110),
    "f": Phone((300, 1000, 2300), 0.0, 0.06, 2200, 90),
    "th": Phone((300, 1400, 2500), 0.0, 0.05, 3000, 80),
    "t": Phone((300, 1700, 2600), 0.0, 0.3, 3300, 25),
    "k": Phone((300, 1900, 2400), 0.0, 0.25, 1900, 30),
    "stop": Phone((300, 1700, 2500), 0.0, 0.0, 2500, 50),
}
DIGITS = (
    "z ih r o u",
    "w ah n",
    "stop t uw",
    "th r iy",
    "f ao r",
    "f aa ih v",
    "s ih stop k s",
    "s eh v ah n",
    "e iy stop t",
    "n aa ih n",
)
SPEAKERS = {
    "low1": Speaker(95, 1.00, 1.00, 0.02),
    "low2": Speaker(115, 1.04, 1.15, 0.05),
    "low3": Speaker(135, 0.96, 0.90, 0.03),
    "high1": Speaker(185, 1.12, 1.05, 0.06),
    "high2": Speaker(210, 1.17, 0.95, 0.03),
    "high3": Speaker(240, 1.22, 1.10, 0.08),
}


def synthesize_digit(digit: int, speaker: str = "low1", take: int = 0) -> np.ndarray:
    """Return a digit said by a simulated speaker, (samples,) float32 from −1 to 1 at 8 kHz; the same for the same arguments.

    Takes differ in pitch (6 %), pace (12 %), resonances (3 %, each its own) and loudness (6 dB); a little noise (−50 dB) lies
    under all of them.

    Raises ValueError for another digit or speaker.
    """
    if digit not in range(10) or speaker not in SPEAKERS:
        raise ValueError(f"Digits are 0 to 9 and speakers {', '.join(SPEAKERS)}; not {digit!r} by {speaker!r}.")
    voice = SPEAKERS[speaker]
    rng = np.random.default_rng([digit, list(SPEAKERS).index(speaker), take])
    phones = [PHONES[name] for name in DIGITS[digit].split()]
    pace = 0.8 * voice.pace * rng.normal(1, 0.12, len(phones)).clip(0.7, 1.4)
    steps = np.maximum(2, np.round([p.milliseconds / 5 for p in phones] / pace)).astype(int)

    def track(values: list[float], smoothing: int) -> np.ndarray:
        """The course of a quantity, one value for each step, smoothed over that many steps."""
        held = np.pad(np.repeat(values, steps), smoothing // 2, mode="edge")
        return np.convolve(held, np.full(smoothing, 1 / smoothing), mode="valid")

    scale = voice.tract * rng.normal(1, 0.03, 4).clip(0.9, 1.1)
    formants = np.stack([track([p.formants_hz[k] for p in phones], 11) for k in range(3)])
    formants = np.vstack([formants, np.full(formants.shape[1], FOURTH_FORMANT_HZ)]) * scale[:, np.newaxis]
    loud, hiss = track([p.voice for p in phones], 3), track([p.noise for p in phones], 3)
    count = len(loud) * STEP
    pitch = voice.pitch_hz * rng.normal(1, 0.06) * np.linspace(1.1, 0.85, count)  # falls towards the end
    source = _pulses(pitch) + voice.breath * rng.standard_normal(count)
    voiced = _through_tract(source * np.repeat(loud, STEP), formants, BANDWIDTHS_HZ)
    noise_hz = np.repeat([p.noise_hz for p in phones], steps)[np.newaxis]
    noise = _through_tract(rng.standard_normal(count) * np.repeat(hiss, STEP), noise_hz, np.array([900.0]))
    ends = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (4 * STEP))
    sound = (voiced / np.abs(voiced).max() + noise / 2) * ends
    sound = 0.5 * sound / np.abs(sound).max() * 10 ** (-rng.uniform(0, 6) / 20) + 10 ** (-50 / 20) * rng.standard_normal(count)
    return np.asarray(sound, np.float32)


def _pulses(pitch_hz: np.ndarray) -> np.ndarray:
    """The flow of air through the vocal folds, differentiated as the lips do: (samples,) for pitch_hz (samples,).

    The folds are open for 0.6 of a period, in which the flow grows as 27/4 · (φ² − φ³) and breaks off (Klatt and Klatt, 1990).
    """
    phase = np.cumsum(pitch_hz / SAMPLE_RATE_HZ) % 1 / 0.6
    return np.where(phase < 1, 27 / 4 * (2 * phase - 3 * phase**2), 0.0)


def _through_tract(source: np.ndarray, formants_hz: np.ndarray, bandwidths_hz: np.ndarray) -> np.ndarray:
    """Filter source (steps · STEP,) by resonators in a row, whose frequencies (resonators, steps) change with each step.

    Pieces of the source under Hann windows two steps long, which add up to 1, go through the tract of their moment each, and
    are added up again. A resonator is Klatt's: two poles, and gain 1 at 0 Hz.
    """
    pieces = np.lib.stride_tricks.sliding_window_view(np.pad(source, STEP), 2 * STEP)[::STEP]
    window = np.sin(np.pi * np.arange(2 * STEP) / (2 * STEP)) ** 2
    delay = np.exp(-2j * np.pi * np.arange(RESPONSE // 2 + 1) / RESPONSE)
    response = np.ones((len(pieces), len(delay)), complex)
    for frequencies, bandwidth in zip(formants_hz, bandwidths_hz, strict=True):
        radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE_HZ)
        turn = np.minimum(np.pad(frequencies, (0, 1), mode="edge") / SAMPLE_RATE_HZ, 0.48)[:, np.newaxis]
        a1, a2 = -2 * radius * np.cos(2 * np.pi * turn), radius**2
        response *= (1 + a1 + a2) / (1 + delay * (a1 + a2 * delay))
    filtered = np.fft.irfft(np.fft.rfft(pieces * window, RESPONSE, axis=1) * response, RESPONSE, axis=1)
    out = np.zeros((len(pieces) - 1) * STEP + RESPONSE)
    for step, piece in enumerate(filtered):
        out[step * STEP : step * STEP + RESPONSE] += piece
    return out[STEP : STEP + len(source)]
