"""Latency as MLPerf quotes it: the 90th percentile of single calls, after a warm-up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def latency_percentiles(seconds: Sequence[float] | np.ndarray, warmup: int = 0) -> tuple[float, float]:
    """Return the median and the 90th percentile in milliseconds, without the first `warmup` calls.

    seconds: the duration of each call, in the order in which they were made. Percentiles between two calls are interpolated
    linearly.

    Raises ValueError where no call is left after the warm-up.
    Source: MLPerf Inference rules, single-stream scenario (90th percentile latency).
    """
    times = np.asarray(seconds, np.float64)[warmup:]
    if times.size == 0:
        raise ValueError(f"No call is left: there are {len(seconds)}, and the first {warmup} warm up.")
    p50, p90 = np.percentile(times * 1000.0, [50, 90])
    return float(p50), float(p90)
