"""Vector charts, one row of a table each: a distribution, an interval, a share; and the way of the files."""

from collections.abc import Sequence
from dataclasses import dataclass

from reportlab.lib.colors import Color, white
from reportlab.platypus import Flowable, Paragraph

from medaudit.report.fonts import REGULAR, text_width
from medaudit.report.statistics import Interval, Spread
from medaudit.report.style import INK, PANEL, RULE, SOFT, Style

_HEIGHT = 10.0
_INSET = 3.5  # points kept free at both ends of an axis, for a dot that lies on its end
_DOT = 1.5
_TICKS = 6.0  # size of the letters below an axis


@dataclass(frozen=True, slots=True)
class Axis:
    """A horizontal axis: from ``low`` to ``high`` over ``width`` points; ``mark`` is a value that all rows show."""

    low: float
    high: float
    width: float
    mark: float | None = None

    def place(self, value: float) -> float:
        """Points from the left; values beyond the ends are set on them."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return _INSET + min(max(share, 0.0), 1.0) * (self.width - 2 * _INSET)


def axis_over(values: Sequence[float], width: float, mark: float | None = None) -> Axis:
    """The axis that just holds all values, and ``mark``."""
    every = [*values, *([] if mark is None else [mark])]
    return Axis(min(every, default=0.0), max(every, default=1.0), width, mark)


class _Row(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A row over an axis; its middle line and the mark are drawn here."""

    def __init__(self, axis: Axis) -> None:
        super().__init__()
        self._axis = axis
        self.width, self.height = axis.width, _HEIGHT

    def draw(self) -> None:
        """Draw with the origin at the lower left."""
        canvas, middle = self.canv, _HEIGHT / 2
        canvas.saveState()
        canvas.setLineWidth(0.4)
        canvas.setStrokeColor(RULE)
        canvas.line(0, middle, self.width, middle)
        if self._axis.mark is not None:
            canvas.setStrokeColor(SOFT)
            canvas.setDash(1.5, 1.2)
            place = self._axis.place(self._axis.mark)
            canvas.line(place, -1, place, _HEIGHT + 1)
            canvas.setDash()
        self._draw_data(middle)
        canvas.restoreState()

    def _draw_data(self, middle: float) -> None:
        raise NotImplementedError


class SpreadRow(_Row):
    """A distribution: 5 to 95 % as a line, the middle half as a bar, the median as a tick, few values as dots."""

    def __init__(self, spread: Spread, axis: Axis, colour: Color) -> None:
        super().__init__(axis)
        self._spread, self._colour = spread, colour

    def _draw_data(self, middle: float) -> None:
        canvas, place, one = self.canv, self._axis.place, self._spread
        canvas.setStrokeColor(self._colour)
        canvas.setLineWidth(0.9)
        canvas.line(place(one.low), middle, place(one.high), middle)
        left, right = place(one.lower), place(one.upper)
        canvas.setFillColor(self._colour)
        canvas.setFillAlpha(0.35)
        canvas.rect(left, middle - 2.6, max(right - left, 0.6), 5.2, stroke=0, fill=1)
        canvas.setFillAlpha(1)
        canvas.setLineWidth(0.6)
        canvas.setFillColor(white)
        for value in one.points:
            canvas.circle(place(value), middle, _DOT, stroke=1, fill=1)
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(1.3)
        canvas.line(place(one.median), middle - 3.8, place(one.median), middle + 3.8)


class IntervalRow(_Row):
    """An estimate as a dot with its interval as a whisker; hollow where ``filled`` is not set."""

    def __init__(self, interval: Interval, axis: Axis, colour: Color, *, filled: bool = True) -> None:
        super().__init__(axis)
        self._interval, self._colour, self._filled = interval, colour, filled

    def _draw_data(self, middle: float) -> None:
        canvas, place = self.canv, self._axis.place
        canvas.setStrokeColor(self._colour)
        canvas.setLineWidth(1)
        if self._interval.ends is not None:
            left, right = (place(end) for end in self._interval.ends)
            canvas.line(left, middle, right, middle)
            for end in (left, right):
                canvas.line(end, middle - 1.8, end, middle + 1.8)
        canvas.setFillColor(self._colour if self._filled else white)
        canvas.circle(place(self._interval.value), middle, 2.2, stroke=1, fill=1)


class ShareRow(_Row):
    """A share 0 .. 1 as a bar from the left, with its interval as a whisker."""

    def __init__(self, share: Interval, width: float, colour: Color) -> None:
        super().__init__(Axis(0.0, 1.0, width))
        self._share, self._colour = share, colour

    def _draw_data(self, middle: float) -> None:
        canvas, place = self.canv, self._axis.place
        canvas.setFillColor(self._colour)
        canvas.setFillAlpha(0.45)
        canvas.rect(place(0), middle - 2.6, place(self._share.value) - place(0), 5.2, stroke=0, fill=1)
        canvas.setFillAlpha(1)
        if self._share.ends is not None:
            left, right = (place(end) for end in self._share.ends)
            canvas.setStrokeColor(INK)
            canvas.setLineWidth(0.8)
            canvas.line(left, middle, right, middle)
            for end in (left, right):
                canvas.line(end, middle - 1.8, end, middle + 1.8)


