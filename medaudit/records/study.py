"""A study as the audit leaves it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from medaudit.records.cohort import Observation
from medaudit.records.curve import FaithfulnessCurve, Walk
from medaudit.records.finding import Finding, Measurement
from medaudit.records.geometry import GridMap
from medaudit.records.image import ImageRecord, ReadingCopy
from medaudit.records.relevance import Attribution, PromptKind


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """One study: its code and the allow-listed elements, keyed by DICOM keyword."""

    study: str
    elements: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Margins:
    """How far a similarity lies above others of the same image; None where there is nothing to compare.

    ``negated`` is over the mean of the negated prompts of the same finding, ``control`` over the
    mean of all control prompts.
    """

    negated: float | None = None
    control: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ImageAudit:
    """One image with everything that the audit made of it.

    ``attributions`` are in the order in which the prompts were asked. ``observations`` are what is known beside the
    model; ``embedding`` (E,) float32 is the image's, of length 1, and ``sentences`` those of the report sentences, by
    their text: what the checks across studies compare. Both are empty where nobody asked for them. ``curves`` are
    those behind the areas that the faithfulness check measures; empty where it did not walk, or the audit is older.
    """

    record: ImageRecord
    reading_copy: ReadingCopy
    grid_map: GridMap
    attributions: tuple[Attribution, ...]
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[Finding, ...] = ()
    observations: tuple[Observation, ...] = ()
    embedding: NDArray[np.float32] | None = None
    sentences: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    curves: tuple[FaithfulnessCurve, ...] = ()

    def curves_of(self, attribution: Attribution) -> tuple[FaithfulnessCurve, ...]:
        """The curves of a finding prompt, one a walk; a report sentence with the same words has none."""
        if attribution.prompt.kind is not PromptKind.FINDING:
            return ()
        found = {one.walk: one for one in self.curves if one.subject == attribution.prompt.text}
        return tuple(found[walk] for walk in Walk if walk in found)

    def margins(self, attribution: Attribution) -> Margins:
        """Margins of a finding prompt or a report sentence; negated and control prompts have none."""
        prompt = attribution.prompt
        if not prompt.kind.is_compared:
            return Margins()
        negated = [
            other.similarity
            for other in self.attributions
            if prompt.finding and other.prompt.kind is PromptKind.NEGATED and other.prompt.finding == prompt.finding
        ]
        control = [other.similarity for other in self.attributions if other.prompt.kind is PromptKind.CONTROL]
        return Margins(
            negated=attribution.similarity - fmean(negated) if negated else None,
            control=attribution.similarity - fmean(control) if control else None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class StudyAudit:
    """Everything that one transaction writes. ``seconds`` is the wall time that the study took."""

    record: StudyRecord
    images: tuple[ImageAudit, ...]
    seconds: float = 0.0
