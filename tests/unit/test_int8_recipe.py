"""Our scales and integers are those that ai-edge-quantizer writes into a .tflite file, weight by weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import ModelT

from pocketlab.compression.observers import MinMax
from pocketlab.compression.quantization import affine_params, quantize, weight_scales
from pocketlab.runtimes import litert

CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED = 3, 4, 9
CHANNEL_AXIS = {CONV_2D: 0, DEPTHWISE_CONV_2D: 3, FULLY_CONNECTED: 0}
FLOAT32_STEP = 2.0**-23


def weights(path: Path, dtype: type) -> list[tuple[np.ndarray, object]]:
    """The weight of each convolution and linear layer, output channels first, with the file's quantization of it."""
    model = ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph = model.subgraphs[0]
    found = []
    for node in graph.operators:
        code = model.operatorCodes[node.opcodeIndex].builtinCode
        if code in CHANNEL_AXIS:
            tensor = graph.tensors[node.inputs[1]]
            values = model.buffers[tensor.buffer].data.view(dtype).reshape(tensor.shape)
            found.append((np.moveaxis(values, CHANNEL_AXIS[code], 0), tensor.quantization))
    return found


@pytest.fixture(scope="module")
def int8_path(network, tflite_path, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "int8.tflite"
    return litert.quantize_file(tflite_path, path, "static_int8", representative=network.inputs).path


def test_weight_scales_and_integers_are_those_of_the_file(tflite_path, int8_path):
    pairs = list(zip(weights(tflite_path, np.float32), weights(int8_path, np.int8), strict=True))
    assert len(pairs) == 8  # a convolution, three depthwise-separable blocks and a linear layer
    for (weight, _), (stored, quantization) in pairs:
        scales = weight_scales(weight)
        np.testing.assert_array_equal(scales.astype(np.float32), quantization.scale)
        assert not np.any(quantization.zeroPoint)
        integers = quantize(weight, scales, narrow_range=True)
        # The quantizer divides in float32, which moves a quotient of up to 127 by up to 127 steps: enough to round one that
        # is that close to the middle of two integers to the other one.
        quotient = weight / scales.reshape(-1, *[1] * (weight.ndim - 1))
        in_the_middle = np.abs(quotient - np.floor(quotient) - 0.5) <= 127 * FLOAT32_STEP
        np.testing.assert_array_equal(integers[~in_the_middle], stored[~in_the_middle])
        assert in_the_middle.mean() < 0.01


def test_input_and_output_lie_on_the_grids_of_their_smallest_and_largest_values(network, tflite_path, int8_path):
    runner = litert.load(int8_path)
    logits = litert.load(tflite_path)(network.inputs)
    for values, info in ((network.inputs, runner.inputs[0]), (logits, runner.outputs[0])):
        seen = MinMax()
        seen.observe(values)
        scale, zero_point = affine_params(*seen.range())
        # Calibration runs other kernels than XNNPACK's: the ends may differ by sums in another order, and the file's scale is
        # rounded to float32.
        assert info.quantization == (pytest.approx(scale, rel=1000 * FLOAT32_STEP), zero_point)
