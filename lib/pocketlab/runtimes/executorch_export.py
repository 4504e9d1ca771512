"""PyTorch to .pte: ExecuTorch's exporter, XNNPACK's partitioner, and int8 by PT2E quantization."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketlab.runtimes import _litert
from pocketlab.runtimes.base import ModelFile
from pocketlab.runtimes.executorch_file import FORMAT
from pocketlab.runtimes.litert_quantize import check_options, rows_of

if TYPE_CHECKING:
    import torch

QUANTIZATIONS = ("dynamic_int8", "static_int8")
_LOGGERS = ("torchao", "torch.utils._pytree")  # say what they lack when they are imported


def export(
    model: torch.nn.Module,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    path: str | Path,
    *,
    quantization: str | None = None,
    representative: np.ndarray | Iterable[np.ndarray] | None = None,
    per_channel: bool = True,
    delegate: str | None = "xnnpack",
) -> ModelFile:
    """Convert a PyTorch model to .pte, in float32 or quantized.

    example: (batch, …), an input of the shape that the file will take, or a tuple with one for each input. The model is
    converted in evaluation mode and left as it was.
    quantization: None keeps float32. "dynamic_int8": int8 weights of linear and convolution layers, activations quantized as
    they come. "static_int8": weights and activations int8 with ranges seen on `representative`; inputs and outputs stay
    float32, and are quantized and dequantized inside.
    representative: inputs (rows, …) or batches of them, prepared as the model gets them. Ranges come from histograms, so that
    they need not include every outlier.
    per_channel: a scale for each output channel of a weight, instead of one for the whole tensor.
    delegate: "xnnpack" hands every operator that it takes to XNNPACK; None leaves all to ExecuTorch's portable kernels, which
    are written to be small and to run anywhere, not to be fast.

    Raises ValueError for options that do not go together.
    Source: PyTorch 2 Export Quantization (PT2E), with XNNPACK's quantizer: docs.pytorch.org/executorch.
    """
    check_options(quantization, representative, per_channel, QUANTIZATIONS)
    examples = example if isinstance(example, tuple) else (example,)
    path = Path(path)
    if path.suffix != ".pte":
        raise ValueError(f"{path.name} must end in .pte, the name by which every tool knows the format.")
    _check_kernels(delegate, quantization, per_channel)
    path.parent.mkdir(parents=True, exist_ok=True)
    evaluated = copy.deepcopy(model).eval()
    with _litert.quiet(*_LOGGERS):
        if quantization is not None:
            evaluated = _quantize(evaluated, examples, quantization == "dynamic_int8", representative, per_channel)
        program = _lower(evaluated, examples, delegate)
    with tempfile.TemporaryDirectory(prefix=".pte-", dir=path.parent) as folder:
        whole = Path(folder) / path.name
        with whole.open("wb") as file:
            program.write_to_file(file)
        whole.replace(path)  # at once: a runner of the file that was there keeps what it has mapped
    return ModelFile(path, FORMAT, path.stat().st_size)


def _check_kernels(delegate: str | None, quantization: str | None, per_channel: bool) -> None:
    if delegate not in ("xnnpack", None):
        raise ValueError(f"delegate is {delegate!r}: give 'xnnpack', or None for the portable kernels.")
    if delegate is None and quantization is not None:
        raise ValueError(
            "The portable kernels compute in float32: without XNNPACK int8 would only add conversions. "
            "Give delegate='xnnpack', or quantization=None."
        )
    if quantization == "dynamic_int8" and not per_channel:
        raise ValueError(
            "XNNPACK's kernels for dynamic_int8 take weights with a scale for each channel only, and would leave others to "
            "portable kernels in float32: leave per_channel=True, or take static_int8."
        )


def _lower(model: torch.nn.Module, examples: tuple[torch.Tensor, ...], delegate: str | None) -> Any:
    import executorch.kernels.quantized  # noqa: F401 (for what quantizes and dequantizes outside of the delegate)
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    partitioner = None if delegate is None else [XnnpackPartitioner()]
    return to_edge_transform_and_lower(torch.export.export(model, examples), partitioner=partitioner).to_executorch()


def _quantize(
    model: torch.nn.Module,
    examples: tuple[torch.Tensor, ...],
    dynamic: bool,
    representative: np.ndarray | Iterable[np.ndarray] | None,
    per_channel: bool,
) -> torch.nn.Module:
    """Return the model as a graph with int8 weights, and quantize and dequantize around its operators."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    config = get_symmetric_quantization_config(is_per_channel=per_channel, is_dynamic=dynamic)
    exported = torch.export.export(model, examples).module()
    prepared = prepare_pt2e(exported, XNNPACKQuantizer().set_global(config))
    with torch.no_grad():
        for inputs in [examples] if dynamic else _calibration_inputs(representative, examples):
            prepared(*inputs)
    return convert_pt2e(prepared)


def _calibration_inputs(
    representative: np.ndarray | Iterable[np.ndarray] | None, examples: tuple[torch.Tensor, ...]
) -> list[tuple[torch.Tensor]]:
    import torch

    if len(examples) != 1:
        raise ValueError(
            f"The model has {len(examples)} inputs, and only a model with one can be calibrated here: "
            "give quantization='dynamic_int8', which needs no representative inputs."
        )
    assert representative is not None  # checked with the options
    inputs = [(torch.from_numpy(rows),) for rows in rows_of(representative, tuple(examples[0].shape))]
    if not inputs:
        raise ValueError(
            "representative holds no input: give at least one, better a hundred that cover what will come."
        )
    return inputs
