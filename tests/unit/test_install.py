"""`make lab` on machines that lack something: one sentence each, and the next try goes on. Small wheels, real tools."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from pocketlab.course.install import NEEDED_GB, locked_version

ROOT = Path(__file__).parents[2]
UV_VERSION = locked_version((ROOT / "requirements.lock").read_text(), "uv")
NOWHERE = "http://127.0.0.1:9"  # the discard port: a connection is refused at once

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "pocketlab"
version = "0.1.0"
"""
BACKEND = """
import zipfile
def build_editable(folder, settings=None, metadata=None):
    name = "pocketlab-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("pocketlab.pth", __file__.replace("backend.py", "lib"))
        info = "pocketlab-0.1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: pocketlab\\nVersion: 0.1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def write_wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},{_digest(content)},{len(content)}" for path, content in files.items()]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, content)
        wheel.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]))


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def add_uv(wheels: Path) -> None:
    program = shutil.which("uv")
    assert program is not None
    write_wheel(wheels, "uv", UV_VERSION, {f"uv-{UV_VERSION}.data/scripts/uv": Path(program).read_bytes()})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A fresh clone, as far as installation sees it, with three packages in its lock."""
    tree = tmp_path / "clone"
    (tree / "lib/pocketlab/course").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", tree)
    shutil.copy(ROOT / "lib/pocketlab/course/install.py", tree / "lib/pocketlab/course")
    (tree / "pyproject.toml").write_text(PROJECT)
    (tree / "backend.py").write_text(BACKEND)
    (tree / "requirements.lock").write_text(f"tiny==1.0\ntorch==2.13.0\nuv=={UV_VERSION}\n")
    return tree


def surroundings(tree: Path) -> dict[str, str]:
    """Return variables that leave pip and uv no network, only a folder of wheels, and no configuration."""
    return os.environ | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{NOWHERE}/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": str(tree.parent / "wheels"),
        "UV_DEFAULT_INDEX": f"{NOWHERE}/simple",
        "UV_FIND_LINKS": str(tree.parent / "wheels"),
        "UV_CACHE_DIR": str(tree.parent / "cache"),
        "UV_NO_CONFIG": "1",
        "UV_HTTP_RETRIES": "0",
        "HTTPS_PROXY": NOWHERE,
        "PATH": os.environ["PATH"].replace(str(ROOT / ".venv/bin") + os.pathsep, ""),
    }


