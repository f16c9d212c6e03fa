"""What readers decided, and how far two of them agree: from signed reviews alone."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from medaudit.metrics.kappa import cohen_kappa
from medaudit.records.review import Decision, SignedReview, Target

Case = tuple[str, Target]
"""What was decided on: (study, target)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two readers on the cases that both decided: how many, the share of equal decisions, and Cohen's kappa.

    ``kappa`` is None where it has no value; see :func:`medaudit.metrics.kappa.cohen_kappa`.
    """

    first: str
    second: str
    cases: int
    equal: float
    kappa: float | None


def decisions(signed: Iterable[SignedReview]) -> Mapping[str, Mapping[Case, Decision]]:
    """What each reader decided on each case, by the latest edition of each study; readers by their codes."""
    latest: dict[tuple[str, str], SignedReview] = {}
    for one in signed:
        key = (one.review.reader, one.review.study)
        if key not in latest or one.edition > latest[key].edition:
            latest[key] = one
    found: dict[str, dict[Case, Decision]] = {}
    for (reader, study), one in sorted(latest.items()):
        answers = one.review.answers
        found.setdefault(reader, {}).update({(study, one.target): one.decision for one in answers if one.decision})
    return found


def agreements(decided: Mapping[str, Mapping[Case, Decision]]) -> tuple[Agreement, ...]:
    """Every pair of readers that decided on a common case."""
    found = []
    for first, second in combinations(sorted(decided), 2):
        common = sorted(decided[first].keys() & decided[second].keys())
        if common:
            ones, others = ([decided[name][case] for case in common] for name in (first, second))
            equal = sum(one is other for one, other in zip(ones, others, strict=True)) / len(common)
            found.append(Agreement(first, second, len(common), equal, cohen_kappa(ones, others)))
    return tuple(found)


def by_kind(
    decided: Mapping[str, Mapping[Case, Decision]], kind_of: Callable[[Case], str]
) -> Mapping[str, Mapping[str, Mapping[Case, Decision]]]:
    """The decisions on each kind of case, by reader; kinds in alphabetical order."""
    found: dict[str, dict[str, dict[Case, Decision]]] = defaultdict(lambda: defaultdict(dict))
    for reader, cases in decided.items():
        for case, decision in cases.items():
            found[kind_of(case)][reader][case] = decision
    return {kind: found[kind] for kind in sorted(found)}


def tally(decided: Mapping[str, Mapping[Case, Decision]]) -> Counter[Decision]:
    """How often any reader decided what."""
    return Counter(decision for cases in decided.values() for decision in cases.values())
