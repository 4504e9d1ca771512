"""Deep Compression: prune, share the weights that are left, train the shared values, and code what a file has to hold.

Source: Han et al. 2016 (Deep Compression: Compressing Deep Neural Networks with Pruning, Trained Quantization and Huffman
Coding).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pocketlab.compression.coding import huffman_bytes, relative_positions
from pocketlab.compression.palettization import exact_kmeans, nearest
from pocketlab.compression.pruning import prunable_weights

_FLOAT_BYTES = 4


class SharedWeights(nn.Module):
    """A weight made of few values: each entry that stays is one of `palette`, the others are zero.

    The palette is what trains. An entry's gradient goes to its value, so that a value gets the sum over all entries that
    share it. weight: any shape; mask: bool, True where it stays; bits: of an index, so 2^bits values.
    Raises ValueError unless 1 ≤ bits ≤ 8, or if nothing stays.
    Source: Han et al. 2016, section 3 and equation 3.
    """

    indices: Tensor
    mask: Tensor

    def __init__(self, weight: Tensor, mask: Tensor, bits: int) -> None:
        super().__init__()
        if not 1 <= bits <= 8:
            raise ValueError(f"A palette has 1 to 8 bits for an index; got {bits}.")
        if weight.shape != mask.shape or not bool(mask.any()):
            raise ValueError(f"A mask shaped as the weight {tuple(weight.shape)} has to leave something of it.")
        values = weight.detach()[mask].double().numpy()
        centers = exact_kmeans(values, 2**bits)
        self.palette = nn.Parameter(torch.as_tensor(centers, dtype=weight.dtype))
        self.register_buffer("indices", torch.as_tensor(nearest(values, centers).astype(np.int64)))
        self.register_buffer("mask", mask.clone())

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight that the palette makes; what the layer held before is not read."""
        return torch.zeros_like(weight).masked_scatter(self.mask, self.palette[self.indices])


def share_weights(model: nn.Module, masks: Mapping[str, Tensor], bits: int | Mapping[str, int]) -> nn.Module:
    """Return a copy of a pruned model whose weights are `SharedWeights`; train it on, and its palettes learn.

    masks: for every weight that `prunable_weights` names. bits: for all, or by name.
    Raises ValueError for a weight without a mask or without bits, and as `SharedWeights` does.
    """
    shared = copy.deepcopy(model)
    weights = prunable_weights(shared)
    widths = dict.fromkeys(weights, bits) if isinstance(bits, int) else bits
    if missing := [name for name in weights if name not in masks or name not in widths]:
        raise ValueError(f"The weight {missing[0]!r} needs a mask and a number of bits.")
    for name, weight in weights.items():
        layer = shared.get_submodule(name.rpartition(".")[0])
        parametrize.register_parametrization(layer, "weight", SharedWeights(weight, masks[name], widths[name]))
        layer.parametrizations.weight.original.requires_grad_(False)  # type: ignore[union-attr]
    return shared


@dataclass(frozen=True)
class CodedLayer:
    """What one weight takes in a file, in bytes: Huffman-coded indices and positions, and the palette in float32.

    stored: entries, with the zeros that bridge long gaps; kept: those that are weights.
    """

    name: str
    count: int
    kept: int
    stored: int
    index_bytes: int
    position_bytes: int
    palette_bytes: int

    @property
    def size_bytes(self) -> int:
        """All three together."""
        return self.index_bytes + self.position_bytes + self.palette_bytes


def coded_layers(shared: nn.Module, step_bits: int | Mapping[str, int] = 5) -> list[CodedLayer]:
    """Return the size of each weight of a model from `share_weights`, coded as Deep Compression does.

    step_bits: bits of a position's step before Huffman's code, for all or by name; Han et al. take 8 for convolutions and 5 for
    linear layers. Biases are not in it; `encode_model` writes all. Raises ValueError for a model without shared weights.
    """
    layers = []
    for name, held in shared_layers(shared).items():
        steps, symbols = stored_entries(held, step_bits if isinstance(step_bits, int) else step_bits[name])
        layers.append(
            CodedLayer(
                name=name,
                count=held.mask.numel(),
                kept=int(held.mask.sum()),
                stored=len(steps),
                index_bytes=huffman_bytes(symbols),
                position_bytes=huffman_bytes(steps),
                palette_bytes=len(held.palette) * _FLOAT_BYTES,
            )
        )
    return layers


def shared_layers(shared: nn.Module) -> dict[str, SharedWeights]:
    """Return the shared weights of a model from `share_weights`, by name. Raises ValueError if there are none."""
    found = {}
    for name, module in shared.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            held = module.parametrizations.weight[0]
            if isinstance(held, SharedWeights):
                found[f"{name}.weight".lstrip(".")] = held
    if not found:
        raise ValueError("The model has no shared weights: make it with share_weights.")
    return found


def stored_entries(held: SharedWeights, step_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps and the symbols of the entries that a file stores, (stored,) each.

    A symbol is the index of a color; the one after the last color is a zero that only bridges a gap too long for one step.
    """
    steps, real = relative_positions(held.mask.numpy(), step_bits)
    symbols = np.full(len(steps), len(held.palette), np.int64)
    symbols[real] = held.indices.numpy()
    return steps, symbols


def float_bytes(model: nn.Module) -> int:
    """Return the bytes of a model's parameters in float32, what Deep Compression's factors are relative to."""
    return _FLOAT_BYTES * sum(p.numel() for p in model.parameters())
