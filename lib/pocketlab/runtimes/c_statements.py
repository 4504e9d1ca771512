"""Statements of Python to statements of C, function by function: see `pocketlab.runtimes.c_source` for what is translated.

A function is translated again until the types of its variables no longer change. A variable is declared where it gets its first
value if it is used in that block only, else at the function's beginning.
"""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pocketlab.runtimes.c_assignments import Assignments, Block, names_in
from pocketlab.runtimes.c_expressions import SUM
from pocketlab.runtimes.c_scope import SAMPLE_COUNT, Function, Parameter, Program, common_type
from pocketlab.runtimes.c_types import INTEGER, ArrayType, CType, Scalar, StructType, TranslationError


def translate_function(program: Program, source: Callable[..., Any], name: str, kinds: Sequence[CType]) -> Function:
    """Translate one function, and by the way those that it calls. source: its Python form. kinds: of its parameters."""
    first = source.__code__.co_firstlineno
    try:
        text = textwrap.dedent(inspect.getsource(source))
        tree = ast.parse(text).body[0]
    except (OSError, SyntaxError):
        tree = ast.Pass()
    if not isinstance(tree, ast.FunctionDef):
        raise TranslationError(f"The source of {source.__name__} cannot be read: write it with `def`, in a file or a cell.")
    ast.increment_lineno(tree, first - 1)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {token.start[0] + first - 1: token.string for token in tokens if token.type == tokenize.COMMENT}
    file = Path(source.__code__.co_filename).name
    stored = set(names_in(tree, ast.Store))
    parameters = dict(zip((argument.arg for argument in tree.args.args), kinds, strict=False))
    own = stored | set(parameters)
    scope = (program, source.__name__, file, source.__globals__, own, dict(parameters))
    statements = Statements(*scope, parameters=frozenset(parameters), tree=tree, comments=comments)
    every = tree.args
    if every.posonlyargs or every.kwonlyargs or every.vararg or every.kwarg or every.defaults:
        raise statements.error(tree, "parameters are plain ones, without defaults")
    return statements.function(name, f"{source.__module__}.{source.__name__}", parameters)


