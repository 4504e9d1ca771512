"""The ten digits as people say them: the Free Spoken Digit Dataset, or sounds synthesized after them."""

from __future__ import annotations

import io
import re
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pocketlab.data.folder import data_folder, download
from pocketlab.data.speech_synthesis import SAMPLE_RATE_HZ, SPEAKERS, synthesize_digit
from pocketlab.errors import PocketlabError

# The Free Spoken Digit Dataset, release 1.0.10: 3,000 recordings (Jackson and others; CC BY-SA 4.0).
FSDD_URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.10.zip"
FSDD_SHA256 = "c680098f5d2355ba7cc4bd8b0ca9e0a24c00ebe3b4c552208889a4d28d4fbc2b"

FILE_NAME = re.compile(r"(?:.*/)?([0-9])_([a-z]+)_([0-9]+)\.wav")  # digit, speaker, index
TEST_INDICES = 5  # a speaker's first five recordings of each digit are the official test set
SYNTHETIC_TAKES = 10


@dataclass(frozen=True)
class SpokenDigits:
    """Recordings of spoken digits and who spoke them.

    recordings: each (samples,) float32 from −1 to 1, at sample_rate_hz, of different lengths. labels: (count,) int64, the
    digits. speakers: (count,) names. indices: (count,) int64, which take of that digit by that speaker.
    """

    name: str
    description: str
    sample_rate_hz: int
    recordings: tuple[np.ndarray, ...]
    labels: np.ndarray
    speakers: np.ndarray
    indices: np.ndarray

    def official_split(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which recordings are for training, and which for testing: indices 0 to 4 of each speaker and digit."""
        return np.flatnonzero(self.indices >= TEST_INDICES), np.flatnonzero(self.indices < TEST_INDICES)

    def speaker_split(self, held_out: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the recordings of all other speakers, for training, and those of the speakers held out, for testing.

        Raises ValueError for a speaker who is not there, or when all or none are held out.
        """
        wanted, there = set(held_out), set(self.speakers.tolist())
        if not wanted <= there or not 0 < len(wanted) < len(there):
            raise ValueError(f"Hold out some of {', '.join(sorted(there))}, but not all; not {sorted(wanted)}.")
        tested = np.isin(self.speakers, sorted(wanted))
        return np.flatnonzero(~tested), np.flatnonzero(tested)


def load_spoken_digits(name: str | None = None) -> SpokenDigits:
    """Load `"fsdd"` (real) or `"synthetic"`; None takes FSDD where it lies already, and the synthetic ones elsewhere.

    FSDD comes from the folder `fsdd` in `$POCKETLAB_DATA` or, without the variable, in `$POCKETLAB_HOME/data` or
    `~/.pocketlab/data`: from .wav files named digit_speaker_index.wav where there are some, otherwise from the release's
    archive there. The archive is verified by its SHA-256 every time, and downloaded (16 MB) when it is damaged or, for
    `"fsdd"`, not there.

    Raises ValueError for another name, PocketlabError when FSDD is neither there nor to be downloaded, or a file is damaged.
    """
    if name not in (None, "fsdd", "synthetic"):
        raise ValueError(f'There is no set called {name!r}: choose "fsdd" or "synthetic".')
    folder = data_folder() / "fsdd"
    files = sorted(path for path in folder.glob("*.wav") if FILE_NAME.fullmatch(path.name))
    if name == "synthetic" or (name is None and not files and not (folder / "fsdd.zip").exists()):
        return _synthetic()
    if files:
        return _spoken_digits(_read_files(files))
    return _spoken_digits(_read_archive(_download(folder)))


def _read_files(files: list[Path]) -> dict[str, np.ndarray]:
    return {path.name: _samples(path.read_bytes, str(path)) for path in files}


def _read_archive(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if FILE_NAME.fullmatch(name)]
            return {name: _samples(partial(archive.read, name), f"{name} in {path}") for name in names}
    except (OSError, zipfile.BadZipFile) as error:
        raise PocketlabError(f"{path} is damaged or not readable: delete it, and it is downloaded again.") from error


def _samples(read: Callable[[], bytes], where: str) -> np.ndarray:
    """The samples of a .wav file: one channel, 16 bits, 8,000 Hz."""
    try:
        with wave.open(io.BytesIO(read())) as file:
            kind = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            count = file.getnframes()
    except (OSError, EOFError, wave.Error, zipfile.BadZipFile, zlib.error, ValueError) as error:
        raise PocketlabError(f"{where} is damaged or no .wav file: delete it and get it again.") from error
    if kind != (1, 2, SAMPLE_RATE_HZ) or len(samples) != count or count == 0:
        raise PocketlabError(
            f"{where} is damaged or of another kind: expected one channel of 16-bit samples at {SAMPLE_RATE_HZ} Hz."
        )
    return (samples / np.float32(32768)).astype(np.float32)


def _download(folder: Path) -> Path:
    name, instead = "The Free Spoken Digit Dataset", 'load_spoken_digits("synthetic")'
    return download(FSDD_URL, FSDD_SHA256, folder / "fsdd.zip", name=name, instead=instead)


def _spoken_digits(recordings: dict[str, np.ndarray]) -> SpokenDigits:
    keys = []
    for name in recordings:
        digit, speaker, index = FILE_NAME.fullmatch(name).groups()  # type: ignore[union-attr]  # names were chosen by it
        keys.append((int(digit), speaker, int(index), name))
    keys.sort()
    speakers = len({key[1] for key in keys})
    return SpokenDigits(
        name="fsdd",
        description=f"{len(keys):,} recordings of the Free Spoken Digit Dataset, {speakers} speakers",
        sample_rate_hz=SAMPLE_RATE_HZ,
        recordings=tuple(recordings[key[3]] for key in keys),
        labels=np.array([key[0] for key in keys], np.int64),
        speakers=np.array([key[1] for key in keys]),
        indices=np.array([key[2] for key in keys], np.int64),
    )


def _synthetic() -> SpokenDigits:
    keys = [(digit, speaker, take) for digit in range(10) for speaker in SPEAKERS for take in range(SYNTHETIC_TAKES)]
    return SpokenDigits(
        name="synthetic",
        description=f"{len(keys):,} synthesized digits, {len(SPEAKERS)} simulated speakers; no recordings of people",
        sample_rate_hz=SAMPLE_RATE_HZ,
        recordings=tuple(synthesize_digit(*key) for key in keys),
        labels=np.array([key[0] for key in keys], np.int64),
        speakers=np.array([key[1] for key in keys]),
        indices=np.array([key[2] for key in keys], np.int64),
    )
