"""Model files side by side: size, operators, parameters, latency, and how far their outputs are apart on the same inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pocketlab.errors import PocketlabError
from pocketlab.operations.latency import latency_percentiles
from pocketlab.runtimes import model_files
from pocketlab.runtimes.base import Inspection, Runner, TensorInfo, fits, shape_text, time_calls
from pocketlab.runtimes.differences import OutputDifference, Outputs, compare_outputs
from pocketlab.runtimes.same_inputs import (
    Given,
    arrange,
    fits_rows,
    order_inputs,
    other_meaning,
    plain_name,
    random_inputs,
    read_inputs,
)

ROUNDS = 3
_CALLS_PER_ROUND = 4  # at least, however slow a model is
_WARM_UP_SECONDS = 0.2

Progress = Callable[[int, int, str], None]
"""Told (steps done, steps in all, what is done now)."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds of single calls, and how many there were in the round that is quoted."""

    p50_ms: float
    p90_ms: float
    runs: int


@dataclass(frozen=True)
class FileReport:
    """One file of a comparison. `fault` is a sentence where something went wrong; what was found before is there then too.

    label: the name, with as many folders as it takes to tell it from the others. differences, same_class: as in `Outputs`.
    notes: sentences without their subject, the file.
    """

    path: Path
    label: str
    fault: str | None
    inspection: Inspection | None
    latency: Latency | None
    differences: tuple[OutputDifference, ...]
    same_class: tuple[int, int] | None
    notes: tuple[str, ...]

    @property
    def operators(self) -> int | None:
        """How many operators the file has; None if it could not be read."""
        return None if self.inspection is None else sum(self.inspection.operators.values())

    @property
    def worst(self) -> OutputDifference | None:
        """The output that is farthest from the reference's, relative to its size; None where nothing was compared."""
        return max(self.differences, key=lambda each: (each.relative or 0.0, each.largest), default=None)


@dataclass(frozen=True)
class Comparison:
    """Files side by side. reference: the label of the file that the others are compared with, the first that runs.

    inputs: what the models were given, in words. call: the shapes of the inputs of one timed call.
    """

    files: tuple[FileReport, ...]
    reference: str | None
    inputs: str
    call: tuple[TensorInfo, ...]
    threads: int
    seconds: float


