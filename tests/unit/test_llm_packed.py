"""The packed 4-bit layer against the weights that it stands for, and the decoder that has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import llm_networks
import pytest
import torch
from torch import Tensor

from pocketlab.llm import packed
from pocketlab.llm.cache import KeyValueCache
from pocketlab.llm.grids import Grid, round_to_nearest
from pocketlab.llm.model import Decoder, DecoderConfig
from pocketlab.llm.packed import PackedLinear, obstacle, pack_model, packed_bytes
from pocketlab.llm.weights import QuantizedDecoder, linear_layers, quantize_model

ROUNDING = 2**-8  # half of what the last of bfloat16's 8 significant bits is worth

CONFIG = DecoderConfig(  # key and value have 32 outputs, which the kernel does not take
    vocab_size=96, hidden_size=64, intermediate_size=192, layers=2, heads=4, kv_heads=2, head_dim=16, context=256
)


def grid_of(outputs: int, inputs: int, group_size: int = 32, bits: int = 4) -> Grid:
    generator = torch.Generator().manual_seed(outputs + inputs)
    # A mean other than 0 for each output, so that zero points are spread over all integers.
    weight = torch.randn(outputs, inputs, generator=generator) + torch.randn(outputs, 1, generator=generator)
    return round_to_nearest(weight, bits, group_size)


def rows_of(count: int, inputs: int) -> Tensor:
    return torch.randn(count, inputs, generator=torch.Generator().manual_seed(count))


@pytest.fixture(scope="module")
def quantized() -> QuantizedDecoder:
    return quantize_model(llm_networks.draw(Decoder(CONFIG)).eval(), "rtn", 4, 32)


def check_weights(outputs: int, inputs: int, group_size: int, bits: int) -> None:
    grid = grid_of(outputs, inputs, group_size, bits)
    steps = grid.scales.repeat_interleave(group_size, dim=1)
    unpacked = PackedLinear(grid).unpack(slice(0, outputs)).T
    # (integer − 8) · scale + zero, where scale and zero are rounded to bfloat16 and both products are up to 8 steps.
    assert bool(((unpacked - grid.weights()).abs() <= 16 * ROUNDING * steps).all())


def check_products(outputs: int, inputs: int, rows: int) -> None:
    layer, x = PackedLinear(grid_of(outputs, inputs)), rows_of(rows, inputs)
    weights = layer.unpack(slice(0, outputs)).double()
    expected = x.double() @ weights
    # x is rounded to bfloat16, for many rows the weights too, and the result; float32 sums add next to nothing.
    allowed = 2 * ROUNDING * x.double().abs() @ weights.abs() + ROUNDING * expected.abs() + 1e-4
    got = layer(x)
    assert got.dtype == torch.float32
    assert bool(((got - expected).abs() <= allowed).all())
    # Errors have either sign: their root mean square is far below what they could add to.
    assert float((got - expected).norm() / expected.norm()) < ROUNDING


@pytest.mark.parametrize(("outputs", "inputs", "group_size"), [(64, 32, 32), (128, 96, 32), (192, 512, 256), (1024, 384, 128)])
@pytest.mark.parametrize("bits", [4, 3, 2])
def test_the_weights_inside_are_those_of_the_grid(outputs, inputs, group_size, bits):
    check_weights(outputs, inputs, group_size, bits)


@pytest.mark.parametrize("rows", [1, 3, 90, 91, 200])
@pytest.mark.parametrize(("outputs", "inputs"), [(64, 96), (1024, 384)])
def test_every_path_computes_the_products(rows, outputs, inputs):
    check_products(outputs, inputs, rows)


def test_outputs_in_several_pieces_with_a_shorter_last_one(monkeypatch):
    monkeypatch.setattr(packed, "_PIECE", 128 * 96)
    check_products(320, 96, 100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rows", [2, 100])
def test_shape_and_type_are_those_of_the_input(dtype, rows):
    layer, x = PackedLinear(grid_of(64, 32)), rows_of(3 * rows, 32).to(dtype)
    y = layer(x.view(3, rows, 32))
    assert (y.shape, y.dtype) == ((3, rows, 64), dtype)
    assert torch.equal(y.view(-1, 64), layer(x))


def test_avx2_has_another_packing_and_the_same_products():
    program = """
