"""How well a map points at a region that is known."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pointing_hit(relevance: ArrayLike, shares: ArrayLike) -> bool:
    """Whether the most relevant token touches the region (the pointing game, Zhang et al., IJCV 2018).

    The tolerance is the token itself: a region smaller than a token is hit by the token that holds it. A map whose
    largest value is shared by many tokens points nowhere: it hits with the first of them, as a constant does.

    Parameters
    ----------
    relevance
        (rows, columns) of the token grid.
    shares
        (rows, columns): the share of each token's patch that the region covers.

    """
    values, covered = np.asarray(relevance, dtype=np.float64), np.asarray(shares)
    _check_shapes(values, covered)
    return bool(covered.ravel()[int(values.argmax())] > 0)


def contrast_to_noise(relevance: ArrayLike, region: ArrayLike) -> float:
    """Signed contrast-to-noise ratio: (mean inside - mean outside) / sqrt(variance inside + variance outside).

    The definition of generate_to_ground (``utils_evaluation.py``). It does not change when a map is scaled or
    shifted. A constant map has none: 0. Values that are NaN (not seen by the model) are left out.

    Parameters
    ----------
    relevance
        (rows, columns).
    region
        (rows, columns) bool, some of it true and some of it false where the map has values.

    Raises
    ------
    ValueError
        The shapes differ, or the region is empty or everything.

    """
    values, inside = np.asarray(relevance, dtype=np.float64), np.asarray(region, dtype=np.bool_)
    _check_shapes(values, inside)
    seen = np.isfinite(values)
    within, without = values[seen & inside], values[seen & ~inside]
    if not (within.size and without.size):
        msg = f"contrast_to_noise: expected a region with an inside and an outside; got {within.size}, {without.size}"
        raise ValueError(msg)
    spread = math.sqrt(float(within.var() + without.var()))
    return float(within.mean() - without.mean()) / spread if spread else 0.0


def energy_share(relevance: ArrayLike, region: ArrayLike) -> float:
    """Share of the positive relevance that lies in the region (the energy-based pointing game, Wang et al. 2020).

    By chance it is the share of the area. A map without positive relevance has none there: 0. NaN is left out.

    Parameters
    ----------
    relevance
        (rows, columns).
    region
        (rows, columns) in 0 .. 1: a mask, or the share of each place that the region covers.

    """
    values, covered = np.asarray(relevance, dtype=np.float64), np.asarray(region, dtype=np.float64)
    _check_shapes(values, covered)
    positive = np.where(np.isfinite(values), np.maximum(values, 0), 0)
    total = float(positive.sum())
    return float((positive * covered).sum()) / total if total else 0.0


def average_precision(relevance: ArrayLike, region: ArrayLike) -> float:
    """Area under the precision-recall curve of pixels, as the mean precision at each pixel of the region.

    Pixels of equal relevance are taken together, so a constant map gets the share of the area, which is chance.
    NaN is left out.

    Raises
    ------
    ValueError
        The shapes differ, or no seen pixel lies in the region.

    """
    values, inside = np.asarray(relevance, dtype=np.float64), np.asarray(region, dtype=np.bool_)
    _check_shapes(values, inside)
    seen = np.isfinite(values)
    score, truth = values[seen], inside[seen]
    if not truth.any():
        msg = "average_precision: expected a region that the map sees; got none of it"
        raise ValueError(msg)
    order = np.argsort(-score, kind="stable")
    ordered, hits = score[order], np.cumsum(truth[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _check_shapes(values: NDArray[np.float64], region: NDArray[np.generic]) -> None:
    if values.shape != region.shape:
        msg = f"map and region: expected one shape; got {values.shape} and {region.shape}"
        raise ValueError(msg)


def fullest_tenth(relevance: ArrayLike) -> float:
    """Share of the positive relevance in the tenth of the places that hold most of it: 0.1 for a flat map, at most 1.

    Raises
    ------
    ValueError
        No relevance is positive.

    """
    values = np.sort(np.clip(np.asarray(relevance, dtype=np.float64).ravel(), 0, None))[::-1]
    if not values.sum() > 0:
        msg = "fullest_tenth: expected some positive relevance; got none"
        raise ValueError(msg)
    return float(values[: max(1, round(len(values) / 10))].sum() / values.sum())
