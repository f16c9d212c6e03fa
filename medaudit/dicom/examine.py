"""One file -> an instance, or what became of it. Reads the header, and a sample of the pixels to compare files by."""

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from medaudit.dicom.archive import ZIP_ERRORS
from medaudit.dicom.dataset import OpenedDataset, hushed, irregular, open_dataset, text_of
from medaudit.dicom.instance import SELECTION_KEYWORDS, FileRef, Instance, Plane, ScannedFile, unreadable
from medaudit.dicom.sop_classes import MEDIA_DIRECTORY
from medaudit.errors import InputError, NotDicomError
from medaudit.records.provenance import FileFate

DIRECTORY: Final = "directory record"
"""The reason given for a DICOMDIR."""

_HEADER_KEYWORDS: Final = (
    *SELECTION_KEYWORDS,
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "AccessionNumber",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "ImagePositionPatient",
    "ImageOrientationPatient",
)
_CHUNK: Final = 2**20
# Enough to tell pictures apart, little enough to read from every file.
_SAMPLES: Final = 4
_SAMPLE_BYTES: Final = 2048
# No value of these is longer; what is goes through pydicom.
_PLAIN_LIMIT: Final = 1024


# Elements of the header are text in ASCII as good as always, or one 16-bit number.
_TAGS: Final = {keyword: Tag(keyword) for keyword in _HEADER_KEYWORDS}
_NUMBERS: Final = ("Rows", "Columns")


def _text(ds: Dataset, keyword: str) -> str:
    """As :func:`medaudit.dicom.dataset.text_of`, the short way where there is one."""
    tag = _TAGS[keyword]
    element: object = ds.get_item(tag) if tag in ds else None
    if element is None:
        return ""
    value = element.value if isinstance(element, RawDataElement) else None
    if isinstance(element, RawDataElement) and isinstance(value, bytes):
        if keyword in _NUMBERS and len(value) == 2:
            return str(int.from_bytes(value, "little" if element.is_little_endian else "big"))
        if keyword not in _NUMBERS and value.isascii() and len(value) <= _PLAIN_LIMIT:
            return "\\".join(part.strip(" \0") for part in value.decode("ascii").split("\\"))
    return text_of(ds, keyword)


def _floats(ds: Dataset, keyword: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in _text(ds, keyword).split("\\") if part)
    except ValueError:
        return ()


