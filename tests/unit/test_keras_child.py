from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from pocketlab.data.digits import load_digits
from pocketlab.errors import PocketlabError
from pocketlab.runtimes import keras_child, litert

FLOAT32_STEP = 2.0**-23


def test_one_child_makes_three_files_that_agree_with_keras(tmp_path):
    digits = load_digits()
    images = digits.normalize(digits.train_images[:256]).transpose(0, 2, 3, 1)
    made = keras_child.train_and_convert(images, digits.train_labels[:256], images[:32], tmp_path, epochs=2)
    assert made.logits.shape == (32, 10)
    got = litert.load(made.float_file.path)(images[:32])
    # Sums of at most 576 products in another order, in 8 layers: far less than a thousand steps of float32.
    assert np.abs(got - made.logits).max() <= 1000 * FLOAT32_STEP * np.abs(made.logits).max()
    int8 = litert.inspect(made.int8_file.path)
    assert int8.inputs[0].dtype == int8.outputs[0].dtype == "int8"
    assert int8.inputs[0].shape == (None, 8, 8, 1)
    assert "float32" not in int8.bytes_by_type
    assert made.int8_file.size_bytes < made.float_file.size_bytes
    assert made.mlpackage.path.is_dir()
    assert made.mlpackage.size_bytes > sum(int8.bytes_by_type.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keras.mlpackage", "keras.tflite", "keras_int8.tflite"]
    assert made.peak_memory_mb < 1000
    assert not {"tensorflow", "keras"} & set(sys.modules)


def test_a_failing_child_is_told_in_its_last_line():
    with pytest.raises(PocketlabError, match="failed: ValueError: no such layer") as raised:
        keras_child.run_child(["-c", "print('noise'); raise ValueError('no such layer')"], timeout_s=60)
    assert "\n" not in str(raised.value)


def test_a_silent_failure_is_told_too():
    with pytest.raises(PocketlabError, match="it said nothing"):
        keras_child.run_child(["-c", "import sys; sys.exit(3)"], timeout_s=60)


def test_a_killed_child_is_told():
    with pytest.raises(PocketlabError, match=r"killed \(SIGKILL\)"):
        keras_child.run_child(["-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], timeout_s=60)


def test_a_child_that_takes_too_long_is_stopped():
    start = time.monotonic()
    with pytest.raises(PocketlabError, match=r"stopped after 0\.5 s"):
        keras_child.run_child(["-c", "import time; time.sleep(600)"], timeout_s=0.5)
    assert time.monotonic() - start < 300  # it was stopped, not waited for


def test_a_failure_leaves_the_files_of_before(tmp_path, monkeypatch):
    (tmp_path / "keras.tflite").write_bytes(b"of before")
    monkeypatch.setattr(keras_child, "_PROGRAM", "pocketlab.runtimes.no_such_module")
    with pytest.raises(PocketlabError, match="no_such_module"):
        keras_child.train_and_convert(np.zeros((2, 8, 8, 1)), np.zeros(2, int), np.zeros((1, 8, 8, 1)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["keras.tflite"]
    assert (tmp_path / "keras.tflite").read_bytes() == b"of before"


@pytest.mark.parametrize(
    ("train", "labels", "test", "message"),
    [
        ((4, 8, 8), (4,), (1, 8, 8, 1), r"train_images has shape \(4, 8, 8\)"),
        ((4, 8, 8, 1), (4,), (8, 8, 1), r"test_images has shape \(8, 8, 1\)"),
        ((4, 8, 8, 1), (3,), (1, 8, 8, 1), r"train_labels has shape \(3,\)"),
    ],
)
def test_arrays_of_another_shape_are_refused(tmp_path, train, labels, test, message):
    with pytest.raises(ValueError, match=message):
        keras_child.train_and_convert(np.zeros(train), np.zeros(labels, int), np.zeros(test), tmp_path)
