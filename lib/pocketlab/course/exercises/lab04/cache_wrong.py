"""Wrong answers to exercise 04.1: each changes one part of the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pocketlab.llm.model import DecoderConfig


def refused() -> ValueError:
    """Return the error of a right answer."""
    return ValueError("more tokens than there is room for")


class Right:
    """A right answer, in parts small enough that a wrong one changes one of them."""

    def __init__(self, config: DecoderConfig, batch: int, capacity: int) -> None:
        self.config, self.batch, self.capacity, self.length = config, batch, capacity, 0
        self.keys, self.values = self.stores()

    def stores(self) -> tuple[Any, Any]:
        """Allocate the memory of keys and values."""
        return torch.zeros(self.shape()), torch.zeros(self.shape())

    def shape(self) -> tuple[int, ...]:
        """The shape of the memory of the keys."""
        return self.config.layers, self.batch, self.config.kv_heads, self.capacity, self.config.head_dim

    def last(self, layer: int) -> bool:
        """Whether the layer is the last one."""
        return layer == self.config.layers - 1

    def count(self, keys: Tensor) -> int:
        """How many new tokens there are."""
        return keys.shape[2]

    def check(self, layer: int, new: int) -> None:
        """Refuse what there is no room for."""
        if self.length + new > self.capacity:
            raise refused()

    def start(self, layer: int, new: int) -> int:
        """Where the new ones go."""
        return self.length

    def write(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
        """Put the new ones to their places."""
        self.keys[layer][:, :, start:end] = keys
        self.values[layer][:, :, start:end] = values

    def grow(self, layer: int, end: int) -> None:
        """Count the new ones."""
        if self.last(layer):
            self.length = end

    def append(self, layer: int, keys: Tensor, values: Tensor) -> Any:
        """Take in new keys and values, and return all."""
        new = self.count(keys)
        self.check(layer, new)
        start = self.start(layer, new)
        self.write(layer, start, start + new, keys, values)
        self.grow(layer, start + new)
        return self.kept(layer, start, start + new, keys, values)

    def kept(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
        """Return what `append` returns, after the new ones went to places from start to end."""
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], torch.arange(end)


def changed(base: type[Right] = Right, **parts: Any) -> type[Right]:
    """Return a class that differs from the base in these methods."""
    return type("Cache", (base,), parts)


# What is allocated


class Joined(Right):
    """Keeps what it has in tensors that are joined to the new ones."""

    def stores(self) -> tuple[Any, Any]:
        """Nothing is kept yet."""
        return {}, {}

    def join(self, old: Tensor, new: Tensor) -> Tensor:
        """The old ones and the new ones."""
        return torch.cat([old, new], dim=2)

    def write(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
        """Make longer tensors."""
        for store, new in ((self.keys, keys), (self.values, values)):
            store[layer] = self.join(store[layer], new) if layer in store else new


class OneLayer(Right):
    """One memory for all layers."""

    def shape(self) -> tuple[int, ...]:
        """No axis of layers."""
        return super().shape()[1:]

    def write(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
        """Each layer writes over the one before it."""
        self.keys[:, :, start:end] = keys
        self.values[:, :, start:end] = values

    def kept(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
        """What the layer has just written, and what the last one wrote before."""
        return self.keys[:, :, :end], self.values[:, :, :end], torch.arange(end)


class TokensFirst(Right):
    """Memory with tokens before heads, and nothing transposed."""

    def shape(self) -> tuple[int, ...]:
        """Exchange two axes."""
        layers, batch, heads, capacity, size = super().shape()
        return layers, batch, capacity, heads, size

    def write(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
        """Write where torch lets it."""
        self.keys[layer][:, start:end] = keys
        self.values[layer][:, start:end] = values

    def kept(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
        """Return the axes as they are."""
        return self.keys[layer][:, :end], self.values[layer][:, :end], torch.arange(end)


class ForTheClass(Right):
    """Holds its memory in the class, so that a new cache takes it from all others."""

    memory: Any = None

    def stores(self) -> tuple[Any, Any]:
        """Allocate the memory of all caches."""
        ForTheClass.memory = torch.zeros(2, *self.shape())
        return None, None

    def write(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
        """Write to what all caches share."""
        ForTheClass.memory[0, layer][:, :, start:end] = keys
        ForTheClass.memory[1, layer][:, :, start:end] = values

    def kept(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
        """What all caches share."""
        return *ForTheClass.memory[:, layer, :, :, :end], torch.arange(end)


def shaped(axis: int, size: Callable[[DecoderConfig], int]) -> Callable[[Right], tuple[int, ...]]:
    """Return what makes the shape of the memory with another size of one axis."""

    def shape(cache: Right) -> tuple[int, ...]:
        right = Right.shape(cache)
        return *right[:axis], size(cache.config), *right[axis + 1 :]

    return shape


def one_store_twice(cache: Right) -> tuple[Any, Any]:
    """One tensor with two names."""
    store = torch.zeros(cache.shape())
    return store, store


def half_stores(cache: Right) -> tuple[Any, Any]:
    """Memory of 16 bits for each number."""
    return torch.zeros(cache.shape()).half(), torch.zeros(cache.shape()).half()


def double_stores(cache: Right) -> tuple[Any, Any]:
    """Memory of 64 bits for each number."""
    return torch.zeros(cache.shape()).double(), torch.zeros(cache.shape()).double()


# Where the new ones go, and how many are counted


def grow_always(cache: Right, layer: int, end: int) -> None:
    """Count the new ones in each layer."""
    cache.length = end


def grow_first(cache: Right, layer: int, end: int) -> None:
    """Count the new ones in the first layer."""
    if layer == 0:
        cache.length = end


def grow_never(cache: Right, layer: int, end: int) -> None:
    """Leave the length at 0."""


def grow_by_one(cache: Right, layer: int, end: int) -> None:
    """Count one token for each piece."""
    if cache.last(layer):
        cache.length += 1


class LengthOfPiece(Right):
    """Takes the number of the new tokens for the number of all."""

    def append(self, layer: int, keys: Tensor, values: Tensor) -> Any:
        """Set the length to the new ones alone."""
        returned = super().append(layer, keys, values)
        if self.last(layer):
            self.length = keys.shape[2]
        return returned


def first_layer_counts(cache: Right, layer: int, new: int) -> int:
    """Count the new ones in the first layer, and let the others go back by as many."""
    if layer == 0:
        cache.length += new
    return cache.length - new


def last_layer_counts_before(cache: Right, layer: int, new: int) -> int:
    """Count the new ones before the last layer writes."""
    if cache.last(layer):
        cache.length += new
    return cache.length


def write_one(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
    """Write the first of the new ones only."""
    cache.keys[layer][:, :, start] = keys[:, :, 0]
    cache.values[layer][:, :, start] = values[:, :, 0]


class ByCalls(Right):
    """Made for one token at a time."""

    def append(self, layer: int, keys: Tensor, values: Tensor) -> Any:
        """Write one token, and count one."""
        self.check(layer, 1)
        write_one(self, layer, self.length, self.length + 1, keys, values)
        end = self.length + 1
        self.grow(layer, end)
        return self.kept(layer, end - 1, end, keys, values)


def write_exchanged(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
    """Write the keys for values, and the values for keys."""
    Right.write(cache, layer, start, end, values, keys)


class EndTwice(Right):
    """Returns slices up to the length and the new ones, also where the length has grown by them."""

    def kept(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
        """Count the new ones of the last layer twice."""
        end = self.length + keys.shape[2]
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end], torch.arange(end)


class AnewForSeveral(Right):
    """Takes several tokens for a new prompt."""

    def start(self, layer: int, new: int) -> int:
        """Begin at 0 with several tokens."""
        return self.length if new == 1 else 0


# What is returned


class Kept(Right):
    """Returns slices that `cut` makes of a layer's memory, and positions that `places` makes."""

    def cut(self, store: Tensor, start: int, end: int) -> Tensor:
        """The part of a layer's memory that is returned."""
        return store[:, :, :end]

    def places(self, start: int, end: int) -> Any:
        """The positions that are returned."""
        return torch.arange(end)

    def kept(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
        """Keys, values and positions."""
        return self.cut(self.keys[layer], start, end), self.cut(self.values[layer], start, end), self.places(start, end)


def up_to_length(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
    """Return as many as `length` says, which grows in the last layer only."""
    return Right.kept(cache, layer, start, cache.length, keys, values)


def positions_up_to_length(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
    """Return as many positions as `length` says."""
    return cache.keys[layer][:, :, :end], cache.values[layer][:, :, :end], torch.arange(cache.length)


def repeated(cache: Right, store: Tensor) -> Tensor:
    """The same for each query head."""
    return store.repeat_interleave(cache.config.heads // cache.config.kv_heads, dim=1)


def nothing(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
    """Forget the return."""


def keys_twice(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
    """Return the keys for values too."""
    return cache.keys[layer][:, :, :end], cache.keys[layer][:, :, :end], torch.arange(end)


def all_layers(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
    """Return what all layers keep."""
    return cache.keys[:, :, :, :end], cache.values[:, :, :, :end], torch.arange(end)


def whole_memory(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
    """Return all places, with positions of all."""
    return cache.keys[layer], cache.values[layer], torch.arange(cache.capacity)


def positions_of_batch(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
    """Return positions for each sequence."""
    return cache.keys[layer][:, :, :end], cache.values[layer][:, :, :end], torch.arange(end).expand(cache.batch, end)


def the_new(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
    """Return what came in, with positions of all."""
    return keys, values, torch.arange(end)


def the_new_in_place(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
    """Return what came in, with its positions."""
    return keys, values, torch.arange(start, end)
