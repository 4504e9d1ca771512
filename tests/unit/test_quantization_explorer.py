"""The explorer's numbers are the library's, its picture and words follow its controls."""

import html
import re

import numpy as np
import pytest

from pocketlab.compression.quantization import affine_params, dequantize, quantize, sqnr_db, weight_scales
from pocketlab.ui.quantization import QuantizationExplorer, WeightTensor


@pytest.fixture(scope="module")
def weights():
    rng = np.random.default_rng(7)
    spread = np.exp(rng.normal(size=(16, 1, 1, 1)))
    return (rng.normal(size=(16, 4, 3, 3)) * spread).astype(np.float32)


def text_of(widget):
    return html.unescape(re.sub(r"<[^>]+>", " ", widget.value))


def images(explorer):
    return re.search(r'src="([^"]+)"', explorer.plot.widget.value).group(1)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_per_tensor_equals_the_library(weights, bits):
    result = WeightTensor(weights).quantized(bits, 100.0, per_channel=False)
    largest = float(np.abs(weights).max())
    scale, zero = affine_params(-largest, largest, bits=bits, symmetric=True)
    restored = dequantize(quantize(weights, scale, zero, bits=bits), scale, zero)
    assert result.scale == pytest.approx(scale)
    assert result.sqnr_db == pytest.approx(sqnr_db(weights, restored))
    assert result.largest_error == pytest.approx(float(np.abs(weights - restored).max()))
    assert not result.cut_off.any()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_per_channel_equals_the_library_and_errs_by_half_a_step(weights, bits):
    result = WeightTensor(weights).quantized(bits, 100.0, per_channel=True)
    np.testing.assert_allclose(result.scale, weight_scales(weights, bits=bits))
    # Rounding to the nearest level is off by half a step of the coarsest channel; one part in 10^5 is float32 arithmetic.
    assert result.largest_error <= result.scale.max() / 2 * (1 + 1e-5)
    assert result.sqnr_db > WeightTensor(weights).quantized(bits, 100.0, per_channel=False).sqnr_db


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kept", [90.0, 95.0, 99.5, 100.0])
def test_the_range_keeps_the_asked_share_and_no_step_more(weights, kept, per_channel):
    cut_off = WeightTensor(weights).quantized(8, kept, per_channel=per_channel).cut_off
    groups = cut_off.reshape(len(weights), -1) if per_channel else cut_off.reshape(1, -1)
    for group in groups:
        kept_values = group.size - group.sum()
        assert kept_values >= kept / 100 * group.size
        assert kept_values - 1 < kept / 100 * group.size


def test_what_is_cut_off_lands_on_the_edge_of_the_range():
    values = np.append(np.full(99, 0.5), 4.0).reshape(1, -1).astype(np.float32)
    result = WeightTensor(values).quantized(8, 99.0, per_channel=False)
    assert result.cut_off.sum() == 1
    assert result.largest_error == pytest.approx(3.5, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "words"),
    [(np.zeros((2, 3)), "not all zero"), (np.array([1.0, np.nan]), "finite"), (np.zeros((0, 3)), "at least one value"),
     (np.float32(1), "first axis")],
)
def test_tensors_without_a_signal_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        WeightTensor(np.asarray(values))


def test_one_to_three_tensors(weights):
    for count in (0, 4):
        with pytest.raises(ValueError, match=f"1 to 3 tensors.*got {count}"):
            QuantizationExplorer({str(i): weights for i in range(count)})
    assert len(QuantizationExplorer({"a": weights, "b": weights}).plot.axes) == 2


def test_every_control_changes_picture_words_and_table(weights):
    explorer = QuantizationExplorer({"conv": weights})
    states = []
    for control, value in ((explorer.bits, 4), (explorer.kept, 97.0), (explorer.granularity, True)):
        control.value = value
        states.append((images(explorer), explorer.plot.alt, text_of(explorer._table)))
    for column in zip(*states, strict=True):
        assert len(set(column)) == 3
    result = WeightTensor(weights).quantized(4, 97.0, per_channel=True)
    for text in states[-1][1:]:
        assert f"{result.sqnr_db:.1f}" in text
        assert f"{result.largest_error:#.3g}" in text
    assert "15 values that 4 bits give, one scale per channel, 97 % of the values kept" in explorer.plot.alt


def test_going_back_restores_the_picture(weights):
    explorer = QuantizationExplorer({"conv": weights})
    first = images(explorer)
    explorer.bits.value = 3
    explorer.kept.value = 92.0
    assert images(explorer) != first
    explorer.bits.value = 8
    explorer.kept.value = 100.0
    assert images(explorer) == first


def test_the_picture_shows_each_grid_level_and_what_is_cut_off(weights):
    explorer = QuantizationExplorer({"conv": weights})
    (picture,) = explorer._pictures
    cut, grid = picture.moving
    explorer.bits.value = 3
    x = grid.get_xdata()
    scale = np.abs(weights).max() / 3
    np.testing.assert_allclose(np.unique(x), scale * np.arange(-3, 4), rtol=1e-6, atol=1e-12)
    explorer.kept.value = 95.0
    assert cut.get_data().values.max() >= 1
    explorer.granularity.value = True
    assert len(np.unique(grid.get_xdata())) > 7


def test_a_static_picture_and_the_table_come_along(weights):
    explorer = QuantizationExplorer({"conv": weights})
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "<img alt=" in bundle["text/html"]
    assert "<caption" in bundle["text/html"]
    assert len(bundle["text/html"]) < 60_000


def test_controls_are_labelled(weights):
    explorer = QuantizationExplorer({"conv": weights})
    assert all(control.description for control in (explorer.bits, explorer.kept, explorer.granularity))
