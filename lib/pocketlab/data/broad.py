"""BROAD: real motion of an inertial sensor with true orientation, by optical motion capture.

Source: Laidig, Caruso, Cereatti, Seel 2021 (BROAD—A Benchmark for Robust Inertial Orientation Estimation, Data 6 (7) 72), CC BY
4.0, from its repository at one commit. Six of its trials can be downloaded here: those whose checksums are known. Any other
trial is read, without a check, where its file lies in the folder.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from pocketlab.data.folder import data_folder, download
from pocketlab.data.motion import Motion
from pocketlab.errors import PocketlabError

BROAD_URL = "https://raw.githubusercontent.com/dlaidig/broad/afbaa4d75c4cd7c8ca76b8145b1812312d87fb7f/data_mat"
BROAD_SHA256 = {
    "02_undisturbed_slow_rotation_B": "2ab69f86aab5fcc018399068baaabc725bb4b53862aefbef70eaf0256da1930a",
    "06_undisturbed_fast_rotation_A": "61cb32774b40c33d16a172dbe06503b4a3cb0b2d3e9b8eae0df66c313506a8e2",
    "11_undisturbed_slow_translation_B": "4a78ec3dd01988c065c53eb3157e34425237f0a4598fba95ab2cc19e2342fe72",
    "15_undisturbed_fast_translation_A": "4290740d09dc3e055dd3cc939d083fa55321a9c90c0cb0aa3a6ffc26c4350951",
    "24_disturbed_tapping_A": "1246fed1680a882a5f4d0dc2ae16e2db9dc90281fbaf1d486c84db1f27db51fa",
    "33_disturbed_attached_magnet_2cm": "23681a20515ca56573e81a56f5d8841cb4f55fafc98cac7624d0cac28b76e441",
}


def local_trials() -> list[str]:
    """Return the names of the trials whose files lie in the folder `broad` of the data folder, sorted."""
    return sorted(path.stem for path in (data_folder() / "broad").glob("[0-9][0-9]_*.mat"))


def load_broad(name: str) -> Motion:
    """Load a trial: about three minutes at 286 Hz.

    name: as in `BROAD_SHA256` or `local_trials()`. The file comes from the folder `broad` in `$POCKETLAB_DATA` or, without the
    variable, in `$POCKETLAB_HOME/data` or `~/.pocketlab/data`; one of `BROAD_SHA256` is verified, and downloaded (4 MB) where it
    is not there. quat and position are NaN where the cameras lost sight; `movement` marks the samples to be scored.

    Raises ValueError for a name that is neither, PocketlabError when the file is neither there nor to be downloaded, or damaged.
    """
    path = data_folder() / "broad" / f"{name}.mat"
    if name in BROAD_SHA256:
        path = _verified(name, path)
    elif name not in local_trials():
        known = ", ".join(BROAD_SHA256)
        raise ValueError(f"There is no trial {name!r} in {path.parent}, nor among those to be downloaded: {known}.")
    return _read(path)


def _verified(name: str, path: Path) -> Path:
    url, title = f"{BROAD_URL}/{path.name}", f"BROAD's trial {name}"
    return download(url, BROAD_SHA256[name], path, name=title, instead="simulate_motion()")


def _read(path: Path) -> Motion:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        mat = loadmat(path)
        columns = {"imu_gyr": 3, "imu_acc": 3, "imu_mag": 3, "opt_quat": 4, "opt_pos": 3, "movement": 1}
        arrays = {key: np.ascontiguousarray(mat[key], dtype=np.float64) for key in columns}
        count = len(arrays["imu_gyr"])
        if any(array.shape != (count, columns[key]) for key, array in arrays.items()):
            raise ValueError(f"shapes {[array.shape for array in arrays.values()]}")
        sample_rate_hz = float(mat["sampling_rate"].item())
    except (OSError, MatReadError, zlib.error, KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise PocketlabError(f"{path} is damaged, not a trial of BROAD, or not readable: delete it.") from error
    return Motion(
        sample_rate_hz=sample_rate_hz,
        gyr=arrays["imu_gyr"],
        acc=arrays["imu_acc"],
        mag=arrays["imu_mag"],
        quat=arrays["opt_quat"],
        position=arrays["opt_pos"],
        movement=arrays["movement"][:, 0] > 0,
    )
