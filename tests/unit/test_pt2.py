from __future__ import annotations

import io
import json
import logging
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlab.errors import ModelFileError
from pocketlab.runtimes import pt2

PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"


def by_torch(path, *arrays):
    """What PyTorch's own loader computes: our reference, for files that the test itself wrote."""
    with torch.no_grad():
        return torch.export.load(path).module()(*map(torch.from_numpy, arrays))


def save(model, examples, path, **options):
    torch.export.save(torch.export.export(model.eval(), examples, **options), path)
    return path


def rewrite(path, out, change, compression=zipfile.ZIP_STORED):
    """Write the archive to `out` after `change` was done to its entries, {name without the first folder: bytes}."""
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].split("/")[0]
        entries = {name.removeprefix(f"{root}/"): archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(f"{root}/{name}", data)
    return out


def edit_json(entries, name, change):
    content = json.loads(entries[name])
    change(content)
    entries[name] = json.dumps(content).encode()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small file that takes and returns (1, 4)."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU(approximate="tanh"))
    return pt2.export(model, torch.rand(1, 4), tmp_path_factory.mktemp("small") / "small.pt2").path


def test_file_computes_what_torch_computes(network, pt2_path):
    runner = pt2.load(pt2_path)
    np.testing.assert_array_equal(runner(network.inputs[:1]), by_torch(pt2_path, network.inputs[:1]).numpy())
    np.testing.assert_array_equal(runner(network.inputs[:3])[2:], runner(network.inputs[2:3]))
    assert [(info.name, info.shape, info.dtype) for info in runner.inputs] == [("x", (1, 1, 8, 8), "float32")]


def test_inspect_counts_operators_and_every_stored_tensor(network, pt2_path):
    inspection = pt2.inspect(pt2_path)
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in network.model.modules())
    assert inspection.operators["aten.conv2d"] == inspection.operators["aten.batch_norm"] == convolutions
    stored = network.model.state_dict().values()
    assert inspection.parameters == sum(value.numel() for value in stored)
    assert inspection.bytes_by_type["float32"] == sum(4 * value.numel() for value in stored if value.is_floating_point())
    assert inspection.size_bytes == pt2_path.stat().st_size
    assert (inspection.inputs, inspection.outputs) == (pt2.load(pt2_path).inputs, pt2.load(pt2_path).outputs)


def test_several_inputs_and_outputs_are_taken_and_returned_in_order(two_inputs, tmp_path):
    path = pt2.export(two_inputs.model, two_inputs.examples, tmp_path / "two.pt2").path
    runner = pt2.load(path)
    assert [(info.name, info.shape) for info in runner.inputs] == [("image", (1, 4)), ("gain", (1, 3))]
    for got, expected in zip(runner(*two_inputs.inputs), two_inputs.outputs, strict=True):
        # Sums of 4 products and a bias: a few steps of float32 of numbers below 8.
        np.testing.assert_allclose(got, expected, rtol=0, atol=8 * 8 * 2.0**-23)


class Transformer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(20, 8)
        self.layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.register_buffer("mask", torch.triu(torch.full((5, 5), float("-inf")), 1), persistent=False)

    def forward(self, tokens):
        return self.layer(self.embedding(tokens), src_mask=self.mask)


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(4, 5, bidirectional=True, batch_first=True)

    def forward(self, x):
        every, (hidden, _) = self.lstm(x)
        return every, hidden


class Various(torch.nn.Module):
    def forward(self, x):
        first, second = x.chunk(2, 1)
        joined = torch.cat([torch.nn.functional.interpolate(first, scale_factor=2.0, mode="bilinear")] * 2, 1)
        return joined[:, [1, 0]].to(torch.float64), torch.einsum("bchw,bchw->bc", second, second), x.topk(2).indices


class Constants(torch.nn.Module):
    def forward(self, x, factor=2.0, *, options=None):
        return {"scaled": x * factor + torch.tensor([1.0, 2.0]), "half": x.bfloat16() / 3}


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (Transformer(), torch.tensor([[1, 7, 3, 19, 0]])),
        (Recurrent(), torch.rand(1, 3, 4)),
        (Various(), torch.rand(1, 4, 6, 6)),
    ],
)
def test_graphs_of_other_kinds_compute_what_torch_computes(model, example, tmp_path):
    path = pt2.export(model, example, tmp_path / "model.pt2").path
    got, expected = pt2.load(path)(example.numpy()), by_torch(path, example.numpy())
    pairs = zip(got, expected, strict=True) if isinstance(got, tuple) else [(got, expected)]
    for ours, theirs in pairs:
        assert ours.dtype == theirs.numpy().dtype
        # The same kernels on the same numbers; a matrix product may be cut into other pieces for another alignment.
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=100 * 2.0**-23)


