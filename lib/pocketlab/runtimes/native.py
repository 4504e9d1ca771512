"""Native code: the orientation filter as C source, compiled by this machine's C compiler, and what a microcontroller would need.

The source is generated from the Python loop that numba compiles (`pocketlab.runtimes.c_source`), so there is one filter, not two.
With real="double" the compiled C gives the same numbers as Python where both use the same libm; with "float" it computes as
sensor hubs and microcontrollers do.
"""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketlab.errors import ModelFileError, UnavailableError
from pocketlab.runtimes import base
from pocketlab.runtimes.base import ModelFile, TensorInfo, check_model_path
from pocketlab.runtimes.c_filter import filter_source
from pocketlab.runtimes.native_compiler import available, build, object_bytes
from pocketlab.signals.imu import OrientationFilter
from pocketlab.signals.imu_input import check_lengths, vectors

__all__ = ["Inspection", "NativeRunner", "NativeStream", "Throughput", "available", "export", "inspect", "load", "measure"]

FORMAT = "c"
CROSS_COMPILER = ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
CROSS_MISSING = (
    "Bytes for a microcontroller are not known: arm-none-eabi-gcc is not on this machine "
    "(sudo apt install gcc-arm-none-eabi libnewlib-arm-none-eabi)."
)


@dataclass(frozen=True)
class Throughput:
    """Samples per second of one core: in the median run, and what 9 runs of 10 reach. runs: how many were timed."""

    samples_per_s: float
    samples_per_s_p90: float
    runs: int


@dataclass(frozen=True)
class Inspection:
    """What a source file comes to. source_lines: of the .c file, comments and all.

    state_bytes: RAM for each stream. code_bytes, small_code_bytes: program memory for this machine's processor, code and
    constants without the functions of libm, optimized for speed (-O2) and for size (-Os). data_bytes: RAM besides the states.
    cortex_m4_bytes: as small_code_bytes, for a microcontroller with an FPU, or None, and note then says why.
    """

    format: str
    size_bytes: int
    source_lines: int
    state_bytes: int
    code_bytes: int
    small_code_bytes: int
    data_bytes: int
    cortex_m4_bytes: int | None
    note: str


