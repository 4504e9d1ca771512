from __future__ import annotations

import hashlib
import os
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pocketlab.data import spoken_digits
from pocketlab.data.speech_synthesis import PHONES, SPEAKERS, _pulses, _through_tract, synthesize_digit
from pocketlab.data.spoken_digits import SpokenDigits, load_spoken_digits
from pocketlab.errors import PocketlabError
from pocketlab.signals.audio import MelSettings, mel_bands, mfcc, power_to_db

NOWHERE = "http://127.0.0.1:9/fsdd.zip"


@pytest.fixture(scope="module")
def synthetic() -> SpokenDigits:
    return load_spoken_digits("synthetic")


@pytest.fixture(scope="module")
def fsdd() -> SpokenDigits:
    if not (Path(os.environ.get("POCKETLAB_DATA", "")) / "fsdd" / "0_george_0.wav").exists():
        pytest.skip("POCKETLAB_DATA has no fsdd/0_george_0.wav")
    return load_spoken_digits("fsdd")


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    """An empty data folder, and no network."""
    monkeypatch.setenv("POCKETLAB_DATA", str(tmp_path))
    monkeypatch.setattr(spoken_digits, "FSDD_URL", NOWHERE)
    (tmp_path / "fsdd").mkdir()
    return tmp_path / "fsdd"


def write_wav(path: Path, samples=(0, 16384, -32768), *, channels: int = 1, width: int = 2, rate: int = 8000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(np.array(samples, f"<i{width}").tobytes())


def features(digits: SpokenDigits) -> np.ndarray:
    """13 cepstral coefficients at 8 moments of each recording."""
    setting = MelSettings(sample_rate_hz=8000, frame_length=200, hop_length=80, fft_length=256, bands=32, low_hz=60)
    rows = []
    for recording in digits.recordings:
        coefficients = mfcc(power_to_db(mel_bands(recording, setting)))
        rows.append(coefficients[np.linspace(0, len(coefficients) - 1, 8).astype(int)].ravel())
    return np.array(rows)


def classifier():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=300))


def test_the_real_recordings_are_all_there(fsdd):
    assert len(fsdd.recordings) == 900
    assert (np.bincount(fsdd.labels) == 90).all()
    assert sorted(set(fsdd.speakers)) == ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
    assert all(r.dtype == np.float32 and 1000 < len(r) < 11_000 and np.abs(r).max() <= 1 for r in fsdd.recordings)
    assert fsdd.sample_rate_hz == 8000


def test_a_recording_is_what_the_file_holds(fsdd):
    with wave.open(str(Path(os.environ["POCKETLAB_DATA"]) / "fsdd" / "7_theo_11.wav")) as file:
        expected = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    where = (fsdd.labels == 7) & (fsdd.speakers == "theo") & (fsdd.indices == 11)
    np.testing.assert_array_equal(fsdd.recordings[int(np.flatnonzero(where)[0])], expected.astype(np.float32))


def test_the_splits_share_no_recording_and_no_speaker(synthetic):
    train, test = synthetic.official_split()
    assert sorted([*train, *test]) == list(range(600))
    assert set(synthetic.indices[test]) == set(range(5))
    assert (np.bincount(synthetic.labels[test]) == 30).all()
    train, test = synthetic.speaker_split(["low2", "high3"])
    assert sorted([*train, *test]) == list(range(600))
    assert set(synthetic.speakers[test]) == {"low2", "high3"}
    assert set(synthetic.speakers[train]) == {"low1", "low3", "high1", "high2"}


@pytest.mark.parametrize("held_out", [[], ["nobody"], list(SPEAKERS)])
def test_speakers_that_cannot_be_held_out_are_named(synthetic, held_out):
    with pytest.raises(ValueError, match="Hold out some of high1, high2, high3, low1, low2, low3, but not all"):
        synthetic.speaker_split(held_out)


def test_what_was_synthesized_says_so(synthetic):
    assert synthetic.name == "synthetic"
    assert "no recordings of people" in synthetic.description
    assert (np.bincount(synthetic.labels) == 60).all()
    for recording in synthetic.recordings:
        assert recording.dtype == np.float32
        assert 1200 < len(recording) < 8000
        assert 0.2 < np.abs(recording).max() < 0.6


def test_a_synthesized_digit_is_the_same_again_and_each_take_another():
    np.testing.assert_array_equal(synthesize_digit(3, "low2", 4), synthesize_digit(3, "low2", 4))
    takes = [synthesize_digit(3, "low2", take)[:1000] for take in range(3)]
    assert not np.array_equal(takes[0], takes[1])
    assert not np.array_equal(takes[1], takes[2])


def test_synthesized_digits_can_be_told_apart_by_a_speaker_never_heard(synthetic):
    train, test = synthetic.speaker_split(["low2", "high1"])
    rows = features(synthetic)
    model = classifier().fit(rows[train], synthetic.labels[train])
    assert model.score(rows[test], synthetic.labels[test]) > 0.95


def test_synthesized_digits_resemble_what_people_say(synthetic, fsdd):
    model = classifier().fit(features(synthetic), synthetic.labels)
    # Chance is 0.1, with a standard deviation of √(0.1 · 0.9 / 900) = 0.01.
    assert model.score(features(fsdd), fsdd.labels) > 0.3


