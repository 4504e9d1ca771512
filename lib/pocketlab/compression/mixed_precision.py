"""Give each layer the bits that it needs: measure what each one costs, then spend a budget of bytes where it helps most.

Source: Nagel et al. 2021 (A White Paper on Neural Network Quantization), section 3.6; Dong et al. 2020 (HAWQ-V2) for the
choice as an integer program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import nn

from pocketlab.compression.pruning import prunable_weights
from pocketlab.compression.qat import quantize_weights

Losses = dict[str, dict[int, float]]


def layer_sensitivity(
    model: nn.Module, loss: Callable[[nn.Module], float], bits: Sequence[int] = (2, 4, 8)
) -> Losses:
    """Return, for each weight and each number of bits, by how much the loss grows if only that weight is quantized so.

    loss: gives a number for a model, the smaller the better, such as the cross entropy on some hundred examples. A
    difference below zero is noise and kept as it is.
    Raises ValueError for no bits, impossible ones, or a loss that is not finite.
    """
    if not bits:
        raise ValueError("Give at least one number of bits to try.")
    base = _finite(loss(model))
    return {
        name: {width: _finite(loss(quantize_weights(model, {name: width}))) - base for width in bits}
        for name in prunable_weights(model)
    }


def choose_bits(losses: Mapping[str, Mapping[int, float]], sizes: Mapping[str, int], budget_bits: int) -> dict[str, int]:
    """Return the bits for each layer with the smallest sum of losses that fits in the budget, the best of all choices.

    losses: as `layer_sensitivity` returns; sizes: how many weights each layer has; budget_bits: for all weights together.
    It takes the losses of layers to add up, which is nearly so as long as they are small. Solved as an integer program.
    Raises ValueError if even the fewest bits do not fit, or if names differ.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    if set(losses) != set(sizes) or not losses:
        raise ValueError(f"Losses and sizes have to name the same layers; got {sorted(losses)} and {sorted(sizes)}.")
    choices = [(name, width) for name, options in losses.items() for width in options]
    needed = np.array([sizes[name] * width for name, width in choices], float)
    smallest = sum(sizes[name] * min(options) for name, options in losses.items())
    if smallest > budget_bits:
        raise ValueError(f"The budget is {budget_bits} bits, and the fewest bits for every layer take {smallest}.")
    one_each = np.array([[float(name == layer) for name, _ in choices] for layer in losses])
    # Of equally good choices the smaller one: a share of the largest loss that cannot outweigh a difference in losses.
    cost = np.array([losses[name][width] for name, width in choices])
    cost = cost + 1e-9 * max(1e-12, float(np.abs(cost).max())) * needed / needed.max()
    solved = milp(
        cost,
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(needed, ub=budget_bits)],
        integrality=np.ones(len(choices)),
        bounds=Bounds(0, 1),
    )
    return {name: width for (name, width), taken in zip(choices, solved.x, strict=True) if taken > 0.5}


def _finite(value: float) -> float:
    if not np.isfinite(value):
        raise ValueError(f"The loss has to be a finite number; it is {value}.")
    return float(value)
