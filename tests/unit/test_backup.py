import hashlib
import json
import os
import re
import stat
import struct
import subprocess
import sys
import unicodedata
import zipfile

import pytest

from pocketlab.course import archive, backup
from pocketlab.course.backup import restore_work, save_work
from pocketlab.course.progress import ProgressStore
from pocketlab.errors import PocketlabError


class Place:
    """A course folder and a home folder, as on one machine."""

    def __init__(self, folder, monkeypatch):
        self.root, self.home = folder / "course", folder / "home"
        (self.root / "labs").mkdir(parents=True)
        (self.root / "lib" / "pocketlab").mkdir(parents=True)
        self.monkeypatch = monkeypatch

    def enter(self):
        self.monkeypatch.setenv("POCKETLAB_COURSE", str(self.root))
        self.monkeypatch.setenv("POCKETLAB_HOME", str(self.home))
        return self

    def write(self, name, content):
        path = backup._place(name, labs=self.root / "labs", others=self.home)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def content(self):
        """All that is there by path, except locks and progress."""
        return {
            str(path.relative_to(self.root.parent)): path.read_bytes()
            for path in sorted(self.root.parent.rglob("*"))
            if path.is_file() and path.suffix != ".lock" and path.name != "progress.json"
        }


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A machine on which somebody has worked."""
    place = Place(tmp_path / "here", monkeypatch).enter()
    place.write("labs/01_core_ml_and_litert.ipynb", '{"my": "answers"}')
    place.write("labs/answers/01.3-20260101-120000.py", "def old(): ...")
    place.write("artifacts/01/net-0123456789ab.tflite", "weights")
    place.write("artifacts/01/net-0123456789ab.mlpackage/Data/weights/weight.bin", "more weights")
    place.write("artifacts/01/net-0123456789ab.mlpackage/Manifest.json", "{}")
    store = ProgressStore()
    store.record_attempt("01.1", "passed")
    store.record_attempt("01.2", "not yet")
    return place


@pytest.fixture
def there(tmp_path, monkeypatch):
    """Another machine with a fresh course; call enter() to be on it."""
    place = Place(tmp_path / "there", monkeypatch)
    place.write("labs/01_core_ml_and_litert.ipynb", '{"my": "stubs"}')
    return place


@pytest.fixture
def saved(here, tmp_path):
    return save_work(tmp_path / "work.zip")


def rewritten(saved, change=lambda members: None, listed=lambda manifest: None, **options):
    """The zip with its members changed and a manifest that agrees with them, unless `listed` changes it too."""
    with zipfile.ZipFile(saved) as file:
        members = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(members.pop(archive.MANIFEST))
    change(members)
    manifest["members"] = {name: {"sha256": hashlib.sha256(data).hexdigest()} for name, data in members.items()}
    listed(manifest)
    with zipfile.ZipFile(saved, "w", **options) as file:
        for name, data in [*members.items(), (archive.MANIFEST, json.dumps(manifest).encode())]:
            info = zipfile.ZipInfo(name)
            info.compress_type = file.compression
            with file.open(info, "w") as member:
                member.write(data)
    return saved


def assert_refused(place, source, reason):
    """One sentence, and nothing has changed or been left."""
    before, progress = place.content(), ProgressStore().read()
    with pytest.raises(PocketlabError, match=reason) as caught:
        restore_work(source)
    assert "\n" not in str(caught.value)
    assert place.content() == before
    assert ProgressStore().read() == progress


def test_saved_here_restored_there(here, there, saved):
    there.enter()
    ProgressStore().record_attempt("01.2", "passed")
    report = restore_work(saved)
    kept = [name for name in there.content() if "before-restore" in name]
    expected = here.content() | {kept[0]: b'{"my": "stubs"}'}
    assert there.content() == expected
    assert re.fullmatch(r"course/labs/01_core_ml_and_litert\.before-restore-\d{8}-\d{6}\.ipynb", kept[0])
    assert [str(path) for path in report.kept_beside] == [str(there.root.parent / kept[0])]
    assert ProgressStore().lab_summary("01")[0] == 2
    assert len(report.restored) == 4
    assert report.notices == ()
    assert kept[0] in str(report)


def test_bytes_of_an_upload(there, saved):
    there.enter()
    assert len(restore_work(saved.read_bytes()).restored) == 4


def test_restoring_twice_changes_nothing_more(there, saved):
    there.enter()
    restore_work(saved)
    content, progress = there.content(), ProgressStore().read()
    report = restore_work(saved)
    assert report.restored == report.kept_beside == ()
    assert len(report.unchanged) == 4
    assert (there.content(), ProgressStore().read()) == (content, progress)


def test_an_artifact_that_differs_is_kept_beside_as_a_whole(there, saved):
    there.enter()
    there.write("artifacts/01/net-0123456789ab.mlpackage/Manifest.json", "{}")
    there.write("artifacts/01/net-0123456789ab.mlpackage/Data/weights/weight.bin", "others")
    report = restore_work(saved)
    (kept,) = [path for path in report.kept_beside if path.suffix == ".mlpackage"]
    assert (kept / "Data/weights/weight.bin").read_text() == "others"
    restored = there.home / "artifacts/01/net-0123456789ab.mlpackage"
    assert (restored / "Data/weights/weight.bin").read_text() == "more weights"


def test_only_the_learners_files_are_saved(here, tmp_path):
    here.write("labs/.ipynb_checkpoints/01-checkpoint.ipynb", "{}")
    here.write("labs/notes.txt", "not a notebook")
    here.write("artifacts/01/.net.lock", "")
    here.write("artifacts/01/.building-net/net", "half")
    (here.home / "artifacts/01/link").symlink_to("/etc/hostname")
    with zipfile.ZipFile(save_work(tmp_path / "work.zip")) as file:
        assert sorted(file.namelist()) == [
            "artifacts/01/net-0123456789ab.mlpackage/Data/weights/weight.bin",
            "artifacts/01/net-0123456789ab.mlpackage/Manifest.json",
            "artifacts/01/net-0123456789ab.tflite",
            "labs/01_core_ml_and_litert.ipynb",
            "labs/answers/01.3-20260101-120000.py",
            "manifest.json",
            "progress.json",
        ]
        manifest = json.loads(file.read("manifest.json"))
        for name, entry in manifest["members"].items():
            assert entry == {"sha256": hashlib.sha256(file.read(name)).hexdigest(), "bytes": len(file.read(name))}
    assert {"format", "pocketlab", "python", "saved"} <= manifest.keys()


NOT_ON_MACOS = {
    "labs/A.ipynb", "labs/caf\u00e9.ipynb", "artifacts/01/Net", "artifacts/01/Net/a", "labs/not utf-8 \udcff.ipynb",
    "labs/" + "X" * 249 + ".ipynb",
}  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        ["labs/Lab 1: mine.ipynb"],
        ["labs/A.ipynb", "labs/a.ipynb", "labs/a-2.ipynb"],
        ["labs/a\\b.ipynb", "labs/a:b.ipynb", "labs/a_b.ipynb"],
        ["labs/a\tb\n.ipynb"],
        ["labs/caf\u00e9.ipynb", "labs/cafe\u0301.ipynb"],
        ["labs/" + "X" * 249 + ".ipynb", "labs/" + "x" * 249 + ".ipynb"],
        ["labs/answers/01.3: old.py"],
        ["artifacts/01/model: v2.tflite"],
        ["artifacts/01/Net", "artifacts/01/net/weights"],
        ["artifacts/01/Net/a", "artifacts/01/net/a", "artifacts/01/net/b"],
        ["artifacts/01/" + "deep folder/" * 40 + "weights", "artifacts/01/" + "deep folder/" * 40 + "weighed"],
        ["labs/not utf-8 \udcff.ipynb"],
    ],
)
def test_whatever_the_files_are_called_the_zip_restores(here, there, tmp_path, names):
    if sys.platform == "darwin" and names[0] in NOT_ON_MACOS:
        pytest.skip("macOS cannot have such files")
    for index, name in enumerate(names):
        here.write(name, f"work {index}")
    saved = save_work(tmp_path / "work.zip")
    with zipfile.ZipFile(saved) as file:
        on_macos = {unicodedata.normalize("NFC", name.casefold()) for name in file.namelist()}
        assert len(on_macos) == len(file.namelist())
    there.enter()
    assert len(restore_work(saved).restored) == 4 + len({backup._unit(name) for name in names})
    restored = there.content().values()
    assert all(f"work {index}".encode() in restored for index in range(len(names)))


def test_a_zip_that_does_not_read_back_is_not_left_as_one(here, tmp_path, monkeypatch):
    """As when the disk keeps something else than what was written to it."""
    write = backup._write_zip

    def damage(file, members):
        write(file, members)
        file.seek(60)
        file.write(b"\xff\xff")

    monkeypatch.setattr(backup, "_write_zip", damage)
    with pytest.raises(PocketlabError, match="does not read back"):
        save_work(tmp_path / "work.zip")
    assert not list(tmp_path.glob("work*"))


def test_the_default_name_is_dated_and_never_overwrites(here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backup, "timestamp", lambda: "20260101-120000")
    assert save_work() == tmp_path / "pocketlab-work-20260101-120000.zip"
    assert save_work() == tmp_path / "pocketlab-work-20260101-120000-2.zip"


def test_nothing_done_yet_can_be_saved_and_restored(there, tmp_path):
    there.enter()
    report = restore_work(save_work(tmp_path / "work.zip"))
    assert report.restored == ()


def test_work_that_no_restore_would_take_is_not_saved(here, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "LIMIT_BYTES", 10)
    with pytest.raises(PocketlabError, match="are the limit"):
        save_work(tmp_path / "work.zip")
    assert not list(tmp_path.glob("work*"))


def test_a_folder_that_cannot_be_written(here, tmp_path):
    with pytest.raises(PocketlabError, match="Try another folder"):
        save_work(tmp_path / "no such folder" / "work.zip")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.ipynb", "labs/../../evil.ipynb", "/etc/evil.ipynb", "labs//evil.ipynb", "labs/./evil.ipynb",
        "artifacts/01/../../../evil", "artifacts/../labs", "artifacts/01/..", "C:/evil.ipynb", "labs\\..\\evil.ipynb",
        "artifacts/01/a\nb", "~/evil.ipynb", "", "labs/" + "x" * 500 + ".ipynb",
    ],
)  # fmt: skip
def test_a_path_that_leads_elsewhere(there, saved, name):
    there.enter()
    assert_refused(
        there, rewritten(saved, lambda members: members.update({name: b"evil"})), "could lead out|no part of"
    )


@pytest.mark.parametrize(
    "name",
    [
        "lib/pocketlab/errors.py", "labs/evil.py", "labs/deep/evil.ipynb", "labs/.hidden.ipynb", "artifacts/evil",
        "artifacts/01/.hidden", "labs/answers/evil.ipynb", "progress.lock", ".bashrc", "labs/answers/deep/evil.py",
    ],
)  # fmt: skip
def test_a_file_that_is_no_work(there, saved, name):
    there.enter()
    assert_refused(there, rewritten(saved, lambda members: members.update({name: b"evil"})), "no part of")


def test_a_symbolic_link(there, saved):
    there.enter()
    rewritten(saved)
    with zipfile.ZipFile(saved) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(saved, "w") as file:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK if name.endswith(".tflite") else stat.S_IFREG) << 16
            file.writestr(info, data)
    assert_refused(there, saved, "symbolic link")


def test_two_files_of_one_name(there, saved):
    there.enter()
    upper = "labs/01_CORE_ML_AND_LITERT.ipynb"
    assert_refused(there, rewritten(saved, lambda members: members.update({upper: b"{}"})), "same name")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(saved, "a") as file:
        file.writestr(upper, b"{}")
    assert_refused(there, saved, "same name")


def test_a_file_inside_a_file(there, saved):
    there.enter()
    inside = {"artifacts/02/net": b"", "artifacts/02/net/weights": b""}
    assert_refused(there, rewritten(saved, lambda members: members.update(inside)), "inside something")


def test_a_bomb_by_ratio(there, saved):
    there.enter()
    bomb = {"artifacts/01/zeros": bytes(50_000_000)}
    rewritten(saved, lambda members: members.update(bomb), compression=zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < 100_000
    assert_refused(there, saved, "200 times is the limit")


def test_a_bomb_by_size(there, saved):
    there.enter()
    patched = _with_declared_size(rewritten(saved).read_bytes(), "artifacts/01/net-0123456789ab.tflite", 3_000_000_000)
    assert_refused(there, patched, "3.0 GB; 2 GB is the limit")


def test_a_bomb_that_declares_too_little_is_cut_off(there, saved):
    there.enter()
    member = "artifacts/01/zeros"
    rewritten(saved, lambda members: members.update({member: bytes(1_000_000)}), compression=zipfile.ZIP_DEFLATED)
    assert_refused(there, _with_declared_size(saved.read_bytes(), member, 10), "zeros in the zip is damaged")


def _with_declared_size(data, member, size):
    """The zip's bytes with another unpacked size in the central directory (APPNOTE 4.3.12: 24 bytes into the header)."""
    name = member.encode()
    header = data.rindex(name) - 46
    assert data[header : header + 4] == b"PK\x01\x02"
    return data[: header + 24] + struct.pack("<I", size) + data[header + 28 :]


