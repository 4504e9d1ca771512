"""Write a decoder as GGUF, the file of llama.cpp: metadata, vocabulary and weights in one.

Sources: the GGUF specification (ggml, docs/gguf.md) for the metadata; llama.cpp, convert_hf_to_gguf.py, class LlamaModel, for the
names of tensors, the order of query and key rows, and which tensors stay float32.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch import Tensor

from pocketlab.errors import ModelFileError
from pocketlab.llm.model import Decoder, DecoderConfig, rope_frequencies

if TYPE_CHECKING:
    from gguf import GGUFWriter

_OUTER = {"embedding": "token_embd", "norm": "output_norm", "output": "output"}
_INNER = {
    "attention_norm": "attn_norm",
    "attention.query": "attn_q",
    "attention.key": "attn_k",
    "attention.value": "attn_v",
    "attention.output": "attn_output",
    "feed_forward_norm": "ffn_norm",
    "feed_forward.gate": "ffn_gate",
    "feed_forward.up": "ffn_up",
    "feed_forward.down": "ffn_down",
}
_WRITTEN = {"rope_theta", "rope_scaling", "norm_eps", "tied_embeddings"}  # the options of a configuration that the file has


def export_gguf(
    model: Decoder,
    tokenizer_json: str | os.PathLike[str] | None,
    path: str | os.PathLike[str],
    *,
    name: str,
    dtype: Literal["float32", "float16"] = "float16",
    eos: str | None = None,
) -> Path:
    """Write a decoder of the Llama architecture to a .gguf file, and return its path.

    tokenizer_json: a byte-level BPE tokenizer of the `tokenizers` package; None writes no vocabulary, for token ids only.
    name: of the model, in the metadata. dtype: of the matrices; norms are float32 always. eos: the token that ends an answer.

    llama.cpp cuts text into words by patterns that it knows by name; here "qwen2", which takes digits one by one. A tokenizer
    that was trained on smaller pieces has no merge across them and gives the same tokens, but for runs of spaces.

    Raises ValueError for a configuration that llama.cpp's "llama" does not have, for weights beyond float16, and for a tokenizer
    with more tokens than the model; ModelFileError for a tokenizer.json that is damaged or of another kind.
    """
    from gguf import GGUFWriter, LlamaFileType

    path = Path(path)
    if path.suffix != ".gguf":
        raise ValueError(f"{path.name} must end in .gguf, the name by which every tool knows the format.")
    _check_llama(model.config)
    tensors = _tensors(model, np.dtype(dtype))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    writer = GGUFWriter(temporary, "llama")
    writer.add_name(name)
    writer.add_file_type(LlamaFileType.MOSTLY_F16 if dtype == "float16" else LlamaFileType.ALL_F32)
    _add_sizes(writer, model.config)
    if tokenizer_json is None:
        writer.add_tokenizer_model("none")
    else:
        _add_vocabulary(writer, Path(tokenizer_json), model.config.vocab_size, eos)
    for tensor_name, array in tensors.items():
        writer.add_tensor(tensor_name, array)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def pairs_from_halves(weight: Tensor, heads: int) -> Tensor:
    """Reorder the rows of a query or key weight (heads · head_dim, width) from halves of a head to pairs of neighbors.

    The opposite of `pocketlab.llm.llama2c.halves_from_pairs`, which says why.
    """
    return weight.view(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def _check_llama(config: DecoderConfig) -> None:
    """Refuse what llama.cpp's architecture "llama" would leave out without a word, and then answer something else."""
    options = [field for field in dataclasses.fields(config) if field.default is not dataclasses.MISSING]
    lost = [field.name for field in options if field.name not in _WRITTEN and getattr(config, field.name) != field.default]
    if lost:
        raise ValueError(f"Only Llama models are exported to GGUF here: llama.cpp's \"llama\" has no {', '.join(lost)}.")


def _add_sizes(writer: GGUFWriter, config: DecoderConfig) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)


def _tensors(model: Decoder, dtype: np.dtype[Any]) -> dict[str, np.ndarray]:
    """The arrays by llama.cpp's names. With tied embeddings it makes the output from the embedding itself."""
    config, arrays = model.config, {}
    for ours, tensor in model.state_dict().items():
        module = ours.removesuffix(".weight")
        if module == "output" and config.tied_embeddings:
            continue
        tensor = tensor.float()
        if module.endswith(("attention.query", "attention.key")):
            tensor = pairs_from_halves(tensor, config.heads if module.endswith("query") else config.kv_heads)
        kind = dtype if tensor.ndim == 2 else np.dtype(np.float32)
        if tensor.abs().max() > np.finfo(kind).max:
            raise ValueError(f"{ours} has weights up to {tensor.abs().max():.0f}, beyond {kind}: export it as float32.")
        arrays[f"{_gguf_name(module)}.weight"] = tensor.numpy().astype(kind)
    if config.rope_scaling is not None:  # how many times slower each pair turns
        plain = rope_frequencies(dataclasses.replace(config, rope_scaling=None))
        arrays["rope_freqs.weight"] = (plain / rope_frequencies(config)).numpy()
    return arrays


def _gguf_name(module: str) -> str:
    if not module.startswith("blocks."):
        return _OUTER[module]
    _, layer, inner = module.split(".", 2)
    return f"blk.{layer}.{_INNER[inner]}"


def _add_vocabulary(writer: GGUFWriter, path: Path, vocab_size: int, eos: str | None) -> None:
    """Add tokens, their types and merges: as GPT-2's, the name in GGUF for byte-level BPE."""
    from gguf import TokenType

    tokens, special, merges = _read_tokenizer(path)
    if len(tokens) > vocab_size:
        raise ValueError(f"{path.name} has {len(tokens)} tokens, and the model only {vocab_size}: it is of another model.")
    if eos is not None and eos not in tokens:
        raise ValueError(f"{path.name} has no token {eos!r} to end at.")
    types = [TokenType.CONTROL if token in special else TokenType.NORMAL for token in tokens]
    unused = vocab_size - len(tokens)  # rows of the embedding that were only added to make its size round
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens + [f"[PAD{index}]" for index in range(unused)])
    writer.add_token_types(types + [TokenType.UNUSED] * unused)
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    if eos is not None:
        writer.add_eos_token_id(tokens.index(eos))


def _read_tokenizer(path: Path) -> tuple[list[str], set[str], list[str]]:
    """The tokens by id, which of them are special, and the merges, each as two tokens with a space between."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["model"]["type"] != "BPE" or "ByteLevel" not in json.dumps(content["pre_tokenizer"]):
            raise ModelFileError(f"{path.name} is no byte-level BPE tokenizer, the only kind that is exported here.")
        added = {str(token["content"]): token for token in content["added_tokens"]}
        ids = content["model"]["vocab"] | {token: entry["id"] for token, entry in added.items()}
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in content["model"]["merges"]]
        tokens = sorted(ids, key=ids.__getitem__)
        if [ids[token] for token in tokens] != list(range(len(tokens))):
            raise ModelFileError(f"{path.name} is damaged: its token ids are not 0 to {len(tokens) - 1}.")
        return tokens, {token for token, entry in added.items() if entry["special"]}, merges
    except OSError:
        raise ModelFileError(f"{path.name} is not there or cannot be read (looked in {path.parent}): check the name.") from None
    except ModelFileError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelFileError(f"{path.name} is damaged, or no tokenizer.json of the `tokenizers` package.") from None
