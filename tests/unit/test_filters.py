from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pocketlab.signals import filters
from pocketlab.signals.filters import (
    BiquadCascade,
    band_pass,
    butterworth,
    frequency_response,
    high_pass,
    low_pass,
    notch,
    peak,
    settled_state,
    sos_filter,
    zero_phase_filter,
)

RATE = 16000.0
SCIPY_KINDS = {"low": "lowpass", "high": "highpass", "band": "bandpass"}
CUTOFFS = [
    *[(kind, cutoff) for kind in ("low", "high") for cutoff in (20.0, 1000.0, 5000.0, 7900.0)],
    *[("band", pair) for pair in ((300.0, 3400.0), (900.0, 1100.0), (1000.0, 4000.0), (50.0, 7000.0), (6000.0, 7000.0))],
]


def peer(order, cutoff, kind):
    return scipy.signal.butter(order, cutoff, SCIPY_KINDS[kind], fs=RATE, output="sos")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# The cookbook's own analog filters H(s) for a frequency of 1, numerator and denominator, highest power first.
ANALOG = {
    "low": (lambda q, _: ([1], [1, 1 / q, 1]), lambda f, q, _: low_pass(f, q, sample_rate_hz=RATE)),
    "high": (lambda q, _: ([1, 0, 0], [1, 1 / q, 1]), lambda f, q, _: high_pass(f, q, sample_rate_hz=RATE)),
    "band": (lambda q, _: ([1 / q, 0], [1, 1 / q, 1]), lambda f, q, _: band_pass(f, q, sample_rate_hz=RATE)),
    "notch": (lambda q, _: ([1, 0, 1], [1, 1 / q, 1]), lambda f, q, _: notch(f, q, sample_rate_hz=RATE)),
    "peak": (
        lambda q, a: ([1, a / q, 1], [1, 1 / (a * q), 1]),
        lambda f, q, a: peak(f, q, 40 * math.log10(a), sample_rate_hz=RATE),
    ),
}


@pytest.mark.parametrize("name", ANALOG)
@pytest.mark.parametrize("frequency", [30.0, 1000.0, 7500.0])
@pytest.mark.parametrize("q", [0.5, 1.0, 12.0])
@pytest.mark.parametrize("root_gain", [0.5, 1.7])
def test_cookbook_designs_are_the_bilinear_transforms_of_their_analog_filters(name, frequency, q, root_gain):
    analog, ours = ANALOG[name]
    # SciPy's transform has s = 2·fs·(z − 1)/(z + 1); this fs brings the analog frequency 1 to ours.
    b, a = scipy.signal.bilinear(*analog(q, root_gain), fs=0.5 / math.tan(math.pi * frequency / RATE))
    np.testing.assert_allclose(ours(frequency, q, root_gain), [[*b, *a]], rtol=0, atol=1e-10)


def test_cookbook_gains_at_their_frequency():
    def gain(sos, frequency):
        return abs(frequency_response(sos, frequency, sample_rate_hz=RATE))

    for sos, at, far in [
        (low_pass(1000, 3, sample_rate_hz=RATE), 3, (1, 0)),
        (high_pass(1000, 3, sample_rate_hz=RATE), 3, (0, 1)),
        (band_pass(1000, 3, sample_rate_hz=RATE), 1, (0, 0)),
        (notch(1000, 3, sample_rate_hz=RATE), 0, (1, 1)),
        (peak(1000, 3, -6, sample_rate_hz=RATE), 10 ** (-6 / 20), (1, 1)),
        (peak(1000, 3, 0, sample_rate_hz=RATE), 1, (1, 1)),
    ]:
        # At frequency 0 a denominator of 0.15 stands under rounded terms of 4.
        np.testing.assert_allclose([gain(sos, f) for f in (1000, 0, RATE / 2)], [at, *far], rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 8, 11])
