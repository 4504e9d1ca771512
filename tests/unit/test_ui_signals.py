"""The figures of signals and movement draw and say the numbers that they are given, and refuse what cannot be drawn."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from pictures import is_whole

from pocketlab.data.geodesy import to_local
from pocketlab.data.walking import simulate_walk
from pocketlab.signals.calibration import NoiseFigures
from pocketlab.signals.filters import butterworth, frequency_response
from pocketlab.signals.frame_queue import PipelineReport
from pocketlab.signals.kalman import Line, filter_line, smooth_line
from pocketlab.ui.motion import camera_path, kalman_1d, orientation_errors, root_mean_square, thinned, walk_map
from pocketlab.ui.signals import allan, before_and_after, filter_gains, frame_budget, frame_latencies, spectrogram

RNG = np.random.default_rng(0)


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def labels(plot):
    return [text.get_text() for text in plot.figure.legends[0].get_texts()]


def told_apart(drawn):
    """Whether lines differ in color and in style."""
    looks = ([line.get_color() for line in drawn], [repr((line._dash_pattern, line.get_marker())) for line in drawn])
    return all(len(set(values)) == len(drawn) for values in looks)


def named(plot):
    return all(axes.get_xlabel() and axes.get_ylabel() for axes in plot.axes)


# Orientation


def test_errors_have_a_line_each_and_their_root_mean_square_over_the_movement():
    moving = np.arange(1000) % 500 >= 250
    errors = {"gyroscope": np.where(moving, 10.0, 1.0), "fused": np.where(moving, 2.0, 50.0)}
    plot = orientation_errors(errors, 100.0, moving)
    (axes,) = plot.axes
    drawn = lines(axes)
    assert labels(plot) == ["movement", "gyroscope, RMS 10.00°", "fused, RMS 2.00°"]
    assert "over 10 s. Root mean square while the phone moves: gyroscope 10.00°, fused 2.00°." in plot.alt
    assert axes.get_yscale() == "log"
    assert set(drawn["fused, RMS 2.00°"].get_ydata().round(6)) >= {2.0, 50.0}
    assert [(span.get_x(), span.get_width()) for span in axes.patches] == [(2.5, 2.5), (7.5, 2.5)]
    assert told_apart(list(drawn.values()))
    assert named(plot)
    assert is_whole(plot)


def test_without_movement_all_of_a_record_counts_and_gaps_stay_gaps():
    line = np.full(4000, 3.0)
    line[1000:2000] = np.nan
    plot = orientation_errors({"a": line}, 100.0)
    assert "Root mean square: a 3.00°." in plot.alt
    assert len(plot.axes[0].patches) == 0
    drawn = plot.axes[0].get_lines()[0].get_ydata()
    assert np.isnan(drawn).sum() == len(drawn) / 4


@pytest.mark.parametrize("count", [1, 399, 400, 401, 12_345])
def test_a_thinned_line_keeps_the_root_mean_square(count):
    line = np.abs(RNG.normal(size=count)) + 0.1
    times, values = thinned(line, 50.0)
    size = -(-count // 400)
    assert len(values) == -(-count // size) <= 400
    assert times[0] == size / 2 / 50.0
    weights = np.diff(np.append(np.arange(0, count, size), count))
    assert np.sqrt(np.average(values**2, weights=weights)) == pytest.approx(root_mean_square(line))


def test_an_error_of_zero_is_below_the_axis_and_not_an_error():
    for others in ({}, {"a": np.ones(100)}):
        plot = orientation_errors({"perfect": np.zeros(100), **others}, 100.0)
        low, high = plot.axes[0].get_ylim()
        assert 0 < plot.axes[0].get_lines()[0].get_ydata().max() < low < high


@pytest.mark.parametrize(
    ("errors", "rate", "movement", "message"),
    [({}, 100, None, "got 0"), ({str(i): np.ones(3) for i in range(6)}, 100, None, "got 6"),
     ({"a": [1, np.inf]}, 100, None, "finite angles"), ({"a": 3.0, "b": np.ones(3)}, 100, None, "rows of 1 sample"),
     ({"a": np.ones(3), "b": np.ones(4)}, 100, None, r"b is an array \(4,\)"),
     ({"a": np.ones(3)}, 100, np.ones(2), "movement is"),
     ({"a": np.ones((3, 2))}, 100, None, r"\(3, 2\)"), ({"a": -np.ones(3)}, 100, None, "those of a are not"),
     ({"a": np.full(3, np.nan)}, 100, None, "known in some sample"), ({"a": np.ones(3)}, 100, np.zeros(3), "with movement"),
     ({"a": np.ones(3)}, 0, None, "sample rate of 0")],
)  # fmt: skip
def test_errors_that_cannot_be_drawn_are_refused(errors, rate, movement, message):
    with pytest.raises(ValueError, match=message):
        orientation_errors(errors, rate, movement)


# Walk


@pytest.fixture(scope="module")
def walk():
    return simulate_walk(((30, 90, 0), (20, 0, 0)), sample_rate_hz=20, tunnel=(15, 25), outlier_share=0.2)


def test_a_map_has_truth_fixes_tracks_and_the_tunnel(walk):
    off = walk.positions + np.array([3.0, 4.0, 100.0])
    plot = walk_map(walk, {"filtered": off, "smoothed": walk.positions[:, :2]}, (15, 25))
    (axes,) = plot.axes
    drawn = lines(axes)
    np.testing.assert_array_equal(np.transpose(drawn["truth"].get_data()), walk.positions[:, :2])
    fixes = to_local(walk.gps.geodetic, walk.origin)[:, :2]
    (label,) = (label for label in drawn if label.startswith("fixes of GPS"))
    np.testing.assert_allclose(np.transpose(drawn[label].get_data()), fixes)
    beyond = sum(not (min(axes.get_xlim()) <= x <= max(axes.get_xlim()) and min(axes.get_ylim()) <= y <= max(axes.get_ylim()))
                 for x, y in fixes)  # fmt: skip
    assert label == f"fixes of GPS, {beyond} more outside"
    np.testing.assert_array_equal(np.transpose(drawn["filtered, RMS 5.0 m"].get_data()), off[:, :2])
    inside = (walk.times >= 15) & (walk.times <= 25)
    np.testing.assert_array_equal(np.transpose(drawn["tunnel: no GPS, 15 to 25 s"].get_data()), walk.positions[inside, :2])
    assert "filtered 5.0 m; smoothed 0.0 m. There is no GPS from 15 to 25 s." in plot.alt
    assert f"with {len(walk.gps.times)} fixes" in plot.alt
    assert axes.get_aspect() == 1
    assert told_apart([line for name, line in drawn.items() if "RMS" in name or name == "truth"])
    assert named(plot)
    assert is_whole(plot)


def test_a_map_without_an_outage_says_nothing_of_one(walk):
    plot = walk_map(walk, {"a": walk.positions})
    assert not any("tunnel" in label for label in labels(plot))
    assert "no GPS" not in plot.alt


def test_a_track_that_drifts_away_does_not_make_the_map_small(walk, caplog):
    with caplog.at_level(logging.WARNING):
        plot = walk_map(walk, {"lost": walk.positions * 1000})
        assert is_whole(plot)
    assert caplog.records == []
    fixes = to_local(walk.gps.geodetic, walk.origin)[:, :2]
    assert np.ptp(plot.axes[0].get_xlim()) < 2 * np.ptp(np.concatenate([walk.positions[:, :2], fixes]), axis=0).max()


@pytest.mark.parametrize("outage", [(25, 15), (100, 200)])
def test_an_outage_lies_within_the_walk(walk, outage):
    with pytest.raises(ValueError, match=f"from {outage[0]} to {outage[1]} s, and the walk from 0 to"):
        walk_map(walk, {"a": walk.positions}, outage)


def test_tracks_that_cannot_be_drawn_are_refused(walk):
    count = len(walk.times)
    for tracks, message in (
        ({}, "got 0"), ({"a": walk.positions[1:]}, rf"\({count}, 2\) or \({count}, 3\)"),
        ({"a": walk.positions * np.nan}, "NaN or infinite"), ({"a": walk.times}, "a needs a position for each time"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            walk_map(walk, tracks)


# Camera


def test_a_path_is_drawn_from_above_and_its_height_against_the_way():
    turn = np.linspace(0, 2 * np.pi, 101)
    truth = np.column_stack([np.cos(turn), np.sin(turn), 0.1 * turn])
    lost = truth + 10 * turn[:, None]
    plot = camera_path(truth, {"camera and IMU": truth + np.array([0, 0, 0.5]), "IMU alone": lost})
    above, height = map(lines, plot.axes)
    end = f"IMU alone, {20 * np.pi * 3**0.5:.2f} m off at the end"
    assert list(above) == ["truth", "camera and IMU, 0.50 m off at the end", end, "start"]
    np.testing.assert_array_equal(above["truth"].get_xdata(), truth[:, 0])
    way = np.linalg.norm(np.diff(truth, axis=0), axis=1).sum()
    true, fused, _ = height.values()
    assert true.get_xdata()[-1] == pytest.approx(way)
    np.testing.assert_allclose(fused.get_ydata(), truth[:, 2] + 0.5)
    assert f"over {way:.1f} m" in plot.alt
    assert "camera and IMU 0.50 m off at the end, 0.50 m root mean square" in plot.alt
    assert told_apart([*height.values()])
    assert max(plot.axes[0].get_xlim()) < 2
    assert max(plot.axes[1].get_ylim()) < 3
    assert named(plot)
    assert is_whole(plot)


def test_paths_that_cannot_be_drawn_are_refused():
    good = np.zeros((5, 3))
    for truth, estimates, message in (
        (good, {}, "got 0"), (good, {"a": good[1:]}, r"a needs a position for each time: \(5, 3\)"),
        (good[:, :2], {"a": good}, "truth needs"), (good, {"a": good + np.inf}, "infinite"),
        (good[:0], {"a": good[:0]}, "at least one"), (3.0, {"a": good}, "truth needs"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            camera_path(truth, estimates)


# Kalman


def test_a_filter_has_a_line_and_a_band_of_two_standard_deviations():
    times = np.arange(20.0)
    truth = 0.5 * times
    measured = truth + RNG.normal(size=20)
    measured[8:12] = np.nan
    line = filter_line(times, measured, measured_std=1.0, acceleration_density=0.1)
    smooth = smooth_line(line, acceleration_density=0.1)
    plot = kalman_1d(times, truth, measured, {"filter": line, "smoother": smooth})
    (axes,) = plot.axes
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn["filter"].get_ydata(), line.states[:, 0])
    band, _ = axes.collections
    ends = band.get_paths()[0].vertices
    for index in (5, 10):
        at = ends[ends[:, 0] == times[index]][:, 1]
        std = np.sqrt(line.covariances[index, 0, 0])
        assert sorted(set(at.round(9))) == sorted((line.states[index, 0] + np.array([-2, 2]) * std).round(9))
    inside = np.abs(smooth.states[:, 0] - truth) <= 2 * np.sqrt(smooth.covariances[:, 0, 0])
    off = root_mean_square(smooth.states[:, 0] - truth)
    assert f"smoother {off:.2f} m, the truth in its band {inside.mean():.0%} of the time" in plot.alt
    assert "measured 16 times" in plot.alt
    assert labels(plot) == ["filter ± 2σ", "filter", "smoother ± 2σ", "smoother", "truth", "measured"]
    assert told_apart(list(drawn.values()))
    # The filter begins with a standard deviation of 1000 km: the axis is that of truth and measurements.
    wide = replace(line, covariances=line.covariances * 1e12)
    limits = kalman_1d(times, truth, measured, {"filter": wide}).axes[0].get_ylim()
    assert limits == pytest.approx(axes.get_ylim())
    assert named(plot)
    assert is_whole(plot)


def test_what_was_never_measured_has_no_error():
    times = np.arange(5.0)
    line = filter_line(times, np.full(5, np.nan), measured_std=1.0, acceleration_density=0.1)
    plot = kalman_1d(times, times, np.full(5, np.nan), {"filter": line})
    assert "measured 0 times. Root mean square error: filter" in plot.alt
    assert is_whole(plot)


def test_lines_that_cannot_be_drawn_are_refused():
    times = np.arange(3.0)
    line = Line(times, np.zeros((3, 2)), np.tile(np.eye(2), (3, 1, 1)))
    for arguments, message in (
        ((times, times, times, {}), "got 0"), ((times, times, times, {str(i): line for i in range(3)}), "got 3"),
        ((times, times * np.nan, times, {"a": line}), "NaN or infinite"),
        ((times, times[1:], times, {"a": line}), "truth has"), ((times[1:], times[1:], times[1:], {"a": line}), "a has"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            kalman_1d(*arguments)


# Filters and signals


def test_gains_stand_on_a_log_axis_and_their_corners_are_told():
    hz = np.linspace(0, 4000, 4001)
    with np.errstate(divide="ignore"):  # a zero at half the sample rate
        gain = 20 * np.log10(np.abs(frequency_response(butterworth(4, 500, sample_rate_hz=8000), hz, sample_rate_hz=8000)))
    assert gain.min() < -200
    plot = filter_gains({"low-pass": (hz, gain), "flat": ([1, 4000], [0, 0])})
    (axes,) = plot.axes
    drawn = lines(axes)
    assert drawn["low-pass"].get_xdata()[0] == 1
    assert drawn["low-pass"].get_ydata()[499] == pytest.approx(-3.01, abs=0.01)
    assert np.isfinite(drawn["low-pass"].get_ydata()).all()
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[0] == pytest.approx(-90, abs=0.1)
    assert "low-pass: highest 0.0 dB at" in plot.alt
    # −3.01 dB at 500 Hz is the first frequency more than 3 dB below.
    assert "3 dB lower at 500 Hz; flat: highest 0.0 dB at 1 Hz." in plot.alt
    assert told_apart(list(drawn.values()))
    assert named(plot)
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("responses", "message"),
    [({}, "got 0"), ({"a": ([1, 2], [0.0])}, r"a needs a gain for each frequency"), ({"a": ([0, 1], [0, 0])}, "two above 0 Hz"),
     ({"a": ([2, 1], [0, 0])}, "frequencies ascend"), ({"a": ([1, 2], [0, np.nan])}, "gains are in dB"),
     ({"a": ([1, 2], [-np.inf, -np.inf])}, "not all −∞"), ({"a": ([1, np.inf], [0, 0])}, "frequencies ascend"),
     ({"a": ([1, 2], np.array([1, 1j]))}, "complex gains")],
)  # fmt: skip
def test_responses_that_cannot_be_drawn_are_refused(responses, message):
    with pytest.raises(ValueError, match=message):
        filter_gains(responses)


def test_signals_stand_below_each_other_on_one_scale():
    before = np.array([0.0, 4.0, -2.0, np.nan, 1.0])
    plot = before_and_after({"before": before, "after": before / 4}, 10.0, "acceleration (m/s²)")
    first, second = plot.axes
    assert first.get_lines()[0].get_xdata().tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert second.get_lines()[0].get_ydata()[:3].tolist() == [0, 1, -0.5]
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[0] < -2 < 4 < first.get_ylim()[1]
    assert [axes.get_title(loc="left") for axes in plot.axes] == ["before", "after"]
    assert plot.figure.get_supylabel() == "acceleration (m/s²)"
    assert second.get_xlabel() == "time (s)"
    assert f"before: root mean square {np.sqrt(21 / 4):.3g}, from -2 to 4; after" in plot.alt
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("signals", "rate", "message"),
    [({}, 1, "got 0"), ({str(i): [1.0] for i in range(5)}, 1, "got 5"), ({"a": [np.nan]}, 1, "a is one row"),
     ({"a": [[1.0]]}, 1, r"\(1, 1\)"), ({"a": []}, 1, "with a number"), ({"a": [1.0]}, float("nan"), "sample rate of nan")],
)  # fmt: skip
def test_signals_that_cannot_be_drawn_are_refused(signals, rate, message):
    with pytest.raises(ValueError, match=message):
        before_and_after(signals, rate, "x")


def test_a_constant_signal_can_be_drawn():
    assert is_whole(before_and_after({"still": np.zeros(5)}, 1.0, "x"))


def test_a_spectrogram_has_time_bands_level_and_detections():
    levels = np.full((50, 8), -60.0)
    levels[20, 3] = -5.0
    hz = np.arange(1, 9) * 100.0
    plot = spectrogram(levels, 0.02, hz, [(0.5, "seven")])
    axes, bar = plot.figure.axes
    image = axes.images[0]
    np.testing.assert_array_equal(image.get_array(), levels.T)
    assert image.get_extent() == [0, 1, -0.5, 7.5]
    assert [tick.get_text() for tick in axes.get_yticklabels()][0::6] == ["100", "800"]
    assert bar.get_ylabel() == "level (dB)"
    assert [line.get_xdata()[0] for line in axes.get_lines()] == [0.5]
    assert [text.get_text() for text in axes.texts] == ["seven ▾"]
    assert "from -60 to -5 dB; loudest at 0.40 s in the band at 400 Hz. Detected: seven at 0.50 s." in plot.alt
    assert "Nothing is marked" in spectrogram(levels, 0.02, hz).alt
    assert named(plot)
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("levels", "seconds", "hz", "message"),
    [(np.ones((3, 2)), 0.1, [1.0], "each band has one frequency"), (np.ones(3), 0.1, [1.0], r"got \(3,\)"),
     (np.empty((0, 2)), 0.1, [1.0, 2.0], r"\(0, 2\)"), (np.full((1, 1), -np.inf), 0.1, [1.0], "finite"),
     (np.ones((1, 1)), 0, [1.0], "above 0 s")],
)  # fmt: skip
def test_levels_that_cannot_be_drawn_are_refused(levels, seconds, hz, message):
    with pytest.raises(ValueError, match=message):
        spectrogram(levels, seconds, hz)


# Frames


def report(latencies_ms, dropped_s=(), every_s=1 / 60):
    captured = [index * every_s for index in range(len(latencies_ms))]
    finished = [at + ms / 1000 for at, ms in zip(captured, latencies_ms, strict=True)]
    return PipelineReport(len(captured), captured, captured, finished, list(dropped_s))


def test_frames_are_in_time_late_or_dropped():
    plot = frame_latencies(report([5.0, 20.0, 8.0, 0.0], [0.01, 0.02]), 16.0)
    (axes,) = plot.axes
    drawn = lines(axes)
    assert list(drawn) == ["in time (3)", "late (1)", "dropped (2), no result", "budget, 16.0 ms"]
    assert drawn["in time (3)"].get_ydata() == pytest.approx([5, 8, 0.01])
    assert drawn["late (1)"].get_data()[0] == pytest.approx([1 / 60])
    assert drawn["dropped (2), no result"].get_xdata().tolist() == [0.01, 0.02]
    assert set(drawn["budget, 16.0 ms"].get_ydata()) == {16}
    assert "of 4 frames: half within 6.5 ms" in plot.alt
    assert "1 took longer than the budget of 16.0 ms; 2 frames were dropped; no stall." in plot.alt
    # What was dropped stands below every frame that has a result.
    assert 10 ** (np.log10(axes.get_ylim()) @ [0.96, 0.04]) < 0.01
    assert named(plot)
    assert is_whole(plot)


def test_a_stall_is_more_than_three_budgets_without_a_result():
    plot = frame_latencies(report([5.0, 5.0, 5.0], every_s=0.2), 50.0)
    np.testing.assert_allclose([(span.get_x(), span.get_width()) for span in plot.axes[0].patches], [(0.005, 0.2), (0.205, 0.2)])
    assert "2 stalls, the longest 200 ms" in plot.alt
    assert labels(plot)[0] == "stall (2)"
    assert "no stall" in frame_latencies(report([5.0, 5.0], every_s=0.149), 50.0).alt


def test_runs_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="a frame with a result"):
        frame_latencies(PipelineReport())
    with pytest.raises(ValueError, match="budget above 0 ms"):
        frame_latencies(report([1.0]), 0)


def test_a_budget_has_a_piece_for_each_part():
    plot = frame_budget({"convert": 2.0, "resize": 3.0, "model": 4.0})
    (axes,) = plot.axes
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 2), (2, 3), (5, 4)]
    assert labels(plot) == ["convert, 2.00 ms", "resize, 3.00 ms", "model, 4.00 ms", "budget, 16.7 ms"]
    assert len({bar.get_facecolor() for bar in axes.patches}) == len({bar.get_hatch() for bar in axes.patches}) == 3
    assert "together 9.00 of 16.7 ms, 7.67 ms are left." in plot.alt
    assert [text.get_text() for text in axes.texts] == ["7.67 ms are left"]
    assert axes.get_xlim()[1] > 1000 / 60
    assert "4.00 ms too much" in frame_budget({"model": 14.0}, 10.0).alt
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("parts", "budget", "message"),
    [({}, 1, "got 0"), ({"a": -1}, 1, "0 ms or more"), ({"a": np.nan}, 1, "0 ms or more"), ({"a": 1}, 0, "budget is above 0"),
     ({str(i): 1.0 for i in range(8)}, 1, "got 8")],
)  # fmt: skip
def test_budgets_that_cannot_be_drawn_are_refused(parts, budget, message):
    with pytest.raises(ValueError, match=message):
        frame_budget(parts, budget)


# Sensors


def test_allan_has_the_measured_line_and_one_for_each_noise():
    tau = np.array([1.0, 4.0, 16.0])
    plot = allan(tau, [0.2, 0.1, 0.3], NoiseFigures(0.2, 0.1, 0.0), "°/s")
    (axes,) = plot.axes
    measured, white, bias = axes.get_lines()
    assert measured.get_ydata().tolist() == [0.2, 0.1, 0.3]
    assert white.get_ydata() == pytest.approx([0.2, 0.1, 0.05])
    # IEEE Std 952: the flat part lies at 0.664 of the bias instability.
    assert bias.get_ydata() == pytest.approx([0.0664] * 3, rel=1e-3)
    walk = allan(tau, [1, 1, 1], NoiseFigures(0, 0, 3.0)).axes[0].get_lines()[1]
    assert walk.get_ydata() == pytest.approx([3 / 3**0.5, 2 * 3**0.5, 4 * 3**0.5])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_ylabel() == "Allan deviation (°/s, log scale)"
    assert "lowest 0.1 °/s at 4 s" in plot.alt
    assert "N = 0.2 °/s/√Hz" in plot.alt
    assert told_apart(axes.get_lines())
    assert named(plot)
    assert is_whole(plot)


@pytest.mark.parametrize(
    ("tau", "deviation", "message"),
    [([1.0], [1.0], "two or more"), ([1, 2], [1, 2, 3], r"\(3,\)"), ([1, 2], [1, 0], "above 0"), ([1, 2], [1, np.nan], "finite"),
     ([1, 2], np.ones((2, 3)), "of one axis")],
)  # fmt: skip
def test_deviations_that_cannot_be_drawn_are_refused(tau, deviation, message):
    with pytest.raises(ValueError, match=message):
        allan(tau, deviation, NoiseFigures(1, 1, 1))
