"""A phone in motion, simulated from physics with known truth: gyroscope, accelerometer, magnetometer.

Model. Yaw, pitch, roll and the three coordinates are sums of sines of an inner time s(t) with random frequencies and phases;
s runs at the pace s'(t) between 0 (rest) and 1, smoothly, so that every rest is another pose; at rest the phone lies on a table.
The specific force is the second derivative of the position, analytic, plus gravity. The gyroscope gives the mean rate since the
sample before, as one with a low-pass does. The magnetometer sees the earth's field at its place plus the disturbance.

Sensors. Each axis has white noise, a bias at turn-on, a bias that wanders (random walk), an error of its scale and some
crosstalk from the others. Of the figures of `Sensors`, the noise densities are those of BMI160 (Bosch Sensortec 2015; see
`pocketlab.data.inertial`) and the magnetometer's pace is one of AK09918 (Asahi Kasei, data sheet, 2016).
Before a phone calibrates itself, offsets are much larger than here: typically ±3 °/s and ±40 mg (BMI160), up to ±300 µT (AK09911,
a magnetometer of the same maker). What is left afterwards, and all other figures, are chosen for this course, of the order of a
phone's sensors. The sensor of BROAD's six trials (`pocketlab.data.broad`) is alike: in their first seconds, at rest, its
gyroscope reads 0.24 °/s (root mean square over trials and axes), and its accelerometer's norm is 1 to 10 mg off gravity's.

Fields. The earth's field in Berlin: 19 µT to the north, 46 µT down. A small magnet is a point dipole (Jackson, Classical
Electrodynamics, equation 5.56); an office is the earth's field plus slow waves over the place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlab.data.inertial import BMI160_ACC_DENSITY, BMI160_GYR_DENSITY, GRAVITY
from pocketlab.data.quaternions import conjugate, from_rotation_vector, multiply, rotate, to_rotation_vector

Array = NDArray[np.float64]
KINDS = ("rotation", "translation", "combined")
SPEEDS = ("slow", "fast")
DISTURBANCES = (None, "tapping", "vibration", "stationary_magnet", "attached_magnet", "office")
EARTH_FIELD = np.array([0.0, 19.0, -46.0])  # µT, east, north, up
DIPOLE_FACTOR = 0.1  # μ0 / 4π in µT·m³/(A·m²)

_REST, _RAMP = 8.0, 0.8  # seconds of rest at both ends and at each break; seconds from rest to full pace
_WAVES = 5  # sines in each coordinate
_FREQUENCIES = {"slow": (0.05, 0.25), "fast": (0.3, 1.1)}  # Hz
_ANGLES = np.array([1.6, 0.8, 1.2])  # root mean square of yaw, pitch, roll in rad, while the pace is slow
_ANGLES_FAST = np.array([0.9, 0.6, 0.8])
_DISTANCES = np.array([0.15, 0.15, 0.12])  # root mean square of east, north, up in m
_TABLE, _LIFT = np.array([0.3, 0.2, -0.4]), 1.5  # where the phone lies at rest, in m; seconds to take it up or lay it down


@dataclass(frozen=True)
class Sensors:
    """Errors of one kind of sensors, as root mean squares over many of them, for each axis.

    Densities, per √Hz, are as `pocketlab.data.inertial` defines them: a sample's standard deviation is density · √(sample rate),
    and a data sheet's one-sided figure is √2 times as large. Walks are per √s. scale and crosstalk are relative.
    """

    gyr_noise: float = BMI160_GYR_DENSITY  # rad/s/√Hz
    gyr_bias: float = np.deg2rad(0.3)  # rad/s
    gyr_walk: float = np.deg2rad(0.002)  # rad/s/√s
    gyr_scale: float = 0.005
    acc_noise: float = BMI160_ACC_DENSITY  # m/s²/√Hz
    acc_bias: float = 0.004 * GRAVITY  # m/s²
    acc_scale: float = 0.003
    mag_noise: float = 0.5  # µT for each sample
    mag_bias: float = 0.7  # µT
    mag_scale: float = 0.01
    mag_rate: float = 100.0  # Hz, the magnetometer's own pace: its last reading stands until the next
    mag_room: float = 1.5  # µT, by which the field of any room differs from place to place


PHONE = Sensors()


@dataclass(frozen=True)
class Motion:
    """What the sensors said, and what was true, over N samples.

    gyr rad/s, acc m/s² (specific force: +9.80665 upwards at rest), mag µT, position m: (N, 3). quat: (N, 4), w first, sensor to
    east-north-up. movement: (N,), False where the phone rests.
    """

    sample_rate_hz: float
    gyr: Array
    acc: Array
    mag: Array
    quat: Array
    position: Array
    movement: NDArray[np.bool_]


def simulate_motion(
    kind: str = "combined",
    speed: str = "slow",
    *,
    breaks: int = 0,
    disturbance: str | None = None,
    magnet_distance_m: float = 0.03,
    magnet_s: tuple[float, float] = (0.0, np.inf),
    duration_s: float = 100.0,
    sample_rate_hz: float = 100.0,
    sensors: Sensors = PHONE,
    seed: int = 0,
) -> Motion:
    """Simulate a phone that rests, moves for a while with a number of breaks, and rests again.

    kind: `"rotation"`, `"translation"` (the pose stays within a few degrees) or `"combined"`. speed: `"slow"` or `"fast"`.
    disturbance: None, `"tapping"`, `"vibration"`, `"stationary_magnet"`, `"attached_magnet"` (at `magnet_distance_m` from the
    sensor, from the first to the second of `magnet_s`) or `"office"`. The same seed gives the same motion.

    Raises ValueError for an unknown word, a sample rate or a distance that is not positive, a duration that has no room for
    the rests.
    """
    _check(kind, speed, disturbance, breaks, duration_s, sample_rate_hz, magnet_distance_m)
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    inner, pace, acceleration = _inner_time(t, breaks, duration_s)
    quat, turned = _rotation(rng, kind, speed, inner)
    position, force = _translation(rng, kind, speed, inner, pace, acceleration)
    lifted, lifting = _lift(t, breaks, duration_s)
    position, force = position + lifted, force + lifting + np.array([0.0, 0.0, GRAVITY])
    if disturbance == "tapping":
        force += _taps(rng, t, pace)
    elif disturbance == "vibration":
        force += 2.0 * np.sin(2 * np.pi * 165.0 * t + rng.uniform(0, 6, (3, 1))).T * (pace > 0)[:, None]
    body = conjugate(quat)
    field = EARTH_FIELD + _field_of_room(rng, position, 8.0 if disturbance == "office" else sensors.mag_room)
    if disturbance == "stationary_magnet":
        field = field + _dipole(position - _arrow(rng, 0.4), _arrow(rng, 1.2))
    mag = rotate(body, field)
    if disturbance == "attached_magnet":
        axis = rng.standard_normal(3)
        offset = _dipole(magnet_distance_m * axis[None] / np.linalg.norm(axis), _arrow(rng, 0.003))
        mag = mag + offset * ((t >= magnet_s[0]) & (t < magnet_s[1]))[:, None]
    gyr, acc, mag = _measure(rng, t, sample_rate_hz, sensors, turned * sample_rate_hz, rotate(body, force), mag)
    return Motion(sample_rate_hz, gyr, acc, mag, quat, position, pace > 0)


def _check(
    kind: str, speed: str, disturbance: str | None, breaks: int, duration: float, rate: float, distance: float
) -> None:
    for value, choices, what in ((kind, KINDS, "kind"), (speed, SPEEDS, "speed"), (disturbance, DISTURBANCES, "disturbance")):
        if value not in choices:
            raise ValueError(f"{value!r} is no {what} of motion: choose one of {', '.join(map(repr, choices))}.")
    if not (rate > 0 and distance > 0):
        raise ValueError(f"A sample rate of {rate} Hz and a magnet at {distance} m: both must be positive.")
    if not (breaks >= 0 and duration >= _shortest(breaks)):
        raise ValueError(f"{duration} s are too short for {breaks} breaks: take {_shortest(max(breaks, 0))} s or more.")


def _shortest(breaks: int) -> float:
    return (2 + breaks) * _REST + (1 + breaks) * (_LIFT + _LIFT)


def _stretches(breaks: int, duration: float) -> list[tuple[float, float]]:
    """Begin and end in s of every stretch of motion."""
    length = (duration - (2 + breaks) * _REST) / (1 + breaks)
    return [(begin, begin + length) for begin in _REST + np.arange(1 + breaks) * (length + _REST)]


def _lift(t: Array, breaks: int, duration: float) -> tuple[Array, Array]:
    """How far the phone is from where its motion is centered (N, 3), and the acceleration that takes it up and lays it down."""
    away, acceleration = np.ones_like(t), np.zeros_like(t)
    for begin, end in _stretches(breaks, duration):
        for at, sign in ((begin, -1.0), (end - _LIFT, 1.0)):
            u = np.clip((t - at) / _LIFT, 0, 1)
            away += sign * u**3 * (10 - 15 * u + 6 * u**2)  # the shortest polynomial with no jump of the acceleration
            acceleration += sign * 60 * u * (1 - 3 * u + 2 * u**2) / _LIFT**2
    return away[:, None] * _TABLE, acceleration[:, None] * _TABLE


def _inner_time(t: Array, breaks: int, duration: float) -> tuple[Array, Array, Array]:
    """The inner time and its first and second derivative: a pace from 0 to 1 and back in every stretch of motion."""
    inner, pace, change = np.zeros_like(t), np.zeros_like(t), np.zeros_like(t)
    for begin, end in _stretches(breaks, duration):
        for at, sign in ((begin, 1.0), (end - _RAMP, -1.0)):
            u = np.clip((t - at) / _RAMP, 0, 1)
            after = np.maximum(t - at - _RAMP, 0)
            # The pace is 3u² − 2u³; its integral u³ − u⁴/2 is one half at the end of the ramp, then grows with time.
            inner += sign * (_RAMP * (u**3 - u**4 / 2) + after)
            pace += sign * (3 * u**2 - 2 * u**3)
            change += sign * 6 * u * (1 - u) / _RAMP
    return inner, np.where(pace > 1e-9, pace, 0.0), change


def _waves(rng: np.random.Generator, speed: str, rms: Array, s: Array) -> tuple[Array, Array, Array]:
    """Random sums of sines of `s` (N, 3), their first and their second derivative."""
    low, high = _FREQUENCIES[speed]
    omega = 2 * np.pi * rng.uniform(low, high, (_WAVES, 1, 3))
    amplitude = rms * np.sqrt(2 / _WAVES)
    phase = omega * s[None, :, None] + rng.uniform(0, 2 * np.pi, (_WAVES, 1, 3))
    sine, cosine = amplitude * np.sin(phase), amplitude * np.cos(phase)
    return sine.sum(0), (omega * cosine).sum(0), -(omega**2 * sine).sum(0)


def _rotation(rng: np.random.Generator, kind: str, speed: str, s: Array) -> tuple[Array, Array]:
    """Orientations (N, 4), and rotation vectors in the sensor's frame since the sample before, rad (N, 3)."""
    rms = (_ANGLES if speed == "slow" else _ANGLES_FAST) * (0.05 if kind == "translation" else 1.0)
    angles = _waves(rng, speed, rms, s)[0] + np.array([rng.uniform(-np.pi, np.pi), 0.0, 0.0])
    roll_axis, pitch_axis, yaw_axis = np.eye(3)
    yaw, pitch, roll = (
        from_rotation_vector(angle[:, None] * axis)
        for angle, axis in zip(angles.T, (yaw_axis, pitch_axis, roll_axis), strict=True)
    )
    quat = multiply(multiply(yaw, pitch), roll)
    turned = to_rotation_vector(multiply(conjugate(quat[:-1]), quat[1:]))
    return quat, np.concatenate([np.zeros((1, 3)), turned])


