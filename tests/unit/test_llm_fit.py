"""Will it fit: each part's formula equals what the decoder, its caches and its quantized weights really take."""

from __future__ import annotations

import dataclasses
import math
import weakref

import pytest
import torch
from llm_networks import OURS, theirs
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pocketlab.llm.cache import KeyValueCache, RollingCache
from pocketlab.llm.fit import (
    CHUNK,
    GEMMA_2_2B,
    LLAMA_3_2_1B,
    LLAMA_3_8B,
    MISTRAL_7B,
    MODELS,
    PHONES,
    RUNTIME_BYTES,
    Fit,
    Phone,
    activation_bytes,
    bytes_per_token,
    decoder_parameters,
    fits,
    longest_context,
    measured_bandwidth,
    memory_parts,
    tokens_per_second,
    weight_bytes,
)
from pocketlab.llm.grids import round_to_nearest
from pocketlab.llm.hf_config import hf_config
from pocketlab.llm.model import Decoder

FOUR_GB = Phone("4 GB for the app", 4, 1.0, 50)
# What the models' pages on Hugging Face say of their files.
PUBLISHED = {LLAMA_3_8B: 8_030_261_248, LLAMA_3_2_1B: 1_235_814_400, MISTRAL_7B: 7_241_732_096, GEMMA_2_2B: 2_614_341_888}
PART_OF = {
    "embedding": "embedding", "output": "output", "norm": "norms", "attention_norm": "norms", "feed_forward_norm": "norms",
    "post_attention_norm": "norms", "post_feed_forward_norm": "norms", "attention": "attention", "feed_forward": "feed-forward",
}  # fmt: skip


def part(name):
    pieces = name.split(".")
    return PART_OF[pieces[2] if pieces[0] == "blocks" else pieces[0]]


def on_no_memory(config):
    """A decoder whose weights have shapes and no storage."""
    with torch.device("meta"):
        return Decoder(config)


# Weights


@pytest.mark.parametrize("config", [*OURS.values(), *MODELS.values()])
def test_parameters_by_part_are_those_of_the_decoder(config):
    counted = dict.fromkeys(decoder_parameters(config), 0)
    for name, weight in on_no_memory(config).named_parameters():  # a shared one comes once, as the embedding
        counted[part(name)] += weight.numel()
    assert decoder_parameters(config) == counted
    assert (counted["output"] == 0) == config.tied_embeddings


@pytest.mark.parametrize("kind", OURS)
def test_another_package_counts_as_many_parameters(kind):
    expected = sum(weight.numel() for weight in theirs(kind).parameters())
    assert sum(decoder_parameters(OURS[kind]).values()) == expected


@pytest.mark.parametrize("config", PUBLISHED)
def test_published_models_have_their_published_number_of_parameters(config):
    assert sum(decoder_parameters(config).values()) == PUBLISHED[config]


def test_published_models_are_of_the_kinds_that_can_be_loaded():
    kinds = {name: hf_config(config)["model_type"] for name, config in MODELS.items()}
    assert kinds == {"Llama 3 8B": "llama", "Mistral 7B": "mistral", "Gemma 2 2B": "gemma2", "Llama 3.2 1B": "llama"}


