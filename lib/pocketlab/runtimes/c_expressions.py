"""Expressions of Python to expressions of C with the same value: see `pocketlab.runtimes.c_source` for what is translated.

Every value carries its type and how tightly its outermost operator binds, so that parentheses stand only where they are needed
and the order of operations stays the same: rounding depends on it.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pocketlab.runtimes.c_scope import SAMPLE_COUNT, WHOLE, Scope, Value, common_type
from pocketlab.runtimes.c_types import BOOLEAN, INTEGER, REAL, ArrayType, Scalar, StructType

CHOICE, OR, AND, COMPARISON, SUM, PRODUCT, SIGN = range(WHOLE)
_OPERATORS: dict[type, tuple[str, int]] = {
    ast.Add: ("+", SUM),
    ast.Sub: ("-", SUM),
    ast.Mult: ("*", PRODUCT),
    ast.Div: ("/", PRODUCT),
}
_WHOLE_NUMBERS: dict[type, str] = {ast.FloorDiv: "floor_divide", ast.Mod: "floor_remainder"}
_COMPARISONS: dict[type, str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
# Functions of libm, which numba calls too, by the function of Python. Not all of `math`: numba has its own of some.
_LIBM = "sin cos tan asin acos atan atan2 sinh cosh tanh exp expm1 log log1p sqrt fabs"
_MATH: dict[Any, str] = {getattr(math, name): name for name in _LIBM.split()}
_TESTS: dict[Any, str] = {math.isfinite: "isfinite", math.isnan: "isnan", math.isinf: "isinf"}
_ROUNDINGS: dict[Any, str] = {math.floor: "floor", math.ceil: "ceil"}
C_FUNCTIONS = [*_MATH.values(), *_TESTS.values(), *_ROUNDINGS.values(), "labs", "memset"]  # all that the translation calls
_KNOWN: set[Any] = {*_MATH, *_TESTS, *_ROUNDINGS, int, float, abs, min, max}


class Expressions(Scope):
    """Translates expressions inside of one function."""

    def value(self, node: ast.expr) -> Value:
        """Translate one expression."""
        translate = getattr(self, f"_{type(node).__name__.lower()}", None)
        if translate is None:
            raise self.error(node, "it is no arithmetic, comparison, condition, index or call")
        return translate(node)

    def number(self, node: ast.expr) -> Value:
        """Translate an expression that has to be a number."""
        value = self.value(node)
        if not isinstance(value.type, Scalar):
            raise self.error(node, "an array or a tuple stands where a number is needed")
        return value

    def truth(self, node: ast.expr) -> Value:
        """Translate a condition, where numbers other than 0 count as true."""
        if not isinstance(node, ast.BoolOp):
            return self.number(node)
        sign, level = ("&&", AND) if isinstance(node.op, ast.And) else ("||", OR)
        return Value(f" {sign} ".join(self.truth(operand).at(COMPARISON) for operand in node.values), BOOLEAN, level)

    def _constant(self, node: ast.Constant) -> Value:
        if not isinstance(node.value, bool | int | float):
            raise self.error(node, "only numbers are constants here")
        kind = BOOLEAN if isinstance(node.value, bool) else INTEGER if isinstance(node.value, int) else REAL
        return Value(self.program.dialect.literal(node.value), kind)

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.loops:
            return Value(self.program.variable(node.id), INTEGER)
        if node.id in self.own:
            if node.id not in self.types:
                raise self.error(node, "it has no value here yet")
            return Value(self.program.variable(node.id), self.types[node.id], root=node.id)
        return self._outside(node, node.id)

    def _attribute(self, node: ast.Attribute) -> Value:
        if self.meaning(node.value) is not None:
            return self._outside(node, node.attr)
        base = self.value(node.value)
        fields = dict(base.type.fields) if isinstance(base.type, StructType) else {}
        if node.attr not in fields:
            raise self.error(node, "only a NamedTuple's fields can be read this way")
        arrow = "->" if isinstance(node.value, ast.Name) else "."
        return Value(f"{base.text}{arrow}{node.attr}", fields[node.attr], root=base.root)

    def _outside(self, node: ast.expr, name: str) -> Value:
        constant = self.meaning(node)
        if not isinstance(constant, bool | int | float | np.ndarray):
            raise self.error(node, "it is neither a variable nor a number or an array of a module")
        return self.program.constant(self, node, name, constant)

    def _subscript(self, node: ast.Subscript) -> Value:
        base = self.value(node.value)
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not isinstance(base.type, ArrayType) or len(indices) > len(base.type.shape):
            raise self.error(node, "only arrays have indices, and as many as dimensions at most")
        text = base.at(WHOLE)
        for index in indices:
            if isinstance(index, ast.Slice | ast.UnaryOp):
                raise self.error(node, "slices and indices from the end have no counterpart in C")
            position = self.number(index)
            if position.type != INTEGER:
                raise self.error(node, "an index has to be a whole number")
            text += f"[{position.text}]"
        return Value(text, base.type.part(len(indices)), root=base.root)

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return Value(f"!{self.truth(node.operand).at(WHOLE)}", BOOLEAN, SIGN)
        operand = self.number(node.operand)
        if not isinstance(node.op, ast.USub) or operand.type == BOOLEAN:
            raise self.error(node, "of signs there is the minus of numbers, and `not`")
        return Value(f"-{operand.at(WHOLE)}", operand.type, SIGN)

    def _binop(self, node: ast.BinOp) -> Value:
        if isinstance(node.op, ast.Pow):
            return self._power(node)
        left, right = self.number(node.left), self.number(node.right)
        if BOOLEAN in (left.type, right.type):
            raise self.error(node, "truth values are not for arithmetic")
        whole = left.type == right.type == INTEGER
        if type(node.op) in _WHOLE_NUMBERS:
            if not whole:
                raise self.error(node, "it is there for whole numbers only; of real ones write `math.floor(a / b)`")
            return Value(f"{self.program.helper(_WHOLE_NUMBERS[type(node.op)])}({left.text}, {right.text})", INTEGER)
        if type(node.op) not in _OPERATORS:
            raise self.error(node, "operators are + - * / // % **")
        sign, level = _OPERATORS[type(node.op)]
        if (self._largest(node) or 0) >= 2**31:  # constants are `int` in C
            left = Value(f"(long){left.at(SIGN)}", INTEGER, SIGN)
        if whole and sign == "/":  # in C that would leave the fraction out
            left = Value(f"({self.program.dialect.real}){left.at(SIGN)}", REAL, SIGN)
        return Value(f"{left.at(level)} {sign} {right.at(level + 1)}", INTEGER if whole and sign != "/" else REAL, level)

    def _largest(self, node: ast.expr) -> int | None:
        """Return how far from 0 a whole number that is made of constants alone can be, None for any other expression."""
        if isinstance(node, ast.UnaryOp):
            return self._largest(node.operand)
        if isinstance(node, ast.IfExp | ast.BinOp):
            sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.body, node.orelse)
            one, other = map(self._largest, sides)
            if one is None or other is None:
                return None
            if isinstance(node, ast.IfExp):
                return max(one, other)
            return {ast.Add: one + other, ast.Sub: one + other, ast.Mult: one * other}.get(type(node.op))
        value = node.value if isinstance(node, ast.Constant) else self.meaning(node)
        return abs(value) if isinstance(value, int) else None

    def _power(self, node: ast.BinOp) -> Value:
        base, exponent = self.number(node.left), node.right
        written = isinstance(exponent, ast.Constant) and isinstance(exponent.value, int) and exponent.value in range(2, 10)
        if not (written and base.type == REAL):
            raise self.error(node, "a power is one of a real number, its exponent is written there, a whole number from 2 to 9")
        return Value(f"{self.program.helper(f'power_{ast.unparse(exponent)}')}({base.text})", REAL)

    def _boolop(self, node: ast.BoolOp) -> Value:
        if any(self.value(operand).type != BOOLEAN for operand in node.values):
            raise self.error(node, "outside of a condition, `and` and `or` are for truth values only")
        return self.truth(node)

    def _compare(self, node: ast.Compare) -> Value:
        sides = [self.number(side).at(SUM) for side in (node.left, *node.comparators)]
        if any(type(operator) not in _COMPARISONS for operator in node.ops):
            raise self.error(node, "comparisons are < <= > >= == !=")
        signs = [_COMPARISONS[type(operator)] for operator in node.ops]
        pairs = [f"{left} {sign} {right}" for left, sign, right in zip(sides, signs, sides[1:], strict=False)]
        return Value(" && ".join(pairs), BOOLEAN, COMPARISON if len(pairs) == 1 else AND)

    def _ifexp(self, node: ast.IfExp) -> Value:
        condition, yes, no = self.truth(node.test), self.number(node.body), self.number(node.orelse)
        return Value(f"{condition.at(OR)} ? {yes.at(OR)} : {no.at(OR)}", common_type(self, node, yes.type, no.type), CHOICE)

    def _call(self, node: ast.Call) -> Value:
        function = self.meaning(node.func)
        if self.program.translates(function):
            called, texts = self.program.call(self, node, function, [self.value(argument) for argument in node.args])
            if called.outputs or called.result is None or called.changes:
                raise self.error(node, "what changes arrays, or does not return one number, stands alone: `x = f(…)`")
            return Value(f"{called.name}({', '.join(texts)})", called.result)
        if function is len and len(node.args) == 1 and isinstance(kind := self.value(node.args[0]).type, ArrayType):
            return Value(SAMPLE_COUNT if kind.shape[0] is None else str(kind.shape[0]), INTEGER)
        if not callable(function) or function not in _KNOWN:
            raise self.error(node, "functions are compiled ones, min, max, abs, len, int, float, and the common ones of math")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(node, "arguments are given by position only")
        return self._library(node, function, [self.number(argument) for argument in node.args])

    def _library(self, node: ast.Call, function: Any, arguments: Sequence[Value]) -> Value:
        suffix = "f" * (self.program.dialect.real == "float")
        texts = ", ".join(argument.text for argument in arguments)
        kinds = {argument.type for argument in arguments}
        if BOOLEAN in kinds or not arguments:
            raise self.error(node, "functions take numbers")
        if function in _MATH:
            return Value(f"{_MATH[function]}{suffix}({texts})", REAL)
        if function in _TESTS and kinds == {REAL}:
            return Value(f"{_TESTS[function]}({texts})", BOOLEAN)
        if function in _ROUNDINGS and kinds == {REAL}:
            return Value(f"(long){_ROUNDINGS[function]}{suffix}({texts})", INTEGER, SIGN)
        if function in (int, float):
            kind = INTEGER if function is int else REAL
            return Value(f"({self.program.dialect.scalar(kind)}){arguments[0].at(SIGN)}", kind, SIGN)
        if function is abs:
            return Value(f"labs({texts})", INTEGER) if kinds == {INTEGER} else Value(f"fabs{suffix}({texts})", REAL)
        if function in (min, max) and len(arguments) > 1:
            kind = INTEGER if kinds == {INTEGER} else REAL
            name, text = self.program.helper(f"{function.__name__}_{kind.kind}"), arguments[0].text
            for argument in arguments[1:]:
                text = f"{name}({text}, {argument.text})"
            return Value(text, kind)
        raise self.error(node, "this function takes other numbers than these")
