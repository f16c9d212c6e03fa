"""Pictures of a report: the image, a map over it, what the edges mean, how long a centimetre is."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from reportlab.lib.colors import Color, black, white
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from medaudit.figures.colour import ColourScale
from medaudit.figures.contour import Polyline, contours
from medaudit.figures.orientation import EdgeLetters, edge_letters
from medaudit.figures.overlay import jpeg, overlay
from medaudit.records import Attribution, ImageAudit, ImageRecord
from medaudit.report.catalogue import Catalogue
from medaudit.report.fonts import REGULAR, SEMIBOLD, text_width
from medaudit.report.style import INK, LETTER_ROOM, RULE, SOFT

PICTURE_PIXELS = 900
"""Longer side of an embedded picture: about 250 dots per inch at half a page's width."""

SCALE_ROOM = 16.0
"""Points under a picture for its scale bar."""

_CONTOUR_PIXELS = 256  # lines are smooth long before the pixels of the picture are reached
_LETTERS = 7.6
_BAR_WIDTH = 150.0  # points; the ticks of a colour bar need as much under a narrow picture
_THINNEST = 1.0  # points; a picture one pixel high is still a line that can be seen


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """An encoded picture and the lines over it, in shares of its height and width from the top left."""

    data: bytes
    aspect: float
    field: tuple[float, float, float, float] | None
    lines: tuple[Polyline, ...] = ()


def source_raster(image: ImageAudit) -> Raster:
    """The image as it was shown to the model's preprocessing, with the outline of what the model saw."""
    shown = _fitted(image.reading_copy.shown)
    return Raster(jpeg(shown), _aspect(image.record), _field(image))


def map_raster(image: ImageAudit, attribution: Attribution, scale: ColourScale, opacity: float) -> Raster:
    """The relevance of one prompt over the image, with a line at half of the scale."""
    shown = _fitted(image.reading_copy.shown)
    nats = attribution.image.pixels((shown.shape[0], shown.shape[1]))
    blended = overlay(shown, nats, scale, opacity=opacity)
    return Raster(jpeg(blended), _aspect(image.record), _field(image), _lines(image, attribution, half(scale)))


def half(scale: ColourScale) -> float:
    """The level of the contour line, in nats."""
    return scale.maximum_nats / 2


def _lines(image: ImageAudit, attribution: Attribution, level: float) -> tuple[Polyline, ...]:
    rows, columns = _bounded(image.record.rows, image.record.columns, _CONTOUR_PIXELS)
    found = contours(attribution.image.pixels((rows, columns)), level)
    return tuple((line + 0.5) / (rows, columns) for line in found)


def _field(image: ImageAudit) -> tuple[float, float, float, float] | None:
    """(top, bottom, left, right) of the field of view as shares; None where the model saw everything."""
    if image.grid_map.sees_everything():
        return None
    top, bottom, left, right = image.grid_map.seen
    rows, columns = image.grid_map.stored
    return (top + 0.5) / rows, (bottom + 0.5) / rows, (left + 0.5) / columns, (right + 0.5) / columns


def _aspect(record: ImageRecord) -> float:
    """Height over width of the image as it lies in space: pixels need not be square."""
    row, column = record.pixel_spacing or record.imager_pixel_spacing or (1.0, 1.0)
    return record.rows * row / (record.columns * column)


