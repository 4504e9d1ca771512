from __future__ import annotations

import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, ct, mb, program, run, run_operator

from pocketlab.errors import PocketlabError
from pocketlab.runtimes.mil import load
from pocketlab.runtimes.mil._coremltools import quiet
from pocketlab.runtimes.mil.interpreter import Interpreter
from pocketlab.runtimes.mil.registry import OPERATORS, Operator

few = settings(max_examples=25, deadline=None)
# Whole numbers below 2**24 throughout: all of float32's sums and products of them are exact.


def floats(*values):
    return np.array(values, np.float32)


def whole(value):
    return np.array([value], np.int32)


def scalar(x):
    return mb.squeeze(x=x)


def as_float(x):
    return mb.cast(x=x, dtype="fp32")


def times(count, body, *variables, start=0):
    """Make a loop that runs `body(i, *variables)` for i from `start` to `count`, and return the variables after it."""

    def goes_on(i, *_):
        return mb.less(x=i, y=count)

    def round_(i, *now):
        new = body(i, *now)
        return (mb.add(x=i, y=1), *(new if isinstance(new, tuple) else (new,)))

    _, *results = mb.while_loop(_cond=goes_on, _body=round_, loop_vars=(start, *variables))
    return results[0] if len(results) == 1 else results


# select


@few
@given(st.data(), st.sampled_from([np.float32, np.int32, np.bool_]))
def test_select(data, dtype):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=3, min_dims=1, max_dims=4, max_side=3)).input_shapes
    elements = st.booleans() if dtype is np.bool_ else st.integers(-9, 9).map(dtype)
    cond = data.draw(hnp.arrays(np.bool_, shapes[0]))
    a, b = (data.draw(hnp.arrays(dtype, shape, elements=elements)) for shape in shapes[1:])
    (got,) = run_operator("select", {"cond": cond, "a": a, "b": b})
    np.testing.assert_array_equal(got, np.where(cond, a, b), strict=True)
    if np.broadcast_shapes(a.shape, b.shape) == got.shape:  # coremltools infers a shape without regard to `cond`
        check("select", {"cond": cond, "a": a, "b": b})


def test_select_keeps_what_is_not_finite_apart():
    tensors = {"cond": np.array([True, False]), "a": floats(1, np.nan), "b": floats(np.inf, 2)}
    assert run_operator("select", tensors)[0].tolist() == [1, 2]


# Lists


def test_a_list_begins_with_zeros_and_grows():  # what coremltools' own test of Apple's runtime expects
    def build(a, b):
        ls = mb.make_list(init_length=2, elem_shape=(2,))
        first = mb.list_read(ls=ls, index=0)
        ls = mb.list_write(ls=mb.list_write(ls=ls, index=0, value=a), index=4, value=b)
        ls = mb.list_scatter(ls=ls, indices=[2, 1], value=floats([-1, -2], [-4, -5]))
        return first, mb.list_read(ls=ls, index=0), mb.list_gather(ls=ls, indices=[4, 2, 3]), mb.list_length(ls=ls)

    first, read, gathered, length = run(build, {"a": floats(1, 3), "b": floats(2, 4)})
    assert (first.tolist(), read.tolist(), length.tolist()) == ([0, 0], [1, 3], 5)
    assert gathered.tolist() == [[2, 4], [-1, -2], [0, 0]]


PLACES = st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True)


@few
@given(st.integers(1, 3), st.lists(st.tuples(st.booleans(), PLACES), max_size=5))
def test_lists_hold_what_was_written_last(length, writes):
    expected = [0] * length
    for round_, (_, places) in enumerate(writes, 1):
        expected += [0] * (max(places) + 1 - len(expected))
        for place in places:
            expected[place] = 10 * round_ + place

    def build(x):
        ls = mb.make_list(init_length=length, elem_shape=(1,), dtype="int32")
        for round_, (at_once, places) in enumerate(writes, 1):
            if at_once:
                values = mb.add(x=x, y=10 * round_ + np.array(places, np.int32)[:, None])
                ls = mb.list_scatter(ls=ls, indices=np.array(places, np.int32), value=values)
            else:
                for place in places:
                    ls = mb.list_write(ls=ls, index=place, value=mb.add(x=x, y=np.int32(10 * round_ + place)))
        indices = mb.range_1d(start=0, end=mb.list_length(ls=ls), step=1)
        return mb.list_gather(ls=ls, indices=indices), mb.list_length(ls=ls)

    gathered, count = run(build, {"x": whole(0)})
    assert gathered[:, 0].tolist() == expected
    assert gathered.dtype == np.int32
    assert count == len(expected)


