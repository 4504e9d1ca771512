from __future__ import annotations

import functools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from pocketlab.data.inertial import PHONE
from pocketlab.data.quaternions import from_rotation_vector, rotate, to_matrix
from pocketlab.data.scene import REAR_CAMERA, Frame, simulate_scene
from pocketlab.signals import visual, visual_state

NOISE = visual_state.VisualNoise(
    gyr_density=PHONE.gyr_density,
    acc_density=PHONE.acc_density,
    gyr_walk=PHONE.gyr_walk,
    acc_walk=PHONE.acc_walk,
    gyr_bias=PHONE.gyr_bias,
    acc_bias=PHONE.acc_bias,
)
NOTHING = Frame(np.empty(0, np.int64), np.empty((0, 2)))


@functools.cache
def scene(seed: int = 0, duration_s: float = 12.0, **options):
    return simulate_scene(duration_s, seed=seed, **options)


def follow(made, frames=None, **options):
    return visual.track_camera(
        made.times,
        made.imu.gyr,
        made.imu.acc,
        made.frame_times,
        made.frames if frames is None else frames,
        made.camera,
        **{"orientation": made.orientations[0], "noise": NOISE, **options},
    )


@functools.cache
def followed(seed: int = 0):
    return follow(scene(seed))


def truth(made):
    rows = np.searchsorted(made.times, made.frame_times)
    return rows, made.positions[rows] - made.positions[0], to_matrix(made.orientations[rows])


def errors(made, path):
    """Distance from the truth at each frame, in m, and the length of the way, in m."""
    _, positions, _ = truth(made)
    return np.linalg.norm(path.positions - positions, axis=1), np.linalg.norm(np.diff(positions, axis=0), axis=1).sum()


def vector(rotation) -> np.ndarray:
    return Rotation.from_matrix(rotation).as_rotvec()


def difference(state, other) -> np.ndarray:
    """The error that takes `state` to `other`: what `corrected` takes out."""
    turn = other.rotation @ state.rotation.T
    rows = [
        vector(turn),
        other.velocity - turn @ state.velocity,
        other.position - turn @ state.position,
        other.gyr_bias - state.gyr_bias,
        other.acc_bias - state.acc_bias,
    ]
    for k in range(len(state.positions)):
        turn = other.rotations[k] @ state.rotations[k].T
        rows += [vector(turn), other.positions[k] - turn @ state.positions[k]]
    return np.concatenate(rows)


def some_state(poses: int = 0, seed: int = 0):
    rng = np.random.default_rng(seed)
    return visual_state.State(
        to_matrix(from_rotation_vector(rng.normal(0, 1, 3))),
        rng.normal(0, 1, 3),
        rng.normal(0, 5, 3),
        rng.normal(0, 0.01, 3),
        rng.normal(0, 0.1, 3),
        np.eye(15 + 6 * poses) * 1e-4,
        to_matrix(from_rotation_vector(rng.normal(0, 0.1, (poses, 3)))),
        rng.normal(0, 0.5, (poses, 3)),
    )


def test_an_error_taken_out_is_the_error_between():
    state = some_state(3)
    error = np.random.default_rng(1).normal(0, 0.1, 33)
    np.testing.assert_allclose(difference(state, state.corrected(error)), error, rtol=0, atol=1e-9)


def imu_samples(seed: int = 2, count: int = 21):
    rng = np.random.default_rng(seed)
    return np.arange(count) / 200, rng.normal(0, 1, (count, 3)), rng.normal([0, 0, 9.8], 3, (count, 3))


def carry(state, times, gyr, acc):
    return visual_state._carry(
        state.rotation, state.velocity, state.position, times, gyr - state.gyr_bias, acc - state.acc_bias, np.ones(12)
    )  # fmt: skip


def test_the_transition_is_the_derivative_of_the_motion():
    state, samples, step = some_state(), imu_samples(), 1e-5
    after, transition = visual_state.propagate(state, *samples), carry(state, *samples)[3]
    for k in range(15):
        moved = [visual_state.propagate(state.corrected(sign * step * np.eye(15)[k]), *samples) for sign in (1, -1)]
        numeric = (difference(after, moved[0]) - difference(after, moved[1])) / (2 * step)
        # The central difference is good to 1e-10; the formulas take the turn within one interval of 5 ms to second order,
        # (ωT)²/24 with ω of 2 rad/s: 4e-6 of numbers of up to 10 m over 0.1 s, added up.
        np.testing.assert_allclose(transition[:, k], numeric, rtol=0, atol=2e-5)


