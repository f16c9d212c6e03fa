"""What is written on the picture after the detector: side markers, PORTABLE, other text."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_MIN_FONT_PIXELS: Final = 8
_INK: Final = 128  # grey level of the antialiased letters from which a pixel is ink


class MarkKind(StrEnum):
    """What a mark is for."""

    LEFT = "L"
    RIGHT = "R"
    PORTABLE = "PORTABLE"
    TEXT = "text"


class Corner(StrEnum):
    """Where a mark stands, as one looks at the picture."""

    TOP_LEFT = "top left"
    TOP_RIGHT = "top right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM_RIGHT = "bottom right"


@dataclass(frozen=True, slots=True)
class MarkSpec:
    """A mark.

    Parameters
    ----------
    kind
        See the enum.
    text
        What is written; not empty.
    corner
        See the enum.
    inset
        (x, y) of the mark's outer corner from the picture's corner, as shares of the edge, 0 .. 0.4.
    height
        Of the letters, as a share of the picture's edge, 0.015 .. 0.08.

    """

    kind: MarkKind
    text: str
    corner: Corner
    inset: tuple[float, float]
    height: float

    def __post_init__(self) -> None:
        if not self.text.strip():
            msg = f"MarkSpec.text: expected letters; got {self.text!r}"
            raise ValueError(msg)
        if not all(0 <= value <= 0.4 for value in self.inset):
            msg = f"MarkSpec.inset: expected shares of 0 .. 0.4; got {self.inset}"
            raise ValueError(msg)
        if not 0.015 <= self.height <= 0.08:
            msg = f"MarkSpec.height: expected 0.015 .. 0.08; got {self.height}"
            raise ValueError(msg)


PixelBox = tuple[int, int, int, int]
"""(first row, first column, last row + 1, last column + 1)."""


def draw_mark(pixels: NDArray[np.uint16], spec: MarkSpec, ink: int) -> PixelBox:
    """Write a mark into stored values in place, and say where it is.

    Parameters
    ----------
    pixels
        (side, side) uint16, changed.
    spec
        The mark.
    ink
        The stored value that shows white.

    """
    side = pixels.shape[0]
    font = ImageFont.load_default(size=max(round(spec.height * side * 1.3), _MIN_FONT_PIXELS))
    left, top, right, bottom = (round(edge) for edge in font.getbbox(spec.text))
    width, height = min(right - left, side), min(bottom - top, side)
    stamp = Image.new("L", (width, height), 0)
    ImageDraw.Draw(stamp).text((-left, -top), spec.text, fill=255, font=font)
    x, y = round(spec.inset[0] * side), round(spec.inset[1] * side)
    column = x if spec.corner in (Corner.TOP_LEFT, Corner.BOTTOM_LEFT) else side - x - width
    row = y if spec.corner in (Corner.TOP_LEFT, Corner.TOP_RIGHT) else side - y - height
    column, row = min(max(column, 0), side - width), min(max(row, 0), side - height)
    target = pixels[row : row + height, column : column + width]
    target[np.asarray(stamp) >= _INK] = ink
    return row, column, row + height, column + width
