"""Stability: do score and map hold under changes that a reader would not mind, and under other noise of the method?"""

import numpy as np
import torch

from medaudit.audit.case import Case, Cost, Depth, Load
from medaudit.imaging.perturb import STAYS_IN_PLACE, small_changes
from medaudit.metrics.agreement import rank_correlation
from medaudit.records import Measurement

CHECK = "stability"
SCORE_CHANGE = "score_change"
MAP_RANK_CORRELATION = "map_rank_correlation"
SEED_RANK_CORRELATION = "seed_rank_correlation"

_SEEDS = 2
# Changes of the picture, and those of them that leave everything in its place, so that two maps can be compared.
_CHANGES, _IN_PLACE = 9, 6


def measure(case: Case) -> list[Measurement]:
    """The largest change of each score; at full depth also the lowest rank correlation of each map with the changed."""
    if case.depth is Depth.MAPS or not case.findings or not case.spread:
        return []
    changes = small_changes(case.picture, case.generator(CHECK))
    names = list(changes)
    change = np.abs(case.scores(torch.stack(list(changes.values())), case.findings) - case.untouched) / case.spread
    worst = change.argmax(axis=0)
    found = [
        Measurement(CHECK, SCORE_CHANGE, float(change[worst[index], index]), item.prompt.text, names[worst[index]])
        for index, item in enumerate(case.findings)
    ]
    return found + _maps(case, changes) if case.depth is Depth.FULL else found


def cost(load: Load) -> Cost:
    """Of one picture."""
    if load.depth is Depth.MAPS:
        return Cost()
    return Cost(_CHANGES, load.findings * (_IN_PLACE + _SEEDS) if load.depth is Depth.FULL else 0)


def _maps(case: Case, changes: dict[str, torch.Tensor]) -> list[Measurement]:
    prompts = [item.prompt for item in case.findings]
    again = {
        name: case.explain(picture, prompts) for name, picture in changes.items() if name.startswith(STAYS_IN_PLACE)
    }
    seeds = {
        f"another seed of the noise ({offset} of {_SEEDS})": case.explain(
            case.picture, prompts, seed=case.noise.seed + offset
        )
        for offset in range(1, _SEEDS + 1)
    }
    found = []
    for index, item in enumerate(case.findings):
        for quantity, others in ((MAP_RANK_CORRELATION, again), (SEED_RANK_CORRELATION, seeds)):
            agree = {
                name: rank_correlation(item.image.values, maps[index].image.values) for name, maps in others.items()
            }
            least = min(agree, key=lambda name: agree[name])
            found.append(Measurement(CHECK, quantity, agree[least], item.prompt.text, least))
    return found
