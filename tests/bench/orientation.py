"""The project's orientation filter beside VQF, Madgwick and Mahony: errors on trials of BROAD, and speed.

Trials are those whose files lie in `$POCKETLAB_DATA/broad`. Errors are root mean squares over the samples with movement, in
degrees, as BROAD scores them (Laidig et al. 2021, section 3.3): the true orientation is taken as it is, nothing is aligned. All
methods have one setting for all trials: VQF its own, Madgwick and Mahony (those of `estimate_orientation`, as the ones of `ahrs`
would take minutes) the gains that BROAD's authors found best for all 39 trials, a strong opponent. Speed is that of `ahrs`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import vqf
from ahrs.filters import Madgwick, Mahony

from bench.row import Row
from pocketlab.data.broad import load_broad, local_trials
from pocketlab.data.motion import Motion, simulate_motion
from pocketlab.data.quaternions import errors_in_degrees
from pocketlab.operations.latency import latency_percentiles
from pocketlab.signals.imu import estimate_orientation
from pocketlab.signals.orientation_pocketlab import Settings, run, smooth, start

SETTINGS = Settings()
ROUNDS, AHRS_SAMPLES = 15, 3000


def ours(trial: Motion) -> np.ndarray:
    state = start(trial.sample_rate_hz, SETTINGS, True)
    return run(trial.gyr, trial.acc, trial.mag, trial.sample_rate_hz, state, SETTINGS)


def ours_offline(trial: Motion) -> np.ndarray:
    return smooth(trial.gyr, trial.acc, trial.mag, trial.sample_rate_hz, SETTINGS)


def theirs(trial: Motion) -> np.ndarray:
    return vqf.VQF(1 / trial.sample_rate_hz).updateBatch(trial.gyr, trial.acc, trial.mag)["quat9D"]


def theirs_offline(trial: Motion) -> np.ndarray:
    return vqf.offlineVQF(trial.gyr, trial.acc, trial.mag, 1 / trial.sample_rate_hz)["quat9D"]


def of_library(method: str, **settings: float) -> Callable[[Motion], np.ndarray]:
    return lambda trial: estimate_orientation(
        trial.gyr, trial.acc, trial.mag, sample_rate_hz=trial.sample_rate_hz, method=method, **settings
    )


PEERS = {
    "vqf": theirs,
    "Madgwick": of_library("madgwick", beta=0.12),
    "Mahony": of_library("mahony", proportional=0.74, integral=0.0012),
}


def errors(quat: np.ndarray, trial: Motion) -> tuple[float, float, float]:
    """Total, heading and inclination, in degrees."""
    off = errors_in_degrees(quat, trial.quat)[trial.movement]
    total, heading, inclination = np.sqrt(np.nanmean(off**2, axis=0))
    return float(total), float(heading), float(inclination)


def accuracy() -> list[Row]:
    trials = {name: load_broad(name) for name in local_trials()}
    if not trials:
        return []
    mine = {name: errors(ours(trial), trial) for name, trial in trials.items()}
    rows = []
    for whose, method in PEERS.items():
        other = {name: errors(method(trial), trial) for name, trial in trials.items()}
        rows += compared("", mine, other, whose)
    offline = {name: errors(ours_offline(trial), trial) for name, trial in trials.items()}
    other = {name: errors(theirs_offline(trial), trial) for name, trial in trials.items()}
    return [*rows, *compared("offline, ", offline, other, "vqf offline")]


def compared(what: str, mine: dict[str, tuple[float, ...]], other: dict[str, tuple[float, ...]], whose: str) -> list[Row]:
    rows = []
    for index, part in enumerate(("total", "heading", "inclination")):
        rows += [Row(f"{what}{name}, {part}", "degrees", mine[name][index], other[name][index], whose) for name in mine]
        means = [float(np.mean([values[index] for values in of.values()])) for of in (mine, other)]
        rows.append(Row(f"{what}mean of {len(mine)}, {part}", "degrees", *means, whose))
    return rows


def speed() -> list[Row]:
    """Nanoseconds for a sample of 100,000, in turns; `ahrs` takes its own on fewer samples, once.

    Ours is measured through the public door, with all it checks, and the filter alone.
    """
    trial = simulate_motion(sample_rate_hz=2000 / 7, duration_s=350)
    calls = [lambda: of_library("pocketlab")(trial), lambda: ours(trial), lambda: theirs(trial)]
    times: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS + 1):  # the first of them compiles
        for call, taken in zip(calls, times, strict=True):
            taken.append(seconds(call) / len(trial.gyr))
    mine, alone, other = ([1e6 * milliseconds for milliseconds in latency_percentiles(taken, 1)] for taken in times)
    rows = [
        Row(f"one sample, {what}, {which}", "ns", figures[k], other[k], "vqf")
        for what, figures in (("estimate_orientation", mine), ("the filter alone", alone))
        for k, which in enumerate(("median", "p90"))
    ]
    for method in (Madgwick, Mahony):
        data = {"gyr": trial.gyr[:AHRS_SAMPLES], "acc": trial.acc[:AHRS_SAMPLES], "mag": trial.mag[:AHRS_SAMPLES]}
        taken = seconds(lambda method=method, data=data: method(**data, frequency=trial.sample_rate_hz)) / AHRS_SAMPLES
        rows.append(Row("one sample, estimate_orientation, median", "ns", mine[0], 1e9 * taken, f"ahrs {method.__name__}"))
    return rows


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


BENCHES = {"accuracy": accuracy, "speed": speed}
