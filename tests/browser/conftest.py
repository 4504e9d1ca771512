"""A throw-away copy of the course, served by its own `make lab`, and a real Chromium to look at it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jupytext
import pytest
from notebook_page import Journal, NotebookPage
from playwright.sync_api import Browser, BrowserContext, sync_playwright

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
QUIET_CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_figures: list[str] = []


@dataclass(frozen=True)
class Course:
    """A running JupyterLab: its address, its token, the copy of the course that it serves, and the learner's home."""

    url: str
    token: str
    root: Path
    home: Path

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """`BROWSER=0 PORT=… make lab` in a copy of the tree, so that no notebook of the working tree is edited.

    `-o install` leaves out the installation, which would install the copy's library in place of the tree's.
    """
    folder = tmp_path_factory.mktemp("course")
    root = folder / "pocketlab"
    _copy_tree(root)
    _keep_all_cells_in_the_page(folder / "settings")
    port = _free_port()
    running = Course(f"http://localhost:{port}", secrets.token_hex(16), root, folder / "home")
    environment = os.environ | {
        "BROWSER": "0",
        "PORT": str(port),
        "PYTHONPATH": str(root / "lib"),
        "POCKETLAB_HOME": str(running.home),
        "JUPYTER_TOKEN": running.token,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    with (folder / "jupyter.log").open("w") as log:
        server = subprocess.Popen(
            ["make", "-o", "install", "lab"], cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(running, server, folder / "jupyter.log")
        yield running
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _copy_tree(root: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
    (root / "labs").mkdir(exist_ok=True)
    for source in FIXTURES.glob("*.py"):
        notebook = jupytext.read(source)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        jupytext.write(notebook, root / "labs" / f"{source.stem}.ipynb")


def _keep_all_cells_in_the_page(settings: Path) -> None:
    """JupyterLab takes cells out of the page that are far from the window; a test looks at all of them."""
    notebooks = settings / "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    notebooks.parent.mkdir(parents=True)
    notebooks.write_text('{"windowingMode": "none"}')


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(course: Course, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{course.url}/api?token={course.token}", timeout=5)
            return
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None:
                break
            time.sleep(0.25)
    pytest.fail(f"make lab does not serve:\n{log.read_text()}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    installed = shutil.which("chromium")
    if installed is None:
        pytest.skip("there is no chromium on this machine (Debian, Ubuntu: sudo apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=QUIET_CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def journal(context: BrowserContext, course: Course) -> Journal:
    return Journal(context, course.host)


@pytest.fixture(autouse=True)
def nothing_went_wrong(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold every test that uses the course's pages to a clean console and to requests that stay on this machine."""
    yield
    if "journal" in request.fixturenames:
        request.getfixturevalue("journal").check()


@pytest.fixture(scope="module")
def open_notebook(context: BrowserContext, journal: Journal, course: Course) -> Callable[[str], NotebookPage]:
    def open_one(path: str) -> NotebookPage:
        return NotebookPage(context.new_page()).open(course.url, course.token, path)

    return open_one


@pytest.fixture(scope="session")
def report_figure() -> Callable[[str], None]:
    """Keep a measured figure for the end of the run. Figures are told, never tested: the machine may be busy."""
    return _figures.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for figure in _figures:
        terminalreporter.write_line(f"measured: {figure}")
