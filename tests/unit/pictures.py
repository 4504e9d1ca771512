"""What the tests of figures and explorers share: the picture in a widget, a table's cells, and whether all is inside."""

from __future__ import annotations

import html
import re
from typing import Any

from pocketlab.ui.plot import Plot

# An antialiased edge may touch the next pixel: 1/150 inch.
_EDGE = 1 / 150


def picture(explorer: Any) -> str:
    """The image that an explorer shows, without its words."""
    return re.search(r'src="([^"]+)"', explorer.plot.widget.value)[1]


def cells(text: str) -> list[list[str]]:
    """The cells of an HTML table, row by row, its headings first."""
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    return [[html.unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def is_whole(plot: Plot) -> bool:
    """Whether nothing that is drawn or written reaches beyond the figure's edge."""
    assert plot.png().startswith(b"\x89PNG")
    box = plot.figure.get_tightbbox()
    width, height = plot.figure.get_size_inches()
    return box.x0 >= -_EDGE and box.y0 >= -_EDGE and box.x1 <= width + _EDGE and box.y1 <= height + _EDGE


def controls(widget: Any) -> list[Any]:
    """All widgets in a box that hold a value which the learner sets."""
    from ipywidgets import HTML

    if hasattr(widget, "children"):
        return [control for child in widget.children for control in controls(child)]
    return [widget] if hasattr(widget, "value") and not isinstance(widget, HTML) else []
