"""Plots: alternative text, a drawing that follows its artists, a size that a notebook can carry."""

import base64
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pocketlab.ui import theme
from pocketlab.ui.plot import Plot, widget_with_static


def image_of(html):
    data = re.search(r'src="data:image/png;base64,([^"]+)"', html).group(1)
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def seven_series(**size):
    plot = Plot("Seven sine waves, each shifted a little.", **size)
    (ax,) = plot.axes
    x = np.linspace(0, 6, 40)
    for k in range(len(theme.COLORS)):
        ax.plot(x, np.sin(x + k / 3), label=f"wave {k}")
    ax.set_xlabel("time (s)")
    ax.set_ylabel("angle (rad)")
    ax.legend()
    return plot


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_an_empty_alternative_text_is_refused():
    with pytest.raises(ValueError, match="alternative text"):
        Plot("  ")
    plot = Plot("A line.")
    with pytest.raises(ValueError, match="alternative text"):
        plot.alt = ""


def test_alternative_text_is_escaped_and_followed():
    plot = Plot('x < 3 & "y"')
    assert 'alt="x &lt; 3 &amp; &quot;y&quot;"' in plot.html()
    assert repr(plot) == 'Figure: x < 3 & "y"'
    plot.alt = "Another state."
    assert 'alt="Another state."' in plot._repr_html_()


def test_image_is_as_wide_as_asked_and_opaque():
    plot = seven_series(width=640, height=300)
    html = plot.html()
    image = image_of(html)
    assert 'width="640"' in html
    assert image.size == (960, 450)
    assert image.getpixel((2, 2)) == pytest.approx((255, 255, 255), abs=3)   # the card, as near as the palette has it


def test_a_busy_full_width_figure_stays_under_60_kb():
    assert len(seven_series().html()) < 60_000


def test_grid_lines_survive_the_palette():
    plot = Plot("Only a grid.")
    plot.axes[0].set_xlabel("x")
    plot.axes[0].set_ylabel("y")
    plain = Plot("No grid.")
    plain.axes[0].grid(visible=False)
    pixels = [np.asarray(image_of(p.html())) for p in (plot, plain)]
    height, width, _ = pixels[0].shape
    inside = (slice(height // 4, height // 2), slice(width // 4, width // 2))
    assert pixels[0][inside].min() < pixels[1][inside].min()


def test_series_differ_in_color_line_and_marker():
    lines = seven_series().axes[0].get_lines()
    for values in (
        [line.get_color() for line in lines],
        [line.get_marker() for line in lines],
        [repr(line._dash_pattern) for line in lines],
    ):
        assert len(set(values)) == len(lines)
    assert {line.get_linewidth() for line in lines} == {2.0}


def test_text_meets_wcag_aaa_on_the_card():
    assert contrast(theme.INK, theme.CARD) > 7
    assert contrast(theme.MUTED, theme.CARD) > 4.5


def test_widget_is_updated_in_place_with_the_artists_new_state():
    plot = Plot("A flat line.")
    (line,) = plot.axes[0].plot([0, 1], [0, 0])
    widget = plot.widget
    before = widget.value
    line.set_ydata([0, 0.04])
    plot.update("A rising line.")
    assert plot.widget is widget
    assert 'alt="A rising line."' in widget.value
    assert not np.array_equal(np.asarray(image_of(before)), np.asarray(image_of(widget.value)))


def test_rows_and_columns_are_one_flat_tuple():
    plot = Plot("Six empty axes.", rows=2, columns=3)
    assert len(plot.axes) == 6
    assert all(ax.figure is plot.figure for ax in plot.axes)


def test_a_widget_comes_with_a_static_picture():
    plot = Plot("A card.")
    bundle = widget_with_static(plot.widget, plot.html())
    assert {"application/vnd.jupyter.widget-view+json", "text/html"} <= set(bundle)
    assert "<img alt=" in bundle["text/html"]


def test_nothing_global_changes():
    code = (
        "import matplotlib, sys; before = matplotlib.rcParams.copy()\n"
        "from pocketlab.ui.plot import Plot; Plot('A card.').html()\n"
        "assert dict.items(matplotlib.rcParams) == dict.items(before)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_moving_artists_are_redrawn_over_what_is_kept_still():
    plot = Plot("A point on a grid.")
    (ax,) = plot.axes
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="x", ylabel="y")
    (point,) = ax.plot([0.5], [0.5])
    whole = plot.png()
    plot.moving(point)
    assert plot.png() == whole
    point.set_data([0.2], [0.2])
    moved = plot.png()
    assert moved != whole
    point.set_data([0.5], [0.5])
    assert plot.png() == whole   # no trace of the earlier position
