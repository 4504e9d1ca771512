"""Run every notebook of labs/ and solutions/ from top to bottom, offline, and report its time and peak memory.

    python tests/notebooks/run.py [notebook …]

nbval runs the cells, two notebooks at a time, each with a course home of its own. A notebook fails when a cell raises, when
the output of a cell tagged `nbval-check-output` differs, when its process tree takes more than `PEAK_LIMIT_MB`, or when it
runs for more than `LIMIT_S`, after which it is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil

from pocketlab.runtimes.memory import PeakMemory

ROOT = Path(__file__).parents[2]
REPORT = Path(__file__).with_name("report.json")
PEAK_LIMIT_MB = 1500.0
CELL_TIMEOUT_S = 120
LIMIT_S = 600
WORKERS = 2
NBVAL = ["-p", "nbval.plugin", "--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}"]
QUIET = ["-p", "no:cacheprovider", "-q", "--color=no", "--tb=short"]


@dataclass(frozen=True)
class Result:
    """What came of one notebook. `skipped` names its skipped cells; `faults` is empty where it passed."""

    notebook: str
    seconds: float
    peak_mb: float
    cells: int
    skipped: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@cache
def offline() -> tuple[str, ...]:
    """Return the command that runs another one with no network but loopback; empty where this machine permits none."""
    for options in (("--net",), ("--map-root-user", "--net")):
        command = ("unshare", *options, "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
        try:
            if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
                return command
        except FileNotFoundError:
            return ()
    return ()


def run_notebook(path: Path) -> Result:
    """Run one notebook in a kernel of its own, in the notebook's folder."""
    with tempfile.TemporaryDirectory() as home:
        cells = Path(home) / "cells.xml"
        command = [*offline(), sys.executable, "-m", "pytest", *NBVAL, *QUIET, f"--junitxml={cells}", str(path)]
        environment = os.environ | {
            "POCKETLAB_HOME": f"{home}/pocketlab",
            "IPYTHONDIR": f"{home}/ipython",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # other plugins take seconds to load, and no notebook needs them
        }
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        with PeakMemory(process.pid) as memory:
            try:
                printed, _ = process.communicate(timeout=LIMIT_S)
                faults = [] if process.returncode == 0 else [printed.strip()]
            except subprocess.TimeoutExpired:
                kill_tree(process)
                faults = [f"it ran for more than {LIMIT_S} s and was stopped"]
        seconds = time.perf_counter() - begin
        if memory.peak_mb > PEAK_LIMIT_MB:
            faults.append(f"its peak memory of {memory.peak_mb:.0f} MB is over {PEAK_LIMIT_MB:.0f} MB")
        tests = list(ElementTree.parse(cells).iter("testcase")) if cells.exists() else []
    skipped = [
        f"{path.parent.name}/{path.name}::{test.get('name')}" for test in tests if test.find("skipped") is not None
    ]
    return Result(f"{path.parent.name}/{path.name}", seconds, memory.peak_mb, len(tests), skipped, faults)


def kill_tree(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all its descendants: a kernel has a session of its own, which no signal to a group reaches."""
    descendants = psutil.Process(process.pid).children(recursive=True)
    for each in (*descendants, process):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
    psutil.wait_procs(descendants, timeout=5)


def table(results: list[Result]) -> str:
    """Return time and peak memory of each notebook as a table."""
    width = max(len(result.notebook) for result in results)
    lines = [f"{'notebook':{width}}  {'cells':>5}  {'time s':>6}  {'peak MB':>7}  result"]
    for result in results:
        numbers = f"{result.cells:5}  {result.seconds:6.1f}  {result.peak_mb:7.0f}"
        lines.append(f"{result.notebook:{width}}  {numbers}  {'failed' if result.faults else 'passed'}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the notebooks named, or all, print the table and the faults, write the report, and return the exit status."""
    named = [Path(argument).resolve() for argument in arguments]
    notebooks = named or [path for folder in ("labs", "solutions") for path in sorted((ROOT / folder).glob("*.ipynb"))]
    if not notebooks:
        print("There is no notebook to run: make build writes them.")
        return 1
    if os.environ.get("CI") == "true" and not offline():
        print("Notebooks must run offline here, and this machine does not let `unshare --net` do that.")
        return 1
    with ThreadPoolExecutor(WORKERS) as workers:
        results = list(workers.map(run_notebook, notebooks))
    failed = [result for result in results if result.faults]
    for result in failed:
        print(f"\n{result.notebook} failed:", *result.faults, sep="\n")
    print(f"\n{table(results)}")
    print("network: " + ("loopback only" if offline() else "open, since this machine permits no unshare"))
    REPORT.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
