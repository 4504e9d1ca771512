"""The training loop that labs share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pocketlab.data.training import fit


def some_task(count: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(count, 6, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] + x[:, 1] > 0).long()


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))


def test_it_learns_and_a_seed_gives_the_same_weights_again() -> None:
    x, y = some_task()
    first, second, other = (fit(small(), x, y, epochs=30, seed=seed) for seed in (3, 3, 4))
    assert not first.training
    assert float((first(x).argmax(1) == y).float().mean()) > 0.95
    assert torch.equal(first[0].weight, second[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)


def test_a_loss_may_take_any_target() -> None:
    x, _ = some_task()
    target = torch.stack([x[:, 0], -x[:, 1]], 1)
    seen = []

    def squared(logits: torch.Tensor, inputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        seen.append((logits.shape, inputs.shape, wanted.shape))
        return nn.functional.mse_loss(logits, wanted)

    net = fit(small(), x, target, epochs=30, loss=squared, seed=0)
    assert seen[0] == ((64, 2), (64, 6), (64, 2))
    assert float(nn.functional.mse_loss(net(x), target)) < 0.05


def test_steps_are_told_and_threads_put_back() -> None:
    x, y = some_task(100)
    before, steps = torch.get_num_threads(), []
    fit(small(), x, y, epochs=2, batch=40, after_step=lambda step, all_of_them: steps.append((step, all_of_them)))
    assert steps == [(step, 6) for step in range(1, 7)]
    assert torch.get_num_threads() == before


def test_a_shift_moves_pictures_by_so_many_pixels_at_most() -> None:
    x = torch.zeros(4, 1, 9, 9)
    x[:, :, 4, 4] = 1
    places = set()

    def note(logits: torch.Tensor, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        places.update(map(tuple, inputs.nonzero()[:, 2:].tolist()))
        return nn.functional.cross_entropy(logits, labels)

    fit(nn.Sequential(nn.Flatten(), nn.Linear(81, 2)), x, torch.zeros(4).long(), epochs=200, shift=2, loss=note, seed=0)
    assert places == {(row, column) for row in range(2, 7) for column in range(2, 7)}


def test_only_what_requires_a_gradient_is_trained() -> None:
    x, y = some_task()
    net = small()
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    fit(net, x, y, epochs=1)
    assert torch.equal(net[0].weight, before)


def test_inputs_without_labels_are_refused() -> None:
    x, y = some_task()
    for inputs, labels in ((x[:0], y[:0]), (x, y[:5])):
        with pytest.raises(ValueError, match="a label for each input"):
            fit(small(), inputs, labels, epochs=1)
