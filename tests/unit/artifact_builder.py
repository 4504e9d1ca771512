"""A process for test_artifacts.py: python artifact_builder.py HOME MARKS SECONDS asks for one artifact."""

import sys
import time
from pathlib import Path

from pocketlab.course.artifacts import ArtifactStore


def build_slowly(path, *, marks, seconds):
    """Write half, say so by a new file in `marks`, wait, write the other half."""
    with path.open("w") as file:
        file.write("half")
        file.flush()
        (Path(marks) / f"mark-{time.monotonic_ns()}").touch()
        time.sleep(seconds)
        file.write(" and half")


if __name__ == "__main__":
    home, marks, seconds = sys.argv[1:]
    store = ArtifactStore(Path(home), "01")
    print(store.get("slow.txt", build_slowly, marks=marks, seconds=float(seconds)).read_text())
