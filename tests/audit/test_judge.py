"""All checks together: what they cost is what they use, and every quantity has words."""

import numpy as np
import pytest

from medaudit.audit.case import Cost, Depth, Load
from medaudit.audit.judge import CHECKS, cost, judge
from medaudit.audit.verdict import WORDINGS
from medaudit.records import Prompt, PromptKind, Walk

PROMPTS = (
    Prompt("with fluid", PromptKind.FINDING, "fluid"),
    Prompt("without fluid", PromptKind.NEGATED, "fluid"),
    Prompt("fruit", PromptKind.CONTROL),
)


class Counting:
    """Stands before a tower and counts the pictures that it encodes."""

    def __init__(self, tower):
        self.tower, self.passes = tower, 0

    def __getattr__(self, name):
        return getattr(self.tower, name)

    def encode(self, inputs, mask=None):
        self.passes += len(inputs)
        return self.tower.encode(inputs, mask)


@pytest.mark.parametrize("depth", list(Depth))
def test_the_estimate_is_what_is_used(model_that_looks_at, case_of, depth):
    from dataclasses import replace

    values = np.random.default_rng(0).random((224, 224)).astype(np.float32)
    case = case_of(
        model_that_looks_at(np.full((14, 14), 0.1)),
        values,
        prompts=PROMPTS,
        nats=np.ones((14, 14)),
        depth=depth,
        method="edges",
        sides={"fluid": ("with fluid", "without fluid")},
        paraphrases={"fluid": ("with fluid", "fruit")},
    )
    counting = Counting(case.model.vision)
    case = replace(case, model=replace(case.model, vision=counting))
    judged = judge(case, {})
    load = Load(findings=1, depth=depth, sided=1, areas=len(case.areas))
    assert counting.passes == cost(load).passes
    assert {f"{one.check}.{one.quantity}" for one in judged.measurements} <= set(WORDINGS)
    assert {one.check for one in judged.measurements} <= set(CHECKS)
    assert {one.walk for one in judged.curves} == (set(Walk) if depth is Depth.FULL else set())


def test_deeper_costs_more_and_only_the_deepest_makes_maps():
    price = [cost(Load(findings=6, depth=depth, sided=4)) for depth in Depth]
    assert price[0] == Cost(0, 0)
    assert 0 < price[1].passes < price[2].passes
    assert (price[1].maps, price[2].maps) == (0, 50)
