"""The Pareto front against its definition, written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from pocketlab.compression.front import pareto_front


@given(arrays(np.int64, (9, 3), elements={"min_value": 0, "max_value": 3}))
def test_the_front_is_what_no_other_variant_beats(costs: np.ndarray) -> None:
    rows = costs.tolist()
    beaten = [
        any(all(a <= b for a, b in zip(other, row, strict=True)) and other != row for other in rows) for row in rows
    ]
    assert pareto_front(costs).tolist() == [not was for was in beaten]


def test_equal_variants_are_on_the_front_together_and_one_measure_is_enough() -> None:
    assert pareto_front(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).tolist() == [True, True, False]
    assert pareto_front(np.array([[3.0], [1.0], [1.0]])).tolist() == [False, True, True]
    assert pareto_front(np.empty((0, 2))).tolist() == []


def test_what_is_no_table_is_refused() -> None:
    for costs in (np.ones(3), np.ones((2, 0)), np.array([[1.0, np.nan]])):
        with pytest.raises(ValueError, match="variants, measures"):
            pareto_front(costs)
