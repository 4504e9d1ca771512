"""A camera's frame on its way into a network, step by step with OpenCV: each step is one function, and makes one image.

`frames.FramePreparation` does the same in one pass. Images are (height, width, 3) uint8, red first; sizes are (width, height).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pocketlab.data.yuv import YuvFrame, yuv_to_rgb_matrix

Image = NDArray[np.uint8]
Size = tuple[int, int]
Crop = tuple[int, int, int, int]

_RESAMPLING = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}
_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_DTYPES = ("float32", "uint8", "int8")


def to_rgb(frame: YuvFrame) -> Image:
    """Return a frame's colors; the four pixels of a block share its U and V, as `cv2.cvtColorTwoPlane` has it.

    OpenCV multiplies bytes in fixed point here: a few colors in a hundred are one level off the exact, rounded ones.
    """
    y, u, v = (np.ascontiguousarray(plane) for plane in frame.planes())
    size = (frame.format.width, frame.format.height)
    u, v = (cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST) for plane in (u, v))
    matrix = yuv_to_rgb_matrix(frame.format.color, frame.format.full_range)
    return np.asarray(cv2.transform(cv2.merge([y, u, v]), matrix), np.uint8)  # keeps to 0 to 255


def crop(image: Image, box: Crop) -> Image:
    """Return the part (left, top, width, height) of an image, in whole pixels.

    Raises ValueError where it is empty or reaches outside.
    """
    check_crop(box, (image.shape[1], image.shape[0]))
    left, top, width, height = box
    return image[top : top + height, left : left + width]


def check_crop(box: Crop, size: Size) -> None:
    """Raise ValueError unless a crop (left, top, width, height) has pixels and lies within (width, height)."""
    left, top, width, height = box
    if width <= 0 or height <= 0:
        raise ValueError(f"The crop {box} is (left, top, width, height): width and height have to be above zero.")
    if left < 0 or top < 0 or left + width > size[0] or top + height > size[1]:
        raise ValueError(f"The crop {box}, as (left, top, width, height), reaches outside of the frame of {size[0]}×{size[1]}.")


def center_crop(size: Size, shape: Size) -> Crop:
    """Return the largest crop (left, top, width, height) in the middle of a frame that has the proportions of `shape`."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    width, height = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
    return (size[0] - width) // 2, (size[1] - height) // 2, width, height


def rotate(image: Image, degrees: int, mirror: bool = False) -> Image:
    """Return an image turned clockwise by 0, 90, 180 or 270 degrees, then mirrored left to right if asked for."""
    check_rotation(degrees)
    turned = cv2.rotate(image, _ROTATIONS[degrees]) if degrees else image
    return np.asarray(cv2.flip(turned, 1) if mirror else turned, np.uint8)


def check_rotation(degrees: int) -> None:
    """Raise ValueError unless a rotation is one that keeps pixels whole."""
    if degrees not in (0, *_ROTATIONS):
        raise ValueError(f"The rotation is {degrees} degrees: choose 0, 90, 180 or 270, clockwise.")


def resize(image: Image, size: Size, resampling: str = "bilinear") -> Image:
    """Return an image at another size (width, height).

    Pixels are squares, their centers at half numbers: center i + 0.5 of the target lies at (i + 0.5) · source / target.
    "bilinear" weighs the two neighbors of that point in each direction, with the border repeated outside, and skips pixels
    where it shrinks by more than 2. "area" is the mean over the target pixel's square in the source, parts of pixels counted
    as parts; it only shrinks.

    Raises ValueError for another name, a size of zero, and for "area" where a side would grow.
    """
    check_resampling(resampling, (image.shape[1], image.shape[0]), size)
    return np.asarray(cv2.resize(image, size, interpolation=_RESAMPLING[resampling]), np.uint8)


def check_resampling(resampling: str, source: Size, target: Size) -> None:
    """Raise ValueError where `resize` cannot do this."""
    if resampling not in _RESAMPLING:
        raise ValueError(f"resampling is {resampling!r}: choose one of {', '.join(_RESAMPLING)}.")
    if min(target) <= 0:
        raise ValueError(f"The size is {target[0]}×{target[1]}: width and height have to be above zero.")
    if resampling == "area" and (target[0] > source[0] or target[1] > source[1]):
        raise ValueError(
            f'"area" takes means, so it only shrinks, and this is {source[0]}×{source[1]} to {target[0]}×{target[1]}: '
            'use "bilinear".'
        )


