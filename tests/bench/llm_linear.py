"""A packed 4-bit linear layer against float32 `linear`: a token at a time, and in decoding with the target's shapes.

Latencies with one thread. Each shape has as many copies of its weights as fill four times the processor's cache, which take
turns, so that weights come from memory as they do in a model; the two kinds take turns too, so that other work on the machine
slows both. Weights are random: they take the same time.
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.row import Row
from pocketlab.llm.cache import KeyValueCache
from pocketlab.llm.grids import Grid
from pocketlab.llm.model import Decoder
from pocketlab.llm.packed import PackedLinear, pack_model
from pocketlab.llm.train import RECIPES
from pocketlab.llm.weights import quantize_model
from pocketlab.operations.latency import latency_percentiles

SEVEN_BILLION = ((4096, 4096), (11008, 4096))  # outputs and inputs of Llama 2 7B: attention, and feed-forward
TARGET = ((384, 384), (128, 384), (1024, 384), (384, 1024))  # query and output, key and value, gate and up, down
GROUP_SIZE = 128
CALLS, BYTES = 80, 4 * 32 * 2**20
PROMPT, TOKENS, ROUNDS = 20, 100, 7
PROMPTS = (16, 90, 91, 120, 200)  # packed layers multiply in another way from 91 rows on


def alternating(calls: list[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Seconds that each call took in each round; before the first of them is one to warm up."""
    times: list[list[float]] = [[] for _ in calls]
    with torch.inference_mode():
        for _ in range(rounds + 1):
            for call, taken in zip(calls, times, strict=True):
                begun = time.perf_counter()
                call()
                taken.append(time.perf_counter() - begun)
    return times


def rows_of(name: str, ours: list[float], theirs: list[float]) -> list[Row]:
    percentiles = zip(("median", "p90"), latency_percentiles(ours, 1), latency_percentiles(theirs, 1), strict=True)
    return [Row(f"{name}, {which}", "ms", mine, other, "float32") for which, mine, other in percentiles]


def one_token(outputs: int, inputs: int) -> list[Row]:
    grid = Grid(
        torch.randint(0, 16, (outputs, inputs), dtype=torch.uint8),
        torch.rand(outputs, inputs // GROUP_SIZE),
        torch.full((outputs, inputs // GROUP_SIZE), 8.0),
        4,
        GROUP_SIZE,
    )
    packed, plain = in_turn(PackedLinear(grid)), in_turn(nn.Linear(inputs, outputs, bias=False))
    x = torch.randn(1, 1, inputs)
    ours, theirs = alternating([lambda: packed(x), lambda: plain(x)], CALLS)
    return rows_of(f"linear {outputs}×{inputs}", ours, theirs)


def in_turn(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """A function that calls a layer's copies one after the other, one at each call; together they have `BYTES`."""
    size = sum(tensor.nbytes for tensor in layer.state_dict().values())
    turns = itertools.cycle([copy.deepcopy(layer) for _ in range(1 + BYTES // size)])
    return lambda x: next(turns)(x)


def decoders() -> tuple[Decoder, Decoder]:
    torch.manual_seed(0)
    model = Decoder(RECIPES["target"].config).eval()
    return pack_model(quantize_model(model, "rtn", 4, GROUP_SIZE)), model


def decode(model: Decoder) -> None:
    cache = KeyValueCache(model.config)
    token = model(torch.zeros(1, PROMPT, dtype=torch.long), cache, last_only=True)[:, -1].argmax(-1, keepdim=True)
    for _ in range(TOKENS):
        token = model(token, cache, last_only=True)[:, -1].argmax(-1, keepdim=True)


def packed() -> list[Row]:
    torch.set_num_threads(1)
    rows = [row for shape in (*SEVEN_BILLION, *TARGET) for row in one_token(*shape)]
    ours, theirs = decoders()
    times = alternating([lambda: decode(ours), lambda: decode(theirs)], ROUNDS)
    rows += rows_of(f"target, {TOKENS} tokens", *times)
    for length in PROMPTS:
        prompt = torch.zeros(1, length, dtype=torch.long)
        times = alternating([lambda p=prompt: ours(p, last_only=True), lambda p=prompt: theirs(p, last_only=True)], 3 * ROUNDS)
        rows += rows_of(f"target, prompt of {length}", *times)
    return rows


BENCHES = {"packed": packed}