def test_the_covariance_moves_with_the_transition_and_keeps_the_poses():
    state, samples = some_state(2), imu_samples()
    rng = np.random.default_rng(0)
    root = rng.normal(0, 0.1, (27, 27))
    state = replace(state, covariance=root @ root.T)
    *_, transition, added = carry(state, *samples)
    whole = np.eye(27)
    whole[:15, :15] = transition
    expected = whole @ state.covariance @ whole.T
    got = visual_state.propagate(state, *samples).covariance
    np.testing.assert_allclose(got[15:], expected[15:], rtol=0, atol=1e-12)
    np.testing.assert_allclose(got[:15, :15] - expected[:15, :15], got[:15, :15].T - expected[:15, :15].T, atol=1e-12)
    assert np.linalg.eigvalsh(added).min() > -1e-12


def test_noise_of_the_samples_spreads_the_state_as_the_covariance_says():
    state, (times, gyr, acc) = some_state(), imu_samples()
    noise = visual_state.VisualNoise(gyr_density=1e-3, acc_density=1e-2, gyr_walk=0.0, acc_walk=0.0)
    start = replace(state, covariance=np.zeros((15, 15)))
    expected = visual_state.propagate(start, times, gyr, acc, noise)
    rng, draws = np.random.default_rng(3), 600
    noisy = [
        visual_state.propagate(
            start,
            times,
            gyr + rng.normal(0, 1e-3 * np.sqrt(200), gyr.shape),
            acc + rng.normal(0, 1e-2 * np.sqrt(200), acc.shape),
        )
        for _ in range(draws)
    ]
    spread = np.array([difference(expected, each)[:9] for each in noisy]).std(axis=0)
    # 600 draws: 3 % for one standard deviation, and 5 % as the samples at both ends count half.
    np.testing.assert_allclose(spread, np.sqrt(np.diag(expected.covariance)[:9]), rtol=0.15)


