from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlab.signals import smoothing
from pocketlab.signals.fir import FIRFilter
from pocketlab.signals.smoothing import (
    ExponentialSmoothing,
    GoertzelDetector,
    HampelFilter,
    MedianFilter,
    MovingAverage,
    exponential_smoothing,
    goertzel,
    hampel,
    median_filter,
    moving_average,
    savitzky_golay,
    savitzky_golay_taps,
)

RATE = 8000.0


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def windows(x, length, before, mode="edge"):
    """Every window of a signal (time,), continued beyond its ends, with `before` samples in front: (time, length)."""
    padded = np.pad(x, (before, length - 1 - before), mode=mode)
    return np.lib.stride_tricks.sliding_window_view(padded, length)


@pytest.mark.parametrize("length", [1, 2, 7, 50])
def test_moving_average_is_the_mean_of_the_last_samples(length):
    x = noise(200)
    expected = windows(x, length, length - 1).mean(axis=1)
    np.testing.assert_allclose(moving_average(x, length), expected, rtol=0, atol=1e-12)


def test_moving_average_forgets_a_huge_sample():
    x = np.zeros(30)
    x[3] = 1e20
    x[4:] = 0.1
    np.testing.assert_allclose(moving_average(x, 5)[8:], 0.1, rtol=1e-12)


def test_exponential_smoothing_is_its_recursion_and_follows_a_step_to_63_percent():
    x = noise(300, 2)
    alpha = 1 - math.exp(-1 / (0.01 * RATE))
    expected = [x[0]]
    for sample in x[1:]:
        expected.append(expected[-1] + alpha * (sample - expected[-1]))
    np.testing.assert_allclose(exponential_smoothing(x, 0.01, sample_rate_hz=RATE), expected, rtol=0, atol=1e-10)
    step = np.concatenate([[0.0], np.ones(80)])
    assert exponential_smoothing(step, 0.01, sample_rate_hz=RATE)[-1] == pytest.approx(1 - math.exp(-1), abs=1e-12)


@pytest.mark.parametrize("length", [1, 3, 5, 31])
@pytest.mark.parametrize("shape", [(300,), (300, 3)])
def test_median_filter_is_that_of_scipy(length, shape):
    for x in (noise(*shape), np.round(noise(*shape))):
        size = (length, *[1] * (len(shape) - 1))
        np.testing.assert_array_equal(median_filter(x, length), scipy.ndimage.median_filter(x, size, mode="mirror"))
        if shape == (300,):  # scipy.signal has zeros beyond the ends
            half = length // 2
            inside = slice(half, len(x) - half)
            np.testing.assert_array_equal(median_filter(x, length)[inside], scipy.signal.medfilt(x, length)[inside])


@pytest.mark.parametrize("length", [1, 3, 9, 31])
@pytest.mark.parametrize("samples", [1, 2, 4, 15])
def test_median_filter_of_a_short_signal_is_the_median_of_its_mirrored_windows(length, samples):
    # Not held against scipy.ndimage 1.17, which reads beyond a signal of one sample.
    x = noise(samples)
    expected = np.median(windows(x, length, length // 2, "reflect"), axis=1)
    np.testing.assert_array_equal(median_filter(x, length), expected)


@pytest.mark.parametrize("length", [1, 3, 9])
def test_causal_median_is_the_centered_one_half_a_window_late(length):
    x = noise(100, 2)
    half = length // 2
    causal = MedianFilter(length).process(x)
    np.testing.assert_array_equal(causal[length - 1 :], median_filter(x, length)[half : len(x) - half])
    np.testing.assert_array_equal(causal[:, 0], np.median(windows(x[:, 0], length, length - 1), axis=1))


def test_median_removes_a_spike_and_keeps_an_edge():
    x = np.repeat([0.0, 1.0], 20)
    spiky = x.copy()
    spiky[7] = 99
    np.testing.assert_array_equal(median_filter(spiky, 5), x)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)), min_size=1, max_size=60),
    st.sampled_from([1, 3, 5, 11]),
    st.sampled_from([0.5, 3.0]),
)
def test_hampel_is_its_definition(values, length, threshold):
    x = np.array(values) + 0.0
    half = length // 2
    causal = HampelFilter(length, threshold).process(x)
    np.testing.assert_array_equal(causal[: length - 1], x[: length - 1])
    for got, before, begin in ((hampel(x, length, threshold), half, 0), (causal, length - 1, length - 1)):
        around = windows(x, length, before, "reflect")
        median = np.median(around, axis=1)
        limit = threshold * scipy.stats.median_abs_deviation(around, axis=1, scale="normal")
        distance = np.abs(x - median)
        # Where a sample is as far away as the limit but for rounding, either answer is right.
        clear = np.abs(distance - limit) > 1e-12 * np.maximum(limit, 1e-300)
        clear |= distance == 0
        clear[:begin] = False
        expected = np.where(distance > limit, median, x)
        np.testing.assert_array_equal(got[clear], expected[clear])


