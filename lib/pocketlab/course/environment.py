"""One resolution, three files: requirements.lock, and environment.yml for conda with its copy for Binder.

`make lock` runs this. The conda files are written from the lock, so their versions cannot differ.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pocketlab.course.install import TORCH_CPU_INDEX

# uv writes what `environments` in pyproject.toml says on every line; a marker that always holds is left out.
PYTHON = "python_full_version < '3.13'"
SYSTEM = "(sys_platform == 'darwin' or sys_platform == 'linux')"

CONDA_HEAD = f"""\
# Written by `make lock` from requirements.lock: change pyproject.toml instead.
# binder/environment.yml is a copy of this file, because Binder reads nothing outside binder/.
name: pocketlab
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - nodejs=22
  - openjdk=17
  - git-lfs
  - pip:
      - --extra-index-url {TORCH_CPU_INDEX}
"""


def resolve(root: Path) -> str:
    """Return the versions of all packages, for Linux and macOS, Python 3.11 and 3.12, as a requirements file."""
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--no-header", "--no-annotate", "--upgrade", "--group", "dev", "pyproject.toml"]
    resolved = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    return "".join(f"{_without_needless_marker(line)}\n" for line in resolved.splitlines())


def _without_needless_marker(line: str) -> str:
    line = line.removesuffix(f" ; {PYTHON} and {SYSTEM}").removesuffix(f" and {SYSTEM}")
    return line.replace(f" ; {PYTHON} and ", " ; ")


def conda_environment(lock: str) -> str:
    """Return environment.yml for a lock: Python, Node.js, Java and git-lfs from conda-forge, the rest from pip."""
    return CONDA_HEAD + "".join(f'      - "{line}"\n' for entry in lock.splitlines() for line in _conda_lines(entry))


def _conda_lines(entry: str) -> list[str]:
    """Name torch's CPU build where there is a choice: on Linux pip would take the one with CUDA."""
    if not entry.startswith("torch=="):
        return [entry]
    return [f"{entry}+cpu ; sys_platform == 'linux'", f"{entry} ; sys_platform != 'linux'"]


def write_conda_files(root: Path, lock: str) -> None:
    """Write environment.yml and its copy for Binder."""
    for path in (root / "environment.yml", root / "binder/environment.yml"):
        path.write_text(conda_environment(lock), encoding="utf-8")


def main() -> int:
    """Resolve anew and write all three files into the course's root folder."""
    root = Path.cwd()
    try:
        lock = resolve(root)
    except subprocess.CalledProcessError:
        print("The resolution failed, as uv says above; no file was changed.", file=sys.stderr)
        return 1
    (root / "requirements.lock").write_text(lock, encoding="utf-8")
    write_conda_files(root, lock)
    print(f"wrote requirements.lock with {len(lock.splitlines())} packages, environment.yml and binder/environment.yml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
