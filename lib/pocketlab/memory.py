"""How much memory this process may still take, so that a file too large for it is refused and not the process killed."""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),  # version 2
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_memory_bytes() -> int:
    """Return the bytes that can be taken before the system, or the container's limit (Binder), ends the process."""
    free = [int(psutil.virtual_memory().available)]
    for limit, used in _CGROUPS:
        try:
            free.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # no container of this version, or one without a limit, which reads "max"
            continue
    return max(0, min(free))
