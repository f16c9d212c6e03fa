"""A cosine as a dot on a small axis, so that a column of them can be read as a chart."""

from reportlab.lib.colors import Color, white
from reportlab.platypus import Flowable

from medaudit.records import PromptKind
from medaudit.report.style import RULE, SOFT

_HEIGHT = 10.0
_RADIUS = 2.3


class CosineStrip(Flowable):  # type: ignore[misc]  # reportlab has no types
    """One row of a dot plot.

    Parameters
    ----------
    value
        The cosine.
    ends
        (low, high) of the axis, common to the column; zero lies within them.
    kind
        Finding prompts and report sentences are filled with the accent, negated ones with grey,
        controls are hollow.
    accent
        Colour of the dots that matter.
    width
        In points.

    """

    def __init__(self, value: float, ends: tuple[float, float], kind: PromptKind, accent: Color, width: float) -> None:
        super().__init__()
        self._value, self._ends, self._kind, self._accent = value, ends, kind, accent
        self.width, self.height = width, _HEIGHT

    def draw(self) -> None:
        """Draw with the origin at the lower left."""
        canvas, middle = self.canv, _HEIGHT / 2 + 0.3
        canvas.saveState()
        canvas.setLineWidth(0.5)
        canvas.setStrokeColor(RULE)
        canvas.line(_RADIUS, middle, self.width - _RADIUS, middle)
        canvas.setStrokeColor(SOFT)
        zero = self._place(0.0)
        canvas.line(zero, middle - 3, zero, middle + 3)
        colour = {PromptKind.NEGATED: SOFT, PromptKind.CONTROL: white}.get(self._kind, self._accent)
        canvas.setFillColor(colour)
        canvas.setStrokeColor(SOFT if colour is white else colour)
        canvas.setLineWidth(0.7)
        canvas.circle(self._place(self._value), middle, _RADIUS, stroke=1, fill=1)
        canvas.restoreState()

    def _place(self, value: float) -> float:
        low, high = self._ends
        share = (value - low) / (high - low) if high > low else 0.5
        return _RADIUS + 1 + share * (self.width - 2 * _RADIUS - 2)
