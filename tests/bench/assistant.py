"""The shipped language models: speculative decoding, the time to a first token, memory, and tokens/s beside llama.cpp.

One thread throughout. llama.cpp takes part where its Python package is installed, which compiles for some minutes:
`pip install llama-cpp-python`. It gets the target's weights as GGUF, which its own quantizer takes to Q4_0.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import compress, islice, repeat
from pathlib import Path

import torch
from scipy.stats import chisquare

from bench.row import Row
from pocketlab.data.messages import END, Message
from pocketlab.data.messages import generate as documents
from pocketlab.llm.cache import KeyValueCache
from pocketlab.llm.checkpoints import export_gguf
from pocketlab.llm.decoding import Sampling, generate, probabilities, timed
from pocketlab.llm.model import Decoder
from pocketlab.llm.packed import pack_model
from pocketlab.llm.shipped import load_shipped
from pocketlab.llm.speculative import ModelDraft, Speculation, expected_tokens_per_pass
from pocketlab.llm.tokenizer import SHIPPED, Tokenizer
from pocketlab.llm.train import batch
from pocketlab.llm.weights import quantize_model
from pocketlab.operations.latency import latency_percentiles

PROMPTS, DRAWS, NEW_TOKENS = 200, 20_000, 64
GAMMAS = (4, 6, 8)
GROUP_SIZE = 64
ROUNDS = 9


def models() -> tuple[Decoder, Decoder, Decoder, Tokenizer]:
    """The target, its 4-bit form, the draft."""
    torch.set_num_threads(1)
    tokenizer, target = Tokenizer.load(), load_shipped("target")
    calibration = batch(1_000_000, 8, tokenizer)[0][:, :-1]
    packed = pack_model(quantize_model(target, "awq", 4, GROUP_SIZE, calibration))
    return target, packed, load_shipped("draft"), tokenizer


def unseen(count: int, tasks: tuple[str, ...] = ("summary", "json", "question", "accept")) -> list[Message]:
    return list(islice((m for m in documents(1000 + 20 * count, seed=31, split="held_out") if m.task in tasks), count))


def speculative() -> list[Row]:
    """Time includes the prompt, which no draft makes shorter, so answers of many tokens, summaries and JSON, also stand alone.

    In 4 bits a text can differ where two tokens are equally probable up to rounding: sums of the kernel depend, in the last
    digits of bfloat16, on how many rows it is given.
    """
    target, packed, draft, tokenizer = models()
    messages, end = unseen(PROMPTS), tokenizer.special(END)
    prompts = [tokenizer.encode(m.prompt, allow_special=True) for m in messages]
    long = [m.task in ("summary", "json") for m in messages]
    rows = []
    for name, model in (("float32", target), ("4 bits", packed)):
        plain, plain_seconds = texts(prompts, lambda p, m=model: generate(m, p, new_tokens=NEW_TOKENS, stop=(end,)))
        for gamma in GAMMAS:
            runs: list[Speculation] = []

            def speculate(p: list[int], m: Decoder = model, g: int = gamma, runs: list[Speculation] = runs) -> Speculation:
                runs.append(Speculation(m, ModelDraft(draft), p, gamma=g, new_tokens=NEW_TOKENS, stop=(end,)))
                return runs[-1]

            answers, seconds = texts(prompts, speculate)
            found = [run.statistics for run in runs]
            accepted, tested, passes = (sum(getattr(s, what) for s in found) for what in ("accepted", "tested", "target_passes"))
            alpha = accepted / tested
            label = f"speculation, {name}, γ = {gamma}"
            faster = [sum(compress(plain_seconds, w)) / sum(compress(seconds, w)) for w in (repeat(True), long)]
            alike = sum(a == b for a, b in zip(answers, plain, strict=True))
            rows += [
                Row(f"{label}: time of all texts", "of 1", 1 / faster[0], 1, "no draft"),
                Row(f"{label}: time of summaries and JSON", "of 1", 1 / faster[1], 1, "no draft"),
                Row(f"{label}: texts that are the same", "texts", alike, PROMPTS, "no draft"),
                Row(f"{label}: tokens per pass at α = {alpha:.3f}", "tokens", (accepted + passes) / passes,
                    expected_tokens_per_pass(alpha, gamma), "formula"),
            ]  # fmt: skip
    return rows


def texts(prompts: list[list[int]], run: Callable[[list[int]], object]) -> tuple[list[list[int]], list[float]]:
    answers, seconds = [], []
    for prompt in prompts:
        begun = time.perf_counter()
        answers.append(list(run(prompt)))
        seconds.append(time.perf_counter() - begun)
    return answers, seconds


def drawn() -> list[Row]:
    """Chi-squared of the first token of a reply, drawn with the shipped draft, against the target's own probabilities."""
    target, _, draft, tokenizer = models()
    prompt = tokenizer.encode(unseen(1, ("decline",))[0].prompt, allow_special=True)
    sampling, generator = Sampling(temperature=1.5), torch.Generator().manual_seed(0)
    cache = KeyValueCache(target.config)
    with torch.inference_mode():
        p = probabilities(target(torch.tensor([prompt]), cache, last_only=True)[0, -1], sampling)
    helper, counts = ModelDraft(draft, sampling), torch.zeros_like(p)
    for _ in range(DRAWS):
        cache.truncate(len(prompt) - 1)
        run = Speculation(target, helper, prompt, gamma=2, new_tokens=3, sampling=sampling, cache=cache, generator=generator)
        counts[next(run)] += 1
    frequent = p * DRAWS >= 5  # the rest together is one more cell
    expected = torch.cat([p[frequent], p[~frequent].sum()[None]]).double() * DRAWS
    observed = torch.cat([counts[frequent], counts[~frequent].sum()[None]]).double()
    value = chisquare(observed, expected * observed.sum() / expected.sum()).pvalue
    return [Row(f"speculation drawn: p-value of {DRAWS:,} draws in {len(observed)} cells", "", value, 1e-3, "refused below")]


