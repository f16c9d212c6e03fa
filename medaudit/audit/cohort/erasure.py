"""Over the cohort, does filling an area change the score more than filling as much elsewhere?

Each image's permutation test (the check ``regions``) says whether the area's own fill changes the score more than 19
of 20 fills of the same shape elsewhere; by chance it does in one of 20 studies. No picture tells which device its
lines are, but reports do: studies that tell of one are held against those that do not.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medaudit.audit.checks.regions import CHECK as REGIONS
from medaudit.audit.checks.regions import PERMUTATION_P
from medaudit.audit.cohort.case import REPORT, CohortCase, Values, corrected
from medaudit.audit.cohort.differences import observed
from medaudit.imaging.areas import Area
from medaudit.metrics.shares import share_difference
from medaudit.records import Prompt
from medaudit.records.cohort import CohortMeasurement

CHECK = "erasure"
FOREMOST = "foremost"
"""Share of the studies in which the area's fill changes the score more than 19 of 20 others."""
DEVICE = "device"
"""The same share of lines, where reports tell of a device, less that where they do not."""
_CHANCE = 1 / 20


def measure(case: CohortCase) -> list[CohortMeasurement]:
    """Of every area and prompt that enough studies were asked about."""
    found = []
    for (check, quantity, subject, area), values in case.measured.items():
        asked = np.flatnonzero(~np.isnan(values))
        if (check, quantity) != (REGIONS, PERMUTATION_P) or len(asked) < case.smallest:
            continue
        foremost = int(_foremost(values[asked]).sum())
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


def by_device(case: CohortCase) -> list[CohortMeasurement]:
    """Of everything that reports tell of and that may be the lines of a picture."""
    prompts = {prompt.text: prompt for prompt in case.scores}
    return corrected(
        [
            one
            for (check, quantity, subject, area), values in case.measured.items()
            if (check, quantity, area) == (REGIONS, PERMUTATION_P, Area.DEVICE.value) and subject in prompts
            for one in _by_device(case, prompts[subject], values)
        ]
    )


def _by_device(case: CohortCase, prompt: Prompt, values: Values) -> Iterator[CohortMeasurement]:
    strata = case.strata(prompt)
    for feature in observed(case, REPORT):
        asked = np.flatnonzero(feature.known & ~np.isnan(values))
        one = share_difference(
            _foremost(values[asked]),
            feature.has[asked],
            [strata[place] for place in asked],
            smallest=case.smallest,
        )
        if one is not None:
            yield CohortMeasurement(
                check=CHECK,
                quantity=DEVICE,
                value=one.value,
                subject=prompt.text,
                against=feature.name,
                count=one.members,
                others=one.others,
                ends=one.ends,
                p=one.p,
                examples=case.examples(asked[feature.has[asked]], -np.nan_to_num(values, nan=1.0)),
            )


def what_reports_tell(case: CohortCase, one: CohortMeasurement) -> str:
    """A sentence on what most reports tell of where the fill of lines changes the score; '' for any other measurement.

    It has no test: a model that sees a finding by its device alone leaves few studies without the device to hold it
    against, and then :func:`by_device` compares none.
    """
    if (one.check, one.quantity, one.against) != (CHECK, FOREMOST, Area.DEVICE.value):
        return ""
    values = case.measured[REGIONS, PERMUTATION_P, one.subject, one.against]
    asked, changed = ~np.isnan(values), _foremost(values)
    told = [
        (int((feature.has & changed).sum()), int((feature.has & asked & ~changed).sum()), feature.name)
        for feature in observed(case, REPORT)
    ]
    if not told:
        return ""
    often, seldom, name = max(told)
    here, rest = int(changed.sum()), int((asked & ~changed).sum())
    if 2 * often <= here or often * rest <= seldom * here:
        return " No device is told of in most of the reports of these studies."
    those = f"{often} of the {here} studies in which it does, and in {seldom} of the other {rest}"
    return f" Reports tell of {name} in {those}."


def _foremost(p: Values) -> NDArray[np.bool_]:
    return p <= _CHANCE + 1e-9


def at_least(hits: int, count: int, chance: float) -> float:
    """Chance of ``hits`` or more of ``count`` (binomial)."""
    tail = math.fsum(
        math.comb(count, k) * chance**k * (1 - chance) ** (count - k) for k in range(hits, min(count, hits + 400) + 1)
    )
    return min(tail, 1.0)
