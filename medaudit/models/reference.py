"""What is usual, as a mean and a covariance, and how far a new item lies from it: Mahalanobis' distance.

Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", NeurIPS
2018, equation 2, with one class, as there are no labels. Fewer items than dimensions leave a covariance that cannot be
inverted, so it is shrunk (Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
Journal of Multivariate Analysis 2004), towards its diagonal. A distance says little by itself: it is held against those
of the reference's own items, each from a reference without it.

Of the items themselves nothing is kept: mean, covariance and sorted distances tell of nobody alone.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

LEAST_ITEMS: Final = 3
# Less deviation than this is taken as this: a value that never differed in the reference may differ a little.
_LEAST_DEVIATION: Final = 1e-3
# Least weight of the diagonal, so that there is always an inverse.
_LEAST_SHRINKAGE: Final = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Mean (E,) and shrunk covariance (E, E) of n items, and their own distances (n,), rising; all float64."""

    mean: Tensor
    covariance: Tensor
    distances: Tensor

    def __post_init__(self) -> None:
        width = len(self.mean)
        shapes = tuple(self.mean.shape), tuple(self.covariance.shape)
        if shapes != ((width,), (width, width)) or self.distances.dim() != 1 or not len(self.distances):
            msg = f"Reference: expected (E,), (E, E), (n,); got {shapes}, {tuple(self.distances.shape)}"
            raise ValueError(msg)

    def distance(self, item: Tensor) -> float:
        """Mahalanobis' distance of an item (E,) from the mean."""
        off = item.to(self.mean) - self.mean
        solved = torch.cholesky_solve(off[:, None], torch.linalg.cholesky(self.covariance))
        return math.sqrt(float(off @ solved[:, 0]))

    def quantile(self, item: Tensor) -> float:
        """Share of the reference's items that lie nearer than an item (E,) does, of these and the item itself.

        So it stays below n / (n + 1), and one more item of the same kind exceeds 1 - p in at most about p of cases: a
        reference of few items never calls anything rare.
        """
        nearer = int((self.distances < self.distance(item)).sum())
        return nearer / (len(self.distances) + 1)


def reference_of(items: Tensor) -> Reference:
    """Reference of items (n, E).

    Raises
    ------
    ValueError
        Fewer than three items.

    """
    if items.dim() != 2 or len(items) < LEAST_ITEMS:
        msg = f"reference_of: expected (n, E) with n >= {LEAST_ITEMS}; got {tuple(items.shape)}"
        raise ValueError(msg)
    count = len(items)
    mean = items.double().mean(0)
    deviation = items.double().std(0, unbiased=False).clamp(min=_LEAST_DEVIATION)
    off = (items.double() - mean) / deviation
    sample = off.T @ off / count
    weight, level = _shrinkage(off, sample)
    ridge = weight * level * torch.eye(len(mean), dtype=torch.float64, device=items.device)
    covariance = (1 - weight) * sample + ridge
    # Without one of n items, at the same shrinkage: the mean moves by off / (n - 1), and the covariance loses a
    # matrix of rank one, whose inverse has a closed form (Sherman and Morrison 1950).
    scale = count / (count - 1)
    others = torch.linalg.cholesky((1 - weight) * scale * sample + ridge)
    length = (off * torch.cholesky_solve(off.T, others).T).sum(1)
    lost = (1 - weight) * scale / (count - 1)
    squared = scale**2 * length / (1 - lost * length)
    return Reference(mean, covariance * deviation * deviation[:, None], squared.clamp(min=0).sqrt().sort().values)


def _shrinkage(off: Tensor, sample: Tensor) -> tuple[float, float]:
    """(weight, level) of the estimator (1 - weight) sample + weight level I; Ledoit and Wolf, section 3.2."""
    count, width = off.shape
    level = float(sample.trace()) / width
    spread = float((sample - level * torch.eye(width, dtype=sample.dtype, device=sample.device)).square().sum())
    # The mean of |x x' - S|^2 over items, divided by their number.
    noise = float(off.square().sum(1).square().mean() - sample.square().sum()) / count
    weight = noise / spread if spread > 0 else 1.0
    return min(1.0, max(_LEAST_SHRINKAGE, weight)), max(level, _LEAST_SHRINKAGE)
