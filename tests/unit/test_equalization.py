from __future__ import annotations

import copy
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from pocketlab.compression.equalization import (
    correct_bias,
    equalization_scales,
    equalize,
    smooth,
    smoothing_scales,
)
from pocketlab.compression.mixed_precision import choose_bits, layer_sensitivity
from pocketlab.compression.qat import quantize_weights
from pocketlab.compression.quantization import sqnr_db


@pytest.fixture
def uneven():
    """A network as folded batch normalization leaves it: channels of very different size."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU(),
        nn.Conv2d(8, 12, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 4),
    )
    with torch.no_grad():
        for layer, after in ((net[0], net[2]), (net[2], net[4])):
            factors = torch.logspace(-1.5, 1.5, 8)
            layer.weight.mul_(factors.reshape(-1, 1, 1, 1))
            layer.bias.mul_(factors)
            after.weight.div_(factors.reshape(-1, 1, 1, 1) if after.groups == 8 else factors.reshape(1, -1, 1, 1))
    return net.eval()


PAIRS = [("0", "2"), ("2", "4"), ("4", "8")]


def test_scales_make_both_ranges_equal():
    first, second = torch.randn(5, 3), torch.randn(4, 5)
    s = equalization_scales(first, second)
    r1 = (first / s[:, None]).abs().amax(1)
    r2 = (second * s).abs().amax(0)
    torch.testing.assert_close(r1, r2)
    first[2] = 0
    assert equalization_scales(first, second)[2] == 1


def test_equalizing_changes_no_output_and_helps_one_scale_per_tensor(uneven):
    x = torch.randn(64, 3, 6, 6)
    better = equalize(uneven, PAIRS)
    with torch.no_grad():
        expected = uneven(x)
        torch.testing.assert_close(better(x), expected, rtol=1e-4, atol=1e-5)
        plain = quantize_weights(uneven, 8, per_channel=False)(x)
        helped = quantize_weights(better, 8, per_channel=False)(x)
    assert sqnr_db(expected.numpy(), helped.numpy()) > sqnr_db(expected.numpy(), plain.numpy()) + 6


def test_corrected_means_are_the_float_models(uneven):
    x = torch.randn(256, 3, 6, 6) + 0.5
    quantized = quantize_weights(uneven, 3)
    layers = ["0", "2", "4", "8"]
    corrected = correct_bias(uneven, quantized, layers, x)
    with torch.no_grad():
        expected, before, after = (net(x).mean(0) for net in (uneven, quantized, corrected))
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-5)
    assert (before - expected).abs().max() > 10 * (after - expected).abs().max()


def test_smoothing_is_the_formula_and_changes_no_output():
    torch.manual_seed(0)
    norm = nn.LayerNorm(6)
    query, key = nn.Linear(6, 4), nn.Linear(6, 5)
    with torch.no_grad():
        norm.weight[2] = 100.0
    x = torch.randn(32, 6)
    seen = norm(x).abs().amax(0).detach()
    weights = torch.cat([query.weight, key.weight]).detach()
    expected = seen**0.5 / weights.abs().amax(0) ** 0.5
    torch.testing.assert_close(smoothing_scales(seen, weights), expected)
    before = query(norm(x)), key(norm(x))
    smooth(norm, [query, key], seen)
    torch.testing.assert_close((query(norm(x)), key(norm(x))), before, rtol=1e-4, atol=1e-5)
    now = norm(x).abs().amax(0)
    assert now.max() / now.median() < 0.3 * seen.max() / seen.median()


def test_the_choice_of_bits_is_the_best_of_all():
    rng = np.random.default_rng(0)
    losses = {f"l{i}": {b: float(rng.random() / 2**b) for b in (2, 4, 8)} for i in range(5)}
    sizes = {name: int(rng.integers(10, 100)) for name in losses}
    for budget in (sum(sizes.values()) * b for b in (2, 3, 4, 5, 8)):
        chosen = choose_bits(losses, sizes, budget)
        assert sum(sizes[n] * b for n, b in chosen.items()) <= budget
        every = (dict(zip(losses, widths, strict=True)) for widths in product((2, 4, 8), repeat=5))
        fitting = (c for c in every if sum(sizes[n] * b for n, b in c.items()) <= budget)
        best = min(sum(losses[n][b] for n, b in c.items()) for c in fitting)
        assert sum(losses[n][b] for n, b in chosen.items()) == pytest.approx(best, rel=1e-6)
    assert choose_bits({"a": {2: 0.0, 8: 0.0}}, {"a": 10}, 100) == {"a": 2}


def test_sensitivity_is_the_growth_of_the_loss_by_one_layer():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    x = torch.randn(50, 4)
    expected = net(x).detach()

    def loss(model):
        return (model(x) - expected).square().mean().item()

    found = layer_sensitivity(net, loss, bits=(2, 8))
    assert set(found) == {"0.weight", "2.weight"}
    assert found["0.weight"][2] == pytest.approx(loss(quantize_weights(net, {"0.weight": 2})))
    assert found["0.weight"][2] > found["0.weight"][8] > 0


def test_what_cannot_be_is_told_and_changes_nothing(uneven):
    before = copy.deepcopy(uneven.state_dict())
    norm, linear = nn.LayerNorm(6), nn.Linear(6, 4)
    nan = torch.full((4, 6), float("nan"))
    no_bias = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    for call, message in (
        (lambda: equalization_scales(torch.ones(5, 3), torch.ones(4, 6)), "makes 5 channels, and the second takes 6"),
        (lambda: equalization_scales(nan, torch.ones(4, 4)), "finite"),
        (lambda: equalize(uneven, [("0", "1")]), "'1' is no convolution"),
        (lambda: equalize(uneven, [("2", "8")]), "makes 8 channels"),
        (lambda: correct_bias(no_bias, no_bias, ["0"], torch.ones(1, 1, 2, 2)), "no bias to correct"),
        (lambda: smoothing_scales(torch.ones(3), torch.ones(4, 6)), "one maximum for each input"),
        (lambda: smoothing_scales(torch.ones(6), torch.ones(4, 6), 2.0), "from 0 to 1; got 2.0"),
        (lambda: smooth(norm, [], torch.ones(6)), "at least one linear layer"),
        (lambda: smooth(nn.LayerNorm(5), [linear], torch.ones(6)), r"\(5,\) weights"),
        (lambda: choose_bits({"a": {4: 0.1}}, {"a": 10}, 39), "take 40"),
        (lambda: choose_bits({"a": {4: 0.1}}, {"b": 10}, 39), "same layers"),
        (lambda: layer_sensitivity(uneven, lambda model: float("nan")), "finite number"),
        (lambda: layer_sensitivity(uneven, lambda model: 0.0, bits=()), "at least one number"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert all(torch.equal(value, before[name]) for name, value in uneven.state_dict().items())
