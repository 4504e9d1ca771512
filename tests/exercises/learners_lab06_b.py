"""Wrong answers to lab 06 as programmers from other fields write them, who had not seen the catalogue of mistakes."""

import math
from collections import deque

import numpy as np
from scipy.stats import chi2

from pocketlab.data.quaternions import (
    conjugate,
    from_rotation_vector,
    multiply,
    rotate,
    to_rotation_vector,
    turned,
    upright,
)
from pocketlab.signals.audio import hz_to_mel, mel_to_hz


# 06.1 turned
def wrong_06_1_a(q, rate, seconds):
    """Takes q for x, y, z, w, as in ROS: moves the last number to the front, multiplies, and moves it back."""
    wxyz = np.roll(np.asarray(q, dtype=float), 1)
    wxyz = multiply(wxyz, from_rotation_vector(np.asarray(rate) * seconds))
    wxyz = wxyz / np.linalg.norm(wxyz)
    return np.roll(wxyz, -1)


def wrong_06_1_b(q, rate, seconds):
    """Puts the new rotation on the left, where newer rotations stand in a chain of transforms: the world's axes."""
    step = from_rotation_vector(np.asarray(rate, dtype=float) * seconds)
    q = multiply(step, np.asarray(q, dtype=float))
    return q / np.linalg.norm(q)


def wrong_06_1_c(q, rate, seconds):
    """Integrates dq/dt = q * (0, rate) / 2 by one Euler step, as an IMU driver does; good for small angles only."""
    omega = np.concatenate([[0.0], np.asarray(rate, dtype=float)])
    q = np.asarray(q, dtype=float)
    q = q + 0.5 * seconds * multiply(q, omega)
    return q / np.linalg.norm(q)


def wrong_06_1_d(q, rate, seconds):
    """Builds axis and angle by hand and divides by the size of the rate, which may be zero: NaN."""
    rate = np.asarray(rate, dtype=float)
    speed = np.sqrt(np.sum(rate**2))
    axis = rate / speed
    half = speed * seconds / 2
    step = np.concatenate([[np.cos(half)], np.sin(half) * axis])
    q = multiply(np.asarray(q, dtype=float), step)
    return q / np.linalg.norm(q)


def wrong_06_1_e(q, rate, seconds):
    """Adds a dead band against the gyroscope's noise: rates under 0.01 rad/s count as standing still."""
    q = np.asarray(q, dtype=float)
    rate = np.asarray(rate, dtype=float)
    if np.linalg.norm(rate) < 0.01:
        return q / np.linalg.norm(q)
    q = multiply(q, from_rotation_vector(rate * seconds))
    return q / np.linalg.norm(q)


# 06.2 upright
def wrong_06_2_a(force):
    """Returns x, y, z, w."""
    force = np.asarray(force, dtype=float)
    norm = np.linalg.norm(force)
    if not np.isfinite(norm) or norm == 0:
        raise ValueError("force points nowhere")
    a, b, c = force / norm
    if 1 + c < 1e-9:
        return np.array([1.0, 0.0, 0.0, 0.0])
    q = np.array([b, -a, 0.0, 1 + c])
    return q / np.linalg.norm(q)


def wrong_06_2_b(force):
    """Thinks in north, east, down: takes the reading for gravity, and turns its opposite to up."""
    force = np.asarray(force, dtype=float)
    norm = np.linalg.norm(force)
    if not np.isfinite(norm) or norm == 0:
        raise ValueError("force points nowhere")
    a, b, c = -force / norm
    if 1 + c < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    q = np.array([1 + c, b, -a, 0.0])
    return q / np.linalg.norm(q)


def wrong_06_2_c(force):
    """The check of the norm catches zero and NaN; infinity is larger than zero and comes through."""
    force = np.asarray(force, dtype=float)
    norm = np.linalg.norm(force)
    if not norm > 0:
        raise ValueError("force points nowhere")
    a, b, c = force / norm
    if 1 + c < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    q = np.array([1 + c, b, -a, 0.0])
    return q / np.linalg.norm(q)