@pytest.mark.parametrize(("kind", "cutoff"), CUTOFFS)
def test_butterworth_sections_are_those_of_scipy(order, kind, cutoff):
    np.testing.assert_allclose(
        butterworth(order, cutoff, kind, sample_rate_hz=RATE), peer(order, cutoff, kind), rtol=0, atol=1e-10
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(1, 10), st.sampled_from(["low", "high", "band"]), st.floats(80, 7900), st.floats(80, 7900))
def test_butterworth_responses_are_those_of_scipy(order, kind, one, other):
    assume(abs(one - other) > 80)
    cutoff = (min(one, other), max(one, other)) if kind == "band" else one
    frequencies = np.linspace(0, RATE / 2, 50)
    _, expected = scipy.signal.freqz_sos(peer(order, cutoff, kind), frequencies, fs=RATE)
    got = frequency_response(butterworth(order, cutoff, kind, sample_rate_hz=RATE), frequencies, sample_rate_hz=RATE)
    # Poles are as near to the unit circle as 0.01 in 80 Hz of bandwidth, times 1/10 at order 10: 16 digits lose a few.
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3, 7])
def test_butterworth_is_3_db_down_at_its_cutoffs_and_even_in_its_band(order):
    half_power = math.sqrt(0.5)
    for kind, cutoff, inside in (("low", 1000, 0), ("high", 1000, RATE / 2), ("band", (500, 2000), 1000)):
        sos = butterworth(order, cutoff, kind, sample_rate_hz=RATE)
        at = np.abs(frequency_response(sos, np.atleast_1d(cutoff), sample_rate_hz=RATE))
        np.testing.assert_allclose(at, half_power, rtol=1e-10)
        # The middle of a band is where the warped frequencies have their geometric mean; 1000 Hz is near to it.
        assert abs(abs(frequency_response(sos, inside, sample_rate_hz=RATE)) - 1) < (0.01 if kind == "band" else 1e-10)


def test_frequency_response_is_the_spectrum_of_the_impulse_response():
    sos = butterworth(3, (1000, 4000), "band", sample_rate_hz=RATE)
    impulse = np.zeros(4096)
    impulse[0] = 1
    frequencies = np.fft.rfftfreq(4096, 1 / RATE)
    response = frequency_response(sos, frequencies.reshape(-1, 1), sample_rate_hz=RATE)
    assert response.shape == (2049, 1)
    np.testing.assert_allclose(response[:, 0], np.fft.rfft(sos_filter(sos, impulse)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3, 6, 9])
@pytest.mark.parametrize("shape", [(500,), (500, 1), (500, 3)])
def test_sos_filter_is_that_of_scipy(order, shape):
    sos = butterworth(order, (300, 3400), "band", sample_rate_hz=RATE)
    x = noise(*shape)
    np.testing.assert_allclose(sos_filter(sos, x), scipy.signal.sosfilt(sos, x, axis=0), rtol=0, atol=1e-10)


def test_settled_filters_begin_as_though_the_first_sample_had_always_been_there():
    sos, x = butterworth(5, 100, sample_rate_hz=RATE), 3 + noise(400, 2)
    state = scipy.signal.sosfilt_zi(sos)
    # States of a cutoff so low are solutions of equations of condition 1e4: 12 digits of them are left.
    np.testing.assert_allclose(settled_state(sos), state, rtol=1e-10)
    expected, _ = scipy.signal.sosfilt(sos, x, axis=0, zi=state[:, :, np.newaxis] * x[0])
    np.testing.assert_allclose(sos_filter(sos, x, settled=True), expected, rtol=0, atol=1e-10)
    level = np.full(300, 9.81)
    np.testing.assert_allclose(sos_filter(sos, level, settled=True), 9.81, rtol=1e-10)
    high = butterworth(4, 100, "high", sample_rate_hz=RATE)
    np.testing.assert_allclose(sos_filter(high, level, settled=True), 0, atol=1e-10)
    assert abs(sos_filter(sos, level)[0]) < 1e-3


@pytest.mark.parametrize(("kind", "cutoff"), [("low", 500.0), ("high", 2000.0), ("band", (500.0, 2000.0))])
@pytest.mark.parametrize("order", [1, 4, 5])
def test_zero_phase_filter_is_that_of_scipy(kind, cutoff, order):
    sos, x = butterworth(order, cutoff, kind, sample_rate_hz=RATE), noise(600, 2) + 5
    np.testing.assert_allclose(zero_phase_filter(sos, x), scipy.signal.sosfiltfilt(sos, x, axis=0), rtol=0, atol=1e-10)


def test_zero_phase_filter_delays_nothing_and_its_gain_acts_twice():
    sos = butterworth(2, 1000, sample_rate_hz=RATE)
    sine = np.sin(2 * np.pi * 1000 * np.arange(1600) / RATE)
    got = zero_phase_filter(sos, sine)
    # 3 dB twice is a half; 800 samples from the ends their traces are gone.
    np.testing.assert_allclose(got[700:900], 0.5 * sine[700:900], rtol=0, atol=1e-10)
    assert zero_phase_filter(sos, np.zeros((0, 3))).shape == (0, 3)


