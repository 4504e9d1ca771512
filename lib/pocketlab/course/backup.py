"""Save a learner's work in one zip, and restore it: here, on another machine, or on Binder tomorrow."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

from filelock import FileLock

from pocketlab.course.archive import (
    CHUNK,
    FORMAT_VERSION,
    LIMIT_BYTES,
    LIMIT_MEMBERS,
    LIMIT_NAME,
    MANIFEST,
    PROGRESS,
    UNSAFE_CHARACTERS,
    ArchiveError,
    open_archive,
)
from pocketlab.course.catalogue import course_root
from pocketlab.course.files import sync_folder, timestamp, unused
from pocketlab.course.progress import ProgressStore, home
from pocketlab.course.records import NewerFormatError, Progress, parse
from pocketlab.errors import PocketlabError

_STAGING = ".restoring-"
_NOT_MERGED = "So the progress in the zip is not merged: restore the zip again when that is put right, and it will be."
_LONGEST_PART_BYTES = 150  # of a name in the zip, so that a number or a date added to it fits on every disk


@dataclass(frozen=True)
class Report:
    """What `restore_work` did. `kept_beside` are the new names of files that were here and differ from the restored."""

    restored: tuple[Path, ...]
    unchanged: tuple[Path, ...]
    kept_beside: tuple[Path, ...]
    progress_merged: bool
    notices: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"Restored {len(self.restored)} notebooks and artifacts; {len(self.unchanged)} were here already."]
        lines += [f"The one that was here is kept as {path}." for path in self.kept_beside]
        lines += ["Your progress is merged."] if self.progress_merged else []
        lines += ["Reload the notebooks that are open: File > Reload Notebook from Disk.", *self.notices]
        lines += [] if self.progress_merged else [_NOT_MERGED]
        return "\n".join(lines)


# Saving


def save_work(path: Path | None = None) -> Path:
    """Write progress, notebooks, old answers and artifacts into one zip, and return its path.

    Without `path` the zip gets a dated name in the working folder. Its members are not compressed, so that it never
    exceeds the ratio that `restore_work` allows. A file whose name would be refused there has a similar one in the zip.
    Raises PocketlabError when the work exceeds the other limits, the disk refuses, or the zip does not read back whole.
    """
    path = path or unused(Path.cwd() / f"pocketlab-work-{timestamp()}.zip")
    members = _under_safe_names(_members(course_root(), home()))
    size = sum(file.stat().st_size for file in members.values())
    if size > LIMIT_BYTES or len(members) >= LIMIT_MEMBERS:
        raise PocketlabError(
            f"Your work is {size / 1e9:.1f} GB in {len(members):,} files; {LIMIT_BYTES / 1e9:.0f} GB and {LIMIT_MEMBERS:,} "
            f"files are the limit: delete artifacts that a lab can build again from {home() / 'artifacts'}."
        )
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            _write_zip(file, members)
            file.flush()
            os.fsync(file.fileno())
        with open_archive(temporary) as archive:
            archive.verify()
        os.replace(temporary, path)
    except ArchiveError as error:
        raise PocketlabError(f"Your work is not saved, because the zip does not read back: {error}") from error
    except OSError as error:
        raise PocketlabError(f"Your work cannot be saved as {path}: {error.strerror}. Try another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return path


def _members(root: Path, home: Path) -> dict[str, Path]:
    """Every file of the learner, by its name in the zip. Hidden files and links are no work of theirs."""
    members = {PROGRESS: home / PROGRESS}
    members |= {f"labs/{path.name}": path for path in sorted((root / "labs").glob("[!.]*.ipynb"))}
    members |= {f"labs/answers/{path.name}": path for path in sorted((root / "labs" / "answers").glob("[!.]*.py"))}
    for unit in sorted((home / "artifacts").glob("[!.]*/[!.]*")):
        files = [unit] if unit.is_file() else sorted(unit.rglob("*"))
        members |= {file.relative_to(home).as_posix(): file for file in files}
    return {name: path for name, path in members.items() if path.is_file() and not path.is_symlink()}


def _under_safe_names(members: dict[str, Path]) -> dict[str, Path]:
    """The same files under names that `archive` takes and that are distinct on every system.

    Each folder's name is replaced once, so that what lies in one folder stays together.
    """
    safe = {"": ""}
    taken: set[str] = set()
    for name in members:
        parts = name.split("/")
        for depth, part in enumerate(parts, start=1):
            if (here := "/".join(parts[:depth])) not in safe:
                safe[here] = _free_name(safe["/".join(parts[: depth - 1])], part, taken)
                taken.add(_folded(safe[here]))
    named = {}
    for name, path in members.items():
        short = safe[name]
        if len(short) > LIMIT_NAME:  # deep inside an artifact, whose first three parts are short by now
            short = f"{_unit(short)}/{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()}"
        named[short] = path
    return named


def _free_name(folder: str, part: str, taken: set[str]) -> str:
    """A name in `folder` like `part`: without unsafe characters, not too long, and unlike those taken."""
    stem, suffix = os.path.splitext(re.sub(UNSAFE_CHARACTERS, "_", part))
    if len((stem + suffix).encode()) > _LONGEST_PART_BYTES:
        suffix = suffix if len(suffix) < 20 else ""
        stem = stem.encode()[: _LONGEST_PART_BYTES - len(suffix.encode())].decode(errors="ignore")
    prefix = f"{folder}/" if folder else ""
    name, number = f"{prefix}{stem}{suffix}", 2
    while _folded(name) in taken:
        name, number = f"{prefix}{stem}-{number}{suffix}", number + 1
    return name


def _folded(name: str) -> str:
    """What names that are one file on macOS have in common."""
    return unicodedata.normalize("NFC", name.casefold())


def _write_zip(file: IO[bytes], members: dict[str, Path]) -> None:
    listed = {}
    with zipfile.ZipFile(file, "w") as archive:
        for name, path in members.items():
            hashed, size = hashlib.sha256(), 0
            with path.open("rb") as source, archive.open(name, "w") as member:
                while chunk := source.read(CHUNK):
                    hashed.update(chunk)
                    size += len(chunk)
                    member.write(chunk)
            listed[name] = {"sha256": hashed.hexdigest(), "bytes": size}
        manifest = {
            "format": FORMAT_VERSION,
            "pocketlab": version("pocketlab"),
            "python": platform.python_version(),
            "saved": datetime.now(UTC).isoformat(timespec="seconds"),
            "members": listed,
        }
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))


# Restoring


def restore_work(source: Path | bytes) -> Report:
    """Take a zip of `save_work`, as a path or as its bytes, into the course and the home folder.

    Everything is checked and unpacked beside its destination before the first file changes; what then remains is
    renaming, which is undone where a step of it fails. A notebook or artifact that is here and differs is kept beside as
    `name.before-restore-<date>`. Progress is merged. Raises PocketlabError with one sentence, and nothing has changed.
    """
    root, store = course_root(), ProgressStore()
    try:
        store.home.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(store.home / "restore.lock"),
            open_archive(source) as archive,
            _staging(root / "labs") as labs,
            _staging(store.home) as others,
        ):
            staged = {name: _place(name, labs=labs, others=others) for name in archive.hashes}
            archive.unpack(staged.__getitem__)
            progress, notices = _staged_progress(staged.get(PROGRESS))
            units = {_unit(name): _place(_unit(name), labs=labs, others=others) for name in staged if name != PROGRESS}
            targets = {unit: _place(unit, labs=root / "labs", others=store.home) for unit in units}
            restored, unchanged, kept = _apply([(units[unit], targets[unit]) for unit in units])
    except OSError as error:
        raise PocketlabError(f"Nothing was restored, because of the disk: {error.strerror or error}.") from error
    merged = store.merge(progress)
    return Report(restored, unchanged, kept, merged, (*notices, *store.take_notices()))


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A new folder in `folder`, so that a file moves out of it by renaming. Removes those that killed restores left."""
    for leftover in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    staging = folder / f"{_STAGING}{secrets.token_hex(6)}"
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _place(name: str, *, labs: Path, others: Path) -> Path:
    """Where a member belongs, given the folder that stands for labs/ and the one that stands for the home folder."""
    return labs / name.removeprefix("labs/") if name.startswith("labs/") else others / name


