"""Train the two models that ship with the course: `python -m pocketlab.llm.train target --folder build/target`.

A step's documents follow from its number, so a run that was stopped goes on from its last checkpoint as if nothing had been. The
log has a line of JSON for each evaluation: step, tokens seen, loss, perplexity on held-out documents, of all their tokens and of
those in answers alone, seconds.

Texts are made of drawn names, which nothing foretells; a third of all tokens are answers, which follow from the text. With all
tokens counting the same, what can be learned about answers drowns, so a token of a text counts a tenth. An answer is copied out
of its text, and a decoder finds out late how to copy (Olsson et al. 2022, In-context Learning and Induction Heads), so at first
half of the rows are random tokens, said twice.

There are stages. After the first a model copies places, which are many, but knows the few hundred first names and surnames of the
training by heart, and writes one of them where a new one begins alike; and it answers questions about the moment by guessing. The
later ones have the corpus's hard documents, in which neither helps. After spliced names a rare piece is still lost now and then,
such as half of an accented letter; the last stage of the target has invented names.
Source: Jordan et al. 2024 (Muon) for the matrices, AdamW for the rest; Hägele et al. 2024 (Scaling Laws and Compute-Optimal
Training Beyond Fixed Training Durations) for a rate that stays and falls at the end.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pocketlab.data.messages import END, generate
from pocketlab.llm.model import Decoder, DecoderConfig
from pocketlab.llm.tokenizer import Tokenizer

LENGTH = 256  # tokens of a row; documents stand in it one behind the other
EVERY = 50  # steps from one evaluation and checkpoint to the next
HELD_OUT_ROWS = 64
TEXT_WEIGHT = 0.1  # in the loss, of a token that is no answer
COPYING_STEPS = 200  # at the start, in which half of the rows are of copying
FALL = 0.25  # share of the first stage's steps


@dataclass(frozen=True)
class Stage:
    """Steps, the share of the recipe's rates that it begins with, and how hard its documents are (see `messages.generate`)."""

    steps: int
    share: float = 1.0
    hard: int = 0


@dataclass(frozen=True)
class Recipe:
    """A model and how it is trained: the stages, rows in a step, the highest rates of Muon and of AdamW, and warm-up.

    warm_up: in how many steps the rates rise at first.
    """

    config: DecoderConfig
    stages: tuple[Stage, ...]
    rows: int
    muon_rate: float
    adam_rate: float
    warm_up: int

    @property
    def steps(self) -> int:
        """All steps."""
        return sum(stage.steps for stage in self.stages)

    def stage_of(self, step: int) -> tuple[Stage, int]:
        """Return the stage that a step is in, and which step of the stage it is."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        raise ValueError("The step is behind the last stage.")


def _llama(hidden: int, layers: int, heads: int, kv_heads: int, intermediate: int) -> DecoderConfig:
    return DecoderConfig(
        vocab_size=2048, hidden_size=hidden, intermediate_size=intermediate, layers=layers, heads=heads, kv_heads=kv_heads,
        head_dim=hidden // heads, context=512,
    )


RECIPES = {
    "target": Recipe(
        _llama(384, 9, 6, 2, 1024),
        stages=(Stage(1000), Stage(320, hard=1), Stage(240, share=0.5, hard=1), Stage(1200, hard=2)),
        rows=16, muon_rate=0.02, adam_rate=3e-3, warm_up=24,
    ),
    "draft": Recipe(
        _llama(96, 4, 4, 2, 256),
        stages=(Stage(2600), Stage(1000, hard=1)), rows=16, muon_rate=0.02, adam_rate=6e-3, warm_up=80,
    ),
}  # fmt: skip


def batch(
    step: int, rows: int, tokenizer: Tokenizer, split: str = "train", hard: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the rows of a step, (rows, LENGTH + 1) tokens, and which of them are of answers, bool of the same shape.

    They are made of documents that follow from the step's number. hard: as for `pocketlab.data.messages.generate`.
    """
    wanted = rows * (LENGTH + 1)
    tokens: list[int] = []
    answers: list[bool] = []
    for message in generate(wanted, seed=step, split=split, hard=hard):
        prompt, answer = (
            tokenizer.encode(text, allow_special=True) for text in (message.prompt, message.target + END)
        )
        tokens += prompt + answer
        answers += [False] * len(prompt) + [True] * len(answer)
        if len(tokens) >= wanted:
            break
    return torch.tensor(tokens[:wanted]).reshape(rows, -1), torch.tensor(answers[:wanted]).reshape(rows, -1)


def copying(step: int, rows: int, vocabulary_size: int) -> Tensor:
    """Return rows of drawn tokens, (rows, LENGTH + 1): sequences of 4 to 40, each said twice."""
    generator = torch.Generator().manual_seed(step)

    def row() -> list[int]:
        tokens: list[int] = []
        while len(tokens) <= LENGTH:
            length = int(torch.randint(4, 41, (), generator=generator))
            tokens += 2 * torch.randint(vocabulary_size, (length,), generator=generator).tolist()
        return tokens[: LENGTH + 1]

    return torch.tensor([row() for _ in range(rows)])


