"""Faithfulness: the map that says what the model looks at beats its controls, its opposite does not."""

import numpy as np
import pytest

from medaudit.audit.case import Depth
from medaudit.audit.checks import faithfulness
from medaudit.phantom.cohort import draw_study
from medaudit.records import Prompt, PromptKind

LOOKED_AT = np.zeros((14, 14))
LOOKED_AT[2:4, 2:5] = 0.2
PROMPTS = (Prompt("with fluid", PromptKind.FINDING, "fluid"), Prompt("fruit", PromptKind.CONTROL))


@pytest.fixture(scope="module")
def spotted(picture_of):
    """A phantom with a white spot where the model looks: it stands out from its blur."""
    values = picture_of(draw_study(28, 0)).copy()
    values[64:128, 64:160] = 1
    return values


def advantages(case):
    return {one.quantity: one.value for one in faithfulness.measure(case) if "advantage" in one.quantity}


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
        found = {one.quantity: one.value for one in faithfulness.measure(case)}
        assert (found["confidence_drop"] > 0) != (found["confidence_increase"] == 1)
        assert (found["confidence_increase"] == 1) == (weights.sum() < 0)


def test_taken_away_least_first_or_most_first_a_constant_map_is_the_same(model_that_looks_at, case_of, spotted):
    case = case_of(model_that_looks_at(LOOKED_AT), spotted, nats=np.ones((14, 14)), prompts=PROMPTS, depth=Depth.FULL)
    (own,) = (one.value for one in faithfulness.measure(case) if one.quantity == "road_advantage")
    assert own <= 0
    again = [one.value for one in faithfulness.measure(case) if one.quantity == "road_advantage"]
    assert again == [own]
