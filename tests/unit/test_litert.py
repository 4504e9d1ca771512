from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import torch
from ai_edge_litert.schema_py_generated import ModelT, TensorType

from pocketlab.compression.quantization import sqnr_db
from pocketlab.errors import ModelFileError
from pocketlab.runtimes import _litert, litert, litert_quantize

FLOAT32_STEP = 2.0**-23


def quantized(path: Path, quantization: str, network, **options) -> Path:
    """Quantize the float file once for each set of options, beside it."""
    out = path.with_name("_".join(["digits", quantization, *map(str, options.values())]) + ".tflite")
    if not out.exists():
        litert.quantize_file(path, out, quantization, representative=network.inputs, **options)
    return out


def weights(path: Path, operator: int) -> list:
    """The second input, the weight, of each operator of that builtin code, as the schema's TensorT."""
    model = ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph = model.subgraphs[0]
    nodes = [node for node in graph.operators if model.operatorCodes[node.opcodeIndex].builtinCode == operator]
    return [graph.tensors[node.inputs[1]] for node in nodes]


CONV_2D, DEPTHWISE_CONV_2D = 3, 4


def test_float_file_computes_what_torch_computes(network, tflite_path):
    got = litert.load(tflite_path)(network.inputs)
    assert got.dtype == np.float32
    # Sums of at most 576 products in another order, in 8 layers: far less than a thousand steps of float32.
    assert np.abs(got - network.logits).max() <= 1000 * FLOAT32_STEP * np.abs(network.logits).max()


def test_a_batch_is_run_row_by_row(network, tflite_path):
    runner = litert.load(tflite_path)
    rows = [runner(row[np.newaxis]) for row in network.inputs[:5]]
    np.testing.assert_array_equal(runner(network.inputs[:5]), np.concatenate(rows))


@pytest.mark.parametrize("shape", [(8, 8), (1, 1, 8, 9), (0, 1, 8, 8), (1, 8, 8, 1)])
def test_an_input_of_another_shape_is_refused(tflite_path, shape):
    with pytest.raises(ValueError, match=r"takes an input of shape \(1, 1, 8, 8\)"):
        litert.load(tflite_path)(np.zeros(shape, np.float32))


def test_inputs_and_outputs_are_described_as_the_file_says(network, tflite_path):
    for path in (tflite_path, quantized(tflite_path, "static_int8", network)):
        runner = litert.load(path)
        assert (runner.inputs, runner.outputs) == (litert.inspect(path).inputs, litert.inspect(path).outputs)
    assert runner.inputs[0].dtype == runner.outputs[0].dtype == "int8"


def test_several_inputs_and_outputs_are_taken_and_returned_in_order(two_inputs, two_inputs_tflite):
    runner = litert.load(two_inputs_tflite)
    assert [info.shape for info in runner.inputs] == [(1, 4), (1, 3)]
    assert [info.shape for info in runner.outputs] == [(1, 3), (1, 1)]
    one = runner(*(rows[:1] for rows in two_inputs.inputs))
    every = runner(*two_inputs.inputs)
    for first, got, expected in zip(one, every, two_inputs.outputs, strict=True):
        # Sums of 4 products and a bias: a few steps of float32 of numbers below 8.
        np.testing.assert_allclose(got, expected, rtol=0, atol=8 * 8 * FLOAT32_STEP)
        np.testing.assert_array_equal(first, got[:1])


def test_every_quantized_input_and_output_has_its_own_scale(two_inputs, two_inputs_tflite, tmp_path):
    path = tmp_path / "two_int8.tflite"
    rows = [{"args_0": image[np.newaxis], "args_1": gain[np.newaxis]} for image, gain in zip(*two_inputs.inputs, strict=True)]
    with _litert.quiet():
        made = litert_quantize._import_quantizer().Quantizer(str(two_inputs_tflite))
        litert_quantize._add_recipe(made, "static_int8", per_channel=True)
        ranges = litert_quantize._calibrate(made, two_inputs_tflite, {"serving_default": rows})
        path.write_bytes(made.quantize(ranges, enable_progress_report=False).quantized_model)
    runner = litert.load(path)
    assert {info.dtype for info in (*runner.inputs, *runner.outputs)} == {"int8"}
    for got, expected in zip(runner(*two_inputs.inputs), two_inputs.outputs, strict=True):
        # Every number passes a handful of roundings to 8 bits; another input's scale would leave no signal at all.
        assert sqnr_db(expected, got) > 20


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(1, 4)], r"takes 2 inputs \(\w+ \(1, 4\), \w+ \(1, 3\)\) and got 1"),
        ([(1, 4), (1, 3), (1, 3)], "and got 3"),
        ([(1, 4), (1, 4)], r"shape \(1, 3\) for '\w+' and got \(1, 4\)"),
        ([(5, 4), (4, 3)], r"same number of rows; the arrays have \[5, 4\]"),
        ([(0, 4), (0, 3)], r"shape \(1, 4\) for '\w+' and got \(0, 4\)"),
    ],
)
def test_inputs_that_do_not_fit_are_named(two_inputs_tflite, shapes, message):
    with pytest.raises(ValueError, match=message):
        litert.load(two_inputs_tflite)(*(np.zeros(shape, np.float32) for shape in shapes))