@pytest.mark.parametrize("vowel", ["iy", "ao", "aa", "eh"])
def test_a_vowel_resonates_at_its_formants(vowel):
    formants = np.array(PHONES[vowel].formants_hz)
    response = _through_tract(np.eye(1, 8000)[0], np.tile(formants[:, np.newaxis], 200), np.array([60.0, 90.0, 150.0]))
    decibels = 20 * np.log10(np.abs(np.fft.rfft(response)))
    for formant in formants:
        near = np.arange(int(formant) - 100, int(formant) + 100)
        assert abs(near[decibels[near].argmax()] - formant) < 30  # a neighbor's slope shifts a peak by a part of its width


def test_pulses_come_at_the_pitch():
    spectrum = np.abs(np.fft.rfft(_pulses(np.full(8000, 125.0))))
    assert spectrum[:200].argmax() == 125
    harmonics = spectrum[125:1001:125]
    assert harmonics.min() > 100 * np.delete(spectrum[1:1001], np.arange(124, 1000, 125)).max()


@pytest.mark.parametrize(("digit", "speaker"), [(10, "low1"), (-1, "low1"), (3, "nobody")])
def test_a_digit_or_speaker_that_is_not_there_is_named(digit, speaker):
    with pytest.raises(ValueError, match="Digits are 0 to 9 and speakers low1"):
        synthesize_digit(digit, speaker)


def test_without_a_name_nothing_is_downloaded(folder, monkeypatch):
    monkeypatch.setattr(spoken_digits, "SYNTHETIC_TAKES", 1)
    assert load_spoken_digits().name == "synthetic"


def test_without_a_name_recordings_that_are_there_are_taken(folder):
    write_wav(folder / "5_ann_12.wav")
    write_wav(folder / "5_ann_2.wav", [1])
    write_wav(folder / "notes.wav")  # not a digit
    digits = load_spoken_digits()
    assert digits.name == "fsdd"
    assert (digits.labels.tolist(), digits.speakers.tolist(), digits.indices.tolist()) == ([5, 5], ["ann", "ann"], [2, 12])
    np.testing.assert_array_equal(digits.recordings[1], np.float32([0, 0.5, -1]))


def test_out_of_reach_is_one_sentence(folder):
    with pytest.raises(PocketlabError, match=r'could not be downloaded.*load_spoken_digits\("synthetic"\)'):
        load_spoken_digits("fsdd")


def test_a_folder_that_cannot_be_written_is_not_called_a_failed_download(folder, monkeypatch):
    (folder / "file").touch()
    monkeypatch.setenv("POCKETLAB_DATA", str(folder / "file"))
    with pytest.raises(PocketlabError, match=r"cannot be kept in .*POCKETLAB_DATA"):
        load_spoken_digits("fsdd")


def archive(path: Path, monkeypatch) -> None:
    """The release's archive in small: its layout, two recordings, and other files."""
    write_wav(path.parent / "take.wav")
    data = (path.parent / "take.wav").read_bytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as release:
        for name in ("README.md", "recordings/4_ann_0.wav", "recordings/2_bob_7.wav", "acquire_data/notes.wav"):
            release.writestr(f"free-spoken-digit-dataset-1.0.10/{name}", data)
    monkeypatch.setattr(spoken_digits, "FSDD_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("name", [None, "fsdd"])
def test_an_archive_that_lies_there_is_read_without_network(folder, monkeypatch, name):
    archive(folder / "fsdd.zip", monkeypatch)
    digits = load_spoken_digits(name)
    assert (digits.labels.tolist(), digits.speakers.tolist()) == ([2, 4], ["bob", "ann"])


def test_an_archive_of_another_content_is_not_taken(folder, monkeypatch):
    archive(folder / "fsdd.zip", monkeypatch)
    monkeypatch.setattr(spoken_digits, "FSDD_SHA256", "0" * 64)
    with pytest.raises(PocketlabError, match=r"fsdd\.zip is damaged and could not be downloaded"):
        load_spoken_digits("fsdd")


def test_an_archive_with_the_right_hash_that_is_none_is_named(folder, monkeypatch):
    (folder / "fsdd.zip").write_bytes(b"no archive")
    monkeypatch.setattr(spoken_digits, "FSDD_SHA256", hashlib.sha256(b"no archive").hexdigest())
    with pytest.raises(PocketlabError, match=r"fsdd\.zip is damaged or not readable"):
        load_spoken_digits("fsdd")


def damaged(path: Path, kind: str) -> None:
    write_wav(path, range(100))
    data = path.read_bytes()
    if kind == "empty file":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("not a sound")
    elif kind == "half":
        path.write_bytes(data[:120])
    elif kind == "odd":
        path.write_bytes(data[:121])
    elif kind == "no samples":
        write_wav(path, [])
    elif kind == "stereo":
        write_wav(path, range(100), channels=2)
    elif kind == "32 bits":
        write_wav(path, range(100), width=4)
    elif kind == "44.1 kHz":
        write_wav(path, range(100), rate=44_100)


@pytest.mark.parametrize("kind", ["empty file", "text", "half", "odd", "no samples", "stereo", "32 bits", "44.1 kHz"])
def test_a_damaged_recording_is_named(folder, kind):
    damaged(folder / "1_ann_0.wav", kind)
    with pytest.raises(PocketlabError, match=r"1_ann_0\.wav is damaged or") as caught:
        load_spoken_digits()
    assert "\n" not in str(caught.value)


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="no set called 'digits'"):
        load_spoken_digits("digits")
