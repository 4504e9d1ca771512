from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlab.signals.spectra import (
    COSINES,
    FrameStream,
    SpectralGate,
    STFTStream,
    istft,
    noise_profile,
    one_channel,
    spectral_gate,
    stft,
    window,
)

RATE = 16_000
SCIPY_NAMES = {"rectangular": "boxcar", "blackman-harris": "blackmanharris"}
LENGTHS = st.lists(st.integers(0, 700), max_size=12)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count)


def pieces(x: np.ndarray, lengths: list[int]) -> list[np.ndarray]:
    """x cut into chunks of these lengths, and what is left."""
    return np.split(x, np.minimum(np.cumsum(lengths), len(x)).astype(int)) if lengths else [x]


@pytest.mark.parametrize("name", COSINES)
@pytest.mark.parametrize("length", [1, 2, 7, 400])
@pytest.mark.parametrize("periodic", [True, False])
def test_windows_are_those_of_scipy(name, length, periodic):
    expected = scipy.signal.get_window(SCIPY_NAMES.get(name, name), length, fftbins=periodic)
    np.testing.assert_allclose(window(name, length, periodic=periodic), expected, rtol=0, atol=1e-15)


def test_an_unknown_window_and_one_without_samples_are_refused():
    with pytest.raises(ValueError, match=r"no window called 'han': choose one of rectangular, hann"):
        window("han", 8)
    with pytest.raises(ValueError, match="at least 1 sample, not 0"):
        window("hann", 0)