def test_measure_takes_several_inputs(two_inputs, two_inputs_tflite):
    arrays = [rows[:1] for rows in two_inputs.inputs]
    assert litert.measure(litert.load(two_inputs_tflite), *arrays, seconds=0.01).runs >= 10


@pytest.fixture(scope="module")
def flexible(tmp_path_factory):
    """A convolution, and its file that takes any batch from 2 up (torch.export gives 1 a meaning of its own)."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU()).eval()
    path = tmp_path_factory.mktemp("flexible") / "flexible.tflite"
    batch = {"input": {0: torch.export.Dim("batch", min=2)}}
    with _litert.quiet():
        made = _litert.import_litert_torch().convert(model, (torch.rand(2, 1, 8, 8),), dynamic_shapes=batch)
    made.export(str(path))
    return model, path


@pytest.mark.parametrize("xnnpack", [True, False])
def test_a_flexible_input_takes_each_size_at_once(flexible, xnnpack):
    model, path = flexible
    runner = litert.load(path, xnnpack=xnnpack)
    assert runner.inputs[0].shape == (None, 1, 8, 8)
    for rows in (3, 2, 5):
        x = torch.rand(rows, 1, 8, 8)
        with torch.no_grad():
            # Sums of 9 products and a bias of numbers below 1: a few steps of float32.
            np.testing.assert_allclose(runner(x.numpy()), model(x).numpy(), rtol=0, atol=10 * FLOAT32_STEP)
    with pytest.raises(ValueError, match=r"shape \(any, 1, 8, 8\) and got \(2, 1, 8, 9\)"):
        runner(np.zeros((2, 1, 8, 9), np.float32))


def test_a_size_that_the_file_promises_and_does_not_take_is_one_error(network, tflite_path, tmp_path):
    def any_batch(graph):
        graph.tensors[graph.inputs[0]].shapeSignature = [-1, 1, 8, 8]  # a reshape behind it has the batch of 1 built in

    runner = litert.load(rewrite(tflite_path, tmp_path / "promise.tflite", any_batch))
    with pytest.raises(ModelFileError, match=r"promise\.tflite cannot be run by LiteRT"):
        runner(network.inputs[:3])
    np.testing.assert_array_equal(runner(network.inputs[:1]), litert.load(tflite_path)(network.inputs[:1]))


def test_export_leaves_the_model_as_it_was(network, tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    litert.export(model, torch.from_numpy(network.inputs[:1]), tmp_path / "new" / "small.tflite")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("quantization", "kept", "file_dtype"),
    [("dynamic_int8", "int8", "float32"), ("static_int8", "int8", "int8"), ("float16", "float16", "float32")],
)
def test_quantized_files_are_smaller_and_close(network, tflite_path, quantization, kept, file_dtype):
    path = quantized(tflite_path, quantization, network)
    inspection, float_inspection = litert.inspect(path), litert.inspect(tflite_path)
    size_of = {"int8": 1, "float16": 2}[kept]
    weight_count = sum(p.numel() for p in network.model.parameters() if p.ndim > 1)
    assert inspection.bytes_by_type[kept] == size_of * weight_count
    assert inspection.size_bytes < float_inspection.size_bytes
    assert inspection.inputs[0].dtype == inspection.outputs[0].dtype == file_dtype
    got = litert.load(path)(network.inputs)
    assert got.dtype == np.float32
    # Each of 8 layers adds the noise of 8 bits over a range of 8 standard deviations, 35 dB, twice (weight and
    # activation): 35 - 10 log10(16) = 23 dB. Half as many dB would be another scale somewhere.
    assert sqnr_db(network.logits, got) > 20


def test_per_channel_has_a_scale_for_each_channel_and_per_tensor_one(network, tflite_path):
    for quantization in ("static_int8", "dynamic_int8"):
        for weight in weights(quantized(tflite_path, quantization, network), CONV_2D):
            assert len(weight.quantization.scale) == weight.shape[0]
        for weight in weights(quantized(tflite_path, quantization, network, per_channel=False), CONV_2D):
            assert len(weight.quantization.scale) == 1
    (first, *_) = weights(quantized(tflite_path, "static_int8", network, per_channel=False), DEPTHWISE_CONV_2D)
    assert len(first.quantization.scale) == 1


@pytest.mark.parametrize("xnnpack", [True, False])
def test_dynamic_int8_per_tensor_leaves_depthwise_per_channel_and_works(network, tflite_path, xnnpack):
    path = quantized(tflite_path, "dynamic_int8", network, per_channel=False)
    for weight in weights(path, DEPTHWISE_CONV_2D):
        assert len(weight.quantization.scale) == weight.shape[3]
    assert sqnr_db(network.logits, litert.load(path, xnnpack=xnnpack)(network.inputs)) > 20


def test_int8_weights_are_within_half_a_step(network, tflite_path):
    model = ModelT.InitFromPackedBuf(quantized(tflite_path, "static_int8", network).read_bytes(), 0)
    (dense,) = [t for t in model.subgraphs[0].tensors if t.type == TensorType.INT8 and list(t.shape) == [10, 64]]
    stored = np.frombuffer(model.buffers[dense.buffer].data, np.int8).reshape(10, 64)
    scale = np.asarray(dense.quantization.scale)[:, np.newaxis]
    exact = network.model.classifier.weight.detach().numpy()
    assert np.abs(stored * scale - exact).max() <= 0.5001 * scale.max()  # the share over 0.5: the division in float32
    assert dense.quantization.zeroPoint.tolist() == [0] * 10


def test_the_range_of_the_input_is_from_the_smallest_to_the_largest_representative_value(network, tflite_path):
    images = network.inputs[:7].copy()
    images[3, 0, 0, 0], images[5, 0, 4, 4] = -9.0, 21.0  # in the middle: a moving average would not see them in full
    path = tflite_path.with_name("range.tflite")
    litert.quantize_file(tflite_path, path, "static_int8", representative=images)
    model = ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    quantization = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].quantization
    assert quantization.scale[0] == pytest.approx((21.0 - -9.0) / 255, rel=1e-6)
    assert quantization.zeroPoint[0] == round(-128 - -9.0 / ((21.0 - -9.0) / 255))


def test_representative_may_be_an_array_or_batches(network, tflite_path, tmp_path):
    made = []
    for name, images in (("a", network.inputs[:6]), ("b", [network.inputs[:2], network.inputs[2:6]])):
        litert.quantize_file(tflite_path, tmp_path / f"{name}.tflite", "static_int8", representative=images)
        made.append(litert.load(tmp_path / f"{name}.tflite")(network.inputs))
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantization": "int8"}, "give None or one of"),
        ({"quantization": "static_int8"}, "needs inputs to see them on"),
        ({"quantization": "float16", "per_channel": False}, "is about int8 weights"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_converting(network, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        litert.export(network.model, torch.from_numpy(network.inputs[:1]), tmp_path / "x.tflite", **options)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 8, 8, 1), np.float32), r"shape \(4, 8, 8, 1\)"),
        (np.zeros((0, 1, 8, 8), np.float32), "holds no input"),
        ([], "holds no input"),
    ],
)
def test_a_representative_set_that_does_not_fit_is_refused(tflite_path, tmp_path, images, message):
    with pytest.raises(ValueError, match=message):
        litert.quantize_file(tflite_path, tmp_path / "x.tflite", "static_int8", representative=images)


def test_without_xnnpack_no_operator_is_delegated(tflite_path):
    assert litert.load(tflite_path, xnnpack=False).partitions == ()


def test_xnnpack_takes_the_whole_float_graph(tflite_path):
    runner = litert.load(tflite_path)
    assert runner.partitions == (runner.operators,)
    assert runner.delegated == len(runner.operators)
    assert Counter(runner.operators) == litert.inspect(tflite_path).operators


def test_depthwise_of_dynamic_int8_stays_outside_the_delegate_and_splits_the_graph(network, tflite_path):
    runner = litert.load(quantized(tflite_path, "dynamic_int8", network))
    taken = [name for partition in runner.partitions for name in partition]
    assert "CONV_2D" in taken
    assert "DEPTHWISE_CONV_2D" not in taken
    assert len(runner.partitions) > 1
    assert runner.delegated == len(runner.operators) - runner.operators.count("DEPTHWISE_CONV_2D")


def test_inspect_counts_parameters_of_the_folded_network(network, tflite_path):
    inspection = litert.inspect(tflite_path)
    convolutions = [m for m in network.model.modules() if isinstance(m, torch.nn.Conv2d)]
    # Batch normalization is folded into a weight and a bias of the convolution before it.
    folded = sum(m.weight.numel() + m.out_channels for m in convolutions)
    expected = folded + sum(p.numel() for p in network.model.classifier.parameters())
    assert inspection.bytes_by_type["float32"] == 4 * expected
    assert inspection.parameters == sum(count // 4 for count in inspection.bytes_by_type.values())
    assert inspection.size_bytes == tflite_path.stat().st_size
    assert (inspection.inputs[0].shape, inspection.outputs[0].shape) == ((1, 1, 8, 8), (1, 10))


def test_measure_quotes_percentiles_in_order(network, tflite_path):
    measured = litert.measure(litert.load(tflite_path), network.inputs[:1], seconds=0.05)
    assert measured.runs >= 10
    assert 0 < measured.p50_ms <= measured.p90_ms
    assert measured.threads == 1
    assert measured.peak_memory_mb > 1


def test_measure_refuses_another_number_of_threads(network, tflite_path):
    runner = litert.load(tflite_path, threads=2)
    with pytest.raises(ValueError, match=r"loaded for 2 thread\(s\) and is to be measured with 1"):
        litert.measure(runner, network.inputs[:1])
    assert litert.measure(runner, network.inputs[:1], seconds=0.01, threads=2).threads == 2


def damaged_files(good: bytes) -> dict[str, bytes]:
    foreign = {"png": b"\x89PNG\r\n\x1a\n" + bytes(200), "zip": b"PK\x03\x04" + bytes(200), "short": b"TFL3"}
    cut = {f"cut at {share} %": good[: len(good) * share // 100] for share in (1, 10, 50, 90)}
    return {"empty": b"", **foreign, **cut}


@pytest.mark.parametrize("fault", list(damaged_files(b"")))
def test_a_damaged_file_is_named(tflite_path, tmp_path, fault):
    path = tmp_path / "broken.tflite"
    path.write_bytes(damaged_files(tflite_path.read_bytes())[fault])
    for verb in (
        litert.load,
        litert.inspect,
        lambda p: litert.quantize_file(p, tmp_path / "out.tflite", "dynamic_int8"),
    ):
        # What lies behind the tables may be cut off without harm to them; inspect then still tells what was there.
        if verb is litert.inspect and fault == "cut at 90 %":
            continue
        with pytest.raises(ModelFileError, match=r"broken\.tflite"):
            verb(path)
    assert not (tmp_path / "out.tflite").exists()


def test_a_missing_file_another_suffix_and_a_folder_are_named(tmp_path):
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "folder.tflite" / "something").write_text("x")
    (tmp_path / "model.onnx").write_bytes(b"x")
    for name, fault in (("no.tflite", "not there"), ("model.onnx", "not a .tflite"), ("folder.tflite", "is a folder")):
        for verb in (litert.load, litert.inspect):
            with pytest.raises(ModelFileError, match=fault):
                verb(tmp_path / name)


def rewrite(path: Path, out: Path, change) -> Path:
    """Write `path` to `out` after `change` was done to its first graph."""
    model = ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    change(model.subgraphs[0])
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    out.write_bytes(builder.Output())
    return out


def test_a_name_that_is_no_text_is_one_error_to_load_and_no_hindrance_to_inspect(tflite_path, tmp_path):
    def change(graph):
        graph.tensors[graph.inputs[0]].name = b"\xff\xfe"

    path = rewrite(tflite_path, tmp_path / "name.tflite", change)
    assert litert.inspect(path).inputs[0].name == "\ufffd\ufffd"
    with pytest.raises(ModelFileError, match=r"name\.tflite cannot be read by LiteRT"):
        litert.load(path)


def test_a_fault_that_shows_only_when_the_model_runs_is_the_same_error(network, tflite_path, tmp_path):
    def change(graph):
        graph.tensors[graph.operators[-1].inputs[1]].buffer = 0  # the empty one: a weight without numbers

    path = rewrite(tflite_path, tmp_path / "run.tflite", change)
    with pytest.raises(ModelFileError, match=r"run\.tflite cannot be"):
        litert.load(path, xnnpack=False)(network.inputs[:1])


def test_flipped_bytes_end_in_an_answer_or_in_one_error(tflite_path, tmp_path):
    good = tflite_path.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "flipped.tflite"
    refused = 0
    for _ in range(100):
        data = bytearray(good)
        for position in rng.integers(0, len(data), 20):
            data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            litert.inspect(path)
        except ModelFileError:
            refused += 1
    assert refused > 0


SILENT = """
import sys
import torch
from pocketlab.runtimes import litert, onnx
model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10))
x = torch.rand(150, 1, 8, 8)
litert.export(model, x[:1], sys.argv[1] + "/a.tflite")
litert.quantize_file(sys.argv[1] + "/a.tflite", sys.argv[1] + "/b.tflite", "static_int8", representative=x.numpy())
litert.load(sys.argv[1] + "/b.tflite")(x.numpy())
litert.inspect(sys.argv[1] + "/b.tflite")
onnx.export(model, x[:1], sys.argv[1] + "/c.onnx")
onnx.load(sys.argv[1] + "/c.onnx")(x.numpy())
loaded = {"tensorflow", "keras"} & set(sys.modules)
assert not loaded, loaded
"""


def test_converting_prints_nothing_and_loads_no_tensorflow(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", SILENT, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