def wrong_06_2_d(force):
    """No cross product means nothing to turn: straight down, too, gives the identity."""
    force = np.asarray(force, dtype=float)
    if not np.all(np.isfinite(force)) or not np.any(force):
        raise ValueError("force points nowhere")
    direction = force / np.linalg.norm(force)
    axis = np.cross(direction, [0.0, 0.0, 1.0])
    sine = np.linalg.norm(axis)
    if sine < 1e-9:
        return np.array([1.0, 0.0, 0.0, 0.0])
    angle = np.arctan2(sine, direction[2])
    return np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * axis / sine])


def wrong_06_2_e(force):
    """Also refuses forces far from 9.8 m/s², as a flight controller does: that is not gravity alone."""
    force = np.asarray(force, dtype=float)
    norm = np.linalg.norm(force)
    if not abs(norm - 9.8) < 0.5 * 9.8:
        raise ValueError(f"a force of {norm} m/s² is no gravity")
    a, b, c = force / norm
    if 1 + c < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    q = np.array([1 + c, b, -a, 0.0])
    return q / np.linalg.norm(q)


# 06.3 complementary
def wrong_06_3_a(gyr, acc, seconds, tilt_time):
    """Mixes the error with the identity linearly and normalizes (nlerp): not that part of the angle if it is large."""
    part = 1 - np.exp(-seconds / tilt_time)
    q = upright(acc[0])
    out = np.empty((len(acc), 4))
    out[0] = q
    for n in range(1, len(acc)):
        q = turned(q, gyr[n], seconds)
        if not np.isnan(acc[n]).any():
            error = upright(rotate(q, acc[n]))
            step = (1 - part) * np.array([1.0, 0.0, 0.0, 0.0]) + part * error
            q = multiply(step / np.linalg.norm(step), q)
        out[n] = q
    return out


def wrong_06_3_b(gyr, acc, seconds, tilt_time):
    """Takes the part of an RC filter in discrete time, dt / (tau + dt), instead of 1 - exp(-dt / tau)."""
    part = seconds / (tilt_time + seconds)
    q = upright(acc[0])
    out = [q]
    for n in range(1, len(acc)):
        q = turned(q, gyr[n], seconds)
        if not np.isnan(acc[n]).any():
            error = to_rotation_vector(upright(rotate(q, acc[n])))
            q = multiply(from_rotation_vector(part * error), q)
        out.append(q)
    return np.array(out)


def wrong_06_3_c(gyr, acc, seconds, tilt_time):
    """A sample with NaN in its force is skipped whole: the gyroscope does not turn in it either."""
    part = 1 - math.exp(-seconds / tilt_time)
    out = np.zeros((len(acc), 4))
    out[0] = upright(acc[0])
    for n in range(1, len(acc)):
        if np.isnan(acc[n]).any():
            out[n] = out[n - 1]
            continue
        q = turned(out[n - 1], gyr[n], seconds)
        error = to_rotation_vector(upright(rotate(q, acc[n])))
        out[n] = multiply(from_rotation_vector(part * error), q)
    return out


def wrong_06_3_d(gyr, acc, seconds, tilt_time):
    """Looks at the error with the orientation from before the turn, and applies it after the turn."""
    part = 1 - np.exp(-seconds / tilt_time)
    q = upright(acc[0])
    out = np.empty((len(gyr), 4))
    out[0] = q
    for n in range(1, len(gyr)):
        correction = np.zeros(3)
        if np.all(np.isfinite(acc[n])):
            correction = part * to_rotation_vector(upright(rotate(q, acc[n])))
        q = turned(q, gyr[n], seconds)
        q = multiply(from_rotation_vector(correction), q)
        out[n] = q
    return out


