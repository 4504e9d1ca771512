from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import termios

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from pocketlab.course import cli
from pocketlab.errors import PocketlabError, UnavailableError
from pocketlab.runtimes import comparison, litert, model_files, onnx, pt2
from pocketlab.runtimes.base import TensorInfo
from pocketlab.runtimes.comparison import compare_files
from pocketlab.runtimes.differences import compare_outputs, output_difference
from pocketlab.runtimes.same_inputs import pair, random_inputs, read_inputs

QUICK = 0.01  # seconds for each file


@pytest.fixture(scope="module")
def int8_path(network, tflite_path):
    path = tflite_path.with_name("digits_int8.tflite")
    litert.quantize_file(tflite_path, path, "static_int8", representative=network.inputs)
    return path


@pytest.fixture
def inputs_path(network, tmp_path):
    np.savez(tmp_path / "digits.npz", x=network.inputs)
    return tmp_path / "digits.npz"


def by_label(found):
    return {each.label: each for each in found.files}


def test_differences_are_those_of_the_runtimes_called_by_hand(
    network, pt2_path, onnx_path, tflite_path, int8_path, inputs_path
):
    found = compare_files([pt2_path, onnx_path, tflite_path, int8_path], inputs=inputs_path, seconds=QUICK)
    assert found.reference == "digits.pt2"
    assert found.files[0].differences == ()
    a = pt2.load(pt2_path)(network.inputs).astype(np.float64)
    runners = (onnx.load(onnx_path), litert.load(tflite_path), litert.load(int8_path))
    for report, runner in zip(found.files[1:], runners, strict=True):
        b = runner(network.inputs)
        (difference,) = report.differences
        assert difference.largest == pytest.approx(np.abs(a - b).max())
        assert difference.relative == pytest.approx(np.abs(a - b).max() / np.abs(a).max())
        assert difference.sqnr_db == pytest.approx(10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()))
        assert report.same_class == ((a.argmax(1) == b.argmax(1)).sum(), 64)
        assert report.fault is None
    assert found.files[1].differences[0].largest < 1e-3 < found.files[3].differences[0].largest


def test_sizes_operators_parameters_and_latency_are_reported(pt2_path, onnx_path, tflite_path):
    found = compare_files([pt2_path, onnx_path, tflite_path], seconds=QUICK)
    for report, runtime in zip(found.files, (pt2, onnx, litert), strict=True):
        assert report.inspection == runtime.inspect(report.path)
        assert report.operators == sum(report.inspection.operators.values())
        assert 0 < report.latency.p50_ms <= report.latency.p90_ms
        assert report.latency.runs >= 4
    assert [(info.name, info.shape, info.dtype) for info in found.call] == [("x", (1, 1, 8, 8), "float32")]


def test_more_rows_than_a_call_takes_are_compared_and_the_first_is_timed(onnx_path, tflite_path, inputs_path):
    found = compare_files([onnx_path, tflite_path], inputs=inputs_path, seconds=QUICK)
    assert found.inputs == "x (64, 1, 8, 8), from digits.npz"
    assert found.call[0].shape == (1, 1, 8, 8)
    assert found.files[1].same_class[1] == 64


def test_random_inputs_are_the_same_each_time_and_in_the_range_of_the_quantized_file(tflite_path, int8_path):
    first, second = (compare_files([tflite_path, int8_path], seconds=QUICK) for _ in range(2))
    assert first.files[1].differences == second.files[1].differences
    scale, zero_point = litert.load(int8_path).inputs[0].quantization
    low, high = scale * (-128 - zero_point), scale * (127 - zero_point)
    assert f"numbers from {low:.3g} to {high:.3g}, the range of the quantized input" in first.inputs
    assert not any("cut off" in note for note in first.files[1].notes)