def test_fixed_arguments_and_nested_outputs(tmp_path):
    path = save(Constants(), (torch.rand(1, 2), 3.0), tmp_path / "model.pt2")
    x = np.array([[1.0, 2.0]], np.float32)
    scaled, half = pt2.load(path)(x)
    np.testing.assert_array_equal(scaled, [[4.0, 8.0]])
    np.testing.assert_allclose(half, x / 3, rtol=2.0**-8)  # bfloat16 has 8 bits of mantissa; it comes as float32
    assert half.dtype == np.float32


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls.add_(1)
        return x + self.calls


@pytest.mark.parametrize("decomposed", [False, True])
def test_a_buffer_that_the_model_changes_stays_changed(decomposed, tmp_path):
    program = torch.export.export(Counter(), (torch.zeros(1),))
    torch.export.save(program.run_decompositions({}) if decomposed else program, tmp_path / "counter.pt2")
    runner = pt2.load(tmp_path / "counter.pt2")
    assert [float(runner(np.zeros(1, np.float32))[0]) for _ in range(3)] == [1.0, 2.0, 3.0]


def test_a_shared_weight_is_counted_once(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    path = pt2.export(model, torch.rand(1, 4), tmp_path / "shared.pt2").path
    assert pt2.inspect(path).parameters == 16


def test_a_flexible_input_takes_each_size(tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten())
    path = save(model, (torch.rand(2, 1, 8, 8),), tmp_path / "any.pt2", dynamic_shapes=[{0: torch.export.Dim("batch")}])
    runner = pt2.load(path)
    assert runner.inputs[0].shape == (None, 1, 8, 8)
    for rows in (1, 3):
        x = np.random.default_rng(0).random((rows, 1, 8, 8), np.float32)
        with torch.no_grad():
            np.testing.assert_allclose(runner(x), model(torch.from_numpy(x)).numpy(), rtol=0, atol=10 * 2.0**-23)


def test_the_processs_number_of_threads_is_left_as_it_was(small):
    before = torch.get_num_threads()
    runner = pt2.load(small, threads=before + 1)
    runner(np.zeros((1, 4), np.float32))
    assert torch.get_num_threads() == before
    with pytest.raises(ValueError, match=r"loaded for \d thread"):
        pt2.measure(runner, np.zeros((1, 4), np.float32), threads=before)


def test_an_input_of_another_shape_is_refused(small):
    with pytest.raises(ValueError, match=r"takes an input of shape \(1, 4\) and got \(1, 5\)"):
        pt2.load(small)(np.zeros((1, 5), np.float32))


def test_export_refuses_another_suffix_and_leaves_the_model_as_it_was(tmp_path):
    model = torch.nn.BatchNorm1d(4).train()
    pt2.export(model, torch.rand(1, 4), tmp_path / "new" / "model.pt2")
    assert model.training
    with pytest.raises(ValueError, match=r"must end in \.pt2"):
        pt2.export(model, torch.rand(1, 4), tmp_path / "model.pt")


# What an attacker may put into an archive. torch.export.load runs the first of them, which is why it is not used.


class RunsCode:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def pickled(value) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def test_pickled_sample_inputs_run_in_torchs_loader_and_not_in_ours(small, tmp_path):
    def change(entries):
        entries["data/sample_inputs/model.pt"] = pickled(((RunsCode(tmp_path / "ran"),), {}))

    path = rewrite(small, tmp_path / "evil.pt2", change)
    got = pt2.load(path)(np.ones((1, 4), np.float32))
    np.testing.assert_array_equal(got, pt2.load(small)(np.ones((1, 4), np.float32)))
    assert not (tmp_path / "ran").exists()
    logging.disable()
    try:
        torch.export.load(path)
    finally:
        logging.disable(logging.NOTSET)
    assert (tmp_path / "ran").exists()


def test_a_shape_that_is_code_is_not_evaluated(small, tmp_path):
    def change(entries):
        def edit(program):
            code = f"__import__('os').mkdir({str(tmp_path / 'ran')!r})"
            values = program["graph_module"]["graph"]["tensor_values"]
            values["input"]["sizes"][0] = {"as_expr": {"expr_str": code, "hint": {"as_int": 1}}}
            program["guards_code"] = [code]

        edit_json(entries, PROGRAM, edit)

    runner = pt2.load(rewrite(small, tmp_path / "evil.pt2", change))
    runner(np.ones((1, 4), np.float32))
    assert runner.inputs[0].shape == (None, 4)
    assert not (tmp_path / "ran").exists()


def refused(path):
    messages = []
    for verb in (pt2.load, pt2.inspect):
        with pytest.raises(ModelFileError, match=path.name) as raised:
            verb(path)
        messages.append(str(raised.value))
    return messages[0]


def test_pickled_weights_are_refused_unread(small, tmp_path):
    def change(entries):
        entries["data/weights/weight_0"] = pickled(RunsCode(tmp_path / "ran"))
        edit_json(entries, WEIGHTS, lambda content: content["config"]["0.weight"].update(use_pickle=True))

    assert "holds '0.weight' as a pickle" in refused(rewrite(small, tmp_path / "evil.pt2", change))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("prefix", ["opaque_obj_0", "custom_obj_0"])
def test_objects_among_the_constants_are_refused_unread(small, tmp_path, prefix):
    def change(entries):
        entries[f"data/constants/{prefix}"] = pickle.dumps(RunsCode(tmp_path / "ran"))
        meta = {"path_name": prefix, "is_param": False, "use_pickle": True, "tensor_meta": None}
        entries["data/constants/model_constants_config.json"] = json.dumps({"config": {"c": meta}}).encode()

    assert "holds 'c' as a pickle" in refused(rewrite(small, tmp_path / "evil.pt2", change))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.save.default",
        "torch.ops.aten.nothing.default",
        "torch.ops.aten.__init__.__globals__",
        "torch.ops.higher_order.cond",
        "_operator.call",
        "builtins.eval",
        "#extension:x",
    ],
)
def test_operators_that_do_more_than_arithmetic_are_refused(small, tmp_path, target):
    def change(entries):
        edit_json(entries, PROGRAM, lambda program: program["graph_module"]["graph"]["nodes"][0].update(target=target))

    path = rewrite(small, tmp_path / "evil.pt2", change)
    with pytest.raises(ModelFileError, match=r"evil\.pt2 uses the operator .* not run here"):
        pt2.load(path)


