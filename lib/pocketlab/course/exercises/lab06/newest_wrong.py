"""Wrong answers to exercise 06.10: each changes one part of the right one."""

from __future__ import annotations

import copy
import math
from collections import deque
from typing import Any

from pocketlab.course.outcomes import OutOfTimeError


class Right:
    """A right answer, in parts small enough that a wrong one changes one of them."""

    def __init__(self, capacity: int) -> None:
        self.check(capacity)
        self.capacity = capacity
        self.last_s = self.before_all()
        self.frames: Any = deque()
        self.dropped_s: Any = []

    def check(self, capacity: int) -> None:
        """Refuse a capacity."""
        if capacity < 1:
            raise ValueError("a queue holds at least one frame")

    def before_all(self) -> Any:
        """The time before the first frame."""
        return -math.inf

    def grows(self, frame: Any) -> bool:
        """Whether a frame is later than those before it."""
        return bool(frame.captured_s > self.last_s)

    def refuse(self, frame: Any) -> None:
        """Refuse a frame."""
        raise ValueError("time stamps have to grow")

    def full(self) -> bool:
        """Whether a frame has to go."""
        return len(self.frames) >= self.capacity

    def drop(self, frame: Any) -> None:
        """Let a frame go for another one."""
        self.note(self.frames.popleft())

    def note(self, gone: Any) -> None:
        """Write down when a frame that goes had been captured."""
        self.dropped_s.append(gone.captured_s)

    def put(self, frame: Any) -> None:
        """Append a frame."""
        if not self.grows(frame):
            self.refuse(frame)
            return
        self.last_s = frame.captured_s
        self.take(frame)

    def take(self, frame: Any) -> None:
        """Append a frame that is not refused."""
        if self.full():
            self.drop(frame)
        self.frames.append(frame)

    def get(self) -> Any:
        """Take out the oldest frame."""
        return self.frames.popleft() if self.frames else None

    def __len__(self) -> int:
        return len(self.frames)


def changed(base: type[Right] = Right, **parts: Any) -> type[Right]:
    """Return a class that differs from the base in these methods."""
    return type("NewestFrames", (base,), parts)


# Which frame goes, and what is written down


def ignore_new(queue: Right, frame: Any) -> None:
    """Leave out the frame that comes."""
    if queue.full():
        queue.note(frame)
    else:
        queue.frames.append(frame)


def ignore_new_without_note(queue: Right, frame: Any) -> None:
    """Leave out the frame that comes, and do not write it down."""
    if not queue.full():
        queue.frames.append(frame)


def drop_newest(queue: Right, frame: Any) -> None:
    """Let the newest of the frames go that are there."""
    queue.note(queue.frames.pop())


def note_new(queue: Right, frame: Any) -> None:
    """Let the oldest go, and write down the time of the one that comes."""
    queue.frames.popleft()
    queue.note(frame)


def note_next(queue: Right, frame: Any) -> None:
    """Let the oldest go, and write down the time of the one that is the oldest then."""
    queue.frames.popleft()
    if queue.frames:
        queue.note(queue.frames[0])
    else:
        queue.note(frame)


def drop_all(queue: Right, frame: Any) -> None:
    """Let all go, and write all down."""
    while queue.frames:
        queue.note(queue.frames.popleft())


def drop_all_note_oldest(queue: Right, frame: Any) -> None:
    """Let all go, and write the oldest down."""
    queue.note(queue.frames[0])
    queue.frames.clear()


def note_nothing(queue: Right, gone: Any) -> None:
    """Write nothing down."""


def note_frame(queue: Right, gone: Any) -> None:
    """Write the frame down."""
    queue.dropped_s.append(gone)


def note_first(queue: Right, gone: Any) -> None:
    """Write the last one down before the others."""
    queue.dropped_s.insert(0, gone.captured_s)


def note_last_alone(queue: Right, gone: Any) -> None:
    """Forget those before."""
    queue.dropped_s = [gone.captured_s]


def note_number(queue: Right, gone: Any) -> None:
    """Keep the last time in place of a list."""
    queue.dropped_s = gone.captured_s


class Nameless(Right):
    """Writes down what is dropped, under another name."""

    def __getattribute__(self, name: str) -> Any:
        if name == "dropped_s":
            raise AttributeError("'NewestFrames' object has no attribute 'dropped_s'")
        return super().__getattribute__(name)

    def note(self, gone: Any) -> None:
        """Write it down elsewhere."""


