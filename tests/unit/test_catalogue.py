import pytest

from pocketlab.course.catalogue import LABS, course_root, find_lab
from pocketlab.errors import PocketlabError


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An empty course folder, with nothing in the environment that points to another."""
    (tmp_path / "course" / "labs").mkdir(parents=True)
    (tmp_path / "course" / "solutions").mkdir()
    (tmp_path / "course" / "lib" / "pocketlab").mkdir(parents=True)
    monkeypatch.delenv("POCKETLAB_COURSE", raising=False)
    return tmp_path / "course"


def test_25_skill_areas_and_the_start():
    numbers = [lab.number for lab in LABS]
    assert numbers == sorted(set(numbers))
    assert {number.rstrip("abc") for number in numbers} == {f"{number:02}" for number in range(26)}
    assert [number for number in numbers if number.startswith("09")] == ["09a", "09b", "09c"]
    assert all(lab.slug.startswith(f"{lab.number}_") for lab in LABS)


@pytest.mark.parametrize(("asked", "slug"), [("01", "01_core_ml_and_litert"), ("1", "01_core_ml_and_litert"),
                                             ("9a", "09a_privacy_assistant"), ("25", "25_mastery")])  # fmt: skip
def test_find_lab(asked, slug):
    assert find_lab(asked).slug == slug


@pytest.mark.parametrize("asked", ["", "9", "26", "001", "09d", "../01", "one"])
def test_a_lab_that_is_not_there(asked):
    with pytest.raises(PocketlabError, match="There is no lab"):
        find_lab(asked)


def test_a_lab_is_ready_once_its_source_or_notebook_is_there(course):
    lab = find_lab("01")
    assert not lab.is_ready(course)
    lab.source(course).touch()
    assert lab.is_ready(course)
    lab.source(course).unlink()
    lab.notebook(course).touch()
    assert lab.is_ready(course)


def test_the_root_is_found_from_inside(course, monkeypatch):
    monkeypatch.chdir(course / "labs")
    assert course_root() == course


def test_the_root_is_found_from_the_package(tmp_path, monkeypatch):
    monkeypatch.delenv("POCKETLAB_COURSE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert (course_root() / "lib" / "pocketlab" / "course" / "catalogue.py").is_file()


def test_the_environment_decides(course, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POCKETLAB_COURSE", str(course))
    assert course_root() == course
    monkeypatch.setenv("POCKETLAB_COURSE", str(tmp_path))
    with pytest.raises(PocketlabError, match="POCKETLAB_COURSE"):
        course_root()
