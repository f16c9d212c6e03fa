"""How numbers and keys are written for people, and the sentences that report and viewer both say."""

import re
from collections.abc import Iterable, Mapping

from medaudit.records import Prompt

NOTHING = "\u2013"
"""What stands in a cell that has nothing to say."""

EVIDENCE = "A map is evidence about the model, not about the patient."

SIMILARITY_IS = "The cosine of the image\u2019s and the prompt\u2019s embedding, from \u22121 to 1."

SIMILARITY_IS_NOT = "It is neither a probability nor an accuracy."

NONE_CROSSED = "No measurement crossed its threshold."

NO_CLEARANCE = "That is no clearance: the checks look at a few ways in which a model can go wrong, not at all of them."

_PLAIN = (1e3, 1e6)  # numbers that stand with all their digits rather than with a power of ten
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def number(value: float, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number with a true minus sign; three significant digits unless ``decimals`` says how many places."""
    form = ".3g" if decimals is None else f".{decimals}f"
    rounded = float(f"{value:.3g}")
    if decimals is None and _PLAIN[0] <= abs(rounded) < _PLAIN[1]:
        value, form = rounded, ".0f"
    return f"{value:{'+' if signed else ''}{form}}".replace("-", "\u2212")


def moment(stated: str) -> str:
    """A time in UTC, stated in ISO 8601, for people: ``2026-03-01 09:30:00 UTC``."""
    return f"{stated.replace('T', ' ').removesuffix('Z').removesuffix('+00:00')} UTC"


def sentences(notes: Iterable[str]) -> str:
    """Notes as sentences after each other."""
    return " ".join(note if note.endswith((".", "?", "!")) else f"{note}." for note in notes)


def margin(value: float | None) -> str:
    """A margin between two cosines with its sign, or :data:`NOTHING` where there is nothing to compare."""
    return NOTHING if value is None else number(value, 3, signed=True)


def by(first: object, second: object) -> str:
    """Two sizes with a multiplication sign."""
    return f"{first} \u00d7 {second}"


def count_of(count: int, noun: str) -> str:
    """A count with its noun: "1 study", "2 studies"."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def words_of(key: str) -> str:
    """A key of a pipeline or a DICOM keyword in words: ``prompt_control``, ``PatientSex``, ``KVP``."""
    return _WORD_BEGINS.sub(" ", key).replace("_", " ")


def report_mark(prompt: Prompt) -> str:
    """How a report sentence stands to what it names, and where: "negated, findings"; '' for other prompts."""
    return ", ".join(part for part in (prompt.assertion and prompt.assertion.value, prompt.section) if part)


LEADING_ELEMENTS = (
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "Laterality",
    "StudyYear",
    "StudyDate",
    "PatientSex",
    "AgeBand",
    "Manufacturer",
    "ManufacturerModelName",
)
"""The elements that a reader looks for first, in this order."""


def leading_first(elements: Mapping[str, str]) -> list[tuple[str, str]]:
    """(keyword, value) of every element, those of :data:`LEADING_ELEMENTS` first, the others in their own order."""
    order = {keyword: place for place, keyword in enumerate(LEADING_ELEMENTS)}
    return sorted(elements.items(), key=lambda item: order.get(item[0], len(order)))
