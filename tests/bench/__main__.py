"""Run benchmarks, print their table, write it to results.json beside this file.

    python tests/bench [NAME]

NAME picks those whose name contains it. A module of this folder takes part by having `BENCHES`: names and functions that
return rows.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # so that `python tests/bench` finds the package that it is

from bench.row import Row  # noqa: E402

COLUMNS = ("name", "unit", "ours", "theirs", "whose", "ratio", "threads")


def benches() -> dict[str, Callable[[], list[Row]]]:
    found: dict[str, Callable[[], list[Row]]] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules([str(HERE)]) if m.name not in ("__main__", "row")):
        for name, function in getattr(importlib.import_module(f"bench.{module}"), "BENCHES", {}).items():
            found[f"{module}.{name}"] = function
    return found


def table(rows: list[Row]) -> str:
    cells = [COLUMNS, *(tuple(shown(row.as_dict()[column]) for column in COLUMNS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure ours against theirs.")
    parser.add_argument("name", nargs="?", default="")
    only = parser.parse_args(arguments).name
    chosen = {name: function for name, function in benches().items() if only in name}
    if not chosen:
        print(f"No benchmark has {only!r} in its name. There are: {', '.join(benches())}.", file=sys.stderr)
        return 1
    rows = [row for function in chosen.values() for row in function()]
    print(table(rows))
    (HERE / "results.json").write_text(json.dumps([row.as_dict() for row in rows], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
