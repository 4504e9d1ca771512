"""What 8, 4, 3 and 2 bits cost in perplexity on text that was not seen, by rounding to nearest, GPTQ and AWQ.

stories: stories260K of llama2.c, on the stories that it drew itself from seed 0 at temperature 1, each up to the BOS that ends
it; calibrated with text from another seed. No other model can be better on such text, but for chance: the loss is all the
quantization's.
target: the model that ships, on held-out documents; calibrated with training documents, few and many: AWQ asks little of them,
a mean for each channel, and GPTQ how all channels go together (Lin et al. 2024, section 5.3).

Only the blocks' weights are quantized. Losses are printed in percent of the float model's perplexity.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from bench.row import Row
from bench.stories import load_stories, of_first_story, perplexity, stories_file, written
from pocketlab.llm.model import Decoder
from pocketlab.llm.shipped import load_shipped
from pocketlab.llm.tokenizer import Tokenizer
from pocketlab.llm.train import batch
from pocketlab.llm.weights import Method, quantize_model

BITS = (8, 4, 3, 2)
METHODS: tuple[Method, ...] = ("rtn", "gptq", "awq")
STORIES, STORY_TOKENS, CALIBRATION_STORIES = 192, 256, 64
HELD_OUT_ROWS, CALIBRATION_ROWS, CALIBRATION_STEP = 64, (4, 32), 10**6  # a step far behind the last one of training


def rows_of(
    name: str, model: Decoder, calibration: Tensor, rows: Tensor, counted: Tensor, group_sizes: tuple[int, ...]
) -> list[Row]:
    torch.set_num_threads(1)
    floating = perplexity(model, rows, counted)
    print(f"{name}: {int(counted[:, 1:].sum()):,} tokens, float perplexity {floating:.4f}")
    table = []
    for group_size in group_sizes:
        for bits in BITS:
            found = {
                method: perplexity(quantize_model(model, method, bits, group_size, calibration).model, rows, counted)
                for method in METHODS
            }
            losses = ", ".join(f"{method} {100 * (value / floating - 1):.2f} %" for method, value in found.items())
            print(f"{name}, {bits} bits in groups of {group_size}, loss: {losses}", flush=True)
            label = f"{name}, AWQ {bits} bits in groups of {group_size}"
            others = {"GPTQ": found["gptq"], "round to nearest": found["rtn"], "float": floating}
            table += [Row(label, "perplexity", found["awq"], theirs, whose) for whose, theirs in others.items()]
    return table


@cache
def stories() -> list[Row]:
    path = stories_file()
    if path is None:
        print("stories260K is left out: $POCKETLAB_DATA has no llama2c/stories260K.bin.")
        return []
    model = load_stories(path)
    rows = written(model, STORIES, STORY_TOKENS, seed=0)
    calibration = written(model, CALIBRATION_STORIES, STORY_TOKENS, seed=1)
    return rows_of("stories260K", model, calibration, rows, of_first_story(rows), (64, 32))


@cache
def target() -> list[Row]:
    tokenizer = Tokenizer.load()
    rows, _ = batch(0, HELD_OUT_ROWS, tokenizer, "held_out")
    counted = torch.ones_like(rows, dtype=torch.bool)
    table = []
    for count in CALIBRATION_ROWS:
        calibration, _ = batch(CALIBRATION_STEP, count, tokenizer)
        name = f"Shipped target, {calibration.numel():,} tokens of calibration"
        table += rows_of(name, load_shipped("target"), calibration, rows, counted, (64,))
    return table


BENCHES = {"stories": stories, "target": target}
