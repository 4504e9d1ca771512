"""Attention.

Source of the definition: coremltools 9, converters/mil/mil/ops/defs/iOS18/transformers.py.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from pocketlab.runtimes.mil.registry import operator


@operator()
def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """Return softmax(query @ key.T / sqrt(E) + mask) @ value.

    query: (..., L, E), key: (..., S, E), value: (..., S, V). attn_mask: (..., S), broadcast to (..., L, S): numbers to be
    added, or true where a position takes part. A row in which none does gives 0, as in PyTorch, from where models come; by
    the formula it would be NaN.
    """
    if attn_mask is not None and attn_mask.dim() == 1:
        attn_mask = attn_mask.unsqueeze(0)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask)
