"""Rounding to nearest, GPTQ and AWQ: of single layers against their definitions, and of whole decoders."""

from __future__ import annotations

import dataclasses

import llm_networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketlab.compression.packing import quantize_groups
from pocketlab.compression.quantization import sqnr_db
from pocketlab.llm.awq import SHARES, channel_scales, search_ranges, search_scales
from pocketlab.llm.gptq import gptq, output_error
from pocketlab.llm.grids import Grid, round_to_nearest
from pocketlab.llm.model import Decoder
from pocketlab.llm.weights import READERS, activation_channels, linear_layers, quantize_model

SALIENT = (3, 17)  # channels of the normalized stream that are far larger than the others
KINDS = ("llama", "gemma2", "every head its own")


def plain_decoder(kind: str) -> Decoder:
    own_heads = kind == "every head its own"
    config = llm_networks.OURS["llama" if own_heads else kind]
    config = dataclasses.replace(config, kv_heads=config.heads) if own_heads else config
    return llm_networks.draw(Decoder(config)).eval()


def decoder(kind: str = "llama") -> Decoder:
    """A decoder of random weights whose norms make two channels 20 times larger than the rest, as trained ones have."""
    model = plain_decoder(kind)
    with torch.no_grad():
        for block in model.blocks:
            for norm in (block.attention_norm, block.feed_forward_norm):
                norm.weight[list(SALIENT)] = 10.0
    return model


def inputs_of(model: Decoder, tokens: Tensor) -> dict[str, Tensor]:
    """What each linear layer is given, (rows, inputs) float64."""
    found: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, x, name=name: found.update({name: x[0].flatten(0, 1).double()}))
        for name, layer in linear_layers(model).items()
    ]
    llm_networks.logits(model, tokens)
    for hook in hooks:
        hook.remove()
    return found


def hessian_of(x: Tensor) -> Tensor:
    return x.T @ x / len(x)


