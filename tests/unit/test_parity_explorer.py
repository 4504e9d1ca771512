from __future__ import annotations

import numpy as np
import pytest

from pocketlab.ui.figures import precision_along_program
from pocketlab.ui.parity import ParityExplorer


@pytest.fixture
def explorer():
    reference = np.array([[3.0, -1.0, 0.0], [0.1, 0.2, 0.0]])
    int8 = reference + np.array([[0.0, 0.5, 0.0], [0.2, 0.0, 0.0]])  # the second input's answer changes
    return ParityExplorer(reference, {"float": reference + 1e-6, "int8": int8})


def test_moving_a_control_changes_picture_text_and_table(explorer):
    before = explorer.plot.widget.value
    explorer.runtime.value = "int8"
    explorer.number.value = 1
    assert explorer.plot.widget.value != before
    assert "Input 1" in explorer.plot.alt
    assert "0.2" in explorer.plot.alt
    assert "PyTorch&#x27;s answer is 1" in explorer._table.value
    bars = [bar.get_height() for bar in explorer._scores._runtime]
    assert bars == pytest.approx([0.3, 0.2, 0.0])


def test_the_table_has_each_runtimes_answer_and_difference(explorer):
    explorer.number.value = 1
    text = explorer._table.value
    assert text.count("<tr") == 3
    assert "no" in text  # int8 answers otherwise
    assert "yes" in text


def test_it_shows_itself_as_a_picture_too(explorer):
    bundle = explorer._repr_mimebundle_()
    assert "<img alt=" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_equal_logits_can_be_drawn():
    same = np.zeros((2, 3))
    assert "0" in ParityExplorer(same, {"copy": same}).plot.alt


@pytest.mark.parametrize(
    ("reference", "others", "message"),
    [
        (np.zeros((2, 3)), {}, "at least one runtime"),
        (np.zeros(3), {"a": np.zeros(3)}, r"\(inputs, classes\)"),
        (np.zeros((2, 3)), {"a": np.zeros((2, 4))}, r"a has logits \(2, 4\)"),
    ],
)
def test_what_cannot_be_shown_is_told(reference, others, message):
    with pytest.raises(ValueError, match=message):
        ParityExplorer(reference, others)


def test_precision_along_a_program_says_its_ends_and_its_lowest():
    plot = precision_along_program({"conv": 70.0, "clip": 60.0, "mean": 66.0})
    assert "70 dB after the first" in plot.alt
    assert "66 dB at the output, lowest 60 dB" in plot.alt
    assert [label.get_text() for label in plot.axes[0].get_xticklabels()] == ["conv", "clip", "mean"]
