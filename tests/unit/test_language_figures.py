"""The figures about language models draw and say the numbers that they are given, and refuse what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pictures import is_whole

from pocketlab.llm.awq import salient_channels
from pocketlab.llm.decoding import TokenTimes
from pocketlab.ui.language import cost_per_token, perplexities, salient, speculation, token_times

RNG = np.random.default_rng(0)
ROWS = [
    ("float", 32, 4.0), ("RTN", 8, 4.1), ("RTN", 2, 310.0), ("RTN", 4, 4.5), ("RTN", 3, 6.0), ("GPTQ", 4, 4.2), ("GPTQ", 2, 20.0),
]  # fmt: skip
RUNS = {"alone": TokenTimes((0.5, 0.75, 1.0)), "with a draft": TokenTimes((0.25, 0.25, 0.375)), "one": TokenTimes((2.0,))}


def labels(plot):
    return [text.get_text() for text in plot.figure.legends[0].get_texts()]


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def told_apart(drawn):
    """Whether lines differ in color, in marker, and in style."""
    return all(
        len(set(values)) == len(drawn)
        for values in ([line.get_color() for line in drawn], [line.get_marker() for line in drawn],
                       [repr(line._dash_pattern) for line in drawn])
    )  # fmt: skip


def named(plot):
    """Whether each axes names both of its axes."""
    return all(axes.get_xlabel() and axes.get_ylabel() for axes in plot.axes)


def test_cost_has_a_line_without_and_one_with_a_cache():
    plot = cost_per_token([16, 64, 256], [10.0, 30.0, 120.0], [5.0, 5.5, 6.0])
    drawn = lines(plot.axes[0])
    assert labels(plot) == ["without a cache", "with a cache"]
    assert drawn["without a cache"].get_xdata().tolist() == [16, 64, 256]
    assert drawn["without a cache"].get_ydata().tolist() == [10, 30, 120]
    assert drawn["with a cache"].get_ydata().tolist() == [5, 5.5, 6]
    assert plot.axes[0].get_ylim()[0] == 0
    assert "without a cache 10 ms at 16, 120 ms at 256" in plot.alt
    assert "At 256 the cache makes it 20 times as fast" in plot.alt
    assert told_apart(list(drawn.values()))
    assert named(plot)
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("positions", "without", "kept", "message"),
    [([1, 2], [1.0], [1.0, 2.0], r"2 positions has one time; got an array \(1,\)"), ([1], [1.0], [1.0], "two positions or more"),
     ([1, 2], [1.0, 0.0], [1.0, 1.0], "positive and finite"), ([1, 2], [1.0, 2.0], [1.0, float("nan")], "positive and finite")],
)  # fmt: skip
def test_costs_that_cannot_be_drawn_are_refused(positions, without, kept, message):
    with pytest.raises(ValueError, match=message):
        cost_per_token(positions, without, kept)


@pytest.mark.parametrize(("channels", "count"), [(384, 4), (1024, 10), (30, 1)])
def test_salient_channels_are_those_of_awq(channels, count):
    x = torch.from_numpy(np.exp(RNG.normal(size=(5, channels))))
    magnitudes = x.abs().mean(0).numpy()
    plot = salient(magnitudes, "down projection")
    drawn = lines(plot.axes[0])
    marked, others = drawn[f"salient 1 % ({count})"], drawn["other channels"]
    assert marked.get_xdata().tolist() == list(range(1, count + 1))
    assert marked.get_ydata().tolist() == magnitudes[salient_channels(x).numpy()].tolist()
    assert np.concatenate([marked.get_ydata(), others.get_ydata()]).tolist() == sorted(magnitudes.tolist(), reverse=True)
    assert set(drawn["median"].get_ydata()) == {np.median(magnitudes)}
    assert marked.get_color() != others.get_color()
    assert marked.get_marker() != others.get_marker()
    assert plot.axes[0].get_yscale() == "log"
    assert f"{channels:,} input channels of down projection" in plot.alt
    assert f"{count} channel{'s are' if count > 1 else ' is'} marked" in plot.alt
    assert named(plot)
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("magnitudes", "message"),
    [(np.ones((2, 3)), r"got an array \(2, 3\)"), (np.ones(1), "two or more"), (np.array([1.0, 0.0]), "positive and finite"),
     (np.array([1.0, np.inf]), "positive and finite")],
)  # fmt: skip
def test_magnitudes_that_cannot_be_drawn_are_refused(magnitudes, message):
    with pytest.raises(ValueError, match=message):
        salient(magnitudes, "x")


def test_perplexity_has_a_line_for_each_method_over_that_of_float():
    plot = perplexities(ROWS)
    (axes,) = plot.axes
    drawn = lines(axes)
    assert labels(plot) == ["RTN", "GPTQ", "float"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["8", "4", "3", "2"]
    assert list(drawn["RTN"].get_xdata()) == [0, 1, 2, 3]
    assert list(drawn["RTN"].get_ydata()) == [4.1, 4.5, 6.0, 310.0]
    assert [list(values) for values in drawn["GPTQ"].get_data()] == [[1, 3], [4.2, 20.0]]
    assert set(drawn["float"].get_ydata()) == {4.0}
    assert axes.get_yscale() == "log"
    assert "the float model has 4" in plot.alt
    assert "RTN: 4.1 in 8 bits, 4.5 in 4 bits, 6 in 3 bits, 310 in 2 bits; GPTQ: 4.2 in 4 bits" in plot.alt
    assert told_apart(list(drawn.values()))
    assert named(plot)
    assert is_whole(plot)


@pytest.mark.parametrize("highest", [4.2, 9.0, 300.0, 1e6])
def test_perplexities_near_and_far_have_numbers_on_their_axis(highest):
    plot = perplexities([("float", 32, 4.0), ("RTN", 4, 4.1), ("RTN", 2, highest)])
    (axes,) = plot.axes
    low, high = axes.get_ylim()
    assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 3
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("rows", "message"),
    [(ROWS[1:], "got 0 and 2"), (ROWS[:1], "got 1 and 0"), ([*ROWS, ROWS[0]], "got 2 and 2"),
     ([*ROWS, ROWS[1]], "RTN in 8 bits comes twice"), ([ROWS[0], *((str(i), 4, 5.0) for i in range(8))], "got 1 and 8"),
     ([*ROWS, ("AWQ", 4, 0.9)], "AWQ in 4 bits has 0.9"),
     ([*ROWS, ("AWQ", 4, float("inf"))], "finite"), ([*ROWS, ("AWQ", 4, float("nan"))], "finite")],
)  # fmt: skip
def test_perplexities_that_cannot_be_drawn_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        perplexities(rows)


def test_speculation_has_passes_against_the_formula_and_the_speed_up_beside():
    plot = speculation([1, 2, 4], [1.7, 2.1, 2.6], [1.75, 2.25, 2.9], [1.2, 1.4, 0.9])
    passes, clock = map(lines, plot.axes)
    assert passes["measured"].get_xdata().tolist() == [1, 2, 4]
    assert passes["measured"].get_ydata().tolist() == [1.7, 2.1, 2.6]
    assert passes["formula, from the measured acceptance"].get_ydata().tolist() == [1.75, 2.25, 2.9]
    assert clock["speed-up, by the clock"].get_ydata().tolist() == [1.2, 1.4, 0.9]
    assert set(clock["without a draft"].get_ydata()) == {1}
    assert "γ = 4: measured 2.60, formula 2.90, 0.90 times as fast" in plot.alt
    assert told_apart(list(passes.values()))
    assert told_apart(list(clock.values()))
    assert [axes.get_xticks().tolist() for axes in plot.axes] == [[1, 2, 4], [1, 2, 4]]
    assert named(plot)
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("columns", "message"),
    [(([], [], [], []), "each of 0 gammas"),
     (([1, 2], [1.0], [1.0, 1.0], [1.0, 1.0]), "2 gammas one positive number is measured"),
     (([1], [1.0], [1.0, 2.0], [1.0]), "is formula"), (([1], [1.0], [1.0], [float("nan")]), "is speed-up"),
     (([1], [0.0], [1.0], [1.0]), "is measured")],
)  # fmt: skip
def test_speculation_that_cannot_be_drawn_is_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        speculation(*columns)


def test_token_times_count_the_tokens_of_each_run():
    plot = token_times(RUNS)
    drawn = plot.axes[0].get_lines()
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in drawn] == [
        ([0.5, 0.75, 1.0], [1, 2, 3]), ([0.25, 0.25, 0.375], [1, 2, 3]), ([2.0], [1]),
    ]  # fmt: skip
    assert labels(plot) == [
        "alone: first after 0.5 s, then 4 tokens/s", "with a draft: first after 0.25 s, then 16 tokens/s", "one: first after 2 s",
    ]  # fmt: skip
    assert "alone: first after 0.5 s, then 4 tokens/s, 3 tokens in all" in plot.alt
    assert told_apart(drawn)
    assert named(plot)
    assert is_whole(plot)


def test_a_long_run_keeps_its_first_marker_and_few_others():
    (line,) = token_times({"x": TokenTimes(tuple(0.1 + i / 50 for i in range(200)))}).axes[0].get_lines()
    assert 5 <= len(range(200)[:: line.get_markevery()]) <= 8


@pytest.mark.parametrize(
    ("series", "message"),
    [({}, "got 0"), ({str(i): TokenTimes((1.0,)) for i in range(8)}, "got 8"), ({"a": TokenTimes(())}, "a has none")],
)
def test_runs_that_cannot_be_drawn_are_refused(series, message):
    with pytest.raises(ValueError, match=message):
        token_times(series)
