"""Folder, zip, DICOMDIR or file -> studies, with every file accounted for exactly once."""

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from medaudit.dicom.archive import DEPTH_LIMIT, ZIP_ERRORS, begins_zip, is_zip, member_names, peek_member, unpack_member
from medaudit.dicom.dicomdir import find_below, referenced_names
from medaudit.dicom.examine import DIRECTORY, Pool, examine
from medaudit.dicom.group import group
from medaudit.dicom.instance import (
    SELECTION_KEYWORDS,
    FileRef,
    Instance,
    Inventory,
    Plane,
    ScannedFile,
    Series,
    Study,
    is_picture,
    is_report,
    unreadable,
)
from medaudit.errors import InputError, UsageError
from medaudit.records.provenance import FileFate

__all__ = [
    "SELECTION_KEYWORDS",
    "FileRef",
    "Instance",
    "Inventory",
    "Plane",
    "ScannedFile",
    "Series",
    "Study",
    "is_picture",
    "is_report",
    "scan",
]

# A medium has a handful of archives; a zip bomb has millions.
_INNER_ARCHIVES: Final = 1000

Entries = Iterator[Instance | ScannedFile]


def scan(source: Path, *, on_file: Callable[[int], None] | None = None) -> Inventory:
    """Read the header of every file under ``source``.

    Parameters
    ----------
    source
        A file, a folder (recursive; symbolic links are never followed out of it), a zip archive, or
        a DICOMDIR (then its referenced files, PS3.3 F.3). Archives named ``.zip`` in a folder or in an archive are
        opened, to a depth of :data:`medaudit.dicom.archive.DEPTH_LIMIT`.
    on_file
        Called after each file with the number of files so far.

    Raises
    ------
    UsageError
        There is nothing at ``source``.

    """
    if not source.exists():
        msg = f"source: expected a file or folder; got {str(source)!r}, which does not exist"
        raise UsageError(msg)
    seen: list[Instance | ScannedFile] = []
    for entry in _entries(source, Pool()):
        seen.append(entry)
        if on_file is not None:
            on_file(len(seen))
    return group(seen)


def _entries(source: Path, pool: Pool) -> Entries:
    if source.is_dir():
        yield from _folder(source, pool)
    elif is_zip(source):
        yield from _archive(FileRef(source, source.name), pool)
    else:
        entry = examine(FileRef(source, source.name), pool)
        directory = isinstance(entry, ScannedFile) and entry.reason == DIRECTORY
        yield from _referenced(source, pool) if directory else (entry,)


def _folder(root: Path, pool: Pool) -> Entries:
    inside = root.resolve()
    refused: list[ScannedFile] = []

    def label(path: Path) -> str:
        return path.relative_to(root).as_posix()

    def failed(error: OSError) -> None:
        ref = FileRef(Path(error.filename), label(Path(error.filename)))
        refused.append(ScannedFile(ref, FileFate.FAILED, unreadable(error), type(error).__name__))

    for parent, folders, names in os.walk(root, onerror=failed):
        folders.sort()
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*links, *names]):
            path = Path(parent, name)
            ref = FileRef(path, label(path))
            reason = _refusal(path, inside)
            if reason:
                yield ScannedFile(ref, FileFate.NOT_CHOSEN, reason)
            elif path.suffix.lower() == ".zip" and is_zip(path):
                yield from _archive(ref, pool)
            else:
                yield examine(ref, pool)
    yield from refused


def _refusal(path: Path, inside: Path) -> str:
    """Why a directory entry is not opened; '' where it is."""
    try:
        if path.is_symlink():
            target = path.resolve()
            if not target.exists():
                return "a symbolic link that leads nowhere"
            if not target.is_relative_to(inside):
                return "a symbolic link out of the folder is not followed; scan its target by itself"
            if target.is_dir():
                return "a symbolic link to a folder that is scanned anyway"
        return "" if path.is_file() else "not a regular file (a device, a pipe or a socket)"
    except (OSError, RuntimeError):
        return "a symbolic link that leads in a circle"


def _archive(whole: FileRef, pool: Pool) -> Entries:
    try:
        archive = zipfile.ZipFile(whole.path)
    except (OSError, *ZIP_ERRORS) as error:
        reason = f"the archive cannot be opened ({type(error).__name__}); copy it again or unpack it by hand"
        yield ScannedFile(whole, FileFate.FAILED, reason, type(error).__name__)
        return
    with archive:
        yield from _members(archive, whole, (), pool, iter(range(_INNER_ARCHIVES)))


def _members(
    archive: zipfile.ZipFile, whole: FileRef, above: tuple[str, ...], pool: Pool, room: Iterator[int]
) -> Entries:
    """Members of an archive; ``above`` are the archives within the file ``whole`` that lead to it."""
    try:
        names = member_names(archive)
    except InputError as error:
        yield ScannedFile(whole, FileFate.FAILED, str(error), type(error).__name__)
        return
    for name in names:
        way = (*above, name)
        ref = FileRef(whole.path, f"{whole.label}!{name}", way[0], way[1:])
        try:
            with peek_member(archive, name) as (stream, size):
                if not (name.lower().endswith(".zip") and begins_zip(stream.read(4))):
                    yield examine(ref, pool, stream, size)
                    continue
        except (InputError, OSError, *ZIP_ERRORS) as error:
            reason = str(error) if isinstance(error, InputError) else unreadable(error)
            yield ScannedFile(ref, FileFate.FAILED, reason, type(error).__name__)
            continue
        yield from _inner(archive, name, ref, pool, room)


def _inner(archive: zipfile.ZipFile, name: str, ref: FileRef, pool: Pool, room: Iterator[int]) -> Entries:
    """An archive within an archive."""
    way = (ref.member, *ref.inner)
    if len(way) >= DEPTH_LIMIT or next(room, None) is None:
        reason = f"an archive within {len(way)} archives, or one of too many; unpack the outer one first"
        yield ScannedFile(ref, FileFate.NOT_CHOSEN, reason)
        return
    try:
        with unpack_member(archive, name) as unpacked, zipfile.ZipFile(unpacked) as inner:
            yield from _members(inner, ref, way, pool, room)
    except (InputError, OSError, *ZIP_ERRORS) as error:
        reason = f"the archive cannot be opened ({type(error).__name__}); copy it again or unpack it by hand"
        yield ScannedFile(ref, FileFate.FAILED, reason, type(error).__name__)


def _referenced(directory: Path, pool: Pool) -> Entries:
    """A DICOMDIR, and the files that it names, each once."""
    itself = FileRef(directory, directory.name)
    try:
        with itself.open() as stream:
            names = referenced_names(stream)
    except InputError as error:
        yield ScannedFile(itself, FileFate.FAILED, str(error), type(error).__name__)
        return
    yield ScannedFile(itself, FileFate.NOT_AN_IMAGE, DIRECTORY)
    root = directory.parent.resolve()
    for name in names:
        path = find_below(directory.parent, name.split("/"))
        ref = FileRef(path or directory.parent / name, name)
        if path is None:
            reason = "the DICOMDIR names this file, and it is missing; copy the whole medium again"
            yield ScannedFile(ref, FileFate.FAILED, reason, FileNotFoundError.__name__)
        elif not path.resolve().is_relative_to(root):
            yield ScannedFile(ref, FileFate.NOT_CHOSEN, "the DICOMDIR names a file outside its folder; not followed")
        else:
            yield examine(ref, pool)
