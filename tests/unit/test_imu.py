"""The door to all orientation filters: streams, units, gaps, ends of ranges, clocks."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat

from pocketlab.data import quaternions
from pocketlab.data.motion import Motion, simulate_motion
from pocketlab.signals.imu import (
    METHODS,
    Gap,
    OrientationFilter,
    check_timestamps,
    estimate_orientation,
    sample_rate_of,
    smooth_orientation,
)
from pocketlab.signals.imu_input import check_units, gravity_turns, saturated

RATE = 100.0


@pytest.fixture(scope="module")
def motion() -> Motion:
    return simulate_motion("combined", "slow", duration_s=30.0, seed=2)


@pytest.fixture(scope="module")
def fast() -> Motion:
    return simulate_motion("combined", "fast", duration_s=30.0, seed=2)


def feed(stream: OrientationFilter, chunks) -> np.ndarray:
    return np.concatenate([stream.process(**chunk) for chunk in chunks])


def degrees_off(got, truth):
    return np.degrees(quaternions.angle_between(got, truth))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("with_mag", [False, True])
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 1500), max_size=6).map(sorted))
def test_a_stream_gives_what_the_batch_gives_bit_for_bit(motion, method, with_mag, cuts):
    sensors = [x[700:2200] for x in (motion.gyr, motion.acc, motion.mag)[: 2 + with_mag]]
    batch = estimate_orientation(*sensors, sample_rate_hz=RATE, method=method)
    stream = OrientationFilter(method, sample_rate_hz=RATE, magnetometer=with_mag)
    for _ in range(2):
        chunks = zip(*(np.split(x, cuts) for x in sensors), strict=True)
        got = np.concatenate([stream.process(*chunk) for chunk in chunks])
        np.testing.assert_array_equal(got, batch)
        stream.reset()


@pytest.mark.parametrize("method", METHODS)
def test_single_samples_give_what_the_batch_gives_bit_for_bit(motion, method):
    sensors = [x[700:1000] for x in (motion.gyr, motion.acc, motion.mag)]
    stream = OrientationFilter(method, sample_rate_hz=RATE)
    got = [stream.process(*row) for row in zip(*sensors, strict=True)]
    assert got[0].shape == (4,)
    np.testing.assert_array_equal(got, estimate_orientation(*sensors, sample_rate_hz=RATE, method=method))


def test_pocketlab_is_the_default(motion):
    sensors = motion.gyr, motion.acc, motion.mag
    got = estimate_orientation(*sensors, sample_rate_hz=RATE)
    np.testing.assert_array_equal(got, estimate_orientation(*sensors, sample_rate_hz=RATE, method="pocketlab"))


def test_smoothing_sees_the_later_samples_too(motion):
    sensors = motion.gyr, motion.acc, motion.mag
    smoothed, filtered = (f(*sensors, sample_rate_hz=RATE) for f in (smooth_orientation, estimate_orientation))
    assert np.sqrt(np.mean(degrees_off(smoothed, motion.quat) ** 2)) < np.sqrt(np.mean(degrees_off(filtered, motion.quat) ** 2))
    with pytest.raises(ValueError, match=r"multiply acc by 9\.80665"):
        smooth_orientation(motion.gyr, motion.acc / 9.80665, motion.mag, sample_rate_hz=RATE)
    with pytest.raises(ValueError, match="no setting 'beta'"):
        smooth_orientation(*sensors, sample_rate_hz=RATE, beta=1)


def test_settings_reach_the_method(motion):
    sensors = motion.gyr, motion.acc, motion.mag
    slow, quick = (estimate_orientation(*sensors, sample_rate_hz=RATE, method="madgwick", beta=beta) for beta in (0, 0.1))
    integrated = estimate_orientation(*sensors, sample_rate_hz=RATE, method="integration")
    # Without correction Madgwick integrates, by steps of Euler.
    assert degrees_off(slow, integrated).max() < 0.1
    assert degrees_off(quick, integrated).max() > 1


@pytest.mark.parametrize("method", METHODS)
def test_no_samples_give_no_orientations(method):
    nothing = np.empty((0, 3))
    assert estimate_orientation(nothing, nothing, nothing, sample_rate_hz=RATE, method=method).shape == (0, 4)


@pytest.mark.parametrize("method", METHODS)
def test_inputs_are_left_as_they_were(motion, method):
    sensors = [x.copy() for x in (motion.gyr, motion.acc, motion.mag)]
    sensors[2][5] = np.inf
    before = [x.copy() for x in sensors]
    estimate_orientation(*sensors, sample_rate_hz=RATE, method=method)
    for x, was in zip(sensors, before, strict=True):
        np.testing.assert_array_equal(x, was)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"acc": np.ones((99, 3))}, "different numbers of samples: gyroscope 100, accelerometer 99, magnetometer 100"),
        ({"mag": np.ones((50, 3))}, "gyroscope 100, accelerometer 100, magnetometer 50"),
        ({"gyr": np.zeros((3, 100))}, r"gyroscope has shape \(3, 100\).*looks transposed"),
        ({"acc": np.zeros(300)}, r"accelerometer has shape \(300,\); expected \(N, 3\)"),
        ({"acc": np.full((100, 3), "9.8")}, "must be real numbers"),
        ({"acc": np.full((100, 3), 9.8j)}, "must be real numbers"),
        ({"sample_rate_hz": 0}, "sample_rate_hz is 0; expected a number above 0"),
        ({"sample_rate_hz": -100.0}, "sample_rate_hz is -100.0"),
        ({"sample_rate_hz": float("nan")}, "sample_rate_hz is nan"),
        ({"sample_rate_hz": float("inf")}, "sample_rate_hz is inf"),
        ({"sample_rate_hz": None}, "sample_rate_hz is None"),
        ({"sample_rate_hz": 0.01}, "time between two samples, pass its inverse, 100"),
        ({"method": "magic"}, "no method 'magic'; choose one of integration, complementary"),
        ({"method": "mahony", "beta": 1}, "mahony has no setting 'beta'; it has proportional, integral"),
        ({"method": "integration", "beta": 1}, "integration has no setting 'beta'; it has none"),
        ({"acc": np.full((100, 3), np.nan)}, "The accelerometer measured nothing"),
        ({"gyr": np.full((100, 3), np.nan)}, "The gyroscope measured nothing"),
        ({"mag": np.zeros((100, 3))}, "The magnetometer measured nothing"),
    ],
)
def test_input_that_cannot_be_is_refused(motion, change, message):
    good = {"gyr": motion.gyr[:100], "acc": motion.acc[:100], "mag": motion.mag[:100], "sample_rate_hz": RATE}
    with pytest.raises(ValueError, match=message):
        estimate_orientation(**(good | change))


def test_a_stream_takes_a_magnetometer_always_or_never(motion):
    row = motion.gyr[0], motion.acc[0], motion.mag[0]
    with pytest.raises(ValueError, match="expects a magnetometer"):
        OrientationFilter(sample_rate_hz=RATE).process(*row[:2])
    with pytest.raises(ValueError, match="magnetometer=False; leave mag out"):
        OrientationFilter(sample_rate_hz=RATE, magnetometer=False).process(*row)


@pytest.mark.parametrize(
    ("sensor", "factor", "message"),
    [
        ("acc", 1 / 9.80665, "It looks like g: multiply acc by 9.80665"),
        ("acc", 1000 / 9.80665, r"thousandths of g: multiply acc by 0.00980665"),
        ("acc", 1000, "mm/s²: multiply acc by 0.001"),
        ("acc", 1e-3, "km/s²: multiply acc by 1000"),
        ("acc", 1e5, "Check its unit"),
        ("gyr", 180 / np.pi, "degrees per second: multiply gyr by 0.0174533"),
        ("gyr", 1000, "thousandths of a radian per second: multiply gyr by 0.001"),
        ("gyr", 180e3 / np.pi, "thousandths of a degree per second: multiply gyr by 1.74533e-05"),
        ("gyr", np.pi / 180, "degrees to radians twice: multiply gyr by 57.2958"),
        ("gyr", 1e-3, "a thousand times too small: multiply gyr by 1000"),
        ("mag", 1e-6, r"tesla: multiply mag by 1e\+06"),
        ("mag", 1e-3, "millitesla: multiply mag by 1000"),
        ("mag", 1e-2, "gauss: multiply mag by 100"),
        ("mag", 1e3, "nanotesla: multiply mag by 0.001"),
        ("mag", 1 / 49.8, "normalized to 1"),
        ("mag", 1e9, "Check its unit"),
    ],
)
def test_units_that_are_off_are_said_with_their_factor(motion, fast, sensor, factor, message):
    for record in (motion, fast):
        sensors = {"gyr": record.gyr, "acc": record.acc, "mag": record.mag}
        sensors[sensor] = sensors[sensor] * factor
        with pytest.raises(ValueError, match=message):
            estimate_orientation(**sensors, sample_rate_hz=RATE)
        # A stream finds it within its first seconds of motion, here from second 8.
        stream = OrientationFilter(sample_rate_hz=RATE)
        chunks = [{name: x[start : start + 30] for name, x in sensors.items()} for start in range(800, 1700, 30)]
        with pytest.raises(ValueError, match=message):
            feed(stream, chunks)


def test_linear_acceleration_is_no_accelerometer(motion):
    gravity = quaternions.rotate(quaternions.conjugate(motion.quat), np.array([0, 0, 9.81]))
    with pytest.raises(ValueError, match="Gravity seems to be taken out"):
        estimate_orientation(motion.gyr, motion.acc - gravity, sample_rate_hz=RATE)


def test_degrees_of_a_vertical_turn_are_seen_by_their_size():
    gyr, acc = np.tile([0, 0, 90.0], (500, 1)), np.tile([0, 0, 9.81], (500, 1))
    with pytest.raises(ValueError, match=r"more than a phone's can measure.*multiply gyr by 0.0174533"):
        estimate_orientation(gyr, acc, sample_rate_hz=RATE)
    assert estimate_orientation(np.radians(gyr), acc, sample_rate_hz=RATE).shape == (500, 4)


def test_degrees_at_rest_are_seen_by_their_bias():
    rng = np.random.default_rng(0)
    gyr, acc = rng.normal([0.8, -1.2, 0.3], 0.1, (500, 3)), rng.normal([0, 0, 9.81], 0.02, (500, 3))
    with pytest.raises(ValueError, match=r"at rest, but the gyroscope says 1.47 rad/s"):
        estimate_orientation(gyr, acc, sample_rate_hz=RATE)
    estimate_orientation(np.radians(gyr), acc, sample_rate_hz=RATE)


@pytest.mark.parametrize("kind", ["rotation", "translation", "combined"])
@pytest.mark.parametrize("speed", ["slow", "fast"])
@pytest.mark.parametrize("disturbance", [None, "attached_magnet", "tapping"])
def test_right_units_are_never_refused(kind, speed, disturbance):
    record = simulate_motion(kind, speed, duration_s=40.0, disturbance=disturbance, seed=3)
    for seconds in (1, 2, 4, 8, 40):
        length = round(seconds * RATE)
        for start in range(0, len(record.gyr) - length + 1, length):
            check_units(*(x[start : start + length] for x in (record.gyr, record.acc, record.mag)), RATE)


@pytest.mark.parametrize("trial", ["02_undisturbed_slow_rotation_B", "15_undisturbed_fast_translation_A"])
def test_a_real_records_units_are_judged_rightly(trial):
    path = Path(os.environ.get("POCKETLAB_DATA", "")) / "broad" / f"{trial}.mat"
    if not path.exists():
        pytest.skip(f"POCKETLAB_DATA has no broad/{trial}.mat")
    record = loadmat(path)
    gyr, acc, mag = (np.asarray(record[key], dtype=np.float64) for key in ("imu_gyr", "imu_acc", "imu_mag"))
    rate = float(record["sampling_rate"].item())
    for seconds in (1, 2, 4, 8):
        length = round(seconds * rate)
        for start in range(0, len(gyr) - length, length):
            check_units(*(x[start : start + length] for x in (gyr, acc, mag)), rate)
    with pytest.raises(ValueError, match=r"multiply acc by 9.80665"):
        check_units(gyr, acc / 9.80665, mag, rate)
    if "rotation" in trial:
        with pytest.raises(ValueError, match=r"degrees per second: multiply gyr by 0.0174533"):
            check_units(np.degrees(gyr), acc, mag, rate)
    assert not saturated(gyr, "gyroscope").any()
    assert not saturated(acc, "accelerometer").any()


def test_gravity_turns_as_the_gyroscope_says(motion):
    moving = motion.movement
    ratio, explained, claimed = gravity_turns(motion.gyr[moving], motion.acc[moving], RATE)
    assert ratio == pytest.approx(1, rel=0.05)  # accelerations of a slow motion are a few per cent of gravity
    assert explained > 0.95
    assert 0.3 < claimed < 3
    scaled = gravity_turns(7 * motion.gyr[moving], motion.acc[moving], RATE)
    np.testing.assert_allclose(scaled, (ratio / 7, explained, 7 * claimed))


@pytest.mark.parametrize("method", METHODS)
def test_gaps_do_not_poison_what_follows(motion, method):
    sensors = {"gyr": motion.gyr.copy(), "acc": motion.acc.copy(), "mag": motion.mag.copy()}
    whole = estimate_orientation(**sensors, sample_rate_hz=RATE, method=method)
    rng = np.random.default_rng(0)
    for samples, missing in zip(sensors.values(), (np.nan, np.inf, 0.0), strict=True):
        samples[rng.integers(100, 3000, 60)] = missing
    sensors["acc"][:20, 1] = np.nan
    sensors["acc"][1000:1100] = np.nan
    sensors["mag"][:30] = np.nan
    sensors["mag"][1000:1500] = -np.inf
    got = estimate_orientation(**sensors, sample_rate_hz=RATE, method=method)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-12)
    # 60 lost rates of up to 2 rad/s turn by 0.02 rad each, in all directions, and the whole is corrected or not at all.
    assert degrees_off(got[2500:], whole[2500:]).max() < 15
    stream = OrientationFilter(method, sample_rate_hz=RATE)
    chunks = ({name: x[start : start + 77] for name, x in sensors.items()} for start in range(0, len(got), 77))
    np.testing.assert_array_equal(feed(stream, chunks), got)


@pytest.mark.parametrize("method", METHODS)
def test_a_gap_of_all_sensors_holds_the_orientation(motion, method):
    stream = OrientationFilter(method, sample_rate_hz=RATE)
    before = stream.process(motion.gyr[:1500], motion.acc[:1500], motion.mag[:1500])[-1]
    nothing = np.full((200, 3), np.nan)
    during = stream.process(nothing, nothing, nothing)
    # "pocketlab" may still let in what it has measured since its last correction.
    assert degrees_off(during, before).max() < 1


@pytest.mark.parametrize("method", METHODS)
def test_before_the_first_acceleration_nothing_is_known(motion, method):
    acc = motion.acc.copy()
    acc[:50] = np.nan
    got = estimate_orientation(motion.gyr, acc, sample_rate_hz=RATE, method=method)
    up = quaternions.rotate(got[50:60], motion.acc[50:60])
    assert np.degrees(np.arccos(up[:, 2] / np.linalg.norm(up, axis=1))).max() < 2


@pytest.mark.parametrize("method", [name for name in METHODS if name != "integration"])
def test_a_slow_magnetometer_sets_the_heading_at_its_first_sample(motion, method):
    mag = np.where(np.arange(len(motion.mag))[:, np.newaxis] % 10 == 9, motion.mag, np.nan)
    got = estimate_orientation(motion.gyr, motion.acc, mag, sample_rate_hz=RATE, method=method)
    heading, _ = quaternions.heading_and_inclination_between(got, motion.quat)
    assert np.degrees(heading[100:800]).max() < 15  # errors of the magnetometer: 1 µT in 19 µT is 3°


@pytest.mark.parametrize("method", METHODS)
def test_a_sensor_at_rest_stays_where_it_is(method):
    level = np.tile([0, 0, 9.80665], (3000, 1))
    north = np.tile([0, 19.0, -46.0], (3000, 1))
    got = estimate_orientation(np.zeros((3000, 3)), level, north, sample_rate_hz=RATE, method=method)
    # Madgwick's steps have a fixed length, 0.041 rad/s · 0.01 s: it walks about an error of rounding.
    tolerance = 0.042 / RATE if method == "madgwick" else 1e-9
    np.testing.assert_allclose(np.abs(got), np.tile([1.0, 0, 0, 0], (3000, 1)), atol=tolerance)


def test_saturated_samples_are_found_and_warned_of(fast):
    clipped = np.clip(fast.gyr, -4.4, 4.4)
    pinned = (np.abs(clipped) == 4.4).any(axis=1)
    found = saturated(clipped, "gyroscope")
    assert pinned.sum() > 50
    assert not (found & ~pinned).any()
    assert found.sum() > 0.9 * pinned.sum()  # all but the ends that last one or two samples
    with pytest.warns(UserWarning, match=f"{found.sum()} of 3000 samples of the gyroscope lie at the end of its range"):
        got = estimate_orientation(clipped, fast.acc, fast.mag, sample_rate_hz=RATE)
    assert np.isfinite(got).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate_orientation(fast.gyr, fast.acc, fast.mag, sample_rate_hz=RATE)


def test_a_steady_turn_and_coarse_steps_are_not_saturation():
    assert not saturated(np.tile([0, 0, 5.0], (500, 1)), "gyroscope").any()
    angles = 2 * np.pi * np.arange(3000) / 100
    coarse = np.round(6 * np.sin(angles)[:, np.newaxis] * [1, 0, 0] / 0.001) * 0.001
    assert not saturated(coarse, "gyroscope").any()
    assert not saturated(np.zeros((0, 3)), "gyroscope").any()


def test_timestamps_give_a_rate_and_gaps():
    t = np.delete(np.arange(1000) / 200, np.arange(300, 310))
    assert sample_rate_of(t) == pytest.approx(200)
    (gap,) = check_timestamps(t)
    assert gap == Gap(300, pytest.approx(0.055), 10)
    # Times rounded to milliseconds: 3 and 4 ms, 3.5 in the mean.
    assert sample_rate_of(np.floor(np.arange(3000) / 285.714285 * 1000) / 1000) == pytest.approx(285.714, rel=1e-3)
    jittered = np.arange(2000) / 50 + np.random.default_rng(0).normal(0, 1e-3, 2000)
    assert sample_rate_of(jittered) == pytest.approx(50, rel=1e-3)
    assert check_timestamps(jittered) == []


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.0, 0.01, 0.02, 0.015, 0.03], "clock jumps back at sample 3: 0.020000 s, then 0.015000 s"),
        ([0.0, 0.01, 0.01], "clock stands still at sample 2"),
        ([0.0, np.nan, 0.02], "Timestamp 1 is not finite"),
        ([0.0], r"shape \(1,\); expected \(N,\) with at least 2"),
        (np.zeros((3, 2)), r"shape \(3, 2\)"),
        (np.arange(100) * 10.0, "look like milliseconds: multiply them by 0.001"),
        (np.arange(100) * 10_000.0, "look like microseconds"),
        (np.arange(100) * 10_000_000.0, "look like nanoseconds"),
        (np.arange(100) * 1e15, "expected times in seconds"),
    ],
)
def test_clocks_that_cannot_be_are_refused(times, message):
    with pytest.raises(ValueError, match=message):
        sample_rate_of(times)


def test_samples_of_any_layout_and_number_type_are_taken(motion):
    expected = estimate_orientation(motion.gyr[:500], motion.acc[:500], sample_rate_hz=RATE, method="kalman")
    fixed = motion.gyr[:500].copy()
    fixed.flags.writeable = False
    got = estimate_orientation(fixed, np.asfortranarray(motion.acc[:500]), sample_rate_hz=100, method="kalman")
    np.testing.assert_array_equal(got, expected)
    lists = estimate_orientation([[0, 0, 0]] * 5, [[0, 0, 10]] * 5, [[0, 20, -40]] * 5, sample_rate_hz=100)
    np.testing.assert_allclose(np.abs(lists[:, 0]), 1)
    single = estimate_orientation(motion.gyr.astype(np.float32), motion.acc.astype(np.float32), sample_rate_hz=RATE)
    # float32 has 24 bits; what 30 s of integrated rates make of it stays below a hundredth of a degree.
    assert degrees_off(single, estimate_orientation(motion.gyr, motion.acc, sample_rate_hz=RATE)).max() < 0.01
