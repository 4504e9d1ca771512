"""Exercise 01.6: the latency that one may quote."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance
from pocketlab.operations.latency import latency_percentiles

FLOAT64 = Tolerance(
    1e-9, 1e-12, "A few float64 operations; 1e-9 is far below any mistake and far above their rounding."
)


def _latency_cases(rng: np.random.Generator) -> list[Case]:
    def times(count: int, warmup: int) -> tuple[np.ndarray, int]:
        seconds = rng.gamma(4.0, 0.001, count).round(6)
        seconds[:warmup] += 0.05  # first calls pay for caches and allocations
        seconds[warmup::8] += 0.02  # other work of the machine comes in between
        return seconds, warmup

    return [
        Case("no warm-up", (np.array([0.001, 0.002, 0.003, 0.004, 0.005]), 0)),
        Case("no warm-up", times(101, 0)),
        Case("no warm-up", times(40, 0)),
        Case("a list", ([0.001, 0.0035, 0.002, 0.0041], 0)),
        Case("a list with a warm-up", ([0.03, 0.001, 0.0035, 0.002], 1)),
        Case("a warm-up", times(60, 5)),
        Case("a warm-up", times(33, 3)),
        Case("a warm-up", times(12, 2)),
        Case("one call left", (np.array([0.02, 0.004]), 1)),
        Case("no call left", (np.array([0.02, 0.004]), 2)),
    ]


def _of_times(function: Any) -> Any:
    """A mistake after the warm-up is taken off: function(milliseconds) gives both figures."""

    def wrong(seconds: np.ndarray, warmup: int = 0) -> Any:
        times = np.asarray(seconds)[warmup:] * 1000
        if not len(times):
            raise ValueError
        return function(times)

    return wrong


def _p90_at_index(times: np.ndarray) -> tuple[float, float]:
    ordered = np.sort(times)
    return float(ordered[len(ordered) // 2]), float(ordered[min(int(0.9 * len(ordered)), len(ordered) - 1)])


def _exclusive_p90(times: np.ndarray) -> float:
    return float(times[0] if len(times) == 1 else statistics.quantiles(times.tolist(), n=10)[8])


def _no_error_at_the_border(seconds: np.ndarray, warmup: int = 0) -> Any:
    if warmup > len(seconds):
        raise ValueError
    return tuple(np.percentile(np.asarray(seconds)[warmup:] * 1000, [50, 90]))


def _list_repeated(seconds: Any, warmup: int = 0) -> Any:
    times = seconds[warmup:] * 1000
    if len(times) == 0:
        raise ValueError
    return tuple(np.percentile(times, [50, 90]))


def _trimmed(seconds: Any, warmup: int = 0) -> Any:
    times = np.asarray(seconds[warmup : len(seconds) - warmup]) * 1000
    if len(times) == 0:
        raise ValueError
    return tuple(np.percentile(times, [50, 90]))


LATENCY = Exercise(
    id="01.6",
    title="the latency that one may quote",
    reference=latency_percentiles,
    cases=_latency_cases,
    tolerance=FLOAT64,
    misconceptions=(
        Misconception(
            "seconds",
            _of_times(lambda t: tuple(np.percentile(t / 1000, [50, 90]))),
            "Your result is in seconds. Multiply by 1,000 for milliseconds.",
        ),
        Misconception(
            "microseconds",
            _of_times(lambda t: tuple(np.percentile(t * 1000, [50, 90]))),
            "Your result is in microseconds. Multiply seconds by 1,000, not by 1,000,000.",
        ),
        Misconception(
            "warm-up counted",
            lambda seconds, warmup=0: tuple(np.percentile(np.asarray(seconds) * 1000, [50, 90])),
            "You count the warm-up calls, which pay for caches and allocations once. Leave out the first `warmup`.",
        ),
        Misconception(
            "warm-up taken off the end",
            lambda seconds, warmup=0: tuple(
                np.percentile(np.asarray(seconds)[: len(seconds) - warmup] * 1000, [50, 90])
            ),
            "You leave out calls at the end. The warm-up is at the beginning.",
        ),
        Misconception(
            "sorted before the warm-up",
            lambda seconds, warmup=0: tuple(np.percentile(np.sort(seconds)[warmup:] * 1000, [50, 90])),
            "You sort before you leave out the warm-up, so the fastest calls go. Take off the first calls in the "
            "order in which they came.",
        ),
        Misconception(
            "mean in place of the median",
            _of_times(lambda t: (t.mean(), np.percentile(t, 90))),
            "Your first figure is the mean, which one slow call can move. The median is the 50th percentile.",
        ),
        Misconception(
            "the slowest call",
            _of_times(lambda t: (np.median(t), t.max())),
            "Your second figure is the slowest call. The 90th percentile leaves a tenth of the calls above it.",
        ),
        Misconception(
            "90 % of the slowest",
            _of_times(lambda t: (np.median(t), 0.9 * t.max())),
            "You take 90 % of the slowest call. A percentile counts calls: nine out of ten are below it.",
        ),
        Misconception(
            "the 10th percentile",
            _of_times(lambda t: tuple(np.percentile(t, [50, 10]))),
            "Your second figure is below the median: it is the 10th percentile. Nine calls out of ten are to be "
            "faster than the figure.",
        ),
        Misconception(
            "quantile and percentile confused",
            _of_times(lambda t: tuple(np.percentile(t, [0.5, 0.9]))),
            "np.percentile counts in hundredths: 50 and 90. With 0.5 and 0.9 you get almost the fastest call "
            "(np.quantile is the one that takes 0.5).",
        ),
        Misconception(
            "an index in place of a percentile",
            _of_times(_p90_at_index),
            "You pick calls by their index in the sorted list, which is a step off for small lists. "
            "The docstring asks for linear interpolation, as np.percentile does.",
        ),
        Misconception(
            "another rule of interpolation",
            _of_times(lambda t: (np.median(t), _exclusive_p90(t))),
            'Your 90th percentile follows another rule of interpolation (statistics.quantiles uses "exclusive" by itself). '
            "The docstring asks for the one of np.percentile.",
        ),
        Misconception(
            "the upper of two middle calls",
            _of_times(lambda t: (np.sort(t)[len(t) // 2], np.percentile(t, 90))),
            "For an even number of calls you take the upper of the two middle ones. The median lies halfway "
            "between them.",
        ),
        Misconception(
            "the lower of two middle calls",
            _of_times(lambda t: (np.sort(t)[(len(t) - 1) // 2], np.percentile(t, 90))),
            "For an even number of calls you take the lower of the two middle ones. The median lies halfway "
            "between them.",
        ),
        Misconception(
            "slow calls left out",
            _of_times(lambda t: tuple(np.percentile(t[t <= 3 * np.median(t)], [50, 90]))),
            "You leave out slow calls as if they were errors. Users wait for them too: only the warm-up is left out.",
        ),
        Misconception(
            "no error where all calls warm up",
            _no_error_at_the_border,
            "Right, except where there are as many warm-up calls as calls: none is left then either, so raise the "
            "ValueError.",
        ),
        Misconception(
            "not sorted",
            _of_times(lambda t: (t[len(t) // 2], t[int(0.9 * len(t))])),
            "You take calls by their position in time. Percentiles need the times sorted (np.percentile does it).",
        ),
        Misconception(
            "order swapped",
            _of_times(lambda t: tuple(np.percentile(t, [90, 50]))),
            "The two figures are swapped. The order is (median, 90th percentile).",
        ),
        Misconception(
            "the 95th percentile",
            _of_times(lambda t: tuple(np.percentile(t, [50, 95]))),
            "Your second figure is the 95th percentile; MLPerf's single-stream rule quotes the 90th.",
        ),
        Misconception(
            "the 99th percentile",
            _of_times(lambda t: tuple(np.percentile(t, [50, 99]))),
            "Your second figure is the 99th percentile; MLPerf's single-stream rule quotes the 90th.",
        ),
        Misconception(
            "a list repeated",
            _list_repeated,
            "Right for arrays, wrong for lists: a list times 1,000 repeats itself. Make it an array first, "
            "np.asarray(seconds).",
        ),
        Misconception(
            "trimmed at both ends",
            _trimmed,
            "You drop calls at the end too. Only the first `warmup` calls are left out.",
        ),
        Misconception(
            "mean and 1.28 deviations",
            _of_times(lambda t: (np.median(t), t.mean() + 1.2816 * t.std())),
            "Your 90th percentile is mean + 1.28 deviations, as if latencies were normally distributed. They have "
            "a long tail; sort "
            "and count.",
        ),
        Misconception(
            "mean and deviation",
            _of_times(lambda t: (np.median(t), t.mean() + t.std())),
            "You use mean plus deviation, as if latencies were normally distributed. They have a long tail; sort "
            "and count.",
        ),
        Misconception(
            "nothing left accepted",
            lambda seconds, warmup=0: (
                tuple(np.percentile(np.asarray(seconds)[warmup:] * 1000, [50, 90]))
                if len(seconds) > warmup
                else (float("nan"), float("nan"))
            ),
            "Right, except that no call left goes unnoticed. A figure from nothing would be quoted by somebody: "
            "raise a ValueError.",
        ),
    ),
)
