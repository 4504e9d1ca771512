"""Choose among overlapping boxes: the last step of most object detectors.

Source: coremltools 9, converters/mil/mil/ops/defs/iOS15/tensor_operation.py and iOS17/tensor_operation.py; what is chosen and
how it is padded is told in full only in mlmodel/format/NeuralNetwork.proto, NonMaximumSuppressionLayerParams.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import operator


@operator()
def non_maximum_suppression(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    max_boxes: int,
    per_class_suppression: bool,
    score_threshold: float | None = None,
) -> tuple[Tensor, ...]:
    """Return the chosen boxes (batch, max_boxes, 4), their scores (batch, max_boxes, classes) and their indices.

    boxes: (batch, count, 4) of x and y of the center, width, height. scores: (batch, count, classes). Until iOS 16 there is
    a `score_threshold`, and how many were chosen is returned too; since iOS 17 neither, and the boxes' count is the last
    axis of all four. Places that are left are filled with zeros, among the indices with -1.
    """
    before_ios17 = score_threshold is not None
    if not before_ios17:
        boxes, scores = boxes.mT, scores.mT
    chosen_boxes = boxes.new_zeros(len(boxes), max_boxes, 4)
    chosen_scores = scores.new_zeros(len(boxes), max_boxes, scores.shape[2])
    indices = torch.full((len(boxes), max_boxes), -1)
    counts = torch.zeros(len(boxes), dtype=torch.int64)
    for i in range(len(boxes)):
        chosen = _choose(boxes[i], scores[i], iou_threshold, max_boxes, per_class_suppression, score_threshold)
        count = counts[i] = len(chosen)
        indices[i, :count] = chosen
        chosen_boxes[i, :count] = boxes[i, chosen]
        chosen_scores[i, :count] = scores[i, chosen]
    if before_ios17:
        return chosen_boxes, chosen_scores, indices, counts
    return chosen_boxes.mT, chosen_scores.mT, indices


def _choose(
    boxes: Tensor, scores: Tensor, iou_threshold: float, max_boxes: int, per_class: bool, score_threshold: float | None
) -> Tensor:
    """Return which boxes of one image survive, the best first; of equal scores the one that comes first.

    A box's score is its highest over the classes, and that class is its own: with `per_class`, boxes of different classes
    do not suppress each other. If all scores are below the threshold, the best box is chosen nevertheless.
    """
    best, own_class = scores.max(dim=1)
    order = best.argsort(descending=True, stable=True)
    left = order if score_threshold is None else order[best[order] >= score_threshold]
    if not len(left):
        return order[:1]
    half = boxes[:, 2:] / 2
    low, high, area = boxes[:, :2] - half, boxes[:, :2] + half, boxes[:, 2] * boxes[:, 3]
    chosen: list[Tensor] = []
    while len(left) and len(chosen) < max_boxes:
        box, left = left[0], left[1:]
        chosen.append(box)
        sides = (torch.minimum(high[left], high[box]) - torch.maximum(low[left], low[box])).clamp(min=0)
        overlap = sides[:, 0] * sides[:, 1]
        suppressed = overlap / (area[left] + area[box] - overlap) > iou_threshold
        if per_class:
            suppressed &= own_class[left] == own_class[box]
        left = left[~suppressed]
    return torch.stack(chosen)
