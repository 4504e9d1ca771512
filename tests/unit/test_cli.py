import json
import subprocess
import sys

import pytest
import small_course

from pocketlab.course import cli
from pocketlab.course.catalogue import LABS, find_lab
from pocketlab.course.lab import load_content
from pocketlab.course.progress import ProgressStore


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETLAB_COURSE", str(tmp_path / "course"))
    monkeypatch.setenv("POCKETLAB_HOME", str(tmp_path / "home"))
    return small_course.make(tmp_path / "course")


def test_doctor(capsys):
    assert cli.main(["doctor"]) == 0
    assert "LiteRT" in capsys.readouterr().out
    assert cli.main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tools"]


@pytest.fixture
def only_lab_00(root):
    """A course in which nothing but lab 00 is written."""
    small_course.LAB.source(root).unlink()
    small_course.LAB.notebook(root).rename(find_lab("00").notebook(root))


@pytest.mark.usefixtures("only_lab_00")
def test_status_has_every_lab(capsys):
    ProgressStore().record_attempt("00.1", "passed")
    ProgressStore().add_time("00", 20 * 60)
    assert cli.main(["status"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    exercises = len(load_content("00").exercises)
    assert lines["00"].split()[3:-1] == ["ready", str(exercises), "1", "1", "20"]
    assert set(lines) >= {lab.number for lab in LABS}
    assert "to come" in lines["01"]


@pytest.mark.usefixtures("only_lab_00")
def test_status_tells_about_a_damaged_file(capsys):
    ProgressStore().record_attempt("00.1", "passed")
    ProgressStore().path.write_text("{")
    assert cli.main(["status"]) == 0
    assert "damaged" in capsys.readouterr().err


def test_run(root, capsys):
    assert cli.main(["run", "01", "--solution"]) == 0
    assert "passed" in capsys.readouterr().out


def test_run_fails_where_a_solution_does_not_pass_and_a_learner_need_not(root):
    small_course.make(root, small_course.SOURCE.replace("return x * x", "return x + 5"))
    assert cli.main(["run", "01", "--solution"]) == 1
    assert cli.main(["run", "01"]) == 0


def test_run_fails_where_a_cell_raises(root):
    small_course.edit(root, lambda notebook: notebook.cells.append(small_course.code_cell("new", "1 / 0")))
    assert cli.main(["run", "01"]) == 1


def test_reset(root, capsys):
    small_course.answer(root, "01.1", "def double(x): return 3 * x")
    assert cli.main(["reset", "01.1"]) == 0
    assert "answer is kept" in capsys.readouterr().out


def test_save_and_restore(root, tmp_path, capsys):
    assert cli.main(["save", str(tmp_path / "work.zip")]) == 0
    small_course.LAB.notebook(root).unlink()
    assert cli.main(["restore", str(tmp_path / "work.zip")]) == 0
    assert small_course.LAB.notebook(root).exists()
    assert "Restored 1" in capsys.readouterr().out


def test_build_finds_what_is_stale(root, capsys):
    assert cli.main(["build", "--check"]) == 1
    assert "solutions/01_core_ml_and_litert.ipynb is stale" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "77"], "no lab"),
        (["reset", "01.9"], "no exercise"),
        (["restore", "missing.zip"], "cannot be read"),
        (["update"], "not a git clone"),
        (["save", "no/such/folder/work.zip"], "Try another folder"),
    ],
)
def test_what_goes_wrong_is_one_sentence(root, arguments, reason, capsys, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert reason in captured.err
    assert captured.err.count("\n") == 1


def test_a_disk_error_is_one_sentence(root, capsys, monkeypatch):
    monkeypatch.setattr("pocketlab.course.backup.save_work", _full_disk)
    assert cli.main(["save"]) == 1
    assert capsys.readouterr().err == "/full: No space left on device.\n"


def _full_disk(path):
    raise OSError(28, "No space left on device", "/full")


def test_no_command_lists_them(capsys):
    with pytest.raises(SystemExit):
        cli.main([])
    assert "COMMAND" in capsys.readouterr().err


def test_help_and_the_parser_import_no_library():
    code = (
        "import sys; from pocketlab.course import cli; cli._parser();"
        "print({'numpy', 'nbformat', 'nbclient', 'jupytext', 'torch', 'psutil'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_the_command_is_installed():
    done = subprocess.run([sys.executable, "-m", "pocketlab.course.cli", "--help"], capture_output=True, text=True)
    for command in ("doctor", "status", "run", "reset", "save", "restore", "update", "build"):
        assert f"\n    {command} " in done.stdout
