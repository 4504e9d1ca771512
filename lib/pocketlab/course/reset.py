"""Put one exercise's cell back to its stub in the learner's notebook, and keep the old answer in a dated file."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from pocketlab.course.build import exercise_cell_id, learner_notebook, read_notebook
from pocketlab.course.catalogue import course_root, find_lab
from pocketlab.course.files import timestamp, unused, write_atomically
from pocketlab.errors import PocketlabError

RELOAD = "If the notebook is open in JupyterLab, choose File > Reload Notebook from Disk."


def reset_exercise(exercise_id: str) -> str:
    """Reset exercise `exercise_id` ("01.3") in labs/; the other cells stay as they are. Returns what was done.

    A cell that was deleted comes back after the nearest preceding one that is still there. Raises PocketlabError when
    there is no such exercise, or the notebook is not there or damaged.
    """
    root = course_root()
    lab = find_lab(exercise_id.split(".")[0])
    path = lab.notebook(root)
    stubs = _stubs(lab.source(root), exercise_id)
    notebook = read_notebook(path)
    position = _find(notebook, exercise_cell_id(exercise_id))
    stub = stubs.cells[_find(stubs, exercise_cell_id(exercise_id))]
    if position is None:
        notebook.cells.insert(_place_for(stub, stubs, notebook), stub)
        done = f"Exercise {exercise_id} was no longer in {path.name}; its stub is back."
    elif notebook.cells[position].source == stub.source:
        return f"Exercise {exercise_id} is its stub already; nothing was changed."
    else:
        answers = path.parent / "answers"
        answer = unused(answers / f"{exercise_id}-{timestamp()}.py")
        _write(answer, notebook.cells[position].source + "\n")
        notebook.cells[position] = stub
        done = f"Exercise {exercise_id} is its stub again; your answer is kept as {answer.relative_to(root)}."
    _write(path, nbformat.writes(notebook) + "\n")
    return f"{done} {RELOAD}"


def _stubs(source: Path, exercise_id: str) -> NotebookNode:
    """The notebook as a learner first opens it, made from its source."""
    if not source.is_file():
        raise PocketlabError(f"Lab {exercise_id.split('.')[0]} is not written yet: {source.name} is not in solutions/.")
    stubs = learner_notebook(source)
    if _find(stubs, exercise_cell_id(exercise_id)) is None:
        raise PocketlabError(f"{source.stem} has no exercise {exercise_id!r}; exercises have ids such as 01.3.")
    return stubs


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        # Half of a surrogate pair is no UTF-8; its backslash form is what JSON has for it.
        write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise PocketlabError(f"{path} cannot be written ({error.strerror}); the notebook is as it was.") from error


def _find(notebook: NotebookNode, cell_id: str) -> int | None:
    return next((index for index, cell in enumerate(notebook.cells) if cell.get("id") == cell_id), None)


def _place_for(stub: NotebookNode, stubs: NotebookNode, notebook: NotebookNode) -> int:
    """Where a missing cell belongs: after the nearest of the cells before it that is still there, or at the start."""
    for before in reversed(stubs.cells[: stubs.cells.index(stub)]):
        position = _find(notebook, before.id)
        if position is not None:
            return position + 1
    return 0