def first_token() -> list[Row]:
    target, packed, _, tokenizer = models()
    prompt = (tokenizer.encode(" ".join(m.text for m in unseen(20)), allow_special=True))[:200]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        for model, seconds in ((packed, ours), (target, theirs)):
            seconds.append(timed(generate(model, prompt, new_tokens=1))[1].first_s)
    percentiles = zip(("median", "p90"), latency_percentiles(ours, 1), latency_percentiles(theirs, 1), strict=True)
    return [Row(f"first token of a 200-token prompt, 4 bits, {w}", "ms", a, b, "float32") for w, a, b in percentiles]


_CHILD = """
import resource
from bench.assistant import models, unseen
from pocketlab.llm.context import Text, build_prompt
from pocketlab.llm.speculative import ModelDraft, Speculation
_, packed, draft, tokenizer = models()
prompt = build_prompt("summary", tokenizer, 256, text=Text("message", unseen(1)[0].prompt)).tokens
print(len(list(Speculation(packed, ModelDraft(draft), prompt, gamma=4, new_tokens=64))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if __import__("sys").platform == "linux" else 1e9))
"""


def memory() -> list[Row]:
    """The peak of a process that quantizes and packs the target, loads the draft, and answers."""
    here = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", _CHILD], cwd=here, capture_output=True, text=True, check=True)
    return [Row("the whole assistant: memory at its peak", "GB", float(done.stdout.split()[-1]), 1.0, "the limit")]


def llama_cpp() -> list[Row]:
    try:
        import llama_cpp as peer
    except ImportError:
        print("llama.cpp is left out: its Python package is not installed (pip install llama-cpp-python).")
        return []
    target, packed, draft, tokenizer = models()
    prompts, end = [tokenizer.encode(m.prompt, allow_special=True) for m in unseen(20, ("summary",))], tokenizer.special(END)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "whole.gguf"), Path(folder, "q4_0.gguf")
        export_gguf(target, SHIPPED, whole, name="target", dtype="float32", eos=END)
        options = peer.llama_model_quantize_default_params()
        options.ftype, options.nthread = peer.LLAMA_FTYPE_MOSTLY_Q4_0, 1
        if peer.llama_model_quantize(str(whole).encode(), str(small).encode(), options):
            raise RuntimeError("llama.cpp could not quantize the target.")
        llama = peer.Llama(str(small), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)

        def theirs(prompt: list[int], count: int) -> list[int]:
            llama.reset()
            return list(islice(llama.generate(prompt, temp=0.0), count))

        def ours(prompt: list[int], count: int) -> list[int]:
            return list(generate(packed, prompt, new_tokens=count))

        def guessed(prompt: list[int], count: int) -> list[int]:
            return list(Speculation(packed, ModelDraft(draft), prompt, gamma=4, new_tokens=count))

        seconds: dict[str, list[float]] = {"theirs": [], "ours": [], "guessed": []}
        alike = 0
        for prompt in prompts:  # in turn, so that other work on the machine slows all of them
            count = len(list(generate(packed, prompt, new_tokens=NEW_TOKENS, stop=(end,))))
            answers = []
            for name, run in (("theirs", theirs), ("ours", ours), ("guessed", guessed)):
                begun = time.perf_counter()
                answers.append(run(prompt, count))
                seconds[name].append((time.perf_counter() - begun) / count)
            alike += answers[0] == answers[1]
    print(f"llama.cpp {peer.__version__}: {alike} of {len(prompts)} texts are the same as ours, to the last token")
    rows = []
    for label, name in (("4 bits", "ours"), ("4 bits and the draft", "guessed")):
        percentiles = zip(
            ("median", "p90"), latency_percentiles(seconds[name], 1), latency_percentiles(seconds["theirs"], 1), strict=True
        )
        rows += [Row(f"{label}: a token of an answer, prompt included, {w}", "ms", a, b, "llama.cpp") for w, a, b in percentiles]
    return rows


BENCHES = {
    "speculative": speculative,
    "drawn": drawn,
    "first_token": first_token,
    "memory": memory,
    "llama_cpp": llama_cpp,
}
