"""Randomisation: a map of the picture is found out, one of what the model has learnt is cleared, the model is whole."""

import numpy as np
import pytest
import torch

from medaudit.audit.case import Depth
from medaudit.audit.checks import randomisation
from medaudit.audit.verdict import Threshold, findings
from medaudit.phantom.cohort import draw_study
from medaudit.records import Prompt, PromptKind, Severity

PROMPTS = tuple(
    Prompt(f"a chest radiograph {word} {one}", kind, one)
    for one in ("pneumothorax", "cardiomegaly")
    for word, kind in (("showing", PromptKind.FINDING), ("without", PromptKind.NEGATED))
)
THRESHOLDS = {
    "randomisation.last_block_rank_correlation": Threshold(0.95, Severity.NOTE),
    "randomisation.all_blocks_rank_correlation": Threshold(0.5, Severity.WARNING),
}


@pytest.fixture(scope="module")
def picture(picture_of):
    return picture_of(draw_study(28, 0))


@pytest.mark.parametrize(("method", "stays"), [("edges", True), ("centre", True), ("grad-eclip", False)])
def test_maps_that_know_nothing_of_the_weights_stay(phantom_clip, case_of, picture, method, stays):
    case = case_of(phantom_clip, picture, prompts=PROMPTS, method=method, depth=Depth.FULL)
    measured = randomisation.measure(case)
    assert [one.quantity for one in measured] == ["last_block_rank_correlation", "all_blocks_rank_correlation"]
    raised = findings(measured, THRESHOLDS)
    assert len(raised) == (2 if stays else 0)
    if stays:
        assert raised[0].severity is Severity.WARNING
        assert "random: its rank correlation" in raised[0].claim


def test_the_model_is_what_it_was_and_the_stages_are_made_once_a_run(phantom_clip, case_of, picture):
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = phantom_clip.vision.encode(pixels)
    case = case_of(phantom_clip, picture, prompts=PROMPTS, method="grad-eclip", depth=Depth.FULL)
    one, two = randomisation.measure(case), randomisation.measure(case)
    assert one == two
    stages = phantom_clip.memo[randomisation.CHECK, case.noise.seed]
    last, every = (stage.vision.blocks for stage in stages.values())
    assert last[:-1] == phantom_clip.vision.blocks[:-1]
    assert last[-1] is every[-1]
    with torch.no_grad():
        assert torch.equal(phantom_clip.vision.encode(pixels), before)
        assert not any(torch.allclose(stage.vision.encode(pixels), before, atol=0.1) for stage in stages.values())


def test_every_tensor_of_a_block_keeps_its_values_and_none_its_order(phantom_clip, case_of, picture):
    randomisation.measure(case_of(phantom_clip, picture, prompts=PROMPTS, method="edges", depth=Depth.FULL))
    stages = phantom_clip.memo[randomisation.CHECK, 0]
    was, now = phantom_clip.vision.blocks[0], list(stages.values())[1].vision.blocks[0]
    for name in ("query", "key", "value", "out"):
        one, other = (getattr(block.attention, name).weight for block in (was, now))
        assert torch.equal(one.flatten().sort().values, other.flatten().sort().values)
        assert abs(np.corrcoef(one.flatten(), other.flatten())[0, 1]) < 0.05


def test_below_full_depth_and_without_transformer_blocks_nothing_is_measured(
    phantom_clip, model_that_looks_at, case_of, picture
):
    assert randomisation.measure(case_of(phantom_clip, picture, prompts=PROMPTS)) == []
    other = case_of(model_that_looks_at(np.ones((14, 14))), picture, method="edges", depth=Depth.FULL)
    assert randomisation.measure(other) == []
