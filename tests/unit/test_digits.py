"""The digit sets and the small network."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlab.data.digits import load_digits
from pocketlab.data.models import DigitsNet, accuracy, train_digits
from pocketlab.errors import PocketlabError


def test_digits_are_bytes_split_without_overlap() -> None:
    digits = load_digits()
    assert digits.train_images.shape == (1347, 1, 8, 8)
    assert digits.test_images.shape == (450, 1, 8, 8)
    assert digits.train_images.dtype == np.uint8
    assert digits.train_images.max() == 255
    counts = np.bincount(digits.test_labels)
    assert counts.min() >= 43  # stratified: every class has its tenth
    normalized = digits.normalize(digits.train_images)
    assert normalized.dtype == np.float32
    assert abs(normalized.mean()) < 1e-4
    assert abs(normalized.std() - 1) < 1e-4


def test_mnist_where_a_copy_lies() -> None:
    if not (Path(os.environ.get("POCKETLAB_DATA", "")) / "mnist" / "mnist10k.npz").exists():
        pytest.skip("POCKETLAB_DATA has no mnist/mnist10k.npz")
    digits = load_digits("mnist")
    assert digits.train_images.shape == (8000, 1, 28, 28)
    assert digits.test_images.shape == (2000, 1, 28, 28)


def test_mnist_out_of_reach_is_one_sentence(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("POCKETLAB_DATA", str(tmp_path))
    monkeypatch.setattr("pocketlab.data.digits.MNIST_URL", "http://127.0.0.1:9/mnist.npz")
    with pytest.raises(PocketlabError, match="could not be downloaded"):
        load_digits("mnist")


def nothing(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("no arrays")


def half_a_file(path: Path) -> None:
    np.savez(path, images=np.zeros((4, 28, 28), np.uint8), labels=np.zeros(4))
    path.write_bytes(path.read_bytes()[:2000])


def a_changed_byte(path: Path) -> None:
    np.savez(path, images=np.zeros((4, 28, 28), np.uint8), labels=np.zeros(4))
    data = bytearray(path.read_bytes())
    data[1000] ^= 0xFF
    path.write_bytes(data)


def other_names(path: Path) -> None:
    np.savez(path, pictures=np.zeros((4, 28, 28), np.uint8))


def other_shapes(path: Path) -> None:
    np.savez(path, images=np.zeros(4, np.uint8), labels=np.zeros(4))


def one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros((4, 28, 28)))


DAMAGES = [nothing, text, half_a_file, a_changed_byte, other_names, other_shapes, one_array]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_sample_is_named(monkeypatch, tmp_path, damage) -> None:
    monkeypatch.setenv("POCKETLAB_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    damage(tmp_path / "mnist/mnist10k.npz")
    with pytest.raises(PocketlabError, match=r"mnist10k\.npz is damaged") as caught:
        load_digits("mnist")
    assert "\n" not in str(caught.value)


def test_a_file_with_the_right_hash_and_other_content_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("POCKETLAB_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    other_names(tmp_path / "mnist/mnist.npz")
    digest = hashlib.sha256((tmp_path / "mnist/mnist.npz").read_bytes()).hexdigest()
    monkeypatch.setattr("pocketlab.data.digits.MNIST_SHA256", digest)
    with pytest.raises(PocketlabError, match=r"mnist\.npz is damaged"):
        load_digits("mnist")


def test_a_damaged_download_that_cannot_be_had_again_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("POCKETLAB_DATA", str(tmp_path))
    monkeypatch.setattr("pocketlab.data.digits.MNIST_URL", "http://127.0.0.1:9/mnist.npz")
    (tmp_path / "mnist").mkdir()
    text(tmp_path / "mnist/mnist.npz")
    with pytest.raises(PocketlabError, match=r"mnist\.npz is damaged and could not be downloaded"):
        load_digits("mnist")


def test_a_folder_that_cannot_be_written_is_not_called_a_failed_download(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("POCKETLAB_DATA", str(tmp_path / "file"))
    monkeypatch.setattr("pocketlab.data.digits.MNIST_URL", "http://127.0.0.1:9/mnist.npz")
    (tmp_path / "file").touch()
    with pytest.raises(PocketlabError, match=r"cannot be kept in .*POCKETLAB_DATA"):
        load_digits("mnist")


def test_without_a_data_folder_the_home_folder_holds_the_data(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("POCKETLAB_DATA", raising=False)
    monkeypatch.setenv("POCKETLAB_HOME", str(tmp_path))
    (tmp_path / "data/mnist").mkdir(parents=True)
    images = np.zeros((8001, 28, 28), np.uint8)
    images[0, 0, 0] = 255
    np.savez(tmp_path / "data/mnist/mnist10k.npz", images=images, labels=np.zeros(8001))
    assert len(load_digits("mnist").test_images) == 1


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(ValueError, match="'letters'"):
        load_digits("letters")


def test_training_is_repeatable_and_learns() -> None:
    digits = load_digits()
    first, second = train_digits(digits), train_digits(digits)
    x = torch.from_numpy(digits.normalize(digits.test_images))
    with torch.no_grad():
        a, b = first(x).numpy(), second(x).numpy()
    np.testing.assert_array_equal(a, b)
    assert accuracy(a, digits.test_labels) > 0.95  # a linear classifier reaches 0.95 on this split


def test_width_and_channels_change_the_shapes() -> None:
    assert DigitsNet(width=2, channels=3, classes=5)(torch.zeros(2, 3, 16, 16)).shape == (2, 5)
