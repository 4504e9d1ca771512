"""Turn a MIL function into steps that run without looking anything up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from pocketlab.errors import PocketlabError, UnsupportedOperatorError
from pocketlab.runtimes.mil.gru_loop import GruLoop, recognize
from pocketlab.runtimes.mil.registry import OPERATORS, Convert, tensor

LARGEST_TENSOR = 1 << 30
"""Elements: 4 GiB as float32, more than a phone lets an app use. A program that asks for more is damaged, or a trap."""

# How a value of each MIL type is held. float16 is held in float32, and rounded if the program is to be computed so; torch
# has no arithmetic on unsigned types wider than a byte. Types of less than a byte, of compressed weights, take a byte each.
HELD_AS = {
    "fp16": torch.float32,
    "fp32": torch.float32,
    "fp64": torch.float32,
    "bool": torch.bool,
    "int4": torch.int8,
    "uint1": torch.uint8,
    "uint2": torch.uint8,
    "uint3": torch.uint8,
    "uint4": torch.uint8,
    "uint6": torch.uint8,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.int32,
    "int32": torch.int32,
    "uint32": torch.int64,
    "int64": torch.int64,
}
CONTROL_FLOW = ("cond", "while_loop")


@dataclass
class State:
    """A tensor that outlives a call. `read_state` gives it and `coreml_update_state` replaces it."""

    value: torch.Tensor


@dataclass(frozen=True)
class Result:
    """A value's slot and the type in which it is held; None for what is no tensor (a state, a list, a label)."""

    slot: int
    dtype: torch.dtype | None
    rounded: bool


@dataclass
class Step:
    """One operator, ready to run.

    settings: arguments that are constant. computed: (parameter, its slot or slots, conversion or None) for the others.
    blocks: of `cond` and `while_loop`. freed: slots that nothing after this step reads. gru: what a loop amounts to.
    """

    kind: str
    place: str
    function: Any
    settings: dict[str, Any]
    computed: list[tuple[str, Any, Convert | None]]
    results: list[Result]
    blocks: list[Block] = field(default_factory=list)
    freed: list[int] = field(default_factory=list)
    gru: GruLoop | None = None


@dataclass
class Block:
    """Steps with the slots that they take and give; `own` are the slots that exist in this block only."""

    steps: list[Step]
    inputs: list[int]
    outputs: list[int]
    own: list[int]


def held(value: Any, result: Result) -> Any:
    """Return a value as its slot holds it: converted to the slot's type, and rounded to float16 where that is asked for."""
    if result.dtype is None:
        return value
    if type(value) is not torch.Tensor or value.dtype is not result.dtype:
        value = tensor(value).to(result.dtype)
    return value.half().float() if result.rounded else value


