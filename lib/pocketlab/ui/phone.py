"""A phone in 3D, drawn from its orientation: its six faces, its axes, and the ground with east, north and up.

The faces are projected here and drawn as filled polygons, by matplotlib or as SVG. Such a drawing needs no extension and looks
the same in JupyterLab's two themes. The SVG, of some kB, is for explorers: a browser keeps images that it has decoded for a
while, which adds up when a phone turns ten times a second. The figure is for all else; GitHub shows images, but leaves out
SVG. A convex box needs no sorting: faces that look away are left out, and what stands on a face is drawn where the face is.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketlab.data.quaternions import to_matrix
from pocketlab.ui import theme
from pocketlab.ui.plot import Plot

Array = NDArray[np.float64]
Drawn = tuple[Array, str]  # corners (n, 2) and a color, "#rrggbb"

UNKNOWN = "orientation unknown"

_COLORS = (theme.MUTED, theme.BLUE, theme.VERMILLION, theme.GREEN)   # of the cases of phones side by side
_HALF = np.array([0.42, 0.85, 0.055])      # half width, height and thickness, of a phone of 6 inches, a little thicker
_ARROW = 0.5                               # length of an axis beyond the face
_GROUND, _RADIUS = -1.15, 1.45             # height and radius of the disc below
_MIDDLE = np.array([0.0, 0.0, _GROUND])
_FOOT = _MIDDLE - np.array([0.0, _RADIUS, 0.0])   # of the arrow up: in the south, where no phone hides it
_NAMES = {"north": (0.0, 1.22 * _RADIUS, _GROUND), "east": (1.2 * _RADIUS, 0.0, _GROUND), "up": (0.0, -_RADIUS, _GROUND + 0.76)}
_DISTANCE = 9.0                            # of the eye, in the same units: some perspective, little distortion
_AZIMUTH, _ELEVATION = np.radians([50.0, 28.0])   # the eye stands in the southeast: north and east are at the phone's sides
_EYE = np.array([np.cos(_ELEVATION) * np.sin(_AZIMUTH), -np.cos(_ELEVATION) * np.cos(_AZIMUTH), np.sin(_ELEVATION)])
_RIGHT = np.array([np.cos(_AZIMUTH), np.sin(_AZIMUTH), 0.0])
_UP = np.cross(_EYE, _RIGHT)
_LIGHT = np.array([-0.3, -0.5, 0.81])
_AXES = (("x", theme.VERMILLION), ("y", theme.GREEN), ("z", theme.BLUE))
_SCREEN, _GLASS, _SHADOW, _DISC = "#BFE3F7", "#2B3036", "#C4CAD1", "#EEF1F4"
_SIZE = (3.7, 4.2)                         # width and height of the picture; its lower left corner is at:
_CORNER = (-1.85, -2.3)
_PIXELS = (250, 284)                       # of the same, for one phone

# Rectangles on the screen and on the back: left, bottom, right, top in halves of the face, and color.
_ON_SCREEN = (
    ((-0.88, -0.92, 0.88, 0.92), _SCREEN),
    ((-0.30, 0.84, 0.30, 0.92), _GLASS),                                        # the notch
    *(((x, y, x + 0.34, y + 0.17), color)                                       # apps
      for y, row in ((0.45, (theme.ORANGE, theme.GREEN, theme.PURPLE)), (0.17, (theme.BLUE, theme.SKY, theme.VERMILLION)))
      for x, color in zip((-0.67, -0.17, 0.33), row, strict=True)),
    ((-0.35, -0.86, 0.35, -0.83), _GLASS),                                      # the bar at the foot
)  # fmt: skip
_ON_BACK = (((0.15, 0.55, 0.85, 0.90), _GLASS), ((0.25, 0.74, 0.47, 0.85), _SCREEN), ((0.53, 0.60, 0.75, 0.71), _SCREEN))


def heading_pitch_roll(orientation: ArrayLike) -> Array:
    """Return heading, pitch and roll (3,) in degrees of a phone's orientation (4,), w first, phone to east-north-up.

    Heading: where the top edge points, clockwise from north, 0 to 360. Pitch: how far it points up, −90 to 90. Roll: how far the
    right edge is down, −180 to 180; beyond 90 the screen looks down. Where the top edge points straight up or down, heading and
    roll cannot be told apart. NaN for an orientation that is not finite, or 0.
    """
    quaternion = np.asarray(orientation, np.float64)
    if quaternion.shape != (4,):
        raise ValueError(f"One orientation is a quaternion (4,), w first; got an array {quaternion.shape}.")
    norm = np.linalg.norm(quaternion)
    if not 0 < norm < np.inf:
        return np.full(3, np.nan)
    x, y, z = to_matrix(quaternion / norm).T
    heading, pitch, roll = np.arctan2(y[0], y[1]), np.arcsin(np.clip(y[2], -1, 1)), np.arctan2(-x[2], z[2])
    return np.asarray(np.degrees([heading % (2 * np.pi), pitch, roll]))


def in_words(orientation: ArrayLike) -> str:
    """Say an orientation (4,) in whole degrees: "heading 73°, pitch 20°, roll −5°"."""
    angles = heading_pitch_roll(orientation)
    if np.isnan(angles).any():
        return UNKNOWN
    heading, pitch, roll = angles.round().astype(int)
    return f"heading {heading % 360}°, pitch {pitch}°, roll {roll}°".replace("-", "−")


def phones(orientations: Mapping[str, ArrayLike]) -> Plot:
    """Draw phones side by side, one to four, by their orientations (4,), w first, phone to east-north-up.

    Raises ValueError for another number of them, and for an orientation of another shape.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground=theme.CARD)]
    told = _told(orientations)
    plot = Plot(told, width=_PIXELS[0] * len(orientations), height=_PIXELS[1], columns=len(orientations))
    for axes, (name, orientation), color in zip(plot.axes, orientations.items(), _COLORS, strict=False):
        polygons, labels = _scene(name, orientation, color)
        corners, colors = zip(*polygons, strict=True)
        axes.add_collection(PolyCollection(corners, facecolors=colors, edgecolors=colors, linewidths=0.5), autolim=False)
        for label in labels:
            axes.text(*label.place, label.text, color=label.color, weight=label.weight, fontsize=0.75 * label.pixels,
                      ha="center", va="center", path_effects=halo)  # fmt: skip
        (left, bottom), (width, height) = _CORNER, _SIZE
        axes.set(xlim=(left, left + width), ylim=(bottom, bottom + height), aspect="equal")
        axes.axis("off")
    return plot


