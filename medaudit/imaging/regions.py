"""Where something is written on a picture: text burned into the pixels, found by its looks.

Burned In Annotation (0028,0301) cannot be trusted, and removing text for certain takes a person (PS3.15 E.3.1): what is
found here is flagged, nothing is removed, and a picture without a flag may still carry text. No letters are read.

Letters are small, of one brightness, thin-stroked, sharp against what lies around them, and stand in a line. So: what
is brighter (or darker) than everything a stroke's width away is ink; ink that hangs together is a piece; pieces of like
height and brightness, side by side, are a line; a line of three and more is text-like. A side marker of one letter is
none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Strokes of letters that a person can read are some pixels wide at this size.
_WORKING_SIDE: Final = 1280
# Of the range from black to white: how much ink stands out from its surroundings at least.
_CONTRAST: Final = 0.16
_TEXTURE: Final = 1.5
# Less text-like than this is not told.
_LEAST_SCORE: Final = 0.48
# Shares of the longest side: the widest stroke that is ink, and the highest letter.
_STROKE, _LETTER = 1 / 64, 1 / 16
_MIN_STROKE: Final = 7
_MIN_HEIGHT: Final = 5
# Letters of a line: by how much they differ in brightness, in height (ratio), and how far they stand apart (heights).
_BRIGHTNESS, _HEIGHTS, _GAP = 0.08, 0.55, 1.3
_LETTERS: Final = 3
# More pieces than a page of text has: a texture, of which only the pieces of most contrast are looked at.
_PIECES: Final = 2500

# Regions that a note names one by one.
_NAMED: Final = 3

TEXT_LIKE: Final = "text-like region"
"""How the note on a picture with burned-in text begins."""

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TextRegion:
    """A text-like region.

    ``top``, ``left``, ``bottom`` and ``right`` are 0-based pixel indices on the stored image, the last two one past
    the region. ``letters`` is about how many there are. ``score`` in 0 .. 1 says how much it looks like text; it is
    no probability.
    """

    top: int
    left: int
    bottom: int
    right: int
    letters: int
    score: float

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom and 0 <= self.left < self.right and 0 <= self.score <= 1):
            msg = f"TextRegion: expected 0 <= top < bottom, 0 <= left < right, score in 0 .. 1; got {self}"
            raise ValueError(msg)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right)."""
        return self.top, self.left, self.bottom, self.right

    def overlaps(self, other: tuple[int, int, int, int]) -> bool:
        """Whether it shares a pixel with a box (top, left, bottom, right)."""
        return self.top < other[2] and other[0] < self.bottom and self.left < other[3] and other[1] < self.right


def text_regions(values: NDArray[np.float32]) -> tuple[TextRegion, ...]:
    """The text-like regions of a displayed picture, the most text-like first.

    Parameters
    ----------
    values
        (rows, columns) or (rows, columns, 3) in 0 .. 1, on the stored pixel grid.

    """
    grey = values.mean(axis=2) if values.ndim == 3 else values
    scale = min(1.0, _WORKING_SIDE / max(grey.shape))
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    picture = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    small = np.asarray(picture.resize(size, Image.Resampling.BOX) if scale < 1 else picture, dtype=np.float32)
    found = [line for ink in (small, 1 - small) for line in _lines(ink)]
    regions = sorted(
        (_on_stored(line, small.shape, grey.shape) for line in found), key=lambda one: (-one.score, one.top, one.left)
    )
    kept: list[TextRegion] = []
    for region in regions:  # what is between bright letters looks like dark ones
        if not any(region.overlaps(better.box) for better in kept):
            kept.append(region)
    return tuple(kept)


def text_notes(regions: Sequence[TextRegion], burned_in_annotation: str = "") -> tuple[str, ...]:
    """The note on a picture with text-like regions; none without. It names the first few by their stored pixels."""
    if not regions:
        return ()
    places = "; ".join(
        f"rows {one.top + 1} to {one.bottom}, columns {one.left + 1} to {one.right} (score {one.score:.2f})"
        for one in regions[:_NAMED]
    )
    more = f"; and {len(regions) - _NAMED} more" if len(regions) > _NAMED else ""
    header = " Burned In Annotation (0028,0301) says NO." if burned_in_annotation == "NO" else ""
    return (f"{TEXT_LIKE}: {places}{more}.{header} Look at the picture before you share it.",)


