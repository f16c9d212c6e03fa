"""A study as the audit leaves it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medaudit.records.finding import Finding, Measurement
from medaudit.records.geometry import GridMap
from medaudit.records.image import ImageRecord, ReadingCopy
from medaudit.records.relevance import Attribution


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """One study: its code and the allow-listed elements, keyed by DICOM keyword."""

    study: str
    elements: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ImageAudit:
    """One image with everything that the audit made of it.

    ``attributions`` are in the order in which the prompts were asked.
    """

    record: ImageRecord
    reading_copy: ReadingCopy
    grid_map: GridMap
    attributions: tuple[Attribution, ...]
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class StudyAudit:
    """Everything that one transaction writes. ``seconds`` is the wall time that the study took."""

    record: StudyRecord
    images: tuple[ImageAudit, ...]
    seconds: float = 0.0
