"""How far the outputs of one model file are from those of another on the same inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pocketlab.compression.quantization import sqnr_db
from pocketlab.runtimes.base import shape_text
from pocketlab.runtimes.same_inputs import align_output


@dataclass(frozen=True)
class OutputDifference:
    """How far an output b is from the reference's a.

    largest: max|a − b|, infinite where only one of them is finite. relative: that over max|a|, None where a is all zero.
    sqnr_db: 10·log10(Σa² / Σ(a − b)²), infinite for equal ones, None where it does not exist.
    """

    output: str
    largest: float
    relative: float | None
    sqnr_db: float | None


@dataclass(frozen=True)
class Outputs:
    """What was found of a file's outputs. differences: one for each that was compared.

    same_class: (rows for which the largest class score is at the same place, rows), None where there are no class scores.
    notes: what was not compared, and why.
    """

    differences: tuple[OutputDifference, ...]
    same_class: tuple[int, int] | None
    notes: tuple[str, ...]


def output_difference(name: str, a: np.ndarray, b: np.ndarray) -> OutputDifference:
    """Compare an output b with the reference's a, both of one shape. NaN against NaN counts as equal."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    apart = np.abs(np.where(same, 0.0, x) - np.where(same, 0.0, y))  # infinity minus infinity would be NaN
    largest = float(np.where(np.isnan(apart), np.inf, apart).max(initial=0.0))
    finite = bool(np.isfinite(x).all() and np.isfinite(y).all())
    size = float(np.abs(x[np.isfinite(x)]).max(initial=0.0))
    return OutputDifference(name, largest, largest / size if size else None, sqnr_db(x, y) if finite and size else None)


def compare_outputs(
    names: Sequence[str],
    wanted: Sequence[np.ndarray],
    got: Sequence[np.ndarray],
    moved: tuple[int, int] | None,
    label: str,
) -> Outputs:
    """Compare outputs by position with those of the file `label`, the reference, whose outputs have these names.

    moved: as in `same_inputs.Given`. A first output (rows, classes) of real numbers is taken for class scores.
    """
    differences: list[OutputDifference] = []
    notes: list[str] = []
    same_class = None
    if len(got) != len(wanted):
        notes.append(f"the number of outputs is {len(got)} here and {len(wanted)} in {label}: compared as far as both go")
    for index, (a, b) in enumerate(zip(wanted, got, strict=False)):
        aligned = align_output(b, a.shape, moved)
        if aligned is None:
            notes.append(f"returns {shape_text(b.shape)} where {label} returns {shape_text(a.shape)}: not compared")
            continue
        difference = output_difference(names[index], a, aligned)
        differences.append(difference)
        if not np.isfinite(difference.largest):
            notes.append(f"returns NaN or infinity where {label} does not, or the other way round")
        if index == 0 and a.ndim == 2 and a.shape[1] > 1 and a.dtype.kind == "f":
            same_class = int((a.argmax(1) == aligned.argmax(1)).sum()), len(a)
    return Outputs(tuple(differences), same_class, tuple(notes))