def test_the_loop_computes_what_its_plain_python_form_computes():
    sos, x = butterworth(4, 1000, sample_rate_hz=RATE), noise(200, 2)
    compiled, plain = x.copy(), x.copy()
    states = np.zeros((2, 2, 2, 2))
    filters._filter_pairs(sos, compiled, states[0])
    filters._filter_pairs.py_func(sos, plain, states[1])
    assert compiled.tobytes() == plain.tobytes()
    assert states[0].tobytes() == states[1].tobytes()


def test_a_nan_would_stay_in_the_state_for_ever():
    sos, y = butterworth(2, 1000, sample_rate_hz=RATE), np.zeros((5000, 1))
    y[0] = np.nan
    filters._filter_pairs(np.concatenate([sos, [[1, 0, 0, 1, 0, 0]]]), y, np.zeros((2, 2, 1)))
    assert np.isnan(y).all()


@pytest.mark.parametrize(
    "design", [low_pass, high_pass, lambda f, **rate: butterworth(2, f, **rate), lambda f, **rate: notch(f, 9, **rate)]
)
@pytest.mark.parametrize("frequency", [0, -5, 8000, 9000, np.nan, np.inf])
def test_frequencies_at_or_above_nyquist_or_not_positive_are_refused(design, frequency):
    with pytest.raises(ValueError, match=r"not between 0 and 8000.0 Hz, half the sample rate"):
        design(frequency, sample_rate_hz=16000)


@pytest.mark.parametrize("rate", [0, -1, np.nan, np.inf])
def test_sample_rates_that_are_none_are_refused(rate):
    for design in (lambda: low_pass(10, sample_rate_hz=rate), lambda: frequency_response(np.eye(1, 6), 1, sample_rate_hz=rate)):
        with pytest.raises(ValueError, match="positive number of samples per second"):
            design()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 100), "order is a whole number from 1 up.*got 0"),
        ((-2, 100), "got -2"),
        ((2.5, 100), "got 2.5"),
        ((2, 100, "bandpass"), "'bandpass'"),
        ((2, (100, 200)), "A low pass takes one cutoff"),
        ((2, 100, "band"), "A band pass takes two cutoffs"),
        ((2, (200, 100), "band"), "lower cutoff of a band pass comes first"),
        ((2, (100, 100), "band"), "lower cutoff of a band pass comes first"),
        ((2, (100, 9000), "band"), "9000.0 Hz is not between"),
        ((4, 1e-9), "pole on or outside the unit circle.*decimate first"),
    ],
)
def test_impossible_butterworth_filters_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        butterworth(*arguments, sample_rate_hz=RATE)


@pytest.mark.parametrize("q", [0, -1, np.nan, np.inf])
def test_qualities_that_are_not_positive_are_refused(q):
    with pytest.raises(ValueError, match="quality q"):
        band_pass(1000, q, sample_rate_hz=RATE)


@pytest.mark.parametrize(
    ("sos", "message"),
    [
        (np.zeros((0, 6)), "rows b0"),
        (np.ones(6), "rows b0"),
        (np.ones((2, 5)), "rows b0"),
        ([[1, 0, 0, 2, 0, 0]], r"a0 = 1.*a0 \[2.\]"),
        ([[np.nan, 0, 0, 1, 0, 0]], "finite"),
        ([[1, 0, 0, 1, 0, 0], [1, 0, 0, 1, -1, 0]], "Section 1 has a pole on or outside"),
        ([[1, 0, 0, 1, 0, 1.01]], "Section 0 has a pole on or outside"),
    ],
)
def test_sections_that_cannot_be_filtered_with_are_named(sos, message):
    for use in (BiquadCascade, settled_state, lambda sos: zero_phase_filter(sos, noise(99))):
        with pytest.raises(ValueError, match=message):
            use(sos)


def test_a_signal_too_short_to_be_filtered_both_ways_is_refused():
    with pytest.raises(ValueError, match="2 sections forward and backward take over 15 samples; got 15"):
        zero_phase_filter(butterworth(4, 100, sample_rate_hz=RATE), noise(15))
