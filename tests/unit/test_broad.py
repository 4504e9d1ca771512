"""Loading trials of BROAD, and what goes wrong with their files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from pocketlab.data import broad
from pocketlab.data.quaternions import rotate
from pocketlab.errors import PocketlabError

NAME = "02_undisturbed_slow_rotation_B"


def trial(count: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal((count, 3)) for name in ("imu_gyr", "imu_acc", "imu_mag", "opt_pos")}
    quat = np.tile([1.0, 0, 0, 0], (count, 1))
    quat[3] = np.nan
    return {**arrays, "opt_quat": quat, "movement": np.arange(count)[:, None] > 9, "sampling_rate": np.array([[200.0]])}


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("POCKETLAB_DATA", str(tmp_path))
    monkeypatch.setattr(broad, "BROAD_URL", "http://127.0.0.1:9")
    (tmp_path / "broad").mkdir()
    return tmp_path / "broad"


def test_any_trial_that_lies_there_is_read(folder):
    arrays = trial()
    savemat(folder / "01_mine.mat", arrays)
    assert broad.local_trials() == ["01_mine"]
    loaded = broad.load_broad("01_mine")
    assert loaded.sample_rate_hz == 200
    np.testing.assert_array_equal(loaded.gyr, arrays["imu_gyr"])
    np.testing.assert_array_equal(loaded.acc, arrays["imu_acc"])
    np.testing.assert_array_equal(loaded.mag, arrays["imu_mag"])
    np.testing.assert_array_equal(loaded.position, arrays["opt_pos"])
    np.testing.assert_array_equal(loaded.quat, arrays["opt_quat"])
    np.testing.assert_array_equal(loaded.movement, np.arange(40) > 9)


def test_a_trial_with_its_checksum_is_read_and_a_changed_one_is_not(folder, monkeypatch):
    path = folder / f"{NAME}.mat"
    savemat(path, trial())
    with pytest.raises(PocketlabError, match=r"02_.*mat is damaged and could not be downloaded"):
        broad.load_broad(NAME)
    monkeypatch.setitem(broad.BROAD_SHA256, NAME, hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(broad.load_broad(NAME).gyr) == 40


def test_a_trial_out_of_reach_is_one_sentence(folder):
    with pytest.raises(PocketlabError, match=r"02_.* could not be downloaded\. Connect once, or use simulate_motion"):
        broad.load_broad(NAME)


def test_a_name_that_is_none(folder):
    with pytest.raises(ValueError, match="no trial '99_none'"):
        broad.load_broad("99_none")


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("POCKETLAB_DATA", str(tmp_path / "file"))
    with pytest.raises(PocketlabError, match=r"cannot be kept in .*POCKETLAB_DATA"):
        broad.load_broad(NAME)


def text(path: Path) -> None:
    path.write_text("no arrays")


def nothing(path: Path) -> None:
    path.touch()


def half(path: Path) -> None:
    savemat(path, trial(), do_compression=True)
    path.write_bytes(path.read_bytes()[:900])


def another_shape(path: Path) -> None:
    savemat(path, {**trial(), "imu_acc": np.zeros((39, 3))})


def a_missing_array(path: Path) -> None:
    savemat(path, {name: array for name, array in trial().items() if name != "imu_mag"})


@pytest.mark.parametrize("damage", [text, nothing, half, another_shape, a_missing_array])
def test_a_damaged_file_is_named(folder, damage):
    damage(folder / "01_mine.mat")
    with pytest.raises(PocketlabError, match=r"01_mine\.mat is damaged"):
        broad.load_broad("01_mine")


@pytest.mark.skipif(NAME not in broad.local_trials(), reason="POCKETLAB_DATA has no broad/02_…_B.mat")
def test_real_trials_are_in_the_units_and_frames_that_are_said():
    loaded = broad.load_broad(NAME)
    assert loaded.sample_rate_hz == pytest.approx(2000 / 7)
    seen = ~np.isnan(loaded.quat[:, 0])
    up = rotate(loaded.quat[seen], loaded.acc[seen]).mean(0)
    north = rotate(loaded.quat[seen], loaded.mag[seen]).mean(0)
    assert up == pytest.approx([0, 0, 9.81], abs=0.1)  # gravity, which a hand's motion leaves on average
    assert abs(np.rad2deg(np.arctan2(north[0], north[1]))) < 5  # east and north of the field, as rooms bend it
    assert 40 < np.linalg.norm(north) < 50  # µT
