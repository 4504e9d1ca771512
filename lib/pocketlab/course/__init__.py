"""The course platform. A lab's notebook imports `Lab`; the rest of the modules are imported by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketlab.course.lab import Lab

__all__ = ["Lab"]


def __getattr__(name: str) -> object:
    """Import `Lab` when it is first asked for, so that the progress store alone loads without NumPy and widgets."""
    if name == "Lab":
        from pocketlab.course.lab import Lab

        return Lab
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
