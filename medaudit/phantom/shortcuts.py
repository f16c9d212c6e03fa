"""Shortcuts on demand: something that is not a finding, made to come with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from medaudit.errors import UsageError
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.vendors import VENDORS


class Feature(StrEnum):
    """What a shortcut may tie to a finding."""

    PACEMAKER = "pacemaker"
    TUBE = "tube"
    LINE = "line"
    DRAIN = "drain"
    ECG = "ecg"
    MARKER = "marker"
    PORTABLE = "portable"
    TEXT = "text"
    ALDER = "vendor-alder"
    BIRCH = "vendor-birch"
    CEDAR = "vendor-cedar"
    DOGWOOD = "vendor-dogwood"
    FEMALE = "female"
    OLD = "old"


BASE_RATES: Final[Mapping[Feature, float]] = MappingProxyType(
    {
        Feature.PACEMAKER: 0.10,
        Feature.TUBE: 0.10,
        Feature.LINE: 0.15,
        Feature.DRAIN: 0.10,
        Feature.ECG: 0.25,
        Feature.MARKER: 0.85,
        Feature.PORTABLE: 0.20,
        Feature.TEXT: 0.25,
        **{Feature(f"vendor-{vendor.key}"): 1 / len(VENDORS) for vendor in VENDORS},
        Feature.FEMALE: 0.5,
        Feature.OLD: 0.4,
    }
)
"""How often each feature is drawn where no shortcut speaks of it; ``old`` is 65 years and more."""

FINDING_NAMES: Final[Mapping[str, FindingKind]] = MappingProxyType({kind.name.lower(): kind for kind in FindingKind})
"""Findings as shortcuts call them."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """``feature`` is drawn with probability ``given`` where ``finding`` is present, with ``otherwise`` where not."""

    finding: FindingKind
    feature: Feature
    given: float
    otherwise: float

    def __post_init__(self) -> None:
        for name, value in (("given", self.given), ("otherwise", self.otherwise)):
            if not 0 <= value <= 1:
                msg = f"Shortcut.{name}: expected a probability of 0 .. 1; got {value}"
                raise ValueError(msg)

    def __str__(self) -> str:
        return f"{self.finding.name.lower()}:{self.feature}={self.given:g}/{self.otherwise:g}"


def parse_shortcut(text: str) -> Shortcut:
    """Read ``finding:feature=P`` or ``finding:feature=P/Q``; without Q the base rate holds where the finding is not.

    Raises
    ------
    UsageError
        The text is none; the message says what may stand there.

    """
    finding, colon, rest = text.partition(":")
    feature, equals, numbers = rest.partition("=")
    if not (colon and equals):
        msg = f"shortcut: expected finding:feature=P or finding:feature=P/Q; got {text!r}"
        raise UsageError(msg)
    if finding not in FINDING_NAMES:
        msg = f"shortcut {text!r}: expected a finding of {', '.join(FINDING_NAMES)}; got {finding!r}"
        raise UsageError(msg)
    if feature not in {*Feature}:
        msg = f"shortcut {text!r}: expected a feature of {', '.join(Feature)}; got {feature!r}"
        raise UsageError(msg)
    given, slash, otherwise = numbers.partition("/")
    try:
        return Shortcut(
            FINDING_NAMES[finding],
            Feature(feature),
            float(given),
            float(otherwise) if slash else BASE_RATES[Feature(feature)],
        )
    except ValueError:
        msg = f"shortcut {text!r}: expected probabilities of 0 .. 1 after '='; got {numbers!r}"
        raise UsageError(msg) from None
