"""One source, two notebooks: `solutions/NN_name.py` becomes the learner's notebook and the executed solution.

A source is a jupytext py:percent file. In an exercise's cell, the lines between `### BEGIN SOLUTION` and
`### END SOLUTION` are the answer. The learner gets `raise NotImplementedError("Exercise 01.3")` in their place, after
the region's skeleton: its comment lines that begin with `#: `. The id comes from the cell's `lab.check("01.3", …)`.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import re
import sys
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from pocketlab.course.dependencies import lab_hash, source_hash
from pocketlab.course.execution import execute
from pocketlab.errors import PocketlabError

BEGIN, END, SKELETON = "### BEGIN SOLUTION", "### END SOLUTION", "#:"
_MARKER = re.compile(r"\b(BEGIN|END)\s+SOLUTION\b", re.IGNORECASE)
_CHECK = re.compile(r"""\blab\.check\(\s*["']([^"']+)["']""")


class BuildError(PocketlabError):
    """One or more sources cannot become notebooks; the message has a line for each fault."""


# Reading a source


def solution_notebook(source: Path) -> NotebookNode:
    """Return the solution of a source, not yet executed: the answers in place, markers and skeletons gone."""
    return _written_for(source, learner=False)


def learner_notebook(source: Path) -> NotebookNode:
    """Return what a learner opens: every answer replaced by its stub, and no tag that compares outputs."""
    return _written_for(source, learner=True)


def read_notebook(path: Path) -> NotebookNode:
    """Return a notebook as it is on disk. Raises PocketlabError when it is not there or damaged."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError as error:
        raise PocketlabError(
            f"{path} is not there: its lab is not written yet, or `pocketlab update` brings it back."
        ) from error
    except Exception as error:  # nbformat raises what its parsers raise: ValueError, KeyError, AttributeError…
        raise PocketlabError(f"{path} is damaged and was left as it is: {error!s:.80}") from error


def exercise_cell_id(exercise: str) -> str:
    """Return the id of an exercise's cell, the same in both notebooks: "01.3" gives "exercise-01-3"."""
    return "exercise-" + re.sub(r"[^A-Za-z0-9]+", "-", exercise)


def _written_for(source: Path, *, learner: bool) -> NotebookNode:
    notebook = read_source(source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = _with_stub(cell.source) if learner else _with_answer(cell.source)
        if learner:
            _drop_comparison_tags(cell)
    return notebook


def read_source(source: Path) -> NotebookNode:
    """Return the cells of a source, each with its stable id, regions untouched.

    Raises BuildError with every fault of the source at once.
    """
    text = source.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    faults = _syntax_faults(text) + _faults(notebook)
    if faults:
        raise BuildError("\n".join(f"{source.name}: {fault}" for fault in faults))
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        cell.id = _cell_id(cell, seen)
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key == "tags"})
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "pocketlab": {"source": f"{source.parent.name}/{source.name}", "hash": source_hash(text)},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _cell_id(cell: NotebookNode, seen: Counter[str]) -> str:
    exercise = _exercise_of(cell)
    if exercise:
        return exercise_cell_id(exercise)
    digest = hashlib.sha256(f"{cell.cell_type}\0{cell.source}".encode()).hexdigest()[:8]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _exercise_of(cell: NotebookNode) -> str | None:
    """Return the exercise that a cell asks for, or None where it holds no solution."""
    if cell.cell_type != "code" or BEGIN not in cell.source:
        return None
    return _CHECK.findall(cell.source)[0]


# Faults of a source


def _syntax_faults(text: str) -> list[str]:
    try:
        ast.parse(text)
    except SyntaxError as error:
        return [f"line {error.lineno}: {error.msg}"]
    return []


def _faults(notebook: NotebookNode) -> list[str]:
    faults: list[str] = []
    exercises: Counter[str] = Counter()
    for number, cell in enumerate(notebook.cells, start=1):
        if not _MARKER.search(cell.source):
            continue
        found = ["a solution marker in text, which learners see"]
        if cell.cell_type == "code":
            found = _region_faults(cell.source)
            ids = set(_CHECK.findall(cell.source))
            exercises.update(ids)
            if len(ids) != 1:
                found.append(f'a solution needs one lab.check("…", …) in its own cell; this cell has {len(ids)}')
        faults += [f"cell {number} ({_first_line(cell.source)}): {fault}" for fault in found]
    faults += [f"exercise {name} is asked for in {count} cells" for name, count in exercises.items() if count > 1]
    return faults


