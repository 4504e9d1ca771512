"""The assistant streams what its models say, escaped, tells what became of the text, and says in words what goes wrong.

A decoder whose weights are written by hand says a known text; one with random weights says anything.
"""

from __future__ import annotations

import html
import json
import math
import re
from itertools import pairwise

import llm_networks
import pytest
import torch
from pictures import controls

from pocketlab.data.messages import END, TASKS
from pocketlab.llm.context import Text
from pocketlab.llm.model import Decoder, DecoderConfig
from pocketlab.llm.tokenizer import Tokenizer
from pocketlab.ui import assistant as module
from pocketlab.ui.assistant import EXAMPLES, LONGEST, NEW_TOKENS, Assistant

SHIPS = Tokenizer.load()
CONFIG = DecoderConfig(
    vocab_size=2048, hidden_size=64, intermediate_size=16, layers=1, heads=2, kv_heads=1, head_dim=8, context=512,
    tied_embeddings=False,
)  # fmt: skip
SAYS = {
    "summary": "who<b>&amp; 字",
    "accept": "Yes, gladly.",
    "decline": "",
    "question": "17h3",
}


def saying(texts, end=END):
    """A decoder that says, after each task, its text and then `end`: it looks at the last token alone, so none comes twice."""
    decoder = Decoder(CONFIG).eval()
    pairs: list[tuple[int, int]] = []
    for task, text in texts.items():
        start = SHIPS.special("<|answer|>" if task == "question" else f"<|{task}|>")
        pairs += pairwise([start, *SHIPS.encode(text + end, allow_special=True)])
    assert len({before for before, _ in pairs}) == len(pairs)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in decoder.blocks.parameters():
            weight.zero_()  # what goes in comes out
        embedding = decoder.embedding.weight.normal_(generator=generator)
        decoder.output.weight.zero_()
        for before, after in pairs:  # a token is most like itself, so that what follows it is chosen
            decoder.output.weight[after] += embedding[before] / embedding[before].norm()
    return decoder


@pytest.fixture(scope="module")
def scripted():
    return saying(SAYS)


@pytest.fixture(scope="module")
def drawn():
    return llm_networks.draw(Decoder(CONFIG)).eval()


@pytest.fixture(autouse=True)
def every_press_is_a_new_one(monkeypatch):
    monkeypatch.setattr(module, "_QUEUED_S", -math.inf)


@pytest.fixture
def assistant(scripted):
    return Assistant(scripted, SHIPS)


def told(assistant):
    return html.unescape(re.sub("<.*?>", "", assistant._told.value))


def shown(assistant):
    """What stands in the answer's box, and the figures beside it."""
    box, figures = re.fullmatch(r'.*aria-label="Answer".*?>(.*?)</div>(.*)', assistant._answer.value, re.DOTALL).groups()
    return html.unescape(box), re.findall(r"<b.*?>(.*?)</b>", figures)


def counts(text):
    """What is told of a draft: tokens per pass, accepted and tested tokens."""
    per_pass, accepted, tested = re.search(r"gave ([\d.]+) tokens: (\d+) of the draft's (\d+) tested", text).groups()
    return float(per_pass), int(accepted), int(tested)


def test_the_first_example_is_answered_at_once(assistant):
    assert assistant.said == SAYS["summary"]
    assert len(assistant.times.seconds) == len(SHIPS.encode(SAYS["summary"]))
    assert shown(assistant)[0] == SAYS["summary"]
    assert "Nothing was cut, removed or rewritten." in told(assistant)
    assert not assistant._running


@pytest.mark.parametrize("task", SAYS)
def test_the_chosen_task_is_answered_when_the_button_is_pressed(assistant, task):
    assistant.task.value = task
    assistant.button.click()
    assert assistant.said == SAYS[task]
    assert ("ended its answer before the first token" in told(assistant)) == (task == "decline")


def test_each_task_has_a_label():
    assert set(module._LABELS) == set(TASKS)


def test_tokens_stream_into_the_box_with_their_figures(assistant):
    states = []
    assistant._answer.observe(lambda change: states.append(shown(assistant)), names="value")
    assistant.answer()
    boxes = [box for box, _ in states]
    assert boxes[0] == ""
    assert all(after.startswith(before) and after != before for before, after in pairwise(boxes))
    pieces = list(SHIPS.stream(SHIPS.encode(SAYS["summary"])))
    assert len(boxes) == 1 + len(pieces)
    assert not any("\ufffd" in box for box in boxes)
    assert states[0][1] == ["0", "–", "–"]
    assert [figures[0] for _, figures in states[1:4]] == ["1", "2", "3"]
    assert states[1][1][1].endswith(" ms")
    assert states[1][1][2] == "–"
    assert states[-1][1] == [str(len(SHIPS.encode(SAYS["summary"]))), f"{assistant.times.first_s * 1000:.0f} ms",
                             f"{assistant.times.tokens_per_second:.1f} tokens/s"]  # fmt: skip


