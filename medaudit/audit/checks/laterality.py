"""Laterality: in a mirror, what was left is right; does the model say so?

The preference of a finding's left sentence over its right one has a part that turns over with the picture, and a part
that stays: a habit of the sentences. Only findings that the model itself prefers to their negation are asked: of what
it does not see it cannot tell the side.
"""

import numpy as np

from medaudit.audit.case import Case, Cost, Depth, Load
from medaudit.imaging.perturb import mirrored
from medaudit.records import Measurement

CHECK = "laterality"
SWAP = "swap"


def measure(case: Case) -> list[Measurement]:
    """One measurement a finding that the model sees: (what turns - what stays) / (both together), in -1 .. 1."""
    seen = [name for name in case.questions.sides if case.sees(name)]
    if case.depth is Depth.MAPS or not seen:
        return []
    texts = [text for name in seen for text in case.questions.sides[name]]
    pictures = case.picture.new_empty(2, *case.picture.shape)
    pictures[0], pictures[1] = case.picture, mirrored(case.picture)
    scores = case.scores(pictures, texts).reshape(2, len(seen), 2)
    here, there = scores[..., 0] - scores[..., 1]
    turns, stays = np.abs(here - there), np.abs(here + there)
    found = []
    for index, name in enumerate(seen):
        whole = turns[index] + stays[index]
        swap = float((turns[index] - stays[index]) / whole) if whole else -1.0
        left, right = case.questions.sides[name]
        found.append(Measurement(CHECK, SWAP, swap, left, right))
    return found


def cost(load: Load) -> Cost:
    """Of one picture."""
    return Cost(2 if load.sided and load.depth is not Depth.MAPS else 0)
