"""Wrong answers to lab 06 as learners write them, by people who had not seen the catalogue of mistakes."""

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
    """Puts the new rotation on the left, because it comes later: turns about the world's axes."""
    step = from_rotation_vector(rate * seconds)
    q = multiply(step, q)
    return q / np.linalg.norm(q)


def wrong_06_1_b(q, rate, seconds):
    """Knows that quaternions hold half angles and halves the rotation vector, which the helper does already."""
    half = rate * seconds / 2
    result = multiply(q, from_rotation_vector(half))
    return result / np.linalg.norm(result)


def wrong_06_1_c(q, rate, seconds):
    """Trusts the product of two quaternions to have length 1; a q of another length keeps it."""
    return multiply(q, from_rotation_vector(rate * seconds))


def wrong_06_1_d(q, rate, seconds):
    """Takes the first-order step q + ½ q ⊗ (0, rate) · t of the textbooks: good for small angles only."""
    omega = np.array([0.0, rate[0], rate[1], rate[2]])
    q = q + 0.5 * seconds * multiply(q, omega)
    return q / np.linalg.norm(q)


def wrong_06_1_e(q, rate, seconds):
    """Builds the quaternion from axis and angle, and divides by a rate of zero: NaN."""
    size = np.linalg.norm(rate)
    axis = rate / size
    half = size * seconds / 2
    step = np.concatenate([[math.cos(half)], math.sin(half) * axis])
    result = multiply(q, step)
    return result / np.linalg.norm(result)


# 06.2 upright
def wrong_06_2_a(force):
    """Takes the cross product the other way around, up × force: turns away from up."""
    size = np.linalg.norm(force)
    if not np.isfinite(size) or size == 0:
        raise ValueError("the force points nowhere")
    a, b, c = force / size
    if 1 + c < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    q = np.array([1 + c, -b, a, 0.0])
    return q / np.linalg.norm(q)


def wrong_06_2_b(force):
    """Forgets to divide the force by its size before it takes c for the cosine."""
    if not np.all(np.isfinite(force)) or np.linalg.norm(force) == 0:
        raise ValueError("force must be finite and not zero")
    a, b, c = force
    if a == 0 and b == 0 and c < 0:
        return np.array([0.0, 1.0, 0.0, 0.0])
    q = np.array([1 + c, b, -a, 0.0])
    return q / np.linalg.norm(q)


def wrong_06_2_c(force):
    """Refuses a force of zero, and lets NaN and infinity through: NaN comes out."""
    size = np.linalg.norm(force)
    if size == 0:
        raise ValueError("a force of zero points nowhere")
    a, b, c = force / size
    if 1 + c < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    q = np.array([1 + c, b, -a, 0.0])
    return q / np.linalg.norm(q)


def wrong_06_2_d(force):
    """Sees that a force straight down gives no axis, and returns "no rotation" for it."""
    size = np.linalg.norm(force)
    if size == 0 or not np.isfinite(size):
        raise ValueError("no direction")
    a, b, c = force / size
    q = np.array([1 + c, b, -a, 0.0])
    if 1 + c < 1e-9:
        return np.array([1.0, 0.0, 0.0, 0.0])
    return q / np.linalg.norm(q)


def wrong_06_2_e(force):
    """Goes by axis and angle, and puts the whole angle into the quaternion instead of half of it."""
    if not np.isfinite(force).all() or not np.any(force):
        raise ValueError("the force has no direction")
    a, b, c = force / np.linalg.norm(force)
    if 1 + c < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    horizontal = math.hypot(a, b)
    if horizontal == 0:
        return np.array([1.0, 0.0, 0.0, 0.0])
    angle = math.atan2(horizontal, c)
    axis = np.array([b, -a, 0.0]) / horizontal
    return np.concatenate([[math.cos(angle)], math.sin(angle) * axis])


# 06.3 complementary
def wrong_06_3_a(gyr, acc, seconds, tilt_time):
    """Turns from sample n − 1 to n by the rate n − 1: uses the first rate and never the last."""
    part = 1 - math.exp(-seconds / tilt_time)
    result = np.empty((len(gyr), 4))
    q = upright(acc[0])
    result[0] = q
    for n in range(1, len(gyr)):
        q = turned(q, gyr[n - 1], seconds)
        if not np.isnan(acc[n]).any():
            error = to_rotation_vector(upright(rotate(q, acc[n])))
            q = multiply(from_rotation_vector(part * error), q)
        result[n] = q
    return result


