"""Exercise 04.1: a cache of keys and values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketlab.course.comparing import difference
from pocketlab.course.exercise import EXACT, Case, Exercise
from pocketlab.course.exercises.lab04.cache_mistakes import MISTAKES
from pocketlab.course.outcomes import snapshot
from pocketlab.llm.cache import KeyValueCache
from pocketlab.llm.model import DecoderConfig

_Piece = tuple[str, list[Tensor], list[Tensor]]  # its name, and keys and values for each layer
_Drive = Callable[[DecoderConfig, int, int, tuple[int, ...]], dict[str, Any]]
_CONFIG = DecoderConfig(
    vocab_size=50, hidden_size=16, intermediate_size=32, layers=2, heads=4, kv_heads=2, head_dim=4, context=64
)


def _cache_cases(rng: np.random.Generator) -> list[Case]:
    del rng  # the drive draws keys and values, so that a card can show the numbers of tokens in place of them

    def case(label: str, capacity: int, *pieces: int, batch: int = 1, **sizes: Any) -> Case:
        return Case(label, (replace(_CONFIG, **sizes), batch, capacity, pieces))

    # Caches that are filled to the last place take in one piece, and count the same along each axis: what else a wrong count
    # does where there is no room depends on how the answer refuses, which is no matter of these cases.
    return [
        case("a piece of 3 tokens and one of 2", 20, 3, 2),
        case("one piece", 20, 4),
        case("token by token", 16, 1, 1, 1),
        case("a prompt and then single tokens", 40, 5, 1, 1, layers=3),
        case("pieces of several tokens", 40, 2, 4, 3),
        case("one layer", 14, 3, 1, 2, layers=1),
        case("a batch", 24, 3, 1, batch=3),
        case("a batch", 24, 1, 2, batch=2),
        case("heads that do not make up the hidden size", 20, 3, 1, head_dim=6),
        case("heads that do not make up the hidden size", 20, 2, head_dim=10),
        case("one key-and-value head", 20, 3, 1, kv_heads=1),
        case("as many key-and-value heads as query heads", 20, 3, 1, kv_heads=4),
        case("room for the whole context", 64, 3, 1),
        case("filled to the last place", 4, 4, layers=1, kv_heads=4),
        case("filled to the last place", 4, 4, layers=1, kv_heads=4, batch=4),
        case("too many tokens", 5, 3, 3),
        case("too many tokens", 6, 2, 2, 4, layers=3, batch=2),
        case("too many tokens", 8, 2, 9, layers=1),
        case("one token for a full cache", 4, 4, 1),
        case("one token for a full cache", 3, 2, 1, 1, layers=1),
        case("a first piece that is too long", 4, 5),
        case("a first piece that is too long", 8, 70, layers=1),
        case("too many tokens, then some that fit", 6, 3, 4, 2),
        case("too many tokens, then some that fit", 6, 4, 3, 1, 1, layers=3),
        case("too many tokens at first, then some that fit", 6, 7, 2, 3),
        case("too many tokens twice, then some that fit", 8, 5, 4, 6, 1, layers=1),
    ]


class NotThreeTensorsError(Exception):
    """Raised where `append` returns something else than keys, values and positions."""


class ChangedByRefusalError(Exception):
    """Raised where a cache refused tokens with a ValueError, but is not as it was before."""


class RefusedWithRoomError(Exception):
    """Raised where a cache refused tokens that there is room for."""


def _driven(cache_class: Callable[..., Any]) -> _Drive:
    """Return the function that a check calls in place of the class, and whose result it compares."""

    def drive(config: DecoderConfig, batch: int, capacity: int, pieces: tuple[int, ...]) -> dict[str, Any]:
        """Give a new cache pieces of so many tokens each, and return what it gave back, by what it is.

        A ValueError of the cache is raised again at the end, if it was due and the cache then is like one that was never asked.
        """
        made = _make(config, batch, pieces)
        needed = 2 * 4 * config.layers * batch * config.kv_heads * capacity * config.head_dim
        seen, refused, error = _run(lambda: cache_class(config, batch, capacity), made, needed)
        due = _too_many(capacity, pieces)
        if error is None or len(refused) < len(due):
            return seen
        if due and refused != due:
            too_much = next(name for name in refused if name not in due)
            raise RefusedWithRoomError(f"{too_much} is refused, though there is room for it") from error
        accepted = [piece for piece in made if piece[0] not in refused]
        unasked, _, _ = _run(lambda: cache_class(config, batch, capacity), accepted, needed)
        if changed := difference(snapshot(unasked), snapshot(seen), EXACT):
            raise ChangedByRefusalError(f"a ValueError came, but the cache is not as it was before: {changed}")
        raise error

    return drive


def _too_many(capacity: int, pieces: tuple[int, ...]) -> list[str]:
    """Return the names of the pieces that a cache has to refuse."""
    names, held = [], 0
    for number, new in enumerate(pieces, start=1):
        if held + new > capacity:
            names.append(f"piece {number}")
        else:
            held += new
    return names


def _make(config: DecoderConfig, batch: int, pieces: tuple[int, ...]) -> list[_Piece]:
    """Draw keys and values, and give them the axes as attention does: (batch, kv_heads, new, head_dim), a view."""
    generator = torch.Generator().manual_seed(4)

    def draw(new: int) -> Tensor:
        return torch.randn(batch, new, config.kv_heads, config.head_dim, generator=generator).transpose(1, 2)

    return [
        (f"piece {number}", [draw(new) for _ in range(config.layers)], [draw(new) for _ in range(config.layers)])
        for number, new in enumerate(pieces, start=1)
    ]


def _run(
    create: Callable[[], Any], pieces: list[_Piece], needed: int
) -> tuple[dict[str, Any], list[str], ValueError | None]:
    """Return all that a cache shows, the names of the pieces that it refused, and the last error that it did so with.

    needed: the bytes that keys and values of its capacity take in float32.
    """
    # The other one gets the same with the sign changed: two conversations at once share nothing.
    cache, other = create(), create()
    seen: dict[str, Any] = {"length of a new cache": cache.length}
    refused, error = [], None
    returned: list[list[Tensor]] = []  # for each piece the keys and values of all layers, alive, so that no memory is used again
    for name, keys, values in pieces:
        try:
            kept = _append(cache, name, keys, values, seen)
        except ValueError as caught:
            refused.append(name)
            error = caught
            continue
        _append(other, name, [-k for k in keys], [-v for v in values], {})
        returned.append(kept)
    seen["length at the end"] = cache.length
    if returned:
        first, last = ([tensor.data_ptr() for tensor in kept] for kept in (returned[0], returned[-1]))
        seen["keys and values stay at their place in memory"] = first == last
        memory = {storage.data_ptr(): storage.nbytes() for storage in (t.untyped_storage() for t in returned[-1])}
        seen["bytes in memory beyond what the capacity takes"] = max(0, sum(memory.values()) - needed)
    return seen, refused, error


def _append(cache: Any, name: str, keys: list[Tensor], values: list[Tensor], seen: dict[str, Any]) -> list[Tensor]:
    """Give a piece to all layers, write down in `seen` what comes back, and return the tensors of keys and values."""
    kept: list[Tensor] = []
    lengths = []
    for layer, (new_keys, new_values) in enumerate(zip(keys, values, strict=True)):
        try:
            returned = cache.append(layer, new_keys, new_values)
        except ValueError as error:
            if layer:
                raise ChangedByRefusalError(
                    f"layer {layer} refuses {name} ({error}), after the layers before it took it in"
                ) from error
            raise
        where = f"{name}, layer {layer}"
        all_keys, all_values, positions = _three_tensors(returned)
        whole = not (positions.is_floating_point() or positions.dtype == torch.bool)
        seen[f"{where}: keys"] = all_keys.clone()
        seen[f"{where}: values"] = all_values.clone()
        seen[f"{where}: positions"] = positions.long() if whole else positions.clone()
        kept += [all_keys, all_values]
        lengths.append(cache.length)
    seen[f"{name}: length after each layer"] = tuple(lengths)
    return kept


def _three_tensors(returned: Any) -> tuple[Tensor, Tensor, Tensor]:
    if returned is None:
        raise NotThreeTensorsError("append returned None: is a `return` missing?")
    parts = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    if len(parts) != 3 or not all(isinstance(part, Tensor) for part in parts):
        kinds = ", ".join(type(part).__name__ for part in parts)
        raise NotThreeTensorsError(f"append returns three tensors, keys, values and positions; this returned {kinds}")
    return parts


CACHE = Exercise(
    id="04.1",
    title="a cache of keys and values",
    reference=KeyValueCache,
    cases=_cache_cases,
    tolerance=EXACT,
    probe=_driven,
    misconceptions=MISTAKES,
)
