"""The end of a classifier.

Source of the definition: coremltools 9, converters/mil/mil/ops/defs/iOS15/classify.py.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pocketlab.runtimes.mil.registry import operator


@operator()
def classify(probabilities: Tensor, classes: Any) -> tuple[Any, dict[Any, float]]:
    """Return the label of the highest probability (of equal ones the first), and each label's probability.

    classes: a list of text or of int64.
    """
    flat = probabilities.flatten()
    labels = [label if isinstance(label, str) else int(label) for label in classes]
    return labels[int(flat.argmax())], dict(zip(labels, flat.tolist(), strict=True))
