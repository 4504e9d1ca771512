"""The digit sets and the small network."""

from __future__ import annotations

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
