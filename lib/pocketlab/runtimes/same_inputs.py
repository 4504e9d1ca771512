"""Give several models the same numbers: by name or position, with the channels first or last, and as each takes them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketlab.errors import PocketlabError
from pocketlab.runtimes.base import TensorInfo, fits, shape_text

SEED = 0
_LARGEST_INTEGER = 9  # of random integers, which are most often indices into a table that is at least as long
_SEQUENCE, _SIDE = 8, 64  # sizes for a flexible axis: of up to three axes, and of an image


@dataclass(frozen=True)
class Given:
    """The arrays for one model, in its order. moved: the axis of the channels in the reference and here, where they differ."""

    arrays: tuple[np.ndarray, ...]
    moved: tuple[int, int] | None
    notes: tuple[str, ...]


def is_image(info: TensorInfo) -> bool:
    """Tell whether an input is an image of Core ML, which takes pixels from 0 to 255 and scales them inside the model."""
    return info.dtype.endswith(" image")


def other_meaning(reference: Sequence[TensorInfo], other: Sequence[TensorInfo]) -> str | None:
    """Say why the same numbers do not mean the same to both models; None where they do."""
    for info, index in zip(other, pair(reference, other), strict=True):
        if is_image(info) != is_image(reference[index]):
            this = "takes" if is_image(info) else "does not take"
            return f"{this} pixels from 0 to 255, which a Core ML image input scales inside the model"
        if _is_integer(info) and not _is_integer(reference[index]):
            return f"takes integers ({info.dtype}) that stand for themselves, not for real numbers"
    return None


def _is_integer(info: TensorInfo) -> bool:
    return "int" in info.dtype and info.quantization is None


def quantized_range(info: TensorInfo) -> tuple[float, float] | None:
    """Return the smallest and largest number that a quantized input can take; None for any other input."""
    if info.quantization is None:
        return None
    scale, zero_point = info.quantization
    limits = np.iinfo(info.dtype)
    return scale * (int(limits.min) - zero_point), scale * (int(limits.max) - zero_point)


def pair(reference: Sequence[TensorInfo], other: Sequence[TensorInfo]) -> list[int]:
    """Return, for each input of `other`, the index of the input of `reference` that it corresponds to.

    By name where both have the same names (LiteRT's `serving_default_x:0` is x), else by position.

    Raises ValueError for another number of inputs.
    """
    if len(reference) != len(other):
        raise ValueError(f"takes {_count(len(other))} where the first file takes {len(reference)}")
    names, others = [plain_name(info.name) for info in reference], [plain_name(info.name) for info in other]
    if len(set(names)) == len(names) and set(names) == set(others):
        return [names.index(name) for name in others]
    return list(range(len(other)))


def plain_name(name: str) -> str:
    """Return an input's name without what TensorFlow puts around it."""
    return name.removeprefix("serving_default_").removesuffix(":0")


def _count(inputs: int) -> str:
    return "1 input" if inputs == 1 else f"{inputs} inputs"


def random_inputs(
    reference: Sequence[TensorInfo], others: Sequence[Sequence[TensorInfo]]
) -> tuple[tuple[np.ndarray, ...], str]:
    """Return an array for each input of `reference`, always the same ones, and a sentence that says what they are.

    Numbers are from a normal distribution or, where the input is quantized in some file, spread evenly over the range that
    all files can take; integers are 0 to 9, pixels 0 to 255. A flexible size is the one that another file fixes, else 1
    for the first axis and 64 (images) or 8 for others.
    """
    generator = np.random.default_rng(SEED)
    arrays: list[np.ndarray] = []
    said: list[str] = []
    for index, info in enumerate(reference):
        partners = [inputs[pair(reference, inputs).index(index)] for inputs in others if len(inputs) == len(reference)]
        array, kind = _random(info, partners, generator)
        arrays.append(array)
        said.append(f"{plain_name(info.name)} {shape_text(array.shape)} {kind}")
    return tuple(arrays), f"random, seed {SEED}: {'; '.join(said)}"


def _random(info: TensorInfo, partners: list[TensorInfo], generator: np.random.Generator) -> tuple[np.ndarray, str]:
    shape = tuple(_size(axis, info, partners) for axis in range(len(info.shape)))
    if is_image(info):
        return generator.integers(0, 256, shape).astype(np.float32), "pixels from 0 to 255"
    if info.dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool), "true or false"
    if _is_integer(info):
        return generator.integers(0, _LARGEST_INTEGER + 1, shape).astype(info.dtype), f"integers from 0 to {_LARGEST_INTEGER}"
    ranges = [found for each in (info, *partners) if (found := quantized_range(each))]
    if ranges:
        low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
        if low < high:
            numbers = generator.uniform(low, high, shape).astype(np.float32)
            return numbers, f"numbers from {low:.3g} to {high:.3g}, the range of the quantized input"
    return generator.standard_normal(shape).astype(np.float32), "numbers from a normal distribution"


