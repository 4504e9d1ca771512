"""Core ML: convert to an .mlpackage anywhere, look into it anywhere, run it where Apple's runtime is (macOS).

The four verbs are `export`, `load`, `measure` and `inspect`. `describe` reads back what a package says of itself,
`quantize_weights` makes it smaller, `deployment_targets` shows what a minimum iOS version changes, and `compute_plan`
asks the real runtime which unit takes which operator.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pocketlab.errors import UnavailableError
from pocketlab.runtimes.base import Runner, measure
from pocketlab.runtimes.coreml_export import (
    ImageInput,
    Metadata,
    TargetRow,
    deployment_targets,
    export,
    quantize_weights,
)
from pocketlab.runtimes.mil._coremltools import import_coremltools, quiet
from pocketlab.runtimes.mlinspect import Description, Feature, ImageFormat, describe, inspect

__all__ = [
    "COMPUTE_UNITS",
    "Description",
    "Feature",
    "ImageFormat",
    "ImageInput",
    "Metadata",
    "Placement",
    "TargetRow",
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


def load(path: str | os.PathLike[str], *, compute_units: ComputeUnits = "all") -> Runner:
    """Load a package into Apple's runtime, limited to `compute_units` (see `COMPUTE_UNITS`).

    The runner takes an array shaped as the input; for an image input, pixels (1, channels, height, width) from 0 to
    255, in RGB order. It returns the output; for a classifier, one number per label, (1, labels), in the labels' order.
    Raises ModelFileError if the package is damaged, ValueError for other compute units, UnavailableError off macOS.
    """
    described = describe(path)
    return _AppleRunner(_apple_model(path, compute_units, "Running a model"), described)


class _AppleRunner:
    """One input, one output, on Apple's runtime; the system chooses how many threads it uses."""

    threads = 0

    def __init__(self, model: Any, described: Description) -> None:
        self._model = model
        self._input = described.inputs[0]
        self._labels = described.class_labels
        self._output = described.outputs[-1].name  # a classifier's last output holds the numbers

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the model once on x."""
        out = self._model.predict({self._input.name: self._picture(x) if self._input.image else x})[self._output]
        return np.array([[out[label] for label in self._labels]]) if self._labels else np.asarray(out)

    def _picture(self, x: np.ndarray) -> Any:
        """Return pixels (1, channels, height, width) as the PIL image that Apple's runtime takes, in RGB order."""
        from PIL import Image

        pixels = np.clip(np.rint(x[0]), 0, 255).astype(np.uint8)
        return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


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


def _apple_model(path: str | os.PathLike[str], compute_units: ComputeUnits, what: str) -> Any:
    """Return the model loaded in Apple's runtime, or say that there is none here."""
    if compute_units not in COMPUTE_UNITS:
        raise ValueError(f"compute_units is one of {', '.join(COMPUTE_UNITS)}; {compute_units!r} is not.")
    if sys.platform != "darwin":
        raise UnavailableError(
            f"{what} needs Apple's Core ML runtime, which exists on macOS only; export, inspect, describe and "
            "quantize_weights work here, and the package that they write runs on a Mac, an iPhone or an iPad."
        )
    ct = import_coremltools()
    unit = {"cpu_and_neural_engine": "CPU_AND_NE"}.get(compute_units, compute_units.upper())
    with quiet():
        return ct.models.MLModel(str(path), compute_units=ct.ComputeUnit[unit])
