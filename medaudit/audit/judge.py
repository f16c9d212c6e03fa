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
from medaudit.records import FaithfulnessCurve, Finding, Measurement


@dataclass(frozen=True, slots=True)
class Check:
    """A check: what it measures on a case, with the curves behind it where it has some, and what that costs."""

    measure: Callable[[Case], Sequence[Measurement | FaithfulnessCurve]]
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


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every measurement of every check, the findings that the thresholds make of them, and the curves behind them."""

    measurements: tuple[Measurement, ...]
    findings: tuple[Finding, ...]
    curves: tuple[FaithfulnessCurve, ...]


def judge(case: Case, thresholds: Mapping[str, Threshold]) -> Judgement:
    """Run every check on an image."""
    found = [item for check in CHECKS.values() for item in check.measure(case)]
    measurements = tuple(item for item in found if isinstance(item, Measurement))
    curves = tuple(item for item in found if isinstance(item, FaithfulnessCurve))
    return Judgement(measurements, findings(measurements, thresholds), curves)


def cost(load: Load) -> Cost:
    """What all checks cost on one picture, beside the maps that are made anyway."""
    return reduce(lambda total, check: total + check.cost(load), CHECKS.values(), Cost())
