"""Compiled loops translated to C: the same numbers, for everything that is understood, and a clear error for everything else."""

from __future__ import annotations

import ctypes
import importlib.util
import math
import sys
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from pocketlab.runtimes.c_source import TranslationError, translate
from pocketlab.runtimes.native_compiler import build

Array = NDArray[np.float64]
GAIN, OFFSETS, _HIDDEN, DEBT = 2.5, np.array([1.0, -2.0, 0.5]), 7, -4
SIGNED_ZEROS, MANY, _tau = np.array([-0.0, 0.0, 1.0]), 70_000, 3.0
loop = numba.njit


class Memory(NamedTuple):
    """What a filter remembers."""

    mean: Array
    square: Array
    counts: NDArray[np.int64]


class Settings(NamedTuple):
    gain: float
    steps: int
    strict: bool


class State(NamedTuple):
    memory: Memory
    total: Array


def arrays_of(value):
    """All arrays of an argument, in the order in which they lie in a struct."""
    return [value] if isinstance(value, np.ndarray) else [array for field in value for array in arrays_of(field)]


def run(function, *arguments, real="double"):
    """Translate, compile and call a function; arrays in the arguments are changed, as Python would. Return what C returns."""
    translation = translate(function, arguments, real=real)
    entry = translation.entry
    folder = Path(run.folder)
    source, library = folder / f"{entry.name}_{real}.c", folder / f"{entry.name}_{real}.so"
    source.write_text(translation.source())
    warnings = build(source, library, "-O2", "-shared", "-fPIC", *["-Wdouble-promotion"] * (real == "float"))
    assert warnings == ""
    called = getattr(ctypes.CDLL(str(library)), entry.name)
    called.restype = {None: None, "real": ctypes.c_double, "long": ctypes.c_long}[entry.result and entry.result.kind]
    given, blocks = [], []
    if entry.takes_count:
        given.append(ctypes.c_long(next(len(each) for each in arguments if isinstance(each, np.ndarray))))
    for argument in arguments:
        if isinstance(argument, Settings):
            given.append(ctypes.byref((type("S", (ctypes.Structure,), {"_fields_": _FIELDS}))(*argument)))
        elif isinstance(argument, np.ndarray | tuple):
            block = np.concatenate([array.ravel().view(np.int64) for array in arrays_of(argument)])
            blocks.append((block, arrays_of(argument)))
            given.append(ctypes.c_void_p(block.ctypes.data))
        else:
            given.append(ctypes.c_double(argument) if isinstance(argument, float) else ctypes.c_long(argument))
    result = called(*given)
    for block, arrays in blocks:
        start = 0
        for array in arrays:
            array[...] = block[start : start + array.size].view(array.dtype).reshape(array.shape)
            start += array.size
    return result


_FIELDS = [("gain", ctypes.c_double), ("steps", ctypes.c_long), ("strict", ctypes.c_bool)]


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    run.folder = tmp_path


def same(function, *arguments):
    """Assert that C and numba leave the same numbers in all arrays, and return the same."""
    ours = [_copy(argument) for argument in arguments]
    theirs = [_copy(argument) for argument in arguments]
    got, expected = run(function, *ours), function(*theirs)
    assert got == expected
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, np.ndarray | tuple) and not isinstance(one, Settings):
            for left, right in zip(arrays_of(one), arrays_of(other), strict=True):
                np.testing.assert_array_equal(left, right)
    return got


def _copy(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    return type(value)(*map(_copy, value)) if isinstance(value, tuple) else value


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape) * 10


