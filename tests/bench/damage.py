"""Damage model files in thousands of ways, load and run each, and count what comes of it.

    python -m tests.bench.damage [FORMAT] [--count N] [--seed N]

FORMAT is one of tflite, onnx, safetensors, pte, mlpackage; without it, all. --seed repeats a single damage and says what came
of it. A worker process stands for the learner's kernel: it inspects and loads each file by Pocketlab and runs it. Where it dies,
or gives no answer for two minutes, that is a kernel death; another worker goes on. Outcomes:

loaded        the answer is that of the sound file
refused       ModelFileError, naming the file
wrong answer  the file runs and the answer, or the shape of input or output, differs: noticed by comparing
other error   another exception than ModelFileError, or one that does not name the file
kernel death  the worker is gone
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import json
import shutil
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketlab.errors import ModelFileError
from pocketlab.runtimes.child import Child, ChildDied, ChildError

FORMATS = ("tflite", "onnx", "safetensors", "pte", "mlpackage")
OUTCOMES = ("loaded", "refused", "wrong answer", "other error", "kernel death")
COUNT = 2000
WORKER = "bench.damage"  # this module, by the name under which a worker finds it
LIMIT_S = 130.0  # a load and a run in a child process may take up to a minute each before they are given up
_MEMORY_MB = 4000  # a kernel that needs more would be killed on most machines, so here too
_INPUT = (1, 1, 8, 8)  # the shape that every sound file takes
_ENDS = 2048  # bytes at either end of a file, where formats keep headers and tables of contents
_TOLERANCE = 1e-4  # of the largest number of an answer: below it, a flipped last bit of a weight is no wrong answer


@dataclass(frozen=True)
class Result:
    """What came of one damage; `detail` is what the error said."""

    seed: int
    outcome: str
    detail: str


# --- Sound files ------------------------------------------------------------------------------------------------------


def make_originals(kind: str, folder: Path) -> None:
    """Write the sound files of a format, two small networks in different number types, into `folder`."""
    import torch

    from pocketlab.data.models import DigitsNet

    torch.manual_seed(0)
    net, other = DigitsNet().eval(), DigitsNet(classes=7).eval()
    inputs = np.random.default_rng(0).standard_normal((16, *_INPUT[1:]), np.float32)
    MAKERS[kind](net, other, inputs, folder)


def _make_tflite(net: Any, other: Any, inputs: np.ndarray, folder: Path) -> None:
    import torch

    from pocketlab.runtimes import litert

    path = litert.export(net, torch.from_numpy(inputs[:1]), folder / "float.tflite").path
    litert.quantize_file(path, folder / "int8.tflite", "static_int8", representative=inputs)
    litert.quantize_file(path, folder / "dynamic.tflite", "dynamic_int8")


def _make_onnx(net: Any, other: Any, inputs: np.ndarray, folder: Path) -> None:
    import torch

    from pocketlab.runtimes import onnx

    for name, model in (("a", net), ("b", other)):
        onnx.export(model, torch.from_numpy(inputs[:1]), folder / f"{name}.onnx")


def _make_safetensors(net: Any, other: Any, inputs: np.ndarray, folder: Path) -> None:
    import torch

    from pocketlab.data.tensors import save_tensors

    save_tensors(net.state_dict(), folder / "float.safetensors", {"made by": "a test"})
    save_tensors({name: t.to(torch.bfloat16) for name, t in other.state_dict().items()}, folder / "bfloat.safetensors")


def _make_pte(net: Any, other: Any, inputs: np.ndarray, folder: Path) -> None:
    import torch

    from pocketlab.runtimes import executorch

    example = torch.from_numpy(inputs[:1])
    executorch.export(net, example, folder / "portable.pte", delegate=None)
    executorch.export(net, example, folder / "xnnpack_int8.pte", quantization="static_int8", representative=inputs)


def _make_mlpackage(net: Any, other: Any, inputs: np.ndarray, folder: Path) -> None:
    import torch

    from pocketlab.runtimes import coreml

    path = coreml.export(net, torch.from_numpy(inputs[:1]), folder / "float16.mlpackage").path
    coreml.quantize_weights(path, folder / "int8.mlpackage", dtype="int8")
    for package in folder.glob("*.mlpackage"):
        _settle(package)


def _settle(package: Path) -> None:
    """Take from a package what differs from one conversion to the next, random names and order, so that a seed repeats."""
    from pocketlab.runtimes.mil.package import read_package

    manifest = package / "Manifest.json"
    text = manifest.read_text()
    for number, name in enumerate(json.loads(text)["itemInfoEntries"]):
        text = text.replace(name, str(uuid.UUID(int=number)).upper())
    manifest.write_text(json.dumps(json.loads(text), indent=4, sort_keys=True))
    model = next(package.rglob("*.mlmodel"))
    model.write_bytes(read_package(package).spec.SerializeToString(deterministic=True))


MAKERS: dict[str, Callable[[Any, Any, np.ndarray, Path], None]] = {
    "tflite": _make_tflite,
    "onnx": _make_onnx,
    "safetensors": _make_safetensors,
    "pte": _make_pte,
    "mlpackage": _make_mlpackage,
}


# --- Damage -----------------------------------------------------------------------------------------------------------


def damage(kind: str, folder: Path, seed: int, target: Path) -> Path:
    """Write a damaged copy of one of the sound files in `folder` to `target`; return the sound one's path."""
    rng = np.random.default_rng(seed)
    originals = sorted(folder.glob(f"*.{kind}"))
    original, donor = (originals[index] for index in rng.choice(len(originals), 2, replace=False))
    _remove(target)
    if original.is_dir():
        shutil.copytree(original, target)
        parts = sorted((path for path in target.rglob("*") if path.is_file()), key=lambda path: path.name)
        part = parts[rng.choice(len(parts), p=_shares(parts))].relative_to(target)
        (target / part).write_bytes(mutated((original / part).read_bytes(), (donor / part).read_bytes(), rng))
    else:
        target.write_bytes(mutated(original.read_bytes(), donor.read_bytes(), rng))
    return original