def test_hampel_takes_spikes_and_leaves_the_rest():
    x = np.sin(np.arange(400) / 30) + 0.01 * noise(400)
    spikes = [20, 21, 150, 399]
    spiky = x.copy()
    spiky[spikes] += [5, -8, 40, 3]
    got = hampel(spiky, 11, 4.0)
    # A median of samples that the sine moves by 1/30 each, at most 6 of them away.
    assert np.abs(got - x)[spikes].max() < 0.25
    others = np.delete(np.arange(400), spikes)
    assert (got[others] == spiky[others]).mean() > 0.95


@pytest.mark.parametrize(("length", "order"), [(1, 0), (3, 1), (5, 2), (11, 3), (21, 4), (9, 8)])
@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_savitzky_golay_is_that_of_scipy(length, order, derivative):
    if derivative > order:
        with pytest.raises(ValueError, match=f"order {order}, derivative {derivative}"):
            savitzky_golay_taps(length, order, derivative)
        return
    taps = savitzky_golay_taps(length, order, derivative, sample_rate_hz=50)
    expected = scipy.signal.savgol_coeffs(length, order, derivative, delta=1 / 50)
    scale = 50**derivative
    np.testing.assert_allclose(taps / scale, expected / scale, rtol=0, atol=1e-10)
    x = noise(100, 2)
    got = savitzky_golay(x, length, order, derivative, sample_rate_hz=50)
    expected = scipy.signal.savgol_filter(x, length, order, derivative, delta=1 / 50, axis=0)
    # At the ends slopes of high orders are large: 1e-10 of the largest.
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_savitzky_golay_of_a_polynomial_is_the_polynomial_and_its_slope_to_the_ends():
    t = np.arange(60) / 20
    x = 2 - t + 3 * t**2
    np.testing.assert_allclose(savitzky_golay(x, 11, 2), x, rtol=0, atol=1e-10)
    np.testing.assert_allclose(savitzky_golay(x, 11, 2, 1, sample_rate_hz=20), -1 + 6 * t, rtol=0, atol=1e-10)
    np.testing.assert_allclose(savitzky_golay(x, 11, 3, 2, sample_rate_hz=20), 6, rtol=0, atol=1e-9)


def test_savitzky_golay_in_a_stream_is_the_batch_half_a_window_late():
    x = noise(80)
    stream = FIRFilter(savitzky_golay_taps(9, 3))
    late = np.concatenate([stream.process(chunk) for chunk in np.split(x, [0, 1, 30, 33])])
    assert late[8:].tobytes() == savitzky_golay(x, 9, 3)[4:-4].tobytes()


