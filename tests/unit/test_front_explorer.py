"""The explorer of variants: what fits and what beats what follow the definitions, and each control is seen."""

from __future__ import annotations

import html

import numpy as np
import pytest
from pictures import cells, controls, is_whole, picture

from pocketlab.compression.front import pareto_front
from pocketlab.ui.front import LATENCY, SIZE, FrontExplorer, Phone, Variant

FLOAT = Variant("float", "float", "as trained", 460_000, 98.0, 200.0)
INT8 = Variant("int8", "quantized", "int8, per channel", 120_000, 98.0, 90.0)
SLOW = Variant("slow int8", "quantized", "int8, one grid", 120_000, 97.0, 95.0)
SMALL = Variant("student", "distilled", "an eighth <of it>", 60_000, 96.5, 30.0)
BAD = Variant("2 bits", "quantized", "2 bits", 40_000, 40.0, 90.0)
VARIANTS = [FLOAT, INT8, SLOW, SMALL, BAD]
WATCH, OLD, NEW = Phone("watch", 64, 50), Phone("old phone", 150, 92), Phone("new phone", 1000, 500)


@pytest.fixture
def explorer():
    return FrontExplorer(VARIANTS, [WATCH, OLD, NEW])


def told(explorer):
    return html.unescape(explorer._told.value)


def test_variants_come_from_the_smallest_to_the_largest(explorer):
    assert list(explorer.variant.options) == ["2 bits", "student", "int8", "slow int8", "float"]
    assert explorer.chosen is BAD
    explorer.variant.value = "int8"
    assert explorer.chosen is INT8


def test_it_says_what_a_variant_is_and_whether_it_fits(explorer):
    explorer.variant.value = "student"
    assert "<b>student</b> (an eighth <of it>): 60.0 kB, accuracy 96.5 %, p90 30.0 µs." in told(explorer)
    assert "It fits watch." in told(explorer)
    assert "&lt;of it&gt;" in explorer._told.value
    explorer.variant.value = "int8"
    assert "It does not fit watch: 56 kB too large and 40 µs too slow." in told(explorer)
    explorer.phone.value = "old phone"
    assert "It fits old phone." in told(explorer)
    explorer.variant.value = "slow int8"
    assert "It does not fit old phone: 3 µs too slow." in told(explorer)


def test_a_budget_includes_its_limit():
    assert Phone("exact", 60, 30).fits(SMALL)
    assert not Phone("short", 59.999, 30).fits(SMALL)
    assert not Phone("fast", 60, 29.999).fits(SMALL)


def test_it_says_what_beats_a_variant(explorer):
    for name in ("int8", "student", "2 bits"):
        explorer.variant.value = name
        assert "No other variant beats it: it is on the Pareto front." in told(explorer)
    explorer.variant.value = "slow int8"
    assert "int8 beats it: 120.0 kB, accuracy 98.0 %, p90 90.0 µs." in told(explorer)
    better = Variant("better", "quantized", "x", 100_000, 98.5, 80.0)
    explorer = FrontExplorer([*VARIANTS, better], [WATCH])
    explorer.variant.value = "slow int8"
    assert "better beats it (2 variants do): 100.0 kB" in told(explorer)


def test_what_beats_a_variant_agrees_with_the_front():
    rng = np.random.default_rng(5)
    costs = rng.integers(1, 6, size=(40, 3))
    variants = [Variant(f"v{i:02}", "f", "r", 1000 * int(a), 100.0 - int(b), float(c)) for i, (a, b, c) in enumerate(costs)]
    explorer = FrontExplorer(variants, [NEW])
    on_front = dict(zip([v.name for v in variants], pareto_front(costs), strict=True))
    for name in explorer.variant.options:
        explorer.variant.value = name
        assert ("No other variant beats it" in told(explorer)) == on_front[name]


def test_each_control_changes_picture_and_words(explorer):
    states = [(picture(explorer), explorer.plot.alt)]
    for control, value in ((explorer.variant, "int8"), (explorer.phone, "old phone"), (explorer.axis, LATENCY)):
        control.value = value
        states.append((picture(explorer), explorer.plot.alt))
    for column in zip(*states, strict=True):
        assert len(set(column)) == len(states)


def test_going_back_restores_the_picture(explorer):
    first = picture(explorer)
    explorer.axis.value, explorer.phone.value, explorer.variant.value = LATENCY, "old phone", "int8"
    assert picture(explorer) != first
    explorer.axis.value, explorer.phone.value, explorer.variant.value = SIZE, "watch", "2 bits"
    assert picture(explorer) == first