def _translation(
    rng: np.random.Generator, kind: str, speed: str, s: Array, pace: Array, change: Array
) -> tuple[Array, Array]:
    """Positions in m and accelerations in m/s² (N, 3), in the world's frame."""
    rms = _DISTANCES * (0.1 if kind == "rotation" else 1.0)
    place, first, second = _waves(rng, speed, rms, s)
    return place, second * pace[:, None] ** 2 + first * change[:, None]


def _taps(rng: np.random.Generator, t: Array, pace: Array) -> Array:
    """Decaying shocks of 30 m/s² in random directions, about two in a second of motion."""
    force = np.zeros((len(t), 3))
    for at in rng.uniform(t[0], t[-1], round(2 * (t[-1] - t[0]))):
        since = np.maximum(t - at, 0)
        shock = np.where(t >= at, np.exp(-since / 0.02) * np.cos(2 * np.pi * 40 * since), 0)
        force += 30.0 * shock[:, None] * rng.standard_normal(3)
    return force * (pace > 0)[:, None]


def _field_of_room(rng: np.random.Generator, position: Array, rms: float) -> Array:
    """A field (N, 3) that differs from place to place, with waves 0.8 to 3 m long."""
    field = np.zeros_like(position)
    for _ in range(4):
        direction = rng.standard_normal(3)
        wave = direction / np.linalg.norm(direction) * 2 * np.pi / rng.uniform(0.8, 3.0)
        field += rng.standard_normal(3) * np.sin(position @ wave + rng.uniform(0, 6))[:, None]
    return np.asarray(field * rms / np.sqrt(2))


