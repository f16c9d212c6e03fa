"""A cohort as the checks see it: one value a study, whatever number of images it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medaudit.metrics.multiplicity import benjamini_hochberg
from medaudit.records import CohortMeasurement, Prompt

Values = NDArray[np.float64]
"""(n,) one a study, NaN where there is none."""

# What a report denies and what it does not mention are alike: most reports leave out most of what is not there.
_STRATA = {1.0: "told", 0.5: "not sure"}

REPORT, PICTURE = "report", "picture"
"""Sources of observations."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of all studies beside the model: ``values`` as in :class:`medaudit.records.cohort.Observation`."""

    source: str
    name: str
    values: Values


@dataclass(frozen=True, slots=True)
class Sentence:
    """A report sentence of study ``study`` (an index), and its embedding (E,), of length 1."""

    study: int
    text: str
    embedding: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CohortCase:
    """Everything that a check across studies may ask.

    Parameters
    ----------
    studies
        Codes, n of them; every array below is in their order.
    scores
        Each finding prompt's cosine less the mean of the control prompts (the cosine itself where none is asked).
    told
        What reports and pictures say.
    elements
        DICOM elements by keyword, '' where a study has none or its images differ.
    concentration
        How much of each finding prompt's map lies in its fullest tenth.
    measured
        Mean over a study's images of each measurement, by (check, quantity, subject, against).
    flagged
        1 where a study has a finding of (check, quantity), 0 where it was measured and has none.
    raised
        The same of findings of (check, quantity, subject).
    images
        (n, E) mean embedding of each study's images, or None where the store has none.
    sentences
        Report sentences that were asked and affirm something.
    smallest
        Studies that a group needs on either side.
    level
        Corrected p below which a difference counts.

    """

    studies: tuple[str, ...]
    scores: Mapping[Prompt, Values]
    told: tuple[Told, ...] = ()
    elements: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    concentration: Mapping[Prompt, Values] = field(default_factory=dict)
    measured: Mapping[tuple[str, str, str, str], Values] = field(default_factory=dict)
    flagged: Mapping[tuple[str, str], Values] = field(default_factory=dict)
    raised: Mapping[tuple[str, str, str], Values] = field(default_factory=dict)
    images: NDArray[np.float32] | None = None
    sentences: tuple[Sentence, ...] = ()
    smallest: int = 10
    level: float = 0.01

    @cached_property
    def _reports(self) -> Mapping[str, Values]:
        return {one.name: one.values for one in self.told if one.source == REPORT}

    def said(self, finding: str) -> Values | None:
        """What the reports say of a finding; None where no report was read."""
        return self._reports.get(finding)

    def strata(self, prompt: Prompt) -> tuple[str, ...]:
        """What the report of each study says of the prompt's finding: only studies that say alike are compared."""
        said = self.said(prompt.finding)
        if said is None:
            return ("",) * len(self.studies)
        return tuple(_STRATA.get(value, "not told" if value <= 0 else "no report") for value in said.tolist())

    def examples(self, among: Sequence[int] | NDArray[np.intp], order: Values) -> tuple[str, ...]:
        """Codes of the three studies of ``among`` with the largest ``order``."""
        ranked = sorted(among, key=lambda index: (-order[index], self.studies[index]))
        return tuple(self.studies[index] for index in ranked[:3])


def corrected(found: Sequence[CohortMeasurement]) -> list[CohortMeasurement]:
    """The same measurements, each p corrected for the number of them."""
    chances = benjamini_hochberg([1.0 if one.p is None else one.p for one in found])
    return [replace(one, q=float(q)) for one, q in zip(found, chances, strict=True)]
