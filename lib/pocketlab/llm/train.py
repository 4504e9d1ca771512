"""Train the two models that ship with the course: `python -m pocketlab.llm.train target --folder build/target`.

A step's documents follow from its number, so a run that was stopped goes on from its last checkpoint as if nothing had been. The
log has a line of JSON for each evaluation: step, tokens seen, loss, perplexity on held-out documents, seconds.
Source: Jordan et al. 2024 (Muon) for the matrices, AdamW for the rest; Hägele et al. 2024 (Scaling Laws and Compute-Optimal
Training Beyond Fixed Training Durations) for a rate that stays and falls at the end.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pocketlab.data.messages import generate
from pocketlab.llm.model import Decoder, DecoderConfig
from pocketlab.llm.tokenizer import Tokenizer

LENGTH = 256  # tokens of a row; documents stand in it one behind the other
EVERY = 100   # steps from one evaluation and checkpoint to the next
HELD_OUT_ROWS = 64
WARM_UP, FALL = 0.02, 0.25  # shares of all steps


@dataclass(frozen=True)
class Recipe:
    """A model and how it is trained: rows in a step, and the highest rates of Muon and of AdamW."""

    config: DecoderConfig
    steps: int
    rows: int
    muon_rate: float
    adam_rate: float


def _llama(hidden: int, layers: int, heads: int, kv_heads: int, intermediate: int) -> DecoderConfig:
    return DecoderConfig(
        vocab_size=2048, hidden_size=hidden, intermediate_size=intermediate, layers=layers, heads=heads, kv_heads=kv_heads,
        head_dim=hidden // heads, context=512,
    )


RECIPES = {
    "target": Recipe(_llama(384, 9, 6, 2, 1024), steps=1600, rows=16, muon_rate=0.02, adam_rate=3e-3),
    "draft": Recipe(_llama(96, 4, 4, 2, 256), steps=4000, rows=16, muon_rate=0.02, adam_rate=6e-3),
}


def batch(step: int, rows: int, tokenizer: Tokenizer, split: str = "train") -> Tensor:
    """Return the rows of a step, (rows, LENGTH + 1) tokens, made of documents that follow from its number."""
    wanted = rows * (LENGTH + 1)
    tokens: list[int] = []
    for message in generate(wanted, seed=step, split=split):
        tokens += tokenizer.encode(message.text, allow_special=True)
        if len(tokens) >= wanted:
            break
    return torch.tensor(tokens[:wanted]).reshape(rows, LENGTH + 1)


def rate_at(step: int, steps: int) -> float:
    """Return the share of the highest rate that is due: rising at first, then 1, and falling evenly to 0 at the end."""
    progress = step / steps
    return min(1.0, progress / WARM_UP + 1 / steps, max(0.0, (1 - progress) / FALL))


def optimizers(model: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside of the blocks, and AdamW for embeddings and normalizations."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and name.startswith("blocks")]
    inside = set(map(id, matrices))
    others = [p for p in model.parameters() if id(p) not in inside]
    return [
        torch.optim.Muon(matrices, lr=recipe.muon_rate, weight_decay=0.01, momentum=0.95),
        torch.optim.AdamW(others, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def loss_of(model: nn.Module, rows: Tensor) -> Tensor:
    """Return the mean cross entropy of each next token, in nats."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(rows[:, :-1])
    return functional.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten())


@torch.no_grad()
def perplexity(model: nn.Module, rows: Tensor) -> float:
    """Return exp of the mean loss on rows of held-out documents."""
    model.eval()
    losses = [loss_of(model, part).item() for part in rows.split(16)]
    model.train()
    return math.exp(sum(losses) / len(losses))


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
    for step, rows in _batches(start, recipe, tokenizer):
        share = rate_at(step, recipe.steps)
        for optimizer, highest in zip(optimizing, (recipe.muon_rate, recipe.adam_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = highest * share
        loss = loss_of(model, rows)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizing:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        done = step + 1
        if done % EVERY == 0 or done == recipe.steps:
            line = {
                "step": done,
                "tokens": done * recipe.rows * LENGTH,
                "loss": round(sum(losses) / len(losses), 4),
                "held_out_perplexity": round(perplexity(model, held_out), 4),
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


def _batches(start: int, recipe: Recipe, tokenizer: Tokenizer) -> Iterator[tuple[int, Tensor]]:
    for step in range(start, recipe.steps):
        yield step, batch(step, recipe.rows, tokenizer)


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