def test_numbers_outside_of_a_quantized_input_are_told(tflite_path, int8_path, tmp_path):
    x = np.zeros((1, 1, 8, 8), np.float32)
    x[0, 0, :2] = 1000.0
    np.save(tmp_path / "wide.npy", x)
    found = compare_files([tflite_path, int8_path], inputs=tmp_path / "wide.npy", seconds=QUICK)
    assert any("25 % of the numbers were cut off" in note for note in found.files[1].notes)


def test_two_inputs_and_two_outputs(two_inputs, two_inputs_tflite, two_inputs_onnx, tmp_path):
    np.savez(tmp_path / "two.npz", gain=two_inputs.inputs[1], image=two_inputs.inputs[0])
    found = compare_files([two_inputs_onnx, two_inputs_tflite], inputs=tmp_path / "two.npz", seconds=QUICK)
    a, b = onnx.load(two_inputs_onnx)(*two_inputs.inputs), litert.load(two_inputs_tflite)(*two_inputs.inputs)
    expected = [float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True)]
    assert [each.largest for each in found.files[1].differences] == pytest.approx(expected, abs=0)
    assert max(expected) < 1e-5
    worst = max(found.files[1].differences, key=lambda each: each.relative)
    assert found.files[1].worst == worst


def test_inputs_go_by_name_where_all_names_agree_and_else_by_position():
    image, mask = TensorInfo("image", (1, 4), "float32"), TensorInfo("mask", (1, 4), "float32")
    swapped = [TensorInfo("serving_default_mask:0", (1, 4), "float32"), TensorInfo("image", (1, 4), "float32")]
    assert pair([image, mask], swapped) == [1, 0]
    assert pair([image, mask], [TensorInfo("args_0", (1, 4), "float32"), mask]) == [0, 1]
    with pytest.raises(ValueError, match="takes 1 input where the first file takes 2"):
        pair([image, mask], [image])