def test_the_picture_has_each_variant_once_faint_where_it_does_not_fit(explorer):
    explorer.phone.value = "old phone"
    drawn = explorer._picture
    fitting = {family: line.get_xdata().tolist() for family, line in drawn._fitting.items()}
    faint = {family: line.get_xdata().tolist() for family, line in drawn._faint.items()}
    assert fitting == {"float": [], "quantized": [40.0, 120.0], "distilled": [60.0]}
    assert faint == {"float": [460.0], "quantized": [120.0], "distilled": []}
    assert sorted(drawn._rings.get_xdata()) == [40.0, 60.0, 120.0]
    left, right = drawn._forbidden.get_x(), drawn._forbidden.get_x() + drawn._forbidden.get_width()
    assert left == 150
    assert right >= drawn._axes.get_xlim()[1]
    explorer.axis.value = LATENCY
    assert drawn._fitting["distilled"].get_xdata().tolist() == [30.0]
    assert drawn._forbidden.get_x() == 92
    assert drawn._axes.get_xlabel() == "p90 latency (µs)"
    explorer.variant.value = "int8"
    assert drawn._chosen.get_xdata() == [90.0]
    assert drawn._chosen.get_ydata() == pytest.approx([2.0])  # the error, in %
    explorer.phone.value = "new phone"
    assert drawn._forbidden.get_width() == 0


def test_the_accuracy_axis_is_labelled_with_accuracies_and_rises_upwards(explorer):
    axes = explorer.plot.axes[0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        assert 100 - place == pytest.approx(float(label.get_text()))


def test_a_variant_without_errors_is_drawn_too():
    explorer = FrontExplorer([Variant("perfect", "f", "r", 1, 100.0, 1.0), Variant("worst", "f", "r", 2, 0.0, 1.0)], [NEW])
    assert is_whole(explorer.plot)
    assert "accuracy 100.0 %" in told(explorer)


def test_families_differ_in_color_and_marker(explorer):
    for attribute in ("color", "marker"):
        assert len({style[attribute] for style in explorer._picture._styles.values()}) == 3


def test_the_button_notes_the_choice_for_the_phone(explorer):
    assert explorer.choices == {}
    explorer.variant.value = "student"
    explorer.button.click()
    explorer.phone.value, explorer.variant.value = "new phone", "float"
    explorer.button.click()
    explorer.variant.value = "int8"
    explorer.take()
    assert explorer.choices == {"watch": "student", "new phone": "int8"}
    _, watch, old, new = cells(explorer._table.value)
    assert watch == ["watch", "64.0", "50.0", "student", "60.0", "30.0", "96.5", "yes"]
    assert old == ["old phone", "150.0", "92.0", *["–"] * 5]
    assert new == ["new phone", "1,000.0", "500.0", "int8", "120.0", "90.0", "98.0", "yes"]


def test_what_does_not_fit_can_be_taken_and_is_told(explorer):
    explorer.variant.value = "float"
    explorer.take()
    assert cells(explorer._table.value)[1][-1] == "no"


def test_the_words_say_the_numbers(explorer):
    explorer.phone.value = "old phone"
    assert explorer.plot.alt.startswith(
        "Accuracy against size of 5 variants: 3 on the Pareto front, 3 within the budget of old phone, 150 kB and 92 µs. "
        "Chosen: 2 bits (2 bits): 40.0 kB, accuracy 40.0 %"
    )


def test_three_controls_and_a_button_all_named(explorer):
    from ipywidgets import Button

    assert controls(explorer.widget) == [explorer.phone, explorer.axis, explorer.variant]
    assert all(control.description for control in (*controls(explorer.widget), explorer.button))
    assert isinstance(explorer.button, Button)


@pytest.mark.parametrize("axis", [SIZE, LATENCY])
def test_nothing_is_cut_off(explorer, axis):
    explorer.axis.value = axis
    assert is_whole(explorer.plot)


def test_a_static_picture_the_sentence_and_the_table_come_along(explorer):
    text = explorer._repr_mimebundle_()["text/html"]
    assert "<img alt=" in text
    assert "<b>2 bits</b>" in text
    assert "<caption" in text
    assert len(text) < 60_000


@pytest.mark.parametrize(
    ("variants", "phones", "message"),
    [([], [WATCH], "got 0 and 1"), ([INT8], [], "got 1 and 0"), ([INT8, INT8], [WATCH], "variants.*int8 occurs"),
     ([INT8], [WATCH, WATCH], "phones.*watch occurs"),
     ([Variant(str(i), str(i), "r", 1, 50.0, 1.0) for i in range(8)], [WATCH], "got 8")],
)
def test_what_cannot_be_explored_is_told(variants, phones, message):
    with pytest.raises(ValueError, match=message):
        FrontExplorer(variants, phones)


@pytest.mark.parametrize(
    ("size", "accuracy", "latency"), [(0, 90.0, 1.0), (1, 101.0, 1.0), (1, float("nan"), 1.0), (1, 90.0, float("inf"))]
)
def test_impossible_measurements_are_refused(size, accuracy, latency):
    with pytest.raises(ValueError, match="mine needs a positive size and latency"):
        Variant("mine", "f", "r", size, accuracy, latency)
    with pytest.raises(ValueError, match="watch needs positive budgets"):
        Phone("watch", 64, 0)
