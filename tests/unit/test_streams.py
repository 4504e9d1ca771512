from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlab.signals.filters import BiquadCascade, butterworth, sos_filter
from pocketlab.signals.fir import FIRFilter, Resampler, fir_filter, resample, windowed_sinc
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
)

RATE = 100.0
SOS = butterworth(5, (5, 20), "band", sample_rate_hz=RATE)
TAPS = windowed_sinc(21, 10, sample_rate_hz=RATE)
BLOCK = 16


def medians(x):
    padded = np.concatenate([np.repeat(x[:1], 4, axis=0), x])
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0), axis=-1) + 0.0


def amplitudes(x):
    blocks = x[: len(x) // BLOCK * BLOCK].reshape(-1, BLOCK, *x.shape[1:])
    if len(blocks) == 0:
        return np.zeros((0, *x.shape[1:]))
    return np.stack([2 / BLOCK * np.abs(goertzel(block, 12.5, sample_rate_hz=RATE)) for block in blocks])


# A stream, and a batch function that has to return the same bits.
STREAMS = {
    "biquads": (lambda: BiquadCascade(SOS), lambda x: sos_filter(SOS, x)),
    "settled biquads": (lambda: BiquadCascade(SOS[:2], settled=True), lambda x: sos_filter(SOS[:2], x, settled=True)),
    "taps": (lambda: FIRFilter(TAPS), lambda x: fir_filter(TAPS, x)),
    "settled taps": (lambda: FIRFilter(TAPS, settled=True), lambda x: fir_filter(TAPS, x, settled=True)),
    "one tap": (lambda: FIRFilter([0.3]), lambda x: fir_filter([0.3], x)),
    "rate 160/441": (lambda: Resampler(160, 441), lambda x: resample(x, 160, 441)),
    "rate 3/2": (lambda: Resampler(3, 2), lambda x: resample(x, 3, 2)),
    "rate 1/7": (lambda: Resampler(1, 7), lambda x: resample(x, 1, 7)),
    "rate 4/1": (lambda: Resampler(4, 1), lambda x: resample(x, 4, 1)),
    "rate 1/1": (lambda: Resampler(2, 2), lambda x: resample(x, 1, 1)),
    "mean": (lambda: MovingAverage(7), lambda x: moving_average(x, 7)),
    "exponential": (
        lambda: ExponentialSmoothing(0.05, sample_rate_hz=RATE),
        lambda x: exponential_smoothing(x, 0.05, sample_rate_hz=RATE),
    ),
    "median": (lambda: MedianFilter(5), medians),
    "spikes": (lambda: HampelFilter(7), lambda x: HampelFilter(7).process(x)),
    "amplitude": (lambda: GoertzelDetector(12.5, BLOCK, sample_rate_hz=RATE), amplitudes),
}
streams = pytest.mark.parametrize("name", STREAMS)


def signal(seed, length, channels):
    """Noise in steps of 0.1: equal values, zeros of both signs, and sums that round."""
    shape = (length,) if channels is None else (length, channels)
    return np.round(np.random.default_rng(seed).normal(size=shape), 1)


def in_chunks(stream, x, cuts):
    chunks = [stream.process(chunk) for chunk in np.split(x, sorted(cuts))]
    return np.concatenate([*chunks, stream.finish()] if isinstance(stream, Resampler) else chunks)


@streams
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_cutting_into_chunks_changes_a_bit(name, data):
    make, batch = STREAMS[name]
    length = data.draw(st.integers(1, 300))
    x = signal(data.draw(st.integers(0, 99)), length, data.draw(st.sampled_from([None, 1, 3])))
    cuts = data.draw(st.lists(st.integers(0, length), max_size=12))
    got, expected = in_chunks(make(), x, cuts), batch(x)
    assert got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


@streams
def test_one_sample_at_a_time_is_the_same_as_all_at_once(name):
    make, batch = STREAMS[name]
    x = signal(1, 200, 2)
    assert in_chunks(make(), x, range(1, 200)).tobytes() == batch(x).tobytes()


@streams
def test_each_channel_is_filtered_on_its_own(name):
    make, _ = STREAMS[name]
    x = signal(2, 150, 3)
    together = in_chunks(make(), x, [])
    for channel in range(3):
        assert in_chunks(make(), x[:, channel], []).tobytes() == together[:, channel].tobytes()


@streams
@pytest.mark.parametrize("shape", [(0,), (0, 2)])
def test_an_empty_signal_stays_empty(name, shape):
    make, _ = STREAMS[name]
    assert make().process(np.zeros(shape)).shape == shape


@streams
def test_integers_float32_and_strided_arrays_count_as_their_values(name):
    make, batch = STREAMS[name]
    whole = np.random.default_rng(3).integers(-32768, 32767, (80, 2)).astype(np.int16)
    expected = batch(whole.astype(np.float64)).tobytes()
    wide = np.zeros((160, 4), np.float32)
    wide[::2, ::2] = whole
    for same in (whole, whole.astype(np.float32), np.asfortranarray(whole), wide[::2, ::2], whole.tolist(), whole[::-1][::-1]):
        got = in_chunks(make(), np.asarray(same), [30])
        assert got.dtype == np.float64
        assert got.tobytes() == expected


@streams
def test_the_input_is_left_as_it_was(name):
    make, _ = STREAMS[name]
    x = signal(4, 100, 2)
    before = x.copy()
    x.setflags(write=False)
    make().process(x)
    np.testing.assert_array_equal(x, before)


@streams
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_nan_is_refused_and_the_mended_chunk_goes_on_as_though_nothing_had_been(name, bad):
    make, batch = STREAMS[name]
    x = signal(5, 90, 2)
    stream = make()
    first = stream.process(x[:40])
    broken = x[40:].copy()
    broken[7, 1] = bad
    with pytest.raises(ValueError, match=r"Sample 7 is -?(nan|inf).*np.interp"):
        stream.process(broken)
    rest = in_chunks(stream, x[40:], [])
    assert np.concatenate([first, rest]).tobytes() == batch(x).tobytes()


@streams
def test_a_nan_in_the_first_chunk_leaves_the_stream_unused(name):
    make, batch = STREAMS[name]
    stream, x = make(), signal(6, 50, None)
    with pytest.raises(ValueError, match="Sample 0 is nan"):
        stream.process(np.full((4, 3), np.nan))
    assert in_chunks(stream, x, []).tobytes() == batch(x).tobytes()


@streams
def test_other_channels_than_before_are_refused_until_reset(name):
    make, batch = STREAMS[name]
    stream = make()
    stream.process(signal(7, 20, 2))
    for other in (np.zeros((5, 3)), np.zeros(5), np.zeros((0, 3))):
        with pytest.raises(ValueError, match=r"chunks of shape \(time, 2\).*reset\(\)"):
            stream.process(other)
    stream.reset()
    x = signal(8, 60, None)
    assert in_chunks(stream, x, []).tobytes() == batch(x).tobytes()


def test_one_channel_and_a_table_with_one_column_are_two_things():
    stream = MovingAverage(3)
    stream.process(np.zeros(4))
    with pytest.raises(ValueError, match=r"chunks of shape \(time,\); this one has \(4, 1\)"):
        stream.process(np.zeros((4, 1)))


@pytest.mark.parametrize("shape", [(), (4, 2, 2), (5, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(time,\) or \(time, channels\).*got \("):
        MovingAverage(3).process(np.zeros(shape))


@pytest.mark.parametrize("x", [np.zeros(4, np.complex128), np.array(["a"]), np.array([None])])
def test_numbers_that_are_not_real_are_refused(x):
    with pytest.raises(ValueError, match="real numbers"):
        MovingAverage(3).process(x)


@pytest.mark.parametrize("x", [np.zeros((0, 2)), np.zeros(0)])
def test_centered_filters_of_nothing_return_nothing(x):
    assert median_filter(x, 5).shape == hampel(x, 5).shape == x.shape
