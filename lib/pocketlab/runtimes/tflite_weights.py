"""Exchange the weights in a .tflite file for others of the same shapes, without converting anew.

A float file holds each weight as plain float32, with the channels last. A network that was pruned, palettized or trained on has
the same graph as before, so its file is the old one with other numbers in these places. Converting takes seconds; this takes
milliseconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor, nn

from pocketlab.errors import ModelFileError
from pocketlab.runtimes.base import ModelFile
from pocketlab.runtimes.tflite_file import FORMAT


def exchange_weights(path_in: str | Path, path_out: str | Path, before: nn.Module, after: nn.Module) -> ModelFile:
    """Write the float file `path_in`, which was converted from `before`, with the weights of `after`.

    before, after: the same network with batch normalization folded, since a converter folds it. All weights and biases of
    convolutions and linear layers are exchanged.
    Raises ValueError where shapes differ, ModelFileError where a weight of `before` is not in the file exactly once.
    """
    path_in, path_out = Path(path_in), Path(path_out)
    data = path_in.read_bytes()
    old, new = _parameters(before), _parameters(after)
    if {name: value.shape for name, value in old.items()} != {name: value.shape for name, value in new.items()}:
        raise ValueError("The two networks differ in names or shapes, so one's weights do not fit into the other's file.")
    places = {name: _place(data, _stored(value), name, path_in) for name, value in old.items()}
    exchanged = bytearray(data)
    for name, start in places.items():
        stored = _stored(new[name])
        exchanged[start : start + len(stored)] = stored
    path_out.parent.mkdir(parents=True, exist_ok=True)
    path_out.write_bytes(exchanged)
    return ModelFile(path_out, FORMAT, len(exchanged))


def _parameters(model: nn.Module) -> dict[str, Tensor]:
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    found = {f"{name}.weight": layer.weight for name, layer in layers}
    found.update({f"{name}.bias": layer.bias for name, layer in layers if layer.bias is not None})
    return {name: value.detach() for name, value in found.items()}


def _stored(value: Tensor) -> bytes:
    """Return a parameter as LiteRT stores it: (outputs, height, width, inputs), or (1, height, width, channels) depthwise."""
    array = value.numpy()
    if array.ndim == 4:
        array = array.transpose(1, 2, 3, 0) if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(array, "<f4").tobytes()


def _place(data: bytes, stored: bytes, name: str, path: Path) -> int:
    found = data.count(stored)
    if found != 1:
        raise ModelFileError(
            f"{path.name} holds the numbers of {name} {found} times, where once is expected: it was converted from another "
            "network, or from one whose batch normalization is not folded."
        )
    return data.index(stored)
