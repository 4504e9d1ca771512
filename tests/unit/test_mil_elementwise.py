from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import check, mb, run, run_operator

from pocketlab.errors import PocketlabError

few = settings(max_examples=10, deadline=None)
EPS = 2.0**-23  # the distance of two neighbors in float32, relative to them
# NumPy's vector functions are within 4 such steps, torch's within 1. Below the smallest normal number steps get larger.
LIBRARY = {"rtol": 5 * EPS, "atol": 2.0**-126}
# NumPy rounds a root correctly and torch to one of its two neighbors (it calls MKL). A quotient adds another rounding.
ROUNDED = {"rtol": 2 * EPS}


def floats(low, high):
    return st.floats(low, high, width=32, allow_subnormal=False)


def arrays(dtype, elements, min_side=0):
    return hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=5, min_side=min_side, max_side=4), elements=elements)


INTS = st.integers(-(2**31), 2**31 - 1)


@pytest.mark.parametrize(
    ("name", "low", "high", "tolerance"),
    [
        ("abs", -10, 10, {}),
        ("acos", -1, 1, LIBRARY),
        ("asin", -1, 1, LIBRARY),
        ("atan", -1e6, 1e6, LIBRARY),
        ("atanh", -0.9375, 0.9375, LIBRARY),
        ("ceil", -10, 10, {}),
        ("cos", -20, 20, LIBRARY),
        ("cosh", -20, 20, LIBRARY),
        ("erf", -4, 4, LIBRARY),
        ("exp", -80, 80, LIBRARY),
        ("exp2", -120, 120, LIBRARY),
        ("floor", -10, 10, {}),
        ("inverse", 0.5, 1e6, {}),
        ("log", 0, 1e6, LIBRARY),
        ("round", -10, 10, {}),
        ("rsqrt", 0, 1e6, ROUNDED),
        ("sign", -2, 2, {}),
        ("sin", -20, 20, LIBRARY),
        ("sinh", -20, 20, LIBRARY),
        ("sqrt", 0, 1e6, ROUNDED),
        ("square", -1e6, 1e6, {}),
        ("tan", -20, 20, LIBRARY),
        ("tanh", -10, 10, LIBRARY),
    ],
)
@few
@given(data=st.data())
def test_a_function_of_floats(name, low, high, tolerance, data):
    min_side = int(name == "erf")  # coremltools cannot infer it for no numbers
    check(name, {"x": data.draw(arrays(np.float32, floats(low, high), min_side))}, **tolerance)


@pytest.mark.parametrize("name", ["abs", "sign", "square"])
@few
@given(data=st.data())
def test_a_function_of_integers_wraps_around(name, data):
    check(name, {"x": data.draw(arrays(np.int32, INTS))})


def test_exp2_of_each_integer():
    check("exp2", {"x": np.arange(-40, 31, dtype=np.int32)})


@few
@given(arrays(np.float32, floats(0, 100)), floats(0.03125, 2))
def test_epsilon_is_added(x, epsilon):
    epsilon = np.float32(epsilon)
    check("inverse", {"x": x}, epsilon=epsilon)
    check("rsqrt", {"x": x}, epsilon=epsilon, **ROUNDED)
    check("log", {"x": x}, epsilon=epsilon, **LIBRARY)


@few
@given(arrays(np.float32, floats(-10, 10)), floats(-5, 0), floats(0.5, 5))
def test_clip(x, alpha, beta):
    check("clip", {"x": x}, alpha=np.float32(alpha), beta=np.float32(beta))
    check("clip", {"x": x}, "iOS15", alpha=np.float32(beta), beta=np.float32(alpha))  # contradictory, which iOS 17 refuses
    check("clip", {"x": x}, alpha=np.float32(0), beta=np.float32(np.inf))


@few
@given(st.data())
def test_threshold(data):
    check("threshold", {"x": data.draw(arrays(np.float32, floats(-10, 10)))}, alpha=np.float32(data.draw(floats(-5, 5))))
    # 2^24 + 1 is the first whole number that float32 has not
    alpha = data.draw(st.sampled_from([2**24 + 1, -(2**24) - 1]))
    check("threshold", {"x": data.draw(arrays(np.int32, INTS))}, alpha=np.int32(alpha))