def write_onnx(path, nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture
def layouts(tmp_path):
    """The same scaling of each channel, for an image with its channels first and with them last."""
    scale = [1.0, 10.0, 100.0]
    first = write_onnx(
        tmp_path / "first.onnx",
        [helper.make_node("Mul", ["x", "scale"], ["y"])],
        [value("x", [1, 3, 4, 5])],
        [value("y", [1, 3, 4, 5])],
        [helper.make_tensor("scale", TensorProto.FLOAT, [3, 1, 1], scale)],
    )
    last = write_onnx(
        tmp_path / "last.onnx",
        [helper.make_node("Mul", ["x", "scale"], ["y"])],
        [value("x", [1, 4, 5, 3])],
        [value("y", [1, 4, 5, 3])],
        [helper.make_tensor("scale", TensorProto.FLOAT, [3], scale)],
    )
    return first, last


@pytest.mark.parametrize("order", [1, -1])
def test_channels_first_and_last_are_the_same_numbers(layouts, order):
    found = compare_files(layouts[::order], seconds=QUICK)
    (difference,) = found.files[1].differences
    assert difference.largest == 0.0
    assert difference.sqnr_db == np.inf
    assert any("the channels of" in note and "were moved" in note for note in found.files[1].notes)


def test_an_image_of_a_flexible_size_takes_that_of_the_other_file(layouts, tmp_path):
    anything = write_onnx(
        tmp_path / "any.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        [value("x", [None, 3, None, None])],
        [value("y", [None, 3, None, None])],
    )
    assert compare_files([anything, layouts[0]], seconds=QUICK).call[0].shape == (1, 3, 4, 5)
    assert compare_files([anything], seconds=QUICK).call[0].shape == (1, 3, 64, 64)


def test_integers_are_small_and_not_negative(tmp_path):
    tokens = value("tokens", [1, None], TensorProto.INT64)
    path = write_onnx(
        tmp_path / "tokens.onnx",
        [helper.make_node("Identity", ["tokens"], ["same"])],
        [tokens],
        [value("same", [1, None], TensorProto.INT64)],
    )
    found = compare_files([path], seconds=QUICK)
    assert "tokens (1, 8) integers from 0 to 9" in found.inputs
    ((array,), _) = random_inputs(onnx.load(path).inputs, [])
    assert array.dtype == np.int64
    assert 0 <= array.min() <= array.max() <= 9


def test_integers_and_real_numbers_do_not_mean_the_same(tmp_path):
    real = write_onnx(
        tmp_path / "real.onnx", [helper.make_node("Relu", ["x"], ["y"])], [value("x", [1, 4])], [value("y", [1, 4])]
    )
    whole = write_onnx(
        tmp_path / "whole.onnx",
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
        [value("x", [1, 4], TensorProto.UINT8)],
        [value("y", [1, 4])],
    )
    report = compare_files([real, whole], seconds=QUICK).files[1]
    assert report.differences == ()
    assert report.latency is not None
    assert "takes integers (uint8)" in report.notes[0]
    assert "not compared with real.onnx" in report.notes[0]


def test_another_shape_is_told_beside_that_of_the_first_file(tflite_path, two_inputs_onnx, tmp_path):
    wide = write_onnx(
        tmp_path / "wide.onnx", [helper.make_node("Relu", ["x"], ["y"])], [value("x", [1, 64])], [value("y", [1, 64])]
    )
    found = by_label(compare_files([tflite_path, wide, two_inputs_onnx], seconds=QUICK))
    assert found["wide.onnx"].fault == "wide.onnx takes (1, 64) where digits.tflite takes (1, 1, 8, 8)."
    assert found["two.onnx"].fault == "two.onnx takes 2 inputs where the first file takes 1."
    assert found["wide.onnx"].operators == 1
    assert found["digits.tflite"].fault is None


def test_outputs_of_another_shape_or_number_are_not_compared():
    a, b = np.zeros((1, 3)), np.zeros((1, 4))
    found = compare_outputs(["y"], [a], [b, b], None, "a.onnx")
    assert found.differences == ()
    assert "the number of outputs is 2 here and 1 in a.onnx" in found.notes[0]
    assert found.notes[1] == "returns (1, 4) where a.onnx returns (1, 3): not compared"
    assert compare_outputs(["y"], [a], [np.zeros(3)], None, "a.onnx").differences[0].largest == 0.0


@pytest.mark.parametrize(
    ("a", "b", "largest"),
    [
        ([1.0, np.nan], [1.5, np.nan], 0.5),
        ([1.0, -np.inf], [1.0, -np.inf], 0.0),
        ([1.0, 2.0], [1.0, np.nan], np.inf),
        ([1.0, np.inf], [1.0, -np.inf], np.inf),
    ],
)
def test_what_is_not_finite_is_equal_only_to_itself(a, b, largest):
    assert output_difference("y", np.array([a]), np.array([b])).largest == largest


def test_a_reference_of_zeros_has_no_relative_difference():
    found = output_difference("y", np.zeros((1, 2)), np.ones((1, 2)))
    assert (found.largest, found.relative, found.sqnr_db) == (1.0, None, None)


def test_one_bad_file_spoils_no_other(onnx_path, tflite_path, tmp_path):
    (tmp_path / "bad.tflite").write_bytes(tflite_path.read_bytes()[:1000])
    (tmp_path / "empty.pt2").write_bytes(b"")
    paths = [tmp_path / "bad.tflite", onnx_path, tmp_path / "empty.pt2", tflite_path, tmp_path / "no.onnx"]
    found = compare_files(paths, seconds=QUICK)
    assert found.reference == "digits.onnx"
    reports = by_label(found)
    assert "bad.tflite" in reports["bad.tflite"].fault
    assert "empty.pt2 is empty" in reports["empty.pt2"].fault
    assert "is not there" in reports["no.onnx"].fault
    assert reports["digits.tflite"].differences[0].largest < 1e-3
    assert [each.latency is None for each in found.files] == [True, False, True, False, True]


def test_a_model_that_fails_when_it_runs_is_not_the_reference(onnx_path, tmp_path):
    table = helper.make_tensor("table", TensorProto.FLOAT, [1], [1.0])
    failing = write_onnx(
        tmp_path / "failing.onnx",
        [
            helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
            helper.make_node("Add", ["i", "far"], ["j"]),
            helper.make_node("Gather", ["table", "j"], ["y"]),
        ],
        [value("x", [1, 1, 8, 8]), value("far", [1], TensorProto.INT64)],
        [value("y", [1, 1, 8, 8])],
        [table],
    )
    found = compare_files([failing, onnx_path], seconds=QUICK)
    assert found.reference == "digits.onnx"
    assert "failing.onnx cannot be run by ONNX Runtime" in found.files[0].fault


def test_files_of_one_name_are_told_apart(tmp_path, onnx_path):
    for folder in ("a/one", "b/one"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(onnx_path, tmp_path / folder / "m.onnx")
    first, second = tmp_path / "a/one/m.onnx", tmp_path / "b/one/m.onnx"
    assert comparison.labels([first, second, onnx_path]) == ["a/one/m.onnx", "b/one/m.onnx", "digits.onnx"]
    assert comparison.labels([first, first]) == ["m.onnx", "m.onnx (2)"]


def test_progress_counts_to_its_end(onnx_path, tmp_path):
    told = []
    compare_files([onnx_path, tmp_path / "no.onnx"], seconds=QUICK, progress=lambda *step: told.append(step))
    done = [step for step, _, _ in told]
    assert done == sorted(done)
    assert {total for _, total, _ in told} == {done[-1]}
    assert {what for _, _, what in told} >= {"load digits.onnx", "run digits.onnx", "time digits.onnx"}


def test_the_least_disturbed_round_is_quoted():
    quoted = comparison._latency([[0.003] * 4, [0.001, 0.001, 0.001, 0.004], [0.002] * 4])
    assert quoted.p50_ms == pytest.approx(1.0)
    assert quoted.runs == 4


def test_no_file_is_refused():
    with pytest.raises(ValueError, match="at least one model file"):
        compare_files([])


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: path.with_suffix(".txt"), "is not .npy or .npz"),
        (lambda path: path, "is not there"),
        (lambda path: (path.write_bytes(b"PK\x03\x04 no zip"), path)[1], "holds no arrays of numbers"),
        (lambda path: (np.savez(path, x=np.array([{}], dtype=object)), path)[1], "holds no arrays of numbers"),
        (lambda path: (np.savez(path, x=np.array(["text"])), path)[1], "has to hold arrays of numbers"),
        (lambda path: (np.savez(path), path)[1], "has to hold arrays of numbers"),
    ],
)
def test_inputs_that_cannot_be_read_are_named(tmp_path, write, reason):
    with pytest.raises(PocketlabError, match=reason):
        read_inputs(write(tmp_path / "inputs.npz"))