def test_a_remembered_pose_has_the_errors_of_the_imu():
    state = visual_state.remember_pose(some_state(1), REAR_CAMERA)
    error = np.zeros(27)
    error[:15] = np.random.default_rng(0).normal(0, 0.05, 15)
    moved = some_state(1).corrected(error[:21])
    again = visual_state.remember_pose(replace(moved, covariance=some_state(1).covariance), REAR_CAMERA)
    got = difference(state, again)
    np.testing.assert_allclose(got[21:24], error[visual_state.THETA], rtol=0, atol=1e-9)
    np.testing.assert_allclose(got[24:27], error[visual_state.RHO], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(state.covariance[21:24], state.covariance[visual_state.THETA])
    assert visual_state.forget_oldest_pose(state).covariance.shape == (21, 21)
    np.testing.assert_array_equal(visual_state.forget_oldest_pose(state).positions, state.positions[1:])


def looking_poses(seed: int = 0, count: int = 6):
    """Cameras spread over a meter that look along z, a landmark 4 m ahead, and its exact pixels."""
    rng = np.random.default_rng(seed)
    rotations = to_matrix(from_rotation_vector(rng.normal(0, 0.1, (count, 3))))
    positions = rng.uniform(-0.5, 0.5, (count, 3))
    point = np.array([0.3, -0.2, 4.0])
    return rotations, positions, point, REAR_CAMERA.project(np.einsum("mji,mj->mi", rotations, point - positions))


def test_triangulation_is_exact_and_as_good_as_opencv_with_noise():
    rotations, positions, point, pixels = looking_poses()
    np.testing.assert_allclose(visual.triangulate(rotations, positions, pixels, REAR_CAMERA), point, rtol=0, atol=1e-6)
    rng = np.random.default_rng(1)
    (fx, fy), (cx, cy) = REAR_CAMERA.focal, REAR_CAMERA.center
    intrinsic = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    matrices = [intrinsic @ np.column_stack([r.T, -r.T @ p]) for r, p in zip(rotations, positions, strict=True)]
    ours, theirs = [], []
    for _ in range(50):
        noisy = pixels + rng.normal(0, 1, pixels.shape)
        ours.append(visual.triangulate(rotations[:2], positions[:2], noisy[:2], REAR_CAMERA) - point)
        four = cv2.triangulatePoints(matrices[0], matrices[1], noisy[0], noisy[1])[:, 0]
        theirs.append(four[:3] / four[3] - point)
    assert np.linalg.norm(ours, axis=1).mean() < 1.05 * np.linalg.norm(theirs, axis=1).mean()


def test_a_landmark_without_parallax_or_behind_is_not_located():
    rotations, positions, _, pixels = looking_poses()
    same = np.repeat(positions[:1], 6, axis=0)
    still = np.repeat(pixels[:1], 6, axis=0)
    turned = np.repeat(rotations[:1], 6, axis=0)
    assert visual.triangulate(turned, same, still, REAR_CAMERA) is None
    rng = np.random.default_rng(0)
    assert visual.triangulate(turned, same, still + rng.normal(0, 1, still.shape), REAR_CAMERA) is None
    crossed = np.array([[-0.5, 0, 0], [0.5, 0, 0.0]])
    outward = np.array([[100.0, 239.5], [540.0, 239.5]])  # rays that only meet behind the cameras
    assert visual.triangulate(np.stack([np.eye(3)] * 2), crossed, outward, REAR_CAMERA) is None


def test_what_a_landmark_says_is_linear_in_the_error():
    rotations, positions, _, pixels = looking_poses()
    exact = replace(some_state(6), rotations=rotations, positions=positions)
    wide = visual_state.VisualNoise(gate=1.0)
    error = np.concatenate([np.zeros(15), np.random.default_rng(5).normal(0, 1, 36)])
    left_over = []
    for size in (1e-3, 5e-4):
        state = exact.corrected(size * error)
        residual, by_state = visual.constraint(state, np.arange(6), pixels, REAR_CAMERA, wide)
        assert by_state.shape == (9, 51)
        predicted = by_state @ difference(state, exact)
        left_over.append(np.linalg.norm(residual - predicted))
        assert left_over[-1] < 0.02 * np.linalg.norm(residual)
    assert left_over[1] < 0.3 * left_over[0]  # what is left is of second order: a quarter


def test_heading_and_place_are_never_seen():
    rotations, positions, _, pixels = looking_poses()
    state = replace(some_state(6), rotations=rotations, positions=positions)
    _, by_state = visual.constraint(state, np.arange(6), pixels, REAR_CAMERA)
    unseen = np.zeros((51, 4))
    unseen[visual_state.THETA, 0] = [0, 0, 1]
    unseen[visual_state.RHO, 1:] = np.eye(3)
    for k in range(6):
        unseen[15 + 6 * k + 2, 0] = 1
        unseen[18 + 6 * k : 21 + 6 * k, 1:] = np.eye(3)
    np.testing.assert_allclose(by_state @ unseen, 0, atol=1e-9 * np.abs(by_state).max())
    # Nor do they change with time, whatever the state was.
    transition = carry(some_state(), *imu_samples())[3]
    np.testing.assert_allclose(transition @ unseen[:15], unseen[:15], rtol=0, atol=1e-12)


def test_a_mismatch_is_refused():
    rotations, positions, _, pixels = looking_poses()
    state = replace(some_state(6), rotations=rotations, positions=positions, covariance=np.eye(51) * 1e-8)
    assert visual.constraint(state, np.arange(6), pixels, REAR_CAMERA) is not None
    pixels[3] += [25, -10]
    assert visual.constraint(state, np.arange(6), pixels, REAR_CAMERA) is None


def test_an_update_shrinks_the_covariance_and_many_rows_say_the_same_as_few():
    state = some_state(2)
    rng = np.random.default_rng(0)
    rows = [(rng.normal(0, 0.01, 10), rng.normal(0, 1, (10, 27))) for _ in range(6)]
    got = visual.update(state, rows, 1.0)
    residual, by_state = np.concatenate([r for r, _ in rows]), np.concatenate([h for _, h in rows])
    information = np.linalg.inv(state.covariance) + by_state.T @ by_state
    np.testing.assert_allclose(got.covariance, np.linalg.inv(information), rtol=1e-6, atol=1e-12)
    error = np.linalg.solve(information, by_state.T @ residual)
    np.testing.assert_allclose(difference(state, got), error, rtol=0, atol=1e-9)
    assert visual.update(state, [], 1.0) is state


def test_the_path_drifts_by_less_than_one_percent_and_without_camera_by_far_more():
    with_camera, alone = [], []
    for seed in range(5):
        made = scene(seed)
        distance, way = errors(made, followed(seed))
        assert way > 10
        with_camera.append(distance[-1] / way)
        if seed < 2:
            alone.append(errors(made, follow(made, [NOTHING] * len(made.frames)))[0][-1] / way)
    # The covariance says 0.57 % after 11 m, and five ends can be 1.6 times that by chance (15 degrees, 99.95 %): 0.9 %.
    assert np.sqrt(np.mean(np.square(with_camera))) < 0.01
    assert np.sqrt(np.mean(np.square(alone))) > 20 * np.sqrt(np.mean(np.square(with_camera)))


def test_errors_are_as_large_as_the_covariance_says():
    total, seeds = 0.0, 5
    for seed in range(seeds):
        made = scene(seed, outlier_share=0.0)  # a mismatch that passes the gate, as one in twenty may, is in no covariance
        path = follow(made)
        rows, positions, rotations = truth(made)
        turn = rotations[-1] @ path.rotations[-1].T
        error = np.concatenate(
            [
                vector(turn),
                made.imu.velocities[rows[-1]] - turn @ path.velocities[-1],
                positions[-1] - turn @ path.positions[-1],
            ]
        )
        total += error @ np.linalg.solve(path.covariances[-1][:9, :9], error)
    low, high = chi2.ppf([0.0005, 0.9995], 9 * seeds)
    assert low < total < high


def test_perfect_sensors_give_the_path_and_its_scale():
    made = scene(0, 8.0, noise=None, pixel_std=0.01, miss_share=0.0, outlier_share=0.0)
    path = follow(made)
    distance, _ = errors(made, path)
    assert distance.max() < 0.01
    rows, _, rotations = truth(made)
    assert np.abs(path.rotations - rotations).max() < 2e-3
    assert np.abs(path.velocities - made.imu.velocities[rows]).max() < 0.02


def test_many_mismatches_are_survived():
    made = scene(1, 12.0, outlier_share=0.1)
    path = follow(made)
    distance, way = errors(made, path)
    assert path.refused.sum() > path.used.sum() / 2
    assert distance[-1] < 0.02 * way


def test_a_while_without_features_is_bridged_by_the_imu():
    made = scene(2)
    frames = [NOTHING if 60 <= k < 80 else frame for k, frame in enumerate(made.frames)]
    path = follow(made, frames)
    doubt = np.sqrt(np.trace(path.covariances[:, 6:9, 6:9], axis1=1, axis2=2))
    assert (np.diff(doubt[60:80]) > 0).all()
    with_camera = followed(2).covariances[79, 6:9, 6:9]
    assert doubt[79] > 1.5 * np.sqrt(np.trace(with_camera))
    distance, _ = errors(made, path)
    assert distance[79] < 0.5  # two seconds
    rows, _, _ = truth(made)
    speed_error = np.linalg.norm(path.velocities - made.imu.velocities[rows], axis=1)
    assert speed_error[-1] < 0.1


def test_a_pixel_that_is_nan_was_not_seen():
    made = scene(0, 5.0)
    frames, without = list(made.frames), list(made.frames)
    pixels = frames[20].pixels.copy()
    pixels[3:9, 1] = np.nan
    frames[20] = Frame(frames[20].ids, pixels)
    kept = np.isfinite(pixels).all(axis=1)
    without[20] = Frame(frames[20].ids[kept], pixels[kept])
    np.testing.assert_array_equal(follow(made, frames).positions, follow(made, without).positions)


def test_frames_between_samples_are_interpolated():
    made = scene(0, 5.0)
    every = slice(1, None, 3)  # of the 200 samples a second 67 are left; most frames lie between two of them
    path = visual.track_camera(
        made.times[every], made.imu.gyr[every], made.imu.acc[every], made.frame_times[1:-1], made.frames[1:-1], made.camera,
        orientation=made.orientations[20], noise=NOISE,
    )  # fmt: skip
    distance = np.linalg.norm(path.positions - truth(made)[1][1:-1], axis=1)
    assert distance[-1] < 0.1


def test_bad_input_is_refused():
    made = scene(0, 5.0)
    args = [made.times, made.imu.gyr, made.imu.acc, made.frame_times, made.frames]

    def changed(index, value):
        return [value if i == index else arg for i, arg in enumerate(args)]

    back, hole = made.times.copy(), made.imu.acc.copy()
    back[500:] -= 0.5
    hole[7, 1] = np.nan
    kept = (made.times < 2) | (made.times > 2.3)
    cases = [
        (changed(0, back), "clock jumped back"),
        (changed(3, made.frame_times[::-1]), "clock jumped back"),
        (changed(1, made.imu.gyr[:-1]), "gyr must have shape"),
        (changed(2, hole), "hold NaN"),
        (changed(4, made.frames[:-1]), "one time for each frame"),
        (changed(3, made.frame_times + 1), "within the times of the IMU"),
        ([made.times[kept], made.imu.gyr[kept], made.imu.acc[kept], *args[3:]], "no sample for 0.3"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            visual.track_camera(*arguments, made.camera, orientation=made.orientations[0])
    with pytest.raises(ValueError, match="length 1"):
        visual.track_camera(*args, made.camera, orientation=2 * made.orientations[0])


def test_the_turn_is_that_of_the_quaternion():
    for turn in (np.array([0.3, -1.2, 0.8]), np.array([1e-9, 0, 0]), np.zeros(3)):
        x = np.array([1.0, 2.0, 3.0])
        np.testing.assert_allclose(
            visual_state.turn(turn) @ x, rotate(from_rotation_vector(turn), x), rtol=0, atol=1e-12
        )
