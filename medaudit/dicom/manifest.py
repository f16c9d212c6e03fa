"""The CSV that stands in for the headers of plain images (PNG, JPEG, TIFF): one row a picture.

``docs/plain-images.md`` documents the columns. A row that is wrong is left out with its reason; a table that is wrong
as a whole is refused.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from medaudit.dicom.dataset import one_line
from medaudit.errors import InputError

MANIFEST_NAME: Final = "manifest.csv"
"""A folder's own manifest, taken where no other is given."""

_ROW_LIMIT: Final = 1_000_000
# Of a wrong value; enough to find it by, and no more of what may stand in a wrong column.
_QUOTED: Final = 24

# Columns by the names that public data sets give them.
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "path": ("path", "file", "filename", "image", "image_path", "file_path"),
    "study": ("study", "study_id", "studyid", "studyinstanceuid"),
    "patient": ("patient", "patient_id", "patientid", "subject", "subject_id"),
    "modality": ("modality",),
    "body_part": ("body_part", "bodypart", "bodypartexamined"),
    "view": ("view", "view_position", "viewposition", "projection"),
    "laterality": ("laterality", "imagelaterality"),
    "orientation": ("orientation", "patientorientation"),
    "sex": ("sex", "gender", "patientsex", "patient_sex"),
    "age": ("age", "patient_age", "patientage", "age_years"),
    "year": ("year", "study_year", "studyyear"),
    "manufacturer": ("manufacturer", "vendor"),
    "pixel_spacing": ("pixel_spacing", "pixel_spacing_mm", "pixelspacing"),
    "report": ("report", "report_text", "text"),
}
_SEXES: Final = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
_UNSTATED: Final = frozenset({"", "na", "n/a", "nan", "none", "null", "unknown", "u", "?", "-"})
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _/-]{0,15}")
_ORIENTATION: Final = re.compile(r"([LRAPHF]{1,3})[\\/ ,]([LRAPHF]{1,3})")
_NUMBER: Final = re.compile(r"\d{1,4}(?:\.\d{1,6})?")


@dataclass(frozen=True, slots=True)
class PlainRow:
    """What the manifest says of one picture; '' for what it does not say.

    ``path`` is relative to the audited input, with "/" separators. ``study`` and ``patient`` group pictures and
    identify: they leave only where the site keeps identifiers. ``elements`` maps DICOM keywords to values in
    DICOM's own form. ``year`` is that of the study.
    """

    number: int
    path: str
    study: str = ""
    patient: str = ""
    elements: Mapping[str, str] = field(default_factory=dict)
    year: str = ""
    report: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: its number in the file (the header is row 1), the path that it names, and why."""

    number: int
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A read manifest: ``rows`` by path, and the rows that were left out.

    ``name`` is the file's; ``label`` its path within the input, '' where it lies elsewhere.
    """

    name: str
    label: str
    rows: Mapping[str, PlainRow]
    bad: tuple[BadRow, ...] = ()


class _BadValueError(ValueError):
    """A value that breaks its column's rule."""


def find_manifest(source: Path) -> Path | None:
    """The ``manifest.csv`` of a folder; None where there is none."""
    path = source / MANIFEST_NAME
    return path if path.is_file() else None


def read_manifest(path: Path, source: Path) -> Manifest:
    """Read the manifest of an input: CSV in UTF-8 with a header; comma, semicolon or tab.

    Raises
    ------
    InputError
        The file cannot be read, has no column ``path``, names a column twice, or is larger than any data set.

    """
    rows = _table(path)
    columns = _columns(path.name, rows[0][1] if rows else [])
    good: dict[str, PlainRow] = {}
    bad: list[BadRow] = []
    for number, cells in rows[1:]:
        values = {name: cells[place].strip() if place < len(cells) else "" for name, place in columns.items()}
        if not any(cells):
            continue
        try:
            row = _row(number, values, good)
        except _BadValueError as error:
            bad.append(BadRow(number, _relative(values["path"]), f"{path.name}, row {number}, {error}"))
        else:
            good[row.path] = row
    inside = path.resolve().is_relative_to(source.resolve())
    label = path.resolve().relative_to(source.resolve()).as_posix() if inside else ""
    return Manifest(path.name, label, good, tuple(bad))


