"""Quantize a .tflite file with LiteRT's own quantizer, `ai_edge_quantizer`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pocketlab.runtimes import _litert, tflite_file
from pocketlab.runtimes.base import ModelFile

CalibrationInputs = dict[str, list[dict[str, np.ndarray]]]
"""For the key of a signature, what each call is given by the name of its input."""

QUANTIZATIONS = ("dynamic_int8", "static_int8", "float16")


def check_options(
    quantization: str | None, representative: object, per_channel: bool, known: tuple[str, ...] = QUANTIZATIONS
) -> None:
    """Raise ValueError, as a sentence, for options that do not go together. known: what a runtime can do."""
    if quantization is not None and quantization not in known:
        raise ValueError(f"quantization is {quantization!r}: give None or one of {', '.join(map(repr, known))}.")
    if quantization == "static_int8" and representative is None:
        raise ValueError(
            "static_int8 fixes the range of every activation beforehand, so it needs inputs to see them on: "
            "give representative=, an array (rows, …) of inputs prepared as the model will get them."
        )
    if not per_channel and quantization not in ("dynamic_int8", "static_int8"):
        raise ValueError(f"per_channel=False is about int8 weights; with quantization={quantization!r} there are none.")


def quantize_file(
    path_in: str | Path,
    path_out: str | Path,
    quantization: str,
    *,
    representative: np.ndarray | Iterable[np.ndarray] | None = None,
    per_channel: bool = True,
    keep_float: str | None = None,
) -> ModelFile:
    """Quantize the float file `path_in` into `path_out`.

    quantization: "dynamic_int8": int8 weights, and activations quantized as they come, where a kernel for that exists;
    "static_int8": weights and activations int8, inputs and outputs too, with ranges seen on `representative`;
    "float16": weights stored as float16 and computed with as float32 on a CPU.
    representative: inputs (rows, …) or batches of them, prepared as the model gets them. The range of a tensor is from the
    smallest to the largest value seen (the quantizer's default, a moving average, depends on the order of the inputs).
    per_channel: a scale for each output channel of a weight, instead of one for the whole tensor. Activations have one
    scale per tensor in any case, and with "dynamic_int8" depthwise weights have one per channel in any case.
    keep_float: operators with this text in their names stay in float32, and so do the file's inputs. A converted operator has
    the names of the modules that it was in, so this can be a submodule's name.

    Raises ModelFileError for a damaged `path_in`, ValueError for options or inputs that do not fit, and for a keep_float that
    is in no operator's name.
    """
    check_options(quantization, representative, per_channel)
    path_in, path_out = Path(path_in), Path(path_out)
    _litert.interpreter(path_in)  # a damaged file is told here; and the line about XNNPACK is used up
    if keep_float is not None:
        _check_named(path_in, keep_float)
    inputs = None
    if quantization == "static_int8" and representative is not None:
        inputs = _calibration_inputs(path_in, representative)
    with _litert.own_errors(path_in, "quantized"), _litert.quiet():
        quantizer = _import_quantizer().Quantizer(str(path_in))
        _add_recipe(quantizer, quantization, per_channel)
        if keep_float is not None:
            _exempt(quantizer, keep_float)
        ranges = None if inputs is None else _calibrate(quantizer, path_in, inputs)
        result = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    path_out.parent.mkdir(parents=True, exist_ok=True)
    path_out.write_bytes(result.quantized_model)
    return ModelFile(path_out, tflite_file.FORMAT, path_out.stat().st_size)


@functools.cache
def _import_quantizer() -> ModuleType:
    """Return `ai_edge_quantizer.quantizer` with its progress bars, which calibration has no option for, switched off."""
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer.utils import progress_utils

    progress_utils.ProgressBar = functools.partial(progress_utils.ProgressBar, enable=False)
    return quantizer


def _add_recipe(quantizer: Any, quantization: str, per_channel: bool) -> None:
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName

    every = (".*", TFLOperationName.ALL_SUPPORTED)
    granularity = QuantGranularity.CHANNELWISE if per_channel else QuantGranularity.TENSORWISE
    if quantization == "dynamic_int8":
        quantizer.add_dynamic_config(*every, num_bits=8, granularity=granularity)
        # LiteRT's kernel for float activations with int8 depthwise weights reads a scale for every channel, whether the
        # file has them or not (depthwise_conv.cc, EvalHybridPerChannel), so this operator always gets them.
        depthwise = TFLOperationName.DEPTHWISE_CONV_2D
        quantizer.add_dynamic_config(".*", depthwise, num_bits=8, granularity=QuantGranularity.CHANNELWISE)
    elif quantization == "static_int8":
        quantizer.add_static_config(*every, activation_num_bits=8, weight_num_bits=8, weight_granularity=granularity)
    else:
        quantizer.add_weight_only_config(*every, num_bits=16, algorithm_key=AlgorithmName.FLOAT_CASTING)


def _check_named(path: Path, text: str) -> None:
    """Raise ValueError unless the text is in the name of an operator, which is that of the tensors that it writes."""
    graphs = tflite_file.read(path).graphs
    names = [graph.tensors[index].name for graph in graphs for node in graph.nodes for index in node.outputs]
    if not text or not any(text in name for name in names):
        first = f"; its first one is {names[0]!r}" if names else ""
        raise ValueError(f"keep_float is {text!r}, which no operator of {path.name} has in its name{first}.")


def _exempt(quantizer: Any, keep_float: str) -> None:
    """Overrule the recipe for operators with a text in their names, and for inputs."""
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName

    for scope, operator in ((re.escape(keep_float), TFLOperationName.ALL_SUPPORTED), (".*", TFLOperationName.INPUT)):
        quantizer.update_quantization_recipe(scope, operator, algorithm_key=AlgorithmName.NO_QUANTIZE)


def _calibrate(quantizer: Any, path: Path, inputs: CalibrationInputs) -> dict[str, Any]:
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    recipe = RecipeManager()
    recipe.load_quantization_recipe(quantizer.get_quantization_recipe())
    calibrator = Calibrator(path.read_bytes(), num_threads=1, qsv_update_func=min_max_update)
    calibrator.calibrate(inputs, recipe)
    return calibrator.get_model_qsvs()


def _calibration_inputs(path: Path, representative: np.ndarray | Iterable[np.ndarray]) -> CalibrationInputs:
    signature, name, shape = _only_input(path)
    rows = [{name: row} for row in rows_of(representative, shape)]
    if not rows:
        raise ValueError(
            "representative holds no input: give at least one, better a hundred that cover what will come."
        )
    return {signature: rows}


def _only_input(path: Path) -> tuple[str, str, tuple[int, ...]]:
    """Return the key of the file's one signature, and the name and shape of its one input."""
    interpreter = _litert.interpreter(path)
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        raise ValueError(f"{path.name} has {len(signatures)} signatures, and calibration needs exactly one.")
    (key,) = signatures
    inputs = interpreter.get_signature_runner(key).get_input_details()
    if len(inputs) != 1:
        raise ValueError(f"{path.name} has {len(inputs)} inputs, and only a model with one can be calibrated here.")
    ((name, details),) = inputs.items()
    return key, name, tuple(int(size) for size in details["shape"])


def rows_of(batches: np.ndarray | Iterable[np.ndarray], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield float32 inputs of exactly `shape` from arrays (rows, …)."""
    for batch in [batches] if hasattr(batches, "shape") else batches:
        array = np.asarray(batch, np.float32)
        if array.shape[1:] != shape[1:] or array.ndim != len(shape) or len(array) % shape[0]:
            raise ValueError(
                f"representative holds an array of shape {array.shape}; the model takes {shape}, or rows of it."
            )
        yield from array.reshape(-1, *shape)