@pytest.mark.parametrize(("frame", "hop", "fft"), [(400, 160, None), (512, 128, None), (63, 20, 64)])
@pytest.mark.parametrize("name", COSINES)
def test_stft_is_the_transform_written_out(frame, hop, fft, name):
    x, points = noise(1500), fft or frame
    got = stft(x, frame_length=frame, hop_length=hop, fft_length=fft, window_name=name)
    wave = np.exp(-2j * np.pi * np.outer(np.arange(frame), np.arange(points // 2 + 1)) / points)
    shape = window(name, frame)
    expected = [(x[start : start + frame] * shape) @ wave for start in range(0, len(x) - frame + 1, hop)]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(("frame", "hop"), [(400, 160), (512, 128), (1024, 1000)])
def test_stft_is_that_of_librosa(frame, hop, center):
    x = noise(5000)
    expected = librosa.stft(x, n_fft=frame, hop_length=hop, center=center)
    np.testing.assert_allclose(
        stft(x, frame_length=frame, hop_length=hop, center=center), expected.T, rtol=0, atol=1e-10
    )


def test_stft_is_that_of_scipy():
    x = noise(5000)
    transform = scipy.signal.ShortTimeFFT(scipy.signal.get_window("hamming", 400), 160, RATE, phase_shift=None)
    # scipy's frame p is centered on sample p · hop: half a frame of offset puts the first one where ours begins.
    expected = transform.stft(x, k_offset=200, p0=0)[:, : 1 + (len(x) - 400) // 160]
    np.testing.assert_allclose(
        stft(x, frame_length=400, hop_length=160, window_name="hamming"), expected.T, rtol=0, atol=1e-10
    )


@pytest.mark.parametrize(
    ("frame", "hop", "name", "fft"),
    [(512, 128, "hann", None), (400, 160, "hann", 512), (400, 200, "hamming", None), (63, 21, "blackman", None)],
)
@pytest.mark.parametrize("count", [1, 200, 4000, 4097])
def test_the_inverse_gives_the_signal_back(frame, hop, name, fft, count):
    x = noise(count)
    setting = {"frame_length": frame, "hop_length": hop, "window_name": name, "fft_length": fft, "center": True}
    back = istft(stft(np.pad(x, (0, frame)), **setting), length=count, **setting)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-12)


def test_the_inverse_without_padding_leaves_out_what_no_window_reached():
    x = noise(1000)
    setting = {"frame_length": 400, "hop_length": 160}
    back = istft(stft(x, **setting), **setting)
    assert len(back) == 400 + 3 * 160
    assert back[0] == 0  # a periodic Hann window begins with 0
    # The second sample was multiplied with w = 6e-5 and is divided by w² once more windowed: an error of 1e-16 / w.
    np.testing.assert_allclose(back[1:], x[1:880], rtol=0, atol=1e-10)
    assert istft(stft(x, **setting), length=900, **setting)[880:].tolist() == [0] * 20


@pytest.mark.parametrize("length", [None, 5000])
def test_the_inverse_of_a_changed_spectrum_is_that_of_librosa(length):
    spectrum = stft(noise(5000), frame_length=512, hop_length=128, center=True) * noise(257, 1)
    got = istft(spectrum, frame_length=512, hop_length=128, center=True, length=length)
    expected = librosa.istft(spectrum.T, hop_length=128, length=length)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


def test_an_empty_spectrum_has_no_samples_and_a_wrong_one_is_refused():
    assert istft(np.zeros((0, 201)), frame_length=400, hop_length=160).shape == (0,)
    with pytest.raises(ValueError, match=r"the shape \(frames, 201\), not \(201, 5\)"):
        istft(np.zeros((201, 5)), frame_length=400, hop_length=160)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.sampled_from([(400, 160), (256, 256), (33, 5)]))
def test_a_stream_gives_the_batch_result_bit_for_bit(lengths, sizes):
    x = noise(3000)
    setting = {"frame_length": sizes[0], "hop_length": sizes[1]}
    stream = STFTStream(**setting)
    got = np.concatenate([stream.process(chunk) for chunk in pieces(x, lengths)])
    np.testing.assert_array_equal(got, stft(x, **setting))


def test_a_frame_comes_out_with_its_last_sample():
    frames = FrameStream(5, 2)
    counts = [len(frames.process(np.array([float(n)]))) for n in range(11)]
    assert counts == [0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("count", [0, 1, 399])
def test_a_signal_shorter_than_a_frame_has_no_frames(count):
    got = stft(np.zeros(count), frame_length=400, hop_length=160)
    assert got.shape == (0, 201)


def test_a_nan_stays_in_its_frames():
    x = noise(2000)
    clean = stft(x, frame_length=400, hop_length=160)
    x[800] = np.nan
    got = stft(x, frame_length=400, hop_length=160)
    touched = [t for t in range(len(clean)) if t * 160 <= 800 < t * 160 + 400]
    assert np.isnan(got[touched]).all()
    others = np.setdiff1d(np.arange(len(clean)), touched)
    np.testing.assert_array_equal(got[others], clean[others])


def test_integers_are_taken_and_two_channels_refused():
    x = np.arange(1000, dtype=np.int16)
    np.testing.assert_array_equal(
        stft(x, frame_length=64, hop_length=32), stft(x.astype(float), frame_length=64, hop_length=32)
    )
    with pytest.raises(ValueError, match=r"\(samples,\), not \(1000, 2\).*x\.mean\(axis=1\)"):
        stft(np.zeros((1000, 2)), frame_length=64, hop_length=32)
    with pytest.raises(ValueError, match="real numbers, not of complex128"):
        one_channel(np.zeros(4, complex))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"hop_length": 0}, "hop_length is 0 and frame_length 400"),
        ({"hop_length": 401}, "hop_length is 401"),
        ({"hop_length": 160, "fft_length": 256}, "fft_length 256 is shorter than a frame of 400"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        stft(np.zeros(1000), frame_length=400, **setting)


def test_a_profile_of_white_noise_is_its_power():
    # Each of 1,247 frames, a quarter of them independent, has an exponential distribution: 1/√312 of noise per bin, 5 σ.
    profile = noise_profile(0.1 * noise(10 * RATE))
    expected = 0.01 * (window("hann", 512) ** 2).sum()
    np.testing.assert_allclose(profile[1:-1], expected, rtol=5 / np.sqrt(312))


def test_noise_alone_is_turned_down():
    profile = noise_profile(0.1 * noise(RATE))
    rest = spectral_gate(0.1 * noise(RATE, 1), profile, reduction_db=20)
    # Bins that stay below the threshold lose 20 dB; the few above it leave a little more.
    assert -20.5 < 20 * np.log10(rest.std() / 0.1) < -17


def test_a_loud_signal_passes_untouched_and_a_tone_in_noise_gets_clear():
    time = np.arange(2 * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 1000 * time)
    quiet = np.full(257, 1e-30)
    np.testing.assert_allclose(spectral_gate(tone + noise(len(tone)), quiet), tone + noise(len(tone)), rtol=0, atol=1e-12)
    noisy = tone + 0.1 * noise(len(tone))
    cleaned = spectral_gate(noisy, noise_profile(0.1 * noise(RATE, 1)))
    before, after = np.std(noisy - tone), np.std(cleaned - tone)
    # All but the 7 of 257 bins around the tone lose up to 20 dB of noise: 15.6 dB in all if nothing else were let through.
    assert 20 * np.log10(before / after) > 12


def test_a_gate_at_zero_decibels_is_the_identity_for_every_length():
    profile = noise_profile(noise(RATE))
    for count in (0, 1, 127, 128, 511, 512, 513, 3000):
        x = noise(count, 2)
        got = spectral_gate(x, profile, reduction_db=0)
        assert got.shape == x.shape
        np.testing.assert_allclose(got, x, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("frame", "hop"), [(512, 128), (400, 160), (512, 256)])
def test_every_overlap_of_half_or_more_gives_the_signal_back(frame, hop):
    x = noise(3000)
    profile = np.ones(frame // 2 + 1)
    np.testing.assert_allclose(
        spectral_gate(x, profile, frame_length=frame, hop_length=hop, reduction_db=0), x, rtol=0, atol=1e-13
    )


@settings(max_examples=60, deadline=None)
@given(LENGTHS)
def test_a_gate_gives_the_batch_result_bit_for_bit(lengths):
    x = noise(2500) * np.linspace(0, 3, 2500)
    profile = np.full(257, (window("hann", 512) ** 2).sum())
    gate = SpectralGate(profile)
    got = [gate.process(chunk) for chunk in pieces(x, lengths)]
    # A sample is final once every frame that it lies in is complete.
    assert len(x) - sum(map(len, got)) < 512
    np.testing.assert_array_equal(np.concatenate([*got, gate.finish()]), spectral_gate(x, profile))


def test_a_bin_opens_where_most_of_its_neighbors_are_loud():
    tone = np.cos(2 * np.pi * 100 * np.arange(4096) / 512)  # exactly on a bin: its Hann lobe is 3 bins wide
    middle = slice(1024, 3072)  # away from the clicks at both ends, which are loud everywhere
    opened = spectral_gate(tone, np.ones(257), neighbors=5)
    np.testing.assert_allclose(opened[middle], tone[middle], rtol=0, atol=1e-6)
    closed = spectral_gate(tone, np.ones(257), neighbors=7, closing=1.0, reduction_db=20)
    np.testing.assert_allclose(closed[middle], tone[middle] / 10, rtol=0, atol=1e-6)


def test_a_bin_closes_in_the_time_that_was_set():
    tone = 0.1 * np.sin(0.6 * np.arange(6000))
    x = np.where(np.arange(6000) < 3000, 10.0, 1.0) * tone
    profile = np.full(257, (stft(tone, frame_length=512, hop_length=128).real ** 2).max())  # above the quiet part only
    slow, fast = (spectral_gate(x, profile, threshold_db=10, closing=closing) for closing in (0.05, 1.0))
    # 600 to 1,600 samples are 4.7 to 12.5 frames: closing at 5 % a frame keeps 0.5 to 0.8 of the gain, at 100 % only 0.1.
    tail = slice(3600, 4600)
    assert 0.5 < np.std(slow[tail]) / np.std(tone) < 0.85
    np.testing.assert_allclose(np.std(fast[tail]) / np.std(tone), 0.1, rtol=0.05)


def test_a_nan_does_not_stay_in_the_gate():
    x = noise(4000)
    profile = noise_profile(noise(RATE, 3))
    clean = spectral_gate(x, profile)
    x[1000] = np.nan
    got = spectral_gate(x, profile)
    assert np.isnan(got[1000])
    bad = np.flatnonzero(np.isnan(got))
    assert bad.min() > 1000 - 512
    assert bad.max() < 1000 + 512
    np.testing.assert_array_equal(got[:400], clean[:400])
    assert np.isfinite(got[1512:]).all()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"frame_length": 256}, r"has the shape \(129,\), not \(257,\)"),
        ({"hop_length": 300}, "hop_length 300 is above 256"),
        ({"neighbors": 4}, "odd number.*not 4"),
    ],
)
def test_a_gate_refuses_what_does_not_fit(setting, message):
    with pytest.raises(ValueError, match=message):
        SpectralGate(np.ones(257), **setting)


def test_a_profile_needs_a_frame_of_noise_without_nan():
    with pytest.raises(ValueError, match="100 samples of noise are fewer than a frame of 512"):
        noise_profile(np.zeros(100))
    with pytest.raises(ValueError, match="has NaN in it"):
        noise_profile(np.full(1000, np.nan))
