import json
import os
import shutil
import subprocess

import nbformat
import pytest
import small_course

from pocketlab.course import update
from pocketlab.course.update import update_course
from pocketlab.errors import PocketlabError

NAME = f"labs/{small_course.LAB.slug}.ipynb"
MINE = "def double(x):\n    return x + x  # mine"


def git(folder, *arguments):
    identity = ["-c", "user.name=Author", "-c", "user.email=author@example.org"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def authors(tmp_path, monkeypatch):
    """The authors' clone of the course, whose origin is a bare repository."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(tmp_path, "init", "--bare", "--initial-branch=main", "remote.git")
    git(tmp_path, "clone", "remote.git", "authors")
    git(tmp_path / "authors", "switch", "-c", "main")
    small_course.make(tmp_path / "authors")
    (tmp_path / "authors/lib/pocketlab/__init__.py").touch()
    (tmp_path / "authors/README.md").write_text("Version 1\n")
    publish(tmp_path / "authors")
    return tmp_path / "authors"


@pytest.fixture
def learner(authors, tmp_path, monkeypatch):
    """The learner's clone, which is the course folder of this machine."""
    root = tmp_path / "learner"
    git(tmp_path, "clone", "remote.git", "learner")
    monkeypatch.setenv("POCKETLAB_COURSE", str(root))
    monkeypatch.setenv("POCKETLAB_HOME", str(tmp_path / "home"))
    return root


def publish(authors):
    git(authors, "add", "--all")
    git(authors, "commit", "--message", "A newer course")
    git(authors, "push", "origin", "main")


def append(root, text):
    small_course.edit(root, lambda notebook: notebook.cells.append(nbformat.v4.new_markdown_cell(text, id="appended")))


def test_nothing_new(learner):
    assert str(update_course()) == "The course is up to date."


def test_what_is_new_arrives(authors, learner):
    (authors / "README.md").write_text("Version 2\n")
    shutil.copy(small_course.LAB.notebook(authors), authors / "labs/02_on_device_training.ipynb")
    publish(authors)
    report = update_course()
    assert report.changed == ("README.md", "labs/02_on_device_training.ipynb")
    assert (learner / "README.md").read_text() == "Version 2\n"
    assert (learner / "labs/02_on_device_training.ipynb").exists()
    assert update_course().changed == ()


def test_an_edited_notebook_keeps_the_edits_and_gets_what_is_new(authors, learner):
    small_course.answer(learner, "01.1", MINE)
    as_it_was = (learner / NAME).read_bytes()
    append(authors, "A new last section")
    publish(authors)
    report = update_course()
    cells = {cell.id: cell.source for cell in small_course.read(learner).cells}
    assert MINE in cells["exercise-01-1"]
    assert cells["appended"] == "A new last section"
    assert report.merged == (NAME,)
    assert (report.copies / f"{small_course.LAB.slug}.ipynb").read_bytes() == as_it_was


def test_where_both_changed_the_same_cell_the_learners_stays(authors, learner):
    small_course.answer(learner, "01.1", MINE)
    small_course.answer(authors, "01.1", "def double(x):\n    raise NotImplementedError('Exercise 01.1, now harder')")
    publish(authors)
    update_course()
    assert MINE in {cell.id: cell.source for cell in small_course.read(learner).cells}["exercise-01-1"]
    assert "<<<<" not in (learner / NAME).read_text()


def test_edits_survive_several_updates(authors, learner):
    small_course.answer(learner, "01.1", MINE)
    for version in (2, 3):
        (authors / "README.md").write_text(f"Version {version}\n")
        publish(authors)
        assert update_course().merged == ()
    append(authors, "A new last section")
    publish(authors)
    assert update_course().merged == (NAME,)
    assert MINE in {cell.id: cell.source for cell in small_course.read(learner).cells}["exercise-01-1"]


def test_a_merge_that_breaks_the_notebook_is_undone(authors, learner):
    """Lines that fit together one by one, and make no JSON together."""
    lines = (learner / NAME).read_text().splitlines(keepends=True)
    last = next(index for index, line in enumerate(lines) if "The end." in line)
    (learner / NAME).write_text("".join([*lines[:2], " {\n", *lines[2:]]))
    as_it_was = (learner / NAME).read_bytes()
    lines[last] = lines[last].replace("The end.", "The very end.")
    (authors / NAME).write_text("".join(lines))
    publish(authors)
    assert update_course().not_merged == (NAME,)
    assert (learner / NAME).read_bytes() == as_it_was


def test_a_merge_that_is_no_notebook_is_undone(authors, learner):
    """Merged as text, two sides can both add a cell with the same id."""

    def add_first(text):
        return lambda notebook: notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, id="twin"))

    small_course.edit(learner, add_first("mine"))
    as_it_was = (learner / NAME).read_bytes()
    append(authors, "theirs")
    small_course.edit(authors, lambda notebook: notebook.cells[-1].update(id="twin"))
    publish(authors)
    report = update_course()
    assert report.not_merged == (NAME,)
    assert (learner / NAME).read_bytes() == as_it_was
    assert "as you had it" in str(report)


def test_notebooks_that_cannot_be_copied_are_not_touched(authors, learner, tmp_path):
    small_course.answer(learner, "01.1", MINE)
    append(authors, "A new last section")
    publish(authors)
    start = git(learner, "rev-parse", "HEAD")
    (tmp_path / "home").touch()
    assert_refused(learner, "Nothing was updated")
    assert git(learner, "rev-parse", "HEAD") == start