def test_other_archives_are_told_apart(small, tmp_path):
    compiled = rewrite(small, tmp_path / "a.pt2", lambda entries: entries.update({"data/aotinductor/model/x.so": b"x"}))
    assert "compiled machine code" in refused(compiled)
    squeezed = rewrite(small, tmp_path / "b.pt2", lambda entries: None, zipfile.ZIP_DEFLATED)
    assert "was compressed after" in refused(squeezed)
    with zipfile.ZipFile(tmp_path / "c.pt2", "w") as archive:
        archive.writestr("version", "8.3")
        archive.writestr("serialized_exported_program.json", "{}")
    assert "PyTorch 2.7 or earlier" in refused(tmp_path / "c.pt2")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "d.pt2")
    assert "not one of torch.export.save" in refused(tmp_path / "d.pt2")
    (tmp_path / "e.pt2").mkdir()
    (tmp_path / "e.pt2" / "file").write_text("x")
    assert "is a folder" in refused(tmp_path / "e.pt2")
    (tmp_path / "model.pt").write_bytes(small.read_bytes())
    assert "not a .pt2 file by its name" in refused(tmp_path / "model.pt")
    assert "is not there" in refused(tmp_path / "none.pt2")


@pytest.mark.parametrize("share", [0, 1, 50, 99])
def test_a_file_that_was_cut_off_is_named(small, tmp_path, share):
    data = small.read_bytes()
    (tmp_path / "cut.pt2").write_bytes(data[: len(data) * share // 100])
    refused(tmp_path / "cut.pt2")


def test_a_flipped_bit_in_a_weight_is_found(small, tmp_path):
    data = bytearray(small.read_bytes())
    weight = zipfile.ZipFile(small).getinfo("small/data/weights/weight_0")
    start = data.index(zipfile.ZipFile(small).read(weight))
    data[start + 5] ^= 4
    (tmp_path / "flipped.pt2").write_bytes(data)
    with pytest.raises(ModelFileError, match=r"flipped\.pt2 is no whole \.pt2 file"):
        pt2.load(tmp_path / "flipped.pt2")


def test_a_weight_that_is_too_short_for_its_shape_is_found(small, tmp_path):
    path = rewrite(small, tmp_path / "short.pt2", lambda entries: entries.update({"data/weights/weight_0": bytes(8)}))
    with pytest.raises(ModelFileError, match=r"weight_0 is too short for shape \(4, 4\)"):
        pt2.load(path)


def places(value, path=()):
    """Every place in a JSON value, as the keys that lead there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


@pytest.mark.parametrize("put", [None, -1, "text", [], {}, 10**30, "delete"])
def test_a_program_with_a_wrong_value_anywhere_is_an_answer_or_one_error(small, tmp_path, put):
    with zipfile.ZipFile(small) as archive:
        program = json.loads(archive.read(f"small/{PROGRAM}"))
    every = [place for place in places(program) if "metadata" not in place and "module_call_graph" not in place]
    refusals = 0
    for place in every[::7]:

        def change(entries, place=place):
            def edit(content):
                for key in place[:-1]:
                    content = content[key]
                if put == "delete":
                    del content[place[-1]]
                else:
                    content[place[-1]] = put

            edit_json(entries, PROGRAM, edit)

        path = rewrite(small, tmp_path / "wrong.pt2", change)
        try:
            runner = pt2.load(path)
            pt2.inspect(path)
            runner(*(np.zeros([size or 1 for size in info.shape], np.float32) for info in runner.inputs))
        except ModelFileError:
            refusals += 1
    assert refusals > 5