def wrong_06_3_e(gyr, acc, seconds, tilt_time):
    """Corrects only while the force is within 10 % of 9.81 m/s², as attitude filters of drones do."""
    part = 1 - np.exp(-seconds / tilt_time)
    q = upright(acc[0])
    out = [q]
    for rate, force in zip(gyr[1:], acc[1:], strict=True):
        q = turned(q, rate, seconds)
        size = np.linalg.norm(force)
        if abs(size - 9.81) < 0.981:  # False for NaN
            error = to_rotation_vector(upright(rotate(q, force)))
            q = multiply(from_rotation_vector(part * error), q)
        out.append(q)
    return np.stack(out)


# 06.4 heading_error
def wrong_06_4_a(q, mag):
    """Counts clockwise as positive, like a compass and like yaw in north, east, down."""
    mag = np.asarray(mag, dtype=float)
    if np.isnan(mag).any():
        return 0.0
    east, north, _ = rotate(q, mag)
    if east == 0 and north == 0:
        return 0.0
    return float(-np.arctan2(east, north))


def wrong_06_4_b(q, mag):
    """Brings the angle into 0 to 2π, like a compass' bearing."""
    mag = np.asarray(mag, dtype=float)
    if np.isnan(mag).any():
        return 0.0
    east, north, _ = rotate(q, mag)
    if np.hypot(east, north) == 0:
        return 0.0
    return float(np.arctan2(east, north) % (2 * np.pi))


def wrong_06_4_c(q, mag):
    """Looks for NaN in x and y only, as the vertical part is dropped anyway; rotate spreads the one in z."""
    mag = np.asarray(mag, dtype=float)
    if np.isnan(mag[:2]).any():
        return 0.0
    east, north, _ = rotate(q, mag)
    if east == 0 and north == 0:
        return 0.0
    return float(np.arctan2(east, north))


def wrong_06_4_d(q, mag):
    """Takes q for the rotation from the world to the body, and goes back with the conjugate."""
    if np.isnan(mag).any():
        return 0.0
    east, north, _ = rotate(conjugate(np.asarray(q, dtype=float)), np.asarray(mag, dtype=float))
    if east == 0 and north == 0:
        return 0.0
    return float(np.arctan2(east, north))


def wrong_06_4_e(q, mag):
    """Turns the reading by the yaw of q alone, in the plane: right for a phone that lies flat."""
    mag = np.asarray(mag, dtype=float)
    if np.isnan(mag).any():
        return 0.0
    w, x, y, z = q
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    east = np.cos(yaw) * mag[0] - np.sin(yaw) * mag[1]
    north = np.sin(yaw) * mag[0] + np.cos(yaw) * mag[1]
    if east == 0 and north == 0:
        return 0.0
    return float(np.arctan2(east, north))


# 06.5 kalman_step
def wrong_06_5_a(state, covariance, t, z, s, d):
    """Takes Q for an acceleration that is constant over each step, as in most robotics code: t⁴/4, t³/2, t²."""
    F = np.array([[1.0, t], [0.0, 1.0]])
    Q = d**2 * np.array([[t**4 / 4, t**3 / 2], [t**3 / 2, t**2]])
    state = F @ state
    covariance = F @ covariance @ F.T + Q
    if not np.isnan(z):
        K = covariance[:, 0] / (covariance[0, 0] + s**2)
        state = state + K * (z - state[0])
        covariance = (np.eye(2) - np.outer(K, [1, 0])) @ covariance
    return state, covariance


