"""The mistakes that exercise 04.6 knows, each with its hint: one right search of which single steps are replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pocketlab.course.exercise import Misconception
from pocketlab.llm.awq import channel_scales
from pocketlab.llm.gptq import output_error
from pocketlab.llm.grids import round_to_nearest

_ALPHAS = tuple(point / 20 for point in range(20))

Answer = Callable[[list[Tensor], Tensor, Tensor, int, int], Any]


def _rounded(weight: Tensor, bits: int, group_size: int) -> Tensor:
    """Round matrices (…, outputs, inputs), all at once: it is quick, as a learner waits until all mistakes are tried."""
    return round_to_nearest(weight.flatten(0, -2), bits, group_size).weights().reshape(weight.shape)


def _change(weight: Tensor, scales: Tensor, bits: int, group_size: int) -> Tensor:
    return _rounded(weight * scales, bits, group_size) / scales - weight


def _first_smallest(errors: Sequence[float]) -> int:
    best, smallest = 0, float("inf")
    for i, error in enumerate(errors):
        if error < smallest:
            best, smallest = i, error
    return best


def _last_smallest(errors: Sequence[float]) -> int:
    return max(range(len(errors)), key=lambda i: (-errors[i], i))


def _before_the_first_rise(errors: Sequence[float]) -> int:
    rises = (i for i in range(len(errors) - 1) if errors[i + 1] > errors[i])
    return next(rises, len(errors) - 1)


def _smaller_than_the_one_before(errors: Sequence[float]) -> int:
    falls = (i for i in reversed(range(1, len(errors))) if errors[i] < errors[i - 1])
    return next(falls, 0)


def _but(
    alphas: Sequence[float] = _ALPHAS,
    scales: Callable[[Tensor, float], Tensor] = channel_scales,
    change: Callable[[Tensor, Tensor, int, int], Tensor] = _change,
    error: Callable[[Tensor, Tensor], float] = output_error,
    total: Callable[[list[float]], float] = sum,
    pick: Callable[[Sequence[float]], int] = _first_smallest,
    result: Callable[[Tensor, float], Any] = lambda scales, alpha: (scales, alpha),
) -> Answer:
    """The right answer, but for these steps. change: of one layer, with the scales of all α, (α, 1, inputs), at once."""

    def answer(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
        tried = torch.stack([scales(activations, alpha) for alpha in alphas])
        changes = [change(w, tried[:, None], bits, group_size) for w in weights]
        errors = [total([error(c, hessian) for c in of_one]) for of_one in zip(*changes, strict=True)]
        best = pick(errors)
        return result(tried[best], alphas[best])

    return answer


_right = _but()


def _errors_divided(by: Callable[[Tensor, Tensor], float]) -> Answer:
    """The right answer, but that each layer's error is divided by a number, from (weight, hessian)."""

    def answer(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
        factors = [by(weight, hessian) or 1.0 for weight in weights]
        search = _but(total=lambda errors: sum(e / f for e, f in zip(errors, factors, strict=True)))
        return search(weights, activations, hessian, bits, group_size)

    return answer


def _from_other_means(means: Callable[[list[Tensor], Tensor, Tensor], Tensor]) -> Answer:
    """The right answer, but for what it takes as the activations, from (weights, activations, hessian)."""

    def answer(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
        return _right(weights, means(weights, activations, hessian), hessian, bits, group_size)

    return answer


def _weighed(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    search = _but(error=lambda change, _: float((change * activations).square().sum()))
    return search(weights, activations, hessian, bits, group_size)


def _as_smoothquant(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    largest = torch.cat(weights).abs().amax(0).clamp(min=1e-4)
    search = _but(scales=lambda a, alpha: a.clamp(min=1e-4) ** alpha / largest ** (1 - alpha))
    return search(weights, activations, hessian, bits, group_size)


def _each_layer_alone(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    found = [_right([weight], activations, hessian, bits, group_size) for weight in weights]
    return [scales for scales, _ in found], [alpha for _, alpha in found]


def _again_and_again(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    """Multiply what the round before has left, and compare with it."""
    together, errors = torch.cat(weights), []
    for alpha in _ALPHAS:
        scales = channel_scales(activations, alpha)
        together = together * scales
        errors.append(output_error(_rounded(together, bits, group_size) / scales - together / scales, hessian))
    alpha = _ALPHAS[_first_smallest(errors)]
    return channel_scales(activations, alpha), alpha


def _rounded_again(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    """Go on with what the round before has rounded, and compare with the original."""
    together = torch.cat(weights)
    original, errors = together, []
    for alpha in _ALPHAS:
        scales = channel_scales(activations, alpha)
        together = _rounded(together * scales, bits, group_size) / scales
        errors.append(output_error(together - original, hessian))
    alpha = _ALPHAS[_first_smallest(errors)]
    return channel_scales(activations, alpha), alpha


def _in_place(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    found = _right(weights, activations, hessian, bits, group_size)
    for weight in weights:
        weight *= found[0]
    return found


def _with_the_error(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    scales, _ = _right(weights, activations, hessian, bits, group_size)
    return scales, sum(output_error(_change(weight, scales, bits, group_size), hessian) for weight in weights)


def _last_scales(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    _, alpha = _right(weights, activations, hessian, bits, group_size)
    return channel_scales(activations, _ALPHAS[-1]), alpha


def _last_alpha(weights: list[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int) -> Any:
    return _right(weights, activations, hessian, bits, group_size)[0], _ALPHAS[-1]


MISTAKES = (
    Misconception(
        "not divided by the scales",
        _but(change=lambda w, s, bits, group_size: _rounded(w * s, bits, group_size) - w),
        "You compare the enlarged weights with the original ones. Divide by the scales first: `rounded_weights(w * s, "
        "bits, group_size) / s - w`.",
    ),
    Misconception(
        "the error of the enlarged weights",
        _but(change=lambda w, s, bits, group_size: _rounded(w * s, bits, group_size) - w * s),
        "You measure the error of the enlarged weights, w · s. The layer's input is divided by s in exchange, so "
        "divide the rounded weights by s and compare them with w.",
    ),
    Misconception(
        "divided first, then multiplied",
        _but(change=lambda w, s, bits, group_size: _rounded(w / s, bits, group_size) * s - w),
        "You divide by the scales before rounding and multiply after it, so salient channels get coarser steps. "
        "Multiply before, and divide after.",
    ),
    Misconception(
        "always the first α",
        _but(pick=lambda errors: 0),
        "You find α = 0 in every case. Is the `return` inside of the loop, or the smallest error 0 at the start "
        "instead of "
        "`float(\"inf\")`? Or do you round w and not `w * s`, or multiply by s again where you should divide?",
    ),
    Misconception(
        "always the last α",
        _but(pick=lambda errors: len(errors) - 1),
        "You return the last α in every case. Keep the scales and α only where the error is smaller than the smallest "
        "so far.",
    ),
    Misconception(
        "what the weights became",
        _but(change=lambda w, s, bits, group_size: _rounded(w * s, bits, group_size) / s),
        "You measure the rounded weights themselves. What they change is wanted: subtract w.",
    ),
    Misconception(
        "the scales along the outputs",
        _but(change=lambda w, s, bits, group_size: _rounded(w * s.mT, bits, group_size) / s.mT - w),
        "Your scales run along the outputs (`s[:, None]`). There is one for each input, so `w * s` is right as it is.",
    ),
    Misconception(
        "the change of the weights alone",
        _but(error=lambda change, hessian: float(change.square().sum())),
        "You measure how much the weights change. What counts is the layer's output, in which salient channels weigh "
        "more: `output_error(change, hessian)`.",
    ),
    Misconception(
        "the magnitudes of the change",
        _but(error=lambda change, hessian: float(change.abs().sum())),
        "You add up how much the weights change. What counts is the layer's output, in which salient channels weigh "
        "more: `output_error(change, hessian)`.",
    ),
    Misconception(
        "each channel on its own",
        _but(error=lambda change, hessian: float((change.square() * hessian.diagonal()).sum())),
        "You use the diagonal of the hessian only. Errors of channels that are active together add up or cancel, and "
        "the rest of the hessian says how: `output_error(change, hessian)`.",
    ),
    Misconception(
        "weighed by the activations",
        _weighed,
        "You weigh the change by the mean activations. The hessian knows more, as which channels are active together: "
        "use `output_error(change, hessian)`.",
    ),
    Misconception(
        "α up to 1",
        _but(alphas=tuple(point / 20 for point in range(21))),
        "You try α = 1 as well. The last one is 19/20: `for point in range(20)`.",
    ),
    Misconception(
        "α from 1/20",
        _but(alphas=_ALPHAS[1:]),
        "You leave α = 0 out, which changes nothing and is the best at times. Begin with 0: `for point in range(20)`.",
    ),
    Misconception(
        "α from 1/20 to 1",
        _but(alphas=tuple(point / 20 for point in range(1, 21))),
        "You try α from 1/20 to 1. They run from 0 to 19/20: `for point in range(20)`.",
    ),
    Misconception(
        "α in nineteenths",
        _but(alphas=tuple(point / 19 for point in range(20))),
        "Your 20 points run from 0 to 1 with both ends, as `linspace(0, 1, 20)` does, so they are nineteenths. α is "
        "`point / 20` for point in range(20).",
    ),
    Misconception(
        "α in tenths",
        _but(alphas=tuple(point / 10 for point in range(10))),
        "You try α in steps of 1/10. The steps are 1/20: `point / 20` for point in range(20).",
    ),
    Misconception(
        "of equals the last",
        _but(pick=_last_smallest),
        "Right, except that of equal errors you keep the last. Keep the first: `if error < smallest`, not `<=`.",
    ),
    Misconception(
        "the largest error",
        _but(pick=lambda errors: errors.index(max(errors))),
        "You keep the α with the largest error. The smallest is wanted.",
    ),
    Misconception(
        "stopped at the first rise",
        _but(pick=_before_the_first_rise),
        "You stop as soon as the error grows. It goes up and down as single weights round one way or the other: try "
        "all 20 α.",
    ),
    Misconception(
        "compared with the one before",
        _but(pick=_smaller_than_the_one_before),
        "You compare each error with the one before. Compare it with the smallest so far, and update that only when "
        "you find a smaller one.",
    ),
    Misconception(
        "the first layer only",
        _but(total=lambda errors: errors[0]),
        "You look at the first layer only. All layers in the list share the scales: add their errors up.",
    ),
    Misconception(
        "the last layer only",
        _but(total=lambda errors: errors[-1]),
        "The last layer alone decides. All layers in the list share the scales: add their errors up.",
    ),
    Misconception(
        "the worst layer only",
        _but(total=max),
        "You compare the largest error of a layer. Add the errors of all layers up.",
    ),
    Misconception(
        "the best layer only",
        _but(total=min),
        "The layer with the smallest error decides: do you compare after each layer? Add the errors of all layers up "
        "before you compare.",
    ),
    Misconception(
        "the mean over each layer's outputs",
        _errors_divided(lambda weight, hessian: len(weight)),
        "You divide each layer's error by its number of outputs, so a small layer weighs more. Add the errors up as "
        "they are.",
    ),
    Misconception(
        "each layer's error relative to its output",
        _errors_divided(output_error),
        "You divide each layer's error by the size of its output. Add the errors up as they are.",
    ),
    Misconception(
        "each layer alone",
        _each_layer_alone,
        "You search scales for each layer alone. They read the same input, which can be divided by one set of scales "
        "only: add the errors of all layers up, and return one.",
    ),
    Misconception(
        "scales of your own",
        _but(scales=lambda a, alpha: a**alpha),
        "You compute a^α yourself. `channel_scales(activations, alpha)` also divides, so that the scales lie around 1, "
        "and keeps channels that are never active away from 0.",
    ),
    Misconception(
        "divided by the largest",
        _but(scales=lambda a, alpha: (a / a.max()).clamp(min=1e-4) ** alpha),
        "Your scales are a^α divided by the largest. Use `channel_scales(activations, alpha)`, which the lab goes on "
        "with.",
    ),
    Misconception(
        "divided by the mean",
        _but(scales=lambda a, alpha: (a / a.mean()).clamp(min=1e-4) ** alpha),
        "Your scales are made of a divided by its mean. Use `channel_scales(activations, alpha)`, which the lab goes "
        "on with.",
    ),
    Misconception(
        "1 − α",
        _but(scales=lambda a, alpha: channel_scales(a, 1 - alpha)),
        "Your scales belong to 1 − α. With α = 0 all scales are 1: `channel_scales(activations, alpha)`.",
    ),
    Misconception(
        "−α",
        _but(scales=lambda a, alpha: 1 / channel_scales(a, alpha)),
        "Your scales are the reciprocals, so the channels with small activations get finer steps. Multiply the weights "
        "by `channel_scales(activations, alpha)` itself.",
    ),
    Misconception(
        "always scales of α = 1/2",
        _but(scales=lambda a, alpha: channel_scales(a, 0.5)),
        "Your scales do not depend on α. Compute them inside of the loop: `channel_scales(activations, alpha)`.",
    ),
    Misconception(
        "squared activations",
        _from_other_means(lambda weights, activations, hessian: hessian.diagonal()),
        "You make the scales of the hessian's diagonal, the mean squares. They are made of the mean magnitudes: "
        "`channel_scales(activations, alpha)`.",
    ),
    Misconception(
        "roots of the hessian's diagonal",
        _from_other_means(lambda weights, activations, hessian: hessian.diagonal().sqrt()),
        "You make the scales of the roots of the mean squares. They are made of the mean magnitudes: "
        "`channel_scales(activations, alpha)`.",
    ),
    Misconception(
        "the weights' own magnitudes",
        _from_other_means(lambda weights, activations, hessian: torch.cat(weights).abs().mean(0)),
        "You make the scales of the weights' magnitudes. A weight matters for what it meets: "
        "`channel_scales(activations, alpha)`.",
    ),
    Misconception(
        "SmoothQuant",
        _as_smoothquant,
        "You divide by the weights' magnitudes to 1 − α, which is SmoothQuant, a way to quantize activations too. "
        "AWQ's scales depend on the activations alone: `channel_scales(activations, alpha)`.",
    ),
    Misconception(
        "multiplied again and again",
        _again_and_again,
        "You overwrite the weights in the loop, so each α multiplies what the one before has left. Give the product "
        "another name, and begin with the original weights each time.",
    ),
    Misconception(
        "rounded again and again",
        _rounded_again,
        "You overwrite the weights in the loop, so each α rounds what the one before has rounded. Give the result "
        "another name, and begin with the original weights each time.",
    ),
    Misconception(
        "always 4 bits in groups of 128",
        _but(change=lambda w, s, bits, group_size: _change(w, s, 4, 128)),
        "You round to 4 bits in groups of 128 whatever you are given. Hand `bits` and `group_size` on to "
        "`rounded_weights`.",
    ),
    Misconception(
        "one grid for each row",
        _but(change=lambda w, s, bits, group_size: _change(w, s, bits, w.shape[1])),
        "You round with one group for each row. Hand `group_size` on to `rounded_weights`.",
    ),
    Misconception(
        "bits and group size exchanged",
        _but(change=lambda w, s, bits, group_size: _change(w, s, group_size, bits)),
        "You exchange bits and group size. The order is `rounded_weights(weight, bits, group_size)`.",
    ),
    Misconception(
        "the last scales",
        _last_scales,
        "Your α is right, but the scales are those of the last α tried. Keep the scales too when an error is the "
        "smallest so far.",
    ),
    Misconception(
        "the last α with the best scales",
        _last_alpha,
        "Your scales are right, but α is the last one tried. Keep α too when an error is the smallest so far.",
    ),
    Misconception(
        "the error in place of α",
        _with_the_error,
        "Your scales are right, but the second number is the smallest error. Return the α that gives it.",
    ),
    Misconception(
        "the position of α",
        _but(result=lambda scales, alpha: (scales, round(20 * alpha))),
        "Your second number is the position of α among the 20. Return α itself, position / 20.",
    ),
    Misconception(
        "α first",
        _but(result=lambda scales, alpha: (alpha, scales)),
        "You return α first. The scales come first: `return scales, alpha`.",
    ),
    Misconception(
        "the scales alone",
        _but(result=lambda scales, alpha: scales),
        "You return the scales alone. Return both: `return scales, alpha`.",
    ),
    Misconception(
        "α alone",
        _but(result=lambda scales, alpha: alpha),
        "You return α alone. Return both: `return scales, alpha`, the scales of the best α.",
    ),
    Misconception(
        "scales in a row of a matrix",
        _but(result=lambda scales, alpha: (scales[None], alpha)),
        "Your scales are a matrix with one row. Return them with the shape (inputs,).",
    ),
    Misconception(
        "the weights changed",
        _in_place,
        "Your function changes the weights that it is given, by `*=` perhaps, and the lab needs them as they are. Use "
        "`w * s`, which makes a new tensor.",
    ),
)