def _unit(name: str) -> str:
    """What is kept or replaced as one: a notebook, an answer, or an artifact, which may be a folder."""
    return "/".join(name.split("/")[:3])


def _staged_progress(path: Path | None) -> tuple[Progress, list[str]]:
    if path is None:
        return Progress(), []
    try:
        progress, whole = parse(path.read_bytes())
    except NewerFormatError as error:
        raise ArchiveError(
            "The zip's progress is from a newer Pocketlab: bring this one up to date with `pocketlab update`."
        ) from error
    return progress, [] if whole else ["The zip's progress file is damaged; what could be read of it is merged."]


def _apply(units: list[tuple[Path, Path]]) -> tuple[tuple[Path, ...], tuple[Path, ...], tuple[Path, ...]]:
    """Move staged units to their targets. Returns the targets restored and unchanged, and what is kept beside."""
    restored, unchanged, kept = [], [], []
    done: list[tuple[Path, Path]] = []
    date = timestamp()
    try:
        for staged, target in units:
            if _same(staged, target):
                unchanged.append(target)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target):
                beside = unused(target.with_name(f"{target.stem}.before-restore-{date}{target.suffix}"))
                _move(target, beside, done)
                kept.append(beside)
            _move(staged, target, done)
            restored.append(target)
    except OSError:
        for source, moved in reversed(done):
            os.rename(moved, source)
        raise
    for folder in {target.parent for target in restored}:
        sync_folder(folder)
    return tuple(restored), tuple(unchanged), tuple(kept)


def _move(source: Path, target: Path, done: list[tuple[Path, Path]]) -> None:
    os.rename(source, target)
    done.append((source, target))


def _same(one: Path, other: Path) -> bool:
    """Whether two files, or two folders with all they hold, have the same content."""
    if one.is_file() and other.is_file():
        return filecmp.cmp(one, other, shallow=False)
    if not (one.is_dir() and other.is_dir()):
        return False
    names = {path.relative_to(one) for path in one.rglob("*")}
    return names == {path.relative_to(other) for path in other.rglob("*")} and all(
        _same(one / name, other / name) for name in names
    )
