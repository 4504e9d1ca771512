"""Speculative decoding: a cheap draft guesses some tokens, and the target checks all of them in one pass.

A pass over γ + 1 tokens reads the weights once, as a step of one token does, so on a processor that waits for memory it takes
about as long. What is kept has exactly the target's distribution, whatever the draft proposes; only the speed depends on it.
Source: Leviathan, Kalman and Matias 2023 (Fast Inference from Transformers via Speculative Decoding), Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.llm.cache import KeyValueCache
from pocketlab.llm.decoding import GREEDY, AnyCache, Sampling, fit, prefill, probabilities, sample
from pocketlab.llm.model import Decoder


class Draft(Protocol):
    """Anything that guesses how a text goes on."""

    def propose(
        self, tokens: Sequence[int], count: int, generator: torch.Generator | None
    ) -> tuple[list[int], Tensor | None]:
        """Return up to `count` tokens that may follow, and what each was drawn from, (proposed, vocab_size).

        None instead of distributions: nothing was drawn, so that each token had probability 1.
        """
        ...


class ModelDraft:
    """A smaller model with the target's vocabulary. It is best drawn from as the target is: give it the same `sampling`."""

    def __init__(self, model: Decoder, sampling: Sampling = GREEDY) -> None:
        self._model, self._sampling = model, sampling
        self._cache = KeyValueCache(model.config, dtype=model.norm.weight.dtype)
        self._held: list[int] = []  # the tokens in the cache

    def propose(
        self, tokens: Sequence[int], count: int, generator: torch.Generator | None
    ) -> tuple[list[int], Tensor | None]:
        """Return tokens drawn one after the other, fewer than `count` where the context ends, with their distributions."""
        count = min(count, self._model.config.context + 1 - len(tokens))
        if count < 1:
            return [], None
        new = self._take_back(tokens)
        proposed: list[int] = []
        distributions: list[Tensor] = []
        for _ in range(count):
            logits = prefill(self._model, new, self._cache)
            self._held += new
            distributions.append(probabilities(logits, self._sampling))
            new = [sample(distributions[-1], generator)]
            proposed += new
        return proposed, torch.stack(distributions)

    def _take_back(self, tokens: Sequence[int]) -> list[int]:
        """Keep of the cache what `tokens` begin with; return those that it lacks, the last one at least."""
        same = 0
        while same < min(len(self._held), len(tokens) - 1) and self._held[same] == tokens[same]:
            same += 1
        self._cache.truncate(same)
        del self._held[same:]
        return list(tokens[same:])


class PromptLookup:
    """A draft without a model: where the last tokens stood before, what followed them then may follow again.

    n: how many tokens are looked up; where they did not stand before, one less, down to 1. The latest place counts.
    Good where an answer repeats its prompt: a summary, a quotation, code. Source: Saxena 2023 (Prompt Lookup Decoding).
    Raises ValueError for n below 1.
    """

    def __init__(self, n: int = 3) -> None:
        if n < 1:
            raise ValueError(f"Looking up takes 1 token or more; got n = {n}.")
        self.n = n

    def propose(
        self, tokens: Sequence[int], count: int, generator: torch.Generator | None
    ) -> tuple[list[int], Tensor | None]:
        """Return what followed the last tokens where they stood before, up to `count`; nothing is drawn."""
        for n in range(min(self.n, len(tokens) - 1), 0, -1):
            last = tokens[-n:]
            for end in range(len(tokens) - 1, n - 1, -1):
                if tokens[end - n : end] == last:
                    return list(tokens[end : end + count]), None
        return [], None


@dataclass
class Statistics:
    """What speculation did. proposed: tokens of the draft. tested: those not behind a rejected one. accepted: of the tested.

    target_passes: passes that checked a proposal, or had none to check; the prefill is not among them.
    """

    proposed: int = 0
    tested: int = 0
    accepted: int = 0
    target_passes: int = 0

    @property
    def acceptance(self) -> float:
        """α, the share of tested tokens that were accepted (the paper's Definition 3.1); 0 if none was tested."""
        return self.accepted / self.tested if self.tested else 0.0

    @property
    def tokens_per_pass(self) -> float:
        """Accepted tokens of a pass of the target, and the one that it adds; 0 before the first pass."""
        return (self.accepted + self.target_passes) / self.target_passes if self.target_passes else 0.0


