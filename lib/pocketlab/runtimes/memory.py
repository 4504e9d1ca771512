"""Memory of a process and all its children, and the peak of it over a stretch of time.

Resident memory counts a page that two processes share once for each, so a sum over a tree says too much. Where the system
tells, we take the proportional set size (PSS: a shared page counts by its share), which is on Linux; else the unique set
size (USS: shared pages do not count), as on macOS; and resident memory for a process that may not be asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

import psutil

from pocketlab.errors import PocketlabError

MEMORY_KIND = "PSS" if sys.platform == "linux" else "USS"
_BYTES_PER_MB = 1e6


def process_memory_bytes(process: psutil.Process) -> int:
    """Return the PSS or USS of one process in bytes (resident memory if it may not be asked); 0 if it has ended."""
    try:
        return int(getattr(process.memory_full_info(), MEMORY_KIND.lower()))
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0


def tree_memory_mb(pid: int) -> float:
    """Return the memory of the process `pid` and all its descendants in MB (10⁶ bytes); 0 if it has ended."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(map(process_memory_bytes, processes)) / _BYTES_PER_MB


class PeakMemory:
    """Sample the memory of a process tree in a thread while a `with` block runs; `peak_mb` is the largest sample.

    pid: the root of the tree, by default this process. interval_s: pause between two samples; a peak that is over sooner
    may be missed. The first sample is taken on entry and the last one on exit.
    """

    def __init__(self, pid: int | None = None, *, interval_s: float = 0.1) -> None:
        self.pid = os.getpid() if pid is None else pid
        self.interval_s = interval_s
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peak-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._stop.wait(self.interval_s):
            self._sample()

    def _sample(self) -> None:
        self.peak_mb = max(self.peak_mb, tree_memory_mb(self.pid))


def own_peak_mb() -> float:
    """Return the peak resident memory of this process so far, in MB (10⁶ bytes), pages shared with others included."""
    if sys.platform == "linux":  # ru_maxrss begins with the parent's figure at the fork; VmHWM is of this program alone
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 / _BYTES_PER_MB for line in lines if line.startswith("VmHWM"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _BYTES_PER_MB  # in bytes on macOS


def peak_of_new_process(code: str) -> float:
    """Return the peak memory, as by `own_peak_mb`, of a new Python process that runs `code` and nothing else.

    It is what an app pays for a runtime that nothing else has loaded.

    Raises PocketlabError with the last line of the process's error if the code fails.
    """
    tell = "\nfrom pocketlab.runtimes.memory import own_peak_mb\nprint(own_peak_mb())"
    ended = subprocess.run([sys.executable, "-c", code + tell], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        last = (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]
        raise PocketlabError(f"The process whose memory was to be measured failed: {last}")
    return float(ended.stdout.split()[-1])
