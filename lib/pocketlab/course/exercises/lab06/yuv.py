"""Exercise 06.9: from YUV to RGB."""

from __future__ import annotations

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Tolerance
from pocketlab.course.exercises.lab06.yuv_mistakes import MISTAKES
from pocketlab.data.yuv import RED_AND_BLUE, YuvFormat, YuvFrame, yuv_to_rgb_matrix
from pocketlab.signals import frame_steps


def _reference(y: np.ndarray, u: np.ndarray, v: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    (color, full_range), *_ = [
        (color, full_range)
        for color in RED_AND_BLUE
        for full_range in (False, True)
        if np.array_equal(matrix, yuv_to_rgb_matrix(color, full_range))
    ]
    height, width = y.shape
    frame_format = YuvFormat(width, height, "I420", color=color, full_range=full_range)
    return frame_steps.to_rgb(YuvFrame(np.concatenate([plane.ravel() for plane in (y, u, v)]), frame_format))


def _far_from_a_half(u: int, v: int, matrix: np.ndarray) -> np.ndarray:
    """Say for each Y from 0 to 255 whether its three colors are clear of the middle between two numbers, by 0.2 or more.

    OpenCV computes with uint8 in fixed point, to 0.16: these colors it rounds as everybody does.
    """
    colors = np.stack(np.broadcast_arrays(np.arange(256), u, v), axis=-1) @ matrix[:, :3].T + matrix[:, 3]
    return np.asarray((np.abs(colors - np.floor(colors) - 0.5) >= 0.2).all(axis=1))


def _yuv_cases(rng: np.random.Generator) -> list[Case]:
    video, photo = yuv_to_rgb_matrix("bt601", False), yuv_to_rgb_matrix("bt601", True)
    hd_video, hd_full = yuv_to_rgb_matrix("bt709", False), yuv_to_rgb_matrix("bt709", True)

    def even(y: int, u: int, v: int, matrix: np.ndarray, height: int = 2, width: int = 2) -> tuple[np.ndarray, ...]:
        """Return the arguments for a picture of one color."""
        half = (height // 2, width // 2)
        return np.full((height, width), y, np.uint8), np.full(half, u, np.uint8), np.full(half, v, np.uint8), matrix

    def drawn(height: int, width: int, matrix: np.ndarray, low: int = 90, high: int = 150) -> tuple[np.ndarray, ...]:
        """Draw a picture; from 90 to 150 few colors leave 0 to 255."""
        y = np.empty((height, width), np.uint8)
        u, v = np.empty((2, height // 2, width // 2), np.uint8)
        for block in np.ndindex(u.shape):
            possible = np.zeros(0, np.int64)
            while len(possible) < 2:
                u[block], v[block] = rng.integers(low, high, 2)
                possible = low + np.flatnonzero(_far_from_a_half(int(u[block]), int(v[block]), matrix)[low:high])
            i, j = block
            y[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = rng.choice(possible, (2, 2))
        return y, u, v, matrix

    def interleaved(height: int, width: int, matrix: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return views of planes as a camera has them: rows with padding, U and V in turns."""
        y, u, v, _ = drawn(height, width, matrix)
        padded, chroma = np.zeros((height, width + 6), np.uint8), np.zeros((height // 2, width + 6), np.uint8)
        padded[:, :width], chroma[:, 0:width:2], chroma[:, 1:width:2] = y, u, v
        return padded[:, :width], chroma[:, 0:width:2], chroma[:, 1:width:2], matrix

    return [
        Case("gray", even(126, 128, 128, video)),
        Case("gray", even(180, 128, 128, photo)),
        Case("one color", even(100, 94, 170, video)),
        Case("one color", even(140, 160, 110, photo)),
        Case("brightness that differs from pixel to pixel", drawn(2, 2, video)),
        Case("a square picture", drawn(4, 4, video)),
        Case("a square picture", drawn(6, 6, photo, 110, 146)),
        Case("a wide picture", drawn(2, 6, video)),
        Case("a wide picture", drawn(4, 8, photo, 110, 146)),
        Case("a high picture", drawn(8, 4, video)),
        Case("a high picture", drawn(6, 2, hd_video)),
        Case("another matrix", drawn(4, 6, hd_video)),
        Case("another matrix", drawn(4, 4, hd_full, 110, 146)),
        Case("a color beyond 255", even(126, 128, 240, video)),
        Case("a color beyond 255", even(240, 200, 100, photo)),
        Case("a color below 0", even(40, 60, 200, video)),
        Case("a color below 0", even(30, 120, 41, hd_full)),
        Case("colors of all kinds", drawn(6, 8, video, 0, 256)),
        Case("colors of all kinds", drawn(8, 6, hd_full, 0, 256)),
        Case("darker than black", even(3, 128, 128, video)),
        Case("brighter than white", even(250, 128, 128, video)),
        Case("all bytes 0", even(0, 0, 0, hd_full, 4, 2)),
        Case("all bytes 255", even(255, 255, 255, video, 2, 4)),
        Case("planes that are views of a camera's buffer", interleaved(4, 6, video)),
        Case("planes that are views of a camera's buffer", interleaved(6, 4, hd_full)),
    ]


YUV = Exercise(
    id="06.9",
    title="from YUV to RGB",
    reference=_reference,
    cases=_yuv_cases,
    tolerance=Tolerance(
        0.0,
        0.0,
        "Colors are whole numbers. None of these lies within 0.2 of the middle between two before it is rounded: "
        "float32 is off by 0.0001 (three products of up to 600, each to 6e-8), OpenCV with uint8 by 0.16.",
    ),
    misconceptions=MISTAKES,
)