def _table(path: Path) -> list[tuple[int, list[str]]]:
    """(row number in the file, cells), the header first; rows are counted, not lines, as a cell may hold several."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=header.count), strict=True)
            rows = []
            for number, cells in enumerate(reader, start=1):
                if number > _ROW_LIMIT:
                    msg = f"{path.name}: expected at most {_ROW_LIMIT} rows; got more; split the table and the input"
                    raise InputError(msg)
                rows.append((number, cells))
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path.name}: expected a readable table in UTF-8; got {type(error).__name__}; save it again as CSV UTF-8"
        raise InputError(msg) from None


def _columns(name: str, header: list[str]) -> dict[str, int]:
    """Where each column that is known stands; others are not read."""
    names = [cell.strip().casefold().replace(" ", "_") for cell in header]
    found: dict[str, int] = {}
    for column, spellings in _COLUMNS.items():
        places = [place for place, cell in enumerate(names) if cell in spellings]
        if len(places) > 1:
            spelled = ", ".join(names[place] for place in places)
            msg = f"{name}, row 1: expected one column for {column}; got {spelled}; remove or rename one"
            raise InputError(msg)
        if places:
            found[column] = places[0]
    if "path" not in found:
        msg = f"{name}, row 1: expected a column path (see docs/plain-images.md); got {len(names)} others; add it"
        raise InputError(msg)
    return found


def _row(number: int, values: Mapping[str, str], before: Mapping[str, PlainRow]) -> PlainRow:
    path = _relative(values["path"])
    problem = ""
    if not path:
        problem = "expected the path of a picture; got none; fill it or remove the row"
    elif ".." in PurePosixPath(path).parts or path.startswith("/"):
        problem = "expected a path below INPUT, relative to it and without '..'; put the picture below INPUT"
    elif path in before:
        problem = f"expected one row for each picture; got the one of row {before[path].number} again; remove one"
    if problem:
        msg = f"column path: {problem}"
        raise _BadValueError(msg)
    elements = {}
    for column, (keyword, form) in _FORMS.items():
        value = values.get(column, "")
        if value.casefold() not in _UNSTATED:
            elements[keyword] = form(column, value)
    year = elements.pop("", "")
    return PlainRow(
        number, path, values.get("study", ""), values.get("patient", ""), elements, year, values.get("report", "")
    )


def _relative(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./")


def _wrong(column: str, value: str, expected: str) -> _BadValueError:
    return _BadValueError(
        f"column {column}: expected {expected}; got {one_line(value, _QUOTED)!r}; correct or empty it"
    )


def _code(column: str, value: str) -> str:
    if not _CODE.fullmatch(value):
        raise _wrong(column, value, "at most 16 letters, digits, spaces, _, / or -")
    return value.upper()


def _sex(column: str, value: str) -> str:
    if value.casefold() not in _SEXES:
        raise _wrong(column, value, "M, F or O")
    return _SEXES[value.casefold()]


def _age(column: str, value: str) -> str:
    """Years, or DICOM's own form (067Y, 011M), as an age string (PS3.5 6.2, AS)."""
    if re.fullmatch(r"\d{1,3}[DWMYdwmy]", value):
        return value.upper().rjust(4, "0")
    if not _NUMBER.fullmatch(value) or float(value) >= 150:
        raise _wrong(column, value, "years of 0 to 149")
    return f"{int(float(value)):03d}Y"


def _year(column: str, value: str) -> str:
    if not re.fullmatch(r"(?:19|20)\d\d", value):
        raise _wrong(column, value, "a year of four digits")
    return value


def _orientation(column: str, value: str) -> str:
    letters = _ORIENTATION.fullmatch(value.upper())
    if not letters:
        raise _wrong(column, value, "two directions such as L/F: where a row and a column lead")
    return f"{letters[1]}\\{letters[2]}"


def _laterality(column: str, value: str) -> str:
    letter = value[:1].upper()
    if value.casefold() not in ("l", "r", "b", "left", "right", "both", "bilateral"):
        raise _wrong(column, value, "L, R or B")
    return letter


def _spacing(column: str, value: str) -> str:
    if not _NUMBER.fullmatch(value) or float(value) <= 0:
        raise _wrong(column, value, "millimetres from pixel to pixel, one number above 0")
    return f"{value}\\{value}"


def _words(column: str, value: str) -> str:
    if len(value) > 64 or not value.isprintable():
        raise _wrong(column, value, "at most 64 characters on one line")
    return value


_FORMS: Final = {
    "modality": ("Modality", _code),
    "body_part": ("BodyPartExamined", _code),
    "view": ("ViewPosition", _code),
    "laterality": ("ImageLaterality", _laterality),
    "orientation": ("PatientOrientation", _orientation),
    "sex": ("PatientSex", _sex),
    "age": ("PatientAge", _age),
    "year": ("", _year),  # DICOM has dates alone
    "manufacturer": ("Manufacturer", _words),
    "pixel_spacing": ("PixelSpacing", _spacing),
}