def test_writing_leaves_the_list_that_there_was():
    def build(a):
        old = mb.make_list(init_length=1, elem_shape=(1,))
        new = mb.list_write(ls=old, index=0, value=a)
        longer = mb.list_write(ls=new, index=1, value=a)
        return [mb.list_read(ls=old, index=0), mb.list_read(ls=new, index=0), mb.list_length(ls=new), mb.list_length(ls=longer)]

    assert [x.tolist() for x in run(build, {"a": floats(7)})] == [[0], [7], 1, 2]


@pytest.mark.parametrize("index", [-1, 2])
def test_an_element_that_is_not_there_is_one_error(index):
    def build(index):
        return mb.list_read(ls=mb.make_list(init_length=2, elem_shape=(1,)), index=scalar(index))

    with pytest.raises(PocketlabError, match=f"operator list_read .* the list has 2 elements, and none with the index {index}"):
        run(build, {"index": whole(index)})


def test_a_negative_place_to_write_is_one_error():
    def build(index):
        ls = mb.make_list(init_length=2, elem_shape=(1,))
        return mb.list_length(ls=mb.list_write(ls=ls, index=scalar(index), value=floats(1)))

    with pytest.raises(PocketlabError, match=r"operator list_write .* a list has no element with the index -1"):
        run(build, {"index": whole(-1)})


def test_an_element_of_unknown_shape_must_be_written_first():
    def build(x):
        ls = mb.list_write(ls=mb.make_list(init_length=2, elem_shape=("some_size", 1)), index=0, value=x)
        return mb.list_read(ls=ls, index=0), mb.list_read(ls=ls, index=1)

    with pytest.raises(PocketlabError, match=r"operator list_read .* the element 1 of the list was never written"):
        run(build, {"x": floats([1], [2])})


# cond


@pytest.mark.parametrize("answer", [True, False])
def test_cond_runs_one_of_two_blocks(answer):
    def build(pred, x):
        outer = mb.add(x=x, y=1.0)
        return mb.cond(
            pred=scalar(pred),
            _true_fn=lambda: (mb.mul(x=outer, y=2.0), outer),
            _false_fn=lambda: (x, mb.sub(x=x, y=outer)),
        )

    tensors = {"pred": np.array([answer]), "x": floats(3, 4)}
    assert [x.tolist() for x in run(build, tensors)] == ([[8, 10], [4, 5]] if answer else [[3, 4], [-1, -1]])


def test_a_block_that_is_not_taken_cannot_fail():
    def build(pred, index):
        ls = mb.make_list(init_length=1, elem_shape=(1,))
        return mb.cond(
            pred=scalar(pred),
            _true_fn=lambda: mb.list_read(ls=ls, index=scalar(index)),
            _false_fn=lambda: mb.const(val=floats(5)),
        )

    assert run(build, {"pred": np.array([False]), "index": whole(9)})[0].tolist() == [5]
    with pytest.raises(PocketlabError, match="none with the index 9"):
        run(build, {"pred": np.array([True]), "index": whole(9)})


@few
@given(st.integers(-5, 5))
def test_cond_inside_cond(x):
    def sign(x):
        return mb.cond(
            pred=mb.greater(x=scalar(x), y=0.0),
            _true_fn=lambda: mb.identity(x=floats(1)),
            _false_fn=lambda: mb.cond(
                pred=mb.less(x=scalar(x), y=0.0),
                _true_fn=lambda: mb.identity(x=floats(-1)),
                _false_fn=lambda: mb.mul(x=x, y=0.0),
            ),
        )

    assert run(sign, {"x": floats(x)})[0].tolist() == [np.sign(x)]


# while_loop


@few
@given(st.integers(-2, 6), st.integers(-9, 9))
def test_a_loop_runs_as_often_as_its_condition_says(count, x):
    def build(count, x):
        return times(scalar(count), lambda i, x: mb.mul(x=x, y=2.0), x)

    assert run(build, {"count": whole(count), "x": floats(x)})[0].tolist() == [x * 2 ** max(count, 0)]


