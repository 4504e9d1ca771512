import json
import subprocess
import sys
from pathlib import Path

import progress_writer
import pytest

from pocketlab.course.progress import ProgressStore, home
from pocketlab.course.records import ExerciseRecord, Progress, merge

KILLS = 200


@pytest.fixture
def store(tmp_path):
    return ProgressStore(tmp_path / "home")


def test_home_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("POCKETLAB_HOME", str(tmp_path))
    assert home() == tmp_path
    assert ProgressStore().path == tmp_path / "progress.json"
    monkeypatch.delenv("POCKETLAB_HOME")
    assert home() == Path.home() / ".pocketlab"


def test_import_pulls_in_no_array_library():
    code = (
        "import sys, pocketlab.course.progress; print([m for m in ('numpy', 'torch', 'IPython') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_nothing_recorded_yet(store):
    assert store.read() == Progress()
    assert store.lab_summary("01") == (0, 0, 0.0)
    assert not store.path.exists()
    assert store.take_notices() == []


def test_the_file_has_the_documented_form(store):
    store.record_attempt("01.2", "not yet", hint="The zero point is not clamped.")
    store.record_prediction("01.P1", "b")
    store.record_quiz("01.Q1", [0, 2], correct=False)
    store.add_time("01", 12.5)
    document = json.loads(store.path.read_text())
    lab = document["labs"]["01"]
    assert document["version"] == 1
    assert lab["exercises"] == {
        "01.2": {
            "status": "not yet",
            "attempts": 1,
            "first_passed": None,
            "last_hint": "The zero point is not clamped.",
        }
    }
    assert lab["predictions"]["01.P1"]["choice"] == "b"
    assert lab["quizzes"]["01.Q1"] == {"choice": [0, 2], "correct": False, "attempts": 1}
    assert lab["seconds"] == 12.5
    assert lab["last_opened"].endswith("+00:00")


def test_another_store_reads_what_one_wrote(store):
    store.record_attempt("09a.1", "passed")
    store.record_quiz("09a.Q1", 1, correct=True)
    assert ProgressStore(store.home).read() == store.read()
    assert ProgressStore(store.home).lab_summary("09a") == (1, 1, 0.0)


def test_passed_stays_passed_and_attempts_count_on(store):
    store.record_attempt("01.1", "not yet", hint="sign")
    store.record_attempt("01.1", "passed")
    first = store.read().lab("01").exercises["01.1"].first_passed
    store.record_attempt("01.1", "not yet", hint="offset")
    assert store.read().lab("01").exercises["01.1"] == ExerciseRecord("passed", 3, first, "offset")
    assert first is not None


def test_an_untouched_stub_is_no_attempt(store):
    store.record_attempt("01.1", "to do")
    store.record_attempt("01.2", "not yet")
    store.record_attempt("01.3", "passed")
    assert store.lab_summary("01") == (1, 2, 0.0)


def test_a_quiz_answered_once_stays_correct(store):
    store.record_quiz("01.Q1", 2, correct=True)
    store.record_quiz("01.Q1", 0, correct=False)
    quiz = store.read().lab("01").quizzes["01.Q1"]
    assert (quiz.choice, quiz.correct, quiz.attempts) == (0, True, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.record_attempt("01.1", "done"),
        lambda store: store.record_prediction("01.P1", {"a": 1}),
        lambda store: store.record_quiz("01.Q1", 1.5, correct=True),
        lambda store: store.add_time("01", float("nan")),
        lambda store: store.add_time("01", -1),
    ],
)
def test_what_the_file_cannot_hold_is_refused_before_it_is_recorded(store, call):
    with pytest.raises(ValueError, match=r"choice|status|seconds"):
        call(store)
    assert not store.path.exists()
    store.record_attempt("01.1", "passed")
    assert store.lab_summary("01")[0] == 1


