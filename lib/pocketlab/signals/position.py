"""Where a phone is: GPS and IMU together in a Kalman filter that bridges outages, and smoothing back in time.

In one dimension the same is in `kalman`, to be read first. Source: Bar-Shalom, Li, Kirubarajan 2001 (Estimation with Applications
to Tracking and Navigation), for the filter, for errors that are correlated in time, and for navigation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.inertial import GRAVITY
from pocketlab.data.quaternions import to_matrix
from pocketlab.data.walking import RADIUS_68
from pocketlab.signals.kalman import checked_orientations, checked_rows, checked_times, gate, innovation_squared

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class PositionNoise:
    """What the filter believes about its sensors.

    acc_density: white noise of acceleration, in m/s²/√Hz; acc_bias and acc_walk: of the accelerometer's bias, at the start in
    m/s² and as a random walk in m/s²/√s. The defaults are for orientations that a filter estimates without a compass, up to a
    degree off, which tilts gravity by 0.17 m/s²: on simulated walks with those the squared innovations come out as large as
    expected (with 0.02 and 0.01 they are a third larger, and the error is 1.7 times as large).
    coasting_density: of acceleration where no sample says what it was, in m/s²/√Hz: a person who may start or stop.
    gps_time_constant_s, gps_slow_share: the part of the variance of GPS that wanders slowly, and how slowly. Fixes that err
    alike say less than independent ones; a filter that does not know it is too sure of itself. The defaults are those of
    `data.walking`, chosen for this course.
    gate: the probability with which a good fix passes. still_std: of the speed of a phone that is held still, in m/s.
    """

    acc_density: float = 0.1
    acc_bias: float = 0.2
    acc_walk: float = 0.02
    coasting_density: float = 1.0
    gps_time_constant_s: float = 60.0
    gps_slow_share: float = 0.8
    gate: float = 0.999
    still_std: float = 0.05


DEFAULT_NOISE = PositionNoise()


@dataclass(frozen=True)
class Track:
    """A track in east, north, up.

    states: (N, 12) position in m, velocity in m/s, the accelerometer's bias in m/s² in the sensor's frame, and the slow error
    of GPS in units of its reported accuracy. covariances: (N, 12, 12) of them. accepted: (G,) bool, the fixes that were used.
    nis: (G,) their squared surprise in standard deviations, of three dimensions (so 3 on average); NaN where a fix was not
    usable at all.
    """

    states: Array
    covariances: Array
    accepted: Flags
    nis: Array

    @property
    def positions(self) -> Array:
        """Positions (N, 3) in m."""
        return self.states[:, :3]

    @property
    def velocities(self) -> Array:
        """Velocities (N, 3) in m/s."""
        return self.states[:, 3:6]


# Where in the state: position, velocity, the accelerometer's bias, the slow error of GPS.
P, V, B, E = (slice(start, start + 3) for start in range(0, 12, 3))
GAP_S = 0.1  # an interval without samples longer than this is coasted through; so far from a sample a fix is of no use
RUNNER = 3.0  # m/s
PATIENCE = 5  # so many surprising fixes in a row are believed: then it is the filter that is lost


def track_position(
    times: Array,
    acc: Array,
    orientations: Array,
    fix_times: Array,
    fixes: Array,
    accuracies: Array,
    *,
    still: Flags | None = None,
    noise: PositionNoise = DEFAULT_NOISE,
    smooth: bool = False,
) -> Track:
    """Track a phone by accelerations (N, 3) in m/s², orientations (N, 4) sensor to east-north-up, and fixes (G, 3) of GPS in m.

    times, fix_times: (N,) and (G,) s, of one clock. accuracies: (G, 2) m, horizontal and vertical, 68 % of errors within, as
    Android documents them (iOS: about the same); a fix with accuracy 0 or below (Android: unknown, iOS: invalid) or with NaN is
    not used, nor one with no sample within 0.1 s.
    still: (N,) bool, where the phone rests; the velocity there is 0. smooth: let every state know the fixes after it too.
    Acceleration that is NaN, or missing for over 0.1 s, is taken as unknown: the track coasts with growing covariance.

    As the orientation is given, the filter is linear: an exact Kalman filter, if the noise is as it believes.
    Raises ValueError for lengths that differ, times that do not grow, or no usable fix (then the place is unknown).
    """
    times, fix_times = checked_times(times), checked_times(fix_times)
    acc = checked_rows(acc, (len(times), 3), "acc")
    orientations = checked_orientations(checked_rows(orientations, (len(times), 4), "orientations"))
    fixes = checked_rows(fixes, (len(fix_times), 3), "fixes")
    accuracies = checked_rows(accuracies, (len(fix_times), 2), "accuracies")
    still = np.zeros(len(times), np.bool_) if still is None else np.asarray(still, np.bool_)
    if still.shape != times.shape:
        raise ValueError(f"Give one flag of stillness for each of the {len(times)} samples; there are {still.shape}.")
    fix_of_sample = _fix_of_sample(times, fix_times, fixes, accuracies)
    stds = accuracies[:, [0, 0, 1]] / np.array([RADIUS_68, RADIUS_68, 1.0])
    rotations = to_matrix(orientations)
    force = np.einsum("nij,nj->ni", rotations, acc) - np.array([0.0, 0.0, GRAVITY])
    # Row i is about the interval from sample i − 1 to sample i: both count, half each.
    force = (np.concatenate([force[:1], force[:-1]]) + force) / 2
    intervals = np.diff(times, prepend=times[:1])
    known = np.isfinite(force).all(axis=1) & (intervals <= GAP_S)
    force = np.where(known[:, np.newaxis], force, 0.0)
    rotations = np.where(known[:, np.newaxis, np.newaxis], rotations, 0.0)  # unknown: no bias to turn either
    motion = _Motion(intervals, force, rotations, known)
    start = np.zeros(12)
    start[:3] = fixes[fix_of_sample[fix_of_sample >= 0][0]]
    # Anywhere within a kilometer of the first fix, at the speed of a runner.
    spread = np.repeat([1e3, RUNNER, noise.acc_bias, 1.0], 3)
    track, jumps = _filter(motion, start, np.diag(spread**2), still, fix_of_sample, fixes, stds, noise)
    if smooth:
        _smooth(track, motion, jumps, noise)
    return track


@dataclass(frozen=True)
class _Motion:
    """What is known about the interval before each sample: its length, the acceleration in east-north-up, the orientation."""

    intervals: Array
    force: Array
    rotations: Array
    known: Flags


def _step(motion: _Motion, i: int, noise: PositionNoise) -> tuple[Array, Array, Array]:
    """Transition (12, 12), input (12,) and noise (12, 12) from sample i − 1 to sample i."""
    interval, force, rotation = motion.intervals[i], motion.force[i], motion.rotations[i]
    decay = np.exp(-interval / noise.gps_time_constant_s)
    density = noise.acc_density if motion.known[i] else noise.coasting_density
    transition, quiet, eye = np.eye(12), np.zeros((12, 12)), np.eye(3)
    transition[P, V] = interval * eye
    transition[P, B] = -(interval**2) / 2 * rotation
    transition[V, B] = -interval * rotation
    transition[E, E] = decay * eye
    quiet[P, P] = density**2 * interval**3 / 3 * eye
    quiet[P, V] = quiet[V, P] = density**2 * interval**2 / 2 * eye
    quiet[V, V] = density**2 * interval * eye
    quiet[B, B] = noise.acc_walk**2 * interval * eye
    quiet[E, E] = (1 - decay**2) * eye
    push = np.concatenate([force * interval**2 / 2, force * interval, np.zeros(6)])
    return transition, push, quiet


def _update(state: Array, covariance: Array, observed: Array, residual: Array, variance: Array) -> tuple[Array, Array]:
    """State and covariance after a measurement: observed (3, 12), residual (3,), variance (3, 3)."""
    innovation = observed @ covariance @ observed.T + variance
    gain = np.linalg.solve(innovation, observed @ covariance).T
    kept = np.eye(12) - gain @ observed
    joseph = kept @ covariance @ kept.T + gain @ variance @ gain.T
    return state + gain @ residual, (joseph + joseph.T) / 2


def _loosen(covariance: Array, jump: Array) -> None:
    """Admit that the filter is lost, in place: the position may be off by a jump (3,) in m, the velocity by a runner's."""
    if jump.any():
        covariance[P, P] += np.diag(jump**2)
        covariance[V, V] += np.eye(3) * RUNNER**2


