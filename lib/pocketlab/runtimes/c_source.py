"""Compiled loops (`pocketlab.data.compiled`) as C99 source: translated from their Python, so that both are one truth.

From one entry function all compiled functions that it reaches are translated. What is understood, and nothing else:

- numbers (float as `double` or `float`, int as `long`, bool), NamedTuples as structs, arrays of float64 and int64 with
  constant dimensions; arrays given to the entry itself have a first dimension that all of them share, the number of samples;
- `for … in range(…)`, `while`, `if`, `break`, `continue`, `return` of numbers and of arrays made in the function, also several;
- assignment to variables and to elements, of several at once too, and `+=` and its like; other names for an array, a row of it
  or a struct; `np.empty` and `np.zeros` of constant shape;
- arithmetic (+ - * / **, // and % of whole numbers), comparisons, `and`, `or`, `not`, `a if c else b`; elements and rows by
  index; numbers and arrays of a module; min, max, abs, len, int, float; of `math` what libm computes, and isfinite and its like;
- type hints of all numbers that are parameters. Docstrings and comments stay.

Anything else raises `TranslationError` with the line and what is on it. Not as in Python: an index beyond the end, or below 0, is
not noticed (numba does not notice the first one either), and a division by zero gives infinity or NaN instead of an exception;
one of whole numbers may end the program.
Rounding is that of numba: C's compiler must not reorder or contract (no -ffast-math, -ffp-contract=off).
"""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from pocketlab.runtimes.c_expressions import C_FUNCTIONS
from pocketlab.runtimes.c_scope import SAMPLE_COUNT, Function, Scope, Value, address
from pocketlab.runtimes.c_statements import translate_function
from pocketlab.runtimes.c_types import (
    BOOLEAN,
    INTEGER,
    REAL,
    ArrayType,
    CType,
    Dialect,
    Scalar,
    StructType,
    TranslationError,
    type_of,
)

__all__ = ["Translation", "TranslationError", "translate"]

_HINTS = {float: REAL, int: INTEGER, bool: BOOLEAN}
_C_WORDS = (
    "auto bool break case char const continue default do double else enum extern false float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch true typedef union unsigned void volatile while"
)
_TAKEN = {*_C_WORDS.split(), *(name + suffix for name in C_FUNCTIONS for suffix in ("", "f")), SAMPLE_COUNT}
# Names of variables and functions that the translation makes.
_OURS = re.compile(r"\w+_end|(held|unused|result|power)_\d+|(min|max)_(real|long)|floor_(divide|remainder)")
_HELPERS = {  # min and max as in Python, where the first of two equals wins, and a NaN only at the first place
    "min": "static {type} {name}({type} a, {type} b)\n{{\n    return b < a ? b : a;\n}}\n",
    "max": "static {type} {name}({type} a, {type} b)\n{{\n    return b > a ? b : a;\n}}\n",
    "power": "static {type} {name}({type} x)\n{{\n    return {product};\n}}\n",
    "floor_divide": (
        "static long floor_divide(long a, long b)\n{{\n    return a / b - (a % b != 0 && (a < 0) != (b < 0));\n}}\n"
    ),
    "floor_remainder": "static long floor_remainder(long a, long b)\n{{\n    return (a % b + b) % b;\n}}\n",
}


@dataclass(frozen=True)
class Translation:
    """C source of a function and all that it calls. entry: the function. structs: all that it uses, inner ones first."""

    entry: Function
    dialect: Dialect
    structs: tuple[StructType, ...]
    constants: str
    functions: tuple[Function, ...]
    helpers: str

    def source(self, *, structs: Sequence[StructType] | None = None, static: bool = False) -> str:
        """Return the text of a C file. structs: those that it defines, None for all. static: the entry is for that file alone."""
        parts = ["#include <math.h>\n#include <stdbool.h>\n#include <stdlib.h>\n#include <string.h>\n", self.constants]
        parts += [self.dialect.typedef(kind) for kind in (self.structs if structs is None else structs)]
        parts += [self.helpers, *(f.definition(static=static or f is not self.entry) for f in self.functions)]
        return "\n".join(part for part in parts if part)


