"""Public data sets: where they are kept between sessions, and how they get there."""

from __future__ import annotations

import os
from pathlib import Path

from pocketlab.errors import PocketlabError


def data_folder() -> Path:
    """Return `$POCKETLAB_DATA`, or without it `$POCKETLAB_HOME/data`, or `~/.pocketlab/data`; it need not exist."""
    if data := os.environ.get("POCKETLAB_DATA"):
        return Path(data)
    return Path(os.environ.get("POCKETLAB_HOME") or Path.home() / ".pocketlab") / "data"


def download(url: str, sha256: str, path: Path, *, name: str, instead: str) -> Path:
    """Return the path of a file with this SHA-256, downloaded once where it is not there or another one.

    name: of the data set, to begin a sentence with; instead: what can be called without a network.
    Raises PocketlabError where it cannot be had or kept.
    """
    import pooch
    import requests

    what = f"{path} is damaged and" if path.exists() else name
    try:
        return Path(pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=path.name, path=path.parent))
    except (requests.RequestException, ValueError) as error:
        raise PocketlabError(
            f"{what} could not be downloaded. Connect once, or use {instead}, which needs no network."
        ) from error
    except OSError as error:
        raise PocketlabError(
            f"{name} cannot be kept in {path.parent} ({error.strerror or error}): free space there, or set POCKETLAB_DATA to "
            "another folder."
        ) from error
