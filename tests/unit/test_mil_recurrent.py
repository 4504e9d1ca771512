from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mil_harness import mb, program, run_as_declared, run_operator

from pocketlab.errors import PocketlabError
from pocketlab.runtimes.mil.interpreter import Interpreter
from pocketlab.runtimes.mil.operators import recurrent

SEEDS = st.integers(0, 2**32 - 1)
SMALL = st.integers(1, 4)
ACTIVATIONS = ["tanh", "scaled_tanh", "sigmoid", "hard_sigmoid", "relu", "linear"]
# A gate sums at most 4 + 4 products and 3 more terms of numbers up to about 1, 11 roundings of 2^-24; the few products after it
# double that. With weights up to 0.5 and 4 hidden elements an error can double in a time step, and there are at most 5:
# 2 * 11 * 2^-24 * 2^5, relative to the largest number that occurs.
TOLERANCE = 2 * 11 * 2.0**-24 * 2**5


def close(ours, expected):
    for our, their in zip(ours, expected, strict=True):
        assert our.shape == their.shape
        np.testing.assert_allclose(our, their, rtol=0, atol=TOLERANCE * max(1, np.abs(their).max()))


def uniform(rng, *shape, limit=0.5):
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def activate(name, x):
    return {
        "tanh": np.tanh, "scaled_tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0),
        "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1), "linear": lambda x: x,
    }[name](x)  # fmt: skip


def results(states, output_sequence):
    return np.stack(states) if output_sequence else states[-1][None]


def given_ones(**arguments):
    return {name: value for name, value in arguments.items() if value is not None}


# --- The simple one -----------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 5), SMALL, SMALL, SMALL, st.sampled_from(ACTIVATIONS), st.booleans(), st.booleans(), st.booleans())
def test_rnn_is_its_definition(seed, time, batch, features, hidden, activation, reverse, sequence, biased):
    rng = np.random.default_rng(seed)
    x, h = uniform(rng, time, batch, features, limit=1), uniform(rng, batch, hidden, limit=1)
    weight_ih, weight_hh = uniform(rng, hidden, features), uniform(rng, hidden, hidden)
    bias = uniform(rng, hidden) if biased else None
    ours = run_as_declared(
        "rnn", {"x": x, "initial_h": h}, weight_ih=weight_ih, weight_hh=weight_hh, activation=activation,
        direction="reverse" if reverse else "forward", output_sequence=sequence, **given_ones(bias=bias),
    )  # fmt: skip
    states, state = [], h.astype(np.float64)
    for step in x[::-1] if reverse else x:  # results are in the order of computation: coremltools' tests flip x only
        state = activate(activation, step @ weight_ih.T + state @ weight_hh.T + (0 if bias is None else bias))
        states.append(state)
    close(ours, [results(states, sequence), state])


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_rnn_as_the_converter_writes_torchs(nonlinearity):
    torch.manual_seed(0)
    layer = torch.nn.RNN(3, 4, nonlinearity=nonlinearity)
    x, h = torch.randn(5, 2, 3), torch.randn(1, 2, 4)
    states, last = layer(x, h)
    weight_ih, weight_hh, bias_ih, bias_hh = (parameter.detach().numpy() for parameter in layer.parameters())
    ours = run_operator(
        "rnn", {"x": x.numpy(), "initial_h": h[0].numpy()}, weight_ih=weight_ih, weight_hh=weight_hh, bias=bias_ih + bias_hh,
        activation=nonlinearity, output_sequence=True,
    )  # fmt: skip
    close(ours, [states.detach().numpy(), last[0].detach().numpy()])


# --- GRU ----------------------------------------------------------------------------------------------------------------


def gru(x, h, weight_ih, weight_hh, bias, input_bias, reset_after, gate, activation):
    """The states of a GRU, as NumPy has it in coremltools' tests (iOS14/test_recurrent.py; iOS 18's against torch)."""
    h, hidden = h.astype(np.float64), h.shape[1]
    (i_r, i_o, i_z), (h_r, h_o, h_z) = np.split(weight_ih, 3), np.split(weight_hh, 3)
    zero = np.zeros(3 * hidden)
    bi_r, bi_o, bi_z = np.split(zero if input_bias is None else input_bias, 3)
    b_r, b_o, b_z = np.split(zero if bias is None else bias, 3)
    states = []
    for step in x:
        z = activate(gate, step @ i_z.T + bi_z + h @ h_z.T + b_z)
        r = activate(gate, step @ i_r.T + bi_r + h @ h_r.T + b_r)
        recurrent_part = r * (h @ h_o.T + b_o) if reset_after else (r * h) @ h_o.T + b_o
        o = activate(activation, step @ i_o.T + bi_o + recurrent_part)
        h = (1 - z) * o + z * h
        states.append(h)
    return states


