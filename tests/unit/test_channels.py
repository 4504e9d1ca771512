from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from pocketlab.compression.channels import (
    channel_groups,
    fisher_scores,
    magnitude_scores,
    multiply_adds,
    prune_channels,
    taylor_importance,
)
from pocketlab.data.models import DigitsNet


class Residual(nn.Module):
    """A sum ties the outputs of two convolutions; a flattening gives each channel 16 inputs of the linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.block = nn.Conv2d(16, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.down = nn.Conv2d(16, 32, 3, 2, padding=1)
        self.hidden = nn.Linear(32 * 16, 24)
        self.answer = nn.Linear(24, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        x = (x + self.norm(self.block(x))).relu()
        return self.answer(self.hidden(self.down(x).relu().flatten(1)).relu())


@pytest.fixture
def nets():
    torch.manual_seed(0)
    return {"residual": Residual().eval(), "depthwise": DigitsNet(2).eval()}


X = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def total(model):
    return sum(multiply_adds(model, X).values())


def test_multiply_adds_by_hand(nets):
    assert multiply_adds(nets["residual"], X) == {
        "stem": 64 * 16 * 9,
        "block": 64 * 16 * 16 * 9,
        "down": 16 * 32 * 16 * 9,
        "hidden": 512 * 24,
        "answer": 24 * 10,
    }
    assert multiply_adds(nets["depthwise"], X)["features.3.0"] == 64 * 32 * 9


def test_ties_are_found(nets):
    groups = {frozenset(group.layers): group for group in channel_groups(nets["residual"], X)}
    tied = groups[frozenset({"stem", "block", "norm", "down"})]
    assert tied.count == 16
    flattened = groups[frozenset({"down", "hidden"})]
    (reader,) = [m for m in flattened.members if m.layer == "hidden"]
    assert reader.axis == 1
    assert reader.channel.tolist() == [c for c in range(32) for _ in range(16)]
    depthwise = [set(group.layers) for group in channel_groups(nets["depthwise"], X)]
    assert any({"features.0", "features.3.0", "features.3.3"} <= layers for layers in depthwise)
    assert not any("answer" in g.layers and g.root == "answer" for g in groups.values())


@pytest.mark.parametrize("name", ["residual", "depthwise"])
@pytest.mark.parametrize("with_loss", [False, True])
def test_the_result_is_a_smaller_module_that_still_trains(nets, name, with_loss):
    net = nets[name]
    before = copy.deepcopy(net.state_dict())
    loss = (lambda model: model(X).square().mean()) if with_loss else None
    pruned = prune_channels(net, X, remaining=0.5, loss=loss)
    assert 0 < total(pruned) <= 0.5 * total(net)
    assert sum(p.numel() for p in pruned.parameters()) < sum(p.numel() for p in net.parameters())
    assert pruned(X).shape == (4, 10)
    pruned(X).square().mean().backward()
    assert all(p.grad is not None for p in pruned.parameters())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    widths = [group.count for group in channel_groups(pruned, X)]
    assert all(width % 8 == 0 for width in widths)


def test_channels_that_do_nothing_go_first_and_the_answer_stays(nets):
    net = nets["residual"]
    with torch.no_grad():
        net.hidden.weight[::3] = 0  # 8 of 24 make zero …
        net.hidden.bias[::3] = 0
        net.answer.weight[:, ::3] = 0  # … which nobody reads
        net.down.weight[:16] = 0
        net.down.bias[:16] = 0
        net.hidden.weight[:, : 16 * 16] = 0
        expected = net(X)
        share = (total(net) - 8 * (256 + 10) - 16 * 16 * 16 * 9 - 24 * 256) / total(net)
        pruned = prune_channels(net, X, remaining=share + 1e-3)
        assert pruned.down.weight.shape[0] == 16
        torch.testing.assert_close(pruned(X), expected, rtol=1e-4, atol=1e-5)


def test_finding_the_groups_leaves_the_mode_of_the_model(nets):
    net = nets["residual"].train()
    channel_groups(net, X)
    assert net.training


def test_scores_are_the_formulas(nets):
    net = nets["residual"]
    group = next(g for g in channel_groups(net, X) if g.root == "down")
    weights = net.down.weight.detach().flatten(1).square().sum(1)
    reading = net.hidden.weight.detach().reshape(24, 32, 16).square().sum((0, 2))
    length = (weights + reading).sqrt()
    torch.testing.assert_close(magnitude_scores(net, group), length / length.mean())


def test_fisher_scores_are_those_of_single_examples_from_the_weights_that_read_a_channel(nets):
    net = nets["residual"]
    groups = channel_groups(net, X)
    net.train()  # the scores are those of evaluation mode all the same
    scores = dict(
        zip([group.root for group in groups], fisher_scores(net, groups, lambda m: m(X).square().mean()), strict=True)
    )
    assert net.training
    assert all(p.grad is None for p in net.parameters())
    net.eval()
    tied, flattened = torch.zeros(16), torch.zeros(32)
    for example in X:
        net.zero_grad()
        net(example[None]).square().mean().backward()
        slopes = {name: m.weight * m.weight.grad for name, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
        tied += (slopes["block"].sum((0, 2, 3)) + slopes["down"].sum((0, 2, 3))).detach().square()
        flattened += slopes["hidden"].reshape(24, 32, 16).sum((0, 2)).detach().square()
    (stream,) = [group.root for group in groups if {"stem", "block", "down"} <= set(group.layers)]
    torch.testing.assert_close(scores[stream], tied / 4 / 2)
    torch.testing.assert_close(scores["down"], flattened / 4 / 2)


def test_fisher_scores_see_what_cancels_in_the_mean():
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0], [1.0]]))
        net[1].weight.copy_(torch.tensor([[2.0, 0.0]]))
    x = torch.tensor([[1.0], [-1.0]])
    (group,) = channel_groups(net, x)
    (scores,) = fisher_scores(net, [group], lambda m: m(x).mean())
    assert scores.tolist() == [2.0, 0.0]  # slopes 2 and -2 by the first channel's gate: half of 4


def test_without_a_loss_the_shortest_channels_go_whatever_they_cost(nets):
    net = nets["residual"]
    with torch.no_grad():
        net.hidden.weight[:8] *= 0.1  # a few multiply-adds, where a channel of the residual sum costs twenty times more
        net.answer.weight[:, :8] *= 0.1
        net.hidden.bias[:8] *= 0.1
    gone = 8 * (512 + 10) / total(net)
    pruned = prune_channels(net, X, remaining=1 - gone + 1e-6, multiple_of=8)
    assert pruned.hidden.weight.shape[0] == 16
    assert pruned.stem.weight.shape[0] == 16


def test_the_last_layer_and_what_is_named_stay_whole(nets):
    pruned = prune_channels(nets["residual"], X, remaining=0.7, keep=["down"])
    assert pruned.down.weight.shape[0] == 32
    assert pruned.answer.weight.shape[0] == 10


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(4, 16)
        self.first = nn.Linear(16, 24)
        self.second = nn.Linear(16, 8)

    def forward(self, x):
        x = self.shared(x).relu()
        return self.first(x), self.second(x)


@pytest.mark.parametrize("loss", [None, lambda m: sum(answer.square().mean() for answer in m(torch.ones(3, 4)))])
def test_each_head_keeps_its_answers(loss):
    pruned = prune_channels(TwoHeads(), torch.ones(1, 4), remaining=0.5, loss=loss)
    assert [tuple(answer.shape) for answer in pruned(torch.ones(2, 4))] == [(2, 24), (2, 8)]
    assert pruned.shared.weight.shape[0] == 8


def test_what_cannot_be_is_told(nets):
    net = nets["residual"]
    for call, message in (
        (lambda: prune_channels(net, X, remaining=0.0), "above 0 and below 1; got 0.0"),
        (lambda: prune_channels(net, X, remaining=1.0), "above 0 and below 1; got 1.0"),
        (lambda: prune_channels(net, X, remaining=0.01), "were asked for"),
        (lambda: prune_channels(net, X, multiple_of=0), "multiple of 1 or more"),
        (lambda: prune_channels(net, X, keep=["norm"]), "'norm' is no convolution"),
        (lambda: channel_groups(nn.ReLU(), X), "no channels to cut"),
        (lambda: prune_channels(nn.Linear(4, 2), torch.ones(1, 4)), "were asked for"),
        (lambda: prune_channels(nn.Linear(4, 2), torch.ones(1, 4), loss=lambda m: m(torch.ones(1, 4)).mean()), "asked for"),
        (lambda: prune_channels(net, X, loss=lambda m: m(X).mean() * torch.nan), "one finite number; got .nan"),
        (lambda: prune_channels(net, X, loss=lambda m: m(X).mean(1)), "one finite number; got"),
        (lambda: prune_channels(net, X, loss=lambda m: m.stem(X).mean()), "run the whole model"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_taylor_importance_is_the_first_order_change_of_the_loss() -> None:
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 3, 3, dtype=torch.float64, requires_grad=True)

    def loss(w: torch.Tensor) -> torch.Tensor:
        return 1e-6 * (w * torch.arange(27.0, dtype=torch.float64).reshape(3, 3, 3)).sin().sum() + w.sum()

    loss(weight).backward()
    found = taylor_importance(weight, weight.grad)
    for channel in range(4):
        without = weight.detach().clone()
        without[channel] = 0
        change = abs(float(loss(weight.detach()) - loss(without)))
        assert float(found[channel]) == pytest.approx(change, abs=2e-4)


def test_taylor_importance_refuses_what_does_not_fit() -> None:
    for weight, gradient, message in (
        (torch.ones(2, 3), torch.ones(3, 2), "one gradient for each entry"),
        (torch.ones(0, 3), torch.ones(0, 3), "one gradient for each entry"),
        (torch.full((2, 3), torch.nan), torch.ones(2, 3), "NaN or an infinity"),
    ):
        with pytest.raises(ValueError, match=message):
            taylor_importance(weight, gradient)
