"""Percentiles of latency."""

import numpy as np
import pytest

from pocketlab.operations.latency import latency_percentiles


def test_figures_of_a_known_list() -> None:
    assert latency_percentiles([0.5, 0.001, 0.002, 0.003, 0.004, 0.005], warmup=1) == pytest.approx((3.0, 4.6))


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(ValueError, match="first 2 warm up"):
        latency_percentiles(np.array([0.1, 0.2]), warmup=2)
