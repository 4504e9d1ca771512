"""What `pocketlab compare` prints: a table with what has to be known to read it, or JSON."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable
from typing import Any

from pocketlab.runtimes.base import shape_text
from pocketlab.runtimes.comparison import ROUNDS, Comparison, FileReport
from pocketlab.runtimes.differences import OutputDifference
from pocketlab.ui.table import Column, Table, shortened, table

_MOST_OPERATORS = 8  # by name in the text; the JSON has all
_SHORTEST_LABEL = 12


def report(comparison: Comparison, width: int) -> str:
    """Return the comparison as text for a terminal of `width` columns; what does not fit is left to the JSON."""
    blocks = []
    if any(each.inspection is not None for each in comparison.files):
        made = _fitted(comparison, width)
        blocks.append(repr(made))
        blocks.append(_paragraphs(_legend(comparison, {column.title for column in made.columns}), width, indent=""))
        blocks.append(_section("Operators", map(_operators, comparison.files), width))
    blocks.append(_section("Notes", (f"{each.label}: {note}" for each in comparison.files for note in each.notes), width))
    blocks.append(_section("Errors", map(_fault, comparison.files), width))
    return "\n\n".join(filter(None, blocks))


def faults(comparison: Comparison) -> list[str]:
    """Return a sentence for each file with which something is wrong."""
    return [text for each in comparison.files if (text := _fault(each))]


def _fitted(comparison: Comparison, width: int) -> Table:
    """The table with the relative difference if there is room for it, and with file names shortened if there is not."""
    wide = _table(comparison, relative=True, longest=width)
    if _width(wide) <= width:
        return wide
    narrow = _table(comparison, relative=False, longest=width)
    longest = max(len(each.label) for each in comparison.files)
    return _table(comparison, relative=False, longest=longest - max(0, _width(narrow) - width))


def _width(made: Table) -> int:
    return max(map(len, repr(made).splitlines()[1:]))  # below the caption


def _table(comparison: Comparison, *, relative: bool, longest: int) -> Table:
    several = len(comparison.files) > 1
    columns: list[str | Column] = ["file", "kB", "ops", "params", "p50 ms", "p90 ms"]
    if several:
        columns += ["max diff", *(["relative"] if relative else []), "SQNR dB"]
    classes = any(each.same_class for each in comparison.files)
    if classes:
        columns.append("class")
    rows = [_row(each, several=several, relative=relative, classes=classes, longest=longest) for each in comparison.files]
    many = f"{len(rows)} model files" + (f", compared with {comparison.reference}" if comparison.reference else "")
    return table(rows, columns, caption=many if several else "1 model file")


def _row(each: FileReport, *, several: bool, relative: bool, classes: bool, longest: int) -> list[Any]:
    inspection, latency, worst = each.inspection, each.latency, each.worst
    row: list[Any] = [shortened(each.label, max(longest, _SHORTEST_LABEL))]
    row.append(inspection and inspection.size_bytes / 1e3)
    row += [each.operators, inspection and inspection.parameters]
    row += [latency and latency.p50_ms, latency and latency.p90_ms]
    if several:
        row += [worst and worst.largest, *([worst and worst.relative] if relative else []), worst and worst.sqnr_db]
    if classes:
        row.append(class_text(each.same_class))
    return row


def class_text(same: tuple[int, int] | None) -> str | None:
    """Write whether the class of one row is the same, or of how many rows, as 63/64; None where there are no classes."""
    if same is None:
        return None
    agree, rows = same
    return f"{agree}/{rows}" if rows > 1 else ("same" if agree else "other")


def _legend(comparison: Comparison, columns: set[str]) -> list[str]:
    if comparison.reference is None:
        return []
    call = ", ".join(f"{info.name} {shape_text(info.shape)}" for info in comparison.call)
    threads = "1 thread" if comparison.threads == 1 else f"{comparison.threads} threads"
    lines = {
        "inputs": f"Inputs: {comparison.inputs}.",
        "p50 ms": f"Latency: one call with {call}, {threads} of this machine's CPU, least disturbed of {ROUNDS} rounds.",
        "max diff": f"max diff: largest |a - b| of an output b from the output a of {comparison.reference}; the worst output.",
        "relative": "relative: that, over the largest |a|.",
        "SQNR dB": "SQNR: 10 log10 of sum a² / sum (a - b)²; 6 dB more are one bit more.",
        "class": "class: whether the largest class score is at the same place, or for how many rows it is.",
    }
    return [line for column, line in lines.items() if column in {"inputs", *columns}]


def _operators(each: FileReport) -> str:
    if each.inspection is None:
        return ""
    counted = sorted(each.inspection.operators.items(), key=lambda item: -item[1])
    named = [f"{count} {name}" for name, count in counted[:_MOST_OPERATORS]]
    left = sum(count for _, count in counted[_MOST_OPERATORS:])
    return f"{each.label}: {', '.join(named + ([f'{left} more'] if left else []))}"


def _fault(each: FileReport) -> str:
    if each.fault is None:
        return ""
    return each.fault if each.label in each.fault else f"{each.label}: {each.fault}"


def _section(title: str, entries: Iterable[str], width: int) -> str:
    text = _paragraphs(filter(None, entries), width, indent="  ")
    return f"{title}\n{text}" if text else ""


def _paragraphs(entries: Iterable[str], width: int, indent: str) -> str:
    return "\n".join(
        textwrap.fill(
            entry, width, initial_indent=indent, subsequent_indent=indent + "  ", break_long_words=False, break_on_hyphens=False
        )
        for entry in entries
    )


def report_json(comparison: Comparison) -> str:
    """The same for programs; the keys stay as they are, new ones may be added.

    `reference`: the label of the file that the others are compared with. `inputs`: in words. `call`: name, shape and dtype
    of each input of one timed call. `threads`, `seconds`, `rounds`. `files`: for each file `file` (its label), `path`,
    `format`, `fault` (a sentence), `size_bytes`, `operators` (`total` and `by_name`), `parameters`, `latency_ms` (`p50`,
    `p90`, and `runs`), `difference`, `notes`. In `difference`: `output`, `largest`, `relative` and `sqnr_db` of the worst
    output, `same_class` (`rows` and how many `agree`), and `outputs`, the same numbers for each. null stands for what does
    not exist or is not finite: `largest` where only one file returns NaN or infinity, `sqnr_db` of equal outputs.
    """
    return json.dumps(
        {
            "reference": comparison.reference,
            "inputs": comparison.inputs,
            "call": [{"name": i.name, "shape": list(i.shape), "dtype": i.dtype} for i in comparison.call],
            "threads": comparison.threads,
            "seconds": comparison.seconds,
            "rounds": ROUNDS,
            "files": [_file_json(each) for each in comparison.files],
        },
        indent=1,
        allow_nan=False,
    )


def _file_json(each: FileReport) -> dict[str, Any]:
    found, latency = each.inspection, each.latency
    return {
        "file": each.label,
        "path": str(each.path),
        "format": found and found.format,
        "fault": each.fault,
        "size_bytes": found and found.size_bytes,
        "operators": found and {"total": each.operators, "by_name": found.operators},
        "parameters": found and found.parameters,
        "latency_ms": latency and {"p50": latency.p50_ms, "p90": latency.p90_ms, "runs": latency.runs},
        "difference": each.worst and {
            **_difference_json(each.worst),
            "same_class": each.same_class and {"agree": each.same_class[0], "rows": each.same_class[1]},
            "outputs": [_difference_json(difference) for difference in each.differences],
        },
        "notes": list(each.notes),
    }


def _difference_json(difference: OutputDifference) -> dict[str, Any]:
    numbers = {"largest": difference.largest, "relative": difference.relative, "sqnr_db": difference.sqnr_db}
    finite = {name: number if number is not None and math.isfinite(number) else None for name, number in numbers.items()}
    return {"output": difference.output, **finite}