def test_inputs_that_do_not_fit_are_told_with_what_is_wanted(onnx_path, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((1, 8, 9)))
    with pytest.raises(PocketlabError, match=r"hold x \(1, 8, 9\), and digits.onnx takes \(1, 1, 8, 8\), or rows of it"):
        compare_files([onnx_path], inputs=tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.zeros((1, 1, 8, 8)), y=np.zeros(1))
    with pytest.raises(PocketlabError, match=r"takes 1 input \(x \(1, 1, 8, 8\)\), and 2 were given"):
        compare_files([onnx_path], inputs=tmp_path / "b.npz")


def test_a_missing_runtime_is_named(onnx_path, monkeypatch):
    def absent(path, **_):
        raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")

    monkeypatch.setattr(onnx, "load", absent)
    with pytest.raises(UnavailableError, match="needs ONNX Runtime, whose package onnxruntime is not installed here"):
        model_files.load(onnx_path, threads=1)
    assert "pocketlab doctor" in compare_files([onnx_path]).files[0].fault


# The command.


@pytest.fixture
def folder(onnx_path, tflite_path, int8_path, tmp_path, monkeypatch):
    """A folder with three files, which is the current one."""
    for path in (onnx_path, tflite_path, int8_path):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def compare(*arguments):
    return cli.main(["compare", *arguments, "--seconds", str(QUICK)])


