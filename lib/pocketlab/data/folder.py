"""Where public data sets are kept between sessions."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """Return `$POCKETLAB_DATA`, or without it `$POCKETLAB_HOME/data`, or `~/.pocketlab/data`; it need not exist."""
    if data := os.environ.get("POCKETLAB_DATA"):
        return Path(data)
    return Path(os.environ.get("POCKETLAB_HOME") or Path.home() / ".pocketlab") / "data"
