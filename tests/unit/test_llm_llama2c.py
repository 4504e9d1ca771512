"""Files of llama2.c: a decoder loaded from one computes what run.c computes, step by step; what is damaged is refused."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import llm_networks
import numpy as np
import pytest
import torch

from bench.stories import BOS, OPENING, in_order, load_stories, of_first_story, perplexity, stories_file, written
from pocketlab.errors import ModelFileError
from pocketlab.llm.checkpoints import load_llama2c, save_folder
from pocketlab.llm.gguf_file import pairs_from_halves
from pocketlab.llm.llama2c import halves_from_pairs
from pocketlab.llm.model import DecoderConfig

CLOSE = 1e-5  # as in test_llm_model.py


def llama2c_file(path: Path, *, tied: bool = True) -> tuple[Path, list[int], dict[str, np.ndarray]]:
    """Write random weights as llama2.c's export.py does; return the path, the header and the weights by run.c's names."""
    header = [32, 48, 3, 4, 2, 96 if tied else -96, 64]
    random = np.random.default_rng(0)
    weights = {name: random.normal(0, 0.3, shape).astype("<f4") for name, shape in run_c_shapes(header).items()}
    path.write_bytes(struct.pack("<7i", *header) + b"".join(weight.tobytes() for weight in weights.values()))
    return path, header, weights


def run_c_shapes(header: list[int]) -> dict[str, tuple[int, ...]]:
    """The weights in the order in which run.c's `memory_map_weights` walks over them."""
    dim, hidden, layers, heads, kv_heads, vocabulary, context = header
    kv_dim, pairs = dim * kv_heads // heads, dim // heads // 2
    return {
        **{"tokens": (abs(vocabulary), dim), "rms_att": (layers, dim), "wq": (layers, dim, dim), "wk": (layers, kv_dim, dim)},
        **{"wv": (layers, kv_dim, dim), "wo": (layers, dim, dim), "rms_ffn": (layers, dim), "w1": (layers, hidden, dim)},
        **{"w2": (layers, dim, hidden), "w3": (layers, hidden, dim), "rms_final": (dim,)},
        **{"cosines": (context, pairs), "sines": (context, pairs)},
        **({"wcls": (-vocabulary, dim)} if vocabulary < 0 else {}),
    }


def read_llama2c(path: Path) -> tuple[list[int], dict[str, np.ndarray]]:
    """The header and the weights of a file, by run.c's names."""
    data = path.read_bytes()
    header = list(struct.unpack("<7i", data[:28]))
    shapes = run_c_shapes(header)
    parts = np.split(np.frombuffer(data, "<f4", offset=28), np.cumsum([np.prod(shape) for shape in shapes.values()]))
    return header, {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts[:-1], strict=True)}


