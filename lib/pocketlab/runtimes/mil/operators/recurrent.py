"""Recurrent layers: one layer, in one direction or (`lstm`) in both.

Of the two directions each has its own order of results, as Apple's runtime has: "reverse" gives them as it computed them,
the last time step first; "bidirectional" gives both halves in the order of the input.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15, iOS17 and iOS18, recurrent.py, and its tests
beside them (mil/ops/tests), which compare Apple's runtime with NumPy and PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

from pocketlab.runtimes.mil.registry import operator

Activation = Callable[[Tensor], Tensor]
Layer = tuple[Tensor, Tensor, Tensor | None, Tensor | None]

_ACTIVATIONS: dict[str, Activation] = {
    "tanh": torch.tanh,
    "scaled_tanh": torch.tanh,  # scaled by 1, and there is no parameter for another number
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda x: (0.2 * x + 0.5).clamp_(0, 1),
    "sigmoid_hard": lambda x: (0.2 * x + 0.5).clamp_(0, 1),
    "relu": torch.relu,
    "linear": lambda x: x,
}
_IFZO = (0, 1, 3, 2)  # torch's order of an LSTM's gates, which are i, f, o, z here
_RZO = (0, 2, 1)  # and of a GRU's, which are r, o, z here
_REORDERED: dict[tuple[int, ...], WeakTensorKeyDictionary] = {order: WeakTensorKeyDictionary() for order in (_IFZO, _RZO)}


@operator()
def rnn(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    direction: str,
    output_sequence: bool,
    activation: str,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the states (time or 1, batch, hidden) and the last one (batch, hidden): activation(W_i x + W_h h + bias).

    x: (time, batch, features). initial_h: (batch, hidden).
    """
    x = x.flip(0) if direction == "reverse" else x
    act = _activation(activation)
    if act in (torch.tanh, torch.relu):
        fused = torch.rnn_tanh if act is torch.tanh else torch.rnn_relu
        weights = [weight_ih, weight_hh] if bias is None else [weight_ih, weight_hh, bias, torch.zeros_like(bias)]
        states, last = fused(x, initial_h[None], weights, bias is not None, 1, 0.0, False, False, False)
        return (states if output_sequence else last), last[0]

    def step(inputs: Tensor, h: Tensor) -> Tensor:
        return act(inputs + functional.linear(h, weight_hh))

    return _states(functional.linear(x, weight_ih, bias), initial_h, step, output_sequence)


