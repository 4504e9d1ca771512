"""Pictures at the border of a Core ML model: bytes in RGB order outside, planes in the model's own order inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from PIL import Image

_MODES = {"rgb": "RGB", "bgr": "RGB", "grayscale": "L", "grayscale_float16": "F"}  # PIL's, by Core ML's color layout


def pixels(image: Any, name: str, layout: str) -> torch.Tensor:
    """Return a picture as (1, channels, height, width) float32, in the order of `layout`, pixels from 0 to 255.

    image: a PIL image; an array (height, width) or (height, width, 3), in RGB order; or (1, channels, height, width).
    Like the app's bytes, values are rounded and cut off at 0 and 255, but for `grayscale_float16`, which takes any.
    Raises ValueError for another shape.
    """
    mode = _MODES[layout]
    if hasattr(image, "convert"):
        image = image.convert(mode)
    array = np.asarray(image, np.float32)
    channels = 3 if mode == "RGB" else 1
    if array.ndim == 2 and channels == 1:
        array = array[None, None]
    elif array.ndim == 3 and array.shape[2] == channels:
        array = array.transpose(2, 0, 1)[None]
    elif array.ndim != 4 or array.shape[:2] != (1, channels):
        raise ValueError(
            f"The input {name!r} is a {layout} image: give a PIL image, or an array (height, width"
            f"{', 3' if channels == 3 else ''}) or (1, {channels}, height, width); got an array of shape {array.shape}."
        )
    if mode != "F":
        array = np.clip(np.rint(array), 0, 255)
    if layout == "bgr":
        array = array[:, ::-1]
    return torch.from_numpy(np.ascontiguousarray(array))


def picture(tensor: torch.Tensor, kind: str) -> Image.Image:
    """Return (1, channels, height, width) as a PIL image. kind: the feature's, such as `bgr image`."""
    from PIL import Image

    layout = kind.removesuffix(" image")
    planes = tensor[0].numpy()
    if _MODES[layout] == "F":
        return Image.fromarray(planes[0])
    bytes_ = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
    if layout == "bgr":
        bytes_ = bytes_[::-1]
    return Image.fromarray(bytes_[0] if len(bytes_) == 1 else np.ascontiguousarray(bytes_.transpose(1, 2, 0)))
