"""Measurements and thresholds -> findings, in plain words. The only place where a number becomes a claim."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medaudit.audit.checks import negation, prompt_control
from medaudit.records import Finding, Measurement, Severity, gravest_first


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where a measurement becomes a finding: beyond ``limit``, on the side that the check calls bad."""

    limit: float
    severity: Severity


@dataclass(frozen=True, slots=True)
class Wording:
    """What a finding of one check says. ``above`` tells which side of the threshold is bad.

    ``claim`` is filled with ``subject``, ``against``, ``value`` and ``limit``.
    """

    above: bool
    claim: str
    limits: str
    advice: str


WORDINGS: Mapping[str, Wording] = {
    f"{prompt_control.CHECK}.{prompt_control.MAP_RANK_CORRELATION}": Wording(
        above=True,
        claim=(
            "The map for \u201c{subject}\u201d follows the image more than the prompt: "
            "its rank correlation with the maps of {against} is {value:.2f} (threshold {limit:g})."
        ),
        limits=(
            "It does not show that the similarity is wrong, only that this map cannot tell what it rests on: "
            "prompts that have nothing to do with the image get much the same map."
        ),
        advice="Do not read this map as evidence for the finding. Compare blocks, methods and models on the cohort.",
    ),
    f"{negation.CHECK}.{negation.ABSOLUTE_MARGIN}": Wording(
        above=False,
        claim=(
            "The model hardly tells \u201c{subject}\u201d from \u201c{against}\u201d: "
            "their similarities differ by {value:.4f} (threshold {limit:g})."
        ),
        limits="It does not show which of the two is true of this image; that needs a reader or a label.",
        advice="Do not use the similarity of either prompt alone. Check on the cohort whether negation is read at all.",
    ),
}
"""``check.quantity`` -> its words; its keys are the keys that ``thresholds`` of a pipeline may have."""


def findings(measurements: Iterable[Measurement], thresholds: Mapping[str, Threshold]) -> tuple[Finding, ...]:
    """Findings of the measurements that lie beyond their threshold, worst severity first, else in order.

    A measurement without a threshold stays a measurement.
    """
    raised = []
    for measurement in measurements:
        key = f"{measurement.check}.{measurement.quantity}"
        threshold = thresholds.get(key)
        if threshold is None:
            continue
        wording = WORDINGS[key]
        beyond = measurement.value > threshold.limit if wording.above else measurement.value < threshold.limit
        if beyond:
            claim = wording.claim.format(
                subject=measurement.subject,
                against=measurement.against,
                value=measurement.value,
                limit=threshold.limit,
            )
            raised.append(
                Finding(measurement, threshold.limit, threshold.severity, claim, wording.limits, wording.advice)
            )
    return gravest_first(raised)
