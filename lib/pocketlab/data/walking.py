"""A simulated walk with a phone in the hand: what its IMU and its GPS say, and what is true. And other motions, for contrast.

The body goes along straight legs with rounded corners. On top comes the dance of every step, after published figures:
- step length is 0.0065 m times steps per minute, here at any speed. In fact this walk ratio is about constant above 1 m/s and
  grows below (Sekiya and Nagasaki 1998, Gait & Posture 7; Murakami and Otaka 2017, J. Physical Therapy Science 29);
- the center of mass rises and falls by 2.7 cm at 0.7 m/s and 4.8 cm at 1.6 m/s, once a step, and sways to the side by 7.0 and
  3.9 cm, once in two steps (Orendurff et al. 2004, J. Rehabilitation Research & Development 41);
- of the energy that is lost in height, speed wins 65 %; a choice made here, after the share of its mechanical energy that a walk
  recovers at best, as an inverted pendulum does (Cavagna, Thys and Zamboni 1976, J. Physiology 262);
- the pelvis turns by 4° and tilts by 5° to either side (Saunders, Inman and Eberhart 1953, J. Bone & Joint Surgery 35-A).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from pocketlab.data.geodesy import from_local
from pocketlab.data.inertial import GRAVITY, PHONE, ImuNoise, ImuRecord, measure_motion
from pocketlab.data.quaternions import from_rotation_vector, multiply

Array = NDArray[np.float64]

WALK_RATIO = 0.0065  # m for each step per minute
RECOVERY = 0.65
PAUSE_S = 5.0

# Legs of a walk: length in m, turn to the left at its end in degrees, pause after it in s.
AROUND_THE_BLOCK = ((80, 90, 0), (50, 90, 10), (40, -90, 0), (60, 120, 0), (70, 0, 10))


@dataclass(frozen=True)
class Gps:
    """Fixes of a phone's GPS, G of them.

    times: (G,) s. geodetic: (G, 3) latitude and longitude in degrees, height in m. accuracies: (G, 2) m, horizontal and
    vertical, each the radius within which 68 % of errors lie, as Android documents them (iOS: about the same, by Apple's
    developer forum). outliers: (G,) bool, the fixes that are reflections, which the phone does not know.
    """

    times: Array
    geodetic: Array
    accuracies: Array
    outliers: NDArray[np.bool_]


@dataclass(frozen=True)
class Walk:
    """A walk: the truth in a local frame (east, north, up, in m), and what the phone measured.

    times: (N,) s. positions: (N, 3) m, and orientations: (N, 4), phone to world; the phone's y points forward, its screen up.
    imu: gyr, acc, their biases and the velocities. still: (N,) bool, the person stands. step_times: (S,) s, when a foot lands;
    step_lengths: (S,) m. origin: (3,) latitude, longitude, height of the local frame's origin.
    """

    sample_rate_hz: float
    times: Array
    positions: Array
    orientations: Array
    imu: ImuRecord
    still: NDArray[np.bool_]
    step_times: Array
    step_lengths: Array
    origin: Array
    gps: Gps


def simulate_walk(
    legs: Sequence[tuple[float, float, float]] = AROUND_THE_BLOCK,
    *,
    speed: float = 1.4,
    sample_rate_hz: float = 100.0,
    tunnel: tuple[float, float] | None = None,
    outlier_share: float = 0.0,
    noise: ImuNoise | None = PHONE,
    origin: tuple[float, float, float] = (48.137, 11.575, 520.0),
    seed: int = 0,
) -> Walk:
    """Simulate a walk along `legs` at `speed` in m/s; it starts with 5 s of standing.

    tunnel: from when to when, in s, there is no GPS. outlier_share: of fixes that are reflections, 20 to 80 m off.
    noise: of the IMU; None for a perfect one. The same seed gives the same walk.

    Raises ValueError for a speed or a sample rate that is not positive, or for no legs.
    """
    if not (speed > 0 and sample_rate_hz > 0):
        raise ValueError(f"Speed and sample rate must be above 0; they are {speed} m/s and {sample_rate_hz} Hz.")
    if not legs:
        raise ValueError("A walk needs at least one leg: (length in m, turn in degrees, pause in s).")
    rng = np.random.default_rng(seed)
    speeds, headings = _course(legs, speed, sample_rate_hz)
    times = np.arange(len(speeds)) / sample_rate_hz
    phase, frequency = _gait_phase(speeds, sample_rate_hz, rng)
    positions, orientations = _body(speeds, headings, phase, frequency, speed, sample_rate_hz)
    imu = measure_motion(positions, orientations, sample_rate_hz=sample_rate_hz, noise=noise, rng=rng)
    step_times = np.interp(np.arange(1, int(phase[-1]) + 1), phase, times)
    step_lengths = np.interp(step_times, times, speeds / np.maximum(frequency, 1e-9))
    gps = _gps(times, positions, np.array(origin), tunnel, outlier_share, rng)
    still = speeds < 1e-3
    return Walk(
        sample_rate_hz, times, positions, orientations, imu, still, step_times, step_lengths, np.array(origin), gps
    )


def _course(legs: Sequence[tuple[float, float, float]], speed: float, sample_rate_hz: float) -> tuple[Array, Array]:
    """Speed in m/s and heading in rad from east, at each sample; corners and starts take about a second."""
    speeds, headings, heading = (
        [np.zeros(round(PAUSE_S * sample_rate_hz))],
        [np.zeros(round(PAUSE_S * sample_rate_hz))],
        0.0,
    )
    for length, turn, pause in legs:
        walking, standing = round(length / speed * sample_rate_hz), round(pause * sample_rate_hz)
        speeds += [np.full(walking, speed), np.zeros(standing)]
        headings += [np.full(walking + standing, heading)]
        heading += np.radians(turn)
    smooth = [
        gaussian_filter1d(np.concatenate(rows), 0.4 * sample_rate_hz, mode="nearest") for rows in (speeds, headings)
    ]
    return smooth[0], smooth[1]


def _gait_phase(speeds: Array, sample_rate_hz: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Steps done so far, a real number that is whole when a foot lands, and steps per second; they vary by 2 %."""
    cadence = np.sqrt(60 * speeds / WALK_RATIO)
    wander = gaussian_filter1d(rng.normal(0, 1, len(speeds)), sample_rate_hz / 2, mode="wrap")
    frequency = cadence / 60 * (1 + 0.02 * wander / wander.std())
    return cumulative_trapezoid(frequency, dx=1 / sample_rate_hz, initial=0), frequency


