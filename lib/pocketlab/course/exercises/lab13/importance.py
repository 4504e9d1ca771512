"""Exercise 13.8: what each output channel is worth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from pocketlab.compression.channels import taylor_importance
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance

_Importance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _importance_cases(rng: np.random.Generator) -> list[Case]:
    def numbers(*shape: int) -> torch.Tensor:
        # Multiples of 1/64 below 2, in float64: products and sums are exact in float32 too, and either may be returned.
        return torch.tensor(rng.integers(-127, 128, shape) / 64)

    def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
        return numbers(*shape), numbers(*shape)

    weight, gradient = pair(3, 4)
    weight[1], gradient[1] = torch.tensor([1.0, 1.0, -0.5, 2.0]), torch.tensor([0.5, -0.5, 1.0, 0.25])
    dead_weight, dead_gradient = pair(4, 2, 3, 3)
    dead_weight[2], dead_gradient[0] = 0.0, 0.0
    downhill = numbers(3, 5).abs() + 1 / 64
    wide, wide_gradient = pair(3, 6, 3, 3)
    small = (torch.tensor([[1.0, -2.0], [0.5, 3.0]]).double(), torch.tensor([[0.5, 0.25], [-1.0, 0.5]]).double())
    return [
        Case("a linear layer", small),
        Case("a linear layer", pair(5, 3)),
        Case("a linear layer", pair(4, 9)),
        Case("a square linear layer", pair(4, 4)),
        Case("a convolution", pair(4, 3, 3, 3)),
        Case("a convolution", pair(2, 5, 3, 3)),
        Case("a convolution with as many inputs as outputs", pair(3, 3, 3, 3)),
        Case("a depthwise convolution", pair(6, 1, 3, 3)),
        Case("every product is negative", (downhill, -downhill.flip(1))),
        Case("weights that cancel", (weight, gradient)),
        Case("a channel of zeros", (dead_weight, dead_gradient)),
        Case("tiny gradients", (numbers(4, 6), numbers(4, 6) * 2.0**-40)),
        Case("huge weights", (numbers(4, 6) * 2.0**40, numbers(4, 6))),
        Case("a transposed tensor", (numbers(5, 3).T, numbers(5, 3).T)),
        Case("channels last in memory", (wide.to(memory_format=torch.channels_last), wide_gradient)),
        Case("a layer's parameter", (numbers(3, 4).requires_grad_(), numbers(3, 4))),
        Case("one output channel", pair(1, 7)),
        Case("one input", pair(5, 1)),
    ]


def _rows(product: torch.Tensor) -> torch.Tensor:
    return product.detach().reshape(len(product), -1)


def _normalized(divisor: Callable[[torch.Tensor], torch.Tensor]) -> _Importance:
    """The right importance, divided by a number that is computed from all channels."""

    def importance(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        right = taylor_importance(weight, gradient)
        return right / divisor(right)

    return importance


def _summed(axes: Callable[[torch.Tensor], tuple[int, ...]]) -> _Importance:
    """|Σ w·g| over other axes than all but the first."""
    return lambda weight, gradient: (weight * gradient).sum(axes(weight)).abs()


def _each_filter(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    kept = (weight * gradient).detach().flatten(2) if weight.ndim > 2 else (weight * gradient).detach()
    return kept.sum(-1).abs()


def _in_place(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    product = weight.detach()
    product *= gradient
    return _rows(product).sum(1).abs()


def _with_numpy(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    weight.numpy()
    return taylor_importance(weight, gradient)


def _with_view(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    return (weight.view(len(weight), -1) * gradient.view(len(weight), -1)).sum(1).abs()


def _running_magnitude(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(len(weight), dtype=weight.dtype)
    for product in _rows(weight * gradient).detach().T:
        total = (total + product).abs()
    return total


IMPORTANCE = Exercise(
    id="13.8",
    title="what each output channel is worth",
    reference=taylor_importance,
    cases=_importance_cases,
    tolerance=Tolerance(
        1e-6, 0.0, "Products and sums of the cases are exact in float32; a mean times a count is rounded twice."
    ),
    misconceptions=(
        Misconception(
            "the magnitude before the sum",
            lambda weight, gradient: _rows(weight * gradient).abs().sum(1),
            "You take the magnitude of each product and then the sum. A channel goes as a whole, so weights that pull "
            "the loss in opposite directions cancel: sum first, then `abs()`.",
        ),
        Misconception(
            "no magnitude",
            lambda weight, gradient: _rows(weight * gradient).sum(1),
            "Your importance keeps its sign. A channel whose loss would change much, either way, matters: take "
            "`abs()` of the sum.",
        ),
        Misconception(
            "the change of the loss, signed",
            lambda weight, gradient: -_rows(weight * gradient).sum(1),
            "You return the signed change of the loss. Its size says how much the channel does: take `abs()`.",
        ),
        Misconception(
            "negative changes cut off",
            lambda weight, gradient: _rows(weight * gradient).sum(1).clamp(min=0),
            "You set negative sums to 0. They matter as much as positive ones: take `abs()`.",
        ),
        Misconception(
            "the magnitude of the gradient only",
            lambda weight, gradient: _rows(weight * gradient.abs()).sum(1).abs(),
            "You take the magnitude of the gradient before you multiply. Its sign decides what cancels: `abs()` comes "
            "last.",
        ),
        Misconception(
            "the magnitude of the weight only",
            lambda weight, gradient: _rows(weight.abs() * gradient).sum(1).abs(),
            "You take the magnitude of the weight before you multiply. Its sign decides what cancels: `abs()` comes "
            "last.",
        ),
        Misconception(
            "mean for sum",
            lambda weight, gradient: _rows(weight * gradient).mean(1).abs(),
            "You take the mean over the channel's weights. Without the channel all of its terms are missing: take the "
            "sum.",
        ),
        Misconception(
            "mean of the magnitudes",
            lambda weight, gradient: _rows(weight * gradient).abs().mean(1),
            "You take the mean of the magnitudes. Sum over the channel first, then take the magnitude of the sum.",
        ),
        Misconception(
            "squared",
            lambda weight, gradient: _rows(weight * gradient).sum(1).square(),
            "You square the sum, as Molchanov's equation 8 does. Here its magnitude is wanted, in the units of the "
            "loss.",
        ),
        Misconception(
            "a sum of squares",
            lambda weight, gradient: _rows(weight * gradient).square().sum(1),
            "You square each product and then sum, as if every weight went on its own. A channel goes as a whole: sum "
            "first, then `abs()`.",
        ),
        Misconception(
            "the length",
            lambda weight, gradient: _rows(weight * gradient).norm(dim=1),
            "You return the length (root of the sum of squares) of the products. Sum them, then take the magnitude.",
        ),
        Misconception(
            "half the Fisher information",
            lambda weight, gradient: _rows((weight * gradient).square()).sum(1) / 2,
            "Half of Σ (w·g)² is an estimate to second order. The one to first order is wanted: |Σ w·g|.",
        ),
        Misconception(
            "the gradient squared",
            lambda weight, gradient: _rows(weight * gradient.square()).sum(1).abs(),
            "You square the gradient. To first order the loss changes by w · ∂L/∂w.",
        ),
        Misconception(
            "weights only",
            lambda weight, gradient: _rows(weight).abs().sum(1),
            "You sum the magnitudes of the weights and leave the gradient out. A large weight may not matter to the "
            "loss: multiply by the gradient.",
        ),
        Misconception(
            "length of the weights",
            lambda weight, gradient: _rows(weight).norm(dim=1),
            "You return the length of each filter, which is the importance by magnitude. Here the gradient counts "
            "too: |Σ w·∂L/∂w|.",
        ),
        Misconception(
            "gradient only",
            lambda weight, gradient: _rows(gradient).sum(1).abs(),
            "You leave the weight out. Without the channel each weight moves from w to 0, and the loss by w times the "
            "gradient.",
        ),
        Misconception(
            "two sums multiplied",
            lambda weight, gradient: (_rows(weight).sum(1) * _rows(gradient).sum(1)).abs(),
            "You sum weights and gradients first and then multiply. Each weight has a gradient of its own: multiply "
            "first.",
        ),
        Misconception(
            "two sums of magnitudes multiplied",
            lambda weight, gradient: _rows(weight).abs().sum(1) * _rows(gradient).abs().sum(1),
            "You sum the magnitudes of weights and of gradients, and then multiply. Each weight has a gradient of its "
            "own: multiply first, sum, and take the magnitude last.",
        ),
        Misconception(
            "two lengths multiplied",
            lambda weight, gradient: _rows(weight).norm(dim=1) * _rows(gradient).norm(dim=1),
            "You multiply the length of the weights with that of the gradients, which the importance can never "
            "exceed. Multiply entry by entry, sum, and take the magnitude.",
        ),
        Misconception(
            "the largest product",
            lambda weight, gradient: _rows(weight * gradient).abs().max(1).values,
            "You take the largest product of each channel. All of its weights go: sum them.",
        ),
        Misconception(
            "length of the gradient",
            lambda weight, gradient: _rows(gradient).norm(dim=1),
            "You return the length of the gradient and leave the weights out. The loss changes by weight times "
            "gradient.",
        ),
        Misconception(
            "added",
            lambda weight, gradient: _rows(weight + gradient).sum(1).abs(),
            "You add weight and gradient. To first order the loss changes by their product.",
        ),
        Misconception(
            "an update taken for a product",
            lambda weight, gradient: _rows(weight - gradient).sum(1).abs(),
            "You take the gradient off the weight, as a training step does. To first order the loss changes by their "
            "product.",
        ),
        Misconception(
            "divided",
            lambda weight, gradient: _rows(weight / gradient).sum(1).abs(),
            "You divide by the gradient. To first order the loss changes by w times the gradient.",
        ),
        Misconception(
            "the input channels",
            _summed(lambda weight: (0, *range(2, weight.ndim))),
            "You have an importance for each input channel (axis 1). Keep axis 0, the output channels, and sum over "
            "all others.",
        ),
        Misconception(
            "the last axis kept",
            _summed(lambda weight: tuple(range(weight.ndim - 1))),
            "You keep the last axis. The output channels are the first: sum over all others.",
        ),
        Misconception(
            "only the inputs summed",
            _summed(lambda weight: (1,)),
            "You sum over axis 1 only, so a convolution keeps its kernel positions. Sum over all axes but the first.",
        ),
        Misconception(
            "only the last axis summed",
            _summed(lambda weight: (-1,)),
            "You sum over the last axis only, so a convolution keeps too many. Sum over all axes but the first.",
        ),
        Misconception(
            "the last two axes summed",
            _summed(lambda weight: (-2, -1)),
            "You sum over the last two axes, the kernel's positions, and of a linear layer nothing is left. Sum over "
            "all axes but the first.",
        ),
        Misconception(
            "rows summed",
            lambda weight, gradient: _rows(weight * gradient).sum(0).abs(),
            "You sum over the output channels (axis 0). Each of these gets a number: with one row for each channel, "
            "sum along axis 1.",
        ),
        Misconception(
            "a matrix product",
            lambda weight, gradient: (_rows(weight) @ _rows(gradient).T).abs(),
            "Your matrix product pairs the weights of each channel with the gradients of every other one. Each "
            "channel meets its own gradients only: multiply entry by entry, then sum.",
        ),
        Misconception(
            "each filter",
            _each_filter,
            "You have a number for each pair of output and input channel. An output channel has one: sum over its "
            "inputs too.",
        ),
        Misconception(
            "four axes taken for granted",
            _summed(lambda weight: (1, 2, 3)),
            "You sum over axes 1, 2 and 3, which a linear layer does not have. `flatten(1).sum(1)` fits both.",
        ),
        Misconception(
            "dimensions kept",
            lambda weight, gradient: (weight * gradient).sum(tuple(range(1, weight.ndim)), keepdim=True).abs(),
            "The values are right, with axes of length 1 left over (`keepdim`). The result has shape (outputs,).",
        ),
        Misconception(
            "one number for the layer",
            lambda weight, gradient: (weight * gradient).sum().abs(),
            "You sum over everything. Each output channel gets a number of its own: keep axis 0.",
        ),
        Misconception(
            "channels mixed by reshape",
            lambda weight, gradient: (weight * gradient).detach().reshape(-1, len(weight)).sum(0).abs(),
            "Your reshape mixes the channels. `reshape(len(weight), -1)` keeps each output channel in a row; sum "
            "along axis 1.",
        ),
        Misconception(
            "shares",
            _normalized(lambda right: right.sum()),
            "You divide by the sum of all channels. Channels of several layers are compared later, so leave the "
            "values as they are.",
        ),
        Misconception(
            "largest is 1",
            _normalized(lambda right: right.max()),
            "You divide by the largest channel. Channels of several layers are compared later, so leave the values as "
            "they are.",
        ),
        Misconception(
            "unit length",
            _normalized(lambda right: right.norm()),
            "You divide by the length of the result, as some papers do for each layer. Leave the values as they are.",
        ),
        Misconception(
            "an order for values",
            lambda weight, gradient: taylor_importance(weight, gradient).argsort(),
            "You return which channel comes first, second, and so on. The importances themselves are wanted, in the "
            "order of the channels.",
        ),
        Misconception(
            "sorted",
            lambda weight, gradient: taylor_importance(weight, gradient).sort().values,
            "You sort the result, so that nobody knows which channel a value belongs to. Keep the order of the "
            "channels.",
        ),
        Misconception(
            "weight changed",
            _in_place,
            "Your function changes the weight in place (`*=` or `mul_`). The network still needs it: use `weight * "
            "gradient`.",
        ),
        Misconception(
            "NumPy of a parameter",
            _with_numpy,
            "A layer's parameter is part of the gradient's graph, and NumPy refuses it. Use "
            "`weight.detach().numpy()`, or stay in torch.",
        ),
        Misconception(
            "view of a transposed tensor",
            _with_view,
            "`view` fails where the entries do not lie in order in memory. `flatten(1)` or `reshape(len(weight), -1)` "
            "copies them where it must.",
        ),
        Misconception(
            "the magnitude of each running total",
            _running_magnitude,
            "You take the magnitude after every addition, so a negative total turns positive before the rest is added. Sum "
            "first, and take the magnitude of the end result.",
        ),
    ),
)
