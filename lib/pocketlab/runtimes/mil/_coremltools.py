"""Import coremltools at the price of what we use of it, and let it print nothing into a notebook."""

from __future__ import annotations

import functools
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# coremltools imports each of these if it is installed, only to see whether it could convert from it. None is needed to
# convert from PyTorch; TensorFlow alone costs half a gigabyte.
_PROBED = ("tensorflow", "torchao", "transformers")
_lock = threading.RLock()


def import_coremltools() -> ModuleType:
    """Return coremltools, imported without TensorFlow, warnings about versions, or progress bars.

    A module of `_PROBED` that is loaded already is left as it is (coremltools then finds TensorFlow and can convert
    from it); each of the others is hidden during the import and can be imported afterwards as if nothing had happened.
    """
    with _lock:
        if "coremltools" not in sys.modules:
            hidden = [name for name in _PROBED if name not in sys.modules]
            for name in hidden:
                sys.modules[name] = None  # type: ignore[assignment]  # makes `import` raise ImportError
            try:
                with quiet():
                    import coremltools  # noqa: F401
            finally:
                for name in hidden:
                    if sys.modules.get(name, hidden) is None:
                        del sys.modules[name]
            _switch_off_progress_bars()
        return sys.modules["coremltools"]


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what coremltools logs and warns of by habit. TracerWarning, which is about the model, still shows."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            for category in (UserWarning, FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        logger.setLevel(level)


def _switch_off_progress_bars() -> None:
    """Replace tqdm inside coremltools' modules, and nowhere else, by one that shows nothing."""
    from tqdm import tqdm

    silent = functools.partial(tqdm, disable=True)
    for name, module in list(sys.modules.items()):
        if name.startswith("coremltools."):
            for attribute in ("tqdm", "_tqdm"):
                if getattr(module, attribute, None) is tqdm:
                    setattr(module, attribute, silent)
