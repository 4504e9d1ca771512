import subprocess
import sys
import threading
import time
from pathlib import Path

import artifact_builder
import numpy as np
import pytest
from filelock import FileLock

from pocketlab.course.artifacts import ArtifactStore
from pocketlab.errors import PocketlabError

calls = []


@pytest.fixture
def store(tmp_path):
    calls.clear()
    return ArtifactStore(tmp_path / "home", "01")


def write_weights(path, *, scale=1.0, weights=None):
    calls.append((scale, weights))
    path.write_text(f"{scale}")


def write_package(path, *, files=2):
    calls.append(files)
    (path / "Data").mkdir(parents=True)
    for index in range(files):
        (path / "Data" / f"{index}.bin").write_bytes(b"\0" * index)


def test_built_once(store):
    first = store.get("weights.npy", write_weights, scale=2.0)
    assert first.read_text() == "2.0"
    assert first.suffix == ".npy"
    assert store.get("weights.npy", write_weights, scale=2.0) == first
    assert len(calls) == 1


def test_a_new_argument_builds_anew_and_removes_the_old_version(store):
    (store.folder).mkdir(parents=True)
    (store.folder / "weights-of-mine.npy").touch()
    (store.folder / "weights-0123456789ab.txt").touch()
    old = store.get("weights.npy", write_weights, scale=2.0)
    other = store.get("other.npy", write_weights)
    new = store.get("weights.npy", write_weights, scale=3.0)
    assert not old.exists()
    assert other.exists()
    assert new.read_text() == "3.0"
    assert (store.folder / "weights-of-mine.npy").exists()
    assert (store.folder / "weights-0123456789ab.txt").exists()


def test_a_folder(store):
    package = store.get("model.mlpackage", write_package)
    assert sorted(file.name for file in package.rglob("*.bin")) == ["0.bin", "1.bin"]
    larger = store.get("model.mlpackage", write_package, files=3)
    assert len(list(larger.rglob("*.bin"))) == 3
    assert not package.exists()


def test_a_new_source_builds_anew(store, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    paths = []
    for module, text in [("builder_one", "one"), ("builder_two", "two"), ("builder_again", "one")]:
        (tmp_path / f"{module}.py").write_text(f"def build(path):\n    path.write_text({text!r})\n")
        paths.append(store.get("text", __import__(module).build))
    assert paths[0] == paths[2] != paths[1]
    assert paths[2].read_text() == "one"


VALUES = [
    None, False, 0, 0.0, -0.0, "0", b"0", [], (), {}, [[]], ["ab", "c"], ["a", "bc"], ["abc"], {"a": 1}, {"b": 1},
    {"a": 1, "b": 2}, float("nan"), np.float32(0), np.float64(0), np.zeros(4), np.zeros((2, 2)), np.zeros(4, np.float32),
    np.array([0.0, 0, 0, 1]), np.array(["a"]),
]  # fmt: skip


def test_arguments_that_differ_give_different_artifacts(store):
    paths = {store.get("weights", write_weights, weights=value).name for value in VALUES}
    assert len(paths) == len(VALUES)


def test_arrays_are_told_apart_by_content_not_by_layout(store):
    array = np.arange(6.0).reshape(2, 3)
    one = store.get("weights", write_weights, weights=array)
    assert store.get("weights", write_weights, weights=np.asfortranarray(array)) == one
    assert store.get("weights", write_weights, weights=array.T.copy()) != one


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        ([1, {2}], "set"),
        (np.array([object()]), "ndarray"),
        (np.random.default_rng(0), "Generator"),
    ],
)
def test_an_argument_without_stable_bytes_is_refused(store, value, kind):
    with pytest.raises(PocketlabError, match=f"'weights'.* {kind}"):
        store.get("weights", write_weights, weights=value)
    assert calls == []


def test_a_builder_that_uses_outer_variables_is_refused(store):
    rate = 0.1

    def build(path):
        path.write_text(str(rate))

    with pytest.raises(PocketlabError, match="rate"):
        store.get("text", build)


def test_a_builder_without_source_is_refused(store):
    for build in (print, eval("lambda path: path.touch()")):
        with pytest.raises(PocketlabError, match="no source"):
            store.get("text", build)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "ä"])
def test_a_name_that_is_no_file_name(store, name):
    with pytest.raises(PocketlabError, match="cannot name an artifact"):
        store.get(name, write_weights)


def fail_halfway(path):
    path.write_text("half")
    raise RuntimeError("out of luck")


def forget_to_write(path):
    return path


def test_a_failed_build_leaves_nothing(store):
    with pytest.raises(RuntimeError, match="out of luck"):
        store.get("text", fail_halfway)
    with pytest.raises(PocketlabError, match="without writing"):
        store.get("text", forget_to_write)
    assert [path.name for path in store.folder.iterdir() if not path.name.endswith(".lock")] == []


def test_a_home_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PocketlabError, match="POCKETLAB_HOME"):
        ArtifactStore(tmp_path / "file", "01").get("weights", write_weights)


def build_on_a_full_disk(path):
    path.mkdir()
    (path / "half").write_text("half")
    with open("/dev/full", "wb") as full:
        full.write(b"weights")


def read_what_is_missing(path):
    Path("no such file").read_bytes()


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no /dev/full")
def test_a_full_disk_is_one_sentence_and_nothing_half_built_is_kept(store):
    with pytest.raises(PocketlabError, match=r"No space left on device.*free space") as caught:
        store.get("model.mlpackage", build_on_a_full_disk)
    assert "\n" not in str(caught.value)
    assert [path.name for path in store.folder.iterdir()] == [".model.mlpackage.lock"]


def test_what_a_builder_itself_cannot_read_is_not_taken_for_the_disk(store):
    with pytest.raises(FileNotFoundError, match="no such file"):
        store.get("text", read_what_is_missing)


def test_a_killed_build_is_not_taken_for_a_finished_one(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    builder = _ask(tmp_path / "home", marks, 600)
    while not list(marks.iterdir()):
        assert builder.poll() is None
        time.sleep(0.01)
    builder.kill()
    builder.wait()
    folder = tmp_path / "home" / "artifacts" / "01"
    assert [path.read_text() for path in folder.rglob("slow*.txt")] == ["half"], "the kill came too late"
    again = _ask(tmp_path / "home", marks, 0)
    assert again.communicate()[0] == "half and half\n"
    assert [path.read_text() for path in folder.rglob("slow*.txt")] == ["half and half"]


def test_two_kernels_build_once(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    askers = [_ask(tmp_path / "home", marks, 0.5) for _ in range(2)]
    assert [asker.communicate()[0].splitlines()[-1] for asker in askers] == ["half and half"] * 2
    assert len(list(marks.iterdir())) == 1


def test_a_kernel_that_waits_for_another_says_so_once(store, capfd):
    store.make_folder()
    with FileLock(store.folder / ".weights.lock"):
        waiting = threading.Thread(target=store.get, args=("weights", write_weights))
        waiting.start()
        told, deadline = "", time.monotonic() + 60
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
            told = capfd.readouterr().out
        assert calls == []
    waiting.join()
    assert told + capfd.readouterr().out == "Another notebook is building weights; waiting for it.\n"
    assert len(calls) == 1


def _ask(home, marks, seconds):
    command = [sys.executable, artifact_builder.__file__, str(home), str(marks), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