def test_rounding_takes_the_even_of_two_neighbors():
    (got,) = run_operator("round", {"x": np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5], np.float32)})
    assert got.tolist() == [-2, -2, 0, 0, 2, 2, 4]


def test_logical_not():
    check("logical_not", {"x": np.array([[True, False, True]])})


# cast

INTEGERS = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16, "uint16": np.uint16, "int32": np.int32}
FLOATS = {"fp16": np.float16, "fp32": np.float32}
DTYPES = INTEGERS | FLOATS | {"bool": np.bool_}


def source(kind, least=-(2**31), most=2**31 - 128):
    """Numbers of a type; of float32 those that fit int32, since C leaves open what becomes of others."""
    dtype = DTYPES[kind]
    if kind == "bool":
        return arrays(dtype, st.booleans())
    if kind in INTEGERS:
        limits = np.iinfo(dtype)
        return arrays(dtype, st.integers(max(limits.min, least), min(limits.max, most)))
    least, most = max(least, -65504 if kind == "fp16" else least), min(most, 65504 if kind == "fp16" else most)
    return arrays(dtype, st.floats(least, most, width=16 if kind == "fp16" else 32, allow_subnormal=False))


def converted(x, kind):
    """What a cast gives: decimals cut off, then wrapped around into the type's range."""
    if kind == "bool":
        return x != 0
    if kind in FLOATS:
        return x.astype(np.float32)
    limits = np.iinfo(INTEGERS[kind])
    return (np.trunc(x).astype(np.int64) - limits.min) % (2 ** limits.bits) + limits.min


@pytest.mark.parametrize("kind", DTYPES)
@few
@given(data=st.data())
def test_cast(kind, data):
    for given_kind in DTYPES:
        x = data.draw(source(given_kind))
        (got,) = run_operator("cast", {"x": x}, dtype=kind)
        np.testing.assert_array_equal(got, converted(x, kind), err_msg=f"{given_kind} to {kind}")


@pytest.mark.parametrize("opset", ["iOS15", "iOS17"])
@few
@given(data=st.data())
def test_cast_gives_what_coremltools_infers(opset, data):
    kinds = [kind for kind in DTYPES if opset == "iOS17" or kind in ("int32", "fp32", "bool")]
    # uint16 is held in int32, and fp16 in float32: NumPy's kinds of number differ there, and `test_cast` has the values
    wanted = data.draw(st.sampled_from([kind for kind in kinds if kind not in ("uint16", "fp16")]))
    # numbers that fit, as NumPy's conversion of other floats is up to the CPU
    least, most = (np.iinfo(INTEGERS[wanted]).min, np.iinfo(INTEGERS[wanted]).max - 127) if wanted in INTEGERS else (-999, 999)
    for given_kind in kinds:
        check("cast", {"x": data.draw(source(given_kind, least, most))}, opset, dtype=wanted)


@few
@given(arrays(np.int32, INTS), arrays(np.float32, floats(-1e6, 1e6)))
def test_cast_to_float16_rounds_only_where_float16_is_asked_for(whole, x):
    for value in (whole, x):
        (exact,) = run(lambda x: mb.cast(x=x, dtype="fp16"), {"x": value})
        np.testing.assert_array_equal(exact, value.astype(np.float32))
        (rounded,) = run(lambda x: mb.cast(x=x, dtype="fp16"), {"x": value}, precision="float16")
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(rounded, value.astype(np.float16).astype(np.float32))


def test_cast_of_a_constant():
    for x, dtype, expected in ((np.array([300, -1], np.int32), "uint8", [44, 255]), (np.array([-1.9], np.float32), "int8", [-1])):
        (got,) = run(lambda unused, x=x, dtype=dtype: mb.cast(x=x, dtype=dtype), {"unused": np.zeros(1, np.float32)})
        assert got.tolist() == expected


# two tensors


