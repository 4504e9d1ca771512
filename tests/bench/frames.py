"""A 720p frame of a camera to a 224×224 float32 tensor: in one pass, by OpenCV's passes, and from a camera at 60 frames/s.

One thread each. Ours and OpenCV's take turns, with frames that take turns too, as a camera's buffers do. The stream runs in real
time for a minute; a second one has a stall of half a second, with our queue and with one that never drops a frame.
"""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Callable

import cv2
import numpy as np

from bench.row import Row
from pocketlab.data.camera import CameraFrame, SimulatedCamera
from pocketlab.data.yuv import YuvFormat, YuvFrame
from pocketlab.operations.latency import latency_percentiles
from pocketlab.signals.frame_queue import PipelineReport, run
from pocketlab.signals.frame_steps import TensorFormat, center_crop
from pocketlab.signals.frames import FramePreparation

SOURCE, TARGET = (1280, 720), (224, 224)
IMAGENET = TensorFormat(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
OPENCVS = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}
CAMERA = SimulatedCamera(YuvFormat(*SOURCE, row_stride=1344, chroma_row_stride=1344))
WARMUP, CALLS = 10, 300
LIMIT_MS = 4.0
RATE, SECONDS = 60, 60
STALL_AT_S, STALL_S, STALL_RUN_S = 2.0, 0.5, 4
# What a share of 1 says where a column has no place for 0: nothing was dropped.
ALL = "1: none is dropped"


def opencv_passes(resampling: str, crop: tuple[int, int, int, int]) -> Callable[[YuvFrame], np.ndarray]:
    mean, std = np.array(IMAGENET.mean, np.float32) * 255, np.array(IMAGENET.std, np.float32) * 255
    left, top, width, height = crop

    def prepare(frame: YuvFrame) -> np.ndarray:
        strided = frame.buffer.reshape(-1, frame.format.row_stride)[:, : SOURCE[0]]
        y, uv = strided[: SOURCE[1]], strided[SOURCE[1] :].reshape(SOURCE[1] // 2, SOURCE[0] // 2, 2)
        rgb = cv2.cvtColorTwoPlane(y, uv, cv2.COLOR_YUV2RGB_NV12)[top : top + height, left : left + width]
        small = cv2.resize(rgb, TARGET, interpolation=OPENCVS[resampling])
        return np.ascontiguousarray(((small - mean) / std).transpose(2, 0, 1))

    return prepare


def in_turns(frames: list[YuvFrame], *calls: Callable[[YuvFrame], np.ndarray]) -> np.ndarray:
    """(clocks, calls, rounds) seconds by the wall's clock and of the processor; the calls take turns."""
    clocks = time.perf_counter, time.thread_time
    times = np.zeros((len(clocks), len(calls), WARMUP + CALLS))
    for turn, frame in enumerate(itertools.islice(itertools.cycle(frames), WARMUP + CALLS)):
        for number, call in enumerate(calls):
            begun = [clock() for clock in clocks]
            call(frame)
            times[:, number, turn] = [clock() - start for clock, start in zip(clocks, begun, strict=True)]
    return times


def peak_bytes(call: Callable[[YuvFrame], np.ndarray], frames: list[YuvFrame]) -> int:
    """The most memory that was taken at any time in 50 calls, beyond what there was before them."""
    tracemalloc.start()
    try:
        for frame in itertools.islice(itertools.cycle(frames), 300):  # until all small objects are traced ones
            call(frame)
        tracemalloc.reset_peak()
        begun, _ = tracemalloc.get_traced_memory()
        for frame in itertools.islice(itertools.cycle(frames), 50):
            call(frame)
        return tracemalloc.get_traced_memory()[1] - begun
    finally:
        tracemalloc.stop()


def one_pass() -> list[Row]:
    cv2.setNumThreads(1)
    frames = [CAMERA.image(index) for index in range(8)]
    rows = []
    whole = (0, 0, *SOURCE)
    for name, crop, resampling in (
        ("bilinear", whole, "bilinear"),
        ("area", whole, "area"),
        ("center, area", center_crop(SOURCE, TARGET), "area"),
    ):
        preparation = FramePreparation(SOURCE, TARGET, crop=crop, resampling=resampling, tensor=IMAGENET)
        peer = opencv_passes(resampling, crop)
        # Two roundings to bytes and weights of 11 bits in OpenCV's passes, and its color coefficients of three decimals.
        difference = np.abs(preparation.prepare(frames[0]) - peer(frames[0])).max() * 255 * max(IMAGENET.std)
        assert difference < 2, f"{name}: {difference} levels from OpenCV's"
        wall, processor = in_turns(frames, preparation.prepare, peer)
        label = f"720p NV12 to 224×224, {name}"
        # On a busy machine the wall's 90th percentile tells how long other work had the processor; its own time does not.
        for clock, times in (("", wall), (" of the processor", processor)):
            ours, theirs = (latency_percentiles(each, WARMUP) for each in times)
            rows += [
                Row(f"{label}, median{clock}", "ms", ours[0], theirs[0], "OpenCV"),
                Row(f"{label}, p90{clock}", "ms", ours[1], theirs[1], "OpenCV"),
                Row(f"{label}, p90{clock}", "ms", ours[1], LIMIT_MS, "the limit"),
            ]
        rows.append(Row(f"{label}, memory", "bytes", *(peak_bytes(c, frames) for c in (preparation.prepare, peer)), "OpenCV"))
    return rows


def stream() -> list[Row]:
    preparation = FramePreparation(SOURCE, TARGET, tensor=IMAGENET)
    preparation.prepare(CAMERA.image(0))
    count = RATE * SECONDS
    report = run(CAMERA.frames(count), lambda frame: preparation.prepare(frame.image))
    captured, delivered = CAMERA.times(count)
    alone = np.percentile(1000 * (delivered - captured), [50, 90, 99])
    each_second = np.percentile(report.dropped_each_second(), 90)
    label = f"{RATE} frames/s for {SECONDS} s"
    return [
        Row(f"{label}, frames that came for one processed", "1", report.captured / report.processed, 1.0, ALL),
        Row(f"{label}, the same in a second, p90", "1", RATE / (RATE - each_second), 1.0, ALL),
        *(
            Row(f"{label}, capture to result, {which}", "ms", ours, float(theirs), "the camera alone")
            for which, ours, theirs in zip(("median", "p90", "p99"), report.latency_ms(), alone, strict=True)
        ),
    ]


def with_stall(capacity: int) -> PipelineReport:
    preparation = FramePreparation(SOURCE, TARGET, tensor=IMAGENET)

    def process(frame: CameraFrame) -> None:
        preparation.prepare(frame.image)
        if frame.index == STALL_AT_S * RATE:
            time.sleep(STALL_S)

    return run(CAMERA.frames(STALL_RUN_S * RATE), process, capacity=capacity)


def stall() -> list[Row]:
    ours, endless = with_stall(2), with_stall(STALL_RUN_S * RATE)

    def oldest_ms(report: PipelineReport) -> float:
        return float(1000 * (np.array(report.started_s) - report.captured_s).max())

    label = f"a stall of {1000 * STALL_S:.0f} ms"
    missed = STALL_S * RATE - 2
    return [
        Row(f"{label}, frames dropped", "frames", ours.dropped, missed, "those of the stall but two"),
        Row(f"{label}, oldest frame that was still worked on", "ms", oldest_ms(ours), oldest_ms(endless), "a queue without end"),
    ]


BENCHES = {"one_pass": one_pass, "stream": stream, "stall": stall}