def _region_faults(source: str) -> list[str]:
    faults: list[str] = []
    inside = False
    for line in source.splitlines():
        text = line.strip()
        if text not in (BEGIN, END):
            if _MARKER.search(line):
                faults.append(f"write the marker as {BEGIN} or {END}, alone on its line; found {text!r}")
            continue
        if inside == (text == BEGIN):
            faults.append(f"{BEGIN} inside a solution" if inside else f"{END} without {BEGIN}")
        if text == BEGIN and line == text:
            faults.append("a solution stands outside any function, where its stub would stop the whole notebook")
        inside = text == BEGIN
    return [*faults, f"{BEGIN} without {END}"] if inside else faults


def _first_line(source: str) -> str:
    return next((line.strip() for line in source.splitlines() if line.strip()), "empty")[:60]


# Rewriting a cell


def _with_answer(source: str) -> str:
    kept: list[str] = []
    inside = False
    for line in source.splitlines():
        text = line.strip()
        if text in (BEGIN, END):
            inside = text == BEGIN
        elif not (inside and text.startswith(SKELETON)):
            kept.append(line)
    return "\n".join(kept)


def _with_stub(source: str) -> str:
    kept: list[str] = []
    inside = False
    for line in source.splitlines():
        text = line.strip()
        indentation = line[: len(line) - len(line.lstrip())]
        if text in (BEGIN, END):
            inside = text == BEGIN
            if not inside:
                kept.append(f'{indentation}raise NotImplementedError("Exercise {_CHECK.findall(source)[0]}")')
        elif not inside:
            kept.append(line)
        elif text.startswith(SKELETON):
            kept.append((indentation + text.removeprefix(SKELETON).removeprefix(" ")).rstrip())
    return "\n".join(kept)


def _drop_comparison_tags(cell: NotebookNode) -> None:
    tags = [tag for tag in cell.metadata.pop("tags", []) if not tag.startswith("nbval-")]
    if tags:
        cell.metadata["tags"] = tags


# Writing the notebooks


def build_all(root: Path, *, check: bool = False, only: str | None = None) -> list[str]:
    """Bring the notebooks of all sources up to date and return the paths, from `root`, of those that were written.

    With `check` nothing is written, and the paths returned are those that would be. `only` is the start of a source's
    name, such as "01". Raises BuildError with the faults of all sources, after the sound ones are written.
    """
    changed: list[str] = []
    faults: list[str] = []
    for source in sorted((root / "solutions").glob(f"{only or '[0-9][0-9]'}*.py")):
        try:
            changed += _build_one(root, source, check=check)
        except PocketlabError as error:
            faults.append(str(error))
    faults += _without_source(root)
    if faults:
        raise BuildError("\n".join(faults))
    return changed


def _build_one(root: Path, source: Path, *, check: bool) -> list[str]:
    learner = root / "labs" / f"{source.stem}.ipynb"
    solution = source.with_suffix(".ipynb")
    changed = []
    text = _text(learner_notebook(source))
    if not learner.exists() or learner.read_text(encoding="utf-8") != text:
        changed.append(learner)
        if not check:
            learner.write_text(text, encoding="utf-8")
    wanted = solution_notebook(source)
    wanted.metadata.pocketlab.hash = lab_hash(source.read_text(encoding="utf-8"), root / "lib")
    if not _is_current(solution, wanted):
        changed.append(solution)
        if not check:
            solution.write_text(_text(execute(copy.deepcopy(wanted), root)), encoding="utf-8")
    return [str(path.relative_to(root)) for path in changed]


def _is_current(path: Path, wanted: NotebookNode) -> bool:
    """Say whether the notebook on disk was made from what `wanted` is made from, and nobody has edited it since."""
    if not path.exists():
        return False
    found = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    same_cells = [(cell.id, cell.source) for cell in found.cells] == [(cell.id, cell.source) for cell in wanted.cells]
    return same_cells and found.metadata == wanted.metadata


def _without_source(root: Path) -> list[str]:
    sources = {path.stem for path in (root / "solutions").glob("*.py")}
    notebooks = [*(root / "labs").glob("[0-9][0-9]_*.ipynb"), *(root / "solutions").glob("[0-9][0-9]_*.ipynb")]
    return [
        f"{path.relative_to(root)} has no source solutions/{path.stem}.py: delete it, or bring its source back"
        for path in sorted(notebooks)
        if path.stem not in sources
    ]


def _text(notebook: NotebookNode) -> str:
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def build_and_tell(root: Path, *, check: bool, only: str | None) -> int:
    """Build, print what was written or is stale, and return the exit status. Raises what `build_all` raises."""
    changed = build_all(root, check=check, only=only)
    for path in changed:
        print(f"{path} is stale: run make build" if check else f"wrote {path}")
    return 1 if check and changed else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the build from the command line, in the course's root folder."""
    parser = argparse.ArgumentParser(prog="python -m pocketlab.course.build", description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="?", help='the start of a source\'s name, such as "01"')
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a notebook is stale")
    options = parser.parse_args(arguments)
    try:
        return build_and_tell(Path.cwd(), check=options.check, only=options.only)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