def run_c(header: list[int], weights: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """Logits by the steps of run.c's `forward`, in float64: one token after the other, pairs of neighbors turned."""
    dim, _, layers, heads, kv_heads, _, _ = header
    size, group = dim // heads, heads // kv_heads
    keys: list[list[np.ndarray]] = [[] for _ in range(layers)]
    values: list[list[np.ndarray]] = [[] for _ in range(layers)]
    answers = []
    for position, token in enumerate(tokens):
        x = weights["tokens"][token].astype(float)
        for layer in range(layers):
            normal = rms(x, weights["rms_att"][layer])
            q, k = (turned(weights[name][layer] @ normal, size, position) for name in ("wq", "wk"))
            keys[layer].append(k.reshape(kv_heads, size))
            values[layer].append((weights["wv"][layer] @ normal).reshape(kv_heads, size))
            mixed = []
            for head, query in enumerate(q.reshape(heads, size)):
                seen = np.array([key[head // group] for key in keys[layer]])
                weight = np.exp(seen @ query / np.sqrt(size))
                mixed.append(weight / weight.sum() @ np.array([value[head // group] for value in values[layer]]))
            x = x + weights["wo"][layer] @ np.concatenate(mixed)
            normal = rms(x, weights["rms_ffn"][layer])
            gate = weights["w1"][layer] @ normal
            x = x + weights["w2"][layer] @ (gate / (1 + np.exp(-gate)) * (weights["w3"][layer] @ normal))
        answers.append(weights.get("wcls", weights["tokens"]) @ rms(x, weights["rms_final"]))
    return np.array(answers)


def rms(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return weight * x / np.sqrt((x * x).mean() + 1e-5)


def turned(vector: np.ndarray, size: int, position: int) -> np.ndarray:
    result = vector.copy()
    for i in range(0, len(vector), 2):
        angle = position / 10_000 ** ((i % size) / size)
        result[i] = vector[i] * np.cos(angle) - vector[i + 1] * np.sin(angle)
        result[i + 1] = vector[i] * np.sin(angle) + vector[i + 1] * np.cos(angle)
    return result


@pytest.mark.parametrize("tied", [True, False])
def test_a_llama2c_file_computes_what_run_c_computes(tmp_path, tied):
    path, header, weights = llama2c_file(tmp_path / "model.bin", tied=tied)
    model = load_llama2c(path)
    assert model.config.tied_embeddings == tied
    tokens = llm_networks.tokens(1, 20)
    expected = run_c(header, weights, tokens[0].tolist())
    np.testing.assert_allclose(llm_networks.logits(model, tokens)[0].numpy(), expected, rtol=0, atol=CLOSE)


@pytest.fixture(scope="module")
def stories(tmp_path_factory) -> Path:
    """llama2.c's file: the one in POCKETLAB_DATA with its matrices put back in order."""
    given = stories_file()
    if given is None:
        pytest.skip("POCKETLAB_DATA has no llama2c/stories260K.bin")
    path = tmp_path_factory.mktemp("stories") / given.name
    path.write_bytes(in_order(given.read_bytes()))
    return path


def test_trained_stories_compute_what_run_c_computes(stories):
    model = load_llama2c(stories)
    assert model.config == DecoderConfig(512, 64, 172, 5, 8, 4, 8, 512)
    text = [BOS]
    for _ in range(60):  # its own story, greedily
        text.append(int(llm_networks.logits(model, torch.tensor([text]))[0, -1].argmax()))
    # What others have published that it writes: any mistake in the order of weights, pairs or heads makes noise of it.
    assert text[1 : 1 + len(OPENING)] == OPENING
    ours = llm_networks.logits(model, torch.tensor([text]))[0].double()
    # Logits of up to 20 and trained weights of large columns, so float32's noise is a few parts in 10⁶ of them.
    np.testing.assert_allclose(ours.numpy(), run_c(*read_llama2c(stories), text), rtol=0, atol=1e-4)


def test_the_loss_of_text_that_trained_stories_wrote_is_that_of_real_stories(stories):
    # llama2.c's doc/stories260K.md gives 1.2968 nats a token for validation; a model that has learnt how likely tokens are is as
    # surprised by what it draws as by what is real. 6,000 tokens whose losses spread by about 1.5 have a standard error of 0.02,
    # twice that as tokens of a story hang together; 0.15 leaves three of those and how well it is calibrated.
    model = load_llama2c(stories)
    rows = written(model, 32, 200, seed=0)
    assert math.log(perplexity(model, rows, of_first_story(rows))) == pytest.approx(1.2968, abs=0.15)


def test_stories_are_loaded_from_either_order_and_another_model_is_refused(stories, tmp_path):
    given = stories_file()
    assert given is not None
    states = [load_stories(path).state_dict() for path in (stories, given)]
    assert all(torch.equal(weight, states[1][name]) for name, weight in states[0].items())
    with pytest.raises(ValueError, match="does not write the story"):
        load_stories(llama2c_file(tmp_path / "model.bin")[0])


def test_trained_stories_in_a_folder_are_the_same_to_transformers(stories, tmp_path):
    import transformers

    model, tokens = load_llama2c(stories), torch.arange(1, 60)[None]
    network = transformers.AutoModelForCausalLM.from_pretrained(save_folder(model, tmp_path), attn_implementation="eager")
    torch.testing.assert_close(llm_networks.logits(network, tokens), llm_networks.logits(model, tokens), rtol=0, atol=1e-4)


def with_header(path: Path, place: int, number: int) -> None:
    data = bytearray(path.read_bytes())
    data[4 * place : 4 * place + 4] = struct.pack("<i", number)
    path.write_bytes(data)


LLAMA2C_FAULTS = [
    (lambda path: os.truncate(path, 20), "ends within the header of 28 bytes"),
    (lambda path: os.truncate(path, path.stat().st_size - 1), r"has \d+,\d\d\d bytes, and its header asks for \d+,\d\d\d"),
    (lambda path: path.write_bytes(path.read_bytes() + b"1234"), "and its header asks for"),
    (lambda path: with_header(path, 2, 4), "and its header asks for"),
    (lambda path: with_header(path, 0, 0x616B3432), "its header says width 1634415666"),  # the second layout's magic number
    (lambda path: with_header(path, 2, -3), "layers -3"),
    (lambda path: with_header(path, 5, 0), "vocabulary 0"),
    (lambda path: with_header(path, 3, 5), "heads 5"),
    (lambda path: with_header(path, 4, 3), "3 key and value heads cannot serve 4"),
    (lambda path: with_header(path, 10, 0x7FC00000), "embedding holds numbers that are not finite"),
    (lambda path: path.unlink(), "is not there"),
]


@pytest.mark.parametrize(("damage", "message"), LLAMA2C_FAULTS)
def test_a_damaged_llama2c_file_is_refused(tmp_path, damage, message):
    path, _, _ = llama2c_file(tmp_path / "model.bin")
    damage(path)
    with pytest.raises(ModelFileError, match=rf"model\.bin .*{message}"):
        load_llama2c(path)


def test_halves_and_pairs_undo_each_other():
    rows = torch.arange(12.0)[:, None] * torch.ones(1, 5)
    assert halves_from_pairs(rows, 2)[:, 0].tolist() == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]
    assert torch.equal(pairs_from_halves(halves_from_pairs(rows, 2), 2), rows)
