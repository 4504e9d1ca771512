"""Convert a PyTorch model to an .mlpackage, make its weights smaller, and see what a minimum iOS version changes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pocketlab.errors import PocketlabError
from pocketlab.runtimes.base import ModelFile
from pocketlab.runtimes.mil._coremltools import import_coremltools, quiet
from pocketlab.runtimes.mil.package import read_package, size_bytes
from pocketlab.runtimes.mlinspect import describe, inspect

if TYPE_CHECKING:
    import torch

Target = Literal["iOS15", "iOS16", "iOS17", "iOS18"]
Granularity = Literal["per_tensor", "per_channel"]


@dataclass(frozen=True)
class ImageInput:
    """Take a picture as input: the model sees `scale * pixel + bias`, pixels from 0 to 255 (see `image_scale_bias`).

    `bias` has one number for grayscale and three for rgb or bgr, in the order of the layout.
    """

    scale: float = 1.0
    bias: Sequence[float] = (0.0,)
    color_layout: Literal["grayscale", "rgb", "bgr"] = "grayscale"


@dataclass(frozen=True)
class Metadata:
    """What Xcode shows of a model."""

    author: str = ""
    license: str = ""
    description: str = ""
    version: str = ""


def export(
    model: torch.nn.Module,
    example: torch.Tensor,
    path: str | os.PathLike[str],
    *,
    through: Literal["trace", "export"] = "trace",
    image: ImageInput | None = None,
    flexible: Mapping[int, tuple[int, int]] | Sequence[Sequence[int]] | None = None,
    class_labels: Sequence[str] | None = None,
    target: Target = "iOS16",
    precision: Literal["float16", "float32"] = "float16",
    metadata: Metadata | None = None,
) -> ModelFile:
    """Convert a PyTorch model of one input and one output to an .mlpackage at `path`, replacing what is there.

    example: an input, (batch, …); with `image`, (1, channels, height, width). `through` chooses torch.jit.trace, which
    records one run, or torch.export, which keeps the graph. flexible: {axis: (lowest, highest)}, or a list of shapes.
    class_labels makes a classifier, whose outputs are the best label and a dictionary of what the model returned (end
    the model in a softmax if that is to be probabilities). precision is that of the arithmetic and of stored weights;
    from iOS16 on, float16 also makes the input and output float16.
    The input is named `x`, or `image`; the output `y`, or `classLabel` and `classLabel_probs`.
    Raises ValueError for options that do not fit together, PocketlabError if an operator cannot be converted.
    """
    ct = import_coremltools()
    destination = Path(path)
    if destination.suffix != ".mlpackage":
        raise ValueError(f"The path of a Core ML model has to end in .mlpackage; {destination.name!r} does not.")
    source = _capture(model, example, through, flexible)
    arguments: dict[str, Any] = {"inputs": [_input_type(ct, example, image, flexible)]}
    if class_labels is None:
        arguments["outputs"] = [ct.TensorType(name="y")]
    else:
        arguments["classifier_config"] = ct.ClassifierConfig(list(class_labels))
    converted = _convert(ct, source, target, precision, arguments)
    metadata = metadata or Metadata()
    converted.author, converted.license = metadata.author, metadata.license
    converted.short_description, converted.version = metadata.description, metadata.version
    return _save(converted, destination)


def _capture(model: torch.nn.Module, example: torch.Tensor, through: str, flexible: Any) -> Any:
    """Return the model's graph as coremltools takes it, leaving the model in the mode in which it was."""
    import torch

    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad(), quiet():
            if through == "trace":
                return torch.jit.trace(model, example)
            if through != "export":
                raise ValueError(f"`through` is 'trace' or 'export'; {through!r} is neither.")
            axes = _flexible_axes(example, flexible)
            # torch.export takes a dimension of 1 for fixed, whatever else it is told: show it two of each flexible one.
            shown = example.repeat([2 if axis in axes and size == 1 else 1 for axis, size in enumerate(example.shape)])
            dynamic = ({axis: torch.export.Dim.AUTO for axis in axes},) if axes else None
            return torch.export.export(model, (shown,), dynamic_shapes=dynamic).run_decompositions(_recurrent_steps())
    finally:
        for module, training in modes.items():
            module.training = training


