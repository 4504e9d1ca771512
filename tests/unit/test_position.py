from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.stats import chi2

from pocketlab.data.geodesy import to_local
from pocketlab.data.inertial import PHONE
from pocketlab.data.quaternions import conjugate, from_rotation_vector, multiply, to_matrix
from pocketlab.data.walking import simulate_walk
from pocketlab.signals import position
from pocketlab.signals.activity import find_still
from pocketlab.signals.imu import estimate_orientation

# What the simulator does, and so what an honest filter has to believe.
TRUE_NOISE = position.PositionNoise(acc_density=PHONE.acc_density, acc_bias=PHONE.acc_bias, acc_walk=PHONE.acc_walk)
LEGS = ((60, 90, 5), (60, 90, 0), (50, -60, 5))
RATE = 20.0


@functools.cache
def walk(seed: int = 0, **options):
    made = simulate_walk(LEGS, seed=seed, sample_rate_hz=RATE, **options)
    return made, to_local(made.gps.geodetic, made.origin)


def track(made, fixes, *, acc=None, accuracies=None, noise=TRUE_NOISE, **options):
    return position.track_position(
        made.times,
        made.imu.acc if acc is None else acc,
        made.orientations,
        made.gps.times,
        fixes,
        made.gps.accuracies if accuracies is None else accuracies,
        noise=noise,
        **{"still": made.still, **options},
    )


@functools.cache
def tracked(seed: int, smooth: bool = False):
    return track(*walk(seed), smooth=smooth)


def rms(errors) -> float:
    return float(np.sqrt((errors**2).sum(axis=-1).mean()))


def raw_errors(made, fixes):
    return fixes - np.stack([np.interp(made.gps.times, made.times, axis) for axis in made.positions.T], axis=-1)