@st.composite
def pairs(draw, dtype, x, y=None):
    """Two tensors whose shapes broadcast to one."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_dims=1, max_dims=4, min_side=0, max_side=4)).input_shapes
    both = zip(shapes, (x, x if y is None else y), strict=True)
    return dict(zip("xy", (draw(hnp.arrays(dtype, shape, elements=elements)) for shape, elements in both), strict=True))


ARITHMETIC = ["add", "maximum", "minimum", "mul", "sub"]
COMPARISONS = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]
SMALL = st.integers(-3, 3)  # many are equal


@pytest.mark.parametrize("name", ARITHMETIC + COMPARISONS)
@few
@given(data=st.data())
def test_two_tensors(name, data):
    check(name, data.draw(pairs(np.float32, st.one_of(floats(-100, 100), SMALL.map(float)))))
    check(name, data.draw(pairs(np.int32, st.one_of(INTS, SMALL))))


@pytest.mark.parametrize("name", ["maximum", "minimum", *COMPARISONS])
def test_not_a_number(name):
    x = np.array([np.nan, 1, np.nan, np.inf, -np.inf], np.float32)
    check(name, {"x": x, "y": x[::-1].copy()})


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
@few
@given(data=st.data())
def test_logic(name, data):
    check(name, data.draw(pairs(np.bool_, st.booleans())))


DIVIDENDS = st.one_of(SMALL, st.integers(-(2**31) + 1, 2**31 - 1))
DIVISORS = DIVIDENDS.filter(bool)


@pytest.mark.parametrize("name", ["floor_div", "mod", "real_div"])
@few
@given(data=st.data())
def test_division(name, data):
    positive = st.one_of(floats(0.125, 100), st.integers(1, 3).map(float))
    check(name, data.draw(pairs(np.float32, floats(-100, 100), st.one_of(positive, positive.map(lambda y: -y)))))
    check(name, data.draw(pairs(np.int32, DIVIDENDS, DIVISORS)))


def test_division_of_the_least_integer_by_minus_one():  # there is no such int32, and in C the division ends the process
    x, y = np.full(9, -(2**31), np.int32), np.full(9, -1, np.int32)
    for name, expected in (("floor_div", -(2**31)), ("mod", 0), ("real_div", -(2**31))):
        assert run_operator(name, {"x": x, "y": y})[0].tolist() == [expected] * 9


def test_division_of_negative_integers():
    x, y = np.array([-7, 7, -7, 7], np.int32), np.array([2, -2, -2, 2], np.int32)
    assert run_operator("floor_div", {"x": x, "y": y})[0].tolist() == [-4, -4, 3, 3]
    assert run_operator("mod", {"x": x, "y": y})[0].tolist() == [1, -1, -1, 1]
    assert run_operator("real_div", {"x": x, "y": y})[0].tolist() == [-3, -3, 3, 3]


def test_division_by_zero():
    x, zero = np.array([-2, 0, 2], np.float32), np.zeros(3, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name in ("real_div", "floor_div", "mod"):
            check(name, {"x": x, "y": zero})
    for name in ("real_div", "floor_div", "mod"):
        with pytest.raises(PocketlabError, match=f"{name} .*ZeroDivisionError"):
            run_operator(name, {"x": x.astype(np.int32), "y": zero.astype(np.int32)})


@few
@given(pairs(np.float32, floats(0.125, 10), floats(-5, 5)), pairs(np.int32, st.integers(-20, 20), st.integers(0, 12)))
def test_pow(real, whole):
    check("pow", real, **LIBRARY)
    with np.errstate(over="ignore"):
        check("pow", whole)


@few
@given(arrays(np.float32, floats(0.125, 10)), st.sampled_from([-2, -1, -0.5, 0, 0.5, 1, 1.7, 2, 3]))
def test_pow_with_a_constant(x, y):
    check("pow", {"x": x}, y=np.float32(y), **LIBRARY)
    check("pow", {"x": -x}, y=np.float32(np.round(y)), **LIBRARY)


def test_a_number_and_a_tensor():
    x = np.array([[1, -2], [3, 4]], np.float32)
    for name in (*ARITHMETIC, *COMPARISONS, "real_div", "floor_div", "mod"):
        check(name, {"x": x}, y=np.float32(3))
        check(name, {"y": x}, x=np.float32(3))
        check(name, {"x": x.astype(np.int32)}, y=np.int32(3))
