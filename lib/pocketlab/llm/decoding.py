"""From logits to text: one token after the other, greedy or drawn, handed on as they come.

Source: Holtzman et al. 2020 (The Curious Case of Neural Text Degeneration) for top-p and, in its section 5, temperature; Fan et
al. 2018 (Hierarchical Neural Story Generation, section 5) for top-k; Nguyen et al. 2024 (Turning Up the Heat) for min-p.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.llm.cache import KeyValueCache, RollingCache
from pocketlab.llm.model import Decoder

AnyCache = KeyValueCache | RollingCache
_FINITE = 1e30  # a bound for a hostile model's logits: far from what any model means, and no sum or difference of it overflows


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen; see `probabilities` for the order in which these act.

    temperature: 0 for greedy, the most probable token; below 1 sharper than the model, above 1 flatter. top_k: only the k most
    probable tokens. top_p: only the most probable ones that together reach p. min_p: only those at least min_p times as probable
    as the most probable one. Raises ValueError for a value outside of its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"A temperature is 0 (greedy) or more, 1 as the model was trained; got {self.temperature}.")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k keeps at least 1 token, or all if it is None; got {self.top_k}.")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is a probability above 0, up to 1 for all tokens; got {self.top_p}.")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p is a share of the highest probability, from 0 to 1; got {self.min_p}.")


GREEDY = Sampling(temperature=0)


def probabilities(logits: Tensor, sampling: Sampling = GREEDY) -> Tensor:
    """Return the probability with which each token is chosen, (…, vocab_size), from logits of the same shape.

    In the order of the package `transformers`: temperature, top-k, top-p, min-p, each on what the one before has left. In
    llama.cpp temperature comes last, so that there top-p counts the probabilities of temperature 1. Tokens as probable as the
    k-th all stay. Greedy is 1 for the most probable token (the first of equals), 0 for the others. In float32 at least.
    Raises ValueError where no logit is the highest: NaN, infinity, or all of them minus infinity.
    """
    highest = logits.amax(-1, keepdim=True)
    if not highest.isfinite().all():
        raise ValueError("The logits hold NaN or infinity, or allow no token: are the model's weights whole?")
    dtype = torch.promote_types(logits.dtype, torch.float32)
    if sampling.temperature == 0:
        return functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(dtype)
    scaled = (logits.to(dtype) - highest) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        least = scaled.topk(sampling.top_k).values[..., -1:]
        scaled = scaled.masked_fill(scaled < least, -math.inf)
    p = scaled.softmax(-1)
    if sampling.top_p < 1:
        ordered, order = p.sort(dim=-1, descending=True, stable=True)
        enough = ordered.cumsum(-1) - ordered >= sampling.top_p  # those before it have reached p already
        p = p.masked_fill(enough.scatter(-1, order, enough), 0)
    p = p.masked_fill(p < sampling.min_p * p.amax(-1, keepdim=True), 0)
    return p / p.sum(-1, keepdim=True)


def sample(p: Tensor, generator: torch.Generator | None = None) -> int:
    """Return a token drawn from probabilities (vocab_size,)."""
    return int(torch.multinomial(p, 1, generator=generator))


class Constraint(Protocol):
    """Which tokens may come next, such as `pocketlab.llm.schema.JsonSchema`: an automaton with a state for each place.

    start: the state before the first token. shortest: the fewest tokens of a whole output. end: the token that ends it.
    """

    start: int
    shortest: int
    end: int

    def allowed(self, state: int, left: int) -> Tensor:
        """Return which tokens may come, bool (vocab_size,), so that the output can be whole within `left` tokens."""
        ...

    def advance(self, state: int, token: int) -> int:
        """Return the state after an allowed token other than `end`."""
        ...

    def finished(self, state: int) -> bool:
        """Return whether the output is whole and nothing can follow."""
        ...


def generate(
    model: Decoder,
    prompt: Sequence[int],
    *,
    new_tokens: int,
    sampling: Sampling = GREEDY,
    stop: Collection[int] = (),
    cache: AnyCache | None = None,
    generator: torch.Generator | None = None,
    constraint: Constraint | None = None,
    too_long: Literal["refuse", "cut"] = "refuse",
) -> Iterator[int]:
    """Yield up to `new_tokens` tokens that follow a prompt, each as soon as it is chosen; the first takes the prefill.

    stop: tokens that end the text and are not yielded. generator: where chance comes from, torch's own if not given.
    constraint: masks the logits before `sampling` acts, so that the text has a form, and ends when it is whole.
    cache: may hold the first `cache.length` tokens of the prompt already, which then take no time; one is made if not given.
    Afterwards it holds prompt and text but for the last token. too_long: "cut" drops tokens from the front of a prompt that
    does not fit in the context together with the new ones. Raises ValueError, before anything is computed, for a prompt
    that is empty or too long, and for fewer new tokens than the constraint needs.
    """
    prompt, cache = fit(model, prompt, new_tokens, cache, too_long)
    if constraint is not None and new_tokens < constraint.shortest:
        raise ValueError(
            f"The shortest output of this form has {constraint.shortest} tokens, and new_tokens is {new_tokens}: allow more."
        )
    return _steps(model, prompt, new_tokens, sampling, stop, cache, generator, constraint)


def _steps(
    model: Decoder,
    prompt: Sequence[int],
    new_tokens: int,
    sampling: Sampling,
    stop: Collection[int],
    cache: AnyCache,
    generator: torch.Generator | None,
    constraint: Constraint | None,
) -> Iterator[int]:
    state = constraint.start if constraint is not None else 0
    logits = prefill(model, prompt[cache.length :], cache)
    for left in range(new_tokens, 0, -1):
        if constraint is not None:
            logits = masked(logits, constraint.allowed(state, left))
        token = sample(probabilities(logits, sampling), generator)
        if token in stop or (constraint is not None and token == constraint.end):
            return
        yield token
        if constraint is not None:
            state = constraint.advance(state, token)
            if constraint.finished(state):
                return
        if left > 1:
            logits = prefill(model, [token], cache)


@torch.no_grad()  # on a function of its own: around a `yield` it would also act on whoever takes the tokens
def prefill(model: Decoder, tokens: Sequence[int], cache: AnyCache) -> Tensor:
    """Take tokens into the cache, all in one pass; return the logits of the next one, (vocab_size,).

    A prompt of hundreds keeps the processor busy with arithmetic, a step of one token with reading the weights.
    """
    return model(torch.tensor([tokens]), cache, last_only=True)[0, -1]


def masked(logits: Tensor, allowed: Tensor) -> Tensor:
    """Return logits (vocab_size,) with minus infinity for what is not allowed, and finite numbers for all that is."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    finite = wide.nan_to_num(nan=-_FINITE).clamp(-_FINITE, _FINITE)
    return finite.masked_fill(~allowed, -math.inf)


