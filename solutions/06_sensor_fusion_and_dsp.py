# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Lab 06: Sensor fusion and signal processing
#
# A phone is a bundle of cheap sensors, and each of them lies in its own way. The gyroscope drifts, the accelerometer takes a
# shake for gravity, the compass believes any magnet, GPS jumps, the microphone hears the room, and the camera never waits. In
# this lab you find out how each of them is wrong, and let them correct each other.
#
# **You will leave with** an orientation filter in C that turns out the same numbers as its Python source, a keyword spotter
# whose file takes raw sound, and a pipeline that prepares 60 frames a second.
#
# **Time**: 75 minutes; the parts marked *extra* take 20 more. **Before**: Python, NumPy, matrices, what a covariance and a
# decibel are; lab 01 (p90, int8). **Skills covered**: area 6 of 25, data pipelines and sensor fusion: accelerometer,
# gyroscope, magnetometer, GPS, microphone, camera and LIDAR; fusion of camera and IMU; filtering of sound and motion; frames
# at 60 per second.

# %%
from pocketlab.course import Lab

lab = Lab("06")

# %% [markdown]
# ## 1. The baseline
#
# A phone in three motions: turned in the hand, shaken without turning much, and moved about, with a magnet clipped to it
# after 20 s. They are simulated from physics, so that the true orientation is known. The noise of gyroscope and accelerometer
# is that of a phone's sensor (data sheet of BMI160); biases, errors of scale and the bends of the earth's field in rooms were
# chosen to be of a phone's order. 60 seconds each, 100 samples a second.

# %% tags=["nbval-check-output"]
import numpy as np

from pocketlab.data.motion import simulate_motion

RATE = 100.0
MINUTE = {"duration_s": 60, "sample_rate_hz": RATE}
MAGNET = {"disturbance": "attached_magnet", "magnet_distance_m": 0.02, "magnet_s": (20, 60)}
motions = {
    "turned": simulate_motion("rotation", "slow", **MINUTE, seed=0),
    "shaken": simulate_motion("translation", "fast", **MINUTE, seed=1),
    "magnet": simulate_motion("combined", "slow", **MINUTE, seed=2, **MAGNET),
}
for name, motion in motions.items():
    rate, force, field = (np.linalg.norm(x, axis=1) for x in (motion.gyr, motion.acc, motion.mag))
    ranges = f"{force.min():.1f} to {force.max():.1f} m/s², {field.min():.0f} to {field.max():.0f} µT"
    print(f"{name}: up to {np.degrees(rate.max()):.0f} °/s, {ranges}")

# %% [markdown]
# The magnet makes the field anything from nearly nothing to twice the earth's. `motion.gyr`, `.acc` and `.mag` are what the
# sensors say, (N, 3) each; `motion.quat` is the truth: quaternions, w first, that turn vectors of the phone into the world's
# east, north and up. The simplest orientation filter is none: begin with the first reading of gravity and compass, and add up
# what the gyroscope says. Errors are angles in degrees, as root mean squares over the time in which the phone moves: of the
# whole orientation, and of its two parts, heading (which way it faces, seen from above) and inclination (how it is tilted
# against the vertical).

# %%
import time

from IPython.display import display

from pocketlab.data.quaternions import angle_between, errors_in_degrees
from pocketlab.signals.imu import estimate_orientation
from pocketlab.ui.table import Column, table

PARTS = [Column(part, "°", 2) for part in ("total", "heading", "inclination")]
COLUMNS = ["method", *PARTS, Column("a sample", "µs", 2)]


def judged(name, motion, quat, seconds=np.nan):
    """A row for the table: root mean squares of the errors while the phone moves, and the time for a sample."""
    rms = np.sqrt(np.nanmean(errors_in_degrees(quat, motion.quat)[motion.movement] ** 2, axis=0))
    return name, *rms, 1e6 * seconds / len(quat)


def estimated(motion, method, **settings):
    """Return the orientations by a method of the library, and the seconds that it took."""
    sensors = {"sample_rate_hz": motion.sample_rate_hz, "method": method, **settings}
    estimate_orientation(motion.gyr[:500], motion.acc[:500], motion.mag[:500], **sensors)  # compiles
    begun = time.perf_counter()
    quat = estimate_orientation(motion.gyr, motion.acc, motion.mag, **sensors)
    return quat, time.perf_counter() - begun


baseline = [judged(name, motion, *estimated(motion, "integration")) for name, motion in motions.items()]
table(baseline, ["motion", *COLUMNS[1:]], caption="The gyroscope alone, after one look at gravity and compass")

# %% [markdown]
# Degrees after a minute, and nothing that would ever take them away. Where do they come from?
#
# ## 2. Integrate, and drift
#
# An orientation is a rotation: about some axis, by some angle. A *quaternion* writes it as four numbers, the cosine of half
# the angle and the axis times the sine of half the angle. A quarter turn about z is (cos 45°, 0, 0, sin 45°). Multiplying two
# of them does one rotation after the other, and dividing by the length keeps rounding errors out; matrices would need nine
# numbers and more care.

# %%
from pocketlab.data.quaternions import conjugate, from_rotation_vector, multiply, rotate, to_rotation_vector

# %% [markdown]
# ### Exercise 06.1: turn by what the gyroscope says   (difficulty 2/5, about 5 minutes)
# A gyroscope says how fast the phone turns about *its own* axes, in rad/s. Over one sampling interval take the rate as
# constant: the phone turns about the axis `rate` by the angle |rate| · seconds. Return the orientation afterwards, of
# length 1. A rate of zero leaves q as it is.
#
# Quaternions are arrays (4,), w first; the orientation q of a phone turns vectors of the phone's frame into the
# world's: east, north, up. Given are `multiply(p, q)` (first the rotation q, then p), `conjugate(q)`, `rotate(q, v)`
# (v turned by q), `from_rotation_vector(v)` (axis times angle in rad → quaternion) and `to_rotation_vector(q)`, its
# inverse.
#
# A worked number: from q = (1, 0, 0, 0), half a second at (0, 0, π) is a quarter turn about z: (0.7071, 0, 0, 0.7071).
# If the phone stood on its edge before, q = (0.7071, 0.7071, 0, 0), the same rate turns about the phone's z axis,
# which now is horizontal: (0.5, 0.5, −0.5, 0.5).
#
# <details><summary>Hint 1</summary>The rotation of one interval is <code>from_rotation_vector(rate * seconds)</code>.
# </details>
# <details><summary>Hint 2</summary>It happens in the phone's frame, so it is the first to act on a vector of the
# phone: it stands on the right of q.</details>
# <details><summary>Hint 3</summary>Rounding errors add up over thousands of samples: divide by
# <code>np.linalg.norm</code> of the result.</details>

# %%
def turned(q, rate, seconds):
    """Return the orientation (4,) after turning from q (4,) for some seconds at a rate (3,).

    rate: in rad/s, about the phone's axes.
    """
    ### BEGIN SOLUTION
    #: # result = ...   # q and the rotation of the interval, joined in the right order
    #: # return ...   # of length 1
    result = multiply(q, from_rotation_vector(rate * seconds))
    return result / np.linalg.norm(result)
    ### END SOLUTION


turned = lab.check("06.1", turned)

# %%
lab.predict("06.P1")

# %%
from dataclasses import replace

from pocketlab.data.inertial import PHONE, measure_motion
from pocketlab.ui.motion import orientation_errors


def integrated(gyr, start):
    """Return orientations (N, 4): `start`, then turned by each sample in turn."""
    quat = [start]
    for rate in gyr[1:]:
        quat.append(turned(quat[-1], rate, 1 / RATE))
    return np.array(quat)


def lies_still(seconds, rate_hz, noise=PHONE):
    """Return what the sensors of a phone say that lies on a table."""
    samples = int(seconds * rate_hz)
    level, rng = np.tile([1.0, 0, 0, 0], (samples, 1)), np.random.default_rng(0)
    return measure_motion(np.zeros((samples, 3)), level, sample_rate_hz=rate_hz, noise=noise, rng=rng)