def _recurrent_steps() -> dict[Any, Any]:
    """Return how torch writes a recurrent layer as its single steps: whole, coremltools takes it from a trace only."""
    import torch

    aten, known = torch.ops.aten, torch.export.default_decompositions()
    return {layer: known[layer] for layer in (aten.lstm.input, aten.gru.input, aten.rnn_tanh.input, aten.rnn_relu.input)}


def _flexible_axes(example: torch.Tensor, flexible: Any) -> set[int]:
    """Return the axes along which the shape may vary, having checked that `flexible` allows the example."""
    shape = tuple(example.shape)
    if flexible is None:
        return set()
    if isinstance(flexible, Mapping):
        if bad := {a: r for a, r in flexible.items() if not (0 <= a < len(shape) and r[0] <= shape[a] <= r[1])}:
            raise ValueError(f"Flexible ranges {bad} do not contain the example's shape {shape}.")
        return set(flexible)
    shapes = [tuple(s) for s in flexible]
    if shape not in shapes or any(len(s) != len(shape) for s in shapes):
        raise ValueError(f"Flexible shapes {shapes} have to contain the example's shape {shape}, all of one length.")
    return {axis for axis in range(len(shape)) if len({s[axis] for s in shapes}) > 1}


def _input_type(ct: Any, example: torch.Tensor, image: ImageInput | None, flexible: Any) -> Any:
    """Return the coremltools type of the input."""
    shape: Any = tuple(example.shape)
    axes = _flexible_axes(example, flexible)
    if isinstance(flexible, Mapping):
        ranges = {a: ct.RangeDim(low, high, default=shape[a]) for a, (low, high) in flexible.items()}
        shape = tuple(ranges.get(axis, size) for axis, size in enumerate(shape))
    elif flexible is not None:
        shape = ct.EnumeratedShapes([list(s) for s in flexible], default=list(shape))
    if image is None:
        return ct.TensorType(name="x", shape=shape)
    channels = 1 if image.color_layout == "grayscale" else 3
    if example.ndim != 4 or tuple(example.shape[:2]) != (1, channels) or len(image.bias) != channels or axes - {2, 3}:
        raise ValueError(
            f"A {image.color_layout} image input is one picture (1, {channels}, height, width) with {channels} bias, "
            f"flexible in height and width only; got example {tuple(example.shape)}, bias {tuple(image.bias)}, "
            f"flexible {flexible}."
        )
    layout = ct.colorlayout[image.color_layout.upper()]
    bias = list(image.bias) if channels == 3 else float(image.bias[0])
    return ct.ImageType(name="image", shape=shape, scale=image.scale, bias=bias, color_layout=layout)


