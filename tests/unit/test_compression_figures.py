"""The figures about compression draw and say the numbers that they are given, and refuse what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import is_whole

from pocketlab.ui.compression import (
    accuracy_against_bits,
    error_against_bits,
    histogram_with_levels,
    schedule,
    softened,
    sparsity_masks,
)

SQNR = {"one grid": {2: 1.5, 4: 17.0, 8: 42.0}, "a grid per channel": {8: 45.0, 4: 20.25}, "palette": {2: 10.0}}
ACCURACY = {"one grid": {2: 10.0, 8: 97.5}, "trained": {4: 98.0}}
POINTS = [(0, 0.0, 98.0), (100, 50.0, 90.0), (200, 90.0, 97.0)]
RNG = np.random.default_rng(0)


def labels(plot):
    return [text.get_text() for text in plot.figure.legends[0].get_texts()]


def test_error_has_a_line_for_each_way_and_one_that_rises_by_six_decibels_a_bit():
    plot = error_against_bits(SQNR, "The first layer")
    lines = {line.get_label(): line for line in plot.axes[0].get_lines()}
    assert labels(plot) == [*SQNR, "6 dB per bit"]
    assert lines["a grid per channel"].get_xdata().tolist() == [4, 8]
    assert lines["a grid per channel"].get_ydata().tolist() == [20.25, 45.0]
    x, y = lines["6 dB per bit"].get_data()
    assert np.diff(y) / np.diff(x) == pytest.approx(20 * np.log10(2))
    below = dict(zip(x, y, strict=True))
    assert all(below[bits] < db for values in SQNR.values() for bits, db in values.items())
    assert "The first layer: " in plot.alt
    assert "20.2 dB at 4 bits, 45.0 dB at 8 bits" in plot.alt
    assert is_whole(plot)


def test_ways_differ_in_color_line_and_marker():
    ways = {f"way {i}": {2: float(i), 8: 40.0 + i} for i in range(7)}
    plot = error_against_bits(ways, "x")
    lines = plot.axes[0].get_lines()[:7]
    for values in ([line.get_color() for line in lines], [line.get_marker() for line in lines],
                   [repr(line._dash_pattern) for line in lines]):
        assert len(set(values)) == 7
    assert is_whole(plot)


def test_accuracy_has_the_float_network_as_a_dashed_line():
    plot = accuracy_against_bits(ACCURACY, 98.5)
    lines = {line.get_label(): line for line in plot.axes[0].get_lines()}
    assert labels(plot) == ["float", *ACCURACY]
    assert set(lines["float"].get_ydata()) == {98.5}
    assert lines["float"].get_linestyle() == "--"
    assert lines["one grid"].get_ydata().tolist() == [10.0, 97.5]
    assert "98.5 % of the float network" in plot.alt
    assert "10.0 % at 2 bits" in plot.alt
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("lines", "message"),
    [({}, "got 0"), ({str(i): {2: 1.0} for i in range(8)}, "got 8"), ({"a": {}}, "a has {}"),
     ({"a": {2: float("inf")}}, "finite")],
)
def test_ways_that_cannot_be_drawn_are_refused(lines, message):
    with pytest.raises(ValueError, match=message):
        error_against_bits(lines, "x")
    with pytest.raises(ValueError, match=message):
        accuracy_against_bits(lines, 98.0)


@pytest.mark.parametrize(("value", "whole"), [(0.97, 0.98), (101.0, 98.0), (-1.0, 98.0)])
def test_shares_in_place_of_percent_are_told(value, whole):
    with pytest.raises(ValueError, match="in percent"):
        accuracy_against_bits({"a": {8: value}}, whole)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_masks_are_drawn_at_one_scale_with_their_share_of_zeros(count):
    masks = {"unstructured": RNG.random((300, 128)) > 0.8, "2:4": np.tile([True, False], (256, 64)),
             "channels": np.repeat(np.arange(256) % 4 > 0, 128).reshape(256, 128), "small": np.eye(10, 32) > 0}
    plot = sparsity_masks(dict(list(masks.items())[:count]))
    assert len(plot.axes) == count
    for axes, (name, mask) in zip(plot.axes, masks.items(), strict=False):
        assert axes.get_title() == f"{name}\n{100 * (1 - mask.mean()):.1f} % zeros"
        shown = axes.get_images()[0].get_array()
        np.testing.assert_array_equal(shown, ~mask[:256])  # black, 0, is what stays
        assert f"{name}: {mask.shape[0]} outputs of {mask.shape[1]} inputs" in plot.alt
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in plot.axes}) == 1
    assert plot.axes[0].get_xlabel() == "input"
    assert plot.axes[0].get_ylabel() == "output (first 256 of 300)"
    assert len(plot.html()) < 60_000
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("masks", "message"),
    [({}, "got 0"), ({str(i): np.ones((2, 2), bool) for i in range(5)}, "got 5"),
     ({"a": np.ones((2, 2))}, "a is float64.*weight != 0"), ({"a": np.ones(4, bool)}, r"a is bool \(4,\)")],
)
def test_what_is_no_mask_is_refused(masks, message):
    with pytest.raises(ValueError, match=message):
        sparsity_masks(masks)


def test_a_schedule_shows_both_lines_and_a_letter_for_each_event():
    plot = schedule(POINTS, {200: "learning rate falls", 10: "pruning begins", 12: "warm-up ends"})
    above, below = plot.axes
    assert above.get_lines()[0].get_ydata().tolist() == [0.0, 50.0, 90.0]
    assert below.get_lines()[0].get_ydata().tolist() == [98.0, 90.0, 97.0]
    assert labels(plot) == ["A: pruning begins", "B: warm-up ends", "C: learning rate falls"]
    assert [(t.get_text(), t.xy[0], t.get_ha()) for t in above.texts] == [
        ("A", 10, "right"), ("B", 12, "left"), ("C", 200, "center"),
    ]
    assert "lowest 90.0 %. At step 10: pruning begins. At step 12" in plot.alt
    assert is_whole(plot)


def test_a_schedule_may_have_no_events():
    plot = schedule(POINTS, {})
    assert plot.figure.legends == []
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("points", "events", "message"),
    [([], {}, "two or more"), (POINTS[:1], {}, "two or more"), ([(0, 1), (1, 2)], {}, "two or more"),
     ([(0, 0.0, 98.0), (1, 0.0, 101.0)], {}, "percentages"), ([(0, 0.0, float("nan")), (1, 0.0, 1.0)], {}, "percentages"),
     (POINTS[::-1], {}, "order"), (POINTS, {300: "late"}, "between step 0 and step 200; got one at 300"),
     (POINTS, dict.fromkeys(range(27), "x"), "got 27")],
)
def test_what_is_no_schedule_is_refused(points, events, message):
    with pytest.raises(ValueError, match=message):
        schedule(points, events)


def test_softened_has_the_digit_and_a_bar_for_each_class_and_temperature():
    hard, soft = np.eye(10)[3] * 0.9 + 0.01, np.full(10, 0.1)
    image = np.arange(64).reshape(1, 8, 8)
    plot = softened({"T = 1": hard, "T = 20": soft}, image)
    picture, bars = plot.axes
    np.testing.assert_array_equal(picture.get_images()[0].get_array(), image[0])
    assert [[bar.get_height() for bar in group] for group in bars.containers] == [hard.tolist(), soft.tolist()]
    assert len({group[0].get_hatch() for group in bars.containers}) == 2
    assert labels(plot) == ["T = 1", "T = 20"]
    assert "T = 1: class 3 has 91.0%" in plot.alt
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("probabilities", "image", "message"),
    [({}, np.ones((8, 8)), "got 0"), ({"a": np.ones(10)}, np.ones((8, 8)), "those of a add up to 10"),
     ({"a": np.array([1.5, -0.5])}, np.ones((8, 8)), "not negative"),
     ({"a": np.eye(10)[0], "b": np.eye(9)[0]}, np.ones((8, 8)), r"b has \(9,\)"),
     ({"a": np.eye(10)[0]}, np.ones((2, 8, 8)), r"this one is \(2, 8, 8\)"),
     ({"a": np.full(10, np.nan)}, np.ones((8, 8)), "add up to nan"),
     ({str(i): np.eye(10)[0] for i in range(5)}, np.ones((8, 8)), "got 5")],
)
def test_what_cannot_be_softened_is_refused(probabilities, image, message):
    with pytest.raises(ValueError, match=message):
        softened(probabilities, image)


def test_a_row_of_levels_for_each_set_under_the_histogram():
    weights = RNG.normal(size=(30, 40))
    sets = {"grid, 3 bits": np.linspace(-3, 3, 7), "palette, 2 bits": np.array([-1.0, -0.3, 0.3, 1.0])}
    plot = histogram_with_levels(weights, sets)
    above, below = plot.axes
    assert above.patches[0].get_data().values.sum() == weights.size
    assert [label.get_text() for label in below.get_yticklabels()] == list(sets)
    for row, (marks, levels) in enumerate(zip(below.collections, sets.values(), strict=True)):
        segments = np.array(marks.get_segments())
        np.testing.assert_allclose(segments[:, 0, 0], levels)
        assert set(segments[..., 1].round(2).ravel()) == {row - 0.35, row + 0.35}
    assert above.get_xlim() == below.get_xlim()
    assert "1,200 weights" in plot.alt
    assert "grid, 3 bits: 7 levels from -3 to 3" in plot.alt
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("weights", "levels", "message"),
    [(np.ones(3), {}, "got 0"), (np.ones(3), {str(i): np.ones(1) for i in range(8)}, "got 8"),
     (np.empty(0), {"a": np.ones(1)}, "the weights have"), (np.ones(3), {"a": np.array([np.nan])}, "a have")],
)
def test_levels_that_cannot_be_drawn_are_refused(weights, levels, message):
    with pytest.raises(ValueError, match=message):
        histogram_with_levels(weights, levels)


def test_a_picture_that_is_cut_is_seen():
    plot = histogram_with_levels(np.ones(3), {"a": np.ones(1)})
    plot.figure.text(0.95, 0.5, "a text that runs out of the figure")
    assert not is_whole(plot)
