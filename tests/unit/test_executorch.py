from __future__ import annotations

import gc
import math
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from importlib.resources import files
from pathlib import Path

import flatbuffers
import numpy as np
import psutil
import pytest
import torch

from pocketlab.compression.quantization import sqnr_db
from pocketlab.errors import ModelFileError
from pocketlab.runtimes import _executorch_xnnpack, executorch, executorch_file
from pocketlab.runtimes._executorch_flatbuffer import Buffer

FLOAT32_STEP = 2.0**-23
KINDS = {
    "float": {},
    "portable": {"delegate": None},
    "static_int8": {"quantization": "static_int8"},
    "static_int8_per_tensor": {"quantization": "static_int8", "per_channel": False},
    "dynamic_int8": {"quantization": "dynamic_int8"},
}


@pytest.fixture(scope="module")
def pte(network, tmp_path_factory):
    """A function that exports the network in one of the ways above, each once."""
    folder = tmp_path_factory.mktemp("pte")

    def path(kind: str) -> Path:
        out = folder / f"{kind}.pte"
        if not out.exists():
            options = dict(KINDS[kind])
            if options.get("quantization") == "static_int8":
                options["representative"] = network.inputs
            executorch.export(network.model, torch.from_numpy(network.inputs[:1]), out, **options)
        return out

    return path


@pytest.fixture(scope="module")
def two_inputs_pte(two_inputs, tmp_path_factory):
    return executorch.export(two_inputs.model, two_inputs.examples, tmp_path_factory.mktemp("two") / "two.pte").path


class TestAnswers:
    @pytest.mark.parametrize("kind", ["float", "portable"])
    def test_float_files_compute_what_torch_computes(self, network, pte, kind):
        got = executorch.load(pte(kind))(network.inputs)
        assert got.dtype == np.float32
        # Sums of at most 576 products in another order, in 8 layers: far less than a thousand steps of float32.
        assert np.abs(got - network.logits).max() <= 1000 * FLOAT32_STEP * np.abs(network.logits).max()

    @pytest.mark.parametrize("kind", ["static_int8", "static_int8_per_tensor", "dynamic_int8"])
    def test_int8_files_are_smaller_and_close(self, network, pte, kind):
        assert pte(kind).stat().st_size < pte("float").stat().st_size
        got = executorch.load(pte(kind))(network.inputs)
        assert got.dtype == np.float32
        # Each of 8 layers adds the noise of 8 bits over a range of 8 standard deviations, 35 dB, twice (weight and
        # activation): 35 - 10 log10(16) = 23 dB. Half as many dB would be another scale somewhere.
        assert sqnr_db(network.logits, got) > 20

    def test_rows_are_run_one_after_the_other(self, network, pte):
        runner = executorch.load(pte("float"))
        rows = [runner(row[np.newaxis]) for row in network.inputs[:5]]
        np.testing.assert_array_equal(runner(network.inputs[:5]), np.concatenate(rows))

    def test_two_inputs_and_two_outputs(self, two_inputs, two_inputs_pte):
        runner = executorch.load(two_inputs_pte)
        assert [info.shape for info in runner.inputs] == [(1, 4), (1, 3)]
        assert [info.shape for info in runner.outputs] == [(1, 3), (1, 1)]
        got = runner(*two_inputs.inputs)
        for array, expected in zip(got, two_inputs.outputs, strict=True):
            np.testing.assert_allclose(array, expected, rtol=0, atol=10 * FLOAT32_STEP * np.abs(expected).max())

    @pytest.mark.parametrize("shape", [(8, 8), (1, 1, 8, 9), (0, 1, 8, 8), (1, 8, 8, 1)])
    def test_an_input_of_another_shape_is_refused(self, pte, shape):
        with pytest.raises(ValueError, match=r"takes an input of shape \(1, 1, 8, 8\)"):
            executorch.load(pte("float"))(np.zeros(shape, np.float32))

    def test_another_number_of_inputs_is_refused(self, two_inputs, two_inputs_pte):
        with pytest.raises(ValueError, match="takes 2 inputs"):
            executorch.load(two_inputs_pte)(two_inputs.inputs[0])

    def test_operators_outside_the_delegate_run_between_int8_ones(self, tmp_path):
        class Sorted(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 4)

            def forward(self, x):
                return self.second(torch.topk(self.first(x), 8).values.cumsum(1))

        model, x = Sorted().eval(), torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
        path = executorch.export(
            model, x[:1], tmp_path / "sorted.pte", quantization="static_int8", representative=x.numpy()
        ).path
        inspection = executorch.inspect(path)
        assert {"aten::topk.values", "aten::cumsum.out"} <= set(inspection.portable)
        assert len(inspection.partitions) > 1
        with torch.no_grad():
            expected = model(x).numpy()
        # Two layers, each as above: 35 - 10 log10(4) = 29 dB; the sum of 8 rounded values in between takes some.
        assert sqnr_db(expected, executorch.load(path)(x.numpy())) > 20

    def test_measure(self, network, pte):
        measured = executorch.measure(executorch.load(pte("float")), network.inputs[:1], seconds=0.05)
        assert measured.runs >= 10
        assert 0 < measured.p50_ms <= measured.p90_ms
        assert measured.threads == 1

    def test_seconds_are_those_of_the_model_and_not_of_the_way(self, network, pte, monkeypatch):
        runner = executorch.load(pte("float"))
        told = []
        call = runner._process.call
        monkeypatch.setattr(runner._process, "call", lambda *a, **k: told.append(call(*a, **k)) or told[-1])
        seconds = runner.seconds(network.inputs[:3])
        assert seconds == math.fsum(reply.values["seconds"] for reply in told)
        assert len(told) == 3

    @pytest.mark.parametrize("threads", [1, 2])
    def test_threads_are_those_of_the_process(self, network, pte, threads):
        runner = executorch.load(pte("float"), threads=threads)
        assert np.isfinite(runner(network.inputs[:1])).all()
        assert runner._process.call("load", model=-1, **runner._settings).values == {"threads": threads}

    def test_no_threads_are_refused(self, pte):
        with pytest.raises(ValueError, match="threads is 0"):
            executorch.load(pte("float"), threads=0)

    def test_measure_refuses_another_number_of_threads(self, network, pte):
        with pytest.raises(ValueError, match=r"loaded for 1 thread\(s\) and is to be measured with 2"):
            executorch.measure(executorch.load(pte("float")), network.inputs[:1], threads=2)