def wrong_06_5_b(state, covariance, t, z, s, d):
    """Writes the covariance's update in Joseph's form, and forgets its second term, K s² Kᵀ."""
    F = np.array([[1.0, t], [0.0, 1.0]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state = F @ state
    covariance = F @ covariance @ F.T + Q
    if not np.isnan(z):
        H = np.array([1.0, 0.0])
        K = covariance @ H / (H @ covariance @ H + s**2)
        state = state + K * (z - H @ state)
        A = np.eye(2) - np.outer(K, H)
        covariance = A @ covariance @ A.T
    return state, covariance


def wrong_06_5_c(state, covariance, t, z, s, d):
    """Tests the truth of z: a measured position of 0.0 counts as not measured."""
    F = np.array([[1.0, t], [0.0, 1.0]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state = F @ state
    covariance = F @ covariance @ F.T + Q
    measured = z and not math.isnan(z)
    if measured:
        K = covariance[:, 0] / (covariance[0, 0] + s**2)
        state = state + K * (z - state[0])
        covariance = (np.eye(2) - np.outer(K, [1, 0])) @ covariance
    return state, covariance


def wrong_06_5_d(state, covariance, t, z, s, d):
    """Predicts in place, as in C: the state that it was given has moved afterwards."""
    F = np.array([[1.0, t], [0.0, 1.0]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state[0] += state[1] * t
    covariance = F @ covariance @ F.T + Q
    if np.isnan(z):
        return state, covariance
    K = covariance[:, 0] / (covariance[0, 0] + s**2)
    return state + K * (z - state[0]), (np.eye(2) - np.outer(K, [1, 0])) @ covariance


def wrong_06_5_e(state, covariance, t, z, s, d):
    """Returns at once where nothing was measured: no prediction either."""
    if np.isnan(z):
        return state.copy(), covariance.copy()
    F = np.array([[1.0, t], [0.0, 1.0]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state = F @ state
    P = F @ covariance @ F.T + Q
    K = P[:, 0] / (P[0, 0] + s**2)
    return state + K * (z - state[0]), (np.eye(2) - np.outer(K, [1, 0])) @ P


# 06.6 gate
def wrong_06_6_a(residual, S, share):
    """A fix on the map has two numbers: the degrees of freedom are always 2."""
    if np.isnan(residual).any():
        return float("nan"), False
    distance = float(residual @ np.linalg.solve(S, residual))
    return distance, bool(distance <= chi2.ppf(share, 2))


def wrong_06_6_b(residual, S, share):
    """Decides by the square and returns its root, the Mahalanobis distance as scipy.spatial has it."""
    residual = np.asarray(residual, dtype=float)
    if np.isnan(residual).any():
        return float("nan"), False
    distance = np.sqrt(residual @ np.linalg.inv(S) @ residual)
    bound = np.sqrt(chi2.ppf(share, len(residual)))
    return float(distance), bool(distance <= bound)


def wrong_06_6_c(residual, S, share):
    """Leaves out the axes with NaN and tests the others, as with a partial measurement."""
    residual = np.asarray(residual, dtype=float)
    known = ~np.isnan(residual)
    if not known.any():
        return float("nan"), False
    r = residual[known]
    distance = float(r @ np.linalg.solve(np.asarray(S)[np.ix_(known, known)], r))
    return distance, bool(distance <= chi2.ppf(share, len(r)))


def wrong_06_6_d(residual, S, share):
    """Accepts only what lies under the bound; at the bound (distance 0 and share 0, say) it refuses."""
    residual = np.asarray(residual, dtype=float)
    if np.isnan(residual).any():
        return float("nan"), False
    distance = float(residual @ np.linalg.solve(S, residual))
    return distance, bool(distance < chi2.ppf(share, len(residual)))


def wrong_06_6_e(residual, S, share):
    """Asks whether the distance is over the bound, and accepts otherwise; NaN is over nothing."""
    residual = np.asarray(residual, dtype=float)
    distance = float(residual @ np.linalg.solve(S, residual))
    bound = chi2.ppf(share, len(residual))
    accepted = True
    if distance > bound:
        accepted = False
    return distance, accepted


# 06.7 biquad
def wrong_06_7_a(section, x, state):
    """Adds the feedback, as in libraries that store a1 and a2 with the other sign (CMSIS-DSP, vDSP's relatives)."""
    b0, b1, b2, _, a1, a2 = section
    s1, s2 = state
    y = np.empty(len(x))
    for n in range(len(x)):
        y[n] = b0 * x[n] + s1
        s1 = b1 * x[n] + a1 * y[n] + s2
        s2 = b2 * x[n] + a2 * y[n]
    return y, np.array([s1, s2])


def wrong_06_7_b(section, x, state):
    """Direct form II, not transposed: the same sound from silence, but other numbers in the state."""
    b0, b1, b2, _, a1, a2 = section
    w1, w2 = state
    y = np.empty(len(x))
    for n, sample in enumerate(x):
        w = sample - a1 * w1 - a2 * w2
        y[n] = b0 * w + b1 * w1 + b2 * w2
        w1, w2 = w, w1
    return y, np.array([w1, w2])


def wrong_06_7_c(section, x, state):
    """Keeps the two numbers in the array that it was given, like an audio callback, and returns that."""
    b0, b1, b2, _, a1, a2 = section
    y = np.empty(len(x))
    for n in range(len(x)):
        y[n] = b0 * x[n] + state[0]
        state[0] = b1 * x[n] - a1 * y[n] + state[1]
        state[1] = b2 * x[n] - a2 * y[n]
    return y, state


def wrong_06_7_d(section, x, state):
    """The output has the type of the input: integers are cut off, and the cut values are fed back."""
    b0, b1, b2, _, a1, a2 = section
    s1, s2 = state
    y = np.empty_like(x)
    for n in range(len(x)):
        y[n] = b0 * x[n] + s1
        s1 = b1 * x[n] - a1 * y[n] + s2
        s2 = b2 * x[n] - a2 * y[n]
    return y, np.array([s1, s2])


def wrong_06_7_e(section, x, state):
    """An empty chunk means that the stream has stopped: the state starts again at zero."""
    if len(x) == 0:
        return np.empty(0), np.zeros(2)
    b0, b1, b2, _, a1, a2 = section
    s1, s2 = state
    y = np.empty(len(x))
    for n, sample in enumerate(x):
        y[n] = b0 * sample + s1
        s1 = b1 * sample - a1 * y[n] + s2
        s2 = b2 * sample - a2 * y[n]
    return y, np.array([s1, s2])


# 06.8 mel_triangles
def wrong_06_8_a(bands, fft_length, sample_rate):
    """Takes the mel scale of HTK, 2595 log10(1 + f / 700), from memory."""
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    points = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    f = np.arange(fft_length // 2 + 1) * sample_rate / fft_length
    left, center, right = points[:-2, None], points[1:-1, None], points[2:, None]
    return np.maximum(0, np.minimum((f - left) / (center - left), (right - f) / (right - center)))


def wrong_06_8_b(bands, fft_length, sample_rate):
    """Scales every triangle to the same area, 2 / (right - left), as librosa does by default."""
    points = mel_to_hz(np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2))
    f = np.fft.rfftfreq(fft_length, 1 / sample_rate)
    left, center, right = points[:-2, None], points[1:-1, None], points[2:, None]
    triangles = np.maximum(0, np.minimum((f - left) / (center - left), (right - f) / (right - center)))
    return triangles * 2 / (right - left)


def wrong_06_8_c(bands, fft_length, sample_rate):
    """Moves the points to whole bins of the transform first, as old speech tools do."""
    points = mel_to_hz(np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2))
    bins = np.floor(points * fft_length / sample_rate).astype(int)
    out = np.zeros((bands, fft_length // 2 + 1))
    for k in range(bands):
        left, center, right = bins[k : k + 3]
        for i in range(left, center):
            out[k, i] = (i - left) / (center - left)
        for i in range(center, right):
            out[k, i] = (right - i) / (right - center)
    return out


def wrong_06_8_d(bands, fft_length, sample_rate):
    """The triangles are straight in mel, not in Hz."""
    mel = np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2)
    f = hz_to_mel(np.arange(fft_length // 2 + 1) * sample_rate / fft_length)
    out = np.empty((bands, len(f)))
    for k in range(bands):
        rising = (f - mel[k]) / (mel[k + 1] - mel[k])
        falling = (mel[k + 2] - f) / (mel[k + 2] - mel[k + 1])
        out[k] = np.clip(np.minimum(rising, falling), 0, None)
    return out


def wrong_06_8_e(bands, fft_length, sample_rate):
    """Spreads the frequencies evenly up to half the rate, as torchaudio does: too wide for an odd length."""
    points = mel_to_hz(np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2))
    f = np.linspace(0, sample_rate / 2, fft_length // 2 + 1)
    out = np.empty((bands, len(f)))
    for k in range(bands):
        left, center, right = points[k : k + 3]
        out[k] = np.maximum(0, np.minimum((f - left) / (center - left), (right - f) / (right - center)))
    return out


# 06.9 to_rgb
def wrong_06_9_a(y, u, v, matrix):
    """Returns blue, green, red, as OpenCV wants its images."""
    u = u.repeat(2, axis=0).repeat(2, axis=1)
    v = v.repeat(2, axis=0).repeat(2, axis=1)
    rgb = np.stack([y, u, v], axis=-1).astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
    rgb = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return rgb[..., ::-1]


def wrong_06_9_b(y, u, v, matrix):
    """Enlarges U and V bilinearly, as cv2.resize does by default: pixels take color from other blocks as well."""

    def enlarged(plane):
        plane = plane.astype(np.float64)
        for axis in (0, 1):
            n = plane.shape[axis]
            at = np.clip((np.arange(2 * n) + 0.5) / 2 - 0.5, 0, n - 1)
            low = np.floor(at).astype(int)
            high = np.minimum(low + 1, n - 1)
            weight = np.expand_dims(at - low, 1 - axis)
            plane = (1 - weight) * plane.take(low, axis=axis) + weight * plane.take(high, axis=axis)
        return plane

    yuv = np.stack([y.astype(np.float64), enlarged(u), enlarged(v)], axis=-1)
    rgb = yuv @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def wrong_06_9_c(y, u, v, matrix):
    """Leaves rounding to the cast, which cuts off."""
    u = np.repeat(np.repeat(u, 2, axis=0), 2, axis=1)
    v = np.repeat(np.repeat(v, 2, axis=0), 2, axis=1)
    rgb = np.stack([y, u, v], axis=-1).astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(rgb, 0, 255).astype(np.uint8)


def wrong_06_9_d(y, u, v, matrix):
    """Keeps the colors to video's range, 16 to 235, which is that of Y and not of RGB."""
    u = np.repeat(np.repeat(u, 2, axis=0), 2, axis=1)
    v = np.repeat(np.repeat(v, 2, axis=0), 2, axis=1)
    yuv = np.stack([y, u, v], axis=-1).astype(np.float64)
    rgb = yuv @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(np.rint(rgb), 16, 235).astype(np.uint8)


def wrong_06_9_e(y, u, v, matrix):
    """Stacks Y, V, U, the order of Android's NV21 and YV12."""
    height, width = y.shape
    rows, columns = np.arange(height)[:, None] // 2, np.arange(width) // 2
    yvu = np.stack([y, v[rows, columns], u[rows, columns]], axis=-1).astype(np.float64)
    rgb = yvu @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


# 06.10 NewestFrames
class wrong_06_10_a:
    """Declares dropped_s in the class, like a member in C++: all queues share one list."""

    dropped_s = []  # noqa: RUF012

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.frames = deque()
        self.last_s = -math.inf

    def put(self, frame):
        if frame.captured_s <= self.last_s:
            raise ValueError("time stamps have to grow")
        if len(self.frames) == self.capacity:
            self.dropped_s.append(self.frames.popleft().captured_s)
        self.frames.append(frame)
        self.last_s = frame.captured_s

    def get(self):
        return self.frames.popleft() if self.frames else None

    def __len__(self):
        return len(self.frames)


class wrong_06_10_b:
    """Compares with the last frame in the queue: once it is empty, any time stamp will do."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.frames = deque()
        self.dropped_s = []

    def put(self, frame):
        if self.frames and frame.captured_s <= self.frames[-1].captured_s:
            raise ValueError("time stamps have to grow")
        if len(self.frames) >= self.capacity:
            oldest = self.frames.popleft()
            self.dropped_s.append(oldest.captured_s)
        self.frames.append(frame)

    def get(self):
        if not self.frames:
            return None
        return self.frames.popleft()

    def __len__(self):
        return len(self.frames)


class wrong_06_10_c:
    """Makes room first and looks at the time stamp afterwards: a refused frame has cost the oldest one."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.queue = deque()
        self.dropped_s = []
        self.last_s = -math.inf

    def put(self, frame):
        while len(self.queue) >= self.capacity:
            self.dropped_s.append(self.queue.popleft().captured_s)
        if frame.captured_s <= self.last_s:
            raise ValueError(f"frame of {frame.captured_s} s after one of {self.last_s} s")
        self.queue.append(frame)
        self.last_s = frame.captured_s

    def get(self):
        return self.queue.popleft() if self.queue else None

    def __len__(self):
        return len(self.queue)


class wrong_06_10_d:
    """Remembers the new time stamp before looking at it: after a refused frame, others too old are accepted."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.frames = deque()
        self.dropped_s = []
        self.last_s = -math.inf

    def put(self, frame):
        previous, self.last_s = self.last_s, frame.captured_s
        if self.last_s <= previous:
            raise ValueError("time stamps have to grow")
        self.frames.append(frame)
        if len(self.frames) > self.capacity:
            self.dropped_s.append(self.frames.popleft().captured_s)

    def get(self):
        return self.frames.popleft() if self.frames else None

    def __len__(self):
        return len(self.frames)


class wrong_06_10_e:
    """Refuses a capacity of 0 only; a negative one comes through."""

    def __init__(self, capacity):
        if not capacity:
            raise ValueError("a queue needs room for a frame")
        self.capacity = capacity
        self.frames = deque()
        self.dropped_s = []
        self.last_s = -math.inf

    def put(self, frame):
        if frame.captured_s <= self.last_s:
            raise ValueError("time stamps have to grow")
        if len(self.frames) >= self.capacity:
            self.dropped_s.append(self.frames.popleft().captured_s)
        self.frames.append(frame)
        self.last_s = frame.captured_s

    def get(self):
        if len(self.frames) == 0:
            return None
        return self.frames.popleft()

    def __len__(self):
        return len(self.frames)


WRONG = {
    "06.1": [wrong_06_1_a, wrong_06_1_b, wrong_06_1_c, wrong_06_1_d, wrong_06_1_e],
    "06.2": [wrong_06_2_a, wrong_06_2_b, wrong_06_2_c, wrong_06_2_d, wrong_06_2_e],
    "06.3": [wrong_06_3_a, wrong_06_3_b, wrong_06_3_c, wrong_06_3_d, wrong_06_3_e],
    "06.4": [wrong_06_4_a, wrong_06_4_b, wrong_06_4_c, wrong_06_4_d, wrong_06_4_e],
    "06.5": [wrong_06_5_a, wrong_06_5_b, wrong_06_5_c, wrong_06_5_d, wrong_06_5_e],
    "06.6": [wrong_06_6_a, wrong_06_6_b, wrong_06_6_c, wrong_06_6_d, wrong_06_6_e],
    "06.7": [wrong_06_7_a, wrong_06_7_b, wrong_06_7_c, wrong_06_7_d, wrong_06_7_e],
    "06.8": [wrong_06_8_a, wrong_06_8_b, wrong_06_8_c, wrong_06_8_d, wrong_06_8_e],
    "06.9": [wrong_06_9_a, wrong_06_9_b, wrong_06_9_c, wrong_06_9_d, wrong_06_9_e],
    "06.10": [wrong_06_10_a, wrong_06_10_b, wrong_06_10_c, wrong_06_10_d, wrong_06_10_e],
}
