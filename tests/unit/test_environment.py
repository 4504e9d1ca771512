"""requirements.lock, environment.yml and binder/ say the same, and repo2docker takes them."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pocketlab.course.environment import conda_environment
from pocketlab.course.install import TORCH_CPU_INDEX

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SUPPORTED = [
    {"sys_platform": system, "platform_system": name, "platform_machine": machine, "python_full_version": python}
    | {"python_version": python[:4], "os_name": "posix", "extra": ""}
    for system, name, machine in (("linux", "Linux", "x86_64"), ("darwin", "Darwin", "arm64"))
    for python in ("3.11.7", "3.12.3")
]


def pins(lines: list[str], machine: dict[str, str]) -> dict[str, str]:
    """Return the version of each package that pip would install on a machine, without a build's local label."""
    found: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({**default_environment(), **machine}):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} is pinned twice on {machine}"
            found[name] = str(requirement.specifier).removeprefix("==").removesuffix("+cpu")
    return found


def conda_pip_lines() -> list[str]:
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return next(entry["pip"] for entry in dependencies if isinstance(entry, dict))


@pytest.mark.parametrize(
    "machine", SUPPORTED, ids=lambda machine: f"{machine['sys_platform']}-{machine['python_version']}"
)
def test_conda_and_pip_pin_the_same_versions(machine):
    lines = [line for line in conda_pip_lines() if not line.startswith("--")]
    assert pins(lines, machine) == pins(LOCK.splitlines(), machine)


@pytest.mark.parametrize(
    "machine", SUPPORTED, ids=lambda machine: f"{machine['sys_platform']}-{machine['python_version']}"
)
def test_everything_that_the_project_requires_is_locked_to_a_version_that_it_allows(machine):
    locked = pins(LOCK.splitlines(), machine)
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    for requirement in map(Requirement, wanted):
        if requirement.marker is None or requirement.marker.evaluate({**default_environment(), **machine}):
            name = canonicalize_name(requirement.name)
            assert name in locked, f"{name} is not in requirements.lock: run make lock"
            assert requirement.specifier.contains(locked[name]), f"{requirement} against {locked[name]}: run make lock"


def test_environment_yml_is_written_from_the_lock_and_binder_has_a_copy():
    assert (ROOT / "environment.yml").read_text() == conda_environment(LOCK)
    assert (ROOT / "binder/environment.yml").read_bytes() == (ROOT / "environment.yml").read_bytes()


def test_conda_takes_torch_for_cpu_on_linux_from_the_index_that_has_it():
    lines = conda_pip_lines()
    assert f"--extra-index-url {TORCH_CPU_INDEX}" in lines
    torch = [Requirement(line) for line in lines if line.startswith("torch==")]
    linux, mac = SUPPORTED[0], SUPPORTED[2]
    assert [str(pin.specifier).endswith("+cpu") for pin in torch if pin.marker.evaluate(linux)] == [True]
    assert [str(pin.specifier).endswith("+cpu") for pin in torch if pin.marker.evaluate(mac)] == [False]


def test_no_cuda_package_is_locked_for_any_supported_machine():
    for machine in SUPPORTED:
        assert not [name for name in pins(LOCK.splitlines(), machine) if re.match(r"nvidia|cuda|triton", name)]


def test_no_other_host_or_folder_of_a_machine_is_named():
    files = [ROOT / name for name in ("requirements.lock", "environment.yml", "pyproject.toml", "Makefile", ".ci/run")]
    files += [path for path in (ROOT / "binder").iterdir() if path.is_file()]
    for path in files:
        text = path.read_text().replace(TORCH_CPU_INDEX, "")
        assert not re.findall(r"https?://\S+|(?<![\w.\"$])/(?:home|root|opt|work|tmp|Users)/\S+", text), path


def test_the_scripts_of_binder_stop_at_errors_and_hand_over():
    assert "set -e" in (ROOT / "binder/postBuild").read_text().splitlines()
    assert (ROOT / "binder/start").read_text().splitlines()[-1] == 'exec "$@"'
    for name in ("postBuild", "start"):
        assert os.access(ROOT / "binder" / name, os.X_OK), name
        subprocess.run(["bash", "-n", ROOT / "binder" / name], check=True)


def test_repo2docker_takes_the_tree_and_picks_the_conda_build(tmp_path):
    for name in ("environment.yml", "pyproject.toml", "requirements.lock", "README.md"):
        (tmp_path / name).write_text((ROOT / name).read_text() if (ROOT / name).exists() else "")
    (tmp_path / "binder").mkdir()
    for path in (ROOT / "binder").iterdir():
        (tmp_path / "binder" / path.name).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    printed = run.stdout + run.stderr
    assert "Building conda environment for python=3.11" in printed
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in printed
    assert "RUN ./binder/postBuild" in printed
    assert "apt-get install --yes --no-install-recommends g++" in printed
    assert 'R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in printed