class TestExport:
    def test_the_model_is_left_as_it_was(self, tmp_path, network):
        model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).train()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        images = network.inputs[:4]
        for options in ({}, {"quantization": "static_int8", "representative": images}):
            file = executorch.export(model, torch.from_numpy(images[:1]), tmp_path / "new" / "small.pte", **options)
            assert file.size_bytes == file.path.stat().st_size
        assert model.training
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["small.pte"]

    def test_a_file_replaced_under_a_runner_leaves_its_answers(self, network, tmp_path):
        path, example = tmp_path / "a.pte", torch.from_numpy(network.inputs[:1])
        executorch.export(torch.nn.Flatten(), example, path)
        runner = executorch.load(path)
        before = runner(network.inputs)
        executorch.export(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten()), example, path)
        np.testing.assert_array_equal(runner(network.inputs), before)
        np.testing.assert_array_equal(executorch.load(path)(network.inputs), np.maximum(before, 0))

    def test_weights_have_a_scale_for_each_channel_or_one(self, pte):
        per_channel, per_tensor = 1, 2  # of the union XNNQuantParams
        for kind, expected in (("static_int8", per_channel), ("static_int8_per_tensor", per_tensor)):
            found = [table.number(1, "<B") for table in quantized_weights(pte(kind))]
            assert len(found) >= 8
            assert set(found) == {expected}

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"quantization": "float16"}, "give None or one of 'dynamic_int8', 'static_int8'"),
            ({"quantization": "static_int8"}, "needs inputs to see them on"),
            ({"per_channel": False}, "is about int8 weights"),
            ({"quantization": "dynamic_int8", "per_channel": False}, "a scale for each channel only"),
            ({"quantization": "dynamic_int8", "delegate": None}, "portable kernels compute in float32"),
            ({"delegate": "coreml"}, "give 'xnnpack', or None"),
            ({"quantization": "static_int8", "representative": np.zeros((4, 8, 8, 1))}, r"shape \(4, 8, 8, 1\)"),
            ({"quantization": "static_int8", "representative": []}, "holds no input"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused(self, network, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            executorch.export(network.model, torch.from_numpy(network.inputs[:1]), tmp_path / "x.pte", **options)
        assert not (tmp_path / "x.pte").exists()

    def test_another_suffix_and_calibration_of_two_inputs_are_refused(self, network, two_inputs, tmp_path):
        with pytest.raises(ValueError, match=r"x\.pt must end in \.pte"):
            executorch.export(network.model, torch.from_numpy(network.inputs[:1]), tmp_path / "x.pt")
        options = {"quantization": "static_int8", "representative": two_inputs.inputs[0]}
        with pytest.raises(ValueError, match="has 2 inputs, and only a model with one can be calibrated"):
            executorch.export(two_inputs.model, two_inputs.examples, tmp_path / "x.pte", **options)


def quantized_weights(path: Path) -> list:
    """The int8 constants of a file's XNNPACK graphs, as tables of the schema's XNNQuantizedTensorValue."""
    data, found = path.read_bytes(), []
    for header in re.finditer(b"XH00", data):
        start = header.start() - 4
        offset, size = (int.from_bytes(data[start + at : start + at + 4], "little") for at in (10, 14))
        for value in Buffer(data[start + offset : start + offset + size]).root().tables(2):
            quantized = value.table(1) if value.number(0, "<B") == 2 else None
            if quantized and (tensor := quantized.table(0)).number(3, "<I") and tensor.number(0, "<h") in (3, 6):
                found.append(quantized)
    return found


class TestInspect:
    def test_xnnpack_takes_all_but_the_mean_and_without_it_nothing_is_delegated(self, network, pte):
        delegated = executorch.inspect(pte("float"))
        convolutions = [m for m in network.model.modules() if isinstance(m, torch.nn.Conv2d)]
        # A mean that drops its axes is not XNNPACK's, so that the graph is cut in two.
        assert delegated.portable == {"aten::mean.out": 1}
        assert [p.backend for p in delegated.partitions] == ["XnnpackBackend"] * 2
        assert delegated.partitions[1].operators == {"FullyConnected": 1}
        counts = Counter(delegated.delegated)
        assert counts["Conv2d"] + counts["DepthwiseConv2d"] == len(convolutions)
        assert delegated.operators == {"XnnpackBackend delegate": 2, "aten::mean.out": 1}
        portable = executorch.inspect(pte("portable"))
        assert (portable.partitions, portable.delegated) == ((), {})
        assert portable.operators == portable.portable
        assert portable.portable["aten::convolution.out"] == len(convolutions)

    def test_parameters_are_those_of_the_folded_network(self, network, pte):
        inspection = executorch.inspect(pte("float"))
        convolutions = [m for m in network.model.modules() if isinstance(m, torch.nn.Conv2d)]
        # Batch normalization is folded into a weight and a bias of the convolution before it.
        folded = sum(m.weight.numel() + m.out_channels for m in convolutions)
        expected = folded + sum(p.numel() for p in network.model.classifier.parameters())
        assert inspection.bytes_by_type["float32"] == 4 * expected
        assert inspection.size_bytes == pte("float").stat().st_size
        assert inspection.inputs[0].shape == (1, 1, 8, 8)
        assert (inspection.outputs[0].shape, inspection.outputs[0].dtype) == ((1, 10), "float32")
        weights = sum(p.numel() for p in network.model.parameters() if p.ndim > 1)
        assert executorch.inspect(pte("static_int8")).bytes_by_type["int8"] == weights

    def test_parameters_of_portable_kernels(self, network, pte):
        inspection = executorch.inspect(pte("portable"))
        values = [*network.model.parameters(), *network.model.buffers()]
        expected = Counter()
        for value in values:
            expected[str(value.dtype).removeprefix("torch.")] += value.numel()
        counters = sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.model.modules())
        assert inspection.bytes_by_type["float32"] == 4 * expected["float32"]
        assert expected["int64"] == counters  # num_batches_tracked, equal numbers that the file keeps once
        assert inspection.bytes_by_type["int64"] == 8
        assert inspection.parameters == expected["float32"] + 1

    @pytest.mark.parametrize("kind", ["float", "portable", "static_int8"])
    def test_it_reads_what_executorch_itself_reads(self, pte, kind):
        from executorch.exir._serialize._program import deserialize_pte_binary
        from executorch.exir.schema import DelegateCall, KernelCall

        (plan,) = deserialize_pte_binary(pte(kind).read_bytes()).program.execution_plan
        calls = [instruction.instr_args for chain in plan.chains for instruction in chain.instructions]
        operators = [plan.operators[call.op_index] for call in calls if isinstance(call, KernelCall)]
        inspection = executorch.inspect(pte(kind))
        assert inspection.method == plan.name == "forward"
        assert inspection.portable == Counter(f"{op.name}.{op.overload}" for op in operators)
        delegates = [plan.delegates[call.delegate_index].id for call in calls if isinstance(call, DelegateCall)]
        assert [partition.backend for partition in inspection.partitions] == delegates
        for infos, indices in ((inspection.inputs, plan.inputs), (inspection.outputs, plan.outputs)):
            tensors = [plan.values[index].val for index in indices]
            assert [info.shape for info in infos] == [tuple(tensor.sizes) for tensor in tensors]
            assert [info.dtype for info in infos] == [tensor.scalar_type.name.lower() + "32" for tensor in tensors]

    def test_the_names_are_those_of_the_schemas_that_are_installed(self):
        schema = files("executorch.backends.xnnpack.serialization").joinpath("schema.fbs").read_text()
        union = re.search(r"union XNodeUnion \{(.*?)\}", schema, re.DOTALL).group(1)
        names = re.findall(r"^\s*XNN(\w+)", union, re.MULTILINE)
        assert list(_executorch_xnnpack.OPERATORS) == names
        enumeration = re.search(r"enum XNNDatatype : short \{(.*?)\}", schema, re.DOTALL).group(1)
        kinds = {int(number): name for name, number in re.findall(r"xnn_datatype_(\w+) = (\d+)", enumeration)}
        assert kinds.keys() - {0} == _executorch_xnnpack._DTYPES.keys()
        for number, dtype in _executorch_xnnpack._DTYPES.items():
            bits = re.search(r"\d+", dtype).group()
            assert kinds[number].endswith(bits)
            assert ("u" in kinds[number]) == (dtype[0] == "u")
        scalars = files("executorch.exir._serialize").joinpath("scalar_type.fbs").read_text()
        listed = {int(number): name for name, number in re.findall(r"^  (\w+) = (\d+),", scalars, re.MULTILINE)}
        assert {listed[number] for number in listed.keys() - executorch_file._DTYPES.keys()} == {
            "QINT8", "QUINT8", "QINT32", "QUINT4X2", "QUINT2X4", "BITS16",
            "FLOAT8E5M2", "FLOAT8E4M3FN", "FLOAT8E5M2FNUZ", "FLOAT8E4M3FNUZ",
        }  # fmt: skip
        for number, (dtype, size) in executorch_file._DTYPES.items():
            assert getattr(torch, dtype).itemsize == size, listed[number]

    def test_nothing_of_torch_or_executorch_is_loaded_to_inspect_load_and_run(self, network, pte, tmp_path):
        np.save(tmp_path / "x.npy", network.inputs[:2])
        code = (
            "import sys, numpy as np; from pocketlab.runtimes import executorch; path, x = sys.argv[1:]\n"
            "executorch.inspect(path); y = executorch.load(path)(np.load(x)); np.save(x, y)\n"
            "assert not {'torch', 'executorch', 'flatbuffers'} & set(sys.modules)"
        )
        run_python(code, str(pte("float")), str(tmp_path / "x.npy"))
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), executorch.load(pte("float"))(network.inputs[:2]))


