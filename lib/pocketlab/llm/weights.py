"""Quantize the weights of a decoder to 8, 4, 3 or 2 bits: round to nearest, GPTQ, or AWQ.

Embedding and output head stay float: they are a small part of a large model, and the part that errors spoil most. Source:
Frantar et al. 2023 (GPTQ, section 3); Lin et al. 2024 (AWQ, section 3).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from pocketlab.llm.awq import search_ranges, search_scales
from pocketlab.llm.gptq import gptq
from pocketlab.llm.grids import Grid, round_to_nearest
from pocketlab.llm.model import Attention, Block, Decoder, RMSNorm

Method = Literal["rtn", "gptq", "awq"]

# The linear layers of a block, those together that read the same input, in the order in which they compute.
READERS = (
    ("attention.query", "attention.key", "attention.value"),
    ("attention.output",),
    ("feed_forward.gate", "feed_forward.up"),
    ("feed_forward.down",),
)


@dataclass(frozen=True)
class QuantizedDecoder:
    """A decoder whose blocks' weights lie on grids, as float32, and the grid of each of its `linear_layers` by name."""

    model: Decoder
    grids: dict[str, Grid]


@dataclass(frozen=True)
class Inputs:
    """What a linear layer was given: mean |x| of each channel, (inputs,), and the mean of x·xᵀ, (inputs, inputs), float64."""

    magnitudes: Tensor
    hessian: Tensor

    def divided(self, scales: Tensor) -> Inputs:
        """Return the same of x / scales."""
        return Inputs(self.magnitudes / scales, self.hessian / torch.outer(scales, scales))


def linear_layers(model: Decoder) -> dict[str, nn.Linear]:
    """Return the linear layers inside of the blocks by name, "blocks.0.attention.query" and so on."""
    inside = model.blocks.named_modules(prefix="blocks")
    return {name: module for name, module in inside if isinstance(module, nn.Linear)}


@torch.no_grad()
def activation_channels(model: Decoder, tokens: Tensor) -> dict[str, Tensor]:
    """Return mean |x| of each input channel of each linear layer, (inputs,) by name, while the model reads tokens (batch, time).

    The few channels far above the others are the salient ones: an error of a weight counts times what it is multiplied with.
    """
    found: dict[str, Tensor] = {}
    with _watched(linear_layers(model), lambda name, x: found.update({name: x.abs().mean(0)})):
        model(tokens, last_only=True)
    return found


@torch.no_grad()
def quantize_model(
    model: Decoder, method: Method, bits: int, group_size: int, calibration: Tensor | None = None
) -> QuantizedDecoder:
    """Return a copy of the model with the weights of its blocks on grids of `bits`, a scale for each `group_size` inputs.

    method: "rtn", round to nearest; "gptq"; or "awq", whose copy also has other norms, since what its weights are multiplied
    by is divided out there. calibration: tokens (batch, time) of typical text, a few thousand; "rtn" needs none.
    While the calibration runs through the copy, each block is quantized just before it computes, so that the blocks after it
    are fitted to what they will really be given.
    Raises ValueError for another method, a missing calibration, and as `round_to_nearest` does.
    """
    copied, grids = copy.deepcopy(model).eval(), dict[str, Grid]()
    if method == "rtn":
        for name, layer in linear_layers(copied).items():
            grids[name] = _put(layer, round_to_nearest(layer.weight, bits, group_size))
        return QuantizedDecoder(copied, grids)
    if method not in ("gptq", "awq"):
        raise ValueError(f'The methods are "rtn", "gptq" and "awq"; got {method!r}.')
    if calibration is None:
        raise ValueError(f"{method} looks at activations: give it calibration tokens (batch, time) of typical text.")
    quantize = _gptq_block if method == "gptq" else _awq_block

    def before(name: str, block: nn.Module, arguments: tuple[Any, ...]) -> None:
        found = quantize(cast(Block, block), _inputs(block, arguments), bits, group_size)
        grids.update({f"{name}.{inner}": grid for inner, grid in found.items()})

    hooks = [
        block.register_forward_pre_hook(partial(before, f"blocks.{index}")) for index, block in enumerate(copied.blocks)
    ]
    try:
        copied(calibration, last_only=True)
    finally:
        for hook in hooks:
            hook.remove()
    return QuantizedDecoder(copied, {name: grids[name] for name in linear_layers(copied)})


def _gptq_block(block: Block, inputs: dict[str, Inputs], bits: int, group_size: int) -> dict[str, Grid]:
    grids = {}
    for readers in READERS:
        for name in readers:
            layer = _linear(block, name)
            grids[name] = _put(layer, gptq(layer.weight, inputs[readers[0]].hessian, bits, group_size))
    return grids


def _awq_block(block: Block, inputs: dict[str, Inputs], bits: int, group_size: int) -> dict[str, Grid]:
    scaled = {}
    for readers in READERS:
        given, layers = inputs[readers[0]], [_linear(block, name) for name in readers]
        source = _source(block, readers[0])
        if source is not None:
            scales, _ = search_scales([layer.weight for layer in layers], given.magnitudes, given.hessian, bits, group_size)
            _divide(source, scales)
            for layer in layers:
                layer.weight.mul_(scales)
            given = given.divided(scales)
        scaled[readers] = given
    grids = {}
    for readers, given in scaled.items():
        for name in readers:
            layer = _linear(block, name)
            kept = search_ranges(layer.weight, given.hessian, bits, group_size)
            grids[name] = _put(layer, round_to_nearest(layer.weight, bits, group_size, kept))
    return grids


def _source(block: Block, reader: str) -> RMSNorm | nn.Linear | None:
    """What makes the input of a reader and can be scaled by channels instead of it.

    None for attention's output where query heads share a value head: each would need other scales there.
    """
    if reader == "attention.query":
        return block.attention_norm
    if reader == "feed_forward.gate":
        return block.feed_forward_norm
    if reader == "feed_forward.down":
        return block.feed_forward.up  # down(activation(gate) · up)
    attention: Attention = block.attention
    return attention.value if attention.heads == attention.kv_heads else None


def _divide(source: RMSNorm | nn.Linear, scales: Tensor) -> None:
    """Divide each channel that comes out of a source by its scale, in place."""
    if isinstance(source, RMSNorm):
        source.weight.copy_((source.offset + source.weight) / scales - source.offset)
    else:
        source.weight.div_(scales[:, None])


def _put(layer: nn.Linear, grid: Grid) -> Grid:
    layer.weight.copy_(grid.weights())
    return grid


def _linear(block: nn.Module, name: str) -> nn.Linear:
    return cast(nn.Linear, block.get_submodule(name))


def _inputs(block: nn.Module, arguments: tuple[Any, ...]) -> dict[str, Inputs]:
    """What the first of each of the `READERS` is given, when a block computes with these arguments."""
    found: dict[str, Inputs] = {}

    def see(name: str, x: Tensor) -> None:
        found[name] = Inputs(x.abs().mean(0), (x.T @ x).double() / len(x))

    with _watched({readers[0]: _linear(block, readers[0]) for readers in READERS}, see):
        block.forward(*arguments)  # not block(…), which would call the hook again that this is called from
    return found


@contextmanager
def _watched(layers: dict[str, nn.Linear], see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Show `see` the name and the inputs (rows, inputs) of each layer when it is called."""

    def hook(name: str, layer: nn.Module, arguments: tuple[Tensor]) -> None:
        see(name, arguments[0].flatten(0, -2))

    hooks = [layer.register_forward_pre_hook(partial(hook, name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in hooks:
            handle.remove()