gyr = lies_still(60, RATE, replace(PHONE, gyr_bias=0.0)).gyr + np.radians([0, 0, 0.3])
level = np.array([1.0, 0, 0, 0])
drift = {
    "as measured": integrated(gyr, level),
    "less the mean of the first 3 s": integrated(gyr - gyr[:300].mean(axis=0), level),
}
off = {name: np.degrees(2 * np.arccos(np.minimum(1, np.abs(quat[:, 0])))) for name, quat in drift.items()}
print("after a minute on the table:", ", ".join(f"{name} {error[-1]:.2f}°" for name, error in off.items()))
orientation_errors(off, RATE)

# %%
lab.reveal("06.P1")

# %% [markdown]
# Nothing moved, and the heading is off by what the *bias* of the gyroscope adds up to. Its mean at rest, taken off, leaves
# a small part of that. Does it mend the baseline as well?

# %%
motion = motions["turned"]
bias = motion.gyr[: int(3 * RATE)].mean(axis=0)  # it lies still at first
versions = (("as measured", motion.gyr), ("less the mean at rest", motion.gyr - bias))
rows = [judged(name, motion, integrated(rates, motion.quat[0]))[:4] for name, rates in versions]
table(rows, COLUMNS[:4], caption="Turned: your integration, from the true orientation on")

# %% [markdown]
# Most of it was bias. What is left no mean at rest can remove: a scale that is off by half a percent is two degrees in each
# full turn, and the bias itself wanders.
#
# How long should one average to know a bias? Average over τ seconds, again over the next τ, and see how much the two differ:
# that is the *Allan deviation* at τ. Here for two simulated hours on the table.

# %%
from pocketlab.signals.calibration import allan_deviation, noise_figures
from pocketlab.ui.signals import allan

tau, deviation = allan_deviation(np.degrees(lies_still(7200, 10).gyr[:, 0]), 10)
print(f"two neighboring means differ least when each is over {tau[deviation.argmin()]:.1f} s")
allan(tau, deviation, noise_figures(tau, deviation), unit="°/s")

# %% [markdown]
# On the left the curve falls with one over the root of τ: noise, which averaging removes. On the right it rises: the bias walks
# away while you average. Between them lies the time over which this gyroscope is known best. A filter that
# learns the bias once and keeps it is right for minutes, not for hours.
#
# ## 3. Gravity and north
#
# Gravity does not drift. An accelerometer at rest measures which way is up, at any time, without a memory.

# %% [markdown]
# ### Exercise 06.2: which way is up   (difficulty 3/5, about 6 minutes)
# At rest an accelerometer measures the table that pushes the phone up: 9.8 m/s², upwards. Return the shortest rotation
# that turns the measured force to the world's up, (0, 0, 1). Its axis is horizontal: the last component of the
# quaternion is 0. Only the direction counts, not the size. If the force points straight down, every horizontal axis is
# as short: take x, so (0, 1, 0, 0). A force of zero, or one with NaN or infinity in it, points nowhere: raise a
# ValueError.
#
# A worked number: (0, 9.8, 0), a phone held upright, gives (0.7071, 0.7071, 0, 0): a quarter turn about x.
#
# <details><summary>Hint 1</summary>The axis is the cross product of the measured direction with up, (a, b, c) × (0, 0,
# 1) = (b, −a, 0); the cosine of the angle is c.</details>
# <details><summary>Hint 2</summary>A quaternion has cos(angle/2) and sin(angle/2) times the axis. There is a way
# without angles: (1 + c, b, −a, 0), divided by its norm.</details>
# <details><summary>Hint 3</summary>That is 0/0 where c is −1. Treat 1 + c below 1e-9 as straight down.</details>

# %%
def upright(force):
    """Return the shortest rotation (4,) that turns a force (3,), in m/s², to up.

    Raises ValueError for one that points nowhere.
    """
    ### BEGIN SOLUTION
    #: # if ...:
    #: #     raise ValueError(...)
    #: # a, b, c = ...   # the direction of the force
    #: # if ...:   # straight down
    #: #     return ...
    #: # ...
    if not np.isfinite(force).all() or not force.any():
        raise ValueError(f"a force of {force} points nowhere")
    a, b, c = force / np.linalg.norm(force)
    if 1 + c < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    q = np.array([1 + c, b, -a, 0.0])
    return q / np.linalg.norm(q)
    ### END SOLUTION


upright = lab.check("06.2", upright)

# %% [markdown]
# ### Exercise 06.3: a complementary filter   (difficulty 4/5, about 10 minutes)
# The gyroscope is right at once and drifts; gravity is right on average and is shaken. A *complementary filter* takes
# the fast part from the one and the slow part from the other. Begin with `upright` of the first force. For each later
# sample: turn by the gyroscope's rate; then see where the measured force, turned into the world, points; the shortest
# rotation that would bring it to up is the error. Of that rotation take the part 1 − exp(−seconds/tilt_time), the same
# axis and that part of the angle. It is a rotation in the *world's* frame. A force with NaN in it corrects nothing in
# its step.
#
# A worked number: at 100 samples per second and a tilt time of 3 s, each sample takes away 0.33 % of the error. After
# 3 s, 37 % is left.
#
# Given are `turned` and `upright`, 06.1 and 06.2.
#
# <details><summary>Hint 1</summary>The loop: <code>q = turned(q, gyr[n], seconds)</code>, then the correction, then
# store q. The first rate is not used.</details>
# <details><summary>Hint 2</summary>The error is <code>upright(rotate(q, acc[n]))</code>; as a rotation vector,
# <code>to_rotation_vector(…)</code>, it can be multiplied by the part.</details>
# <details><summary>Hint 3</summary><code>q = multiply(from_rotation_vector(part * error), q)</code>: the correction
# acts last, so it stands on the left.</details>

# %%
def complementary(gyr, acc, seconds, tilt_time):
    """Return the orientations (N, 4) from rates gyr (N, 3) in rad/s and forces acc (N, 3) in m/s², `seconds` apart.

    tilt_time: in s. The first force is always a number.
    """
    ### BEGIN SOLUTION
    #: # part = ...
    #: # q = upright(acc[0])
    #: # orientations = [q]
    #: # for n in range(1, len(gyr)):
    #: #     q = ...   # turned by the gyroscope
    #: #     if ...:   # the force is a number
    #: #         q = ...   # corrected by a part of the error
    #: #     orientations.append(q)
    #: # return np.array(orientations)
    part = 1 - np.exp(-seconds / tilt_time)
    q = upright(acc[0])
    orientations = [q]
    for n in range(1, len(gyr)):
        q = turned(q, gyr[n], seconds)
        if not np.isnan(acc[n]).any():
            error = to_rotation_vector(upright(rotate(q, acc[n])))
            q = multiply(from_rotation_vector(part * error), q)
        orientations.append(q)
    return np.array(orientations)
    ### END SOLUTION


complementary = lab.check("06.3", complementary)

# %%
lab.predict("06.P2")

# %%
rows = []
for tilt_time in (0.1, 1, 3, 10, 30):
    row = [tilt_time]
    for name in ("turned", "shaken"):
        motion = motions[name]
        quat = complementary(motion.gyr, motion.acc, 1 / RATE, tilt_time)
        row.append(judged("", motion, quat)[3])
    rows.append(row)
columns = [Column("tilt time", "s"), Column("turned", "°", 2), Column("shaken", "°", 2)]
table(rows, columns, caption="Inclination, by your filter")

# %%
lab.reveal("06.P2")

# %% [markdown]
# Read the columns: each has its smallest error at another time. Short times take the shaking for gravity, long ones leave
# the drift. There is no right time for all motions, and that is what the filters of section 4 are about.
#
# The heading is another matter.

