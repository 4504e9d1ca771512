"""What people get wrong in exercise 06.10, and what to tell them."""

from __future__ import annotations

import math

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab06 import newest_refusals as refusals
from pocketlab.course.exercises.lab06 import newest_wrong as wrong
from pocketlab.course.exercises.lab06.newest_wrong import changed


def accept(queue: wrong.Right, capacity: int) -> None:
    """Take every capacity."""


def _refuse_below_0(queue: wrong.Right, capacity: int) -> None:
    if capacity < 0:
        raise ValueError("a capacity is not negative")


def _refuse_0(queue: wrong.Right, capacity: int) -> None:
    if capacity == 0:
        raise ValueError("a capacity is not 0")


def _refuse_1(queue: wrong.Right, capacity: int) -> None:
    if capacity <= 1:
        raise ValueError("a capacity is above 1")


ALONE = (
    Misconception(
        "the new frame dropped",
        changed(take=wrong.ignore_new),
        "Where the queue is full you drop the frame that comes. Then what is shown gets older and older: the oldest "
        "one in the queue goes, and the new one is appended.",
    ),
    Misconception(
        "the new frame dropped without a note",
        changed(take=wrong.ignore_new_without_note),
        "Where the queue is full you leave out the frame that comes. The oldest one in the queue goes instead, its "
        "`captured_s` is appended to `dropped_s`, and then the new one is appended.",
    ),
    Misconception(
        "the newest dropped",
        changed(drop=wrong.drop_newest),
        "Where the queue is full you drop the newest frame in it: `pop()` takes from the right. The oldest is on the "
        "left: `popleft()`.",
    ),
    Misconception(
        "the new frame's time written down",
        changed(drop=wrong.note_new),
        "You drop the right frame but append the new one's `captured_s` to `dropped_s`. The time of the one that goes "
        "is wanted: `self.frames.popleft().captured_s`.",
    ),
    Misconception(
        "the next frame's time written down",
        changed(drop=wrong.note_next),
        "You take the oldest frame out and then read the time of the next one, which stays. Keep what `popleft()` "
        "returns: it is the frame that goes.",
    ),
    Misconception(
        "all dropped",
        changed(drop=wrong.drop_all),
        "Where the queue is full you drop all that is in it. One frame too many drops one frame: the oldest.",
    ),
    Misconception(
        "all dropped, one written down",
        changed(drop=wrong.drop_all_note_oldest),
        "Where the queue is full you empty it, and write one time down. One frame too many drops one frame: "
        "`popleft()` takes it out.",
    ),
    Misconception(
        "nothing written down",
        changed(note=wrong.note_nothing),
        "Your `dropped_s` stays empty. `deque(maxlen=capacity)` drops without a word, so look first whether it is "
        "full, and append the `captured_s` of the frame that goes.",
    ),
    Misconception(
        "frames in dropped_s",
        changed(note=wrong.note_frame),
        "You append the frame that goes to `dropped_s`. Append its time, `frame.captured_s`: a frame takes megabytes, "
        "and would never be freed.",
    ),
    Misconception(
        "dropped_s backwards",
        changed(note=wrong.note_first),
        "Your `dropped_s` begins with the last frame that was dropped. Append each time at the end.",
    ),
    Misconception(
        "only the last in dropped_s",
        changed(note=wrong.note_last_alone),
        "Your `dropped_s` holds the last time only. It is a list of all: append to it.",
    ),
    Misconception(
        "a number for dropped_s",
        changed(note=wrong.note_number),
        "Your `dropped_s` becomes a number. It is a list of times, from the start: `self.dropped_s = []`, then "
        "`append`.",
    ),
    Misconception(
        "one frame too many",
        changed(full=wrong.one_more),
        "Your queue holds one frame more than `capacity`. If it has as many as that, the oldest goes before the new "
        "one comes in: compare with `>=` or `==`, not with `>`.",
    ),
    Misconception(
        "one frame too few",
        changed(full=wrong.one_less),
        "Your queue drops a frame although there is still room for one. It is full when it holds `capacity` frames.",
    ),
    Misconception(
        "never full",
        changed(full=wrong.never_full),
        "Your queue grows without end. If it holds `capacity` frames, the oldest goes before the new one comes in.",
    ),
    Misconception(
        "frames counted that are gone",
        wrong.CountsAll,
        "You count the frames that were put, and do not count down when `get` takes one out. Ask for the length of "
        "what is there: `len(self.frames)`.",
    ),
    Misconception(
        "refused when full",
        changed(drop=wrong.refuse_when_full),
        "You raise a ValueError where the queue is full. A full queue takes a frame, too: the oldest goes for it.",
    ),
    Misconception(
        "another error when full",
        changed(drop=wrong.overflow_when_full),
        "You raise an error where the queue is full. A full queue takes a frame, too: the oldest goes for it.",
    ),
    Misconception(
        "the newest first",
        changed(get=wrong.get_newest),
        "Your `get` takes out the newest frame, so those before it stay behind. Frames leave in the order in which "
        "they came: `popleft()`.",
    ),
    Misconception(
        "the newest alone",
        changed(get=wrong.get_newest_alone),
        "Your `get` returns the newest frame and throws the others away. Only `put` drops frames; `get` takes out the "
        "oldest.",
    ),
    Misconception(
        "the newest, the others dropped",
        changed(get=wrong.get_newest_dropping),
        "Your `get` returns the newest frame and drops the others. Only `put` drops frames; `get` takes out the "
        "oldest.",
    ),
    Misconception(
        "get leaves the frame in the queue",
        changed(get=wrong.look),
        "Your `get` returns the oldest frame and leaves it in the queue. Take it out: `self.frames.popleft()`.",
    ),
    Misconception(
        "get returns the time",
        changed(get=wrong.get_time),
        "Your `get` returns the `captured_s` of a frame. The caller wants the picture: return the frame itself.",
    ),
    Misconception(
        "get returns a copy",
        changed(get=wrong.get_copy),
        "Your `get` returns another object than was put. Keep the frame itself: a copy costs time and memory.",
    ),
    Misconception(
        "get returns nothing",
        changed(get=wrong.get_nothing),
        "Your `get` takes the frame out but returns None: is a `return` missing?",
    ),
    Misconception(
        "get notes a dropped frame",
        changed(get=wrong.get_noting),
        "Your `get` appends to `dropped_s`. A frame that is taken out is not lost; only `put` drops frames.",
    ),
    Misconception(
        "an IndexError when empty",
        changed(get=wrong.get_from_nothing),
        "Your `get` fails where the queue is empty: `popleft()` and `pop(0)` need an entry. Return None there.",
    ),
    Misconception(
        "a ValueError when empty",
        changed(get=wrong.refuse_to_get),
        "Your `get` raises a ValueError where the queue is empty. That there is no frame yet is nothing wrong: return "
        "None.",
    ),
    Misconception(
        "waits when empty",
        changed(get=wrong.wait_to_get),
        "Your `get` waits where the queue is empty, and here nobody will put a frame meanwhile. Return None. "
        "(`queue.Queue.get` waits, too, unless it is told `block=False`.)",
    ),
    Misconception(
        "no length",
        changed(__len__=None),
        "`len(queue)` does not work with your queue: write a method `__len__` that returns the number of frames in it.",
    ),
    Misconception(
        "no dropped_s",
        wrong.Nameless,
        "Your queue has no attribute `dropped_s`. Set `self.dropped_s = []` in `__init__`: under another name nobody "
        "finds it.",
    ),
    Misconception(
        "the capacity for the length",
        changed(__len__=wrong.length_is_capacity),
        "`len(queue)` is the number of frames in it now, not how many fit: `len(self.frames)`.",
    ),
    Misconception(
        "dropped frames counted",
        changed(__len__=wrong.length_with_dropped),
        "Your `len(queue)` counts frames that were dropped. It is the number of those that are in it: "
        "`len(self.frames)`.",
    ),
    Misconception(
        "an equal time accepted",
        changed(grows=refusals.grows_or_is_equal),
        "You accept a frame with the same time as the one before. Times have to grow: refuse what is `<=` the last "
        "one.",
    ),
    Misconception(
        "times not compared",
        changed(grows=refusals.always),
        "You accept frames whose time does not grow. Remember the time of the last frame put, and raise a ValueError "
        "for one that is not later.",
    ),
    Misconception(
        "forgotten when empty",
        changed(grows=refusals.later_than_newest),
        "When the queue is empty you accept any time. The last frame put counts also when it has left the queue: keep "
        "its time in `self.last_s`, and compare with that, not with what is in the queue.",
    ),
    Misconception(
        "forgotten when empty, and an equal time accepted",
        changed(grows=refusals.not_before_newest),
        "You accept an equal time, and any time when the queue is empty. Keep the time of the last frame put in "
        "`self.last_s`, and refuse what is `<=` that.",
    ),
    Misconception(
        "compared with the oldest that is there",
        changed(grows=refusals.later_than_oldest),
        "You compare with the oldest frame in the queue. The last one put counts, also when it has left the queue: "
        "keep its time in `self.last_s`.",
    ),
    Misconception(
        "a last time of 0.0 taken for none",
        changed(grows=refusals.later_than_last_if_true),
        "You ask `if self.last_s`, and 0.0 counts as False, so after a frame of 0.0 s every time passes. Begin with "
        "`-math.inf`, which needs no question, or ask `is not None`.",
    ),
    Misconception(
        "0 before the first frame",
        changed(before_all=lambda queue: 0.0),
        "Your last time is 0 before there is any frame, so you refuse a first frame of 0.0 s or earlier. Begin with "
        "`-math.inf`.",
    ),
    Misconception(
        "−1 before the first frame",
        changed(before_all=lambda queue: -1.0),
        "Your last time is −1 before there is any frame, so you refuse a first frame of −1 s or earlier. Begin with "
        "`-math.inf`.",
    ),
    Misconception(
        "infinity before the first frame",
        changed(before_all=lambda queue: math.inf),
        "Your last time is +infinity before there is any frame, and nothing is later than that. Begin with −infinity: "
        "`-math.inf`.",
    ),
    Misconception(
        "left out without a word",
        changed(refuse=refusals.refuse_nothing),
        "You leave out a frame whose time does not grow and say nothing. Raise a ValueError: a clock that goes back "
        "is a mistake that somebody has to hear of.",
    ),
    Misconception(
        "sorted in",
        changed(refuse=refusals.sort_in),
        "You sort a frame whose time goes back into the queue. Raise a ValueError: a clock that goes back is a "
        "mistake.",
    ),
    Misconception(
        "a new beginning",
        changed(refuse=refusals.restart),
        "You empty the queue when the time goes back. Raise a ValueError, and leave the queue as it is.",
    ),
    Misconception(
        "a RuntimeError",
        changed(refuse=refusals.refuse_with(RuntimeError)),
        "You refuse a frame with another error than a ValueError. A value that is not allowed is what ValueError is "
        "for.",
    ),
    Misconception(
        "an assertion",
        changed(refuse=refusals.refuse_with(AssertionError)),
        "You refuse a frame with `assert`. Assertions vanish when Python optimizes (`-O`): raise a ValueError.",
    ),
    Misconception(
        "dropped before it is refused",
        refusals.DropsBeforeRefusing,
        "You drop the oldest frame and only then look at the time of the new one, so a refusal costs a frame. Look "
        "first: where you raise, nothing has changed.",
    ),
    Misconception(
        "appended before it is refused",
        refusals.AppendsBeforeRefusing,
        "You append the frame and only then look at its time, so what you refuse is in the queue. Look first: where "
        "you raise, nothing has changed.",
    ),
    Misconception(
        "remembered before it is refused",
        refusals.NotesBeforeRefusing,
        "You store the time as the last one before you compare, so a frame that you refuse moves the last time back. "
        "Store it after the comparison.",
    ),
    Misconception(
        "any capacity",
        changed(check=accept),
        "You accept a capacity below 1, and such a queue cannot hold a frame. Raise a ValueError in `__init__`.",
    ),
    Misconception(
        "a capacity of 0",
        changed(check=_refuse_below_0),
        "You refuse a negative capacity, but not 0. Such a queue cannot hold a frame either: refuse what is `< 1`.",
    ),
    Misconception(
        "a negative capacity",
        changed(check=_refuse_0),
        "You refuse a capacity of 0, but not a negative one (`not capacity` is False there). Refuse what is `< 1`.",
    ),
    Misconception(
        "a capacity of 1 refused",
        changed(check=_refuse_1),
        "You refuse a capacity of 1. A queue of one frame works: it holds the newest. Refuse what is `< 1`.",
    ),
    Misconception(
        "frames shared by all queues",
        wrong.SharedFrames,
        "Two of your queues hold the same frames: the deque is made once, for the class (or as a default argument). "
        "Make it in `__init__`: `self.frames = deque()`.",
    ),
    Misconception(
        "dropped_s shared by all queues",
        wrong.SharedDropped,
        "Two of your queues share `dropped_s`: the list is made once, for the class (or as a default argument). Make "
        "it in `__init__`: `self.dropped_s = []`.",
    ),
    Misconception(
        "all shared by all queues",
        wrong.SharedBoth,
        "Two of your queues share frames and `dropped_s`: both are made once, for the class. Make them in `__init__`, "
        "on `self`.",
    ),
    Misconception(
        "the last time shared by all queues",
        wrong.SharedTime,
        "Two of your queues share the last time. Two cameras have nothing to do with each other: set `self.last_s`, "
        "not an attribute of the class.",
    ),
)
