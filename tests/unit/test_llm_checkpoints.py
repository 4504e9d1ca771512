"""Folders of Hugging Face: what is loaded and saved computes the same in `transformers`; what is damaged is named."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import llm_networks
import pytest
import torch
from llm_networks import OURS

from pocketlab.data.tensors import load_tensors, save_tensors
from pocketlab.errors import ModelFileError
from pocketlab.llm.checkpoints import load_folder, load_llama2c, save_folder
from pocketlab.llm.hf_config import decoder_config, hf_config
from pocketlab.llm.model import Decoder, DecoderConfig, RopeScaling

CLOSE = 1e-5  # as in test_llm_model.py
LENGTH = 40


@pytest.fixture
def folder(tmp_path) -> Path:
    """A Llama of ours in a folder, to be damaged."""
    return save_folder(llm_networks.ours("llama"), tmp_path / "model")


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / "model.safetensors")


def refused(folder: Path, *words: str) -> None:
    """Loading is refused in one line that has all of the words."""
    with pytest.raises(ModelFileError) as caught:
        load_folder(folder)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", OURS)
def test_a_saved_folder_is_loaded_by_transformers_and_by_us_with_equal_logits(kind, tmp_path):
    import transformers

    decoder, tokens = llm_networks.ours(kind), llm_networks.tokens(2, LENGTH)
    save_folder(decoder, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    network, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, attn_implementation="eager", output_loading_info=True
    )
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    torch.testing.assert_close(llm_networks.logits(network, tokens), llm_networks.logits(decoder, tokens), rtol=0, atol=CLOSE)
    again = load_folder(tmp_path)
    assert again.config == decoder.config
    assert not again.training
    assert all(torch.equal(again.state_dict()[name], weight) for name, weight in decoder.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_16_bits_become_float32(folder, dtype):
    weights = tensors_of(folder)
    save_tensors({name: weight.to(dtype) for name, weight in weights.items()}, folder / "model.safetensors")
    loaded = load_folder(folder)
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    assert torch.equal(loaded.embedding.weight, weights["model.embed_tokens.weight"].to(dtype).float())


def shard(folder: Path, **changes: str) -> None:
    """Put the weights of a folder into two files and an index, in which `changes` are made."""
    weights = tensors_of(folder)
    names = sorted(weights)
    files = {name: f"model-{1 + (index > 9):05}-of-00002.safetensors" for index, name in enumerate(names)}
    for file in set(files.values()):
        save_tensors({name: weights[name] for name in names if files[name] == file}, folder / file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files | changes}))


def test_shards_are_put_together(folder):
    expected = load_folder(folder).state_dict()
    shard(folder)
    assert len(list(folder.glob("*.safetensors"))) == 2
    loaded = load_folder(folder).state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in expected.items())


def test_shards_that_transformers_wrote_are_put_together(tmp_path):
    network = llm_networks.theirs("mistral")
    network.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    tokens = llm_networks.tokens(1, 12)
    ours, theirs = (llm_networks.logits(model, tokens) for model in (load_folder(tmp_path), network))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=CLOSE)


def test_a_damaged_index_is_named(folder):
    shard(folder, **{"model.extra.weight": "model-00002-of-00002.safetensors"})
    refused(folder, "index.json and model-00002-of-00002.safetensors do not name the same", "model.extra.weight")
    index = folder / "model.safetensors.index.json"
    for content, words in {
        "[]": "no `weight_map`",
        '{"weight_map": ["a"]}': "no `weight_map`",
        '{"weight_map"': "no `weight_map`",
        '{"weight_map": {"a": "../other.safetensors"}}': "'../other.safetensors', and a shard lies in the folder",
        '{"weight_map": {"a": "gone.safetensors"}}': "gone.safetensors is not there",
        '{"weight_map": {"a": "shard.bin"}}': "get the model's .safetensors files",
    }.items():
        index.write_text(content)
        refused(folder, words)


def test_nothing_is_unpickled(tmp_path, folder):
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "sprung"),))

    (folder / "model.safetensors").unlink()
    torch.save(Trap(), folder / "pytorch_model.bin")
    refused(folder, "pytorch_model.bin may hold Python objects", ".safetensors")
    refused(folder / "pytorch_model.bin", "pytorch_model.bin may hold Python objects", ".safetensors")
    with pytest.raises(ModelFileError, match="its header says"):
        load_llama2c(folder / "pytorch_model.bin")
    assert not (tmp_path / "sprung").exists()


def test_a_tensor_of_another_shape_is_named_with_both_shapes(folder):
    weights = tensors_of(folder)
    name = "model.layers.1.self_attn.k_proj.weight"
    save_tensors(weights | {name: torch.zeros(32, 32)}, folder / "model.safetensors")
    refused(folder, name, "(32, 32)", "(16, 32)")
    save_tensors(weights | {name: torch.zeros(16, 32, dtype=torch.int8)}, folder / "model.safetensors")
    refused(folder, name, "type int8", "float32, float16 or bfloat16")
    weights[name][3, 4] = float("nan")
    save_tensors(weights, folder / "model.safetensors")
    refused(folder, name, "not finite")


def test_missing_and_superfluous_tensors_are_named(folder):
    weights = tensors_of(folder)
    gone = {name: weight for name, weight in weights.items() if not name.startswith("model.layers.2.mlp")}
    save_tensors(gone, folder / "model.safetensors")
    refused(folder, "lacks", "model.layers.2.mlp.down_proj.weight", "gate_proj", "up_proj")
    save_tensors({name: weight for name, weight in weights.items() if ".2." not in name}, folder / "model.safetensors")
    refused(folder, "lacks", "model.layers.2.input_layernorm.weight", "and 6 more")
    save_tensors(weights | {"model.layers.0.self_attn.q_proj.bias": torch.zeros(32)}, folder / "model.safetensors")
    refused(folder, "model.layers.0.self_attn.q_proj.bias", "no place")


def test_rotary_frequencies_and_a_second_copy_of_a_tied_embedding_are_let_pass(tmp_path):
    save_folder(llm_networks.ours("mistral"), tmp_path)
    weights = tensors_of(tmp_path)
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    save_tensors(weights, tmp_path / "model.safetensors")
    loaded = load_folder(tmp_path)
    assert loaded.output.weight is loaded.embedding.weight
    weights["lm_head.weight"][0, 0] += 1
    save_tensors(weights, tmp_path / "model.safetensors")
    refused(tmp_path, "lm_head.weight", "no place")


@pytest.mark.parametrize("kept", [0, 5, 1000, 0.5, -1])
def test_a_truncated_file_is_refused(folder, kept):
    path = folder / "model.safetensors"
    size = path.stat().st_size
    os.truncate(path, int(size * kept) if isinstance(kept, float) else kept % size)
    refused(folder, "model.safetensors is")


def test_what_is_not_there_is_named(folder, tmp_path):
    refused(tmp_path / "nowhere", "nowhere is not a folder", "config.json")
    (folder / "model.safetensors").unlink()
    refused(folder, "neither model.safetensors nor model.safetensors.index.json")
    (folder / "config.json").unlink()
    refused(folder, "config.json is not there")


CONFIG_FAULTS = [
    ({"model_type": "gpt2"}, 'model_type = "gpt2"'),
    ({"model_type": ["llama"]}, "model_type"),
    ({"model_type": None}, "model_type = null"),
    ({"hidden_size": None}, "hidden_size = null"),
    ({"hidden_size": "32"}, 'hidden_size = "32"'),
    ({"hidden_size": 32.0}, "hidden_size = 32.0"),
    ({"num_hidden_layers": True}, "num_hidden_layers = true"),
    ({"num_hidden_layers": 0}, "num_hidden_layers = 0"),
    ({"num_hidden_layers": 10**6}, "1,000,000 layers, and there are only 30 tensors"),
    ({"num_hidden_layers": 4}, "lacks model.layers.3"),
    ({"vocab_size": 10**9}, "vocab_size = 1000000000"),
    ({"intermediate_size": 2**20}, "model.layers.0.mlp.gate_proj.weight has the shape (48, 32), and expected is (1048576, 32)"),
    ({"num_attention_heads": 2**20, "head_dim": 2**20}, "q_proj.weight has the shape (32, 32), and expected is (10995116"),
    ({"num_key_value_heads": 3}, "3 key and value heads cannot serve 4"),
    ({"head_dim": 9}, "head_dim is even; got 9"),
    ({"hidden_act": "gelu"}, 'hidden_act = "gelu"'),
    ({"attention_bias": True}, "attention_bias = true"),
    ({"quantization_config": {"bits": 4}}, "quantization_config"),
    ({"rms_norm_eps": -1.0}, "rms_norm_eps = -1.0"),
    ({"rope_theta": float("nan")}, "rope_theta = NaN"),
    ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 'rope_type = "dynamic"'),
    ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "low_freq_factor = null"),
    ({"rope_scaling": 8.0}, "rope_scaling = 8.0, and expected here is an object"),
    ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5"),
    ({"tie_word_embeddings": "no"}, 'tie_word_embeddings = "no"'),
]


@pytest.mark.parametrize(("change", "words"), CONFIG_FAULTS, ids=lambda value: str(value)[:60])
def test_a_configuration_that_cannot_be_built_is_refused_by_its_field(folder, change, words):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    refused(folder, words)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_damaged_configuration_is_named(folder, content):
    (folder / "config.json").write_bytes(content)
    refused(folder, "config.json is damaged")


def test_scaling_that_cannot_blend_is_refused():
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 4.0}
    fields = hf_config(OURS["llama"]) | {"rope_scaling": scaling | {"original_max_position_embeddings": 32}}
    with pytest.raises(ModelFileError, match=r"low_freq_factor = 4\.0, and expected here is a number below high_freq_factor, 4"):
        decoder_config(fields)


def test_gemma_layers_in_another_order_are_refused():
    fields = hf_config(OURS["gemma2"]) | {"layer_types": ["full_attention", "sliding_attention", "full_attention"]}
    with pytest.raises(ModelFileError, match="layer_types"):
        decoder_config(fields)


def test_published_configurations_are_read():
    """Of Meta's Llama-3.1-8B, Mistral-7B-v0.1 and Google's gemma-2-2b, as transformers 4 wrote them: without some fields."""
    llama = {
        **{"model_type": "llama", "vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336},
        **{"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131_072},
        **{"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "rms_norm_eps": 1e-5, "rope_theta": 500_000.0},
        "rope_scaling": {
            **{"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
            **{"original_max_position_embeddings": 8192, "rope_type": "llama3"},
        },
        "tie_word_embeddings": False,
    }
    sizes = (128_256, 4096, 14_336, 32, 32, 8, 128, 131_072)
    scaling = RopeScaling(8.0, 1.0, 4.0, 8192)
    assert decoder_config(llama) == DecoderConfig(*sizes, 500_000.0, scaling, tied_embeddings=False)
    mistral = {
        **{"model_type": "mistral", "vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 14_336},
        **{"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 32_768},
        **{"hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10_000.0, "sliding_window": 4096},
        "tie_word_embeddings": False,
    }
    sizes = (32_000, 4096, 14_336, 32, 32, 8, 128, 32_768)
    assert decoder_config(mistral) == DecoderConfig(*sizes, tied_embeddings=False, window=4096)
    assert decoder_config(mistral | {"sliding_window": None}).window is None  # as from v0.2 on
    gemma = {
        **{"model_type": "gemma2", "vocab_size": 256_000, "hidden_size": 2304, "intermediate_size": 9216},
        **{"num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256},
        **{"max_position_embeddings": 8192, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"},
        **{"rms_norm_eps": 1e-6, "rope_theta": 10_000.0, "sliding_window": 4096, "query_pre_attn_scalar": 256},
        **{"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
    }
    read = decoder_config(gemma)
    assert (read.tied_embeddings, read.query_scale, read.attention_cap, read.logit_cap) == (True, 16.0, 50.0, 30.0)
    assert [read.window_of(layer) for layer in range(3)] == [4096, None, 4096]


@pytest.mark.parametrize(
    ("kind", "change", "lost"),
    [
        ("llama", {"activation": "gelu_tanh"}, "as llama, it would lose activation"),
        ("llama", {"logit_cap": 30.0}, "as llama, it would lose logit_cap"),
        ("mistral", {"windowed_layers": "even"}, "as mistral, it would lose windowed_layers"),
        ("gemma2", {"post_norms": False}, "as gemma2, it would lose post_norms"),
        ("gemma2", {"query_scale": 3.3}, "as gemma2, it would lose query_scale"),
    ],
)
def test_what_no_model_type_has_is_not_written(tmp_path, kind, change, lost):
    with pytest.raises(ValueError, match=lost):
        save_folder(Decoder(replace(OURS[kind], **change)), tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("kind", OURS)
def test_a_configuration_survives_being_written(kind):
    assert decoder_config(json.loads(json.dumps(hf_config(OURS[kind])))) == OURS[kind]
