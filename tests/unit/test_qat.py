from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pocketlab.compression.qat import (
    LearnedScale,
    fake_quantize,
    fake_quantize_gradients,
    finish_qat,
    prepare_qat,
    quantize_weights,
)
from pocketlab.compression.quantization import dequantize, quantize, weight_scales


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("zero_point", [0, -1])
def test_forward_is_quantize_and_back(bits, zero_point):
    x = randn(5, 7)
    expected = dequantize(quantize(x.numpy(), 0.3, zero_point, bits=bits), 0.3, zero_point)
    # x/scale in float32 may fall on the other side of a half only within an ulp of it; none of these does.
    np.testing.assert_allclose(fake_quantize(x, 0.3, zero_point, bits=bits), expected, rtol=1e-6)


def test_the_gradient_goes_straight_through_and_stops_at_the_ends():
    x = torch.tensor([-100.0, -0.26, 0.0, 0.76, 100.0], requires_grad=True)
    fake_quantize(x, 0.1, bits=4).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0, 0]  # 4 bits reach from -0.8 to 0.7


def test_the_scales_gradient_is_that_of_lsq():
    """Equation 3 of the paper: −x/s + round(x/s) inside, the limit outside."""
    x = torch.tensor([0.34, -0.12, 5.0, -5.0])
    scale = torch.tensor(0.2, requires_grad=True)
    fake_quantize(x, scale, bits=3).backward(torch.ones(4))
    inside = (x[:2] / 0.2).round() - x[:2] / 0.2
    assert float(scale.grad) == pytest.approx(float(inside.sum()) + 3 - 4, rel=1e-5)


def test_learned_scales_start_and_slow_down_as_published():
    w = randn(4, 3, 3, 3)
    learned = LearnedScale(w, bits=4)
    assert learned.scale.shape == (4, 1, 1, 1)
    np.testing.assert_allclose(learned.scale.detach().flatten(), 2 * w.abs().mean((1, 2, 3)) / 7**0.5, rtol=1e-6)
    np.testing.assert_array_equal(learned(w).detach(), fake_quantize(w, learned.scale.detach(), bits=4, narrow_range=True))
    learned(w).sum().backward()
    plain = learned.scale.detach().clone().requires_grad_()
    fake_quantize(w, plain, bits=4, narrow_range=True).sum().backward()
    np.testing.assert_allclose(learned.scale.grad, plain.grad / (27 * 7) ** 0.5, rtol=1e-5)
    assert LearnedScale(w, bits=4, per_channel=False).scale.numel() == 1


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def levels(weight):
    return max(len(row.unique()) for row in weight.detach().flatten(1))


def test_training_with_learned_scales_lowers_the_loss_and_ends_on_the_grid():
    net, x, y = small_net(), randn(64, 1, 4, 4), torch.arange(64) % 3
    untouched = copy.deepcopy(net.state_dict())
    prepared = prepare_qat(net, 2)
    assert len([name for name, _ in prepared.named_parameters() if name.endswith("scale")]) == 2
    optimizer = torch.optim.Adam(prepared.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(prepared(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
    finished = finish_qat(prepared)
    assert levels(finished[0].weight) <= 3
    assert levels(finished[3].weight) <= 3  # −1, 0 and 1 times the scale
    assert set(finished.state_dict()) == set(net.state_dict())
    torch.testing.assert_close(finished(x), prepared(x))
    assert all(torch.equal(value, untouched[name]) for name, value in net.state_dict().items())


def test_after_training_quantization_is_the_librarys():
    net = small_net()
    got = quantize_weights(net, 4)
    w = net[0].weight.detach().numpy()
    scales = weight_scales(w, bits=4)
    expected = dequantize(quantize(w, scales, bits=4, narrow_range=True), scales)
    np.testing.assert_allclose(got[0].weight.detach(), expected, rtol=1e-6, atol=1e-7)


def test_layers_may_have_different_bits_or_none():
    mixed = quantize_weights(small_net(), {"3.weight": 2})
    assert levels(mixed[3].weight) <= 3
    assert levels(mixed[0].weight) == 9
    assert levels(finish_qat(prepare_qat(small_net(), {"0.weight": 2}))[0].weight) <= 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fake_quantize(torch.ones(2), 0.0), "positive and finite; got \\[0.0\\]"),
        (lambda: fake_quantize(torch.tensor([float("nan")]), 1.0), "NaN"),
        (lambda: fake_quantize(torch.ones(2), 1.0, bits=0), "bits must"),
        (lambda: fake_quantize(torch.ones(2), 1.0, bits=17), "bits must"),
        (lambda: LearnedScale(torch.tensor([float("nan")]), bits=4), "finite"),
        (lambda: prepare_qat(small_net(), 0), "bits must"),
        (lambda: prepare_qat(small_net(), {"9.weight": 4}), "no weight '9.weight'"),
        (lambda: quantize_weights(small_net(), {"9.weight": 4}), "no weight '9.weight'"),
    ],
)
def test_what_cannot_be_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_zero_channels_stay_zero():
    net = small_net()
    with torch.no_grad():
        net[0].weight[1] = 0
    assert not quantize_weights(net, 4)[0].weight[1].any()
    assert not finish_qat(prepare_qat(net, 4))[0].weight[1].any()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_written_out_slopes_are_those_of_autograd(bits):
    w = randn(6, 5).double().requires_grad_()
    scale = torch.tensor(0.13, dtype=torch.float64, requires_grad=True)
    values = fake_quantize(w, scale, bits=bits, narrow_range=True)
    ours = fake_quantize_gradients(w.detach().numpy(), 0.13, bits)
    np.testing.assert_allclose(ours[0], values.detach(), rtol=1e-12)
    by_weight, by_scale = torch.autograd.grad(values.sum(), (w, scale))
    np.testing.assert_array_equal(ours[1], by_weight)
    np.testing.assert_allclose(ours[2].sum(), by_scale, rtol=1e-12)


def test_slopes_refuse_what_has_no_grid():
    for call, message in (
        (lambda: fake_quantize_gradients(np.ones(2), 0.0), "positive and finite; got 0.0"),
        (lambda: fake_quantize_gradients(np.array([np.nan]), 1.0), "NaN"),
        (lambda: fake_quantize_gradients(np.ones(2), 1.0, 1), "bits must"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
