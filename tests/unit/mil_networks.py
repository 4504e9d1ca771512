"""Small but honest convolutional networks for images and sound, for the parity tests of the Core ML interpreter.

Each is built as its paper has it, only narrower: what a converter makes of the real one's operators, it makes of these.
`mil_sequences` has the others, and `mil_tasks` data on which each trains in seconds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# --- Images -----------------------------------------------------------------------------------------------------------


def conv_block(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: type = nn.ReLU6
) -> nn.Sequential:
    """Convolution, batch norm, activation."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), act())


class SqueezeExcite(nn.Module):
    """Scale each channel by what all of them together say (Hu et al. 2018; hard sigmoid as in MobileNetV3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, max(4, channels // 4), 1)
        self.excite = nn.Conv2d(max(4, channels // 4), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))
        return x * F.hardsigmoid(self.excite(scale))


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project linearly; add the input where shapes allow (Sandler et al. 2018)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        expand: int,
        kernel: int = 3,
        act: type = nn.ReLU6,
        se: bool = False,
    ) -> None:
        super().__init__()
        hidden = inputs * expand
        layers = [conv_block(inputs, hidden, 1, act=act)] if expand > 1 else []
        layers.append(conv_block(hidden, hidden, kernel, stride, groups=hidden, act=act))
        if se:
            layers.append(SqueezeExcite(hidden))
        self.layers = nn.Sequential(*layers, nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class MobileNetV2(nn.Module):
    """x: (batch, channels, height, width) to logits (batch, classes). `width` multiplies the channels."""

    def __init__(
        self, width: int = 8, channels: int = 1, classes: int = 10, blocks: tuple[int, ...] = (1, 2, 2)
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_block(channels, width, stride=2), InvertedResidual(width, width, 1, 1)]
        inputs = width
        for stage, repeats in enumerate(blocks):
            outputs = width * 3 * 2**stage // 2
            for repeat in range(repeats):
                layers.append(InvertedResidual(inputs, outputs, 2 if repeat == 0 else 1, 6 if inputs > width else 4))
                inputs = outputs
        self.features = nn.Sequential(*layers, conv_block(inputs, 8 * width, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(8 * width, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


class MobileNetV3(nn.Module):
    """MobileNetV2 with hard swish, squeeze-and-excite and a wider head (Howard et al. 2019)."""

    def __init__(self, width: int = 8, channels: int = 1, classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_block(channels, width, stride=2, act=nn.Hardswish),
            InvertedResidual(width, width, 1, 1, act=nn.ReLU, se=True),
            InvertedResidual(width, 2 * width, 2, 4, act=nn.ReLU),
            InvertedResidual(2 * width, 2 * width, 1, 4, kernel=5, act=nn.Hardswish, se=True),
            InvertedResidual(2 * width, 3 * width, 2, 4, kernel=5, act=nn.Hardswish, se=True),
            conv_block(3 * width, 8 * width, 1, act=nn.Hardswish),
        )
        self.classifier = nn.Sequential(
            nn.Linear(8 * width, 12 * width), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(12 * width, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(self.features(x), 1), 1))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut, which a 1×1 convolution fits where shapes change (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv_block(inputs, outputs, 3, stride, act=nn.ReLU)
        self.second = conv_block(outputs, outputs, 3, act=nn.Identity)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_block(inputs, outputs, 1, stride, act=nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet(nn.Module):
    """A 7×7 stem, max pooling and stages of two blocks, as in ResNet-18."""

    def __init__(self, width: int = 8, channels: int = 1, classes: int = 10, stages: int = 3) -> None:
        super().__init__()
        layers = [conv_block(channels, width, 7, 2, act=nn.ReLU), nn.MaxPool2d(3, 2, 1)]
        inputs = width
        for stage in range(stages):
            outputs = width * 2**stage
            layers += [BasicBlock(inputs, outputs, 2 if stage else 1), BasicBlock(outputs, outputs, 1)]
            inputs = outputs
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class UNet(nn.Module):
    """Down, up again, what was lost on the way put back (Ronneberger et al. 2015); scores (batch, classes, height, width).

    The lower step up is a transposed convolution, as in the paper, the upper one bilinear, as many have it since.
    """

    def __init__(self, width: int = 8, channels: int = 1, classes: int = 3) -> None:
        super().__init__()
        self.down = nn.ModuleList([self._pair(channels, width), self._pair(width, 2 * width)])
        self.bottom = self._pair(2 * width, 4 * width)
        self.transposed = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.narrow = nn.Conv2d(2 * width, width, 1)
        self.up = nn.ModuleList([self._pair(4 * width, 2 * width), self._pair(2 * width, width)])
        self.scores = nn.Conv2d(width, classes, 1)

    @staticmethod
    def _pair(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(conv_block(inputs, outputs, act=nn.ReLU), conv_block(outputs, outputs, act=nn.ReLU))

    def forward(self, x: Tensor) -> Tensor:
        wide = self.down[0](x)
        middle = self.down[1](F.max_pool2d(wide, 2, 2))
        x = self.bottom(F.max_pool2d(middle, 2, 2))
        x = self.up[0](torch.cat([self.transposed(x), middle], 1))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.scores(self.up[1](torch.cat([self.narrow(x), wide], 1)))


# --- Sound -----------------------------------------------------------------------------------------------------------


class AudioNet(nn.Module):
    """Waveform (batch, samples) to logits. The STFT is two strided convolutions, since Core ML has no FFT and no complex numbers.

    Each has the window times a cosine or sine as its kernel; power, mel bands and logarithm follow, then a small convnet.
    """

    def __init__(
        self, rate_hz: int = 8000, size: int = 256, hop: int = 128, bands: int = 32, width: int = 8, classes: int = 8
    ) -> None:
        super().__init__()
        self.hop = hop
        angle = 2 * torch.pi * torch.outer(torch.arange(size // 2 + 1), torch.arange(size)) / size
        window = (
            torch.hann_window(size) * 2 / size**0.5
        )  # scaled so that float16 holds the power of loud and soft alike
        self.register_buffer("cosines", (window * angle.cos())[:, None])
        self.register_buffer("sines", (window * angle.sin())[:, None])
        self.register_buffer("mel", mel_matrix(rate_hz, size, bands))
        self.layers = nn.Sequential(
            conv_block(1, width, stride=2, act=nn.ReLU),
            conv_block(width, 2 * width, stride=2, act=nn.ReLU),
            conv_block(2 * width, 4 * width, act=nn.ReLU),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4 * width, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(1)
        power = F.conv1d(x, self.cosines, stride=self.hop) ** 2 + F.conv1d(x, self.sines, stride=self.hop) ** 2
        return self.layers(torch.log(torch.matmul(self.mel, power) + 1e-2).unsqueeze(1))


def mel_matrix(rate_hz: int, size: int, bands: int) -> Tensor:
    """Return triangles (bands, size // 2 + 1) over frequency, evenly spaced in mel = 2595 log10(1 + f / 700)."""
    highest = 2595 * torch.log10(torch.tensor(1 + rate_hz / 2 / 700))
    edges = 700 * (10 ** (torch.linspace(0, highest, bands + 2) / 2595) - 1)
    frequency = torch.linspace(0, rate_hz / 2, size // 2 + 1)
    rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)
