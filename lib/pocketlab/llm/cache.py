"""Where attention keeps the keys and values of earlier tokens, so that a new token costs the work of one, not of all.

Three ways to keep them: every token in full, the last ones of a sliding window, or in 8 bits. Each is the `cache` of a
`Decoder`'s forward, and for inference only: gradients do not flow through it. Source: Pope et al. 2022 (Efficiently Scaling
Transformer Inference, section 2); Jiang et al. 2023 (Mistral 7B, section 2, "Rolling Buffer Cache").
"""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor

from pocketlab.llm.model import DecoderConfig

_SCALE_BYTES = 4  # float32


def cache_bytes(
    config: DecoderConfig, positions: int, bits: int = 32, *, batch: int = 1, rolling: bool = False, spare: int = 0
) -> int:
    """Return the bytes that the keys and values of `positions` tokens take.

    2 · layers · batch · kv_heads · positions · head_dim · bits/8. bits: 32 or 16; or 8, with a float32 scale for each head and
    token as `Int8Cache` has. rolling, spare: as `RollingCache` keeps them, so no more than window + spare of the positions.
    Raises ValueError for other bits, and for `rolling` where a layer has no window.
    """
    if bits not in (8, 16, 32):
        raise ValueError(f"A cache here has 8, 16 or 32 bits for each number; got {bits}.")
    places = min(positions, _places_of_ring(config, spare)) if rolling else positions
    vector = config.head_dim * bits // 8 + (_SCALE_BYTES if bits == 8 else 0)
    return 2 * config.layers * batch * config.kv_heads * places * vector


