"""A camera's frame: brightness for each pixel, color for each 2×2 block (YUV 4:2:0).

Sources: ITU-R BT.601-7, section 2.5, and BT.709-6, section 3 (what Y, U and V are; U and V are there called C_B and C_R).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

PIXEL_FORMATS = ("I420", "NV12", "NV21")
# The shares of red and blue in brightness; green has the rest.
RED_AND_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


@dataclass(frozen=True)
class YuvFormat:
    """How a frame lies in its buffer, and what its numbers mean.

    pixel_format: "I420" has a plane of Y, one of U and one of V; "NV12" has a plane of Y and one in which U and V take turns
    (U first), "NV21" the same with V first. U and V have half the width and half the height.
    row_stride, chroma_row_stride: bytes from the start of a row to the start of the next one, of Y and of U and V; what lies
    between is padding. 0 stands for none.
    color: "bt601" or "bt709"; full_range: True where Y, U and V use 0 to 255 (as JPEG does), False where Y uses 16 to 235 and
    U and V 16 to 240 (as video does).

    Raises ValueError where the size is odd or zero, a stride is too short, or a name is not one of these.
    """

    width: int
    height: int
    pixel_format: str = "NV12"
    row_stride: int = 0
    chroma_row_stride: int = 0
    color: str = "bt601"
    full_range: bool = False

    def __post_init__(self) -> None:
        for name, length in (("width", self.width), ("height", self.height)):
            if length <= 0 or length % 2:
                raise ValueError(
                    f"The {name} is {length}: in a 4:2:0 frame 2×2 pixels share a color, so it is even and at least 2."
                )
        _check_choice("pixel_format", self.pixel_format, PIXEL_FORMATS)
        _check_choice("color", self.color, tuple(RED_AND_BLUE))
        chroma_width = self.width // 2 if self._planar else self.width
        for name, least in (("row_stride", self.width), ("chroma_row_stride", chroma_width)):
            stride = getattr(self, name) or least
            if stride < least:
                raise ValueError(f"{name} is {stride}, but a row has {least} bytes: it counts bytes from row to row.")
            object.__setattr__(self, name, stride)

    @property
    def _planar(self) -> bool:
        return self.pixel_format == "I420"

    @property
    def bytes(self) -> int:
        """How long a frame's buffer is."""
        return self.row_stride * self.height + (1 + self._planar) * self.chroma_row_stride * (self.height // 2)

    @property
    def chroma(self) -> tuple[int, int, int]:
        """Where U and V begin in the buffer, and how many bytes lie from one sample to the next."""
        start = self.row_stride * self.height
        if self._planar:
            return start, start + self.chroma_row_stride * (self.height // 2), 1
        v_first = self.pixel_format == "NV21"
        return start + v_first, start + 1 - v_first, 2

    def blank(self) -> YuvFrame:
        """Return a frame whose bytes are all zero, to be drawn into."""
        return YuvFrame(np.zeros(self.bytes, np.uint8), self)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: choose one of {', '.join(choices)}.")


@dataclass(frozen=True)
class YuvFrame:
    """One frame of a camera. buffer: (format.bytes,) uint8, laid out as the format says.

    Raises ValueError where the buffer is not as long as the format asks for, or not of uint8.
    """

    buffer: Bytes
    format: YuvFormat

    def __post_init__(self) -> None:
        buffer = self.buffer
        if not isinstance(buffer, np.ndarray) or buffer.dtype != np.uint8 or buffer.ndim != 1:
            found = f"{buffer.dtype} of shape {buffer.shape}" if isinstance(buffer, np.ndarray) else type(buffer).__name__
            raise ValueError(
                f"A frame's buffer is a one-dimensional array of uint8; this is {found}. For bytes: "
                "np.frombuffer(data, np.uint8)."
            )
        if not buffer.flags.c_contiguous:
            raise ValueError("A frame's buffer has to be contiguous: pass np.ascontiguousarray(buffer).")
        if len(buffer) != self.format.bytes:
            of = self.format
            raise ValueError(
                f"The buffer has {len(buffer)} bytes; a frame of {of.width}×{of.height} in {of.pixel_format}, with strides of "
                f"{of.row_stride} and {of.chroma_row_stride}, has {of.bytes}. Check size, strides and pixel format."
            )

    def planes(self) -> tuple[Bytes, Bytes, Bytes]:
        """Return Y (height, width), and U and V (height / 2, width / 2), as views of the buffer."""
        of = self.format
        u_start, v_start, step = of.chroma
        half = (of.height // 2, of.width // 2)
        return (
            self._view(0, (of.height, of.width), (of.row_stride, 1)),
            self._view(u_start, half, (of.chroma_row_stride, step)),
            self._view(v_start, half, (of.chroma_row_stride, step)),
        )

    def _view(self, start: int, shape: tuple[int, int], strides: tuple[int, int]) -> Bytes:
        return np.lib.stride_tricks.as_strided(self.buffer[start:], shape, strides)


def rgb_to_yuv_matrix(color: str, full_range: bool) -> NDArray[np.float64]:
    """Return the (3, 4) matrix that turns (R, G, B, 1), each color from 0 to 255, into Y, U and V of 0 to 255."""
    red, blue = RED_AND_BLUE[color]
    brightness = np.array([red, 1 - red - blue, blue])
    u = (np.array([0, 0, 1]) - brightness) / (2 * (1 - blue))  # −0.5 to 0.5 for colors of 0 to 1
    v = (np.array([1, 0, 0]) - brightness) / (2 * (1 - red))
    y_steps, uv_steps, black = (255, 255, 0) if full_range else (219, 224, 16)
    linear = np.stack([y_steps * brightness, uv_steps * u, uv_steps * v]) / 255
    return np.column_stack([linear, [black, 128, 128]])


def yuv_to_rgb_matrix(color: str, full_range: bool) -> NDArray[np.float64]:
    """Return the (3, 4) matrix that turns (Y, U, V, 1) into R, G and B of 0 to 255, the inverse of `rgb_to_yuv_matrix`."""
    forward = rgb_to_yuv_matrix(color, full_range)
    backward = np.linalg.inv(forward[:, :3])
    return np.column_stack([backward, -backward @ forward[:, 3]])


def yuv_from_rgb(rgb: Bytes, frame_format: YuvFormat) -> YuvFrame:
    """Return an image (height, width, 3) of uint8 as a camera would deliver it; U and V are those of each block's mean color.

    Raises ValueError where the image is not uint8 or not of the format's size.
    """
    width, height = frame_format.width, frame_format.height
    if rgb.shape != (height, width, 3) or rgb.dtype != np.uint8:
        raise ValueError(
            f"The image for this format is uint8 of shape {(height, width, 3)}; this is {rgb.dtype} of shape {rgb.shape}."
        )
    frame = frame_format.blank()
    matrix = rgb_to_yuv_matrix(frame_format.color, frame_format.full_range)
    blocks = rgb.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    for row, plane, colors in zip(matrix, frame.planes(), (rgb, blocks, blocks), strict=True):
        plane[:] = np.clip(np.rint(colors @ row[:3] + row[3]), 0, 255)
    return frame
