"""Who scores otherwise: studies with a device, a mark, a scanner or a sex, among those whose reports say the same."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medaudit.audit.cohort.case import PICTURE, REPORT, CohortCase, Values, corrected
from medaudit.metrics.shares import share_difference
from medaudit.metrics.stratified import stratified_difference
from medaudit.records import Prompt
from medaudit.records.cohort import CohortMeasurement

SHORTCUT = "shortcut"
SUBGROUP = "subgroup"
DIFFERENCE = "difference"
"""Of the score, in standard deviations within strata and groups."""
CONCENTRATION = "concentration"
"""The same of how much of the map lies in its fullest tenth."""
FLAGGED = "flagged"
"""Share of studies with a finding of one kind, less that share of the others."""

GROUPED = ("PatientSex", "AgeBand", "ViewPosition", "Manufacturer", "ManufacturerModelName", "StudyYear", "KVP")
"""Elements by which studies are grouped. A station's name would tell the place, so the store does not have it."""
_MOST_VALUES = 12
"""An element with more values than this (an exact kVp) is cut at its quartiles where it is a number, else left out."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Studies with and without something; ``known`` leaves out those of which nothing is known."""

    name: str
    has: NDArray[np.bool_]
    known: NDArray[np.bool_]


def shortcuts(case: CohortCase) -> list[CohortMeasurement]:
    """Of every feature that is no finding, on every finding prompt: the difference that it makes to the score."""
    return corrected(
        [
            one
            for feature in observed(case)
            for prompt, scores in case.scores.items()
            if feature.name != prompt.finding and (one := _compare(case, SHORTCUT, feature, prompt, scores)) is not None
        ]
    )


def subgroups(case: CohortCase) -> list[CohortMeasurement]:
    """Of every group of the DICOM elements, held against all other studies: a disparity, which is no bias."""
    return corrected(
        [
            one
            for feature in grouped(case)
            for prompt, scores in case.scores.items()
            if (one := _compare(case, SUBGROUP, feature, prompt, scores)) is not None
        ]
    )


def concentrations(case: CohortCase) -> list[CohortMeasurement]:
    """The same groups, by how concentrated the prompt's map is."""
    found = []
    for prompt, values in case.concentration.items():
        for feature in grouped(case):
            one = _compare(case, SUBGROUP, feature, prompt, values)
            if one is not None:
                found.append(replace(one, quantity=CONCENTRATION))
    return corrected(found)


def flags(case: CohortCase) -> list[CohortMeasurement]:
    """The same groups and features, by how often a check of single studies raised a finding: what fails alike."""
    found = []
    for (check, quantity), values in case.flagged.items():
        for feature in features(case):
            asked = feature.known & ~np.isnan(values)
            one = share_difference(
                values[asked] == 1, feature.has[asked], [""] * int(asked.sum()), smallest=case.smallest
            )
            if one is None:
                continue
            members = np.flatnonzero(asked & feature.has)
            found.append(
                CohortMeasurement(
                    check=SUBGROUP,
                    quantity=FLAGGED,
                    value=one.value,
                    subject=f"{check}, {quantity}".replace("_", " "),
                    against=feature.name,
                    count=one.members,
                    others=one.others,
                    ends=one.ends,
                    p=one.p,
                    examples=case.examples(members, values),
                )
            )
    return corrected(found)


def _compare(
    case: CohortCase, check: str, feature: Feature, prompt: Prompt, values: Values
) -> CohortMeasurement | None:
    """None where either side is smaller than the pipeline asks for."""
    asked = np.flatnonzero(feature.known & ~np.isnan(values))
    strata = case.strata(prompt)
    found = stratified_difference(
        values[asked], feature.has[asked], [strata[index] for index in asked], smallest=case.smallest
    )
    if found is None:
        return None
    members = asked[feature.has[asked]]
    return CohortMeasurement(
        check=check,
        quantity=DIFFERENCE,
        value=found.effect,
        subject=prompt.text,
        against=feature.name,
        count=found.members,
        others=found.others,
        ends=found.ends,
        p=found.p,
        examples=case.examples(members, np.sign(found.effect) * values),
    )


def observed(case: CohortCase, *sources: str) -> Iterator[Feature]:
    """What reports tell of (a finding's own name is its stratum, not its feature) and what pictures show.

    Of all ``sources``, or of those that are given.
    """
    findings = {prompt.finding for prompt in case.scores}
    for told in case.told:
        if (sources and told.source not in sources) or (told.source == REPORT and told.name in findings):
            continue
        known = ~np.isnan(told.values)
        name = told.name if told.source == REPORT else f"{told.name} ({PICTURE})"
        # What the report denies or does not mention is not there; what it is not sure of is left out.
        yield Feature(name, told.values == 1, known & (told.values != 0.5))


def features(case: CohortCase) -> Iterator[Feature]:
    """All that studies may have in common: groups of the elements, what reports tell of, what pictures show."""
    yield from grouped(case)
    yield from observed(case)


def grouped(case: CohortCase) -> Iterator[Feature]:
    """The groups of the elements, each against the rest; of two groups one says it all."""
    for keyword in GROUPED:
        values = _in_bands(case.elements.get(keyword, ()))
        known = np.array([bool(value) for value in values])
        names = sorted({value for value in values if value})
        if not 2 <= len(names) <= _MOST_VALUES:
            continue
        for name in names if len(names) > 2 else names[:1]:
            yield Feature(f"{keyword} = {name}", np.array([value == name for value in values]), known)


def _in_bands(values: tuple[str, ...]) -> tuple[str, ...]:
    """Values as they are where they are few; numbers of many values by quarters."""
    if len({value for value in values if value}) <= _MOST_VALUES:
        return values
    try:
        numbers = np.array([float(value) if value else np.nan for value in values])
    except ValueError:
        return ()
    cuts = np.nanquantile(numbers, (0.25, 0.5, 0.75))
    bands = (f"up to {cuts[0]:g}", f"{cuts[0]:g} to {cuts[1]:g}", f"{cuts[1]:g} to {cuts[2]:g}", f"above {cuts[2]:g}")
    return tuple(
        "" if np.isnan(number) else bands[int(np.searchsorted(cuts, number, side="left"))] for number in numbers
    )
