"""The explorer of memory: bars, table and words say what `pocketlab.llm.fit` computes, and each control is seen."""

from __future__ import annotations

import html
from itertools import pairwise

import pytest
from llm_networks import OURS
from pictures import cells, controls, is_whole, picture

from pocketlab.llm.fit import MODELS, PHONES, Phone, fits, longest_context
from pocketlab.ui.fit import BITS, FitExplorer

PARTS = ("weights", "KV cache", "activations", "runtime")


@pytest.fixture(scope="module")
def shared():
    return FitExplorer()


@pytest.fixture
def explorer(shared):
    shared.model.value, shared.bits.value = "Mistral 7B", 4
    shared.context.value = 2048
    return shared


def told(explorer):
    return html.unescape(explorer._told.value)


def ends(explorer, bits):
    """Where the pieces of a bar end, in GB."""
    row = BITS.index(bits)
    bars = [explorer._picture._bars[part][row] for part in PARTS]
    assert bars[0].get_x() == 0
    for left, right in pairwise(bars):
        assert right.get_x() == pytest.approx(left.get_x() + left.get_width())
    return [bar.get_x() + bar.get_width() for bar in bars]


@pytest.mark.parametrize("model", MODELS)
def test_bars_are_the_parts_one_after_the_other(explorer, model):
    explorer.model.value = model
    for bits in BITS:
        parts = fits(MODELS[model], explorer.phone, bits, 2048).parts
        sums = [sum(list(parts.values())[: count + 1]) / 1e9 for count in range(len(PARTS))]
        assert ends(explorer, bits) == pytest.approx(sums)
        assert ends(explorer, bits)[-1] <= explorer.plot.axes[0].get_xlim()[1]


def test_only_the_chosen_bits_are_not_faint(explorer):
    for chosen in BITS:
        explorer.bits.value = chosen
        strong = {bits for row, bits in enumerate(BITS) if explorer._picture._bars["weights"][row].get_alpha() == 1}
        assert strong == {chosen}


def test_lines_mark_what_an_app_may_use_and_the_phone(explorer):
    assert [line.get_xdata()[0] for line in explorer._picture._lines] == [4.0, 8]
    small = FitExplorer(PHONES[0], {"llama": OURS["llama"]})
    assert [line.get_xdata()[0] for line in small._picture._lines] == [2.0, 4]
    assert small.plot.axes[0].get_xlim()[1] > 4


def test_the_table_has_the_numbers_of_every_bar(explorer):
    heading, *rows = cells(explorer._table.value)
    assert heading == ["bits", "weights (GB)", "KV cache (GB)", "activations (GB)", "runtime (GB)", "together (GB)", "fits",
                       "estimate from bandwidth: at most (tokens/s)"]  # fmt: skip
    for bits, row in zip(BITS, rows, strict=True):
        fit = fits(MODELS["Mistral 7B"], explorer.phone, bits, 2048)
        assert row[0] == ("4 (chosen)" if bits == 4 else str(bits))
        assert row[1:6] == [f"{size / 1e9:.2f}" for size in (*fit.parts.values(), fit.total)]
        assert row[6:] == (["yes", f"{fit.tokens_per_second:.1f}"] if fit.fits else ["no", "–"])
    assert [row[6] for row in rows] == ["no", "no", "no", "yes", "yes"]


def test_words_answer_7b_in_4_gb(explorer):
    assert "<b>Mistral 7B</b> in 4 bits with 2,048 tokens: 4.40 of 4.00 GB" in told(explorer)
    assert "of 4.00 GB (weights 3.89, KV cache 0.27, activations 0.04, runtime 0.20). It does not fit: 0.40 GB" in told(explorer)
    assert "No context fits, however short." in told(explorer)
    explorer.bits.value = 3
    speed = fits(MODELS["Mistral 7B"], explorer.phone, 3, 2048).tokens_per_second
    longest = longest_context(MODELS["Mistral 7B"], explorer.phone, 3)
    assert f"about {speed:.1f} tokens/s at most (an estimate from 51.2 GB/s)" in told(explorer)
    assert f"The longest context that fits has {longest:,} tokens." in told(explorer)
    assert "It fits, with 0.48 GB to spare" in told(explorer)
    assert "Chosen: in 3 bits" in explorer.plot.alt
    assert "the 4.00 GB that an app may use on 8 GB phone, another one all its 8 GB" in explorer.plot.alt


def test_each_control_changes_picture_and_words(explorer):
    states = [(picture(explorer), explorer.plot.alt, explorer._table.value)]
    for control, value in ((explorer.bits, 2), (explorer.context, 32_768), (explorer.model, "Gemma 2 2B")):
        control.value = value
        states.append((picture(explorer), explorer.plot.alt, explorer._table.value))
    for column in zip(*states, strict=True):
        assert len(set(column)) == len(states)


def test_going_back_restores_the_picture(explorer):
    first = picture(explorer)
    explorer.model.value, explorer.bits.value, explorer.context.value = "Llama 3.2 1B", 16, 131_072
    assert picture(explorer) != first
    explorer.model.value, explorer.bits.value, explorer.context.value = "Mistral 7B", 4, 2048
    assert picture(explorer) == first


def test_contexts_go_up_to_the_models_own_and_the_choice_is_kept_where_it_can_be(explorer):
    def offered():
        return [value for _, value in explorer.context.options]

    explorer.model.value = "Llama 3.2 1B"
    assert offered() == [256 << step for step in range(10)]
    assert explorer.context.value == 2048
    explorer.context.value = 131_072
    explorer.model.value = "Mistral 7B"
    assert (offered()[-1], explorer.context.value) == (32_768, 32_768)
    explorer.model.value = "Gemma 2 2B"
    assert (offered()[-1], explorer.context.value) == (8192, 8192)
    explorer.context.value = 512
    assert "with 512 tokens" in told(explorer)


@pytest.mark.parametrize("context", [100, 256, 300])
def test_a_model_with_a_short_context_can_be_shown(context):
    config = OURS["llama"].__class__(**{**OURS["llama"].__dict__, "context": context})
    explorer = FitExplorer(models={"mine": config})
    assert [value for _, value in explorer.context.options] == ([256, 300] if context == 300 else [context])
    assert explorer.context.value == context


def test_three_controls_all_named(explorer):
    assert controls(explorer.widget) == [explorer.model, explorer.bits, explorer.context]
    assert all(control.description for control in controls(explorer.widget))


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_cut_off(explorer, model):
    explorer.model.value = model
    assert is_whole(explorer.plot)


def test_parts_differ_in_color_and_in_hatching(explorer):
    bars = [bars[0] for bars in explorer._picture._bars.values()]
    assert len({bar.get_facecolor()[:3] for bar in bars}) == len({bar.get_hatch() for bar in bars}) == len(PARTS)


def test_a_static_picture_the_sentence_and_the_table_come_along(explorer):
    text = explorer._repr_mimebundle_()["text/html"]
    assert "<img alt=" in text
    assert "<b>Mistral 7B</b>" in text
    assert "<caption" in text
    assert len(text) < 60_000


def test_names_are_escaped():
    explorer = FitExplorer(Phone("<phone>", 4, 1.0, 10), {"<mine>": OURS["llama"]})
    assert "<mine>" not in explorer._told.value + explorer._table.value
    assert "&lt;phone&gt;" in explorer._table.value


def test_without_a_model_there_is_nothing_to_explore():
    with pytest.raises(ValueError, match="at least one model"):
        FitExplorer(models={})
