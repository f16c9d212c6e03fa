"""Where a token lies on the stored pixels, and where a stored pixel lies in the token grid.

All indices are 0-based, row before column. A pixel index names the pixel's centre, so an image of
``n`` pixels covers the interval ``[-0.5, n - 0.5]``, and its edges are exact under every resize.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A pixel centre this close (in stored pixels) to the edge of what was seen counts as seen: the edges are
# products of float64 scales and may miss a whole pixel by rounding.
EDGE_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """The image tokens of a vision tower.

    ``rows`` x ``columns`` patch tokens in row-major order, after ``prefix`` tokens (class token,
    registers) that have no place on the image.
    """

    rows: int
    columns: int
    prefix: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or self.prefix < 0:
            msg = f"TokenGrid: expected rows >= 1, columns >= 1, prefix >= 0; got {self}"
            raise ValueError(msg)

    @property
    def tokens(self) -> int:
        """All tokens, prefix included."""
        return self.prefix + self.rows * self.columns


@dataclass(frozen=True, slots=True)
class AxisMap:
    """One axis of the way from model input to stored pixels: ``stored = scale * input + offset``.

    A negative scale is a flip. Rotations and transpositions are not expressible on purpose: no
    published preprocessing of an image-text model uses them.
    """

    scale: float
    offset: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.scale) or not np.isfinite(self.offset) or self.scale == 0:
            msg = f"AxisMap: expected finite values and scale != 0; got {self}"
            raise ValueError(msg)

    def to_stored(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Model input index (fractional) -> stored index (fractional)."""
        return self.scale * index + self.offset

    def to_input(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Stored index (fractional) -> model input index (fractional)."""
        return (index - self.offset) / self.scale


@dataclass(frozen=True, slots=True)
class GridMap:
    """The geometry of one preprocessing run: stored pixels <-> model input <-> tokens.

    ``stored`` and ``input`` are (rows, columns) in pixels; ``row`` and ``column`` map one axis each.
    ``seen`` is what was left of the stored image after every crop: (top, bottom, left, right) edges in
    stored pixels, so the whole of an image of ``n`` rows is ``-0.5 .. n - 0.5``. It is more than the
    axes can tell: padding after a crop covers stored pixels that the model did not see.
    """

    stored: tuple[int, int]
    input: tuple[int, int]
    grid: TokenGrid
    row: AxisMap
    column: AxisMap
    seen: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        if min(self.stored) < 1 or min(self.input) < 1:
            msg = f"GridMap: expected sizes >= 1; got stored {self.stored}, input {self.input}"
            raise ValueError(msg)
        top, bottom, left, right = self.seen
        if not (-0.5 <= top < bottom <= self.stored[0] - 0.5 and -0.5 <= left < right <= self.stored[1] - 0.5):
            msg = f"GridMap.seen: expected edges within {self.stored} and not empty; got {self.seen}"
            raise ValueError(msg)

    def sees_everything(self) -> bool:
        """Whether the model saw every stored pixel (nothing was cropped away).

        Resizing to whole pixels trims the edge by less than half a stored pixel; that is not a crop.
        """
        top, bottom, left, right = self.seen
        rows, columns = self.stored
        return max(top + 0.5, rows - 0.5 - bottom, left + 0.5, columns - 0.5 - right) < 0.5

    def project(self, tokens: NDArray[np.float32], shape: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Spread token values over the stored image, bilinearly between token centres.

        Parameters
        ----------
        tokens
            (rows, columns) of the token grid, any unit.
        shape
            (rows, columns) of the result, which always covers the whole stored image; the stored
            shape by default, a smaller one for a picture.

        Returns
        -------
        (rows, columns) float32 in the unit of ``tokens``; NaN where the model saw nothing.

        """
        if tokens.shape != (self.grid.rows, self.grid.columns):
            msg = f"tokens: expected shape {(self.grid.rows, self.grid.columns)}; got {tokens.shape}"
            raise ValueError(msg)
        rows, columns = self.weights(shape)
        return np.asarray(rows @ tokens.astype(np.float64) @ columns.T, dtype=np.float32)

    def weights(self, shape: tuple[int, int] | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What :meth:`project` multiplies token values with: from the left, and from the right once transposed.

        Returns
        -------
        (h, rows) and (w, columns) float64: shares of at most two neighbouring tokens that add up to one, or NaN
        throughout where the model saw nothing.

        """
        height, width = shape or self.stored
        top, bottom, left, right = self.seen
        return (
            _interpolation(self.row, (height, self.stored[0]), (top, bottom), self.input[0], self.grid.rows),
            _interpolation(self.column, (width, self.stored[1]), (left, right), self.input[1], self.grid.columns),
        )


def _interpolation(
    axis: AxisMap, sizes: tuple[int, int], seen: tuple[float, float], input_size: int, tokens: int
) -> NDArray[np.float64]:
    """(out, tokens) weights of linear interpolation along one axis; NaN rows where nothing was seen.

    ``sizes`` is (out, stored): how many samples to spread over how many stored pixels.
    """
    out, stored = sizes
    centres = (np.arange(out) + 0.5) * stored / out - 0.5
    position = np.clip((axis.to_input(centres) + 0.5) * tokens / input_size - 0.5, 0, tokens - 1)
    lower = np.minimum(np.floor(position).astype(int), max(tokens - 2, 0))
    upper = np.minimum(lower + 1, tokens - 1)
    weights = np.zeros((out, tokens))
    index = np.arange(out)
    np.add.at(weights, (index, lower), 1 - (position - lower))
    np.add.at(weights, (index, upper), position - lower)
    weights[(centres < seen[0] - EDGE_TOLERANCE) | (centres > seen[1] + EDGE_TOLERANCE)] = np.nan
    return weights
