"""A training loop for small classifiers: enough for a lab, and the same for every variant that a lab compares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def fit(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    rate: float = 1e-2,
    batch: int = 64,
    shift: int = 0,
    seed: int | None = None,
    loss: Loss | None = None,
    after_step: Callable[[int, int], None] | None = None,
) -> nn.Module:
    """Train a model in place by AdamW with a learning rate that rises to `rate` and falls again; return it for evaluation.

    inputs: (count, …); labels: (count,), or whatever `loss` takes, such as a teacher's logits. shift: move each batch of
    pictures by up to so many pixels, at random. loss: from the logits, inputs and labels of a batch; the cross entropy if it is
    not given. after_step: called with the number of the step just done, from 1, and that of all steps. A seed gives the same
    weights again; without one, torch's random numbers go on. One thread computes.
    Raises ValueError for no inputs, or another number of labels.
    """
    if len(inputs) == 0 or len(inputs) != len(labels):
        raise ValueError(f"Give a label for each input, and at least one; got {len(inputs)} and {len(labels)}.")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a net gains nothing from a second one, and loses much on a busy machine
    try:
        if seed is not None:
            torch.manual_seed(seed)
        _fit(model.train(), inputs, labels, epochs, rate, batch, shift, loss or _cross_entropy, after_step)
    finally:
        torch.set_num_threads(threads)
    return model.eval()


def _fit(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    epochs: int,
    rate: float,
    batch: int,
    shift: int,
    loss: Loss,
    after_step: Callable[[int, int], None] | None,
) -> None:
    steps = epochs * -(-len(labels) // batch)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    step = 0
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(batch):
            x = inputs[rows]
            if shift:
                x = torch.roll(x, torch.randint(-shift, shift + 1, (2,)).tolist(), (2, 3))
            value = loss(model(x), x, labels[rows])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
            step += 1
            if after_step:
                after_step(step, steps)


def _cross_entropy(logits: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, labels)
