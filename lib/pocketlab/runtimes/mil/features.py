"""The inputs, outputs and states of a package's functions, as its interface and its program together describe them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlab.runtimes.mil.package import Package, argument_names, operations, shape

Flexible = dict[int, tuple[int, int]] | tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ImageFormat:
    """An image input: the model sees `scale * pixel + bias`, one scale for all channels and one bias per channel."""

    color_layout: str
    height: int
    width: int
    scale: float
    bias: tuple[float, ...]


@dataclass(frozen=True)
class Feature:
    """An input or output. `flexible` is {axis: (lowest, highest)}, highest -1 if unbounded, or a tuple of shapes.

    default: what fills an input that may be left out; None if it may not.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    dtype: str
    flexible: Flexible | None = None
    image: ImageFormat | None = None
    default: float | None = None


@dataclass(frozen=True)
class Interface:
    """What a function takes and gives. A state has a tensor's shape and is not among the inputs."""

    function: str
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    states: tuple[Feature, ...]


def interface(package: Package, function: str | None = None) -> Interface:
    """Return the interface of a function, by default the package's default one.

    Raises ValueError for a function that is not there.
    """
    description = package.spec.description
    bodies = package.functions()
    name = function or description.defaultFunctionName or "main"
    if name not in bodies and function is None:  # the one function of a package may have any name
        name = next(iter(bodies))
    if name not in bodies:
        raise ValueError(f"{package.path.name} has no function {name!r}; it has {', '.join(sorted(bodies))}.")
    for described in description.functions:  # present if there is more than one
        if described.name == name:
            description = described
    types = {i.name: i.type for i in package.spec.mlProgram.functions[name].inputs}
    types.update({o.name: o.type for op in operations(bodies[name]) for o in op.outputs})

    def read(features: Any) -> tuple[Feature, ...]:
        return tuple(_feature(package, feature, types) for feature in features)

    return Interface(name, read(description.input), read(description.output), read(description.state))


def _feature(package: Package, feature: Any, types: dict[str, Any]) -> Feature:
    """Join a feature of the interface with its tensor in the program."""
    kind = feature.type.WhichOneof("Type").removesuffix("Type")
    dimensions = shape(types[feature.name]) if feature.name in types else ()
    default = _default(feature.type.multiArrayType) if feature.type.isOptional else None
    if kind == "multiArray":
        array = feature.type.multiArrayType
        element = array.ArrayDataType.Name(array.dataType).lower()
        return Feature(feature.name, "tensor", dimensions, element, _flexible_array(array), default=default)
    if kind == "image":
        image = feature.type.imageType
        layout = image.ColorSpace.Name(image.colorSpace).lower()
        scale = _floats(_operand(package, f"{feature.name}__scaled__"))
        bias = _floats(_operand(package, f"{feature.name}__biased__"))
        channels = 3 if layout in ("rgb", "bgr") else 1
        described = ImageFormat(layout, image.height, image.width, (scale or (1.0,))[0], bias or (0.0,) * channels)
        return Feature(feature.name, "image", dimensions, f"{layout} image", _flexible_image(image), described)
    if kind == "state":
        array = feature.type.stateType.arrayType
        return Feature(feature.name, kind, tuple(array.shape), array.ArrayDataType.Name(array.dataType).lower())
    return Feature(feature.name, kind, dimensions, kind)


def _default(array: Any) -> float:
    """Return the number that fills an optional input."""
    kind = array.WhichOneof("defaultOptionalValue")
    return float(getattr(array, kind)) if kind else 0.0


def _flexible_array(array: Any) -> Flexible | None:
    """Return the flexible shapes of a tensor as `Feature.flexible` holds them."""
    if array.enumeratedShapes.shapes:
        return tuple(tuple(s.shape) for s in array.enumeratedShapes.shapes)
    ranges = {axis: (r.lowerBound, r.upperBound) for axis, r in enumerate(array.shapeRange.sizeRanges)}
    return {axis: r for axis, r in ranges.items() if r[0] != r[1]} or None


def _flexible_image(image: Any) -> Flexible | None:
    """Return the flexible sizes of an image: axes 2 and 3 are height and width, or a list of (height, width)."""
    if image.enumeratedSizes.sizes:
        return tuple((size.height, size.width) for size in image.enumeratedSizes.sizes)
    if not image.HasField("imageSizeRange"):
        return None
    sizes = {2: image.imageSizeRange.heightRange, 3: image.imageSizeRange.widthRange}
    return {axis: (r.lowerBound, r.upperBound) for axis, r in sizes.items() if r.lowerBound != r.upperBound} or None


def _operand(package: Package, output: str) -> Any:
    """Return the constant that the operation named `output` multiplies by or adds; None without such an operation."""
    for block in package.functions().values():
        constants = {op.outputs[0].name: op.attributes["val"] for op in block.operations if op.type == "const"}
        for op in block.operations:
            if op.outputs and op.outputs[0].name == output:
                named = [constants[name] for name in argument_names(op) if name in constants]
                return next(iter(named), None)
    return None


def _floats(value: Any) -> tuple[float, ...]:
    """Return the numbers of a constant inside the protobuf: float32 as they are, float16 as bytes. Empty for None."""
    if value is None:
        return ()
    tensor = value.immediateValue.tensor
    if tensor.WhichOneof("value") == "bytes":
        return tuple(float(x) for x in np.frombuffer(tensor.bytes.values, np.float16))
    return tuple(tensor.floats.values)


def class_labels(package: Package) -> tuple[str | int, ...]:
    """Return the labels that the program's `classify` operation gives to the classes."""
    for block in package.functions().values():
        for op in operations(block):
            if op.type == "classify":
                labels = op.inputs["classes"].arguments[0].value.immediateValue.list.values
                tensors = [label.immediateValue.tensor for label in labels]
                return tuple((tensor.strings.values or tensor.longInts.values)[0] for tensor in tensors)
    return ()
