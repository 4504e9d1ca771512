"""The small networks that labs convert, compress and run. Nothing here is downloaded; each trains in seconds.

This module is PyTorch throughout, so it imports it at the top; import it where a network is needed, and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from pocketlab.data.training import fit

if TYPE_CHECKING:
    from pocketlab.data.digits import Digits


def depthwise_separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3×3 filter per channel, then a 1×1 mix of channels: MobileNet's block (Howard et al. 2017, section 3.1)."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU6(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class DigitsNet(nn.Module):
    """A MobileNet in miniature: x (batch, channels, height, width), normalized, to logits (batch, classes).

    `width` multiplies the number of channels; `channels` is 1 for gray digits and 3 for color images.
    """

    def __init__(self, width: int = 1, channels: int = 1, classes: int = 10) -> None:
        super().__init__()
        w = 16 * width
        self.features = nn.Sequential(
            nn.Conv2d(channels, w, 3, padding=1, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU6(),
            depthwise_separable(w, 2 * w),
            depthwise_separable(2 * w, 4 * w, stride=2),
            depthwise_separable(4 * w, 4 * w),
        )
        self.classifier = nn.Linear(4 * w, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes)."""
        return self.classifier(self.features(x).mean((2, 3)))


def lenet_300_100() -> nn.Sequential:
    """LeNet-300-100: two hidden layers for digits of 28×28, 267,000 parameters (LeCun et al. 1998; Han et al. 2015)."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def lenet_5() -> nn.Sequential:
    """LeNet-5 as Caffe has it: two convolutions, two linear layers, 431,000 parameters (Jia et al. 2014; Han et al. 2015)."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


def train_digits(digits: Digits, *, epochs: int = 10, seed: int = 0) -> DigitsNet:
    """Train a `DigitsNet` on the training images; return it in evaluation mode. A seed gives the same weights again."""
    torch.manual_seed(seed)
    images = torch.from_numpy(digits.normalize(digits.train_images))
    net = DigitsNet()
    fit(net, images, torch.from_numpy(digits.train_labels), epochs=epochs)
    return net


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows of logits (count, classes) whose largest entry is at the label (count,)."""
    return float((np.asarray(logits).argmax(1) == np.asarray(labels)).mean())
