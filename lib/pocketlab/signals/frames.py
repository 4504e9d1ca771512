"""A camera's frame to a network's input in one pass: YUV, crop, resize, rotation and normalization, with no memory per frame.

Color conversion, resizing and normalization are linear, so they may change places: rows are added up while they are still
bytes, then columns, and only the pixels of the target become colors. `frame_steps` has the same as single steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.compiled import compiled
from pocketlab.data.yuv import YuvFormat, YuvFrame, yuv_to_rgb_matrix
from pocketlab.signals import frame_steps as steps
from pocketlab.signals.frame_resizing import Taps, embed, for_pairs, resizing_matrix, taps
from pocketlab.signals.frame_steps import Crop, Size, TensorFormat

Array = NDArray[np.float64]
Values = NDArray[np.float32]
Tensor = NDArray[np.generic]


class FramePreparation:
    """Turns frames of one size into tensors of one size and format, as fast as frames come.

    source_size, target_size: (width, height), of the frame as it comes and of the tensor. crop: (left, top, width, height) in
    the frame, all of it by default. rotation: 0, 90, 180 or 270 degrees clockwise, after the crop; mirror: left to right, after
    the rotation. letterbox: keep the proportions and put bars of the gray level `padding` around; otherwise the image is
    stretched to the target. resampling: "bilinear" or "area", see `frame_steps.resize`. tensor: see `TensorFormat`.

    Colors are kept to 0 to 255 after resizing, where single steps do it before and after. That differs only where a frame holds
    numbers that are no color (Y of 255 beside a strong U, say). One object serves one thread.

    Raises ValueError for an odd or zero size, a crop outside of the frame, and what the steps refuse.
    """

    def __init__(
        self,
        source_size: Size,
        target_size: Size,
        *,
        crop: Crop | None = None,
        rotation: int = 0,
        mirror: bool = False,
        letterbox: bool = False,
        padding: int = 114,
        resampling: str = "bilinear",
        tensor: TensorFormat | None = None,
    ) -> None:
        YuvFormat(*source_size)  # refuses a size that no frame has
        self.source_size, self.target_size = source_size, target_size
        self.crop = crop or (0, 0, *source_size)
        self.rotation, self.mirror, self.letterbox, self.padding = rotation, mirror, letterbox, padding
        self.resampling, self.tensor = resampling, tensor or TensorFormat()
        steps.check_crop(self.crop, source_size)
        steps.check_rotation(rotation)
        if not 0 <= padding <= 255:
            raise ValueError(f"padding is {padding}: it is a gray level from 0 (black) to 255 (white).")
        upright = _turned(self.crop[2:], rotation)
        steps.check_resampling(resampling, upright, target_size)
        self.box = steps.letterbox_box(upright, target_size) if letterbox else (0, 0, *target_size)
        self._output = np.zeros(self.tensor.shape(target_size), self.tensor.dtype)
        self._tables()
        self._places()
        self._values()
        self._frame_format: YuvFormat | None = None

    def _tables(self) -> None:
        """What is added up for each row and each column of the image as the camera holds it, before any rotation."""
        left, top, width, height = self.crop
        resized = _turned(self.box[2:], self.rotation)
        # Of each row only the columns of the crop are read; they begin and end with a whole block of 2×2.
        self._first_column = left // 2 * 2
        read = (left + width + 1) // 2 * 2 - self._first_column
        columns = embed(resizing_matrix(width, resized[0], self.resampling), left - self._first_column, read)
        rows = embed(resizing_matrix(height, resized[1], self.resampling), top, self.source_size[1])
        self._luma = taps(rows), taps(columns)
        self._chroma = taps(for_pairs(rows)), taps(for_pairs(columns))
        self._scratch = np.zeros(read, np.float32), np.zeros((3, resized[0]), np.float32)

    def _places(self) -> None:
        """Where in the tensor a pixel of the unrotated image belongs: rotation and mirroring only change the way through it."""
        numbers = np.arange(self._output.size).reshape(self._output.shape)
        channels_first = numbers if self.tensor.layout == "CHW" else numbers.transpose(2, 0, 1)
        left, top, width, height = self.box
        view = channels_first[:, top : top + height, left : left + width]
        view = np.rot90(view[:, :, ::-1] if self.mirror else view, self.rotation // 90, axes=(1, 2))
        self._way = (int(view[0, 0, 0]), *(stride // numbers.itemsize for stride in view.strides))

    def _values(self) -> None:
        """How a color becomes what is stored, and the bars of a letterbox, which are stored as they are."""
        self._gain_and_offset = np.stack(self.tensor.gain_and_offset()).astype(np.float32)
        self._limits = self.tensor.limits
        gray = np.full((self.target_size[1], self.target_size[0], 3), self.padding, np.uint8)
        self._bars = self.tensor.normalize(gray) if self.box[2:] != self.target_size else None

    def _meet(self, frame_format: YuvFormat) -> None:
        """Learn where the bytes of frames in this format lie."""
        if (frame_format.width, frame_format.height) != self.source_size:
            raise ValueError(
                f"The frame is {frame_format.width}×{frame_format.height}; this preparation is for "
                f"{self.source_size[0]}×{self.source_size[1]}."
            )
        u_start, v_start, step = frame_format.chroma
        before = self._first_column // 2 * step
        self._starts = self._first_column, u_start + before, v_start + before
        self._strides = frame_format.row_stride, frame_format.chroma_row_stride, step
        self._colors = yuv_to_rgb_matrix(frame_format.color, frame_format.full_range).astype(np.float32)
        self._frame_format = frame_format

    def prepare(self, frame: YuvFrame, out: Tensor | None = None) -> Tensor:
        """Return the frame as the network wants it, in `out` or else in an array of this object's, which the next call reuses.

        Raises ValueError for a frame of another size, and where `out` is not of the tensor's shape and dtype or not contiguous.
        """
        if frame.format != self._frame_format:
            self._meet(frame.format)
        if out is None:
            out = self._output
        elif out.shape != self._output.shape or out.dtype != self._output.dtype or not out.flags.carray:
            raise ValueError(
                f"out has to be a contiguous, writable {self._output.dtype} of shape {self._output.shape}; it is {out.dtype} of "
                f"shape {out.shape}."
            )
        if self._bars is not None:
            np.copyto(out, self._bars)
        _prepare(
            frame.buffer,
            self._starts,
            self._strides,
            self._luma,
            self._chroma,
            self._scratch,
            self._colors,
            self._gain_and_offset,
            self._limits,
            self.tensor.quantized,
            out,
            self._way,
        )
        return out

    def prepare_in_steps(self, frame: YuvFrame) -> Tensor:
        """Return the same, up to rounding to bytes after each step, with an image for each step."""
        image = steps.rotate(steps.crop(steps.to_rgb(frame), self.crop), self.rotation, self.mirror)
        if self.letterbox:
            image = steps.letterbox(image, self.target_size, self.padding, self.resampling)
        else:
            image = steps.resize(image, self.target_size, self.resampling)
        return self.tensor.normalize(image)

    def to_source(self, points: Array) -> Array:
        """Return where points (…, 2) of the target, x and y, lie in the camera's frame.

        Pixel i covers i to i + 1, so its center is i + 0.5. Points in a letterbox's bars come to lie outside of the crop.
        """
        left, top, width, height = self.box
        x, y = np.moveaxis(np.asarray(points, np.float64), -1, 0)
        x, y = (x - left) / width, (y - top) / height  # 0 to 1 within the image
        x = 1 - x if self.mirror else x
        x, y = {0: (x, y), 90: (y, 1 - x), 180: (1 - x, 1 - y), 270: (1 - y, x)}[self.rotation]
        return np.stack([self.crop[0] + x * self.crop[2], self.crop[1] + y * self.crop[3]], axis=-1)

    def to_target(self, points: Array) -> Array:
        """Return where points (…, 2) of the camera's frame lie in the target, the inverse of `to_source`."""
        x, y = np.moveaxis(np.asarray(points, np.float64), -1, 0)
        x, y = (x - self.crop[0]) / self.crop[2], (y - self.crop[1]) / self.crop[3]
        x, y = {0: (x, y), 90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[self.rotation]
        x = 1 - x if self.mirror else x
        return np.stack([self.box[0] + x * self.box[2], self.box[1] + y * self.box[3]], axis=-1)

    def boxes_to_source(self, boxes: Array) -> Array:
        """Return boxes (…, 4) of the target, as (x0, y0, x1, y1), in the camera's frame, cut off at the crop's border."""
        corners = self.to_source(np.asarray(boxes, np.float64).reshape(*np.shape(boxes)[:-1], 2, 2))
        left, top, width, height = self.crop
        low, high = corners.min(axis=-2), corners.max(axis=-2)
        return np.concatenate(
            [np.clip(corner, [left, top], [left + width, top + height]) for corner in (low, high)], axis=-1
        )


def _turned(size: tuple[int, ...], rotation: int) -> Size:
    width, height = size
    return (height, width) if rotation in (90, 270) else (width, height)


@compiled
def _add_rows(buffer: NDArray[np.uint8], start: int, stride: int, weights: Values, total: Values) -> None:
    """Add up the same columns of neighboring rows, weighted."""
    total[:] = 0
    for k in range(len(weights)):
        weight = weights[k]
        row = buffer[start + k * stride : start + k * stride + len(total)]
        for x in range(len(total)):
            total[x] += weight * np.float32(row[x])


@compiled
def _add_columns(row: Values, start: int, step: int, columns: Taps, out: Values) -> None:
    """Add up neighboring samples of a row, weighted; they lie `step` apart."""
    first, weights = columns
    for j in range(len(out)):
        at = start + step * first[j]
        total = np.float32(0)
        for k in range(weights.shape[1]):
            total += weights[j, k] * row[at + step * k]
        out[j] = total


@compiled
def _prepare(
    buffer: NDArray[np.uint8],
    starts: tuple[int, int, int],
    strides: tuple[int, int, int],
    luma: tuple[Taps, Taps],
    chroma: tuple[Taps, Taps],
    scratch: tuple[Values, Values],
    colors: Values,
    gain_and_offset: Values,
    limits: tuple[float, float],
    quantized: bool,
    out: Tensor,
    way: tuple[int, ...],
) -> None:
    (first_row, row_weights), columns = luma
    (first_chroma_row, chroma_weights), chroma_columns = chroma
    y_start, u_start, v_start = starts
    row_stride, chroma_row_stride, step = strides
    line, yuv = scratch
    half = line[: len(line) // 2]
    flat = out.reshape(out.size)
    black, white = np.float32(0), np.float32(255)
    low, high = np.float32(limits[0]), np.float32(limits[1])
    for i in range(len(first_row)):
        _add_rows(buffer, y_start + first_row[i] * row_stride, row_stride, row_weights[i], line)
        _add_columns(line, 0, 1, columns, yuv[0])
        above, weights = first_chroma_row[i] * chroma_row_stride, chroma_weights[i]
        if step == 2:  # U and V take turns in one plane
            start = min(u_start, v_start)
            _add_rows(buffer, start + above, chroma_row_stride, weights, line)
            _add_columns(line, u_start - start, 2, chroma_columns, yuv[1])
            _add_columns(line, v_start - start, 2, chroma_columns, yuv[2])
        else:
            _add_rows(buffer, u_start + above, chroma_row_stride, weights, half)
            _add_columns(half, 0, 1, chroma_columns, yuv[1])
            _add_rows(buffer, v_start + above, chroma_row_stride, weights, half)
            _add_columns(half, 0, 1, chroma_columns, yuv[2])
        for channel in range(3):
            y_part, u_part, v_part, constant = colors[channel]
            gain, offset = gain_and_offset[0, channel], gain_and_offset[1, channel]
            at = way[0] + channel * way[1] + i * way[2]
            for j in range(yuv.shape[1]):
                level = y_part * yuv[0, j] + u_part * yuv[1, j] + v_part * yuv[2, j] + constant
                value = min(max(level, black), white) * gain + offset
                if quantized:
                    value = min(max(np.rint(value), low), high)
                flat[at + j * way[3]] = value
