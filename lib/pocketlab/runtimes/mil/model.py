"""Load an .mlpackage and run it on any system: what Apple's runtime takes and gives, computed by the interpreter."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from pocketlab.errors import ModelFileError, PocketlabError, UnsupportedOperatorError
from pocketlab.runtimes.mil._coremltools import import_coremltools, quiet
from pocketlab.runtimes.mil.compiler import CONTROL_FLOW, State
from pocketlab.runtimes.mil.features import Feature, interface
from pocketlab.runtimes.mil.images import picture, pixels
from pocketlab.runtimes.mil.interpreter import Interpreter, Precision
from pocketlab.runtimes.mil.package import Package, operations, read_package
from pocketlab.runtimes.mil.registry import OPERATORS

_ELSEWHERE = {"const", "write_state", *CONTROL_FLOW}  # what the compiler, coremltools' reader and the interpreter see to


def load(path: str | os.PathLike[str], *, function: str | None = None, precision: Precision = "float32") -> Model:
    """Load a package's function, by default its default one, to be computed in float32 or honoring each float16 in it.

    Raises ModelFileError if the package is damaged, UnsupportedOperatorError if it has an operator that cannot be computed
    here, ValueError for another precision or a function that is not there.
    """
    package = read_package(path)
    name = package.path.name
    try:
        features = interface(package, function)
        _check_operators(package, features.function)
        program = _read_program(package, features.function)
        interpreter = Interpreter(program, features.function, precision=precision)
    except (UnsupportedOperatorError, ModelFileError):
        raise
    except PocketlabError as error:
        raise ModelFileError(f"{name} is damaged, or asks for too much: {error}") from error
    promised = {feature.name for feature in features.outputs}
    if not promised or promised - set(interpreter.outputs):
        raise ModelFileError(
            f"{name} is damaged: it promises the outputs {_names(features.outputs) or 'none'}, and its program has "
            f"{', '.join(interpreter.outputs)}."
        )
    return Model(name, interpreter, features.inputs, features.outputs, features.states, precision)


class ModelState(dict[str, State]):
    """The states of a model, such as its KV cache, between its calls. Zeros at first; `Model.make_state` makes it."""

    def read_state(self, name: str) -> np.ndarray:
        """Return a copy of what a state holds. Raises ValueError for a name that is not there."""
        return self._named(name).value.numpy().copy()

    def write_state(self, name: str, value: np.ndarray) -> None:
        """Let a state hold `value`, of the state's shape. Raises ValueError for another shape or name."""
        state = self._named(name)
        if tuple(np.shape(value)) != tuple(state.value.shape):
            raise ValueError(f"The state {name!r} has shape {tuple(state.value.shape)}, and got {np.shape(value)}.")
        state.value = torch.as_tensor(np.array(value)).to(state.value.dtype)

    def _named(self, name: str) -> State:
        if name not in self:
            raise ValueError(f"There is no state {name!r}; there are {', '.join(self) or 'none'}.")
        return self[name]


class Model:
    """A loaded function. `inputs`, `outputs` and `states` are what it takes, gives and keeps between calls."""

    def __init__(
        self,
        name: str,
        interpreter: Interpreter,
        inputs: tuple[Feature, ...],
        outputs: tuple[Feature, ...],
        states: tuple[Feature, ...],
        precision: Precision,
    ) -> None:
        self.name = name
        self.inputs, self.outputs, self.states = inputs, outputs, states
        self.precision = precision
        self._interpreter = interpreter

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of all tensors of the program, constants included, in the order in which they are computed."""
        return self._interpreter.names

    def make_state(self) -> ModelState:
        """Return the states of this model at the beginning of a sequence, all zeros."""
        return ModelState({state.name: State(torch.zeros(_sizes(state))) for state in self.states})

    def predict(
        self, inputs: Mapping[str, Any], state: ModelState | None = None, *, keep: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Compute the outputs, and the tensors of the program that `keep` names (see `tensors`); return them by name.

        inputs: an array or torch tensor for each input; for an image a PIL image, an array (height, width) or (height,
        width, 3) in RGB order, or (1, channels, height, width), pixels from 0 to 255. state: for a model that has states;
        it is changed. An image comes back as a PIL image, a label as text or number, probabilities as a dictionary.
        Raises ValueError where an input does not fit, ModelFileError if the program turns out to be damaged.
        """
        if unknown := sorted(set(inputs) - {feature.name for feature in self.inputs}):
            raise ValueError(f"{self.name} has no input {unknown[0]!r}; it takes {_names(self.inputs)}.")
        values: dict[str, Any] = {feature.name: _given(self.name, feature, inputs) for feature in self.inputs}
        values.update(self._given_state(state))
        try:
            results = self._interpreter.run(values, keep)
        except PocketlabError as error:
            raise ModelFileError(f"{self.name} cannot be run: {error}") from error
        features = {feature.name: feature for feature in self.outputs}
        try:
            return {name: self._taken(value, features.get(name)) for name, value in results.items()}
        except (ValueError, TypeError, RuntimeError, LookupError) as error:
            raise ModelFileError(
                f"{self.name} is damaged: its program computes another kind of output than it promises ({error})."
            ) from error

    def _given_state(self, state: ModelState | None) -> Mapping[str, State]:
        names = {feature.name for feature in self.states}
        if set(state or ()) != names:
            wanted = f"has the states {_names(self.states)}: give predict a state from make_state()" if names else "has no state"
            raise ValueError(f"{self.name} {wanted}.")
        return state or {}

    def _taken(self, value: Any, feature: Feature | None) -> Any:
        """Return a result as the caller gets it; float16 as such only where the program was computed so."""
        if not isinstance(value, torch.Tensor):
            return value
        if feature and feature.kind == "image":
            return picture(value, feature.dtype)
        if feature and feature.kind == "int64":  # a classifier's label
            return int(value)
        array = value.numpy()
        halves = feature is not None and feature.dtype == "float16" and self.precision == "float16"
        return array.astype(np.float16) if halves else array


