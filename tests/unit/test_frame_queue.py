"""The queue that drops the oldest frame: in simulated time with numbers worked out by hand, and with real threads."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlab.data.camera import SimulatedCamera
from pocketlab.data.yuv import YuvFormat
from pocketlab.signals.frame_queue import FrameQueue, PipelineReport, SimulatedClock, run, simulate
from pocketlab.signals.frames import FramePreparation

FRAME = 1 / 60


@dataclass(frozen=True)
class Stamp:
    """A frame without a picture."""

    captured_s: float
    delivered_s: float


def stamps(count: int, delay: float = 0.0) -> Iterable[Stamp]:
    return (Stamp(n * FRAME, n * FRAME + delay) for n in range(count))


def simulated(frames: Iterable[Stamp], seconds: Callable[[Stamp], float], capacity: int = 2) -> PipelineReport:
    clock = SimulatedClock()
    return simulate(frames, lambda frame: clock.sleep(seconds(frame)), clock, capacity=capacity)


def test_a_full_queue_drops_the_oldest():
    queue = FrameQueue[Stamp](2)
    frames = list(stamps(5))
    for frame in frames:
        queue.put(frame)
    assert (len(queue), queue.captured, queue.dropped_s) == (2, 5, [frame.captured_s for frame in frames[:3]])
    assert [queue.get(), queue.get()] == frames[3:]


def test_a_closed_queue_gives_what_it_has_and_then_none():
    queue = FrameQueue[Stamp](2)
    first, second = stamps(2)
    queue.put(first)
    queue.close()
    queue.put(second)
    assert [queue.get(), queue.get(), queue.get()] == [first, None, None]
    assert queue.captured == 1


@pytest.mark.parametrize("again", [0.49, 0.5, math.nan])
def test_a_stamp_that_jumps_back_stands_still_or_is_no_number_is_refused(again):
    queue = FrameQueue[Stamp](2)
    queue.put(Stamp(0.5, 0.5))
    with pytest.raises(ValueError, match=r"came after one of 0\.500000 s: stamps have to grow"):
        queue.put(Stamp(again, 0.6))
    queue.put(Stamp(0.6, 0.6))
    assert queue.captured == 2


def test_a_queue_holds_at_least_one_frame():
    with pytest.raises(ValueError, match="capacity is 0"):
        FrameQueue(0)


def test_work_that_is_fast_enough_drops_nothing_and_adds_its_time_to_the_delay():
    report = simulated(stamps(3600, delay=0.010), lambda frame: 0.004)
    assert (report.captured, report.processed, report.dropped) == (3600, 3600, 0)
    np.testing.assert_allclose(report.latency_ms(), [14.0] * 3)
    np.testing.assert_allclose(report.age_ms(), [10.0] * 3)
    assert report.dropped_each_second().tolist() == [0] * 60


@pytest.mark.parametrize("capacity", [1, 2, 4])
def test_work_that_is_too_slow_keeps_up_with_the_newest_frames(capacity):
    report = simulated(stamps(600), lambda frame: 0.030, capacity)
    # A frame every 30 ms: 10 s hold 333 of them, and the rest of the queue comes after the end.
    assert abs(report.processed - 333) <= capacity + 1
    assert report.processed + report.dropped == report.captured == 600
    # A frame that is worked on next was at most one of the `capacity` newest, so it is at most that many frames old.
    assert max(report.age_ms()) <= capacity * 1000 * FRAME + 1e-9
    assert max(report.latency_ms()) <= capacity * 1000 * FRAME + 30 + 1e-9


def test_after_a_stall_of_the_work_the_newest_frames_are_next():
    # The frame of 1 s takes until 1.505 s; meanwhile those of 61/60 to 90/60 s come: 30 frames, of which 2 stay.
    report = simulated(stamps(180), lambda frame: 0.505 if frame.captured_s == 1.0 else 0.004)
    assert report.dropped == 28
    np.testing.assert_allclose(report.dropped_s, np.arange(61, 89) * FRAME)
    following = report.captured_s.index(1.0) + 1
    np.testing.assert_allclose(report.captured_s[following : following + 2], [89 * FRAME, 90 * FRAME])
    ages = np.subtract(report.started_s, report.captured_s)
    assert (ages[:following] == 0).all()
    np.testing.assert_allclose(ages[following : following + 2], [1.505 - 89 * FRAME, 1.509 - 90 * FRAME])
    assert (ages[following + 2 :] == 0).all()
    assert report.dropped_each_second().tolist() == [0, 28, 0]


def test_after_a_stall_of_the_camera_its_burst_is_cut_down_to_the_newest():
    camera = SimulatedCamera(YuvFormat(8, 8), stalls=[(1.0, 0.5)])
    frames = list(camera.frames(180))
    burst = [frame.index for frame in frames if frame.delivered_s == 1.5]
    report = simulated(frames, lambda frame: 0.004)
    kept = {round(captured * 60) for captured in report.captured_s}
    # The stalled frames come at one moment, so all but the last two are dropped.
    assert [index for index in burst if index in kept] == burst[-2:]
    assert report.dropped == len(burst) - 2


def test_simulated_time_gives_the_same_report_each_time():
    camera = SimulatedCamera(YuvFormat(8, 8), seed=3, delivery_jitter_s=0.01)
    first, second = (simulated(camera.frames(300), lambda frame: 0.012) for _ in range(2))
    assert first == second
    assert first.dropped > 0


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.lists(st.floats(0.001, 0.1), max_size=40),
    lateness=st.floats(0, 0.2),
    work=st.lists(st.floats(0, 0.3), min_size=1, max_size=5),
    capacity=st.integers(1, 4),
)
def test_each_frame_is_either_worked_on_in_order_or_dropped_and_the_last_ones_never_are(gaps, lateness, work, capacity):
    captured = np.cumsum(gaps).tolist()
    frames = [Stamp(time_s, time_s + lateness) for time_s in captured]
    report = simulated(frames, lambda frame: work[captured.index(frame.captured_s) % len(work)], capacity)
    assert sorted(report.captured_s + report.dropped_s) == captured
    assert report.captured_s == sorted(report.captured_s)
    assert set(captured[-capacity:]) <= set(report.captured_s)
    assert (np.subtract(report.started_s, report.captured_s) >= lateness - 1e-9).all()
    assert (np.subtract(report.started_s[1:], report.finished_s[:-1]) >= -1e-9).all()


def test_a_report_without_frames_says_so():
    report = simulated([], lambda frame: 0.0)
    assert (report.captured, report.processed, report.dropped_each_second().tolist()) == (0, 0, [])
    with pytest.raises(ValueError, match="No frame was worked on"):
        report.latency_ms()


def test_a_clock_only_goes_forward():
    clock = SimulatedClock()
    clock.sleep(1.5)
    clock.sleep_until(1.0)
    assert clock.now() == 1.5
    with pytest.raises(ValueError, match=r"-0\.1 s"):
        clock.sleep(-0.1)


def camera_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "camera"]


def test_a_real_run_prepares_frames_of_a_camera():
    camera = SimulatedCamera(YuvFormat(128, 72), seed=2)
    preparation = FramePreparation((128, 72), (32, 32))
    sums = []
    report = run(camera.frames(20), lambda frame: sums.append(preparation.prepare(frame.image).sum()), capacity=20)
    assert (report.captured, report.processed, report.dropped) == (20, 20, 0)
    assert sums == [preparation.prepare(camera.image(index)).sum() for index in range(20)]
    assert (np.subtract(report.started_s, [frame.delivered_s for frame in camera.frames(20)]) >= 0).all()
    assert not camera_threads()


def test_a_real_run_that_is_too_slow_drops_frames_and_ends_with_the_newest():
    # All 50 frames are there at once, and the first one takes until all of them were handed over.
    handed_over = threading.Event()

    def frames() -> Iterator[Stamp]:
        yield from (Stamp(n * FRAME, 0.0) for n in range(50))
        handed_over.set()

    report = run(frames(), lambda frame: handed_over.wait(60), capacity=3)
    assert report.captured == report.processed + report.dropped == 50
    assert report.dropped >= 46
    np.testing.assert_allclose(report.captured_s[-3:], [47 * FRAME, 48 * FRAME, 49 * FRAME])


def endless() -> Iterator[Stamp]:
    n = 0
    while True:
        yield Stamp(n * 1e-3, n * 1e-3)
        n += 1


def test_what_the_work_raises_ends_the_run_and_says_at_which_frame():
    def process(frame: Stamp) -> None:
        if frame.captured_s >= 0.005:
            raise KeyError("no such layer")

    with pytest.raises(KeyError, match="no such layer") as caught:
        run(endless(), process)
    assert "the frame captured at 0.0" in caught.value.__notes__[0]
    assert not camera_threads()
    clock = SimulatedClock()
    with pytest.raises(KeyError, match="no such layer") as caught:
        simulate(endless(), process, clock)
    assert "the frame captured at 0.005 s" in caught.value.__notes__[0]


def test_what_the_camera_raises_is_raised_after_the_frames_before_it():
    def frames() -> Iterator[Stamp]:
        yield from stamps(2)
        raise OSError("the camera is gone")

    seen: list[Stamp] = []
    with pytest.raises(OSError, match="the camera is gone"):
        run(frames(), seen.append, capacity=5)
    assert seen == list(stamps(2))
    with pytest.raises(ValueError, match="stamps have to grow"):
        run([Stamp(0.01, 0.0), Stamp(0.0, 0.0)], seen.append)


@pytest.mark.parametrize("from_outside", [False, True])
def test_a_run_stops_when_told_to_even_while_no_frame_comes(from_outside):
    stop = threading.Event()

    def frames() -> Iterator[Stamp]:
        yield Stamp(0.0, 0.0)
        yield Stamp(1.0, 3600.0)  # in an hour

    def process(frame: Stamp) -> None:
        if from_outside:
            threading.Timer(0.05, stop.set).start()
        else:
            stop.set()

    report = run(frames(), process, stop=stop)
    assert (report.processed, report.dropped) == (1, 0)
    assert not camera_threads()