def test_too_many_files(there, saved, monkeypatch):
    there.enter()
    monkeypatch.setattr(archive, "LIMIT_MEMBERS", 3)
    assert_refused(there, saved, "3 is the limit")


def test_a_wrong_hash_late_in_the_zip_restores_nothing(there, saved):
    there.enter()

    def wrong(manifest):
        last = list(manifest["members"])[-1]
        manifest["members"][last]["sha256"] = "0" * 64

    assert_refused(there, rewritten(saved, listed=wrong), "not what its manifest says")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda manifest: manifest["members"].popitem(), "disagree"),
        (lambda manifest: manifest["members"].update({"labs/missing.ipynb": {"sha256": ""}}), "disagree"),
        (lambda manifest: manifest["members"].update({"progress.json": "text"}), "disagree"),
        (lambda manifest: manifest.update(format=2), "newer Pocketlab"),
        (lambda manifest: manifest.update(members=[]), "no readable manifest"),
        (lambda manifest: manifest.clear(), "no readable manifest"),
    ],
)
def test_a_manifest_that_does_not_fit(there, saved, change, reason):
    there.enter()
    assert_refused(there, rewritten(saved, listed=change), reason)


def test_no_manifest(there, tmp_path):
    there.enter()
    for name, data in [("labs/x.ipynb", b"{}"), ("manifest.json", b"\xff"), ("manifest.json", b"[" * 100_000)]:
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
            file.writestr(name, data)
        assert_refused(there, tmp_path / "other.zip", "no readable manifest")


