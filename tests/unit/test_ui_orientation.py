"""The drawn phone points where its quaternion says, and the explorer's errors are those of the library's filters."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from pictures import cells, controls, is_whole, picture

from pocketlab.data.motion import simulate_motion
from pocketlab.data.quaternions import angle_between, errors_in_degrees, from_rotation_vector, multiply, rotate
from pocketlab.signals.imu import estimate_orientation
from pocketlab.signals.orientation_classics import Complementary, Mahony
from pocketlab.signals.orientation_kalman import Settings as KalmanSettings
from pocketlab.ui import phone, theme
from pocketlab.ui.orientation import METHODS, Gain, OrientationExplorer
from pocketlab.ui.phone import UNKNOWN, heading_pitch_roll, in_words, phones, phones_svg

RNG = np.random.default_rng(0)


def turned(*degrees_and_axes):
    """Rotations by degrees about x, y or z, the first one applied first."""
    q = np.array([1.0, 0, 0, 0])
    for degrees, axis in degrees_and_axes:
        q = multiply(from_rotation_vector(np.radians(degrees) * np.eye(3)["xyz".index(axis)]), q)
    return q


# The phone


@pytest.mark.parametrize(
    ("orientation", "words"),
    [(turned(), "heading 0°, pitch 0°, roll 0°"), (turned((-90, "z")), "heading 90°, pitch 0°, roll 0°"),
     (turned((30, "z")), "heading 330°, pitch 0°, roll 0°"), (turned((40, "x")), "heading 0°, pitch 40°, roll 0°"),
     (turned((-40, "x")), "heading 0°, pitch −40°, roll 0°"), (turned((25, "y")), "heading 0°, pitch 0°, roll 25°"),
     (turned((180, "y")), "heading 0°, pitch 0°, roll 180°"),
     (turned((20, "y"), (50, "x"), (-100, "z")), "heading 100°, pitch 50°, roll 20°"),
     (turned((0.3, "z")), "heading 0°, pitch 0°, roll 0°"), (-turned((-90, "z")), "heading 90°, pitch 0°, roll 0°"),
     (3 * turned((40, "x")), "heading 0°, pitch 40°, roll 0°"), (np.full(4, np.nan), UNKNOWN), (np.zeros(4), UNKNOWN)],
)  # fmt: skip
def test_orientations_in_words(orientation, words):
    assert in_words(orientation) == words


def test_straight_up_is_no_error():
    heading, pitch, roll = heading_pitch_roll(turned((90, "x")))
    assert pitch == pytest.approx(90)
    assert np.isfinite([heading, roll]).all()


def test_heading_pitch_and_roll_give_the_orientation_back():
    for _ in range(50):
        orientation = from_rotation_vector(RNG.normal(size=3))
        heading, pitch, roll = heading_pitch_roll(orientation)
        again = turned((roll, "y"), (pitch, "x"), (-heading, "z"))
        assert angle_between(orientation, again) < 1e-6


@pytest.mark.parametrize("orientation", [np.ones(3), np.ones((2, 4))])
def test_another_shape_is_no_orientation(orientation):
    with pytest.raises(ValueError, match=r"a quaternion \(4,\)"):
        in_words(orientation)


def painted(drawn, color):
    """Middles of the polygons in a color, which light makes darker, by one factor for its three parts."""
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    middles = []
    for corners, paint in drawn:
        given = np.array([int(paint[i : i + 2], 16) for i in (1, 3, 5)])
        factor = given @ wanted / (wanted @ wanted)
        if 0.69 < factor < 1.01 and np.abs(given - factor * wanted).max() <= 1:
            middles.append(corners.mean(axis=0))
    return middles


def drawing(orientation):
    return phone._scene("a", orientation, theme.MUTED)[0]


def test_the_picture_is_not_mirrored():
    """From the southeast, east is on the right and nearer, north on the right and farther away; up is up."""
    east, north, up = (phone._project(axis) for axis in np.eye(3))
    assert east[0] > 0.5
    assert north[0] > 0.5
    assert north[1] > 0.2 > -0.2 > east[1]
    assert up[1] > 0.8
    # What turns counterclockwise, seen from above, does so in the picture.
    assert east[0] * north[1] - east[1] * north[0] > 0


@pytest.mark.parametrize(
    ("orientation", "screen", "lenses"),
    [(turned(), 1, 0), (turned((180, "y")), 0, 2), (turned((90, "x"), (180, "z")), 0, 2), (turned((90, "x")), 1, 0)],
)  # fmt: skip
def test_the_screen_is_seen_from_its_side_and_the_camera_from_the_other(orientation, screen, lenses):
    assert len(painted(drawing(orientation), phone._SCREEN)) == screen + lenses


@pytest.mark.parametrize(
    "orientation", [turned(), turned((-90, "z")), turned((60, "x"), (35, "z")), turned((25, "y"), (-60, "z"))]
)
def test_what_is_on_the_screen_lies_where_the_orientation_puts_it(orientation):
    def place(x, y):
        return phone._project(rotate(orientation, np.array([x, y, 1.0]) * phone._HALF))

    drawn = drawing(orientation)
    middles = [corners.mean(axis=0) for corners, _ in drawn]
    notch, bar = place(0, 0.88), place(0, -0.845)
    # Corners' mean and middle differ by the perspective: by less than a hundredth of the phone's height.
    for there in (notch, bar):
        assert min(np.linalg.norm(middle - there) for middle in middles) < 0.02
    # Apps, row by row: the orange one is upper left, the vermillion one lower right.
    orange, vermillion = painted(drawn, theme.ORANGE), painted(drawn, theme.VERMILLION)
    assert min(np.linalg.norm(middle - place(-0.5, 0.535)) for middle in orange) < 0.02
    assert min(np.linalg.norm(middle - place(0.5, 0.255)) for middle in vermillion) < 0.02


def test_letters_stand_at_the_ends_of_the_axes():
    orientation = turned((60, "x"), (35, "z"))
    labels = {label.text: label.place for label in phone._scene("a", orientation, theme.MUTED)[1]}
    for letter, axis, half in zip("xyz", np.eye(3), phone._HALF, strict=True):
        assert labels[letter] == pytest.approx(phone._project(rotate(orientation, axis) * (half + phone._ARROW + 0.16)))
    assert labels["north"] == pytest.approx(phone._project(np.array([0, 1.22 * phone._RADIUS, phone._GROUND])))
    assert {"a", "east", "up", in_words(orientation)} <= set(labels)


def test_an_arrow_lies_before_the_faces_or_behind_them():
    """The z arrow stands on the screen: drawn after the screen where that is seen, and before the back where not."""
    for orientation, other, is_last in ((turned(), phone._SCREEN, True), (turned((180, "y")), theme.MUTED, False)):
        paints = [paint for _, paint in drawing(orientation)]
        arrow = max(index for index, paint in enumerate(paints) if paint == theme.BLUE)
        face = max(index for index, paint in enumerate(paints) if paint == phone._lit(other, np.array([0.0, 0, 1])))
        assert (arrow > face) == is_last


def test_figure_and_svg_are_the_same_drawing():
    both = {"truth": turned((-90, "z")), "<estimate>": turned((40, "x"))}
    plot, svg = phones(both), phones_svg(both)
    told = "truth: heading 90°, pitch 0°, roll 0°; <estimate>: heading 0°, pitch 40°, roll 0°."
    assert told in plot.alt
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == plot.alt
    polygons = [polygon.get("points") for polygon in root.iter("polygon")]
    drawn = [path.vertices for axes in plot.axes for path in axes.collections[0].get_paths()]
    assert len(polygons) == len(drawn)
    # Two decimals of a pixel, and a figure that is laid out in the same units.
    ends = [[np.array(pair.split(","), float) for pair in points.split(" ")] for points in polygons]
    for index, (corners, pixels) in enumerate(zip(drawn, ends, strict=True)):
        phone_index = int(index >= len(plot.axes[0].collections[0].get_paths()))
        np.testing.assert_allclose(phone._in_pixels(corners[: len(pixels)], phone_index), pixels, atol=0.051)
    texts = [text.text for text in root.iter("text")]
    assert texts == [text.get_text() for axes in plot.axes for text in axes.texts]
    assert len(svg) < 16_000


def test_phones_that_differ_look_different():
    first, second = (phones({"a": turned((degrees, "x"))}) for degrees in (40, 42))
    assert first.png() != second.png()
    assert all(axes.get_aspect() == 1 for axes in first.axes)


@pytest.mark.parametrize("orientation", [turned((90, "x")), turned((-90, "x")), turned((90, "y")), turned((45, "x"), (45, "y"))])
def test_no_pose_is_cut_off(orientation):
    assert is_whole(phones({"a": orientation}))


@pytest.mark.parametrize("draw", [phones, phones_svg])
def test_another_number_of_phones_is_refused(draw):
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"got {count}"):
            draw({str(i): turned() for i in range(count)})


def test_an_unknown_orientation_is_said_and_not_drawn():
    polygons, labels = phone._scene("a", np.full(4, np.nan), theme.MUTED)
    assert len(polygons) == len(phone._ground())
    assert [label.text for label in labels] == ["a", UNKNOWN, "north", "east", "up"]
    assert UNKNOWN in phones({"a": np.full(4, np.nan)}).alt
    assert UNKNOWN in phones_svg({"a": np.full(4, np.nan)})


# The explorer


@pytest.fixture(scope="module")
def records():
    gap = simulate_motion("rotation", "slow", duration_s=25, seed=1)
    quat = gap.quat.copy()
    quat[1200:1300] = np.nan
    return {"slow": simulate_motion(duration_s=24), "with <a gap>": replace(gap, quat=quat)}


@pytest.fixture(scope="module")
def shared(records):
    return OrientationExplorer(records)


@pytest.fixture
def explorer(shared):
    shared.method.value, shared.time.value = "madgwick", 120
    shared.gain.value = 0.041
    return shared


def scores(record, method, **settings):
    quat = estimate_orientation(record.gyr, record.acc, record.mag, sample_rate_hz=100, method=method, **settings)
    scored = record.movement & np.isfinite(record.quat).all(axis=1)
    return [np.sqrt(np.mean(line[scored] ** 2)) for line in errors_in_degrees(quat, record.quat).T]


@pytest.mark.parametrize(
    ("method", "gain", "settings"),
    [("integration", None, {}), ("complementary", 30 * 3.0, {"tilt_time_s": 90.0, "heading_time_s": 270.0}),
     ("mahony", 30.0, {"proportional": 30.0, "integral": 270.0}), ("madgwick", 0.041, {"beta": 0.041}),
     ("madgwick", 1.2, {"beta": 1.2}), ("kalman", 15.0, {"acceleration_noise": 15.0}), ("pocketlab", None, {})],
)  # fmt: skip
def test_the_table_has_the_errors_of_the_librarys_filter(explorer, records, method, gain, settings):
    explorer.method.value = method
    if gain is not None:
        explorer.gain.value = gain
    heading, *rows = cells(explorer._table.value)
    assert heading == ["record", "total (°)", "heading (°)", "inclination (°)"]
    for (name, record), row in zip(records.items(), rows, strict=True):
        assert row == [name, *(f"{score:.2f}" for score in scores(record, method, **settings))]
    total = scores(records["slow"], method, **settings)[0]
    assert f"slow: total {total:.2f}°" in explorer.plot.alt
    assert (f"{gain:g}" in explorer.plot.alt) if gain else (f"Errors of {method} over" in explorer.plot.alt)


def test_default_gains_are_those_of_the_library(records):
    record = records["slow"]
    for method, gain in METHODS.items():
        if isinstance(gain, Gain):
            assert gain.default in gain.values
            assert list(gain.values) == sorted(set(gain.values))
            assert gain.values[0] < gain.default / 25 < gain.default * 25 < gain.values[-1]
            assert scores(record, method, **gain.settings(gain.default)) == scores(record, method)
    assert METHODS["complementary"].default == Complementary().tilt_time_s
    assert METHODS["mahony"].default == Mahony().proportional
    assert METHODS["kalman"].default == KalmanSettings().acceleration_noise


def test_the_panels_have_the_errors_over_time(explorer, records):
    record = records["slow"]
    quat = estimate_orientation(record.gyr, record.acc, record.mag, sample_rate_hz=100, method="madgwick", beta=0.041)
    for line, part in zip(explorer._panels["slow"].moving, errors_in_degrees(quat, record.quat).T, strict=True):
        size = 2400 // len(line.get_ydata())
        np.testing.assert_allclose(line.get_ydata(), np.maximum(np.sqrt((part**2).reshape(-1, size).mean(1)), 0.002))
    assert [axes.get_title() for axes in explorer.plot.axes] == list(records)
    (span,) = explorer.plot.axes[0].patches
    moving = np.flatnonzero(record.movement) / 100
    assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx((moving[0], moving[-1] + 0.01))


def test_the_phones_turn_to_the_time_of_the_record_that_is_chosen(explorer, records):
    explorer.time.value = 240 + 100  # 24 s of the first record come first
    record = records["with <a gap>"]
    assert explorer.time.label == "with <a gap>, 10.0 s"
    estimate = explorer._estimates["with <a gap>"][1000]
    assert explorer._phones.value == phones_svg({"truth": record.quat[1000], "estimate": estimate})
    total = np.degrees(angle_between(record.quat[1000], estimate))
    assert f"<b>with &lt;a gap&gt;</b>, 10.0 s: the estimate is {total:.1f}° off" in explorer._told.value
    # The arrow stands below 10 s of the second panel.
    inside = explorer.plot.axes[1].transData.transform((10.0, 1.0))[0] / explorer.plot.figure.bbox.width * 800
    assert f'points="{inside:.1f},0' in explorer._mark.value
    assert "10.0 s" in explorer._mark.value


def test_where_the_truth_is_unknown_the_phone_is_not_drawn(explorer):
    explorer.time.value = 240 + 125
    assert "the truth is not known" in explorer._told.value
    assert f"truth: {UNKNOWN}; estimate: heading" in explorer._phones.value


def test_the_last_moment_lies_within_the_record(explorer):
    explorer.time.index = len(explorer.time.options) - 1
    assert "24.9 s" in explorer._told.value


def states(explorer):
    return explorer.plot.widget.value, explorer._phones.value, explorer._told.value, explorer._table.value


def test_gain_and_method_change_pictures_words_and_table(explorer):
    seen = [states(explorer)]
    explorer.gain.index += 5
    seen.append(states(explorer))
    explorer.method.value = "integration"
    seen.append(states(explorer))
    for column in zip(*seen, strict=True):
        assert len(set(column)) == len(seen)


def test_time_turns_the_phones_and_leaves_the_errors_as_they_are(explorer):
    (errors, phones_before, told, table), mark = states(explorer), explorer._mark.value
    explorer.time.index += 30
    assert (explorer.plot.widget.value, explorer._table.value) == (errors, table)
    assert phones_before != explorer._phones.value
    assert told != explorer._told.value
    assert mark != explorer._mark.value


def test_going_back_restores_the_pictures_with_the_same_artists(explorer):
    first, shown, artists = states(explorer), picture(explorer), explorer.plot._moving
    explorer.method.value = "kalman"
    explorer.time.value = 300
    explorer.gain.index = 3
    assert picture(explorer) != shown
    explorer.method.value, explorer.time.value = "madgwick", 120
    assert states(explorer) == first
    assert explorer.plot._moving is artists


def test_a_method_without_a_gain_says_why_and_others_keep_theirs(records):
    explorer = OrientationExplorer(records)
    explorer.gain.value = explorer.gain.options[4][1]
    kept = explorer.gain.value
    for method in ("integration", "pocketlab"):
        explorer.method.value = method
        assert explorer.gain.disabled
        assert "has no gain:" in explorer._reason.value
    explorer.method.value = "complementary"
    assert not explorer.gain.disabled
    assert explorer._reason.value == ""
    assert explorer.gain.description == "Time constant (s)"
    assert explorer.gain.value == Complementary().tilt_time_s
    explorer.method.value = "madgwick"
    assert explorer.gain.value == kept


def test_three_controls_all_named_and_time_has_a_player(explorer):
    *seen, player = controls(explorer.widget)
    assert seen == [explorer.method, explorer.gain, explorer.play, explorer.time]
    assert all(control.description for control in seen)
    assert player.layout.display == "none"
    assert player.max == len(explorer.time.options) - 1
    # One step of the player is as long as what it shows.
    assert player.interval == 100
    assert [label for label, _ in explorer.time.options[:2]] == ["slow, 0.0 s", "slow, 0.1 s"]


def test_nothing_is_cut_off(explorer):
    assert is_whole(explorer.plot)
    first, last = 0, len(explorer.time.options) - 1
    for index in (first, last):
        explorer.time.index = index
        x = float(re.search(r'points="([0-9.]+),0', explorer._mark.value)[1])
        assert 6 < x < 794
        assert ('text-anchor="end"' in explorer._mark.value) == (index == last)


def test_axes_are_labelled_and_lines_told_apart(explorer):
    assert explorer.plot.axes[0].get_ylabel() == "error (degrees, log scale)"
    assert {axes.get_xlabel() for axes in explorer.plot.axes} == {"time (s)"}
    lines = explorer._panels["slow"].moving
    assert len({line.get_color() for line in lines}) == 3
    assert len({(repr(line._dash_pattern), line.get_linewidth()) for line in lines}) == 3


def test_static_pictures_and_the_table_come_along(explorer):
    text = explorer._repr_mimebundle_()["text/html"]
    assert text.count("<img alt=") == 2
    assert "<caption" in text
    assert "with <a gap>" not in text
    assert len(text) < 90_000


def test_one_record_is_enough_and_one_at_rest_counts_whole(records):
    rest = replace(records["slow"], movement=np.zeros(2400, np.bool_))
    explorer = OrientationExplorer({"rest": rest})
    (_, row) = cells(explorer._table.value)
    moving = replace(rest, movement=np.ones(2400, np.bool_))
    assert row[1:] == [f"{score:.2f}" for score in scores(moving, "madgwick")]
    assert is_whole(explorer.plot)


def test_records_that_cannot_be_explored_are_refused(records):
    blind = replace(records["slow"], quat=np.full((2400, 4), np.nan))
    short = replace(records["slow"], quat=np.ones((10, 4)))
    four = {str(i): records["slow"] for i in range(4)}
    for wrong, message in (({}, "got 0"), (four, "got 4"), ({"a": blind}, "a has no true"), ({"a": short}, "2400 samples")):
        with pytest.raises(ValueError, match=message):
            OrientationExplorer(wrong)