def test_a_loop_that_does_not_run_returns_what_it_was_given():
    def build(count, x, y):
        return times(scalar(count), lambda i, x, y: (y, x), x, y)

    assert [r.tolist() for r in run(build, {"count": whole(0), "x": floats(1, 2), "y": floats(3, 4)})] == [[1, 2], [3, 4]]


@few
@given(st.integers(0, 5))
def test_variables_that_change_places(count):
    def build(count, x, y):  # neither may be overwritten before the other has been read
        return times(scalar(count), lambda i, x, y: (y, mb.add(x=x, y=y)), x, y)

    x, y = 0, 1
    for _ in range(count):
        x, y = y, x + y
    assert [r.tolist() for r in run(build, {"count": whole(count), "x": floats(0), "y": floats(1)})] == [[x], [y]]


def test_the_condition_may_depend_on_what_is_outside_and_on_all_variables():
    def build(x, limit):
        limit = mb.mul(x=limit, y=10.0)

        def small(x, steps):
            return mb.logical_and(x=mb.less(x=scalar(x), y=scalar(limit)), y=mb.less(x=steps, y=100))

        return mb.while_loop(_cond=small, _body=lambda x, steps: (mb.mul(x=x, y=3.0), mb.add(x=steps, y=1)), loop_vars=(x, 0))

    assert [r.tolist() for r in run(build, {"x": floats(1), "limit": floats(10)})] == [[243], 5]
    assert [r.tolist() for r in run(build, {"x": floats(0), "limit": floats(10)})] == [[0], 100]


def test_what_is_outside_is_still_there_in_every_round_and_after_the_loop():
    def build(count, x):
        outside = mb.add(x=x, y=1.0)
        inside = times(scalar(count), lambda i, total: mb.add(x=total, y=outside), mb.mul(x=x, y=0.0))
        return inside, mb.mul(x=outside, y=2.0)

    assert [r.tolist() for r in run(build, {"count": whole(3), "x": floats(4)})] == [[15], [10]]


def test_a_round_may_return_what_is_outside_or_its_own_input():
    def build(count, x, y):
        return times(scalar(count), lambda i, a, b, c: (y, b, a), x, x, x)

    tensors = {"x": floats(1), "y": floats(2)}
    for count, expected in ((0, [1, 1, 1]), (1, [2, 1, 1]), (2, [2, 1, 2])):
        assert [r.item() for r in run(build, {"count": whole(count), **tensors})] == expected


def test_what_is_outside_is_there_though_it_is_only_returned():
    def build(count, x):
        outside = mb.add(x=x, y=1.0)
        read = mb.mul(x=outside, y=2.0)  # the last operator that reads it, before the blocks that return it
        chosen = mb.cond(pred=mb.less(x=scalar(x), y=5.0), _true_fn=lambda: outside, _false_fn=lambda: read)
        return chosen, times(scalar(count), lambda i, a, b: (outside, a), x, x)[1]

    assert [r.tolist() for r in run(build, {"count": whole(2), "x": floats(4)})] == [[5], [5]]


def test_one_value_may_begin_several_variables():
    def build(count, x):
        return times(scalar(count), lambda i, a, b: (mb.add(x=a, y=1.0), mb.mul(x=b, y=2.0)), x, x)

    assert [r.item() for r in run(build, {"count": whole(3), "x": floats(1)})] == [4, 8]


@few
@given(st.integers(0, 4), st.integers(0, 4))
def test_loops_inside_loops(rows, columns):
    def build(rows, columns, x):
        twice = mb.mul(x=x, y=2.0)

        def row(i, total):
            start = mb.mul(x=as_float(i), y=10.0)

            def column(j, total):  # uses the round of the outer loop, and what is outside of both
                return mb.add(x=total, y=mb.mul(x=twice, y=mb.add(x=start, y=as_float(j))))

            return times(scalar(columns), column, total)

        return times(scalar(rows), row, mb.mul(x=x, y=0.0))

    (got,) = run(build, {"rows": whole(rows), "columns": whole(columns), "x": floats(1)})
    assert got.tolist() == [sum(2 * (10 * i + j) for i in range(rows) for j in range(columns))]