def lesson(step: int, recipe: Recipe, tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Return the rows of a step and which tokens count in full: those of answers, and all of copying."""
    tokens, answers = batch(step, recipe.rows, tokenizer, hard=recipe.stage_of(step)[0].hard)
    if step < COPYING_STEPS:
        half = recipe.rows // 2
        tokens[:half], answers[:half] = copying(step, half, tokenizer.vocabulary_size), True
    return tokens, answers


def rate_at(step: int, recipe: Recipe) -> float:
    """Return the share of the highest rate that is due.

    In the first stage it rises from nearly 0, then is 1, and falls evenly to 0 at the end. In each later one it falls evenly to 0
    from the start.
    """
    stage, place = recipe.stage_of(step)
    left = 1 - place / stage.steps
    if stage is recipe.stages[0]:
        return stage.share * min(1.0, (step + 0.02) / recipe.warm_up, left / FALL)
    return stage.share * left


def optimizers(model: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside of the blocks, and AdamW for embeddings and normalizations."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and name.startswith("blocks")]
    inside = set(map(id, matrices))
    others = [p for p in model.parameters() if id(p) not in inside]
    return [
        torch.optim.Muon(matrices, lr=recipe.muon_rate, weight_decay=0.01, momentum=0.95),
        torch.optim.AdamW(others, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def losses_of(model: nn.Module, rows: Tensor) -> Tensor:
    """Return the cross entropy of each next token, in nats, (rows, LENGTH)."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(rows[:, :-1])
    return functional.cross_entropy(logits.float().transpose(1, 2), rows[:, 1:], reduction="none")


def loss_of(model: nn.Module, rows: Tensor, full: Tensor) -> Tensor:
    """Return the mean cross entropy in which a token counts in full, or else `TEXT_WEIGHT`; full: bool, shaped as rows."""
    weights = torch.where(full[:, 1:], 1.0, TEXT_WEIGHT)
    return (losses_of(model, rows) * weights).sum() / weights.sum()


@torch.no_grad()
def perplexities(model: nn.Module, rows: Tensor, answers: Tensor) -> tuple[float, float]:
    """Return the perplexity of rows of documents, over all tokens and over those of answers."""
    model.eval()
    losses = torch.cat([losses_of(model, part) for part in rows.split(16)])
    model.train()
    return math.exp(losses.mean()), math.exp(losses[answers[:, 1:]].mean())


def train(name: str, folder: Path, seed: int = 0) -> Decoder:
    """Train a model of `RECIPES` in a folder with its checkpoint and log, from where it was left; return it."""
    recipe, tokenizer = RECIPES[name], Tokenizer.load()
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = Decoder(recipe.config)
    _initialize(model)
    optimizing = optimizers(model, recipe)
    start = _resume(folder / "checkpoint.pt", model, optimizing)
    held_out = batch(0, HELD_OUT_ROWS, tokenizer, "held_out")
    begun, losses = time.monotonic(), []
    for step in range(start, recipe.steps):
        share = rate_at(step, recipe)
        for optimizer, highest in zip(optimizing, (recipe.muon_rate, recipe.adam_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = highest * share
        loss = loss_of(model, *lesson(step, recipe, tokenizer))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizing:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        done = step + 1
        if done % EVERY == 0 or done == recipe.steps:
            of_all, of_answers = perplexities(model, *held_out)
            line = {
                "step": done,
                "tokens": done * recipe.rows * LENGTH,
                "loss": round(sum(losses) / len(losses), 4),
                "held_out_perplexity": round(of_all, 4),
                "answer_perplexity": round(of_answers, 4),
                "seconds": round(time.monotonic() - begun),
            }
            with open(folder / "log.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            _save(folder / "checkpoint.pt", done, model, optimizing)
            begun, losses = time.monotonic(), []
    return model.eval()


def _initialize(model: Decoder) -> None:
    """Small random weights; what adds to the residual stream starts smaller the more layers there are (GPT-2)."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            into_stream = name.endswith(("attention.output.weight", "feed_forward.down.weight"))
            nn.init.normal_(parameter, std=0.02 / (2 * model.config.layers) ** 0.5 if into_stream else 0.02)


def _resume(path: Path, model: nn.Module, optimizing: list[torch.optim.Optimizer]) -> int:
    """Load a checkpoint if there is one; return the number of steps that are done."""
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    for optimizer, state in zip(optimizing, saved["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    return int(saved["step"])


def _save(path: Path, step: int, model: nn.Module, optimizing: list[torch.optim.Optimizer]) -> None:
    """Write beside and rename, so that a run killed while writing keeps the checkpoint before."""
    beside = path.with_suffix(".new")
    torch.save({"step": step, "model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizing]}, beside)
    os.replace(beside, path)


def main() -> None:
    """Read the command line, and train."""
    parser = argparse.ArgumentParser(prog="python -m pocketlab.llm.train", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", choices=sorted(RECIPES))
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    train(arguments.model, arguments.folder)


if __name__ == "__main__":
    main()