import torch
from test_llm_packed import check_products, check_weights

assert torch.backends.cpu.get_cpu_capability() == "AVX2"
check_weights(192, 512, 256, 4)
for rows in (1, 7, 100):
    check_products(128, 96, rows)
"""
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "avx2"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (grid_of(64, 32, bits=5), "up to 4 bits, and this grid has 5"),
        (grid_of(64, 48, group_size=16), "groups of 32, 64, 128 or 256 weights, not of 16"),
        (grid_of(64, 172), "32 does not divide 172 inputs"),
        (grid_of(48, 32), "multiples of 64, and 48 are none"),
    ],
)
def test_what_the_kernel_does_not_take_is_refused(grid, message):
    with pytest.raises(ValueError, match=message):
        PackedLinear(grid)


@pytest.mark.parametrize(("capability", "platform"), [("DEFAULT", "linux"), ("AVX512", "win32")])
def test_without_a_fast_kernel_all_layers_stay_float(quantized, monkeypatch, capability, platform):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(ValueError, match="AVX2 or AVX-512, on Linux and macOS"):
        PackedLinear(grid_of(64, 32))
    model, tokens = pack_model(quantized), llm_networks.tokens(2, 10)
    assert torch.equal(llm_networks.logits(model, tokens), llm_networks.logits(quantized.model, tokens))


@pytest.mark.parametrize(("outputs", "inputs", "group_size"), [(64, 32, 32), (1024, 384, 64)])
def test_memory_is_as_by_the_formula(outputs, inputs, group_size):
    layer = PackedLinear(grid_of(outputs, inputs, group_size))
    assert layer.nbytes == sum(tensor.nbytes for tensor in layer.state_dict().values())
    assert layer.nbytes == packed_bytes(outputs, inputs, group_size)


def test_a_packed_decoder_computes_what_the_quantized_one_does(quantized):
    model = pack_model(quantized)
    for tokens in (llm_networks.tokens(1, 1), llm_networks.tokens(2, 100)):
        expected = llm_networks.logits(quantized.model, tokens)
        # 14 layers round what goes in and what comes out to bfloat16: errors of √28 roundings at most.
        error = (llm_networks.logits(model, tokens) - expected).norm() / expected.norm()
        assert float(error) < 28**0.5 * ROUNDING
    prompt, cache = llm_networks.tokens(1, 12), KeyValueCache(CONFIG)
    with torch.inference_mode():
        steps = torch.cat([model(prompt[:, [t]], cache) for t in range(12)], dim=1)
    together = llm_networks.logits(model, prompt)
    assert float((steps - together).norm() / together.norm()) < 28**0.5 * ROUNDING


def test_layers_with_an_obstacle_stay_and_the_float_weights_of_the_others_do_not(quantized):
    model = pack_model(quantized)
    float_layers, before = linear_layers(model), linear_layers(quantized.model)
    assert {name.rsplit(".")[-1] for name in float_layers} == {"key", "value"}
    assert all(torch.equal(layer.weight, before[name].weight) for name, layer in float_layers.items())
    assert all((obstacle(quantized.grids[name]) is None) == (name not in float_layers) for name in before)
    assert len(before) == 14  # the model that was given has all of its layers still
    assert model.output.weight is model.embedding.weight
    kept = sum({p.data_ptr(): p.nbytes for p in model.parameters()}.values())
    blocks = 2 * (2 * 32 * 64 + 2 * 64)  # keys and values, and norms
    assert kept == 4 * (96 * 64 + blocks + 64)
