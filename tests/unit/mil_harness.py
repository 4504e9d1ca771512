"""Build MIL programs of an operator or two, run them in our interpreter, and get coremltools' own answer to the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pocketlab.runtimes.mil._coremltools import import_coremltools
from pocketlab.runtimes.mil.interpreter import Interpreter

ct = import_coremltools()

from coremltools.converters.mil.mil import Builder as mb  # noqa: E402
from coremltools.converters.mil.mil import types  # noqa: E402
from coremltools.converters.mil.mil.types.symbolic import is_symbolic  # noqa: E402

_TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32, "bool": types.bool}
_TYPES |= {name: getattr(types, name) for name in ("int8", "uint8", "int16", "uint16")}  # from iOS 17 on


def program(build: Callable[..., Any], inputs: dict[str, np.ndarray], opset: str = "iOS17") -> Any:
    """Return coremltools' program of `build(**inputs)`, which makes its operators with `mb`. No input may be a scalar."""
    specs = [mb.TensorSpec(shape=x.shape, dtype=_TYPES[x.dtype.name]) for x in inputs.values()]

    def body(*variables: Any) -> Any:
        return build(**dict(zip(inputs, variables, strict=True)))

    names = ", ".join(inputs)  # coremltools names the inputs by the function's parameters
    function = eval(f"lambda {names}: body({names})", {"body": body})
    return mb.program(input_specs=specs, opset_version=ct.target[opset])(function)


def run(
    build: Callable[..., Any], inputs: dict[str, np.ndarray], opset: str = "iOS17", precision: str = "float32"
) -> list[Any]:
    """Return the outputs of `build(**inputs)` from our interpreter, as arrays where they are tensors."""
    interpreter = Interpreter(program(build, inputs, opset), precision=precision)
    results = interpreter.run(inputs)
    return [results[name].numpy() if hasattr(results[name], "numpy") else results[name] for name in interpreter.outputs]


def run_operator(name: str, tensors: dict[str, np.ndarray], opset: str = "iOS17", **settings: Any) -> list[Any]:
    """Return the outputs of one operator: `tensors` reach it when it runs, `settings` are constants of the program."""
    return run(lambda **variables: getattr(mb, name)(**variables, **settings), tensors, opset)


def inferred(name: str, opset: str = "iOS17", **arguments: Any) -> list[Any]:
    """Return what coremltools' value_inference gives for the operator with constant arguments."""
    found: list[Any] = []

    def build(unused: Any) -> Any:
        out = getattr(mb, name)(**arguments)
        found.extend(out if isinstance(out, tuple | list) else [out])
        return mb.identity(x=unused)

    program(build, {"unused": np.zeros((1,), np.float32)}, opset)
    values = [var.val for var in found]
    assert all(value is not None for value in values), f"coremltools has no value inference for {name} with these"
    return values


def check(
    name: str, tensors: dict[str, np.ndarray], opset: str = "iOS17", rtol: float = 0, atol: float = 0, **settings: Any
) -> None:
    """Assert that our operator gives what coremltools' value inference gives: shape, values, and kind of number."""
    ours = run_operator(name, tensors, opset, **settings)
    theirs = inferred(name, opset, **tensors, **settings)
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        their = np.asarray(their)
        assert our.shape == their.shape, f"{name}: shape {our.shape}, coremltools has {their.shape}"
        assert our.dtype.kind == their.dtype.kind, f"{name}: type {our.dtype}, coremltools has {their.dtype}"
        np.testing.assert_allclose(our, their, rtol=rtol, atol=atol)


def run_as_declared(name: str, tensors: dict[str, np.ndarray], opset: str = "iOS17", **settings: Any) -> list[Any]:
    """Do as `run_operator`, and assert that each output has the shape that coremltools infers for it, where it can."""
    built = program(lambda **variables: getattr(mb, name)(**variables, **settings), tensors, opset)
    interpreter = Interpreter(built)
    results = interpreter.run(tensors)
    arrays = [results[output].numpy() for output in interpreter.outputs]
    for array, output in zip(arrays, built.functions["main"].outputs, strict=True):
        expected = tuple(own if is_symbolic(size) else size for own, size in zip(array.shape, output.shape, strict=True))
        assert array.shape == expected, f"{name}: shape {array.shape}, coremltools has {output.shape}"
    return arrays
