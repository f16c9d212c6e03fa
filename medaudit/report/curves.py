"""The faithfulness curves of a prompt in the PDF and in the HTML form: two charts and how to read them."""

from html import escape

from reportlab.lib.colors import Color, white
from reportlab.platypus import Flowable, Spacer

from medaudit.figures.curves import (
    LETTERS,
    LINES,
    Chart,
    ChartWords,
    Colours,
    CosineAxis,
    Ink,
    Label,
    Stroke,
    curve_chart,
    svg,
)
from medaudit.records import Attribution, ImageAudit, PromptKind, Walk
from medaudit.report.canvas import Tied
from medaudit.report.catalogue import Catalogue
from medaudit.report.fonts import REGULAR, SEMIBOLD, draw_text, text_width
from medaudit.report.style import INK, RULE, SOFT, Style, hexadecimal
from medaudit.report.tables import columns

HEIGHT = 150.0
"""Points of a chart in the PDF."""

ROOM = HEIGHT + 90.0
"""Points that curves add to a block: the charts, their heading and what stands below them."""


class CurveFigure(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A chart, drawn in the report's colours."""

    def __init__(self, chart: Chart, style: Style) -> None:
        super().__init__()
        self._chart, self._colours = chart, _colours(style)
        self.width, self.height = chart.width, chart.height

    def draw(self) -> None:
        """Draw with the origin at the lower left."""
        canvas = self.canv
        canvas.saveState()
        canvas.setLineJoin(1)
        for stroke in self._chart.strokes:
            self._draw_stroke(stroke)
        for label in self._chart.labels:
            self._draw_label(label)
        canvas.restoreState()

    def _draw_stroke(self, one: Stroke) -> None:
        canvas = self.canv
        canvas.setStrokeColor(self._colours[one.ink])
        canvas.setLineWidth(one.width)
        canvas.setDash(list(one.dash))
        path = canvas.beginPath()
        path.moveTo(*one.points[0])
        for point in one.points[1:]:
            path.lineTo(*point)
        canvas.drawPath(path, stroke=1, fill=0)

    def _draw_label(self, one: Label) -> None:
        font = SEMIBOLD if one.bold else REGULAR
        wide = text_width(one.text, font, LETTERS)
        x, y = one.at[0] - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[one.anchor], one.at[1]
        if one.bare:
            self.canv.setFillColor(white)
            self.canv.rect(x - 1, y - 1, wide + 2, LETTERS - 0.4, stroke=0, fill=1)
        self.canv.setFillColor(self._colours[one.ink])
        draw_text(self.canv, (x, y), one.text, font, LETTERS)


def curves(style: Style, image: ImageAudit, attribution: Attribution) -> list[Flowable]:
    """What stands below a prompt's map and numbers; nothing where the check did not walk on this image."""
    say, found = style.words.say, image.curves_of(attribution)
    if not found:
        missing = _is_missing(image, attribution)
        return [Spacer(0, 4), style.text(say("curves.none"), "caption")] if missing else []
    axis, words = CosineAxis.over(image.curves), chart_words(style.words)
    cells: list[list[Flowable]] = [
        [
            CurveFigure(curve_chart(one, axis, (style.column, HEIGHT), words), style),
            Spacer(0, 4),
            style.text(words.stated_areas(one), "caption"),
        ]
        for one in found
    ]
    head, charts = style.text(say("curves"), "head"), columns(cells[0], cells[1] if cells[1:] else [], style)
    head.keepWithNext = charts.keepWithNext = 1
    return [Tied(0, 10), head, Tied(0, 3), charts, Tied(0, 4), style.text(say("curves.how"), "caption")]


def curves_html(style: Style, image: ImageAudit, attribution: Attribution) -> str:
    """The same as markup."""
    say, found = style.words.say, image.curves_of(attribution)
    if not found:
        missing = _is_missing(image, attribution)
        return f"<p class=soft>{escape(say('curves.none'))}</p>" if missing else ""
    axis, words = CosineAxis.over(image.curves), chart_words(style.words)
    colours = Colours({ink: hexadecimal(colour) for ink, colour in _colours(style).items()}, paper="#fff")
    charts = "".join(
        f"<figure>{svg(curve_chart(one, axis, (style.column, HEIGHT), words), colours)}"
        f"<figcaption class=soft>{escape(words.stated_areas(one))}</figcaption></figure>"
        for one in found
    )
    return f"<h4>{escape(say('curves'))}</h4>{charts}<p class=soft>{escape(say('curves.how'))}</p>"


def chart_words(words: Catalogue) -> ChartWords:
    """The texts of a chart in a report's language."""
    say = words.say
    return ChartWords(
        walks={walk: say(f"curves.walk.{walk.value}") for walk in Walk},
        shares={walk: say(f"curves.share.{walk.value}") for walk in Walk},
        cosine=say("curves.cosine"),
        names={name: say(f"curves.line.{name}") for name in LINES},
        areas=words.texts["curves.areas"],
        alternative=words.texts["curves.alternative"],
        number=words.number,
    )


def _is_missing(image: ImageAudit, attribution: Attribution) -> bool:
    """Whether other prompts of the image have curves, and this finding has none."""
    return bool(image.curves) and attribution.prompt.kind is PromptKind.FINDING


def _colours(style: Style) -> dict[Ink, Color]:
    return {Ink.INK: INK, Ink.SOFT: SOFT, Ink.RULE: RULE, Ink.ACCENT: style.accent}
