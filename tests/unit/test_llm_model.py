"""Our decoder against the `transformers` package, as a Llama, a Llama 3, a Mistral and a Gemma 2."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import llm_networks
import pytest
import torch
from llm_networks import OURS

from pocketlab.llm.cache import KeyValueCache, RollingCache
from pocketlab.llm.checkpoints import load_folder
from pocketlab.llm.model import Decoder, DecoderConfig, RopeScaling, rope_frequencies, rotate, visible

LENGTH = 40  # several windows of 6, and past the 32 positions of llama3's original context
# Logits of 1 to 5 in float32, where sums in another order differ by a few parts in 10⁷: an order of magnitude of room.
CLOSE = 1e-5


@pytest.fixture(scope="module", params=llm_networks.THEIRS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def pair(kind: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Decoder]:
    """A network of `transformers`, and our decoder loaded from what it saved."""
    network = llm_networks.theirs(kind)
    folder = tmp_path_factory.mktemp(kind)
    network.save_pretrained(folder)
    return network, load_folder(folder)


@pytest.fixture(scope="module")
def expected(pair: tuple[Any, Decoder]) -> torch.Tensor:
    """Logits of `transformers` for two sequences, computed whole."""
    with torch.no_grad():
        return pair[0](llm_networks.tokens(2, LENGTH)).logits


def test_the_configuration_read_is_the_one_meant(pair, kind):
    assert pair[1].config == OURS[kind]


@torch.no_grad()
def test_a_whole_sequence_has_the_logits_of_transformers(pair, expected):
    logits = pair[1](llm_networks.tokens(2, LENGTH))
    torch.testing.assert_close(logits, expected, rtol=0, atol=CLOSE)
    assert expected.std() > 0.9  # no network that answers the same whatever it is asked


@torch.no_grad()
def test_token_by_token_has_the_logits_of_transformers(pair, kind, expected):
    caches: list[KeyValueCache | RollingCache] = [KeyValueCache(OURS[kind], batch=2)]
    if kind == "mistral":
        caches.append(RollingCache(OURS[kind], batch=2))
    tokens = llm_networks.tokens(2, LENGTH)
    for cache in caches:
        logits = torch.cat([pair[1](tokens[:, [step]], cache) for step in range(LENGTH)], dim=1)
        torch.testing.assert_close(logits, expected, rtol=0, atol=CLOSE)


@torch.no_grad()
def test_frequencies_are_those_of_transformers_to_the_last_bit(pair, kind):
    theirs = pair[0].model.rotary_emb.inv_freq
    # The blend of llama3 is written in another order there; 2⁻²³ is the distance of two floats from 1 on.
    torch.testing.assert_close(pair[1].frequencies, theirs, rtol=2**-22 if kind == "llama3" else 0, atol=0)


SWITCHES = [
    ("llama3", {"rope_scaling": None}),
    ("llama3", {"rope_theta": 10_000.0}),
    ("mistral", {"window": 7}),
    ("mistral", {"window": None}),
    ("gemma2", {"activation": "silu"}),
    ("gemma2", {"windowed_layers": "all"}),
    ("gemma2", {"norm_offset": False}),
    ("gemma2", {"embedding_scale": False}),
    ("gemma2", {"query_scale": None}),
    ("gemma2", {"attention_cap": None}),
    ("gemma2", {"logit_cap": None}),
]


@pytest.mark.parametrize(("kind", "change"), SWITCHES, ids=str)
@torch.no_grad()
def test_the_comparison_would_see_each_option_left_out(kind, change):
    decoder = llm_networks.ours(kind)
    other = Decoder(replace(OURS[kind], **change)).eval()
    other.load_state_dict(decoder.state_dict())
    tokens = llm_networks.tokens(1, LENGTH)
    assert (decoder(tokens) - other(tokens)).abs().max() > 100 * CLOSE


@torch.no_grad()
def test_norms_after_attention_and_feed_forward_are_places_of_their_own():
    decoder = llm_networks.ours("gemma2")
    tokens = llm_networks.tokens(1, 8)
    before = decoder(tokens)
    for name in ("attention_norm", "post_attention_norm", "feed_forward_norm", "post_feed_forward_norm"):
        weight = getattr(decoder.blocks[1], name).weight
        kept = weight.clone()
        weight[3] += 1
        assert (decoder(tokens) - before).abs().max() > 100 * CLOSE
        weight.copy_(kept)
    torch.testing.assert_close(decoder(tokens), before, rtol=0, atol=0)


@torch.no_grad()
def test_last_only_is_the_end_of_all_logits():
    decoder = llm_networks.ours("llama")
    tokens = llm_networks.tokens(2, 9)
    torch.testing.assert_close(decoder(tokens, last_only=True), decoder(tokens)[:, -1:], rtol=0, atol=CLOSE)


@torch.no_grad()
def test_a_later_token_changes_nothing_before_it():
    decoder = llm_networks.ours("llama")
    tokens = llm_networks.tokens(1, 12)
    other = tokens.clone()
    other[0, 8] = (other[0, 8] + 1) % 96
    a, b = decoder(tokens), decoder(other)
    torch.testing.assert_close(a[:, :8], b[:, :8], rtol=0, atol=CLOSE)
    assert (a[:, 8:] - b[:, 8:]).abs().amin(dim=-1).max() > 0


@torch.no_grad()
def test_in_bfloat16_it_loses_no_more_than_transformers_does(pair, expected):
    network, decoder = copy.deepcopy(pair[0]).bfloat16(), copy.deepcopy(pair[1]).bfloat16()
    tokens = llm_networks.tokens(2, LENGTH)
    logits = decoder(tokens)
    assert logits.dtype == torch.bfloat16
    assert torch.equal(decoder.frequencies, pair[1].frequencies)
    ours = (logits.float() - expected).square().mean()
    theirs = (network(tokens).logits.float() - expected).square().mean()
    # Both round at each step, in places that differ. Noise over 7,680 logits of 240 vectors: a quarter is 3 of its deviations.
    assert 0 < ours < 1.25 * theirs


def test_weights_that_are_tied_are_one_and_learn_together():
    decoder = Decoder(OURS["mistral"])
    decoder(llm_networks.tokens(1, 4)).sum().backward()
    assert decoder.output.weight is decoder.embedding.weight
    assert len(list(decoder.parameters())) == 2 + 3 * 9
    assert decoder.embedding.weight.grad is not None


def test_a_pair_turns_by_its_angle_and_products_depend_on_the_distance_alone():
    frequencies = rope_frequencies(OURS["llama"])
    assert frequencies[0] == 1  # the first pair turns by one radian a position
    query, key = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))

    def product(position: int, other: int) -> float:
        turned = []
        for vector, at in ((query, position), (key, other)):
            angles = at * frequencies[None]
            turned.append(rotate(vector[None, None, None], angles.cos(), angles.sin()))
        return float((turned[0] * turned[1]).sum())

    assert product(7, 3) == pytest.approx(product(24, 20), abs=1e-5)
    assert product(7, 3) != pytest.approx(product(7, 4), abs=1e-2)
    half = torch.full((1, 4), math.pi / 2)
    turned = rotate(torch.arange(8.0)[None, None, None], half.cos(), half.sin())
    torch.testing.assert_close(turned.flatten(), torch.tensor([-4.0, -5, -6, -7, 0, 1, 2, 3]), rtol=0, atol=1e-5)


def test_slow_pairs_are_slowed_and_fast_ones_kept():
    config = replace(OURS["llama"], head_dim=64, rope_scaling=RopeScaling(8.0, 1.0, 4.0, 1024))
    ratio = rope_frequencies(replace(config, rope_scaling=None)) / rope_frequencies(config)
    turns = 1024 * rope_frequencies(replace(config, rope_scaling=None)) / (2 * math.pi)
    torch.testing.assert_close(ratio[turns > 4], torch.ones(int((turns > 4).sum())))
    torch.testing.assert_close(ratio[turns < 1], torch.full((int((turns < 1).sum()),), 8.0))
    between = ratio[(turns > 1) & (turns < 4)]
    assert len(between) > 1
    assert ((between > 1) & (between < 8)).all()


def test_visible_is_causal_windowed_and_blind_to_empty_places():
    seen = visible(torch.tensor([3, 4]), torch.tensor([4, 1, 2, 3, -1]), window=3)
    assert seen.tolist() == [[False, True, True, True, False], [True, False, True, True, False]]
    assert visible(torch.tensor([1]), torch.tensor([0, 1, 2, -1]), None).tolist() == [[True, True, False, False]]


FAULTS = [
    ({"heads": 3}, "2 key and value heads cannot serve 3"),
    ({"head_dim": 7}, "head_dim is even; got 7"),
    ({"layers": 0}, "at least 1"),
    ({"window": 0}, "1 or more; got 0"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_sizes_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(OURS["llama"], **change)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(3, dtype=torch.long), r"their shape is \(3,\)"),
        (torch.zeros(1, 0, dtype=torch.long), r"their shape is \(1, 0\)"),
        (torch.zeros(1, 129, dtype=torch.long), "129 tokens do not fit in the context of 128"),
        (torch.tensor([[5, 96]]), "from 0 to 95, and here from 5 to 96"),
    ],
)
def test_tokens_that_cannot_be_read_are_refused(tokens, message):
    with pytest.raises(ValueError, match=message):
        llm_networks.ours("llama")(tokens)


def test_the_context_counts_what_the_cache_holds():
    decoder = llm_networks.ours("llama")
    cache = KeyValueCache(decoder.config)
    with torch.no_grad():
        decoder(llm_networks.tokens(1, 127), cache)
    with pytest.raises(ValueError, match="129 tokens do not fit in the context of 128"):
        decoder(llm_networks.tokens(1, 2), cache)
    assert cache.length == 127


def test_a_model_is_laid_out_without_memory():
    with torch.device("meta"):
        decoder = Decoder(DecoderConfig(32_000, 4096, 11_008, 32, 32, 32, 128, 4096))
    assert sum(weight.numel() for weight in decoder.parameters()) == 6_607_343_616  # Llama 2's 7B, its output tied
    assert decoder.frequencies.device.type == "cpu"
