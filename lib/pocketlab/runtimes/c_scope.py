"""What a translation to C knows: values, the functions translated so far, and what names mean inside of one of them."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol

from pocketlab.runtimes.c_types import (
    INTEGER,
    REAL,
    ArrayType,
    CType,
    Dialect,
    Scalar,
    StructType,
    TranslationError,
    comment,
)

SAMPLE_COUNT = "sample_count"  # the parameter that holds the first dimension of arrays whose own is None
WHOLE = 7  # how tightly a value binds that is not a sum, a comparison …: see `pocketlab.runtimes.c_expressions`


@dataclass(frozen=True)
class Value:
    """An expression of C. root: of an array or a struct, the variable by which it was reached."""

    text: str
    type: CType
    level: int = WHOLE
    root: str = ""

    def at(self, level: int) -> str:
        """Write it as an operand of an operator that binds at this level, in parentheses where that binds tighter."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function in C. const: C's compiler is told that its array stays. written: its array is changed."""

    name: str
    type: CType
    const: bool
    written: bool


@dataclass(frozen=True)
class Function:
    """A function in C. result: the type that it returns, if any. count: of values that Python's function returns.

    outputs: results that go into parameters, last ones of all: place among the values returned, name, type.
    """

    name: str
    title: str
    docstring: str
    parameters: tuple[Parameter, ...]
    outputs: tuple[tuple[int, str, CType], ...]
    result: Scalar | None
    count: int
    body: str
    dialect: Dialect

    @property
    def changes(self) -> bool:
        """Whether it changes an array that it is given."""
        return any(parameter.written for parameter in self.parameters)

    @property
    def takes_count(self) -> bool:
        """Whether its first parameter is the number of samples."""
        kinds = [parameter.type for parameter in self.parameters]
        return any(isinstance(kind, ArrayType) and kind.shape[0] is None for kind in kinds)

    def definition(self, *, static: bool) -> str:
        """Return its text. static: other files do not see it."""
        declared = [f"long {SAMPLE_COUNT}"] if self.takes_count else []
        declared += [self.dialect.parameter(each.type, each.name, each.const) for each in self.parameters]
        for _, name, kind in self.outputs:
            pointer = f"*{name}" if isinstance(kind, Scalar) else name
            declared.append(self.dialect.parameter(kind, pointer, const=False))
        result = self.dialect.scalar(self.result) if self.result else "void"
        head = f"{'static ' * static}{result} {self.name}("
        lines = [head + declared[0] if declared else head + "void"]
        for each in declared[1:]:
            if len(lines[-1]) + len(each) > 115:
                lines[-1] += ","
                lines.append(f"    {each}")
            else:
                lines[-1] += f", {each}"
        signature = "\n".join(lines)
        said = comment("\n".join((self.title, self.docstring)))
        return f"{said}{signature})\n{{\n{self.body}}}\n"


class Program(Protocol):
    """The whole translation, as `pocketlab.runtimes.c_source` has it."""

    dialect: Dialect

    def translates(self, function: Any) -> bool:
        """Tell whether this is a compiled function."""

    def call(self, scope: Scope, node: ast.Call, function: Any, values: list[Value]) -> tuple[Function, list[str]]:
        """Return the function that a call needs, and its arguments but for those that take results."""

    def constant(self, scope: Scope, node: ast.expr, name: str, value: Any) -> Value:
        """Return a module's number or array by a name that the file defines."""

    def helper(self, name: str) -> str:
        """Note that the file needs a function that C lacks, and return its name."""

    def variable(self, name: str) -> str:
        """Return a variable's name in C."""


@dataclass
class Scope:
    """What names mean inside of one function, and what it has done with them.

    own: all names that it gives a meaning to. types: of parameters and variables. loops: counters of the loops around. aliases:
    for a variable, those whose array or struct it may stand for. written: those whose array is changed. passed_on: those that
    C cannot take as const.
    """

    program: Program
    name: str
    file: str
    module: dict[str, Any]
    own: set[str]
    types: dict[str, CType] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)
    aliases: dict[str, set[str]] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    passed_on: set[str] = field(default_factory=set)

    def error(self, node: ast.AST, why: str) -> TranslationError:
        """Return the error that names the line, what is on it, and why that is not translated."""
        line = getattr(node, "lineno", 0)
        where = f"{self.file}, line {line}, in {self.name}: "
        text = ast.unparse(node).splitlines()[0]
        return TranslationError(f"{where}`{text}` ({type(node).__name__}) cannot be translated to C: {why}.")

    def meaning(self, node: ast.expr) -> Any:
        """Return the function, module or constant outside of this function that a name or `module.name` stands for, or None."""
        if isinstance(node, ast.Name) and node.id not in self.own:
            return self.module.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute) and isinstance(module := self.meaning(node.value), ModuleType):
            return getattr(module, node.attr, None)
        return None

    def change(self, node: ast.AST, root: str) -> None:
        """Note that an array reached by this variable is changed."""
        self.written |= self.pass_on(node, root)

    def roots(self, name: str) -> set[str]:
        """Return a variable and all whose array or struct it may stand for, over any number of other names."""
        roots, pending = set[str](), [name]
        while pending:
            if (found := pending.pop()) not in roots:
                roots.add(found)
                pending += self.aliases.get(found, ())
        return roots

    def pass_on(self, node: ast.AST, root: str) -> set[str]:
        """Note that an array reached by this variable is given to what C thinks may change it; return whose it can be."""
        roots = self.roots(root)
        if not roots <= self.own:
            raise self.error(node, "it changes a constant of its module, or gives it to a function that C thinks may")
        self.passed_on |= roots
        return roots


def address(value: Value, node: ast.expr) -> str:
    """Write an argument or the value of an alias: structs that are not variables lie inside of others."""
    inside = isinstance(value.type, StructType) and not isinstance(node, ast.Name)
    return f"&{value.text}" if inside else value.text


def common_type(scope: Scope, node: ast.AST, one: CType, other: CType) -> CType:
    """Return the type that two values have room in: a real number, where the other one is whole."""
    if one == other:
        return one
    if {one, other} == {INTEGER, REAL}:
        return REAL
    raise scope.error(node, "it is now of one type and now of another")