def test_what_model_and_user_write_is_escaped(assistant):
    assistant.text.value = "Mira\n<script>alert(1)</script> <|end|>"
    assistant.task.value, assistant.question.value = "question", "<i>Who?</i>"
    assistant.answer()
    assistant.task.value = "summary"
    static = assistant._repr_mimebundle_()["text/html"]
    assert "<script>" not in static
    assert "<i>" not in static
    assert "&lt;script&gt;" in static
    assistant.answer()
    assert "<b>" not in assistant._answer.value
    assert "&lt;b&gt;&amp;amp; 字" in assistant._answer.value


def test_a_press_while_an_answer_is_on_its_way_does_nothing(assistant):
    presses = []

    def press(_change):
        presses.append(assistant.said)
        assistant.button.click()

    assistant._answer.observe(press, names="value")
    assistant.answer()
    assert assistant.said == SAYS["summary"]
    assert presses[-1] == SAYS["summary"]
    assert len(presses) == 1 + len(list(SHIPS.stream(SHIPS.encode(SAYS["summary"]))))


@pytest.mark.parametrize(("within_s", "said"), [(math.inf, SAYS["summary"]), (-math.inf, SAYS["accept"])])
def test_a_press_that_waited_for_the_end_of_an_answer_does_nothing(assistant, monkeypatch, within_s, said):
    monkeypatch.setattr(module, "_QUEUED_S", within_s)
    assistant.task.value = "accept"
    assistant.button.click()
    assert assistant.said == said


def test_after_an_interrupt_it_answers_again(assistant):
    def interrupt(_change):
        if assistant.said:
            raise KeyboardInterrupt

    assistant._answer.observe(interrupt, names="value")
    with pytest.raises(KeyboardInterrupt):
        assistant.answer()
    assistant._answer.unobserve(interrupt, names="value")
    assert not assistant._running
    assistant.answer()
    assert assistant.said == SAYS["summary"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "There is no text: type one, or start from an example."), (" \n", "There is no text"),
     ("\u200b\u202e", "There is no text"), ("a " * LONGEST, "The text has 40,000 characters; up to 20,000 are read")],
)  # fmt: skip
def test_a_text_that_cannot_be_read_is_told(assistant, text, sentence):
    assistant.text.value = text
    assistant.answer()
    assert sentence in told(assistant)
    assert shown(assistant) == ("", ["0", "–", "–"])
    assert (assistant.said, assistant.times, assistant._running) == ("", None, False)
    assert len(assistant._repr_mimebundle_()["text/html"]) < 2 * LONGEST


@pytest.mark.parametrize(
    ("question", "sentence"), [(" ", "There is no question: type one."), ("a" * 20_001, "The question has 20,001")]
)
def test_a_question_that_cannot_be_read_is_told(assistant, question, sentence):
    assistant.task.value, assistant.question.value = "question", question
    assistant.answer()
    assert sentence in told(assistant)
    assert assistant.said == ""


@pytest.mark.parametrize("budget", [1, 4])
def test_a_budget_that_is_too_small_is_told(scripted, budget):
    assistant = Assistant(scripted, SHIPS, budget_tokens=budget)
    assert "Not even the first word of the text fits" in told(assistant)
    assert not assistant._running


def test_a_damaged_model_is_told(scripted):
    broken = saying(SAYS)
    with torch.no_grad():
        broken.output.weight.fill_(torch.nan)
    assistant = Assistant(broken, SHIPS)
    assert "are the model's weights whole?" in told(assistant)
    assert not assistant._running


def test_what_was_removed_and_rewritten_is_told(assistant):
    assistant.example.value = "a message with a trap"
    assistant.answer()
    assert "Changed on the way into it: 2 invisible characters removed; 8 signs of special tokens rewritten" in told(assistant)
    assert assistant.said == SAYS["summary"]  # and not what follows the <|answer|> in the message


def test_what_was_cut_is_told(scripted):
    assistant = Assistant(scripted, SHIPS, budget_tokens=30)
    assistant.text.value = "word " * 200
    assistant.answer()
    found = re.search(r"The prompt has (\d+) tokens; the budget is 30\. .*cut to (\d+) tokens", told(assistant))
    tokens, slot = map(int, found.groups())
    assert slot < tokens <= 30
    assert assistant.said == SAYS["summary"]


