"""What a learner waits for: a redraw of the explorer of lab 01, and a second `make install`, against their limits."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.row import Row
from pocketlab.ui.quantization import QuantizationExplorer

ROOT = Path(__file__).resolve().parents[2]
REDRAW_LIMIT_MS, START_LIMIT_S = 100.0, 5.0


def median_seconds(action: Callable[[], object], times: int) -> float:
    """Median time of one call, after a first one that is not counted."""
    durations = []
    for _ in range(times + 1):
        start = time.perf_counter()
        action()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations[1:])


def redraw() -> list[Row]:
    """From a moved slider to the new picture and table in the kernel, with two layers of the sizes in lab 01."""
    rng = np.random.default_rng(0)
    shapes = {"depthwise": (16, 1, 3, 3), "pointwise": (64, 32, 1, 1)}
    explorer = QuantizationExplorer({name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})

    def move() -> None:
        explorer.bits.value = 8 if explorer.bits.value == 4 else 4

    return [Row("explorer redraw, median", "ms", median_seconds(move, 20) * 1000, REDRAW_LIMIT_MS, "limit")]


def second_install() -> list[Row]:
    """`make install` with nothing to do, which every `make lab` begins with."""
    command = ["make", "--no-print-directory", "-s", "-C", str(ROOT), "install"]
    seconds = median_seconds(lambda: subprocess.run(command, check=True), 5)
    return [Row("make install, nothing to do", "s", seconds, START_LIMIT_S, "limit")]


BENCHES = {"redraw": redraw, "second_install": second_install}
