"""The content tree of a structured report (PS3.3 C.17.3) as headed lines of text, in reading order.

Basic Text, Enhanced and Comprehensive SR are one tree in three degrees of freedom; TID 2000 (PS3.16, Basic Diagnostic
Imaging Report) is containers with headings (CID 7001) around TEXT and CODE items. So one walk reads them all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pydicom.dataset import Dataset

from medaudit.dicom.dataset import text_of
from medaudit.dicom.report_sentences import Section, section_of
from medaudit.errors import InputError

# No template of PS3.16 nests deeper than a handful of containers.
_DEPTH_LIMIT: Final = 16
_ITEM_LIMIT: Final = 20_000
_CHARACTER_LIMIT: Final = 1_000_000
# Relations under which an item says who observed what and how (PS3.3 C.17.3.2.4), and nothing of the image.
_CONTEXT: Final = ("HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD")
_SAID: Final = ("TEXT", "CODE", "NUM")
# A unit longer than this, or with braces, is an annotation of UCUM ("{ratio}"): its meaning reads better.
_UNIT_LENGTH: Final = 8


def content_lines(document: Dataset) -> tuple[tuple[str, str], ...]:
    """(heading, text) of every statement: TEXT, CODE ("Laterality: Left") and NUM ("Diameter: 12 mm") items.

    The heading is the item's concept name where that names a part of a report, else the nearest such
    container's, else the item's own. What HAS PROPERTIES stands behind its item, after a comma; a container with
    CONTINUOUS content is one line. Items of context, names, dates, references and coordinates are left out.

    Raises
    ------
    InputError
        The tree is deeper, or larger, than any report.

    """
    return tuple(_Walk().lines(document, "", 0))


@dataclass(slots=True)
class _Walk:
    """One walk over one tree, which counts what it meets."""

    items: int = field(default=0)
    characters: int = field(default=0)

    def lines(self, item: Dataset, heading: str, depth: int) -> Iterator[tuple[str, str]]:
        self._count(depth)
        concept = _meaning(item, "ConceptNameCodeSequence")
        heading = concept if not heading or section_of(concept) is not Section.OTHER else heading
        children = [
            child for child in item.get("ContentSequence") or () if text_of(child, "RelationshipType") not in _CONTEXT
        ]
        own = self._phrase(item, depth)
        if own:
            yield (heading if section_of(heading) is not Section.OTHER else concept or heading), own
            children = [child for child in children if not _is_property(child)]
        below = (line for child in children for line in self.lines(child, heading, depth + 1))
        if text_of(item, "ContinuityOfContent") == "CONTINUOUS":
            yield from self._running(children, heading, depth)
        else:
            yield from below

    def _running(self, children: list[Dataset], heading: str, depth: int) -> Iterator[tuple[str, str]]:
        """Neighbouring statements of CONTINUOUS content as one line, numbers without their names."""
        line: list[str] = []
        for child in children:
            words = self._phrase(child, depth + 1, named=False)
            if words:
                self._count(depth + 1)
                line.append(words)
                continue
            if line:
                yield heading, " ".join(line)
            line = []
            yield from self.lines(child, heading, depth + 1)
        if line:
            yield heading, " ".join(line)

    def _phrase(self, item: Dataset, depth: int, *, named: bool = True) -> str:
        """What an item says, with its properties; '' for an item that says nothing in words."""
        kind = text_of(item, "ValueType")
        if kind not in _SAID:
            return ""
        value = {"TEXT": _text, "CODE": _code, "NUM": _number}[kind](item)
        if not value:
            return ""
        concept = _meaning(item, "ConceptNameCodeSequence")
        if named and kind != "TEXT" and concept and section_of(concept) is Section.OTHER:
            value = f"{concept}: {value}"
        said = [value]
        for child in item.get("ContentSequence") or ():
            if _is_property(child):
                self._count(depth + 1)
                said.append(self._phrase(child, depth + 1))
        whole = ", ".join(part for part in said if part)
        self.characters += len(value)
        return whole

    def _count(self, depth: int) -> None:
        self.items += 1
        if depth > _DEPTH_LIMIT:
            msg = f"Content Sequence (0040,A730): expected at most {_DEPTH_LIMIT} levels; got more"
            raise InputError(msg)
        if self.items > _ITEM_LIMIT or self.characters > _CHARACTER_LIMIT:
            msg = (
                f"Content Sequence (0040,A730): expected at most {_ITEM_LIMIT} items and {_CHARACTER_LIMIT} "
                "characters; got more: no person wrote this report"
            )
            raise InputError(msg)


def _is_property(item: Dataset) -> bool:
    return text_of(item, "RelationshipType") == "HAS PROPERTIES" and text_of(item, "ValueType") in _SAID


def _text(item: Dataset) -> str:
    return text_of(item, "TextValue")


def _code(item: Dataset) -> str:
    return _meaning(item, "ConceptCodeSequence")


def _number(item: Dataset) -> str:
    measured = item.get("MeasuredValueSequence")
    if not measured:
        return ""
    value = text_of(measured[0], "NumericValue")
    units = measured[0].get("MeasurementUnitsCodeSequence")
    unit = text_of(units[0], "CodeValue") if units else ""
    if len(unit) > _UNIT_LENGTH or "{" in unit or not unit.strip("0123456789"):
        unit = text_of(units[0], "CodeMeaning") if units and unit != "1" else ""
    return f"{value} {unit}".strip() if value else ""


def _meaning(item: Dataset, keyword: str) -> str:
    codes = item.get(keyword)
    return text_of(codes[0], "CodeMeaning") if codes else ""
