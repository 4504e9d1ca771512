"""Make what ships out of two training runs: weights in 8 bits, logs, and a model card with what was measured.

`python -m pocketlab.llm.model_card --target build/target --draft build/draft`, with the folders of `pocketlab.llm.train`. All is
measured on the weights in 8 bits, as they ship, and on documents whose names of persons and places the training did not use.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from pocketlab.data.messages import END, Message, generate, score_summary
from pocketlab.llm import train
from pocketlab.llm.decoding import generate as decode
from pocketlab.llm.model import Decoder
from pocketlab.llm.shipped import FOLDER, Name, load_shipped, save_shipped
from pocketlab.llm.tokenizer import Tokenizer

SUMMARIES = 500
SEED = 20  # of the documents that are scored; held out, so no name of a person or a place is in the training
LONGEST = 96  # tokens of an answer
FIELDS = ("person", "place", "time")
SAMPLES = ("summary", "json", "accept", "decline", "ask", "question")


@dataclass(frozen=True)
class Evaluation:
    """A model's figures. exact: the share of summaries with each field letter for letter, and with all three at once."""

    parameters: int
    file_bytes: int
    perplexity: float
    answer_perplexity: float
    exact: dict[str, float]


def held_out(task: str, count: int) -> Iterator[Message]:
    """Return documents with one task that no training has seen."""
    documents = generate(50 * count + 1000, seed=SEED, split="held_out")
    return islice((document for document in documents if document.task == task), count)


def answer(model: Decoder, tokenizer: Tokenizer, message: Message) -> str:
    """Return the greedy answer to a document's task."""
    prompt = tokenizer.encode(message.prompt, allow_special=True)
    return tokenizer.decode(list(decode(model, prompt, new_tokens=LONGEST, stop=(tokenizer.special(END),))))


def exact_match(model: Decoder, tokenizer: Tokenizer, count: int = SUMMARIES) -> dict[str, float]:
    """Return the share of unseen summaries that have the right "person", "place" and "time", and "all" three."""
    scores = [score_summary(answer(model, tokenizer, message), message) for message in held_out("summary", count)]
    shares = {field: sum(score[field] for score in scores) / count for field in FIELDS}
    return shares | {"all": sum(all(score.values()) for score in scores) / count}


def evaluate(name: Name, folder: Path = FOLDER) -> Evaluation:
    """Measure a model that ships."""
    path, tokenizer = folder / f"{name}.safetensors", Tokenizer.load()
    model = load_shipped(name, path)
    of_all, of_answers = train.perplexities(model, *train.batch(0, train.HELD_OUT_ROWS, tokenizer, "held_out"))
    model.eval()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Evaluation(parameters, path.stat().st_size, of_all, of_answers, exact_match(model, tokenizer))


def ship(runs: dict[Name, Path], folder: Path = FOLDER) -> Path:
    """Write the weights, the logs and README.md, the model card, of two runs' folders; return the card's path."""
    found = {}
    for name, run in runs.items():
        model = Decoder(train.RECIPES[name].config)
        model.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["model"])
        save_shipped(model, folder / f"{name}.safetensors")
        shutil.copyfile(run / "log.jsonl", folder / f"{name}.log.jsonl")
        found[name] = evaluate(name, folder)
    card = folder / "README.md"
    card.write_text(_card(found, folder), encoding="utf-8")
    return card


def _card(found: dict[Name, Evaluation], folder: Path) -> str:
    logs = {name: json.loads((folder / f"{name}.log.jsonl").read_text(encoding="utf-8").splitlines()[-1]) for name in found}
    rows = [
        ("parameters", *(f"{e.parameters:,}" for e in found.values())),
        ("file, 8 bits (MB)", *(f"{e.file_bytes / 1e6:.2f}" for e in found.values())),
        ("layers, width, heads, heads of keys", *map(_shape, found)),
        ("training: steps, million tokens", *(f"{log['step']:,}, {log['tokens'] / 1e6:.1f}" for log in logs.values())),
        ("perplexity, held-out documents", *(f"{e.perplexity:.3f}" for e in found.values())),
        ("perplexity, of their answers alone", *(f"{e.answer_perplexity:.3f}" for e in found.values())),
        *(
            (f"summaries: {field} exact (%)", *(f"{100 * e.exact[field]:.1f}" for e in found.values()))
            for field in (*FIELDS, "all")
        ),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in [("", *found), ("---",) * (1 + len(found)), *rows])
    return _TEXT.format(table=table, count=SUMMARIES, samples=_samples(folder))


def _shape(name: str) -> str:
    config = train.RECIPES[name].config
    return f"{config.layers}, {config.hidden_size}, {config.heads}, {config.kv_heads}"


def _samples(folder: Path) -> str:
    tokenizer, model = Tokenizer.load(), load_shipped("target", folder / "target.safetensors")
    parts = []
    for task in SAMPLES:
        message = next(held_out(task, 1))
        said = answer(model, tokenizer, message)
        verdict = "" if said == message.target else f"\n(expected: {message.target})"
        parts.append(f"```\n{message.prompt}\n→ {said}{verdict}\n```")
    return "\n\n".join(parts)


_TEXT = """# Two small language models

A target and a draft, for lab 04: Llama architecture, a vocabulary of 2,048 tokens (`tokenizer.json`), a context of 512. They
sum up messages, notifications, mails, itineraries and reminders, answer questions about them and about a phone's moment, and
write short replies. `pocketlab.llm.shipped` loads them; `pocketlab.llm.train` trained them, and the two logs are its own.

## Data

Documents that `pocketlab.data.messages` makes up, in English; nobody's mail is in them. Names of persons and places come from
lists of which one part is held out: none of the names in the figures below was in the training. The later stages of training have
hard documents, most of whose persons' names are spliced from two or, for the target, invented (see `pocketlab.llm.train`).

## Figures

Measured by `pocketlab.llm.model_card` on the files as they ship. Exact: letter for letter, in {count} unseen documents.

{table}

Perplexity of whole documents counts the drawn names, which nothing foretells; so does that of answers where a reply may be said
in several ways.

## Limits

They know the documents' templates and nothing else: no facts, no other language, no text of another style. A summary copies; it
does not understand. Do not use them for anything but this course.

## Samples of the target

The first held-out document of each task, greedy.

{samples}
"""


def main() -> None:
    """Read the command line, and write what ships."""
    parser = argparse.ArgumentParser(prog="python -m pocketlab.llm.model_card", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--draft", type=Path, required=True)
    arguments = parser.parse_args()
    ship({"target": arguments.target, "draft": arguments.draft})


if __name__ == "__main__":
    main()
