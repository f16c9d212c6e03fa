"""Distributions and their uncertainty, without labels and without a distribution assumed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95
"""Every interval of a report covers this share of the resamples."""

_SEED = 20240229  # of the resampling alone: the same store gives the same report
_Z = 1.959963984540054  # quantile of the normal distribution for LEVEL
_BLOCK = 4_000_000  # resampled values at a time, 32 MB


@dataclass(frozen=True, slots=True)
class Spread:
    """Quantiles of ``count`` values: 5 %, 25 %, 50 %, 75 %, 95 %; ``points`` are the values where they are few."""

    count: int
    low: float
    lower: float
    median: float
    upper: float
    high: float
    points: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate from ``count`` independent values, with its interval at :data:`LEVEL`; None where one is too few."""

    count: int
    value: float
    ends: tuple[float, float] | None

    def excludes(self, value: float) -> bool:
        """Whether the interval is there and lies wholly on one side of ``value``."""
        return self.ends is not None and not self.ends[0] <= value <= self.ends[1]


def spread(values: Sequence[float], few: int = 12) -> Spread:
    """Quantiles of at least one value; the values themselves too where they are at most ``few``."""
    sample = np.asarray(values, dtype=np.float64)
    low, lower, median, upper, high = np.quantile(sample, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist()
    points = tuple(sorted(map(float, values))) if len(values) <= few else ()
    return Spread(len(values), low, lower, median, upper, high, points)


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean with a percentile bootstrap interval (Efron and Tibshirani 1993, 13.3) over independent values."""
    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Interval(len(sample), mean, None)
    return Interval(len(sample), mean, _ends(_resampled_means(sample, 0)))


def difference_interval(values: Sequence[float], others: Sequence[float]) -> Interval:
    """Mean of ``values`` less mean of ``others``, both resampled; ``count`` is that of ``values``."""
    one, other = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    difference = float(one.mean() - other.mean())
    if min(len(one), len(other)) < 2:
        return Interval(len(one), difference, None)
    return Interval(len(one), difference, _ends(_resampled_means(one, 0) - _resampled_means(other, 1)))


def share_interval(hits: int, count: int) -> Interval:
    """A share with Wilson's score interval (Wilson 1927); ``count`` is at least 1."""
    share = hits / count
    centre = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return Interval(count, share, (max(0.0, centre - half), min(1.0, centre + half)))


def by_group(values: Mapping[str, float], groups: Mapping[str, str], smallest: int) -> dict[str, list[float]]:
    """Values of each group that has at least ``smallest`` of them, groups in the order of their names."""
    found: dict[str, list[float]] = {}
    for key in sorted(values):
        if key in groups:
            found.setdefault(groups[key], []).append(values[key])
    return {name: found[name] for name in sorted(found) if len(found[name]) >= smallest}


def _resampled_means(sample: NDArray[np.float64], stream: int) -> NDArray[np.float64]:
    generator = np.random.default_rng((_SEED, stream))
    rows = max(1, _BLOCK // len(sample))
    means: list[NDArray[np.float64]] = []
    for start in range(0, RESAMPLES, rows):
        size = (min(rows, RESAMPLES - start), len(sample))
        means.append(sample[generator.integers(0, len(sample), size)].mean(axis=1))
    return np.concatenate(means)


def _ends(means: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