class AxisHead(Flowable):  # type: ignore[misc]  # reportlab has no types
    """The head over a column of rows: the ends of their axis, and its mark where there is room between them."""

    def __init__(self, axis: Axis, labels: tuple[str, str], mark: str = "") -> None:
        super().__init__()
        self._axis, self._labels, self._mark = axis, labels, mark
        self.width, self.height = axis.width, _TICKS + 2

    def draw(self) -> None:
        """Draw with the origin at the lower left."""
        canvas, axis = self.canv, self._axis
        low, high = self._labels
        canvas.saveState()
        canvas.setFont(REGULAR, _TICKS)
        canvas.setFillColor(SOFT)
        canvas.drawString(0, 1, low)
        canvas.drawRightString(axis.width, 1, high)
        if self._mark and axis.mark is not None:
            half = text_width(self._mark, REGULAR, _TICKS) / 2
            place = axis.place(axis.mark)
            room = (text_width(low, REGULAR, _TICKS) + 2, axis.width - text_width(high, REGULAR, _TICKS) - 2)
            if room[0] <= place - half and place + half <= room[1]:
                canvas.drawCentredString(place, 1, self._mark)
        canvas.restoreState()


class Flow(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Boxes from top to bottom, joined by arrows; what leaves between two of them stands to the right.

    Parameters
    ----------
    style
        Colours and paragraph styles.
    steps
        Text of each box, and the texts of what leaves after it.

    """

    _GAP, _PAD = 13.0, 6.0

    def __init__(self, style: Style, steps: Sequence[tuple[str, Sequence[str]]]) -> None:
        super().__init__()
        self._accent = style.accent
        self.width = style.width
        self._box = style.width * 0.44
        inner = self._box - 2 * self._PAD
        self._steps: list[tuple[Paragraph, float, list[Paragraph], float]] = []
        for text, leaves in steps:
            main = style.text(text, "strong")
            sides = [style.text(one, "small") for one in leaves]
            high = main.wrap(inner, 1000)[1] + 2 * self._PAD
            side = sum(one.wrap(inner, 1000)[1] for one in sides) + (2 * self._PAD if sides else 0)
            self._steps.append((main, high, sides, side))
        self.height = sum(high + self._between(side, last=index == len(steps) - 1)
                          for index, (_, high, _, side) in enumerate(self._steps))  # fmt: skip

    def _between(self, side: float, *, last: bool) -> float:
        return 0.0 if last else max(self._GAP, side + 6)

    def draw(self) -> None:
        """Draw with the origin at the lower left."""
        top = self.height
        for index, (main, high, sides, side) in enumerate(self._steps):
            last = index == len(self._steps) - 1
            self._draw_box(main, 0, top - high, high, index in (0, len(self._steps) - 1))
            top -= high
            if last:
                return
            gap = self._between(side, last=False)
            self._draw_arrow(24, top, gap)
            if sides:
                self._draw_sides(sides, top - gap / 2, side)
            top -= gap

    def _draw_box(self, text: Paragraph, left: float, bottom: float, high: float, strong: bool) -> None:  # noqa: FBT001
        canvas = self.canv
        canvas.saveState()
        canvas.setFillColor(PANEL)
        canvas.setStrokeColor(self._accent if strong else RULE)
        canvas.setLineWidth(0.9)
        canvas.roundRect(left, bottom, self._box, high, 3, stroke=1, fill=1)
        canvas.restoreState()
        text.drawOn(canvas, left + self._PAD, bottom + self._PAD)

    def _draw_arrow(self, x: float, top: float, length: float) -> None:
        canvas = self.canv
        canvas.saveState()
        canvas.setStrokeColor(SOFT)
        canvas.setFillColor(SOFT)
        canvas.setLineWidth(0.8)
        canvas.line(x, top, x, top - length + 3)
        path = canvas.beginPath()
        path.moveTo(x - 2.6, top - length + 4.5)
        path.lineTo(x + 2.6, top - length + 4.5)
        path.lineTo(x, top - length)
        path.close()
        canvas.drawPath(path, stroke=0, fill=1)
        canvas.restoreState()

    def _draw_sides(self, sides: Sequence[Paragraph], middle: float, high: float) -> None:
        canvas = self.canv
        left = self.width - self._box
        canvas.saveState()
        canvas.setStrokeColor(SOFT)
        canvas.setLineWidth(0.8)
        canvas.line(24, middle, left, middle)
        canvas.setStrokeColor(RULE)
        canvas.setFillColor(white)
        canvas.roundRect(left, middle - high / 2, self._box, high, 3, stroke=1, fill=1)
        canvas.restoreState()
        top = middle + high / 2 - self._PAD
        for one in sides:
            top -= one.height
            one.drawOn(canvas, left + self._PAD, top)
