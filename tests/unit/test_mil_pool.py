from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mil_harness import run_as_declared, run_operator

# Sums of small whole numbers are exact. After them our means round at most three times (a division by the window's size, by
# the part of it that counts, a product), and a square root halves the relative error and rounds once more: 4 * 2^-24.
RTOL = 4 * 2.0**-24
POOLS = {
    1: (torch.nn.MaxPool1d, torch.nn.AvgPool1d),
    2: (torch.nn.MaxPool2d, torch.nn.AvgPool2d),
    3: (torch.nn.MaxPool3d, torch.nn.AvgPool3d),
}


def ranges(size: int, kernel: int, stride: int, before: int, after: int, ceil: bool) -> list[tuple[int, int]]:
    """Where the windows along one axis start and end; 0 is the first element of the input, not of the padding."""
    found = []
    start = -before
    while start + kernel <= size + after or (ceil and found and start < size and start - stride + kernel < size + after):
        found.append((start, start + kernel))
        start += stride
    return found


def pooled(x, kernel_sizes, strides, pads, ceil, reduce):
    """`reduce` of every window: it gets its elements (batch, channels, ...), and how many positions it has within the padding."""
    of_axis = [ranges(*of, ceil) for of in zip(x.shape[2:], kernel_sizes, strides, pads[::2], pads[1::2], strict=True)]
    out = np.empty((*x.shape[:2], *(len(found) for found in of_axis)))
    for index in np.ndindex(out.shape[2:]):
        window = [found[i] for found, i in zip(of_axis, index, strict=True)]
        inside = tuple(slice(max(0, a), max(0, min(b, n))) for (a, b), n in zip(window, x.shape[2:], strict=True))
        padded = zip(window, x.shape[2:], pads[1::2], strict=True)
        positions = np.prod([min(b, n + after) - a for (a, b), n, after in padded])
        out[(..., *index)] = reduce(x[(..., *inside)], positions)
    return out


def largest(elements, positions):
    return elements.max(tuple(range(2, elements.ndim)), initial=-np.inf)


def mean_with_padding(elements, positions):
    return elements.sum(tuple(range(2, elements.ndim))) / positions


def mean_without_padding(elements, positions):
    return elements.mean(tuple(range(2, elements.ndim)))


def root_of_squares(elements, positions):
    return np.sqrt(np.square(elements).sum(tuple(range(2, elements.ndim))))


KINDS = pytest.mark.parametrize(
    ("pad_type", "ceil"),
    [(kind, False) for kind in ("valid", "same", "same_lower", "custom")]
    + [(kind, True) for kind in ("valid", "same_lower", "custom")],
)


