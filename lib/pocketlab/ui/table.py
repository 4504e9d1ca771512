"""A small table that reads well in a notebook, on GitHub, in a terminal and with a screen reader."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from numbers import Integral, Real
from typing import Any

_MISSING = "–"
_RULE = "1px solid rgba(128,128,128,0.4)"


@dataclass(frozen=True)
class Column:
    """A column's heading, its unit ("" for none), and its decimals (None: three significant digits)."""

    title: str
    unit: str = ""
    decimals: int | None = None

    @property
    def heading(self) -> str:
        """The title with its unit in brackets."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Table:
    """Rows of cells already written out as text; made by `table`."""

    caption: str
    columns: tuple[Column, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]

    def html(self) -> str:
        """A `<table>` with a caption and scoped headings; it takes its colors from the page around it."""
        head = "".join(
            f'<th scope="col"{self._alignment(i)}>{escape(column.heading)}</th>'
            for i, column in enumerate(self.columns)
        )
        body = "".join(f"<tr>{''.join(self._cell(i, text) for i, text in enumerate(row))}</tr>" for row in self.rows)
        return (
            '<table style="border-collapse:collapse;color:inherit;font-variant-numeric:tabular-nums">'
            f'<caption style="text-align:left;font-weight:600;color:inherit;padding:4px 0">{escape(self.caption)}'
            f"</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _cell(self, index: int, text: str) -> str:
        if index == 0:
            return f'<th scope="row"{self._alignment(index, weight="normal")}>{escape(text)}</th>'
        return f"<td{self._alignment(index)}>{escape(text)}</td>"

    def _alignment(self, index: int, weight: str = "") -> str:
        # JupyterLab's style sheet beats the `align` attribute, and GitHub drops styles: each needs its own.
        side = "right" if self.numeric[index] else "left"
        bold = f";font-weight:{weight}" if weight else ""
        return f' align="{side}" style="text-align:{side};padding:4px 12px;border-bottom:{_RULE}{bold}"'

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        headings = tuple(column.heading for column in self.columns)
        lines = (headings, *self.rows)
        widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]

        def write(line: tuple[str, ...]) -> str:
            cells = zip(line, widths, self.numeric, strict=True)
            return "  ".join(text.rjust(w) if right else text.ljust(w) for text, w, right in cells).rstrip()

        rule = "  ".join("-" * width for width in widths)
        return "\n".join([self.caption, write(headings), rule, *map(write, self.rows)])


def table(
    rows: Sequence[Sequence[Any] | Mapping[str, Any]], columns: Sequence[str | Column], *, caption: str
) -> Table:
    """A table of `rows`, each a sequence in the order of `columns` or a mapping from column title to value.

    The first column heads its row. A column of numbers is aligned right; None is written as a dash, True and False as
    yes and no, a float with three significant digits unless its `Column` fixes the decimals.

    Raises ValueError if a row has another number of values than there are columns, or lacks a title.
    """
    specs = tuple(column if isinstance(column, Column) else Column(column) for column in columns)
    values = [tuple(map(_plain, _in_order(row, specs))) for row in rows]
    numeric = tuple(_is_numeric([row[i] for row in values]) for i in range(len(specs)))
    texts = tuple(tuple(_write(v, c.decimals) for v, c in zip(row, specs, strict=True)) for row in values)
    return Table(caption, specs, numeric, texts)


def shortened(text: str, most: int) -> str:
    """Return the text with a part left out where it is longer than `most` characters; more is kept of its end than of its start.

    Names of files differ at their ends more often.
    """
    if len(text) <= most:
        return text
    tail = 2 * most // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def _in_order(row: Sequence[Any] | Mapping[str, Any], columns: tuple[Column, ...]) -> tuple[Any, ...]:
    if isinstance(row, Mapping):
        missing = [column.title for column in columns if column.title not in row]
        if missing:
            raise ValueError(f"A row of this table lacks {', '.join(missing)}; it has {', '.join(map(str, row))}.")
        return tuple(row[column.title] for column in columns)
    if len(row) != len(columns):
        raise ValueError(f"A row of this table has {len(row)} values for {len(columns)} columns: {row!r}.")
    return tuple(row)


def _plain(value: Any) -> Any:
    """The Python number or bool in a NumPy or torch scalar; anything else as it is."""
    return value.item() if hasattr(value, "item") else value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_numeric(values: list[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(map(_is_number, present))


def _write(value: Any, decimals: int | None) -> str:
    if value is None:
        return _MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not _is_number(value):
        return str(value)
    if decimals is not None and math.isfinite(value):
        return f"{value:,.{decimals}f}"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    return _three_digits(float(value))


def _three_digits(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0 or math.isnan(value):
        return str(value).removesuffix(".0")
    magnitude = abs(value)
    if magnitude < 1e-3:
        return f"{value:.1e}"
    return f"{value:,.0f}" if magnitude >= 99.95 else f"{value:#.3g}"
