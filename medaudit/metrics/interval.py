"""How far a mean over cases may be from the truth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic of a sample and a percentile bootstrap interval around it."""

    value: float
    low: float
    high: float


def bootstrap(
    values: ArrayLike,
    *,
    statistic: Callable[..., NDArray[Any]] = np.mean,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval (Efron 1979) of a statistic over independent cases.

    Parameters
    ----------
    values
        (n,) one a case; NaN (undefined there) is left out.
    statistic
        Takes ``axis``, as :func:`numpy.mean` and :func:`numpy.median` do.
    level
        Share of the replicates within the interval.
    replicates
        How many samples are drawn, with replacement.
    seed
        Of the draws.

    Raises
    ------
    ValueError
        There is no value, or ``level`` is not within 0 .. 1.

    """
    sample = np.asarray(values, dtype=np.float64).ravel()
    sample = sample[~np.isnan(sample)]
    if not sample.size or not 0 < level < 1 or replicates < 1:
        msg = f"bootstrap: expected values, 0 < level < 1, replicates >= 1; got {sample.size}, {level}, {replicates}"
        raise ValueError(msg)
    chosen = np.random.default_rng(seed).integers(sample.size, size=(replicates, sample.size))
    drawn = np.asarray(statistic(sample[chosen], axis=1), dtype=np.float64)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.asarray(statistic(sample, axis=0))), float(low), float(high))