def wrong_06_3_b(gyr, acc, seconds, tilt_time):
    """Appends the correction on the right, as the gyroscope's turn: a rotation in the phone's frame."""
    part = 1 - math.exp(-seconds / tilt_time)
    q = upright(acc[0])
    orientations = [q]
    for rate, force in zip(gyr[1:], acc[1:], strict=True):
        q = turned(q, rate, seconds)
        if not np.isnan(force).any():
            error = to_rotation_vector(upright(rotate(q, force)))
            q = multiply(q, from_rotation_vector(part * error))
        orientations.append(q)
    return np.array(orientations)


def wrong_06_3_c(gyr, acc, seconds, tilt_time):
    """Skips the whole step where the force is NaN, and with it the gyroscope's turn."""
    part = 1 - np.exp(-seconds / tilt_time)
    out = np.zeros((len(acc), 4))
    q = upright(acc[0])
    out[0] = q
    for n in range(1, len(acc)):
        if np.any(np.isnan(acc[n])):
            out[n] = q
            continue
        q = turned(q, gyr[n], seconds)
        error = to_rotation_vector(upright(rotate(q, acc[n])))
        q = multiply(from_rotation_vector(part * error), q)
        out[n] = q
    return out


def wrong_06_3_d(gyr, acc, seconds, tilt_time):
    """Takes the part seconds / (tilt_time + seconds) from a tutorial; nearly the same for short intervals only."""
    alpha = tilt_time / (tilt_time + seconds)
    q = upright(acc[0])
    out = [q]
    for n in range(1, len(gyr)):
        q = turned(q, gyr[n], seconds)
        if not np.isnan(acc[n]).any():
            error = to_rotation_vector(upright(rotate(q, acc[n])))
            q = multiply(from_rotation_vector((1 - alpha) * error), q)
        out.append(q)
    return np.stack(out)


def wrong_06_3_e(gyr, acc, seconds, tilt_time):
    """Turns the force into the world with the orientation before the gyroscope's turn, and corrects with that error."""
    part = 1 - math.exp(-seconds / tilt_time)
    out = np.empty((len(gyr), 4))
    out[0] = upright(acc[0])
    for n in range(1, len(gyr)):
        q = turned(out[n - 1], gyr[n], seconds)
        if not np.isnan(acc[n]).any():
            error = to_rotation_vector(upright(rotate(out[n - 1], acc[n])))
            q = multiply(from_rotation_vector(part * error), q)
        out[n] = q
    return out


# 06.4 heading_error
def wrong_06_4_a(q, mag):
    """Writes arctan2(north, east), as for y and x: the angle from east, not from north."""
    if np.isnan(mag).any():
        return 0.0
    east, north, _ = rotate(q, mag)
    if east == 0 and north == 0:
        return 0.0
    return float(np.arctan2(north, east))


def wrong_06_4_b(q, mag):
    """Returns by how much the field is turned, counterclockwise from north, and not the turn that undoes it."""
    if np.isnan(mag).any():
        return 0.0
    east, north, _ = rotate(q, mag)
    if math.hypot(east, north) == 0:
        return 0.0
    return float(np.arctan2(-east, north))


def wrong_06_4_c(q, mag):
    """Turns with the conjugate: from the world into the phone instead of the other way."""
    if np.isnan(mag).any():
        return 0.0
    east, north, _ = rotate(conjugate(q), mag)
    if east == 0 and north == 0:
        return 0.0
    return float(np.arctan2(east, north))


def wrong_06_4_d(q, mag):
    """Cares for a vertical field only; a reading with NaN gives NaN."""
    east, north, _ = rotate(q, mag)
    if east == 0 and north == 0:
        return 0.0
    return float(np.arctan2(east, north))


def wrong_06_4_e(q, mag):
    """Takes the arc tangent of the quotient: a field that points to the south looks as if it pointed north."""
    if np.isnan(mag).any():
        return 0.0
    east, north, _ = rotate(q, mag)
    if north == 0:
        return float(np.sign(east) * np.pi / 2)
    return float(np.arctan(east / north))


