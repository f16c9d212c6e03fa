"""Parts of a picture that a finding should not rest on, found by their looks; candidates, none of them certain.

Burned-in text, letters of side markers, border and padding, what lies outside the body, bright thin lines.
Nothing is learnt and nothing is read: a check that uses an area says "candidates", and a person looks at the picture.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medaudit.imaging.lines import bright_lines
from medaudit.imaging.regions import Plane, TextRegion, ink_pieces, opened
from medaudit.records import GridMap

Mask = NDArray[np.bool_]

_WORKING_SIDE: Final = 512
# Shares of the longest side.
_BORDER: Final = 0.03
_MARGIN: Final = 0.01
_MARKER_HEIGHT: Final = (0.015, 0.09)
_MARKER_FROM_EDGE: Final = 0.25
_STROKE: Final = 1 / 40
_TUBE: Final = 1 / 73
# Of the range from black to white.
_UNIFORM: Final = 0.04
_AIR: Final = 0.06
_WHITE: Final = 0.9
# More of the picture than this is no device.
_LARGEST_DEVICE: Final = 0.15


class Area(StrEnum):
    """What a part of the picture may be, in the words of a finding."""

    TEXT = "burned-in text"
    MARKER = "side-marker candidates"
    BORDER = "border and padding"
    OUTSIDE = "outside the body"
    DEVICE = "bright thin lines"


def find_areas(values: NDArray[np.float32], texts: Sequence[TextRegion] = ()) -> Mapping[Area, Mask]:
    """Candidate areas of a displayed picture; an area that is not there is left out.

    Parameters
    ----------
    values
        (rows, columns) or (rows, columns, 3) in 0 .. 1, on the stored pixel grid.
    texts
        Its text-like regions, see :func:`medaudit.imaging.regions.text_regions`.

    Returns
    -------
    (h, w) bool, all of one shape, which covers the whole picture, at most 512 a side. Areas may overlap, but what is
    written counts as text or marker alone.

    """
    grey = values.mean(axis=2) if values.ndim == 3 else values
    scale = min(1.0, _WORKING_SIDE / max(grey.shape))
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    picture = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    small = np.asarray(picture.resize(size, Image.Resampling.BOX) if scale < 1 else picture, dtype=np.float32)
    text = _boxes([one.box for one in texts], grey.shape, small.shape)
    marker = _markers(small) & ~text
    border = _border(small)
    outside = _outside(small)
    device = _devices(small, ~(text | marker | border | outside))
    written = text | marker
    found = {
        Area.TEXT: text,
        Area.MARKER: marker,
        Area.BORDER: border & ~written,
        Area.OUTSIDE: outside & ~written,
        Area.DEVICE: device,
    }
    return {area: mask for area, mask in found.items() if mask.any() and not mask.all()}


def areas_on_input(areas: Mapping[Area, Mask], grid_map: GridMap) -> Mapping[Area, Mask]:
    """The same on the model's input, each (H, W) bool; what is cropped away is left out, padding is border."""
    placed = {area: _on_input(mask, grid_map, beyond=area is Area.BORDER) for area, mask in areas.items()}
    return {area: mask for area, mask in placed.items() if mask.any() and not mask.all()}


def _on_input(mask: Mask, grid_map: GridMap, *, beyond: bool) -> Mask:
    """(H, W) bool on the model's input of a mask that covers the stored image; ``beyond`` is what padding gets."""
    rows, columns = (
        (axis.to_stored(np.arange(length, dtype=np.float64)) + 0.5) * scaled / stored
        for axis, length, scaled, stored in zip(
            (grid_map.row, grid_map.column), grid_map.input, mask.shape, grid_map.stored, strict=True
        )
    )
    inside = ((rows >= 0) & (rows < mask.shape[0]))[:, None] & (columns >= 0) & (columns < mask.shape[1])
    row = np.clip(rows.astype(int), 0, mask.shape[0] - 1)
    column = np.clip(columns.astype(int), 0, mask.shape[1] - 1)
    return np.where(inside, mask[row[:, None], column], beyond)


def _boxes(boxes: Sequence[tuple[int, int, int, int]], stored: tuple[int, ...], shape: tuple[int, ...]) -> Mask:
    """Boxes (top, left, bottom, right) of stored pixels with a margin, on a smaller grid."""
    mask = np.zeros(shape, dtype=np.bool_)
    down, across = shape[0] / stored[0], shape[1] / stored[1]
    margin = max(1, round(_MARGIN * max(shape)))
    for top, left, bottom, right in boxes:
        rows = slice(max(0, int(top * down) - margin), int(np.ceil(bottom * down)) + margin)
        columns = slice(max(0, int(left * across) - margin), int(np.ceil(right * across)) + margin)
        mask[rows, columns] = True
    return mask


