from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from pocketlab.errors import ModelFileError
from pocketlab.runtimes.child import Child, ChildDied, ChildError, ChildTimeout

LIMIT_S = 60.0
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def shared():
    child = Child("child_functions")
    yield child
    child.close()


@pytest.fixture
def child():
    child = Child("child_functions")
    yield child
    child.close()


def wait_for(condition, limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


ALL_DTYPES = [*"?bBhHiIqQefdFD", ">f4", ">i2"]


def test_arrays_of_every_dtype_come_back_as_they_went(shared):
    arrays = [np.arange(6).reshape(2, 3).astype(dtype) for dtype in ALL_DTYPES]
    reply = shared.call("back", *arrays, limit_s=LIMIT_S)
    for sent, got in zip(arrays, reply.arrays, strict=True):
        assert got.dtype == sent.dtype
        np.testing.assert_array_equal(got, sent)
        got[0] = 1  # and belong to the caller


@pytest.mark.parametrize(
    "array",
    [
        np.float32(3).reshape(()),
        np.zeros((0,), np.float32),
        np.zeros((2, 0, 3), np.int8),
        np.arange(12).reshape(3, 4).T,
        np.arange(10)[::-2],
        np.broadcast_to(np.float16(2), (3, 2)),
    ],
    ids=["0-d", "empty", "empty within", "transposed", "reversed", "broadcast"],
)
def test_shapes_and_strides_of_every_kind(shared, array):
    (got,) = shared.call("back", array, limit_s=LIMIT_S).arrays
    assert (got.shape, got.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(got, array)


def test_bits_of_not_a_number_are_kept(shared):
    bits = np.array([0x7FC00001, 0xFFC12345, 0x80000000], np.uint32)
    (got,) = shared.call("back", bits.view(np.float32), limit_s=LIMIT_S).arrays
    np.testing.assert_array_equal(got.view(np.uint32), bits)


def test_large_arrays(shared):
    array = np.random.default_rng(0).integers(0, 256, 50_000_000, np.uint8)
    (got, other) = shared.call("back", array, array[:7], limit_s=LIMIT_S).arrays
    assert np.array_equal(got, array)
    assert np.array_equal(other, array[:7])


def test_settings_are_values_by_name(shared):
    settings = {"text": "Größe\n\0", "number": 1.5, "none": None, "nested": {"a": [1, 2]}}
    assert shared.call("back", limit_s=LIMIT_S, **settings).values == settings


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([object()]), np.zeros(2, [("a", "i4")])])
def test_arrays_of_other_things_are_refused(child, array):
    with pytest.raises(ValueError, match="not one of numbers"):
        child.call("back", array, limit_s=LIMIT_S)
    assert child.call("count", limit_s=LIMIT_S).values["calls"] == 1


@pytest.mark.parametrize("kind", [ModelFileError, ValueError])
def test_errors_that_a_learner_reads_come_back_as_such(shared, kind):
    with pytest.raises(kind) as caught:
        shared.call("fail", kind=kind.__name__, limit_s=LIMIT_S)
    assert type(caught.value) is kind
    assert str(caught.value) == "x.pte is damaged"


@pytest.mark.parametrize("function", ["fail", "no_such_function"])
def test_any_other_error_is_a_child_error_and_the_child_lives_on(child, function):
    before = child.call("count", limit_s=LIMIT_S).values["pid"]
    with pytest.raises(ChildError, match=r"child_functions raised (KeyError: 'x\.pte is damaged'|AttributeError: .*)"):
        child.call(function, kind="KeyError", limit_s=LIMIT_S)
    assert child.call("count", limit_s=LIMIT_S).values["pid"] == before


def test_a_module_that_cannot_be_imported_is_a_child_error():
    child = Child("pocketlab.no_such_module")
    with pytest.raises(ChildError, match=r"ModuleNotFoundError: No module named 'pocketlab\.no_such_module'"):
        child.call("anything", limit_s=LIMIT_S)
    assert child.pid is None


def test_what_the_module_keeps_stays_from_call_to_call(child):
    assert child.pid is None
    first, second = (child.call("count", limit_s=LIMIT_S).values for _ in range(2))
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["pid"] == second["pid"] == child.pid != os.getpid()


@pytest.mark.parametrize(
    ("function", "settings", "how"),
    [
        ("read_null", {}, "ended with signal SIGSEGV"),
        ("end_by", {"number": signal.SIGKILL}, "ended with signal SIGKILL"),
        ("end_by", {"number": signal.SIGBUS}, "ended with signal SIGBUS"),
        ("leave", {"status": 3}, "ended with exit status 3"),
        ("leave", {"status": 0}, "ended with exit status 0"),
    ],
)
def test_a_death_says_how_and_the_next_call_starts_another_process(child, function, settings, how):
    before = child.call("count", limit_s=LIMIT_S).values["pid"]
    with pytest.raises(ChildDied) as caught:
        child.call(function, limit_s=LIMIT_S, **settings)
    assert type(caught.value) is ChildDied
    assert caught.value.how == how
    assert how in str(caught.value)
    assert child.pid is None
    after = child.call("count", limit_s=LIMIT_S).values
    assert after["calls"] == 1
    assert after["pid"] != before


def test_a_death_quotes_the_last_line_of_its_own_call_only(child):
    child.call("shout", lines=1, limit_s=LIMIT_S)
    with pytest.raises(ChildDied, match=r"signal SIGKILL\.$"):
        child.call("end_by", number=signal.SIGKILL, limit_s=LIMIT_S)
    with pytest.raises(ChildDied, match=r"signal SIGABRT\. The last it wrote: assertion failed$"):
        child.call("abort_after_saying", text="assertion failed", limit_s=LIMIT_S)