def letterbox_box(source: Size, target: Size) -> Crop:
    """Return where an image, its proportions kept, lies in the middle of the target: (left, top, width, height)."""
    scale = min(target[0] / source[0], target[1] / source[1])
    width, height = max(1, round(source[0] * scale)), max(1, round(source[1] * scale))
    return (target[0] - width) // 2, (target[1] - height) // 2, width, height


def letterbox(image: Image, size: Size, padding: int = 114, resampling: str = "bilinear") -> Image:
    """Return an image at a size (width, height) with its proportions kept, bars of a gray level around it."""
    left, top, width, height = letterbox_box((image.shape[1], image.shape[0]), size)
    canvas = np.full((size[1], size[0], 3), padding, np.uint8)
    canvas[top : top + height, left : left + width] = resize(image, (width, height), resampling)
    return canvas


@dataclass(frozen=True)
class TensorFormat:
    """What a network wants to see: (color · pixel_scale − mean) / std for colors of 0 to 255, and how that is stored.

    mean, std: of red, green and blue. The default, pixel_scale 1/255 with mean 0 and std 1, gives 0 to 1; a network trained on
    ImageNet has its mean and std there. layout: "CHW" or "HWC". dtype: "float32", or "int8" or "uint8", which store
    round(value / scale) + zero_point, halves to even, kept to what they can hold.

    Raises ValueError where a number is not finite, a std or scale is not above zero, or a name is not one of these.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pixel_scale: float = 1 / 255
    layout: str = "CHW"
    dtype: str = "float32"
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3:
            raise ValueError(f"mean and std have a number for red, green and blue each; these are {self.mean}, {self.std}.")
        if not all(map(math.isfinite, (*self.mean, *self.std, self.pixel_scale, self.scale))):
            raise ValueError(f"mean {self.mean}, std {self.std}, pixel_scale and scale have to be finite numbers.")
        if min(*self.std, self.pixel_scale, self.scale) <= 0:
            raise ValueError(f"std {self.std}, pixel_scale {self.pixel_scale} and scale {self.scale} have to be above zero.")
        if self.layout not in ("CHW", "HWC"):
            raise ValueError(f'layout is {self.layout!r}: choose "CHW" (PyTorch, Core ML) or "HWC" (LiteRT).')
        if self.dtype not in _DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}: choose one of {', '.join(_DTYPES)}.")
        low, high = self.limits
        if self.dtype == "float32" and (self.scale, self.zero_point) != (1.0, 0):
            raise ValueError("scale and zero_point are for int8 and uint8; float32 stores the value itself.")
        if not low <= self.zero_point <= high:
            raise ValueError(f"zero_point {self.zero_point} is outside of what {self.dtype} holds, {low:g} to {high:g}.")

    @property
    def quantized(self) -> bool:
        """Whether integers are stored."""
        return self.dtype != "float32"

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest number that the dtype holds."""
        if not self.quantized:
            return -math.inf, math.inf
        info = np.iinfo(self.dtype)
        return float(info.min), float(info.max)

    def shape(self, size: Size) -> tuple[int, int, int]:
        """Return the shape of the tensor of an image of a size (width, height)."""
        width, height = size
        return (3, height, width) if self.layout == "CHW" else (height, width, 3)

    def gain_and_offset(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return g and o (3,) for which color · g + o is what is stored, but for rounding and limits."""
        steps = np.asarray(self.std) * self.scale
        return self.pixel_scale / steps, self.zero_point - np.asarray(self.mean) / steps

    def normalize(self, image: Image) -> NDArray[np.generic]:
        """Return an image (height, width, 3) as the network wants it."""
        gain, offset = self.gain_and_offset()
        values = image.astype(np.float32) * gain.astype(np.float32) + offset.astype(np.float32)
        if self.quantized:
            values = np.clip(np.rint(values), *self.limits)
        ordered = values.transpose(2, 0, 1) if self.layout == "CHW" else values
        return np.ascontiguousarray(ordered, self.dtype)
