"""How the benches of compression train: the same steps, batches and shifts for all networks that they compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from pocketlab.compression.distillation import distillation_loss
from pocketlab.data.digits import Digits
from pocketlab.data.models import accuracy

BATCH, RATE = 128, 1e-3


def batches(images: Tensor, epochs: int) -> Iterable[tuple[int, Tensor, Tensor]]:
    """The number of each step, the rows of its shuffled batch, and their images, all moved by up to two pixels."""
    step = 0
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(BATCH):
            shift = torch.randint(-2, 3, (2,)).tolist()
            yield step, rows, torch.roll(images[rows], shift, (2, 3))
            step += 1


def steps_per_epoch(digits: Digits) -> int:
    return -(-len(digits.train_labels) // BATCH)


def train(
    model: nn.Module,
    digits: Digits,
    epochs: int,
    teacher: nn.Module | None = None,
    after: Callable[[int, int], None] | None = None,
    *,
    rate: float = RATE,
    answers: Tensor | None = None,
) -> None:
    """Train in place, from the labels, from them and a teacher, or from a teacher's answers (count, classes) alone."""
    images = torch.from_numpy(digits.normalize(digits.train_images))
    labels = torch.from_numpy(digits.train_labels)
    steps = epochs * steps_per_epoch(digits)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    model.train()
    for step, rows, shifted in batches(images, epochs):
        logits = model(shifted)
        if answers is not None:
            loss = distillation_loss(logits, answers[rows], None, temperature=3.0)
        elif teacher is not None:
            with torch.no_grad():
                wanted = teacher(shifted)
            loss = distillation_loss(logits, wanted, labels[rows], temperature=3.0, alpha=0.7)
        else:
            loss = nn.functional.cross_entropy(logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if after:
            after(step, steps)
    model.eval()


def right(model: nn.Module, digits: Digits) -> float:
    """Right answers in percent of the test digits."""
    with torch.no_grad():
        logits = model(torch.from_numpy(digits.normalize(digits.test_images))).numpy()
    return 100 * accuracy(logits, digits.test_labels)
