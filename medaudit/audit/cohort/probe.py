"""Can the scanner be read from the embedding? A linear probe of acquisition and patient elements."""

import math

import numpy as np
from numpy.typing import NDArray

from medaudit.audit.cohort.case import CohortCase, corrected
from medaudit.audit.cohort.differences import grouped
from medaudit.metrics.ranking import auc
from medaudit.records.cohort import CohortMeasurement

CHECK = "probe"
RANKING = "ranking"
"""How often the probe, on studies it was not fitted to, puts one of the group above one of the others (0.5: chance)."""

_FOLDS = 5
_RIDGE = 0.1
"""Of the mean eigenvalue of the embeddings' covariance."""


def measure(case: CohortCase) -> list[CohortMeasurement]:
    """Of every group of the elements; nothing where the store has no embeddings."""
    if case.images is None:
        return []
    found = []
    for group in grouped(case):
        asked = np.flatnonzero(group.known & ~np.isnan(case.images).any(axis=1))
        has = group.has[asked]
        if min(has.sum(), (~has).sum()) < max(case.smallest, _FOLDS):
            continue
        scores = held_out_scores(case.images[asked].astype(np.float64), has)
        value = auc(scores, has)
        found.append(
            CohortMeasurement(
                check=CHECK,
                quantity=RANKING,
                value=value,
                subject="",
                against=group.name,
                count=int(has.sum()),
                others=int((~has).sum()),
                p=_chance(value, int(has.sum()), int((~has).sum())),
            )
        )
    return corrected(found)


def held_out_scores(embeddings: NDArray[np.float64], has: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) of ridge regressions, each study scored by one that was fitted without it; groups are dealt to all folds."""
    scores = np.empty(len(has))
    fold = np.empty(len(has), dtype=np.int64)
    for side in (has, ~has):
        fold[side] = np.arange(side.sum()) % _FOLDS
    for number in range(_FOLDS):
        fit, left = fold != number, fold == number
        mean = embeddings[fit].mean(axis=0)
        centred = embeddings[fit] - mean
        target = np.where(has[fit], 1 / has[fit].sum(), -1 / (~has[fit]).sum())
        covariance = centred.T @ centred / len(centred)
        penalty = _RIDGE * np.trace(covariance) / len(covariance)
        weights = np.linalg.solve(covariance + penalty * np.eye(len(covariance)), centred.T @ target)
        scores[left] = (embeddings[left] - mean) @ weights
    return scores


def _chance(value: float, members: int, others: int) -> float:
    """Of a ranking as good or better by chance (Mann-Whitney, normal); a held-out one below 0.5 is chance too."""
    spread = math.sqrt((members + others + 1) / (12 * members * others))
    return math.erfc((value - 0.5) / spread / math.sqrt(2)) / 2