# How many fit


def one_more(queue: Right) -> bool:
    """Full with one frame too many."""
    return len(queue.frames) > queue.capacity


def one_less(queue: Right) -> bool:
    """Full with one frame less."""
    return bool(queue.frames) and len(queue.frames) >= queue.capacity - 1


def exactly_full(queue: Right) -> bool:
    """Full with as many frames as fit, which never comes for fewer than none."""
    return len(queue.frames) == queue.capacity


def never_full(queue: Right) -> bool:
    """Never full."""
    return False


class CountsAll(Right):
    """Counts frames that were put, and never those that were taken out."""

    count = 0

    def take(self, frame: Any) -> None:
        """Count."""
        if self.count >= self.capacity:
            if self.frames:
                self.drop(frame)
        else:
            self.count += 1
        self.frames.append(frame)

    def __len__(self) -> int:
        return self.count


def refuse_when_full(queue: Right, frame: Any) -> None:
    """Take no frame where the queue is full."""
    raise ValueError("the queue is full")


def overflow_when_full(queue: Right, frame: Any) -> None:
    """Say that the queue is full."""
    raise OverflowError("the queue is full")


# What comes out


def get_newest(queue: Right) -> Any:
    """Take out the newest frame."""
    return queue.frames.pop() if queue.frames else None


def get_newest_alone(queue: Right) -> Any:
    """Take out the newest frame, and forget the others."""
    if not queue.frames:
        return None
    newest = queue.frames.pop()
    queue.frames.clear()
    return newest


def get_newest_dropping(queue: Right) -> Any:
    """Take out the newest frame, and drop the others."""
    if not queue.frames:
        return None
    newest = queue.frames.pop()
    while queue.frames:
        queue.note(queue.frames.popleft())
    return newest


def look(queue: Right) -> Any:
    """Leave the frame where it is."""
    return queue.frames[0] if queue.frames else None


def get_time(queue: Right) -> Any:
    """Return when the frame was captured."""
    return queue.frames.popleft().captured_s if queue.frames else None


def get_copy(queue: Right) -> Any:
    """Return a copy of the frame."""
    return copy.copy(queue.frames.popleft()) if queue.frames else None


def get_nothing(queue: Right) -> None:
    """Take a frame out and forget to return it."""
    if queue.frames:
        queue.frames.popleft()


def get_noting(queue: Right) -> Any:
    """Write down a frame that is taken out."""
    if not queue.frames:
        return None
    queue.note(queue.frames[0])
    return queue.frames.popleft()


def get_from_nothing(queue: Right) -> Any:
    """Let the deque say that it is empty."""
    return queue.frames.popleft()


def refuse_to_get(queue: Right) -> Any:
    """Refuse where there is no frame."""
    if not queue.frames:
        raise ValueError("no frame")
    return queue.frames.popleft()


def wait_to_get(queue: Right) -> Any:
    """Wait for a frame that does not come. What becomes of that is raised at once: in a thread no check can end it."""
    if not queue.frames:
        raise OutOfTimeError
    return queue.frames.popleft()


def length_is_capacity(queue: Right) -> int:
    """Return how many frames fit."""
    return queue.capacity


def length_with_dropped(queue: Right) -> int:
    """Count those that were dropped, too."""
    return len(queue.frames) + len(queue.dropped_s)


# What all queues share


class SharedFrames(Right):
    """Keeps its frames in the class."""

    all_frames: Any = deque()  # noqa: RUF012 - that is the mistake

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.frames = self.all_frames


class SharedDropped(Right):
    """Keeps the times of dropped frames in the class."""

    all_dropped_s: Any = []  # noqa: RUF012 - that is the mistake

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.dropped_s = self.all_dropped_s


class SharedBoth(Right):
    """Keeps both in the class."""

    all_frames: Any = deque()  # noqa: RUF012 - that is the mistake
    all_dropped_s: Any = []  # noqa: RUF012

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.frames, self.dropped_s = self.all_frames, self.all_dropped_s


class SharedTime(Right):
    """Keeps the time of the last frame in the class."""

    newest_s: Any = -math.inf

    def grows(self, frame: Any) -> bool:
        """Compare with the last frame of all queues."""
        return bool(frame.captured_s > type(self).newest_s)

    def take(self, frame: Any) -> None:
        """Remember it for all queues."""
        type(self).newest_s = frame.captured_s
        super().take(frame)
