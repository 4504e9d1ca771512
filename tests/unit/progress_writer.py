"""Processes for test_progress.py: python progress_writer.py NAME HOME… runs one of the functions below."""

import json
import os
import random
import resource
import signal
import sys
import time
from itertools import count
from pathlib import Path

from pocketlab.course.progress import ProgressStore


def kill_writers(home: Path, kills: str) -> None:
    """Fork writers and kill each at a random moment; print how many attempts each had acknowledged.

    Forked, a writer starts in a millisecond, so that 200 of them take seconds. `torn` counts the kills that fell
    between the making of the temporary file and its renaming.
    """
    chance = random.Random(0)
    acknowledged, torn = [], 0
    for number in range(int(kills)):
        read_end, write_end = os.pipe()
        writer = os.fork()
        if writer == 0:
            write_and_acknowledge(home, f"01.{number}", write_end)
        os.close(write_end)
        os.read(read_end, 1)  # the first attempt is on disk: the writer is in full swing
        time.sleep(chance.uniform(0, 0.01))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        acknowledged.append(1 + len(os.read(read_end, 100_000)))
        os.close(read_end)
        torn += bool(list(home.glob("*.tmp")))
    print(json.dumps({"acknowledged": acknowledged, "torn": torn}))


def write_and_acknowledge(home: Path, exercise_id: str, acknowledgements: int) -> None:
    """Record attempts until killed; write one byte for each that is on disk."""
    store = ProgressStore(home)
    for number in count():
        store.record_attempt(exercise_id, "not yet", hint=f"attempt {number}")
        os.write(acknowledgements, b".")


def write_many(home: Path, lab: str, number: str) -> None:
    """Record `number` different exercises as passed."""
    store = ProgressStore(home)
    for index in range(int(number)):
        store.record_attempt(f"{lab}.{index}", "passed")


def write_on_a_full_disk(home: Path) -> None:
    """Record while no file may grow, then when it may again."""
    store = ProgressStore(home)
    store.record_attempt("01.1", "passed")
    before = store.path.read_bytes()

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    store.record_attempt("01.2", "passed")
    store.record_attempt("01.3", "not yet")
    notices = store.take_notices()
    assert len(notices) == 1, notices
    assert "kept in memory" in notices[0]
    assert store.path.read_bytes() == before
    assert list(home.glob("*.tmp")) == []
    assert set(store.read().lab("01").exercises) == {"01.1", "01.2", "01.3"}

    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.record_attempt("01.4", "passed")
    assert store.take_notices() == []
    assert set(ProgressStore(home).read().lab("01").exercises) == {"01.1", "01.2", "01.3", "01.4"}
    assert store.read().lab("01").exercises["01.2"].attempts == 1


if __name__ == "__main__":
    name, folder, *rest = sys.argv[1:]
    globals()[name](Path(folder), *rest)
