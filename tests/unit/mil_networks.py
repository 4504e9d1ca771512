"""Small but honest networks of every kind that people put on a phone, for the parity tests of the Core ML interpreter.

Each is built as its paper has it, only narrower: what a converter makes of the real one's operators, it makes of these.
`mil_tasks` has data on which each trains in seconds.
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
        middle = self.down[1](F.max_pool2d(wide, 2))
        x = self.bottom(F.max_pool2d(middle, 2))
        x = self.up[0](torch.cat([self.transposed(x), middle], 1))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.scores(self.up[1](torch.cat([self.narrow(x), wide], 1)))


# --- Sequences and sound ----------------------------------------------------------------------------------------------


class LSTMClassifier(nn.Module):
    """A bidirectional LSTM; its last state in each direction is classified. x: (batch, time, features)."""

    def __init__(self, features: int = 8, hidden: int = 32, classes: int = 10) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(2 * hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        _, (state, _) = self.lstm(x)
        return self.classifier(torch.cat([state[0], state[1]], 1))


class GRUClassifier(nn.Module):
    """Two layers of GRU; what the upper one says at the end is classified. x: (batch, time, features)."""

    def __init__(self, features: int = 8, hidden: int = 48, classes: int = 10) -> None:
        super().__init__()
        self.gru = nn.GRU(features, hidden, num_layers=2, batch_first=True)
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.gru(x)[0][:, -1])


class EncoderLayer(nn.Module):
    """Self attention and a feed-forward net, each on a normalized input and added to it."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.feed = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        batch, length, dim = x.shape
        qkv = self.qkv(self.attention_norm(x)).reshape(batch, length, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        heads = F.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        x = x + self.out(heads.transpose(1, 2).reshape(batch, length, dim))
        return x + self.feed(self.feed_norm(x))


class TransformerEncoder(nn.Module):
    """x: (batch, time, features), mask: (batch, time), 1 where x counts and 0 where it is padding; logits (batch, classes)."""

    def __init__(
        self, features: int = 8, length: int = 12, dim: int = 32, heads: int = 4, layers: int = 2, classes: int = 10
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(features, dim)
        self.position = nn.Parameter(0.1 * torch.randn(length, dim))
        self.layers = nn.ModuleList([EncoderLayer(dim, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)
        self.classifier = nn.Linear(dim, classes)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        attended = (mask > 0)[:, None, None, :]
        x = self.embed(x) + self.position
        for layer in self.layers:
            x = layer(x, attended)
        counted = mask.unsqueeze(-1).to(x.dtype)
        return self.classifier((self.norm(x) * counted).sum(1) / counted.sum(1))


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


# --- Llama ------------------------------------------------------------------------------------------------------------


class RMSNorm(nn.Module):
    """Divide by the root of the mean square (Zhang and Sennrich 2019)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn pairs of features by an angle that grows with the position (RoPE, Su et al. 2021, in Llama's order)."""
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat([-second, first], -1) * sine


class LlamaLayer(nn.Module):
    """Grouped-query attention and SwiGLU, each on an RMS-normalized input (Touvron et al. 2023)."""

    def __init__(self, dim: int, heads: int, kv_heads: int) -> None:
        super().__init__()
        self.size, self.groups = dim // heads, heads // kv_heads
        self.attention_norm, self.feed_norm = RMSNorm(dim), RMSNorm(dim)
        self.query, self.out = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, kv_heads * self.size, bias=False)
        self.value = nn.Linear(dim, kv_heads * self.size, bias=False)
        self.gate, self.up = nn.Linear(dim, 2 * dim, bias=False), nn.Linear(dim, 2 * dim, bias=False)
        self.down = nn.Linear(2 * dim, dim, bias=False)

    def projections(self, x: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value (batch, heads, time, size) of x; the first two turned by their positions."""
        x = self.attention_norm(x)
        query, key, value = (
            projection(x).unflatten(-1, (-1, self.size)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        return rotate(query, cosine, sine), rotate(key, cosine, sine), value

    def attend(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Return x with what attention and then the feed-forward net add. mask: 0 where a query sees a key, else very low."""
        key, value = (t.repeat_interleave(self.groups, 1) for t in (key, value))
        heads = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.out(heads.transpose(1, 2).flatten(2))
        fed = self.feed_norm(x)
        return x + self.down(F.silu(self.gate(fed)) * self.up(fed))


class Llama(nn.Module):
    """tokens (batch, time) to next-token logits (batch, time, vocabulary), everything computed anew at each call."""

    def __init__(
        self, vocabulary: int = 24, context: int = 32, dim: int = 32, heads: int = 4, kv_heads: int = 2, layers: int = 2
    ) -> None:
        super().__init__()
        self.context = context
        self.embed = nn.Embedding(vocabulary, dim)
        self.layers = nn.ModuleList([LlamaLayer(dim, heads, kv_heads) for _ in range(layers)])
        self.norm = RMSNorm(dim)
        self.scores = nn.Linear(dim, vocabulary, bias=False)
        half = dim // heads // 2
        angle = torch.outer(torch.arange(context), 10000.0 ** (-torch.arange(half) / half)).repeat(1, 2)
        self.register_buffer("cosine", angle.cos())
        self.register_buffer("sine", angle.sin())

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = causal_mask(length, length)
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer.attend(x, *layer.projections(x, self.cosine[:length], self.sine[:length]), mask)
        return self.scores(self.norm(x))


class CachedLlama(nn.Module):
    """The same with keys and values kept in two buffers, which Core ML takes for states: only new tokens are computed.

    tokens: (batch, new), mask: (1, 1, new, seen so far + new). As in Apple's "On Device Llama 3.1 with Core ML" (2024) the
    mask's size says how many tokens were seen before.
    """

    def __init__(self, llama: Llama, batch: int) -> None:
        super().__init__()
        self.llama = llama
        layer = llama.layers[0]
        shape = (len(llama.layers), batch, layer.key.out_features // layer.size, llama.context, layer.size)
        self.register_buffer("keys", torch.zeros(shape))
        self.register_buffer("values", torch.zeros(shape))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        end = mask.shape[-1]
        start = end - tokens.shape[-1]
        llama = self.llama
        x = llama.embed(tokens)
        for index, layer in enumerate(llama.layers):
            query, key, value = layer.projections(x, llama.cosine[start:end], llama.sine[start:end])
            self.keys[index, :, :, start:end] = key
            self.values[index, :, :, start:end] = value
            x = layer.attend(x, query, self.keys[index, :, :, :end], self.values[index, :, :, :end], mask)
        return llama.scores(llama.norm(x))


def causal_mask(new: int, end: int) -> Tensor:
    """Return (1, 1, new, end): 0 where a token sees itself and those before it, -10,000 (which float16 holds) elsewhere."""
    return torch.full((new, end), -1e4).triu(end - new + 1)[None, None]
