"""A keyword spotter for the ten spoken digits: a small network on mel bands, and its front end as a module for the phone.

The network is a depthwise-separable CNN (Zhang and others, Hello edge: keyword spotting on microcontrollers, 2017), 15,000
weights. `pocketlab.signals.train_keyword` trained the one that ships; models/README.md says on what, and what it can do.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pocketlab.data.tensors import load_tensors, save_tensors
from pocketlab.errors import ModelFileError
from pocketlab.signals.audio import mel_filters
from pocketlab.signals.keyword_features import (
    BANDS,
    CLASSES,
    FRAME_LENGTH,
    FRAMES,
    HOP_LENGTH,
    MEL,
    RANGE_DB,
    SMALLEST,
)
from pocketlab.signals.spectra import window

SHIPPED = Path(__file__).parent / "models" / "keyword.safetensors"
WIDTH, BLOCKS = 48, 4
ROOT = 16  # of FRAME_LENGTH: a transform of 256 points is two rounds of 16


class KeywordNetwork(nn.Module):
    """From a picture (batch, 1, FRAMES, BANDS), see `network_input`, to logits (batch, 11), the last of them for "none".

    A convolution halves both sides; blocks of a depthwise and a pointwise convolution follow, of which the first halves them
    again. Then the mean over all time, in four ranges of frequency, goes into one linear layer.
    """

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(1, WIDTH, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()]
        for block in range(BLOCKS):
            stride = 2 if block == 0 else 1
            layers += [nn.Conv2d(WIDTH, WIDTH, 3, stride, padding=1, groups=WIDTH, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()]
            layers += [nn.Conv2d(WIDTH, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(4 * WIDTH, len(CLASSES))

    def forward(self, picture: Tensor) -> Tensor:
        """Return logits (batch, classes)."""
        maps = self.body(picture)
        pooled = functional.avg_pool2d(maps, (maps.shape[2], maps.shape[3] // 4))
        return self.head(self.dropout(pooled.flatten(1)))


class KeywordFrontEnd(nn.Module):
    """`network_input(log_mel(samples))` in PyTorch's plainest operators, so that every converter takes it.

    samples: (batch, SAMPLES); returns (batch, 1, FRAMES, BANDS). A Fourier transform of 256 points as a matrix has 66,000
    entries. Here sample n = 16·a + b and frequency k = c + 16·d, and cos and sin of 2π·n·k / 256 fall into two rounds
    (Cooley and Tukey, An algorithm for the machine calculation of complex Fourier series, 1965): over a for each b, with the
    window and the turn by b·c / 256 in the same matrix, then over b; 8,700 entries. The last frequency, half the sample rate,
    is left out: no mel band reaches it.
    """

    first: Tensor
    second: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        a, b, c = np.ogrid[:ROOT, :ROOT, :ROOT]
        shape = window("hann", FRAME_LENGTH).reshape(ROOT, ROOT)[:, :, np.newaxis]  # (a, b, 1)
        first = shape * np.exp(-2j * np.pi * (a * c / ROOT + b * c / FRAME_LENGTH))
        self.register_buffer("first", _real(np.concatenate([first.real, first.imag], axis=2).swapaxes(0, 1)))  # (b, a, 2c)
        second = np.exp(-2j * np.pi * np.outer(np.arange(ROOT), np.arange(ROOT // 2)) / ROOT)  # (b, d)
        rotation = np.block([[second.real, second.imag], [-second.imag, second.real]])  # of a complex number as two real ones
        self.register_buffer("second", _real(rotation))
        filters = mel_filters(MEL)[:, : FRAME_LENGTH // 2]  # (bands, k)
        self.register_buffer("filters", _real(filters.reshape(BANDS, ROOT // 2, ROOT).transpose(2, 1, 0).reshape(-1, BANDS)))

    def forward(self, samples: Tensor) -> Tensor:
        """Return the picture (batch, 1, FRAMES, BANDS)."""
        decibels = self.log_mel(samples)
        loudest = decibels.amax((1, 2), keepdim=True)
        return (functional.relu(decibels - loudest + RANGE_DB) / RANGE_DB).unsqueeze(1)

    def log_mel(self, samples: Tensor) -> Tensor:
        """Return decibels (batch, FRAMES, BANDS)."""
        halves = samples[:, : (FRAMES + 1) * HOP_LENGTH].reshape(-1, FRAMES + 1, HOP_LENGTH)
        frames = torch.cat([halves[:, :-1], halves[:, 1:]], dim=2).reshape(-1, ROOT, ROOT)  # (batch · frames, a, b)
        rounds = torch.bmm(frames.permute(2, 0, 1), self.first)  # (b, frames, 2c)
        turned = rounds.reshape(ROOT, -1, 2, ROOT).permute(1, 3, 2, 0).reshape(-1, ROOT, 2 * ROOT)  # (frames, c, 2b)
        spectra = turned @ self.second  # (frames, c, 2d)
        power = (spectra**2).reshape(-1, ROOT, 2, ROOT // 2).sum(2)
        bands = power.reshape(-1, FRAMES, FRAME_LENGTH // 2) @ self.filters
        return 10 / np.log(10) * torch.log(torch.clamp(bands, min=SMALLEST))


class KeywordSpotter(nn.Module):
    """Front end and network in one: samples (batch, SAMPLES) from −1 to 1 at 8 kHz to logits (batch, 11)."""

    def __init__(self, network: KeywordNetwork) -> None:
        super().__init__()
        self.front_end, self.network = KeywordFrontEnd(), network

    def forward(self, samples: Tensor) -> Tensor:
        """Return logits (batch, classes)."""
        return self.network(self.front_end(samples))


def _real(matrix: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(matrix, np.float32))


def load_keyword_model(path: str | os.PathLike[str] | None = None) -> KeywordNetwork:
    """Return the network that ships, float32 and in evaluation mode; path: of another file that `save_keyword_model` wrote.

    Raises ModelFileError for a file that is missing or damaged, or whose tensors are not those of the network.
    """
    path = SHIPPED if path is None else Path(path)
    tensors, network = load_tensors(path), KeywordNetwork()
    expected = _stored(network)
    for name, tensor in expected.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            there = tuple(tensors[name].shape) if name in tensors else "missing"
            raise ModelFileError(f"{path.name}: {name} is {there}, and expected is {tuple(tensor.shape)}: another model's file.")
        if not torch.isfinite(tensors[name]).all():
            raise ModelFileError(f"{path.name}: {name} holds numbers that are not finite: it is damaged.")
    if superfluous := sorted(set(tensors) - set(expected)):
        raise ModelFileError(f"{path.name} has {superfluous[0]}, for which the network has no place: it is of another model.")
    network.load_state_dict(tensors, strict=False)
    return network.eval()


def save_keyword_model(network: KeywordNetwork, path: str | os.PathLike[str]) -> Path:
    """Write a network's weights as .safetensors; return the path."""
    return save_tensors(_stored(network), path)


def _stored(network: KeywordNetwork) -> dict[str, Tensor]:
    """All weights and running means; not how many batches those are of, which only training would ask for."""
    return {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}