def fit(
    model: Decoder, prompt: Sequence[int], new_tokens: int, cache: AnyCache | None, too_long: Literal["refuse", "cut"]
) -> tuple[list[int], AnyCache]:
    """Return a prompt that leaves room for the new tokens, and a cache for both; see `generate`."""
    prompt, held = list(prompt), 0 if cache is None else cache.length
    if new_tokens < 1 or not prompt:
        raise ValueError(f"A prompt has 1 token or more, and so has its answer; got {len(prompt)} and {new_tokens}.")
    # A RollingCache has no capacity: the context alone bounds it. The last new token is yielded and never fed back.
    places = getattr(cache, "capacity", model.config.context)
    room = places + 1 - new_tokens
    if len(prompt) > room:
        if too_long != "cut" or room < 1:
            raise ValueError(
                f"A prompt of {len(prompt)} tokens and {new_tokens} new ones do not fit in {places} places: shorten the prompt, "
                'ask for fewer new tokens, or cut the prompt from the front with too_long="cut".'
            )
        prompt = prompt[-room:]
        if held:
            raise ValueError("The cache holds the beginning of this prompt, which would be cut off: give a new cache.")
    if held >= len(prompt):
        raise ValueError(f"The cache holds {held} tokens, and the prompt has {len(prompt)}: truncate it to fewer than those.")
    if cache is None:
        cache = KeyValueCache(model.config, capacity=len(prompt) + new_tokens - 1, dtype=model.norm.weight.dtype)
    return prompt, cache


@dataclass(frozen=True)
class TokenTimes:
    """When each of the generated tokens came, in seconds from the call."""

    seconds: tuple[float, ...]

    @property
    def first_s(self) -> float:
        """Time to the first token, in seconds: the prefill."""
        return self.seconds[0]

    @property
    def tokens_per_second(self) -> float:
        """The rate after the first token, NaN if no time went by after it.

        Of one token at a time: where a draft guesses ahead, the first few come at once, and this is too high for short texts.
        """
        elapsed = self.seconds[-1] - self.seconds[0]
        return (len(self.seconds) - 1) / elapsed if elapsed else math.nan


def timed(tokens: Iterable[int]) -> tuple[list[int], TokenTimes]:
    """Take all tokens of an iterator such as `generate`'s; return them, and when they came.

    Raises ValueError where there is none.
    """
    begun, taken, seconds = time.perf_counter(), [], []
    for token in tokens:
        taken.append(token)
        seconds.append(time.perf_counter() - begun)
    if not taken:
        raise ValueError("There is nothing to time: the text ended before its first token.")
    return taken, TokenTimes(tuple(seconds))