@loop
def _arithmetic(x: Array, y: Array, out: Array) -> None:
    for n in range(len(x)):
        a, b = x[n], y[n]
        out[n, 0] = a - (b - a) * -b / (a / b) / 3
        out[n, 1] = -(a**2) + (a - b) ** 3 * b**5 + (-a) ** 2
        out[n, 2] = (a + b) / (1 if a > b else 2) - (a if a < 0 < b else b if b < -3 else GAIN)
        out[n, 3] = 1 / 3 + n / 7 + abs(n - 5) + abs(a) - float(n) / GAIN + math.pi
        out[n, 4] = 3 if not ((a > 0 and b > 0) or (a != b and not a < -1)) else n
        out[n, 5] = max(a, b, 1) - min(a, 0.5, n) + max(n, 3) + min(n, DEBT)
        out[n, 6] = -n // 4 + (-n) % 4 - n // -3 + int(a) + math.floor(b) - math.ceil(b) + _HIDDEN
        out[n, 7] = OFFSETS[n % 3] * len(OFFSETS) + a - 1e-30 * 1e30


def test_arithmetic_rounds_as_in_numba():
    same(_arithmetic, numbers(200), numbers(200, seed=1), np.zeros((200, 8)))


@loop
def _library(x: Array, out: Array) -> None:
    for n in range(len(x)):
        v = x[n]
        s = v - math.floor(v)
        out[n, 0], out[n, 1], out[n, 2] = math.sin(v), math.cos(v), math.tan(v)
        out[n, 3], out[n, 4], out[n, 5] = math.asin(s), math.acos(s), math.atan(v)
        out[n, 6], out[n, 7], out[n, 8] = math.sinh(v), math.cosh(v), math.tanh(v)
        out[n, 9], out[n, 10], out[n, 11] = math.exp(v), math.expm1(v), math.log(abs(v))
        out[n, 12], out[n, 13], out[n, 14] = math.log1p(s), math.sqrt(s), math.fabs(v)
        out[n, 15] = math.atan2(v, s)


def test_functions_of_libm_are_those_that_numba_calls():
    same(_library, numbers(2000), np.zeros((2000, 16)))


@loop
def _special(x: Array, y: Array, out: Array) -> None:
    for n in range(len(x)):
        out[n, 0] = max(x[n], y[n])
        out[n, 1] = min(x[n], y[n])
        out[n, 2] = 1.0 if math.isfinite(x[n]) else 2.0 if math.isnan(x[n]) else 3.0
        out[n, 3] = 1.0 if math.isinf(y[n]) and x[n] < math.inf else math.nan
        out[n, 4] = 1.0 if x[n] else 0.0


def test_nan_and_infinity_go_the_same_way():
    values = np.array([0.0, -0.0, 1.0, -2.0, np.nan, np.inf, -np.inf])
    x, y = (each.ravel().copy() for each in np.meshgrid(values, values))
    same(_special, x, y, np.zeros((len(x), 5)))


@loop
def _orders(matrix: Array, order: NDArray[np.int64]) -> None:
    for n in range(len(matrix)):
        row = matrix[n]
        row[0], row[1], row[2] = row[1], row[2], row[0]
        a, b = row[0], row[1]
        a, b = b, a + b
        row[0] = row[1] = a * b
        order[0], n_0 = order[1], order[0]
        order[1] = n_0
        a += b
        b /= 3
        b *= a
        a -= 1
        order[2] += 2
        order[2] //= 3
        a **= 2
        row[2] = a + b


def test_values_are_taken_before_any_is_assigned():
    same(_orders, numbers(5, 3), np.array([3, 9, 4, 1, 1]))


@loop
def _flow(x: Array, out: Array) -> int:
    kept = 0
    count = 3
    for n in range(len(x)):
        if n > 0:
            out[n, 0] = kept
        elif x[n] > 1e9:
            out[n, 0] = 5
        else:
            pass
        kept = n * n
        for i in range(count):  # as many as there were
            count += 1
            if i == 1:
                continue
            out[n, 1] += i
        count = 3
        while True:
            count -= 1
            if count < -2:
                break
        for i in range(7, count, -3):
            out[n, 2] += i
        for i in range(1, 9, 2):
            out[n, 3] += i
        if x[n] > 0:
            late = x[n]
        else:
            count, late = 3, 2.0
        out[n, 4] = late
    return kept


def test_loops_and_conditions_go_the_same_way():
    assert same(_flow, numbers(6), np.zeros((6, 5))) == 25


