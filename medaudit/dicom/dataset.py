"""The one place where bytes become a pydicom data set; scan, read and text share it.

pydicom quotes element values in its warnings and exceptions. None of that text leaves this module:
warnings become a count, exceptions the name of their class.
"""

import functools
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final, cast

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import VR

from medaudit.errors import InputError, NotDicomError

PARSE_ERRORS: Final = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    struct.error,
    TypeError,
    ValueError,
    zlib.error,
)
"""What pydicom raises on bytes that break the standard (OSError where a sequence breaks off)."""

# The largest deflated data set that is unpacked into memory: twice the largest frame.
INFLATED_LIMIT: Final = 512 * 2**20
# No first element of a data set (a group length, a character set, an image type) is longer.
_FIRST_ELEMENT_LIMIT: Final = 1024
_CHUNK: Final = 2**20
_READ_CHUNK: Final = 2**24
# The largest frame is 1 GiB; no element of a header comes near it.
_READ_LIMIT: Final = 2**30
_VRS: Final = frozenset(str(vr).encode() for vr in VR if len(str(vr)) == 2)
_LONG_VRS: Final = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)


@dataclass(frozen=True, slots=True, eq=False)
class OpenedDataset:
    """A header, and the stream from which its pixels can be read.

    ``dataset`` holds the elements before the pixels. ``transfer_syntax`` is the declared one, or what
    the encoding itself says where none is declared; ``encoding`` is the one in which ``stream`` is
    written (they differ for a deflated file, which ``stream`` holds inflated). ``sop_class_uid`` is (0008,0016),
    else Media Storage SOP Class UID (0002,0002), else ''. ``pixels_at`` is the
    position of the pixels' element in ``stream``; None where there is none.
    """

    dataset: FileDataset
    stream: BinaryIO
    transfer_syntax: UID
    encoding: UID
    sop_class_uid: str
    pixels_at: int | None
    notes: tuple[str, ...] = ()


class _PatientReader:
    """A stream whose reads take no more memory than there are bytes, however many are asked for.

    Python's own buffered files allocate what is asked for first, and a header may ask for 4 GiB.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes."""
        if 0 <= size <= _READ_CHUNK:
            return self.stream.read(size)
        if size > _READ_LIMIT:
            raise MemoryError
        parts = []
        while size and (part := self.stream.read(_READ_CHUNK if size < 0 else min(size, _READ_CHUNK))):
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def __enter__(self) -> "_PatientReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _patient(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", _PatientReader(stream))


@contextmanager
def hushed() -> Iterator[list[warnings.WarningMessage]]:
    """Collect what pydicom warns of, and keep it out of logs and off the screen.

    ``warnings`` state belongs to the process: not for two threads at once.
    """
    logger = logging.getLogger("pydicom")
    propagate = logger.propagate
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logger.propagate = False
        try:
            yield caught
        finally:
            logger.propagate = propagate


def irregular(count: int) -> tuple[str, ...]:
    """The note for ``count`` complaints of pydicom; none for 0."""
    return (f"pydicom reported {count} irregular element{'s' if count > 1 else ''}",) if count else ()


@functools.lru_cache(maxsize=1024)
def _tag(keyword: str) -> BaseTag:
    """Looking a keyword up takes longer than looking its element up."""
    return Tag(keyword)


def text_of(ds: Dataset, keyword: str) -> str:
    r"""The value of an element as text, several values joined by a backslash; '' where absent or unusable."""
    try:
        tag = _tag(keyword)
        if tag not in ds:
            return ""
        value = ds[tag].value
        # pydicom gives several values as a MultiValue, and those of a LUT descriptor as a list.
        values = value if isinstance(value, MultiValue | list) else [value]
        return "\\".join("" if item is None else str(item).strip(" \0") for item in values)
    except PARSE_ERRORS:
        return ""


def numbers_of(ds: Dataset, keyword: str) -> tuple[float, ...]:
    """The values of a numeric element; empty where absent or not numbers."""
    try:
        return tuple(float(part) for part in text_of(ds, keyword).split("\\") if part)
    except ValueError:
        return ()


