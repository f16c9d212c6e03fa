"""Which embeddings lie close to each other, and are some closer than as many drawn at random among their like?

Embeddings of one model share most of their direction, so closeness is the cosine of what is left when the mean of all
is taken off: 0 for two that have nothing in common but that.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DRAWS: Final = 19_999
"""Draws at most."""
_ENOUGH: Final = 20
"""Draws that are as close, after which p is known well enough."""
_BLOCK: Final = 4_000_000  # numbers at a time, 32 MB
_Z: Final = 1.959963984540054

Directions = NDArray[np.float64]
"""(n, E) of length 1."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """How close members lie to each other.

    Parameters
    ----------
    cosine
        Mean over the pairs of members.
    expected
        Of as many drawn at random within strata.
    effect
        ``cosine`` less ``expected``, in standard deviations of the cosine of all pairs.
    ends
        95 % interval of the effect, by the jackknife over members.
    p
        One-sided, of draws within strata (Besag and Clifford, Biometrika 78:301, 1991).
    members, others
        Those in strata that hold both; only they count.

    """

    cosine: float
    expected: float
    effect: float
    ends: tuple[float, float]
    p: float
    members: int
    others: int


def directions(embeddings: NDArray[np.floating]) -> Directions:
    """Embeddings (n, E) less their mean, each scaled to length 1 (0 stays 0); rows with NaN stay NaN and count not."""
    centred = np.asarray(embeddings, dtype=np.float64)
    there = ~np.isnan(centred).any(axis=1)
    if there.any():
        centred = centred - centred[there].mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.where(lengths > 0, lengths, 1)


def nearest(found: Directions, count: int) -> NDArray[np.intp]:
    """(n, min(count, n - 1)) places of the nearest others, nearest first, the earlier first where two are as near."""
    number = len(found)
    kept = min(count, number - 1)
    places = np.empty((number, max(0, kept)), dtype=np.intp)
    rows = max(1, _BLOCK // max(1, number))
    for start in range(0, number if kept > 0 else 0, rows):
        cosines = found[start : start + rows] @ found.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -np.inf
        places[start : start + rows] = np.argsort(-cosines, axis=1, kind="stable")[:, :kept]
    return places


def closeness(
    found: Directions, member: NDArray[np.bool_], strata: Sequence[Hashable], *, smallest: int = 3, seed: int = 0
) -> Closeness | None:
    """Effect, interval and p of members being close to each other; None where there is nothing to compare.

    That is where strata that hold members and others have fewer than ``smallest`` of either (3 at least), or all
    embeddings are alike.

    Parameters
    ----------
    found
        No row NaN.
    member
        (n,) bool.
    strata
        (n,) what must be alike for two to stand in for each other.
    smallest
        Members and others that are needed.
    seed
        Of the draws.

    """
    parts = _parts(member, strata)
    asked = np.concatenate([np.zeros(0, np.intp), *(place for place, _ in parts)])
    vectors, members = found[asked], int(sum(count for _, count in parts))
    others = len(asked) - members
    if min(members, others) < max(smallest, 3):
        return None
    spread = _spread_of_pairs(vectors)
    if spread == 0:
        return None
    own = found[asked[member[asked]]]
    total = own.sum(axis=0)
    cosine, expected = _of_pairs(float(total @ total), members), _expected(found, parts)
    squares = ((total - own) ** 2).sum(axis=1)
    left_out = np.array([_of_pairs(square, members - 1) for square in squares.tolist()])
    error = float(np.sqrt((members - 1) * left_out.var())) / spread
    effect = (cosine - expected) / spread
    draw = np.random.default_rng([seed, members, others])
    p = _chance(vectors, [(len(place), count) for place, count in parts], float(total @ total), draw)
    return Closeness(cosine, expected, effect, (effect - _Z * error, effect + _Z * error), p, members, others)


Part = tuple[NDArray[np.intp], int]
"""Places of a stratum, and how many members it has."""


def _parts(member: NDArray[np.bool_], strata: Sequence[Hashable]) -> list[Part]:
    places: dict[Hashable, list[int]] = {}
    for place, key in enumerate(strata):
        places.setdefault(key, []).append(place)
    parts = [(np.array(one, dtype=np.intp), int(member[one].sum())) for one in places.values()]
    return [(place, count) for place, count in parts if 0 < count < len(place)]


def _of_pairs(square: float, count: int) -> float:
    """Mean cosine over the pairs of ``count`` vectors of length 1 whose sum has that square."""
    return (square - count) / (count * (count - 1))


def _spread_of_pairs(vectors: Directions) -> float:
    """Standard deviation of the cosine over all pairs."""
    count, total = len(vectors), vectors.sum(axis=0)
    squares = float(((vectors.T @ vectors) ** 2).sum())
    variance = _of_pairs(squares, count) - _of_pairs(float(total @ total), count) ** 2
    return float(np.sqrt(variance)) if variance > 1e-12 else 0.0


def _expected(found: Directions, parts: Iterable[Part]) -> float:
    """Mean over all draws of the mean cosine over the pairs of the drawn, in closed form."""
    mean, within, members = np.zeros(found.shape[1]), 0.0, 0
    for place, count in parts:
        total, size = found[place].sum(axis=0), len(place)
        share = total * count / size
        mean += share
        # The pairs of a stratum are drawn without putting back, unlike those of two strata.
        within += count + count * (count - 1) * _of_pairs(float(total @ total), size) - float(share @ share)
        members += count
    return _of_pairs(float(mean @ mean) + within, members)


def _chance(vectors: Directions, sizes: Sequence[tuple[int, int]], square: float, draw: np.random.Generator) -> float:
    """Of a draw within strata, which lie one behind the other, being as close; drawn until it is known well enough."""
    rows, hits, drawn = max(1, min(1000, _BLOCK // len(vectors))), 0, 0
    while drawn < DRAWS:
        rows = min(rows, DRAWS - drawn)
        chosen, start = np.zeros((rows, len(vectors))), 0
        for size, count in sizes:
            dealt = np.argpartition(draw.random((rows, size)), count - 1, axis=1)[:, :count]
            np.put_along_axis(chosen, start + dealt, 1.0, axis=1)
            start += size
        reached = ((chosen @ vectors) ** 2).sum(axis=1) >= square - 1e-9
        if hits + reached.sum() >= _ENOUGH:
            last = int(np.flatnonzero(reached)[_ENOUGH - hits - 1])
            return _ENOUGH / (drawn + last + 1)
        hits, drawn = hits + int(reached.sum()), drawn + rows
    return (1 + hits) / (1 + drawn)
