"""Folder, zip, DICOMDIR or file -> studies, with every file accounted for exactly once."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from medaudit.dicom.archive import ZIP_ERRORS, begins_zip, is_zip, read_member
from medaudit.dicom.dataset import OpenedDataset, hushed, irregular, open_dataset, text_of
from medaudit.dicom.dicomdir import find_below, referenced_names
from medaudit.dicom.sop_classes import MEDIA_DIRECTORY, PICTURES, REPORTS
from medaudit.errors import InputError, NotDicomError, UsageError
from medaudit.records.provenance import FileFate

SELECTION_KEYWORDS: Final = (
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "ImageType",
    "SOPClassUID",
    "SeriesNumber",
    "InstanceNumber",
    "PhotometricInterpretation",
    "Laterality",
    "ImageLaterality",
)
"""The elements by which images are chosen; free text (Series Description) is not among them."""

_HEADER_KEYWORDS: Final = (
    *SELECTION_KEYWORDS,
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "AccessionNumber",
    "NumberOfFrames",
    "Rows",
    "Columns",
)
_CHUNK: Final = 2**20
_DIRECTORY: Final = "directory record"


@dataclass(frozen=True, slots=True)
class FileRef:
    """Where a file lies: a file on disk, or ``member`` of the zip archive at ``path``.

    ``label`` is its path relative to the scanned input, with "/" separators ("archive.zip!member" in
    an archive). It is written by the site and may name a patient.
    """

    path: Path
    label: str
    member: str = ""

    def open(self) -> BinaryIO:
        """Open for reading; an archive member is unpacked into memory.

        Raises
        ------
        InputError
            The file or the member cannot be read.

        """
        try:
            if not self.member:
                return self.path.open("rb")
            with zipfile.ZipFile(self.path) as archive:
                return read_member(archive, self.member)
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(_unreadable(error)) from None


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance as its header describes it.

    ``elements`` maps every keyword of :data:`SELECTION_KEYWORDS` to its raw value, several values
    joined by a backslash, '' where absent. ``rows`` and ``columns`` are 0 where absent. UIDs and
    ``accession_number`` identify: they serve to find things together and are never written down.
    """

    ref: FileRef
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str
    number_of_frames: int
    rows: int
    columns: int
    has_pixels: bool
    elements: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    accession_number: str = ""

    def __post_init__(self) -> None:
        if not (self.study_uid and self.series_uid and self.sop_instance_uid and self.sop_class_uid):
            msg = "Instance: expected study, series, SOP instance and SOP class UIDs; got an empty one"
            raise ValueError(msg)
        if self.number_of_frames < 1:
            msg = f"Instance.number_of_frames: expected >= 1; got {self.number_of_frames}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Series:
    """The instances of one series, in the order of their labels."""

    uid: str
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """The series of one study, in the order of their first labels."""

    uid: str
    series: tuple[Series, ...]

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All instances, series by series."""
        return tuple(instance for series in self.series for instance in series.instances)


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file that belongs to no study: what became of it, why, and what a person can do."""

    ref: FileRef
    fate: FileFate
    reason: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every file of a scan, once: an instance of a study, or among ``others``."""

    studies: tuple[Study, ...]
    others: tuple[ScannedFile, ...]


def is_picture(instance: Instance) -> bool:
    """Whether the SOP class stores a picture, and pixels are there."""
    return instance.has_pixels and instance.sop_class_uid in PICTURES


def is_report(instance: Instance) -> bool:
    """Whether the SOP class is a structured report in which a person's text may stand."""
    return instance.sop_class_uid in REPORTS


