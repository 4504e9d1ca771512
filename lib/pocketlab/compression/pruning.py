"""Unstructured pruning: which weights go, how fast, and how training goes on without them.

A mask is a bool tensor shaped as its weight, True where the weight stays. Source of the ideas: Han et al. 2015 (Learning both
Weights and Connections); Zhu and Gupta 2018 (To prune, or not to prune); Sanh et al. 2020 (Movement Pruning); Mishra et al.
2021 (2:4 sparsity); Frankle and Carbin 2019 (The Lottery Ticket Hypothesis).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

Masks = dict[str, Tensor]


def prunable_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a model that pruning is about, by name: those of convolutions and linear layers, never biases."""
    layers = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    return {f"{name}.weight".lstrip("."): m.weight for name, m in model.named_modules() if isinstance(m, layers)}


def magnitude_mask(weights: Tensor, sparsity: float) -> Tensor:
    """Return the mask that drops the share `sparsity` of the entries with the smallest magnitude.

    weights: any shape. Exactly `round(sparsity · count)` entries go; of equal ones those that
    come first.
    Raises ValueError unless 0 ≤ sparsity < 1, and for NaN or an empty tensor.
    Source: Han et al. 2015, section 3.
    """
    _check(weights, sparsity)
    magnitude = weights.detach().abs().flatten()
    mask = torch.ones(magnitude.shape, dtype=torch.bool)
    mask[magnitude.argsort(stable=True)[: round(sparsity * magnitude.numel())]] = False
    return mask.reshape(weights.shape)


def global_masks(scores: Mapping[str, Tensor], sparsity: float) -> Masks:
    """Return a mask for each tensor, dropping the smallest magnitudes of all tensors together.

    A layer with small weights loses more than one with large weights, possibly everything.
    Raises ValueError as `magnitude_mask` does, and for no tensors at all.
    """
    if not scores:
        raise ValueError("There is nothing to prune: give at least one tensor.")
    for tensor in scores.values():
        _check(tensor, sparsity)
    together = magnitude_mask(torch.cat([tensor.detach().flatten() for tensor in scores.values()]), sparsity)
    parts = together.split([tensor.numel() for tensor in scores.values()])
    return {name: part.reshape(scores[name].shape) for name, part in zip(scores, parts, strict=True)}


def gradual_sparsity(step: int, begin: int, end: int, final: float, initial: float = 0.0) -> float:
    """Return the sparsity that is due at a training step: fast at first, when much is redundant, and ever slower.

    `final + (initial − final)·(1 − (step − begin)/(end − begin))³` between the steps `begin` and `end`.
    Raises ValueError unless begin < end and 0 ≤ initial ≤ final < 1.
    Source: Zhu and Gupta 2018, equation 1.
    """
    if not begin < end:
        raise ValueError(f"Pruning has to begin before it ends; got begin={begin} and end={end}.")
    if not 0 <= initial <= final < 1:
        raise ValueError(f"Sparsity rises from initial to final within 0 to below 1; got {initial} and {final}.")
    progress = min(max((step - begin) / (end - begin), 0.0), 1.0)
    return final + (initial - final) * (1 - progress) ** 3


def n_m_mask(scores: Tensor, n: int, m: int) -> Tensor:
    """Return the mask that keeps the n largest magnitudes of every m neighbors along the input axis.

    scores: (outputs, inputs, …); the groups of m lie along axis 1. Hardware with 2:4 units needs exactly this.
    Raises ValueError unless 1 ≤ n ≤ m and m divides the inputs.
    Source: Mishra et al. 2021 (Accelerating Sparse Deep Neural Networks), section 3.
    """
    _check(scores, 0.0)
    if not 1 <= n <= m:
        raise ValueError(f"n of m neighbors stay, 1 ≤ n ≤ m; got {n} of {m}.")
    if scores.ndim < 2 or scores.shape[1] % m:
        raise ValueError(f"Groups of {m} do not divide the inputs (axis 1) of a weight of shape {tuple(scores.shape)}.")
    groups = scores.detach().abs().movedim(1, -1).unflatten(-1, (-1, m))
    order = groups.argsort(dim=-1, descending=True, stable=True)
    mask = torch.zeros(groups.shape, dtype=torch.bool).scatter_(-1, order[..., :n], True)
    return mask.flatten(-2).movedim(-1, 1).contiguous()


class MovementScores:
    """Adds up, over training, how far each weight moves away from zero; what moves towards zero may go.

    Call `add` after each `backward` and before the optimizer's step; `scores` then ranks the weights (the largest stay; use
    it with `lowest_mask`). It prunes better than magnitude where a pretrained model is tuned to a new task: there a weight is
    large because of the old one.
    Source: Sanh et al. 2020, equation 4 (S = −Σ ∂L/∂w · w).
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = dict(weights)
        self.scores = {name: torch.zeros_like(weight) for name, weight in weights.items()}

    def add(self) -> None:
        """Take in the gradients of one step. Raises ValueError for a weight without one."""
        for name, weight in self._weights.items():
            if weight.grad is None:
                raise ValueError(f"{name} has no gradient: call add() between backward() and the optimizer's step.")
            self.scores[name] -= weight.grad * weight.detach()


def lowest_mask(scores: Tensor, sparsity: float) -> Tensor:
    """Return the mask that drops the share `sparsity` with the lowest scores, sign included. Raises as `magnitude_mask`."""
    _check(scores, sparsity)
    return magnitude_mask(scores - scores.min(), sparsity)


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the dropped weights of a model to zero, in place.

    The optimizer moves them again (by momentum, or weight decay of others), so call it after each of its steps.
    Raises ValueError for a mask that belongs to no weight or has another shape; then nothing is changed.
    """
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        if name not in parameters or parameters[name].shape != mask.shape:
            found = tuple(parameters[name].shape) if name in parameters else "no weight of that name"
            raise ValueError(f"The mask {name!r} has shape {tuple(mask.shape)}, and the model has {found}.")
    with torch.no_grad():
        for name, mask in masks.items():
            parameters[name].mul_(mask)


def sparsity(model: nn.Module) -> float:
    """Return the share of zeros among the prunable weights. Raises ValueError for a model without any."""
    weights = prunable_weights(model).values()
    if not weights:
        raise ValueError("The model has no convolution and no linear layer, so nothing of it can be pruned.")
    return float(sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights))


def rewind(model: nn.Module, early: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Set a model back to the weights of an early step, without those that the masks drop: a lottery ticket.

    early: a copy of `state_dict()` from then. Trained again from there, the ticket often does as well as the whole network;
    from new random weights it does not.
    Raises ValueError for masks or weights that do not fit; then nothing is changed.
    Source: Frankle and Carbin 2019, section 2; rewinding to a step after the start: Frankle et al. 2020.
    """
    now = model.state_dict()
    if set(early) != set(now) or any(early[name].shape != value.shape for name, value in now.items()):
        raise ValueError("The early weights are not this model's: names or shapes differ.")
    apply_masks(model, masks)  # checks the masks before anything is set back
    model.load_state_dict(early)
    apply_masks(model, masks)


def _check(scores: Tensor, share: float) -> None:
    if not 0 <= share < 1:
        raise ValueError(f"Sparsity is a share from 0 to below 1 (1 would leave no weight); got {share}.")
    if scores.numel() == 0 or bool(scores.isnan().any()):
        raise ValueError(f"Scores have to be numbers, at least one; a tensor of shape {tuple(scores.shape)} has a NaN or none.")
