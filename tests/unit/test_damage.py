"""No file kills the kernel: a short run of `make bench-damage`, and faults that have a name."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import onnx as onnx_format
import pytest
from ai_edge_litert.schema_py_generated import ModelT
from onnx import TensorProto, helper

from bench import damage
from pocketlab.data.tensors import load_tensors
from pocketlab.errors import ModelFileError
from pocketlab.runtimes import coreml, executorch, litert, onnx, trial
from pocketlab.runtimes.child import Child
from pocketlab.runtimes.mil.package import read_package

SEEDS = range(60)
LOADERS: dict[str, Callable[[Path], object]] = {
    "tflite": litert.load,
    "onnx": onnx.load,
    "safetensors": load_tensors,
    "pte": executorch.load,
    "mlpackage": lambda path: coreml.load(path, tell=lambda line: None),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Callable[[str], Path]:
    """The folder with the sound files of a format, made at the first use."""
    folders: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp(kind)
            damage.make_originals(kind, folders[kind])
        return folders[kind]

    return folder


def sound_file(folder: Path, kind: str) -> Path:
    return min(folder.glob(f"*.{kind}"))


# --- The bench, shorter -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", damage.FORMATS)
def test_damaged_files_are_refused_or_run_and_none_kills(sound, kind):
    found = list(damage.results(kind, SEEDS, sound(kind)))
    assert [result for result in found if result.outcome in ("other error", "kernel death")] == []
    counts = Counter(result.outcome for result in found)
    assert counts.total() == len(SEEDS)
    assert counts["refused"] > len(SEEDS) / 4  # a quarter is cut short, and no format allows for that


@pytest.mark.parametrize("kind", damage.FORMATS)
def test_the_sound_files_load_and_answer(sound, kind):
    for path in sound(kind).glob(f"*.{kind}"):
        _, arrays = damage.answer(path)
        assert arrays
        assert all(np.isfinite(array).all() for array in arrays)


def test_a_seed_gives_the_same_damage_again(sound, tmp_path):
    made = []
    for name in ("a.onnx", "b.onnx"):
        damage.damage("onnx", sound("onnx"), 7, tmp_path / name)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


WORKER = """
import os
from pocketlab.errors import ModelFileError
def attempt(kind, folder, seed):
    if seed == 1:
        os.abort()
    if seed == 2:
        raise KeyError("x")
    return {"outcome": "loaded", "detail": ""}, ()
"""


def test_a_death_of_the_worker_is_counted_and_the_next_file_gets_another(tmp_path, monkeypatch):
    (tmp_path / "mortal_worker.py").write_text(WORKER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(damage, "WORKER", "mortal_worker")
    found = [result.outcome for result in damage.results("tflite", range(4), tmp_path)]
    assert found == ["loaded", "kernel death", "other error", "loaded"]


# --- Faults of any format ---------------------------------------------------------------------------------------------


def contents(good: bytes) -> dict[str, bytes]:
    """Files that are not what their name says."""
    return {
        "empty": b"",
        "one byte": good[:1],
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "a text": b"hello, world\n" * 50,
        "zeros": bytes(5000),
        "all ones": b"\xff" * 5000,
        "cut at half": good[: len(good) // 2],
    }


FILES = [kind for kind in damage.FORMATS if kind != "mlpackage"]


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("fault", contents(b"x"))
def test_what_is_no_such_file_is_named(sound, tmp_path, kind, fault):
    path = tmp_path / f"broken.{kind}"
    path.write_bytes(contents(sound_file(sound(kind), kind).read_bytes())[fault])
    with pytest.raises(ModelFileError, match=rf"broken\.{kind}"):
        LOADERS[kind](path)


@pytest.mark.parametrize("kind", FILES)
def test_another_format_under_its_name_is_named(sound, tmp_path, kind):
    other = FILES[FILES.index(kind) - 1]
    path = tmp_path / f"other.{kind}"
    shutil.copy(sound_file(sound(other), other), path)
    with pytest.raises(ModelFileError, match=rf"other\.{kind}"):
        LOADERS[kind](path)


@pytest.mark.parametrize("kind", damage.FORMATS)
def test_a_missing_file_is_named(tmp_path, kind):
    with pytest.raises(ModelFileError, match=rf"none\.{kind}"):
        LOADERS[kind](tmp_path / f"none.{kind}")


@pytest.mark.parametrize("kind", FILES)
def test_a_pipe_a_device_and_a_folder_are_not_opened(tmp_path, kind):
    path = tmp_path / f"strange.{kind}"
    os.mkfifo(path)
    for make in (lambda: None, lambda: path.symlink_to("/dev/zero"), path.mkdir):
        make()
        with pytest.raises(ModelFileError, match=rf"strange\.{kind} is a "):
            LOADERS[kind](path)
        damage._remove(path)


@pytest.mark.parametrize("kind", FILES)
def test_a_file_larger_than_memory_is_not_read(sound, tmp_path, kind):
    path = tmp_path / f"huge.{kind}"
    shutil.copy(sound_file(sound(kind), kind), path)
    os.truncate(path, 10**12)  # a sparse file, which takes no room on the disk
    with pytest.raises(ModelFileError, match=rf"huge\.{kind} "):
        LOADERS[kind](path)


# --- .tflite ----------------------------------------------------------------------------------------------------------


def rewrite(path: Path, out: Path, change: Callable) -> Path:
    """Write `path` to `out` after `change` was done to its first graph."""
    model = ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    change(model.subgraphs[0])
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    out.write_bytes(builder.Output())
    return out


def lose_permutation(graph) -> None:
    """Name no tensor as the order of a transposition's axes: LiteRT looks there without asking whether there is one."""
    graph.operators[0].inputs = np.array([graph.operators[0].inputs[0], -1], np.int32)


