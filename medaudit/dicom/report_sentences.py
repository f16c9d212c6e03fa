"""A report's text -> its sections, and the sentences of each.

Headings are recognised in English by name (the spellings of common report templates, and the section names of
PS3.16 CID 7001), at the beginning of a line, and in capitals with a colon within one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from medaudit.dicom.negation import assertion_of
from medaudit.records.relevance import Assertion

# A line this long was broken by an editor, a shorter one by its author.
_WRAPPED_LINE: Final = 60


class Section(StrEnum):
    """What a part of a report is for. ``OTHER`` is text below no heading that is known."""

    FINDINGS = "findings"
    IMPRESSION = "impression"
    RECOMMENDATION = "recommendation"
    INDICATION = "indication"
    COMPARISON = "comparison"
    TECHNIQUE = "technique"
    ADMINISTRATION = "administration"
    OTHER = "other"


# fmt: off
_NAMES: Final[dict[Section, tuple[str, ...]]] = {
    Section.FINDINGS: (
        "findings", "finding", "findings and impression", "findings/impression", "findings & impression",
        "observations", "observation", "description", "report text", "report body", "narrative", "results",
        "result", "chest findings", "imaging findings", "radiographic findings", "radiology findings",
        "current findings", "body of report", "radiology study observation",
    ),
    Section.IMPRESSION: (
        "impression", "impressions", "conclusion", "conclusions", "opinion", "interpretation", "summary",
        "assessment", "diagnosis", "diagnoses", "radiological diagnosis", "final impression", "impression/plan",
        "impression and plan", "impression and recommendation", "impression and recommendations",
        "impression/recommendation", "comment", "imp", "key findings", "radiology imaging study impression",
        "diagnostic impression",
    ),
    Section.RECOMMENDATION: (
        "recommendation", "recommendations", "follow-up", "follow up", "followup", "plan", "advice",
    ),
    Section.INDICATION: (
        "indication", "indications", "clinical indication", "clinical indications", "clinical history", "history",
        "clinical information", "clinical details", "clinical data", "clinical question", "clinical statement",
        "reason for exam", "reason for examination", "reason for study", "reason for this examination", "request",
        "reason for procedure", "reason", "patient history", "medical history", "presenting complaint",
        "clinical notes", "indications for procedure", "patient presentation", "brief history", "relevant history",
        "hx", "symptoms",
    ),
    Section.COMPARISON: (
        "comparison", "comparisons", "comparison study", "comparison studies", "comparison exam", "prior study",
        "prior studies", "prior exam", "prior exams", "previous study", "previous studies", "previous findings",
        "previous finding", "prior procedure descriptions", "prior imaging procedure descriptions", "compared with",
        "compared to", "radiology comparison study", "priors", "previous examinations",
    ),
    Section.TECHNIQUE: (
        "technique", "techniques", "procedure", "protocol", "exam", "examination", "study", "views", "projections",
        "procedure description", "procedure descriptions", "current procedure descriptions", "type of exam",
        "current imaging procedure descriptions", "study description", "exam type", "exam description", "contrast",
        "examination performed", "scan technique", "radiation dose", "dose", "modality", "number of views",
        "medication",
    ),
    Section.ADMINISTRATION: (
        "notification", "notifications", "communication", "dictated by", "signed by", "electronically signed by",
        "reported by", "report dictated by", "approved by", "attending", "resident", "radiologist", "author",
        "date", "patient", "patient name", "name", "mrn", "accession", "accession number", "dob", "date of birth",
        "signature", "referring physician", "requesting physician", "ordering physician", "end of report",
        "final report", "wet read", "preliminary report", "radiology report", "diagnostic imaging report",
        "exam date", "date of exam", "transcribed by", "verified by", "facility", "location", "institution",
        "status",
    ),
}
_ABBREVIATIONS: Final = frozenset({
    "dr", "drs", "mr", "mrs", "ms", "prof", "st", "vs", "approx", "ca", "cf", "e.g", "i.e", "fig", "figs", "incl",
    "resp",
    "lt", "rt", "min", "max", "inf", "sup", "ant", "post", "lat", "hx", "dx", "pt", "a.m", "p.m", "est",
    "bzw", "z.b", "d.h", "ggf", "vgl", "evtl",
})
# fmt: on
_SECTIONS: Final = {name: section for section, names in _NAMES.items() for name in names}
_KNOWN: Final = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in sorted(_SECTIONS, key=len, reverse=True))

_MARKS: Final = r"[*#_=~\s]*"
# "FINDINGS:", "**Impression** -", "Conclusion" alone on its line, "2. Findings:".
_HEADED: Final = re.compile(
    rf"^{_MARKS}(?:\d[.)]\s*)?({_KNOWN})(?:\(s\))?{_MARKS}(?::{_MARKS}|[-\u2013]\s+|$)", re.IGNORECASE
)
# In the middle of a line only in capitals and with a colon: "... is normal. IMPRESSION: No ..."
_CAPITALS: Final = _KNOWN.upper().replace(r"\S", r"\s")  # the upper case of \s is another class
_INLINE: Final = re.compile(rf"(?<=[.!?;)\s])(?=\b(?:{_CAPITALS})\s*:)")
_BULLET: Final = re.compile(r"^\s*(?:[-*\u2022\u2013]|\(?\d{1,2}[.)])\s+(?=\S)")
_LABEL: Final = re.compile(r"^[A-Z][A-Z /&,()-]{2,}:\s*")
_ONLY_MARKS: Final = re.compile(r"^[\W_]*$")
_END: Final = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)")


@dataclass(frozen=True, slots=True)
class ReportSentence:
    """One sentence, the section that it stands in, and whether it asserts or denies what it names."""

    text: str
    section: Section
    assertion: Assertion


def report_sentences(text: str, section: Section = Section.OTHER) -> tuple[ReportSentence, ...]:
    """The sentences of a report in reading order; ``section`` is that of the text before the first heading."""
    return tuple(
        ReportSentence(sentence, part, assertion_of(sentence))
        for part, body in split_sections(text, section)
        for sentence in sentences(body)
    )


def section_of(heading: str) -> Section:
    """The section that a heading names, whatever its case, colon and spacing."""
    return _SECTIONS.get(" ".join(heading.strip(" :*#_=~-\t").split()).casefold(), Section.OTHER)


def split_sections(text: str, section: Section = Section.OTHER) -> tuple[tuple[Section, str], ...]:
    """(section, text) in reading order, headings taken off; a section may come twice, none is empty."""
    found: list[tuple[Section, list[str]]] = [(section, [])]
    for whole in text.splitlines():
        line = " ".join(whole.split())  # runs of spaces would cost time with the square of their length
        while line:
            heading = _HEADED.match(line)
            start = heading.end() if heading else 0
            inline = _INLINE.search(line, start)
            body = line[start : inline.start() if inline else None].strip()
            if heading:
                found.append((section_of(heading[1]), [body]))
            else:
                found[-1][1].append(body)
            line = line[inline.end() :] if inline else ""
        if not whole.strip():
            found[-1][1].append("")
    bodies = ((part, "\n".join(lines).strip("\n")) for part, lines in found)
    return tuple((part, body) for part, body in bodies if body.strip())


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text without sections, in order; none is empty.

    White space is made single, bullets and labels in capitals ("LUNGS:") are stripped. A number (1.5 cm),
    an abbreviation (Dr.) and an initial (J.) end no sentence. A line break ends one after a short line,
    and before a bullet or an empty line.
    """
    return tuple(sentence for block in _blocks(text) for sentence in _split(block))


def _blocks(text: str) -> Iterator[str]:
    """Runs of lines that belong together, without their bullets and labels in capitals."""
    block: list[str] = []
    for line in text.splitlines():
        bare = "" if _ONLY_MARKS.match(line) else _LABEL.sub("", _BULLET.sub("", line, count=1).strip(), count=1)
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
    if word.isdecimal() and not before.rpartition(" ")[0].strip():
        return False  # "2. Stable nodule.": the number of a list
    return word.casefold() in _ABBREVIATIONS or (len(word) == 1 and word.isupper())


def _says_something(sentence: str) -> bool:
    return any(character.isalpha() for character in sentence)
