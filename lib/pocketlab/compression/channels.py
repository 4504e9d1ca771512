"""Structured pruning: take whole channels out, so that the network really becomes smaller and faster on any processor.

A channel is made by one layer and read by others; a residual sum or a depthwise convolution ties the channels of several
layers together, so that they can only go together. torch-pruning finds these ties and cuts the tensors; which channels go is
decided here. Source: Li et al. 2017 (Pruning Filters for Efficient ConvNets); Molchanov et al. 2019 (Importance Estimation
for Neural Network Pruning); Theis et al. 2018 (Faster Gaze Prediction with Dense Networks and Fisher Pruning); Liu et al.
2021 (Group Fisher Pruning); Fang et al. 2023 (DepGraph) for the ties.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

_LAYERS = (nn.Conv2d, nn.Linear)


def multiply_adds(model: nn.Module, example: Tensor) -> dict[str, int]:
    """Return the multiply-adds of each convolution and linear layer for one example (batch of 1), in execution order."""
    found: dict[str, int] = {}

    def count(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            weight = torch.as_tensor(layer.weight)
            positions = output[0].numel() // weight.shape[0]
            found[name] = found.get(name, 0) + positions * weight.numel()

        return hook

    handles = [m.register_forward_hook(count(name)) for name, m in model.named_modules() if isinstance(m, _LAYERS)]
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(example[:1])
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return found


@dataclass(frozen=True)
class Member:
    """A layer's side in a group: its weight's axis 0 (it makes the channels) or 1 (it reads them).

    channel: for each index along the axis, the group's channel that it belongs to (several may, after a flattening).
    """

    layer: str
    axis: int
    channel: Tensor


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that go together: `count` of them, with every layer that makes or reads them. root: a layer that makes them."""

    root: str
    count: int
    members: tuple[Member, ...]
    _cut: Any = field(repr=False, compare=False)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that make or read these channels."""
        return tuple(dict.fromkeys(member.layer for member in self.members))


def channel_groups(model: nn.Module, example: Tensor, *, keep: Sequence[str] = ()) -> list[ChannelGroup]:
    """Return the groups of channels of a model, without those of its last layer and of the layers named in `keep`.

    Channels that no convolution and no linear layer reads are answers of the model, and not among them either.
    example: an input (batch, …). The groups belong to this very model: they are no use after it has been cut.
    Raises ValueError for a name in `keep` that is no layer, or a model with nothing to cut.
    """
    import torch_pruning

    names = {module: name for name, module in model.named_modules()}
    layers = dict(model.named_modules())
    if unknown := [name for name in keep if not isinstance(layers.get(name), _LAYERS)]:
        raise ValueError(f"{unknown[0]!r} is no convolution and no linear layer of the model.")
    order = list(multiply_adds(model, example))
    if not order:
        raise ValueError("The model has no convolution and no linear layer, so it has no channels to cut.")
    ignored = [layers[name] for name in {*keep, order[-1]}]
    training = model.training
    with torch.enable_grad():  # the ties are found by following gradients
        graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=example[:1])
    model.train(training)  # torch-pruning leaves it in evaluation mode
    groups = []
    for group in graph.get_all_groups(ignored_layers=ignored, root_module_types=list(_LAYERS)):
        members = tuple(
            Member(names[item.dep.target.module], _axis(item.dep), torch.tensor(item.root_idxs))
            for item in group
            if isinstance(item.dep.target.module, (*_LAYERS, nn.BatchNorm2d, nn.BatchNorm1d))
        )
        if not any(member.axis == 1 for member in members):
            continue
        root = group[0].dep.target.module
        count = int(root.weight.shape[0])

        def cut(indices: list[int], root: nn.Module = root, function: Any = group[0].dep.handler) -> None:
            graph.get_pruning_group(root, function, indices).prune()

        groups.append(ChannelGroup(names[root], count, members, cut))
    return groups


def magnitude_scores(model: nn.Module, group: ChannelGroup) -> Tensor:
    """Return the length of all weights that belong to each channel of a group, (channels,), over its mean in the group.

    A channel that is weak where it is made and where it is read does little. Source: Li et al. 2017, section 3.1, over all
    members as in Fang et al. 2023, section 3.3.
    """
    total = torch.zeros(group.count)
    for member, weight in _weights(model, group):
        total.index_add_(0, member.channel, weight.square().sum(1))
    return _relative(total.sqrt())


def taylor_importance(weight: Tensor, gradient: Tensor) -> Tensor:
    """Return by how much the loss would change, to first order, without each output channel of a weight: |Σ w·∂L/∂w|.

    weight, gradient: (output channels, …); the result is (output channels,). Weights of one channel that pull the loss in
    opposite directions cancel: the channel goes as a whole, so the magnitude comes after the sum.
    Raises ValueError for other shapes, or a tensor that is empty or not finite.
    Source: Molchanov et al. 2019, equation 8, without the square.
    """
    if weight.shape != gradient.shape or weight.ndim == 0 or not weight.numel():
        raise ValueError(
            f"A weight has one gradient for each entry; they have shapes {tuple(weight.shape)} and {tuple(gradient.shape)}."
        )
    if not bool(weight.isfinite().all() and gradient.isfinite().all()):
        raise ValueError("The weight or its gradient has a NaN or an infinity in it.")
    return (weight * gradient).detach().reshape(len(weight), -1).sum(1).abs()


def fisher_scores(
    model: nn.Module, groups: Sequence[ChannelGroup], loss: Callable[[nn.Module], Tensor]
) -> list[Tensor]:
    """Return by how much the loss would grow without each channel, one tensor (channels,) for each group.

    loss: runs the model on some hundred typical examples, and returns the mean of their losses. Every layer that reads a
    channel sees it through a gate of 1, one for each example, in evaluation mode. The loss's slope by a gate is the sum of
    `taylor_importance` before its magnitude is taken, w·∂L/∂w over the weights that read the channel. For each example the
    slopes of all layers that read the channel are added; the score is half of the mean of their squares. Squares, because
    training has brought the mean itself to about zero, whatever a channel is worth.
    Raises ValueError for a loss that is no finite number or does not run the model.
    Source: Theis et al. 2018, where the Fisher information stands for the second derivative; Liu et al. 2021 for the sum over
    tied channels.
    """
    readers = {member.layer for group in groups for member in group.members if member.axis == 1}
    if not readers:
        return []
    gates: list[tuple[str, Tensor]] = []

    def gated(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            shape = [len(inputs[0])] + [1] * (inputs[0].ndim - 1)
            channels = 1 if isinstance(layer, nn.Conv2d) else -1
            shape[channels] = inputs[0].shape[channels]
            gates.append((name, torch.ones(shape, requires_grad=True)))
            return (inputs[0] * gates[-1][1], *inputs[1:])

        return hook

    handles = [m.register_forward_pre_hook(gated(name)) for name, m in model.named_modules() if name in readers]
    training = model.training
    model.eval()
    try:
        with torch.enable_grad():
            value = loss(model)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    if value.numel() != 1 or not bool(value.isfinite().all()):
        raise ValueError(f"`loss` returns one finite number; got {value.detach().flatten()[:4].tolist()}.")
    if {name for name, _ in gates} != readers:
        raise ValueError("`loss` has to run the whole model that it is given, so that every layer has its part in it.")
    slopes: dict[str, list[Tensor]] = {name: [] for name in readers}
    for (name, _), slope in zip(gates, torch.autograd.grad(value, [gate for _, gate in gates]), strict=True):
        slopes[name].append(slope.flatten(1))
    return [_fisher(group, {name: torch.cat(parts) for name, parts in slopes.items()}) for group in groups]


def _fisher(group: ChannelGroup, slopes: Mapping[str, Tensor]) -> Tensor:
    """Return half of the mean square slope of each channel, from those of each reading layer's inputs (examples, inputs)."""
    examples = len(next(iter(slopes.values())))
    total = torch.zeros(examples, group.count)
    for member in group.members:
        if member.axis == 1:
            total.index_add_(1, member.channel, slopes[member.layer])
    return (examples * total).square().mean(0) / 2  # the loss is a mean, so an example's own is so many times steeper


