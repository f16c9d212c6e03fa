"""Stability: a model of coarse brightness hardly moves, one of fine detail does; noise of a method is told."""

import numpy as np
import pytest

from medaudit.audit.case import Depth
from medaudit.audit.checks import stability
from medaudit.phantom.cohort import draw_study
from medaudit.records import Prompt, PromptKind

PROMPTS = (Prompt("with fluid", PromptKind.FINDING, "fluid"), Prompt("fruit", PromptKind.CONTROL))
BROAD = np.full((14, 14), 1 / 196)
FINE = np.where(np.indices((14, 14)).sum(0) % 2, 1.0, -1.0)  # neighbours against each other


@pytest.fixture(scope="module")
def picture(picture_of):
    return picture_of(draw_study(28, 0))


def by_quantity(case):
    return {one.quantity: one for one in stability.measure(case)}


def test_brightness_as_a_whole_moves_less_than_differences_of_neighbours(model_that_looks_at, case_of, picture):
    broad, fine = (
        by_quantity(case_of(model_that_looks_at(weights), picture, prompts=PROMPTS, nats=BROAD))["score_change"]
        for weights in (BROAD, FINE)
    )
    assert broad.value < 0.4
    assert fine.value > 2 * broad.value
    assert fine.against


def test_a_method_of_pure_noise_has_no_stable_map_and_one_without_noise_has(model_that_looks_at, case_of, picture):
    for method, stable in (("random", False), ("centre", True)):
        case = case_of(model_that_looks_at(BROAD), picture, prompts=PROMPTS, method=method, depth=Depth.FULL)
        found = by_quantity(case)["seed_rank_correlation"]
        assert (found.value > 0.99) == stable
        assert (abs(found.value) < 0.4) != stable
        assert "another seed" in found.against


def test_a_map_that_follows_the_picture_follows_its_changes(model_that_looks_at, case_of, picture):
    edges = case_of(model_that_looks_at(BROAD), picture, prompts=PROMPTS, method="edges", depth=Depth.FULL)
    constant = case_of(model_that_looks_at(BROAD), picture, prompts=PROMPTS, method="constant", depth=Depth.FULL)
    assert 0.5 < by_quantity(edges)["map_rank_correlation"].value < 1
    assert by_quantity(constant)["map_rank_correlation"].value == 0
