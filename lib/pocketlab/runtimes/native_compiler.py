"""The C compiler of this machine: found, told what to do, its complaints made into sentences."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pocketlab.errors import ModelFileError, UnavailableError

FLAGS = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra")  # no contraction: a·b + c is rounded twice, as by numba
LIMIT_S = 60.0
_TRY_S = 10.0
_NAMES = ("cc", "gcc", "clang")
_INSTALL = "sudo apt install gcc on Debian and Ubuntu, xcode-select --install on macOS, conda install c-compiler with conda"
_SHOWN = 3  # lines of errors


def find_compiler() -> list[str]:
    """Return the command that calls the C compiler: the environment's CC, else cc, gcc or clang.

    Raises UnavailableError, with what to install, where there is none that runs.
    """
    chosen = os.environ.get("CC", "").strip()
    if chosen:
        try:
            command = shlex.split(chosen)
        except ValueError:  # a quotation mark that is not closed
            command = [chosen]
        if not _runs(command):
            raise UnavailableError(f"CC is set to {chosen!r}, which does not run here: unset it, or name a C compiler.")
        return command
    for name in _NAMES:
        if _runs([name]):
            return [name]
    raise UnavailableError(f"There is no C compiler on this machine, so C source is not compiled. To install one: {_INSTALL}.")


def available() -> bool:
    """Tell whether there is a C compiler; `find_compiler` says what to do where there is none."""
    try:
        find_compiler()
    except UnavailableError:
        return False
    return True


def _runs(command: Sequence[str]) -> bool:
    """Try a command: macOS has a cc that does nothing but say how to install the real one."""
    if not shutil.which(command[0]):
        return False
    try:
        return _run([*command, "--version"], _TRY_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: Sequence[str], limit_s: float) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, or end it and all that it has started."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},  # its messages in English, as ours
        process_group=0,
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit_s)
        except BaseException:  # too long, or Ctrl-C
            with contextlib.suppress(ProcessLookupError):  # it may just have ended
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def build(source: Path, target: Path, *options: str, compiler: Sequence[str] | None = None, limit_s: float = LIMIT_S) -> str:
    """Compile one file; a target that is there stays as it is until the new one is whole. Return the compiler's warnings.

    options: after `FLAGS`. compiler: its command, `find_compiler`'s by default.

    Raises UnavailableError without a compiler, ModelFileError with its first errors where it fails or takes too long.
    """
    command = list(compiler) if compiler is not None else find_compiler()
    libraries = [] if "-c" in options else ["-lm"]
    source = source.absolute()  # a name like -x.c would be an option
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        try:
            done = _run([*command, *FLAGS, *options, str(source), "-o", str(made), *libraries], limit_s)
        except subprocess.TimeoutExpired:
            raise ModelFileError(f"{source.name}: {command[0]} took over {limit_s:g} s to compile it and was ended.") from None
        if done.returncode or not made.exists():
            raise ModelFileError(f"{source.name} cannot be compiled by {command[0]}: {_errors(done, source)}")
        os.replace(made, target)
    return done.stderr


def _errors(done: subprocess.CompletedProcess[str], source: Path) -> str:
    lines = [line.replace(f"{source.parent}{os.sep}", "").strip() for line in (done.stderr or done.stdout).splitlines()]
    told = [line for line in lines if "error" in line] or [line for line in lines if line]
    return "; ".join(told[:_SHOWN]) or f"it ended with status {done.returncode} and said nothing."


def object_bytes(source: Path, *options: str, compiler: Sequence[str] | None = None) -> tuple[int, int]:
    """Return the bytes of an object file's code with its constants, and of its variables.

    Raises as `build` does, and UnavailableError where the tool `size` is missing.
    """
    command = list(compiler) if compiler is not None else find_compiler()
    tool = f"{command[0].removesuffix('gcc')}size" if command[0].endswith("-gcc") else "size"
    if not shutil.which(tool):
        raise UnavailableError(f"The tool {tool}, which counts an object file's bytes, is missing: install binutils.")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "part.o"
        # Tables for exceptions of C++ and for debuggers are no part of what a microcontroller gets.
        build(source, made, "-c", "-fno-asynchronous-unwind-tables", *options, compiler=command)
        done = _run([tool, str(made)], _TRY_S)
    try:
        code, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
    except (IndexError, ValueError):
        raise UnavailableError(f"The tool {tool} did not say how large the object file is: {done.stderr.strip()}") from None
    return code, data + bss
