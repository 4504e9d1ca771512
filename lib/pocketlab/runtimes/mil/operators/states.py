"""Tensors that outlive a call: an iOS 18 model keeps its KV cache in them.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS18/states.py and coreml_dialect/ops.py.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pocketlab.runtimes.mil.registry import operator


@operator()
def read_state(input: Any) -> Tensor:
    """Return what the state holds now. No operator changes a tensor in place, so that it need not be copied."""
    return input.value


@operator()
def coreml_update_state(state: Any, value: Tensor) -> Tensor:
    """Let the state hold `value` from now on, and return it."""
    state.value = value
    return value