def test_not_a_zip(there, tmp_path):
    there.enter()
    (tmp_path / "text.zip").write_text("hello")
    assert_refused(there, tmp_path / "text.zip", "not a zip")
    assert_refused(there, b"", "upload is not a zip")
    assert_refused(there, tmp_path / "missing.zip", "cannot be read")
    assert_refused(there, tmp_path, "cannot be read")


def test_every_damage_is_refused_or_harmless(there, saved):
    """A byte turned over anywhere: refused in one sentence, or (in dates and the like) restored as it was saved."""
    there.enter()
    data = saved.read_bytes()
    restore_work(data)
    content = there.content()
    refused = 0
    for position in range(0, len(data), 11):
        try:
            restore_work(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        except PocketlabError:
            refused += 1
        assert there.content() == content
    assert refused > len(data) // 11 // 2


def test_every_truncation_is_refused(there, saved):
    there.enter()
    data = saved.read_bytes()
    for length in range(0, len(data), 97):
        assert_refused(there, data[:length], "not a zip")


def test_progress_from_a_newer_course_is_refused(there, saved):
    there.enter()
    newer = {"progress.json": b'{"version": 99, "labs": {}}'}
    assert_refused(there, rewritten(saved, lambda members: members.update(newer)), "newer Pocketlab")


def test_damaged_progress_in_the_zip_is_told_and_the_rest_restored(there, saved):
    there.enter()
    report = restore_work(rewritten(saved, lambda members: members.update({"progress.json": b"{"})))
    assert len(report.restored) == 4
    assert "damaged" in report.notices[0]


def test_progress_that_cannot_be_written_is_not_called_merged(there, saved):
    there.enter()
    newer = '{"version": 99, "labs": {}}'
    there.write("progress.json", newer)
    report = restore_work(saved)
    assert len(report.restored) == 4
    assert "is merged" not in str(report)
    assert str(report).index("newer Pocketlab") < str(report).index("is not merged: restore the zip again")
    assert (there.home / "progress.json").read_text() == newer
    (there.home / "progress.json").unlink()
    assert "Your progress is merged." in str(restore_work(saved))
    assert ProgressStore().lab_summary("01")[0] == 1


def test_a_disk_that_fails_in_the_last_step_undoes_the_others(there, saved):
    there.enter()
    there.write("artifacts/01", "a file where a folder must be")
    assert_refused(there, saved, "Nothing was restored")
    assert (there.root / "labs/01_core_ml_and_litert.ipynb").read_text() == '{"my": "stubs"}'


def test_a_full_disk_restores_nothing(there, saved):
    there.enter()
    code = (
        "import resource, sys; from pathlib import Path; from pocketlab.course.backup import restore_work;"
        "from pocketlab.errors import PocketlabError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))\n"
        "try: restore_work(Path(sys.argv[1]))\n"
        "except PocketlabError as error: print(error)"
    )
    before = there.content()
    done = subprocess.run([sys.executable, "-c", code, str(saved)], capture_output=True, text=True, env=os.environ)
    assert done.stdout.startswith("Nothing was restored"), done
    assert there.content() == before
    assert not list(there.root.parent.rglob(".restoring-*"))


def test_what_a_killed_restore_left_is_removed(there, saved):
    there.enter()
    for folder in (there.root / "labs", there.home):
        (folder / ".restoring-0123").mkdir(parents=True)
        (folder / ".restoring-0123" / "x.ipynb").touch()
    restore_work(saved)
    assert not list(there.root.parent.rglob(".restoring-*"))
