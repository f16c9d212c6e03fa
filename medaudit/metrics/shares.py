"""How much oftener do members have something than others, among their like? Shares within strata.

With strata s, n members of which x have it and m others of which y have it, N = n + m, the difference is Mantel and
Haenszel's, ``D = sum(n m / N * (x / n - y / m)) / sum(n m / N)``.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Z = 1.959963984540054  # of a 95 % interval
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class ShareDifference:
    """Share of members less share of others, within strata.

    Parameters
    ----------
    value
        -1 .. 1, positive where members have it oftener.
    ends
        95 % interval, which is no point where all or none have it (Klingenberg, Stat. Med. 33:2968, 2014).
    p
        Two-sided and exact: of what members and others have being dealt at random within each stratum.
    members, others
        Those in strata that hold both; only they count.

    """

    value: float
    ends: tuple[float, float]
    p: float
    members: int
    others: int


def share_difference(
    has: ArrayLike, member: ArrayLike, strata: Sequence[Hashable], *, smallest: int = 1
) -> ShareDifference | None:
    """Difference, interval and p; None where there is nothing to compare.

    That is where strata that hold members and others have fewer than ``smallest`` of either, or all or none has it.

    Parameters
    ----------
    has, member
        (n,) bool.
    strata
        (n,) what must be alike for two to be compared.
    smallest
        Members and others that are needed, 1 or more.

    """
    tables = _tables(np.asarray(has, dtype=np.bool_), np.asarray(member, dtype=np.bool_), strata)
    if not len(tables):
        return None
    x, n, y, m = tables.T.astype(np.float64)
    if min(n.sum(), m.sum()) < smallest or (x + y).sum() in (0, (n + m).sum()):
        return None
    value, ends = _interval(x, n, y, m)
    return ShareDifference(value, ends, _chance(tables), int(n.sum()), int(m.sum()))


def _tables(has: NDArray[np.bool_], member: NDArray[np.bool_], strata: Sequence[Hashable]) -> NDArray[np.int64]:
    """(strata, 4) members with it, members, others with it, others; of strata that hold both."""
    keys = {key: number for number, key in enumerate(dict.fromkeys(strata))}
    place = np.array([keys[key] for key in strata], dtype=np.int64)
    counts = [
        np.bincount(place[chosen], minlength=len(keys)) for chosen in (has & member, member, has & ~member, ~member)
    ]
    tables = np.stack(counts, axis=1)
    return tables[(tables[:, 1] > 0) & (tables[:, 3] > 0)]


def _interval(
    x: NDArray[np.float64], n: NDArray[np.float64], y: NDArray[np.float64], m: NDArray[np.float64]
) -> tuple[float, tuple[float, float]]:
    """The differences d at which (D - d)^2 is z^2 times Sato's variance ``(d sum P + sum Q) / sum(w)^2`` (1989)."""
    total = n + m
    weight = (n * m / total).sum()
    value = float(((x * m - y * n) / total).sum() / weight)
    p = ((n**2 * y - m**2 * x + n * m * (m - n) / 2) / total**2).sum() / weight**2
    q = ((x * (m - y) + y * (n - x)) / (2 * total)).sum() / weight**2
    middle = value + _Z**2 * p / 2
    half = math.sqrt(max(0.0, middle**2 - value**2 + _Z**2 * q))
    return value, (max(-1.0, float(middle - half)), min(1.0, float(middle + half)))


def _chance(tables: NDArray[np.int64]) -> float:
    """Of members having it as often or as seldom: hypergeometric within each stratum, summed over all."""
    pmf, mean = np.ones(1), 0.0
    for x, n, y, m in tables.tolist():
        had, total = x + y, n + m
        pmf = np.convolve(pmf, [_hypergeometric(k, had, n, total) for k in range(min(had, n) + 1)])
        mean += had * n / total
    off = abs(int(tables[:, 0].sum()) - mean)
    return min(1.0, float(pmf[np.abs(np.arange(len(pmf)) - mean) >= off - _TIE].sum()))


def _hypergeometric(k: int, had: int, drawn: int, total: int) -> float:
    """Chance of ``k`` among ``drawn`` of ``total``, of which ``had`` have it."""
    if drawn - k > total - had:
        return 0.0
    return math.exp(_log_comb(had, k) + _log_comb(total - had, drawn - k) - _log_comb(total, drawn))


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