def _on_stored(line: TextRegion, small: tuple[int, ...], stored: tuple[int, ...]) -> TextRegion:
    down, across = stored[0] / small[0], stored[1] / small[1]
    return TextRegion(
        int(line.top * down),
        int(line.left * across),
        min(int(np.ceil(line.bottom * down)), stored[0]),
        min(int(np.ceil(line.right * across)), stored[1]),
        line.letters,
        line.score,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Connected ink, one entry a piece: boxes (ends exclusive), area in pixels, brightness and contrast in 0 .. 1."""

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    bottom: NDArray[np.int64]
    right: NDArray[np.int64]
    area: NDArray[np.int64]
    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]

    def those(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Pieces":
        """The chosen ones alone."""
        return Pieces(*(getattr(self, name)[chosen] for name in self.__slots__))

    @property
    def height(self) -> NDArray[np.int64]:
        """In pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> NDArray[np.int64]:
        """In pixels."""
        return self.right - self.left


def _lines(grey: Plane) -> Iterator[TextRegion]:
    """Lines of bright letters, on the grid of ``grey``."""
    side = max(grey.shape)
    stands_out = grey - opened(grey, max(_MIN_STROKE, round(side * _STROKE) | 1))
    pieces = _letters(ink_pieces(grey, stands_out), side)
    if len(pieces.top) < _LETTERS:
        return
    label = joined(*_neighbours(pieces), len(pieces.top))
    for group in np.unique(label):
        line = pieces.those(label == group)
        count = int(np.maximum(1, np.rint(line.width / (0.9 * np.median(line.height)))).sum())
        score = _score(line, count)
        if score >= _LEAST_SCORE:
            box = (int(line.top.min()), int(line.left.min()), int(line.bottom.max()), int(line.right.max()))
            yield TextRegion(*box, letters=count, score=score)


def _letters(pieces: Pieces, side: int) -> Pieces:
    """The pieces that may be a letter, or a few letters that touch."""
    height, width = pieces.height, pieces.width
    fill = pieces.area / (height * width)
    kept = (
        (height >= _MIN_HEIGHT)
        & (height <= side * _LETTER)
        & (width <= 8 * height)
        & (height <= 12 * width)
        & (pieces.area >= 6)
        & (fill >= 0.12)
    )
    pieces = pieces.those(kept)
    return pieces.those(np.argsort(-pieces.contrast, kind="stable")[:_PIECES])


def _neighbours(pieces: Pieces) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of pieces that may be neighbours in a line."""
    top, bottom, height = pieces.top, pieces.bottom, pieces.height.astype(np.float64)
    higher = np.maximum(height[:, None], height)
    lower = np.minimum(height[:, None], height)
    shared = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    gap = np.maximum(pieces.left[:, None], pieces.left) - np.minimum(pieces.right[:, None], pieces.right)
    alike = np.abs(pieces.brightness[:, None] - pieces.brightness) <= _BRIGHTNESS
    near = (shared >= 0.6 * lower) & (gap <= _GAP * higher) & (lower >= _HEIGHTS * higher) & alike
    first, second = np.nonzero(np.triu(near, 1))
    return first, second


def _score(line: Pieces, count: int) -> float:
    """How much a line looks like text; 0 for what does not."""
    height = float(np.median(line.height))
    across = float(line.right.max() - line.left.min())
    if len(line.top) < _LETTERS or count < _LETTERS or across < 1.2 * height:
        return 0.0
    # Letters stand on a line; the best half of them, as g and y hang below it.
    spread = min(float(np.median(np.abs(edge - np.median(edge)))) for edge in (line.bottom, line.top)) / height
    tall = float((line.bottom.max() - line.top.min()) / height)
    # Marks of a ruler are all alike and thin.
    thin = bool((line.width <= 0.3 * line.height).all())
    if spread > 0.15 or tall > 2.2 or thin:
        return 0.0
    even = 1 - float(np.std(line.brightness)) / _BRIGHTNESS
    strength = min(1.0, float(np.median(line.contrast)) / (2 * _CONTRAST))
    return round(float(np.clip(even, 0.1, 1) * strength * min(1.0, count / 5)), 3)


def opened(grey: Plane, side: int) -> Plane:
    """Morphological opening by a square: what is brighter over less than ``side`` pixels is taken off."""
    return _extreme(_extreme(grey, side, np.minimum), side, np.maximum)


def _extreme(grey: Plane, side: int, of: np.ufunc) -> Plane:
    """The least or greatest value of a square of ``side`` pixels around each, edges repeated; ``side`` is odd."""
    return np.ascontiguousarray(_along(_along(grey, side, of, 0), side, of, 1))


def _along(plane: NDArray[Any], length: int, of: np.ufunc, axis: int) -> NDArray[Any]:
    """The least or greatest value of ``length`` pixels (odd) along an axis, around each; edges repeated."""
    padding = [(length // 2, length // 2) if each == axis else (0, 0) for each in (0, 1)]
    line = np.moveaxis(np.pad(plane, padding, mode="edge"), axis, 0)
    reach = 1
    while 2 * reach <= length:
        line = of(line[:-reach], line[reach:])
        reach *= 2
    rest = length - reach
    line = of(line[: len(line) - rest], line[rest:]) if rest else line
    return np.moveaxis(line, 0, axis)


def _without_lines(ink: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """Ink without its straight runs, along rows and columns, that are longer than any letter: edges, frames, rulers."""
    lines = [_along(_along(ink, length | 1, np.logical_and, axis), length | 1, np.logical_or, axis) for axis in (0, 1)]
    return np.asarray(ink & ~(lines[0] | lines[1]))


def ink_pieces(grey: Plane, stands_out: Plane) -> Pieces:
    """Connected ink (8 neighbours), from its runs along the rows."""
    # Where everything stands out from its surroundings, by noise or texture, ink has to do so by more.
    ink = stands_out > _CONTRAST + _TEXTURE * float(np.median(stands_out))
    ink = _without_lines(ink, round(max(grey.shape) * _LETTER))
    wide = ink.shape[1] + 2
    # A column of paper on both sides keeps a run of one row from touching the next row's by way of the edge.
    flat = np.pad(ink, ((0, 0), (1, 1))).ravel().astype(np.int8)
    step = np.diff(flat, prepend=0, append=0)
    start, end = np.flatnonzero(step == 1), np.flatnonzero(step == -1)
    low = np.searchsorted(end, start + wide, side="left")  # ends are exclusive, so that touching corners count
    high = np.searchsorted(start, end + wide, side="right")
    counts = np.maximum(high - low, 0)
    upper = np.repeat(np.arange(len(start)), counts)
    lower = np.repeat(low, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    label = np.unique(joined(upper, lower, len(start)), return_inverse=True)[1]
    number = int(label.max()) + 1 if len(label) else 0
    row, left, right = start // wide, start % wide - 1, end - start + start % wide - 1
    cumulated = [
        np.concatenate(([0.0], np.cumsum(np.pad(plane, ((0, 0), (1, 1))).ravel(), dtype=np.float64)))
        for plane in (grey, stands_out)
    ]
    area = np.bincount(label, end - start, number)
    brightness, contrast = (
        np.bincount(label, sums[end] - sums[start], number) / np.maximum(area, 1) for sums in cumulated
    )
    return Pieces(
        top=_least(row, label, number, np.minimum),
        left=_least(left, label, number, np.minimum),
        bottom=_least(row, label, number, np.maximum) + 1,
        right=_least(right, label, number, np.maximum),
        area=area.astype(np.int64),
        brightness=brightness,
        contrast=contrast,
    )


def _least(values: NDArray[np.int64], label: NDArray[np.int64], number: int, of: np.ufunc) -> NDArray[np.int64]:
    """The least or greatest of the values of each label."""
    found = np.full(number, -1 if of is np.maximum else np.iinfo(np.int64).max, dtype=np.int64)
    of.at(found, label, values)
    return found


def joined(first: NDArray[np.int64], second: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """(number,) labels, equal exactly for what pairs join, directly or over others."""
    label = np.arange(number)
    while True:
        before = label
        least = np.minimum(label[first], label[second])
        label = label.copy()
        np.minimum.at(label, label[first], least)
        np.minimum.at(label, label[second], least)
        label = label[label]
        if np.array_equal(label, before) and (label[first] == label[second]).all():
            return label