@operator()
def gru(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    direction: str,
    output_sequence: bool,
    recurrent_activation: str,
    activation: str,
    bias: Tensor | None = None,
    reset_after: bool = False,
    input_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the states (time or 1, batch, hidden) and the last one (batch, hidden). The gates are r, o, z in the weights.

    r and z are sigmoid(W_i x + W_h h + b), and h becomes (1 - z) o + z h. What r resets makes two kinds of GRU: before its
    multiplication, o = tanh(W_i x + W_h (r h) + b); after it, as in PyTorch, o = tanh(W_i x + b_i + r (W_h h + b)).
    """
    x = x.flip(0) if direction == "reverse" else x
    hidden = weight_hh.shape[1]
    weight_ih, weight_hh = _reordered(weight_ih, _RZO), _reordered(weight_hh, _RZO)
    none = weight_ih.new_zeros(3 * hidden)
    bias_ih, bias_hh = (none if b is None else _reordered(b, _RZO) for b in (input_bias, bias))
    gate, act = _activation(recurrent_activation), _activation(activation)
    if reset_after and gate is torch.sigmoid and act is torch.tanh:
        weights = [weight_ih, weight_hh, bias_ih, bias_hh]
        states, last = torch.gru(x, initial_h[None], weights, True, 1, 0.0, False, False, False)
        return (states if output_sequence else last), last[0]
    gates_hh, out_hh = weight_hh.split(2 * hidden)
    gates_bias, out_bias = bias_hh.split(2 * hidden)

    def step(inputs: Tensor, h: Tensor) -> Tensor:
        reset, update = gate(inputs[:, : 2 * hidden] + functional.linear(h, gates_hh, gates_bias)).split(hidden, 1)
        if reset_after:
            recurrent = reset * functional.linear(h, out_hh, out_bias)
        else:
            recurrent = functional.linear(reset * h, out_hh, out_bias)
        return torch.lerp(act(inputs[:, 2 * hidden :] + recurrent), h, update)

    return _states(functional.linear(x, weight_ih, bias_ih), initial_h, step, output_sequence)


@operator()
def lstm(
    x: Tensor,
    initial_h: Tensor,
    initial_c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    direction: str,
    output_sequence: bool,
    recurrent_activation: str,
    cell_activation: str,
    activation: str,
    bias: Tensor | None = None,
    peephole: Tensor | None = None,
    weight_ih_back: Tensor | None = None,
    weight_hh_back: Tensor | None = None,
    bias_back: Tensor | None = None,
    peephole_back: Tensor | None = None,
    clip: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the states h (time or 1, batch, hidden), the last h and the last cell state c (batch, hidden each).

    The gates are i, f, o, z in the weights. i, f, o are sigmoid(W_i x + W_h h + b + p c), z is tanh without p c;
    c becomes f c + i z, cut off at -clip and clip; o is computed with this new c; h becomes o tanh(c). With
    "bidirectional", hidden is twice as wide everywhere but in the weights: forwards, then backwards.
    """
    x = x.flip(0) if direction == "reverse" else x
    layers: list[Layer] = [(weight_ih, weight_hh, bias, peephole)]
    if direction == "bidirectional":
        if weight_ih_back is None or weight_hh_back is None:
            raise ValueError("it is bidirectional, and weight_ih_back and weight_hh_back are missing.")
        layers.append((weight_ih_back, weight_hh_back, bias_back, peephole_back))
    hidden = weight_hh.shape[1]
    h, c = (state.unflatten(1, (-1, hidden)).transpose(0, 1).contiguous() for state in (initial_h, initial_c))
    gates = tuple(_activation(name) for name in (recurrent_activation, cell_activation, activation))
    if gates == (torch.sigmoid, torch.tanh, torch.tanh) and clip is None and all(layer[3] is None for layer in layers):
        states, h, c = _fused_lstm(x, h, c, layers)
    else:
        ways = [_lstm(x.flip(0) if way else x, h[way], c[way], *layer, gates, clip) for way, layer in enumerate(layers)]
        states = torch.cat([way[0].flip(0) if index else way[0] for index, way in enumerate(ways)], 2)
        h, c = (torch.stack([way[state] for way in ways]) for state in (1, 2))
    h, c = h.transpose(0, 1).flatten(1), c.transpose(0, 1).flatten(1)
    return (states if output_sequence else h[None]), h, c


def _fused_lstm(x: Tensor, h: Tensor, c: Tensor, layers: list[Layer]) -> tuple[Tensor, Tensor, Tensor]:
    """Return states, last h and last c of torch's own LSTM. h, c: (directions, batch, hidden)."""
    biased = any(layer[2] is not None for layer in layers)
    weights = []
    for weight_ih, weight_hh, bias, _ in layers:
        weights += [_reordered(weight_ih, _IFZO), _reordered(weight_hh, _IFZO)]
        if biased:  # torch has one more for W_h h
            none = weight_ih.new_zeros(len(weight_ih))
            weights += [none if bias is None else _reordered(bias, _IFZO), none]
    return torch.lstm(x, (h, c), weights, biased, 1, 0.0, False, len(layers) == 2, False)


def _lstm(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None,
    peephole: Tensor | None,
    activations: tuple[Activation, ...],
    clip: float | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return states, last h and last c of one direction, step by step. h, c: (batch, hidden)."""
    gate, cell, act = activations
    hidden = h.shape[1]
    peep_i, peep_f, peep_o = (0.0, 0.0, 0.0) if peephole is None else peephole.split(hidden)
    states = []
    for inputs in functional.linear(x, weight_ih, bias):
        i, f, o, z = (inputs + functional.linear(h, weight_hh)).split(hidden, 1)
        c = gate(f + peep_f * c) * c + gate(i + peep_i * c) * cell(z)
        c = c if clip is None else c.clamp(-clip, clip)
        h = gate(o + peep_o * c) * act(c)
        states.append(h)
    return torch.stack(states), h, c


def _states(
    inputs: Tensor, h: Tensor, step: Callable[[Tensor, Tensor], Tensor], output_sequence: bool
) -> tuple[Tensor, Tensor]:
    """Return all states, or the last one, (time or 1, batch, hidden), and the last one (batch, hidden)."""
    states = []
    for at_one_time in inputs:
        h = step(at_one_time, h)
        states.append(h)
    return (torch.stack(states) if output_sequence else h[None]), h


def _activation(name: str) -> Activation:
    if name.lower() not in _ACTIVATIONS:
        raise ValueError(f"the activation {name!r} is not known; known are {', '.join(_ACTIVATIONS)}.")
    return _ACTIVATIONS[name.lower()]


def _reordered(weight: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return a weight or bias with its gates in torch's order. Remembered for as long as the weight, a constant, lives."""
    known = _REORDERED[order]
    if weight not in known:
        gates = weight.chunk(len(order))
        known[weight] = torch.cat([gates[index] for index in order])
    return known[weight]
