"""Tables: real headings, escaped text, numbers that line up."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from pocketlab.ui.table import Column, table


def parse(html):
    return ElementTree.fromstring(html)


def body(made):
    return [list(row) for row in made.rows]


def test_html_is_a_table_with_caption_and_scoped_headings():
    made = table([["torch", 12]], ["runtime", Column("p90", "ms")], caption="Latency")
    root = parse(made._repr_html_())
    assert root.tag == "table"
    assert root.find("caption").text == "Latency"
    assert [(th.get("scope"), th.text) for th in root.find("thead/tr")] == [("col", "runtime"), ("col", "p90 (ms)")]
    first, second = root.find("tbody/tr")
    assert (first.tag, first.get("scope"), first.text) == ("th", "row", "torch")
    assert (second.tag, second.text) == ("td", "12")


def test_numbers_are_aligned_right_text_left_wherever_it_is_shown():
    root = parse(table([["torch", 12, "fast"]], ["a", "b", "c"], caption="t").html())
    cells = list(root.find("tbody/tr"))
    assert [cell.get("align") for cell in cells] == ["left", "right", "left"]
    assert ["text-align:right" in cell.get("style") for cell in cells] == [False, True, False]


def test_everything_is_escaped():
    html = table([["<script>", "a&b"]], ["<i>", Column("x", '"u"')], caption="<b>").html()
    assert "<script>" not in html
    assert "<i>" not in html
    assert "<b>" not in html
    assert parse(html).find("tbody/tr/th").text == "<script>"


def test_no_color_is_fixed():
    html = table([["a", 1]], ["x", "y"], caption="t").html()
    assert "color:inherit" in html
    assert "background" not in html


def test_mappings_are_read_by_title():
    made = table([{"b": 2, "a": "one", "unused": 3}], ["a", "b"], caption="t")
    assert body(made) == [["one", "2"]]
    with pytest.raises(ValueError, match="lacks b; it has a"):
        table([{"a": 1}], ["a", "b"], caption="t")


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="3 values for 2 columns"):
        table([[1, 2, 3]], ["a", "b"], caption="t")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (np.int64(7), "7"),
        (0.0, "0"),
        (12.0, "12.0"),
        (99.96, "100"),
        (12345.6, "12,346"),
        (np.float32(0.5), "0.500"),
        (0.00099, "9.9e-04"),
        (-4.1e-8, "-4.1e-08"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (math.nan, "nan"),
        (None, "–"),
        (True, "yes"),
        (np.False_, "no"),
        ("12", "12"),
    ],
)
def test_how_values_are_written(value, text):
    assert body(table([["x", value]], ["a", "b"], caption="t")) == [["x", text]]


def test_fixed_decimals():
    made = table([["x", 1234.5], ["y", 2], ["z", math.inf]], ["a", Column("b", decimals=2)], caption="t")
    assert [row[1] for row in body(made)] == ["1,234.50", "2.00", "∞"]


def test_missing_values_do_not_make_a_column_text():
    assert table([["x", None], ["y", 2]], ["a", "b"], caption="t").numeric == (False, True)
    assert table([["x", None]], ["a", "b"], caption="t").numeric == (False, False)
    assert table([["x", True]], ["a", "b"], caption="t").numeric == (False, False)


def test_plain_text_lines_up():
    made = table([["torch", 5.25], ["LiteRT", 1234]], ["runtime", Column("size", "kB")], caption="Sizes")
    assert repr(made) == (
        "Sizes\n"
        "runtime  size (kB)\n"
        "-------  ---------\n"
        "torch         5.25\n"
        "LiteRT       1,234"
    )
