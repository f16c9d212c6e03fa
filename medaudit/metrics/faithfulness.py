"""Whether a map tells what a score rests on: curves of the score while the most relevant parts come or go."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Scores (steps + 1,) while the parts of a map are changed in order, from none to all.

    ``share`` (steps + 1,) is how much of the whole is changed at each, from 0 to 1, rising.
    """

    share: NDArray[np.float64]
    score: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.share.shape != self.score.shape or self.share.ndim != 1 or self.share.size < 2:
            msg = f"Curve: expected two vectors of one length >= 2; got {self.share.shape} and {self.score.shape}"
            raise ValueError(msg)
        if self.share[0] != 0 or self.share[-1] != 1 or (np.diff(self.share) <= 0).any():
            msg = "Curve.share: expected values that rise from 0 to 1"
            raise ValueError(msg)

    @property
    def area(self) -> float:
        """Area under the scores by the trapezoid rule, in the score's unit."""
        return float(np.trapezoid(self.score, self.share))

    @property
    def relative_area(self) -> float:
        """:attr:`area` with the first score as 0 and the last as 1; 1/2 for a straight line, NaN where they are equal.

        Of a curve that inserts what matters, larger is better; of one that deletes it, also: the score falls early.
        """
        first, last = float(self.score[0]), float(self.score[-1])
        return (self.area - first) / (last - first) if last != first else float("nan")


def ordered_steps(relevance: ArrayLike, steps: int) -> NDArray[np.intp]:
    """(size,) at which of ``steps`` equal steps, 0-based, each place of a map changes: the most relevant first.

    Places of equal relevance change in their order in the map. There are no more steps than places.

    Raises
    ------
    ValueError
        ``steps`` is less than 1, or a value is not finite.

    """
    values = np.asarray(relevance, dtype=np.float64)
    if steps < 1 or not np.isfinite(values).all():
        msg = f"ordered_steps: expected at least 1 step and finite relevance; got {steps} steps"
        raise ValueError(msg)
    steps = min(steps, values.size)
    rank = np.empty(values.size, dtype=np.intp)
    rank[np.argsort(-values.ravel(), kind="stable")] = np.arange(values.size)
    return np.asarray(rank * steps // values.size, dtype=np.intp).reshape(values.shape)


def change_curve(relevance: ArrayLike, steps: int, score: Callable[[NDArray[np.bool_]], ArrayLike]) -> Curve:
    """Curve of ``score`` while places change, the most relevant first.

    Insertion and deletion (Petsiuk et al., BMVC 2018, section 4.2) are the same walk: what "changed" shows (the
    image where nothing was, or nothing where the image was, or the image's twin) is up to ``score``.

    Parameters
    ----------
    relevance
        Any shape; the places.
    steps
        In how many equal steps all of them change.
    score
        Given (steps + 1, ...) bool, which places are changed at each step, from none to all; returns one score each.

    """
    at = ordered_steps(relevance, steps)
    count = int(at.max()) + 1
    changed = np.stack([at < step for step in range(count + 1)])
    share = changed.reshape(count + 1, -1).mean(axis=1)
    return Curve(share, np.asarray(score(changed), dtype=np.float64))
