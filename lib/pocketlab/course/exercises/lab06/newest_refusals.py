"""Wrong answers to exercise 06.10 that do something else than refuse a frame that is not later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from pocketlab.course.exercises.lab06.newest_wrong import Right


def grows_or_is_equal(queue: Right, frame: Any) -> bool:
    """Take an equal time."""
    return bool(frame.captured_s >= queue.last_s)


def later_than_newest(queue: Right, frame: Any) -> bool:
    """Compare with the newest frame that is still there."""
    return not queue.frames or bool(frame.captured_s > queue.frames[-1].captured_s)


def not_before_newest(queue: Right, frame: Any) -> bool:
    """Compare with the newest frame that is still there, and take an equal time."""
    return not queue.frames or bool(frame.captured_s >= queue.frames[-1].captured_s)


def later_than_oldest(queue: Right, frame: Any) -> bool:
    """Compare with the oldest frame that is still there."""
    return not queue.frames or bool(frame.captured_s > queue.frames[0].captured_s)


def later_than_last_if_true(queue: Right, frame: Any) -> bool:
    """Ask whether there is a last time by its truth, which 0.0 has not."""
    return not queue.last_s or bool(frame.captured_s > queue.last_s)


def always(queue: Right, frame: Any) -> bool:
    """Take every frame."""
    return True


def refuse_nothing(queue: Right, frame: Any) -> None:
    """Leave the frame out and say nothing."""


def refuse_with(error: type[Exception]) -> Callable[[Right, Any], None]:
    """Return what refuses with an error of another kind."""

    def refuse(queue: Right, frame: Any) -> None:
        raise error("time stamps have to grow")

    return refuse


def sort_in(queue: Right, frame: Any) -> None:
    """Put a late frame to its place by time."""
    queue.take(frame)
    queue.frames = deque(sorted(queue.frames, key=lambda each: each.captured_s))


def restart(queue: Right, frame: Any) -> None:
    """Take a time that goes back for a new beginning."""
    queue.frames.clear()
    queue.last_s = frame.captured_s
    queue.take(frame)


class DropsBeforeRefusing(Right):
    """Makes room, and then looks at the time."""

    def put(self, frame: Any) -> None:
        """Drop, refuse, append."""
        if self.full():
            self.drop(frame)
        if not self.grows(frame):
            self.refuse(frame)
        self.last_s = frame.captured_s
        self.frames.append(frame)


class AppendsBeforeRefusing(Right):
    """Appends, and then looks at the time."""

    def put(self, frame: Any) -> None:
        """Append, refuse."""
        self.take(frame)
        if not self.grows(frame):
            self.refuse(frame)
        self.last_s = frame.captured_s


class NotesBeforeRefusing(Right):
    """Remembers a time before it looks whether it grows."""

    def put(self, frame: Any) -> None:
        """Remember, refuse, append."""
        grows, self.last_s = self.grows(frame), frame.captured_s
        if not grows:
            self.refuse(frame)
        self.take(frame)