def test_merge_says_whether_it_is_written(store, tmp_path):
    other = ProgressStore(tmp_path / "other")
    other.record_attempt("01.1", "passed")
    store.path.mkdir(parents=True)  # a file cannot be written over a folder
    assert not store.merge(other.read())
    store.path.rmdir()
    assert store.merge(Progress())
    assert ProgressStore(store.home).lab_summary("01") == (1, 1, 0.0)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 40, b"[1, 2]", b'"text"', b"[" * 100_000, b'{"labs": {}}'])
def test_a_file_that_is_no_progress_is_set_aside(store, content):
    store.home.mkdir()
    store.path.write_bytes(content)
    assert store.read() == Progress()
    store.record_attempt("01.1", "passed")
    (notice,) = store.take_notices()
    (aside,) = store.home.glob("progress.damaged-*.json")
    assert aside.read_bytes() == content
    assert str(aside) in notice
    assert ProgressStore(store.home).lab_summary("01")[0] == 1
    assert store.take_notices() == []


def test_every_truncation_is_noticed_and_kept(store):
    store.record_attempt("01.1", "passed")
    whole = store.path.read_bytes().rstrip()
    for length in range(0, len(whole), 7):
        store.path.write_bytes(whole[:length])
        store.read()
        assert len(store.take_notices()) == 1
        asides = {aside: aside.read_bytes() for aside in store.home.glob("progress.damaged-*.json")}
        assert list(asides.values()) == [whole[:length]]
        for aside in asides:
            aside.unlink()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "done"), ("status", 3), ("status", []), ("attempts", "2"), ("attempts", -1), ("attempts", True),
        ("attempts", 1.5), ("first_passed", 7), ("last_hint", {}),
    ],
)  # fmt: skip
def test_a_record_of_the_wrong_type_costs_only_itself(store, field, value):
    store.record_attempt("01.1", "not yet")
    store.record_attempt("01.2", "passed")
    store.add_time("01", 3.0)
    document = json.loads(store.path.read_text())
    document["labs"]["01"]["exercises"]["01.1"][field] = value
    store.path.write_text(json.dumps(document))
    assert set(store.read().lab("01").exercises) == {"01.2"}
    assert store.read().lab("01").seconds == 3.0
    assert len(store.take_notices()) == 1
    (aside,) = store.home.glob("progress.damaged-*.json")
    assert json.loads(aside.read_text()) == document


@pytest.mark.parametrize("seconds", ["12", None, float("inf"), float("nan"), 10**400, -2])
def test_a_wrong_time_costs_only_the_time(store, seconds):
    store.record_attempt("01.1", "passed")
    document = json.loads(store.path.read_text())
    document["labs"]["01"]["seconds"] = seconds
    store.path.write_text(json.dumps(document))
    assert store.lab_summary("01") == (1, 1, 0.0)
    assert len(store.take_notices()) == 1


@pytest.mark.parametrize("wrong", [[], 3, None, {"01": 5}, {"01": {"exercises": []}}])
def test_labs_of_the_wrong_type(store, wrong):
    store.home.mkdir()
    store.path.write_text(json.dumps({"version": 1, "labs": wrong}))
    assert store.lab_summary("01") == (0, 0, 0.0)
    assert len(store.take_notices()) == 1


def test_two_damaged_files_in_one_second_are_both_kept(store):
    store.home.mkdir()
    for content in (b"one", b"two", b"three"):
        store.path.write_bytes(content)
        store.read()
    kept = {aside.read_bytes() for aside in store.home.glob("progress.damaged-*.json")}
    assert kept == {b"one", b"two", b"three"}


def test_a_newer_version_is_not_touched(store):
    store.home.mkdir()
    content = b'{"version": 2, "labs": {"01": "of a form unknown today"}}'
    store.path.write_bytes(content)
    store.record_attempt("01.1", "passed")
    store.record_attempt("01.2", "passed")
    assert store.path.read_bytes() == content
    assert len(store.take_notices()) == 1
    assert store.lab_summary("01")[0] == 2
    assert sorted(path.name for path in store.home.iterdir()) == ["progress.json", "progress.lock"]