@loop
def _inverse(matrix: Array) -> tuple[Array, float]:
    """Inverse and determinant of (2, 2)."""
    inverse = np.zeros((2, 2))
    determinant = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    if determinant == 0:
        return inverse, 0.0
    inverse[0, 0], inverse[1, 1] = matrix[1, 1] / determinant, matrix[0, 0] / determinant
    inverse[0, 1], inverse[1, 0] = -matrix[0, 1] / determinant, -matrix[1, 0] / determinant
    return inverse, determinant


@loop
def _polar(x: float, y: float) -> tuple[float, float]:
    return math.sqrt(x * x + y * y), math.atan2(y, x)


@loop
def _mean(x: Array) -> float:
    total = 0.0
    for i in range(len(x)):
        total += x[i]
    return total / len(x)


@loop
def _ones() -> Array:
    ones = np.empty(2)
    ones[0] = ones[1] = 1.0
    return ones


@loop
def _results(matrices: Array, out: Array) -> None:
    for n in range(len(matrices)):
        inverse, determinant = _inverse(matrices[n])
        again, _ = _inverse(inverse)
        _, only = _inverse(again)
        radius, angle = _polar(determinant, 1)
        shorter, _ = _polar(radius, angle)
        ones = _ones()
        _ones()
        out[n, 0], out[n, 1], out[n, 2] = determinant, again[0, 1], only
        out[n, 3] = radius + angle * shorter + ones[1]
        out[n, 4] = _mean(matrices[n, 0]) * _mean(out[n])
        out[n, 5], out[0, 6] = _polar(out[n, 4], out[n, 0])
        further, out[n, 7] = _inverse(again)
        out[n, 7] += further[0, 0]


def test_functions_return_arrays_and_several_numbers_and_take_arrays_of_any_size():
    matrices = numbers(8, 2, 2)
    matrices[3] = 0
    same(_results, matrices, np.zeros((8, 8)))


@loop
def _remember(state: State, x: float, settings: Settings) -> float:
    memory, total = state
    mean = memory.mean
    if settings.strict and x < 0:
        return mean[0]
    mean[0] += settings.gain * (x - mean[0])
    memory.square[1, 0] += x**2
    memory.counts[settings.steps] += 1
    state.total[0] += x
    return total[0] / memory.counts[1] + state.memory.square[1, 0]


@loop
def _structs(x: Array, out: Array, state: State, settings: Settings) -> None:
    total, memory = state.total, state.memory
    for n in range(len(x)):
        out[n] = _remember(state, x[n], settings)
        memory.square[0, 1] = total[0]


@pytest.mark.parametrize("strict", [True, False])
def test_named_tuples_are_structs(strict):
    state = State(Memory(np.zeros(1), np.zeros((2, 2)), np.array([0, 0])), np.ones(1))
    same(_structs, numbers(50), np.zeros(50), state, Settings(0.25, 1, strict))


@loop
def _names(register: Array, sample_count: Array) -> None:
    for long in range(len(register)):
        unread = double = register[long]  # noqa: F841
        double += sample_count[long]
        register[long] = double


@loop
def _angle(x: float) -> float:
    tau, long, long_, max_real = 2 * x, 1.0, 3.0, 4.0  # tau is a constant of the module, too
    return tau - long * long_ + max(max_real, x)


@loop
def _log(x: Array) -> tuple[Array, float]:
    log = np.zeros(2)
    log[0] = math.log(abs(x[0]))
    return log, x[1]


@loop
def _made_names(x: Array, out: Array) -> None:
    held_1, i_end, count = x[0], x[1], 2
    for n in range(len(x)):
        sin, power_2 = math.sin(x[n]), x[n] ** 2
        sin, power_2 = power_2, sin
        for i in range(count):
            count += i
            out[n] += i_end + held_1
        log, second = _log(x)
        out[n] += sin - 2 * power_2 + _angle(x[n]) * _tau + log[0] + second
        count = 2


