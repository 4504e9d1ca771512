"""The project's own orientation filter, on simulated motion with known truth."""

from __future__ import annotations

import numpy as np
import pytest
import vqf

from pocketlab.data.motion import EARTH_FIELD, Motion, Sensors, simulate_motion
from pocketlab.data.quaternions import (
    angle_between,
    conjugate,
    from_rotation_vector,
    heading_and_inclination_between,
    rotate,
)
from pocketlab.signals import orientation_pocketlab as filter_

SETTINGS = filter_.Settings()
RATE = 100.0


def estimate(motion: Motion, with_mag: bool = True) -> np.ndarray:
    state = filter_.start(motion.sample_rate_hz, SETTINGS, with_mag)
    return filter_.run(motion.gyr, motion.acc, motion.mag if with_mag else None, motion.sample_rate_hz, state, SETTINGS)


def errors(quat: np.ndarray, motion: Motion) -> tuple[float, float]:
    """Root mean square of heading and of inclination over the motion, in degrees, as BROAD scores it."""
    parts = heading_and_inclination_between(quat[motion.movement], motion.quat[motion.movement])
    heading, inclination = (float(np.rad2deg(np.sqrt(np.mean(part**2)))) for part in parts)
    return heading, inclination


def peer(motion: Motion) -> np.ndarray:
    return vqf.VQF(1 / motion.sample_rate_hz).updateBatch(motion.gyr, motion.acc, motion.mag)["quat9D"]


def mean_errors(motions: list[Motion], method=estimate) -> np.ndarray:
    return np.mean([errors(method(motion), motion) for motion in motions], axis=0)


@pytest.mark.parametrize("kind", ["rotation", "translation", "combined"])
@pytest.mark.parametrize("speed", ["slow", "fast"])
def test_undisturbed_motion_is_followed_better_than_by_vqf(kind, speed):
    # A room whose field is the same everywhere: otherwise the heading's error is the room's, and the same for every method.
    motions = [simulate_motion(kind, speed, seed=seed, sensors=Sensors(mag_room=0.0)) for seed in range(20, 28)]
    ours, theirs = mean_errors(motions), mean_errors(motions, peer)
    # While the phone keeps its pose, offsets of magnetometer and accelerometer are one constant angle, about 2°, which no method
    # can see: there the two headings are level, and what is better is the inclination.
    assert ours[0] < theirs[0] * (1.02 if kind == "translation" else 1.0)
    assert ours[1] < theirs[1] + 0.1
    assert ours.sum() < theirs.sum()


@pytest.mark.parametrize("magnet_s", [(0, 1000), (12, 70)])
def test_an_attached_magnet_is_found(magnet_s):
    motions = [
        simulate_motion("combined", disturbance="attached_magnet", magnet_s=magnet_s, seed=seed, sensors=Sensors(mag_room=0.5))
        for seed in range(30, 36)
    ]
    assert mean_errors(motions)[0] < 0.6 * mean_errors(motions, peer)[0]


def test_the_offset_of_a_magnet_is_estimated_in_its_size():
    motion = simulate_motion("combined", disturbance="attached_magnet", seed=4, sensors=Sensors(mag_room=0, mag_bias=0))
    plain = simulate_motion("combined", seed=4, sensors=Sensors(mag_room=0, mag_bias=0))
    offset = (motion.mag - plain.mag)[:500].mean(0)
    state = filter_.start(RATE, SETTINGS, True)
    filter_.run(motion.gyr, motion.acc, motion.mag, RATE, state, SETTINGS)
    np.testing.assert_allclose(state.heading.mean[1, 3:], offset, atol=2.0)  # µT, of some 17


def test_the_gyroscope_bias_is_estimated_at_rest_and_in_motion():
    for kind in ("rotation", "combined"):
        motion = simulate_motion(kind, seed=6, sensors=Sensors(gyr_walk=0))
        clean = simulate_motion(kind, seed=6, sensors=Sensors(gyr_walk=0, gyr_bias=0))
        bias = np.rad2deg((motion.gyr - clean.gyr).mean(0))
        state = filter_.start(RATE, SETTINGS, True)
        filter_.run(motion.gyr[:700], motion.acc[:700], motion.mag[:700], RATE, state, SETTINGS)
        np.testing.assert_allclose(np.rad2deg(state.inclination.gyr_bias), bias, atol=0.02)
        moving = slice(900, 9000)  # a stream that begins in motion
        state = filter_.start(RATE, SETTINGS, True)
        filter_.run(motion.gyr[moving], motion.acc[moving], motion.mag[moving], RATE, state, SETTINGS)
        sigmas = np.rad2deg(np.sqrt(np.diag(state.inclination.covariance)[2:5]))
        assert sigmas.max() < 0.7 / 3  # a third of what it was before: 1 % of a gyroscope's scale, at some rad/s, hides the rest
        assert (np.abs(np.rad2deg(state.inclination.gyr_bias) - bias) < 4 * sigmas).all()


