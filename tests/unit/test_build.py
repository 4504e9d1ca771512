"""One source becomes two notebooks: the regions, the ids, the hash, and what may stay in an output."""

import shutil
import textwrap
from pathlib import Path

import nbformat
import pytest

from pocketlab.course.build import BuildError, build_all, exercise_cell_id, learner_notebook, solution_notebook
from pocketlab.course.dependencies import closure, imported_names, lab_hash

SOURCE = '''\
# %% [markdown]
# # A toy lab

# %%
from toy import lab
print("hello")

# %% [markdown]
# ### Exercise 01.3: scale

# %% tags=["nbval-check-output", "keep"]
def scale_of(low, high):
    """Return the step."""
    ### BEGIN SOLUTION
    #: span = ...
    #:
    #: if span > 0:
    #:     ...
    # the answer's own comment
    return (high - low) / 255
    ### END SOLUTION

scale_of = lab.check("01.3", scale_of)
scale_of(0, 255)

# %%
print("hello again")

# %%
print("hello again")
'''


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course of one lab, with a library of its own."""
    for folder in ("labs", "solutions", "lib/pocketlab/data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "lib/pocketlab/__init__.py").write_text("")
    (tmp_path / "lib/pocketlab/data/__init__.py").write_text("")
    (tmp_path / "lib/toy.py").write_text(
        "class lab:\n    @staticmethod\n    def check(exercise, answer):\n        return answer\n"
    )
    (tmp_path / "solutions/01_toy.py").write_text(SOURCE)
    return tmp_path


def write(course: Path, text: str, name: str = "01_toy.py") -> Path:
    path = course / "solutions" / name
    path.write_text(textwrap.dedent(text).lstrip())
    return path


def cell(notebook, name):
    return next(found for found in notebook.cells if found.id == name)


def test_the_learner_gets_the_skeleton_and_a_stub_that_names_the_exercise(course):
    notebook = learner_notebook(course / "solutions/01_toy.py")
    assert cell(notebook, "exercise-01-3").source == textwrap.dedent('''
        def scale_of(low, high):
            """Return the step."""
            span = ...

            if span > 0:
                ...
            raise NotImplementedError("Exercise 01.3")

        scale_of = lab.check("01.3", scale_of)
        scale_of(0, 255)''').lstrip("\n")


def test_the_solution_keeps_the_answer_and_neither_marker_nor_skeleton(course):
    source = cell(solution_notebook(course / "solutions/01_toy.py"), "exercise-01-3").source
    assert "    # the answer's own comment\n    return (high - low) / 255\n\nscale_of = lab.check" in source
    assert "###" not in source
    assert "#:" not in source


def test_the_learner_has_no_outputs_no_counts_and_no_tag_that_compares_outputs(course):
    notebook = learner_notebook(course / "solutions/01_toy.py")
    assert cell(notebook, "exercise-01-3").metadata == {"tags": ["keep"]}
    for found in notebook.cells:
        assert found.get("outputs", []) == []
        assert found.get("execution_count") is None
    solution = solution_notebook(course / "solutions/01_toy.py")
    assert cell(solution, "exercise-01-3").metadata == {"tags": ["nbval-check-output", "keep"]}


def test_cell_ids_are_stable_unique_and_valid(course):
    first, second = (learner_notebook(course / "solutions/01_toy.py") for _ in range(2))
    ids = [found.id for found in first.cells]
    assert ids == [found.id for found in second.cells]
    assert len(set(ids)) == len(ids)
    assert ids[-1] == f"{ids[-2]}-2"
    assert exercise_cell_id("01.P1") == "exercise-01-P1"
    nbformat.validate(first)


def test_a_cell_added_above_changes_no_other_id(course):
    before = {found.id for found in learner_notebook(course / "solutions/01_toy.py").cells}
    longer = write(course, "# %%\nprint(1)\n" + SOURCE)
    after = {found.id for found in learner_notebook(longer).cells}
    assert before < after


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("# %%\ndef f():\n    ### BEGIN SOLUTION\n    return 1\nf = lab.check('01.1', f)\n", "without ### END"),
        ("# %%\ndef f():\n    return 1\n    ### END SOLUTION\nf = lab.check('01.1', f)\n", "without ### BEGIN"),
        ("# %%\ndef f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n", "this cell has 0"),
        ("# %% [markdown]\n# ### BEGIN SOLUTION\n# 42\n", "a solution marker in text"),
        ("# %%\n### BEGIN SOLUTION\nf = 1\n### END SOLUTION\nf = lab.check('01.1', f)\n", "outside any function"),
        ("# %%\ndef f():\n    # begin solution\n    return 1\nf = lab.check('01.1', f)\n", "write the marker as"),
        ("# %%\nx = (\n", "was never closed"),
    ],
)
def test_each_fault_of_a_source_is_told_with_its_name(course, source, told):
    with pytest.raises(BuildError, match=told) as raised:
        learner_notebook(write(course, source))
    assert str(raised.value).startswith("01_toy.py: ")


def test_an_exercise_asked_for_twice_is_told_and_all_faults_come_together(course):
    part = "# %%\ndef f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\nf = lab.check('01.1', f)\n"
    path = write(course, part + part + "# %% [markdown]\n# END SOLUTION\n")
    with pytest.raises(BuildError) as raised:
        solution_notebook(path)
    assert len(str(raised.value).splitlines()) == 2
    assert "exercise 01.1 is asked for in 2 cells" in str(raised.value)


def test_a_rebuild_without_a_change_writes_nothing_and_from_scratch_gives_the_same_bytes(course):
    assert build_all(course) == ["labs/01_toy.ipynb", "solutions/01_toy.ipynb"]
    assert build_all(course) == []
    written = {path: path.read_bytes() for path in course.glob("*/*.ipynb")}
    for path in written:
        path.unlink()
    assert len(build_all(course)) == 2
    assert {path: path.read_bytes() for path in course.glob("*/*.ipynb")} == written


def test_the_executed_solution_has_outputs_and_the_metadata_that_were_asked_for(course):
    build_all(course)
    notebook = nbformat.read(course / "solutions/01_toy.ipynb", as_version=4)
    assert cell(notebook, "exercise-01-3").outputs[0].data["text/plain"] == "1.0"
    assert [found.execution_count for found in notebook.cells if found.cell_type == "code"] == [1, 2, 3, 4]
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.pocketlab.source == "solutions/01_toy.py"
    assert set(notebook.metadata) == {"kernelspec", "language_info", "pocketlab"}
    assert not any("execution" in found.metadata for found in notebook.cells)


def test_check_writes_nothing_and_names_what_is_stale(course):
    build_all(course)
    (course / "lib/pocketlab/data/digits.py").write_text("COUNT = 1\n")
    write(course, SOURCE.replace('"hello"', '"good day"'))
    before = {path: path.read_bytes() for path in course.glob("*/*.ipynb")}
    assert build_all(course, check=True) == ["labs/01_toy.ipynb", "solutions/01_toy.ipynb"]
    assert {path: path.read_bytes() for path in course.glob("*/*.ipynb")} == before


def test_an_edited_solution_notebook_is_stale(course):
    build_all(course)
    path = course / "solutions/01_toy.ipynb"
    path.write_text(path.read_text().replace('print(\\"hello again', 'print(\\"hello, edited', 1))
    assert build_all(course, check=True) == ["solutions/01_toy.ipynb"]


def test_only_the_lab_whose_library_changed_runs_again(course):
    (course / "lib/pocketlab/data/digits.py").write_text("COUNT = 1\n")
    write(course, "# %%\nfrom pocketlab.data.digits import COUNT\nprint(COUNT)\n", "02_digits.py")
    build_all(course)
    (course / "lib/pocketlab/data/digits.py").write_text("COUNT = 2\n")
    assert build_all(course) == ["solutions/02_digits.ipynb"]
    assert nbformat.read(course / "solutions/02_digits.ipynb", as_version=4).cells[0].outputs[0].text == "2\n"


def test_only_takes_the_start_of_a_name(course):
    write(course, "# %%\nprint(2)\n", "02_other.py")
    assert build_all(course, only="02") == ["labs/02_other.ipynb", "solutions/02_other.ipynb"]


def test_a_notebook_without_source_is_told(course):
    build_all(course)
    (course / "solutions/01_toy.py").unlink()
    with pytest.raises(BuildError, match=r"labs/01_toy.ipynb has no source"):
        build_all(course, check=True)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("import os; print(os.getcwd())", "names a folder of this machine"),
        ("import pathlib; print('see', pathlib.Path.home() / 'x')", "names a folder of this machine"),
        ("import tempfile; tempfile.gettempdir() + '/x.tflite'", "names a folder of this machine"),
        (
            "import base64, os\nfrom IPython.display import HTML, display\n"
            "image = base64.b64encode(os.urandom(60_001)).decode()\n"
            'display(HTML(f\'<img alt="noise" src="data:image/png;base64,{image}">\'))',
            "60 kB; the limit is 60 kB",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the kernel stopped"),
    ],
)
def test_a_solution_that_cannot_be_published_is_told_with_its_cell(course, code, told):
    path = write(course, f"# %%\n{code}\n")
    with pytest.raises(BuildError, match=told) as raised:
        build_all(course)
    assert "solutions/01_toy.py: " in str(raised.value)
    assert not path.with_suffix(".ipynb").exists()


@pytest.mark.parametrize(("status", "refused"), [("not yet", True), ("to do", True), ("passed", False)])
def test_a_solution_that_does_not_pass_its_own_check_is_refused(course, status, refused):
    shutil.rmtree(course / "lib/pocketlab")  # the kernel takes the real library
    code = f"from pocketlab.course.progress import ProgressStore\nProgressStore().record_attempt('01.1', '{status}')"
    write(course, f"# %%\n{code}\n")
    if refused:
        with pytest.raises(BuildError, match=f"exercise 01.1 is not passed but {status}"):
            build_all(course)
    else:
        assert len(build_all(course)) == 2


def test_outputs_keep_small_figures_and_lose_color_codes_and_live_widgets(course):
    write(
        course,
        r"""
        # %%
        import base64, ipywidgets
        from IPython.display import HTML, display
        print("\x1b[31mred\x1b[0m src/tmp/x /rooted")
        display(HTML('<img alt="a" src="data:image/png;base64,' + base64.b64encode(b"/tmp/" * 9_000).decode() + '">'))
        display(ipywidgets.HTML("moving"))
        """,
    )
    build_all(course)
    notebook = nbformat.read(course / "solutions/01_toy.ipynb", as_version=4)
    text, figure, widget = notebook.cells[0].outputs
    assert text.text == "red src/tmp/x /rooted\n"
    assert figure.data["text/html"].startswith("<img alt")
    assert list(widget.data) == ["text/plain"]
    assert "widgets" not in notebook.metadata


def test_the_closure_follows_every_kind_of_import(tmp_path):
    files = {
        "__init__.py": "",
        "a.py": "def f():\n    from .b import c\n",
        "b/__init__.py": "from .c import one\n",
        "b/c.py": "from ..d import two\nimport pocketlab.e as e\n",
        "d.py": "",
        "e.py": "import subprocess\nsubprocess.run(['python', '-m', 'pocketlab.child'])\n",
        "child.py": "import numpy\n",
        "unused.py": "",
        "course/__init__.py": "",
        "course/exercises/__init__.py": "",
        "course/exercises/lab07.py": "",
        "course/exercises/lab08.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "pocketlab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = closure(imported_names("from pocketlab import a\nlab = Lab('07')\n"), tmp_path)
    files_found = {str(path.relative_to(tmp_path / "pocketlab")) for path in found.values()}
    assert files_found == set(files) - {"unused.py", "course/exercises/lab08.py"}

    before = lab_hash("from pocketlab import a\n", tmp_path)
    (tmp_path / "pocketlab/unused.py").write_text("x = 1\n")
    assert lab_hash("from pocketlab import a\n", tmp_path) == before
    (tmp_path / "pocketlab/child.py").write_text("import torch\n")
    assert lab_hash("from pocketlab import a\n", tmp_path) != before