def phones_svg(orientations: Mapping[str, ArrayLike]) -> str:
    """Return the same drawing as an `<svg>` that says in words what it shows; same arguments and errors."""
    told = _told(orientations)
    width, height = _PIXELS[0] * len(orientations), _PIXELS[1]
    parts = []
    for index, ((name, orientation), color) in enumerate(zip(orientations.items(), _COLORS, strict=False)):
        polygons, labels = _scene(name, orientation, color)
        for corners, fill in polygons:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _in_pixels(corners, index))
            parts.append(f'<polygon points="{points}" fill="{fill}" stroke="{fill}" stroke-width="0.5"/>')
        for label in labels:
            x, y = _in_pixels(np.array([label.place]), index)[0]
            parts.append(
                f'<text x="{x:.1f}" y="{y + label.pixels / 3:.1f}" fill="{label.color}" font-size="{label.pixels}" font-weight='
                f'"{label.weight}" stroke="{theme.CARD}" stroke-width="2.5" paint-order="stroke">{escape(label.text)}</text>'
            )
    return (
        f'<svg role="img" aria-label="{escape(told)}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'text-anchor="middle" font-family="sans-serif" style="max-width:100%;height:auto;background:{theme.CARD};'
        f'border:1px solid rgba(128,128,128,0.35);border-radius:6px">{"".join(parts)}</svg>'
    )


def _in_pixels(points: Array, index: int) -> Array:
    """Points (n, 2) of the picture of a phone, in pixels from the upper left corner of them all."""
    x, y = ((points - _CORNER) / _SIZE).T
    return np.column_stack([(index + x) * _PIXELS[0], (1 - y) * _PIXELS[1]])


def _told(orientations: Mapping[str, ArrayLike]) -> str:
    if not 1 <= len(orientations) <= len(_COLORS):
        raise ValueError(f"One to {len(_COLORS)} phones have room side by side; got {len(orientations)}.")
    told = "; ".join(f"{name}: {in_words(orientation)}" for name, orientation in orientations.items())
    return f"Phones seen from the southeast and above. {told}."


class _Label(NamedTuple):
    """A text of the picture, its middle at a place."""

    text: str
    place: tuple[float, float]
    color: str
    weight: str
    pixels: int


