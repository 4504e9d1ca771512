"""Bring a newer course without losing an edited notebook.

nbgitpuller merges: where both sides changed the same lines, the learner's stay. It merges a notebook as lines of text,
though, so each one that both sides changed is looked at afterwards, and put back as it was if it is no notebook any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nbformat

from pocketlab.course.catalogue import course_root
from pocketlab.course.files import timestamp, unused, write_atomically
from pocketlab.course.progress import home
from pocketlab.errors import PocketlabError


@dataclass(frozen=True)
class UpdateReport:
    """What an update did, as paths from the course folder.

    `changed` came from the newer course; `brought_back` were deleted here. `merged` are notebooks that both sides had
    changed, `not_merged` those that stay exactly as the learner had them; `copies` is a folder with all of these as they
    were. `renamed` are the learner's own files that were in the way of new ones.
    """

    changed: tuple[str, ...]
    brought_back: tuple[str, ...]
    merged: tuple[str, ...]
    not_merged: tuple[str, ...]
    copies: Path | None
    renamed: tuple[str, ...]

    def __str__(self) -> str:
        count = len(self.changed)
        lines = [f"{count} files are new or changed." if count else "The course is up to date."]
        lines += [f"{name} was deleted here and is back." for name in self.brought_back]
        lines += [f"{name} is newer, with your edits in it." for name in self.merged]
        lines += [f"{name} does not fit together with your edits; it is as you had it." for name in self.not_merged]
        lines += [f"The notebooks that you had edited are also in {self.copies}, as they were."] if self.copies else []
        lines += [f"A file of yours was in the way of a new one; it is now {name}." for name in self.renamed]
        lines += ["Run make lab to install new packages."] if "requirements.lock" in self.changed else []
        return "\n".join(lines)


def update_course() -> UpdateReport:
    """Fetch the newest course and merge it into the course folder.

    Raises PocketlabError when that is no git clone on a branch, the remote cannot be reached, git refuses, or the disk is
    full; every notebook is then as it was, or the message names a folder with copies.
    """
    root = course_root()
    url, branch = _remote(root)
    start = _git(root, "rev-parse", "HEAD")[0]
    untracked, deleted = _untracked(root), _git(root, "ls-files", "--deleted", "-z")
    before = {path.relative_to(root).as_posix(): path.read_bytes() for path in (root / "labs").glob("*.ipynb")}
    copies = _copy(before)  # of all of them: which ones git will merge is known only afterwards
    try:
        _pull(root, url, branch)
    except PocketlabError:
        _put_back(root, before, copies)
        shutil.rmtree(copies, ignore_errors=True)
        raise
    base = _git(root, "merge-base", start, f"origin/{branch}")[0]
    changed = _git(root, "diff", "--name-only", "-z", base, f"origin/{branch}")
    edited = {name: content for name, content in before.items() if _differs(root, f"{base}:{name}", content)}
    both = sorted(edited.keys() & set(changed))
    not_merged = [name for name in both if not _is_notebook(root / name)]
    _put_back(root, {name: edited[name] for name in not_merged}, copies)
    _keep_only(copies, both)
    return UpdateReport(
        changed=tuple(changed),
        brought_back=tuple(name for name in deleted if (root / name).exists()),
        merged=tuple(name for name in both if name not in not_merged),
        not_merged=tuple(not_merged),
        copies=copies if both else None,
        renamed=tuple(sorted(_untracked(root) - untracked)),
    )


def _remote(root: Path) -> tuple[str, str]:
    """The address that the course came from, and the branch to follow."""
    try:
        return _git(root, "remote", "get-url", "origin")[0], _git(root, "symbolic-ref", "--short", "HEAD")[0]
    except FileNotFoundError as error:
        raise PocketlabError("git is not installed: `pocketlab doctor` says how to get it.") from error
    except subprocess.CalledProcessError as error:
        raise PocketlabError(
            f"{root} is not a git clone on a branch with a remote: clone the course anew, and bring your work over with "
            "`pocketlab save` and `pocketlab restore`."
        ) from error


def _pull(root: Path, url: str, branch: str) -> None:
    """Fetch and merge by nbgitpuller. Raises PocketlabError for all that can go wrong, with no merge left half done."""
    from nbgitpuller.errors import BranchExistError  # type: ignore[import-untyped]
    from nbgitpuller.pull import GitPuller  # type: ignore[import-untyped]

    os.environ["GIT_TERMINAL_PROMPT"] = "0"  # a private remote fails, where it would ask for a password and wait
    last = ""
    try:
        for line in GitPuller(url, str(root), branch=branch).pull():
            last = line.strip() or last
    except BranchExistError as error:
        raise PocketlabError(f"{url} has no branch {branch!r}: change to one that it has with `git switch`.") from error
    except Exception as error:  # a busy index is a bare Exception of nbgitpuller's
        command = error.cmd if isinstance(error, subprocess.CalledProcessError) else []
        if command[1:2] in (["ls-remote"], ["fetch"]):
            raise PocketlabError(f"{url} cannot be reached: try again when the network is there.") from error
        with contextlib.suppress(subprocess.CalledProcessError):
            _git(root, "merge", "--abort")
        reason = last if command else str(error)
        raise PocketlabError(
            f"The newer course was not merged, and your notebooks are as they were: {reason}"
        ) from error


def _git(root: Path, *arguments: str) -> list[str]:
    """The output of a git command, in lines, or in parts that end with a zero byte after -z."""
    output = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout
    return output.split("\0")[:-1] if "-z" in arguments else output.splitlines()


def _untracked(root: Path) -> set[str]:
    return set(_git(root, "ls-files", "--others", "--exclude-standard", "-z"))


def _differs(root: Path, committed: str, content: bytes) -> bool:
    """Whether a file of that commit exists and has another content: a learner's own notebook has nothing to merge with."""
    found = subprocess.run(["git", "cat-file", "blob", committed], cwd=root, capture_output=True)
    return found.returncode == 0 and found.stdout != content


def _copy(contents: dict[str, bytes]) -> Path:
    folder = unused(home() / "backups" / f"before-update-{timestamp()}")
    try:
        folder.mkdir(parents=True)
        for name, content in contents.items():
            write_atomically(folder / Path(name).name, content)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise PocketlabError(
            f"Nothing was updated, because your notebooks cannot be copied to {folder} first ({error.strerror}): free space "
            "there, or set POCKETLAB_HOME to another folder."
        ) from error
    return folder


def _keep_only(copies: Path, names: list[str]) -> None:
    """Remove the copies of other notebooks, and the folder where there are no others."""
    for copy in copies.iterdir():
        if f"labs/{copy.name}" not in names:
            copy.unlink()
    if not names:
        copies.rmdir()


def _is_notebook(path: Path) -> bool:
    """Whether a merge left a notebook: valid, and with every cell once."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        ids = [cell.get("id") for cell in notebook["cells"]]
        if len(set(ids)) < len(ids):  # which `validate` would repair
            return False
        nbformat.validate(notebook)
    except (ValueError, LookupError, TypeError, AttributeError, nbformat.ValidationError):
        return False
    return True


def _put_back(root: Path, contents: dict[str, bytes], copies: Path) -> None:
    try:
        for name, content in contents.items():
            if not (root / name).exists() or (root / name).read_bytes() != content:
                write_atomically(root / name, content)
    except OSError as error:
        raise PocketlabError(
            f"The update failed, and so did putting {name} back ({error.strerror}): your notebooks as they were are in "
            f"{copies}."
        ) from error
