"""One way to draw: a persistent figure, shown as an HTML image that carries its alternative text."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

from pocketlab.ui import theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# One and a half times the CSS size: sharper on a high-density screen, and a busy full-width figure still under 45 kB.
_PIXEL_RATIO = 1.5
# With 32 colors the octree loses the light grid lines; 64 keep them, and the antialiased edges.
_PALETTE_COLORS = 64


class Plot:
    """A figure of `width` by `height` CSS pixels with `rows` times `columns` axes.

    `axes` is always a tuple, row by row (`(ax,) = plot.axes` for one). Draw with the axes' own methods, label both axes
    with units, then let the notebook display the plot (a static image), or put `widget` into an explorer and call
    `update` after changing the artists. `alt` says what the drawing shows to somebody who does not see it; change it
    along with the drawing.

    Raises ValueError if `alt` is empty.
    """

    axes: tuple[Axes, ...]

    def __init__(self, alt: str, *, width: int = 800, height: int = 360, rows: int = 1, columns: int = 1) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.alt = alt
        self.width = width
        self.height = height
        with theme.applied():
            self.figure = theme.new_figure(width, height)
            self.axes = tuple(self.figure.subplots(rows, columns, squeeze=False).flat)
        self._canvas = FigureCanvasAgg(self.figure)
        self._moving: tuple[Artist, ...] = ()
        self._still: Any = None
        self._widget: Any = None

    @property
    def alt(self) -> str:
        """What the drawing shows, in words."""
        return self._alt

    @alt.setter
    def alt(self, text: str) -> None:
        if not text.strip():
            raise ValueError("A plot needs an alternative text: one or two sentences that say what it shows.")
        self._alt = text

    def moving(self, *artists: Artist) -> None:
        """Say that from now on only these artists change.

        All else (axes, labels, grid) is then drawn once and kept, which makes `update` five times faster; a later change
        to it is not seen.
        """
        for artist in artists:
            artist.set_animated(True)
        self._moving = artists
        self._still = None

    def png(self) -> bytes:
        """The drawing as it is now, as a PNG file."""
        from PIL import Image

        self._draw()
        size = self._canvas.get_width_height(physical=True)
        image = Image.frombuffer("RGBA", size, self._canvas.buffer_rgba()).convert("RGB")
        file = io.BytesIO()
        image.quantize(_PALETTE_COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, "png")
        return file.getvalue()

    def _draw(self) -> None:
        if self._still is None:
            self.figure.set_dpi(theme.PIXELS_PER_INCH * _PIXEL_RATIO)
            self._canvas.draw()
            if self._moving:
                self._still = self._canvas.copy_from_bbox(self.figure.bbox)
        else:
            self._canvas.restore_region(self._still)
        for artist in self._moving:
            if artist.axes is not None:
                artist.axes.draw_artist(artist)

    def html(self) -> str:
        """The drawing as it is now: an `<img>` with its alternative text, the PNG inside."""
        data = base64.b64encode(self.png()).decode("ascii")
        return (
            f'<img alt="{escape(self.alt)}" width="{self.width}" height="{self.height}" '
            f'src="data:image/png;base64,{data}" '
            'style="max-width:100%;height:auto;border:1px solid rgba(128,128,128,0.35);border-radius:6px">'
        )

    def update(self, alt: str | None = None) -> None:
        """Show the artists' new state in `widget`, with a new alternative text if one is given."""
        if alt is not None:
            self.alt = alt
        self.widget.value = self.html()

    @property
    def widget(self) -> Any:
        """An `ipywidgets.HTML` with the drawing, for explorers; `update` brings it up to date in place."""
        if self._widget is None:
            from ipywidgets import HTML

            self._widget = HTML(self.html())
            # Laying out takes a third of a redraw, and axes that shift under a moving slider are hard to read.
            self.figure.set_layout_engine("none")
        return self._widget

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"


def widget_with_static(widget: Any, html: str) -> dict[str, Any]:
    """The display bundle of `widget`, with `html` for viewers that run no widgets, such as GitHub.

    An explorer returns it from `_repr_mimebundle_`.
    """
    bundle = dict(widget._repr_mimebundle_())
    bundle["text/html"] = html
    return bundle
