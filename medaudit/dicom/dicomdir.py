"""DICOMDIR: the files that a medium's directory names (PS3.3 Annex F)."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydicom.sequence import Sequence as DicomSequence

from medaudit.dicom.dataset import PARSE_ERRORS, hushed, open_dataset, text_of
from medaudit.errors import InputError


def referenced_names(stream: BinaryIO) -> tuple[str, ...]:
    """Every Referenced File ID (0004,1500) once, sorted, its components joined by "/" (PS3.3 F.3.2.2).

    Raises
    ------
    InputError
        The directory's records cannot be read.

    """
    with hushed():
        try:
            ds = open_dataset(stream, ["DirectoryRecordSequence"]).dataset
            records = ds.get("DirectoryRecordSequence", DicomSequence())
            if isinstance(records, DicomSequence):
                names = {text_of(record, "ReferencedFileID").replace("\\", "/") for record in records}
                return tuple(sorted(names - {""}))
            found = type(records).__name__
        except PARSE_ERRORS as error:
            found = type(error).__name__
    msg = f"Directory Record Sequence (0004,1220): expected readable records; got {found}; scan its folder instead"
    raise InputError(msg)


def find_below(folder: Path, parts: Sequence[str]) -> Path | None:
    """The file at ``parts`` below ``folder``; media are often mounted with their names in lower case."""
    path = folder
    for part in parts:
        exact = path / part
        if exact.exists():
            path = exact
            continue
        alike = sorted(entry for entry in path.iterdir() if entry.name.lower() == part.lower()) if path.is_dir() else []
        if not alike:
            return None
        path = alike[0]
    return path if path.is_file() else None
