"""What is measured over all studies together, and the findings that thresholds make of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from medaudit.records.finding import Severity

SHARED_OF: Final = " \u00b7 "
"""In ``CohortMeasurement.against`` between what studies share and the kind of finding that they have in common."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that is known of an image beside the model: what its report says, what its picture looks like.

    ``value`` is 1 where ``name`` is told or there, 0.5 where the report is not sure, 0 where it is silent or nothing
    is there, -1 where the report denies it. ``source`` is ``report`` or ``picture``.
    """

    source: str
    name: str
    value: float

    def __post_init__(self) -> None:
        if not -1 <= self.value <= 1:
            msg = f"Observation.value: expected -1 .. 1 for {self.source} {self.name}; got {self.value}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class CohortMeasurement:
    """One number over many studies.

    Parameters
    ----------
    check, quantity
        Its name (both are keys of the pipeline's ``thresholds``).
    value
        The effect, in the unit that the quantity has.
    subject
        The text of the prompt that it is about; empty where it is about none.
    against
        The feature or the group, in words that a reader sees.
    count, others
        Studies with it, and those that they are held against.
    ends
        Of the 95 % interval of ``value``; None where there are too few studies.
    p
        Of chance alone giving as much; None where nothing is tested.
    q
        ``p`` corrected for the number of tests of the check (Benjamini-Hochberg).
    examples
        Codes of the studies that show it best, at most three.

    """

    check: str
    quantity: str
    value: float
    subject: str
    against: str
    count: int
    others: int = 0
    ends: tuple[float, float] | None = None
    p: float | None = None
    q: float | None = None
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        name = f"{self.check}.{self.quantity}"
        if not math.isfinite(self.value):
            msg = f"CohortMeasurement.value: expected a finite number for {name}; got {self.value}"
            raise ValueError(msg)
        for what, chance in (("p", self.p), ("q", self.q)):
            if chance is not None and not 0 <= chance <= 1:
                msg = f"CohortMeasurement.{what}: expected 0 .. 1 for {name}; got {chance}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class CohortFinding:
    """A measurement over the cohort beyond its threshold and beyond chance, in plain words.

    The fields are those of :class:`medaudit.records.finding.Finding`.
    """

    measurement: CohortMeasurement
    threshold: float
    severity: Severity
    claim: str
    limits: str
    advice: str


@dataclass(frozen=True, slots=True)
class CohortAudit:
    """Everything that was measured over ``studies`` studies together; findings in the order of their weight.

    ``level`` is the corrected p below which a difference counts; ``notes`` say what could not be asked, and why.
    """

    studies: int
    level: float = 0.01
    measurements: tuple[CohortMeasurement, ...] = ()
    findings: tuple[CohortFinding, ...] = ()
    notes: tuple[str, ...] = ()


def weightiest_first(findings: Iterable[CohortFinding]) -> tuple[CohortFinding, ...]:
    """By severity, then by how small q is, then by the size of the effect, then by name."""
    return tuple(
        sorted(
            findings,
            key=lambda one: (
                -one.severity.rank,
                one.measurement.q if one.measurement.q is not None else 0.0,
                -abs(one.measurement.value),
                one.measurement.check,
                one.measurement.against,
                one.measurement.subject,
            ),
        )
    )
