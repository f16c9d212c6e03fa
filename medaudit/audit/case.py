"""One image's audit: attributions through every check to findings."""

from collections.abc import Callable, Mapping, Sequence

from medaudit.audit.checks import negation, prompt_control
from medaudit.audit.verdict import Threshold, findings
from medaudit.records import Attribution, Finding, Measurement

CHECKS: Mapping[str, Callable[[Sequence[Attribution]], list[Measurement]]] = {
    prompt_control.CHECK: prompt_control.measure,
    negation.CHECK: negation.measure,
}


def judge(
    attributions: Sequence[Attribution], thresholds: Mapping[str, Threshold]
) -> tuple[tuple[Measurement, ...], tuple[Finding, ...]]:
    """Every measurement of every check, and the findings that the thresholds make of them."""
    measurements = tuple(item for check in CHECKS.values() for item in check(attributions))
    return measurements, findings(measurements, thresholds)
