"""Regions: a model that looks at a marker is found out, one that looks at the chest is not."""

import numpy as np
import pytest

from medaudit.audit.checks import regions
from medaudit.audit.verdict import Threshold, findings
from medaudit.imaging.areas import Area
from medaudit.phantom.cohort import draw_study
from medaudit.records import Prompt, PromptKind, Severity

CORNER, CENTRE = np.zeros((14, 14)), np.zeros((14, 14))
CORNER[0, 12], CENTRE[4:10, 4:10] = 10, 1 / 9
THRESHOLDS = {
    "regions.relevance_excess": Threshold(0.25, Severity.CAUTION),
    "regions.change_excess": Threshold(0.25, Severity.WARNING),
    "regions.inserted_change": Threshold(0.5, Severity.CAUTION),
}


@pytest.fixture(scope="module")
def marked(picture_of):
    """A phantom with the letter L in the upper right corner and nothing else that is not the patient."""
    return picture_of(draw_study(28, 0))


def raised(case):
    return {(one.measurement.quantity, one.measurement.against) for one in findings(regions.measure(case), THRESHOLDS)}


def test_a_model_that_rests_on_the_marker_is_found(model_that_looks_at, case_of, marked):
    case = case_of(model_that_looks_at(CORNER), marked, nats=CORNER)
    found = raised(case)
    assert ("relevance_excess", Area.MARKER.value) in found
    assert ("change_excess", Area.MARKER.value) in found
    assert ("inserted_change", "\u201cL\u201d written into a corner") in found
    p = [one.value for one in regions.measure(case) if one.quantity == "permutation_p" and one.against == Area.MARKER]
    assert p == [pytest.approx(1 / 20)]


def test_a_model_that_rests_on_the_chest_is_cleared(model_that_looks_at, case_of, marked):
    assert raised(case_of(model_that_looks_at(CENTRE), marked, nats=CENTRE)) == set()


def test_a_map_that_knows_nothing_has_no_excess_anywhere(model_that_looks_at, case_of, marked):
    case = case_of(model_that_looks_at(CENTRE), marked, nats=np.ones((14, 14)))
    excess = [one.value for one in regions.measure(case) if one.quantity == "relevance_excess"]
    assert len(excess) >= 3
    assert excess == pytest.approx([0] * len(excess), abs=1e-5)


def test_the_bundled_model_does_not_rest_on_markers_and_text(phantom_clip, case_of, picture_of):
    asked = ["pneumothorax", "cardiomegaly", "consolidation"]
    prompts = [
        *(Prompt(f"a chest radiograph showing {one}", PromptKind.FINDING, one) for one in asked),
        *(Prompt(f"a chest radiograph without {one}", PromptKind.NEGATED, one) for one in asked),
        Prompt("a photograph of a bowl of fruit", PromptKind.CONTROL),
    ]
    written = {Area.TEXT.value, Area.MARKER.value}
    for index in (3, 4):
        case = case_of(phantom_clip, picture_of(draw_study(28, index)), prompts=prompts)
        assert {Area.TEXT, Area.MARKER} <= set(case.areas)
        assert not {one for one in raised(case) if one[0] == "change_excess" and one[1] in written}


def test_the_same_case_gives_the_same_numbers(model_that_looks_at, case_of, marked):
    one, two = (regions.measure(case_of(model_that_looks_at(CORNER), marked, nats=CORNER)) for _ in range(2))
    assert one == two
