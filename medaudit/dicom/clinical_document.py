"""The narrative of a CDA document (HL7 CDA Release 2, 4.3): headed text, in the order of the document.

Only what a person wrote for persons is read: title and text of the body's sections. The header, which names patient and
authors, and coded entries are passed by. A document type declaration is refused: entities, which could grow without
bound or name other files, are declared there and nowhere else.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Final, NoReturn
from xml.parsers import expat

from medaudit.dicom.report_sentences import Section, section_of
from medaudit.errors import InputError

_BYTE_LIMIT: Final = 2**24
_DEPTH_LIMIT: Final = 64
_CHARACTER_LIMIT: Final = 1_000_000
# Narrative elements that stand on lines of their own, and those that stand apart on one line (CDA R2, 4.3.5).
_LINES: Final = frozenset({"br", "caption", "item", "list", "paragraph", "table", "tr"})
_CELLS: Final = frozenset({"td", "th"})


def narrative_lines(document: bytes) -> tuple[tuple[str, str], ...]:
    """(heading, text) of every section with text; the text has a line for every paragraph, item and row.

    The heading is the section's title (else the name of its code) where that names a part of a report, else that of the
    nearest section around it that does, else its own. What is marked as deleted is left out.

    Raises
    ------
    InputError
        The document is no XML, declares a document type, is larger or deeper than any report, or its body is no text.

    """
    if len(document) > _BYTE_LIMIT:
        _refuse(f"at most {_BYTE_LIMIT} bytes; got {len(document)}")
    narrative = _Narrative()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = narrative.doctype
    parser.StartElementHandler, parser.EndElementHandler = narrative.begins, narrative.ends
    parser.CharacterDataHandler = narrative.says
    try:
        # An odd length is padded (PS3.5 6.2).
        parser.ParseFile(BytesIO(document.rstrip(b"\0")))
    except (expat.ExpatError, LookupError, ValueError) as error:
        _refuse(f"well-formed XML; got {type(error).__name__}")
    return tuple(narrative.lines)


class _Narrative:
    """What the parser tells, gathered: the way of element names to here, and the words of the part that is open."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._way: list[str] = []
        self._headings: list[str] = []
        self._words: list[str] | None = None
        self._opened = 0
        self._deleted = 0
        self._characters = 0

    def doctype(self, *_: object) -> None:
        _refuse("no document type declaration; got one")

    def begins(self, name: str, attributes: Mapping[str, str]) -> None:
        above = self._way[-1] if self._way else ""
        local = name.rsplit(" ", 1)[-1]
        self._way.append(local)
        if len(self._way) > _DEPTH_LIMIT:
            _refuse(f"at most {_DEPTH_LIMIT} levels; got more")
        if self._deleted or attributes.get("revised") == "delete":
            self._deleted += 1
        elif self._words is not None:
            self._words.append("\n" if local in _LINES else " " if local in _CELLS else "")
        elif local == "section":
            self._headings.append("")
        elif above == "section" and local == "code":
            self._headings[-1] = attributes.get("displayName", "")
        elif (above, local) in (("section", "title"), ("section", "text")):
            self._words, self._opened = [], len(self._way)
        elif (above, local) == ("nonXMLBody", "text"):
            kind = attributes.get("mediaType", "text/plain")
            if kind != "text/plain" or attributes.get("representation", "TXT") != "TXT":
                _refuse("sections, or a body of text/plain; got another kind of body")
            self._words, self._opened = [], len(self._way)

    def ends(self, _: str) -> None:
        depth, local = len(self._way), self._way.pop()
        if self._deleted:
            self._deleted -= 1
        elif self._words is not None:
            self._words.append("\n" if local in _LINES else " " if local in _CELLS else "")
            if depth == self._opened:
                self._close(local, "".join(self._words))
                self._words = None
        elif local == "section":
            self._headings.pop()

    def says(self, words: str) -> None:
        if self._words is None or self._deleted:
            return
        self._characters += len(words)
        if self._characters > _CHARACTER_LIMIT:
            _refuse(f"at most {_CHARACTER_LIMIT} characters of text; got more: no person wrote this report")
        # Lines of the file are laid out for XML, not for the reader.
        self._words.append(words.replace("\n", " ") if "section" in self._way else words)

    def _close(self, local: str, words: str) -> None:
        lines = [" ".join(line.split()) for line in words.split("\n")]
        text = "\n".join(line for line in lines if line)
        if local == "title":
            self._headings[-1] = text.replace("\n", " ") or self._headings[-1]
        elif text:
            named = (heading for heading in reversed(self._headings) if section_of(heading) is not Section.OTHER)
            self.lines.append((next(named, self._headings[-1] if self._headings else ""), text))


def _refuse(expected: str) -> NoReturn:
    msg = f"CDA document: expected {expected}; give its text by --report-text (docs/report-text.md)"
    raise InputError(msg) from None
