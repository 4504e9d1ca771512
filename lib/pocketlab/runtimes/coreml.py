"""Core ML: convert to an .mlpackage, look into it and run it anywhere; in Apple's runtime where that is (macOS).

The four verbs are `export`, `load`, `measure` and `inspect`. `describe` reads back what a package says of itself,
`quantize_weights` makes it smaller, `deployment_targets` shows what a minimum iOS version changes, and `compute_plan`
asks the real runtime which unit takes which operator.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pocketlab.errors import ModelFileError, UnavailableError
from pocketlab.runtimes.base import Result, TensorInfo, measure, run_rows
from pocketlab.runtimes.coreml_export import (
    ImageInput,
    Metadata,
    TargetRow,
    deployment_targets,
    export,
    quantize_weights,
)
from pocketlab.runtimes.mil._coremltools import import_coremltools, quiet
from pocketlab.runtimes.mil.features import Feature, ImageFormat
from pocketlab.runtimes.mlinspect import Description, describe, inspect

if TYPE_CHECKING:
    from pocketlab.runtimes.mil.interpreter import Precision

__all__ = [
    "COMPUTE_UNITS",
    "CoreMLRunner",
    "Description",
    "Feature",
    "ImageFormat",
    "ImageInput",
    "Metadata",
    "OutputDifference",
    "Placement",
    "TargetRow",
    "compare",
    "compute_plan",
    "deployment_targets",
    "describe",
    "export",
    "image_scale_bias",
    "inspect",
    "load",
    "measure",
    "quantize_weights",
]

ComputeUnits = Literal["all", "cpu_and_gpu", "cpu_only", "cpu_and_neural_engine"]

COMPUTE_UNITS: dict[ComputeUnits, str] = {
    "all": "The system may use the CPU, the GPU and the Neural Engine. The default.",
    "cpu_and_gpu": "Everything but the Neural Engine: also the way to find out what the Neural Engine brings.",
    "cpu_only": "Only the CPU: the reference for numbers, and for work in the background, where no GPU is allowed.",
    "cpu_and_neural_engine": "Everything but the GPU, which is then free for drawing. From iOS 16 and macOS 13 on.",
}
"""What each setting of `compute_units` allows. It is a limit, not an order: the system chooses within it.