def test_notebooks_that_cannot_be_put_back_are_in_the_copies(authors, learner, tmp_path, monkeypatch):
    small_course.answer(learner, "01.1", MINE)
    as_it_was = (learner / NAME).read_bytes()

    def pull_on_a_failing_disk(root, url, branch):
        """git leaves something else at the notebook's place, and nothing more can be written there."""
        (learner / NAME).unlink()
        (learner / NAME).mkdir()
        raise PocketlabError("The newer course was not merged.")

    monkeypatch.setattr(update, "_pull", pull_on_a_failing_disk)
    with pytest.raises(PocketlabError, match=r"putting labs/.* back") as caught:
        update_course()
    (copies,) = (tmp_path / "home/backups").iterdir()
    assert str(copies) in str(caught.value)
    assert (copies / f"{small_course.LAB.slug}.ipynb").read_bytes() == as_it_was


def test_copies_of_other_notebooks_are_not_kept(authors, learner, tmp_path):
    (learner / "labs/mine.ipynb").write_text("my own notebook")
    (authors / "README.md").write_text("Version 2\n")
    publish(authors)
    assert update_course().copies is None
    assert list((tmp_path / "home/backups").iterdir()) == []
    small_course.answer(learner, "01.1", MINE)
    append(authors, "A new last section")
    publish(authors)
    assert [path.name for path in update_course().copies.iterdir()] == [f"{small_course.LAB.slug}.ipynb"]
    assert [path.read_text() for path in (learner / "labs").glob("mine*")] == ["my own notebook"]


def test_a_deleted_notebook_comes_back(authors, learner):
    (learner / NAME).unlink()
    report = update_course()
    assert report.brought_back == (NAME,)
    assert (learner / NAME).read_bytes() == (authors / NAME).read_bytes()


def test_a_notebook_deleted_upstream_stays_when_it_was_edited(authors, learner):
    small_course.answer(learner, "01.1", MINE)
    as_it_was = (learner / NAME).read_bytes()
    (authors / NAME).unlink()
    publish(authors)
    update_course()
    assert (learner / NAME).read_bytes() == as_it_was


def test_a_notebook_deleted_upstream_goes_when_it_was_not_edited(authors, learner):
    (authors / NAME).unlink()
    publish(authors)
    update_course()
    assert not (learner / NAME).exists()


def test_a_file_of_the_learners_in_the_way_of_a_new_one(authors, learner):
    (learner / "labs/02_on_device_training.ipynb").write_text("my own notes")
    shutil.copy(authors / NAME, authors / "labs/02_on_device_training.ipynb")
    publish(authors)
    (renamed,) = update_course().renamed
    assert (learner / renamed).read_text() == "my own notes"
    assert json.loads((learner / "labs/02_on_device_training.ipynb").read_text())["cells"]


def test_new_packages_are_pointed_out(authors, learner):
    (authors / "requirements.lock").write_text("numpy==2.3.5\n")
    publish(authors)
    assert "make lab" in str(update_course())


def test_a_shallow_clone(authors, learner, tmp_path):
    shutil.rmtree(learner)
    git(tmp_path, "clone", "--depth=1", f"file://{tmp_path}/remote.git", "learner")
    small_course.answer(learner, "01.1", MINE)
    append(authors, "A new last section")
    publish(authors)
    assert update_course().merged == (NAME,)


def assert_refused(learner, reason):
    before = (learner / NAME).read_bytes()
    with pytest.raises(PocketlabError, match=reason) as caught:
        update_course()
    assert "\n" not in str(caught.value)
    assert (learner / NAME).read_bytes() == before


def test_no_network(learner, tmp_path):
    small_course.answer(learner, "01.1", MINE)
    (tmp_path / "remote.git").rename(tmp_path / "gone.git")
    assert_refused(learner, "cannot be reached")


def test_no_remote(learner):
    git(learner, "remote", "remove", "origin")
    assert_refused(learner, "not a git clone")


def test_no_branch(learner):
    git(learner, "checkout", "--detach")
    assert_refused(learner, "not a git clone")


def test_a_branch_that_only_the_learner_has(learner):
    git(learner, "switch", "-c", "mine")
    assert_refused(learner, "no branch 'mine'")


def test_no_git_folder(learner):
    shutil.rmtree(learner / ".git")
    assert_refused(learner, "not a git clone")


def test_no_git(learner, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert_refused(learner, "git is not installed")


def test_a_busy_repository(learner):
    (learner / NAME).write_text("{}")
    (learner / ".git/index.lock").touch()
    assert_refused(learner, "were")


def test_a_merge_that_git_refuses(authors, learner):
    """A file that both sides renamed has two names, and git wants somebody to choose."""
    git(learner, "mv", "README.md", "labs/mine.md")
    git(learner, "commit", "--message", "Mine")
    small_course.answer(learner, "01.1", MINE)
    git(authors, "mv", "README.md", "labs/theirs.md")
    append(authors, "A new last section")
    publish(authors)
    assert_refused(learner, "notebooks are as they were")
    assert "<<<<" not in (learner / NAME).read_text()
    assert not (learner / ".git/MERGE_HEAD").exists()
