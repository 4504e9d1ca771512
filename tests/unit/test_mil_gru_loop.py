"""PyTorch's GRU is found in the loop that coremltools makes of it, and computed at once; other loops run as they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mil_conversion import capture
from torch import Tensor, nn

from pocketlab.runtimes.mil import Interpreter
from pocketlab.runtimes.mil._coremltools import import_coremltools, quiet

X, H = torch.randn(9, 3, 5), torch.randn(4, 3, 6)


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(x, h)


def program(layer: nn.Module, precision: str = "FLOAT32") -> Any:
    ct = import_coremltools()
    captured = capture(Recurrent(layer), (X, H), "trace")
    with quiet():
        return ct.convert(
            captured,
            inputs=[ct.TensorType(name="x", shape=X.shape), ct.TensorType(name="h", shape=H.shape)],
            outputs=[ct.TensorType(name="y", dtype=np.float32), ct.TensorType(name="last", dtype=np.float32)],
            convert_to="milinternal",
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision[precision],
        )


def loops(interpreter: Interpreter) -> list[Any]:
    return [step for step in interpreter._block.steps if step.kind == "while_loop"]


def gru() -> nn.Module:
    torch.manual_seed(0)
    return nn.GRU(5, 6, num_layers=2, bidirectional=True)


@pytest.mark.parametrize("precision", ["FLOAT32", "FLOAT16"])
def test_a_gru_is_recognized_in_each_layer_and_direction(precision: str) -> None:
    interpreter = Interpreter(program(gru(), precision))
    assert [step.gru is not None for step in loops(interpreter)] == [True] * 4


def test_a_gru_at_once_is_what_torch_computes_and_what_its_loop_computes() -> None:
    layer = gru()
    interpreter = Interpreter(program(layer))
    with torch.no_grad():
        expected = dict(zip(("y", "last"), layer(X, H), strict=True))
    given = {"x": X, "h": H}
    at_once = interpreter.run(given)
    inside = next(name for name in interpreter.names if name.startswith("sigmoid"))
    literally = interpreter.run(given, keep=[inside])  # a tensor inside of the loop is there only if it runs
    assert literally[inside].shape == (3, 6)
    for name in ("y", "last"):
        # each of 9 steps sums 11 products in another order: 1e-6 of numbers up to 1
        assert torch.allclose(at_once[name], expected[name], rtol=0, atol=1e-6)
        assert torch.allclose(literally[name], expected[name], rtol=0, atol=1e-6)


def test_a_gru_that_rounds_to_float16_runs_as_it_is_written() -> None:
    assert all(step.gru is None for step in loops(Interpreter(program(gru(), "FLOAT16"), precision="float16")))


def altered(change: Callable[[Any], bool]) -> Any:
    """Return the program of a GRU, one operator of its first loop changed."""
    from coremltools.converters.mil.mil import Builder as mb

    made = program(gru())
    loop = next(op for op in made.functions["main"].operations if op.op_type == "while_loop")
    body = loop.blocks[1]
    old = next(op for op in body.operations if change(op))
    with body:
        new = mb.relu(x=old.outputs[0], before_op=next(op for op in body.operations if old.outputs[0] in op.inputs.values()))
    body.replace_uses_of_var_after_op(anchor_op=new.op, old_var=old.outputs[0], new_var=new)
    return made


@pytest.mark.parametrize("kind", ["tanh", "linear", "sigmoid", "squeeze", "expand_dims"])
def test_a_loop_that_differs_in_one_operator_runs_as_it_is_written(kind: str) -> None:
    interpreter = Interpreter(altered(lambda op: op.op_type == kind))
    assert [step.gru is None for step in loops(interpreter)] == [True, False, False, False]


def test_a_loop_over_a_part_of_its_input_runs_as_it_is_written() -> None:
    interpreter = Interpreter(program(gru()))
    step = loops(interpreter)[0]
    slots = interpreter._start.copy()
    slots[step.gru.x] = X
    states = torch.zeros(10, 3, 6)
    whole = step.gru.run(slots, [torch.tensor([0]), states])
    assert whole is not None
    assert whole[1].shape == states.shape
    assert step.gru.run(slots, [torch.tensor([1]), states]) is None
    assert step.gru.run(slots, [torch.tensor([0]), states[:9]]) is None
    assert step.gru.run(slots, [torch.tensor([0]), states + 1]) is None
