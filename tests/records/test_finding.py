import math

import pytest

from medaudit.records import Finding, Measurement, Severity, gravest_first


def finding(severity, claim="", threshold=0.5):
    return Finding(Measurement("check", "quantity", 1.0, "a prompt"), threshold, severity, claim, "", "")


def test_findings_come_gravest_first_and_else_in_their_own_order():
    raised = [
        finding(Severity.NOTE, "a"),
        finding(Severity.WARNING, "b"),
        finding(Severity.CAUTION, "c"),
        finding(Severity.WARNING, "d"),
    ]
    assert [one.claim for one in gravest_first(raised)] == ["b", "d", "c", "a"]
    assert gravest_first(()) == ()


def test_severities_rank_from_the_mildest():
    assert sorted(Severity, key=lambda one: one.rank) == [Severity.NOTE, Severity.CAUTION, Severity.WARNING]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_measurements_and_thresholds_are_finite(value):
    with pytest.raises(ValueError, match=r"Measurement\.value: .* check\.quantity"):
        Measurement("check", "quantity", value, "a prompt")
    with pytest.raises(ValueError, match=r"Finding\.threshold: expected a finite number for check\.quantity; got "):
        finding(Severity.NOTE, threshold=value)
