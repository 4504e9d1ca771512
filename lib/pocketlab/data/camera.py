"""A simulated camera: frames of a moving test scene, with a phone camera's timing and noise, the same for the same seed.

Model and where its numbers come from:
- Capture times: multiples of the frame time, each stamp off by a normal error. Android's camera test suite (ITS, test_jitter)
  lets a camera pass with a variance of 0.01 ms² between frames: 0.07 ms for one stamp, the default.
- Delivery: some time after capture, for exposure, readout and image processing, and a random rest with an exponential
  distribution. The defaults, one frame time of 60 frames/s and 1 ms, are chosen, not measured. In a stall the driver hands over
  nothing; what came meanwhile follows at once at its end.
- Noise: variance = shot · light + read for light of 0 to 1; read follows from shot by the line of Brooks et al. 2019
  (Unprocessing Images for Learned Raw Denoising), fitted to the cameras of the Darmstadt Noise Dataset, not to phones alone; its
  shot noise goes from 0.0001 to 0.012. The default, 0.001, is chosen. Noise passes through a gamma of 2.2 into brightness. U and
  V have none: phones smooth color strongly.
- Exposure: each frame's light is off by a normal factor, as with an auto exposure that hunts; its 1 % is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.compiled import compiled
from pocketlab.data.yuv import YuvFormat, YuvFrame, yuv_from_rgb

Floats = NDArray[np.float32]
Times = NDArray[np.float64]

SQUARE = 40  # pixels, the side of a square of the scene
PERIOD = 2 * SQUARE  # after so many pixels the scene repeats
SPEED = (180.0, 60.0)  # pixels per second, to the left and up
GAMMA = 2.2
NOISE_SAMPLES = 1 << 16
# Squares: two bright, two dark, none of them a color that 8-bit YUV could not hold.
COLORS = ((200, 190, 170), (60, 80, 130), (150, 60, 50), (90, 170, 110))


@dataclass(frozen=True)
class CameraFrame:
    """A frame, its number, and when it was captured and handed over, in seconds from the camera's start."""

    index: int
    captured_s: float
    delivered_s: float
    image: YuvFrame


