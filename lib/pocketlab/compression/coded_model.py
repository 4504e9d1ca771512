"""A model of shared weights as the bytes of a file, and back: what Deep Compression's factor is a factor of.

For each shared weight in the order of the modules: how many entries are stored, the bytes of the two code streams, the size of
the palette and the bits of a step (little-endian), the lengths of both Huffman codes, the palette in float32, the coded indices
and the coded steps. Then all other parameters in float32, and a CRC-32 of everything. Names and shapes are not in the file: the
program that reads it has the network.
"""

from __future__ import annotations

import copy
import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pocketlab.compression.coding import (
    huffman_decode,
    huffman_encode,
    huffman_lengths,
    positions_from_steps,
)
from pocketlab.compression.deep_compression import SharedWeights, shared_layers, stored_entries
from pocketlab.compression.pruning import prunable_weights

_HEAD = struct.Struct("<IIIBB")
_CHECKSUM = struct.Struct("<I")


def encode_model(shared: nn.Module, step_bits: int | Mapping[str, int] = 5) -> bytes:
    """Return a model from `share_weights` as the bytes of a file. step_bits: as for `coded_layers`.

    Raises ValueError for a model with a weight that is not shared, or one that has buffers, such as batch normalization's
    means: fold it first.
    """
    if any(buffer.is_floating_point() for _, buffer in shared.named_buffers()):
        raise ValueError("The model has buffers (batch normalization's means?): fold it into the weights first.")
    layers = shared_layers(shared)
    if missing := [name for name in prunable_weights(shared) if name not in layers]:
        raise ValueError(f"The weight {missing[0]!r} is not shared: give it a mask and bits in share_weights.")
    parts = [_encode_layer(held, step_bits if isinstance(step_bits, int) else step_bits[name]) for name, held in layers.items()]
    parts += [parameter.detach().numpy().astype("<f4").tobytes() for _, parameter in _others(shared)]
    data = b"".join(parts)
    return data + _CHECKSUM.pack(zlib.crc32(data))


def decode_model(data: bytes, model: nn.Module) -> nn.Module:
    """Return a copy of the model with the weights that `encode_model` wrote. model: the same network, with any weights.

    Raises ValueError for data that are damaged, or those of another network.
    """
    body, end = data[: -_CHECKSUM.size], data[-_CHECKSUM.size :]
    if len(end) < _CHECKSUM.size or _CHECKSUM.unpack(end)[0] != zlib.crc32(body):
        raise ValueError("The checksum does not fit: the data are damaged or cut off.")
    decoded = copy.deepcopy(model)
    reader = _Reader(body)
    with torch.no_grad():
        for name, weight in prunable_weights(decoded).items():
            weight.copy_(_decode_layer(reader, name, weight))
        for _, parameter in _others(decoded):
            values = np.frombuffer(reader.take(4 * parameter.numel()), "<f4")
            parameter.copy_(torch.from_numpy(values.copy()).reshape(parameter.shape))
    if reader.left:
        raise ValueError(f"{reader.left} bytes are left over: these are the data of another network.")
    return decoded


def _encode_layer(held: SharedWeights, step_bits: int) -> bytes:
    steps, symbols = stored_entries(held, step_bits)
    colors = len(held.palette)
    streams, tables = [], []
    for values, count in ((symbols, colors + 1), (steps, 2**step_bits)):
        lengths = huffman_lengths(np.bincount(values, minlength=count))
        tables.append(lengths.astype(np.uint8).tobytes())
        streams.append(huffman_encode(values, lengths))
    head = _HEAD.pack(len(steps), len(streams[0]), len(streams[1]), colors - 1, step_bits)
    palette = held.palette.detach().numpy().astype("<f4").tobytes()
    return b"".join([head, *tables, palette, *streams])


def _decode_layer(reader: _Reader, name: str, weight: Tensor) -> Tensor:
    stored, index_bytes, step_bytes, top_color, step_bits = _HEAD.unpack(reader.take(_HEAD.size))
    if not 1 <= step_bits <= 16 or not 1 <= stored <= weight.numel():
        raise ValueError(f"{name} has {weight.numel()} weights, and the data have {stored}: they are of another network.")
    filler = top_color + 1
    index_lengths = np.frombuffer(reader.take(filler + 1), np.uint8)
    step_lengths = np.frombuffer(reader.take(2**step_bits), np.uint8)
    palette = np.frombuffer(reader.take(4 * filler), "<f4")
    symbols = huffman_decode(reader.take(index_bytes), index_lengths, stored)
    positions = positions_from_steps(huffman_decode(reader.take(step_bytes), step_lengths, stored))
    if positions[-1] >= weight.numel():
        raise ValueError(
            f"{name} has {weight.numel()} weights, and the data go on to number {positions[-1] + 1}: they are "
            "of another network."
        )
    values = np.zeros(weight.numel(), np.float32)
    real = symbols != filler
    values[positions[real]] = palette[symbols[real]]
    return torch.from_numpy(values).reshape(weight.shape)


def _others(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters that are no shared or prunable weight: biases and normalizations."""
    weights = prunable_weights(model)
    for name, parameter in model.named_parameters():
        if name not in weights and "parametrizations" not in name:
            yield name, parameter


class _Reader:
    """Takes bytes off the front of data. Raises ValueError where they end too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError(f"The data end where {count} bytes more are due: they are of another network.")
        self._at += count
        return self._data[self._at - count : self._at]