def test_words_of_c_and_of_the_translation_are_no_names_there():
    same(_names, numbers(4), numbers(4))
    same(_made_names, numbers(4), np.zeros(4))


@loop
def _large(x: Array) -> None:
    for n in range(len(x)):
        x[n] = MANY * MANY + n + (1 if x[n] > 0 else MANY) * -MANY + 3 * (65536 * 65536) - MANY * 30000 * 2


def test_whole_constants_have_64_bits_as_in_numba():
    same(_large, numbers(5))


@loop
def _signed(x: Array) -> None:
    for n in range(len(x)):
        x[n] = math.atan2(SIGNED_ZEROS[n % 3], -1.0)


def test_zeros_keep_their_sign():
    same(_signed, numbers(3))


@loop
def _positive(x: Array) -> int:
    count = 0
    for n in range(len(x)):
        count += 1 if x[n] > 0 else 0
    return count


@loop
def _bounded(x: Array, out: Array) -> None:
    for i in range(_positive(x)):
        x[i] = -1.0
        out[i] += 1.0


def test_a_loop_goes_as_far_as_a_function_said_at_its_beginning():
    same(_bounded, np.abs(numbers(6)), np.zeros(6))


@loop
def _backslash(x: Array) -> None:
    for n in range(len(x)):
        # A line that ends in \
        x[n] += 1.0
        # or in ??/
        x[n] += 2.0


def test_no_comment_reaches_into_the_next_line():
    same(_backslash, numbers(3))


@loop
def _room(x: Array) -> None:
    for n in range(len(x)):
        sums, other = np.zeros(3), np.zeros((2, 2))
        part = other[1]
        part[1] = x[n]
        if n > 1:
            late = np.zeros(3)
        else:
            late = np.zeros(3)
            late[1] = 4.0
        for i in range(3):
            sums[i] += x[n] * i + late[1]
            late[0] += 1.0
        x[n] = sums[0] + sums[1] + sums[2] + other[1, 1] + late[0]


def test_an_array_of_zeros_is_one_each_time():
    same(_room, numbers(5))


def module(folder, name, text):
    """Write and import a module, as constants and functions of other modules come from one."""
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_constants_of_one_name_keep_the_values_of_their_modules(tmp_path):
    text = "import numba\nSIZE, SHARED, LOW = {size}, 9, -{size}\n\n"
    text += "@numba.njit\ndef sized(x: float) -> float:\n    return x * SIZE + SHARED\n"
    one = module(tmp_path, "filter_small", text.format(size=3))
    two = module(tmp_path, "filter_large", text.format(size=5))
    user = "import numba\nimport filter_small\nfrom filter_large import sized\n\n@numba.njit\ndef both(x):\n"
    user += "    for n in range(len(x)):\n"
    user += "        x[n] = sized(x[n]) - filter_small.sized(1) * filter_small.SIZE - -filter_small.LOW\n"
    both = module(tmp_path, "filter_user", user).both
    same(both, numbers(3))
    source = translate(both, (numbers(3),)).source()
    assert "#define LARGE_SIZE 5\n" in source
    assert "#define SMALL_SIZE 3\n" in source
    assert source.count("#define SHARED 9\n") == 1
    assert "static double large_sized(" in source
    assert one.sized(1.0) != two.sized(1.0)


@loop
def _commented(x: Array, gain: float) -> None:
    """Grow by a gain.

    x: (N,).
    """
    # One after the other:
    for n in range(len(x)):  # all of them
        x[n] *= gain  # in place


def test_docstrings_and_comments_stay():
    source = translate(_commented, (numbers(3), 2.0)).source()
    head = f"/* {__name__}._commented\n   Grow by a gain.\n\n   x: (N,). */\n"
    head += "void source_commented(long sample_count, double x[], double gain)\n"
    assert head in source
    body = [line.strip() for line in source[source.index(head) + len(head) :].splitlines()]
    assert body == [
        "{",
        "// One after the other:",
        "// all of them",
        "for (long n = 0; n < sample_count; n++) {",
        "// in place",
        "x[n] *= gain;",
        "}",
        "}",
    ]


