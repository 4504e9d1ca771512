"""The explorer of levels: its errors are the library's, and its picture and words follow its controls."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import cells, controls, is_whole, picture

from pocketlab.compression.palettization import exact_kmeans, palettize
from pocketlab.compression.quantization import (
    affine_params,
    dequantize,
    quantize,
    rounding_and_clipping,
    sqnr_db,
)
from pocketlab.ui.grids import LEAST_ERROR, PALETTE, TO_THE_LARGEST, GridExplorer, Layer


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(3).standard_t(4, size=(16, 5, 3, 3)).astype(np.float32) / 20


@pytest.fixture
def explorer(weights):
    return GridExplorer({"first": weights, "second": weights[:2] * 3})


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_grid_to_the_largest_weight_is_the_librarys(weights, bits):
    levels = Layer(weights).levels(TO_THE_LARGEST, bits)
    largest = float(np.abs(weights).max())
    scale, zero = affine_params(-largest, largest, bits=bits, symmetric=True)
    restored = dequantize(quantize(weights, scale, zero, bits=bits, narrow_range=True), scale, zero)
    assert len(levels.values) == 2**bits - 1
    assert levels.limit == largest
    assert 0.0 in levels.values
    # `dequantize` returns float32, whose rounding is a 10⁵th of the smallest step here, once for each error.
    assert levels.sqnr_db == pytest.approx(sqnr_db(weights, restored), abs=1e-3)
    assert levels.mean_squared_error == pytest.approx(sum(rounding_and_clipping(weights, largest, bits)))
    assert levels.bits_per_weight == bits + 32 / weights.size


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_no_other_limit_of_the_curve_has_less_error(weights, bits):
    layer = Layer(weights)
    levels = layer.levels(LEAST_ERROR, bits)
    sums = [sum(rounding_and_clipping(weights, layer.largest * percent / 100, bits)) for percent in range(10, 101)]
    assert levels.mean_squared_error == pytest.approx(min(sums))
    assert layer.errors(bits).sum(axis=1) == pytest.approx(sums)


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_a_palette_of_a_small_layer_is_the_librarys(weights, bits):
    levels = Layer(weights).levels(PALETTE, bits)
    whole = palettize(weights, bits)
    np.testing.assert_array_equal(levels.values, exact_kmeans(weights, 2**bits))
    # `weights()` returns float32.
    assert levels.sqnr_db == pytest.approx(sqnr_db(weights, whole.weights()), abs=1e-3)
    assert levels.bits_per_weight == whole.size_bits / weights.size
    assert levels.sqnr_db > Layer(weights).levels(LEAST_ERROR, bits).sqnr_db


def test_a_palette_of_a_large_layer_is_lloyds():
    large = np.random.default_rng(0).normal(size=4097).astype(np.float32)  # times 64 levels: just above the limit
    exact, lloyd = (palettize(large[None].astype(np.float64), 6, method=method) for method in ("exact", "lloyd"))
    np.testing.assert_array_equal(Layer(large).levels(PALETTE, 6).values, lloyd.palettes[0, :, 0])
    np.testing.assert_array_equal(Layer(large[1:]).levels(PALETTE, 6).values, exact_kmeans(large[1:], 64))
    assert not np.array_equal(exact.palettes, lloyd.palettes)


def test_a_layer_of_few_values_needs_no_more_levels():
    layer = Layer(np.array([-1.0, 0.5, 0.5, 2.0]))
    assert layer.levels(PALETTE, 4).values.tolist() == [-1.0, 0.5, 2.0]
    assert layer.levels(PALETTE, 4).mean_squared_error == 0.0
    assert "SQNR inf dB" in GridExplorer({"same": np.full(5, 0.25)}).plot.alt


@pytest.mark.parametrize("values", [np.zeros(4), np.array([1.0, np.nan]), np.empty((0, 3)), np.array([np.inf])])
def test_what_is_no_layer_is_refused(values):
    with pytest.raises(ValueError, match="finite weights, at least one, that are not all zero"):
        Layer(values)
    with pytest.raises(ValueError, match="at least one layer"):
        GridExplorer({})


def test_the_table_has_the_levels_numbers(explorer):
    explorer.bits.value, explorer.kind.value = 3, LEAST_ERROR
    levels = explorer.layers["first"].levels(LEAST_ERROR, 3)
    head, row = cells(explorer._table.value)
    assert head[-2:] == ["SQNR (dB)", "stored (bits per weight)"]
    assert row[:2] == [LEAST_ERROR, "7"]
    assert float(row[2]) == pytest.approx(levels.limit, rel=0.005)  # three digits
    assert float(row[3]) == pytest.approx(levels.mean_squared_error, rel=0.05)  # two, below 0.001
    assert row[4:] == [f"{levels.sqnr_db:.1f}", f"{levels.bits_per_weight:.2f}"]
    assert "first: 720 weights, 3 bits" in explorer._table.value


def test_every_control_changes_picture_words_and_table(explorer):
    states = [(picture(explorer), explorer.plot.alt, explorer._table.value)]
    for control, value in (
        (explorer.bits, 5), (explorer.kind, LEAST_ERROR), (explorer.kind, PALETTE), (explorer.layer, "second"),
    ):
        control.value = value
        states.append((picture(explorer), explorer.plot.alt, explorer._table.value))
    for column in zip(*states, strict=True):
        assert len(set(column)) == len(states)


def test_going_back_restores_the_picture(explorer):
    first = picture(explorer)
    explorer.layer.value = "second"
    explorer.bits.value, explorer.kind.value = 8, PALETTE
    explorer.layer.value = "first"
    assert picture(explorer) != first
    explorer.bits.value, explorer.kind.value = 4, TO_THE_LARGEST
    assert picture(explorer) == first


def test_the_picture_shows_levels_clipped_weights_and_the_point_or_the_palette(explorer, weights):
    left, right = explorer._weights, explorer._error
    explorer.bits.value, explorer.kind.value = 3, LEAST_ERROR
    levels = explorer.layers["first"].levels(LEAST_ERROR, 3)
    np.testing.assert_array_equal(np.unique(left._levels.get_xdata()), levels.values)
    beyond = int((np.abs(weights) > levels.limit).sum())
    drawn = left._clipped.get_data().values
    assert drawn[drawn >= 1].sum() == beyond > 0
    assert right._chosen.get_xdata()[0] == pytest.approx(100 * levels.limit / np.abs(weights).max())
    assert right._chosen.get_ydata() == [levels.mean_squared_error]
    sums, rounding, clipping = (curve.get_ydata() for curve in right._curves)
    np.testing.assert_allclose(sums, rounding + clipping)
    assert right._chosen.get_ydata()[0] == pytest.approx(sums.min())
    explorer.kind.value = PALETTE
    error = explorer.layers["first"].levels(PALETTE, 3).mean_squared_error
    assert right._palette.get_ydata() == [error, error]
    assert len(right._chosen.get_xdata()) == 0
    assert left._clipped.get_data().values.max() < 1


def test_the_words_say_the_numbers(explorer):
    explorer.bits.value, explorer.kind.value = 2, LEAST_ERROR
    layer = explorer.layers["first"]
    levels = layer.levels(LEAST_ERROR, 2)
    clipped = (np.abs(layer.weights) > levels.limit).mean()
    assert "720 weights of first with 3 levels" in explorer.plot.alt
    assert f"±{levels.limit:.3g}, {clipped:.2%} of the weights clipped" in explorer.plot.alt
    assert f"SQNR {levels.sqnr_db:.1f} dB" in explorer.plot.alt
    assert f"at {levels.limit / layer.largest:.0%} of the largest weight" in explorer.plot.alt


def test_three_controls_with_names_and_two_for_a_single_layer(explorer, weights):
    assert controls(explorer.widget) == [explorer.layer, explorer.bits, explorer.kind]
    assert all(control.description for control in controls(explorer.widget))
    single = GridExplorer({"only": weights})
    assert controls(single.widget) == [single.bits, single.kind]


def test_nothing_is_cut_off_whichever_layer_comes_first():
    rng = np.random.default_rng(1)
    explorer = GridExplorer({"tiny": rng.normal(size=9) / 1e4, "large": rng.normal(size=300_000)})
    assert is_whole(explorer.plot)
    explorer.layer.value = "large"
    assert is_whole(explorer.plot)


def test_a_static_picture_and_the_table_come_along(explorer):
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert f'alt="{explorer.plot.alt}"' in bundle["text/html"]
    assert "<caption" in bundle["text/html"]
    assert len(bundle["text/html"]) < 60_000