def scan(source: Path, *, on_file: Callable[[int], None] | None = None) -> Inventory:
    """Read the header of every file under ``source``.

    Parameters
    ----------
    source
        A file, a folder (recursive; symbolic links are never followed out of it), a zip archive, or
        a DICOMDIR (then its referenced files, PS3.3 F.3). Archives named ``.zip`` in a folder are
        opened; archives within archives are not.
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
    for entry in _entries(source):
        seen.append(entry)
        if on_file is not None:
            on_file(len(seen))
    return _inventory(seen)


def _entries(source: Path) -> Iterator[Instance | ScannedFile]:
    if source.is_dir():
        yield from _folder(source)
    elif is_zip(source):
        yield from _archive(source, source.name)
    else:
        entry = _examine(FileRef(source, source.name))
        yield from _referenced(source) if isinstance(entry, ScannedFile) and entry.reason == _DIRECTORY else (entry,)


def _folder(root: Path) -> Iterator[Instance | ScannedFile]:
    inside = root.resolve()
    refused: list[ScannedFile] = []
    files: list[FileRef] = []

    def label(path: Path) -> str:
        return path.relative_to(root).as_posix()

    def unreadable(error: OSError) -> None:
        ref = FileRef(Path(error.filename), label(Path(error.filename)))
        refused.append(ScannedFile(ref, FileFate.FAILED, _unreadable(error), type(error).__name__))

    for parent, folders, names in os.walk(root, onerror=unreadable):
        paths = [Path(parent, name) for name in folders if Path(parent, name).is_symlink()]
        paths += [Path(parent, name) for name in names]
        for path in paths:
            ref = FileRef(path, label(path))
            reason = _refusal(path, inside)
            if reason:
                refused.append(ScannedFile(ref, FileFate.NOT_CHOSEN, reason))
            else:
                files.append(ref)
    yield from refused
    for ref in sorted(files, key=lambda ref: ref.label):
        if ref.path.suffix.lower() == ".zip" and is_zip(ref.path):
            yield from _archive(ref.path, ref.label)
        else:
            yield _examine(ref)


def _refusal(path: Path, inside: Path) -> str:
    """Why a directory entry is not opened; '' where it is."""
    if path.is_symlink():
        target = path.resolve()
        if not target.exists():
            return "a symbolic link that leads nowhere"
        if not target.is_relative_to(inside):
            return "a symbolic link out of the folder is not followed; scan its target by itself"
        if target.is_dir():
            return "a symbolic link to a folder that is scanned anyway"
    return "" if path.is_file() else "not a regular file (a device, a pipe or a socket)"


def _archive(path: Path, label: str) -> Iterator[Instance | ScannedFile]:
    whole = FileRef(path, label)
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, *ZIP_ERRORS) as error:
        reason = f"the archive cannot be opened ({type(error).__name__}); copy it again or unpack it by hand"
        yield ScannedFile(whole, FileFate.FAILED, reason, type(error).__name__)
        return
    with archive:
        # A name may stand twice in an archive; zipfile reads the last one, so that is the one file there is.
        for name in sorted({info.filename for info in archive.infolist() if not info.is_dir()}):
            ref = FileRef(path, f"{label}!{name}", name)
            try:
                stream = read_member(archive, name)
            except InputError as error:
                yield ScannedFile(ref, FileFate.FAILED, str(error), type(error).__name__)
                continue
            if name.lower().endswith(".zip") and begins_zip(stream.read(4)):
                yield ScannedFile(ref, FileFate.NOT_CHOSEN, "an archive within an archive; unpack the outer one first")
            else:
                yield _examine(ref, stream)


def _referenced(directory: Path) -> Iterator[Instance | ScannedFile]:
    """A DICOMDIR, and the files that it names, each once."""
    itself = FileRef(directory, directory.name)
    try:
        with itself.open() as stream:
            names = referenced_names(stream)
    except InputError as error:
        yield ScannedFile(itself, FileFate.FAILED, str(error), type(error).__name__)
        return
    yield ScannedFile(itself, FileFate.NOT_AN_IMAGE, _DIRECTORY)
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
            yield _examine(ref)


def _examine(ref: FileRef, stream: BinaryIO | None = None) -> Instance | ScannedFile:
    """One file: an instance, or what became of it."""
    try:
        with stream or ref.open() as opened_stream, hushed() as caught:
            opened = open_dataset(opened_stream, _HEADER_KEYWORDS)
            if opened.sop_class_uid == MEDIA_DIRECTORY:
                return ScannedFile(ref, FileFate.NOT_AN_IMAGE, _DIRECTORY)
            if not opened.sop_class_uid:
                reason = "a DICOM data set without SOP Class UID (0008,0016): no telling what it is; export it again"
                return ScannedFile(ref, FileFate.NOT_AN_IMAGE, reason)
            instance = _instance(ref, opened, opened_stream)
            return replace(instance, notes=instance.notes + irregular(len(caught)))
    except NotDicomError as error:
        return ScannedFile(ref, FileFate.NOT_DICOM, str(error), type(error).__name__)
    except InputError as error:
        return ScannedFile(ref, FileFate.FAILED, str(error), type(error).__name__)
    except OSError as error:
        return ScannedFile(ref, FileFate.FAILED, _unreadable(error), type(error).__name__)


def _instance(ref: FileRef, opened: OpenedDataset, stream: BinaryIO) -> Instance:
    ds, notes = opened.dataset, list(opened.notes)
    uids = {}
    for keyword, place in (
        ("StudyInstanceUID", "its own study"),
        ("SeriesInstanceUID", "its own series"),
        ("SOPInstanceUID", "its own instance"),
    ):
        uids[keyword] = text_of(ds, keyword)
        if not uids[keyword]:
            uids[keyword] = _stand_in(keyword, stream)
            notes.append(f"no {keyword}: taken as {place}, under a UID made from the file's bytes")
    frames = text_of(ds, "NumberOfFrames")
    if frames and not (frames.isdecimal() and int(frames) >= 1):
        notes.append("Number of Frames (0028,0008) is unusable: taken as 1")
        frames = "1"
    elements = {keyword: text_of(ds, keyword) for keyword in SELECTION_KEYWORDS}
    return Instance(
        ref=ref,
        study_uid=uids["StudyInstanceUID"],
        series_uid=uids["SeriesInstanceUID"],
        sop_instance_uid=uids["SOPInstanceUID"],
        sop_class_uid=opened.sop_class_uid,
        modality=elements["Modality"],
        number_of_frames=int(frames or 1),
        rows=_size(text_of(ds, "Rows")),
        columns=_size(text_of(ds, "Columns")),
        has_pixels=opened.pixels_at is not None,
        elements=elements,
        notes=tuple(notes),
        accession_number=text_of(ds, "AccessionNumber").strip(),
    )


def _size(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _digest(stream: BinaryIO) -> str:
    stream.seek(0)
    whole = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        whole.update(chunk)
    return whole.hexdigest()


def _stand_in(keyword: str, stream: BinaryIO) -> str:
    """A UID of the form of PS3.5 B.2 (2.25 and a 128-bit number), the same for the same bytes."""
    digest = hashlib.sha256(f"{keyword}:{_digest(stream)}".encode()).hexdigest()
    return f"2.25.{int(digest[:32], 16)}"


def _unreadable(error: Exception) -> str:
    return f"the file cannot be read ({type(error).__name__}); check that it is whole and that you may read it"


def _inventory(seen: Sequence[Instance | ScannedFile]) -> Inventory:
    """Group by study and series; of several files with one SOP Instance UID the first label stays."""
    others = [entry for entry in seen if isinstance(entry, ScannedFile)]
    instances = sorted((entry for entry in seen if isinstance(entry, Instance)), key=lambda entry: entry.ref.label)
    kept: dict[str, Instance] = {}
    studies: dict[str, dict[str, list[Instance]]] = {}
    for instance in instances:
        first = kept.setdefault(instance.sop_instance_uid, instance)
        if first is not instance:
            others.append(ScannedFile(instance.ref, FileFate.DUPLICATE, _duplicate(first.ref, instance.ref)))
            continue
        studies.setdefault(instance.study_uid, {}).setdefault(instance.series_uid, []).append(instance)
    return Inventory(
        studies=tuple(
            Study(uid, tuple(Series(series_uid, tuple(members)) for series_uid, members in series.items()))
            for uid, series in studies.items()
        ),
        others=tuple(sorted(others, key=lambda entry: entry.ref.label)),
    )


def _duplicate(first: FileRef, second: FileRef) -> str:
    with first.open() as one, second.open() as two:
        if _digest(one) == _digest(two):
            return "the same bytes as a file that was kept"
    return "the SOP Instance UID of a file that was kept, with other bytes: one of the two is wrong; ask the source"