class Compiler:
    """Gives every value of a function a slot, and makes steps of its operators. `named` has each value's slot."""

    def __init__(self, function: str, *, rounding: bool) -> None:
        self._function = function
        self._rounding = rounding
        self._constants: dict[int, Any] = {}
        self._slots: dict[int, int] = {}  # by the identity of coremltools' Var, since inner blocks may reuse a name
        self._vars: list[Any] = []  # keeps these alive, and so their identities apart
        self.named: dict[str, int] = {}
        self._number = 0

    def start(self) -> list[Any]:
        """Return the slots as they are when a run begins: constants in place, the rest empty."""
        return [self._constants.get(slot) for slot in range(len(self._vars))]

    def inputs(self, function: Any) -> list[Result]:
        """Return where the inputs of a function go."""
        self._total = sum(1 for op in _all_operations(function) if op.op_type != "const")
        return [self._result(var) for var in function.inputs.values()]

    def block(self, block: Any) -> Block:
        """Compile a function's body, or a block inside it; its inputs come first."""
        arriving = block.inputs.values() if hasattr(block.inputs, "values") else block.inputs
        inputs = [self._slot(var) for var in arriving]
        steps = []
        for operation in block.operations:
            if operation.op_type == "const":
                self._constants[self._slot(operation.outputs[0])] = self._constant(operation.outputs[0])
                continue
            step = self._step(operation)
            if operation.op_type.startswith("constexpr_") and not step.computed:  # weights are expanded once
                values = step.function(**step.settings)
                for result, value in zip(step.results, values if type(values) is tuple else (values,), strict=True):
                    self._constants[result.slot] = held(value, result)
            else:
                steps.append(step)
        outputs = [self._slot(var) for var in block.outputs]
        own = _free_after_last_use(steps, set(outputs), inputs)
        return Block(steps, inputs, outputs, own)

    def _step(self, operation: Any) -> Step:
        """Make an operator a step, with the blocks inside it."""
        self._number += 1
        output = operation.outputs[0].name if operation.outputs else operation.name
        place = (
            f"The operator {operation.op_type} with output {output!r} (number {self._number} of {self._total} in the "
            f"function {self._function!r})"
        )
        kind = operation.op_type
        if kind not in OPERATORS and kind not in CONTROL_FLOW:
            raise UnsupportedOperatorError(f"{place} has no implementation here; mil.coverage() lists those that have.")
        arguments = {name: value for name, value in operation.inputs.items() if value is not None and name[0] != "_"}
        known = OPERATORS.get(kind)
        if known and (strange := set(arguments) - set(known.parameters)):
            raise UnsupportedOperatorError(f"{place} has a parameter that is not known here: {sorted(strange)[0]}.")
        results = [self._result(var, place) for var in operation.outputs]
        step = Step(kind, place, known.function if known else None, {}, [], results)
        for name, value in arguments.items():
            self._bind(step, name, value, known.parameters[name] if known else None)
        step.blocks = [self.block(inner) for inner in operation.blocks]
        if kind == "while_loop" and not self._rounding:
            step.gru = recognize(operation, self._slot, self._constants)
        return step

    def _bind(self, step: Step, name: str, value: Any, convert: Convert | None) -> None:
        """Add an argument to a step: as a setting if all of it is constant, else as slots to read."""
        if isinstance(value, list | tuple):
            slots = [self._slot(var) for var in value]
            if convert and all(slot in self._constants for slot in slots):
                step.settings[name] = convert([self._constants[slot] for slot in slots])
            else:
                step.computed.append((name, slots, None))
            return
        slot = self._slot(value)
        if convert and slot in self._constants:
            step.settings[name] = convert(self._constants[slot])
        else:  # what the program computes is held as a tensor already
            step.computed.append((name, slot, None if convert is tensor else convert))

    def _slot(self, var: Any) -> int:
        if id(var) not in self._slots:
            self._slots[id(var)] = self.named[var.name] = len(self._vars)
            self._vars.append(var)
        return self._slots[id(var)]

    def _constant(self, var: Any) -> Any:
        """Return a constant's value: numbers as a tensor, anything else (text, lists) as it is."""
        return held(var.val, self._result(var))

    def _result(self, var: Any, place: str = "An input or constant") -> Result:
        """Return a value's slot and type. Refuses what no phone could hold, before anything is allocated."""
        from coremltools.converters.mil.mil import types
        from coremltools.converters.mil.mil.types.symbolic import is_symbolic

        kind = var.sym_type
        if types.is_list(kind) or types.is_state(kind) or types.is_dict(kind) or types.is_str(var.dtype):
            return Result(self._slot(var), None, False)
        sizes = [size for size in var.shape if not is_symbolic(size)]
        if math.prod(map(int, sizes)) > LARGEST_TENSOR:
            raise PocketlabError(f"{place} gives a tensor of shape {tuple(var.shape)}, more than a phone could hold.")
        name = types.builtin_to_string(var.dtype)
        return Result(self._slot(var), HELD_AS[name], name == "fp16" and self._rounding)


def _all_operations(block: Any) -> Iterator[Any]:
    for operation in block.operations:
        yield operation
        for inner in operation.blocks:
            yield from _all_operations(inner)


def _read_by(step: Step) -> Iterator[int]:
    """Yield the slots that a step reads, in its inner blocks too."""
    for _, source, _ in step.computed:
        yield from source if type(source) is list else (source,)
    for block in step.blocks:
        for inner in block.steps:
            yield from _read_by(inner)
        yield from block.outputs


def _free_after_last_use(steps: list[Step], outputs: set[int], inputs: Iterable[int]) -> list[int]:
    """Set what each step frees, of the slots that are made in this block; return all of these."""
    made = {result.slot for step in steps for result in step.results} | set(inputs)
    last: dict[int, Step] = {}
    for step in steps:
        for slot in (*_read_by(step), *(result.slot for result in step.results)):
            if slot in made and slot not in outputs:
                last[slot] = step
    for slot, step in last.items():
        step.freed.append(slot)
    return sorted(made)
