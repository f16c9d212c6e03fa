"""Do scores move with the years?"""

import math

import numpy as np

from medaudit.audit.cohort.case import CohortCase, corrected
from medaudit.metrics.agreement import rank_correlation
from medaudit.records.cohort import CohortMeasurement

CHECK = "drift"
TREND = "trend"
"""Rank correlation of score and year, the mean of studies whose reports say the same taken off."""


def measure(case: CohortCase) -> list[CohortMeasurement]:
    """Of every finding prompt, where the studies are of three years or more."""
    years = np.array([float(year) if year.isdecimal() else np.nan for year in case.elements.get("StudyYear", ())])
    if len(np.unique(years[~np.isnan(years)])) < 3:
        return []
    found = []
    for prompt, scores in case.scores.items():
        asked = np.flatnonzero(~np.isnan(years) & ~np.isnan(scores))
        strata = np.array(case.strata(prompt))[asked]
        rest = scores[asked].copy()
        for stratum in np.unique(strata):
            rest[strata == stratum] -= rest[strata == stratum].mean()
        if len(asked) < 2 * case.smallest or not np.ptp(rest):
            continue
        value = rank_correlation(rest, years[asked])
        found.append(
            CohortMeasurement(
                check=CHECK,
                quantity=TREND,
                value=value,
                subject=prompt.text,
                against=f"{int(np.nanmin(years))} to {int(np.nanmax(years))}",
                count=len(asked),
                # Variance of a rank correlation under chance: 1 / (n - 1).
                p=math.erfc(abs(value) * math.sqrt((len(asked) - 1) / 2)),
            )
        )
    return corrected(found)
