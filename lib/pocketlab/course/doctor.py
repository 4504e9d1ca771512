"""What this machine can run: every runtime and tool that the labs use, and what is lost without it.

Nothing is imported to find out: packages are looked up in the installation's records, tools are asked for their version.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pocketlab.ui.table import Table, table

_PIP = "make lab"
_VERSION = re.compile(r"\d+(?:\.\d+)+\S*")
_VERSION_SECONDS = 1.5


@dataclass(frozen=True)
class Tool:
    """A runtime or tool: how it is found, what is lost without it, and the line that installs it on each system.

    `find` returns a version, "" for one that is there but names none, and None for one that is not there. On Windows the
    course runs in WSL, whose Ubuntu takes the line of Debian and Ubuntu unless `windows` says otherwise.
    """

    name: str
    find: Callable[[], str | None]
    lost: str
    debian: str
    macos: str
    windows: str = ""


@dataclass(frozen=True)
class Finding:
    """One line of the report. `install` has a line for "Debian/Ubuntu", "macOS" and "Windows (WSL)"."""

    name: str
    found: bool
    version: str
    lost: str
    install: dict[str, str]


def _package(*names: str) -> Callable[[], str | None]:
    def find() -> str | None:
        for name in names:
            try:
                return version(name)
            except PackageNotFoundError:
                continue
        return None

    return find


def _command(*names: str, flag: str = "--version") -> Callable[[], str | None]:
    def find() -> str | None:
        for path in filter(None, map(shutil.which, names)):
            try:
                done = subprocess.run([path, flag], capture_output=True, text=True, timeout=_VERSION_SECONDS)
            except subprocess.TimeoutExpired:
                return ""
            except OSError:
                continue
            # macOS has stand-ins for java and g++ that only fail and tell how to install the real one.
            if done.returncode == 0:
                found = _VERSION.search(done.stdout + done.stderr)
                return found[0].rstrip(",;\"')") if found else ""
        return None

    return find


def _core_ml() -> str | None:
    return f"macOS {platform.mac_ver()[0]}" if sys.platform == "darwin" else None


def _vulkan() -> str | None:
    """The drivers that Vulkan's loader would find, by the names of their manifests ("lvp_icd.x86_64")."""
    chosen = os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES")
    if chosen:
        manifests = [Path(path) for path in chosen.split(os.pathsep) if Path(path).is_file()]
    else:
        folders = ("/etc", "/usr/share", "/usr/local/share", "/opt/homebrew/share", str(Path.home() / ".local/share"))
        manifests = [path for folder in folders for path in sorted(Path(folder, "vulkan/icd.d").glob("*.json"))]
    return ", ".join(path.stem for path in manifests) or None


def _pip_tool(name: str, find: Callable[[], str | None], lost: str) -> Tool:
    return Tool(name, find, lost, _PIP, _PIP)


TOOLS: tuple[Tool, ...] = (
    Tool("Python", platform.python_version, "the course", "sudo apt install python3-venv", "brew install python@3.11"),
    _pip_tool("JupyterLab", _package("jupyterlab"), "the notebooks: all labs"),
    _pip_tool("PyTorch", _package("torch"), "models to convert: labs 01 to 04, 06, 09 to 13, 22 to 25"),
    _pip_tool(
        "TensorFlow", _package("tensorflow-cpu", "tensorflow", "tensorflow-macos"), "models from Keras: labs 01, 02"
    ),
    _pip_tool("coremltools", _package("coremltools"), "Core ML models: labs 01, 13, 16, 24, 25"),
    Tool(
        "Core ML runtime",
        _core_ml,
        "Apple's timings and compute plans; .mlpackage models run in the reference interpreter: labs 01, 16, 25",
        "none: Apple's framework is on macOS only",
        "part of macOS",
    ),
    _pip_tool("LiteRT", _package("ai-edge-litert"), "running .tflite models: labs 01, 02, 06, 09, 13, 16, 25"),
    _pip_tool("litert-torch", _package("litert-torch"), "PyTorch to .tflite: labs 01, 06, 13, 25"),
    _pip_tool("ai-edge-quantizer", _package("ai-edge-quantizer"), "int8 .tflite models: labs 01, 06, 13, 25"),
    _pip_tool("ExecuTorch", _package("executorch"), "making and running .pte models: labs 01, 04, 25"),
    _pip_tool("ONNX Runtime", _package("onnxruntime"), "running .onnx models: labs 01, 19, 24"),
    _pip_tool("Netron", _package("netron"), "a model's graph in the notebook: labs 01, 24"),
    _pip_tool("nbgitpuller", _package("nbgitpuller"), "pocketlab update"),
    Tool(
        "Node.js", _command("node"), "models in the browser, bridges: labs 07, 15", "sudo apt install nodejs npm",
        "brew install node",
    ),
    Tool(
        "Java", _command("java", flag="-version"), "Kotlin: labs 14, 19", "sudo apt install default-jre-headless",
        "brew install openjdk@17",
    ),
    Tool(
        "C++ compiler", _command("g++", "clang++"), "compiling native code: labs 01, 06, 07, 14, 15, 16",
        "sudo apt install g++", "xcode-select --install",
    ),
    Tool("git", _command("git"), "pocketlab update; versions: labs 08, 19", "sudo apt install git", "brew install git"),
    Tool(
        "Git LFS", _command("git-lfs"), "versions of large models: labs 11, 19", "sudo apt install git-lfs",
        "brew install git-lfs",
    ),
    Tool(
        "Chromium", _command("chromium", "chromium-browser", "google-chrome"), "tests in a browser; no lab",
        "sudo apt install chromium", "brew install --cask chromium",
        "sudo apt install chromium-browser",
    ),
    Tool(
        "Vulkan driver", _vulkan, "running GPU kernels: lab 03", "sudo apt install mesa-vulkan-drivers",
        "brew install molten-vk",
    ),
    Tool(
        "adb", _command("adb"), "measuring on your own Android phone: labs 01, 16, 25",
        "sudo apt install adb", "brew install --cask android-platform-tools",
        "winget install Google.PlatformTools (in Windows, then use adb.exe)",
    ),
)  # fmt: skip


