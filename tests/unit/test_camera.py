"""The simulated camera keeps to its model: timing, motion, exposure and noise, measured from what it delivers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pocketlab.data.camera import GAMMA, PERIOD, SPEED, SimulatedCamera
from pocketlab.data.yuv import YuvFormat

SMALL = YuvFormat(96, 64)
STILL = {"exposure_noise": 0.0, "shot_noise": 0.0}


def test_the_same_seed_gives_the_same_frames_in_any_order_and_another_seed_others():
    camera, again, other = (SimulatedCamera(SMALL, seed=seed) for seed in (5, 5, 6))
    for index in (7, 0, 3):
        np.testing.assert_array_equal(camera.image(index).buffer, again.image(index).buffer)
        assert (camera.image(index).buffer != other.image(index).buffer).any()
    np.testing.assert_array_equal(camera.times(20), again.times(20))
    np.testing.assert_array_equal(np.array(camera.times(20))[:, :7], camera.times(7))
    assert (camera.times(20)[0] != other.times(20)[0]).all()


def test_frames_are_those_of_times_and_image():
    camera = SimulatedCamera(SMALL, seed=1)
    frames = list(camera.frames(3))
    assert [frame.index for frame in frames] == [0, 1, 2]
    np.testing.assert_array_equal([(f.captured_s, f.delivered_s) for f in frames], np.transpose(camera.times(3)))
    np.testing.assert_array_equal(frames[2].image.buffer, camera.image(2).buffer)


def test_times_have_the_rate_the_jitter_and_the_delay_that_were_asked_for():
    count = 20_000
    camera = SimulatedCamera(SMALL, 30.0, timestamp_jitter_s=0.0003, delivery_delay_s=0.02, delivery_jitter_s=0.002)
    captured, delivered = camera.times(count)
    errors = captured - np.arange(count) / 30
    # A standard deviation of so many samples is good to 1/√(2·20,000) = 0.5 %, a mean of exponentials to 0.7 %; five of each.
    assert errors.std() == pytest.approx(0.0003, rel=0.025)
    late = delivered - captured - 0.02
    assert late.min() >= -1e-12
    assert late.mean() == pytest.approx(0.002, rel=0.035)
    assert (np.diff(captured) > 0).all()
    assert (np.diff(delivered) >= 0).all()


def test_the_default_jitter_is_what_androids_camera_test_lets_pass():
    captured, _ = SimulatedCamera(SMALL).times(20_000)
    variance_ms2 = np.diff(captured * 1000).var()
    # 2 · 0.07² = 0.0098 of the 0.01 that is allowed; the variance of so many is good to 1 to 2 %.
    assert variance_ms2 == pytest.approx(0.0098, rel=0.05)


def test_stamps_never_go_back_however_large_the_jitter():
    captured, delivered = SimulatedCamera(SMALL, timestamp_jitter_s=1.0, delivery_jitter_s=1.0).times(1000)
    assert (np.diff(captured) > 0).all()
    assert (np.diff(delivered) >= 0).all()
    assert (delivered > captured).all()


def test_after_a_stall_everything_comes_at_once():
    camera = SimulatedCamera(SMALL, 60.0, stalls=[(1.0, 0.5)], delivery_jitter_s=0.0)
    captured, delivered = camera.times(180)
    assert not ((delivered > 1.0) & (delivered < 1.5)).any()
    assert abs((delivered == 1.5).sum() - 30) <= 1
    plain_captured, plain = dataclasses.replace(camera, stalls=()).times(180)
    np.testing.assert_array_equal(captured, plain_captured)
    outside = (plain < 1.0) | (plain >= 1.5)
    np.testing.assert_array_equal(delivered[outside], plain[outside])


@pytest.mark.parametrize("pixel_format", ["NV12", "NV21", "I420"])
def test_the_scene_moves_as_told_and_strides_change_nothing(pixel_format):
    camera = SimulatedCamera(YuvFormat(96, 64, pixel_format), **STILL)
    y0, u0, v0 = camera.image(0).planes()
    index = 8
    across, down = camera.shift(index)
    assert (across, down) == (24, 8)  # 8/60 s at 180 and 60 pixels/s
    y, u, v = camera.image(index).planes()
    np.testing.assert_array_equal(y[: 64 - down, : 96 - across], y0[down:, across:])
    for plane, first in ((u, u0), (v, v0)):
        half_down, half_across = down // 2, across // 2
        np.testing.assert_array_equal(plane[: 32 - half_down, : 48 - half_across], first[half_down:, half_across:])
    padded = SimulatedCamera(YuvFormat(96, 64, pixel_format, 100, 130), **STILL).image(index)
    for plane, without in zip(padded.planes(), (y, u, v), strict=True):
        np.testing.assert_array_equal(plane, without)
    assert (padded.buffer[: 100 * 64].reshape(64, 100)[:, 96:] == 0).all()


def test_motion_goes_on_for_minutes_and_the_picture_repeats():
    camera = SimulatedCamera(SMALL, **STILL)
    seconds = PERIOD / math.gcd(*map(int, SPEED))
    np.testing.assert_array_equal(camera.image(round(3 * 60 * seconds)).buffer, camera.image(0).buffer)


def test_a_frames_exposure_varies_as_asked_for():
    camera = SimulatedCamera(SMALL, exposure_noise=0.05, shot_noise=0.0)
    still = SimulatedCamera(SMALL, **STILL)
    light = [
        ((camera.image(index).planes()[0] - 16.0).mean() / (still.image(index).planes()[0] - 16.0).mean()) ** GAMMA
        for index in range(400)
    ]
    # A standard deviation of 400 is good to 3.5 %; three of them.
    assert np.std(light) == pytest.approx(0.05, rel=0.11)
    assert np.mean(light) == pytest.approx(1, abs=3 * 0.05 / 20)


@pytest.mark.parametrize("shot_noise", [0.0005, 0.005])
def test_noise_in_light_is_shot_and_read_noise(shot_noise):
    noisy = SimulatedCamera(YuvFormat(640, 480), exposure_noise=0.0, shot_noise=shot_noise)
    clean = SimulatedCamera(YuvFormat(640, 480), **STILL)
    y, exact = noisy.image(0).planes()[0].astype(float), clean.image(0).planes()[0].astype(float)
    read_noise = math.exp(2.18 * math.log(shot_noise) + 1.20)
    for low, high in ((50, 70), (90, 110), (150, 190)):
        chosen = (exact >= low) & (exact < high)
        light = ((exact[chosen] - 16) / 219) ** GAMMA
        slope = 219 / GAMMA * light ** (1 / GAMMA - 1)
        expected = np.mean((shot_noise * light + read_noise) * slope**2) + 1 / 12  # rounding to whole levels adds 1/12
        # Rows take from one pool of 65,536 samples, whose own variance is good to 0.6 %; five of that.
        assert (y - exact)[chosen].var() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame_rate_hz": 0.0}, "frame rate is 0.0 Hz"),
        ({"frame_rate_hz": float("nan")}, "frame rate is nan Hz"),
        ({"timestamp_jitter_s": -1e-3}, "timestamp_jitter_s is -0.001"),
        ({"delivery_delay_s": float("inf")}, "delivery_delay_s is inf"),
        ({"delivery_jitter_s": float("nan")}, "delivery_jitter_s is nan"),
        ({"exposure_noise": -0.1}, "exposure_noise is -0.1"),
        ({"shot_noise": -0.1}, "shot_noise is -0.1"),
        ({"stalls": [(1.0, -0.5)]}, "durations not below zero"),
        ({"stalls": [(float("nan"), 0.5)]}, "durations not below zero"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SimulatedCamera(SMALL, **options)
