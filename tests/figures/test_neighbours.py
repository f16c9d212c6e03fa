"""The nearest studies and what they have in common, on embeddings that lie as they were put."""

import numpy as np
import pytest

from medaudit.figures.neighbours import NEAREST, commonest, kind_of, nearest_studies, with_kind
from medaudit.records import CohortMeasurement, Finding, Measurement, Severity
from medaudit.store.cohort_rows import CohortMaterial
from medaudit.store.placed import CohortRows, PlacedFinding

ANGLES = {"A": 0.0, "B": 0.1, "C": 0.3, "X": 3.0, "Y": 3.3, "Z": 3.2}
GAP, SPREAD = ("negation", "absolute_margin", "effusion"), ("paraphrase", "spread", "effusion")


def raised(study, kind):
    check, quantity, subject = kind
    return PlacedFinding(
        study, f"I-{study}", Finding(Measurement(check, quantity, 1.0, subject), 0.5, Severity.NOTE, "", "", "")
    )


@pytest.fixture
def found():
    """A, B, C and X, Y, Z lie close to each other; A, B and X have a gap, X and Y a spread, Z has nothing."""
    embeddings = [(code, np.array([np.cos(angle), np.sin(angle)], np.float32)) for code, angle in ANGLES.items()]
    halves = [("A", np.array([1.0, 0.02], np.float32)), ("A", np.array([1.0, -0.02], np.float32)), *embeddings[1:]]
    rows = [*(raised(code, GAP) for code in "ABX"), *(raised(code, SPREAD) for code in "XYX")]
    return nearest_studies(CohortRows((), (), tuple(rows)), CohortMaterial((), tuple(halves), ()))


def test_each_study_with_a_finding_has_its_nearest(found):
    assert [one.study for one in found] == ["A", "B", "X", "Y"]
    assert [near.study for near in found[0].nearest[:2]] == ["B", "C"]
    assert len(found[0].nearest) == NEAREST
    cosines = [near.cosine for near in found[0].nearest]
    assert cosines == sorted(cosines, reverse=True)
    assert cosines[0] > 0.9
    assert cosines[-1] < 0


def test_what_both_have_is_told_apart(found):
    assert found[0].nearest[0].kinds == {GAP}
    first, _, third, _ = found
    assert first.nearest_by(GAP)[0] == ["B", "X"]
    assert third.nearest_by(SPREAD)[0] == ["Y"]
    assert set(third.nearest_by(SPREAD)[1]) == {"A", "B", "C", "Z"}
    assert [one.study for one in with_kind(found, SPREAD)] == ["X", "Y"]
    assert commonest(found) == {GAP: 3, SPREAD: 2}


def test_a_kind_of_one_study_and_an_audit_without_embeddings_give_nothing():
    rows = CohortRows((), (), (raised("A", GAP),))
    assert nearest_studies(rows, CohortMaterial((), (), ())) == ()
    material = CohortMaterial(
        (), tuple((code, np.eye(3, dtype=np.float32)[place]) for place, code in enumerate("ABC")), ()
    )
    assert commonest(nearest_studies(rows, material)) == {}


def test_only_a_group_has_a_kind():
    group = CohortMeasurement("likeness", "closeness", 1.0, "effusion", "negation, absolute margin", 12, 30)
    assert kind_of(group) == GAP
    assert kind_of(CohortMeasurement("likeness", "shared", 0.4, "effusion", "drain", 12, 30)) is None
