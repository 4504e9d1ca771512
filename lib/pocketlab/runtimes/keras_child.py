"""Work that needs TensorFlow, done in a child process that ends, so that a notebook's kernel never loads TensorFlow.

TensorFlow costs a process 0.5 GB and several seconds. One child does everything at once: train, convert to LiteRT (float and
int8) and to Core ML.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pocketlab
from pocketlab.errors import PocketlabError
from pocketlab.runtimes.base import ModelFile, size_bytes

_PROGRAM = "pocketlab.runtimes._keras_program"
_REPRESENTATIVE_ROWS = 100


@dataclass(frozen=True)
class KerasModels:
    """What the child made: three files of one network, its logits (rows, classes) in Keras on the test images, its cost."""

    float_file: ModelFile
    int8_file: ModelFile
    mlpackage: ModelFile
    logits: np.ndarray
    seconds: float
    peak_memory_mb: float


def train_and_convert(
    train_images: np.ndarray,
    train_labels: np.ndarray,
    test_images: np.ndarray,
    folder: str | Path,
    *,
    representative: np.ndarray | None = None,
    epochs: int = 10,
    seed: int = 0,
    timeout_s: float = 300.0,
) -> KerasModels:
    """Train a small Keras CNN and convert it, into `keras.tflite`, `keras_int8.tflite` and `keras.mlpackage` in `folder`.

    Images are (rows, height, width, channels) float32, normalized: Keras puts channels last, PyTorch first. Labels are
    (rows,) whole numbers from 0 on. representative: images for the int8 ranges, by default the first 100 of the training
    images. Files of these names in `folder` are replaced, but only once all three are made.

    Raises ValueError for images or labels of another shape, PocketlabError if the child fails, is killed or takes longer
    than `timeout_s`.
    """
    for name, images in (("train_images", train_images), ("test_images", test_images)):
        if images.ndim != 4:
            raise ValueError(f"{name} has shape {images.shape}; give (rows, height, width, channels).")
    if train_labels.shape != (len(train_images),):
        raise ValueError(
            f"train_labels has shape {train_labels.shape}; give one for each of {len(train_images)} images."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix=".keras-", dir=folder) as temporary:
        work = Path(temporary)
        np.savez(
            work / "data.npz",
            train_images=train_images.astype(np.float32),
            train_labels=train_labels.astype(np.int64),
            test_images=test_images.astype(np.float32),
            representative=(train_images[:_REPRESENTATIVE_ROWS] if representative is None else representative).astype(
                np.float32
            ),
        )
        (work / "options.json").write_text(json.dumps({"epochs": epochs, "seed": seed}), encoding="utf-8")
        run_child(["-m", _PROGRAM, os.fspath(work)], timeout_s=timeout_s)
        report = json.loads((work / "report.json").read_text(encoding="utf-8"))
        return KerasModels(
            _keep(work / "float.tflite", folder / "keras.tflite"),
            _keep(work / "int8.tflite", folder / "keras_int8.tflite"),
            _keep(work / "model.mlpackage", folder / "keras.mlpackage"),
            np.load(work / "logits.npy", allow_pickle=False),
            time.perf_counter() - start,
            report["peak_memory_mb"],
        )


def run_child(arguments: list[str], *, timeout_s: float) -> None:
    """Run this Python with `arguments` to its end, silently.

    Raises PocketlabError with the last line of what it said if it fails; and if it is killed or takes too long.
    """
    library = os.fspath(Path(pocketlab.__file__).parents[1])
    path = os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")]))
    try:
        ended = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PocketlabError(
            f"The TensorFlow process was stopped after {timeout_s:g} s: the machine is too busy for it. "
            "Close other kernels and run the cell again."
        ) from error
    if ended.returncode < 0:
        name = signal.Signals(-ended.returncode).name
        raise PocketlabError(
            f"The TensorFlow process was killed ({name}), most often because memory ran out: it needs 1 GB. "
            "Close other kernels and run the cell again."
        )
    if ended.returncode:
        said = ended.stdout.decode(errors="replace").strip().splitlines()
        raise PocketlabError(f"The TensorFlow process failed: {said[-1] if said else 'it said nothing'}")


def _keep(made: Path, path: Path) -> ModelFile:
    """Move what the child made to its place and return it as a model file."""
    if path.is_dir():
        shutil.rmtree(path)
    made.replace(path)
    return ModelFile(path, path.suffix.removeprefix("."), size_bytes(path))
