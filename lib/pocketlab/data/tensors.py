"""Read and write .safetensors: named tensors in one file, with nothing in it that could be run.

The format: eight bytes with the header's length, the header in JSON (for each tensor its dtype, shape, and where its bytes
begin and end), then the bytes. The `safetensors` package checks that they cover the rest of the file without gap or
overlap; what it lets pass, a name given twice among them, is checked here. Tensors are PyTorch's, since NumPy has no
bfloat16, the type of most language models' weights.
Source: the safetensors package, README, section "Format".

This module is PyTorch throughout, so it imports it at the top; import it where tensors are needed, and not before.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pocketlab.errors import ModelFileError
from pocketlab.memory import available_memory_bytes

SUFFIX = ".safetensors"
_LENGTH_BYTES = 8
# One entry is about 100 bytes, so this is for 160,000 tensors. The package allows 100 MB, which would take Python 1 GB to read.
_LARGEST_HEADER = 16_000_000


def save_tensors(
    tensors: Mapping[str, torch.Tensor], path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> Path:
    """Write `tensors` to `path`, whole or not at all: a file that was there stays as it was until the new one is complete.

    metadata: texts that the header keeps. Raises ValueError for another suffix, and for two tensors that share memory (give
    one of them as `.clone()`).
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f"{path.name} must end in {SUFFIX}, the name by which every tool knows the format.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(plain, temporary, metadata=dict(metadata or {}))
        os.replace(temporary, path)
    except RuntimeError as error:  # what the package raises for tensors that share memory
        raise ValueError(f"{path.name} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_tensors(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Return the tensors of a .safetensors file by name, each in memory of its own.

    Raises ModelFileError, naming the file and the fault, for a file that is missing, damaged, of another kind, or larger
    than the memory that is free.
    """
    path = Path(path)
    size = _check_file(path)
    try:
        _check_header(path, size)
        with safe_open(path, "pt") as file:
            # A copy, because the original is the file itself, mapped: cut the file short, and reading it kills the process.
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except ModelFileError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split()).removeprefix("Error while deserializing header: ")
        raise _damaged(path, reason) from error


def _check_file(path: Path) -> int:
    """Return the size in bytes of the file, which is there, is a file, and fits into memory."""
    if path.suffix != SUFFIX:
        raise ModelFileError(f"{path.name} is not a {SUFFIX} file by its name: give the path of one that ends in {SUFFIX}.")
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a name with a zero in it
        raise ModelFileError(f"{path.name} is not there (looked in {path.parent}): check the name.") from None
    if not stat.S_ISREG(status.st_mode):  # a folder; or a pipe, for which `open` would wait forever
        raise ModelFileError(f"{path.name} is a folder or a device, and a {SUFFIX} model is one file.")
    if status.st_size == 0:
        raise ModelFileError(f"{path.name} is empty: what wrote it did not finish. Write or download it again.")
    return status.st_size


def _check_header(path: Path, size: int) -> None:
    """Check the header's length, that it is a JSON object without a name given twice, and that memory can hold the rest."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if length > size - _LENGTH_BYTES:
            raise _damaged(path, f"its header should be {length:,} bytes long, and the file has only {size:,}")
        if length > _LARGEST_HEADER:
            raise _damaged(path, f"its header is {length:,} bytes long, and {_LARGEST_HEADER:,} is the most that is read")
        text = file.read(length)
    try:
        header = json.loads(text.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its header is no JSON that can be read ({str(error)[:200]})") from None
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no JSON object")
    if size > (free := available_memory_bytes()):
        raise ModelFileError(f"{path.name} has {size / 1e9:.1f} GB, and only {free / 1e9:.1f} GB of memory are free.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(name for name, _ in pairs)
    if len(counts) < len(pairs):
        raise ValueError(f"the name {counts.most_common(1)[0][0]!r} is given twice")
    return dict(pairs)


def _damaged(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"{path.name} is damaged: {reason}. Write or download it again.")
