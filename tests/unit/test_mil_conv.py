from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mil_harness import mb, run, run_as_declared, run_operator

from pocketlab.errors import PocketlabError

# All numbers are whole and small, so that every sum is exact in float32 in any order: no tolerance.

LETTERS = "abc"


def integers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-4, 5, shape).astype(np.float32)


def tensorflow_padding(size: int, kernel: int, stride: int) -> int:
    """What SAME adds in total, in the words of TensorFlow's manual on convolution."""
    return max(kernel - stride, 0) if size % stride == 0 else max(kernel - size % stride, 0)


def amounts(pad_type: str, pad: list[int], sizes, spans, strides) -> list[tuple[int, int]]:
    if pad_type == "valid":
        return [(0, 0)] * len(sizes)
    if pad_type == "custom":
        return list(zip(pad[::2], pad[1::2], strict=True))
    totals = [tensorflow_padding(*of_axis) for of_axis in zip(sizes, spans, strides, strict=True)]
    return [(t // 2, t - t // 2) if pad_type == "same" else (t - t // 2, t // 2) for t in totals]


def convolution(x, weight, around, strides, dilations, groups, bias):
    """Every product of the definition, gathered window by window."""
    x = np.pad(x, [(0, 0), (0, 0), *around])
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
    dims = len(spans)
    windows = np.lib.stride_tricks.sliding_window_view(x, spans, axis=tuple(range(2, 2 + dims)))
    windows = windows[(..., *(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilations))]
    outputs = []
    for part, filters in zip(np.split(windows, groups, 1), np.split(weight, groups), strict=True):
        where = LETTERS[:dims].upper()
        outputs.append(np.einsum(f"ni{where}{LETTERS[:dims]},oi{LETTERS[:dims]}->no{where}", part, filters))
    out = np.concatenate(outputs, 1)
    return out if bias is None else out + bias.reshape(-1, *[1] * dims)


@st.composite
def convolutions(draw, pad_types=("valid", "same", "same_lower", "custom")):
    """x, weight, bias or None, and the settings of a convolution into whose input at least one window fits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dims = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inputs, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel = [draw(st.integers(1, 3)) for _ in range(dims)]
    dilations = [draw(st.sampled_from([1, 1, 2])) for _ in range(dims)]
    strides = [draw(st.integers(1, 3)) for _ in range(dims)]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    sizes = [draw(st.integers(span, span + 4)) for span in spans]
    pad_type = draw(st.sampled_from(pad_types))
    pad = [draw(st.integers(0, 3)) for _ in range(2 * dims)] if pad_type == "custom" else [0] * (2 * dims)
    if draw(st.booleans()):
        pad[1::2] = pad[::2]  # the ordinary case
    x = integers(rng, draw(st.integers(1, 2)), groups * inputs, *sizes)
    weight = integers(rng, groups * outputs, inputs, *kernel)
    bias = integers(rng, groups * outputs) if draw(st.booleans()) else None
    options = {"strides": strides, "pad_type": pad_type, "pad": pad, "dilations": dilations, "groups": groups}
    return x, weight, bias, options


def expected_conv(x, weight, bias, options):
    spans = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], options["dilations"], strict=True)]
    around = amounts(options["pad_type"], options["pad"], x.shape[2:], spans, options["strides"])
    return convolution(x, weight, around, options["strides"], options["dilations"], options["groups"], bias)


def given_ones(**arguments):
    return {name: value for name, value in arguments.items() if value is not None}


@pytest.mark.parametrize("pad_type", ["valid", "same", "same_lower", "custom"])
@settings(max_examples=20, deadline=None)
@given(st.data())
def test_conv_is_its_definition(pad_type, data):
    x, weight, bias, options = data.draw(convolutions([pad_type]))
    (ours,) = run_as_declared("conv", {"x": x}, "iOS16", weight=weight, **given_ones(bias=bias), **options)
    np.testing.assert_array_equal(ours, expected_conv(x, weight, bias, options))


@settings(max_examples=15, deadline=None)
@given(convolutions())
def test_conv_takes_weights_computed_by_the_program(case):
    x, weight, bias, options = case
    options["dilations"] = [1] * (x.ndim - 2)
    tensors = given_ones(x=x, weight=weight, bias=bias)
    (ours,) = run_as_declared("conv", tensors, "iOS17", **options)
    np.testing.assert_array_equal(ours, expected_conv(x, weight, bias, options))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_conv_pads_as_torch_does_for_same(dims):
    rng = np.random.default_rng(dims)
    kernel = [4, 3, 2][:dims]
    x, weight = integers(rng, 1, 2, *[7, 6, 5][:dims]), integers(rng, 3, 2, *kernel)
    layer = [torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d][dims - 1](2, 3, kernel, padding="same", bias=False)
    layer.load_state_dict({"weight": torch.from_numpy(weight)})
    expected = layer(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_array_equal(run_operator("conv", {"x": x}, weight=weight, pad_type="same")[0], expected)
    # Turned around, what goes at the end goes at the start.
    axes = tuple(range(2, 2 + dims))
    x, weight = np.flip(x, axes).copy(), np.flip(weight, axes).copy()
    ours = run_operator("conv", {"x": x}, weight=weight, pad_type="same_lower")[0]
    np.testing.assert_array_equal(np.flip(ours, axes), expected)


def test_conv_defaults_are_the_smallest_ones():
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    (ours,) = run_operator("conv", {"x": x}, weight=np.ones((1, 1, 2, 2), np.float32))
    np.testing.assert_array_equal(ours, [[[[8, 12], [20, 24]]]])


@settings(max_examples=15, deadline=None)
@given(convolutions(), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_conv_quantized_scales_its_weights(case, channelwise, biased, seed):
    x, weight, _, options = case
    options["pad_type"] = options["pad_type"].replace("same_lower", "same")  # not before iOS 16
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 16, weight.shape).astype(np.uint8)
    shape = (len(weight),) if channelwise else (1,)
    scale, shift = np.exp2(rng.integers(-3, 3, shape)).astype(np.float32), integers(rng, *shape)
    bias = rng.integers(0, 9, len(weight)).astype(np.uint8) if biased else None
    real = weight * scale.reshape(-1, *[1] * (weight.ndim - 1)) + shift.reshape(-1, *[1] * (weight.ndim - 1))
    (ours,) = run_as_declared(
        "conv_quantized", {"x": x}, "iOS15", weight=weight, quantization_type="linear", nbits=4, quant_scale=scale,
        quant_bias=shift, **given_ones(bias=bias), **options,
    )  # fmt: skip
    np.testing.assert_array_equal(ours, expected_conv(x, real.astype(np.float32), bias, options))


def test_conv_quantized_refuses_a_table_that_it_cannot_have():
    one = np.ones(1, np.float32)
    with pytest.raises(PocketlabError, match=r"conv_quantized .* only 'linear'"):
        run_operator(
            "conv_quantized", {"x": np.ones((1, 1, 3), np.float32)}, "iOS15", weight=np.ones((1, 1, 1), np.uint8),
            quantization_type="lut", quant_scale=one, quant_bias=one,
        )  # fmt: skip


def scattered(x, weight, strides, dilations, groups):
    """The transposed convolution without padding: each element of x adds a scaled filter to the result."""
    dims = x.ndim - 2
    full = [(n - 1) * s + (k - 1) * d + 1 for n, k, s, d in zip(x.shape[2:], weight.shape[2:], strides, dilations, strict=True)]
    out = np.zeros((len(x), groups * weight.shape[1], *full), np.float32)
    for group in range(groups):
        part = np.split(x, groups, 1)[group]
        filters = np.split(weight, groups)[group]
        for tap in np.ndindex(weight.shape[2:]):
            of_axis = zip(tap, dilations, x.shape[2:], strides, strict=True)
            where = tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in of_axis)
            added = np.einsum(f"ni{LETTERS[:dims]},io->no{LETTERS[:dims]}", part, filters[(..., *tap)])
            out[(slice(None), slice(group * weight.shape[1], (group + 1) * weight.shape[1]), *where)] += added
    return out


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("pad_type", ["valid", "custom"])
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_conv_transpose_scatters_and_takes_the_padding_away(pad_type, dynamic, data):
    y, weight, _, options = data.draw(convolutions([pad_type]))
    rng = np.random.default_rng(y.size)
    groups, dims = options["groups"], y.ndim - 2
    x = integers(rng, 2, len(weight), *y.shape[2:])
    full = scattered(x, weight, options["strides"], options["dilations"], groups)
    around = amounts(options["pad_type"], options["pad"], y.shape[2:], None, None)
    if any(before + after >= size for (before, after), size in zip(around, full.shape[2:], strict=True)):
        return  # nothing would be left
    bias = integers(rng, full.shape[1])
    tensors = {"x": x, "weight": weight} if dynamic else {"x": x}
    constants = {"bias": bias} if dynamic else {"weight": weight, "bias": bias}
    (ours,) = run_as_declared("conv_transpose", tensors, "iOS17", **constants, **options)
    kept = tuple(slice(before, size - after) for (before, after), size in zip(around, full.shape[2:], strict=True))
    np.testing.assert_array_equal(ours, full[(..., *kept)] + bias.reshape(-1, *[1] * dims))


@pytest.mark.parametrize("pad_type", ["valid", "same", "custom"])
@settings(max_examples=15, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_conv_transpose_is_the_gradient_of_conv(pad_type, data, seed):
    # For every y and x, conv(y) . x = y . conv_transpose(x): the output shape says which of several y is meant.
    y, weight, _, options = data.draw(convolutions([pad_type]))
    result = expected_conv(y, weight, None, options)
    x = integers(np.random.default_rng(seed), *result.shape)
    (back,) = run_as_declared("conv_transpose", {"x": x}, "iOS16", weight=weight, output_shape=list(y.shape), **options)
    assert np.sum(result * x, dtype=np.float64) == np.sum(y * back, dtype=np.float64)
    slow = np.zeros_like(y)
    for index in np.ndindex(y.shape[1:]):  # and it is the gradient element by element
        probe = np.zeros_like(y)
        probe[(slice(None), *index)] = 1
        slow[(slice(None), *index)] = np.sum(expected_conv(probe, weight, None, options) * x, axis=tuple(range(1, x.ndim)))
    np.testing.assert_array_equal(back, slow)


@settings(max_examples=15, deadline=None)
@given(convolutions(pad_types=("same",)))
def test_conv_transpose_same_multiplies_sizes_by_strides(case):
    y, weight, _, options = case
    x = integers(np.random.default_rng(0), 1, len(weight), *y.shape[2:])
    (ours,) = run_as_declared("conv_transpose", {"x": x}, "iOS16", weight=weight, **options)
    assert ours.shape[2:] == tuple(n * s for n, s in zip(x.shape[2:], options["strides"], strict=True))
    (again,) = run_operator("conv_transpose", {"x": x}, "iOS16", weight=weight, output_shape=list(ours.shape), **options)
    np.testing.assert_array_equal(ours, again)


@pytest.mark.parametrize("output_padding", [0, 1])
def test_conv_transpose_as_the_converter_writes_torchs_output_padding(output_padding):
    rng = np.random.default_rng(0)
    x, weight, bias = integers(rng, 2, 4, 5, 6), integers(rng, 4, 3, 3, 3), integers(rng, 6)
    layer = torch.nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding, 2)
    layer.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    expected = layer(torch.from_numpy(x)).detach().numpy()

    def converted(x):  # _construct_conv_transpose in converters/mil/frontend/torch/ops.py
        whole = mb.conv_transpose(x=x, weight=weight, bias=bias, strides=[2, 2], groups=2, pad_type="custom", pad=[0] * 4)
        return mb.crop(x=whole, crop_height=[1, 1 - output_padding], crop_width=[1, 1 - output_padding])

    np.testing.assert_array_equal(run(converted, {"x": x})[0], expected)
    options = {"strides": [2, 2], "groups": 2, "pad_type": "custom", "pad": [1] * 4, "output_shape": list(expected.shape)}
    np.testing.assert_array_equal(run_operator("conv_transpose", {"x": x}, weight=weight, bias=bias, **options)[0], expected)