def translate(entry: Callable[..., Any], arguments: Sequence[Any], *, real: str = "double", prefix: str = "") -> Translation:
    """Translate a compiled function and all that it calls to C.

    arguments: one example for each parameter, for the dimensions of arrays and the fields of NamedTuples. real: "double" for
    the same numbers as numba, or "float". prefix: of the names of structs.

    Raises TranslationError, with the line, for what is not understood.
    """
    if real not in ("double", "float"):
        raise ValueError(f"Real numbers are of type 'double' or 'float' in C; {real!r} is neither.")
    program = Program(entry, Dialect(real, prefix))
    if not program.translates(entry):
        raise TranslationError(f"{entry!r} is not a compiled function: put `@compiled` above it.")
    names = list(inspect.signature(program.source_of(entry)).parameters)
    if len(names) != len(arguments):
        raise ValueError(f"{program.source_of(entry).__name__} takes {len(names)} arguments, and {len(arguments)} examples came.")
    try:
        kinds = tuple(type_of(argument, samples=True) for argument in arguments)
    except TypeError as error:
        raise TranslationError(str(error)) from None
    function = program.function(entry, kinds)
    structs: dict[str, StructType] = {}
    for kind in kinds:
        _collect(kind, structs)
    helpers = "\n".join(program.helpers.values())
    constants = "".join(program.constants.values())
    return Translation(function, program.dialect, tuple(structs.values()), constants, tuple(program.functions.values()), helpers)


def _collect(kind: CType, structs: dict[str, StructType]) -> None:
    if isinstance(kind, StructType):
        for _, inner in kind.fields:
            _collect(inner, structs)
        if structs.setdefault(kind.kind.__name__, kind) != kind:
            raise TranslationError(f"There are two different NamedTuples of the name {kind.kind.__name__}: rename one of them.")


