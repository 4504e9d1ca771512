"""Right answers to exercises 06.1 to 06.5, each written in another way than the library's own."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from pocketlab.data.quaternions import (
    conjugate,
    from_rotation_vector,
    multiply,
    rotate,
    to_matrix,
    to_rotation_vector,
    turned,
    upright,
)


def turned_about_the_worlds_axis(q, rate, seconds):
    result = multiply(from_rotation_vector(rotate(q, rate) * seconds), q)
    return result / math.hypot(*result)


def turned_by_scipy(q, rate, seconds):
    after = Rotation.from_quat(np.roll(q, -1)) * Rotation.from_rotvec(rate * seconds)
    return np.roll(after.as_quat(), 1)


def turned_by_hand(q, rate, seconds):
    speed = math.sqrt(sum(float(x) ** 2 for x in rate))
    if speed == 0:
        return [float(x) for x in q]
    half = speed * seconds / 2
    a, (b, c, d) = math.cos(half), (math.sin(half) * float(x) / speed for x in rate)
    w, x, y, z = map(float, q)
    result = [
        w * a - x * b - y * c - z * d,
        w * b + x * a + y * d - z * c,
        w * c - x * d + y * a + z * b,
        w * d + x * c - y * b + z * a,
    ]
    length = math.sqrt(sum(x * x for x in result))
    return [x / length for x in result]


def turned_by_the_matrix_exponential(q, rate, seconds):
    x, y, z = rate
    omega = np.array([[0, -x, -y, -z], [x, 0, z, -y], [y, -z, 0, x], [z, y, -x, 0]])
    return expm(omega * seconds / 2) @ (q / np.linalg.norm(q))


def turned_normalized_first(q, rate, seconds):
    return -multiply(q / np.linalg.norm(q), from_rotation_vector(rate * seconds))


def upright_by_angle(force):
    if not np.all(np.isfinite(force)) or np.all(force == 0):
        raise ValueError("no direction")
    a, b, c = force / np.sqrt(np.sum(force**2))
    sine = np.hypot(a, b)
    if sine == 0:
        return np.array([1.0, 0, 0, 0]) if c > 0 else np.array([0, 1.0, 0, 0])
    half = np.arctan2(sine, c) / 2
    return np.array([np.cos(half), np.sin(half) * b / sine, -np.sin(half) * a / sine, 0.0])


def upright_by_halves(force):
    x, y, z = (float(v) for v in force)
    norm = math.sqrt(x * x + y * y + z * z)
    if norm == 0 or math.isnan(norm) or math.isinf(norm):
        raise ValueError(f"{force} points nowhere")
    cosine = z / norm
    if cosine <= -1 + 1e-9:
        return [0, 1, 0, 0]
    w = math.sqrt((1 + cosine) / 2)
    return [w, y / norm / (2 * w), -x / norm / (2 * w), 0]


def upright_by_the_middle(force):
    """Half of the way to up is the direction in the middle: the rotation there, taken as a whole one, is the quaternion."""
    length = np.linalg.norm(force)
    if not (np.isfinite(length) and length > 0):
        raise ValueError("a direction is wanted")
    direction = force.astype(float) / length
    middle = direction + np.array([0, 0, 1])
    if np.linalg.norm(middle) < 1e-9:
        return np.array([0.0, -1.0, 0.0, 0.0])
    middle /= np.linalg.norm(middle)
    return np.concatenate([[direction @ middle], np.cross(direction, middle)])


def upright_by_rotation_vector(force):
    if np.isnan(force).any() or np.isinf(force).any() or not np.any(force):
        raise ValueError
    unit = force / np.linalg.norm(force)
    axis = np.cross(unit, [0.0, 0.0, 1.0])
    length = np.linalg.norm(axis)
    axis = axis / length if length > 1e-12 else np.array([1.0, 0.0, 0.0])
    return from_rotation_vector(axis * np.arctan2(length, unit[2]))


def complementary_in_a_list(gyr, acc, seconds, tilt_time):
    q = upright(acc[0])
    orientations = [q]
    left = math.exp(-seconds / tilt_time)
    for rate, force in zip(gyr[1:], acc[1:], strict=True):
        q = turned(q, rate, seconds)
        if not np.isnan(force.sum()):
            error = to_rotation_vector(upright(rotate(q, force)))
            q = multiply(from_rotation_vector((1 - left) * error), q)
        orientations.append(q)
    return orientations


def complementary_in_the_phones_frame(gyr, acc, seconds, tilt_time):
    """The same correction as a rotation of the phone's frame stands on the right, its axis turned back."""
    count, part = len(gyr), -np.expm1(-seconds / tilt_time)
    q = np.empty((count, 4))
    q[0] = upright(acc[0])
    for n in range(1, count):
        q[n] = turned(q[n - 1], gyr[n], seconds)
        if np.isfinite(acc[n]).all():
            error = rotate(conjugate(q[n]), to_rotation_vector(upright(rotate(q[n], acc[n]))))
            q[n] = multiply(q[n], from_rotation_vector(part * error))
    return q