def test_a_home_that_cannot_be_made_costs_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = ProgressStore(tmp_path / "file" / "home")
    store.record_attempt("01.1", "passed")
    store.record_attempt("01.2", "passed")
    assert len(store.take_notices()) == 1
    assert store.lab_summary("01")[0] == 2
    (tmp_path / "file").unlink()
    store.record_attempt("01.3", "passed")
    assert ProgressStore(store.home).lab_summary("01")[0] == 3


def test_an_unreadable_file_is_left_alone(store):
    store.path.mkdir(parents=True)
    store.record_attempt("01.1", "passed")
    assert len(store.take_notices()) == 1
    assert store.lab_summary("01")[0] == 1
    assert store.path.is_dir()


def test_a_full_disk(tmp_path):
    writer = _start("write_on_a_full_disk", tmp_path)
    assert writer.communicate()[0] == ""
    assert writer.returncode == 0


def test_a_linked_file_stays_a_link(store, tmp_path):
    store.home.mkdir()
    (tmp_path / "real.json").write_bytes(Progress().to_json())
    store.path.symlink_to(tmp_path / "real.json")
    store.record_attempt("01.1", "passed")
    assert store.path.is_symlink()
    assert "01.1" in (tmp_path / "real.json").read_text()


def test_two_processes_at_once_lose_nothing(tmp_path):
    writers = [_start("write_many", tmp_path, lab, "200") for lab in ("01", "02")]
    for writer in writers:
        writer.communicate()
    store = ProgressStore(tmp_path)
    assert [store.lab_summary(lab)[0] for lab in ("01", "02")] == [200, 200]


def test_a_writer_killed_200_times_loses_nothing_it_acknowledged(tmp_path):
    killer = _start("kill_writers", tmp_path, str(KILLS))
    seen = json.loads(killer.communicate()[0])
    store = ProgressStore(tmp_path)
    exercises = store.read().lab("01").exercises
    recorded = [exercises[f"01.{kill}"].attempts for kill in range(KILLS)]
    # An attempt may be on disk before the writer could say so, but only the one in hand when it was killed.
    surplus = [disk - said for disk, said in zip(recorded, seen["acknowledged"], strict=True)]
    assert set(surplus) <= {0, 1}
    assert seen["torn"] > 0, "no kill fell into a write: the test proves nothing"
    assert store.take_notices() == []
    store.add_time("01", 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["progress.json", "progress.lock"]


def _start(name, *arguments):
    command = [sys.executable, progress_writer.__file__, name, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_merge_keeps_the_better_of_both():
    ours, theirs = Progress(), Progress()
    ours.lab("01").exercises = {
        "01.1": ExerciseRecord("passed", 2, "2026-02-01T00:00:00+00:00"),
        "01.2": ExerciseRecord("not yet", 9, None, "hint"),
    }
    theirs.lab("01").exercises = {
        "01.1": ExerciseRecord("passed", 5, "2026-01-01T00:00:00+00:00"),
        "01.2": ExerciseRecord("passed", 3, "2026-03-01T00:00:00+00:00"),
        "01.3": ExerciseRecord("not yet", 1),
    }
    ours.lab("01").seconds, theirs.lab("01").seconds = 10.0, 4.0
    merge(ours, theirs)
    assert ours.lab("01").exercises == {
        "01.1": ExerciseRecord("passed", 5, "2026-01-01T00:00:00+00:00"),
        "01.2": ExerciseRecord("passed", 9, "2026-03-01T00:00:00+00:00"),
        "01.3": ExerciseRecord("not yet", 1),
    }
    assert ours.lab("01").seconds == 10.0
    ours.lab("01").exercises["01.3"].attempts = 7
    assert theirs.lab("01").exercises["01.3"].attempts == 1


def test_merging_twice_changes_nothing_more(store):
    other = Progress()
    other.lab("02").exercises["02.1"] = ExerciseRecord("passed", 4, "2026-01-01T00:00:00+00:00")
    store.merge(other)
    once = store.path.read_bytes()
    store.merge(other)
    assert store.path.read_bytes() == once
