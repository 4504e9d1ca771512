from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlab.signals.audio import (
    PCEN,
    MelSettings,
    MelStream,
    hz_to_mel,
    mel_bands,
    mel_filters,
    mel_to_hz,
    mfcc,
    pcen,
    power_to_db,
    sound,
)

FLOAT32_STEP = 2.0**-23
RATE = 16_000
SETTINGS = [
    {},
    {"bands": 80},
    {"bands": 40, "frame_length": 400, "fft_length": 512, "htk": True},
    {"sample_rate_hz": 8000, "frame_length": 256, "hop_length": 80, "bands": 32, "low_hz": 60.0, "high_hz": 3800.0},
    {"sample_rate_hz": 22_050, "frame_length": 2048, "hop_length": 512, "bands": 128, "area_norm": False},
]


def speech_like(count: int, seed: int = 0) -> np.ndarray:
    """Noise that comes and goes, from very quiet to half of full scale."""
    swell = 10 ** (1.5 * np.sin(2 * np.pi * np.arange(count) / 4000) - 1.8)
    return np.clip(np.random.default_rng(seed).standard_normal(count) * swell, -1, 1)


def peer_filters(setting: MelSettings) -> np.ndarray:
    return librosa.filters.mel(
        sr=setting.sample_rate_hz,
        n_fft=setting.points,
        n_mels=setting.bands,
        fmin=setting.low_hz,
        fmax=setting.top_hz,
        htk=setting.htk,
        norm="slaney" if setting.area_norm else None,
        dtype=np.float64,
    )


def peer(x: np.ndarray, setting: MelSettings) -> np.ndarray:
    """librosa's bands, in float64; its frames are fft_length long, with the window in their middle."""
    before = (setting.points - setting.frame_length) // 2
    x = np.pad(x, (before, setting.points - setting.frame_length - before))
    lengths = {"n_fft": setting.points, "win_length": setting.frame_length, "hop_length": setting.hop_length}
    return (peer_filters(setting) @ np.abs(librosa.stft(x, **lengths, center=False)) ** 2).T


@pytest.mark.parametrize("htk", [True, False])
def test_the_mel_scales_are_those_of_librosa_and_have_an_inverse(htk):
    hz = np.array([0, 1, 200, 999.9, 1000, 1000.1, 4000, 20_000])
    mel = hz_to_mel(hz, htk=htk)
    np.testing.assert_allclose(mel, librosa.hz_to_mel(hz, htk=htk), rtol=1e-13)
    np.testing.assert_allclose(mel_to_hz(mel, htk=htk), hz, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mel_to_hz(mel, htk=htk), librosa.mel_to_hz(mel, htk=htk), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_filters_are_those_of_librosa(setting):
    chosen = MelSettings(**setting)
    # The slopes of bands are differences of frequencies of up to 10 kHz over widths of 30 Hz or more: 10,000 / 30 roundings.
    np.testing.assert_allclose(mel_filters(chosen), peer_filters(chosen), rtol=0, atol=1e-12)


@pytest.mark.parametrize("setting", SETTINGS)
def test_bands_are_those_of_librosa(setting):
    chosen, x = MelSettings(**setting), speech_like(20_000)
    got, expected = mel_bands(x, chosen), peer(x, chosen)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10 * expected.max())


@pytest.mark.parametrize("setting", SETTINGS)
def test_float32_bands_are_exact_to_a_part_of_the_loudest(setting):
    chosen, x = MelSettings(**setting, dtype=np.float32), speech_like(20_000)
    got, expected = mel_bands(x, chosen), mel_bands(x, MelSettings(**setting))
    assert got.dtype == np.float32
    # A float32 FFT of up to 2,048 points rounds 11 times, which counts twice in power.
    loudest = expected.max(axis=1, keepdims=True)
    assert (np.abs(got - expected) / loudest).max() < 22 * FLOAT32_STEP


def test_log_mel_and_mfcc_are_those_of_librosa():
    x = speech_like(20_000)
    bands = mel_bands(x)
    for top_db in (None, 80.0, 30.0):
        expected = librosa.power_to_db(bands, top_db=top_db)
        np.testing.assert_allclose(power_to_db(bands, top_db=top_db), expected, rtol=0, atol=1e-10)
    got = power_to_db(bands, reference=2.5, smallest=1e-6)
    np.testing.assert_allclose(got, librosa.power_to_db(bands, ref=2.5, amin=1e-6, top_db=None), rtol=0, atol=1e-10)
    decibels = power_to_db(bands, top_db=80.0)
    expected = librosa.feature.mfcc(S=decibels.T, sr=RATE, n_mfcc=13)
    np.testing.assert_allclose(mfcc(decibels), expected.T, rtol=0, atol=1e-9)


def test_the_whole_chain_is_that_of_librosa_as_people_call_it():
    x = speech_like(20_000)
    # librosa's own filters are float32: its numbers are good to 1e-7, in decibels to 4.3e-7, in coefficients √40 as much.
    lengths = {"n_fft": 400, "hop_length": 160, "center": False, "n_mels": 40}
    expected = librosa.feature.mfcc(y=x, sr=RATE, n_mfcc=20, **lengths)
    np.testing.assert_allclose(mfcc(power_to_db(mel_bands(x), top_db=80.0), 20), expected.T, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "setting", [{}, {"gain": 0.8, "bias": 10.0, "exponent": 0.25, "time_constant_s": 0.06, "smallest": 1e-3}]
)
@pytest.mark.parametrize("scale", [1.0, 2.0**31])
def test_pcen_is_that_of_librosa(setting, scale):
    bands = scale * mel_bands(speech_like(20_000))
    names = {"exponent": "power", "time_constant_s": "time_constant", "smallest": "eps"}
    theirs = {names.get(name, name): value for name, value in setting.items()}
    expected = librosa.pcen(bands.T, sr=RATE, hop_length=160, **theirs).T
    np.testing.assert_allclose(pcen(bands, sample_rate_hz=RATE, hop_length=160, **setting), expected, rtol=1e-11)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2500), max_size=10), st.sampled_from([np.float64, np.float32]), st.integers(1, 400))