def _given(model: str, feature: Feature, inputs: Mapping[str, Any]) -> torch.Tensor:
    """Return an input as a tensor of the shape and kind that the feature asks for. Raises ValueError if it does not fit."""
    if feature.name not in inputs:
        if feature.default is None:
            raise ValueError(f"{model} takes an input {feature.name!r}, and it is missing.")
        return torch.full(_sizes(feature), feature.default)
    value = inputs[feature.name]
    if feature.image:
        tensor = pixels(value, feature.name, feature.image.color_layout)
    else:
        tensor = value.detach() if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
        if feature.dtype.startswith("int") and tensor.is_floating_point():
            if not bool((tensor == tensor.round()).all()):
                raise ValueError(f"The input {feature.name!r} of {model} takes whole numbers ({feature.dtype}).")
            tensor = tensor.to(torch.int32)
    if not _fits(feature, tuple(tensor.shape)):
        wanted = ", ".join("any" if size is None else str(size) for size in feature.shape)
        limits = f", flexible {feature.flexible}" if feature.flexible else ""
        raise ValueError(
            f"The input {feature.name!r} of {model} takes shape ({wanted}){limits}, and got {tuple(tensor.shape)}."
        )
    return tensor


def _fits(feature: Feature, shape: tuple[int, ...]) -> bool:
    """Say whether a shape is one that the feature allows."""
    if len(shape) != len(feature.shape):
        return False
    if any(wanted not in (None, size) for wanted, size in zip(feature.shape, shape, strict=True)):
        return False
    allowed = feature.flexible
    if isinstance(allowed, dict):
        return all(low <= shape[axis] and (high < 0 or shape[axis] <= high) for axis, (low, high) in allowed.items())
    if allowed is not None:
        return (shape[2:] if feature.image else shape) in allowed
    return True


def _sizes(feature: Feature) -> tuple[int, ...]:
    """Return a feature's shape, flexible sizes at their lowest."""
    lowest = feature.flexible if isinstance(feature.flexible, dict) else {}
    return tuple(lowest.get(axis, (1, 1))[0] if size is None else size for axis, size in enumerate(feature.shape))


def _names(features: Iterable[Feature]) -> str:
    return ", ".join(repr(feature.name) for feature in features) or "none"


def _check_operators(package: Package, function: str) -> None:
    """Refuse a program with an operator that nothing here computes, before coremltools reads it.

    Raises UnsupportedOperatorError for one of Core ML's, ModelFileError for a name that is none.
    """
    import_coremltools()
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    body = [op for op in operations(package.functions()[function]) if op.type != "const"]
    for number, op in enumerate(body, 1):
        if op.type not in OPERATORS and op.type not in _ELSEWHERE:
            output = op.outputs[0].name if op.outputs else "none"
            place = f"with output {output[:40]!r} (number {number} of {len(body)} in the function {function!r})"
            if op.type not in SSAOpRegistry.core_ops:
                raise ModelFileError(
                    f"{package.path.name} uses the operator {op.type[:40]!r} {place}, which Core ML does not have: the package "
                    "is damaged, or newer than this coremltools."
                )
            raise UnsupportedOperatorError(
                f"{package.path.name} uses the operator {op.type} {place}, which cannot be computed here; "
                "mil.coverage() lists what can."
            )


def _read_program(package: Package, function: str) -> Any:
    """Return one function of the package as coremltools' Program. Whatever its reader raises is the file's fault."""
    import_coremltools()
    from coremltools.converters.mil.frontend.milproto.load import load_mil_proto

    program = type(package.spec.mlProgram)()
    program.CopyFrom(package.spec.mlProgram)
    for other in [name for name in program.functions if name != function]:
        del program.functions[other]
    try:
        with quiet():
            return load_mil_proto(program, package.spec.specificationVersion, str(package.weights))
    except Exception as error:  # its reader has no error of its own: AssertionError, KeyError, RuntimeError, and more
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelFileError(f"{package.path.name}: its program is damaged ({reason}).") from error