def _convert(ct: Any, source: Any, target: str, precision: str, arguments: dict[str, Any]) -> Any:
    """Convert a captured graph; what goes wrong becomes one sentence."""
    precisions = {"float16": ct.precision.FLOAT16, "float32": ct.precision.FLOAT32}
    if target not in ct.target.__members__ or precision not in precisions:
        raise ValueError(f"Expected a target such as 'iOS16' and float16 or float32; got {target!r} and {precision!r}.")
    try:
        with quiet():
            return ct.convert(
                source,
                minimum_deployment_target=ct.target[target],
                compute_precision=precisions[precision],
                skip_model_load=True,
                **arguments,
            )
    except (NotImplementedError, RuntimeError, ValueError, TypeError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PocketlabError(f"coremltools could not convert this model for {target}: {first_line}") from error


def _save(converted: Any, destination: Path) -> ModelFile:
    """Write a converted model beside its destination and move it there when it is complete."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".coreml-") as folder:
        complete = Path(folder) / destination.name
        converted.save(str(complete))
        if destination.is_dir():
            shutil.rmtree(destination)
        os.replace(complete, destination)
    return ModelFile(destination, "mlpackage", size_bytes(destination))


def quantize_weights(
    path_in: str | os.PathLike[str],
    path_out: str | os.PathLike[str],
    *,
    dtype: Literal["int8", "int4"] = "int8",
    granularity: Granularity = "per_channel",
) -> ModelFile:
    """Store a package's weights as symmetric integers with a scale per tensor or per output channel.

    The arithmetic stays as it was: the device expands the weights when it loads or runs them. int4 needs a package for
    iOS18, and a package for iOS15 comes out as one for iOS16, the first that can expand weights. coremltools by itself
    leaves tensors of up to 2,048 elements alone; here every weight is quantized, biases never.
    Raises ModelFileError if the package is damaged, PocketlabError if its target cannot store such weights.
    """
    ct = import_coremltools()
    if dtype not in ("int8", "int4") or granularity not in ("per_tensor", "per_channel"):
        raise ValueError(f"Expected int8 or int4, per_tensor or per_channel; got {dtype!r} and {granularity!r}.")
    with quiet():
        import coremltools.optimize.coreml as optimize

        package = read_package(path_in)
        model = ct.models.MLModel(package.spec, weights_dir=str(package.weights), skip_model_load=True)
        settings = optimize.OpLinearQuantizerConfig(
            mode="linear_symmetric", dtype=dtype, granularity=granularity, weight_threshold=0
        )
        try:
            smaller = optimize.linear_quantize_weights(model, optimize.OptimizationConfig(global_config=settings))
        except ValueError as error:
            raise PocketlabError(f"{package.path.name} cannot have {dtype} weights: {error}") from error
    return _save(smaller, Path(path_out))


@dataclass(frozen=True)
class TargetRow:
    """What one minimum iOS version gives. `weights` has the ways of compressing weights that conversion accepted."""

    target: str
    specification_version: int
    opset: str
    input_dtype: str
    output_dtype: str
    operators: tuple[str, ...]
    size_bytes: int
    weights: tuple[str, ...]


def deployment_targets(
    model: torch.nn.Module,
    example: torch.Tensor,
    targets: Sequence[Target] = ("iOS15", "iOS16", "iOS17", "iOS18"),
) -> list[TargetRow]:
    """Convert the model for each target and report what differs; takes about a second per target for a small model.

    Nothing is looked up in a table: each way of compressing weights is listed if compressing for that target, without
    raising it to a later one, worked here. Quantized activations (iOS17) are not tried: calibrating them needs macOS.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="coreml-targets-") as folder:
        for target in targets:
            exported = export(model, example, Path(folder) / f"{target}.mlpackage", target=target)
            described = describe(exported.path)
            inspected = inspect(exported.path)
            rows.append(
                TargetRow(
                    target=target,
                    specification_version=described.specification_version,
                    opset=described.opset,
                    input_dtype=described.inputs[0].dtype,
                    output_dtype=described.outputs[0].dtype,
                    operators=tuple(inspected.operators),
                    size_bytes=exported.size_bytes,
                    weights=_compressions(exported.path, described.specification_version),
                )
            )
    return rows


def _compressions(path: Path, specification_version: int) -> tuple[str, ...]:
    """Return the names of the ways of compressing weights that work without raising the specification version."""
    ct = import_coremltools()
    with quiet():
        import coremltools.optimize.coreml as optimize

        quantize = (optimize.linear_quantize_weights, optimize.OpLinearQuantizerConfig)
        palettize = (optimize.palettize_weights, optimize.OpPalettizerConfig)
        prune = (optimize.prune_weights, optimize.OpMagnitudePrunerConfig)
        ways: dict[str, tuple[Any, Any, dict[str, Any]]] = {
            "int8": (*quantize, {"dtype": "int8"}),
            "4-bit palette": (*palettize, {"mode": "uniform", "nbits": 4}),
            "50 % zeros": (*prune, {"target_sparsity": 0.5}),
            "3-bit palette": (*palettize, {"mode": "uniform", "nbits": 3}),
            "int4": (*quantize, {"dtype": "int4"}),
        }
        package = read_package(path)
        accepted = []
        for name, (compress, settings, options) in ways.items():
            model = ct.models.MLModel(package.spec, weights_dir=str(package.weights), skip_model_load=True)
            config = optimize.OptimizationConfig(global_config=settings(weight_threshold=0, **options))
            try:
                version = compress(model, config).get_spec().specificationVersion
            except ValueError:  # how coremltools says that a target cannot hold this
                continue
            if version == specification_version:
                accepted.append(name)
    return tuple(accepted)