# %%
quat = complementary(motions["turned"].gyr, motions["turned"].acc, 1 / RATE, 3.0)
row = judged("complementary, gravity only", motions["turned"], quat)[:4]
table([row], COLUMNS[:4], caption="Turned, with gravity alone")

# %% [markdown]
# The inclination is right to about a degree, and the heading is off by whatever it was at the start, and drifts. Gravity
# looks the same from all sides: turn a phone on the table, and its accelerometer reads the same as before. North has to come
# from the earth's field.

# %% [markdown]
# ### Exercise 06.4: where is north   (difficulty 3/5, about 6 minutes)
# Gravity does not say which way the phone faces. The earth's field does: its horizontal part points north, and it dips
# into the ground besides (in Europe by 60 to 70 degrees), so its direction alone is no compass. Turn the reading into
# the world with q, drop the vertical part, and return the angle in rad, from −π to π, by which q has to be turned
# about up (counterclockwise seen from above is positive) so that the horizontal part points north. A reading with NaN
# in it, or with no horizontal part at all, says nothing: return 0.0.
#
# A worked number: with q = (1, 0, 0, 0) a reading of (20, 0, −40) µT points east, where it should point north: a
# quarter turn counterclockwise, +1.5708.
#
# <details><summary>Hint 1</summary><code>east, north, _ = rotate(q, mag)</code>.</details>
# <details><summary>Hint 2</summary>A field that points a little to the east of north needs a small positive
# (counterclockwise) turn: the angle is that of <code>np.arctan2(east, north)</code>.</details>

# %%
def heading_error(q, mag):
    """Return the angle in rad, a float, that turns q (4,) about up so that the field mag (3,), in µT, points north."""
    ### BEGIN SOLUTION
    #: # east, north, _ = ...   # the field in the world
    #: # if ...:   # it says nothing
    #: #     return 0.0
    #: # return ...
    east, north, _ = rotate(q, mag)
    if np.isnan(mag).any() or east == north == 0:
        return 0.0
    return np.arctan2(east, north)
    ### END SOLUTION


heading_error = lab.check("06.4", heading_error)

# %%
start = complementary(motions["turned"].gyr[:2], motions["turned"].acc[:2], 1 / RATE, 3.0)[0]
angle = heading_error(start, motions["turned"].mag[0])
print(f"the first reading of the compass turns the heading by {np.degrees(angle):.1f}°")
rows = [judged(m, motions["turned"], *estimated(motions["turned"], m)) for m in ("integration", "complementary")]
table(rows, COLUMNS, caption="Turned, with gravity and the compass")

# %% [markdown]
# The library's complementary filter is yours, with the compass taken in over 9 seconds in the same way.
#
# ## 4. Filters that know how sure they are
#
# A time constant is a guess at how much each sensor is worth. A *Kalman filter* computes it, at each step, from how noisy the
# sensor is and from how unsure it is itself.

# %% [markdown]
# ### Exercise 06.5: a Kalman filter in one dimension   (difficulty 4/5, about 12 minutes)
# A point moves along a line. The state holds its position in m and its velocity in m/s; the covariance (2, 2) says how
# sure that is. One step:
#
# *Predict* over the interval t: the position grows by velocity · t, so state = F · state and covariance = F ·
# covariance · Fᵀ + Q, with F = [[1, t], [0, 1]]. Q is what an unknown acceleration adds meanwhile, white with density
# d (m/s²/√Hz): Q = d² · [[t³/3, t²/2], [t²/2, t]].
#
# *Update* with a measured position z, standard deviation s: the gain is K = covariance[:, 0] / (covariance[0, 0] +
# s²), a vector of two; the state moves by K times (z − its position), and the covariance becomes (I − K · [1, 0]) ·
# covariance. Where z is NaN nothing was measured: predict only.
#
# A worked number: state (0, 1), covariance diag(4, 1), t = 2, d = 0: predicted position 2, its variance 4 + 2² · 1 =
# 8. A measurement of 5 with s = √8 has a gain of ½ for the position: it moves to 3.5. The covariance of position and
# velocity has become 2, so the gain for the velocity is 2/16: it moves to 1 + 3/8 = 1.375.
#
# Do not change the arrays that you are given.
#
# <details><summary>Hint 1</summary><code>F = np.array([[1, t], [0, 1]])</code>; matrices are multiplied with
# <code>@</code>. The update uses the predicted covariance, not the old one.</details>
# <details><summary>Hint 2</summary><code>K</code> is (2,); <code>np.outer(K, [1, 0])</code> is the matrix K · [1, 0].
# </details>

# %%
def kalman_step(state, covariance, t, z, s, d):
    """Return the state (2,) and covariance (2, 2) after t seconds and a measured position z, which may be NaN."""
    ### BEGIN SOLUTION
    #: # F = np.array([[1, t], [0, 1]])
    #: # Q = ...
    #: # state = ...   # predicted
    #: # covariance = ...
    #: # if ...:   # something was measured
    #: #     K = ...
    #: #     state = ...
    #: #     covariance = ...
    #: # return state, covariance
    F = np.array([[1, t], [0, 1]])
    Q = d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    state = F @ state
    covariance = F @ covariance @ F.T + Q
    if not np.isnan(z):
        K = covariance[:, 0] / (covariance[0, 0] + s**2)
        state = state + K * (z - state[0])
        covariance = (np.eye(2) - np.outer(K, [1, 0])) @ covariance
    return state, covariance
    ### END SOLUTION


kalman_step = lab.check("06.5", kalman_step)

# %% [markdown]
# Try it on a simulated street: somebody walks along it and stops for a while; position fixes come once a second, 5 m off, and
# none in a tunnel.

# %%
from pocketlab.data.walking import simulate_walk
from pocketlab.signals.kalman import Line
from pocketlab.ui.motion import kalman_1d

rng = np.random.default_rng(1)
street = simulate_walk(((120, 0, 20), (60, 0, 0)), sample_rate_hz=50, noise=None, seed=1)
each_second = np.arange(0, len(street.times), 50)
times, truth = street.times[each_second], street.positions[each_second, 0]
measured = np.where((times > 60) & (times < 80), np.nan, truth + rng.normal(0, 5, len(truth)))
state, covariance, states, covariances = np.array([measured[0], 0]), np.diag([25.0, 4.0]), [], []
for z in measured:
    # 0.1 m/s²/√Hz: how a walker changes speed
    state, covariance = kalman_step(state, covariance, 1.0 if states else 0.0, z, 5.0, 0.1)
    states.append(state)
    covariances.append(covariance)
kalman_1d(times, truth, measured, {"your filter": Line(times, np.array(states), np.array(covariances))})

# %% [markdown]
# The band is two standard deviations wide to each side, as the filter itself has it. It narrows while fixes come, opens in
# the tunnel, and halves at the first fix after it. It holds the truth most of the time, but for the seconds in which the
# walker starts again after a stop: a filter that expects a steady walk is late there. Where the truth leaves the band often,
# the filter was told wrong noises.
#
# ### The whole filter

# %%
lab.predict("06.P3")

# %% [markdown]
# With three dimensions, rotations and biases it is the same idea with more letters. The library has six filters:
# *integration* and *complementary*, which you wrote; *mahony* and *madgwick*, two classics that correct the gyroscope with a
# fixed gain; *kalman*, whose state is the error of the orientation and the bias; and the library's own, *pocketlab*, the
# default. That one learns the gyroscope's bias at rest and in motion, looks for gravity after turning all forces into one
# frame, and tells the earth's field from a magnet's.

# %%
from pocketlab.signals.imu import METHODS, smooth_orientation

for name, motion in motions.items():
    estimates = {method: estimated(motion, method) for method in METHODS}
    rows = [judged(method, motion, *estimates[method]) for method in METHODS]
    smooth = smooth_orientation(motion.gyr, motion.acc, motion.mag, sample_rate_hz=RATE)
    rows.append((*judged("pocketlab, offline", motion, smooth)[:4], ""))
    display(table(rows, COLUMNS, caption=f"{name}: error and time, default settings"))

