from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from pocketlab.errors import PocketlabError
from pocketlab.runtimes.memory import PeakMemory, peak_of_new_process, tree_memory_mb

MEGABYTES = 80
HOLD = f"data = b'x' * {MEGABYTES}_000_000; print('ready', flush=True); input()"
SLACK_MB = 20  # what else a process of this size may take or give back meanwhile


@pytest.fixture
def child():
    """A child process that holds MEGABYTES until it is told to end."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_tree_includes_its_children(child):
    alone = tree_memory_mb(child.pid)
    assert MEGABYTES <= alone <= MEGABYTES + SLACK_MB
    tree = tree_memory_mb(os.getpid())
    assert tree >= alone
    child.communicate("\n")
    assert tree - tree_memory_mb(os.getpid()) >= MEGABYTES - SLACK_MB


def test_a_process_that_ended_has_no_memory(child):
    child.communicate("\n")
    assert tree_memory_mb(child.pid) == 0.0


FORKED = """
import os, sys
from pocketlab.runtimes.memory import tree_memory_mb
data = b"x" * 80_000_000
to_child, from_parent = os.pipe()
if os.fork() == 0:
    os.close(from_parent)
    os.read(to_child, 1)
    os._exit(0)
print(tree_memory_mb(os.getpid()))
os.close(from_parent)
os.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PSS is Linux's; elsewhere shared pages do not count at all")
def test_what_parent_and_child_share_counts_once():
    ended = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=True)
    assert MEGABYTES <= float(ended.stdout) < 2 * MEGABYTES


def test_peak_is_seen_after_it_has_passed():
    before = tree_memory_mb(os.getpid())
    with PeakMemory(interval_s=0.01) as memory:
        block = np.ones(MEGABYTES * 125_000)  # float64: 8 bytes each
        deadline = time.monotonic() + 30
        while memory.peak_mb < before + MEGABYTES - SLACK_MB and time.monotonic() < deadline:
            time.sleep(0.01)
        del block
    assert memory.peak_mb >= before + MEGABYTES - SLACK_MB
    assert tree_memory_mb(os.getpid()) <= memory.peak_mb - MEGABYTES + SLACK_MB


def test_peak_of_another_process(child):
    with PeakMemory(child.pid, interval_s=0.01) as memory:
        pass
    assert MEGABYTES <= memory.peak_mb <= MEGABYTES + SLACK_MB


def test_peak_ends_its_thread_when_the_block_raises():
    memory = PeakMemory(interval_s=0.01)
    with pytest.raises(RuntimeError, match="inside"), memory:
        raise RuntimeError("inside")
    assert memory.peak_mb > 0
    assert not memory._thread.is_alive()


def test_a_new_process_is_charged_for_what_it_allocates():
    little = peak_of_new_process("pass")
    much = peak_of_new_process("block = b'x' * 100_000_000")
    assert 95 < much - little < 110  # 100 MB, and what the allocator and the measurement's own noise add


def test_code_that_fails_is_one_sentence():
    with pytest.raises(PocketlabError, match="ZeroDivisionError"):
        peak_of_new_process("1 / 0")
