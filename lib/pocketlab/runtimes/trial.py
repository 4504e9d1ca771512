"""A trial before the kernel opens a model file: a child process loads and runs it first, and may die of it.

LiteRT and ONNX Runtime are C++ and believe much of what a file says. A damaged one can crash them, keep them busy for minutes,
or ask for more memory than there is. What a trial finds is a ModelFileError; only a file that passes is opened here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pocketlab.errors import ModelFileError
from pocketlab.runtimes.child import Child, ChildDied, ChildError, ChildTimeout

# A whole model loads and runs in well under a second for each 10 MB; a damaged one was seen to take 49 s.
_SECONDS, _SECONDS_PER_BYTE = 10.0, 0.5e-6

# The program sets a limit of memory of its own for each file.
_child = Child("pocketlab.runtimes._trial_program", memory_limit_mb=None)


def trial(path: Path, runtime: str, **options: Any) -> None:
    """Load the file with `runtime` ("litert" or "onnx") and its `options`, and run it on zeros and on random numbers.

    The process stays for the next trial. Raises ModelFileError, naming the file and the fault, where the file is refused,
    the process dies of it, asks for too much memory, or takes longer than 10 s and half a second for each MB.
    """
    limit_s = _SECONDS + _SECONDS_PER_BYTE * path.stat().st_size
    try:
        _child.call(runtime, limit_s=limit_s, path=str(path.absolute()), **options)
    except ModelFileError:
        raise
    except ChildTimeout as error:
        raise ModelFileError(
            f"{path.name} did not load and run within {limit_s:.0f} s when it was tried in a process of its own. "
            "It is not opened here: it is probably damaged. Export it again."
        ) from error
    except ChildDied as error:
        raise ModelFileError(
            f"{path.name} is damaged: the process in which it was tried {error.how}. It is not opened here. Export it again."
        ) from error
    except (ChildError, ValueError) as error:
        raise ModelFileError(f"{path.name} cannot be used: when it was tried, {error}. Export it again.") from error