def _fitted(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = _bounded(shown.shape[0], shown.shape[1], PICTURE_PIXELS)
    if (rows, columns) == shown.shape[:2]:
        return shown
    return np.asarray(Image.fromarray(shown).resize((columns, rows), Image.Resampling.LANCZOS))


def _bounded(rows: int, columns: int, longest: int) -> tuple[int, int]:
    share = min(1.0, longest / max(rows, columns))
    return max(1, round(rows * share)), max(1, round(columns * share))


class Picture(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A raster with its letters around it and its scale bar below; nothing lies on the anatomy but lines.

    Parameters
    ----------
    raster
        The picture.
    record
        Where orientation and spacing come from.
    room
        (width, height): the most that it may take, in points, letters and scale bar included.
    words
        The texts of the report's language.

    """

    def __init__(self, raster: Raster, record: ImageRecord, room: tuple[float, float], words: Catalogue) -> None:
        super().__init__()
        self._raster, self._record, self._words = raster, record, words
        width, height = room
        across = min(width - 2 * LETTER_ROOM, (height - 2 * LETTER_ROOM - SCALE_ROOM) / raster.aspect)
        self._size = max(_THINNEST, across), max(_THINNEST, across * raster.aspect)
        self.width = width
        self.height = max(self._size[1], _LETTERS + 2) + 2 * LETTER_ROOM + SCALE_ROOM
        self.bar_width = max(self._size[0], _BAR_WIDTH)

    def draw(self) -> None:
        """Draw, left-aligned, with the origin at the lower left."""
        width, height = self._size
        left = LETTER_ROOM
        bottom = SCALE_ROOM + LETTER_ROOM + (self.height - 2 * LETTER_ROOM - SCALE_ROOM - height) / 2
        canvas = self.canv
        canvas.saveState()
        reader = ImageReader(BytesIO(self._raster.data))
        canvas.drawImage(reader, left, bottom, width, height)
        canvas.translate(left, bottom)
        _draw_lines(canvas, self._raster.lines, width, height)
        _draw_field(canvas, self._raster.field, width, height)
        _draw_letters(canvas, edge_letters(self._record.patient_orientation), width, height)
        canvas.restoreState()
        _draw_scale_bar(canvas, self._record, (left, width), self._words)


def _draw_lines(canvas: Canvas, lines: tuple[Polyline, ...], width: float, height: float) -> None:
    """White with a dark casing, which shows on any grey and on any colour of the scale."""
    for thickness, colour in ((1.7, Color(0, 0, 0, 0.55)), (0.8, white)):
        canvas.saveState()
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(thickness)
        canvas.setLineJoin(1)
        for line in lines:
            path = canvas.beginPath()
            points = [(float(column) * width, (1 - float(row)) * height) for row, column in line]
            path.moveTo(*points[0])
            for point in points[1:]:
                path.lineTo(*point)
            canvas.drawPath(path, stroke=1, fill=0)
        canvas.restoreState()


def _draw_field(canvas: Canvas, field: tuple[float, float, float, float] | None, width: float, height: float) -> None:
    """Dashed lines where the field of view ends within the picture."""
    if field is None:
        return
    top, bottom, left, right = field
    high, low, near, far = (1 - top) * height, (1 - bottom) * height, left * width, right * width
    edges = (
        (top > 0, (near, high, far, high)),
        (bottom < 1, (near, low, far, low)),
        (left > 0, (near, low, near, high)),
        (right < 1, (far, low, far, high)),
    )
    cut = [edge for inside, edge in edges if inside]
    canvas.saveState()
    canvas.setLineWidth(0.7)
    canvas.setStrokeColor(black)
    canvas.lines(cut)
    canvas.setStrokeColor(white)
    canvas.setDash(3, 3)
    canvas.lines(cut)
    canvas.restoreState()


def _draw_letters(canvas: Canvas, letters: EdgeLetters, width: float, height: float) -> None:
    middle = height / 2 - _LETTERS * 0.36
    canvas.setFont(SEMIBOLD, _LETTERS)
    canvas.setFillColor(INK)
    canvas.drawRightString(-3.5, middle, letters.left)
    canvas.drawString(width + 3.5, middle, letters.right)
    canvas.drawCentredString(width / 2, height + 3.5, letters.top)
    canvas.drawCentredString(width / 2, -_LETTERS - 1, letters.bottom)


def _draw_scale_bar(canvas: Canvas, record: ImageRecord, place: tuple[float, float], words: Catalogue) -> None:
    left, width = place
    spacing = record.pixel_spacing or record.imager_pixel_spacing
    canvas.saveState()
    canvas.setFont(REGULAR, 6.8)
    canvas.setFillColor(SOFT)
    if spacing is None:
        canvas.drawString(left, 3, words.say("picture.no_scale"))
        canvas.restoreState()
        return
    millimetres = record.columns * spacing[1]
    length = _nice_floor(millimetres / 4)
    across = length / millimetres * width
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(1)
    canvas.line(left, 5, left + across, 5)
    canvas.setLineWidth(0.6)
    for end in (left, left + across):
        canvas.line(end, 3, end, 7)
    label = f"{words.number(length / 10)} cm" if length >= 10 else f"{words.number(length)} mm"
    where = "" if record.pixel_spacing else f" {words.say('picture.at_detector')}"
    canvas.drawString(left + across + 4, 3, label + where)
    canvas.restoreState()


def _nice_floor(millimetres: float) -> float:
    """The longest of 1, 2, 5 times a power of ten that is not longer."""
    power = 10.0 ** np.floor(np.log10(millimetres))
    return float(max(step * power for step in (1, 2, 5) if step * power <= millimetres * (1 + 1e-9)))


class ColourBar(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A horizontal colour bar: ticks in nats below it, and a mark where the contour line runs.

    ``ramp`` is (1, n, 3) uint8 from zero to the top of the scale; ``width`` that of the bar, in
    points, which begins ``indent`` from the left.
    """

    def __init__(
        self,
        ramp: NDArray[np.uint8],
        scale: ColourScale,
        words: Catalogue,
        width: float,
        *,
        indent: float = 0,
        mark: float | None = None,
    ) -> None:
        super().__init__()
        self._ramp, self._scale, self._words, self._mark = ramp, scale, words, mark
        self._left, self._across = indent, width
        self.width, self.height = indent + width, 24.0

    def draw(self) -> None:
        """Draw with the origin at the lower left."""
        canvas, left, across, thick = self.canv, self._left, self._across, 7.0
        bottom = self.height - thick - 3
        canvas.saveState()
        canvas.drawImage(ImageReader(Image.fromarray(np.ascontiguousarray(self._ramp))), left, bottom, across, thick)
        canvas.setLineWidth(0.4)
        canvas.setStrokeColor(RULE)
        canvas.rect(left, bottom, across, thick)
        canvas.setFont(REGULAR, 6.8)
        canvas.setFillColor(SOFT)
        canvas.setStrokeColor(SOFT)
        labels = map(self._words.signs, self._scale.tick_labels())
        for tick, label in zip(self._scale.ticks(), labels, strict=True):
            x = left + across * tick / self._scale.maximum_nats
            canvas.line(x, bottom, x, bottom - 2)
            wide = text_width(label, REGULAR, 6.8)
            canvas.drawString(min(max(x - wide / 2, left), left + across - wide), bottom - 10, label)
        if self._mark is not None:
            x = left + across * self._mark / self._scale.maximum_nats
            for thickness, colour in ((1.7, Color(0, 0, 0, 0.55)), (0.8, white)):
                canvas.setLineWidth(thickness)
                canvas.setStrokeColor(colour)
                canvas.line(x, bottom, x, bottom + thick)
        canvas.restoreState()
