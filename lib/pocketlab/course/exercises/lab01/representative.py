"""Exercise 01.5: a representative set."""

from __future__ import annotations

from typing import Any

import numpy as np

from pocketlab.compression.quantization import representative_batch
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance

FLOAT32 = Tolerance(
    1e-5, 1e-6, "The result may be computed in float32, whose steps are 1.2e-7 of a value, in a handful of operations."
)


def _representative_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        label: str, count: int, classes: int, per_class: int, mean: float, std: float, ordered: bool = False
    ) -> Case:
        labels = np.concatenate([np.arange(classes).repeat(per_class), rng.integers(0, classes, count)])
        labels = np.sort(labels) if ordered else rng.permutation(labels)
        images = rng.integers(0, 256, (len(labels), 1, 4, 4)).astype(np.uint8)
        return Case(label, (images, labels, per_class, mean, std))

    some = rng.integers(0, 256, (8, 1, 4, 4)).astype(np.uint8)
    return [
        case("labels in any order", 30, 3, 2, 0.5, 0.25),
        case("labels in any order", 60, 10, 3, 0.305, 0.376),
        case("labels in any order", 25, 4, 1, 0.13, 0.31),
        case("labels sorted", 40, 5, 2, 0.4, 0.2, ordered=True),
        case("one class", 8, 1, 4, 0.3, 0.4),
        Case("classes that are not 0, 1, 2", (some[:7], np.array([7, 3, 3, 9, 7, 9, 3]), 2, 0.3, 0.4)),
        Case("just enough of a class", (some[:5], np.array([1, 0, 1, 0, 0]), 2, 0.3, 0.4)),
        Case("too few of a class", (np.zeros((5, 1, 4, 4), np.uint8), np.array([0, 0, 0, 1, 0]), 2, 0.3, 0.4)),
    ]


def _rows_of(labels: np.ndarray, per_class: int) -> np.ndarray:
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]
    if min(map(len, chosen)) < per_class:
        raise ValueError
    return np.concatenate(chosen)


def _normalized(images: np.ndarray, mean: float, std: float) -> np.ndarray:
    return ((images.astype(np.float32) / 255.0 - mean) / std).astype(np.float32)


def _per_class_then(function: Any) -> Any:
    """The right images, prepared in a wrong way: function(pixels as float32, mean, std)."""

    def wrong(images: np.ndarray, labels: np.ndarray, per_class: int, mean: float, std: float) -> np.ndarray:
        return np.asarray(function(images[_rows_of(labels, per_class)].astype(np.float32), mean, std), np.float32)

    return wrong


def _rows_by(function: Any) -> Any:
    """Wrong images, prepared in the right way: function(labels, per_class) gives their rows."""

    def wrong(images: np.ndarray, labels: np.ndarray, per_class: int, mean: float, std: float) -> np.ndarray:
        return _normalized(images[function(labels, per_class)], mean, std)

    return wrong


def _in_order(labels: np.ndarray, per_class: int) -> np.ndarray:
    return np.sort(_rows_of(labels, per_class))


def _round_robin(labels: np.ndarray, per_class: int) -> np.ndarray:
    return _rows_of(labels, per_class).reshape(-1, per_class).T.ravel()


def _by_appearance(labels: np.ndarray, per_class: int) -> list[np.ndarray]:
    chosen = _rows_of(labels, per_class).reshape(-1, per_class)
    return sorted(chosen, key=lambda rows: int(rows[0]))


def _counted(labels: np.ndarray, per_class: int, classes: range) -> np.ndarray:
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in classes]
    if min(map(len, chosen)) < per_class:
        raise ValueError
    return np.concatenate(chosen)


def _just_enough_refused(labels: np.ndarray, per_class: int) -> np.ndarray:
    if min(np.unique(labels, return_counts=True)[1]) <= per_class:
        raise ValueError
    return _rows_of(labels, per_class)


