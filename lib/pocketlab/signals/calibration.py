"""What is wrong with a sensor, measured: ellipsoids of accelerometers and magnetometers, and the noise of gyroscopes.

A sensor turned about in a constant field (gravity, the earth's magnetism) should measure points of a sphere. Offsets shift the
sphere, scales and crosstalk make it an ellipsoid; for a magnetometer these are called hard and soft iron. The fit finds the
ellipsoid and the matrix that makes it a sphere again. Which way the sphere is turned it cannot see: the matrix is the
symmetric one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares, nnls

Array = NDArray[np.float64]

# The smallest singular value, for each sample, of the normalized equations below which directions are missing: it is 0.36 for
# directions all over the sphere, 0.11 for one half of it, 0.02 within 45° of one, 0 for a plane and for the six sides of a box.
SPREAD = 0.02
OCTAVE = 2 ** (1 / 4)  # the ratio of neighboring averaging times: four to an octave


@dataclass(frozen=True)
class Calibration:
    """calibrated = matrix · (measured − offset). offset: (3,) in the sensor's unit. matrix: (3, 3), symmetric.

    residual: root mean square of what is left of the norm's error over the samples of the fit, in the sensor's unit.
    """

    offset: Array
    matrix: Array
    residual: float

    def apply(self, samples: ArrayLike) -> Array:
        """Return calibrated samples (…, 3)."""
        return np.asarray((np.asarray(samples) - self.offset) @ self.matrix)


def calibrate_accelerometer(positions: ArrayLike, gravity: float = 9.80665) -> Calibration:
    """Fit offset, scales and crosstalk of an accelerometer.

    positions: (N, 3) in m/s², each the mean over a position at rest. Takes at least 9, tilted ones among them: a box set on
    its sides, edges and corners.

    Raises ValueError for fewer, for what is not finite, and for directions that leave the ellipsoid undetermined.
    """
    return fit_ellipsoid(positions, 9, gravity)


def calibrate_magnetometer(samples: ArrayLike, field_ut: float | None = None) -> Calibration:
    """Fit hard iron (`offset`) and soft iron (inverse of `matrix`) from magnetic samples (N, 3), µT, while turning everywhere.

    field_ut: strength of the field there; None keeps the size of the ellipsoid (the geometric mean of its axes).

    Raises ValueError for fewer than 12 samples, for what is not finite, and for directions that leave the ellipsoid
    undetermined.
    """
    return fit_ellipsoid(samples, 12, field_ut)


def fit_ellipsoid(samples: ArrayLike, least: int, radius: float | None) -> Calibration:
    """Fit the ellipsoid of samples (N, 3), and the map that makes it a sphere of that radius; None keeps its volume.

    First by linear least squares, xᵀ A x + 2 bᵀ x = 1, whose errors depend on the place (Gander, Golub and Strebel 1994,
    Least-squares fitting of circles and ellipses); from there by least squares of the calibrated norm's error.
    """
    if radius is not None and not 0 < radius < np.inf:
        raise ValueError(f"The strength of the field is {radius}; expected a number above 0.")
    points = np.asarray(samples, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"Calibration takes samples (N, 3), a row of x, y, z for each; got shape {points.shape}.")
    if len(points) < least:
        raise ValueError(f"{len(points)} samples do not determine an ellipsoid's 9 numbers; take {least} directions or more.")
    if not np.isfinite(points).all():
        place = int(np.argwhere(~np.isfinite(points))[0, 0])
        raise ValueError(f"Sample {place} is not finite; leave it out of the calibration.")
    if np.ptp(points, axis=0).max() == 0:
        raise ValueError("All samples are the same: turn the sensor to other directions between them.")
    middle = points.mean(axis=0)
    size = float(np.sqrt(np.mean(np.sum((points - middle) ** 2, axis=1))))
    offset, matrix = _algebraic((points - middle) / size)
    offset, matrix = _refined((points - middle) / size, offset, matrix)
    scale = (radius or size / float(np.cbrt(np.linalg.det(matrix)))) / size
    offset, matrix = offset * size + middle, matrix * scale
    norms = np.linalg.norm((points - offset) @ matrix, axis=1)
    return Calibration(offset, matrix, float(np.sqrt(np.mean((norms - scale * size) ** 2))))


def _algebraic(points: Array) -> tuple[Array, Array]:
    x, y, z = points.T
    equations = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z, 2 * x, 2 * y, 2 * z], axis=1)
    if np.linalg.svd(equations, compute_uv=False)[-1] / np.sqrt(len(points)) < SPREAD:
        raise ValueError(
            "The samples do not determine an ellipsoid: they lie in too few directions. Turn the sensor about all three axes, "
            "and hold it on edges and corners too, not only on its six sides."
        )
    xx, yy, zz, xy, xz, yz, *b = np.linalg.lstsq(equations, np.ones(len(points)))[0]
    quadratic = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    offset = -np.linalg.solve(quadratic, b)
    values, axes = np.linalg.eigh(quadratic / (1 + offset @ quadratic @ offset))
    if values.min() <= 0:
        raise ValueError(
            "The samples do not lie on an ellipsoid. Take accelerations only at rest, keep magnets and metal away while you "
            "turn, and cover all directions."
        )
    return offset, (axes * np.sqrt(values)) @ axes.T


def _refined(points: Array, offset: Array, matrix: Array) -> tuple[Array, Array]:
    upper = np.triu_indices(3)

    def symmetric(numbers: Array) -> Array:
        result = np.empty((3, 3))
        result[upper] = result.T[upper] = numbers
        return result

    def errors(unknowns: Array) -> Array:
        return np.asarray(np.linalg.norm((points - unknowns[:3]) @ symmetric(unknowns[3:]), axis=1) - 1)

    found = least_squares(errors, np.concatenate([offset, matrix[upper]]), xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    return found[:3], symmetric(found[3:])


def allan_deviation(rates: ArrayLike, sample_rate_hz: float) -> tuple[Array, Array]:
    """Return averaging times τ in s, (M,), and the overlapping Allan deviation (M,) or (M, axes) of a sensor at rest.

    rates: (N,) or (N, axes), any unit; the deviation has the same. τ runs from one sample to a third of the record, four to an
    octave. Source: IEEE Std 952-1997, annex C; overlapping as in NIST SP 1065 (Riley 2008), section 5.2.4.

    Raises ValueError for a record under 9 samples, what is not finite, and a sample rate that is not positive.
    """
    values = np.asarray(rates, dtype=np.float64)
    if values.ndim not in (1, 2) or len(values) < 9:
        raise ValueError(f"Allan deviation takes rates (N,) or (N, axes) with N of at least 9, better hours; got {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError("The record has samples that are not finite. Cut it there: a gap shifts everything after it.")
    if not 0 < sample_rate_hz < np.inf:
        raise ValueError(f"sample_rate_hz is {sample_rate_hz}; expected a number above 0.")
    count = len(values)
    octaves = OCTAVE ** np.arange(int(np.log(count / 3) / np.log(OCTAVE)) + 1)
    lengths = np.unique(np.round(octaves).astype(int))
    # Sums from the start: the mean over m samples is a difference of two of them. Less the mean, for the sake of rounding.
    angles = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values - values.mean(axis=0), axis=0)])
    deviations = []
    for m in lengths:
        second = angles[2 * m :] - 2 * angles[m:-m] + angles[: -2 * m]
        deviations.append(np.sqrt(np.mean(second**2, axis=0) / 2) / m)
    return lengths / sample_rate_hz, np.array(deviations)


@dataclass(frozen=True)
class NoiseFigures:
    """What an Allan deviation says of a sensor, in its unit u (rad/s for a gyroscope).

    white_noise N: u/√Hz, the angle random walk, which is the deviation at 1 s; a sample's standard deviation is N · √(sample
    rate), and a data sheet's one-sided figure is √2 N. bias_instability B: u. rate_random_walk K: u/√s.
    """

    white_noise: float
    bias_instability: float
    rate_random_walk: float


def noise_figures(tau_s: Array, deviation: Array) -> NoiseFigures:
    """Read white noise, bias instability and rate random walk off an Allan deviation (M,) of one axis at times tau_s (M,).

    σ² = N²/τ + (2 ln 2/π) B² + K² τ/3 (IEEE Std 952-1997, annex C), by least squares with no figure below 0. Long averages are
    few and weigh less: the variance over τ is uncertain by about √(τ/T) of itself. What a record does not show comes out as 0 or
    near it.

    Raises ValueError for fewer than three times, other shapes, and deviations that are not positive.
    """
    tau, sigma = np.asarray(tau_s, dtype=np.float64), np.asarray(deviation, dtype=np.float64)
    if tau.ndim != 1 or tau.shape != sigma.shape or len(tau) < 3:
        raise ValueError(f"Expected times and deviations (M,) of one axis, three or more; got {tau.shape} and {sigma.shape}.")
    if not (sigma > 0).all():
        raise ValueError("A deviation is 0 or not a number: a sensor that does not change at all is switched off or too coarse.")
    terms = np.stack([1 / tau, np.full_like(tau, 2 * np.log(2) / np.pi), tau / 3], axis=1)
    weights = 1 / (sigma**2 * np.sqrt(tau))
    squares, _ = nnls(terms * weights[:, np.newaxis], sigma**2 * weights)
    return NoiseFigures(*map(float, np.sqrt(squares)))