@st.composite
def poolings(draw, pad_type, ceil, most_dims=3):
    """x, the settings of a pooling, and the padding that they mean. Each window has an element of x in it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dims = draw(st.integers(1, 2 if ceil else most_dims))
    kernel = [draw(st.integers(1, 4)) for _ in range(dims)]
    strides = [draw(st.integers(1, 3)) for _ in range(dims)]
    pad = [0] * (2 * dims)
    if pad_type == "custom":
        pad = [draw(st.integers(0, size - 1)) for size in kernel for _ in range(2)]
        if ceil or draw(st.booleans()):
            pad[1::2] = pad[::2]
    sizes = [draw(st.integers(size, size + 4)) for size in kernel]
    meant = list(pad)
    if pad_type.startswith("same"):
        totals = [
            max(0, (len(range(0, n, stride)) - 1) * stride + size - n)
            for n, size, stride in zip(sizes, kernel, strides, strict=True)
        ]
        meant = [half for t in totals for half in ((t // 2, t - t // 2) if pad_type == "same" else (t - t // 2, t // 2))]
    if ceil and any(a + b == 0 and s > k for a, b, s, k in zip(meant[::2], meant[1::2], strides, kernel, strict=True)):
        ceil = False  # coremltools then counts a window that begins after the input, where there is nothing
    x = rng.integers(-9, 10, (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *sizes)).astype(np.float32)
    options = {"kernel_sizes": kernel, "strides": strides, "pad_type": pad_type, "pad": pad, "ceil_mode": ceil}
    return x, options, meant


@KINDS
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_max_pool_is_its_definition(pad_type, ceil, data):
    x, options, meant = data.draw(poolings(pad_type, ceil))
    (ours,) = run_as_declared("max_pool", {"x": x}, "iOS16", **options)
    expected = pooled(x, options["kernel_sizes"], options["strides"], meant, options["ceil_mode"], largest)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("exclude", [True, False])
@KINDS
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_avg_pool_is_its_definition(pad_type, ceil, exclude, data):
    x, options, meant = data.draw(poolings(pad_type, ceil))
    (ours,) = run_as_declared("avg_pool", {"x": x}, "iOS16", exclude_padding_from_average=exclude, **options)
    reduce = mean_without_padding if exclude else mean_with_padding
    expected = pooled(x, options["kernel_sizes"], options["strides"], meant, options["ceil_mode"], reduce)
    np.testing.assert_allclose(ours, expected, rtol=RTOL)


@KINDS
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_l2_pool_is_its_definition(pad_type, ceil, data):
    x, options, meant = data.draw(poolings(pad_type, ceil, most_dims=2))
    (ours,) = run_as_declared("l2_pool", {"x": x}, "iOS16", **options)
    expected = pooled(x, options["kernel_sizes"], options["strides"], meant, options["ceil_mode"], root_of_squares)
    np.testing.assert_allclose(ours, expected, rtol=RTOL)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_pools_as_the_converter_writes_torchs(data):
    dims = data.draw(st.integers(1, 3))
    kernel = [data.draw(st.integers(1, 4)) for _ in range(dims)]
    strides = [data.draw(st.integers(1, size)) for size in kernel]
    pad = [data.draw(st.integers(0, size // 2)) for size in kernel]
    ceil, include = dims < 3 and data.draw(st.booleans()), data.draw(st.booleans())
    x = np.random.default_rng(0).integers(-9, 10, (2, 2, *[data.draw(st.integers(4, 9)) for _ in range(dims)])).astype(np.float32)
    options = {
        "kernel_sizes": kernel, "strides": strides, "pad_type": "custom", "pad": np.repeat(pad, 2), "ceil_mode": ceil,
    }  # fmt: skip
    max_pool, avg_pool = POOLS[dims]
    expected = max_pool(kernel, strides, pad, ceil_mode=ceil)(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(run_operator("max_pool", {"x": x}, **options)[0], expected)
    expected = avg_pool(kernel, strides, pad, ceil, include)(torch.from_numpy(x)).numpy()
    ours = run_operator("avg_pool", {"x": x}, exclude_padding_from_average=not include, **options)[0]
    np.testing.assert_allclose(ours, expected, rtol=RTOL)


def test_a_window_that_begins_after_the_input_is_left_out():
    # torch leaves it out even without padding. coremltools' shape has it, and there is nothing that it could hold.
    x = np.arange(1, 3, dtype=np.float32).reshape(1, 1, 2)
    options = {"kernel_sizes": [1], "strides": [2], "pad_type": "custom", "ceil_mode": True}
    for name in ("max_pool", "avg_pool", "l2_pool"):
        np.testing.assert_array_equal(run_operator(name, {"x": x}, **options)[0], [[[1]]])


def test_what_ceil_mode_adds_never_counts_in_a_mean():
    # 3 is more than half of 5, which torch's own pool refuses. The last window is 1 element, 3 of padding, and 1 beyond it.
    x = np.full((1, 1, 2), 6, np.float32)
    options = {"kernel_sizes": [5], "strides": [4], "pad_type": "custom", "pad": [3, 3], "ceil_mode": True}
    for exclude, expected in ((False, [12 / 5, 6 / 4]), (True, [6, 6])):
        (ours,) = run_as_declared("avg_pool", {"x": x}, exclude_padding_from_average=exclude, **options)
        np.testing.assert_allclose(ours, [[expected]], rtol=RTOL)


def test_windows_of_nothing_but_padding():
    # PyTorch refuses them. The largest of no elements is minus infinity, as in the max_pool of ONNX and of XLA.
    x = np.ones((1, 1, 2), np.float32)
    options = {"kernel_sizes": [2], "strides": [2], "pad_type": "custom", "pad": [2, 2]}
    np.testing.assert_array_equal(run_operator("max_pool", {"x": x}, **options)[0], [[[-np.inf, 1, -np.inf]]])
    np.testing.assert_array_equal(run_operator("avg_pool", {"x": x}, **options)[0], [[[0, 1, 0]]])
    np.testing.assert_array_equal(run_operator("l2_pool", {"x": x}, **options)[0], [[[0, np.sqrt(np.float32(2)), 0]]])


# Expected values of coremltools' own tests (mil/ops/tests/iOS14/test_pool.py), which run on Apple's machines.
SQUARE = [[[[-10.80291205, -6.42076184], [-7.07910997, 9.1913279]], [[-3.18181497, 0.9132147], [11.9785544, 7.92449539]]]]
WHOLE = [[[[-10.0, -6.0], [-7.0, 9.0]], [[-3.0, 0.0], [11.0, 7.0]]]]
LINE = [[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]]
TWO = [[[[1.0, 2.0], [3.0, 4.0]]]]
APPLE = [
    ("avg_pool", LINE, [3], [3], "same", True, [[[1.5, 4.0, 6.5]]]),
    ("max_pool", LINE, [3], [3], "same", None, [[[2.0, 5.0, 7.0]]]),
    ("l2_pool", LINE, [3], [3], "same", None, [[[2.236068, 7.071068, 9.219544]]]),
    ("avg_pool", SQUARE, [2, 3], [1, 3], "same", True, [[[[-3.7778642], [1.056109]], [[4.4086123], [9.951525]]]]),
    ("l2_pool", WHOLE, [2, 3], [1, 3], "same", None, [[[[16.309507], [11.401754]], [[13.379088], [13.038404]]]]),
    ("l2_pool", WHOLE, [1, 2], [2, 1], "valid", None, [[[[11.66190338]], [[3.0]]]]),
    ("avg_pool", TWO, [2, 2], [1, 1], "same_lower", False, [[[[0.25, 0.75], [1, 2.5]]]]),
    ("max_pool", TWO, [2, 2], [1, 1], "same_lower", None, TWO),
    ("l2_pool", TWO, [2, 2], [1, 1], "same_lower", None, [[[[1, 2.236068], [3.162278, 5.477226]]]]),
]


@pytest.mark.parametrize(("name", "x", "kernel_sizes", "strides", "pad_type", "exclude", "expected"), APPLE)
def test_pools_give_what_apples_runtime_gives(name, x, kernel_sizes, strides, pad_type, exclude, expected):
    options = {} if exclude is None else {"exclude_padding_from_average": exclude}
    tensors = {"x": np.float32(x)}
    (ours,) = run_operator(name, tensors, kernel_sizes=kernel_sizes, strides=strides, pad_type=pad_type, **options)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)  # seven digits are given
