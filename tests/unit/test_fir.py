from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from pocketlab.signals import fir
from pocketlab.signals.fir import (
    FIRFilter,
    Resampler,
    decimate,
    fir_filter,
    frequency_response,
    kaiser_design,
    resample,
    windowed_sinc,
)

RATE = 8000.0
PASS_ZERO = {"low": True, "high": False, "band": False}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("length", [1, 2, 31, 64, 201])
@pytest.mark.parametrize(("kind", "cutoff"), [("low", 1000), ("low", 3900), ("high", 1000), ("band", (500, 2000))])
@pytest.mark.parametrize("window", ["hamming", "hann", "blackman", ("kaiser", 6.0), "boxcar"])
def test_designs_are_those_of_scipy(length, kind, cutoff, window):
    if kind == "high" and length % 2 == 0:
        with pytest.raises(ValueError, match=f"{length} symmetric taps.*take {length + 1}"):
            windowed_sinc(length, cutoff, kind, sample_rate_hz=RATE, window=window)
        return
    if length == 2 and window in ("hann", "blackman"):
        return  # these windows are 0 at both ends, so nothing is left
    expected = scipy.signal.firwin(length, cutoff, window=window, pass_zero=PASS_ZERO[kind], fs=RATE)
    got = windowed_sinc(length, cutoff, kind, sample_rate_hz=RATE, window=window)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("transition", "attenuation"), [(200, 60), (50, 80), (400, 30), (1000, 21)])
def test_kaiser_design_is_that_of_scipy(transition, attenuation):
    expected_length, expected_beta = scipy.signal.kaiserord(attenuation, transition / (RATE / 2))
    length, beta = kaiser_design(transition, attenuation, sample_rate_hz=RATE)
    assert (length, beta) == (expected_length | 1, pytest.approx(expected_beta, abs=1e-10))


@pytest.mark.parametrize(("transition", "attenuation"), [(300, 40), (200, 50), (200, 60), (50, 80)])
def test_kaiser_design_keeps_what_it_promises(transition, attenuation):
    length, beta = kaiser_design(transition, attenuation, sample_rate_hz=RATE)
    taps = windowed_sinc(length, 1500, sample_rate_hz=RATE, window=("kaiser", beta))
    gain = np.abs(frequency_response(taps, np.linspace(0, RATE / 2, 4001), sample_rate_hz=RATE))
    ripple = 10 ** (-attenuation / 20)
    # Kaiser's formulas are fits, good to about 1 dB, a factor of 1.12.
    assert gain[int(1500 + transition / 2) :].max() < 1.12 * ripple
    assert np.abs(gain[: int(1500 - transition / 2)] - 1).max() < 1.12 * ripple


def test_frequency_response_is_that_of_scipy():
    taps, frequencies = noise(20), np.linspace(0, RATE / 2, 30).reshape(5, 6)
    _, expected = scipy.signal.freqz(taps, 1, frequencies.ravel(), fs=RATE)
    np.testing.assert_allclose(frequency_response(taps, frequencies, sample_rate_hz=RATE).ravel(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("length", [1, 2, 5, 64, 301])
@pytest.mark.parametrize("shape", [(3,), (2500,), (2500, 3)])
def test_fir_filter_is_that_of_scipy(length, shape):
    taps, x = noise(length, seed=1), noise(*shape)
    np.testing.assert_allclose(fir_filter(taps, x), scipy.signal.lfilter(taps, 1, x, axis=0), rtol=0, atol=1e-10)


def test_a_settled_filter_keeps_a_constant_signal():
    taps = windowed_sinc(31, 500, sample_rate_hz=RATE)
    np.testing.assert_allclose(fir_filter(taps, np.full(50, 9.81), settled=True), 9.81, rtol=1e-12)
    assert abs(fir_filter(taps, np.full(50, 9.81))[0]) < 0.1


def test_the_loops_compute_what_their_plain_python_forms_compute():
    taps, x = noise(7), noise(40, 2)
    assert fir._convolve(taps, x.ravel(), 2).tobytes() == fir._convolve.py_func(taps, x.ravel(), 2).tobytes()
    arguments = (noise(3, 5), noise(2, 40), 4, 2, 30)
    assert fir._polyphase(*arguments).tobytes() == fir._polyphase.py_func(*arguments).tobytes()


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (3, 2), (2, 3), (1, 7), (160, 441), (441, 160), (16000, 44100)])
@pytest.mark.parametrize("shape", [(1,), (10,), (1000,), (1000, 2)])
def test_resample_is_that_of_scipy(up, down, shape):
    x = noise(*shape)
    expected = scipy.signal.resample_poly(x, up, down, axis=0)
    got = resample(x, up, down)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