def complementary_with_scipy(gyr, acc, seconds, tilt_time):
    part = 1 - np.exp(-seconds / tilt_time)
    attitude = Rotation.from_quat(np.roll(upright(acc[0]), -1))
    result = np.zeros((len(acc), 4))
    for n in range(len(acc)):
        if n > 0:
            attitude = attitude * Rotation.from_rotvec(gyr[n] * seconds)
            if not np.any(np.isnan(acc[n])):
                x, y, z = attitude.apply(acc[n])
                horizontal = np.hypot(x, y)
                angle = np.arctan2(horizontal, z)
                axis = np.array([y, -x, 0]) / horizontal if horizontal > 0 else np.array([1, 0, 0])
                attitude = Rotation.from_rotvec(part * angle * axis) * attitude
        result[n] = np.roll(attitude.as_quat(), 1)
    return result


def complementary_in_float32(gyr, acc, seconds, tilt_time):
    out = np.zeros((len(gyr), 4), np.float32)
    out[0] = upright(acc[0])
    part = np.float32(1 - np.exp(-seconds / tilt_time))
    for n in range(1, len(gyr)):
        out[n] = turned(out[n - 1], np.float32(gyr[n]), np.float32(seconds))
        if np.isnan(acc[n]).any():
            continue
        error = upright(rotate(out[n], np.float32(acc[n])))
        out[n] = multiply(from_rotation_vector(part * to_rotation_vector(error)), out[n])
    return out


def heading_by_matrix(q, mag):
    east, north, _ = to_matrix(q) @ mag
    if math.isnan(east) or math.isnan(north) or math.isnan(mag.sum()):
        return 0.0
    return math.atan2(east, north)


def heading_by_complex_numbers(q, mag):
    if np.isnan(mag).any():
        return 0.0
    x, y = rotate(q, mag)[:2]
    return float(np.angle(y + 1j * x)) if x != 0 or y != 0 else 0.0


def heading_by_arccos(q, mag):
    field = rotate(q, mag)
    length = np.hypot(field[0], field[1])
    if not np.isfinite(mag).all() or length == 0:
        return 0.0
    angle = np.arccos(np.clip(field[1] / length, -1, 1))
    return angle if field[0] > 0 else -angle


def heading_from_the_east(q, mag):
    world = multiply(multiply(q, np.concatenate([[0.0], mag])), conjugate(q))[1:]
    if np.any(np.isnan(world)) or not world[:2].any():
        return 0
    angle = np.pi / 2 - np.arctan2(world[1], world[0])
    return angle - 2 * np.pi if angle > np.pi else angle


def kalman_written_out(state, covariance, t, z, s, d):
    x, v = map(float, state)
    (a, b), (_, c) = np.asarray(covariance, float).tolist()
    x += v * t
    a, b, c = a + 2 * t * b + t * t * c + d * d * t**3 / 3, b + t * c + d * d * t * t / 2, c + d * d * t
    if z == z:
        k, m = a / (a + s * s), b / (a + s * s)
        x, v = x + k * (z - x), v + m * (z - x)
        a, b, c = a - k * a, b - k * b, c - m * b
    return [x, v], [[a, b], [b, c]]


def kalman_with_the_variance_of_the_residual(state, covariance, t, z, s, d):
    F, H = np.array([[1, t], [0, 1]]), np.array([[1.0, 0.0]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state, covariance = F @ state, F @ covariance @ F.T + Q
    if np.isnan(z):
        return state, covariance
    S = H @ covariance @ H.T + s**2
    K = covariance @ H.T @ np.linalg.inv(S)
    return state + (K @ (z - H @ state)).ravel(), covariance - K @ S @ K.T


def kalman_in_a_copy(state, covariance, t, z, s, d):
    P, x = covariance.astype(float).copy(), state.astype(float).copy()
    x[0] += t * x[1]
    P[0] += t * P[1]
    P[:, 0] += t * P[:, 1]
    P += d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    if not np.isnan(z):
        gain = P[:, 0] / (P[0, 0] + s**2)
        x += gain * (z - x[0])
        P -= np.outer(gain, P[0])
    return x, P


RIGHT = {
    "06.1": [
        turned_about_the_worlds_axis,
        turned_by_scipy,
        turned_by_hand,
        turned_by_the_matrix_exponential,
        turned_normalized_first,
    ],
    "06.2": [upright_by_angle, upright_by_halves, upright_by_the_middle, upright_by_rotation_vector],
    "06.3": [
        complementary_in_a_list,
        complementary_in_the_phones_frame,
        complementary_with_scipy,
        complementary_in_float32,
    ],
    "06.4": [heading_by_matrix, heading_by_complex_numbers, heading_by_arccos, heading_from_the_east],
    "06.5": [kalman_written_out, kalman_with_the_variance_of_the_residual, kalman_in_a_copy],
}