def _markers(grey: Plane) -> Mask:
    """Single white letters near an edge: small, of one brightness, with strokes rather than full."""
    side = max(grey.shape)
    stands_out = grey - opened(grey, round(side * _STROKE) | 1)
    found = ink_pieces(grey, stands_out)
    low, high = (share * side for share in _MARKER_HEIGHT)
    fill = found.area / (found.height * found.width)
    middle_row, middle_column = (found.top + found.bottom) / 2, (found.left + found.right) / 2
    edge = np.minimum.reduce([middle_row, grey.shape[0] - middle_row, middle_column, grey.shape[1] - middle_column])
    kept = (
        (found.height >= low)
        & (found.height <= high)
        & (found.width >= 0.15 * found.height)
        & (found.width <= 1.6 * found.height)
        & (fill >= 0.2)
        & (fill <= 0.9)
        & (found.brightness >= _WHITE)
        & (edge <= _MARKER_FROM_EDGE * min(grey.shape))
    )
    letters = found.those(kept)
    boxes = list(zip(letters.top, letters.left, letters.bottom, letters.right, strict=True))
    return _boxes([(int(a), int(b), int(c), int(d)) for a, b, c, d in boxes], grey.shape, grey.shape)


def _border(grey: Plane) -> Mask:
    """A frame, and the rows and columns from each edge inward that show nothing: padding, a closed shutter."""
    frame = max(1, round(_BORDER * max(grey.shape)))
    mask = np.zeros(grey.shape, dtype=np.bool_)
    for axis in (0, 1):
        # By quantiles: a letter on the padding does not end it.
        low, high = np.quantile(grey, [0.1, 0.9], axis=1 - axis)
        empty = (high - low) <= _UNIFORM
        rows = np.moveaxis(mask, axis, 0)
        for order in (slice(None), slice(None, None, -1)):
            filled = empty[order]
            width = len(filled) if filled.all() else int(np.argmin(filled))
            rows[order][: max(frame, width)] = True
    return mask


def _outside(grey: Plane) -> Mask:
    """What is as black as air and hangs together with an edge; letters that stand there do not interrupt it."""
    low, high = np.quantile(grey, [0.005, 0.995])
    if high <= low:
        return np.zeros(grey.shape, dtype=np.bool_)
    air = grey <= low + _AIR * (high - low)
    reached = np.zeros_like(air)
    reached[[0, -1]], reached[:, [0, -1]] = air[[0, -1]], air[:, [0, -1]]
    while True:
        grown = reached.copy()
        for axis in (0, 1):
            before, after = np.moveaxis(grown, axis, 0), np.moveaxis(air, axis, 0)
            for order in (slice(None), slice(None, None, -1)):
                _sweep(before[order], after[order])
        if np.array_equal(grown, reached):
            break
        reached = grown
    closing = max(3, round(_STROKE * max(grey.shape)) | 1)
    return np.asarray(~(opened((~reached).astype(np.float32), closing) > 0))


def _sweep(reached: Mask, air: Mask) -> None:
    """Carry what is reached down the rows through air, in place."""
    for row in range(1, len(reached)):
        reached[row] |= reached[row - 1] & air[row]


def _devices(grey: Plane, allowed: Mask) -> Mask:
    """Bright thin lines with what lies beside them: a tube is wider than the stripe in it that can be seen."""
    side = max(grey.shape)
    margin, width = (max(3, round(side * share) | 1) for share in (_MARGIN, _TUBE))
    # What lies beside text or the shutter's edge stands out from it.
    inner = _window_sums(~allowed, 2 * margin - 1) == 0
    lines = _window_sums(bright_lines(grey, inner), width) > 0
    return np.zeros_like(allowed) if lines.mean() > _LARGEST_DEVICE else np.asarray(lines & allowed)


def _window_sums(mask: Mask, width: int) -> NDArray[np.int64]:
    """How many of the pixels around each, in a square of ``width`` (odd), are set."""
    sums = np.pad(mask, width // 2).astype(np.int64)
    for axis in (0, 1):
        before = [(1, 0) if each == axis else (0, 0) for each in (0, 1)]
        total = np.moveaxis(np.pad(sums.cumsum(axis), before), axis, 0)
        sums = np.moveaxis(total[width:] - total[:-width], 0, axis)
    return sums