Source: Apple, MLComputeUnits; coremltools, ComputeUnit.
"""


def image_scale_bias(
    mean: Sequence[float], std: Sequence[float], *, input_range: float = 255.0
) -> tuple[float, tuple[float, ...]]:
    """Return the (scale, bias) of an image input that does what `Normalize(mean, std)` did in training.

    mean, std: one number per channel, for pixels divided by `input_range` (255 for 8-bit pixels). Since
    `(pixel / input_range - mean) / std = pixel / (input_range * std) - mean / std`, scale is `1 / (input_range * std)`
    and the bias of a channel `-mean / std`. Core ML has one scale for all channels: where std differs between them,
    scale takes the average std, exact for a black pixel and off by `input_range * scale - 1 / std` for a white one.
    Source: coremltools guide, "Image Input and Output", section "Preprocessing for Torch".
    Raises ValueError if lengths differ or a std is not positive.
    """
    means, stds = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    if means.ndim != 1 or means.shape != stds.shape or not means.size:
        raise ValueError(f"mean and std need one number per channel; their shapes are {means.shape} and {stds.shape}.")
    if not (np.isfinite(stds) & (stds > 0)).all() or not input_range > 0:
        raise ValueError(f"std and input_range have to be positive; they are {stds.tolist()} and {input_range}.")
    return float(1 / (input_range * stds.mean())), tuple(float(b) for b in -means / stds)


def load(
    path: str | os.PathLike[str],
    *,
    compute_units: ComputeUnits = "all",
    precision: Precision = "float16",
    threads: int = 1,
    tell: Callable[[str], None] = print,
) -> CoreMLRunner:
    """Load a package: into Apple's runtime on macOS, else into the reference interpreter, which `tell` is told in one line.

    compute_units limits Apple's runtime (see `COMPUTE_UNITS`). precision and threads are the interpreter's: "float16" honors
    every float16 in the program, "float32" computes all of it in float32. The runner takes an array shaped as each input;
    for an image, pixels (1, channels, height, width) from 0 to 255, in RGB order. It returns the outputs; for a classifier,
    one number per label, (1, labels), in the labels' order. A model with states begins with zeros at each call;
    `mil.load` keeps them between calls.
    Raises ModelFileError if the package is damaged, UnsupportedOperatorError if the interpreter lacks an operator of it,
    ValueError for other compute units.
    """
    _check_units(compute_units)
    described = describe(path)
    if sys.platform == "darwin":
        return _AppleRunner(path, _apple_model(path, compute_units, "Running a model"), described)
    runner = _InterpretedRunner(path, described, precision, threads)
    tell(INTERPRETED)
    return runner


INTERPRETED = (
    "Core ML runs here in Pocketlab's reference interpreter: the numbers are the program's, the time is not Apple's runtime's."
)


class CoreMLRunner:
    """A loaded package: an array for each input in, an array for each output out."""

    threads = 0  # Apple's runtime chooses by itself

    def __init__(self, path: str | os.PathLike[str], described: Description) -> None:
        self.path = Path(path)
        self._features = described.inputs
        self._labels = described.class_labels
        self.inputs = tuple(TensorInfo(f.name, f.shape, f.dtype) for f in described.inputs)
        outputs = tuple(TensorInfo(f.name, f.shape, f.dtype) for f in described.outputs)
        # Of a classifier's two outputs, the label and a number for each label, the second says it all.
        self.outputs = (TensorInfo(outputs[-1].name, (1, len(self._labels)), "float32"),) if self._labels else outputs

    def __call__(self, *arrays: np.ndarray) -> Result:
        """Run the model once on an array for each input; more rows than it takes are run one after the other."""
        return run_rows(self._run, [np.asarray(array) for array in arrays], self.inputs)

    def _run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        given = {feature.name: array for feature, array in zip(self._features, arrays, strict=True)}
        results = self._predict(given)
        if self._labels:
            scores = results[self.outputs[0].name]
            if not isinstance(scores, dict) or set(scores) != set(self._labels):
                raise ModelFileError(f"{self.path.name} is damaged: its program has other class labels than its description.")
            return [np.array([[scores[label] for label in self._labels]])]
        return [np.asarray(results[output.name]) for output in self.outputs]

    def _predict(self, given: dict[str, np.ndarray]) -> dict[str, Any]:
        raise NotImplementedError


class _InterpretedRunner(CoreMLRunner):
    """Runs in the reference interpreter, with `threads` of torch's threads."""

    def __init__(self, path: str | os.PathLike[str], described: Description, precision: Precision, threads: int) -> None:
        from pocketlab.runtimes import mil

        self._model = mil.load(path, precision=precision)
        super().__init__(path, described)
        self.threads = threads

    def _predict(self, given: dict[str, np.ndarray]) -> dict[str, Any]:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            return self._model.predict(given, self._model.make_state() if self._model.states else None)
        finally:
            torch.set_num_threads(before)


class _AppleRunner(CoreMLRunner):
    """Runs in Apple's runtime."""

    def __init__(self, path: str | os.PathLike[str], model: Any, described: Description) -> None:
        super().__init__(path, described)
        self._model = model
        self._has_states = bool(model.get_spec().description.state)

    def _predict(self, given: dict[str, np.ndarray]) -> dict[str, Any]:
        images = {feature.name for feature in self._features if feature.image}
        pictures = {name: _picture(array) if name in images else array for name, array in given.items()}
        return self._model.predict(pictures, self._model.make_state() if self._has_states else None)


