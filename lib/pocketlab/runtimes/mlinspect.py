"""What an .mlpackage holds and what it says of itself, read from its files on any system."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

from pocketlab.runtimes.base import Inspection, TensorInfo
from pocketlab.runtimes.mil.features import Feature, class_labels, interface
from pocketlab.runtimes.mil.package import (
    Package,
    argument_names,
    dtype,
    elements,
    operations,
    read_package,
    size_bytes,
    stored_bytes,
    values,
    whole,
)

_MINIMUM_SYSTEM = {6: "iOS15", 7: "iOS16", 8: "iOS17", 9: "iOS18", 10: "iOS26"}  # by specification version


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
    class_labels: tuple[str | int, ...]
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
        rows.append(("class labels", ", ".join(map(str, self.class_labels))))
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
    main = interface(package)
    return Inspection(
        format="mlpackage",
        size_bytes=size_bytes(package.path),
        operators=dict(operators),
        parameters=parameters,
        bytes_by_type=dict(bytes_by_type),
        inputs=tuple(TensorInfo(f.name, f.shape, f.dtype) for f in main.inputs),
        outputs=tuple(TensorInfo(f.name, f.shape, f.dtype) for f in main.outputs),
    )


def _describe(package: Package) -> Description:
    """Collect what `describe` returns."""
    main = interface(package)
    metadata = package.spec.description.metadata
    version = package.spec.specificationVersion
    return Description(
        specification_version=version,
        minimum_system=_MINIMUM_SYSTEM.get(version, "unknown"),
        opset=package.spec.mlProgram.functions[main.function].opset,
        author=metadata.author,
        license=metadata.license,
        description=metadata.shortDescription,
        version=metadata.versionString,
        inputs=main.inputs,
        outputs=main.outputs,
        class_labels=class_labels(package),
        functions={
            name: tuple(op.type for op in operations(block) if not op.type.startswith("const"))
            for name, block in package.functions().items()
        },
    )


def _feature_text(feature: Feature) -> str:
    """Return a feature in one line, as `float16 (1, 1, 8, 8), flexible {0: (1, 8)}`."""
    text = f"{feature.dtype} {feature.shape}" if feature.shape else feature.dtype
    if feature.image:
        text += f", {feature.image.scale:.6g} * pixel + {tuple(round(b, 6) for b in feature.image.bias)}"
    return text + (f", flexible {feature.flexible}" if feature.flexible else "")
