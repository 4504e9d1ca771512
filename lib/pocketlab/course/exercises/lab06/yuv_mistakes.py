"""What people get wrong in exercise 06.9, and what to tell them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from pocketlab.course.exercise import Misconception
from pocketlab.data.yuv import yuv_to_rgb_matrix

Array = np.ndarray


def _spread(plane: Array) -> Array:
    return np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1)


def _multiply(planes: Array, matrix: Array) -> Array:
    return np.asarray(planes @ matrix[:, :3].T + matrix[:, 3])


def _store(colors: Array) -> Array:
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)


def _answer(
    spread: Callable[[Array], Array] = _spread,
    multiply: Callable[[Array, Array], Array] = _multiply,
    store: Callable[[Array], Array] = _store,
) -> Callable[[Array, Array, Array, Array], Any]:
    """Return an answer that is right but for the parts given. multiply: planes (…, 3) and matrix, to colors."""

    def to_rgb(y: Array, u: Array, v: Array, matrix: Array) -> Any:
        planes = np.stack([y, spread(u), spread(v)], axis=-1).astype(np.float64)
        return store(multiply(planes, matrix))

    return to_rgb


_right = _answer()


# U and V for each pixel


def _tiled(plane: Array) -> Array:
    return np.tile(plane, (2, 2))


def _bilinear(plane: Array) -> Array:
    height, width = plane.shape
    return np.asarray(cv2.resize(np.ascontiguousarray(plane), (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR))


def _first_of_block(plane: Array) -> Array:
    """U and V for the upper left pixel of each block alone."""
    full = np.zeros((2 * plane.shape[0], 2 * plane.shape[1]), plane.dtype)
    full[::2, ::2] = plane
    return full


def _gray_beside_the_first(plane: Array) -> Array:
    full = np.full((2 * plane.shape[0], 2 * plane.shape[1]), 128, plane.dtype)
    full[::2, ::2] = plane
    return full


def _repeated_then_cut(plane: Array) -> Array:
    """Each number four times in a row, then cut to the shape."""
    return np.repeat(plane, 4).reshape(2 * plane.shape[0], 2 * plane.shape[1])


def _one_axis(plane: Array) -> Array:
    return np.repeat(plane, 2, axis=0)


def _half_size(y: Array, u: Array, v: Array, matrix: Array) -> Array:
    return _store(_multiply(np.stack([y[::2, ::2], u, v], axis=-1).astype(np.float64), matrix))


def _half_size_mean(y: Array, u: Array, v: Array, matrix: Array) -> Array:
    height, width = y.shape
    blocks = y.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return _store(_multiply(np.stack([blocks, u, v], axis=-1).astype(np.float64), matrix))


# The matrix


def _centered(planes: Array, matrix: Array) -> Array:
    return _multiply(planes - [0, 128, 128], matrix)


def _centered_without_offset(planes: Array, matrix: Array) -> Array:
    return np.asarray((planes - [0, 128, 128]) @ matrix[:, :3].T)


def _video_by_hand(green_of_u: float, blue_of_u: float) -> Callable[[Array, Array], Array]:
    """Return what uses the numbers of BT.601 as a tutorial has them; these two differ from one to the next."""

    def multiply(planes: Array, matrix: Array) -> Array:
        y, u, v = np.moveaxis(planes - [16, 128, 128], -1, 0)
        return np.stack([1.164 * y + 1.596 * v, 1.164 * y - green_of_u * u - 0.813 * v, 1.164 * y + blue_of_u * u], axis=-1)

    return multiply


def _full_by_hand(planes: Array, matrix: Array) -> Array:
    y, u, v = np.moveaxis(planes - [0, 128, 128], -1, 0)
    return np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=-1)


def _centered_in_bytes(planes: Array, matrix: Array) -> Array:
    """128 taken away from bytes, which wraps around below 0."""
    chroma = (planes[..., 1:].astype(np.uint8) - np.uint8(128)).astype(np.float64)
    return _multiply(np.concatenate([planes[..., :1], chroma], axis=-1), matrix)


def _matrix_as_bytes(planes: Array, matrix: Array) -> Array:
    return _multiply(planes, matrix.astype(np.int64))


def _rounded_before_offset(planes: Array, matrix: Array) -> Array:
    return np.asarray(np.rint(planes @ matrix[:, :3].T) + matrix[:, 3])


# Rounding and limits


def _wrapped(colors: Array) -> Array:
    return np.rint(colors).astype(np.uint8)


def _wrapped_and_cut(colors: Array) -> Array:
    return np.asarray(colors.astype(np.uint8))


def _clipped(low: float, high: float, rounding: Callable[[Array], Array] = np.rint) -> Callable[[Array], Array]:
    """Return what rounds colors and keeps them to these limits."""

    def store(colors: Array) -> Array:
        return np.clip(rounding(colors), low, high).astype(np.uint8)

    return store


def _stretched(colors: Array) -> Array:
    """Scaled so that the darkest color is 0 and the brightest 255."""
    low, high = colors.min(), colors.max()
    return np.asarray((255 * (colors - low) / max(high - low, 1e-9)).astype(np.uint8))


def _shared_out(y: Array, u: Array, v: Array, matrix: Array) -> Array:
    """The matrix over the planes as they follow each other, not over the three numbers of a pixel."""
    planes = np.stack([y, _spread(u), _spread(v)]).astype(np.float64)
    return _store(_multiply(planes.reshape(-1, 3), matrix)).reshape(*y.shape, 3)


_ALONE = (
    Misconception(
        "U and V exchanged",
        lambda y, u, v, matrix: _right(y, v, u, matrix),
        "Your U and V are exchanged: red and blue come out for each other, roughly. The planes go to the matrix in "
        "the order Y, U, V.",
    ),
    Misconception(
        "blue first",
        _answer(store=lambda colors: _store(colors)[..., ::-1]),
        "Your colors are in the order blue, green, red, as OpenCV likes them. Red comes first here.",
    ),
    Misconception(
        "U and V exchanged and blue first",
        lambda y, u, v, matrix: _right(y, v, u, matrix)[..., ::-1],
        "You exchange U and V, and then blue and red. The one does not undo the other: take Y, U, V, and leave the "
        "order of the colors.",
    ),
    Misconception(
        "the matrix transposed",
        _answer(multiply=lambda planes, matrix: planes @ matrix[:, :3] + matrix[:, 3]),
        "You multiply with the matrix's columns. A row of it makes one color; with the pixels on the left it has to "
        "be transposed: `@ matrix[:, :3].T`.",
    ),
    Misconception(
        "the last column left out",
        _answer(multiply=lambda planes, matrix: planes @ matrix[:, :3].T),
        "You leave out the matrix's last column, the number that is added to each color: `+ matrix[:, 3]`.",
    ),
    Misconception(
        "the last column subtracted",
        _answer(multiply=lambda planes, matrix: planes @ matrix[:, :3].T - matrix[:, 3]),
        "You subtract the matrix's last column. It is added: it is multiplied with the 1 of (Y, U, V, 1).",
    ),
    Misconception(
        "128 taken away as well",
        _answer(multiply=_centered),
        "You take 128 away from U and V, and then add the last column of the matrix, which does that already. Leave U "
        "and V as they are.",
    ),
    Misconception(
        "128 in place of the last column",
        _answer(multiply=_centered_without_offset),
        "You take 128 away from U and V in place of the matrix's last column. That is right for full-range color "
        "only: for video black is 16, not 0. Add `matrix[:, 3]` to the colors instead.",
    ),
    Misconception(
        "128 taken away from bytes",
        _answer(multiply=_centered_in_bytes),
        "You take 128 away from uint8, which wraps around: 100 − 128 is 228. The matrix's last column does it for "
        "you: leave U and V as they are, and compute in float64.",
    ),
    Misconception(
        "BT.601 for video with other digits, whatever the matrix",
        _answer(multiply=_video_by_hand(0.391, 2.018)),
        "Your numbers are those of BT.601 for video, written into the function. Cameras differ: use the matrix that "
        "you are given.",
    ),
    Misconception(
        "BT.601 for video, whatever the matrix",
        _answer(multiply=_video_by_hand(0.392, 2.017)),
        "Your numbers are those of BT.601 for video, written into the function. Cameras differ: use the matrix that "
        "you are given.",
    ),
    Misconception(
        "the exact BT.601 for video, whatever the matrix",
        lambda y, u, v, matrix: _right(y, u, v, yuv_to_rgb_matrix("bt601", False)),
        "You use the matrix of BT.601 for video in every case. Cameras differ: use the one that you are given.",
    ),
    Misconception(
        "JPEG's colors, whatever the matrix",
        _answer(multiply=_full_by_hand),
        "Your numbers are those of JPEG, written into the function. Cameras differ: use the matrix that you are given.",
    ),
    Misconception(
        "the matrix in whole numbers",
        _answer(multiply=_matrix_as_bytes),
        "You make whole numbers of the matrix, so 1.164 becomes 1. Compute in float64, and round the colors at the "
        "end.",
    ),
    Misconception(
        "rounded before the last column",
        _answer(multiply=_rounded_before_offset),
        "You round the products and then add the last column, which has a fraction of its own. Round once, at the end.",
    ),
    Misconception(
        "not rounded",
        _answer(store=_clipped(0, 255, np.trunc)),
        "`astype(np.uint8)` cuts fractions off, so most colors are one too small by half of the time. Round first: "
        "`np.rint`.",
    ),
    Misconception(
        "rounded up",
        _answer(store=_clipped(0, 255, np.ceil)),
        "You round up. Each color goes to the nearest number: `np.rint`.",
    ),
    Misconception(
        "wrapped around",
        _answer(store=_wrapped),
        "Your colors beyond 255 or below 0 wrap around: 307 becomes 51. Limit them with `np.clip(…, 0, 255)` before "
        "`.astype(np.uint8)`; afterwards it is too late.",
    ),
    Misconception(
        "wrapped around and cut",
        _answer(store=_wrapped_and_cut),
        "You turn colors into uint8 as they are: fractions are cut off, and 307 becomes 51. First `np.rint`, then "
        "`np.clip(…, 0, 255)`, then `.astype(np.uint8)`.",
    ),
    Misconception(
        "no lower limit",
        _answer(store=_clipped(-np.inf, 255)),
        "You limit colors above and not below: −20 wraps around to 236. `np.clip(…, 0, 255)` does both.",
    ),
    Misconception(
        "no upper limit",
        _answer(store=_clipped(0, np.inf)),
        "You limit colors below and not above: 307 wraps around to 51. `np.clip(…, 0, 255)` does both.",
    ),
    Misconception(
        "kept to 16 to 235",
        _answer(store=_clipped(16, 235)),
        "You keep red, green and blue to 16 to 235. Those are the limits of Y in video; RGB uses 0 to 255.",
    ),
    Misconception(
        "stretched",
        _answer(store=_stretched),
        "You stretch the colors so that they fill 0 to 255. They lie in this range already; those that do not are "
        "limited, with `np.clip`.",
    ),
    Misconception(
        "not uint8",
        _answer(store=lambda colors: np.clip(np.rint(colors), 0, 255)),
        "Your numbers are right, but they are floats. An image holds uint8: `.astype(np.uint8)` at the end.",
    ),
    Misconception(
        "rounding and uint8 missing",
        _answer(store=lambda colors: np.clip(colors, 0, 255)),
        "Your colors are floats with fractions. Round them, `np.rint`, and store them as uint8.",
    ),
    Misconception(
        "limits, rounding and uint8 missing",
        _answer(store=lambda colors: colors),
        "You return what the matrix gives. Round it, `np.rint`, keep it to 0 to 255, `np.clip`, and store it as uint8.",
    ),
    Misconception(
        "from 0 to 1",
        _answer(store=lambda colors: np.clip(colors, 0, 255) / 255),
        "Your colors go from 0 to 1. Here they are uint8, from 0 to 255.",
    ),
    Misconception(
        "U and V tiled",
        _answer(spread=_tiled),
        "`np.tile` sets the whole plane beside itself, so a pixel gets the color of quite another place. `np.repeat` "
        "repeats each number: along the rows, then along the columns.",
    ),
    Misconception(
        "each number four times in a row",
        _answer(spread=_repeated_then_cut),
        "`np.repeat` without an axis puts four of each number into one row. A block has two rows: repeat along axis "
        "0, then along axis 1.",
    ),
    Misconception(
        "U and V in between",
        _answer(spread=_bilinear),
        "You interpolate U and V between the blocks. Some decoders do; here every pixel takes those of its block: "
        "`np.repeat`.",
    ),
    Misconception(
        "one pixel of each block",
        _answer(spread=_first_of_block),
        "Only the upper left pixel of each block gets its U and V, the others 0. All four take them: `np.repeat` "
        "along both axes.",
    ),
    Misconception(
        "one pixel of each block in color",
        _answer(spread=_gray_beside_the_first),
        "Only the upper left pixel of each block gets its U and V; the others stay gray. All four take them: "
        "`np.repeat` along both axes.",
    ),
    Misconception(
        "shapes that do not fit",
        _answer(spread=_one_axis),
        "NumPy refuses shapes that do not fit (its message says which). U and V have half the height and half the "
        "width: repeat both along axis 0 and axis 1 before you put them beside Y.",
    ),
    Misconception(
        "half the size",
        _half_size,
        "Your image has half the size: you took every other Y. Every pixel keeps its own Y, and U and V are repeated "
        "for it.",
    ),
    Misconception(
        "half the size, by means",
        _half_size_mean,
        "Your image has half the size: you took the mean Y of each block. Every pixel keeps its own Y, and U and V "
        "are repeated for it.",
    ),
    Misconception(
        "colors first",
        lambda y, u, v, matrix: _right(y, u, v, matrix).transpose(2, 0, 1),
        "Your image is (3, height, width). The colors come last here: `np.stack(…, axis=-1)`.",
    ),
    Misconception(
        "width first",
        lambda y, u, v, matrix: _right(y, u, v, matrix).transpose(1, 0, 2),
        "Your image is (width, height, 3). Rows come first: (height, width, 3).",
    ),
    Misconception(
        "planes shared out among pixels",
        _shared_out,
        "You stack the planes one behind the other and reshape, so that three neighbors in Y are taken for Y, U and V "
        "of one pixel. `np.stack(…, axis=-1)` puts the three numbers of a pixel side by side.",
    ),
    Misconception(
        "gray",
        _answer(store=lambda colors: _store(colors)[..., :1]),
        "Your image has one color. Stack red, green and blue along the last axis: (height, width, 3).",
    ),
)

_CUT = _clipped(0, 255, np.trunc)
_NOT_ROUNDED = {
    "U and V exchanged": lambda y, u, v, matrix: _answer(store=_CUT)(y, v, u, matrix),
    "blue first": _answer(store=lambda colors: _CUT(colors)[..., ::-1]),
    "U and V tiled": _answer(spread=_tiled, store=_CUT),
}

MISTAKES = (
    *_ALONE,
    *(
        Misconception(f"{known.name}; not rounded", _NOT_ROUNDED[known.name], f"{known.hint} And: round, with `np.rint`.")
        for known in _ALONE
        if known.name in _NOT_ROUNDED
    ),
)