def test_how_bent_a_room_is_is_learned():
    rooms = {}
    for bend in (0.0, 8.0):
        rooms[bend] = []
        for seed in range(20, 26):
            motion = simulate_motion("translation", seed=seed, sensors=Sensors(mag_room=bend))
            state = filter_.start(RATE, SETTINGS, True)
            filter_.run(motion.gyr, motion.acc, motion.mag, RATE, state, SETTINGS)
            rooms[bend].append(np.sqrt(state.heading.room[0]))
    np.testing.assert_allclose(rooms[0.0], SETTINGS.place_floor)  # 4 µT at the beginning
    # Waves of 0.8 to 3 m: within 0.2 m fields differ by a fraction of what they do in the whole room.
    assert 1.5 < np.mean(rooms[8.0]) < 8


@pytest.mark.parametrize("speed", ["slow", "fast"])
def test_a_room_is_not_taken_for_a_magnet_where_tilt_and_place_go_together(speed):
    # An arm that moves a phone also turns it: where the field is bent, a few degrees of tilt foretell some µT of it.
    rng = np.random.default_rng(0)
    worse, plain = [], []
    for seed in range(40, 48):
        motion = simulate_motion("translation", speed, seed=seed, sensors=Sensors(mag_room=0, mag_bias=0, mag_scale=0))
        tilt = rotate(motion.quat, np.array([0.0, 0.0, 1.0]))[:, :2]
        bend = tilt / tilt[motion.movement].std(axis=0) @ rng.standard_normal((2, 3))  # 1 µT in each axis, twice
        bend -= bend[motion.movement].mean(axis=0)
        mag = motion.mag + rotate(conjugate(motion.quat), bend) * motion.movement[:, np.newaxis]
        state = filter_.start(RATE, SETTINGS, True)
        quat = filter_.run(motion.gyr, motion.acc, mag, RATE, state, SETTINGS)
        assert state.heading.evidence[0] > state.heading.evidence[1]
        worse.append(errors(quat, motion)[0])
        plain.append(errors(estimate(motion), motion)[0])
    # 1.4 µT of 19 are 4°; readings of many places average out, to less than half of that.
    assert np.mean(worse) < np.mean(plain) + 2


def test_a_change_of_place_for_good_is_accepted():
    motion = simulate_motion("rotation", seed=8, duration_s=160, sensors=Sensors(mag_room=0))
    late = np.arange(len(motion.mag)) > 4000
    elsewhere = rotate(conjugate(motion.quat), np.array([25.0, -6.0, 10.0]))
    mag = motion.mag + elsewhere * late[:, np.newaxis]
    state = filter_.start(RATE, SETTINGS, True)
    quat = filter_.run(motion.gyr, motion.acc, mag, RATE, state, SETTINGS)
    north = EARTH_FIELD + np.array([25.0, -6.0, 10.0])
    heading = np.arctan2(north[0], north[1])
    turned = np.rad2deg(angle_between(quat[-1], motion.quat[-1]))
    assert turned == pytest.approx(np.rad2deg(heading), abs=5)


def test_chunks_of_any_size_give_the_same_numbers():
    motion = simulate_motion(seed=1, duration_s=30, sample_rate_hz=286)
    whole = estimate(motion)
    for sizes in ([1], [7, 0, 64, 3], [1000, 5]):
        state, parts, at, turn = filter_.start(286, SETTINGS, True), [], 0, 0
        while at < len(whole):
            cut = slice(at, at + sizes[turn % len(sizes)])
            parts.append(filter_.run(motion.gyr[cut], motion.acc[cut], motion.mag[cut], 286, state, SETTINGS))
            at, turn = cut.stop, turn + 1
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_plain_form_gives_the_same_as_the_compiled_one(monkeypatch):
    motion = simulate_motion(seed=1, duration_s=30, sample_rate_hz=50)
    compiled = estimate(motion)[:450]
    monkeypatch.setattr(filter_, "_loop", filter_._loop.py_func)
    short = Motion(50, *(getattr(motion, name)[:450] for name in ("gyr", "acc", "mag", "quat", "position", "movement")))
    np.testing.assert_allclose(estimate(short), compiled, atol=1e-9)  # fused multiplications round otherwise


