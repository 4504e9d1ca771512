"""Training of the shipped models: repeatable, resumable, and it learns."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from pocketlab.data.messages import TASKS
from pocketlab.llm import train
from pocketlab.llm.model import DecoderConfig
from pocketlab.llm.tokenizer import Tokenizer

TINY = train.Recipe(
    DecoderConfig(
        vocab_size=2048, hidden_size=32, intermediate_size=64, layers=1, heads=2, kv_heads=1, head_dim=16, context=512
    ),
    stages=(train.Stage(6), train.Stage(2, hard=1)),
    rows=2,
    muon_rate=0.02,
    adam_rate=6e-3,
    warm_up=2,
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(train.RECIPES, "tiny", TINY)
    monkeypatch.setattr(train, "EVERY", 4)
    monkeypatch.setattr(train, "HELD_OUT_ROWS", 2)


def test_a_stopped_run_goes_on_as_if_nothing_had_been(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train.train("tiny", tmp_path / "whole")
    seen = train.batch
    monkeypatch.setattr(train, "batch", lambda step, *rest, **more: seen(step, *rest, **more) if step < 6 else 1 / 0)
    with pytest.raises(ZeroDivisionError):  # stopped at step 6; the checkpoint is of step 4
        train.train("tiny", tmp_path / "parts")
    monkeypatch.setattr(train, "batch", seen)
    parts = train.train("tiny", tmp_path / "parts")
    for (name, a), (_, b) in zip(whole.named_parameters(), parts.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    lines = [json.loads(line) for line in (tmp_path / "parts/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8]
    assert lines[-1]["tokens"] == 8 * 2 * train.LENGTH
    assert lines[-1]["held_out_perplexity"] < lines[0]["held_out_perplexity"] < 2048


def test_batches_follow_from_the_step_and_held_out_ones_are_others() -> None:
    tokenizer = Tokenizer.load()
    tokens, answers = train.batch(3, 4, tokenizer)
    assert tokens.shape == answers.shape == (4, train.LENGTH + 1)
    for first, second in zip((tokens, answers), train.batch(3, 4, tokenizer), strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(tokens, train.batch(4, 4, tokenizer)[0])
    assert not torch.equal(tokens, train.batch(3, 4, tokenizer, "held_out")[0])


def test_answers_are_marked_from_behind_their_task_to_their_end() -> None:
    tokenizer = Tokenizer.load()
    tokens, answers = (part.flatten().tolist() for part in train.batch(0, 4, tokenizer))
    tasks = {tokenizer.special(f"<|{task}|>") for task in (*TASKS, "answer")} - {tokenizer.special("<|question|>")}
    end = tokenizer.special("<|end|>")
    for place in range(1, len(tokens)):
        begins, ends = answers[place] and not answers[place - 1], answers[place - 1] and not answers[place]
        assert begins == (tokens[place - 1] in tasks)
        assert ends == (tokens[place - 1] == end)


def test_copying_says_everything_twice() -> None:
    rows = train.copying(0, 3, 2048)
    assert rows.shape == (3, train.LENGTH + 1)
    for row in rows.tolist():
        lengths = [n for n in range(4, 41) if row[:n] == row[n : 2 * n]]
        assert lengths
        assert len(set(row[: lengths[0]])) > 1


def test_half_of_the_first_lessons_is_copying_and_counts_in_full() -> None:
    stages = (train.Stage(300), train.Stage(2, hard=1), train.Stage(2, hard=2))
    tokenizer, recipe = Tokenizer.load(), dataclasses.replace(TINY, stages=stages, rows=4)
    tokens, full = train.lesson(0, recipe, tokenizer)
    assert torch.equal(tokens[:2], train.copying(0, 2, tokenizer.vocabulary_size))
    assert full[:2].all()
    documents, answers = train.batch(0, 4, tokenizer)
    assert torch.equal(tokens[2:], documents[2:])
    assert torch.equal(full[2:], answers[2:])
    later = train.lesson(train.COPYING_STEPS, recipe, tokenizer)
    assert torch.equal(later[0], train.batch(train.COPYING_STEPS, 4, tokenizer)[0])
    for step, level in ((300, 1), (302, 2)):
        hard = train.lesson(step, recipe, tokenizer)
        assert torch.equal(hard[0], train.batch(step, 4, tokenizer, hard=level)[0])
        assert not torch.equal(hard[0], train.batch(step, 4, tokenizer, hard=level - 1)[0])


def test_a_token_of_a_text_counts_a_tenth() -> None:
    class Fixed(torch.nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[[2.0, 0.0], [0.0, 1.0]]])

    rows, full = torch.tensor([[0, 1, 0]]), torch.tensor([[True, True, False]])
    losses = [torch.tensor(2.0).exp().add(1).log(), torch.tensor(1.0).exp().add(1).log()]  # −log softmax of the smaller logit
    assert train.loss_of(Fixed(), rows, full).item() == pytest.approx(((losses[0] + 0.1 * losses[1]) / 1.1).item())


def test_the_rate_rises_stays_and_falls_and_in_each_later_stage_falls_again() -> None:
    recipe = dataclasses.replace(TINY, stages=(train.Stage(1000), train.Stage(100), train.Stage(50, share=0.5)), warm_up=20)
    rates = [train.rate_at(step, recipe) for step in range(recipe.steps)]
    assert 0 < rates[0] < 0.01
    assert rates[10] == pytest.approx(0.5, abs=0.01)
    assert rates[30] == rates[700] == rates[1000] == 1.0
    assert rates[875] == rates[1050] == rates[1100] == pytest.approx(0.5)
    assert rates[1125] == pytest.approx(0.25)
    assert all(0 < rates[last] < 0.02 for last in (999, 1099, 1149))


def test_the_recipes_have_the_sizes_that_the_course_states() -> None:
    sizes = {name: sum(p.numel() for p in train.Decoder(r.config).parameters()) for name, r in train.RECIPES.items()}
    assert 14e6 < sizes["target"] < 16e6
    assert 0.5e6 < sizes["draft"] < 0.7e6