@pytest.mark.parametrize("usual", [True, False])
@pytest.mark.parametrize("after", [True, False])
@settings(max_examples=15, deadline=None)
@given(
    SEEDS, st.integers(1, 5), SMALL, SMALL, SMALL, st.sampled_from(["hard_sigmoid", "sigmoid", "tanh"]),
    st.sampled_from(ACTIVATIONS), st.booleans(), st.booleans(), st.sampled_from(["", "bias", "both", "input"]),
)  # fmt: skip
def test_gru_is_its_definition(after, usual, seed, time, batch, features, hidden, gate, activation, reverse, sequence, biases):
    gate, activation = ("sigmoid", "tanh") if usual else (gate, activation)
    rng = np.random.default_rng(seed)
    x, h = uniform(rng, time, batch, features, limit=1), uniform(rng, batch, hidden, limit=1)
    weight_ih, weight_hh = uniform(rng, 3 * hidden, features), uniform(rng, 3 * hidden, hidden)
    bias = uniform(rng, 3 * hidden) if biases in ("bias", "both") else None
    input_bias = uniform(rng, 3 * hidden) if biases in ("input", "both") else None
    new = {} if not after and input_bias is None else given_ones(reset_after=after, input_bias=input_bias)
    ours = run_as_declared(
        "gru", {"x": x, "initial_h": h}, "iOS18" if new else "iOS15", weight_ih=weight_ih, weight_hh=weight_hh,
        direction="reverse" if reverse else "forward", output_sequence=sequence, recurrent_activation=gate,
        activation=activation, **given_ones(bias=bias), **new,
    )  # fmt: skip
    states = gru(x[::-1] if reverse else x, h, weight_ih, weight_hh, bias, input_bias, after, gate, activation)
    close(ours, [results(states, sequence), states[-1]])


@pytest.mark.parametrize("biased", [True, False])
def test_gru_that_resets_after_is_torchs(biased):
    # the mapping of coremltools' iOS18/test_recurrent.py
    torch.manual_seed(0)
    layer = torch.nn.GRU(3, 4, bias=biased)
    x, h = torch.randn(5, 2, 3), torch.randn(1, 2, 4)
    states, last = layer(x, h)

    def rzo_to_roz(parameter):
        r, z, o = np.split(parameter.detach().numpy(), 3)
        return np.concatenate([r, o, z])

    names = ["weight_ih", "weight_hh", "input_bias", "bias"]
    parameters = dict(zip(names, map(rzo_to_roz, layer.parameters()), strict=False))
    ours = run_operator(
        "gru", {"x": x.numpy(), "initial_h": h[0].numpy()}, "iOS18", reset_after=True, output_sequence=True, **parameters
    )
    close(ours, [states.detach().numpy(), last[0].detach().numpy()])


# --- LSTM ---------------------------------------------------------------------------------------------------------------