@dataclass
class Statements(Assignments):
    """Translates the statements of one function.

    results: types of all values returned. stored: variables. pending: lines of comments that are still to be written.
    """

    tree: ast.FunctionDef = field(kw_only=True)
    comments: dict[int, str] = field(kw_only=True)
    results: list[CType] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    pending: list[int] = field(default_factory=list)

    def function(self, name: str, title: str, parameters: dict[str, CType]) -> Function:
        """Translate the whole function."""
        body = self.tree.body
        docstring = ast.get_docstring(self.tree) or ""
        statements = body[1:] if docstring else body
        self._place(statements)
        while True:
            before = (dict(self.types), dict(self.outputs), list(self.results))
            self.lines, self.held, self.pending = [], 0, sorted(line for line in self.comments if line > self.tree.lineno)
            self._block(statements)
            if before == (self.types, self.outputs, self.results):
                break
        for parameter, kind in parameters.items():
            if self.types[parameter] != kind:
                raise self.error(self.tree, f"{parameter} comes as a whole number and becomes a real one: take two names")
        outer = sorted(self.variables() - set(self.homes) - set(parameters))
        declared = [f"    {self.declaration(variable)};" for variable in outer]
        unused = [f"    (void){self.program.variable(each)};" for each in parameters if each not in self.read | self.stored]
        counted = any(isinstance(kind, ArrayType) and kind.shape[0] is None for kind in parameters.values())
        if counted and not any(SAMPLE_COUNT in line for line in self.lines):
            unused.append(f"    (void){SAMPLE_COUNT};")
        scalars = [kind for kind in self.results if isinstance(kind, Scalar)]
        outputs = [
            (place, self.program.variable(self.outputs[place]) if place in self.outputs else f"result_{place}", kind)
            for place, kind in enumerate(self.results)
            if place in self.outputs or len(scalars) > 1
        ]
        return Function(
            name,
            title,
            docstring,
            tuple(self._parameter(each, kind) for each, kind in parameters.items()),
            tuple(outputs),
            scalars[0] if len(scalars) == 1 else None,
            len(self.results),
            "".join(f"{line}\n" for line in [*declared, *unused, *self.lines]),
            self.program.dialect,
        )

    def _parameter(self, name: str, kind: CType) -> Parameter:
        flat = isinstance(kind, ArrayType) and (len(kind.shape) == 1 or kind.shape[0] is None)
        return Parameter(self.program.variable(name), kind, flat and name not in self.passed_on, name in self.written)

    def _place(self, statements: Sequence[ast.stmt]) -> None:
        """Find for each variable the assignment that can declare it, if there is one."""
        seen: dict[str, list[tuple[Block, ast.stmt | None]]] = {}
        for name, block, statement in _occurrences(statements, ()):
            seen.setdefault(name, []).append((block, statement))
        read_too: list[ast.expr] = [node.target for node in ast.walk(self.tree) if isinstance(node, ast.AugAssign)]
        read_too += [node.targets[0] for node in ast.walk(self.tree) if isinstance(node, ast.Assign) and len(node.targets) > 1]
        self.read = set(names_in(self.tree, ast.Load)) | {target.id for target in read_too if isinstance(target, ast.Name)}
        self.stored = {name for name, places in seen.items() if any(statement for _, statement in places)}
        self.again = {name for name, places in seen.items() if len({id(statement) for _, statement in places if statement}) > 1}
        loops = [node.target for node in ast.walk(self.tree) if isinstance(node, ast.For)]
        counters = {target.id for target in loops if isinstance(target, ast.Name)}
        if both := sorted(counters & (self.stored | self.parameters)):
            raise self.error(self.tree, f"{both[0]} counts in a loop and is a variable too: take two names")
        for name, places in seen.items():
            block, statement = places[0]
            inside = all(other[: len(block)] == block for other, _ in places)
            if name not in self.parameters and statement is not None and inside:
                self.homes[name], self.blocks[name] = statement, block

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            last = statement.body[0].lineno - 1 if isinstance(statement, ast.If | ast.For | ast.While) else statement.end_lineno
            while self.pending and self.pending[0] <= (last or 0):
                self.emit(self.comments[self.pending.pop(0)].lstrip("# "), start="// ")
            translate = getattr(self, f"_{type(statement).__name__.lower()}_statement", None)
            if translate is None:
                raise self.error(statement, "there is no such statement in what is translated")
            translate(statement)

    def _body(self, statements: Sequence[ast.stmt]) -> None:
        self.depth += 1
        self._block(statements)
        self.depth -= 1

    def _expr_statement(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Call) or not self.program.translates(self.meaning(node.value.func)):
            raise self.error(node, "a line that is no assignment is a call of a compiled function")
        self.results_of(node, None, node.value)

    def _if_statement(self, node: ast.If, word: str = "if") -> None:
        self.emit(f"{word} ({self.truth(node.test).text}) {{")
        self._body(node.body)
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            self._if_statement(node.orelse[0], "} else if")
            return
        if node.orelse:
            self.emit("} else {")
            self._body(node.orelse)
        self.emit("}")

    def _while_statement(self, node: ast.While) -> None:
        if node.orelse:
            raise self.error(node, "a loop has no `else`")
        self.emit(f"while ({self.truth(node.test).text}) {{")
        self._body(node.body)
        self.emit("}")

    def _for_statement(self, node: ast.For) -> None:
        call = node.iter
        counts = isinstance(call, ast.Call) and self.meaning(call.func) is range
        if not counts or not isinstance(node.target, ast.Name) or node.orelse:
            raise self.error(node.iter, "a loop counts: `for i in range(…)`, without `else`")
        assert isinstance(call, ast.Call)
        if node.target.id in self.loops:
            raise self.error(node.iter, f"{node.target.id} counts in the loop around, too: take two names")
        limits = [self.number(argument) for argument in call.args]
        step = ast.literal_eval(call.args[2]) if len(limits) == 3 and _written(call.args[2]) else 1 if len(limits) < 3 else 0
        if any(limit.type != INTEGER for limit in limits) or not isinstance(step, int) or not step:
            raise self.error(node.iter, "range takes whole numbers, the step written there and not 0")
        name = self.program.variable(node.target.id)
        start, stop = (limits[0].text if len(limits) > 1 else "0"), limits[min(1, len(limits) - 1)]
        end, held = stop.at(SUM), ""
        if any(self._may_change(each) for each in ast.walk(call)):
            end, held = f"{name}_end", f", {name}_end = {stop.text}"  # it counts as it was when the loop began
        pace = f"{name}++" if step == 1 else f"{name}--" if step == -1 else f"{name} += {step}"
        self.emit(f"for (long {name} = {start}{held}; {name} {'<' if step > 0 else '>'} {end}; {pace}) {{")
        self.loops.append(node.target.id)
        self._body(node.body)
        self.loops.pop()
        self.emit("}")

    def _may_change(self, node: ast.AST) -> bool:
        """Tell whether a part of a loop's limits may have another value after the loop's body than before it."""
        calls = isinstance(node, ast.Call) and self.program.translates(self.meaning(node.func))
        return calls or isinstance(node, ast.Subscript) or getattr(node, "id", "") in self.stored

    def _pass_statement(self, node: ast.Pass) -> None:
        pass

    def _break_statement(self, node: ast.Break) -> None:
        self.emit("break;")

    def _continue_statement(self, node: ast.Continue) -> None:
        self.emit("continue;")

    def _return_statement(self, node: ast.Return) -> None:
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value] if node.value else []
        translated = [self.value(value) for value in values]
        if self.results and len(self.results) != len(values):
            raise self.error(node, "every return gives the same number of values")
        self.results = self.results or [value.type for value in translated]
        for place, (value, known) in enumerate(zip(translated, self.results, strict=True)):
            if isinstance(value.type, StructType):
                raise self.error(node, "a NamedTuple is not returned")
            if isinstance(value.type, ArrayType) or isinstance(known, ArrayType):
                whole = value.root in self.rooms and value.text == self.program.variable(value.root)
                if not whole or self.outputs.setdefault(place, value.root) != value.root:
                    raise self.error(node, "an array that is returned was made in the function, and is the same at every return")
            else:
                self.results[place] = common_type(self, node, known, value.type)
        numbers = [(place, value) for place, value in enumerate(translated) if isinstance(value.type, Scalar)]
        if len(numbers) > 1:
            for place, value in numbers:
                self.emit(f"*result_{place} = {value.text};")
        if len(numbers) == 1:
            self.emit(f"return {numbers[0][1].text};")
        elif node is not self.tree.body[-1]:
            self.emit("return;")


def _occurrences(statements: Sequence[ast.stmt], block: Block) -> Iterator[tuple[str, Block, ast.stmt | None]]:
    """Yield each name, the block it stands in, and the assignment that gives it a value, in the order of execution."""
    for statement in statements:
        if isinstance(statement, ast.If | ast.While | ast.For):
            head = statement.iter if isinstance(statement, ast.For) else statement.test
            yield from ((name, block, None) for name in names_in(head))
            for part, inner in enumerate((statement.body, statement.orelse)):
                yield from _occurrences(inner, (*block, statement.lineno, part))
            continue
        yield from ((name, block, None) for name in names_in(statement, ast.Load))
        if isinstance(statement, ast.AugAssign):
            yield from ((name, block, None) for name in names_in(statement.target))
        yield from ((name, block, statement) for name in names_in(statement, ast.Store))


def _written(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant))
