"""The orientation filter in C: the same numbers as in Python, from a compiler that may be missing or fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from pocketlab.data.motion import simulate_motion
from pocketlab.data.quaternions import angle_between
from pocketlab.errors import ModelFileError, UnavailableError
from pocketlab.runtimes import native, native_compiler
from pocketlab.runtimes.native_compiler import FLAGS, build, find_compiler, object_bytes
from pocketlab.signals import orientation_pocketlab
from pocketlab.signals.imu import OrientationFilter, estimate_orientation

RATE = 100.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("native")


@pytest.fixture(scope="module")
def path(folder):
    return native.export(OrientationFilter(sample_rate_hz=RATE), folder / "orientation.c").path


@pytest.fixture(scope="module")
def runner(path):
    return native.load(path)


@pytest.fixture(scope="module")
def float_path(folder):
    return native.export(OrientationFilter(sample_rate_hz=RATE), folder / "orientation_float.c", real="float").path


@pytest.fixture(scope="module")
def motion():
    return simulate_motion("combined", "fast", duration_s=60.0, disturbance="attached_magnet", magnet_s=(15, 40), seed=3)


def with_gaps(motion):
    """The record with samples missing: single ones, long gaps, before the first acceleration, infinity, zeros of a driver."""
    gyr, acc, mag = motion.gyr.copy(), motion.acc.copy(), motion.mag.copy()
    missing = np.random.default_rng(1).random((3, len(gyr))) < 0.05
    for samples, rows in zip((gyr, acc, mag), missing, strict=True):
        samples[rows] = np.nan
    acc[:7] = np.nan
    gyr[1000:1300], mag[2000:2500], acc[3000:3020] = np.nan, 0.0, np.inf
    gyr[4000, 1] = np.nan
    return gyr, acc, mag


# Both compute the same operations in the same order in float64, neither contracts nor reorders, and both call this machine's
# libm: no tolerance is needed.
@pytest.mark.parametrize("speed", ["slow", "fast"])
@pytest.mark.parametrize("disturbance", [None, "tapping", "stationary_magnet", "attached_magnet", "office"])
def test_c_gives_the_numbers_of_python(runner, speed, disturbance):
    # Long enough for rest and motion, for another magnet to be thought of, and for another place.
    motion = simulate_motion("combined", speed, breaks=1, duration_s=70.0, disturbance=disturbance, magnet_s=(20, 50), seed=5)
    expected = estimate_orientation(motion.gyr, motion.acc, motion.mag, sample_rate_hz=RATE)
    np.testing.assert_array_equal(runner(motion.gyr, motion.acc, motion.mag), expected)


def test_samples_that_are_missing_are_missing_in_c_too(runner, motion):
    record = with_gaps(motion)
    expected = estimate_orientation(*record, sample_rate_hz=RATE)
    np.testing.assert_array_equal(runner(*record), expected)
    assert np.array_equal(expected[:7], np.tile([1.0, 0, 0, 0], (7, 1)))  # the gaps are not without effect


@pytest.mark.parametrize("rate", [25.0, 286.0, 10.0])
def test_rate_and_settings_are_the_filters_own(folder, motion, rate):
    settings = {name: 1.25 * value for name, value in vars(orientation_pocketlab.Settings()).items()}  # all of them others
    exported = native.export(OrientationFilter(sample_rate_hz=rate, **settings), folder / f"at_{rate:g}.c")
    record = motion.gyr, motion.acc, motion.mag
    expected = estimate_orientation(*record, sample_rate_hz=rate, **settings)
    np.testing.assert_array_equal(native.load(exported.path)(*record), expected)
    assert not np.array_equal(expected, estimate_orientation(*record, sample_rate_hz=rate))


def test_without_a_magnetometer(folder, runner, motion):
    filter_ = OrientationFilter(sample_rate_hz=RATE, magnetometer=False)
    without = native.load(native.export(filter_, folder / "without.c").path)
    expected = estimate_orientation(motion.gyr, motion.acc, sample_rate_hz=RATE)
    np.testing.assert_array_equal(without(motion.gyr, motion.acc), expected)
    np.testing.assert_array_equal(runner(motion.gyr, motion.acc), expected)  # one that never measures is as none
    assert [info.name for info in without.inputs] == ["gyr", "acc"]
    with pytest.raises(ValueError, match="exported without a magnetometer"):
        without(motion.gyr, motion.acc, motion.mag)


def test_a_stream_gives_the_same_numbers_however_it_is_cut(runner, motion):
    gyr, acc, mag = with_gaps(motion)
    expected = runner(gyr, acc, mag)
    stream = runner.stream()
    cuts = np.split(np.arange(len(gyr)), [0, 1, 2, 9, 9, 700, 701, 3333])
    np.testing.assert_array_equal(np.concatenate([stream.process(gyr[cut], acc[cut], mag[cut]) for cut in cuts]), expected)
    stream, other = runner.stream(), runner.stream()
    for n in range(500):
        got = stream.process(gyr[n], acc[n], mag[n])
        other.process(acc[n], gyr[n], None)  # streams do not know of one another
        assert got.shape == (4,)
        np.testing.assert_array_equal(got, expected[n])


def test_float_is_near_double(float_path, motion):
    runner = native.load(float_path)
    got = runner(motion.gyr, motion.acc, motion.mag)
    assert got.dtype == np.float32
    expected = estimate_orientation(motion.gyr, motion.acc, motion.mag, sample_rate_hz=RATE)
    # A sample's turn rounds each component about ten times, by half of float32's step at most; were all those errors to add
    # up, with nothing to correct them, the angle (twice a quaternion's) would be off by this.
    bound = 2 * 10 * len(got) * 2.0**-24
    error = angle_between(got.astype(np.float64), expected)
    assert 0 < error.max() < bound


def test_compilers_have_nothing_to_say(path, float_path, tmp_path):
    for file, options in ((path, []), (float_path, ["-Wdouble-promotion"])):
        assert build(file, tmp_path / "o", "-c", "-O2", "-pedantic", *options) == ""


MAIN = """
#include "orientation.h"
#include <stdio.h>

