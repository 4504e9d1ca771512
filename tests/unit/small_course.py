"""A course folder of one lab with two exercises, for tests of the commands that work on course folders."""

import nbformat

from pocketlab.course.build import learner_notebook
from pocketlab.course.catalogue import find_lab

LAB = find_lab("01")

SOURCE = """\
# %% [markdown]
# # Lab 01

# %%
from pocketlab.course.progress import ProgressStore


class SmallLab:
    def check(self, exercise_id, answer):
        try:
            status, hint = ("passed", None) if answer(2) == 4 else ("not yet", "Two and two is four.")
        except NotImplementedError:
            status, hint = "to do", None
        ProgressStore().record_attempt(exercise_id, status, hint)


lab = SmallLab()

# %% [markdown]
# ## Exercise 01.1

# %%
def double(x):
    ### BEGIN SOLUTION
    #: factor = ...
    return 2 * x
    ### END SOLUTION


lab.check("01.1", double)

# %% [markdown]
# ## Exercise 01.2

# %%
def square(x):
    ### BEGIN SOLUTION
    return x * x
    ### END SOLUTION


lab.check("01.2", square)

# %%
print("The end.")
"""


def make(root, source=SOURCE):
    """Write the course's source and the learner's notebook under `root`."""
    for folder in ("labs", "solutions", "lib/pocketlab"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    LAB.source(root).write_text(source)
    nbformat.write(learner_notebook(LAB.source(root)), LAB.notebook(root))
    return root


def read(root):
    return nbformat.read(LAB.notebook(root), as_version=4)


def edit(root, change):
    """Apply a change to the learner's notebook, as the learner's editor would."""
    notebook = read(root)
    change(notebook)
    nbformat.write(notebook, LAB.notebook(root))


def answer(root, exercise, text):
    """Write an answer into an exercise's cell."""

    def change(notebook):
        cell = next(cell for cell in notebook.cells if cell.id == f"exercise-{exercise.replace('.', '-')}")
        cell.source = f"{text}\n\nlab.check({exercise!r}, {text.split()[1].split('(')[0]})"

    edit(root, change)


def code_cell(cell_id, source):
    """A code cell that has not run."""
    return nbformat.v4.new_code_cell(source, id=cell_id)
