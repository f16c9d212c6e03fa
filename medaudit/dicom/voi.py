"""The window functions of PS3.3 C.11.2, as pure functions from modality values to 0 .. 1."""

import numpy as np
from numpy.typing import NDArray


def linear(values: NDArray[np.float64], center: float, width: float) -> NDArray[np.float64]:
    """LINEAR (C.11.2.1.2.1); ``width`` >= 1, and a step at ``center - 0.5`` for 1."""
    if width < 1:
        msg = f"width: expected >= 1 for LINEAR (PS3.3 C.11.2.1.2.1); got {width:g}"
        raise ValueError(msg)
    middle = center - 0.5
    if width == 1:
        return (values > middle).astype(np.float64)
    return np.clip((values - middle) / (width - 1) + 0.5, 0, 1)


def linear_exact(values: NDArray[np.float64], center: float, width: float) -> NDArray[np.float64]:
    """LINEAR_EXACT (C.11.2.1.3.2); ``width`` > 0."""
    _require_positive(width)
    return np.clip((values - center) / width + 0.5, 0, 1)


def sigmoid(values: NDArray[np.float64], center: float, width: float) -> NDArray[np.float64]:
    """SIGMOID (C.11.2.1.3.1); ``width`` > 0."""
    _require_positive(width)
    # exp overflows beyond 709; at 500 the result has long been 0 or 1 in float64.
    return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -500, 500))), dtype=np.float64)


def _require_positive(width: float) -> None:
    if width <= 0:
        msg = f"width: expected > 0 (PS3.3 C.11.2.1.3); got {width:g}"
        raise ValueError(msg)
