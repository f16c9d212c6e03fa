"""Faithfulness: the map that says what the model looks at beats its controls, its opposite does not."""

import numpy as np
import pytest

from medaudit.audit.case import Depth
from medaudit.audit.checks import faithfulness
from medaudit.phantom.cohort import draw_study
from medaudit.records import FaithfulnessCurve, Measurement, Prompt, PromptKind, Walk

LOOKED_AT = np.zeros((14, 14))
LOOKED_AT[2:4, 2:5] = 0.2
PROMPTS = (Prompt("with fluid", PromptKind.FINDING, "fluid"), Prompt("fruit", PromptKind.CONTROL))


@pytest.fixture(scope="module")
def spotted(picture_of):
    """A phantom with a white spot where the model looks: it stands out from its blur."""
    values = picture_of(draw_study(28, 0)).copy()
    values[64:128, 64:160] = 1
    return values


def measured(case):
    return {one.quantity: one.value for one in faithfulness.measure(case) if isinstance(one, Measurement)}


def advantages(case):
    return {quantity: value for quantity, value in measured(case).items() if "advantage" in quantity}


def test_the_map_of_what_the_model_looks_at_beats_all_controls(model_that_looks_at, case_of, spotted):
    case = case_of(model_that_looks_at(LOOKED_AT), spotted, nats=LOOKED_AT, prompts=PROMPTS, depth=Depth.FULL)
    found = advantages(case)
    assert set(found) == {"kept_advantage", "insertion_advantage", "deletion_advantage", "road_advantage"}
    assert min(found.values()) > 0.02


def test_the_map_of_everything_else_loses_to_them(model_that_looks_at, case_of, spotted):
    case = case_of(model_that_looks_at(LOOKED_AT), spotted, nats=1 - LOOKED_AT, prompts=PROMPTS, depth=Depth.FULL)
    assert max(advantages(case).values()) < -0.02


def test_a_constant_map_is_no_better_than_the_constant_control(model_that_looks_at, case_of, spotted):
    case = case_of(model_that_looks_at(LOOKED_AT), spotted, nats=np.ones((14, 14)), prompts=PROMPTS)
    found = advantages(case)
    assert set(found) == {"kept_advantage"}
    assert found["kept_advantage"] <= 1e-6


def test_drop_and_increase_are_two_sides_of_one_change(model_that_looks_at, case_of, spotted):
    for weights in (LOOKED_AT, -LOOKED_AT):
        case = case_of(model_that_looks_at(weights), spotted, nats=1 - LOOKED_AT, prompts=PROMPTS)
        found = measured(case)
        assert (found["confidence_drop"] > 0) != (found["confidence_increase"] == 1)
        assert (found["confidence_increase"] == 1) == (weights.sum() < 0)


def test_taken_away_least_first_or_most_first_a_constant_map_is_the_same(model_that_looks_at, case_of, spotted):
    case = case_of(model_that_looks_at(LOOKED_AT), spotted, nats=np.ones((14, 14)), prompts=PROMPTS, depth=Depth.FULL)
    own = measured(case)["road_advantage"]
    assert own <= 0
    assert measured(case)["road_advantage"] == own


def curves(case):
    return {one.walk: one for one in faithfulness.measure(case) if isinstance(one, FaithfulnessCurve)}


def test_the_curves_are_those_whose_areas_are_measured(model_that_looks_at, case_of, spotted):
    case = case_of(model_that_looks_at(LOOKED_AT), spotted, nats=LOOKED_AT, prompts=PROMPTS, depth=Depth.FULL)
    found, areas = curves(case), measured(case)
    assert {one.subject for one in found.values()} == {"with fluid"}
    for walk, one in found.items():
        assert len(one.share) == 11
        assert areas[f"{walk}_advantage"] == pytest.approx(one.advantage / case.spread)


def test_curves_begin_and_end_alike_whatever_the_order(model_that_looks_at, case_of, spotted):
    case = case_of(model_that_looks_at(LOOKED_AT), spotted, nats=LOOKED_AT, prompts=PROMPTS, depth=Depth.FULL)
    found = curves(case)
    whole = case.attributions[0].similarity
    for line in found[Walk.INSERTION].lines.values():
        assert line[-1] == pytest.approx(whole, abs=1e-6)
        assert line[0] == pytest.approx(found[Walk.DELETION].own[-1], abs=1e-6)
    # All that the model looks at is shown in the first step of its own map, and hidden in it.
    assert found[Walk.INSERTION].own[1] == pytest.approx(whole, abs=1e-3)
    assert found[Walk.DELETION].own[1] == pytest.approx(found[Walk.INSERTION].own[0], abs=1e-3)


def test_what_the_model_does_not_see_has_no_curve(model_that_looks_at, case_of, spotted):
    negated = (*PROMPTS, Prompt("without fluid", PromptKind.NEGATED, "fluid"))
    case = case_of(model_that_looks_at(-LOOKED_AT), spotted, nats=LOOKED_AT, prompts=negated, depth=Depth.FULL)
    assert not case.seen_findings
    assert curves(case) == {}
