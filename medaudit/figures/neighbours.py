"""The studies that look most alike to the model, and which of their findings they have in common."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from medaudit.metrics.neighbours import directions, nearest
from medaudit.records import CohortMeasurement
from medaudit.store.cohort_rows import CohortMaterial
from medaudit.store.placed import CohortRows

NEAREST: Final = 5
"""Studies named with each."""

Kind = tuple[str, str, str]
"""Check, quantity and prompt of a finding of single studies."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A near study, the cosine of the two embeddings less the mean of all, and the findings that both have."""

    study: str
    cosine: float
    kinds: frozenset[Kind]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A study with findings, and those nearest to it, nearest first."""

    study: str
    kinds: frozenset[Kind]
    nearest: tuple[Neighbour, ...]

    def nearest_by(self, kind: Kind) -> tuple[list[str], list[str]]:
        """Codes of the nearest that have a finding of that kind too, and of those that do not."""
        both: tuple[list[str], list[str]] = ([], [])
        for one in self.nearest:
            both[kind not in one.kinds].append(one.study)
        return both


def nearest_studies(rows: CohortRows, material: CohortMaterial) -> tuple[Neighbours, ...]:
    """Of every study with a finding and an embedding, by code."""
    embeddings = material.study_embeddings()
    codes = sorted(embeddings)
    if len(codes) < 2:
        return ()
    kinds: dict[str, set[Kind]] = {}
    for one in rows.findings:
        measured = one.finding.measurement
        kinds.setdefault(one.study, set()).add((measured.check, measured.quantity, measured.subject))
    found = directions(np.stack([embeddings[code] for code in codes]))
    near = nearest(found, NEAREST)
    return tuple(
        Neighbours(
            code,
            frozenset(kinds[code]),
            tuple(
                Neighbour(
                    codes[other],
                    float(found[place] @ found[other]),
                    frozenset(kinds[code] & kinds.get(codes[other], set())),
                )
                for other in near[place].tolist()
            ),
        )
        for place, code in enumerate(codes)
        if code in kinds
    )


def kind_of(measured: CohortMeasurement) -> Kind | None:
    """The kind of finding that a group of studies has in common; None of any other measurement."""
    if (measured.check, measured.quantity) != ("likeness", "closeness"):
        return None
    check, _, quantity = measured.against.partition(", ")
    return check.replace(" ", "_"), quantity.replace(" ", "_"), measured.subject


def with_kind(found: Sequence[Neighbours], kind: Kind) -> list[Neighbours]:
    """Those that have a finding of a kind, first where most of the nearest have it too."""
    return sorted(
        (one for one in found if kind in one.kinds), key=lambda one: (-len(one.nearest_by(kind)[0]), one.study)
    )


def commonest(found: Sequence[Neighbours]) -> dict[Kind, int]:
    """Studies by kind of finding, of the kinds that two studies or more have, commonest first."""
    counts = Counter(kind for one in found for kind in one.kinds)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {kind: count for kind, count in ordered if count > 1}
