"""A coded model comes back bit for bit, and damaged data are refused."""

from __future__ import annotations

import copy
import zlib

import numpy as np
import pytest
import torch
from torch import nn

from pocketlab.compression.coded_model import decode_model, encode_model
from pocketlab.compression.deep_compression import coded_layers, share_weights
from pocketlab.compression.pruning import magnitude_mask, prunable_weights
from pocketlab.compression.qat import finish_qat


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 30), nn.ReLU(), nn.Linear(30, 4))


def shared_of(net: nn.Module, sparsity: float = 0.8, bits: int = 3) -> nn.Module:
    return share_weights(net, {name: magnitude_mask(w, sparsity) for name, w in prunable_weights(net).items()}, bits)


def renewed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.97])
@pytest.mark.parametrize("step_bits", [1, 4, 8])
def test_what_was_written_comes_back_bit_for_bit(net: nn.Module, sparsity: float, step_bits: int) -> None:
    shared = shared_of(net, sparsity)
    other = copy.deepcopy(net)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    decoded = decode_model(encode_model(shared, step_bits), other)
    expected = finish_qat(shared).state_dict()
    assert decoded.state_dict().keys() == expected.keys()
    for name, value in decoded.state_dict().items():
        assert torch.equal(value, expected[name]), name
    assert not torch.equal(other[3].weight, decoded[3].weight)


def test_the_size_is_that_of_the_layers_and_little_more(net: nn.Module) -> None:
    shared = shared_of(net, 0.9)
    layers = sum(layer.size_bytes for layer in coded_layers(shared, 5))
    biases = 4 * sum(m.bias.numel() for m in net if isinstance(m, nn.Conv2d | nn.Linear))
    heads = 3 * 14 + 4
    assert layers + biases < len(encode_model(shared, 5)) <= layers + biases + heads + 3 * (2**5 + 9)


def test_bits_of_a_step_may_differ_by_layer(net: nn.Module) -> None:
    shared = shared_of(net)
    bits = dict.fromkeys(prunable_weights(net), 4) | {"0.weight": 2}
    decoded = decode_model(encode_model(shared, bits), net)
    assert torch.equal(decoded[0].weight, shared[0].weight)


def test_every_flipped_byte_and_every_cut_is_noticed(net: nn.Module) -> None:
    data = encode_model(shared_of(net))
    for place in np.linspace(0, len(data) - 1, 40).astype(int):
        flipped = bytearray(data)
        flipped[place] ^= 0x41
        for damaged in (bytes(flipped), data[:place]):
            with pytest.raises(ValueError, match="checksum"):
                decode_model(damaged, net)


def test_forged_data_with_a_right_checksum_end_in_a_sentence_or_a_model(net: nn.Module) -> None:
    body = encode_model(shared_of(net))[:-4]
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        forged = bytearray(body)
        for place in rng.integers(0, min(200, len(body)), 3):
            forged[place] = rng.integers(0, 256)
        try:
            decode_model(renewed(bytes(forged)), net)
        except ValueError:
            refused += 1
    assert refused > 10


def test_another_network_is_refused(net: nn.Module) -> None:
    data = encode_model(shared_of(net))
    small = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(4, 4))
    with pytest.raises(ValueError, match="another network"):
        decode_model(data, small)
    with pytest.raises(ValueError, match="are left over"):
        decode_model(data, nn.Sequential(nn.Conv2d(1, 8, 3)))


def test_what_cannot_be_written_is_told(net: nn.Module) -> None:
    with_norm = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    partly = shared_of(net)
    partly.append(nn.Linear(4, 4))
    for model, message in ((shared_of(with_norm), "fold it"), (partly, "'6.weight' is not shared"), (net, "no shared weights")):
        with pytest.raises(ValueError, match=message):
            encode_model(model)