def _arrow(rng: np.random.Generator, size: float) -> Array:
    """A vector (3,) of a given size in a random direction."""
    direction = rng.standard_normal(3)
    return np.asarray(size * direction / np.linalg.norm(direction))


def _dipole(offsets: Array, moment: Array) -> Array:
    """The field in µT of a dipole (A·m²) at places given as offsets from it in m, (N, 3)."""
    distance = np.linalg.norm(offsets, axis=-1, keepdims=True)
    unit = offsets / distance
    return np.asarray(DIPOLE_FACTOR * (3 * unit * (unit @ moment)[:, None] - moment) / distance**3)


def _measure(
    rng: np.random.Generator, t: Array, rate: float, sensors: Sensors, turning: Array, force: Array, field: Array
) -> tuple[Array, Array, Array]:
    """What the three sensors make of angular rates, forces and fields (N, 3) in their frame."""
    gyr = _sense(rng, turning, sensors.gyr_noise * np.sqrt(rate), sensors.gyr_bias, sensors.gyr_scale)
    gyr += np.cumsum(rng.standard_normal(gyr.shape), axis=0) * sensors.gyr_walk / np.sqrt(rate)
    acc = _sense(rng, force, sensors.acc_noise * np.sqrt(rate), sensors.acc_bias, sensors.acc_scale)
    mag = _sense(rng, field, sensors.mag_noise, sensors.mag_bias, sensors.mag_scale)
    measured_s = np.floor(t * sensors.mag_rate + 1e-9) / sensors.mag_rate
    return gyr, acc, mag[np.floor(measured_s * rate + 1e-9).astype(int)]


def _sense(rng: np.random.Generator, truth: Array, noise: float, bias: float, scale: float) -> Array:
    """What a sensor makes of the truth (N, 3); crosstalk has the size of the errors of scale."""
    matrix = np.eye(3) + scale * rng.standard_normal((3, 3))
    return np.asarray(truth @ matrix.T + bias * rng.standard_normal(3) + noise * rng.standard_normal(truth.shape))
