"""Handwritten digits: 1,797 real ones that ship with scikit-learn, or MNIST."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketlab.data.folder import data_folder, download
from pocketlab.errors import PocketlabError

# MNIST as one file, as the Keras project serves it (LeCun, Cortes, Burges; CC BY-SA 3.0).
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


@dataclass(frozen=True)
class Digits:
    """A set of labelled digits, split for training and for testing.

    Images are (count, 1, height, width) uint8 pixels, 0 (paper) to 255 (ink), as a camera would deliver them; labels
    are (count,) int64. `mean` and `std` are those of the training pixels divided by 255.
    """

    name: str
    description: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    mean: float
    std: float

    def normalize(self, images: np.ndarray) -> np.ndarray:
        """Turn pixels (…, height, width) from 0..255 into the float32 values that a model is trained on."""
        return ((images.astype(np.float32) / 255.0 - self.mean) / self.std).astype(np.float32)


def load_digits(name: str = "digits") -> Digits:
    """Load `"digits"` (8×8, from scikit-learn, no download) or `"mnist"` (28×28).

    MNIST comes from `$POCKETLAB_DATA` where a copy lies there; otherwise it is downloaded once (11 MB), verified by its
    SHA-256, and kept in that folder or, without the variable, in `$POCKETLAB_HOME/data` or `~/.pocketlab/data`.

    Raises ValueError for another name, PocketlabError when MNIST is neither there nor to be downloaded, when its file is
    damaged, or when the folder cannot be written.
    """
    if name == "digits":
        return _scikit_learn_digits()
    if name == "mnist":
        return _mnist()
    raise ValueError(f'There is no set called {name!r}: choose "digits" or "mnist".')


def _scikit_learn_digits() -> Digits:
    from sklearn.datasets import load_digits as load
    from sklearn.model_selection import train_test_split

    images, labels = load(return_X_y=True)
    pixels = np.round(images.reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)  # 17 gray levels, spread over a byte
    train, test = train_test_split(np.arange(len(labels)), test_size=450, stratify=labels, random_state=0)
    return _digits("digits", "scikit-learn's handwritten digits, 8×8", pixels, labels, train, test)


def _mnist() -> Digits:
    folder = data_folder() / "mnist"
    sample = folder / "mnist10k.npz"
    if sample.exists():
        images, labels = _arrays(sample, ["images"], ["labels"])
        order = np.arange(len(labels))
        return _digits("mnist", "10,000 digits of MNIST, 28×28", images[:, None], labels, order[:8000], order[8000:])
    images, labels = _arrays(_download_mnist(folder), ["x_train", "x_test"], ["y_train", "y_test"])
    order = np.arange(len(labels))
    return _digits("mnist", "MNIST, 70,000 digits, 28×28", images[:, None], labels, order[:60000], order[60000:])


def _arrays(path: Path, images: list[str], labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The named arrays of a file, joined: images (count, 28, 28) and labels (count,)."""
    try:
        with np.load(path) as arrays:
            pixels = np.concatenate([arrays[name] for name in images])
            digits = np.concatenate([arrays[name] for name in labels])
        if pixels.shape != (len(digits), 28, 28):
            raise ValueError(f"{len(digits)} labels for images of shape {pixels.shape}")
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError) as error:
        raise PocketlabError(
            f"{path} is damaged, not MNIST, or not readable: delete it, and it is downloaded again."
        ) from error
    return pixels, digits


def _download_mnist(folder: Path) -> Path:
    return download(MNIST_URL, MNIST_SHA256, folder / "mnist.npz", name="MNIST", instead='load_digits("digits")')


def _digits(
    name: str, description: str, images: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> Digits:
    train_images = np.ascontiguousarray(images[train])
    scaled = train_images / 255.0
    return Digits(
        name=name,
        description=description,
        train_images=train_images,
        train_labels=labels[train].astype(np.int64),
        test_images=np.ascontiguousarray(images[test]),
        test_labels=labels[test].astype(np.int64),
        mean=float(scaled.mean()),
        std=float(scaled.std()),
    )