def test_the_smoothed_track_is_the_exact_answer_to_all_measurements():
    """All states together are one normal distribution; conditioned on the fixes, it gives means and covariances."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.03, 0.09, 9))
    q = from_rotation_vector(rng.normal(0, 1, (9, 3)))
    acc, still = rng.normal(0, 1, (9, 3)), np.arange(9) == 6
    fixes, accuracies = rng.normal(0, 5, (2, 3)), rng.uniform(2, 6, (2, 2))
    noise = position.PositionNoise(gate=1 - 1e-12)
    got = position.track_position(
        times, acc, q, times[[0, 4]], fixes, accuracies, still=still, noise=noise, smooth=True
    )
    n, rotation = 12, to_matrix(q)
    mean, root = np.concatenate([fixes[0], np.zeros(9)]), np.diag(np.repeat([1e3, 3.0, noise.acc_bias, 1.0], 3))
    means, joint = [mean], root**2
    force = np.einsum("nij,nj->ni", rotation, acc) - [0, 0, position.GRAVITY]
    for i in range(1, 9):
        t, push = times[i] - times[i - 1], (force[i - 1] + force[i]) / 2
        f, quiet = np.eye(n), np.zeros((n, n))
        f[:3, 3:6], f[:3, 6:9], f[3:6, 6:9] = t * np.eye(3), -(t**2) / 2 * rotation[i], -t * rotation[i]
        f[9:, 9:] *= np.exp(-t / noise.gps_time_constant_s)
        d = noise.acc_density**2 * np.eye(3)
        quiet[:3, :3], quiet[:3, 3:6], quiet[3:6, :3], quiet[3:6, 3:6] = d * t**3 / 3, d * t**2 / 2, d * t**2 / 2, d * t
        quiet[6:9, 6:9] = noise.acc_walk**2 * t * np.eye(3)
        quiet[9:, 9:] = (1 - np.exp(-2 * t / noise.gps_time_constant_s)) * np.eye(3)
        means.append(f @ means[-1] + np.concatenate([push * t**2 / 2, push * t, np.zeros(6)]))
        cross = joint[:, -n:] @ f.T
        joint = np.block([[joint, cross], [cross.T, f @ joint[-n:, -n:] @ f.T + quiet]])
    prior, rows, values, variance = np.concatenate(means), [], [], []
    for k, i in enumerate((0, 4)):
        std = accuracies[k, [0, 0, 1]] / [*[np.sqrt(-2 * np.log(0.32))] * 2, 1.0]
        row = np.zeros((3, 9 * n))
        row[:, n * i : n * i + 3], row[:, n * i + 9 : n * i + 12] = np.eye(3), np.diag(std * np.sqrt(0.8))
        rows.append(row)
        values.append(fixes[k])
        variance.append(std**2 * 0.2)
    row = np.zeros((3, 9 * n))
    row[:, n * 6 + 3 : n * 6 + 6] = np.eye(3)
    h = np.concatenate([*rows, row])
    innovation = h @ joint @ h.T + np.diag(np.concatenate([*variance, np.full(3, noise.still_std**2)]))
    gain = np.linalg.solve(innovation, h @ joint).T
    expected = (prior + gain @ (np.concatenate([*values, np.zeros(3)]) - h @ prior)).reshape(9, n)
    covariance = joint - gain @ h @ joint
    # Variances reach 1e6 m²: rounding of the textbook formula above is 1e6 · 1e-16 times a condition of up to 1e4.
    np.testing.assert_allclose(got.states, expected, rtol=0, atol=1e-5)
    for i in range(9):
        np.testing.assert_allclose(
            got.covariances[i], covariance[n * i : n * i + n, n * i : n * i + n], rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("smooth", [False, True])
def test_errors_are_as_large_as_the_covariance_says(smooth):
    runs, total = 12, 0.0
    for seed in range(runs):
        made, _ = walk(seed)
        got = tracked(seed, smooth)
        truth = np.concatenate([made.positions, made.imu.velocities, made.imu.acc_bias], axis=1)
        middle = len(made.times) // 2
        error = got.states[middle, :9] - truth[middle]
        total += error @ np.linalg.solve(got.covariances[middle][:9, :9], error)
    low, high = chi2.ppf([0.0005, 0.9995], 9 * runs)
    assert low < total < high


def test_surprises_have_three_dimensions():
    nis = np.concatenate([tracked(seed).nis[1:] for seed in range(6)])
    # Innovations of a filter that believes what is true are independent.
    low, high = chi2.ppf([0.0005, 0.9995], 3 * len(nis)) / len(nis)
    assert low < nis.mean() < high


def test_the_track_is_better_than_the_fixes_and_smoothing_better_still():
    raw, filtered, smoothed = [], [], []
    for seed in range(6):
        made, fixes = walk(seed)
        late = made.times > 5
        raw.append(rms(raw_errors(made, fixes)))
        filtered.append(rms((tracked(seed).positions - made.positions)[late]))
        smoothed.append(rms((tracked(seed, True).positions - made.positions)[late]))
    assert np.mean(filtered) < 0.8 * np.mean(raw)
    assert np.mean(smoothed) < 0.8 * np.mean(filtered)


def test_a_filter_that_believes_fixes_to_be_independent_is_too_sure():
    naive = position.PositionNoise(**{**TRUE_NOISE.__dict__, "gps_slow_share": 0.0})
    honest_total = naive_total = 0.0
    for seed in range(6):
        made, fixes = walk(seed)
        for noise in (TRUE_NOISE, naive):
            got = track(made, fixes, noise=noise)
            error = (got.positions - made.positions)[-1]
            surprise = error @ np.linalg.solve(got.covariances[-1][:3, :3], error)
            if noise is naive:
                naive_total += surprise
            else:
                honest_total += surprise
    assert honest_total < chi2.ppf(0.9995, 18) < naive_total


def test_a_tunnel_is_bridged_and_the_doubt_grows_inside():
    made, fixes = walk(2, tunnel=(70, 95))
    inside = (made.times > 71) & (made.times < 95)
    filtered, smoothed = (track(made, fixes, smooth=smooth) for smooth in (False, True))
    doubt = filtered.covariances[inside][:, 0, 0]
    assert doubt[-1] > doubt[0]
    error = {
        name: np.linalg.norm((got.positions - made.positions)[inside], axis=1)
        for name, got in (("filtered", filtered), ("smoothed", smoothed))
    }
    # The person goes 35 m in there; the accelerometer, its bias known by then, carries the position.
    assert error["filtered"].max() < 15
    assert error["smoothed"].max() < error["filtered"].max()


def test_reflections_are_refused():
    made, fixes = walk(4, outlier_share=0.1)
    got = track(made, fixes)
    far = made.gps.outliers & (np.linalg.norm(raw_errors(made, fixes), axis=1) > 25)
    assert far.sum() >= 5
    assert not got.accepted[far].any()
    assert got.accepted[~made.gps.outliers].mean() > 0.95
    everything = track(made, fixes, noise=position.PositionNoise(**{**TRUE_NOISE.__dict__, "gate": 1.0}))
    late = made.times > 5
    assert rms((got.positions - made.positions)[late]) < 0.7 * rms((everything.positions - made.positions)[late])


def test_a_lost_filter_finds_back():
    made, fixes = walk(1)
    moved = fixes + np.where(made.gps.times > 60, 300.0, 0.0)[:, np.newaxis]
    got = track(made, moved)
    refused = np.flatnonzero(~got.accepted & (made.gps.times > 60))
    assert len(refused) == position.PATIENCE
    late = made.times > 80
    assert rms((got.positions - made.positions - 300)[late]) < 10
    smoothed = track(made, moved, smooth=True)
    early = (made.times > 5) & (made.times < 58)  # what was good before the jump stays so when smoothed across it
    assert rms((smoothed.positions - made.positions)[early]) < 10


def test_standing_still_is_used():
    made, fixes = walk(0)
    still = find_still(made.imu.gyr, made.imu.acc, sample_rate_hz=RATE)
    assert (still == made.still).mean() > 0.97
    assert not (still & (np.linalg.norm(made.imu.velocities, axis=1) > 0.3)).any()
    got, without = track(made, fixes, still=still), track(made, fixes, still=None)
    standing = made.still & (made.times > 5)
    assert rms(got.velocities[standing]) < 0.5 * rms(without.velocities[standing])


def test_the_defaults_bear_orientations_that_are_a_degree_off():
    made, fixes = walk(3)
    wander = np.radians(1.0) * np.stack(
        [np.sin(made.times / 7), np.cos(made.times / 11), np.sin(made.times / 5)], axis=-1
    )
    tilted = multiply(from_rotation_vector(wander), made.orientations)
    got = position.track_position(
        made.times, made.imu.acc, tilted, made.gps.times, fixes, made.gps.accuracies, still=made.still, smooth=True
    )
    late = made.times > 5
    assert rms((got.positions - made.positions)[late]) < rms(raw_errors(made, fixes))


@pytest.mark.parametrize("accuracy", [0.0, -1.0, np.nan, np.inf])
def test_fixes_without_an_accuracy_are_not_used(accuracy):
    made, fixes = walk(0)
    accuracies, wrong = made.gps.accuracies.copy(), fixes.copy()
    accuracies[40:50, 0] = accuracy
    wrong[40:50] += 1e4
    got = track(made, wrong, accuracies=accuracies)
    assert not got.accepted[40:50].any()
    assert np.isnan(got.nis[40:50]).all()
    assert np.isfinite(got.states).all()


def test_a_fix_that_is_nan_is_not_used():
    made, fixes = walk(0)
    fixes = fixes.copy()
    fixes[0], fixes[30] = np.nan, [np.nan, 0, 0]
    got = track(made, fixes)
    assert not got.accepted[[0, 30]].any()
    assert np.isfinite(got.states).all()


def test_missing_acceleration_is_coasted_through():
    made, fixes = walk(0)
    acc = made.imu.acc.copy()
    acc[1200:1240, 1] = np.nan
    got, whole = track(made, fixes, acc=acc), track(made, fixes)
    assert np.isfinite(got.states).all()
    np.testing.assert_array_equal(got.states[:1200], whole.states[:1200])
    assert got.covariances[1239, 3, 3] > 4 * whole.covariances[1239, 3, 3]
    error = (got.positions - made.positions)[1239]
    assert error @ np.linalg.solve(got.covariances[1239][:3, :3], error) < chi2.ppf(0.9995, 3)


def test_a_gap_between_samples_is_coasted_through_too():
    made, fixes = walk(0)
    kept = (made.times < 60) | (made.times > 70)
    got = position.track_position(
        made.times[kept], made.imu.acc[kept], made.orientations[kept], made.gps.times, fixes, made.gps.accuracies,
        still=made.still[kept], noise=TRUE_NOISE, smooth=True,
    )  # fmt: skip
    used = made.gps.times[got.accepted]
    assert not ((used > 60.2) & (used < 69.8)).any()
    assert rms((got.positions - made.positions[kept])[made.times[kept] > 75]) < 6


def test_bad_input_is_refused():
    made, fixes = walk(0)
    args = [made.times, made.imu.acc, made.orientations, made.gps.times, fixes, made.gps.accuracies]

    def changed(index, value):
        return [value if i == index else arg for i, arg in enumerate(args)]

    back = made.times.copy()
    back[100:] -= 1
    cases = [
        (changed(0, back), "clock jumped back"),
        (changed(3, made.gps.times[::-1]), "clock jumped back"),
        (changed(1, made.imu.acc[:-1]), r"acc must have shape \(\d+, 3\)"),
        (changed(2, made.orientations[:, :3]), "orientations must have shape"),
        (changed(2, made.orientations * 2), "length 1"),
        (changed(4, fixes[:5]), "fixes must have shape"),
        (changed(5, made.gps.accuracies[:, 0]), "accuracies must have shape"),
        (changed(5, made.gps.accuracies * 0), "No fix of GPS is usable"),
        (changed(3, made.gps.times + 1e6), "No fix of GPS is usable"),
        ([made.times[:0], made.imu.acc[:0], made.orientations[:0], *args[3:]], "no samples"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            position.track_position(*arguments)
    with pytest.raises(ValueError, match="one flag of stillness"):
        position.track_position(*args, still=made.still[:-1])


def test_one_sample_is_enough():
    made, fixes = walk(0)
    got = position.track_position(
        np.array([1.0]), made.imu.acc[:1], made.orientations[:1], np.array([1.0]), fixes[:1], made.gps.accuracies[:1]
    )
    np.testing.assert_allclose(got.positions[0], fixes[0], rtol=0, atol=1e-9)


def test_the_defaults_suit_an_orientation_that_a_filter_estimated():
    """Tilted by a filter's errors of half a degree, the accelerometer says more than its data sheet's noise allows for."""
    surprises = []
    for seed in (31, 32, 33):
        made = simulate_walk(tunnel=(60, 80), seed=seed, sample_rate_hz=50.0)
        estimated = estimate_orientation(made.imu.gyr, made.imu.acc, sample_rate_hz=50.0)
        estimated = multiply(multiply(made.orientations[0], conjugate(estimated[0])), estimated)  # the heading is given
        fixes = to_local(made.gps.geodetic, made.origin)
        arguments = made.times, made.imu.acc, estimated, made.gps.times, fixes, made.gps.accuracies
        path = position.track_position(*arguments, still=made.still)
        assert path.accepted.mean() > 0.98
        outside = (made.times < 60) | (made.times > 85)
        assert rms((path.positions - made.positions)[outside, :2]) < rms(raw_errors(made, fixes)[:, :2])
        surprises.append(np.nanmean(path.nis))
    assert np.mean(surprises) == pytest.approx(3.0, abs=0.6)  # three dimensions; consecutive fixes err alike, so means vary