def _picture(pixels: np.ndarray) -> Any:
    """Return pixels (1, channels, height, width) as the PIL image that Apple's runtime takes, in RGB order."""
    from PIL import Image

    planes = np.clip(np.rint(pixels[0]), 0, 255).astype(np.uint8)
    return Image.fromarray(planes[0] if len(planes) == 1 else np.ascontiguousarray(planes.transpose(1, 2, 0)))


@dataclass(frozen=True)
class OutputDifference:
    """How far the interpreter's output is from Apple's: the largest difference, and that over the largest of Apple's numbers."""

    output: str
    largest: float
    relative: float


def compare(
    path: str | os.PathLike[str], inputs: Sequence[np.ndarray], *, compute_units: ComputeUnits = "cpu_only"
) -> list[OutputDifference]:
    """Run a package on the same inputs in Apple's runtime and in the reference interpreter; return a row for each output.

    Raises ModelFileError if the package is damaged, UnavailableError off macOS.
    """
    described = describe(path)
    theirs = _AppleRunner(path, _apple_model(path, compute_units, "Comparing with Apple's runtime"), described)
    ours = _InterpretedRunner(path, described, "float16", threads=1)
    return [
        OutputDifference(info.name, float(np.abs(a - b).max()), float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)))
        for info, a, b in zip(ours.outputs, _several(ours(*inputs)), _several(theirs(*inputs)), strict=True)
    ]


def _several(result: Result) -> tuple[np.ndarray, ...]:
    return result if isinstance(result, tuple) else (result,)


@dataclass(frozen=True)
class Placement:
    """Where Apple's runtime puts one operator, and the share of the model's cost that it expects there, from 0 to 1."""

    operator: str
    output: str
    preferred: str
    supported: tuple[str, ...]
    cost: float | None


def compute_plan(path: str | os.PathLike[str], *, compute_units: ComputeUnits = "all") -> list[Placement]:
    """Ask Apple's runtime, on a Mac, which compute unit takes each operator of the main function (MLComputePlan).

    Raises ModelFileError if the package is damaged, UnavailableError off macOS; `device.npu` has an estimate for there.
    """
    describe(path)
    model = _apple_model(path, compute_units, "A compute plan")
    from coremltools.models.compute_plan import MLComputePlan

    plan = MLComputePlan.load_from_path(path=model.get_compiled_model_path(), compute_units=model.compute_unit)
    placements = []
    for operation in plan.model_structure.program.functions["main"].block.operations:
        usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
        if usage is None:  # a constant
            continue
        cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
        placements.append(
            Placement(
                operator=operation.operator_name,
                output=operation.outputs[0].name,
                preferred=_device_name(usage.preferred_compute_device),
                supported=tuple(_device_name(device) for device in usage.supported_compute_devices),
                cost=cost.weight if cost else None,
            )
        )
    return placements


def _device_name(device: Any) -> str:
    """Turn coremltools' MLNeuralEngineComputeDevice into `neural engine`, MLCPUComputeDevice into `cpu`."""
    name = type(device).__name__.removeprefix("ML").removesuffix("ComputeDevice")
    return {"NeuralEngine": "neural engine"}.get(name, name.lower())


def _check_units(compute_units: str) -> None:
    if compute_units not in COMPUTE_UNITS:
        raise ValueError(f"compute_units is one of {', '.join(COMPUTE_UNITS)}; {compute_units!r} is not.")


def _apple_model(path: str | os.PathLike[str], compute_units: ComputeUnits, what: str) -> Any:
    """Return the model loaded in Apple's runtime, or say that there is none here."""
    _check_units(compute_units)
    if sys.platform != "darwin":
        raise UnavailableError(
            f"{what} needs Apple's Core ML runtime, which exists on macOS only. Here `load` runs a package in the reference "
            "interpreter, and export, inspect, describe and quantize_weights work as everywhere."
        )
    ct = import_coremltools()
    unit = {"cpu_and_neural_engine": "CPU_AND_NE"}.get(compute_units, compute_units.upper())
    with quiet():
        return ct.models.MLModel(str(path), compute_units=ct.ComputeUnit[unit])
