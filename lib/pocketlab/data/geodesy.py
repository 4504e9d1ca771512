"""Latitude, longitude and height on the WGS84 ellipsoid, and a local frame in meters: east, north, up of an origin.

Rows are (latitude in degrees, longitude in degrees, height above the ellipsoid in m). "ECEF" is the Cartesian frame that turns
with the earth: x through latitude 0 and longitude 0, z through the north pole.
Source: EPSG Guidance Note 7-2, methods 9602 (geographic/geocentric) and 9837 (geographic/topocentric).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EQUATOR_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
ECCENTRICITY_SQUARED = FLATTENING * (2 - FLATTENING)


def to_ecef(geodetic: Array) -> Array:
    """Return ECEF positions (…, 3) in m of geodetic positions (…, 3).

    Raises ValueError for another shape or for latitudes beyond ±90°.
    """
    geodetic = _checked(geodetic)
    latitude, longitude, height = np.radians(geodetic[..., 0]), np.radians(geodetic[..., 1]), geodetic[..., 2]
    radius = _radius_of_prime_vertical(latitude)
    return np.stack(
        [
            (radius + height) * np.cos(latitude) * np.cos(longitude),
            (radius + height) * np.cos(latitude) * np.sin(longitude),
            (radius * (1 - ECCENTRICITY_SQUARED) + height) * np.sin(latitude),
        ],
        axis=-1,
    )


def from_ecef(ecef: Array) -> Array:
    """Return geodetic positions (…, 3) of ECEF positions (…, 3) in m.

    The latitude is a fixed point: each pass shrinks its error by the eccentricity squared, 0.0067, and six passes suffice for
    rounding error. The height is told along the axis in which the point is farther out, so that poles are nothing special.
    """
    x, y, z = np.moveaxis(np.asarray(ecef, dtype=np.float64), -1, 0)
    distance = np.hypot(x, y)
    latitude = np.arctan2(z, distance * (1 - ECCENTRICITY_SQUARED))
    for _ in range(6):
        lifted = z + ECCENTRICITY_SQUARED * _radius_of_prime_vertical(latitude) * np.sin(latitude)
        latitude = np.arctan2(lifted, distance)
    height = np.hypot(distance, lifted) - _radius_of_prime_vertical(latitude)
    return np.stack([np.degrees(latitude), np.degrees(np.arctan2(y, x)), height], axis=-1)


def to_local(geodetic: Array, origin: Array) -> Array:
    """Return positions (…, 3) in m, east, north and up of `origin` (3,), of geodetic positions (…, 3).

    The frame is flat and the earth is not: 10 km away the ground lies 8 m below 0.
    """
    return np.asarray((to_ecef(geodetic) - to_ecef(origin)) @ _axes(origin))


def from_local(local: Array, origin: Array) -> Array:
    """Return geodetic positions (…, 3) of positions (…, 3) in m, east, north and up of `origin` (3,)."""
    return from_ecef(to_ecef(origin) + np.asarray(local, dtype=np.float64) @ _axes(origin).T)


def _axes(origin: Array) -> Array:
    """East, north and up at the origin as columns (3, 3) in ECEF."""
    latitude, longitude = np.radians(np.asarray(origin)[:2])
    sin, cos = np.sin(latitude), np.cos(latitude)
    east = [-np.sin(longitude), np.cos(longitude), 0.0]
    north = [-sin * np.cos(longitude), -sin * np.sin(longitude), cos]
    up = [cos * np.cos(longitude), cos * np.sin(longitude), sin]
    return np.array([east, north, up]).T


def _radius_of_prime_vertical(latitude: Array) -> Array:
    return np.asarray(EQUATOR_M / np.sqrt(1 - ECCENTRICITY_SQUARED * np.sin(latitude) ** 2))


def _checked(geodetic: Array) -> Array:
    geodetic = np.asarray(geodetic, dtype=np.float64)
    if geodetic.shape[-1:] != (3,):
        raise ValueError(f"Give rows of latitude, longitude and height, (…, 3); this array has shape {geodetic.shape}.")
    if (np.abs(geodetic[..., 0]) > 90).any():
        raise ValueError(
            "A latitude is beyond ±90°. Columns are latitude, longitude, height: were the first two swapped?"
        )
    return geodetic