def _scene(name: str, orientation: ArrayLike, color: str) -> tuple[list[Drawn], list[_Label]]:
    """All polygons, from back to front, and all texts of one phone; one whose orientation is unknown is not drawn."""
    words = in_words(orientation)
    (left, bottom), (width, height) = _CORNER, _SIZE
    middle = left + width / 2
    polygons = _ground()
    labels = [
        _Label(name, (middle, bottom + height - 0.2), theme.INK, "normal", 15),
        _Label(words, (middle, bottom + 0.13), theme.INK, "normal", 12),
    ]
    places = _project(np.array([*_NAMES.values()]))
    labels += [_Label(text, (x, y), theme.INK, "normal", 12) for text, (x, y) in zip(_NAMES, places, strict=True)]
    if words != UNKNOWN:
        quaternion = np.asarray(orientation, np.float64)
        axes = to_matrix(quaternion / np.linalg.norm(quaternion)).T
        polygons += _drawing(axes, color)
        tips = _project(axes * (_HALF + _ARROW + 0.16)[:, np.newaxis])
        labels += [_Label(letter, (x, y), paint, "bold", 13) for (letter, paint), (x, y) in zip(_AXES, tips, strict=True)]
    return polygons, labels


def _project(points: Array) -> Array:
    """Points (…, 3) in east, north, up as the eye sees them, (…, 2)."""
    scale = _DISTANCE / (_DISTANCE - points @ _EYE)
    return np.stack([points @ _RIGHT * scale, points @ _UP * scale], axis=-1)


def _drawing(axes: Array, color: str) -> list[Drawn]:
    """All polygons of a phone whose axes are the rows of (3, 3), from back to front."""
    faces: list[Drawn] = []
    arrows: dict[bool, list[Drawn]] = {True: [], False: []}
    shadow: list[Drawn] = []
    for index, sign in ((index, sign) for index in range(3) for sign in (1.0, -1.0)):
        across, along = axes[(index + 1) % 3] * _HALF[(index + 1) % 3], axes[(index + 2) % 3] * _HALF[(index + 2) % 3]
        normal = sign * axes[index]
        center = normal * _HALF[index]
        corners = _rectangle(center, across, along)
        shadow.append((_project(np.column_stack([corners[:, :2], np.full(4, _GROUND)])), _SHADOW))
        seen = bool((_DISTANCE * _EYE - center) @ normal > 0)
        if seen:
            is_screen = index == 2 and sign > 0
            faces.append((_project(corners), _lit(_GLASS if is_screen else color, normal)))
            if index == 2:
                faces += [
                    (_project(_rectangle(center, across, along, box)), _lit(paint, normal))
                    for box, paint in (_ON_SCREEN if is_screen else _ON_BACK)
                ]
        if sign > 0:
            arrows[seen] += _arrow(_project(center), _project(center + _ARROW * normal), _AXES[index][1])
    return [*shadow, *arrows[False], *faces, *arrows[True]]


def _rectangle(
    center: Array, across: Array, along: Array, box: tuple[float, float, float, float] = (-1, -1, 1, 1)
) -> Array:
    """The corners (4, 3) of a part of a face, which ends at center ± across and center ± along."""
    left, bottom, right, top = box
    return np.array(
        [center + a * across + b * along for a, b in ((left, bottom), (right, bottom), (right, top), (left, top))]
    )


def _lit(color: str, normal: Array) -> str:
    """A color as it looks on a face: darker the more the face looks away from the light."""
    brightness = 0.7 + 0.3 * max(0.0, float(normal @ _LIGHT))
    return "#" + "".join(f"{round(brightness * int(color[i : i + 2], 16)):02X}" for i in (1, 3, 5))


def _arrow(begin: Array, end: Array, color: str) -> list[Drawn]:
    """A shaft and a head, both polygons, between two points of the picture; none where they fall together."""
    length = float(np.linalg.norm(end - begin))
    if length < 1e-6:
        return []
    ahead = (end - begin) / length
    side = np.array([-ahead[1], ahead[0]])
    neck = end - min(0.18, length / 2) * ahead
    shaft = np.array([begin - 0.03 * side, begin + 0.03 * side, neck + 0.03 * side, neck - 0.03 * side])
    return [(shaft, color), (np.array([neck - 0.1 * side, end, neck + 0.1 * side]), color)]


def _ground() -> list[Drawn]:
    """A disc with lines to the four directions, and an arrow up."""
    turn = np.linspace(0, 2 * np.pi, 41)
    circle = np.column_stack([np.sin(turn), np.cos(turn), np.zeros_like(turn)])
    north, east = 0.985 * _RADIUS * np.eye(3)[1], 0.985 * _RADIUS * np.eye(3)[0]
    return [
        (_project(_MIDDLE + _RADIUS * circle), theme.MUTED),
        (_project(_MIDDLE + 0.985 * _RADIUS * circle), _DISC),
        (_project(_rectangle(_MIDDLE, 0.01 * east, north)), theme.MUTED),
        (_project(_rectangle(_MIDDLE, east, 0.01 * north)), theme.MUTED),
        *_arrow(_project(_FOOT), _project(_FOOT + 0.6 * np.eye(3)[2]), theme.MUTED),
    ]
