"""What may leave this package: an allow-list of elements, and pseudonyms in the place of UIDs.

The list is short where the Basic Application Level Confidentiality Profile (PS3.15 Table E.1-1) is a
list of what to remove: an element that nobody thought of stays here. Of the elements that the profile
removes, only three facts pass: sex, an age band of ten years, and the study's year (docs/privacy.md says
why). Manufacturer and model, which the profile leaves alone, pass; station, institution, serial number,
dates, times, comments, descriptions and private elements never do.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from medaudit.dicom.dataset import hushed, one_line, text_of
from medaudit.errors import UsageError

_VALUE_LIMIT: Final = 64
# A piece of an identifier of this length betrays a person as a word of its own; "LI" would blank half of all headers.
_TELLING_WORD: Final = 3
# One of this length does so within a longer word, too.
_TELLING_PART: Final = 5
_KEY_BYTES: Final = 32
_CODE_DIGITS: Final = 12

# Code strings (PS3.5 6.2: capitals, digits, space, underscore), several joined by a backslash. Real
# files also carry lower case, a hyphen or a slash.
_CODES: Final = re.compile(r"[A-Za-z0-9 _\-/\\]+")
_NUMBER: Final = re.compile(r"[-+0-9.eE]+")
_WORDS: Final = re.compile(r".+")

ALLOWED: Final[Mapping[str, re.Pattern[str]]] = {
    "Modality": _CODES,
    "BodyPartExamined": _CODES,
    "ViewPosition": _CODES,
    "Laterality": _CODES,
    "ImageLaterality": _CODES,
    "PatientOrientation": re.compile(r"[LRAPHF]+\\[LRAPHF]+"),
    "PatientPosition": _CODES,
    "PatientSex": re.compile(r"[MFO]"),
    "Manufacturer": _WORDS,
    "ManufacturerModelName": _WORDS,
    "KVP": _NUMBER,
    "SliceThickness": _NUMBER,
    "PhotometricInterpretation": _CODES,
    "BitsStored": _NUMBER,
    "ImageType": _CODES,
    "BurnedInAnnotation": re.compile(r"YES|NO"),
    "LossyImageCompression": re.compile(r"0[01]"),
    "PresentationIntentType": _CODES,
    "ConversionType": _CODES,
}
"""The elements that may leave as they are, and the shape that their values must have."""

IDENTIFIERS: Final = (
    "PatientID",
    "PatientName",
    "AccessionNumber",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "StudyDate",
)
"""The elements that leave only where the site keeps identifiers."""

_TELLING: Final = (
    *("PatientName", "PatientID", "OtherPatientNames", "OtherPatientIDs", "PatientBirthName", "PatientMotherBirthName"),
    *("PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers", "AccessionNumber"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "NameOfPhysiciansReadingStudy"),
)


def allowed_elements(ds: Dataset, *, keep_identifiers: bool = False) -> dict[str, str]:
    """The elements of a header that may be stored and shown, by keyword.

    ``AgeBand`` ("60-69", "90+") stands for age and birth date, ``StudyYear`` for the study date. A value
    that has not its element's shape, or that repeats a piece of an identifier of the same header, is
    withheld: its keyword is then absent, as for an absent element. Values are single lines of at most
    64 characters.
    """
    with hushed():
        telling = _pieces(" ".join(text_of(ds, keyword) for keyword in _TELLING))
        found = {keyword: one_line(text_of(ds, keyword), _VALUE_LIMIT) for keyword in ALLOWED}
        kept = {
            keyword: value
            for keyword, value in found.items()
            if ALLOWED[keyword].fullmatch(value) and not _repeats(value, telling)
        }
        for keyword, derive in _DERIVED.items():
            if value := derive(ds):
                kept[keyword] = value
        if keep_identifiers:
            values = {keyword: one_line(text_of(ds, keyword), _VALUE_LIMIT) for keyword in IDENTIFIERS}
            kept |= {keyword: value for keyword, value in values.items() if value}
    return kept


def _pieces(text: str) -> frozenset[str]:
    """The words and numbers of a text, in lower case."""
    return frozenset(re.split(r"[\W_]+", text.casefold())) - {""}


def _repeats(value: str, telling: frozenset[str]) -> bool:
    """Whether a value holds a piece of an identifier; short numbers (a tube voltage) are nobody's."""
    words = {piece for piece in telling if len(piece) >= _TELLING_WORD and not piece.isdecimal()}
    parts = {piece for piece in telling if len(piece) >= _TELLING_PART}
    return bool(words & _pieces(value)) or any(part in value.casefold() for part in parts)


def _age_band(ds: Dataset) -> str:
    years = _age_in_years(ds)
    if years is None or not 0 <= years < 150:
        return ""
    return "90+" if years >= 90 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def _age_in_years(ds: Dataset) -> int | None:
    """Patient's Age (0010,1010), else birth date and study date."""
    age = re.fullmatch(r"(\d{1,3})([DWMY])", text_of(ds, "PatientAge"))
    if age:
        return int(int(age[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[age[2]])
    birth, study = (re.fullmatch(r"(\d{4})(\d{4})", text_of(ds, key)) for key in ("PatientBirthDate", "StudyDate"))
    if birth is None or study is None:
        return None
    return int(study[1]) - int(birth[1]) - (study[2] < birth[2])


def _study_year(ds: Dataset) -> str:
    date = re.fullmatch(r"((?:19|20)\d\d)\d{4}", text_of(ds, "StudyDate"))
    return date[1] if date else ""


_DERIVED: Final[Mapping[str, Callable[[Dataset], str]]] = {"AgeBand": _age_band, "StudyYear": _study_year}

_PREFIXES: Final = {"study": "ST", "series": "SE", "image": "IM", "file": "FI"}


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Codes in the place of UIDs and file labels: stable under one key, meaningless without it."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != _KEY_BYTES:
            msg = f"Pseudonyms.key: expected {_KEY_BYTES} bytes; got {len(self.key)}"
            raise ValueError(msg)

    @classmethod
    def at(cls, path: Path) -> "Pseudonyms":
        """Load the key file at ``path``; make one, readable by its owner alone, where there is none.

        Raises
        ------
        UsageError
            The file is no key.

        """
        if not path.exists():
            _create_key(path)
        key = path.read_bytes()
        if len(key) != _KEY_BYTES:
            msg = f"{path.name}: expected a pseudonym key of {_KEY_BYTES} bytes; got {len(key)}; restore it from backup"
            raise UsageError(msg)
        return cls(key)

    def code(self, kind: str, uid: str) -> str:
        """E.g. "ST-9F3A21C0B7D4" for kind "study" (series, image, file): HMAC-SHA256, safe in names and URLs."""
        if kind not in _PREFIXES:
            msg = f"kind: expected one of {', '.join(_PREFIXES)}; got {kind!r}"
            raise ValueError(msg)
        digest = hmac.new(self.key, f"{kind}\0{uid}".encode(), hashlib.sha256).hexdigest()
        return f"{_PREFIXES[kind]}-{digest[:_CODE_DIGITS].upper()}"


def _create_key(path: Path) -> None:
    """Write a whole key under another name, then give it its own: nobody ever sees half of one."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another process was first; its key counts
        except OSError:  # a file system without hard links
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
