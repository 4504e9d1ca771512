"""Models that several test modules share: a conversion takes seconds, so each is made once in a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlab.data.digits import load_digits
from pocketlab.data.models import DigitsNet, train_digits
from pocketlab.runtimes import litert, onnx


@dataclass(frozen=True)
class Network:
    """A trained network, inputs that it classifies, and its logits for them."""

    model: DigitsNet
    inputs: np.ndarray
    logits: np.ndarray


@pytest.fixture(scope="session")
def network() -> Network:
    digits = load_digits()
    model = train_digits(digits, epochs=3)
    inputs = digits.normalize(digits.test_images[:64])
    with torch.no_grad():
        logits = model(torch.from_numpy(inputs)).numpy()
    return Network(model, inputs, logits)


@pytest.fixture(scope="session")
def tflite_path(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as a float .tflite file."""
    path = tmp_path_factory.mktemp("tflite") / "digits.tflite"
    return litert.export(network.model, torch.from_numpy(network.inputs[:1]), path).path


@pytest.fixture(scope="session")
def onnx_path(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as an .onnx file."""
    path = tmp_path_factory.mktemp("onnx") / "digits.onnx"
    return onnx.export(network.model, torch.from_numpy(network.inputs[:1]), path).path