def test_a_resampled_sine_is_the_sine_at_the_new_times():
    old, new = np.arange(4410) / 44100, np.arange(1600) / 16000
    got = resample(np.sin(2 * np.pi * 1000 * old), 16000, 44100)
    # In the band the filter ripples by 53 dB (0.2 %), its window's attenuation; at the ends there is silence beyond.
    assert np.abs(got - np.sin(2 * np.pi * 1000 * new))[50:-50].max() < 0.0025


def test_decimate_removes_what_would_alias():
    t = np.arange(8000) / RATE
    low, high = np.sin(2 * np.pi * 100 * t), np.sin(2 * np.pi * 2900 * t)
    # 2900 Hz would come out as 100 Hz at 1000 samples per second; the window attenuates by 53 dB.
    assert np.abs(high[::8]).max() > 0.9
    assert np.abs(decimate(high, 8))[50:-50].max() < 0.0025
    assert np.abs(decimate(low, 8) - low[::8])[50:-50].max() < 0.0025


def test_outputs_wait_for_no_more_than_ten_samples_of_the_slower_rate():
    stream = Resampler(1, 4)
    ready = sum(len(stream.process(np.zeros(1))) for _ in range(400))
    assert ready == 100 - 10
    assert len(stream.finish()) == 10
    stream = Resampler(3, 1)
    assert len(stream.process(np.zeros(100))) == 300 - 30
    assert len(stream.finish()) == 30


def test_after_finish_another_signal_begins():
    stream, x = Resampler(2, 3), noise(60)
    assert stream.finish().shape == (0,)
    for other in (x, np.stack([x, x], axis=1)):
        got = np.concatenate([stream.process(other), stream.finish()])
        assert got.tobytes() == resample(other, 2, 3).tobytes()


@pytest.mark.parametrize(("up", "down"), [(0, 1), (1, 0), (-1, 2), (1.5, 1)])
def test_other_than_whole_positive_rates_are_refused(up, down):
    with pytest.raises(ValueError, match=f"whole numbers from 1 up.*got {up} and {down}"):
        Resampler(up, down)
    with pytest.raises(ValueError, match="whole numbers from 1 up"):
        decimate(np.zeros(10), 0)


@pytest.mark.parametrize("taps", [[], [[1.0, 2.0]], 1.0, [np.nan]])
def test_taps_that_are_none_are_refused(taps):
    with pytest.raises(ValueError, match=r"shape \(length,\)"):
        FIRFilter(taps)


@pytest.mark.parametrize(
    ("arguments", "rate", "message"),
    [
        ((0, 100), RATE, "taps from 1 up; got a length of 0"),
        ((10.5, 100), RATE, "got a length of 10.5"),
        ((11, 4000), RATE, "4000.0 Hz is not between 0 and 4000.0 Hz"),
        ((11, 0), RATE, "0.0 Hz is not between"),
        ((11, 100), 0, "positive number of samples per second"),
        ((11, 100, "band"), RATE, "two cutoffs"),
    ],
)
def test_impossible_designs_are_named(arguments, rate, message):
    with pytest.raises(ValueError, match=message):
        windowed_sinc(*arguments, sample_rate_hz=rate)


@pytest.mark.parametrize(
    ("arguments", "message"), [((200, 10), "21 dB; got 10"), ((0, 60), "not between"), ((5000, 60), "not between")]
)
def test_impossible_kaiser_designs_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        kaiser_design(*arguments, sample_rate_hz=RATE)
