"""A reference interpreter of Core ML: run an .mlpackage on any system, in float32 or with every float16 in it.

`load` gives a `Model` with `predict`; `Interpreter` runs coremltools' Program itself; `coverage` lists the operators. It
imports nothing of Pocketlab but its errors and the count of free memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketlab.runtimes.mil.interpreter import Interpreter
    from pocketlab.runtimes.mil.model import Model, ModelState, load
    from pocketlab.runtimes.mil.operator_coverage import coverage

__all__ = ["Interpreter", "Model", "ModelState", "coverage", "load"]

_HOME = {
    "Interpreter": "interpreter",
    "Model": "model",
    "ModelState": "model",
    "coverage": "operator_coverage",  # a module of the function's own name would take its place here
    "load": "model",
}


def __getattr__(name: str) -> Any:
    """Import torch and the operators when something is first used, since `package` and `features` need neither."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
