"""All claims at once as arrays: which are true of which study, and where."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medaudit.training.claims import Claim, Fact, known_claims, prompt_claims, report_claims, unrelated_claims
from medaudit.training.corpus import CELLS, Corpus, patch_shares

# How the sentences of a step are shared out between the kinds of claims; the rest are unrelated ones.
_SHARES: Final = ((known_claims, 0.35), (report_claims, 0.3), (prompt_claims, 0.25), (unrelated_claims, 0.1))
_RAREST: Final = 0.03
"""A claim that is true (or false) of fewer studies than this weighs as if it were of so many."""
_STRESS: Final = 4.0
"""How much oftener than others a claim of the emphasis is drawn."""
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
    turn
        (claims,) float64: how often a claim is drawn, against the others of its group. Every finding and device
        comes as often as any other, and of each what is said of it at all, of a side and of a zone: there are
        fifty ways to name a nodule in a zone and three to name a tube, yet both must be learnt.
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
    turn: NDArray[np.float64]
    truth: NDArray[np.bool_]
    weight: NDArray[np.float32]
    chance: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, sentences: int) -> NDArray[np.int64]:
        """Draw claims for a step, by the shares of their kinds; sorted, none twice."""
        drawn = []
        for start, stop, share in self.groups:
            size, turn = min(round(share * sentences), stop - start), self.turn[start:stop]
            drawn.append(start + rng.choice(stop - start, size=size, replace=False, p=turn / turn.sum()))
        return np.sort(np.concatenate(drawn))


def all_claims() -> tuple[Claim, ...]:
    """Every claim of the bank, in its order."""
    return tuple(claim for make, _ in _SHARES for claim in make())


def build_bank(facts: Sequence[tuple[Fact, ...]], emphasis: Collection[str] = ()) -> Bank:
    """Judge every claim of every study; claims about the names in ``emphasis`` are drawn four times as often."""
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
    # Of several nodules on one side, one counts: else crowded studies would drive out all others.
    much = np.array([(1 + len({(one.name, one.side) for one in study})) ** 2 for study in facts], dtype=np.float64)
    chance = much / much.sum()
    rate = np.clip(chance @ (truth & known) / np.maximum(chance @ known, 1e-12), _RAREST, 1 - _RAREST)
    weight = np.where(truth, 0.5 / rate, 0.5 / (1 - rate)) * known
    turn = np.concatenate([_turns(claims[start:stop], emphasis) for start, stop, _ in groups])
    return Bank(tuple(claims), tuple(groups), turn, truth, weight.astype(np.float32), chance)


def _turns(claims: Sequence[Claim], emphasis: Collection[str]) -> NDArray[np.float64]:
    """(claims,): one share for each name, in it one for each level (at all, side, zone, negated), in it alike."""
    levels = [(one.name, bool(one.side), bool(one.zone), one.negated) for one in claims]
    alike = Counter(levels)
    of_name = Counter(level[0] for level in alike)
    stress = [_STRESS if level[0] in emphasis else 1.0 for level in levels]
    return np.array([much / (of_name[level[0]] * alike[level]) for much, level in zip(stress, levels, strict=True)])


def shares_of(
    corpus: Corpus, studies: Sequence[int], claims: Sequence[Claim], moves: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Where in each study what each claim speaks of lies.

    Parameters
    ----------
    corpus
        Knows the regions.
    studies, claims
        Which.
    moves
        (studies, 2): by how many cells each picture is moved down and to the right.

    Returns
    -------
    (studies, patches, claims) float32 in [0, 1]: see :func:`medaudit.training.losses.patch_loss`.

    """
    out = np.zeros((len(studies), len(claims), _patches(corpus)), np.float32)
    moves = np.zeros((len(studies), 2), np.int64) if moves is None else moves
    for row, study in enumerate(studies):
        for fact, region in zip(corpus.facts[study], corpus.regions[study], strict=True):
            shares = patch_shares(region, *moves[row]).reshape(-1)
            if not shares.any():
                continue  # behind the collimator
            full = np.minimum(_FULL * shares / shares.max(), 1)
            for place, claim in enumerate(claims):
                if claim.concerns(fact):
                    np.maximum(out[row, place], full, out=out[row, place])
    return out.transpose(0, 2, 1)


def places_of(corpus: Corpus, claims: Sequence[Claim]) -> NDArray[np.float32]:
    """(patches, claims) float32: in which share of the studies the patch holds some of what the claim speaks of."""
    patches = _patches(corpus)
    held: dict[tuple[str, str, str], NDArray[np.float64]] = {}
    for study, facts in enumerate(corpus.facts):
        for fact, region in zip(facts, corpus.regions[study], strict=True):
            place = held.setdefault((fact.name, fact.side, fact.zone), np.zeros(patches))
            place += patch_shares(region).reshape(-1) > 0
    out = np.zeros((patches, len(claims)), np.float32)
    for column, claim in enumerate(claims):
        for (name, side, zone), count in held.items():
            if claim.concerns(Fact(name, side, zone)):
                out[:, column] += count / len(corpus.facts)
    return out


def _patches(corpus: Corpus) -> int:
    side: int = corpus.regions[0].shape[1] // CELLS
    return side * side
