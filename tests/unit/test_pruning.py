from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pocketlab.compression.pruning import (
    MovementScores,
    apply_masks,
    global_masks,
    gradual_sparsity,
    lowest_mask,
    magnitude_mask,
    n_m_mask,
    prunable_weights,
    rewind,
    sparsity,
)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


def test_only_weights_of_convolutions_and_linear_layers_are_pruned(net):
    assert list(prunable_weights(net)) == ["0.weight", "3.weight"]
    assert list(prunable_weights(nn.Linear(2, 2))) == ["weight"]


@given(st.integers(1, 60), st.floats(0, 0.999), st.integers(0, 10_000))
def test_magnitude_drops_exactly_the_share_and_only_the_smallest(count, share, seed):
    w = torch.randn(count, generator=torch.Generator().manual_seed(seed))
    mask = magnitude_mask(w, share)
    assert int((~mask).sum()) == round(share * count)
    if mask.any() and not mask.all():
        assert w[mask].abs().min() >= w[~mask].abs().max()


def test_ties_are_broken_by_place_and_the_count_is_kept():
    assert magnitude_mask(torch.ones(2, 2), 0.5).tolist() == [[False, False], [True, True]]


def test_global_masks_compare_all_layers():
    layers = {"small": torch.full((4,), 0.1), "large": torch.tensor([-5.0, 4.0, 3.0, 0.01])}
    masks = global_masks(layers, 0.5)
    assert masks["large"].tolist() == [True, True, True, False]
    assert masks["small"].sum() == 1
    assert all(mask.sum() == 2 for mask in (magnitude_mask(w, 0.5) for w in layers.values()))


def test_gradual_sparsity_follows_the_cubic_of_the_paper():
    due = [gradual_sparsity(step, begin=10, end=20, final=0.8, initial=0.2) for step in (0, 10, 15, 20, 99)]
    assert due == pytest.approx([0.2, 0.2, 0.8 - 0.6 * 0.5**3, 0.8, 0.8])


def test_two_of_four_keeps_two_of_every_four_inputs():
    w = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))
    mask = n_m_mask(w, 2, 4)
    assert mask.shape == w.shape
    groups = mask.movedim(1, -1).unflatten(-1, (2, 4))
    assert (groups.sum(-1) == 2).all()
    assert n_m_mask(torch.tensor([[1.0, -4.0, 3.0, 2.0]]), 2, 4).tolist() == [[False, True, True, False]]


def test_movement_keeps_what_grows():
    w = nn.Parameter(torch.tensor([1.0, 1.0, -1.0, 0.01]))
    moved = MovementScores({"w": w})
    optimizer = torch.optim.SGD([w], lr=0.1)
    for _ in range(3):
        loss = (w * torch.tensor([1.0, -1.0, 1.0, 0.0])).sum()  # pushes the entries down, up, down, nowhere
        optimizer.zero_grad()
        loss.backward()
        moved.add()
        optimizer.step()
    assert lowest_mask(moved.scores["w"], 0.5).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="no gradient"):
        MovementScores({"w": nn.Parameter(torch.ones(1))}).add()


def test_masks_stay_only_while_they_are_applied(net):
    masks = {name: magnitude_mask(w, 0.75) for name, w in prunable_weights(net).items()}
    apply_masks(net, masks)
    assert sparsity(net) == pytest.approx(0.75, abs=0.01)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.rand(8, 1, 4, 4)).square().sum().backward()
    optimizer.step()
    assert sparsity(net) < 0.7
    apply_masks(net, masks)
    assert sparsity(net) == pytest.approx(0.75, abs=0.01)


def test_a_ticket_has_the_early_weights_where_its_mask_is_true(net):
    early = copy.deepcopy(net.state_dict())
    with torch.no_grad():
        for weight in net.parameters():
            weight += torch.randn_like(weight)
    masks = {"3.weight": magnitude_mask(net[3].weight, 0.5)}
    rewind(net, early, masks)
    assert torch.equal(net[3].weight, early["3.weight"] * masks["3.weight"])
    assert torch.equal(net[0].weight, early["0.weight"])


@pytest.mark.parametrize("share", [1.0, -0.1, 1.5, float("nan")])
def test_impossible_shares_are_told(share):
    for call in (magnitude_mask, lowest_mask, lambda w, s: global_masks({"w": w}, s)):
        with pytest.raises(ValueError, match="from 0 to below 1"):
            call(torch.ones(4), share)


@pytest.mark.parametrize("bad", [torch.tensor([]), torch.tensor([1.0, float("nan")])])
def test_scores_that_are_no_numbers_are_told(bad):
    for call in (magnitude_mask, lowest_mask, lambda w, s: global_masks({"w": w}, s)):
        with pytest.raises(ValueError, match="NaN or none"):
            call(bad, 0.5)


def test_what_does_not_fit_changes_nothing(net):
    before = copy.deepcopy(net.state_dict())
    good = torch.zeros(4, 1, 3, 3, dtype=torch.bool)
    for call, message in (
        (lambda: apply_masks(net, {"0.weight": good, "9.weight": good}), "no weight of that name"),
        (lambda: apply_masks(net, {"0.weight": good, "3.weight": good}), r"model has \(2, 16\)"),
        (lambda: rewind(net, {}, {}), "not this model's"),
        (lambda: rewind(net, before, {"0.weight": good, "3.weight": good}), r"model has \(2, 16\)"),
        (lambda: n_m_mask(torch.ones(2, 6), 2, 4), "do not divide"),
        (lambda: n_m_mask(torch.ones(2, 4), 5, 4), "5 of 4"),
        (lambda: n_m_mask(torch.ones(4), 2, 4), "do not divide"),
        (lambda: gradual_sparsity(0, begin=5, end=5, final=0.5), "before it ends"),
        (lambda: gradual_sparsity(0, begin=0, end=5, final=1.0), "below 1"),
        (lambda: global_masks({}, 0.5), "nothing to prune"),
        (lambda: sparsity(nn.ReLU()), "nothing of it"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
        assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
