"""Hugging Face's config.json to a `DecoderConfig` and back, for the model types llama, mistral and gemma2.

What the decoder here cannot compute is refused by name: a model loaded in spite of it would run and be wrong. Defaults are those
of the `transformers` package for the type. Source: its configuration_llama.py, configuration_mistral.py, configuration_gemma2.py.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pocketlab.errors import ModelFileError
from pocketlab.llm.model import DecoderConfig, RopeScaling

_CLASSES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "gemma2": "Gemma2ForCausalLM"}
_UNSUPPORTED = ("attention_bias", "mlp_bias", "use_bidirectional_attention", "quantization_config")
# A size beyond these is damage, and tensors would be laid out for it before it is compared with the file's.
_LARGEST_SIZE, _LARGEST_CONTEXT = 2**20, 2**31


def read_config(path: Path) -> DecoderConfig:
    """Read a config.json. Raises ModelFileError, naming the field, for one that is damaged or asks for what is not built."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ModelFileError(f"{path.name} is not there (looked in {path.parent}): a model's folder has one.") from None
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path.name} is damaged: it is no JSON that can be read ({str(error)[:200]}).") from None
    if not isinstance(fields, dict):
        raise ModelFileError(f"{path.name} is damaged: it holds no JSON object.")
    return decoder_config(fields)


