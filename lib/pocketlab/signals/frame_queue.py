"""From a camera to whatever works on its frames: a bounded queue that drops the oldest frame, and what it measures.

A camera does not wait. Work that is too slow for a while, or for good, either falls behind further and further or leaves frames
out. For what is shown or steered at once a fresh frame is worth more than all of them, so the oldest goes.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


class Stamped(Protocol):
    """A frame that knows when it was captured and when the camera hands it over, in seconds from the stream's start."""

    @property
    def captured_s(self) -> float:
        """When it was captured."""

    @property
    def delivered_s(self) -> float:
        """When the camera hands it over."""


Frame = TypeVar("Frame", bound=Stamped)


class FrameQueue(Generic[Frame]):
    """Frames on their way from one thread to another, `capacity` at most; a frame too many drops the oldest.

    dropped_s: when those that were dropped had been captured. Raises ValueError for a capacity below 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"The capacity is {capacity}: a queue holds at least one frame.")
        self.capacity = capacity
        self.captured = 0
        self.dropped_s: list[float] = []
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._last_s = -math.inf

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame) -> None:
        """Append a frame, at once; once the queue is closed, nothing happens.

        Raises ValueError for a timestamp that is not later than the one before: latencies would make no sense.
        """
        with self._changed:
            if self._closed:
                return
            if not frame.captured_s > self._last_s:
                raise ValueError(
                    f"A frame stamped {frame.captured_s:.6f} s came after one of {self._last_s:.6f} s: stamps have to grow. Use "
                    "the sensor's monotonic clock, not the time of day, which is set back at times."
                )
            self._last_s = frame.captured_s
            self.captured += 1
            if len(self._frames) == self.capacity:
                self.dropped_s.append(self._frames.popleft().captured_s)
            self._frames.append(frame)
            self._changed.notify()

    def get(self) -> Frame | None:
        """Return the oldest frame, waiting for one; None once the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._closed)
            return self._frames.popleft() if self._frames else None

    def close(self) -> None:
        """Take no more frames; those in the queue can still be got."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


@dataclass
class PipelineReport:
    """What became of the frames of one run. All times are in seconds from the stream's start.

    captured: frames that the camera handed over. captured_s, started_s, finished_s: of each frame that was worked on, when it was
    captured and when the work on it began and ended. dropped_s: when each dropped frame had been captured.
    """

    captured: int = 0
    captured_s: list[float] = field(default_factory=list)
    started_s: list[float] = field(default_factory=list)
    finished_s: list[float] = field(default_factory=list)
    dropped_s: list[float] = field(default_factory=list)

    @property
    def processed(self) -> int:
        """How many frames were worked on."""
        return len(self.finished_s)

    @property
    def dropped(self) -> int:
        """How many frames were dropped."""
        return len(self.dropped_s)

    def latency_ms(self) -> tuple[float, float, float]:
        """Return median, 90th and 99th percentile of the time from capture to result."""
        return _percentiles(self.finished_s, self.captured_s)

    def age_ms(self) -> tuple[float, float, float]:
        """Return the same of a frame's age when the work on it begins."""
        return _percentiles(self.started_s, self.captured_s)

    def dropped_each_second(self) -> NDArray[np.int64]:
        """Return how many of the frames captured in each second of the stream were dropped: (seconds,)."""
        seconds = math.floor(max([*self.captured_s, *self.dropped_s], default=-1.0)) + 1
        return np.bincount(np.asarray(np.maximum(self.dropped_s, 0), np.int64), minlength=seconds)

    def _work(self, frame: Frame, process: Callable[[Frame], object], now: Callable[[], float]) -> None:
        """Let `process` work on a frame and note when it did."""
        started = now()
        try:
            process(frame)
        except Exception as error:
            error.add_note(f"This happened in the work on the frame captured at {frame.captured_s:.3f} s.")
            raise
        self.finished_s.append(now())
        self.started_s.append(started)
        self.captured_s.append(frame.captured_s)

    def _count(self, queue: FrameQueue[Frame]) -> PipelineReport:
        self.captured, self.dropped_s = queue.captured, queue.dropped_s
        return self


def _percentiles(later: list[float], earlier: list[float]) -> tuple[float, float, float]:
    if not later:
        raise ValueError("No frame was worked on, so there is nothing to take percentiles of.")
    p50, p90, p99 = np.percentile(1000 * (np.asarray(later) - np.asarray(earlier)), [50, 90, 99])
    return float(p50), float(p90), float(p99)


def run(
    frames: Iterable[Frame],
    process: Callable[[Frame], object],
    *,
    capacity: int = 2,
    stop: threading.Event | None = None,
) -> PipelineReport:
    """Work on frames as they come in real time, until there are no more, or until `stop` is set (`process` may do that).

    frames: handed over by a thread of their own, each at its `delivered_s` (or as soon as it is there). process: called in this
    thread. What raises in either ends the run, is raised here, and for `process` says at which frame it was. When the run is
    over, `stop` is set and the thread has ended; what was still in the queue after a stop is neither processed nor dropped.
    """
    queue, report = FrameQueue[Frame](capacity), PipelineReport()
    stop = stop or threading.Event()
    failures: list[BaseException] = []
    begun = time.perf_counter()

    def now() -> float:
        return time.perf_counter() - begun

    def deliver() -> None:
        try:
            for frame in frames:
                if stop.wait(max(0.0, frame.delivered_s - now())):
                    return
                queue.put(frame)
        except BaseException as error:  # whatever it is, the thread that waits for frames has to hear of it
            failures.append(error)
        finally:
            queue.close()

    camera = threading.Thread(target=deliver, name="camera", daemon=True)
    camera.start()
    try:
        while not stop.is_set() and (frame := queue.get()) is not None:
            report._work(frame, process, now)
    finally:
        stop.set()
        queue.close()
        camera.join()
    if failures:
        raise failures[0]
    return report._count(queue)


class SimulatedClock:
    """A clock that only moves when it is told to: what a second takes is then the same on every machine."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now(self) -> float:
        """Return the time in seconds."""
        return self._now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass. Raises ValueError for less than none."""
        if not seconds >= 0:
            raise ValueError(f"A clock cannot sleep for {seconds} s: time does not go back.")
        self.sleep_until(self._now_s + seconds)

    def sleep_until(self, time_s: float) -> None:
        """Let time pass until then; if it is past, none does."""
        self._now_s = max(self._now_s, time_s)


def simulate(
    frames: Iterable[Frame], process: Callable[[Frame], object], clock: SimulatedClock, *, capacity: int = 2
) -> PipelineReport:
    """Do what `run` does, in simulated time: `process` calls `clock.sleep` for as long as its work takes."""
    queue, report = FrameQueue[Frame](capacity), PipelineReport()

    def work_until(time_s: float) -> None:
        while len(queue) and clock.now() < time_s and (frame := queue.get()) is not None:
            report._work(frame, process, clock.now)

    for frame in frames:
        work_until(frame.delivered_s)
        clock.sleep_until(frame.delivered_s)
        queue.put(frame)
    queue.close()
    work_until(math.inf)
    return report._count(queue)