def lstm(x, h, c, weight_ih, weight_hh, bias, peephole, gate, cell, activation, clip):
    """The states of an LSTM in one direction and its last c, as NumPy has it in coremltools' tests (iOS14/test_recurrent.py)."""
    h, c = h.astype(np.float64), c.astype(np.float64)
    p_i, p_f, p_o = np.zeros((3, 1)) if peephole is None else np.split(peephole, 3)
    states = []
    for step in x:
        i, f, o, z = np.split(step @ weight_ih.T + h @ weight_hh.T + (0 if bias is None else bias), 4, axis=1)
        i, f = activate(gate, i + p_i * c), activate(gate, f + p_f * c)
        c = f * c + i * activate(cell, z)
        c = c if clip is None else np.clip(c, -clip, clip)
        h = activate(gate, o + p_o * c) * activate(activation, c)
        states.append(h)
    return states, c


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", ["plain", "peephole", "clip", "other activations"])  # torch's own kernel can do the first
@settings(max_examples=15, deadline=None)
@given(
    SEEDS, st.integers(1, 5), SMALL, SMALL, SMALL, st.lists(st.sampled_from(ACTIVATIONS), min_size=3, max_size=3), st.booleans(),
    st.sampled_from([None, 0.3]), st.booleans(), st.sampled_from(["neither", "both", "forwards", "backwards"]),
    st.sampled_from(["neither", "both", "forwards"]),
)  # fmt: skip
def test_lstm_is_its_definition(
    kind, direction, seed, time, batch, features, hidden, names, sequence, clip, upper, biased, peeping
):
    if kind != "other activations":
        names = ["sigmoid", "tanh", "tanh"]
        clip, peeping = (0.3 if kind == "clip" else None), ("forwards" if kind == "peephole" else "neither")
    rng = np.random.default_rng(seed)
    ways = 2 if direction == "bidirectional" else 1
    x = uniform(rng, time, batch, features, limit=1)
    h, c = uniform(rng, batch, ways * hidden, limit=1), uniform(rng, batch, ways * hidden, limit=1)
    layers = []
    for way in ("forwards", "backwards")[:ways]:
        bias = uniform(rng, 4 * hidden) if biased in ("both", way) else None
        peephole = uniform(rng, 3 * hidden) if peeping in ("both", way) else None
        layers.append((uniform(rng, 4 * hidden, features), uniform(rng, 4 * hidden, hidden), bias, peephole))
    given_names = [name.upper() if upper else name for name in names]
    constants = dict(zip(["recurrent_activation", "cell_activation", "activation"], given_names, strict=True))
    for layer, suffix in zip(layers, ["", "_back"][:ways], strict=True):
        constants |= {f"{name}{suffix}": w for name, w in zip(["weight_ih", "weight_hh", "bias", "peephole"], layer, strict=True)}
    if clip is not None:
        constants["clip"] = np.float32(clip)
    ours = run_as_declared(
        "lstm", {"x": x, "initial_h": h, "initial_c": c}, "iOS15", direction=direction, output_sequence=sequence,
        **given_ones(**constants),
    )  # fmt: skip
    found = []
    for way, layer in enumerate(layers):
        part = slice(way * hidden, (way + 1) * hidden)
        backwards = way == 1 or direction == "reverse"
        limit = clip if clip is None else float(np.float32(clip))
        states, last_c = lstm(x[::-1] if backwards else x, h[:, part], c[:, part], *layer, *names, limit)
        ordered = results(states, sequence)
        found.append([ordered[::-1] if way == 1 else ordered, states[-1], last_c])  # only these are put in order
    close(ours, [np.concatenate(of_ways, -1) for of_ways in zip(*found, strict=True)])


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_lstm_as_the_converter_writes_torchs(bidirectional, biased):
    torch.manual_seed(0)
    layer = torch.nn.LSTM(3, 4, bidirectional=bidirectional, bias=biased)
    ways = 2 if bidirectional else 1
    x, h, c = torch.randn(5, 2, 3), torch.randn(ways, 2, 4), torch.randn(ways, 2, 4)
    states, last = layer(x, (h, c))

    def ifzo_to_ifoz(parameter):
        i, f, z, o = np.split(parameter.detach().numpy(), 4)
        return np.concatenate([i, f, o, z])

    def side_by_side(state):
        return np.concatenate(list(state.detach().numpy()), 1)

    constants = {}
    parameters = [ifzo_to_ifoz(parameter) for parameter in layer.parameters()]
    each = len(parameters) // ways
    for way, suffix in zip(range(ways), ("", "_back"), strict=False):
        weight_ih, weight_hh, *biases = parameters[way * each : (way + 1) * each]
        constants |= {f"weight_ih{suffix}": weight_ih, f"weight_hh{suffix}": weight_hh}
        if biased:
            constants[f"bias{suffix}"] = sum(biases)
    tensors = {"x": x.numpy(), "initial_h": side_by_side(h), "initial_c": side_by_side(c)}
    direction = "bidirectional" if bidirectional else "forward"
    ours = run_operator("lstm", tensors, direction=direction, output_sequence=True, **constants)
    close(ours, [states.detach().numpy(), *map(side_by_side, last)])


def test_the_default_activations_and_others_agree():
    # scaled_tanh is tanh, and goes the fused way too; a clip that never cuts goes the general one.
    rng = np.random.default_rng(0)
    tensors = {"x": uniform(rng, 4, 2, 3), "initial_h": uniform(rng, 2, 4), "initial_c": uniform(rng, 2, 4)}
    constants = {"weight_ih": uniform(rng, 16, 3), "weight_hh": uniform(rng, 16, 4), "output_sequence": True}
    usual = run_operator("lstm", tensors, **constants)
    close(run_operator("lstm", tensors, cell_activation="scaled_tanh", **constants), usual)
    close(run_operator("lstm", tensors, clip=np.float32(9), **constants), usual)


def test_an_activation_that_is_not_known_is_named():
    one = {"x": np.ones((1, 1, 1), np.float32), "initial_h": np.ones((1, 1), np.float32)}
    with pytest.raises(PocketlabError, match=r"rnn .* 'softmax' is not known; known are tanh"):
        run_operator("rnn", one, weight_ih=np.ones((1, 1)), weight_hh=np.ones((1, 1)), activation="softmax")


# --- Weights in torch's order -------------------------------------------------------------------------------------------


def test_weights_are_reordered_once_and_forgotten_with_their_program():
    rng = np.random.default_rng(0)
    tensors = {"x": uniform(rng, 2, 1, 3), "initial_h": uniform(rng, 1, 4), "initial_c": uniform(rng, 1, 4)}
    weight_ih, weight_hh, bias = uniform(rng, 16, 3), uniform(rng, 16, 4), uniform(rng, 16)

    def build(x, initial_h, initial_c):
        return mb.lstm(x=x, initial_h=initial_h, initial_c=initial_c, weight_ih=weight_ih, weight_hh=weight_hh, bias=bias)

    gc.collect()
    before = remembered()
    interpreter = Interpreter(program(build, tensors))
    interpreter.run(tensors)
    once = remembered()
    assert len(once) == len(before) + 3
    interpreter.run(tensors)
    assert {id(copy) for copy in remembered()} == {id(copy) for copy in once}
    del interpreter, once
    gc.collect()
    assert len(remembered()) == len(before)


def remembered():
    return [copy for known in recurrent._REORDERED.values() for copy in known.values()]