def test_a_file_that_kills_litert_kills_only_the_process_that_tries_it(sound, tmp_path):
    path = rewrite(sound("tflite") / "float.tflite", tmp_path / "deadly.tflite", lose_permutation)
    with pytest.raises(ModelFileError, match=r"deadly\.tflite is damaged: the process in which it was tried ended with signal"):
        litert.load(path)
    assert litert.load(sound("tflite") / "float.tflite").operators  # the next trial has another process


def write_a_constant(graph) -> None:
    graph.operators[0].outputs = np.array([graph.operators[0].inputs[1]], np.int32)


def constant_input(graph) -> None:
    """Let the input be a constant of four times its size: LiteRT copies all of that over the end of what comes next."""
    graph.tensors[graph.inputs[0]].buffer = next(tensor.buffer for tensor in graph.tensors if list(tensor.shape) == [64])


@pytest.mark.parametrize(
    ("change", "message"), [(write_a_constant, "is written twice"), (constant_input, r"takes 64 bytes, and 256 are there")]
)
@pytest.mark.parametrize("verb", [litert.load, litert.inspect])
def test_what_would_write_over_other_memory_is_refused_unseen(sound, tmp_path, verb, change, message):
    path = rewrite(sound("tflite") / "int8.tflite", tmp_path / "over.tflite", change)
    with pytest.raises(ModelFileError, match=rf"over\.tflite is damaged.*{message}"):
        verb(path)


def test_a_loaded_model_does_not_change_with_the_file(sound, tmp_path):
    path = tmp_path / "model.tflite"
    shutil.copy(sound("tflite") / "float.tflite", path)
    child = Child("test_damage")
    try:
        same = child.call("answers_the_same_without_its_file", limit_s=60, path=str(path)).values["same"]
    finally:
        child.close()
    assert same


def answers_the_same_without_its_file(path: str) -> tuple[dict[str, bool], tuple[()]]:
    """Load a model, cut its file to nothing, and run it: were the file mapped, the process would end (SIGBUS)."""
    x = np.ones((1, 1, 8, 8), np.float32)
    runner = litert.load(path, xnnpack=False)
    before = runner(x)
    os.truncate(path, 0)
    return {"same": bool(np.array_equal(runner(x), before))}, ()


# --- .onnx ------------------------------------------------------------------------------------------------------------


def write_onnx(path: Path, nodes: list, initializers: list, shape: list, dtype: int = TensorProto.FLOAT) -> Path:
    """Write a graph from x, of that shape and type, to y."""
    x, y = helper.make_tensor_value_info("x", dtype, shape), helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [x], [y], initializers)
    onnx_format.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def external(location: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder for a model with weights beside it, and next to the folder a file that is none of the model's business."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (tmp_path / "secret.bin", folder / "weights.bin"):
        np.arange(4, dtype=np.float32).tofile(path)
    (folder / "link.bin").symlink_to("../secret.bin")
    (folder / "device.bin").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.bin")
    return folder


ADD = [helper.make_node("Add", ["x", "w"], ["y"])]


def test_weights_beside_the_model_are_read(folder):
    runner = onnx.load(write_onnx(folder / "model.onnx", ADD, [external("weights.bin")], [4]))
    np.testing.assert_array_equal(runner(np.ones(4, np.float32)), [1, 2, 3, 4])


@pytest.mark.parametrize("location", ["../secret.bin", "ABSOLUTE", "link.bin", "device.bin", "pipe.bin", "none.bin", "", "."])
def test_weights_outside_of_the_folder_and_what_is_no_file_are_refused(folder, location):
    location = str(folder.parent / "secret.bin") if location == "ABSOLUTE" else location
    path = write_onnx(folder / "model.onnx", ADD, [external(location)], [4])
    with pytest.raises(ModelFileError, match=r"model\.onnx cannot be loaded"):
        onnx.load(path)


HUGE = helper.make_tensor("shape", TensorProto.INT64, [2], [10**6, 25_000])  # 100 GB of float32


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ([helper.make_node("ConstantOfShape", ["shape"], ["c"]), helper.make_node("Add", ["x", "c"], ["y"])], [1]),
        ([helper.make_node("Expand", ["x", "shape"], ["y"])], [1]),
        ([helper.make_node("Expand", ["x", "shape"], ["y"])], ["any"]),
        ([helper.make_node("Relu", ["x"], ["y"])], [10**6, 25_000]),
    ],
)
def test_a_small_file_that_asks_for_100_gb_is_refused(tmp_path, nodes, shape):
    path = write_onnx(tmp_path / "greedy.onnx", nodes, [HUGE], shape)
    with pytest.raises(ModelFileError, match=r"greedy\.onnx"):
        onnx.load(path)