def test_gaps_hold_and_do_not_poison():
    motion = simulate_motion("combined", seed=3, duration_s=60)
    gyr, acc, mag = motion.gyr.copy(), motion.acc.copy(), motion.mag.copy()
    gyr[2000:2003], acc[2500:2550], mag[3000:3400], mag[3500, 1] = np.nan, np.nan, np.inf, np.nan
    state = filter_.start(RATE, SETTINGS, True)
    quat = filter_.run(gyr, acc, mag, RATE, state, SETTINGS)
    assert np.isfinite(quat).all()
    for part in (*state.inclination, *state.heading, *state.sums):
        assert np.isfinite(part).all()
    assert np.linalg.norm(quat, axis=1) == pytest.approx(1, abs=1e-12)
    # Three samples without a gyroscope lose 0.03 s of some 2 rad/s.
    assert np.rad2deg(angle_between(quat, estimate(motion))).max() < 8


def test_before_the_first_acceleration_there_is_no_orientation():
    motion = simulate_motion(seed=3, duration_s=30)
    acc = motion.acc.copy()
    acc[:50] = np.nan
    state = filter_.start(RATE, SETTINGS, True)
    quat = filter_.run(motion.gyr, acc, motion.mag, RATE, state, SETTINGS)
    np.testing.assert_array_equal(quat[:50], np.tile([1.0, 0, 0, 0], (50, 1)))
    _, inclination = heading_and_inclination_between(quat[50], motion.quat[50])
    assert np.rad2deg(inclination) < 1.5
    nothing = np.full((100, 3), np.nan)
    empty = filter_.run(nothing, nothing, nothing, RATE, filter_.start(RATE, SETTINGS, True), SETTINGS)
    np.testing.assert_array_equal(empty, np.tile([1.0, 0, 0, 0], (100, 1)))


def test_without_a_magnetometer_only_the_heading_suffers():
    motions = [simulate_motion("combined", seed=seed) for seed in range(4)]
    inclination = [errors(estimate(motion, with_mag=False), motion)[1] for motion in motions]
    assert np.mean(inclination) < 1.2
    drift = estimate(motions[0], with_mag=False)
    heading, _ = heading_and_inclination_between(drift, motions[0].quat)
    signed = np.unwrap(heading)
    assert np.ptp(signed[motions[0].movement]) < np.deg2rad(15)


@pytest.mark.parametrize("rate", [10.0, 25.0, 33.3, 1000.0])
def test_any_sample_rate(rate):
    motion = simulate_motion("rotation", seed=2, sample_rate_hz=rate, duration_s=40, sensors=Sensors(mag_room=0.3))
    assert max(errors(estimate(motion), motion)) < 4


@pytest.mark.parametrize("pose", [[0, 0, 0], [np.pi, 0, 0], [0, -np.pi / 2, 0], [1.0, 2.0, -0.5], [0, 0, np.pi]])
def test_at_rest_the_first_sample_gives_the_pose(pose):
    truth = from_rotation_vector(np.array(pose, float))
    acc = np.tile(rotate(conjugate(truth), np.array([0, 0, 9.81])), (300, 1))
    mag = np.tile(rotate(conjugate(truth), EARTH_FIELD), (300, 1))
    quat = filter_.run(np.zeros((300, 3)), acc, mag, RATE, filter_.start(RATE, SETTINGS, True), SETTINGS)
    assert np.rad2deg(angle_between(quat, truth)).max() < 0.01


def test_smoothing_a_record_is_better_than_following_it():
    motions = [
        simulate_motion("combined", disturbance="attached_magnet", seed=seed, sensors=Sensors(mag_room=0.5)) for seed in range(6)
    ]

    def smoothed(motion: Motion) -> np.ndarray:
        return filter_.smooth(motion.gyr, motion.acc, motion.mag, motion.sample_rate_hz, SETTINGS)

    followed = mean_errors(motions)
    after = mean_errors(motions, smoothed)
    assert after[0] < 0.8 * followed[0]
    assert after[1] < followed[1]
    assert np.linalg.norm(smoothed(motions[0]), axis=1) == pytest.approx(1, abs=1e-12)


def test_smoothing_without_a_magnetometer_and_of_nothing():
    motion = simulate_motion(duration_s=40)
    smoothed = filter_.smooth(motion.gyr, motion.acc, None, RATE, SETTINGS)
    assert errors(smoothed, motion)[1] <= errors(estimate(motion, with_mag=False), motion)[1] + 0.1
    assert filter_.smooth(np.empty((0, 3)), np.empty((0, 3)), None, RATE, SETTINGS).shape == (0, 4)


def test_what_does_not_go_together_is_said():
    with pytest.raises(ValueError, match="above 0"):
        filter_.start(0.0, SETTINGS, True)
    motion = simulate_motion(duration_s=30)
    with pytest.raises(ValueError, match="as `start` was told"):
        filter_.run(motion.gyr, motion.acc, None, RATE, filter_.start(RATE, SETTINGS, True), SETTINGS)
    with pytest.raises(ValueError, match="as `start` was told"):
        filter_.run(motion.gyr, motion.acc, motion.mag, RATE, filter_.start(RATE, SETTINGS, False), SETTINGS)
