"""Which runtime takes which model file, and what to say of a path that none takes."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlab.errors import ModelFileError, UnavailableError
from pocketlab.runtimes.base import Inspection, Runner


@dataclass(frozen=True)
class Format:
    """A format of model files: what it is called, and the module of its runtime."""

    name: str
    module: str


FORMATS = {
    ".tflite": Format("LiteRT", "litert"),
    ".onnx": Format("ONNX Runtime", "onnx"),
    ".pt2": Format("PyTorch", "pt2"),
    ".mlpackage": Format("Core ML", "coreml"),
    ".pte": Format("ExecuTorch", "executorch"),
}

_EXPORT = 'torch.export.save(torch.export.export(model.eval(), (example,)), "model.pt2")'
_OTHER_SUFFIXES = {
    ".pt": f"it is a Python pickle that needs the model's source code. Export it first: {_EXPORT}",
    ".pth": f"it is a Python pickle that needs the model's source code. Export it first: {_EXPORT}",
    ".safetensors": f"it holds weights without a model. Load them into the model, and export that: {_EXPORT}",
    ".gguf": "it holds the weights of a language model for llama.cpp, and no graph of operators.",
    ".keras": "convert it first: tf.lite.TFLiteConverter.from_keras_model(model).convert() makes a .tflite.",
    ".h5": "convert it first: tf.lite.TFLiteConverter.from_keras_model(model).convert() makes a .tflite.",
    ".mlmodel": 'save it as a package: coremltools.models.MLModel("model.mlmodel").save("model.mlpackage").',
    ".mlmodelc": "it is compiled for one system: give the .mlpackage that it was compiled from.",
}


def find(path: Path) -> Format:
    """Return the format of the model file at `path`.

    Raises ModelFileError, with what to try, where nothing is there, it is a folder, or no runtime takes the suffix.
    """
    if not path.exists():
        raise ModelFileError(f"{path} is not there.{_similar(path)}")
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    if suffix in _OTHER_SUFFIXES:
        raise ModelFileError(f"{path.name} cannot be run: {_OTHER_SUFFIXES[suffix]}")
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder: give the model files in it.{_models_in(path)}")
    raise ModelFileError(f"{path.name} is of no known format. Known are {', '.join(FORMATS)}.")


def _similar(path: Path) -> str:
    if not path.parent.is_dir():
        return f" The folder {path.parent} is not there either."
    names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in FORMATS)
    close = difflib.get_close_matches(path.name, names, n=3) or [name for name in names if Path(name).stem == path.stem]
    return f" Did you mean {' or '.join(close)}?" if close else _models_in(path.parent)


def _models_in(folder: Path, most: int = 5) -> str:
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in FORMATS)
    if not names:
        return " There is no model file in that folder."
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f" In that folder: {', '.join(names[:most])}{more}."


def load(path: Path, *, threads: int) -> Runner:
    """Load the file into its runtime.

    Raises ModelFileError for a file that is missing, damaged or of no known format, UnavailableError without its runtime.
    """
    settings: dict[str, Any] = {"threads": threads}
    if path.suffix.lower() == ".mlpackage":
        settings["tell"] = _say_nothing  # a comparison has notes for that
    with _installed(path) as runtime:
        return runtime.load(path, **settings)


def inspect(path: Path) -> Inspection:
    """Look into the file without running it. Raises as `load` does."""
    with _installed(path) as runtime:
        return runtime.inspect(path)


@contextmanager
def _installed(path: Path) -> Iterator[Any]:
    """Import the module that takes the file, and name what is missing if its package is not there."""
    found = find(path)
    try:
        yield importlib.import_module(f"pocketlab.runtimes.{found.module}")
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"{path.name} needs {found.name}, whose package {error.name} is not installed here: "
            "`pocketlab doctor` says what is missing and how to get it."
        ) from error


def _say_nothing(line: str) -> None:
    pass