def make(tree: Path, target: str = "install", **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-C", str(tree), "-s", target]
    return subprocess.run(command, env=surroundings(tree) | variables, capture_output=True, text=True)


def sentence(result: subprocess.CompletedProcess[str]) -> str:
    """Return what was said about a failure: one line, beside make's own."""
    assert result.returncode != 0, result.stdout
    lines = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith("make")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def programs(folder: Path, *names: str) -> str:
    """Return a PATH that holds these programs and nothing else."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return str(folder)


def test_without_python_the_sentence_says_what_to_install(tree):
    told = sentence(make(tree, "lab", PATH=programs(tree.parent / "bin", "make", "sh", "id")))
    assert "needs Python 3.11 or 3.12" in told
    assert told.endswith("Found here: no Python.")
    assert not (tree / ".venv").exists()


def test_with_an_old_python_the_sentence_names_its_version(tree):
    path = programs(tree.parent / "bin", "make", "sh", "id")
    old = tree.parent / "bin/python3"
    # What an old Python does with the two command lines that it is given: tell its version, and fail the comparison.
    old.write_text('#!/bin/sh\nif [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi\n')
    old.chmod(0o755)
    told = sentence(make(tree, "lab", PATH=path))
    assert "needs Python 3.11 or 3.12" in told
    assert told.endswith("Found here: Python 3.9.2.")


def on_small_disk(
    folder: Path, megabytes: int, command: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a shell command with a disk of a few megabytes mounted on `folder`, seen by that command only."""
    folder.mkdir(exist_ok=True)
    mounted = f"mount -t tmpfs -o size={megabytes}m tmpfs '{folder}' && {command}"
    for namespace in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        if subprocess.run([*namespace, "true"], capture_output=True).returncode == 0:
            run = [*namespace, "sh", "-c", mounted]
            return subprocess.run(run, env=environment, capture_output=True, text=True)
    pytest.skip("this machine does not let a test mount a small disk")


def test_the_readme_asks_for_the_disk_that_the_installation_asks_for():
    figures = re.findall(r"(\d+) GB of disk", (ROOT / "README.md").read_text())
    assert [float(figure) for figure in figures] == [NEEDED_GB]


def test_on_a_full_disk_nothing_is_begun(tree):
    disk = tree.parent / "disk"
    command = f"cp -r '{tree}/.' '{disk}' && make -s -C '{disk}' lab"
    told = sentence(on_small_disk(disk, 20, command, surroundings(tree)))
    assert "0.0 GB free and the course needs 6.0 GB: free some space, then run make lab again" in told


def test_a_disk_that_fills_up_while_packages_are_unpacked_is_told(tree):
    add_uv(tree.parent / "wheels")
    for name, version in (("torch", "2.13.0+cpu"), ("tiny", "1.0")):
        write_wheel(tree.parent / "wheels", name, version, {f"{name}.py": os.urandom(4_000_000)})
    environment = surroundings(tree) | {"UV_OFFLINE": "1"}
    told = sentence(on_small_disk(tree.parent / "cache", 2, f"make -s -C '{tree}' install", environment))
    assert told.startswith("The disk is full: free 6 GB")


def test_each_failed_download_is_one_sentence_and_the_next_try_goes_on(tree):
    wheels = tree.parent / "wheels"
    write_wheel(wheels, "torch", "2.13.0", {"torch.py": b"build = 'CUDA, which must not be taken'\n"})
    assert sentence(make(tree)).startswith(f"uv=={UV_VERSION} could not be downloaded: check the network")

    add_uv(wheels)
    made = (tree / ".venv/pyvenv.cfg").stat().st_mtime_ns
    assert sentence(make(tree)).startswith("torch==2.13.0+cpu could not be downloaded: check the network")
    assert (tree / ".venv/pyvenv.cfg").stat().st_mtime_ns == made, "the environment was made a second time"

    write_wheel(wheels, "torch", "2.13.0+cpu", {"torch.py": b"build = 'CPU'\n"})
    assert sentence(make(tree)).startswith("A download failed: check the network")

    write_wheel(wheels, "tiny", "1.0", {"tiny.py": b""})
    installed = make(tree, UV_OFFLINE="1")
    assert installed.returncode == 0, installed.stderr
    python = tree / ".venv/bin/python"
    code = "import pocketlab.course.install, tiny, torch; print(torch.build)"
    assert subprocess.run([python, "-c", code], capture_output=True, text=True).stdout == "CPU\n"

    log = tree / ".venv/install.log"
    log.unlink()
    again = make(tree)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert not log.exists(), "a complete installation was repeated"

    write_wheel(wheels, "tiny", "1.1", {"tiny.py": b""})
    lock = tree / "requirements.lock"
    lock.write_text(lock.read_text().replace("tiny==1.0", "tiny==1.1"))
    assert make(tree, UV_OFFLINE="1").returncode == 0
    assert list((tree / ".venv/lib").glob("*/site-packages/tiny-1.1.dist-info"))


def test_make_alone_lists_every_target_with_a_line(tree):
    listed = make(tree, "help").stdout
    for target in ("lab", "test", "build", "check", "bench", "lock", "clean"):
        lines = [line.split() for line in listed.splitlines()]
        assert any(words[:2] == ["make", target] and len(words) > 4 for words in lines), target
    default = subprocess.run(["make", "-s"], cwd=tree, capture_output=True, text=True).stdout
    assert default == listed
