"""Find PyTorch's GRU in a program, and compute it at once.

MIL's own GRU differs from PyTorch's in where the reset gate goes, so coremltools writes PyTorch's as a loop of 26 operators
over time. Taken literally that is ten times as slow as torch's function for all of it, which gives the same numbers up to the
order of summation. Where single results are rounded or asked for, the loop runs as it is written.

Source of the loop: coremltools 9, converters/mil/frontend/torch/ops.py, `_add_gru_layer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class GruLoop:
    """A loop that is a GRU. x, limit: the slots of its input and of its number of rounds. weights: as torch.gru takes them."""

    x: int
    limit: int
    weights: list[Tensor]

    def run(self, slots: list[Any], loop_vars: Sequence[Any]) -> tuple[Tensor, Tensor] | None:
        """Return what the loop leaves in its variables; None if it is not over all of x, from states of which all but one are 0.

        loop_vars: the counter, and the states (time + 1, batch, hidden), of which the first one is given.
        """
        counter, states = loop_vars
        x, rounds = slots[self.x], int(slots[self.limit])
        if int(counter) != 0 or len(x) != rounds or len(states) != rounds + 1 or bool(states[1:].any()):
            return None
        computed, _ = torch.gru(x, states[:1].contiguous(), self.weights, True, 1, 0.0, False, False, False)
        return torch.full_like(counter, rounds), torch.cat([states[:1], computed])


class _UnlikeError(Exception):
    """The loop is another one."""


def recognize(loop: Any, slot: Callable[[Any], int], constants: Mapping[int, Any]) -> GruLoop | None:
    """Return the GRU that coremltools' operation `loop` is, or None if it is none, or one whose weights are not constant."""
    condition, body = loop.blocks
    try:
        counter, states = body.inputs
        counted, collected = body.outputs
        test = _made(condition.outputs[0], "less")
        scatter = _made(collected, "scatter")
        _same(test["x"], condition.inputs[0])
        _same(scatter["data"], states)
        _same(scatter["indices"], counted)
        _number(scatter["axis"], 0)
        _same(_made(counted, "add")["x"], counter)
        _number(_made(counted, "add")["y"], 1)
        if scatter["mode"].val != "add":
            raise _UnlikeError

        kept, h = _pair(_made(scatter["updates"], "expand_dims")["x"], "add", "mul", "mul")
        update = h["x"]
        _number(_made(kept["x"], "sub")["x"], 1)
        _same(_made(kept["x"], "sub")["y"], update)
        new, recurrent = _pair(_made(kept["y"], "tanh")["x"], "add", "linear", "mul")
        gates = [_pair(_made(gate, "sigmoid")["x"], "add", "linear", "linear") for gate in (recurrent["x"], update)]
        gates.append((new, _made(recurrent["y"], "linear")))

        x = _row(gates[0][0]["x"], counter)
        _same(_row(h["y"], counter), states)
        for of_x, of_h in gates:
            _same(_row(of_x["x"], counter), x)
            _same(_row(of_h["x"], counter), states)
        weights = [
            torch.cat([constants[slot(gate[way][part])] for gate in gates]) for part in ("weight", "bias") for way in (0, 1)
        ]
        return GruLoop(slot(x), slot(_source(test["y"])), weights)
    except (_UnlikeError, KeyError, ValueError):  # KeyError: a weight that is computed; ValueError: more or fewer variables
        return None


def _source(var: Any) -> Any:
    """Return what a value was before any change of type."""
    while var.op is not None and var.op.op_type == "cast":
        var = var.op.inputs["x"]
    return var


def _made(var: Any, kind: str) -> dict[str, Any]:
    """Return the arguments of the operator that makes `var`, if it is of this kind."""
    operation = _source(var).op
    if operation is None or operation.op_type != kind:
        raise _UnlikeError
    return operation.inputs


def _pair(var: Any, kind: str, left: str, right: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of both operators whose results an operator of this kind joins."""
    joined = _made(var, kind)
    return _made(joined["x"], left), _made(joined["y"], right)


def _row(var: Any, counter: Any) -> Any:
    """Return the tensor of which `var` is the row that the counter names."""
    gathered = _made(_made(var, "squeeze")["x"], "gather")
    _number(gathered["axis"], 0)
    index = _source(gathered["indices"])
    if index is not counter:  # from iOS 17 on coremltools adds what makes an index negative count from the end
        _same(_made(index, "select")["a"], counter)
        _number(_made(_made(index, "select")["cond"], "greater_equal")["y"], 0)
    return _source(gathered["x"])


def _same(var: Any, other: Any) -> None:
    if _source(var) is not _source(other):
        raise _UnlikeError


def _number(var: Any, value: int) -> None:
    if var.val is None or var.val != value:
        raise _UnlikeError
