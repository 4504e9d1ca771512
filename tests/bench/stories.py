"""stories260K of llama2.c from $POCKETLAB_DATA, in the order that llama2.c gives its weights, and text that it writes itself.

The copy there has the size, the header, the embedding and the norms of llama2.c's file, but the numbers of each matrix in another
order: as if it had been transposed in place five times, each time as (inputs, outputs). Read as it is, the model writes noise.
Put back, it writes the story that llama2.c's doc/stories260K.md prints, and its own text has a loss of 1.30 nats a token, where
that page says 1.2968 for validation. A file in llama2.c's own order is taken as it is.
"""

from __future__ import annotations

import math
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pocketlab.llm.cache import KeyValueCache
from pocketlab.llm.decoding import generate
from pocketlab.llm.llama2c import load_llama2c
from pocketlab.llm.model import Decoder

BOS = 1  # begins a story, and so ends the one before
# "Once upon a time, there was a little girl named Lily. She loved": what it writes at temperature 0, as published for several
# implementations of others.
OPENING = [403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401]
_TURNS = 5
_HEADER_BYTES = 28


def stories_file() -> Path | None:
    """The file in $POCKETLAB_DATA, None where it is missing."""
    path = Path(os.environ.get("POCKETLAB_DATA", "")) / "llama2c" / "stories260K.bin"
    return path if path.exists() else None


def in_order(data: bytes) -> bytes:
    """The bytes of a file whose matrices are out of order, with each of them put back."""
    width, inner, layers, heads, kv_heads, vocabulary, _ = struct.unpack("<7i", data[:_HEADER_BYTES])
    numbers = np.frombuffer(data, "<f4", offset=_HEADER_BYTES).copy()
    kv_width = width * kv_heads // heads
    attention = [(width, width), (kv_width, width), (kv_width, width), (width, width)]
    at = (vocabulary + layers) * width  # after the embedding and the attention's norms
    for matrices in (attention, [(inner, width), (width, inner), (inner, width)]):
        for outputs, inputs in matrices:
            for _ in range(layers):
                part = numbers[at : at + outputs * inputs]
                part[:] = _turned_back(part, outputs, inputs)
                at += outputs * inputs
        at += layers * width  # the feed-forward's norms
    return data[:_HEADER_BYTES] + numbers.tobytes()


def _turned_back(part: np.ndarray, outputs: int, inputs: int) -> np.ndarray:
    for _ in range(_TURNS):
        part = part.reshape(outputs, inputs).T.ravel()
    return part


def load_stories(path: Path) -> Decoder:
    """The model of a file in either order. Raises ValueError where it writes another story than the known one."""
    model = load_llama2c(path)
    if not tells_the_known_story(model):
        with tempfile.TemporaryDirectory() as folder:
            repaired = Path(folder) / path.name
            repaired.write_bytes(in_order(path.read_bytes()))
            model = load_llama2c(repaired)
    if not tells_the_known_story(model):
        raise ValueError(f"{path.name} does not write the story that stories260K is known for, in neither order.")
    return model


def tells_the_known_story(model: Decoder) -> bool:
    return list(generate(model, [BOS], new_tokens=len(OPENING))) == OPENING


@torch.no_grad()
def written(model: Decoder, rows: int, length: int, seed: int) -> Tensor:
    """Text drawn from a model at temperature 1, (rows, length), each row from BOS; after a story the next one follows."""
    generator = torch.Generator().manual_seed(seed)
    cache = KeyValueCache(model.config, batch=rows, capacity=length)
    tokens = [torch.full((rows, 1), BOS)]
    while len(tokens) < length:
        logits = model(tokens[-1], cache, last_only=True)[:, -1]
        tokens.append(torch.multinomial(logits.softmax(-1), 1, generator=generator))
    return torch.cat(tokens, 1)


def of_first_story(rows: Tensor) -> Tensor:
    """Which tokens belong to the story that begins a row, the BOS that ends it included, bool; the first token is not counted."""
    ends = (rows[:, 1:] == BOS).int()
    counted = ends.cumsum(1) - ends == 0
    return torch.cat([torch.zeros_like(counted[:, :1]), counted], 1)


@torch.no_grad()
def perplexity(model: Decoder, rows: Tensor, counted: Tensor) -> float:
    """exp of the mean cross entropy of the counted tokens of rows (rows, length), each given those before it in its row."""
    total = 0.0
    for part, which in zip(rows.split(16), counted.split(16), strict=True):
        loss = torch.nn.functional.cross_entropy(model(part[:, :-1]).transpose(1, 2), part[:, 1:], reduction="none")
        total += float(loss[which[:, 1:]].double().sum())
    return math.exp(total / int(counted[:, 1:].sum()))