def test_what_only_reads_an_array_says_so():
    source = translate(_results, (numbers(8, 2, 2), np.zeros((8, 8)))).source()
    assert "static double source_mean(const double x[2])" in source
    assert "static double source_mean_2(const double x[8])" in source
    assert "void source_results(long sample_count, double matrices[][2][2], double out[][8])" in source


def test_float_computes_in_float_throughout():
    """With -Wdouble-promotion no line of it goes through double; see `run`."""
    translation = translate(_arithmetic, (numbers(3), numbers(3), np.zeros((3, 8))), real="float")
    source = Path(run.folder) / "float.c"
    source.write_text(translation.source())
    assert build(source, source.with_suffix(".o"), "-c", "-Wdouble-promotion") == ""
    assert "double" not in translation.source()


def bad_comprehension(x: Array) -> None:
    x[0] = max([v for v in x], 1.0)


def bad_slice(x: Array) -> None:
    x[1:2] = 0.0


def bad_end(x: Array) -> None:
    x[0] = x[-1]


def bad_row(x: Array) -> None:
    y = np.zeros((2, 2))
    y[0] = 1.0
    x[0] = y[0, 0]


def bad_try(x: Array) -> None:
    try:
        x[0] = 1.0
    except ValueError:
        x[0] = 2.0


def bad_element(x: Array) -> None:
    x[0] = x[1] > 2


def bad_text(x: Array) -> None:
    x[0] = len("four")


def bad_power(x: Array) -> None:
    x[0] = x[0] ** 0.5


def bad_index(x: Array) -> None:
    x[x[0]] = 1.0


def bad_keyword(x: Array) -> None:
    x[0] = max(x[0], key=1)


def bad_function(x: Array) -> None:
    x[0] = math.gamma(x[0])


def bad_numpy(x: Array) -> None:
    x[0] = np.sum(x)


def bad_shape(x: Array) -> None:
    room = np.zeros(len(x))
    x[0] = room[0]


def bad_alias(x: Array) -> None:
    room = np.zeros(2)
    other = room
    x[0] = other[0]


def bad_second_room(x: Array) -> None:
    room = np.zeros((2, 2))
    row = room[0]
    room = np.zeros((2, 2))
    x[0] = row[0]


def bad_room_of_before(x: Array) -> None:
    for n in range(3):
        room = np.zeros((2, 3))
        if n == 0:
            old = room[1]
        x[n] = old[0]
        old = room[0]


def bad_index_of_results(x: Array) -> None:
    i = 0
    x[i], i = _halved(x[1])


def bad_constant(x: Array) -> None:
    OFFSETS[0] = x[0]


def bad_name(x: Array) -> None:
    x[0] = nowhere  # noqa: F821


def bad_loop(x: Array) -> None:
    for v in x:
        x[0] = v


def bad_counter(x: Array) -> None:
    for i in range(3):
        x[i] = 0.0
    x[0] = i


def bad_type(x: Array) -> None:
    y = x[0]
    y = np.zeros(2)
    x[0] = y[0]


def bad_field(x: Array) -> None:
    x[0] = x.size


def bad_truth(x: Array) -> None:
    x[0] = x[0] or 2.0


def bad_unpacking(x: Array) -> None:
    a, b = x
    x[0] = a + b


def bad_default(x: Array, y: float = 2.0) -> None:
    x[0] = y


def bad_in_place(x: Array) -> None:
    x[0] = 1.0
    room = np.zeros(2)
    room = _twice(room)
    x[0] = room[0]


def bad_nested(x: Array) -> None:
    x[0] = 1.0 + _first_zeroed(x)


def bad_hint(x: Array) -> None:
    x[0] = _unhinted(x[0])


def bad_return(x: Array) -> Array:
    return x


def bad_else(x: Array) -> None:
    for i in range(3):
        x[i] = 0.0
    else:
        x[0] = 1.0


def bad_parameter(x: Array, n: int) -> None:
    n = n / 2
    x[0] = n


