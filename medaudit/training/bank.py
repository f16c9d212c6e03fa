"""All claims at once as arrays: which are true of which study, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medaudit.training.claims import Claim, Fact, known_claims, prompt_claims, report_claims, unrelated_claims
from medaudit.training.corpus import Corpus

# How the sentences of a step are shared out between the kinds of claims; the rest are unrelated ones.
_SHARES: Final = ((known_claims, 0.35), (report_claims, 0.3), (prompt_claims, 0.25), (unrelated_claims, 0.1))
_RAREST: Final = 0.03
"""A claim that is true (or false) of fewer studies than this weighs as if it were of so many."""
_FULL: Final = 2.0
"""A patch holds all that it could of a region if it holds half of what the region's fullest patch holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Claims with their truth for every study of a corpus.

    Parameters
    ----------
    claims
        All of them, kind after kind.
    groups
        For each kind of claims, where it starts and stops, and its share of a step.
    truth
        (studies, claims) bool.
    weight
        (studies, claims) float32: 0 where the truth is not known; otherwise the true and the false of a claim
        weigh alike over what is drawn, so that a claim that is rarely true is not learnt as "never".
    chance
        (studies,) float64, sum 1: how often a study is drawn. One with much in it teaches more than an empty one.

    """

    claims: tuple[Claim, ...]
    groups: tuple[tuple[int, int, float], ...]
    truth: NDArray[np.bool_]
    weight: NDArray[np.float32]
    chance: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, sentences: int) -> NDArray[np.int64]:
        """Draw claims for a step, by the shares of their kinds; sorted, none twice."""
        drawn = [
            start + rng.choice(stop - start, size=min(round(share * sentences), stop - start), replace=False)
            for start, stop, share in self.groups
        ]
        return np.sort(np.concatenate(drawn))


def all_claims() -> tuple[Claim, ...]:
    """Every claim of the bank, in its order."""
    return tuple(claim for make, _ in _SHARES for claim in make())


def build_bank(facts: Sequence[tuple[Fact, ...]]) -> Bank:
    """Judge every claim of every study."""
    claims: list[Claim] = []
    groups = []
    for make, share in _SHARES:
        start = len(claims)
        claims += make()
        groups.append((start, len(claims), share))
    # Claims that say the same in other words share a column, and studies with the same facts a row.
    meanings = {(one.name, one.side, one.zone, one.large, one.negated): one for one in claims}
    column = {meaning: index for index, meaning in enumerate(meanings)}
    columns = [column[one.name, one.side, one.zone, one.large, one.negated] for one in claims]
    rows: dict[tuple[Fact, ...], list[bool | None]] = {}
    for study in facts:
        if study not in rows:
            rows[study] = [one.truth(study) for one in meanings.values()]
    judged = [rows[study] for study in facts]
    truth = np.array([[one is True for one in row] for row in judged], dtype=np.bool_)[:, columns]
    known = np.array([[one is not None for one in row] for row in judged], dtype=np.bool_)[:, columns]
    crowded = np.array([(1 + len(study)) ** 2 for study in facts], dtype=np.float64)
    chance = crowded / crowded.sum()
    rate = np.clip(chance @ (truth & known) / np.maximum(chance @ known, 1e-12), _RAREST, 1 - _RAREST)
    weight = np.where(truth, 0.5 / rate, 0.5 / (1 - rate)) * known
    return Bank(tuple(claims), tuple(groups), truth, weight.astype(np.float32), chance)


def shares_of(corpus: Corpus, studies: Sequence[int], claims: Sequence[Claim]) -> NDArray[np.float32]:
    """Where in each study what each claim speaks of lies.

    Returns
    -------
    (studies, patches, claims) float32 in [0, 1]: see :func:`medaudit.training.losses.patch_loss`.

    """
    patches = corpus.regions[0].shape[1] ** 2
    out = np.zeros((len(studies), len(claims), patches), np.float32)
    for row, study in enumerate(studies):
        for fact, region in zip(corpus.facts[study], corpus.regions[study], strict=True):
            if not region.any():
                continue  # behind the collimator
            full = np.minimum(_FULL * region.reshape(-1).astype(np.float32) / region.max(), 1)
            for place, claim in enumerate(claims):
                if claim.concerns(fact):
                    np.maximum(out[row, place], full, out=out[row, place])
    return out.transpose(0, 2, 1)