def _body(
    speeds: Array, headings: Array, phase: Array, frequency: Array, speed: float, sample_rate_hz: float
) -> tuple[Array, Array]:
    """Positions (N, 3) and orientations (N, 4) of the phone."""
    forward = np.stack([np.cos(headings), np.sin(headings)], axis=-1)
    left = np.stack([-forward[:, 1], forward[:, 0]], axis=-1)
    amount = speeds / speed  # of the dance: none while standing
    rise = np.interp(speed, [0.7, 1.6], [0.0274, 0.0483])
    sway = np.interp(speed, [0.7, 1.6], [0.0699, 0.0385])
    surge = RECOVERY * GRAVITY * rise / speed  # m/s from slowest to fastest, by the height that was lost
    ahead = amount * surge / 2 * np.sin(2 * np.pi * phase) / (2 * np.pi * np.maximum(frequency, 0.5))
    ground = cumulative_trapezoid(speeds[:, np.newaxis] * forward, dx=1 / sample_rate_hz, axis=0, initial=0)
    ground += ahead[:, np.newaxis] * forward + (amount * sway / 2 * np.sin(np.pi * phase))[:, np.newaxis] * left
    height = -amount * rise / 2 * np.cos(2 * np.pi * phase)
    zeros = np.zeros_like(phase)
    yaw = headings - np.pi / 2 + np.radians(4) * amount * np.sin(np.pi * phase)
    tilt = np.radians(5) * amount * np.cos(np.pi * phase)
    orientations = multiply(
        from_rotation_vector(np.stack([zeros, zeros, yaw], axis=-1)),
        from_rotation_vector(np.stack([zeros, tilt, zeros], axis=-1)),
    )
    return np.column_stack([ground, height]), orientations