def open_dataset(stream: BinaryIO, keywords: Sequence[str] | None = None) -> OpenedDataset:
    """Read a header up to its pixels (PS3.10 chapter 7; bare data sets too).

    Elements convert on first access, and may then warn: stay within :func:`hushed` until :func:`settle`.

    Parameters
    ----------
    stream
        A seekable stream of one file.
    keywords
        Read these elements alone, by keyword; all by default.

    Raises
    ------
    NotDicomError
        The first bytes are neither a DICOM file's nor a data set's.
    InputError
        They are, and what follows cannot be read.

    """
    stream = _patient(stream)
    _require_dicom(stream)
    with hushed() as caught:
        try:
            declared, body = _file_meta(stream)
            encoding = declared
            if declared == DeflatedExplicitVRLittleEndian:
                stream, encoding = _inflated(stream, body), ExplicitVRLittleEndian
            stream.seek(0)
            ds = dcmread(
                stream, stop_before_pixels=True, specific_tags=None if keywords is None else list(keywords), force=True
            )
        except PARSE_ERRORS as error:
            msg = f"header: expected a readable DICOM data set; got {type(error).__name__}; export the file again"
            raise InputError(msg) from None
        notes = []
        if not encoding:
            declared = encoding = _encoding_of(ds)
            notes.append(f"no Transfer Syntax UID (0002,0010); the encoding itself says {encoding.name}")
        if not hasattr(ds, "file_meta"):
            ds.file_meta = FileMetaDataset()
        sop_class_uid = text_of(ds, "SOPClassUID") or text_of(ds.file_meta, "MediaStorageSOPClassUID")
        # pydicom reads the byte order of lookup tables from here.
        ds.file_meta.TransferSyntaxUID = encoding
        pixels_at = _pixels_at(stream, little=bool(ds.original_encoding[1]))
    notes += irregular(len(caught))
    return OpenedDataset(ds, stream, declared, encoding, sop_class_uid, pixels_at, tuple(notes))


def _encoding_of(ds: Dataset) -> UID:
    implicit, little = ds.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def settle(ds: Dataset) -> int:
    """Convert every element now, drop those that cannot be; return how many pydicom complained of or were dropped.

    pydicom converts on first access, and warns or fails there. After this, reading ``ds`` does neither.
    """
    dropped = 0
    with hushed() as caught:
        for tag in list(ds.keys()):
            try:
                element = ds[tag]
            except PARSE_ERRORS:
                del ds[tag]
                dropped += 1
                continue
            if element.VR == VR.SQ:
                dropped += sum(settle(item) for item in element.value)
    return dropped + len(caught)


def _require_dicom(stream: BinaryIO) -> None:
    stream.seek(0)
    head = stream.read(132)
    if head[128:] != b"DICM" and not _begins_data_set(head):
        msg = "the file does not begin as DICOM does (no preamble, no element of group 0002 or 0008)"
        raise NotDicomError(msg)


def _begins_data_set(head: bytes) -> bool:
    """Whether the first element is one of group 0002 or 0008, in any of the three encodings."""
    if len(head) < 8:
        return False
    for order in ("<", ">"):
        group, element, short, length = struct.unpack(f"{order}HH2xH", head[:8]) + struct.unpack("<I", head[4:8])
        explicit = head[4:6] in _VRS and (short <= _FIRST_ELEMENT_LIMIT or head[4:6] in _LONG_VRS)
        implicit = order == "<" and length <= _FIRST_ELEMENT_LIMIT
        if group == 0x0008 and element <= 0x0100 and (explicit or implicit):
            return True
        if group == element == 0x0000 and order == "<" and length == 4:
            return True  # a command set before the data set: some archives keep it
        if group == 0x0002 and order == "<" and explicit:
            return True
    return False


def _file_meta(stream: BinaryIO) -> tuple[UID, int]:
    """(Transfer Syntax UID or '', where the data set begins), from group 0002 (PS3.10 7.1)."""
    stream.seek(0)
    position = 132 if stream.read(132)[128:] == b"DICM" else 0
    syntax = UID("")
    while True:
        stream.seek(position)
        head = stream.read(12)
        if len(head) < 8 or head[:2] != b"\x02\x00" or head[4:6] not in _VRS:
            return syntax, position
        start, length = 8, struct.unpack("<H", head[6:8])[0]
        if head[4:6] in _LONG_VRS:
            if len(head) < 12:
                return syntax, position
            start, length = 12, struct.unpack("<I", head[8:12])[0]
        if head[2:4] == b"\x10\x00":
            stream.seek(position + start)
            syntax = UID(stream.read(min(length, 64)).strip(b" \0").decode("ascii", errors="replace"))
        position += start + length


def _inflated(stream: BinaryIO, body: int) -> BytesIO:
    """The data set of a deflated file (PS3.5 A.5), within :data:`INFLATED_LIMIT`."""
    stream.seek(body)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    out = BytesIO()
    while chunk := stream.read(_CHUNK):
        while chunk and not inflate.eof:
            out.write(inflate.decompress(chunk, _CHUNK))
            chunk = inflate.unconsumed_tail
            if out.tell() > INFLATED_LIMIT:
                msg = f"deflated data set: expected at most {INFLATED_LIMIT} bytes; got more; unpack it with dcmconv"
                raise InputError(msg)
    return out


def _pixels_at(stream: BinaryIO, *, little: bool) -> int | None:
    """Where the header stopped, if at pixels: (7FE0,0008), (7FE0,0009) or (7FE0,0010)."""
    position = stream.tell()
    head = stream.read(4)
    if len(head) < 4:
        return None
    group, element = struct.unpack("<HH" if little else ">HH", head)
    return position if group == 0x7FE0 and element in (0x0008, 0x0009, 0x0010) else None


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str, limit: int) -> str:
    """``text`` on one line, without control characters, at most ``limit`` characters."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