REPRESENTATIVE = Exercise(
    id="01.5",
    title="a representative set",
    reference=representative_batch,
    cases=_representative_cases,
    tolerance=FLOAT32,
    misconceptions=(
        Misconception(
            "raw pixels",
            _per_class_then(lambda p, m, s: p),
            "You hand over raw pixels, 0 to 255. The model is fed normalized values, so the converter would learn "
            "ranges "
            "a hundred times too wide, and all real inputs would fall on a few integers.",
        ),
        Misconception(
            "pixels from 0 to 1",
            _per_class_then(lambda p, m, s: p / 255),
            "You divide by 255 and stop. The model is fed (p/255 − mean)/std; calibrate with exactly that.",
        ),
        Misconception(
            "not divided by 255",
            _per_class_then(lambda p, m, s: (p - m) / s),
            "You take the mean off pixels from 0 to 255. The mean is that of pixels from 0 to 1: divide by 255 first.",
        ),
        Misconception(
            "std forgotten",
            _per_class_then(lambda p, m, s: p / 255 - m),
            "You take off the mean and do not divide by std. Calibrate with exactly what the app feeds.",
        ),
        Misconception(
            "multiplied by std",
            _per_class_then(lambda p, m, s: (p / 255 - m) * s),
            "You multiply by std; normalizing divides by it.",
        ),
        Misconception(
            "mean added",
            _per_class_then(lambda p, m, s: (p / 255 + m) / s),
            "You add the mean; normalizing takes it off.",
        ),
        Misconception(
            "order of operations",
            _per_class_then(lambda p, m, s: p / 255 - m / s),
            "A bracket is missing: you divide only the mean by std. It is (p/255 − mean)/std.",
        ),
        Misconception(
            "mean taken off first",
            _per_class_then(lambda p, m, s: (p - m) / 255 / s),
            "You take the mean off before you divide by 255. It is the mean of pixels from 0 to 1: divide first.",
        ),
        Misconception(
            "channels last",
            _per_class_then(lambda p, m, s: ((p / 255 - m) / s).transpose(0, 2, 3, 1)),
            "You moved the channels to the end. The batch keeps the order of `images`: (count, channels, height, "
            "width).",
        ),
        Misconception(
            "the batch's own statistics",
            _per_class_then(lambda p, m, s: (p - p.mean()) / p.std()),
            "You normalize with the mean and std of the chosen images. The app uses the training set's, which you "
            "were given.",
        ),
        Misconception(
            "each image's own statistics",
            _per_class_then(lambda p, m, s: (p - p.mean((1, 2, 3), keepdims=True)) / p.std((1, 2, 3), keepdims=True)),
            "You normalize each image by itself. The app uses the training set's mean and std, which you were given.",
        ),
        Misconception(
            "divided by the largest pixel",
            _per_class_then(lambda p, m, s: (p / p.max() - m) / s),
            "You divide by the largest pixel of the batch. It is 255 for a byte, whatever this batch holds.",
        ),
        Misconception(
            "divided by 256",
            _per_class_then(lambda p, m, s: (p / 256 - m) / s),
            "You divide by 256. The largest byte is 255, and training divided by that.",
        ),
        Misconception(
            "the first images",
            _rows_by(lambda labels, per_class: np.arange(per_class * len(np.unique(labels)))),
            "You take the first images of the set, whatever they show. Where the set is sorted these are all of "
            "one class. "
            "Take some of every class.",
        ),
        Misconception(
            "the first images, per_class in all",
            _rows_by(lambda labels, per_class: np.arange(per_class)),
            "You take `per_class` images in all. It is that many of each class.",
        ),
        Misconception(
            "one of each class",
            _rows_by(lambda labels, per_class: _rows_of(labels, 1)),
            "You take one image of each class. It is `per_class` of each.",
        ),
        Misconception(
            "sorted by position",
            _rows_by(_in_order),
            "These are the right images in the order of the set. The docstring asks for class after class.",
        ),
        Misconception(
            "one class after the other in turn",
            _rows_by(_round_robin),
            "These are the right images, with the classes taking turns. The docstring asks for class after class.",
        ),
        Misconception(
            "classes in order of appearance",
            _rows_by(lambda labels, per_class: np.concatenate(_by_appearance(labels, per_class))),
            "These are the right images, with the classes in the order in which they first appear. The docstring "
            "asks for ascending order.",
        ),
        Misconception(
            "the last images",
            _rows_by(
                lambda labels, per_class: np.concatenate(
                    [np.flatnonzero(labels == c)[-per_class:] for c in np.unique(labels)]
                )
            ),
            "You take the last images of each class. The docstring asks for the first ones.",
        ),
        Misconception(
            "classes counted from 0",
            _rows_by(lambda labels, per_class: _counted(labels, per_class, range(len(np.unique(labels))))),
            "You assume that the classes are 0, 1, 2 and so on. Take them from np.unique(labels).",
        ),
        Misconception(
            "ten classes",
            _rows_by(lambda labels, per_class: _counted(labels, per_class, range(10))),
            "You assume ten classes. Take them from np.unique(labels).",
        ),
        Misconception(
            "just enough refused",
            _rows_by(_just_enough_refused),
            "Right, except that a class with exactly `per_class` images is refused. That is enough: refuse only fewer.",
        ),
        Misconception(
            "too few images accepted",
            _rows_by(
                lambda labels, per_class: np.concatenate(
                    [np.flatnonzero(labels == c)[:per_class] for c in np.unique(labels)]
                )
            ),
            "Right, except that a class with too few images goes unnoticed. The docstring asks for a ValueError.",
        ),
    ),
)