class TestProcess:
    def test_runners_share_a_process_and_load_again_in_the_next_one(self, network, pte):
        runners = [executorch.load(pte(kind)) for kind in ("float", "portable")]
        before = [runner(network.inputs[:1]) for runner in runners]
        child = runners[0]._process._child
        assert runners[1]._process._child is child
        process = psutil.Process(child.pid)
        process.kill()
        process.wait()
        for runner, expected in zip(runners, before, strict=True):
            np.testing.assert_array_equal(runner(network.inputs[:1]), expected)

    def test_a_death_is_told_with_the_file_and_the_next_call_works(self, network, pte):
        runner = executorch.load(pte("float"))
        expected = runner(network.inputs[:1])
        pid = runner._process._child.pid
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.3, os.kill, (pid, signal.SIGSEGV)).start()
        threading.Timer(0.4, os.kill, (pid, signal.SIGCONT)).start()
        with pytest.raises(ModelFileError, match=r"float\.pte cannot be run: ExecuTorch's process ended with signal SIGSEGV"):
            runner(network.inputs[:1])
        np.testing.assert_array_equal(runner(network.inputs[:1]), expected)

    def test_a_process_that_hangs_is_ended(self, network, pte, monkeypatch):
        runner = executorch.load(pte("float"))
        monkeypatch.setattr(executorch, "LIMIT_S", 0.3)
        os.kill(runner._process._child.pid, signal.SIGSTOP)
        with pytest.raises(ModelFileError, match=r"float\.pte cannot be run: .* gave no answer in 0\.3 s and was ended"):
            runner(network.inputs[:1])

    def test_a_runner_that_is_garbage_is_forgotten_in_the_process(self, network, pte):
        kept, dropped = executorch.load(pte("float")), executorch.load(pte("float"))
        model, process = dropped._model, dropped._process
        assert process.call("run", network.inputs[:1], model=model).values["loaded"]
        del dropped
        gc.collect()
        kept(network.inputs[:1])
        assert process.call("run", network.inputs[:1], model=model).values == {"loaded": False}


