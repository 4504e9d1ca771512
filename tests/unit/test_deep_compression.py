from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pocketlab.compression.coding import huffman_decode, huffman_encode, huffman_lengths, symbol_counts
from pocketlab.compression.deep_compression import (
    SharedWeights,
    coded_layers,
    float_bytes,
    share_weights,
)
from pocketlab.compression.pruning import magnitude_mask, prunable_weights


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 4))


def masks_of(net, share=0.8):
    return {name: magnitude_mask(w, share) for name, w in prunable_weights(net).items()}


def test_entries_share_few_values_and_the_rest_is_zero(net):
    masks = masks_of(net)
    shared = share_weights(net, masks, {"0.weight": 2, "2.weight": 3})
    for name, values in (("0", 4), ("2", 8)):
        weight = shared.get_submodule(name).weight
        mask = masks[f"{name}.weight"]
        assert not weight[~mask].any()
        assert len(weight[mask].unique()) <= values
        original = net.get_submodule(name).weight[mask]
        assert (weight[mask] - original).abs().max() < original.abs().max()


def test_a_values_gradient_is_the_sum_over_its_entries(net):
    shared = share_weights(net, masks_of(net), 2)
    held = shared[0].parametrizations.weight[0]
    x, y = torch.randn(16, 40), torch.arange(16) % 4
    nn.functional.cross_entropy(shared(x), y).backward()
    plain = nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 4))
    with torch.no_grad():
        for layer, other in ((plain[0], shared[0]), (plain[2], shared[2])):
            layer.weight.copy_(other.weight)
            layer.bias.copy_(other.bias)
    nn.functional.cross_entropy(plain(x), y).backward()
    of_entries = plain[0].weight.grad[held.mask]
    expected = torch.zeros(4).index_add_(0, held.indices, of_entries)
    torch.testing.assert_close(held.palette.grad, expected)


def test_training_moves_palettes_and_keeps_zeros(net):
    shared = share_weights(net, masks_of(net), 3)
    x, y = torch.randn(64, 40), torch.arange(64) % 4
    optimizer = torch.optim.Adam([p for p in shared.parameters() if p.requires_grad], lr=0.02)
    losses = []
    for _ in range(50):
        loss = nn.functional.cross_entropy(shared(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]
    assert float((shared[0].weight == 0).float().mean()) == pytest.approx(0.8, abs=0.01)
    assert len(shared[0].weight.unique()) <= 9


def test_sizes_are_those_of_a_file_that_can_be_read_back(net):
    shared = share_weights(net, masks_of(net), 3)
    layers = coded_layers(shared, step_bits=3)
    for layer in layers:
        held = shared.get_submodule(layer.name.removesuffix(".weight")).parametrizations.weight[0]
        assert layer.kept == int(held.mask.sum()) <= layer.stored
        if layer.kept == layer.stored:  # without fillers the indices themselves are what is coded
            symbols = held.indices.numpy()
            counts = np.append(symbol_counts(symbols), 0)
            lengths = huffman_lengths(counts)
            data = huffman_encode(symbols, lengths)
            np.testing.assert_array_equal(huffman_decode(data, lengths, len(symbols)), symbols)
            assert layer.index_bytes <= len(data) + len(counts)
    assert float_bytes(net) == 4 * (40 * 30 + 30 + 30 * 4 + 4)


def test_what_cannot_be_is_told(net):
    masks = masks_of(net)
    empty = {**masks, "0.weight": torch.zeros(30, 40, dtype=torch.bool)}
    for call, message in (
        (lambda: share_weights(net, {"0.weight": masks["0.weight"]}, 3), "'2.weight' needs a mask"),
        (lambda: share_weights(net, masks, {"0.weight": 3}), "'2.weight' needs"),
        (lambda: share_weights(net, masks, 9), "1 to 8 bits"),
        (lambda: share_weights(net, empty, 3), "leave something"),
        (lambda: SharedWeights(torch.ones(2), torch.ones(3, dtype=torch.bool), 2), r"weight \(2,\)"),
        (lambda: coded_layers(net), "no shared weights"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