def test_the_table_fits_into_80_columns_and_says_what_it_needs_to(folder, capsys):
    assert compare("digits.onnx", "digits.tflite", "digits_int8.tflite") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "3 model files, compared with digits.onnx"
    assert lines[1].split("  ")[0] == "file"
    assert re.split(" {2,}", lines[1]) == ["file", "kB", "ops", "params", "p50 ms", "p90 ms", "max diff", "SQNR dB", "class"]
    rows = {line.split()[0]: line.split() for line in lines[3:6]}
    size = (folder / "digits.tflite").stat().st_size / 1e3
    inspection = litert.inspect("digits.tflite")
    assert float(rows["digits.tflite"][1]) == pytest.approx(size, rel=5e-3)
    assert rows["digits.tflite"][2:4] == [str(sum(inspection.operators.values())), f"{inspection.parameters:,}"]
    assert rows["digits.onnx"][-3:] == ["–", "–", "–"]
    assert "Inputs: random, seed 0: x (1, 1, 8, 8)" in printed.out
    assert "  digits.onnx: 7 Conv, 7 Clip" in printed.out


def test_a_wider_terminal_shows_the_relative_difference(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert compare("digits.onnx", "digits_int8.tflite") == 0
    assert "relative" in capsys.readouterr().out.splitlines()[1]


def test_long_names_are_shortened_to_fit(folder, capsys):
    long = "a_network_with_a_name_that_says_everything_about_how_it_was_made_int8.tflite"
    shutil.copy("digits_int8.tflite", long)
    assert compare("digits.onnx", long) == 0
    lines = capsys.readouterr().out.splitlines()[:5]
    assert max(map(len, lines)) <= 80
    assert "…" in lines[4]
    assert "_int8.tflite" in lines[4].split()[0]


def test_one_file_alone_has_no_differences(folder, capsys):
    assert compare("digits.tflite") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("1 model file\n")
    assert "max diff" not in printed


def test_json_has_the_documented_keys(folder, inputs_path, capsys):
    assert compare("digits.onnx", "digits_int8.tflite", "no.pte", "--json", "--inputs", str(inputs_path)) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    found = json.loads(printed.out)
    assert set(found) == {"reference", "inputs", "call", "threads", "seconds", "rounds", "files"}
    assert found["call"] == [{"name": "x", "shape": [1, 1, 8, 8], "dtype": "float32"}]
    keys = {"file", "path", "format", "fault", "size_bytes", "operators", "parameters", "latency_ms", "difference", "notes"}
    reference, int8, missing = found["files"]
    assert set(reference) == set(int8) == set(missing) == keys
    assert (reference["difference"], missing["format"], missing["latency_ms"]) == (None, None, None)
    assert reference["fault"] is None
    assert "no.pte is not there" in missing["fault"]
    assert int8["operators"]["total"] == sum(int8["operators"]["by_name"].values())
    assert set(int8["latency_ms"]) == {"p50", "p90", "runs"}
    difference = int8["difference"]
    assert set(difference) == {"output", "largest", "relative", "sqnr_db", "same_class", "outputs"}
    assert difference["same_class"]["rows"] == 64
    assert difference["largest"] == difference["outputs"][0]["largest"] > 0


def test_equal_files_are_valid_json(folder, capsys):
    shutil.copy("digits.onnx", "copy.onnx")
    assert compare("digits.onnx", "copy.onnx", "--json") == 0
    difference = json.loads(capsys.readouterr().out)["files"][1]["difference"]
    assert (difference["largest"], difference["relative"], difference["sqnr_db"]) == (0.0, 0.0, None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("digts.onnx", "digts.onnx is not there. Did you mean digits.onnx"),
        ("digits.pt2", "Did you mean digits.tflite or digits.onnx?"),
        ("xyz.onnx", "xyz.onnx is not there. In that folder: digits.onnx, digits.tflite, digits_int8.tflite."),
        ("nowhere/a.onnx", "The folder nowhere is not there either."),
        ("notes.txt", "is of no known format. Known are .tflite, .onnx, .pt2, .mlpackage, .pte."),
        ("model.pt", "torch.export.save(torch.export.export(model.eval(), (example,)), "),
        ("model.pth", "torch.export.save"),
        ("weights.safetensors", "weights without a model"),
        ("model.keras", "TFLiteConverter"),
        ("models", "models is a folder: give the model files in it. In that folder: inside.onnx."),
    ],
)
def test_a_path_that_no_runtime_takes_is_told_with_what_to_try(folder, capsys, name, reason):
    for file in ("notes.txt", "model.pt", "model.pth", "weights.safetensors", "model.keras"):
        (folder / file).write_text("x")
    (folder / "models").mkdir()
    (folder / "models" / "inside.onnx").write_text("x")
    assert compare(name) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert reason in printed.err
    assert printed.err.count("\n") == 1