class Pool:
    """Equal values once: what the files of a series share is held once however many files there are."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def text(self, value: str) -> str:
        """The same text, shared."""
        return str(self._known.setdefault(value, value))

    def numbers(self, value: tuple[float, ...]) -> tuple[float, ...]:
        """The same numbers, shared."""
        shared: tuple[float, ...] = self._known.setdefault(value, value)
        return shared

    def mapping(self, value: Mapping[str, str]) -> Mapping[str, str]:
        """The same mapping, shared."""
        shared: Mapping[str, str] = self._known.setdefault(tuple(value.items()), value)
        return shared


def examine(ref: FileRef, pool: Pool, stream: BinaryIO | None = None, size: int = 0) -> Instance | ScannedFile:
    """One file: an instance, or what became of it.

    ``stream`` of ``size`` bytes is the file where it is open already; it is left open.
    """
    try:
        if stream is not None:
            return _examined(ref, pool, stream, size)
        with ref.open() as opened:
            return _examined(ref, pool, opened, 0)
    except NotDicomError as error:
        return ScannedFile(ref, FileFate.NOT_DICOM, str(error), type(error).__name__)
    except InputError as error:
        return ScannedFile(ref, FileFate.FAILED, str(error), type(error).__name__)
    except (OSError, *ZIP_ERRORS) as error:
        return ScannedFile(ref, FileFate.FAILED, unreadable(error), type(error).__name__)


def _examined(ref: FileRef, pool: Pool, stream: BinaryIO, size: int) -> Instance | ScannedFile:
    with hushed() as caught:
        opened = open_dataset(stream, _HEADER_KEYWORDS)
        if opened.sop_class_uid == MEDIA_DIRECTORY:
            return ScannedFile(ref, FileFate.NOT_AN_IMAGE, DIRECTORY)
        if not opened.sop_class_uid and opened.pixels_at is None:
            reason = "a DICOM data set without SOP Class UID (0008,0016): no telling what it is; export it again"
            return ScannedFile(ref, FileFate.NOT_AN_IMAGE, reason)
        instance = _instance(ref, opened, pool, stream)
    key = _pixel_key(opened, size if opened.encoding == opened.transfer_syntax and size else opened.stream.seek(0, 2))
    return replace(instance, notes=instance.notes + irregular(len(caught)), pixel_key=key)


def _instance(ref: FileRef, opened: OpenedDataset, pool: Pool, stream: BinaryIO) -> Instance:
    ds, notes = opened.dataset, list(opened.notes)
    uids = {}
    for keyword, place in (
        ("StudyInstanceUID", "its own study"),
        ("SeriesInstanceUID", "its own series"),
        ("SOPInstanceUID", "its own instance"),
    ):
        uids[keyword] = _text(ds, keyword)
        if not uids[keyword]:
            uids[keyword] = _stand_in(keyword, stream)
            notes.append(f"no {keyword}: taken as {place}, under a UID made from the file's bytes")
    if not opened.sop_class_uid:
        notes.append("no SOP Class UID (0008,0016): taken for a picture, as it has pixels")
    frames = _text(ds, "NumberOfFrames")
    if frames and not (frames.isdecimal() and int(frames) >= 1):
        notes.append("Number of Frames (0028,0008) is unusable: taken as 1")
        frames = "1"
    elements = {keyword: _text(ds, keyword) for keyword in SELECTION_KEYWORDS}
    number = _text(ds, "InstanceNumber")
    return Instance(
        ref=ref,
        study_uid=pool.text(uids["StudyInstanceUID"]),
        series_uid=pool.text(uids["SeriesInstanceUID"]),
        sop_instance_uid=uids["SOPInstanceUID"],
        sop_class_uid=pool.text(opened.sop_class_uid),
        modality=pool.text(elements["Modality"]),
        number_of_frames=int(frames or 1),
        rows=_size(_text(ds, "Rows")),
        columns=_size(_text(ds, "Columns")),
        has_pixels=opened.pixels_at is not None,
        elements=pool.mapping(elements),
        notes=tuple(pool.text(note) for note in notes),
        accession_number=pool.text(_text(ds, "AccessionNumber").strip()),
        instance_number=int(number) if number.lstrip("-").isdecimal() else None,
        plane=plane_of(_floats(ds, "ImageOrientationPatient"), _floats(ds, "ImagePositionPatient"), pool),
        patient_key=pool.text(_key(_text(ds, "PatientID"))),
        birth_key=pool.text(_key(_text(ds, "PatientBirthDate"))),
        sex=pool.text(_text(ds, "PatientSex").strip().upper()),
    )


def plane_of(orientation: tuple[float, ...], position: tuple[float, ...], pool: Pool | None = None) -> Plane | None:
    """The plane of six and three finite numbers; None for anything else."""
    if len(orientation) != 6 or len(position) != 3 or not all(abs(value) < 1e7 for value in (*orientation, *position)):
        return None
    return Plane(pool.numbers(orientation) if pool else orientation, position)


def _size(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _key(identifier: str) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()[:16] if identifier else ""


def _pixel_key(opened: OpenedDataset, size: int) -> bytes:
    """Digest of the pixels' length and of samples spread over them; b'' where there are none."""
    if opened.pixels_at is None:
        return b""
    length = size - opened.pixels_at
    digest = hashlib.sha256(length.to_bytes(8, "little", signed=True))
    for part in range(1, _SAMPLES + 1):
        opened.stream.seek(opened.pixels_at + length * part // (_SAMPLES + 1))
        digest.update(opened.stream.read(_SAMPLE_BYTES))
    return digest.digest()[:16]


def digest_of(stream: BinaryIO, start: int = 0) -> str:
    """Hex sha256 of a stream from ``start`` to its end."""
    stream.seek(start)
    whole = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        whole.update(chunk)
    return whole.hexdigest()


def pixel_digest_of(ref: FileRef) -> str:
    """Hex sha256 of a file from its pixels on, as they are stored; '' where it cannot be read."""
    try:
        with ref.open() as stream, hushed():
            opened = open_dataset(stream, ("Rows", "Columns"))
            size = f"{text_of(opened.dataset, 'Rows')} {text_of(opened.dataset, 'Columns')}"
            return "" if opened.pixels_at is None else f"{size} {digest_of(opened.stream, opened.pixels_at)}"
    except (InputError, OSError):
        return ""


def _stand_in(keyword: str, stream: BinaryIO) -> str:
    """A UID of the form of PS3.5 B.2 (2.25 and a 128-bit number), the same for the same bytes."""
    digest = hashlib.sha256(f"{keyword}:{digest_of(stream)}".encode()).hexdigest()
    return f"2.25.{int(digest[:32], 16)}"
