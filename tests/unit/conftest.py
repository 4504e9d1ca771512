"""Models that several test modules share: a conversion takes seconds, so each is made once in a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlab.data.digits import load_digits
from pocketlab.data.models import DigitsNet, train_digits
from pocketlab.runtimes import litert, onnx, pt2


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


@pytest.fixture(scope="session")
def pt2_path(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as a .pt2 file."""
    path = tmp_path_factory.mktemp("pt2") / "digits.pt2"
    return pt2.export(network.model, torch.from_numpy(network.inputs[:1]), path).path


class TwoInputs(torch.nn.Module):
    """Two inputs and two outputs of different shapes, so that none can be taken for another."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, image: torch.Tensor, gain: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scaled = self.linear(image) * gain
        return scaled, image.sum(1, keepdim=True) - gain[:, :1]


@dataclass(frozen=True)
class TwoInputNetwork:
    """The network above, 5 rows for each of its inputs, and what PyTorch returns for them."""

    model: TwoInputs
    examples: tuple[torch.Tensor, torch.Tensor]
    inputs: tuple[np.ndarray, np.ndarray]
    outputs: tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="session")
def two_inputs() -> TwoInputNetwork:
    generator = torch.Generator().manual_seed(0)
    model = TwoInputs().eval()
    image, gain = torch.randn(5, 4, generator=generator), torch.rand(5, 3, generator=generator)
    with torch.no_grad():
        scaled, difference = model(image, gain)
    return TwoInputNetwork(
        model, (image[:1], gain[:1]), (image.numpy(), gain.numpy()), (scaled.numpy(), difference.numpy())
    )


@pytest.fixture(scope="session")
def two_inputs_tflite(two_inputs: TwoInputNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of two inputs as a float .tflite file."""
    path = tmp_path_factory.mktemp("two_tflite") / "two.tflite"
    return litert.export(two_inputs.model, two_inputs.examples, path).path


@pytest.fixture(scope="session")
def two_inputs_onnx(two_inputs: TwoInputNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of two inputs as an .onnx file."""
    path = tmp_path_factory.mktemp("two_onnx") / "two.onnx"
    return onnx.export(two_inputs.model, two_inputs.examples, path).path