def _filter(
    motion: _Motion,
    state: Array,
    covariance: Array,
    still: Flags,
    fix_of_sample: NDArray[np.int64],
    fixes: Array,
    stds: Array,
    noise: PositionNoise,
) -> tuple[Track, Array]:
    """The track, and how far the position jumped (N, 3) in m where a lost filter found back."""
    count, bound, refused_in_a_row = len(still), gate(noise.gate, 3), 0
    track = Track(
        np.empty((count, 12)), np.empty((count, 12, 12)), np.zeros(len(fixes), np.bool_), np.full(len(fixes), np.nan)
    )
    jumps = np.zeros((count, 3))
    speed, place = np.zeros((3, 12)), np.zeros((3, 12))
    speed[:, V] = place[:, P] = np.eye(3)
    for i in range(count):
        if i:
            transition, push, quiet = _step(motion, i, noise)
            state = transition @ state + push
            covariance = transition @ covariance @ transition.T + quiet
        fix = fix_of_sample[i]
        if fix >= 0:
            place[:, E] = np.diag(stds[fix] * np.sqrt(noise.gps_slow_share))
            variance = np.diag(stds[fix] ** 2 * (1 - noise.gps_slow_share))
            residual = fixes[fix] - place @ state
            nis = innovation_squared(residual, place @ covariance @ place.T + variance)
            if nis > bound and refused_in_a_row >= PATIENCE:
                jumps[i] = np.abs(residual)
                _loosen(covariance, jumps[i])
            accepted = nis <= bound or refused_in_a_row >= PATIENCE
            if accepted:
                state, covariance = _update(state, covariance, place, residual, variance)
            refused_in_a_row = 0 if accepted else refused_in_a_row + 1
            track.nis[fix], track.accepted[fix] = nis, accepted
        if still[i]:
            state, covariance = _update(state, covariance, speed, -state[V], np.eye(3) * noise.still_std**2)
        track.states[i], track.covariances[i] = state, covariance
    return track, jumps