def test_a_stream_gives_the_batch_result_bit_for_bit(lengths, dtype, hop):
    x = speech_like(9000)
    chosen = MelSettings(dtype=dtype, hop_length=hop)
    stream, normalizer = MelStream(chosen), PCEN(sample_rate_hz=RATE, hop_length=hop)
    got, normalized, coefficients = [], [], []
    for chunk in np.split(x, np.minimum(np.cumsum(lengths), len(x)).astype(int)) if lengths else [x]:
        got.append(stream.process(chunk))
        normalized.append(normalizer.process(got[-1]))
        coefficients.append(mfcc(power_to_db(got[-1])))
    bands = mel_bands(x, chosen)
    np.testing.assert_array_equal(np.concatenate(got), bands)
    np.testing.assert_array_equal(np.concatenate(normalized), pcen(bands, sample_rate_hz=RATE, hop_length=hop))
    np.testing.assert_array_equal(np.concatenate(coefficients), mfcc(power_to_db(bands)))


@pytest.mark.parametrize("count", [0, 1, 399])
def test_a_sound_shorter_than_a_frame_has_no_frames(count):
    bands = mel_bands(np.zeros(count))
    assert bands.shape == (0, 40)
    assert power_to_db(bands, top_db=80.0).shape == (0, 40)
    assert mfcc(power_to_db(bands)).shape == (0, 13)
    assert pcen(bands, sample_rate_hz=RATE, hop_length=160).shape == (0, 40)


def test_float32_stays_float32_up_to_the_coefficients():
    for count in (0, 4000):
        decibels = power_to_db(mel_bands(speech_like(count), MelSettings(dtype=np.float32)), top_db=80.0)
        assert decibels.dtype == mfcc(decibels).dtype == np.float32


def test_silence_is_the_smallest_power():
    assert set(power_to_db(mel_bands(np.zeros(800))).ravel()) == {-100.0}


def test_a_nan_stays_in_its_frames_and_out_of_the_mean():
    x = speech_like(8000)
    clean = mel_bands(x)
    x[4000] = np.nan
    bands = mel_bands(x)
    touched = [t for t in range(len(clean)) if t * 160 <= 4000 < t * 160 + 400]
    others = np.setdiff1d(np.arange(len(clean)), touched)
    assert np.isnan(bands[touched]).all()
    np.testing.assert_array_equal(bands[others], clean[others])
    got = pcen(bands, sample_rate_hz=RATE, hop_length=160)
    assert np.isnan(got[touched]).all()
    # For the mean the frames with NaN have not been there at all.
    np.testing.assert_array_equal(got[others], pcen(clean[others], sample_rate_hz=RATE, hop_length=160))
    assert np.isfinite(power_to_db(bands, top_db=80.0)[others]).all()


def test_samples_that_look_like_int16_are_said_to():
    integers = (speech_like(1000) * 32767).astype(np.int16)
    for samples in (integers, integers.astype(float), -np.abs(integers).astype(np.float32)):
        with pytest.raises(ValueError, match=r"look like int16.*32768"):
            mel_bands(samples)
    integers = integers.astype(float)
    integers[0] = np.nan
    with pytest.raises(ValueError, match="look like int16"):
        sound(integers)
    assert sound(np.full(10, np.nan)).shape == (10,)


def test_stereo_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match=r"not \(1000, 2\).*x\.mean\(axis=1\)"):
        mel_bands(np.zeros((1000, 2)))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"sample_rate_hz": 0}, "sample rate is 0 Hz"),
        ({"sample_rate_hz": float("nan")}, "sample rate is nan Hz"),
        ({"fft_length": 256}, "hop_length 160, frame_length 400 and fft_length 256 must be"),
        ({"hop_length": 0}, "hop_length 0, frame_length 400"),
        ({"hop_length": 401}, "hop_length 401, frame_length 400"),
        ({"frame_length": 0}, "hop_length 160, frame_length 0"),
        ({"high_hz": 9000.0}, r"from 0\.0 to 9000\.0 Hz do not lie between 0 and half the sample rate, 8000\.0"),
        ({"low_hz": 5000.0, "high_hz": 4000.0}, "do not lie between"),
        ({"bands": 0}, "At least 1 band"),
        ({"bands": 200}, r"of 200 mel bands are empty.*40\.0 Hz"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        MelSettings(**setting)


def test_too_many_coefficients_and_bands_of_another_kind_are_refused():
    with pytest.raises(ValueError, match=r"41 coefficients.*\(3, 40\)"):
        mfcc(np.zeros((3, 40)), 41)
    with pytest.raises(ValueError, match=r"\(frames, bands\), not \(40,\)"):
        pcen(np.zeros(40), sample_rate_hz=RATE, hop_length=160)
    with pytest.raises(ValueError, match="look like decibels"):
        pcen(power_to_db(np.zeros((3, 40))), sample_rate_hz=RATE, hop_length=160)
    stream = PCEN(sample_rate_hz=RATE, hop_length=160)
    stream.process(np.ones((1, 40)))
    with pytest.raises(ValueError, match=r"\(frames, 40\), not \(1, 1\)"):
        stream.process(np.ones((1, 1)))
    with pytest.raises(ValueError, match="bias must be above 0, not 0"):
        PCEN(sample_rate_hz=RATE, hop_length=160, bias=0)
