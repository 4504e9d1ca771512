"""Evaluate a MIL function operator by operator with torch, on the CPU.

A function is first turned into a list of steps, so that what can be known beforehand (constants, which argument needs which
form, when a tensor is used for the last time) is not worked out again at each call. `mil.load` reads a package; this module
takes what coremltools holds in memory, a `coremltools.converters.mil.Program`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from pocketlab.errors import PocketlabError
from pocketlab.runtimes.mil import operators  # noqa: F401  # registers them
from pocketlab.runtimes.mil.compiler import Block, Compiler, Step, held

Precision = Literal["float32", "float16"]


class Interpreter:
    """A MIL function made ready to run.

    program: coremltools' Program. function: its name there. precision "float32" computes everything in float32; "float16"
    rounds every result that the program declares float16 to float16, after computing it in float32. (Which of its sums the
    Neural Engine accumulates in float16 is not published.)

    Raises UnsupportedOperatorError for an operator without an implementation, and PocketlabError for a tensor larger than
    any that a phone could hold.
    """

    def __init__(self, program: Any, function: str = "main", *, precision: Precision = "float32") -> None:
        if precision not in ("float32", "float16"):
            raise ValueError(f"precision is 'float32' or 'float16'; {precision!r} is neither.")
        if function not in program.functions:
            raise ValueError(f"There is no function {function!r}; there are {', '.join(program.functions)}.")
        body = program.functions[function]
        compiler = Compiler(function, rounding=precision == "float16")
        self._inputs = compiler.inputs(body)
        self._block = compiler.block(body)
        self._start = compiler.start()
        self.inputs: tuple[str, ...] = tuple(body.inputs)
        self.outputs: tuple[str, ...] = tuple(output.name for output in body.outputs)
        # A block inside may use an output's name for something else; by that name the function's own is meant.
        self._slots = compiler.named | dict(zip(self.outputs, self._block.outputs, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tensors of the function, constants included, in the order in which they are computed."""
        return tuple(self._slots)

    def run(self, values: Mapping[str, Any], keep: Iterable[str] = ()) -> dict[str, Any]:
        """Compute the outputs, and the tensors named in `keep`; return them by name, as torch tensors where they are such.

        values: a tensor, an array or a State for each input. A tensor is freed after its last use, unless it is asked for;
        of one inside a loop the last round's is kept.
        Raises ValueError for a name that is not there, PocketlabError if an operator cannot be computed.
        """
        wanted = (*self.outputs, *keep)
        if unknown := [name for name in wanted if name not in self._slots]:
            raise ValueError(f"The program has no tensor {unknown[0]!r}; `names` lists those that it has.")
        if missing := [name for name in self.inputs if name not in values]:
            raise ValueError(f"The input {missing[0]!r} is missing; the program takes {', '.join(self.inputs)}.")
        slots = self._start.copy()
        for result, name in zip(self._inputs, self.inputs, strict=True):
            slots[result.slot] = held(values[name], result)
        with torch.inference_mode():
            _Run(slots, {self._slots[name] for name in wanted}).block(self._block)
        return {name: slots[self._slots[name]] for name in wanted}


class _Run:
    """One evaluation: a slot for every value of the function, and the slots that are not to be freed."""

    def __init__(self, slots: list[Any], kept: set[int]) -> None:
        self.slots = slots
        self.kept = kept

    def block(self, block: Block) -> None:
        """Run the steps of a block."""
        slots, kept = self.slots, self.kept
        for step in block.steps:
            computed = value = self._compute(step)
            if type(computed) is tuple:
                for result, value in zip(step.results, computed, strict=True):
                    slots[result.slot] = held(value, result)
            else:
                (result,) = step.results
                as_it_is = type(value) is Tensor and value.dtype is result.dtype and not result.rounded
                slots[result.slot] = value if as_it_is else held(value, result)
            for slot in step.freed:
                if slot not in kept:
                    slots[slot] = None

    def _compute(self, step: Step) -> Any:
        """Return the result of one operator, or a tuple of its results. An error names the operator and its place."""
        slots = self.slots
        arguments = step.settings.copy()
        for name, source, convert in step.computed:
            value = slots[source] if type(source) is int else [slots[slot] for slot in source]
            arguments[name] = value if convert is None else convert(value)
        try:
            if step.blocks:
                return self._cond(step, **arguments) if step.kind == "cond" else self._while_loop(step, **arguments)
            return step.function(**arguments)
        except PocketlabError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError, ArithmeticError, MemoryError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise PocketlabError(f"{step.place} cannot be computed: {reason}") from error

    def _cond(self, step: Step, pred: Any) -> tuple[Any, ...]:
        """Run the first block if `pred` is true, else the second."""
        block = step.blocks[0 if bool(pred) else 1]
        self.block(block)
        return self._taken(block)

    def _while_loop(self, step: Step, loop_vars: Sequence[Any]) -> tuple[Any, ...]:
        """Run the second block on the loop's variables for as long as the first one says true."""
        condition, body = step.blocks
        if step.gru and self.kept.isdisjoint(condition.own + body.own) and (left := step.gru.run(self.slots, loop_vars)):
            return left
        while True:
            self._give(condition, loop_vars)
            self.block(condition)
            (goes_on,) = self._taken(condition)
            if not bool(goes_on):
                return tuple(loop_vars)
            self._give(body, loop_vars)
            self.block(body)
            loop_vars = self._taken(body)

    def _give(self, block: Block, values: Sequence[Any]) -> None:
        for slot, value in zip(block.inputs, values, strict=True):
            self.slots[slot] = value

    def _taken(self, block: Block) -> tuple[Any, ...]:
        """Return the outputs of an inner block, and free the slots that only it has."""
        values = tuple(self.slots[slot] for slot in block.outputs)
        for slot in block.own:
            if slot not in self.kept:
                self.slots[slot] = None
        return values
