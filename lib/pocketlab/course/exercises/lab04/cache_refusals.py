"""Wrong answers to exercise 04.1 that do something else than refuse what there is no room for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pocketlab.course.exercises.lab04.cache_wrong import Right, refused


def check_nothing(cache: Right, layer: int, new: int) -> None:
    """Leave it to torch what happens."""


def check_length(cache: Right, layer: int, new: int) -> None:
    """Forget the new ones."""
    if cache.length >= cache.capacity:
        raise refused()


def check_new(cache: Right, layer: int, new: int) -> None:
    """Forget the old ones."""
    if new > cache.capacity:
        raise refused()


def check_full(cache: Right, layer: int, new: int) -> None:
    """Refuse the last place too."""
    if cache.length + new >= cache.capacity:
        raise refused()


def check_context(cache: Right, layer: int, new: int) -> None:
    """Look at the model's context, not at the capacity."""
    if cache.length + new > cache.config.context:
        raise refused()


def check_last(cache: Right, layer: int, new: int) -> None:
    """Refuse where the length grows."""
    if cache.last(layer) and cache.length + new > cache.capacity:
        raise refused()


def check_with(error: type[Exception]) -> Callable[[Right, int, int], None]:
    """Return what refuses with an error of another kind."""

    def check(cache: Right, layer: int, new: int) -> None:
        if cache.length + new > cache.capacity:
            raise error("more tokens than there is room for")

    return check


def check_and_clear(cache: Right, layer: int, new: int) -> None:
    """Start anew where it is refused."""
    if cache.length + new > cache.capacity:
        cache.length = 0
        raise refused()


def fill_and_check(cache: Right, layer: int, new: int) -> None:
    """Say that the cache is full where it is refused."""
    if cache.length + new > cache.capacity:
        cache.length = cache.capacity
        raise refused()


def count_last_and_check(cache: Right, layer: int, new: int) -> None:
    """Count the new ones in the last layer, and then look whether there was room."""
    end = cache.length + new
    if end > cache.capacity:
        cache.length = end if cache.last(layer) else cache.length
        raise refused()


def write_or_refuse(cache: Right, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> None:
    """Turn what torch says into a ValueError."""
    try:
        Right.write(cache, layer, start, end, keys, values)
    except RuntimeError as error:
        raise refused() from error


class CheckedAfterAll(Right):
    """Writes and counts, and then looks whether there was room."""

    def check(self, layer: int, new: int) -> None:
        """Not yet."""

    def kept(self, layer: int, start: int, end: int, keys: Tensor, values: Tensor) -> Any:
        """Refuse before returning."""
        if end > self.capacity:
            raise refused()
        return super().kept(layer, start, end, keys, values)


class CutOff(Right):
    """Keeps the tokens that fit and drops the others."""

    def append(self, layer: int, keys: Tensor, values: Tensor) -> Any:
        """Take in what fits."""
        room = self.capacity - self.length
        return super().append(layer, keys[:, :, :room], values[:, :, :room])


class LeftOut(Right):
    """Leaves out a piece that does not fit."""

    def append(self, layer: int, keys: Tensor, values: Tensor) -> Any:
        """Take in all or nothing."""
        return super().append(layer, keys, values) if self.length + keys.shape[2] <= self.capacity else self.held(layer)

    def held(self, layer: int) -> Any:
        """What is kept already."""
        return self.keys[layer][:, :, : self.length], self.values[layer][:, :, : self.length], torch.arange(self.length)


class Rolling(Right):
    """Forgets the oldest tokens where there is no room."""

    def append(self, layer: int, keys: Tensor, values: Tensor) -> Any:
        """Move what is kept towards the start, and take in what fits behind it."""
        keys, values = keys[:, :, -self.capacity :], values[:, :, -self.capacity :]
        beyond = max(0, self.length + keys.shape[2] - self.capacity)
        if not beyond:
            return super().append(layer, keys, values)
        for store, new in ((self.keys[layer], keys), (self.values[layer], values)):
            store.copy_(torch.cat([store[:, :, beyond : self.length], new], dim=2))
        self.grow(layer, self.capacity)
        return self.kept(layer, self.length, self.capacity, keys, values)


class StartsAnew(Right):
    """Forgets everything where there is no room."""

    def check(self, layer: int, new: int) -> None:
        """Go back to the start."""
        if self.length + new > self.capacity:
            self.length = 0