def test_a_death_between_calls_is_no_error(child):
    before = child.call("count", limit_s=LIMIT_S).values["pid"]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: child.pid is None)
    assert child.call("count", limit_s=LIMIT_S).values["calls"] == 1


def test_a_death_while_it_is_sent_a_large_array(child):
    child.call("count", limit_s=LIMIT_S)
    os.kill(child.pid, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (child.pid, signal.SIGKILL)).start()
    with pytest.raises(ChildDied, match="signal SIGKILL"):
        child.call("back", np.zeros(10_000_000), limit_s=LIMIT_S)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_child_that_takes_too_long_is_ended(child, stopped):
    pid = child.call("count", limit_s=LIMIT_S).values["pid"]
    if stopped:
        os.kill(pid, signal.SIGSTOP)  # it reads nothing, so that the pipe fills
    with pytest.raises(ChildTimeout, match=r"gave no answer in 0\.2 s and was ended"):
        child.call("sleep_deaf_with", np.zeros(10_000_000), seconds=60, limit_s=0.2)
    assert not runs(pid)
    assert child.call("count", limit_s=LIMIT_S).values["calls"] == 1


def test_what_is_no_answer_ends_the_child(child):
    with pytest.raises(ChildDied, match="wrote what is no answer"):
        child.call("garble", limit_s=LIMIT_S)
    assert child.call("count", limit_s=LIMIT_S).values["calls"] == 1


def test_noise_on_stdout_and_stderr_disturbs_nothing_and_is_not_shown(child, capfd):
    for _ in range(3):
        reply = child.call("shout", lines=1000, limit_s=LIMIT_S)
        assert reply.values == {"lines": 1000}
        assert reply.arrays[0].tolist() == [0, 1, 2]
    assert capfd.readouterr() == ("", "")


def test_threads_take_turns(shared):
    def ask(number: int) -> bool:
        sent = np.full(100_000, number)
        reply = shared.call("back", sent, number=number, limit_s=LIMIT_S)
        return reply.values == {"number": number} and np.array_equal(reply.arrays[0], sent)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(64)))


def test_an_interrupt_ends_the_child_and_the_next_call_gets_its_own_answer(child):
    pid = child.call("count", limit_s=LIMIT_S).values["pid"]
    threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        child.call("sleep_deaf", seconds=60, limit_s=LIMIT_S)
    assert not runs(pid)
    assert child.call("back", answer=42, limit_s=LIMIT_S).values == {"answer": 42}


def test_the_child_is_of_another_session_so_that_a_terminal_interrupts_only_the_kernel(shared):
    values = shared.call("count", limit_s=LIMIT_S).values
    assert values["session"] == values["pid"] != os.getsid(0)


def test_environment_and_niceness_are_passed_on(monkeypatch, child):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    values = child.call("environment", name="OMP_NUM_THREADS", limit_s=LIMIT_S).values
    assert values == {"value": "3", "nice": os.nice(0)}


def test_the_memory_limit_is_kept_to_and_an_allocation_beyond_it_is_an_error():
    child = Child("child_functions", memory_limit_mb=300)
    assert child.call("allocate", megabytes=50, limit_s=LIMIT_S).values == {"bytes": 50_000_000}
    with pytest.raises(ChildError, match="MemoryError"):
        child.call("allocate", megabytes=400, limit_s=LIMIT_S)
    child.close()


def test_close_and_garbage_collection_end_the_process():
    closed, dropped = Child("child_functions"), Child("child_functions")
    pids = [child.call("count", limit_s=LIMIT_S).values["pid"] for child in (closed, dropped)]
    closed.close()
    closed.close()
    assert not runs(pids[0])
    assert closed.call("count", limit_s=LIMIT_S).values["calls"] == 1
    closed.close()
    del dropped
    gc.collect()
    assert not runs(pids[1])


def test_no_descriptor_is_left_open_by_deaths(child):
    child.call("count", limit_s=LIMIT_S)
    before = psutil.Process().num_fds()
    for _ in range(3):
        with pytest.raises(ChildDied):
            child.call("read_null", limit_s=LIMIT_S)
        child.call("count", limit_s=LIMIT_S)
    assert psutil.Process().num_fds() == before


PARENT = """
    import os, sys
    import numpy as np
    from pocketlab.runtimes.child import Child
    child = Child("child_functions")
    print(child.call("count", limit_s=60).values["pid"], flush=True)
"""


def parent(code: str) -> subprocess.Popen[str]:
    """Start a process that has a child, prints its number and then runs `code`."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT) + textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("code", ["", "os._exit(0)", "os.abort()", "import signal; signal.pause()"])
def test_the_end_of_the_parent_ends_an_idle_child(code):
    with parent(code) as process:
        pid = int(process.stdout.readline())
        if "pause" in code:
            assert runs(pid)
            process.kill()
        process.communicate(timeout=LIMIT_S)
    wait_for(lambda: not runs(pid))


def test_a_killed_parent_ends_a_busy_child_at_the_end_of_its_time(tmp_path):
    note = tmp_path / "note"
    with parent(f'child.call("note_and_sleep", path={str(note)!r}, seconds=600, limit_s=1)') as process:
        pid = int(process.stdout.readline())
        wait_for(note.exists)
        process.kill()
    wait_for(lambda: not runs(pid))


def test_a_fork_of_the_parent_neither_ends_nor_uses_its_child():
    code = """
        if os.fork() == 0:
            own = child.call("count", limit_s=60).values
            sys.exit(own["calls"])  # 1: in a process of its own
        _, status = os.wait()
        print(os.waitstatus_to_exitcode(status), child.call("count", limit_s=60).values["calls"], flush=True)
    """
    with parent(code) as process:
        process.stdout.readline()
        out, err = process.communicate(timeout=LIMIT_S)
    assert (out.split(), err) == (["1", "2"], "")
