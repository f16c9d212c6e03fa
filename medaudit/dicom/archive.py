"""Zip archives: members in memory, within a bound."""

import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Final

from medaudit.dicom.dataset import INFLATED_LIMIT
from medaudit.errors import InputError

ZIP_ERRORS: Final = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error, ValueError)
"""What zipfile raises on a broken, encrypted or exotically compressed archive."""
_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does; an unreadable file does not."""
    try:
        with path.open("rb") as stream:
            return begins_zip(stream.read(4))
    except OSError:
        return False


def begins_zip(head: bytes) -> bool:
    """Whether the first four bytes are a zip archive's."""
    return head in _MAGIC


def read_member(archive: zipfile.ZipFile, name: str) -> BytesIO:
    """One member, unpacked. The promised size is held against the bound first, then the real one.

    Raises
    ------
    InputError
        The member is broken, encrypted, or larger than :data:`medaudit.dicom.dataset.INFLATED_LIMIT`.

    """
    try:
        promised = archive.getinfo(name).file_size
        with archive.open(name) as member:
            data = member.read(INFLATED_LIMIT + 1) if promised <= INFLATED_LIMIT else b""
    except (KeyError, OSError, *ZIP_ERRORS) as error:
        msg = f"archive member: expected to unpack it; got {type(error).__name__}; unpack the archive by hand"
        raise InputError(msg) from None
    if promised > INFLATED_LIMIT or len(data) > INFLATED_LIMIT:
        msg = f"archive member: expected at most {INFLATED_LIMIT} bytes; got more; unpack the archive by hand"
        raise InputError(msg)
    return BytesIO(data)
