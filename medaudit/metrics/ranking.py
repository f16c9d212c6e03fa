"""How well a score ranks what is against what is not."""

import numpy as np
from numpy.typing import ArrayLike

from medaudit.metrics.agreement import ranks


def auc(score: ArrayLike, truth: ArrayLike) -> float:
    """Area under the ROC curve: how often a true item has the larger score, ties by half (Mann-Whitney).

    Raises
    ------
    ValueError
        There is no true item, or no false one.

    """
    values, positive = np.asarray(score, dtype=np.float64).ravel(), np.asarray(truth, dtype=np.bool_).ravel()
    count, others = int(positive.sum()), int((~positive).sum())
    if not (count and others):
        msg = f"auc: expected true and false items; got {count} and {others}"
        raise ValueError(msg)
    return float((ranks(values)[positive].sum() - count * (count + 1) / 2) / (count * others))