# %% [markdown]
# Read the parts apart. Inclination: where the phone is shaken, the two filters that weigh gravity by how much the phone
# accelerates, *kalman* and *pocketlab*, are ahead of those with a fixed gain. Heading of *shaken*: every method with a
# compass is off by degrees. The phone stays in one place, the room bends the field there, and nothing that a phone measures
# says by how much; *integration*, which looked once, at another place, has the smaller error by luck. Offline, with the
# samples after each one as well, most errors shrink once more; a live filter does not have those.
#
# About a microsecond for a sample: at 100 samples a second even the most careful filter needs a ten-thousandth of one core.

# %%
motion = motions["magnet"]
shown = {}
for method in ("madgwick", "kalman", "pocketlab"):
    shown[method] = errors_in_degrees(estimated(motion, method)[0], motion.quat)[:, 1]
orientation_errors(shown, RATE, motion.movement)

# %%
lab.reveal("06.P3")

# %% [markdown]
# These are errors of the heading, and the magnet comes at 20 s. Two of the three filters take the magnet's field for the
# earth's and turn away. The third does not: as the phone turns, it finds the field that turns along with the phone, and
# subtracts it.
#
# Now turn the knobs yourself. Choose a filter, move its gain, and press Play: on the left the phone as it is, on the right as
# the filter has it.

# %%
from pocketlab.ui.orientation import OrientationExplorer

OrientationExplorer(motions)

# %% [markdown]
# Find the time constant at which the complementary filter has the least inclination for *shaken*. Which of the other two pays
# for it?
#
# ### Real motion
#
# A simulation has only the errors that somebody put in. BROAD (Laidig et al. 2021) are 39 trials of a real sensor whose true
# orientation was seen by cameras. The next cell judges all filters on those that are in your data folder; without any it says
# so.

# %%
from pocketlab.data.broad import load_broad, local_trials

trials = local_trials()[:6]
if not trials:
    print('No trial of BROAD is here. load_broad("24_disturbed_tapping_A") downloads one (4 MB): then run this again.')
rows = []
for name in trials:
    trial = load_broad(name)
    row = [name.replace("_", " ")]
    for method in ("complementary", "mahony", "madgwick", "kalman", "pocketlab"):
        row.append(judged(method, trial, estimated(trial, method)[0])[1])
    rows.append(row)
columns = ["trial", *(Column(m, "°", 2) for m in ("complementary", "mahony", "madgwick", "kalman", "pocketlab"))]
table(rows, columns, caption="Real motion: total error, default settings") if rows else None

# %% [markdown]
# If real trials are in your table, read each row for its best: no method is best in all of them. Real sensors have errors
# that the simulation lacks, and in use nobody tells you which motion comes next. What counts is the worst row of a column.
# `make bench ONLY=orientation` has the same trials with VQF (Laidig and Seel 2023), the most accurate filter in its paper's
# comparison, beside ours.
#
# ## 5. Where am I
#
# ### Walking with GPS
#
# Simulated again, with errors as phones have them: 5 m, wandering over a minute, one fix in twenty reflected by a wall.

# %%
lab.predict("06.P4")

# %%
from scipy.stats import chi2

# %% [markdown]
# ### Exercise 06.6: a fix that cannot be   (difficulty 3/5, about 6 minutes)
# Between buildings GPS is at times off by tens of meters, and says it is not. The filter knows where it expects the
# next fix, and how far off that may be: the residual (fix − expected) has a covariance S, of filter and fix
# together. The squared distance in standard deviations, residualᵀ · S⁻¹ · residual, has a chi-squared distribution
# with as many degrees of freedom as the residual has numbers. The library's filter of positions has such a gate inside.
#
# Return that squared distance, and whether to accept the fix: True where it lies at or under the bound that a share
# `share` of good fixes stays under, `chi2.ppf(share, n)`. A residual with NaN in it is not accepted; its distance
# is NaN.
#
# A worked number: residual (6, 3), S = [[9, 0], [0, 9]]: 36/9 + 9/9 = 5. With a share of 0.99 the bound is 9.21:
# accepted. S = [[4, 0], [0, 4]] gives 11.25: refused.
#
# <details><summary>Hint 1</summary><code>np.linalg.solve(S, residual)</code> is S⁻¹ · residual. Off-diagonal numbers
# count.</details>
# <details><summary>Hint 2</summary>The degrees of freedom are <code>len(residual)</code>.</details>
# <details><summary>Hint 3</summary>NaN needs no case of its own: every comparison with it is False.</details>

# %%
def gate(residual, S, share):
    """Return (distance, accepted), a float and a bool, of a residual (n,) with covariance S (n, n); share: 0 to 1."""
    ### BEGIN SOLUTION
    #: # distance = ...   # squared, in standard deviations
    #: # bound = ...
    #: # return distance, ...
    distance = residual @ np.linalg.solve(S, residual)
    bound = chi2.ppf(share, len(residual))
    return distance, distance <= bound
    ### END SOLUTION


gate = lab.check("06.6", gate)

# %%
from pocketlab.data.geodesy import to_local

from pocketlab.signals.position import track_position
from pocketlab.ui.motion import walk_map

walk = simulate_walk(tunnel=(90, 115), outlier_share=0.05, seed=4)
orientation = estimate_orientation(walk.imu.gyr, walk.imu.acc, sample_rate_hz=walk.sample_rate_hz)
north = multiply(walk.orientations[0], conjugate(orientation[0]))  # no compass in this one: the first heading is given
orientation = multiply(north, orientation)
fixes = to_local(walk.gps.geodetic, walk.origin)
arguments = walk.times, walk.imu.acc, orientation, walk.gps.times, fixes, walk.gps.accuracies
filtered, smoothed = (track_position(*arguments, still=walk.still, smooth=smooth) for smooth in (False, True))
at_fix = walk.positions[np.searchsorted(walk.times, walk.gps.times)]


def meters(positions, truth):
    """Return the root mean square and the largest of horizontal errors, in m."""
    error = np.linalg.norm((positions - truth)[:, :2], axis=1)
    return np.sqrt(np.mean(error**2)), error.max()


walk_map(walk, {"filtered": filtered.positions, "smoothed": smoothed.positions}, (90, 115))

# %%
rows = [("fixes as they come", *meters(fixes, at_fix))]
kept = filtered.accepted
rows.append(("fixes that passed the gate", *meters(fixes[kept], at_fix[kept])))
tunnel = (walk.times > 90) & (walk.times < 116)
for name, track in (("filtered", filtered), ("smoothed", smoothed)):
    rows.append((name, *meters(track.positions, walk.positions)))
    rows.append((f"{name}, in the tunnel", *meters(track.positions[tunnel], walk.positions[tunnel])))
columns = ["position", Column("error", "m", 1), Column("largest", "m", 1)]
table(rows, columns, caption="Four simulated minutes on foot, 25 s of them in a tunnel")

# %%
reflected = walk.gps.outliers
residual, spread = np.array([30.0, -40.0]), filtered.covariances[6000][:2, :2] + 25 * np.eye(2)
distance, accepted = gate(residual, spread, 0.999)
verdict = "accepted" if accepted else "refused"
print(f"a fix 50 m away from where the filter expects it: squared distance {distance:.0f}, {verdict}")
refused = f"{(~kept & reflected).sum()} refused; of the good ones {(~kept & ~reflected).sum()}"
print(f"{reflected.sum()} of {len(fixes)} fixes are reflections: {refused}")
print(f"half of them lie over {np.median(np.sqrt(filtered.nis[reflected])):.0f} standard deviations away")
error = np.where(reflected[:, None], np.nan, fixes - at_fix)[:, :2]
for gap in (1, 10, 60):
    alike = np.nanmean(error[gap:] * error[:-gap]) / np.nanmean(error**2)
    print(f"errors of good fixes, {gap:2} fixes apart: correlation {alike:.2f}")