# 06.5 kalman_step
def wrong_06_5_a(state, covariance, t, z, s, d):
    """Compares the measurement with the position before the prediction."""
    F = np.array([[1, t], [0, 1]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    predicted = F @ state
    covariance = F @ covariance @ F.T + Q
    if np.isnan(z):
        return predicted, covariance
    K = covariance[:, 0] / (covariance[0, 0] + s**2)
    predicted = predicted + K * (z - state[0])
    covariance = (np.eye(2) - np.outer(K, [1, 0])) @ covariance
    return predicted, covariance


def wrong_06_5_b(state, covariance, t, z, s, d):
    """Adds the standard deviation s, not its square, to the variance in the gain."""
    F = np.array([[1, t], [0, 1]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state = F @ state
    covariance = F @ covariance @ F.T + Q
    if not np.isnan(z):
        K = covariance[:, 0] / (covariance[0, 0] + s)
        state = state + K * (z - state[0])
        covariance = (np.eye(2) - np.outer(K, [1, 0])) @ covariance
    return state, covariance


def wrong_06_5_c(state, covariance, t, z, s, d):
    """Takes the density d for a variance already and does not square it."""
    F = np.array([[1, t], [0, 1]])
    Q = d * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state = F @ state
    covariance = F @ covariance @ F.T + Q
    if not np.isnan(z):
        K = covariance[:, 0] / (covariance[0, 0] + s**2)
        state = state + K * (z - state[0])
        covariance = (np.eye(2) - np.outer(K, [1, 0])) @ covariance
    return state, covariance


def wrong_06_5_d(state, covariance, t, z, s, d):
    """Returns at once where nothing was measured: no update, and no prediction either."""
    if np.isnan(z):
        return state.copy(), covariance.copy()
    F = np.array([[1, t], [0, 1]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state = F @ state
    covariance = F @ covariance @ F.T + Q
    K = covariance[:, 0] / (covariance[0, 0] + s**2)
    state = state + K * (z - state[0])
    covariance = (np.eye(2) - np.outer(K, [1, 0])) @ covariance
    return state, covariance


def wrong_06_5_e(state, covariance, t, z, s, d):
    """Moves the position within the given array; the caller's state changes."""
    F = np.array([[1, t], [0, 1]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state[0] += state[1] * t
    covariance = F @ covariance @ F.T + Q
    if not np.isnan(z):
        K = covariance[:, 0] / (covariance[0, 0] + s**2)
        state += K * (z - state[0])
        covariance = (np.eye(2) - np.outer(K, [1, 0])) @ covariance
    return state, covariance


# 06.6 gate
def wrong_06_6_a(residual, S, share):
    """Divides each square by its variance on the diagonal; numbers off the diagonal do not count."""
    distance = float(np.sum(residual**2 / np.diag(S)))
    return distance, bool(distance <= chi2.ppf(share, len(residual)))


def wrong_06_6_b(residual, S, share):
    """Takes the root for a Mahalanobis distance: returns it unsquared, and compares that with the bound."""
    distance = float(np.sqrt(residual @ np.linalg.solve(S, residual)))
    return distance, bool(distance <= chi2.ppf(share, len(residual)))


def wrong_06_6_c(residual, S, share):
    """Takes 2 degrees of freedom, as in the worked number, for residuals of every length."""
    distance = float(residual @ np.linalg.solve(S, residual))
    bound = chi2.ppf(share, 2)
    return distance, bool(distance <= bound)


def wrong_06_6_d(residual, S, share):
    """Asks for the bound at 1 − share, as if share were the share of bad fixes."""
    distance = float(residual @ np.linalg.solve(S, residual))
    bound = chi2.ppf(1 - share, len(residual))
    return distance, bool(distance <= bound)


def wrong_06_6_e(residual, S, share):
    """Asks whether to refuse and turns the answer around: NaN is never above the bound, so it is accepted."""
    distance = float(residual @ np.linalg.solve(S, residual))
    refused = distance > chi2.ppf(share, len(residual))
    return distance, not refused


# 06.7 biquad
def wrong_06_7_a(section, x, state):
    """Computes s2 before s1, which then takes the new s2."""
    b0, b1, b2, _, a1, a2 = section
    s1, s2 = state
    y = np.empty(len(x))
    for n in range(len(x)):
        y[n] = b0 * x[n] + s1
        s2 = b2 * x[n] - a2 * y[n]
        s1 = b1 * x[n] - a1 * y[n] + s2
    return y, np.array([s1, s2])


def wrong_06_7_b(section, x, state):
    """Adds the feedback terms, as with the signs of another book."""
    b0, b1, b2, _, a1, a2 = section
    s1, s2 = state
    y = np.empty(len(x))
    for n, sample in enumerate(x):
        y[n] = b0 * sample + s1
        s1 = b1 * sample + a1 * y[n] + s2
        s2 = b2 * sample + a2 * y[n]
    return y, np.array([s1, s2])


def wrong_06_7_c(section, x, state):
    """Counts the section as b0, b1, b2, a1, a2 and takes a0 = 1 for a1."""
    b0, b1, b2, a1, a2 = section[:5]
    s1, s2 = state
    y = np.empty(len(x))
    for n in range(len(x)):
        y[n] = b0 * x[n] + s1
        s1 = b1 * x[n] - a1 * y[n] + s2
        s2 = b2 * x[n] - a2 * y[n]
    return y, np.array([s1, s2])


def wrong_06_7_d(section, x, state):
    """Keeps s1 and s2 in the given state and returns the same array: the caller's state changes."""
    b0, b1, b2, _, a1, a2 = section
    y = np.empty(len(x))
    for n in range(len(x)):
        y[n] = b0 * x[n] + state[0]
        state[0] = b1 * x[n] - a1 * y[n] + state[1]
        state[1] = b2 * x[n] - a2 * y[n]
    return y, state


def wrong_06_7_e(section, x, state):
    """Makes the output with empty_like: for a chunk of integers it is cut off to integers, also in the feedback."""
    b0, b1, b2, _, a1, a2 = section
    s1, s2 = state
    y = np.empty_like(x)
    for n in range(len(x)):
        y[n] = b0 * x[n] + s1
        s1 = b1 * x[n] - a1 * y[n] + s2
        s2 = b2 * x[n] - a2 * y[n]
    return y, np.array([s1, s2])


# 06.8 mel_triangles
def wrong_06_8_a(bands, fft_length, sample_rate):
    """Turns the ends into mel and back at once: the points are at equal distances in Hz."""
    low, high = mel_to_hz(hz_to_mel(0)), mel_to_hz(hz_to_mel(sample_rate / 2))
    points = np.linspace(low, high, bands + 2)
    f = np.arange(fft_length // 2 + 1) * sample_rate / fft_length
    triangles = np.zeros((bands, len(f)))
    for k in range(bands):
        left, center, right = points[k : k + 3]
        triangles[k] = np.maximum(0, np.minimum((f - left) / (center - left), (right - f) / (right - center)))
    return triangles


def wrong_06_8_b(bands, fft_length, sample_rate):
    """Moves the points to whole bins of the transform first, as a well-known tutorial does."""
    points = mel_to_hz(np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2))
    bins = np.floor((fft_length + 1) * points / sample_rate).astype(int)
    triangles = np.zeros((bands, fft_length // 2 + 1))
    for m in range(1, bands + 1):
        left, center, right = bins[m - 1], bins[m], bins[m + 1]
        for k in range(left, center):
            triangles[m - 1, k] = (k - left) / (center - left)
        for k in range(center, right):
            triangles[m - 1, k] = (right - k) / (right - center)
    return triangles


def wrong_06_8_c(bands, fft_length, sample_rate):
    """Leaves out the end point of the frequencies: the last is below sample_rate / 2, and all are a little low."""
    points = mel_to_hz(np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2))
    f = np.linspace(0, sample_rate / 2, fft_length // 2 + 1, endpoint=False)
    left, center, right = points[:-2, None], points[1:-1, None], points[2:, None]
    rising = (f - left) / (center - left)
    falling = (right - f) / (right - center)
    return np.maximum(0, np.minimum(rising, falling))


def wrong_06_8_d(bands, fft_length, sample_rate):
    """Scales each triangle to the same area, 2 / (right − left), as audio libraries do by default."""
    points = mel_to_hz(np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2))
    f = np.fft.rfftfreq(fft_length, 1 / sample_rate)
    out = []
    for left, center, right in zip(points[:-2], points[1:-1], points[2:], strict=True):
        triangle = np.minimum((f - left) / (center - left), (right - f) / (right - center))
        out.append(np.maximum(triangle, 0) * 2 / (right - left))
    return np.array(out)


def wrong_06_8_e(bands, fft_length, sample_rate):
    """Never turns the points back into Hz: the sides of the triangles are straight in mel."""
    points = np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2)
    f = hz_to_mel(np.arange(fft_length // 2 + 1) * sample_rate / fft_length)
    triangles = np.zeros((bands, len(f)))
    for k in range(bands):
        left, center, right = points[k], points[k + 1], points[k + 2]
        triangles[k] = np.clip(np.minimum((f - left) / (center - left), (right - f) / (right - center)), 0, None)
    return triangles


# 06.9 to_rgb
def wrong_06_9_a(y, u, v, matrix):
    """Tiles U and V instead of repeating each: four small copies of the colors lie side by side."""
    yuv = np.stack([y, np.tile(u, (2, 2)), np.tile(v, (2, 2))], axis=-1).astype(np.float64)
    rgb = yuv @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def wrong_06_9_b(y, u, v, matrix):
    """Clips and casts without rounding: everything is cut off to the number below."""
    u = np.repeat(np.repeat(u, 2, axis=0), 2, axis=1)
    v = np.repeat(np.repeat(v, 2, axis=0), 2, axis=1)
    rgb = np.stack([y, u, v], axis=-1).astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(rgb, 0, 255).astype(np.uint8)


def wrong_06_9_c(y, u, v, matrix):
    """Clips after the cast to uint8: by then 307 has become 51."""
    u = np.repeat(np.repeat(u, 2, axis=0), 2, axis=1)
    v = np.repeat(np.repeat(v, 2, axis=0), 2, axis=1)
    rgb = np.stack([y, u, v], axis=-1).astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(np.rint(rgb).astype(int).astype(np.uint8), 0, 255)


def wrong_06_9_d(y, u, v, matrix):
    """Stacks Y, V, U, in the order of YCrCb: red and blue take each other's color."""
    height, width = y.shape
    yuv = np.empty((height, width, 3))
    yuv[..., 0] = y
    yuv[..., 1] = v.repeat(2, axis=0).repeat(2, axis=1)
    yuv[..., 2] = u.repeat(2, axis=0).repeat(2, axis=1)
    rgb = yuv @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def wrong_06_9_e(y, u, v, matrix):
    """Forgets to transpose the matrix: multiplies by its columns instead of its rows."""
    u = np.repeat(np.repeat(u, 2, axis=0), 2, axis=1)
    v = np.repeat(np.repeat(v, 2, axis=0), 2, axis=1)
    yuv = np.stack([y, u, v], axis=-1).astype(np.float64)
    rgb = yuv @ matrix[:, :3] + matrix[:, 3]
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


# 06.10 NewestFrames
class wrong_06_10_a:
    """Hands out the newest frame first, since a fresh frame is worth more."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.frames = deque()
        self.dropped_s = []
        self.last_s = -math.inf

    def put(self, frame):
        if frame.captured_s <= self.last_s:
            raise ValueError("time stamps have to grow")
        if len(self.frames) == self.capacity:
            self.dropped_s.append(self.frames.popleft().captured_s)
        self.frames.append(frame)
        self.last_s = frame.captured_s

    def get(self):
        return self.frames.pop() if self.frames else None

    def __len__(self):
        return len(self.frames)


class wrong_06_10_b:
    """Compares with the last frame in the queue; once that has been taken out, an older one may follow."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.queue = deque()
        self.dropped_s = []

    def put(self, frame):
        if self.queue and frame.captured_s <= self.queue[-1].captured_s:
            raise ValueError("frame is not later than the last one")
        if len(self.queue) >= self.capacity:
            oldest = self.queue.popleft()
            self.dropped_s.append(oldest.captured_s)
        self.queue.append(frame)

    def get(self):
        if not self.queue:
            return None
        return self.queue.popleft()

    def __len__(self):
        return len(self.queue)


class wrong_06_10_c:
    """Makes room first and looks at the time stamp afterwards: a refused frame has dropped another."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity below 1")
        self.capacity = capacity
        self.frames = deque()
        self.dropped_s = []
        self.last_s = -math.inf

    def put(self, frame):
        if len(self.frames) >= self.capacity:
            self.dropped_s.append(self.frames.popleft().captured_s)
        if frame.captured_s <= self.last_s:
            raise ValueError("time stamps have to grow")
        self.last_s = frame.captured_s
        self.frames.append(frame)

    def get(self):
        if len(self.frames) == 0:
            return None
        return self.frames.popleft()

    def __len__(self):
        return len(self.frames)


class wrong_06_10_d:
    """Refuses only frames that are earlier than the last; the same time stamp again passes."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be 1 or more")
        self.capacity = capacity
        self.frames = deque()
        self.dropped_s = []
        self.last_s = -math.inf

    def put(self, frame):
        if frame.captured_s < self.last_s:
            raise ValueError("frames must come in order")
        self.last_s = frame.captured_s
        if len(self.frames) == self.capacity:
            self.dropped_s.append(self.frames.popleft().captured_s)
        self.frames.append(frame)

    def get(self):
        return self.frames.popleft() if self.frames else None

    def __len__(self):
        return len(self.frames)


class wrong_06_10_e:
    """Writes dropped_s into the class instead of __init__: all queues share one list."""

    last_s = -math.inf
    dropped_s = []  # noqa: RUF012 (the mistake itself)

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.frames = deque()

    def put(self, frame):
        if frame.captured_s <= self.last_s:
            raise ValueError("captured_s has to grow")
        if len(self.frames) == self.capacity:
            self.dropped_s.append(self.frames.popleft().captured_s)
        self.frames.append(frame)
        self.last_s = frame.captured_s

    def get(self):
        if self.frames:
            return self.frames.popleft()
        return None

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
