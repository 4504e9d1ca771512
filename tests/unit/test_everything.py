"""The summary of `make test` counts what it is given, and lets no skipped test pass unseen in CI."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import everything
from everything import Stage, not_allowed, read_report, summarize

TESTS = """
import pytest
def test_good(): pass
def test_bad(): assert 1 == 2
def test_left_out(): pytest.skip("no such machine")
@pytest.fixture
def broken(): raise RuntimeError
def test_error(broken): pass
"""


def test_the_report_of_a_real_run_is_counted(tmp_path: Path):
    (tmp_path / "test_some.py").write_text(TESTS)
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", f"--rootdir={tmp_path}", f"--junitxml={report}"]
    subprocess.run([*command, str(tmp_path)], cwd=tmp_path, stdout=subprocess.DEVNULL)
    stage = read_report("some", report)
    assert (stage.passed, stage.failed) == (1, 2)
    assert stage.skipped == {"test_some::test_left_out": "no such machine"}


def test_a_skip_is_allowed_by_name_or_pattern_only():
    skipped = {"unit.a::test_x[1]": "", "unit.a::test_y": ""}
    assert not_allowed(skipped, "# nothing\n\n") == list(skipped)
    assert not_allowed(skipped, "unit.a::test_x*  # no macOS here\n") == ["unit.a::test_y"]


@pytest.mark.parametrize(
    ("in_ci", "status", "last"), [(False, 0, "3 passed, 0 failed"), (True, 1, "3 passed, 1 failed")]
)
def test_a_skip_that_nobody_named_is_listed_and_fails_in_ci(capsys, in_ci, status, last):
    stages = [Stage("check", passed=1), Stage("unit", passed=2, skipped={"a::never_named": "no such machine"})]
    assert summarize(stages, in_ci=in_ci) == status
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == last
    assert "skipped: a::never_named: no such machine" in printed


def test_one_failure_fails_the_run(capsys):
    assert summarize([Stage("check", failed=1), Stage("unit", passed=9)], in_ci=False) == 1
    assert capsys.readouterr().out.endswith("9 passed, 1 failed\n")


def test_a_stage_that_hangs_is_stopped_with_what_it_started(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(everything, "STAGE_LIMIT_S", 3)
    told = tmp_path / "child"
    assert not everything.run(["sh", "-c", f"sleep 600 & echo $! > {told}; wait"])
    assert "It was stopped: it took more than 3 s." in capfd.readouterr().out
    child = int(told.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert everything.run(["true"])