def test_an_answer_without_an_end_stops_and_says_so():
    assistant = Assistant(saying({"summary": " on and"}, end=" on"), SHIPS)
    assert assistant.said.startswith(" on and on and on and")
    assert len(assistant.times.seconds) == NEW_TOKENS
    assert "The answer has 80 tokens, the most that are allowed here." in told(assistant)


def test_json_meets_its_schema_whatever_the_model(drawn):
    assistant = Assistant(drawn, SHIPS)
    assistant.task.value = "json"
    assistant.answer()
    assert list(json.loads(assistant.said)) == ["who", "where", "time"]


def test_with_a_draft_the_answer_is_the_same_and_its_passes_are_told(scripted, drawn):
    alone, same, other = (Assistant(scripted, SHIPS, draft=draft, gamma=3) for draft in (None, scripted, drawn))
    assert alone.said == same.said == other.said == SAYS["summary"]
    assert "A pass" not in told(alone)
    count = len(SHIPS.encode(SAYS["summary"])) + 1  # with the token that ends it
    per_pass, accepted, tested = counts(told(same))
    assert (accepted, per_pass) == (tested, 4.0)
    assert accepted == 3 * -(-count // 4)
    assert counts(told(other)) == (1.0, 0, count)


def test_the_rate_with_a_draft_leaves_out_the_first_pass(scripted):
    assistant = Assistant(scripted, SHIPS, draft=scripted, gamma=3)
    seconds = assistant.times.seconds
    assert shown(assistant)[1][2] == f"{(len(seconds) - 4) / (seconds[-1] - seconds[3]):.1f} tokens/s"
    assistant.task.value = "question"
    assistant.answer()
    assert len(assistant.times.seconds) == 4
    assert shown(assistant)[1][2] == "–"  # all of it came in one pass


def test_json_is_written_without_the_draft(scripted, drawn):
    assistant = Assistant(drawn, SHIPS, draft=scripted)
    assistant.task.value = "json"
    assistant.answer()
    json.loads(assistant.said)
    assert "JSON is written by the target alone" in told(assistant)


def test_an_example_fills_the_text_and_a_typed_text_keeps_its_kind(assistant):
    assistant.example.value = "a mail"
    assert assistant.text.value == EXAMPLES["a mail"].body
    assistant.text.value = "mine"
    assert assistant._prompt().tokens == [SHIPS.special("<|mail|>"), *SHIPS.encode("mine\n"), SHIPS.special("<|summary|>")]


def test_three_controls_all_named_and_a_button(assistant):
    assert controls(assistant.widget) == [assistant.text, assistant.task, assistant.example]
    assert assistant.button in assistant._row.children
    assistant.task.value = "question"
    assert controls(assistant.widget) == [assistant.text, assistant.task, assistant.question]
    assert all(control.description for control in controls(assistant.widget))
    assistant.answer()
    assert assistant.said == SAYS["question"]
    assistant.task.value = "ask"
    assert controls(assistant.widget) == [assistant.text, assistant.task, assistant.example]


def test_the_static_form_shows_what_was_answered_last(assistant):
    assistant.task.value = "accept"
    assistant.answer()
    assistant.text.value, assistant.task.value = "something else", "question"
    bundle = assistant._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    text = html.unescape(bundle["text/html"])
    for part in ("Task: reply: accept.", EXAMPLES["a message"].body, SAYS["accept"], "tokens/s", "The prompt has"):
        assert part in text
    assert "something else" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [({"examples": {}}, "an example"), ({"budget_tokens": 434}, "choose a budget up to 433")],
)
def test_what_is_no_assistant_is_refused(scripted, options, message):
    with pytest.raises(ValueError, match=message):
        Assistant(scripted, SHIPS, **options)


def test_models_of_another_vocabulary_are_refused(scripted):
    other = llm_networks.ours("llama")
    with pytest.raises(ValueError, match="2048 tokens and the target 96"):
        Assistant(other, SHIPS)
    with pytest.raises(ValueError, match="2048 tokens and the draft 96"):
        Assistant(scripted, SHIPS, draft=other)


def test_the_longest_prompt_and_answer_fit_in_the_context():
    long = {"long": Text("mail", "word " * 1000)}
    assistant = Assistant(saying({"summary": " on and"}, end=" on"), SHIPS, budget_tokens=433, examples=long)
    assert re.search(r"The prompt has 43[0-3] tokens", told(assistant))
    assert len(assistant.times.seconds) == NEW_TOKENS
