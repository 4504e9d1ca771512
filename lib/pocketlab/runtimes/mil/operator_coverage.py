"""Which operators of Core ML's language the interpreter computes, of all that coremltools defines.

`python -m pocketlab.runtimes.mil.operator_coverage` writes the table into this package's README.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketlab.runtimes.mil import operators  # noqa: F401  # registers them
from pocketlab.runtimes.mil._coremltools import import_coremltools
from pocketlab.runtimes.mil.compiler import CONTROL_FLOW
from pocketlab.runtimes.mil.registry import OPERATORS

BEGIN = "<!-- The table is written by `python -m pocketlab.runtimes.mil.operator_coverage`. -->"
END = "<!-- End of the table. -->"
README = Path(__file__).with_name("README.md")

_BUILT_IN = {"const", *CONTROL_FLOW}  # the compiler and the interpreter see to these


@dataclass(frozen=True)
class Coverage:
    """An operator, coremltools' module and first opset ("iOS15") of its definition, and whether it is computed here."""

    name: str
    family: str
    opset: str
    done: bool


def coverage() -> list[Coverage]:
    """Return every operator that a program in a package can have, by family and name.

    These are coremltools' own operators up to iOS 18, and `coreml_update_state`, by which a state is written. Those whose
    names begin with an underscore never leave coremltools.
    """
    import_coremltools()
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    first = {name: next(iter(versions.values())) for name, versions in SSAOpRegistry.core_ops.items() if name[0] != "_"}
    homes = {name: definition.__module__.split(".")[-2:] for name, definition in first.items()}
    homes["coreml_update_state"] = ["iOS18", "states"]
    rows = [Coverage(name, home[1], home[0], name in OPERATORS or name in _BUILT_IN) for name, home in homes.items()]
    return sorted(rows, key=lambda row: (row.family, row.name))


def coverage_table() -> str:
    """Return the coverage as Markdown: how many are done, and a table with the names of each family."""
    rows = coverage()
    families: dict[str, list[Coverage]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    lines = [
        f"**{_done(rows)} of {len(rows)} operators are done.** In brackets: the first opset, where it is not iOS 15.",
        "",
        "| family | done | operators |",
        "|---|---|---|",
    ]
    for family, members in families.items():
        lines.append(f"| {family} | {_done(members)} of {len(members)} | {', '.join(map(_entry, members))} |")
    return "\n".join(lines)


def _done(rows: list[Coverage]) -> int:
    return sum(row.done for row in rows)


def _entry(row: Coverage) -> str:
    notes = [row.opset] * (row.opset != "iOS15") + ["**missing**"] * (not row.done)
    return f"`{row.name}`" + (f" ({', '.join(notes)})" if notes else "")


def with_table(text: str) -> str:
    """Return a Markdown text with the coverage between its two markers. Raises ValueError if these are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The text needs the lines {BEGIN!r} and {END!r}, around the place of the table.")
    return f"{before}{BEGIN}\n\n{coverage_table()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
