"""Report text: structured reports, a CSV beside the images, and its sentences."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from medaudit.dicom.dataset import PARSE_ERRORS, hushed, open_dataset, text_of
from medaudit.dicom.scan import FileRef
from medaudit.dicom.sop_classes import REPORTS
from medaudit.errors import InputError

# No template of PS3.16 nests deeper than a handful of containers.
_DEPTH_LIMIT: Final = 16
_KEY_COLUMNS: Final = ("studyinstanceuid", "accessionnumber")
_TEXT_COLUMNS: Final = ("report", "text")
# A line this long was broken by an editor, a shorter one by its author.
_WRAPPED_LINE: Final = 60

_BULLET: Final = re.compile(r"^\s*(?:[-*\u2022\u2013]|\(?\d{1,2}[.)])\s+(?=\S)")
_HEADING: Final = re.compile(r"^[A-Z][A-Z /&-]{2,}:\s*")
# fmt: off
_ABBREVIATIONS: Final = frozenset({
    "dr", "drs", "mr", "mrs", "ms", "prof", "st", "vs", "approx", "ca", "cf", "e.g", "i.e", "fig", "resp", "incl",
    "bzw", "z.b", "d.h", "ggf", "vgl", "evtl",
})
# fmt: on
# Relations under which an item says who observed what and how (PS3.3 C.17.3.2.4), and nothing of the image.
_CONTEXT: Final = ("HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD")
_END: Final = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)")


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
    """The TEXT items of a structured report (PS3.3 C.17.3); None for another object, or without any.

    The heading is the meaning of the item's concept name, else of the container around it. Items of
    context (who observed, where) are left out.

    Raises
    ------
    NotDicomError
        The bytes are not DICOM.
    InputError
        The file cannot be read, or nests too deep.

    """
    with ref.open() as stream, hushed():
        opened = open_dataset(stream)
        if opened.sop_class_uid not in REPORTS:
            return None
        try:
            sections = tuple(_text_items(opened.dataset, "", 0))
        except PARSE_ERRORS as error:
            msg = f"Content Sequence (0040,A730): expected a readable document; got {type(error).__name__}"
            raise InputError(msg) from None
    return ReportText("structured report", sections) if sections else None


def _text_items(item: Dataset, heading: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEPTH_LIMIT:
        msg = f"Content Sequence (0040,A730): expected at most {_DEPTH_LIMIT} levels; got more"
        raise InputError(msg)
    concept = item.get("ConceptNameCodeSequence")
    heading = (text_of(concept[0], "CodeMeaning") if concept else "") or heading
    body = text_of(item, "TextValue")
    if text_of(item, "ValueType") == "TEXT" and body:
        yield heading, body
    for child in item.get("ContentSequence") or ():
        if text_of(child, "RelationshipType") not in _CONTEXT:
            yield from _text_items(child, heading, depth + 1)


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


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a report, in order; none is empty.

    White space is made single, bullets and headings in capitals are stripped. A number (1.5 cm), an
    abbreviation (Dr.) and an initial (J.) end no sentence. A line break ends one after a short line, and
    before a bullet or an empty line.
    """
    return tuple(sentence for block in _blocks(text) for sentence in _split(block))


def _blocks(text: str) -> Iterator[str]:
    """Runs of lines that belong together, without their bullets and headings in capitals."""
    block: list[str] = []
    for line in text.splitlines():
        bare = _HEADING.sub("", _BULLET.sub("", line, count=1).strip(), count=1)
        # A short line that goes on in lower case was broken by an editor all the same.
        goes_on = bare == line.strip() and (bare[:1].islower() or (block and len(block[-1]) >= _WRAPPED_LINE))
        if block and not (bare and goes_on):
            yield " ".join(block)
            block = []
        if bare:
            block.append(bare)
    if block:
        yield " ".join(block)


def _split(block: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(block):
        rest = block[end.end() :].lstrip()
        if rest and (rest[0].islower() or _is_abbreviation(block[start : end.start()], rest)):
            continue
        sentence = " ".join(block[start : end.end()].split())
        start = end.end()
        if _says_something(sentence):
            yield sentence
    sentence = " ".join(block[start:].split())
    if _says_something(sentence):
        yield sentence


def _is_abbreviation(before: str, rest: str) -> bool:
    word = before.rpartition(" ")[2].lstrip("([\"'")
    if word.casefold() in ("no", "nos"):
        return rest[0].isdecimal()  # "No. 3", yet "Effusion? No. The heart ..."
    return word.casefold() in _ABBREVIATIONS or (len(word) == 1 and word.isupper())


def _says_something(sentence: str) -> bool:
    return any(character.isalpha() for character in sentence)