# %%
lab.reveal("06.P4")

# %% [markdown]
# Reflections are the largest errors by far, and the gate takes them out. What is left of a fix is an error that its neighbors
# share: nearly half of it is still there ten fixes later, so averaging helps little. The filter knows that. In the tunnel it
# has accelerometer and gyroscope alone, and gets lost the more, the longer it lasts. Smoothing sees both ends of the tunnel
# and joins them; for a map of yesterday's run that is the right one, for an arrow on a screen it comes too late.

# %% tags=["nbval-check-output"]
from pocketlab.signals.activity import detect_steps

steps = detect_steps(walk.imu.acc, sample_rate_hz=walk.sample_rate_hz)
print(f"{len(steps.indices)} steps found, {len(walk.step_times)} taken")

# %% [markdown]
# Steps need no GPS at all: they are peaks in the size of the acceleration, whichever way the phone is held.
#
# ### Extra: camera and IMU
#
# Indoors there is no GPS. A camera sees corners of walls and furniture move through its picture, and from how they move its
# own movement follows, but not its scale: a hall twice as large looks the same. The accelerometer knows meters, and not for
# long. Together they do what neither can. Its *features*, corners that are found again in the next picture, are simulated
# here: 400 points on the walls of a hall, a pixel of noise, two in a hundred of them wrong.

# %%
from pocketlab.data.scene import Frame, simulate_scene
from pocketlab.signals.visual import track_camera
from pocketlab.ui.motion import camera_path

scene = simulate_scene(30, seed=1)
blind = tuple(Frame(frame.ids[:0], frame.pixels[:0]) for frame in scene.frames)
sensors = scene.times, scene.imu.gyr, scene.imu.acc, scene.frame_times
begin = {"orientation": scene.orientations[0]}
seen = {"camera and IMU": scene.frames, "IMU alone": blind}
paths = {name: track_camera(*sensors, frames, scene.camera, **begin) for name, frames in seen.items()}
truth = (scene.positions - scene.positions[0])[np.searchsorted(scene.times, scene.frame_times)]
camera_path(truth, {name: path.positions for name, path in paths.items()})

# %%
way = np.linalg.norm(np.diff(truth, axis=0), axis=1).sum()
rows = []
for name, path in paths.items():
    end = np.linalg.norm(path.positions[-1] - truth[-1])
    expected = np.sqrt(np.trace(path.covariances[-1][6:9, 6:9]))  # of the position
    rows.append((name, end, 100 * end / way, expected))
columns = ["sensors", Column("off at the end", "m", 2), Column("of the way", "%", 2), Column("expected", "m", 2)]
table(rows, columns, caption=f"{way:.0f} m through the hall, simulated features")

# %% [markdown]
# Accelerometer and gyroscope alone lose the hall within a few meters: a tilt that is wrong by a degree is an acceleration of
# 0.17 m/s². With the camera the error stays a fraction of a percent of the way, and the filter's own guess of it is of the
# right order. It cannot be zero: nothing here recognizes a place that it has seen before.
#
# ### Extra: depth, from LIDAR and its cousins
#
# Some phones measure distance itself; here a simulated one looks into a simulated room. What an app wants is not a hundred
# thousand points but the floor on which a sofa shall stand.

# %% tags=["nbval-check-output"]
from pocketlab.data.room import scan_depth
from pocketlab.signals.points import find_planes, floor_and_walls, points_from_depth, thin_voxels

scan = scan_depth(seed=0)
points = points_from_depth(scan.depth, scan.camera)
thin = thin_voxels(points, 0.05)
planes, labels = find_planes(thin, threshold_m=0.04)
up = rotate(conjugate(scan.orientation), np.array([0.0, 0.0, 1.0]))  # in the phone's frame, as gravity tells it
room = floor_and_walls(planes, up)
tilt = np.degrees(np.arccos(min(1.0, room.floor.normal @ up)))
print(f"{len(points):,} points; one for each cube of 5 cm: {len(thin):,}")
print(f"{len(planes)} planes hold {(labels >= 0).mean():.0%}: floor, {len(room.walls)} walls, {len(room.others)} other")
height = abs(room.floor.offset)
print(f"camera above the floor: {height:.2f} m (truth {scan.position[2]:.2f} m); floor to gravity: {tilt:.1f}°")

# %% [markdown]
# Three random points make a plane; the one with the most neighbors wins, and its points go before the next (RANSAC). Gravity
# says which plane is the floor. Here `up` comes from the simulated truth; on a phone it is your 06.2, from an accelerometer
# at rest.
#
# ## 6. Sound
#
# A microphone gives thousands of numbers a second, in chunks. Whatever works on them must not care where the chunks are cut.

# %% [markdown]
# ### Exercise 06.7: a filter that streams   (difficulty 3/5, about 8 minutes)
# Sound arrives in chunks. A filter has to remember enough at the end of one chunk to go on with the next as though
# there had been no cut. A *biquad* in transposed direct form II remembers two numbers, s1 and s2. For each sample
# x:
#
# y = b0·x + s1, then
#
# s1 = b1·x − a1·y + s2, then
#
# s2 = b2·x − a2·y.
#
# The section is (b0, b1, b2, a0, a1, a2) with a0 = 1. Return the output and the new state; leave the arrays that
# you are given as they are. An empty chunk gives an empty output and the same state.
#
# A worked number: section (0.5, 0.5, 0, 1, −0.5, 0), state (0, 0), x = (1, 1): y = 0.5, s1 = 0.5 + 0.25 = 0.75; then
# y = 0.5 + 0.75 = 1.25.
#
# <details><summary>Hint 1</summary>s1 takes the <em>old</em> s2: compute s1 before s2.</details>
# <details><summary>Hint 2</summary>Take <code>s1, s2 = state</code> before the loop and fill
# <code>y = np.empty(len(x))</code> in it. Return <code>y, np.array([s1, s2])</code>.</details>

# %%
def biquad(section, x, state):
    """Return the filtered chunk (N,) and the new state (2,).

    section: (6,). x: (N,), which may be empty. state: (2,), from the chunk before.
    """
    ### BEGIN SOLUTION
    #: # b0, b1, b2, a0, a1, a2 = section
    #: # s1, s2 = state
    #: # y = np.empty(len(x))
    #: # for n in range(len(x)):
    #: #     ...
    #: # return y, np.array([s1, s2])
    b0, b1, b2, _, a1, a2 = section
    s1, s2 = state
    y = np.empty(len(x))
    for n in range(len(x)):
        y[n] = b0 * x[n] + s1
        s1 = b1 * x[n] - a1 * y[n] + s2
        s2 = b2 * x[n] - a2 * y[n]
    return y, np.array([s1, s2])
    ### END SOLUTION


biquad = lab.check("06.7", biquad)

# %%
from pocketlab.data.spoken_digits import load_spoken_digits
from pocketlab.signals.filters import butterworth, frequency_response
from pocketlab.signals.spectra import noise_profile, spectral_gate
from pocketlab.ui.signals import before_and_after, filter_gains

