"""Which function computes which MIL operator, and in what form it wants its arguments.

An operator is a plain function whose parameters have MIL's own names. Their annotations say what the interpreter hands over:

| annotation | what arrives |
|---|---|
| `Tensor` | a torch tensor; a scalar as one without dimensions |
| `list[Tensor]` | several tensors, such as the values of `concat` |
| `Ints`, `Bools` | a list of Python numbers, from a constant or computed by the program (the shape of a `reshape`) |
| `int`, `float`, `bool`, `str` | one Python value |
| `Any` | the value as the program holds it: a state, a list, the labels of a classifier |

`| None` marks what a program may leave out. Floating-point tensors are float32 throughout: where the program says float16
and is to be computed so, the interpreter rounds each result, and a function need not know.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

Ints: TypeAlias = list[int]
Bools: TypeAlias = list[bool]
Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Operator:
    """A MIL operator: its name, its function, and for each parameter what brings a value into the annotated form."""

    name: str
    function: Callable[..., Any]
    parameters: dict[str, Convert]


OPERATORS: dict[str, Operator] = {}


def operator(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function under MIL's `names`; without any, under its own."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function, eval_str=True)
        parameters = {name: _conversion(parameter.annotation) for name, parameter in signature.parameters.items()}
        for name in names or (function.__name__,):
            OPERATORS[name] = Operator(name, function, parameters)
        return function

    return register


def _conversion(annotation: Any) -> Convert:
    """Return what turns a program's value (of NumPy, torch or Python) into the annotated form."""
    given = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    optional = type(None) in typing.get_args(annotation)
    return _CONVERSIONS[given[0] if optional else annotation]


def tensor(value: Any) -> Tensor:
    """Return a tensor of a constant or computed value."""
    return value if isinstance(value, Tensor) else torch.as_tensor(value)


def _list(value: Any) -> list[Any]:
    if hasattr(value, "tolist"):
        return value.tolist()
    return [item.item() if hasattr(item, "item") else item for item in value]


def _one(kind: Callable[[Any], Any]) -> Convert:
    return lambda value: kind(value.item() if hasattr(value, "item") else value)


_CONVERSIONS: dict[Any, Convert] = {
    Tensor: tensor,
    list[Tensor]: lambda values: [tensor(value) for value in values],
    Ints: _list,
    Bools: _list,
    int: _one(int),
    float: _one(float),
    bool: _one(bool),
    str: str,
    Any: lambda value: value,
}
