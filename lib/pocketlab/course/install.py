"""Install the course into `.venv`. `make lab` runs this file with the system's Python and the standard library only.

Every step may be repeated: after a failure the next run goes on from where this one stopped. When nothing has changed
since the last complete run, it returns at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

# The packages take 4.2 GB with what the cache holds beyond them; the rest is for downloads under way and the labs.
NEEDED_GB = 6.0
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
AGAIN = "then run make lab again; it goes on from here."

_FULL = re.compile(r"No space left on device|os error 28|Disk quota exceeded")
_UNREACHED = re.compile(
    r"No matching distribution|error sending request|[Ff]ailed to (fetch|download)|Connection|dns error|timed out|"
    r"Temporary failure|was not found in the package registry|No route to host",
)


class InstallationError(Exception):
    """The course cannot be installed now; the message says what to do."""


def main() -> int:
    """Install the course that this file belongs to, and return the exit status."""
    root = Path(__file__).resolve().parents[3]
    try:
        install(root)
    except InstallationError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(_sentence(str(error)) or f"{error.filename}: {error.strerror}; put that right, {AGAIN}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run make lab again to go on from here.", file=sys.stderr)
        return 130
    return 0


def install(root: Path) -> None:
    """Bring `root`/.venv to what requirements.lock says, with the library installed in place.

    Raises InstallationError with one sentence that says what to do.
    """
    environment = root / ".venv"
    stamp = environment / "pocketlab.stamp"
    wanted = fingerprint(root)
    if stamp.is_file() and stamp.read_text() == wanted and _python(environment).exists():
        return
    _check_machine()
    _check_disk(root, environment)
    stamp.unlink(missing_ok=True)
    _make_environment(environment)
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    pip = [str(_python(environment)), "-m", "pip", "install", "--disable-pip-version-check"]
    uv = [str(environment / "bin/uv"), "pip", "install", "--python", str(_python(environment))]
    installer = f"uv=={locked_version(lock, 'uv')}"
    _run("Step 1 of 4: the installer", [*pip, "--retries=1", "--timeout=30", installer], environment)
    if sys.platform == "linux":
        _install_torch(pip, locked_version(lock, "torch"), environment)
    _run("Step 3 of 4: all packages, about 4 GB", [*uv, "-r", str(root / "requirements.lock")], environment)
    _run("Step 4 of 4: the course's library", [*uv, "--no-deps", "--no-build-isolation", "-e", str(root)], environment)
    _switch_off_news(environment)
    stamp.write_text(wanted)


def fingerprint(root: Path) -> str:
    """Return a hash of what decides the content of `.venv`: the lock, and the project's name and commands."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return hashlib.sha256((root / "requirements.lock").read_bytes() + repr(project).encode()).hexdigest()


def locked_version(lock: str, name: str) -> str:
    """Return the version of a package in the text of requirements.lock."""
    found = re.search(rf"^{re.escape(name)}==([^\s;]+)", lock, re.MULTILINE)
    if found is None:
        raise InstallationError(f"requirements.lock has no {name}: run make lock, or bring the file back with git.")
    return found[1]


def _python(environment: Path) -> Path:
    return environment / "bin/python"


def _check_machine() -> None:
    """The converters have packages for these machines only."""
    if (sys.platform, platform.machine()) not in {("linux", "x86_64"), ("darwin", "arm64")}:
        raise InstallationError(
            "Pocketlab runs on Linux on x86-64, on Windows through WSL, and on macOS 14 on Apple silicon, not on "
            f"{platform.system()} on {platform.machine()}: open the course on Binder, by the link in README.md."
        )


def _check_disk(root: Path, environment: Path) -> None:
    installed = sum(path.lstat().st_size for path in environment.rglob("*")) if environment.exists() else 0
    missing = NEEDED_GB - installed / 1e9
    free = shutil.disk_usage(root).free / 1e9
    if free < missing:
        raise InstallationError(
            f"The disk of {root} has {free:.1f} GB free and the course needs {missing:.1f} GB: free some space, {AGAIN}"
        )


def _make_environment(environment: Path) -> None:
    has_pip = [str(_python(environment)), "-c", "import pip"]
    if _python(environment).exists() and subprocess.run(has_pip, capture_output=True).returncode == 0:
        return
    environment.mkdir(exist_ok=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(environment)], capture_output=True, text=True)
    if made.returncode:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        raise InstallationError(
            _sentence(made.stdout + made.stderr)
            or f"{version} could not make an environment: install its venv module "
            f"(Debian and Ubuntu: sudo apt install {version}-venv), {AGAIN}"
        )


def _install_torch(pip: Sequence[str], version: str, environment: Path) -> None:
    """Install the CPU build of torch: the general index has several GB of CUDA under the same version.

    A folder or index in pip's own configuration is asked first, then PyTorch's index of CPU builds.
    """
    wheel = [*pip, "--no-deps", "--only-binary=:all:", "--timeout=15", f"torch=={version}+cpu"]
    title = f"Step 2 of 4: PyTorch {version} for CPU, about 0.2 GB"
    try:
        _run(title, [*wheel, "--retries=0"], environment)
    except InstallationError:
        own_index = [*wheel, "--retries=2", f"--index-url={TORCH_CPU_INDEX}"]
        _run(f"{title}, from PyTorch's own index", own_index, environment)


def _run(title: str, command: Sequence[str], environment: Path) -> None:
    """Run one step with its output in `.venv`/install.log, and raise InstallationError where it fails."""
    print(f"{title} …", flush=True)
    log = environment / "install.log"
    with log.open("w") as output:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_variables())
    if done.returncode:
        text = log.read_text(errors="replace")
        raise InstallationError(_sentence(text) or f"{title} failed: read {log}, put right what it says, {AGAIN}")


def _variables() -> dict[str, str]:
    """The caller's environment without what would point Python or uv to another installation."""
    misleading = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"}
    return {name: value for name, value in os.environ.items() if name not in misleading}


def _sentence(text: str) -> str | None:
    """Return what to do about a failure that is known by what the tool printed."""
    if _FULL.search(text):
        return f"The disk is full: free {NEEDED_GB:.0f} GB (packages are kept in your home folder's cache too), {AGAIN}"
    if _UNREACHED.search(text):
        wanted = re.findall(r"([A-Za-z0-9_.-]+==[^\s,;`]+)", text)
        what = f"{wanted[-1]} could not be downloaded" if wanted else "A download failed"
        return f"{what}: check the network (behind a proxy, set HTTPS_PROXY), {AGAIN}"
    return None


def _switch_off_news(environment: Path) -> None:
    """Keep JupyterLab from asking about news at its first start, and from asking other hosts for it."""
    config = environment / "etc/jupyter/labconfig/page_config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}))


if __name__ == "__main__":
    sys.exit(main())
