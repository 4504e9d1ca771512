from __future__ import annotations

import json
import os
import struct

import pytest
import torch

from pocketlab.data.tensors import load_tensors, save_tensors
from pocketlab.errors import ModelFileError

TENSORS = {
    "weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "half": torch.tensor([1.5, -2.25, 3e38], dtype=torch.bfloat16),
    "codes": torch.tensor([-128, 127], dtype=torch.int8),
    "mask": torch.tensor([[True], [False]]),
    "scalar": torch.tensor(7, dtype=torch.int64),
    "none": torch.zeros(0, 4),
}


@pytest.fixture
def path(tmp_path):
    return save_tensors(TENSORS, tmp_path / "sub" / "model.safetensors", {"made by": "a test"})


def test_what_is_saved_is_loaded(path):
    loaded = load_tensors(path)
    assert set(loaded) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)


def test_a_transposed_and_a_trained_tensor_are_saved_as_they_look(tmp_path):
    given = {"view": TENSORS["weight"].t(), "leaf": torch.nn.Parameter(torch.ones(2))}
    loaded = load_tensors(save_tensors(given, tmp_path / "a.safetensors"))
    assert loaded["view"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert not loaded["leaf"].requires_grad


def test_loaded_tensors_do_not_change_with_the_file(path):
    loaded = load_tensors(path)
    os.truncate(path, 0)
    assert torch.equal(loaded["weight"], TENSORS["weight"])


def test_tensors_that_share_memory_are_refused_and_the_old_file_stays(path):
    whole = torch.zeros(4)
    with pytest.raises(ValueError, match=r"model\.safetensors cannot be written"):
        save_tensors({"a": whole, "b": whole[:2]}, path)
    assert set(load_tensors(path)) == set(TENSORS)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_save_wants_the_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        save_tensors(TENSORS, tmp_path / "model.bin")


def entry(dtype="F32", shape=(2, 4), offsets=(0, 32)) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def content(header, data: bytes = bytes(32), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


TWICE = json.dumps({"a": entry()})[:-1] + ", " + json.dumps({"a": entry()})[1:]
FAULTS = {
    "empty": (b"", "is empty"),
    "short": (b"1234", "its header should be"),
    "foreign": (b"\x89PNG\r\n\x1a\n" + bytes(200), "its header should be"),
    "header beyond the file": (content({"a": entry()}, length=10**6), "should be 1,000,000 bytes long, and the file has only"),
    "length of all ones": (content({"a": entry()}, length=2**64 - 1), "and the file has only"),
    "header of 101 MB": (content(b"{" + b" " * 101_000_000 + b"}", b""), "16,000,000 is the most"),
    "no JSON": (content(b"hello"), "no JSON"),
    "no text": (content(b'{"\xff": 1}'), "no JSON"),
    "deep": (content(b"[" * 100_000), "no JSON"),
    "a list": (content([]), "no JSON object"),
    "ends after": (content({"a": entry(shape=(4, 4), offsets=(0, 64))}), "not fully covered"),
    "starts far": (content({"a": entry(offsets=(2**63, 2**63 + 32))}), "invalid offset"),
    "backwards": (content({"a": entry(offsets=(32, 0))}), "invalid offset"),
    "overlap": (content({"a": entry(shape=[4], offsets=(0, 16)), "b": entry(shape=[6], offsets=(8, 32))}), "invalid offset"),
    "gap": (content({"a": entry(shape=[2], offsets=(0, 8)), "b": entry(shape=[2], offsets=(24, 32))}), "invalid offset"),
    "trailing": (content({"a": entry()}, bytes(33)), "not fully covered"),
    "name twice": (content(TWICE.encode()), "'a' is given twice"),
    "dtype": (content({"a": entry("F33")}), "unknown variant `F33`"),
    "shape": (content({"a": entry(shape=(2, 5))}), "invalid shape"),
    "negative shape": (content({"a": entry(shape=(-2, -4))}), "`-2`"),
    "overflowing shape": (content({"a": entry(shape=(2**40, 2**40))}), "overflow"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_error_names_the_file_and_the_fault(tmp_path, fault):
    path = tmp_path / "broken.safetensors"
    data, message = FAULTS[fault]
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=rf"broken\.safetensors .*{message}"):
        load_tensors(path)


def test_the_sound_file_of_the_faults_loads(tmp_path):
    path = tmp_path / "sound.safetensors"
    path.write_bytes(content({"a": entry()}))
    assert load_tensors(path)["a"].shape == (2, 4)


@pytest.mark.parametrize(
    ("name", "message"),
    [("no.safetensors", "not there"), ("model.bin", "not a .safetensors"), ("folder.safetensors", "one file")],
)
def test_a_missing_file_another_suffix_and_a_folder_are_named(tmp_path, name, message):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "model.bin").write_bytes(b"x")
    with pytest.raises(ModelFileError, match=message):
        load_tensors(tmp_path / name)


def test_a_file_larger_than_memory_is_not_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    size = 10**12  # a sparse file, which takes no room on the disk
    path.write_bytes(content({"a": entry("U8", [size], (0, size))}, b""))
    os.truncate(path, path.stat().st_size + size)
    with pytest.raises(ModelFileError, match=r"huge\.safetensors has 1000\.0 GB"):
        load_tensors(path)