def prune_channels(
    model: nn.Module,
    example: Tensor,
    *,
    remaining: float = 0.5,
    keep: Sequence[str] = (),
    loss: Callable[[nn.Module], Tensor] | None = None,
    multiple_of: int = 8,
) -> nn.Module:
    """Return a smaller copy of the model with at most the share `remaining` of its multiply-adds. Train it on afterwards.

    Channels go one after the other until the target is met; then each group keeps a multiple of `multiple_of` (or all that
    it has), as fast kernels like it. Where `loss` gives the mean loss of the model on typical data, the channel goes whose
    `fisher_scores` are least for the multiply-adds that it saves; without it the one whose `magnitude_scores` are least.
    Layers named in `keep` and the last layer keep all their outputs.
    Raises ValueError unless 0 < remaining < 1, or if the target cannot be met; the model itself is not changed.
    """
    if not 0 < remaining < 1:
        raise ValueError(f"`remaining` is the share of multiply-adds to keep, above 0 and below 1; got {remaining}.")
    if multiple_of < 1:
        raise ValueError(f"A group keeps a multiple of 1 or more channels; got {multiple_of}.")
    pruned = copy.deepcopy(model)
    groups = channel_groups(pruned, example, keep=keep)
    costs = multiply_adds(pruned, example)
    if loss is not None:
        scores = fisher_scores(pruned, groups, loss)
    else:  # a length is no loss to be weighed against multiply-adds: times what a channel costs, that cancels
        saved = [sum(costs.values()) - _cost(groups, [int(g is group) for g in groups], costs) for group in groups]
        scores = [saving * magnitude_scores(pruned, group) for saving, group in zip(saved, groups, strict=True)]
    kept = _choose(groups, scores, costs, remaining, multiple_of)
    for group, stays in zip(groups, kept, strict=True):
        if not bool(stays.all()):
            group._cut(torch.nonzero(~stays).flatten().tolist())
    return pruned


