"""Execute a solution notebook, and keep of its outputs what may be published: text, HTML and small figures."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from pathlib import Path

import nbclient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from pocketlab.course.progress import ProgressStore
from pocketlab.errors import PocketlabError

CELL_TIMEOUT_S = 300
FIGURE_LIMIT_BYTES = 60_000
_WIDGET_TYPE = "application/vnd.jupyter.widget-view+json"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_EMBEDDED = re.compile(r"data:image/[\w.+-]+;base64,([A-Za-z0-9+/=\s]+)")


class ExecutionError(PocketlabError):
    """A solution raised, or left an output that cannot be published; the message names the cell."""


def execute(notebook: NotebookNode, root: Path) -> NotebookNode:
    """Run all cells in place, in folder `root`/labs with an empty course home of their own, and return the notebook.

    Raises ExecutionError naming the cell and what it raised, or each exercise that did not pass its own check and each
    output that is too large or names this machine.
    """
    metadata = NotebookNode(notebook.metadata)
    name = notebook.metadata.pocketlab.source
    with tempfile.TemporaryDirectory() as home:
        client = nbclient.NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(root / "labs")}},
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
        )
        try:
            client.execute(env=_environment(root, home))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise ExecutionError(f"{name}: {_what_stopped(notebook, error)}") from None
        faults = _check_faults(Path(home))
    notebook.metadata = metadata
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_static, cell.outputs) if output is not None]
    faults += _output_faults(notebook, root)
    if faults:
        raise ExecutionError("\n".join(f"{name}: {fault}" for fault in faults))
    return notebook


def without_colors(text: str) -> str:
    """Return the text without the codes that color it in a terminal."""
    return _ANSI.sub("", text)


def _environment(root: Path, home: str) -> dict[str, str]:
    """What every learner has, whoever builds: no downloaded data, plain text, figures drawn off screen."""
    kept = {name: value for name, value in os.environ.items() if name != "POCKETLAB_DATA"}
    path = os.pathsep.join(filter(None, [str(root.resolve() / "lib"), os.environ.get("PYTHONPATH")]))
    return kept | {"POCKETLAB_HOME": home, "MPLBACKEND": "agg", "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": path}


def _what_stopped(notebook: NotebookNode, error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        for cell in notebook.cells:
            if any(output.output_type == "error" for output in cell.get("outputs", [])):
                return f"cell {cell.id} raised {error.ename}: {without_colors(error.evalue)}"
    if isinstance(error, CellTimeoutError):
        return f"a cell ran for more than {CELL_TIMEOUT_S} s"
    return f"the kernel stopped: {error}"


def _check_faults(home: Path) -> list[str]:
    """A solution whose check does not say "passed" would teach a mistake."""
    records = [record for lab in ProgressStore(home).read().labs.values() for record in lab.exercises.items()]
    return [
        f"exercise {name} is not passed but {record.status}" for name, record in records if record.status != "passed"
    ]


def _static(output: NotebookNode) -> NotebookNode | None:
    """Return the output without color codes and live widgets, or None where nothing else is left of it."""
    if "text" in output:
        output.text = without_colors(output.text)
    if "data" in output:
        output.data.pop(_WIDGET_TYPE, None)
        if "text/plain" in output.data:
            output.data["text/plain"] = without_colors(output.data["text/plain"])
        if not output.data:
            return None
    return output


def _output_faults(notebook: NotebookNode, root: Path) -> list[str]:
    here = _machine_paths(root)
    faults = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind, value in [("text", output.get("text", "")), *output.get("data", {}).items()]:
                faults += [f"cell {cell.id}: {fault}" for fault in _value_faults(kind, str(value), here)]
    return faults


def _value_faults(kind: str, value: str, here: re.Pattern[str]) -> list[str]:
    if kind.startswith("image/") and "svg" not in kind:
        sizes, text = [len(base64.b64decode(value))], ""
    else:
        sizes, text = [len(base64.b64decode(image)) for image in _EMBEDDED.findall(value)], _EMBEDDED.sub("", value)
        sizes.append(len(text.encode()))
    limit = f"the limit is {FIGURE_LIMIT_BYTES // 1000} kB: draw fewer points, or print less"
    faults = [f"a figure or output of {size / 1000:.0f} kB; {limit}" for size in sizes if size > FIGURE_LIMIT_BYTES]
    found = here.search(text)
    return [*faults, f"its output names a folder of this machine, {found[0]}"] if found else faults


def _machine_paths(root: Path) -> re.Pattern[str]:
    bases = (root, Path.home(), Path(tempfile.gettempdir()))
    folders = {str(path) for base in bases for path in (base, base.resolve())} - {"/"}
    longest_first = "|".join(map(re.escape, sorted(folders, key=len, reverse=True)))
    # A folder's name must stand alone: "/root" is no part of "src/root" or "/rooted".
    return re.compile(rf"(?<![\w.-])(?:{longest_first})(?![\w-])")
