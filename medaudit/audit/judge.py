"""Every check on one image, and what they cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from medaudit.audit.case import Case, Cost, Load
from medaudit.audit.checks import (
    faithfulness,
    laterality,
    negation,
    out_of_distribution,
    paraphrase,
    prompt_control,
    randomisation,
    regions,
    stability,
)
from medaudit.audit.verdict import Threshold, findings
from medaudit.records import Finding, Measurement


@dataclass(frozen=True, slots=True)
class Check:
    """A check: what it measures on a case, and what that costs."""

    measure: Callable[[Case], Sequence[Measurement]]
    cost: Callable[[Load], Cost] = lambda _: Cost()


CHECKS: Mapping[str, Check] = {
    prompt_control.CHECK: Check(lambda case: prompt_control.measure(case.attributions)),
    negation.CHECK: Check(lambda case: negation.measure(case.attributions)),
    laterality.CHECK: Check(laterality.measure, laterality.cost),
    paraphrase.CHECK: Check(paraphrase.measure, paraphrase.cost),
    regions.CHECK: Check(regions.measure, regions.cost),
    faithfulness.CHECK: Check(faithfulness.measure, faithfulness.cost),
    stability.CHECK: Check(stability.measure, stability.cost),
    randomisation.CHECK: Check(randomisation.measure, randomisation.cost),
    out_of_distribution.CHECK: Check(out_of_distribution.measure),
}
"""Name -> check, in the order of the report."""


def judge(case: Case, thresholds: Mapping[str, Threshold]) -> tuple[tuple[Measurement, ...], tuple[Finding, ...]]:
    """Every measurement of every check, and the findings that the thresholds make of them."""
    measurements = tuple(item for check in CHECKS.values() for item in check.measure(case))
    return measurements, findings(measurements, thresholds)


def cost(load: Load) -> Cost:
    """What all checks cost on one picture, beside the maps that are made anyway."""
    return reduce(lambda total, check: total + check.cost(load), CHECKS.values(), Cost())
