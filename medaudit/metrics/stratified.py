"""Do those with a feature score otherwise than those without it, among their like? A permutation test within strata.

With strata s, n1 of n members each, the statistic is ``U = sum over members of (score - mean of the stratum)``. Under
the hypothesis that the feature is dealt at random within each stratum its mean is 0 and its variance
``sum over s of n1 n0 / (n - 1) * var(score)`` (var over n), whatever the scores are distributed like; for many members
U is normal (Hoeffding, "A combinatorial central limit theorem", 1951), for few the deals are drawn.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEW: Final = 20
"""Members (or others) below which deals are drawn instead of the normal distribution."""
DRAWS: Final = 99_999
ENOUGH: Final = 200
"""So many draws beyond the observed value settle that it is nothing unusual."""
_AT_ONCE: Final = 2000
_REPLICATES: Final = 1000
_LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """Members less others, within strata.

    Parameters
    ----------
    effect
        Mean difference in standard deviations of the scores within strata and groups (Hedges' g, without its
        correction for small samples).
    ends
        95 % percentile bootstrap interval of the effect, studies resampled within strata and groups.
    p
        Two-sided, of the permutation test.
    members, others
        Those in strata that hold both; only they count.

    """

    effect: float
    ends: tuple[float, float]
    p: float
    members: int
    others: int


def stratified_difference(
    scores: ArrayLike, member: ArrayLike, strata: Sequence[Hashable], *, smallest: int = 1, seed: int = 0
) -> Difference | None:
    """Effect, interval and p of a feature on scores; None where there is nothing to compare.

    That is where strata that hold members and others have fewer than ``smallest`` of either, or all scores are alike.

    Parameters
    ----------
    scores
        (n,) finite.
    member
        (n,) bool.
    strata
        (n,) what must be alike for two to be compared.
    smallest
        Members and others that are needed, 1 or more.
    seed
        Of the draws.

    """
    values, has = np.asarray(scores, dtype=np.float64), np.asarray(member, dtype=np.bool_)
    keys = {key: number for number, key in enumerate(dict.fromkeys(strata))}
    place = np.array([keys[key] for key in strata], dtype=np.int64)
    parts = [
        (values[(place == number) & has], values[(place == number) & ~has])
        for number in range(len(keys))
        if 0 < has[place == number].sum() < (place == number).sum()
    ]
    members, others = sum(len(one) for one, _ in parts), sum(len(zero) for _, zero in parts)
    if min(members, others) < smallest:
        return None
    spread = _spread(parts)
    if spread == 0:
        return None
    draw = np.random.default_rng([seed, members, others])
    p = _by_draws(parts, draw) if min(members, others) < FEW else _by_normal(parts)
    return Difference(_mean_difference(parts) / spread, _interval(parts, draw), p, members, others)


Part = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The scores of a stratum's members and of its others."""


def _weights(parts: Sequence[Part]) -> NDArray[np.float64]:
    return np.array([len(one) * len(zero) / (len(one) + len(zero)) for one, zero in parts])


def _mean_difference(parts: Sequence[Part]) -> float:
    return float(np.average([one.mean() - zero.mean() for one, zero in parts], weights=_weights(parts)))


def _spread(parts: Sequence[Part]) -> float:
    """Standard deviation within strata and groups; where it is 0 (all of a group alike), within strata alone."""
    groups = [group for part in parts for group in part]
    for kind in (groups, [np.concatenate(part) for part in parts]):
        freedom = sum(len(group) - 1 for group in kind)
        squares = sum(float(((group - group.mean()) ** 2).sum()) for group in kind)
        if freedom and squares:
            return math.sqrt(squares / freedom)
    return 0.0


def _by_normal(parts: Sequence[Part]) -> float:
    total = variance = 0.0
    for one, zero in parts:
        both = np.concatenate([one, zero])
        total += float((one - both.mean()).sum())
        variance += len(one) * len(zero) / (len(both) - 1) * float(both.var())
    return math.erfc(abs(total) / math.sqrt(2 * variance)) if variance else 1.0


def _by_draws(parts: Sequence[Part], draw: np.random.Generator) -> float:
    """Draws whose |U| is at least the observed one, itself counted (Phipson and Smyth 2010), over all draws.

    Drawing ends once :data:`ENOUGH` have reached it: p is then known to be large (Besag and Clifford, "Sequential
    Monte Carlo p-values", 1991). Most comparisons end so, after a fiftieth of the draws.
    """
    centred = []
    for one, zero in parts:
        both = np.concatenate([one, zero])
        centred.append((both - both.mean(), len(one), min(len(one), len(zero))))
    observed = abs(sum(float(both[:members].sum()) for both, members, _ in centred))
    reached = done = 0
    while done < DRAWS and reached < ENOUGH:
        size = min(_AT_ONCE, DRAWS - done)
        drawn = np.zeros(size)
        for both, members, fewer in centred:
            # The smaller group's sum is the other's, turned over.
            keys = draw.random((size, len(both)), dtype=np.float32)
            chosen = np.argpartition(keys, fewer - 1, axis=1)[:, :fewer]
            drawn += both[chosen].sum(axis=1) * (1 if fewer == members else -1)
        reached += int((np.abs(drawn) >= observed - 1e-12).sum())
        done += size
    return (1 + reached) / (1 + done)


def _interval(parts: Sequence[Part], draw: np.random.Generator) -> tuple[float, float]:
    weights = _weights(parts)
    differences, squares, freedom = np.zeros(_REPLICATES), np.zeros(_REPLICATES), 0
    for (one, zero), weight in zip(parts, weights / weights.sum(), strict=True):
        for group, sign in ((one, 1), (zero, -1)):
            sample = group[draw.integers(len(group), size=(_REPLICATES, len(group)))]
            differences += sign * weight * sample.mean(axis=1)
            squares += sample.var(axis=1) * len(group)
            freedom += len(group) - 1
    spread = np.sqrt(squares / freedom) if freedom else np.full(_REPLICATES, _spread(parts))
    effects = differences / np.where(spread > 0, spread, _spread(parts))
    low, high = np.quantile(effects, ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2))
    return float(low), float(high)
