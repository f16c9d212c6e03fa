"""What a scan finds: files, instances, series and studies, as their headers describe them."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from medaudit.dicom.archive import open_member
from medaudit.dicom.sop_classes import is_picture_class, is_report_class
from medaudit.errors import InputError
from medaudit.records.provenance import FileFate

SELECTION_KEYWORDS: Final = (
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "ImageType",
    "SOPClassUID",
    "SeriesNumber",
    "PhotometricInterpretation",
    "Laterality",
    "ImageLaterality",
)
"""The elements by which images are chosen; free text (Series Description) is not among them."""


@dataclass(frozen=True, slots=True)
class FileRef:
    """Where a file lies: a file on disk, or ``member`` of the zip archive at ``path``.

    ``label`` is its path relative to the scanned input, with "/" separators ("archive.zip!member" in
    an archive). It is written by the site and may name a patient. ``inner`` are the members to go down by where
    ``member`` is itself an archive.
    """

    path: Path
    label: str
    member: str = ""
    inner: tuple[str, ...] = ()

    def open(self) -> BinaryIO:
        """Open for reading; an archive member is unpacked into memory, a large one onto disk.

        Raises
        ------
        InputError
            The file or the member cannot be read.

        """
        try:
            return open_member(self.path, (self.member, *self.inner)) if self.member else self.path.open("rb")
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(unreadable(error)) from None


def unreadable(error: Exception) -> str:
    """Why a file cannot be read, and what to do."""
    return f"the file cannot be read ({type(error).__name__}); check that it is whole and that you may read it"


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a frame lies in the patient (PS3.3 C.7.6.2): mm, axes to L, P and H.

    ``orientation`` holds the direction of a row and that of a column; ``position`` is the centre of the first pixel.
    """

    orientation: tuple[float, ...]
    position: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.orientation) != 6 or len(self.position) != 3:
            msg = f"Plane: expected 6 and 3 numbers; got {len(self.orientation)} and {len(self.position)}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance as its header describes it.

    ``elements`` maps every keyword of :data:`SELECTION_KEYWORDS` to its raw value, several values
    joined by a backslash, '' where absent; instances of a series share one mapping. ``rows`` and ``columns`` are 0
    where absent. UIDs and ``accession_number`` identify: they serve to find things together and are never written
    down. ``sop_class_uid`` is '' where the file names none. ``patient_key``, ``birth_key`` and ``pixel_key`` are
    digests (of the patient's identifier, of the birth date, of a sample of the pixels) that serve to compare files, as
    does ``sex``.
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
    elements: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    accession_number: str = ""
    instance_number: int | None = None
    plane: Plane | None = None
    patient_key: str = ""
    birth_key: str = ""
    sex: str = ""
    pixel_key: bytes = b""
    twin: str = ""

    def __post_init__(self) -> None:
        if not (self.study_uid and self.series_uid and self.sop_instance_uid):
            msg = "Instance: expected study, series and SOP instance UIDs; got an empty one"
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


class ConflictKind(StrEnum):
    """What headers of files that belong together disagree on."""

    PATIENT_ID = "patient ID"
    BIRTH_DATE = "birth date"
    SEX = "sex"
    STUDY = "study of a series"
    MODALITY = "modality of a series"
    INSTANCE = "instance UID"

    @property
    def remedy(self) -> str:
        """What a person can do."""
        return _REMEDIES[self]


_MIXED_UP: Final = "images of two patients may be mixed up: compare the headers and ask the archive"
_REMEDIES: Final[Mapping[ConflictKind, str]] = {
    ConflictKind.PATIENT_ID: _MIXED_UP,
    ConflictKind.BIRTH_DATE: _MIXED_UP,
    ConflictKind.SEX: _MIXED_UP,
    ConflictKind.STUDY: "the series was split or copied under another study: keep the study that the archive names",
    ConflictKind.MODALITY: "unlike images stand in one series: choose by images.modalities, or ask who sent it",
    ConflictKind.INSTANCE: "one of the files is wrong or was changed later: ask the archive which, and remove it",
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """One study, series or instance whose files contradict each other.

    ``words`` identify nobody. ``study_uids`` are the studies concerned, in the order of their labels.
    """

    kind: ConflictKind
    study_uids: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every file of a scan, once: an instance of a study, or among ``others``.

    ``conflicts`` says where headers of files contradict each other; the instances that are kept carry the same words
    in their notes.
    """

    studies: tuple[Study, ...]
    others: tuple[ScannedFile, ...]
    conflicts: tuple[Conflict, ...] = ()


def is_picture(instance: Instance) -> bool:
    """Whether the SOP class stores a picture, and pixels are there.

    A class that the standard does not know, or none at all, counts as a picture where there are pixels.
    """
    return instance.has_pixels and is_picture_class(instance.sop_class_uid)


def is_report(instance: Instance) -> bool:
    """Whether the SOP class is a structured report in which a person's text may stand."""
    return is_report_class(instance.sop_class_uid)
