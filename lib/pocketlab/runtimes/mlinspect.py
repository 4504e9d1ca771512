"""What an .mlpackage holds and what it says of itself, read from its files on any system."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlab.runtimes.base import Inspection, TensorInfo
from pocketlab.runtimes.mil.package import (
    Package,
    argument_names,
    dtype,
    elements,
    operations,
    read_package,
    shape,
    size_bytes,
    stored_bytes,
    values,
    whole,
)

Flexible = dict[int, tuple[int, int]] | tuple[tuple[int, ...], ...]
_MINIMUM_SYSTEM = {6: "iOS15", 7: "iOS16", 8: "iOS17", 9: "iOS18", 10: "iOS26"}  # by specification version


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
    """An input or output. `flexible` is {axis: (lowest, highest)}, highest -1 if unbounded, or a tuple of shapes."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    dtype: str
    flexible: Flexible | None = None
    image: ImageFormat | None = None


@dataclass(frozen=True)
class Description:
    """What a package says of itself. `functions` has each one's operators in execution order, without constants."""

    specification_version: int
    minimum_system: str
    opset: str
    author: str
    license: str
    description: str
    version: str
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    class_labels: tuple[str, ...]
    functions: dict[str, tuple[str, ...]]

    def rows(self) -> list[tuple[str, str]]:
        """Return (field, value) pairs as text, for a table."""
        rows = [
            ("needs at least", f"{self.minimum_system} (specification {self.specification_version}, {self.opset})"),
            ("author", self.author),
            ("license", self.license),
            ("description", self.description),
            ("version", self.version),
        ]
        for role, features in (("input", self.inputs), ("output", self.outputs)):
            rows += [(f"{role} {feature.name}", _feature_text(feature)) for feature in features]
        rows.append(("class labels", ", ".join(self.class_labels)))
        return [(name, text or "none") for name, text in rows]


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Count a package's MIL operators and constants, over all its functions. Raises ModelFileError if it is damaged.

    `operators` leaves out `const`, and keeps the `constexpr_…` that decompress weights. Floating-point tensors count as
    parameters, and so does what is compressed; scalars and integer settings (strides, axes) do not. A compressed tensor
    counts the parameters that it expands to and the bytes that it takes, those of its scales and tables included.
    """
    package = read_package(path)
    with whole(package.path):
        return _count(package)


def describe(path: str | os.PathLike[str]) -> Description:
    """Read back metadata, inputs and outputs, image preprocessing, class labels and flexible shapes from the file.

    Scale and bias of an image are no fields of the format: the converter writes them as a multiplication and an
    addition at the head of the program, where this function finds them. Raises ModelFileError if it is damaged.
    """
    package = read_package(path)
    with whole(package.path):
        return _describe(package)


def _count(package: Package) -> Inspection:
    """Walk all functions once; see `inspect` for what counts."""
    operators: Counter[str] = Counter()
    bytes_by_type: Counter[str] = Counter()
    parameters = 0
    for block in package.functions().values():
        body = list(operations(block))
        compressors = [op for op in body if op.type.startswith("constexpr_")]
        decompressed = {name for op in compressors for name in argument_names(op)}  # parts of a compressed tensor
        for op in body:
            if op.type != "const":
                operators[op.type] += 1
            is_part = any(output.name in decompressed for output in op.outputs)
            if op.type.startswith("constexpr_") and not is_part:
                parameters += elements(op.outputs[0].type)
            is_part = is_part or op.type.startswith("constexpr_")
            for value in values(op):
                if not value.type.tensorType.rank or not stored_bytes(value.type):
                    continue
                if is_part or "float" in dtype(value.type):
                    bytes_by_type[dtype(value.type)] += stored_bytes(value.type)
                    parameters += 0 if is_part else elements(value.type)
    inputs, outputs = _features(package)
    return Inspection(
        format="mlpackage",
        size_bytes=size_bytes(package.path),
        operators=dict(operators),
        parameters=parameters,
        bytes_by_type=dict(bytes_by_type),
        inputs=tuple(TensorInfo(f.name, f.shape, f.dtype) for f in inputs),
        outputs=tuple(TensorInfo(f.name, f.shape, f.dtype) for f in outputs),
    )


def _describe(package: Package) -> Description:
    """Collect what `describe` returns."""
    inputs, outputs = _features(package)
    metadata = package.spec.description.metadata
    version = package.spec.specificationVersion
    main = next(iter(package.spec.mlProgram.functions.values()))
    return Description(
        specification_version=version,
        minimum_system=_MINIMUM_SYSTEM.get(version, "unknown"),
        opset=main.opset,
        author=metadata.author,
        license=metadata.license,
        description=metadata.shortDescription,
        version=metadata.versionString,
        inputs=inputs,
        outputs=outputs,
        class_labels=_class_labels(package),
        functions={
            name: tuple(op.type for op in operations(block) if not op.type.startswith("const"))
            for name, block in package.functions().items()
        },
    )


def _features(package: Package) -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
    """Return the inputs and outputs of the default function, with the shapes that the program itself gives them."""
    description = package.spec.description
    for function in description.functions:  # present if there is more than one
        if function.name == description.defaultFunctionName:
            description = function
    types = {}
    for name, block in package.functions().items():
        types.update({i.name: i.type for i in package.spec.mlProgram.functions[name].inputs})
        types.update({o.name: o.type for op in operations(block) for o in op.outputs})
    return (
        tuple(_feature(package, i, types) for i in description.input),
        tuple(_feature(package, o, types) for o in description.output),
    )


def _feature(package: Package, feature: Any, types: dict[str, Any]) -> Feature:
    """Join a feature of the interface with its tensor in the program."""
    kind = feature.type.WhichOneof("Type").removesuffix("Type")
    dimensions = shape(types[feature.name]) if feature.name in types else ()
    if kind == "multiArray":
        array = feature.type.multiArrayType
        element = array.ArrayDataType.Name(array.dataType).lower()
        return Feature(feature.name, "tensor", dimensions, element, _flexible_array(array))
    if kind == "image":
        image = feature.type.imageType
        layout = image.ColorSpace.Name(image.colorSpace).lower()
        scale = _floats(_operand(package, f"{feature.name}__scaled__"))
        bias = _floats(_operand(package, f"{feature.name}__biased__"))
        channels = 3 if layout in ("rgb", "bgr") else 1
        described = ImageFormat(layout, image.height, image.width, (scale or (1.0,))[0], bias or (0.0,) * channels)
        return Feature(feature.name, "image", dimensions, f"{layout} image", _flexible_image(image), described)
    return Feature(feature.name, kind, dimensions, kind)


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


def _class_labels(package: Package) -> tuple[str, ...]:
    """Return the labels that the program's `classify` operation gives to the classes."""
    for block in package.functions().values():
        for op in operations(block):
            if op.type == "classify":
                labels = op.inputs["classes"].arguments[0].value.immediateValue.list.values
                return tuple(label.immediateValue.tensor.strings.values[0] for label in labels)
    return ()


def _feature_text(feature: Feature) -> str:
    """Return a feature in one line, as `float16 (1, 1, 8, 8), flexible {0: (1, 8)}`."""
    text = f"{feature.dtype} {feature.shape}" if feature.shape else feature.dtype
    if feature.image:
        text += f", {feature.image.scale:.6g} * pixel + {tuple(round(b, 6) for b in feature.image.bias)}"
    return text + (f", flexible {feature.flexible}" if feature.flexible else "")