def correlated(rows: int, inputs: int, seed: int = 0) -> Tensor:
    """Inputs whose channels hang together and differ in size."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(inputs, inputs, generator=generator, dtype=torch.float64)
    return torch.randn(rows, inputs, generator=generator, dtype=torch.float64) @ mixing


def weight_of(outputs: int, inputs: int, seed: int = 1) -> Tensor:
    return torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Round to nearest


@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_rounding_is_that_of_the_compression_package(bits):
    weight = weight_of(6, 64)
    ours, theirs = round_to_nearest(weight, bits, 16), quantize_groups(weight.numpy(), 16, bits=bits, symmetric=False)
    half = 2 ** (bits - 1)  # its integers are signed
    np.testing.assert_array_equal(ours.integers.numpy().astype(int), theirs.integers.astype(int) + half)
    np.testing.assert_array_equal(ours.zero_points.numpy(), theirs.zero_points + half)
    np.testing.assert_array_equal(ours.scales.numpy(), theirs.scales.astype(np.float32))
    # One rounding to float32 of the scale, and one of the product.
    np.testing.assert_allclose(ours.weights().numpy(), theirs.weights(), rtol=2**-22)
    assert ours.size_bits == theirs.size_bits


@pytest.mark.parametrize(("inputs", "group_size"), [(64, 64), (172, 64), (5, 8), (7, 1)])
def test_each_weight_is_off_by_half_a_step_at_most(inputs, group_size):
    weight = weight_of(4, inputs)
    grid = round_to_nearest(weight, 3, group_size)
    assert grid.scales.shape == (4, -(-inputs // group_size))
    steps = grid.scales.repeat_interleave(group_size, dim=1)[:, :inputs]
    # A zero point is rounded too, so the end of the range can be off by half a step more, and is clipped there.
    assert bool(((grid.weights() - weight).abs() <= (1 + 1e-6) * steps).all())
    assert bool(((grid.weights() - weight).abs() <= (0.5 + 1e-6) * steps).double().mean() > 0.9)


def test_the_last_group_is_rounded_like_a_matrix_of_its_own():
    weight = weight_of(4, 172)
    whole, last = round_to_nearest(weight, 3, 64), round_to_nearest(weight[:, 128:], 3, 44)
    assert torch.equal(whole.weights()[:, 128:], last.weights())


def test_zeros_stay_zeros():
    weight = torch.zeros(2, 8)
    weight[1, 4:] = torch.tensor([1.0, 2.0, 0.0, 3.0])
    restored = round_to_nearest(weight, 2, 4).weights()
    assert torch.equal(restored, weight)


@pytest.mark.parametrize(
    ("weight", "bits", "group_size", "message"),
    [
        (torch.ones(2, 4), 1, 4, "2 to 8 bits; got 1"),
        (torch.ones(2, 4), 9, 4, "2 to 8 bits; got 9"),
        (torch.ones(2, 4), 4, 0, "group_size of 0"),
        (torch.ones(4), 4, 4, r"\(outputs, inputs\), finite"),
        (torch.full((2, 4), torch.nan), 4, 4, "finite"),
    ],
)
def test_what_cannot_be_quantized_is_refused(weight, bits, group_size, message):
    with pytest.raises(ValueError, match=message):
        round_to_nearest(weight, bits, group_size)
    with pytest.raises(ValueError, match=message):
        gptq(weight, torch.eye(4), bits, group_size)


# GPTQ


def textbook_gptq(weight: Tensor, hessian: Tensor, bits: int, group_size: int) -> np.ndarray:
    """Optimal brain surgeon one column at a time, with the inverse eliminated step by step: equations 2 and 3 of the paper."""
    w, h = weight.numpy().copy(), hessian.numpy().copy()
    h[np.diag_indices_from(h)] += 0.01 * np.diag(h).mean()
    inverse = np.linalg.inv(h)
    top = 2**bits - 1
    for column in range(w.shape[1]):
        if column % group_size == 0:
            group = w[:, column : column + group_size]
            low, high = np.minimum(group.min(1), 0), np.maximum(group.max(1), 0)
            scale = (high - low) / top
            zero_point = np.round(-low / scale)
        rounded = scale * (np.clip(np.round(w[:, column] / scale) + zero_point, 0, top) - zero_point)
        error = (w[:, column] - rounded) / inverse[column, column]
        w[:, column:] -= np.outer(error, inverse[column, column:])
        w[:, column] = rounded
        inverse -= np.outer(inverse[:, column], inverse[column]) / inverse[column, column]
    return w


@pytest.mark.parametrize(("bits", "group_size"), [(4, 16), (3, 48), (2, 20)])
def test_gptq_is_the_textbook_s(bits, group_size):
    weight, hessian = weight_of(10, 48), hessian_of(correlated(200, 48))
    grid = gptq(weight, hessian, bits, group_size)
    expected = textbook_gptq(weight, hessian, bits, group_size)
    # The same integers: any other would be off by a whole step. Scales are kept in float32.
    np.testing.assert_allclose(grid.weights().numpy(), expected, rtol=1e-6, atol=1e-6)


def test_gptq_does_not_depend_on_a_factor_and_is_rounding_where_channels_are_independent():
    weight, hessian = weight_of(10, 32), hessian_of(correlated(100, 32))
    scaled = gptq(weight, 7.0 * hessian, 3, 16)
    assert torch.equal(scaled.integers, gptq(weight, hessian, 3, 16).integers)
    independent = torch.diag(torch.arange(1.0, 33.0, dtype=torch.float64))
    assert torch.equal(gptq(weight, independent, 3, 16).integers, round_to_nearest(weight, 3, 16).integers)


def test_an_input_that_was_always_zero_is_rounded_to_nearest():
    weight, x = weight_of(5, 16), correlated(100, 16)
    x[:, 4] = 0.0
    grid = gptq(weight, hessian_of(x), 8, 1)  # a group of 1 has its weight on the grid, whatever it has become by then
    assert torch.allclose(grid.weights()[:, 4].double(), weight[:, 4], rtol=1e-6)
    never = gptq(weight, torch.zeros(16, 16), 3, 16)
    assert torch.equal(never.integers, round_to_nearest(weight, 3, 16).integers)


def test_a_hessian_of_another_layer_is_refused():
    with pytest.raises(ValueError, match=r"16 inputs need a finite hessian \(16, 16\); got one of \(8, 8\)"):
        gptq(weight_of(2, 16), torch.eye(8), 4, 8)


def test_the_output_error_is_that_of_the_outputs():
    x, change = correlated(50, 12), weight_of(7, 12)
    expected = float((x @ change.T).square().sum(1).mean())
    assert output_error(change, hessian_of(x)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bits", [8, 4, 3])  # with 2 it can lose in a layer whose inputs hardly hang together: it is greedy
def test_gptq_changes_the_outputs_of_every_layer_less_than_rounding(bits):
    model = decoder()
    for name, x in inputs_of(model, llm_networks.tokens(8, 64)).items():
        weight, hessian = linear_layers(model)[name].weight.detach().double(), hessian_of(x)
        ours, theirs = gptq(weight, hessian, bits, 16), round_to_nearest(weight, bits, 16)
        assert output_error(ours.weights() - weight, hessian) < output_error(theirs.weights() - weight, hessian), name


# AWQ


def test_scales_are_powers_of_the_activations_around_one():
    activations = torch.tensor([0.25, 1.0, 4.0])
    assert torch.equal(channel_scales(activations, 0.0), torch.ones(3))
    assert torch.allclose(channel_scales(activations, 0.5), torch.tensor([0.5, 1.0, 2.0]))
    assert bool(channel_scales(torch.tensor([0.0, 1.0]), 0.95).isfinite().all())


@pytest.mark.parametrize("bits", [4, 3, 2])
def test_awq_changes_the_outputs_of_every_group_of_layers_no_more_than_rounding(bits):
    model = decoder()
    inputs = inputs_of(model, llm_networks.tokens(8, 64))
    gains = {}
    for index in range(len(model.blocks)):
        for readers in READERS:
            names = [f"blocks.{index}.{reader}" for reader in readers]
            x, weights = inputs[names[0]], [linear_layers(model)[name].weight.detach().double() for name in names]
            scales, alpha = search_scales(weights, x.abs().mean(0), hessian_of(x), bits, 16)
            assert 0 <= alpha < 1
            wanted = x @ torch.cat(weights).T
            rounded = x @ torch.cat([round_to_nearest(weight, bits, 16).weights().double() for weight in weights]).T
            protected = [round_to_nearest(weight * scales, bits, 16).weights().double() for weight in weights]
            errors = [float((y - wanted).square().mean()) for y in (rounded, x / scales @ torch.cat(protected).T)]
            gains[names[0]] = errors[0] / errors[1]
            # What the search computes from the mean of x·xᵀ is what the outputs say, but for rounding scales to float32.
            assert errors[1] <= errors[0] * (1 + 1e-5), names
    # Where two channels are 20 times larger, most of the error is theirs, and protecting them takes a good part of it away.
    behind_norms = [gain for name, gain in gains.items() if name.endswith(("query", "gate"))]
    assert min(behind_norms) > 1.5


def test_ranges_are_narrowed_where_that_makes_the_output_better():
    weight, x = weight_of(20, 40), correlated(200, 40)
    weight[0, 5] = 9.0  # an outlier
    kept = search_ranges(weight, hessian_of(x), 3, 16)
    assert kept.shape == (20, 3)
    assert bool(((kept > 0.5) & (kept <= 1)).all())

    def errors(kept: Tensor | float) -> Tensor:
        return (x @ (round_to_nearest(weight, 3, 16, kept).weights() - weight).T).square().mean(0)

    found = errors(kept)
    assert bool((found <= errors(1.0) * (1 + 1e-5)).all())
    assert float(found.sum()) < float(errors(1.0).sum())
    # The group whose turn came last has the best of all shares, given what the others have.
    for share in SHARES:
        other = kept.clone()
        other[:, 2] = share
        assert bool((found <= errors(other) * (1 + 1e-5)).all())


# Whole decoders


def on_its_grid(layer: nn.Linear, grid: Grid) -> bool:
    return torch.equal(layer.weight, grid.weights()) and int(grid.integers.max()) < 2**grid.bits


def test_the_layers_inside_of_the_blocks_are_found():
    layers = linear_layers(decoder())
    assert len(layers) == 3 * 7
    assert list(layers)[:2] == ["blocks.0.attention.query", "blocks.0.attention.key"]
    assert layers["blocks.2.feed_forward.down"].weight.shape == (32, 48)


def test_the_salient_channels_are_found():
    model, tokens = decoder(), llm_networks.tokens(4, 32)
    channels, inputs = activation_channels(model, tokens), inputs_of(model, tokens)
    assert channels.keys() == linear_layers(model).keys()
    for name, x in inputs.items():
        torch.testing.assert_close(channels[name].double(), x.abs().mean(0), rtol=1e-5, atol=0)
    for reader in ("attention.key", "feed_forward.up"):
        assert set(channels[f"blocks.1.{reader}"].topk(2).indices.tolist()) == set(SALIENT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["rtn", "gptq", "awq"])
def test_8_bits_are_nearly_lossless(kind, method):
    model, tokens = plain_decoder(kind), llm_networks.tokens(4, 32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    quantized = quantize_model(model, method, 8, 16, tokens)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert list(quantized.grids) == list(linear_layers(model))
    layers = linear_layers(quantized.model)
    assert all(on_its_grid(layers[name], grid) for name, grid in quantized.grids.items())
    assert torch.equal(quantized.model.output.weight, model.output.weight)
    # 16 normal weights span about 3.5 σ; a step is 1/255 of that, so each layer has 20·log10(255·√12 / 3.5) = 48 dB. The noise
    # of 21 layers adds up to 13 dB less, and a softmax or an activation may amplify it: leave them 10 dB.
    assert sqnr_db(llm_networks.logits(model, tokens).numpy(), llm_networks.logits(quantized.model, tokens).numpy()) > 25


@pytest.mark.parametrize("kind", KINDS)
def test_scaling_and_what_undoes_it_cancel(kind):
    # In groups of 1 each weight is on its grid exactly, so that all that AWQ changes is scales and what they are divided from.
    model, tokens = decoder(kind), llm_networks.tokens(4, 32)
    quantized = quantize_model(model, "awq", 3, 1, tokens).model
    # Float32's roundings are 2⁻²⁴ of each number: a thousand of them add to 2⁻¹⁴, 84 dB.
    assert sqnr_db(llm_networks.logits(model, tokens).numpy(), llm_networks.logits(quantized, tokens).numpy()) > 84


@pytest.mark.parametrize("bits", [3, 2])
def test_both_methods_repair_what_rounding_breaks(bits):
    model, calibration, unseen = decoder(), llm_networks.tokens(16, 64), llm_networks.tokens(8, 64, seed=2)
    wanted = llm_networks.logits(model, unseen)

    def error(method: str) -> float:
        return float((llm_networks.logits(quantize_model(model, method, bits, 16, calibration).model, unseen) - wanted).norm())

    assert error("gptq") < error("rtn")
    assert error("awq") < error("rtn")


def test_a_calibration_leaves_no_hooks_behind_even_if_it_fails():
    model = decoder()
    with pytest.raises(ValueError, match="Token ids"):
        quantize_model(model, "gptq", 4, 16, torch.full((1, 4), 10_000))
    quantized = quantize_model(model, "awq", 4, 16, llm_networks.tokens(1, 8)).model
    assert not any(module._forward_pre_hooks for network in (model, quantized) for module in network.modules())


def test_methods_and_calibrations_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='"rtn", "gptq" and "awq"; got \'best\''):
        quantize_model(decoder(), "best", 4, 16, llm_networks.tokens(1, 8))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="awq looks at activations: give it calibration tokens"):
        quantize_model(decoder(), "awq", 4, 16)
    with pytest.raises(ValueError, match="2 to 8 bits; got 1"):
        quantize_model(decoder(), "rtn", 1, 16)
