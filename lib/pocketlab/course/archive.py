"""Read a zip of somebody's work that nobody vouches for.

The limits, the names and the kinds of the members are checked before any is read; each is then held against the hash in
the manifest while it is unpacked. Every fault is one sentence.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlab.errors import PocketlabError

FORMAT_VERSION = 1
LIMIT_BYTES = 2_000_000_000
LIMIT_RATIO = 200  # unpacked bytes for each byte of the zip
LIMIT_MEMBERS = 20_000
LIMIT_NAME = 400  # characters
MANIFEST = "manifest.json"
PROGRESS = "progress.json"
CHUNK = 1 << 20

_OF_WORK = re.compile(
    r"progress\.json|labs/[^/.][^/]*\.ipynb|labs/answers/[^/.][^/]*\.py|artifacts/[^/.][^/]*/[^/.][^/]*(/[^/]+)*"
)
UNSAFE_CHARACTERS = r"[\\:\x00-\x1f\x7f\ud800-\udfff]"
_UNSAFE = re.compile(UNSAFE_CHARACTERS + r"|(^|/)\.{0,2}(/|$)")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class ArchiveError(PocketlabError):
    """The file is no zip of work, or one that must not be unpacked."""


@dataclass(frozen=True)
class Archive:
    """An opened zip that passed all checks that need no unpacking. `hashes` has every member but the manifest."""

    file: zipfile.ZipFile
    hashes: dict[str, str]

    def unpack(self, destination: Callable[[str], Path]) -> None:
        """Write each member to the path that `destination` gives for its name, and check its hash on the way.

        Raises ArchiveError for a member that is damaged or another than the manifest says; OSError of the disk.
        """
        for name in self.hashes:
            path = destination(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as output:
                output.writelines(self._checked(name))

    def verify(self) -> None:
        """Read every member and check its hash. Raises ArchiveError as `unpack` does."""
        for name in self.hashes:
            for _ in self._checked(name):
                pass

    def _checked(self, name: str) -> Iterator[bytes]:
        hashed = hashlib.sha256()
        for chunk in _chunks(self.file, name):
            hashed.update(chunk)
            yield chunk
        if hashed.hexdigest() != self.hashes[name]:
            raise ArchiveError(f"{name} in the zip is not what its manifest says: the zip was changed or damaged.")


@contextmanager
def open_archive(source: Path | bytes) -> Iterator[Archive]:
    """Open a zip, given as a path or as its bytes, and check all that can be checked before unpacking.

    Raises ArchiveError with the reason why it is refused.
    """
    name = "The upload" if isinstance(source, bytes) else str(source)
    try:
        file = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except OSError as error:
        raise ArchiveError(f"{name} cannot be read: {error.strerror}.") from error
    except _DAMAGE as error:
        raise ArchiveError(f"{name} is not a zip file, or only a part of one: save your work again.") from error
    with file:
        infos = _members(file)
        _check_names(infos)
        yield Archive(file, _hashes(file, infos))


def _members(file: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """All files by name, once their number and their size, as the zip declares it, are within the limits."""
    infos = [info for info in file.infolist() if not info.filename.endswith("/")]
    unpacked, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if len(infos) > LIMIT_MEMBERS:
        raise ArchiveError(f"The zip holds {len(infos):,} files; {LIMIT_MEMBERS:,} is the limit.")
    if unpacked > LIMIT_BYTES:
        raise ArchiveError(f"The zip unpacks to {unpacked / 1e9:,.1f} GB; {LIMIT_BYTES / 1e9:.0f} GB is the limit.")
    if unpacked > LIMIT_RATIO * max(packed, 1):
        raise ArchiveError(
            f"The zip unpacks to {unpacked / max(packed, 1):,.0f} times its size; {LIMIT_RATIO} times is the limit."
        )
    # Two names that differ in case only are one file on macOS.
    if len({info.filename.casefold() for info in infos}) != len(infos):
        raise ArchiveError("The zip holds two files of the same name.")
    return {info.filename: info for info in infos}


def _check_names(infos: dict[str, zipfile.ZipInfo]) -> None:
    """Let through plain files at the places where work is, and nothing else."""
    folded = {name.casefold() for name in infos}
    for name, info in infos.items():
        if name == MANIFEST:
            continue
        if _UNSAFE.search(name) or len(name) > LIMIT_NAME:
            raise ArchiveError(
                f"The zip holds {name[:100]!r}, a path that could lead out of the course: it is refused."
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ArchiveError(f"The zip holds {name!r} as a symbolic link, and only files are taken.")
        if not _OF_WORK.fullmatch(name):
            raise ArchiveError(f"The zip holds {name!r}, which is no part of anybody's work in the course.")
        if any(name[:end].casefold() in folded for end in (match.start() for match in re.finditer("/", name))):
            raise ArchiveError(f"The zip holds {name!r} inside something that is a file itself.")


def _hashes(file: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo]) -> dict[str, str]:
    """The hashes from the manifest, which must name exactly the members that are there."""
    manifest = _manifest(file) if MANIFEST in infos else None
    listed = manifest.get("members") if isinstance(manifest, dict) else None
    if not isinstance(manifest, dict) or not isinstance(listed, dict):
        raise ArchiveError(f"The zip has no readable {MANIFEST}: it is not one that `pocketlab save` made.")
    if manifest.get("format") != FORMAT_VERSION:
        raise ArchiveError("The zip was saved by a newer Pocketlab: bring this one up to date with `pocketlab update`.")
    hashes = {name: str(entry.get("sha256")) for name, entry in listed.items() if isinstance(entry, dict)}
    different = sorted(hashes.keys() ^ (infos.keys() - {MANIFEST}))
    if different:
        raise ArchiveError(f"The zip and its manifest disagree about {different[0]!r}: the zip was changed or damaged.")
    return hashes


def _manifest(file: zipfile.ZipFile) -> Any:
    try:
        return json.loads(b"".join(_chunks(file, MANIFEST)))
    except (ValueError, RecursionError):
        return None


def _chunks(file: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """The content of a member, piece by piece. zipfile yields no byte more than the size that was checked."""
    try:
        with file.open(name) as member:
            while chunk := member.read(CHUNK):
                yield chunk
    except _DAMAGE as error:
        raise ArchiveError(f"{name} in the zip is damaged or of a kind that cannot be read.") from error