def decoder_config(fields: Mapping[str, Any]) -> DecoderConfig:
    """Return the configuration that the fields of a config.json describe. Raises ModelFileError as `read_config` does."""
    kind = _one_of(fields, "model_type", _CLASSES)
    for key in _UNSUPPORTED:
        _one_of(fields, key, (False, None))
    heads, hidden_size = _size(fields, "num_attention_heads"), _size(fields, "hidden_size")
    theta, scaling = _rope(fields)
    sizes: dict[str, Any] = {
        "vocab_size": _size(fields, "vocab_size"),
        "hidden_size": hidden_size,
        "intermediate_size": _size(fields, "intermediate_size"),
        "layers": _size(fields, "num_hidden_layers"),
        "heads": heads,
        "kv_heads": _size(fields, "num_key_value_heads", heads),
        "head_dim": _size(fields, "head_dim", 256 if kind == "gemma2" else hidden_size // heads),
        "context": _size(fields, "max_position_embeddings", largest=_LARGEST_CONTEXT),
    }
    try:
        return DecoderConfig(
            **sizes,
            rope_theta=theta,
            rope_scaling=scaling,
            norm_eps=_number(fields, "rms_norm_eps", 1e-6),
            tied_embeddings=_one_of({"tie_word_embeddings": kind == "gemma2", **fields}, "tie_word_embeddings", (True, False)),
            **_llama_like(fields, kind) if kind != "gemma2" else _gemma_like(fields, sizes["layers"]),
        )
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(f"config.json describes no model that can be built: {error}") from error


def hf_config(config: DecoderConfig) -> dict[str, Any]:
    """Return the fields of a config.json for it: what `decoder_config` reads back as the same.

    Raises ValueError for a combination that is neither a Llama's, a Mistral's nor a Gemma's.
    """
    kind = "gemma2" if config.norm_offset else "llama" if config.window is None else "mistral"
    fields = {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied_embeddings,
        # The two fields of transformers before version 5, which later ones and other tools read too.
        "rope_theta": config.rope_theta,
        "rope_scaling": _scaling_fields(config.rope_scaling),
        "bos_token_id": None,  # else these are the ids of Llama's own tokenizer
        "eos_token_id": None,
        "pad_token_id": None,
        "dtype": "float32",
    }
    if kind == "gemma2":
        fields |= {
            "hidden_activation": "gelu_pytorch_tanh",
            "sliding_window": config.window,
            "query_pre_attn_scalar": round((config.query_scale or math.sqrt(config.head_dim)) ** 2),
            "attn_logit_softcapping": config.attention_cap,
            "final_logit_softcapping": config.logit_cap,
        }
        config = dataclasses.replace(config, query_scale=config.query_scale or math.sqrt(config.head_dim))
    else:
        fields |= {"hidden_act": "silu"} | ({"sliding_window": config.window} if kind == "mistral" else {})
    read = decoder_config(fields)
    different = [field.name for field in dataclasses.fields(config) if getattr(read, field.name) != getattr(config, field.name)]
    if different:
        raise ValueError(f"Hugging Face has no model type for this: written as {kind}, it would lose {', '.join(different)}.")
    return fields


def _llama_like(fields: Mapping[str, Any], kind: str) -> dict[str, Any]:
    _one_of({"hidden_act": "silu", **fields}, "hidden_act", ("silu",))
    return {"window": _window(fields) if kind == "mistral" else None}


def _gemma_like(fields: Mapping[str, Any], layers: int) -> dict[str, Any]:
    _one_of({"hidden_activation": "gelu_pytorch_tanh", **fields}, "hidden_activation", ("gelu_pytorch_tanh",))
    alternating = [("sliding_attention", "full_attention")[layer % 2] for layer in range(layers)]
    _one_of(fields, "layer_types", (alternating, None))
    return {
        "activation": "gelu_tanh",
        "window": _window(fields),
        "windowed_layers": "even",
        "norm_offset": True,
        "post_norms": True,
        "embedding_scale": True,
        "query_scale": math.sqrt(_number(fields, "query_pre_attn_scalar", 256.0)),
        "attention_cap": _number_or_none(fields, "attn_logit_softcapping", 50.0),
        "logit_cap": _number_or_none(fields, "final_logit_softcapping", 30.0),
    }


def _rope(fields: Mapping[str, Any]) -> tuple[float, RopeScaling | None]:
    """The base θ and the scaling: of `rope_parameters`, or of `rope_theta` and `rope_scaling` before transformers 5."""
    key = "rope_parameters" if fields.get("rope_parameters") is not None else "rope_scaling"
    rope = fields.get(key)
    if rope is None:
        rope = {}
    if not isinstance(rope, dict):
        raise _refused(key, rope, "an object")
    theta = _number({"rope_theta": fields.get("rope_theta"), **rope}, "rope_theta", 10_000.0)
    _one_of({"partial_rotary_factor": 1.0, **fields, **rope}, "partial_rotary_factor", (1.0, None))
    kind = _one_of({"rope_type": rope.get("type", "default"), **rope}, "rope_type", ("default", "llama3"))
    if kind == "default":
        return theta, None
    low, high = _number(rope, "low_freq_factor"), _number(rope, "high_freq_factor")
    if low >= high:
        raise _refused("low_freq_factor", low, f"a number below high_freq_factor, {high}")
    original = _size(rope, "original_max_position_embeddings", largest=_LARGEST_CONTEXT)
    return theta, RopeScaling(_number(rope, "factor"), low, high, original)


def _scaling_fields(scaling: RopeScaling | None) -> dict[str, Any] | None:
    if scaling is None:
        return None
    return {
        "rope_type": "llama3",
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_freq_factor,
        "high_freq_factor": scaling.high_freq_factor,
        "original_max_position_embeddings": scaling.original_context,
    }


def _window(fields: Mapping[str, Any]) -> int | None:
    if "sliding_window" in fields and fields["sliding_window"] is None:
        return None
    return _size(fields, "sliding_window", 4096, largest=_LARGEST_CONTEXT)


def _size(fields: Mapping[str, Any], key: str, default: int | None = None, *, largest: int = _LARGEST_SIZE) -> int:
    value = default if fields.get(key) is None else fields[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise _refused(key, value, f"a whole number from 1 to {largest:,}")
    return value


def _number(fields: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = default if fields.get(key) is None else fields[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise _refused(key, value, "a number above 0")
    return float(value)


def _number_or_none(fields: Mapping[str, Any], key: str, default: float) -> float | None:
    return None if key in fields and fields[key] is None else _number(fields, key, default)


def _one_of(fields: Mapping[str, Any], key: str, allowed: Collection[Any]) -> Any:
    """Return the field, which has one of the values that the decoder here computes."""
    value = fields.get(key)
    if value not in list(allowed):
        raise _refused(key, value, " or ".join(json.dumps(one) for one in allowed))
    return value


def _refused(key: str, value: object, expected: str) -> ModelFileError:
    return ModelFileError(f"config.json has {key} = {json.dumps(value)[:100]}, and expected here is {expected}.")