@pytest.mark.parametrize("kind", ["llama", "gemma2"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("group_size", [16, 20])
def test_weights_take_what_quantized_weights_take(kind, bits, group_size):
    config, size = OURS[kind], 0
    for weight in Decoder(config).parameters():
        is_table = weight.shape == (config.vocab_size, config.hidden_size)
        if weight.ndim == 1:
            size += 16 * weight.numel()
        else:
            size += round_to_nearest(weight.detach(), 5 if is_table else bits, group_size).size_bits
    # Each of the four parts is rounded up to a whole byte.
    assert 0 <= weight_bytes(config, bits, group_size=group_size, embedding_bits=5) - size / 8 < 4


def test_weights_of_16_bits_take_two_bytes_each():
    for config in MODELS.values():
        assert weight_bytes(config, 16) == 2 * sum(decoder_parameters(config).values())


def test_embeddings_have_8_bits_or_more_unless_told_otherwise():
    assert weight_bytes(LLAMA_3_8B, 4) == weight_bytes(LLAMA_3_8B, 4, embedding_bits=8)
    assert weight_bytes(LLAMA_3_8B, 8, embedding_bits=8) == weight_bytes(LLAMA_3_8B, 8)
    table = LLAMA_3_8B.vocab_size * LLAMA_3_8B.hidden_size
    # Two tables, each at 8 + 24/128 bits in place of 4 + 20/128.
    assert weight_bytes(LLAMA_3_8B, 4) - weight_bytes(LLAMA_3_8B, 4, embedding_bits=4) == 2 * table * (4 + 4 / 128) / 8


# Cache and activations


@pytest.mark.parametrize("config", [OURS["llama"], OURS["mistral"], OURS["gemma2"]])
def test_the_cache_takes_what_a_cache_takes(config):
    for context in (4, 100):
        cache = KeyValueCache(config, capacity=context, dtype=torch.float16)
        if config is OURS["mistral"] and context > config.window:
            cache = RollingCache(config, dtype=torch.float16)
        assert memory_parts(config, 16, context)["KV cache"] == cache.nbytes


class Alive(TorchDispatchMode):
    """Counts the bytes of all tensors that operations made and that are still there, and keeps the most there were."""

    def __init__(self, weights):
        super().__init__()
        self.now = self.most = 0
        self._seen = {weight.untyped_storage()._cdata for weight in weights}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key, size):
        self._seen.discard(key)
        self.now -= size


def most_alive(config, tokens):
    model = Decoder(config).eval()
    ids = torch.zeros(1, tokens, dtype=torch.long)
    with torch.no_grad(), Alive([*model.parameters(), ids]) as mode:
        model(ids, last_only=True)
    return mode.most


LARGER = dataclasses.replace(OURS["llama"], hidden_size=256, heads=8, head_dim=32, intermediate_size=768, context=512)
ACTIVE = {
    "feed-forward": (LARGER, 64),
    "scores": (LARGER, 512),
    "scores with soft-capping": (dataclasses.replace(LARGER, attention_cap=2.0), 512),
    "logits": (dataclasses.replace(LARGER, vocab_size=100_000), 4),
    **{kind: (config, 120) for kind, config in OURS.items()},
}


@pytest.mark.parametrize("case", ACTIVE)
def test_activations_are_what_is_alive_at_once(case):
    config, tokens = ACTIVE[case]
    # Left out, and in this order: a mask of one byte for each pair; angles, cosines, sines and positions; contiguous copies of
    # keys and values.
    left_out = tokens * (tokens + 4 * 3 * config.head_dim // 2 + 8 + 4 * 2 * config.kv_heads * config.head_dim)
    assert 0 <= most_alive(config, tokens) - activation_bytes(config, tokens, tokens, bits=32) <= left_out


def test_activations_are_of_a_chunk_and_of_the_positions_that_the_cache_keeps():
    parts = memory_parts(LLAMA_3_8B, 16, 5000)
    assert parts["activations"] == activation_bytes(LLAMA_3_8B, CHUNK, 5000)
    assert memory_parts(LLAMA_3_8B, 16, 50)["activations"] == activation_bytes(LLAMA_3_8B, 50, 50)
    assert memory_parts(MISTRAL_7B, 16, 30_000)["activations"] == activation_bytes(MISTRAL_7B, CHUNK, 4096 + CHUNK)
    assert activation_bytes(LLAMA_3_8B, 10, 100, bits=32) == 2 * activation_bytes(LLAMA_3_8B, 10, 100)


# Speed


def test_a_token_reads_all_weights_but_the_table_and_the_cache():
    counts = decoder_parameters(LLAMA_3_8B)
    cache = memory_parts(LLAMA_3_8B, 16, 1000)["KV cache"]
    assert bytes_per_token(LLAMA_3_8B, 16, 1000) == 2 * (sum(counts.values()) - counts["embedding"]) + cache
    # A tied table is the output layer, and read.
    cache = memory_parts(LLAMA_3_2_1B, 16, 1000)["KV cache"]
    assert bytes_per_token(LLAMA_3_2_1B, 16, 1000) == 2 * sum(decoder_parameters(LLAMA_3_2_1B).values()) + cache


def test_tokens_per_second_are_bandwidth_over_bytes():
    assert tokens_per_second(4e9, 20) == 5
    result = fits(MISTRAL_7B, FOUR_GB, 4, 2048)
    assert result.tokens_per_second == pytest.approx(50e9 / bytes_per_token(MISTRAL_7B, 4, 2048))


def test_bandwidth_is_measured_here():
    # No figure of this machine's: only that more than nothing and less than any memory yet built was measured.
    assert 0.01 < measured_bandwidth(2**22, 2) < 10_000


# Will it fit


def test_a_fit_is_its_parts_against_what_an_app_may_use():
    result = Fit({"weights": 3, "runtime": 2}, 5, 1.0)
    assert (result.total, result.fits) == (5, True)
    assert not Fit({"weights": 3, "runtime": 2}, 4, 1.0).fits
    parts = memory_parts(GEMMA_2_2B, 4, 1024, embedding_bits=4, cache_bits=8)
    result = fits(GEMMA_2_2B, PHONES[0], 4, 1024, embedding_bits=4, cache_bits=8)
    assert result.parts == parts
    assert list(parts) == ["weights", "KV cache", "activations", "runtime"]
    assert parts["runtime"] == RUNTIME_BYTES
    assert result.usable_bytes == 2_000_000_000


def test_7_billion_parameters_in_4_gb():
    # In words: 4 bits are not enough, since scales, finer embeddings, cache and runtime come to the 3.6 GB of 7.24 · 4/8; 3 are.
    verdicts = {bits: fits(MISTRAL_7B, FOUR_GB, bits, 2048).fits for bits in (16, 8, 4, 3, 2)}
    assert verdicts == {16: False, 8: False, 4: False, 3: True, 2: True}
    parts = fits(MISTRAL_7B, FOUR_GB, 4, 2048).parts
    inner = sum(decoder_parameters(MISTRAL_7B)[part] for part in ("attention", "feed-forward"))
    table = 32_000 * 4096
    # By hand: groups of 128 with 16 + 4 bits; two tables of 8 bits with 16 + 8; norms of 16 bits.
    assert parts["weights"] == inner * (4 + 20 / 128) / 8 + 2 * table * (8 + 24 / 128) / 8 + 2 * 65 * 4096
    assert parts["KV cache"] == 2 * 32 * 8 * 128 * 2048 * 2
    assert sum(parts.values()) == pytest.approx(4.40e9, abs=0.005e9)
    # All in 4 bits and the cache in 8: it fits, with a short conversation.
    assert 100 < longest_context(MISTRAL_7B, FOUR_GB, 4, embedding_bits=4, cache_bits=8) < 1000


@pytest.mark.parametrize("bits", [4, 3, 2])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("phone", PHONES, ids=lambda phone: phone.name)
def test_the_longest_context_fits_and_one_more_token_does_not(bits, name, phone):
    config = MODELS[name]
    longest = longest_context(config, phone, bits)
    assert longest == 0 or fits(config, phone, bits, longest).fits
    assert longest == config.context or not fits(config, phone, bits, longest + 1).fits


def test_phones_bandwidths_are_channels_times_bits_times_transfers():
    # 16-bit channels, in 10^6 transfers a second.
    expected = [channels * 2 * transfers / 1000 for channels, transfers in ((2, 4266), (4, 6400), (4, 9600))]
    assert [phone.bandwidth_gb_s for phone in PHONES] == pytest.approx(expected, rel=0.003)  # given to three digits
    assert all(phone.why.startswith("estimate: ") for phone in PHONES)


# Bad input


@pytest.mark.parametrize(("bits", "told"), [(1, "got 1"), (9, "got 9"), (32, "got 32")])
def test_other_bits_are_refused(bits, told):
    with pytest.raises(ValueError, match=f"2 to 8 bits in groups, or 16; {told}"):
        weight_bytes(LLAMA_3_2_1B, bits)
    with pytest.raises(ValueError, match=told):
        weight_bytes(LLAMA_3_2_1B, 4, embedding_bits=bits)


def test_groups_without_weights_are_refused():
    with pytest.raises(ValueError, match="got a group_size of 0"):
        weight_bytes(LLAMA_3_2_1B, 4, group_size=0)


@pytest.mark.parametrize("context", [0, 8193])
def test_a_context_that_the_model_does_not_have_is_refused(context):
    with pytest.raises(ValueError, match=f"context is 1 to 8192 tokens; got {context}"):
        memory_parts(LLAMA_3_8B, 4, context)


@pytest.mark.parametrize("values", [(0, 0.5, 10), (4, 0, 10), (4, 1.1, 10), (4, 0.5, 0), (math.nan, 0.5, 10)])
def test_impossible_phones_are_refused(values):
    with pytest.raises(ValueError, match="mine needs memory and bandwidth over 0"):
        Phone("mine", *values)


@pytest.mark.parametrize("values", [(0, 10), (10, 0), (math.nan, 10)])
def test_no_speed_without_bytes_and_bandwidth(values):
    with pytest.raises(ValueError, match="Bytes and bandwidth are over 0"):
        tokens_per_second(*values)
