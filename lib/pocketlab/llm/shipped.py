"""The two language models that ship with the course: a target of 15 million parameters, and a draft of 0.6 million.

They are stored as 8-bit integers with a scale for each row of a matrix, a quarter of float32, and computed with as float32.
`python -m pocketlab.llm.train` trains them; models/README.md has what they were trained on, and what they can do.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from pocketlab.data.tensors import load_tensors, save_tensors
from pocketlab.errors import ModelFileError
from pocketlab.llm.model import Decoder
from pocketlab.llm.train import RECIPES

FOLDER = Path(__file__).parent / "models"
Name = Literal["target", "draft"]

_SCALES = ".scales"


def load_shipped(name: Name, path: str | os.PathLike[str] | None = None) -> Decoder:
    """Return "target" or "draft", float32 and in evaluation mode; path: of another file that `save_shipped` wrote.

    Raises ValueError for another name; ModelFileError for a file that is missing or damaged, and for tensors that are not those
    of the model, naming them with the shape that they have and the one expected.
    """
    if name not in RECIPES:
        raise ValueError(f'The models that ship are "target" and "draft"; got {name!r}.')
    path = FOLDER / f"{name}.safetensors" if path is None else Path(path)
    tensors = load_tensors(path)
    with torch.device("meta"):
        model = Decoder(RECIPES[name].config)
    names = [key for key, _ in model.named_parameters()]  # without the output's, which is the embedding's
    expected = {key: model.get_parameter(key).shape for key in names}
    expected |= {key + _SCALES: torch.Size(shape[:1]) for key, shape in expected.items() if len(shape) == 2}
    _check(tensors, expected, path.name)
    state = {key: _restored(tensors, key) for key in names}
    model.load_state_dict(state, strict=False, assign=True)
    model.output.weight = model.embedding.weight
    return model.eval()


def save_shipped(model: Decoder, path: str | os.PathLike[str]) -> Path:
    """Write a decoder's weights, matrices in 8 bits; return the path. A row of zeros has scale 0."""
    tensors: dict[str, Tensor] = {}
    for key, parameter in model.named_parameters():
        weight = parameter.detach().float()
        if weight.ndim == 1:
            tensors[key] = weight
            continue
        scales = weight.abs().amax(1) / 127
        tensors[key] = (weight / scales.clamp(min=torch.finfo(torch.float32).tiny)[:, None]).round().to(torch.int8)
        tensors[key + _SCALES] = scales
    return save_tensors(tensors, path)


def _restored(tensors: dict[str, Tensor], key: str) -> Tensor:
    return tensors[key] * tensors[key + _SCALES][:, None] if key + _SCALES in tensors else tensors[key]


def _check(tensors: dict[str, Tensor], expected: dict[str, torch.Size], source: str) -> None:
    for key, shape in expected.items():
        if key not in tensors:
            raise ModelFileError(f"{source} lacks {key}: it is of another model, or incomplete.")
        if tensors[key].shape != shape:
            raise ModelFileError(
                f"{source}: {key} has the shape {tuple(tensors[key].shape)}, and expected is {tuple(shape)}."
            )
        kind = torch.int8 if len(shape) == 2 else torch.float32
        if tensors[key].dtype != kind:
            raise ModelFileError(f"{source}: {key} is of type {tensors[key].dtype}, and expected is {kind}.")
        if not torch.isfinite(tensors[key]).all():
            raise ModelFileError(f"{source}: {key} holds numbers that are not finite: it is damaged.")
    if superfluous := sorted(set(tensors) - set(expected)):
        raise ModelFileError(f"{source} has {superfluous[0]}, for which the model has no place: it is of another model.")
