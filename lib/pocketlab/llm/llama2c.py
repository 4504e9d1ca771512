"""Read the .bin files of llama2.c, a Llama in one file of C, in their first layout.

Seven int32, then all weights as float32 without names: what a number means is said by its place alone. Source: Karpathy 2023,
llama2.c, export.py (`legacy_export`) and run.c (`memory_map_weights`). llama2.c calls any .bin file its own; nothing of it is
unpickled.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pocketlab.errors import ModelFileError
from pocketlab.llm.model import Decoder, DecoderConfig

_HEADER = ("width", "feed-forward width", "layers", "heads", "key and value heads", "vocabulary", "context")
_HEADER_BYTES = 4 * len(_HEADER)
_LARGEST_SIZE = 2**20


def load_llama2c(path: str | os.PathLike[str]) -> Decoder:
    """Load a decoder, in evaluation mode. θ of the rotary positions and the norms' ε are run.c's: 10,000 and 1e-5.

    Raises ModelFileError for a file that is missing, of another layout, or longer or shorter than its header says.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError:
        raise ModelFileError(f"{path.name} is not there or cannot be read (looked in {path.parent}): check the name.") from None
    config = _config(data[:_HEADER_BYTES], path.name)
    layout = _layout(config)
    expected = _HEADER_BYTES + 4 * sum(math.prod(shape) for shape in layout.values())
    if len(data) != expected:
        raise ModelFileError(f"{path.name} has {len(data):,} bytes, and its header asks for {expected:,}: download it again.")
    numbers = torch.from_numpy(np.frombuffer(data, "<f4", offset=_HEADER_BYTES).astype(np.float32))
    parts = numbers.split([math.prod(shape) for shape in layout.values()])
    tensors = {name: part.view(shape) for (name, shape), part in zip(layout.items(), parts, strict=True)}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ModelFileError(f"{path.name} is damaged: {name} holds numbers that are not finite. Download it again.")
    model = Decoder(config)
    model.load_state_dict(_state(tensors, config))
    return model.eval()


def halves_from_pairs(weight: Tensor, heads: int) -> Tensor:
    """Reorder the rows of a query or key weight (heads · head_dim, width) from pairs of neighbors to halves of a head.

    Rotary positions turn pairs of numbers: 2i and 2i + 1 in Meta's weights, llama2.c and GGUF; i and i + head_dim/2 in Hugging
    Face's and here. Attention takes products of queries with keys only, so any order will do that both have.
    """
    return weight.view(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def _config(header: bytes, name: str) -> DecoderConfig:
    """What the seven numbers say. A vocabulary below 0 is one whose output has weights of its own."""
    if len(header) < _HEADER_BYTES:
        raise ModelFileError(f"{name} is no llama2.c file: it ends within the header of {_HEADER_BYTES} bytes.")
    numbers = np.frombuffer(header, "<i4").tolist()
    width, inner, layers, heads, kv_heads, vocabulary, context = numbers
    said = ", ".join(f"{what} {number}" for what, number in zip(_HEADER, numbers, strict=True))
    if not all(1 <= size <= _LARGEST_SIZE for size in (*numbers[:5], abs(vocabulary), context)) or width % heads:
        raise ModelFileError(f"{name} is damaged, or no llama2.c file of the first layout: its header says {said}.")
    try:
        return DecoderConfig(
            vocab_size=abs(vocabulary),
            hidden_size=width,
            intermediate_size=inner,
            layers=layers,
            heads=heads,
            kv_heads=kv_heads,
            head_dim=width // heads,
            context=context,
            tied_embeddings=vocabulary > 0,
        )
    except ValueError as error:
        raise ModelFileError(f"{name} is damaged: its header says {said}. {error}") from error


def _layout(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of a file's parts in their order; a part of blocks holds one kind of weight of every layer."""
    width, inner, layers = config.hidden_size, config.intermediate_size, config.layers
    kv_width, pairs = config.kv_heads * config.head_dim, config.head_dim // 2
    layout: dict[str, tuple[int, ...]] = {
        "embedding": (config.vocab_size, width),
        "blocks.attention_norm": (layers, width),
        "blocks.attention.query": (layers, width, width),
        "blocks.attention.key": (layers, kv_width, width),
        "blocks.attention.value": (layers, kv_width, width),
        "blocks.attention.output": (layers, width, width),
        "blocks.feed_forward_norm": (layers, width),
        "blocks.feed_forward.gate": (layers, inner, width),
        "blocks.feed_forward.down": (layers, width, inner),
        "blocks.feed_forward.up": (layers, inner, width),
        "norm": (width,),
        "cosines": (config.context, pairs),  # of the rotary positions; run.c computes them anew, and so does the decoder
        "sines": (config.context, pairs),
    }
    return layout if config.tied_embeddings else layout | {"output": (config.vocab_size, width)}


def _state(tensors: dict[str, Tensor], config: DecoderConfig) -> dict[str, Tensor]:
    """The decoder's state: parts of blocks taken apart by layer, queries and keys reordered."""
    state = {}
    for name, tensor in tensors.items():
        if name in ("cosines", "sines"):
            continue
        if not name.startswith("blocks."):
            state[f"{name}.weight"] = tensor
            continue
        for layer, weight in enumerate(tensor):
            if name in ("blocks.attention.query", "blocks.attention.key"):
                weight = halves_from_pairs(weight, config.heads if name.endswith("query") else config.kv_heads)
            state[f"blocks.{layer}.{name.removeprefix('blocks.')}.weight"] = weight
    if config.tied_embeddings:
        state["output.weight"] = state["embedding.weight"]
    return state
