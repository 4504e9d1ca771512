"""How every figure of the course looks.

A figure is drawn once and then seen in JupyterLab's light and dark themes and on GitHub. It therefore brings its own
light card: dark ink on it has a contrast above 7:1 everywhere, where one mid-tone ink on a transparent background
reaches 4.3:1 at best, and text that a caller adds later (black by default) stays readable.

Series differ in color (Okabe and Ito 2008, safe for color-blind readers; its yellow is left out, too pale on a light
card), in line style and in marker, so that a print in black and white still tells them apart.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
INK = "#1F2328"

CARD = "#FFFFFF"
GRID = "#D9DEE3"
MUTED = "#57606A"

COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

PIXELS_PER_INCH = 100   # matplotlib's 10-point text is then 14 pixels high, the size of JupyterLab's own


def applied() -> AbstractContextManager[None]:
    """Matplotlib's settings while a figure and its axes are made; nothing global stays changed.

    Line width and marker size ride in the property cycle: the cycle belongs to the axes, so lines that are added after
    the context has ended still get them.
    """
    from cycler import cycler
    from matplotlib import rc_context

    settings: Any = {
        "axes.prop_cycle": cycler(
            color=COLORS,
            linestyle=LINE_STYLES,
            marker=MARKERS,
            linewidth=[2.0] * len(COLORS),
            markersize=[5.0] * len(COLORS),
        ),
        "figure.facecolor": CARD,
        "axes.facecolor": CARD,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.titlesize": 11,
        "axes.labelsize": 10,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "font.size": 10,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
    }
    return rc_context(settings)


def new_figure(width: int, height: int) -> Figure:
    """An empty figure of `width` by `height` CSS pixels. Call inside `applied()`."""
    from matplotlib.figure import Figure

    return Figure(
        figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH, layout="constrained"
    )
