"""Selective registration: link only the kernels that a model uses.

LiteRT's default `BuiltinOpResolver` names every kernel, so the linker must keep them all. A resolver that names only the
operators of one's models lets it drop the rest. On a microcontroller there is no default: LiteRT Micro's
`MicroMutableOpResolver<N>` always has to be filled by hand.

A model file is untrusted: a name from it enters the generated C++ only as one of the names listed here or in LiteRT's own
schema, or, for a custom operator, after it was checked to be a plain identifier.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pocketlab.errors import ModelFileError, PocketlabError
from pocketlab.runtimes import tflite_file

Operator = TypeVar("Operator", bound=Hashable)

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LARGEST_VERSION = 1000  # LiteRT's largest is 14; more than this is no version

# What LiteRT's own custom operators call their `Register_` functions, where it is not the name in capitals.
# Source: LiteRT, tflite/core/kernels/register.cc.
_CUSTOM_REGISTRATIONS = {
    "AudioSpectrogram": "AUDIO_SPECTROGRAM",
    "NumericVerify": "NUMERIC_VERIFY",
    "TFLite_Detection_PostProcess": "DETECTION_POSTPROCESS",
}

# The methods that LiteRT Micro has for builtin operators; the operator is the method's name in capitals, apart from
# underscores. Not every operator of LiteRT is among them. Source: tflite-micro, micro_mutable_op_resolver.h.
_MICRO_METHODS = """
    AddAbs AddAdd AddAddN AddArgMax AddArgMin AddAssignVariable AddAveragePool2D AddBatchMatMul AddBatchToSpaceNd
    AddBroadcastArgs AddBroadcastTo AddCallOnce AddCast AddCeil AddConcatenation AddConv2D AddCos AddCumSum AddDepthToSpace
    AddDepthwiseConv2D AddDequantize AddDiv AddDynamicUpdateSlice AddElu AddEmbeddingLookup AddEqual AddExp AddExpandDims
    AddFill AddFloor AddFloorDiv AddFloorMod AddFullyConnected AddGather AddGatherNd AddGreater AddGreaterEqual AddHardSwish
    AddIf AddL2Normalization AddL2Pool2D AddLeakyRelu AddLess AddLessEqual AddLog AddLogSoftmax AddLogicalAnd AddLogicalNot
    AddLogicalOr AddLogistic AddMaxPool2D AddMaximum AddMean AddMinimum AddMirrorPad AddMul AddNeg AddNotEqual AddPack AddPad
    AddPadV2 AddPrelu AddQuantize AddReadVariable AddReduceAll AddReduceMax AddReduceMin AddRelu AddRelu6 AddReshape
    AddResizeBilinear AddResizeNearestNeighbor AddReverseV2 AddRound AddRsqrt AddSelectV2 AddShape AddSin AddSlice AddSoftmax
    AddSpaceToBatchNd AddSpaceToDepth AddSplit AddSplitV AddSqrt AddSquare AddSquaredDifference AddSqueeze AddStridedSlice
    AddSub AddSum AddSvdf AddTanh AddTranspose AddTransposeConv AddUnidirectionalSequenceLSTM AddUnpack AddVarHandle AddWhile
    AddZerosLike