@dataclass(frozen=True)
class SimulatedCamera:
    """A camera that looks at a moving checkerboard; see the module for the model.

    format: of the frames, see `YuvFormat`. stalls: (start, duration) of each, in seconds, in which nothing is handed over.
    delivery_delay_s: from capture to delivery at least; delivery_jitter_s: the mean of what comes on top. exposure_noise: the
    standard deviation of a frame's light, relative. shot_noise: see the module; 0 for none, and no read noise either.

    Raises ValueError where a rate is not above zero, a time or noise is negative, or a number is not finite.
    """

    format: YuvFormat
    frame_rate_hz: float = 60.0
    seed: int = 0
    stalls: Sequence[tuple[float, float]] = ()
    timestamp_jitter_s: float = 0.00007
    delivery_delay_s: float = 1 / 60
    delivery_jitter_s: float = 0.001
    exposure_noise: float = 0.01
    shot_noise: float = 0.001
    _scene: _Scene = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.frame_rate_hz) and self.frame_rate_hz > 0):
            raise ValueError(f"The frame rate is {self.frame_rate_hz} Hz: it has to be above zero.")
        for name in ("timestamp_jitter_s", "delivery_delay_s", "delivery_jitter_s", "exposure_noise", "shot_noise"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}: it has to be a number from zero up.")
        if any(not (math.isfinite(start + duration) and duration >= 0) for start, duration in self.stalls):
            raise ValueError(f"stalls are (start, duration) in seconds, durations not below zero; these are {self.stalls}.")
        object.__setattr__(self, "_scene", _Scene(self.format, self.shot_noise))

    def times(self, count: int) -> tuple[Times, Times]:
        """Return when the first `count` frames are captured and delivered, in seconds; neither goes back.

        A stamp is off by a quarter of the frame time at most.
        """
        frame_time = 1 / self.frame_rate_hz
        errors = self.timestamp_jitter_s * np.random.default_rng([self.seed, 0]).standard_normal(count)
        captured = np.asarray(np.arange(count) * frame_time + np.clip(errors, -frame_time / 4, frame_time / 4), np.float64)
        late = self.delivery_jitter_s * np.random.default_rng([self.seed, 1]).standard_exponential(count)
        delivered = captured + self.delivery_delay_s + late
        for start, duration in self.stalls:
            inside = (delivered >= start) & (delivered < start + duration)
            delivered[inside] = start + duration
        return captured, np.maximum.accumulate(delivered)

    def shift(self, index: int) -> tuple[int, int]:
        """Return how far the scene of a frame has moved since the first one, in whole pixels to the left and up."""
        across, down = (2 * round(speed * index / self.frame_rate_hz / 2) for speed in SPEED)  # U and V move along
        return across, down

    def image(self, index: int) -> YuvFrame:
        """Return the picture of one frame, in a buffer of its own."""
        rng = np.random.default_rng([self.seed, 2, index])
        light = max(0.0, 1 + self.exposure_noise * rng.standard_normal())
        scene, frame = self._scene, self.format.blank()
        left, top = (shift % PERIOD for shift in self.shift(index))
        starts = rng.integers(0, NOISE_SAMPLES, self.format.height)
        y, u, v = frame.planes()
        # Twice the light is 2^(1/2.2) times the brightness and, for U and V, the distance from gray.
        gain = np.float32(light ** (1 / GAMMA))
        _draw_y(scene.y, scene.deviations, top, left, gain, scene.black, scene.noise, starts, y)
        _draw_color(scene.u, top // 2, left // 2, gain, u)
        _draw_color(scene.v, top // 2, left // 2, gain, v)
        return frame

    def frames(self, count: int) -> Iterator[CameraFrame]:
        """Yield the first `count` frames, each drawn when it is asked for."""
        for index, (captured, delivered) in enumerate(zip(*self.times(count), strict=True)):
            yield CameraFrame(index, float(captured), float(delivered), self.image(index))


class _Scene:
    """A picture one period larger than the frame, of which each frame shows another part, and its noise."""

    def __init__(self, frame_format: YuvFormat, shot_noise: float) -> None:
        width, height = frame_format.width + PERIOD, frame_format.height + PERIOD
        rows, columns = np.arange(height)[:, None], np.arange(width)
        squares = 2 * (rows // SQUARE % 2) + columns // SQUARE % 2
        shade = 0.75 + 0.25 * (rows % SQUARE + columns % SQUARE) / PERIOD  # a gradient within each square
        picture = (np.array(COLORS)[squares] * shade[:, :, None]).astype(np.uint8)
        color, full_range = frame_format.color, frame_format.full_range
        planes = yuv_from_rgb(picture, YuvFormat(width, height, "I420", color=color, full_range=full_range)).planes()
        self.y, self.u, self.v = planes
        self.black, steps = np.float32(0 if full_range else 16), 255 if full_range else 219
        brightness = np.maximum((self.y - self.black) / steps, 0.01)  # gamma is infinitely steep at black
        light = brightness**GAMMA
        variance = shot_noise * light + (math.exp(2.18 * math.log(shot_noise) + 1.20) if shot_noise else 0)
        # A small change of light changes brightness by the slope of light^(1/2.2).
        self.deviations = (steps * np.sqrt(variance) * brightness / (GAMMA * light)).astype(np.float32)
        samples = NOISE_SAMPLES + frame_format.width
        self.noise = np.random.default_rng(0).standard_normal(samples, np.float32)  # frames begin at random places


@compiled
def _draw_y(
    scene: NDArray[np.uint8],
    deviations: Floats,
    top: int,
    left: int,
    gain: np.float32,
    black: np.float32,
    noise: Floats,
    starts: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    height, width = out.shape
    for i in range(height):
        levels, spread = scene[top + i, left : left + width], deviations[top + i, left : left + width]
        row, drawn = out[i], noise[starts[i] : starts[i] + width]
        for j in range(width):
            level = black + gain * (np.float32(levels[j]) - black) + spread[j] * drawn[j] + np.float32(0.5)
            row[j] = np.uint8(min(max(level, np.float32(0)), np.float32(255)))


@compiled
def _draw_color(scene: NDArray[np.uint8], top: int, left: int, gain: np.float32, out: NDArray[np.uint8]) -> None:
    gray = np.float32(128)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            level = gray + gain * (np.float32(scene[top + i, left + j]) - gray) + np.float32(0.5)
            out[i, j] = np.uint8(min(max(level, np.float32(0)), np.float32(255)))
