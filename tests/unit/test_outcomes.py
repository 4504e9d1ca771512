"""An answer can do no harm: whatever it does, the check gets an outcome and everything else stays as it was."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time

import numpy as np
import pytest

from pocketlab.course.outcomes import call, snapshot


def test_a_value_comes_back() -> None:
    outcome = call(lambda a, b: a + b, (2, 3), 1.0)
    assert outcome.value == 5
    assert outcome.error is None
    assert not outcome.out_of_time


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), RecursionError(), MemoryError(), StopIteration()])
def test_every_error_is_kept_and_none_escapes(error: BaseException) -> None:
    def answer() -> None:
        raise error

    assert call(answer, (), 1.0).error is error


def test_an_interrupt_from_the_keyboard_passes_through() -> None:
    def answer() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(answer, (), 1.0)


def endless() -> None:
    while True:
        pass


def endless_and_deaf() -> None:
    while True:
        try:  # noqa: SIM105
            time.sleep(0.001)
        except:  # noqa: E722 - the very thing that must not hold the check
            pass


def asleep() -> None:
    time.sleep(60)


@pytest.mark.parametrize("answer", [endless, endless_and_deaf, asleep])
def test_an_answer_that_never_ends_is_stopped(answer) -> None:
    started = time.monotonic()
    outcome = call(answer, (), 0.2)
    assert outcome.out_of_time
    assert time.monotonic() - started < 20  # not a timing: 60 s of sleep were cut short


def test_endless_recursion_is_an_error() -> None:
    def answer(n: int) -> int:
        return answer(n + 1)

    assert isinstance(call(answer, (0,), 5.0).error, RecursionError)


def test_the_arguments_of_the_caller_are_never_touched() -> None:
    mine = [np.arange(4), {"a": [1, 2]}, [3, 4]]

    def answer(array, mapping, items) -> None:
        array[0] = 99
        mapping["a"].append(3)
        items.clear()

    outcome = call(answer, tuple(mine), 1.0)
    assert outcome.changed_arguments == (0, 1, 2)
    np.testing.assert_array_equal(mine[0], np.arange(4))
    assert mine[1:] == [{"a": [1, 2]}, [3, 4]]


def test_a_nan_in_an_argument_is_no_change() -> None:
    outcome = call(lambda x, y: None, (np.array([np.nan, 1.0]), float("nan")), 1.0)
    assert outcome.changed_arguments == ()


def test_random_state_folder_and_error_handling_are_put_back(tmp_path) -> None:
    np.random.seed(1)
    random.seed(1)
    before = np.random.get_state()[1].copy(), random.getstate(), os.getcwd(), np.geterr(), sys.stdout

    def answer() -> None:
        np.random.seed(7)
        random.seed(7)
        os.chdir(tmp_path)
        np.seterr(all="raise")
        print("noise")

    outcome = call(answer, (), 1.0)
    assert outcome.printed == "noise\n"
    np.testing.assert_array_equal(before[0], np.random.get_state()[1])
    assert before[1:] == (random.getstate(), os.getcwd(), np.geterr(), sys.stdout)


def test_a_result_that_changes_later_was_already_copied() -> None:
    shared = np.zeros(3)
    outcome = call(lambda: shared, (), 1.0)
    shared[:] = 5
    np.testing.assert_array_equal(outcome.value, np.zeros(3))


def test_tensors_and_nested_results_become_plain_data() -> None:
    torch = pytest.importorskip("torch")
    plain = snapshot([torch.ones(2, requires_grad=True), (1, [2.5]), {"a": np.int8(3)}])
    np.testing.assert_array_equal(plain[0], np.ones(2))
    assert plain[1:] == ((1, (2.5,)), {"a": 3})


def test_a_tensor_that_an_answer_changes_is_noticed() -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, float("nan")])
    assert call(lambda t: t * 2, (x,), 1.0).changed_arguments == ()
    assert call(lambda t: t.mul_(2), (x,), 1.0).changed_arguments == (0,)


def test_a_list_that_holds_itself_ends() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert snapshot(loop)


def test_an_object_of_an_odd_type_is_named_and_equals_nothing() -> None:
    odd = snapshot(object())
    assert repr(odd) == "an object of type object"
    assert odd != snapshot(object())


def test_an_answer_that_ends_just_at_the_limit_leaves_no_alarm_behind() -> None:
    handler, limit = signal.getsignal(signal.SIGALRM), 0.002

    def answer(stop_at: float) -> None:
        while time.perf_counter() < stop_at:
            pass

    for i in range(1500):
        call(answer, (time.perf_counter() + limit * (0.98 + 0.04 * (i % 10) / 10),), limit)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) is handler
        assert sys.gettrace() is None


def test_memory_that_an_answer_may_take_is_limited_and_given_back() -> None:
    def answer() -> list[float]:
        items: list[float] = []
        while True:
            items.extend([0.0] * 1_000_000)

    before = resource.getrlimit(resource.RLIMIT_AS)
    outcome = call(answer, (), 20.0)
    assert isinstance(outcome.error, MemoryError)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_output_without_end_is_cut_and_closing_it_does_no_harm() -> None:
    def answer() -> None:
        while True:
            print("x" * 2000)

    assert len(call(answer, (), 0.3).printed) == 2000
    assert call(lambda: sys.stdout.close(), (), 1.0).error is None


def test_iterators_are_read_out_up_to_a_limit() -> None:
    assert call(lambda: (i for i in range(3)), (), 1.0).value == (0, 1, 2)
    assert call(lambda: range(3), (), 1.0).value == (0, 1, 2)
    assert len(call(lambda: range(10**12), (), 10.0).value) == 1_000_000


class BadFloat(float):
    def __float__(self) -> float:
        raise RuntimeError


class BadKey:
    def __repr__(self) -> str:
        raise RuntimeError


def test_values_of_classes_of_the_answers_own_become_stand_ins() -> None:
    assert "BadFloat" in repr(snapshot(BadFloat(1.0)))
    assert "BadKey" in repr(snapshot({BadKey(): 1}))