def _shares(parts: list[Path]) -> list[float]:
    """Return how often each file of a package is the damaged one: mostly the model, a protobuf; seldom its weights."""
    rest = 0.2 / (len(parts) - 1)
    return [0.8 if path.suffix == ".mlmodel" else rest for path in parts]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def mutated(data: bytes, donor: bytes, rng: np.random.Generator) -> bytes:
    """Damage `data` in one way: flipped bits, the end cut off, a piece from elsewhere, or a word that may be a length."""
    how: Callable[..., bytes] = (_flip, _cut, _splice, _overwrite)[rng.integers(4)]
    return how(data, donor, rng)


def _flip(data: bytes, donor: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(2 ** rng.integers(7)):
        changed[_position(data, rng)] ^= 1 << rng.integers(8)
    return bytes(changed)


def _cut(data: bytes, donor: bytes, rng: np.random.Generator) -> bytes:
    return data[: _position(data, rng)]


def _splice(data: bytes, donor: bytes, rng: np.random.Generator) -> bytes:
    source = (data, donor)[rng.integers(2)]
    start, length = _position(source, rng), int(2 ** rng.uniform(0, 11))
    piece, position = source[start : start + length], _position(data, rng)
    replaced = len(piece) * rng.integers(2)  # either over what was there, or between
    return data[:position] + piece + data[position + replaced :]


def _overwrite(data: bytes, donor: bytes, rng: np.random.Generator) -> bytes:
    width = int(rng.choice([4, 8]))
    position = _position(data, rng) // 4 * 4
    before, most = int.from_bytes(data[position : position + width], "little"), 256**width - 1
    values = [0, most, most // 2, most // 2 + 1, 2**31 - 1, 10**9, len(data), before + 1, before - 1, before * 2]
    word = (values[rng.integers(len(values))] & most).to_bytes(width, "little")
    return data[:position] + word + data[position + width :]


def _position(data: bytes, rng: np.random.Generator) -> int:
    """Return a position: half of them anywhere, a quarter each near the beginning and near the end."""
    near = min(_ENDS, len(data))
    where = rng.integers(4)
    if where < 2:
        return int(rng.integers(len(data)))
    return int(rng.integers(near) if where == 2 else len(data) - 1 - rng.integers(near))


# --- In the worker ----------------------------------------------------------------------------------------------------


def attempt(kind: str, folder: str, seed: int) -> tuple[dict[str, Any], tuple[np.ndarray, ...]]:
    """Damage, load, run and compare: what a worker is asked to do."""
    target = Path(folder) / "work" / f"damaged.{kind}"
    original = damage(kind, Path(folder), seed, target)
    try:
        described, arrays = answer(target)
    except ModelFileError as error:
        named = target.name in str(error)
        return {"outcome": "refused" if named else "other error", "detail": str(error)}, ()
    except Exception as error:
        return {"outcome": "other error", "detail": f"{type(error).__name__}: {error}"}, ()
    due, due_arrays = _reference(original)
    same = described == due and all(map(_same, arrays, due_arrays))
    return {"outcome": "loaded" if same else "wrong answer", "detail": ""}, ()


def answer(path: Path) -> tuple[Any, list[np.ndarray]]:
    """Inspect and load a file by its format's module and run it once; return what it says of itself, and its outputs."""
    if path.suffix == ".safetensors":
        import torch

        from pocketlab.data.tensors import load_tensors

        tensors = sorted(load_tensors(path).items())
        described = [(name, str(tensor.dtype), tuple(tensor.shape)) for name, tensor in tensors]
        return described, [tensor.reshape(-1).view(torch.uint8).numpy() for _, tensor in tensors]
    inspect, load = _verbs(path.suffix)
    with contextlib.suppress(ModelFileError):  # what inspect refuses, load may take, and the other way round
        inspect(path)
    runner = load(path)
    described = [(info.shape, info.dtype) for info in (*runner.inputs, *runner.outputs)]
    rng = np.random.default_rng(1)
    try:
        returned = runner(*(_numbers(info, rng) for info in runner.inputs))
    except ModelFileError:
        raise
    except ValueError:
        if [info.shape for info in runner.inputs] == [_INPUT]:
            raise
        returned = ()  # the file says that it takes something else, and then not even that: noticed
    return described, list(returned) if isinstance(returned, tuple) else [returned]


def _numbers(info: Any, rng: np.random.Generator) -> np.ndarray:
    """Return random numbers of the shape that a file says it takes, and of its type if NumPy has that."""
    values = rng.standard_normal([_INPUT[-1] if size is None else size for size in info.shape])
    return values.astype(info.dtype if info.dtype in np.sctypeDict else np.float32)


def _verbs(suffix: str) -> tuple[Callable[[Path], Any], Callable[[Path], Any]]:
    """Return `inspect` and `load` of a format."""
    if suffix == ".mlpackage":
        from pocketlab.runtimes import coreml

        return coreml.inspect, functools.partial(coreml.load, tell=lambda line: None)
    module = importlib.import_module("pocketlab.runtimes." + {".tflite": "litert", ".onnx": "onnx", ".pte": "executorch"}[suffix])
    return module.inspect, module.load


@functools.cache
def _reference(original: Path) -> tuple[Any, list[np.ndarray]]:
    return answer(original)


def _same(got: np.ndarray, due: np.ndarray) -> bool:
    largest = np.abs(due).max(initial=0.0)
    return got.shape == due.shape and np.allclose(got, due, rtol=0, atol=_TOLERANCE * largest)


# --- Outside of it ----------------------------------------------------------------------------------------------------


def results(kind: str, seeds: Iterable[int], folder: Path) -> Iterator[Result]:
    """Yield what comes of each seed's damage to the sound files in `folder`."""
    (folder / "work").mkdir(exist_ok=True)
    worker = Child(WORKER, memory_limit_mb=_MEMORY_MB)
    try:
        for seed in seeds:
            try:
                values = worker.call("attempt", limit_s=LIMIT_S, kind=kind, folder=str(folder), seed=seed).values
            except ChildDied as error:
                values = {"outcome": "kernel death", "detail": str(error)}
            except ChildError as error:
                values = {"outcome": "other error", "detail": str(error)}
            yield Result(seed, **values)
    finally:
        worker.close()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="damage", description="Damage model files; count what comes of loading them.")
    parser.add_argument("format", nargs="?", choices=FORMATS)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, help="repeat this one only")
    options = parser.parse_args(arguments)
    seeds = range(options.count) if options.seed is None else [options.seed]
    table, bad = [("format", *OUTCOMES, "seconds")], []
    for kind in [options.format] if options.format else FORMATS:
        start = time.monotonic()
        found = _run(kind, seeds)
        counts = Counter(result.outcome for result in found)
        table.append((kind, *(str(counts[outcome]) for outcome in OUTCOMES), f"{time.monotonic() - start:.0f}"))
        bad += [(kind, result) for result in found if result.outcome in OUTCOMES[3:]]
        if options.seed is not None:
            print(*(f"{result.outcome}: {result.detail}" for result in found), sep="\n")
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print(*("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table), sep="\n")
    for kind, result in bad:
        print(f"{kind} --seed {result.seed}: {result.outcome}: {result.detail[:300]}")
    return 1 if bad else 0


def _run(kind: str, seeds: Iterable[int]) -> list[Result]:
    found = []
    with tempfile.TemporaryDirectory() as name:
        make_originals(kind, Path(name))
        for result in results(kind, seeds, Path(name)):
            found.append(result)
            if len(found) % 100 == 0:
                print(f"{kind}: {len(found)}", dict(Counter(each.outcome for each in found)), file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))  # so that the worker finds this module by the tests' name for it
    sys.exit(main(sys.argv[1:]))
