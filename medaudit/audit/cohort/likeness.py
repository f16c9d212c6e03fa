"""Do studies that fail alike look alike to the model, and what do they share?

Of every kind of finding of single studies: are the embeddings of the studies that have it closer to each other than of
as many drawn at random among those whose reports say the same? Of those that are, what is commoner among them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from medaudit.audit.cohort.case import CohortCase, corrected
from medaudit.audit.cohort.differences import features
from medaudit.metrics.neighbours import Directions, closeness, directions
from medaudit.metrics.shares import share_difference
from medaudit.records.cohort import SHARED_OF, CohortMeasurement

CHECK = "likeness"
CLOSENESS = "closeness"
"""Mean cosine of pairs of studies with the finding, less that of as many at random, in standard deviations of pairs."""
SHARED = "shared"
"""Share of those studies with something, less that share of the others whose reports say the same."""

_NAMED = 3


def measure(case: CohortCase) -> list[CohortMeasurement]:
    """Closeness of every kind; what is shared of the kinds that are closer than chance; nothing without embeddings."""
    if case.images is None:
        return []
    found = directions(case.images)
    close = corrected([one for one in (_closeness(case, kind, found) for kind in case.raised) if one is not None])
    counted = {(one.subject, one.against) for one in close if one.q is not None and one.q < case.level}
    shared = [one for kind in case.raised if (kind[2], in_words(kind)) in counted for one in _shared(case, kind, found)]
    return close + corrected(shared)


def in_words(kind: tuple[str, str, str]) -> str:
    """The check and the quantity of a kind; the prompt has its own place."""
    return f"{kind[0]}, {kind[1]}".replace("_", " ")


def what_they_share(one: CohortMeasurement, measured: Sequence[CohortMeasurement], level: float) -> str:
    """A sentence on what is commoner among the studies of a closeness; '' for any other measurement."""
    if (one.check, one.quantity) != (CHECK, CLOSENESS):
        return ""
    shared = [
        other
        for other in measured
        if (other.check, other.quantity, other.subject) == (CHECK, SHARED, one.subject)
        and other.against.endswith(f"{SHARED_OF}{one.against}")
    ]
    named = sorted((other for other in shared if other.value > 0 and _counts(other, level)), key=lambda it: -it.value)
    if not named:
        return " Nothing that reports, pictures or headers tell of is commoner among them." if shared else ""
    said = "; ".join(_said(other) for other in named[:_NAMED])
    return f" Commoner among them than among the others: {said}."


def _said(one: CohortMeasurement) -> str:
    low, high = one.ends or (one.value, one.value)
    name = one.against.partition(SHARED_OF)[0]
    return f"{name} ({one.value:+.0%}, 95 % interval {low:+.0%} to {high:+.0%})"


def _counts(one: CohortMeasurement, level: float) -> bool:
    return one.q is not None and one.q < level


def _asked(case: CohortCase, kind: tuple[str, str, str], found: Directions) -> tuple[NDArray[np.intp], list[str]]:
    """Places of the studies that were measured and have an embedding, and what their reports say."""
    asked = np.flatnonzero(~np.isnan(case.raised[kind]) & ~np.isnan(found).any(axis=1))
    prompt = next((prompt for prompt in case.scores if prompt.text == kind[2]), None)
    strata = case.strata(prompt) if prompt is not None else ("",) * len(case.studies)
    return asked, [strata[place] for place in asked]


def _closeness(case: CohortCase, kind: tuple[str, str, str], found: Directions) -> CohortMeasurement | None:
    asked, strata = _asked(case, kind, found)
    has = case.raised[kind][asked] == 1
    one = closeness(found[asked], has, strata, smallest=case.smallest)
    if one is None:
        return None
    return CohortMeasurement(
        check=CHECK,
        quantity=CLOSENESS,
        value=one.effect,
        subject=kind[2],
        against=in_words(kind),
        count=one.members,
        others=one.others,
        ends=one.ends,
        p=one.p,
        examples=_middle(case, asked[has], found),
    )


def _middle(case: CohortCase, members: NDArray[np.intp], found: Directions) -> tuple[str, ...]:
    """The study that is closest to all the others of its kind, and the two of them closest to it."""
    own = found[members]
    medoid = own[int(np.argmax(own @ own.sum(axis=0)))]
    order = np.full(len(case.studies), -np.inf)
    order[members] = own @ medoid
    return case.examples(members, order)


def _shared(case: CohortCase, kind: tuple[str, str, str], found: Directions) -> Iterator[CohortMeasurement]:
    places, strata = _asked(case, kind, found)
    member = case.raised[kind][places] == 1
    for feature in features(case):
        known = feature.known[places]
        one = share_difference(
            feature.has[places][known],
            member[known],
            [stratum for stratum, kept in zip(strata, known, strict=True) if kept],
            smallest=case.smallest,
        )
        if one is None:
            continue
        yield CohortMeasurement(
            check=CHECK,
            quantity=SHARED,
            value=one.value,
            subject=kind[2],
            against=f"{feature.name}{SHARED_OF}{in_words(kind)}",
            count=one.members,
            others=one.others,
            ends=one.ends,
            p=one.p,
            examples=case.examples(places[known & member & feature.has[places]], case.raised[kind]),
        )
