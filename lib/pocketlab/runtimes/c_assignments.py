"""Assignments and calls of Python to those of C, inside of one function: see `pocketlab.runtimes.c_source`."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pocketlab.runtimes.c_expressions import Expressions
from pocketlab.runtimes.c_scope import Value, address, common_type
from pocketlab.runtimes.c_types import BOOLEAN, INTEGER, REAL, ArrayType, CType, Scalar

Block = tuple[int, ...]  # for each statement around, its line and which of its parts it is

_WIDTH = 116
_UPDATES: dict[type, str] = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/="}


@dataclass
class Assignments(Expressions):
    """Translates what gives a value to a variable or an element.

    parameters: their names. homes: for a variable, the assignment that declares it. blocks: where that stands. read: names that
    are read; for others nothing is computed. rooms: arrays made here. outputs: for each place among the values returned that is
    an array, its name. again: names that several assignments give a value to. lines: C's, of the body. held: how many variables
    there are that Python does not have.
    """

    parameters: frozenset[str] = frozenset()
    homes: dict[str, ast.stmt] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    rooms: set[str] = field(default_factory=set)
    outputs: dict[int, str] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    held: int = 0

    def variables(self) -> set[str]:
        """Return all that need a declaration: neither results nor names that are never read, for which nothing is computed."""
        return {name for name in self.types if name in self.read} - set(self.outputs.values())

    def declaration(self, name: str) -> str:
        """Declare a variable or an array of the function's own."""
        kind, written = self.types[name], self.program.variable(name)
        declare = self.program.dialect.inside if name in self.rooms else self.program.dialect.local
        return declare(kind, written)

    def emit(self, text: str, start: str = "") -> None:
        """Write a line, or several where it is long. start: of each of them."""
        if start:  # a backslash at a line's end, also as the trigraph ??/, would make the next line a comment too
            text = re.sub(r"(\\|\?\?/)+(?=\s|$)", "", text)
        indent = "    " * self.depth + start
        further = indent if start else indent + "    "
        self.lines += textwrap.wrap(
            text, _WIDTH, initial_indent=indent, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
        )

    def _assign_statement(self, node: ast.Assign) -> None:
        first = node.targets[0]
        self.assign(node, first, node.value)
        for target in node.targets[1:]:  # a = b = 0.0; else b takes what a got
            again = node.value if isinstance(node.value, ast.Constant) else ast.parse(ast.unparse(first), mode="eval").body
            self.assign(node, target, ast.copy_location(again, node))

    def _annassign_statement(self, node: ast.AnnAssign) -> None:
        if node.value is None:
            raise self.error(node, "a variable begins with a value")
        self.assign(node, node.target, node.value)

    def assign(self, statement: ast.stmt, target: ast.expr, value: ast.expr) -> None:
        """Translate the assignment of one value or one call's results. statement: the whole line."""
        called = self.meaning(value.func) if isinstance(value, ast.Call) else None
        if isinstance(value, ast.Call) and self.program.translates(called):
            self.results_of(statement, target, value)
        elif isinstance(value, ast.Call) and called in (np.empty, np.zeros):
            self._room(statement, target, value, zeros=called is np.zeros)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            self._several(statement, target.elts, value.elts)
        elif isinstance(target, ast.Tuple):
            self._unpack(statement, target, value)
        else:
            translated = self.value(value)
            self._put(statement, target, translated, address(translated, value))

    def _several(self, statement: ast.stmt, targets: Sequence[ast.expr], values: Sequence[ast.expr]) -> None:
        """Assign one after the other, from variables that hold the values where a target is read later on."""
        if len(targets) != len(values):
            raise self.error(statement, "there are more names than values, or fewer")
        if not any(self._reads(value, target) for place, target in enumerate(targets) for value in values[place + 1 :]):
            for target, value in zip(targets, values, strict=True):
                self.assign(statement, target, value)
            return
        translated = [self.number(value) for value in values]
        held = [self._hold(value) for value in translated]
        for target, number, name in zip(targets, translated, held, strict=True):
            self._put(statement, target, Value(name, number.type), name)

    def _reads(self, value: ast.expr, target: ast.expr) -> bool:
        """Tell whether a value may read what an assignment before it changes."""
        if isinstance(target, ast.Name):
            return target.id in set(names_in(value))
        calls = [each for each in ast.walk(value) if isinstance(each, ast.Call)]
        calls_ours = any(self.program.translates(self.meaning(call.func)) for call in calls)
        return calls_ours or any(isinstance(each, ast.Subscript) for each in ast.walk(value))

    def _hold(self, value: Value) -> str:
        self.held += 1
        self.emit(f"const {self.program.dialect.local(value.type, f'held_{self.held}')} = {value.text};")
        return f"held_{self.held}"

    def _unpack(self, statement: ast.stmt, target: ast.Tuple, value: ast.expr) -> None:
        fields = getattr(self.value(value).type, "fields", ())
        if len(fields) != len(target.elts):
            raise self.error(statement, "only a NamedTuple can be taken apart, and only as a whole")
        if set(names_in(target)) & set(names_in(value)):
            raise self.error(statement, "one of its parts takes the name of the whole: take two names")
        for part, (name, _) in zip(target.elts, fields, strict=True):
            source = ast.copy_location(ast.Attribute(value, name, ast.Load()), value)
            self.assign(statement, part, source)

    def _room(self, statement: ast.stmt, target: ast.expr, call: ast.Call, *, zeros: bool) -> None:
        """Make an array of the function's own."""
        if not isinstance(target, ast.Name) or len(call.args) != 1 or call.keywords:
            raise self.error(statement, "an array is made with its shape alone, and gets a name")
        sizes = call.args[0].elts if isinstance(call.args[0], ast.Tuple) else [call.args[0]]
        shape = tuple(self._size(statement, size) for size in sizes)
        self._own(statement, target.id, ArrayType(REAL, shape))
        if self.homes.get(target.id) is statement and target.id in self.variables():
            zero = f" = {'{' * len(shape)}0{'}' * len(shape)}" if zeros else ""
            self.emit(f"{self.declaration(target.id)}{zero};")
        elif zeros and target.id in self.read:
            sizes_text = "".join(f"[{size}]" for size in shape)
            self.emit(f"memset({self.program.variable(target.id)}, 0, sizeof({self.program.dialect.real}{sizes_text}));")

    def _size(self, statement: ast.stmt, node: ast.expr) -> int:
        names = {each.id: self.meaning(each) for each in ast.walk(node) if isinstance(each, ast.Name)}
        kinds = (ast.Constant, ast.Name, ast.BinOp, ast.operator, ast.expr_context)
        constant = all(isinstance(each, int) for each in names.values())
        if not constant or not all(isinstance(each, kinds) for each in ast.walk(node)):
            raise self.error(statement, "an array's shape is made of numbers and constants of the module")
        return int(eval(compile(ast.Expression(node), self.file, "eval"), {"__builtins__": {}}, names))

    def _own(self, statement: ast.stmt, name: str, kind: CType) -> None:
        if self.types.setdefault(name, kind) != kind or name in self.aliases or name in self.parameters:
            raise self.error(statement, f"{name} is of two shapes, or another name for an array that was there: take two names")
        self.rooms.add(name)

    def _put(self, statement: ast.stmt, target: ast.expr, value: Value, text: str) -> None:
        """Assign a value to a variable or an element."""
        if isinstance(target, ast.Name):
            if isinstance(value.type, Scalar):
                kind = self.types[target.id] = common_type(self, statement, self.types.get(target.id, value.type), value.type)
            else:
                kind = self._alias(statement, target.id, value)
            name = self.program.variable(target.id)
            if self.homes.get(target.id) is statement and target.id in self.read:
                self.emit(f"{self.program.dialect.local(kind, name)} = {text};")
            elif target.id in self.read:
                self.emit(f"{name} = {text};")
            return
        element = self.value(target)
        if not isinstance(target, ast.Subscript) or not isinstance(element.type, Scalar) or not isinstance(value.type, Scalar):
            raise self.error(statement, "values go to variables and to single elements of arrays")
        if (value.type == REAL) != (element.type == REAL) and value.type != INTEGER:
            raise self.error(statement, "the array's elements are of another type")
        self.change(statement, element.root)
        self.emit(f"{element.text} = {text};")

    def _alias(self, statement: ast.stmt, name: str, value: Value) -> CType:
        made_here = {self.program.variable(room) for room in self.rooms}
        if self.types.setdefault(name, value.type) != value.type or name in self.rooms or value.text in made_here:
            raise self.error(statement, f"{name} stands for arrays of different shapes, or for one made here: take two names")
        if not all(self._outlives(room, name) for room in self.rooms & self.roots(value.root)):
            raise self.error(statement, f"{name} is a part of an array that is made here more than once: take two names")
        self.aliases.setdefault(name, set()).add(value.root)
        self.pass_on(statement, value.root)
        return value.type

    def _outlives(self, room: str, name: str) -> bool:
        """Tell whether an array is as before while a name stands for a part of it: C would make the next one in its place."""
        block = self.blocks.get(room)  # None where it is not declared with its one value
        if block is None or room in self.again:
            return False
        return self.blocks.get(name, ())[: len(block)] == block

    def _augassign_statement(self, node: ast.AugAssign) -> None:
        if type(node.op) not in _UPDATES:
            spelled = ast.BinOp(ast.parse(ast.unparse(node.target), mode="eval").body, node.op, node.value)
            self.assign(node, node.target, ast.fix_missing_locations(ast.copy_location(spelled, node)))
            return
        target, value = self.value(node.target), self.number(node.value)
        kind = REAL if isinstance(node.op, ast.Div) else common_type(self, node, target.type, value.type)
        if BOOLEAN in (kind, value.type):
            raise self.error(node, "truth values are not for arithmetic")
        if isinstance(node.target, ast.Name):
            self.types[node.target.id] = kind
        elif target.type != kind:
            raise self.error(node, "the array's elements are whole numbers")
        else:
            self.change(node, target.root)
        self.emit(f"{target.text} {_UPDATES[type(node.op)]} {value.text};")

    def results_of(self, statement: ast.stmt, target: ast.expr | None, node: ast.Call) -> None:
        """Call a function; its arrays go to variables that it is given, its number is what C's function returns."""
        values = [self.value(argument) for argument in node.args]
        called, arguments = self.program.call(self, node, self.meaning(node.func), values)
        takers: list[ast.expr | None] = [target] if target is not None else [None] * called.count
        if isinstance(target, ast.Tuple):
            takers = list(target.elts)
        if len(takers) != called.count:
            raise self.error(statement, f"{called.title} returns {called.count} values")
        given = {name for argument in node.args for name in names_in(argument)}
        given |= {root for name in given for root in self.roots(name)}
        indices = {name for taker in takers if isinstance(taker, ast.Subscript) for name in names_in(taker.slice)}
        if indices & {taker.id for taker in takers if isinstance(taker, ast.Name)}:
            raise self.error(statement, "one result is the index of where another one goes: put them into variables first")
        elements: list[tuple[ast.expr, Value]] = []
        for place, _, kind in called.outputs:
            target = takers[place]
            arguments.append(self._taker(statement, target, kind, given))
            if isinstance(target, ast.Subscript):
                elements.append((target, Value(arguments[-1][1:], kind)))
        text = f"{called.name}({', '.join(arguments)})"
        numbers = [taker for place, taker in enumerate(takers) if place not in {place for place, _, _ in called.outputs}]
        taker = numbers[0] if numbers else None
        if taker is None or (isinstance(taker, ast.Name) and taker.id not in self.read):
            self.emit(f"{'(void)' * (called.result is not None)}{text};")
            for element, value in elements:
                self._put(statement, element, value, value.text)
            return
        if isinstance(taker, ast.Subscript) and any(isinstance(each, ast.Subscript) for each in ast.walk(taker.slice)):
            raise self.error(statement, "the call may change the element's index: put the result into a variable first")
        assert called.result is not None
        self._put(statement, taker, Value(text, called.result), text)

    def _taker(self, statement: ast.stmt, target: ast.expr | None, kind: CType, given: set[str]) -> str:
        """Return the argument that takes a result: a new variable if nobody reads it, or if an element gets it afterwards."""
        if not isinstance(target, ast.Name) or target.id not in self.read:
            if isinstance(kind, ArrayType) and isinstance(target, ast.Subscript):
                raise self.error(statement, "an array that is returned goes to a variable")
            if target is not None and not isinstance(target, ast.Name | ast.Subscript):
                raise self.error(statement, "values go to variables and to single elements of arrays")
            self.held += 1
            name, home = f"{'held' if isinstance(target, ast.Subscript) else 'unused'}_{self.held}", True
        elif target.id in given and isinstance(kind, ArrayType):
            raise self.error(statement, f"{target.id} is both given to the call and its result: take two names")
        else:
            name, home = self.program.variable(target.id), self.homes.get(target.id) is statement
            if isinstance(kind, ArrayType):
                self._own(statement, target.id, kind)
                home = home and target.id in self.variables()
            elif self.types.setdefault(target.id, kind) != kind:
                raise self.error(statement, f"{target.id} is a whole number here and a real one there: write float(…)")
        if home:
            self.emit(f"{self.program.dialect.inside(kind, name)};")
        return f"&{name}" if isinstance(kind, Scalar) else name


def names_in(node: ast.AST, context: type[ast.expr_context] = ast.expr_context) -> Iterator[str]:
    """Yield the names in a piece of a program, in a context (read, assigned) or in any."""
    return (each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, context))
