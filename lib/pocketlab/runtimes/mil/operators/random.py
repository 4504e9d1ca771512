"""Random numbers.

With a seed of 0 or more an operator gives the same numbers at each call; with -1 others each time. Core ML's generator is
not published: what agrees with a device is the distribution, not the numbers.
Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15/random.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import Ints, operator


@operator()
def random_bernoulli(shape: Ints, prob: float, seed: int) -> Tensor:
    """Return a tensor of that shape of 1 with probability `prob`, and 0."""
    return torch.empty(shape).bernoulli_(prob, generator=_generator(seed))


@operator()
def random_categorical(x: Tensor, mode: str, size: int, seed: int) -> Tensor:
    """Return `size` indices into the last axis, drawn independently, as floating-point numbers.

    x: (..., categories), with mode "probs" proportional to their probabilities, with "logits" the logarithms of such.
    Returns (..., size).
    """
    weights = x if mode == "probs" else x.softmax(-1)
    drawn = torch.multinomial(weights.reshape(-1, x.shape[-1]), size, replacement=True, generator=_generator(seed))
    return drawn.reshape(*x.shape[:-1], size).float()


@operator()
def random_normal(shape: Ints, mean: float, stddev: float, seed: int) -> Tensor:
    """Return a tensor of that shape of normally distributed numbers."""
    return torch.empty(shape).normal_(mean, stddev, generator=_generator(seed))


@operator()
def random_uniform(shape: Ints, low: float, high: float, seed: int) -> Tensor:
    """Return a tensor of that shape of numbers spread evenly over [low, high)."""
    numbers = torch.empty(shape).uniform_(low, high, generator=_generator(seed))
    # low + (high - low) * u can be rounded up to `high`, which does not belong to the interval
    below = torch.nextafter(torch.tensor(high), torch.tensor(low))
    return numbers.clamp_(max=below.item())


def _generator(seed: int) -> torch.Generator:
    """Return a generator that starts at the seed, or for a negative one from the system's entropy."""
    generator = torch.Generator()
    if seed < 0:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator
