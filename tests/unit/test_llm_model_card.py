"""What the model card says of the shipped files is so."""

from __future__ import annotations

import json

import pytest

from pocketlab.data.messages import generate
from pocketlab.llm import model_card
from pocketlab.llm.shipped import FOLDER, load_shipped
from pocketlab.llm.tokenizer import Tokenizer
from pocketlab.llm.train import RECIPES

CARD = (FOLDER / "README.md").read_text(encoding="utf-8")


def row(label: str) -> list[str]:
    (line,) = (line for line in CARD.splitlines() if line.startswith(f"| {label} "))
    return [cell.strip() for cell in line.split("|")[2:4]]


def test_the_documents_that_are_scored_are_held_out_and_of_one_task() -> None:
    found = list(model_card.held_out("summary", 20))
    assert len(found) == 20
    assert {document.task for document in found} == {"summary"}
    assert set(found) < set(generate(2000, seed=model_card.SEED, split="held_out"))


def test_the_draft_copies_as_the_card_says() -> None:
    """Forty documents of the card's five hundred: within three standard deviations of the share that it states."""
    shares = model_card.exact_match(load_shipped("draft"), Tokenizer.load(), 40)
    stated = float(row("summaries: all exact (%)")[1]) / 100
    assert shares["all"] == pytest.approx(stated, abs=3 * (stated * (1 - stated) / 40) ** 0.5)
    assert shares["all"] <= min(shares[field] for field in model_card.FIELDS)


@pytest.mark.parametrize(("place", "name"), enumerate(("target", "draft")))
def test_sizes_and_the_end_of_training_are_stated(place: int, name: str) -> None:
    model = load_shipped(name)  # type: ignore[arg-type]
    assert row("parameters")[place] == f"{sum(p.numel() for p in model.parameters()):,}"
    assert row("file, 8 bits (MB)")[place] == f"{(FOLDER / f'{name}.safetensors').stat().st_size / 1e6:.2f}"
    lines = [json.loads(line) for line in (FOLDER / f"{name}.log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["step"] == RECIPES[name].steps
    assert lines[-1]["answer_perplexity"] < lines[0]["answer_perplexity"]
    in_8_bits = float(row("perplexity, of their answers alone")[place])
    assert in_8_bits == pytest.approx(lines[-1]["answer_perplexity"], abs=0.01)