def test_a_bad_file_among_good_ones_is_told_under_the_table(folder, capsys):
    (folder / "bad.tflite").write_bytes(b"no model")
    assert compare("digits.onnx", "bad.tflite") == 1
    printed = capsys.readouterr().out
    assert re.search(r"^bad\.tflite( +–){7}", printed, re.MULTILINE)
    assert "Errors\n  bad.tflite is no .tflite file" in printed


@pytest.mark.parametrize("option", [["--threads", "0"], ["--seconds", "-1"], ["--seconds", "inf"], ["--threads", "x"]])
def test_numbers_that_are_not_positive_are_refused(folder, capsys, option):
    with pytest.raises(SystemExit):
        cli.main(["compare", "digits.onnx", *option])
    assert "invalid positive number value" in capsys.readouterr().err


def test_a_terminal_gets_a_progress_bar_that_is_gone_at_the_end(folder):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-m", "pocketlab.course.cli", "compare", "digits.onnx", "--seconds", str(QUICK)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 1024):
            written += chunk
    except OSError:  # Linux's way to say that the other end was closed
        pass
    os.close(ours)
    printed, _ = child.communicate()
    assert child.returncode == 0
    assert b"load digits.onnx" in written
    assert b"time digits.onnx" in written
    assert re.sub(rb"[\r\n]", b"", written).endswith(b" ")  # the bar was overwritten with blanks
    assert printed.startswith(b"1 model file")


# Other runtimes.


def test_a_core_ml_package_is_compared_and_an_image_input_is_not(network, onnx_path, tmp_path):
    from pocketlab.runtimes import coreml

    example = torch.from_numpy(network.inputs[:1])
    plain = coreml.export(network.model, example, tmp_path / "plain.mlpackage").path
    image = coreml.ImageInput(color_layout="grayscale", scale=1 / 255, bias=(0.0,))
    pixels = coreml.export(network.model, example, tmp_path / "pixels.mlpackage", image=image).path
    found = by_label(compare_files([onnx_path, plain, pixels], seconds=QUICK))
    # float16 has 11 bits of mantissa: 66 dB for each of 8 layers' sums, 8 times the noise, and as much room again.
    assert found["plain.mlpackage"].worst.sqnr_db > 66 - 10 * np.log10(8) - 9
    assert found["pixels.mlpackage"].differences == ()
    assert "takes pixels from 0 to 255" in " ".join(found["pixels.mlpackage"].notes)
    assert found["pixels.mlpackage"].latency is not None
    if sys.platform != "darwin":
        assert "not a phone's" in found["plain.mlpackage"].notes[0]


def test_an_executorch_file_is_timed_inside_its_process(network, onnx_path, tmp_path):
    from pocketlab.runtimes import executorch

    path = executorch.export(network.model, torch.from_numpy(network.inputs[:1]), tmp_path / "digits.pte").path
    report = compare_files([onnx_path, path], seconds=QUICK).files[1]
    assert report.fault is None
    assert report.worst.largest < 1e-3
    assert "runs in a process of its own, and was timed inside of it" in report.notes