digits = load_spoken_digits()
hz = digits.sample_rate_hz
print(digits.description)
said, rng = (3, 1, 4, 1, 5), np.random.default_rng(0)
pause = np.zeros(9 * hz // 10, np.float32)
words = [digits.recordings[np.flatnonzero((digits.labels == digit) & (digits.indices < 5))[2]] for digit in said]
words = [0.5 * word / np.abs(word).max() for word in words]
speech = np.concatenate([part for word in words for part in (pause, word)] + [pause])
seconds = np.arange(len(speech)) / hz
heard = speech + 0.15 * np.sin(2 * np.pi * 50 * seconds) + 0.005 * rng.standard_normal(len(speech))

sections = butterworth(4, 120, "high", sample_rate_hz=hz)
state, chunks = np.zeros((2, 2)), []
for start in range(0, len(heard), 80):  # 10 ms at a time, as a microphone hands them over
    chunk = heard[start : start + 80]
    for k, section in enumerate(sections):
        chunk, state[k] = biquad(section, chunk, state[k])
    chunks.append(chunk)
filtered = np.concatenate(chunks)

# %%
frequencies = np.geomspace(10, hz / 2 - 1, 300)
gains = {}
for name, part in (("first biquad", sections[:1]), ("both", sections)):
    response = frequency_response(part, frequencies, sample_rate_hz=hz)
    gains[name] = (frequencies, 20 * np.log10(np.abs(response)))
filter_gains(gains)

# %%
quiet = slice(0, hz // 2)
profile = noise_profile(filtered[quiet], frame_length=256, hop_length=64)
gated = spectral_gate(filtered, profile, frame_length=256, hop_length=64)
stages = {"as heard": heard, "high pass, 120 Hz": filtered, "and spectral gate": gated}
display(before_and_after(stages, hz, "sound pressure (1 = full scale)"))
level = {name: 20 * np.log10(np.sqrt(np.mean(x[hz // 8 : hz // 2] ** 2))) for name, x in stages.items()}
columns = ["stage", Column("level in the first pause", "dB of full scale", 1)]
table(list(level.items()), columns, caption="What is left of hum and hiss")

# %% [markdown]
# Each biquad takes 12 dB for each octave below its frequency, both together 24. Read the curve at 50 Hz: the hum is some 30
# dB weaker. The hiss lies where speech is, and no filter of frequencies alone can take it. The spectral gate turns down every
# frequency, in every frame, that is no louder than the noise was in the first pause. It works as long as the noise stays what
# it was.

# %%
from pocketlab.signals.audio import hz_to_mel, mel_to_hz

# %% [markdown]
# ### Exercise 06.8: mel bands   (difficulty 3/5, about 8 minutes)
# An ear tells 200 from 300 Hz easily, and 7,000 from 7,100 hardly. Mel bands are narrow below and wide above.
# Place `bands` + 2 points at equal distances *in mel* from 0 Hz to half the sample rate, both included, and turn
# them into Hz. Band k is a triangle over the points k, k + 1 and k + 2: 0 at the first, 1 at the middle one, 0 at
# the last, straight in between *in Hz*, 0 outside.
#
# Return the heights of all bands at the frequencies of the Fourier transform: 0, sample_rate/fft_length, twice that, … up to
# sample_rate/2, fft_length // 2 + 1 of them. (Where fft_length is odd, the last one lies a little below sample_rate/2.)
# Given are `hz_to_mel(hz)` and `mel_to_hz(mel)`, of Slaney's scale.
#
# A worked number: at 8,000 samples per second 2 bands have their points at 0, 781, 1,787 and 4,000 Hz. At 500 Hz the
# first is 500/781 = 0.64 high, at 1,000 Hz (1,787 − 1,000)/(1,787 − 781) = 0.78.
#
# <details><summary>Hint 1</summary>Equally spaced in mel:
# <code>np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2)</code>.</details>
# <details><summary>Hint 2</summary>The rising side is (f − left)/(center − left), the falling side
# (right − f)/(right − center); the triangle is the smaller of both, and never below 0.</details>
# <details><summary>Hint 3</summary>The frequencies: <code>np.fft.rfftfreq(fft_length, 1 /
# sample_rate)</code>.</details>

# %%
def mel_triangles(bands, fft_length, sample_rate):
    """Return the triangles (bands, fft_length // 2 + 1), heights from 0 to 1. sample_rate: in Hz."""
    ### BEGIN SOLUTION
    #: # points = ...   # bands + 2, in Hz
    #: # f = ...   # fft_length // 2 + 1, in Hz
    #: # triangles = np.zeros((bands, len(f)))
    #: # for k in range(bands):
    #: #     left, center, right = points[k : k + 3]
    #: #     triangles[k] = ...
    #: # return triangles
    points = mel_to_hz(np.linspace(hz_to_mel(0), hz_to_mel(sample_rate / 2), bands + 2))
    f = np.fft.rfftfreq(fft_length, 1 / sample_rate)
    triangles = np.zeros((bands, len(f)))
    for k in range(bands):
        left, center, right = points[k : k + 3]
        sides = np.minimum((f - left) / (center - left), (right - f) / (right - center))
        triangles[k] = np.maximum(0, sides)
    return triangles
    ### END SOLUTION


mel_triangles = lab.check("06.8", mel_triangles)

# %%
from pocketlab.signals.audio import power_to_db
from pocketlab.signals.spectra import stft
from pocketlab.ui.signals import spectrogram

spectra = stft(gated, frame_length=256, hop_length=80)
bands = mel_triangles(32, 256, hz)
levels = power_to_db(np.abs(spectra) ** 2 @ bands.T, top_db=60)
centers = bands @ np.linspace(0, hz / 2, 129) / bands.sum(axis=1)
print(f"{spectra.shape[1]} frequencies in each of {len(spectra)} frames, gathered in {len(bands)} bands")
spectrogram(levels, 80 / hz, centers)

# %% [markdown]
# Each word is a bright patch: stripes low down are its vowel's resonances, haze on top the *f* of four and five. A small
# network learns more easily from 32 rows than from 8,000 raw numbers a second.
#
# ### A keyword spotter
#
# The network that ships was trained on recordings of six people (FSDD, CC BY-SA 4.0) and on some of synthesized voices;
# `signals/models/README.md` has the figures. Here it hears other recordings of voices that it knows, so this is the easy test.

# %%
import torch

from pocketlab.signals.keyword import load_keyword_model
from pocketlab.signals.keyword_features import NONE, centered, log_mel, network_input

torch.set_num_threads(1)
network = load_keyword_model()
weights = sum(p.numel() for p in network.parameters())
unseen = np.flatnonzero(digits.indices < 5)
print(f"{weights:,} weights, tested on {len(unseen)} of {digits.description}")


def heard_digits(logits):
    """Return the share of the test recordings, in percent, whose digit is the most likely of the ten."""
    return 100 * np.mean(logits[:, :NONE].argmax(axis=1) == digits.labels[unseen])


pictures = np.stack([network_input(log_mel(centered(digits.recordings[k]))) for k in unseen])[:, None]
with torch.no_grad():
    logits = network(torch.from_numpy(pictures)).numpy()
print(f"right: {heard_digits(logits):.1f} %")

# %%
from pocketlab.signals.keyword_stream import KeywordStream


def classify(picture):
    """Return the logits (11,) of a picture (frames, bands)."""
    with torch.no_grad():
        return network(torch.from_numpy(picture[None, None])).numpy()[0]


listening, detections = KeywordStream(classify), []
for start in range(0, len(gated), 80):
    detections += listening.process(gated[start : start + 80].astype(np.float32))
print("said", *said, "- heard", *(detection.digit for detection in detections))
spectrogram(levels, 80 / hz, centers, [(detection.time_s, str(detection.digit)) for detection in detections])

# %%
from pocketlab.signals.keyword_trial import score_stream, spoken_stream

chosen = unseen[:: max(1, len(unseen) // 40)]
stream, words = spoken_stream([digits.recordings[k] for k in chosen], digits.labels[chosen], snr_db=20)
rows = []
for threshold in (0.5, 0.7, 0.9):
    listening, found = KeywordStream(classify, threshold=threshold), []
    for start in range(0, len(stream), 80):
        found += listening.process(stream[start : start + 80])
    score = score_stream(words, found)
    p50, p90 = (1000 * np.percentile(score.latencies_s, p) if score.latencies_s else np.nan for p in (50, 90))
    rows.append((threshold, score.detected, score.confused, score.missed, score.false_alarms, p50, p90))
columns = ["threshold", "heard", "taken for another", "missed", "false alarms"]
columns += [Column("latency p50", "ms", 0), Column("p90", "ms", 0)]
table(rows, columns, caption=f"{len(words)} words in {len(stream) / hz:.0f} s put together from recordings, and noise")

# %% [markdown]
# One word gives one event: the network looks at the last second again and again, the mean of three looks has to pass the
# threshold, and then the spotter is deaf for 0.8 s, as the word stays in its window that long. A second word within that time
# comes late or not at all. A higher threshold has fewer words and later ones. The latency counts from the end of the word. It
# can be short, since the network often knows before the word is over; what adds to it are the three looks, 64 ms apart.
#
# The stream is simulated: recordings one after the other with pauses and noise. A real room has echoes and other people in
# it. How good the network is with people whom it never heard is in `signals/models/README.md`: six more networks were trained
# for that, each without one of the six speakers.
#
# ## 7. Sixty frames a second
#
# At 60 frames a second everything that happens to a frame has 16.7 ms, and a network wants most of them.

# %% [markdown]
# ### Exercise 06.9: from YUV to RGB   (difficulty 3/5, about 7 minutes)
# Cameras deliver brightness Y for each pixel and color, U and V, for each block of 2×2 pixels: half the bytes.
# Return the image in RGB: every pixel takes the U and V of its block; red, green and blue are matrix · (Y, U, V,
# 1), with the 3×4 matrix given, rounded to the nearest number and kept to 0 to 255.
#
# A worked number: for video, matrix[0] is (1.164, 0, 1.596, −222.9). Y = 126, U = 128, V = 128, a gray, becomes
# 1.164·126 + 1.596·128 − 222.9 = 128. With V = 240 red would be 307, and stays at 255.
#
# <details><summary>Hint 1</summary><code>np.repeat(np.repeat(u, 2, axis=0), 2, axis=1)</code> gives each pixel the U of
# its block.</details>
# <details><summary>Hint 2</summary>uint8 wraps around at 255. Compute in float64; <code>np.clip</code> before
# <code>.astype(np.uint8)</code>, <code>np.rint</code> before that.</details>
# <details><summary>Hint 3</summary>All three colors of all pixels at once:
# <code>np.stack([y, u, v], axis=-1) @ matrix[:, :3].T + matrix[:, 3]</code>.</details>

# %%
def to_rgb(y, u, v, matrix):
    """Return the image (height, width, 3) uint8 of y (height, width), u and v (height / 2, width / 2), all uint8.

    matrix: (3, 4), turns (Y, U, V, 1) into red, green and blue.
    """
    ### BEGIN SOLUTION
    #: # u, v = ...   # for each pixel
    #: # colors = ...   # (height, width, 3), in float64
    #: # return ...   # rounded, kept to 0 to 255, uint8
    u, v = (np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1) for plane in (u, v))
    colors = np.stack([y, u, v], axis=-1) @ matrix[:, :3].T + matrix[:, 3]
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)
    ### END SOLUTION


to_rgb = lab.check("06.9", to_rgb)

# %%
import cv2

from pocketlab.data.camera import SimulatedCamera
from pocketlab.data.yuv import YuvFormat, yuv_to_rgb_matrix
from pocketlab.operations.latency import latency_percentiles
from pocketlab.signals.frame_steps import TensorFormat, resize
from pocketlab.signals.frames import FramePreparation
from pocketlab.ui.signals import frame_budget

cv2.setNumThreads(1)
camera = SimulatedCamera(YuvFormat(1280, 720, "NV12"))
frames = [camera.image(k) for k in range(6)]
matrix = yuv_to_rgb_matrix("bt601", full_range=False)
tensor = TensorFormat(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
one_pass = FramePreparation((1280, 720), (224, 224), resampling="area", tensor=tensor)


def timed(work, *arguments, calls=40):
    """Return the 90th percentile in ms."""
    seconds = []
    for k in range(calls):
        begun = time.perf_counter()
        work(*(a[k % len(a)] for a in arguments))
        seconds.append(time.perf_counter() - begun)
    return latency_percentiles(seconds, 3)[1]


images = [to_rgb(*frame.planes(), matrix) for frame in frames]
small = [resize(image, (224, 224), "area") for image in images]
parts = {
    "your YUV to RGB": timed(lambda frame: to_rgb(*frame.planes(), matrix), frames, calls=12),
    "resize (OpenCV)": timed(lambda image: resize(image, (224, 224), "area"), images),
    "normalize": timed(tensor.normalize, small),
}
frame_budget(parts)

# %%
in_steps = timed(one_pass.prepare_in_steps, frames)
alone = timed(one_pass.prepare, frames)
ready = one_pass.prepare(frames[0])
apart, low, high = np.abs(ready - one_pass.prepare_in_steps(frames[0])).max(), ready.min(), ready.max()
print(f"the one pass and OpenCV's steps differ by {apart:.3f} at most, of values from {low:.1f} to {high:.1f}")
rows = [("your steps, added up", sum(parts.values())), ("OpenCV's steps", in_steps), ("in one pass", alone)]
rows = [(*row, 100 * row[1] / (1000 / 60)) for row in rows]
columns = ["720p YUV to 224² tensor", Column("p90", "ms", 2), Column("of 16.7 ms", "%", 0)]
table(rows, columns, caption="One thread of this machine")

# %% [markdown]
# NumPy makes an array for every step and walks over a million pixels each time; OpenCV does so faster. The one pass reads
# only what it needs for each of the 224² results, turns color, size, mean and scale into one sum, and writes into memory that
# it keeps: nothing is allocated per frame. Its result is the same but for the roundings to bytes between OpenCV's steps.

# %% [markdown]
# ### Exercise 06.10: drop the oldest   (difficulty 3/5, about 8 minutes)
# A camera does not wait. When the network is slow for a moment, frames pile up; for what is shown at once a fresh
# frame is worth more than an old one. Write a queue for at most `capacity` frames.
#
# - `put(frame)` appends a frame; if the queue is full, the oldest one in it goes first, and its `captured_s` is
#   appended to the list `dropped_s`.
# - `get()` takes out and returns the oldest frame, or returns None if there is none.
# - `len(queue)` is the number of frames in it.
#
# Time stamps have to grow: `put` raises a ValueError for a frame whose `captured_s` is not later than that of the last
# frame put, and nothing changes. A queue of a capacity below 1 cannot be made: `__init__` raises a ValueError.
#
# A worked example: capacity 2; put frames of 0.00, 0.02 and 0.04 s: 0.00 is dropped. `get()` returns 0.02, then 0.04,
# then None.
#
# <details><summary>Hint 1</summary><code>collections.deque</code> has <code>append</code> and <code>popleft</code>.
# </details>
# <details><summary>Hint 2</summary>Remember the last time stamp in <code>self.last_s</code>, −infinity at first,
# also when its frame has left the queue.</details>
# <details><summary>Hint 3</summary>In <code>put</code>, refuse first, then make room, then append: a refusal must not
# cost a frame.</details>

# %%
from collections import deque


class NewestFrames:
    """A queue for at most `capacity` frames; a frame too many drops the oldest.

    dropped_s: when those had been captured, a list. Raises ValueError for a capacity below 1.
    """

    def __init__(self, capacity):
        ### BEGIN SOLUTION
        #: # if ...:
        #: #     raise ValueError(...)
        #: # self.capacity = capacity
        #: # self.frames = deque()
        #: # self.dropped_s = []
        #: # self.last_s = ...
        if capacity < 1:
            raise ValueError(f"a queue holds at least one frame, not {capacity}")
        self.capacity = capacity
        self.frames = deque()
        self.dropped_s = []
        self.last_s = -np.inf
        ### END SOLUTION

    def put(self, frame):
        """Append a frame; raises ValueError if its captured_s is not later than that of the last frame put."""
        ### BEGIN SOLUTION
        #: # if ...:
        #: #     raise ValueError(...)
        #: # if ...:   # the queue is full
        #: #     ...
        #: # ...
        if frame.captured_s <= self.last_s:
            raise ValueError(f"{frame.captured_s} s is not later than {self.last_s} s")
        if len(self.frames) == self.capacity:
            self.dropped_s.append(self.frames.popleft().captured_s)
        self.frames.append(frame)
        self.last_s = frame.captured_s
        ### END SOLUTION

    def get(self):
        """Take out the oldest frame and return it; None if there is none."""
        ### BEGIN SOLUTION
        return self.frames.popleft() if self.frames else None
        ### END SOLUTION

    def __len__(self):
        """How many frames are in the queue."""
        ### BEGIN SOLUTION
        return len(self.frames)
        ### END SOLUTION


NewestFrames = lab.check("06.10", NewestFrames)

# %%
lab.predict("06.P5")

# %% tags=["nbval-check-output"]
from pocketlab.data.camera import CameraFrame

queue = NewestFrames(2)
for k, times in enumerate(zip(*camera.times(30), strict=True)):  # half a second in which nobody asks for a frame
    queue.put(CameraFrame(k, *times, frames[0]))
waiting = len(queue)
print(f"{len(queue.dropped_s)} of 30 frames are dropped, {waiting} wait; next comes frame {queue.get().index}")

# %% [markdown]
# Now in real time: four seconds from the camera, and after one and a half of them something takes half a second.

# %%
from pocketlab.signals.frame_queue import run
from pocketlab.ui.signals import frame_latencies


def work(frame):
    """Prepare a frame; at the 90th something takes half a second."""
    one_pass.prepare(frame.image)
    if frame.index == 90:
        time.sleep(0.5)


report = run(camera.frames(240), work, capacity=2)
frame_latencies(report, budget_ms=50)  # three frames' time: later than that, a hand notices

# %%
patient = run(camera.frames(240), work, capacity=240)
rows = [
    (name, r.captured, r.dropped, r.latency_ms()[1], 1000 * (np.array(r.started_s) - r.captured_s).max())
    for name, r in (("two frames, drops the oldest", report), ("no end, drops none", patient))
]
columns = ["queue", "frames", "dropped", Column("p90 latency", "ms", 1), Column("oldest frame worked on", "ms", 0)]
table(rows, columns, caption="Four seconds from a simulated camera, a stall of half a second in them")

# %%
lab.reveal("06.P5")

# %% [markdown]
# Dropping costs nearly as many frames as came during the stall, and right after it the picture is fresh again. The patient
# queue loses none, shows what is half a second old, and catches up only as fast as the work is quicker than the camera. If
# each frame took 20 ms it never would. Most of the latency that is left is the camera's own: a frame is handed over when the
# next one is being exposed.
#
# ## 8. On the device
#
# ### One file for sound

# %%
from pocketlab.runtimes import litert
from pocketlab.signals.keyword import KeywordSpotter

spotter = KeywordSpotter(network).eval()
windows, known = (
    np.stack([centered(digits.recordings[k]) for k in np.flatnonzero(chosen)]).astype(np.float32)
    for chosen in (digits.indices < 5, digits.indices >= 5)
)
example = torch.from_numpy(windows[:1])
whole = litert.export(spotter, example, lab.folder / "spotter_float32.tflite").path
recipe = {"representative": known[::4], "keep_float": "front_end"}
small = litert.quantize_file(whole, lab.folder / "spotter.tflite", "static_int8", **recipe).path

# %%
rows = [("PyTorch, log-mel by NumPy", "", heard_digits(logits), "", "", 0.0)]
for name, path in (("float32", whole), ("network in int8", small)):
    runner = litert.load(path)
    out = np.concatenate([np.asarray(runner(window[None])) for window in windows])
    latency = litert.measure(runner, windows[:1], seconds=0.5)
    times = latency.p50_ms, latency.p90_ms
    rows.append((name, path.stat().st_size / 1000, heard_digits(out), *times, np.abs(out - logits).max()))
columns = ["spotter", Column("file", "kB", 1), Column("right", "%", 1), Column("p50", "ms", 2), Column("p90", "ms", 2)]
columns.append(Column("logits differ by", "", 4))
table(rows, columns, caption="Sound in, digits out: one second, one thread, LiteRT")

# %% [markdown]
# Both files take raw samples: window, Fourier transform, mel bands and logarithm are operators in the file, so no app can
# compute them differently. They stay in float32, since 8 bits hold neither a spectrum nor its logarithm, and they are most of
# the second file; only the network behind them is in int8. Its logits move a little, its answers hardly or not at all. In a
# network as small as this int8 saves bytes, not time.
#
# ### The filter in C

# %%
from pocketlab.runtimes import native
from pocketlab.signals.imu import OrientationFilter

motion = motions["magnet"]
sensors = motion.gyr, motion.acc, motion.mag
python, seconds = estimated(motion, "pocketlab")
rows = [("Python, compiled by numba", "", "", 1e-6 * len(python) / seconds, 0.0, "yes")]
for real in ("double", "float"):
    source = lab.folder / f"orientation_{real}.c"
    native.export(OrientationFilter(sample_rate_hz=RATE), source, real=real)
    if not native.available():
        print("No C compiler is here, so the source is only written: sudo apt install gcc, or xcode-select --install.")
        break
    runner, inside = native.load(source), native.inspect(source)
    speed = native.measure(runner, *sensors, seconds=0.3).samples_per_s
    quat = runner(*sensors)
    off, same = np.degrees(angle_between(quat.astype(float), python)).max(), np.array_equal(quat, python)
    sizes = inside.small_code_bytes / 1000, inside.state_bytes
    rows.append((f"C, {real}", *sizes, 1e-6 * speed, off, "yes" if same else "no"))
columns = ["filter", Column("code", "kB", 1), Column("state", "bytes", 0), Column("speed", "million samples/s", 2)]
columns += [Column("largest difference", "°", 5), "equal in every bit"]
table(rows, columns, caption="One filter, three compilations, this machine")

# %%
source = (lab.folder / "orientation_double.c").read_text()
begin = source.index("upright(double")
print(source[source.rindex("/*", 0, begin) : source.index("\n}\n", begin) + 2])

# %% [markdown]
# The C source is not written by hand. It is translated, function by function, from the Python that numba compiles, with its
# comments; so there is one filter and not two that drift apart. In double it gives the same numbers. In float, as small
# processors compute, it differs by less than any sensor can measure, with half the state.
#
# ## 9. Quiz

# %%
lab.quiz()

# %% [markdown]
# ## Take away
# - You can now say of each sensor how it errs, and which other one corrects that.
# - You can now write a filter that streams, and one that says how sure it is.
# - You can now keep a camera's pipeline fresh when the work falls behind, and know where its milliseconds go.
#
# **What production does differently**: the phone's own sensor hub runs such a filter all the time, in fixed point or float32,
# with calibration that it keeps over days; iOS hands out its result as attitude, Android as rotation vector. Tracking by
# camera (ARKit, ARCore) adds loop closing and a map. Keyword spotters listen on a chip of a milliwatt, and wake the rest.
#
# **Your artifacts** are listed by the last cell: the keyword spotter as one LiteRT file, and the filter as C source.
# They lie in your Pocketlab folder, `~/.pocketlab/artifacts/06`.
#
# **Further reading**: Laidig and Seel, *VQF: Highly accurate IMU orientation estimation*, 2023. Laidig et al., *BROAD*, 2021.
# Solà, *Quaternion kinematics for the error-state Kalman filter*, 2017. Mourikis and Roumeliotis, *A multi-state constraint
# Kalman filter*, 2007. Warden, *Speech Commands*, 2018. Oppenheim and Schafer, *Discrete-Time Signal Processing*, 2010.
#
# **Stretch exercise**: record your own phone (an app such as Phyphox writes gyroscope, accelerometer and magnetometer to
# CSV), run all six filters on it, and find a motion in which they part ways.

# %%
for path in sorted(lab.folder.rglob("*")):
    if path.is_file() and not path.name.startswith("."):
        print(path.relative_to(lab.folder))