def _size(axis: int, info: TensorInfo, partners: list[TensorInfo]) -> int:
    fixed = [each.shape[axis] for each in (info, *partners) if len(each.shape) == len(info.shape)]
    known = next((size for size in fixed if size is not None), None)
    if known is not None:
        return known
    if axis == 0:
        return 1
    return _SIDE if len(info.shape) > 3 else _SEQUENCE


def read_inputs(path: Path) -> dict[str, np.ndarray]:
    """Read arrays by name from an .npz, or the one of an .npy, which has no name.

    Raises PocketlabError for a file that is missing, damaged, of another kind, or that holds Python objects.
    """
    if path.suffix not in (".npy", ".npz"):
        raise PocketlabError(f"{path.name} is not .npy or .npz: write inputs with numpy.save or numpy.savez.")
    if not path.exists():
        raise PocketlabError(f"{path} is not there: give the path of a file that numpy.save or numpy.savez wrote.")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays = {"": loaded}
        else:
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except (OSError, EOFError, ValueError, LookupError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise PocketlabError(f"{path.name} holds no arrays of numbers that can be read ({reason}).") from error
    if not arrays or any(array.dtype.kind not in "biuf" for array in arrays.values()):
        raise PocketlabError(f"{path.name} has to hold arrays of numbers, one for each input of the model.")
    return arrays


def order_inputs(given: Mapping[str, np.ndarray], reference: Sequence[TensorInfo]) -> tuple[np.ndarray, ...]:
    """Return given arrays in the order of the inputs: by name if all names agree, else in their own order.

    Raises ValueError for another number of arrays.
    """
    names = [plain_name(info.name) for info in reference]
    wanted = ", ".join(f"{name} {shape_text(info.shape)}" for name, info in zip(names, reference, strict=True))
    if len(given) != len(reference):
        raise ValueError(f"The model takes {_count(len(reference))} ({wanted}), and {len(given)} were given.")
    by_name = {plain_name(name): array for name, array in given.items()}
    return tuple(by_name[name] for name in names) if set(by_name) == set(names) else tuple(given.values())


def arrange(
    arrays: Sequence[np.ndarray], reference: Sequence[TensorInfo], other: Sequence[TensorInfo], label: str
) -> Given:
    """Return the arrays of the file `label`, whose inputs are `reference`, as the inputs of `other` take them.

    Where a shape fits only with its channels, axis 1 or the last one, moved to the other place, they are moved.

    Raises ValueError, a sentence without its subject, where one does not fit.
    """
    found: list[np.ndarray] = []
    notes: list[str] = []
    moved = None
    for info, index in zip(other, pair(reference, other), strict=True):
        array = arrays[index]
        move = None if fits_rows(array.shape, info.shape) else _channel_move(array.shape, info.shape)
        arranged = array if move is None else np.ascontiguousarray(np.moveaxis(array, *move))
        if not fits_rows(arranged.shape, info.shape):
            name = f" for {plain_name(info.name)!r}" if len(other) > 1 else ""
            raise ValueError(f"takes {shape_text(info.shape)}{name} where {label} takes {shape_text(array.shape)}")
        if move is not None:
            moved = move
            notes.append(f"takes {shape_text(info.shape)}: the channels of {shape_text(array.shape)} were moved")
        notes += _cut_off(array, info)
        found.append(arranged)
    return Given(tuple(found), moved, tuple(notes))


def fits_rows(got: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Tell whether a runner takes an array of that shape, at once or row by row."""
    return fits(got, wanted) or (len(got) > 0 and got[0] > 0 and fits((1, *got[1:]), wanted))


def _channel_move(got: tuple[int, ...], wanted: tuple[int | None, ...]) -> tuple[int, int] | None:
    """Return from where to where the channels have to go for the shape to fit: (1, -1), (-1, 1), or None if neither does."""
    moves = {(1, -1): (*got[:1], *got[2:], *got[1:2]), (-1, 1): (*got[:1], *got[-1:], *got[1:-1])}
    return next((move for move, shape in moves.items() if len(got) > 2 and fits_rows(shape, wanted)), None)


def _cut_off(array: np.ndarray, info: TensorInfo) -> list[str]:
    limits = quantized_range(info)
    if limits is None:
        return []
    (low, high), (scale, _) = limits, info.quantization or (0.0, 0)
    share = float(np.mean((array < low - scale / 2) | (array > high + scale / 2)))
    if not share:
        return []
    return [f"its quantized input goes from {low:.3g} to {high:.3g}: {100 * share:.2g} % of the numbers were cut off"]


def align_output(got: np.ndarray, wanted: tuple[int, ...], moved: tuple[int, int] | None) -> np.ndarray | None:
    """Return an output in the shape of the reference's: channels moved back, axes of size 1 put or left out; None if neither.

    moved: as in `Given`.
    """
    candidates = [got]
    if moved is not None and got.ndim >= 3:
        candidates.insert(0, np.moveaxis(got, moved[1], moved[0]))
    if [size for size in got.shape if size != 1] == [size for size in wanted if size != 1]:
        candidates.append(got.reshape(wanted))
    return next((candidate for candidate in candidates if candidate.shape == wanted), None)
