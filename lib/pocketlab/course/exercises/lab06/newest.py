"""Exercise 06.10: drop the oldest."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlab.course.comparing import NUMBERS, difference
from pocketlab.course.exercise import EXACT, Case, Exercise
from pocketlab.course.exercises.lab06.newest_pairs import MISTAKES
from pocketlab.course.outcomes import OutOfTimeError, snapshot
from pocketlab.signals.frame_queue import FrameQueue

_Drive = Callable[[int, tuple[str, ...]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of which only the time is known, and which is equal to no other."""

    captured_s: float


class _NewestFrames:
    """The library's queue, which waits for a frame where this one says that there is none."""

    def __init__(self, capacity: int) -> None:
        self._queue = FrameQueue[Any](capacity)

    @property
    def dropped_s(self) -> list[float]:
        return self._queue.dropped_s

    def put(self, frame: Any) -> None:
        self._queue.put(frame)

    def get(self) -> Any:
        return self._queue.get() if len(self._queue) else None

    def __len__(self) -> int:
        return len(self._queue)


def _newest_cases(rng: np.random.Generator) -> list[Case]:
    del rng  # a story that one can follow says more than random ones

    def case(label: str, capacity: int, story: str) -> Case:
        return Case(label, (capacity, tuple(step.strip() for step in story.split(","))))

    return [
        case("one frame", 2, "put 0.5, get"),
        case("as many frames as fit", 3, "put 1.0, put 1.5, put 2.5, get, get, get"),
        case("a frame too many", 2, "put 0.00, put 0.02, put 0.04, get, get, get"),
        case("a frame too many", 3, "put 1.0, put 1.1, put 1.2, put 1.3, get, get"),
        case("many frames too many", 3, "put 1, put 2, put 3, put 4, put 5, put 6, put 7, put 8, get, get, get, get"),
        case("puts and gets in turn", 2, "put 0.1, get, put 0.2, put 0.3, get, put 0.4, get, get"),
        case("puts and gets in turn", 3, "put 1, put 2, get, put 3, put 4, put 5, get, put 6, put 7, get, put 8, get, get"),
        case("a capacity of 1", 1, "put 0.25, put 0.5, put 0.75, get, get"),
        case("a capacity of 1", 1, "put 1, get, put 2, get, put 3, put 4, get"),
        case("an empty queue", 2, "get, put 1.0, get, get"),
        case("an empty queue", 1, "get, get"),
        case("a large capacity", 100, "put 0.1, put 0.2, put 0.3, get, put 0.4"),
        case("times below 0", 2, "put -3.0, put -2.0, put -1.0, get, put 0.0, get"),
        case("two queues at once", 2, "put 0.1, other put 0.5, put 0.2, put 0.3, other get, get, get, other get"),
        case("two queues at once", 1, "other put 7.0, other put 8.0, put 1.0, put 2.0, get, other get, get"),
        case("a time that goes back", 2, "put 1.0, put 0.5"),
        case("a time that goes back", 3, "put 0.1, put 0.3, put 0.2, get, get, get"),
        case("a time that goes back, when the queue is full", 2, "put 0.2, put 0.4, put 0.3, put 0.6, get, get, get"),
        case("the same time again", 3, "put 0.5, put 0.5, get, get"),
        case("the same time again", 2, "put 0.0, put 0.0, put 1.0, get"),
        case("the same time again, when the queue is full", 1, "put 2.0, put 2.0, get, put 3.0, get"),
        case("a time that goes back, when the queue is empty", 2, "put 1.0, get, put 0.9, get"),
        case("the same time again, when the queue is empty", 2, "put 1.0, put 2.0, get, get, put 2.0, put 3.0, get"),
        case("a time between two that went back", 3, "put 0.5, put 0.3, put 0.4, put 0.6, get, get, get"),
        case("a capacity of 0", 0, "put 1.0, get"),
        case("a negative capacity", -2, "put 1.0, get"),
    ]


class NotAFrameError(Exception):
    """Raised where `get` returns something else than a frame or None."""


class AnotherFrameError(Exception):
    """Raised where `get` returns a frame that was not put: a copy, say."""


class NoLengthError(Exception):
    """Raised where a queue has no `__len__`."""


class NoDroppedError(Exception):
    """Raised where a queue has no `dropped_s`."""


class NotAListError(Exception):
    """Raised where `dropped_s` is a single thing."""


class NotTimesError(Exception):
    """Raised where `dropped_s` holds something else than numbers."""


class RefusedInOrderError(Exception):
    """Raised where `put` refuses a frame that is later than all before it."""


class ChangedByRefusalError(Exception):
    """Raised where `put` refused a frame with a ValueError, but the queue is not as it was before."""


