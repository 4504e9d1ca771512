"""Which of many compressed variants are worth a look: the Pareto front of size, latency and error.

Source: Pareto dominance, as in Ehrgott 2005 (Multicriteria Optimization), definition 2.1.
"""

from __future__ import annotations

import numpy as np


def pareto_front(costs: np.ndarray) -> np.ndarray:
    """Return which variants no other one beats, bool (variants,).

    costs: (variants, measures), the less the better: size, latency, error. One variant beats another if it is no worse in
    any measure and better in at least one; so equal variants are on the front together.
    Raises ValueError for a NaN, or an array that is not (variants, measures) with at least one measure.
    """
    table = np.asarray(costs, np.float64)
    if table.ndim != 2 or table.shape[1] == 0 or np.isnan(table).any():
        raise ValueError(f"costs are (variants, measures), numbers without a NaN; their shape is {table.shape}.")
    no_worse = (table[:, None] <= table[None]).all(axis=-1)  # [i, j]: variant i is no worse than j in any measure
    better = (table[:, None] < table[None]).any(axis=-1)
    return np.asarray(~(no_worse & better).any(axis=0))
