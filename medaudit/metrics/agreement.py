"""How far two maps agree."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Ranks 1 .. n of the flattened values; ties share the mean of their ranks."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    _, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation of two maps of one shape, in -1 .. 1.

    Two constant maps agree in nothing that could be ranked: the result is then 0.
    """
    one, two = ranks(first), ranks(second)
    if one.shape != two.shape:
        msg = f"rank_correlation: expected maps of one size; got {one.size} and {two.size} values"
        raise ValueError(msg)
    one, two = one - one.mean(), two - two.mean()
    norm = float(np.sqrt((one @ one) * (two @ two)))
    return float(one @ two) / norm if norm else 0.0
