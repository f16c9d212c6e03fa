"""Randomisation: is the map another one when the model has forgotten what it learnt?

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018: weights are randomised from the top down, first those
of the last image block (behind a bottleneck that sits earlier), then of all. A map that stays is one of the picture, as
an edge detector's is. One prompt a picture is asked: what is tested is the method on this model.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from medaudit.audit.case import Case, Cost, Depth, Load
from medaudit.errors import AttributionError
from medaudit.metrics.agreement import rank_correlation
from medaudit.models.interface import VisionLanguageModel
from medaudit.models.randomised import randomised
from medaudit.models.transformer import TransformerTower
from medaudit.records import Measurement

CHECK = "randomisation"
LAST_BLOCK = "last_block_rank_correlation"
ALL_BLOCKS = "all_blocks_rank_correlation"

_STAGES = 2


def measure(case: Case) -> list[Measurement]:
    """Rank correlation of one map with that of the model at each stage; of the first finding that the model sees."""
    if case.depth is not Depth.FULL or not case.findings:
        return []
    item = (case.seen_findings or case.findings)[0]
    found = []
    for quantity, model in forgetful(case.model, case.noise.seed).items():
        try:
            (other,) = case.method.explain(model, case.seen, [item.prompt], case.noise)
        except AttributionError:
            # A method that finds no finite map in such a model has none that could be alike.
            continue
        agree = rank_correlation(item.image.values, other.image.values)
        found.append(Measurement(CHECK, quantity, agree, item.prompt.text, "the model with random weights"))
    return found


def cost(load: Load) -> Cost:
    """Of one picture."""
    return Cost(maps=_STAGES if load.depth is Depth.FULL and load.findings else 0)


def forgetful(model: VisionLanguageModel, seed: int) -> Mapping[str, VisionLanguageModel]:
    """The model at each stage; of one run the same for every picture. None of a tower without transformer blocks."""
    tower = model.vision
    if not isinstance(tower, TransformerTower):
        return {}
    key = (CHECK, seed)
    if key not in model.memo:
        generator = torch.Generator().manual_seed(seed)
        last = randomised(tower, range(tower.depth - 1, tower.depth), generator)
        every = randomised(last, range(tower.depth - 1), generator)
        model.memo[key] = {
            # What was worked out about the model holds for no other.
            quantity: replace(model, vision=other, memo={})
            for quantity, other in ((LAST_BLOCK, last), (ALL_BLOCKS, every))
        }
    stages: Mapping[str, VisionLanguageModel] = model.memo[key]
    return stages
