from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from pocketlab.errors import ModelFileError
from pocketlab.runtimes import onnx

FLOAT32_STEP = 2.0**-23


def test_file_computes_what_torch_computes(network, onnx_path):
    got = onnx.load(onnx_path)(network.inputs)
    assert got.shape == network.logits.shape
    # Sums of at most 576 products in another order, in 8 layers: far less than a thousand steps of float32.
    assert np.abs(got - network.logits).max() <= 1000 * FLOAT32_STEP * np.abs(network.logits).max()


def test_one_file_holds_the_weights_too(network, onnx_path):
    assert [path.name for path in onnx_path.parent.iterdir()] == [onnx_path.name]
    assert onnx_path.stat().st_size > 4 * sum(p.numel() for p in network.model.parameters() if p.ndim > 1)


def test_inspect_counts_operators_and_folded_parameters(network, onnx_path):
    inspection = onnx.inspect(onnx_path)
    convolutions = [m for m in network.model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert inspection.operators["Conv"] == len(convolutions)
    assert inspection.operators["Gemm"] == 1
    assert "BatchNormalization" not in inspection.operators
    folded = sum(m.weight.numel() + m.out_channels for m in convolutions)
    least = folded + sum(p.numel() for p in network.model.classifier.parameters())
    # The bounds of ReLU6 are constants too, two numbers for each or shared.
    assert least <= inspection.bytes_by_type["float32"] // 4 <= least + 2 * len(convolutions)
    assert inspection.size_bytes == onnx_path.stat().st_size
    assert (inspection.inputs[0].shape, inspection.inputs[0].dtype) == ((1, 1, 8, 8), "float32")
    assert inspection.outputs[0].shape == (1, 10)


def test_measure_holds_the_runner_to_its_threads(network, onnx_path):
    runner = onnx.load(onnx_path, threads=2)
    with pytest.raises(ValueError, match=r"loaded for 2 thread\(s\)"):
        onnx.measure(runner, network.inputs[:1])
    measured = onnx.measure(runner, network.inputs[:1], seconds=0.02, threads=2)
    assert measured.runs >= 10
    assert 0 < measured.p50_ms <= measured.p90_ms


def test_an_input_of_another_shape_is_refused(onnx_path):
    with pytest.raises(ValueError, match=r"takes an input of shape \(1, 1, 8, 8\) and got \(1, 8, 8, 1\)"):
        onnx.load(onnx_path)(np.zeros((1, 8, 8, 1), np.float32))


def test_several_inputs_and_outputs_are_taken_and_returned_in_order(two_inputs, two_inputs_onnx):
    runner = onnx.load(two_inputs_onnx)
    assert [(info.name, info.shape) for info in runner.inputs] == [("image", (1, 4)), ("gain", (1, 3))]
    assert [info.shape for info in runner.outputs] == [(1, 3), (1, 1)]
    assert (runner.inputs, runner.outputs) == (
        onnx.inspect(two_inputs_onnx).inputs,
        onnx.inspect(two_inputs_onnx).outputs,
    )
    for got, expected in zip(runner(*two_inputs.inputs), two_inputs.outputs, strict=True):
        # Sums of 4 products and a bias: a few steps of float32 of numbers below 8.
        np.testing.assert_allclose(got, expected, rtol=0, atol=8 * 8 * FLOAT32_STEP)


def write(path, nodes, inputs, outputs):
    """Write an .onnx file of these nodes."""
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def test_each_input_gets_its_own_element_type(tmp_path):
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, None])
    scale = helper.make_tensor_value_info("scale", TensorProto.DOUBLE, [])
    scaled = helper.make_tensor_value_info("scaled", TensorProto.DOUBLE, [1, None])
    nodes = [
        helper.make_node("Cast", ["tokens"], ["numbers"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["numbers", "scale"], ["scaled"]),
    ]
    runner = onnx.load(write(tmp_path / "types.onnx", nodes, [tokens, scale], [scaled]))
    assert [(info.shape, info.dtype) for info in runner.inputs] == [((1, None), "int64"), ((), "float64")]
    got = runner(np.array([[1, 2, 3]], np.int32), np.float32(0.5))
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, [[0.5, 1.0, 1.5]])


def test_an_input_that_is_no_tensor_of_numbers_is_refused(tmp_path):
    text = helper.make_tensor_value_info("text", TensorProto.STRING, [1])
    same = helper.make_tensor_value_info("same", TensorProto.STRING, [1])
    path = write(tmp_path / "text.onnx", [helper.make_node("Identity", ["text"], ["same"])], [text], [same])
    with pytest.raises(ModelFileError, match=r"text\.onnx has 'text', a tensor\(string\)"):
        onnx.load(path)


def test_a_fault_that_shows_only_when_the_model_runs_is_the_same_error(tmp_path):
    table = helper.make_node("Constant", [], ["table"], value=helper.make_tensor("t", TensorProto.FLOAT, [2], [1.0, 2.0]))
    index = helper.make_tensor_value_info("index", TensorProto.INT64, [1])
    entry = helper.make_tensor_value_info("entry", TensorProto.FLOAT, [1])
    nodes = [table, helper.make_node("Gather", ["table", "index"], ["entry"])]
    runner = onnx.load(write(tmp_path / "gather.onnx", nodes, [index], [entry]))
    np.testing.assert_array_equal(runner(np.array([1])), [2.0])
    with pytest.raises(ModelFileError, match=r"gather\.onnx cannot be run by ONNX Runtime"):
        runner(np.array([7]))


@pytest.mark.parametrize("fault", ["empty", "foreign", "another format", "cut at 50 %", "cut at 99 %"])
@pytest.mark.parametrize("verb", [onnx.load, onnx.inspect])
def test_a_damaged_file_is_named(onnx_path, tmp_path, fault, verb):
    good = onnx_path.read_bytes()
    contents = {
        "empty": b"",
        "foreign": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "another format": b"hello world, " * 50,
        "cut at 50 %": good[: len(good) // 2],
        "cut at 99 %": good[: len(good) * 99 // 100],
    }
    path = tmp_path / "broken.onnx"
    path.write_bytes(contents[fault])
    with pytest.raises(ModelFileError, match=r"broken\.onnx") as raised:
        verb(path)
    assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize("verb", [onnx.load, onnx.inspect])
def test_a_missing_file_and_another_suffix_are_named(onnx_path, tmp_path, verb):
    with pytest.raises(ModelFileError, match=r"no\.onnx is not there"):
        verb(tmp_path / "no.onnx")
    (tmp_path / "model.bin").write_bytes(onnx_path.read_bytes())
    with pytest.raises(ModelFileError, match=r"model\.bin is not a \.onnx file by its name"):
        verb(tmp_path / "model.bin")


def test_export_refuses_another_suffix(network, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.onnx"):
        onnx.export(network.model, torch.from_numpy(network.inputs[:1]), tmp_path / "model.pb")