int main(void)
{
    static orientation_filter phone;
    orientation_init(&phone);
    for (int n = 0; n < 40; n++) {
        const double gyr[3] = {0.5, -0.25, 0.125 * n}, acc[3] = {0.5, 1.0, 9.5}, mag[3] = {3.0, 19.0, -46.0};
        double quat[4];
        orientation_update(&phone, n == 9 ? NULL : gyr, n == 3 ? NULL : acc, n % 2 ? NULL : mag, quat);
        printf("%.17g %.17g %.17g %.17g\\n", quat[0], quat[1], quat[2], quat[3]);
    }
    return 0;
}
"""


def test_a_program_in_c_uses_it_sample_by_sample(path, tmp_path):
    (tmp_path / "main.c").write_text(MAIN)
    command = [*find_compiler(), *FLAGS, "-O2", f"-I{path.parent}", str(tmp_path / "main.c"), str(path), "-lm"]
    built = subprocess.run([*command, "-o", str(tmp_path / "main")], capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    printed = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=True).stdout
    n = np.arange(40)
    gyr = np.stack([np.full(40, 0.5), np.full(40, -0.25), 0.125 * n], axis=1)
    acc, mag = np.tile([0.5, 1.0, 9.5], (40, 1)), np.tile([3.0, 19.0, -46.0], (40, 1))
    gyr[9], acc[3], mag[1::2] = np.nan, np.nan, np.nan
    expected = OrientationFilter(sample_rate_hz=RATE).run(gyr, acc, mag)
    np.testing.assert_array_equal(np.array(printed.split(), float).reshape(40, 4), expected)


def test_what_is_written_is_the_same_each_time_and_leaves_nothing_beside(path, tmp_path):
    again = native.export(OrientationFilter(sample_rate_hz=RATE), tmp_path / "new" / "orientation.c")
    assert again.path.read_bytes() == path.read_bytes()
    assert sorted(file.name for file in again.path.parent.iterdir()) == ["orientation.c", "orientation.h"]
    assert again.size_bytes == sum(file.stat().st_size for file in again.path.parent.iterdir())


@pytest.mark.parametrize(
    ("method", "name", "options", "words"),
    [
        ("madgwick", "a.c", {}, 'Only the filter of method "pocketlab"'),
        ("pocketlab", "a.cpp", {}, "must end in .c"),
        ("pocketlab", 'a".c', {}, "quotation mark"),
        ("pocketlab", "a\n.c", {}, "line end"),
        ("pocketlab", "a.c", {"real": "half"}, "'half' is neither"),
    ],
)
def test_what_cannot_be_exported_is_refused(tmp_path, method, name, options, words):
    with pytest.raises(ValueError, match=words):
        native.export(OrientationFilter(method, sample_rate_hz=RATE), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ([(5, 3)], "got 1 of them"),
        ([(5, 3)] * 4, "got 4 of them"),
        ([(5, 3), (5, 4)], r"accelerometer has shape \(5, 4\)"),
        ([(5, 3), (5, 3), (4, 3)], "different numbers of samples"),
        ([(5, 3), (3,)], r"accelerometer has shape \(3,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(runner, arrays, words):
    with pytest.raises(ValueError, match=words):
        runner(*map(np.zeros, arrays))


def test_a_chunk_of_nothing_is_nothing(runner):
    assert runner(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))).shape == (0, 4)


def test_memory_is_told_as_it_is(path, float_path):
    state = orientation_pocketlab.start(RATE, orientation_pocketlab.Settings(), True)
    numbers = sum(array.size for part in state for array in (part if isinstance(part, tuple) else [part]))
    inspected, small = native.inspect(path), native.inspect(float_path)
    assert inspected.state_bytes == 8 * numbers
    assert small.state_bytes == 4 * (numbers - state.counts.size) + 8 * state.counts.size  # long has 8 bytes here
    assert inspected.source_lines == len(path.read_text().splitlines())
    assert inspected.data_bytes == 0  # nothing but the caller's state changes
    # The beginning of a state and its constants are in program memory, and code beside it.
    assert inspected.small_code_bytes > inspected.state_bytes
    assert small.small_code_bytes < inspected.small_code_bytes < inspected.code_bytes
    assert (inspected.cortex_m4_bytes is None) == ("arm-none-eabi-gcc" in inspected.note)


def test_bytes_are_those_that_the_source_has(tmp_path):
    source = tmp_path / "numbers.c"
    source.write_text("const int kept[100] = {1};\nint changed[50] = {1};\nint zero[25];\n")
    assert object_bytes(source, "-O2") == (400, 300)


def test_samples_per_second_are_measured(runner, motion):
    measured = native.measure(runner, motion.gyr, motion.acc, motion.mag, seconds=0.01)
    assert measured.runs >= 10
    assert measured.samples_per_s >= measured.samples_per_s_p90 > 0


# Compilers


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def script(file, text):
    """Write a compiler that runs these lines of Python, and says nothing when it is asked for its version."""
    file.write_text(f"#!{sys.executable} -S\nimport os, sys, time\nif '--version' in sys.argv: sys.exit()\n{text}\n")
    file.chmod(0o755)
    return file


def test_without_a_compiler_a_sentence_says_what_to_install(no_compiler, path):
    assert not native.available()
    with pytest.raises(UnavailableError, match=r"no C compiler on this machine.*apt install gcc.*xcode-select.*conda install"):
        native.load(path)


def test_a_stand_in_that_only_fails_is_no_compiler(no_compiler, tmp_path):
    (tmp_path / "cc").write_text("#!/bin/sh\necho 'install the developer tools' >&2\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    assert not native.available()
    script(tmp_path / "clang", "")
    assert find_compiler() == ["clang"]


def test_cc_chooses_the_compiler(monkeypatch, tmp_path, path, motion):
    real = find_compiler()[0]
    log = tmp_path / "log"
    text = f"open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]))\nos.execvp({real!r}, [{real!r}, *sys.argv[1:]])"
    script(tmp_path / "own", text)
    monkeypatch.setenv("CC", f"{tmp_path / 'own'} -DOWN=1")
    assert native.available()
    assert len(native.load(path)(motion.gyr[:9], motion.acc[:9])) == 9
    assert "-DOWN=1 -std=c99 -ffp-contract=off" in log.read_text()
    for wrong in ("no-such-compiler", "cc 'never closed"):
        monkeypatch.setenv("CC", wrong)
        assert not native.available()
        with pytest.raises(UnavailableError, match=f"CC is set to .{wrong}"):
            native.load(path)


def test_a_compiler_for_another_machine_is_told(monkeypatch, tmp_path, path):
    other = script(tmp_path / "other", "open(sys.argv[sys.argv.index('-o') + 1], 'w').write('for another one')")
    monkeypatch.setenv("CC", str(other))
    with pytest.raises(UnavailableError, match=r"orientation\.c cannot be loaded: .*compiler for this machine"):
        native.load(path)


def test_a_name_is_no_option_of_the_compiler(monkeypatch, tmp_path, motion):
    monkeypatch.chdir(tmp_path)
    for name in ("-x.c", "@args.c", "my $(filter).c"):
        exported = native.export(OrientationFilter(sample_rate_hz=RATE), name)
        assert len(native.load(exported.path)(motion.gyr[:9], motion.acc[:9])) == 9


def test_what_was_there_stays_if_the_disk_is_full(monkeypatch, tmp_path):
    native.export(OrientationFilter(sample_rate_hz=RATE), tmp_path / "a.c")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    write = Path.write_text

    def full(file, text, **options):
        if file.suffix == ".c":
            raise OSError(28, "No space left on device")
        return write(file, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        native.export(OrientationFilter(sample_rate_hz=25.0), tmp_path / "a.c")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_errors_of_the_compiler_are_quoted(tmp_path, path):
    wrong = tmp_path / "wrong.c"
    wrong.write_text(path.read_text().replace("return;", "retrun;", 1))
    (tmp_path / path.with_suffix(".h").name).write_bytes(path.with_suffix(".h").read_bytes())
    with pytest.raises(ModelFileError, match=r"wrong\.c cannot be compiled by .*: wrong\.c:\d+:\d+: error: .*retrun") as raised:
        native.load(wrong)
    assert str(tmp_path) not in str(raised.value)
    header = tmp_path / path.with_suffix(".h").name
    header.write_text(header.read_text().replace("typedef", "tpyedef", 1))
    with pytest.raises(ModelFileError, match=r"wrong\.c cannot be compiled by .*: orientation\.h:\d+:\d+: error: ") as raised:
        native.load(wrong)
    assert str(tmp_path) not in str(raised.value)


def test_a_target_that_is_there_stays_until_the_new_one_is_whole(tmp_path):
    source, target = tmp_path / "part.c", tmp_path / "part.o"
    source.write_text("int one(void) { return 1; }\n")
    build(source, target, "-c")
    before = target.read_bytes()
    source.write_text("int two(void) { return 2 }\n")
    with pytest.raises(ModelFileError):
        build(source, target, "-c")
    assert target.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["part.c", "part.o"]


def test_a_compiler_that_hangs_is_ended_with_what_it_started(tmp_path, path):
    pid = tmp_path / "pid"
    text = f"child = os.fork()\nif child: open({str(pid)!r}, 'w').write(str(child))\ntime.sleep(600)"
    slow = script(tmp_path / "slow", text)
    with pytest.raises(ModelFileError, match=r"took over 2 s to compile it and was ended"):
        build(path, tmp_path / "o", compiler=[str(slow)], limit_s=2.0)
    end = time.monotonic() + 10.0  # a signal takes effect soon, not at once
    while _lives(int(pid.read_text())):
        assert time.monotonic() < end
        time.sleep(0.01)


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("other.c", "int one(void) { return 1; }\n", "is no orientation filter"),
        ("empty.c", "", "is empty"),
        ("missing.c", None, "is not there"),
        ("filter.txt", "int one;", r"is not a \.c file"),
    ],
)
def test_files_that_are_no_filter_are_refused(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelFileError, match=words):
        native.load(tmp_path / name)


def test_the_tool_that_counts_bytes_may_be_missing(no_compiler, tmp_path, path):
    script(tmp_path / "cc", "")
    with pytest.raises(UnavailableError, match=r"tool size.*install binutils"):
        object_bytes(path)


def test_a_microcontrollers_compiler_is_used_where_it_is(monkeypatch, tmp_path, path):
    real, tool = find_compiler()[0], native_compiler.shutil.which("size")
    log = tmp_path / "log"
    keep = "[a for a in sys.argv[1:] if not a.startswith(('-mcpu', '-mthumb', '-mfpu', '-mfloat'))]"
    text = f"open({str(log)!r}, 'a').write(str(sys.argv))\nos.execvp({real!r}, [{real!r}, *{keep}])"
    script(tmp_path / "arm-none-eabi-gcc", text)
    (tmp_path / "arm-none-eabi-size").symlink_to(tool)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    inspected = native.inspect(path)
    assert inspected.cortex_m4_bytes == inspected.small_code_bytes  # it is this machine's compiler in disguise
    assert inspected.note == ""
    assert "-mcpu=cortex-m4" in log.read_text()
    script(tmp_path / "arm-none-eabi-gcc", "sys.exit('fatal error: math.h: No such file')")
    inspected = native.inspect(path)
    assert inspected.cortex_m4_bytes is None
    assert "microcontroller are not known: orientation.c cannot be compiled by arm-none-eabi-gcc: fatal error" in inspected.note
