"""GGUF: every tensor, size and token read back; the same logits in `transformers`; what llama.cpp would get wrong is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import llm_networks
import numpy as np
import pytest
import tokenizers
import torch
from llm_networks import OURS

from pocketlab.data.messages import generate
from pocketlab.errors import ModelFileError
from pocketlab.llm.checkpoints import export_gguf
from pocketlab.llm.model import Decoder
from pocketlab.llm.tokenizer import SHIPPED

CLOSE = 1e-5  # as in test_llm_model.py


@pytest.fixture(scope="module")
def tokenizer_json(tmp_path_factory) -> Path:
    """A byte-level BPE tokenizer with 90 tokens: fewer than rows of the embedding."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = [tokenizers.AddedToken("<|end|>", special=True), tokenizers.AddedToken("<|reply|>", special=True)]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=90, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(["the train to the station leaves at ten", "then the other train"] * 9, trainer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def field(reader: gguf.GGUFReader, key: str) -> Any:
    return reader.get_field(key).contents()


@pytest.mark.parametrize("kind", ["llama", "llama3"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_gguf_holds_every_tensor_and_all_sizes(tmp_path, kind, dtype):
    model = llm_networks.ours(kind)
    reader = gguf.GGUFReader(export_gguf(model, None, tmp_path / "a.gguf", name="A small one", dtype=dtype))
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    state = {name: weight.numpy() for name, weight in model.state_dict().items()}
    inner = {
        **{"attn_norm": "attention_norm", "attn_v": "attention.value", "attn_output": "attention.output"},
        **{"ffn_norm": "feed_forward_norm", "ffn_gate": "feed_forward.gate", "ffn_up": "feed_forward.up"},
        "ffn_down": "feed_forward.down",
    }
    expected = {"token_embd.weight": state["embedding.weight"], "output_norm.weight": state["norm.weight"]}
    for layer in range(3):
        expected |= {f"blk.{layer}.{theirs}.weight": state[f"blocks.{layer}.{ours}.weight"] for theirs, ours in inner.items()}
        # As convert_hf_to_gguf.py, LlamaModel.permute, in NumPy.
        for theirs, ours, heads in (("attn_q", "query", 4), ("attn_k", "key", 2)):
            weight = state[f"blocks.{layer}.attention.{ours}.weight"]
            rows = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2)
            expected[f"blk.{layer}.{theirs}.weight"] = rows.reshape(weight.shape)
    if kind == "llama":
        expected["output.weight"] = state["output.weight"]
    else:
        # The same file's set of factors: 1 for pairs that turn 4 times in 32 positions, 8 for those that turn less than once.
        factors = tensors.pop("rope_freqs.weight")
        np.testing.assert_allclose(500.0 ** (-np.arange(4) / 4) / factors, model.frequencies.numpy(), rtol=1e-6)
    assert set(tensors) == set(expected)
    for name, array in expected.items():
        wanted = np.float32 if array.ndim == 1 else np.dtype(dtype)
        assert tensors[name].dtype == wanted
        np.testing.assert_array_equal(tensors[name], array.astype(wanted))
    said = {
        **{"general.architecture": "llama", "general.name": "A small one", "general.file_type": int(dtype == "float16")},
        **{"llama.context_length": 128, "llama.embedding_length": 32, "llama.block_count": 3, "llama.feed_forward_length": 48},
        **{"llama.attention.head_count": 4, "llama.attention.head_count_kv": 2, "llama.attention.key_length": 8},
        **{"llama.attention.value_length": 8, "llama.rope.dimension_count": 8, "llama.vocab_size": 96},
        **{"llama.rope.freq_base": 500.0 if kind == "llama3" else 10_000.0, "tokenizer.ggml.model": "none"},
        "llama.attention.layer_norm_rms_epsilon": float(np.float32(1e-5)),
    }
    assert {key: field(reader, key) for key in said} == said


def test_gguf_is_read_by_transformers_with_equal_logits(tmp_path, tokenizer_json):
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    model, tokens = llm_networks.ours("llama"), llm_networks.tokens(1, 40)
    path = str(export_gguf(model, tokenizer_json, tmp_path / "a.gguf", name="a", dtype="float32", eos="<|end|>"))
    network = LlamaForCausalLM(LlamaConfig(**load_gguf_checkpoint(path)["config"], attn_implementation="eager")).eval()
    read = load_gguf_checkpoint(path, return_tensors=True, model_to_load=network)
    network.load_state_dict(read["tensors"])  # strict: every tensor, and no other
    torch.testing.assert_close(llm_networks.logits(network, tokens), llm_networks.logits(model, tokens), rtol=0, atol=CLOSE)
    assert read["config"]["eos_token_id"] == 0


def test_words_as_llama_cpp_cuts_them_give_the_same_tokens_but_for_runs_of_spaces():
    ours = tokenizers.Tokenizer.from_file(str(SHIPPED))
    theirs = tokenizers.Tokenizer.from_file(str(SHIPPED))
    # llama.cpp, llama-vocab.cpp, LLAMA_VOCAB_PRE_TYPE_QWEN2.
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    pieces = tokenizers.pre_tokenizers
    theirs.pre_tokenizer = pieces.Sequence(
        [pieces.Split(tokenizers.Regex(pattern), "isolated"), pieces.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    texts = [message.text for message in generate(400, seed=5, split="held_out")]
    assert [ours.encode(text).ids for text in texts] == [theirs.encode(text).ids for text in texts]
    assert ours.encode("two  spaces").ids != theirs.encode("two  spaces").ids


def test_gguf_holds_the_vocabulary(tmp_path, tokenizer_json):
    path = export_gguf(llm_networks.ours("llama"), tokenizer_json, tmp_path / "a.gguf", name="a", eos="<|end|>")
    reader, tokenizer = gguf.GGUFReader(path), tokenizers.Tokenizer.from_file(str(tokenizer_json))
    tokens, types = field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.token_type")
    size = tokenizer.get_vocab_size()
    assert 40 < size < 96
    assert tokens[:size] == [tokenizer.id_to_token(index) for index in range(size)]
    assert tokens[size:] == [f"[PAD{index}]" for index in range(96 - size)]
    assert types == [3, 3] + [1] * (size - 2) + [5] * (96 - size)  # control, normal, unused
    merges = json.loads(tokenizer_json.read_text())["model"]["merges"]
    assert field(reader, "tokenizer.ggml.merges") == [" ".join(merge) for merge in merges]
    assert field(reader, "tokenizer.ggml.eos_token_id") == 0
    assert field(reader, "tokenizer.ggml.add_bos_token") is False
    assert (field(reader, "tokenizer.ggml.model"), field(reader, "tokenizer.ggml.pre")) == ("gpt2", "qwen2")


def test_gguf_refuses_what_it_cannot_hold(tmp_path, tokenizer_json):
    path = tmp_path / "a.gguf"
    for kind, words in (("mistral", "no window"), ("gemma2", "no activation, window, windowed_layers, norm_offset")):
        with pytest.raises(ValueError, match=words):
            export_gguf(llm_networks.ours(kind), None, path, name="a")
    small = Decoder(replace(OURS["llama"], vocab_size=16))
    with pytest.raises(ValueError, match=r"tokenizer\.json has \d+ tokens, and the model only 16"):
        export_gguf(small, tokenizer_json, path, name="a")
    with pytest.raises(ValueError, match=r"no token '<\|stop\|>'"):
        export_gguf(llm_networks.ours("llama"), tokenizer_json, path, name="a", eos="<|stop|>")
    with torch.no_grad():
        small.blocks[2].feed_forward.up.weight[0, 0] = 70_000
    with pytest.raises(ValueError, match=r"blocks\.2\.feed_forward\.up\.weight has weights up to 70000, beyond float16"):
        export_gguf(small, None, path, name="a")
    with pytest.raises(ValueError, match=r"must end in \.gguf"):
        export_gguf(small, None, tmp_path / "a.bin", name="a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"model": {"type": "WordPiece"}}', "no byte-level BPE"),
        ('{"model": {"type": "BPE"}, "pre_tokenizer": null}', "no byte-level BPE"),
        (
            '{"model": {"type": "BPE", "vocab": {"a": 0, "b": 2}, "merges": []}, "pre_tokenizer": {"type": "ByteLevel"}, '
            '"added_tokens": []}',
            "token ids are not 0 to 1",
        ),
        (None, "is not there"),
    ],
)
def test_a_damaged_tokenizer_is_named(tmp_path, content, words):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelFileError, match=rf"tokenizer\.json .*{words}"):
        export_gguf(llm_networks.ours("llama"), path, tmp_path / "a.gguf", name="a")