def test_a_model_that_never_ends_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "_SECONDS", 1.0)
    always = helper.make_tensor("always", TensorProto.BOOL, [], [True])
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["on"]), helper.make_node("Identity", ["value"], ["same"])],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("same", TensorProto.FLOAT, [1]),
        ],
    )
    loop = [helper.make_node("Loop", ["", "always", "x"], ["y"], body=body)]
    path = write_onnx(tmp_path / "endless.onnx", loop, [always], [1])
    with pytest.raises(ModelFileError, match=r"endless\.onnx did not load and run within 1 s"):
        onnx.load(path)


def test_a_sound_model_whose_indices_cannot_be_guessed_is_loaded(tmp_path):
    table = helper.make_tensor("table", TensorProto.FLOAT, [1], [5.0])  # has no row 1, which the trial tries
    nodes = [helper.make_node("Gather", ["table", "x"], ["y"])]
    runner = onnx.load(write_onnx(tmp_path / "table.onnx", nodes, [table], [2], TensorProto.INT64))
    np.testing.assert_array_equal(runner(np.zeros(2, np.int64)), [5, 5])
    with pytest.raises(ModelFileError, match=r"table\.onnx cannot be run"):
        runner(np.ones(2, np.int64))


# --- .mlpackage; tests/unit/test_coreml.py has more --------------------------------------------------------------------


def replaced(part: Path, make: Callable[[Path], object]) -> None:
    part.unlink()
    make(part)


def in_a_circle(part: Path) -> None:
    part.symlink_to(part.with_name("back"))
    part.with_name("back").symlink_to(part)


REPLACEMENTS = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "device": lambda part: part.symlink_to("/dev/zero"),
    "circle": in_a_circle,
    "outside": lambda part: part.symlink_to(__file__),
}


@pytest.mark.parametrize("part", ["Manifest.json", "model.mlmodel", "weight.bin"])
@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_a_part_of_a_package_that_is_no_file_of_it_is_not_opened(sound, tmp_path, part, replacement):
    path = tmp_path / "strange.mlpackage"
    shutil.copytree(sound_file(sound("mlpackage"), "mlpackage"), path)
    replaced(next(path.rglob(part)), REPLACEMENTS[replacement])
    with pytest.raises(ModelFileError, match=r"strange\.mlpackage"):
        LOADERS["mlpackage"](path)


def test_a_constant_that_overlaps_its_header_is_refused(sound, tmp_path):
    path = tmp_path / "overlap.mlpackage"
    shutil.copytree(sound_file(sound("mlpackage"), "mlpackage"), path)
    file = next(path.rglob("weight.bin"))
    data = bytearray(file.read_bytes())
    data[64 + 16 : 64 + 24] = bytes(8)  # the offset of the first constant: now the beginning of the file
    file.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"overlap\.mlpackage.*sends to byte 0"):
        LOADERS["mlpackage"](path)


def rename_output(spec) -> None:
    spec.description.output[0].name = "another"


def no_output(spec) -> None:
    del spec.description.output[:]


def label_for_output(spec) -> None:
    spec.description.output[0].type.int64Type.SetInParent()


@pytest.mark.parametrize("change", [rename_output, no_output, label_for_output])
def test_a_promise_that_the_program_does_not_keep_is_the_same_error(sound, tmp_path, change):
    path = tmp_path / "promise.mlpackage"
    shutil.copytree(sound_file(sound("mlpackage"), "mlpackage"), path)
    spec = read_package(path).spec
    change(spec)
    next(path.rglob("model.mlmodel")).write_bytes(spec.SerializeToString())
    with pytest.raises(ModelFileError, match=r"promise\.mlpackage is damaged"):
        LOADERS["mlpackage"](path)(np.zeros((1, 1, 8, 8), np.float32))


def test_a_model_file_larger_than_memory_is_not_read(sound, tmp_path):
    path = tmp_path / "huge.mlpackage"
    shutil.copytree(sound_file(sound("mlpackage"), "mlpackage"), path)
    os.truncate(next(path.rglob("model.mlmodel")), 10**12)
    with pytest.raises(ModelFileError, match=r"huge\.mlpackage has a model\.mlmodel of 1000\.0 GB"):
        LOADERS["mlpackage"](path)