# These two are chosen for this course; how slowly errors of GPS wander depends on the place and the phone.
GPS_TIME_CONSTANT_S = 60.0  # over which the error wanders, with satellites and reflections
GPS_SLOW_SHARE = 0.8  # of the error's variance that wanders; the rest is new in each fix
RADIUS_68 = float(np.sqrt(-2 * np.log(1 - 0.68)))  # of a circular normal error, in standard deviations of one axis


def _gps(
    times: Array,
    positions: Array,
    origin: Array,
    tunnel: tuple[float, float] | None,
    outlier_share: float,
    rng: np.random.Generator,
) -> Gps:
    """Fixes once a second, 4.9 m accurate, and twice that in height.

    4.9 m is typical of phones under open sky (GPS.gov, after van Diggelen and Enge 2015). That it is the radius of 68 %, and the
    height's, are chosen for this course.
    """
    seconds = np.arange(1.0, times[-1])
    kept = np.full(len(seconds), True)
    if tunnel is not None:
        kept = (seconds < tunnel[0]) | (seconds > tunnel[1])
    accuracies = 4.9 * np.exp(rng.normal(0, 0.15, (len(seconds), 1))) * [1, 2]
    decay = np.exp(-1 / GPS_TIME_CONSTANT_S)
    fresh = rng.normal(0, np.sqrt(1 - decay**2), (len(seconds), 3))
    fresh[:1] = rng.normal(0, 1, (1, 3))
    slow = lfilter([1.0], [1.0, -decay], fresh, axis=0)
    unit = np.sqrt(GPS_SLOW_SHARE) * slow + np.sqrt(1 - GPS_SLOW_SHARE) * rng.normal(0, 1, (len(seconds), 3))
    errors = unit * accuracies[:, [0, 0, 1]] / [RADIUS_68, RADIUS_68, 1.0]
    outliers = rng.random(len(seconds)) < outlier_share
    angle, far = rng.uniform(0, 2 * np.pi, len(seconds)), rng.uniform(20, 80, len(seconds))
    errors[outliers, :2] += (far[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=-1))[outliers]
    truth = np.stack([np.interp(seconds, times, axis) for axis in positions.T], axis=-1)
    return Gps(seconds[kept], from_local(truth + errors, origin)[kept], accuracies[kept], outliers[kept])


def simulate_running(duration_s: float, *, sample_rate_hz: float = 100.0, seed: int = 0) -> Array:
    """Return accelerations (N, 3) in m/s² at the waist of a runner: 165 steps a minute, on the ground 70 % of the time.

    On the ground the force is half a sine wave, whose mean over a step is the weight; in the air there is none (Morin et al.
    2005, J. Applied Biomechanics 21). Rate and share, those of an easy run, are chosen for this course.
    """
    rng = np.random.default_rng(seed)
    contact = 0.7
    phase = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz * 165 / 60 % 1
    force = np.where(phase < contact, GRAVITY * np.pi / (2 * contact) * np.sin(np.pi * phase / contact), 0.0)
    return np.stack([np.zeros_like(force), np.zeros_like(force), force], axis=-1) + rng.normal(0, 0.5, (len(force), 3))


def simulate_riding(duration_s: float, *, sample_rate_hz: float = 100.0, seed: int = 0) -> Array:
    """Return accelerations (N, 3) in m/s² of a phone in a car: the road through the springs of its body.

    White noise through a resonance at 1.5 Hz, damped by 0.3, 0.5 m/s² (root mean square) in height, a third of it to the sides;
    chosen for this course. For comparison: ISO 2631-1 calls 0.5 to 1 m/s² fairly uncomfortable, but weights frequencies first.
    """
    rng = np.random.default_rng(seed)
    count, turn = round(duration_s * sample_rate_hz), 2 * np.pi * 1.5 / sample_rate_hz
    # Poles of the resonance; the numerator takes away what is constant.
    radius = np.exp(-0.3 * turn)
    road = lfilter(
        [1, -1], [1, -2 * radius * np.cos(turn * np.sqrt(1 - 0.3**2)), radius**2], rng.normal(0, 1, (count, 3)), axis=0
    )
    return road / road.std(axis=0) * np.array([0.17, 0.17, 0.5]) + [0, 0, GRAVITY]
