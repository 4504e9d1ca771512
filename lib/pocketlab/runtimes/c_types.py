"""Types and constants of C for what compiled loops work on: numbers, arrays of constant shape, NamedTuples as structs.

`real` is "double", numba's own, or "float", what a microcontroller computes fast. Whole numbers are `long`: 64 bits on phones and
laptops, as in numba, 32 on microcontrollers. A NamedTuple's arrays lie inside its struct, which is passed by its address.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlab.errors import PocketlabError


class TranslationError(PocketlabError, ValueError):
    """A function uses something that is not translated to C; the message names the line and what is on it."""


@dataclass(frozen=True)
class Scalar:
    """A number. kind: "real", "long" or "bool"."""

    kind: str


REAL, INTEGER, BOOLEAN = Scalar("real"), Scalar("long"), Scalar("bool")


@dataclass(frozen=True)
class ArrayType:
    """An array of numbers. shape: the first is None where it is the number of samples, which only a call tells."""

    element: Scalar
    shape: tuple[int | None, ...]

    def part(self, count: int) -> ArrayType | Scalar:
        """Return the type of what `count` indices lead to."""
        return ArrayType(self.element, self.shape[count:]) if count < len(self.shape) else self.element


@dataclass(frozen=True)
class StructType:
    """A NamedTuple: its class, and names and types of its fields."""

    kind: type[Any]
    fields: tuple[tuple[str, CType], ...]

    @property
    def constant(self) -> bool:
        """Whether there is nothing in it that a function can change: numbers only."""
        return all(isinstance(kind, Scalar) or (isinstance(kind, StructType) and kind.constant) for _, kind in self.fields)


CType = Scalar | ArrayType | StructType


def type_of(value: Any, *, samples: bool = False) -> CType:
    """Return the type of an example. samples: its first dimension, where it is an array, is the number of samples.

    Raises TypeError for what is no number, no array of float64 or int64, and no NamedTuple of these.
    """
    if isinstance(value, bool | np.bool_):
        return BOOLEAN
    if isinstance(value, int | np.integer):
        return INTEGER
    if isinstance(value, float | np.floating):
        return REAL
    if isinstance(value, np.ndarray) and value.dtype in (np.float64, np.int64) and value.ndim:
        element = REAL if value.dtype == np.float64 else INTEGER
        return ArrayType(element, (None, *value.shape[1:]) if samples else value.shape)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return StructType(type(value), tuple((name, type_of(getattr(value, name))) for name in value._fields))
    described = f"array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
    raise TypeError(f"A {described} has no counterpart in C here: give numbers, arrays of float64 or int64, NamedTuples of them.")


@dataclass(frozen=True)
class Dialect:
    """How types and constants are written. real: "double" or "float". prefix: of the structs' names."""

    real: str
    prefix: str = ""

    def scalar(self, kind: Scalar) -> str:
        """Write a number's type."""
        return self.real if kind == REAL else kind.kind

    def struct(self, kind: StructType) -> str:
        """Write a struct's name."""
        return self.prefix + kind.kind.__name__.strip("_")

    def parameter(self, kind: CType, name: str, const: bool) -> str:
        """Declare a function's parameter; arrays and structs are passed by their address."""
        if isinstance(kind, ArrayType):
            sizes = "".join("[]" if size is None else f"[{size}]" for size in kind.shape)
            return f"{'const ' * const}{self.scalar(kind.element)} {name}{sizes}"
        return self.local(kind, name)

    def local(self, kind: CType, name: str) -> str:
        """Declare a variable: a number, or the address of an array or a struct that lies elsewhere."""
        if isinstance(kind, Scalar):
            return f"{self.scalar(kind)} {name}"
        if isinstance(kind, StructType):
            return f"{'const ' * kind.constant}{self.struct(kind)} *{name}"
        inner = "".join(f"[{size}]" for size in kind.shape[1:])
        return f"{self.scalar(kind.element)} {f'(*{name})' if inner else f'*{name}'}{inner}"

    def inside(self, kind: CType, name: str) -> str:
        """Declare something that lies here: a field of a struct, an array of a function's own."""
        if isinstance(kind, StructType):
            return f"{self.struct(kind)} {name}"
        return self.parameter(kind, name, const=False)

    def literal(self, value: Any) -> str:
        """Write a number such that C reads the same one."""
        if isinstance(value, bool | np.bool_):
            return "true" if value else "false"
        if isinstance(value, int | np.integer):
            return f"{value}L" if abs(int(value)) >= 2**31 else str(value)
        if math.isinf(value):
            return "INFINITY" if value > 0 else "-INFINITY"
        return "NAN" if math.isnan(value) else repr(float(value)) + "f" * (self.real == "float")

    def initial(self, value: Any, indent: str = "") -> str:
        """Write what a variable begins with: nested braces for arrays and structs."""
        if isinstance(value, np.ndarray):
            if not any(value.tobytes()):  # −0.0 is no zero here
                return "{" * value.ndim + "0" + "}" * value.ndim
            if value.ndim == 1:
                return "{" + ", ".join(self.literal(number) if any(number.tobytes()) else "0" for number in value) + "}"
            rows = [f"{indent}    {self.initial(row, indent + '    ')}" for row in value]
        elif isinstance(value, tuple):
            names = value._fields  # type: ignore[attr-defined]
            rows = [f"{indent}    .{name} = {self.initial(getattr(value, name), indent + '    ')}" for name in names]
        else:
            return self.literal(value)
        return "{\n" + ",\n".join(rows) + f",\n{indent}}}"

    def typedef(self, kind: StructType) -> str:
        """Define a struct, the NamedTuple's docstring before it."""
        fields = "".join(f"    {self.inside(field, name)};\n" for name, field in kind.fields)
        return f"{comment(_docstring(kind.kind))}typedef struct {{\n{fields}}} {self.struct(kind)};\n"


def _docstring(kind: type[Any]) -> str:
    """A NamedTuple without a docstring gets one from Python, which says nothing new."""
    text = kind.__doc__ or ""
    return "" if text.startswith(f"{kind.__name__}(") else text


def comment(text: str, indent: str = "") -> str:
    """Write a docstring as a comment, or nothing."""
    lines = [line.strip() for line in text.replace("*/", "* /").strip().splitlines()]
    if not lines:
        return ""
    return f"{indent}/* " + "\n".join([lines[0], *(f"{indent}   {line}".rstrip() for line in lines[1:])]) + " */\n"