@dataclass
class _Candidate:
    """A file while it is compared."""

    path: Path
    label: str
    fault: str | None = None
    inspection: Inspection | None = None
    runner: Runner | None = None
    given: Given | None = None
    once: tuple[np.ndarray, ...] = ()
    comparable: bool = True
    outputs: tuple[np.ndarray, ...] = ()
    rounds: list[list[float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def own_fault(self) -> Iterator[None]:
        """Keep what goes wrong with this file from the others."""
        try:
            yield
        except (PocketlabError, ValueError, MemoryError) as error:
            self.fault = str(error) or f"{self.label} needs more memory than there is."

    def running(self) -> Runner:
        assert self.runner is not None
        return self.runner


def compare_files(
    paths: Sequence[str | Path],
    *,
    inputs: str | Path | None = None,
    seconds: float = 1.0,
    threads: int = 1,
    progress: Progress = lambda done, total, what: None,
) -> Comparison:
    """Load all files, give them the same inputs, and time them in turns.

    inputs: an .npz or .npy with an array for each input (rows, …); without it random ones, see `random_inputs`. Where there
    are more rows than a model takes at once, latency is that of the first one. seconds: how long each file is timed, in
    three rounds in which all files take turns; the round with the lowest median is quoted, the one that the rest of the
    machine disturbed least. progress: told of each step.

    A file that is missing, damaged or does not fit has a `fault` in its report. Raises PocketlabError for inputs that cannot be
    read or do not fit the first file, ValueError without files.
    """
    if not paths:
        raise ValueError("Give at least one model file to compare.")
    resolved = [Path(path) for path in paths]
    candidates = [_Candidate(path, label) for path, label in zip(resolved, labels(resolved), strict=True)]
    steps = _Steps(progress, len(candidates) * (2 + ROUNDS))
    given = None if inputs is None else read_inputs(Path(inputs))
    for candidate in candidates:
        with steps.step(f"load {candidate.label}"), candidate.own_fault():
            _open(candidate, threads)
    reference, said = _run_all(candidates, given, steps)
    said = said if inputs is None else f"{said}, from {Path(inputs).name}"
    for number in range(ROUNDS):
        for candidate in candidates:
            with steps.step(f"time {candidate.label}"), candidate.own_fault():
                _time(candidate, number, seconds)
    files = tuple(_report(candidate, reference) for candidate in candidates)
    if reference is None:
        return Comparison(files, None, "none", (), threads, seconds)
    return Comparison(files, reference.label, said, _call(reference), threads, seconds)


class _Steps:
    """Counts steps for a progress bar."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        self._progress(self._done, self._total, what)
        yield
        self._done += 1
        self._progress(self._done, self._total, what)


def labels(paths: Sequence[Path]) -> list[str]:
    """Return a name for each path: the file's own, with as many of its folders as it takes to tell it from the others."""
    whole = [path.absolute().parts for path in paths]
    named = []
    for index, parts in enumerate(whole):
        others = [other for other in whole[:index] + whole[index + 1 :] if other != parts]
        depth = next((d for d in range(1, len(parts)) if all(other[-d:] != parts[-d:] for other in others)), len(parts))
        copies = whole[: index + 1].count(parts)
        named.append("/".join(parts[-depth:]) + (f" ({copies})" if copies > 1 else ""))
    return named


def _open(candidate: _Candidate, threads: int) -> None:
    path = candidate.path
    candidate.inspection = model_files.inspect(path)
    runner = candidate.runner = model_files.load(path, threads=threads)
    if path.suffix == ".mlpackage" and sys.platform != "darwin":
        candidate.notes.append(
            "runs in Pocketlab's reference interpreter, not in Apple's runtime: its latency is not a phone's"
        )
    if path.suffix == ".pt2":
        candidate.notes.append("runs in PyTorch's eager mode, one operator after the other")
    if hasattr(runner, "seconds"):
        candidate.notes.append("runs in a process of its own, and was timed inside of it")
    if runner.threads != threads:
        candidate.notes.append("its runtime chooses the number of threads by itself")


def _run_all(
    candidates: list[_Candidate], given: dict[str, np.ndarray] | None, steps: _Steps
) -> tuple[_Candidate | None, str]:
    """Run every file on the inputs of the first one that runs; return that one, and what the inputs are."""
    reference: _Candidate | None = None
    arrays: tuple[np.ndarray, ...] = ()
    said = ""
    for candidate in candidates:
        with steps.step(f"run {candidate.label}"):
            if candidate.fault is not None:
                continue
            if reference is None:
                arrays, said = _inputs(candidate, candidates, given)
            with candidate.own_fault():
                _give(candidate, reference or candidate, arrays)
                _run(candidate)
                reference = reference or candidate
    return reference, said


def _inputs(
    reference: _Candidate, candidates: list[_Candidate], given: dict[str, np.ndarray] | None
) -> tuple[tuple[np.ndarray, ...], str]:
    wanted = reference.running().inputs
    if given is None:
        others = [each.runner.inputs for each in candidates if each is not reference and each.runner is not None]
        return random_inputs(wanted, others)
    try:
        arrays = order_inputs(given, wanted)
    except ValueError as error:
        raise PocketlabError(f"The inputs do not fit {reference.label}. {error}") from error
    for array, info in zip(arrays, wanted, strict=True):
        if not fits_rows(array.shape, info.shape):
            raise PocketlabError(
                f"The inputs hold {plain_name(info.name)} {shape_text(array.shape)}, and {reference.label} takes "
                f"{shape_text(info.shape)}, or rows of it."
            )
    return arrays, ", ".join(
        f"{plain_name(info.name)} {shape_text(array.shape)}" for info, array in zip(wanted, arrays, strict=True)
    )


def _give(candidate: _Candidate, reference: _Candidate, arrays: tuple[np.ndarray, ...]) -> None:
    """Set what the file is run on, and what a timed call of it is given: the first row where a call takes no more."""
    wanted, taken = reference.running().inputs, candidate.running().inputs
    try:
        reason = other_meaning(wanted, taken)
        if reason is not None:
            candidate.comparable = False
            candidate.notes.append(f"{reason}: not compared with {reference.label}, and timed on inputs of its own")
            arrays, _ = random_inputs(taken, [])
            wanted = taken
        candidate.given = arrange(arrays, wanted, taken, reference.label)
        at_once = all(fits(array.shape, info.shape) for array, info in zip(arrays, wanted, strict=True))
        once = arrays if at_once else tuple(array[:1] for array in arrays)
        candidate.once = arrange(once, wanted, taken, reference.label).arrays
    except ValueError as error:
        raise ValueError(f"{candidate.label} {error}.") from error
    candidate.notes += candidate.given.notes


def _run(candidate: _Candidate) -> None:
    assert candidate.given is not None
    result = candidate.running()(*candidate.given.arrays)
    candidate.outputs = result if isinstance(result, tuple) else (result,)


def _time(candidate: _Candidate, number: int, seconds: float) -> None:
    if candidate.fault is not None:
        return
    if number == 0:
        time_calls(candidate.running(), candidate.once, min(seconds / ROUNDS, _WARM_UP_SECONDS), minimum=1)
    candidate.rounds.append(time_calls(candidate.running(), candidate.once, seconds / ROUNDS, _CALLS_PER_ROUND))


def _latency(rounds: list[list[float]]) -> Latency | None:
    if not rounds:
        return None
    times = min(rounds, key=lambda times: float(np.median(times)))
    return Latency(*latency_percentiles(times), len(times))


def _call(reference: _Candidate) -> tuple[TensorInfo, ...]:
    infos = zip(reference.running().inputs, reference.once, strict=True)
    return tuple(TensorInfo(plain_name(info.name), array.shape, array.dtype.name) for info, array in infos)


def _report(candidate: _Candidate, reference: _Candidate | None) -> FileReport:
    found = Outputs((), None, ())
    if reference is not None and candidate is not reference and candidate.comparable and candidate.given is not None:
        names = [info.name for info in reference.running().outputs]
        found = compare_outputs(names, reference.outputs, candidate.outputs, candidate.given.moved, reference.label)
    return FileReport(
        candidate.path,
        candidate.label,
        candidate.fault,
        candidate.inspection,
        _latency(candidate.rounds) if candidate.fault is None else None,
        found.differences,
        found.same_class,
        (*candidate.notes, *found.notes),
    )
