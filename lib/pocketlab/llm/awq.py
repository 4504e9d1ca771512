"""AWQ: weights that meet large activations matter most, so enlarge them before rounding and shrink what they meet.

Source: Lin et al. 2024 (AWQ: Activation-aware Weight Quantization for On-Device LLM Compression and Acceleration), section
3.2: s = a^α, a the mean magnitude of an input channel, α from a grid of 20 points; and weight clipping, which its released code
has too, here with a view of all groups at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from pocketlab.llm.gptq import output_error
from pocketlab.llm.grids import group_parameters, nearest, round_to_nearest, split

POINTS = 20  # of the grid of α
SHARES = [1 - point / 20 for point in range(10)]  # of its range that clipping lets a group keep
SWEEPS = 2  # turns that each group gets


def salient_channels(x: Tensor, share: float = 0.01) -> Tensor:
    """Return which input channels have the largest mean magnitudes, the largest first, (channels,) integers.

    x: (tokens, inputs), what a layer was given. share: of all channels, rounded to the nearest number of them, at least one.
    Of channels with equal means the first comes first. Source: Lin et al. 2024, section 3.1: the weights that matter are found
    by the activations that they meet, not by their own size.
    Raises ValueError for a share that is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"A share of the channels is above 0 and at most 1; got {share}.")
    magnitudes = x.abs().mean(0)
    count = max(1, round(share * len(magnitudes)))
    return magnitudes.argsort(descending=True, stable=True)[:count]


def channel_scales(activations: Tensor, alpha: float) -> Tensor:
    """Return a^α for mean magnitudes a (inputs,), divided by √(largest · smallest) so that they lie around 1.

    Source: Lin et al. 2024, equation 5; the division as in the released code.
    """
    scales = activations.clamp(min=1e-4) ** alpha
    return scales / (scales.max() * scales.min()).sqrt()


def search_scales(
    weights: Sequence[Tensor], activations: Tensor, hessian: Tensor, bits: int, group_size: int
) -> tuple[Tensor, float]:
    """Return the scales (inputs,) and the α with which rounding to nearest changes the outputs least.

    weights: those of all layers that read the same input, each (outputs, inputs). activations: mean |x|, (inputs,); hessian:
    mean x·xᵀ. α runs over 0, 1/20, … 19/20; with 0 all scales are 1, so the result is never worse than without.
    """
    together = torch.cat([weight.detach() for weight in weights])
    hessian = hessian.to(together.dtype)
    best, best_alpha, smallest = torch.ones_like(activations), 0.0, float("inf")
    for point in range(POINTS):
        scales = channel_scales(activations, point / POINTS)
        rounded = round_to_nearest(together * scales, bits, group_size).weights() / scales
        error = output_error(rounded - together, hessian)
        if error < smallest:
            best, best_alpha, smallest = scales, point / POINTS, error
    return best, best_alpha


def search_ranges(weight: Tensor, hessian: Tensor, bits: int, group_size: int) -> Tensor:
    """Return what share of its range each group keeps, (outputs, groups), for a smaller change of the outputs.

    Clipping a group's largest weights makes its grid finer for all others. hessian: mean x·xᵀ of the layer's inputs. Shares run
    from 1 down to 0.55, as in the released code of AWQ. Groups take turns, each with the errors of all others as they are, so
    that no output ever gets worse; the released code looks at each group alone, and errors that add up or cancel between groups
    escape it.
    """
    groups, h = split(weight.detach(), group_size), _padded(hessian.to(weight.dtype), group_size)
    kept = torch.ones(groups.shape[:2], dtype=weight.dtype)
    change = torch.stack([_change(groups[:, index], bits, 1.0) for index in range(groups.shape[1])], 1)
    for index in [*range(groups.shape[1])] * SWEEPS:
        group, place = groups[:, index], slice(index * group_size, (index + 1) * group_size)
        own = h[place, place]
        others = change.flatten(1) @ h[:, place] - change[:, index] @ own
        smallest = torch.full_like(kept[:, index], float("inf"))
        for share in SHARES:
            changed = _change(group, bits, share)
            error = ((changed @ own + 2 * others) * changed).sum(1)  # what of Δ · H · Δᵀ depends on this group
            better = error < smallest
            kept[better, index], smallest = share, torch.where(better, error, smallest)
            change[better, index] = changed[better]
    return kept


def _change(group: Tensor, bits: int, share: float) -> Tensor:
    """Quantized less original weights, (outputs, group_size), where a group keeps a share of its range."""
    scales, zero_points = group_parameters(group, bits, share)
    scales, zero_points = scales[:, None], zero_points[:, None]
    return scales * (nearest(group, scales, zero_points, bits) - zero_points) - group


def _padded(hessian: Tensor, group_size: int) -> Tensor:
    """(inputs, inputs) with zeros for the inputs that `split` adds."""
    missing = -len(hessian) % group_size
    return functional.pad(hessian, (0, missing, 0, missing))