def export(filter_: OrientationFilter, path: str | Path, *, real: str = "double") -> ModelFile:
    """Write a filter of method "pocketlab" as C99: `path`, and a header of the same name that ends in .h.

    Its sample rate and settings become constants. real: "double" for the same numbers as in Python, "float" for a processor
    that has only those.

    Raises ValueError for another method or real, and for a name that does not end in .c or does not fit into an #include.
    """
    path = Path(path)
    if path.suffix != ".c":
        raise ValueError(f"{path.name} must end in .c, by which compilers know the language.")
    if set(path.name) & set('"\\\n'):
        raise ValueError(f"{path.name!r} has a quotation mark, a backslash or a line end, which no name in an #include may have.")
    header = path.with_suffix(".h")
    texts = filter_source(filter_, header.name, real=real)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # both or neither, should the disk be full
        written = [Path(folder) / file.name for file in (header, path)]
        for file, text in zip(written, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        for file in written:
            file.replace(path.parent / file.name)
    return ModelFile(path, FORMAT, header.stat().st_size + path.stat().st_size)


def load(path: str | Path) -> NativeRunner:
    """Compile an exported .c file and load it into this process. It runs what the file says: load your own only.

    Raises UnavailableError without a C compiler and where what it makes does not run here, ModelFileError for a file that is
    missing, cannot be compiled or is no filter.
    """
    path = check_model_path(path, ".c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "filter.so"
        build(path, library, "-O2", "-shared", "-fPIC")
        try:
            loaded = ctypes.CDLL(str(library))  # stays in memory when the file is gone
        except OSError as error:
            reason = str(error).removeprefix(f"{library}: ")
            raise UnavailableError(
                f"The compiled {path.name} cannot be loaded: {reason}. Is CC a compiler for this machine, and may programs run "
                "from the folder for temporary files (TMPDIR)?"
            ) from None
    return NativeRunner(path, loaded)


class NativeRunner:
    """A compiled filter: a whole record in, its orientations out, each call from the beginning.

    state_bytes: of one stream. dtype: in which it computes and returns.
    """

    threads = 1

    def __init__(self, path: Path, library: ctypes.CDLL) -> None:
        self.path = path
        try:
            self._init, self._run = library.orientation_init, library.orientation_run
            self.state_bytes = int(ctypes.c_size_t.in_dll(library, "orientation_filter_bytes").value)
            real_bytes = int(ctypes.c_size_t.in_dll(library, "orientation_real_bytes").value)
            self.takes_mag = bool(ctypes.c_bool.in_dll(library, "orientation_takes_mag").value)
        except (AttributeError, ValueError):
            raise ModelFileError(f"{path.name} is no orientation filter: it lacks the functions that `export` writes.") from None
        self.dtype = np.dtype(np.float32 if real_bytes == 4 else np.float64)
        self._init.argtypes, self._init.restype = [ctypes.c_void_p], None
        self._run.argtypes, self._run.restype = [ctypes.c_void_p, ctypes.c_long, *[ctypes.c_void_p] * 4], None
        names = ("gyr", "acc", "mag") if self.takes_mag else ("gyr", "acc")
        self.inputs = tuple(TensorInfo(name, (None, 3), self.dtype.name) for name in names)
        self.outputs = (TensorInfo("quat", (None, 4), self.dtype.name),)

    def __call__(self, *arrays: ArrayLike | None) -> NDArray[Any]:
        """Return the orientations (N, 4) of a record: gyr, acc and, where there is one, mag, as for `estimate_orientation`.

        Units are not judged. Raises ValueError for other shapes, different lengths, or a mag that the filter does not take.
        """
        if len(arrays) not in (2, 3) or arrays[0] is None or arrays[1] is None:
            raise ValueError(f"The filter takes gyr, acc and perhaps mag, each (N, 3), and got {len(arrays)} of them.")
        return self.stream().process(arrays[0], arrays[1], *arrays[2:])

    def stream(self) -> NativeStream:
        """Return a stream at its beginning."""
        return NativeStream(self)


class NativeStream:
    """One orientation_filter in C, fed in chunks or sample by sample, with the same numbers however it is cut."""

    def __init__(self, runner: NativeRunner) -> None:
        self._runner = runner
        self._state = np.zeros(-(-runner.state_bytes // 8), np.float64)  # aligned as its widest field
        runner._init(self._state.ctypes.data)

    def process(self, gyr: ArrayLike, acc: ArrayLike, mag: ArrayLike | None = None) -> NDArray[Any]:
        """Return the orientations (N, 4) of the next samples (N, 3), or (4,) of a single one (3,).

        Raises ValueError for other shapes, different lengths, or a mag that the filter does not take.
        """
        if mag is not None and not self._runner.takes_mag:
            raise ValueError("This filter was exported without a magnetometer: leave mag out, or export another one.")
        single = np.ndim(gyr) == 1
        if single:
            gyr, acc = np.asarray(gyr)[np.newaxis], np.asarray(acc)[np.newaxis]
            mag = None if mag is None else np.asarray(mag)[np.newaxis]
        rates, forces = vectors(gyr, "gyroscope"), vectors(acc, "accelerometer")
        magnetic = None if mag is None else vectors(mag, "magnetometer")
        check_lengths(rates, forces, magnetic)
        kind = self._runner.dtype
        arrays = [None if samples is None else samples.astype(kind, copy=False) for samples in (rates, forces, magnetic)]
        quat = np.empty((len(rates), 4), kind)
        addresses = [None if array is None else array.ctypes.data for array in (*arrays, quat)]
        self._runner._run(self._state.ctypes.data, len(rates), *addresses)
        return quat[0] if single else quat


def measure(runner: NativeRunner, *arrays: np.ndarray, seconds: float = 1.0) -> Throughput:
    """Time runs of whole records (N, 3), for `seconds` and 10 runs at least, and return samples per second."""
    measured = base.measure(runner, *arrays, seconds=seconds)
    count = 1000.0 * len(arrays[0])
    return Throughput(count / measured.p50_ms, count / measured.p90_ms, measured.runs)


def inspect(path: str | Path) -> Inspection:
    """Compile a source file for size and for speed, and return how much memory it needs; see `Inspection`.

    Raises as `load` does.
    """
    runner = load(path)
    code, data = object_bytes(runner.path, "-O2")
    small, _ = object_bytes(runner.path, "-Os")
    cross, note = None, CROSS_MISSING
    if shutil.which(CROSS_COMPILER[0]):
        try:
            cross, note = object_bytes(runner.path, "-Os", compiler=CROSS_COMPILER)[0], ""
        except (ModelFileError, UnavailableError) as error:  # it may be there without its C library
            note = f"Bytes for a microcontroller are not known: {error}"
    lines = len(runner.path.read_text(encoding="utf-8").splitlines())
    return Inspection(FORMAT, runner.path.stat().st_size, lines, runner.state_bytes, code, small, data, cross, note)
