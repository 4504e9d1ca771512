"""The tree is laid out as the design says, and no notebook holds what it must not."""

import subprocess
from pathlib import Path

import nbformat
import pytest

from pocketlab.course.build import BEGIN, END

ROOT = Path(__file__).parents[2]
TOP = {
    *("README.md", "LICENSE", "LICENSE-text", "environment.yml", "pyproject.toml", "requirements.lock", "Makefile"),
    *("labs", "solutions", "lib", "tests", "binder", ".ci", ".gitignore", ".gitattributes"),
}
ROOMS = {
    *(
        "errors",
        "memory",
        "data",
        "compression",
        "llm",
        "signals",
        "learning",
        "operations",
        "device",
        "runtimes",
        "ui",
        "course",
    ),
    "__init__",
}


def tree_files() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in map(Path, listed.splitlines()) if (ROOT / path).exists()]


def test_the_top_level_holds_what_the_design_lists():
    assert {path.parts[0] for path in tree_files()} <= TOP


def test_the_library_has_no_room_beside_those_of_the_design():
    rooms = {Path(path.parts[2]).stem for path in tree_files() if path.parts[:2] == ("lib", "pocketlab")}
    assert rooms <= ROOMS


def test_every_source_has_both_notebooks_and_labs_holds_nothing_else():
    files = set(tree_files())
    sources = {path.stem for path in files if path.parent == Path("solutions") and path.suffix == ".py"}
    for folder in ("labs", "solutions"):
        assert {path.stem for path in files if path.parent == Path(folder) and path.suffix == ".ipynb"} == sources
    others = [path for path in files if path.parts[0] in ("labs", "solutions") and path.suffix not in (".ipynb", ".py")]
    assert others == []
    assert not [path for path in files if path.parts[0] == "labs" and path.suffix == ".py"]


def notebooks(folder: str) -> list[Path]:
    return sorted((ROOT / folder).glob("[0-9][0-9]_*.ipynb"))


def faults(notebook: nbformat.NotebookNode, *, learner: bool) -> list[str]:
    """Return what a notebook holds that it must not: answers or outputs in labs/, stubs in solutions/."""
    found = []
    for cell in notebook.cells:
        if BEGIN in cell.source or END in cell.source:
            found.append(f"{cell.id} has a solution marker")
        if learner and (cell.get("outputs") or cell.get("execution_count")):
            found.append(f"{cell.id} has an output or a count")
        if learner and cell.id.startswith("exercise-") and "raise NotImplementedError" not in cell.source:
            found.append(f"{cell.id} has no stub")
        if not learner and 'raise NotImplementedError("Exercise' in cell.source:
            found.append(f"{cell.id} has a stub")
        if not learner and cell.cell_type == "code" and cell.execution_count is None:
            found.append(f"{cell.id} was not executed")
    return found


@pytest.mark.parametrize("folder", ["labs", "solutions"])
def test_labs_holds_no_answer_and_no_output_and_solutions_no_stub(folder):
    found = {
        path.name: wrong
        for path in notebooks(folder)
        if (wrong := faults(nbformat.read(path, as_version=4), learner=folder == "labs"))
    }
    assert found == {}


def test_an_answer_an_output_and_a_stub_in_the_wrong_place_are_found():
    output = nbformat.v4.new_output("stream", text="1")
    cells = [
        nbformat.v4.new_code_cell("def f():\n    return 1", id="exercise-01-1"),
        nbformat.v4.new_code_cell("print(1)", id="a", outputs=[output], execution_count=1),
        nbformat.v4.new_code_cell('def f():\n    raise NotImplementedError("Exercise 01.2")', id="exercise-01-2"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert faults(notebook, learner=True) == ["exercise-01-1 has no stub", "a has an output or a count"]
    assert "exercise-01-2 has a stub" in faults(notebook, learner=False)


@pytest.mark.parametrize("path", notebooks("solutions"), ids=lambda path: path.stem)
def test_every_lab_has_outputs_that_the_run_of_its_notebook_compares(path):
    marked = [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if "nbval-check-output" in cell.metadata.get("tags", [])
    ]
    assert len(marked) >= 3
    assert all(cell.outputs for cell in marked)