def bad_nesting(x: Array) -> None:
    for i in range(2):
        for i in range(3):
            x[i] = 1.0


def bad_part(x: Array, state: State) -> None:
    state, total = state
    x[0] = total[0]


def bad_taker(x: Array) -> None:
    radius, x.angle = _polar(x[0], x[1])
    x[0] = radius


def bad_whole(x: Array) -> None:
    x[0] = x[0] // 2


@loop
def _twice(x: Array) -> Array:
    y = np.empty(2)
    y[0], y[1] = x[0] * 2, x[1] * 2
    return y


@loop
def _halved(x: float) -> tuple[float, int]:
    return x / 2, 1


@loop
def _first_zeroed(x: Array) -> float:
    x[0] = 0.0
    return 1.0


@loop
def _unhinted(x):
    return x


BAD = {
    bad_comprehension: (1, r"\(ListComp\)"),
    bad_element: (1, "of another type"),
    bad_slice: (1, "slices"),
    bad_end: (1, "indices from the end"),
    bad_row: (2, "single elements"),
    bad_try: (1, r"\(Try\)"),
    bad_text: (1, "only numbers"),
    bad_power: (1, "from 2 to 9"),
    bad_index: (1, "whole number"),
    bad_keyword: (1, "by position"),
    bad_function: (1, r"math\.gamma"),
    bad_numpy: (1, r"np\.sum"),
    bad_shape: (1, "shape is made of numbers"),
    bad_alias: (2, "made here"),
    bad_second_room: (2, "made here more than once"),
    bad_room_of_before: (4, "made here more than once"),
    bad_index_of_results: (2, "one result is the index"),
    bad_constant: (1, "constant of its module"),
    bad_name: (1, "neither a variable nor"),
    bad_loop: (1, "a loop counts"),
    bad_counter: (3, "no value here"),
    bad_type: (2, "two shapes"),
    bad_field: (1, "NamedTuple's fields"),
    bad_truth: (1, "truth values only"),
    bad_unpacking: (1, "NamedTuple can be taken apart"),
    bad_default: (0, "without defaults"),
    bad_in_place: (3, "take two names"),
    bad_nested: (1, "stands alone"),
    bad_hint: (1, "hint"),
    bad_return: (1, "made in the function"),
    bad_else: (1, "`else`"),
    bad_parameter: (0, "comes as a whole number"),
    bad_nesting: (2, "loop around"),
    bad_part: (1, "name of the whole"),
    bad_taker: (1, "values go to variables"),
    bad_whole: (1, "whole numbers only"),
}


@pytest.mark.parametrize("function", BAD, ids=lambda function: function.__name__)
def test_what_is_not_understood_is_named_with_its_line(function):
    after, words = BAD[function]
    line = function.__code__.co_firstlineno + after
    second = State(Memory(np.zeros(1), np.zeros((2, 2)), np.zeros(1, int)), np.ones(1)) if function is bad_part else 2
    with pytest.raises(TranslationError, match=words) as raised:
        translate(loop(function), (np.zeros(3), second)[: function.__code__.co_argcount])
    assert f"{Path(__file__).name}, line {line}, in {function.__name__}: `" in str(raised.value)


@loop
def _endless(x: Array) -> None:
    _endless(x)


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (_endless, (np.zeros(3),), "calls itself"),
        (bad_end, (np.zeros(3),), "not a compiled function"),
        (loop(lambda x: x[0]), (np.zeros(3),), "write it with `def`"),
        (_commented, (np.zeros(3, np.float32), 1.0), "array of float32"),
        (_commented, (np.zeros(3), "two"), "A str has no counterpart"),
    ],
)
def test_what_cannot_be_an_entry_is_refused(function, arguments, words):
    with pytest.raises(TranslationError, match=words):
        translate(function, arguments)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="takes 2 arguments, and 1 examples"):
        translate(_commented, (np.zeros(3),))
    with pytest.raises(ValueError, match="'half' is neither"):
        translate(_commented, (np.zeros(3), 2.0), real="half")