COLUMNS = ("tool", "found", "version", "without it you lose")


def examine() -> list[Finding]:
    """Look for every tool, all at once."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        versions = list(pool.map(lambda tool: tool.find(), TOOLS))
    return [
        Finding(
            tool.name,
            found is not None,
            found or "",
            tool.lost,
            {"Debian/Ubuntu": tool.debian, "macOS": tool.macos, "Windows (WSL)": tool.windows or tool.debian},
        )
        for tool, found in zip(TOOLS, versions, strict=True)
    ]


def report(findings: list[Finding]) -> str:
    """The table of all tools, and how to install those that are missing."""
    rows = [(each.name, each.found, each.version or None, each.lost) for each in findings]
    lines = [repr(table(rows, COLUMNS, caption=machine_summary()))]
    missing = [each for each in findings if not each.found]
    for each in missing:
        lines += ["", f"{each.name} is missing. To install it:"]
        lines += [f"  {system + ':':15} {line}" for system, line in each.install.items()]
    return "\n".join(lines)


def found_table() -> Table:
    """The same as one table for a notebook, with the line that installs a missing tool on this system."""
    system = "macOS" if platform.system() == "Darwin" else "Debian/Ubuntu"
    rows = [
        (each.name, each.found, each.version or None, each.lost, None if each.found else each.install[system])
        for each in examine()
    ]
    return table(rows, [*COLUMNS, "to install it"], caption=machine_summary())


def report_json(findings: list[Finding]) -> str:
    """The same for programs."""
    return json.dumps({"machine": machine_summary(), "tools": [asdict(each) for each in findings]}, indent=1)


def machine_summary() -> str:
    """One line on what this machine has and lacks for running models."""
    packages = {"LiteRT": "ai-edge-litert", "ExecuTorch": "executorch", "ONNX Runtime": "onnxruntime"}
    portable = {name: _package(package)() for name, package in packages.items()}
    here = ", ".join(name for name, found in portable.items() if found)
    gone = ", ".join(name for name, found in portable.items() if not found)
    runtimes = [f"{here}: yes"] if here else []
    runtimes += [f"{gone}: no (make lab installs it)"] if gone else []
    runtimes += ["Core ML: Apple's runtime" if _core_ml() else "Core ML: reference interpreter (Apple's runtime: macOS only)"]
    cores = _cores()
    system = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    machine = platform.machine().replace("x86_64", "x86-64")
    hardware = f"{system} {machine}, {cores:g} core{'s' if cores != 1 else ''}, {_memory_bytes() / 1e9:.1f} GB memory"
    return "; ".join([hardware, *runtimes])


def _cores() -> float:
    """Cores that this process may use: fewer than the machine's on Binder and in containers."""
    limit = _number(os.environ.get("CPU_LIMIT", ""))
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(limit, available) if limit else available


def _memory_bytes() -> float:
    """Memory that this process may use: less than the machine's on Binder and in containers."""
    import psutil

    limits = [_number(os.environ.get("MEM_LIMIT", ""))]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(_number(Path(file).read_text()))
        except OSError:
            continue
    return min([float(psutil.virtual_memory().total), *filter(None, limits)])


def _number(text: str) -> float:
    """The number that a limit is, or 0 where there is none ("", "max")."""
    try:
        return float(text)
    except ValueError:
        return 0.0
