"""The partition explorer: what its picture and table say is what the library computes."""

from __future__ import annotations

import re

import pytest

from pocketlab.runtimes.delegates import estimate_cost, keep_largest
from pocketlab.ui.delegates import PartitionExplorer

OPERATORS = ["CONV_2D", "DEPTHWISE_CONV_2D", "GATHER", "CONV_2D", "MEAN", "FULLY_CONNECTED"]
CPU = {"CONV_2D": 4.0, "DEPTHWISE_CONV_2D": 3.0, "GATHER": 0.5, "MEAN": 0.25, "FULLY_CONNECTED": 1.0}
DELEGATE = {name: ms / 10 for name, ms in CPU.items()}


@pytest.fixture
def explorer():
    return PartitionExplorer(OPERATORS, cpu_ms=CPU, delegate_ms=DELEGATE, delegated=["CONV_2D", "DEPTHWISE_CONV_2D"])


def cells(explorer: PartitionExplorer) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", explorer._table.value)
    return [[re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def picture(explorer: PartitionExplorer) -> bytes:
    return explorer.plot.widget.value


def test_table_holds_the_librarys_numbers(explorer):
    supported = [name in ("CONV_2D", "DEPTHWISE_CONV_2D") for name in OPERATORS]
    split = estimate_cost(OPERATORS, supported, cpu_ms=CPU, delegate_ms=DELEGATE, copy_ms=explorer.copy_ms.value)
    head, alone, delegated = cells(explorer)
    assert [head[0], head[-1]] == ["one run", "total (ms)"]
    assert alone == ["CPU alone", "0", "0", "12.75", "0.00", "0.00", "12.75"]
    numbers = [split.cpu_ms, split.delegate_ms, split.copy_ms, split.total_ms]
    assert delegated == ["with the delegate", "2", "4", *(f"{n:.2f}" for n in numbers)]


def test_it_says_that_it_estimates(explorer):
    assert "estimate, not a measurement" in explorer._table.value
    assert "assumed" not in explorer._table.value
    assert "Estimated" in explorer.plot.alt
    assert "assumed" in PartitionExplorer(OPERATORS)._table.value


def test_all_is_delegated_unless_said_otherwise():
    assert cells(PartitionExplorer(OPERATORS))[2][1:3] == ["1", "2"]


@pytest.mark.parametrize(
    ("control", "value"), [("taken", ("CONV_2D",)), ("copy_ms", 3.0), ("smallest", 2)], ids=lambda x: str(x)
)
def test_each_control_changes_picture_table_and_words(explorer, control, value):
    before = picture(explorer), explorer._table.value, explorer.plot.alt
    getattr(explorer, control).value = value
    after = picture(explorer), explorer._table.value, explorer.plot.alt
    assert all(a != b for a, b in zip(before, after, strict=True))


def test_small_partitions_go_back_to_the_cpu(explorer):
    explorer.smallest.value = 2
    supported = keep_largest([name.endswith("CONV_2D") for name in OPERATORS], min_nodes_per_partition=2)
    assert explorer.plot.alt.startswith(f"{sum(supported)} of 6 operators run on the delegate in 1 partitions")


def test_nothing_taken_is_the_cpu_alone(explorer):
    explorer.taken.value = ()
    _, alone, delegated = cells(explorer)
    assert delegated[1:] == alone[1:]


def test_three_controls_that_the_keyboard_reaches(explorer):
    from ipywidgets import FloatSlider, IntSlider, SelectMultiple, Widget

    def inside(widget: Widget) -> list[Widget]:
        return [widget, *(w for child in getattr(widget, "children", ()) for w in inside(child))]

    controls = [w for w in inside(explorer.widget) if isinstance(w, FloatSlider | IntSlider | SelectMultiple)]
    assert len(controls) == 3
    assert all(control.description for control in controls)


def test_a_viewer_without_widgets_gets_the_picture_with_words_and_the_table(explorer):
    html = explorer._repr_mimebundle_()["text/html"]
    assert f'alt="{explorer.plot.alt}"' in html
    assert "<caption" in html


def test_a_long_model_is_drawn_too():
    assert PartitionExplorer(["CONV_2D", "RELU6"] * 60).plot.png().startswith(b"\x89PNG")


def test_needs_operators_and_their_times():
    with pytest.raises(ValueError, match="at least one"):
        PartitionExplorer([])
    with pytest.raises(ValueError, match="MEAN has no time on the CPU"):
        PartitionExplorer(["MEAN"], cpu_ms={}, delegate_ms={"MEAN": 1.0})
