"""Report text: structured reports, encapsulated CDA documents, and a CSV beside the images."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from medaudit.dicom.clinical_document import narrative_lines
from medaudit.dicom.dataset import PARSE_ERRORS, hushed, open_dataset
from medaudit.dicom.scan import FileRef
from medaudit.dicom.sop_classes import ENCAPSULATED_CDA, REPORTS
from medaudit.dicom.structured_report import content_lines
from medaudit.errors import InputError

_KEY_COLUMNS: Final = ("studyinstanceuid", "accessionnumber")
_TEXT_COLUMNS: Final = ("report", "text")


@dataclass(frozen=True, slots=True)
class ReportText:
    """The text of one report: (heading, text) in the order of the document. ``source`` says what held it."""

    source: str
    sections: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """All sections, one a paragraph, without their headings."""
        return "\n\n".join(body for _, body in self.sections)


def read_report(ref: FileRef) -> ReportText | None:
    """The statements of a structured report (PS3.3 C.17.3) or of a CDA document (PS3.3 C.24); None for another object.

    None, too, where there is no statement. See :func:`medaudit.dicom.structured_report.content_lines` and
    :func:`medaudit.dicom.clinical_document.narrative_lines` for what counts as one and what heads it.

    Raises
    ------
    NotDicomError
        The bytes are not DICOM.
    InputError
        The file cannot be read, or is larger or deeper than any report.

    """
    with ref.open() as stream, hushed():
        opened = open_dataset(stream)
        if opened.sop_class_uid == ENCAPSULATED_CDA:
            return _cda(opened.dataset)
        if opened.sop_class_uid not in REPORTS:
            return None
        try:
            sections = content_lines(opened.dataset)
        except PARSE_ERRORS as error:
            msg = f"Content Sequence (0040,A730): expected a readable document; got {type(error).__name__}"
            raise InputError(msg) from None
    return ReportText("structured report", sections) if sections else None


def _cda(ds: Dataset) -> ReportText | None:
    try:
        document = ds.get("EncapsulatedDocument")
    except PARSE_ERRORS:
        document = None
    if not isinstance(document, bytes):
        msg = "Encapsulated Document (0042,0011): expected a CDA document; got none; export the object again"
        raise InputError(msg)
    sections = narrative_lines(document)
    return ReportText("CDA document", sections) if sections else None


def read_sidecar(csv_path: Path) -> dict[str, str]:
    """Report texts from a CSV (UTF-8; comma, semicolon or tab), by Study Instance UID or Accession Number.

    The key column is ``StudyInstanceUID`` or ``AccessionNumber``, the text column ``report`` or ``text``,
    in any case of letters. Rows without text are left out.

    Raises
    ------
    InputError
        The file cannot be read, a column is missing, or a key stands in two rows.

    """
    try:
        with csv_path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            rows = list(csv.reader(file, delimiter=max(",;\t", key=header.count), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"sidecar CSV: expected a readable table in UTF-8; got {type(error).__name__}; save it again as CSV UTF-8"
        raise InputError(msg) from None
    names = [name.strip().casefold() for name in rows[0]] if rows else []
    key, text = _column(names, _KEY_COLUMNS), _column(names, _TEXT_COLUMNS)
    if key is None or text is None:
        missing = [
            expected
            for column, expected in ((key, "StudyInstanceUID or AccessionNumber"), (text, "report or text"))
            if column is None
        ]
        msg = f"sidecar CSV, line 1: expected a column {' and a column '.join(missing)}; got {len(names)} others"
        raise InputError(msg)
    reports: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) <= max(key, text) or not row[key].strip() or not row[text].strip():
            continue
        if row[key].strip() in reports:
            msg = f"sidecar CSV, row {number}: expected one row for each study; got a second one; merge the two"
            raise InputError(msg)
        reports[row[key].strip()] = row[text].strip()
    return reports


def _column(names: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)
