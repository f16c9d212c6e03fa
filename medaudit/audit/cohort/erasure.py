"""Over the cohort, does filling an area change the score more than filling as much elsewhere?

Each image's permutation test (the check ``regions``) says whether the area's own fill changes the score more than 19
of 20 fills of the same shape elsewhere; by chance it does in one of 20 studies.
"""

import math

import numpy as np

from medaudit.audit.checks.regions import CHECK as REGIONS
from medaudit.audit.checks.regions import PERMUTATION_P
from medaudit.audit.cohort.case import CohortCase, corrected
from medaudit.records.cohort import CohortMeasurement

CHECK = "erasure"
FOREMOST = "foremost"
"""Share of the studies in which the area's fill changes the score more than 19 of 20 others."""
_CHANCE = 1 / 20


def measure(case: CohortCase) -> list[CohortMeasurement]:
    """Of every area and prompt that enough studies were asked about."""
    found = []
    for (check, quantity, subject, area), values in case.measured.items():
        asked = np.flatnonzero(~np.isnan(values))
        if (check, quantity) != (REGIONS, PERMUTATION_P) or len(asked) < case.smallest:
            continue
        foremost = int((values[asked] <= _CHANCE + 1e-9).sum())
        found.append(
            CohortMeasurement(
                check=CHECK,
                quantity=FOREMOST,
                value=foremost / len(asked),
                subject=subject,
                against=area,
                count=len(asked),
                p=at_least(foremost, len(asked), _CHANCE),
                examples=case.examples(asked, -np.nan_to_num(values, nan=1.0)),
            )
        )
    return corrected(found)


def at_least(hits: int, count: int, chance: float) -> float:
    """Chance of ``hits`` or more of ``count`` (binomial)."""
    tail = math.fsum(
        math.comb(count, k) * chance**k * (1 - chance) ** (count - k) for k in range(hits, min(count, hits + 400) + 1)
    )
    return min(tail, 1.0)