"""
_MICRO_METHOD_BY_KEY = {method.removeprefix("Add").upper(): method for method in _MICRO_METHODS.split()}
_MICRO_CUSTOM_METHODS = {
    "CIRCULAR_BUFFER": "AddCircularBuffer",
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
    "ethos-u": "AddEthosU",
}


@dataclass(frozen=True)
class OperatorUse:
    """One operator of a model file: its builtin name ("CUSTOM" for a custom one, then with `custom`), version and count.

    `custom` is the name as the file gives it, unchecked.
    """

    builtin: str
    version: int
    count: int
    custom: str | None = None


def used_operators(path: str | Path) -> list[OperatorUse]:
    """Return the operators that the graphs of a .tflite file use, in order of first use; a listed but unused one is left out.

    Raises ModelFileError for a file that is missing or damaged.
    """
    counts: dict[tflite_file.OperatorCode, int] = {}
    for graph in tflite_file.read(path).graphs:
        for node in graph.nodes:
            counts[node.code] = counts.get(node.code, 0) + 1
    return [OperatorUse(code.builtin, code.version, count, code.custom) for code, count in counts.items()]


def version_ranges(uses: Iterable[tuple[Operator, int]]) -> dict[Operator, tuple[int, int]]:
    """Return the lowest and the highest version in which each operator is used, in the order of first use.

    uses: (operator, version) for every node of a model, or of several. A resolver registers an operator once, with the
    range of versions that its kernel is to accept.
    """
    ranges: dict[Operator, tuple[int, int]] = {}
    for operator, version in uses:
        lowest, highest = ranges.get(operator, (version, version))
        ranges[operator] = (min(lowest, version), max(highest, version))
    return ranges


def generate_litert_resolver(path: str | Path, *, namespace: str = "pocketlab") -> str:
    """Return C++ with `RegisterSelectedOps`, which gives a `tflite::MutableOpResolver` just the operators of the file.

    An operator is registered from the lowest to the highest version in use, as LiteRT's own generator does it.

    Raises ModelFileError for a damaged file or a custom operator's name that is no identifier, ValueError for a namespace
    that is none.
    """
    if not all(map(_IDENTIFIER.fullmatch, namespace.split("::"))):
        raise ValueError(
            f"{namespace!r} is no C++ namespace: give letters, digits and underscores, parts joined by '::'."
        )
    uses = used_operators(path)
    ranges = version_ranges(((use.builtin, use.custom), _checked_version(use, path)) for use in uses)
    customs = [_checked_custom(name, path) for _, name in ranges if name is not None]
    lines = [
        '#include "tflite/kernels/builtin_op_kernels.h"',
        '#include "tflite/mutable_op_resolver.h"',
        *_declarations("namespace tflite::ops::custom {", "TfLiteRegistration*", customs),
        "",
        f"namespace {namespace} {{",
        "",
        "void RegisterSelectedOps(::tflite::MutableOpResolver* resolver) {",
    ]
    for (builtin, custom), (lowest, highest) in ranges.items():
        if custom is None:
            what = f"AddBuiltin(::tflite::BuiltinOperator_{builtin}, ::tflite::ops::builtin::Register_{builtin}()"
        else:
            what = f'AddCustom("{custom}", ::tflite::ops::custom::{_register_function(custom)}()'
        lines.append(f"  resolver->{what}, /*min_version=*/{lowest}, /*max_version=*/{highest});")
    lines += ["}", "", f"}}  // namespace {namespace}", ""]
    return "\n".join(lines)


def generate_micro_resolver(path: str | Path) -> str:
    """Return a C++ header with `RegisterSelectedOps` for a `tflite::MicroMutableOpResolver<N>` of just the right N.

    Raises ModelFileError for a damaged file or a custom operator's name that is no identifier, PocketlabError for an
    operator that LiteRT Micro has no kernel for.
    """
    methods: dict[str, None] = {}  # a set that keeps its order: an operator in two versions is registered once
    customs: dict[str, None] = {}
    for use in used_operators(path):
        if use.custom is None:
            methods[_micro_method(use.builtin, path) + "()"] = None
        elif use.custom in _MICRO_CUSTOM_METHODS:
            methods[_MICRO_CUSTOM_METHODS[use.custom] + "()"] = None
        else:
            name = _checked_custom(use.custom, path)
            customs[name] = None
            methods[f'AddCustom("{name}", ::tflite::{_register_function(name)}())'] = None
    lines = [
        "#pragma once",
        "",
        '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"',
        *_declarations("namespace tflite {", "TFLMRegistration*", list(customs)),
        "",
        f"constexpr int kNumberOperators = {len(methods)};",
        "",
        "inline TfLiteStatus RegisterSelectedOps(tflite::MicroMutableOpResolver<kNumberOperators>& resolver) {",
        *(f"  TF_LITE_ENSURE_STATUS(resolver.{method});" for method in methods),
        "  return kTfLiteOk;",
        "}",
        "",
    ]
    return "\n".join(lines)


def _micro_method(builtin: str, path: str | Path) -> str:
    method = _MICRO_METHOD_BY_KEY.get(builtin.replace("_", ""))
    if method is None:
        raise PocketlabError(
            f"{Path(path).name} uses {builtin}, and LiteRT Micro has no kernel for it: "
            "change the layer that it comes from, or write a kernel and register it as a custom operator."
        )
    return method


def _declarations(namespace: str, kind: str, customs: list[str]) -> list[str]:
    if not customs:
        return []
    declared = (f"{kind} {_register_function(name)}();" for name in customs)
    return ["", "// Yours to define, or to link from where the custom kernel comes from.", namespace, *declared, "}"]


def _register_function(custom: str) -> str:
    return f"Register_{_CUSTOM_REGISTRATIONS.get(custom, custom.upper())}"


def _checked_custom(name: str, path: str | Path) -> str:
    """Return the name of a custom operator if it may stand in C++ code, else raise ModelFileError."""
    if not _IDENTIFIER.fullmatch(name):
        raise ModelFileError(
            f"{Path(path).name} names a custom operator {name[:40]!r}, which is no identifier (letters, digits and "
            "underscores, at most 64): no code is generated from it."
        )
    if name.startswith("Flex"):
        raise ModelFileError(
            f"{Path(path).name} uses {name!r}, an operator of TensorFlow itself: it is run by the Flex delegate, "
            "which links TensorFlow, and cannot be registered. Convert the model with built-in operators only."
        )
    return name


def _checked_version(use: OperatorUse, path: str | Path) -> int:
    if not 1 <= use.version <= _LARGEST_VERSION:
        raise ModelFileError(f"{Path(path).name} asks for version {use.version} of {use.builtin}: the file is damaged.")
    return use.version