@pytest.mark.parametrize("length", [50, 205, 1000])
def test_goertzel_is_a_bin_of_the_fft(length):
    x = noise(length, 2)
    spectrum = np.fft.rfft(x, axis=0)
    for k in range(1, (length - 1) // 2 + 1, 7):
        got = goertzel(x, k * RATE / length, sample_rate_hz=RATE)
        # Rounding grows with the length and with 1 / sin(angle) (Gentleman 1969), both below 1000 here: 1e-16 · 1e6.
        np.testing.assert_allclose(got, spectrum[k], rtol=0, atol=1e-10)
    assert goertzel(x[:, 0], RATE / 5, sample_rate_hz=RATE).shape == ()


def test_goertzel_between_the_bins_is_the_sum_itself():
    x, frequency = noise(300), 1234.5
    expected = np.sum(x * np.exp(-2j * np.pi * frequency / RATE * np.arange(300)))
    np.testing.assert_allclose(goertzel(x, frequency, sample_rate_hz=RATE), expected, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(goertzel(np.zeros((0, 2)), frequency, sample_rate_hz=RATE), [0, 0])


def test_the_detector_tells_the_two_tones_of_a_key():
    t = np.arange(4 * 205) / RATE
    key_5 = 0.7 * np.sin(2 * np.pi * 770 * t + 1) + 0.5 * np.sin(2 * np.pi * 1336 * t)
    rows = {
        tone: GoertzelDetector(tone, 205, sample_rate_hz=RATE).process(key_5) for tone in (697, 770, 852, 941, 1209, 1336, 1477)
    }
    heard = [tone for tone, amplitudes in rows.items() if amplitudes.min() > 0.35]
    assert heard == [770, 1336]
    assert rows[770].shape == (4,)


def test_the_detector_gives_a_sine_its_amplitude():
    t = np.arange(1000) / RATE
    wave = 3 * np.cos(2 * np.pi * 1000 * t + 0.3)
    got = GoertzelDetector(1000, 160, sample_rate_hz=RATE).process(np.stack([wave, -2 * wave], axis=1))
    np.testing.assert_allclose(got, np.tile([3, 6], (6, 1)), rtol=1e-10)


def test_the_loops_compute_what_their_plain_python_forms_compute():
    x = noise(30, 2)
    sort = smoothing._sorted_window
    for got, plain in (
        (smoothing._sliding_median(x, sort(x, 5)), smoothing._sliding_median.py_func(x, sort(x, 5))),
        (smoothing._without_spikes(x, sort(x, 5), 1.0, 2), smoothing._without_spikes.py_func(x, sort(x, 5), 1.0, 2)),
    ):
        assert got.tobytes() == plain.tobytes()
    arguments = (x, 0.3, 8, 3)
    states = np.ones((2, 2, 2))
    got, plain = smoothing._goertzel(*arguments, states[0]), smoothing._goertzel.py_func(*arguments, states[1])
    np.testing.assert_allclose(got, plain, rtol=1e-14)  # the last turn is a product of complex numbers, in another order
    assert states[0].tobytes() == states[1].tobytes()


@pytest.mark.parametrize("length", [0, -3, 2.5])
def test_windows_of_no_whole_length_are_refused(length):
    for make in (MovingAverage, MedianFilter, HampelFilter, lambda n: GoertzelDetector(100, n, sample_rate_hz=RATE)):
        with pytest.raises(ValueError, match=f"number of samples from 1 up; got {length}"):
            make(length)


def test_windows_of_even_length_have_no_middle():
    for make in (MedianFilter, HampelFilter, lambda n: median_filter(noise(9), n), lambda n: hampel(noise(9), n)):
        with pytest.raises(ValueError, match="an odd number of samples from 1 up; got 4"):
            make(4)
    with pytest.raises(ValueError, match="an odd number"):
        savitzky_golay_taps(4, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: savitzky_golay_taps(5, 5), "fits orders up to 4"),
        (lambda: savitzky_golay_taps(5, -1), "got order -1"),
        (lambda: savitzky_golay_taps(5, 2, sample_rate_hz=0), "positive number of samples per second"),
        (lambda: savitzky_golay(noise(4), 5, 2), "as many or more; got 4"),
        (lambda: ExponentialSmoothing(0, sample_rate_hz=RATE), "positive number of seconds; got 0"),
        (lambda: ExponentialSmoothing(np.inf, sample_rate_hz=RATE), "positive number of seconds; got inf"),
        (lambda: ExponentialSmoothing(1, sample_rate_hz=0), "positive number of samples per second"),
        (lambda: HampelFilter(5, 0), "positive number of standard deviations"),
        (lambda: hampel(noise(9), 5, np.nan), "positive number of standard deviations"),
        (lambda: goertzel(noise(9), 4000, sample_rate_hz=RATE), "4000 Hz is not between 0 and 4000.0 Hz"),
        (lambda: GoertzelDetector(0, 10, sample_rate_hz=RATE), "0 Hz is not between"),
        (lambda: goertzel(noise(9), 100, sample_rate_hz=0), "positive number of samples per second"),
        (lambda: median_filter([1, np.nan], 3), "Sample 1 is nan"),
        (lambda: savitzky_golay(np.full(9, np.inf), 5, 2), "Sample 0 is inf"),
    ],
)
def test_bad_settings_and_signals_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