def _driven(queue_class: Callable[..., Any]) -> _Drive:
    """Return the function that a check calls in place of the class, and whose result it compares."""

    def drive(capacity: int, steps: tuple[str, ...]) -> dict[str, Any]:
        """Take these steps with a new queue, or with the other one of two, and return what can be seen after each.

        A ValueError of the queue is raised again at the end, if it was due and the queue then is like one that was never asked.
        """
        with _as_defined(queue_class):
            seen, refused, error = _run(queue_class, capacity, dict(enumerate(steps, start=1)))
        due = _not_later(steps)
        if error is None or len(refused) < len(due):
            return seen
        if refused != due:
            wrongly = next(number for number in refused if number not in due)
            raise RefusedInOrderError(f"step {wrongly}, {steps[wrongly - 1]}, is refused") from error
        with _as_defined(queue_class):
            asked = {number: step for number, step in enumerate(steps, start=1) if number not in refused}
            unasked, _, _ = _run(queue_class, capacity, asked)
        if changed := difference(snapshot(unasked), snapshot(seen), EXACT):
            raise ChangedByRefusalError(f"a ValueError came, but the queue is not as it was before: {changed}")
        raise error

    return drive


def _not_later(steps: tuple[str, ...]) -> list[int]:
    """Return the numbers of the steps that put a frame that is not later than those before."""
    last_s, numbers = {True: -np.inf, False: -np.inf}, []
    for number, step in enumerate(steps, start=1):
        which, _, what = step.rpartition("put ")
        if what == step:
            continue
        if float(what) <= last_s[bool(which)]:
            numbers.append(number)
        else:
            last_s[bool(which)] = float(what)
    return numbers


def _run(
    queue_class: Callable[..., Any], capacity: int, steps: dict[int, str]
) -> tuple[dict[str, Any], list[int], ValueError | None]:
    """Return all that two queues show, the numbers of the steps that they refused, and the last error that they did so with."""
    queues = {"": queue_class(capacity), "other": queue_class(capacity)}
    if getattr(type(queues[""]), "__len__", None) is None:
        raise NoLengthError("`len(queue)` needs a method `__len__`")
    if not hasattr(queues[""], "dropped_s"):
        raise NoDroppedError("the queue has no attribute `dropped_s`")
    frames: list[Frame] = []
    seen: dict[str, Any] = {}
    refused: list[int] = []
    error: ValueError | None = None
    for number, step in steps.items():
        name, _, time = step.partition("put ")
        queue = queues["other" if name.startswith("other") else ""]
        if time:
            frames.append(Frame(float(time)))
            try:
                queue.put(frames[-1])
            except ValueError as caught:
                refused.append(number)
                error = caught
                continue
        else:
            seen[f"step {number}, {step}: captured_s of the frame"] = _captured(_get(queue), frames)
        seen[f"step {number}, {step}: length then"] = len(queue)
        seen[f"step {number}, {step}: dropped_s then"] = _times(queue.dropped_s)
    return seen, refused, error


def _get(queue: Any) -> Any:
    """Return what `get` returns. A `queue.Queue` that waits in there, and is stopped, says only that its lock is not locked."""
    try:
        return queue.get()
    except RuntimeError as error:
        if isinstance(error.__context__, OutOfTimeError):
            raise error.__context__ from None
        raise


def _captured(got: Any, frames: list[Frame]) -> float | None:
    if got is None:
        return None
    if not isinstance(got, Frame):
        raise NotAFrameError(f"`get` returns a frame or None; this is a {type(got).__name__}")
    if not any(got is frame for frame in frames):
        raise AnotherFrameError("`get` returns a frame that was put, the same object; this is another one")
    return float(got.captured_s)


def _times(dropped_s: Any) -> tuple[Any, ...]:
    if not np.iterable(dropped_s):
        raise NotAListError(f"`dropped_s` is a list of times; this is a {type(dropped_s).__name__}")
    times = tuple(dropped_s)
    if wrong := [time for time in times if not isinstance(time, NUMBERS)]:
        raise NotTimesError(f"`dropped_s` holds times; there is a {type(wrong[0]).__name__} in it")
    return times


@contextlib.contextmanager
def _as_defined(queue_class: Callable[..., Any]) -> Iterator[None]:
    """Put back what a class keeps for all its objects: a queue of one case must not show what another one kept there."""
    if not isinstance(queue_class, type):
        yield
        return
    data = {name: value for name, value in vars(queue_class).items() if not (name.startswith("__") or hasattr(value, "__get__"))}
    kept = {name: copy.copy(value) for name, value in data.items()}  # what has __get__ is a method or a property
    functions = [value for value in vars(queue_class).values() if inspect.isfunction(value)]
    defaults = [copy.deepcopy(function.__defaults__) for function in functions]
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(queue_class, name, value)
        for function, values in zip(functions, defaults, strict=True):
            function.__defaults__ = values


NEWEST = Exercise(
    id="06.10",
    title="drop the oldest",
    reference=_NewestFrames,
    cases=_newest_cases,
    tolerance=EXACT,
    probe=_driven,
    misconceptions=MISTAKES,
)
