"""A measurement, and the finding that a threshold makes of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters, from nothing to look at to act now."""

    NOTE = "note"
    CAUTION = "caution"
    WARNING = "warning"

    @property
    def rank(self) -> int:
        """Place among the severities, mildest first, from 0; the names themselves sort by their letters."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number from one check on one prompt.

    ``check`` and ``quantity`` name it (both are keys of the pipeline's ``thresholds``); ``subject``
    is the prompt's text, ``against`` what it was compared with.
    """

    check: str
    quantity: str
    value: float
    subject: str
    against: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            msg = f"Measurement.value: expected a finite number for {self.check}.{self.quantity}; got {self.value}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Finding:
    """A measurement beyond its threshold, in plain words.

    ``claim`` says what was seen, ``limits`` what it does not show, ``advice`` what to do next.
    """

    measurement: Measurement
    threshold: float
    severity: Severity
    claim: str
    limits: str
    advice: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold):
            name = f"{self.measurement.check}.{self.measurement.quantity}"
            msg = f"Finding.threshold: expected a finite number for {name}; got {self.threshold}"
            raise ValueError(msg)


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by severity; those of one severity in their own order."""
    return tuple(sorted(findings, key=lambda finding: -finding.severity.rank))
