"""What the networks learn in a few seconds, so that their scores mean something, and 1,000 new inputs.

Scores of random weights are near-ties, which say nothing about precision. Images and sequences are handwritten digits; sounds,
shapes and sentences are made here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import mil_networks
import mil_sequences
import mil_transformers
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketlab.data.digits import load_digits

COUNT, BATCH = 1000, 50


@dataclass(frozen=True)
class Task:
    """A trained network with `COUNT` new inputs, a tensor for each argument, and the scores that torch gives them in float32.

    labels: the right answers, which the training did not see; -1 where there is none.
    """

    model: nn.Module
    inputs: tuple[Tensor, ...]
    scores: Tensor
    labels: Tensor

    @property
    def accuracy(self) -> float:
        counted = self.labels >= 0
        return float((self.scores.argmax(1) == self.labels)[counted].float().mean())

    def batches(self) -> list[tuple[Tensor, ...]]:
        """The inputs in batches of `BATCH`."""
        return list(zip(*(tensor.split(BATCH) for tensor in self.inputs), strict=True))


Data = tuple[tuple[Tensor, ...], Tensor]
"""Inputs, a tensor for each argument of the network, and labels (count,) or (count, …); -1 counts for nothing."""


@functools.cache
def task(name: str) -> Task:
    """Train a network of `TASKS` on one thread, and give it the inputs that it did not see."""
    build, data, epochs, rate = TASKS[name]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        model = build()
        (seen, answers), (inputs, labels) = data()
        _train(model, seen, answers, epochs, rate)
        with torch.inference_mode():
            parts = zip(*(tensor.split(BATCH) for tensor in inputs), strict=True)
            scores = torch.cat([_by_class(model(*part), labels) for part in parts])
        return Task(model, inputs, scores, labels)
    finally:
        torch.set_num_threads(threads)


def _train(model: nn.Module, inputs: tuple[Tensor, ...], labels: Tensor, epochs: int, rate: float) -> None:
    batch = 32
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    steps = epochs * -(-len(labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(batch):
            scores = _by_class(model(*(tensor[rows] for tensor in inputs)), labels)
            loss = F.cross_entropy(scores, labels[rows], ignore_index=-1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()


def _by_class(scores: Tensor, labels: Tensor) -> Tensor:
    """Return scores with the classes on axis 1; those of sentences come last, (batch, time, classes)."""
    return scores.transpose(1, 2) if labels.ndim == 2 else scores


# --- Data -------------------------------------------------------------------------------------------------------------


def digits_at(transform: Callable[[Tensor], tuple[Tensor, ...]]) -> Callable[[], tuple[Data, Data]]:
    """Return the handwritten digits, transformed: 797 to train on, and 1,000 others."""

    def data() -> tuple[Data, Data]:
        digits = load_digits()
        images = torch.from_numpy(digits.normalize(digits.train_images)), torch.from_numpy(digits.normalize(digits.test_images))
        labels = torch.cat([torch.from_numpy(digits.train_labels), torch.from_numpy(digits.test_labels)])
        inputs = transform(torch.cat(images))
        return (tuple(t[COUNT:] for t in inputs), labels[COUNT:]), (tuple(t[:COUNT] for t in inputs), labels[:COUNT])

    return data


def enlarged(images: Tensor) -> tuple[Tensor, ...]:
    """8×8 to 32×32, as a camera would see them."""
    return (F.interpolate(images, scale_factor=4, mode="bilinear", align_corners=False),)


def enlarged_in_color(images: Tensor) -> tuple[Tensor, ...]:
    """8×8 to 64×64, with three channels."""
    return (F.interpolate(images, scale_factor=8, mode="bilinear", align_corners=False).repeat(1, 3, 1, 1),)


def rows(images: Tensor) -> tuple[Tensor, ...]:
    """A sequence of 8 rows, 8 numbers each."""
    return (images[:, 0],)


def padded_rows(images: Tensor, length: int = 12) -> tuple[Tensor, ...]:
    """The rows at the end of 0 to 4 steps of noise, with the mask that tells them apart."""
    generator = torch.Generator().manual_seed(1)
    padding = torch.randint(length - 8 + 1, (len(images), 1), generator=generator)
    step = torch.arange(length)
    mask = (step < 8 + padding) & (step >= padding)
    x = 3 * torch.randn(len(images), length, 8, generator=generator)
    x[mask] = images[:, 0].reshape(-1, 8)
    return x, mask.float()


def shapes() -> tuple[Data, Data]:
    """Discs (1) and squares (2) on a noisy ground (0), 32×32, with the class of each pixel."""
    count, size, generator = 600 + COUNT, 32, torch.Generator().manual_seed(2)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=generator)

    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    labels = torch.zeros(count, size, size, dtype=torch.long)
    for shape in (1, 2):
        dy, dx, radius = y - uniform(6, 26), x - uniform(6, 26), uniform(4, 7)
        inside = dy**2 + dx**2 < radius**2 if shape == 1 else (dy.abs() < radius) & (dx.abs() < radius)
        labels[inside] = shape
    brightness = torch.tensor([0.0, 1.5, -1.5])[labels]
    images = (brightness + 0.3 * torch.randn(count, size, size, generator=generator))[:, None]
    return ((images[COUNT:],), labels[COUNT:]), ((images[:COUNT],), labels[:COUNT])


def sounds() -> tuple[Data, Data]:
    """Half a second at 8 kHz, in noise: a low, middle or high tone, a chirp up or down, two tones, a beat, or noise alone."""
    count, samples, generator = 800 + COUNT, 4096, torch.Generator().manual_seed(3)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, generator=generator)

    def tone(start: Tensor, end: Tensor) -> Tensor:
        return torch.sin(2 * torch.pi * (start * time + (end - start) * time**2 / 2 / time[-1]) + phase)

    time, phase = torch.arange(samples) / 8000, uniform(0, 6.28)
    low, middle, high = uniform(250, 450), uniform(900, 1300), uniform(2400, 3200)
    beat = 0.5 * (1 + torch.sin(2 * torch.pi * uniform(8, 14) * time))
    kinds = [tone(low, low), tone(middle, middle), tone(high, high), tone(low, high), tone(high, low)]
    kinds += [0.6 * (tone(low, low) + tone(high, high)), beat * tone(middle, middle), torch.zeros(count, samples)]
    labels = torch.randint(len(kinds), (count,), generator=generator)
    waves = torch.stack(kinds, 1)[torch.arange(count), labels] * uniform(0.3, 1)
    waves = waves + 0.05 * torch.randn(count, samples, generator=generator)
    return ((waves[COUNT:],), labels[COUNT:]), ((waves[:COUNT],), labels[:COUNT])


def sentences() -> tuple[Data, Data]:
    """Sentences of 5 words, 4 of them in a row: one of 4 verbs, one of 20 nouns, and the 3 nouns that follow from both.

    Each verb has its own order of the nouns. The label of a word is the next one where the sentence decides it.
    """
    count, generator = 1000 + COUNT, torch.Generator().manual_seed(4)
    orders = torch.stack([torch.randperm(20, generator=generator) for _ in range(4)])
    parts, answers = [], []
    for _ in range(4):
        verb = torch.randint(4, (count,), generator=generator)
        words = [torch.randint(20, (count,), generator=generator)]
        for _ in range(3):
            words.append(orders[verb, words[-1]])
        parts += [20 + verb, *words]
        answers += [torch.full((count,), -1), *words[1:], torch.full((count,), -1)]
    tokens, labels = torch.stack(parts, 1)[:, :-1], torch.stack(answers, 1)[:, :-1]
    return ((tokens[COUNT:],), labels[COUNT:]), ((tokens[:COUNT],), labels[:COUNT])


def topics() -> tuple[Data, Data]:
    """8 to 16 words, half of them of one of 5 topics of 30 words each, then padding; and the mask that BERT adds to scores."""
    count, length, generator = 800 + COUNT, 16, torch.Generator().manual_seed(5)
    labels = torch.randint(5, (count,), generator=generator)
    words = torch.randint(200, (count, length), generator=generator)
    of_topic = 30 * labels[:, None] + torch.randint(30, (count, length), generator=generator)
    tokens = torch.where(torch.rand(count, length, generator=generator) < 0.5, of_topic, words).int()
    end = torch.randint(8, length + 1, (count, 1), generator=generator)
    mask = torch.where(torch.arange(length) < end, 0.0, -1e4)[:, None, None]
    return ((tokens[COUNT:], mask[COUNT:]), labels[COUNT:]), ((tokens[:COUNT], mask[:COUNT]), labels[:COUNT])


TASKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Data, Data]], int, float]] = {
    "mobilenet_v2": (mil_networks.MobileNetV2, digits_at(enlarged), 8, 1e-2),
    "mobilenet_v3": (mil_networks.MobileNetV3, digits_at(enlarged), 8, 1e-2),
    "resnet": (mil_networks.ResNet, digits_at(enlarged), 8, 1e-2),
    "unet": (mil_networks.UNet, shapes, 3, 1e-2),
    "audio": (mil_networks.AudioNet, sounds, 4, 1e-2),
    "lstm": (mil_sequences.LSTMClassifier, digits_at(rows), 15, 2e-2),
    "gru": (mil_sequences.GRUClassifier, digits_at(rows), 15, 2e-2),
    "transformer": (mil_sequences.TransformerEncoder, digits_at(padded_rows), 15, 5e-3),
    "mobilevit": (mil_transformers.mobilevit, digits_at(enlarged_in_color), 4, 5e-3),
    "bert": (mil_transformers.bert, topics, 6, 2e-3),
    "llama": (mil_sequences.Llama, sentences, 10, 1e-2),
}
"""By name: what builds a network, its data, how many epochs it trains, and the highest learning rate."""