def test_three_loops_each_of_which_ends_elsewhere():
    def build(n, x):
        def first(i, x):
            def second(j, x):
                return times(j, lambda k, x: mb.add(x=x, y=1.0), x)

            return times(i, second, x)

        return times(scalar(n), first, x)

    (got,) = run(build, {"n": whole(6), "x": floats(0)})
    assert got.tolist() == [sum(1 for i in range(6) for j in range(i) for _ in range(j))]


@few
@given(st.integers(1, 30))
def test_cond_inside_a_loop(start):
    def build(x):
        def step(x, steps):
            half = mb.floor_div(x=x, y=2)
            even = mb.equal(x=mb.mul(x=half, y=2), y=x)
            following = mb.cond(
                pred=even, _true_fn=lambda: mb.identity(x=half), _false_fn=lambda: mb.add(x=mb.mul(x=x, y=3), y=1)
            )
            return following, mb.add(x=steps, y=1)

        return mb.while_loop(_cond=lambda x, steps: mb.greater(x=x, y=1), _body=step, loop_vars=(scalar(x), 0))

    value, steps = start, 0
    while value > 1:
        value, steps = (value // 2 if value % 2 == 0 else 3 * value + 1), steps + 1
    assert [r.item() for r in run(build, {"x": whole(start)})] == [1, steps]


@pytest.mark.parametrize("answer", [True, False])
def test_a_loop_inside_cond(answer):
    def build(pred, count, x):
        return mb.cond(
            pred=scalar(pred),
            _true_fn=lambda: times(scalar(count), lambda i, x: mb.add(x=x, y=x), x),
            _false_fn=lambda: times(scalar(count), lambda i, x: mb.add(x=x, y=1.0), x),
        )

    tensors = {"pred": np.array([answer]), "count": whole(4), "x": floats(3)}
    assert run(build, tensors)[0].tolist() == [48 if answer else 7]


@few
@given(st.integers(0, 5))
def test_loops_that_carry_lists(count):
    def build(count, x):
        def body(i, evens, odds, x):
            odds = mb.list_write(ls=odds, index=i, value=mb.add(x=x, y=1.0))
            return mb.list_write(ls=evens, index=i, value=x), odds, mb.add(x=x, y=2.0)

        lists = [mb.make_list(init_length=0, elem_shape=(1,)) for _ in range(2)]
        evens, odds, _ = times(scalar(count), body, *lists, x)
        length = mb.list_length(ls=evens)
        end = mb.list_write(ls=odds, index=length, value=x)  # so that there is something to stack
        return mb.list_gather(ls=end, indices=mb.range_1d(start=0, end=mb.list_length(ls=end), step=1)), length

    got, length = run(build, {"count": whole(count), "x": floats(0)})
    assert got[:, 0].tolist() == [*(2 * i + 1 for i in range(count)), 0]
    assert length == count


def test_a_list_filled_by_a_loop_inside_a_loop():
    def build(x):
        def row(i, ls):
            def column(j, ls):
                product = mb.add(x=x, y=as_float(mb.mul(x=i, y=j)))
                return mb.list_write(ls=ls, index=mb.add(x=mb.mul(x=i, y=3), y=j), value=product)

            return times(3, column, ls)

        ls = times(2, row, mb.make_list(init_length=6, elem_shape=(1,), dynamic_length=False))
        return mb.list_gather(ls=ls, indices=np.arange(6, dtype=np.int32))

    assert run(build, {"x": floats(0)})[0][:, 0].tolist() == [0, 0, 0, 0, 1, 2]


def test_a_variable_may_change_its_shape():
    def build(count, x):
        def append(i, x):
            last = mb.slice_by_index(x=x, begin=[-1], end=[0], end_mask=[True])
            return mb.concat(values=[x, mb.mul(x=last, y=2.0)], axis=0)

        return times(scalar(count), append, x)

    assert run(build, {"count": whole(4), "x": floats(1)})[0].tolist() == [1, 2, 4, 8, 16]


def test_every_round_is_rounded_to_float16():
    def build(count, x):
        third = mb.cast(x=x, dtype="fp16")
        total = times(scalar(count), lambda i, total: mb.add(x=total, y=third), third)
        return mb.cast(x=total, dtype="fp32")

    tensors = {"count": whole(9), "x": floats(1 / 3)}
    rounded = np.float16(1 / 3)
    for _ in range(9):
        rounded += np.float16(1 / 3)  # NumPy computes in float32, too, and rounds each sum
    (got,) = run(build, tensors, precision="float16")
    assert got.tolist() == [rounded]
    assert run(build, tensors)[0] != got


def test_an_error_inside_a_loop_names_the_operator_inside():
    def build(count):
        ls = mb.make_list(init_length=2, elem_shape=(1,))
        return times(scalar(count), lambda i, x: mb.list_read(ls=ls, index=i), floats(0))

    assert run(build, {"count": whole(2)})[0].tolist() == [0]
    with pytest.raises(PocketlabError, match=r"^The operator list_read with output .* \(number \d+ of \d+ in the function"):
        run(build, {"count": whole(3)})


# What is kept, and what is freed


def named_loop(count, x):
    def body(i, x):
        y = mb.add(x=x, y=1.0, name="inside")
        return mb.mul(x=y, y=2.0, name="body_result")

    return mb.add(x=times(scalar(count), body, x), y=0.0, name="result")


def test_what_is_kept_of_a_loop_is_its_last_round():
    for count, inside, result in ((1, 2, 4), (3, 11, 22)):
        tensors = {"count": whole(count), "x": floats(1)}
        interpreter = Interpreter(program(named_loop, tensors))
        assert {"inside", "body_result"} <= set(interpreter.names)
        got = interpreter.run(tensors, keep=["inside", "x"])
        assert {name: value.tolist() for name, value in got.items()} == {"result": [result], "inside": [inside], "x": [1]}


def test_what_is_kept_of_a_block_that_was_not_run_is_none():
    tensors = {"count": whole(0), "x": floats(1)}
    interpreter = Interpreter(program(named_loop, tensors))
    assert interpreter.run(tensors, keep=["inside"])["inside"] is None
    assert interpreter.run({**tensors, "count": whole(1)}, keep=["inside"])["inside"].tolist() == [2]
    assert interpreter.run(tensors, keep=["inside"])["inside"] is None  # nothing is left of the run before


def test_keeping_changes_no_result():
    def build(count, x):
        def row(i, x):
            def column(j, x):
                y = mb.add(x=x, y=as_float(i), name="inner")
                return mb.mul(x=y, y=1.0)

            return mb.add(x=times(i, column, x), y=1.0, name="outer")

        return times(scalar(count), row, x)

    tensors = {"count": whole(4), "x": floats(0)}
    interpreter = Interpreter(program(build, tensors))
    (output,) = interpreter.outputs
    plain = interpreter.run(tensors)[output].tolist()
    everything = interpreter.run(tensors, keep=interpreter.names)
    assert everything[output].tolist() == plain == [4 + 1 + 4 + 9]
    assert (everything["outer"].tolist(), everything["inner"].tolist()) == ([18], [17])


def test_an_output_is_not_taken_for_what_has_its_name_inside():
    def build(x):
        y = mb.add(x=x, y=1.0, name="y")
        return y, times(3, lambda i, x: mb.mul(x=x, y=2.0, name="y"), x)

    assert [r.tolist() for r in run(build, {"x": floats(1)})] == [[2], [8]]


class Watch:
    """Stands in for the operator `add`: computes it, and counts before that how many of its results still exist."""

    def __init__(self, monkeypatch):
        add = OPERATORS["add"]
        self.results = []
        self.counts = []

        def watched(x, y):
            self.counts.append(self.living())
            result = add.function(x, y)
            if result.dim():  # the counters of loops are scalars
                self.results.append(weakref.ref(result))
            return result

        watched.__annotations__ = add.function.__annotations__
        monkeypatch.setitem(OPERATORS, "add", Operator("add", watched, add.parameters))

    @property
    def most(self):
        return max(self.counts)

    def living(self):
        return sum(result() is not None for result in self.results)


@pytest.fixture
def watch(monkeypatch):
    return Watch(monkeypatch)


def chain(x, length):
    for _ in range(length):
        x = mb.add(x=x, y=1.0)
    return x


def test_a_tensor_is_freed_after_its_last_use(watch):
    run(lambda x: chain(x, 20), {"x": floats(1)})
    assert len(watch.results) == 20
    assert watch.most == 1  # what the next one reads


@pytest.mark.parametrize("count", [2, 30])
def test_a_loop_holds_no_more_in_a_later_round(watch, count):
    (got,) = run(lambda count, x: times(scalar(count), lambda i, x: chain(x, 5), x), {"count": whole(count), "x": floats(0)})
    assert got.tolist() == [5 * count]
    assert len(watch.results) == 5 * count
    # what the round began with, and what the next operator reads
    assert watch.most == 2


def test_nested_loops_hold_no_more_in_a_later_round(watch):
    def build(count, x):
        return times(scalar(count), lambda i, x: chain(times(scalar(count), lambda j, x: chain(x, 3), x), 2), x)

    run(build, {"count": whole(9), "x": floats(0)})
    assert len(watch.results) == 9 * (9 * 3 + 2)
    # what either loop's round began with, the inner loop's beginning, and what the next operator reads
    assert watch.most <= 4


def test_nothing_is_left_of_a_block_but_its_result(watch):
    def build(x):
        y = mb.cond(pred=mb.less(x=scalar(x), y=5.0), _true_fn=lambda: chain(x, 3), _false_fn=lambda: chain(x, 2))
        z = chain(mb.mul(x=y, y=2.0), 2)  # the block's own name for y is not to hold it
        return mb.mul(x=z, y=chain(mb.mul(x=z, y=2.0), 1))

    assert run(build, {"x": floats(1)})[0].tolist() == [10 * 21]
    assert watch.counts == [0, 1, 1, 0, 1, 1]


def test_what_only_the_loop_uses_of_the_outside_is_freed_after_it(watch):
    def build(x):
        outside = mb.add(x=x, y=1.0)
        inside = times(4, lambda i, x: mb.mul(x=x, y=outside), x)
        return chain(inside, 2)

    assert run(build, {"x": floats(1)})[0].tolist() == [18]
    assert len(watch.results) == 3
    assert watch.most == 1  # the chain's, when nothing is left of the one outside


def test_after_a_run_only_what_was_asked_for_is_held(watch):
    def build(x):
        y = mb.add(x=x, y=1.0, name="kept")
        taken = mb.cond(pred=mb.greater(x=scalar(x), y=0.0), _true_fn=lambda: chain(y, 3), _false_fn=lambda: chain(y, 4))
        return mb.add(x=times(3, lambda i, x: chain(x, 2), taken), y=0.0, name="result")

    tensors = {"x": floats(1)}
    interpreter = Interpreter(program(build, tensors))
    results = interpreter.run(tensors, keep=["kept"])
    assert {name: value.tolist() for name, value in results.items()} == {"result": [11], "kept": [2]}
    assert watch.living() == 2
    del results
    assert watch.living() == 0


# Through a file


def test_nested_control_flow_and_lists_survive_being_saved(tmp_path):
    """A loaded program's blocks have inputs of their own, where those that were just built share them."""

    def build(x):
        outside = mb.add(x=x, y=1.0)

        def row(i, ls, total):
            def column(j, total):
                return mb.cond(
                    pred=mb.less(x=i, y=j),
                    _true_fn=lambda: mb.add(x=total, y=outside),
                    _false_fn=lambda: mb.mul(x=total, y=2.0),
                )

            total = times(3, column, total)
            return mb.list_write(ls=ls, index=i, value=total), total

        ls, total = times(4, row, mb.make_list(init_length=4, elem_shape=(1,), dynamic_length=False), x)
        return mb.list_gather(ls=ls, indices=np.arange(4, dtype=np.int32), name="rows"), mb.identity(x=total, name="total")

    made = program(build, {"x": floats(0)}, "iOS16")
    with quiet():
        precision = ct.precision.FLOAT32
        model = ct.convert(
            made, convert_to="mlprogram", compute_precision=precision, minimum_deployment_target=ct.target.iOS16
        )
        model.save(str(tmp_path / "nested.mlpackage"))
    loaded = load(tmp_path / "nested.mlpackage")
    x, expected = 1, []
    for i in range(4):
        total = expected[-1] if expected else x
        for j in range(3):
            total = total + x + 1 if i < j else total * 2
        expected.append(total)
    results = loaded.predict({"x": floats(x)})
    assert (results["rows"][:, 0].tolist(), results["total"].tolist()) == (expected, [expected[-1]])