def damaged_files(good: bytes) -> dict[str, bytes]:
    foreign = {"png": b"\x89PNG\r\n\x1a\n" + bytes(200), "zip": b"PK\x03\x04" + bytes(200), "short": b"\0\0\0\0ET12"}
    cut = {f"cut at {share} %": good[: len(good) * share // 100] for share in (1, 10, 50, 90)}
    largest = {f"header at {at} largest": good[:at] + b"\xff" * 8 + good[at + 8 :] for at in (0, 16, 24, 32)}
    return {"empty": b"", "identifier": good[:4] + b"ET99" + good[8:], **foreign, **cut, **largest}


class TestDamage:
    @pytest.mark.parametrize("fault", list(damaged_files(b"")))
    def test_a_damaged_file_is_named(self, pte, tmp_path, fault):
        path = tmp_path / "broken.pte"
        path.write_bytes(damaged_files(pte("float").read_bytes())[fault])
        for verb in (executorch.load, executorch.inspect):
            with pytest.raises(ModelFileError, match=r"broken\.pte"):
                verb(path)

    def test_a_missing_file_another_suffix_and_a_folder_are_named(self, tmp_path):
        (tmp_path / "folder.pte").mkdir()
        (tmp_path / "folder.pte" / "something").write_text("x")
        (tmp_path / "model.onnx").write_bytes(b"x")
        for name, fault in (("no.pte", "not there"), ("model.onnx", "not a .pte"), ("folder.pte", "is a folder")):
            for verb in (executorch.load, executorch.inspect):
                with pytest.raises(ModelFileError, match=fault):
                    verb(tmp_path / name)

    def test_a_kernel_that_executorch_lacks_is_named(self, pte, tmp_path):
        path = tmp_path / "operator.pte"
        path.write_bytes(pte("portable").read_bytes().replace(b"aten::hardtanh", b"aten::hardhorn"))
        assert "aten::hardhorn.out" in executorch.inspect(path).portable
        with pytest.raises(ModelFileError, match=r"operator\.pte calls aten::hardhorn\.out, for which ExecuTorch has no kernel"):
            executorch.load(path)

    def test_an_operator_without_a_kernel_is_named(self, tmp_path):
        class Sorted(torch.nn.Module):
            def forward(self, x):
                return torch.sort(x).values

        path = executorch.export(Sorted(), torch.rand(1, 4), tmp_path / "sorted.pte").path
        with pytest.raises(ModelFileError, match=r"sorted\.pte calls aten::sort\.values, for which"):
            executorch.load(path)

    def test_what_only_executorch_notices_is_named(self, pte, tmp_path):
        path = tmp_path / "partition.pte"
        data = bytearray(pte("float").read_bytes())
        start = data.index(b"XN01")  # of the graph that XNNPACK gets; this library reads it without its identifier
        data[start : start + 4] = b"XN99"
        path.write_bytes(data)
        executorch.inspect(path)
        with pytest.raises(ModelFileError, match=r"partition\.pte cannot be loaded by ExecuTorch"):
            executorch.load(path)

    def test_lists_inside_lists_that_share_their_bytes_end_soon(self, tmp_path):
        """30,000 methods that are one, with 30,000 values that are one: a billion to read in a file of 240 kB."""
        count = 30_000
        builder = flatbuffers.Builder(1 << 20)

        def vector(offset: int) -> int:
            builder.StartVector(4, count, 4)
            for _ in range(count):
                builder.PrependUOffsetTRelative(offset)
            return builder.EndVector()

        def table(fields: int, field: int = 0, offset: int = 0) -> int:
            builder.StartObject(fields)
            builder.PrependUOffsetTRelativeSlot(field, offset, 0)
            return builder.EndObject()

        builder.Finish(table(2, 1, vector(table(3, 2, vector(table(2))))), file_identifier=b"ET12")
        body = bytes(builder.Output())
        header = b"eh00" + (32).to_bytes(4, "little")
        for number in (len(body) + 32, 0, 0):
            header += number.to_bytes(8, "little")
        path = tmp_path / "wide.pte"
        path.write_bytes((int.from_bytes(body[:4], "little") + 32).to_bytes(4, "little") + body[4:8] + header + body[8:])
        with pytest.raises(ModelFileError, match="longer than the file"):
            executorch.inspect(path)

    def test_flipped_bytes_end_in_an_answer_or_in_one_error(self, network, pte, tmp_path):
        rng = np.random.default_rng(0)
        path = tmp_path / "flipped.pte"
        outcomes = Counter()
        for number in range(60):
            data = bytearray(pte(("float", "portable", "static_int8")[number % 3]).read_bytes())
            end = len(data) if number % 2 else 6000  # half of the damage among the tables
            for position in rng.integers(0, end, 3):
                data[position] = rng.integers(256)
            path.write_bytes(data)
            try:
                executorch.inspect(path)
                runner = executorch.load(path)
                runner(np.zeros([size or 1 for size in runner.inputs[0].shape], np.float32))
                outcomes["answered"] += 1
            except ModelFileError as error:
                outcomes["refused" if "flipped.pte" in str(error) else "file not named"] += 1
        assert outcomes.keys() == {"answered", "refused"}


SILENT = """
import sys
import torch
from pocketlab.runtimes import executorch
model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10))
x = torch.rand(20, 1, 8, 8)
for number, options in enumerate((
    {}, {"delegate": None}, {"quantization": "dynamic_int8"}, {"quantization": "static_int8", "representative": x.numpy()}
)):
    path = f"{sys.argv[1]}/{number}.pte"
    executorch.export(model, x[:1], path, **options)
    executorch.inspect(path)
    executorch.load(path)(x.numpy())
loaded = {"tensorflow", "keras", "transformers", "coremltools"} & set(sys.modules)
assert not loaded, loaded
"""


def run_python(code: str, *arguments: str) -> None:
    """Run code in a process of its own and assert that it ends well and says nothing."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_the_four_verbs_print_nothing_and_load_no_tensorflow(tmp_path):
    run_python(SILENT, str(tmp_path))