def _choose(
    groups: Sequence[ChannelGroup],
    scores: Sequence[Tensor],
    costs: Mapping[str, int],
    remaining: float,
    multiple_of: int,
) -> list[Tensor]:
    """Return for each group which channels stay (bool), so that the multiply-adds fit in the share `remaining`.

    Within a group the lowest scores go first. Whole steps of `multiple_of` channels are taken from the group whose next
    step costs least for what it saves.
    """
    budget = remaining * sum(costs.values())
    order = [s.argsort() for s in scores]
    gone = [0] * len(groups)
    while (now := _cost(groups, gone, costs)) > budget:
        best, lowest = None, float("inf")
        for g, group in enumerate(groups):
            step = (group.count - gone[g]) % multiple_of or multiple_of
            if group.count - gone[g] - step < min(multiple_of, group.count):
                continue  # a group keeps at least one step
            lost = float(scores[g][order[g][gone[g] : gone[g] + step]].sum())
            saved = now - _cost(groups, [n + step * (i == g) for i, n in enumerate(gone)], costs)
            if saved > 0 and lost / saved < lowest:
                best, lowest = (g, step), lost / saved
        if best is None:
            raise ValueError(
                f"Not more than {1 - now / sum(costs.values()):.0%} of the multiply-adds can go while every group keeps "
                f"{multiple_of} channels; {1 - remaining:.0%} were asked for."
            )
        gone[best[0]] += best[1]
    kept = []
    for group, ranked, number in zip(groups, order, gone, strict=True):
        stays = torch.ones(group.count, dtype=torch.bool)
        stays[ranked[:number]] = False
        kept.append(stays)
    return kept


def _cost(groups: Sequence[ChannelGroup], gone: Sequence[int], costs: Mapping[str, int]) -> float:
    """Return the multiply-adds that are left when `gone` channels are taken from each group."""
    left = dict(costs)
    shares: dict[tuple[str, int], float] = {}
    for group, number in zip(groups, gone, strict=True):
        share = 1 - number / group.count
        shares.update({(member.layer, member.axis): share for member in group.members if member.layer in left})
    total = 0.0
    for name, cost in left.items():
        total += cost * shares.get((name, 0), 1.0) * shares.get((name, 1), 1.0)
    return total


def _axis(dependency: Any) -> int:
    """Return the axis of the weight that a dependency cuts. A depthwise convolution has its channels on axis 0 only."""
    handler, module = dependency.handler.__name__, dependency.target.module
    depthwise = isinstance(module, nn.Conv2d) and module.groups > 1
    return 1 if "in_channels" in handler and not depthwise and isinstance(module, _LAYERS) else 0


def _weights(model: nn.Module, group: ChannelGroup) -> list[tuple[Member, Tensor]]:
    """Return each member with its weight, the channels on axis 0."""
    parameters = dict(model.named_parameters())
    found = []
    for member in group.members:
        if f"{member.layer}.weight" in parameters:  # a normalization may have none
            weight = parameters[f"{member.layer}.weight"].detach()
            by_channel = weight.transpose(0, 1) if member.axis else weight
            found.append((member, by_channel.reshape(len(member.channel), -1)))
    return found


def _relative(scores: Tensor) -> Tensor:
    return scores / scores.mean().clamp_min(1e-12)
