"""Trained decoders from files and to files: folders of Hugging Face here, llama2.c and GGUF in modules of their own.

Weights are read as numbers only. Files that Python would unpickle (.bin, .pt) are refused, since unpickling runs what the file
says. Source of the tensors' names: the `transformers` package, modeling_llama.py and modeling_gemma2.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pocketlab.data.tensors import load_tensors, save_tensors
from pocketlab.errors import ModelFileError
from pocketlab.llm.gguf_file import export_gguf
from pocketlab.llm.hf_config import hf_config, read_config
from pocketlab.llm.llama2c import load_llama2c
from pocketlab.llm.model import Decoder, DecoderConfig

__all__ = ["export_gguf", "load_folder", "load_llama2c", "save_folder"]

WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_FLOATS = (torch.float32, torch.float16, torch.bfloat16)
_OUTER = {"embedding": "model.embed_tokens", "norm": "model.norm", "output": "lm_head"}
_INNER = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "feed_forward_norm": "post_attention_layernorm",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
}
# With norms after attention and feed-forward too, as Gemma 2 has, one name of Llama's means another place.
_INNER_WITH_POST_NORMS = _INNER | {
    "post_attention_norm": "post_attention_layernorm",
    "feed_forward_norm": "pre_feedforward_layernorm",
    "post_feed_forward_norm": "post_feedforward_layernorm",
}


def load_folder(path: str | os.PathLike[str]) -> Decoder:
    """Load a Llama, Mistral or Gemma 2 from a folder with config.json and model.safetensors, or shards that an index names.

    float16 and bfloat16 become float32. The decoder is in evaluation mode.
    Raises ModelFileError for a file that is missing or damaged, for a kind of model that is not built here, and for tensors that
    are not those of the config.json, naming them with the shape that they have and the one expected.
    """
    folder = Path(path)
    if folder.suffix in _PICKLED:
        raise _pickled(folder.name)
    if not folder.is_dir():
        raise ModelFileError(f"{folder.name} is not a folder (looked in {folder.parent}): give the one that holds {CONFIG}.")
    config = read_config(folder / CONFIG)
    return _assembled(config, _read_weights(folder), folder.name)


def save_folder(model: Decoder, path: str | os.PathLike[str]) -> Path:
    """Write config.json and model.safetensors (float32), which `load_folder` and `transformers` read; return the folder.

    Raises ValueError for a configuration that no model type of Hugging Face has.
    """
    folder = Path(path)
    config = json.dumps(hf_config(model.config), indent=2)
    names, state = _file_names(model), model.state_dict()
    # `transformers` wants to know which framework the tensors are of.
    save_tensors({name: state[ours].float() for ours, name in names.items()}, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(config + "\n", encoding="utf-8")
    return folder


def _file_names(model: Decoder) -> dict[str, str]:
    """Hugging Face's name for each tensor of a decoder; without the output's, where it is the embedding's."""
    inner = _INNER_WITH_POST_NORMS if model.config.post_norms else _INNER
    names = {}
    for ours in model.state_dict():
        module, _, kind = ours.rpartition(".")
        if module.startswith("blocks."):
            _, layer, rest = module.split(".", 2)
            names[ours] = f"model.layers.{layer}.{inner[rest]}.{kind}"
        elif module != "output" or not model.config.tied_embeddings:
            names[ours] = f"{_OUTER[module]}.{kind}"
    return names


def _read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder's one file, or of its shards."""
    if (folder / WEIGHTS).exists():
        return load_tensors(folder / WEIGHTS)
    if not (folder / INDEX).exists():
        if pickled := sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLED):
            raise _pickled(pickled[0])
        raise ModelFileError(f"{folder.name} has neither {WEIGHTS} nor {INDEX}: download it again.")
    places = _read_index(folder / INDEX)
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(places.values())):
        loaded = load_tensors(folder / shard)
        indexed = {name for name, file in places.items() if file == shard}
        if different := sorted(indexed ^ set(loaded)):
            raise ModelFileError(f"{INDEX} and {shard} do not name the same tensors: {_listed(different)}. Download both again.")
        tensors |= loaded
    return tensors


def _read_index(path: Path) -> dict[str, str]:
    """Which file each tensor is in, by an index of shards."""
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        names = {name: str(file) for name, file in places.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelFileError(f"{path.name} is damaged: no `weight_map` says where a tensor is. Download it again.") from None
    for file in names.values():
        if Path(file).name != file:  # such as ../other/model.safetensors
            raise ModelFileError(f"{path.name} names the file {file!r}, and a shard lies in the folder itself.")
        if Path(file).suffix in _PICKLED:
            raise _pickled(file)
    return names


def _assembled(config: DecoderConfig, tensors: Mapping[str, Tensor], source: str) -> Decoder:
    """A decoder of these tensors, by Hugging Face's names, each looked at before it is taken."""
    if config.layers > len(tensors):
        raise ModelFileError(f"{source}: {CONFIG} says {config.layers:,} layers, and there are only {len(tensors)} tensors.")
    with torch.device("meta"):  # shapes without memory, and without drawing random weights that are replaced at once
        model = Decoder(config)
    names, shapes = _file_names(model), model.state_dict()
    tensors = _without_copies(config, tensors)
    if missing := sorted(set(names.values()) - set(tensors)):
        raise ModelFileError(f"{source} lacks {_listed(missing)}: it is of another model, or incomplete.")
    if superfluous := sorted(set(tensors) - set(names.values())):
        raise ModelFileError(f"{source} has {_listed(superfluous)}, for which its {CONFIG} has no place: it is of another model.")
    state = {}
    for ours, name in names.items():
        _check(name, tensors[name], shapes[ours].shape, source)
        state[ours] = tensors[name].float()
    model.load_state_dict(state, strict=False, assign=True)  # all names are there but the output's, where it is tied
    if config.tied_embeddings:
        model.output.weight = model.embedding.weight
    return model.eval()


def _without_copies(config: DecoderConfig, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what some files hold besides the weights: rotary frequencies, and the output where it is the embedding."""
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith("rotary_emb.inv_freq")}
    embedding, output = (kept.get(f"{_OUTER[name]}.weight") for name in ("embedding", "output"))
    if config.tied_embeddings and embedding is not None and output is not None and torch.equal(embedding, output):
        del kept[f"{_OUTER['output']}.weight"]
    return kept


def _check(name: str, tensor: Tensor, shape: torch.Size, source: str) -> None:
    if tensor.shape != shape:
        raise ModelFileError(f"{source}: {name} has the shape {tuple(tensor.shape)}, and expected is {tuple(shape)}.")
    if tensor.dtype not in _FLOATS:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ModelFileError(f"{source}: {name} is of type {kind}, and expected is float32, float16 or bfloat16.")
    if not torch.isfinite(tensor).all():
        raise ModelFileError(f"{source}: {name} holds numbers that are not finite: it is damaged. Download it again.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _pickled(name: str) -> ModelFileError:
    return ModelFileError(
        f"{name} may hold Python objects, and reading those runs what the file says: get the model's .safetensors files instead."
    )
