"""Han et al. 2016, table 1, again: LeNet-300-100 and LeNet-5 pruned, palettized and Huffman coded without losing accuracy.

Trained on 8,000 of the 10,000 MNIST digits in $POCKETLAB_DATA and tested on the other 2,000, where the paper has 60,000 and
10,000. The small network also learns from the dense one's answers (distillation), which the paper does not do: with the
labels alone LeNet-300-100 loses 0.4 to 0.7 points on so few digits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from bench.row import Row
from bench.training import right, train
from pocketlab.compression.coded_model import encode_model
from pocketlab.compression.deep_compression import float_bytes, share_weights
from pocketlab.compression.pruning import apply_masks, gradual_sparsity, magnitude_mask, prunable_weights
from pocketlab.data.digits import load_digits
from pocketlab.data.models import lenet_5, lenet_300_100

EPOCHS = {"dense": 50, "pruning": 40, "shared": 15}


class Recipe:
    """What a network keeps of each weight (share), the bits of an index, and the bits of a step."""

    def __init__(self, build: Callable[[], nn.Sequential], keep: list[float], bits: list[int], paper: float) -> None:
        self.build, self.paper = build, paper
        names = list(prunable_weights(build()))
        self.keep = dict(zip(names, keep, strict=True))
        self.bits = dict(zip(names, bits, strict=True))


RECIPES = {
    "LeNet-300-100": Recipe(lenet_300_100, [0.082, 0.1, 0.3], [4, 4, 5], 40.0),
    "LeNet-5": Recipe(lenet_5, [0.66, 0.14, 0.07, 0.22], [5, 4, 4, 4], 39.0),
}


@cache
def compressed(name: str) -> tuple[float, float, float]:
    """Accuracy in percent of the dense and of the compressed network, and how many times smaller that one is."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe, digits = RECIPES[name], load_digits("mnist")
    dense = recipe.build()
    train(dense, digits, EPOCHS["dense"])
    pruned = copy.deepcopy(dense)
    masks: dict[str, Tensor] = {}

    def prune(step: int, steps: int) -> None:
        if step % 20 == 0 and step <= 0.6 * steps:
            for key, weight in prunable_weights(pruned).items():
                due = gradual_sparsity(step, begin=0, end=int(0.6 * steps / 20) * 20, final=1 - recipe.keep[key])
                masks[key] = magnitude_mask(weight, due)
        apply_masks(pruned, masks)

    train(pruned, digits, EPOCHS["pruning"], dense, prune)
    shared = share_weights(pruned, masks, recipe.bits)
    train(shared, digits, EPOCHS["shared"], dense)
    return right(dense, digits), right(shared, digits), float_bytes(dense) / len(encode_model(shared))


def deep_compression() -> list[Row]:
    rows = []
    for name, recipe in RECIPES.items():
        dense, small, times = compressed(name)
        rows.append(Row(f"{name}, size after Deep Compression", "1/x", 1 / times, 1 / recipe.paper, "Han et al. 2016"))
        rows.append(Row(f"{name}, wrong answers", "%", 100 - small, 100 - dense, "the dense network"))
    return rows


BENCHES = {"lenets": deep_compression}
