"""What a lab depends on: its source, and every pocketlab module that it reaches by import, found without running it."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_MODULE_NAME = re.compile(r"pocketlab(\.\w+)+")


def module_file(name: str, lib: Path) -> Path | None:
    """Return the file of a module or package inside `lib`, or None where there is none of that name."""
    stem = lib.joinpath(*name.split("."))
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imported_names(text: str, package: str = "", *, started: bool = True) -> frozenset[str]:
    """Return the dotted names that a Python text may import, `package` being what a relative import starts from.

    Imports inside functions count too. `from a import b` gives both `a` and `a.b`, since b may be a module. `Lab("01")`
    counts, which loads the exercises of lab 01, and so does a string that is just a module's name (`python -m
    pocketlab.x`, the module of a child process), unless `started` is False.
    """
    return frozenset(_names(ast.parse(text), package, started))


def _names(tree: ast.AST, package: str, started: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _import_base(node, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if started and _MODULE_NAME.fullmatch(node.value):
                yield node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Lab":
            labs = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            yield from (f"pocketlab.course.exercises.lab{lab}" for lab in labs if isinstance(lab, str))


def _import_base(node: ast.ImportFrom, package: str) -> str:
    """Return what `from X import …` names, a relative X made absolute."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def closure(names: Iterable[str], lib: Path) -> dict[str, Path]:
    """Return every module of `lib` that `names` reach, with its file; a module's parent packages belong to it."""
    found: dict[str, Path] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        path = module_file(name, lib)
        if path is None or name in found:
            continue
        found[name] = path
        waiting.extend(name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting.extend(_cached_names(path.read_text(encoding="utf-8"), package))
    return found


_cached_names = cache(imported_names)


def source_hash(text: str) -> str:
    """Return the hash of a lab's source alone: what its learner's notebook is made from."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def lab_hash(text: str, lib: Path) -> str:
    """Return the hash of a lab's source and of all the library code that it reaches: what its outputs are made from."""
    digest = hashlib.sha256(text.encode())
    for name, path in sorted(closure(imported_names(text), lib).items()):
        digest.update(f"\0{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