def _smooth(track: Track, motion: _Motion, jumps: Array, noise: PositionNoise) -> None:
    """Let each state know what came after it, in place (Rauch, Tung, Striebel 1965)."""
    states, covariances = track.states, track.covariances
    for i in range(len(states) - 2, -1, -1):
        transition, push, quiet = _step(motion, i + 1, noise)
        predicted = transition @ covariances[i] @ transition.T + quiet
        _loosen(predicted, jumps[i + 1])
        gain = np.linalg.solve(predicted, transition @ covariances[i]).T
        states[i] += gain @ (states[i + 1] - transition @ states[i] - push)
        covariances[i] += gain @ (covariances[i + 1] - predicted) @ gain.T


def _fix_of_sample(times: Array, fix_times: Array, fixes: Array, accuracies: Array) -> NDArray[np.int64]:
    """The index of the usable fix at each sample, or −1."""
    usable = np.isfinite(fixes).all(axis=1) & (accuracies > 0).all(axis=1) & np.isfinite(accuracies).all(axis=1)
    if not len(times):
        raise ValueError("There are no samples to track.")
    after = np.clip(np.searchsorted(times, fix_times), 1, max(1, len(times) - 1))
    nearest = after - (fix_times - times[after - 1] < times[np.minimum(after, len(times) - 1)] - fix_times)
    nearest = np.clip(nearest, 0, len(times) - 1)
    usable &= np.abs(times[nearest] - fix_times) <= GAP_S
    if not usable.any():
        raise ValueError(
            "No fix of GPS is usable, so nothing says where the track begins: fixes need numbers, accuracies above 0, and times "
            "within those of the samples."
        )
    chosen = np.full(len(times), -1, np.int64)
    chosen[nearest[usable]] = np.flatnonzero(usable)
    return chosen
