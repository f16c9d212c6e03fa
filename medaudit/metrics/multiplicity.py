"""Many tests at once: of a hundred, five come out small by chance."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Corrected p (n,): the smallest false discovery rate at which each test still counts.

    Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57 (1995), in the adjusted form.

    Raises
    ------
    ValueError
        A value is not within 0 .. 1.

    """
    chances = np.asarray(p, dtype=np.float64).ravel()
    if chances.size and not ((chances >= 0) & (chances <= 1)).all():
        msg = f"benjamini_hochberg: expected values in 0 .. 1; got {chances[~((chances >= 0) & (chances <= 1))][0]}"
        raise ValueError(msg)
    order = np.argsort(chances, kind="stable")
    scaled = chances[order] * chances.size / np.arange(1, chances.size + 1)
    corrected = np.empty_like(chances)
    corrected[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return corrected