class KeyValueCache:
    """Keys and values of up to `capacity` tokens, allocated once: nothing grows, and no token copies those before it.

    batch: how many sequences go on at once. capacity: tokens, the model's context if not given. dtype: what is kept; with
    another than the model's, each step converts all of it. length: tokens held.
    Raises ValueError for a capacity beyond the context.
    """

    def __init__(
        self, config: DecoderConfig, batch: int = 1, capacity: int | None = None, *, dtype: torch.dtype = torch.float32
    ) -> None:
        self.capacity = config.context if capacity is None else capacity
        if not 1 <= self.capacity <= config.context:
            raise ValueError(f"A cache holds 1 token up to the model's context of {config.context}, not {self.capacity}.")
        self.config, self.batch, self.length = config, batch, 0
        self._dtype = dtype
        self._keys, self._values = self._store(), self._store()

    def _store(self) -> _Store:
        return _Floats(_shape(self.config, self.batch, self.capacity), self._dtype)

    @property
    def nbytes(self) -> int:
        """The bytes allocated: `cache_bytes(config, capacity, …)`."""
        return self._keys.nbytes + self._values.nbytes

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take in keys and values (batch, kv_heads, new, head_dim); return all kept ones with their positions (kept,).

        Raises ValueError where they are more than there is room for, or of another batch or model; the cache stays as it was.
        """
        new = _count(self.config, self.batch, keys)
        end = self.length + new
        if end > self.capacity:
            raise ValueError(f"{end} tokens do not fit in a cache of {self.capacity}: give it a larger capacity, or start anew.")
        places = slice(self.length, end)
        self._keys.write(layer, places, keys)
        self._values.write(layer, places, values)
        if layer == self.config.layers - 1:
            self.length = end
        return self._keys.read(layer, end, keys.dtype), self._values.read(layer, end, values.dtype), torch.arange(end)

    def truncate(self, length: int) -> None:
        """Forget all tokens after the first `length`, such as a draft's rejected ones. Nothing is moved or copied.

        Also a way to reuse a prefix: after a conversation, truncate to the prompt that the next one shares with it.
        Raises ValueError for more tokens than it holds.
        """
        self.length = _shorter(length, self.length)

    def fork(self, length: int | None = None) -> Self:
        """Return a cache of the same capacity that begins with the first `length` tokens of this one, all if not given.

        For two conversations at once after one prompt: the prompt is computed once. Its keys and values are copied, once, which
        takes `cache_bytes(config, length, …)` bytes and about as long as reading them for one token; sharing them instead
        would leave attention two pieces to join at every token. So each can go on without changing the other.
        Raises ValueError for more tokens than it holds.
        """
        other = copy.copy(self)
        other.length = self.length if length is None else _shorter(length, self.length)
        other._keys, other._values = self._keys.fork(other.length), self._values.fork(other.length)
        return other


class Int8Cache(KeyValueCache):
    """Keys and values in 8 bits: 4 · head_dim / (head_dim + 4) times less memory than float32, 3.8 for heads of 64.

    Symmetric: for each head and token one scale, the largest magnitude over 127, so that no number is off by more than half
    of it. It saves memory, not time: at each step all kept numbers are made float again. Source: Sheng et al. 2023 (FlexGen,
    section 5), with a token's head as the group.
    """

    def __init__(self, config: DecoderConfig, batch: int = 1, capacity: int | None = None) -> None:
        super().__init__(config, batch, capacity)

    def _store(self) -> _Store:
        return _Int8s(_shape(self.config, self.batch, self.capacity))


class RollingCache:
    """The last `window` tokens in a ring, for a model whose every layer has a window: memory stays the same at any length.

    spare: how many tokens beyond the window stay, so that `truncate` can take back spare + 1 of them. length: tokens seen.
    Raises ValueError for a model with a layer that looks back to the start.
    """

    def __init__(
        self, config: DecoderConfig, batch: int = 1, *, spare: int = 0, dtype: torch.dtype = torch.float32
    ) -> None:
        self.config, self.batch, self.length = config, batch, 0
        ring = _places_of_ring(config, spare)
        self._window, self.places = ring - spare, min(ring, config.context)
        self._oldest = 0  # no position before it is in the ring
        shape = _shape(config, batch, self.places)
        self._keys, self._values = _Floats(shape, dtype), _Floats(shape, dtype)

    @property
    def nbytes(self) -> int:
        """The bytes allocated: `cache_bytes(config, config.context, rolling=True, …)`."""
        return self._keys.nbytes + self._values.nbytes

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take in keys and values (batch, kv_heads, new, head_dim); return those that one of them may see, with positions.

        One token takes the place of the oldest. Of several, the first still sees what the last ones replace, so they are
        joined to what was there, a copy, before they go in. Raises ValueError for another batch or model.
        """
        start, new = self.length, _count(self.config, self.batch, keys)
        end = start + new
        last = torch.arange(max(start, end - self.places), end)
        if new == 1:
            self._write(layer, last, keys, values)
            kept = self._read(layer, end, keys)
        else:
            old_keys, old_values, old_positions = self._read(layer, start, keys)
            kept = (
                torch.cat([old_keys, keys], dim=2),
                torch.cat([old_values, values], dim=2),
                torch.cat([old_positions, torch.arange(start, end)]),
            )
            self._write(layer, last, keys[:, :, last - start], values[:, :, last - start])
        if layer == self.config.layers - 1:
            self.length, self._oldest = end, max(self._oldest, end - self.places)
        return kept

    def truncate(self, length: int) -> None:
        """Forget all tokens after the first `length`. Raises ValueError where what they would see has been overwritten."""
        length = _shorter(length, self.length)
        if length and max(0, length + 1 - self._window) < self._oldest:
            raise ValueError(
                f"{self.length - length} of {self.length} tokens cannot be taken back, since the ring of {self.places} has "
                "overwritten what came before them: give RollingCache as many `spare` places."
            )
        self.length = length
        self._oldest = self._oldest if length else 0

    def _write(self, layer: int, positions: Tensor, keys: Tensor, values: Tensor) -> None:
        self._keys.write(layer, positions % self.places, keys)
        self._values.write(layer, positions % self.places, values)

    def _read(self, layer: int, count: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The places filled after `count` tokens, with their positions."""
        filled = min(count, self.places)
        # In place p stands the last position before `count` that leaves the remainder p. (Or a token that was taken back, where
        # that position is before the oldest; but `truncate` sees to it that no window reaches so far.)
        positions = count - 1 - (count - 1 - torch.arange(filled)) % self.places
        return self._keys.read(layer, filled, like.dtype), self._values.read(layer, filled, like.dtype), positions


class _Store:
    """Tensors (layers, batch, kv_heads, places, …) that keep a vector for each layer, sequence, head and place."""

    tensors: list[Tensor]

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)

    def fork(self, length: int) -> Self:
        """Another store of the same size, with a copy of the first `length` places."""
        other = copy.copy(self)
        other.tensors = [torch.zeros_like(tensor) for tensor in self.tensors]
        for new, old in zip(other.tensors, self.tensors, strict=True):
            new[:, :, :, :length] = old[:, :, :, :length]
        return other

    def write(self, layer: int, places: slice | Tensor, x: Tensor) -> None:
        """Put x (batch, kv_heads, new, head_dim) into places."""
        raise NotImplementedError

    def read(self, layer: int, count: int, dtype: torch.dtype) -> Tensor:
        """The vectors of the first `count` places, (batch, kv_heads, count, head_dim)."""
        raise NotImplementedError


class _Floats(_Store):
    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.tensors = [torch.zeros(shape, dtype=dtype)]

    def write(self, layer: int, places: slice | Tensor, x: Tensor) -> None:
        self.tensors[0][layer][:, :, places] = x.detach().to(self.tensors[0].dtype)

    def read(self, layer: int, count: int, dtype: torch.dtype) -> Tensor:
        return self.tensors[0][layer][:, :, :count].to(dtype)  # a view, if it is of that type already


class _Int8s(_Store):
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.tensors = [torch.zeros(shape, dtype=torch.int8), torch.zeros(*shape[:-1], 1)]

    def write(self, layer: int, places: slice | Tensor, x: Tensor) -> None:
        numbers, scales = self.tensors
        x = x.detach().float()
        scale = x.abs().amax(-1, keepdim=True) / 127
        scales[layer][:, :, places] = scale
        # A vector of zeros has scale 0: divide by the smallest float then, which leaves it zeros.
        numbers[layer][:, :, places] = (x / scale.clamp(min=torch.finfo(torch.float32).tiny)).round().to(torch.int8)

    def read(self, layer: int, count: int, dtype: torch.dtype) -> Tensor:
        numbers, scales = self.tensors
        return (numbers[layer][:, :, :count] * scales[layer][:, :, :count]).to(dtype)


def _shape(config: DecoderConfig, batch: int, places: int) -> tuple[int, ...]:
    return config.layers, batch, config.kv_heads, places, config.head_dim


def _count(config: DecoderConfig, batch: int, keys: Tensor) -> int:
    """How many new tokens the keys are of, once they are seen to be of this cache's batch and model."""
    expected = batch, config.kv_heads, keys.shape[2], config.head_dim
    if keys.shape != expected:
        raise ValueError(
            f"This cache is for a batch of {batch} and {config.kv_heads} heads of {config.head_dim}; it was given keys of shape "
            f"{tuple(keys.shape)} (batch, heads, tokens, head_dim): make one for this model and this batch."
        )
    return expected[2]


def _shorter(length: int, held: int) -> int:
    if not 0 <= length <= held:
        raise ValueError(f"{length} tokens cannot be kept of a cache that holds {held}.")
    return length


def _places_of_ring(config: DecoderConfig, spare: int) -> int:
    if config.window is None or any(config.window_of(layer) is None for layer in range(config.layers)):
        raise ValueError("A rolling cache forgets, and this model has a layer that looks back to the start: use KeyValueCache.")
    if spare < 0:
        raise ValueError(f"`spare` is a number of places, 0 or more; got {spare}.")
    return config.window + spare
