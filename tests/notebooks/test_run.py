"""The runner of notebooks lets a sound one pass and sees each way in which one can fail."""

from pathlib import Path

import nbformat
import psutil
import pytest

from notebooks import run
from notebooks.run import PEAK_LIMIT_MB, main, offline, run_notebook, table


def write(path: Path, code: str, output: str | None = None) -> Path:
    """Write a notebook of one cell; with `output`, the cell is marked and that is what it should print."""
    cell = nbformat.v4.new_code_cell(code, execution_count=1)
    if output is not None:
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=output)]
        cell.metadata["tags"] = ["nbval-check-output"]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_a_sound_notebook_passes_and_its_time_and_memory_are_reported(tmp_path):
    code = "import os, pathlib; print(pathlib.Path(os.environ['POCKETLAB_HOME']).exists())"
    result = run_notebook(write(tmp_path / "sound.ipynb", code, "False\n"))
    assert result.faults == []
    assert result.cells == 1
    assert result.seconds > 0
    assert 20 < result.peak_mb < PEAK_LIMIT_MB  # a Python with a kernel beside it takes more than 20 MB
    assert "sound.ipynb" in table([result])


@pytest.mark.parametrize(
    ("code", "output", "told"),
    [
        ("print(6 * 7)", "41\n", "41"),
        ("1 / 0", None, "ZeroDivisionError"),
        ("import time; block = b'x' * 1_600_000_000; time.sleep(1)", None, "is over 1500 MB"),
    ],
)
def test_a_notebook_that_differs_raises_or_takes_too_much_fails(tmp_path, code, output, told):
    result = run_notebook(write(tmp_path / "sound.ipynb", code, output))
    assert told in "\n".join(result.faults)


def test_an_output_that_is_not_marked_is_not_compared(tmp_path):
    path = write(tmp_path / "free.ipynb", "print(42)", "41\n")
    path.write_text(path.read_text().replace("nbval-check-output", "free"))
    assert run_notebook(path).faults == []


def test_a_notebook_that_takes_too_long_is_killed_with_its_kernel_and_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "LIMIT_S", 15)
    told = tmp_path / "kernel"
    code = f"import os, pathlib, time; pathlib.Path({str(told)!r}).write_text(str(os.getpid())); time.sleep(600)"
    result = run_notebook(write(tmp_path / "slow.ipynb", code))
    assert result.faults == ["it ran for more than 15 s and was stopped"]
    assert not psutil.pid_exists(int(told.read_text()))


def test_a_notebook_reaches_no_network_but_its_own_machine(tmp_path):
    if not offline():
        pytest.skip("this machine permits no unshare --net")
    code = """
import errno, socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname(), 2)
try:
    socket.create_connection(("192.0.2.1", 80), 2)
except OSError as error:
    print(error.errno == errno.ENETUNREACH)
"""
    assert run_notebook(write(tmp_path / "net.ipynb", code, "True\n")).faults == []


def test_in_ci_a_machine_that_permits_no_isolation_fails(tmp_path, monkeypatch, capsys):
    path = write(tmp_path / "sound.ipynb", "print(1)")
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    offline.cache_clear()
    try:
        assert main([str(path)]) == 1
    finally:
        offline.cache_clear()
    assert "must run offline here" in capsys.readouterr().out
