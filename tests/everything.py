"""Run all tests, stage after stage, and say at the end what passed, what failed and what was skipped. `make test` runs this.

In CI (`CI=true`) a skipped test fails the run, unless tests/allowed_skips.txt names it and says why.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

from notebooks.run import REPORT, kill_tree

ROOT = Path(__file__).parents[1]
STAGE_LIMIT_S = 45 * 60
UNIT_TESTS = ["tests/unit", "tests/exercises", "tests/notebooks", "-n", "2", "--dist", "worksteal"]


@dataclass
class Stage:
    """What came of one stage. `skipped` maps the name of a test to the reason it gave."""

    name: str
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0
    skipped: dict[str, str] = field(default_factory=dict)


def run(command: list[str]) -> bool:
    """Run a command from the root folder with its output shown, and say whether it succeeded.

    One that takes longer than STAGE_LIMIT_S is killed with all that it started, and has not succeeded.
    """
    print(f"\n$ {' '.join(command)}", flush=True)
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        return process.wait(STAGE_LIMIT_S) == 0
    except subprocess.TimeoutExpired:
        kill_tree(process)
        print(f"It was stopped: it took more than {STAGE_LIMIT_S} s.", flush=True)
        return False


def check_stage() -> Stage:
    """Run `make check`, which counts as one test."""
    good = run(["make", "--no-print-directory", "check"])
    return Stage("check", passed=int(good), failed=int(not good))


def pytest_stage(name: str, arguments: list[str]) -> Stage:
    """Run pytest and read its report. A run that fails without a failed test, or that has no test at all, counts as one."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        good = run([sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}"])
        stage = read_report(name, report) if report.exists() else Stage(name)
    if not good and not stage.failed:
        stage.failed = 1
    return stage


def read_report(name: str, report: Path) -> Stage:
    """Count the tests of pytest's XML report."""
    stage = Stage(name)
    for test in ElementTree.parse(report).iter("testcase"):
        skipped = test.find("skipped")
        if skipped is not None:
            stage.skipped[f"{test.get('classname')}::{test.get('name')}"] = skipped.get("message", "")
        elif test.find("failure") is not None or test.find("error") is not None:
            stage.failed += 1
        else:
            stage.passed += 1
    return stage


def notebook_stage() -> Stage:
    """Run every notebook, each of which counts as one test, and read the report."""
    REPORT.unlink(missing_ok=True)
    good = run([sys.executable, "tests/notebooks/run.py"])
    results = json.loads(REPORT.read_text()) if REPORT.exists() else []
    failed = sum(bool(result["faults"]) for result in results)
    skipped = {cell: "the cell is tagged nbval-skip" for result in results for cell in result["skipped"]}
    return Stage("notebooks", len(results) - failed, failed or int(not good), skipped=skipped)


def not_allowed(skipped: dict[str, str], allowed: str) -> list[str]:
    """Return the skipped tests that no line of tests/allowed_skips.txt names."""
    patterns = [line.partition("#")[0].strip() for line in allowed.splitlines()]
    return [name for name in skipped if not any(fnmatchcase(name, pattern) for pattern in patterns if pattern)]


def main() -> int:
    """Run all stages, print the summary, and return the exit status."""
    data = ROOT.parent / "shared/data"
    if data.is_dir():
        os.environ.setdefault("POCKETLAB_DATA", str(data))
    stages: list[Stage] = []
    for begin in (
        check_stage,
        lambda: pytest_stage("unit tests and exercises", UNIT_TESTS),
        notebook_stage,
        lambda: pytest_stage("browser", ["tests/browser"]),
    ):
        started = time.perf_counter()
        stages.append(begin())
        stages[-1].seconds = time.perf_counter() - started
    return summarize(stages, in_ci=os.environ.get("CI") == "true")


def summarize(stages: list[Stage], *, in_ci: bool) -> int:
    """Print a line for each stage, every skipped test with its reason, and the totals; return the exit status."""
    print(f"\n{'stage':26}{'passed':>8}{'failed':>8}{'skipped':>9}{'time s':>8}")
    for stage in stages:
        print(f"{stage.name:26}{stage.passed:8}{stage.failed:8}{len(stage.skipped):9}{stage.seconds:8.0f}")
    skipped = {name: reason for stage in stages for name, reason in stage.skipped.items()}
    for name, reason in skipped.items():
        print(f"skipped: {name}: {reason}")
    failed = sum(stage.failed for stage in stages)
    if in_ci:
        for name in not_allowed(skipped, (ROOT / "tests/allowed_skips.txt").read_text()):
            print(f"failed: {name} was skipped, and tests/allowed_skips.txt does not name it")
            failed += 1
    print(f"{sum(stage.passed for stage in stages)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
