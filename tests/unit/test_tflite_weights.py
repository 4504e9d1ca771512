"""A file with exchanged weights answers as the other network does."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

from pocketlab.compression.quantization import sqnr_db
from pocketlab.data.models import DigitsNet
from pocketlab.errors import ModelFileError
from pocketlab.runtimes import litert
from pocketlab.runtimes.tflite_weights import exchange_weights

X = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def trained_a_little(seed: int) -> nn.Module:
    """A network whose batch normalization is not the identity."""
    torch.manual_seed(seed)
    net = DigitsNet().train()
    for _ in range(3):
        net(torch.randn(32, 1, 8, 8))
    return fuse(net.eval())


@pytest.fixture(scope="module")
def before() -> nn.Module:
    return trained_a_little(0)


@pytest.fixture(scope="module")
def file(before: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return litert.export(before, X[:1], tmp_path_factory.mktemp("files") / "before.tflite").path


def test_the_new_file_answers_as_the_other_network(before: nn.Module, file: Path, tmp_path: Path) -> None:
    after = trained_a_little(1)
    written = exchange_weights(file, tmp_path / "after.tflite", before, after)
    assert written.size_bytes == file.stat().st_size
    with torch.no_grad():
        expected = after(X).numpy()
    assert sqnr_db(expected, litert.load(written.path)(X.numpy())) > 100
    back = exchange_weights(written.path, tmp_path / "back.tflite", after, before)
    assert back.path.read_bytes() == file.read_bytes()


def test_zeros_may_come_in(before: nn.Module, file: Path, tmp_path: Path) -> None:
    empty = copy.deepcopy(before)
    for parameter in empty.parameters():
        nn.init.zeros_(parameter)
    written = exchange_weights(file, tmp_path / "zeros.tflite", before, empty)
    assert not np.any(litert.load(written.path)(X.numpy()))
    with pytest.raises(ModelFileError, match="where once is expected"):
        exchange_weights(written.path, tmp_path / "no.tflite", empty, before)
    assert not (tmp_path / "no.tflite").exists()


def test_what_does_not_fit_is_refused(before: nn.Module, file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="differ in names or shapes"):
        exchange_weights(file, tmp_path / "no.tflite", before, fuse(DigitsNet(width=2).eval()))
    with pytest.raises(ModelFileError, match="0 times"):
        exchange_weights(file, tmp_path / "no.tflite", trained_a_little(2), before)


def test_kernels_alone_are_timed_without_python(file: Path) -> None:
    runner = litert.load(file)
    kernels = runner.kernels(X[:1].numpy())
    assert kernels() == ()
    measured = litert.measure(kernels, seconds=0.01)
    assert measured.runs >= 10
    assert measured.p50_ms > 0