class Program:
    """What has been translated so far: functions by their source and the types of their parameters, constants, helpers."""

    def __init__(self, entry: Any, dialect: Dialect) -> None:
        self.dialect = dialect
        self.functions: dict[Any, Function] = {}
        self.constants: dict[str, str] = {}
        self.helpers: dict[str, str] = {}
        self._open: list[Any] = []  # functions that are being translated, outermost first
        self._values: dict[str, set[str]] = {}  # of module constants, under their plain names
        if self.translates(entry):
            self._survey(entry, set())

    def translates(self, function: Any) -> bool:
        """Tell whether this is a compiled function."""
        return isinstance(function, Dispatcher)

    def source_of(self, function: Any) -> Callable[..., Any]:
        """Return the Python form of a compiled function."""
        return typing.cast(Callable[..., Any], function.py_func)

    def _survey(self, function: Any, seen: set[Any]) -> None:
        """Note the values of all constants that are reached: where modules differ, a name gets its module's in front."""
        seen.add(function)
        source = self.source_of(function)
        names = source.__code__.co_names
        modules = [vars(value) for name in names if isinstance(value := source.__globals__.get(name), ModuleType)]
        for name, value in ((name, space[name]) for space in (source.__globals__, *modules) for name in names if name in space):
            if self.translates(value) and value not in seen:
                self._survey(value, seen)
            elif isinstance(value, bool | int | float | np.ndarray):
                self._values.setdefault(name, set()).add(self.dialect.initial(value))

    def function(self, function: Any, kinds: tuple[CType, ...]) -> Function:
        """Return a function for these types of its parameters, translated at the first time."""
        key = (function, kinds)
        if key not in self.functions:
            source = self.source_of(function)
            if function in self._open:
                raise TranslationError(f"{source.__name__} calls itself, which compiled loops do not: write a loop.")
            self._open.append(function)
            name = f"{_word(source.__module__)}_{source.__name__.strip('_')}"
            taken = {translated.name for translated in self.functions.values()}
            number = 2
            unique = name
            while unique in taken:
                unique, number = f"{name}_{number}", number + 1
            self.functions[key] = translate_function(self, source, unique, kinds)
            self._open.pop()
        return self.functions[key]

    def call(self, scope: Scope, node: ast.Call, function: Any, values: list[Value]) -> tuple[Function, list[str]]:
        """Return the function that a call needs, and its arguments but for those that take results."""
        source = self.source_of(function)
        names, hints = list(inspect.signature(source).parameters), typing.get_type_hints(source)
        if len(names) != len(node.args) or node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            raise scope.error(node, f"{source.__name__} takes {len(names)} arguments, and they are given by position")
        kinds: list[CType] = []
        for name, value in zip(names, values, strict=True):
            kind = _HINTS.get(hints.get(name, type(None)), value.type)
            if isinstance(value.type, Scalar) != (hints.get(name) in _HINTS) or (value.type == REAL) > (kind == REAL):
                raise scope.error(node, f"`{value.text}` is not what {source.__name__}'s hint for its parameter {name} says")
            kinds.append(kind)
        called = self.function(function, tuple(kinds))
        texts = [SAMPLE_COUNT] if called.takes_count else []
        for parameter, argument, value in zip(called.parameters, node.args, values, strict=True):
            if isinstance(value.type, ArrayType | StructType):
                if parameter.written:
                    scope.change(argument, value.root)
                elif not parameter.const:
                    scope.pass_on(argument, value.root)
            texts.append(address(value, argument))
        return called, texts

    def constant(self, scope: Scope, node: ast.expr, name: str, value: Any) -> Value:
        """Return a module's number or array by a name that the file defines."""
        try:
            kind = type_of(value)
        except TypeError as error:
            raise scope.error(node, str(error)) from None
        if isinstance(node, ast.Attribute) and isinstance(kind, Scalar):
            text = self.dialect.literal(value)  # math.pi
            return Value(f"({text})" if text.startswith("-") else text, kind)
        plain, text = name.strip("_"), self.dialect.initial(value)
        if len(self._values.get(name, ())) > 1:
            plain = f"{_word(scope.module['__name__']).upper()}_{plain}"
        if isinstance(kind, Scalar):
            definition = f"#define {plain} {f'({text})' if text.startswith('-') else text}\n"
        else:
            definition = f"static const {self.dialect.inside(kind, plain)} = {text};\n"
        if self.constants.setdefault(plain, definition) != definition:
            raise scope.error(node, f"two constants would be called {plain} in C: rename one of them")
        return Value(plain, kind, root="" if isinstance(kind, Scalar) else plain)

    def helper(self, name: str) -> str:
        """Note that the file needs a function that C lacks, and return its name."""
        kind, _, rest = name.partition("_")
        product = "x"
        if kind == "power":  # numba multiplies squares: of x¹³ = x · x⁴ · x⁸, from the left
            product = _power(int(rest))
        text = _HELPERS.get(name) or _HELPERS[kind]
        self.helpers[name] = text.format(
            type="long" if rest == "long" else self.dialect.real, name=name, product=product
        )
        return name

    def variable(self, name: str) -> str:
        """Return a variable's name in C: another one where that means something else there, with an underscore more."""
        plain = name.rstrip("_")
        constants = {constant.strip("_") for constant in self._values}
        return f"{name}_" if plain in _TAKEN | constants or _OURS.fullmatch(plain) else name


def _power(exponent: int) -> str:
    """Write x to a power as numba computes it: x⁵ is x · x⁴, with x⁴ the square of the square."""
    factors, square = [], "x"
    while exponent:
        if exponent % 2:
            factors.append(square)
        exponent //= 2
        square = f"({square} * {square})"
    product = factors[0]
    for factor in factors[1:]:
        product = f"{product} * {factor}"
    return product.removeprefix("(").removesuffix(")") if len(factors) == 1 else product


def _word(module: str) -> str:
    """Return the last word of a module's name: "heading" of "pocketlab.signals.orientation_heading"."""
    return module.rpartition(".")[2].rpartition("_")[2]
