"""Right answers to exercises 04.1 to 04.3, each written in another way than the library's own."""

from __future__ import annotations

import math
from fractions import Fraction

import torch


class CacheInOneTensor:
    def __init__(self, config, batch, capacity):
        self.kept = torch.zeros(2, config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.length = 0

    def append(self, layer, keys, values):
        new = keys.size(-2)
        if new > self.kept.shape[4] - self.length:
            raise ValueError("the cache is full")
        end = self.length + new
        self.kept[:, layer].narrow(3, self.length, new).copy_(torch.stack([keys, values]))
        if layer + 1 == self.kept.shape[1]:
            self.length = end
        keys, values = self.kept[:, layer, ..., :end, :]
        return keys, values, torch.arange(end, dtype=torch.int32)


class CacheOfLayers:
    """A tensor for each layer, with tokens before heads, never set to zero; a count for each layer."""

    def __init__(self, config, batch, capacity):
        shape = batch, capacity, config.kv_heads, config.head_dim
        self.keys = [torch.empty(shape) for _ in range(config.layers)]
        self.values = [torch.empty(shape) for _ in range(config.layers)]
        self.counts, self.capacity = [0] * config.layers, capacity

    @property
    def length(self):
        return self.counts[-1]

    def append(self, layer, keys, values):
        start = self.counts[layer]
        self.counts[layer] = end = self._end(start, keys)
        self.keys[layer][:, start:end] = keys.transpose(1, 2)
        self.values[layer][:, start:end] = values.transpose(1, 2)
        return [store[layer][:, :end].transpose(1, 2) for store in (self.keys, self.values)] + [torch.arange(end)]

    def _end(self, start, keys):
        if start + keys.shape[2] > self.capacity:
            raise ValueError(f"no room for {keys.shape[2]} more")
        return start + keys.shape[2]


class CacheByIndex:
    def __init__(self, config, batch, capacity):
        self.config, self.capacity, self.length = config, capacity, 0
        self.positions = torch.arange(capacity)
        self.stores = {
            (layer, kind): torch.full((batch, config.kv_heads, capacity, config.head_dim), torch.nan)
            for layer in range(config.layers)
            for kind in ("keys", "values")
        }

    def append(self, layer, keys, values):
        places = self.positions[self.length :][: keys.shape[2]]
        if len(places) < keys.shape[2]:
            raise ValueError(f"{self.length} held and {keys.shape[2]} more, with room for {self.capacity}")
        kept = self.length + len(places)
        for kind, new in (("keys", keys), ("values", values)):
            self.stores[layer, kind].index_copy_(2, places, new)
        self.length += len(places) * (layer == self.config.layers - 1)
        return self.stores[layer, "keys"][:, :, :kept], self.stores[layer, "values"][:, :, :kept], self.positions[:kept]


class CacheOfSingleTokens:
    """Writes token by token, and computes the places where it needs them."""

    def __init__(self, config, batch, capacity):
        self.layers, self.capacity, self.length = config.layers, capacity, 0
        self.keys = torch.zeros(config.layers, batch, config.kv_heads, capacity, config.head_dim)
        self.values = torch.zeros_like(self.keys)

    def append(self, layer, keys, values):
        if self.length + keys.shape[2] > self.capacity:
            raise ValueError("too many tokens")
        for i in range(keys.shape[2]):
            self.keys[layer, :, :, self.length + i] = keys[:, :, i]
            self.values[layer, :, :, self.length + i] = values[:, :, i]
        kept = slice(0, self.length + keys.shape[2])
        if layer == self.layers - 1:
            self.length = kept.stop
        return self.keys[layer, :, :, kept], self.values[layer, :, :, kept], torch.tensor(list(range(kept.stop)))


def bytes_in_two_parts(config, positions, bits):
    vectors = 2 * config.layers * config.kv_heads * positions
    if bits == 8:
        return vectors * config.head_dim + vectors * 4
    if bits in (16, 32):
        return vectors * config.head_dim * (bits // 8)
    raise ValueError(f"{bits} bits")


def bytes_from_bits(config, positions, bits):
    of_vector = {32: 32 * config.head_dim, 16: 16 * config.head_dim, 8: 8 * config.head_dim + 32}
    if bits not in of_vector:
        raise ValueError(f"bits is one of {list(of_vector)}")
    return sum(of_vector[bits] * positions for _ in range(config.layers * config.kv_heads)) // 4


def bytes_of_tensors(config, positions, bits):
    types = {32: torch.float32, 16: torch.float16, 8: torch.int8}
    try:
        dtype = types[bits]
    except KeyError:
        raise ValueError(bits) from None
    shape = 2, config.layers, config.kv_heads, positions, config.head_dim
    numbers = torch.empty(shape, dtype=dtype, device="meta").nbytes
    return numbers + (torch.empty(shape[:-1], device="meta").nbytes if dtype == torch.int8 else 0)


def bits_by_divmod(outputs, inputs, bits, group_size):
    if bits not in range(2, 9) or group_size <= 0:
        raise ValueError("bits from 2 to 8, and at least one weight in a group")
    groups, left = divmod(inputs, group_size)
    return outputs * (inputs * bits + (groups + (left > 0)) * (bits + 16))


def bits_group_by_group(outputs, inputs, bits, group_size):
    if bits < 2 or bits > 8 or group_size < 1:
        raise ValueError("impossible")
    starts = range(0, inputs, group_size)
    return outputs * sum(16 + bits + bits * (min(start + group_size, inputs) - start) for start in starts)


def bits_by_ceil(outputs, inputs, bits, group_size):
    if group_size < 1:
        raise ValueError("a group holds a weight")
    if not 1 < bits < 9:
        raise ValueError("2 to 8 bits")
    groups = math.ceil(inputs / group_size)
    return int(Fraction(outputs * inputs) * (bits + Fraction(groups * (16 + bits), inputs)))


RIGHT = {
    "04.1": [CacheInOneTensor, CacheOfLayers, CacheByIndex, CacheOfSingleTokens],
    "04.2": [bytes_in_two_parts, bytes_from_bits, bytes_of_tensors],
    "04.3": [bits_by_divmod, bits_group_by_group, bits_by_ceil],
}