class Speculation(Iterator[int]):
    """The tokens that `generate` would yield, with the target's distribution, in fewer passes of the target.

    gamma: how many tokens the draft proposes for each pass. statistics: of the passes so far. The other arguments are those of
    `pocketlab.llm.decoding.generate`. A RollingCache needs `spare` of gamma, so that rejected tokens can be taken back.
    Raises ValueError as `generate` does, for gamma below 1, and for a draft with another vocabulary.
    """

    def __init__(
        self,
        target: Decoder,
        draft: Draft,
        prompt: Sequence[int],
        *,
        gamma: int,
        new_tokens: int,
        sampling: Sampling = GREEDY,
        stop: Collection[int] = (),
        cache: AnyCache | None = None,
        generator: torch.Generator | None = None,
        too_long: Literal["refuse", "cut"] = "refuse",
    ) -> None:
        if gamma < 1:
            raise ValueError(f"A draft proposes 1 token or more for each pass; got gamma = {gamma}.")
        prompt, cache = fit(target, prompt, new_tokens, cache, too_long)
        self.statistics = Statistics()
        self._target, self._draft, self._gamma, self._sampling, self._generator = target, draft, gamma, sampling, generator
        self._tokens = self._run(prompt, new_tokens, stop, cache)

    def __next__(self) -> int:
        return next(self._tokens)

    def _run(self, tokens: list[int], left: int, stop: Collection[int], cache: AnyCache) -> Iterator[int]:
        if before := tokens[cache.length : -1]:
            prefill(self._target, before, cache)
        while left > 0:
            for token in self._round(tokens, left, cache):
                if token in stop:
                    cache.truncate(min(cache.length, len(tokens)))  # what was accepted behind it is no part of the text
                    return
                tokens.append(token)
                yield token
                left -= 1

    def _round(self, tokens: list[int], left: int, cache: AnyCache) -> list[int]:
        """Draft, check in one pass, and take back what was rejected; return the new tokens, up to `left`."""
        held = cache.length
        proposed, q = self._draft.propose(tokens, min(self._gamma, left - 1), self._generator) if left > 1 else ([], None)
        p = probabilities(_logits(self._target, [tokens[-1], *proposed], cache), self._sampling)
        if q is None:
            q = functional.one_hot(torch.tensor(proposed, dtype=torch.long), p.shape[-1]).to(p.dtype)
        chances = torch.rand(len(proposed), dtype=p.dtype, generator=self._generator)
        accepted, following = verify(proposed, q, p, chances)
        cache.truncate(held + 1 + accepted)
        self.statistics.proposed += len(proposed)
        self.statistics.tested += min(accepted + 1, len(proposed))
        self.statistics.accepted += accepted
        self.statistics.target_passes += 1
        return [*proposed[:accepted], sample(following, self._generator)]


def verify(proposed: Sequence[int], q: Tensor, p: Tensor, chances: Tensor) -> tuple[int, Tensor]:
    """Return how many proposed tokens are accepted, and the distribution (vocab_size,) of the token that follows them.

    Algorithm 1 after the target's pass. proposed: γ tokens, each drawn from its row of q, (γ, vocab_size). p: (γ + 1,
    vocab_size), what the target gives at the same places and after the last. chances: (γ,), uniform from 0 up to 1. A token x is
    accepted where its chance is below p(x) / q(x). At the first that is not, one is drawn from max(0, p − q), normalized;
    after γ accepted ones, from the last row of p.
    Raises ValueError where q and p do not fit together.
    """
    if q.shape != (len(proposed), p.shape[-1]) or len(p) != len(proposed) + 1:
        raise ValueError(
            f"{len(proposed)} proposed tokens have distributions {tuple(q.shape)} of the draft, {tuple(p.shape)} of the target: "
            "the same vocabulary is needed, so one tokenizer, and one row more of the target."
        )
    for place, token in enumerate(proposed):
        if chances[place] * q[place, token] >= p[place, token]:
            rest = (p[place] - q[place]).clamp(min=0)
            # p below q at one token and nowhere above it: they are the same, but for the rounding of their sums.
            return place, rest / rest.sum() if rest.sum() > 0 else p[place]
    return len(proposed), p[-1]


@torch.no_grad()
def _logits(model: Decoder, tokens: Sequence[int], cache: AnyCache) -> Tensor:
    """The logits after each of the tokens, (time, vocab_size)."""
    return model(torch.tensor([tokens]), cache)[0]


def expected_tokens_per_pass(acceptance: float, gamma: int) -> float:
    """Return (1 − α^(γ+1)) / (1 − α), the tokens that a pass of the target is expected to give (equation 1).

    It assumes that each tested token is accepted with the same probability α, whatever happened before (the paper's "simplifying
    assumption that the βs are i.i.d.") and that every pass checks γ tokens. Text has easy and hard stretches: easy ones are
    tested more often, since nothing is tested behind a rejected token, so that the measured α is theirs more than the passes',
    and a pass gives fewer tokens than the formula makes of it.
    Raises ValueError for an acceptance outside of 0 to 1, or gamma below 0.
    """
    if not 0 <= acceptance <= 1 or gamma < 0:
        raise ValueError(f"acceptance is a probability and gamma 0 or more; got {acceptance} and {gamma}.")
    return sum(acceptance**accepted for accepted in range(gamma + 1))  # the same sum, also where α = 1


def expected_speedup(acceptance: float, gamma: int, cost: float) -> float:
    """Return (1 − α^(γ+1)) / ((1 − α)(γc + 1)), how much faster than the target alone (Theorem 3.8).

    cost: c, the time of a step of the draft over that of the target; a target's pass over γ + 1 tokens is taken to last as long
    as a step. Raises ValueError as `expected_tokens_per_pass` does, and for a negative cost.
    """
    if cost < 0:
        raise ValueError(f"cost is the draft's time over the target's, 0 or more; got {cost}.")
    return expected_tokens_per_pass(acceptance, gamma) / (gamma * cost + 1)
